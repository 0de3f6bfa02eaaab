//! Every exit code that writing commands end with, by the binary.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    process::{Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::mpsc;

use crate::{
    scripted::{Reply, Scripted, list, quiet, status},
    stage::{Stage, refusal},
    writes::HELLO,
};

#[test]
fn wrong_files_are_refused_before_anything_is_asked() {
    let stage = Stage::new();
    for (text, said) in [
        ("a: [1\n", "f.yaml: line "),
        ("apiVersion: v1\nkind: Service\nmetadata: {name: a}\n", "f.yaml: line 1: Service (v1) is no Application"),
        ("", "f.yaml holds nothing to apply"),
    ] {
        let file = stage.file("f.yaml", text);
        let (code, told) = refusal(&stage.run(&format!("up -f {file} -y --kubeconfig /no/such/file")));
        assert_eq!(code, 2, "{told}");
        assert!(told.contains(said), "{told}");
    }
    let (code, told) = refusal(&stage.run("up -f /no/such/file -y"));
    assert_eq!(code, 1, "{told}");
    assert!(told.contains("cannot read /no/such/file"), "{told}");
}

#[test]
fn who_may_not_write_is_told() {
    let stage = Stage::new();
    stage.waiting();
    let file = stage.file("hello.yaml", HELLO);
    for (line, code, said) in [
        (format!("up -f {file}"), 2, "add -y"),
        ("delete helm-hello".to_owned(), 2, "add -y"),
        (format!("up -f {file} -y --readonly"), 5, "--readonly"),
        ("delete helm-hello -y --readonly".to_owned(), 5, "--readonly"),
        (format!("up -f {file} -y --context hub-reader"), 5, "needs patch on applications"),
        ("delete helm-hello -y --context hub-reader".to_owned(), 5, "needs delete on applications"),
        (format!("up -f {file} -y --as nobody"), 5, "needs get on applications"),
    ] {
        let (ended, told) = refusal(&stage.run(&line));
        assert_eq!(ended, code, "{line}: {told}");
        assert!(told.contains(said), "{line}: {told}");
    }
    // Looking at what would be done is no write.
    assert_eq!(stage.run(&format!("up -f {file} --dry-run --readonly")).status.code(), Some(0));
}

#[test]
fn what_is_not_as_it_was_saved_is_not_written() {
    let stage = Stage::new();
    stage.waiting();
    let saved =
        stage.file("stale.yaml", &HELLO.replace("namespace: default", "namespace: default\n  resourceVersion: '1'"));
    let (code, told) = refusal(&stage.run(&format!("up -f {saved} -y")));
    assert_eq!(code, 4, "{told}");
    assert!(told.contains("stale.yaml: line 1") && told.contains("resourceVersion 1"), "{told}");
    assert!(stage.audit().is_empty());
}

#[test]
fn what_does_not_come_to_an_end_in_time_has_failed() {
    let stage = Stage::new();
    let file = stage.file(
        "app.yaml",
        &HELLO.replace("name: helm-hello", "name: lost").replace("clusters: [local]", "clusters: [nowhere]"),
    );
    let output = stage.run(&format!("up -f {file} -y --wait=2s"));
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.lines().last().unwrap().contains("default/lost"), "{told}");
}

/// The binary at a server that answers as a test says.
fn at(server: &Scripted, home: &TempDir, line: &str) -> Command {
    std::fs::write(home.path().join("kubeconfig"), server.kubeconfig()).unwrap();
    std::fs::write(home.path().join("hello.yaml"), HELLO).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_lateen"));
    command.args(line.split_whitespace()).env_clear().current_dir(home.path());
    command.env("HOME", home.path()).env("KUBECONFIG", home.path().join("kubeconfig"));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn absent() -> Reply {
    status(404, "applications.core.oam.dev \"helm-hello\" not found")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_answered_and_cannot_be_read_back_is_unknown() {
    let server = Scripted::start(|asked, number| match (asked.method.as_str(), number) {
        ("GET", 0) => absent(),
        // The hub is gone with the write.
        _ => Reply::Close,
    })
    .await;
    let home = tempfile::tempdir().unwrap();
    let mut command = at(&server, &home, "up -f hello.yaml -y");
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let (code, told) = refusal(&output);
    assert_eq!(code, 6, "{told}");
    assert!(told.contains("unknown whether default/helm-hello was applied"), "{told}");
    assert_eq!(server.asked_for("POST", "").len(), 1, "never sent again");
    let audit = std::fs::read_to_string(home.path().join(".local/state/lateen/audit.jsonl")).unwrap();
    assert!(audit.lines().last().unwrap().contains("\"outcome\":\"unknown\""), "{audit}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_waits_for_the_outcome_of_a_write() {
    let (answer, stream) = mpsc::unbounded_channel();
    let stream = std::sync::Mutex::new(Some(stream));
    let server = Scripted::start(move |asked, _| match asked.method.as_str() {
        "POST" => Reply::Stream(stream.lock().unwrap().take().unwrap()),
        _ => absent(),
    })
    .await;
    let home = tempfile::tempdir().unwrap();
    let mut child = at(&server, &home, "up -f hello.yaml -y").spawn().unwrap();
    server.wait_asked("to create it", |asked| asked.iter().any(|asked| asked.method == "POST")).await;
    let ended = tokio::task::spawn_blocking(move || {
        let id = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
        kill_process(id, Signal::INT).unwrap();
        let mut told = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        told.read_line(&mut line).unwrap();
        assert!(line.contains("waiting for its outcome"), "{line}");
        answer.send(json!({"metadata": {"name": "helm-hello"}}).to_string()).unwrap();
        drop(answer);
        let mut out = String::new();
        child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
        (child.wait().unwrap().code(), out)
    });
    let (code, out) = ended.await.unwrap();
    assert_eq!(out, "default/helm-hello created\n");
    // Whether the end or the interrupt is seen first, the write is told.
    assert!(matches!(code, Some(0 | 130)), "{code:?}");
}

#[test]
fn an_interrupt_ends_the_waiting() {
    let stage = Stage::new();
    let file = stage.file(
        "app.yaml",
        &HELLO.replace("name: helm-hello", "name: lost").replace("clusters: [local]", "clusters: [nowhere]"),
    );
    let mut child =
        stage.command(&format!("up -f {file} -y --wait")).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut told = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    told.read_line(&mut line).unwrap();
    assert!(line.contains("default/lost"), "progress: {line}");
    assert_eq!(crate::stage::interrupt(&mut child), Some(130));
}

#[test]
fn standard_input_is_a_file_too() {
    let stage = Stage::new();
    let mut child = stage
        .command("up -f - -y")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(HELLO.replace("name: helm-hello", "name: piped").as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "default/piped created\n");
    let app: Value = stage.json("get app piped");
    assert_eq!(app["items"][0]["name"], "piped");
}

/// An API server that has just started refuses with 429 for a moment, and a cluster tells its version after its rows.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_waits_a_moment_for_a_server_that_has_just_started() {
    let clusters = "/apis/cluster.core.oam.dev/v1alpha1/virtualclusters";
    let server = Scripted::start(move |asked, number| match asked.path.as_str() {
        path if path.ends_with("/readyz") => Reply::Text(200, "text/plain", "ok".into()),
        path if path.ends_with("/version") => Reply::Json(200, json!({"gitVersion": "v1.34.4"})),
        path if path == clusters => list(
            "",
            &[json!({"metadata": {"name": "local"}, "spec": {"accepted": true, "credential-type": "Internal"}})],
        ),
        _ if asked.is_watch() => quiet(),
        path if path.ends_with("/applications") && number == 0 => status(429, "storage is (re)initializing"),
        path if path.ends_with("/applications") => {
            list("1", &[json!({"metadata": {"namespace": "default", "name": "a", "resourceVersion": "1"}})])
        }
        _ => list("1", &[]),
    })
    .await;
    let home = tempfile::tempdir().unwrap();
    for (line, told) in [("get applications -o name", "a"), ("get clusters", "v1.34.4")] {
        let mut command = at(&server, &home, line);
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let out = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(0), "{line}: {out}{}", String::from_utf8_lossy(&output.stderr));
        assert!(out.contains(told), "{line}: {out}");
    }
}
