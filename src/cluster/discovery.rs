//! Which kinds a cluster serves: its own discovery, aggregated where the server knows that (1.26), else group by group.

use std::{collections::BTreeSet, time::Duration};

use futures::{StreamExt, stream};
use serde::Deserialize;

use super::{
    error::{Class, Error},
    request::{self, escape},
};

mod resolve;

pub(crate) use resolve::{Resolved, resolve};

/// Time for one answer.
const DEADLINE: Duration = Duration::from_secs(10);
/// Both forms that servers know; the second was a beta.
const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,\
    application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";
/// What is never part of a tree: many, and they own nothing.
const LEFT_OUT: [(&str, &str); 4] =
    [("", "Event"), ("events.k8s.io", "Event"), ("coordination.k8s.io", "Lease"), ("", "Binding")];
/// What computes its answers instead of storing objects.
const COMPUTED: [&str; 5] = [
    "metrics.k8s.io",
    "custom.metrics.k8s.io",
    "external.metrics.k8s.io",
    "authorization.k8s.io",
    "cluster.core.oam.dev",
];

/// A kind that can be listed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Served {
    /// API group; empty for the core group.
    pub(crate) group: String,
    /// The version that the server prefers.
    pub(crate) version: String,
    /// Kind.
    pub(crate) kind: String,
    /// Its name in paths.
    pub(crate) plural: String,
    /// Whether its objects live in namespaces.
    pub(crate) namespaced: bool,
    /// Whether it can be watched.
    pub(crate) watchable: bool,
}

impl Served {
    /// The path of all objects of this kind in a namespace; of all there are for a cluster-scoped kind.
    pub(crate) fn collection(&self, namespace: &str) -> String {
        let root = if self.group.is_empty() {
            format!("/api/{}", self.version)
        } else {
            format!("/apis/{}/{}", self.group, self.version)
        };
        if self.namespaced && !namespace.is_empty() {
            format!("{root}/namespaces/{}/{}", escape(namespace), self.plural)
        } else {
            format!("{root}/{}", self.plural)
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Aggregated {
    kind: String,
    items: Vec<AggregatedGroup>,
    groups: Vec<Group>,
    versions: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct AggregatedGroup {
    metadata: Named,
    versions: Vec<AggregatedVersion>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Named {
    name: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct AggregatedVersion {
    version: String,
    resources: Vec<AggregatedResource>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct AggregatedResource {
    resource: String,
    response_kind: Kind,
    scope: String,
    verbs: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Kind {
    kind: String,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Group {
    name: String,
    versions: Vec<GroupVersion>,
    preferred_version: GroupVersion,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct GroupVersion {
    version: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Resources {
    resources: Vec<ListedResource>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ListedResource {
    name: String,
    kind: String,
    namespaced: bool,
    verbs: Vec<String>,
}

/// Every kind that can be listed, each once, in the version that the server prefers.
///
/// # Errors
/// Where the server does not tell. A single group that fails (an aggregated API whose server is down) is left out.
pub(crate) async fn listable(client: &kube::Client) -> Result<Vec<Served>, Error> {
    let (core, rest) = futures::try_join!(part(client, "/api"), part(client, "/apis"))?;
    let mut seen = BTreeSet::new();
    let mut kinds: Vec<Served> = core.into_iter().chain(rest).filter(is_wanted).collect();
    kinds.retain(|kind| seen.insert((kind.group.clone(), kind.kind.clone())));
    Ok(kinds)
}

fn is_wanted(kind: &Served) -> bool {
    let left_out = LEFT_OUT.iter().any(|(group, name)| *group == kind.group && *name == kind.kind);
    // The old form of EndpointSlices: each is told there already.
    let old = kind.group.is_empty() && kind.kind == "Endpoints";
    !left_out && !old && !COMPUTED.contains(&kind.group.as_str())
}

async fn part(client: &kube::Client, path: &str) -> Result<Vec<Served>, Error> {
    let bytes = request::get(client, path, AGGREGATED, 16 * 1024 * 1024, DEADLINE).await?;
    let answer: Aggregated = request::decode(&bytes)?;
    if answer.kind == "APIGroupDiscoveryList" {
        return Ok(aggregated(answer.items));
    }
    // (group, version, path), the preferred version of each group alone.
    let asked: Vec<(String, String, String)> = if path == "/api" {
        answer.versions.into_iter().map(|version| (String::new(), version.clone(), format!("/api/{version}"))).collect()
    } else {
        let preferred = |group: Group| {
            let version = Some(group.preferred_version.version).filter(|version| !version.is_empty());
            let version = version.or_else(|| group.versions.into_iter().next().map(|first| first.version))?;
            let path = format!("/apis/{}/{version}", group.name);
            Some((group.name, version, path))
        };
        answer.groups.into_iter().filter_map(preferred).collect()
    };
    let lists = asked.into_iter().map(|(group, version, path)| async move {
        let answer = request::get_json::<Resources>(client, &path, DEADLINE).await;
        (group, version, answer)
    });
    let mut kinds = Vec::new();
    // In order, so that the same cluster always gives the same answer.
    let mut lists = stream::iter(lists).buffered(8);
    while let Some((group, version, answer)) = lists.next().await {
        match answer {
            Ok(listed) => kinds.extend(legacy(&group, &version, listed)),
            Err(error) if matches!(error.class, Class::Unreachable | Class::Unauthorized) => return Err(error),
            Err(error) => tracing::debug!(%group, %error, "a group of APIs does not tell its kinds"),
        }
    }
    Ok(kinds)
}

fn aggregated(groups: Vec<AggregatedGroup>) -> Vec<Served> {
    let mut kinds = Vec::new();
    for group in groups {
        // Versions come in the order of preference.
        for version in group.versions {
            for resource in version.resources {
                if resource.verbs.iter().any(|verb| verb == "list") && !resource.response_kind.kind.is_empty() {
                    kinds.push(Served {
                        group: group.metadata.name.clone(),
                        version: version.version.clone(),
                        kind: resource.response_kind.kind,
                        plural: resource.resource,
                        namespaced: resource.scope == "Namespaced",
                        watchable: resource.verbs.iter().any(|verb| verb == "watch"),
                    });
                }
            }
        }
    }
    kinds
}

fn legacy(group: &str, version: &str, listed: Resources) -> Vec<Served> {
    let can_be_listed = |one: &ListedResource| {
        !one.name.contains('/') && one.verbs.iter().any(|verb| verb == "list") && !one.kind.is_empty()
    };
    let served = |one: ListedResource| Served {
        group: group.to_owned(),
        version: version.to_owned(),
        kind: one.kind,
        plural: one.name,
        namespaced: one.namespaced,
        watchable: one.verbs.iter().any(|verb| verb == "watch"),
    };
    listed.resources.into_iter().filter(can_be_listed).map(served).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_kind_in_several_versions_is_taken_once_in_the_first() {
        let groups: Vec<AggregatedGroup> = serde_json::from_value(json!([{"metadata": {"name": "apps"}, "versions": [
            {"version": "v1", "resources": [
                {"resource": "deployments", "responseKind": {"kind": "Deployment"}, "scope": "Namespaced", "verbs": ["get", "list"]},
                {"resource": "reviews", "responseKind": {"kind": "Review"}, "scope": "Cluster", "verbs": ["create"]}]},
            {"version": "v1beta1", "resources": [
                {"resource": "deployments", "responseKind": {"kind": "Deployment"}, "scope": "Namespaced", "verbs": ["list"]}]},
        ]}]))
        .unwrap();
        let kinds = aggregated(groups);
        assert_eq!(kinds.len(), 2, "both versions are told: the caller takes the first of a kind");
        assert_eq!(kinds[0].collection("web"), "/apis/apps/v1/namespaces/web/deployments");
    }

    #[test]
    fn subresources_and_what_cannot_be_listed_are_left_out() {
        let listed: Resources = serde_json::from_value(json!({"resources": [
            {"name": "pods", "kind": "Pod", "namespaced": true, "verbs": ["list"]},
            {"name": "pods/log", "kind": "Pod", "namespaced": true, "verbs": ["get"]},
            {"name": "bindings", "kind": "Binding", "namespaced": true, "verbs": ["create"]},
        ]}))
        .unwrap();
        let kinds = legacy("", "v1", listed);
        assert_eq!(kinds.len(), 1);
        assert_eq!(kinds[0].collection("a b"), "/api/v1/namespaces/a%20b/pods");
    }
}
