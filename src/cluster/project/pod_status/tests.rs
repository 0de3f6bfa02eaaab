#![expect(clippy::needless_pass_by_value, reason = "cases are written as literals")]

use serde_json::{Value, json};

use crate::{
    cluster::project::{Meta, helm_release, pod, pod_owner},
    model::{
        health::Health,
        key::ClusterId,
        pod::{Pod, PodOwner},
    },
};

fn row(object: &Value) -> Pod {
    let owner = PodOwner { app: "web".into(), app_namespace: None, component: "".into() };
    pod(&ClusterId::named("foo"), object, owner).unwrap()
}

/// A pod with as many containers and init containers as it has statuses; `sidecars` names the restartable ones.
fn object(metadata: Value, status: Value, sidecars: &[&str]) -> Value {
    let named = |key: &str| -> Vec<Value> {
        let statuses = status[key].as_array().cloned().unwrap_or_default();
        statuses
            .iter()
            .map(|status| {
                let name = status["name"].as_str().unwrap();
                let policy = sidecars.contains(&name).then_some("Always");
                json!({"name": name, "restartPolicy": policy})
            })
            .collect()
    };
    let mut metadata = metadata;
    metadata["name"] = json!("p");
    let spec = json!({"containers": named("containerStatuses"), "initContainers": named("initContainerStatuses")});
    json!({"metadata": metadata, "spec": spec, "status": status})
}

fn one(name: &str, state: Value, more: Value) -> Value {
    let mut status = json!({"name": name, "state": state, "ready": false, "restartCount": 0});
    for (key, value) in more.as_object().unwrap() {
        status[key] = value.clone();
    }
    status
}

fn running(name: &str) -> Value {
    one(name, json!({"running": {}}), json!({"ready": true, "started": true}))
}

fn waiting(name: &str, reason: &str) -> Value {
    one(name, json!({"waiting": {"reason": reason}}), json!({}))
}

fn ended(name: &str, terminated: Value) -> Value {
    one(name, json!({"terminated": terminated}), json!({"restartCount": 2}))
}

#[test]
fn columns_are_those_of_kubectl() {
    let condition =
        |kind: &str, status: &str, reason: &str| json!([{"type": kind, "status": status, "reason": reason}]);
    let alive = json!({});
    let dying = json!({"deletionTimestamp": "2026-11-23T10:00:00Z"});
    let ok = json!({"exitCode": 0, "reason": "Completed"});
    let sidecar = ["proxy"];
    for (metadata, status, sidecars, expected) in [
        (
            &alive,
            json!({"phase": "Running", "containerStatuses": [running("a")]}),
            &[][..],
            ("Running", "1/1", 0, Health::Ok),
        ),
        (&alive, json!({"phase": "Pending"}), &[], ("Pending", "0/0", 0, Health::Progressing)),
        (
            &alive,
            json!({"phase": "Pending", "conditions": condition("PodScheduled", "False", "SchedulingGated")}),
            &[],
            ("SchedulingGated", "0/0", 0, Health::Pending),
        ),
        (
            &alive,
            json!({"phase": "Pending", "conditions": condition("PodScheduled", "False", "Unschedulable")}),
            &[],
            ("Pending", "0/0", 0, Health::Failed),
        ),
        (
            &alive,
            json!({"phase": "Pending", "containerStatuses": [waiting("a", "ContainerCreating")]}),
            &[],
            ("ContainerCreating", "0/1", 0, Health::Progressing),
        ),
        (
            &alive,
            json!({"phase": "Running", "containerStatuses": [
                one("a", json!({"waiting": {"reason": "CrashLoopBackOff"}}), json!({"restartCount": 6})), running("b"),
            ]}),
            &[],
            ("CrashLoopBackOff", "1/2", 6, Health::Failed),
        ),
        (
            &alive,
            json!({"phase": "Running", "containerStatuses": [ended("a", json!({"exitCode": 1, "reason": "Error"}))]}),
            &[],
            ("Error", "0/1", 2, Health::Failed),
        ),
        (
            &alive,
            json!({"phase": "Running", "containerStatuses": [ended("a", json!({"exitCode": 3}))]}),
            &[],
            ("ExitCode:3", "0/1", 2, Health::Failed),
        ),
        (
            &alive,
            json!({"phase": "Running", "containerStatuses": [ended("a", json!({"exitCode": 137, "signal": 9}))]}),
            &[],
            ("Signal:9", "0/1", 2, Health::Failed),
        ),
        (
            &alive,
            json!({"phase": "Succeeded", "containerStatuses": [ended("a", ok.clone())]}),
            &[],
            ("Completed", "0/1", 2, Health::Ok),
        ),
        (
            &alive,
            json!({"phase": "Running", "conditions": condition("Ready", "True", ""),
                "containerStatuses": [ended("a", ok.clone()), running("b")]}),
            &[],
            ("Running", "1/2", 2, Health::Ok),
        ),
        (
            &alive,
            json!({"phase": "Running", "containerStatuses": [ended("a", ok.clone()), running("b")]}),
            &[],
            ("NotReady", "1/2", 2, Health::Progressing),
        ),
        (&alive, json!({"phase": "Failed", "reason": "Evicted"}), &[], ("Evicted", "0/0", 0, Health::Failed)),
        (
            &alive,
            json!({"phase": "Pending", "initContainerStatuses": [
                ended("i", ok.clone()), one("j", json!({"running": {}}), json!({"restartCount": 1})),
            ], "containerStatuses": [waiting("a", "PodInitializing")]}),
            &[],
            ("Init:1/2", "0/1", 3, Health::Progressing),
        ),
        (
            &alive,
            json!({"phase": "Pending", "initContainerStatuses": [waiting("i", "CrashLoopBackOff")]}),
            &[],
            ("Init:CrashLoopBackOff", "0/0", 0, Health::Failed),
        ),
        (
            &alive,
            json!({"phase": "Pending", "initContainerStatuses": [waiting("i", "PodInitializing")]}),
            &[],
            ("Init:0/1", "0/0", 0, Health::Progressing),
        ),
        (
            &alive,
            json!({"phase": "Pending", "initContainerStatuses": [ended("i", json!({"exitCode": 2}))]}),
            &[],
            ("Init:ExitCode:2", "0/0", 2, Health::Failed),
        ),
        (
            &alive,
            json!({"phase": "Pending", "initContainerStatuses": [ended("i", json!({"exitCode": 2, "signal": 6}))]}),
            &[],
            ("Init:Signal:6", "0/0", 2, Health::Failed),
        ),
        (
            &alive,
            json!({"phase": "Pending", "initContainerStatuses": [ended("i", json!({"exitCode": 2, "reason": "Error"}))]}),
            &[],
            ("Init:Error", "0/0", 2, Health::Failed),
        ),
        (
            &alive,
            json!({"phase": "Running", "initContainerStatuses": [running("proxy")], "containerStatuses": [running("a")]}),
            &sidecar,
            ("Running", "2/2", 0, Health::Ok),
        ),
        (
            &alive,
            json!({"phase": "Pending", "initContainerStatuses": [
                one("proxy", json!({"running": {}}), json!({"started": false, "restartCount": 4})), waiting("i", "PodInitializing"),
            ], "containerStatuses": [waiting("a", "PodInitializing")]}),
            &sidecar,
            ("Init:0/2", "0/2", 4, Health::Progressing),
        ),
        (
            // Restarts of plain init containers do not count once the pod is up.
            &alive,
            json!({"phase": "Running", "initContainerStatuses": [
                ended("i", ok), one("proxy", json!({"running": {}}), json!({"started": true, "ready": true, "restartCount": 3})),
            ], "containerStatuses": [running("a")]}),
            &sidecar,
            ("Running", "2/2", 3, Health::Ok),
        ),
        (
            &dying,
            json!({"phase": "Running", "containerStatuses": [running("a")]}),
            &[],
            ("Terminating", "1/1", 0, Health::Progressing),
        ),
        (&dying, json!({"phase": "Running", "reason": "NodeLost"}), &[], ("Unknown", "0/0", 0, Health::Unknown)),
        (&dying, json!({"phase": "Failed", "reason": "Evicted"}), &[], ("Evicted", "0/0", 0, Health::Failed)),
        (&alive, json!({"phase": "Running", "reason": "NodeLost"}), &[], ("NodeLost", "0/0", 0, Health::Unknown)),
        (&alive, json!({"phase": "Unknown"}), &[], ("Unknown", "0/0", 0, Health::Unknown)),
        (&alive, json!({}), &[], ("", "0/0", 0, Health::Progressing)),
    ] {
        let object = object(metadata.clone(), status, sidecars);
        let pod = row(&object);
        let ready = format!("{}/{}", pod.ready, pod.total);
        assert_eq!((&*pod.status, &*ready, pod.restarts, pod.health), expected, "{object}");
    }
}

#[test]
fn up_again_after_a_crash_is_not_well_yet() {
    let crashed = json!({"ready": false, "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}});
    let status = json!({"phase": "Running", "containerStatuses": [one("a", json!({"running": {}}), crashed)]});
    let pod = row(&object(json!({}), status, &[]));
    assert_eq!((&*pod.status, pod.health, &*pod.message), ("Running", Health::Failed, "exit 137 OOMKilled"));
}

#[test]
fn containers_and_ports() {
    let pod = row(&json!({
        "metadata": {"name": "p", "namespace": "d"},
        "spec": {
            "nodeName": "n1",
            "initContainers": [{"name": "init"}, {"name": "proxy", "restartPolicy": "Always"}],
            "containers": [
                {"name": "a", "ports": [{"containerPort": 8080, "name": "http"}, {"containerPort": 99_999}, {"containerPort": "x"}]},
                {"name": "b", "ports": [{"containerPort": 53, "protocol": "UDP"}]},
            ],
        },
    }));
    let names: Vec<_> = pod.containers.iter().map(|c| (&*c.name, c.init)).collect();
    assert_eq!(names, [("a", false), ("b", false), ("proxy", false), ("init", true)]);
    assert_eq!(pod.containers[0].ports.len(), 1);
    assert_eq!((&*pod.containers[0].ports[0].protocol, &*pod.containers[1].ports[0].protocol), ("TCP", "UDP"));
    assert_eq!(&*pod.node, "n1");
}

#[test]
fn a_pod_without_a_name_is_none() {
    let owner = PodOwner { app: "web".into(), app_namespace: None, component: "".into() };
    assert!(pod(&ClusterId::local(), &json!({"metadata": {}}), owner.clone()).is_none());
    assert!(pod(&ClusterId::local(), &json!(null), owner).is_none());
}

#[test]
fn whom_labels_name() {
    let meta = Meta::of(&json!({"metadata": {
        "name": "hello", "namespace": "default", "uid": "u",
        "labels": {
            "app.oam.dev/name": "helm-hello", "app.oam.dev/component": "hello",
            "helm.toolkit.fluxcd.io/name": "hello", "helm.toolkit.fluxcd.io/namespace": "default",
        },
        "ownerReferences": [{"kind": "Other", "name": "o", "uid": "1"}, {"kind": "ReplicaSet", "name": "r", "uid": "2", "controller": true}],
    }}))
    .unwrap();
    let owner = pod_owner(&meta).unwrap();
    assert_eq!((&*owner.app, owner.app_namespace.as_deref(), &*owner.component), ("helm-hello", None, "hello"));
    assert_eq!(helm_release(&meta), Some(("default".into(), "hello".into())));
    assert_eq!(&*meta.controller().unwrap().name, "r");
    assert_eq!(pod_owner(&Meta::default()), None);
}
