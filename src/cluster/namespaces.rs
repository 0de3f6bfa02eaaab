//! Where all namespaces may not be asked at once: those that may.

use futures::{StreamExt, stream};
use http::Method;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{asking::Asking, project::Meta, request, watch::read};
use crate::model::key::Text;

/// Namespaces that are watched one by one at most: each is a socket.
pub(crate) const MOST: usize = 50;
/// Namespaces that are asked about at most.
const ASKED: usize = 500;

#[derive(Deserialize)]
struct List<'a> {
    #[serde(borrow, default)]
    items: Option<Vec<&'a RawValue>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Review {
    status: ReviewStatus,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ReviewStatus {
    allowed: bool,
}

/// Namespaces in which Applications may be listed: the preferred ones first, whether or not that is known of them,
/// then all others of which the API server says so; and how many were left out for being too many.
pub(crate) async fn permitted(asking: &mut Asking, preferred: &[Text]) -> (Vec<Text>, usize) {
    let mut names: Vec<Text> = preferred.to_vec();
    let others = all(asking).await;
    let asking = &*asking;
    let mut allowed = stream::iter(others.into_iter().filter(|name| !preferred.contains(name)).take(ASKED))
        .map(|name| async move { may_list(asking, &name).await.then_some(name) })
        .buffered(8);
    while let Some(name) = allowed.next().await {
        names.extend(name);
    }
    if names.is_empty() {
        names.push("default".into());
    }
    let left_out = names.len().saturating_sub(MOST);
    names.truncate(MOST);
    (names, left_out)
}

/// The namespaces there are, sorted; none where that may not be asked either.
async fn all(asking: &mut Asking) -> Vec<Text> {
    let Ok(bytes) = asking.list("/api/v1/namespaces?limit=5000", request::METADATA_LIST).await else {
        return Vec::new();
    };
    let Ok(list) = request::decode::<List<'_>>(&bytes) else { return Vec::new() };
    let mut names: Vec<Text> = list
        .items
        .unwrap_or_default()
        .into_iter()
        .filter_map(|object| Meta::of(&read(object.get().as_bytes())?))
        .map(|meta| meta.name)
        .collect();
    names.sort_unstable();
    names
}

async fn may_list(asking: &Asking, namespace: &str) -> bool {
    let review = serde_json::json!({
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {
            "namespace": namespace, "verb": "list", "group": "core.oam.dev", "resource": "applications",
        }},
    });
    let uri = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
    let body = review.to_string().into_bytes();
    match request::write(&asking.client, Method::POST, uri, request::JSON, body, asking.deadline).await {
        Ok(bytes) => request::decode::<Review>(&bytes).is_ok_and(|review| review.status.allowed),
        Err(_) => false,
    }
}
