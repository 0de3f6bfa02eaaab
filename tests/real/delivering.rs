//! The tutorial on real clusters: KubeVela and Flux deliver to the hub, wait for a person, and go on to foo.

use crate::estate::{deliver, estate};
use crate::lateen::lateen;
use crate::servers::{applications, eventually};

#[tokio::test]
#[ignore = "needs etcd and kube-apiserver: run by .ci/run"]
async fn the_tutorial_is_delivered_after_an_approval() {
    let namespace = "tutorial";
    let hub = deliver(namespace).await;
    let kubeconfig = estate().kubeconfig("hub");
    let api = applications(&hub, namespace);
    eventually("it to wait for a person", async || {
        let status = api.get("helm-hello").await.unwrap().data["status"].clone();
        (status["workflow"]["suspend"] == true).then_some(())
    })
    .await;
    let answer = lateen(&kubeconfig, &["get", "approvals", "-n", namespace, "-o", "json"]);
    let [approval] = &answer.items()[..] else { panic!("{answer:?}") };
    assert_eq!(approval["step"], "manual-approval");
    let answer = lateen(&kubeconfig, &["approve", "helm-hello", "-n", namespace, "-y"]);
    assert_eq!(answer.code, Some(0), "{answer:?}");
    eventually("it to run", async || {
        let status = api.get("helm-hello").await.unwrap().data["status"].clone();
        (status["status"] == "running").then_some(())
    })
    .await;
    let answer = lateen(&kubeconfig, &["get", "pods", "-n", namespace, "-o", "json"]);
    let clusters: Vec<_> = answer.items().iter().map(|pod| pod["cluster"].clone()).collect();
    assert_eq!(clusters, ["foo", "foo", "local", "local"], "{answer:?}");
}
