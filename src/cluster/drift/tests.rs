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

fn login() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
        "metadata": {"name": "hello", "labels": {"a": "b"}, "annotations": {
            "kubectl.kubernetes.io/last-applied-configuration": "{\"stringData\":{\"token\":\"hunter2\"}}"}},
        "data": {"password": "aHVudGVyMg==", "user": "bWVp"}, "stringData": {"token": "hunter2"},
    })
}

/// Everything that is told of a section, wherever it goes: screen, scripts, logs.
fn told(section: &Section) -> String {
    let all = format!("{section:?}\n{}{:?}", section.unified(), section.ignored);
    for value in ["aHVudGVy", "hunter", "bWVp", "mei", "c3dvcmRmaXNo", "swordfish"] {
        assert!(!all.contains(value), "{value}: {all}");
    }
    all
}

#[test]
fn a_secrets_content_is_not_told_where_only_metadata_was_fetched() {
    let metadata = json!({
        "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata",
        "metadata": {"name": "hello", "uid": "u", "labels": {"a": "c", "app.oam.dev/component": "x"}, "annotations": {
                "app.oam.dev/last-applied-configuration": "{\"data\":{\"password\":\"c3dvcmRmaXNo\"}}"},
            "managedFields": [
                {"manager": "kubevela", "fieldsV1": {"f:metadata": {"f:labels": {"f:app.oam.dev/component": {}}},
                    "f:data": {".": {}, "f:user": {}}}},
                {"manager": "kubectl-edit", "fieldsV1": {"f:data": {"f:password": {}, "f:extra": {}}}},
            ]},
    });
    let section = compared(&root(&key("Secret")), &login(), Ok(Some(metadata)), false);
    let all = told(&section);
    assert!(section.ignored.iter().any(|line| line.contains("content of a Secret, which is not fetched")), "{all}");
    assert!(all.contains("data.password: set by kubectl-edit since it was applied"), "{all}");
    assert!(all.contains("data.extra: not in the manifest, set by kubectl-edit"), "{all}");
    assert!(all.contains("-  token: (7 bytes)"), "nobody set that key: {all}");
    assert!(all.contains("+    a: c"), "{all}");
    assert_eq!(section.set_by, ["kubectl-edit".into()] as [Text; 1]);
    for odd in [json!([1]), json!("x"), json!(7)] {
        let section = compared(&root(&key("Secret")), &login(), Ok(Some(odd)), true);
        assert!(matches!(section.verdict, Verdict::Unknown(_)), "{}", told(&section));
    }
    // A server that does not tell managed fields tells no keys.
    let bare = json!({"metadata": {"name": "hello", "labels": {"a": "b"}}});
    let section = compared(&root(&key("Secret")), &login(), Ok(Some(bare)), false);
    assert_eq!(section.verdict, Verdict::Same, "{}", told(&section));
    assert_eq!(compared(&root(&key("Secret")), &login(), Ok(None), false).verdict, Verdict::Gone);
    told(&compared(&root(&key("Secret")), &login(), Ok(None), false));
}

#[test]
fn a_secrets_content_is_compared_by_size_where_it_was_asked_for() {
    let live = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
        "metadata": {"name": "hello", "labels": {"a": "b"}, "annotations": {
            "app.oam.dev/last-applied-configuration": "{\"data\":{\"password\":\"c3dvcmRmaXNo\"}}"}},
        "data": {"password": "c3dvcmRmaXNo", "user": "bWVp", "token": "aHVudGVyMw==", "extra": "bWVp"},
    });
    let section = compared(&root(&key("Secret")), &login(), Ok(Some(live)), true);
    let all = told(&section);
    assert!(all.contains("-  password: (7 bytes)\n") && all.contains("+  password: (9 bytes)\n"), "{all}");
    assert!(all.contains("+  token: (7 bytes), other ones\n"), "{all}");
    assert!(all.contains("   user: (3 bytes)\n"), "{all}");
    assert!(all.contains("data.extra: not in the manifest"), "{all}");
    let mut same = login();
    same["data"]["token"] = json!("aHVudGVyMg==");
    let section = compared(&root(&key("Secret")), &login(), Ok(Some(same)), true);
    assert_eq!(section.verdict, Verdict::Same, "{}", told(&section));
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
    let section = compared(&root(&key("ConfigMap")), &Value::Null, Ok(Some(live(&record))), false);
    assert_eq!(section.verdict, Verdict::Differs(1, 1), "{}", section.unified());
    for odd in ["-", "", "{"] {
        let section = compared(&root(&key("ConfigMap")), &Value::Null, Ok(Some(live(odd))), false);
        assert!(matches!(section.verdict, Verdict::Unknown(_)), "{odd}");
    }
    assert_eq!(compared(&root(&key("ConfigMap")), &Value::Null, Ok(None), false).verdict, Verdict::Gone);
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
    let section = compared(&root(&key("Service")), &manifest, Ok(Some(live)), false);
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
