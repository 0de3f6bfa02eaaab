//! Names of things: an object is known by (cluster, kind, namespace, name).
//!
//! The hub is not part of a key: a store holds one hub's world and is dropped whole when the hub changes.

use std::{fmt, sync::Arc};

use super::event::EventKey;

/// Shared, immutable text. Names, namespaces and kinds repeat over thousands of rows.
pub type Text = Arc<str>;

/// The name that KubeVela gives the hub itself as a delivery target.
pub const LOCAL: &str = "local";

/// A cluster as KubeVela names it: `local` for the hub, else the name it was joined by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClusterId(pub Text);

impl ClusterId {
    /// The hub as a delivery target.
    pub fn local() -> Self {
        Self(LOCAL.into())
    }

    /// A cluster by the name KubeVela wrote; the empty name means `local` (older KubeVela leaves it out).
    pub fn named(name: &str) -> Self {
        Self(if name.is_empty() { LOCAL } else { name }.into())
    }

    /// Whether this is the hub itself, which is reached directly and never through the gateway.
    pub fn is_local(&self) -> bool {
        &*self.0 == LOCAL
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An Application on the hub.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AppKey {
    /// Namespace on the hub.
    pub namespace: Text,
    /// `metadata.name`.
    pub name: Text,
}

impl AppKey {
    /// The key of `namespace/name`.
    pub fn new(namespace: &str, name: &str) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }
}

impl fmt::Display for AppKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// A pod in one cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PodKey {
    /// The cluster it runs in.
    pub cluster: ClusterId,
    /// Its namespace there.
    pub namespace: Text,
    /// `metadata.name`.
    pub name: Text,
}

impl PodKey {
    /// The key of `namespace/name` in `cluster`.
    pub fn new(cluster: &str, namespace: &str, name: &str) -> Self {
        Self { cluster: ClusterId::named(cluster), namespace: namespace.into(), name: name.into() }
    }
}

impl fmt::Display for PodKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.cluster, self.namespace, self.name)
    }
}

/// The identity of any row of the store.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RowKey {
    /// An Application.
    Application(AppKey),
    /// A pod.
    Pod(PodKey),
    /// A joined cluster.
    Cluster(ClusterId),
    /// An event.
    Event(EventKey),
}
