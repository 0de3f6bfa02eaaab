//! The dashboard on a real hub: what changes there changes on the screen.

use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::json;
use tempfile::TempDir;

use crate::captures::capture;
use crate::servers::{applications, eventually, servers};
use crate::terminal::Terminal;

/// The line of the screen that names the application.
fn line_of(screen: &str, name: &str) -> String {
    screen.lines().find(|line| line.contains(name)).unwrap_or_default().to_owned()
}

/// The dashboard on the hub, looking at one namespace.
fn open(namespace: &str, home: &TempDir) -> Terminal {
    let kubeconfig = servers().kubeconfig("hub");
    let env = [("HOME", home.path().to_str().unwrap()), ("KUBECONFIG", kubeconfig.to_str().unwrap())];
    Terminal::lateen(&["-n", namespace], &env, 24, 100)
}

#[tokio::test]
#[ignore = "needs etcd and kube-apiserver: run by .ci/run"]
async fn the_dashboard_follows_the_hub() {
    let client = servers().client("hub").await;
    let namespace = "watched";
    let waiting = capture("helm-hello-02-suspended");
    waiting.load(&client, namespace).await;
    let api = applications(&client, namespace);

    let home = tempfile::tempdir().unwrap();
    let mut terminal = open(namespace, &home);
    terminal.wait("helm-hello waits", |screen| line_of(screen, "helm-hello").contains("waiting"));

    let mut failed = capture("helm-hello-08-workflowfailed-foo-down").object["status"].clone();
    failed["observedGeneration"] = json!(1);
    let patch = Patch::Merge(json!({"status": failed}));
    api.patch_status("helm-hello", &PatchParams::default(), &patch).await.unwrap();
    terminal.wait("helm-hello failed", |screen| line_of(screen, "helm-hello").contains("failed"));

    let no_finalizers = Patch::Merge(json!({"metadata": {"finalizers": null}}));
    api.patch("helm-hello", &PatchParams::default(), &no_finalizers).await.unwrap();
    api.delete("helm-hello", &DeleteParams::default()).await.unwrap();
    terminal.wait("helm-hello is gone", |screen| !screen.contains("helm-hello"));

    terminal.keys("q");
    assert!(terminal.end().success());
}

#[tokio::test]
#[ignore = "needs etcd and kube-apiserver: run by .ci/run"]
async fn two_keys_approve_what_waits() {
    let client = servers().client("hub").await;
    let namespace = "approve-keys";
    capture("helm-hello-02-suspended").load(&client, namespace).await;
    let api = applications(&client, namespace);

    let home = tempfile::tempdir().unwrap();
    let mut terminal = open(namespace, &home);
    terminal.wait("helm-hello waits", |screen| line_of(screen, "helm-hello").contains("waiting"));
    terminal.keys("a");
    let dialog = terminal.wait_for("Cancel");
    assert!(dialog.contains("deploy2foo"), "the dialog says what follows:\n{dialog}");
    // It takes no confirmation in its first moment: a person would press again.
    eventually("the approval", async || {
        terminal.keys("y");
        let status = api.get("helm-hello").await.unwrap().data["status"].clone();
        (status["workflow"]["suspend"] == false).then_some(())
    })
    .await;
    let status = api.get("helm-hello").await.unwrap().data["status"].clone();
    assert_eq!(status["workflow"]["steps"][1]["phase"], "running");
}
