//! The tree of what real controllers made: complete to the pod, and live under a rollout.

use kube::Client;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::lateen::lateen;
use crate::servers::{api, apply, apply_namespace, eventually, servers};
use crate::terminal::Terminal;

const NAMESPACE: &str = "tree-real";

fn labels() -> Value {
    json!({"app.oam.dev/name": "all-kinds", "app.oam.dev/namespace": NAMESPACE, "app.oam.dev/component": "all"})
}

fn template(name: &str, policy: &str) -> Value {
    json!({"metadata": {"labels": {"example.com/web": name}},
        "spec": {"restartPolicy": policy, "containers": [{"name": "web", "image": "registry.example/web:1"}]}})
}

fn workload(version: &str, kind: &str, name: &str, more: &Value) -> Value {
    let mut spec =
        json!({"selector": {"matchLabels": {"example.com/web": name}}, "template": template(name, "Always")});
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({"apiVersion": version, "kind": kind,
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": labels()}, "spec": spec})
}

/// One object of each kind, as KubeVela would have applied them, with the tracker that lists them and the application.
async fn deliver(client: &Client) {
    apply_namespace(client, NAMESPACE).await;
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "fleets.example.com"},
        "spec": {"group": "example.com", "scope": "Namespaced",
            "names": {"kind": "Fleet", "plural": "fleets", "singular": "fleet", "listKind": "FleetList"},
            "versions": [{"name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}]},
    });
    apply(client, &definition).await;
    eventually("the custom kind is served", async || {
        let request = http::Request::get("/apis/example.com/v1/fleets?limit=1").body(Vec::new()).unwrap();
        client.request::<Value>(request).await.is_ok().then_some(())
    })
    .await;
    let job = json!({"apiVersion": "batch/v1", "kind": "Job",
        "metadata": {"name": "once", "namespace": NAMESPACE, "labels": labels()},
        "spec": {"template": template("once", "Never")}});
    let fleet = json!({"apiVersion": "example.com/v1", "kind": "Fleet",
        "metadata": {"name": "fleet", "namespace": NAMESPACE, "labels": labels()}, "spec": {}});
    let roots = [
        workload("apps/v1", "Deployment", "web", &json!({"replicas": 2})),
        workload("apps/v1", "StatefulSet", "store", &json!({"replicas": 1, "serviceName": "store"})),
        workload("apps/v1", "DaemonSet", "agent", &json!({})),
        job,
        fleet,
    ];
    let mut managed = Vec::new();
    for root in &roots {
        let made = apply(client, root).await;
        managed.push(json!({"apiVersion": root["apiVersion"], "kind": root["kind"], "cluster": "local",
            "namespace": NAMESPACE, "name": root["metadata"]["name"], "component": "all"}));
        if root["kind"] == "Fleet" {
            // What an operator would make of it.
            let mut owned = workload("apps/v1", "Deployment", "ship", &json!({"replicas": 1}));
            owned["metadata"]["labels"] = json!({});
            owned["metadata"]["ownerReferences"] = json!([{"apiVersion": "example.com/v1", "kind": "Fleet",
                "name": "fleet", "uid": made.metadata.uid, "controller": true}]);
            apply(client, &owned).await;
        }
    }
    let application = json!({"apiVersion": "core.oam.dev/v1beta1", "kind": "Application",
        "metadata": {"name": "all-kinds", "namespace": NAMESPACE}, "spec": {"components": []}});
    let application = apply(client, &application).await;
    let mut tracker_labels = labels();
    tracker_labels["app.oam.dev/uid"] = json!(application.metadata.uid);
    let tracker = json!({"apiVersion": "core.oam.dev/v1beta1", "kind": "ResourceTracker",
        "metadata": {"name": format!("all-kinds-v1-{NAMESPACE}"), "labels": tracker_labels},
        "spec": {"type": "versioned", "applicationGeneration": application.metadata.generation,
            "managedResources": managed}});
    apply(client, &tracker).await;
}

/// Each line with the kinds above it: `Deployment/web > ReplicaSet > Pod`.
fn paths(items: &[Value]) -> Vec<String> {
    let path = |item: &Value| {
        let (mut at, mut words) = (item.clone(), Vec::new());
        while at["depth"] != 0 {
            let (kind, name) = (at["kind"].as_str().unwrap(), at["name"].as_str().unwrap());
            // Names that controllers make up are chance.
            words.push(if at["depth"] == 1 { format!("{kind}/{name}") } else { kind.to_owned() });
            at = items.iter().find(|other| other["id"] == at["parent"]).unwrap().clone();
        }
        words.reverse();
        words.join(" > ")
    };
    let mut paths: Vec<String> = items.iter().filter(|item| item["depth"] != 0).map(path).collect();
    paths.sort();
    paths
}

#[tokio::test]
#[ignore = "needs etcd and kube-apiserver: run by .ci/run"]
async fn every_kind_is_there_down_to_the_pod_and_live_under_a_rollout() {
    let client = servers().client("hub").await;
    deliver(&client).await;
    let kubeconfig = servers().kubeconfig("hub");
    let mut wanted = [
        "DaemonSet/agent",
        "DaemonSet/agent > ControllerRevision",
        "DaemonSet/agent > Pod",
        "Deployment/web",
        "Deployment/web > ReplicaSet",
        "Deployment/web > ReplicaSet > Pod",
        "Deployment/web > ReplicaSet > Pod",
        "Fleet/fleet",
        "Fleet/fleet > Deployment",
        "Fleet/fleet > Deployment > ReplicaSet",
        "Fleet/fleet > Deployment > ReplicaSet > Pod",
        "Job/once",
        "Job/once > Pod",
        "StatefulSet/store",
        "StatefulSet/store > ControllerRevision",
        "StatefulSet/store > Pod",
    ]
    .map(str::to_owned)
    .to_vec();
    wanted.sort();
    let mut last = Vec::new();
    let items = eventually("the whole tree", async || {
        let answer = lateen(&kubeconfig, &["get", "tree", "all-kinds", "-n", NAMESPACE, "-o", "json"]).items();
        last = paths(&answer);
        let well = answer.iter().filter(|item| item["kind"] == "Pod").all(|item| item["health"] == "ok");
        (last == wanted && well).then_some(answer)
    })
    .await;
    assert!(items.iter().all(|item| item["health"] != "failed"), "{items:#?}");

    let home = tempfile::tempdir().unwrap();
    let mut terminal = open(&home, &kubeconfig);
    terminal.wait("the application", |screen| screen.contains("all-kinds"));
    terminal.keys("t");
    terminal.wait("the tree", |screen| screen.contains("Deployment/web") && screen.contains("Fleet/fleet"));
    // ReplicaSets and pods below the Deployment.
    let below = |screen: &str| {
        let from = screen.lines().skip_while(|line| !line.contains("Deployment/web")).skip(1);
        let lines: Vec<String> = from.take_while(|line| !line.contains("StatefulSet/")).map(str::to_owned).collect();
        let count = |kind: &str| lines.iter().filter(|line| line.contains(kind)).count();
        (count("ReplicaSet/"), count("Pod/"), lines.iter().any(|line| line.contains("0/0")))
    };
    terminal.wait("its pods", |screen| below(screen) == (1, 2, false));
    let web = workload("apps/v1", "Deployment", "web", &json!({}));
    let deployment = api(&client, &serde_json::from_value(web).unwrap());
    let patch =
        json!({"spec": {"template": {"spec": {"containers": [{"name": "web", "image": "registry.example/web:2"}]}}}});
    deployment.patch("web", &PatchParams::default(), &Patch::Strategic(patch)).await.unwrap();
    // The new one stands there, and of the old one no pod is left.
    terminal.wait("the rollout", |screen| below(screen) == (2, 2, true));
    // Back, and out.
    terminal.keys("qq");
    assert!(terminal.end().success());
}

fn open(home: &TempDir, kubeconfig: &std::path::Path) -> Terminal {
    let env = [("HOME", home.path().to_str().unwrap()), ("KUBECONFIG", kubeconfig.to_str().unwrap())];
    Terminal::lateen(&["-n", NAMESPACE], &env, 50, 140)
}
