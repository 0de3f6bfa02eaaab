//! One cluster's objects, and the history of their changes.
//!
//! An object is kept as the bytes it is answered with, so that a list or a watch event is a copy and not a
//! serialisation, and a hundred watchers share one. What selectors, owners and keys need is kept beside them.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use bytes::Bytes;
use serde_json::Value;
use tokio::sync::watch;

use super::kinds::{KINDS, Kind};
use super::selector::Selector;

mod change;
mod remove;

pub(crate) use change::{Change, mix};
pub(crate) use remove::Deletion;

/// Namespace (empty for what is of the cluster) and name: the order of lists.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) namespace: Box<str>,
    pub(crate) name: Box<str>,
}

impl Key {
    pub(crate) fn new(namespace: &str, name: &str) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }
}

/// One object in one revision.
#[derive(Debug)]
pub(crate) struct Object {
    pub(crate) key: Key,
    pub(crate) uid: Box<str>,
    pub(crate) revision: u64,
    labels: Box<[(Box<str>, Box<str>)]>,
    owners: Box<[Box<str>]>,
    deleting: bool,
    /// The object's JSON without `kind` and `apiVersion`; `metadata` comes first.
    json: Bytes,
    /// Where `metadata` ends.
    metadata: usize,
}

/// What every object's JSON begins with.
const METADATA: &str = "{\"metadata\":";

impl Object {
    pub(crate) fn label(&self, key: &str) -> Option<&str> {
        self.labels.iter().find(|(name, _)| **name == *key).map(|(_, value)| &**value)
    }

    /// Whether it was told to go and is still here.
    pub(crate) fn deleting(&self) -> bool {
        self.deleting
    }

    /// Appends the object's JSON. `typed` puts `kind` and `apiVersion` first, as all but built-in list items have it.
    pub(crate) fn write(&self, kind: &Kind, typed: bool, out: &mut Vec<u8>) {
        if !typed {
            out.extend_from_slice(&self.json);
            return;
        }
        let (api_version, name) = (kind.api_version(), kind.name);
        // Each in its own order: custom resources come alphabetically from a real server.
        let head = if kind.custom {
            format!("{{\"apiVersion\":\"{api_version}\",\"kind\":\"{name}\",")
        } else {
            format!("{{\"kind\":\"{name}\",\"apiVersion\":\"{api_version}\",")
        };
        out.extend_from_slice(head.as_bytes());
        out.extend_from_slice(self.json.get(1..).unwrap_or(b"}"));
    }

    /// The object's whole JSON.
    pub(crate) fn json(&self, kind: &Kind) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.json.len() + 96);
        self.write(kind, true, &mut out);
        out
    }

    /// The JSON of the object's `metadata`.
    pub(crate) fn metadata(&self) -> &[u8] {
        self.json.get(METADATA.len()..self.metadata).unwrap_or(b"{}")
    }

    /// The object's JSON without `kind` and `apiVersion`.
    pub(crate) fn bare(&self) -> &[u8] {
        &self.json
    }

    /// The object parsed.
    pub(crate) fn value(&self, kind: &Kind) -> Value {
        serde_json::from_slice(&self.json(kind)).unwrap_or_default()
    }
}

/// What happened to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Happened {
    Added,
    Modified,
    Deleted,
}

/// How many forms of an event can be kept: one for each way to ask for less than the whole object.
pub(crate) const FORMS: usize = 4;

/// One change of one object.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) happened: Happened,
    pub(crate) object: Arc<Object>,
    pub(crate) previous: Option<Arc<Object>>,
    /// The object in other forms than its own, made for the first watcher that asks and shared by the rest.
    forms: [OnceLock<Bytes>; FORMS],
}

impl Event {
    fn new(happened: Happened, object: Arc<Object>, previous: Option<Arc<Object>>) -> Arc<Self> {
        Arc::new(Self { happened, object, previous, forms: Default::default() })
    }

    /// The object in the form of that number, made once.
    pub(crate) fn form(&self, number: usize, make: impl FnOnce() -> Vec<u8>) -> &[u8] {
        self.forms[number % FORMS].get_or_init(|| Bytes::from(make()))
    }
}

/// All objects of one kind.
#[derive(Debug)]
struct Stock {
    objects: BTreeMap<Key, Arc<Object>>,
    events: VecDeque<Arc<Event>>,
    /// The newest revision whose event is no longer kept.
    forgotten: u64,
    changed: watch::Sender<()>,
}

#[derive(Debug)]
struct State {
    revision: u64,
    /// How often each thing was drawn for; so what is drawn does not depend on who else draws meanwhile.
    drawn: HashMap<u64, u32>,
    stocks: Vec<Stock>,
    by_uid: HashMap<Box<str>, (usize, Key)>,
    dependents: HashMap<Box<str>, HashSet<(usize, Key)>>,
    /// Namespaces that wait for their contents to go.
    terminating: HashSet<Box<str>>,
}

/// A page of a list.
pub(crate) struct Page {
    pub(crate) objects: Vec<Arc<Object>>,
    /// The revision the whole list is of.
    pub(crate) revision: u64,
    /// How many objects come after these; counting stops at one where a selector chooses.
    pub(crate) remaining: usize,
}

/// What a list asks for.
pub(crate) struct Query<'a> {
    pub(crate) kind: &'static Kind,
    /// Empty for all.
    pub(crate) namespace: &'a str,
    pub(crate) selector: &'a Selector,
    /// Only keys after this one.
    pub(crate) after: Option<Key>,
    /// 0 for no limit.
    pub(crate) limit: usize,
    /// As it was at this revision.
    pub(crate) at: Option<u64>,
}

/// History does not reach back that far; the oldest revision it reaches.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Forgotten(pub(crate) u64);

/// One cluster's objects.
#[derive(Debug)]
pub(crate) struct Store {
    state: Mutex<State>,
    seed: u64,
    history: usize,
}

impl Store {
    /// An empty store. `seed` decides names and uids; `history` is how many events a kind keeps.
    pub(crate) fn new(seed: u64, history: usize) -> Self {
        let stock = |_: &Kind| Stock {
            objects: BTreeMap::new(),
            events: VecDeque::new(),
            forgotten: 0,
            changed: watch::Sender::new(()),
        };
        let state = State {
            revision: 1,
            drawn: HashMap::new(),
            stocks: KINDS.iter().map(stock).collect(),
            by_uid: HashMap::new(),
            dependents: HashMap::new(),
            terminating: HashSet::new(),
        };
        Self { state: Mutex::new(state), seed, history }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The newest revision.
    pub(crate) fn revision(&self) -> u64 {
        self.lock().revision
    }

    pub(crate) fn get(&self, kind: &Kind, key: &Key) -> Option<Arc<Object>> {
        self.lock().stocks[kind.index()].objects.get(key).cloned()
    }

    /// Wakes when objects of the kind change.
    pub(crate) fn changes(&self, kind: &Kind) -> watch::Receiver<()> {
        self.lock().stocks[kind.index()].changed.subscribe()
    }

    /// Ends every watch of a kind, after what it has not told yet.
    pub(crate) fn end_watches(&self, kind: &Kind) {
        self.lock().stocks[kind.index()].changed = watch::Sender::new(());
    }

    /// A page of a list, as it is or as it was.
    pub(crate) fn list(&self, query: &Query<'_>) -> Result<Page, Forgotten> {
        let state = self.lock();
        let stock = &state.stocks[query.kind.index()];
        let revision = query.at.unwrap_or(state.revision);
        if revision < stock.forgotten {
            return Err(Forgotten(stock.forgotten));
        }
        // What changed since is seen as it was before: the oldest newer event of a key says so.
        let mut past: BTreeMap<&Key, Option<&Arc<Object>>> = BTreeMap::new();
        for event in stock.events.iter().rev().take_while(|event| event.object.revision > revision) {
            past.insert(&event.object.key, event.previous.as_ref());
        }
        let start = match &query.after {
            Some(key) => Bound::Excluded(key.clone()),
            None => Bound::Included(Key::new(query.namespace, "")),
        };
        let wanted = |key: &Key| {
            (query.namespace.is_empty() || *key.namespace == *query.namespace)
                && query.after.as_ref().is_none_or(|after| key > after)
        };
        let mut gone = past
            .iter()
            .filter(|(key, object)| object.is_some() && wanted(key) && !stock.objects.contains_key(**key))
            .filter_map(|(_, object)| *object)
            .peekable();
        let mut objects = Vec::new();
        let mut remaining = 0;
        let mut present = stock
            .objects
            .range((start, Bound::Unbounded))
            .take_while(|(key, _)| query.namespace.is_empty() || *key.namespace == *query.namespace)
            .filter_map(|(key, object)| past.get(key).copied().unwrap_or(Some(object)))
            .peekable();
        loop {
            let from_gone = match (gone.peek(), present.peek()) {
                (Some(gone), Some(present)) => gone.key < present.key,
                (gone, _) => gone.is_some(),
            };
            let Some(object) = (if from_gone { gone.next() } else { present.next() }) else { break };
            if query.selector.is_empty() || query.selector.matches(query.kind, object) {
                if query.limit == 0 || objects.len() < query.limit {
                    objects.push(Arc::clone(object));
                } else {
                    remaining += 1;
                    if !query.selector.is_empty() {
                        break;
                    }
                }
            }
        }
        Ok(Page { objects, revision, remaining })
    }

    /// The events of a kind after `revision` (some at a time), and the revision that is known with them.
    pub(crate) fn events(&self, kind: &Kind, revision: u64) -> Result<(Vec<Arc<Event>>, u64), Forgotten> {
        const AT_ONCE: usize = 256;
        let state = self.lock();
        let stock = &state.stocks[kind.index()];
        if revision < stock.forgotten {
            return Err(Forgotten(stock.forgotten));
        }
        let start = stock.events.partition_point(|event| event.object.revision <= revision);
        let events: Vec<Arc<Event>> = stock.events.range(start..).take(AT_ONCE).cloned().collect();
        let known = match events.last() {
            Some(last) if start + events.len() < stock.events.len() => last.object.revision,
            _ => state.revision.max(revision),
        };
        Ok((events, known))
    }

    /// Forgets all history, so that every older revision is gone: what etcd's compaction does.
    pub(crate) fn compact(&self) {
        for stock in &mut self.lock().stocks {
            if let Some(newest) = stock.events.back() {
                stock.forgotten = newest.object.revision;
                stock.events.clear();
            }
        }
    }
}
