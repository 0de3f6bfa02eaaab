//! A log followed through breaks, restarts and ends.
#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

#[path = "support/scripted.rs"]
mod scripted;

use std::sync::Arc;

use jiff::tz::TimeZone;
use lateen::{
    cluster::logs::{Outlets, Overflow, Queue, Session},
    model::{
        key::{ClusterId, PodKey},
        log::{Containers, LogEvent, LogRequest, LogScope, LogTarget, Start},
    },
};
use scripted::{Asked, PATIENCE, Reply, Scripted, list, status};
use serde_json::{Value, json};
use tokio::{sync::mpsc, time::timeout};

fn pod(name: &str) -> PodKey {
    PodKey::new("local", "default", name)
}

fn request() -> LogRequest {
    let containers = Containers::Named("web".into());
    LogRequest { containers, start: Start::Tail(100), ..LogRequest::of_pods(vec![pod("web-0")]) }
}

/// A session that is told its pods once; it ends when they have.
fn session(server: &Scripted, request: LogRequest, limit: usize) -> Queue {
    let pods = match &request.scope {
        LogScope::Pods(pods) => pods.clone(),
        _ => Vec::new(),
    };
    let hub = server.hub();
    let queue = Queue::new(1 << 20, Overflow::Wait);
    let (joins, joined) = mpsc::unbounded_channel();
    joins.send(pods.into_iter().map(|pod| LogTarget { pod, uid: "".into() }).collect()).unwrap();
    let outlets = Outlets::Shared(queue.clone());
    let session = Session::new(Arc::new(move |_| hub.client()), request, limit, outlets);
    tokio::spawn(session.run(joined, vec![ClusterId::local()]));
    queue
}

fn say(told: &mut Vec<String>, event: LogEvent) {
    match event {
        LogEvent::Lines(_, lines) => {
            told.extend(lines.iter().map(|line| format!("{}{}", line.text, if line.cut { "…" } else { "" })));
        }
        LogEvent::Gap(_, gap) => told.push(format!("-- {}", gap.words(&TimeZone::UTC))),
        LogEvent::Ended(_, end) => told.push(format!("== {end}")),
        LogEvent::Limit { open, wanted } => told.push(format!("{open} of {wanted}")),
        LogEvent::Unfound(_, why) => told.push(format!("?? {why}")),
        LogEvent::Opened(..) | LogEvent::State(..) => {}
    }
}

/// Follows until the end, and says what came.
async fn told(
    request: LogRequest,
    answer: impl Fn(&Asked, usize) -> Reply + Send + Sync + 'static,
) -> (Scripted, Vec<String>) {
    let server = Scripted::start(answer).await;
    let queue = session(&server, request, 100);
    let mut told = Vec::new();
    let ended = timeout(PATIENCE, async {
        while let Some(events) = queue.take(usize::MAX).await {
            for event in events {
                say(&mut told, event);
            }
        }
    });
    assert!(ended.await.is_ok(), "{told:#?}");
    (server, told)
}

fn object(restarts: u64, state: &Value) -> Value {
    json!({"metadata": {"name": "web-0", "uid": "u"},
        "spec": {"restartPolicy": "Always", "containers": [{"name": "web"}]},
        "status": {"phase": "Running", "containerStatuses": [{"name": "web", "restartCount": restarts, "state": state,
            "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}}]}})
}

fn running(restarts: u64) -> Reply {
    Reply::Json(200, object(restarts, &json!({"running": {}})))
}

fn text(lines: &str) -> Reply {
    Reply::Text(200, "text/plain", lines.to_owned())
}

fn is_log(asked: &Asked) -> bool {
    asked.path.ends_with("/log")
}

#[tokio::test]
async fn what_was_told_before_a_break_is_not_told_again() {
    let (server, told) = told(request(), |asked, number| match (is_log(asked), number) {
        (true, 0) => Reply::Break(
            "2026-11-23T10:41:07.1Z one\n2026-11-23T10:41:07.2Z two\n2026-11-23T10:41:07.2Z two\n2026-11-23T10:41".into(),
        ),
        (true, 1) => Reply::Text(
            200,
            "text/plain",
            "2026-11-23T10:41:07.1Z one\n2026-11-23T10:41:07.2Z two\n2026-11-23T10:41:07.2Z two\n2026-11-23T10:41:07.2Z two\n2026-11-23T10:41:09Z three\n".into(),
        ),
        (true, _) => status(404, "pods \"web-0\" not found"),
        (false, _) => running(0),
    })
    .await;
    assert_eq!(told, ["one", "two", "two", "two", "three", "== pod deleted"]);
    let logs = server.asked_for("GET", "/log");
    assert_eq!(logs[0].param("tailLines"), "100");
    assert_eq!(logs[0].param("container"), "web");
    assert_eq!((logs[1].param("sinceTime"), logs[1].param("tailLines")), ("2026-11-23T10:41:07Z", ""));
}

#[tokio::test]
async fn where_lines_may_be_missing_the_stream_says_so() {
    let (_, told) = told(request(), |asked, number| match (is_log(asked), number) {
        (true, 0) => Reply::Break("2026-11-23T10:41:07Z one\n".into()),
        (true, 1) => status(500, "Get \"https://10.0.0.1\": dial tcp 10.0.0.1:6443: connect: connection refused"),
        // Rotated away meanwhile: the last line is not among them.
        (true, 2) => Reply::Text(200, "text/plain", "2026-11-23T10:45:00Z nine\n".into()),
        (true, _) => status(404, "pods \"web-0\" not found"),
        (false, _) => running(0),
    })
    .await;
    assert_eq!((told.len(), told[0].as_str(), told[2].as_str()), (4, "one", "nine"), "{told:?}");
    assert!(told[1].starts_with("-- resumed ") && told[1].contains(" s may be missing ("), "{told:?}");
}

#[tokio::test]
async fn a_container_that_is_still_to_start_is_waited_for_and_a_restart_is_told() {
    let (_, told) = told(request(), |asked, number| match (is_log(asked), number) {
        (true, 0) => status(400, "container \"web\" in pod \"web-0\" is waiting to start: ContainerCreating"),
        (true, 1) => text("2026-11-23T10:41:07Z one\n"),
        (true, 2) => text("2026-11-23T10:42:00Z again\n"),
        (true, _) => status(404, "pods \"web-0\" not found"),
        (false, 0 | 1) => running(0),
        (false, _) => running(1),
    })
    .await;
    assert_eq!(
        told,
        [
            "-- waiting: container \"web\" in pod \"web-0\" is waiting to start: ContainerCreating",
            "one",
            "-- container restarted (error 137 OOMKilled)",
            "again",
            "== pod deleted",
        ]
    );
}

#[tokio::test]
async fn what_an_instance_said_at_its_end_while_the_stream_was_cut_is_read_from_its_own_log() {
    let (server, told) = told(request(), |asked, number| match (is_log(asked), number) {
        (true, 0) => Reply::Break("2026-11-23T10:41:07Z one\n2026-11-23T10:41:08Z ha".into()),
        (true, 1) => text("2026-11-23T10:41:07Z one\n2026-11-23T10:41:08Z half\n2026-11-23T10:41:09Z its last words\n"),
        (true, 2) => text("2026-11-23T10:42:00Z anew\n"),
        (true, _) => status(404, "pods \"web-0\" not found"),
        (false, 0) => running(3),
        (false, _) => running(4),
    })
    .await;
    let expected =
        ["one", "half", "its last words", "-- container restarted (error 137 OOMKilled)", "anew", "== pod deleted"];
    assert_eq!(told, expected);
    let logs = server.asked_for("GET", "/log");
    assert_eq!((logs[1].param("previous"), logs[1].param("sinceTime")), ("true", "2026-11-23T10:41:07Z"));
    assert_eq!(logs[2].param("previous"), "");
}

#[tokio::test]
async fn a_line_that_was_cut_and_never_comes_again_is_told_as_far_as_it_came() {
    let (_, told) = told(request(), |asked, number| match (is_log(asked), number) {
        (true, 0) => Reply::Break("2026-11-23T10:41:07Z one\n2026-11-23T10:41:08Z ha".into()),
        (false, 0) => running(0),
        _ => status(404, "pods \"web-0\" not found"),
    })
    .await;
    assert_eq!(told, ["one", "ha…", "== pod deleted"]);
}

#[tokio::test]
async fn a_container_that_restarts_all_the_time_is_followed_without_haste() {
    let (server, told) = told(request(), |asked, number| match (is_log(asked), number) {
        (true, number) if number < 3 => text(&format!("2026-11-23T10:41:1{number}Z run {number}\n")),
        (true, _) => status(404, "pods \"web-0\" not found"),
        // After each run it rests, and has been started again at the next look.
        (false, number) if number % 2 == 1 => {
            let rests = json!({"waiting": {"reason": "CrashLoopBackOff"}});
            Reply::Json(200, object((number / 2) as u64, &rests))
        }
        (false, number) => running((number / 2) as u64),
    })
    .await;
    let restarted = "-- container restarted (error 137 OOMKilled)";
    let waits = "-- waiting: CrashLoopBackOff";
    assert_eq!(
        told,
        ["run 0", waits, restarted, "run 1", waits, restarted, "run 2", waits, restarted, "== pod deleted"]
    );
    assert!(server.asked().len() <= 11, "{:#?}", server.asked());
}

#[tokio::test]
async fn no_more_streams_are_opened_than_may_be_and_that_is_said() {
    let (says, mut logs): (Vec<_>, Vec<_>) = (0..3).map(|_| mpsc::unbounded_channel()).unzip();
    let logs = std::sync::Mutex::new(std::mem::take(&mut logs));
    let server =
        Scripted::start(
            move |asked, _| {
                if is_log(asked) { Reply::Stream(logs.lock().unwrap().pop().unwrap()) } else { running(0) }
            },
        )
        .await;
    let pods = vec![pod("web-0"), pod("web-1"), pod("web-2")];
    let all = LogRequest { follow: false, ..LogRequest::of_pods(pods) };
    let queue = session(&server, all, 1);
    let mut told = Vec::new();
    let mut says = Some(says);
    let ended = timeout(PATIENCE, async {
        while let Some(events) = queue.take(usize::MAX).await {
            for event in events {
                say(&mut told, event);
            }
            // None ends before all of them are known.
            if told.iter().any(|line| line == "1 of 3") {
                for say in says.take().into_iter().flatten() {
                    say.send("2026-11-23T10:41:07Z one\n".to_owned()).unwrap();
                }
            }
        }
    });
    assert!(ended.await.is_ok(), "{told:#?}");
    assert_eq!(told.iter().filter(|line| *line == "one").count(), 3, "{told:?}");
    assert_eq!(told.iter().filter(|line| *line == "== end of the log").count(), 3, "{told:?}");
    assert_eq!(told.last().map(String::as_str), Some("== end of the log"), "{told:?}");
    assert!(told.iter().any(|line| line == "1 of 1"), "{told:?}");
}

#[tokio::test]
async fn pods_are_found_by_labels_as_they_come() {
    let (tell, watch) = mpsc::unbounded_channel();
    let watch = std::sync::Mutex::new(Some(watch));
    let server = Scripted::start(move |asked, _| {
        let pod = |name: &str| json!({"metadata": {"name": name, "namespace": "default", "uid": name}});
        if is_log(asked) {
            text(&format!("2026-11-23T10:41:07Z from {}\n", asked.path.split('/').nth(6).unwrap_or_default()))
        } else if asked.is_watch() {
            match watch.lock().unwrap().take() {
                Some(watch) => Reply::Stream(watch),
                None => Reply::Hang,
            }
        } else if asked.path.ends_with("/pods") {
            assert_eq!(asked.param("labelSelector"), "app=web");
            list("7", &[pod("web-a")])
        } else {
            let ended = json!({"terminated": {"exitCode": 0}});
            let mut ended = object(0, &ended);
            ended["metadata"] = json!({"name": "web"});
            ended["spec"]["restartPolicy"] = "Never".into();
            Reply::Json(200, ended)
        }
    })
    .await;
    let scope = LogScope::Selector { namespace: Some("default".into()), selector: "app=web".into() };
    let queue = session(&server, LogRequest::of(scope), 100);
    let mut told = Vec::new();
    let came = timeout(PATIENCE, async {
        while told.len() < 4 {
            for event in queue.take(usize::MAX).await.unwrap() {
                say(&mut told, event);
            }
            if told.len() == 2 {
                let joins = json!({"type": "ADDED", "object": {"metadata":
                    {"name": "web-b", "namespace": "default", "uid": "web-b"}}});
                tell.send(format!("{joins}\n")).unwrap();
            }
        }
    });
    assert!(came.await.is_ok(), "{told:?}");
    assert_eq!(told, ["from web-a", "== completed 0", "from web-b", "== completed 0"]);
}

#[tokio::test]
async fn an_end_says_why() {
    let ended = |policy: &'static str, code: i64| {
        move |asked: &Asked, _: usize| {
            if is_log(asked) {
                return Reply::Text(200, "text/plain", format!("2026-11-23T10:41:07Z {}\n", "x".repeat(70 * 1024)));
            }
            Reply::Json(
                200,
                json!({"spec": {"restartPolicy": policy, "containers": [{"name": "web"}]}, "status": {"phase": "Running", "containerStatuses": [
                {"name": "web", "restartCount": 0, "state": {"terminated": {"exitCode": code, "reason": "Error"}}}]}}),
            )
        }
    };
    let (_, told) = self::told(request(), ended("Never", 3)).await;
    assert!(told[0].ends_with("x…") && told[0].len() < 66 * 1024);
    assert_eq!(told[1], "== error 3");
    let (_, told) = self::told(request(), ended("OnFailure", 0)).await;
    assert_eq!(told[1], "== completed 0");
    let once = LogRequest { follow: false, ..request() };
    let (server, told) = self::told(once, ended("Always", 0)).await;
    assert_eq!(told[1], "== end of the log");
    assert_eq!(server.asked().len(), 2);
    let (_, told) = self::told(request(), |_, _| status(403, "pods \"web-0\" is forbidden: User \"mei\" cannot get resource \"pods/log\" in API group \"\" in the namespace \"default\"")).await;
    assert_eq!(told, ["== not permitted: needs get on pods/log in namespace default"]);
}
