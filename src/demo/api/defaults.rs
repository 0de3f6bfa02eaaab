//! What an API server adds to new objects, as far as a reader of the estate would miss it.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Map, Value, json};

use super::write::entry;
use crate::demo::kinds::Kind;
use crate::demo::store::mix;

/// Completes a new object.
pub(crate) fn complete(kind: &Kind, object: &mut Value) {
    match (kind.group, kind.name) {
        ("", "Namespace") => {
            let name = object["metadata"]["name"].clone();
            set(&mut object["metadata"]["labels"], "kubernetes.io/metadata.name", name);
            set(&mut object["spec"], "finalizers", json!(["kubernetes"]));
            object["status"] = json!({ "phase": "Active" });
        }
        ("", "Pod") => {
            pod(&mut object["spec"]);
            object["status"] = json!({ "phase": "Pending", "qosClass": "BestEffort" });
        }
        ("", "Service") => service(object),
        ("", "PersistentVolumeClaim") => object["status"] = json!({ "phase": "Pending" }),
        ("", "Secret") => set(object, "type", json!("Opaque")),
        ("apps", "Deployment") => {
            let spec = &mut object["spec"];
            set(spec, "replicas", json!(1));
            set(spec, "revisionHistoryLimit", json!(10));
            set(spec, "progressDeadlineSeconds", json!(600));
            let rolling =
                json!({ "type": "RollingUpdate", "rollingUpdate": { "maxSurge": "25%", "maxUnavailable": "25%" } });
            set(spec, "strategy", rolling);
            pod(&mut spec["template"]["spec"]);
        }
        ("apps", "StatefulSet" | "ReplicaSet") => {
            set(&mut object["spec"], "replicas", json!(1));
            pod(&mut object["spec"]["template"]["spec"]);
        }
        ("apps", "DaemonSet") => pod(&mut object["spec"]["template"]["spec"]),
        ("batch", "Job") => {
            for (field, value) in [("parallelism", 1), ("completions", 1), ("backoffLimit", 6)] {
                set(&mut object["spec"], field, json!(value));
            }
        }
        ("batch", "CronJob") => {
            set(&mut object["spec"], "suspend", json!(false));
            set(&mut object["spec"], "concurrencyPolicy", json!("Allow"));
        }
        _ => {}
    }
}

/// What a Secret is given as text it keeps as bytes.
pub(crate) fn encode_secret(object: &mut Value) {
    if object["kind"] != "Secret" {
        return;
    }
    let plain = object.as_object_mut().and_then(|map| map.shift_remove("stringData"));
    for (key, value) in plain.as_ref().and_then(Value::as_object).into_iter().flatten() {
        *entry(entry(object, "data"), key) = json!(STANDARD.encode(value.as_str().unwrap_or_default()));
    }
}

fn set(object: &mut Value, field: &str, default: Value) {
    if !object.is_object() {
        *object = Value::Object(Map::new());
    }
    if let Some(fields) = object.as_object_mut() {
        fields.entry(field).or_insert(default);
    }
}

fn pod(spec: &mut Value) {
    for (field, value) in [
        ("restartPolicy", json!("Always")),
        ("terminationGracePeriodSeconds", json!(30)),
        ("dnsPolicy", json!("ClusterFirst")),
        ("schedulerName", json!("default-scheduler")),
        ("securityContext", json!({})),
    ] {
        set(spec, field, value);
    }
    for container in spec.get_mut("containers").and_then(Value::as_array_mut).into_iter().flatten() {
        set(container, "imagePullPolicy", json!("IfNotPresent"));
        set(container, "resources", json!({}));
        set(container, "terminationMessagePath", json!("/dev/termination-log"));
        set(container, "terminationMessagePolicy", json!("File"));
        for port in container.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten() {
            set(port, "protocol", json!("TCP"));
        }
    }
}

fn service(object: &mut Value) {
    let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default().to_owned();
    let spec = &mut object["spec"];
    set(spec, "type", json!("ClusterIP"));
    set(spec, "sessionAffinity", json!("None"));
    for port in spec.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten() {
        let number = port["port"].clone();
        set(port, "protocol", json!("TCP"));
        set(port, "targetPort", number);
    }
    if spec["type"] != "ExternalName" {
        // One address for one name, so that the same estate has the same addresses.
        let hash = name.bytes().chain([0]).chain(namespace.bytes()).fold(0, |hash, byte| mix(hash ^ u64::from(byte)));
        let address = format!("10.96.{}.{}", hash >> 8 & 0xff, hash % 254 + 1);
        set(spec, "clusterIP", json!(address));
        let address = spec["clusterIP"].clone();
        set(spec, "clusterIPs", json!([address]));
        set(spec, "ipFamilies", json!(["IPv4"]));
        set(spec, "ipFamilyPolicy", json!("SingleStack"));
        set(spec, "internalTrafficPolicy", json!("Cluster"));
    }
    object["status"] = json!({ "loadBalancer": {} });
}
