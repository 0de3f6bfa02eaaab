use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::model::{
    application::{Placement, Service, Step, StepPhase, Target, WorkflowStatus},
    cluster::Cluster,
    health::Health,
    key::Text,
    pod::PodOwner,
};

fn place(cluster: &str, namespace: &str) -> Placement {
    Placement { cluster: ClusterId::named(cluster), namespace: namespace.into() }
}

fn step(name: &str, kind: &str, phase: StepPhase, at: &[Placement]) -> Step {
    Step {
        id: format!("id-{name}").into(),
        name: name.into(),
        kind: kind.into(),
        phase,
        reason: "".into(),
        message: "".into(),
        prompt: None,
        duration: None,
        resumes_at: None,
        deploys_before_waiting: false,
        targets: at.iter().cloned().map(Target::Cluster).collect(),
        overrides: Vec::new(),
        depends_on: Vec::new(),
        started_at: None,
        last_run_at: None,
        sub_steps: Vec::new(),
    }
}

/// A finished application with a healthy service at each place; a suspended one when `suspended`.
fn app(namespace: &str, name: &str, at: &[Placement], suspended: bool) -> Application {
    let service = |at: &Placement| Service {
        name: "web".into(),
        cluster: at.cluster.clone(),
        namespace: at.namespace.clone(),
        healthy: true,
        message: "".into(),
        unhealthy_traits: Vec::new(),
        workload: None,
    };
    let gate = if suspended { StepPhase::Suspending } else { StepPhase::Succeeded };
    Application {
        key: AppKey::new(namespace, name),
        uid: "u".into(),
        resource_version: "1".into(),
        generation: 1,
        observed_generation: 1,
        labels: [].into(),
        created_at: None,
        deleting_since: None,
        phase: if suspended { "workflowSuspending" } else { "running" }.into(),
        revision: Some(format!("{name}-v1").into()),
        publish_version: None,
        frozen: None,
        paused: false,
        workflow: Some(WorkflowStatus {
            app_revision: format!("{name}-v1").into(),
            mode: "StepByStep-DAG".into(),
            phase: if suspended { "suspending" } else { "succeeded" }.into(),
            suspend: suspended,
            finished: !suspended,
            ..WorkflowStatus::default()
        }),
        steps: vec![step("deploy", "deploy", StepPhase::Succeeded, at), step("ask", "suspend", gate, &[])],
        services: at.iter().map(service).collect(),
        components: Vec::new(),
        placements: at.to_vec(),
        conditions: Vec::new(),
        changed_by: None,
        malformed: Vec::new(),
    }
}

fn pod(cluster: &str, namespace: &str, name: &str, owner: (&str, Option<&str>), health: Health) -> Pod {
    Pod {
        key: PodKey::new(cluster, namespace, name),
        uid: "u".into(),
        labels: [].into(),
        owner: PodOwner { app: owner.0.into(), app_namespace: owner.1.map(Into::into), component: "web".into() },
        ready: u32::from(health == Health::Ok),
        total: 1,
        status: if health == Health::Ok { "Running" } else { "CrashLoopBackOff" }.into(),
        health,
        restarts: 0,
        node: "n".into(),
        ip: "".into(),
        created_at: None,
        terminating: false,
        ended: false,
        resources: crate::model::usage::Resources::default(),
        containers: Vec::new(),
        message: "".into(),
    }
}

fn cluster(name: &str) -> Cluster {
    Cluster {
        id: ClusterId::named(name),
        alias: "".into(),
        kind: "".into(),
        endpoint: "".into(),
        accepted: true,
        labels: Vec::new(),
        version: "".into(),
    }
}

fn scope(cluster: &str, query: Query) -> Scope {
    Scope { cluster: ClusterId::named(cluster), query }
}

fn apps() -> Scope {
    scope("local", Query::Applications(None))
}

fn upsert(scope: Scope, epoch: Epoch, row: impl Into<Row>) -> Delta {
    Delta::Upsert { scope, epoch, row: row.into() }
}

impl From<Application> for Row {
    fn from(row: Application) -> Self {
        Self::Application(Box::new(row))
    }
}

impl From<Pod> for Row {
    fn from(row: Pod) -> Self {
        Self::Pod(Box::new(row))
    }
}

impl From<Cluster> for Row {
    fn from(row: Cluster) -> Self {
        Self::Cluster(Box::new(row))
    }
}

fn unreachable() -> LinkState {
    let since = jiff::Timestamp::UNIX_EPOCH;
    LinkState::Unreachable { since, last_seen: None, next_try: since, reason: "refused".into() }
}

fn live(millis: u64) -> LinkState {
    let at = jiff::Timestamp::from_millisecond(i64::try_from(millis).unwrap()).unwrap();
    LinkState::Live { latency: std::time::Duration::from_millis(millis), at }
}

fn names(store: &Store) -> Vec<String> {
    store.applications().map(|entry| entry.row.key.to_string()).collect()
}

#[test]
fn a_relist_sweeps_what_it_did_not_name() {
    let mut store = Store::new();
    store.apply(upsert(apps(), 1, app("d", "one", &[], false)));
    store.apply(upsert(apps(), 1, app("d", "two", &[], false)));
    store.apply(Delta::Synced { scope: apps(), epoch: 1 });
    assert!(!store.apply(upsert(apps(), 2, app("d", "two", &[], false))), "nothing to see in a row named again");
    assert_eq!(names(&store), ["d/one", "d/two"], "nothing flickers while the list is under way");
    assert!(store.apply(Delta::Synced { scope: apps(), epoch: 2 }));
    assert_eq!(names(&store), ["d/two"]);
    assert_eq!(store.counts().total(), 1);
}

#[test]
fn a_row_of_two_questions_goes_with_the_last() {
    let mut store = Store::new();
    let other = scope("local", Query::Applications(Some("d".into())));
    store.apply(upsert(apps(), 1, app("d", "one", &[], false)));
    store.apply(upsert(other.clone(), 1, app("d", "one", &[], false)));
    assert!(!store.apply(Delta::Dropped { scope: apps() }));
    assert_eq!(names(&store), ["d/one"]);
    assert!(store.apply(Delta::Dropped { scope: other }));
    assert!(names(&store).is_empty());
}

#[test]
fn nothing_new_moves_no_revision() {
    let mut store = Store::new();
    let row = app("d", "one", &[], false);
    assert!(store.apply(upsert(apps(), 1, row.clone())));
    let revision = store.revision();
    assert!(!store.apply(upsert(apps(), 1, row)));
    assert!(!store.apply(Delta::Notice("hello".into())));
    assert!(!store.apply(Delta::Remove { scope: apps(), key: RowKey::Application(AppKey::new("d", "else")) }));
    let foo = ClusterId::named("foo");
    assert_eq!(store.revision(), revision);
    assert!(store.apply(Delta::Link { cluster: foo.clone(), state: live(40) }));
    assert!(!store.apply(Delta::Link { cluster: foo.clone(), state: live(44) }), "a latency that hardly moved");
    assert!(store.apply(Delta::Link { cluster: foo, state: live(60) }));
}

#[test]
fn a_lost_link_makes_its_applications_unknown_and_keeps_its_pods() {
    let mut store = Store::new();
    let foo = ClusterId::named("foo");
    store.apply(upsert(apps(), 1, app("d", "there", &[place("foo", "")], false)));
    store.apply(upsert(apps(), 1, app("d", "here", &[place("local", "")], false)));
    let pods = scope("foo", Query::LabelledPods(None));
    store.apply(upsert(pods, 1, pod("foo", "d", "p", ("there", None), Health::Ok)));
    assert_eq!(store.counts().get(Health::Ok), 2);
    store.apply(Delta::Link { cluster: foo.clone(), state: unreachable() });
    let standing = &store.application(&AppKey::new("d", "there")).unwrap().standing;
    assert_eq!((standing.health, &*standing.status), (Health::Unknown, "hub says running; foo unreachable"));
    assert_eq!((store.counts().get(Health::Ok), store.counts().get(Health::Unknown)), (1, 1));
    assert_eq!(store.pods().count(), 1);
    assert!(store.cluster(&foo).unwrap().stale_since.is_some());
    store.apply(Delta::Link { cluster: foo.clone(), state: live(1) });
    assert_eq!(store.counts().get(Health::Ok), 2);
    assert!(store.cluster(&foo).unwrap().stale_since.is_none());
}

#[test]
fn native_pods_find_the_application_that_deploys_to_them() {
    let mut store = Store::new();
    let here = |cluster: &str, namespace: &str| pod(cluster, namespace, "p", ("web", None), Health::Ok);
    store.apply(upsert(scope("foo", Query::LabelledPods(None)), 1, here("foo", "prod")));
    assert_eq!(store.owner_of(&here("foo", "prod")), None, "no such application");
    store.apply(upsert(apps(), 1, app("team-a", "web", &[place("foo", "prod")], false)));
    store.apply(upsert(apps(), 1, app("team-b", "web", &[place("foo", "")], false)));
    assert_eq!(store.owner_of(&here("foo", "prod")), Some(AppKey::new("team-a", "web")));
    assert_eq!(store.pods_of(&AppKey::new("team-a", "web")).count(), 1);
    assert_eq!(store.owner_of(&here("foo", "team-b")), Some(AppKey::new("team-b", "web")));
    assert_eq!(store.owner_of(&here("bar", "prod")), None, "neither deploys to bar");
    assert_eq!(store.owner_of(&here("bar", "team-b")), Some(AppKey::new("team-b", "web")), "its own namespace");
    // Both deploy there: nobody can tell, unless one is at home.
    store.apply(upsert(apps(), 1, app("team-b", "web", &[place("foo", ""), place("foo", "prod")], false)));
    assert_eq!(store.owner_of(&here("foo", "prod")), None);
    assert_eq!(store.pods_of(&AppKey::new("team-a", "web")).count(), 0);
    store.apply(Delta::Remove { scope: apps(), key: RowKey::Application(AppKey::new("team-b", "web")) });
    assert_eq!(store.pods_of(&AppKey::new("team-a", "web")).count(), 1);
}

#[test]
fn approvals_come_oldest_first() {
    let mut store = Store::new();
    for (name, since) in [("b", Some(20)), ("a", None), ("c", Some(10))] {
        let mut row = app("d", name, &[], true);
        row.steps[1].started_at = since.map(|s| jiff::Timestamp::from_second(s).unwrap());
        store.apply(upsert(apps(), 1, row));
    }
    let order: Vec<_> = store.approvals().iter().map(|waiting| waiting.app.name.to_string()).collect();
    assert_eq!(order, ["c", "b", "a"]);
    store.apply(upsert(apps(), 1, app("d", "c", &[], false)));
    assert_eq!(store.approvals().len(), 2);
}

#[test]
fn a_detached_cluster_goes() {
    let mut store = Store::new();
    let polled = scope("local", Query::Clusters);
    store.apply(upsert(polled.clone(), 1, cluster("foo")));
    store.apply(upsert(polled.clone(), 1, cluster("local")));
    store.apply(Delta::Link { cluster: ClusterId::named("foo"), state: unreachable() });
    let ids: Vec<_> = store.clusters().map(|entry| entry.id.to_string()).collect();
    assert_eq!(ids, ["local", "foo"]);
    store.apply(upsert(polled.clone(), 2, cluster("local")));
    store.apply(Delta::Synced { scope: polled, epoch: 2 });
    assert_eq!(store.clusters().count(), 1);
    assert!(store.link(&ClusterId::named("foo")).is_none());
}

/// One random change over few names, so that they meet.
fn delta() -> impl Strategy<Value = Delta> {
    let cluster_name = prop_oneof![Just("local"), Just("foo"), Just("bar")];
    let namespace = prop_oneof![Just("a"), Just("b")];
    let name = prop_oneof![Just("web"), Just("db")];
    let places = proptest::collection::vec((cluster_name.clone(), prop_oneof![Just(""), Just("a"), Just("b")]), 0..3);
    let app_scope = prop_oneof![Just(Query::Applications(None)), Just(Query::Applications(Some("a".into())))];
    let pod_query = prop_oneof![Just(Query::LabelledPods(None)), Just(Query::ReleasePods("a".into()))];
    let epoch = 1u64..4;
    let health = prop_oneof![Just(Health::Ok), Just(Health::Failed)];
    let any_scope = prop_oneof![
        app_scope.clone().prop_map(|query| scope("local", query)),
        (cluster_name.clone(), pod_query.clone()).prop_map(|(cluster, query)| scope(cluster, query)),
        Just(scope("local", Query::Clusters)),
    ];
    let an_app =
        (namespace.clone(), name.clone(), places, any::<bool>()).prop_map(|(namespace, name, places, waits)| {
            let places: Vec<_> = places.into_iter().map(|(cluster, namespace)| place(cluster, namespace)).collect();
            app(namespace, name, &places, waits)
        });
    let owner = (name.clone(), proptest::option::of(namespace.clone()));
    let a_pod = (cluster_name.clone(), namespace.clone(), prop_oneof![Just("p"), Just("q")], owner, health)
        .prop_map(|(cluster, namespace, name, owner, health)| pod(cluster, namespace, name, owner, health));
    let link = prop_oneof![Just(unreachable()), (1u64..50).prop_map(live)];
    prop_oneof![
        6 => (app_scope.clone(), epoch.clone(), an_app).prop_map(|(q, epoch, row)| upsert(scope("local", q), epoch, row)),
        8 => (pod_query.clone(), epoch.clone(), a_pod.clone())
            .prop_map(|(query, epoch, row)| upsert(scope(row.key.cluster.as_str(), query), epoch, row)),
        2 => (epoch.clone(), cluster_name.clone()).prop_map(|(epoch, name)| upsert(scope("local", Query::Clusters), epoch, cluster(name))),
        2 => (app_scope, namespace, name).prop_map(|(query, namespace, name)| Delta::Remove {
            scope: scope("local", query),
            key: RowKey::Application(AppKey::new(namespace, name)),
        }),
        2 => (pod_query, a_pod).prop_map(|(query, row)| Delta::Remove {
            scope: scope(row.key.cluster.as_str(), query),
            key: RowKey::Pod(row.key),
        }),
        2 => (any_scope.clone(), epoch).prop_map(|(scope, epoch)| Delta::Synced { scope, epoch }),
        1 => any_scope.prop_map(|scope| Delta::Dropped { scope }),
        2 => (cluster_name, link).prop_map(|(name, state)| Delta::Link { cluster: ClusterId::named(name), state }),
    ]
}

/// What a scope and its lists say, kept in the plainest way: every claim, and the last row of every key.
#[derive(Default)]
struct Plain {
    rows: BTreeMap<RowKey, Row>,
    claims: BTreeMap<(RowKey, Scope), Epoch>,
    links: BTreeMap<ClusterId, LinkState>,
}

impl Plain {
    fn take(&mut self, delta: &Delta) {
        match delta.clone() {
            Delta::Upsert { scope, epoch, row } => {
                let claim = self.claims.entry((row.key(), scope)).or_insert(epoch);
                *claim = epoch.max(*claim);
                self.rows.insert(row.key(), row);
            }
            Delta::Remove { scope, key } => {
                self.claims.remove(&(key, scope));
            }
            Delta::Synced { scope, epoch } => self.claims.retain(|(_, s), claimed| *s != scope || *claimed >= epoch),
            Delta::Dropped { scope } => self.claims.retain(|(_, s), _| *s != scope),
            Delta::Link { cluster, state } => {
                self.links.insert(cluster, state);
            }
            Delta::Asked { .. } | Delta::Notice(_) => {}
        }
        let gone: Vec<RowKey> =
            self.rows.keys().filter(|key| !self.claims.keys().any(|(claimed, _)| claimed == *key)).cloned().collect();
        for key in gone {
            self.rows.remove(&key);
            if let RowKey::Cluster(id) = key {
                self.links.remove(&id);
            }
        }
    }

    /// A store built of what is left, from scratch.
    fn rebuilt(&self) -> Store {
        let mut store = Store::new();
        for row in self.rows.values() {
            let scope = match row {
                Row::Application(_) => apps(),
                Row::Pod(row) => scope(row.key.cluster.as_str(), Query::LabelledPods(None)),
                Row::Cluster(_) => scope("local", Query::Clusters),
                Row::Event(row) => scope(row.key.cluster.as_str(), Query::Events(None)),
            };
            store.apply(Delta::Upsert { scope, epoch: 1, row: row.clone() });
        }
        for (cluster, state) in &self.links {
            store.apply(Delta::Link { cluster: cluster.clone(), state: state.clone() });
        }
        store
    }
}

fn assert_same(store: &Store, rebuilt: &Store) {
    let rows = |store: &Store| {
        store.applications().map(|e| (e.row.clone(), e.standing.clone(), e.waiting.clone())).collect::<Vec<_>>()
    };
    assert_eq!(rows(store), rows(rebuilt));
    assert_eq!(store.pods().collect::<Vec<_>>(), rebuilt.pods().collect::<Vec<_>>());
    let owners = |store: &Store| store.pods.values().map(|e| e.owner.clone()).collect::<Vec<_>>();
    assert_eq!(owners(store), owners(rebuilt));
    assert_eq!(store.owners, rebuilt.owners);
    assert_eq!(store.apps_by_cluster, rebuilt.apps_by_cluster);
    assert_eq!(store.waiting, rebuilt.waiting);
    assert_eq!(store.counts, rebuilt.counts);
    assert_eq!(store.counts().total(), store.applications().count());
    let clusters = |store: &Store| {
        let told = |e: &ClusterEntry| (e.id.clone(), e.row.clone(), e.pods, e.stale_since, e.link.is_some());
        store.clusters().map(told).collect::<Vec<_>>()
    };
    assert_eq!(clusters(store), clusters(rebuilt));
}

proptest! {
    #![proptest_config(ProptestConfig { rng_seed: proptest::test_runner::RngSeed::Fixed(20_261_123), ..ProptestConfig::with_cases(200) })]
    #[test]
    fn indexes_equal_those_built_from_scratch(deltas in proptest::collection::vec(delta(), 1..40)) {
        let mut store = Store::new();
        let mut plain = Plain::default();
        for delta in deltas {
            plain.take(&delta);
            let before = store.revision();
            let changed = store.apply(delta);
            prop_assert_eq!(changed, store.revision() > before);
            assert_same(&store, &plain.rebuilt());
        }
    }
}

#[test]
fn a_batch_is_the_same_as_one_by_one() {
    let deltas = || {
        let pods = scope("foo", Query::LabelledPods(None));
        [
            upsert(apps(), 1, app("d", "web", &[place("foo", "")], false)),
            upsert(pods.clone(), 1, pod("foo", "d", "p", ("web", None), Health::Failed)),
            upsert(pods.clone(), 1, pod("foo", "d", "q", ("web", None), Health::Ok)),
            Delta::Remove { scope: pods, key: RowKey::Pod(PodKey::new("foo", "d", "q")) },
        ]
    };
    let (mut one_by_one, mut at_once) = (Store::new(), Store::new());
    for delta in deltas() {
        one_by_one.apply(delta);
    }
    at_once.apply_all(deltas());
    assert_same(&one_by_one, &at_once);
    assert_eq!(at_once.revision(), 1);
    let standing = &at_once.application(&AppKey::new("d", "web")).unwrap().standing;
    assert_eq!(standing.reason.as_deref(), Some("1/1 pods CrashLoopBackOff in foo"));
}

#[test]
fn texts_that_repeat_are_kept_once() {
    let mut store = Store::new();
    let pods = scope("foo", Query::LabelledPods(None));
    for name in ["p", "q"] {
        store.apply(upsert(pods.clone(), 1, pod("foo", "d", name, ("web", None), Health::Ok)));
    }
    let namespaces: BTreeSet<*const u8> = store.pods().map(|pod| Text::as_ptr(&pod.key.namespace).cast()).collect();
    assert_eq!(namespaces.len(), 1);
}
