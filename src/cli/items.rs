//! What scripts are told: the items of `-o json` and `-o yaml`. A change of a field here is a breaking change.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use crate::{
    model::{
        application::{Application, Service, Step, Target},
        approval::{Gate, NextStep, Waiting},
        cluster::LinkState,
        health::{Health, Standing},
        key::{ClusterId, Text},
        pod::Pod,
    },
    store::{ClusterEntry, Entry, Store},
};

/// An answer: what was found, and who could not be asked.
#[derive(Debug, Serialize)]
pub(super) struct Answer<T> {
    /// The items.
    pub(super) items: Vec<T>,
    /// The clusters that could not be asked, or not for all of it.
    pub(super) incomplete: Vec<Incomplete>,
}

/// A cluster whose part of the answer is missing, or old.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct Incomplete {
    /// The cluster.
    pub(super) cluster: String,
    /// Why, in one sentence.
    pub(super) reason: String,
}

/// `get applications`
#[derive(Debug, Serialize)]
pub(super) struct ApplicationItem {
    pub(super) namespace: Text,
    pub(super) name: Text,
    pub(super) health: &'static str,
    pub(super) status: Text,
    pub(super) reason: Option<Text>,
    generation: i64,
    observed_generation: i64,
    pub(super) revision: Option<Text>,
    pub(super) workflow: WorkflowItem,
    pub(super) clusters: Vec<ClusterHealthItem>,
    pub(super) created_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) steps: Option<Vec<StepItem>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) services: Option<Vec<ServiceItem>>,
    /// What the table shows beside.
    #[serde(skip)]
    pub(super) since: Option<Timestamp>,
    #[serde(skip)]
    pub(super) at_step: Option<Text>,
    #[serde(skip)]
    pub(super) ready: (u32, u32),
}

#[derive(Debug, Serialize)]
pub(super) struct WorkflowItem {
    phase: Text,
    pub(super) done: u32,
    pub(super) total: u32,
    /// The steps that wait, by name.
    waiting: Vec<Text>,
}

#[derive(Debug, Serialize)]
pub(super) struct ClusterHealthItem {
    pub(super) name: Text,
    pub(super) health: &'static str,
    ready: u32,
    total: u32,
}

#[derive(Debug, Serialize)]
pub(super) struct StepItem {
    pub(super) name: Text,
    #[serde(rename = "type")]
    pub(super) kind: Text,
    pub(super) phase: Text,
    reason: Text,
    pub(super) message: Text,
    pub(super) targets: Vec<TargetItem>,
    pub(super) started_at: Option<Timestamp>,
    last_run_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) sub_steps: Vec<StepItem>,
}

/// Where a step deploys to: exactly one of cluster, labels and policy is there.
#[derive(Debug, Serialize)]
pub(super) struct TargetItem {
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster: Option<Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    labels: Option<BTreeMap<Text, Text>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<Text>,
}

#[derive(Debug, Serialize)]
pub(super) struct ServiceItem {
    pub(super) name: Text,
    pub(super) cluster: Text,
    pub(super) namespace: Text,
    pub(super) healthy: bool,
    pub(super) message: Text,
}

/// `get approvals`
#[derive(Debug, Serialize)]
pub(super) struct ApprovalItem {
    pub(super) namespace: Text,
    pub(super) name: Text,
    pub(super) step: Text,
    pub(super) step_type: Text,
    pub(super) since: Option<Timestamp>,
    pub(super) reason: &'static str,
    pub(super) next: Vec<NextItem>,
    pub(super) auto_resume_at: Option<Timestamp>,
    pub(super) changed_by: Option<Text>,
    pub(super) health: &'static str,
}

#[derive(Debug, Serialize)]
pub(super) struct NextItem {
    pub(super) step: Text,
    /// Clusters by name; those chosen by labels as `k=v,…`, those of an external policy as `policy/NAME`.
    pub(super) clusters: Vec<String>,
}

/// `get clusters`
#[derive(Debug, Serialize)]
pub(super) struct ClusterItem {
    pub(super) name: Text,
    pub(super) alias: Text,
    #[serde(rename = "type")]
    pub(super) kind: Text,
    pub(super) endpoint: Text,
    pub(super) accepted: bool,
    pub(super) labels: BTreeMap<Text, Text>,
    pub(super) link: LinkItem,
    pub(super) version: Text,
    pub(super) pods: usize,
}

#[derive(Debug, Serialize)]
pub(super) struct LinkItem {
    pub(super) state: &'static str,
    pub(super) latency_s: Option<f64>,
    pub(super) since: Option<Timestamp>,
    pub(super) reason: Option<Text>,
}

/// `get pods`
#[derive(Debug, Serialize)]
pub(super) struct PodItem {
    pub(super) cluster: Text,
    pub(super) namespace: Text,
    pub(super) application: Text,
    pub(super) component: Text,
    pub(super) name: Text,
    pub(super) ready: String,
    pub(super) status: Text,
    pub(super) restarts: u32,
    pub(super) node: Text,
    pub(super) created_at: Option<Timestamp>,
}

impl ApplicationItem {
    /// With `detail` also the steps and services.
    pub(super) fn new(entry: &Entry, detail: bool) -> Self {
        let Entry { row, standing, waiting, .. } = entry;
        let workflow = row.workflow.as_ref();
        let gates = waiting.iter().flat_map(|waiting| &waiting.gates);
        Self {
            namespace: row.key.namespace.clone(),
            name: row.key.name.clone(),
            health: standing.health.as_str(),
            status: standing.status.clone(),
            reason: standing.reason.clone(),
            generation: row.generation,
            observed_generation: row.observed_generation,
            revision: row.revision.clone(),
            workflow: WorkflowItem {
                phase: workflow.map(|workflow| workflow.phase.clone()).unwrap_or_default(),
                done: standing.steps.0,
                total: standing.steps.1,
                waiting: gates.map(|gate| gate.step.name.clone()).filter(|name| !name.is_empty()).collect(),
            },
            clusters: standing
                .clusters
                .iter()
                .map(|there| ClusterHealthItem {
                    name: there.cluster.0.clone(),
                    health: there.health.as_str(),
                    ready: there.ready,
                    total: there.total,
                })
                .collect(),
            created_at: row.created_at,
            steps: detail.then(|| row.steps.iter().map(|step| StepItem::new(row, step)).collect()),
            services: detail.then(|| row.services.iter().map(ServiceItem::new).collect()),
            since: standing.since,
            at_step: standing.at_step.clone(),
            ready: (standing.ready, standing.total),
        }
    }
}

impl StepItem {
    fn new(app: &Application, step: &Step) -> Self {
        Self {
            name: step.name.clone(),
            kind: step.kind.clone(),
            phase: step.phase.as_str().into(),
            reason: step.reason.clone(),
            message: step.message.clone(),
            targets: step.targets.iter().map(|target| TargetItem::new(app, target)).collect(),
            started_at: step.started_at,
            last_run_at: step.last_run_at,
            sub_steps: step.sub_steps.iter().map(|step| Self::new(app, step)).collect(),
        }
    }
}

impl TargetItem {
    fn new(app: &Application, target: &Target) -> Self {
        let mut item = Self { cluster: None, labels: None, policy: None, namespace: None };
        match target {
            Target::Cluster(placement) => {
                item.cluster = Some(placement.cluster.0.clone());
                item.namespace = Some(app.namespace_or_own(&placement.namespace).clone());
            }
            Target::Selector { labels, namespace } => {
                item.labels = Some(labels.iter().cloned().collect());
                item.namespace = Some(app.namespace_or_own(namespace).clone());
            }
            Target::External(policy) => item.policy = Some(policy.clone()),
        }
        item
    }

    /// In a table's words: `foo/default`.
    pub(super) fn words(&self) -> String {
        let namespace = self.namespace.as_deref().unwrap_or_default();
        match (&self.cluster, &self.labels, &self.policy) {
            (Some(cluster), ..) => format!("{cluster}/{namespace}"),
            (None, Some(labels), _) => format!("{{{}}}/{namespace}", pairs(labels.iter())),
            (None, None, Some(policy)) => format!("policy/{policy}"),
            (None, None, None) => String::new(),
        }
    }
}

impl ServiceItem {
    fn new(service: &Service) -> Self {
        Self {
            name: service.name.clone(),
            cluster: service.cluster.0.clone(),
            namespace: service.namespace.clone(),
            healthy: service.healthy,
            message: service.message.clone(),
        }
    }
}

impl ApprovalItem {
    /// One of the gates that an application waits at.
    pub(super) fn new(waiting: &Waiting, gate: &Gate, standing: &Standing) -> Self {
        Self {
            namespace: waiting.app.namespace.clone(),
            name: waiting.app.name.clone(),
            step: gate.step.name.clone(),
            step_type: gate.kind.clone(),
            since: gate.since,
            reason: gate.reason.as_str(),
            next: waiting.next.iter().map(NextItem::new).collect(),
            auto_resume_at: gate.resumes_at,
            changed_by: waiting.changed_by.as_ref().map(|change| change.manager.clone()),
            health: health_so_far(standing).as_str(),
        }
    }
}

/// How what has been deployed stands: what is still to come says nothing.
fn health_so_far(standing: &Standing) -> Health {
    let reached = standing.clusters.iter().map(|there| there.health).filter(|health| *health != Health::Pending);
    reached.reduce(Health::worst).unwrap_or(Health::Pending)
}

impl NextItem {
    fn new(next: &NextStep) -> Self {
        let clusters = next.targets.iter().map(|target| match target {
            Target::Cluster(placement) => placement.cluster.to_string(),
            Target::Selector { labels, .. } => pairs(labels.iter().map(|(key, value)| (key, value))),
            Target::External(policy) => format!("policy/{policy}"),
        });
        let mut clusters: Vec<String> = clusters.collect();
        clusters.dedup();
        Self { step: next.name.clone(), clusters }
    }

    /// In a table's words: `deploy2foo → foo`.
    pub(super) fn words(&self) -> String {
        if self.clusters.is_empty() {
            self.step.to_string()
        } else {
            format!("{} → {}", self.step, self.clusters.join(", "))
        }
    }
}

/// `k=v,…`
pub(super) fn pairs<'a>(labels: impl Iterator<Item = (&'a Text, &'a Text)>) -> String {
    labels.map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",")
}

impl ClusterItem {
    pub(super) fn new(entry: &ClusterEntry) -> Self {
        let row = entry.row.as_ref();
        Self {
            name: entry.id.0.clone(),
            alias: row.map(|row| row.alias.clone()).unwrap_or_default(),
            kind: row.map(|row| row.kind.clone()).unwrap_or_default(),
            endpoint: row.map(|row| row.endpoint.clone()).unwrap_or_default(),
            accepted: row.is_none_or(|row| row.accepted),
            labels: row.map(|row| row.labels.iter().cloned().collect()).unwrap_or_default(),
            link: LinkItem::new(entry.link.as_ref()),
            version: row.map(|row| row.version.clone()).unwrap_or_default(),
            pods: entry.pods,
        }
    }
}

impl LinkItem {
    fn new(link: Option<&LinkState>) -> Self {
        let item = |state, latency: Option<std::time::Duration>, since, reason: Option<&Text>| Self {
            state,
            latency_s: latency.map(|latency| latency.as_secs_f64()),
            since,
            reason: reason.cloned(),
        };
        match link {
            None => item("connecting", None, None, None),
            Some(LinkState::Connecting { since }) => item("connecting", None, Some(*since), None),
            Some(LinkState::Live { latency, .. }) => item("live", Some(*latency), None, None),
            Some(LinkState::Degraded { latency, since, reason }) => {
                item("degraded", Some(*latency), Some(*since), Some(reason))
            }
            Some(LinkState::Forbidden { since, reason }) => item("forbidden", None, Some(*since), Some(reason)),
            Some(LinkState::Unreachable { since, reason, .. }) => item("unreachable", None, Some(*since), Some(reason)),
        }
    }
}

impl PodItem {
    pub(super) fn new(store: &Store, pod: &Pod) -> Self {
        let application = store.owner_of(pod).map_or_else(|| pod.owner.app.clone(), |key| key.name);
        Self {
            cluster: pod.key.cluster.0.clone(),
            namespace: pod.key.namespace.clone(),
            application,
            component: pod.owner.component.clone(),
            name: pod.key.name.clone(),
            ready: format!("{}/{}", pod.ready, pod.total),
            status: pod.status.clone(),
            restarts: pod.restarts,
            node: pod.node.clone(),
            created_at: pod.created_at,
        }
    }
}

/// Whether an item of a cluster is asked for.
pub(super) fn in_cluster(cluster: &ClusterId, asked: Option<&str>) -> bool {
    asked.is_none_or(|asked| cluster.as_str() == asked)
}
