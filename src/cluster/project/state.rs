//! What the chain to a cause needs of an object beyond its line in the tree.

use std::cell::RefCell;

use serde_json::Value;

use crate::model::{
    application::Condition,
    key::PodKey,
    resource::ResourceKey,
    why::facts::{ContainerState, Ending, ObjectState, PodState, Warning},
};

use super::{conditions, pod_status::is_sidecar, read::Node};

/// Conditions that are bad news where they hold.
const BAD_NEWS: [&str; 4] = ["Stalled", "Failed", "ReplicaFailure", "Reconciling"];

/// An object's conditions that are not as wanted, and what it is made from.
pub fn object_state(key: &ResourceKey, object: &Value) -> ObjectState {
    let faults = RefCell::new(Vec::new());
    let root = Node::root(object, &faults);
    let (spec, status) = (root.node("spec"), root.node("status"));
    let mut told: Vec<Condition> =
        conditions(&status).into_iter().filter(|condition| !BAD_NEWS.contains(&&*condition.kind)).collect();
    let bad_news = status.items("conditions");
    told.extend(
        bad_news
            .iter()
            .filter(|condition| condition.str("status") == "True" && BAD_NEWS.contains(&condition.str("type")))
            .map(|condition| Condition {
                kind: condition.text("type"),
                status: condition.text("status"),
                reason: condition.text("reason"),
                message: condition.text("message"),
                since: condition.time("lastTransitionTime"),
            }),
    );
    let chart = spec.node("chart").node("spec").node("sourceRef");
    let source = [chart, spec.node("sourceRef"), spec.node("chartRef")]
        .into_iter()
        .find_map(|source| Some((source.filled("kind")?, source.filled("name")?)));
    let chart = status.filled("helmChart");
    let chart = chart.and_then(|chart| chart.split_once('/').map(|(space, name)| (space.into(), name.into())));
    ObjectState { key: key.clone(), conditions: told, source, chart }
}

/// The containers of a pod, init containers first.
pub fn pod_state(key: &PodKey, object: &Value) -> PodState {
    let faults = RefCell::new(Vec::new());
    let root = Node::root(object, &faults);
    let (spec, status) = (root.node("spec"), root.node("status"));
    let init = spec.items("initContainers");
    let plain = spec.items("containers");
    let mut told = status.items("initContainerStatuses");
    told.extend(status.items("containerStatuses"));
    let all = init.iter().map(|item| (item, !is_sidecar(item))).chain(plain.iter().map(|item| (item, false)));
    let containers = all
        .map(|(item, is_init)| {
            let state = told.iter().find(|state| state.str("name") == item.str("name"));
            container(item, is_init, state)
        })
        .collect();
    let claims = spec
        .items("volumes")
        .iter()
        .filter_map(|volume| volume.node("persistentVolumeClaim").filled("claimName"))
        .collect();
    let pull_secrets = spec.items("imagePullSecrets").iter().map(|secret| secret.text("name")).collect();
    PodState { pod: key.clone(), containers, claims, pull_secrets }
}

fn container(item: &Node, init: bool, told: Option<&Node>) -> ContainerState {
    let mut made = ContainerState {
        name: item.text("name"),
        image: item.text("image"),
        init,
        memory_limit: item.node("resources").node("limits").text("memory"),
        ..ContainerState::default()
    };
    let Some(told) = told else { return made };
    // What was asked for may have been replaced since: what is told is what is tried.
    if let Some(image) = told.filled("image").filter(|image| !image.starts_with("sha256:")) {
        made.image = image;
    }
    made.ready = told.bool("ready");
    made.restarts = u32::try_from(told.int("restartCount")).unwrap_or(0);
    let (state, last) = (told.node("state"), told.node("lastState"));
    if state.has("waiting") {
        let waiting = state.node("waiting");
        made.waiting = Some((waiting.text("reason"), waiting.message().into()));
    }
    made.running_since = state.node("running").time("startedAt");
    made.runs_again = !state.has("terminated");
    made.ended =
        [state, last].iter().find(|state| state.has("terminated")).map(|state| ending(&state.node("terminated")));
    made
}

fn ending(terminated: &Node) -> Ending {
    Ending {
        code: terminated.int("exitCode"),
        signal: terminated.int("signal"),
        reason: terminated.text("reason"),
        message: terminated.message().into(),
        at: terminated.time("finishedAt"),
    }
}

/// An event, where it is a warning.
pub fn warning(about: &ResourceKey, event: &Value) -> Option<Warning> {
    let faults = RefCell::new(Vec::new());
    let root = Node::root(event, &faults);
    if root.str("type") != "Warning" {
        return None;
    }
    let series = root.node("series");
    let count = root.int("count").max(series.int("count"));
    Some(Warning {
        about: about.clone(),
        reason: root.text("reason"),
        message: root.filled("message").unwrap_or_else(|| root.text("note")),
        count: u32::try_from(count).unwrap_or(0).max(1),
        last: [series.time("lastObservedTime"), root.time("lastTimestamp"), root.time("eventTime")]
            .into_iter()
            .flatten()
            .max(),
    })
}
