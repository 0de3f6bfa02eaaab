//! What an estate holds when it starts: the embedded scenarios, and the synthetic members that only `--clusters` asks
//! for.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::api;
use super::controllers::placed;
use super::gateway;
use super::kinds::{self, FLUX, VELA};
use super::store::Key;
use super::world::{Cluster, World};
use super::{Error, HUB, MEMBER, metrics, scenario};

/// Furnishes every cluster; a cluster is joined and has Flux unless the estate is to be empty.
pub(crate) fn place(world: &World) -> Result<(), Error> {
    let empty = world.options.empty;
    for cluster in &world.clusters {
        // The namespaces that every API server makes for itself.
        for name in ["default", "kube-node-lease", "kube-public", "kube-system"] {
            namespace(cluster, name);
        }
        if !empty {
            cluster.install(&FLUX);
            cluster.install(&[metrics::GROUP]);
        }
        if ![HUB, MEMBER].contains(&cluster.name.as_str()) {
            node(cluster);
            join(world, cluster)?;
        }
    }
    world.hub().install(&[VELA]);
    let member = world.cluster(MEMBER)?;
    let credential = world.authority.client("kubernetes-admin")?;
    let fill = |name: &str| match name {
        "foo.endpoint" => Some(member.url()),
        "foo.ca" => Some(world.authority.pem().to_owned()),
        "foo.certificate" => Some(credential.certificate.clone()),
        "foo.key" => Some(credential.key.clone()),
        _ => None,
    };
    let mut documents = scenario::embedded(empty, &fill)?;
    if let Some(path) = &world.options.scenario {
        documents.extend(scenario::asked(path, &fill)?);
    }
    placed::dress(&mut documents);
    for (cluster, object) in &documents {
        put(world, cluster, object.clone())?;
    }
    write_down(world, &documents)
}

/// Writes down what KubeVela would have of the applications that are placed.
fn write_down(world: &World, documents: &[(String, Value)]) -> Result<(), Error> {
    for document in documents.iter().filter(|document| placed::is_application(document)) {
        let (cluster, application) = document;
        let text = |key: &str| application["metadata"][key].as_str().unwrap_or_default();
        let kind = kinds::of(application["apiVersion"].as_str().unwrap_or_default(), "Application");
        let key = Key::new(text("namespace"), text("name"));
        let live = kind.and_then(|kind| world.hub().store.get(kind, &key));
        let uid = live.map(|live| live.uid.to_string()).unwrap_or_default();
        for record in placed::records(application, &uid, documents) {
            put(world, cluster, record)?;
        }
    }
    Ok(())
}

/// Places what the addon fluxcd brings, where it is not there yet: of the opening, what lives in Flux's namespace.
pub(crate) fn place_flux(world: &World, clusters: &[String]) -> Result<(), Error> {
    const NAMESPACE: &str = "flux-system";
    let fill = |_: &str| Some(String::new());
    for (cluster, object) in scenario::embedded(false, &fill)? {
        let metadata = &object["metadata"];
        let own =
            metadata["namespace"] == NAMESPACE || (object["kind"] == "Namespace" && metadata["name"] == NAMESPACE);
        if !own || !clusters.contains(&cluster) {
            continue;
        }
        let kind =
            kinds::of(object["apiVersion"].as_str().unwrap_or_default(), object["kind"].as_str().unwrap_or_default());
        let text = |key: &str| metadata[key].as_str().unwrap_or_default();
        let key = Key::new(text("namespace"), text("name"));
        if kind.is_some_and(|kind| world.cluster(&cluster).is_ok_and(|cluster| cluster.store.get(kind, &key).is_none()))
        {
            put(world, &cluster, object)?;
        }
    }
    Ok(())
}

/// Puts an object of a scenario into a cluster.
pub(crate) fn put(world: &World, cluster: &str, mut object: Value) -> Result<(), Error> {
    let cluster = world.cluster(cluster)?;
    // Not part of an object: what KubeVela wrote down of it.
    if let Some(fields) = object.as_object_mut() {
        fields.shift_remove("record");
    }
    let text = |key: &str| object[key].as_str().unwrap_or_default().to_owned();
    let (api_version, kind) = (text("apiVersion"), text("kind"));
    if api_version == scenario::ESTATE {
        // What is true of a cluster itself, and no object of it.
        let resource = object["metadata"]["name"].as_str().unwrap_or_default();
        let found = kinds::qualified(resource).ok_or_else(|| Error::NoSuchResource(resource.to_owned()))?;
        match kind.as_str() {
            "Forbidden" => cluster.forbid(found, true),
            "Uninstalled" => cluster.uninstall(found),
            _ => return Err(Error::NoSuchKind { api_version, kind }),
        }
        return Ok(());
    }
    let kind = kinds::of(&api_version, &kind).ok_or(Error::NoSuchKind { api_version, kind })?;
    cluster.place(kind, api::complete(kind, object));
    Ok(())
}

fn namespace(cluster: &Cluster, name: &str) {
    let kind = kinds::core("namespaces");
    cluster.place(kind, api::complete(kind, json!({ "metadata": { "name": name } })));
}

fn node(cluster: &Cluster) {
    let name = format!("{}-node-1", cluster.name);
    let capacity = json!({ "cpu": "64", "memory": "256Gi", "pods": "5000" });
    let node = json!({
        "metadata": { "name": name, "labels": { "kubernetes.io/hostname": name, "kubernetes.io/os": "linux" } },
        "spec": {},
        "status": {
            "capacity": capacity, "allocatable": capacity,
            "conditions": [{ "type": "Ready", "status": "True", "reason": "KubeletReady" }],
            "nodeInfo": { "kubeletVersion": "v1.34.4", "operatingSystem": "linux", "architecture": "amd64" },
        },
    });
    cluster.place(kinds::core("nodes"), node);
}

/// Places the Secret that `vela cluster join` makes of a cluster.
fn join(world: &World, member: &Cluster) -> Result<(), Error> {
    let credential = world.authority.client("kubernetes-admin")?;
    let data = |text: &str| Value::from(STANDARD.encode(text));
    let secret = json!({
        "metadata": {
            "name": member.name, "namespace": gateway::NAMESPACE, "labels": { gateway::CREDENTIAL_TYPE: "X509Certificate" },
        },
        "type": "Opaque",
        "data": {
            "endpoint": data(&member.url()),
            "ca.crt": data(world.authority.pem()),
            "tls.crt": data(&credential.certificate),
            "tls.key": data(&credential.key),
        },
    });
    world.hub().place(kinds::core("secrets"), secret);
    Ok(())
}
