//! KubeVela's cluster gateway: the hub's API group through which joined clusters are listed and reached.
//!
//! What it answers is the same whoever the hub is (`answer`). What a hub is to it (`Hub`) there are two of: a
//! simulated one, whose members are the estate's, and a real one ([`aggregated`]), whose members are real API servers.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures::FutureExt;
use futures::future::BoxFuture;
use http::uri::PathAndQuery;
use http::{Method, Request, StatusCode, Uri};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::{Value, json};

use super::HUB;
use super::access::{Attempt, User};
use super::api::{self, Answer, Call};
use super::kinds::{self, Kind};
use super::link::{Cut, GatedBody, Link};
use super::query::Query as Parameters;
use super::selector::Selector;
use super::status::Status;
use super::store::{Key, Query, Store};
use super::world::{Cluster, World};

pub mod aggregated;

pub(crate) const GROUP: &str = "cluster.core.oam.dev";
pub(crate) const VERSION: &str = "v1alpha1";

/// Where KubeVela keeps the Secrets of joined clusters, and the label that marks them.
pub(crate) const NAMESPACE: &str = "vela-system";
pub(crate) const CREDENTIAL_TYPE: &str = "cluster.core.oam.dev/cluster-credential-type";
const ALIAS: &str = "cluster.core.oam.dev/cluster-alias";
const CONTROL_PLANE: &str = "cluster.core.oam.dev/control-plane";

/// How long the gateway waits for a connection to shake hands.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long the gateway waits for packets that nobody answers.
const DIAL: Duration = Duration::from_secs(30);
/// How long the hub's API server goes on naming the group of a gateway that does not answer.
const NAMED: Duration = Duration::from_secs(10);
/// How long it takes to notice that a connection in use has died.
const LOST: Duration = Duration::from_secs(44);

/// One of these times in an estate whose time runs faster.
fn sped(time: Duration, speed: f64) -> Duration {
    time.div_f64(speed.clamp(0.01, 1e6))
}

/// The resources of the group, as discovery lists them: name, singular, kind, verbs.
pub(crate) const RESOURCES: [(&str, &str, &str, &[&str]); 3] = [
    ("clustergateways", "clustergateway", "ClusterGateway", &["get", "list"]),
    ("clustergateways/proxy", "", "ClusterGatewayProxyOptions", &["create", "delete", "get", "patch", "update"]),
    ("virtualclusters", "virtualcluster", "VirtualCluster", &["get", "list"]),
];

/// What the gateway needs of the hub that it belongs to.
pub(crate) trait Hub {
    /// Whether the caller may.
    fn authorize(&self, attempt: &Attempt<'_>) -> Result<(), Status>;

    /// The Secrets of [`NAMESPACE`] with the label [`CREDENTIAL_TYPE`].
    fn secrets(&self) -> impl Future<Output = Result<Vec<Value>, Status>> + Send;

    /// One of them.
    fn secret(&self, name: &str) -> impl Future<Output = Result<Option<Value>, Status>> + Send;

    /// Sends a request, whose path is the member's own by now, to the cluster of a Secret.
    fn forward<'a>(&'a self, secret: &'a Value, request: Request<Incoming>) -> BoxFuture<'a, Result<Answer, Status>>;
}

/// Answers below `/apis/cluster.core.oam.dev/v1alpha1`.
pub(crate) async fn answer(hub: &(impl Hub + Sync), request: Request<Incoming>) -> Result<Answer, Status> {
    let path = request.uri().path().to_owned();
    let query = Parameters::parse(request.uri().query());
    let rest: Vec<&str> = path.trim_matches('/').splitn(7, '/').skip(3).collect();
    let (resource, name) = (rest.first().copied().unwrap_or_default(), rest.get(1).copied().unwrap_or_default());
    if let ["clustergateways", name, "proxy", ..] = &rest[..] {
        let verb = match *request.method() {
            Method::POST => "create",
            Method::PUT => "update",
            Method::PATCH => "patch",
            Method::DELETE => "delete",
            _ => "get",
        };
        let attempt = Attempt { verb, group: GROUP, resource: "clustergateways/proxy", namespace: "", name };
        hub.authorize(&attempt)?;
        return proxy(hub, request, name, rest.get(3).copied().unwrap_or_default()).await;
    }
    if *request.method() != Method::GET {
        return Err(Status::method_not_allowed());
    }
    let verb = if query.flag("watch") {
        "watch"
    } else if name.is_empty() {
        "list"
    } else {
        "get"
    };
    hub.authorize(&Attempt { verb, group: GROUP, resource, namespace: "", name })?;
    match (resource, name) {
        ("virtualclusters" | "clustergateways", _) if verb == "watch" => {
            Err(Status::watch_not_supported(GROUP, resource))
        }
        ("virtualclusters", "") => {
            let selector = Selector::parse(query.get("labelSelector"), "")?;
            let items: Vec<Value> = virtual_clusters(&hub.secrets().await?)
                .into_iter()
                .filter(|cluster| selector.matches_labels(&cluster["metadata"]["labels"]))
                .collect();
            let list = json!({
                "kind": "VirtualClusterList", "apiVersion": format!("{GROUP}/{VERSION}"), "metadata": {}, "items": items,
            });
            Ok(api::json(StatusCode::OK, &list))
        }
        ("virtualclusters", name) => {
            let clusters = virtual_clusters(&hub.secrets().await?);
            let found = clusters.into_iter().find(|cluster| cluster["metadata"]["name"] == name);
            let found = found.ok_or_else(|| Status::named_not_found(GROUP, resource, name))?;
            Ok(api::json(StatusCode::OK, &found))
        }
        // The real one hands out private keys here. Nobody should ask, so there is nothing to get.
        ("clustergateways", "") => {
            let list = json!({
                "kind": "ClusterGatewayList", "apiVersion": format!("{GROUP}/{VERSION}"), "metadata": {}, "items": [],
            });
            Ok(api::json(StatusCode::OK, &list))
        }
        ("clustergateways", name) => Err(Status::secret_not_found(name)),
        _ => Err(Status::no_such_resource()),
    }
}

/// `local`, and one for each cluster Secret.
fn virtual_clusters(secrets: &[Value]) -> Vec<Value> {
    let one = |name: &Value, created: &Value, labels: Value, spec: Value| {
        json!({
            "kind": "VirtualCluster", "apiVersion": format!("{GROUP}/{VERSION}"),
            "metadata": { "name": name, "creationTimestamp": created, "labels": labels }, "spec": spec,
        })
    };
    let hub = json!({ "accepted": true, "endpoint": "-", "credential-type": "Internal" });
    let mut clusters = vec![one(&json!(HUB), &Value::Null, json!({ CONTROL_PLANE: "true" }), hub)];
    for secret in secrets {
        let metadata = &secret["metadata"];
        let mut labels = json!({ CONTROL_PLANE: "false" });
        for (key, label) in metadata["labels"].as_object().into_iter().flatten() {
            if key != CREDENTIAL_TYPE {
                labels[key] = label.clone();
            }
        }
        let mut spec = json!({
            "accepted": true, "endpoint": decoded(secret, "endpoint"), "credential-type": metadata["labels"][CREDENTIAL_TYPE],
        });
        if let Some(alias) = metadata["annotations"][ALIAS].as_str() {
            spec["alias"] = alias.into();
        }
        clusters.push(one(&metadata["name"], &metadata["creationTimestamp"], labels, spec));
    }
    clusters
}

/// A field of a Secret, as text.
fn decoded(secret: &Value, field: &str) -> String {
    let text = secret["data"][field].as_str().and_then(|data| STANDARD.decode(data).ok());
    String::from_utf8_lossy(&text.unwrap_or_default()).into_owned()
}

/// Sends a request on to a joined cluster.
async fn proxy(
    hub: &(impl Hub + Sync),
    mut request: Request<Incoming>,
    name: &str,
    below: &str,
) -> Result<Answer, Status> {
    let secret = hub.secret(name).await?.ok_or_else(|| Status::internal(format!("no such cluster {name}")))?;
    let query = request.uri().query().map_or_else(String::new, |query| format!("?{query}"));
    let path: PathAndQuery =
        format!("/{below}{query}").parse().map_err(|_| Status::bad_request("the path is no path"))?;
    *request.uri_mut() = Uri::from(path);
    hub.forward(&secret, request).await
}

/// Answers a request to the estate's hub.
pub(crate) async fn answer_simulated(call: Call) -> Result<Answer, Status> {
    let Call { world, cluster, user, request, .. } = call;
    answer(&Simulated { world, cluster, user }, request).await
}

/// Whether the hub's discovery has the gateway's group: it leaves some time after the gateway was stopped.
pub(crate) fn is_named(world: &World) -> bool {
    world.gateway.is_cut().is_none_or(|(_, since)| since.elapsed() < sped(NAMED, world.options.speed))
}

/// What the hub's API server answers for the whole group while the gateway itself is stopped: no Status, but text
/// (captured: `gateway-itself-down.txt`). `None`: the gateway answers.
pub(crate) async fn unavailable(world: &World) -> Option<Answer> {
    let mut states = world.gateway.subscribe();
    loop {
        match states.borrow_and_update().cut {
            None => return None,
            Some((Cut::Refuse, _)) => break,
            Some((Cut::Hang, _)) => {}
        }
        // Frozen: whoever asks waits as long as they like.
        if states.changed().await.is_err() {
            break;
        }
    }
    let sentence = "error trying to reach service: dial tcp 10.96.40.7:9443: connect: connection refused\n";
    let body = api::full(sentence.to_owned());
    Some(api::with_body(StatusCode::SERVICE_UNAVAILABLE, "text/plain; charset=utf-8", body))
}

/// The estate's hub and who calls. Its members are those of the estate.
struct Simulated {
    world: Arc<World>,
    cluster: Arc<Cluster>,
    user: User,
}

impl Hub for Simulated {
    fn authorize(&self, attempt: &Attempt<'_>) -> Result<(), Status> {
        self.user.authorize(attempt)
    }

    async fn secrets(&self) -> Result<Vec<Value>, Status> {
        let selector = Selector::parse(CREDENTIAL_TYPE, "")?;
        let query =
            Query { kind: secrets(), namespace: NAMESPACE, selector: &selector, after: None, limit: 0, at: None };
        let store: &Store = &self.cluster.store;
        let objects = store.list(&query).map(|page| page.objects).unwrap_or_default();
        Ok(objects.iter().map(|secret| secret.value(secrets())).collect())
    }

    async fn secret(&self, name: &str) -> Result<Option<Value>, Status> {
        let secret = self.cluster.store.get(secrets(), &Key::new(NAMESPACE, name));
        let joined = secret.filter(|secret| secret.label(CREDENTIAL_TYPE).is_some());
        Ok(joined.map(|secret| secret.value(secrets())))
    }

    // Boxed: a request to a member is answered by what answers the hub's.
    fn forward<'a>(&'a self, secret: &'a Value, request: Request<Incoming>) -> BoxFuture<'a, Result<Answer, Status>> {
        self.member(secret, request).boxed()
    }
}

impl Simulated {
    async fn member(&self, secret: &Value, request: Request<Incoming>) -> Result<Answer, Status> {
        let world = &self.world;
        let speed = world.options.speed;
        let endpoint = decoded(secret, "endpoint");
        let member = world.clusters.iter().find(|cluster| cluster.url() == endpoint.trim_end_matches('/')).cloned();
        let Some(member) = member else { return Err(nobody_there(&endpoint, speed).await) };
        reach(&member.link, &member.addr.to_string(), speed).await?;
        let ca = decoded(secret, "ca.crt");
        if !ca.trim().is_empty() && ca.trim() != world.authority.pem().trim() {
            return Err(unknown_authority());
        }
        let certificate = decoded(secret, "tls.crt");
        let token = decoded(secret, "token");
        let user = if world.authority.issued(&certificate) { Some(User::admin()) } else { User::with_token(&token) };
        // The member's refusal, in the member's words.
        let user = user.ok_or_else(Status::unauthorized)?;
        let latency = member.link.latency();
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
        let answer = api::answer_as(Arc::clone(world), Arc::clone(&member), user, request).await;
        // Broken by the member's silence, and by the gateway's own end.
        let felt = |body| GatedBody::new(body, &member.link, sped(LOST, speed)).boxed_unsync();
        Ok(answer.map(|body| GatedBody::new(felt(body), &world.gateway, Duration::MAX).boxed_unsync()))
    }
}

fn secrets() -> &'static Kind {
    kinds::core("secrets")
}

fn unknown_authority() -> Status {
    Status::internal("tls: failed to verify certificate: x509: certificate signed by unknown authority")
}

fn refused(addr: &str) -> Status {
    Status::internal(format!("dial tcp {addr}: connect: connection refused"))
}

fn timed_out(addr: &str) -> Status {
    Status::internal(format!("dial tcp {addr}: i/o timeout"))
}

fn no_such_host(host: &str) -> Status {
    Status::internal(format!("dial tcp: lookup {host} on 10.96.0.10:53: no such host"))
}

fn handshake_timed_out() -> Status {
    Status::internal("net/http: TLS handshake timeout")
}

/// Ready when the member answers; else its silence, in the gateway's words and after its times.
async fn reach(link: &Link, addr: &str, speed: f64) -> Result<(), Status> {
    let mut states = link.subscribe();
    loop {
        let state = *states.borrow_and_update();
        match state.cut {
            None => return Ok(()),
            Some((Cut::Refuse, _)) => {
                return Err(refused(addr));
            }
            Some((Cut::Hang, since)) => {
                // A connection that was in use is only given up after a while; a new one does not get that far.
                let in_use = sped(LOST, speed).saturating_sub(since.elapsed());
                let (wait, answer) = if in_use.is_zero() {
                    (sped(HANDSHAKE, speed), handshake_timed_out())
                } else {
                    (in_use, Status::internal("http2: client connection lost"))
                };
                if tokio::time::timeout(wait, states.changed()).await.is_err() {
                    return Err(answer);
                }
            }
        }
    }
}

/// A joined cluster that is none of the estate's.
async fn nobody_there(endpoint: &str, speed: f64) -> Status {
    let (authority, host) = address(endpoint);
    if host == "127.0.0.1" || host == "localhost" {
        refused(&authority)
    } else if host.parse::<std::net::IpAddr>().is_ok() {
        // Packets that nobody answers.
        tokio::time::sleep(sped(DIAL, speed)).await;
        timed_out(&authority)
    } else {
        no_such_host(&host)
    }
}

/// An endpoint's `host:port`, and its host alone.
fn address(endpoint: &str) -> (String, String) {
    let authority = endpoint.parse::<Uri>().ok().and_then(|uri| uri.authority().map(ToString::to_string));
    let authority = authority.unwrap_or_else(|| endpoint.to_owned());
    let host = authority.rsplit_once(':').map_or(authority.as_str(), |(host, _)| host).to_owned();
    (authority, host)
}
