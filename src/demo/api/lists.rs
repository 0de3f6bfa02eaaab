//! What tells the items of a list apart. Kubernetes' schemas say it for each list; the estate, which has no schemas, goes
//! by the lists' names.

use serde_json::{Map, Value};

/// For merging patches, by the list's field: the first key that an item has counts.
const MERGE_KEYS: [(&str, &[&str]); 13] = [
    ("containers", &["name"]),
    ("initContainers", &["name"]),
    ("ephemeralContainers", &["name"]),
    ("env", &["name"]),
    ("volumes", &["name"]),
    ("volumeMounts", &["mountPath"]),
    ("imagePullSecrets", &["name"]),
    ("secrets", &["name"]),
    ("conditions", &["type"]),
    ("addresses", &["type"]),
    ("ownerReferences", &["uid"]),
    ("ports", &["containerPort", "port"]),
    ("hostAliases", &["ip"]),
];
/// Lists of plain values that are sets.
const SETS: [&str; 1] = ["finalizers"];

/// The keys of a list's items for a strategic merge; a list without any is replaced whole.
pub(crate) fn merge_keys(list: &str) -> Option<&'static [&'static str]> {
    MERGE_KEYS.iter().find(|(name, _)| *name == list).map(|(_, keys)| *keys)
}

/// Whether a list is a set of plain values.
pub(crate) fn is_set(list: &str) -> bool {
    SETS.contains(&list)
}

/// The parts of a value as managed fields name them: `f:FIELD`, `k:{"KEY":VALUE}` for an item that a key tells apart,
/// `v:VALUE` for one of a set. `None` for what is of one piece: plain values, and lists whose items nothing tells apart.
/// `field` is the value's own name; of a custom resource's lists only those in metadata have keys.
pub(crate) fn parts<'a>(field: &str, value: &'a Value, custom: bool) -> Option<Vec<(String, &'a Value)>> {
    match value {
        Value::Object(fields) => Some(fields.iter().map(|(name, value)| (format!("f:{name}"), value)).collect()),
        Value::Array(items) => {
            if custom && !matches!(field, "ownerReferences" | "finalizers") {
                return None;
            }
            let mut named: Vec<(String, &Value)> = Vec::with_capacity(items.len());
            for item in items {
                let name = if is_set(field) { format!("v:{item}") } else { key(merge_keys(field)?, item)? };
                if named.iter().any(|(known, _)| *known == name) {
                    return None;
                }
                named.push((name, item));
            }
            Some(named)
        }
        _ => None,
    }
}

/// The name of an item. A port's protocol is part of it, and TCP where none is given.
fn key(keys: &[&str], item: &Value) -> Option<String> {
    let key = keys.iter().find(|key| item.get(**key).is_some_and(|value| !value.is_null()))?;
    let mut named = Map::from_iter([((*key).to_owned(), item[*key].clone())]);
    if key.ends_with("ort") {
        let protocol = item.get("protocol").and_then(Value::as_str).unwrap_or("TCP");
        named.insert("protocol".to_owned(), protocol.into());
    }
    Some(format!("k:{}", Value::Object(named)))
}
