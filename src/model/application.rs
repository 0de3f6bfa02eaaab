//! An Application as lateen keeps it: a row projected from the object, with its workflow and services.
//!
//! Facts and traps: the phase is `status.status`, the workflow's own is `status.workflow.status`; sub-steps are
//! `subSteps`; steps of the status are a superset and a subset of the spec's (generated, injected, not yet run),
//! so both are joined by name; an empty cluster means `local`.

use std::fmt;

use jiff::Timestamp;

use super::{
    key::{AppKey, ClusterId, Text},
    selector::Labels,
};

/// One Application: what the hub's API server said last.
#[derive(Clone, Debug, PartialEq)]
pub struct Application {
    /// Namespace and name.
    pub key: AppKey,
    /// `metadata.uid`.
    pub uid: Text,
    /// `metadata.resourceVersion` of the object this row was read from.
    pub resource_version: Text,
    /// `metadata.generation`.
    pub generation: i64,
    /// `status.observedGeneration`; 0 when never observed.
    pub observed_generation: i64,
    /// `metadata.labels`.
    pub labels: Labels,
    /// `metadata.creationTimestamp`.
    pub created_at: Option<Timestamp>,
    /// `metadata.deletionTimestamp`: since when it is being deleted.
    pub deleting_since: Option<Timestamp>,
    /// `status.status` as written; empty when not reconciled yet. Unknown words are kept.
    pub phase: Text,
    /// `status.latestRevision.name`, for instance `helm-hello-v3`.
    pub revision: Option<Text>,
    /// Annotation `app.oam.dev/publishVersion`: pins the deployed spec.
    pub publish_version: Option<Text>,
    /// Annotation `app.oam.dev/controller-version-require`, when set: the controller ignores the application.
    pub frozen: Option<Text>,
    /// Label `controller.core.oam.dev/pause: "true"`.
    pub paused: bool,
    /// `status.workflow`; absent before the first run and right after a restart.
    pub workflow: Option<WorkflowStatus>,
    /// Steps in order: those the status tells of joined by name with those of the spec that are still to come.
    pub steps: Vec<Step>,
    /// `status.services[]`, sorted by (cluster, namespace, name).
    pub services: Vec<Service>,
    /// `spec.components[]`.
    pub components: Vec<Component>,
    /// Every (cluster, namespace) that the steps deploy to, as far as the spec tells; a namespace is empty when it
    /// is the application's own. Clusters chosen by label are in [`Step::targets`] as a selector.
    pub placements: Vec<Placement>,
    /// Conditions that are not `True`.
    pub conditions: Vec<Condition>,
    /// Who wrote the object last, by `managedFields`.
    pub changed_by: Option<Change>,
    /// Where the object could not be read as expected (`status.services[1].healthy: not a boolean`).
    pub malformed: Vec<Text>,
}

/// `status.workflow` without its steps.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WorkflowStatus {
    /// `appRevision`: the revision (or publishVersion) this run belongs to.
    pub app_revision: Text,
    /// `mode`, for instance `StepByStep-DAG`.
    pub mode: Text,
    /// `status`; empty on KubeVela ≤ 1.5.
    pub phase: Text,
    /// `message`.
    pub message: Text,
    /// `suspend`.
    pub suspend: bool,
    /// `terminated`.
    pub terminated: bool,
    /// `finished`.
    pub finished: bool,
    /// `startTime`.
    pub started_at: Option<Timestamp>,
    /// `endTime`.
    pub ended_at: Option<Timestamp>,
}

/// How far a step has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepPhase {
    /// Not reached: in the spec, not in the status.
    Ahead,
    /// `pending`.
    Pending,
    /// `running`.
    Running,
    /// `suspending` (or its form in KubeVela ≤ 1.7): waits for a person, or until its `duration` ends.
    Suspending,
    /// `succeeded`.
    Succeeded,
    /// `failed`; final unless the reason is `Execute`, which is retried.
    Failed,
    /// `skipped`.
    Skipped,
    /// A word lateen does not know, kept.
    Other(Text),
}

/// One workflow step, or a sub-step of a group.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// `id` in the status; empty while ahead.
    pub id: Text,
    /// Name, unique over the whole workflow.
    pub name: Text,
    /// `deploy`, `suspend`, `step-group`, `apply-component`, …
    pub kind: Text,
    /// How far it is.
    pub phase: StepPhase,
    /// `reason` in the status: `Wait`, `Suspend`, `Execute`, `FailedAfterRetries`, …
    pub reason: Text,
    /// The status's message, cut before the CUE dump that errors carry.
    pub message: Text,
    /// The user's own words to the approver: `properties.message` of a suspend step, which no status shows.
    pub prompt: Option<Text>,
    /// `properties.duration` of a suspend step, as written ("2m15s"): it goes on by itself.
    pub duration: Option<Text>,
    /// When a suspension with `duration` ends by itself: first execution + duration.
    pub resumes_at: Option<Timestamp>,
    /// Whether the step is a `deploy` with `auto: false`, which deploys first and suspends after.
    pub deploys_before_waiting: bool,
    /// Where a `deploy` step goes.
    pub targets: Vec<Target>,
    /// Names of the override policies it applies, in order.
    pub overrides: Vec<Text>,
    /// `dependsOn`: what a step of a DAG waits for.
    pub depends_on: Vec<Text>,
    /// `firstExecuteTime`.
    pub started_at: Option<Timestamp>,
    /// `lastExecuteTime`.
    pub last_run_at: Option<Timestamp>,
    /// `subSteps`.
    pub sub_steps: Vec<Step>,
}

/// Where a deploy step goes, as its topology policies say.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Target {
    /// A named cluster and namespace (empty: the application's own).
    Cluster(Placement),
    /// Every cluster whose labels match: `k=v` pairs, sorted.
    Selector {
        /// Label equalities.
        labels: Vec<(Text, Text)>,
        /// Namespace there; empty: the application's own.
        namespace: Text,
    },
    /// A policy that the Application does not hold itself (an external Policy object): its name.
    External(Text),
}

/// A namespace of a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Placement {
    /// The cluster.
    pub cluster: ClusterId,
    /// Namespace there; empty means the application's own.
    pub namespace: Text,
}

/// One row of `status.services[]`: a component in one cluster, as the hub last saw it.
#[derive(Clone, Debug, PartialEq)]
pub struct Service {
    /// Component name.
    pub name: Text,
    /// Cluster; `local` when the status leaves it out.
    pub cluster: ClusterId,
    /// Namespace there.
    pub namespace: Text,
    /// `healthy`.
    pub healthy: bool,
    /// `message`.
    pub message: Text,
    /// Traits that are not healthy: (type, message), sorted.
    pub unhealthy_traits: Vec<(Text, Text)>,
    /// Group and kind of the object that the component is there, which bears its name; `None` where neither
    /// `workloadDefinition` nor `status.appliedResources` tells it.
    pub workload: Option<(Text, Text)>,
}

/// One of `spec.components[]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Component {
    /// Name.
    pub name: Text,
    /// Type, for instance `helm` or `webservice`.
    pub kind: Text,
}

/// A status condition.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// `type`.
    pub kind: Text,
    /// `status`: `True`, `False`, `Unknown`.
    pub status: Text,
    /// `reason`.
    pub reason: Text,
    /// `message`.
    pub message: Text,
    /// `lastTransitionTime`.
    pub since: Option<Timestamp>,
}

/// Who changed an object, and when, by `metadata.managedFields`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The field manager's name, for instance `kubectl-edit`, `vela`, `lateen-mei`.
    pub manager: Text,
    /// When; `managedFields[].time`.
    pub at: Option<Timestamp>,
}

/// Phases in which KubeVela has not come to the workflow yet.
const BEFORE_WORKFLOW: [&str; 3] = ["starting", "rendering", "generatingPolicy"];

impl Application {
    /// Whether the controller has seen the newest spec. A status without `observedGeneration` (very old KubeVela)
    /// counts as current.
    pub fn is_observed(&self) -> bool {
        self.observed_generation >= self.generation || (self.observed_generation == 0 && !self.phase.is_empty())
    }

    /// Whether the status's workflow is the run of the newest revision. After an edit there is a moment in which
    /// generation and revision are new and the workflow is still the old, finished one.
    pub fn workflow_is_current(&self) -> bool {
        let Some(workflow) = &self.workflow else { return false };
        let (publish_version, revision) = (self.publish_version.as_deref(), self.revision.as_deref());
        if publish_version.is_none() && revision.is_none() {
            return true;
        }
        // Older KubeVela writes `<revision>:<hash>`, 1.11 may append `-vf-<hex>`.
        let names = |name: &str| {
            workflow
                .app_revision
                .strip_prefix(name)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(':') || rest.starts_with("-vf-"))
        };
        publish_version.is_some_and(names) || revision.is_some_and(names)
    }

    /// Whether the phase is one from before the workflow.
    pub(super) fn is_before_workflow(&self) -> bool {
        BEFORE_WORKFLOW.contains(&&*self.phase)
    }

    /// Every step that does something itself, in order: sub-steps in place of their group, with the group's name.
    pub fn leaves(&self) -> impl Iterator<Item = (Option<&Text>, &Step)> {
        self.steps.iter().flat_map(|step| {
            let alone = step.sub_steps.is_empty().then_some((None, step));
            alone.into_iter().chain(step.sub_steps.iter().map(move |sub| (Some(&step.name), sub)))
        })
    }

    /// A namespace of a placement or service on its cluster: empty means the application's own.
    pub fn namespace_or_own<'a>(&'a self, namespace: &'a Text) -> &'a Text {
        if namespace.is_empty() { &self.key.namespace } else { namespace }
    }

    /// Every place it deploys to, as spec or status tell, by cluster and namespace; no namespace is empty.
    pub fn places(&self) -> Vec<Placement> {
        let told = self.placements.iter().map(|at| (&at.cluster, &at.namespace));
        let seen = self.services.iter().map(|at| (&at.cluster, &at.namespace));
        let mut places: Vec<Placement> = told
            .chain(seen)
            .map(|(cluster, namespace)| Placement {
                cluster: cluster.clone(),
                namespace: self.namespace_or_own(namespace).clone(),
            })
            .collect();
        places.sort();
        places.dedup();
        places
    }

    /// Whether the spec alone tells every place it deploys to; clusters chosen by label, external policies and
    /// external workflows tell it only in the status.
    pub fn placements_are_complete(&self) -> bool {
        self.leaves().all(|(_, step)| step.targets.iter().all(|target| matches!(target, Target::Cluster(_))))
            && !self.placements.is_empty()
    }

    /// Whether it deploys to a namespace of a cluster, as spec or status tell.
    pub fn reaches(&self, cluster: &ClusterId, namespace: &str) -> bool {
        self.placements.iter().any(|at| at.cluster == *cluster && **self.namespace_or_own(&at.namespace) == *namespace)
            || self
                .services
                .iter()
                .any(|at| at.cluster == *cluster && **self.namespace_or_own(&at.namespace) == *namespace)
    }

    /// Steps done and steps in all, groups counted as one. What was skipped because the workflow ended is not done.
    pub fn progress(&self) -> (u32, u32) {
        let ended = self.workflow.as_ref().is_some_and(|workflow| workflow.terminated);
        let done = |step: &&Step| if ended { step.phase == StepPhase::Succeeded } else { step.phase.is_done() };
        (self.steps.iter().filter(done).count() as u32, self.steps.len() as u32)
    }
}

impl StepPhase {
    /// The phase by its name in the status; an unknown name is kept.
    pub fn named(name: &str) -> Self {
        match name {
            "pending" => Self::Pending,
            "running" => Self::Running,
            "suspending" => Self::Suspending,
            "succeeded" => Self::Succeeded,
            "failed" => Self::Failed,
            "skipped" => Self::Skipped,
            other => Self::Other(other.into()),
        }
    }

    /// The word for it.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Ahead => "ahead",
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Suspending => "suspending",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Other(name) => name,
        }
    }

    /// Whether the workflow goes on behind it.
    pub fn is_done(&self) -> bool {
        matches!(self, Self::Succeeded | Self::Skipped)
    }
}

impl Step {
    /// Whether it failed and is tried again (reason `Execute`, until the limit of tries).
    pub fn is_retrying(&self) -> bool {
        self.phase == StepPhase::Failed && &*self.reason == "Execute"
    }

    /// Whether it failed for good, and not because someone terminated the workflow.
    pub fn has_failed(&self) -> bool {
        self.phase == StepPhase::Failed && !matches!(&*self.reason, "Execute" | "Terminate")
    }

    /// Whether it stopped because someone terminated the workflow.
    pub fn was_terminated(&self) -> bool {
        self.phase == StepPhase::Failed && &*self.reason == "Terminate"
    }

    /// Whether it stops the workflow for a person or a time when it is reached.
    pub fn is_gate(&self) -> bool {
        &*self.kind == "suspend" || self.deploys_before_waiting
    }
}

impl fmt::Display for Placement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() {
            write!(f, "{}", self.cluster)
        } else {
            write!(f, "{}/{}", self.cluster, self.namespace)
        }
    }
}

impl fmt::Display for Target {
    /// `foo`, `foo/prod`, `region=eu`, `policy external-topology`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cluster(placement) => placement.fmt(f),
            Self::Selector { labels, namespace } => {
                for (index, (key, value)) in labels.iter().enumerate() {
                    write!(f, "{}{key}={value}", if index == 0 { "" } else { "," })?;
                }
                if namespace.is_empty() { Ok(()) } else { write!(f, "/{namespace}") }
            }
            Self::External(policy) => write!(f, "policy {policy}"),
        }
    }
}
