//! KubeVela's cluster gateway: the hub's API group through which joined clusters are listed and reached.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::uri::PathAndQuery;
use http::{Method, StatusCode, Uri};
use http_body_util::BodyExt;
use serde_json::{Value, json};

use super::HUB;
use super::access::{Attempt, User};
use super::api::{self, Answer, Call};
use super::kinds::{self, Kind};
use super::link::{Cut, GatedBody, Link};
use super::selector::Selector;
use super::status::Status;
use super::store::{Key, Query, Store};

pub(crate) const GROUP: &str = "cluster.core.oam.dev";
pub(crate) const VERSION: &str = "v1alpha1";

/// Where KubeVela keeps the Secrets of joined clusters, and the label that marks them.
pub(crate) const NAMESPACE: &str = "vela-system";
pub(crate) const CREDENTIAL_TYPE: &str = "cluster.core.oam.dev/cluster-credential-type";
const ALIAS: &str = "cluster.core.oam.dev/cluster-alias";
const CONTROL_PLANE: &str = "cluster.core.oam.dev/control-plane";

/// How long the gateway waits for a connection to shake hands.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long it takes to notice that a connection in use has died.
const LOST: Duration = Duration::from_secs(44);

/// Answers below `/apis/cluster.core.oam.dev/v1alpha1`.
pub(crate) async fn answer(call: Call) -> Result<Answer, Status> {
    let path = call.request.uri().path().to_owned();
    let rest: Vec<&str> = path.trim_matches('/').splitn(7, '/').skip(3).collect();
    let (resource, name) = (rest.first().copied().unwrap_or_default(), rest.get(1).copied().unwrap_or_default());
    if let ["clustergateways", name, "proxy", ..] = &rest[..] {
        let verb = match *call.request.method() {
            Method::POST => "create",
            Method::PUT => "update",
            Method::PATCH => "patch",
            Method::DELETE => "delete",
            _ => "get",
        };
        let attempt = Attempt { verb, group: GROUP, resource: "clustergateways/proxy", namespace: "", name };
        call.user.authorize(&attempt)?;
        let below = rest.get(3).copied().unwrap_or_default().to_owned();
        let name = (*name).to_owned();
        return proxy(call, &name, &below).await;
    }
    if *call.request.method() != Method::GET {
        return Err(Status::method_not_allowed());
    }
    let verb = if call.query.flag("watch") {
        "watch"
    } else if name.is_empty() {
        "list"
    } else {
        "get"
    };
    call.user.authorize(&Attempt { verb, group: GROUP, resource, namespace: "", name })?;
    match (resource, name) {
        ("virtualclusters" | "clustergateways", _) if verb == "watch" => {
            Err(Status::watch_not_supported(GROUP, resource))
        }
        ("virtualclusters", "") => {
            let selector = Selector::parse(call.query.get("labelSelector"), "")?;
            let items: Vec<Value> = virtual_clusters(&call.cluster.store)
                .into_iter()
                .filter(|cluster| selector.matches_labels(&cluster["metadata"]["labels"]))
                .collect();
            let list = json!({
                "kind": "VirtualClusterList", "apiVersion": format!("{GROUP}/{VERSION}"), "metadata": {}, "items": items,
            });
            Ok(api::json(StatusCode::OK, &list))
        }
        ("virtualclusters", name) => {
            let found =
                virtual_clusters(&call.cluster.store).into_iter().find(|cluster| cluster["metadata"]["name"] == name);
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

fn secrets() -> &'static Kind {
    kinds::core("secrets")
}

/// `local`, and one for each cluster Secret.
fn virtual_clusters(store: &Store) -> Vec<Value> {
    let one = |name: &str, created: &Value, labels: Value, spec: Value| {
        json!({
            "kind": "VirtualCluster", "apiVersion": format!("{GROUP}/{VERSION}"),
            "metadata": { "name": name, "creationTimestamp": created, "labels": labels }, "spec": spec,
        })
    };
    let hub = json!({ "accepted": true, "endpoint": "-", "credential-type": "Internal" });
    let mut clusters = vec![one(HUB, &Value::Null, json!({ CONTROL_PLANE: "true" }), hub)];
    let selector = Selector::parse(CREDENTIAL_TYPE, "").unwrap_or_default();
    let query = Query { kind: secrets(), namespace: NAMESPACE, selector: &selector, after: None, limit: 0, at: None };
    for secret in store.list(&query).map(|page| page.objects).unwrap_or_default() {
        let value = secret.value(secrets());
        let metadata = &value["metadata"];
        let mut labels = json!({ CONTROL_PLANE: "false" });
        for (key, label) in metadata["labels"].as_object().into_iter().flatten() {
            if key != CREDENTIAL_TYPE {
                labels[key] = label.clone();
            }
        }
        let mut spec = json!({
            "accepted": true, "endpoint": decoded(&value, "endpoint"), "credential-type": metadata["labels"][CREDENTIAL_TYPE],
        });
        if let Some(alias) = metadata["annotations"][ALIAS].as_str() {
            spec["alias"] = alias.into();
        }
        clusters.push(one(&secret.key.name, &metadata["creationTimestamp"], labels, spec));
    }
    clusters
}

/// A field of a Secret, as text.
fn decoded(secret: &Value, field: &str) -> String {
    let text = secret["data"][field].as_str().and_then(|data| STANDARD.decode(data).ok());
    String::from_utf8_lossy(&text.unwrap_or_default()).into_owned()
}

/// Sends a request on to a joined cluster, as the Secret says where and as whom.
async fn proxy(call: Call, name: &str, below: &str) -> Result<Answer, Status> {
    let unknown = || Status::internal(format!("no such cluster {name}"));
    let secret = call.cluster.store.get(secrets(), &Key::new(NAMESPACE, name)).ok_or_else(unknown)?;
    if secret.label(CREDENTIAL_TYPE).is_none() {
        return Err(unknown());
    }
    let secret = secret.value(secrets());
    let endpoint = decoded(&secret, "endpoint");
    let member = call.world.clusters.iter().find(|cluster| cluster.url() == endpoint.trim_end_matches('/')).cloned();
    let Some(member) = member else { return Err(nobody_there(&endpoint).await) };
    reach(&member.link, &member.addr.to_string()).await?;
    if !decoded(&secret, "ca.crt").trim().is_empty()
        && decoded(&secret, "ca.crt").trim() != call.world.authority.pem().trim()
    {
        let message = "tls: failed to verify certificate: x509: certificate signed by unknown authority";
        return Err(Status::internal(message));
    }
    let certificate = decoded(&secret, "tls.crt");
    let token = decoded(&secret, "token");
    let user = if call.world.authority.issued(&certificate) { Some(User::admin()) } else { User::with_token(&token) };
    // The member's refusal, in the member's words.
    let user = user.ok_or_else(Status::unauthorized)?;
    let latency = member.link.latency();
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    let mut request = call.request;
    let query = request.uri().query().map_or_else(String::new, |query| format!("?{query}"));
    let path: PathAndQuery =
        format!("/{below}{query}").parse().map_err(|_| Status::bad_request("the path is no path"))?;
    *request.uri_mut() = Uri::from(path);
    let answer = Box::pin(api::answer_as(call.world, std::sync::Arc::clone(&member), user, request)).await;
    Ok(answer.map(|body| GatedBody::new(body, &member.link, LOST).boxed_unsync()))
}

/// Ready when the member answers; else its silence, in the gateway's words and after its times.
async fn reach(link: &Link, addr: &str) -> Result<(), Status> {
    let mut states = link.subscribe();
    loop {
        let state = *states.borrow_and_update();
        match state.cut {
            None => return Ok(()),
            Some((Cut::Refuse, _)) => {
                return Err(Status::internal(format!("dial tcp {addr}: connect: connection refused")));
            }
            Some((Cut::Hang, since)) => {
                // A connection that was in use is only given up after a while; a new one does not get that far.
                let in_use = LOST.saturating_sub(since.elapsed());
                let (wait, message) = if in_use.is_zero() {
                    (HANDSHAKE, "net/http: TLS handshake timeout")
                } else {
                    (in_use, "http2: client connection lost")
                };
                if tokio::time::timeout(wait, states.changed()).await.is_err() {
                    return Err(Status::internal(message));
                }
            }
        }
    }
}

/// A joined cluster that is none of the estate's.
async fn nobody_there(endpoint: &str) -> Status {
    let authority = endpoint.parse::<Uri>().ok().and_then(|uri| uri.authority().map(ToString::to_string));
    let authority = authority.unwrap_or_else(|| endpoint.to_owned());
    let host = authority.rsplit_once(':').map_or(authority.as_str(), |(host, _)| host);
    if host == "127.0.0.1" || host == "localhost" {
        Status::internal(format!("dial tcp {authority}: connect: connection refused"))
    } else if host.parse::<std::net::IpAddr>().is_ok() {
        // Packets that nobody answers.
        tokio::time::sleep(Duration::from_secs(30)).await;
        Status::internal(format!("dial tcp {authority}: i/o timeout"))
    } else {
        Status::internal(format!("dial tcp: lookup {host} on 10.96.0.10:53: no such host"))
    }
}
