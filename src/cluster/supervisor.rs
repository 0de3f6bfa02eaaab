//! What is watched, for whom, and how many: one task that owns all others.
//!
//! Tasks tell it what they find (`Event`); it keeps the links, opens and closes the gates that watches wait at, and
//! asks for pods where applications deploy to. Dropping the [`Session`] stops everything.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use jiff::Timestamp;
use kube::Client;
use tokio::{
    sync::{Semaphore, mpsc, oneshot, watch},
    time::{Instant, sleep_until},
};

use super::{
    applications::{self, Applications},
    asking::{Asking, Gate, Permits},
    clusters::{self, Polled},
    descriptors,
    events::WantedEvents,
    feed::Feed,
    hub::Hub,
    interest::{Interest, Place},
    link::Probed,
    member::{Member, Task, Wanted},
    namespaces,
    probe::Probe,
};
use crate::model::{
    cluster::{Cluster, LinkState},
    delta::{Delta, Epoch, Query, Row, Scope, ScopeState},
    event::EventScope,
    key::{AppKey, ClusterId, RowKey, Text},
};

/// Lists that may run at once, in all clusters together.
const LISTS: usize = 16;
/// How long changes of where applications deploy to are gathered before they are acted upon.
const GATHER: Duration = Duration::from_millis(100);
/// How long after a fault of its own a question is asked again.
const AFTER_PANIC: Duration = Duration::from_secs(5);

/// In which namespaces Applications are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamespaceScope {
    /// All at once, where that is permitted.
    pub all: bool,
    /// Where it is not, these first, before those that the API server permits; if `all` is not wanted, these alone.
    pub preferred: Vec<String>,
}

impl NamespaceScope {
    /// Every namespace that may be listed; the preferred ones are tried even where the API server cannot be asked.
    pub fn all(preferred: impl IntoIterator<Item = String>) -> Self {
        Self { all: true, preferred: preferred.into_iter().collect() }
    }

    /// One namespace alone.
    pub fn only(namespace: impl Into<String>) -> Self {
        Self { all: false, preferred: vec![namespace.into()] }
    }
}

/// What the tasks tell the supervisor.
#[derive(Debug)]
pub(crate) enum Event {
    /// A probe came back.
    Probed(ClusterId, Probed),
    /// An API server's version.
    Version(ClusterId, Text),
    /// How a question stands.
    Scope(Scope, ScopeState),
    /// Where an application deploys to; none when it is gone.
    Interest(AppKey, Option<Interest>),
    /// `virtualclusters` was asked.
    Clusters(Polled),
    /// The task of a question broke by a fault of lateen's own.
    Panicked(Scope),
    /// Where Applications may be listed, and how many such namespaces were left out.
    Permitted(Vec<Text>, usize),
    /// Somebody begins to look at events, or looks no more; answered when that has been taken in.
    Events(u64, Option<EventScope>, oneshot::Sender<()>),
}

/// How the links to all clusters stand, as they change.
#[derive(Clone, Debug)]
pub struct Links(watch::Receiver<BTreeMap<ClusterId, LinkState>>);

impl Links {
    /// The clusters that are known.
    pub fn clusters(&self) -> Vec<ClusterId> {
        self.0.borrow().keys().cloned().collect()
    }

    /// Why a cluster does not answer, where that is known; counts as seen.
    pub(crate) fn unreachable(&mut self, cluster: &ClusterId) -> Option<Text> {
        match self.0.borrow_and_update().get(cluster) {
            Some(LinkState::Unreachable { reason, .. }) => Some(reason.clone()),
            _ => None,
        }
    }

    /// Returns when one has changed; the error when nobody probes them any more.
    pub(crate) async fn changed(&mut self) -> Result<(), watch::error::RecvError> {
        self.0.changed().await
    }
}

/// A hub being watched.
pub struct Session {
    hub: Hub,
    tell: mpsc::UnboundedSender<Event>,
    resync: watch::Sender<u64>,
    settled: watch::Receiver<bool>,
    links: Links,
    _supervisor: Task,
}

impl Session {
    /// Starts watching: returns at once, whether or not the hub answers. Needs a tokio runtime.
    pub fn start(hub: Hub, scope: NamespaceScope, feed: Feed) -> Self {
        descriptors::raise();
        let (resync, resyncs) = watch::channel(0);
        let (settled_to, settled) = watch::channel(false);
        let (links_to, links) = watch::channel(BTreeMap::new());
        let supervisor = Supervisor::new(hub.clone(), scope, feed, resyncs, settled_to, links_to);
        let tell = supervisor.tell.clone();
        Self { hub, tell, resync, settled, links: Links(links), _supervisor: Task::spawn(supervisor.run()) }
    }

    /// Watches events for somebody who looks at them, named by `looker`, until [`Session::stop_events`]. What is returned
    /// ends when this has been taken in; it need not be waited for.
    pub fn watch_events(&self, looker: u64, scope: EventScope) -> impl Future<Output = ()> + use<> {
        self.want_events(looker, Some(scope))
    }

    /// Watches events no longer for that one.
    pub fn stop_events(&self, looker: u64) {
        drop(self.want_events(looker, None));
    }

    fn want_events(&self, looker: u64, scope: Option<EventScope>) -> impl Future<Output = ()> + use<> {
        let (taken, taken_in) = oneshot::channel();
        // The supervisor lives as long as the session.
        let _ = self.tell.send(Event::Events(looker, scope, taken));
        async move {
            let _ = taken_in.await;
        }
    }

    /// Lists everything again, now, and probes every cluster.
    pub fn resync(&self) {
        self.resync.send_modify(|count| *count += 1);
    }

    /// The hub watched.
    pub fn hub(&self) -> &Hub {
        &self.hub
    }

    /// How the links stand.
    pub fn links(&self) -> Links {
        self.links.clone()
    }

    /// A cluster's client.
    pub fn client(&self, cluster: &ClusterId) -> Client {
        self.hub.member(cluster)
    }

    /// Returns when every question has its first answer or cannot have one: Applications listed, clusters known,
    /// every link decided, and the pods of those that answer listed.
    pub async fn settled(&self) {
        let mut settled = self.settled.clone();
        // The supervisor lives as long as the session.
        let _ = settled.wait_for(|settled| *settled).await;
    }
}

struct Supervisor {
    hub: Hub,
    scope: NamespaceScope,
    feed: Feed,
    events: mpsc::UnboundedReceiver<Event>,
    tell: mpsc::UnboundedSender<Event>,
    resync: watch::Receiver<u64>,
    settled: watch::Sender<bool>,
    links: watch::Sender<BTreeMap<ClusterId, LinkState>>,
    lists: Arc<Semaphore>,
    epochs: Arc<AtomicU64>,
    members: BTreeMap<ClusterId, Member>,
    hub_gate: watch::Receiver<Gate>,
    rows: BTreeMap<ClusterId, Cluster>,
    clusters: Option<ScopeState>,
    interests: HashMap<AppKey, Interest>,
    /// When to act upon changed interests.
    due: Option<Instant>,
    /// Looks for the namespaces that are permitted.
    looking: Option<Task>,
    /// They, where not all are or not all are wanted.
    permitted: Option<Vec<Text>>,
    poll: Option<Task>,
    /// Who looks at events, and at which.
    lookers: BTreeMap<u64, EventScope>,
    /// Told once what they asked for shows in `settled`.
    taken: Vec<oneshot::Sender<()>>,
}

impl Supervisor {
    fn new(
        hub: Hub,
        scope: NamespaceScope,
        feed: Feed,
        resync: watch::Receiver<u64>,
        settled: watch::Sender<bool>,
        links: watch::Sender<BTreeMap<ClusterId, LinkState>>,
    ) -> Self {
        let (tell, events) = mpsc::unbounded_channel();
        let (_, hub_gate) = watch::channel(Gate::default());
        Self {
            hub,
            scope,
            feed,
            events,
            tell,
            resync,
            settled,
            links,
            lists: Arc::new(Semaphore::new(LISTS)),
            epochs: Arc::new(AtomicU64::new(0)),
            members: BTreeMap::new(),
            hub_gate,
            rows: BTreeMap::new(),
            clusters: None,
            interests: HashMap::new(),
            due: None,
            looking: None,
            permitted: None,
            poll: None,
            lookers: BTreeMap::new(),
            taken: Vec::new(),
        }
    }

    async fn run(mut self) {
        self.start_hub();
        loop {
            let due = self.due;
            tokio::select! {
                event = self.events.recv() => match event {
                    Some(event) => self.on_event(event).await,
                    None => return,
                },
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    self.due = None;
                    self.want_applications();
                    self.want_pods().await;
                    self.want_events().await;
                }
            }
            let settled = self.is_settled();
            self.settled.send_if_modified(|before| std::mem::replace(before, settled) != settled);
            for taken in self.taken.drain(..) {
                // Who does not wait for it has let go of the other end.
                let _ = taken.send(());
            }
        }
    }

    fn start_hub(&mut self) {
        let local = ClusterId::local();
        let member = self.member(&local);
        self.hub_gate = member.asking.gate.clone();
        self.poll = Some(Task::spawn(clusters::poll(member.asking.clone())));
        self.members.insert(local.clone(), member);
        self.put_row(clusters::local());
        self.tell_link(&local);
        if !self.scope.all {
            self.permitted = Some(self.scope.preferred.iter().map(|name| name.as_str().into()).collect());
        }
        self.want_applications();
        self.due = Some(Instant::now());
    }

    /// A cluster, probed from now on.
    fn member(&self, id: &ClusterId) -> Member {
        let (gate, gate_of) = watch::channel(Gate::default());
        let client = self.hub.member(id);
        let asking = Asking {
            cluster: id.clone(),
            client: client.clone(),
            gate: gate_of,
            permits: Permits::under(&self.lists),
            feed: self.feed.clone(),
            events: self.tell.clone(),
            resync: self.resync.clone(),
            epochs: Arc::clone(&self.epochs),
            deadline: self.hub.request_timeout(),
        };
        let probe = Probe {
            cluster: id.clone(),
            client,
            hub: (!id.is_local()).then(|| self.hub_gate.clone()),
            events: self.tell.clone(),
            resync: self.resync.clone(),
        };
        Member::new(asking, gate, Some(Task::spawn(probe.run())))
    }

    /// Asks for Applications where that is not done yet: in all namespaces, and in those alone that are permitted.
    fn want_applications(&mut self) {
        let Some(local) = self.members.get_mut(&ClusterId::local()) else { return };
        if self.scope.all {
            local.ask(applications::question(None), Applications::new(self.tell.clone()));
        }
        for namespace in self.permitted.iter().flatten() {
            local.ask(applications::question(Some(namespace)), Applications::new(self.tell.clone()));
        }
    }

    async fn on_event(&mut self, event: Event) {
        match event {
            Event::Probed(id, probed) => self.on_probed(&id, probed),
            Event::Version(id, version) => {
                if let Some(row) = self.rows.get(&id) {
                    self.put_row(Cluster { version, ..row.clone() });
                }
            }
            Event::Scope(scope, state) => self.on_scope(&scope, state).await,
            Event::Interest(key, interest) => {
                match interest {
                    Some(interest) => self.interests.insert(key, interest),
                    None => self.interests.remove(&key),
                };
                self.due.get_or_insert_with(|| Instant::now() + GATHER);
            }
            Event::Clusters(polled) => self.on_clusters(polled).await,
            Event::Permitted(namespaces, left_out) => self.on_permitted(namespaces, left_out),
            Event::Panicked(scope) => self.on_panicked(&scope),
            Event::Events(looker, scope, taken) => {
                match scope {
                    Some(scope) => self.lookers.insert(looker, scope),
                    None => self.lookers.remove(&looker),
                };
                self.taken.push(taken);
                self.want_events().await;
            }
        }
    }

    fn on_probed(&mut self, id: &ClusterId, probed: Probed) {
        if let Some(member) = self.members.get_mut(id) {
            member.link.probed(probed);
            member.update_gate();
            self.tell_link(id);
        }
    }

    async fn on_scope(&mut self, scope: &Scope, state: ScopeState) {
        let Some(member) = self.members.get_mut(&scope.cluster) else { return };
        let failing = match &state {
            ScopeState::Failing(reason) => Some(reason.clone()),
            _ => None,
        };
        let degraded = member.link.asked(scope, failing, Timestamp::now()).is_some();
        let refused = matches!(state, ScopeState::Forbidden(_));
        member.heard(scope, state.clone());
        if degraded {
            self.tell_link(&scope.cluster);
        }
        match &scope.query {
            Query::Applications(None) if refused => self.look_for_permitted(),
            Query::Applications(None) if state == ScopeState::Live && self.permitted.is_some() => {
                // Permitted after all: one question instead of many.
                self.permitted = None;
                self.looking = None;
                if let Some(local) = self.members.get_mut(&ClusterId::local()) {
                    local.stop(|scope| matches!(scope.query, Query::Applications(Some(_)))).await;
                }
            }
            Query::Applications(None) if state == ScopeState::NotInstalled => {
                self.notice("the hub serves no Applications: KubeVela is not installed there, or this is not the hub");
            }
            Query::LabelledPods(None) => {
                if let ScopeState::Forbidden(reason) = &state {
                    self.notice(&format!("{reason}: asking in the namespaces that applications deploy to"));
                }
                self.due.get_or_insert_with(|| Instant::now() + GATHER);
            }
            Query::Events(None) => {
                if let ScopeState::Forbidden(reason) = &state {
                    self.notice(&format!("{reason}: asking in the namespaces that applications deploy to"));
                }
                self.due.get_or_insert_with(|| Instant::now() + GATHER);
            }
            _ => {}
        }
    }

    fn look_for_permitted(&mut self) {
        if self.looking.is_some() || self.permitted.is_some() {
            return;
        }
        let Some(local) = self.members.get(&ClusterId::local()) else { return };
        let mut asking = local.asking.clone();
        let preferred: Vec<Text> = self.scope.preferred.iter().map(|name| name.as_str().into()).collect();
        self.looking = Some(Task::spawn(async move {
            let (namespaces, left_out) = namespaces::permitted(&mut asking, &preferred).await;
            let _ = asking.events.send(Event::Permitted(namespaces, left_out));
        }));
    }

    /// Says it, and asks anew after a while.
    fn on_panicked(&mut self, scope: &Scope) {
        let Some(member) = self.members.get_mut(&scope.cluster) else { return };
        member.broke(scope);
        let what = match &scope.query {
            Query::Applications(_) => "applications",
            Query::Clusters => "clusters",
            Query::LabelledPods(_) | Query::ReleasePods(_) => "pods",
            Query::Events(_) | Query::EventsOf(_) => "events",
        };
        self.notice(&format!(
            "watching {what} in {} broke by a fault of lateen's own, told in its log: starting it again",
            scope.cluster
        ));
        self.due.get_or_insert_with(|| Instant::now() + AFTER_PANIC);
    }

    fn on_permitted(&mut self, namespaces: Vec<Text>, left_out: usize) {
        self.permitted = Some(namespaces);
        self.want_applications();
        let namespaces = self.permitted.as_deref().unwrap_or_default();
        let mut notice =
            format!("applications may not be listed in all namespaces: asking in {}", namespaces.join(", "));
        if left_out > 0 {
            notice.push_str("; ");
            notice.push_str(&left_out.to_string());
            notice.push_str(" more are left out, name one with -n");
        }
        self.notice(&notice);
    }

    async fn on_clusters(&mut self, polled: Polled) {
        let scope = clusters::scope();
        let first = self.clusters.is_none();
        if self.clusters.as_ref() != Some(&polled.state) {
            self.feed.send(Delta::Asked { scope: scope.clone(), state: polled.state.clone() });
            match &polled.state {
                ScopeState::NotInstalled => self.notice(
                    "virtualclusters is not served (KubeVela before 1.9, or its cluster gateway is down): showing local alone",
                ),
                ScopeState::Forbidden(reason) => self.notice(&format!("{reason}: showing local alone")),
                ScopeState::Failing(reason) if first => self.notice(&format!("{reason}: showing local alone for now")),
                _ => {}
            }
            self.clusters = Some(polled.state);
        }
        if let Some(found) = polled.clusters {
            for cluster in found.values() {
                let version = self.rows.get(&cluster.id).map_or_else(
                    || cluster.version.clone(),
                    |row| {
                        if row.version.is_empty() { cluster.version.clone() } else { row.version.clone() }
                    },
                );
                self.put_row(Cluster { version, ..cluster.clone() });
                if !self.members.contains_key(&cluster.id) {
                    let member = self.member(&cluster.id);
                    self.members.insert(cluster.id.clone(), member);
                    self.tell_link(&cluster.id);
                }
            }
            let gone: Vec<ClusterId> = self.rows.keys().filter(|id| !found.contains_key(id)).cloned().collect();
            for id in gone {
                self.rows.remove(&id);
                self.links.send_modify(|links| drop(links.remove(&id)));
                if let Some(mut member) = self.members.remove(&id) {
                    member.stop(|_| true).await;
                }
                self.feed.send(Delta::Remove { scope: scope.clone(), key: RowKey::Cluster(id) });
            }
            self.due = Some(Instant::now());
        }
        if first {
            self.feed.send(Delta::Synced { scope, epoch: EPOCH });
        }
    }

    fn put_row(&mut self, cluster: Cluster) {
        if self.rows.get(&cluster.id) == Some(&cluster) {
            return;
        }
        self.rows.insert(cluster.id.clone(), cluster.clone());
        self.feed.send(Delta::Upsert { scope: clusters::scope(), epoch: EPOCH, row: Row::Cluster(Box::new(cluster)) });
    }

    /// Asks for pods where applications deploy to, in every cluster.
    async fn want_pods(&mut self) {
        // Thousands of applications share a few places.
        let mut places: BTreeMap<&Place, bool> = BTreeMap::new();
        for interest in self.interests.values() {
            for place in &interest.places {
                *places.entry(place).or_default() |= interest.by_owner;
            }
        }
        for (id, member) in &mut self.members {
            let labels = self.rows.get(id).map(|row| row.labels.as_slice()).unwrap_or_default();
            let mut wanted = Wanted::default();
            for (place, by_owner) in &places {
                let by_owner = *by_owner;
                if let Some(namespace) = place.within(id, labels) {
                    wanted.namespaces.insert(namespace.clone());
                    if by_owner {
                        wanted.by_owner.insert(namespace.clone());
                    }
                }
            }
            member.want_pods(&wanted, self.scope.all).await;
        }
    }

    /// Asks for the events that somebody looks at, in every cluster, and for no others.
    async fn want_events(&mut self) {
        for (id, member) in &mut self.members {
            let labels = self.rows.get(id).map(|row| row.labels.as_slice()).unwrap_or_default();
            let within = |interest: &Interest| -> Vec<Text> {
                interest.places.iter().filter_map(|place| place.within(id, labels).cloned()).collect()
            };
            let mut wanted = WantedEvents::default();
            for scope in self.lookers.values() {
                match scope {
                    EventScope::All => {
                        let deployed_to = self.interests.values().flat_map(within);
                        if self.scope.all {
                            wanted.everywhere = true;
                            wanted.instead.extend(deployed_to);
                        } else {
                            wanted.namespaces.extend(deployed_to);
                        }
                    }
                    EventScope::App(app) => {
                        wanted.namespaces.extend(self.interests.get(app).map(within).unwrap_or_default());
                        // Its own are on the hub.
                        if id.is_local() {
                            wanted.namespaces.insert(app.namespace.clone());
                        }
                    }
                    EventScope::Object(object) if object.cluster == *id => {
                        wanted.objects.insert(object.clone());
                    }
                    EventScope::Object(_) => {}
                }
            }
            member.want_events(&wanted).await;
        }
    }

    fn tell_link(&self, id: &ClusterId) {
        if let Some(member) = self.members.get(id) {
            let state = member.link.state().clone();
            self.links.send_if_modified(|links| {
                // Round trips change all the time; who is reached does not.
                let was = links.insert(id.clone(), state.clone());
                was.as_ref().map(std::mem::discriminant) != Some(std::mem::discriminant(&state))
            });
            self.feed.send(Delta::Link { cluster: id.clone(), state });
        }
    }

    fn notice(&self, text: &str) {
        self.feed.send(Delta::Notice(text.into()));
    }

    fn is_settled(&self) -> bool {
        let Some(local) = self.members.get(&ClusterId::local()) else { return false };
        if local.link.is_decided() && !local.link.is_up() {
            return true;
        }
        let applications = if self.permitted.is_some() {
            true
        } else {
            matches!(
                local.state(&Query::Applications(None)),
                Some(ScopeState::Live | ScopeState::NotInstalled | ScopeState::Failing(_))
            )
        };
        applications
            && self.clusters.is_some()
            && self.due.is_none()
            && self.events.is_empty()
            && self.members.values().all(Member::is_settled)
    }
}

/// Clusters are told by differences, so that a quiet estate is quiet: their list has one epoch.
const EPOCH: Epoch = 1;
