//! YAML text ⇄ value. The only file that knows the YAML library (serde-saphyr: safe Rust, kept well, and what kube
//! itself reads kubeconfigs with).
//!
//! Written text means the same to every reader: strings that YAML 1.1 takes for something else (`yes`, `on`, `12:30`,
//! `012`) are quoted. Read text is refused where a bare scalar would come out as something else than it says: `012`
//! is 10 to YAML 1.1 and 12 to YAML 1.2, and a number beyond 64 bits loses digits.

use serde_json::Value;
use serde_yaml::granit_parser::{Event, Parser, ScalarStyle};

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
    check_scalars(text)?;
    serde_yaml::from_str(text).map_err(|error| refused(&error))
}

/// Every document of a text, in order, empty ones left out.
pub fn documents(text: &str) -> Result<Vec<Value>, Error> {
    check_scalars(text)?;
    let all: Vec<Value> = serde_yaml::from_multiple(text).map_err(|error| refused(&error))?;
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

/// Looks at every bare scalar for one that means something else to one reader or another.
fn check_scalars(text: &str) -> Result<(), Error> {
    for event in Parser::new_from_str(text) {
        // Not YAML: reading it says so, with better words.
        let Ok((event, span)) = event else { return Ok(()) };
        if let Event::Scalar(scalar, ScalarStyle::Plain, _, None) = event
            && let Some(message) = trap(&scalar)
        {
            return Err(Error::At { line: span.start.line() as u64, column: span.start.col() as u64 + 1, message });
        }
    }
    Ok(())
}

/// What is wrong with a bare number, if anything.
fn trap(scalar: &str) -> Option<String> {
    let digits = scalar.strip_prefix(['-', '+']).unwrap_or(scalar);
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
