//! Every write as it goes over the wire, and what is said when it does not go well.
#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

#[path = "support/scripted.rs"]
mod scripted;

use std::io;

use lateen::{
    cluster::actions::perform,
    model::{
        action::{Action, Approval, Outcome, StepRef},
        audit::{AuditLine, AuditPhase},
        key::AppKey,
    },
};
use scripted::{Asked, Reply, Scripted, status};
use serde_json::{Value, json};

const APP: &str = "/apis/core.oam.dev/v1beta1/namespaces/default/applications/web-hello";

fn app(version: &str, suspended: bool) -> Value {
    json!({
        "apiVersion": "core.oam.dev/v1beta1", "kind": "Application",
        "metadata": {
            "namespace": "default", "name": "web-hello", "uid": "u1", "generation": 1, "resourceVersion": version,
            "managedFields": [{"manager": "vela", "subresource": "status", "time": "2026-11-23T10:41:07Z"}],
        },
        "spec": {},
        "status": {"status": "workflowSuspending", "workflow": {
            "appRevision": "web-hello-v1", "status": "suspending", "suspend": suspended, "finished": false,
            "steps": [
                {"id": "y6vqbxti16", "name": "deploy2local", "phase": "succeeded", "type": "deploy"},
                {"id": "59rvshz5py", "message": "Suspended by field suspend", "name": "manual-approval",
                 "phase": if suspended { "suspending" } else { "succeeded" }, "reason": "Suspend", "type": "suspend"},
            ],
        }},
    })
}

fn approval() -> Action {
    Action::Approve(Approval {
        app: AppKey::new("default", "web-hello"),
        uid: "u1".into(),
        generation: 1,
        app_revision: "web-hello-v1".into(),
        resource_version: "2270".into(),
        steps: vec![StepRef { id: "59rvshz5py".into(), name: "manual-approval".into() }],
        clusters: Vec::new(),
    })
}

async fn act(answer: impl Fn(&Asked, usize) -> Reply + Send + Sync + 'static) -> (Scripted, Outcome, Vec<AuditLine>) {
    let server = Scripted::start(answer).await;
    let mut lines = Vec::new();
    let mut audit = |line: AuditLine| -> io::Result<()> {
        lines.push(line);
        Ok(())
    };
    let outcome = perform(&server.hub(), &approval(), &mut audit).await;
    (server, outcome, lines)
}

#[tokio::test]
async fn an_approval_is_the_smallest_patch_of_the_status() {
    let (server, outcome, lines) = act(|asked, _| match asked.method.as_str() {
        "GET" => Reply::Json(200, app("2276", true)),
        _ => Reply::Json(200, app("2300", false)),
    })
    .await;
    assert_eq!(outcome, Outcome::Done { message: "approved manual-approval of default/web-hello".into() });
    let patches = server.asked_for("PATCH", "");
    let [patch] = patches.as_slice() else { panic!("{patches:#?}") };
    assert_eq!(patch.path, format!("{APP}/status"));
    assert_eq!(patch.query.len(), 1);
    assert_eq!(patch.param("fieldManager"), "lateen-mei");
    assert_eq!(patch.header("content-type"), "application/merge-patch+json");
    let body = json!({
        "metadata": {"resourceVersion": "2276"},
        "status": {"workflow": {"suspend": false, "steps": [
            {"id": "y6vqbxti16", "name": "deploy2local", "phase": "succeeded", "type": "deploy"},
            {"id": "59rvshz5py", "message": "Suspended by field suspend", "name": "manual-approval",
             "phase": "running", "reason": "Suspend", "type": "suspend"},
        ]}},
    });
    assert_eq!(serde_json::from_str::<Value>(&patch.body).unwrap(), body);
    let [intent, outcome] = lines.as_slice() else { panic!("{lines:#?}") };
    assert_eq!(intent.id, outcome.id);
    assert_eq!((intent.phase, outcome.phase), (AuditPhase::Intent, AuditPhase::Outcome));
    assert_eq!((intent.patch.clone(), intent.resource_version.as_str()), (body, "2276"));
    assert_eq!((intent.user.as_str(), intent.cluster.as_str(), intent.verb.as_str()), ("mei", "local", "approve"));
    assert_eq!(intent.outcome, None);
    assert_eq!(outcome.outcome.as_deref(), Some("done"));
}

#[tokio::test]
async fn a_conflict_is_read_and_checked_anew() {
    let (server, outcome, lines) = act(|asked, number| match (asked.method.as_str(), number) {
        ("GET", 0) => Reply::Json(200, app("1", true)),
        ("GET", _) => Reply::Json(200, app("2", true)),
        (_, 0) => status(409, "the object has been modified"),
        _ => Reply::Json(200, app("3", false)),
    })
    .await;
    assert!(outcome.is_done(), "{outcome:?}");
    let sent = server.asked_for("PATCH", "");
    let versions: Vec<String> = sent
        .iter()
        .map(|asked| serde_json::from_str::<Value>(&asked.body).unwrap()["metadata"]["resourceVersion"].to_string())
        .collect();
    assert_eq!(versions, ["\"1\"", "\"2\""]);
    let words: Vec<&str> = lines.iter().map(|line| line.outcome.as_deref().unwrap_or("intent")).collect();
    assert_eq!(words, ["intent", "conflict", "intent", "done"]);
}

#[tokio::test]
async fn after_three_conflicts_nothing_is_written() {
    let (server, outcome, _) = act(|asked, _| match asked.method.as_str() {
        "GET" => Reply::Json(200, app("1", true)),
        _ => status(409, "the object has been modified"),
    })
    .await;
    assert_eq!(server.asked_for("PATCH", "").len(), 3);
    assert!(matches!(&outcome, Outcome::Moved { message } if message.contains("3 times")), "{outcome:?}");
}

#[tokio::test]
async fn somebody_faster_is_named_and_nothing_is_sent() {
    let (server, outcome, lines) = act(|_, _| Reply::Json(200, app("9", false))).await;
    assert!(server.asked_for("PATCH", "").is_empty());
    assert!(lines.is_empty());
    assert!(
        matches!(&outcome, Outcome::Moved { message } if message.contains("already approved by vela at ")),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn a_refusal_says_what_is_needed() {
    let (_, outcome, lines) = act(|asked, _| match asked.method.as_str() {
        "GET" => Reply::Json(200, app("1", true)),
        _ => status(403, "applications.core.oam.dev \"web-hello\" is forbidden: User \"mei\" cannot patch resource \"applications/status\" in API group \"core.oam.dev\" in the namespace \"default\""),
    })
    .await;
    let needs = "not permitted: needs patch on applications/status (core.oam.dev) in namespace default";
    assert_eq!(outcome, Outcome::Forbidden { message: needs.into() });
    assert_eq!(lines[1].outcome.as_deref(), Some("forbidden"));
}

#[tokio::test]
async fn a_lost_answer_is_looked_for() {
    // It was written before the connection broke.
    let mut written = app("2", false);
    written["metadata"]["managedFields"][0]["manager"] = json!("lateen-mei");
    let (server, outcome, _) = act(move |asked, number| match (asked.method.as_str(), number) {
        ("GET", 0) => Reply::Json(200, app("1", true)),
        ("GET", _) => Reply::Json(200, written.clone()),
        _ => Reply::Close,
    })
    .await;
    assert!(outcome.is_done(), "{outcome:?}");
    assert_eq!(server.asked_for("PATCH", "").len(), 1);

    // It can never be written any more: the object has a newer version and waits as before.
    let (server, outcome, _) = act(|asked, number| match (asked.method.as_str(), number) {
        ("GET", 0) => Reply::Json(200, app("1", true)),
        ("GET", _) => Reply::Json(200, app("2", true)),
        _ => Reply::Close,
    })
    .await;
    assert!(matches!(&outcome, Outcome::Failed { .. }), "{outcome:?}");
    assert_eq!(server.asked_for("PATCH", "").len(), 1);
}

#[tokio::test]
async fn what_never_left_is_known_not_to_be_written() {
    let hub = Scripted::start(|_, _| Reply::Hang).await.hub();
    // Nobody listens there any more.
    let outcome = perform(&hub, &approval(), &mut |_| Ok(())).await;
    assert!(matches!(&outcome, Outcome::Failed { message } if message.contains("connection refused")), "{outcome:?}");
}

#[tokio::test]
async fn without_a_trace_the_outcome_is_unknown() {
    let (server, outcome, lines) = act(|asked, _| match asked.method.as_str() {
        "GET" => Reply::Json(200, app("1", true)),
        _ => status(504, "Timeout: request did not complete within requested timeout"),
    })
    .await;
    assert!(
        matches!(&outcome, Outcome::Unknown { message } if message.contains("not taken effect so far")),
        "{outcome:?}"
    );
    assert_eq!(server.asked_for("PATCH", "").len(), 1);
    assert_eq!(lines[1].outcome.as_deref(), Some("unknown"));
}

#[tokio::test]
async fn without_an_audit_nothing_is_sent() {
    let server = Scripted::start(|_, _| Reply::Json(200, app("1", true))).await;
    let mut audit = |_: AuditLine| Err(io::Error::new(io::ErrorKind::StorageFull, "no space left"));
    let outcome = perform(&server.hub(), &approval(), &mut audit).await;
    assert!(matches!(&outcome, Outcome::Failed { message } if message.contains("no space left")), "{outcome:?}");
    assert!(server.asked_for("PATCH", "").is_empty());
}
