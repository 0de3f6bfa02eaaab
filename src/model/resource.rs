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
