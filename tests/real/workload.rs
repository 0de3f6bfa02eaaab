//! What an application's component runs, made by real controllers and run by kwok.

use kube::Client;
use kube::api::ListParams;
use serde_json::{Value, json};

use crate::servers::{api, apply, eventually};

/// A Deployment of two pods with a container `web`, and a Service `NAME` that leads port 80 to their port 8080. With an
/// application's name it carries the labels of a native component of the same name; without one it is a stranger's.
pub(crate) async fn deploy(client: &Client, namespace: &str, name: &str, application: Option<&str>) {
    let mut labels = json!({"example.com/web": name});
    if let Some(application) = application {
        labels["app.oam.dev/name"] = json!(application);
        labels["app.oam.dev/component"] = json!(name);
    }
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [
                    {"name": "web", "image": "registry.example/web:1", "ports": [{"containerPort": 8080}]},
                ]},
            },
        },
    });
    let service = json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {"selector": labels, "ports": [{"name": "http", "port": 80, "targetPort": 8080}]},
    });
    apply(client, &deployment).await;
    apply(client, &service).await;
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": namespace}});
    let pods = api(client, &serde_json::from_value(pod).unwrap());
    eventually("two running pods", async || {
        let selected = ListParams::default().labels(&format!("example.com/web={name}"));
        let pods = pods.list(&selected).await.ok()?.items;
        let ready = |pod: &Value| pod["status"]["containerStatuses"][0]["ready"] == true;
        (pods.len() == 2 && pods.iter().all(|pod| ready(&pod.data))).then_some(())
    })
    .await;
}
