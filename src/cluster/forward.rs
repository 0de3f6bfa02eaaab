//! Port-forwards: what can be reached of an application, and one open forward.
//!
//! A forward listens once and keeps its port. Each connection to it becomes a WebSocket of its own to a ready pod (see
//! `pipe`); when that pod goes, its connections are closed and the next one of the same Service or workload takes over.
//! The pods are watched, and looked at by the clock as well, as a cluster that is cut off says nothing.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use kube::Client;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Notify, watch},
    task::JoinSet,
    time::{sleep, timeout},
};

use super::error::{Class, Error};
use crate::model::forward::{ForwardNews, ForwardState, ForwardTarget, ForwardTraffic};

mod backend;
mod pipe;
mod targets;
mod traffic;

use backend::{Backend, Resolver};
use pipe::Fault;
pub use targets::targets;
use traffic::Traffic;

/// Between looks at whether the pod is still there, beside those that a change brings about.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// The same while it is not.
const LOOK_WHILE_LOST: Duration = Duration::from_secs(1);
/// Within this a burst of changes asks once.
const BURST: Duration = Duration::from_millis(100);
/// Looks in a row without an answer after which connections that still stand are closed.
const UNANSWERED: u32 = 3;
/// How long a connection waits for a pod while there is none, before it is refused.
const PATIENCE: Duration = Duration::from_secs(5);
/// Before a pod that did not let a connection open is tried again.
const AGAIN: Duration = Duration::from_secs(1);
/// Between tellings of what went through.
const COUNT_EVERY: Duration = Duration::from_secs(1);
/// Ports after the one asked for that are tried when it is taken, before any free one.
const NEXT_PORTS: u16 = 10;

/// Opens a forward and keeps it open; `report` is told each time it stands otherwise. Returns only if it cannot listen.
/// Dropping the future closes it and every connection through it.
pub async fn run(
    client: Client,
    target: ForwardTarget,
    listen: SocketAddr,
    report: impl Fn(ForwardNews) + Send + Sync,
) {
    report(ForwardNews::State(ForwardState::Connecting));
    let listener = match bind(listen).await {
        Ok(listener) => listener,
        Err(error) => {
            let reason = format!("cannot listen on {listen}: {error}").into();
            report(ForwardNews::State(ForwardState::Failed { reason }));
            return;
        }
    };
    let local = listener.local_addr().unwrap_or(listen).to_string();
    let (chosen, standing) = watch::channel(Standing::default());
    let (broken, traffic) = (Arc::new(Broken::default()), Arc::new(Traffic::default()));
    let resolver = Resolver::new(client.clone(), target);
    tokio::join!(
        look(resolver, chosen, Arc::clone(&broken), Arc::clone(&traffic), local, &report),
        count(&traffic, &report),
        accept(listener, client, standing, broken, Arc::clone(&traffic)),
    );
}

/// The pod that connections go to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Standing {
    /// To which new ones are opened.
    open_to: Option<Backend>,
    /// Whose open ones are kept; differs while the cluster does not answer for a moment.
    kept: Option<Backend>,
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
    chosen: watch::Sender<Standing>,
    broken: Arc<Broken>,
    traffic: Arc<Traffic>,
    local: String,
    report: &(impl Fn(ForwardNews) + Sync),
) {
    let mut told: Option<ForwardState> = None;
    // Looks in a row that the cluster did not answer.
    let mut unanswered = 0;
    loop {
        // A copy: what `borrow` gives must not be held while waiting.
        let before = chosen.borrow().clone();
        let found = resolver.resolve(before.kept.as_ref()).await;
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
        let now = match found {
            Ok(backend) => {
                unanswered = 0;
                Standing { open_to: Some(backend.clone()), kept: Some(backend) }
            }
            // The cluster has said that the pod is gone or not ready.
            Err(error) if matches!(error.class, Class::NotFound | Class::Invalid) => Standing::default(),
            // A question that failed says nothing of connections that live; one after another does.
            Err(_) => {
                unanswered += 1;
                let kept = before.kept.clone().filter(|_| unanswered < UNANSWERED);
                Standing { open_to: None, kept }
            }
        };
        if now.open_to.is_some() && before.open_to != now.open_to && told.is_some() {
            traffic.reconnected();
        }
        chosen.send_if_modified(|before| {
            let changed = *before != now;
            *before = now;
            changed
        });
        if told.as_ref() != Some(&state) {
            report(ForwardNews::State(state.clone()));
            told = Some(state);
        }
        tokio::select! {
            () = sleep(pause) => {}
            // A burst of changes, or of failing connections, asks once.
            () = resolver.changed() => sleep(BURST).await,
            () = broken.failed.notified() => sleep(BURST).await,
        }
    }
}

/// Tells of what goes through, as long as it changes.
async fn count(traffic: &Traffic, report: &(impl Fn(ForwardNews) + Sync)) {
    let mut told = ForwardTraffic::default();
    loop {
        sleep(COUNT_EVERY).await;
        let now = traffic.now();
        if now != told {
            report(ForwardNews::Traffic(now.clone()));
            told = now;
        }
    }
}

async fn accept(
    listener: TcpListener,
    client: Client,
    backend: watch::Receiver<Standing>,
    broken: Arc<Broken>,
    traffic: Arc<Traffic>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((socket, _)) => {
                    let (client, backend) = (client.clone(), backend.clone());
                    let (broken, traffic) = (Arc::clone(&broken), Arc::clone(&traffic));
                    connections.spawn(async move {
                        let _open = traffic.accepted();
                        match connect(socket, &client, backend, &broken, &traffic).await {
                            Ok(()) => {}
                            Err(Fault::Client(error)) => tracing::debug!(%error, "a client of a forward went"),
                            Err(Fault::Pod(error)) => {
                                tracing::debug!(%error, "a connection through a forward failed");
                                traffic.failed(&error.message);
                            }
                        }
                    });
                }
                // Out of descriptors, most likely: the listener itself is well.
                Err(error) => {
                    tracing::warn!(%error, "a connection to a forward could not be accepted");
                    traffic.failed(&format!("could not be accepted: {error}"));
                    sleep(BURST).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// One connection: to the pod chosen now; if that fails to open, to the one that is chosen then, within a time.
async fn connect(
    socket: TcpStream,
    client: &Client,
    mut standing: watch::Receiver<Standing>,
    broken: &Broken,
    traffic: &Traffic,
) -> Result<(), Fault> {
    let opening = async {
        loop {
            let waited = standing.wait_for(|standing| standing.open_to.is_some()).await;
            let Some(backend) = waited.ok().and_then(|standing| standing.open_to.clone()) else {
                return Err(Error::new(Class::Unreachable, "the forward is closed"));
            };
            let opened = pipe::open(client, &backend).await;
            broken.fared(opened.as_ref().err());
            match opened {
                Ok(stream) => return Ok((stream, backend)),
                Err(error) if error.class == Class::Forbidden => return Err(error),
                Err(error) => {
                    tracing::debug!(%error, pod = backend.pod, "a connection through a forward did not open");
                    // The look may find that the pod is well after all, and then changes nothing.
                    let another = standing.wait_for(|standing| standing.open_to.as_ref() != Some(&backend));
                    let _ = timeout(AGAIN, another).await;
                }
            }
        }
    };
    let opened = match timeout(PATIENCE, opening).await {
        Ok(opened) => opened,
        Err(_) => Err(Error::new(Class::Unreachable, format!("no ready pod within {} s", PATIENCE.as_secs()))),
    };
    let (stream, mine) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            pipe::reset(&socket);
            return Err(Fault::Pod(error));
        }
    };
    let gone = async {
        // A closed channel is the forward's own end, which drops this as well.
        let _ = standing.wait_for(|standing| standing.kept.as_ref() != Some(&mine)).await;
    };
    pipe::carry(socket, stream, gone, traffic).await
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
}
