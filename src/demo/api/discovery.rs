//! What the server says it serves.

use serde_json::{Value, json};

use crate::demo::gateway;
use crate::demo::kinds::{KINDS, Kind};
use crate::demo::world::{Cluster, World};

/// `/version`.
pub(crate) fn version() -> Value {
    json!({
        "major": "1", "minor": "34", "gitVersion": "v1.34.4", "gitTreeState": "clean", "goVersion": "go1.24.11",
        "compiler": "gc", "platform": "linux/amd64",
    })
}

/// `/api`.
pub(crate) fn core_versions(cluster: &Cluster) -> Value {
    json!({
        "kind": "APIVersions", "versions": ["v1"],
        "serverAddressByClientCIDRs": [{ "clientCIDR": "0.0.0.0/0", "serverAddress": cluster.addr.to_string() }],
    })
}

/// `/apis`, or one group of it.
pub(crate) fn groups(world: &World, cluster: &Cluster) -> Value {
    let groups: Vec<Value> =
        group_versions(world, cluster).iter().map(|(group, versions)| describe(group, versions)).collect();
    json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": groups })
}

/// `/apis/GROUP`.
pub(crate) fn group(world: &World, cluster: &Cluster, name: &str) -> Option<Value> {
    let (group, versions) = group_versions(world, cluster).into_iter().find(|(group, _)| *group == name)?;
    let mut described = describe(group, &versions);
    described["kind"] = "APIGroup".into();
    described["apiVersion"] = "v1".into();
    Some(described)
}

fn describe(group: &str, versions: &[&str]) -> Value {
    let version = |version: &&str| json!({ "groupVersion": format!("{group}/{version}"), "version": version });
    json!({
        "name": group,
        "versions": versions.iter().map(version).collect::<Vec<_>>(),
        "preferredVersion": versions.first().map(version),
    })
}

fn group_versions(world: &World, cluster: &Cluster) -> Vec<(&'static str, Vec<&'static str>)> {
    let mut groups: Vec<(&str, Vec<&str>)> =
        vec![("authentication.k8s.io", vec!["v1"]), ("authorization.k8s.io", vec!["v1"])];
    if cluster.is_hub() && gateway::is_named(world) {
        groups.push(("cluster.core.oam.dev", vec!["v1alpha1"]));
    }
    for kind in KINDS.iter().filter(|kind| !kind.group.is_empty() && cluster.serves(kind)) {
        match groups.iter_mut().find(|(group, _)| *group == kind.group) {
            Some((_, versions)) if versions.contains(&kind.version) => {}
            Some((_, versions)) => versions.push(kind.version),
            None => groups.push((kind.group, vec![kind.version])),
        }
    }
    groups
}

const READ: [&str; 3] = ["get", "list", "watch"];
const ALL: [&str; 8] = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];

/// `/api/v1` or `/apis/GROUP/VERSION`.
pub(crate) fn resources(cluster: &Cluster, group: &str, version: &str) -> Option<Value> {
    let mut resources = Vec::new();
    let mut add = |name: &str, singular: &str, namespaced: bool, kind: &str, verbs: &[&str]| {
        resources.push(json!({
            "name": name, "singularName": singular, "namespaced": namespaced, "kind": kind, "verbs": verbs,
        }));
    };
    match (group, version) {
        ("authorization.k8s.io", "v1") => {
            add("selfsubjectaccessreviews", "selfsubjectaccessreview", false, "SelfSubjectAccessReview", &["create"]);
            add("selfsubjectrulesreviews", "selfsubjectrulesreview", false, "SelfSubjectRulesReview", &["create"]);
        }
        ("authentication.k8s.io", "v1") => {
            add("selfsubjectreviews", "selfsubjectreview", false, "SelfSubjectReview", &["create"]);
        }
        ("cluster.core.oam.dev", "v1alpha1") if cluster.is_hub() => {
            for (name, singular, kind, verbs) in gateway::RESOURCES {
                add(name, singular, false, kind, verbs);
            }
        }
        _ => {
            for kind in
                KINDS.iter().filter(|kind| kind.group == group && kind.version == version && cluster.serves(kind))
            {
                resources.extend(entries(kind));
            }
        }
    }
    if resources.is_empty() {
        return None;
    }
    let group_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    Some(
        json!({ "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": resources }),
    )
}

fn entries(kind: &Kind) -> Vec<Value> {
    let verbs: &[&str] = if kind.group == "metrics.k8s.io" { &READ } else { &ALL };
    let mut own = json!({
        "name": kind.plural, "singularName": kind.singular(), "namespaced": kind.namespaced, "kind": kind.name,
        "verbs": verbs,
    });
    if !kind.short.is_empty() {
        own["shortNames"] = json!(kind.short);
    }
    if kind.all {
        own["categories"] = json!(["all"]);
    }
    let mut entries = vec![own];
    let mut add = |subresource: &str, group_kind: Option<(&str, &str, &str)>, verbs: &[&str]| {
        let mut entry = json!({
            "name": format!("{}/{subresource}", kind.plural), "singularName": "", "namespaced": kind.namespaced,
            "kind": group_kind.map_or(kind.name, |(_, _, kind)| kind), "verbs": verbs,
        });
        if let Some((group, version, _)) = group_kind.filter(|(group, ..)| !group.is_empty()) {
            entry["group"] = group.into();
            entry["version"] = version.into();
        }
        entries.push(entry);
    };
    if kind.status {
        add("status", None, &["get", "patch", "update"]);
    }
    if kind.scale {
        add("scale", Some(("autoscaling", "v1", "Scale")), &["get", "patch", "update"]);
    }
    if kind.name == "Pod" {
        add("log", None, &["get"]);
        add("exec", Some(("", "v1", "PodExecOptions")), &["create", "get"]);
        add("portforward", Some(("", "v1", "PodPortForwardOptions")), &["create", "get"]);
        add("eviction", Some(("policy", "v1", "Eviction")), &["create"]);
    }
    entries
}
