//! What was applied against what is there now: what differs, and what is left out of the comparison and why.
//!
//! A live object holds more than its manifest: defaults of the server, the status, bookkeeping, what controllers and people
//! added. So it is looked at through the manifest: only what the manifest says is compared, and what else is there is
//! counted and named. Lists whose items have a key (containers by name, ports by number) are compared item by item, also
//! where the order differs, and an item more is a difference; other lists as a whole. What is written otherwise and means
//! the same (`1000m` and `1` of CPU, `80` and `"80"`, a field left out and an empty one) is no difference, and said.

use std::fmt::Write as _;

use serde_json::{Map, Value};

pub(crate) mod quantity;

/// What a comparison found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Drift {
    /// The manifest, as far as it is compared.
    pub applied: Value,
    /// The live object, looked at through the manifest: equal to it where nothing differs.
    pub live: Value,
    /// Paths that the manifest does not name and the live object has: defaults, mostly.
    pub extra: Vec<Extra>,
    /// Paths whose two values are written otherwise and mean the same, with both.
    pub alike: Vec<(String, String, String)>,
    /// What of the live object only the server writes: names of fields.
    pub bookkeeping: Vec<&'static str>,
}

/// What the live object has beyond the manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extra {
    /// Where: `spec.template.spec.containers[hello].imagePullPolicy`.
    pub path: String,
    /// The field manager that set it, where it is another than the one that applied the manifest: a person, or a
    /// controller.
    pub set_by: Option<String>,
}

impl Drift {
    /// Whether something differs.
    pub fn is_drift(&self) -> bool {
        self.applied != self.live
    }
}

/// What of `metadata` belongs to the server, and `status` to controllers.
const BOOKKEEPING: [&str; 8] = [
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "managedFields",
    "selfLink",
];
/// KubeVela's own record of what it applied.
const RECORDS: [&str; 2] = ["app.oam.dev/last-applied-configuration", "app.oam.dev/last-applied-time"];
/// By what items of a list are told apart, the first that fits: as the API types have it.
const KEYS: [&[&str]; 11] = [
    &["name"],
    &["containerPort", "protocol"],
    &["containerPort"],
    &["port", "protocol"],
    &["port"],
    &["mountPath"],
    &["devicePath"],
    &["topologyKey", "whenUnsatisfiable"],
    &["type"],
    &["ip"],
    &["key"],
];
/// What a part of a key is where it is left out.
const KEY_DEFAULTS: [(&str, &str); 1] = [("protocol", "TCP")];
/// Maps that nobody fills but who writes the object: a key more is a difference.
const CLOSED: [(&str, &str); 3] = [("ConfigMap", "data"), ("ConfigMap", "binaryData"), ("HelmRelease", "spec.values")];

/// A step down into an object.
#[derive(Clone, Debug)]
enum Hop {
    Field(String),
    /// An item, by the fields that tell it apart.
    Item(Map<String, Value>),
    At(usize),
}

/// Compares a manifest with the live object.
pub fn compare(applied: &Value, live: &Value) -> Drift {
    let mut drift = Drift::default();
    let (mut manifest, mut there) = (applied.clone(), live.clone());
    for (object, is_live) in [(&mut manifest, false), (&mut there, true)] {
        let Some(object) = object.as_object_mut() else { continue };
        if object.shift_remove("status").is_some() && is_live {
            drift.bookkeeping.push("status");
        }
        let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else { continue };
        for field in BOOKKEEPING {
            if metadata.shift_remove(field).is_some() && is_live {
                drift.bookkeeping.push(field);
            }
        }
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.retain(|key, _| !RECORDS.contains(&key.as_str()));
        }
    }
    let managed = live["metadata"]["managedFields"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut look = Look {
        drift: &mut drift,
        kind: applied["kind"].as_str().unwrap_or_default(),
        appliers: appliers(managed),
        managed,
    };
    let seen = look.through(&manifest, &there, &mut Vec::new());
    drift.applied = manifest;
    drift.live = seen;
    drift
}

struct Look<'v> {
    drift: &'v mut Drift,
    kind: &'v str,
    appliers: Vec<&'v str>,
    managed: &'v [Value],
}

impl Look<'_> {
    /// The live value, as far as the manifest speaks of it.
    fn through(&mut self, applied: &Value, live: &Value, path: &mut Vec<Hop>) -> Value {
        match (applied, live) {
            (Value::Object(applied), Value::Object(live)) => Value::Object(self.map(applied, live, path)),
            (Value::Array(applied), Value::Array(live)) => Value::Array(self.list(applied, live, path)),
            _ if applied == live => applied.clone(),
            _ if means_the_same(applied, live, path) => {
                self.drift.alike.push((spell(path), plain(applied), plain(live)));
                applied.clone()
            }
            _ => live.clone(),
        }
    }

    fn map(
        &mut self,
        applied: &Map<String, Value>,
        live: &Map<String, Value>,
        path: &mut Vec<Hop>,
    ) -> Map<String, Value> {
        let mut seen = Map::new();
        for (key, value) in applied {
            path.push(Hop::Field(key.clone()));
            match live.get(key) {
                Some(there) => {
                    let there = self.through(value, there, path);
                    seen.insert(key.clone(), there);
                }
                None if is_empty(value) => {
                    self.drift.alike.push((spell(path), plain(value), "left out".to_owned()));
                    seen.insert(key.clone(), value.clone());
                }
                None => {}
            }
            path.pop();
        }
        let here = spell(path);
        let is_closed = CLOSED
            .iter()
            .any(|(kind, closed)| self.kind == *kind && (here == *closed || here.starts_with(&format!("{closed}."))));
        for (key, value) in live.iter().filter(|(key, _)| !applied.contains_key(*key)) {
            if is_closed {
                seen.insert(key.clone(), value.clone());
                continue;
            }
            path.push(Hop::Field(key.clone()));
            self.extra(path);
            path.pop();
        }
        seen
    }

    fn list(&mut self, applied: &[Value], live: &[Value], path: &mut Vec<Hop>) -> Vec<Value> {
        if let Some(keys) = keys_of(applied, live) {
            let find = |item: &Value| live.iter().find(|other| key(other, keys) == key(item, keys));
            let mut seen = Vec::new();
            for item in applied {
                if let Some(there) = find(item) {
                    path.push(Hop::Item(key(there, keys)));
                    let there = self.through(item, there, path);
                    path.pop();
                    seen.push(there);
                }
            }
            // Nobody adds an item by default: who added it meant it.
            let more = live.iter().filter(|item| !applied.iter().any(|own| key(own, keys) == key(item, keys)));
            seen.extend(more.cloned());
            return seen;
        }
        if applied.len() != live.len() {
            return live.to_vec();
        }
        let mut seen = Vec::new();
        for (at, (item, there)) in applied.iter().zip(live).enumerate() {
            path.push(Hop::At(at));
            let there = self.through(item, there, path);
            path.pop();
            seen.push(there);
        }
        seen
    }

    fn extra(&mut self, path: &[Hop]) {
        let set_by = self.managed.iter().filter(|entry| !self.appliers.contains(&manager(entry)));
        let set_by = set_by.filter(|entry| owns(&entry["fieldsV1"], path)).map(manager).next_back();
        self.drift.extra.push(Extra { path: spell(path), set_by: set_by.map(str::to_owned) });
    }
}

fn manager(entry: &Value) -> &str {
    entry["manager"].as_str().unwrap_or_default()
}

/// Who applied the manifest: who set the labels or the record that KubeVela gives everything it applies.
pub fn appliers(managed: &[Value]) -> Vec<&str> {
    let marks =
        [("f:labels", "f:app.oam.dev/component"), ("f:annotations", "f:app.oam.dev/last-applied-configuration")];
    let applied = |entry: &&Value| {
        let metadata = &entry["fieldsV1"]["f:metadata"];
        marks.iter().any(|(within, mark)| !metadata[*within][*mark].is_null())
    };
    managed.iter().filter(applied).map(manager).collect()
}

/// Whether a set of fields (`fieldsV1`) holds what stands at a path, or anything under it.
fn owns(fields: &Value, path: &[Hop]) -> bool {
    let Some((hop, rest)) = path.split_first() else { return true };
    match hop {
        Hop::Field(name) => fields.get(format!("f:{name}")).is_some_and(|under| owns(under, rest)),
        Hop::Item(key) => fields.as_object().into_iter().flatten().any(|(name, under)| {
            let own = name.strip_prefix("k:").and_then(|json| serde_json::from_str::<Map<String, Value>>(json).ok());
            own.is_some_and(|own| own.iter().any(|(name, value)| key.get(name) == Some(value))) && owns(under, rest)
        }),
        Hop::At(_) => false,
    }
}

/// What tells the items of both lists apart, if anything does.
fn keys_of(applied: &[Value], live: &[Value]) -> Option<&'static [&'static str]> {
    if applied.is_empty() {
        return None;
    }
    let tells = |keys: &&[&'static str], list: &[Value]| {
        let first_is_there = |item: &Value| keys.first().is_some_and(|first| item.get(first).is_some());
        let is_plain = |key: &Map<String, Value>| !key.values().any(|part| part.is_object() || part.is_array());
        let all: Vec<Map<String, Value>> = list.iter().map(|item| key(item, keys)).collect();
        list.iter().all(|item| item.is_object() && first_is_there(item))
            && all.iter().all(is_plain)
            && all.iter().enumerate().all(|(at, one)| !all.iter().skip(at + 1).any(|other| other == one))
    };
    KEYS.into_iter().find(|keys| tells(keys, applied) && tells(keys, live))
}

fn key(item: &Value, keys: &[&str]) -> Map<String, Value> {
    let part = |name: &&str| {
        let default = KEY_DEFAULTS.iter().find(|(key, _)| key == name).map(|(_, default)| Value::from(*default));
        let value = item.get(*name).cloned().or(default)?;
        Some(((*name).to_owned(), value))
    };
    keys.iter().filter_map(part).collect()
}

/// What servers leave out.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.values().all(is_empty),
        Value::Bool(true) | Value::Number(_) => false,
    }
}

/// Whether two values that are written otherwise are one: a number and its text, two quantities of one size.
fn means_the_same(applied: &Value, live: &Value, path: &[Hop]) -> bool {
    if is_empty(applied) && is_empty(live) {
        return true;
    }
    match (applied, live) {
        (Value::Number(one), Value::Number(other)) => one.as_f64() == other.as_f64(),
        (Value::Number(_), Value::String(_)) | (Value::String(_), Value::Number(_))
            if plain(applied) == plain(live) =>
        {
            true
        }
        (Value::Number(_) | Value::String(_), Value::Number(_) | Value::String(_)) if is_quantity(path) => {
            let size = |value: &Value| quantity::parse(&plain(value));
            size(applied).is_some() && size(applied) == size(live)
        }
        _ => false,
    }
}

/// Whether quantities stand at a path; elsewhere `1` and `1000m` are two texts.
fn is_quantity(path: &[Hop]) -> bool {
    let mut names = path.iter().rev().filter_map(|hop| match hop {
        Hop::Field(name) => Some(name.as_str()),
        Hop::Item(_) | Hop::At(_) => None,
    });
    let last = names.next().unwrap_or_default();
    let above = names.next().unwrap_or_default();
    const MAPS: [&str; 12] = [
        "requests",
        "limits",
        "hard",
        "capacity",
        "allocatable",
        "overhead",
        "default",
        "defaultRequest",
        "min",
        "max",
        "maxLimitRequestRatio",
        "resources",
    ];
    const FIELDS: [&str; 5] = ["sizeLimit", "divisor", "averageValue", "storage", "value"];
    MAPS.contains(&above)
        || (FIELDS.contains(&last) && matches!(last, "sizeLimit" | "divisor" | "averageValue" | "storage"))
        || (last == "value" && above == "target")
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn spell(path: &[Hop]) -> String {
    let mut words = String::new();
    for hop in path {
        match hop {
            Hop::Field(name) if name.contains('.') => _ = write!(words, "[{name}]"),
            Hop::Field(name) => {
                if !words.is_empty() {
                    words.push('.');
                }
                words.push_str(name);
            }
            Hop::Item(key) => {
                let parts: Vec<String> = key.values().map(plain).collect();
                _ = write!(words, "[{}]", parts.join("/"));
            }
            Hop::At(at) => _ = write!(words, "[{at}]"),
        }
    }
    words
}

#[cfg(test)]
mod tests;
