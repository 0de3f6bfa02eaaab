//! Objects that an application made, of any kind, in any cluster.

use jiff::Timestamp;

use super::{
    health::Health,
    key::{ClusterId, Text},
};

/// Any object, by name. The version is no part of it: the same object is served in several.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceKey {
    /// The cluster it lives in.
    pub cluster: ClusterId,
    /// API group; empty for the core group.
    pub group: Text,
    /// Kind.
    pub kind: Text,
    /// Namespace; empty for a cluster-scoped object.
    pub namespace: Text,
    /// `metadata.name`.
    pub name: Text,
}

/// One object as the tree needs it.
#[derive(Clone, Debug, PartialEq)]
pub struct Resource {
    /// Who it is.
    pub key: ResourceKey,
    /// `metadata.uid`.
    pub uid: Text,
    /// `uid` of each of `metadata.ownerReferences`.
    pub owners: Vec<Text>,
    /// The object that made it, where its labels say so.
    pub made_by: Option<Maker>,
    /// How it stands by its own rules, its children aside.
    pub health: Health,
    /// What is to be said of it: "2/3 ready", "Release reconciliation succeeded".
    pub message: Text,
    /// `metadata.creationTimestamp`.
    pub created_at: Option<Timestamp>,
    /// Whether it is a leftover that wants nothing and has nothing: a ReplicaSet of an older revision at 0/0.
    pub idle: bool,
    /// What it says itself of what it makes, where it does.
    pub makes: Option<Box<Makes>>,
    /// `metadata.labels`, kept only where a [`Rule`] asks for them.
    pub labels: Vec<(Text, Text)>,
}

/// What an object says of what it makes, beside the labels and owner references that those carry.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Makes {
    /// Namespaces beside its own in which it makes something: a HelmRelease's `targetNamespace`, or those of its
    /// inventory.
    pub namespaces: Vec<Text>,
    /// `status.inventory` of a HelmRelease (helm-controller 1.5) or a Kustomization: exactly what it made.
    pub inventory: Vec<ResourceKey>,
    /// `spec.selector`, kept only where a [`Rule`] asks for it.
    pub selector: Vec<(Text, Text)>,
}

/// A rule of the operator's: objects of one kind are children of those of another. From the ConfigMaps labelled
/// `rules.oam.dev/resources` in the hub's `vela-system`, as KubeVela's own tree reads them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rule {
    /// Group and kind of the parent.
    pub parent: (Text, Text),
    /// Group and kind of the child.
    pub child: (Text, Text),
    /// Whether a child is known by the parent's `spec.selector`; else by its owner references alone, which need no rule.
    pub by_selector: bool,
}

/// A HelmRelease or Kustomization, as it labels what it makes: kind, namespace, name. It lives in the same cluster.
pub type Maker = (Text, Text, Text);

/// What a tracker says of an object, as `vela status --tree` words it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tracked {
    /// Applied by the current revision.
    Updated,
    /// Applied by an older revision, and not by the current one.
    Outdated,
    /// The cluster is chosen, and nothing is there yet.
    NotDeployed,
}

impl Tracked {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Updated => "updated",
            Self::Outdated => "outdated",
            Self::NotDeployed => "not-deployed",
        }
    }
}

/// An object that KubeVela applied itself, as a tracker lists it.
#[derive(Clone, Debug, PartialEq)]
pub struct Root {
    /// Who it is.
    pub key: ResourceKey,
    /// Its API version, `v1` without the group.
    pub version: Text,
    /// The component it belongs to; may be empty.
    pub component: Text,
    /// The trait that made it; empty for a component's own workload.
    pub made_by_trait: Text,
    /// Which revision applied it.
    pub tracked: Tracked,
}
