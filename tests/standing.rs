//! How an application stands and what it waits for, over the shapes that KubeVela 1.4 to 1.11 write: a table of
//! statuses, fed through the projection as a watch would.

#![expect(clippy::unwrap_used, reason = "a broken fixture is to fail the test")]
#![expect(clippy::needless_pass_by_value, reason = "cases are written as literals")]

use std::time::Duration;

use lateen::{
    cluster::project,
    model::{
        application::{Application, StepPhase},
        approval::{GateReason, waiting},
        cluster::LinkState,
        health::{Health, Standing, judge},
        key::ClusterId,
        pod::{Pod, PodOwner},
    },
};
use serde_json::{Value, json};

fn deploy(name: &str, policies: &[&str]) -> Value {
    json!({"name": name, "type": "deploy", "properties": {"policies": policies}})
}

/// `web`, with topologies for local and foo, and the steps given.
fn spec(steps: Value) -> Value {
    json!({
        "components": [{"name": "web", "type": "webservice"}],
        "policies": [
            {"name": "local", "type": "topology", "properties": {"clusters": ["local"]}},
            {"name": "foo", "type": "topology", "properties": {"clusters": ["foo"]}},
            {"name": "eu", "type": "topology", "properties": {"clusterLabelSelector": {"region": "eu"}}},
            {"name": "test", "type": "topology", "properties": {"clusters": ["local"], "namespace": "test"}},
            {"name": "prod", "type": "topology", "properties": {"clusters": ["local"], "namespace": "prod"}},
            {"name": "many", "type": "topology", "properties": {"clusters": ["a", "b", "c", "d"]}},
            {"name": "big", "type": "override", "properties": {"components": [{"name": "web"}]}},
        ],
        "workflow": {"steps": steps},
    })
}

fn usual() -> Value {
    json!([
        deploy("to-local", &["local"]),
        {"name": "ask", "type": "suspend", "properties": {"message": "Please approve foo"}},
        deploy("to-foo", &["foo", "big"]),
    ])
}

fn object(steps: Value, status: Value) -> Value {
    let mut object = json!({
        "apiVersion": "core.oam.dev/v1beta1",
        "kind": "Application",
        "metadata": {
            "name": "web", "namespace": "default", "uid": "u", "resourceVersion": "7", "generation": 1,
            "creationTimestamp": "2026-11-23T10:00:00Z",
        },
        "spec": spec(steps),
    });
    if !status.is_null() {
        object["status"] = status;
        if object["status"]["observedGeneration"].is_null() {
            object["status"]["observedGeneration"] = json!(1);
        }
        if object["status"]["latestRevision"].is_null() {
            object["status"]["latestRevision"] = json!({"name": "web-v1"});
        }
    }
    object
}

/// A status with that phase and workflow; steps as `name:phase:reason`, their type guessed from the name.
fn status(phase: &str, workflow: Value, steps: &[&str], services: Value) -> Value {
    let mut workflow = workflow;
    let told: Vec<Value> = steps.iter().map(|step| told(step)).collect();
    workflow["steps"] = json!(told);
    for (key, value) in [("appRevision", json!("web-v1")), ("mode", json!("StepByStep-DAG"))] {
        if workflow[key].is_null() {
            workflow[key] = value;
        }
    }
    for key in ["suspend", "terminated", "finished"] {
        workflow[key] = json!(workflow[key].as_bool().unwrap_or(false));
    }
    json!({"status": phase, "workflow": workflow, "services": services})
}

fn told(step: &str) -> Value {
    let mut parts = step.splitn(4, ':');
    let mut next = || parts.next().unwrap_or_default().to_owned();
    let (name, phase, reason, message) = (next(), next(), next(), next());
    let kind = match &*name {
        "ask" | "soak" => "suspend",
        _ if name.starts_with("manual-approve") => "suspend",
        _ => "deploy",
    };
    json!({
        "id": format!("id-{name}"), "name": name, "type": kind, "phase": phase, "reason": reason, "message": message,
        "firstExecuteTime": "2026-11-23T10:01:00Z", "lastExecuteTime": "2026-11-23T10:02:00Z",
    })
}

fn service(cluster: &str, healthy: bool, message: &str) -> Value {
    json!({"name": "web", "namespace": "default", "cluster": cluster, "healthy": healthy, "message": message})
}

fn nobody_asked(_: &ClusterId) -> Option<&'static LinkState> {
    None
}

fn alone(app: &Application) -> Standing {
    judge(app, &[], &nobody_asked)
}

struct Case {
    what: &'static str,
    object: Value,
    health: Health,
    status: &'static str,
    /// A part of the reason; empty: there is none.
    reason: &'static str,
}

fn with(mut object: Value, edit: impl FnOnce(&mut Value)) -> Value {
    edit(&mut object);
    object
}

fn cases() -> Vec<Case> {
    let done = ["to-local:succeeded", "ask:succeeded", "to-foo:succeeded"];
    let finished = json!({"status": "succeeded", "finished": true});
    let both = || json!([service("local", true, ""), service("foo", true, "")]);
    let running = || object(usual(), status("running", finished.clone(), &done, both()));
    let executing = json!({"status": "executing"});
    let at_foo = ["to-local:succeeded", "ask:succeeded", "to-foo:running:Wait:foo///web is not healthy"];
    let suspended = json!({"status": "suspending", "suspend": true});
    let case = |what, object, health, status, reason| Case { what, object, health, status, reason };
    vec![
        case("no status", object(usual(), Value::Null), Health::Pending, "not yet observed (generation 1, seen 0)", ""),
        case("empty status", object(usual(), json!({})), Health::Pending, "not reconciled yet", ""),
        case("starting", object(usual(), json!({"status": "starting"})), Health::Progressing, "starting", ""),
        case(
            "generating policies",
            object(usual(), json!({"status": "generatingPolicy"})),
            Health::Progressing,
            "generating policies",
            "",
        ),
        case(
            "a type that does not exist",
            object(
                usual(),
                json!({"status": "rendering", "conditions": [
                    {"type": "Parsed", "status": "True"},
                    {"type": "Render", "status": "False", "reason": "ReconcileError", "message": "no such type"},
                ]}),
            ),
            Health::Failed,
            "failed: rendering",
            "no such type",
        ),
        case("running", running(), Health::Ok, "running", ""),
        case(
            "running without services",
            object(usual(), status("running", finished.clone(), &done, json!([]))),
            Health::Ok,
            "running",
            "",
        ),
        case(
            "old evidence is not the state",
            with(running(), |o| {
                o["status"]["conditions"] = json!([{"type": "StateKeep", "status": "False", "message": "dial tcp"}]);
            }),
            Health::Ok,
            "running",
            "",
        ),
        case(
            "edited",
            with(running(), |o| {
                o["metadata"]["generation"] = json!(4);
                o["status"]["observedGeneration"] = json!(3);
            }),
            Health::Progressing,
            "not yet observed (generation 4, seen 3)",
            "",
        ),
        case(
            "an old workflow under a new revision",
            with(running(), |o| o["status"]["latestRevision"]["name"] = json!("web-v2")),
            Health::Progressing,
            "starting web-v2",
            "",
        ),
        case(
            "a revision with its hash, as before 1.9",
            with(running(), |o| o["status"]["workflow"]["appRevision"] = json!("web-v1:6c1f0c9a7d3be210")),
            Health::Ok,
            "running",
            "",
        ),
        case(
            "v1 is not v11",
            with(running(), |o| o["status"]["workflow"]["appRevision"] = json!("web-v11")),
            Health::Progressing,
            "starting web-v1",
            "",
        ),
        case(
            "pinned",
            with(running(), |o| {
                o["metadata"]["annotations"] = json!({"app.oam.dev/publishVersion": "v2"});
                o["status"]["workflow"]["appRevision"] = json!("v2");
            }),
            Health::Ok,
            "running, pinned v2",
            "",
        ),
        case(
            "published anew",
            with(running(), |o| {
                o["metadata"]["annotations"] = json!({"app.oam.dev/publishVersion": "v3"});
                o["status"]["workflow"]["appRevision"] = json!("v2");
            }),
            Health::Progressing,
            "starting v3",
            "",
        ),
        case(
            "frozen",
            with(running(), |o| {
                o["metadata"]["annotations"] = json!({"app.oam.dev/controller-version-require": "Disabled"});
            }),
            Health::Ok,
            "frozen (controller-version-require)",
            "the controller must be Disabled",
        ),
        case(
            "a version that may well be the one that runs",
            with(running(), |o| {
                o["metadata"]["annotations"] = json!({"app.oam.dev/controller-version-require": "v1.10.9"});
            }),
            Health::Ok,
            "running",
            "",
        ),
        case(
            "paused in the middle",
            with(object(usual(), status("runningWorkflow", executing.clone(), &at_foo, both())), |o| {
                o["metadata"]["labels"] = json!({"controller.core.oam.dev/pause": "true"});
            }),
            Health::Pending,
            "paused",
            "deploying to foo",
        ),
        case(
            "deleting",
            with(running(), |o| {
                o["metadata"]["deletionTimestamp"] = json!("2026-11-23T11:00:00Z");
                o["status"]["status"] = json!("deleting");
            }),
            Health::Progressing,
            "deleting",
            "",
        ),
        case(
            "restarted",
            with(running(), |o| o["status"]["workflow"] = Value::Null),
            Health::Progressing,
            "restarting",
            "",
        ),
        case(
            "deploying",
            object(usual(), status("runningWorkflow", executing.clone(), &at_foo, both())),
            Health::Progressing,
            "deploying to foo",
            "web in foo is not healthy",
        ),
        case(
            "deploying by label",
            object(
                json!([deploy("go", &["eu"])]),
                status("runningWorkflow", executing.clone(), &["go:running"], json!([])),
            ),
            Health::Progressing,
            "deploying to clusters region=eu",
            "",
        ),
        case(
            "deploying to one of two namespaces",
            object(
                json!([deploy("one", &["test"]), deploy("two", &["prod"])]),
                status("runningWorkflow", executing.clone(), &["one:succeeded", "two:running"], json!([])),
            ),
            Health::Progressing,
            "deploying to local/prod",
            "",
        ),
        case(
            "deploying to many",
            object(
                json!([deploy("go", &["many"])]),
                status("runningWorkflow", executing.clone(), &["go:running"], json!([])),
            ),
            Health::Progressing,
            "deploying to 4 clusters",
            "",
        ),
        case(
            "deploying without a topology goes to the hub",
            object(
                json!([deploy("go", &["big"])]),
                status("runningWorkflow", executing.clone(), &["go:running"], json!([])),
            ),
            Health::Progressing,
            "deploying to local",
            "",
        ),
        case(
            "an error is tried again",
            object(
                usual(),
                status(
                    "runningWorkflow",
                    executing.clone(),
                    &["to-local:failed:Execute:dial tcp (value: #do: x)"],
                    json!([]),
                ),
            ),
            Health::Progressing,
            "retrying to-local",
            "dial tcp",
        ),
        case(
            "failed, and what must always run still runs",
            object(
                usual(),
                status(
                    "runningWorkflow",
                    json!({"status": "executing", "terminated": true}),
                    &["to-local:failed:Timeout", "to-foo:running"],
                    json!([]),
                ),
            ),
            Health::Failed,
            "failed: to-local",
            "timed out",
        ),
        case(
            "Flux has given up, the workflow goes on waiting",
            object(
                usual(),
                status(
                    "runningWorkflow",
                    executing.clone(),
                    &at_foo,
                    json!([service("foo", false, "install retries exhausted"), service("local", true, "")]),
                ),
            ),
            Health::Failed,
            "failed: to-foo",
            "web: install retries exhausted in foo",
        ),
        case(
            "failed",
            object(
                usual(),
                status(
                    "workflowFailed",
                    json!({"status": "failed", "terminated": true, "finished": true}),
                    &[
                        "to-local:succeeded",
                        "ask:succeeded",
                        "to-foo:failed:FailedAfterRetries:function call error for deploy: refused",
                    ],
                    json!([service("local", true, "")]),
                ),
            ),
            Health::Failed,
            "failed: to-foo",
            "refused",
        ),
        case(
            "terminated",
            object(
                usual(),
                status(
                    "workflowTerminated",
                    json!({"terminated": true, "finished": true}),
                    &["to-local:succeeded", "ask:failed:Terminate", "to-foo:skipped:Skip"],
                    json!([service("local", true, "")]),
                ),
            ),
            Health::Failed,
            "terminated",
            "terminated at ask",
        ),
        case(
            "being terminated",
            object(
                usual(),
                status("runningWorkflow", json!({"terminated": true}), &["to-local:failed:Terminate"], json!([])),
            ),
            Health::Progressing,
            "terminating",
            "terminated at to-local",
        ),
        case(
            "waiting, in its author's words",
            object(
                usual(),
                status(
                    "workflowSuspending",
                    suspended.clone(),
                    &["to-local:succeeded", "ask:suspending:Suspend"],
                    both(),
                ),
            ),
            Health::Waiting,
            "waiting for approval",
            "Please approve foo",
        ),
        case(
            "waiting while what is deployed is sick",
            object(
                usual(),
                status(
                    "workflowSuspending",
                    suspended.clone(),
                    &["to-local:succeeded", "ask:suspending:Suspend"],
                    json!([service("local", false, "Ready:0/1")]),
                ),
            ),
            Health::Failed,
            "waiting for approval",
            "web: Ready:0/1 in local",
        ),
        case(
            "resumed, and not come to yet",
            object(
                usual(),
                status(
                    "workflowSuspending",
                    json!({"status": "suspending"}),
                    &["to-local:succeeded", "ask:running:Suspend"],
                    both(),
                ),
            ),
            Health::Progressing,
            "resuming",
            "",
        ),
        case(
            "suspended by hand",
            object(usual(), status("workflowSuspending", suspended.clone(), &["to-local:suspending:Wait"], json!([]))),
            Health::Waiting,
            "suspended by hand",
            "",
        ),
        case(
            "suspended by hand before 1.8",
            object(
                usual(),
                status(
                    "workflowSuspending",
                    json!({"suspend": true, "mode": "StepByStep"}),
                    &["to-local:succeeded", "ask:succeeded", "to-foo:running:Wait"],
                    json!([service("local", true, "")]),
                ),
            ),
            Health::Waiting,
            "suspended by hand",
            "",
        ),
        case(
            "suspended after failing too often",
            object(
                usual(),
                status("workflowSuspending", suspended, &["to-local:failed:FailedAfterRetries:no quota"], json!([])),
            ),
            Health::Failed,
            "failed: to-local, suspended",
            "no quota",
        ),
        case(
            "unhealthy",
            object(
                usual(),
                status(
                    "unhealthy",
                    finished.clone(),
                    &done,
                    json!([service("local", true, ""), service("foo", false, "Ready:2/3")]),
                ),
            ),
            Health::Failed,
            "unhealthy 1/2",
            "web: Ready:2/3 in foo",
        ),
        case(
            "a trait that is not well",
            object(
                usual(),
                status(
                    "unhealthy",
                    finished.clone(),
                    &done,
                    json!([with(service("foo", true, ""), |s| {
                        s["traits"] = json!([
                            {"type": "gateway", "healthy": false, "message": "no address"},
                            {"type": "hpa", "healthy": false, "pending": true},
                        ]);
                    })]),
                ),
            ),
            Health::Failed,
            "unhealthy 0/1",
            "web: trait gateway: no address in foo",
        ),
        case(
            "a phase nobody knows",
            object(usual(), status("meditating", finished.clone(), &done, both())),
            Health::Unknown,
            "meditating",
            "does not know",
        ),
        case(
            "a status that is not as expected",
            with(running(), |o| o["status"]["services"][1]["healthy"] = json!("yes")),
            Health::Failed,
            "unhealthy 1/2",
            "web is not healthy in foo",
        ),
        case(
            "a workflow that is not as expected",
            with(running(), |o| o["status"]["workflow"]["finished"] = json!("maybe")),
            Health::Unknown,
            "running",
            "status.workflow.finished: not a boolean",
        ),
    ]
}

#[test]
fn every_state_has_its_words() {
    for case in cases() {
        let standing = alone(&project::application(&case.object));
        assert_eq!((standing.health, &*standing.status), (case.health, case.status), "{}", case.what);
        let reason = standing.reason.as_deref().unwrap_or_default();
        assert!(reason.contains(case.reason), "{}: {reason:?}", case.what);
        assert_eq!(reason.is_empty(), case.reason.is_empty(), "{}: {reason:?}", case.what);
        assert!(!reason.contains("(value:"), "{}: {reason:?}", case.what);
    }
}

fn gates(app: &Application) -> Vec<(String, GateReason)> {
    waiting(app).into_iter().flat_map(|w| w.gates).map(|gate| (gate.step.name.to_string(), gate.reason)).collect()
}

fn next(app: &Application) -> Vec<String> {
    let waiting = waiting(app).unwrap();
    waiting
        .next
        .iter()
        .map(|step| {
            let targets: Vec<String> = step.targets.iter().map(ToString::to_string).collect();
            format!("{}>{}{}", step.name, targets.join("+"), if step.is_gate { "!" } else { "" })
        })
        .collect()
}

fn project_with(steps: Value, workflow: Value, told: &[&str]) -> Application {
    project::application(&object(steps, status("workflowSuspending", workflow, told, json!([]))))
}

#[test]
fn what_waits_is_found_in_every_version() {
    let modern = json!({"status": "suspending", "suspend": true});
    let v1_6 = modern.clone();
    let v1_4 = json!({"suspend": true, "mode": "StepByStep"});
    let ask = vec![("ask".to_owned(), GateReason::Approval)];
    for (what, workflow, step) in [
        ("1.8 and later", modern.clone(), "ask:suspending:Suspend"),
        ("1.6 and 1.7", v1_6, "ask:running"),
        ("1.5", v1_4.clone(), "ask:running"),
        ("1.4", v1_4, "ask:succeeded"),
    ] {
        let app = project_with(usual(), workflow, &["to-local:succeeded", step]);
        assert_eq!(gates(&app), ask, "{what}");
        assert_eq!(next(&app), ["to-foo>foo"], "{what}");
        assert_eq!(app.steps[1].phase, StepPhase::Suspending, "{what}");
        let waiting = waiting(&app).unwrap();
        assert_eq!(waiting.gates[0].prompt.as_deref(), Some("Please approve foo"));
        assert_eq!(waiting.gates[0].since.unwrap().to_string(), "2026-11-23T10:01:00Z");
        assert_eq!(waiting.clusters(), [ClusterId::named("foo")]);
        let approval = waiting.approval(&app, None);
        assert_eq!((&*approval.steps[0].id, &*approval.app_revision, approval.generation), ("id-ask", "web-v1", 1));
    }
    // Not suspended, over, or of a revision that is no more: nothing waits.
    let told = ["to-local:succeeded", "ask:suspending:Suspend"];
    for workflow in [
        json!({"status": "suspending", "suspend": false}),
        json!({"suspend": true, "terminated": true}),
        json!({"suspend": true, "finished": true}),
        json!({"suspend": true, "appRevision": "web-v0"}),
    ] {
        assert_eq!(gates(&project_with(usual(), workflow.clone(), &told)), [], "{workflow}");
    }
}

#[test]
fn an_injected_approval_stands_before_its_deploy() {
    let auto = |name: &str| json!({"name": name, "type": "deploy", "properties": {"auto": false, "policies": ["foo"]}});
    let workflow = json!({"status": "suspending", "suspend": true});
    let steps = json!([deploy("to-local", &["local"]), auto("to-foo"), deploy("last", &["prod"])]);
    let app = project_with(
        steps.clone(),
        workflow.clone(),
        &["to-local:succeeded", "manual-approve-to-foo:suspending:Suspend"],
    );
    let names: Vec<&str> = app.steps.iter().map(|step| &*step.name).collect();
    assert_eq!(names, ["to-local", "manual-approve-to-foo", "to-foo", "last"]);
    assert_eq!(next(&app), ["to-foo>foo", "last>local/prod"]);
    assert!(waiting(&app).unwrap().gates[0].deployed_to.is_empty(), "it has not deployed");

    // 1.9 and later: the deploy step itself waits, and has deployed.
    let app = project_with(steps, workflow, &["to-local:succeeded", "to-foo:suspending:Suspend"]);
    let waiting = waiting(&app).unwrap();
    assert_eq!(waiting.gates[0].deployed_to.len(), 1);
    assert_eq!(next(&app), ["last>local/prod"]);
    assert_eq!(waiting.clusters(), [ClusterId::named("foo"), ClusterId::local()], "it deploys again there");
}

fn group(status: &str, subs: &[&str]) -> Value {
    let mut group = told(&format!("group:{status}"));
    group["type"] = json!("step-group");
    group["subSteps"] = json!(subs.iter().map(|sub| told(sub)).collect::<Vec<_>>());
    group
}

#[test]
fn gates_in_groups() {
    let steps = json!([
        {"name": "group", "type": "step-group", "subSteps": [
            {"name": "soak", "type": "suspend", "properties": {"duration": "2m15s"}},
            {"name": "ask", "type": "suspend"},
            with(deploy("after", &["foo"]), |step| step["dependsOn"] = json!(["ask"])),
        ]},
        deploy("last", &["prod"]),
    ]);
    let told = |mode: &str, subs: &[&str]| {
        let mut object =
            object(steps.clone(), status("workflowSuspending", json!({"suspend": true, "mode": mode}), &[], json!([])));
        object["status"]["workflow"]["steps"] = json!([group("suspending", subs)]);
        project::application(&object)
    };
    let app = told("StepByStep-DAG", &["soak:suspending:Suspend", "ask:suspending:Suspend"]);
    assert_eq!(gates(&app), [("soak".to_owned(), GateReason::Duration), ("ask".to_owned(), GateReason::Approval)]);
    assert_eq!(next(&app), ["after>foo", "last>local/prod"]);
    let both = waiting(&app).unwrap();
    assert_eq!(both.gates[0].resumes_at.unwrap().to_string(), "2026-11-23T10:03:15Z");
    assert_eq!(both.gates[0].group.as_deref(), Some("group"));
    assert_eq!(both.first().unwrap().step.name.as_ref(), "ask");
    assert!(both.needs_person());
    assert_eq!(both.approval(&app, Some("ask")).steps.len(), 1);

    let app = told("StepByStep-StepByStep", &["soak:suspending:Suspend"]);
    assert_eq!(next(&app), ["ask>!"], "one after the other: the next gate is in the group");
    assert!(!waiting(&app).unwrap().needs_person());
    assert_eq!(&*alone(&app).status, "waiting, goes on by itself");
}

#[test]
fn a_deploy_that_waits_in_its_group_has_not_failed() {
    let steps = json!([{"name": "group", "type": "step-group", "subSteps": [
        deploy("to-local", &["local"]),
        with(deploy("to-foo", &["foo"]), |step| step["dependsOn"] = json!(["to-local"])),
    ]}]);
    let standing = |subs: &[&str], workflow: Value| {
        let services = json!([service("local", true, ""), service("foo", false, "Ready:0/1")]);
        let mut object = object(steps.clone(), status("runningWorkflow", workflow, &[], services));
        object["status"]["workflow"]["steps"] = json!([group("running", subs)]);
        let standing = alone(&project::application(&object));
        standing.clusters.iter().find(|place| place.cluster.as_str() == "foo").unwrap().health
    };
    let executing = json!({"status": "executing"});
    assert_eq!(standing(&["to-local:running:Wait"], executing.clone()), Health::Progressing);
    assert_eq!(standing(&["to-local:running:Wait", "to-foo:pending"], executing.clone()), Health::Progressing);
    assert_eq!(standing(&["to-local:succeeded", "to-foo:succeeded"], executing.clone()), Health::Failed);
    assert_eq!(standing(&["to-local:succeeded", "to-foo:failed:FailedAfterRetries"], executing), Health::Failed);
    let over = json!({"status": "failed", "finished": true, "terminated": true});
    assert_eq!(standing(&["to-local:succeeded", "to-foo:pending"], over), Health::Failed);
}

#[test]
fn a_graph_goes_on_where_it_depends() {
    let after = |step: Value, name: &str| with(step, |step| step["dependsOn"] = json!([name]));
    let steps = json!([
        {"name": "ask", "type": "suspend"},
        after(deploy("one", &["foo"]), "ask"),
        after(deploy("two", &["prod"]), "one"),
        after(deploy("other", &["test"]), "elsewhere"),
    ]);
    let app = project_with(steps, json!({"suspend": true, "mode": "DAG-DAG"}), &["ask:suspending:Suspend"]);
    assert_eq!(next(&app), ["one>foo", "two>local/prod"]);
}

#[test]
fn steps_that_kubevela_generates() {
    let generated = |spec: Value| {
        let app = project::application(&json!({"metadata": {"name": "web"}, "spec": spec}));
        app.steps
            .iter()
            .map(|step| {
                let targets: Vec<String> = step.targets.iter().map(ToString::to_string).collect();
                format!("{} {} {} {}", step.name, step.kind, targets.join("+"), step.overrides.join("+"))
            })
            .collect::<Vec<_>>()
    };
    let components = json!([{"name": "a", "type": "worker"}, {"name": "b", "type": "worker"}]);
    let foo = json!({"name": "foo", "type": "topology", "properties": {"clusters": ["foo", "bar"]}});
    let big = json!({"name": "big", "type": "override"});
    let nowhere = json!({"name": "none", "type": "topology", "properties": {"clusters": [], "allowEmpty": true}});
    for (spec, steps) in [
        (json!({"components": components}), vec!["a apply-component local ", "b apply-component local "]),
        (json!({"components": components, "policies": [foo, big]}), vec!["deploy-foo deploy foo+bar big"]),
        (json!({"components": components, "policies": [big]}), vec!["deploy deploy local big"]),
        (json!({"components": components, "policies": [nowhere]}), vec!["deploy-none deploy  "]),
        (json!({"components": components, "workflow": {"ref": "elsewhere"}}), vec![]),
        (
            json!({"workflow": {"steps": [{"type": "deploy", "properties": {"policies": ["outside"]}}]}}),
            vec!["step-0 deploy policy outside "],
        ),
    ] {
        assert_eq!(generated(spec), steps);
    }
}

fn live() -> LinkState {
    LinkState::Live { latency: Duration::from_millis(1), at: "2026-11-23T10:00:00Z".parse().unwrap() }
}

fn lost() -> LinkState {
    let at = "2026-11-23T10:00:00Z".parse().unwrap();
    LinkState::Unreachable { since: at, last_seen: None, next_try: at, reason: "i/o timeout".into() }
}

#[test]
fn a_lost_cluster_speaks_only_where_something_is() {
    let told = ["to-local:succeeded", "ask:suspending:Suspend"];
    let services = json!([service("local", true, "")]);
    let workflow = json!({"status": "suspending", "suspend": true});
    let app = project::application(&object(usual(), status("workflowSuspending", workflow, &told, services)));
    let (live, lost) = (live(), lost());
    let link = |name: &'static str| {
        let (live, lost) = (&live, &lost);
        move |cluster: &ClusterId| Some(if cluster.as_str() == name { lost } else { live })
    };
    // Nothing is on foo yet: the application still waits, and foo says why one should think twice.
    let standing = judge(&app, &[], &link("foo"));
    assert_eq!((standing.health, &*standing.status), (Health::Waiting, "waiting for approval"));
    assert_eq!(standing.clusters[1].health, Health::Pending);
    assert_eq!(standing.clusters[1].reason.as_deref(), Some("unreachable: i/o timeout"));
    // What runs on local cannot be seen: that is worse than waiting.
    let standing = judge(&app, &[], &link("local"));
    assert_eq!((standing.health, &*standing.status), (Health::Unknown, "waiting for approval"));
    assert_eq!(standing.reason.as_deref(), Some("hub says waiting for approval; local unreachable"));
}

fn pod(name: &str, status: Value) -> Pod {
    let object = json!({
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"containers": [{"name": "c"}]},
        "status": status,
    });
    let owner = PodOwner { app: "web".into(), app_namespace: None, component: "web".into() };
    project::pod(&ClusterId::named("foo"), &object, owner).unwrap()
}

fn container(state: Value, ready: bool) -> Value {
    json!({"phase": "Running", "containerStatuses": [{"name": "c", "ready": ready, "state": state}]})
}

#[test]
fn live_pods_overrule() {
    let finished = json!({"status": "succeeded", "finished": true});
    let done = ["to-local:succeeded", "ask:succeeded", "to-foo:succeeded"];
    let services = json!([service("local", true, ""), service("foo", true, "")]);
    let app = project::application(&object(usual(), status("running", finished, &done, services)));
    let well = || pod("well", container(json!({"running": {}}), true));
    let looping = || pod("looping", container(json!({"waiting": {"reason": "CrashLoopBackOff"}}), false));
    let starting = || pod("starting", container(json!({"waiting": {"reason": "ContainerCreating"}}), false));
    let evicted = || pod("evicted", json!({"phase": "Failed", "reason": "Evicted"}));
    let (running, unhealthy) = ("running", "unhealthy 1/2");
    for (pods, health, status, reason) in [
        (vec![well()], Health::Ok, running, None),
        (vec![well(), starting()], Health::Ok, running, None),
        (vec![well(), evicted()], Health::Ok, running, None),
        (vec![starting()], Health::Progressing, "0/1 pods ready in foo", None),
        (vec![well(), looping()], Health::Failed, unhealthy, Some("1/2 pods CrashLoopBackOff in foo")),
        (vec![evicted()], Health::Failed, unhealthy, Some("1/1 pods Evicted in foo")),
    ] {
        let pods: Vec<&Pod> = pods.iter().collect();
        let standing = judge(&app, &pods, &nobody_asked);
        assert_eq!((standing.health, &*standing.status), (health, status), "{pods:?}");
        assert_eq!(standing.reason.as_deref(), reason);
    }
}

#[test]
fn odd_objects_are_listed_and_break_nothing() {
    let nothing = project::application(&json!({}));
    assert_eq!(nothing.malformed, ["metadata.name: missing".into()]);
    assert_eq!(alone(&nothing).health, Health::Unknown);

    for odd in [
        Value::Null,
        json!([]),
        json!("text"),
        json!({"metadata": 3, "spec": [], "status": "running"}),
        json!({"metadata": {"name": ["x"]}, "spec": {"components": {}, "policies": [1, null], "workflow": {"steps": "x"}}}),
        json!({"metadata": {"name": "x"}, "status": {"workflow": {"steps": [null, {}, {"name": 1, "subSteps": {}}]}}}),
        json!({"metadata": {"name": "x", "generation": "2", "creationTimestamp": "yesterday", "managedFields": 1}}),
        json!({"metadata": {"name": "x"}, "status": {"services": [{}, 1], "conditions": [{"status": true}]}}),
    ] {
        let app = project::application(&odd);
        assert!(!app.malformed.is_empty(), "{odd}");
        let standing = alone(&app);
        assert!(standing.health <= Health::Unknown, "{odd}: {standing:?}");
        let _ = waiting(&app);
    }

    let odd_words = project::application(&object(
        usual(),
        status(
            "running\u{1b}[31m",
            json!({"finished": false}),
            &["to-local:con\u{7}fused", "ask:succeeded"],
            json!([]),
        ),
    ));
    assert_eq!(&*odd_words.phase, "running\u{1b}[31m", "kept: the printers escape");
    assert_eq!(odd_words.steps[0].phase, StepPhase::Other("con\u{7}fused".into()));
    assert_eq!(alone(&odd_words).health, Health::Unknown);
}
