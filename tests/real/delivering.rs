//! The tutorial on real clusters: KubeVela and Flux deliver to the hub, wait for a person, and go on to foo.

use kube::Client;
use kube::api::{DeleteParams, DynamicObject, PostParams};
use serde_json::json;

use crate::estate::{application, estate, namespace_in_both, reaches};
use crate::lateen::{home, lateen};
use crate::servers::{api, applications, eventually};
use crate::terminal::Terminal;

/// The message that the release was given in a cluster.
async fn message(client: &Client, namespace: &str) -> String {
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": namespace}});
    let maps = api(client, &serde_json::from_value(map).unwrap());
    let release = kube::api::ListParams::default().labels("helm.toolkit.fluxcd.io/name=hello");
    eventually("the release's ConfigMap", async || {
        let found = maps.list(&release).await.ok()?.items;
        found.iter().find_map(|map| map.data["data"]["MESSAGE"].as_str().map(str::to_owned))
    })
    .await
}

#[tokio::test]
#[ignore = "needs etcd and kube-apiserver: run by .ci/run"]
async fn the_tutorial_goes_from_nothing_to_both_clusters_by_an_approval() {
    let namespace = "tutorial";
    namespace_in_both(namespace).await;
    let (hub, member) = (estate().client("hub").await, estate().client("foo").await);
    let kubeconfig = estate().kubeconfig("hub");
    let home = home();
    let env = [("HOME", home.path().to_str().unwrap()), ("KUBECONFIG", kubeconfig.to_str().unwrap())];
    let mut dashboard = Terminal::lateen(&["-n", namespace], &env, 24, 120);
    dashboard.wait_for("2 live");

    // It waits, and everyone who asks is told where.
    applications(&hub, namespace).create(&PostParams::default(), &application()).await.unwrap();
    dashboard.wait_for("waiting for approval");
    reaches(&hub, namespace, "workflowSuspending").await;
    assert_eq!(message(&hub, namespace).await, "Welcome to Control Plane Cluster!");
    let answer = lateen(&kubeconfig, &["get", "approvals", "-n", namespace, "-o", "json"]);
    assert_eq!(answer.code, Some(0), "{answer:?}");
    let [approval] = &answer.items()[..] else { panic!("not one approval: {answer:?}") };
    assert_eq!((&approval["name"], &approval["step"]), (&json!("helm-hello"), &json!("manual-approval")), "{approval}");
    assert_eq!(approval["next"][0]["step"], "deploy2foo", "{approval}");
    assert_eq!(approval["next"][0]["clusters"], json!(["foo"]), "{approval}");
    let answer = lateen(&kubeconfig, &["get", "pods", "-n", namespace, "-o", "json"]);
    assert!(answer.items().iter().all(|pod| pod["cluster"] == "local"), "{answer:?}");

    // A person's word leads to foo.
    let answer = lateen(&kubeconfig, &["approve", "helm-hello", "-n", namespace, "-y"]);
    assert_eq!(answer.code, Some(0), "{answer:?}");
    reaches(&hub, namespace, "running").await;
    let screen = dashboard.wait("helm-hello runs on both", |screen| {
        screen.lines().any(|line| line.contains("helm-hello") && line.contains("running") && line.contains("3/3"))
    });
    assert!(screen.contains("local ✓") && screen.contains("foo ✓"), "{screen}");
    assert_eq!(message(&member, namespace).await, "Welcome to Your New Foo Cluster!");
    let answer = lateen(&kubeconfig, &["get", "approvals", "-n", namespace, "-o", "json"]);
    assert_eq!((answer.code, answer.items().len()), (Some(0), 0), "{answer:?}");
    let answer = lateen(&kubeconfig, &["get", "pods", "-n", namespace, "-o", "json"]);
    let pods: Vec<_> = answer.items().iter().map(|pod| (pod["cluster"].clone(), pod["status"].clone())).collect();
    let wanted = ["foo", "foo", "local", "local"].map(|cluster| (json!(cluster), json!("Running")));
    assert_eq!(pods, wanted, "{answer:?}");

    // Whoever deletes it takes everything away, in both clusters.
    applications(&hub, namespace).delete("helm-hello", &DeleteParams::default()).await.unwrap();
    dashboard.wait("helm-hello is gone", |screen| !screen.contains("helm-hello"));
    for client in [&hub, &member] {
        let release = json!({
            "apiVersion": "helm.toolkit.fluxcd.io/v2beta1", "kind": "HelmRelease", "metadata": {"namespace": namespace},
        });
        let release: DynamicObject = serde_json::from_value(release).unwrap();
        let releases = api(client, &release);
        eventually("the release to be gone", async || releases.get_opt("hello").await.ok()?.is_none().then_some(()))
            .await;
    }
    dashboard.keys("q");
    assert!(dashboard.end().success());
}
