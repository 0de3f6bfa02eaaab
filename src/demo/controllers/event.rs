//! Events, as the parts of a cluster write them into their own diary. What happens again counts up.

use serde_json::{Value, json};

use super::api;
use super::naming;
use super::object::{self, Object};
use super::reconciler::{Round, Write};

/// Writes an event about `about`. `component` names who says it (`kubelet`, `helm-controller`).
pub(super) fn record(round: &mut Round<'_>, about: &Object, component: &str, reason: &str, message: &str) {
    round.writes.push(Write::Create(api::EVENT.clone(), event(about, component, reason, message)));
}

/// An event; that one is a warning shows from its reason.
pub(super) fn event(about: &Object, component: &str, reason: &str, message: &str) -> Value {
    let warns = matches!(
        reason,
        "BackOff" | "FailedScheduling" | "Unhealthy" | "error" | "InvalidChartReference" | "IndexationFailed"
    );
    let now = object::now();
    let host = object::text(about, "/spec/nodeName");
    let seed = format!("{}{reason}{message}", object::uid(about));
    json!({
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "name": format!("{}.{}", object::name(about), naming::digest(&seed, 16)),
            "namespace": object::namespace(about),
        },
        "involvedObject": {
            "apiVersion": object::text(about, "/apiVersion"),
            "kind": object::text(about, "/kind"),
            "name": object::name(about),
            "namespace": object::namespace(about),
            "uid": object::uid(about),
            "resourceVersion": object::text(about, "/metadata/resourceVersion"),
        },
        "type": if warns || reason.starts_with("Failed") { "Warning" } else { "Normal" },
        "reason": reason,
        "message": message,
        "count": 1,
        "firstTimestamp": now,
        "lastTimestamp": now,
        "eventTime": null,
        "source": {"component": component, "host": host},
        "reportingComponent": component,
        "reportingInstance": host,
    })
}
