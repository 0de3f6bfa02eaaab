use serde_json::json;

use super::*;

const NOW: &str = "2026-11-23T12:00:00Z";

fn stands(group: &str, kind: &str, object: &Value) -> (Health, String) {
    let mut whole = json!({"metadata": {"name": "x", "namespace": "default", "generation": 2}});
    whole.as_object_mut().unwrap().extend(object.as_object().unwrap().clone());
    let made = resource(&ClusterId::local(), group, kind, &whole, NOW.parse().unwrap()).unwrap();
    (made.health, made.message.to_string())
}

fn conditions(kind: &str, status: &str, reason: &str, message: &str, since: &str) -> Value {
    json!([{"type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": since}])
}

/// Kind, object, how it stands.
fn cases() -> Vec<(&'static str, &'static str, Value, Health, &'static str)> {
    let old = "2026-11-23T11:00:00Z";
    let fresh = "2026-11-23T11:59:50Z";
    let rolled = conditions("Progressing", "True", "NewReplicaSetAvailable", "", old);
    let rolling = conditions("Progressing", "True", "ReplicaSetUpdated", "", old);
    let stuck = conditions("Progressing", "False", "ProgressDeadlineExceeded", "web has timed out progressing.", old);
    let quota = conditions("ReplicaFailure", "True", "FailedCreate", "exceeded quota: small", old);
    let release = |status: &str, reason: &str, message: &str, since: &str| json!({"status": {"observedGeneration": 2, "conditions": conditions("Ready", status, reason, message, since)}});
    let deployment = |available: i64, updated: i64, conditions: &Value| {
        json!({"spec": {"replicas": 3}, "status": {"observedGeneration": 2, "availableReplicas": available,
            "updatedReplicas": updated, "conditions": conditions}})
    };
    vec![
        ("apps", "Deployment", deployment(3, 3, &rolled), Health::Ok, "3/3 available"),
        ("apps", "Deployment", deployment(0, 3, &rolling), Health::Progressing, "0/3 available"),
        ("apps", "Deployment", deployment(0, 3, &rolled), Health::Failed, "0/3 available"),
        ("apps", "Deployment", deployment(3, 1, &rolling), Health::Progressing, "3/3 available; 1 updated"),
        (
            "apps",
            "Deployment",
            deployment(1, 3, &stuck),
            Health::Failed,
            "1/3 available; ProgressDeadlineExceeded: web has timed out progressing.",
        ),
        (
            "apps",
            "Deployment",
            deployment(0, 0, &quota),
            Health::Failed,
            "0/3 available; FailedCreate: exceeded quota: small",
        ),
        (
            "apps",
            "Deployment",
            json!({"status": {"observedGeneration": 1, "availableReplicas": 1, "updatedReplicas": 1}}),
            Health::Progressing,
            "1/1 available; the newest spec is not observed yet",
        ),
        (
            "apps",
            "ReplicaSet",
            json!({"spec": {"replicas": 2}, "status": {"readyReplicas": 1}}),
            Health::Progressing,
            "1/2 ready",
        ),
        (
            "apps",
            "StatefulSet",
            json!({"spec": {"replicas": 2}, "status": {"observedGeneration": 2, "readyReplicas": 2}}),
            Health::Ok,
            "2/2 ready",
        ),
        (
            "apps",
            "StatefulSet",
            json!({"spec": {"replicas": 2}, "status": {"observedGeneration": 2, "readyReplicas": 2, "updatedReplicas": 1,
                "currentRevision": "a", "updateRevision": "b"}}),
            Health::Progressing,
            "2/2 ready; 1 updated",
        ),
        (
            "apps",
            "DaemonSet",
            json!({"status": {"observedGeneration": 2, "desiredNumberScheduled": 3, "numberReady": 2, "updatedNumberScheduled": 3}}),
            Health::Progressing,
            "2/3 ready",
        ),
        (
            "batch",
            "Job",
            json!({"status": {"failed": 7, "conditions": conditions("Failed", "True", "BackoffLimitExceeded", "Job has reached the specified backoff limit", old)}}),
            Health::Failed,
            "BackoffLimitExceeded: Job has reached the specified backoff limit",
        ),
        ("batch", "Job", json!({"status": {"active": 1}}), Health::Progressing, "0/1 done, 1 active"),
        (
            "batch",
            "Job",
            json!({"status": {"succeeded": 1, "conditions": conditions("Complete", "True", "", "", old)}}),
            Health::Ok,
            "complete 1/1",
        ),
        (
            "batch",
            "CronJob",
            json!({"spec": {"schedule": "0 3 * * *", "suspend": true}}),
            Health::Pending,
            "0 3 * * *; suspended",
        ),
        (
            "",
            "PersistentVolumeClaim",
            json!({"spec": {"storageClassName": "fast"}, "status": {"phase": "Pending"}}),
            Health::Progressing,
            "Pending fast",
        ),
        ("", "PersistentVolumeClaim", json!({"status": {"phase": "Lost"}}), Health::Failed, "Lost: its volume is gone"),
        (
            "",
            "Service",
            json!({"spec": {"type": "ClusterIP", "ports": [{"port": 80}, {"port": 53, "protocol": "UDP"}]}}),
            Health::Ok,
            "ClusterIP 80,53/UDP",
        ),
        (
            "",
            "Service",
            json!({"spec": {"type": "LoadBalancer", "ports": [{"port": 80}]}}),
            Health::Progressing,
            "LoadBalancer 80; no address yet",
        ),
        (
            "autoscaling",
            "HorizontalPodAutoscaler",
            json!({"spec": {"maxReplicas": 5}, "status": {"currentReplicas": 1, "desiredReplicas": 1,
                "conditions": conditions("ScalingActive", "False", "FailedGetResourceMetric", "no metrics", old)}}),
            Health::Failed,
            "1 of 1..5; FailedGetResourceMetric: no metrics",
        ),
        (
            "helm.toolkit.fluxcd.io",
            "HelmRelease",
            release("True", "ReconciliationSucceeded", "Release reconciliation succeeded", old),
            Health::Ok,
            "Release reconciliation succeeded",
        ),
        (
            "helm.toolkit.fluxcd.io",
            "HelmRelease",
            release("False", "InstallFailed", "install retries exhausted", fresh),
            Health::Failed,
            "install retries exhausted",
        ),
        (
            "helm.toolkit.fluxcd.io",
            "HelmRelease",
            release("False", "ArtifactFailed", "HelmChart 'default/default-hello' is not ready", fresh),
            Health::Progressing,
            "HelmChart 'default/default-hello' is not ready",
        ),
        (
            "helm.toolkit.fluxcd.io",
            "HelmRelease",
            release("False", "ArtifactFailed", "HelmChart 'default/default-hello' is not ready", old),
            Health::Failed,
            "HelmChart 'default/default-hello' is not ready",
        ),
        (
            "helm.toolkit.fluxcd.io",
            "HelmRelease",
            release("Unknown", "Progressing", "Reconciliation in progress", old),
            Health::Progressing,
            "Reconciliation in progress",
        ),
        (
            "kustomize.toolkit.fluxcd.io",
            "Kustomization",
            json!({"spec": {"suspend": true}}),
            Health::Pending,
            "suspended; ",
        ),
        (
            "example.dev",
            "Database",
            json!({"status": {"observedGeneration": 1}}),
            Health::Progressing,
            "the newest spec is not observed yet",
        ),
        (
            "example.dev",
            "Database",
            json!({"status": {"conditions": conditions("Ready", "False", "BackupFailed", "no space", old)}}),
            Health::Failed,
            "BackupFailed: no space",
        ),
        (
            "example.dev",
            "Database",
            json!({"status": {"conditions": conditions("Ready", "False", "Creating", "", old)}}),
            Health::Progressing,
            "Creating",
        ),
        ("example.dev", "Database", json!({"status": {"phase": "Failed"}}), Health::Failed, "Failed"),
        ("example.dev", "Database", json!({}), Health::Ok, ""),
        ("example.dev", "Database", json!({"status": "what?"}), Health::Ok, ""),
    ]
}

#[test]
fn each_kind_stands_by_its_own_rules() {
    for (group, kind, object, health, message) in cases() {
        let told = stands(group, kind, &object);
        assert_eq!((told.0, told.1.as_str()), (health, message), "{kind}: {object}");
    }
}

#[test]
fn what_is_being_deleted_says_what_holds_it() {
    let dying = json!({"metadata": {"name": "x", "deletionTimestamp": NOW, "finalizers": ["example.dev/keep"]}});
    assert_eq!(
        stands("", "ConfigMap", &dying),
        (Health::Progressing, "being deleted, held by example.dev/keep".into())
    );
}

#[test]
fn whose_it_is_stands_in_its_labels_and_owners() {
    let object = json!({"metadata": {"name": "x", "namespace": "web", "uid": "u",
        "labels": {"helm.toolkit.fluxcd.io/name": "hello", "helm.toolkit.fluxcd.io/namespace": "flux"},
        "ownerReferences": [{"kind": "A", "name": "a", "uid": "1"}, {"kind": "B", "name": "b", "uid": "2"}]}});
    let made = resource(&ClusterId::named("foo"), "apps", "Deployment", &object, NOW.parse().unwrap()).unwrap();
    assert_eq!(made.made_by, Some(("HelmRelease".into(), "flux".into(), "hello".into())));
    assert_eq!(made.owners, ["1".into(), "2".into()]);
}

#[test]
fn a_release_says_where_it_makes_what() {
    let release = json!({"metadata": {"name": "hello", "namespace": "flux"},
        "spec": {"targetNamespace": "web", "storageNamespace": "flux"},
        "status": {"inventory": {"entries": [{"id": "web_hello_apps_Deployment", "v": "v1"}, {"id": "web_hello__Service", "v": "v1"},
            {"id": "_system__hello_rbac.authorization.k8s.io_ClusterRole", "v": "v1"}, {"id": "nonsense"}, {"v": "v1"}]}}});
    let made = |release: &Value| {
        resource(&ClusterId::local(), "helm.toolkit.fluxcd.io", "HelmRelease", release, NOW.parse().unwrap())
            .unwrap()
            .makes
    };
    let makes = made(&release).unwrap();
    assert_eq!(makes.namespaces, ["web".into()]);
    let told: Vec<String> = makes
        .inventory
        .iter()
        .map(|key| format!("{}/{}.{}/{}", key.namespace, key.kind, key.group, key.name))
        .collect();
    assert_eq!(
        told,
        ["web/Deployment.apps/hello", "web/Service./hello", "/ClusterRole.rbac.authorization.k8s.io/system:hello"]
    );
    let mut elsewhere = release.clone();
    elsewhere["spec"]["kubeConfig"] = json!({"secretRef": {"name": "other"}});
    assert!(made(&elsewhere).is_none(), "what it makes is in a cluster that is not known");
}
