//! A cluster's API server: from a request to an answer.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode, Version, header};
use hyper::body::Incoming;

mod apply;
mod body;
mod defaults;
mod delete;
mod discovery;
mod fields;
mod format;
mod lists;
mod modify;
mod openapi;
mod patch;
mod path;
mod protobuf;
mod prune;
mod read;
mod table;
mod validate;
mod watch;
mod write;

pub(crate) use body::{Answer, Body};
pub(crate) use format::Format;
pub(crate) use path::Target;
use write::Write;

use super::access::{Attempt, User};
use super::query::Query;
use super::status::Status;
use super::world::{Cluster, World};
use super::{ctl, gateway, metrics, pods, traffic};

/// One request, who sent it and to which cluster.
pub(crate) struct Call {
    pub(crate) world: Arc<World>,
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) user: User,
    pub(crate) query: Query,
    pub(crate) request: Request<Incoming>,
}

/// Answers a request from outside.
pub(crate) async fn answer(world: Arc<World>, cluster: Arc<Cluster>, request: Request<Incoming>) -> Answer {
    match request.uri().path() {
        "/readyz" | "/livez" | "/healthz" | "/readyz/ping" | "/livez/ping" | "/healthz/ping" => {
            return body::text(StatusCode::OK, "ok");
        }
        "/version" | "/version/" => return body::value(StatusCode::OK, &discovery::version()),
        _ => {}
    }
    match User::authenticate(request.headers()) {
        Ok(user) => answer_as(world, cluster, user, request).await,
        Err(status) => body::refusal(&status),
    }
}

/// Answers a request of a known user, also one that came in through the gateway.
pub(crate) async fn answer_as(
    world: Arc<World>,
    cluster: Arc<Cluster>,
    user: User,
    request: Request<Incoming>,
) -> Answer {
    let query = Query::parse(request.uri().query());
    let foreign = request.headers().get(header::USER_AGENT).is_none_or(|name| name != traffic::OWN);
    let watches = foreign && query.flag("watch");
    let counted = Arc::clone(&cluster);
    if foreign {
        counted.counters.count();
    }
    let one = request.version() < Version::HTTP_2;
    let call = Call { world, cluster, user, query, request };
    let mut answer = call.route().await.unwrap_or_else(|status| body::refusal(&status));
    if one && answer.status() == StatusCode::PAYLOAD_TOO_LARGE {
        // The rest of the request is of no use to anybody.
        answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    if watches && answer.status().is_success() { counted.counters.watch(answer) } else { answer }
}

impl Call {
    async fn route(self) -> Result<Answer, Status> {
        if self.cluster.name == ctl::CONTROL {
            return ctl::answer(&self.world, &self.user, self.request).await;
        }
        let path = self.request.uri().path().to_owned();
        let segments: Vec<String> = path.trim_matches('/').split('/').map(super::query::unescape).collect();
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let document = |document: Option<serde_json::Value>| {
            Ok(document.map_or_else(not_found, |document| body::value(StatusCode::OK, &document)))
        };
        let cluster = &self.cluster;
        if let ["apis", gateway::GROUP, gateway::VERSION, ..] = segments[..]
            && cluster.is_hub()
            && let Some(answer) = gateway::unavailable(&self.world).await
        {
            return Ok(answer);
        }
        match segments[..] {
            ["readyz" | "livez" | "healthz", ..] => Ok(body::text(StatusCode::OK, "ok")),
            ["version"] => document(Some(discovery::version())),
            ["metrics"] if self.cluster.is_hub() && self.user.is_admin() => {
                Ok(body::text(StatusCode::OK, traffic::metrics(&self.world)))
            }
            ["api"] => document(Some(discovery::core_versions(cluster))),
            ["apis"] => document(Some(discovery::groups(&self.world, cluster))),
            ["apis", group] => document(discovery::group(&self.world, cluster, group)),
            ["api", version] => document(discovery::resources(cluster, "", version)),
            ["apis", group, version] => document(discovery::resources(cluster, group, version)),
            ["openapi", "v3"] => document(Some(openapi::index(cluster))),
            ["openapi", "v3", ..] => document(openapi::document(cluster, &segments[2..].join("/"))),
            ["apis", gateway::GROUP, gateway::VERSION, ..] if cluster.is_hub() => gateway::answer_simulated(self).await,
            ["apis", group @ ("authorization.k8s.io" | "authentication.k8s.io"), "v1", resource] => {
                self.review(group, resource).await
            }
            ["api", "v1", ref rest @ ..] => self.resource("", "v1", rest).await,
            ["apis", group, version, ref rest @ ..] => self.resource(group, version, rest).await,
            _ => Ok(not_found()),
        }
    }

    async fn resource(self, group: &str, version: &str, rest: &[&str]) -> Result<Answer, Status> {
        let Some(target) = Target::parse(group, version, rest).filter(|target| self.cluster.serves(target.kind)) else {
            // A group that nobody serves has no handler at all; one that is served knows what it has.
            let known = discovery::resources(&self.cluster, group, version).is_some();
            return if known { Err(Status::no_such_resource()) } else { Ok(not_found()) };
        };
        let foreign = self.request.headers().get(header::USER_AGENT).is_none_or(|name| name != traffic::OWN);
        let method = self.request.method().clone();
        let subresource = target.subresource.clone();
        let verb = match (&method, target.name.is_empty()) {
            (&Method::GET, _) if self.query.flag("watch") => "watch",
            (&Method::GET, true) => "list",
            (&Method::GET, false) => "get",
            (&Method::POST, _) => "create",
            (&Method::PUT, _) => "update",
            (&Method::PATCH, _) => "patch",
            (&Method::DELETE, true) => "deletecollection",
            (&Method::DELETE, false) => "delete",
            _ => return Err(Status::method_not_allowed()),
        };
        // A namespace is of itself.
        let namespace = if target.kind.name == "Namespace" { &target.name } else { &target.namespace };
        self.user.authorize(&Attempt { verb, group, resource: &target.resource(), namespace, name: &target.name })?;
        if foreign && self.cluster.forbids(target.kind) {
            return Err(Status::forbidden(self.user.name(), verb, group, &target.resource(), &target.name, namespace));
        }
        let pod = target.kind.name == "Pod" && target.kind.group.is_empty();
        match (&method, subresource.as_str()) {
            (&Method::GET, "log") if pod => return pods::log::answer(&self, &target),
            (_, "exec") if pod => return pods::exec::answer(self, &target),
            (_, "portforward") if pod => return pods::forward::answer(self, &target),
            (&Method::GET, "") if group == metrics::GROUP && !self.query.flag("watch") => {
                return metrics::answer(&self.cluster.store, &target, self.request.headers(), &self.query);
            }
            (&Method::GET, "" | "status") if target.name.is_empty() || self.query.flag("watch") => {
                return read::list(&self.cluster.store, &target, self.request.headers(), &self.query);
            }
            (&Method::GET, "scale") if target.kind.scale => {
                return Ok(body::value(StatusCode::OK, &read::scale(&self.cluster.store, &target)?));
            }
            (&Method::GET, "" | "status") => {
                return read::get(&self.cluster.store, &target, self.request.headers(), &self.query);
            }
            _ => {}
        }
        let (head, incoming) = self.request.into_parts();
        let body: Bytes = body::read(incoming).await?;
        let options = match method {
            Method::PUT => "UpdateOptions",
            Method::PATCH => "PatchOptions",
            Method::DELETE => "DeleteOptions",
            _ => "CreateOptions",
        };
        let (store, query) = (&*self.cluster.store, &self.query);
        let write = Write { store, target: &target, headers: &head.headers, query, body, options };
        let own = match subresource.as_str() {
            "" => true,
            "status" => target.kind.status,
            "scale" => target.kind.scale,
            "finalize" => target.kind.name == "Namespace",
            _ => false,
        };
        match method {
            Method::POST if subresource.is_empty() && target.name.is_empty() => write.create(),
            Method::POST if pod && subresource == "eviction" => write.evict(),
            Method::PUT if own && !target.name.is_empty() => write.update(),
            Method::PATCH if own && !target.name.is_empty() => write.patch(),
            Method::DELETE if subresource.is_empty() && target.name.is_empty() => write.delete_collection(),
            Method::DELETE if subresource.is_empty() => write.delete(),
            _ if !own && !subresource.is_empty() => Err(Status::no_such_resource()),
            _ => Err(Status::method_not_allowed()),
        }
    }

    /// What a user may do, and who they are.
    async fn review(self, group: &str, resource: &str) -> Result<Answer, Status> {
        if *self.request.method() != Method::POST {
            return Err(Status::method_not_allowed());
        }
        let user = self.user;
        let (head, incoming) = self.request.into_parts();
        let asked = body::parse(&head.headers, &body::read(incoming).await?)?;
        let answer = match (group, resource) {
            ("authorization.k8s.io", "selfsubjectaccessreviews") => user.review(asked),
            ("authorization.k8s.io", "selfsubjectrulesreviews") => user.rules(asked),
            ("authentication.k8s.io", "selfsubjectreviews") => user.introduce(asked),
            _ => return Err(Status::no_such_resource()),
        };
        Ok(body::value(StatusCode::CREATED, &answer))
    }
}

/// What the real server says to a path that nobody handles.
pub(crate) fn not_found() -> Answer {
    body::text(StatusCode::NOT_FOUND, "404 page not found\n")
}

/// An answer of JSON.
pub(crate) fn json(code: StatusCode, value: &serde_json::Value) -> Answer {
    body::value(code, value)
}

/// A body of pieces that come when they come.
pub(crate) use body::{answer as with_body, full, json as answer_json, refusal, stream};
pub(crate) use body::{parse, read as read_body};
pub(crate) use defaults::encode_secret;
pub(crate) use write::complete;
