//! The dashboard on a real hub: what changes there changes on the screen.

use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::json;

use crate::captures::capture;
use crate::servers::{applications, servers};
use crate::terminal::Terminal;

/// The line of the screen that names the application.
fn line_of(screen: &str, name: &str) -> String {
    screen.lines().find(|line| line.contains(name)).unwrap_or_default().to_owned()
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
    let kubeconfig = servers().kubeconfig("hub");
    let env = [("HOME", home.path().to_str().unwrap()), ("KUBECONFIG", kubeconfig.to_str().unwrap())];
    let mut terminal = Terminal::lateen(&["-n", namespace], &env, 24, 100);
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
