//! Pods that do not say whose they are: found by the workload that owns them.
//!
//! Pods of a Helm release carry neither KubeVela's nor Flux's labels; their Deployment, `StatefulSet`, `DaemonSet`, Job
//! or `CronJob` carries `helm.toolkit.fluxcd.io/name`, and that `HelmRelease` the application's name. Plain objects of an
//! application carry the application's name on the workload. Watching all of these in every namespace of every
//! cluster would take ten sockets where one does: workloads' labels are written when they are made, so they are
//! listed (metadata only, by label) when a list of pods begins and when a pod comes whose owner is not known.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use serde::Deserialize;
use serde_json::{Value, value::RawValue};
use tokio::time::Instant;

use super::{
    asking::Asking,
    error::{Class, Error},
    pods::APP_NAME,
    project::{self, Meta, helm_release, pod_owner},
    request::{self, escape},
    watch::{Change, Projection, Question, read},
};
use crate::model::{
    delta::{Query, Row, Scope},
    key::{ClusterId, PodKey, RowKey, Text},
    pod::{Pod, PodOwner},
};

/// Label that helm-controller puts on every object of a release: the `HelmRelease`'s name.
const RELEASE_NAME: &str = "helm.toolkit.fluxcd.io/name";
/// Group of `HelmRelease`.
const HELM_GROUP: &str = "helm.toolkit.fluxcd.io";
/// Its version, should discovery not be permitted to tell.
const HELM_VERSION: &str = "v2";
/// Workloads that own pods: (kind, collection).
const WORKLOADS: [(&str, &str); 5] = [
    ("Deployment", "/apis/apps/v1/{}/deployments"),
    ("StatefulSet", "/apis/apps/v1/{}/statefulsets"),
    ("DaemonSet", "/apis/apps/v1/{}/daemonsets"),
    ("Job", "/apis/batch/v1/{}/jobs"),
    ("CronJob", "/apis/batch/v1/{}/cronjobs"),
];
/// Between two look-ups: a burst of unknown pods asks once.
const LOOK_UP_EVERY: Duration = Duration::from_secs(2);
/// How long a workload that belongs to none is taken to stay so.
const FOREIGN_FOR: Duration = Duration::from_secs(60);
/// Pods that wait for their owner at most; in a namespace with more, the rest waits for the next list.
const PARKED: usize = 2_000;

/// The question for pods without a label of KubeVela's in one namespace.
pub(crate) fn question(cluster: &ClusterId, namespace: &Text) -> Question {
    Question {
        scope: Scope { cluster: cluster.clone(), query: Query::ReleasePods(namespace.clone()) },
        path: format!("/api/v1/namespaces/{namespace}/pods"),
        selector: Some("!app.oam.dev/name"),
        fields: None,
        what: format!("pods in namespace {namespace} of {cluster}"),
    }
}

/// A workload: kind and name, in the namespace of the question.
type WorkloadKey = (Text, Text);

/// Projects pods by their owners.
pub(crate) struct ReleasePods {
    cluster: ClusterId,
    namespace: Text,
    /// Workloads that belong to applications.
    owners: HashMap<WorkloadKey, PodOwner>,
    /// Workloads that did not when they were last looked for.
    foreign: HashMap<WorkloadKey, Instant>,
    /// Rows whose owner is still to be looked for.
    parked: HashMap<PodKey, (WorkloadKey, Pod)>,
    /// Rows that were sent.
    sent: HashSet<Text>,
    helm_version: Option<String>,
    looked_up: Option<Instant>,
}

#[derive(Deserialize)]
struct List<'a> {
    #[serde(borrow, default)]
    items: Option<Vec<&'a RawValue>>,
    #[serde(default)]
    metadata: request::ListMeta,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Group {
    preferred_version: GroupVersion,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct GroupVersion {
    version: String,
}

impl ReleasePods {
    pub(crate) fn new(cluster: ClusterId, namespace: Text) -> Self {
        Self {
            cluster,
            namespace,
            owners: HashMap::new(),
            foreign: HashMap::new(),
            parked: HashMap::new(),
            sent: HashSet::new(),
            helm_version: None,
            looked_up: None,
        }
    }

    /// Lists what owns pods and belongs to an application.
    async fn look_up(&mut self, asking: &mut Asking) -> Result<(), Error> {
        self.looked_up = Some(Instant::now());
        let releases = self.releases(asking).await?;
        let mut owners = HashMap::new();
        for (kind, path) in WORKLOADS {
            let path = path.replace("{}", &format!("namespaces/{}", self.namespace));
            for selector in [RELEASE_NAME, APP_NAME] {
                // No release, nothing that is labelled with one.
                if selector == RELEASE_NAME && releases.is_empty() {
                    continue;
                }
                for meta in list(asking, &path, selector).await? {
                    let owner = pod_owner(&meta)
                        .or_else(|| helm_release(&meta).and_then(|(_, release)| releases.get(&release)).cloned());
                    if let Some(owner) = owner {
                        owners.insert((kind.into(), meta.name), owner);
                    }
                }
            }
        }
        self.owners = owners;
        Ok(())
    }

    /// The applications' Helm releases here, by name; none where Flux is not installed.
    async fn releases(&mut self, asking: &mut Asking) -> Result<HashMap<Text, PodOwner>, Error> {
        if self.helm_version.is_none() {
            self.helm_version = helm_version(asking).await?;
        }
        let Some(version) = &self.helm_version else { return Ok(HashMap::new()) };
        let path = format!("/apis/{HELM_GROUP}/{version}/namespaces/{}/helmreleases", self.namespace);
        let releases = list(asking, &path, APP_NAME).await?;
        Ok(releases.into_iter().filter_map(|meta| pod_owner(&meta).map(|owner| (meta.name, owner))).collect())
    }

    fn is_foreign(&self, workload: &WorkloadKey) -> bool {
        self.foreign.get(workload).is_some_and(|since| since.elapsed() < FOREIGN_FOR)
    }

    fn own(&mut self, mut pod: Pod, owner: PodOwner) -> Change {
        pod.owner = owner;
        self.sent.insert(pod.key.name.clone());
        Change::Row(Row::Pod(Box::new(pod)))
    }
}

impl Projection for ReleasePods {
    async fn begin(&mut self, asking: &mut Asking) -> Result<(), Error> {
        self.parked.clear();
        self.foreign.clear();
        self.sent.clear();
        self.look_up(asking).await
    }

    fn put(&mut self, object: &Value) -> Change {
        let Some(meta) = Meta::of(object) else { return Change::Nothing };
        let key = PodKey { cluster: self.cluster.clone(), namespace: meta.namespace.clone(), name: meta.name.clone() };
        let workload = workload(&meta);
        let owner = workload.as_ref().and_then(|workload| self.owners.get(workload)).cloned();
        if let Some(owner) = owner {
            self.parked.remove(&key);
            return match project::pod(&self.cluster, object, owner.clone()) {
                Some(pod) => self.own(pod, owner),
                None => Change::Nothing,
            };
        }
        if let Some(workload) = workload
            && !self.is_foreign(&workload)
            && self.parked.len() < PARKED
        {
            let nobody = PodOwner { app: "".into(), app_namespace: None, component: "".into() };
            if let Some(pod) = project::pod(&self.cluster, object, nobody) {
                self.parked.insert(key.clone(), (workload, pod));
            }
        }
        // Orphaned, or taken over by somebody else.
        if self.sent.remove(&key.name) { Change::Gone(RowKey::Pod(key)) } else { Change::Nothing }
    }

    fn delete(&mut self, object: &Value) -> Change {
        let Some(meta) = Meta::of(object) else { return Change::Nothing };
        let key = PodKey { cluster: self.cluster.clone(), namespace: meta.namespace.clone(), name: meta.name.clone() };
        self.parked.remove(&key);
        if self.sent.remove(&key.name) { Change::Gone(RowKey::Pod(key)) } else { Change::Nothing }
    }

    fn synced(&mut self) {
        self.foreign.retain(|_, since| since.elapsed() < FOREIGN_FOR);
    }

    async fn settle(&mut self, asking: &mut Asking) -> Vec<Change> {
        if self.parked.is_empty() {
            return Vec::new();
        }
        // The list of owners that this list began with is as good as a new one for what the list names.
        if self.looked_up.is_some_and(|at| at.elapsed() < LOOK_UP_EVERY) {
            return Vec::new();
        }
        if let Err(error) = self.look_up(asking).await {
            tracing::debug!(cluster = %self.cluster, namespace = %self.namespace, %error, "owners are not known");
            return Vec::new();
        }
        let mut changes = Vec::new();
        for (_, (workload, pod)) in std::mem::take(&mut self.parked) {
            match self.owners.get(&workload).cloned() {
                Some(owner) => changes.push(self.own(pod, owner)),
                None => {
                    self.foreign.insert(workload, Instant::now());
                }
            }
        }
        if self.foreign.len() > PARKED {
            self.foreign.retain(|_, since| since.elapsed() < FOREIGN_FOR);
        }
        changes
    }

    fn due(&self) -> Option<Instant> {
        let looked_up = self.looked_up?;
        (!self.parked.is_empty()).then_some(looked_up + LOOK_UP_EVERY)
    }
}

/// The workload that a pod belongs to. A `ReplicaSet` is named after its Deployment and the template's hash, a `CronJob`'s
/// Job after it and the minute: so neither has to be looked at.
fn workload(pod: &Meta) -> Option<WorkloadKey> {
    let controller = pod.controller()?;
    let name = &*controller.name;
    match &*controller.kind {
        "ReplicaSet" => {
            let hash = pod.label("pod-template-hash")?;
            let deployment = name.strip_suffix(&**hash)?.strip_suffix('-')?;
            Some(("Deployment".into(), deployment.into()))
        }
        "Job" => match name.rsplit_once('-') {
            // A Job of that name may also be a release's own: `owners` knows which of the two there is.
            Some((cron_job, minute)) if minute.len() >= 8 && minute.bytes().all(|byte| byte.is_ascii_digit()) => {
                Some(("CronJob".into(), cron_job.into()))
            }
            _ => Some(("Job".into(), name.into())),
        },
        kind => Some((kind.into(), name.into())),
    }
}

/// Metadata of all objects of a collection that carry a label; none where the kind is not served.
async fn list(asking: &mut Asking, path: &str, selector: &str) -> Result<Vec<Meta>, Error> {
    let mut found = Vec::new();
    let mut next = None;
    let path = format!("{path}?limit=500&labelSelector={}", escape(selector));
    loop {
        let uri = request::page(&path, next.as_deref());
        let bytes = match asking.list(&uri, request::METADATA_LIST).await {
            Ok(bytes) => bytes,
            // Not there or not permitted: what it would own is not shown, the rest is.
            Err(error) if matches!(error.class, Class::NotFound | Class::Forbidden) => return Ok(found),
            Err(error) => return Err(error),
        };
        let page: List<'_> = request::decode(&bytes)?;
        found.extend(
            page.items.unwrap_or_default().into_iter().filter_map(|object| Meta::of(&read(object.get().as_bytes())?)),
        );
        next = page.metadata.next();
        if next.is_none() {
            return Ok(found);
        }
    }
}

/// The version of `HelmRelease` that the cluster prefers; none where Flux is not installed.
async fn helm_version(asking: &mut Asking) -> Result<Option<String>, Error> {
    let uri = format!("/apis/{HELM_GROUP}");
    match asking.list(&uri, request::JSON).await {
        Ok(bytes) => {
            let group: Group = request::decode(&bytes)?;
            Ok(Some(group.preferred_version.version).filter(|version| !version.is_empty()))
        }
        Err(error) if error.class == Class::NotFound => Ok(None),
        Err(error) if error.class == Class::Forbidden => Ok(Some(HELM_VERSION.to_owned())),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meta(json: &str) -> Meta {
        Meta::of(&serde_json::json!({"metadata": serde_json::from_str::<Value>(json).unwrap()})).unwrap()
    }

    #[test]
    fn a_pods_workload_is_read_off_its_owners_name() {
        let pod = meta(
            r#"{"name":"hello-588b9c559f-sk7hh","labels":{"pod-template-hash":"588b9c559f"},
               "ownerReferences":[{"kind":"ReplicaSet","name":"hello-588b9c559f","controller":true}]}"#,
        );
        assert_eq!(workload(&pod), Some(("Deployment".into(), "hello".into())));
        let pod = meta(r#"{"name":"db-0","ownerReferences":[{"kind":"StatefulSet","name":"db","controller":true}]}"#);
        assert_eq!(workload(&pod), Some(("StatefulSet".into(), "db".into())));
        let pod =
            meta(r#"{"name":"b-1","ownerReferences":[{"kind":"Job","name":"backup-29401230","controller":true}]}"#);
        assert_eq!(workload(&pod), Some(("CronJob".into(), "backup".into())));
        let pod = meta(r#"{"name":"m-1","ownerReferences":[{"kind":"Job","name":"migrate","controller":true}]}"#);
        assert_eq!(workload(&pod), Some(("Job".into(), "migrate".into())));
        assert_eq!(workload(&meta(r#"{"name":"bare"}"#)), None);
    }
}
