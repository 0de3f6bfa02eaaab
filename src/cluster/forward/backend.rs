//! The pod behind a forward: chosen by the Service's selector, or as the next one of the same workload.

use std::{
    collections::BTreeMap,
    future::pending,
    time::{Duration, Instant},
};

use futures::{StreamExt, stream::BoxStream};
use k8s_openapi::{
    api::core::v1::{Pod, Service},
    apimachinery::pkg::{apis::meta::v1::ListMeta, util::intstr::IntOrString},
};
use kube::{
    Api, Client,
    api::{PartialObjectMeta, WatchEvent, WatchParams},
};
use serde::Deserialize;

use crate::{
    cluster::{
        error::{Class, Error},
        request::{self, escape},
    },
    model::forward::{ForwardTarget, TargetKind},
};

/// Time for a question about a pod or Service.
const DEADLINE: Duration = Duration::from_secs(3);
/// After this the server ends a watch; below the 295 s that kube allows.
const WATCH_SECONDS: u32 = 240;
/// A watch that ended sooner is no reason to look at once.
const LIVED: Duration = Duration::from_secs(1);
/// Labels that tell one generation of a workload's pods from the next, or one pod from another.
const PASSING: [&str; 6] = [
    "pod-template-hash",
    "controller-revision-hash",
    "pod-template-generation",
    "statefulset.kubernetes.io/pod-name",
    "apps.kubernetes.io/pod-index",
    "batch.kubernetes.io/job-completion-index",
];

/// A pod's port that connections go to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Backend {
    pub(super) namespace: String,
    pub(super) pod: String,
    /// Tells the pod from a later one of the same name.
    pub(super) uid: String,
    pub(super) port: u16,
}

/// Finds the pod.
pub(super) struct Resolver {
    client: Client,
    target: ForwardTarget,
    /// The labels that every pod of the target's workload has, once a pod was seen.
    siblings: Option<(BTreeMap<String, String>, Option<String>)>,
    /// The pods that were looked at last, and the version of that look.
    seen: Option<(Sight, String)>,
    watching: Option<Watching>,
}

/// The pods that a target's pod is chosen from.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Sight {
    /// Those with the labels.
    Labelled(String),
    /// One by its name.
    Named(String),
}

struct Watching {
    sight: Sight,
    since: Instant,
    events: BoxStream<'static, kube::Result<WatchEvent<PartialObjectMeta<Pod>>>>,
}

#[derive(Deserialize)]
struct Pods {
    #[serde(default)]
    metadata: ListMeta,
    #[serde(default)]
    items: Vec<Pod>,
}

impl Resolver {
    pub(super) fn new(client: Client, target: ForwardTarget) -> Self {
        Self { client, target, siblings: None, seen: None, watching: None }
    }

    /// Waits until a pod that was looked at has changed, come or gone. Never ends where that cannot be watched: whoever
    /// waits looks again by the clock as well. May be dropped at any time.
    pub(super) async fn changed(&mut self) {
        let Some((sight, version)) = self.seen.clone() else { return pending().await };
        if self.watching.as_ref().is_none_or(|watching| watching.sight != sight) {
            let pods: Api<Pod> = Api::namespaced(self.client.clone(), &self.target.namespace);
            let params = WatchParams::default().timeout(WATCH_SECONDS);
            let params = match &sight {
                Sight::Labelled(selector) => params.labels(selector),
                Sight::Named(name) => params.fields(&format!("metadata.name={name}")),
            };
            match pods.watch_metadata(&params, &version).await {
                Ok(events) => {
                    self.watching = Some(Watching { sight, since: Instant::now(), events: events.boxed() });
                }
                Err(error) => {
                    tracing::debug!(%error, "the pods of a forward cannot be watched");
                    return pending().await;
                }
            }
        }
        let Some(watching) = &mut self.watching else { return pending().await };
        loop {
            match watching.events.next().await {
                Some(Ok(WatchEvent::Bookmark(_))) => {}
                Some(Ok(WatchEvent::Added(_) | WatchEvent::Modified(_) | WatchEvent::Deleted(_))) => return,
                Some(Ok(WatchEvent::Error(_)) | Err(_)) | None => {
                    // The cluster may be gone; but a server that ends each watch at once is not asked all the time.
                    let lived = watching.since.elapsed();
                    self.watching = None;
                    if lived < LIVED {
                        return pending().await;
                    }
                    return;
                }
            }
        }
    }

    /// A ready pod; the one before, if it still is.
    pub(super) async fn resolve(&mut self, before: Option<&Backend>) -> Result<Backend, Error> {
        match self.target.kind {
            TargetKind::Service => self.of_service(before).await,
            TargetKind::Pod => self.of_pod(before).await,
        }
    }

    async fn of_service(&mut self, before: Option<&Backend>) -> Result<Backend, Error> {
        let ForwardTarget { namespace, name, port, .. } = &self.target.clone();
        let uri = format!("/api/v1/namespaces/{namespace}/services/{name}");
        let service: Service = request::get_json(&self.client, &uri, DEADLINE).await.map_err(|error| {
            if error.class == Class::NotFound {
                Error::new(Class::NotFound, format!("Service {name} is gone"))
            } else {
                error
            }
        })?;
        let spec = service.spec.unwrap_or_default();
        let selector = spec.selector.unwrap_or_default();
        if selector.is_empty() {
            return Err(Error::new(Class::Invalid, format!("Service {name} selects no pods")));
        }
        let Some(service_port) =
            spec.ports.unwrap_or_default().into_iter().find(|known| known.port == i32::from(*port))
        else {
            return Err(Error::new(Class::NotFound, format!("Service {name} has no port {port} any more")));
        };
        let target = service_port.target_port.unwrap_or(IntOrString::Int(service_port.port));
        let ready = self.ready(&selector, None).await?;
        if ready.is_empty() {
            return Err(Error::new(Class::NotFound, format!("no ready pod behind Service {name}")));
        }
        let candidates: Vec<Backend> = ready.iter().filter_map(|pod| self.backend(pod, &target)).collect();
        pick(&candidates, before).ok_or_else(|| {
            Error::new(Class::NotFound, format!("no ready pod of Service {name} has the port {}", words(&target)))
        })
    }

    async fn of_pod(&mut self, before: Option<&Backend>) -> Result<Backend, Error> {
        let ForwardTarget { namespace, name, port, .. } = &self.target.clone();
        let target = IntOrString::Int(i32::from(*port));
        let uri = format!("/api/v1/namespaces/{namespace}/pods/{name}");
        let gone = match request::get_json::<Pod>(&self.client, &uri, DEADLINE).await {
            Ok(pod) => {
                self.seen =
                    Some((Sight::Named(name.to_string()), pod.metadata.resource_version.clone().unwrap_or_default()));
                self.siblings = Some((lasting(&pod), workload(&pod)));
                if is_running(&pod)
                    && let Some(backend) = self.backend(&pod, &target)
                {
                    return Ok(backend);
                }
                Error::new(Class::NotFound, format!("pod {name} does not run"))
            }
            Err(error) if error.class == Class::NotFound => Error::new(Class::NotFound, format!("pod {name} is gone")),
            Err(error) => return Err(error),
        };
        // Without labels or a workload nobody can say which pod takes its place.
        let Some((labels, Some(workload))) = self.siblings.clone() else { return Err(gone) };
        if labels.is_empty() {
            return Err(gone);
        }
        let ready = self.ready(&labels, Some(&workload)).await?;
        let candidates: Vec<Backend> = ready.iter().filter_map(|pod| self.backend(pod, &target)).collect();
        pick(&candidates, before).ok_or(gone)
    }

    /// Ready pods by label, of one workload if it is named, sorted by name.
    async fn ready(&mut self, labels: &BTreeMap<String, String>, of: Option<&str>) -> Result<Vec<Pod>, Error> {
        let selector: Vec<String> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let selector = selector.join(",");
        let uri =
            format!("/api/v1/namespaces/{}/pods?limit=500&labelSelector={}", self.target.namespace, escape(&selector));
        let Pods { metadata, items: mut pods } = request::get_json(&self.client, &uri, DEADLINE).await?;
        self.seen = Some((Sight::Labelled(selector), metadata.resource_version.unwrap_or_default()));
        pods.retain(|pod| is_ready(pod) && (of.is_none() || workload(pod).as_deref() == of));
        pods.sort_by(|a, b| a.metadata.name.cmp(&b.metadata.name));
        Ok(pods)
    }

    fn backend(&self, pod: &Pod, target: &IntOrString) -> Option<Backend> {
        let port = match target {
            IntOrString::Int(port) => u16::try_from(*port).ok()?,
            IntOrString::String(name) => {
                let containers = &pod.spec.as_ref()?.containers;
                let ports = containers.iter().flat_map(|container| container.ports.iter().flatten());
                let named = ports.into_iter().find(|port| port.name.as_ref() == Some(name))?;
                u16::try_from(named.container_port).ok()?
            }
        };
        Some(Backend {
            namespace: self.target.namespace.to_string(),
            pod: pod.metadata.name.clone()?,
            uid: pod.metadata.uid.clone().unwrap_or_default(),
            port,
        })
    }
}

/// The one before if it is among them, else the first.
fn pick(candidates: &[Backend], before: Option<&Backend>) -> Option<Backend> {
    candidates.iter().find(|candidate| Some(*candidate) == before).or(candidates.first()).cloned()
}

fn words(target: &IntOrString) -> String {
    match target {
        IntOrString::Int(port) => port.to_string(),
        IntOrString::String(name) => name.clone(),
    }
}

fn is_running(pod: &Pod) -> bool {
    pod.metadata.deletion_timestamp.is_none()
        && pod.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Running")
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    is_running(pod) && conditions.into_iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

fn lasting(pod: &Pod) -> BTreeMap<String, String> {
    let mut labels = pod.metadata.labels.clone().unwrap_or_default();
    labels.retain(|key, _| !PASSING.contains(&key.as_str()));
    labels
}

/// Kind and name of what made the pod; a `ReplicaSet` without its template's hash, which changes with a rollout.
fn workload(pod: &Pod) -> Option<String> {
    let owner = pod.metadata.owner_references.iter().flatten().find(|owner| owner.controller == Some(true))?;
    let hash = pod.metadata.labels.as_ref().and_then(|labels| labels.get("pod-template-hash"));
    let name = hash
        .and_then(|hash| owner.name.strip_suffix(hash.as_str()))
        .and_then(|name| name.strip_suffix('-'))
        .unwrap_or(&owner.name);
    Some(format!("{}/{name}", owner.kind))
}
