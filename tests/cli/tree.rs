//! `lateen get tree`.

use crate::stage::{Stage, keys, refusal};

#[test]
fn a_tree_has_the_promised_fields_and_every_parent_is_a_line() {
    let stage = Stage::new();
    let has_pods = |answer: &serde_json::Value| {
        answer["items"].as_array().unwrap().iter().filter(|item| item["kind"] == "Pod").count() == 2
    };
    let answer = stage.until("get tree helm-hello", has_pods);
    let items = answer["items"].as_array().unwrap();
    let fields = [
        "id",
        "parent",
        "cluster",
        "namespace",
        "kind",
        "name",
        "component",
        "depth",
        "health",
        "message",
        "state",
        "created_at",
    ];
    for item in items {
        assert_eq!(keys(item), fields);
        let parent = item["parent"].as_str();
        assert_eq!(parent.is_none(), item["depth"] == 0);
        assert!(parent.is_none_or(|parent| items.iter().any(|other| other["id"] == parent)), "{item}");
    }
    let release = items.iter().find(|item| item["kind"] == "HelmRelease").unwrap();
    assert_eq!(release["state"], "updated");
    assert_eq!(release["id"], "local/HelmRelease.helm.toolkit.fluxcd.io/default/hello");
    let foo = items.iter().find(|item| item["cluster"] == "foo").unwrap();
    assert_eq!((&foo["health"], &foo["state"]), (&"pending".into(), &"not-deployed".into()));
    let table = stage.answer("get tree helm-hello --cluster local");
    assert!(table.contains("\n    Deployment/hello-hello-kubernetes ") && !table.contains("foo"), "{table}");
}

#[test]
fn a_tree_is_of_one_application() {
    let stage = Stage::new();
    assert_eq!(refusal(&stage.run("get tree")).0, 2);
    assert_eq!(refusal(&stage.run("get tree nobody")).0, 1);
}
