//! The README's journey from its first step, command by command: a bare hub, a cluster joined, a chart delivered to
//! both, looked at, changed, and taken away.

use std::process::Stdio;

use lateen::demo::Options;

use crate::stage::{Running, Stage, first_line, page, refusal, until_served};

const FOO_ONLY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/helm-hello-foo.yaml");
const BOTH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/helm-hello.yaml");

/// A forward to the application in a cluster, and its address.
fn forward(stage: &Stage, cluster: &str) -> (Running, String) {
    let command = format!("port-forward helm-hello :80 --cluster {cluster}");
    let mut running = Running(stage.command(&command).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
    let line = first_line(&mut running.0);
    let address = line.strip_prefix("Forwarding from ").and_then(|rest| rest.split(' ').next()).unwrap().to_owned();
    (running, address)
}

#[test]
fn the_tutorial_is_played_from_a_bare_hub_to_nothing_left() {
    let stage = Stage::of(Options { speed: 20.0, empty: true, ..Options::default() });
    let kubeconfig = stage.home.path().join("kubeconfig").display().to_string();
    assert_eq!(stage.answer("get clusters -o name"), "local\n");

    // Join foo: what it lacks is said.
    let joined =
        stage.run(&format!("join --kubeconfig-of {kubeconfig} --context-of foo --name foo --label region=eu -y"));
    let told = String::from_utf8(joined.stderr).unwrap();
    assert_eq!(joined.status.code(), Some(0), "{told}");
    assert!(told.contains("foo does not know Flux's kinds"), "{told}");
    assert!(String::from_utf8(joined.stdout).unwrap().starts_with("joined foo (https://127.0.0.1:"));
    let audit = stage.audit();
    assert!(audit.iter().any(|line| line["verb"] == "join" && line["kind"] == "Secret"));
    assert!(!audit.iter().any(|line| line.to_string().contains("ZGVtby")), "no credential is on record");
    let again = format!("join --kubeconfig-of {kubeconfig} --context-of foo --name foo -y");
    assert_eq!(stage.run(&again).status.code(), Some(4), "joined already");
    stage.until("get clusters foo -l region=eu", |answer| answer["items"][0]["link"]["state"] == "live");
    stage.answer("demo ctl addon fluxcd --clusters local,foo");

    // The first form: foo alone. The second: local, a person's word, foo.
    let told = stage.answer(&format!("up -f {FOO_ONLY} -y --wait=60s"));
    assert_eq!(told, "default/helm-hello created\ndefault/helm-hello: running\n");
    assert_eq!(stage.json("get app helm-hello")["items"][0]["clusters"][0]["name"], "foo");
    let told = stage.answer(&format!("up -f {BOTH} -y --wait=60s"));
    assert_eq!(told, "default/helm-hello configured\ndefault/helm-hello: waiting for approval at manual-approval\n");
    let approvals = stage.answer("get approvals");
    assert!(approvals.contains("default/helm-hello") && approvals.contains("deploy2foo → foo"), "{approvals}");

    let (_local, address) = forward(&stage, "local");
    assert!(page(&address).contains("Welcome to Control Plane Cluster!"));
    stage.answer("approve helm-hello -y --wait=60s");
    let (_foo, address) = forward(&stage, "foo");
    assert!(page(&address).contains("Welcome to Your New Foo Cluster!"));

    let pods = stage.json("get pods");
    let clusters: std::collections::BTreeSet<&str> =
        pods["items"].as_array().unwrap().iter().map(|pod| pod["cluster"].as_str().unwrap()).collect();
    assert_eq!(clusters.into_iter().collect::<Vec<_>>(), ["foo", "local"]);
    assert_eq!(stage.run("logs helm-hello --tail 3").status.code(), Some(0));

    // What still goes to foo keeps it joined.
    let (code, text) = refusal(&stage.run("detach foo -y"));
    assert_eq!(code, 4, "{text}");
    assert!(text.contains("default/helm-hello"), "{text}");

    // Another message for foo alone: the workflow starts anew, and asks again.
    let text = std::fs::read_to_string(BOTH).unwrap().replace("Your New Foo", "Your Newer Foo");
    let changed = stage.file("changed.yaml", &text);
    let told = stage.answer(&format!("up -f {changed} -y --wait=60s"));
    assert!(told.ends_with("waiting for approval at manual-approval\n"), "{told}");
    stage.answer("approve helm-hello -y --wait=60s");
    // The forward that was open has moved on to the new pods.
    until_served(&address, "Welcome to Your Newer Foo Cluster!");

    // Nothing is left behind.
    let told = stage.answer("delete helm-hello -y --wait=60s");
    assert_eq!(told, "default/helm-hello is being deleted\ndefault/helm-hello: gone\n");
    stage.until("get pods -A", |answer| answer["items"] == serde_json::json!([]));
    assert_eq!(stage.answer("detach foo -y"), "detached foo\n");
    assert_eq!(stage.answer("get clusters -o name"), "local\n");
}
