//! What an object must be to be kept: the few rules whose breach a user meets, in a real server's words.

use serde_json::Value;

use crate::demo::kinds::Kind;
use crate::demo::status::Status;

/// The largest object, as etcd has it.
const LARGEST: usize = 1536 * 1024;
/// The most that a ConfigMap or a Secret may hold.
const LARGEST_DATA: usize = 1024 * 1024;
/// How deep an object may be nested; what is deeper could not be read again.
const DEEPEST: usize = 100;

/// Where an object must be if anything is there, and where a list of objects or of texts.
const OBJECTS: [&str; 9] = [
    "/metadata",
    "/metadata/labels",
    "/metadata/annotations",
    "/spec",
    "/status",
    "/data",
    "/spec/template",
    "/spec/template/metadata",
    "/spec/template/spec",
];
const OBJECT_LISTS: [&str; 4] =
    ["/metadata/ownerReferences", "/spec/containers", "/spec/template/spec/containers", "/status/containerStatuses"];
const TEXT_LISTS: [&str; 1] = ["/metadata/finalizers"];
/// Where every value is a text.
const TEXTS: [&str; 2] = ["/metadata/labels", "/metadata/annotations"];

/// Whether an object is built as one of its kind.
pub(crate) fn shape(kind: &Kind, object: &Value) -> Result<(), Status> {
    if depth(object, DEEPEST) {
        return Err(Status::bad_request("json: exceeded max depth"));
    }
    let check = |path: &str, wanted: &str, is: fn(&Value) -> bool| match object.pointer(path) {
        Some(value) if !value.is_null() && !is(value) => Err(misbuilt(kind, object, path, wanted, value)),
        _ => Ok(()),
    };
    for path in OBJECTS {
        check(path, "object", Value::is_object)?;
    }
    for path in OBJECT_LISTS {
        check(path, "array", |value| value.as_array().is_some_and(|items| items.iter().all(Value::is_object)))?;
    }
    for path in TEXT_LISTS {
        check(path, "array", |value| value.as_array().is_some_and(|items| items.iter().all(Value::is_string)))?;
    }
    for path in TEXTS {
        check(path, "string", |value| value.as_object().is_some_and(|fields| fields.values().all(Value::is_string)))?;
    }
    Ok(())
}

fn misbuilt(kind: &Kind, object: &Value, path: &str, wanted: &str, value: &Value) -> Status {
    let is = match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let field = path.trim_start_matches('/').replace('/', ".");
    if kind.custom {
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        let why = format!("Invalid value: \"{is}\": {field} in body must be of type {wanted}: \"{is}\"");
        return Status::invalid(kind, name, "FieldValueTypeInvalid", &field, &why);
    }
    let (name, version) = (kind.name, kind.version);
    Status::bad_request(format!(
        "{name} in version \"{version}\" cannot be handled as a {name}: json: cannot unmarshal {is} into Go struct field \
         {name}.{field} of type {wanted}"
    ))
}

/// Whether a value is nested deeper than that.
fn depth(value: &Value, left: usize) -> bool {
    left == 0
        || match value {
            Value::Object(fields) => fields.values().any(|value| depth(value, left - 1)),
            Value::Array(items) => items.iter().any(|value| depth(value, left - 1)),
            _ => false,
        }
}

/// Whether an object of the right shape may be kept; `old` is what it was, if it was there.
pub(crate) fn check(kind: &Kind, old: Option<&Value>, new: &Value) -> Result<(), Status> {
    let name = new["metadata"]["name"].as_str().unwrap_or_default();
    let invalid = |reason, field: &str, why: &str| Err(Status::invalid(kind, name, reason, field, why));
    if size(new) > LARGEST {
        return Err(Status::internal("etcdserver: request is too large"));
    }
    if kind.group.is_empty() && matches!(kind.name, "ConfigMap" | "Secret") && size(&new["data"]) > LARGEST_DATA {
        let why = format!("Too long: may not be more than {LARGEST_DATA} bytes");
        return invalid("FieldValueTooLong", "[]", &why);
    }
    for value in new["metadata"]["labels"].as_object().into_iter().flat_map(|labels| labels.values()) {
        let value = value.as_str().unwrap_or_default();
        if let Some(wrong) = label_value(value) {
            return invalid("FieldValueInvalid", "metadata.labels", &format!("Invalid value: \"{value}\": {wrong}"));
        }
    }
    let spec = &new["spec"];
    let workload = kind.group == "apps" && spec["template"].is_object();
    if let Some(old) = old {
        let (was, is) = (&old["spec"]["selector"], &spec["selector"]);
        if kind.group == "apps" && !was.is_null() && was != is {
            let why = format!("Invalid value: {is}: field is immutable");
            return invalid("FieldValueInvalid", "spec.selector", &why);
        }
        return Ok(());
    }
    let required = |field: &str| invalid("FieldValueRequired", field, "Required value");
    let none = |value: &Value| value.as_array().is_none_or(Vec::is_empty);
    match (kind.group, kind.name) {
        ("", "Pod") if none(&spec["containers"]) => required("spec.containers"),
        ("", "Service") if none(&spec["ports"]) && spec["clusterIP"] != "None" && spec["type"] != "ExternalName" => {
            required("spec.ports")
        }
        ("apps", _) if workload && spec["selector"].is_null() => required("spec.selector"),
        ("apps", _) if workload && none(&spec["template"]["spec"]["containers"]) => {
            required("spec.template.spec.containers")
        }
        ("apps", _) if workload => {
            let labels = &spec["template"]["metadata"]["labels"];
            let chosen = spec["selector"]["matchLabels"].as_object();
            if chosen.is_some_and(|chosen| chosen.iter().any(|(key, value)| labels.get(key) != Some(value))) {
                let why = format!("Invalid value: {labels}: `selector` does not match template `labels`");
                return invalid("FieldValueInvalid", "spec.template.metadata.labels", &why);
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// How long a value's JSON is about; escapes are not counted.
fn size(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len() + 2,
        Value::Array(items) => items.iter().map(|item| size(item) + 1).sum::<usize>() + 2,
        Value::Object(fields) => fields.iter().map(|(key, value)| key.len() + size(value) + 4).sum::<usize>() + 2,
        _ => 4,
    }
}

/// What is wrong with a label's value.
fn label_value(value: &str) -> Option<&'static str> {
    let edge = |char: Option<char>| char.is_none_or(|char| char.is_ascii_alphanumeric());
    if value.len() > 63 {
        return Some("must be no more than 63 bytes");
    }
    let inner = |char: char| char.is_ascii_alphanumeric() || matches!(char, '-' | '_' | '.');
    (!(edge(value.chars().next()) && edge(value.chars().last()) && value.chars().all(inner))).then_some(
        "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and \
         end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is \
         '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::demo::kinds;

    #[test]
    fn what_cannot_be_kept_is_refused_with_its_reason() {
        let deployments = kinds::find("apps", "v1", "deployments").unwrap();
        let apps = kinds::of("core.oam.dev/v1beta1", "Application").unwrap();
        let says = |result: Result<(), Status>, code: u16, sentence: &str| {
            let status = result.unwrap_err();
            assert_eq!(status.code.as_u16(), code, "{}", status.message);
            assert!(status.message.contains(sentence), "{}", status.message);
        };
        says(
            shape(deployments, &json!({ "spec": "x" })),
            400,
            "cannot unmarshal string into Go struct field Deployment.spec",
        );
        says(
            shape(deployments, &json!({ "spec": { "template": [] } })),
            400,
            "Deployment.spec.template of type object",
        );
        says(
            shape(apps, &json!({ "metadata": { "name": "a" }, "spec": 1 })),
            422,
            "spec in body must be of type object",
        );
        says(shape(apps, &json!({ "metadata": { "labels": { "a": 1 } } })), 422, "metadata.labels");
        let deep = (0..200).fold(json!({}), |inner, _| json!({ "a": inner }));
        says(shape(apps, &json!({ "spec": deep })), 400, "exceeded max depth");

        let map = json!({ "metadata": { "name": "a" }, "data": { "a": "x".repeat(LARGEST_DATA) } });
        says(check(kinds::core("configmaps"), None, &map), 422, "ConfigMap \"a\" is invalid: []: Too long");
        says(
            check(kinds::core("pods"), None, &json!({ "metadata": { "name": "a" } })),
            422,
            "spec.containers: Required value",
        );
        says(
            check(apps, None, &json!({ "metadata": { "name": "a", "labels": { "a": "no good" } } })),
            422,
            "a valid label",
        );
        let template = json!({ "metadata": { "labels": { "a": "b" } }, "spec": { "containers": [{}] } });
        let with = |selector: Value| json!({ "metadata": { "name": "a" }, "spec": { "selector": selector, "template": template } });
        let selector = with(json!({ "matchLabels": { "a": "c" } }));
        says(check(deployments, None, &selector), 422, "`selector` does not match template `labels`");
        let good = with(json!({ "matchLabels": { "a": "b" } }));
        check(deployments, None, &good).unwrap();
        says(
            check(deployments, Some(&good), &selector),
            422,
            "spec.selector: Invalid value: {\"matchLabels\":{\"a\":\"c\"}}: field is immutable",
        );
    }
}
