//! Pods by their labels, found as they come: for selectors, and for workloads by their own.

use std::{sync::Arc, time::Duration};

use kube::Client;
use serde::Deserialize;
use serde_json::Value;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, timeout_at},
};

use super::session::Found;
use crate::{
    cluster::{
        discovery,
        error::{Class, Error},
        lines,
        request::{self, METADATA_LIST, escape},
        watch::jitter_around,
    },
    model::{
        key::{ClusterId, PodKey, Text},
        log::{LogRequest, LogScope, LogTarget},
        resource::ResourceKey,
    },
};

/// Time for an answer.
const ASK: Duration = Duration::from_secs(10);
/// How long a watch lasts.
const WATCH: Duration = Duration::from_secs(60);
/// Between tries.
const PAUSE: Duration = Duration::from_secs(3);
/// Pods a page asks for.
const PAGE: usize = 500;
/// The largest list, and the largest event.
const LARGEST: (usize, usize) = (64 << 20, 4 << 20);
/// Only metadata.
const METADATA: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json";

/// Tells the pods that are wanted in a cluster; if followed, those that come too, until nobody listens.
pub(super) async fn find(
    client: Client,
    cluster: ClusterId,
    request: Arc<LogRequest>,
    tell: mpsc::UnboundedSender<Found>,
) {
    let mut tries = 0;
    while !tell.is_closed() {
        let found = async {
            let (namespace, selector) = match &request.scope {
                LogScope::Workload(key) => (Some(key.namespace.clone()), of_workload(&client, key).await?),
                LogScope::Selector { namespace, selector } => (namespace.clone(), selector.to_string()),
                LogScope::App { .. } | LogScope::Apps(_) | LogScope::Step { .. } | LogScope::Pods(_) => return Ok(()),
            };
            let place = match &namespace {
                Some(namespace) => format!("/api/v1/namespaces/{}/pods", escape(namespace)),
                None => "/api/v1/pods".to_owned(),
            };
            let uri = format!("{place}?labelSelector={}", escape(&selector));
            let (targets, version) = list(&client, &uri, &cluster).await?;
            for target in targets {
                let _ = tell.send(Found::Target(target));
            }
            let _ = tell.send(Found::Answers(cluster.clone()));
            if request.follow { watch(&client, &uri, &version, &cluster, &tell).await } else { Ok(()) }
        };
        match found.await {
            Ok(()) if request.follow => {}
            Ok(()) => return,
            Err(error) => {
                // Too old a version is no failure; a list brings a newer one.
                if error.class != Class::Gone {
                    let what = format!("pods in {cluster}: {}", error.message);
                    let _ = tell.send(Found::Unfound(Some(cluster.clone()), what.into()));
                }
                tries += 1;
                if !request.follow && tries > 2 || error.class == Class::Config {
                    return;
                }
                sleep(jitter_around(PAUSE)).await;
            }
        }
    }
}

/// The pods of a list, whose path ends with a query; and the version to watch from.
pub(super) async fn list(client: &Client, uri: &str, cluster: &ClusterId) -> Result<(Vec<LogTarget>, String), Error> {
    let uri = format!("{uri}&limit={PAGE}");
    let mut after: Option<String> = None;
    let mut targets = Vec::new();
    loop {
        let page = request::page(&uri, after.as_deref());
        let each = |object: &[u8]| targets.extend(target(cluster, object));
        let envelope = request::list(client, &page, METADATA_LIST, LARGEST.0, ASK, each).await?;
        let envelope: Value = request::decode(&envelope)?;
        let text = |pointer: &str| envelope.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        after = Some(text("/metadata/continue")).filter(|token| !token.is_empty());
        if after.is_none() {
            return Ok((targets, text("/metadata/resourceVersion")));
        }
    }
}

async fn watch(
    client: &Client,
    uri: &str,
    version: &str,
    cluster: &ClusterId,
    tell: &mpsc::UnboundedSender<Found>,
) -> Result<(), Error> {
    let uri = format!("{uri}&watch=true&resourceVersion={}&timeoutSeconds={}", escape(version), WATCH.as_secs());
    let end = Instant::now() + WATCH + ASK;
    let response = request::within(ASK, request::open(client, &uri, METADATA, true)).await?;
    let mut lines = lines::of(response, LARGEST.1);
    // Past the agreed end nobody is there any more.
    while let Ok(line) = timeout_at(end, lines.next()).await {
        let Some(line) = line? else { return Ok(()) };
        let Ok(event) = serde_json::from_slice::<Event<'_>>(&line.bytes) else { continue };
        match event.kind {
            "ADDED" | "MODIFIED" => {
                if let Some(target) = target(cluster, event.object.get().as_bytes()) {
                    let _ = tell.send(Found::Target(target));
                }
            }
            "ERROR" => return Ok(()),
            _ => {}
        }
    }
    Ok(())
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(rename = "type", borrow)]
    kind: &'a str,
    #[serde(borrow)]
    object: &'a serde_json::value::RawValue,
}

#[derive(Deserialize)]
struct Object {
    metadata: Metadata,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Metadata {
    name: Text,
    namespace: Text,
    uid: Text,
}

fn target(cluster: &ClusterId, object: &[u8]) -> Option<LogTarget> {
    let Object { metadata: Metadata { name, namespace, uid } } = serde_json::from_slice(object).ok()?;
    (!name.is_empty()).then(|| LogTarget { pod: PodKey { cluster: cluster.clone(), namespace, name }, uid })
}

/// A workload's own selector.
async fn of_workload(client: &Client, key: &ResourceKey) -> Result<String, Error> {
    let place = discovery::resolve(client, &key.group, &key.kind, ASK).await?;
    let object: Value = request::get_json(client, &place.object(&key.namespace, &key.name), ASK).await?;
    let selector = object.pointer("/spec/selector").and_then(selector);
    selector.ok_or_else(|| {
        let what = format!("{} {} has no selector to find its pods by", key.kind, key.name);
        Error::new(Class::Config, what)
    })
}

/// `spec.selector`, as the API takes it in a query. Services and replication controllers have plain labels there.
fn selector(selector: &Value) -> Option<String> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let mut terms = Vec::new();
    let labels = match (selector.get("matchLabels"), selector.get("matchExpressions")) {
        (None, None) => Some(selector),
        (labels, _) => labels,
    };
    for (name, value) in labels.and_then(Value::as_object).into_iter().flatten() {
        terms.push(format!("{name}={}", text(value)?));
    }
    for term in selector.get("matchExpressions").and_then(Value::as_array).into_iter().flatten() {
        let name = term.get("key").and_then(Value::as_str)?;
        let values: Option<Vec<String>> = term
            .get("values")
            .and_then(Value::as_array)
            .map_or(Some(Vec::new()), |values| values.iter().map(text).collect());
        let values = values?.join(",");
        terms.push(match term.get("operator").and_then(Value::as_str)? {
            "In" => format!("{name} in ({values})"),
            "NotIn" => format!("{name} notin ({values})"),
            "Exists" => name.to_owned(),
            "DoesNotExist" => format!("!{name}"),
            _ => return None,
        });
    }
    // None at all would be all pods.
    (!terms.is_empty()).then(|| terms.join(","))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_selector_is_said_as_the_api_takes_it() {
        assert_eq!(selector(&json!({"app": "a", "tier": "b"})).as_deref(), Some("app=a,tier=b"));
        let both = json!({"matchLabels": {"app": "a"}, "matchExpressions": [
            {"key": "x", "operator": "In", "values": ["1", "2"]}, {"key": "y", "operator": "Exists"},
            {"key": "z", "operator": "DoesNotExist"}]});
        assert_eq!(selector(&both).as_deref(), Some("app=a,x in (1,2),y,!z"));
        assert_eq!(selector(&json!({})), None);
        assert_eq!(selector(&json!({"matchLabels": {}})), None);
    }
}
