//! The little of OpenAPI that kubectl needs to apply: that the server validates fields itself.

use serde_json::{Map, Value, json};

use crate::demo::kinds::{KINDS, Kind};
use crate::demo::world::Cluster;

fn served(cluster: &Cluster) -> impl Iterator<Item = &'static Kind> + '_ {
    KINDS.iter().filter(|kind| cluster.serves(kind))
}

fn root(kind: &Kind) -> String {
    let prefix = if kind.group.is_empty() { "api" } else { "apis" };
    format!("{prefix}/{}", kind.api_version())
}

/// `/openapi/v3`: where each group's document is.
pub(crate) fn index(cluster: &Cluster) -> Value {
    let paths: Map<String, Value> = served(cluster)
        .map(root)
        .map(|root| (root.clone(), json!({ "serverRelativeURL": format!("/openapi/v3/{root}") })))
        .collect();
    json!({ "paths": paths })
}

/// `/openapi/v3/apis/GROUP/VERSION`: each kind's patch, and the parameters it takes.
pub(crate) fn document(cluster: &Cluster, root_path: &str) -> Option<Value> {
    let parameter =
        |name: &str| json!({ "name": name, "in": "query", "schema": { "type": "string", "uniqueItems": true } });
    let paths: Map<String, Value> = served(cluster)
        .filter(|kind| root(kind) == root_path)
        .map(|kind| {
            let namespaced = if kind.namespaced { "namespaces/{namespace}/" } else { "" };
            let patch = json!({
                "parameters": [parameter("dryRun"), parameter("fieldManager"), parameter("fieldValidation")],
                "responses": { "200": { "description": "OK" } },
                "x-kubernetes-action": "patch",
                "x-kubernetes-group-version-kind": { "group": kind.group, "version": kind.version, "kind": kind.name },
            });
            (format!("/{root_path}/{namespaced}{}/{{name}}", kind.plural), json!({ "patch": patch }))
        })
        .collect();
    (!paths.is_empty()).then(|| {
        json!({
            "openapi": "3.0.0", "info": { "title": "Kubernetes", "version": "v1.34.4" }, "paths": paths,
            "components": { "schemas": {} },
        })
    })
}
