//! `pods/NAME/log`.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::sync::watch;

use super::speech::Speech;
use crate::demo::api::{self, Answer, Call};
use crate::demo::clock;
use crate::demo::kinds;
use crate::demo::status::Status;
use crate::demo::store::Key;
use crate::demo::world::Cluster;

/// Lines a container's log keeps before the kubelet rotates it away.
const KEPT: u64 = 10_000;
/// Lines put in by hand that are kept for one pod.
const KEPT_BY_HAND: usize = 1000;
/// Lines sent at once.
const AT_ONCE: usize = 512;
/// Between sends of a container that says very much.
const BUNCH: Duration = Duration::from_millis(5);

type Lines = VecDeque<(Timestamp, String)>;

/// Lines that were put into pods' logs from outside.
#[derive(Debug)]
pub(crate) struct Appended {
    lines: Mutex<HashMap<Box<str>, Lines>>,
    changed: watch::Sender<()>,
}

impl Default for Appended {
    fn default() -> Self {
        Self { lines: Mutex::default(), changed: watch::Sender::new(()) }
    }
}

impl Appended {
    /// Adds a line to the log of the pod with this uid, now.
    pub(crate) fn push(&self, uid: &str, text: &str) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = lines.entry(uid.into()).or_default();
        lines.push_back((Timestamp::now(), text.to_owned()));
        if lines.len() > KEPT_BY_HAND {
            lines.pop_front();
        }
        self.changed.send_replace(());
    }

    /// The lines in `(after, until]`.
    fn between(&self, uid: &str, after: Timestamp, until: Timestamp) -> Vec<(Timestamp, String)> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = lines.get(uid).into_iter().flatten();
        lines.filter(|(time, _)| *time > after && *time <= until).cloned().collect()
    }
}

/// What a request for a log asks.
struct Request {
    container: String,
    previous: bool,
    follow: bool,
    timestamps: bool,
    tail: Option<usize>,
    since: Option<Timestamp>,
    limit: Option<usize>,
}

/// Answers with what there is, and if asked to follow with what comes, until the container or the client ends.
pub(crate) fn answer(call: &Call, target: &api::Target) -> Result<Answer, Status> {
    let key = target.key();
    let object =
        call.cluster.store.get(target.kind, &key).ok_or_else(|| Status::not_found(target.kind, &target.name))?;
    let query = &call.query;
    let since_seconds = query.number::<i64>("sinceSeconds")?;
    let since_time = match query.get("sinceTime") {
        "" => None,
        time => Some(time.parse::<Timestamp>().map_err(|_| {
            Status::bad_request(format!("parsing time \"{time}\" as \"2006-01-02T15:04:05Z07:00\": cannot parse"))
        })?),
    };
    if since_seconds.is_some() && since_time.is_some() {
        return Err(Status::bad_request("at most one of `sinceTime` or `sinceSeconds` may be specified"));
    }
    if since_seconds.is_some_and(|seconds| seconds < 1) {
        return Err(Status::bad_request("sinceSeconds: Invalid value: must be greater than 0"));
    }
    let now = Timestamp::now();
    let ago = |seconds| now.saturating_sub(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MIN);
    let request = Request {
        container: query.get("container").to_owned(),
        previous: query.flag("previous"),
        follow: query.flag("follow"),
        timestamps: query.flag("timestamps"),
        tail: query.number("tailLines")?,
        since: since_time.or(since_seconds.map(ago)),
        limit: query.number("limitBytes")?,
    };
    let pod = object.value(target.kind);
    super::check_scheduled(&pod)?;
    let rate = call.world.options.log_rate * call.world.options.speed;
    let speech = find(&pod, &request.container, request.previous, rate)?;
    let follower = Follower {
        appended: call.cluster.appended.changed.subscribe(),
        pods: call.cluster.store.changes(target.kind),
        cluster: Arc::clone(&call.cluster),
        uid: object.uid.clone(),
        left: request.limit.unwrap_or(usize::MAX),
        // History first: all until now, as much of it as was asked for.
        until: Timestamp::MIN,
        rest: Vec::new(),
        over: false,
        key,
        request,
        speech,
        rate,
        asked: Timestamp::now(),
    };
    let pieces = stream::unfold(follower, |mut follower| async move {
        follower.next().await.map(|piece| (Ok::<_, io::Error>(piece), follower))
    });
    Ok(api::with_body(StatusCode::OK, "text/plain", api::stream(pieces)))
}

/// The run of the container that was asked for, or the kubelet's refusal.
fn find(pod: &Value, container: &str, previous: bool, rate: f64) -> Result<Speech, Status> {
    let container = super::choose(pod, container)?;
    let pod_name = pod["metadata"]["name"].as_str().unwrap_or_default();
    let name = container.name;
    let (state, last) = (&container.status["state"], &container.status["lastState"]["terminated"]);
    let waits =
        |why: &str| Status::bad_request(format!("container \"{name}\" in pod \"{pod_name}\" is waiting to start{why}"));
    let restarts = container.status["restartCount"].as_i64().unwrap_or(0);
    let (run, number) = if previous {
        if last.is_null() {
            let message = format!("previous terminated container \"{name}\" in pod \"{pod_name}\" not found");
            return Err(Status::bad_request(message));
        }
        (last, restarts - 1)
    } else if state["running"].is_object() {
        (&state["running"], restarts)
    } else if state["terminated"].is_object() {
        (&state["terminated"], restarts)
    } else if last.is_object() {
        (last, restarts - 1)
    } else {
        return Err(match state["waiting"]["reason"].as_str() {
            Some("ErrImagePull") => waits(": image can't be pulled"),
            Some("ImagePullBackOff") => waits(": trying and failing to pull image"),
            Some(reason) => waits(&format!(": {reason}")),
            None => waits(" - no logs yet"),
        });
    };
    let time = |field: &str| run[field].as_str().and_then(|time| time.parse::<Timestamp>().ok());
    let created = pod["metadata"]["creationTimestamp"].as_str().and_then(|time| time.parse().ok());
    let started = time("startedAt").or(created).unwrap_or_else(Timestamp::now);
    let ended = time("finishedAt").map(|end| (end, run["exitCode"].as_i64().unwrap_or(0)));
    let identity = format!("{}/{name}/{number}", pod["metadata"]["uid"].as_str().unwrap_or_default());
    let image = container.spec["image"].as_str().unwrap_or_default();
    Ok(Speech::new(pod_name, &identity, image, started, ended, rate))
}

struct Follower {
    cluster: Arc<Cluster>,
    key: Key,
    uid: Box<str>,
    request: Request,
    speech: Speech,
    rate: f64,
    /// When it was asked for: what is not followed ends here, or a tail would grow while it is read.
    asked: Timestamp,
    appended: watch::Receiver<()>,
    pods: watch::Receiver<()>,
    /// All lines up to here were sent.
    until: Timestamp,
    /// The end of the last line, still to be sent: as with a kubelet, what is sent at once need not end with a line, and
    /// where a connection is cut a line may be.
    rest: Vec<u8>,
    /// Bytes that may still be sent.
    left: usize,
    over: bool,
}

impl Follower {
    async fn next(&mut self) -> Option<Bytes> {
        while !self.over && self.left > 0 {
            self.appended.borrow_and_update();
            let lines = self.lines(if self.request.follow { Timestamp::now() } else { self.asked });
            if !lines.is_empty() {
                return Some(self.write(&lines));
            }
            if !self.request.follow || self.speech.ended.is_some() {
                break;
            }
            self.wait().await;
        }
        (!self.rest.is_empty()).then(|| Bytes::from(std::mem::take(&mut self.rest)))
    }

    /// What was said since the last time, oldest first.
    fn lines(&mut self, now: Timestamp) -> Vec<(Timestamp, String)> {
        let history = self.until == Timestamp::MIN;
        let count = self.speech.count(now);
        let mut from = if history { count.saturating_sub(KEPT) } else { self.speech.first_after(self.until) };
        if let (true, Some(since)) = (history, self.request.since) {
            from =
                from.max(self.speech.first_after(since.saturating_sub(SignedDuration::from_nanos(1)).unwrap_or(since)));
        }
        if let (true, Some(tail)) = (history, self.request.tail) {
            from = from.max(count.saturating_sub(tail as u64));
        }
        let mut lines: Vec<(Timestamp, String)> = (from..count)
            .take(if history { usize::MAX } else { AT_ONCE })
            .map(|number| (self.speech.said(number), self.speech.line(number)))
            .collect();
        // Where there is more than goes at once, the rest is for the next time.
        let until = if from + (lines.len() as u64) < count { lines.last().map_or(now, |(time, _)| *time) } else { now };
        if !self.request.previous {
            let after = if history { self.request.since.unwrap_or(Timestamp::MIN) } else { self.until };
            lines.extend(self.cluster.appended.between(&self.uid, after, until));
            lines.sort_by_key(|(time, _)| *time);
        }
        if let (true, Some(tail)) = (history, self.request.tail) {
            lines.drain(..lines.len().saturating_sub(tail));
        }
        self.until = until;
        lines
    }

    fn write(&mut self, lines: &[(Timestamp, String)]) -> Bytes {
        let mut out = std::mem::take(&mut self.rest);
        let carried = out.len();
        for (time, line) in lines {
            if self.request.timestamps {
                out.extend_from_slice(clock::rfc3339_nano(*time).as_bytes());
                out.push(b' ');
            }
            out.extend_from_slice(line.as_bytes());
            out.push(b'\n');
        }
        out.truncate(carried + self.left);
        self.left -= out.len() - carried;
        if self.speech.is_fast() && self.request.follow {
            let last = lines.last().map_or(0, |(_, line)| line.len() / 2);
            self.rest = out.split_off(out.len().saturating_sub(last));
        }
        Bytes::from(out)
    }

    /// Until something may have been said, or the container ended.
    async fn wait(&mut self) {
        let next = self.speech.time(self.speech.first_after(self.until));
        let pause = Duration::try_from(next.duration_since(Timestamp::now())).unwrap_or_default();
        let pause = if self.speech.is_fast() { pause.max(BUNCH) } else { pause };
        tokio::select! {
            () = tokio::time::sleep(pause + Duration::from_millis(1)) => {}
            _ = self.appended.changed() => {}
            changed = self.pods.changed() => {
                self.pods.borrow_and_update();
                self.over |= changed.is_err();
                self.look();
            }
        }
    }

    /// Looks whether the container that is followed still runs.
    fn look(&mut self) {
        let kind = kinds::core("pods");
        let Some(object) = self.cluster.store.get(kind, &self.key).filter(|object| object.uid == self.uid) else {
            self.over = true;
            return;
        };
        let pod = object.value(kind);
        let found = |previous| {
            let found = find(&pod, &self.request.container, previous, self.rate);
            found.ok().filter(|speech| speech.is_same_run(&self.speech))
        };
        // The same run, possibly at its end by now; or one that has ended since, whose last lines are still to be sent.
        match found(self.request.previous).or_else(|| found(true)) {
            Some(speech) => self.speech = speech,
            None => self.over = true,
        }
    }
}
