//! What `/` takes in a log: terms joined by ` & `.
//!
//! `regex` only lines that match, `!regex` none that match, `*regex` marks what matches and hides nothing,
//! `.field=value` (also `!=`, `~`, `<`, `<=`, `>`, `>=`) by a field of JSON or logfmt, `.msg .error` shows these fields
//! instead of the whole line. Case matters where a capital is typed.

use std::{borrow::Cow, ops::Range};

use regex::{Regex, RegexBuilder};

use crate::{
    app::filter::has_upper,
    model::log::{escape::plain, fields::Fields, level::Level},
};

/// Between terms.
const JOINT: &str = " & ";
/// Largest compiled regular expression, and largest cache of its search, in bytes.
const REGEX_LIMIT: usize = 1 << 20;

/// What was typed, read.
#[derive(Clone, Debug, Default)]
pub struct Query {
    include: Vec<Regex>,
    exclude: Vec<Regex>,
    mark: Vec<Regex>,
    fields: Vec<FieldTest>,
    pick: Vec<String>,
}

#[derive(Clone, Debug)]
struct FieldTest {
    name: String,
    compare: Compare,
}

#[derive(Clone, Debug)]
enum Compare {
    Equal(String),
    Unequal(String),
    Matches(Regex),
    Less { than: String, or_equal: bool },
    More { than: String, or_equal: bool },
}

/// What is wrong: at which byte of what was typed, and why.
pub type Wrong = (usize, String);

impl Query {
    /// Reads what was typed.
    pub fn parse(raw: &str) -> Result<Self, Wrong> {
        let mut query = Self::default();
        let mut at = 0;
        for term in raw.split(JOINT) {
            query.term(term, at)?;
            at += term.len() + JOINT.len();
        }
        Ok(query)
    }

    fn term(&mut self, raw: &str, at: usize) -> Result<(), Wrong> {
        let term = raw.trim_start();
        let at = at + raw.len() - term.len();
        let behind = |mark: char| term.strip_prefix(mark).map(|rest| (rest, at + mark.len_utf8()));
        if let Some((rest, at)) = behind('!') {
            self.exclude.extend(pattern(rest, at)?);
        } else if let Some((rest, at)) = behind('*') {
            self.mark.extend(pattern(rest, at)?);
        } else if is_fields(term) {
            if let Some(test) = field_test(term, at)? {
                self.fields.push(test);
            } else {
                let names = term.split_whitespace().map(|name| name.trim_start_matches('.').to_owned());
                self.pick.extend(names.filter(|name| !name.is_empty()));
            }
        } else {
            self.include.extend(pattern(term, at)?);
        }
        Ok(())
    }

    /// Whether it hides lines.
    pub fn hides(&self) -> bool {
        !self.include.is_empty() || !self.exclude.is_empty() || !self.fields.is_empty()
    }

    /// Whether it finds lines that one can go to.
    pub fn finds(&self) -> bool {
        !self.mark.is_empty() || !self.include.is_empty() || !self.fields.is_empty()
    }

    /// Whether a line is kept, and whether it is one of those found.
    pub fn test(&self, text: &str) -> (bool, bool) {
        let text = plain(text);
        let kept = self.include.iter().all(|regex| regex.is_match(&text))
            && !self.exclude.iter().any(|regex| regex.is_match(&text))
            && (self.fields.is_empty() || self.fields_pass(&text));
        let found =
            kept && self.finds() && (self.mark.is_empty() || self.mark.iter().any(|regex| regex.is_match(&text)));
        (kept, found)
    }

    fn fields_pass(&self, text: &str) -> bool {
        let fields = Fields::of(text);
        self.fields.iter().all(|test| {
            let level = test.name == "level";
            let value = match &fields {
                Some(fields) if level => Level::of_fields(fields).map(|level| Cow::Borrowed(level.as_str())),
                Some(fields) => fields.get(&test.name),
                None => None,
            };
            // Lines that tell their level otherwise have one too.
            let value = value.or_else(|| level.then(|| Level::of(text).map(|level| level.as_str().into())).flatten());
            test.compare.holds(value.as_deref())
        })
    }

    /// The parts of a text that are looked for, in order. `text` is free of colours.
    pub fn marks(&self, text: &str) -> Vec<Range<usize>> {
        const MOST: usize = 200;
        let all = self.include.iter().chain(&self.mark);
        let mut marks: Vec<Range<usize>> = all
            .flat_map(|regex| regex.find_iter(text).take(MOST))
            .map(|found| found.range())
            .filter(|range| !range.is_empty())
            .collect();
        marks.sort_by_key(|range| (range.start, range.end));
        marks
    }

    /// What is shown of a line instead of it, where fields were picked and it has one of them.
    pub fn picked(&self, text: &str) -> Option<String> {
        if self.pick.is_empty() {
            return None;
        }
        Fields::of(&plain(text))?.pick(&self.pick)
    }
}

impl Compare {
    fn holds(&self, value: Option<&str>) -> bool {
        match (self, value) {
            (Self::Unequal(_), None) => true,
            (_, None) => false,
            (Self::Equal(wanted), Some(value)) => same(wanted, value),
            (Self::Unequal(wanted), Some(value)) => !same(wanted, value),
            (Self::Matches(regex), Some(value)) => regex.is_match(value),
            (Self::Less { than, or_equal }, Some(value)) => {
                order(value, than).is_some_and(|order| order.is_lt() || *or_equal && order.is_eq())
            }
            (Self::More { than, or_equal }, Some(value)) => {
                order(value, than).is_some_and(|order| order.is_gt() || *or_equal && order.is_eq())
            }
        }
    }
}

/// Smart case; levels by what they mean.
fn same(wanted: &str, value: &str) -> bool {
    let level = || Level::of_word(wanted).is_some_and(|level| Level::of_word(value) == Some(level));
    wanted == value || !has_upper(wanted) && wanted.eq_ignore_ascii_case(value) || level()
}

/// Levels by how grave they are, all else as numbers; a unit behind the number is let be.
fn order(value: &str, than: &str) -> Option<std::cmp::Ordering> {
    if let (Some(one), Some(other)) = (Level::of_word(value), Level::of_word(than)) {
        return Some(one.cmp(&other));
    }
    number(value)?.partial_cmp(&number(than)?)
}

fn number(text: &str) -> Option<f64> {
    let end = text.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '-' | '+'))).unwrap_or(text.len());
    text.get(..end)?.parse().ok()
}

/// `.name`, followed by a comparison or by other names.
fn is_fields(term: &str) -> bool {
    term.strip_prefix('.').is_some_and(|rest| {
        let name = rest.split(|c: char| "=!~<>".contains(c) || c.is_whitespace()).next().unwrap_or_default();
        let is_name = |c: char| c.is_alphanumeric() || "_-.@/".contains(c);
        name.chars().any(char::is_alphanumeric) && name.chars().all(is_name)
    })
}

/// A comparison with a field; none where fields are named alone.
fn field_test(term: &str, at: usize) -> Result<Option<FieldTest>, Wrong> {
    let Some(operator) = term.find(|c: char| "=!~<>".contains(c)) else { return Ok(None) };
    let (name, rest) = term.split_at(operator);
    let name = name.trim_start_matches('.').trim_end().to_owned();
    let at = at + operator;
    let value = |length: usize| rest.get(length..).unwrap_or_default().trim().to_owned();
    let compare = if rest.starts_with("!=") {
        Compare::Unequal(value(2))
    } else if rest.starts_with("<=") || rest.starts_with(">=") {
        let than = value(2);
        if rest.starts_with('<') {
            Compare::Less { than, or_equal: true }
        } else {
            Compare::More { than, or_equal: true }
        }
    } else if rest.starts_with('<') {
        Compare::Less { than: value(1), or_equal: false }
    } else if rest.starts_with('>') {
        Compare::More { than: value(1), or_equal: false }
    } else if rest.starts_with('~') {
        match pattern(rest.get(1..).unwrap_or_default(), at + 1)? {
            Some(regex) => Compare::Matches(regex),
            None => return Ok(None),
        }
    } else if rest.starts_with('!') {
        return Err((at, "! is followed by = here: .field!=value".to_owned()));
    } else {
        Compare::Equal(value(1))
    };
    Ok(Some(FieldTest { name, compare }))
}

/// A regular expression; none where nothing was typed.
fn pattern(raw: &str, at: usize) -> Result<Option<Regex>, Wrong> {
    if raw.is_empty() {
        return Ok(None);
    }
    if let Err(error) = regex_syntax::Parser::new().parse(raw) {
        let (offset, why) = match &error {
            regex_syntax::Error::Parse(error) => (error.span().start.offset, error.kind().to_string()),
            regex_syntax::Error::Translate(error) => (error.span().start.offset, error.kind().to_string()),
            other => (0, other.to_string()),
        };
        return Err((at + offset, format!("not a regular expression: {why}")));
    }
    let built = RegexBuilder::new(raw)
        .case_insensitive(!has_upper(raw))
        .size_limit(REGEX_LIMIT)
        .dfa_size_limit(REGEX_LIMIT)
        .build();
    built.map(Some).map_err(|_| (at, "the regular expression is too large".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn kept(raw: &str, text: &str) -> bool {
        Query::parse(raw).unwrap().test(text).0
    }

    #[test]
    fn terms_are_read() {
        let json = r#"{"level":"warning","msg":"Slow upstream","ms":412,"k":{"pod":"x"}}"#;
        for (raw, text, wanted) in [
            ("", "anything", true),
            ("error", "an ERROR here", true),
            ("Error", "an ERROR here", false),
            (r"\Sok", "all ok", false),
            ("!healthz", "GET /healthz", false),
            ("GET & !healthz", "GET /", true),
            ("GET & !healthz", "GET /healthz", false),
            ("connection refused", "Connection refused", true),
            ("*error", "no match is shown too", true),
            ("red", "\u{1b}[31mre\u{1b}[0md", true),
            (".level=warn", json, true),
            (".level>=error", json, false),
            (".level>=info", json, true),
            (".level=error", "E1123 10:41:07.1 1 x.go:1] no", true),
            (".level=error", "2026-11-23 10:41:07 ERROR [main] no", true),
            (".ms>400", json, true),
            (".ms>=412", json, true),
            (".ms<400", json, false),
            (".took>400ms", "level=info took=412ms", true),
            (".k.pod=X", json, false),
            (".k.pod=x", json, true),
            (".msg~^slow", json, true),
            (".msg!=x", json, true),
            (".none!=x", json, true),
            (".none=x", json, false),
            (".msg .level", json, true),
            (".*x", "abcx", true),
            ("a &b", "a &b", true),
        ] {
            assert_eq!(kept(raw, text), wanted, "{raw} on {text}");
        }
        assert_eq!(Query::parse(".msg .ms").unwrap().picked(json).as_deref(), Some("Slow upstream  412"));
        assert_eq!(Query::parse(".msg").unwrap().picked("plain"), None);
    }

    #[test]
    fn what_is_wrong_is_told_where_it_is() {
        for (raw, at) in
            [("a(b", 1), ("ok & !a[", 7), ("[z-a]", 1), ("*", 0), (".msg~(", 5), ("x & a{2,1}", 5), (".a!b", 2)]
        {
            let wrong = Query::parse(raw).err().map(|(at, _)| at);
            assert_eq!(wrong, if raw == "*" { None } else { Some(at) }, "{raw}");
        }
        let large = Query::parse("(a{100}){100}{100}").unwrap_err();
        assert_eq!(large, (0, "the regular expression is too large".to_owned()));
    }

    #[test]
    fn what_is_found_is_what_is_marked_or_else_what_is_kept() {
        assert_eq!(Query::parse("*err").unwrap().test("no"), (true, false));
        assert_eq!(Query::parse("*err").unwrap().test("err"), (true, true));
        assert_eq!(Query::parse("err").unwrap().test("err"), (true, true));
        assert_eq!(Query::parse("a & *err").unwrap().test("a"), (true, false));
        assert_eq!(Query::parse("!a").unwrap().test("b"), (true, false));
        assert_eq!(Query::parse("b & *c").unwrap().marks("abcb"), [1..2, 2..3, 3..4]);
    }

    #[test]
    fn a_regex_that_would_be_catastrophic_elsewhere_is_not() {
        let query = Query::parse("(a*)*(a*)*b & (x+x+)+y & !(.*)*z$").unwrap();
        assert!(!query.test(&"ax".repeat(50_000)).0);
    }

    proptest! {
        #[test]
        fn whatever_is_typed_is_read_or_told_of(raw in "\\PC{0,40}", text in "\\PC{0,80}") {
            match Query::parse(&raw) {
                Ok(query) => {
                    let _ = (query.test(&text), query.marks(&text), query.picked(&text));
                }
                Err((at, _)) => prop_assert!(at <= raw.len() && raw.is_char_boundary(at)),
            }
        }
    }
}
