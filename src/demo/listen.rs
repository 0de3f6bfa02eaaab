//! Accepting connections for one cluster's API server.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::link::{Cut, Gated};
use super::world::{Cluster, World};

/// How long a client may take for its TLS handshake, and for sending a request's head.
const HANDSHAKE: Duration = Duration::from_secs(30);
/// The largest head of a request, as Go has it: selectors can be long.
const HEAD: u32 = 1024 * 1024;

/// Serves one cluster for as long as the estate lives: listening, or refusing and hanging as its link says.
pub(crate) async fn serve(
    world: Arc<World>,
    cluster: Arc<Cluster>,
    listener: std::net::TcpListener,
    tls: Arc<ServerConfig>,
) {
    let addr = cluster.addr;
    let acceptor = TlsAcceptor::from(tls);
    let mut states = cluster.link.subscribe();
    let mut listener = match TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!(cluster = cluster.name, %error, "the estate's listener cannot be used");
            return;
        }
    };
    loop {
        let state = *states.borrow_and_update();
        match state.cut.map(|(cut, _)| cut) {
            None => {
                cluster.link.heed(state);
                tokio::select! {
                    accepted = listener.accept() => match accepted {
                        Ok((stream, _)) => {
                            tokio::spawn(connection(Arc::clone(&world), Arc::clone(&cluster), stream, acceptor.clone()));
                        }
                        // Out of file descriptors: those who wait in the backlog get their turn later.
                        Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
                    },
                    changed = states.changed() => if changed.is_err() { return },
                }
            }
            // The kernel still completes connections into the backlog; nobody ever answers their handshake.
            Some(Cut::Hang) => {
                cluster.link.heed(state);
                if states.changed().await.is_err() {
                    return;
                }
            }
            Some(Cut::Refuse) => {
                drop(listener);
                // Bound but not listening: connections are refused, and nobody else can take the port meanwhile.
                let reserved = reserve(addr).await;
                loop {
                    let state = *states.borrow_and_update();
                    if state.cut.is_none_or(|(cut, _)| cut != Cut::Refuse) {
                        break;
                    }
                    cluster.link.heed(state);
                    if states.changed().await.is_err() {
                        return;
                    }
                }
                listener = match reserved.listen(1024) {
                    Ok(listener) => listener,
                    Err(_) => listen_again(addr).await,
                };
            }
        }
    }
}

async fn reserve(addr: SocketAddr) -> TcpSocket {
    loop {
        if let Ok(socket) = bound(addr) {
            return socket;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn listen_again(addr: SocketAddr) -> TcpListener {
    loop {
        if let Ok(listener) = bound(addr).and_then(|socket| socket.listen(1024)) {
            return listener;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn bound(addr: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if addr.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    Ok(socket)
}

async fn connection(world: Arc<World>, cluster: Arc<Cluster>, stream: TcpStream, acceptor: TlsAcceptor) {
    // Small events must leave at once; a failure to say so only costs latency.
    let _ = stream.set_nodelay(true);
    let stream = Gated::new(stream, &cluster.link);
    let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await else { return };
    let two = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let service = service_fn(move |request| {
        let (world, cluster) = (Arc::clone(&world), Arc::clone(&cluster));
        async move { Ok::<_, Infallible>(super::api::answer(world, cluster, request).await) }
    });
    // A client that went away is no news.
    if two {
        let mut server = http2::Builder::new(TokioExecutor::new());
        server.timer(TokioTimer::new()).max_concurrent_streams(100).max_header_list_size(HEAD);
        server.keep_alive_interval(HANDSHAKE).keep_alive_timeout(HANDSHAKE);
        let _ = server.serve_connection(TokioIo::new(stream), service).await;
    } else {
        let mut server = http1::Builder::new();
        server.timer(TokioTimer::new()).header_read_timeout(HANDSHAKE).max_buf_size(HEAD as usize);
        let _ = server.serve_connection(TokioIo::new(stream), service).with_upgrades().await;
    }
}
