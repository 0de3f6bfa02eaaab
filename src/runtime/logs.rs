//! Logs on the screen: a session of streams, and the way of what they bring to the loop.

use std::{sync::Arc, time::Duration};

use tokio::{sync::mpsc, task::AbortHandle, time::sleep};

use super::{dashboard::Options, work::guarded};
use crate::{
    app::message::{Message, StreamId},
    cluster::{
        self,
        logs::{Outlets, Overflow, Queue, Session},
    },
    model::log::{LogEvent, LogRequest, LogScope, LogTarget},
};

/// Bytes of lines that may wait for the loop; beyond, the oldest are given up and counted. Less where little is kept.
const WAITING: usize = 8 << 20;
/// Between looks at which pods a step has.
const STEP: Duration = Duration::from_secs(15);
/// Bytes told at once: the loop looks at keys in between.
const BATCH: usize = 128 << 10;

/// How much is followed and kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct LogLimits {
    /// Streams that may be open at once.
    streams: usize,
    /// Bytes that may wait for the loop.
    waiting: usize,
}

impl LogLimits {
    pub(super) fn of(options: &Options) -> Self {
        Self { streams: options.log_streams, waiting: WAITING.min(options.log_memory / 4) }
    }
}

/// Logs that are followed; to drop it ends them.
pub(super) struct Following {
    joins: mpsc::UnboundedSender<Vec<LogTarget>>,
    task: AbortHandle,
}

impl Following {
    pub(super) fn start(
        id: StreamId,
        request: LogRequest,
        targets: Vec<LogTarget>,
        session: &Arc<cluster::Session>,
        tell: &mpsc::Sender<Message>,
        limits: LogLimits,
    ) -> Self {
        let step = match &request.scope {
            LogScope::Step { app, step } => Some((app.clone(), step.clone())),
            _ => None,
        };
        let follow = request.follow;
        let (joins, joined) = mpsc::unbounded_channel();
        // The other end is at hand.
        let _ = joins.send(targets);
        let clusters = session.links().clusters();
        let clients = Arc::clone(session);
        let queue = Queue::new(limits.waiting, Overflow::Drop);
        let outlets = Outlets::Shared(queue.clone());
        let logs = Session::new(Arc::new(move |cluster| clients.client(cluster)), request, limits.streams, outlets);
        let (tell, broken) = (tell.clone(), tell.clone());
        let (of_step, found, missing) = (Arc::clone(session), joins.clone(), tell.clone());
        let find = async move {
            let Some((app, step)) = step else { return };
            match cluster::logs::of_step(of_step.hub(), &app, &step).await {
                Ok(targets) => drop(found.send(targets)),
                Err(error) => {
                    let _ = missing.send(Message::NoStepLog(id, error.message.into())).await;
                    return;
                }
            }
            while follow && !found.is_closed() {
                sleep(STEP).await;
                // Those that it has now join; that it cannot be asked for a while ends nothing.
                if let Ok(targets) = cluster::logs::of_step(of_step.hub(), &app, &step).await {
                    let _ = found.send(targets);
                }
            }
        };
        let work = async move {
            let pass_on = async {
                while let Some(events) = queue.take(BATCH).await {
                    if tell.send(Message::Log(id, events)).await.is_err() {
                        return;
                    }
                }
            };
            tokio::join!(logs.run(joined, clusters), pass_on, find);
        };
        let task = tokio::spawn(guarded(work, move |reason| async move {
            let _ = broken.send(Message::Log(id, vec![LogEvent::Unfound(None, reason)])).await;
        }));
        Self { joins, task: task.abort_handle() }
    }

    /// Follows these too.
    pub(super) fn join(&self, targets: Vec<LogTarget>) {
        // If the session is over, it was told why.
        let _ = self.joins.send(targets);
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.task.abort();
    }
}
