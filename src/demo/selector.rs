//! Label and field selectors.

use std::collections::HashSet;

use serde_json::Value;

use super::kinds::Kind;
use super::status::Status;
use super::store::Object;

/// One requirement on a label.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Requirement {
    Exists(String),
    Absent(String),
    // Sets, since a selector may name thousands.
    In(String, HashSet<String>),
    NotIn(String, HashSet<String>),
}

impl Requirement {
    fn matches<'a>(&self, label: impl Fn(&str) -> Option<&'a str>) -> bool {
        match self {
            Self::Exists(key) => label(key).is_some(),
            Self::Absent(key) => label(key).is_none(),
            Self::In(key, values) => label(key).is_some_and(|value| values.contains(value)),
            Self::NotIn(key, values) => label(key).is_none_or(|value| !values.contains(value)),
        }
    }
}

/// What a list or watch asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Selector {
    labels: Vec<Requirement>,
    /// Path, value, and whether equal is wanted.
    fields: Vec<(String, String, bool)>,
}

impl Selector {
    /// From the query's `labelSelector` and `fieldSelector`, of fields by which this kind can be chosen.
    pub(crate) fn of(kind: &Kind, labels: &str, fields: &str) -> Result<Self, Status> {
        let selector = Self::parse(labels, fields)?;
        match selector.fields.iter().find(|(path, ..)| !selectable(kind, path)) {
            Some((path, ..)) => Err(Status::bad_request(format!("field label not supported: {path}"))),
            None => Ok(selector),
        }
    }

    /// From the query's `labelSelector` and `fieldSelector`.
    pub(crate) fn parse(labels: &str, fields: &str) -> Result<Self, Status> {
        Ok(Self { labels: parse_labels(labels)?, fields: parse_fields(fields)? })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    /// Whether labels given as a JSON object satisfy the label part.
    pub(crate) fn matches_labels(&self, labels: &Value) -> bool {
        self.labels.iter().all(|requirement| requirement.matches(|key| labels.get(key)?.as_str()))
    }

    pub(crate) fn matches(&self, kind: &Kind, object: &Object) -> bool {
        if !self.labels.iter().all(|requirement| requirement.matches(|key| object.label(key))) {
            return false;
        }
        // Most field selectors need no look into the object.
        let mut parsed = None;
        self.fields.iter().all(|(path, wanted, equal)| {
            let same = match path.as_str() {
                "metadata.name" => *object.key.name == **wanted,
                "metadata.namespace" => *object.key.namespace == **wanted,
                _ => field(parsed.get_or_insert_with(|| object.value(kind)), path) == *wanted,
            };
            same == *equal
        })
    }
}

/// Whether objects of a kind can be chosen by a field: a real server knows few of them.
fn selectable(kind: &Kind, path: &str) -> bool {
    let known: &[&str] = match (kind.group, kind.name) {
        ("", "Pod") => &[
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.nominatedNodeName",
        ],
        ("", "Event") => &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ],
        ("", "Namespace") => &["status.phase"],
        ("", "Node") => &["spec.unschedulable"],
        ("", "Secret") => &["type"],
        ("", "Service") => &["spec.clusterIP", "spec.type"],
        ("apps", "ReplicaSet") => &["status.replicas"],
        ("batch", "Job") => &["status.successful"],
        _ => &[],
    };
    path == "metadata.name" || (path == "metadata.namespace" && kind.namespaced) || known.contains(&path)
}

/// A field as a field selector compares it: absent is the empty string.
fn field(object: &Value, path: &str) -> String {
    let found = path.split('.').try_fold(object, |at, name| at.get(name));
    match found {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    }
}

fn parse_fields(text: &str) -> Result<Vec<(String, String, bool)>, Status> {
    text.split(',')
        .filter(|part| !part.trim().is_empty())
        .map(|part| {
            let (path, value, equal) = if let Some((path, value)) = part.split_once("!=") {
                (path, value, false)
            } else if let Some((path, value)) = part.split_once("==").or_else(|| part.split_once('=')) {
                (path, value, true)
            } else {
                return Err(Status::bad_request(format!(
                    "invalid field selector \"{text}\": couldn't understand '{part}'"
                )));
            };
            Ok((path.trim().to_owned(), value.trim().to_owned(), equal))
        })
        .collect()
}

fn parse_labels(text: &str) -> Result<Vec<Requirement>, Status> {
    let refuse = |why: &str| Status::bad_request(format!("unable to parse requirement: {why}"));
    let mut out = Vec::new();
    for part in split_outside_parentheses(text) {
        let part = part.trim();
        if part.is_empty() {
            continue;
        }
        let one = |key: &str, value: &str| (key.trim().to_owned(), HashSet::from([value.trim().to_owned()]));
        let requirement = if let Some((head, list)) = part.split_once('(') {
            let values = list.strip_suffix(')').ok_or_else(|| refuse("expected ')'"))?;
            let values = values.split(',').map(|value| value.trim().to_owned()).collect();
            match head.split_whitespace().collect::<Vec<_>>()[..] {
                [key, "in"] => Requirement::In(key.to_owned(), values),
                [key, "notin"] => Requirement::NotIn(key.to_owned(), values),
                _ => return Err(refuse(&format!("found '{head}', expected: in, notin"))),
            }
        } else if let Some((key, value)) = part.split_once("!=") {
            let (key, values) = one(key, value);
            Requirement::NotIn(key, values)
        } else if let Some((key, value)) = part.split_once("==").or_else(|| part.split_once('=')) {
            let (key, values) = one(key, value);
            Requirement::In(key, values)
        } else if let Some(key) = part.strip_prefix('!') {
            Requirement::Absent(key.trim().to_owned())
        } else if part.contains(char::is_whitespace) {
            return Err(refuse(&format!("found '{part}', expected: ',' or 'end of string'")));
        } else {
            Requirement::Exists(part.to_owned())
        };
        out.push(requirement);
    }
    Ok(out)
}

fn split_outside_parentheses(text: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0_i32, 0);
    for (at, char) in text.char_indices() {
        match char {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn label_selectors_choose_as_kubectl_means_them() {
        let labels = json!({ "app": "hello", "tier": "web" });
        for (selector, chosen) in [
            ("", true),
            ("app=hello", true),
            ("app == hello, tier!=db", true),
            ("app=other", false),
            ("app!=hello", false),
            ("absent!=x", true),
            ("app in (a, hello)", true),
            ("app notin (a, hello)", false),
            ("absent notin (a)", true),
            ("tier", true),
            ("!tier", false),
            ("!absent,app in (hello),tier", true),
        ] {
            let parsed = Selector::parse(selector, "").unwrap();
            assert_eq!(parsed.matches_labels(&labels), chosen, "{selector}");
        }
        for bad in ["app in (a", "app like (a)", "two words"] {
            assert!(Selector::parse(bad, "").is_err(), "{bad}");
        }
    }

    #[test]
    fn field_selectors_read_any_path() {
        let object = json!({ "status": { "phase": "Running", "ready": true }, "spec": {} });
        assert_eq!(field(&object, "status.phase"), "Running");
        assert_eq!(field(&object, "status.ready"), "true");
        assert_eq!(field(&object, "spec.nodeName"), "");
        assert!(Selector::parse("", "status.phase").is_err());
        let pods = crate::demo::kinds::core("pods");
        assert!(Selector::of(pods, "", "status.phase=Running").is_ok());
        assert!(Selector::of(crate::demo::kinds::core("configmaps"), "", "data.x=1").is_err());
    }
}
