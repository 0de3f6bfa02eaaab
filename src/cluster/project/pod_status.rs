//! STATUS, READY and RESTARTS of a pod, exactly as kubectl's printer works them out.

use super::read::Node;

/// The columns that kubectl computes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Printed {
    pub(super) status: String,
    pub(super) ready: u32,
    pub(super) total: u32,
    pub(super) restarts: u32,
}

/// Whether an init container goes on running beside the others (a sidecar).
pub(super) fn is_sidecar(container: &Node) -> bool {
    container.str("restartPolicy") == "Always"
}

/// Whether the pod has a condition of that type that is `True`.
pub(super) fn is_true(status: &Node, kind: &str) -> bool {
    status.items("conditions").iter().any(|c| c.str("type") == kind && c.str("status") == "True")
}

fn restarts(container: &Node) -> u32 {
    u32::try_from(container.int("restartCount")).unwrap_or(0)
}

/// `Error`, `Signal:9`, `ExitCode:1`: how a container ended.
fn ending(terminated: &Node) -> String {
    match (terminated.str("reason"), terminated.int("signal")) {
        ("", 0) => format!("ExitCode:{}", terminated.int("exitCode")),
        ("", signal) => format!("Signal:{signal}"),
        (reason, _) => reason.to_owned(),
    }
}

/// Works the columns out of a pod.
pub(super) fn printed(pod: &Node) -> Printed {
    let (metadata, spec, status) = (pod.node("metadata"), pod.node("spec"), pod.node("status"));
    let phase = status.str("phase");
    let mut reason = match status.str("reason") {
        "" => phase.to_owned(),
        reason => reason.to_owned(),
    };
    let gated = |c: &Node| c.str("type") == "PodScheduled" && c.str("reason") == "SchedulingGated";
    if status.items("conditions").iter().any(gated) {
        "SchedulingGated".clone_into(&mut reason);
    }

    let init_containers = spec.items("initContainers");
    let sidecars: Vec<&str> = init_containers.iter().filter(|c| is_sidecar(c)).map(|c| c.str("name")).collect();
    let total = spec.items("containers").len() + sidecars.len();
    let mut ready = 0;
    let mut all_restarts = 0;
    let mut sidecar_restarts = 0;
    let mut initializing = false;

    for (index, container) in status.items("initContainerStatuses").iter().enumerate() {
        let sidecar = sidecars.contains(&container.str("name"));
        all_restarts += restarts(container);
        if sidecar {
            sidecar_restarts += restarts(container);
        }
        let state = container.node("state");
        let terminated = state.node("terminated");
        let waiting = state.node("waiting").str("reason");
        if state.has("terminated") && terminated.int("exitCode") == 0 {
            continue;
        }
        if sidecar && container.bool("started") {
            ready += u32::from(container.bool("ready"));
            continue;
        }
        reason = if state.has("terminated") {
            format!("Init:{}", ending(&terminated))
        } else if !waiting.is_empty() && waiting != "PodInitializing" {
            format!("Init:{waiting}")
        } else {
            format!("Init:{index}/{}", init_containers.len())
        };
        initializing = true;
        break;
    }

    if !initializing || is_true(&status, "Initialized") {
        all_restarts = sidecar_restarts;
        let mut has_running = false;
        // From the last to the first: the first container's word stands.
        for container in status.items("containerStatuses").iter().rev() {
            all_restarts += restarts(container);
            let state = container.node("state");
            let waiting = state.node("waiting").str("reason");
            if !waiting.is_empty() {
                waiting.clone_into(&mut reason);
            } else if state.has("terminated") {
                reason = ending(&state.node("terminated"));
            } else if container.bool("ready") && state.has("running") {
                has_running = true;
                ready += 1;
            }
        }
        if reason == "Completed" && has_running {
            let word = if is_true(&status, "Ready") { "Running" } else { "NotReady" };
            word.clone_into(&mut reason);
        }
    }

    if metadata.has("deletionTimestamp") {
        if status.str("reason") == "NodeLost" {
            "Unknown".clone_into(&mut reason);
        } else if !matches!(phase, "Succeeded" | "Failed") {
            "Terminating".clone_into(&mut reason);
        }
    }
    Printed { status: reason, ready, total: total as u32, restarts: all_restarts }
}

#[cfg(test)]
mod tests;
