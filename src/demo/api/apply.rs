//! Server-side apply: an object as one manager wants it, laid over what is there.
//!
//! What a manager applied it owns (`managedFields`, operation `Apply`). A field that somebody else owns with another
//! value is a conflict unless it is forced; a field that is no longer applied goes, unless somebody else owns it too.
//! Lists merge where a key tells their items apart (see [`lists`]), else they are replaced.

use serde_json::{Map, Value, json};

use super::fields::{self, Writer};
use super::lists;
use crate::demo::status::Status;

/// The object after applying and its `managedFields`.
pub(crate) struct Applied {
    pub(crate) object: Value,
    pub(crate) managed: Value,
}

/// Lays `config` over `old` (null where nothing is yet).
pub(crate) fn apply(old: &Value, config: &Value, writer: &Writer<'_>, force: bool) -> Result<Applied, Status> {
    let custom = writer.kind.custom;
    let wanted = fields::content(config);
    let mut own = owned("", &wanted, custom);
    let mut others = old["metadata"]["managedFields"].as_array().cloned().unwrap_or_default();
    let before = others.iter().position(|entry| fields::is_of(entry, writer)).map(|at| others.remove(at));
    let mut conflicts = Vec::new();
    find_conflicts("", &own, &fields::content(old), &wanted, &mut |path: &[String]| {
        for (at, entry) in others.iter().enumerate() {
            if owns(&entry["fieldsV1"], path) {
                conflicts.push((at, path.to_vec()));
            }
        }
    });
    if !force && !conflicts.is_empty() {
        return Err(refuse(&others, &conflicts));
    }
    for (at, path) in &conflicts {
        disown(&mut others[*at]["fieldsV1"], path);
    }
    others.retain(|entry| entry["fieldsV1"].as_object().is_some_and(|fields| !fields.is_empty()));
    let mut object = if old.is_object() { old.clone() } else { config.clone() };
    lay_over("", &mut object, &wanted, custom);
    if let Some(before) = &before {
        let others: Vec<&Value> = others.iter().map(|entry| &entry["fieldsV1"]).collect();
        remove("", &mut object, &before["fieldsV1"], &own, &others, custom);
    }
    if own.as_object().is_none_or(Map::is_empty) {
        own = Value::Null;
    }
    let entry = match before {
        // Nothing new: the time stays as well.
        Some(before) if before["fieldsV1"] == own => Some(before),
        _ if own.is_null() => None,
        _ => Some(fields::entry(writer, &own)),
    };
    others.extend(entry);
    Ok(Applied { object, managed: Value::Array(others) })
}

/// Everything in a value, as fields.
fn owned(field: &str, value: &Value, custom: bool) -> Value {
    let mut out = Map::new();
    for (part, value) in lists::parts(field, value, custom).unwrap_or_default() {
        let mut below = owned(fields::below(field, &part), value, custom);
        if let (true, Some(below)) = (part.starts_with("k:"), below.as_object_mut()) {
            below.insert(".".to_owned(), json!({}));
        }
        out.insert(part, below);
    }
    Value::Object(out)
}

/// The leaves of `own` whose value is there and another than the wanted one.
fn find_conflicts(field: &str, own: &Value, live: &Value, wanted: &Value, found: &mut impl FnMut(&[String])) {
    fn walk(
        field: &str,
        own: &Value,
        live: Option<&Value>,
        wanted: Option<&Value>,
        path: &mut Vec<String>,
        found: &mut dyn FnMut(&[String]),
    ) {
        let (Some(live), Some(wanted)) = (live, wanted) else { return };
        let fields = own.as_object().into_iter().flatten();
        let mut leaf = true;
        // Whether a list is of custom resources made no difference when `own` was made of it: it has no parts then.
        let (there, asked) = (lists::parts(field, live, false), lists::parts(field, wanted, false));
        for (part, own) in fields.filter(|(part, _)| *part != ".") {
            leaf = false;
            let of = |parts: &Option<Vec<(String, &'_ Value)>>| {
                parts.as_ref().and_then(|parts| parts.iter().position(|(name, _)| name == part))
            };
            let (at, wanted_at) = (of(&there), of(&asked));
            path.push(part.clone());
            walk(
                fields::below(field, part),
                own,
                at.and_then(|at| Some(there.as_ref()?[at].1)),
                wanted_at.and_then(|at| Some(asked.as_ref()?[at].1)),
                path,
                found,
            );
            path.pop();
        }
        if leaf && live != wanted {
            found(path);
        }
    }
    walk(field, own, Some(live), Some(wanted), &mut Vec::new(), found);
}

/// Whether exactly this leaf is among the fields, or something below it.
fn owns(fields: &Value, path: &[String]) -> bool {
    path.iter().try_fold(fields, |at, part| at.get(part)).is_some()
}

fn disown(fields: &mut Value, path: &[String]) {
    let (Some((first, rest)), Value::Object(fields)) = (path.split_first(), fields) else { return };
    let Some(below) = fields.get_mut(first) else { return };
    disown(below, rest);
    if rest.is_empty() || below.as_object().is_some_and(Map::is_empty) {
        fields.shift_remove(first);
    }
}

/// Puts everything wanted into the target; what else is there stays.
fn lay_over(field: &str, target: &mut Value, wanted: &Value, custom: bool) {
    match (target, wanted) {
        (Value::Object(target), Value::Object(wanted)) => {
            for (name, value) in wanted {
                lay_over(name, target.entry(name.clone()).or_insert(Value::Null), value, custom);
            }
        }
        (target, wanted) => {
            let at: Option<Vec<Option<usize>>> = lists::parts(field, wanted, custom).and_then(|wanted| {
                let there = lists::parts(field, target, custom)?;
                Some(wanted.iter().map(|(part, _)| there.iter().position(|(name, _)| name == part)).collect())
            });
            match (at, target, wanted) {
                (Some(at), Value::Array(target), Value::Array(wanted)) => {
                    for (at, item) in at.into_iter().zip(wanted) {
                        match at {
                            Some(at) => lay_over(field, &mut target[at], item, custom),
                            None => target.push(item.clone()),
                        }
                    }
                }
                (_, target, wanted) => target.clone_from(wanted),
            }
        }
    }
}

/// Takes out what was applied before, is not any more, and nobody else owns.
fn remove(field: &str, target: &mut Value, before: &Value, own: &Value, others: &[&Value], custom: bool) {
    for (part, was) in before.as_object().into_iter().flatten().filter(|(part, _)| *part != ".") {
        let theirs: Vec<&Value> = others.iter().filter_map(|fields| fields.get(part)).collect();
        let still = own.get(part);
        let Some(at) =
            lists::parts(field, target, custom).and_then(|all| all.iter().position(|(name, _)| name == part))
        else {
            continue;
        };
        if still.is_none() && theirs.is_empty() {
            match target {
                Value::Object(fields) => drop(fields.shift_remove(fields::below("", part))),
                Value::Array(items) => drop(items.remove(at)),
                _ => {}
            }
            continue;
        }
        let nothing = Value::Null;
        let below = match target {
            Value::Object(fields) => fields.get_mut(fields::below("", part)),
            Value::Array(items) => items.get_mut(at),
            _ => None,
        };
        if let Some(below) = below {
            remove(fields::below(field, part), below, was, still.unwrap_or(&nothing), &theirs, custom);
        }
    }
}

/// The refusal, with who owns what.
fn refuse(others: &[Value], conflicts: &[(usize, Vec<String>)]) -> Status {
    let manager = |entry: &Value| {
        let text = |field: &str| entry[field].as_str().unwrap_or_default();
        let name = text("manager");
        match (text("operation"), text("subresource")) {
            ("Apply", _) => format!("\"{name}\""),
            (_, "") => format!("\"{name}\" using {}", text("apiVersion")),
            (_, subresource) => format!("\"{name}\" with subresource \"{subresource}\" using {}", text("apiVersion")),
        }
    };
    let causes: Vec<Value> = conflicts
        .iter()
        .map(|(at, path)| {
            let message = format!("conflict with {}", manager(&others[*at]));
            json!({ "reason": "FieldManagerConflict", "message": message, "field": show(path) })
        })
        .collect();
    let message = if let [(at, path)] = conflicts {
        format!("Apply failed with 1 conflict: conflict with {}: {}", manager(&others[*at]), show(path))
    } else {
        let mut message = format!("Apply failed with {} conflicts:", conflicts.len());
        let mut separator = ' ';
        for (at, entry) in others.iter().enumerate() {
            let mut theirs = conflicts.iter().filter(|(owner, _)| *owner == at).peekable();
            if theirs.peek().is_some() {
                message.push(separator);
                separator = '\n';
                message.extend(["conflicts with ", &manager(entry), ":"]);
            }
            for (_, path) in theirs {
                message.push_str("\n- ");
                message.push_str(&show(path));
            }
        }
        message
    };
    Status::apply_conflict(message, causes)
}

/// `.spec.containers[name="web"].image`.
fn show(path: &[String]) -> String {
    path.iter().fold(String::new(), |shown, part| {
        if let Some(field) = part.strip_prefix("f:") {
            format!("{shown}.{field}")
        } else if let Some(value) = part.strip_prefix("v:") {
            format!("{shown}[={value}]")
        } else {
            let key: Map<String, Value> = serde_json::from_str(part.trim_start_matches("k:")).unwrap_or_default();
            let pairs: Vec<String> = key.iter().map(|(name, value)| format!("{name}={value}")).collect();
            format!("{shown}[{}]", pairs.join(","))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::kinds;

    fn by(manager: &str, old: &Value, config: &Value, force: bool) -> Result<Value, Status> {
        let kind = kinds::find("apps", "v1", "deployments").unwrap();
        let writer = Writer { manager, operation: "Apply", kind, subresource: "", time: "t" };
        let Applied { mut object, managed } = apply(old, config, &writer, force)?;
        object["metadata"]["managedFields"] = managed;
        Ok(object)
    }

    fn deployment(replicas: Option<i64>, containers: &Value) -> Value {
        let mut object =
            json!({ "metadata": { "name": "web" }, "spec": { "template": { "spec": { "containers": containers } } } });
        if let Some(replicas) = replicas {
            object["spec"]["replicas"] = replicas.into();
        }
        object
    }

    #[test]
    fn what_is_applied_is_merged_and_what_no_longer_is_goes() {
        let first = json!([{ "name": "a", "image": "1" }, { "name": "b", "image": "1", "env": [{ "name": "X", "value": "1" }] }]);
        let mut object = by("one", &Value::Null, &deployment(Some(1), &first), false).unwrap();
        // A default that nobody owns.
        object["spec"]["template"]["spec"]["restartPolicy"] = "Always".into();
        let second = json!([{ "name": "b", "image": "2" }]);
        let object = by("one", &object, &deployment(None, &second), false).unwrap();
        assert_eq!(
            object["spec"],
            json!({ "template": { "spec": { "containers": [{ "name": "b", "image": "2" }], "restartPolicy": "Always" } } })
        );
    }

    #[test]
    fn what_another_owns_is_a_conflict_unless_it_is_forced() {
        let containers = json!([{ "name": "a", "image": "1" }]);
        let object = by("one", &Value::Null, &deployment(Some(1), &containers), false).unwrap();
        // The same wish is no conflict; both own it, and one letting go leaves it.
        let shared =
            by("two", &object, &json!({ "metadata": { "name": "web" }, "spec": { "replicas": 1 } }), false).unwrap();
        let left = by("one", &shared, &deployment(None, &containers), false).unwrap();
        assert_eq!(left["spec"]["replicas"], 1);

        let other = json!([{ "name": "a", "image": "2" }]);
        let refused = by("two", &object, &deployment(Some(1), &other), false).unwrap_err();
        assert_eq!(
            refused.message,
            "Apply failed with 1 conflict: conflict with \"one\": .spec.template.spec.containers[name=\"a\"].image"
        );
        let refused = by("two", &object, &deployment(Some(3), &other), false).unwrap_err();
        assert_eq!(
            refused.message,
            "Apply failed with 2 conflicts: conflicts with \"one\":\n- .spec.template.spec.containers[name=\"a\"].image\n- .spec.replicas"
        );
        let forced = by("two", &object, &deployment(Some(3), &other), true).unwrap();
        assert_eq!(forced["spec"]["replicas"], 3);
        let entries = forced["metadata"]["managedFields"].as_array().unwrap();
        assert_eq!(entries[0]["fieldsV1"]["f:spec"].get("f:replicas"), None);
        assert_eq!(entries[1]["manager"], "two");
    }
}
