//! One kind: where its objects are in a cluster, by as few questions as it takes.

use std::time::Duration;

use super::{Group, GroupVersion, Resources, Served};
use crate::cluster::{
    error::{Class, Error},
    request::{self, escape},
};

/// Kinds whose path is the same in every cluster: they need no question.
const KNOWN: &[(&str, &str, &str, &str, bool)] = &[
    ("", "v1", "ConfigMap", "configmaps", false),
    ("", "v1", "Pod", "pods", true),
    ("", "v1", "Secret", "secrets", false),
    ("", "v1", "Service", "services", true),
    ("", "v1", "ServiceAccount", "serviceaccounts", false),
    ("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims", true),
    ("apps", "v1", "Deployment", "deployments", true),
    ("apps", "v1", "ReplicaSet", "replicasets", true),
    ("apps", "v1", "StatefulSet", "statefulsets", true),
    ("apps", "v1", "DaemonSet", "daemonsets", true),
    ("batch", "v1", "Job", "jobs", true),
    ("batch", "v1", "CronJob", "cronjobs", true),
    ("core.oam.dev", "v1beta1", "Application", "applications", true),
];

/// Where objects of a kind are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resolved {
    /// Its path and version.
    pub(crate) served: Served,
    /// Whether its `status` is written by a path of its own, and so not with the object.
    pub(crate) has_status: bool,
}

impl Resolved {
    /// The path of one object.
    pub(crate) fn object(&self, namespace: &str, name: &str) -> String {
        format!("{}/{}", self.served.collection(namespace), escape(name))
    }
}

/// Finds a kind.
///
/// # Errors
/// Class `NotFound` where the cluster does not serve it; else why it does not tell.
pub(crate) async fn resolve(
    client: &kube::Client,
    group: &str,
    kind: &str,
    deadline: Duration,
) -> Result<Resolved, Error> {
    if let Some((group, version, kind, plural, has_status)) =
        KNOWN.iter().find(|known| known.0 == group && known.2 == kind)
    {
        let served = Served {
            group: (*group).to_owned(),
            version: (*version).to_owned(),
            kind: (*kind).to_owned(),
            plural: (*plural).to_owned(),
            namespaced: true,
            watchable: true,
        };
        return Ok(Resolved { served, has_status: *has_status });
    }
    let versions = if group.is_empty() {
        vec!["v1".to_owned()]
    } else {
        let path = format!("/apis/{}", escape(group));
        match request::get_json::<Group>(client, &path, deadline).await {
            Ok(answer) => preferred_first(answer.versions, answer.preferred_version),
            Err(error) if error.class == Class::NotFound => Vec::new(),
            Err(error) => return Err(error),
        }
    };
    for version in versions {
        let path = if group.is_empty() {
            format!("/api/{version}")
        } else {
            format!("/apis/{}/{}", escape(group), escape(&version))
        };
        let listed: Resources = request::get_json(client, &path, deadline).await?;
        if let Some(found) = pick(&listed, group, &version, kind) {
            return Ok(found);
        }
    }
    let kind = if group.is_empty() { kind.to_owned() } else { format!("{kind} ({group})") };
    Err(Error::new(Class::NotFound, format!("no kind {kind} is served there")))
}

fn preferred_first(versions: Vec<GroupVersion>, preferred: GroupVersion) -> Vec<String> {
    let mut all: Vec<String> = versions.into_iter().map(|one| one.version).collect();
    all.retain(|version| *version != preferred.version && !version.is_empty());
    if !preferred.version.is_empty() {
        all.insert(0, preferred.version);
    }
    all
}

fn pick(listed: &Resources, group: &str, version: &str, kind: &str) -> Option<Resolved> {
    let one = listed
        .resources
        .iter()
        .find(|one| one.kind == kind && !one.name.contains('/') && one.verbs.iter().any(|verb| verb == "get"))?;
    let status = format!("{}/status", one.name);
    Some(Resolved {
        served: Served {
            group: group.to_owned(),
            version: version.to_owned(),
            kind: kind.to_owned(),
            plural: one.name.clone(),
            namespaced: one.namespaced,
            watchable: true,
        },
        has_status: listed.resources.iter().any(|one| one.name == status),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_kind_is_found_with_its_status_and_what_cannot_be_read_is_not() {
        let listed: Resources = serde_json::from_value(json!({"resources": [
            {"name": "widgets/status", "kind": "Widget", "namespaced": true, "verbs": ["get", "patch"]},
            {"name": "widgets", "kind": "Widget", "namespaced": true, "verbs": ["get", "list"]},
            {"name": "reviews", "kind": "Review", "namespaced": false, "verbs": ["create"]},
        ]}))
        .unwrap();
        let found = pick(&listed, "example.org", "v2", "Widget").unwrap();
        assert!(found.has_status);
        assert_eq!(found.object("web", "a b"), "/apis/example.org/v2/namespaces/web/widgets/a%20b");
        assert_eq!(pick(&listed, "example.org", "v2", "Review"), None);
    }

    #[test]
    fn the_version_that_the_server_prefers_is_asked_first() {
        let version = |version: &str| GroupVersion { version: version.to_owned() };
        let order = preferred_first(vec![version("v1beta1"), version("v1"), version("v2")], version("v1"));
        assert_eq!(order, ["v1", "v1beta1", "v2"]);
    }
}
