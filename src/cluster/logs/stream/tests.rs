//! Bad logs, in memory and on a clock that the test drives: each byte and each minute is the test's.

use std::{
    io,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use futures::stream;
use http::Request;
use http_body_util::{Full, StreamBody, combinators::UnsyncBoxBody};
use jiff::tz::TimeZone;
use proptest::prelude::*;
use serde_json::json;
use tower::service_fn;

use super::*;
use crate::{
    cluster::logs::queue::{Overflow, Queue},
    model::{key::PodKey, log::ContainerKind},
};

/// What an answer brings, in that order; then it ends properly.
enum Part {
    Bytes(Vec<u8>),
    Silence(Duration),
    /// The connection goes.
    Break,
}

enum Reply {
    Log(Vec<Part>),
    Status(u16, &'static str),
    /// What is no `Status`: a proxy's own words.
    Words(u16, &'static str),
    /// The pod, its container running.
    Running,
}

use Part::{Break as Cut, Bytes as Sent, Silence};

fn sent(text: &str) -> Part {
    Sent(text.as_bytes().to_vec())
}

fn deleted() -> Reply {
    Reply::Status(404, "pods \"web-0\" not found")
}

fn body(parts: Vec<Part>) -> UnsyncBoxBody<Bytes, io::Error> {
    let frames = stream::iter(parts).filter_map(async |part| match part {
        Sent(bytes) => Full::new(Bytes::from(bytes)).frame().await.map(|frame| Ok(frame.unwrap())),
        Silence(time) => {
            sleep(time).await;
            None
        }
        Cut => Some(Err(io::Error::new(io::ErrorKind::UnexpectedEof, "connection closed before message completed"))),
    });
    StreamBody::new(frames).boxed_unsync()
}

/// A client of a server that answers so; it is given the query, and the number of the request for a log.
fn client(answer: impl Fn(&str, usize) -> Reply + Send + Sync + 'static) -> Client {
    let (answer, logs) = (Arc::new(answer), Arc::new(AtomicUsize::new(0)));
    let service = service_fn(move |request: Request<Body>| {
        let is_log = request.uri().path().ends_with("/log");
        let reply = if is_log {
            answer(request.uri().query().unwrap_or_default(), logs.fetch_add(1, Ordering::Relaxed))
        } else {
            Reply::Running
        };
        let status = |code: u16, text: String| (code, body(vec![sent(&text)]));
        let (code, body) = match reply {
            Reply::Log(parts) => (200, body(parts)),
            Reply::Words(code, words) => status(code, words.to_owned()),
            Reply::Status(code, message) => status(code, json!({"kind": "Status", "message": message}).to_string()),
            Reply::Running => status(
                200,
                json!({"spec": {"containers": [{"name": "web"}]}, "status": {"phase": "Running", "containerStatuses":
                    [{"name": "web", "restartCount": 0, "state": {"running": {}}}]}})
                .to_string(),
            ),
        };
        let response = Response::builder().status(code).body(body);
        std::future::ready(response)
    });
    Client::new(service, "default")
}

/// Follows to the end, and says what came.
async fn told(start: Start, client: Client) -> Vec<String> {
    let queue = Queue::new(1 << 20, Overflow::Wait);
    let source = LogSource {
        pod: PodKey::new("local", "default", "web-0"),
        container: "web".into(),
        kind: ContainerKind::Ordinary,
        previous: false,
    };
    let request = StreamRequest {
        id: SourceId(0),
        source: Arc::new(source),
        uid: "".into(),
        restarts: Some(0),
        start,
        follow: true,
    };
    let (reader, outlet) = (queue.clone(), Outlet::Queue(queue));
    let following = async {
        follow(client, request, outlet).await;
        reader.close();
    };
    let reading = async {
        let mut told = Vec::new();
        while let Some(events) = reader.take(usize::MAX).await {
            assert!(reader.bytes() <= 1 << 20, "bounded");
            for event in events {
                match event {
                    LogEvent::Lines(_, lines) => {
                        told.extend(
                            lines.iter().map(|line| format!("{}{}", line.text, if line.cut { "…" } else { "" })),
                        );
                    }
                    LogEvent::Gap(_, gap) => told.push(format!("-- {}", gap.words(&TimeZone::UTC))),
                    LogEvent::Ended(_, end) => told.push(format!("== {end}")),
                    _ => {}
                }
            }
        }
        told
    };
    // An hour on the test's clock: what never ends fails.
    let ((), told) = timeout(Duration::from_hours(1), futures::future::join(following, reading)).await.unwrap();
    told
}

#[tokio::test(start_paused = true)]
async fn a_line_of_twenty_megabytes_is_cut_and_the_next_is_whole() {
    let client = client(|_, number| match number {
        0 => {
            let mut parts = vec![sent("2026-11-23T10:41:07Z ")];
            parts.extend((0..20).map(|_| Sent(vec![b'x'; 1 << 20])));
            parts.push(sent("end\n2026-11-23T10:41:08Z next\n"));
            Reply::Log(parts)
        }
        _ => deleted(),
    });
    let told = told(Start::All, client).await;
    assert_eq!(told[1..], ["next", "== pod deleted"]);
    assert!(told[0].ends_with("x…") && told[0].len() <= LINE_BYTES + 3, "{}", told[0].len());
}

#[tokio::test(start_paused = true)]
async fn a_line_may_take_minutes_to_end() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let client = client(move |_, number| {
        count.fetch_max(number, Ordering::Relaxed);
        match number {
            0 => Reply::Log(vec![
                sent("2026-11-23T10:41:07Z a line "),
                Silence(QUIET * 9 / 10),
                sent("that takes "),
                Silence(QUIET * 9 / 10),
                sent("its time\n"),
            ]),
            _ => deleted(),
        }
    });
    assert_eq!(told(Start::All, client).await, ["a line that takes its time", "== pod deleted"]);
    assert_eq!(asked.load(Ordering::Relaxed), 1, "one stream, and the look that found the pod gone");
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_silent_within_a_line_is_opened_anew_and_the_line_is_told_once() {
    let client = client(|query, number| match number {
        0 => Reply::Log(vec![
            sent("2026-11-23T10:41:07Z one\n2026-11-23T10:41:08Z half a"),
            Silence(Duration::from_mins(10)),
            sent(" line of which nobody heard\n"),
        ]),
        1 => {
            assert!(query.contains("sinceTime=2026-11-23T10%3A41%3A07Z"), "{query}");
            Reply::Log(vec![sent("2026-11-23T10:41:07Z one\n2026-11-23T10:41:08Z half a line\n")])
        }
        _ => deleted(),
    });
    assert_eq!(told(Start::All, client).await, ["one", "half a line", "== pod deleted"]);
}

#[tokio::test(start_paused = true)]
async fn bytes_that_are_no_text_are_shown_safely() {
    let client = client(|_, number| match number {
        0 => Reply::Log(vec![
            Sent(b"2026-11-23T10:41:07Z a\0b\xff\xfec\n".to_vec()),
            // Cut between chunks within a character.
            Sent(b"2026-11-23T10:41:08Z gr\xc3".to_vec()),
            Sent(b"\xbc\xc3\x9fe \x1b]0;title\x07\x1b[2J\x1b[31mred\r\n".to_vec()),
        ]),
        _ => deleted(),
    });
    let told = told(Start::All, client).await;
    assert!(told[0].starts_with('a') && told[0].ends_with("b\u{fffd}\u{fffd}c"), "{told:?}");
    assert!(told[1].starts_with("grüße") && told[1].ends_with("\u{1b}[31mred"), "{told:?}");
    for line in &told {
        assert!(!line.replace("\u{1b}[31m", "").chars().any(char::is_control), "{line:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn clocks_that_go_back_and_lines_without_a_time_cost_nothing_through_a_break() {
    let log = "2026-11-23T10:41:07.9Z one\n2026-11-23T10:41:07.2Z back\n  a stack\n2026-11-23T10:41:07.9Z one\n";
    let client = client(move |_, number| match number {
        0 => Reply::Log(vec![sent(log), Cut]),
        1 => Reply::Log(vec![sent(log), sent("2026-11-23T10:41:06Z further back\n2026-11-23T10:41:09Z two\n")]),
        _ => deleted(),
    });
    let expected = ["one", "back", "  a stack", "one", "further back", "two", "== pod deleted"];
    assert_eq!(told(Start::All, client).await, expected);
}

#[tokio::test(start_paused = true)]
async fn answers_of_what_stands_between_are_no_ends() {
    let client = client(|_, number| match number {
        0 => Reply::Log(vec![sent("2026-11-23T10:41:07Z one\n"), Cut]),
        1 => Reply::Status(410, "the provided continue parameter is too old"),
        2 => Reply::Words(404, "404 page not found\n"),
        3 => Reply::Words(502, "<html>Bad Gateway</html>"),
        4 => Reply::Status(429, "slow down"),
        5 => Reply::Log(vec![sent("2026-11-23T10:41:07Z one\n2026-11-23T10:41:08Z two\n")]),
        _ => deleted(),
    });
    assert_eq!(told(Start::All, client).await, ["one", "two", "== pod deleted"]);
}

#[tokio::test(start_paused = true)]
async fn a_line_that_was_cut_within_its_time_and_never_comes_again_is_told_without_text() {
    for begun in ["2026-11-23T1", "2026-11-23T10:41:08Z", "2026-11-23T10:41:08Z "] {
        let client = client(move |_, number| match number {
            0 => Reply::Log(vec![sent("2026-11-23T10:41:07Z one\n"), sent(begun), Cut]),
            _ => deleted(),
        });
        assert_eq!(told(Start::All, client).await, ["one", "…", "== pod deleted"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_page_of_a_proxy_is_no_log() {
    let client = client(|_, number| match number {
        0..3 => Reply::Words(503, "<html>\u{1b}[2Jno upstream</html>"),
        3 => Reply::Log(vec![sent("2026-11-23T10:41:07Z one\n")]),
        _ => deleted(),
    });
    assert_eq!(told(Start::All, client).await, ["one", "== pod deleted"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Wherever connections break, in the middle of lines too, and whatever is rotated away meanwhile: each line is told
    /// once and in order, or the stream says there that lines may be missing; and it says so nowhere else.
    #[test]
    fn each_line_is_told_or_said_to_be_missing(
        steps in proptest::collection::vec((0i64..1_500, 0usize..30), 1..60),
        breaks in proptest::collection::vec((1usize..2_000, 0usize..8), 0..8),
        chunk in 1usize..200,
    ) {
        let mut millisecond = 1_763_894_467_000;
        let log: Vec<(Timestamp, String)> = steps
            .iter()
            .enumerate()
            .map(|(number, (step, length))| {
                millisecond += step;
                (Timestamp::from_millisecond(millisecond).unwrap(), format!("{number} {}", "x".repeat(*length)))
            })
            .collect();
        let first = log.clone();
        // Where each stream begins: what is before that was rotated away.
        let begins: Arc<Mutex<Vec<usize>>> = Arc::default();
        let began = Arc::clone(&begins);
        let answer = move |query: &str, number: usize| {
            let mut begins = began.lock().unwrap_or_else(PoisonError::into_inner);
            if number > breaks.len() {
                return deleted();
            }
            let rotated = begins.last().copied().unwrap_or(0) + if number == 0 { 0 } else { breaks[number - 1].1 };
            begins.push(rotated);
            let since = query.split('&').find_map(|pair| pair.strip_prefix("sinceTime="));
            let since: Option<Timestamp> = since.map(|since| since.replace("%3A", ":").parse().unwrap());
            let lines = log.iter().skip(rotated).filter(|(time, _)| since.is_none_or(|since| *time >= since));
            let mut bytes = Vec::new();
            for (time, text) in lines {
                bytes.extend_from_slice(format!("{time} {text}\n").as_bytes());
            }
            let cut = breaks.get(number).map(|(at, _)| *at);
            bytes.truncate(cut.unwrap_or(usize::MAX));
            let mut parts: Vec<Part> = bytes.chunks(chunk).map(|chunk| Sent(chunk.to_vec())).collect();
            parts.extend(cut.map(|_| Cut));
            Reply::Log(parts)
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let told = runtime.block_on(async { told(Start::All, client(answer)).await });
        prop_assert_eq!(told.last().map(String::as_str), Some("== pod deleted"));
        let rotated = begins.lock().unwrap().last().copied().unwrap_or(0);
        let mut next = 0;
        let mut is_said = false;
        for line in &told[..told.len() - 1] {
            if line.starts_with("-- resumed") {
                prop_assert!(next > 0 && next - 1 < rotated, "said for nothing before {}: {:?}", next, told);
                is_said = true;
                continue;
            }
            let whole = line.strip_suffix('…').unwrap_or(line);
            // Of a line that was cut, its number may be what is missing.
            let number = if line.ends_with('…') {
                (next..first.len()).find(|number| first[*number].1.starts_with(whole)).unwrap()
            } else {
                whole.split(' ').next().unwrap().parse().unwrap()
            };
            prop_assert!(number >= next, "twice: {:?}", told);
            prop_assert!(number == next || is_said || next == 0, "{} is missing unsaid: {:?}", next, told);
            prop_assert!(first[number].1.starts_with(whole), "{}", line);
            prop_assert!(whole == first[number].1 || line.ends_with('…'), "half, unsaid: {}", line);
            (next, is_said) = (number + 1, false);
        }
        prop_assert!(next == first.len() || rotated >= next, "the end is missing: {:?}", told);
    }
}
