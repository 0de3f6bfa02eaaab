//! The alphabet in which the world tells of its changes.
//!
//! A list runs under an epoch of its scope: pages are shown as they come, and [`Delta::Synced`] sweeps the rows of
//! that scope which the epoch did not name. So a relist never flickers, and what vanished meanwhile goes.

use super::{
    application::Application,
    cluster::{Cluster, LinkState},
    event::Event,
    key::{ClusterId, RowKey, Text},
    pod::Pod,
    resource::ResourceKey,
};

/// One question that is watched: a kind, in a cluster, within a namespace or label.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope {
    /// The cluster asked.
    pub cluster: ClusterId,
    /// What is asked there.
    pub query: Query,
}

/// What a scope asks for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Query {
    /// Applications, in one namespace or all.
    Applications(Option<Text>),
    /// Joined clusters (polled).
    Clusters,
    /// Pods labelled `app.oam.dev/name`, in one namespace or all.
    LabelledPods(Option<Text>),
    /// Pods of Helm releases in one namespace, found by owner.
    ReleasePods(Text),
    /// Events, in one namespace or all; asked while somebody looks at them.
    Events(Option<Text>),
    /// Events about one object; asked while somebody looks at them.
    EventsOf(ResourceKey),
}

/// Counts the lists of one scope; later is larger.
pub type Epoch = u64;

/// A row of any kind.
#[derive(Clone, Debug, PartialEq)]
pub enum Row {
    /// An Application.
    Application(Box<Application>),
    /// A pod.
    Pod(Box<Pod>),
    /// A joined cluster.
    Cluster(Box<Cluster>),
    /// An event.
    Event(Box<Event>),
}

impl Row {
    /// Its identity.
    pub fn key(&self) -> RowKey {
        match self {
            Self::Application(row) => RowKey::Application(row.key.clone()),
            Self::Pod(row) => RowKey::Pod(row.key.clone()),
            Self::Cluster(row) => RowKey::Cluster(row.id.clone()),
            Self::Event(row) => RowKey::Event(row.key.clone()),
        }
    }
}

/// One change of the world.
#[derive(Clone, Debug, PartialEq)]
pub enum Delta {
    /// A row is there, or is so now. Named by `epoch` of `scope`.
    Upsert {
        /// The question that found it.
        scope: Scope,
        /// The list it belongs to.
        epoch: Epoch,
        /// The row.
        row: Row,
    },
    /// A row is gone.
    Remove {
        /// The question that told so.
        scope: Scope,
        /// Which.
        key: RowKey,
    },
    /// The list of that epoch is complete: rows of the scope with an older epoch are gone.
    Synced {
        /// The question.
        scope: Scope,
        /// The list.
        epoch: Epoch,
    },
    /// How a question stands.
    Asked {
        /// The question.
        scope: Scope,
        /// How it stands.
        state: ScopeState,
    },
    /// The scope is not asked any more: its rows are dropped.
    Dropped {
        /// The question.
        scope: Scope,
    },
    /// How the link to a cluster stands now.
    Link {
        /// The cluster.
        cluster: ClusterId,
        /// The state.
        state: LinkState,
    },
    /// Something the operator should read once ("virtualclusters is not served: showing local alone").
    Notice(Text),
}

/// How a question stands: why a view may be empty.
#[derive(Clone, Debug, PartialEq)]
pub enum ScopeState {
    /// The first list is under way; so many rows came.
    Loading(usize),
    /// Listed, and watched since.
    Live,
    /// The kind is not served there (404).
    NotInstalled,
    /// Not permitted: "list pods in namespace default".
    Forbidden(Text),
    /// Fails for now, and is tried again: why.
    Failing(Text),
}
