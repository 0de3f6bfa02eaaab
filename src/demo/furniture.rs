//! What every simulated cluster has before anyone delivers to it: namespaces, nodes, and on the hub what KubeVela
//! keeps there.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::clock;
use super::gateway;
use super::kinds::{self, FLUX, VELA};
use super::world::{Cluster, World};
use super::{Error, HUB, MEMBER};

/// Furnishes every cluster; joins the members unless the estate is to be empty.
pub(crate) fn place(world: &World) -> Result<(), Error> {
    for cluster in &world.clusters {
        for namespace in ["default", "kube-node-lease", "kube-public", "kube-system"] {
            place_namespace(cluster, namespace);
        }
        for number in 1..=2 {
            place_node(cluster, number);
        }
        if !world.options.empty {
            place_namespace(cluster, "flux-system");
            cluster.install(&FLUX);
        }
    }
    let hub = world.hub();
    hub.install(&[VELA]);
    place_namespace(hub, gateway::NAMESPACE);
    if !world.options.empty {
        for member in world.clusters.iter().skip(1) {
            join(world, member)?;
        }
    }
    Ok(())
}

fn place_namespace(cluster: &Cluster, name: &str) {
    let namespace = json!({
        "metadata": { "name": name, "labels": { "kubernetes.io/metadata.name": name } },
        "spec": { "finalizers": ["kubernetes"] },
        "status": { "phase": "Active" },
    });
    cluster.place(kinds::core("namespaces"), namespace);
}

fn place_node(cluster: &Cluster, number: usize) {
    let prefix = if cluster.name == HUB { "hub" } else { &cluster.name };
    let name = format!("{prefix}-node-{number}");
    let now = clock::now();
    let ready = json!({
        "type": "Ready", "status": "True", "reason": "KubeletReady", "message": "kubelet is posting ready status",
        "lastHeartbeatTime": now, "lastTransitionTime": now,
    });
    let capacity = json!({ "cpu": "8", "memory": "32Gi", "pods": "110" });
    let node = json!({
        "metadata": {
            "name": name,
            "labels": { "kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64" },
        },
        "spec": { "podCIDR": format!("10.244.{number}.0/24") },
        "status": {
            "capacity": capacity, "allocatable": capacity, "conditions": [ready],
            "addresses": [
                { "type": "InternalIP", "address": format!("172.18.0.{}", number + 1) },
                { "type": "Hostname", "address": name },
            ],
            "nodeInfo": {
                "kubeletVersion": "v1.34.4", "osImage": "Simulated Linux", "kernelVersion": "6.12.0",
                "containerRuntimeVersion": "containerd://2.1.4", "operatingSystem": "linux", "architecture": "amd64",
            },
        },
    });
    cluster.place(kinds::core("nodes"), node);
}

/// Places the Secret that `vela cluster join` makes of a cluster.
fn join(world: &World, member: &Cluster) -> Result<(), Error> {
    let credential = world.authority.client("kubernetes-admin")?;
    let data = |text: &str| Value::from(STANDARD.encode(text));
    let mut labels = json!({ gateway::CREDENTIAL_TYPE: "X509Certificate" });
    let mut annotations = json!({
        "cluster.core.oam.dev/cluster-version":
            r#"{"major":"1","minor":"34","gitVersion":"v1.34.4","platform":"linux/amd64"}"#,
    });
    if member.name == MEMBER {
        labels["region"] = "eu".into();
        annotations["cluster.core.oam.dev/cluster-alias"] = "Foo cluster".into();
    }
    let secret = json!({
        "metadata": {
            "name": member.name, "namespace": gateway::NAMESPACE, "labels": labels, "annotations": annotations,
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
