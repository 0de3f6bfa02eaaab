//! Whether something is permitted, asked before it is tried: a SelfSubjectAccessReview in the cluster that would do it.
//!
//! What cannot be asked counts as permitted: the request itself is answered then.

use std::time::Duration;

use http::Method;
use kube::Client;
use serde::Deserialize;
use serde_json::json;

use crate::{
    cluster::{
        discovery::{self, Resolved},
        hub::Hub,
        request::{self, JSON},
    },
    model::{
        acting::{Right, Verb},
        key::Text,
        resource::ResourceKey,
    },
};

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

/// What a right is in the words of access rules.
struct Rule<'a> {
    verb: &'static str,
    group: &'a str,
    resource: &'a str,
    subresource: &'static str,
}

impl Rule<'_> {
    /// `patch on deployments.apps`, `create on pods/exec`.
    fn needs(&self) -> String {
        let dot = if self.group.is_empty() { "" } else { "." };
        let (slash, part) = if self.subresource.is_empty() { ("", "") } else { ("/", self.subresource) };
        format!("needs {} on {}{slash}{part}{dot}{}", self.verb, self.resource, self.group)
    }
}

/// Whether a right is given on an object; where it is not, what it needs.
///
/// # Errors
/// What is needed: "needs create on pods/exec".
pub async fn review(hub: &Hub, key: &ResourceKey, right: Right) -> Result<(), Text> {
    let client = hub.member(&key.cluster);
    let deadline = hub.request_timeout();
    match right {
        Right::Shell => {
            let rule = Rule { verb: "create", group: "", resource: "pods", subresource: "exec" };
            ask(&client, &rule, key, deadline).await
        }
        Right::Approve => {
            let rule = Rule { verb: "patch", group: &key.group, resource: "applications", subresource: "status" };
            ask(&client, &rule, key, deadline).await
        }
        Right::Edit | Right::Do(_) => match discovery::resolve(&client, &key.group, &key.kind, deadline).await {
            Ok(place) => {
                let verb = if let Right::Do(verb) = right { verb.api() } else { "patch" };
                ask(&client, &rule(&place, key, verb), key, deadline).await
            }
            Err(_) => Ok(()),
        },
    }
}

/// The same, of a kind whose place in the API is known.
pub(super) async fn at(
    hub: &Hub,
    client: &Client,
    place: &Resolved,
    key: &ResourceKey,
    verb: Verb,
) -> Result<(), Text> {
    ask(client, &rule(place, key, verb.api()), key, hub.request_timeout()).await
}

fn rule<'a>(place: &'a Resolved, key: &'a ResourceKey, verb: &'static str) -> Rule<'a> {
    Rule { verb, group: &key.group, resource: &place.served.plural, subresource: "" }
}

async fn ask(client: &Client, rule: &Rule<'_>, key: &ResourceKey, deadline: Duration) -> Result<(), Text> {
    let body = json!({
        "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {
            "namespace": &*key.namespace, "name": &*key.name, "verb": rule.verb,
            "group": rule.group, "resource": rule.resource, "subresource": rule.subresource,
        }},
    });
    let uri = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
    let answer = request::write(client, Method::POST, uri, JSON, body.to_string().into_bytes(), deadline).await;
    match answer.ok().and_then(|bytes| request::decode::<Review>(&bytes).ok()) {
        Some(Review { status: ReviewStatus { allowed: false } }) => Err(rule.needs().into()),
        _ => Ok(()),
    }
}
