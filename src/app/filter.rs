//! What `/` takes: text with smart case, `!` not, `re:` a regular expression, `~` fuzzy, `column:` one column.

use nucleo_matcher::{
    Config, Matcher, Utf32Str,
    pattern::{CaseMatching, Normalization, Pattern},
};
use regex::{Regex, RegexBuilder};

/// Largest compiled regular expression, in bytes: what is typed must not eat the memory.
const REGEX_LIMIT: usize = 1 << 20;

/// A filter as typed, with what it means.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    raw: String,
    test: Option<Test>,
    error: Option<String>,
    wrong_at: Option<usize>,
}

impl PartialEq for Filter {
    /// The text says everything.
    fn eq(&self, other: &Self) -> bool {
        self.raw == other.raw
    }
}

#[derive(Clone, Debug)]
enum Test {
    Text { needle: String, fold: bool },
    Not(Box<Self>),
    Regex(Regex),
    Fuzzy(Pattern),
    Column { column: usize, test: Box<Self> },
}

/// What a row shows to a filter. Thousands of rows are asked: the text goes into a buffer that is used again.
pub trait Haystack {
    /// Adds the text of one column.
    fn column(&self, column: usize, out: &mut String);
    /// Adds the text of all columns, with spaces between.
    fn whole(&self, out: &mut String);
}

/// A row that is one text.
impl Haystack for str {
    fn column(&self, _column: usize, out: &mut String) {
        out.push_str(self);
    }

    fn whole(&self, out: &mut String) {
        out.push_str(self);
    }
}

impl Filter {
    /// Reads what was typed. `columns` are the names that `name:` may take, in order.
    pub fn parse(raw: &str, columns: &[&str]) -> Self {
        let (test, error) = match parse(raw.trim_start(), columns) {
            Ok(test) => (test, None),
            Err(error) => (None, Some(error)),
        };
        Self { raw: raw.to_owned(), test, error, wrong_at: None }
    }

    /// Text that is looked for elsewhere, whatever it looks like: it lets everything through.
    pub fn literal(raw: &str) -> Self {
        Self { raw: raw.to_owned(), test: None, error: None, wrong_at: None }
    }

    /// Text that is read elsewhere, and what is wrong with it: at which byte, and why.
    pub fn read_elsewhere(raw: &str, wrong: Option<(usize, String)>) -> Self {
        let (wrong_at, error) = wrong.map_or((None, None), |(at, error)| (Some(at), Some(error)));
        Self { raw: raw.to_owned(), test: None, error, wrong_at }
    }

    /// The text as typed.
    pub fn raw(&self) -> &str {
        &self.raw
    }

    /// Why it is not valid, if so. It then lets everything through.
    pub fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }

    /// At which byte it is wrong, where that is known.
    pub fn wrong_at(&self) -> Option<usize> {
        self.wrong_at
    }

    /// Whether it lets everything through.
    pub fn is_empty(&self) -> bool {
        self.test.is_none()
    }
}

/// Tests rows; holds what is used again from row to row.
#[derive(Debug)]
pub struct Tester<'a> {
    filter: &'a Filter,
    matcher: Option<Matcher>,
    chars: Vec<char>,
    text: String,
}

impl<'a> Tester<'a> {
    /// A tester of one filter.
    pub fn new(filter: &'a Filter) -> Self {
        Self { filter, matcher: None, chars: Vec::new(), text: String::new() }
    }

    /// Whether a row passes.
    pub fn passes<H: Haystack + ?Sized>(&mut self, row: &H) -> bool {
        let Some(test) = &self.filter.test else { return true };
        self.test(test, row, None)
    }

    fn test<H: Haystack + ?Sized>(&mut self, test: &Test, row: &H, column: Option<usize>) -> bool {
        match test {
            Test::Not(test) => return !self.test(test, row, column),
            Test::Column { column, test } => return self.test(test, row, Some(*column)),
            Test::Text { .. } | Test::Regex(_) | Test::Fuzzy(_) => {}
        }
        self.text.clear();
        match column {
            Some(column) => row.column(column, &mut self.text),
            None => row.whole(&mut self.text),
        }
        match test {
            Test::Text { needle, fold: false } => self.text.contains(needle),
            Test::Text { needle, .. } if self.text.is_ascii() => {
                self.text.make_ascii_lowercase();
                self.text.contains(needle)
            }
            Test::Text { needle, .. } => self.text.to_lowercase().contains(needle),
            Test::Regex(regex) => regex.is_match(&self.text),
            Test::Fuzzy(pattern) => {
                let matcher = self.matcher.get_or_insert_with(|| Matcher::new(Config::DEFAULT));
                pattern.score(Utf32Str::new(&self.text, &mut self.chars), matcher).is_some()
            }
            Test::Not(_) | Test::Column { .. } => true,
        }
    }
}

fn parse(raw: &str, columns: &[&str]) -> Result<Option<Test>, String> {
    if raw.is_empty() {
        return Ok(None);
    }
    if let Some(rest) = raw.strip_prefix('!') {
        return Ok(parse(rest, columns)?.map(|test| Test::Not(Box::new(test))));
    }
    if let Some(rest) = raw.strip_prefix('~') {
        let pattern = Pattern::parse(rest, CaseMatching::Smart, Normalization::Smart);
        return Ok((!rest.is_empty()).then_some(Test::Fuzzy(pattern)));
    }
    if let Some(rest) = raw.strip_prefix("re:") {
        if rest.is_empty() {
            return Ok(None);
        }
        let regex = RegexBuilder::new(rest).case_insensitive(!has_upper(rest)).size_limit(REGEX_LIMIT).build();
        return regex.map(|regex| Some(Test::Regex(regex))).map_err(|error| short(&error));
    }
    if let Some((name, rest)) = raw.split_once(':')
        && !name.is_empty()
        && name.chars().all(|char| char.is_ascii_alphanumeric() || char == '-')
    {
        let wanted = name.to_ascii_lowercase();
        let known = |exact: bool| {
            columns.iter().position(|column| {
                let column = column.to_ascii_lowercase();
                if exact { column == wanted } else { column.starts_with(&wanted) }
            })
        };
        // `helm-hello:80` is text where no column is called so; a single word before the colon is taken for a column.
        return match known(true).or_else(|| known(false)) {
            Some(column) => Ok(parse(rest, &[])?.map(|test| Test::Column { column, test: Box::new(test) })),
            None if columns.is_empty() || name.contains('-') => Ok(Some(text(raw))),
            None => Err(format!("no column \"{name}\" here; there are {}", columns.join(", ").to_lowercase())),
        };
    }
    Ok(Some(text(raw)))
}

/// Smart case: a capital letter makes it matter.
fn text(raw: &str) -> Test {
    let fold = !has_upper(raw);
    Test::Text { needle: if fold { raw.to_lowercase() } else { raw.to_owned() }, fold }
}

/// Whether a capital is meant: not those of a regular expression's classes (`\S`).
pub(super) fn has_upper(raw: &str) -> bool {
    let mut escaped = false;
    raw.chars().any(|char| {
        let counts = !escaped && char.is_uppercase();
        escaped = !escaped && char == '\\';
        counts
    })
}

/// A regular expression's error in one line.
fn short(error: &regex::Error) -> String {
    match error {
        regex::Error::Syntax(text) => {
            let last = text.lines().last().unwrap_or_default();
            format!("not a regular expression: {}", last.trim_start_matches("error: "))
        }
        regex::Error::CompiledTooBig(_) => "the regular expression is too large".to_owned(),
        other => format!("not a regular expression: {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Row(&'static [&'static str]);

    impl Haystack for Row {
        fn column(&self, column: usize, out: &mut String) {
            out.push_str(self.0[column]);
        }
        fn whole(&self, out: &mut String) {
            out.push_str(&self.0.join(" "));
        }
    }

    const COLUMNS: &[&str] = &["CLUSTER", "NAME", "STATUS"];
    const ROW: Row = Row(&["foo", "Hello-7d9c", "Running"]);

    fn passes(raw: &str) -> bool {
        let filter = Filter::parse(raw, COLUMNS);
        assert_eq!(filter.error(), None, "{raw}");
        Tester::new(&filter).passes(&ROW)
    }

    #[test]
    fn every_form() {
        for (raw, wanted) in [
            ("", true),
            ("hello", true),
            ("Hello", true),
            ("HELLO", false),
            ("!hello", false),
            ("!", true),
            ("re:^foo h", true),
            (r"re:\Soo$", false),
            ("~hl7c", true),
            ("~zz", false),
            ("cluster:foo", true),
            ("clu:foo", true),
            ("name:foo", false),
            ("!name:foo", true),
            ("name:!foo", true),
            ("status:re:^run", true),
            ("helm-hello:80", false),
        ] {
            assert_eq!(passes(raw), wanted, "{raw}");
        }
    }

    #[test]
    fn what_is_not_valid_is_said_and_hides_nothing() {
        for (raw, words) in [("re:(", "not a regular expression: unclosed group"), ("nme:x", "no column \"nme\" here")]
        {
            let filter = Filter::parse(raw, COLUMNS);
            assert!(filter.error().is_some_and(|error| error.starts_with(words)), "{:?}", filter.error());
            assert!(Tester::new(&filter).passes(&ROW));
        }
    }
}
