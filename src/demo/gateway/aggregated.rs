//! The gateway of a real hub: an API server of its own that the hub's kube-apiserver aggregates, as it does the real one.
//!
//! So the path is served at the hub's own address, behind the hub's own authentication and RBAC; here arrives only what
//! those let through. A proxy before the hub would have to imitate both, discovery, and what the hub says while its
//! gateway is down. To a member goes nothing of the caller: as the real one without `authentication.enabled`, the
//! gateway is there whoever the cluster's Secret says.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use futures::FutureExt;
use futures::future::BoxFuture;
use http::{HeaderMap, HeaderName, Request, StatusCode, Version, header};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use kube::api::ListParams;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use kube::{Api, Client, Config};
use rustls::ServerConfig;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::{CREDENTIAL_TYPE, DIAL, GROUP, HANDSHAKE, NAMESPACE, RESOURCES, VERSION};
use crate::demo::access::Attempt;
use crate::demo::api::{self, Answer};
use crate::demo::status::Status;
use crate::demo::tls::Authority;

/// The Service that the hub finds the gateway by, named as KubeVela's chart names it.
const SERVICE: &str = "kubevela-cluster-gateway-service";

/// Why a gateway does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No port is free.
    #[error("cannot listen on loopback: {0}")]
    Listen(#[from] io::Error),
    /// Its certificates could not be made or used.
    #[error(transparent)]
    Certificate(#[from] crate::demo::Error),
    /// The hub does not say whom to trust.
    #[error(
        "cannot read whom the hub sends its requests as (ConfigMap kube-system/extension-apiserver-authentication): {0}"
    )]
    Hub(#[from] kube::Error),
    /// It says it without naming an authority.
    #[error(
        "the hub aggregates no API servers: its ConfigMap kube-system/extension-apiserver-authentication has no requestheader-client-ca-file"
    )]
    NotAggregating,
}

/// A gateway that listens and that nobody asks yet: see [`Gateway::registration`].
pub struct Gateway {
    listener: TcpListener,
    addr: SocketAddr,
    authority: Authority,
    tls: Arc<ServerConfig>,
    hub: Arc<RealHub>,
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gateway").field("addr", &self.addr).finish_non_exhaustive()
    }
}

impl Gateway {
    /// A gateway on a free port of loopback, for the hub that `hub` reaches. That client must be one that may read the
    /// Secrets of joined clusters; it and the gateway live in the runtime that calls this.
    pub async fn new(hub: Client) -> Result<Self, Error> {
        let maps: Api<DynamicObject> = namespaced(&hub, "kube-system", "ConfigMap", "configmaps");
        let trusted = maps.get("extension-apiserver-authentication").await?;
        // Only the hub's aggregator has a certificate of this authority.
        let clients = trusted.data["data"]["requestheader-client-ca-file"].as_str().ok_or(Error::NotAggregating)?;
        let authority = Authority::new(Ipv4Addr::LOCALHOST.into())?;
        let tls = authority.server_config_for(&format!("{SERVICE}.{NAMESPACE}.svc"), clients)?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let addr = listener.local_addr()?;
        Ok(Self { listener, addr, authority, tls, hub: Arc::new(RealHub { hub, members: Mutex::default() }) })
    }

    /// The objects by which the hub takes the gateway for its API group: a Service that leads to this machine, in
    /// the namespace `vela-system`, which must be there, and the APIService.
    pub fn registration(&self) -> [Value; 2] {
        use base64::Engine;
        let ca = base64::engine::general_purpose::STANDARD.encode(self.authority.pem());
        [
            json!({
                "apiVersion": "v1", "kind": "Service", "metadata": { "name": SERVICE, "namespace": NAMESPACE },
                "spec": {
                    "type": "ExternalName", "externalName": "localhost",
                    "ports": [{ "port": self.addr.port(), "protocol": "TCP" }],
                },
            }),
            json!({
                "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
                "metadata": { "name": format!("{VERSION}.{GROUP}") },
                "spec": {
                    "group": GROUP, "version": VERSION, "groupPriorityMinimum": 2000, "versionPriority": 10,
                    "caBundle": ca,
                    "service": { "name": SERVICE, "namespace": NAMESPACE, "port": self.addr.port() },
                },
            }),
        ]
    }

    /// Serves until the future is dropped.
    pub async fn serve(self) {
        let acceptor = TlsAcceptor::from(self.tls);
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        connections.spawn(connection(Arc::clone(&self.hub), stream, acceptor.clone()));
                    }
                    // Out of file descriptors: those who wait in the backlog get their turn later.
                    Err(_) => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
                },
                Some(_) = connections.join_next() => {}
            }
        }
    }
}

async fn connection(hub: Arc<RealHub>, stream: TcpStream, acceptor: TlsAcceptor) {
    // Small events must leave at once; a failure to say so only costs latency.
    let _ = stream.set_nodelay(true);
    let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await else { return };
    let service = service_fn(move |request| {
        let hub = Arc::clone(&hub);
        async move { Ok::<_, Infallible>(answer(&hub, request).await.unwrap_or_else(|status| api::refusal(&status))) }
    });
    let mut server = auto::Builder::new(TokioExecutor::new());
    server.http1().timer(TokioTimer::new());
    server.http2().timer(TokioTimer::new()).max_concurrent_streams(1000);
    // A hub that went away is no news.
    let _ = server.serve_connection_with_upgrades(TokioIo::new(stream), service).await;
}

async fn answer(hub: &RealHub, request: Request<Incoming>) -> Result<Answer, Status> {
    let group = format!("/apis/{GROUP}");
    let version = format!("{group}/{VERSION}");
    let path = request.uri().path().trim_end_matches('/');
    let one = json!({ "groupVersion": format!("{GROUP}/{VERSION}"), "version": VERSION });
    let group_document =
        json!({ "kind": "APIGroup", "apiVersion": "v1", "name": GROUP, "versions": [one], "preferredVersion": one });
    if path == version {
        let resources: Vec<Value> = RESOURCES
            .iter()
            .map(|(name, singular, kind, verbs)| {
                json!({ "name": name, "singularName": singular, "namespaced": false, "kind": kind, "verbs": verbs })
            })
            .collect();
        let list = json!({
            "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": one["groupVersion"], "resources": resources,
        });
        Ok(api::json(StatusCode::OK, &list))
    } else if path == group {
        Ok(api::json(StatusCode::OK, &group_document))
    } else if path == "/apis" {
        let list = json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": [group_document] });
        Ok(api::json(StatusCode::OK, &list))
    } else if path.starts_with(&version) {
        super::answer(hub, request).await
    } else {
        Ok(api::not_found())
    }
}

/// A hub that is reached by kube's client.
struct RealHub {
    hub: Client,
    /// A client for each member's Secret, as it was at a resourceVersion: a connection is kept as long as its
    /// credential.
    members: Mutex<HashMap<String, (String, Client)>>,
}

impl super::Hub for RealHub {
    /// The hub has done that.
    fn authorize(&self, _: &Attempt<'_>) -> Result<(), Status> {
        Ok(())
    }

    async fn secrets(&self) -> Result<Vec<Value>, Status> {
        let joined = ListParams::default().labels(CREDENTIAL_TYPE);
        let list = namespaced(&self.hub, NAMESPACE, "Secret", "secrets").list(&joined).await;
        Ok(list.map_err(|error| hubs(&error))?.into_iter().filter_map(|one| serde_json::to_value(one).ok()).collect())
    }

    async fn secret(&self, name: &str) -> Result<Option<Value>, Status> {
        let secret = namespaced(&self.hub, NAMESPACE, "Secret", "secrets").get_opt(name).await;
        let joined = secret.map_err(|error| hubs(&error))?.and_then(|secret| serde_json::to_value(secret).ok());
        Ok(joined.filter(|secret: &Value| secret["metadata"]["labels"][CREDENTIAL_TYPE].is_string()))
    }

    fn forward<'a>(&'a self, secret: &'a Value, request: Request<Incoming>) -> BoxFuture<'a, Result<Answer, Status>> {
        self.send(secret, request).boxed()
    }
}

impl RealHub {
    async fn send(&self, secret: &Value, mut request: Request<Incoming>) -> Result<Answer, Status> {
        let client = self.member(secret).await?;
        let endpoint = super::decoded(secret, "endpoint");
        let caller = request.headers().contains_key(header::UPGRADE).then(|| hyper::upgrade::on(&mut request));
        let (mut head, incoming) = request.into_parts();
        keep_end_to_end(&mut head.headers, caller.is_some());
        // The body goes on whole, by a connection of its own.
        head.headers.remove(header::CONTENT_LENGTH);
        head.version = Version::HTTP_11;
        let body = if caller.is_some() { bytes::Bytes::new() } else { api::read_body(incoming).await? };
        let sent = client.send(Request::from_parts(head, body.into())).await;
        let mut answer = match sent {
            Ok(answer) => answer,
            Err(error) => return Err(diagnose(&endpoint, &error).await),
        };
        if let Some(caller) = caller.filter(|_| answer.status() == StatusCode::SWITCHING_PROTOCOLS) {
            let member = hyper::upgrade::on(&mut answer);
            tokio::spawn(async move {
                if let (Ok(caller), Ok(member)) = tokio::join!(caller, member) {
                    let (mut caller, mut member) = (TokioIo::new(caller), TokioIo::new(member));
                    // Whoever ends it, both sides know.
                    let _ = tokio::io::copy_bidirectional(&mut caller, &mut member).await;
                }
            });
            return Ok(answer.map(|_| api::full("")));
        }
        let (mut head, body) = answer.into_parts();
        keep_end_to_end(&mut head.headers, false);
        head.version = Version::default();
        // What breaks there breaks here: it never ends politely.
        Ok(Answer::from_parts(head, body.map_err(io::Error::other).boxed_unsync()))
    }

    /// A client of the cluster of a Secret.
    async fn member(&self, secret: &Value) -> Result<Client, Status> {
        let text = |pointer: &str| secret.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (name, version) = (text("/metadata/name"), text("/metadata/uid") + &text("/metadata/resourceVersion"));
        if let Some((_, client)) =
            self.members.lock().unwrap_or_else(PoisonError::into_inner).get(&name).filter(|(seen, _)| *seen == version)
        {
            return Ok(client.clone());
        }
        let client = client(secret).await?;
        let known = (version, client.clone());
        self.members.lock().unwrap_or_else(PoisonError::into_inner).insert(name, known);
        Ok(client)
    }
}

/// A client of the cluster that a Secret speaks of.
async fn client(secret: &Value) -> Result<Client, Status> {
    let unusable =
        |error: &dyn std::fmt::Display| Status::internal(format!("the cluster's Secret cannot be used: {error}"));
    let field = |name: &str| secret["data"].get(name).filter(|data| data.as_str().is_some_and(|text| !text.is_empty()));
    let mut user = json!({});
    if field("tls.crt").is_some() {
        user["client-certificate-data"] = field("tls.crt").cloned().unwrap_or_default();
        user["client-key-data"] = field("tls.key").cloned().unwrap_or_default();
    } else {
        user["token"] = super::decoded(secret, "token").into();
    }
    let mut cluster = json!({ "server": super::decoded(secret, "endpoint") });
    match field("ca.crt").or_else(|| field("ca")) {
        Some(ca) => cluster["certificate-authority-data"] = ca.clone(),
        None => cluster["insecure-skip-tls-verify"] = true.into(),
    }
    let kubeconfig: Kubeconfig = serde_json::from_value(json!({
        "current-context": "member",
        "contexts": [{ "name": "member", "context": { "cluster": "member", "user": "member" } }],
        "clusters": [{ "name": "member", "cluster": cluster }],
        "users": [{ "name": "member", "user": user }],
    }))
    .map_err(|error| unusable(&error))?;
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
    let mut config = config.map_err(|error| unusable(&error))?;
    config.connect_timeout = Some(HANDSHAKE);
    config.read_timeout = None;
    config.default_retry = false;
    // Whoever asked for it unpacks it.
    config.disable_compression = true;
    Client::try_from(config).map_err(|error| unusable(&error))
}

fn namespaced(client: &Client, namespace: &str, kind: &str, plural: &str) -> Api<DynamicObject> {
    let resource = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk("", "v1", kind), plural);
    Api::namespaced_with(client.clone(), namespace, &resource)
}

/// The hub's own failure.
fn hubs(error: &kube::Error) -> Status {
    Status::internal(match error {
        kube::Error::Api(status) => status.message.clone(),
        other => other.to_string(),
    })
}

/// Takes out what belongs to one connection, and what the hub told the gateway of the caller: that is not the
/// member's. An upgrade is of both connections.
fn keep_end_to_end(headers: &mut HeaderMap, upgrade: bool) {
    if !upgrade {
        for name in [header::CONNECTION, header::UPGRADE, header::TRANSFER_ENCODING, header::TE] {
            headers.remove(name);
        }
        headers.remove("keep-alive");
    }
    for name in [header::HOST, header::AUTHORIZATION] {
        headers.remove(name);
    }
    let told: Vec<HeaderName> = headers
        .keys()
        .filter(|name| name.as_str().starts_with("x-remote-") || name.as_str().starts_with("impersonate-"))
        .cloned()
        .collect();
    for name in told {
        headers.remove(name);
    }
}

/// Why a member does not answer, in the words that the real gateway has for it.
async fn diagnose(endpoint: &str, error: &kube::Error) -> Status {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    let (authority, host) = super::address(endpoint);
    if text.contains("UnknownIssuer") {
        return super::unknown_authority();
    }
    if let Some(at) = text.find("invalid peer certificate") {
        return Status::internal(format!("tls: failed to verify certificate: x509: {}", &text[at..]));
    }
    // One more look at the bare connection tells what failed.
    let address = if authority == host { format!("{host}:443") } else { authority.clone() };
    match tokio::time::timeout(DIAL.saturating_sub(HANDSHAKE), TcpStream::connect(&address)).await {
        Err(_) => super::timed_out(&authority),
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => super::refused(&authority),
        Ok(Err(error)) if error.raw_os_error().is_none() => super::no_such_host(&host),
        Ok(Err(error)) => Status::internal(format!("dial tcp {authority}: connect: {error}")),
        Ok(Ok(_)) if text.contains("deadline") || text.contains("timed out") || text.contains("timeout") => {
            super::handshake_timed_out()
        }
        Ok(Ok(_)) => Status::internal(text),
    }
}
