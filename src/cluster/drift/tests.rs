use serde_json::json;

use super::*;
use crate::yaml;

fn root(key: &ResourceKey) -> Root {
    Root {
        key: key.clone(),
        version: "v1".into(),
        component: "hello".into(),
        made_by_trait: "".into(),
        tracked: Tracked::Updated,
    }
}

fn key(kind: &str) -> ResourceKey {
    ResourceKey {
        cluster: ClusterId::named("foo"),
        group: "".into(),
        kind: kind.into(),
        namespace: "default".into(),
        name: "hello".into(),
    }
}

#[test]
fn what_a_real_controller_applied_is_what_a_real_server_has() {
    let trackers: Value = serde_json::from_str(include_str!(
        "../../../tests/fixtures/estate/resourcetracker-helm-hello-04-succeeded.decoded.json"
    ))
    .unwrap();
    let live = yaml::documents(include_str!("../../../tests/fixtures/estate/flux-objects-local-ready.yaml")).unwrap();
    let live: Vec<Value> =
        live.into_iter().flat_map(|one| one["items"].as_array().cloned().unwrap_or_else(|| vec![one])).collect();
    let mut compared_with = 0;
    for entry in trackers[0]["content"].as_array().unwrap().iter().filter(|entry| entry["cluster"] == "local") {
        let of_kind = |object: &&Value| object["kind"] == entry["kind"] && object["metadata"]["name"] == entry["name"];
        let Some(live) = live.iter().find(of_kind) else { continue };
        let drift = drift::compare(&entry["raw"], live);
        assert!(!drift.is_drift(), "{}", Section::of_texts("", &text(&drift.applied), &text(&drift.live)).unified());
        compared_with += 1;
    }
    assert_eq!(compared_with, 2);
}

#[test]
fn a_secrets_content_is_neither_compared_nor_told() {
    let manifest = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
        "metadata": {"name": "hello", "labels": {"a": "b"}},
        "data": {"password": "aHVudGVyMg=="}, "stringData": {"token": "hunter2"},
    });
    let metadata = json!({
        "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata",
        "metadata": {"name": "hello", "uid": "u", "labels": {"a": "c"}},
    });
    for live in [Some(metadata), None] {
        let gone = live.is_none();
        let section = compared(&root(&key("Secret")), &manifest, Ok(live));
        assert_eq!(section.verdict.as_str(), if gone { "gone" } else { "differs" });
        assert!(section.ignored.iter().any(|line| line.contains("content of a Secret")), "{:?}", section.ignored);
        let all = format!("{section:?}{}", section.unified());
        assert!(!all.contains("aHVudGVyMg") && !all.contains("hunter2") && !all.contains("password"), "{all}");
        assert!(gone || all.contains("+    a: c"), "{all}");
    }
}

#[test]
fn where_the_tracker_keeps_no_manifest_the_objects_own_record_counts() {
    let record = json!({"kind": "ConfigMap", "data": {"a": "1"}}).to_string();
    let live = |record: &str| {
        json!({
            "kind": "ConfigMap",
            "metadata": {"name": "hello", "annotations": {"app.oam.dev/last-applied-configuration": record}},
            "data": {"a": "2"},
        })
    };
    let section = compared(&root(&key("ConfigMap")), &Value::Null, Ok(Some(live(&record))));
    assert_eq!(section.verdict, Verdict::Differs(1, 1), "{}", section.unified());
    for odd in ["-", "", "{"] {
        let section = compared(&root(&key("ConfigMap")), &Value::Null, Ok(Some(live(odd))));
        assert!(matches!(section.verdict, Verdict::Unknown(_)), "{odd}");
    }
    assert_eq!(compared(&root(&key("ConfigMap")), &Value::Null, Ok(None)).verdict, Verdict::Gone);
}

#[test]
fn what_others_set_is_named_without_kubernetes_own_controllers() {
    let manifest = json!({"kind": "Service", "metadata": {"name": "hello"}, "spec": {"type": "ClusterIP"}});
    let live = json!({
        "kind": "Service",
        "metadata": {"name": "hello", "labels": {"x": "y"}, "managedFields": [
            {"manager": "kubectl-label", "fieldsV1": {"f:metadata": {"f:labels": {"f:x": {}}}}},
            {"manager": "kube-controller-manager", "fieldsV1": {"f:spec": {"f:healthCheckNodePort": {}}}},
        ]},
        "spec": {"type": "ClusterIP", "healthCheckNodePort": 1, "clusterIP": "10.0.0.1"},
    });
    let section = compared(&root(&key("Service")), &manifest, Ok(Some(live)));
    assert_eq!(section.verdict, Verdict::Same);
    assert_eq!(section.set_by, ["kubectl-label".into()] as [Text; 1]);
    assert_eq!(
        section.ignored.iter().map(|line| &**line).collect::<Vec<_>>(),
        [
            "metadata.labels: not in the manifest, set by kubectl-label",
            "spec.healthCheckNodePort: not in the manifest, set by kube-controller-manager",
            "spec.clusterIP: not in the manifest",
            "what the server keeps: managedFields",
        ]
    );
}
