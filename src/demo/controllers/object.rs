//! Reading and writing Kubernetes objects as plain JSON values.
//!
//! The controllers keep objects as [`serde_json::Value`]: they touch few fields of many kinds, and what they
//! do not know must survive a round trip.

use serde_json::{Map, Value, json};

/// A Kubernetes object as it came over the wire.
pub(super) type Object = Value;

/// The string at a JSON pointer, or `""`.
pub(super) fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The whole number at a JSON pointer, or 0.
pub(super) fn number(object: &Value, pointer: &str) -> i64 {
    object.pointer(pointer).and_then(Value::as_i64).unwrap_or_default()
}

/// The boolean at a JSON pointer, or `false`.
pub(super) fn flag(object: &Value, pointer: &str) -> bool {
    object.pointer(pointer).and_then(Value::as_bool).unwrap_or_default()
}

/// The array at a JSON pointer, or an empty one.
pub(super) fn list<'a>(object: &'a Value, pointer: &str) -> &'a [Value] {
    object.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// `metadata.name`.
pub(super) fn name(object: &Value) -> &str {
    text(object, "/metadata/name")
}

/// `metadata.namespace`, empty for what belongs to a cluster.
pub(super) fn namespace(object: &Value) -> &str {
    text(object, "/metadata/namespace")
}

/// `metadata.uid`.
pub(super) fn uid(object: &Value) -> &str {
    text(object, "/metadata/uid")
}

/// `metadata.resourceVersion` as a number, 0 where it is none: newer objects have greater ones.
pub(super) fn version(object: &Value) -> u64 {
    text(object, "/metadata/resourceVersion").parse().unwrap_or_default()
}

/// Whether the object is being deleted.
pub(super) fn deleting(object: &Value) -> bool {
    object.pointer("/metadata/deletionTimestamp").is_some_and(|at| !at.is_null())
}

/// A label's value.
pub(super) fn label<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object.pointer("/metadata/labels").and_then(|labels| labels.get(key)).and_then(Value::as_str)
}

/// An annotation's value.
pub(super) fn annotation<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object.pointer("/metadata/annotations").and_then(|annotations| annotations.get(key)).and_then(Value::as_str)
}

/// The owner reference that names this object's controller.
pub(super) fn controller(object: &Value) -> Option<&Value> {
    list(object, "/metadata/ownerReferences").iter().find(|owner| flag(owner, "/controller"))
}

/// Whether `owner` controls `object`.
pub(super) fn owned_by(object: &Value, owner: &Value) -> bool {
    controller(object).is_some_and(|reference| text(reference, "/uid") == uid(owner))
}

/// The owner reference by which `owner` controls what it makes.
pub(super) fn owner_reference(owner: &Value) -> Value {
    json!({
        "apiVersion": text(owner, "/apiVersion"),
        "kind": text(owner, "/kind"),
        "name": name(owner),
        "uid": uid(owner),
        "controller": true,
        "blockOwnerDeletion": true,
    })
}

/// Whether every pair of `selector` is among `labels`. An empty selector matches nothing, as a Service's does.
pub(super) fn matches(selector: Option<&Value>, labels: Option<&Value>) -> bool {
    let (Some(Value::Object(selector)), Some(labels)) = (selector, labels) else {
        return false;
    };
    !selector.is_empty() && selector.iter().all(|(key, value)| labels.get(key) == Some(value))
}

/// The time now as Kubernetes writes it: RFC 3339, UTC, whole seconds.
pub(super) fn now() -> String {
    stamp(jiff::Timestamp::now())
}

/// A time as Kubernetes writes it.
pub(super) fn stamp(at: jiff::Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Puts `value` at a path of keys, making the objects on the way.
pub(super) fn set(object: &mut Value, path: &[&str], value: Value) {
    let mut at = object;
    for key in path {
        if !at.is_object() {
            *at = Value::Object(Map::new());
        }
        at = &mut at[*key];
    }
    *at = value;
}

/// Takes the value at a path of keys away.
pub(super) fn unset(object: &mut Value, path: &[&str]) {
    let Some((last, parents)) = path.split_last() else {
        return;
    };
    let mut at = object;
    for key in parents {
        match at.get_mut(*key) {
            Some(next) => at = next,
            None => return,
        }
    }
    if let Some(map) = at.as_object_mut() {
        map.shift_remove(*last);
    }
}

/// Adds a string to `metadata.finalizers` unless it is there.
pub(super) fn add_finalizer(object: &mut Value, finalizer: &str) {
    let mut all: Vec<Value> = list(object, "/metadata/finalizers").to_vec();
    if !all.iter().any(|one| one == finalizer) {
        all.push(json!(finalizer));
        set(object, &["metadata", "finalizers"], Value::Array(all));
    }
}

/// Whether `metadata.finalizers` holds a string.
pub(super) fn has_finalizer(object: &Value, finalizer: &str) -> bool {
    list(object, "/metadata/finalizers").iter().any(|one| one == finalizer)
}

/// Takes a string out of `metadata.finalizers`.
pub(super) fn remove_finalizer(object: &mut Value, finalizer: &str) {
    let left: Vec<Value> =
        list(object, "/metadata/finalizers").iter().filter(|one| *one != finalizer).cloned().collect();
    if left.is_empty() {
        unset(object, &["metadata", "finalizers"]);
    } else {
        set(object, &["metadata", "finalizers"], Value::Array(left));
    }
}

/// The condition of a type, if the status has it.
pub(super) fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    list(object, "/status/conditions").iter().find(|condition| text(condition, "/type") == kind)
}

/// Whether a condition stands at `True`.
pub(super) fn is_true(object: &Value, kind: &str) -> bool {
    condition(object, kind).is_some_and(|condition| text(condition, "/status") == "True")
}

/// Puts a condition among others: its `lastTransitionTime` moves only when its status does.
pub(super) fn put_condition(conditions: &mut Vec<Value>, mut new: Value) {
    let old = conditions.iter_mut().find(|old| text(old, "/type") == text(&new, "/type"));
    if let Some(old) = old {
        let same = text(old, "/status") == text(&new, "/status");
        if same && old.get("lastTransitionTime").is_some() {
            new["lastTransitionTime"] = old["lastTransitionTime"].clone();
        }
        *old = new;
    } else {
        conditions.push(new);
    }
}

/// Whether `live` has everything that `wanted` says; it may have more.
pub(super) fn covers(live: &Value, wanted: &Value) -> bool {
    match (live, wanted) {
        (Value::Object(live), Value::Object(wanted)) => {
            wanted.iter().all(|(key, value)| live.get(key).is_some_and(|live| covers(live, value)))
        }
        (Value::Array(live), Value::Array(wanted)) => {
            live.len() == wanted.len() && live.iter().zip(wanted).all(|(live, wanted)| covers(live, wanted))
        }
        _ => live == wanted,
    }
}

/// Lays `wanted` over `live`: maps go together, and so do lists of one length; everything else is replaced.
pub(super) fn overlay(live: &mut Value, wanted: &Value) {
    match (live, wanted) {
        (Value::Object(live), Value::Object(wanted)) => {
            for (key, value) in wanted {
                overlay(live.entry(key.as_str()).or_insert(Value::Null), value);
            }
        }
        (Value::Array(live), Value::Array(wanted)) if live.len() == wanted.len() => {
            for (live, wanted) in live.iter_mut().zip(wanted) {
                overlay(live, wanted);
            }
        }
        (live, wanted) => *live = wanted.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selector_asks_for_all_its_pairs_and_an_empty_one_for_nothing() {
        let labels = json!({"app": "web", "tier": "front"});
        assert!(matches(Some(&json!({"app": "web"})), Some(&labels)));
        assert!(!matches(Some(&json!({"app": "web", "tier": "back"})), Some(&labels)));
        assert!(!matches(Some(&json!({})), Some(&labels)));
        assert!(!matches(None, Some(&labels)));
    }

    #[test]
    fn a_condition_keeps_its_time_while_its_status_stays() {
        let mut all = vec![json!({"type": "Ready", "status": "False", "lastTransitionTime": "then"})];
        put_condition(
            &mut all,
            json!({"type": "Ready", "status": "False", "lastTransitionTime": "now", "message": "m"}),
        );
        assert_eq!(all[0]["lastTransitionTime"], "then");
        put_condition(&mut all, json!({"type": "Ready", "status": "True", "lastTransitionTime": "now"}));
        assert_eq!(all[0]["lastTransitionTime"], "now");
    }

    #[test]
    fn what_is_laid_over_is_covered_and_the_rest_stays() {
        let mut live = json!({"a": {"b": 1, "c": 2}, "l": [1, 2], "x": true});
        let wanted = json!({"a": {"b": 3}, "l": [1]});
        assert!(!covers(&live, &wanted));
        overlay(&mut live, &wanted);
        assert!(covers(&live, &wanted));
        assert_eq!(live, json!({"a": {"b": 3, "c": 2}, "l": [1], "x": true}));
    }

    #[test]
    fn setting_makes_the_way_and_unsetting_needs_none() {
        let mut object = json!({"a": 1});
        set(&mut object, &["b", "c"], json!(2));
        unset(&mut object, &["x", "y"]);
        unset(&mut object, &["a"]);
        assert_eq!(object, json!({"b": {"c": 2}}));
    }
}
