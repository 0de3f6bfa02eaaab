//! The fields of a line that is JSON or logfmt.

use std::borrow::Cow;

use serde_json::{Map, Value};

/// Fields looked at in a line.
const MOST: usize = 512;

/// A line's fields.
#[derive(Clone, Debug, PartialEq)]
pub enum Fields<'a> {
    /// Of one JSON object.
    Json(Map<String, Value>),
    /// Of `key=value key="a value"`.
    Logfmt(Vec<(&'a str, Cow<'a, str>)>),
}

impl<'a> Fields<'a> {
    /// The fields of a line, where it is JSON or logfmt. `text` is free of colours.
    pub fn of(text: &'a str) -> Option<Self> {
        let text = text.trim();
        if text.starts_with('{') { Self::json(text) } else { logfmt(text).map(Self::Logfmt) }
    }

    /// The fields of a line that is one JSON object.
    pub fn json(text: &str) -> Option<Self> {
        let text = text.trim();
        if !text.starts_with('{') || !text.ends_with('}') {
            return None;
        }
        // What is nested too deeply is refused by the library, and shown as it is.
        serde_json::from_str(text).ok().map(Self::Json)
    }

    /// The value of a field: by its name, else by its path (`kubernetes.pod`). Text without quotes, all else as JSON.
    pub fn get(&self, path: &str) -> Option<Cow<'_, str>> {
        match self {
            Self::Json(map) => {
                if let Some(value) = map.get(path) {
                    return Some(text(value));
                }
                let mut names = path.split('.');
                let mut value = map.get(names.next()?)?;
                for name in names {
                    value = match value {
                        Value::Object(map) => map.get(name)?,
                        Value::Array(values) => values.get(name.parse::<usize>().ok()?)?,
                        _ => return None,
                    };
                }
                Some(text(value))
            }
            Self::Logfmt(pairs) => {
                let found = pairs.iter().find(|(name, _)| *name == path);
                found.map(|(_, value)| Cow::Borrowed(&**value))
            }
        }
    }

    /// The values of some fields with two spaces between; `None` where it has none of them.
    pub fn pick(&self, names: &[String]) -> Option<String> {
        let mut out: Option<String> = None;
        for value in names.iter().filter_map(|name| self.get(name)) {
            match &mut out {
                Some(out) => {
                    out.push_str("  ");
                    out.push_str(&value);
                }
                None => out = Some(value.into_owned()),
            }
        }
        out
    }

    /// All of it to be read: a line a field, nested ones indented, what a text breaks into lines broken so.
    pub fn pretty(&self) -> Vec<String> {
        let mut out = Vec::new();
        match self {
            Self::Json(map) => object(map, 0, &mut out),
            Self::Logfmt(pairs) => {
                for (name, value) in pairs {
                    field(name, value, 0, &mut out);
                }
            }
        }
        out
    }
}

fn text(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => Cow::Borrowed(text),
        other => Cow::Owned(other.to_string()),
    }
}

/// Spaces that a nested field is indented by.
const INDENT: usize = 2;

fn object(map: &Map<String, Value>, depth: usize, out: &mut Vec<String>) {
    for (name, value) in map {
        nested(name, value, depth, out);
    }
}

fn nested(name: &str, value: &Value, depth: usize, out: &mut Vec<String>) {
    let lead = " ".repeat(depth * INDENT);
    match value {
        Value::Object(map) if !map.is_empty() => {
            out.push(format!("{lead}{name}:"));
            object(map, depth + 1, out);
        }
        Value::Array(values) if values.iter().any(|value| value.is_object() || value.is_array()) => {
            out.push(format!("{lead}{name}:"));
            for (at, value) in values.iter().enumerate() {
                nested(&at.to_string(), value, depth + 1, out);
            }
        }
        value => field(name, &text(value), depth, out),
    }
}

fn field(name: &str, value: &str, depth: usize, out: &mut Vec<String>) {
    let lead = " ".repeat(depth * INDENT);
    let mut lines = value.lines();
    let first = lines.next().unwrap_or_default();
    out.push(format!("{lead}{name}: {first}"));
    // A stack trace in a field is read as one.
    out.extend(lines.map(|line| format!("{lead}{}{line}", " ".repeat(INDENT))));
}

/// At least two `key=value`, the first of them first: one alone is as likely text.
fn logfmt(text: &str) -> Option<Vec<(&str, Cow<'_, str>)>> {
    let mut pairs = Vec::new();
    let mut rest = text;
    while !rest.is_empty() && pairs.len() < MOST {
        rest = rest.trim_start();
        let end = rest.find(|c: char| c == '=' || c == '"' || c.is_whitespace()).unwrap_or(rest.len());
        let (name, behind) = rest.split_at(end);
        let Some(value) = behind.strip_prefix('=').filter(|_| !name.is_empty()) else {
            if pairs.is_empty() {
                return None;
            }
            // A word without a value.
            let skip = behind.chars().next().map_or(0, char::len_utf8);
            rest = behind.get(skip..).unwrap_or_default();
            continue;
        };
        let (value, after) = if let Some(quoted) = value.strip_prefix('"') {
            quoted_value(quoted)
        } else {
            let (value, after) = value.split_at(value.find(char::is_whitespace).unwrap_or(value.len()));
            (Cow::Borrowed(value), after)
        };
        pairs.push((name, value));
        rest = after;
    }
    (pairs.len() >= 2).then_some(pairs)
}

/// What stands up to the closing quote, and what follows; one that is never closed goes to the end.
fn quoted_value(text: &str) -> (Cow<'_, str>, &str) {
    let mut escaped = false;
    let mut any = false;
    for (at, char) in text.char_indices() {
        match char {
            _ if escaped => escaped = false,
            '\\' => (escaped, any) = (true, true),
            '"' => {
                let (value, after) = text.split_at(at);
                let value = if any { Cow::Owned(unescape(value)) } else { Cow::Borrowed(value) };
                return (value, after.get(1..).unwrap_or_default());
            }
            _ => {}
        }
    }
    (Cow::Borrowed(text), "")
}

fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        out.push(match char {
            '\\' => match chars.next() {
                Some('n') => '\n',
                Some('t') => '\t',
                Some(other) => other,
                None => '\\',
            },
            other => other,
        });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn get(text: &str, path: &str) -> Option<String> {
        Fields::of(text)?.get(path).map(Cow::into_owned)
    }

    #[test]
    fn fields_are_found_by_name_and_path() {
        let json = r#"{"msg":"a \"b\"","n":3,"k":{"pod":"x","list":[1,{"z":true}]},"a.b":"dotted"}"#;
        for (path, value) in [
            ("msg", Some("a \"b\"")),
            ("n", Some("3")),
            ("k.pod", Some("x")),
            ("k.list.1.z", Some("true")),
            ("a.b", Some("dotted")),
            ("k.none", None),
            ("msg.x", None),
            ("", None),
        ] {
            assert_eq!(get(json, path).as_deref(), value, "{path}");
        }
        let line = r#"ts=1 level=warn msg="slow \"up\"stream" empty= flag took=412ms"#;
        for (path, value) in [
            ("level", Some("warn")),
            ("msg", Some("slow \"up\"stream")),
            ("empty", Some("")),
            ("took", Some("412ms")),
            ("flag", None),
        ] {
            assert_eq!(get(line, path).as_deref(), value, "{path}");
        }
        for text in ["a=1", "GET /?a=1&b=2 200", "plain", "{", "{not json}", ""] {
            assert_eq!(Fields::of(text), None, "{text}");
        }
    }

    #[test]
    fn picked_fields_stand_in_the_order_asked_for() {
        let fields = Fields::of(r#"{"error":"no","msg":"hm"}"#).unwrap();
        assert_eq!(fields.pick(&["msg".into(), "x".into(), "error".into()]).as_deref(), Some("hm  no"));
        assert_eq!(fields.pick(&["x".into()]), None);
    }

    #[test]
    fn pretty_breaks_what_is_nested_and_what_holds_lines() {
        let fields =
            Fields::of(r#"{"msg":"no","err":{"stack":"a\n  at b","code":7},"l":[1,2],"o":[{"x":1}]}"#).unwrap();
        let wanted = ["msg: no", "err:", "  stack: a", "      at b", "  code: 7", "l: [1,2]", "o:", "  0:", "    x: 1"];
        assert_eq!(fields.pretty(), wanted);
    }

    proptest! {
        #[test]
        fn no_line_is_too_much(text in r#"[{}\["=\\:, a-zé\]\n0-9]{0,200}"#) {
            if let Some(fields) = Fields::of(&text) {
                let _ = (fields.get("a"), fields.pretty(), fields.pick(&["b".into()]));
            }
        }

        #[test]
        fn logfmt_reads_back_what_was_written(values in proptest::collection::vec("[a-z \"\\\\=]{0,12}", 2..6)) {
            let line: Vec<String> = values.iter().enumerate().map(|(at, value)| {
                format!("k{at}=\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
            }).collect();
            let line = line.join(" ");
            let fields = Fields::of(&line).unwrap();
            for (at, value) in values.iter().enumerate() {
                prop_assert_eq!(fields.get(&format!("k{at}")).map(Cow::into_owned), Some(value.clone()));
            }
        }
    }
}
