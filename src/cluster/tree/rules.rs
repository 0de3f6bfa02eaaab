//! The operator's own rules of what is a child of what: ConfigMaps labelled `rules.oam.dev/resources` in the hub's
//! `vela-system`, as KubeVela's own tree reads them. One that cannot be read is passed over, as there.

use std::time::Duration;

use serde::Deserialize;

use crate::{
    cluster::{
        hub::Hub,
        request::{self, escape},
    },
    model::resource::Rule,
    yaml,
};

/// The label by which they are found; the form of the rules stands in another.
const LABEL: &str = "rules.oam.dev/resources";
/// Bytes that all of them may have.
const MOST: usize = 4 * 1024 * 1024;

#[derive(Default, Deserialize)]
#[serde(default)]
struct List {
    items: Vec<ConfigMap>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ConfigMap {
    data: Data,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Data {
    rules: String,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Entry {
    parent_resource_type: Parent,
    children_resource_type: Vec<Child>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Parent {
    group: String,
    kind: String,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Child {
    api_version: String,
    kind: String,
    default_label_selector: bool,
}

/// The rules; none where they cannot be read, as they only add to what owner references and labels tell.
pub(super) async fn read(hub: &Hub, deadline: Duration) -> Vec<Rule> {
    let path = format!("/api/v1/namespaces/vela-system/configmaps?labelSelector={}", escape(LABEL));
    let answer = request::get(&hub.client(), &path, request::JSON, MOST, deadline).await;
    let list: List = answer.ok().and_then(|bytes| request::decode(&bytes).ok()).unwrap_or_default();
    let mut rules: Vec<Rule> = list.items.iter().flat_map(|map| of(&map.data.rules)).collect();
    rules.sort();
    rules.dedup();
    rules
}

/// The rules of one text; YAML, of which JSON is a part.
pub(super) fn of(text: &str) -> Vec<Rule> {
    let documents = yaml::documents(text).unwrap_or_default();
    let entries = documents.into_iter().filter_map(|document| serde_json::from_value::<Vec<Entry>>(document).ok());
    let mut rules = Vec::new();
    for entry in entries.flatten() {
        let parent = &entry.parent_resource_type;
        for child in &entry.children_resource_type {
            let group = child.api_version.split_once('/').map_or("", |(group, _)| group);
            rules.push(Rule {
                parent: (parent.group.as_str().into(), parent.kind.as_str().into()),
                child: (group.into(), child.kind.as_str().into()),
                by_selector: child.default_label_selector,
            });
        }
    }
    rules.retain(|rule| !rule.parent.1.is_empty() && !rule.child.1.is_empty());
    rules
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read_in_yaml_and_json_and_nonsense_is_passed_over() {
        let text = "- parentResourceType:\n    group: apps.kruise.io\n    kind: CloneSet\n  childrenResourceType:\n    - apiVersion: v1\n      kind: Pod\n      defaultLabelSelector: true\n    - apiVersion: apps/v1\n      kind: ControllerRevision\n";
        let told: Vec<String> = of(text)
            .iter()
            .map(|rule| {
                format!("{}.{} -> {}.{} {}", rule.parent.1, rule.parent.0, rule.child.1, rule.child.0, rule.by_selector)
            })
            .collect();
        assert_eq!(
            told,
            ["CloneSet.apps.kruise.io -> Pod. true", "CloneSet.apps.kruise.io -> ControllerRevision.apps false"]
        );
        let json = r#"[{"parentResourceType": {"group": "", "kind": "A"}, "childrenResourceType": [{"apiVersion": "v1", "kind": "B"}]}]"#;
        assert_eq!(of(json).len(), 1);
        for nonsense in ["", "a: [", "just words", "- 1\n- 2", "- childrenResourceType: 3"] {
            assert_eq!(of(nonsense), [], "{nonsense}");
        }
    }
}
