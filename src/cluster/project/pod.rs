//! A pod's row.

use std::cell::RefCell;

use serde_json::Value;

use crate::model::{
    health::Health,
    key::{ClusterId, PodKey, Text},
    pod::{Container, ContainerPort, Pod, PodOwner},
    usage::{Amounts, Resources, thousandths},
};

use super::{
    pod_status::{Printed, is_sidecar, is_true, printed},
    read::Node,
};

/// What kubectl shows of a container that does not come up by itself.
const FAILING: [&str; 18] = [
    "CrashLoopBackOff",
    "ImagePullBackOff",
    "ErrImagePull",
    "ErrImageNeverPull",
    "InvalidImageName",
    "ImageInspectError",
    "RegistryUnavailable",
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
    "StartError",
    "ContainerCannotRun",
    "PostStartHookError",
    "ContainerStatusUnknown",
    "OOMKilled",
    "Error",
    "DeadlineExceeded",
    "Evicted",
];

/// The row of a pod of `cluster` that belongs to `owner`; `None` where it has no name.
pub fn pod(cluster: &ClusterId, object: &Value, owner: PodOwner) -> Option<Pod> {
    let faults = RefCell::new(Vec::new());
    let root = Node::root(object, &faults);
    let (metadata, spec, status) = (root.node("metadata"), root.node("spec"), root.node("status"));
    let key =
        PodKey { cluster: cluster.clone(), namespace: metadata.text("namespace"), name: metadata.filled("name")? };
    let printed = printed(&root);
    let unschedulable = unschedulable(&status);
    let health = health(&root, &printed, unschedulable.is_some());
    Some(Pod {
        key,
        uid: metadata.text("uid"),
        labels: metadata.labels(),
        owner,
        ready: printed.ready,
        total: printed.total,
        status: printed.status.as_str().into(),
        health,
        restarts: printed.restarts,
        node: spec.text("nodeName"),
        ip: status.text("podIP"),
        created_at: metadata.time("creationTimestamp"),
        terminating: metadata.has("deletionTimestamp"),
        ended: matches!(status.str("phase"), "Succeeded" | "Failed"),
        resources: resources(&spec),
        containers: containers(&spec),
        message: if health == Health::Ok { Text::default() } else { message(&status, unschedulable).into() },
    })
}

/// The scheduler's words, when it finds no node.
fn unschedulable<'v>(status: &Node<'v>) -> Option<&'v str> {
    let unscheduled = |c: &&Node| c.str("type") == "PodScheduled" && c.str("reason") == "Unschedulable";
    let conditions = status.items("conditions");
    conditions.iter().find(unscheduled).map(Node::message)
}

fn health(pod: &Node, printed: &Printed, unschedulable: bool) -> Health {
    let status = pod.node("status");
    let word = printed.status.strip_prefix("Init:").unwrap_or(&printed.status);
    let by_code = word.strip_prefix("ExitCode:").is_some_and(|code| code != "0") || word.starts_with("Signal:");
    match (&*printed.status, status.str("phase")) {
        ("Unknown" | "NodeLost", _) | (_, "Unknown") => Health::Unknown,
        ("Terminating", _) => Health::Progressing,
        (_, "Failed") => Health::Failed,
        (_, "Succeeded") => Health::Ok,
        ("SchedulingGated", _) => Health::Pending,
        _ if unschedulable || by_code || FAILING.contains(&word) => Health::Failed,
        ("Running", _) if (printed.total > 0 && printed.ready == printed.total) || is_true(&status, "Ready") => {
            Health::Ok
        }
        // Up again after a crash and not ready: between two rounds of a crash loop.
        ("Running" | "NotReady", _) if has_crashed(&status) => Health::Failed,
        _ => Health::Progressing,
    }
}

/// Whether a container that is not ready ended badly before.
fn has_crashed(status: &Node) -> bool {
    status.items("containerStatuses").iter().any(|container| {
        !container.bool("ready") && container.node("lastState").node("terminated").int("exitCode") != 0
    })
}

/// Why it is not well, in the words of kubelet or scheduler.
fn message(status: &Node, unschedulable: Option<&str>) -> String {
    if let Some(words) = unschedulable {
        return words.to_owned();
    }
    let init = status.items("initContainerStatuses");
    let all = status.items("containerStatuses");
    for container in init.iter().chain(&all) {
        let state = container.node("state");
        let (waiting, terminated) = (state.node("waiting"), state.node("terminated"));
        let last = container.node("lastState").node("terminated");
        let ended = [terminated, last].into_iter().find(|end| end.int("exitCode") != 0 || end.int("signal") != 0);
        let mut parts: Vec<String> = Vec::new();
        if let Some(end) = ended {
            let reason = end.str("reason");
            let space = if reason.is_empty() { "" } else { " " };
            parts.push(format!("exit {}{space}{reason}", end.int("exitCode")));
            parts.extend(Some(end.message()).filter(|words| !words.is_empty()).map(str::to_owned));
        }
        parts.extend(Some(waiting.message()).filter(|words| !words.is_empty()).map(str::to_owned));
        if !parts.is_empty() {
            return parts.join("; ");
        }
    }
    status.message().to_owned()
}

/// What its containers, sidecars among them, ask for in all.
fn resources(spec: &Node) -> Resources {
    let init = spec.items("initContainers");
    let all = spec.items("containers");
    let all: Vec<Node> =
        all.iter().chain(init.iter().filter(|item| is_sidecar(item))).map(|item| item.node("resources")).collect();
    let sum = |of: &str, what: &str, all_of_them: bool| -> Option<u64> {
        let amounts: Vec<Option<u64>> = all.iter().map(|item| thousandths(item.node(of).str(what))).collect();
        let known = if all_of_them { amounts.iter().all(Option::is_some) } else { amounts.iter().any(Option::is_some) };
        (known && !amounts.is_empty()).then(|| amounts.into_iter().flatten().fold(0, u64::saturating_add))
    };
    let amounts = |of: &str, all_of_them: bool| Amounts {
        cpu: sum(of, "cpu", all_of_them),
        memory: sum(of, "memory", all_of_them).map(|thousandths| thousandths / 1000),
    };
    Resources { requests: amounts("requests", false), limits: amounts("limits", true) }
}

fn containers(spec: &Node) -> Vec<Container> {
    let container = |item: &Node, init: bool| Container {
        name: item.text("name"),
        init,
        ports: item.items("ports").iter().filter_map(port).collect(),
    };
    let init = spec.items("initContainers");
    let mut containers: Vec<Container> = spec.items("containers").iter().map(|item| container(item, false)).collect();
    containers.extend(init.iter().filter(|item| is_sidecar(item)).map(|item| container(item, false)));
    containers.extend(init.iter().filter(|item| !is_sidecar(item)).map(|item| container(item, true)));
    containers
}

fn port(item: &Node) -> Option<ContainerPort> {
    let port = u16::try_from(item.int("containerPort")).ok().filter(|port| *port != 0)?;
    let protocol = item.filled("protocol").unwrap_or_else(|| "TCP".into());
    Some(ContainerPort { port, name: item.text("name"), protocol })
}
