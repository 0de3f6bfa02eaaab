//! metrics.k8s.io as the metrics-server answers it: what running pods and their nodes use, worked out when somebody
//! asks and never stored.
//!
//! What a scenario measures itself (a placed PodMetrics or NodeMetrics) stays as that says. Any other container that
//! runs uses about half of what it requests, or a little where it requests nothing; never more than its limits; in
//! another [`WINDOW`] a little more or less. One that does not run is not measured.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::api::{self, Answer, Format, Target};
use super::clock;
use super::kinds::{self, Kind};
use super::query::Query;
use super::selector::Selector;
use super::status::Status;
use super::store::{self, Key, Object, Store, mix};

/// The group.
pub(crate) const GROUP: &str = "metrics.k8s.io";
/// How often the metrics-server looks, in seconds.
const WINDOW: i64 = 15;
/// CPU (thousandths of a core) and memory (MiB) of a container that requests nothing.
const USUAL: (u64, u64) = (20, 48);

/// Answers a get or a list.
pub(crate) fn answer(store: &Store, target: &Target, headers: &HeaderMap, query: &Query) -> Result<Answer, Status> {
    let format = Format::negotiate(headers, query)?;
    let now = Timestamp::now();
    let found = |namespace: &str, selector: &Selector| {
        let mut found: BTreeMap<Key, Value> = BTreeMap::new();
        for placed in all(store, target.kind, namespace, selector) {
            found.insert(placed.key.clone(), placed.value(target.kind));
        }
        for object in
            all(store, kinds::core(if target.kind.namespaced { "pods" } else { "nodes" }), namespace, selector)
        {
            if !found.contains_key(&object.key)
                && let Some(measured) = measure(store, target.kind, &object, now)
            {
                found.insert(object.key.clone(), measured);
            }
        }
        found.into_iter().map(|(key, value)| dated(&key, value, now)).collect::<Vec<_>>()
    };
    if !target.name.is_empty() {
        let mut one = found(&target.namespace, &Selector::default());
        one.retain(|object| *object.key.name == *target.name);
        let object = one.pop().ok_or_else(|| Status::not_found(target.kind, &target.name))?;
        return Ok(api::answer_json(StatusCode::OK, api::full(format.one(target.kind, &object))));
    }
    let selector = Selector::of(target.kind, query.get("labelSelector"), query.get("fieldSelector"))?;
    let list = format.list(target.kind, found(&target.namespace, &selector), &json!({}));
    Ok(api::answer_json(StatusCode::OK, list))
}

fn all(store: &Store, kind: &'static Kind, namespace: &str, selector: &Selector) -> Vec<Arc<Object>> {
    let query = store::Query { kind, namespace, selector, after: None, limit: 0, at: None };
    store.list(&query).map(|page| page.objects).unwrap_or_default()
}

/// What a pod or a node uses; `None` where it is not measured.
fn measure(store: &Store, kind: &'static Kind, object: &Object, now: Timestamp) -> Option<Value> {
    if kind.namespaced { of_pod(&object.value(kinds::core("pods")), now) } else { Some(of_node(store, object, now)) }
}

/// With its name, and when it was measured.
fn dated(key: &Key, mut measured: Value, now: Timestamp) -> Arc<Object> {
    let window = now.as_second() - now.as_second().rem_euclid(WINDOW);
    let time = Timestamp::from_second(window).map_or_else(|_| clock::now(), clock::rfc3339);
    measured["metadata"]["name"] = (*key.name).into();
    if !key.namespace.is_empty() {
        measured["metadata"]["namespace"] = (*key.namespace).into();
    }
    measured["metadata"]["creationTimestamp"] = time.as_str().into();
    measured["timestamp"] = time.into();
    measured["window"] = format!("{WINDOW}s").into();
    Arc::new(Object::computed(measured))
}

fn of_pod(pod: &Value, now: Timestamp) -> Option<Value> {
    let list = |at: &str| pod.pointer(at).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let runs = |name: &Value| {
        let statuses = list("/status/containerStatuses").iter();
        statuses.filter(|status| status["name"] == *name).any(|status| status["state"]["running"].is_object())
    };
    let uid = pod["metadata"]["uid"].as_str().unwrap_or_default();
    let containers: Vec<Value> = list("/spec/containers")
        .iter()
        .filter(|container| runs(&container["name"]))
        .map(|container| {
            let (cpu, memory) = usage(uid, container, now);
            json!({"name": container["name"], "usage": {"cpu": format!("{cpu}m"), "memory": format!("{memory}Mi")}})
        })
        .collect();
    (!containers.is_empty()).then(|| json!({"metadata": {}, "containers": containers}))
}

/// What a container uses: thousandths of a core, and MiB. Memory stays as it is, CPU moves.
fn usage(uid: &str, container: &Value, now: Timestamp) -> (u64, u64) {
    let name = container["name"].as_str().unwrap_or_default();
    let drawn = uid.bytes().chain(name.bytes()).fold(0_u64, |seed, byte| mix(seed ^ u64::from(byte)));
    let of = |what: &str, unit: &str| {
        let quantity = container["resources"][what][unit].as_str()?;
        if unit == "cpu" { thousandths(quantity) } else { mebibytes(quantity) }
    };
    let share = |base: u64, percent: u64| (base * percent / 100).max(1);
    let window = mix(drawn ^ now.as_second().div_euclid(WINDOW).cast_unsigned());
    let cpu = share(of("requests", "cpu").unwrap_or(USUAL.0), 35 + drawn % 40 + window % 15);
    let memory = share(of("requests", "memory").unwrap_or(USUAL.1), 50 + (drawn >> 16) % 40);
    let limit = |unit: &str| of("limits", unit).unwrap_or(u64::MAX);
    (cpu.min(limit("cpu")), memory.min(limit("memory")))
}

/// All that its pods use, and what the system itself does.
fn of_node(store: &Store, node: &Object, now: Timestamp) -> Value {
    let (mut cpu, mut memory) = (150, 900);
    for pod in all(store, kinds::core("pods"), "", &Selector::default()) {
        let pod = pod.value(kinds::core("pods"));
        if pod["spec"]["nodeName"].as_str() != Some(&*node.key.name) || of_pod(&pod, now).is_none() {
            continue;
        }
        for container in pod["spec"]["containers"].as_array().into_iter().flatten() {
            let used = usage(pod["metadata"]["uid"].as_str().unwrap_or_default(), container, now);
            cpu += used.0;
            memory += used.1;
        }
    }
    json!({"metadata": {}, "usage": {"cpu": format!("{cpu}m"), "memory": format!("{memory}Mi")}})
}

/// `250m` or `2` of CPU.
fn thousandths(quantity: &str) -> Option<u64> {
    match quantity.strip_suffix('m') {
        Some(number) => number.parse().ok(),
        None => quantity.parse::<u64>().ok()?.checked_mul(1000),
    }
}

/// `64Mi` or `2Gi` of memory.
fn mebibytes(quantity: &str) -> Option<u64> {
    match quantity.strip_suffix("Gi") {
        Some(number) => number.parse::<u64>().ok()?.checked_mul(1024),
        None => quantity.strip_suffix("Mi")?.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(name: &str, state: &Value, resources: &Value) -> Value {
        json!({
            "metadata": {"name": name, "namespace": "default", "uid": name},
            "spec": {"containers": [{"name": "web", "resources": resources}]},
            "status": {"containerStatuses": [{"name": "web", "state": state}]},
        })
    }

    #[test]
    fn what_runs_uses_a_part_of_what_it_asked_for_and_what_does_not_run_is_not_measured() {
        let now: Timestamp = "2026-11-23T10:00:00Z".parse().unwrap();
        let resources = json!({"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"cpu": "2", "memory": "600Mi"}});
        let running = json!({"running": {}});
        let used = of_pod(&pod("a", &running, &resources), now).unwrap();
        let usage = &used["containers"][0]["usage"];
        let cpu = thousandths(usage["cpu"].as_str().unwrap()).unwrap();
        assert!((350..1000).contains(&cpu), "{cpu}");
        assert!(mebibytes(usage["memory"].as_str().unwrap()).unwrap() <= 600);
        assert_eq!(used, of_pod(&pod("a", &running, &resources), now).unwrap());
        assert_eq!(of_pod(&pod("a", &json!({"waiting": {}}), &resources), now), None);
    }

    #[test]
    fn quantities_are_read_as_far_as_the_estate_writes_them() {
        assert_eq!((thousandths("250m"), thousandths("2"), thousandths("x")), (Some(250), Some(2000), None));
        assert_eq!((mebibytes("64Mi"), mebibytes("2Gi"), mebibytes("5")), (Some(64), Some(2048), None));
    }
}
