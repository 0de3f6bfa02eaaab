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
    lines::{self, Line, Lines},
    request::{self, escape},
    watch::jitter_around,
};
use crate::model::{
    log::{LogEvent, LogLine, LogRequest},
    text::printable,
};

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

/// Follows a log until it ends, or nobody listens any more. Every way to end is told by [`LogEvent::Ended`]. To stop
/// it, drop the future.
pub async fn follow(client: Client, request: LogRequest, events: mpsc::Sender<LogEvent>) {
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
        let _ = follower.events.send(LogEvent::Ended(why.into())).await;
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
    request: LogRequest,
    events: mpsc::Sender<LogEvent>,
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
                        Ok(()) if !self.request.follow => Next::End("end of the log".into()),
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
                self.tell(LogEvent::Gap(resumed_words(&broken).into())).await?;
            }
            if line.time.is_some() {
                self.same = if line.time == self.last { self.same + 1 } else { 1 };
                self.last = line.time;
            }
            self.tell(LogEvent::Line(line)).await?;
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
            self.tell(LogEvent::Gap(format!("container restarted{why}").into())).await?;
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
            self.tell(LogEvent::Gap(format!("waiting: {why}").into())).await?;
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

    async fn tell(&self, event: LogEvent) -> Result<(), Closed> {
        self.events.send(event).await.map_err(|_| Closed)
    }

    fn uri(&self) -> String {
        let LogRequest { pod, container, tail, previous, follow } = &self.request;
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

/// "2026-11-23T10:41:07.123456789Z text" → its parts; a line that does not begin with a time is text alone.
fn parse(line: &Line) -> LogLine {
    let text = String::from_utf8_lossy(&line.bytes);
    let (time, text) = match text.split_once(' ') {
        Some((time, rest)) => match time.parse::<Timestamp>() {
            Ok(time) => (Some(time), rest),
            Err(_) => (None, &*text),
        },
        // The kubelet writes an empty line as its time alone.
        None => text.parse::<Timestamp>().map_or((None, &*text), |time| (Some(time), "")),
    };
    LogLine { time, text: harmless(text).into(), cut: line.cut }
}

/// Text with SGR colours kept and every other control character shown escaped; tabs become spaces.
fn harmless(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['\x1b', '\t']) {
        clean.push_str(&printable(&rest[..at]));
        rest = &rest[at..];
        if let Some(after) = rest.strip_prefix('\t') {
            clean.push_str("    ");
            rest = after;
        } else if let Some(length) = sgr(rest) {
            clean.push_str(&rest[..length]);
            rest = &rest[length..];
        } else {
            clean.push_str(&printable(&rest[..1]));
            rest = &rest[1..];
        }
    }
    clean.push_str(&printable(rest));
    clean
}

/// The length of the SGR sequence that a text begins with.
fn sgr(text: &str) -> Option<usize> {
    let parameters = text.strip_prefix("\x1b[")?;
    let end = parameters.find(|c: char| !(c.is_ascii_digit() || c == ';' || c == ':'))?;
    // Longer ones are not colours but mischief.
    (parameters[end..].starts_with('m') && end <= 32).then_some(2 + end + 1)
}

/// One container as its pod's status tells of it.
struct Container {
    state: State,
    restarts: Option<u64>,
    last_exit: Option<String>,
}

enum State {
    Running,
    /// Over for good: why.
    Ended(String),
    /// To start, or to start again: what it waits for.
    Restarting(String),
}

impl Container {
    fn of(pod: &Value, name: &str) -> Self {
        let status = pod.get("status").unwrap_or(&Value::Null);
        let of_kind = |kind: &str| status.get(kind).and_then(Value::as_array).cloned().unwrap_or_default();
        let all: Vec<Value> = ["containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"]
            .iter()
            .flat_map(|kind| of_kind(kind))
            .collect();
        let found = if name.is_empty() {
            all.first()
        } else {
            all.iter().find(|status| status.get("name").and_then(Value::as_str) == Some(name))
        };
        let deleting = pod.pointer("/metadata/deletionTimestamp").is_some_and(Value::is_string);
        let phase = status.get("phase").and_then(Value::as_str).unwrap_or_default();
        let over = matches!(phase, "Succeeded" | "Failed");
        let Some(found) = found else {
            let state =
                if over { State::Ended(phase.to_lowercase()) } else { State::Restarting("not started yet".into()) };
            return Self { state, restarts: None, last_exit: None };
        };
        let policy = pod.pointer("/spec/restartPolicy").and_then(Value::as_str).unwrap_or("Always");
        let state = if let Some(ended) = found.pointer("/state/terminated") {
            let code = ended.get("exitCode").and_then(Value::as_i64).unwrap_or_default();
            let comes_back = !over && !deleting && (policy == "Always" || (policy == "OnFailure" && code != 0));
            if comes_back {
                State::Restarting(format!("restart{}", exit_words(ended)))
            } else if code == 0 {
                State::Ended("completed".into())
            } else {
                State::Ended(format!("failed{}", exit_words(ended)))
            }
        } else if let Some(waiting) = found.pointer("/state/waiting") {
            let reason = waiting.get("reason").and_then(Value::as_str).unwrap_or("waiting to start");
            State::Restarting(printable(reason).into_owned())
        } else if over {
            State::Ended(phase.to_lowercase())
        } else {
            State::Running
        };
        Self {
            state,
            restarts: found.get("restartCount").and_then(Value::as_u64),
            last_exit: found.pointer("/lastState/terminated").map(exit_words),
        }
    }
}

/// " (exit code 137, OOMKilled)".
fn exit_words(ended: &Value) -> String {
    let code = ended.get("exitCode").and_then(Value::as_i64).unwrap_or_default();
    match ended.get("reason").and_then(Value::as_str) {
        Some(reason) if !matches!(reason, "Error" | "Completed") => {
            format!(" (exit code {code}, {})", printable(reason))
        }
        _ => format!(" (exit code {code})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> LogLine {
        parse(&Line { bytes: Bytes::copy_from_slice(text.as_bytes()), cut: false })
    }

    #[test]
    fn a_lines_time_is_parsed_off() {
        let parsed = line("2026-11-23T10:41:07.123456789Z GET / 200");
        assert_eq!(parsed.time, Some("2026-11-23T10:41:07.123456789Z".parse().unwrap()));
        assert_eq!(&*parsed.text, "GET / 200");
        let parsed = line("2026-11-23T10:41:07Z");
        assert_eq!((&*parsed.text, parsed.time.is_some()), ("", true));
        assert_eq!(&*line("unable to retrieve container logs").text, "unable to retrieve container logs");
    }

    #[test]
    fn colours_stay_and_everything_else_is_shown() {
        assert_eq!(harmless("\x1b[1;31mred\x1b[0m"), "\x1b[1;31mred\x1b[0m");
        for text in ["\x1b]0;title\x07", "\x1b[2J", "\x1b[?1049h", "a\rb", "\u{9b}31m", "\x1b[31"] {
            assert!(!harmless(text).contains(['\x1b', '\x07', '\r', '\u{9b}']), "{text:?}");
        }
        assert_eq!(harmless("a\tb"), "a    b");
    }

    #[test]
    fn bytes_that_are_not_text_are_shown_as_such() {
        let parsed = parse(&Line { bytes: Bytes::from_static(b"2026-11-23T10:41:07Z \xff\xfe!"), cut: true });
        assert_eq!(&*parsed.text, "\u{fffd}\u{fffd}!");
        assert!(parsed.cut);
    }

    #[test]
    fn a_containers_end_is_told_apart_from_its_restart() {
        let pod = |policy: &str, code: i64| {
            serde_json::json!({
                "spec": {"restartPolicy": policy},
                "status": {"containerStatuses": [{"name": "a", "restartCount": 2,
                    "state": {"terminated": {"exitCode": code, "reason": "Error"}}}]},
            })
        };
        let state = |pod| Container::of(&pod, "a").state;
        assert!(matches!(state(pod("Never", 0)), State::Ended(why) if why == "completed"));
        assert!(matches!(state(pod("Never", 3)), State::Ended(why) if why == "failed (exit code 3)"));
        assert!(matches!(state(pod("Always", 0)), State::Restarting(_)));
        assert!(matches!(state(pod("OnFailure", 1)), State::Restarting(_)));
        assert!(matches!(state(serde_json::json!({"status": {}})), State::Restarting(_)));
    }
}
