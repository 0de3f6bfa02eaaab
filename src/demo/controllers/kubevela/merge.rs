//! How an override policy changes components: KubeVela's PatchComponents, written here for the controller's side.
//!
//! The dashboard has its own of this to tell beforehand what an override will do; the two must not share code,
//! or the demonstration would agree with a mistake.

use serde_json::{Map, Value, json};

use crate::demo::controllers::object;

/// Applies one override's `components` and `selector` to an application's components.
///
/// A patch without a name meets every component (of its type, if it says one); a name is a regular expression
/// that may match anywhere in a component's name, `*` meaning anything. A patch that meets nothing adds a
/// component.
pub(super) fn patch_components(base: &[Value], properties: &Value) -> Vec<Value> {
    let mut all = base.to_vec();
    for patch in object::list(properties, "/components") {
        let (name, kind) = (object::text(patch, "/name"), object::text(patch, "/type"));
        if name.is_empty() {
            for component in &mut all {
                if kind.is_empty() || component["type"] == kind {
                    merge_component(component, patch);
                }
            }
            continue;
        }
        let pattern = regex::Regex::new(&name.replace('*', ".*")).ok();
        let meets = |component: &Value| {
            let other = object::text(component, "/name");
            other == name || pattern.as_ref().is_some_and(|pattern| pattern.is_match(other))
        };
        let mut met = false;
        for component in all.iter_mut().filter(|component| meets(component)) {
            met = true;
            if kind.is_empty() || component["type"] == kind {
                merge_component(component, patch);
            } else {
                *component = patch.clone();
            }
        }
        if !met {
            all.push(patch.clone());
        }
    }
    if let Some(selector) = properties.get("selector").and_then(Value::as_array) {
        all.retain(|component| selector.contains(&component["name"]));
    }
    all
}

fn merge_component(component: &mut Value, patch: &Value) {
    if patch["properties"].is_object() {
        if component["properties"].is_null() {
            component["properties"] = json!({});
        }
        merge(&mut component["properties"], &patch["properties"]);
    }
    if let Some(revision) = patch["externalRevision"].as_str().filter(|one| !one.is_empty()) {
        component["externalRevision"] = json!(revision);
    }
    let mut traits = object::list(component, "/traits").to_vec();
    for wanted in object::list(patch, "/traits") {
        let disable = object::flag(wanted, "/disable");
        let found = traits.iter_mut().find(|known| known["type"] == wanted["type"]);
        match found {
            Some(_) if disable => traits.retain(|known| known["type"] != wanted["type"]),
            Some(known) => {
                if known["properties"].is_null() {
                    known["properties"] = json!({});
                }
                merge(&mut known["properties"], &wanted["properties"]);
            }
            None if disable => {}
            None => {
                let mut new = wanted.clone();
                object::unset(&mut new, &["disable"]);
                traits.push(new);
            }
        }
    }
    if !traits.is_empty() || component.get("traits").is_some() {
        component["traits"] = Value::Array(traits);
    }
}

/// mergo's merge with override: maps go together, everything else, zero and null included, is replaced.
fn merge(base: &mut Value, patch: &Value) {
    match (&mut *base, patch) {
        (Value::Object(base), Value::Object(patch)) => merge_maps(base, patch),
        (_, Value::Null) => {}
        (base, patch) => *base = patch.clone(),
    }
}

fn merge_maps(base: &mut Map<String, Value>, patch: &Map<String, Value>) {
    for (key, value) in patch {
        match (base.get_mut(key), value) {
            (Some(Value::Object(base)), Value::Object(patch)) => merge_maps(base, patch),
            _ => {
                base.insert(key.clone(), value.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patched(properties: &Value) -> Vec<Value> {
        let base = [json!({
            "name": "web",
            "type": "webservice",
            "properties": {
                "image": "a:v1",
                "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
                "res": {"cpu": "1", "mem": "1Gi"},
            },
            "traits": [{"type": "scaler", "properties": {"replicas": 1}}],
        })];
        patch_components(&base, properties)
    }

    #[test]
    fn maps_are_merged_and_arrays_replaced() {
        let all = patched(&json!({"components": [{"name": "web", "properties": {
            "image": "a:v2", "env": [{"name": "A", "value": "9"}], "res": {"cpu": "2"}, "port": null,
        }}]}));
        assert_eq!(
            all[0]["properties"],
            json!({
                "image": "a:v2",
                "env": [{"name": "A", "value": "9"}],
                "res": {"cpu": "2", "mem": "1Gi"},
                "port": null,
            })
        );
    }

    #[test]
    fn names_match_anywhere_and_what_matches_nothing_is_added() {
        let all = patched(&json!({"components": [
            {"name": "we", "properties": {"image": "b"}},
            {"name": "api", "type": "worker", "properties": {"image": "c"}},
        ]}));
        assert_eq!(all[0]["properties"]["image"], "b");
        assert_eq!(all[1]["name"], "api");
    }

    #[test]
    fn another_type_replaces_the_component() {
        let all = patched(&json!({"components": [{"name": "web", "type": "worker"}]}));
        assert_eq!(all, [json!({"name": "web", "type": "worker"})]);
    }

    #[test]
    fn traits_are_merged_added_and_taken_away_by_type() {
        let all = patched(&json!({"components": [{"traits": [
            {"type": "scaler", "properties": {"replicas": 3}},
            {"type": "expose"},
        ]}]}));
        assert_eq!(all[0]["traits"][0]["properties"]["replicas"], 3);
        assert_eq!(all[0]["traits"][1]["type"], "expose");
        let all = patched(&json!({"components": [{"traits": [{"type": "scaler", "disable": true}]}]}));
        assert_eq!(all[0]["traits"], json!([]));
    }

    #[test]
    fn a_selector_keeps_what_it_names() {
        assert!(patched(&json!({"selector": []})).is_empty());
        assert_eq!(patched(&json!({"selector": ["web"]})).len(), 1);
    }
}
