//! The tree of what an application made, looked up in the simulated estate.
#![cfg(feature = "demo")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "what fails here fails the test")]

use std::time::Duration;

use lateen::{
    cluster::{Connect, Hub, tree::look_up},
    demo::{Cut, Estate, Options},
    model::{
        health::Health,
        key::AppKey,
        tree::{Tree, What, assemble},
    },
};
use tokio::time::{sleep, timeout};

/// Time for a condition to come true; far beyond what it takes.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Time that a cluster is given to answer.
const DEADLINE: Duration = Duration::from_secs(20);

fn estate() -> Estate {
    Estate::start(Options { speed: 20.0, ..Options::default() }).unwrap()
}

fn hub(estate: &Estate, context: &str) -> Hub {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kubeconfig");
    std::fs::write(&file, estate.kubeconfig()).unwrap();
    Hub::load(&Connect { kubeconfig: Some(file), context: Some(context.to_owned()), ..Connect::default() }).unwrap()
}

/// Looks until the tree is as wanted.
async fn until(hub: &Hub, app: &AppKey, what: &str, wanted: impl Fn(&Tree) -> bool) -> Tree {
    let mut last = None;
    let found = timeout(PATIENCE, async {
        loop {
            if let Ok(found) = look_up(hub, app, DEADLINE).await {
                let tree = assemble(&found);
                if wanted(&tree) {
                    return tree;
                }
                last = Some(tree);
            }
            sleep(LOOK_EVERY).await;
        }
    });
    let found = found.await;
    found.unwrap_or_else(|_| panic!("{what} never came: {:#?}", last.as_ref().map(lines)))
}

fn lines(tree: &Tree) -> Vec<String> {
    let told = tree.nodes.iter().map(|node| {
        let name = match &node.what {
            What::Cluster(cluster) => cluster.to_string(),
            What::Object(key) => key.kind.to_string(),
            What::Idle(key, _) => format!("older {}", key.kind),
        };
        format!("{}{name} {}", "  ".repeat(node.depth), node.health.as_str())
    });
    told.collect()
}

fn whole(cluster: &str) -> Vec<String> {
    let below = [
        "  HelmRelease ok",
        "    Deployment ok",
        "      ReplicaSet ok",
        "        Pod ok",
        "        Pod ok",
        "    Service ok",
        "      EndpointSlice ok",
        "    ConfigMap ok",
        "    ServiceAccount ok",
        "  HelmRepository ok",
    ];
    std::iter::once(format!("{cluster} ok")).chain(below.map(str::to_owned)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_that_waits_is_there_down_to_the_pod_and_foo_is_still_to_come() {
    let estate = estate();
    let hub = hub(&estate, "hub");
    let mut wanted = whole("local");
    wanted.push("foo pending".to_owned());
    let tree = until(&hub, &AppKey::new("default", "helm-hello"), "all of it", |tree| lines(tree) == wanted).await;
    assert!(tree.incomplete.is_empty(), "{:?}", tree.incomplete);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_cluster_is_unknown_and_costs_the_others_nothing() {
    let estate = estate();
    let hub = hub(&estate, "hub");
    let app = AppKey::new("payments", "ledger");
    let there = |tree: &Tree| lines(tree).iter().filter(|line| line.trim() == "Pod failed").count() == 2;
    until(&hub, &app, "both pods fail", there).await;
    estate.cut("foo", Cut::Refuse).unwrap();
    let tree = until(&hub, &app, "foo is lost", |tree| tree.health() == Some(Health::Unknown)).await;
    assert_eq!(lines(&tree), ["foo unknown", "  HelmRelease unknown", "  HelmRepository unknown"]);
    assert!(tree.incomplete.iter().any(|gap| gap.kind.is_none() && gap.cluster.as_str() == "foo"));
    estate.restore("foo").unwrap();
    until(&hub, &app, "foo is back", there).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_see_trackers_is_told_where_the_roots_come_from() {
    let estate = estate();
    let admin = hub(&estate, "hub");
    let app = AppKey::new("default", "helm-hello");
    until(&admin, &app, "it is there", |tree| lines(tree).len() == whole("local").len() + 1).await;
    let confined = hub(&estate, "hub-namespaced");
    let said = |tree: &Tree| tree.incomplete.iter().any(|gap| gap.reason.contains("the application's own status"));
    let tree = until(&confined, &app, "the fallback is said", said).await;
    assert!(lines(&tree).iter().any(|line| line.trim().starts_with("HelmRelease")), "{:#?}", lines(&tree));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_that_is_not_there_is_an_error() {
    let estate = estate();
    let error = look_up(&hub(&estate, "hub"), &AppKey::new("default", "nobody"), DEADLINE).await.unwrap_err();
    assert!(error.to_string().contains("application default/nobody"), "{error}");
}
