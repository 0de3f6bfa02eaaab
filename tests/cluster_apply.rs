//! Applying and deleting as they go over the wire, and what is said when it does not go well.
#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

#[path = "support/scripted.rs"]
mod scripted;

use std::io;

use lateen::{
    cluster::actions::{look, perform},
    model::{
        action::{Action, Applying, Deletion, Outcome},
        apply::{LAST_APPLIED, Manifest},
        audit::AuditLine,
        key::AppKey,
    },
};
use scripted::{Asked, Reply, Scripted, status};
use serde_json::{Value, json};

const APPS: &str = "/apis/core.oam.dev/v1beta1/namespaces/default/applications";

fn manifest(message: &str) -> Value {
    json!({
        "apiVersion": "core.oam.dev/v1beta1", "kind": "Application",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"components": [{"name": "web", "properties": {"message": message}}]},
    })
}

/// What the server holds: `message` applied, at that version and generation.
fn stored(version: &str, generation: i64, message: &str) -> Value {
    let mut stored = Manifest::new(manifest(message)).object();
    stored["metadata"]["uid"] = "u1".into();
    stored["metadata"]["resourceVersion"] = version.into();
    stored["metadata"]["generation"] = generation.into();
    stored["metadata"]["managedFields"] =
        json!([{"manager": "lateen-mei", "operation": "Update", "time": "2026-11-23T10:41:07Z"}]);
    stored
}

fn absent() -> Reply {
    status(404, "applications.core.oam.dev \"web\" not found")
}

/// Looks, and applies `two`, as the command does; what came of it and what was put on record.
async fn apply(answer: impl Fn(&Asked, usize) -> Reply + Send + Sync + 'static) -> (Scripted, Outcome, Vec<AuditLine>) {
    let server = Scripted::start(answer).await;
    let (app, manifest) = (AppKey::new("default", "web"), Manifest::new(manifest("two")));
    let (seen, _) = look(&server.hub(), &app, &manifest).await.unwrap();
    let action = Action::Apply(Box::new(Applying { app, manifest, seen, dry_run: false }));
    let (outcome, lines) = act(&server, &action).await;
    (server, outcome, lines)
}

async fn act(server: &Scripted, action: &Action) -> (Outcome, Vec<AuditLine>) {
    let mut lines = Vec::new();
    let mut audit = |line: AuditLine| -> io::Result<()> {
        lines.push(line);
        Ok(())
    };
    let outcome = perform(&server.hub(), action, &mut audit).await;
    (outcome, lines)
}

fn words(lines: &[AuditLine]) -> Vec<&str> {
    lines.iter().map(|line| line.outcome.as_deref().unwrap_or("intent")).collect()
}

#[tokio::test]
async fn what_is_not_there_is_posted_with_its_record() {
    let (server, outcome, lines) = apply(|asked, _| match asked.method.as_str() {
        "GET" => absent(),
        _ => Reply::Json(201, stored("1", 1, "two")),
    })
    .await;
    assert_eq!(outcome, Outcome::Done { message: "default/web created".into() });
    let posts = server.asked_for("POST", "");
    assert_eq!((posts.len(), posts[0].path.as_str()), (1, APPS));
    assert_eq!((posts[0].param("fieldManager"), posts[0].param("fieldValidation")), ("lateen-mei", "Strict"));
    let body: Value = serde_json::from_str(&posts[0].body).unwrap();
    let record = body["metadata"]["annotations"][LAST_APPLIED].as_str().unwrap();
    assert_eq!(serde_json::from_str::<Value>(record).unwrap(), manifest("two"));
    assert_eq!(words(&lines), ["intent", "done"]);
    assert_eq!((lines[0].verb.as_str(), &lines[0].patch), ("apply", &body));
}

#[tokio::test]
async fn a_change_is_the_smallest_patch_of_what_was_read() {
    let (server, outcome, lines) = apply(|asked, number| match (asked.method.as_str(), number) {
        // The controller writes the status all the time: the version moves, the spec does not.
        ("GET", 0) => Reply::Json(200, stored("5", 1, "one")),
        ("GET", _) => Reply::Json(200, stored("6", 1, "one")),
        _ => Reply::Json(200, stored("7", 2, "two")),
    })
    .await;
    assert_eq!(outcome, Outcome::Done { message: "default/web configured".into() });
    let patches = server.asked_for("PATCH", "");
    assert_eq!((patches.len(), patches[0].path.clone()), (1, format!("{APPS}/web")));
    assert_eq!(patches[0].header("content-type"), "application/merge-patch+json");
    let body: Value = serde_json::from_str(&patches[0].body).unwrap();
    assert_eq!(body["metadata"]["resourceVersion"], "6");
    assert_eq!(body["spec"], manifest("two")["spec"]);
    assert_eq!((words(&lines), lines[0].resource_version.as_str()), (vec!["intent", "done"], "6"));
}

#[tokio::test]
async fn what_is_the_same_is_not_written() {
    let (server, outcome, lines) = apply(|_, _| Reply::Json(200, stored("5", 1, "two"))).await;
    assert_eq!(outcome, Outcome::Done { message: "default/web is unchanged".into() });
    assert!(server.asked().iter().all(|asked| asked.method == "GET"));
    assert!(lines.is_empty());
}

#[tokio::test]
async fn a_conflict_is_read_anew_three_times_at_most() {
    let (server, outcome, lines) = apply(|asked, _| match asked.method.as_str() {
        "GET" => Reply::Json(200, stored("5", 1, "one")),
        _ => status(409, "the object has been modified"),
    })
    .await;
    assert!(matches!(outcome, Outcome::Moved { .. }), "{outcome:?}");
    assert_eq!(server.asked_for("PATCH", "").len(), 3);
    assert_eq!(words(&lines), ["intent", "conflict", "intent", "conflict", "intent", "conflict"]);
}

/// What the server answers the second time.
type Answer = fn() -> Reply;

#[tokio::test]
async fn what_someone_else_did_meanwhile_is_not_overwritten() {
    let deleting = || {
        let mut object = stored("6", 1, "one");
        object["metadata"]["deletionTimestamp"] = "2026-11-23T10:42:00Z".into();
        Reply::Json(200, object)
    };
    let anew = || {
        let mut object = stored("6", 1, "one");
        object["metadata"]["uid"] = "u2".into();
        Reply::Json(200, object)
    };
    let edited = || Reply::Json(200, stored("6", 2, "three"));
    let then: [(&str, Answer); 4] = [
        ("was changed meanwhile by lateen-mei", edited),
        ("is being deleted", deleting),
        ("was deleted and made anew", anew),
        ("was deleted meanwhile", absent),
    ];
    for (said, then) in then {
        let (server, outcome, lines) = apply(move |_, number| match number {
            0 => Reply::Json(200, stored("5", 1, "one")),
            _ => then(),
        })
        .await;
        let Outcome::Moved { message } = &outcome else { panic!("{said}: {outcome:?}") };
        assert!(message.contains(said) && message.ends_with("nothing was written"), "{message}");
        assert!(server.asked().iter().all(|asked| asked.method == "GET"));
        assert!(lines.is_empty());
    }
    let (_, outcome, _) = apply(|asked, _| match asked.method.as_str() {
        "GET" => absent(),
        _ => status(409, "applications.core.oam.dev \"web\" already exists"),
    })
    .await;
    assert!(matches!(outcome, Outcome::Moved { .. }), "{outcome:?}");
}

#[tokio::test]
async fn a_lost_answer_is_read_back_and_told() {
    // Made: what is there is ours.
    let (server, outcome, lines) = apply(|asked, number| match (asked.method.as_str(), number) {
        ("GET", 0) => absent(),
        ("GET", _) => Reply::Json(200, stored("1", 1, "two")),
        _ => Reply::Close,
    })
    .await;
    assert_eq!(outcome, Outcome::Done { message: "default/web created".into() });
    assert_eq!((server.asked_for("POST", "").len(), words(&lines)), (1, vec!["intent", "done"]));
    // Changed: it is as wanted, under a newer version and generation.
    let (server, outcome, _) = apply(|asked, number| match (asked.method.as_str(), number) {
        ("GET", 0 | 1) => Reply::Json(200, stored("5", 1, "one")),
        ("GET", _) => Reply::Json(200, stored("6", 2, "two")),
        _ => Reply::Close,
    })
    .await;
    assert_eq!(outcome, Outcome::Done { message: "default/web configured".into() });
    assert_eq!(server.asked_for("PATCH", "").len(), 1);
    // Not changed, and never to be: the version that the patch was bound to is gone.
    let (_, outcome, lines) = apply(|asked, number| match (asked.method.as_str(), number) {
        ("GET", 0 | 1) => Reply::Json(200, stored("5", 1, "one")),
        ("GET", _) => Reply::Json(200, stored("6", 1, "one")),
        _ => Reply::Close,
    })
    .await;
    assert!(matches!(outcome, Outcome::Failed { .. }), "{outcome:?}");
    assert_eq!(words(&lines), ["intent", "failed"]);
}

#[tokio::test]
async fn refusals_are_told_in_the_servers_words() {
    for (code, said, is_forbidden) in [
        (422, "Application.core.oam.dev \"web\" is invalid: spec.components: Required value", false),
        (400, "strict decoding error: unknown field \"spec.componets\"", false),
        (403, "User \"mei\" cannot create resource \"applications\" in API group \"core.oam.dev\"", true),
        (404, "namespaces \"default\" not found", false),
    ] {
        let (_, outcome, lines) = apply(move |asked, _| match asked.method.as_str() {
            "GET" => absent(),
            _ => status(code, said),
        })
        .await;
        assert_eq!(matches!(outcome, Outcome::Forbidden { .. }), is_forbidden, "{outcome:?}");
        assert!(is_forbidden || outcome.message().contains(said), "{outcome:?}");
        assert_eq!(words(&lines), ["intent", if is_forbidden { "forbidden" } else { "failed" }]);
    }
    let server = Scripted::start(|_, _| status(404, "the server could not find the requested resource")).await;
    let manifest = Manifest::new(manifest("two"));
    let error = look(&server.hub(), &AppKey::new("default", "web"), &manifest).await.unwrap_err();
    assert!(error.message.contains("is KubeVela installed there?"), "{error}");
}

fn deletion() -> Action {
    Action::Delete(Deletion { app: AppKey::new("default", "web"), uid: "u1".into(), resource_version: "5".into() })
}

#[tokio::test]
async fn a_deletion_is_of_the_object_that_was_seen() {
    let deleting = || {
        let mut object = stored("6", 1, "one");
        object["metadata"]["deletionTimestamp"] = "2026-11-23T10:42:00Z".into();
        object
    };
    let server = Scripted::start(move |asked, _| match asked.method.as_str() {
        "GET" => Reply::Json(200, stored("5", 1, "one")),
        _ => Reply::Json(200, deleting()),
    })
    .await;
    let (outcome, lines) = act(&server, &deletion()).await;
    assert_eq!(outcome, Outcome::Done { message: "default/web is being deleted".into() });
    let sent = server.asked_for("DELETE", "");
    let body: Value = serde_json::from_str(&sent[0].body).unwrap();
    assert_eq!((sent.len(), &body["preconditions"]), (1, &json!({"uid": "u1"})));
    assert_eq!((words(&lines), lines[0].verb.as_str()), (vec!["intent", "done"], "delete"));

    let server = Scripted::start(move |_, _| Reply::Json(200, deleting())).await;
    let (outcome, lines) = act(&server, &deletion()).await;
    assert_eq!(outcome, Outcome::Done { message: "default/web is being deleted already".into() });
    assert!(lines.is_empty() && server.asked_for("DELETE", "").is_empty());

    let server = Scripted::start(|_, _| {
        let mut object = stored("9", 1, "one");
        object["metadata"]["uid"] = "u2".into();
        Reply::Json(200, object)
    })
    .await;
    assert!(matches!(act(&server, &deletion()).await.0, Outcome::Moved { .. }));
    let server = Scripted::start(|_, _| absent()).await;
    assert!(matches!(act(&server, &deletion()).await.0, Outcome::Moved { .. }));
}

#[tokio::test]
async fn a_deletion_without_an_answer_is_looked_for() {
    let server = Scripted::start(|asked, number| match (asked.method.as_str(), number) {
        ("GET", 0) => Reply::Json(200, stored("5", 1, "one")),
        ("GET", _) => absent(),
        _ => Reply::Close,
    })
    .await;
    let (outcome, lines) = act(&server, &deletion()).await;
    assert_eq!(outcome, Outcome::Done { message: "default/web deleted".into() });
    assert_eq!((server.asked_for("DELETE", "").len(), words(&lines)), (1, vec!["intent", "done"]));
}
