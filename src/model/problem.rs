//! What is wrong, a line a cause, and how far it reaches: worked out of what is known, with no question asked.
//!
//! An application that is only unknown because a cluster does not answer is no problem of its own: the cluster is one,
//! and says how many applications it touches. Neither is one whose services are not healthy for the pods that fail.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use jiff::Timestamp;

use super::{
    application::{Application, Service},
    cluster::LinkState,
    health::{self, Health, Standing},
    key::{AppKey, ClusterId, PodKey, Text},
    pod::Pod,
};

/// What a problem is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum About {
    /// A cluster: nobody knows what is in it.
    Cluster(ClusterId),
    /// An application: its workflow, its services, or that it is held.
    Application(AppKey),
    /// The pods of a component of an application; the component's name may be empty.
    Component(AppKey, Text),
    /// A pod whose application is not known.
    Pod(PodKey),
}

/// Names a problem, and no other.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProblemKey {
    /// What it is about.
    pub about: About,
    /// The word for it: `unreachable`, `step failed`, `CrashLoopBackOff`, `Unschedulable`, `frozen`, …
    pub what: Text,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    /// Which.
    pub key: ProblemKey,
    /// How bad it is; [`Health::Pending`] for what is held still on purpose.
    pub health: Health,
    /// The clusters it shows in, by name.
    pub clusters: Vec<ClusterId>,
    /// Applications that it touches.
    pub applications: usize,
    /// Pods that it touches.
    pub pods: usize,
    /// Since when; of pods that of the oldest one.
    pub since: Option<Timestamp>,
    /// Why, in one line.
    pub reason: Text,
}

impl Problem {
    /// Where it stands among others: what is held still last, else by how many applications, clusters and pods it
    /// touches, then the newest first.
    pub fn rank(&self) -> impl Ord + use<'_> {
        let held = self.health == Health::Pending;
        let reach = (self.applications, self.clusters.len(), self.pods);
        (held, Reverse(reach), Reverse(self.since), &self.key)
    }
}

impl fmt::Display for About {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cluster(cluster) => write!(f, "cluster {cluster}"),
            Self::Application(app) => write!(f, "{app}"),
            Self::Component(app, component) if component.is_empty() => write!(f, "{app}"),
            Self::Component(app, component) => write!(f, "{app} {component}"),
            Self::Pod(pod) => write!(f, "{pod}"),
        }
    }
}

/// What is wrong with a cluster that `applications` have to do with, by its link.
pub fn of_cluster(cluster: &ClusterId, link: &LinkState, applications: usize) -> Option<Problem> {
    let (what, health, since, reason) = match link {
        LinkState::Connecting { .. } | LinkState::Live { .. } => return None,
        LinkState::Degraded { since, reason, .. } => ("degraded", Health::Unknown, since, reason),
        LinkState::Forbidden { since, reason } => ("forbidden", Health::Unknown, since, reason),
        LinkState::Unreachable { since, reason, .. } => ("unreachable", Health::Failed, since, reason),
    };
    Some(Problem {
        key: ProblemKey { about: About::Cluster(cluster.clone()), what: what.into() },
        health,
        clusters: vec![cluster.clone()],
        applications,
        pods: 0,
        since: Some(*since),
        reason: reason.clone(),
    })
}

/// What is wrong with a pod whose application is not known.
pub fn of_pod(pod: &Pod) -> Option<Problem> {
    (pod.health == Health::Failed && !pod.ended && !pod.terminating).then(|| Problem {
        key: ProblemKey { about: About::Pod(pod.key.clone()), what: word(pod).into() },
        health: Health::Failed,
        clusters: vec![pod.key.cluster.clone()],
        applications: 0,
        pods: 1,
        since: pod.created_at,
        reason: pod.message.clone(),
    })
}

/// What is wrong with an application: `pods` are its own, `link` tells how a cluster's link stands.
pub fn of_application<'a>(
    app: &Application,
    pods: &[&Pod],
    link: &dyn Fn(&ClusterId) -> Option<&'a LinkState>,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    if app.deleting_since.is_none() {
        let answers = |pod: &&&Pod| !matches!(link(&pod.key.cluster), Some(LinkState::Unreachable { .. }));
        let current: Vec<&Pod> = pods.iter().filter(answers).copied().collect();
        problems.extend(of_pods(app, &current));
    }
    // The hub's word alone: links and pods are problems of their own.
    let word = health::judge(app, &[], &|_| None);
    problems.extend(of_word(app, &word, &problems));
    problems.extend(held(app, &word));
    problems
}

/// The failing pods, by component and what they fail with.
fn of_pods(app: &Application, pods: &[&Pod]) -> Vec<Problem> {
    let clusters: BTreeSet<&ClusterId> = pods.iter().map(|pod| &pod.key.cluster).collect();
    let mut groups: BTreeMap<(&Text, &str), Vec<&Pod>> = BTreeMap::new();
    for cluster in clusters {
        let here: Vec<&Pod> = pods.iter().filter(|pod| pod.key.cluster == *cluster).copied().collect();
        for pod in health::failing(&here) {
            groups.entry((&pod.owner.component, word(pod))).or_default().push(pod);
        }
    }
    let problem = |((component, what), sick): ((&Text, &str), Vec<&Pod>)| {
        let mut clusters: Vec<ClusterId> = sick.iter().map(|pod| pod.key.cluster.clone()).collect();
        clusters.dedup();
        let all = pods.iter().filter(|pod| pod.owner.component == *component && !pod.ended && !pod.terminating).count();
        let message = sick.iter().map(|pod| &*pod.message).find(|message| !message.is_empty()).unwrap_or_default();
        let count = format!("{}/{} pods", sick.len(), all.max(sick.len()));
        let reason = if message.is_empty() { count } else { format!("{count}: {message}") };
        Problem {
            key: ProblemKey { about: About::Component(app.key.clone(), component.clone()), what: what.into() },
            health: Health::Failed,
            clusters,
            applications: 1,
            pods: sick.len(),
            since: sick.iter().filter_map(|pod| pod.created_at).min(),
            reason: reason.into(),
        }
    };
    groups.into_iter().map(problem).collect()
}

/// The word for how a failing pod fails.
fn word(pod: &Pod) -> &str {
    match pod.status.strip_prefix("Init:").unwrap_or(&pod.status) {
        // Between two crashes kubectl says Running.
        "Running" | "NotReady" => "crashing",
        // One that merely waits for its node has not failed.
        "Pending" => "Unschedulable",
        word => word,
    }
}

/// What the hub says is wrong.
fn of_word(app: &Application, word: &Standing, pods: &[Problem]) -> Option<Problem> {
    let sick: Vec<&Service> = app.services.iter().filter(|service| !service.is_well()).collect();
    let is_told = |service: &Service| {
        let is_its = |problem: &&Problem| {
            let component = matches!(&problem.key.about, About::Component(_, name) if *name == service.name);
            component && problem.clusters.contains(&service.cluster)
        };
        pods.iter().any(|problem| is_its(&problem))
    };
    let retrying = app.workflow_is_current() && app.leaves().any(|(_, step)| step.is_retrying());
    let what = match word.health {
        Health::Failed if sick.iter().any(|service| service.is_exhausted()) => "release failed",
        Health::Failed if app.deleting_since.is_some() => "deletion stuck",
        Health::Failed if &*word.status == "terminated" => "terminated",
        Health::Failed if word.at_step.is_some() => "step failed",
        Health::Failed if word.status.starts_with("failed: ") => "not rendered",
        Health::Failed if !sick.is_empty() && sick.iter().all(|service| is_told(service)) => return None,
        Health::Failed if sick.iter().any(|service| is_release(app, service)) => "release not ready",
        Health::Failed => "not healthy",
        Health::Unknown => "not as expected",
        Health::Progressing if retrying => "step retried",
        _ => return None,
    };
    let mut clusters: Vec<ClusterId> = word
        .clusters
        .iter()
        .filter(|place| place.health <= Health::Unknown)
        .map(|place| place.cluster.clone())
        .collect();
    if clusters.is_empty() && retrying {
        clusters = word.clusters.iter().map(|place| place.cluster.clone()).collect();
    }
    let reason = match &word.reason {
        Some(reason) if word.at_step.is_some() && what != "terminated" => {
            format!("{}: {reason}", word.status.trim_start_matches("failed: "))
        }
        Some(reason) => reason.to_string(),
        None => word.status.to_string(),
    };
    let more = if what == "not healthy" || what == "release not ready" { sick.len().saturating_sub(1) } else { 0 };
    let reason = if more > 0 { format!("{reason}, and {more} more") } else { reason };
    Some(Problem {
        key: ProblemKey { about: About::Application(app.key.clone()), what: what.into() },
        health: word.health,
        clusters,
        applications: 1,
        pods: 0,
        since: word.since,
        reason: reason.into(),
    })
}

fn is_release(app: &Application, service: &Service) -> bool {
    app.components.iter().any(|component| component.name == service.name && &*component.kind == "helm")
}

/// What someone holds still on purpose, and what follows from that.
fn held(app: &Application, word: &Standing) -> Option<Problem> {
    let (what, reason) = if let Some(required) = app.frozen.as_ref().filter(|_| word.status.starts_with("frozen")) {
        ("frozen", format!("controller-version-require is {required}: this controller passes over it"))
    } else if app.paused {
        ("paused", "its label says so: the controller passes over it".to_owned())
    } else if let Some(version) = &app.publish_version {
        ("pinned", format!("published as {version}: a change of the spec waits for a new publishVersion"))
    } else {
        return None;
    };
    Some(Problem {
        key: ProblemKey { about: About::Application(app.key.clone()), what: what.into() },
        health: Health::Pending,
        clusters: Vec::new(),
        applications: 1,
        pods: 0,
        since: None,
        reason: reason.into(),
    })
}
