//! Many logs at once: which containers there are to follow, and how many at a time.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use kube::Client;
use serde_json::Value;
use tokio::{
    sync::{Semaphore, mpsc},
    task::{Id, JoinSet},
    time::sleep,
};

use super::{
    container::{self, Container, State},
    finder,
    queue::{Outlet, Queue},
    stream::{self, StreamRequest},
};
use crate::{
    cluster::{
        error::{Class, Error},
        request,
        watch::jitter_around,
    },
    model::{
        key::{ClusterId, Text},
        log::{ContainerKind, Containers, End, LogEvent, LogRequest, LogScope, LogSource, LogTarget, SourceId},
    },
};

/// Streams open at once, unless told otherwise. Each is a connection of its own.
pub const STREAMS: usize = 100;
/// Pods looked at at once.
const LOOKS: usize = 8;
/// Time for a look at a pod.
const ASK: Duration = Duration::from_secs(10);
/// Between looks at a pod of which all containers are followed: one may be put into it while it runs.
const LOOK_AGAIN: Duration = Duration::from_secs(15);
/// Back-off while a cluster does not answer: from … to.
const BACK_OFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(10));

/// How to reach a cluster.
pub type Clients = Arc<dyn Fn(&ClusterId) -> Client + Send + Sync>;

/// Where the events of a session go.
#[derive(Debug)]
pub enum Outlets {
    /// All into one queue.
    Shared(Queue),
    /// Each source's to one who takes it alone, as it is opened; the session's own into the queue.
    Each(Queue, mpsc::UnboundedSender<(Arc<LogSource>, mpsc::Receiver<LogEvent>)>),
}

/// Events of one source that may wait for who takes it alone.
const ALONE: usize = 16;

/// A session.
pub struct Session {
    clients: Clients,
    request: Arc<LogRequest>,
    limit: usize,
    outlets: Option<Outlets>,
    queue: Queue,
    /// Pods that were looked at, or are being looked at.
    targets: HashSet<LogTarget>,
    /// Containers that were opened or wait.
    known: HashSet<(LogTarget, Text)>,
    looks: JoinSet<()>,
    permits: Arc<Semaphore>,
    found: (mpsc::UnboundedSender<Found>, mpsc::UnboundedReceiver<Found>),
    /// Those that run first.
    running: VecDeque<Wanted>,
    others: VecDeque<Wanted>,
    streams: JoinSet<()>,
    sources: HashMap<Id, SourceId>,
    next: u32,
    /// What was last said of the limit.
    said: Option<(usize, usize)>,
    unfound: HashMap<Option<ClusterId>, Text>,
}

/// A container to follow.
struct Wanted {
    source: LogSource,
    uid: Text,
    restarts: Option<u64>,
}

/// What came of looking for something.
pub(super) enum Found {
    /// A pod.
    Target(LogTarget),
    /// A pod's containers: each with its restarts, and whether it runs.
    Containers(LogTarget, Vec<(Text, ContainerKind, Option<u64>, bool)>),
    /// There is nothing to follow of this pod: why.
    Nothing(LogTarget, End),
    /// It could not be looked up.
    Unfound(Option<ClusterId>, Text),
    /// It can be again.
    Answers(ClusterId),
}

impl Session {
    /// A session that is still to run, with at most so many streams at once.
    pub fn new(clients: Clients, request: LogRequest, limit: usize, outlets: Outlets) -> Self {
        let queue = match &outlets {
            Outlets::Shared(queue) | Outlets::Each(queue, _) => queue.clone(),
        };
        Self {
            clients,
            request: Arc::new(request),
            limit: limit.max(1),
            outlets: Some(outlets),
            queue,
            targets: HashSet::new(),
            known: HashSet::new(),
            looks: JoinSet::new(),
            permits: Arc::new(Semaphore::new(LOOKS)),
            found: mpsc::unbounded_channel(),
            running: VecDeque::new(),
            others: VecDeque::new(),
            streams: JoinSet::new(),
            sources: HashMap::new(),
            next: 0,
            said: None,
            unfound: HashMap::new(),
        }
    }

    /// Follows what is wanted and what joins, until it is dropped, or `joins` has ended and so has every stream; then
    /// the queue is closed. Of a selector, or of a workload's, `clusters` says where to look if the request does not.
    pub async fn run(mut self, mut joins: mpsc::UnboundedReceiver<Vec<LogTarget>>, clusters: Vec<ClusterId>) {
        self.find(clusters);
        let mut open = true;
        loop {
            self.start().await;
            let idle = self.looks.is_empty() && self.found.1.is_empty();
            if !open && idle && self.running.is_empty() && self.others.is_empty() {
                // No source more: who takes each by itself knows all of them now.
                self.outlets = None;
                if self.streams.is_empty() {
                    break;
                }
            }
            tokio::select! {
                joined = joins.recv(), if open => match joined {
                    Some(targets) => targets.into_iter().for_each(|target| self.look(target)),
                    None => open = false,
                },
                Some(found) = self.found.1.recv() => self.take(found).await,
                Some(_) = self.looks.join_next() => {}
                Some(ended) = self.streams.join_next_with_id() => self.ended(ended).await,
            }
        }
        self.queue.close();
    }

    /// Looks for pods where nobody else tells which they are.
    fn find(&mut self, clusters: Vec<ClusterId>) {
        let wanted = if self.request.clusters.is_empty() { clusters } else { self.request.clusters.clone() };
        let places = match &self.request.scope {
            LogScope::App { .. } | LogScope::Apps(_) | LogScope::Step { .. } | LogScope::Pods(_) => Vec::new(),
            LogScope::Workload(key) => vec![key.cluster.clone()],
            LogScope::Selector { .. } => wanted,
        };
        for cluster in places {
            let client = (self.clients)(&cluster);
            self.looks.spawn(finder::find(client, cluster, Arc::clone(&self.request), self.found.0.clone()));
        }
    }

    /// Looks which containers of a pod to follow.
    fn look(&mut self, target: LogTarget) {
        if !self.request.covers(&target.pod.cluster) || !self.targets.insert(target.clone()) {
            return;
        }
        let client = (self.clients)(&target.pod.cluster);
        let (request, permits, tell) = (Arc::clone(&self.request), Arc::clone(&self.permits), self.found.0.clone());
        self.looks.spawn(look(client, request, target, permits, tell));
    }

    async fn take(&mut self, found: Found) {
        match found {
            Found::Target(target) => self.look(target),
            Found::Containers(target, containers) => {
                for (name, kind, restarts, runs) in containers {
                    if !self.known.insert((target.clone(), name.clone())) {
                        continue;
                    }
                    let pod = target.pod.clone();
                    let source = LogSource { pod, container: name, kind, previous: self.request.previous };
                    let wanted = Wanted { source, uid: target.uid.clone(), restarts };
                    if runs { &mut self.running } else { &mut self.others }.push_back(wanted);
                }
            }
            Found::Nothing(target, end) => {
                let container = match &self.request.containers {
                    Containers::Named(name) => name.clone(),
                    _ => "".into(),
                };
                let kind = ContainerKind::Ordinary;
                let source = LogSource { pod: target.pod, container, kind, previous: self.request.previous };
                let (id, (_, outlet)) = self.open(source).await;
                let _ = outlet.tell(LogEvent::Ended(id, end), false).await;
            }
            Found::Unfound(cluster, why) => {
                if self.unfound.insert(cluster.clone(), why.clone()).as_ref() != Some(&why) {
                    self.queue.push(LogEvent::Unfound(cluster, why), false).await;
                }
            }
            Found::Answers(cluster) => drop(self.unfound.remove(&Some(cluster))),
        }
    }

    /// Opens as many streams as may be.
    async fn start(&mut self) {
        while self.streams.len() < self.limit
            && let Some(wanted) = self.running.pop_front().or_else(|| self.others.pop_front())
        {
            let Wanted { source, uid, restarts } = wanted;
            let client = (self.clients)(&source.pod.cluster);
            let (id, (source, outlet)) = self.open(source).await;
            let (start, follow) = (self.request.start, self.request.follow && !self.request.previous);
            let request = StreamRequest { id, source, uid, restarts, start, follow };
            let task = self.streams.spawn(stream::follow(client, request, outlet));
            self.sources.insert(task.id(), id);
        }
        let open = self.streams.len();
        let wanted = open + self.running.len() + self.others.len();
        let waits = wanted > open || self.said.is_some_and(|(open, wanted)| wanted > open);
        if waits && self.said != Some((open, wanted)) {
            self.said = Some((open, wanted));
            self.queue.push(LogEvent::Limit { open, wanted }, false).await;
        }
    }

    /// Names a source and tells of it.
    async fn open(&mut self, source: LogSource) -> (SourceId, (Arc<LogSource>, Outlet)) {
        let id = SourceId(self.next);
        self.next += 1;
        let source = Arc::new(source);
        let outlet = match &self.outlets {
            Some(Outlets::Each(_, sources)) => {
                let (tell, events) = mpsc::channel(ALONE);
                let _ = sources.send((Arc::clone(&source), events));
                Outlet::Channel(tell)
            }
            Some(Outlets::Shared(_)) | None => {
                self.queue.push(LogEvent::Opened(id, Arc::clone(&source)), false).await;
                Outlet::Queue(self.queue.clone())
            }
        };
        (id, (source, outlet))
    }

    async fn ended(&mut self, ended: Result<(Id, ()), tokio::task::JoinError>) {
        let id = match &ended {
            Ok((task, ())) => *task,
            Err(error) => error.id(),
        };
        let source = self.sources.remove(&id);
        if let (Err(error), Some(source)) = (ended, source) {
            let why = format!("lateen broke at this log, which is a defect: {error}");
            self.queue.push(LogEvent::Ended(source, End::Broken(why.into())), false).await;
        }
    }
}

/// Looks which containers of a pod to follow, until that is known; where all are, again and again.
async fn look(
    client: Client,
    request: Arc<LogRequest>,
    target: LogTarget,
    permits: Arc<Semaphore>,
    tell: mpsc::UnboundedSender<Found>,
) {
    let cluster = target.pod.cluster.clone();
    let mut failures = 0u32;
    let mut known: Option<usize> = None;
    loop {
        let pod = {
            let _permit = permits.acquire().await;
            let uri = format!("/api/v1/namespaces/{}/pods/{}", target.pod.namespace, target.pod.name);
            request::get_json::<Value>(&client, &uri, ASK).await
        };
        let found = match pod {
            Ok(pod) => {
                failures = 0;
                let _ = tell.send(Found::Answers(cluster.clone()));
                of_pod(&pod, &request, &target)
            }
            // Logs without pods is a rare role, but there is one.
            Err(error) if error.class == Class::Forbidden => match &request.containers {
                Containers::Named(name) => {
                    let container = (name.clone(), ContainerKind::Ordinary, None, true);
                    Some(Found::Containers(target.clone(), vec![container]))
                }
                _ => Some(Found::Containers(target.clone(), vec![("".into(), ContainerKind::Ordinary, None, true)])),
            },
            Err(error) => match ended(&error) {
                Some(end) => (known.is_none()).then(|| Found::Nothing(target.clone(), end)),
                None if !request.follow && failures >= 2 => {
                    Some(Found::Nothing(target.clone(), End::Failed(error.message.into())))
                }
                None => {
                    let _ = tell.send(Found::Unfound(Some(cluster.clone()), error.message.into()));
                    let (from, to) = BACK_OFF;
                    sleep(jitter_around((from * 2u32.saturating_pow(failures.min(6))).min(to))).await;
                    failures += 1;
                    continue;
                }
            },
        };
        let stays = match &found {
            Some(Found::Containers(_, containers)) => {
                known = Some(containers.len());
                true
            }
            _ => false,
        };
        if let Some(found) = found {
            let _ = tell.send(found);
        }
        let again = request.containers == Containers::All && request.follow && !request.previous;
        if !stays || !again || tell.is_closed() {
            return;
        }
        sleep(jitter_around(LOOK_AGAIN)).await;
    }
}

/// What to follow of a pod; none: nothing, and nothing to be said.
fn of_pod(pod: &Value, request: &LogRequest, target: &LogTarget) -> Option<Found> {
    let uid = pod.pointer("/metadata/uid").and_then(Value::as_str).unwrap_or_default();
    if !target.uid.is_empty() && !uid.is_empty() && *target.uid != *uid {
        return Some(Found::Nothing(target.clone(), End::PodDeleted));
    }
    match container::wanted(pod, &request.containers) {
        Ok(containers) => {
            let containers = containers.into_iter().map(|(name, kind)| {
                let stands = Container::of(pod, &name);
                (name, kind, stands.restarts, matches!(stands.state, State::Running))
            });
            Some(Found::Containers(target.clone(), containers.collect()))
        }
        // Of many pods, not each has a container of that name.
        Err(names) => matches!(request.scope, LogScope::Pods(_)).then(|| {
            let wanted = match &request.containers {
                Containers::Named(name) => format!("no container {name}"),
                _ => "no container".to_owned(),
            };
            Found::Nothing(target.clone(), End::Refused(format!("{wanted}; the pod has: {names}").into()))
        }),
    }
}

/// Whether an answer means that there is nothing to look at, now or later.
fn ended(error: &Error) -> Option<End> {
    match error.class {
        Class::NotFound => Some(End::PodDeleted),
        Class::Unauthorized => Some(End::Denied(error.message.as_str().into())),
        Class::Unreachable if error.message.contains("no such cluster") => Some(End::ClusterLost),
        _ => None,
    }
}
