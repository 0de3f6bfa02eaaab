//! Services: an address, and the EndpointSlice of the pods behind it.

use serde_json::{Value, json};

use crate::demo::controllers::api;
use crate::demo::controllers::naming;
use crate::demo::controllers::object::{self, Object};
use crate::demo::controllers::reconciler::{Round, Write};

pub(super) fn reconcile(service: &Object, round: &mut Round<'_>) {
    if object::deleting(service) {
        return;
    }
    if object::text(service, "/spec/clusterIP").is_empty() && object::text(service, "/spec/type") != "ExternalName" {
        let mut new = service.clone();
        let seed = naming::hash(object::uid(service));
        let address = format!("10.96.{}.{}", seed % 256, 1 + (seed >> 8) % 254);
        object::set(&mut new, &["spec", "clusterIP"], json!(address));
        object::set(&mut new, &["spec", "clusterIPs"], json!([address]));
        if object::text(service, "/spec/type").is_empty() {
            object::set(&mut new, &["spec", "type"], json!("ClusterIP"));
        }
        round.writes.push(Write::Replace(api::SERVICE.clone(), new));
        return;
    }
    if service.pointer("/spec/selector").is_none() {
        return;
    }
    let mut slice = slice(service, round);
    let old = round
        .mirror
        .of(&api::ENDPOINT_SLICE, object::namespace(service))
        .find(|slice| object::owned_by(slice, service));
    match old {
        None => round.writes.push(Write::Create(api::ENDPOINT_SLICE.clone(), slice)),
        Some(old) if old["endpoints"] != slice["endpoints"] || old["ports"] != slice["ports"] => {
            slice["metadata"] = old["metadata"].clone();
            round.writes.push(Write::Replace(api::ENDPOINT_SLICE.clone(), slice));
        }
        Some(_) => {}
    }
}

fn slice(service: &Object, round: &Round<'_>) -> Value {
    let pods: Vec<_> = round
        .mirror
        .of(&api::POD, object::namespace(service))
        .filter(|pod| {
            object::matches(service.pointer("/spec/selector"), pod.pointer("/metadata/labels"))
                && !object::text(pod, "/status/podIP").is_empty()
        })
        .collect();
    let endpoints: Vec<Value> = pods
        .iter()
        .map(|pod| {
            let (ready, ending) = (object::is_true(pod, "Ready"), object::deleting(pod));
            json!({
                "addresses": [object::text(pod, "/status/podIP")],
                "conditions": {"ready": ready && !ending, "serving": ready, "terminating": ending},
                "nodeName": object::text(pod, "/spec/nodeName"),
                "targetRef": {
                    "kind": "Pod",
                    "name": object::name(pod),
                    "namespace": object::namespace(pod),
                    "uid": object::uid(pod),
                },
            })
        })
        .collect();
    let ports: Vec<Value> = object::list(service, "/spec/ports")
        .iter()
        .map(|port| {
            let mut out = json!({
                "port": target_port(port, pods.first().map(AsRef::as_ref)),
                "protocol": port["protocol"].as_str().unwrap_or("TCP"),
            });
            if let Some(name) = port["name"].as_str() {
                out["name"] = json!(name);
            }
            out
        })
        .collect();
    let name = object::name(service);
    let mut labels = service["metadata"]["labels"].clone();
    object::set(&mut labels, &["kubernetes.io/service-name"], json!(name));
    object::set(&mut labels, &["endpointslice.kubernetes.io/managed-by"], json!("endpointslice-controller.k8s.io"));
    json!({
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": format!("{name}-{}", naming::suffix(object::uid(service), 5)),
            "generateName": format!("{name}-"),
            "namespace": object::namespace(service),
            "labels": labels,
            "ownerReferences": [object::owner_reference(service)],
        },
        "addressType": "IPv4",
        "endpoints": endpoints,
        "ports": ports,
    })
}

/// The container's port that a service's port leads to: a number, or the name of one in the pod.
fn target_port(port: &Value, pod: Option<&Object>) -> Value {
    match &port["targetPort"] {
        Value::String(name) => pod
            .into_iter()
            .flat_map(|pod| object::list(pod, "/spec/containers"))
            .flat_map(|container| object::list(container, "/ports"))
            .find(|one| one["name"] == name.as_str())
            .map_or(Value::Null, |one| one["containerPort"].clone()),
        Value::Null => port["port"].clone(),
        number => number.clone(),
    }
}
