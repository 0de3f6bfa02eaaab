//! What was applied against what a real API server made of it: its defaults are no drift, an edit is.

use kube::Client;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::lateen::{Answer, lateen};
use crate::servers::{api, apply, apply_namespace, eventually, servers};

const NAMESPACE: &str = "drift-real";

/// One manifest of each kind whose server has much to add to it, and some spellings that it changes.
fn manifests() -> Vec<Value> {
    let metadata = json!({"name": "web", "namespace": NAMESPACE, "labels": {
        "app.oam.dev/name": "drifting", "app.oam.dev/namespace": NAMESPACE, "app.oam.dev/component": "web"}});
    let container = json!({
        "name": "web",
        "image": "registry.example/web:1",
        "args": [],
        "env": [{"name": "A", "value": "1"}, {"name": "EMPTY", "value": ""}],
        "ports": [{"containerPort": 8080}, {"containerPort": 8080, "protocol": "UDP"}],
        "resources": {"limits": {"cpu": "1000m", "memory": "1024Mi"}, "requests": {"cpu": 0.5}},
        "readinessProbe": {"httpGet": {"port": 8080}},
    });
    let pod = json!({"metadata": {"labels": {"example.com/web": "drift"}},
        "spec": {"hostNetwork": false, "containers": [container]}});
    let object = |version: &str, kind: &str, more: Value| {
        let mut object = json!({"apiVersion": version, "kind": kind, "metadata": metadata});
        object.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        object
    };
    let mut job = pod.clone();
    job["spec"]["restartPolicy"] = json!("Never");
    vec![
        object(
            "apps/v1",
            "Deployment",
            json!({"spec": {"replicas": 2,
            "selector": {"matchLabels": {"example.com/web": "drift"}}, "template": pod}}),
        ),
        object(
            "v1",
            "Service",
            json!({"spec": {"selector": {"example.com/web": "drift"},
            "ports": [{"name": "dns", "port": 53, "protocol": "UDP"}, {"name": "dns-tcp", "port": 53}]}}),
        ),
        object("v1", "ConfigMap", json!({"data": {"a": "1000m", "b": ""}})),
        object("v1", "Secret", json!({"type": "Opaque", "data": {"password": "aHVudGVyMg=="}})),
        object(
            "batch/v1",
            "CronJob",
            json!({"spec": {"schedule": "0 3 * * *",
            "jobTemplate": {"spec": {"template": job}}}}),
        ),
        object(
            "networking.k8s.io/v1",
            "Ingress",
            json!({"spec": {"rules": [{"host": "web.example", "http": {"paths": [
            {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "web", "port": {"number": 53}}}}]}}]}}),
        ),
        object(
            "networking.k8s.io/v1",
            "NetworkPolicy",
            json!({"spec": {"podSelector": {},
            "ingress": [{"ports": [{"port": 8080}]}]}}),
        ),
        object(
            "policy/v1",
            "PodDisruptionBudget",
            json!({"spec": {"minAvailable": 1,
            "selector": {"matchLabels": {"example.com/web": "drift"}}}}),
        ),
        object(
            "v1",
            "PersistentVolumeClaim",
            json!({"spec": {"accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1024Mi"}}}}),
        ),
        object(
            "autoscaling/v2",
            "HorizontalPodAutoscaler",
            json!({"spec": {"maxReplicas": 3,
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "none"}}}),
        ),
    ]
}

/// The objects as KubeVela would have applied them, with the tracker that keeps their manifests, and the application.
async fn deliver(client: &Client) {
    apply_namespace(client, NAMESPACE).await;
    let mut managed = Vec::new();
    for manifest in manifests() {
        apply(client, &manifest).await;
        managed.push(json!({"apiVersion": manifest["apiVersion"], "kind": manifest["kind"], "cluster": "local",
            "namespace": NAMESPACE, "name": "web", "component": "web", "raw": manifest}));
    }
    let application = json!({"apiVersion": "core.oam.dev/v1beta1", "kind": "Application",
        "metadata": {"name": "drifting", "namespace": NAMESPACE}, "spec": {"components": []}});
    let application = apply(client, &application).await;
    let tracker = json!({"apiVersion": "core.oam.dev/v1beta1", "kind": "ResourceTracker",
        "metadata": {"name": format!("drifting-v1-{NAMESPACE}"), "labels": {
            "app.oam.dev/name": "drifting", "app.oam.dev/namespace": NAMESPACE,
            "app.oam.dev/uid": application.metadata.uid}},
        "spec": {"type": "versioned", "applicationGeneration": application.metadata.generation,
            "managedResources": managed}});
    apply(client, &tracker).await;
}

fn diff() -> Answer {
    lateen(&servers().kubeconfig("hub"), &["diff", "drifting", "-n", NAMESPACE, "-o", "json"])
}

#[tokio::test]
#[ignore = "needs etcd and kube-apiserver: run by .ci/run"]
async fn a_servers_defaults_are_no_drift_and_an_edit_is_told_to_the_line() {
    let client = servers().client("hub").await;
    deliver(&client).await;
    let items = eventually("every object", async || {
        let answer = diff();
        let items = if matches!(answer.code, Some(0 | 7)) { answer.items() } else { Vec::new() };
        (items.len() == manifests().len()).then_some(items)
    })
    .await;
    for item in &items {
        assert_eq!(item["verdict"], "same", "{item:#}");
    }
    let all = serde_json::to_string(&items).unwrap();
    for told in [
        "spec.template.spec.containers[web].imagePullPolicy: not in the manifest",
        "resources.limits.cpu: 1000m and 1 mean the same",
        "resources.limits.memory: 1024Mi and 1Gi mean the same",
        "spec.clusterIP: not in the manifest",
        "the content of a Secret, which is not fetched",
    ] {
        assert!(all.contains(told), "{told}: {all}");
    }
    assert!(!all.contains("aHVudGVyMg"), "a Secret's content");

    let edit =
        json!({"spec": {"template": {"spec": {"containers": [{"name": "web", "image": "registry.example/web:2"}]}}}});
    let deployment = api(&client, &serde_json::from_value(manifests().remove(0)).unwrap());
    let editor = PatchParams { field_manager: Some("kubectl-edit".to_owned()), ..PatchParams::default() };
    deployment.patch("web", &editor, &Patch::Strategic(&edit)).await.unwrap();
    let label = json!({"metadata": {"labels": {"team": "night"}}});
    deployment.patch("web", &editor, &Patch::Merge(&label)).await.unwrap();
    let answer = diff();
    assert_eq!(answer.code, Some(7), "{answer:?}");
    let items = answer.items();
    let differing: Vec<&Value> = items.iter().filter(|item| item["verdict"] != "same").collect();
    let [item] = differing.as_slice() else { panic!("{differing:#?}") };
    let text = item["diff"].as_str().unwrap();
    let changed: Vec<&str> = text.lines().filter(|line| line.starts_with(['-', '+'])).map(str::trim_end).collect();
    assert_eq!(changed.len(), 2, "{text}");
    assert!(changed[0].ends_with("image: registry.example/web:1") && changed[1].ends_with("web:2"), "{text}");
    assert_eq!(item["set_by"], json!(["kubectl-edit"]), "{item:#}");
    assert!(
        item["not_compared"].to_string().contains("metadata.labels.team: not in the manifest, set by kubectl-edit")
    );
}
