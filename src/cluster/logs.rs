//! A pod's log, followed: reconnects where it breaks, drops what it has told already, says where lines may be missing.
//!
//! The API takes `sinceTime` in whole seconds, while the kubelet's own times have nanoseconds: after a break the log is
//! asked for from the last line's second on, and what is not later than that line is dropped. If that line is among
//! what comes, nothing was missed; if not, the stream says so.

use std::time::Duration;

use bytes::Bytes;
use futures::Stream;
use jiff::{Timestamp, Zoned};
use kube::Client;
use serde_json::Value;
use tokio::{
    sync::mpsc,
    time::{sleep, timeout},
};

use super::{
    error::{Class, Error},
    lines::{self, Lines},
    request::{self, escape},
    watch::jitter_around,
};
use crate::model::{
    key::{PodKey, Text},
    log::LogLine,
};

mod container;
mod line;

use container::{Container, State};
use line::parse;

/// One log to follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamRequest {
    /// The pod.
    pub pod: PodKey,
    /// The container; empty: the only one, or the server's default.
    pub container: Text,
    /// Lines before now to begin with.
    pub tail: Option<u32>,
    /// The terminated instance instead of the running one.
    pub previous: bool,
    /// Whether to stay for what comes.
    pub follow: bool,
}

/// Why a log that is not followed ends when it has been read whole.
pub const END_OF_LOG: &str = "end of the log";

/// What a log stream brings.
#[derive(Clone, Debug, PartialEq)]
pub enum StreamEvent {
    /// A line.
    Line(LogLine),
    /// Lines may be missing here; said in the stream, in words.
    Gap(Text),
    /// The stream ended, and will not come back: why ("completed", "pod deleted").
    Ended(Text),
}

/// The longest line that is told whole, in bytes.
const LINE_BYTES: usize = 64 * 1024;
/// Time for the first byte of an answer. Kubelets take their time.
const OPEN: Duration = Duration::from_secs(30);
/// Time for a question about the pod.
const ASK: Duration = Duration::from_secs(5);
/// Silence after which the stream is opened anew: a connection that died silently looks just like a quiet container.
const QUIET: Duration = Duration::from_secs(60);
/// Between looks at a container that waits to start.
const STARTING: Duration = Duration::from_secs(1);
/// Back-off while the cluster does not answer: from … to.
const BACK_OFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(10));

/// Follows a log until it ends, or nobody listens any more. Every way to end is told by [`StreamEvent::Ended`]. To stop
/// it, drop the future.
pub async fn follow(client: Client, request: StreamRequest, events: mpsc::Sender<StreamEvent>) {
    let mut follower = Follower {
        client,
        request,
        events,
        last: None,
        same: 0,
        broken: None,
        waiting: None,
        restarts: None,
        failures: 0,
    };
    // An error means that nobody listens.
    if let Ok(why) = follower.run().await {
        let _ = follower.events.send(StreamEvent::Ended(why.into())).await;
    }
}

/// Nobody listens any more.
struct Closed;

/// A break in the stream that is not yet known to have cost lines.
struct Break {
    at: Timestamp,
    reason: String,
}

struct Follower {
    client: Client,
    request: StreamRequest,
    events: mpsc::Sender<StreamEvent>,
    /// The time of the last line told, and how many lines had it.
    last: Option<Timestamp>,
    same: u32,
    broken: Option<Break>,
    /// What the container was last said to wait for.
    waiting: Option<String>,
    /// Restarts of the container when it was last looked at.
    restarts: Option<u64>,
    failures: u32,
}

/// What is to be done after a stream has ended.
enum Next {
    /// Open it again.
    Again,
    /// Open it again after a pause.
    Later(Duration),
    /// It will not come back.
    End(String),
}

impl Follower {
    async fn run(&mut self) -> Result<String, Closed> {
        loop {
            let uri = self.uri();
            let opened = request::within(OPEN, request::open(&self.client, &uri, "*/*", true)).await;
            let next = match opened {
                Ok(response) => {
                    let mut lines = lines::of(response, LINE_BYTES);
                    let ended = self.read(&mut lines).await?;
                    drop(lines);
                    match ended {
                        Ok(()) if !self.request.follow => Next::End(END_OF_LOG.into()),
                        Ok(()) => self.look("the stream ended").await?,
                        Err(error) => {
                            self.breaks(&error.message);
                            self.look(&error.message).await?
                        }
                    }
                }
                Err(error) => self.refused(error).await?,
            };
            match next {
                Next::Again => {}
                Next::Later(pause) => {
                    tokio::select! {
                        () = sleep(pause) => {}
                        () = self.events.closed() => return Err(Closed),
                    }
                }
                Next::End(why) => return Ok(why),
            }
        }
    }

    /// Tells the lines of a stream until it ends, breaks, or is silent for long.
    async fn read<S>(&mut self, lines: &mut Lines<S>) -> Result<Result<(), Error>, Closed>
    where
        S: Stream<Item = Result<Bytes, Error>> + Unpin,
    {
        // Of the lines that have the last one's time, those told already come first again.
        let mut repeats = self.same;
        let mut overlap = false;
        let resumed = self.last;
        loop {
            let quiet = if self.request.follow { QUIET } else { OPEN };
            let line = tokio::select! {
                line = timeout(quiet, lines.next()) => line,
                () = self.events.closed() => return Err(Closed),
            };
            let line = match line {
                // The repeat of the last line, after reopening, proves that nothing was missed.
                Err(_) => return Ok(Err(Error::new(Class::TimedOut, format!("silent for {} s", quiet.as_secs())))),
                Ok(Err(error)) => return Ok(Err(error)),
                Ok(Ok(None)) => return Ok(Ok(())),
                Ok(Ok(Some(line))) => line,
            };
            self.failures = 0;
            self.waiting = None;
            let line = parse(&line);
            if let (Some(last), Some(time)) = (resumed, line.time) {
                if time < last {
                    overlap = true;
                    continue;
                }
                if time == last && repeats > 0 {
                    overlap = true;
                    repeats -= 1;
                    continue;
                }
            }
            if let Some(broken) = self.broken.take()
                && resumed.is_some()
                && !overlap
            {
                self.tell(StreamEvent::Gap(resumed_words(&broken).into())).await?;
            }
            if line.time.is_some() {
                self.same = if line.time == self.last { self.same + 1 } else { 1 };
                self.last = line.time;
            }
            self.tell(StreamEvent::Line(line)).await?;
        }
    }

    /// Looks at the pod after its stream ended: whether more may come.
    async fn look(&mut self, reason: &str) -> Result<Next, Closed> {
        if self.request.previous {
            return Ok(Next::End("end of the previous instance's log".into()));
        }
        let pod = &self.request.pod;
        let uri = format!("/api/v1/namespaces/{}/pods/{}", pod.namespace, pod.name);
        let object: Value = match request::get_json(&self.client, &uri, ASK).await {
            Ok(object) => object,
            Err(error) if error.class == Class::NotFound => return Ok(Next::End("pod deleted".into())),
            Err(error) if error.class == Class::Forbidden => {
                // Logs without pods is a rare role; then only the stream itself can tell.
                self.breaks(reason);
                return Ok(Next::Later(self.back_off()));
            }
            Err(error) => {
                self.breaks(&error.message);
                return Ok(Next::Later(self.back_off()));
            }
        };
        let container = Container::of(&object, &self.request.container);
        let restarted = self.restarts.zip(container.restarts).is_some_and(|(before, now)| now > before);
        self.restarts = container.restarts.or(self.restarts);
        if restarted {
            let why = container.last_exit.unwrap_or_default();
            self.tell(StreamEvent::Gap(format!("container restarted{why}").into())).await?;
            self.broken = None;
        }
        Ok(match container.state {
            State::Running => {
                // An end while it runs is a cut connection, or the kubelet's rotation.
                if !restarted {
                    self.breaks(reason);
                }
                if self.failures > 0 { Next::Later(self.back_off()) } else { self.again() }
            }
            State::Ended(why) => Next::End(why),
            State::Restarting(why) => self.wait(why).await?,
        })
    }

    /// What an answer other than a stream means.
    async fn refused(&mut self, error: Error) -> Result<Next, Closed> {
        Ok(match error.class {
            Class::NotFound => Next::End(if self.last.is_some() { "pod deleted".into() } else { error.message }),
            // A container that is still to start, or starts again.
            Class::Invalid
                if ["waiting to start", "ContainerCreating", "PodInitializing", "is not running", "not yet"]
                    .iter()
                    .any(|word| error.message.contains(word)) =>
            {
                self.wait(error.message).await?
            }
            Class::Forbidden | Class::Invalid | Class::Unauthorized => Next::End(error.message),
            _ => {
                self.breaks(&error.message);
                Next::Later(self.back_off())
            }
        })
    }

    async fn wait(&mut self, why: String) -> Result<Next, Closed> {
        if !self.request.follow {
            return Ok(Next::End(why));
        }
        if self.waiting.as_ref() != Some(&why) {
            self.waiting = Some(why.clone());
            self.tell(StreamEvent::Gap(format!("waiting: {why}").into())).await?;
        }
        Ok(Next::Later(STARTING))
    }

    /// Remembers the first moment and cause of a break.
    fn breaks(&mut self, reason: &str) {
        self.broken.get_or_insert_with(|| Break { at: Timestamp::now(), reason: reason.to_owned() });
    }

    fn again(&mut self) -> Next {
        // A stream that ends at once, again and again, is asked for more slowly.
        self.failures += 1;
        Next::Again
    }

    fn back_off(&mut self) -> Duration {
        let (from, to) = BACK_OFF;
        let pause = jitter_around((from * 2u32.saturating_pow(self.failures.min(6))).min(to));
        self.failures += 1;
        pause
    }

    async fn tell(&self, event: StreamEvent) -> Result<(), Closed> {
        self.events.send(event).await.map_err(|_| Closed)
    }

    fn uri(&self) -> String {
        let StreamRequest { pod, container, tail, previous, follow } = &self.request;
        let mut uri = format!("/api/v1/namespaces/{}/pods/{}/log?timestamps=true", pod.namespace, pod.name);
        if !container.is_empty() {
            uri.push_str("&container=");
            uri.push_str(&escape(container));
        }
        if *follow {
            uri.push_str("&follow=true");
        }
        if *previous {
            uri.push_str("&previous=true");
        }
        match (self.last, tail) {
            (Some(last), _) => {
                let second = Timestamp::from_second(last.as_second()).unwrap_or(last);
                uri.push_str("&sinceTime=");
                uri.push_str(&escape(&second.to_string()));
            }
            (None, Some(tail)) => {
                uri.push_str("&tailLines=");
                uri.push_str(&tail.to_string());
            }
            (None, None) => {}
        }
        uri
    }
}

/// "resumed 10:41:19, 12 s may be missing (connection refused)".
fn resumed_words(broken: &Break) -> String {
    let now = Timestamp::now();
    let missing = now.as_second().saturating_sub(broken.at.as_second()).max(1);
    let time = Zoned::new(now, jiff::tz::TimeZone::system()).strftime("%H:%M:%S").to_string();
    format!("resumed {time}, {missing} s may be missing ({})", broken.reason)
}
