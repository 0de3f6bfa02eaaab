//! Applications and pods by the thousand in a real API server, and changes at a rate in any.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use futures::{StreamExt as _, TryStreamExt as _, stream};
use http::Request;
use kube::Client;
use serde_json::{Value, json};

use crate::ground::Outcome;

/// Namespaces that applications and pods are spread over.
const NAMESPACES: usize = 10;
/// Requests under way at once.
const AT_ONCE: usize = 24;

fn namespace(number: usize) -> String {
    format!("team-{:02}", number % NAMESPACES)
}

fn application_name(number: usize) -> String {
    format!("app-{number:05}")
}

async fn post(client: &Client, path: &str, object: &Value) -> Outcome<()> {
    let request =
        Request::post(path).header("content-type", "application/json").body(object.to_string().into_bytes())?;
    client.request::<Value>(request).await?;
    Ok(())
}

async fn merge(client: &Client, path: &str, change: &Value) -> Outcome<()> {
    let request = Request::patch(path)
        .header("content-type", "application/merge-patch+json")
        .body(change.to_string().into_bytes())?;
    // The answer is a whole object that nobody reads.
    client.request_text(request).await?;
    Ok(())
}

/// The kinds and namespaces that the rest needs.
pub(crate) async fn prepare(client: &Client) -> Outcome<()> {
    let definitions =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real/crds/kubevela.yaml"))?;
    for definition in serde_yaml::from_multiple::<Value>(&definitions)? {
        post(client, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", &definition).await?;
    }
    for number in 0..NAMESPACES {
        let name = namespace(number);
        post(client, "/api/v1/namespaces", &json!({"metadata": {"name": name}})).await?;
        // No controller is there to make it, and without it no pod is let in.
        post(client, &format!("/api/v1/namespaces/{name}/serviceaccounts"), &json!({"metadata": {"name": "default"}}))
            .await?;
    }
    let served = async || client.request_text(Request::get(APPLICATIONS).body(Vec::new()).ok()?).await.ok();
    for _ in 0..100 {
        if served().await.is_some() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Err("the server does not serve applications".into())
}

/// The path of all applications.
pub(crate) const APPLICATIONS: &str = "/apis/core.oam.dev/v1beta1/applications";

/// Puts applications there, each as KubeVela left the tutorial's when it was done (6.5 KB).
pub(crate) async fn applications(client: &Client, count: usize) -> Outcome<()> {
    let capture =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/captures/app-helm-hello-04-succeeded.yaml");
    let capture: Value = serde_yaml::from_str(&std::fs::read_to_string(capture)?)?;
    let capture = &capture;
    stream::iter((0..count).map(Ok))
        .try_for_each_concurrent(AT_ONCE, async |number| {
            let (namespace, name) = (namespace(number), application_name(number));
            let path = format!("/apis/core.oam.dev/v1beta1/namespaces/{namespace}/applications");
            let application = json!({
                "apiVersion": capture["apiVersion"], "kind": capture["kind"], "spec": capture["spec"],
                "metadata": {
                    "name": name, "annotations": capture["metadata"]["annotations"], "labels": capture["metadata"]["labels"],
                },
            });
            post(client, &path, &application).await?;
            merge(client, &format!("{path}/{name}/status"), &json!({"status": capture["status"]})).await
        })
        .await
}

/// Puts pods there that run, by their status; nobody schedules or ends them. Each is of 7 KB, as pods are, and belongs
/// to one of the applications.
pub(crate) async fn pods(client: &Client, count: usize, applications: usize) -> Outcome<()> {
    stream::iter((0..count).map(Ok))
        .try_for_each_concurrent(AT_ONCE, async |number| {
            let application = number % applications;
            let path = format!("/api/v1/namespaces/{}/pods", namespace(application));
            let name = format!("{}-web-6f9c8d7b5d-{number:05}", application_name(application));
            post(client, &path, &pod(&name, &application_name(application))).await?;
            merge(client, &format!("{path}/{name}/status"), &json!({"status": running()})).await
        })
        .await
}

fn pod(name: &str, application: &str) -> Value {
    let environment: Vec<Value> = (0..16)
        .map(|number| json!({"name": format!("SETTING_{number:02}"), "value": format!("value-{number}-{}", "x".repeat(90))}))
        .collect();
    let probe = json!({"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 10});
    json!({
        "metadata": {
            "name": name, "generateName": name.get(..name.len() - 5),
            "labels": {"app.oam.dev/name": application, "app.oam.dev/component": "web", "pod-template-hash": "6f9c8d7b5d"},
            "annotations": {"example.com/config": "y".repeat(600)},
        },
        "spec": {
            // Of no scheduler that runs: it stays as it is.
            "schedulerName": "nobody", "restartPolicy": "Always",
            "containers": [{
                "name": "web", "image": "registry.example.com/web:1.2.3", "env": environment, "livenessProbe": probe,
                "readinessProbe": probe, "ports": [{"name": "http", "containerPort": 8080}],
                "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "128Mi"}},
                "volumeMounts": [{"name": "config", "mountPath": "/etc/web"}],
            }],
            "volumes": [{"name": "config", "configMap": {"name": "web"}}],
        },
    })
}

fn running() -> Value {
    let since = "2026-01-01T00:00:00Z";
    let conditions = ["Initialized", "Ready", "ContainersReady", "PodScheduled"]
        .map(|kind| json!({"type": kind, "status": "True", "lastTransitionTime": since}));
    json!({
        "phase": "Running", "qosClass": "Burstable", "startTime": since, "podIP": "10.1.2.3", "podIPs": [{"ip": "10.1.2.3"}],
        "hostIP": "10.0.0.1", "hostIPs": [{"ip": "10.0.0.1"}],
        "conditions": conditions,
        "containerStatuses": [container(0)],
    })
}

fn container(restarts: u64) -> Value {
    json!({
        "name": "web", "ready": true, "started": true, "restartCount": restarts, "image": "registry.example.com/web:1.2.3",
        "imageID": format!("registry.example.com/web@sha256:{}", "0".repeat(64)),
        "containerID": format!("containerd://{}", "1".repeat(64)),
        "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}},
    })
}

/// One pod and who reaches it.
struct Target {
    client: Client,
    path: String,
}

/// Pods whose status can be written.
pub(crate) struct Targets(Vec<Target>);

impl Targets {
    /// All pods of these clusters that belong to applications of numbers.
    pub(crate) async fn of(clients: Vec<Client>) -> Outcome<Self> {
        let mut targets = Vec::new();
        for client in clients {
            let request = Request::get("/api/v1/pods?labelSelector=app.oam.dev%2Fname")
                .header("accept", "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1")
                .body(Vec::new())?;
            let list: Value = client.request(request).await?;
            for item in list["items"].as_array().map(Vec::as_slice).unwrap_or_default() {
                let metadata = &item["metadata"];
                let [Some(namespace), Some(name)] = ["namespace", "name"].map(|field| metadata[field].as_str()) else {
                    continue;
                };
                if name.starts_with("app-") {
                    let path = format!("/api/v1/namespaces/{namespace}/pods/{name}/status");
                    targets.push(Target { client: client.clone(), path });
                }
            }
        }
        if targets.is_empty() { Err("no pods to change".into()) } else { Ok(Self(targets)) }
    }

    /// Changes a pod's status `rate` times a second for ever, here and there; counts what was written.
    pub(crate) async fn change(self, rate: u32, done: Arc<AtomicU64>) {
        let mut beat = tokio::time::interval(Duration::from_secs(1) / rate);
        let beats = stream::poll_fn(move |context| beat.poll_tick(context).map(Some));
        let targets = &self.0;
        // What is as it was is no change: no two runs count from the same number.
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let first = now.as_secs() % 1_000_000 * 1_000;
        beats
            .enumerate()
            .for_each_concurrent(AT_ONCE, async |(number, _)| {
                // Far from each other, and all of them in time.
                if let Some(target) = targets.get(number * 7919 % targets.len()) {
                    let status = json!({"status": {"containerStatuses": [container(first + number as u64)]}});
                    // What fails is missing in the count that is printed.
                    if merge(&target.client, &target.path, &status).await.is_ok() {
                        done.fetch_add(1, Ordering::Relaxed);
                    }
                }
            })
            .await;
    }
}
