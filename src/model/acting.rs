//! What an operator does to a single object in a cluster: restart, scale, delete.

use super::{
    key::{AppKey, Text},
    resource::ResourceKey,
};

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// New pods take the place of the old ones, as `kubectl rollout restart` does it.
    Restart,
    /// Another number of pods.
    Scale,
    /// It goes, and in the background what it owns.
    Delete,
}

impl Verb {
    /// All, in the order in which they are offered.
    pub const ALL: [Self; 3] = [Self::Restart, Self::Scale, Self::Delete];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Restart => "restart",
            Self::Scale => "scale",
            Self::Delete => "delete",
        }
    }

    /// The same, done.
    pub fn done(self) -> &'static str {
        match self {
            Self::Restart => "restarted",
            Self::Scale => "scaled",
            Self::Delete => "deleted",
        }
    }

    /// The verb of the API that it needs.
    pub fn api(self) -> &'static str {
        match self {
            Self::Restart | Self::Scale => "patch",
            Self::Delete => "delete",
        }
    }

    /// Whether objects of that kind know it.
    pub fn fits(self, key: &ResourceKey) -> bool {
        let apps = &*key.group == "apps";
        match self {
            Self::Restart => apps && matches!(&*key.kind, "Deployment" | "StatefulSet" | "DaemonSet"),
            Self::Scale => apps && matches!(&*key.kind, "Deployment" | "StatefulSet" | "ReplicaSet"),
            // A cluster is detached, which asks more than this.
            Self::Delete => &*key.kind != "VirtualCluster",
        }
    }
}

/// What may be permitted or not, and is asked before it is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Right {
    /// To restart, scale or delete it.
    Do(Verb),
    /// To edit it: `patch` on its kind.
    Edit,
    /// A shell in it: `create` on `pods/exec`.
    Shell,
    /// To approve what waits in it: `patch` on `applications/status`.
    Approve,
}

/// An object as it was read before it is to be changed: what a dialog shows, and what a write is held to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prepared {
    /// Which.
    pub key: ResourceKey,
    /// Its path in the API of its cluster.
    pub path: Text,
    /// `metadata.uid`.
    pub uid: Text,
    /// `metadata.resourceVersion`.
    pub resource_version: Text,
    /// `spec.replicas`; 1 where it is not said; `None` of kinds that have none.
    pub replicas: Option<i64>,
    /// Whether it is being deleted already.
    pub deleting: bool,
    /// `metadata.finalizers`: it stays until each has done its work.
    pub finalizers: Vec<Text>,
    /// What made it and would make it again.
    pub keeper: Option<Keeper>,
    /// Whether what KubeVela applied says how many pods there are, and so would put its number back; `None`: not known.
    pub states_replicas: Option<bool>,
    /// For each verb asked about: permitted, or what is needed ("patch on deployments.apps").
    pub permitted: Vec<(Verb, Result<(), Text>)>,
}

impl Prepared {
    /// Why a verb is not permitted; `None`: it is, or nobody asked.
    pub fn refusal(&self, verb: Verb) -> Option<&Text> {
        self.permitted.iter().find(|(asked, _)| *asked == verb).and_then(|(_, answer)| answer.as_ref().err())
    }
}

/// What puts an object back as it wants it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keeper {
    /// A controller of the cluster that owns it: `ReplicaSet/hello-7d9c`.
    Owner(Text),
    /// A Helm release or Kustomization of Flux: `HelmRelease/hello`.
    Flux(Text),
    /// KubeVela, for an application.
    KubeVela(AppKey),
}

/// A write to one object, with everything that was on screen when it was confirmed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectWrite {
    /// The object.
    pub key: ResourceKey,
    /// Its path in the API of its cluster.
    pub path: Text,
    /// `metadata.uid` on screen.
    pub uid: Text,
    /// `metadata.resourceVersion` on screen: for the audit; the write uses that of the fresh read.
    pub resource_version: Text,
    /// What is done.
    pub deed: Deed,
}

/// What is done, in numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Restart it.
    Restart,
    /// Scale it.
    Scale {
        /// `spec.replicas` on screen.
        from: i64,
        /// What it becomes.
        to: i64,
    },
    /// Delete it.
    Delete,
}

impl Deed {
    /// Its verb.
    pub fn verb(self) -> Verb {
        match self {
            Self::Restart => Verb::Restart,
            Self::Scale { .. } => Verb::Scale,
            Self::Delete => Verb::Delete,
        }
    }
}
