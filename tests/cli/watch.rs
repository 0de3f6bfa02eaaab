//! `lateen get -w` and `-l`.

use std::{
    io::BufReader,
    process::{ChildStdout, Stdio},
};

use serde_json::Value;

use crate::stage::{Running, Stage, interrupt};

/// A command that tells of changes, and its lines.
fn watching(stage: &Stage, line: &str) -> (Running, BufReader<ChildStdout>) {
    let mut running = Running(stage.command(line).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
    let lines = BufReader::new(running.0.stdout.take().unwrap());
    (running, lines)
}

fn next(lines: &mut impl std::io::BufRead) -> String {
    let mut line = String::new();
    assert!(lines.read_line(&mut line).unwrap() > 0, "it ended");
    line
}

/// Reads events until one is as `wanted` says.
fn until(lines: &mut impl std::io::BufRead, wanted: impl Fn(&Value) -> bool) -> Value {
    loop {
        let event: Value = serde_json::from_str(&next(lines)).unwrap();
        assert_eq!(crate::stage::keys(&event), ["type", "item"]);
        if wanted(&event) {
            return event;
        }
    }
}

#[test]
fn changes_are_told_as_they_come_until_interrupted() {
    let stage = Stage::new();
    stage.waiting();
    let (mut running, mut lines) = watching(&stage, "get apps helm-hello -w -o json");
    let first = until(&mut lines, |_| true);
    assert_eq!((&first["type"], &first["item"]["health"]), (&"added".into(), &"waiting".into()));
    stage.answer("approve helm-hello -y");
    until(&mut lines, |event| event["type"] == "changed" && event["item"]["health"] == "ok");
    stage.answer("delete helm-hello -y");
    until(&mut lines, |event| event["type"] == "removed" && event["item"]["name"] == "helm-hello");
    assert_eq!(interrupt(&mut running.0), Some(130));
}

#[test]
fn a_table_goes_on_in_its_columns() {
    let stage = Stage::new();
    stage.waiting();
    let (mut running, mut lines) = watching(&stage, "get apps -w");
    let heading = next(&mut lines);
    assert!(heading.starts_with("NAMESPACE   NAME         STATUS"), "{heading}");
    assert!(next(&mut lines).starts_with("default     helm-hello   waiting for approval"));
    stage.answer("delete helm-hello -y");
    loop {
        let line = next(&mut lines);
        assert!(line.starts_with("default     helm-hello   "), "the heading comes once: {line}");
        if line.ends_with("(removed)\n") {
            break;
        }
    }
    assert_eq!(interrupt(&mut running.0), Some(130));
}

#[test]
fn a_watch_ends_when_nobody_reads_any_more() {
    let stage = Stage::new();
    stage.waiting();
    let (mut running, lines) = watching(&stage, "get clusters -w -o name");
    drop(lines);
    assert_eq!(running.0.wait().unwrap().code(), Some(0));
}

#[test]
fn labels_choose() {
    let stage = Stage::new();
    stage.waiting();
    assert_eq!(stage.answer("get clusters -l region=eu -o name"), "foo\n");
    assert_eq!(stage.answer("get clusters -l region!=eu -o name"), "local\n");
    let pods = stage.json("get pods -l app.kubernetes.io/name=hello-kubernetes");
    let all = stage.json("get pods -n default");
    assert!(!pods["items"].as_array().unwrap().is_empty(), "{all:#}");
    assert_eq!(stage.run("get pods -l !!").status.code(), Some(2));
    let output = stage.run("get apps -l nobody=has");
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "lateen: no applications with these labels in namespace default\n"
    );
}
