//! Bringing objects to clusters, and saying how it went as KubeVela does.

use serde_json::{Value, json};

use super::health;
use super::placement::Placement;
use super::render::{self, Context, Manifest};
use super::tracker;
use crate::demo::controllers::api::{self, Cluster, Kind};
use crate::demo::controllers::naming;
use crate::demo::controllers::object::{self, Object};

const LAST_APPLIED: &str = "app.oam.dev/last-applied-configuration";

/// One component in one place, ready to go.
#[derive(Debug, Clone)]
pub(super) struct Parcel {
    pub(super) component: Value,
    pub(super) cluster: String,
    pub(super) namespace: String,
    /// As the topology says it: empty for the application's own.
    pub(super) wanted_namespace: String,
    pub(super) manifests: Vec<Manifest>,
}

/// Renders a component for a place.
pub(super) fn parcel(
    application: &Object,
    revision: &super::revision::Revision,
    component: &Value,
    placement: &Placement,
) -> Result<Parcel, String> {
    let own = object::namespace(application);
    let namespace = if placement.namespace.is_empty() { own } else { &placement.namespace };
    let context = Context {
        application: object::name(application),
        application_namespace: own,
        revision: &revision.name,
        revision_hash: &revision.hash,
        cluster: &placement.cluster,
        namespace,
    };
    Ok(Parcel {
        component: component.clone(),
        cluster: placement.cluster.clone(),
        namespace: namespace.to_owned(),
        wanted_namespace: placement.namespace.clone(),
        manifests: render::render(component, context)?,
    })
}

impl Parcel {
    fn name(&self) -> &str {
        object::text(&self.component, "/name")
    }

    /// `cluster/namespace/replica/component`, as messages name a component in a place.
    pub(super) fn spell(&self) -> String {
        format!("{}/{}//{}", self.cluster, self.wanted_namespace, self.name())
    }

    /// How trackers list its objects.
    pub(super) fn entries(&self) -> Vec<Value> {
        let name = self.name();
        self.manifests.iter().map(|manifest| tracker::entry(&self.cluster, name, manifest)).collect()
    }

    /// How `status.appliedResources` lists them.
    pub(super) fn applied(&self) -> Vec<Value> {
        self.manifests
            .iter()
            .map(|manifest| {
                json!({
                    "apiVersion": manifest.object["apiVersion"],
                    "cluster": self.cluster,
                    "creator": "workflow",
                    "kind": manifest.object["kind"],
                    "name": object::name(&manifest.object),
                    "namespace": object::namespace(&manifest.object),
                })
            })
            .collect()
    }

    /// Its row in `status.services`, from its live objects.
    pub(super) fn service(&self, live: &[Value]) -> Value {
        health::service(&self.component, &self.cluster, &self.namespace, live)
    }

    /// Writes its objects and answers what is live.
    pub(super) async fn deliver(&self, hub: &Cluster) -> kube::Result<Vec<Value>> {
        let cluster = hub.member(&self.cluster);
        let mut live = Vec::new();
        for manifest in &self.manifests {
            live.push(apply(&cluster, &manifest.object).await?);
        }
        Ok(live)
    }

    /// The two errors that KubeVela reports of a cluster that did not answer.
    pub(super) fn complain(&self, application: &Object, error: &kube::Error) -> Vec<String> {
        let said = api::message(error);
        let workload = self.manifests.first().map_or(&Value::Null, |first| &first.object);
        let gvk = format!("{}, Kind={}", object::text(workload, "/apiVersion"), object::text(workload, "/kind"));
        let (component, name) = (self.name(), object::name(application));
        let what = if workload["kind"] == "HelmRelease" {
            format!("failed to get obj {component} with gvk {gvk}")
        } else {
            let revision = object::label(workload, "app.oam.dev/appRevision").unwrap_or_default();
            format!(
                "failed to get obj with labels map[app.oam.dev/appRevision:{revision} app.oam.dev/component:{component} \
                 app.oam.dev/name:{name} app.oam.dev/resourceType:WORKLOAD] and gvk {gvk}"
            )
        };
        let each = vec![format!("(cannot get object: {said})"); self.manifests.len()];
        vec![
            format!(
                "error health check from {}: app={name}, comp={component}, get template context error: {what} : {said}",
                self.spell()
            ),
            format!(
                "error encountered in cluster {}: Dispatch: pre-dispatch dryrun failed: Found {} errors. [{}]",
                self.cluster,
                each.len(),
                each.join(", ")
            ),
        ]
    }
}

/// Puts back what a tracker's entry says, and answers what is live.
pub(super) async fn keep(hub: &Cluster, entry: &Value) -> kube::Result<Object> {
    apply(&hub.member(object::text(entry, "/cluster")), &entry["raw"]).await
}

/// Several errors as KubeVela lists them.
pub(super) fn listed(errors: &[String]) -> String {
    let each: Vec<String> = errors.iter().map(|error| format!("({error})")).collect();
    format!("Found {} errors. [{}]", errors.len(), each.join(", "))
}

/// A deploy step's error with the dump of its CUE value behind it, as the real one has.
pub(super) fn deploy_error(policies: &[&str], error: &str) -> String {
    let policies: Vec<String> = policies.iter().map(|name| format!("\"{name}\"")).collect();
    format!(
        "function call error for deploy: {error} (value: #provider: \"multicluster\"\n#do:       \"deploy\"\n$params: \
         {{\n\tpolicies: [{}]\n\tparallelism:              5\n\tignoreTerraformComponent: true\n\tinlinePolicies: \
         []\n}}\n$returns?: {{}})",
        policies.join(", ")
    )
}

/// Brings one object to what `manifest` says: three ways, so that what was applied before and is no longer said
/// goes away, and what others added stays.
async fn apply(cluster: &Cluster, manifest: &Value) -> kube::Result<Object> {
    let kind = Kind::of(manifest);
    let mut wanted = manifest.clone();
    let hash = naming::revision_hash(manifest);
    object::set(&mut wanted, &["metadata", "labels", "oam.dev/render-hash"], json!(hash));
    let configuration = wanted.to_string();
    object::set(&mut wanted, &["metadata", "annotations", LAST_APPLIED], json!(configuration));
    let live = cluster.get(&kind, object::namespace(manifest), object::name(manifest)).await;
    let live = live.map_err(|error| no_match(&kind, error))?;
    let now = object::now();
    let time = ["metadata", "annotations", "app.oam.dev/last-applied-time"];
    let Some(live) = live else {
        object::set(&mut wanted, &time, json!(now));
        return cluster.create(&kind, &wanted).await.map_err(|error| no_match(&kind, error));
    };
    let unchanged = object::label(&live, "oam.dev/render-hash") == Some(&hash);
    if object::deleting(&live) || (unchanged && object::covers(&live, manifest)) {
        return Ok(live);
    }
    let mut new = live.clone();
    if let Some(last) =
        object::annotation(&live, LAST_APPLIED).and_then(|text| serde_json::from_str::<Value>(text).ok())
    {
        prune(&mut new, &last, &wanted);
    }
    object::set(&mut wanted, &time, json!(now));
    object::overlay(&mut new, &wanted);
    cluster.replace(&kind, &new).await
}

/// A cluster that does not have a kind is told of as KubeVela's own discovery finds it out.
fn no_match(kind: &Kind, error: kube::Error) -> kube::Error {
    match error {
        kube::Error::Api(mut status)
            if status.code == 404
                && ["404 page not found", "the server could not find the requested resource"]
                    .contains(&status.message.trim()) =>
        {
            status.message = format!("no matches for kind \"{}\" in version \"{}\"", kind.kind, kind.api_version);
            kube::Error::Api(status)
        }
        other => other,
    }
}

/// Takes out of `live` what `last` said and `wanted` no longer does.
fn prune(live: &mut Value, last: &Value, wanted: &Value) {
    if let (Value::Array(live), Value::Array(last), Value::Array(wanted)) = (&mut *live, last, wanted) {
        if live.len() == last.len() && live.len() == wanted.len() {
            for ((live, last), wanted) in live.iter_mut().zip(last).zip(wanted) {
                prune(live, last, wanted);
            }
        }
        return;
    }
    let (Value::Object(live), Value::Object(last)) = (live, last) else {
        return;
    };
    for (key, before) in last {
        match wanted.get(key) {
            None => {
                live.shift_remove(key);
            }
            Some(wanted) => {
                if let Some(live) = live.get_mut(key) {
                    prune(live, before, wanted);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_longer_said_goes_and_what_others_added_stays() {
        let mut live = json!({"a": 1, "b": {"c": 1, "d": 2, "others": 3}});
        let last = json!({"a": 1, "b": {"c": 1, "d": 2}});
        let wanted = json!({"b": {"d": 2}});
        prune(&mut live, &last, &wanted);
        assert_eq!(live, json!({"b": {"d": 2, "others": 3}}));
    }

    #[test]
    fn a_dead_cluster_is_complained_of_as_captured() {
        let application = json!({"metadata": {"name": "helm-hello", "namespace": "default"}});
        let revision = super::super::revision::Revision {
            name: "helm-hello-v2".into(),
            hash: "fb919be80bbccf39".into(),
            label: "helm-hello-v2".into(),
            spec: json!({}),
            row: None,
        };
        let place = Placement { cluster: "foo".into(), namespace: String::new() };
        let component = json!({"name": "hello", "type": "helm", "properties": {"chart": "c", "url": "u"}});
        let parcel = parcel(&application, &revision, &component, &place).unwrap();
        let status = kube::core::Status::failure("dial tcp 127.0.0.1:17443: connect: connection refused", "");
        let error = kube::Error::Api(Box::new(status));
        let message = deploy_error(&["topology-foo", "override-foo"], &listed(&parcel.complain(&application, &error)));
        let captured = include_str!("../../../../tests/fixtures/estate/deploy-error-foo-down.txt");
        assert_eq!(message, captured.trim_end_matches('\n'));
    }
}
