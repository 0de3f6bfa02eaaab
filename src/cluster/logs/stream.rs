//! One container's log, followed until it ends.
//!
//! Every way to end is told by [`LogEvent::Ended`]. In between the stream is opened again whenever it breaks, is silent
//! for long, or ends while its container runs: from the second of the last line on, and what was told is left out (see
//! [`Told`]). If the last line comes again, nothing was missed; if not, the kubelet has rotated it away, and
//! [`Gap::Resumed`] says so. When the container was started again after a break, the end of the instance before is read
//! from its own log. A line that a break cut is told when it comes again, and where it never does, cut.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures::{FutureExt as _, StreamExt as _};
use http::Response;
use http_body_util::BodyExt as _;
use jiff::{SignedDuration, Timestamp};
use kube::{Client, client::Body};
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout};

use super::{
    container::{Container, State},
    frame::Framer,
    line,
    queue::{Closed, Outlet},
    told::Told,
};
use crate::{
    cluster::{
        error::{Class, Error},
        request::{self, escape},
        watch::jitter_around,
    },
    model::{
        key::Text,
        log::{End, Exit, Gap, LogEvent, LogLine, LogSource, SourceId, Start, StreamState},
    },
};

/// The longest line that is told whole, in bytes.
const LINE_BYTES: usize = 64 * 1024;
/// Bytes that are read on, as far as they are there already, before what they bring is told.
const GATHERED: usize = 64 * 1024;
/// Time for the first byte of an answer. Kubelets take their time.
const OPEN: Duration = Duration::from_secs(30);
/// Time for a question about the pod.
const ASK: Duration = Duration::from_secs(5);
/// Silence after which the stream is opened anew: a connection that died silently looks just like a quiet container.
const QUIET: Duration = Duration::from_secs(60);
/// Between looks at a container that waits to start: from … to.
const STARTING: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(5));
/// Back-off while the cluster does not answer: from … to.
const BACK_OFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(10));
/// A stream that was open for so long was no failure.
const STEADY: Duration = Duration::from_secs(5);
/// Refusals of what was permitted before that are put down to a server that starts.
const DENIALS: u32 = 3;
/// Tries for a log that is not followed.
const TRIES: u32 = 3;

/// A stream to follow.
#[derive(Clone, Debug)]
pub(super) struct StreamRequest {
    pub(super) id: SourceId,
    pub(super) source: Arc<LogSource>,
    /// The pod's uid, where known.
    pub(super) uid: Text,
    /// Restarts of the container when it was looked at.
    pub(super) restarts: Option<u64>,
    pub(super) start: Start,
    pub(super) follow: bool,
}

/// Follows a log until it ends, or nobody listens any more. To stop it, drop the future.
pub(super) async fn follow(client: Client, request: StreamRequest, outlet: Outlet) {
    let id = request.id;
    let restarts = request.restarts;
    let mut follower = Follower {
        client,
        request,
        outlet,
        told: Told::new(),
        partial: None,
        broken: None,
        waiting: None,
        state: None,
        restarts,
        failures: 0,
        denials: 0,
        begun: Timestamp::now(),
        opened: None,
        over: false,
    };
    // An error means that nobody listens.
    if let Ok(end) = follower.run().await {
        let _ = follower.outlet.tell(LogEvent::Ended(id, end), false).await;
    }
}

/// A break in the stream that is not yet known to have cost lines.
struct Break {
    at: Timestamp,
    reason: String,
}

struct Follower {
    client: Client,
    request: StreamRequest,
    outlet: Outlet,
    told: Told,
    /// A line that had not ended when the stream did.
    partial: Option<Vec<u8>>,
    broken: Option<Break>,
    /// What the container was last said to wait for.
    waiting: Option<String>,
    state: Option<StreamState>,
    /// Restarts of the container when it was last looked at.
    restarts: Option<u64>,
    failures: u32,
    denials: u32,
    begun: Timestamp,
    /// When the stream was last opened: lines from before lie in a file.
    opened: Option<Timestamp>,
    /// The container was seen at its end, and its log is read once more.
    over: bool,
}

/// What is to be done after a stream has ended.
enum Next {
    /// Open it again.
    Again,
    /// Open it again after a pause.
    Later(Duration),
    /// It will not come back.
    End(End),
}

/// What some chunks brought.
#[derive(Default)]
struct Batch {
    events: Vec<LogEvent>,
    lines: Vec<LogLine>,
}

impl Follower {
    async fn run(&mut self) -> Result<End, Closed> {
        self.say(StreamState::Opening).await?;
        loop {
            match self.once().await? {
                Next::Again => {}
                Next::Later(pause) => self.pause(pause).await?,
                Next::End(end) => {
                    self.tell_partial().await?;
                    return Ok(end);
                }
            }
        }
    }

    /// Opens the log and reads it to its end.
    async fn once(&mut self) -> Result<Next, Closed> {
        let uri = self.uri(self.request.source.previous, self.request.follow);
        match request::within(OPEN, request::open(&self.client, &uri, "*/*", true)).await {
            Ok(response) => match self.read(response).await? {
                Ok(()) if !self.request.follow => Ok(Next::End(End::Read)),
                Ok(()) => {
                    // Read to the end of its file, and the last line was in it.
                    if self.told.is_contiguous() {
                        self.broken = None;
                    }
                    self.look("the stream ended").await
                }
                Err(error) if !self.request.follow => Ok(self.try_again(error)),
                Err(error) => {
                    self.breaks(&error.message);
                    self.look(&error.message).await
                }
            },
            Err(error) => self.refused(error).await,
        }
    }

    /// Tells the lines of an answer until it ends, breaks, or is silent for long.
    async fn read(&mut self, response: Response<Body>) -> Result<Result<(), Error>, Closed> {
        if self.opened.replace(Timestamp::now()).is_some() {
            self.told.reopened();
        }
        self.say(StreamState::Following).await?;
        let mut body = response.into_body().into_data_stream();
        let mut framer = Framer::new(LINE_BYTES);
        let quiet = if self.request.follow { QUIET } else { OPEN };
        let mut ahead = None;
        let begun = Instant::now();
        let ended = loop {
            let chunk = if let Some(chunk) = ahead.take() {
                chunk
            } else {
                let next = tokio::select! {
                    next = timeout(quiet, body.next()) => next,
                    () = self.outlet.closed() => return Err(Closed),
                };
                match next {
                    Ok(chunk) => chunk,
                    // The repeat of the last line, after reopening, proves that nothing was missed.
                    Err(_) => break Err(Error::new(Class::TimedOut, format!("silent for {} s", quiet.as_secs()))),
                }
            };
            let chunk: Bytes = match chunk {
                None => break Ok(()),
                Some(Err(error)) => break Err(Error { sent: true, ..Error::from_kube(&error) }),
                Some(Ok(chunk)) => chunk,
            };
            let mut batch = Batch::default();
            let mut size = chunk.len();
            self.take(&mut framer, &chunk, &mut batch);
            // What is there already goes along.
            while size < GATHERED
                && let Some(more) = body.next().now_or_never()
            {
                let Some(Ok(chunk)) = more else {
                    ahead = Some(more);
                    break;
                };
                size += chunk.len();
                self.take(&mut framer, &chunk, &mut batch);
            }
            self.send(batch).await?;
        };
        if begun.elapsed() > STEADY {
            self.failures = 0;
        }
        if let Some(rest) = framer.finish()
            && self.told.is_caught_up()
        {
            self.partial = Some(rest);
        }
        Ok(ended)
    }

    /// Takes a chunk's lines in.
    fn take(&mut self, framer: &mut Framer, chunk: &[u8], batch: &mut Batch) {
        framer.push(chunk, |bytes, cut| self.take_line(bytes, cut, batch));
    }

    fn take_line(&mut self, bytes: &[u8], cut: bool, batch: &mut Batch) {
        let (time, text) = if cut { line::split_cut(bytes) } else { line::split(bytes) };
        let before = self.told.any().then(|| self.told.last());
        if !self.told.is_new(time, bytes) {
            return;
        }
        // What is only told again is no sign of health: a stream that ends at once, again and again, is asked for more
        // slowly.
        self.failures = 0;
        self.denials = 0;
        self.waiting = None;
        self.partial = None;
        if let Some(broken) = self.broken.take()
            && let Some(last) = before
            && !self.told.is_contiguous()
        {
            self.told.settled();
            let id = self.request.id;
            batch.flush(id);
            batch.events.push(LogEvent::Gap(id, resumed(&broken, last, time)));
        }
        batch.lines.push(LogLine { time, text: line::harmless(text, cut).into(), cut });
    }

    async fn send(&self, mut batch: Batch) -> Result<(), Closed> {
        // What was written before the log was opened can be had later just as well.
        let last = batch.lines.last().and_then(|line| line.time);
        let waits = last.zip(self.opened).is_some_and(|(last, opened)| last < opened);
        batch.flush(self.request.id);
        for event in batch.events {
            self.outlet.tell(event, waits).await?;
        }
        Ok(())
    }

    /// Tells a line that never ended.
    async fn tell_partial(&mut self) -> Result<(), Closed> {
        let Some(bytes) = self.partial.take() else { return Ok(()) };
        let cut = self.broken.is_some();
        let mut batch = Batch::default();
        // What may be missing, if anything, is behind it.
        let broken = self.broken.take();
        self.take_line(&bytes, cut, &mut batch);
        self.broken = broken;
        self.send(batch).await
    }

    /// Looks at the pod after its stream ended: whether more may come.
    async fn look(&mut self, reason: &str) -> Result<Next, Closed> {
        if self.request.source.previous {
            return Ok(if self.broken.is_some() { Next::Later(self.back_off()) } else { Next::End(End::Read) });
        }
        let pod = match self.pod().await {
            Ok(pod) => pod,
            Err(error) => {
                if let Some(end) = lost(&error) {
                    return Ok(Next::End(end));
                }
                // Logs without pods is a rare role; then only the stream itself can tell.
                let why = if error.class == Class::Forbidden { reason } else { &error.message };
                self.breaks(why);
                return self.later(why).await;
            }
        };
        let container = Container::of(&pod, &self.request.source.container);
        let restarted = self.restarted(&container).await?;
        Ok(match container.state {
            State::Running => {
                self.over = false;
                // An end while it runs is a cut connection, or a kubelet that lost its file.
                if !restarted {
                    self.breaks(reason);
                }
                self.failures += 1;
                if self.failures > 1 { self.later(reason).await? } else { Next::Again }
            }
            State::Ended(_) if restarted && !self.over => {
                self.over = true;
                Next::Again
            }
            // What broke may have cost its last lines.
            State::Ended(_) if self.broken.is_some() && !self.over => {
                self.over = true;
                Next::Again
            }
            State::Ended(end) => Next::End(end),
            State::Restarting(_) if restarted => Next::Again,
            // Its last lines can still be had.
            State::Restarting(_) if self.broken.is_some() && !self.over => {
                self.over = true;
                Next::Again
            }
            State::Restarting(why) => self.wait(why).await?,
        })
    }

    /// Says that the container was started again, if it was, after what is left of the instance before.
    async fn restarted(&mut self, container: &Container) -> Result<bool, Closed> {
        let times = self.restarts.zip(container.restarts).map_or(0, |(before, now)| now.saturating_sub(before));
        self.restarts = container.restarts.or(self.restarts);
        if times == 0 {
            return Ok(false);
        }
        let broke = self.broken.take().is_some();
        let mut skipped = false;
        if times > 1 {
            // Of those in between, the last is the one that can still be read.
            self.tell_partial().await?;
            skipped = broke || times > 2;
            let gap = Gap::Restarted { times: times - 1, exit: None, missing: skipped };
            self.outlet.tell(LogEvent::Gap(self.request.id, gap), false).await?;
        }
        if broke || times > 1 {
            self.read_previous(!skipped).await?;
        }
        self.broken = None;
        self.tell_partial().await?;
        let exit: Option<Exit> = container.last_exit.clone();
        let gap = Gap::Restarted { times: 1, exit, missing: false };
        self.outlet.tell(LogEvent::Gap(self.request.id, gap), false).await?;
        Ok(true)
    }

    /// Reads the log of the instance before the last restart, as far as it was not told.
    async fn read_previous(&mut self, say: bool) -> Result<(), Closed> {
        let uri = self.uri(true, false);
        let why = match request::within(OPEN, request::open(&self.client, &uri, "*/*", true)).await {
            Ok(response) => match self.read(response).await? {
                Ok(()) => return self.tell_partial().await,
                Err(error) => error.message,
            },
            Err(error) => error.message,
        };
        self.tell_partial().await?;
        if say {
            self.outlet.tell(LogEvent::Gap(self.request.id, Gap::Unread(why.into())), false).await?;
        }
        Ok(())
    }

    /// What an answer other than a stream means.
    async fn refused(&mut self, error: Error) -> Result<Next, Closed> {
        if let Some(end) = lost(&error) {
            return Ok(Next::End(end));
        }
        match error.class {
            // A container that is still to start, or starts again.
            Class::Invalid if is_to_start(&error.message) => self.wait(error.message).await,
            Class::Invalid => Ok(Next::End(End::Refused(error.message.into()))),
            Class::Forbidden | Class::Unauthorized => {
                self.denials += 1;
                if self.opened.is_none() || self.denials > DENIALS || !self.request.follow {
                    return Ok(Next::End(End::Denied(error.message.into())));
                }
                self.breaks(&error.message);
                self.later(&error.message).await
            }
            _ if !self.request.follow => Ok(self.try_again(error)),
            // Neither the pod's nor the cluster's, so a proxy's on the way: the pod itself can tell.
            Class::NotFound if self.failures == 0 => {
                self.failures += 1;
                self.breaks(&error.message);
                self.look(&error.message).await
            }
            _ => {
                self.breaks(&error.message);
                self.later(&error.message).await
            }
        }
    }

    /// Waits until the container may have something to say.
    async fn wait(&mut self, why: String) -> Result<Next, Closed> {
        if !self.request.follow {
            return Ok(Next::End(End::Refused(why.into())));
        }
        self.tell_partial().await?;
        if self.waiting.as_ref() != Some(&why) {
            self.waiting = Some(why.clone());
            self.outlet.tell(LogEvent::Gap(self.request.id, Gap::Waiting(why.clone().into())), false).await?;
        }
        self.say(StreamState::Waiting(why.into())).await?;
        let mut pause = STARTING.0;
        loop {
            self.pause(jitter_around(pause)).await?;
            pause = (pause * 5 / 4).min(STARTING.1);
            let pod = match self.pod().await {
                Ok(pod) => pod,
                Err(error) => {
                    if let Some(end) = lost(&error) {
                        return Ok(Next::End(end));
                    }
                    // The log itself may tell.
                    return Ok(Next::Again);
                }
            };
            let container = Container::of(&pod, &self.request.source.container);
            if self.restarted(&container).await? {
                return Ok(Next::Again);
            }
            match container.state {
                State::Running => {
                    self.over = false;
                    return Ok(Next::Again);
                }
                State::Ended(end) if self.over => return Ok(Next::End(end)),
                State::Ended(_) => {
                    // It may have run meanwhile.
                    self.over = true;
                    return Ok(Next::Again);
                }
                State::Restarting(why) => self.say(StreamState::Waiting(why.into())).await?,
            }
        }
    }

    /// The pod, if it is still the same.
    async fn pod(&self) -> Result<Value, Error> {
        let pod = &self.request.source.pod;
        let uri = format!("/api/v1/namespaces/{}/pods/{}", pod.namespace, pod.name);
        let object: Value = request::get_json(&self.client, &uri, ASK).await?;
        let uid = object.pointer("/metadata/uid").and_then(Value::as_str).unwrap_or_default();
        if !self.request.uid.is_empty() && !uid.is_empty() && uid != &*self.request.uid {
            return Err(Error::new(Class::NotFound, format!("pods \"{}\" is another one now", pod.name)));
        }
        Ok(object)
    }

    /// Remembers the first moment and cause of a break.
    fn breaks(&mut self, reason: &str) {
        self.broken.get_or_insert_with(|| Break { at: Timestamp::now(), reason: reason.to_owned() });
    }

    async fn later(&mut self, why: &str) -> Result<Next, Closed> {
        self.say(StreamState::Broken(why.into())).await?;
        Ok(Next::Later(self.back_off()))
    }

    fn try_again(&mut self, error: Error) -> Next {
        self.breaks(&error.message);
        self.failures += 1;
        if self.failures >= TRIES { Next::End(End::Failed(error.message.into())) } else { Next::Later(self.back_off()) }
    }

    fn back_off(&mut self) -> Duration {
        let (from, to) = BACK_OFF;
        let pause = jitter_around((from * 2u32.saturating_pow(self.failures.saturating_sub(1).min(6))).min(to));
        self.failures += 1;
        pause
    }

    async fn pause(&self, pause: Duration) -> Result<(), Closed> {
        tokio::select! {
            () = sleep(pause) => Ok(()),
            () = self.outlet.closed() => Err(Closed),
        }
    }

    /// Tells how the stream stands, if that is news.
    async fn say(&mut self, state: StreamState) -> Result<(), Closed> {
        if self.state.as_ref() == Some(&state) {
            return Ok(());
        }
        self.state = Some(state.clone());
        self.outlet.tell(LogEvent::State(self.request.id, state), false).await
    }

    fn uri(&self, previous: bool, follow: bool) -> String {
        let LogSource { pod, container, .. } = &*self.request.source;
        let mut uri = format!("/api/v1/namespaces/{}/pods/{}/log?timestamps=true", pod.namespace, pod.name);
        if !container.is_empty() {
            uri.push_str("&container=");
            uri.push_str(&escape(container));
        }
        if follow {
            uri.push_str("&follow=true");
        }
        if previous {
            uri.push_str("&previous=true");
        }
        let whole = |time: Timestamp| Timestamp::from_second(time.as_second()).unwrap_or(time).to_string();
        let (name, value) = match (self.told.since(), self.request.start) {
            (Some(since), _) => ("sinceTime", escape(&since.to_string())),
            (None, Start::Tail(lines)) => ("tailLines", lines.to_string()),
            (None, Start::Since(ago)) => {
                // As long ago as when it was asked for.
                let passed = Timestamp::now().duration_since(self.begun);
                let seconds = ago.saturating_add(passed).max(SignedDuration::from_secs(1)).as_secs();
                ("sinceSeconds", seconds.to_string())
            }
            (None, Start::SinceTime(time)) => ("sinceTime", escape(&whole(time))),
            (None, Start::Head | Start::All) => return uri,
        };
        uri.push('&');
        uri.push_str(name);
        uri.push('=');
        uri.push_str(&value);
        uri
    }
}

impl Batch {
    fn flush(&mut self, id: SourceId) {
        if !self.lines.is_empty() {
            self.events.push(LogEvent::Lines(id, std::mem::take(&mut self.lines)));
        }
    }
}

/// The lines between the last that was told and the first that came may be missing.
fn resumed(broken: &Break, last: Option<Timestamp>, first: Option<Timestamp>) -> Gap {
    let now = Timestamp::now();
    let between = last.zip(first).map(|(last, first)| first.duration_since(last).as_secs()).filter(|gap| *gap >= 0);
    let missing = between.unwrap_or_else(|| now.duration_since(broken.at).as_secs()).max(1);
    Gap::Resumed { at: now, missing: missing.unsigned_abs(), reason: broken.reason.as_str().into() }
}

/// Whether there is nobody left to ask, and why.
fn lost(error: &Error) -> Option<End> {
    let says = |words: &str| error.message.contains(words);
    match error.class {
        Class::NotFound if says("pods \"") => Some(End::PodDeleted),
        Class::NotFound if says("clustergateway") || says("virtualcluster") => Some(End::ClusterLost),
        Class::Unreachable if says("no such cluster") => Some(End::ClusterLost),
        _ => None,
    }
}

/// Whether a refusal means that the container does not run yet.
fn is_to_start(message: &str) -> bool {
    const WORDS: [&str; 6] = [
        "waiting to start",
        "ContainerCreating",
        "PodInitializing",
        "is not running",
        "not yet",
        "have a host assigned",
    ];
    WORDS.iter().any(|word| message.contains(word))
}

#[cfg(test)]
mod tests;
