//! CPU and memory of the pods on screen: when they are asked for, and how they are told.

use insta::assert_snapshot;
use lateen::{
    app::{effect::Effect, message::Message},
    model::{
        delta::{Delta, Row},
        health::Health,
        key::{ClusterId, PodKey, Text},
        usage::{Amounts, NoReading, Reading, Resources, Usage},
    },
};

use crate::session::*;

/// The namespaces asked about since the last call.
fn asked(session: &mut Session) -> Vec<String> {
    let effects = session.effects();
    let places = effects.iter().filter_map(|effect| match effect {
        Effect::ReadUsage(places) => Some(places),
        _ => None,
    });
    places.flatten().map(|(cluster, namespace)| format!("{cluster}/{namespace}")).collect()
}

fn pods(session: &Session) -> Vec<PodKey> {
    session.app.world().store.pods().map(|pod| pod.key.clone()).collect()
}

/// What the pods of a place use: the first of them much.
fn reading(session: &Session, cluster: &str, namespace: &str) -> Reading {
    let here = pods(session).into_iter().filter(|pod| pod.cluster.as_str() == cluster && &*pod.namespace == namespace);
    let used = here.enumerate().map(|(at, pod)| {
        let usage = if at == 0 { Usage { cpu: 96, memory: 250 << 20 } } else { Usage { cpu: 12, memory: 64 << 20 } };
        (pod, usage)
    });
    Reading { cluster: ClusterId::named(cluster), namespace: namespace.into(), pods: Ok(used.collect()) }
}

/// Gives every pod requests and limits; those of foo requests alone.
fn bound(session: &mut Session) {
    let rows: Vec<_> = session.app.world().store.pods().cloned().collect();
    let deltas = rows.into_iter().map(|mut pod| {
        let amounts = |cpu, memory: u64| Amounts { cpu: Some(cpu), memory: Some(memory << 20) };
        let limits = if pod.key.cluster.is_local() { amounts(100, 256) } else { Amounts::default() };
        pod.resources = Resources { requests: amounts(50, 128), limits };
        let scope = pods_scope(pod.key.cluster.as_str());
        Delta::Upsert { scope, epoch: 1, row: Row::Pod(Box::new(pod)) }
    });
    let deltas = deltas.collect();
    session.send(deltas);
}

fn opened(width: u16, height: u16) -> Session {
    let mut session = Session::estate();
    bound(&mut session);
    session.screen(width, height);
    session.keys(":pods<enter>");
    session.screen(width, height);
    session
}

#[test]
fn use_stands_against_limits_and_requests_and_stands_out_near_the_limit() {
    for (width, height) in [(80, 24), (120, 40), (160, 50)] {
        let mut session = opened(width, height);
        for (cluster, namespace) in [("local", "default"), ("foo", "default")] {
            let reading = reading(&session, cluster, namespace);
            session.message(Message::Usage(reading));
        }
        assert_snapshot!(format!("usage-{width}x{height}"), session.screen(width, height));
    }
}

#[test]
fn the_namespace_gives_way_to_use_where_all_pods_are_in_one() {
    let mut session = opened(80, 24);
    let heading = |session: &mut Session| session.screen(80, 24).lines().nth(2).unwrap_or_default().to_owned();
    let one = heading(&mut session);
    assert!(one.contains(" CPU ") && one.contains(" MEM ") && !one.contains("NAMESPACE"), "{one}");
    session.send(vec![pod(("search", "query"), "hello", ("foo", "search", "query-7c9-zz"), "Running", Health::Ok)]);
    let several = heading(&mut session);
    assert!(several.contains("NAMESPACE"), "{several}");
}

#[test]
fn what_is_on_screen_is_asked_for_every_fifteen_seconds_and_nothing_else() {
    let mut session = opened(120, 40);
    let places = asked(&mut session);
    assert!(!places.is_empty());
    let on_screen: std::collections::BTreeSet<String> =
        pods(&session).iter().map(|pod| format!("{}/{}", pod.cluster, pod.namespace)).collect();
    assert_eq!(places, on_screen.into_iter().collect::<Vec<_>>(), "each place once");
    session.screen(120, 40);
    session.pass(14_000);
    assert_eq!(asked(&mut session), Vec::<String>::new());
    session.pass(1_000);
    assert_eq!(asked(&mut session), places);
    // A pod list that is filtered asks for what is left of it.
    session.keys("/cluster:foo<enter>");
    session.screen(120, 40);
    assert_eq!(asked(&mut session), Vec::<String>::new(), "it is known already");
    session.pass(15_000);
    assert!(asked(&mut session).iter().all(|place| place.starts_with("foo/")));
    // Where no pod is on screen nothing is asked.
    session.keys(":clusters<enter>");
    session.screen(120, 40);
    session.pass(60_000);
    assert_eq!(asked(&mut session), Vec::<String>::new());
    // Nor of a cluster that does not answer.
    session.send(vec![lost("foo", 3)]);
    session.keys("<esc>");
    session.screen(120, 40);
    session.pass(1_000);
    assert_eq!(asked(&mut session), Vec::<String>::new());
}

#[test]
fn why_nothing_is_known_is_said_once() {
    let mut session = opened(120, 40);
    let none = |why| Reading { cluster: ClusterId::named("foo"), namespace: Text::from("default"), pods: Err(why) };
    session.message(Message::Usage(none(NoReading::NotServed)));
    let screen = session.screen(120, 40);
    assert!(
        screen.contains("foo serves no metrics (metrics.k8s.io): CPU and MEM of its pods are not known"),
        "{screen}"
    );
    session.pass(30_000);
    assert!(!session.screen(120, 40).contains("metrics.k8s.io"));
    session.message(Message::Usage(none(NoReading::NotServed)));
    assert!(!session.screen(120, 40).contains("metrics.k8s.io"), "once");
    session.effects();
    session.pass(15_000);
    assert!(asked(&mut session).iter().all(|place| place != "foo/default"), "and is asked again much later");
}

#[test]
fn a_reading_that_is_the_same_changes_nothing() {
    let mut session = opened(120, 40);
    let first = reading(&session, "local", "default");
    session.message(Message::Usage(first.clone()));
    let (before, revision) = (session.screen(120, 40), session.app.world().revision());
    session.message(Message::Usage(first));
    assert_eq!(session.app.world().revision(), revision);
    assert_eq!(session.screen(120, 40), before);
}
