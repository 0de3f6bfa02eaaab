//! A log followed through breaks, restarts and ends.
#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

#[path = "support/scripted.rs"]
mod scripted;

use lateen::{
    cluster::logs::{StreamEvent, StreamRequest, follow},
    model::key::PodKey,
};
use scripted::{Asked, PATIENCE, Reply, Scripted, status};
use serde_json::json;
use tokio::{sync::mpsc, time::timeout};

fn request() -> StreamRequest {
    StreamRequest {
        pod: PodKey::new("local", "default", "web-0"),
        container: "web".into(),
        tail: Some(100),
        previous: false,
        follow: true,
    }
}

/// Follows until the end, and says what came.
async fn told(
    request: StreamRequest,
    answer: impl Fn(&Asked, usize) -> Reply + Send + Sync + 'static,
) -> (Scripted, Vec<String>) {
    let server = Scripted::start(answer).await;
    let (events, mut come) = mpsc::channel(4);
    let following = tokio::spawn(follow(server.hub().client(), request, events));
    let mut told = Vec::new();
    let ended = timeout(PATIENCE, async {
        while let Some(event) = come.recv().await {
            told.push(match event {
                StreamEvent::Line(line) => format!("{}{}", line.text, if line.cut { "…" } else { "" }),
                StreamEvent::Gap(words) => format!("-- {words}"),
                StreamEvent::Ended(why) => format!("== {why}"),
            });
        }
    });
    assert!(ended.await.is_ok(), "{told:#?}");
    following.await.unwrap();
    (server, told)
}

fn running(restarts: u64) -> Reply {
    Reply::Json(
        200,
        json!({"metadata": {"name": "web-0"}, "spec": {"restartPolicy": "Always"}, "status": {"phase": "Running",
        "containerStatuses": [{"name": "web", "restartCount": restarts, "state": {"running": {}},
            "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}}]}}),
    )
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
        (true, 0 | 1) => status(400, "container \"web\" in pod \"web-0\" is waiting to start: ContainerCreating"),
        (true, 2 | 3) => Reply::Text(200, "text/plain", "2026-11-23T10:41:07Z one\n".into()),
        (true, 4) => Reply::Text(200, "text/plain", "2026-11-23T10:42:00Z again\n".into()),
        (true, _) => status(404, "pods \"web-0\" not found"),
        (false, 0) => running(0),
        (false, _) => running(1),
    })
    .await;
    assert_eq!(
        told,
        [
            "-- waiting: container \"web\" in pod \"web-0\" is waiting to start: ContainerCreating",
            "one",
            "-- container restarted (exit code 137, OOMKilled)",
            "again",
            "== pod deleted",
        ]
    );
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
                json!({"spec": {"restartPolicy": policy}, "status": {"phase": "Running", "containerStatuses": [
                {"name": "web", "restartCount": 0, "state": {"terminated": {"exitCode": code, "reason": "Error"}}}]}}),
            )
        }
    };
    let (_, told) = self::told(request(), ended("Never", 3)).await;
    assert!(told[0].ends_with("x…") && told[0].len() < 66 * 1024);
    assert_eq!(told[1], "== failed (exit code 3)");
    let (_, told) = self::told(request(), ended("OnFailure", 0)).await;
    assert_eq!(told[1], "== completed");
    let once = StreamRequest { follow: false, ..request() };
    let (server, told) = self::told(once, ended("Always", 0)).await;
    assert_eq!(told[1], "== end of the log");
    assert_eq!(server.asked().len(), 1);
    let (_, told) = self::told(request(), |_, _| status(403, "pods \"web-0\" is forbidden: User \"mei\" cannot get resource \"pods/log\" in API group \"\" in the namespace \"default\"")).await;
    assert_eq!(told, ["== not permitted: needs get on pods/log in namespace default"]);
}
