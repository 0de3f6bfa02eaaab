//! Logs: what is followed, what the streams bring, and what is to be said where lines may be missing.
//!
//! A session follows a [`LogRequest`]. Each container of it is a source with a stream of its own, named by a
//! [`SourceId`] that is unique within the session. What the streams bring comes in batches of [`LogEvent`]s: in order
//! for each source, in order of arrival between them. To merge by time is for who shows them.
//!
//! Of each source, the lines that came and the lines that a [`Gap::Dropped`] counts are all lines that were sent.

use std::{fmt, sync::Arc};

use jiff::{SignedDuration, Timestamp};

use super::{
    key::{AppKey, ClusterId, PodKey, Text},
    resource::ResourceKey,
};

pub mod escape;
pub mod fields;
mod gap;
pub mod level;

pub use gap::{End, Exit, Gap};

/// What is followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogScope {
    /// The pods of an application, or of one of its components. Who follows tells which they are, and which join.
    App {
        /// The application.
        app: AppKey,
        /// The component; none: all of them.
        component: Option<Text>,
    },
    /// The pods of several applications; which they are is told as for one.
    Apps(Vec<AppKey>),
    /// The pods of a workflow's step, where it says which they are. Who follows looks that up.
    Step {
        /// The application.
        app: AppKey,
        /// The step, by name.
        step: Text,
    },
    /// The pods that a workload's own selector finds, as with `kubectl logs deployment/x`.
    Workload(ResourceKey),
    /// These pods and no others.
    Pods(Vec<PodKey>),
    /// Pods by their labels.
    Selector {
        /// The namespace; none: all of them.
        namespace: Option<Text>,
        /// A label selector as the API takes it.
        selector: Text,
    },
}

/// What is followed, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRequest {
    /// The pods.
    pub scope: LogScope,
    /// Only in these clusters; empty: in all.
    pub clusters: Vec<ClusterId>,
    /// Which of their containers.
    pub containers: Containers,
    /// The instances before the last restart instead of the running ones.
    pub previous: bool,
    /// Where to begin.
    pub start: Start,
    /// Whether to stay for what comes.
    pub follow: bool,
}

impl LogRequest {
    /// Some pods, their default containers, followed from a few lines back.
    pub fn of_pods(pods: Vec<PodKey>) -> Self {
        Self::of(LogScope::Pods(pods))
    }

    /// The default containers of what is in a scope, followed from a few lines back.
    pub fn of(scope: LogScope) -> Self {
        Self {
            scope,
            clusters: Vec::new(),
            containers: Containers::Default,
            previous: false,
            start: Start::Tail(1000),
            follow: true,
        }
    }

    /// Whether pods of that cluster are meant.
    pub fn covers(&self, cluster: &ClusterId) -> bool {
        self.clusters.is_empty() || self.clusters.contains(cluster)
    }
}

/// Which containers of a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Containers {
    /// The one that kubectl takes: by the annotation `kubectl.kubernetes.io/default-container`, else the first.
    #[default]
    Default,
    /// Each of them: init, sidecar and ephemeral containers too.
    All,
    /// The one of that name.
    Named(Text),
}

/// Where a log begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// So many lines before now.
    Tail(u32),
    /// The first line that is still kept: the same as [`Start::All`], for a view that then stays at the beginning.
    Head,
    /// So long ago.
    Since(SignedDuration),
    /// At a time.
    SinceTime(Timestamp),
    /// The first line that is still kept.
    All,
}

/// A pod whose log is wanted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogTarget {
    /// The pod.
    pub pod: PodKey,
    /// `metadata.uid`, where known: a pod that is made anew under the same name is another one.
    pub uid: Text,
}

/// A source within a session: one container of one pod. Counted up; never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(pub u32);

/// What a source is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogSource {
    /// The pod.
    pub pod: PodKey,
    /// The container; empty where even that is not known (the pod may not be read).
    pub container: Text,
    /// What kind of container it is.
    pub kind: ContainerKind,
    /// Whether it is the instance before the last restart.
    pub previous: bool,
}

impl fmt::Display for LogSource {
    /// `cluster/namespace/pod/container`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.pod)?;
        if self.container.is_empty() { Ok(()) } else { write!(f, "/{}", self.container) }
    }
}

/// A kind of container.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ContainerKind {
    /// One of `spec.containers`.
    #[default]
    Ordinary,
    /// One that runs to its end before the others start.
    Init,
    /// An init container that stays (`restartPolicy: Always`).
    Sidecar,
    /// One put into the running pod, by `kubectl debug`.
    Ephemeral,
}

impl ContainerKind {
    /// Its name; of an ordinary one: nothing.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ordinary => "",
            Self::Init => "init",
            Self::Sidecar => "sidecar",
            Self::Ephemeral => "ephemeral",
        }
    }
}

/// How a stream stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamState {
    /// Asked for, and not answered yet.
    Opening,
    /// Lines come as they are written.
    Following,
    /// The container does not run: why.
    Waiting(Text),
    /// Lost; it is being opened again: why it broke.
    Broken(Text),
}

/// What the streams of a session bring.
#[derive(Clone, Debug, PartialEq)]
pub enum LogEvent {
    /// A source is there; the first that is told of it.
    Opened(SourceId, Arc<LogSource>),
    /// Its stream stands otherwise. For who shows states; nothing to be said among the lines.
    State(SourceId, StreamState),
    /// Lines of a source, in order.
    Lines(SourceId, Vec<LogLine>),
    /// Something about its lines, to be said where it stands.
    Gap(SourceId, Gap),
    /// The stream ended and will not come back; the last that is told of the source.
    Ended(SourceId, End),
    /// More streams are wanted than may be open at once. Told when that changes; once more, with `wanted` = `open`,
    /// when all are open.
    Limit {
        /// Streams open.
        open: usize,
        /// Streams open, and those that wait for one to end.
        wanted: usize,
    },
    /// The pods of a cluster (or of all, where none is named) could not be looked up: why, in words. It is tried on.
    Unfound(Option<ClusterId>, Text),
}

/// One line.
#[derive(Clone, Debug, PartialEq)]
pub struct LogLine {
    /// The kubelet's time of the line; none where the server sent none.
    pub time: Option<Timestamp>,
    /// Its text, valid and harmless: colours (SGR sequences) stay, every other control character is shown escaped.
    pub text: Text,
    /// Whether it is not whole: longer than the limit, or its stream broke within it and never came back.
    pub cut: bool,
}
