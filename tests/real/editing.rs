//! An edit on real API servers: what somebody else changed meanwhile is never written over.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use kube::Client;
use kube::api::{Patch, PatchParams};
use serde_json::json;
use tempfile::TempDir;

use crate::captures::capture;
use crate::lateen::home;
use crate::meddler::Meddler;
use crate::servers::{applications, servers};
use crate::terminal::Terminal;

/// The dashboard in one namespace, with an editor that sets an annotation of the application.
fn dashboard(kubeconfig: &Path, namespace: &str, home: &TempDir) -> Terminal {
    let editor = home.path().join("editor");
    // Opened again, the draft has it already.
    let script = "#!/bin/sh\ngrep -q edited \"$1\" && exit 0\nsed 's/^  name: helm-hello$/  labels: {edited: \"yes\"}\\n  name: helm-hello/' \"$1\" > \"$1.new\" \
                  && cat \"$1.new\" > \"$1\" && rm \"$1.new\"\n";
    fs::write(&editor, script).unwrap();
    fs::set_permissions(&editor, fs::Permissions::from_mode(0o755)).unwrap();
    let env = [
        ("HOME", home.path().to_str().unwrap()),
        ("KUBECONFIG", kubeconfig.to_str().unwrap()),
        ("EDITOR", editor.to_str().unwrap()),
    ];
    let mut terminal = Terminal::lateen(&["-n", namespace], &env, 40, 120);
    terminal.wait_for("helm-hello");
    terminal.keys("y");
    terminal.wait_for("kind: Application");
    terminal.keys("e");
    terminal.wait_for("accepted by the server");
    terminal
}

async fn change(client: &Client, namespace: &str) {
    let patch = Patch::Merge(json!({"metadata": {"labels": {"by": "somebody"}}}));
    let params = PatchParams { field_manager: Some("somebody".to_owned()), ..PatchParams::default() };
    applications(client, namespace).patch("helm-hello", &params, &patch).await.unwrap();
}

#[tokio::test]
#[ignore = "needs etcd and kube-apiserver: run by .ci/run"]
async fn an_edit_lands_and_sends_what_changed() {
    let client = servers().client("hub").await;
    let (namespace, capture) = ("edit-plain", capture("helm-hello-02-suspended"));
    let before = capture.load(&client, namespace).await;
    let home = home();
    let mut terminal = dashboard(&servers().kubeconfig("hub"), namespace, &home);
    terminal.press_until("y", "the dialog takes the confirmation", |screen| !screen.contains("[ Cancel ]"));
    terminal.wait_for("edited local/edit-plain/Application/helm-hello");
    let after = applications(&client, namespace).get("helm-hello").await.unwrap();
    assert_eq!(after.metadata.labels.unwrap_or_default().get("edited").map(String::as_str), Some("yes"));
    assert_eq!((&after.data["spec"], &after.data["status"]), (&before.data["spec"], &capture.object["status"]));
}

#[tokio::test]
#[ignore = "needs etcd and kube-apiserver: run by .ci/run"]
async fn a_change_in_the_moment_of_the_write_is_not_written_over() {
    let client = servers().client("hub").await;
    let (namespace, capture) = ("edit-conflict", capture("helm-hello-02-suspended"));
    capture.load(&client, namespace).await;
    // The first write is the dry run, the second the real one.
    let meddler = Meddler::start("hub", async move |client, write| {
        if write == 2 {
            change(&client, namespace).await;
        }
    });
    let home = home();
    let mut terminal = dashboard(&meddler.kubeconfig(), namespace, &home);
    terminal.press_until("y", "the dialog takes the confirmation", |screen| !screen.contains("[ Cancel ]"));
    let screen = terminal.wait_for("was changed meanwhile by somebody");
    assert!(screen.contains("nothing written"), "{screen}");
    assert_eq!(meddler.writes().len(), 2, "it is not sent again: {:?}", meddler.writes());
    let after = applications(&client, namespace).get("helm-hello").await.unwrap();
    let labels = after.metadata.labels.unwrap_or_default();
    assert_eq!((labels.get("by").map(String::as_str), labels.get("edited")), (Some("somebody"), None));
    // The draft is there, and goes on upon what the object is now.
    terminal.keys("e");
    terminal.wait_for("there is a draft of Application/helm-hello already");
    terminal.keys("\r");
    terminal.wait_for("accepted by the server");
    terminal.press_until("y", "the dialog takes the confirmation", |screen| !screen.contains("[ Cancel ]"));
    terminal.wait_for("edited local/edit-conflict/Application/helm-hello");
    let after = applications(&client, namespace).get("helm-hello").await.unwrap();
    let labels = after.metadata.labels.unwrap_or_default();
    assert_eq!(labels.get("edited").map(String::as_str), Some("yes"));
}
