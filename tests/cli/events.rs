//! `lateen get events`.

use std::{
    io::{BufRead as _, BufReader},
    process::Stdio,
};

use serde_json::Value;

use crate::stage::{Running, Stage, keys, refusal};

fn reasons(answer: &Value) -> Vec<(&str, &str)> {
    let items = answer["items"].as_array().unwrap().iter();
    items.map(|item| (item["cluster"].as_str().unwrap(), item["reason"].as_str().unwrap())).collect()
}

#[test]
fn events_of_every_cluster_have_the_promised_fields() {
    let stage = Stage::new();
    let answer = stage.until("get events -A", |answer| {
        let all = reasons(answer);
        all.contains(&("foo", "BackOff")) && all.contains(&("local", "Started"))
    });
    let items = answer["items"].as_array().unwrap();
    let fields = [
        "cluster",
        "namespace",
        "kind",
        "name",
        "type",
        "reason",
        "message",
        "count",
        "first_seen_at",
        "last_seen_at",
        "source",
    ];
    for item in items {
        assert_eq!(keys(item), fields);
    }
    let failing = items.iter().find(|item| item["reason"] == "BackOff").unwrap();
    assert_eq!((&failing["type"], &failing["kind"]), (&"Warning".into(), &"Pod".into()));
    let table = stage.answer("get events -A --cluster foo");
    assert!(table.starts_with("LAST ") && table.contains(" BackOff ") && !table.contains(" local "), "{table}");
    assert!(stage.answer("get events -A -o wide").lines().next().unwrap().contains("SOURCE"));
    let names = stage.answer("get events -A -o name");
    assert!(names.lines().any(|line| line.starts_with("foo/Pod/") && line.ends_with(" BackOff")), "{names}");
}

#[test]
fn events_of_an_application_are_those_of_what_it_made() {
    let stage = Stage::new();
    let answer = stage.until("get events helm-hello", |answer| reasons(answer).contains(&("local", "Started")));
    let items = answer["items"].as_array().unwrap();
    assert!(items.iter().all(|item| item["cluster"] == "local" && item["namespace"] == "default"), "{answer:#}");
    assert!(items.iter().any(|item| item["kind"] == "HelmRelease"), "{answer:#}");
    let of_others = stage.json("get events payments/ledger");
    assert!(
        of_others["items"]
            .as_array()
            .unwrap()
            .iter()
            .all(|item| item["cluster"] != "local" || item["kind"] == "Application")
    );
    assert_eq!(refusal(&stage.run("get events nobody")).0, 1);
    assert_eq!(refusal(&stage.run("get events -l app=x")).0, 2);
}

#[test]
fn what_happens_is_told_as_it_happens() {
    let stage = Stage::new();
    stage.until("get events -A", |answer| reasons(answer).contains(&("local", "Started")));
    let mut command = stage.command("get events -A -w -o json");
    let mut running = Running(command.stdout(Stdio::piped()).spawn().unwrap());
    let mut lines = BufReader::new(running.0.stdout.take().unwrap()).lines();
    let mut next = |wanted: &dyn Fn(&Value) -> bool| loop {
        let event: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        if wanted(&event) {
            return;
        }
    };
    next(&|event| event["type"] == "added" && event["item"]["reason"] == "Started");
    let pods = stage.json("get pods -A --cluster local");
    let known: Vec<&str> = pods["items"].as_array().unwrap().iter().map(|pod| pod["name"].as_str().unwrap()).collect();
    let pod = &pods["items"][0];
    let (namespace, name) = (pod["namespace"].as_str().unwrap(), pod["name"].as_str().unwrap());
    stage
        .estate
        .perform(&lateen::demo::ctl::Command::KillPod {
            cluster: "local".into(),
            namespace: namespace.into(),
            name: name.into(),
        })
        .unwrap();
    // The one that takes its place starts.
    next(&|event| {
        let item = &event["item"];
        item["kind"] == "Pod" && item["reason"] == "Started" && !known.contains(&item["name"].as_str().unwrap())
    });
}
