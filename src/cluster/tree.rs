//! What an application made, looked up: its roots on the hub, and in every cluster it reaches the objects around them.
//!
//! Asked per opened tree: on the hub the application and its trackers; in each cluster its discovery (two requests, or one
//! for each group of APIs where the server is older than 1.26) and, for each namespace that holds a root, one paged list
//! for each kind that is served there. No request is made for a node; objects that belong to nobody in the tree are read
//! over. Kinds with rules of their own are listed whole and projected at once; all others as the server's own table
//! with metadata, so that their details are told in its words. Of Secrets only metadata is asked for. Events and Leases, which own nothing and
//! are many, are left out.
//!
//! Clusters are asked side by side, each with a deadline of its own: a dead one costs the others nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use futures::{StreamExt, stream};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use super::{
    discovery::{self, Served},
    error::{Class, Error},
    hub::Hub,
    project::{self, Meta},
    request::{self, escape},
    trackers,
};
use crate::model::{
    key::{AppKey, ClusterId, Text},
    resource::Resource,
    tree::{Found, Gap},
};

/// Lists under way at once in one cluster.
const AT_ONCE: usize = 8;
/// The largest page taken.
const PAGE_BYTES: usize = 64 * 1024 * 1024;
/// Objects of one kind in one namespace at most: beyond, the tree says so.
const MOST: usize = 20_000;
/// What the server shows of a kind, with the metadata of each row.
const TABLE: &str = "application/json;as=Table;g=meta.k8s.io;v=v1,application/json";

/// Looks up what an application made.
///
/// # Errors
/// Where the application cannot be read. A cluster that does not answer is no error: it is told in the answer.
pub async fn look_up(hub: &Hub, app: &AppKey, deadline: Duration) -> Result<Found, Error> {
    let path =
        format!("/apis/core.oam.dev/v1beta1/namespaces/{}/applications/{}", escape(&app.namespace), escape(&app.name));
    let what = format!("application {app}");
    let object: Value = request::get_json(&hub.client(), &path, deadline).await.map_err(|error| error.during(&what))?;
    let applied = trackers::applied(hub, app, &object, deadline).await.map_err(|error| error.during(&what))?;
    let row = project::application(&object);
    let mut clusters: BTreeSet<ClusterId> = row.placements.iter().map(|placement| placement.cluster.clone()).collect();
    clusters.extend(row.services.iter().map(|service| service.cluster.clone()));
    let mut places: BTreeMap<ClusterId, BTreeSet<Text>> = BTreeMap::new();
    for root in &applied.roots {
        places.entry(root.key.cluster.clone()).or_default().insert(root.key.namespace.clone());
    }
    let asked = places.into_iter().map(|(cluster, namespaces)| async move {
        let all = request::within(deadline, cluster_objects(hub, &cluster, &namespaces)).await;
        (cluster, all)
    });
    let answers: Vec<_> = stream::iter(asked).buffer_unordered(32).collect().await;
    let mut found = Found { roots: applied.roots, clusters: clusters.into_iter().collect(), ..Found::default() };
    let hub_notes = applied.notes.into_iter();
    found.incomplete.extend(hub_notes.map(|reason| Gap {
        cluster: ClusterId::local(),
        kind: Some("ResourceTracker".into()),
        reason,
    }));
    for (cluster, answer) in answers {
        match answer {
            Ok((resources, gaps)) => {
                found.resources.extend(resources);
                found.incomplete.extend(gaps);
            }
            Err(error) => found.incomplete.push(Gap { cluster, kind: None, reason: error.message.into() }),
        }
    }
    Ok(found)
}

/// The objects in some namespaces of a cluster, of every kind that can be listed there.
async fn cluster_objects(
    hub: &Hub,
    cluster: &ClusterId,
    namespaces: &BTreeSet<Text>,
) -> Result<(Vec<Resource>, Vec<Gap>), Error> {
    let client = hub.member(cluster);
    let served: Vec<Arc<Served>> = discovery::listable(&client).await?.into_iter().map(Arc::new).collect();
    let mut questions: Vec<(Arc<Served>, Text)> = Vec::new();
    for namespace in namespaces {
        for kind in &served {
            // Cluster-scoped roots are looked for among all of their kind; what owns nothing namespaced is not.
            if kind.namespaced != namespace.is_empty() {
                questions.push((Arc::clone(kind), namespace.clone()));
            }
        }
    }
    let now = Timestamp::now();
    let lists = questions.into_iter().map(|(kind, namespace)| {
        let client = client.clone();
        async move {
            let answer = list(&client, cluster, &kind, &namespace, now).await;
            (kind, namespace, answer)
        }
    });
    let mut resources = Vec::new();
    let mut gaps: Vec<Gap> = Vec::new();
    let mut lists = stream::iter(lists).buffer_unordered(AT_ONCE);
    while let Some((kind, namespace, answer)) = lists.next().await {
        let reason = match answer {
            Ok((found, complete)) => {
                resources.extend(found);
                if complete {
                    continue;
                }
                format!("more than {MOST} in namespace {namespace}: the rest is not shown")
            }
            // Uninstalled since, or served for something else than lists.
            Err(error) if error.class == Class::NotFound => continue,
            // The link itself is gone: that is said once, not for each kind.
            Err(error) if matches!(error.class, Class::Unreachable | Class::Unauthorized) => return Err(error),
            Err(error) => error.message,
        };
        gaps.push(Gap { cluster: cluster.clone(), kind: Some(kind.kind.as_str().into()), reason: reason.into() });
    }
    Ok((resources, gaps))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Page<'a> {
    #[serde(borrow)]
    items: Option<Vec<&'a RawValue>>,
    #[serde(borrow)]
    rows: Option<Vec<Row<'a>>>,
    #[serde(rename = "columnDefinitions")]
    columns: Option<Vec<Column>>,
    metadata: request::ListMeta,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Column {
    name: String,
    priority: i64,
}

#[derive(Deserialize)]
struct Row<'a> {
    #[serde(default)]
    cells: Vec<Value>,
    #[serde(borrow)]
    object: Option<&'a RawValue>,
}

/// All objects of one kind in a namespace, and whether these are all.
async fn list(
    client: &kube::Client,
    cluster: &ClusterId,
    kind: &Served,
    namespace: &str,
    now: Timestamp,
) -> Result<(Vec<Resource>, bool), Error> {
    let whole = project::has_rules(&kind.group, &kind.kind);
    let accept = if whole { request::JSON } else { TABLE };
    let mut found = Vec::new();
    let mut columns: Vec<Column> = Vec::new();
    let mut next = None;
    let path = format!("{}?limit=500", kind.collection(namespace));
    loop {
        let uri = request::page(&path, next.as_deref());
        let bytes = request::get(client, &uri, accept, PAGE_BYTES, Duration::from_secs(60)).await?;
        let page: Page<'_> = request::decode(&bytes)?;
        if let Some(definitions) = page.columns.filter(|columns| !columns.is_empty()) {
            columns = definitions;
        }
        for item in page.items.unwrap_or_default() {
            let Ok(object) = serde_json::from_str::<Value>(item.get()) else { continue };
            found.extend(project::resource(cluster, &kind.group, &kind.kind, &object, now));
        }
        for row in page.rows.unwrap_or_default() {
            let object = row.object.and_then(|object| serde_json::from_str::<Value>(object.get()).ok());
            let Some(meta) = object.as_ref().and_then(Meta::of) else { continue };
            let mut resource = project::of_meta(cluster, &kind.group, &kind.kind, &meta);
            (resource.health, resource.message) = project::by_table(&cells(&columns, &row.cells));
            found.push(resource);
        }
        next = page.metadata.next();
        if next.is_none() || found.len() >= MOST {
            return Ok((found, next.is_none()));
        }
    }
}

/// What a row tells beside the name and the age, column by column.
fn cells<'a>(columns: &'a [Column], cells: &[Value]) -> Vec<(&'a str, String)> {
    let shown = columns.iter().zip(cells).filter(|(column, _)| {
        column.priority == 0 && !matches!(column.name.to_ascii_lowercase().as_str(), "name" | "age" | "created at")
    });
    let told = shown.filter_map(|(column, cell)| {
        let text = match cell {
            Value::Null => return None,
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        (!text.is_empty() && text != "<none>").then_some((column.name.as_str(), text))
    });
    told.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_row_is_told_by_its_columns_without_name_and_age() {
        let columns: Vec<Column> = serde_json::from_value(json!([
            {"name": "Name"}, {"name": "Ready"}, {"name": "Wide", "priority": 1}, {"name": "Count"}, {"name": "Age"}
        ]))
        .unwrap();
        let row = [json!("x"), json!("True"), json!("no"), json!(3), json!("5m")];
        assert_eq!(cells(&columns, &row), [("Ready", "True".to_owned()), ("Count", "3".to_owned())]);
    }
}
