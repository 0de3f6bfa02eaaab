//! The three kinds of patch: JSON merge (RFC 7386), JSON patch (RFC 6902), and Kubernetes' strategic merge.

use serde_json::{Map, Value};

use super::lists;

/// Applies a JSON merge patch: objects merge, null removes, all else replaces.
pub(crate) fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(target) = target else { return };
    for (key, value) in patch {
        if value.is_null() {
            target.shift_remove(key);
        } else {
            merge(target.entry(key.clone()).or_insert(Value::Null), value);
        }
    }
}

/// How much a JSON patch may copy: a few operations could else double an object until memory is full.
const COPIES: usize = 3 * 1024 * 1024;
/// How many operations it may have, as for the real server.
pub(crate) const OPERATIONS: usize = 10_000;

/// Applies a JSON patch, or says which operation cannot be applied.
pub(crate) fn json_patch(target: &mut Value, operations: &Value) -> Result<(), String> {
    let operations = operations.as_array().ok_or("a JSON patch is an array of operations")?;
    let mut size = 0;
    for operation in operations {
        let text = |key: &str| operation[key].as_str().ok_or_else(|| format!("operation without {key}: {operation}"));
        let (op, path) = (text("op")?, text("path")?);
        let value = || operation.get("value").cloned().ok_or_else(|| format!("operation without value: {operation}"));
        let missing =
            |path: &str| format!("{op} operation does not apply: doc is missing path: \"{path}\": missing value");
        match op {
            "add" => add(target, path, value()?).ok_or_else(|| missing(path))?,
            "remove" => drop(remove(target, path).ok_or_else(|| missing(path))?),
            "replace" => *target.pointer_mut(path).ok_or_else(|| missing(path))? = value()?,
            "test" => {
                if target.pointer(path) != Some(&value()?) {
                    return Err(format!("testing value {path} failed: test failed"));
                }
            }
            "move" => {
                let from = text("from")?;
                let moved = remove(target, from).ok_or_else(|| missing(from))?;
                add(target, path, moved).ok_or_else(|| missing(path))?;
            }
            "copy" => {
                let from = text("from")?;
                let copied = target.pointer(from).cloned().ok_or_else(|| missing(from))?;
                size += copied.to_string().len();
                if size > COPIES {
                    return Err(format!(
                        "Unable to complete the copy, the accumulated size increase of copy is {size}, exceeding the limit \
                         {COPIES}"
                    ));
                }
                add(target, path, copied).ok_or_else(|| missing(path))?;
            }
            _ => return Err(format!("unexpected kind: {op}")),
        }
    }
    Ok(())
}

fn parent<'a>(target: &'a mut Value, path: &str) -> Option<(&'a mut Value, String)> {
    let (parent, last) = path.rsplit_once('/')?;
    Some((target.pointer_mut(parent)?, last.replace("~1", "/").replace("~0", "~")))
}

fn add(target: &mut Value, path: &str, value: Value) -> Option<()> {
    if path.is_empty() {
        *target = value;
        return Some(());
    }
    match parent(target, path)? {
        (Value::Object(object), key) => drop(object.insert(key, value)),
        (Value::Array(items), key) if key == "-" => items.push(value),
        (Value::Array(items), key) => {
            let at = key.parse().ok().filter(|at| *at <= items.len())?;
            items.insert(at, value);
        }
        _ => return None,
    }
    Some(())
}

fn remove(target: &mut Value, path: &str) -> Option<Value> {
    match parent(target, path)? {
        (Value::Object(object), key) => object.shift_remove(&key),
        (Value::Array(items), key) => {
            let at = key.parse().ok().filter(|at| *at < items.len())?;
            Some(items.remove(at))
        }
        _ => None,
    }
}

/// Applies a strategic merge patch, as far as the lists in the built-in kinds need it.
pub(crate) fn strategic(target: &mut Value, patch: &Value) {
    let Value::Object(fields) = patch else {
        *target = patch.clone();
        return;
    };
    if fields.get("$patch").and_then(Value::as_str) == Some("replace") {
        let mut whole = fields.clone();
        whole.shift_remove("$patch");
        *target = Value::Object(whole);
        return;
    }
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(target) = target else { return };
    for (key, value) in fields {
        if let Some(list) = key.strip_prefix("$deleteFromPrimitiveList/") {
            if let (Some(items), Some(gone)) = (target.get_mut(list).and_then(Value::as_array_mut), value.as_array()) {
                items.retain(|item| !gone.contains(item));
            }
        } else if key.starts_with('$') {
            // The order of a list matters to no reader here.
        } else if value.is_null() {
            target.shift_remove(key);
        } else {
            let current = target.entry(key.clone()).or_insert(Value::Null);
            match (lists::merge_keys(key), value) {
                (Some(keys), Value::Array(items)) => merge_list(current, items, keys),
                _ if lists::is_set(key) && value.is_array() => union(current, value),
                _ => strategic(current, value),
            }
        }
    }
}

fn merge_list(target: &mut Value, patch: &[Value], keys: &[&str]) {
    if !target.is_array() || patch.iter().any(|item| item["$patch"] == "replace") {
        *target = Value::Array(Vec::new());
    }
    let Value::Array(target) = target else { return };
    for item in patch.iter().filter(|item| item["$patch"] != "replace") {
        let key = keys.iter().find(|key| item.get(**key).is_some());
        let at = key.and_then(|key| target.iter().position(|known| known.get(*key) == item.get(*key)));
        match (at, item["$patch"] == "delete") {
            (Some(at), true) => drop(target.remove(at)),
            (Some(at), false) => strategic(&mut target[at], item),
            (None, true) => {}
            (None, false) => {
                let mut new = Value::Null;
                strategic(&mut new, item);
                target.push(new);
            }
        }
    }
}

fn union(target: &mut Value, patch: &Value) {
    if !target.is_array() {
        *target = Value::Array(Vec::new());
    }
    if let (Value::Array(target), Value::Array(patch)) = (target, patch) {
        for item in patch {
            if !target.contains(item) {
                target.push(item.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_merge_patch_merges_removes_and_replaces() {
        let mut value = json!({ "a": { "b": 1, "c": 2 }, "list": [1, 2] });
        merge(&mut value, &json!({ "a": { "b": null, "d": { "e": null, "f": 1 } }, "list": [3] }));
        assert_eq!(value, json!({ "a": { "c": 2, "d": { "f": 1 } }, "list": [3] }));
    }

    #[test]
    fn a_json_patch_does_each_of_its_operations_or_nothing_it_cannot() {
        let mut value = json!({ "a/b": 1, "list": [1, 3], "x": { "y": 1 } });
        let patch = json!([
            { "op": "test", "path": "/a~1b", "value": 1 },
            { "op": "add", "path": "/list/1", "value": 2 },
            { "op": "add", "path": "/list/-", "value": 4 },
            { "op": "replace", "path": "/x/y", "value": 5 },
            { "op": "copy", "from": "/x/y", "path": "/z" },
            { "op": "move", "from": "/x", "path": "/w" },
            { "op": "remove", "path": "/a~1b" },
        ]);
        json_patch(&mut value, &patch).unwrap();
        assert_eq!(value, json!({ "list": [1, 2, 3, 4], "z": 5, "w": { "y": 5 } }));
        for bad in [
            json!([{ "op": "remove", "path": "/nothing" }]),
            json!([{ "op": "add", "path": "/list/9", "value": 1 }]),
            json!([{ "op": "test", "path": "/z", "value": 1 }]),
            json!([{ "op": "dance", "path": "/z" }]),
            json!([{ "path": "/z" }]),
            json!({}),
        ] {
            assert!(json_patch(&mut value, &bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn copies_cannot_fill_the_memory() {
        let mut value = json!({ "a": "x".repeat(1000) });
        let again = json!({ "op": "copy", "from": "", "path": "/b" });
        let patch = Value::Array(vec![again; 200]);
        assert!(json_patch(&mut value, &patch).unwrap_err().contains("exceeding the limit"));
    }

    #[test]
    fn a_strategic_patch_tells_list_items_apart() {
        let mut value = json!({ "spec": { "containers": [
            { "name": "a", "image": "one", "env": [{ "name": "X", "value": "1" }, { "name": "Y", "value": "2" }] },
            { "name": "b", "image": "two" },
        ], "args": ["1"] } });
        let patch = json!({ "spec": { "containers": [
            { "name": "a", "image": "three", "env": [{ "name": "X", "$patch": "delete" }, { "name": "Z", "value": "3" }] },
            { "name": "b", "$patch": "delete" },
        ], "args": ["2"], "$setElementOrder/containers": [] } });
        strategic(&mut value, &patch);
        let expected = json!({ "spec": { "containers": [
            { "name": "a", "image": "three", "env": [{ "name": "Y", "value": "2" }, { "name": "Z", "value": "3" }] },
        ], "args": ["2"] } });
        assert_eq!(value, expected);
    }
}
