//! Sessions of logs: their streams, and the way of what they bring to the loop.

use std::collections::HashSet;
use std::sync::Arc;

use tokio::{sync::mpsc, task::JoinSet};

use crate::{
    app::message::{Message, StreamId},
    cluster::{
        Session,
        logs::{self, StreamEvent, StreamRequest},
    },
    model::log::{ContainerKind, Containers, End, Gap, LogEvent, LogRequest, LogSource, LogTarget, SourceId, Start},
};

use super::work::guarded;

/// Lines of one log that may wait to be gathered into a batch.
const LINES: usize = 1024;
/// Lines told at once.
const BATCH: usize = 512;

/// Logs that are followed; to drop it ends them.
pub(super) struct Following {
    id: StreamId,
    request: LogRequest,
    session: Arc<Session>,
    tell: mpsc::Sender<Message>,
    known: HashSet<LogTarget>,
    streams: JoinSet<()>,
}

impl Following {
    pub(super) fn start(
        id: StreamId,
        request: LogRequest,
        targets: Vec<LogTarget>,
        session: &Arc<Session>,
        tell: &mpsc::Sender<Message>,
    ) -> Self {
        let (session, tell) = (Arc::clone(session), tell.clone());
        let mut following = Self { id, request, session, tell, known: HashSet::new(), streams: JoinSet::new() };
        following.join(targets);
        following
    }

    pub(super) fn join(&mut self, targets: Vec<LogTarget>) {
        for target in targets {
            if self.known.insert(target.clone()) {
                self.follow(target);
            }
        }
    }

    fn follow(&mut self, target: LogTarget) {
        let client = self.session.client(&target.pod.cluster);
        let (id, source) = (self.id, SourceId(self.known.len() as u32));
        let container = match &self.request.containers {
            Containers::Named(name) => name.clone(),
            _ => "".into(),
        };
        let request = StreamRequest {
            pod: target.pod.clone(),
            container: container.clone(),
            tail: match self.request.start {
                Start::Tail(lines) => Some(lines),
                _ => None,
            },
            previous: self.request.previous,
            follow: self.request.follow,
        };
        let previous = request.previous;
        let opened = LogSource { pod: target.pod, container, kind: ContainerKind::Ordinary, previous };
        let tell = self.tell.clone();
        let broken = tell.clone();
        let work = async move {
            let (events, mut lines) = mpsc::channel(LINES);
            let gather = async {
                let opened = vec![LogEvent::Opened(source, Arc::new(opened))];
                if tell.send(Message::Log(id, opened)).await.is_err() {
                    return;
                }
                let mut batch = Vec::new();
                while lines.recv_many(&mut batch, BATCH).await > 0 {
                    let events = batch.drain(..).map(|event| match event {
                        StreamEvent::Line(line) => LogEvent::Lines(source, vec![line]),
                        StreamEvent::Gap(words) => LogEvent::Gap(source, Gap::Waiting(words)),
                        StreamEvent::Ended(why) => LogEvent::Ended(source, End::Refused(why)),
                    });
                    if tell.send(Message::Log(id, events.collect())).await.is_err() {
                        return;
                    }
                }
            };
            tokio::join!(logs::follow(client, request, events), gather);
        };
        self.streams.spawn(guarded(work, move |reason| async move {
            let _ = broken.send(Message::Log(id, vec![LogEvent::Ended(source, End::Broken(reason))])).await;
        }));
    }
}
