//! Events: keys in, watches asked for, screen out.

use insta::assert_snapshot;
use jiff::SignedDuration;
use lateen::{
    app::{
        AppOptions,
        effect::Effect,
        message::{Message, StreamId},
    },
    model::{
        delta::{Delta, Query, Row, Scope, ScopeState},
        event::{Event, EventKey, EventScope, MOST_EVENTS},
        health::Health,
        key::{AppKey, ClusterId, PodKey},
        resource::{Resource, ResourceKey, Root, Tracked},
        tree::{Found, assemble},
    },
};

use crate::session::*;

fn scope(cluster: &str) -> Scope {
    Scope { cluster: ClusterId::named(cluster), query: Query::Events(None) }
}

fn about(cluster: &str, namespace: &str, kind: &str, name: &str) -> ResourceKey {
    ResourceKey {
        cluster: ClusterId::named(cluster),
        group: "".into(),
        kind: kind.into(),
        namespace: namespace.into(),
        name: name.into(),
    }
}

/// An event that last happened so many seconds ago.
fn event(object: &ResourceKey, reason: &str, message: &str, count: u32, ago: i64) -> Event {
    Event {
        key: EventKey {
            cluster: object.cluster.clone(),
            namespace: object.namespace.clone(),
            name: format!("{}.{reason}{ago}", object.name).into(),
        },
        object: object.clone(),
        reason: reason.into(),
        message: message.into(),
        warning: matches!(reason, "BackOff" | "FailedScheduling"),
        count,
        first: Some(now() - SignedDuration::from_secs(ago + 600)),
        last: Some(now() - SignedDuration::from_secs(ago)),
        source: "kubelet".into(),
    }
}

fn told(event: Event) -> Delta {
    upsert(&scope(event.key.cluster.as_str()), Row::Event(Box::new(event)))
}

fn asked(cluster: &str, state: ScopeState) -> Delta {
    Delta::Asked { scope: scope(cluster), state }
}

fn events() -> Vec<Delta> {
    let pod = about("foo", "search", "Pod", "query-7c9d8b5f6-x2k4p");
    let set = about("local", "default", "ReplicaSet", "hello-588b9c559f");
    vec![
        asked("local", ScopeState::Live),
        asked("foo", ScopeState::Live),
        told(event(&set, "SuccessfulCreate", "Created pod: hello-588b9c559f-28qcq", 2, 420)),
        told(event(&pod, "BackOff", "Back-off restarting failed container hello in pod query-7c9d8b5f6-x2k4p", 11, 30)),
        told(event(&pod, "BackOff", "Back-off pulling image \"hello:1.0\"", 3, 300)),
        told(event(&pod, "Pulled", "Container image \"hello:1.1\" already present on machine", 14, 95)),
        told(event(
            &about("foo", "payments", "Pod", "ledger-0"),
            "FailedScheduling",
            "0/3 nodes are available: 3 Insufficient memory",
            7,
            3_700,
        )),
    ]
}

/// What the page has asked for: its name, and whose events.
fn looked(session: &mut Session) -> (StreamId, EventScope) {
    let effects = session.effects();
    let looked = effects.iter().find_map(|effect| match effect {
        Effect::WatchEvents(id, scope) => Some((*id, scope.clone())),
        _ => None,
    });
    looked.unwrap_or_else(|| panic!("no events are asked for: {effects:#?}"))
}

fn opened() -> (Session, StreamId) {
    let mut session = Session::estate();
    session.screen(120, 40);
    session.keys(":events<enter>");
    let (id, scope) = looked(&mut session);
    assert_eq!(scope, EventScope::All);
    session.send(events());
    (session, id)
}

#[test]
fn events_of_all_clusters() {
    for (width, height) in [(60, 15), (80, 24), (120, 40)] {
        let (mut session, _) = opened();
        assert_snapshot!(format!("events-{width}x{height}"), session.screen(width, height));
    }
}

#[test]
fn events_of_one_object() {
    for (width, height) in [(80, 24), (120, 40)] {
        let mut session = Session::estate();
        session.screen(width, height);
        session.keys(":pods<enter>/query<enter>");
        session.screen(width, height);
        session.keys("E");
        let (_, scope) = looked(&mut session);
        let EventScope::Object(pod) = scope else { panic!("{scope:?}") };
        let of = Scope { cluster: pod.cluster.clone(), query: Query::EventsOf(pod.clone()) };
        let told = |event| upsert(&of, Row::Event(Box::new(event)));
        session.send(vec![
            Delta::Asked { scope: of.clone(), state: ScopeState::Live },
            told(event(&pod, "BackOff", "Back-off restarting failed container hello", 11, 30)),
            told(event(&pod, "Scheduled", "Successfully assigned search/query to node-1", 1, 900)),
        ]);
        assert_snapshot!(format!("events-object-{width}x{height}"), session.screen(width, height));
    }
}

#[test]
fn times_are_absolute_where_wanted() {
    let (mut session, _) = opened();
    session.keys("T");
    let screen = session.screen(120, 40);
    assert!(screen.contains("10:47:41") && screen.contains("10:33:11"), "{screen}");
    session.keys("T");
    assert!(!session.screen(120, 40).contains("10:47:41"));
}

#[test]
fn only_warnings_and_filters() {
    let (mut session, _) = opened();
    session.keys("<ctrl-x>");
    let screen = session.screen(120, 40);
    assert!(screen.contains("BackOff") && !screen.contains("Pulled"), "{screen}");
    assert!(screen.contains("2/4 not ok"), "{screen}");
    session.keys("<ctrl-x>/reason:pulled<enter>");
    let screen = session.screen(120, 40);
    assert!(screen.contains("1/4") && screen.contains("already present"), "{screen}");
    session.keys("<esc>/insufficient memory<enter>");
    assert!(session.screen(120, 40).contains("ledger-0"));
}

#[test]
fn events_of_the_namespace_shown_are_those_where_its_applications_deploy_to() {
    let mut session = Session::estate_with(AppOptions { namespace: Some("payments".into()), ..options() });
    session.screen(120, 40);
    session.keys(":events<enter>");
    session.send(events());
    // Its applications deploy to `default` of both clusters.
    let screen = session.screen(120, 40);
    assert!(screen.contains("hello-588b9c559f") && !screen.contains("query-"), "{screen}");
    session.keys("0");
    assert!(session.screen(120, 40).contains("query-"));
}

#[test]
fn who_does_not_answer_or_refuses_is_said_beneath() {
    let (mut session, _) = opened();
    let refusal = "list events in local: events is forbidden: User \"mei\" cannot list resource \"events\"";
    session.send(vec![lost("foo", 3), asked("local", ScopeState::Forbidden(refusal.into()))]);
    let screen = session.screen(120, 40);
    assert!(screen.contains("foo: unreachable 3m: what happened there since is not known"), "{screen}");
    assert!(screen.contains("local: not permitted: list events in local"), "{screen}");
    assert!(screen.contains("BackOff"), "what was known stays: {screen}");
    // Where single namespaces are asked instead, nothing is missing that could be known.
    let instead = Scope { cluster: ClusterId::local(), query: Query::Events(Some("default".into())) };
    session.send(vec![Delta::Asked { scope: instead, state: ScopeState::Live }]);
    assert!(!session.screen(120, 40).contains("not permitted"));
}

#[test]
fn what_is_let_go_for_want_of_room_is_said() {
    let (mut session, _) = opened();
    let pod = about("foo", "search", "Pod", "busy");
    let many = i64::try_from(MOST_EVENTS).unwrap();
    session.send((0..many).map(|at| told(event(&pod, "Pulled", "again", 1, at))).collect());
    let screen = session.screen(120, 40);
    assert!(
        screen.contains("the newest 5000 events are kept, of at most 4 MiB: what last happened 1h ago"),
        "{screen}"
    );
}

#[test]
fn leaving_ends_the_watch_and_the_way_back_begins_it_anew_with_the_cursor_where_it_was() {
    let (mut session, id) = opened();
    session.screen(120, 40);
    session.keys("jj");
    session.keys("<esc>");
    assert!(session.effects().contains(&Effect::StopEvents(id)));
    session.send(vec![Delta::Dropped { scope: scope("local") }, Delta::Dropped { scope: scope("foo") }]);
    assert!(session.app.world().store.events().is_empty(), "nothing is kept that nobody looks at");
    session.keys("]");
    let (again, _) = looked(&mut session);
    assert_ne!(again, id);
    assert!(session.screen(120, 40).contains("connecting to prod-eu") || !session.screen(120, 40).contains("BackOff"));
    session.send(events());
    let screen = session.styled(120, 40);
    let lines: Vec<&str> = screen.lines().collect();
    let at = lines.iter().position(|line| line.starts_with("rrr")).unwrap();
    assert!(lines[at - 1].contains("SuccessfulCreate"), "{screen}");
}

#[test]
fn enter_opens_what_the_event_is_about_and_e_its_own_events() {
    let (mut session, id) = opened();
    session.screen(120, 40);
    session.keys("<enter>");
    let effects = session.effects();
    assert!(effects.contains(&Effect::StopEvents(id)));
    let object = effects.iter().find_map(|effect| match effect {
        Effect::WatchObject(_, request) => Some(request.key.to_string()),
        _ => None,
    });
    assert!(object.as_ref().is_some_and(|key| key.contains("query-7c9d8b5f6-x2k4p")), "{object:?}");
    session.keys("<esc>");
    session.send(events());
    session.effects();
    session.screen(120, 40);
    session.keys("E");
    let (_, scope) = looked(&mut session);
    assert_eq!(scope, EventScope::Object(about("foo", "search", "Pod", "query-7c9d8b5f6-x2k4p")));
    session.keys("E");
    assert!(session.effects().iter().all(|effect| !matches!(effect, Effect::WatchEvents(..))), "they are here");
}

#[test]
fn events_of_an_application_are_those_of_what_it_made() {
    let mut session = Session::estate();
    session.screen(120, 40);
    session.keys(":events helm-hello<enter>");
    let (id, scope) = looked(&mut session);
    let app = AppKey::new("default", "helm-hello");
    assert_eq!(scope, EventScope::App(app.clone()));
    session.send(events());
    assert!(session.screen(120, 40).contains("looking up what default/helm-hello made"));
    let root = |kind: &str, name: &str| Root {
        key: about("local", "default", kind, name),
        version: "v1".into(),
        component: "hello".into(),
        made_by_trait: "".into(),
        tracked: Tracked::Updated,
    };
    let resource = |kind: &str, name: &str| Resource {
        key: about("local", "default", kind, name),
        uid: name.into(),
        owners: Vec::new(),
        made_by: None,
        health: Health::Ok,
        message: "".into(),
        created_at: None,
        idle: false,
        labels: [].into(),
        makes: None,
    };
    let found = Found {
        roots: vec![root("ReplicaSet", "hello-588b9c559f")],
        clusters: vec![ClusterId::local()],
        resources: vec![resource("ReplicaSet", "hello-588b9c559f")],
        ..Found::default()
    };
    session.message(Message::Tree(id, Ok(Box::new(assemble(&found)))));
    let screen = session.screen(120, 40);
    assert!(screen.contains("events · default/helm-hello · 1"), "{screen}");
    assert!(screen.contains("SuccessfulCreate") && !screen.contains("BackOff"), "{screen}");
    session.keys("<esc>");
    let effects = session.effects();
    assert!(effects.contains(&Effect::StopEvents(id)) && effects.contains(&Effect::StopTree(id)), "{effects:?}");
}

#[test]
fn every_page_leads_to_the_events_of_what_is_under_its_cursor() {
    let mut session = Session::estate();
    session.screen(120, 40);
    session.keys("/helm-hello<enter>");
    session.screen(120, 40);
    session.keys("E");
    assert_eq!(looked(&mut session).1, EventScope::App(AppKey::new("default", "helm-hello")));
    session.keys(":clusters<enter>");
    session.screen(120, 40);
    session.keys("jE");
    assert_eq!(looked(&mut session).1, EventScope::All);
    session.send(events());
    let screen = session.screen(120, 40);
    assert!(screen.contains("/cluster:foo") && !screen.contains("SuccessfulCreate"), "{screen}");
    session.keys(":pods<enter>/query<enter>");
    session.screen(120, 40);
    session.keys("E");
    let pod = session.app.world().store.pods().find(|pod| pod.key.name.contains("query")).map(|pod| pod.key.clone());
    assert_eq!(looked(&mut session).1, EventScope::Object(ResourceKey::pod(&pod.unwrap_or(PodKey::new("", "", "")))));
}

/// Deployment, its ReplicaSet and a pod of it, in local's `default`.
fn made() -> Found {
    let object = |kind: &str, name: &str, owner: &str| Resource {
        key: ResourceKey {
            group: if kind == "Pod" { "".into() } else { "apps".into() },
            ..about("local", "default", kind, name)
        },
        uid: name.into(),
        owners: if owner.is_empty() { Vec::new() } else { vec![owner.into()] },
        made_by: None,
        health: Health::Ok,
        message: "".into(),
        created_at: None,
        idle: false,
        labels: [].into(),
        makes: None,
    };
    Found {
        roots: vec![Root {
            key: object("Deployment", "hello", "").key,
            version: "v1".into(),
            component: "hello".into(),
            made_by_trait: "".into(),
            tracked: Tracked::Updated,
        }],
        clusters: vec![ClusterId::local()],
        resources: vec![
            object("Deployment", "hello", ""),
            object("ReplicaSet", "hello-588b9c559f", "hello"),
            object("Pod", "hello-588b9c559f-28qcq", "hello-588b9c559f"),
        ],
        ..Found::default()
    }
}

#[test]
fn events_of_what_has_gone_are_still_the_applications() {
    let mut session = Session::estate();
    session.screen(120, 40);
    session.keys(":events helm-hello<enter>");
    let (id, _) = looked(&mut session);
    let pod = |name: &str| about("local", "default", "Pod", name);
    session.send(vec![
        told(event(&pod("hello-588b9c559f-28qcq"), "Killing", "Stopping container hello", 1, 30)),
        // Of a ReplicaSet that nobody has seen: its name tells whose it is.
        told(event(&pod("hello-6d4f8b9c77-zzzzz"), "BackOff", "Back-off restarting", 9, 60)),
        told(event(&pod("hellos-6d4f8b9c77-zzzzz"), "BackOff", "of someone else", 9, 60)),
        told(event(&pod("other"), "BackOff", "of someone else", 9, 60)),
    ]);
    session.message(Message::Tree(id, Ok(Box::new(assemble(&made())))));
    let screen = session.screen(120, 40);
    assert!(screen.contains("Stopping container") && screen.contains("Back-off restarting"), "{screen}");
    assert!(!screen.contains("of someone else"), "{screen}");
    // Now the pod goes, and the Deployment with it.
    let none = Found { roots: Vec::new(), resources: Vec::new(), ..made() };
    session.message(Message::Tree(id, Ok(Box::new(assemble(&none)))));
    let screen = session.screen(120, 40);
    assert!(screen.contains("Stopping container") && screen.contains("Back-off restarting"), "{screen}");
}

#[test]
fn a_long_name_is_told_by_its_kind_and_its_end() {
    let (mut session, _) = opened();
    let screen = session.screen(60, 24);
    assert!(screen.contains("Pod/…-x2k4p") && screen.contains("ReplicaSet/…-588"), "{screen}");
}

#[test]
fn why_of_an_event_leads_to_the_application_of_its_object() {
    use lateen::model::why::Subject;
    let asked = |session: &mut Session| {
        let effects = session.effects();
        effects.iter().find_map(|effect| match effect {
            Effect::WatchWhy(_, subject) => Some(subject.clone()),
            _ => None,
        })
    };
    // Of an application's events every object is its own.
    let mut session = Session::estate();
    session.screen(120, 40);
    session.keys(":events helm-hello<enter>");
    let (id, _) = looked(&mut session);
    let set = ResourceKey { group: "apps".into(), ..about("local", "default", "ReplicaSet", "hello-588b9c559f") };
    session.send(vec![told(event(&set, "SuccessfulCreate", "Created pod", 2, 420))]);
    session.message(Message::Tree(id, Ok(Box::new(assemble(&made())))));
    session.screen(120, 40);
    session.keys("w");
    assert_eq!(asked(&mut session), Some(Subject::Application(AppKey::new("default", "helm-hello"))));
    // Of all events: the application whose pods are called after it; of nobody's a sentence.
    let mut session = Session::estate();
    session.screen(120, 40);
    session.keys(":events<enter>");
    let pod = session.app.world().store.pods().find(|pod| pod.key.name.contains("query")).cloned().unwrap();
    let stem = pod.key.name.rsplit_once('-').unwrap().0;
    let set = about(pod.key.cluster.as_str(), &pod.key.namespace, "ReplicaSet", stem);
    let nobody = about("foo", "kube-system", "DaemonSet", "node-local-dns");
    session.send(vec![
        told(event(&set, "FailedCreate", "quota", 2, 10)),
        told(event(&nobody, "Evicted", "something of the cluster itself", 2, 20)),
    ]);
    session.screen(120, 40);
    session.keys("gw");
    let owner = session.app.world().store.owner_of(&pod);
    assert_eq!(asked(&mut session).and_then(|subject| subject.app().cloned()), owner);
    session.keys("<esc>");
    session.send(vec![told(event(&nobody, "Evicted", "something of the cluster itself", 2, 20))]);
    session.screen(120, 40);
    session.keys("Gw");
    assert_eq!(asked(&mut session), None);
    let said = session.app.notice().map(|notice| notice.text.clone()).unwrap_or_default();
    assert!(said.starts_with("no application is known that made DaemonSet/node-local-dns"), "{said}");
}
