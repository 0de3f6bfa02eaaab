//! How an application stands in one cluster: the hub's rows of it, the steps that go there, the link, the live pods.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{
    application::{Application, Service, Step, StepPhase, Target},
    cluster::LinkState,
    health::{ClusterStanding, Health},
    key::ClusterId,
    pod::Pod,
};

/// One cluster, and whether its class comes from its pods.
pub(super) struct Place {
    pub(super) standing: ClusterStanding,
    pub(super) by_pods: bool,
}

impl Place {
    /// Its reason, with the cluster's name: "2/2 pods CrashLoopBackOff in foo".
    pub(super) fn sentence(&self) -> Option<String> {
        let reason = self.standing.reason.as_ref()?;
        Some(format!("{reason} in {}", self.standing.cluster))
    }
}

/// Every cluster the application is meant to reach or has reached, `local` first, then by name.
pub(super) fn places<'a>(
    app: &Application,
    pods: &[&Pod],
    link: &dyn Fn(&ClusterId) -> Option<&'a LinkState>,
) -> Vec<Place> {
    let mut clusters: BTreeSet<&ClusterId> = app.placements.iter().map(|placement| &placement.cluster).collect();
    clusters.extend(app.services.iter().map(|service| &service.cluster));
    clusters.extend(pods.iter().map(|pod| &pod.key.cluster));
    let mut clusters: Vec<&ClusterId> = clusters.into_iter().collect();
    clusters.sort_by_key(|cluster| !cluster.is_local());
    clusters.into_iter().filter_map(|cluster| place(app, cluster, pods, link(cluster))).collect()
}

fn place(app: &Application, cluster: &ClusterId, pods: &[&Pod], link: Option<&LinkState>) -> Option<Place> {
    let services: Vec<&Service> = app.services.iter().filter(|service| service.cluster == *cluster).collect();
    let pods: Vec<&Pod> = pods.iter().filter(|pod| pod.key.cluster == *cluster).copied().collect();
    let (mut health, mut reason) = by_hub(app, cluster, &services)?;
    let mut by_pods = false;
    let mut ready = services.iter().filter(|service| service.is_well()).count() as u32;

    let there = !services.is_empty() || !pods.is_empty() || health != Health::Pending;
    if let Some(LinkState::Unreachable { reason: why, .. }) = link {
        // What is known of it is old; nothing there, nothing to know.
        if there && health > Health::Unknown {
            health = Health::Unknown;
            reason = Some(format!("unreachable: {why}"));
        } else if health == Health::Pending {
            reason = Some(format!("unreachable: {why}"));
        }
    } else if let Some(evidence) = Evidence::of(&pods) {
        if evidence.failing > 0 {
            by_pods = health != Health::Failed;
            health = Health::Failed;
            reason = Some(evidence.to_string());
            let contradicted = |service: &&Service| service.is_well() && evidence.contradicts(service);
            ready -= services.iter().copied().filter(|service| contradicted(service)).count() as u32;
        } else if health == Health::Ok && evidence.ready == 0 && evidence.counted > 0 {
            health = Health::Progressing;
            reason = Some(format!("0/{} pods ready", evidence.counted));
        }
    }
    let standing = ClusterStanding {
        cluster: cluster.clone(),
        health,
        ready,
        total: services.len() as u32,
        reason: reason.map(Into::into),
    };
    Some(Place { standing, by_pods })
}

/// The hub's word for one cluster; `None` where the application turned out not to go there.
fn by_hub(app: &Application, cluster: &ClusterId, services: &[&Service]) -> Option<(Health, Option<String>)> {
    let goes_there = |step: &&Step| {
        step.targets.iter().any(|target| matches!(target, Target::Cluster(at) if at.cluster == *cluster))
    };
    let steps: Vec<&Step> = app.leaves().map(|(_, step)| step).filter(goes_there).collect();
    let any = |wanted: &dyn Fn(&Step) -> bool| steps.iter().find(|step| wanted(step)).copied();
    // Rows and steps of an old run tell nothing of the new one, but what they found is still the last word.
    let running = any(&|step| matches!(step.phase, StepPhase::Running | StepPhase::Suspending) || step.is_retrying());

    if let Some(sick) = services.iter().find(|service| !service.is_well()) {
        // Until a step that goes there has done its work, a service there is on its way; in a group such a step may
        // still wait for another one.
        let over = app.workflow.as_ref().is_none_or(|workflow| workflow.finished || workflow.terminated);
        let is_ahead = |step: &Step| matches!(step.phase, StepPhase::Ahead | StepPhase::Pending);
        let is_reached = any(&|step| step.phase == StepPhase::Succeeded || step.has_failed()).is_some();
        let on_its_way = running.is_some() || (!over && !is_reached && any(&is_ahead).is_some());
        let health = if on_its_way && !sick.is_exhausted() { Health::Progressing } else { Health::Failed };
        return Some((health, Some(sick.complaint())));
    }
    if let Some(step) = any(&Step::has_failed) {
        return Some((Health::Failed, Some(format!("{} failed", step.name))));
    }
    if !services.is_empty() {
        // Another step still brings something here.
        return Some((
            if running.is_some_and(|step| step.phase == StepPhase::Running) { Health::Progressing } else { Health::Ok },
            None,
        ));
    }
    if running.is_some() {
        return Some((Health::Progressing, None));
    }
    if any(&|step| step.phase == StepPhase::Succeeded).is_some() {
        return Some((Health::Ok, None));
    }
    let over = app.workflow.as_ref().is_some_and(|workflow| workflow.finished && !workflow.terminated);
    if over && !steps.is_empty() && steps.iter().all(|step| step.phase == StepPhase::Skipped) {
        return None;
    }
    Some((Health::Pending, None))
}

impl Service {
    /// Whether it and all its traits are well.
    pub fn is_well(&self) -> bool {
        self.healthy && self.unhealthy_traits.is_empty()
    }

    /// Whether Flux has given up on its release; KubeVela goes on waiting all the same.
    pub fn is_exhausted(&self) -> bool {
        !self.healthy && self.message.contains("retries exhausted")
    }

    /// What is wrong with it, without saying where: `hello: Ready:0/1`.
    pub fn complaint(&self) -> String {
        let what = if self.healthy || self.message.is_empty() {
            self.unhealthy_traits.first().map(|(kind, message)| {
                if message.is_empty() {
                    format!("trait {kind} is not healthy")
                } else {
                    format!("trait {kind}: {message}")
                }
            })
        } else {
            Some(self.message.to_string())
        };
        // One whose name cannot be read is named as such.
        let name = if self.name.is_empty() { "a service without a name" } else { &*self.name };
        match what {
            Some(what) => format!("{name}: {what}"),
            None => format!("{name} is not healthy"),
        }
    }

    /// What is wrong with it, and where: `hello: Ready:0/1 in foo`.
    pub fn why(&self) -> String {
        format!("{} in {}", self.complaint(), self.cluster)
    }
}

/// The pods of one application in one cluster that fail. One that ended badly counts only where nothing took its place.
pub fn failing<'a>(pods: &[&'a Pod]) -> Vec<&'a Pod> {
    Evidence::of(pods).map(|evidence| evidence.sick).unwrap_or_default()
}

/// What the live pods of one cluster tell.
struct Evidence<'a> {
    counted: usize,
    ready: usize,
    failing: usize,
    words: Vec<&'a str>,
    sick: Vec<&'a Pod>,
}

impl<'a> Evidence<'a> {
    fn of(pods: &[&'a Pod]) -> Option<Self> {
        let lives = |pod: &&&Pod| !pod.ended && !pod.terminating;
        let live: Vec<&Pod> = pods.iter().filter(lives).copied().collect();
        let has_live_sibling = |pod: &Pod| {
            live.iter().any(|other| {
                other.owner.component == pod.owner.component
                    && other.key.namespace == pod.key.namespace
                    && other.health == Health::Ok
            })
        };
        // A pod that ended badly counts only where nothing took its place: evicted pods stay listed for long.
        let left = pods.iter().filter(|pod| pod.ended && pod.health == Health::Failed && !has_live_sibling(pod));
        let counted: Vec<&Pod> = live.iter().copied().chain(left.copied()).collect();
        if counted.is_empty() {
            return None;
        }
        let sick: Vec<&Pod> = counted.iter().copied().filter(|pod| pod.health == Health::Failed).collect();
        let mut tally: BTreeMap<&str, usize> = BTreeMap::new();
        for pod in &sick {
            // Between two crashes kubectl says Running.
            let word = if matches!(&*pod.status, "Running" | "NotReady") { "not ready" } else { &*pod.status };
            *tally.entry(word).or_default() += 1;
        }
        let mut words: Vec<&str> = tally.keys().copied().collect();
        words.sort_by_key(|word| std::cmp::Reverse(tally.get(word)));
        Some(Self {
            counted: counted.len(),
            ready: counted.iter().filter(|pod| pod.health == Health::Ok).count(),
            failing: sick.len(),
            words,
            sick,
        })
    }

    /// Whether a service that the hub calls healthy has failing pods.
    fn contradicts(&self, service: &Service) -> bool {
        self.sick.iter().any(|pod| {
            let same_component = pod.owner.component.is_empty() || pod.owner.component == service.name;
            let same_namespace = service.namespace.is_empty() || pod.key.namespace == service.namespace;
            same_component && same_namespace
        })
    }
}

impl std::fmt::Display for Evidence<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{} pods ", self.failing, self.counted)?;
        for (index, word) in self.words.iter().take(3).enumerate() {
            write!(f, "{}{word}", if index == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}
