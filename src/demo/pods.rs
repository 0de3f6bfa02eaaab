//! What runs in the simulated pods: logs, and servers on their ports. The estate's stand-in for the kubelet.

use serde_json::Value;

use super::kinds;
use super::status::Status;
use super::store::{Key, Store};

pub(crate) mod exec;
pub(crate) mod forward;
pub(crate) mod log;
mod page;
mod shell;
mod speech;

/// One container of a pod, as the pod's status tells of it.
pub(crate) struct Container<'a> {
    pub(crate) name: &'a str,
    pub(crate) spec: &'a Value,
    /// Null until the kubelet has said something.
    pub(crate) status: &'a Value,
}

/// All containers of a pod, the ordinary ones first.
pub(crate) fn containers(pod: &Value) -> Vec<Container<'_>> {
    static NOTHING: Value = Value::Null;
    let mut out = Vec::new();
    for (list, statuses) in [
        ("containers", "containerStatuses"),
        ("initContainers", "initContainerStatuses"),
        ("ephemeralContainers", "ephemeralContainerStatuses"),
    ] {
        for spec in pod["spec"][list].as_array().into_iter().flatten() {
            let name = spec["name"].as_str().unwrap_or_default();
            let statuses = pod["status"][statuses].as_array();
            let status = statuses.into_iter().flatten().find(|status| status["name"] == name).unwrap_or(&NOTHING);
            out.push(Container { name, spec, status });
        }
    }
    out
}

/// The container that is meant by a request that may name none.
pub(crate) fn choose<'a>(pod: &'a Value, asked: &str) -> Result<Container<'a>, Status> {
    let pod_name = pod["metadata"]["name"].as_str().unwrap_or_default();
    let ordinary = pod["spec"]["containers"].as_array().map_or(0, Vec::len);
    let mut all = containers(pod);
    if asked.is_empty() {
        if ordinary == 1 {
            return Ok(all.swap_remove(0));
        }
        let names: Vec<&str> = all.iter().take(ordinary).map(|container| container.name).collect();
        let names = names.join(" ");
        let message = format!("a container name must be specified for pod {pod_name}, choose one of: [{names}]");
        return Err(Status::bad_request(message));
    }
    let found = all.into_iter().find(|container| container.name == asked);
    found.ok_or_else(|| Status::bad_request(format!("container {asked} is not valid for pod {pod_name}")))
}

/// Whether the pod was given to a node; nobody can speak to one that was not.
pub(crate) fn check_scheduled(pod: &Value) -> Result<(), Status> {
    if pod["spec"]["nodeName"].as_str().is_some_and(|node| !node.is_empty()) {
        return Ok(());
    }
    let name = pod["metadata"]["name"].as_str().unwrap_or_default();
    Err(Status::bad_request(format!("pod {name} does not have a host assigned")))
}

/// A container's environment, with what comes from ConfigMaps looked up.
pub(crate) fn environment(store: &Store, pod: &Value, container: &Container<'_>) -> Vec<(String, String)> {
    let namespace = pod["metadata"]["namespace"].as_str().unwrap_or_default();
    let maps = kinds::core("configmaps");
    let data = |name: &Value| -> Option<Value> {
        Some(store.get(maps, &Key::new(namespace, name.as_str()?))?.value(maps)["data"].take())
    };
    let mut all = Vec::new();
    for source in container.spec["envFrom"].as_array().into_iter().flatten() {
        let data = data(&source["configMapRef"]["name"]).unwrap_or_default();
        for (name, value) in data.as_object().into_iter().flatten() {
            all.push((name.clone(), value.as_str().unwrap_or_default().to_owned()));
        }
    }
    for variable in container.spec["env"].as_array().into_iter().flatten() {
        let reference = &variable["valueFrom"]["configMapKeyRef"];
        let value = match variable["value"].as_str() {
            Some(value) => Some(value.to_owned()),
            None => data(&reference["name"])
                .and_then(|data| Some(data.get(reference["key"].as_str()?)?.as_str()?.to_owned())),
        };
        if let (Some(name), Some(value)) = (variable["name"].as_str(), value) {
            all.push((name.to_owned(), value));
        }
    }
    all
}
