//! How a container stands, by its pod: whether its log may go on.

use serde_json::Value;

use crate::model::{
    key::Text,
    log::{ContainerKind, Containers, End, Exit},
    text::printable,
};

/// The annotation by which a pod names its main container.
const DEFAULT: &str = "/metadata/annotations/kubectl.kubernetes.io~1default-container";

/// One container as its pod's status tells of it.
pub(super) struct Container {
    pub(super) state: State,
    pub(super) restarts: Option<u64>,
    /// How the instance before ended.
    pub(super) last_exit: Option<Exit>,
}

pub(super) enum State {
    Running,
    /// Over for good: why.
    Ended(End),
    /// To start, or to start again: what it waits for.
    Restarting(String),
}

impl Container {
    pub(super) fn of(pod: &Value, name: &str) -> Self {
        let status = pod.get("status").unwrap_or(&Value::Null);
        let statuses = ["containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"];
        let mut all = statuses.iter().filter_map(|kind| status.get(kind).and_then(Value::as_array)).flatten();
        let found = if name.is_empty() {
            all.next()
        } else {
            all.find(|status| status.get("name").and_then(Value::as_str) == Some(name))
        };
        let deleting = pod.pointer("/metadata/deletionTimestamp").is_some_and(Value::is_string);
        let phase = status.get("phase").and_then(Value::as_str).unwrap_or_default();
        let over = matches!(phase, "Succeeded" | "Failed");
        let pod_over = || End::PodOver(phase.to_lowercase().into());
        let Some(found) = found else {
            let state = if over { State::Ended(pod_over()) } else { State::Restarting("not started yet".into()) };
            return Self { state, restarts: None, last_exit: None };
        };
        let state = if let Some(ended) = found.pointer("/state/terminated") {
            let exit = exit(ended);
            if !over && !deleting && comes_back(pod, name, exit.code) {
                State::Restarting(format!("restart after {exit}"))
            } else {
                State::Ended(End::Exited(exit))
            }
        } else if over {
            State::Ended(pod_over())
        } else if let Some(waiting) = found.pointer("/state/waiting") {
            let reason = waiting.get("reason").and_then(Value::as_str).unwrap_or("to start");
            State::Restarting(printable(reason).into_owned())
        } else {
            State::Running
        };
        Self {
            state,
            restarts: found.get("restartCount").and_then(Value::as_u64),
            last_exit: found.pointer("/lastState/terminated").map(exit),
        }
    }
}

/// Whether a container that ended is started again.
fn comes_back(pod: &Value, name: &str, code: i64) -> bool {
    let policy = pod.pointer("/spec/restartPolicy").and_then(Value::as_str).unwrap_or("Always");
    match kind_of(pod, name) {
        ContainerKind::Sidecar => true,
        ContainerKind::Ephemeral => false,
        // Once an init container has done its work it is over, whatever the policy.
        ContainerKind::Init => code != 0 && policy != "Never",
        ContainerKind::Ordinary => policy == "Always" || (policy == "OnFailure" && code != 0),
    }
}

fn kind_of(pod: &Value, name: &str) -> ContainerKind {
    each(pod).find(|(container, _)| *container == name).map(|(_, kind)| kind).unwrap_or_default()
}

/// The containers of a pod, the ordinary ones first.
fn each(pod: &Value) -> impl Iterator<Item = (&str, ContainerKind)> {
    let lists = [
        ("/spec/containers", ContainerKind::Ordinary),
        ("/spec/initContainers", ContainerKind::Init),
        ("/spec/ephemeralContainers", ContainerKind::Ephemeral),
    ];
    lists.into_iter().flat_map(move |(list, kind)| {
        let all = pod.pointer(list).and_then(Value::as_array).into_iter().flatten();
        all.map(move |container| {
            let stays = container.get("restartPolicy").and_then(Value::as_str) == Some("Always");
            let kind = if kind == ContainerKind::Init && stays { ContainerKind::Sidecar } else { kind };
            (container.get("name").and_then(Value::as_str).unwrap_or_default(), kind)
        })
    })
}

/// The containers of a pod that are wanted; else which there are.
pub(super) fn wanted(pod: &Value, containers: &Containers) -> Result<Vec<(Text, ContainerKind)>, String> {
    let owned = |(name, kind): (&str, ContainerKind)| (Text::from(name), kind);
    let found: Vec<_> = match containers {
        Containers::All => each(pod).map(owned).collect(),
        Containers::Named(name) => each(pod).filter(|(container, _)| *container == &**name).map(owned).collect(),
        Containers::Default => {
            let named = pod.pointer(DEFAULT).and_then(Value::as_str);
            let named = named.and_then(|named| each(pod).find(|(container, _)| *container == named));
            named.or_else(|| each(pod).next()).map(owned).into_iter().collect()
        }
    };
    if found.is_empty() {
        let names: Vec<_> = each(pod).map(|(name, _)| printable(name)).collect();
        return Err(names.join(", "));
    }
    Ok(found)
}

fn exit(ended: &Value) -> Exit {
    let code = ended.get("exitCode").and_then(Value::as_i64).unwrap_or_default();
    let reason = ended.get("reason").and_then(Value::as_str).unwrap_or_default();
    // These say no more than the code does.
    let reason = if matches!(reason, "Error" | "Completed") { "".into() } else { printable(reason) };
    Exit { code, reason: reason.into() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_containers_end_is_told_apart_from_its_restart() {
        let pod = |policy: &str, code: i64| {
            json!({
                "spec": {"restartPolicy": policy, "containers": [{"name": "a"}]},
                "status": {"containerStatuses": [{"name": "a", "restartCount": 2,
                    "state": {"terminated": {"exitCode": code, "reason": "Error"}}}]},
            })
        };
        let words = |pod| match Container::of(&pod, "a").state {
            State::Running => "running".to_owned(),
            State::Ended(end) => end.to_string(),
            State::Restarting(why) => format!("waits: {why}"),
        };
        assert_eq!(words(pod("Never", 0)), "completed 0");
        assert_eq!(words(pod("Never", 3)), "error 3");
        assert_eq!(words(pod("Always", 0)), "waits: restart after completed 0");
        assert_eq!(words(pod("OnFailure", 1)), "waits: restart after error 1");
        assert_eq!(words(json!({"status": {}})), "waits: not started yet");
        assert_eq!(words(json!({"status": {"phase": "Failed"}})), "pod failed");
        let init = json!({
            "spec": {"initContainers": [{"name": "a"}]},
            "status": {"initContainerStatuses": [{"name": "a", "state": {"terminated": {"exitCode": 0}}}]},
        });
        assert_eq!(words(init), "completed 0");
    }

    #[test]
    fn the_containers_that_are_wanted() {
        let pod = json!({
            "metadata": {"annotations": {"kubectl.kubernetes.io/default-container": "web"}},
            "spec": {
                "containers": [{"name": "proxy"}, {"name": "web"}],
                "initContainers": [{"name": "migrate"}, {"name": "agent", "restartPolicy": "Always"}],
                "ephemeralContainers": [{"name": "debugger"}],
            },
        });
        let names = |containers: &Containers| {
            wanted(&pod, containers)
                .map(|found| found.iter().map(|(name, kind)| format!("{name} {}", kind.word())).collect::<Vec<_>>())
        };
        assert_eq!(names(&Containers::Default).unwrap(), ["web "]);
        assert_eq!(
            names(&Containers::All).unwrap(),
            ["proxy ", "web ", "migrate init", "agent sidecar", "debugger ephemeral"]
        );
        assert_eq!(names(&Containers::Named("agent".into())).unwrap(), ["agent sidecar"]);
        assert_eq!(names(&Containers::Named("x".into())).unwrap_err(), "proxy, web, migrate, agent, debugger");
    }
}
