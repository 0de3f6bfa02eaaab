//! Any value as lines: what a kind without rules of its own has in its spec and status.

use serde_json::Value;

use super::{Section, Word, cut, pair};

/// Lines of one section at most: the rest is in the YAML.
const MOST: usize = 80;
/// How deep it is gone into; below, a value stands on one line.
const DEEPEST: usize = 5;

/// The fields of a part of an object, a line each, by their paths; some left out that are told elsewhere.
pub(super) fn section(title: &str, part: Option<&Value>, left_out: &[&str]) -> Section {
    let mut lines = Vec::new();
    for (key, value) in part.and_then(Value::as_object).into_iter().flatten() {
        if !left_out.contains(&key.as_str()) {
            walk(key, value, 1, &mut lines);
        }
    }
    if lines.len() > MOST {
        let more = lines.len() - MOST;
        lines.truncate(MOST);
        lines.push(vec![Word::Name(format!("and {more} more fields: y shows them"))]);
    }
    Section { title: title.to_owned(), lines }
}

fn walk(path: &str, value: &Value, depth: usize, lines: &mut Vec<Vec<Word>>) {
    match value {
        Value::Object(map) if !map.is_empty() && depth < DEEPEST => {
            for (key, value) in map {
                walk(&format!("{path}.{key}"), value, depth + 1, lines);
            }
        }
        Value::Array(items) if items.iter().any(|item| item.is_object() || item.is_array()) && depth < DEEPEST => {
            for (at, item) in items.iter().enumerate() {
                let name = item.get("name").and_then(Value::as_str).map_or_else(|| at.to_string(), str::to_owned);
                walk(&format!("{path}[{name}]"), item, depth + 1, lines);
            }
        }
        Value::Array(items) => {
            let all: Vec<String> = items.iter().map(plain).collect();
            lines.push(pair(&cut(path), Word::Value(cut(&all.join(", ")))));
        }
        other => lines.push(pair(&cut(path), Word::Value(cut(&plain(other))))),
    }
}

/// A value on one line.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "-".to_owned(),
        other => other.to_string(),
    }
}
