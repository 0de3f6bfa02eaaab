//! Restarting, scaling and deleting one object: over the wire, and in the simulated estate.
#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

#[cfg(feature = "demo")]
#[path = "support/hub.rs"]
mod hub;
#[path = "support/scripted.rs"]
mod scripted;

use std::io;

use lateen::{
    cluster::actions::{perform, prepare},
    model::{
        acting::{Deed, ObjectWrite, Prepared, Verb},
        action::{Action, Outcome},
        audit::{AuditLine, AuditPhase},
        key::ClusterId,
        resource::ResourceKey,
    },
};
use scripted::{Asked, Reply, Scripted, status};
use serde_json::{Value, json};

const PATH: &str = "/apis/apps/v1/namespaces/web/deployments/hello";
const REVIEWS: &str = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";

fn key(cluster: &str, kind: &str, namespace: &str, name: &str) -> ResourceKey {
    ResourceKey {
        cluster: ClusterId::named(cluster),
        group: if kind == "Pod" { "" } else { "apps" }.into(),
        kind: kind.into(),
        namespace: namespace.into(),
        name: name.into(),
    }
}

fn deployment(version: &str, uid: &str, replicas: i64) -> Reply {
    Reply::Json(
        200,
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"namespace": "web", "name": "hello", "uid": uid, "resourceVersion": version},
            "spec": {"replicas": replicas},
        }),
    )
}

fn write(prepared: &Prepared, deed: Deed) -> Action {
    Action::Object(Box::new(ObjectWrite {
        key: prepared.key.clone(),
        path: prepared.path.clone(),
        uid: prepared.uid.clone(),
        resource_version: prepared.resource_version.clone(),
        deed,
    }))
}

fn seen() -> Prepared {
    Prepared {
        key: key("local", "Deployment", "web", "hello"),
        path: PATH.into(),
        uid: "u1".into(),
        resource_version: "7".into(),
        replicas: Some(2),
        deleting: false,
        finalizers: Vec::new(),
        keeper: None,
        states_replicas: None,
        permitted: Vec::new(),
    }
}

/// Performs a write against a server that answers reads and writes so; the outcome, the audit, and what was sent.
async fn done(
    deed: Deed,
    answer: impl Fn(&Asked, usize) -> Reply + Send + Sync + 'static,
) -> (Outcome, Vec<AuditLine>, Vec<Asked>) {
    let server = Scripted::start(answer).await;
    let mut audit = Vec::new();
    let mut sink = |line: AuditLine| -> io::Result<()> {
        audit.push(line);
        Ok(())
    };
    let outcome = perform(&server.hub(), &write(&seen(), deed), &mut sink).await;
    let sent = server.asked().into_iter().filter(|asked| asked.method != "GET").collect();
    (outcome, audit, sent)
}

#[tokio::test]
async fn a_restart_is_bound_to_what_was_read_and_is_on_record() {
    let (outcome, audit, sent) = done(Deed::Restart, |asked, _| match asked.method.as_str() {
        "GET" => deployment("9", "u1", 2),
        _ => Reply::Json(200, json!({})),
    })
    .await;
    assert!(outcome.is_done(), "{outcome:?}");
    let [patch] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!((patch.method.as_str(), patch.path.as_str()), ("PATCH", PATH));
    assert_eq!(patch.header("content-type"), "application/merge-patch+json");
    assert_eq!(patch.param("fieldManager"), "lateen-mei");
    let body: Value = serde_json::from_str(&patch.body).unwrap();
    assert_eq!(body["metadata"], json!({"resourceVersion": "9", "uid": "u1"}));
    let at = body["spec"]["template"]["metadata"]["annotations"]["kubectl.kubernetes.io/restartedAt"].as_str().unwrap();
    assert!(at.parse::<jiff::Timestamp>().is_ok(), "{at}");
    let phases: Vec<_> = audit.iter().map(|line| (line.phase, line.verb.as_str(), line.kind.as_str())).collect();
    assert_eq!(phases, [(AuditPhase::Intent, "restart", "Deployment"), (AuditPhase::Outcome, "restart", "Deployment")]);
    assert_eq!(audit[0].id, audit[1].id);
    assert_eq!(audit[1].outcome.as_deref(), Some("done"));
}

#[tokio::test]
async fn on_a_conflict_it_is_read_again_and_held_against_what_was_on_screen() {
    let (outcome, _, sent) = done(Deed::Scale { from: 2, to: 5 }, |asked, number| match asked.method.as_str() {
        "GET" => deployment(if number == 0 { "9" } else { "10" }, "u1", 2),
        _ if number == 0 => status(409, "the object has been modified"),
        _ => Reply::Json(200, json!({})),
    })
    .await;
    assert!(outcome.is_done(), "{outcome:?}");
    let bodies: Vec<Value> = sent.iter().map(|asked| serde_json::from_str(&asked.body).unwrap()).collect();
    assert_eq!(bodies[1], json!({"metadata": {"resourceVersion": "10", "uid": "u1"}, "spec": {"replicas": 5}}));
    // Someone else scaled it meanwhile.
    let (outcome, _, sent) = done(Deed::Scale { from: 2, to: 5 }, |asked, number| match asked.method.as_str() {
        "GET" => deployment("9", "u1", if number == 0 { 2 } else { 4 }),
        _ => status(409, "the object has been modified"),
    })
    .await;
    assert!(
        matches!(&outcome, Outcome::Moved { message } if message.contains("was scaled to 4 meanwhile")),
        "{outcome:?}"
    );
    assert_eq!(sent.len(), 1);
}

#[tokio::test]
async fn another_object_of_the_name_is_left_alone() {
    for deed in [Deed::Restart, Deed::Scale { from: 2, to: 3 }, Deed::Delete] {
        let (outcome, audit, sent) = done(deed, |_, _| deployment("9", "u2", 2)).await;
        assert!(matches!(outcome, Outcome::Moved { .. }), "{outcome:?}");
        assert!(sent.is_empty() && audit.is_empty());
    }
}

#[tokio::test]
async fn a_deletion_is_of_that_very_object_and_goes_on_in_the_background() {
    let (outcome, _, sent) = done(Deed::Delete, |asked, _| match asked.method.as_str() {
        "GET" => deployment("9", "u1", 2),
        _ => Reply::Json(200, json!({})),
    })
    .await;
    assert!(outcome.is_done(), "{outcome:?}");
    let body: Value = serde_json::from_str(&sent[0].body).unwrap();
    assert_eq!(body["propagationPolicy"], "Background");
    assert_eq!(body["preconditions"], json!({"uid": "u1", "resourceVersion": "9"}));
}

#[tokio::test]
async fn what_is_refused_is_told_and_what_was_lost_is_read_back() {
    let (outcome, audit, _) = done(Deed::Restart, |asked, _| match asked.method.as_str() {
        "GET" => deployment("9", "u1", 2),
        _ => status(403, "deployments.apps \"hello\" is forbidden"),
    })
    .await;
    assert!(matches!(outcome, Outcome::Forbidden { .. }), "{outcome:?}");
    assert_eq!(audit[1].outcome.as_deref(), Some("forbidden"));
    // The answer is lost; the number is there.
    let (outcome, ..) = done(Deed::Scale { from: 2, to: 5 }, |asked, number| match (asked.method.as_str(), number) {
        ("GET", 0) => deployment("9", "u1", 2),
        ("GET", _) => deployment("10", "u1", 5),
        _ => Reply::Close,
    })
    .await;
    assert!(outcome.is_done(), "{outcome:?}");
}

#[tokio::test]
async fn what_is_asked_about_is_read_with_what_is_permitted() {
    let server = Scripted::start(|asked, _| match asked.path.as_str() {
        REVIEWS => {
            let review: Value = serde_json::from_str(&asked.body).unwrap();
            let verb = &review["spec"]["resourceAttributes"]["verb"];
            Reply::Json(201, json!({"status": {"allowed": verb == "patch"}}))
        }
        _ => deployment("9", "u1", 3),
    })
    .await;
    let key = key("local", "Deployment", "web", "hello");
    let prepared = prepare(&server.hub(), &key, &Verb::ALL).await.unwrap();
    assert_eq!((prepared.replicas, &*prepared.uid, &*prepared.path), (Some(3), "u1", PATH));
    assert_eq!(prepared.refusal(Verb::Restart), None);
    assert_eq!(prepared.refusal(Verb::Delete).map(|needs| &**needs), Some("needs delete on deployments.apps"));
    let reviews = server.asked_for("POST", REVIEWS);
    let asked: Value = serde_json::from_str(&reviews[0].body).unwrap();
    assert_eq!(asked["spec"]["resourceAttributes"]["group"], "apps");
    assert_eq!(asked["spec"]["resourceAttributes"]["namespace"], "web");
}

#[cfg(feature = "demo")]
#[expect(clippy::panic, reason = "what fails here fails the test")]
mod estate {
    use std::time::Duration;

    use lateen::{
        cluster::{Hub, actions::review, error::Error, request},
        demo::{Estate, Options},
        model::{
            acting::{Keeper, Right},
            key::AppKey,
        },
    };
    use tokio::time::{sleep, timeout};

    use super::*;

    async fn get(hub: &Hub, cluster: &str, path: &str) -> Result<Value, Error> {
        request::get_json(&hub.member(&ClusterId::named(cluster)), path, Duration::from_secs(10)).await
    }

    /// Reads until the answer is as wanted.
    async fn until(hub: &Hub, cluster: &str, path: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let found = timeout(Duration::from_secs(60), async {
            loop {
                if let Ok(found) = get(hub, cluster, path).await
                    && wanted(&found)
                {
                    return found;
                }
                sleep(Duration::from_millis(50)).await;
            }
        });
        found.await.unwrap_or_else(|_| panic!("{what} never came"))
    }

    async fn act(hub: &Hub, key: &ResourceKey, deed: Deed) -> Outcome {
        let prepared = prepare(hub, key, &[deed.verb()]).await.unwrap();
        perform(hub, &write(&prepared, deed), &mut |_| Ok(())).await
    }

    const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/default/deployments";
    const PODS: &str = "/api/v1/namespaces/default/pods";
    const RELEASE: &str = "/apis/helm.toolkit.fluxcd.io/v2beta1/namespaces/default/helmreleases/hello";

    fn is_ready(release: &Value) -> bool {
        let conditions = release["status"]["conditions"].as_array();
        conditions.into_iter().flatten().any(|one| one["type"] == "Ready" && one["status"] == "True")
    }

    fn running(list: &Value) -> Vec<String> {
        let pods = list["items"].as_array().into_iter().flatten();
        let running =
            pods.filter(|pod| pod["status"]["phase"] == "Running" && pod["metadata"]["deletionTimestamp"].is_null());
        let mut uids: Vec<String> = running.map(|pod| pod["metadata"]["uid"].as_str().unwrap().to_owned()).collect();
        uids.sort();
        uids
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_workload_is_restarted_scaled_and_deleted() {
        let estate = Estate::start(Options { speed: 20.0, ..Options::default() }).unwrap();
        let hub = hub::hub(&estate, "hub");
        // As long as the release is being installed Flux applies it anew, and with it the number of pods.
        until(&hub, "local", RELEASE, "the release is installed", is_ready).await;
        let before = running(&until(&hub, "local", PODS, "two pods", |list| running(list).len() == 2).await);
        let list = get(&hub, "local", DEPLOYMENTS).await.unwrap();
        let name = list["items"][0]["metadata"]["name"].as_str().unwrap().to_owned();
        let key = key("local", "Deployment", "default", &name);
        let prepared = prepare(&hub, &key, &Verb::ALL).await.unwrap();
        assert_eq!(prepared.replicas, Some(2));
        assert!(matches!(prepared.keeper, Some(Keeper::Flux(_))), "{prepared:?}");
        assert!(act(&hub, &key, Deed::Restart).await.is_done());
        let replaced = |list: &Value| {
            let now = running(list);
            now.len() == 2 && now.iter().all(|uid| !before.contains(uid))
        };
        until(&hub, "local", PODS, "two other pods", replaced).await;
        assert!(act(&hub, &key, Deed::Scale { from: 2, to: 3 }).await.is_done());
        until(&hub, "local", PODS, "three pods", |list| running(list).len() == 3).await;
        assert!(act(&hub, &key, Deed::Delete).await.is_done());
        until(&hub, "local", PODS, "no pods of it", |list| running(list).iter().all(|uid| before.contains(uid))).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn who_may_only_read_is_told_what_is_needed() {
        let estate = Estate::start(Options { speed: 20.0, ..Options::default() }).unwrap();
        let admin = hub::hub(&estate, "hub");
        until(&admin, "local", PODS, "two pods", |list| running(list).len() == 2).await;
        let list = get(&admin, "local", DEPLOYMENTS).await.unwrap();
        let name = list["items"][0]["metadata"]["name"].as_str().unwrap().to_owned();
        let reader = hub::hub(&estate, "hub-reader");
        let prepared = prepare(&reader, &key("local", "Deployment", "default", &name), &Verb::ALL).await.unwrap();
        assert_eq!(prepared.refusal(Verb::Restart).map(|needs| &**needs), Some("needs patch on deployments.apps"));
        assert_eq!(prepared.refusal(Verb::Delete).map(|needs| &**needs), Some("needs delete on deployments.apps"));
        let application = ResourceKey::application(&AppKey::new("default", "helm-hello"));
        let pod = key("local", "Pod", "default", "any");
        for (key, right, needs) in [
            (key("local", "Deployment", "default", &name), Right::Edit, "needs patch on deployments.apps"),
            (application, Right::Approve, "needs patch on applications/status.core.oam.dev"),
            (pod, Right::Shell, "needs create on pods/exec"),
        ] {
            assert_eq!(review(&admin, &key, right).await, Ok(()), "{key}");
            assert_eq!(review(&reader, &key, right).await, Err(needs.into()), "{key}");
        }
    }
}
