//! How a container stands, by its pod's status: whether its log may go on.

use serde_json::Value;

use crate::model::text::printable;

/// One container as its pod's status tells of it.
pub(super) struct Container {
    pub(super) state: State,
    pub(super) restarts: Option<u64>,
    pub(super) last_exit: Option<String>,
}

pub(super) enum State {
    Running,
    /// Over for good: why.
    Ended(String),
    /// To start, or to start again: what it waits for.
    Restarting(String),
}

impl Container {
    pub(super) fn of(pod: &Value, name: &str) -> Self {
        let status = pod.get("status").unwrap_or(&Value::Null);
        let of_kind = |kind: &str| status.get(kind).and_then(Value::as_array).cloned().unwrap_or_default();
        let all: Vec<Value> = ["containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"]
            .iter()
            .flat_map(|kind| of_kind(kind))
            .collect();
        let found = if name.is_empty() {
            all.first()
        } else {
            all.iter().find(|status| status.get("name").and_then(Value::as_str) == Some(name))
        };
        let deleting = pod.pointer("/metadata/deletionTimestamp").is_some_and(Value::is_string);
        let phase = status.get("phase").and_then(Value::as_str).unwrap_or_default();
        let over = matches!(phase, "Succeeded" | "Failed");
        let Some(found) = found else {
            let state =
                if over { State::Ended(phase.to_lowercase()) } else { State::Restarting("not started yet".into()) };
            return Self { state, restarts: None, last_exit: None };
        };
        let policy = pod.pointer("/spec/restartPolicy").and_then(Value::as_str).unwrap_or("Always");
        let state = if let Some(ended) = found.pointer("/state/terminated") {
            let code = ended.get("exitCode").and_then(Value::as_i64).unwrap_or_default();
            let comes_back = !over && !deleting && (policy == "Always" || (policy == "OnFailure" && code != 0));
            if comes_back {
                State::Restarting(format!("restart{}", exit_words(ended)))
            } else if code == 0 {
                State::Ended("completed".into())
            } else {
                State::Ended(format!("failed{}", exit_words(ended)))
            }
        } else if let Some(waiting) = found.pointer("/state/waiting") {
            let reason = waiting.get("reason").and_then(Value::as_str).unwrap_or("waiting to start");
            State::Restarting(printable(reason).into_owned())
        } else if over {
            State::Ended(phase.to_lowercase())
        } else {
            State::Running
        };
        Self {
            state,
            restarts: found.get("restartCount").and_then(Value::as_u64),
            last_exit: found.pointer("/lastState/terminated").map(exit_words),
        }
    }
}

/// " (exit code 137, OOMKilled)".
fn exit_words(ended: &Value) -> String {
    let code = ended.get("exitCode").and_then(Value::as_i64).unwrap_or_default();
    match ended.get("reason").and_then(Value::as_str) {
        Some(reason) if !matches!(reason, "Error" | "Completed") => {
            format!(" (exit code {code}, {})", printable(reason))
        }
        _ => format!(" (exit code {code})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_containers_end_is_told_apart_from_its_restart() {
        let pod = |policy: &str, code: i64| {
            serde_json::json!({
                "spec": {"restartPolicy": policy},
                "status": {"containerStatuses": [{"name": "a", "restartCount": 2,
                    "state": {"terminated": {"exitCode": code, "reason": "Error"}}}]},
            })
        };
        let state = |pod| Container::of(&pod, "a").state;
        assert!(matches!(state(pod("Never", 0)), State::Ended(why) if why == "completed"));
        assert!(matches!(state(pod("Never", 3)), State::Ended(why) if why == "failed (exit code 3)"));
        assert!(matches!(state(pod("Always", 0)), State::Restarting(_)));
        assert!(matches!(state(pod("OnFailure", 1)), State::Restarting(_)));
        assert!(matches!(state(serde_json::json!({"status": {}})), State::Restarting(_)));
    }
}
