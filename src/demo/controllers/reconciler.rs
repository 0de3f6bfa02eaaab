//! The loop that Kubernetes' and Flux's controllers stand on: watch some kinds, keep a mirror of them, and ask
//! plain functions what to write.
//!
//! A controller here decides from a [`Mirror`] and the time alone and hands back what to write; the loop does
//! the input and output. What a write answered goes into the mirror at once, so that the next decision sees
//! it, even when the watch has not brought it yet.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, pin_mut};
use kube::core::DynamicObject;
use kube::runtime::watcher;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::Pace;
use super::api::{self, Cluster, Kind};
use super::object::{self, Object};

/// Objects with this label are scenery: they stay as they were placed, and no controller here touches them.
pub(super) const PLACED: &str = "estate.lateen.dev/placed";

/// How long after a failed write the object is looked at again.
const RETRY: Duration = Duration::from_secs(1);

/// Which object: kind, namespace, name.
pub(super) type Key = (&'static str, String, String);

/// What a controller does with the kinds that it watches.
pub(super) trait Controller: Send {
    /// The kinds that the mirror holds, each with a label selector for those that matter (`""`: all).
    fn kinds(&self) -> Vec<(&'static Kind, &'static str)>;

    /// Looks at one object and says what to write.
    fn reconcile(&mut self, object: &Object, round: &mut Round<'_>);

    /// Which other objects must be looked at when this one has changed.
    fn concerns(&self, object: &Object, mirror: &Mirror) -> Vec<Key>;
}

/// What is known of the watched kinds.
#[derive(Default)]
pub(super) struct Mirror {
    objects: BTreeMap<Key, Arc<Object>>,
    /// Objects that this controller deleted and whose end the watch has not told yet.
    deleted: HashSet<String>,
}

impl Mirror {
    /// The objects of a kind in a namespace, by name; `""` is where clusterwide kinds live.
    pub(super) fn of(&self, kind: &Kind, namespace: &str) -> impl Iterator<Item = &Arc<Object>> {
        let wanted = kind.kind.clone();
        let space = namespace.to_owned();
        let from = (static_name(kind), namespace.to_owned(), String::new());
        self.objects
            .range(from..)
            .take_while(move |((kind, namespace, _), _)| *kind == wanted && *namespace == space)
            .map(|(_, object)| object)
    }

    /// The objects of a kind in all namespaces.
    pub(super) fn all(&self, kind: &Kind) -> impl Iterator<Item = &Arc<Object>> {
        let wanted = kind.kind.clone();
        self.objects
            .range((static_name(kind), String::new(), String::new())..)
            .take_while(move |((kind, ..), _)| *kind == wanted)
            .map(|(_, object)| object)
    }

    /// One object.
    pub(super) fn get(&self, kind: &Kind, namespace: &str, name: &str) -> Option<&Arc<Object>> {
        self.objects.get(&(static_name(kind), namespace.to_owned(), name.to_owned()))
    }

    /// Takes an object in, unless a newer state of it is known or it was deleted here.
    pub(super) fn put(&mut self, object: Object) -> Option<Key> {
        if self.deleted.contains(object::uid(&object)) {
            return None;
        }
        let key = key(&object)?;
        let newer = self.objects.get(&key).is_some_and(|old| {
            object::uid(old) == object::uid(&object) && object::version(old) >= object::version(&object)
        });
        if newer {
            return None;
        }
        self.objects.insert(key.clone(), Arc::new(object));
        Some(key)
    }

    fn remove(&mut self, key: &Key) -> Option<Arc<Object>> {
        self.objects.remove(key)
    }
}

/// The kinds that a mirror can hold, by the name that keys carry.
fn static_name(kind: &Kind) -> &'static str {
    known(&kind.kind).unwrap_or("")
}

fn known(kind: &str) -> Option<&'static str> {
    [
        &api::NODE,
        &api::POD,
        &api::SERVICE,
        &api::SERVICE_ACCOUNT,
        &api::CONFIG_MAP,
        &api::DEPLOYMENT,
        &api::REPLICA_SET,
        &api::ENDPOINT_SLICE,
        &api::HELM_REPOSITORY,
        &api::HELM_CHART,
        &api::HELM_RELEASE,
    ]
    .iter()
    .find(|one| one.kind == kind)
    .map(|one| one.kind.as_ref())
}

/// The key of an object whose kind a mirror can hold.
pub(super) fn key(object: &Object) -> Option<Key> {
    Some((known(object::text(object, "/kind"))?, object::namespace(object).to_owned(), object::name(object).to_owned()))
}

/// The key of the object that controls this one.
pub(super) fn controller_key(object: &Object) -> Option<Key> {
    let owner = object::controller(object)?;
    Some((
        known(object::text(owner, "/kind"))?,
        object::namespace(object).to_owned(),
        object::text(owner, "/name").to_owned(),
    ))
}

/// Something to write.
#[derive(Debug)]
pub(super) enum Write {
    /// Create this object.
    Create(Kind, Object),
    /// Write this object but its status.
    Replace(Kind, Object),
    /// Write this object's status.
    Status(Kind, Object),
    /// Delete this object, after this many seconds' grace where given.
    Delete(Kind, Arc<Object>, Option<u32>),
}

/// One look at one object: what is known, what time it is, and what shall be written.
pub(super) struct Round<'a> {
    /// What is known of the cluster.
    pub(super) mirror: &'a Mirror,
    /// What shall be written, in order.
    pub(super) writes: Vec<Write>,
    timers: &'a mut Timers,
    pace: Pace,
    now: Instant,
    wake: Option<Instant>,
}

impl Round<'_> {
    /// Whether `time` (of the real thing; the estate's speed divides it) has passed since this was first asked
    /// for the same object and stage. If not, the object is looked at again when it has.
    pub(super) fn elapsed(&mut self, object: &Object, stage: &str, time: Duration) -> bool {
        let stages = self.timers.entry(object::uid(object).to_owned()).or_default();
        let since = *stages.entry(stage.to_owned()).or_insert(self.now);
        let due = since + self.pace.of(time);
        if due <= self.now {
            return true;
        }
        self.wake = Some(self.wake.map_or(due, |wake| wake.min(due)));
        false
    }

    /// Forgets when this stage began, so that it can begin again.
    pub(super) fn forget(&mut self, object: &Object, stage: &str) {
        if let Some(stages) = self.timers.get_mut(object::uid(object)) {
            stages.remove(stage);
        }
    }

    /// Writes the status if it differs from what `object` has.
    pub(super) fn status(&mut self, kind: &Kind, object: &Object, status: serde_json::Value) {
        if object.get("status") != Some(&status) {
            let mut new = object.clone();
            new["status"] = status;
            self.writes.push(Write::Status(kind.clone(), new));
        }
    }
}

/// When each stage of each object (by uid) began.
type Timers = HashMap<String, HashMap<String, Instant>>;

enum Seen {
    Applied(Object),
    Deleted(Object),
    /// A new list of this kind begins: what it does not hold is gone.
    Listing(&'static Kind),
    Listed(&'static Kind),
}

/// Runs a controller on a cluster until the future is dropped.
pub(super) async fn run(cluster: Cluster, pace: Pace, mut controller: impl Controller) {
    let (sender, mut seen) = mpsc::channel(256);
    let mut watches = tokio::task::JoinSet::new();
    for (kind, labels) in controller.kinds() {
        watches.spawn(watch(cluster.client(), kind, labels, sender.clone()));
    }
    drop(sender);

    let mut mirror = Mirror::default();
    let mut timers = Timers::new();
    let mut listing: HashMap<&'static str, BTreeSet<Key>> = HashMap::new();
    let mut dirty: BTreeSet<Key> = BTreeSet::new();
    let mut wakes: HashMap<Key, Instant> = HashMap::new();

    loop {
        let next = wakes.values().min().copied();
        tokio::select! {
            event = seen.recv() => {
                let Some(event) = event else { return };
                take(event, &mut mirror, &mut listing, &mut dirty, &mut timers, &controller);
                while let Ok(event) = seen.try_recv() {
                    take(event, &mut mirror, &mut listing, &mut dirty, &mut timers, &controller);
                }
            }
            () = sleep_until(next) => {
                let now = Instant::now();
                wakes.retain(|key, at| {
                    let due = *at <= now;
                    if due {
                        dirty.insert(key.clone());
                    }
                    !due
                });
            }
        }
        while let Some(key) = dirty.pop_first() {
            wakes.remove(&key);
            let Some(object) = mirror.objects.get(&key).cloned() else {
                continue;
            };
            let mut round = Round {
                mirror: &mirror,
                writes: Vec::new(),
                timers: &mut timers,
                pace,
                now: Instant::now(),
                wake: None,
            };
            controller.reconcile(&object, &mut round);
            let (writes, mut wake) = (round.writes, round.wake);
            for write in writes {
                if !perform(&cluster, write, &mut mirror, &mut dirty, &controller).await {
                    let retry = Instant::now() + pace.of(RETRY);
                    wake = Some(wake.map_or(retry, |wake| wake.min(retry)));
                    break;
                }
            }
            if let Some(wake) = wake {
                wakes.insert(key, wake);
            }
        }
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

fn take(
    event: Seen,
    mirror: &mut Mirror,
    listing: &mut HashMap<&'static str, BTreeSet<Key>>,
    dirty: &mut BTreeSet<Key>,
    timers: &mut Timers,
    controller: &impl Controller,
) {
    match event {
        Seen::Applied(object) => {
            for unseen in listing.values_mut() {
                if let Some(key) = key(&object) {
                    unseen.remove(&key);
                }
            }
            if let Some(key) = mirror.put(object) {
                touched(&key, mirror, dirty, controller);
            }
        }
        Seen::Deleted(object) => {
            mirror.deleted.remove(object::uid(&object));
            timers.remove(object::uid(&object));
            let Some(key) = key(&object) else { return };
            let same = mirror.objects.get(&key).is_some_and(|known| object::uid(known) == object::uid(&object));
            if same {
                mirror.remove(&key);
            }
            dirty.extend(controller.concerns(&object, mirror));
        }
        Seen::Listing(kind) => {
            let all = mirror.objects.keys().filter(|(of, ..)| kind.kind == *of).cloned().collect();
            listing.insert(static_name(kind), all);
        }
        Seen::Listed(kind) => {
            for key in listing.remove(static_name(kind)).unwrap_or_default() {
                if let Some(gone) = mirror.remove(&key) {
                    timers.remove(object::uid(&gone));
                    dirty.extend(controller.concerns(&gone, mirror));
                }
            }
        }
    }
}

fn touched(key: &Key, mirror: &Mirror, dirty: &mut BTreeSet<Key>, controller: &impl Controller) {
    if let Some(object) = mirror.objects.get(key) {
        dirty.extend(controller.concerns(object, mirror));
        dirty.insert(key.clone());
    }
}

/// Writes; `false` where it failed and must be tried again later.
async fn perform(
    cluster: &Cluster,
    write: Write,
    mirror: &mut Mirror,
    dirty: &mut BTreeSet<Key>,
    controller: &impl Controller,
) -> bool {
    let answer = match write {
        Write::Create(kind, event) if kind == api::EVENT => {
            // A diary with a page less is no reason to stop.
            if let Err(error) = cluster.record(&event).await {
                tracing::debug!(%error, "the estate's controller could not write an event");
            }
            return true;
        }
        Write::Create(kind, object) => cluster.create(&kind, &object).await,
        Write::Replace(kind, object) => cluster.replace(&kind, &object).await,
        Write::Status(kind, object) => cluster.replace_status(&kind, &object).await,
        Write::Delete(kind, object, grace) => {
            let done = cluster.delete(&kind, object::namespace(&object), object::name(&object), grace).await;
            match done {
                Ok(()) => {
                    // With a grace period or a finalizer the object stays until its end: the watch will tell.
                    let stays = (grace != Some(0) && kind == api::POD)
                        || !object::list(&object, "/metadata/finalizers").is_empty();
                    if let Some(key) = key(&object).filter(|_| !stays) {
                        mirror.deleted.insert(object::uid(&object).to_owned());
                        mirror.remove(&key);
                        dirty.extend(controller.concerns(&object, mirror));
                    }
                    return true;
                }
                Err(error) => Err(error),
            }
        }
    };
    match answer {
        Ok(object) => {
            if let Some(key) = mirror.put(object) {
                touched(&key, mirror, dirty, controller);
            }
            true
        }
        Err(error) => {
            if !api::is_race(&error) {
                tracing::debug!(%error, "the estate's controller could not write");
            }
            false
        }
    }
}

async fn watch(client: kube::Client, kind: &'static Kind, labels: &str, seen: mpsc::Sender<Seen>) {
    let objects: kube::Api<DynamicObject> = kube::Api::all_with(client, &kind.resource());
    let comma = if labels.is_empty() { "" } else { "," };
    let config = watcher::Config::default().labels(&format!("!{PLACED}{comma}{labels}"));
    let events = watcher(objects, config);
    pin_mut!(events);
    while let Some(event) = events.next().await {
        let told = match event {
            Ok(watcher::Event::Apply(object) | watcher::Event::InitApply(object)) => {
                value(kind, &object).map(Seen::Applied)
            }
            Ok(watcher::Event::Delete(object)) => value(kind, &object).map(Seen::Deleted),
            Ok(watcher::Event::Init) => Some(Seen::Listing(kind)),
            Ok(watcher::Event::InitDone) => Some(Seen::Listed(kind)),
            Err(error) => {
                // Not there (yet), cut off, or a kind that an addon brings later: for ever, but not in a hurry.
                tracing::debug!(%error, kind = %kind.kind, "the estate's controller cannot watch");
                tokio::time::sleep(RETRY).await;
                None
            }
        };
        if let Some(told) = told
            && seen.send(told).await.is_err()
        {
            return;
        }
    }
}

/// A watched object as JSON. Lists leave kind and version out: put them back.
pub(super) fn value(kind: &Kind, object: &DynamicObject) -> Option<Object> {
    let mut value = serde_json::to_value(object).ok()?;
    value["apiVersion"] = kind.api_version.as_ref().into();
    value["kind"] = kind.kind.as_ref().into();
    Some(value)
}

#[cfg(test)]
pub(super) mod bench;
