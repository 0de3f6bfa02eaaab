//! Whether a component is healthy, in the words of KubeVela's definitions (the misspelling is the addon's).

use serde_json::{Value, json};

use crate::demo::controllers::object;

/// How a component stands in one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Health {
    pub(super) healthy: bool,
    pub(super) message: String,
}

/// Judges a component by its live objects, the workload first.
pub(super) fn judge<'a>(live: impl IntoIterator<Item = &'a Value>) -> Health {
    let mut live = live.into_iter();
    let Some(workload) = live.next() else {
        return Health { healthy: true, message: String::new() };
    };
    match object::text(workload, "/kind") {
        "HelmRelease" => helm(workload, live.next()),
        "Deployment" => deployment(workload),
        _ => Health { healthy: true, message: String::new() },
    }
}

fn helm(release: &Value, repository: Option<&Value>) -> Health {
    let conditions = object::list(release, "/status/conditions");
    // What was said of an older generation does not count: an edited release was seen to be waited for.
    let current =
        object::number(release, "/status/observedGeneration") >= object::number(release, "/metadata/generation");
    let healthy = current && conditions.first().is_some_and(|first| first["status"] == "True");
    let fetched = repository.map(|repository| object::list(repository, "/status/conditions"));
    let fetched = fetched.filter(|conditions| !conditions.is_empty());
    let message = match (fetched, conditions.first()) {
        (None, None) => "Wating repository ready".to_owned(),
        (Some(_), None) => "Fetch repository successfully, Creating helm release".to_owned(),
        (fetched, Some(first)) => {
            let said = object::text(first, "/message");
            let delivered = if said == "Release reconciliation succeeded" {
                "Create helm release successfully".to_owned()
            } else {
                let more = conditions.get(1).map(|second| object::text(second, "/message"));
                let more = more.map(|more| format!(", {more}")).unwrap_or_default();
                format!("Delivery helm release in progress, message: {said}{more}")
            };
            match fetched.and_then(|conditions| conditions.first()) {
                None => delivered,
                Some(first) if first["type"] == "Ready" && first["status"] == "True" => {
                    format!("Fetch repository successfully, {delivered}")
                }
                Some(_) => format!("Fetch repository fail, {delivered}"),
            }
        }
    };
    Health { healthy, message }
}

fn deployment(workload: &Value) -> Health {
    let wanted = workload.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or(1);
    let status = |field: &str| object::number(workload, &format!("/status/{field}"));
    let ready = status("readyReplicas");
    let healthy = ready == wanted
        && status("updatedReplicas") == wanted
        && status("replicas") == wanted
        && status("observedGeneration") >= object::number(workload, "/metadata/generation");
    Health { healthy, message: format!("Ready:{ready}/{wanted}") }
}

/// The row of a component in `status.services`.
pub(super) fn service(component: &Value, cluster: &str, namespace: &str, live: &[Value]) -> Value {
    let health = judge(live);
    let workload = live.first().unwrap_or(&Value::Null);
    // The definition of `helm` names no workload type, so neither does its row.
    let helm = workload["kind"] == "HelmRelease";
    let of = |key: &str| if helm { "" } else { object::text(workload, key) };
    let mut row = json!({
        "cluster": cluster,
        "healthy": health.healthy,
        "name": component["name"],
        "namespace": namespace,
        "workloadDefinition": {"apiVersion": of("/apiVersion"), "kind": of("/kind")},
    });
    if !health.message.is_empty() {
        row["message"] = json!(health.message);
    }
    let traits: Vec<Value> =
        object::list(component, "/traits").iter().map(|one| json!({"healthy": true, "type": one["type"]})).collect();
    if !traits.is_empty() {
        row["traits"] = Value::Array(traits);
    }
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conditions(all: &[(&str, &str, &str)]) -> Value {
        let all: Vec<Value> = all
            .iter()
            .map(|(kind, status, message)| json!({"type": kind, "status": status, "message": message}))
            .collect();
        json!({"conditions": all})
    }

    #[test]
    fn a_helm_release_says_what_was_captured_at_each_stage() {
        let release = |status| json!({"kind": "HelmRelease", "status": status});
        let repository = |status| json!({"kind": "HelmRepository", "status": status});
        let message = |a: Value, b: Value| judge(&[a, b]).message;
        let none = || json!({});
        assert_eq!(message(release(none()), repository(none())), "Wating repository ready");
        let not_ready = conditions(&[("Ready", "False", "HelmChart 'default/default-hello' is not ready")]);
        assert_eq!(
            message(release(not_ready.clone()), repository(none())),
            "Delivery helm release in progress, message: HelmChart 'default/default-hello' is not ready"
        );
        let fetching = conditions(&[("Reconciling", "True", "reconciling")]);
        assert_eq!(
            message(release(not_ready), repository(fetching)),
            "Fetch repository fail, Delivery helm release in progress, message: HelmChart 'default/default-hello' is not ready"
        );
        let fetched = conditions(&[("Ready", "True", "stored artifact")]);
        let progressing = conditions(&[("Ready", "Unknown", "Reconciliation in progress")]);
        assert_eq!(
            message(release(progressing), repository(fetched.clone())),
            "Fetch repository successfully, Delivery helm release in progress, message: Reconciliation in progress"
        );
        let ready = conditions(&[
            ("Ready", "True", "Release reconciliation succeeded"),
            ("Released", "True", "Helm install succeeded"),
        ]);
        let done = judge(&[release(ready.clone()), repository(fetched.clone())]);
        assert!(done.healthy);
        let mut edited = release(ready);
        edited["metadata"] = json!({"generation": 2});
        assert!(!judge(&[edited, repository(fetched)]).healthy);
        assert_eq!(done.message, "Fetch repository successfully, Create helm release successfully");
    }

    #[test]
    fn a_deployment_is_healthy_when_all_its_pods_are() {
        let workload = |ready: i64| {
            json!({"kind": "Deployment", "apiVersion": "apps/v1", "metadata": {"generation": 1}, "spec": {"replicas": 3},
                "status": {"observedGeneration": 1, "replicas": 3, "updatedReplicas": 3, "readyReplicas": ready}})
        };
        let row = service(&json!({"name": "web", "traits": [{"type": "scaler"}]}), "foo", "default", &[workload(2)]);
        assert_eq!(
            row,
            json!({
                "cluster": "foo", "healthy": false, "message": "Ready:2/3", "name": "web", "namespace": "default",
                "traits": [{"healthy": true, "type": "scaler"}],
                "workloadDefinition": {"apiVersion": "apps/v1", "kind": "Deployment"},
            })
        );
        assert!(judge(&[workload(3)]).healthy);
    }
}
