//! Events, watched while somebody looks: against scripted servers, and in the simulated estate.
#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

#[cfg(feature = "demo")]
#[path = "support/hub.rs"]
mod hub;
#[path = "support/scripted.rs"]
mod scripted;

use std::sync::{Arc, Mutex};

use lateen::{
    cluster::{NamespaceScope, Session, feed, feed::FeedReader},
    model::{
        delta::{Delta, Query, Row, ScopeState},
        event::{Event, EventScope},
        key::{AppKey, ClusterId},
        resource::ResourceKey,
    },
};
use scripted::{Asked, PATIENCE, Reply, Scripted, list, quiet, status, until};
use serde_json::{Value, json};
use tokio::{sync::mpsc, time::timeout};

const APPS: &str = "/apis/core.oam.dev/v1beta1/applications";
const CLUSTERS: &str = "/apis/cluster.core.oam.dev/v1alpha1/virtualclusters";
const EVENTS: &str = "/api/v1/events";

fn plain(asked: &Asked) -> Reply {
    match asked.path.as_str() {
        path if path.ends_with("/readyz") => Reply::Text(200, "text/plain", "ok".into()),
        path if path.ends_with("/version") => Reply::Json(200, json!({"gitVersion": "v1.34.4"})),
        CLUSTERS => list("", &[json!({"metadata": {"name": "local"}, "spec": {"accepted": true}})]),
        APPS if !asked.is_watch() => list("1", &[app("web", "team"), app("shop", "stage")]),
        _ if asked.is_watch() => quiet(),
        _ => list("1", &[]),
    }
}

/// An application that deploys to a namespace of the hub.
fn app(name: &str, namespace: &str) -> Value {
    json!({
        "metadata": {"namespace": "default", "name": name, "uid": name, "resourceVersion": "1", "generation": 1},
        "spec": {"components": [{"name": "web", "type": "webservice"}],
            "policies": [{"name": "t", "type": "topology", "properties": {"clusters": ["local"], "namespace": namespace}}]},
        "status": {"services": [{"name": "web", "cluster": "local", "namespace": namespace, "healthy": true}]},
    })
}

fn event(name: &str, reason: &str, last: &str) -> Value {
    json!({
        "metadata": {"namespace": "team", "name": name, "resourceVersion": "5"},
        "involvedObject": {"apiVersion": "v1", "kind": "Pod", "namespace": "team", "name": "hello"},
        "type": "Warning", "reason": reason, "message": "said", "count": 2, "lastTimestamp": last,
    })
}

async fn session(
    scope: NamespaceScope,
    answer: impl Fn(&Asked, usize) -> Option<Reply> + Send + Sync + 'static,
) -> (Scripted, Session, FeedReader) {
    let server = Scripted::start(move |asked, number| answer(asked, number).unwrap_or_else(|| plain(asked))).await;
    let (feed, reader) = feed::channel();
    let session = Session::start(server.hub(), scope, feed);
    (server, session, reader)
}

fn is_live(delta: &Delta, query: &Query) -> bool {
    matches!(delta, Delta::Asked { scope, state: ScopeState::Live } if scope.query == *query)
}

fn is_event(delta: &Delta, of: impl Fn(&Event) -> bool) -> bool {
    matches!(delta, Delta::Upsert { row: Row::Event(row), .. } if of(row))
}

fn paths(asked: &[Asked]) -> Vec<String> {
    let events = asked.iter().filter(|asked| asked.path.contains("/events"));
    let mut paths: Vec<String> = events.map(|asked| asked.path.clone()).collect();
    paths.sort();
    paths.dedup();
    paths
}

#[tokio::test]
async fn events_are_watched_while_somebody_looks_and_the_watch_ends_with_the_look() {
    let (open, mut opened) = mpsc::unbounded_channel();
    let (server, session, mut reader) = session(NamespaceScope::all(Vec::new()), move |asked, _| {
        (asked.path == EVENTS).then(|| {
            if asked.is_watch() {
                let (lines, stream) = mpsc::unbounded_channel();
                open.send(lines).unwrap();
                Reply::Stream(stream)
            } else {
                list("7", &[event("a", "BackOff", "2026-11-23T10:00:00Z")])
            }
        })
    })
    .await;
    session.settled().await;
    assert_eq!(paths(&server.asked()), Vec::<String>::new(), "nobody looks yet");
    session.watch_events(1, EventScope::All).await;
    until(&mut reader, "the listed event", |delta| is_event(delta, |event| &*event.key.name == "a")).await;
    let lines = timeout(PATIENCE, opened.recv()).await.unwrap().unwrap();
    let added = json!({"type": "ADDED", "object": event("b", "Killing", "2026-11-23T10:01:00Z")});
    lines.send(format!("{added}\n")).unwrap();
    until(&mut reader, "the watched event", |delta| is_event(delta, |event| &*event.reason == "Killing")).await;
    // A second one who looks at the same costs nothing, and keeps it when the first leaves.
    session.watch_events(2, EventScope::All).await;
    session.stop_events(1);
    let again = json!({"type": "MODIFIED", "object": event("b", "Killing", "2026-11-23T10:02:00Z")});
    lines.send(format!("{again}\n")).unwrap();
    until(&mut reader, "still watched", |delta| is_event(delta, |event| &*event.key.name == "b")).await;
    assert!(opened.try_recv().is_err(), "one watch");
    session.stop_events(2);
    until(
        &mut reader,
        "its rows go",
        |delta| matches!(delta, Delta::Dropped { scope } if scope.query == Query::Events(None)),
    )
    .await;
    timeout(PATIENCE, lines.closed()).await.unwrap();
}

#[tokio::test]
async fn who_may_not_ask_everywhere_asks_where_applications_deploy_to() {
    let (server, session, mut reader) = session(NamespaceScope::all(Vec::new()), |asked, _| {
        (asked.path == EVENTS).then(|| status(403, "events is forbidden"))
    })
    .await;
    session.settled().await;
    session.watch_events(1, EventScope::All).await;
    let teams = Query::Events(Some("team".into()));
    until(&mut reader, "asked in team", |delta| is_live(delta, &teams)).await;
    server.wait_asked("events of both namespaces", |asked| paths(asked).len() == 3).await;
    let wanted = [EVENTS, "/api/v1/namespaces/stage/events", "/api/v1/namespaces/team/events"];
    assert_eq!(paths(&server.asked()), wanted);
}

#[tokio::test]
async fn who_wants_one_namespace_is_asked_for_no_other() {
    let (server, session, mut reader) = session(NamespaceScope::only("default"), |asked, _| {
        (asked.path == "/apis/core.oam.dev/v1beta1/namespaces/default/applications" && !asked.is_watch())
            .then(|| list("1", &[app("web", "team")]))
    })
    .await;
    session.watch_events(1, EventScope::All).await;
    until(&mut reader, "asked in team", |delta| is_live(delta, &Query::Events(Some("team".into())))).await;
    session.settled().await;
    assert_eq!(paths(&server.asked()), ["/api/v1/namespaces/team/events"]);
}

#[tokio::test]
async fn events_of_an_application_are_asked_for_where_it_deploys_to() {
    let (server, session, mut reader) = session(NamespaceScope::all(Vec::new()), |_, _| None).await;
    session.settled().await;
    session.watch_events(1, EventScope::App(AppKey::new("default", "shop"))).await;
    until(&mut reader, "asked in stage", |delta| is_live(delta, &Query::Events(Some("stage".into())))).await;
    session.settled().await;
    // Its own events are in its own namespace.
    assert_eq!(paths(&server.asked()), ["/api/v1/namespaces/default/events", "/api/v1/namespaces/stage/events"]);
}

#[tokio::test]
async fn events_of_one_object_are_chosen_by_the_server() {
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let log = Arc::clone(&seen);
    let (server, session, mut reader) = session(NamespaceScope::all(Vec::new()), move |asked, _| {
        asked.path.ends_with("/events").then(|| {
            log.lock().unwrap().push(asked.param("fieldSelector").to_owned());
            if asked.is_watch() { quiet() } else { list("7", &[event("a", "BackOff", "2026-11-23T10:00:00Z")]) }
        })
    })
    .await;
    session.settled().await;
    let object = |kind: &str, namespace: &str| ResourceKey {
        cluster: ClusterId::local(),
        group: "".into(),
        kind: kind.into(),
        namespace: namespace.into(),
        name: "hello".into(),
    };
    session.watch_events(1, EventScope::Object(object("Pod", "team"))).await;
    until(&mut reader, "its event", |delta| is_event(delta, |event| &*event.object.name == "hello")).await;
    server
        .wait_asked("a watch of it", |asked| {
            asked.iter().any(|asked| asked.path == "/api/v1/namespaces/team/events" && asked.is_watch())
        })
        .await;
    let selector = "involvedObject.kind=Pod,involvedObject.name=hello";
    assert!(seen.lock().unwrap().iter().all(|fields| fields == selector), "{:?}", seen.lock().unwrap());
    session.stop_events(1);
    // Events of what has no namespace are kept in `default`.
    session.watch_events(2, EventScope::Object(object("Node", ""))).await;
    server
        .wait_asked("events of the node", |asked| {
            asked.iter().any(|asked| asked.path == "/api/v1/namespaces/default/events" && asked.is_watch())
        })
        .await;
}

#[cfg(feature = "demo")]
mod estate {
    use lateen::{
        demo::{Cut, Estate, Options},
        model::{cluster::LinkState, event::Fold},
        store::Store,
    };

    use super::*;

    /// Takes changes in until the store is as wanted.
    async fn until(reader: &mut FeedReader, store: &mut Store, what: &str, wanted: impl Fn(&Store) -> bool) {
        let found = timeout(PATIENCE * 3, async {
            while !wanted(store) {
                assert!(reader.changed().await);
                store.apply_all(reader.take(256));
            }
        });
        let in_time = found.await.is_ok();
        let folds: Vec<&Fold> = store.events().folds().collect();
        assert!(in_time, "{what} never came: {folds:#?}");
    }

    fn has(store: &Store, cluster: &str, reason: &str) -> bool {
        let is = |fold: &Fold| fold.key.object.cluster.as_str() == cluster && &*fold.key.reason == reason;
        store.events().folds().any(is)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn both_clusters_tell_and_a_lost_one_keeps_what_it_told() {
        let estate = Estate::start(Options { speed: 20.0, ..Options::default() }).unwrap();
        let (feed, mut reader) = feed::channel();
        let session = Session::start(hub::hub(&estate, "hub"), NamespaceScope::all(Vec::new()), feed);
        let mut store = Store::new();
        session.watch_events(1, EventScope::All).await;
        until(&mut reader, &mut store, "pods that start, and fail", |store| {
            has(store, "local", "Started") && has(store, "foo", "BackOff")
        })
        .await;
        let newest_first: Vec<_> = store.events().folds().map(|fold| fold.last).collect();
        assert!(newest_first.is_sorted_by(|newer, older| newer >= older));
        // What happens again counts up.
        until(&mut reader, &mut store, "it fails again", |store| {
            store.events().folds().any(|fold| &*fold.key.reason == "BackOff" && fold.count > 1 && fold.warning)
        })
        .await;
        estate.cut("foo", Cut::Refuse).unwrap();
        until(&mut reader, &mut store, "foo is lost", |store| {
            matches!(store.link(&ClusterId::named("foo")), Some(LinkState::Unreachable { .. }))
        })
        .await;
        assert!(has(&store, "foo", "BackOff"), "what is known stays");
        session.stop_events(1);
        until(&mut reader, &mut store, "everything is let go", |store| store.events().is_empty()).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_user_of_one_namespace_sees_its_events() {
        let estate = Estate::start(Options { speed: 20.0, ..Options::default() }).unwrap();
        let (feed, mut reader) = feed::channel();
        let session = Session::start(hub::hub(&estate, "hub-namespaced"), NamespaceScope::only("default"), feed);
        let mut store = Store::new();
        session.watch_events(1, EventScope::All).await;
        until(&mut reader, &mut store, "events of default", |store| has(store, "local", "Started")).await;
        assert!(store.events().folds().all(|fold| &*fold.key.object.namespace == "default"));
    }
}
