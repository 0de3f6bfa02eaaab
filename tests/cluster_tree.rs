//! The tree of what an application made, looked up in the simulated estate.
#![cfg(feature = "demo")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "what fails here fails the test")]

#[path = "support/hub.rs"]
mod hub;

use std::time::Duration;

use lateen::{
    cluster::{
        Hub,
        tree::{follow, look_up},
    },
    demo::{Cut, Estate, Options, ctl},
    model::{
        health::Health,
        key::{AppKey, Text},
        tree::{Node, Tree, What, assemble},
    },
};
use tokio::{
    sync::mpsc,
    task::JoinHandle,
    time::{sleep, timeout},
};

/// Time for a condition to come true; far beyond what it takes.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Time that a cluster is given to answer.
const DEADLINE: Duration = Duration::from_secs(20);

fn estate() -> Estate {
    Estate::start(Options { speed: 20.0, ..Options::default() }).unwrap()
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
    let hub = hub::hub(&estate, "hub");
    let mut wanted = whole("local");
    wanted.push("foo pending".to_owned());
    let tree = until(&hub, &AppKey::new("default", "helm-hello"), "all of it", |tree| lines(tree) == wanted).await;
    assert!(tree.incomplete.is_empty(), "{:?}", tree.incomplete);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_cluster_is_unknown_and_costs_the_others_nothing() {
    let estate = estate();
    let hub = hub::hub(&estate, "hub");
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
    let admin = hub::hub(&estate, "hub");
    let app = AppKey::new("default", "helm-hello");
    until(&admin, &app, "it is there", |tree| lines(tree).len() == whole("local").len() + 1).await;
    let confined = hub::hub(&estate, "hub-namespaced");
    let said = |tree: &Tree| tree.incomplete.iter().any(|gap| gap.reason.contains("the application's own status"));
    let tree = until(&confined, &app, "the fallback is said", said).await;
    assert!(lines(&tree).iter().any(|line| line.trim().starts_with("HelmRelease")), "{:#?}", lines(&tree));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_that_is_not_there_is_an_error() {
    let estate = estate();
    let error = look_up(&hub::hub(&estate, "hub"), &AppKey::new("default", "nobody"), DEADLINE).await.unwrap_err();
    assert!(error.to_string().contains("application default/nobody"), "{error}");
}

/// Follows the tree of an application while it lives.
struct Followed {
    pictures: mpsc::Receiver<Result<Box<Tree>, Text>>,
    task: JoinHandle<()>,
    last: Option<Tree>,
    count: usize,
}

impl Followed {
    fn new(hub: &Hub, app: &AppKey) -> Self {
        let (tell, pictures) = mpsc::channel(1);
        let task = tokio::spawn(follow(hub.clone(), None, app.clone(), DEADLINE, tell));
        Self { pictures, task, last: None, count: 0 }
    }

    /// Takes pictures until one is as wanted.
    async fn until(&mut self, what: &str, wanted: impl Fn(&Tree) -> bool) -> Tree {
        let found = timeout(PATIENCE, async {
            while let Some(picture) = self.pictures.recv().await {
                self.count += 1;
                if let Ok(tree) = picture {
                    if wanted(&tree) {
                        return Some(*tree);
                    }
                    self.last = Some(*tree);
                }
            }
            None
        });
        let found = found.await.ok().flatten();
        found.unwrap_or_else(|| {
            let last = self.last.as_ref().map(|tree| (lines(tree), &tree.incomplete, &tree.asking));
            panic!("{what} never came: {last:#?}")
        })
    }
}

fn pods(tree: &Tree) -> Vec<String> {
    let pods = tree.nodes.iter().filter_map(|node| match &node.what {
        What::Object(key) if &*key.kind == "Pod" => Some(key.name.to_string()),
        _ => None,
    });
    pods.collect()
}

/// Waits until the estate has nothing open for a cluster beyond what it had.
async fn until_watches(estate: &Estate, cluster: &str, wanted: impl Fn(usize) -> bool) {
    let reached = timeout(PATIENCE, async {
        while !wanted(estate.traffic(cluster).unwrap().watches) {
            sleep(Duration::from_millis(10)).await;
        }
    });
    assert!(reached.await.is_ok(), "{cluster}: {:?}", estate.traffic(cluster));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_tree_is_told_of_changes_by_watches_and_leaving_it_ends_them() {
    let estate = estate();
    let hub = hub::hub(&estate, "hub");
    let app = AppKey::new("default", "helm-hello");
    let mut followed = Followed::new(&hub, &app);
    let mut wanted = whole("local");
    wanted.push("foo pending".to_owned());
    let tree = followed.until("all of it", |tree| lines(tree) == wanted && tree.asking.is_empty()).await;
    until_watches(&estate, "local", |watches| watches > 5).await;
    let before = pods(&tree);
    let asked = estate.traffic("local").unwrap().requests;
    let (cluster, namespace, name) = ("local".to_owned(), "default".to_owned(), before[0].clone());
    estate.perform(&ctl::Command::KillPod { cluster, namespace, name: name.clone() }).unwrap();
    let tree = followed.until("another pod", |tree| lines(tree) == wanted && !pods(tree).contains(&name)).await;
    assert_eq!(pods(&tree).len(), before.len());
    // A list of every kind would be some thirty requests; a watch that begins for what newly stands there is one.
    let more = estate.traffic("local").unwrap().requests - asked;
    assert!(more < 15, "{more} requests for one change");
    drop(followed);
    until_watches(&estate, "local", |watches| watches == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn watches_in_a_member_are_bounded_and_end_with_the_tree() {
    let estate = estate();
    let hub = hub::hub(&estate, "hub");
    let app = AppKey::new("payments", "ledger");
    let mut followed = Followed::new(&hub, &app);
    followed.until("pods fail in foo", |tree| pods(tree).len() == 2).await;
    until_watches(&estate, "foo", |watches| watches > 0).await;
    assert!(estate.traffic("foo").unwrap().watches <= 16);
    followed.task.abort();
    until_watches(&estate, "foo", |watches| watches == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_too_old_is_listed_anew_and_nothing_is_missed() {
    let estate = estate();
    let hub = hub::hub(&estate, "hub");
    let app = AppKey::new("payments", "ledger");
    let mut followed = Followed::new(&hub, &app);
    let there = |tree: &Tree| pods(tree).len() == 2 && tree.asking.is_empty();
    let tree = followed.until("both pods", there).await;
    until_watches(&estate, "foo", |watches| watches > 0).await;
    // Watches break, and what they would go on from is forgotten; meanwhile a pod has been replaced.
    estate.cut("foo", Cut::Refuse).unwrap();
    followed.until("foo is lost", |tree| tree.health() == Some(Health::Unknown)).await;
    let name = pods(&tree)[0].clone();
    let (cluster, namespace) = ("foo".to_owned(), "payments".to_owned());
    estate.perform(&ctl::Command::KillPod { cluster, namespace, name: name.clone() }).unwrap();
    estate.compact("foo").unwrap();
    estate.restore("foo").unwrap();
    followed.until("the other pod", |tree| there(tree) && !pods(tree).contains(&name)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_lost_cluster_had_stays_on_the_screen_and_nobody_speaks_for_it() {
    let estate = estate();
    let hub = hub::hub(&estate, "hub");
    let mut followed = Followed::new(&hub, &AppKey::new("payments", "ledger"));
    followed.until("both pods", |tree| pods(tree).len() == 2 && tree.asking.is_empty()).await;
    estate.cut("foo", Cut::Refuse).unwrap();
    let tree = followed.until("foo is lost", |tree| tree.health() == Some(Health::Unknown)).await;
    assert_eq!(pods(&tree).len(), 2, "{:?}", lines(&tree));
    assert!(tree.nodes.iter().all(|node| node.own == Health::Unknown), "{:?}", lines(&tree));
    assert!(tree.nodes.iter().skip(1).all(|node| node.message.starts_with("was: ")), "{tree:?}");
    estate.restore("foo").unwrap();
    followed.until("foo is back", |tree| tree.incomplete.is_empty() && tree.asking.is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_hangs_is_still_asked_while_the_other_is_shown() {
    let estate = estate();
    let hub = hub::hub(&estate, "hub");
    let app = AppKey::new("default", "helm-hello");
    until(&hub, &app, "it waits", |tree| lines(tree).len() == whole("local").len() + 1).await;
    estate.cut("foo", Cut::Hang).unwrap();
    let ledger = AppKey::new("payments", "ledger");
    let mut followed = Followed::new(&hub, &ledger);
    let tree = followed.until("the first picture", |tree| !tree.nodes.is_empty()).await;
    assert_eq!(tree.asking.iter().map(ToString::to_string).collect::<Vec<_>>(), ["foo"]);
    assert!(tree.nodes.iter().any(|node| &*node.message == "still asking"), "{tree:?}");
    estate.restore("foo").unwrap();
    followed.until("foo answers", |tree| pods(tree).len() == 2).await;
}

/// The line of an object, where it has one.
fn line<'a>(tree: &'a Tree, cluster: &str, kind: &str, name: &str) -> Option<&'a Node> {
    tree.nodes.iter().find(|node| {
        matches!(&node.what, What::Object(key)
            if key.cluster.as_str() == cluster && &*key.kind == kind && &*key.name == name)
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kind_that_is_forbidden_meanwhile_is_unknown_there_and_the_rest_goes_on() {
    let estate = estate();
    let hub = hub::hub(&estate, "hub");
    let mut followed = Followed::new(&hub, &AppKey::new("shop", "storefront"));
    let is_well = |tree: &Tree| {
        let service = |cluster| line(tree, cluster, "Service", "web").is_some_and(|node| node.own == Health::Ok);
        service("local") && service("foo") && pods(tree).len() == 6 && tree.asking.is_empty()
    };
    followed.until("all of it", is_well).await;
    until_watches(&estate, "foo", |watches| watches > 3).await;
    let (cluster, resource) = ("foo".to_owned(), "services".to_owned());
    estate.perform(&ctl::Command::Forbid { cluster, resource, allow: false }).unwrap();
    let is_said = |tree: &Tree| {
        tree.incomplete.iter().any(|gap| gap.cluster.as_str() == "foo" && gap.kind.as_deref() == Some("Service"))
    };
    let tree = followed.until("it is said", is_said).await;
    let service = |cluster| line(&tree, cluster, "Service", "web").unwrap();
    assert_eq!((service("local").own, service("foo").own), (Health::Ok, Health::Unknown));
    assert!(service("foo").message.contains("not permitted"), "{}", service("foo").message);
    assert_eq!(pods(&tree).len(), 6, "{:?}", lines(&tree));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kind_that_is_uninstalled_meanwhile_is_told_as_such() {
    let estate = estate();
    let hub = hub::hub(&estate, "hub");
    let mut followed = Followed::new(&hub, &AppKey::new("payments", "ledger"));
    followed.until("both pods", |tree| pods(tree).len() == 2 && tree.asking.is_empty()).await;
    until_watches(&estate, "foo", |watches| watches > 3).await;
    let (cluster, resource) = ("foo".to_owned(), "helmreleases.helm.toolkit.fluxcd.io".to_owned());
    estate.perform(&ctl::Command::Uninstall { cluster, resource }).unwrap();
    let is_told = |tree: &Tree| {
        line(tree, "foo", "HelmRelease", "ledger")
            .is_some_and(|node| node.own == Health::Gone && node.message.contains("is not installed"))
    };
    let tree = followed.until("it is told", is_told).await;
    // What it was made from is of another kind, and still there.
    assert_eq!(line(&tree, "foo", "HelmRepository", "ledger").unwrap().own, Health::Ok);
}

async fn delete(hub: &Hub, path: &str) {
    let request = http::Request::delete(path).body(Vec::new()).unwrap();
    hub.client().request::<serde_json::Value>(request).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_vanishes_is_gone_with_what_it_made() {
    let options = Options { speed: 20.0, scenario: Some("bad-days".into()), ..Options::default() };
    let estate = Estate::start(options).unwrap();
    let hub = hub::hub(&estate, "hub");
    let mut followed = Followed::new(&hub, &AppKey::new("orders", "mailer"));
    followed.until("its pod", |tree| pods(tree).len() == 1 && tree.asking.is_empty()).await;
    delete(&hub, "/apis/apps/v1/namespaces/orders/deployments/mailer").await;
    let is_gone = |tree: &Tree| {
        line(tree, "local", "Deployment", "mailer").is_some_and(|node| node.own == Health::Gone)
            && pods(tree).is_empty()
    };
    let tree = followed.until("it is gone", is_gone).await;
    assert_eq!(tree.health(), Some(Health::Failed), "what was applied is missing");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_that_is_deleted_is_said_to_be() {
    let estate = estate();
    let hub = hub::hub(&estate, "hub");
    let app = AppKey::new("shop", "storefront");
    let mut followed = Followed::new(&hub, &app);
    followed.until("all of it", |tree| pods(tree).len() == 6 && tree.asking.is_empty()).await;
    delete(&hub, "/apis/core.oam.dev/v1beta1/namespaces/shop/applications/storefront").await;
    let said = timeout(PATIENCE, async {
        loop {
            if let Err(reason) = followed.pictures.recv().await.unwrap() {
                return reason;
            }
        }
    });
    let said = said.await.unwrap();
    assert!(said.contains("application shop/storefront"), "{said}");
    assert!(said.contains("deleted") || said.contains("not found"), "{said}");
}
