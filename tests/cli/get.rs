//! `lateen get` in its forms.

use std::process::Stdio;

use lateen::demo::{Cut, MEMBER};
use serde_json::Value;

use crate::stage::{Stage, keys, refusal};

#[test]
fn what_get_tells_scripts_has_the_promised_fields() {
    let stage = Stage::new();
    let answer = stage.waiting();
    assert_eq!(keys(&answer), ["items", "incomplete"]);
    assert_eq!(answer["incomplete"], serde_json::json!([]));
    let app = &answer["items"][0];
    let expected = [
        "namespace",
        "name",
        "health",
        "status",
        "reason",
        "generation",
        "observed_generation",
        "revision",
        "workflow",
        "clusters",
        "created_at",
        "steps",
        "services",
    ];
    assert_eq!(keys(app), expected);
    assert_eq!(keys(&app["workflow"]), ["phase", "done", "total", "waiting"]);
    assert_eq!(app["workflow"]["waiting"], serde_json::json!(["manual-approval"]));
    assert_eq!(keys(&app["clusters"][0]), ["name", "health", "ready", "total"]);
    assert!(app["created_at"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok());
    assert_eq!(app["steps"].as_array().unwrap().len(), 3);
    assert_eq!(app["services"][0]["cluster"], "local");

    let apps = stage.json("get applications -A");
    assert_eq!(keys(&apps["items"][0]), expected[..11]);
    assert!(apps["items"].as_array().unwrap().len() > 1);

    let approvals = stage.json("get approvals");
    let mine = approvals["items"].as_array().unwrap().iter().find(|item| item["name"] == "helm-hello").unwrap();
    assert_eq!(
        keys(mine),
        ["namespace", "name", "step", "step_type", "since", "reason", "next", "auto_resume_at", "changed_by", "health"]
    );
    assert_eq!(mine["next"], serde_json::json!([{"step": "deploy2foo", "clusters": ["foo"]}]));
    assert_eq!(mine["health"], "ok");

    let clusters = stage.json("get clusters");
    let foo = &clusters["items"][1];
    assert_eq!(keys(foo), ["name", "alias", "type", "endpoint", "accepted", "labels", "link", "version", "pods"]);
    assert_eq!(keys(&foo["link"]), ["state", "latency_s", "since", "reason"]);
    assert_eq!((&foo["name"], &foo["link"]["state"]), (&"foo".into(), &"live".into()));
    assert!(foo["link"]["latency_s"].as_f64().unwrap() > 0.0);

    let pods = stage.json("get pods");
    let fields = [
        "cluster",
        "namespace",
        "application",
        "component",
        "name",
        "ready",
        "status",
        "restarts",
        "node",
        "created_at",
    ];
    assert_eq!(keys(&pods["items"][0]), fields);
    assert_eq!(pods["items"][0]["application"], "helm-hello");

    let yaml = stage.answer("get clusters foo -o yaml");
    assert!(yaml.contains("name: foo") && yaml.contains("incomplete: []"), "{yaml}");
    assert_eq!(stage.answer("get clusters -o name"), "local\nfoo\n");
    let table = stage.answer("get apps -A");
    assert!(table.starts_with("NAMESPACE") && table.contains("helm-hello"), "{table}");
}

#[test]
fn a_lost_cluster_is_told_by_the_exit_code_and_by_name() {
    let stage = Stage::new();
    stage.waiting();
    stage.estate.cut(MEMBER, Cut::Refuse).unwrap();
    let output = stage.run("get clusters -o json");
    assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["items"][1]["link"]["state"], "unreachable");
    assert_eq!(answer["incomplete"][0]["cluster"], "foo");
    assert!(!answer["incomplete"][0]["reason"].as_str().unwrap().is_empty());
}

#[test]
fn wrong_words_contexts_and_hubs_are_one_sentence() {
    let stage = Stage::new();
    let (code, text) = refusal(&stage.run("get apps --context nowhere"));
    assert_eq!(code, 2);
    assert!(text.contains("nowhere") && text.contains("hub"), "{text}");
    // A member is no hub: nothing there knows Applications.
    let (code, text) = refusal(&stage.run("get apps --context foo"));
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("KubeVela"), "{text}");
    assert_eq!(stage.run("get nonsense").status.code(), Some(2));
    assert_eq!(stage.run("--help").status.code(), Some(0));
    assert!(stage.answer("completions bash").contains("lateen"));
    assert!(stage.answer("info").contains("audit"));
}

#[test]
fn a_reader_that_closes_the_pipe_is_no_failure() {
    let stage = Stage::new();
    let mut child = stage.command("get apps -A").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
}
