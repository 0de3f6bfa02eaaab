//! Pods: the scheduler that finds them a node, and the kubelet that tells of containers.
//!
//! What a container does is read from its spec, so that bad days can be had on demand:
//! * an image whose registry ends in `.example` or `.invalid`, or that says `does-not-exist`, cannot be pulled;
//! * the command `false`, or a shell's `exit N`, ends at once; the environment variable `EXIT_AFTER_SECONDS`
//!   lets it live that long the first time, counted from when all of its ReplicaSet are ready, so that a delivery
//!   which waits for them succeeds (every later start fails at once).
//!
//! The annotation `estate.lateen.dev/fail` on a pod does the same to one that runs: `crash`, or `image` as if its
//! image were gone when it is started again.

use std::time::Duration;

use serde_json::{Value, json};

use crate::demo::controllers::api;
use crate::demo::controllers::event;
use crate::demo::controllers::naming;
use crate::demo::controllers::object::{self, Object};
use crate::demo::controllers::reconciler::{Round, Write};

/// Marks a pod that is to fail, and how: `crash` or `image`.
const FAIL: &str = "estate.lateen.dev/fail";
/// How long a container that fails at once has run.
const SHORT_RUN: Duration = Duration::from_millis(800);
/// The kubelet's pause before the first restart; it doubles up to [`LONGEST_BACK_OFF`].
const FIRST_BACK_OFF: Duration = Duration::from_secs(10);
const LONGEST_BACK_OFF: Duration = Duration::from_secs(300);

pub(super) fn reconcile(pod: &Object, round: &mut Round<'_>) {
    if object::deleting(pod) {
        // The estate's API server lets it go when its grace is over.
        return;
    }
    if object::text(pod, "/spec/nodeName").is_empty() {
        schedule(pod, round);
        return;
    }
    match object::text(pod, "/status/phase") {
        "Failed" | "Succeeded" => {}
        _ => run(pod, round),
    }
}

fn schedule(pod: &Object, round: &mut Round<'_>) {
    if !round.elapsed(pod, "scheduling", between(pod, "scheduling", 100, 300)) {
        return;
    }
    let nodes: Vec<_> = round.mirror.of(&api::NODE, "").collect();
    let ready =
        nodes.iter().filter(|node| object::is_true(node, "Ready") && !object::flag(node, "/spec/unschedulable"));
    let fitting: Vec<_> = ready
        .filter(|node| {
            let wanted = pod.pointer("/spec/nodeSelector");
            wanted.is_none_or(|wanted| object::matches(Some(wanted), node.pointer("/metadata/labels")))
        })
        .collect();
    if fitting.is_empty() {
        let message = match nodes.len() {
            0 => "no nodes available to schedule pods".to_owned(),
            all => format!("0/{all} nodes are available: {all} node(s) didn't match Pod's node affinity/selector."),
        };
        let mut status = pod["status"].clone();
        status["phase"] = json!("Pending");
        status["conditions"] = json!([condition(pod, "PodScheduled", false, Some(("Unschedulable", &message)))]);
        if !object::list(pod, "/status/conditions").is_empty() {
            return;
        }
        round.status(&api::POD, pod, status);
        event::record(round, pod, "default-scheduler", "FailedScheduling", &message);
        return;
    }
    let chosen = naming::hash(object::uid(pod)) as usize % fitting.len();
    let node = object::name(fitting[chosen]).to_owned();
    let mut new = pod.clone();
    // Straight into the spec: the estate has no binding subresource.
    object::set(&mut new, &["spec", "nodeName"], json!(node));
    event::record(
        round,
        &new,
        "default-scheduler",
        "Scheduled",
        &format!("Successfully assigned {}/{} to {node}", object::namespace(pod), object::name(pod)),
    );
    round.writes.push(Write::Replace(api::POD.clone(), new));
}

/// One step of the kubelet: each container moves on by itself, the pod's status follows from them.
fn run(pod: &Object, round: &mut Round<'_>) {
    let mut statuses: Vec<Value> = Vec::new();
    for (at, container) in object::list(pod, "/spec/containers").iter().enumerate() {
        let known = object::list(pod, "/status/containerStatuses").get(at);
        statuses.push(match known {
            None => created(container),
            Some(status) => step(pod, container, status, round),
        });
    }
    let ready = !statuses.is_empty() && statuses.iter().all(|status| status["ready"] == true);
    let pending =
        statuses.iter().any(|status| status["containerID"].is_null() && status["lastState"]["terminated"].is_null());
    let unready: Vec<&str> =
        statuses.iter().filter(|status| status["ready"] != true).map(|status| object::text(status, "/name")).collect();
    let why = format!("containers with unready status: [{}]", unready.join(" "));
    let reason = (!ready).then_some(("ContainersNotReady", why.as_str()));
    let mut status = pod["status"].clone();
    status["phase"] = json!(if pending { "Pending" } else { "Running" });
    status["conditions"] = json!([
        condition(pod, "PodReadyToStartContainers", true, None),
        condition(pod, "Initialized", true, None),
        condition(pod, "Ready", ready, reason),
        condition(pod, "ContainersReady", ready, reason),
        condition(pod, "PodScheduled", true, None),
    ]);
    status["containerStatuses"] = Value::Array(statuses);
    status["qosClass"] = json!(quality(&pod["spec"]));
    if status["startTime"].is_null() {
        status["startTime"] = json!(object::now());
        let host = address("172.18", object::text(pod, "/spec/nodeName"));
        status["hostIP"] = json!(host);
        status["hostIPs"] = json!([{"ip": host}]);
    }
    if !pending && status["podIP"].is_null() {
        let ip = address("10.244", object::uid(pod));
        status["podIP"] = json!(ip);
        status["podIPs"] = json!([{"ip": ip}]);
    }
    round.status(&api::POD, pod, status);
}

/// Whether the ReplicaSet that a pod belongs to has had all its pods ready: it has now, or one of them has ended
/// since, and may never be ready again. A pod of its own stands for itself.
fn delivered(pod: &Object, round: &Round<'_>) -> bool {
    let space = object::namespace(pod);
    let owner = object::controller(pod).map(|owner| object::text(owner, "/name"));
    let set = owner.and_then(|name| round.mirror.get(&api::REPLICA_SET, space, name));
    set.is_none_or(|set| {
        set["status"]["readyReplicas"] == set["spec"]["replicas"]
            || round
                .mirror
                .of(&api::POD, space)
                .filter(|one| object::owned_by(one, set))
                .flat_map(|one| object::list(one, "/status/containerStatuses"))
                .any(|status| !status["lastState"]["terminated"].is_null())
    })
}

fn created(container: &Value) -> Value {
    json!({
        "name": container["name"],
        "image": container["image"],
        "imageID": "",
        "ready": false,
        "started": false,
        "restartCount": 0,
        "state": {"waiting": {"reason": "ContainerCreating"}},
        "lastState": {},
    })
}

/// What the container's status becomes; the same where its time has not come.
fn step(pod: &Object, container: &Value, status: &Value, round: &mut Round<'_>) -> Value {
    let name = object::text(container, "/name");
    let restarts = object::number(status, "/restartCount");
    let stage = |what: &str| format!("{name}/{what}/{restarts}");
    if status["state"]["running"].is_object() {
        let told = object::annotation(pod, FAIL).map(|_| (1, Duration::ZERO));
        if let Some((code, life)) = told.or_else(|| fate(container, restarts))
            && (life <= SHORT_RUN || restarts > 0 || delivered(pod, round))
            && round.elapsed(pod, &stage("life"), life)
        {
            return ended(pod, name, code, status, round);
        }
        let delay = container
            .pointer("/readinessProbe/initialDelaySeconds")
            .and_then(Value::as_u64)
            .map_or_else(|| between(pod, "ready", 500, 1000), Duration::from_secs);
        if status["ready"] != true && round.elapsed(pod, &stage("ready"), delay) {
            let mut new = status.clone();
            new["ready"] = json!(true);
            return new;
        }
        return status.clone();
    }
    match object::text(status, "/state/waiting/reason") {
        "CrashLoopBackOff" => {
            if object::annotation(pod, FAIL) == Some("image") {
                return not_pulled(pod, container, status, round);
            }
            if round.elapsed(pod, &stage("back-off"), back_off(restarts)) {
                return started(pod, container, status, restarts + 1, round);
            }
        }
        "ErrImagePull" => {
            if round.elapsed(pod, "err-image-pull", Duration::from_millis(1500)) {
                round.forget(pod, "image-pull-back-off");
                return back_off_pulling(pod, container, status, round);
            }
        }
        "ImagePullBackOff" => {
            if round.elapsed(pod, "image-pull-back-off", Duration::from_secs(60)) {
                round.forget(pod, "err-image-pull");
                return not_pulled(pod, container, status, round);
            }
        }
        _ => {
            if round.elapsed(pod, &stage("pull"), between(pod, "pull", 1000, 2500)) {
                return if pullable(object::text(container, "/image")) {
                    started(pod, container, status, 0, round)
                } else {
                    not_pulled(pod, container, status, round)
                };
            }
        }
    }
    status.clone()
}

fn started(pod: &Object, container: &Value, status: &Value, restarts: i64, round: &mut Round<'_>) -> Value {
    let (name, image) = (object::text(container, "/name"), object::text(container, "/image"));
    let pulled = if restarts == 0 {
        let millis = between(pod, "pull", 1000, 2500).as_millis();
        format!(
            "Successfully pulled image \"{image}\" in {millis}ms ({millis}ms including waiting). Image size: 24319754 bytes."
        )
    } else {
        format!("Container image \"{image}\" already present on machine")
    };
    event::record(round, pod, "kubelet", "Pulled", &pulled);
    event::record(round, pod, "kubelet", "Created", &format!("Created container: {name}"));
    event::record(round, pod, "kubelet", "Started", &format!("Started container {name}"));
    let mut new = status.clone();
    let id = naming::digest(&format!("{}{name}{restarts}", object::uid(pod)), 64);
    new["imageID"] = json!(format!("{image}@sha256:{}", naming::digest(image, 64)));
    new["containerID"] = json!(format!("containerd://{id}"));
    new["started"] = json!(true);
    new["restartCount"] = json!(restarts);
    new["state"] = json!({"running": {"startedAt": object::now()}});
    new
}

fn ended(pod: &Object, name: &str, code: i64, status: &Value, round: &mut Round<'_>) -> Value {
    let restarts = object::number(status, "/restartCount");
    let full = format!("{}_{}({})", object::name(pod), object::namespace(pod), object::uid(pod));
    event::record(
        round,
        pod,
        "kubelet",
        "BackOff",
        &format!("Back-off restarting failed container {name} in pod {full}"),
    );
    let mut new = status.clone();
    new["ready"] = json!(false);
    new["started"] = json!(false);
    new["lastState"] = json!({"terminated": {
        "exitCode": code,
        "reason": if code == 0 { "Completed" } else { "Error" },
        "startedAt": status["state"]["running"]["startedAt"],
        "finishedAt": object::now(),
        "containerID": status["containerID"],
    }});
    let pause = back_off(restarts).as_secs();
    let pause = if pause < 60 { format!("{pause}s") } else { format!("{}m{}s", pause / 60, pause % 60) };
    new["state"] = json!({"waiting": {
        "reason": "CrashLoopBackOff",
        "message": format!("back-off {pause} restarting failed container={name} pod={full}"),
    }});
    new
}

fn not_pulled(pod: &Object, container: &Value, status: &Value, round: &mut Round<'_>) -> Value {
    let image = object::text(container, "/image");
    let why = format!(
        "failed to pull and unpack image \"{image}\": failed to resolve reference \"{image}\": {image}: not found"
    );
    event::record(round, pod, "kubelet", "Pulling", &format!("Pulling image \"{image}\""));
    event::record(round, pod, "kubelet", "Failed", &format!("Failed to pull image \"{image}\": {why}"));
    event::record(round, pod, "kubelet", "Failed", "Error: ErrImagePull");
    let mut new = status.clone();
    new["state"] = json!({"waiting": {"reason": "ErrImagePull", "message": why}});
    new
}

fn back_off_pulling(pod: &Object, container: &Value, status: &Value, round: &mut Round<'_>) -> Value {
    let message = format!("Back-off pulling image \"{}\"", object::text(container, "/image"));
    event::record(round, pod, "kubelet", "BackOff", &message);
    event::record(round, pod, "kubelet", "Failed", "Error: ImagePullBackOff");
    let mut new = status.clone();
    new["state"] = json!({"waiting": {"reason": "ImagePullBackOff", "message": message}});
    new
}

fn pullable(image: &str) -> bool {
    let registry = image.split('/').next().unwrap_or_default();
    let registry = registry.split(':').next().unwrap_or_default();
    !(image.contains("does-not-exist") || registry.ends_with(".example") || registry.ends_with(".invalid"))
}

/// With which code, and after how long, a container will end; `None` where it goes on.
fn fate(container: &Value, restarts: i64) -> Option<(i64, Duration)> {
    let words: Vec<&str> =
        ["/command", "/args"].iter().flat_map(|at| object::list(container, at)).filter_map(Value::as_str).collect();
    let program = words.first().map(|word| word.rsplit('/').next().unwrap_or(word));
    if program == Some("false") {
        return Some((1, SHORT_RUN));
    }
    let exit = words.iter().find_map(|word| {
        let (_, code) = word.rsplit_once("exit ")?;
        code.trim().parse().ok()
    });
    if let Some(code) = exit {
        return Some((code, SHORT_RUN));
    }
    let seconds: u64 = object::list(container, "/env")
        .iter()
        .find(|pair| pair["name"] == "EXIT_AFTER_SECONDS")
        .and_then(|pair| pair["value"].as_str())
        .and_then(|text| text.parse().ok())?;
    let life = if restarts == 0 { Duration::from_secs(seconds) } else { SHORT_RUN.min(Duration::from_secs(seconds)) };
    Some((1, life))
}

fn back_off(restarts: i64) -> Duration {
    let doubled = 2_u32.saturating_pow(restarts.clamp(0, 10) as u32);
    (FIRST_BACK_OFF * doubled).min(LONGEST_BACK_OFF)
}

/// A duration that belongs to this pod, between two bounds in milliseconds.
fn between(pod: &Object, what: &str, low: u64, high: u64) -> Duration {
    let share = naming::fraction(&format!("{}/{what}", object::name(pod)));
    Duration::from_millis(low + ((high - low) as f64 * share) as u64)
}

fn address(network: &str, seed: &str) -> String {
    let seed = naming::hash(seed);
    format!("{network}.{}.{}", seed % 256, 1 + (seed >> 8) % 254)
}

/// A condition as it is, or as it becomes now when its status changes.
fn condition(pod: &Object, kind: &str, status: bool, reason: Option<(&str, &str)>) -> Value {
    let status = if status { "True" } else { "False" };
    let since = object::condition(pod, kind)
        .filter(|old| object::text(old, "/status") == status)
        .map_or_else(|| json!(object::now()), |old| old["lastTransitionTime"].clone());
    let mut out = json!({
        "type": kind,
        "status": status,
        "lastProbeTime": null,
        "lastTransitionTime": since,
    });
    if let Some((reason, message)) = reason {
        out["reason"] = json!(reason);
        out["message"] = json!(message);
    }
    out
}

/// The quality-of-service class that the containers' resources give a pod.
fn quality(spec: &Value) -> &'static str {
    let containers = object::list(spec, "/containers");
    let none = |container: &&Value| container["resources"]["requests"].is_null();
    if containers.iter().all(|one| none(&one) && one["resources"]["limits"].is_null()) {
        return "BestEffort";
    }
    let guaranteed = containers.iter().all(|one| {
        let limits = &one["resources"]["limits"];
        limits["cpu"].is_string()
            && limits["memory"].is_string()
            && (none(&one) || one["resources"]["requests"] == *limits)
    });
    if guaranteed { "Guaranteed" } else { "Burstable" }
}
