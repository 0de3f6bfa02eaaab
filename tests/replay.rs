//! What a real KubeVela wrote, fed through projection and store: every captured and sample Application gives a
//! sensible row and page, and a whole delivery, event by event, never says something that is not so.

#![expect(clippy::unwrap_used, reason = "a broken fixture is to fail the test")]

use std::{collections::BTreeMap, fmt::Write, fs, path::Path, time::Duration};

use lateen::{
    cluster::project,
    model::{
        age,
        application::{Application, Step, StepPhase},
        approval::waiting,
        cluster::LinkState,
        delta::{Delta, Query, Row, Scope},
        health::{Health, Standing, judge},
        key::{AppKey, ClusterId},
        pod::{Pod, PodOwner},
    },
    store::Store,
    yaml,
};
use serde_json::Value;

fn fixtures() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

fn read(file: &str) -> Vec<Value> {
    yaml::documents(&fs::read_to_string(fixtures().join(file)).unwrap()).unwrap()
}

fn captured(name: &str) -> Application {
    let object = read(&format!("captures/{name}")).remove(0);
    project::application(&object)
}

/// Every Application of a folder, by file name without its ending.
fn applications(folder: &str) -> BTreeMap<String, Application> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(fixtures().join(folder)).unwrap() {
        let path = entry.unwrap().path();
        if !path.extension().is_some_and(|ending| ending == "yaml" || ending == "json") {
            continue;
        }
        for object in yaml::documents(&fs::read_to_string(&path).unwrap()).unwrap() {
            if object["kind"] == "Application" {
                let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
                found.insert(stem, project::application(&object));
            }
        }
    }
    found
}

fn nobody_asked(_: &ClusterId) -> Option<&'static LinkState> {
    None
}

fn alone(app: &Application) -> Standing {
    judge(app, &[], &nobody_asked)
}

/// A row and a page as text.
fn told(app: &Application, standing: &Standing) -> String {
    let mut out = String::new();
    let health = standing.health.as_str();
    let _ = writeln!(out, "{} · {health} · {}", app.key, standing.status);
    let since = standing.since.map_or_else(|| "–".to_owned(), |since| since.to_string());
    let at = standing.at_step.as_deref().unwrap_or("–");
    let (done, all) = standing.steps;
    let _ = writeln!(
        out,
        "since {since} · steps {done}/{all} at {at} · health {}/{} · revision {}",
        standing.ready,
        standing.total,
        app.revision.as_deref().unwrap_or("–")
    );
    if let Some(reason) = &standing.reason {
        let _ = writeln!(out, "reason {reason}");
    }
    let _ = writeln!(out, "\nclusters");
    for cluster in &standing.clusters {
        let _ = write!(out, "  {} {} {}/{}", cluster.cluster, cluster.health.as_str(), cluster.ready, cluster.total);
        let _ = writeln!(out, "{}", cluster.reason.as_ref().map(|reason| format!(" · {reason}")).unwrap_or_default());
    }
    let _ = writeln!(out, "\nsteps");
    for step in &app.steps {
        tell_step(&mut out, step, 1);
    }
    let _ = writeln!(out, "\nwaiting");
    if let Some(waiting) = waiting(app) {
        for gate in &waiting.gates {
            let group = gate.group.as_ref().map(|group| format!(" in {group}")).unwrap_or_default();
            let _ = write!(out, "  {}{group} ({}) for {}", gate.step.name, gate.kind, gate.reason.as_str());
            for (word, time) in [("since", gate.since), ("until", gate.resumes_at)] {
                let _ = write!(out, "{}", time.map(|time| format!(" {word} {time}")).unwrap_or_default());
            }
            for target in &gate.deployed_to {
                let _ = write!(out, " already in {target}");
            }
            let _ = writeln!(out, "{}", gate.prompt.as_ref().map(|words| format!(" “{words}”")).unwrap_or_default());
        }
        for step in &waiting.next {
            let targets: Vec<String> = step.targets.iter().map(ToString::to_string).collect();
            let waits = if step.is_gate { ", waits again" } else { "" };
            let _ = writeln!(out, "  then {} ({}) → {}{waits}", step.name, step.kind, targets.join(", "));
        }
        let clusters: Vec<String> = waiting.clusters().iter().map(ToString::to_string).collect();
        let _ = writeln!(out, "  reaches {}", clusters.join(", "));
    }
    let _ = writeln!(out, "\nservices");
    for service in &app.services {
        let well = if service.is_well() { "well" } else { "not well" };
        let _ =
            writeln!(out, "  {}/{} {} {well} · {}", service.cluster, service.namespace, service.name, service.message);
    }
    if !app.conditions.is_empty() {
        let _ = writeln!(out, "\nconditions");
    }
    for condition in &app.conditions {
        let _ = writeln!(out, "  {}={} {} · {}", condition.kind, condition.status, condition.reason, condition.message);
    }
    for what in &app.malformed {
        let _ = writeln!(out, "malformed {what}");
    }
    out
}

fn tell_step(out: &mut String, step: &Step, depth: usize) {
    let targets: Vec<String> = step.targets.iter().map(ToString::to_string).collect();
    let _ = write!(out, "{}{} {} {}", "  ".repeat(depth), step.phase.as_str(), step.name, step.kind);
    if !targets.is_empty() {
        let _ = write!(out, " → {}", targets.join(", "));
    }
    if let (Some(started), Some(last)) = (step.started_at, step.last_run_at) {
        let _ = write!(out, " {}", age::precise(started, last));
    }
    if !step.message.is_empty() {
        let _ = write!(out, " · {}", step.message);
    }
    out.push('\n');
    for sub in &step.sub_steps {
        tell_step(out, sub, depth + 1);
    }
}

#[test]
fn every_captured_application_is_told() {
    for folder in ["captures", "samples"] {
        let all = applications(folder);
        assert!(all.len() > 5, "{folder}");
        for (name, app) in all {
            assert_eq!(app.malformed, Vec::<lateen::model::key::Text>::new(), "{name}");
            insta::assert_snapshot!(format!("{folder}-{name}"), told(&app, &alone(&app)));
        }
    }
}

fn lost(reason: &str) -> LinkState {
    let since = "2026-11-23T10:45:31Z".parse().unwrap();
    LinkState::Unreachable { since, last_seen: Some(since), next_try: since, reason: reason.into() }
}

#[test]
fn green_while_foo_is_down_is_unknown() {
    let app = captured("app-helm-hello-09-running-green-while-foo-is-down.yaml");
    assert_eq!((alone(&app).health, &*alone(&app).status), (Health::Ok, "running"));

    let lost = lost("connection refused");
    let live = LinkState::Live { latency: Duration::from_millis(3), at: "2026-11-23T10:46:00Z".parse().unwrap() };
    let standing = judge(&app, &[], &|cluster| Some(if cluster.as_str() == "foo" { &lost } else { &live }));
    insta::assert_snapshot!("green-while-foo-is-down", told(&app, &standing));
    assert_eq!(standing.health, Health::Unknown);
    assert_eq!(standing.reason.as_deref(), Some("hub says running; foo unreachable"));
}

fn crash_looping(owner: &PodOwner) -> Vec<Pod> {
    let list = read("samples/14-pods-unhealthy-and-events-foo.yaml").remove(0);
    let items = list["items"].as_array().unwrap().iter().filter(|item| item["kind"] == "Pod");
    items.map(|item| project::pod(&ClusterId::named("foo"), item, owner.clone()).unwrap()).collect()
}

#[test]
fn green_with_crash_looping_pods_has_failed() {
    let app = captured("app-helm-hello-green-with-crashlooping-pods.yaml");
    assert_eq!(alone(&app).health, Health::Ok);

    let owner = PodOwner { app: "helm-hello".into(), app_namespace: Some("default".into()), component: "hello".into() };
    let pods = crash_looping(&owner);
    assert_eq!(pods.len(), 2);
    let scope = |query| Scope { cluster: ClusterId::named("foo"), query };
    let mut store = Store::new();
    let hub = Scope { cluster: ClusterId::local(), query: Query::Applications(None) };
    store.apply(Delta::Upsert { scope: hub, epoch: 1, row: Row::Application(Box::new(app.clone())) });
    for pod in pods {
        let scope = scope(Query::ReleasePods("default".into()));
        store.apply(Delta::Upsert { scope, epoch: 1, row: Row::Pod(Box::new(pod)) });
    }
    let entry = store.application(&app.key).unwrap();
    insta::assert_snapshot!("green-with-crash-looping-pods", told(&entry.row, &entry.standing));
    assert_eq!(entry.standing.health, Health::Failed);
    assert_eq!(&*entry.standing.status, "unhealthy 1/2");
    assert_eq!(store.counts().get(Health::Failed), 1);
}

/// How far a step is; a step never goes back within one run.
fn rank(phase: &StepPhase) -> u8 {
    match phase {
        StepPhase::Ahead => 0,
        StepPhase::Pending => 1,
        StepPhase::Suspending => 2,
        StepPhase::Running => 3,
        StepPhase::Failed | StepPhase::Skipped | StepPhase::Succeeded | StepPhase::Other(_) => 4,
    }
}

#[test]
fn a_delivery_event_by_event() {
    let events = fs::read_to_string(fixtures().join("captures/watch-applications-helm-hello.jsonl")).unwrap();
    let key = AppKey::new("default", "helm-hello");
    let scope = Scope { cluster: ClusterId::local(), query: Query::Applications(None) };
    let mut store = Store::new();
    let mut before: Option<Application> = None;
    let mut lines = String::new();
    for (index, event) in events.lines().enumerate() {
        let event: Value = serde_json::from_str(event).unwrap();
        let app = project::application(&event["object"]);
        assert!(app.malformed.is_empty(), "{index}: {:?}", app.malformed);
        let row = Row::Application(Box::new(app));
        assert!(store.apply(Delta::Upsert { scope: scope.clone(), epoch: 1, row }), "{index} changed nothing");

        let entry = store.application(&key).unwrap();
        let (app, standing) = (&entry.row, &entry.standing);
        let suspended = app.workflow.as_ref().is_some_and(|workflow| workflow.suspend);
        let all_done = !app.steps.is_empty() && app.steps.iter().all(|step| step.phase == StepPhase::Succeeded);
        if standing.health == Health::Ok {
            assert!(all_done && !suspended, "{index} is ok too early");
            assert_eq!(app.generation, app.observed_generation, "{index} is ok for an old spec");
        }
        assert_eq!(suspended, standing.health == Health::Waiting, "{index}");
        assert_eq!(suspended, entry.waiting.is_some(), "{index}");
        assert_eq!(store.counts().total(), 1);
        assert_eq!(store.approvals().len(), usize::from(suspended));
        if let Some(before) = before.filter(|before| before.revision == app.revision) {
            for (was, is) in before.steps.iter().zip(&app.steps) {
                assert_eq!(was.name, is.name, "{index}");
                assert!(rank(&was.phase) <= rank(&is.phase), "{index}: {} went back", is.name);
            }
        }
        before = Some(app.clone());
        let marks: Vec<&str> = app.steps.iter().map(|step| step.phase.as_str()).collect();
        let places: Vec<String> =
            standing.clusters.iter().map(|at| format!("{} {}", at.cluster, at.health.as_str())).collect();
        let _ = writeln!(
            lines,
            "{index:>2} {:<11} {:<50} {}/{} {} | {}",
            standing.health.as_str(),
            standing.status,
            standing.steps.0,
            standing.steps.1,
            marks.join(" "),
            places.join(", ")
        );
    }
    insta::assert_snapshot!("watch-applications-helm-hello", lines);
}

#[test]
fn clusters_are_read() {
    let list: Value =
        serde_json::from_str(&fs::read_to_string(fixtures().join("captures/virtualclusters-list.json")).unwrap())
            .unwrap();
    let rows: Vec<_> = list["items"].as_array().unwrap().iter().filter_map(project::cluster).collect();
    let foo = &rows[1];
    assert!(rows[0].id.is_local());
    assert_eq!((foo.id.as_str(), &*foo.alias, &*foo.kind), ("foo", "Foo cluster", "X509Certificate"));
    assert_eq!(foo.labels, [("region".into(), "eu".into())]);
}
