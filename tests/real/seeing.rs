//! What lateen shows of a real hub.

use serde_json::json;

use crate::captures::{capture, captures};
use crate::lateen::lateen;
use crate::servers::servers;
use crate::workload::deploy;

/// What the other tests stand on: the definitions of the kinds drop nothing that KubeVela writes.
#[tokio::test]
#[ignore = "needs etcd and kube-apiserver: run by .ci/run"]
async fn captured_applications_are_kept_whole() {
    let client = servers().client("hub").await;
    for capture in captures() {
        let kept = capture.load(&client, &format!("kept-{}", capture.moment)).await;
        let wanted = &capture.object;
        assert_eq!(kept.data["spec"], wanted["spec"], "{}", capture.moment);
        assert_eq!(kept.data["status"], wanted["status"], "{}", capture.moment);
        assert_eq!(kept.metadata.generation, wanted["metadata"]["generation"].as_i64(), "{}", capture.moment);
        let (deleting, was) = (kept.metadata.deletion_timestamp, wanted["metadata"].get("deletionTimestamp"));
        assert_eq!(deleting.is_some(), was.is_some(), "{}", capture.moment);
    }
}

/// What each captured application is told to be where nothing but the hub's word is there.
const STANDING: &[(&str, &str, &str)] = &[
    ("auto-false-suspended-but-deployed", "waiting", "waiting for approval"),
    ("deleting-stuck-foo-down", "failed", "deleting"),
    ("group-nested-suspend-auto-false-already-deployed", "waiting", "waiting for approval"),
    ("helm-hello-01-deploying-local", "progressing", "deploying to local"),
    ("helm-hello-02-suspended", "waiting", "waiting for approval"),
    ("helm-hello-03-deploying-foo-wait", "progressing", "deploying to foo"),
    ("helm-hello-04-succeeded", "ok", "running"),
    ("helm-hello-05-override-edited-suspended-again", "waiting", "waiting for approval"),
    ("helm-hello-06-terminated", "failed", "terminated"),
    ("helm-hello-08-workflowfailed-foo-down", "failed", "failed: deploy2foo"),
    ("helm-hello-09-running-green-while-foo-is-down", "ok", "running"),
    ("helm-hello-after-edit-transient-rendering-stale-workflow", "progressing", "rendering"),
    ("helm-hello-green-with-crashlooping-pods", "ok", "running"),
    ("helm-hello-resume-patched-before-controller", "progressing", "resuming"),
    ("suspend-duration-after-resume", "waiting", "waiting, goes on by itself"),
    ("web-hello-unhealthy", "failed", "unhealthy 1/2"),
];

/// Each in a namespace of its own, since most are the same application at another moment.
#[tokio::test]
#[ignore = "needs etcd and kube-apiserver: run by .ci/run"]
async fn get_applications_shows_every_captured_one() {
    let client = servers().client("hub").await;
    let captures = captures();
    assert_eq!(captures.len(), STANDING.len(), "every capture has its line");
    for capture in &captures {
        capture.load(&client, &format!("shown-{}", capture.moment)).await;
    }
    let answer = lateen(&servers().kubeconfig("hub"), &["get", "applications", "-A", "-o", "json"]);
    let items = answer.items();
    for (moment, health, status) in STANDING {
        let capture = captures.iter().find(|capture| capture.moment == *moment).unwrap();
        let namespace = format!("shown-{moment}");
        let shown: Vec<_> = items.iter().filter(|item| item["namespace"] == namespace.as_str()).collect();
        let [item] = shown[..] else { panic!("{moment}: {} items, not one: {answer:?}", shown.len()) };
        assert_eq!(item["name"], capture.object["metadata"]["name"], "{moment}");
        assert_eq!((&item["health"], &item["status"]), (&json!(health), &json!(status)), "{moment}");
        assert_eq!(item["generation"], capture.object["metadata"]["generation"], "{moment}");
        assert_eq!(item["observed_generation"], capture.object["status"]["observedGeneration"], "{moment}");
    }
}

/// Pods of native components carry the application's name; those of others are nobody's.
#[tokio::test]
#[ignore = "needs etcd and kube-apiserver: run by .ci/run"]
async fn running_pods_of_a_native_component_are_shown() {
    let client = servers().client("hub").await;
    let (namespace, capture) = ("pods", capture("web-hello-unhealthy"));
    capture.load(&client, namespace).await;
    deploy(&client, namespace, "stranger", None).await;
    deploy(&client, namespace, "web", Some("web-hello")).await;
    let kubeconfig = servers().kubeconfig("hub");
    let pods = lateen(&kubeconfig, &["get", "pods", "-n", namespace, "-o", "json"]).items();
    assert_eq!(pods.len(), 2, "{pods:?}");
    for pod in pods {
        let place = (&pod["cluster"], &pod["application"], &pod["component"]);
        assert_eq!(place, (&json!("local"), &json!("web-hello"), &json!("web")), "{pod}");
        assert_eq!((&pod["ready"], &pod["status"]), (&json!("1/1"), &json!("Running")), "{pod}");
    }
}

#[tokio::test]
#[ignore = "needs etcd and kube-apiserver: run by .ci/run"]
async fn who_may_see_one_namespace_sees_it_and_is_told_what_is_missing_for_more() {
    let client = servers().client("hub").await;
    capture("helm-hello-04-succeeded").load(&client, "team-a").await;
    let kubeconfig = servers().kubeconfig("hub");

    let own = lateen(&kubeconfig, &["get", "applications", "--context", "namespaced", "-n", "team-a", "-o", "json"]);
    assert_eq!(own.items().len(), 1, "{own:?}");
    let all = lateen(&kubeconfig, &["get", "applications", "--context", "namespaced", "-A", "-o", "json"]);
    assert_eq!(all.code, Some(5), "{all:?}");
    assert!(all.stderr.contains("list") && all.stderr.contains("applications"), "{all:?}");
}

#[tokio::test]
#[ignore = "needs etcd and kube-apiserver: run by .ci/run"]
async fn a_cluster_without_kubevela_is_told() {
    let answer = lateen(&servers().kubeconfig("foo"), &["get", "applications"]);
    assert_eq!(answer.code, Some(1), "{answer:?}");
    assert!(answer.stdout.is_empty(), "{answer:?}");
    assert!(answer.stderr.contains("KubeVela"), "{answer:?}");
}
