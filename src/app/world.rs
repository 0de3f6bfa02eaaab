//! What every page may read: the store, the clock, and what the session has open.

use std::collections::BTreeMap;

use jiff::{Timestamp, tz::TimeZone};

use crate::{
    model::{
        application::Application,
        approval::Waiting,
        cluster::LinkState,
        delta::{Query, ScopeState},
        forward::{ForwardState, ForwardTarget, ForwardTraffic},
        health::Standing,
        key::{AppKey, ClusterId, Text},
        pod::Pod,
        resource::ResourceKey,
    },
    store::Store,
};

use super::{
    message::{ForwardId, TaskId},
    permissions::Permissions,
    readings::Usages,
};

/// Favourites have one digit.
const FAVOURITES: usize = 9;

/// A forward of this session.
#[derive(Clone, Debug, PartialEq)]
pub struct Forward {
    /// Its name.
    pub id: ForwardId,
    /// Where to.
    pub target: ForwardTarget,
    /// How it stands.
    pub state: ForwardState,
    /// What went through it.
    pub traffic: ForwardTraffic,
    /// When it was asked for.
    pub since: Timestamp,
}

/// What the session works on.
#[derive(Debug)]
pub struct World {
    /// What is known.
    pub store: Store,
    /// The time of the last message.
    pub now: Timestamp,
    /// Where absolute times are told.
    pub zone: TimeZone,
    /// Bytes that the lines of log views take at most, all of them together. Only the view in sight keeps lines.
    pub log_memory: usize,
    /// Whether times are told absolutely.
    pub absolute: bool,
    /// The hub: the context's name.
    pub hub: Text,
    /// Who the operator is there; empty: not known.
    pub user: Text,
    /// Why nothing may be written, if so.
    pub readonly: Option<Text>,
    /// Forwards, oldest first.
    pub forwards: Vec<Forward>,
    /// Writes under way, one an object at most.
    pub writes: BTreeMap<AppKey, TaskId>,
    /// Writes to single objects under way, one an object at most.
    pub object_writes: BTreeMap<ResourceKey, TaskId>,
    /// What clusters said of permissions.
    pub(super) permissions: Permissions,
    /// What pods use, as far as they are looked at.
    pub usages: Usages,
    namespace: Option<Text>,
    favourites: Vec<Text>,
    ids: u64,
    /// Counts what pages show besides the store: forwards.
    touched: u64,
}

impl World {
    /// An empty world.
    pub fn new(hub: Text, user: Text, now: Timestamp) -> Self {
        Self {
            store: Store::new(),
            now,
            zone: TimeZone::UTC,
            absolute: false,
            log_memory: super::page::logs::buffer::LIMIT,
            hub,
            user,
            readonly: None,
            forwards: Vec::new(),
            writes: BTreeMap::new(),
            object_writes: BTreeMap::new(),
            permissions: Permissions::default(),
            usages: Usages::default(),
            namespace: None,
            favourites: Vec::new(),
            ids: 0,
            touched: 0,
        }
    }

    /// Grows with every change of what pages show.
    pub fn revision(&self) -> u64 {
        self.store.revision() + self.touched
    }

    /// Something besides the store changed.
    pub fn touch(&mut self) {
        self.touched += 1;
    }

    /// A name for a new task, stream or forward.
    pub fn next_id(&mut self) -> u64 {
        self.ids += 1;
        self.ids
    }

    /// The namespace shown; `None`: all.
    pub fn namespace(&self) -> Option<&Text> {
        self.namespace.as_ref()
    }

    /// Shows one namespace, or all. It becomes a favourite if there is room.
    pub fn set_namespace(&mut self, namespace: Option<Text>) {
        if let Some(name) = &namespace
            && !self.favourites.contains(name)
        {
            self.favourites.truncate(FAVOURITES - 1);
            self.favourites.push(name.clone());
        }
        self.namespace = namespace;
    }

    /// The favourite of a digit: those used, then those with most applications. A digit once given stays.
    pub fn favourite(&mut self, digit: u8) -> Option<Text> {
        if self.favourites.len() < FAVOURITES {
            let mut counts: BTreeMap<&Text, usize> = BTreeMap::new();
            for app in self.store.applications() {
                *counts.entry(&app.row.key.namespace).or_default() += 1;
            }
            let mut most: Vec<(&Text, usize)> = counts.into_iter().collect();
            most.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
            for (name, _) in most {
                if self.favourites.len() < FAVOURITES && !self.favourites.contains(name) {
                    self.favourites.push(name.clone());
                }
            }
        }
        self.favourites.get(usize::from(digit).checked_sub(1)?).cloned()
    }

    /// Every namespace that holds an application.
    pub fn namespaces(&self) -> Vec<Text> {
        let mut names: Vec<Text> = self.store.applications().map(|app| app.row.key.namespace.clone()).collect();
        names.dedup();
        names.sort();
        names.dedup();
        names
    }

    /// An application.
    pub fn app(&self, key: &AppKey) -> Option<&Application> {
        self.store.application(key).map(|entry| &entry.row)
    }

    /// What an application waits for.
    pub fn waiting(&self, key: &AppKey) -> Option<&Waiting> {
        self.store.application(key)?.waiting.as_ref()
    }

    /// Every application's name, in order.
    pub fn keys(&self) -> impl Iterator<Item = &AppKey> {
        self.store.applications().map(|entry| &entry.row.key)
    }

    /// How an application stands.
    pub fn standing(&self, key: &AppKey) -> Option<&Standing> {
        self.store.application(key).map(|entry| &entry.standing)
    }

    /// The applications that a typed name means: `namespace/name`, or `name` in the namespace shown, else in any.
    pub fn find_app(&self, name: &str) -> Vec<AppKey> {
        if let Some((namespace, name)) = name.split_once('/') {
            let key = AppKey::new(namespace, name);
            return self.app(&key).map(|app| app.key.clone()).into_iter().collect();
        }
        let mut found: Vec<AppKey> = self.keys().filter(|key| &*key.name == name).cloned().collect();
        if let Some(shown) = &self.namespace
            && found.iter().any(|key| key.namespace == *shown)
        {
            found.retain(|key| key.namespace == *shown);
        }
        found
    }

    /// The link to a cluster.
    pub fn link(&self, cluster: &ClusterId) -> Option<&LinkState> {
        self.store.link(cluster)
    }

    /// Since when a cluster does not answer, if so: what is known of it is as old.
    pub fn stale_since(&self, cluster: &ClusterId) -> Option<Timestamp> {
        self.store.cluster(cluster)?.stale_since
    }

    /// Whether a pod belongs to the namespace shown: its application's, or its own where that is not known.
    pub fn shows_pod(&self, pod: &Pod) -> bool {
        let Some(shown) = &self.namespace else { return true };
        match self.store.owner_of(pod) {
            Some(app) => app.namespace == *shown,
            None => pod.key.namespace == *shown,
        }
    }

    /// Why there is none of what `asks` asks for: forbidden, not installed, failing, still loading, or none.
    pub fn why_empty(&self, what: &str, asks: impl Fn(&Query) -> bool) -> String {
        let mut loading = None;
        let mut asked = 0;
        for (scope, state) in self.store.scopes().filter(|(scope, _)| asks(&scope.query)) {
            asked += 1;
            match state {
                ScopeState::Forbidden(refusal) => return format!("not permitted in {}: {refusal}", scope.cluster),
                ScopeState::NotInstalled => {
                    return format!("{what} are not served by {}: is KubeVela installed?", scope.cluster);
                }
                ScopeState::Failing(reason) => {
                    return format!("cannot list {what} of {}: {reason}; trying again", scope.cluster);
                }
                ScopeState::Loading(count) => loading = Some(loading.unwrap_or(0) + count),
                ScopeState::Live => {}
            }
        }
        match (asked, loading) {
            (0, _) => format!("connecting to {}", self.hub),
            (_, Some(count)) => format!("loading {what}: {count} so far"),
            (_, None) => match &self.namespace {
                Some(namespace) => format!("no {what} in namespace {namespace} (0 shows all namespaces)"),
                None => format!("no {what} on {}", self.hub),
            },
        }
    }
}
