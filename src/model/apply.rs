//! What to write so that an object becomes what a manifest says, while what others added to it stays.
//!
//! As `vela up` and `kubectl apply` have it: what was applied last is kept in an annotation of the object, and three
//! are compared. What the manifest names is set; what the last one named and this one does not is taken away; what
//! neither names belongs to others. Lists have no keys here: one that differs is replaced whole.

use serde_json::{Map, Number, Value, json};

/// The annotation that KubeVela's tools keep the applied manifest in, as JSON.
pub const LAST_APPLIED: &str = "app.oam.dev/last-applied-configuration";
/// kubectl's own, which KubeVela reads where the other is missing.
const KUBECTL_LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// Values of [`LAST_APPLIED`] by which an object asks not to be recorded.
const UNRECORDED: [&str; 2] = ["-", "skip"];
/// What of `metadata` the server alone writes.
const SERVERS: [&str; 8] = [
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "managedFields",
    "selfLink",
];

/// A manifest as it is applied: without what the server writes, as an object that was read and saved has it too.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    wanted: Value,
    recorded: bool,
    /// `metadata.resourceVersion`, where it names one: it is meant for that state of the object alone.
    pub resource_version: Option<String>,
}

impl Manifest {
    /// Takes an object.
    pub fn new(object: Value) -> Self {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty());
        let resource_version = text("/metadata/resourceVersion").map(str::to_owned);
        let annotation = object.pointer("/metadata/annotations").and_then(|all| all.get(LAST_APPLIED));
        let recorded = annotation.and_then(Value::as_str).is_none_or(|text| !UNRECORDED.contains(&text));
        Self { wanted: cleaned(object, recorded), recorded, resource_version }
    }

    /// The object to create.
    pub fn object(&self) -> Value {
        let mut object = self.wanted.clone();
        if self.recorded {
            record(&mut object, &self.record());
        }
        object
    }

    /// The JSON merge patch (RFC 7386) that makes `current` what the manifest says; `None` where it is that already.
    pub fn patch(&self, current: &Value) -> Option<Value> {
        let last = last_applied(current);
        let mut wanted = self.wanted.clone();
        // Labels and annotations belong to many: a manifest without any takes its own away, not those of others.
        for key in ["labels", "annotations"] {
            let pointer = format!("/metadata/{key}");
            if current.pointer(&pointer).is_some_and(Value::is_object)
                && let Some(metadata) = wanted.get_mut("metadata").and_then(Value::as_object_mut)
            {
                metadata.entry(key).or_insert_with(|| json!({}));
            }
        }
        let original = last.as_ref().map_or(&Value::Null, |(_, original)| original);
        let mut patch = three_way(original, &wanted, current);
        let is_on_record = last.is_some_and(|(_, original)| same(&original, &self.wanted));
        if is_empty(&patch) && (is_on_record || !self.recorded) {
            return None;
        }
        if self.recorded {
            record(&mut patch, &self.record());
        }
        Some(patch)
    }

    fn record(&self) -> String {
        let mut sorted = self.wanted.clone();
        sorted.sort_all_objects();
        sorted.to_string()
    }
}

/// An object without what the server writes, without empty maps of labels and annotations, and, where it is
/// `recorded`, without the record.
fn cleaned(mut object: Value, recorded: bool) -> Value {
    if let Some(root) = object.as_object_mut() {
        root.shift_remove("status");
    }
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        for field in SERVERS {
            metadata.shift_remove(field);
        }
        if let (true, Some(annotations)) = (recorded, metadata.get_mut("annotations").and_then(Value::as_object_mut)) {
            annotations.shift_remove(LAST_APPLIED);
        }
        for key in ["labels", "annotations"] {
            if metadata.get(key).is_some_and(|map| map.is_null() || is_empty(map)) {
                metadata.shift_remove(key);
            }
        }
    }
    object
}

/// What was applied last, and by which annotation it is known.
fn last_applied(current: &Value) -> Option<(&'static str, Value)> {
    let annotations = current.pointer("/metadata/annotations")?;
    let text = |name: &str| annotations.get(name).and_then(Value::as_str);
    let (name, text) = match text(LAST_APPLIED) {
        Some(text) => (LAST_APPLIED, text),
        None => (KUBECTL_LAST_APPLIED, text(KUBECTL_LAST_APPLIED)?),
    };
    // What cannot be read is no record: nothing is taken away by it.
    let original: Value = serde_json::from_str(text).ok().filter(Value::is_object)?;
    Some((name, cleaned(original, true)))
}

fn record(object: &mut Value, text: &str) {
    let Some(root) = object.as_object_mut() else { return };
    let metadata = root.entry("metadata").or_insert_with(|| json!({}));
    let Some(metadata) = metadata.as_object_mut() else { return };
    let annotations = metadata.entry("annotations").or_insert_with(|| json!({}));
    if let Some(annotations) = annotations.as_object_mut() {
        annotations.insert(LAST_APPLIED.to_owned(), text.into());
    }
}

/// The merge patch from `current` to what `wanted` names and `original` named before; `{}` where there is nothing to do.
pub fn three_way(original: &Value, wanted: &Value, current: &Value) -> Value {
    let none = Map::new();
    let map = |value: &Value| value.as_object().cloned();
    let (original, wanted, current) =
        (map(original).unwrap_or_default(), wanted.as_object().unwrap_or(&none), current.as_object().unwrap_or(&none));
    let mut patch = Map::new();
    for (key, wanted) in wanted {
        match (wanted, current.get(key)) {
            // An explicit null wants nothing there.
            (Value::Null, None | Some(Value::Null)) => {}
            (Value::Object(_), Some(is @ Value::Object(_))) => {
                let within = three_way(original.get(key).unwrap_or(&Value::Null), wanted, is);
                if !is_empty(&within) {
                    patch.insert(key.clone(), within);
                }
            }
            (wanted, Some(is)) if same(wanted, is) => {}
            (wanted, _) => {
                patch.insert(key.clone(), wanted.clone());
            }
        }
    }
    let dropped = original.iter().filter(|(key, was)| !was.is_null() && !wanted.contains_key(*key));
    for (key, _) in dropped.filter(|(key, _)| current.get(*key).is_some_and(|is| !is.is_null())) {
        patch.insert(key.clone(), Value::Null);
    }
    Value::Object(patch)
}

/// Applies a JSON merge patch (RFC 7386).
pub fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    let Some(target) = target.as_object_mut() else { return };
    for (key, change) in patch {
        if change.is_null() {
            target.shift_remove(key);
        } else {
            merge(target.entry(key.clone()).or_insert(Value::Null), change);
        }
    }
}

/// What a patch changes, for people: `spec.workflow`, `metadata.labels`. The record of what was applied is left out.
pub fn touched(patch: &Value) -> Vec<String> {
    let keys = |part: &str| {
        let map = patch.get(part).and_then(Value::as_object);
        let part = part.to_owned();
        map.into_iter().flatten().map(move |(key, change)| (format!("{part}.{key}"), change))
    };
    let only_record = |change: &Value| {
        change.as_object().is_some_and(|map| !map.is_empty() && map.keys().all(|key| key == LAST_APPLIED))
    };
    let within = keys("metadata").chain(keys("spec")).filter(|(_, change)| !only_record(change)).map(|(name, _)| name);
    let beside = patch.as_object().into_iter().flatten().map(|(key, _)| key.clone());
    within.chain(beside.filter(|key| key != "metadata" && key != "spec")).collect()
}

fn is_empty(value: &Value) -> bool {
    value.as_object().is_some_and(Map::is_empty)
}

/// Whether two values mean the same: servers write `1.0` as `1`.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => same_number(one, other),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            let alike = |(key, value): (&String, &Value)| other.get(key).is_some_and(|other| same(value, other));
            one.len() == other.len() && one.iter().all(alike)
        }
        _ => one == other,
    }
}

fn same_number(one: &Number, other: &Number) -> bool {
    if one.is_f64() || other.is_f64() { one.as_f64() == other.as_f64() } else { one == other }
}

#[cfg(test)]
mod tests;
