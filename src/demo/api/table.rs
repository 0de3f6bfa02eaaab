//! Rows of `kubectl get`: the columns a server prints for a kind.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::prune::{self, Wanted};
use crate::demo::clock;
use crate::demo::kinds::Kind;
use crate::demo::store::Object;

/// One column: its name, its type, and whether it is for `-o wide` alone.
struct Column {
    name: &'static str,
    wide: bool,
    cell: fn(&Value) -> Value,
}

const fn column(name: &'static str, cell: fn(&Value) -> Value) -> Column {
    Column { name, wide: false, cell }
}

const fn wide(name: &'static str, cell: fn(&Value) -> Value) -> Column {
    Column { name, wide: true, cell }
}

const NAME: Column = column("Name", |object| object["metadata"]["name"].clone());
const AGE: Column = column("Age", |object| age(&object["metadata"]["creationTimestamp"]));
const CREATED: Column = column("Created At", |object| object["metadata"]["creationTimestamp"].clone());

static DEFAULT: [Column; 2] = [NAME, AGE];
static CORE_DEFAULT: [Column; 2] = [NAME, CREATED];
static NAMESPACES: [Column; 3] = [NAME, column("Status", |object| text(object, "/status/phase")), AGE];
static NODES: [Column; 5] = [
    NAME,
    column("Status", |object| {
        condition(object, "Ready", "status")
            .map_or("Unknown", |ready| if ready == "True" { "Ready" } else { "NotReady" })
            .into()
    }),
    column("Roles", |_| "<none>".into()),
    AGE,
    column("Version", |object| text(object, "/status/nodeInfo/kubeletVersion")),
];
static PODS: [Column; 9] = [
    NAME,
    column("Ready", |pod| {
        let statuses = list(pod, "/status/containerStatuses");
        let ready = statuses.iter().filter(|status| status["ready"] == true).count();
        format!("{ready}/{}", list(pod, "/spec/containers").len()).into()
    }),
    column("Status", |pod| pod_status(pod).into()),
    column("Restarts", |pod| {
        let count: i64 =
            list(pod, "/status/containerStatuses").iter().filter_map(|status| status["restartCount"].as_i64()).sum();
        let last = list(pod, "/status/containerStatuses")
            .iter()
            .filter_map(|status| {
                status.pointer("/lastState/terminated/finishedAt")?.as_str()?.parse::<Timestamp>().ok()
            })
            .max();
        match last.filter(|_| count > 0) {
            Some(last) => format!("{count} ({} ago)", clock::age(last, Timestamp::now())).into(),
            None => count.to_string().into(),
        }
    }),
    AGE,
    wide("IP", |pod| or_none(text(pod, "/status/podIP"))),
    wide("Node", |pod| or_none(text(pod, "/spec/nodeName"))),
    wide("Nominated Node", |_| "<none>".into()),
    wide("Readiness Gates", |_| "<none>".into()),
];
static SERVICES: [Column; 7] = [
    NAME,
    column("Type", |object| text(object, "/spec/type")),
    column("Cluster-IP", |object| or_none(text(object, "/spec/clusterIP"))),
    column("External-IP", |_| "<none>".into()),
    column("Port(s)", |object| {
        let ports = list(object, "/spec/ports");
        let port = |port: &Value| {
            let node = port["nodePort"].as_i64().map_or(String::new(), |node| format!(":{node}"));
            format!("{}{node}/{}", port["port"], port["protocol"].as_str().unwrap_or("TCP"))
        };
        or_none(ports.iter().map(port).collect::<Vec<_>>().join(",").into())
    }),
    AGE,
    wide("Selector", |object| or_none(labels(object.pointer("/spec/selector")).into())),
];
static EVENTS: [Column; 5] = [
    column("Last Seen", |event| {
        let last = ["lastTimestamp", "eventTime", "firstTimestamp"]
            .iter()
            .map(|key| &event[*key])
            .find(|time| time.is_string());
        age(last.unwrap_or(&event["metadata"]["creationTimestamp"]))
    }),
    column("Type", |event| text(event, "/type")),
    column("Reason", |event| text(event, "/reason")),
    column("Object", |event| {
        let of = &event["involvedObject"];
        format!(
            "{}/{}",
            of["kind"].as_str().unwrap_or_default().to_lowercase(),
            of["name"].as_str().unwrap_or_default()
        )
        .into()
    }),
    column("Message", |event| text(event, "/message")),
];
static CONFIG_MAPS: [Column; 3] = [NAME, column("Data", |object| count(object, "data").into()), AGE];
static SECRETS: [Column; 4] =
    [NAME, column("Type", |object| text(object, "/type")), column("Data", |object| count(object, "data").into()), AGE];
static DEPLOYMENTS: [Column; 8] = [
    NAME,
    column("Ready", |object| {
        format!("{}/{}", number(object, "/status/readyReplicas"), number(object, "/spec/replicas")).into()
    }),
    column("Up-to-date", |object| number(object, "/status/updatedReplicas").into()),
    column("Available", |object| number(object, "/status/availableReplicas").into()),
    AGE,
    wide("Containers", |object| containers(object, "name")),
    wide("Images", |object| containers(object, "image")),
    wide("Selector", |object| labels(object.pointer("/spec/selector/matchLabels")).into()),
];
static REPLICA_SETS: [Column; 5] = [
    NAME,
    column("Desired", |object| number(object, "/spec/replicas").into()),
    column("Current", |object| number(object, "/status/replicas").into()),
    column("Ready", |object| number(object, "/status/readyReplicas").into()),
    AGE,
];
static STATEFUL_SETS: [Column; 3] = [
    NAME,
    column("Ready", |object| {
        format!("{}/{}", number(object, "/status/readyReplicas"), number(object, "/spec/replicas")).into()
    }),
    AGE,
];
static DAEMON_SETS: [Column; 5] = [
    NAME,
    column("Desired", |object| number(object, "/status/desiredNumberScheduled").into()),
    column("Current", |object| number(object, "/status/currentNumberScheduled").into()),
    column("Ready", |object| number(object, "/status/numberReady").into()),
    AGE,
];
static JOBS: [Column; 4] = [
    NAME,
    column("Status", |object| {
        let of = |kind| condition(object, kind, "status") == Some("True");
        (if of("Complete") {
            "Complete"
        } else if of("Failed") {
            "Failed"
        } else {
            "Running"
        })
        .into()
    }),
    column("Completions", |object| {
        format!("{}/{}", number(object, "/status/succeeded"), number(object, "/spec/completions")).into()
    }),
    AGE,
];
static APPLICATIONS: [Column; 7] = [
    NAME,
    column("COMPONENT", |object| text(object, "/spec/components/0/name")),
    column("TYPE", |object| text(object, "/spec/components/0/type")),
    column("PHASE", |object| text(object, "/status/status")),
    column("HEALTHY", |object| object.pointer("/status/services/0/healthy").cloned().unwrap_or_default()),
    column("STATUS", |object| text(object, "/status/services/0/message")),
    column("AGE", AGE.cell),
];
static FLUX: [Column; 4] = [
    NAME,
    AGE,
    column("Ready", |object| condition(object, "Ready", "status").unwrap_or_default().into()),
    column("Status", |object| condition(object, "Ready", "message").unwrap_or_default().into()),
];

fn of(kind: &Kind) -> &'static [Column] {
    match (kind.group, kind.name) {
        ("", "Namespace") => &NAMESPACES,
        ("", "Node") => &NODES,
        ("", "Pod") => &PODS,
        ("", "Service") => &SERVICES,
        ("", "Event") => &EVENTS,
        ("", "ConfigMap") => &CONFIG_MAPS,
        ("", "Secret") => &SECRETS,
        ("apps", "Deployment") => &DEPLOYMENTS,
        ("apps", "ReplicaSet") => &REPLICA_SETS,
        ("apps", "StatefulSet") => &STATEFUL_SETS,
        ("apps", "DaemonSet") => &DAEMON_SETS,
        ("batch", "Job") => &JOBS,
        ("core.oam.dev", "Application") => &APPLICATIONS,
        (group, _) if group.ends_with("toolkit.fluxcd.io") => &FLUX,
        _ if kind.custom => &DEFAULT,
        _ => &CORE_DEFAULT,
    }
}

/// A table's `columnDefinitions`.
pub(crate) fn columns(kind: &Kind) -> Value {
    let define = |column: &Column| {
        let lower = column.name.to_lowercase();
        // Kubernetes' own printers make ages themselves; those of custom resources are dates.
        let (kind, format) = match lower.as_str() {
            "name" => ("string", "name"),
            "age" if kind.custom => ("date", ""),
            "healthy" => ("boolean", ""),
            "data" | "up-to-date" | "available" | "desired" | "current" => ("integer", ""),
            _ => ("string", ""),
        };
        json!({
            "name": column.name, "type": kind, "format": format, "description": "", "priority": u8::from(column.wide),
        })
    };
    of(kind).iter().map(define).collect()
}

/// What the cells of most kinds are made from.
const USUAL: Wanted = Wanted::Fields(&[
    ("metadata", SHOWN),
    ("spec", Wanted::All),
    ("status", Wanted::All),
    ("data", Wanted::All),
    ("type", Wanted::All),
    ("reason", Wanted::All),
    ("message", Wanted::All),
    ("involvedObject", Wanted::All),
    ("lastTimestamp", Wanted::All),
    ("eventTime", Wanted::All),
    ("firstTimestamp", Wanted::All),
]);
const SHOWN: Wanted =
    Wanted::Fields(&[("name", Wanted::All), ("creationTimestamp", Wanted::All), ("deletionTimestamp", Wanted::All)]);
const POD: Wanted = Wanted::Fields(&[
    ("metadata", SHOWN),
    ("spec", Wanted::Fields(&[("nodeName", Wanted::All), ("containers", Wanted::Fields(&[]))])),
    (
        "status",
        Wanted::Fields(&[
            ("phase", Wanted::All),
            ("reason", Wanted::All),
            ("podIP", Wanted::All),
            ("conditions", Wanted::Fields(&[("type", Wanted::All), ("status", Wanted::All)])),
            ("initContainerStatuses", Wanted::Fields(&[("state", Wanted::All)])),
            (
                "containerStatuses",
                Wanted::Fields(&[
                    ("ready", Wanted::All),
                    ("restartCount", Wanted::All),
                    ("state", Wanted::All),
                    ("lastState", Wanted::All),
                ]),
            ),
        ]),
    ),
]);
const APPLICATION: Wanted = Wanted::Fields(&[
    ("metadata", SHOWN),
    ("spec", Wanted::Fields(&[("components", Wanted::Fields(&[("name", Wanted::All), ("type", Wanted::All)]))])),
    (
        "status",
        Wanted::Fields(&[
            ("status", Wanted::All),
            ("services", Wanted::Fields(&[("healthy", Wanted::All), ("message", Wanted::All)])),
        ]),
    ),
]);

/// A row's cells.
pub(crate) fn cells(kind: &Kind, object: &Object) -> Value {
    let wanted = match (kind.group, kind.name) {
        ("", "Pod") => POD,
        ("core.oam.dev", "Application") => APPLICATION,
        _ => USUAL,
    };
    cells_of(kind, &prune::read(object.bare(), wanted))
}

fn cells_of(kind: &Kind, object: &Value) -> Value {
    of(kind).iter().map(|column| (column.cell)(object)).collect()
}

fn text(object: &Value, path: &str) -> Value {
    object.pointer(path).and_then(Value::as_str).unwrap_or_default().into()
}

fn number(object: &Value, path: &str) -> i64 {
    object.pointer(path).and_then(Value::as_i64).unwrap_or(0)
}

fn list<'a>(object: &'a Value, path: &str) -> &'a [Value] {
    object.pointer(path).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn count(object: &Value, field: &str) -> usize {
    object[field].as_object().map_or(0, serde_json::Map::len)
}

fn or_none(value: Value) -> Value {
    if value == "" { "<none>".into() } else { value }
}

fn age(time: &Value) -> Value {
    let time = time.as_str().and_then(|time| time.parse::<Timestamp>().ok());
    time.map_or_else(|| "<unknown>".into(), |time| clock::age(time, Timestamp::now()).into())
}

fn labels(labels: Option<&Value>) -> String {
    let pairs = labels.and_then(Value::as_object).into_iter().flatten();
    pairs.map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default())).collect::<Vec<_>>().join(",")
}

fn containers(object: &Value, field: &str) -> Value {
    let containers = list(object, "/spec/template/spec/containers");
    containers.iter().filter_map(|container| container[field].as_str()).collect::<Vec<_>>().join(",").into()
}

fn condition<'a>(object: &'a Value, kind: &str, field: &str) -> Option<&'a str> {
    list(object, "/status/conditions").iter().find(|condition| condition["type"] == kind)?[field].as_str()
}

/// kubectl's STATUS of a pod.
fn pod_status(pod: &Value) -> String {
    let mut status = pod
        .pointer("/status/reason")
        .and_then(Value::as_str)
        .map_or_else(|| text(pod, "/status/phase").as_str().unwrap_or_default().to_owned(), str::to_owned);
    let inits = list(pod, "/status/initContainerStatuses");
    let initializing = inits.iter().enumerate().find_map(|(at, init)| {
        let state = &init["state"];
        if state["terminated"]["exitCode"] == 0 {
            return None;
        }
        let reason =
            state.pointer("/terminated/reason").or_else(|| state.pointer("/waiting/reason")).and_then(Value::as_str);
        Some(match reason.filter(|reason| *reason != "PodInitializing") {
            Some(reason) => format!("Init:{reason}"),
            None => format!("Init:{at}/{}", inits.len()),
        })
    });
    if let Some(initializing) = initializing {
        status = initializing;
    } else {
        let mut running = false;
        for container in list(pod, "/status/containerStatuses").iter().rev() {
            let state = &container["state"];
            if let Some(reason) =
                state.pointer("/waiting/reason").or_else(|| state.pointer("/terminated/reason")).and_then(Value::as_str)
            {
                reason.clone_into(&mut status);
            } else if let Some(code) = state.pointer("/terminated/exitCode") {
                status = format!("ExitCode:{code}");
            } else if container["ready"] == true && state["running"].is_object() {
                running = true;
            }
        }
        if status == "Completed" && running {
            status = if condition(pod, "Ready", "status") == Some("True") { "Running" } else { "NotReady" }.into();
        }
    }
    if pod["metadata"]["deletionTimestamp"].is_string() {
        status = "Terminating".into();
    }
    status
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pods_status_is_kubectls() {
        let status = |state: Value| {
            let container = json!({ "name": "a", "ready": false, "state": state });
            pod_status(&json!({ "metadata": {}, "status": { "phase": "Running", "containerStatuses": [container] } }))
        };
        assert_eq!(status(json!({ "waiting": { "reason": "CrashLoopBackOff" } })), "CrashLoopBackOff");
        assert_eq!(status(json!({ "terminated": { "reason": "OOMKilled", "exitCode": 137 } })), "OOMKilled");
        assert_eq!(status(json!({ "running": {} })), "Running");
    }

    #[test]
    fn every_kind_has_as_many_cells_as_columns() {
        for kind in crate::demo::kinds::KINDS {
            let cells = cells_of(kind, &json!({ "metadata": { "name": "a" } }));
            assert_eq!(cells.as_array().unwrap().len(), columns(kind).as_array().unwrap().len(), "{kind}");
        }
    }
}
