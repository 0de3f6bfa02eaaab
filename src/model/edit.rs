//! An object edited as a whole: the draft, what it changes, and the write that makes the change.

use std::{collections::HashMap, fmt};

use serde_json::{Map, Value};

use super::{key::Text, resource::ResourceKey};

/// What a draft is to begin with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DraftRequest {
    /// The object.
    pub key: ResourceKey,
    /// Whether a Secret's content is part of it: only where a person has asked for that before.
    pub content: bool,
    /// What becomes of a draft that is there already.
    pub kept: Kept,
}

/// What becomes of a draft that is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// It is asked what is to become of it.
    Ask,
    /// It goes on, on the object as it is now.
    Reopen,
    /// It is thrown away.
    Discard,
}

/// How far an edit has come.
#[derive(Clone, Debug, PartialEq)]
pub enum EditNews {
    /// The draft is there, and can be opened.
    Drafted(ResourceKey),
    /// There is a draft already.
    Kept(ResourceKey),
    /// It may not be edited: what that needs.
    Barred(ResourceKey, Text),
    /// It cannot be edited: why.
    Failed(Text),
    /// The draft says what the object says: it has been thrown away.
    Unchanged(ResourceKey),
    /// The draft cannot be read.
    Broken(ResourceKey, Broken),
    /// The draft has been read, and the server is asked whether it would take it.
    Read(Box<Proposal>),
    /// The server would take it.
    Accepted,
    /// The server would not: its words.
    Refused(Text),
}

/// What is wrong with a draft.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// What is wrong.
    pub message: String,
    /// The line and the column, counted from 1, where they are known.
    pub place: Option<(u64, u64)>,
    /// The text of that line.
    pub line: String,
}

/// What a draft would change.
#[derive(Clone, Debug, PartialEq)]
pub struct Proposal {
    /// What is to be written.
    pub editing: Editing,
    /// What that changes, in order.
    pub changes: Vec<Change>,
}

/// The write of an edited object, with what it was made from.
#[derive(Clone, PartialEq)]
pub struct Editing {
    /// The object.
    pub key: ResourceKey,
    /// The object as it was when the draft was made; of one whose status is written apart, without that.
    pub base: Value,
    /// The merge patch (RFC 7386) from that to the draft.
    pub patch: Value,
}

impl fmt::Debug for Editing {
    /// Without the object: it may be a Secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Editing({})", self.key)
    }
}

/// One place that differs.
#[derive(Clone, PartialEq)]
pub struct Change {
    /// Where: `spec.template.spec.containers[hello].image`.
    pub path: String,
    /// What stands there, a line each; none: nothing.
    pub old: Vec<String>,
    /// What is to stand there.
    pub new: Vec<String>,
}

impl fmt::Debug for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Change({})", self.path)
    }
}

/// The merge patch that makes `new` of `old`; `None` where they are the same.
pub fn merge_patch(old: &Value, new: &Value) -> Option<Value> {
    if old == new {
        return None;
    }
    let (Value::Object(old), Value::Object(new)) = (old, new) else { return Some(new.clone()) };
    let mut patch = Map::new();
    for key in old.keys().filter(|key| !new.contains_key(*key)) {
        patch.insert(key.clone(), Value::Null);
    }
    for (key, value) in new {
        match old.get(key) {
            None => {
                patch.insert(key.clone(), value.clone());
            }
            Some(before) => {
                if let Some(change) = merge_patch(before, value) {
                    patch.insert(key.clone(), change);
                }
            }
        }
    }
    Some(Value::Object(patch))
}

/// What a merge patch makes of a value (RFC 7386).
pub fn apply_patch(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Some(target) = target.as_object_mut() else { return };
    for (key, value) in patch {
        if value.is_null() {
            target.remove(key);
        } else {
            apply_patch(target.entry(key.clone()).or_insert(Value::Null), value);
        }
    }
}

/// Where a change stands that a merge patch cannot say: something that is to become `null`.
pub fn unsayable(patch_of: (&Value, &Value)) -> Option<String> {
    fn nulls(old: Option<&Value>, new: &Value, path: &str) -> Option<String> {
        match new {
            Value::Null if old.is_none_or(|old| !old.is_null()) => Some(path.to_owned()),
            Value::Object(map) => {
                let old = old.and_then(Value::as_object);
                map.iter().find_map(|(key, value)| nulls(old.and_then(|old| old.get(key)), value, &join(path, key)))
            }
            // Lists are sent whole, as they are.
            _ => None,
        }
    }
    nulls(Some(patch_of.0), patch_of.1, "")
}

fn join(path: &str, key: &str) -> String {
    let plain = key.chars().all(|char| char.is_alphanumeric() || matches!(char, '-' | '_'));
    match (path.is_empty(), plain) {
        (true, true) => key.to_owned(),
        (false, true) => format!("{path}.{key}"),
        (_, false) => format!("{path}[\"{key}\"]"),
    }
}

/// Every place that differs, in the order of the new. What stands there is told as far as a screen could show it.
pub fn changes(old: &Value, new: &Value) -> Vec<Change> {
    let mut found = Vec::new();
    compare("", Some(old), Some(new), &mut found);
    found
}

fn compare(path: &str, old: Option<&Value>, new: Option<&Value>, found: &mut Vec<Change>) {
    match (old, new) {
        (Some(old), Some(new)) if old == new => {}
        (Some(Value::Object(old)), Some(Value::Object(new))) => {
            for (key, value) in new {
                compare(&join(path, key), old.get(key), Some(value), found);
            }
            for (key, value) in old.iter().filter(|(key, _)| !new.contains_key(*key)) {
                compare(&join(path, key), Some(value), None, found);
            }
        }
        (Some(Value::Array(old)), Some(Value::Array(new))) => lists(path, old, new, found),
        (Some(Value::String(old)), Some(Value::String(new))) if old.contains('\n') || new.contains('\n') => {
            let (old, new) = differing(&old.lines().collect::<Vec<_>>(), &new.lines().collect::<Vec<_>>());
            found.push(Change { path: path.to_owned(), old, new });
        }
        (old, new) => found.push(Change {
            path: path.to_owned(),
            old: old.map(told).into_iter().collect(),
            new: new.map(told).into_iter().collect(),
        }),
    }
}

/// Lists by the names of their items where each has one, else by place.
fn lists(path: &str, old: &[Value], new: &[Value], found: &mut Vec<Change>) {
    fn name(item: &Value) -> Option<&str> {
        item.get("name").and_then(Value::as_str)
    }
    let named = |items: &[Value]| {
        let names: std::collections::BTreeSet<&str> = items.iter().filter_map(name).collect();
        names.len() == items.len()
    };
    if named(old) && named(new) {
        // By name at once: there may be a hundred thousand of them.
        let by_name = |items| -> HashMap<&str, &Value> { named_items(items).collect() };
        fn named_items(items: &[Value]) -> impl Iterator<Item = (&str, &Value)> {
            items.iter().filter_map(|item| Some((name(item)?, item)))
        }
        let (before, after) = (by_name(old), by_name(new));
        for (name, item) in named_items(new) {
            compare(&format!("{path}[{name}]"), before.get(name).copied(), Some(item), found);
        }
        for (name, item) in named_items(old).filter(|(name, _)| !after.contains_key(name)) {
            compare(&format!("{path}[{name}]"), Some(item), None, found);
        }
        let kept_before: Vec<&str> = named_items(old).map(|it| it.0).filter(|it| after.contains_key(it)).collect();
        let kept_after: Vec<&str> = named_items(new).map(|it| it.0).filter(|it| before.contains_key(it)).collect();
        if kept_before != kept_after {
            let (old, new) = (vec![bounded(&kept_before.join(", "))], vec![bounded(&kept_after.join(", "))]);
            found.push(Change { path: format!("{path} (order)"), old, new });
        }
        return;
    }
    for at in 0..old.len().max(new.len()) {
        compare(&format!("{path}[{at}]"), old.get(at), new.get(at), found);
    }
}

/// The lines between what both begin and end with.
fn differing(old: &[&str], new: &[&str]) -> (Vec<String>, Vec<String>) {
    let same = |(a, b): &(&&str, &&str)| a == b;
    let head = old.iter().zip(new).take_while(same).count();
    let most = old.len().min(new.len()) - head;
    let tail = old.iter().rev().zip(new.iter().rev()).take_while(same).count().min(most);
    let between = |lines: &[&str]| {
        let lines = lines.get(head..lines.len() - tail).unwrap_or_default();
        lines.iter().map(|line| bounded(line)).collect::<Vec<_>>()
    };
    (between(old), between(new))
}

fn told(value: &Value) -> String {
    match value {
        Value::String(text) => bounded(text),
        other => bounded(&other.to_string()),
    }
}

/// Bytes of a line that are told; more is on no screen.
const TOLD: usize = 2048;

/// A line as it is told: the beginning of one that is very long.
fn bounded(line: &str) -> String {
    match line.get(..line.floor_char_boundary(TOLD)) {
        Some(head) if head.len() < line.len() => format!("{head}… ({} bytes in all)", line.len()),
        _ => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_hundred_thousand_named_items_are_compared_by_name() {
        let list = |swap: bool| {
            let mut items: Vec<Value> = (0..100_000).map(|at| json!({"name": format!("n{at}"), "value": at})).collect();
            if swap {
                items[70_000]["value"] = json!("x".repeat(1 << 20));
                items.swap(0, 1);
                items.pop();
            }
            json!({ "env": items })
        };
        let found = changes(&list(false), &list(true));
        let paths: Vec<&str> = found.iter().map(|change| change.path.as_str()).collect();
        assert_eq!(paths, ["env[n70000].value", "env[n99999]", "env (order)"]);
        assert!(found.iter().all(|change| change.new.iter().all(|line| line.len() < 3000)));
        assert!(found[0].new[0].ends_with("… (1048576 bytes in all)"));
    }

    #[test]
    fn a_patch_holds_what_changed_and_nothing_else() {
        let old = json!({"a": 1, "b": {"c": [1, 2], "d": "x"}, "e": true});
        let new = json!({"a": 1, "b": {"c": [1, 3], "f": "y"}, "e": true});
        let patch = merge_patch(&old, &new).unwrap();
        assert_eq!(patch, json!({"b": {"c": [1, 3], "d": null, "f": "y"}}));
        let mut applied = old.clone();
        apply_patch(&mut applied, &patch);
        assert_eq!(applied, new);
        assert_eq!(merge_patch(&old, &old), None);
    }

    #[test]
    fn what_is_to_become_null_cannot_be_said() {
        let old = json!({"a": {"b": 1, "c": null}, "l": [null]});
        assert_eq!(unsayable((&old, &old)), None);
        assert_eq!(unsayable((&old, &json!({"a": {"b": null}}))), Some("a.b".to_owned()));
        assert_eq!(unsayable((&old, &json!({"a": {"x.y/z": null}}))), Some("a[\"x.y/z\"]".to_owned()));
        assert_eq!(unsayable((&old, &json!({"l": [null, null]}))), None);
    }

    #[test]
    fn changes_are_told_by_place_old_and_new() {
        let old = json!({
            "replicas": 2, "gone": "x", "text": "a\nb\nc\n",
            "containers": [{"name": "hello", "image": "hello:1"}, {"name": "side"}],
        });
        let new = json!({
            "replicas": 3, "text": "a\nB\nc\n", "made": {"y": 1},
            "containers": [{"name": "side"}, {"name": "hello", "image": "hello:2"}],
        });
        let told: Vec<_> = changes(&old, &new)
            .into_iter()
            .map(|change| format!("{} {} -> {}", change.path, change.old.join("|"), change.new.join("|")))
            .collect();
        assert_eq!(
            told,
            [
                "replicas 2 -> 3",
                "text b -> B",
                "made  -> {\"y\":1}",
                "containers[hello].image hello:1 -> hello:2",
                "containers (order) hello, side -> side, hello",
                "gone x -> ",
            ]
        );
    }
}
