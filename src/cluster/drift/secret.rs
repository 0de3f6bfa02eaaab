//! Secrets in a comparison: told by key and size, never by value.
//!
//! Of a Secret only the metadata is fetched, unless a person has asked for more: what is there is known from its managed
//! fields then, which name the keys and who set them. Either way words stand for values from here on.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Map, Value};

use crate::model::{drift::appliers, key::Text};

/// Annotations that may hold what was applied, and so the content, end in this.
const RECORD: &str = "last-applied-configuration";

/// The content of a Secret's two sides, taken out of them; words for it are put in its place.
#[derive(Debug, Default)]
pub(super) struct Veil {
    /// What was left out of the comparison, and why; a line each.
    pub ignored: Vec<Text>,
    /// Who set entries, where it was not who applied the manifest.
    pub set_by: Vec<Text>,
}

/// Takes the content out of a manifest and of the live object. `is_whole` says whether the live one was fetched with its
/// content.
pub(super) fn veil(manifest: &mut Value, live: Option<&mut Value>, is_whole: bool) -> Veil {
    let mut veil = Veil::default();
    let wanted = content(manifest);
    without_records(manifest);
    if let Some(manifest) = manifest.as_object_mut() {
        // Left out where only metadata was fetched.
        for field in ["type", "immutable"].iter().filter(|_| !is_whole) {
            manifest.shift_remove(*field);
        }
        let told = |(key, bytes): (&String, &Vec<u8>)| (key.clone(), Value::from(size(bytes)));
        if !wanted.is_empty() {
            manifest.insert("data".to_owned(), Value::Object(wanted.iter().map(told).collect()));
        }
    }
    let Some(live) = live else { return veil };
    without_records(live);
    let there = content(live);
    let managed = live["metadata"]["managedFields"].as_array().cloned().unwrap_or_default();
    let mut data = Map::new();
    if is_whole {
        for (key, bytes) in &there {
            let word = match wanted.get(key) {
                Some(own) if own == bytes => size(bytes),
                Some(own) if own.len() == bytes.len() => format!("{}, other ones", size(bytes)),
                _ => size(bytes),
            };
            data.insert(key.clone(), word.into());
        }
    } else {
        if !wanted.is_empty() {
            veil.ignored.push("the content of a Secret, which is not fetched".into());
        }
        let owners = owners(&managed);
        let appliers = appliers(&managed);
        for (key, bytes) in &wanted {
            match owners.get(key.as_str()) {
                // Not told who set what: nothing is known of this key.
                None if owners.is_empty() => {}
                None => continue,
                Some(names) if names.iter().any(|name| appliers.contains(name)) => {}
                Some(names) => {
                    let by = names.join(", ");
                    veil.ignored.push(format!("data.{key}: set by {by} since it was applied").into());
                    veil.set_by.extend(names.iter().map(|name| Text::from(*name)));
                }
            }
            data.insert(key.clone(), size(bytes).into());
        }
        let more = owners.keys().filter(|key| !wanted.contains_key(**key));
        data.extend(more.map(|key| ((*key).to_owned(), "not fetched".into())));
    }
    if !data.is_empty() {
        live["data"] = Value::Object(data);
    }
    veil
}

/// Takes out `data` and `stringData`, as bytes by key; the latter counts, as it does to a server.
fn content(object: &mut Value) -> BTreeMap<String, Vec<u8>> {
    let Some(object) = object.as_object_mut() else { return BTreeMap::new() };
    let mut all = BTreeMap::new();
    for section in ["data", "stringData"] {
        let Some(Value::Object(entries)) = object.shift_remove(section) else { continue };
        for (key, value) in entries {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let bytes = match section {
                "data" => STANDARD.decode(text.trim()).unwrap_or_else(|_| text.into_bytes()),
                _ => text.into_bytes(),
            };
            all.insert(key, bytes);
        }
    }
    all
}

fn without_records(object: &mut Value) {
    if let Some(annotations) = object.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut) {
        annotations.retain(|name, _| !name.ends_with(RECORD));
    }
}

fn size(bytes: &[u8]) -> String {
    format!("({} bytes)", bytes.len())
}

/// The keys of `data` that managed fields name, with those that set them.
fn owners(managed: &[Value]) -> BTreeMap<&str, Vec<&str>> {
    let mut owners: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for entry in managed {
        let fields = entry["fieldsV1"]["f:data"].as_object();
        for key in fields.into_iter().flatten().filter_map(|(name, _)| name.strip_prefix("f:")) {
            owners.entry(key).or_default().push(entry["manager"].as_str().unwrap_or("somebody"));
        }
    }
    owners
}
