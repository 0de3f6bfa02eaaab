//! What is looked up to follow a chain to its end.

use jiff::Timestamp;

use crate::model::{
    application::Condition,
    key::{ClusterId, PodKey, Text},
    resource::ResourceKey,
    tree::{Tree, What},
};

/// What was looked up about one subject.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Looked {
    /// What the application made, cluster by cluster.
    pub tree: Tree,
    /// What objects that are not well say of themselves, beyond the one line of the tree.
    pub states: Vec<ObjectState>,
    /// The containers of pods that are not well.
    pub pods: Vec<PodState>,
    /// Warnings about objects that are not well, the newest first.
    pub warnings: Vec<Warning>,
    /// The last lines of containers that ended badly.
    pub tails: Vec<Tail>,
    /// Kinds that something was to be made of and that a cluster does not serve.
    pub missing: Vec<MissingKind>,
    /// Whether objects that are not well have been looked at closely; until then there is the tree alone.
    pub is_complete: bool,
    /// What else could not be asked, a sentence each.
    pub notes: Vec<Text>,
}

/// What an object says of itself.
#[derive(Clone, Debug, PartialEq)]
pub struct ObjectState {
    /// Which.
    pub key: ResourceKey,
    /// Its conditions that are not as wanted.
    pub conditions: Vec<Condition>,
    /// What it is made from, where it names that: kind and name, in its own namespace where none is given.
    pub source: Option<(Text, Text)>,
    /// The HelmChart that a HelmRelease installs, where it names one: namespace and name. Nothing ties it to the release
    /// but that, so that it is in no tree.
    pub chart: Option<(Text, Text)>,
}

impl ObjectState {
    /// The chart that a release installs.
    pub fn chart_key(&self) -> Option<ResourceKey> {
        let (namespace, name) = self.chart.clone()?;
        let (group, kind) = ("source.toolkit.fluxcd.io".into(), "HelmChart".into());
        Some(ResourceKey { cluster: self.key.cluster.clone(), group, kind, namespace, name })
    }
}

/// The state of a pod beyond its row.
#[derive(Clone, Debug, PartialEq)]
pub struct PodState {
    /// Which.
    pub pod: PodKey,
    /// Its containers, init containers first, in the order they start.
    pub containers: Vec<ContainerState>,
    /// Claims that it mounts, by name.
    pub claims: Vec<Text>,
    /// Its `imagePullSecrets`, by name.
    pub pull_secrets: Vec<Text>,
}

/// How one container stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ContainerState {
    /// Name.
    pub name: Text,
    /// Image, as the spec has it.
    pub image: Text,
    /// Whether it is an init container that is to end.
    pub init: bool,
    /// Whether it is ready.
    pub ready: bool,
    /// `restartCount`.
    pub restarts: u32,
    /// `state.waiting`: reason and message.
    pub waiting: Option<(Text, Text)>,
    /// How it ended: `state.terminated`, else `lastState.terminated`.
    pub ended: Option<Ending>,
    /// Whether it runs again, or is to, after it ended: the log of that run is the one before.
    pub runs_again: bool,
    /// Since when it runs: `state.running.startedAt`.
    pub running_since: Option<Timestamp>,
    /// `resources.limits.memory`, as written; empty: none.
    pub memory_limit: Text,
}

/// How a run of a container ended.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ending {
    /// Exit code.
    pub code: i64,
    /// Signal; 0: none.
    pub signal: i64,
    /// `OOMKilled`, `Error`, `Completed`, …
    pub reason: Text,
    /// The container's own last words, where it leaves them.
    pub message: Text,
    /// When.
    pub at: Option<Timestamp>,
}

/// A warning event about an object.
#[derive(Clone, Debug, PartialEq)]
pub struct Warning {
    /// What it is about.
    pub about: ResourceKey,
    /// `FailedScheduling`, `BackOff`, …
    pub reason: Text,
    /// In the words of who told it.
    pub message: Text,
    /// How often it was told.
    pub count: u32,
    /// When it was told last.
    pub last: Option<Timestamp>,
}

/// The last lines of a log.
#[derive(Clone, Debug, PartialEq)]
pub struct Tail {
    /// Which pod.
    pub pod: PodKey,
    /// Which container.
    pub container: Text,
    /// Whether it is the log of the run before.
    pub previous: bool,
    /// The lines, the last one last.
    pub lines: Vec<Text>,
}

/// A kind that a cluster does not serve.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MissingKind {
    /// Where.
    pub cluster: ClusterId,
    /// API group; empty for the core group.
    pub group: Text,
    /// Kind.
    pub kind: Text,
}

impl Looked {
    /// What could not be asked, a sentence each.
    pub fn gaps(&self) -> Vec<Text> {
        let told = self.tree.incomplete.iter().map(|gap| match &gap.kind {
            Some(kind) => format!("{kind} in {}: {}", gap.cluster, gap.reason).into(),
            None => format!("{}: {}", gap.cluster, gap.reason).into(),
        });
        let mut gaps: Vec<Text> = told.chain(self.notes.iter().cloned()).collect();
        gaps.sort();
        gaps.dedup();
        gaps
    }

    /// Objects of the tree.
    pub(super) fn objects(&self) -> usize {
        self.tree.nodes.iter().filter(|node| matches!(node.what, What::Object(_))).count()
    }

    pub(super) fn state(&self, key: &ResourceKey) -> Option<&ObjectState> {
        self.states.iter().find(|state| state.key == *key)
    }

    pub(super) fn pod(&self, key: &PodKey) -> Option<&PodState> {
        self.pods.iter().find(|state| state.pod == *key)
    }

    pub(super) fn tail(&self, pod: &PodKey, container: &str) -> Option<&Tail> {
        self.tails.iter().find(|tail| tail.pod == *pod && *tail.container == *container)
    }

    pub(super) fn warnings_of<'a>(&'a self, key: &'a ResourceKey) -> impl Iterator<Item = &'a Warning> {
        self.warnings.iter().filter(move |warning| warning.about == *key)
    }

    pub(super) fn is_missing(&self, cluster: &ClusterId, group: &str, kind: &str) -> bool {
        self.missing.iter().any(|one| one.cluster == *cluster && *one.group == *group && *one.kind == *kind)
    }
}
