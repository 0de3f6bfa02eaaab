//! The object under the cursor: what the keys that work on any object act upon.

use crate::model::{
    application::{Application, Service},
    diff::Comparison,
    key::{AppKey, ClusterId, Text},
    problem::About,
    resource::ResourceKey,
    tree::What,
};

use super::{
    App,
    keymap::Action,
    notice::Level,
    page::{Page, application::ItemKey},
    world::World,
};

impl App {
    /// The object under the cursor, whatever page is shown; `None` where there is none.
    pub fn subject(&self) -> Option<ResourceKey> {
        self.page().subject(&self.world)
    }

    /// Says why there is no object under the cursor.
    pub(super) fn say_no_subject(&mut self) {
        let why = match self.page() {
            Page::Tree(page) => page.object().err(),
            _ => None,
        };
        self.say(Level::Bad, why.as_deref().unwrap_or("nothing is under the cursor for that"));
    }
}

impl Page {
    /// The object under the cursor.
    pub fn subject(&self, world: &World) -> Option<ResourceKey> {
        match self {
            Self::Applications(table) => table.selected().map(ResourceKey::application),
            Self::Application(page) => Some(match page.selected() {
                Some(ItemKey::Pod(pod)) => ResourceKey::pod(pod),
                Some(ItemKey::Cluster(cluster)) => ResourceKey::cluster(cluster),
                Some(ItemKey::Service { cluster, namespace, name }) => {
                    workload(world, &page.app, cluster, namespace, name)
                        .unwrap_or_else(|| ResourceKey::application(&page.app))
                }
                // A step is told in the application itself.
                _ => ResourceKey::application(&page.app),
            }),
            Self::Approvals(table) => table.selected().map(|gate| ResourceKey::application(&gate.app)),
            Self::Clusters(table) => table.selected().map(ResourceKey::cluster),
            Self::Pods(table) => table.selected().map(ResourceKey::pod),
            Self::Logs(page) => page.subject(),
            Self::Forwards(table) => {
                let id = table.selected()?;
                let target = &world.forwards.iter().find(|forward| forward.id == *id)?.target;
                Some(ResourceKey {
                    cluster: target.cluster.clone(),
                    group: "".into(),
                    kind: target.kind.as_str().into(),
                    namespace: target.namespace.clone(),
                    name: target.name.clone(),
                })
            }
            Self::Tree(page) => page.object().ok(),
            Self::Object(page) => Some(page.key.clone()),
            Self::Revisions(table) => table.selected().map(|name| revision(&table.rows.app, name)),
            Self::Diff(page) => match &page.asked {
                Comparison::Live(app, _) => Some(ResourceKey::application(app)),
                Comparison::Revision(app, name) | Comparison::Revisions(app, _, name) => Some(revision(app, name)),
                Comparison::Drift(..) => page.object().cloned(),
            },
            Self::Events(table) => table.selected().map(|fold| fold.object.clone()),
            Self::Why(page) => page.object(),
            Self::Problems(table) => Some(match &table.selected()?.about {
                About::Cluster(cluster) => ResourceKey::cluster(cluster),
                About::Application(app) | About::Component(app, _) => ResourceKey::application(app),
                About::Pod(pod) => ResourceKey::pod(pod),
            }),
        }
    }
}

/// The object that a component is in a cluster, where the hub's status tells it.
fn workload(world: &World, app: &AppKey, cluster: &ClusterId, namespace: &Text, name: &Text) -> Option<ResourceKey> {
    let row = world.app(app)?;
    let is_it = |it: &&Service| it.cluster == *cluster && it.namespace == *namespace && it.name == *name;
    let (group, kind) = row.services.iter().find(is_it)?.workload.clone()?;
    Some(ResourceKey {
        cluster: cluster.clone(),
        group,
        kind,
        namespace: row.namespace_or_own(namespace).clone(),
        name: name.clone(),
    })
}

/// `Deployment/hello`, as commands name an object.
pub(super) fn short(key: &ResourceKey) -> String {
    format!("{}/{}", key.kind, key.name)
}

/// Kinds by the short names that kubectl gives them, and their group.
const KINDS: [(&str, &str, &str); 18] = [
    ("app", "Application", "core.oam.dev"),
    ("deploy", "Deployment", "apps"),
    ("sts", "StatefulSet", "apps"),
    ("ds", "DaemonSet", "apps"),
    ("rs", "ReplicaSet", "apps"),
    ("job", "Job", "batch"),
    ("cj", "CronJob", "batch"),
    ("po", "Pod", ""),
    ("svc", "Service", ""),
    ("cm", "ConfigMap", ""),
    ("secret", "Secret", ""),
    ("sa", "ServiceAccount", ""),
    ("pvc", "PersistentVolumeClaim", ""),
    ("ing", "Ingress", "networking.k8s.io"),
    ("netpol", "NetworkPolicy", "networking.k8s.io"),
    ("hpa", "HorizontalPodAutoscaler", "autoscaling"),
    ("hr", "HelmRelease", "helm.toolkit.fluxcd.io"),
    ("ks", "Kustomization", "kustomize.toolkit.fluxcd.io"),
];

impl App {
    /// What is to be said where a key that is meant for what the cursor is on acts on something else.
    pub(super) fn instead(&self) -> Option<String> {
        let Page::Application(page) = self.page() else { return None };
        let Some(ItemKey::Service { cluster, namespace, name }) = page.selected() else { return None };
        if workload(&self.world, &page.app, cluster, namespace, name).is_some() {
            return None;
        }
        let tree = self.keymap.key_of(self.page().view(), Action::Tree).map_or_else(String::new, |key| key.to_string());
        Some(format!(
            "KubeVela does not tell which object {name} is: this is the application {}, {tree} shows what it made",
            page.app
        ))
    }

    /// Every object that is known here: what the page shows, the applications and the pods.
    pub(super) fn named(&self) -> Vec<ResourceKey> {
        let mut keys = Vec::new();
        match self.page() {
            Page::Tree(page) => {
                let nodes = page.tree().map(|tree| tree.nodes.as_slice()).unwrap_or_default();
                keys.extend(nodes.iter().filter_map(|node| match &node.what {
                    What::Object(key) => Some(key.clone()),
                    What::Cluster(_) | What::Idle(..) => None,
                }));
            }
            Page::Application(page) => {
                if let Some(app) = self.world.app(&page.app) {
                    keys.extend(
                        app.services
                            .iter()
                            .filter_map(|it| workload(&self.world, &page.app, &it.cluster, &it.namespace, &it.name)),
                    );
                }
            }
            _ => {}
        }
        keys.extend(self.subject());
        keys.extend(self.world.keys().map(ResourceKey::application));
        keys.extend(self.world.store.pods().map(|pod| ResourceKey::pod(&pod.key)));
        keys.sort();
        keys.dedup();
        keys
    }

    /// The objects that a typed word means: `KIND/NAME` or `NAME`, kinds also by their short names. What is not known here
    /// is looked for in the place of what the cursor is on, if its kind is a common one.
    pub(super) fn find(&self, word: &str) -> Vec<ResourceKey> {
        let (kind, name) = word.rsplit_once('/').map_or(("", word), |(kind, name)| (kind, name));
        let common = KINDS.iter().find(|(short, full, _)| {
            kind.eq_ignore_ascii_case(short) || kind.eq_ignore_ascii_case(full) || is_plural(kind, full)
        });
        let full = common.map_or(kind, |(_, full, _)| full);
        let mut found = self.named();
        found.retain(|key| *key.name == *name && (full.is_empty() || key.kind.eq_ignore_ascii_case(full)));
        if let (true, Some((_, full, group))) = (found.is_empty(), common) {
            let at = |cluster: &ClusterId, namespace: &Text| ResourceKey {
                cluster: cluster.clone(),
                group: (*group).into(),
                kind: (*full).into(),
                namespace: namespace.clone(),
                name: name.into(),
            };
            found = match self.subject() {
                _ if *full == "Application" || *full == "Pod" || name.is_empty() => Vec::new(),
                Some(key) if &*key.kind == "Application" => {
                    let app = AppKey { namespace: key.namespace, name: key.name };
                    let places = self.world.app(&app).map(Application::places).unwrap_or_default();
                    places.iter().map(|place| at(&place.cluster, &place.namespace)).collect()
                }
                Some(key) if !key.namespace.is_empty() => vec![at(&key.cluster, &key.namespace)],
                _ => Vec::new(),
            };
        }
        // The hub itself first, as everywhere.
        found.sort_by_key(|key| !key.cluster.is_local());
        found
    }
}

/// `deployments` of `Deployment`.
fn is_plural(word: &str, kind: &str) -> bool {
    let stem = word.strip_suffix("es").filter(|stem| kind.eq_ignore_ascii_case(stem));
    stem.is_some() || word.strip_suffix('s').is_some_and(|stem| kind.eq_ignore_ascii_case(stem))
}

/// An ApplicationRevision, as it is kept on the hub.
fn revision(app: &AppKey, name: &Text) -> ResourceKey {
    ResourceKey {
        cluster: ClusterId::local(),
        group: "core.oam.dev".into(),
        kind: "ApplicationRevision".into(),
        namespace: app.namespace.clone(),
        name: name.clone(),
    }
}
