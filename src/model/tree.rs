//! The tree of everything an application made, across clusters.
//!
//! KubeVela applies the roots; everything below them is found by owner references and by the labels that Flux puts on
//! what it makes. Nothing is dropped for being odd: an owner cycle ends where it would repeat, an object with two owners
//! stands under both, a root that is not there stands as gone, and one in a cluster that could not be asked as unknown.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;

use super::{
    health::Health,
    key::{ClusterId, Text},
    resource::{Maker, Resource, ResourceKey, Root, Rule, Tracked},
};

/// Levels below a root at most. A chain of owners in Kubernetes has some five.
const DEEPEST: usize = 12;
/// Lines at most: objects that own each other crosswise would otherwise multiply without end.
const MOST_LINES: usize = 50_000;

/// What was found out about one application.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// What trackers list.
    pub roots: Vec<Root>,
    /// Clusters that the application is meant to reach.
    pub clusters: Vec<ClusterId>,
    /// Objects seen in the clusters: roots and whatever else is in their namespaces.
    pub resources: Vec<Resource>,
    /// Clusters that could not be asked, or not for everything, with the reason.
    pub incomplete: Vec<Gap>,
    /// Clusters that have not answered everything yet: what is missing there may still come.
    pub asking: Vec<ClusterId>,
    /// Kinds of roots that their cluster does not serve: cluster, group and kind.
    pub unserved: Vec<(ClusterId, Text, Text)>,
    /// The operator's own rules.
    pub rules: Vec<Rule>,
}

/// Something that could not be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Where.
    pub cluster: ClusterId,
    /// The kind; `None`: anything at all.
    pub kind: Option<Text>,
    /// Why.
    pub reason: Text,
}

/// One line of the tree.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// The line it hangs from; `None` for a cluster.
    pub parent: Option<usize>,
    /// Levels below the cluster, which is at 0.
    pub depth: usize,
    /// What it is.
    pub what: What,
    /// The component it belongs to; may be empty.
    pub component: Text,
    /// What a tracker says of it; `None` below the roots.
    pub tracked: Option<Tracked>,
    /// How it stands by itself.
    pub own: Health,
    /// The worst of it and everything below.
    pub health: Health,
    /// What is to be said of it.
    pub message: Text,
    /// When it was created.
    pub created_at: Option<Timestamp>,
    /// In a merged tree, where it stands and how, by cluster; else empty.
    pub places: Vec<(ClusterId, Health)>,
}

/// What a line stands for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum What {
    /// A cluster.
    Cluster(ClusterId),
    /// An object.
    Object(ResourceKey),
    /// Older ReplicaSets without a pod, that many, of the object above.
    Idle(ResourceKey, usize),
}

impl What {
    /// The cluster it is in.
    pub fn cluster(&self) -> &ClusterId {
        match self {
            Self::Cluster(cluster) => cluster,
            Self::Object(key) | Self::Idle(key, _) => &key.cluster,
        }
    }
}

/// The lines, each after the one it hangs from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tree {
    /// The lines.
    pub nodes: Vec<Node>,
    /// What could not be asked.
    pub incomplete: Vec<Gap>,
    /// Clusters that have not answered everything yet.
    pub asking: Vec<ClusterId>,
}

impl Tree {
    /// How the whole stands: the worst of the clusters; `None` where there is nothing.
    pub fn health(&self) -> Option<Health> {
        self.nodes.iter().filter(|node| node.parent.is_none()).map(|node| node.health).reduce(Health::worst)
    }
}

/// Joins what was found to a tree: clusters in their order (`local` first), in each the roots, below them what they made.
pub fn assemble(found: &Found) -> Tree {
    assemble_of(found, found.resources.iter())
}

/// The same, of objects that are kept elsewhere.
pub fn assemble_of<'a>(found: &'a Found, resources: impl Iterator<Item = &'a Resource>) -> Tree {
    let mut clusters: BTreeSet<(bool, &ClusterId)> =
        found.clusters.iter().map(|cluster| (!cluster.is_local(), cluster)).collect();
    clusters.extend(found.roots.iter().map(|root| (!root.key.cluster.is_local(), &root.key.cluster)));
    let world = World::new(found, resources);
    let mut growing = Growing { world: &world, nodes: Vec::new() };
    for (_, cluster) in clusters {
        growing.cluster(cluster);
    }
    let mut nodes = growing.nodes;
    let mut incomplete = found.incomplete.clone();
    if nodes.len() > MOST_LINES {
        let reason = format!("the tree ends after {MOST_LINES} lines").into();
        incomplete.push(Gap { cluster: ClusterId::local(), kind: None, reason });
    }
    // Children stand after their parents: from the end, each hands its worst up.
    for at in (0..nodes.len()).rev() {
        let (health, parent) = (nodes[at].health, nodes[at].parent);
        let handed_up = match (health, nodes[at].tracked) {
            // Gone as it should be: that says nothing about what it hung from.
            (Health::Gone, Some(Tracked::Outdated)) => continue,
            (Health::Gone, _) => Health::Failed,
            (health, _) => health,
        };
        if let Some(parent) = parent {
            nodes[parent].health = nodes[parent].health.worst(handed_up);
        }
    }
    Tree { nodes, incomplete, asking: found.asking.clone() }
}

/// What was found, by the questions that the tree asks.
struct World<'a> {
    roots: BTreeMap<&'a ClusterId, Vec<&'a Root>>,
    by_key: HashMap<&'a ResourceKey, &'a Resource>,
    by_owner: HashMap<(&'a ClusterId, &'a str), Vec<&'a Resource>>,
    by_maker: HashMap<(&'a ClusterId, &'a Maker), Vec<&'a Resource>>,
    /// Children by the operator's rules: namespaced objects without owners, by kind and namespace.
    by_rule: HashMap<(&'a ClusterId, &'a Text, &'a Text, &'a Text), Vec<&'a Resource>>,
    found: &'a Found,
}

impl<'a> World<'a> {
    fn new(found: &'a Found, resources: impl Iterator<Item = &'a Resource>) -> Self {
        let mut world = Self {
            roots: BTreeMap::new(),
            by_key: HashMap::new(),
            by_owner: HashMap::new(),
            by_maker: HashMap::new(),
            by_rule: HashMap::new(),
            found,
        };
        for root in &found.roots {
            world.roots.entry(&root.key.cluster).or_default().push(root);
        }
        for resource in resources {
            // Served under two groups, or listed twice: one object.
            if world.by_key.insert(&resource.key, resource).is_some() {
                continue;
            }
            let owners: BTreeSet<&str> = resource.owners.iter().map(AsRef::as_ref).collect();
            for owner in owners {
                world.by_owner.entry((&resource.key.cluster, owner)).or_default().push(resource);
            }
            if !resource.labels.is_empty() {
                let key = &resource.key;
                let place = (&key.cluster, &key.group, &key.kind, &key.namespace);
                world.by_rule.entry(place).or_default().push(resource);
            }
            if let Some(maker) = &resource.made_by {
                world.by_maker.entry((&resource.key.cluster, maker)).or_default().push(resource);
            }
        }
        world
    }

    /// Why an object of this kind may be missing though it is there.
    fn gap(&self, key: &ResourceKey) -> Option<&'a Gap> {
        let gaps = &self.found.incomplete;
        self.lost(&key.cluster)
            .or_else(|| gaps.iter().find(|gap| gap.cluster == key.cluster && gap.kind.as_ref() == Some(&key.kind)))
    }

    /// Why a cluster as a whole could not be asked.
    fn lost(&self, cluster: &ClusterId) -> Option<&'a Gap> {
        self.found.incomplete.iter().find(|gap| gap.cluster == *cluster && gap.kind.is_none())
    }

    fn is_asking(&self, cluster: &ClusterId) -> bool {
        self.found.asking.contains(cluster)
    }

    /// How an object stands and what is said of it: the last known word where its cluster is lost.
    fn standing(&self, live: &Resource) -> (Health, Text) {
        if self.lost(&live.key.cluster).is_none() {
            return (live.health, live.message.clone());
        }
        let was = if live.message.is_empty() { live.health.as_str() } else { &*live.message };
        (Health::Unknown, format!("was: {was}").into())
    }

    /// How something that should be there and was not found stands, and why.
    fn missing(&self, key: &ResourceKey) -> (Health, Text) {
        let kind = (key.cluster.clone(), key.group.clone(), key.kind.clone());
        if let Some(gap) = self.gap(key) {
            (Health::Unknown, gap.reason.clone())
        } else if self.found.unserved.contains(&kind) {
            let group = if key.group.is_empty() { "v1" } else { &*key.group };
            (
                Health::Gone,
                format!("{} serves no {} of {group}: what defines it is not installed", key.cluster, key.kind).into(),
            )
        } else if self.is_asking(&key.cluster) {
            (Health::Unknown, "still asking".into())
        } else {
            (Health::Gone, "is not there".into())
        }
    }

    /// Children by the operator's rules.
    fn by_rules(&self, parent: &Resource, children: &mut Vec<&'a Resource>) {
        let Some(makes) = parent.makes.as_ref().filter(|makes| !makes.selector.is_empty()) else { return };
        let key = &parent.key;
        for rule in self.found.rules.iter().filter(|rule| rule.by_selector) {
            if (&rule.parent.0, &rule.parent.1) != (&key.group, &key.kind) {
                continue;
            }
            let place = (&key.cluster, &rule.child.0, &rule.child.1, &key.namespace);
            let candidates = self.by_rule.get(&place).into_iter().flatten().copied();
            children.extend(
                candidates.filter(|child| {
                    child.key != *key && makes.selector.iter().all(|label| child.labels.contains(label))
                }),
            );
        }
    }

    /// What an object made, in the order of the tree.
    fn children(&self, resource: &Resource) -> Vec<&'a Resource> {
        let key = &resource.key;
        let mut children: Vec<&Resource> = Vec::new();
        if !resource.uid.is_empty() {
            children.extend(self.by_owner.get(&(&key.cluster, &*resource.uid)).into_iter().flatten());
        }
        if matches!(&*key.kind, "HelmRelease" | "Kustomization") {
            let maker = (key.kind.clone(), key.namespace.clone(), key.name.clone());
            let made = self.by_maker.get(&(&key.cluster, &maker)).into_iter().flatten();
            // One that the release's labels were handed down to hangs from its owner.
            children.extend(made.filter(|made| made.owners.is_empty() && made.key != *key));
        }
        let inventory = resource.makes.iter().flat_map(|makes| &makes.inventory);
        children.extend(inventory.filter_map(|made| self.by_key.get(made).copied()).filter(|made| made.key != *key));
        self.by_rules(resource, &mut children);
        children.sort_by_key(|child| (rank(&child.key.kind), &child.key));
        children.dedup_by_key(|child| &child.key);
        children
    }
}

struct Growing<'w, 'a> {
    world: &'w World<'a>,
    nodes: Vec<Node>,
}

impl<'a> Growing<'_, 'a> {
    fn cluster(&mut self, cluster: &ClusterId) {
        let at = self.nodes.len();
        let gap = self.world.lost(cluster);
        let mut roots = self.world.roots.get(cluster).cloned().unwrap_or_default();
        let (health, message, tracked) = match (gap, roots.is_empty()) {
            (Some(gap), _) => (Health::Unknown, gap.reason.clone(), None),
            (None, false) if self.world.is_asking(cluster) => (Health::Ok, "still asking".into(), None),
            (None, true) => (Health::Pending, "nothing is deployed here yet".into(), Some(Tracked::NotDeployed)),
            (None, false) => (Health::Ok, Text::default(), None),
        };
        self.nodes.push(Node {
            parent: None,
            depth: 0,
            what: What::Cluster(cluster.clone()),
            component: Text::default(),
            tracked,
            own: health,
            health,
            message,
            created_at: None,
            places: Vec::new(),
        });
        roots.sort_by_key(|root| (&root.component, rank(&root.key.kind), &root.key));
        roots.dedup_by_key(|root| &root.key);
        for root in roots {
            self.root(root, at);
        }
    }

    fn root(&mut self, root: &Root, parent: usize) {
        let live = self.world.by_key.get(&root.key).copied();
        let (own, message) = live.map_or_else(|| self.world.missing(&root.key), |live| self.world.standing(live));
        let at = self.push(Node {
            parent: Some(parent),
            depth: 1,
            what: What::Object(root.key.clone()),
            component: root.component.clone(),
            tracked: Some(root.tracked),
            own,
            health: own,
            message,
            created_at: live.and_then(|live| live.created_at),
            places: Vec::new(),
        });
        if let Some(live) = live {
            self.below(live, at, &[&live.key]);
        }
    }

    /// Everything below an object. `path` holds its ancestors and itself: an object that owns one of its owners is not
    /// followed in circles.
    fn below(&mut self, resource: &Resource, parent: usize, path: &[&'a ResourceKey]) {
        if path.len() > DEEPEST || self.nodes.len() > MOST_LINES {
            return;
        }
        let mut children = self.world.children(resource);
        children.retain(|child| !path.contains(&&child.key));
        let idle: Vec<&Resource> = children.iter().copied().filter(|child| child.idle).collect();
        let fold = idle.len() > 1;
        let component = self.nodes[parent].component.clone();
        let depth = self.nodes[parent].depth + 1;
        for child in children.iter().filter(|child| !(fold && child.idle)) {
            let (own, message) = self.world.standing(child);
            let at = self.push(Node {
                parent: Some(parent),
                depth,
                what: What::Object(child.key.clone()),
                component: component.clone(),
                tracked: None,
                own,
                health: own,
                message,
                created_at: child.created_at,
                places: Vec::new(),
            });
            let path: Vec<&ResourceKey> = path.iter().copied().chain([&child.key]).collect();
            self.below(child, at, &path);
        }
        self.missing_from_inventory(resource, parent, depth, &component);
        if fold {
            self.push(Node {
                parent: Some(parent),
                depth,
                what: What::Idle(idle[0].key.clone(), idle.len()),
                component,
                tracked: None,
                own: Health::Ok,
                health: Health::Ok,
                message: "older revisions without pods".into(),
                created_at: None,
                places: Vec::new(),
            });
        }
    }

    /// What a release says it made and is not there. Of what is in no namespace only those are known that are labelled.
    fn missing_from_inventory(&mut self, resource: &Resource, parent: usize, depth: usize, component: &Text) {
        let inventory = resource.makes.iter().flat_map(|makes| &makes.inventory);
        let missing = inventory.filter(|key| !key.namespace.is_empty() && !self.world.by_key.contains_key(key));
        for key in missing.cloned().collect::<Vec<_>>() {
            let (own, message) = self.world.missing(&key);
            self.push(Node {
                parent: Some(parent),
                depth,
                what: What::Object(key),
                component: component.clone(),
                tracked: None,
                own,
                health: own,
                message,
                created_at: None,
                places: Vec::new(),
            });
        }
    }

    fn push(&mut self, node: Node) -> usize {
        self.nodes.push(node);
        self.nodes.len() - 1
    }
}

/// Where a kind stands among its neighbours: what delivers, then what runs, then what it is reached by, then the rest.
fn rank(kind: &str) -> u8 {
    match kind {
        "HelmRelease" | "Kustomization" => 0,
        "HelmRepository" | "HelmChart" | "GitRepository" | "OCIRepository" | "Bucket" => 1,
        "Deployment" | "StatefulSet" | "DaemonSet" | "Job" | "CronJob" => 2,
        "ReplicaSet" | "ControllerRevision" => 3,
        "Pod" => 4,
        "Service" | "Ingress" | "HTTPRoute" => 5,
        "EndpointSlice" | "Endpoints" => 7,
        _ => 6,
    }
}

pub mod beside;
mod group;
mod merged;

pub use merged::merged;

#[cfg(test)]
mod tests;
