//! What is known of one hub's world: deltas in, indexes out.
//!
//! The store keeps rows, the link of every cluster, and how every question (scope) stands. A row lives as long as a
//! scope names it: [`Delta::Synced`] sweeps what the finished list of that scope did not name, [`Delta::Dropped`]
//! takes back all that a scope brought. How an application stands is judged anew only when its row, one of its pods
//! or the link to one of its clusters changed. Rows of a cluster that stopped answering stay.

mod claims;
mod clusters;
mod counts;
mod events;
mod index;
mod intern;
mod problems;

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{
    application::Application,
    approval::{self, Waiting},
    cluster::LinkState,
    delta::{Delta, Epoch, Query, Row, Scope, ScopeState},
    health::{self, Standing},
    key::{AppKey, ClusterId, PodKey, RowKey},
    pod::Pod,
    problem,
};

use claims::{Claims, ScopeIds};
pub use clusters::ClusterEntry;
pub use counts::Counts;
pub use events::Events;
use index::{Index, Owners};
use intern::Interner;
use problems::Problems;

/// One hub's world.
#[derive(Debug, Default)]
pub struct Store {
    applications: BTreeMap<AppKey, Entry>,
    pods: BTreeMap<PodKey, PodEntry>,
    clusters: BTreeMap<ClusterId, ClusterEntry>,
    scopes: BTreeMap<Scope, ScopeState>,
    scope_ids: ScopeIds,
    owners: Owners,
    apps_by_cluster: Index<ClusterId, AppKey>,
    waiting: BTreeSet<AppKey>,
    counts: Counts,
    events: Events,
    dirty: BTreeSet<AppKey>,
    problems: Problems,
    interner: Interner,
    revision: u64,
    keys_revision: u64,
}

/// An application with what was worked out of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The row.
    pub row: Application,
    /// How it stands, joined from the hub's word, the links and its pods.
    pub standing: Standing,
    /// What it waits for, if it does.
    pub waiting: Option<Waiting>,
    claims: Claims,
}

#[derive(Debug)]
struct PodEntry {
    row: Pod,
    owner: Option<AppKey>,
    claims: Claims,
}

impl Store {
    /// An empty world.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes one change in. True when anything that can be seen changed.
    pub fn apply(&mut self, delta: Delta) -> bool {
        self.apply_all([delta])
    }

    /// Takes changes in, in order, and judges what they touched once. True when anything that can be seen changed.
    pub fn apply_all(&mut self, deltas: impl IntoIterator<Item = Delta>) -> bool {
        let mut changed = false;
        for delta in deltas {
            changed |= self.take(delta);
        }
        self.settle();
        if changed {
            self.revision += 1;
        }
        changed
    }

    /// Every application, by namespace and name.
    pub fn applications(&self) -> impl Iterator<Item = &Entry> {
        self.applications.values()
    }

    /// One application.
    pub fn application(&self, key: &AppKey) -> Option<&Entry> {
        self.applications.get(key)
    }

    /// Every pod, by cluster, namespace and name.
    pub fn pods(&self) -> impl Iterator<Item = &Pod> {
        self.pods.values().map(|entry| &entry.row)
    }

    /// One pod.
    pub fn pod(&self, key: &PodKey) -> Option<&Pod> {
        self.pods.get(key).map(|entry| &entry.row)
    }

    /// The pods of one application, by cluster, namespace and name.
    pub fn pods_of(&self, key: &AppKey) -> impl Iterator<Item = &Pod> {
        self.owners.pods_of(key).filter_map(|pod| self.pod(pod))
    }

    /// The application that a pod belongs to. Pods of native components carry its name without its namespace: it is
    /// then the one of that name that deploys to the pod's namespace in the pod's cluster.
    pub fn owner_of(&self, pod: &Pod) -> Option<AppKey> {
        match self.pods.get(&pod.key) {
            Some(entry) if entry.row.owner == pod.owner => entry.owner.clone(),
            _ => index::resolve(pod, &self.owners, &self.applications),
        }
    }

    /// Every cluster that was told of, `local` first, then by name.
    pub fn clusters(&self) -> impl Iterator<Item = &ClusterEntry> {
        let local = self.clusters.get(&ClusterId::local());
        local.into_iter().chain(self.clusters.values().filter(|entry| !entry.id.is_local()))
    }

    /// One cluster.
    pub fn cluster(&self, id: &ClusterId) -> Option<&ClusterEntry> {
        self.clusters.get(id)
    }

    /// How the link to a cluster stands; `None` when nobody asked.
    pub fn link(&self, id: &ClusterId) -> Option<&LinkState> {
        self.clusters.get(id)?.link.as_ref()
    }

    /// The applications that have to do with a cluster: deployed to it, or meant to be.
    pub fn applications_in(&self, id: &ClusterId) -> impl Iterator<Item = &Entry> {
        self.apps_by_cluster.of(id).filter_map(|key| self.applications.get(key))
    }

    /// Applications by class of health.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// What waits, oldest first; what has no time of its own comes last, by name.
    pub fn approvals(&self) -> Vec<&Waiting> {
        let mut all: Vec<&Waiting> = self
            .waiting
            .iter()
            .filter_map(|key| self.applications.get(key).and_then(|entry| entry.waiting.as_ref()))
            .collect();
        all.sort_by_key(|waiting| waiting.since().map_or((true, None), |since| (false, Some(since))));
        all
    }

    /// The events that are looked at, if any are.
    pub fn events(&self) -> &Events {
        &self.events
    }

    /// Every question that is asked, and how it stands.
    pub fn scopes(&self) -> impl Iterator<Item = (&Scope, &ScopeState)> {
        self.scopes.iter()
    }

    /// Counts up whenever something that can be seen changed.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Counts up whenever an application or pod came, went, or changed hands: what lists keys alone is as it was
    /// until then.
    pub fn keys_revision(&self) -> u64 {
        self.keys_revision
    }

    fn take(&mut self, delta: Delta) -> bool {
        match delta {
            Delta::Upsert { scope, epoch, row } => self.upsert(scope, epoch, row),
            Delta::Remove { scope, key } => match self.scope_ids.find(&scope) {
                Some(id) => self.release(&key, id),
                None => false,
            },
            Delta::Synced { scope, epoch } => self.sweep(&scope, Some(epoch)),
            Delta::Asked { scope, state } => {
                let before = self.scopes.insert(scope, state.clone());
                before.as_ref() != Some(&state)
            }
            Delta::Dropped { scope } => {
                let swept = self.sweep(&scope, None);
                self.scope_ids.forget(&scope);
                self.scopes.remove(&scope).is_some() || swept
            }
            Delta::Link { cluster, state } => self.take_link(&cluster, state),
            Delta::Notice(_) => false,
        }
    }

    fn upsert(&mut self, scope: Scope, epoch: Epoch, row: Row) -> bool {
        let id = self.scope_ids.id(scope);
        match row {
            Row::Application(row) => self.upsert_application(*row, id, epoch),
            Row::Pod(row) => self.upsert_pod(*row, id, epoch),
            Row::Cluster(row) => {
                let entry = ClusterEntry::slot(&mut self.clusters, &row.id);
                entry.claims.claim(id, epoch);
                let changed = entry.row.as_ref() != Some(&*row);
                entry.row = Some(*row);
                changed
            }
            Row::Event(mut row) => {
                self.interner.event(&mut row);
                self.events.upsert(*row, id, epoch)
            }
        }
    }

    fn upsert_application(&mut self, row: Application, scope: u32, epoch: Epoch) -> bool {
        let key = row.key.clone();
        if let Some(entry) = self.applications.get_mut(&key) {
            entry.claims.claim(scope, epoch);
            if entry.row == row {
                return false;
            }
            let moved =
                entry.row.placements != row.placements || index::clusters_of(&entry.row) != index::clusters_of(&row);
            let services_moved = !index::same_reach(&entry.row, &row);
            if moved {
                for cluster in index::clusters_of(&entry.row) {
                    self.apps_by_cluster.remove(&cluster, &key);
                }
            }
            entry.waiting = approval::waiting(&row);
            entry.row = row;
            if moved {
                for cluster in index::clusters_of(&entry.row) {
                    self.apps_by_cluster.insert(cluster, key.clone());
                }
                self.problems.turn();
            }
            if moved || services_moved {
                self.adopt_anew(&key);
            }
        } else {
            let mut claims = Claims::default();
            claims.claim(scope, epoch);
            for cluster in index::clusters_of(&row) {
                self.apps_by_cluster.insert(cluster, key.clone());
            }
            self.owners.name_app(&key);
            let standing = health::judge(&row, &[], &|_| None);
            self.counts.add(standing.health);
            let waiting = approval::waiting(&row);
            self.applications.insert(key.clone(), Entry { row, standing, waiting, claims });
            self.keys_revision += 1;
            self.problems.turn();
            self.adopt_anew(&key);
            self.note_strays_of(&key);
        }
        self.note_waiting(&key);
        self.dirty.insert(key);
        true
    }

    fn note_waiting(&mut self, key: &AppKey) {
        if self.applications.get(key).is_some_and(|entry| entry.waiting.is_some()) {
            self.waiting.insert(key.clone());
        } else {
            self.waiting.remove(key);
        }
    }

    /// Looks again for the owner of pods that know their application by name alone.
    fn adopt_anew(&mut self, key: &AppKey) {
        for pod_key in self.owners.pods_named(&key.name) {
            let Some(entry) = self.pods.get(&pod_key) else { continue };
            let owner = index::resolve(&entry.row, &self.owners, &self.applications);
            self.set_owner(&pod_key, owner);
        }
    }

    fn set_owner(&mut self, pod: &PodKey, owner: Option<AppKey>) {
        let Some(entry) = self.pods.get_mut(pod) else { return };
        if entry.owner == owner {
            return;
        }
        self.keys_revision += 1;
        if let Some(before) = entry.owner.take() {
            self.owners.unlink(&before, pod);
            self.dirty.insert(before);
        }
        if let Some(after) = &owner {
            self.owners.link(after.clone(), pod.clone());
            self.dirty.insert(after.clone());
        }
        entry.owner = owner;
        self.note_stray(pod);
    }

    fn upsert_pod(&mut self, mut row: Pod, scope: u32, epoch: Epoch) -> bool {
        if let Some(entry) = self.pods.get_mut(&row.key) {
            entry.claims.claim(scope, epoch);
            if entry.row == row {
                return false;
            }
            self.interner.pod(&mut row);
            let (key, owner_moved) = (row.key.clone(), entry.row.owner != row.owner);
            if owner_moved {
                let before = entry.row.owner.clone();
                self.owners.rename_pod(&key, &before, &row.owner);
            }
            entry.row = row;
            if owner_moved {
                let owner = self.pods.get(&key).and_then(|e| index::resolve(&e.row, &self.owners, &self.applications));
                self.set_owner(&key, owner);
            }
            self.dirty.extend(self.pods.get(&key).and_then(|entry| entry.owner.clone()));
            self.note_stray(&key);
            return true;
        }
        self.interner.pod(&mut row);
        let key = row.key.clone();
        let mut claims = Claims::default();
        claims.claim(scope, epoch);
        self.owners.name_pod(&key, &row.owner);
        ClusterEntry::slot(&mut self.clusters, &key.cluster).pods += 1;
        let owner = index::resolve(&row, &self.owners, &self.applications);
        self.pods.insert(key.clone(), PodEntry { row, owner: None, claims });
        self.keys_revision += 1;
        self.set_owner(&key, owner);
        self.note_stray(&key);
        true
    }

    fn take_link(&mut self, cluster: &ClusterId, state: LinkState) -> bool {
        let entry = ClusterEntry::slot(&mut self.clusters, cluster);
        let is_well = |link: Option<&LinkState>| {
            matches!(link, None | Some(LinkState::Connecting { .. } | LinkState::Live { .. }))
        };
        let was_well = is_well(entry.link.as_ref());
        let (shown, judged) = entry.take_link(state);
        if shown && !(was_well && is_well(entry.link.as_ref())) {
            self.problems.turn();
        }
        if judged {
            self.dirty.extend(self.apps_by_cluster.of(cluster).cloned());
            // Pods may stand where neither spec nor status says.
            self.dirty.extend(self.owners.apps_with_pods_in(cluster));
        }
        shown
    }

    /// Takes back the claims of a scope: those older than `epoch`, or all.
    fn sweep(&mut self, scope: &Scope, epoch: Option<Epoch>) -> bool {
        let Some(id) = self.scope_ids.find(scope) else { return false };
        let is_old = |claims: &Claims| claims.of(id).is_some_and(|claimed| epoch.is_none_or(|epoch| claimed < epoch));
        let old: Vec<RowKey> = match &scope.query {
            Query::Applications(_) => {
                let rows = self.applications.iter().filter(|(_, entry)| is_old(&entry.claims));
                rows.map(|(key, _)| RowKey::Application(key.clone())).collect()
            }
            Query::Clusters => {
                let rows = self.clusters.iter().filter(|(_, entry)| is_old(&entry.claims));
                rows.map(|(key, _)| RowKey::Cluster(key.clone())).collect()
            }
            Query::LabelledPods(_) | Query::ReleasePods(_) => {
                let first = PodKey { cluster: scope.cluster.clone(), namespace: "".into(), name: "".into() };
                let rows = self.pods.range(first..).take_while(|(key, _)| key.cluster == scope.cluster);
                rows.filter(|(_, entry)| is_old(&entry.claims)).map(|(key, _)| RowKey::Pod(key.clone())).collect()
            }
            Query::Events(_) | Query::EventsOf(_) => {
                self.events.claimed(&scope.cluster, is_old).map(|key| RowKey::Event(key.clone())).collect()
            }
        };
        let mut changed = false;
        for key in old {
            changed |= self.release(&key, id);
        }
        changed
    }

    /// Takes back one claim; the row goes with its last.
    fn release(&mut self, key: &RowKey, scope: u32) -> bool {
        match key {
            RowKey::Application(key) => {
                let Some(entry) = self.applications.get_mut(key) else { return false };
                entry.claims.release(scope) && self.remove_application(key)
            }
            RowKey::Pod(key) => {
                let Some(entry) = self.pods.get_mut(key) else { return false };
                entry.claims.release(scope) && self.remove_pod(key)
            }
            RowKey::Cluster(id) => {
                let Some(entry) = self.clusters.get_mut(id) else { return false };
                if !entry.claims.release(scope) {
                    return false;
                }
                // A detached cluster has no link any more.
                entry.row = None;
                entry.link = None;
                entry.stale_since = None;
                self.problems.turn();
                self.dirty.extend(self.apps_by_cluster.of(id).cloned());
                self.dirty.extend(self.owners.apps_with_pods_in(id));
                ClusterEntry::prune(&mut self.clusters, id);
                true
            }
            RowKey::Event(key) => self.events.release(key, scope),
        }
    }

    fn remove_application(&mut self, key: &AppKey) -> bool {
        let Some(entry) = self.applications.remove(key) else { return false };
        self.keys_revision += 1;
        self.counts.take(entry.standing.health);
        self.waiting.remove(key);
        self.dirty.remove(key);
        for cluster in index::clusters_of(&entry.row) {
            self.apps_by_cluster.remove(&cluster, key);
        }
        self.owners.unname_app(key);
        self.problems.of_application(key, Vec::new());
        self.adopt_anew(key);
        self.note_strays_of(key);
        true
    }

    fn remove_pod(&mut self, key: &PodKey) -> bool {
        let Some(entry) = self.pods.remove(key) else { return false };
        self.keys_revision += 1;
        self.owners.unname_pod(key, &entry.row.owner);
        self.problems.of_stray(key, None);
        if let Some(owner) = entry.owner {
            self.owners.unlink(&owner, key);
            self.dirty.insert(owner);
        }
        if let Some(cluster) = self.clusters.get_mut(&key.cluster) {
            cluster.pods = cluster.pods.saturating_sub(1);
        }
        ClusterEntry::prune(&mut self.clusters, &key.cluster);
        true
    }

    /// Judges anew what changes touched.
    fn settle(&mut self) {
        for key in std::mem::take(&mut self.dirty) {
            let Some(entry) = self.applications.get(&key) else { continue };
            let pods: Vec<&Pod> = self.pods_of(&key).collect();
            let standing = health::judge(&entry.row, &pods, &|cluster| self.link(cluster));
            let wrong = problem::of_application(&entry.row, &pods, &|cluster| self.link(cluster));
            self.problems.of_application(&key, wrong);
            if let Some(entry) = self.applications.get_mut(&key) {
                self.counts.take(entry.standing.health);
                self.counts.add(standing.health);
                entry.standing = standing;
            }
        }
    }
}

#[cfg(test)]
mod tests;
