//! Why a pod is not well: its containers, the scheduler, the node, its claims.

use jiff::Timestamp;

use super::{
    Advice, Chain, Known, Looked, Place,
    facts::{ContainerState, Ending, PodState},
    object, words,
};
use crate::model::{health::Health, key::PodKey, pod::Pod, resource::ResourceKey};

/// Lines of a log that a chain shows.
const LOG_LINES: usize = 4;

/// A pod by what is known of it: its row, or its line in the tree.
pub(super) struct View {
    pub(super) key: PodKey,
    pub(super) health: Health,
    pub(super) status: String,
    pub(super) message: String,
    pub(super) restarts: u32,
    pub(super) created_at: Option<Timestamp>,
}

impl View {
    pub(super) fn of_row(pod: &Pod) -> Self {
        Self {
            key: pod.key.clone(),
            health: pod.health,
            status: pod.status.to_string(),
            message: pod.message.to_string(),
            restarts: pod.restarts,
            created_at: pod.created_at,
        }
    }

    /// A line of the tree says `0/1 CrashLoopBackOff: exit 1 Error`.
    pub(super) fn of_line(key: PodKey, health: Health, line: &str, created_at: Option<Timestamp>) -> Self {
        let (_, told) = line.split_once(' ').unwrap_or(("", line));
        let (status, message) = told.split_once(": ").unwrap_or((told, ""));
        // `Init:Error: …` has its colon within.
        let (status, message) = match told.strip_prefix("Init:") {
            Some(rest) => {
                rest.split_once(": ").map_or((told, ""), |(word, message)| (&told[..word.len() + 5], message))
            }
            None => (status, message),
        };
        Self { key, health, status: status.to_owned(), message: message.to_owned(), restarts: 0, created_at }
    }

    fn is_unschedulable(&self) -> bool {
        self.status == "Pending" && self.health == Health::Failed
    }
}

/// Tells of a pod, and why it is not well; `alike` more stand the same way.
pub(super) fn push(chain: &mut Chain, depth: usize, pod: &View, alike: usize, known: &Known<'_>) {
    let state = known.looked.and_then(|looked| looked.pod(&pod.key));
    let restarts = state.map_or(pod.restarts, |state| state.containers.iter().map(|one| one.restarts).sum());
    let restarts = match restarts {
        0 => String::new(),
        1 => ", 1 restart".to_owned(),
        many => format!(", {many} restarts"),
    };
    let alike = if alike > 0 { format!("; {alike} more like it") } else { String::new() };
    let mut reason = format!("{}{restarts}{alike}", pod.status);
    let key = ResourceKey::pod(&pod.key);
    let mut advice = None;
    if pod.is_unschedulable() {
        let (sentence, help) = words::unschedulable(&pod.message);
        reason = format!("unschedulable: {sentence}{alike}");
        advice = help;
    } else if !pod.message.is_empty()
        && (state.is_none() || matches!(pod.status.as_str(), "Evicted" | "Unknown" | "NodeLost"))
    {
        reason = format!("{reason}: {}", words::one_line(&pod.message));
    }
    let link = chain.push(depth, Place::Object(key.clone()), pod.health, reason);
    link.since = pod.created_at;
    link.advice = advice;
    if matches!(pod.health, Health::Ok | Health::Gone) {
        return;
    }
    let from = chain.links.len();
    if let (Some(state), Some(looked)) = (state, known.looked) {
        for container in &state.containers {
            container_link(chain, depth + 1, &pod.key, state, container, looked);
        }
        for claim in &state.claims {
            object::push_claim(chain, depth + 1, &key, claim, known);
        }
    }
    if let Some(looked) = known.looked {
        object::push_warnings(chain, depth + 1, &key, from.saturating_sub(1), looked);
    }
}

/// Tells of a container that is not well.
fn container_link(
    chain: &mut Chain,
    depth: usize,
    pod: &PodKey,
    state: &PodState,
    container: &ContainerState,
    looked: &Looked,
) {
    let what = Place::Container(pod.clone(), container.name.clone());
    let told = |text: String| if container.init { format!("init container: {text}") } else { text };
    let waiting = container.waiting.as_ref().map(|(reason, message)| (&**reason, &**message));
    let image_reasons = ["ImagePull", "ErrImage", "InvalidImageName", "ImageInspect", "RegistryUnavailable"];
    if let Some((reason, message)) =
        waiting.filter(|(reason, _)| image_reasons.iter().any(|word| reason.contains(word)))
    {
        let cause = pull_failure(pod, looked).unwrap_or(message);
        let cause = format!("{reason} {cause}");
        let (sentence, advice) = words::image(&container.image, &cause, !state.pull_secrets.is_empty());
        chain.push(depth, what, Health::Failed, told(sentence)).advice = Some(advice);
        return;
    }
    if let Some((reason, message)) = waiting.filter(|(reason, _)| {
        reason.ends_with("ConfigError")
            || matches!(*reason, "CreateContainerError" | "RunContainerError" | "StartError")
    }) {
        let missing = message.contains("not found") || message.contains("couldn't find key");
        let link = chain.push(depth, what, Health::Failed, told(format!("{reason}: {}", words::one_line(message))));
        link.advice = missing.then(|| Advice::say("make the ConfigMap, Secret or key that it refers to"));
        return;
    }
    if let Some(ended) = container.ended.as_ref().filter(|ended| !container.ready && has_failed(container, ended)) {
        crash(chain, depth, pod, container, ended, looked);
        return;
    }
    if container.init || container.ready || container.running_since.is_none() {
        return;
    }
    let key = ResourceKey::pod(pod);
    let probe = looked.warnings_of(&key).find(|warning| &*warning.reason == "Unhealthy");
    let link = match probe {
        Some(probe) => {
            let sentence = format!("{}{}", words::one_line(&probe.message), words::times(probe.count));
            let link = chain.push(depth, what, Health::Failed, told(sentence));
            link.advice = Some(Advice::say("see its log, and whether the probe asks the right port and path"));
            link
        }
        None => chain.push(depth, what, Health::Progressing, told("runs, and is not ready yet".to_owned())),
    };
    link.since = container.running_since;
}

/// Whether what ended has ended badly; one that is to run on has, whatever its code.
fn has_failed(container: &ContainerState, ended: &Ending) -> bool {
    ended.code != 0 || ended.signal != 0 || (!container.init && container.waiting.is_some())
}

fn crash(chain: &mut Chain, depth: usize, pod: &PodKey, container: &ContainerState, ended: &Ending, looked: &Looked) {
    let is_out_of_memory = &*ended.reason == "OOMKilled";
    let key = ResourceKey::pod(pod);
    let killed_by_probe = looked.warnings_of(&key).find(|warning| {
        &*warning.reason == "Unhealthy" && warning.message.starts_with("Liveness") && !is_out_of_memory
    });
    let told = |text: String| if container.init { format!("init container: {text}") } else { text };
    let again = if container.restarts > 0 { "keeps ending" } else { "ended" };
    let mut sentence = told(format!("{again}: {}", words::ending(ended)));
    let mut advice = None;
    if is_out_of_memory {
        let words = words::ending(ended);
        let limit = match &*container.memory_limit {
            "" => "it has no limit of its own, the node ran out".to_owned(),
            limit => format!("its limit is {limit}"),
        };
        sentence = told(format!("{words}: {limit}"));
        advice =
            Some(Advice::say("raise its memory limit (an override does that for one cluster), or see what takes it"));
    } else if let Some(probe) = killed_by_probe {
        let said = words::one_line(&probe.message);
        sentence = told(format!("is restarted by its probe: {said}{}", words::times(probe.count)));
        advice = Some(Advice::say("see its log, and whether the probe leaves it the time that it takes"));
    }
    let link = chain.push(depth, Place::Container(pod.clone(), container.name.clone()), Health::Failed, sentence);
    link.since = ended.at;
    link.advice = advice;
    let Some(tail) = looked.tail(pod, &container.name) else { return };
    let skip = tail.lines.len().saturating_sub(LOG_LINES);
    for line in tail.lines.iter().skip(skip) {
        let place = Place::Log(pod.clone(), container.name.clone(), tail.previous);
        chain.push(depth + 1, place, Health::Failed, words::one_line(line));
    }
}

/// What the node said of an image that it could not pull.
fn pull_failure<'a>(pod: &PodKey, looked: &'a Looked) -> Option<&'a str> {
    looked
        .warnings
        .iter()
        .filter(|warning| warning.about.as_pod().as_ref() == Some(pod))
        .map(|warning| &*warning.message)
        .find(|message| message.contains("pull image") || message.contains("InvalidImageName"))
}
