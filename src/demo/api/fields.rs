//! `metadata.managedFields`: who last wrote which field, and when.

use serde_json::{Map, Value, json};

use super::lists;
use crate::demo::kinds::Kind;

/// Who writes, and through which subresource.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Writer<'a> {
    pub(crate) manager: &'a str,
    /// `Update`, or `Apply` for a server-side apply.
    pub(crate) operation: &'a str,
    pub(crate) kind: &'static Kind,
    /// Empty for the object itself.
    pub(crate) subresource: &'a str,
    pub(crate) time: &'a str,
}

/// What the server sets itself, so that nobody owns it.
const NOBODYS: [&str; 9] = [
    "name",
    "generateName",
    "namespace",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "managedFields",
    "deletionTimestamp",
];

/// The entries after `writer` made `new` out of `old` (null for a creation).
pub(crate) fn record(old: &Value, new: &Value, writer: &Writer<'_>) -> Value {
    let mut entries = old["metadata"]["managedFields"].as_array().cloned().unwrap_or_default();
    let custom = writer.kind.custom;
    let whole = content(new);
    let changed = difference("", Some(&content(old)), &whole, custom);
    for entry in &mut entries {
        let mine = is_of(entry, writer);
        if let Value::Object(fields) = &mut entry["fieldsV1"] {
            keep("", fields, &whole, custom);
            if let (false, Some(Value::Object(changed))) = (mine, &changed) {
                subtract(fields, changed);
            }
        }
    }
    if let Some(changed) = changed {
        let at = entries.iter().position(|entry| is_of(entry, writer));
        let mut fields = at.map_or(json!({}), |at| entries.remove(at)["fieldsV1"].take());
        unite(&mut fields, changed);
        entries.push(entry(writer, &fields));
    }
    entries.retain(|entry| entry["fieldsV1"].as_object().is_some_and(|fields| !fields.is_empty()));
    Value::Array(entries)
}

/// One entry of `managedFields`.
pub(crate) fn entry(writer: &Writer<'_>, fields: &Value) -> Value {
    let mut entry = json!({
        "manager": writer.manager, "operation": writer.operation, "apiVersion": writer.kind.api_version(),
        "time": writer.time, "fieldsType": "FieldsV1", "fieldsV1": fields,
    });
    if !writer.subresource.is_empty() {
        entry["subresource"] = writer.subresource.into();
    }
    entry
}

/// Whether an entry is the writer's own.
pub(crate) fn is_of(entry: &Value, writer: &Writer<'_>) -> bool {
    entry["manager"] == writer.manager
        && entry["operation"] == writer.operation
        && entry["apiVersion"] == writer.kind.api_version()
        && entry["subresource"].as_str().unwrap_or_default() == writer.subresource
}

/// What of an object can be owned.
pub(crate) fn content(object: &Value) -> Value {
    let mut content = object.as_object().cloned().unwrap_or_default();
    content.shift_remove("kind");
    content.shift_remove("apiVersion");
    if let Some(Value::Object(metadata)) = content.get_mut("metadata") {
        metadata.retain(|key, _| !NOBODYS.contains(&key.as_str()));
        if metadata.is_empty() {
            content.shift_remove("metadata");
        }
    }
    Value::Object(content)
}

/// The field that a part named so stands for; a list's items stand in the list's own.
pub(crate) fn below<'a>(field: &'a str, part: &'a str) -> &'a str {
    part.strip_prefix("f:").unwrap_or(field)
}

/// The fields of `new` that differ from `old`, or none.
fn difference(field: &str, old: Option<&Value>, new: &Value, custom: bool) -> Option<Value> {
    let Some(parts) = lists::parts(field, new, custom) else { return (old != Some(new)).then(|| json!({})) };
    let known = old.and_then(|old| lists::parts(field, old, custom));
    let mut fields = Map::new();
    // A list is there with its items; only fields and items are owned for themselves.
    if known.is_none() && new.is_object() {
        fields.insert(".".to_owned(), json!({}));
    }
    for (part, value) in parts {
        let was = known.as_ref().and_then(|known| known.iter().find(|(name, _)| *name == part));
        if let Some(changed) = difference(below(field, &part), was.map(|(_, was)| *was), value, custom) {
            fields.insert(part, changed);
        }
    }
    (!fields.is_empty()).then_some(Value::Object(fields))
}

/// Keeps only fields that the object still has.
fn keep(field: &str, fields: &mut Map<String, Value>, object: &Value, custom: bool) {
    let parts = lists::parts(field, object, custom).unwrap_or_default();
    fields.retain(|part, owned| match owned {
        _ if part == "." => true,
        Value::Object(owned) => match parts.iter().find(|(name, _)| name == part) {
            None => false,
            Some((_, value)) => {
                let leaf = owned.is_empty();
                keep(below(field, part), owned, value, custom);
                leaf || !owned.is_empty()
            }
        },
        _ => true,
    });
}

/// Takes fields away that another now owns.
pub(crate) fn subtract(fields: &mut Map<String, Value>, others: &Map<String, Value>) {
    fields.retain(|field, below| match (others.get(field), below) {
        (Some(Value::Object(others)), Value::Object(below)) if !others.is_empty() => {
            subtract(below, others);
            !below.is_empty()
        }
        (Some(_), _) => false,
        (None, _) => true,
    });
}

fn unite(fields: &mut Value, more: Value) {
    if let (Value::Object(fields), Value::Object(more)) = (fields, more) {
        for (key, below) in more {
            unite(fields.entry(key).or_insert_with(|| json!({})), below);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::kinds;

    fn writer<'a>(manager: &'a str, subresource: &'a str, time: &'a str) -> Writer<'a> {
        let kind = kinds::of("core.oam.dev/v1beta1", "Application").unwrap();
        Writer { manager, operation: "Update", kind, subresource, time }
    }

    #[test]
    fn the_last_writer_of_a_field_owns_it() {
        let created = json!({ "metadata": { "name": "a", "labels": { "x": "1" } }, "spec": { "a": 1, "list": [1] } });
        let mut object = created.clone();
        object["metadata"]["managedFields"] = record(&Value::Null, &created, &writer("kubectl", "", "t1"));
        assert_eq!(
            object["metadata"]["managedFields"][0]["fieldsV1"],
            json!({
                "f:metadata": { ".": {}, "f:labels": { ".": {}, "f:x": {} } },
                "f:spec": { ".": {}, "f:a": {}, "f:list": {} },
            })
        );
        let mut changed = object.clone();
        changed["spec"]["a"] = 2.into();
        changed["status"] = json!({ "phase": "running" });
        let entries = record(&object, &changed, &writer("vela", "status", "t2"));
        assert_eq!(entries[0]["fieldsV1"]["f:spec"], json!({ ".": {}, "f:list": {} }));
        assert_eq!(
            entries[1],
            json!({
                "manager": "vela", "operation": "Update", "apiVersion": "core.oam.dev/v1beta1", "time": "t2",
                "fieldsType": "FieldsV1", "subresource": "status",
                "fieldsV1": { "f:spec": { "f:a": {} }, "f:status": { ".": {}, "f:phase": {} } },
            })
        );
        changed["metadata"]["managedFields"] = entries;
        let mut emptied = changed.clone();
        emptied["spec"] = json!({});
        let entries = record(&changed, &emptied, &writer("kubectl", "", "t3"));
        assert_eq!(entries[1]["fieldsV1"], json!({ "f:status": { ".": {}, "f:phase": {} } }));
    }

    #[test]
    fn items_of_a_list_are_owned_one_by_one_where_a_key_tells_them_apart() {
        let kind = kinds::find("apps", "v1", "deployments").unwrap();
        let by = |manager| Writer { manager, operation: "Update", kind, subresource: "", time: "t" };
        let container = |name: &str, image: &str| json!({ "name": name, "image": image, "args": ["x"] });
        let created = json!({ "spec": { "containers": [container("a", "1"), container("b", "1")] } });
        let mut object = created.clone();
        object["metadata"] = json!({ "managedFields": record(&Value::Null, &created, &by("kubectl")) });
        let mut changed = object.clone();
        changed["spec"]["containers"][1]["image"] = "2".into();
        let entries = record(&object, &changed, &by("vela"));
        let containers = |entry: &Value| entry["fieldsV1"]["f:spec"]["f:containers"].clone();
        assert_eq!(containers(&entries[1]), json!({ "k:{\"name\":\"b\"}": { "f:image": {} } }));
        assert_eq!(containers(&entries[0])["k:{\"name\":\"b\"}"], json!({ ".": {}, "f:name": {}, "f:args": {} }));
    }
}
