//! The tree and how everything in it stands, for what real and recorded clusters answered.

use std::fmt::Write as _;

use insta::assert_snapshot;
use serde_json::Value;

use super::{question::Asker, rules};
use crate::{
    cluster::{discovery::Served, project, trackers},
    model::{
        key::ClusterId,
        resource::{Resource, Rule},
        tree::{Found, Gap, Tree, What, assemble, merged},
    },
    yaml,
};

const NOW: &str = "2026-11-23T12:00:00Z";

macro_rules! fixture {
    ($path:literal) => {
        documents(include_str!(concat!("../../../tests/fixtures/", $path)))
    };
}

/// The documents of a file, those of a `List` one by one.
fn documents(text: &str) -> Vec<Value> {
    let documents = yaml::documents(text).unwrap();
    let listed = |document: Value| document["items"].as_array().cloned().unwrap_or_else(|| vec![document]);
    documents.into_iter().flat_map(listed).collect()
}

/// Objects of a cluster as the tree sees them.
fn resources(cluster: &str, documents: &[Value]) -> Vec<Resource> {
    let objects = documents.iter().filter(|object| object["kind"] != "Event");
    let made = objects.filter_map(|object| {
        let version = object["apiVersion"].as_str().unwrap();
        let group = version.split_once('/').map_or("", |(group, _)| group);
        let kind = object["kind"].as_str().unwrap();
        project::resource(&ClusterId::named(cluster), group, kind, object, NOW.parse().unwrap())
    });
    made.collect()
}

fn found(trackers: &[Value], generation: i64) -> Found {
    let object = serde_json::json!({"metadata": {"generation": generation}});
    let (roots, notes) = trackers::joined::<serde::de::IgnoredAny>(trackers, &object);
    assert!(notes.is_empty(), "{notes:?}");
    Found { roots: roots.into_iter().map(|(root, _)| root).collect(), ..Found::default() }
}

fn told(tree: &Tree) -> String {
    let mut text = String::new();
    for node in &tree.nodes {
        let name = match &node.what {
            What::Cluster(cluster) => cluster.to_string(),
            What::Object(key) if key.namespace.is_empty() => format!("{}/{}", key.kind, key.name),
            What::Object(key) => format!("{}/{} in {}", key.kind, key.name, key.namespace),
            What::Idle(key, count) => format!("{count} older {}", key.kind),
        };
        let tracked = node.tracked.map_or("", |tracked| tracked.as_str());
        let places: Vec<String> =
            node.places.iter().map(|(cluster, health)| format!("{cluster} {}", health.as_str())).collect();
        let indent = "  ".repeat(node.depth);
        let line =
            format!("{indent}{name}  {}  {tracked} {} {}", node.health.as_str(), places.join(", "), node.message);
        writeln!(text, "{}", line.trim_end()).unwrap();
    }
    text
}

#[test]
fn a_delivery_with_its_release_under_way_in_foo() {
    let mut found = found(&fixture!("samples/09-resourcetrackers-helm-hello.yaml"), 2);
    found.resources = resources("local", &fixture!("samples/10-helmrelease-helmrepo-local-ready.yaml"));
    let states = fixture!("samples/11-helmrelease-foo-progressing-and-failed.yaml");
    found.resources.extend(resources("foo", &states[..1]));
    found.resources.extend(resources("foo", &fixture!("samples/13-helmrelease-children-foo.yaml")));
    let tree = assemble(&found);
    assert_snapshot!("under_way", told(&tree));
    assert_snapshot!("under_way_merged", told(&merged(&tree)));
}

#[test]
fn retries_exhausted_and_pods_that_fail() {
    let mut found = found(&fixture!("samples/21-resourcetracker-zstd.yaml"), 2);
    let states = fixture!("samples/11-helmrelease-foo-progressing-and-failed.yaml");
    found.resources = resources("foo", &states[1..]);
    found.resources.extend(resources("foo", &fixture!("samples/13-helmrelease-children-foo.yaml")));
    found.resources.extend(resources("foo", &fixture!("samples/14-pods-unhealthy-and-events-foo.yaml")));
    assert_snapshot!("retries_exhausted", told(&assemble(&found)));
}

#[test]
fn an_inventory_names_what_a_release_made_and_what_is_gone() {
    let mut found = found(&fixture!("samples/22-resourcetracker-gzip.yaml"), 2);
    found.resources = resources("foo", &fixture!("samples/12-helmrelease-foo-v2-ready-with-inventory.yaml"));
    let mut children = resources("foo", &fixture!("samples/13-helmrelease-children-foo.yaml"));
    // As if the labels were not there, and the Service had been deleted by hand.
    for child in &mut children {
        child.made_by = None;
    }
    children.retain(|child| &*child.key.kind != "Service");
    found.resources.extend(children);
    assert_snapshot!("inventory", told(&assemble(&found)));
}

#[test]
fn what_a_real_controller_and_a_real_flux_wrote() {
    let mut found = found(&fixture!("captures/resourcetracker-helm-hello-04-succeeded.yaml"), 1);
    found.resources = resources("local", &fixture!("captures/flux-objects-local-ready.yaml"));
    let reason = "dial tcp 127.0.0.1:6443: connect: connection refused".into();
    found.incomplete.push(Gap { cluster: ClusterId::named("foo"), kind: None, reason });
    assert_snapshot!("captured", told(&assemble(&found)));
}

/// What is drawn first, when nothing but the hub has answered.
#[test]
fn every_recorded_application_has_a_first_picture() {
    let applications = [
        ("waiting", fixture!("samples/01-app-helm-hello-suspended.yaml")),
        ("1.4", fixture!("samples/02-app-helm-hello-suspended-legacy-v1.4.yaml")),
        ("foo", fixture!("samples/03-app-helm-hello-running-deploy2foo.yaml")),
        ("done", fixture!("samples/04-app-helm-hello-running-done.yaml")),
        ("test and prod", fixture!("samples/08-app-hello-kubernetes-test-prod.yaml")),
        ("groups", fixture!("samples/19-app-step-group-suspend.yaml")),
        ("captured, local", fixture!("captures/app-helm-hello-01-deploying-local.yaml")),
        ("captured, waiting", fixture!("captures/app-helm-hello-02-suspended.yaml")),
        ("captured, done", fixture!("captures/app-helm-hello-04-succeeded.yaml")),
        ("captured, failed", fixture!("captures/app-helm-hello-08-workflowFailed-foo-down.yaml")),
        ("captured, native", fixture!("captures/app-web-hello-unhealthy.yaml")),
    ];
    let mut text = String::new();
    for (title, documents) in applications {
        let row = project::application(&documents[0]);
        let mut clusters: Vec<ClusterId> = row.placements.iter().map(|placement| placement.cluster.clone()).collect();
        clusters.extend(row.services.iter().map(|service| service.cluster.clone()));
        let roots = trackers::by_status(&documents[0]);
        let asking = roots.iter().map(|root| root.key.cluster.clone()).collect();
        let found = Found { roots, clusters, asking, ..Found::default() };
        writeln!(text, "--- {title}\n{}", told(&assemble(&found))).unwrap();
    }
    assert_snapshot!("first_pictures", text);
}

fn asker(rules: Vec<Rule>) -> Asker {
    let uri = http::Uri::from_static("http://127.0.0.1:1");
    Asker {
        cluster: ClusterId::named("foo"),
        client: kube::Client::try_from(kube::Config::new(uri)).unwrap(),
        rules: rules.into(),
        stirred: std::sync::Arc::default(),
    }
}

fn served(group: &str, kind: &str) -> Served {
    let plural = format!("{}s", kind.to_ascii_lowercase());
    Served {
        group: group.to_owned(),
        version: "v1".to_owned(),
        kind: kind.to_owned(),
        plural,
        namespaced: true,
        watchable: true,
    }
}

#[tokio::test]
async fn a_kind_without_rules_is_told_in_the_servers_own_columns() {
    let text = include_str!("../../../tests/fixtures/samples/17-table-helmrelease.json");
    let rows = asker(Vec::new()).read_page(&served("example.dev", "Thing"), text).unwrap();
    let told: Vec<String> =
        rows.iter().map(|row| format!("{} {} {}", row.key.name, row.health.as_str(), row.message)).collect();
    assert_eq!(told, ["hello ok Ready: True  Status: Release reconciliation succeeded"]);
}

#[tokio::test]
async fn the_operators_rules_find_children_by_the_parents_selector() {
    let map = &fixture!("samples/16-topology-rules-configmap.yaml")[0];
    let rules = rules::of(map["data"]["rules"].as_str().unwrap());
    let by_selector = rules.iter().find(|rule| rule.by_selector).unwrap().clone();
    let (group, kind) = (by_selector.parent.0.to_string(), by_selector.parent.1.to_string());
    let asker = asker(rules.clone());
    let page = |kind: &Served, item: Value| {
        let text = serde_json::json!({"items": [item]}).to_string();
        asker.read_page(kind, &text).unwrap()
    };
    let mut resources = page(
        &served(&group, &kind),
        serde_json::json!({"metadata": {"name": "set", "namespace": "web", "uid": "1"}, "spec": {"selector": {"matchLabels": {"app": "x"}}}}),
    );
    let child = served(&by_selector.child.0, &by_selector.child.1);
    for (name, app) in [("mine", "x"), ("strange", "y")] {
        resources.extend(page(
            &child,
            serde_json::json!({"metadata": {"name": name, "namespace": "web", "uid": name, "labels": {"app": app}}}),
        ));
    }
    let root = crate::model::resource::Root {
        key: resources[0].key.clone(),
        version: "v1".into(),
        component: "web".into(),
        made_by_trait: "".into(),
        tracked: crate::model::resource::Tracked::Updated,
    };
    let tree = assemble(&Found { roots: vec![root], resources, rules, ..Found::default() });
    let names: Vec<String> = tree.nodes.iter().map(|node| format!("{:?}", node.what)).collect();
    assert_eq!(names.len(), 3, "{names:?}");
    assert!(names[2].contains("mine"), "{names:?}");
}

#[tokio::test]
async fn a_custom_resource_is_told_by_its_conditions_where_its_columns_say_nothing() {
    let page = |status: &Value| {
        let object =
            serde_json::json!({"metadata": {"name": "db", "namespace": "web", "generation": 2}, "status": status});
        let row = serde_json::json!({"cells": ["db", "3"], "object": object});
        let columns = serde_json::json!([{"name": "Name"}, {"name": "Size"}]);
        let text = serde_json::json!({"kind": "Table", "columnDefinitions": columns, "rows": [row]}).to_string();
        let rows = asker(Vec::new()).read_page(&served("example.dev", "Database"), &text).unwrap();
        format!("{} {}", rows[0].health.as_str(), rows[0].message)
    };
    let condition = |kind: &str, status: &str| {
        serde_json::json!({"observedGeneration": 2, "conditions": [
            {"type": kind, "status": status, "reason": "NoSpace", "message": "the disk is full"}]})
    };
    assert_eq!(page(&condition("Ready", "True")), "ok Size: 3");
    assert_eq!(page(&condition("Stalled", "True")), "failed NoSpace: the disk is full");
    assert_eq!(page(&condition("Ready", "False")), "progressing NoSpace: the disk is full");
    assert_eq!(page(&serde_json::json!({"observedGeneration": 1})), "progressing the newest spec is not observed yet");
}

/// The clusters that a hub knows, and an application that a label of theirs sends to one of them.
#[test]
fn clusters_of_the_registry_and_what_is_meant_for_them() {
    let documents = fixture!("samples/15-clusters.yaml");
    let clusters: Vec<_> = documents.iter().filter(|object| object["kind"] == "VirtualCluster").collect();
    let mut text = String::new();
    let mut ids = Vec::new();
    for cluster in clusters.into_iter().filter_map(project::cluster) {
        let labels: Vec<String> = cluster.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let (id, alias, kind) = (&cluster.id, &cluster.alias, &cluster.kind);
        writeln!(text, "{id} “{alias}” {kind} {} [{}]", cluster.endpoint, labels.join(", ")).unwrap();
        ids.push(cluster.id);
    }
    let mut found = found(&fixture!("samples/09-resourcetrackers-helm-hello.yaml"), 2);
    found.clusters.clone_from(&ids);
    found.asking = ids;
    write!(text, "\n{}", told(&assemble(&found))).unwrap();
    assert_snapshot!("clusters", text);
}

/// What revisions kept says which objects a tree had: those of the first revision are rows of the history now.
#[test]
fn revisions_have_the_trackers_of_their_generations() {
    let mut text = String::new();
    for revision in fixture!("samples/18-applicationrevisions-helm-hello.yaml") {
        let name = revision["metadata"]["name"].as_str().unwrap();
        let generation: i64 = name.rsplit_once("-v").unwrap().1.parse().unwrap();
        let application = &revision["spec"]["application"];
        let row = project::application(application);
        let mut found = found(&fixture!("samples/09-resourcetrackers-helm-hello.yaml"), generation);
        found.clusters = row.placements.iter().map(|placement| placement.cluster.clone()).collect();
        writeln!(text, "--- {name}\n{}", told(&assemble(&found))).unwrap();
    }
    assert_snapshot!("revisions", text);
}

/// KubeVela's own `helmchart` has no HelmRelease: everything that the chart renders is tracked, and with it a ConfigMap
/// that says which release it was, and Helm's Secret, whose content nobody reads.
#[test]
fn a_native_helm_chart_is_told_by_what_it_rendered() {
    let entry = |version: &str, kind: &str, name: &str, by_trait: bool| {
        let mut entry = serde_json::json!({
            "apiVersion": version, "kind": kind, "name": name, "namespace": "web", "cluster": "foo", "component": "hello",
        });
        if by_trait {
            entry["trait"] = "AuxiliaryWorkload".into();
        }
        entry
    };
    let tracker = serde_json::json!({
        "metadata": {"name": "web-v1-web", "labels": {"app.oam.dev/name": "web", "app.oam.dev/namespace": "web"}},
        "spec": {"type": "versioned", "applicationGeneration": 1, "managedResources": [
            entry("v1", "ConfigMap", "hello-helm-release", false),
            entry("apps/v1", "Deployment", "hello", true),
            entry("v1", "Service", "hello", true),
            entry("v1", "Secret", "sh.helm.release.v1.hello.v1", true),
        ]},
    });
    let mut found = found(&[tracker], 1);
    let object = |version: &str, kind: &str, name: &str, more: Value| {
        let mut object = serde_json::json!({
            "apiVersion": version, "kind": kind,
            "metadata": {"name": name, "namespace": "web", "uid": format!("{kind}-{name}"), "generation": 1,
                "annotations": {"app.oam.dev/owner": "helm-provider", "meta.helm.sh/release-name": "hello"},
                "labels": {"app.oam.dev/name": "web", "app.oam.dev/component": "hello"}},
        });
        for (key, value) in more.as_object().into_iter().flatten() {
            if key == "owner" {
                let owner =
                    serde_json::json!([{"kind": value[0], "name": "hello", "uid": value[1], "controller": true}]);
                object["metadata"]["ownerReferences"] = owner;
            } else {
                object[key] = value.clone();
            }
        }
        object
    };
    let objects = [
        object(
            "v1",
            "ConfigMap",
            "hello-helm-release",
            serde_json::json!({"data": {"releaseName": "hello", "resourceCount": "2"}}),
        ),
        object(
            "apps/v1",
            "Deployment",
            "hello",
            serde_json::json!({"spec": {"replicas": 1},
            "status": {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 0}}),
        ),
        object(
            "apps/v1",
            "ReplicaSet",
            "hello-7d",
            serde_json::json!({"owner": ["Deployment", "Deployment-hello"],
            "spec": {"replicas": 1}, "status": {"replicas": 1}}),
        ),
        object(
            "v1",
            "Pod",
            "hello-7d-x",
            serde_json::json!({"owner": ["ReplicaSet", "ReplicaSet-hello-7d"],
            "spec": {"containers": [{"name": "hello", "image": "hello:9"}]},
            "status": {"phase": "Pending", "containerStatuses": [{"name": "hello", "image": "hello:9", "ready": false,
                "restartCount": 0, "state": {"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}}}]}}),
        ),
        object("v1", "Service", "hello", serde_json::json!({"spec": {"type": "ClusterIP", "ports": [{"port": 80}]}})),
        object("v1", "Secret", "sh.helm.release.v1.hello.v1", serde_json::json!({"type": "helm.sh/release.v1"})),
    ];
    found.resources = resources("foo", &objects);
    let tree = assemble(&found);
    assert!(!tree.nodes.iter().any(|node| matches!(&node.what, What::Object(key) if &*key.kind == "HelmRelease")));
    assert_snapshot!("native_helm_chart", told(&tree));
}
