//! Who belongs to whom: pods to applications, applications to clusters.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    hash::Hash,
};

use crate::model::{
    application::Application,
    key::{AppKey, ClusterId, PodKey, Text},
    pod::{Pod, PodOwner},
};

use super::Entry;

/// A set of values for each key; keys without values are not kept.
#[derive(Debug, PartialEq)]
pub(super) struct Index<K: Eq + Hash, V: Ord>(HashMap<K, BTreeSet<V>>);

impl<K: Eq + Hash, V: Ord> Default for Index<K, V> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Eq + Hash, V: Ord> Index<K, V> {
    pub(super) fn insert(&mut self, key: K, value: V) {
        self.0.entry(key).or_default().insert(value);
    }

    pub(super) fn remove(&mut self, key: &K, value: &V) {
        if let Some(values) = self.0.get_mut(key) {
            values.remove(value);
            if values.is_empty() {
                self.0.remove(key);
            }
        }
    }

    pub(super) fn of(&self, key: &K) -> impl Iterator<Item = &V> {
        self.0.get(key).into_iter().flatten()
    }
}

/// The clusters that an application has to do with, by spec and status.
pub(super) fn clusters_of(app: &Application) -> BTreeSet<ClusterId> {
    let placed = app.placements.iter().map(|placement| &placement.cluster);
    placed.chain(app.services.iter().map(|service| &service.cluster)).cloned().collect()
}

/// Whether two rows of one application deploy to the same namespaces.
pub(super) fn same_reach(one: &Application, other: &Application) -> bool {
    let services = |app: &Application| {
        app.services.iter().map(|s| (s.cluster.clone(), s.namespace.clone())).collect::<BTreeSet<_>>()
    };
    one.placements == other.placements
        && one.placements_are_complete() == other.placements_are_complete()
        && services(one) == services(other)
}

/// Pods and applications by name, and which belong together.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Owners {
    apps: Index<Text, AppKey>,
    /// Pods that know their application by name alone.
    nameless: Index<Text, PodKey>,
    pods: Index<AppKey, PodKey>,
}

impl Owners {
    pub(super) fn pods_of(&self, app: &AppKey) -> impl Iterator<Item = &PodKey> {
        self.pods.of(app)
    }

    pub(super) fn pods_named(&self, app: &Text) -> Vec<PodKey> {
        self.nameless.of(app).cloned().collect()
    }

    pub(super) fn apps_with_pods_in(&self, cluster: &ClusterId) -> Vec<AppKey> {
        let stands_there = |pods: &BTreeSet<PodKey>| {
            let first = PodKey { cluster: cluster.clone(), namespace: "".into(), name: "".into() };
            pods.range(first..).next().is_some_and(|pod| pod.cluster == *cluster)
        };
        self.pods.0.iter().filter(|(_, pods)| stands_there(pods)).map(|(app, _)| app.clone()).collect()
    }

    pub(super) fn name_app(&mut self, app: &AppKey) {
        self.apps.insert(app.name.clone(), app.clone());
    }

    pub(super) fn unname_app(&mut self, app: &AppKey) {
        self.apps.remove(&app.name, app);
    }

    pub(super) fn name_pod(&mut self, pod: &PodKey, owner: &PodOwner) {
        if owner.app_namespace.is_none() {
            self.nameless.insert(owner.app.clone(), pod.clone());
        }
    }

    pub(super) fn unname_pod(&mut self, pod: &PodKey, owner: &PodOwner) {
        self.nameless.remove(&owner.app, pod);
    }

    pub(super) fn rename_pod(&mut self, pod: &PodKey, before: &PodOwner, after: &PodOwner) {
        self.unname_pod(pod, before);
        self.name_pod(pod, after);
    }

    pub(super) fn link(&mut self, app: AppKey, pod: PodKey) {
        self.pods.insert(app, pod);
    }

    pub(super) fn unlink(&mut self, app: &AppKey, pod: &PodKey) {
        self.pods.remove(app, pod);
    }
}

/// The application that a pod belongs to. Where only its name is known: the one that deploys to the pod's namespace
/// in the pod's cluster; of several, and of those that do not tell, the one in the namespace of that name.
pub(super) fn resolve(pod: &Pod, owners: &Owners, applications: &BTreeMap<AppKey, Entry>) -> Option<AppKey> {
    if let Some(namespace) = &pod.owner.app_namespace {
        return Some(AppKey { namespace: namespace.clone(), name: pod.owner.app.clone() });
    }
    let named: Vec<&Application> =
        owners.apps.of(&pod.owner.app).filter_map(|key| applications.get(key)).map(|entry| &entry.row).collect();
    let own = |apps: &[&Application]| {
        apps.iter().find(|app| app.key.namespace == pod.key.namespace).map(|app| app.key.clone())
    };
    let reaching: Vec<&Application> =
        named.iter().copied().filter(|app| app.reaches(&pod.key.cluster, &pod.key.namespace)).collect();
    match (&reaching[..], &named[..]) {
        ([only], _) => Some(only.key.clone()),
        ([], _) => own(&named).or_else(|| {
            // Clusters chosen by label, or an external policy: it may well deploy there.
            let mut open = named.iter().filter(|app| !app.placements_are_complete());
            match (open.next(), open.next()) {
                (Some(only), None) => Some(only.key.clone()),
                _ => None,
            }
        }),
        (several, _) => own(several),
    }
}
