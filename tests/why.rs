//! Why: a table of what can be wrong, each with the chain that is told of it. Facts are the answers of servers, read by
//! the same projection that the dashboard uses. Every captured and sample application that is not ok has its chain too.

#![expect(clippy::unwrap_used, reason = "a broken case is to fail the test")]

use std::{collections::BTreeMap, fmt::Write as _, fs, path::Path, time::Duration};

use insta::assert_snapshot;
use jiff::Timestamp;
use lateen::{
    cluster::project,
    model::{
        application::Application,
        cluster::LinkState,
        health::judge,
        key::{ClusterId, Text},
        pod::{Pod, PodOwner},
        resource::{ResourceKey, Root, Tracked},
        tree::{Found, Gap, assemble},
        why::{
            Chain, Known, Looked, Place, Subject, explain,
            facts::{MissingKind, Tail, Warning},
            suspects,
        },
    },
    yaml,
};
use serde_json::Value;

fn now() -> Timestamp {
    "2026-11-23T10:48:11Z".parse().unwrap()
}

/// What is known in one case.
#[derive(Default)]
struct Facts {
    app: Option<Application>,
    pods: Vec<Pod>,
    links: BTreeMap<ClusterId, LinkState>,
    looked: Looked,
}

fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn group(value: &Value) -> &str {
    text(value, "/apiVersion").split_once('/').map_or("", |(group, _)| group)
}

fn key(cluster: &ClusterId, value: &Value, at: &str) -> ResourceKey {
    let of = value.pointer(at).unwrap_or(value);
    ResourceKey {
        cluster: cluster.clone(),
        group: group(of).into(),
        kind: text(of, "/kind").into(),
        namespace: text(of, "/namespace").into(),
        name: text(of, "/name").into(),
    }
}

/// Reads a case: objects as servers tell them, each with the `cluster` it is in. What has no owner was applied by KubeVela.
/// Besides them: `kind: Link`, `Tail`, `Missing`, `Gone` and `Gap`.
fn facts(source: &str) -> Facts {
    let mut facts = Facts::default();
    let mut found = Found::default();
    let mut events = Vec::new();
    let mut objects: BTreeMap<ResourceKey, Value> = BTreeMap::new();
    for mut document in yaml::documents(source).unwrap() {
        let cluster = ClusterId::named(text(&document, "/cluster"));
        document.as_object_mut().unwrap().remove("cluster");
        let named = |name: &str| -> Text { text(&document, &format!("/{name}")).into() };
        match text(&document, "/kind") {
            "Application" => facts.app = Some(project::application(&document)),
            "Event" => events.push((cluster, document)),
            "Link" => {
                let since = "2026-11-23T10:45:11Z".parse().unwrap();
                let reason = named("reason");
                let link = match text(&document, "/state") {
                    "unreachable" => LinkState::Unreachable { since, last_seen: Some(since), next_try: now(), reason },
                    "forbidden" => LinkState::Forbidden { since, reason },
                    _ => LinkState::Live { latency: Duration::from_millis(34), at: now() },
                };
                facts.links.insert(cluster, link);
            }
            "Tail" => facts.looked.tails.push(Tail {
                pod: lateen::model::key::PodKey { cluster, namespace: "default".into(), name: named("pod") },
                container: named("container"),
                previous: true,
                lines: document["lines"].as_array().unwrap().iter().map(|line| line.as_str().unwrap().into()).collect(),
            }),
            "Missing" => facts.looked.missing.push(MissingKind { cluster, group: named("of"), kind: named("missing") }),
            "Gap" => found.incomplete.push(Gap { cluster, kind: None, reason: named("reason") }),
            "Gone" => found.roots.push(Root {
                key: key(&cluster, &document, "/object"),
                version: "v1".into(),
                component: named("component"),
                made_by_trait: "".into(),
                tracked: Tracked::Updated,
            }),
            kind => {
                let resource = project::resource(&cluster, group(&document), kind, &document, now()).unwrap();
                let component: Text = text(&document, "/metadata/labels/app.oam.dev~1component").into();
                if resource.owners.is_empty() && resource.made_by.is_none() {
                    found.roots.push(Root {
                        key: resource.key.clone(),
                        version: "v1".into(),
                        component: component.clone(),
                        made_by_trait: "".into(),
                        tracked: Tracked::Updated,
                    });
                }
                if kind == "Pod" {
                    let owner = PodOwner { app: "shop".into(), app_namespace: Some("default".into()), component };
                    facts.pods.extend(project::pod(&cluster, &document, owner));
                }
                objects.insert(resource.key.clone(), document);
                found.resources.push(resource);
            }
        }
    }
    let app = facts.app.as_ref().unwrap();
    found.clusters = app.placements.iter().map(|placement| placement.cluster.clone()).collect();
    facts.looked.tree = assemble(&found);
    facts.looked.is_complete = true;
    // The closer look, as it is made: of suspects alone.
    for suspect in suspects(&Subject::Application(app.key.clone()), &facts.looked.tree, 16) {
        let Some(object) = objects.get(&suspect) else { continue };
        facts.looked.states.push(project::object_state(&suspect, object));
        facts.looked.pods.extend(suspect.as_pod().map(|pod| project::pod_state(&pod, object)));
        let of_it = events.iter().filter(|(cluster, event)| {
            let about = event.pointer("/involvedObject").unwrap();
            *cluster == suspect.cluster
                && text(about, "/name") == &*suspect.name
                && text(about, "/kind") == &*suspect.kind
        });
        let warnings: Vec<Warning> = of_it.filter_map(|(_, event)| project::warning(&suspect, event)).collect();
        facts.looked.warnings.extend(warnings);
    }
    facts
}

fn follow(facts: &Facts, subject: &Subject, looked: bool) -> Chain {
    let app = facts.app.as_ref().unwrap();
    let pods: Vec<&Pod> = facts.pods.iter().collect();
    let standing = judge(app, &pods, &|cluster| facts.links.get(cluster));
    let known = Known {
        app: Some((app, &standing)),
        pods,
        link: &|cluster| facts.links.get(cluster),
        version: &|_| None,
        applications: 1,
        looked: looked.then_some(&facts.looked),
    };
    explain(subject, &known)
}

fn told(chain: &Chain) -> String {
    let mut out = String::new();
    for link in &chain.links {
        let what = match &link.what {
            Place::Application(app) => app.to_string(),
            Place::Step(_, step) => format!("step {step}"),
            Place::Cluster(cluster) => format!("cluster {cluster}"),
            Place::Component { name, .. } => format!("component {name}"),
            Place::Object(key) => format!("{}/{}", key.kind, key.name),
            Place::Container(_, name) => format!("container {name}"),
            Place::Event(_) => "event".to_owned(),
            Place::Log(..) => "log".to_owned(),
        };
        let indent = "  ".repeat(link.depth);
        let _ = writeln!(out, "{indent}{what} [{}] {}", link.health.as_str(), link.reason);
        if let Some(advice) = &link.advice {
            let _ = writeln!(out, "{indent}  → {}", advice.words);
            if let Some(command) = &advice.command {
                let _ = writeln!(out, "{indent}    $ {command}");
            }
        }
    }
    for gap in &chain.gaps {
        let _ = writeln!(out, "gap: {gap}");
    }
    out
}

/// An application `shop` with one component `web` on foo.
fn shop(phase: &str, workflow: &str, services: &str) -> String {
    format!(
        r"
kind: Application
apiVersion: core.oam.dev/v1beta1
metadata: {{name: shop, namespace: default, generation: 1}}
spec:
  components: [{{name: web, type: webservice}}, {{name: chart, type: helm}}]
  policies: [{{name: there, type: topology, properties: {{clusters: [foo]}}}}]
  workflow: {{steps: [{{name: deploy2foo, type: deploy, properties: {{policies: [there]}}}}]}}
status:
  status: {phase}
  observedGeneration: 1
  latestRevision: {{name: shop-v1, revision: 1}}
  services: [{services}]
  workflow: {{appRevision: shop-v1, mode: StepByStep-DAG, {workflow}}}
"
    )
}

const DONE: &str =
    "status: succeeded, finished: true, steps: [{id: a, name: deploy2foo, type: deploy, phase: succeeded}]";
const DEPLOYING: &str = "status: executing, finished: false, steps: [{id: a, name: deploy2foo, type: deploy, phase: running, reason: Wait, message: foo///web is not healthy}]";
const WELL: &str = "{name: web, namespace: default, cluster: foo, healthy: true, message: \"Ready:1/1\"}";
const SICK: &str = "{name: web, namespace: default, cluster: foo, healthy: false, message: \"Ready:0/1\"}";

fn failed_step(reason: &str, message: &str) -> String {
    let message = serde_json::to_string(message).unwrap();
    format!(
        "status: failed, finished: true, steps: [{{id: a, name: deploy2foo, type: deploy, phase: failed, reason: {reason}, message: {message}}}]"
    )
}

/// A Deployment on foo with one pod of that status.
fn web(pod_spec: &str, pod_status: &str) -> String {
    format!(
        r"
---
cluster: foo
kind: Deployment
apiVersion: apps/v1
metadata: {{name: web, namespace: default, uid: d1, generation: 1, labels: {{app.oam.dev/component: web}}}}
spec: {{replicas: 1}}
status: {{observedGeneration: 1, replicas: 1, updatedReplicas: 1, conditions: [{{type: Available, status: 'False', reason: MinimumReplicasUnavailable, message: Deployment does not have minimum availability.}}]}}
---
cluster: foo
kind: ReplicaSet
apiVersion: apps/v1
metadata: {{name: web-7d, namespace: default, uid: r1, ownerReferences: [{{kind: Deployment, name: web, uid: d1}}]}}
spec: {{replicas: 1}}
status: {{replicas: 1, readyReplicas: 0}}
---
cluster: foo
kind: Pod
apiVersion: v1
metadata: {{name: web-7d-x2, namespace: default, uid: p1, labels: {{app.oam.dev/component: web}}, ownerReferences: [{{kind: ReplicaSet, name: web-7d, uid: r1}}]}}
spec: {{containers: [{{name: web, image: 'reg.io/web:9', resources: {{limits: {{memory: 128Mi}}}}}}], {pod_spec}}}
status: {{{pod_status}}}
"
    )
}

fn event(kind: &str, name: &str, reason: &str, message: &str, count: u32) -> String {
    let message = serde_json::to_string(message).unwrap();
    format!(
        "---\ncluster: foo\nkind: Event\napiVersion: v1\ntype: Warning\nreason: {reason}\nmessage: {message}\ncount: {count}\ninvolvedObject: {{kind: {kind}, name: {name}, namespace: default}}\n"
    )
}

fn container(state: &str) -> String {
    format!("phase: Running, containerStatuses: [{{name: web, image: 'reg.io/web:9', ready: false, {state}}}]")
}

fn release(conditions: &str, more: &str) -> String {
    format!(
        r"
---
cluster: foo
kind: HelmRelease
apiVersion: helm.toolkit.fluxcd.io/v2beta1
metadata: {{name: chart, namespace: default, uid: h1, generation: 1, labels: {{app.oam.dev/component: chart}}}}
spec: {{chart: {{spec: {{chart: web, sourceRef: {{kind: HelmRepository, name: repo}}}}}}}}
status: {{observedGeneration: 1, conditions: [{conditions}]}}
---
cluster: foo
kind: HelmRepository
apiVersion: source.toolkit.fluxcd.io/v1beta2
metadata: {{name: repo, namespace: default, uid: h2, generation: 1, labels: {{app.oam.dev/component: chart}}}}
spec: {{url: 'https://charts.example'}}
status: {{observedGeneration: 1, conditions: [{more}]}}
"
    )
}

const REPO_OK: &str = "{type: Ready, status: 'True', reason: Succeeded, message: stored artifact}";

fn chart(message: &str) -> String {
    let message = serde_json::to_string(message).unwrap();
    format!("{{name: chart, namespace: default, cluster: foo, healthy: false, message: {message}}}")
}

fn cases() -> Vec<(&'static str, String)> {
    let crash = "restartCount: 14, state: {waiting: {reason: CrashLoopBackOff, message: back-off 5m0s}}, lastState: {terminated: {exitCode: 1, reason: Error, finishedAt: '2026-11-23T10:47:31Z'}}";
    let oom = "restartCount: 41, state: {waiting: {reason: CrashLoopBackOff, message: back-off 5m0s}}, lastState: {terminated: {exitCode: 137, reason: OOMKilled, finishedAt: '2026-11-23T10:47:31Z'}}";
    let pull = "restartCount: 0, state: {waiting: {reason: ImagePullBackOff, message: 'Back-off pulling image \"reg.io/web:9\"'}}";
    let running = "restartCount: 0, state: {running: {startedAt: '2026-11-23T10:40:00Z'}}";
    let gate = "status: suspending, suspend: true, finished: false, steps: [{id: a, name: ok, type: suspend, phase: suspending, reason: Suspend, firstExecuteTime: '2026-11-23T10:36:11Z'}]";
    let suspended = shop("workflowSuspending", gate, "")
        .replace("{steps: [", "{steps: [{name: ok, type: suspend, properties: {message: Is it tested?}}, ");
    let pending = "phase: Pending, conditions: [{type: PodScheduled, status: 'False', reason: Unschedulable, message: '0/3 nodes are available: 3 Insufficient cpu. preemption: 0/3 nodes are available: 3 No preemption victims found for incoming pod.'}]";
    let unbound = "phase: Pending, conditions: [{type: PodScheduled, status: 'False', reason: Unschedulable, message: '0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims.'}]";
    let claim = "\n---\ncluster: foo\nkind: PersistentVolumeClaim\napiVersion: v1\nmetadata: {name: data, namespace: default, uid: v1, labels: {app.oam.dev/component: web}}\nspec: {storageClassName: fast}\nstatus: {phase: Pending}\n";
    let quota = "\n---\ncluster: foo\nkind: Deployment\napiVersion: apps/v1\nmetadata: {name: web, namespace: default, uid: d1, generation: 1, labels: {app.oam.dev/component: web}}\nspec: {replicas: 1}\nstatus: {observedGeneration: 1, conditions: [{type: ReplicaFailure, status: 'True', reason: FailedCreate, message: 'pods \"web-7d-\" is forbidden: exceeded quota: team, requested: limits.memory=512Mi, used: limits.memory=2Gi, limited: limits.memory=2Gi'}]}\n";
    let not_ready = |reason: &str, message: &str| {
        let message = serde_json::to_string(message).unwrap();
        format!(
            "{{type: Ready, status: 'False', reason: {reason}, message: {message}, lastTransitionTime: '2026-11-23T10:30:00Z'}}"
        )
    };
    let exhausted = format!(
        "{}, {{type: Released, status: 'False', reason: InstallFailed, message: \"Helm install failed: timed out waiting for the condition\\n\\nLast Helm logs:\\n\\ncreating 4 resource(s)\\nDeployment is not ready: default/web. 0 out of 1 expected pods are ready\"}}",
        not_ready("InstallFailed", "install retries exhausted")
    );
    let lost = "\n---\ncluster: foo\nkind: Link\nstate: unreachable\nreason: 'dial tcp 10.0.0.1:6443: connect: connection refused'\n---\ncluster: foo\nkind: Gap\nreason: connection refused\n";
    let held = |with: &str| shop("running", DONE, WELL).replace("generation: 1}", &format!("generation: 1, {with}}}"));
    let there = shop("unhealthy", DONE, &format!("{}, {SICK}", WELL.replace("foo", "local")))
        .replace("clusters: [foo]", "clusters: [local, foo]");
    let well = web("", "phase: Running, containerStatuses: [{name: web, ready: true, restartCount: 0, state: {running: {}}}]")
        .replace("cluster: foo", "cluster: local")
        .replace("readyReplicas: 0", "readyReplicas: 1")
        .replace("conditions: [{type: Available, status: 'False', reason: MinimumReplicasUnavailable, message: Deployment does not have minimum availability.}]", "availableReplicas: 1, readyReplicas: 1");
    vec![
        ("well", shop("running", DONE, WELL)),
        ("well-elsewhere-with-more-memory", there.clone() + &web("", &container(oom)) + &well.replace("128Mi", "512Mi")),
        ("well-elsewhere-as-another-version", there.clone() + &web("", &container(crash)) + &well.replace("labels: {app.oam.dev/component: web}, ownerReferences", "labels: {app.oam.dev/component: web, app.kubernetes.io/version: '8'}, ownerReferences")),
        ("well-elsewhere-alike", there + &web("", &container(crash)) + &well),
        ("suspended", suspended.clone()),
        ("suspended-towards-a-lost-cluster", suspended + lost),
        ("waits-for-health", shop("runningWorkflow", DEPLOYING, SICK) + &web("", &container(running))),
        ("image-not-there", shop("unhealthy", DONE, SICK)
            + &web("", &container(pull))
            + &event("Pod", "web-7d-x2", "Failed", "Failed to pull image \"reg.io/web:9\": manifest unknown", 4)
            + &event("Pod", "web-7d-x2", "Failed", "Error: ImagePullBackOff", 9)),
        ("image-refused", shop("unhealthy", DONE, SICK)
            + &web("", &container(pull))
            + &event("Pod", "web-7d-x2", "Failed", "Failed to pull image \"reg.io/web:9\": 401 Unauthorized", 4)),
        ("crash-loop-with-its-last-words", shop("unhealthy", DONE, SICK)
            + &web("", &container(crash))
            + "---\ncluster: foo\nkind: Tail\npod: web-7d-x2\ncontainer: web\nlines: [starting, 'panic: no DATABASE_URL']\n"),
        ("out-of-memory", shop("unhealthy", DONE, SICK) + &web("", &container(oom))),
        ("green-with-crashing-pods", shop("running", DONE, WELL) + &web("", &container(crash))),
        ("unschedulable", shop("unhealthy", DONE, SICK) + &web("", pending)),
        ("claim-pending", shop("unhealthy", DONE, SICK)
            + &web("volumes: [{name: data, persistentVolumeClaim: {claimName: data}}]", unbound)
            + claim
            + &event("PersistentVolumeClaim", "data", "ProvisioningFailed", "storageclass.storage.k8s.io \"fast\" not found", 12)),
        ("quota", shop("unhealthy", DONE, SICK) + quota),
        ("readiness-probe", shop("unhealthy", DONE, SICK)
            + &web("", &container(running))
            + &event("Pod", "web-7d-x2", "Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503", 31)),
        ("liveness-probe", shop("unhealthy", DONE, SICK)
            + &web("", &container(&crash.replace("exitCode: 1,", "exitCode: 143,")))
            + &event("Pod", "web-7d-x2", "Unhealthy", "Liveness probe failed: dial tcp 10.0.0.7:8080: connect: connection refused", 8)),
        ("configuration-missing", shop("unhealthy", DONE, SICK)
            + &web("", &container("restartCount: 0, state: {waiting: {reason: CreateContainerConfigError, message: 'secret \"db\" not found'}}"))),
        ("chart-missing", shop("runningWorkflow", DEPLOYING, &chart("chart is not ready"))
            + &release(&not_ready("ArtifactFailed", "HelmChart 'default/default-chart' is not ready: no chart version found for web-9.9.9"), REPO_OK)),
        ("repository-not-reached", shop("runningWorkflow", DEPLOYING, &chart("chart is not ready"))
            + &release(
                &not_ready("ArtifactFailed", "HelmChart 'default/default-chart' is not ready"),
                &not_ready("IndexationFailed", "failed to fetch Helm repository index: Get \"https://charts.example/index.yaml\": dial tcp: lookup charts.example: no such host"),
            )),
        ("values-wrong", shop("runningWorkflow", DEPLOYING, &chart("chart is not ready"))
            + &release(&not_ready("InstallFailed", "Helm install failed: values don't meet the specifications of the schema(s) in the following chart(s): web: - replicas: Invalid type. Expected: integer, given: string"), REPO_OK)),
        ("release-retries-exhausted", shop("runningWorkflow", DEPLOYING, &chart("Delivery helm release in progress, message: install retries exhausted"))
            + &release(&exhausted, REPO_OK)),
        ("no-such-kind", shop("runningWorkflow", DEPLOYING, &chart("no matches for kind \"HelmRelease\" in version \"helm.toolkit.fluxcd.io/v2beta1\""))),
        ("no-such-kind-for-what-was-applied", shop("running", DONE, WELL)
            + "\n---\ncluster: foo\nkind: Gone\ncomponent: chart\nobject: {apiVersion: helm.toolkit.fluxcd.io/v2beta1, kind: HelmRelease, namespace: default, name: chart}\n---\ncluster: foo\nkind: Missing\nof: helm.toolkit.fluxcd.io\nmissing: HelmRelease\n"),
        ("deleted-by-hand", shop("running", DONE, WELL)
            + "\n---\ncluster: foo\nkind: Gone\ncomponent: web\nobject: {apiVersion: apps/v1, kind: Deployment, namespace: default, name: web}\n"),
        ("cluster-unreachable", shop("running", DONE, WELL) + lost),
        ("cluster-forbidden", shop("unhealthy", DONE, SICK)
            + "\n---\ncluster: foo\nkind: Link\nstate: forbidden\nreason: list pods in namespace default\n"),
        ("step-failed-since-foo-was-lost", shop("workflowFailed", &failed_step("FailedAfterRetries", "function call error for deploy: Found 1 errors. [(error health check from foo///web: Get \"https://10.0.0.1\": dial tcp 10.0.0.1:6443: connect: connection refused)]"), "")),
        ("step-timed-out", shop("workflowFailed", &failed_step("Timeout", "foo///web is not healthy"), SICK)),
        ("step-terminated", shop("workflowTerminated", &failed_step("Terminate", ""), SICK)),
        ("definition-missing", shop("starting", "steps: []", "").replace(
            "  observedGeneration: 1",
            "  observedGeneration: 1\n  conditions: [{type: Parsed, status: 'False', reason: ReconcileError, message: 'failed to parse components: fetch component/policy type of web: ComponentDefinition.core.oam.dev \"webservce\" not found'}]",
        )),
        ("pinned", held("annotations: {app.oam.dev/publishVersion: '2026.46'}")),
        ("frozen", held("annotations: {app.oam.dev/controller-version-require: never}")),
        ("paused", held("labels: {controller.core.oam.dev/pause: 'true'}")),
        ("service-without-a-name", shop("unhealthy", DONE, "{cluster: foo, healthy: false}")),
    ]
}

#[test]
fn every_case_has_its_chain() {
    for (name, source) in cases() {
        let facts = facts(&source);
        let subject = Subject::Application(facts.app.as_ref().unwrap().key.clone());
        assert_snapshot!(format!("case-{name}"), told(&follow(&facts, &subject, true)));
    }
}

/// Before anything has been looked up there is a chain already, out of what the store knows.
#[test]
fn what_the_store_knows_is_a_chain() {
    for (name, source) in cases() {
        let facts = facts(&source);
        let subject = Subject::Application(facts.app.as_ref().unwrap().key.clone());
        let before = follow(&facts, &subject, false);
        let after = follow(&facts, &subject, true);
        assert!(!before.links.is_empty(), "{name}");
        assert_eq!(before.links[0].what, after.links[0].what, "{name}");
        assert_eq!(before.links[0].health, after.links[0].health, "{name}");
    }
}

#[test]
fn a_chain_never_jumps_a_level() {
    for (name, source) in cases() {
        let facts = facts(&source);
        let app = facts.app.as_ref().unwrap().key.clone();
        let foo = ClusterId::named("foo");
        for subject in [
            Subject::Application(app.clone()),
            Subject::Step(app.clone(), "deploy2foo".into()),
            Subject::Place(app.clone(), foo.clone()),
            Subject::Component(app.clone(), foo.clone(), "default".into(), "web".into()),
            Subject::Cluster(foo.clone()),
        ] {
            for looked in [false, true] {
                let chain = follow(&facts, &subject, looked);
                let mut depth = 0;
                assert_eq!(chain.links.first().map(|link| link.depth), Some(0), "{name} {subject}");
                for link in &chain.links {
                    assert!(link.depth <= depth + 1, "{name} {subject}: {}", told(&chain));
                    depth = link.depth;
                }
            }
        }
    }
}

/// Every captured and sample application that is not ok.
#[test]
fn every_fixture_has_its_chain() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    for folder in ["captures", "samples"] {
        let mut files: Vec<_> =
            fs::read_dir(fixtures.join(folder)).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        for file in files.iter().filter(|file| file.extension().is_some_and(|end| end == "yaml" || end == "json")) {
            for object in yaml::documents(&fs::read_to_string(file).unwrap()).unwrap() {
                if object["kind"] != "Application" {
                    continue;
                }
                let app = project::application(&object);
                let subject = Subject::Application(app.key.clone());
                let facts = Facts { app: Some(app), ..Facts::default() };
                let chain = follow(&facts, &subject, false);
                if chain.links[0].health != lateen::model::health::Health::Ok {
                    let name = file.file_stem().unwrap().to_string_lossy();
                    assert_snapshot!(format!("fixture-{folder}-{name}"), told(&chain));
                }
            }
        }
    }
}
