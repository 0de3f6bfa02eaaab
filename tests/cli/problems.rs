//! `lateen get problems`.

use crate::stage::{Stage, keys, refusal};

#[test]
fn problems_have_the_promised_fields_and_a_lost_cluster_is_one() {
    let stage = Stage::new();
    let crashes = |answer: &serde_json::Value| {
        answer["items"]
            .as_array()
            .unwrap()
            .iter()
            .any(|item| item["problem"] == "CrashLoopBackOff" && item["pods"] == 2)
    };
    let answer = stage.until("get problems -A", crashes);
    let items = answer["items"].as_array().unwrap();
    let fields = [
        "problem",
        "kind",
        "namespace",
        "name",
        "component",
        "health",
        "clusters",
        "applications",
        "pods",
        "since",
        "reason",
    ];
    for item in items {
        assert_eq!(keys(item), fields);
    }
    let ledger = items.iter().find(|item| item["problem"] == "CrashLoopBackOff").unwrap();
    assert_eq!(
        (&ledger["kind"], &ledger["namespace"], &ledger["name"]),
        (&"Component".into(), &"payments".into(), &"ledger".into())
    );
    assert_eq!(ledger["clusters"], serde_json::json!(["foo"]));
    // The application is not told again for the pods that fail.
    assert!(!items.iter().any(|item| item["kind"] == "Application" && item["name"] == "ledger"), "{items:#?}");
    let only = stage.answer("get problems payments/ledger -o name");
    assert!(only.lines().all(|line| line.starts_with("payments/ledger")), "{only}");
    stage.estate.cut("foo", lateen::demo::Cut::Refuse).unwrap();
    let lost = stage.until("get problems -A", |answer| {
        answer["items"].as_array().unwrap().iter().any(|item| item["kind"] == "Cluster" && item["name"] == "foo")
    });
    assert_eq!(lost["incomplete"][0]["cluster"], "foo");
}

#[test]
fn nothing_wrong_is_an_empty_answer() {
    let stage = Stage::new();
    assert_eq!(refusal(&stage.run("get problems nobody")).0, 1);
    stage.until("get problems default/helm-hello", |answer| answer["items"].as_array().unwrap().is_empty());
}
