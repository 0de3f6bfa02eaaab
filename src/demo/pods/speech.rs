//! What simulated containers say. A line is a pure function of the container and its number, so that nothing has to
//! be kept: a pod that has run for a month can be asked for its last ten lines at once.

use std::fmt::Write;

use jiff::{SignedDuration, Timestamp};

use crate::demo::clock;
use crate::demo::store::mix;

/// How a program logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    Hello,
    Nginx,
    Json,
    Logfmt,
    /// Of a container that is asked to say very much: lines that cost next to nothing, numbered so that who reads them
    /// can tell whether one is missing or came twice.
    Counted,
}

/// One run of one container.
#[derive(Debug, Clone)]
pub(crate) struct Speech {
    style: Style,
    seed: u64,
    pod: String,
    started: Timestamp,
    /// When it ended and with which code.
    pub(crate) ended: Option<(Timestamp, i64)>,
    /// Time between lines.
    pace: SignedDuration,
}

/// Lines a second from which on a program's lines are [`Style::Counted`].
const FAST: f64 = 100.0;
/// How those go on behind their number.
const PHRASES: [&str; 8] = [
    "level=info msg=\"request handled\" method=GET path=/api/v1/greeting status=200 bytes=1412 took=3ms",
    "level=info msg=\"order accepted\" customer=4711 items=3 total=129.90 currency=EUR region=eu-central-1",
    "level=debug msg=\"cache refreshed\" keys=2048 evicted=17 hits=0.93 took=12ms shard=5",
    "level=info msg=\"payment settled\" provider=acme reference=8f14e45fceea167a amount=42.00",
    "level=warn msg=\"retrying after a refusal\" upstream=http://inventory:8080 attempt=2 backoff=250ms",
    "level=info msg=\"session opened\" user=u-1842 agent=Mozilla/5.0 address=10.244.1.37",
    "level=error msg=\"upstream timed out\" upstream=http://ledger:8080 after=2000ms",
    "level=info msg=\"job finished\" queue=mail done=118 failed=0 took=845ms",
];

/// Lines at the start that tell of the start, at the pace of a program that has just begun.
const STARTUP: u64 = 3;

impl Speech {
    /// `rate` is lines per second.
    pub(crate) fn new(
        pod: &str,
        identity: &str,
        image: &str,
        started: Timestamp,
        ended: Option<(Timestamp, i64)>,
        rate: f64,
    ) -> Self {
        let seed = identity.bytes().fold(0, |hash, byte| mix(hash ^ u64::from(byte)));
        let style = if rate >= FAST {
            Style::Counted
        } else if image.contains("hello-kubernetes") {
            Style::Hello
        } else if ["nginx", "httpd", "podinfo"].iter().any(|name| image.contains(name)) {
            Style::Nginx
        } else if seed % 2 == 0 {
            Style::Json
        } else {
            Style::Logfmt
        };
        let pace = SignedDuration::from_nanos((1e9 / rate.clamp(1e-6, 1e6)) as i64);
        Self { style, seed, pod: pod.to_owned(), started, ended, pace }
    }

    /// Whether both are of one run of one container, at different times.
    pub(crate) fn is_same_run(&self, other: &Self) -> bool {
        self.seed == other.seed
    }

    /// When line `number` is said.
    pub(crate) fn time(&self, number: u64) -> Timestamp {
        let offset = if number < STARTUP {
            SignedDuration::from_millis(number as i64 * 7)
        } else {
            // Never in step, yet always in order.
            let jitter = mix(self.seed ^ number) % 800;
            let nanos = self.pace.as_nanos() * i128::from((number - STARTUP) * 1000 + 100 + jitter) / 1000;
            SignedDuration::from_millis(30) + SignedDuration::from_nanos(i64::try_from(nanos).unwrap_or(i64::MAX / 2))
        };
        self.started.saturating_add(offset).unwrap_or(Timestamp::MAX)
    }

    /// The first line that is said after `time`.
    pub(crate) fn first_after(&self, time: Timestamp) -> u64 {
        let since = time.duration_since(self.started).as_nanos().max(0);
        let mut number = u64::try_from(since / self.pace.as_nanos().max(1)).unwrap_or(0).saturating_sub(2);
        while self.time(number) <= time {
            number += 1;
        }
        number
    }

    /// How many lines there are at `now`.
    pub(crate) fn count(&self, now: Timestamp) -> u64 {
        match self.ended {
            // The last word of a program that failed.
            Some((end, code)) => self.first_after(end.min(now)) + u64::from(code != 0 && end <= now),
            None => self.first_after(now),
        }
    }

    /// When line `number` was really said: the last word comes at the end.
    pub(crate) fn said(&self, number: u64) -> Timestamp {
        let time = self.time(number);
        self.ended.map_or(time, |(end, _)| time.min(end))
    }

    /// The text of line `number`.
    pub(crate) fn line(&self, number: u64) -> String {
        let time = self.time(number);
        if let Some((end, code)) = self.ended.filter(|(end, _)| time > *end) {
            return self.last_word(end, code);
        }
        let chance = mix(self.seed.wrapping_mul(31) ^ number);
        match self.style {
            Style::Hello => self.hello(number, time, chance),
            Style::Nginx => Self::nginx(number, time, chance),
            Style::Json => structured(number, time, chance, true),
            Style::Logfmt => structured(number, time, chance, false),
            Style::Counted => counted(number),
        }
    }

    /// Whether it says so much that its lines had better be sent in bunches.
    pub(crate) fn is_fast(&self) -> bool {
        self.style == Style::Counted
    }

    fn hello(&self, number: u64, time: Timestamp, chance: u64) -> String {
        match number {
            0 => "> hello-kubernetes@1.10.1 start /usr/src/app".to_owned(),
            1 => "> node server.js".to_owned(),
            2 => format!("Listening on: http://{}:8080", self.pod),
            _ => access(time, chance, "::ffff:"),
        }
    }

    fn nginx(number: u64, time: Timestamp, chance: u64) -> String {
        let notice = |text: &str| {
            let stamp = time.to_string().replace('-', "/").replace('T', " ");
            format!("{} [notice] 1#1: {text}", &stamp[..19])
        };
        match number {
            0 => notice("using the \"epoll\" event method"),
            1 => notice("nginx/1.29.3"),
            2 => notice("start worker processes"),
            _ => format!("{} \"-\"", access(time, chance, "")),
        }
    }

    fn last_word(&self, end: Timestamp, code: i64) -> String {
        let end = clock::rfc3339(end);
        match self.style {
            Style::Json => {
                format!("{{\"time\":\"{end}\",\"level\":\"fatal\",\"msg\":\"cannot go on\",\"exit_code\":{code}}}")
            }
            Style::Hello => format!("Error: listen EADDRINUSE: address already in use :::8080 (exit {code})"),
            _ => format!("time={end} level=fatal msg=\"cannot go on\" exit_code={code}"),
        }
    }
}

/// A line as web servers write it.
fn access(time: Timestamp, chance: u64, prefix: &str) -> String {
    const PATHS: [&str; 6] = ["/", "/", "/static/main.css", "/api/v1/greeting", "/favicon.ico", "/healthz"];
    const AGENTS: [&str; 3] = ["kube-probe/1.34", "curl/8.15.0", "Mozilla/5.0 (X11; Linux x86_64) Firefox/145.0"];
    let (path, agent) = (PATHS[(chance >> 8) as usize % PATHS.len()], AGENTS[(chance >> 16) as usize % AGENTS.len()]);
    let code = match chance % 100 {
        0 => 500,
        1..=3 => 404,
        4..=9 => 304,
        _ => 200,
    };
    let size = 200 + (chance >> 24) % 4000;
    let stamp = time.strftime("%d/%b/%Y:%H:%M:%S +0000");
    format!(
        "{prefix}10.244.{}.{} - - [{stamp}] \"GET {path} HTTP/1.1\" {code} {size} \"-\" \"{agent}\"",
        (chance >> 32) % 3,
        (chance >> 40) % 250 + 1
    )
}

fn counted(number: u64) -> String {
    let phrase = PHRASES[(number % PHRASES.len() as u64) as usize];
    let digits = number.to_string();
    let mut line = String::with_capacity(5 + digits.len() + phrase.len());
    line.push_str("seq=");
    line.push_str(&digits);
    line.push(' ');
    line.push_str(phrase);
    line
}

/// A line as services write it.
fn structured(number: u64, time: Timestamp, chance: u64, json: bool) -> String {
    const MESSAGES: [&str; 6] =
        ["request handled", "order accepted", "cache refreshed", "payment settled", "session opened", "job finished"];
    let (level, message) = match chance % 100 {
        _ if number == 0 => ("info", "starting"),
        _ if number == 1 => ("info", "configuration loaded"),
        _ if number == 2 => ("info", "ready to serve"),
        0..=1 => ("error", "upstream timed out"),
        2..=6 => ("warn", "retrying after a refusal"),
        _ => ("info", MESSAGES[(chance >> 8) as usize % MESSAGES.len()]),
    };
    let (time, took, id) = (clock::rfc3339_nano(time), (chance >> 16) % 300, chance >> 32 & 0xffff);
    let mut out = String::new();
    // Writing into a String cannot fail.
    let _ = if json {
        write!(
            out,
            "{{\"time\":\"{time}\",\"level\":\"{level}\",\"msg\":\"{message}\",\"request\":\"{id:04x}\",\"took_ms\":{took}}}"
        )
    } else {
        write!(out, "time={time} level={level} msg=\"{message}\" request={id:04x} took={took}ms")
    };
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn speech(ended: Option<(Timestamp, i64)>) -> Speech {
        Speech::new("a", "uid/a/0", "example.com/shop:1", Timestamp::from_second(1_000_000).unwrap(), ended, 1.5)
    }

    #[test]
    fn lines_come_in_order_and_can_be_found_by_time() {
        let speech = speech(None);
        for number in 0..2000 {
            assert!(speech.time(number) < speech.time(number + 1), "{number}");
            assert_eq!(speech.first_after(speech.time(number)), number + 1);
        }
        assert_eq!(speech.first_after(Timestamp::from_second(0).unwrap()), 0);
        let month = speech.started + SignedDuration::from_hours(24 * 30);
        assert!((3_887_000..3_889_000).contains(&speech.count(month)), "{}", speech.count(month));
    }

    #[test]
    fn a_program_that_says_very_much_counts_its_lines() {
        let speech = Speech::new("a", "uid/a/0", "nginx", Timestamp::from_second(1_000_000).unwrap(), None, 2000.0);
        assert!(speech.is_fast());
        let second = speech.started + SignedDuration::from_secs(1);
        let lines = speech.first_after(second)..speech.first_after(second + SignedDuration::from_secs(1));
        assert!((1998..=2002).contains(&(lines.end - lines.start)), "{lines:?}");
        assert!(speech.line(1234).starts_with("seq=1234 level="), "{}", speech.line(1234));
    }

    #[test]
    fn the_last_word_of_a_failure_comes_at_its_end() {
        let end = Timestamp::from_second(1_000_010).unwrap();
        let speech = speech(Some((end, 1)));
        let count = speech.count(end + SignedDuration::from_hours(1));
        assert_eq!(speech.said(count - 1), end);
        assert!(speech.line(count - 1).contains("fatal"), "{}", speech.line(count - 1));
        assert!(!speech.line(count - 2).contains("fatal"));
    }
}
