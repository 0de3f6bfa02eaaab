//! One cluster's API as the controllers use it: kube's client, plain JSON, and a path prefix for members that
//! are reached through the hub's gateway.

use std::borrow::Cow;

use kube::api::{DeleteParams, GetParams, ListParams, PostParams};
use kube::core::{ApiResource, GroupVersionKind, Request};
use serde_json::Value;

use super::object::{self, Object};

/// A kind of object and where its API lives.
#[expect(clippy::struct_field_names, reason = "Kubernetes' own word for it")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kind {
    /// Group and version, such as `apps/v1`.
    pub(super) api_version: Cow<'static, str>,
    /// The kind's name, such as `Deployment`.
    pub(super) kind: Cow<'static, str>,
    /// The name in paths, such as `deployments`.
    pub(super) plural: Cow<'static, str>,
    /// Whether its objects live in namespaces.
    pub(super) namespaced: bool,
}

impl Kind {
    /// A kind that lives in namespaces.
    pub(super) const fn new(api_version: &'static str, kind: &'static str, plural: &'static str) -> Self {
        Self {
            api_version: Cow::Borrowed(api_version),
            kind: Cow::Borrowed(kind),
            plural: Cow::Borrowed(plural),
            namespaced: true,
        }
    }

    /// A kind whose objects belong to the whole cluster.
    pub(super) const fn clusterwide(api_version: &'static str, kind: &'static str, plural: &'static str) -> Self {
        Self {
            api_version: Cow::Borrowed(api_version),
            kind: Cow::Borrowed(kind),
            plural: Cow::Borrowed(plural),
            namespaced: false,
        }
    }

    /// The kind of an object that a user wrote. Its plural follows English: that is right for every kind that
    /// Kubernetes, Flux and KubeVela have, and saves a discovery.
    pub(super) fn of(object: &Value) -> Self {
        let kind = object::text(object, "/kind").to_owned();
        let lower = kind.to_lowercase();
        let plural = match lower.as_str() {
            "endpoints" => lower,
            _ if lower.ends_with('s') || lower.ends_with("ch") => format!("{lower}es"),
            _ if lower.ends_with("ay") => format!("{lower}s"),
            _ => lower.strip_suffix('y').map_or_else(|| format!("{lower}s"), |stem| format!("{stem}ies")),
        };
        let clusterwide = matches!(
            kind.as_str(),
            "Namespace"
                | "Node"
                | "PersistentVolume"
                | "ClusterRole"
                | "ClusterRoleBinding"
                | "CustomResourceDefinition"
                | "StorageClass"
                | "IngressClass"
                | "PriorityClass"
                | "ResourceTracker"
        );
        Self {
            api_version: object::text(object, "/apiVersion").to_owned().into(),
            kind: kind.into(),
            plural: plural.into(),
            namespaced: !clusterwide,
        }
    }

    /// Group and version apart; the group is empty for the core API.
    pub(super) fn group_and_version(&self) -> (&str, &str) {
        self.api_version.split_once('/').unwrap_or(("", &self.api_version))
    }

    /// The same for kube's own types.
    pub(super) fn resource(&self) -> ApiResource {
        let (group, version) = self.group_and_version();
        ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, &self.kind), &self.plural)
    }
}

pub(super) static NODE: Kind = Kind::clusterwide("v1", "Node", "nodes");
pub(super) static POD: Kind = Kind::new("v1", "Pod", "pods");
pub(super) static SERVICE: Kind = Kind::new("v1", "Service", "services");
pub(super) static SECRET: Kind = Kind::new("v1", "Secret", "secrets");
pub(super) static SERVICE_ACCOUNT: Kind = Kind::new("v1", "ServiceAccount", "serviceaccounts");
pub(super) static CONFIG_MAP: Kind = Kind::new("v1", "ConfigMap", "configmaps");
pub(super) static EVENT: Kind = Kind::new("v1", "Event", "events");
pub(super) static DEPLOYMENT: Kind = Kind::new("apps/v1", "Deployment", "deployments");
pub(super) static REPLICA_SET: Kind = Kind::new("apps/v1", "ReplicaSet", "replicasets");
pub(super) static ENDPOINT_SLICE: Kind = Kind::new("discovery.k8s.io/v1", "EndpointSlice", "endpointslices");
pub(super) static HELM_REPOSITORY: Kind =
    Kind::new("source.toolkit.fluxcd.io/v1beta2", "HelmRepository", "helmrepositories");
pub(super) static HELM_CHART: Kind = Kind::new("source.toolkit.fluxcd.io/v1beta2", "HelmChart", "helmcharts");
pub(super) static HELM_RELEASE: Kind = Kind::new("helm.toolkit.fluxcd.io/v2beta1", "HelmRelease", "helmreleases");
pub(super) static APPLICATION: Kind = Kind::new("core.oam.dev/v1beta1", "Application", "applications");
pub(super) static APPLICATION_REVISION: Kind =
    Kind::new("core.oam.dev/v1beta1", "ApplicationRevision", "applicationrevisions");
pub(super) static RESOURCE_TRACKER: Kind =
    Kind::clusterwide("core.oam.dev/v1beta1", "ResourceTracker", "resourcetrackers");
pub(super) static POLICY: Kind = Kind::new("core.oam.dev/v1alpha1", "Policy", "policies");
pub(super) static WORKFLOW: Kind = Kind::new("core.oam.dev/v1alpha1", "Workflow", "workflows");

/// A cluster's API, spoken to under one name (`fieldManager`).
#[derive(Clone)]
pub(super) struct Cluster {
    client: kube::Client,
    prefix: String,
    manager: &'static str,
}

impl Cluster {
    /// The cluster that `client` reaches by itself.
    pub(super) fn direct(client: kube::Client, manager: &'static str) -> Self {
        Self { client, prefix: String::new(), manager }
    }

    /// A cluster joined to this hub, through cluster-gateway's proxy path. `local` and the empty name are the
    /// hub itself, which has no such path.
    pub(super) fn member(&self, name: &str) -> Self {
        let prefix = match name {
            "" | "local" => String::new(),
            name => format!("/apis/cluster.core.oam.dev/v1alpha1/clustergateways/{name}/proxy"),
        };
        Self { client: self.client.clone(), prefix, manager: self.manager }
    }

    /// kube's client of this cluster, for watches (of the hub itself: it knows no prefix).
    pub(super) fn client(&self) -> kube::Client {
        self.client.clone()
    }

    fn at(&self, kind: &Kind, namespace: &str) -> Request {
        let root = if kind.api_version.contains('/') { "apis" } else { "api" };
        let (version, plural) = (&kind.api_version, &kind.plural);
        Request::new(if kind.namespaced && !namespace.is_empty() {
            format!("{}/{root}/{version}/namespaces/{namespace}/{plural}", self.prefix)
        } else {
            format!("{}/{root}/{version}/{plural}", self.prefix)
        })
    }

    fn post_params(&self) -> PostParams {
        PostParams { field_manager: Some(self.manager.to_owned()), ..PostParams::default() }
    }

    async fn send(&self, request: Result<http::Request<Vec<u8>>, kube::core::request::Error>) -> kube::Result<Object> {
        self.client.request(request.map_err(kube::Error::BuildRequest)?).await
    }

    /// One object, `None` where there is none of that name.
    pub(super) async fn get(&self, kind: &Kind, namespace: &str, name: &str) -> kube::Result<Option<Object>> {
        let request = self.at(kind, namespace).get(name, &GetParams::default());
        match self.send(request).await {
            Ok(object) => Ok(Some(object)),
            Err(kube::Error::Api(status)) if status.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// All objects of a kind that carry the labels of `selector` (all with `""`).
    pub(super) async fn list(&self, kind: &Kind, namespace: &str, selector: &str) -> kube::Result<Vec<Object>> {
        let params = ListParams::default().labels(selector);
        let mut answer = self.send(self.at(kind, namespace).list(&params)).await?;
        let Some(Value::Array(mut items)) = answer.get_mut("items").map(Value::take) else {
            return Ok(Vec::new());
        };
        for item in &mut items {
            // A list names its items' kind once, in its own.
            item["apiVersion"] = Value::from(kind.api_version.clone());
            item["kind"] = Value::from(kind.kind.clone());
        }
        Ok(items)
    }

    /// Creates an object; the answer is what the server made of it.
    pub(super) async fn create(&self, kind: &Kind, object: &Object) -> kube::Result<Object> {
        let request =
            self.at(kind, object::namespace(object)).create(&self.post_params(), object.to_string().into_bytes());
        self.send(request).await
    }

    /// Writes an object whole; its resourceVersion, if it has one, must be the newest.
    pub(super) async fn replace(&self, kind: &Kind, object: &Object) -> kube::Result<Object> {
        let request = self.at(kind, object::namespace(object)).replace(
            object::name(object),
            &self.post_params(),
            object.to_string().into_bytes(),
        );
        self.send(request).await
    }

    /// Writes an object's status, like [`Cluster::replace`].
    pub(super) async fn replace_status(&self, kind: &Kind, object: &Object) -> kube::Result<Object> {
        let request = self.at(kind, object::namespace(object)).replace_subresource(
            "status",
            object::name(object),
            &self.post_params(),
            object.to_string().into_bytes(),
        );
        self.send(request).await
    }

    /// Writes an event; one that is there already has happened once more.
    pub(super) async fn record(&self, event: &Object) -> kube::Result<()> {
        match self.create(&EVENT, event).await {
            Err(error) if is_conflict(&error) => {
                let known = self.get(&EVENT, object::namespace(event), object::name(event)).await?;
                let Some(mut known) = known else { return Ok(()) };
                known["count"] = Value::from(object::number(&known, "/count") + 1);
                known["lastTimestamp"] = event["lastTimestamp"].clone();
                self.replace(&EVENT, &known).await.map(drop)
            }
            other => other.map(drop),
        }
    }

    /// Deletes an object, `grace` seconds after which it may be gone at once (`None`: the server's choice).
    /// That it is gone already is no error.
    pub(super) async fn delete(
        &self,
        kind: &Kind,
        namespace: &str,
        name: &str,
        grace: Option<u32>,
    ) -> kube::Result<()> {
        let params = DeleteParams { grace_period_seconds: grace, ..DeleteParams::background() };
        match self.send(self.at(kind, namespace).delete(name, &params)).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// An error's text as KubeVela puts it into messages: the server's own words where there are some.
pub(super) fn message(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) if !status.message.is_empty() => status.message.clone(),
        other => other.to_string(),
    }
}

/// Whether a write was overtaken by somebody else's.
pub(super) fn is_conflict(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 409)
}

/// Whether a write failed because the object has changed, is gone, or is there already: the next event tells.
pub(super) fn is_race(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if matches!(status.code, 404 | 409))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn plurals_of_what_users_write() {
        for (kind, plural) in [
            ("Ingress", "ingresses"),
            ("NetworkPolicy", "networkpolicies"),
            ("Gateway", "gateways"),
            ("HelmRelease", "helmreleases"),
            ("Endpoints", "endpoints"),
            ("ConfigMap", "configmaps"),
        ] {
            assert_eq!(Kind::of(&json!({"apiVersion": "v1", "kind": kind})).plural, plural);
        }
        assert!(!Kind::of(&json!({"apiVersion": "v1", "kind": "Namespace"})).namespaced);
    }
}
