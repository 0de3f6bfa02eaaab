//! How any object stands: rules for the kinds that have their own, and for all others the conventions that
//! conditions follow (observedGeneration, `Ready`, `Stalled`, `Reconciling`, a phase in words).
//!
//! KubeVela itself calls every kind healthy for which it has no rule, a Deployment at 0/3 among them; here nothing is
//! taken for well that says of itself that it is not.

use std::cell::RefCell;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::model::{
    health::Health,
    key::{ClusterId, Text},
    pod::PodOwner,
    resource::{Makes, Resource, ResourceKey},
};

use super::{Meta, helm_release, pod, read::Node};

/// How long a source may be unready before that is a failure: while a release begins, its chart is not there yet.
const PATIENCE: SignedDuration = SignedDuration::from_secs(30);

/// An object of any kind as the tree needs it; `None` where it has no name.
pub fn resource(cluster: &ClusterId, group: &str, kind: &str, object: &Value, now: Timestamp) -> Option<Resource> {
    let meta = Meta::of(object)?;
    let faults = RefCell::new(Vec::new());
    let root = Node::root(object, &faults);
    let (health, message) = standing(cluster, group, kind, object, &root, now);
    let mut made = of_meta(cluster, group, kind, &meta);
    made.idle =
        kind == "ReplicaSet" && root.node("spec").int("replicas") == 0 && root.node("status").int("replicas") == 0;
    (made.health, made.message) = (health, message.into());
    if group.ends_with(".toolkit.fluxcd.io") && matches!(kind, "HelmRelease" | "Kustomization") {
        made.makes = makes(cluster, &meta, &root);
    }
    Some(made)
}

/// What a release says of what it makes: where, and from helm-controller 1.5 on (a Kustomization ever since) which
/// objects exactly.
fn makes(cluster: &ClusterId, meta: &Meta, root: &Node) -> Option<Box<Makes>> {
    let (spec, status) = (root.node("spec"), root.node("status"));
    // It delivers to another cluster, of which is not known which it is.
    if spec.has("kubeConfig") {
        return None;
    }
    let entries = status.node("inventory").items("entries");
    let inventory: Vec<ResourceKey> =
        entries.iter().filter_map(|entry| inventoried(cluster, entry.str("id"))).collect();
    let mut namespaces: Vec<Text> = ["targetNamespace", "storageNamespace"]
        .into_iter()
        .filter_map(|field| spec.filled(field))
        .filter(|namespace| *namespace != meta.namespace)
        .collect();
    namespaces.sort();
    namespaces.dedup();
    let says_something = !namespaces.is_empty() || !inventory.is_empty();
    says_something.then(|| Box::new(Makes { namespaces, inventory, selector: Vec::new() }))
}

/// An entry of an inventory: `<namespace>_<name>_<group>_<kind>`, in which a name's colon is written `__`.
fn inventoried(cluster: &ClusterId, id: &str) -> Option<ResourceKey> {
    let (namespace, rest) = id.split_once('_')?;
    let (rest, kind) = rest.rsplit_once('_')?;
    let (name, group) = rest.rsplit_once('_')?;
    (!name.is_empty() && !kind.is_empty()).then(|| ResourceKey {
        cluster: cluster.clone(),
        group: group.into(),
        kind: kind.into(),
        namespace: namespace.into(),
        name: name.replace("__", ":").into(),
    })
}

/// An object of which only the metadata is known: nothing speaks against it.
pub fn of_meta(cluster: &ClusterId, group: &str, kind: &str, meta: &Meta) -> Resource {
    let release = helm_release(meta).map(|(namespace, name)| ("HelmRelease".into(), namespace, name));
    let made_by = release.or_else(|| {
        let name = meta.label("kustomize.toolkit.fluxcd.io/name")?;
        let namespace = meta.label("kustomize.toolkit.fluxcd.io/namespace").unwrap_or(&meta.namespace);
        Some(("Kustomization".into(), namespace.clone(), name.clone()))
    });
    Resource {
        key: ResourceKey {
            cluster: cluster.clone(),
            group: group.into(),
            kind: kind.into(),
            namespace: meta.namespace.clone(),
            name: meta.name.clone(),
        },
        uid: meta.uid.clone(),
        owners: meta.owners.iter().map(|owner| owner.uid.clone()).collect(),
        made_by,
        health: Health::Ok,
        message: Text::default(),
        created_at: meta.created_at,
        idle: false,
        makes: None,
        labels: Vec::new(),
    }
}

/// Whether a kind has rules of its own, for which the whole object is needed.
pub fn has_rules(group: &str, kind: &str) -> bool {
    matches!(
        (group, kind),
        ("apps", "Deployment" | "ReplicaSet" | "StatefulSet" | "DaemonSet")
            | ("batch", "Job" | "CronJob")
            | ("", "Pod" | "PersistentVolumeClaim" | "Service")
            | ("networking.k8s.io", "Ingress")
            | ("autoscaling", "HorizontalPodAutoscaler")
            | ("policy", "PodDisruptionBudget")
    ) || group.ends_with(".toolkit.fluxcd.io")
}

/// How an object stands by what the server shows of it, column by column, and that in words.
pub fn by_table(cells: &[(&str, String)]) -> (Health, Text) {
    let told = |names: &[&str]| {
        cells.iter().find(|(name, _)| names.contains(&name.to_ascii_lowercase().as_str())).map(|(_, cell)| &**cell)
    };
    let health = match told(&["ready", "available", "healthy"]) {
        Some("False") => Health::Progressing,
        Some("Unknown") => Health::Unknown,
        _ => by_phase(told(&["status", "phase", "state"]).unwrap_or_default()),
    };
    let words: Vec<String> = cells.iter().map(|(name, cell)| format!("{name}: {cell}")).collect();
    (health, words.join("  ").into())
}

fn standing(
    cluster: &ClusterId,
    group: &str,
    kind: &str,
    object: &Value,
    root: &Node,
    now: Timestamp,
) -> (Health, String) {
    let (metadata, spec, status) = (root.node("metadata"), root.node("spec"), root.node("status"));
    if metadata.has("deletionTimestamp") && kind != "Pod" {
        let holds = metadata.texts("finalizers").join(", ");
        let holds = if holds.is_empty() { String::new() } else { format!(", held by {holds}") };
        return (Health::Progressing, format!("being deleted{holds}"));
    }
    let behind = status.has("observedGeneration") && metadata.int("generation") > status.int("observedGeneration");
    match (group, kind) {
        ("", "Pod") => {
            let nobody = PodOwner { app: Text::default(), app_namespace: None, component: Text::default() };
            pod(cluster, object, nobody).map_or((Health::Unknown, String::new()), |pod| {
                let words = if pod.message.is_empty() { String::new() } else { format!(": {}", pod.message) };
                (pod.health, format!("{}/{} {}{words}", pod.ready, pod.total, pod.status))
            })
        }
        ("apps", "Deployment") => deployment(&spec, &status, behind),
        ("apps", "ReplicaSet") => replica_set(&spec, &status, behind),
        ("apps", "StatefulSet") => stateful_set(&spec, &status, behind),
        ("apps", "DaemonSet") => daemon_set(&status, behind),
        ("batch", "Job") => job(&spec, &status),
        ("batch", "CronJob") => cron_job(&spec, &status),
        ("", "PersistentVolumeClaim") => claim(&spec, &status),
        ("", "Service") => service(&spec, &status),
        ("networking.k8s.io", "Ingress") => ingress(&spec),
        ("autoscaling", "HorizontalPodAutoscaler") => autoscaler(&spec, &status),
        ("policy", "PodDisruptionBudget") => budget(&status),
        _ if group.ends_with(".toolkit.fluxcd.io") => flux(&spec, &status, behind, now),
        _ => generic(&status, behind),
    }
}

fn condition<'v>(status: &Node<'v>, kind: &str) -> Option<Node<'v>> {
    status.items("conditions").into_iter().find(|condition| condition.str("type") == kind)
}

fn holds(status: &Node, kind: &str) -> bool {
    condition(status, kind).is_some_and(|condition| condition.str("status") == "True")
}

fn words(condition: &Node) -> String {
    match (condition.str("reason"), condition.message()) {
        (reason, "") => reason.to_owned(),
        ("", message) => message.to_owned(),
        (reason, message) if message.starts_with(reason) => message.to_owned(),
        (reason, message) => format!("{reason}: {message}"),
    }
}

/// How many are wanted; one where nothing is said.
fn wanted(spec: &Node) -> i64 {
    if spec.has("replicas") { spec.int("replicas") } else { 1 }
}

fn deployment(spec: &Node, status: &Node, behind: bool) -> (Health, String) {
    let wanted = wanted(spec);
    let (available, updated) = (status.int("availableReplicas"), status.int("updatedReplicas"));
    let count = format!("{available}/{wanted} available");
    let progressing = condition(status, "Progressing");
    if let Some(failure) = condition(status, "ReplicaFailure").filter(|one| one.str("status") == "True") {
        return (Health::Failed, format!("{count}; {}", words(&failure)));
    }
    if behind || !status.has("observedGeneration") {
        return (Health::Progressing, format!("{count}; the newest spec is not observed yet"));
    }
    if let Some(stuck) = progressing.as_ref().filter(|one| one.str("status") == "False") {
        return (Health::Failed, format!("{count}; {}", words(stuck)));
    }
    if available >= wanted && updated >= wanted {
        let paused = if spec.bool("paused") { "; paused" } else { "" };
        return (Health::Ok, format!("{count}{paused}"));
    }
    if updated < wanted {
        return (Health::Progressing, format!("{count}; {updated} updated"));
    }
    // The rollout was through once: what is missing now has been lost since.
    let was_through = progressing.is_some_and(|one| one.str("reason") == "NewReplicaSetAvailable");
    (if was_through { Health::Failed } else { Health::Progressing }, count)
}

fn replica_set(spec: &Node, status: &Node, behind: bool) -> (Health, String) {
    let (wanted, ready) = (wanted(spec), status.int("readyReplicas"));
    let count = format!("{ready}/{wanted} ready");
    if let Some(failure) = condition(status, "ReplicaFailure").filter(|one| one.str("status") == "True") {
        return (Health::Failed, format!("{count}; {}", words(&failure)));
    }
    (if ready >= wanted && !behind { Health::Ok } else { Health::Progressing }, count)
}

fn stateful_set(spec: &Node, status: &Node, behind: bool) -> (Health, String) {
    let (wanted, ready) = (wanted(spec), status.int("readyReplicas"));
    let count = format!("{ready}/{wanted} ready");
    let rolling = status.str("updateRevision") != status.str("currentRevision")
        && spec.node("updateStrategy").str("type") != "OnDelete";
    if behind || (rolling && status.int("updatedReplicas") < wanted) {
        return (Health::Progressing, format!("{count}; {} updated", status.int("updatedReplicas")));
    }
    (if ready >= wanted { Health::Ok } else { Health::Progressing }, count)
}

fn daemon_set(status: &Node, behind: bool) -> (Health, String) {
    let (wanted, ready) = (status.int("desiredNumberScheduled"), status.int("numberReady"));
    let updated = status.int("updatedNumberScheduled");
    let count = format!("{ready}/{wanted} ready");
    if behind || !status.has("observedGeneration") {
        return (Health::Progressing, format!("{count}; the newest spec is not observed yet"));
    }
    if updated < wanted {
        return (Health::Progressing, format!("{count}; {updated} updated"));
    }
    (if ready >= wanted { Health::Ok } else { Health::Progressing }, count)
}

fn job(spec: &Node, status: &Node) -> (Health, String) {
    let done = status.int("succeeded");
    let wanted = if spec.has("completions") { spec.int("completions") } else { 1 };
    if let Some(failed) = condition(status, "Failed").filter(|one| one.str("status") == "True") {
        return (Health::Failed, words(&failed));
    }
    if holds(status, "Complete") {
        return (Health::Ok, format!("complete {done}/{wanted}"));
    }
    if spec.bool("suspend") {
        return (Health::Pending, "suspended".to_owned());
    }
    let failed = status.int("failed");
    let failed = if failed > 0 { format!(", {failed} failed") } else { String::new() };
    (Health::Progressing, format!("{done}/{wanted} done, {} active{failed}", status.int("active")))
}

fn cron_job(spec: &Node, status: &Node) -> (Health, String) {
    let schedule = spec.str("schedule");
    if spec.bool("suspend") {
        return (Health::Pending, format!("{schedule}; suspended"));
    }
    let last = status.str("lastScheduleTime");
    let last = if last.is_empty() { "never ran".to_owned() } else { format!("last {last}") };
    (Health::Ok, format!("{schedule}; {last}"))
}

fn claim(spec: &Node, status: &Node) -> (Health, String) {
    let class = spec.str("storageClassName");
    match status.str("phase") {
        "Bound" => (Health::Ok, format!("Bound {}", status.node("capacity").str("storage"))),
        "Lost" => (Health::Failed, "Lost: its volume is gone".to_owned()),
        phase => (Health::Progressing, format!("{} {class}", if phase.is_empty() { "Pending" } else { phase })),
    }
}

fn service(spec: &Node, status: &Node) -> (Health, String) {
    let kind = spec.filled("type").unwrap_or_else(|| "ClusterIP".into());
    let ports = spec.items("ports");
    let ports: Vec<String> = ports
        .iter()
        .map(|port| {
            let protocol = port.str("protocol");
            let protocol = if matches!(protocol, "" | "TCP") { String::new() } else { format!("/{protocol}") };
            format!("{}{protocol}", port.int("port"))
        })
        .collect();
    let ports = ports.join(",");
    if &*kind == "LoadBalancer" {
        let ingress = status.node("loadBalancer").items("ingress");
        let Some(first) = ingress.first() else {
            return (Health::Progressing, format!("LoadBalancer {ports}; no address yet"));
        };
        let address = first.filled("ip").unwrap_or_else(|| first.text("hostname"));
        return (Health::Ok, format!("LoadBalancer {address} {ports}"));
    }
    (Health::Ok, format!("{kind} {ports}"))
}

fn ingress(spec: &Node) -> (Health, String) {
    let rules = spec.items("rules");
    let hosts: Vec<&str> =
        rules.iter().map(|rule| rule.str("host")).map(|host| if host.is_empty() { "*" } else { host }).collect();
    (Health::Ok, hosts.join(","))
}

fn autoscaler(spec: &Node, status: &Node) -> (Health, String) {
    let (current, desired) = (status.int("currentReplicas"), status.int("desiredReplicas"));
    let least = if spec.has("minReplicas") { spec.int("minReplicas") } else { 1 };
    let count = format!("{current} of {least}..{}", spec.int("maxReplicas"));
    for kind in ["AbleToScale", "ScalingActive"] {
        if let Some(bad) = condition(status, kind).filter(|one| one.str("status") == "False") {
            // Told to rest, not hindered.
            if bad.str("reason") == "ScalingDisabled" {
                return (Health::Pending, format!("{count}; disabled at 0 replicas"));
            }
            return (Health::Failed, format!("{count}; {}", words(&bad)));
        }
    }
    if current == desired { (Health::Ok, count) } else { (Health::Progressing, format!("{count}; wants {desired}")) }
}

fn budget(status: &Node) -> (Health, String) {
    let (healthy, wanted) = (status.int("currentHealthy"), status.int("desiredHealthy"));
    let health = if healthy >= wanted { Health::Ok } else { Health::Failed };
    (health, format!("{healthy}/{wanted} healthy, {} may be evicted", status.int("disruptionsAllowed")))
}

fn flux(spec: &Node, status: &Node, behind: bool, now: Timestamp) -> (Health, String) {
    let ready = condition(status, "Ready");
    let message = ready.as_ref().map_or("", Node::message).to_owned();
    if spec.bool("suspend") {
        return (Health::Pending, format!("suspended; {message}"));
    }
    if behind {
        return (Health::Progressing, "the newest spec is not observed yet".to_owned());
    }
    let Some(ready) = ready else { return (Health::Progressing, "not reconciled yet".to_owned()) };
    match (ready.str("status"), ready.str("reason")) {
        ("True", _) => (Health::Ok, message),
        ("False", "DependencyNotReady" | "Progressing" | "ProgressingWithRetry") => (Health::Progressing, message),
        // While a release begins its chart is not there yet, and that is said as a failure.
        ("False", "ArtifactFailed" | "SourceNotReady") => {
            let fresh = ready.time("lastTransitionTime").is_some_and(|since| now.duration_since(since) < PATIENCE);
            (if fresh { Health::Progressing } else { Health::Failed }, message)
        }
        ("False", _) => (Health::Failed, message),
        _ => (Health::Progressing, message),
    }
}

fn generic(status: &Node, behind: bool) -> (Health, String) {
    if let Some(stalled) = condition(status, "Stalled").filter(|one| one.str("status") == "True") {
        return (Health::Failed, words(&stalled));
    }
    if let Some(failed) = condition(status, "Failed").filter(|one| one.str("status") == "True") {
        return (Health::Failed, words(&failed));
    }
    if behind {
        return (Health::Progressing, "the newest spec is not observed yet".to_owned());
    }
    if let Some(going) = condition(status, "Reconciling").filter(|one| one.str("status") == "True") {
        return (Health::Progressing, words(&going));
    }
    for kind in ["Ready", "Available", "Healthy", "Synced"] {
        let Some(said) = condition(status, kind) else { continue };
        match said.str("status") {
            "True" => {}
            "False" => {
                return (
                    if is_failure(said.str("reason")) { Health::Failed } else { Health::Progressing },
                    words(&said),
                );
            }
            _ => return (Health::Progressing, words(&said)),
        }
    }
    let phase = status.filled("phase").or_else(|| status.filled("state")).unwrap_or_default();
    (by_phase(&phase), phase.to_string())
}

/// What a phase says in words that many kinds use; any other word speaks of no fault.
fn by_phase(phase: &str) -> Health {
    match &*phase.to_ascii_lowercase() {
        "failed" | "error" | "lost" | "degraded" | "unhealthy" => Health::Failed,
        "pending" | "creating" | "provisioning" | "updating" | "progressing" | "terminating" | "initializing" => {
            Health::Progressing
        }
        "unknown" => Health::Unknown,
        _ => Health::Ok,
    }
}

/// Whether a condition's reason speaks of a failure: reasons are words run together, as "InstallFailed".
fn is_failure(reason: &str) -> bool {
    [
        "Fail",
        "Error",
        "Invalid",
        "Denied",
        "Forbidden",
        "Exceeded",
        "Timeout",
        "Crash",
        "Unhealthy",
        "NotFound",
        "Missing",
    ]
    .iter()
    .any(|word| reason.contains(word))
}

#[cfg(test)]
mod tests;
