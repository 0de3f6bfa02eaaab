//! `pods/NAME/portforward` over a WebSocket (protocol v4): two channels a port, data and error.

use std::sync::Arc;

use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt, WriteHalf};
use tokio::sync::{mpsc, watch};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Message, Role};

use super::page::{self, Page};
use crate::demo::api::{self, Answer, Call, Target};
use crate::demo::kinds;
use crate::demo::link::Gated;
use crate::demo::query::Query;
use crate::demo::status::Status;
use crate::demo::store::{Key, Store};
use crate::demo::world::Cluster;

/// The subprotocols that are spoken, the best first.
const PROTOCOLS: [&str; 2] = ["v4.channel.k8s.io", "portforward.k8s.io"];
/// Frames that wait for the client to read.
const FRAMES: usize = 16;
/// Bytes that wait in each direction of a port.
const BUFFER: usize = 256 * 1024;

/// Upgrades the connection and forwards until either side ends.
pub(crate) fn answer(mut call: Call, target: &Target) -> Result<Answer, Status> {
    let object = call.cluster.store.get(target.kind, &target.key());
    let object = object.ok_or_else(|| Status::not_found(target.kind, &target.name))?;
    let pod = object.value(target.kind);
    super::check_scheduled(&pod)?;
    let handshake = Handshake::read(call.request.headers(), &PROTOCOLS).ok_or_else(|| {
        Status::bad_request(
            "this simulated cluster forwards ports over WebSocket (v4.channel.k8s.io) only, and kubectl and vela forward \
             over SPDY: use `lateen port-forward`",
        )
    })?;
    let ports = ports(&call.query)?;
    let upgrade = hyper::upgrade::on(&mut call.request);
    let session = Session { cluster: call.cluster, key: target.key(), uid: object.uid.clone(), ports };
    tokio::spawn(session.run(upgrade));
    Ok(handshake.answer())
}

/// A WebSocket handshake that can be accepted.
pub(crate) struct Handshake {
    key: String,
    protocol: &'static str,
}

impl Handshake {
    /// From a request's headers; none if it is no WebSocket upgrade or offers none of `protocols`.
    pub(crate) fn read(headers: &HeaderMap, protocols: &[&'static str]) -> Option<Self> {
        let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        if !text(header::UPGRADE)?.eq_ignore_ascii_case("websocket") {
            return None;
        }
        let offered = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL);
        let offered: Vec<&str> = offered
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(str::trim)
            .collect();
        let protocol = protocols.iter().find(|protocol| offered.contains(*protocol))?;
        Some(Self { key: derive_accept_key(text(header::SEC_WEBSOCKET_KEY)?.as_bytes()), protocol })
    }

    /// The answer that switches protocols.
    pub(crate) fn answer(&self) -> Answer {
        let mut answer = Response::new(api::full(""));
        *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = answer.headers_mut();
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(self.protocol));
        if let Ok(key) = HeaderValue::from_str(&self.key) {
            headers.insert(header::SEC_WEBSOCKET_ACCEPT, key);
        }
        answer
    }
}

fn ports(query: &Query) -> Result<Vec<u16>, Status> {
    let ports: Vec<&str> =
        query.all("ports").flat_map(|ports| ports.split(',')).filter(|port| !port.is_empty()).collect();
    if ports.is_empty() {
        return Err(Status::bad_request("query parameter \"port\" is required"));
    }
    let parse = |port: &str| port.parse().ok().filter(|port| *port > 0);
    let refuse = |port: &str| Status::bad_request(format!("unable to parse \"{port}\" as a port"));
    ports.into_iter().map(|port| parse(port).ok_or_else(|| refuse(port))).collect()
}

/// The program that listens on a port of the pod, if one runs and does.
fn listening(store: &Store, pod: &Value, port: u16) -> Option<Page> {
    let running =
        super::containers(pod).into_iter().filter(|container| container.status["state"]["running"].is_object());
    let listens =
        |ports: &Value| ports.as_array().is_some_and(|ports| ports.iter().any(|p| p["containerPort"] == port));
    running
        .into_iter()
        .find(|container| listens(&container.spec["ports"]))
        .map(|container| Page::new(store, pod, &container))
}

struct Session {
    cluster: Arc<Cluster>,
    key: Key,
    uid: Box<str>,
    ports: Vec<u16>,
}

/// The socket of an upgraded request, which feels the cluster's link even when it came through the hub.
pub(crate) async fn socket(upgrade: OnUpgrade, cluster: &Cluster) -> Option<WebSocketStream<Gated<TokioIo<Upgraded>>>> {
    let stream = Gated::new(TokioIo::new(upgrade.await.ok()?), &cluster.link);
    Some(WebSocketStream::from_raw_socket(stream, Role::Server, None).await)
}

/// An end that is meant: kubectl takes any other for a failure.
pub(crate) fn goodbye() -> CloseFrame {
    CloseFrame { code: CloseCode::Normal, reason: "".into() }
}

impl Session {
    async fn run(self, upgrade: OnUpgrade) {
        let Some(socket) = socket(upgrade, &self.cluster).await else { return };
        let (mut sink, mut incoming) = socket.split();
        let (frames, mut outgoing) = mpsc::channel::<Vec<u8>>(FRAMES);
        // Writing has a task of its own: reading must not wait for it, or two full directions wait for each other.
        let mut writer = tokio::spawn(async move {
            while let Some(frame) = outgoing.recv().await {
                if sink.send(Message::Binary(Bytes::from(frame))).await.is_err() {
                    return;
                }
            }
            // All ports ended, and with them the connection; the client may be gone already.
            let _ = sink.send(Message::Close(Some(goodbye()))).await;
            let _ = sink.close().await;
        });
        let pod =
            self.cluster.store.get(kinds::core("pods"), &self.key).map(|object| object.value(kinds::core("pods")));
        let mut inputs = Vec::new();
        for (index, port) in self.ports.iter().enumerate() {
            inputs.push(self.open(index as u8 * 2, *port, pod.as_ref().unwrap_or(&Value::Null), &frames).await);
        }
        drop(frames);
        let mut pods = self.cluster.store.changes(kinds::core("pods"));
        loop {
            let message = tokio::select! {
                message = incoming.next() => message,
                () = gone(&self.cluster, &self.key, &self.uid, &mut pods) => break,
                _ = &mut writer => return,
            };
            match message {
                Some(Ok(Message::Binary(frame))) => {
                    let Some((channel, data)) = frame.split_first() else { continue };
                    let input = inputs.get_mut(usize::from(channel / 2)).filter(|_| channel % 2 == 0);
                    if let Some(Some(input)) = input {
                        // The program may have hung up; its answer is still on the way.
                        let _ = input.write_all(data).await;
                    }
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => break,
                Some(Ok(_)) => {}
            }
        }
        writer.abort();
    }

    /// Announces a port on both its channels and connects it, or says why it cannot be.
    async fn open(
        &self,
        channel: u8,
        port: u16,
        pod: &Value,
        frames: &mpsc::Sender<Vec<u8>>,
    ) -> Option<WriteHalf<tokio::io::DuplexStream>> {
        let [low, high] = port.to_le_bytes();
        for channel in [channel, channel + 1] {
            frames.send(vec![channel, low, high]).await.ok()?;
        }
        let Some(page) = listening(&self.cluster.store, pod, port) else {
            let mut frame = vec![channel + 1];
            let text = format!(
                "error forwarding port {port} to pod {}, uid : failed to execute portforward in network namespace: failed to \
                 connect to localhost:{port} inside namespace, IPv4: dial tcp4 127.0.0.1:{port}: connect: connection refused",
                self.uid
            );
            frame.extend_from_slice(text.as_bytes());
            frames.send(frame).await.ok()?;
            return None;
        };
        let (ours, theirs) = tokio::io::duplex(BUFFER);
        tokio::spawn(page::serve(Arc::new(page), theirs));
        let (mut output, input) = tokio::io::split(ours);
        let frames = frames.clone();
        tokio::spawn(async move {
            let mut buffer = vec![0; 32 * 1024];
            while let Ok(count @ 1..) = output.read(&mut buffer).await {
                let mut frame = Vec::with_capacity(count + 1);
                frame.push(channel);
                frame.extend_from_slice(&buffer[..count]);
                if frames.send(frame).await.is_err() {
                    return;
                }
            }
        });
        Some(input)
    }
}

/// Ready when the pod is gone, or was replaced by another of its name.
pub(crate) async fn gone(cluster: &Cluster, key: &Key, uid: &str, pods: &mut watch::Receiver<()>) {
    loop {
        pods.borrow_and_update();
        let pod = cluster.store.get(kinds::core("pods"), key);
        if pod.is_none_or(|pod| *pod.uid != *uid) || pods.changed().await.is_err() {
            return;
        }
    }
}
