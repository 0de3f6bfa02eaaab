//! YAML text ⇄ value. The only file that knows the YAML library (serde-saphyr: safe Rust, kept well, and what kube
//! itself reads kubeconfigs with).
//!
//! Written text means the same to every reader: strings that YAML 1.1 takes for something else (`yes`, `on`, `12:30`,
//! `012`) are quoted. Read text is refused where a bare scalar would come out as something else than it says: `012`
//! is 10 to YAML 1.1 and 12 to YAML 1.2, and a number with more digits than are kept loses some. So is a key that is there
//! twice: one of the two would be lost.

use std::collections::HashMap;

use serde_json::Value;
use serde_yaml::granit_parser::{Event, Parser, ScalarStyle};

/// Nodes of a text, at most: 5 MB of the shortest lines have one million. The library's own limit is below that.
const NODES: usize = 8_000_000;
/// How deep nodes may lie in each other: reading takes of the stack with each.
const DEPTH: usize = 60;

/// Text that is not YAML, or that would be changed by reading it; a value that YAML cannot write.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The text is refused; both counts begin at 1.
    #[error("line {line}, column {column}: {message}")]
    At {
        /// Line.
        line: u64,
        /// Column.
        column: u64,
        /// What is wrong, and what to write instead where that is known.
        message: String,
    },
    /// Something else; there is no place to name.
    #[error("{0}")]
    Other(String),
}

/// The value as a YAML document, ending in a line break.
pub fn to_string(value: &Value) -> Result<String, Error> {
    serde_yaml::to_string(value).map_err(|error| Error::Other(error.to_string()))
}

/// The only document of a text; `null` for an empty one.
pub fn from_str(text: &str) -> Result<Value, Error> {
    check(text)?;
    serde_yaml::from_str_with_options(text, options()).map_err(|error| refused(&error))
}

/// Every document of a text, in order, empty ones left out.
pub fn documents(text: &str) -> Result<Vec<Value>, Error> {
    check(text)?;
    let all: Vec<Value> = serde_yaml::from_multiple_with_options(text, options()).map_err(|error| refused(&error))?;
    Ok(all.into_iter().filter(|value| !value.is_null()).collect())
}

/// Every document of a text as [`documents`] has them, each with the line that it begins at, counted from 1.
pub fn documents_with_lines(text: &str) -> Result<Vec<(u64, Value)>, Error> {
    let documents = documents(text)?;
    let mut lines = Vec::new();
    let mut is_first = false;
    for event in Parser::new_from_str(text) {
        // It has been read as YAML above.
        let Ok((event, span)) = event else { break };
        match event {
            Event::DocumentStart(..) => is_first = true,
            Event::Scalar(scalar, ScalarStyle::Plain, ..) if is_first && is_null(&scalar) => is_first = false,
            Event::Scalar(..) | Event::SequenceStart(..) | Event::MappingStart(..) | Event::Alias(..) if is_first => {
                is_first = false;
                lines.push(span.start.line() as u64);
            }
            _ => {}
        }
    }
    // The first line of the text, should the two ever differ on what is a document.
    let lines = lines.into_iter().chain(std::iter::repeat(1));
    Ok(lines.zip(documents).collect())
}

fn is_null(scalar: &str) -> bool {
    matches!(scalar, "" | "~" | "null" | "Null" | "NULL")
}

fn refused(error: &serde_yaml::Error) -> Error {
    let message = error.without_snippet().to_string();
    match error.location() {
        Some(at) if at.line() > 0 => Error::At { line: at.line(), column: at.column(), message },
        _ => Error::Other(message),
    }
}

fn options() -> serde_yaml::Options {
    serde_yaml::options! {
        budget: serde_yaml::budget! { max_events: NODES * 2, max_nodes: NODES },
    }
}

/// A collection that a text is inside of.
enum Open {
    List,
    /// The keys so far, each with its line; whether what comes next is a key.
    Map(HashMap<String, usize>, bool),
}

/// Looks at every bare scalar for one that means something else to one reader or another, and for keys that are there
/// twice.
fn check(text: &str) -> Result<(), Error> {
    let mut open: Vec<Open> = Vec::new();
    for event in Parser::new_from_str(text) {
        // Not YAML: reading it says so, with better words.
        let Ok((event, span)) = event else { return Ok(()) };
        let refuse = |message: String| {
            Err(Error::At { line: span.start.line() as u64, column: span.start.col() as u64 + 1, message })
        };
        if open.len() > DEPTH {
            return refuse(format!("this lies more than {DEPTH} levels deep, which is not read"));
        }
        match event {
            Event::Scalar(scalar, style, _, tag) => {
                if style == ScalarStyle::Plain
                    && tag.is_none()
                    && let Some(message) = trap(&scalar)
                {
                    return refuse(message);
                }
                if let Some(Open::Map(keys, is_key)) = open.last_mut() {
                    // A merge key may be there more than once.
                    if *is_key && scalar != "<<" {
                        if let Some(first) = keys.get(&*scalar) {
                            let message = format!("{scalar} is there twice, first in line {first}: take one away");
                            return refuse(message);
                        }
                        keys.insert(scalar.into_owned(), span.start.line());
                    }
                    *is_key = !*is_key;
                }
            }
            Event::Alias(..) => passes(&mut open),
            Event::SequenceStart(..) => {
                passes(&mut open);
                open.push(Open::List);
            }
            Event::MappingStart(..) => {
                passes(&mut open);
                open.push(Open::Map(HashMap::new(), true));
            }
            Event::SequenceEnd | Event::MappingEnd => drop(open.pop()),
            _ => {}
        }
    }
    Ok(())
}

/// A key or a value goes by that is no scalar.
fn passes(open: &mut [Open]) {
    if let Some(Open::Map(_, is_key)) = open.last_mut() {
        *is_key = !*is_key;
    }
}

/// What is wrong with a bare number, if anything.
fn trap(scalar: &str) -> Option<String> {
    let digits = scalar.strip_prefix(['-', '+']).unwrap_or(scalar);
    if matches!(digits, ".inf" | ".Inf" | ".INF" | ".nan" | ".NaN" | ".NAN") {
        return Some(format!("{scalar} is no number that Kubernetes knows: write '{scalar}'"));
    }
    if let Some(message) = rounded(scalar, digits) {
        return Some(message);
    }
    let plain = digits.replace('_', "");
    if !digits.starts_with(|c: char| c.is_ascii_digit()) || !plain.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    if plain.len() < digits.len() {
        return Some(format!("{scalar} is a number to some and text to others: write '{scalar}' or {plain}"));
    }
    if plain.len() > 1 && plain.starts_with('0') {
        let number = plain.trim_start_matches('0');
        let number = if number.is_empty() { "0" } else { number };
        return Some(format!("{scalar} is octal to some and decimal to others: write '{scalar}' or {number}"));
    }
    if scalar.parse::<i64>().is_err() && scalar.parse::<u64>().is_err() {
        return Some(format!("{scalar} does not fit into 64 bits and would lose digits: write '{scalar}'"));
    }
    None
}

/// What is wrong with a number with a fraction or an exponent, or in another base, if anything: one that is not kept as
/// it is written.
fn rounded(scalar: &str, digits: &str) -> Option<String> {
    let based = [("0x", 16), ("0o", 8), ("0b", 2)];
    if let Some((rest, radix)) = based.iter().find_map(|(mark, radix)| Some((digits.strip_prefix(mark)?, *radix))) {
        let is_number = !rest.is_empty() && rest.chars().all(|char| char.is_digit(radix));
        let is_lost = is_number && u64::from_str_radix(rest, radix).is_err();
        return is_lost.then(|| format!("{scalar} does not fit into 64 bits and would lose digits: write '{scalar}'"));
    }
    if !digits.contains(['.', 'e', 'E']) {
        return None;
    }
    let written = decimal(digits)?;
    let kept = digits.parse::<f64>().ok().filter(|number| number.is_finite());
    match kept {
        Some(number) if decimal(&format!("{number:e}")) == Some(written) => None,
        Some(number) => {
            let sign = if scalar.starts_with('-') { "-" } else { "" };
            let message = format!("{scalar} has more digits than a number keeps: write '{scalar}' or {sign}{number}");
            Some(message)
        }
        None => Some(format!("{scalar} is more than a number can be: write '{scalar}'")),
    }
}

/// A decimal number without a sign, as its digits and the place of its point among them; `None`: it is none.
fn decimal(text: &str) -> Option<(String, i64)> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{whole}{fraction}");
    if all.is_empty() || !all.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let significant = all.trim_start_matches('0');
    let zeros = all.len() - significant.len();
    let significant = significant.trim_end_matches('0');
    if significant.is_empty() {
        return Some((String::new(), 0));
    }
    Some((significant.to_owned(), whole.len() as i64 - zeros as i64 + i64::from(exponent)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn text_that_looks_like_something_else_is_quoted() {
        for text in
            ["yes", "no", "on", "off", "y", "N", "~", "null", "true", "12:30", "012", "1_000", "0x1F", ".5", "1e3"]
        {
            let written = to_string(&json!({ "key": text })).unwrap();
            assert!(written.contains(['"', '\'']), "{written}");
            assert_eq!(from_str(&written).unwrap(), json!({ "key": text }));
        }
    }

    #[test]
    fn numbers_that_reading_would_change_are_refused() {
        for (text, line, column) in [
            ("a: 012", 1, 4),
            ("a:\n  - 1\n  - -007\n", 3, 5),
            ("a: 18446744073709551616", 1, 4),
            ("a: -9223372036854775809", 1, 4),
            ("{b: [1_000]}", 1, 6),
            ("a: 0.1234567890123456789", 1, 4),
            ("a: -3.14159265358979323846", 1, 4),
            ("a: 1e400", 1, 4),
            ("a: 1e-400", 1, 4),
            ("a: 9007199254740993.0", 1, 4),
            ("a: 0x1FFFFFFFFFFFFFFFF", 1, 4),
            ("a: .inf", 1, 4),
            ("a: [.NaN]", 1, 5),
            ("---\na: 1\n---\nb: 00\n", 4, 4),
        ] {
            for result in [from_str(text).map(|_| ()), documents(text).map(|_| ())] {
                match result {
                    Err(Error::At { line: l, column: c, .. }) => assert_eq!((l, c), (line, column), "{text}"),
                    other => panic!("{text}: {other:?}"),
                }
            }
        }
    }

    #[test]
    fn what_is_plain_is_read() {
        let text =
            "a: 0\nb: '012'\nc: 18446744073709551615\nd: 3.0.0\ne: 0.5\nf: |\n  012\ng: !!str 012\nh: 2026-01-01\n";
        assert_eq!(
            from_str(text).unwrap(),
            json!({"a": 0, "b": "012", "c": u64::MAX, "d": "3.0.0", "e": 0.5, "f": "012\n", "g": "012", "h": "2026-01-01"})
        );
        assert_eq!(from_str("").unwrap(), Value::Null);
        assert_eq!(documents("a: 1\n---\n---\nb: 2\n").unwrap(), [json!({"a": 1}), json!({"b": 2})]);
    }

    #[test]
    fn numbers_that_are_kept_are_read_however_they_are_written() {
        for text in ["0.1", "1.10", "-0.50", "1e3", "1E+3", "2.5e-3", "0.0", "123456789.125", "1.7976931348623157e308"]
        {
            let read = from_str(&format!("a: {text}")).unwrap();
            assert_eq!(read["a"].as_f64(), text.parse().ok(), "{text}");
        }
        for text in ["1.2.3", "1e", "e5", "10.0.0.1", "v1.5", "0x", "1.5Gi", ".", "2026.11.23"] {
            assert_eq!(from_str(&format!("a: {text}")).unwrap()["a"], json!(text));
        }
    }

    #[test]
    fn a_key_that_is_there_twice_is_named_with_both_places() {
        let twice = |text: &str| match from_str(text) {
            Err(Error::At { line, column, message }) => (line, column, message),
            other => panic!("{text}: {other:?}"),
        };
        let (line, column, message) = twice("a: 1\nb:\n  c: 1\n  d: 2\n  \"c\": 3\n");
        assert_eq!((line, column), (5, 3));
        assert_eq!(message, "c is there twice, first in line 3: take one away");
        for text in ["a: 1\na: 2\n", "- {a: 1, b: [x, {a: 2}], a: 3}", "a: {b: 1}\na: []\n", "x: &x 1\ny: *x\ny: 2\n"] {
            let (.., message) = twice(text);
            assert!(message.contains("is there twice") && !message.contains("Options"), "{message}");
        }
        // The same key elsewhere, or as a value, is none.
        assert!(from_str("a: {a: a}\nb:\n- a: 1\n- a: 2\nc: b\n").is_ok());
        assert!(documents("a: 1\n---\na: 1\n").is_ok());
    }

    #[test]
    fn five_megabytes_of_short_lines_are_read() {
        let mut text = String::from("data:\n");
        let mut lines = 1_usize;
        while text.len() < 5 * 1024 * 1024 {
            use std::fmt::Write as _;
            let _ = writeln!(text, "  k{lines}: v");
            lines += 1;
        }
        let read = from_str(&text).unwrap();
        assert_eq!(read["data"].as_object().map(serde_json::Map::len), Some(lines - 1));
    }

    #[test]
    fn what_lies_too_deep_is_refused_and_breaks_nothing() {
        let deep = |depth: usize| format!("a: {}1{}", "[".repeat(depth), "]".repeat(depth));
        assert!(from_str(&deep(DEPTH - 1)).is_ok());
        for depth in [DEPTH, 100_000] {
            assert!(from_str(&deep(depth)).is_err());
        }
        let Err(Error::At { message, .. }) = from_str(&deep(DEPTH)) else { panic!("taken") };
        assert!(message.contains("60 levels deep"), "{message}");
    }

    #[test]
    fn documents_know_their_lines() {
        let text = "# first\n\na: 1\n---\n# nothing\n---\nnull\n---\n- b\n--- {c: 1}\n---\n~\n";
        let found = documents_with_lines(text).unwrap();
        assert_eq!(found, [(3, json!({"a": 1})), (9, json!(["b"])), (10, json!({"c": 1}))]);
    }

    #[test]
    fn what_is_not_yaml_names_its_place() {
        let Err(Error::At { line, .. }) = from_str("a: 1\nb: [1\n") else { panic!("taken") };
        assert!(line >= 2);
        assert!(from_str("a: 1\na: 2\n").is_err(), "a key twice");
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
            "[-+0-9_.:eExXoabf~ #'\"|>%@`&*!?,{}\\[\\]\\n\\t]{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                proptest::collection::btree_map("[a-z0-9~:# ]{0,6}", inner, 0..6)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(value in values()) {
            let written = to_string(&value).unwrap();
            prop_assert_eq!(from_str(&written).unwrap(), value, "{}", written);
        }
    }
}
