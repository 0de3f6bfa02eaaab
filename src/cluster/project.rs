//! An API server's object to a row: what lateen keeps of it, and nothing else.
//!
//! Objects are read as they come, never trusted: a field of the wrong type counts as absent and is listed in
//! [`Application::malformed`], words that lateen does not know are kept, and nothing here fails for one odd field.

mod event;
mod labels;
mod pod;
mod pod_status;
mod read;
mod resource;
mod spec;
mod state;
mod workflow;

use std::cell::RefCell;

use serde_json::Value;

use crate::model::{
    application::{Application, Change, Component, Condition, Placement, Service, Target, WorkflowStatus},
    cluster::Cluster,
    key::{AppKey, ClusterId, Text},
    text::without_cue_dump,
};

pub use event::event;
pub use labels::{Meta, OwnerRef, helm_release, pod_owner};
pub use pod::pod;
use read::Node;
pub use resource::{by_table, has_rules, of_meta, resource};
pub use state::{object_state, pod_state, warning};

/// Annotation that pins the deployed spec to a published one.
const PUBLISH_VERSION: &str = "app.oam.dev/publishVersion";
/// Annotation that keeps a controller of any other version away.
const VERSION_REQUIRE: &str = "app.oam.dev/controller-version-require";
/// Label that makes the controller pass over the application.
const PAUSE: &str = "controller.core.oam.dev/pause";
/// What the controller calls itself in `managedFields`.
const CONTROLLERS: [&str; 3] = ["kubevela", "vela-core", "kubevela-vela-core"];

/// The row of an Application. Never fails; what could not be read as expected is listed in it.
pub fn application(object: &Value) -> Application {
    let faults = RefCell::new(Vec::new());
    let root = Node::root(object, &faults);
    let metadata = root.node("metadata");
    let annotations = metadata.node("annotations");
    let spec = root.node("spec");
    let status = root.node("status");
    metadata.require("name");

    let mut services: Vec<Service> = status.items("services").iter().map(service).collect();
    if services.iter().any(|service| service.workload.is_none()) {
        let applied = status.items("appliedResources");
        for service in services.iter_mut().filter(|service| service.workload.is_none()) {
            service.workload = workload(service, &applied);
        }
    }
    services.sort_by(|a, b| (&a.cluster, &a.namespace, &a.name).cmp(&(&b.cluster, &b.namespace, &b.name)));

    let mut app = Application {
        key: AppKey { namespace: metadata.text("namespace"), name: metadata.text("name") },
        uid: metadata.text("uid"),
        resource_version: metadata.text("resourceVersion"),
        generation: metadata.int("generation"),
        observed_generation: status.int("observedGeneration"),
        labels: metadata.labels(),
        created_at: metadata.time("creationTimestamp"),
        deleting_since: metadata.time("deletionTimestamp"),
        phase: status.text("status"),
        revision: status.node("latestRevision").filled("name"),
        publish_version: annotations.filled(PUBLISH_VERSION),
        frozen: annotations.filled(VERSION_REQUIRE),
        paused: metadata.node("labels").str(PAUSE) == "true",
        workflow: status.has("workflow").then(|| workflow_status(&status.node("workflow"))),
        steps: Vec::new(),
        services,
        components: spec.items("components").iter().map(component).collect(),
        placements: Vec::new(),
        conditions: conditions(&status),
        changed_by: changed_by(&metadata),
        malformed: Vec::new(),
    };
    let planned = spec::steps(&spec);
    app.steps = workflow::join(&app, planned, &status.node("workflow"));
    app.placements = placements(&app);
    app.malformed = faults.into_inner();
    app
}

fn workflow_status(workflow: &Node) -> WorkflowStatus {
    WorkflowStatus {
        app_revision: workflow.text("appRevision"),
        mode: workflow.text("mode"),
        phase: workflow.text("status"),
        message: without_cue_dump(workflow.message()).into(),
        suspend: workflow.bool("suspend"),
        terminated: workflow.bool("terminated"),
        finished: workflow.bool("finished"),
        started_at: workflow.time("startTime"),
        ended_at: workflow.time("endTime"),
    }
}

/// Kinds that a component is, rather than brings along, the first that is there.
const WORKLOADS: [&str; 8] =
    ["HelmRelease", "Kustomization", "Deployment", "StatefulSet", "DaemonSet", "CronJob", "Job", "Pod"];

/// Group and kind of an object, where both version and kind are told.
fn kind_of(object: &Node) -> Option<(Text, Text)> {
    let kind = object.filled("kind")?;
    let group = object.str("apiVersion").rsplit_once('/').map_or("", |(group, _)| group);
    Some((group.into(), kind))
}

/// What a component is, by what was applied: KubeVela gives a workload its component's name. Newer versions leave
/// `workloadDefinition` empty.
fn workload(service: &Service, applied: &[Node]) -> Option<(Text, Text)> {
    let is_of = |object: &&Node| {
        object.str("name") == &*service.name
            && ClusterId::named(object.str("cluster")) == service.cluster
            && (service.namespace.is_empty() || object.str("namespace") == &*service.namespace)
    };
    let named: Vec<&Node> = applied.iter().filter(is_of).collect();
    let rank = |object: &Node| WORKLOADS.iter().position(|kind| *kind == object.str("kind"));
    let best = named.iter().filter_map(|object| Some((rank(object)?, *object))).min_by_key(|(rank, _)| *rank);
    match (best, &named[..]) {
        (Some((_, object)), _) => kind_of(object),
        // An unheard-of kind, if it is the only one.
        (None, [only]) => kind_of(only),
        _ => None,
    }
}

fn service(service: &Node) -> Service {
    service.require("name");
    service.require("healthy");
    let mut unhealthy_traits: Vec<(Text, Text)> = service
        .items("traits")
        .iter()
        // A pending trait (1.11) has not been looked at yet.
        .filter(|item| item.has("healthy") && !item.bool("healthy") && !item.bool("pending"))
        .map(|item| (item.text("type"), item.message().into()))
        .collect();
    // Their order changes from one reconcile to the next.
    unhealthy_traits.sort();
    Service {
        name: service.text("name"),
        cluster: ClusterId::named(service.str("cluster")),
        namespace: service.text("namespace"),
        healthy: service.bool("healthy"),
        message: without_cue_dump(service.message()).into(),
        unhealthy_traits,
        workload: kind_of(&service.node("workloadDefinition")),
    }
}

fn component(component: &Node) -> Component {
    Component { name: component.text("name"), kind: component.text("type") }
}

fn conditions(status: &Node) -> Vec<Condition> {
    let not_true = |condition: &&Node| condition.str("status") != "True";
    status
        .items("conditions")
        .iter()
        .filter(not_true)
        .map(|condition| Condition {
            kind: condition.text("type"),
            status: condition.text("status"),
            reason: condition.text("reason"),
            message: without_cue_dump(condition.message()).into(),
            since: condition.time("lastTransitionTime"),
        })
        .collect()
}

/// The last writer that is not the controller itself, which writes all the time; the controller where there is no other.
fn changed_by(metadata: &Node) -> Option<Change> {
    let fields = metadata.items("managedFields");
    let newest = |by_controller: bool| {
        fields
            .iter()
            .filter(|field| CONTROLLERS.contains(&field.str("manager")) == by_controller)
            .map(|field| Change { manager: field.text("manager"), at: field.time("time") })
            .max_by_key(|change| change.at)
    };
    newest(false).or_else(|| newest(true))
}

/// Every (cluster, namespace) that the steps name, in their order.
fn placements(app: &Application) -> Vec<Placement> {
    let mut placements: Vec<Placement> = Vec::new();
    for target in app.leaves().flat_map(|(_, step)| &step.targets) {
        if let Target::Cluster(placement) = target
            && !placements.contains(placement)
        {
            placements.push(placement.clone());
        }
    }
    placements
}

/// The row of a VirtualCluster; `None` where it has no name.
pub fn cluster(object: &Value) -> Option<Cluster> {
    let faults = RefCell::new(Vec::new());
    let root = Node::root(object, &faults);
    let metadata = root.node("metadata");
    let spec = root.node("spec");
    let name = metadata.filled("name")?;
    let version = metadata.node("annotations").str("cluster.core.oam.dev/cluster-version");
    let version: Option<Value> = serde_json::from_str(version).ok();
    let version = version.as_ref().and_then(|v| v.get("gitVersion").or_else(|| v.get("GitVersion")));
    let mut labels: Vec<(Text, Text)> = metadata
        .node("labels")
        .strings()
        .filter(|(key, _)| !key.starts_with("cluster.core.oam.dev"))
        .map(|(key, value)| (key.into(), value.into()))
        .collect();
    labels.sort();
    Some(Cluster {
        id: ClusterId(name),
        alias: spec.text("alias"),
        kind: spec.text("credential-type"),
        endpoint: spec.text("endpoint"),
        accepted: spec.bool("accepted"),
        labels,
        version: version.and_then(Value::as_str).unwrap_or_default().into(),
    })
}
