//! lateen's outside against the simulated estate: delivered, watched, approved, followed, forwarded, cut and back.
#![cfg(feature = "demo")]
#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

#[path = "support/hub.rs"]
mod hub;

use std::{collections::BTreeMap, io, sync::Arc, time::Duration};

use lateen::{
    cluster::{
        Hub, NamespaceScope, Session, actions,
        feed::{self, FeedReader},
        forward, logs,
    },
    demo::{Cut, Estate, Options},
    model::{
        action::{Action, Outcome},
        application::Placement,
        approval,
        audit::AuditLine,
        cluster::LinkState,
        forward::{ForwardNews, ForwardState, TargetKind},
        key::{AppKey, ClusterId},
        log::{LogEvent, LogRequest, LogTarget, Start},
        pod::Pod,
    },
    store::Store,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::mpsc,
    time::timeout,
};

/// Time for a condition to come true; far beyond what it takes.
const PATIENCE: Duration = Duration::from_secs(60);

fn estate() -> Estate {
    Estate::start(Options { speed: 20.0, ..Options::default() }).unwrap()
}

/// A store that is fed, and can be waited upon.
struct World {
    store: Store,
    reader: FeedReader,
    _session: Session,
}

impl World {
    fn watch(hub: &Hub) -> Self {
        let (feed, reader) = feed::channel();
        Self { store: Store::default(), reader, _session: Session::start(hub.clone(), NamespaceScope::all([]), feed) }
    }

    async fn until(&mut self, what: &str, met: impl Fn(&Store) -> bool) {
        let came = timeout(PATIENCE, async {
            while !met(&self.store) {
                assert!(self.reader.changed().await);
                for delta in self.reader.take(usize::MAX) {
                    self.store.apply(delta);
                }
            }
        });
        assert!(came.await.is_ok(), "never came: {what}");
    }
}

fn hello() -> AppKey {
    AppKey::new("default", "helm-hello")
}

fn ready_pods(store: &Store, cluster: &str) -> usize {
    store.pods_of(&hello()).filter(|pod| pod.key.cluster.as_str() == cluster && pod.ready == pod.total).count()
}

fn is_live(store: &Store, cluster: &str) -> bool {
    matches!(store.link(&ClusterId::named(cluster)), Some(LinkState::Live { .. }))
}

fn is_lost(store: &Store, cluster: &str) -> bool {
    matches!(store.link(&ClusterId::named(cluster)), Some(LinkState::Unreachable { .. }))
}

/// An answer to a GET of `/`, as curl would get it.
async fn page(address: &str) -> io::Result<String> {
    let mut socket = TcpStream::connect(address).await?;
    socket.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await?;
    let mut text = String::new();
    socket.read_to_string(&mut text).await?;
    Ok(text)
}

#[tokio::test(flavor = "multi_thread")]
async fn one_delivery_from_waiting_to_approved_followed_and_forwarded() {
    let estate = estate();
    let hub = hub::hub(&estate, "hub");
    assert_eq!((hub.context(), hub.namespace()), ("hub", None));
    let mut world = World::watch(&hub);
    world.until("both clusters live", |store| is_live(store, "local") && is_live(store, "foo")).await;
    world
        .until("helm-hello waits, its pods in local ready", |store| {
            store.application(&hello()).is_some_and(|entry| entry.waiting.is_some()) && ready_pods(store, "local") > 0
        })
        .await;
    assert_eq!(ready_pods(&world.store, "foo"), 0);

    let entry = world.store.application(&hello()).unwrap();
    let waiting = approval::waiting(&entry.row).unwrap();
    let action = Action::Approve(waiting.approval(&entry.row, None));
    let mut lines = Vec::new();
    let mut audit = |line: AuditLine| -> io::Result<()> {
        lines.push(line);
        Ok(())
    };
    let outcome = actions::perform(&hub, &action, &mut audit).await;
    assert!(outcome.is_done(), "{outcome:?}");
    assert_eq!(lines.len(), 2);
    // The same, with what was on screen before: somebody was faster.
    let again = actions::perform(&hub, &action, &mut |_| Ok(())).await;
    assert!(matches!(again, Outcome::Moved { .. }), "{again:?}");

    world.until("its pods in foo ready", |store| ready_pods(store, "foo") > 0).await;

    let pods: Vec<Pod> = world.store.pods_of(&hello()).cloned().collect();
    let placements = ["local", "foo"].map(|name| Placement { cluster: ClusterId::named(name), namespace: "".into() });
    let (targets, not_asked) = forward::targets(&hub, &hello(), &placements, &pods).await;
    assert!(not_asked.is_empty(), "{not_asked:?}");
    let mut welcomed = BTreeMap::new();
    for name in ["local", "foo"] {
        let target = targets
            .iter()
            .find(|target| target.cluster.as_str() == name && target.kind == TargetKind::Service)
            .unwrap_or_else(|| panic!("{targets:#?}"))
            .clone();
        let (states, mut stands) = mpsc::unbounded_channel();
        let client = hub.member(&target.cluster);
        let listen = "127.0.0.1:0".parse().unwrap();
        let open = tokio::spawn(forward::run(client, target, listen, move |state| {
            let _ = states.send(state);
        }));
        let address = timeout(PATIENCE, async {
            loop {
                if let ForwardNews::State(ForwardState::Active { local, .. }) = stands.recv().await.unwrap() {
                    return local;
                }
            }
        });
        welcomed.insert(name, page(&address.await.unwrap()).await.unwrap());
        open.abort();
    }
    assert!(welcomed["local"].contains("Welcome to Control Plane Cluster!"), "{welcomed:?}");
    assert!(welcomed["foo"].contains("Welcome to Your New Foo Cluster!"), "{welcomed:?}");

    let pod = pods.iter().find(|pod| pod.key.cluster.as_str() == "foo").unwrap();
    let request = LogRequest { start: Start::Tail(10), ..LogRequest::of_pods(vec![pod.key.clone()]) };
    let queue = logs::Queue::new(1 << 20, logs::Overflow::Wait);
    let (joins, joined) = mpsc::unbounded_channel();
    joins.send(vec![LogTarget { pod: pod.key.clone(), uid: pod.uid.clone() }]).unwrap();
    let clients = hub.clone();
    let outlets = logs::Outlets::Shared(queue.clone());
    let logs = logs::Session::new(Arc::new(move |cluster| clients.member(cluster)), request, 100, outlets);
    let following = tokio::spawn(logs.run(joined, Vec::new()));
    estate.log("foo", &pod.key.namespace, &pod.key.name, "a line of its own").unwrap();
    let told = timeout(PATIENCE, async {
        loop {
            for event in queue.take(usize::MAX).await.unwrap() {
                if let LogEvent::Lines(_, lines) = event
                    && lines.iter().any(|line| line.text.contains("a line of its own"))
                {
                    return;
                }
            }
        }
    });
    assert!(told.await.is_ok());
    following.abort();
}

async fn said_and_back(cut: Cut) {
    let estate = estate();
    let hub = hub::hub(&estate, "hub");
    let mut world = World::watch(&hub);
    world.until("both live", |store| is_live(store, "local") && is_live(store, "foo")).await;
    estate.cut("foo", cut).unwrap();
    // Within 10 s: that follows from the probe's own times, which are added up there.
    world.until("foo lost", |store| is_lost(store, "foo")).await;
    assert!(is_live(&world.store, "local"));
    estate.restore("foo").unwrap();
    world.until("foo back", |store| is_live(store, "foo")).await;

    estate.cut("local", cut).unwrap();
    // A probe of foo that was under way may give up first, with a reason of its own; then the hub is named.
    world
        .until("all lost, by the hub", |store| {
            let member = store.link(&ClusterId::named("foo"));
            let by_hub =
                matches!(member, Some(LinkState::Unreachable { reason, .. }) if &**reason == "the hub does not answer");
            is_lost(store, "local") && by_hub
        })
        .await;
    assert!(world.store.application(&hello()).is_some());
    estate.restore("local").unwrap();
    world.until("all back", |store| is_live(store, "local") && is_live(store, "foo")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_refuses_is_said_to_and_comes_back() {
    said_and_back(Cut::Refuse).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_hangs_is_said_to_and_comes_back() {
    said_and_back(Cut::Hang).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_that_is_forgotten_is_listed_again() {
    let estate = estate();
    let hub = hub::hub(&estate, "hub");
    let mut world = World::watch(&hub);
    world.until("helm-hello", |store| store.application(&hello()).is_some()).await;
    estate.compact("local").unwrap();
    // What happens after it is still seen.
    world
        .until("helm-hello waits", |store| store.application(&hello()).is_some_and(|entry| entry.waiting.is_some()))
        .await;
}
