//! What a deploy step means: which components, changed how, go to which clusters and namespaces.

use serde_json::{Value, json};

use super::merge;
use crate::demo::controllers::object;

/// A cluster that is joined to the hub, and the labels by which a topology may choose it.
#[derive(Debug, Clone)]
pub(super) struct Joined {
    pub(super) name: String,
    pub(super) labels: Value,
}

/// Where components go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Placement {
    pub(super) cluster: String,
    /// Empty: the application's own namespace.
    pub(super) namespace: String,
}

/// What a deploy step does.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Delivery {
    pub(super) placements: Vec<Placement>,
    pub(super) components: Vec<Value>,
}

/// Resolves a step's policies, in the words of KubeVela where it cannot be done. A step without a topology goes
/// to the hub.
pub(super) fn resolve(
    components: &[Value],
    policies: &[Value],
    names: &[&str],
    joined: &[Joined],
) -> Result<Delivery, String> {
    let mut placements: Vec<Placement> = Vec::new();
    let mut components = components.to_vec();
    let mut topologies = 0;
    for name in names {
        let Some(policy) = policies.iter().find(|policy| policy["name"] == *name) else {
            return Err(format!("policy {name} not found"));
        };
        let properties = &policy["properties"];
        match object::text(policy, "/type") {
            "topology" => {
                topologies += 1;
                for placement in topology(properties, joined)? {
                    if !placements.contains(&placement) {
                        placements.push(placement);
                    }
                }
            }
            "override" => components = merge::patch_components(&components, properties),
            _ => {}
        }
    }
    if topologies == 0 {
        placements.push(Placement { cluster: "local".to_owned(), namespace: String::new() });
    }
    Ok(Delivery { placements, components })
}

fn topology(properties: &Value, joined: &[Joined]) -> Result<Vec<Placement>, String> {
    let namespace = object::text(properties, "/namespace");
    let place = |cluster: &str| Placement { cluster: cluster.to_owned(), namespace: namespace.to_owned() };
    if let Some(clusters) = properties.get("clusters").and_then(Value::as_array) {
        return clusters
            .iter()
            .filter_map(Value::as_str)
            .map(|name| {
                if joined.iter().any(|one| one.name == name) {
                    Ok(place(name))
                } else {
                    Err(format!("failed to get cluster {name}: no such cluster"))
                }
            })
            .collect();
    }
    let selector = &properties["clusterLabelSelector"];
    if selector.is_object() {
        let found: Vec<Placement> = joined
            .iter()
            .filter(|one| object::matches(Some(selector), Some(&one.labels)))
            .map(|one| place(&one.name))
            .collect();
        if found.is_empty() && !object::flag(properties, "/allowEmpty") {
            return Err("failed to find any cluster matches given labels".to_owned());
        }
        return Ok(found);
    }
    Ok(vec![place("local")])
}

/// The steps that KubeVela makes up for an application that has none, and the mode of its workflow.
pub(super) fn steps(spec: &Value) -> (Vec<Value>, &'static str) {
    let written = object::list(spec, "/workflow/steps");
    if !written.is_empty() {
        return (written.to_vec(), "StepByStep");
    }
    let of = |kind: &str| -> Vec<Value> {
        object::list(spec, "/policies")
            .iter()
            .filter(|policy| policy["type"] == kind)
            .map(|policy| policy["name"].clone())
            .collect()
    };
    let (topologies, overrides) = (of("topology"), of("override"));
    let steps: Vec<Value> = if !topologies.is_empty() {
        topologies
            .iter()
            .map(|topology| {
                let mut policies = overrides.clone();
                policies.push(topology.clone());
                let name = format!("deploy-{}", topology.as_str().unwrap_or_default());
                json!({"name": name, "type": "deploy", "properties": {"policies": policies}})
            })
            .collect()
    } else if !overrides.is_empty() {
        vec![json!({"name": "deploy", "type": "deploy", "properties": {"policies": overrides}})]
    } else {
        object::list(spec, "/components")
            .iter()
            .map(|component| {
                let name = &component["name"];
                json!({"name": name, "type": "apply-component", "properties": {"component": name}})
            })
            .collect()
    };
    (steps, "DAG")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined() -> Vec<Joined> {
        vec![
            Joined { name: "local".into(), labels: json!({"cluster.core.oam.dev/control-plane": "true"}) },
            Joined { name: "foo".into(), labels: json!({"region": "eu"}) },
        ]
    }

    fn policies() -> Vec<Value> {
        vec![
            json!({"name": "here", "type": "topology", "properties": {"clusters": ["local"]}}),
            json!({"name": "eu", "type": "topology", "properties": {
                "clusterLabelSelector": {"region": "eu"}, "namespace": "prod"}}),
            json!({"name": "gone", "type": "topology", "properties": {"clusters": ["bar"]}}),
            json!({"name": "more", "type": "override", "properties": {"components": [
                {"name": "web", "properties": {"image": "b"}}]}}),
        ]
    }

    #[test]
    fn topologies_add_up_and_overrides_change_components() {
        let components = [json!({"name": "web", "type": "webservice", "properties": {"image": "a"}})];
        let made = resolve(&components, &policies(), &["here", "eu", "here", "more"], &joined()).unwrap();
        let places: Vec<_> = made.placements.iter().map(|one| (one.cluster.as_str(), one.namespace.as_str())).collect();
        assert_eq!(places, [("local", ""), ("foo", "prod")]);
        assert_eq!(made.components[0]["properties"]["image"], "b");
    }

    #[test]
    fn what_cannot_be_resolved_is_said_as_kubevela_says_it() {
        let error = |names: &[&str]| resolve(&[], &policies(), names, &joined()).unwrap_err();
        assert_eq!(error(&["gone"]), "failed to get cluster bar: no such cluster");
        assert_eq!(error(&["typo"]), "policy typo not found");
    }

    #[test]
    fn steps_are_made_up_where_none_are_written() {
        let policy = |name: &str, kind: &str| json!({"name": name, "type": kind});
        let named = |spec: &Value| -> Vec<String> {
            steps(spec).0.iter().map(|step| step["name"].as_str().unwrap_or_default().to_owned()).collect()
        };
        let spec = json!({"policies": [policy("a", "topology"), policy("o", "override"), policy("b", "topology")]});
        assert_eq!(named(&spec), ["deploy-a", "deploy-b"]);
        assert_eq!(steps(&spec).0[0]["properties"]["policies"], json!(["o", "a"]));
        assert_eq!(named(&json!({"components": [{"name": "web"}]})), ["web"]);
        assert_eq!(steps(&json!({})).1, "DAG");
    }
}
