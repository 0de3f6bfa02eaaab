//! Port-forwards: what can be reached of an application, and one open forward.
//!
//! A forward listens once and keeps its port. Each connection to it becomes a WebSocket of its own to a ready pod; when
//! that pod goes, the next one of the same Service or workload takes over. The protocol (v4) can close a direction of a
//! connection only by closing both: so the end of what the client says is withheld until the pod has answered, or has
//! been silent for long.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use k8s_openapi::api::core::v1::Pod;
use kube::{Api, Client};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{Notify, watch},
    task::JoinSet,
    time::{sleep, timeout},
};

use super::error::{Class, Error};
use crate::model::forward::{ForwardState, ForwardTarget};

mod backend;
mod targets;

use backend::{Backend, Resolver};
pub use targets::targets;

/// Between looks at whether the pod is still there.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// The same while it is not.
const LOOK_WHILE_LOST: Duration = Duration::from_secs(1);
/// Time for a WebSocket to open.
const OPEN: Duration = Duration::from_secs(10);
/// How long a pod may be silent after the client has said its last word.
const HALF_CLOSED: Duration = Duration::from_secs(30);
/// Ports after the one asked for that are tried when it is taken, before any free one.
const NEXT_PORTS: u16 = 10;

/// Opens a forward and keeps it open; `report` is told each time it stands otherwise. Returns only if it cannot listen.
/// Dropping the future closes it and every connection through it.
pub async fn run(
    client: Client,
    target: ForwardTarget,
    listen: SocketAddr,
    report: impl Fn(ForwardState) + Send + Sync,
) {
    report(ForwardState::Connecting);
    let listener = match bind(listen).await {
        Ok(listener) => listener,
        Err(error) => {
            report(ForwardState::Failed { reason: format!("cannot listen on {listen}: {error}").into() });
            return;
        }
    };
    let local = listener.local_addr().unwrap_or(listen).to_string();
    let (chosen, backend) = watch::channel(None);
    let broken = Arc::new(Broken::default());
    tokio::join!(
        look(Resolver::new(client.clone(), target), chosen, Arc::clone(&broken), local, report),
        accept(listener, client, backend, broken),
    );
}

/// What connections tell of how they fared.
#[derive(Default)]
struct Broken {
    /// One failed to open.
    failed: Notify,
    /// The newest was not permitted, which no other pod mends.
    refusal: Mutex<Option<Error>>,
}

impl Broken {
    fn fared(&self, error: Option<&Error>) {
        let refusal = error.filter(|error| error.class == Class::Forbidden).cloned();
        let mut known = self.refusal.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = known.is_some() != refusal.is_some();
        *known = refusal;
        if changed || error.is_some() {
            self.failed.notify_one();
        }
    }

    fn refusal(&self) -> Option<Error> {
        self.refusal.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The port asked for; if it is taken or not ours to open, one of those after it; else any free one.
async fn bind(listen: SocketAddr) -> io::Result<TcpListener> {
    let first = match TcpListener::bind(listen).await {
        Ok(listener) => return Ok(listener),
        Err(error) => error,
    };
    match first.kind() {
        io::ErrorKind::AddrInUse => {
            for step in 1..=NEXT_PORTS {
                let Some(port) = listen.port().checked_add(step) else { break };
                if let Ok(listener) = TcpListener::bind(SocketAddr::new(listen.ip(), port)).await {
                    return Ok(listener);
                }
            }
        }
        io::ErrorKind::PermissionDenied => {}
        _ => return Err(first),
    }
    TcpListener::bind(SocketAddr::new(listen.ip(), 0)).await
}

/// Keeps a ready pod chosen.
async fn look(
    mut resolver: Resolver,
    chosen: watch::Sender<Option<Backend>>,
    broken: Arc<Broken>,
    local: String,
    report: impl Fn(ForwardState),
) {
    let mut told: Option<ForwardState> = None;
    loop {
        // A copy: what `borrow` gives must not be held while waiting.
        let before = chosen.borrow().clone();
        let found = resolver.resolve(before.as_ref()).await;
        let (state, pause) = match &found {
            Ok(_) if let Some(refusal) = broken.refusal() => {
                let reason = refusal.message.as_str().into();
                (ForwardState::Reconnecting { local: local.as_str().into(), reason }, LOOK_EVERY)
            }
            Ok(backend) => {
                let pod = backend.pod.as_str().into();
                (ForwardState::Active { local: local.as_str().into(), pod }, LOOK_EVERY)
            }
            Err(error) => {
                let reason = error.message.as_str().into();
                (ForwardState::Reconnecting { local: local.as_str().into(), reason }, LOOK_WHILE_LOST)
            }
        };
        chosen.send_if_modified(|before| {
            let now = found.ok();
            let changed = *before != now;
            *before = now;
            changed
        });
        if told.as_ref() != Some(&state) {
            report(state.clone());
            told = Some(state);
        }
        tokio::select! {
            () = sleep(pause) => {}
            // A burst of failing connections asks once.
            () = broken.failed.notified() => sleep(Duration::from_millis(200)).await,
        }
    }
}

async fn accept(listener: TcpListener, client: Client, backend: watch::Receiver<Option<Backend>>, broken: Arc<Broken>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((socket, _)) => {
                    let connection = connect(socket, client.clone(), backend.clone(), Arc::clone(&broken));
                    connections.spawn(connection);
                }
                // Out of descriptors, most likely: the listener itself is well.
                Err(error) => {
                    tracing::warn!(%error, "a connection to a forward could not be accepted");
                    sleep(Duration::from_millis(200)).await;
                }
            },
            Some(ended) = connections.join_next() => {
                if let Ok(Err(error)) = ended {
                    tracing::debug!(%error, "a connection through a forward ended");
                }
            }
        }
    }
}

/// One connection: to the pod chosen now; if that fails to open, to the one that is chosen then.
async fn connect(
    socket: TcpStream,
    client: Client,
    mut backend: watch::Receiver<Option<Backend>>,
    broken: Arc<Broken>,
) -> Result<(), Error> {
    let nobody = || Error::new(Class::Unreachable, "no ready pod");
    let patience = timeout(OPEN, backend.wait_for(Option::is_some)).await;
    let Some(first) = patience.ok().and_then(|found| found.ok().and_then(|found| found.clone())) else {
        return Err(nobody());
    };
    backend.mark_unchanged();
    match pipe(&client, &first, socket, &broken).await {
        Opened::Yes(result) => result,
        Opened::No(_, error) if error.class == Class::Forbidden => Err(error),
        Opened::No(socket, error) => {
            // The look may find that the pod is well after all, and then changes nothing.
            let _ = timeout(Duration::from_secs(3), backend.changed()).await;
            let next = backend.borrow().clone();
            let Some(next) = next else { return Err(error) };
            match pipe(&client, &next, socket, &broken).await {
                Opened::Yes(result) => result,
                Opened::No(_, error) => Err(error),
            }
        }
    }
}

enum Opened {
    Yes(Result<(), Error>),
    No(TcpStream, Error),
}

async fn pipe(client: &Client, backend: &Backend, mut socket: TcpStream, broken: &Broken) -> Opened {
    let pods: Api<Pod> = Api::namespaced(client.clone(), &backend.namespace);
    let opened = match timeout(OPEN, pods.portforward(&backend.pod, &[backend.port])).await {
        Ok(Ok(forwarder)) => Ok(forwarder),
        Ok(Err(error)) => Err(Error::from_kube(&error)),
        Err(_) => Err(Error::new(Class::TimedOut, "no answer within 10 s")),
    };
    broken.fared(opened.as_ref().err());
    let mut forwarder = match opened {
        Ok(forwarder) => forwarder,
        Err(error) => return Opened::No(socket, error),
    };
    let (Some(mut pod), Some(refused)) = (forwarder.take_stream(backend.port), forwarder.take_error(backend.port))
    else {
        return Opened::No(socket, Error::new(Class::Other, "the forward has no stream"));
    };
    let result = tokio::select! {
        result = copy(&mut socket, &mut pod) => {
            result.map_err(|error| Error::new(Class::Unreachable, error.to_string()))
        }
        // Nothing listens on that port in the pod: this connection's affair alone.
        Some(reason) = refused => Err(Error::new(Class::Unreachable, reason)),
    };
    forwarder.abort();
    Opened::Yes(result)
}

/// Copies both ways until the pod ends, the client is gone, or both are silent after the client's last word.
async fn copy(
    client: &mut TcpStream,
    pod: &mut (impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin),
) -> io::Result<()> {
    let mut upstream = vec![0; 16 * 1024];
    let mut downstream = vec![0; 16 * 1024];
    let mut client_ended = false;
    loop {
        tokio::select! {
            read = client.read(&mut upstream), if !client_ended => match read? {
                0 => client_ended = true,
                length => {
                    pod.write_all(&upstream[..length]).await?;
                    pod.flush().await?;
                }
            },
            read = pod.read(&mut downstream) => match read? {
                0 => {
                    // Only now may the client see the end: all that the pod said has been passed on.
                    return client.shutdown().await;
                }
                length => client.write_all(&downstream[..length]).await?,
            },
            () = sleep(HALF_CLOSED), if client_ended => return Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_taken_port_gives_way_to_the_next() {
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = taken.local_addr().unwrap();
        let next = bind(address).await.unwrap().local_addr().unwrap();
        assert_ne!(next.port(), address.port());
        assert_eq!(next.ip(), address.ip());
    }

    #[tokio::test]
    async fn an_answer_after_the_clients_last_word_is_not_cut() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut caller = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (mut accepted, _) = listener.accept().await.unwrap();
        let (mut near, mut far) = tokio::io::duplex(1024);
        let copying = tokio::spawn(async move { copy(&mut accepted, &mut near).await });
        caller.write_all(b"question").await.unwrap();
        caller.shutdown().await.unwrap();
        let mut question = [0; 8];
        far.read_exact(&mut question).await.unwrap();
        // The end of the question does not reach the pod, or kube would close the answer's way.
        let end = timeout(Duration::from_millis(50), far.read(&mut question)).await;
        assert!(end.is_err());
        far.write_all(b"answer").await.unwrap();
        drop(far);
        let mut answer = String::new();
        caller.read_to_string(&mut answer).await.unwrap();
        assert_eq!(answer, "answer");
        copying.await.unwrap().unwrap();
    }
}
