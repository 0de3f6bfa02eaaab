//! One connection: bytes between a local socket and a port of a pod, over a WebSocket of its own.
//!
//! The frames of `v4.channel.k8s.io` are read and written here, not through the duplex that kube offers: that one carries
//! both directions in one loop, so that a client which reads slowly cannot write either, and it ends the answer with the
//! question. Each frame begins with a channel: 0 is data, 1 what the node says went wrong; the first frame of each
//! channel holds the port's number. The protocol closes both directions or none: so the end of what the client says is
//! withheld until the pod has ended, or has been silent for long after it.

use std::{
    io,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::Duration,
};

use bytes::{BufMut, BytesMut};
use futures::{Sink, SinkExt, Stream, StreamExt};
use http::Request;
use kube::Client;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{sleep, timeout},
};
use tokio_tungstenite::tungstenite::{self, Message};

use super::{backend::Backend, traffic::Traffic};
use crate::cluster::{
    error::{Class, Error},
    request::escape,
};

/// Time for a WebSocket to open.
const OPEN: Duration = Duration::from_secs(10);
/// How long a pod may be silent after the client has said its last word.
const HALF_CLOSED: Duration = Duration::from_secs(30);
/// The most bytes in one frame.
const FRAME: usize = 32 * 1024;
/// Channel of the bytes.
const DATA: u8 = 0;
/// Channel of what the node says went wrong.
const ERROR: u8 = 1;

/// Opens a WebSocket to the pod's port.
///
/// # Errors
///
/// The server refuses (named), does not answer in time, or does not speak WebSocket.
pub(super) async fn open(
    client: &Client,
    backend: &Backend,
) -> Result<
    impl Stream<Item = Result<Message, tungstenite::Error>> + Sink<Message, Error = tungstenite::Error> + use<>,
    Error,
> {
    let Backend { namespace, pod, port, .. } = backend;
    let uri = format!("/api/v1/namespaces/{}/pods/{}/portforward?ports={port}", escape(namespace), escape(pod));
    let request = Request::get(uri).body(Vec::new()).map_err(|error| Error::new(Class::Other, error.to_string()))?;
    match timeout(OPEN, client.connect(request)).await {
        Ok(Ok(connection)) => Ok(connection.into_stream()),
        Ok(Err(error @ kube::Error::UpgradeConnection(_))) => Err(no_websocket(&error)),
        Ok(Err(error)) => Err(Error::from_kube(&error)),
        Err(_) => Err(Error::new(Class::TimedOut, format!("no answer within {} s", OPEN.as_secs()))),
    }
}

fn no_websocket(error: &kube::Error) -> Error {
    let why = std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string);
    let advice = "Kubernetes forwards over WebSocket from 1.6 on; a proxy in between must let upgrades pass";
    Error::new(Class::Other, format!("the server does not forward over WebSocket ({why}): {advice}"))
}

/// Carries bytes both ways until the pod ends, the client is gone, or the pod is silent after the client's last word.
/// `gone` ends it from outside, when the pod it goes to is no longer the right one.
/// An end that is not the pod's own reaches the client as a reset, so that half an answer is never taken for a whole one.
///
/// # Errors
///
/// What the node said of the port (nothing listens there), or how the connection broke.
pub(super) async fn carry<S>(
    mut socket: TcpStream,
    pod: S,
    gone: impl Future<Output = ()>,
    traffic: &Traffic,
) -> Result<(), Fault>
where
    S: Stream<Item = Result<Message, tungstenite::Error>> + Sink<Message, Error = tungstenite::Error>,
{
    let result = tokio::select! {
        result = both_ways(&mut socket, pod, traffic) => result,
        () = gone => Err(Fault::Pod(Error::new(Class::Unreachable, "the pod is gone or no longer ready"))),
    };
    if result.is_err() {
        reset(&socket);
    }
    result
}

/// Makes the coming close a reset.
pub(super) fn reset(socket: &TcpStream) {
    if let Err(error) = socket.set_zero_linger() {
        tracing::debug!(%error, "a connection through a forward ends without a reset");
    }
}

/// How a connection ended that neither side ended in good order.
pub(super) enum Fault {
    /// The client went, which is its own affair.
    Client(io::Error),
    /// The pod's side failed.
    Pod(Error),
}

impl Fault {
    fn of_socket(error: &tungstenite::Error) -> Self {
        Self::Pod(Error::new(Class::Unreachable, format!("the connection to the cluster broke: {error}")))
    }
}

async fn both_ways<S>(socket: &mut TcpStream, pod: S, traffic: &Traffic) -> Result<(), Fault>
where
    S: Stream<Item = Result<Message, tungstenite::Error>> + Sink<Message, Error = tungstenite::Error>,
{
    let (mut said, mut answer) = socket.split();
    let (mut to_pod, mut from_pod) = pod.split();
    // What the client was given, and whether it is being given something: a slow reader is not a silent pod.
    let (heard, giving) = (AtomicU64::new(0), AtomicBool::new(false));
    let up = async {
        let mut frame = BytesMut::new();
        loop {
            frame.reserve(FRAME);
            frame.put_u8(DATA);
            let length = (&mut said).take(FRAME as u64 - 1).read_buf(&mut frame).await.map_err(Fault::Client)?;
            if length == 0 {
                return Ok(());
            }
            to_pod.send(Message::Binary(frame.split().freeze())).await.map_err(|error| Fault::of_socket(&error))?;
            traffic.sent(length);
        }
    };
    let down = async {
        let mut begun = [false; 2];
        while let Some(message) = from_pod.next().await {
            let bytes = match message.map_err(|error| Fault::of_socket(&error))? {
                Message::Binary(bytes) => bytes,
                Message::Close(_) => break,
                _ => continue,
            };
            let Some((channel, data)) = bytes.split_first() else { continue };
            match (*channel, begun.get_mut(usize::from(*channel))) {
                (_, Some(begun)) if !*begun => *begun = true,
                (DATA, _) => {
                    giving.store(true, Ordering::Relaxed);
                    answer.write_all(data).await.map_err(Fault::Client)?;
                    giving.store(false, Ordering::Relaxed);
                    heard.fetch_add(1, Ordering::Relaxed);
                    traffic.received(data.len());
                }
                (ERROR, _) if !data.is_empty() => {
                    let reason = String::from_utf8_lossy(data);
                    return Err(Fault::Pod(Error::new(Class::Unreachable, reason.trim().to_owned())));
                }
                _ => {}
            }
        }
        // Only now may the client see the end: all that the pod said has been passed on.
        answer.shutdown().await.map_err(Fault::Client)
    };
    tokio::pin!(up, down);
    let mut client_ended = false;
    loop {
        let before = heard.load(Ordering::Relaxed);
        tokio::select! {
            ended = &mut down => return ended,
            ended = &mut up, if !client_ended => match ended {
                // What the pod said before it went is still to come.
                Ok(()) | Err(Fault::Pod(_)) => client_ended = true,
                Err(fault @ Fault::Client(_)) => return Err(fault),
            },
            () = sleep(HALF_CLOSED), if client_ended => {
                if heard.load(Ordering::Relaxed) == before && !giving.load(Ordering::Relaxed) {
                    return Ok(());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::DuplexStream,
        net::{TcpListener, TcpStream},
        sync::oneshot,
        task::JoinHandle,
    };
    use tokio_tungstenite::{WebSocketStream, tungstenite::protocol::Role};

    use super::*;

    struct Pipe {
        caller: TcpStream,
        node: WebSocketStream<DuplexStream>,
        traffic: &'static Traffic,
        carrying: JoinHandle<Result<(), Fault>>,
        lose: oneshot::Sender<()>,
    }

    async fn pipe() -> Pipe {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let caller = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (accepted, _) = listener.accept().await.unwrap();
        let (near, far) = tokio::io::duplex(4096);
        let near = WebSocketStream::from_raw_socket(near, Role::Client, None).await;
        let mut node = WebSocketStream::from_raw_socket(far, Role::Server, None).await;
        let traffic: &Traffic = Box::leak(Box::default());
        let (lose, taken) = oneshot::channel();
        let gone = async move {
            let _ = taken.await;
        };
        let carrying = tokio::spawn(carry(accepted, near, gone, traffic));
        for channel in [DATA, ERROR] {
            node.send(frame(channel, &80_u16.to_le_bytes())).await.unwrap();
        }
        Pipe { caller, node, traffic, carrying, lose }
    }

    fn frame(channel: u8, data: &[u8]) -> Message {
        Message::Binary([&[channel], data].concat().into())
    }

    async fn said(node: &mut WebSocketStream<DuplexStream>) -> Vec<u8> {
        let Message::Binary(bytes) = node.next().await.unwrap().unwrap() else { panic!("no data") };
        assert_eq!(bytes[0], DATA);
        bytes[1..].to_vec()
    }

    #[tokio::test]
    async fn an_answer_after_the_clients_last_word_is_not_cut() {
        let mut pipe = pipe().await;
        pipe.caller.write_all(b"question").await.unwrap();
        pipe.caller.shutdown().await.unwrap();
        assert_eq!(said(&mut pipe.node).await, b"question");
        pipe.node.send(frame(DATA, b"answer")).await.unwrap();
        pipe.node.close(None).await.unwrap();
        let mut answer = String::new();
        pipe.caller.read_to_string(&mut answer).await.unwrap();
        assert_eq!(answer, "answer");
        assert!(pipe.carrying.await.unwrap().is_ok());
        assert_eq!((pipe.traffic.now().sent, pipe.traffic.now().received), (8, 6));
    }

    #[tokio::test]
    async fn both_may_write_before_they_read() {
        const MUCH: usize = 16 * 1024 * 1024;
        let Pipe { caller, node, carrying, traffic, lose: _lose } = pipe().await;
        let (mut read, mut write) = caller.into_split();
        let (mut to, mut from) = node.split();
        // Nobody reads until its own writing is done on the other side: only two free directions get through.
        let (written, up_done) = oneshot::channel();
        let up = async {
            write.write_all(&vec![7; MUCH]).await.unwrap();
            written.send(()).unwrap();
        };
        let node = async {
            let mut got = 0;
            let down = async {
                // More than every buffer between holds, while the caller does not read a byte.
                for _ in 0..MUCH / FRAME {
                    to.send(frame(DATA, &vec![9; FRAME])).await.unwrap();
                }
                to.close().await.unwrap();
            };
            let take = async {
                while got < MUCH {
                    let Message::Binary(bytes) = from.next().await.unwrap().unwrap() else { continue };
                    got += bytes.len() - 1;
                }
            };
            tokio::join!(down, take);
        };
        let caller = async {
            up_done.await.unwrap();
            let mut answer = Vec::new();
            read.read_to_end(&mut answer).await.unwrap();
            assert_eq!(answer.len(), MUCH);
        };
        tokio::join!(up, node, caller);
        assert!(carrying.await.unwrap().is_ok());
        assert_eq!(traffic.now().sent, MUCH as u64);
    }

    #[tokio::test]
    async fn what_the_node_says_of_the_port_ends_the_connection_with_a_reset() {
        let mut pipe = pipe().await;
        pipe.node.send(frame(ERROR, b"connect: connection refused\n")).await.unwrap();
        let Err(Fault::Pod(error)) = pipe.carrying.await.unwrap() else { panic!("it ended well") };
        assert_eq!(error.message, "connect: connection refused");
        let reset = pipe.caller.read(&mut [0; 8]).await.unwrap_err();
        assert_eq!(reset.kind(), io::ErrorKind::ConnectionReset);
    }

    #[tokio::test]
    async fn a_lost_cluster_and_a_lost_pod_are_resets_and_no_whole_answers() {
        let Pipe { mut caller, mut node, carrying, lose: _lose, .. } = pipe().await;
        node.send(frame(DATA, b"half an")).await.unwrap();
        let mut half = [0; 7];
        caller.read_exact(&mut half).await.unwrap();
        drop(node);
        assert!(matches!(carrying.await.unwrap(), Err(Fault::Pod(_))));
        assert_eq!(caller.read(&mut half).await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);

        let Pipe { mut caller, node: _node, carrying, lose, .. } = pipe().await;
        lose.send(()).unwrap();
        assert!(matches!(carrying.await.unwrap(), Err(Fault::Pod(_))));
        assert_eq!(caller.read(&mut half).await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    }

    #[tokio::test]
    async fn frames_that_mean_nothing_are_passed_over() {
        let mut pipe = pipe().await;
        for odd in [Message::Binary(Vec::new().into()), frame(9, b"?"), frame(ERROR, b""), Message::Text("?".into())] {
            pipe.node.send(odd).await.unwrap();
        }
        pipe.node.send(frame(DATA, b"well")).await.unwrap();
        let mut well = [0; 4];
        pipe.caller.read_exact(&mut well).await.unwrap();
        assert_eq!(&well, b"well");
    }
}
