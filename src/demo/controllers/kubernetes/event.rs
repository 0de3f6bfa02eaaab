//! Events, as the parts of Kubernetes write them into their own diary.

use serde_json::{Value, json};

use crate::demo::controllers::api;
use crate::demo::controllers::naming;
use crate::demo::controllers::object::{self, Object};
use crate::demo::controllers::reconciler::{Round, Write};

/// Writes an event about `about`. `component` names who says it (`kubelet`, `default-scheduler`).
pub(super) fn record(round: &mut Round<'_>, about: &Object, component: &str, reason: &str, message: &str) {
    let kind = match reason {
        "BackOff" | "Failed" | "FailedScheduling" | "Unhealthy" => "Warning",
        _ => "Normal",
    };
    round.writes.push(Write::Create(api::EVENT.clone(), event(about, component, kind, reason, message)));
}

fn event(about: &Object, component: &str, kind: &str, reason: &str, message: &str) -> Value {
    let now = object::now();
    let host = object::text(about, "/spec/nodeName");
    let seed = format!("{}{reason}{message}{}", object::uid(about), object::version(about));
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
        "type": kind,
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
