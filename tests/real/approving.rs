//! `lateen approve` on a real hub: exactly the intended status is written, or nothing.

use std::path::Path;

use kube::Client;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::captures::capture;
use crate::lateen::{home, lateen};
use crate::meddler::Meddler;
use crate::servers::{applications, servers};
use crate::terminal::Terminal;

/// The status of the captured suspended application as an approval must leave it: nobody suspends, the step that waited
/// runs, and nothing else has changed.
fn approved(captured: &Value) -> Value {
    let mut status = captured["status"].clone();
    assert_eq!(status["workflow"]["suspend"], true);
    status["workflow"]["suspend"] = json!(false);
    for step in status["workflow"]["steps"].as_array_mut().unwrap() {
        if step["phase"] == "suspending" {
            step["phase"] = json!("running");
        }
    }
    status
}

async fn annotate(client: &Client, namespace: &str, value: usize) {
    let patch = Patch::Merge(json!({"metadata": {"annotations": {"example.com/edit": value.to_string()}}}));
    applications(client, namespace).patch("helm-hello", &PatchParams::default(), &patch).await.unwrap();
}

#[tokio::test]
#[ignore = "needs etcd and kube-apiserver: run by .ci/run"]
async fn an_approval_resumes_the_waiting_step_and_touches_nothing_else() {
    let client = servers().client("hub").await;
    let (namespace, capture) = ("approve-plain", capture("helm-hello-02-suspended"));
    let before = capture.load(&client, namespace).await;
    let kubeconfig = servers().kubeconfig("hub");

    let answer = lateen(&kubeconfig, &["approve", "helm-hello", "-n", namespace, "-y"]);
    assert_eq!(answer.code, Some(0), "{answer:?}");
    let after = applications(&client, namespace).get("helm-hello").await.unwrap();
    assert_eq!(after.data["status"], approved(&capture.object));
    assert_eq!(after.data["spec"], before.data["spec"]);
    assert_eq!(after.metadata.annotations, before.metadata.annotations);
    assert_eq!(after.metadata.generation, before.metadata.generation);
    let managers = after.metadata.managed_fields.unwrap_or_default();
    let by_lateen = |manager: &str| manager.starts_with("lateen-");
    assert!(managers.iter().any(|entry| entry.manager.as_deref().is_some_and(by_lateen)), "{managers:?}");

    let again = lateen(&kubeconfig, &["approve", "helm-hello", "-n", namespace, "-y"]);
    assert_eq!(again.code, Some(4), "nothing waits any more: {again:?}");
    let unchanged = applications(&client, namespace).get("helm-hello").await.unwrap();
    assert_eq!(unchanged.metadata.resource_version, after.metadata.resource_version);
}

#[tokio::test]
#[ignore = "needs etcd and kube-apiserver: run by .ci/run"]
async fn an_edit_elsewhere_in_the_object_does_not_stop_an_approval() {
    let client = servers().client("hub").await;
    let (namespace, capture) = ("approve-conflict", capture("helm-hello-02-suspended"));
    capture.load(&client, namespace).await;
    let meddler = Meddler::start("hub", async move |client, write| {
        if write == 1 {
            annotate(&client, namespace, write).await;
        }
    });

    let answer = lateen(&meddler.kubeconfig(), &["approve", "helm-hello", "-n", namespace, "-y"]);
    assert_eq!(answer.code, Some(0), "{answer:?} {:?}", meddler.writes());
    assert_eq!(meddler.writes().len(), 2, "one refused, one that read again: {:?}", meddler.writes());
    let after = applications(&client, namespace).get("helm-hello").await.unwrap();
    assert_eq!(after.data["status"], approved(&capture.object));
}

#[tokio::test]
#[ignore = "needs etcd and kube-apiserver: run by .ci/run"]
async fn an_approval_that_always_comes_too_late_writes_nothing() {
    let client = servers().client("hub").await;
    let (namespace, capture) = ("approve-late", capture("helm-hello-02-suspended"));
    capture.load(&client, namespace).await;
    let meddler = Meddler::start("hub", async move |client, write| annotate(&client, namespace, write).await);

    let answer = lateen(&meddler.kubeconfig(), &["approve", "helm-hello", "-n", namespace, "-y"]);
    assert_eq!(answer.code, Some(4), "{answer:?}");
    assert!(meddler.writes().len() <= 4, "sent again three times at most: {:?}", meddler.writes());
    let after = applications(&client, namespace).get("helm-hello").await.unwrap();
    assert_eq!(after.data["status"], capture.object["status"]);
}

#[tokio::test]
#[ignore = "needs etcd and kube-apiserver: run by .ci/run"]
async fn a_step_that_somebody_else_ended_is_not_approved() {
    let client = servers().client("hub").await;
    let (namespace, capture) = ("approve-ended", capture("helm-hello-02-suspended"));
    capture.load(&client, namespace).await;
    let ended = crate::captures::capture("helm-hello-06-terminated").object["status"].clone();
    let written = ended.clone();
    let meddler = Meddler::start("hub", async move |client, _| {
        let patch = Patch::Merge(json!({"status": written}));
        let api = applications(&client, namespace);
        api.patch_status("helm-hello", &PatchParams::default(), &patch).await.unwrap();
    });

    let answer = lateen(&meddler.kubeconfig(), &["approve", "helm-hello", "-n", namespace, "-y"]);
    assert_eq!(answer.code, Some(4), "{answer:?}");
    assert_eq!(meddler.writes().len(), 1, "read again and found otherwise: {:?}", meddler.writes());
    let after = applications(&client, namespace).get("helm-hello").await.unwrap();
    assert_eq!(after.data["status"]["workflow"], ended["workflow"]);
}

#[tokio::test]
#[ignore = "needs etcd and kube-apiserver: run by .ci/run"]
async fn who_may_only_read_is_refused_with_the_permission_that_is_missing() {
    let client = servers().client("hub").await;
    let (namespace, capture) = ("approve-reader", capture("helm-hello-02-suspended"));
    let before = capture.load(&client, namespace).await;

    let arguments = ["approve", "helm-hello", "-n", namespace, "-y", "--context", "reader"];
    let answer = lateen(&servers().kubeconfig("hub"), &arguments);
    assert_eq!(answer.code, Some(5), "{answer:?}");
    assert!(answer.stderr.contains("patch") && answer.stderr.contains("applications/status"), "{answer:?}");
    let after = applications(&client, namespace).get("helm-hello").await.unwrap();
    assert_eq!(after.metadata.resource_version, before.metadata.resource_version);
}

/// Somebody else ends the workflow where it waits; answers the status that it then has.
async fn terminate(client: &Client, namespace: &str) -> Value {
    let api = applications(client, namespace);
    let mut status = api.get("helm-hello").await.unwrap().data["status"].clone();
    status["status"] = json!("workflowTerminated");
    let workflow = &mut status["workflow"];
    for (flag, value) in [("suspend", false), ("terminated", true), ("finished", true)] {
        workflow[flag] = json!(value);
    }
    for step in workflow["steps"].as_array_mut().unwrap() {
        if step["phase"] == "suspending" {
            step["phase"] = json!("failed");
            step["reason"] = json!("Terminate");
        }
    }
    let patch = Patch::Merge(json!({"status": status}));
    api.patch_status("helm-hello", &PatchParams::default(), &patch).await.unwrap();
    status
}

#[tokio::test]
#[ignore = "needs etcd and kube-apiserver: run by .ci/run"]
async fn a_yes_to_what_is_not_asked_any_more_writes_nothing() {
    let client = servers().client("hub").await;
    let (namespace, capture) = ("approve-asked", capture("helm-hello-02-suspended"));
    capture.load(&client, namespace).await;
    let (home, kubeconfig) = (home(), servers().kubeconfig("hub"));
    let env = [("HOME", home.path().to_str().unwrap()), ("KUBECONFIG", kubeconfig.to_str().unwrap())];
    let mut asking = Terminal::lateen(&["approve", "helm-hello", "-n", namespace], &env, 24, 120);
    asking.wait_for("[y/N]");
    let ended = terminate(&client, namespace).await;
    asking.keys("y\r");
    assert_eq!(asking.end().exit_code(), 4, "{}", asking.screen());
    let after = applications(&client, namespace).get("helm-hello").await.unwrap();
    assert_eq!(after.data["status"], ended);
}

#[tokio::test]
#[ignore = "needs etcd and kube-apiserver: run by .ci/run"]
async fn the_dialog_says_that_someone_was_faster_and_takes_no_yes() {
    let client = servers().client("hub").await;
    let (namespace, capture) = ("approve-dialog", capture("helm-hello-02-suspended"));
    capture.load(&client, namespace).await;
    let home = home();
    let mut terminal = dashboard(&servers().kubeconfig("hub"), namespace, &home);
    terminal.wait_for("waiting for approval");
    terminal.keys("a");
    terminal.wait_for("Resume helm-hello at manual-approval?");
    let ended = terminate(&client, namespace).await;
    terminal.wait("that someone was faster", |screen| {
        screen.contains("someone was") && screen.contains("Nothing can be confirmed")
    });
    terminal.keys("y");
    terminal.keys("\x1b");
    terminal.wait("the dialog is gone", |screen| !screen.contains("Resume helm-hello"));
    let after = applications(&client, namespace).get("helm-hello").await.unwrap();
    assert_eq!(after.data["status"], ended);
    terminal.keys("q");
    assert!(terminal.end().success());
    let audit = std::fs::read_to_string(home.path().join(".local/state/lateen/audit.jsonl")).unwrap_or_default();
    assert_eq!(audit, "", "nothing was tried");
}

#[tokio::test]
#[ignore = "needs etcd and kube-apiserver: run by .ci/run"]
async fn a_yes_that_comes_too_late_in_the_dashboard_writes_nothing() {
    let client = servers().client("hub").await;
    let (namespace, capture) = ("approve-dialog-late", capture("helm-hello-02-suspended"));
    capture.load(&client, namespace).await;
    let meddler = Meddler::start("hub", async move |client, _| {
        terminate(&client, namespace).await;
    });
    let home = home();
    let mut terminal = dashboard(&meddler.kubeconfig(), namespace, &home);
    terminal.wait_for("waiting for approval");
    terminal.keys("a");
    terminal.wait_for("Resume helm-hello at manual-approval?");
    terminal.press_until("y", "the dialog takes the confirmation", |screen| !screen.contains("Resume helm-hello"));
    terminal.wait("that nothing was written", |screen| screen.contains("nothing written"));
    assert_eq!(meddler.answers(), [409], "{:?}", meddler.writes());
    let after = applications(&client, namespace).get("helm-hello").await.unwrap();
    assert_eq!(after.data["status"]["workflow"]["terminated"], true);
    terminal.keys("q");
    assert!(terminal.end().success());
}

/// The dashboard, looking at one namespace.
fn dashboard(kubeconfig: &Path, namespace: &str, home: &TempDir) -> Terminal {
    let env = [("HOME", home.path().to_str().unwrap()), ("KUBECONFIG", kubeconfig.to_str().unwrap())];
    Terminal::lateen(&["-n", namespace], &env, 24, 120)
}
