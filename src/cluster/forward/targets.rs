//! What of an application can be forwarded to: Services in front of its pods, and the pods' declared ports.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use futures::future::join_all;
use k8s_openapi::api::core::v1::Service;
use kube::Client;
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use crate::{
    cluster::{error::Error, hub::Hub, project::Meta, request},
    model::{
        application::Placement,
        forward::{ForwardTarget, TargetKind},
        key::{AppKey, ClusterId, Text},
        pod::Pod,
    },
};

/// Time that a cluster has to answer.
const DEADLINE: Duration = Duration::from_secs(5);

/// The targets of an application, and the clusters that could not be asked, each with the reason. `placements` are
/// where it deploys to (an empty namespace is the application's own), `pods` those known to be its own.
pub async fn targets(
    hub: &Hub,
    app: &AppKey,
    placements: &[Placement],
    pods: &[Pod],
) -> (Vec<ForwardTarget>, Vec<String>) {
    let mut places: BTreeMap<ClusterId, BTreeSet<Text>> = BTreeMap::new();
    for placement in placements {
        let namespace = if placement.namespace.is_empty() { &app.namespace } else { &placement.namespace };
        places.entry(placement.cluster.clone()).or_default().insert(namespace.clone());
    }
    for pod in pods {
        places.entry(pod.key.cluster.clone()).or_default().insert(pod.key.namespace.clone());
    }
    let answers = join_all(places.into_iter().map(|(cluster, namespaces)| async move {
        let client = hub.member(&cluster);
        let asked = join_all(namespaces.iter().map(|namespace| {
            let client = &client;
            let cluster = &cluster;
            async move { services(client, cluster, namespace, app, pods).await }
        }));
        let mut found = Vec::new();
        let mut refused = None;
        for answer in asked.await {
            match answer {
                Ok(services) => found.extend(services),
                Err(error) => refused = Some(format!("{cluster}: {error}")),
            }
        }
        (found, refused)
    }))
    .await;
    let mut targets: Vec<ForwardTarget> = pods.iter().flat_map(of_pod).collect();
    let mut not_asked = Vec::new();
    for (found, refused) in answers {
        targets.extend(found);
        not_asked.extend(refused);
    }
    targets.sort_by(|a, b| (!a.cluster.is_local(), a).cmp(&(!b.cluster.is_local(), b)));
    targets.dedup();
    (targets, not_asked)
}

/// A pod's declared TCP ports; those of init containers are closed by the time anybody asks.
fn of_pod(pod: &Pod) -> impl Iterator<Item = ForwardTarget> + '_ {
    let alive = !pod.terminating;
    let ports = pod.containers.iter().filter(|container| !container.init).flat_map(|container| &container.ports);
    ports.filter(move |port| alive && &*port.protocol == "TCP").map(|port| ForwardTarget {
        cluster: pod.key.cluster.clone(),
        namespace: pod.key.namespace.clone(),
        kind: TargetKind::Pod,
        name: pod.key.name.clone(),
        port: port.port,
        port_name: port.name.clone(),
        component: pod.owner.component.clone(),
    })
}

#[derive(Deserialize)]
struct List<'a> {
    #[serde(borrow, default)]
    items: Option<Vec<&'a RawValue>>,
}

/// The Services of a namespace that stand before pods of the application, or carry its name.
async fn services(
    client: &Client,
    cluster: &ClusterId,
    namespace: &Text,
    app: &AppKey,
    pods: &[Pod],
) -> Result<Vec<ForwardTarget>, Error> {
    let own: BTreeMap<&str, &Pod> = pods
        .iter()
        .filter(|pod| pod.key.cluster == *cluster && pod.key.namespace == *namespace)
        .map(|pod| (&*pod.key.name, pod))
        .collect();
    let services_uri = format!("/api/v1/namespaces/{namespace}/services?limit=1000");
    let pods_uri = format!("/api/v1/namespaces/{namespace}/pods?limit=2000");
    let limit = 32 * 1024 * 1024;
    let labels = async {
        if own.is_empty() {
            return Ok(Vec::new());
        }
        let bytes = request::get(client, &pods_uri, request::METADATA_LIST, limit, DEADLINE).await?;
        let list: List<'_> = request::decode(&bytes)?;
        let metas = list.items.unwrap_or_default().into_iter().filter_map(|object| {
            let object: Value = serde_json::from_str(object.get()).ok()?;
            Meta::of(&object)
        });
        Ok::<_, Error>(metas.filter(|meta| own.contains_key(&*meta.name)).collect::<Vec<Meta>>())
    };
    let services = request::get(client, &services_uri, request::JSON, limit, DEADLINE);
    let (labels, services) = tokio::join!(labels, services);
    let (labels, bytes) = (labels?, services?);
    let list: List<'_> = request::decode(&bytes)?;
    let mut targets = Vec::new();
    for object in list.items.unwrap_or_default() {
        // One that cannot be read is left out; the others are not.
        let Ok(service) = serde_json::from_str::<Service>(object.get()) else { continue };
        let spec = service.spec.unwrap_or_default();
        let selector = spec.selector.unwrap_or_default();
        if selector.is_empty() {
            continue;
        }
        let behind = labels
            .iter()
            .find(|meta| selector.iter().all(|(key, value)| meta.label(key).is_some_and(|label| **label == **value)));
        let own_labels = service.metadata.labels.unwrap_or_default();
        let labelled = own_labels.get("app.oam.dev/name").is_some_and(|name| **name == *app.name)
            && own_labels.get("app.oam.dev/namespace").is_none_or(|namespace| **namespace == *app.namespace);
        if behind.is_none() && !labelled {
            continue;
        }
        let component = behind
            .and_then(|meta| own.get(&*meta.name))
            .map(|pod| pod.owner.component.clone())
            .or_else(|| own_labels.get("app.oam.dev/component").map(|name| name.as_str().into()))
            .unwrap_or_default();
        let name = service.metadata.name.unwrap_or_default();
        for port in spec.ports.unwrap_or_default() {
            let tcp = port.protocol.as_deref().is_none_or(|protocol| protocol == "TCP");
            if let (true, Ok(number)) = (tcp, u16::try_from(port.port)) {
                targets.push(ForwardTarget {
                    cluster: cluster.clone(),
                    namespace: namespace.clone(),
                    kind: TargetKind::Service,
                    name: name.as_str().into(),
                    port: number,
                    port_name: port.name.unwrap_or_default().into(),
                    component: component.clone(),
                });
            }
        }
    }
    Ok(targets)
}
