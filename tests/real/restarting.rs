//! Watches on a hub that is stopped and started, and that forgets: nothing is lost, nothing is shown twice.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;

use kube::Client;
use kube::api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::captures::capture;
use crate::lateen::{home, lateen};
use crate::meddler::Meddler;
use crate::servers::{Servers, applications, apply_namespace, eventually};
use crate::terminal::Terminal;

const API_SERVER: &[&str] = &["apiserver-hub"];

/// A hub of an API server alone, which one test after the other stops and starts.
async fn hub() -> (&'static Servers, tokio::sync::MutexGuard<'static, ()>) {
    static HUB: OnceLock<Servers> = OnceLock::new();
    static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    let turn = TURN.lock().await;
    let hub = HUB.get_or_init(|| {
        let hub = Servers::start("bare", &["--bare"]);
        hub.install(&["hub"]);
        hub
    });
    (hub, turn)
}

/// A way to the hub that can be shut. Everything passes as it is, TLS too.
pub(crate) struct Gate {
    folder: TempDir,
    connections: Arc<Mutex<Option<Vec<TcpStream>>>>,
}

impl Gate {
    pub(crate) fn new(hub: &Servers) -> Self {
        let kubeconfig = std::fs::read_to_string(hub.kubeconfig("hub")).unwrap();
        let server = kubeconfig.split("https://").nth(1).and_then(|rest| rest.split('"').next()).unwrap().to_owned();
        let address: SocketAddr = server.parse().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let folder = home();
        let through = kubeconfig.replace(&server, &listener.local_addr().unwrap().to_string());
        std::fs::write(folder.path().join("kubeconfig"), through).unwrap();
        let connections = Arc::new(Mutex::new(Some(Vec::new())));
        let gate = Self { folder, connections: Arc::clone(&connections) };
        thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                let mut open = connections.lock().unwrap_or_else(PoisonError::into_inner);
                // A shut gate drops whoever knocks.
                let Some(open) = open.as_mut() else { continue };
                let Ok(far) = TcpStream::connect(address) else { continue };
                for (from, to) in [(&near, &far), (&far, &near)] {
                    let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    thread::spawn(move || {
                        // However one side ends, the other does.
                        let _ = io::copy(&mut from, &mut to);
                        let _ = to.shutdown(Shutdown::Both);
                    });
                }
                open.extend([near, far]);
            }
        });
        gate
    }

    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("kubeconfig")
    }

    pub(crate) fn shut(&self) {
        let open = self.connections.lock().unwrap_or_else(PoisonError::into_inner).take();
        for connection in open.into_iter().flatten() {
            let _ = connection.shutdown(Shutdown::Both);
        }
    }

    pub(crate) fn open(&self) {
        *self.connections.lock().unwrap_or_else(PoisonError::into_inner) = Some(Vec::new());
    }
}

/// The dashboard, looking at one namespace.
fn dashboard(kubeconfig: &Path, namespace: &str, home: &TempDir) -> Terminal {
    let env = [("HOME", home.path().to_str().unwrap()), ("KUBECONFIG", kubeconfig.to_str().unwrap())];
    Terminal::lateen(&["-n", namespace], &env, 24, 120)
}

/// The rows of the table that name the application.
fn rows<'a>(screen: &'a str, name: &str) -> Vec<&'a str> {
    screen.lines().skip(2).filter(|line| line.split_whitespace().any(|word| word == name)).collect()
}

/// Whether there is exactly one row for the application, and it says so.
fn is_once(screen: &str, name: &str, status: &str) -> bool {
    matches!(rows(screen, name)[..], [row] if row.contains(status))
}

async fn fail(client: &Client, namespace: &str, name: &str) {
    let mut failed = capture("helm-hello-08-workflowfailed-foo-down").object["status"].clone();
    failed["observedGeneration"] = json!(1);
    let patch = Patch::Merge(json!({"status": failed}));
    applications(client, namespace).patch_status(name, &PatchParams::default(), &patch).await.unwrap();
}

async fn delete(client: &Client, namespace: &str, name: &str) {
    let api = applications(client, namespace);
    let no_finalizers = Patch::Merge(json!({"metadata": {"finalizers": null}}));
    api.patch(name, &PatchParams::default(), &no_finalizers).await.unwrap();
    api.delete(name, &DeleteParams::default()).await.unwrap();
}

#[tokio::test]
#[ignore = "needs etcd and kube-apiserver: run by .ci/run"]
async fn the_dashboard_comes_back_by_itself_when_the_api_server_does() {
    let (hub, _turn) = hub().await;
    let client = hub.client("hub").await;
    let namespace = "restarted";
    capture("helm-hello-02-suspended").load(&client, namespace).await;
    let home = home();
    let mut terminal = dashboard(&hub.kubeconfig("hub"), namespace, &home);
    terminal.wait("helm-hello waits", |screen| is_once(screen, "helm-hello", "waiting") && screen.contains("1 live"));

    hub.stop(API_SERVER);
    let screen = terminal.wait_for("unreachable");
    assert!(!rows(&screen, "helm-hello").is_empty(), "what was known stays:\n{screen}");
    hub.start_again(&["--bare"]);
    terminal.wait("all is well again", |screen| {
        screen.contains("1 live") && !screen.contains("unreachable") && is_once(screen, "helm-hello", "waiting")
    });

    // And it follows, as before.
    let client = hub.client("hub").await;
    capture("web-hello-unhealthy").load(&client, namespace).await;
    terminal.wait("a new one", |screen| is_once(screen, "web-hello", "unhealthy"));
    fail(&client, namespace, "helm-hello").await;
    terminal.wait("a changed one", |screen| is_once(screen, "helm-hello", "failed"));
    delete(&client, namespace, "helm-hello").await;
    terminal
        .wait("one less", |screen| rows(screen, "helm-hello").is_empty() && is_once(screen, "web-hello", "unhealthy"));
    terminal.keys("q");
    assert!(terminal.end().success());
}

#[tokio::test]
#[ignore = "needs etcd and kube-apiserver: run by .ci/run"]
async fn what_changed_while_nobody_could_watch_is_shown_though_the_history_is_gone() {
    let (hub, _turn) = hub().await;
    let client = hub.client("hub").await;
    let namespace = "forgotten";
    capture("helm-hello-02-suspended").load(&client, namespace).await;
    capture("web-hello-unhealthy").load(&client, namespace).await;
    let gate = Gate::new(hub);
    let home = home();
    let mut terminal = dashboard(&gate.kubeconfig(), namespace, &home);
    terminal.wait("both", |screen| {
        is_once(screen, "helm-hello", "waiting")
            && is_once(screen, "web-hello", "unhealthy")
            && screen.contains("1 live")
    });
    let seen = applications(&client, namespace).list(&ListParams::default()).await.unwrap();
    let seen = seen.metadata.resource_version.unwrap();

    gate.shut();
    terminal.wait_for("unreachable");
    fail(&client, namespace, "helm-hello").await;
    delete(&client, namespace, "web-hello").await;
    capture("auto-false-suspended-but-deployed").load(&client, namespace).await;
    // Neither etcd nor the API server's own memory goes back to what the dashboard has seen.
    hub.compact();
    hub.stop(API_SERVER);
    hub.start_again(&["--bare"]);
    let client = hub.client("hub").await;
    let path = format!(
        "/apis/core.oam.dev/v1beta1/namespaces/{namespace}/applications?watch=1&timeoutSeconds=5&resourceVersion={seen}"
    );
    // At first it fills its memory, and refuses for that.
    let refusal = eventually("an answer to who has seen the past", async || {
        client.request_text(http::Request::get(&path).body(Vec::new()).unwrap()).await.ok()
    })
    .await;
    let refusal: Value = serde_json::from_str(refusal.lines().next().unwrap()).unwrap();
    assert_eq!((&refusal["type"], &refusal["object"]["code"]), (&json!("ERROR"), &json!(410)), "{refusal}");

    gate.open();
    terminal.wait("things as they are", |screen| {
        is_once(screen, "helm-hello", "failed")
            && is_once(screen, "app-auto", "waiting")
            && rows(screen, "web-hello").is_empty()
            && screen.contains("1 live")
            && !screen.contains("unreachable")
    });
    fail(&client, namespace, "app-auto").await;
    terminal.wait("it follows again", |screen| is_once(screen, "app-auto", "failed"));
    terminal.keys("q");
    assert!(terminal.end().success());
}

#[tokio::test]
#[ignore = "needs etcd and kube-apiserver: run by .ci/run"]
async fn a_list_whose_pages_have_expired_is_begun_anew() {
    /// More than one page.
    const COUNT: usize = 300;
    let (hub, _turn) = hub().await;
    let client = hub.client("hub").await;
    let namespace = "pages";
    apply_namespace(&client, namespace).await;
    let api = applications(&client, namespace);
    for number in 0..COUNT {
        let application = json!({
            "apiVersion": "core.oam.dev/v1beta1", "kind": "Application", "metadata": {"name": format!("app-{number:03}")},
            "spec": {"components": []},
        });
        let application: DynamicObject = serde_json::from_value(application).unwrap();
        api.create(&PostParams::default(), &application).await.unwrap();
    }
    let next_page = |head: &http::request::Parts| {
        head.uri.path().ends_with("/applications") && head.uri.query().is_some_and(|query| query.contains("continue="))
    };
    let meddler = Meddler::before(hub, "hub", next_page, async move |client, number| {
        if number == 1 {
            applications(&client, "pages").delete("app-000", &DeleteParams::default()).await.unwrap();
            hub.compact();
        }
    });
    let answer = lateen(&meddler.kubeconfig(), &["get", "applications", "-n", namespace, "-o", "json"]);
    assert_eq!(answer.code, Some(0), "{answer:?}");
    assert_eq!(meddler.answers(), [410, 200], "{:?}", meddler.writes());
    let names: Vec<_> = answer.items().iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect();
    let wanted: Vec<_> = (1..COUNT).map(|number| format!("app-{number:03}")).collect();
    assert_eq!(names, wanted);
}
