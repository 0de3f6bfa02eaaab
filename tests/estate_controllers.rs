//! The estate's controllers, whole: a delivery played on the estate has, state by state, the shape of the one that
//! was captured from a real KubeVela.
#![cfg(feature = "demo")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "what fails here fails the test")]

#[path = "estate/captured_answers.rs"]
mod captured_answers;
#[path = "estate/captured_states.rs"]
mod captured_states;

use std::collections::BTreeSet;
use std::time::Duration;

use http::Request;
use lateen::demo::{Cut, Estate, MEMBER, Options};
use serde_json::{Value, json};

/// Everything here happens within a second or two at this speed.
const SPEED: f64 = 20.0;
/// When to give up waiting for it, on a machine that has much else to do.
const SOON: Duration = Duration::from_secs(60);

fn estate() -> Estate {
    at_speed(SPEED)
}

/// What has a window to be caught in needs one that a busy machine does not miss.
fn at_speed(speed: f64) -> Estate {
    Estate::start(Options { speed, ..Options::default() }).unwrap()
}

async fn get(client: &kube::Client, path: &str) -> Option<Value> {
    client.request(Request::get(path).body(Vec::new()).unwrap()).await.ok()
}

async fn send(client: &kube::Client, method: &str, path: &str, kind: &str, body: &Value) -> kube::Result<Value> {
    let request = Request::builder().method(method).uri(path).header("content-type", kind);
    client.request(request.body(body.to_string().into_bytes()).unwrap()).await
}

async fn merge(client: &kube::Client, path: &str, change: &Value) -> kube::Result<Value> {
    send(client, "PATCH", path, "application/merge-patch+json", change).await
}

fn application(namespace: &str, name: &str) -> String {
    format!("/apis/core.oam.dev/v1beta1/namespaces/{namespace}/applications/{name}")
}

/// Asks until the object is as wanted.
async fn until(client: &kube::Client, path: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let mut last = None;
    let asked = tokio::time::timeout(SOON, async {
        loop {
            if let Some(object) = get(client, path).await {
                if wanted(&object) {
                    return object;
                }
                last = Some(object);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    match asked.await {
        Ok(object) => object,
        Err(elapsed) => {
            // A list has no status of its own.
            let told = last.map(|last| match last["items"].as_array() {
                Some(items) => items.iter().map(|item| item["status"].to_string()).collect::<Vec<_>>().join("\n"),
                None => last["status"].to_string(),
            });
            panic!("{what}: {elapsed}: {}", told.unwrap_or_default())
        }
    }
}

fn phase(application: &Value) -> &str {
    application["status"]["status"].as_str().unwrap_or_default()
}

/// What an operator's approval writes: the smaller patch.
async fn resume(client: &kube::Client, path: &str) {
    loop {
        let live = get(client, path).await.unwrap();
        let mut steps = live["status"]["workflow"]["steps"].clone();
        for step in steps.as_array_mut().unwrap() {
            for sub in step.get_mut("subSteps").and_then(Value::as_array_mut).into_iter().flatten() {
                if sub["phase"] == "suspending" {
                    sub["phase"] = json!("running");
                }
            }
            if step["phase"] == "suspending" {
                step["phase"] = json!("running");
            }
        }
        let change = json!({
            "metadata": {"resourceVersion": live["metadata"]["resourceVersion"]},
            "status": {"workflow": {"suspend": false, "steps": steps}},
        });
        match merge(client, &format!("{path}/status"), &change).await {
            Ok(_) => return,
            Err(kube::Error::Api(status)) if status.code == 409 => {}
            Err(error) => panic!("{error}"),
        }
    }
}

/// Every path in a value, with the kind of what is there; lists count as one.
fn shape(value: &Value) -> BTreeSet<String> {
    fn walk(value: &Value, at: &str, out: &mut BTreeSet<String>) {
        match value {
            Value::Object(map) => map.iter().for_each(|(key, value)| walk(value, &format!("{at}.{key}"), out)),
            Value::Array(all) => all.iter().for_each(|value| walk(value, &format!("{at}[]"), out)),
            Value::String(_) => drop(out.insert(format!("{at}: string"))),
            Value::Number(_) => drop(out.insert(format!("{at}: number"))),
            Value::Bool(_) => drop(out.insert(format!("{at}: bool"))),
            Value::Null => drop(out.insert(format!("{at}: null"))),
        }
    }
    let mut out = BTreeSet::new();
    walk(value, "", &mut out);
    out
}

fn same_shape(ours: &Value, theirs: &Value, what: &str) {
    let (ours, theirs) = (shape(ours), shape(theirs));
    let missing: Vec<_> = theirs.difference(&ours).collect();
    let extra: Vec<_> = ours.difference(&theirs).collect();
    assert!(missing.is_empty() && extra.is_empty(), "{what}: missing {missing:#?}, extra {extra:#?}");
}

fn captured(yaml: &str) -> Value {
    serde_yaml::from_str(yaml).unwrap()
}

/// The events of the captured delivery.
fn delivery() -> Vec<Value> {
    include_str!("fixtures/captures/watch-applications-helm-hello.jsonl")
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["object"].take())
        .collect()
}

/// The words of a message, without what differs from case to case.
fn words(text: &Value) -> String {
    text.as_str().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn helm_hello_is_delivered_as_captured() {
    let estate = estate();
    let hub = estate.client("local").await.unwrap();
    let foo = estate.client(MEMBER).await.unwrap();
    let path = application("default", "helm-hello");
    let captured = delivery();

    // Up to the approval: every state that is seen on the way is one of the captured ones, in their order.
    let shapes: Vec<_> = captured.iter().map(|object| shape(&object["status"])).collect();
    let waiting = until(&hub, &path, "it waits for approval", |one| phase(one) == "workflowSuspending").await;
    same_shape(&waiting["status"], &captured[6]["status"], "waiting");
    assert!(shapes.contains(&shape(&waiting["status"])));
    let workflow = &waiting["status"]["workflow"];
    assert_eq!(workflow["mode"], "StepByStep-DAG");
    assert_eq!(workflow["appRevision"], "helm-hello-v1");
    assert_eq!(workflow["steps"][1]["message"], captured[6]["status"]["workflow"]["steps"][1]["message"]);
    assert_eq!(
        words(&waiting["status"]["services"][0]["message"]),
        words(&captured[6]["status"]["services"][0]["message"])
    );
    assert_eq!(waiting["metadata"]["finalizers"], captured[6]["metadata"]["finalizers"]);

    // Clearing the flag alone is undone.
    merge(&hub, &format!("{path}/status"), &json!({"status": {"workflow": {"suspend": false}}})).await.unwrap();
    until(&hub, &path, "the flag is set again", |one| one["status"]["workflow"]["suspend"] == true).await;

    resume(&hub, &path).await;
    let running =
        until(&hub, &path, "deploy2foo waits", |one| one["status"]["workflow"]["steps"][2]["reason"] == "Wait").await;
    assert_eq!(running["status"]["workflow"]["steps"][2]["message"], "foo///hello is not healthy");
    same_shape(&running["status"], &captured[8]["status"], "deploying to foo");
    let done = until(&hub, &path, "it runs", |one| phase(one) == "running").await;
    same_shape(&done["status"], &captured[14]["status"], "done");

    // What Flux made of it in both clusters.
    for (client, message) in [(&hub, "Welcome to Control Plane Cluster!"), (&foo, "Welcome to Your New Foo Cluster!")] {
        let config = get(client, "/api/v1/namespaces/default/configmaps/hello-hello-kubernetes-config").await.unwrap();
        assert_eq!(config["data"]["MESSAGE"], message);
        let pods =
            get(client, "/api/v1/namespaces/default/pods?labelSelector=app.kubernetes.io%2Finstance%3Dhello").await;
        let pods = pods.unwrap()["items"].take();
        assert_eq!(pods.as_array().unwrap().len(), 2);
        for pod in pods.as_array().unwrap() {
            let labels = pod["metadata"]["labels"].as_object().unwrap();
            assert!(labels.keys().all(|key| !key.contains("oam.dev") && !key.contains("fluxcd")), "{labels:?}");
        }
    }
    let theirs = self::captured(include_str!("fixtures/estate/flux-objects-local-ready.yaml"));
    for theirs in theirs["items"].as_array().unwrap() {
        let (kind, plural) = match theirs["kind"].as_str().unwrap() {
            "HelmRelease" => ("helm.toolkit.fluxcd.io/v2beta1", "helmreleases/hello"),
            "HelmRepository" => ("source.toolkit.fluxcd.io/v1beta2", "helmrepositories/hello"),
            _ => ("source.toolkit.fluxcd.io/v1beta2", "helmcharts/default-hello"),
        };
        let mut ours = get(&hub, &format!("/apis/{kind}/namespaces/default/{plural}")).await.unwrap();
        ours["metadata"].as_object_mut().unwrap().shift_remove("managedFields");
        // An API server fills in what a CustomResourceDefinition has as defaults; the estate has no definitions.
        let mut theirs = theirs.clone();
        for default in ["provider", "timeout"] {
            if theirs["kind"] == "HelmRepository" {
                theirs["spec"].as_object_mut().unwrap().shift_remove(default);
            }
        }
        if theirs["kind"] == "HelmRelease" {
            theirs["spec"]["chart"]["spec"].as_object_mut().unwrap().shift_remove("reconcileStrategy");
        }
        same_shape(&ours, &theirs, plural);
    }

    // The tracker, and the context of the workflow.
    let ours = get(&hub, "/apis/core.oam.dev/v1beta1/resourcetrackers/helm-hello-v1-default").await.unwrap();
    let theirs = self::captured(include_str!("fixtures/estate/resourcetracker-helm-hello-04-succeeded.yaml"));
    let mut ours = ours;
    ours["metadata"].as_object_mut().unwrap().shift_remove("managedFields");
    same_shape(&ours, &theirs["items"][0], "tracker");
    let context = get(&hub, "/api/v1/namespaces/default/configmaps/workflow-helm-hello-context").await.unwrap();
    let keys: Vec<&String> = context["data"].as_object().unwrap().keys().collect();
    assert!(keys.iter().any(|key| key.ends_with(".suspend.suspendTimeStamp")), "{keys:?}");

    // An edit of the override: the old workflow for a moment, then all from the first step.
    let mut policies = done["spec"]["policies"].clone();
    policies[3]["properties"]["components"][0]["properties"]["values"]["configs"]["MESSAGE"] =
        json!("Edited foo message");
    merge(&hub, &path, &json!({"spec": {"policies": policies}})).await.unwrap();
    let again = until(&hub, &path, "it waits again", |one| {
        phase(one) == "workflowSuspending" && one["status"]["workflow"]["appRevision"] == "helm-hello-v2"
    })
    .await;
    same_shape(&again["status"], &captured[17]["status"], "waiting again");
    assert_ne!(again["status"]["workflow"]["steps"][0]["id"], done["status"]["workflow"]["steps"][0]["id"]);
    resume(&hub, &path).await;
    until(&hub, &path, "it runs again", |one| phase(one) == "running").await;
    let config = get(&foo, "/api/v1/namespaces/default/configmaps/hello-hello-kubernetes-config").await.unwrap();
    assert_eq!(config["data"]["MESSAGE"], "Edited foo message");
    until(&hub, "/apis/core.oam.dev/v1beta1/resourcetrackers", "the old tracker is collected", |list| {
        let names: Vec<_> =
            list["items"].as_array().into_iter().flatten().map(|one| words(&one["metadata"]["name"])).collect();
        names.contains(&"helm-hello-v2-default".to_owned()) && !names.contains(&"helm-hello-v1-default".to_owned())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_neighbours_stand_as_the_opening_wants_them() {
    let estate = at_speed(5.0);
    let hub = estate.client("local").await.unwrap();
    let foo = estate.client(MEMBER).await.unwrap();

    let failed =
        until(&hub, &application("media", "transcoder"), "it fails", |one| phase(one) == "workflowFailed").await;
    assert_eq!(failed["status"]["workflow"]["steps"][0]["reason"], "Timeout");
    until(&foo, "/api/v1/namespaces/media/pods", "its image cannot be pulled", |list| {
        list["items"][0]["status"]["containerStatuses"][0]["state"]["waiting"]["reason"] == "ImagePullBackOff"
    })
    .await;

    let grouped =
        until(&hub, &application("shop", "catalog"), "its group waits", |one| phase(one) == "workflowSuspending").await;
    let theirs = captured(include_str!("fixtures/captures/app-group-nested-suspend-auto-false-already-deployed.yaml"));
    same_shape(&grouped["status"], &theirs["status"], "a group that waits");
    assert_eq!(grouped["status"]["workflow"]["steps"][0]["subSteps"][0]["phase"], "suspending");
    resume(&hub, &application("shop", "catalog")).await;
    until(&hub, &application("shop", "catalog"), "the group goes on", |one| phase(one) == "running").await;

    until(&hub, &application("shop", "storefront"), "it runs", |one| phase(one) == "running").await;
    until(&hub, &application("payments", "ledger"), "the hub says it runs", |one| phase(one) == "running").await;
    until(&foo, "/api/v1/namespaces/payments/pods", "its pods loop", |list| {
        let pods = list["items"].as_array();
        pods.is_some_and(|pods| {
            pods.len() == 2
                && pods.iter().all(|pod| {
                    pod["status"]["containerStatuses"][0]["state"]["waiting"]["reason"] == "CrashLoopBackOff"
                })
        })
    })
    .await;
    let ledger = get(&hub, &application("payments", "ledger")).await.unwrap();
    assert_eq!(ledger["status"]["services"][0]["healthy"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminated_workflow_looks_as_captured_and_a_restarted_one_begins_anew() {
    let estate = estate();
    let hub = estate.client("local").await.unwrap();
    let path = application("default", "helm-hello");
    let waiting = until(&hub, &path, "it waits", |one| phase(one) == "workflowSuspending").await;
    let mut steps = waiting["status"]["workflow"]["steps"].clone();
    steps[1]["phase"] = json!("failed");
    steps[1]["reason"] = json!("Terminate");
    let change = json!({"status": {"workflow": {"terminated": true, "suspend": false, "steps": steps}}});
    merge(&hub, &format!("{path}/status"), &change).await.unwrap();
    let ended = until(&hub, &path, "it has ended", |one| phase(one) == "workflowTerminated").await;
    let theirs = captured(include_str!("fixtures/captures/app-helm-hello-06-terminated.yaml"));
    same_shape(&ended["status"], &theirs["status"], "terminated");

    merge(&hub, &format!("{path}/status"), &json!({"status": {"workflow": null}})).await.unwrap();
    let again = until(&hub, &path, "it waits again", |one| phase(one) == "workflowSuspending").await;
    assert_eq!(again["status"]["workflow"]["appRevision"], "helm-hello-v1");
}

#[tokio::test(flavor = "multi_thread")]
async fn losing_foo_during_a_step_ends_the_workflow_and_afterwards_it_stays_green() {
    let estate = estate();
    let hub = estate.client("local").await.unwrap();
    let path = application("default", "helm-hello");
    let green = until(&hub, &application("shop", "storefront"), "it runs", |one| phase(one) == "running").await;
    until(&hub, &path, "it waits", |one| phase(one) == "workflowSuspending").await;
    estate.cut(MEMBER, Cut::Refuse).unwrap();
    resume(&hub, &path).await;
    let failed = until(&hub, &path, "it fails", |one| phase(one) == "workflowFailed").await;
    let theirs = captured(include_str!("fixtures/captures/app-helm-hello-08-workflowFailed-foo-down.yaml"));
    let mut theirs = theirs["status"].clone();
    theirs["workflow"]["contextBackend"] = failed["status"]["workflow"]["contextBackend"].clone();
    let mut ours = failed["status"].clone();
    for status in [&mut ours, &mut theirs] {
        // Whether StateKeep has been tried yet is a matter of time.
        let kept = status["conditions"].as_array_mut().unwrap();
        kept.retain(|one| one["type"] != "StateKeep");
    }
    same_shape(&ours, &theirs, "failed");
    let step = &failed["status"]["workflow"]["steps"][2];
    assert_eq!(step["reason"], "FailedAfterRetries");
    let address = estate.cluster_url(MEMBER).unwrap().replace("https://", "");
    let expected = words(&theirs["workflow"]["steps"][2]["message"]).replace("127.0.0.1:17443", &address);
    assert_eq!(words(&step["message"]), expected);

    let still = get(&hub, &application("shop", "storefront")).await.unwrap();
    assert_eq!(phase(&still), "running");
    assert_eq!(still["status"]["services"], green["status"]["services"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn deleting_an_application_takes_everything_with_it_but_waits_for_a_cluster_that_is_gone() {
    let estate = estate();
    let hub = estate.client("local").await.unwrap();
    let foo = estate.client(MEMBER).await.unwrap();
    let path = application("shop", "storefront");
    until(&hub, &path, "it runs", |one| phase(one) == "running").await;
    estate.cut(MEMBER, Cut::Refuse).unwrap();
    send(&hub, "DELETE", &path, "application/json", &json!({})).await.unwrap();
    let stuck = until(&hub, &path, "it says what it waits for", |one| {
        one["status"]["conditions"].as_array().into_iter().flatten().any(|one| one["reason"] == "Deleting")
    })
    .await;
    assert_eq!(phase(&stuck), "deleting");
    estate.restore(MEMBER).unwrap();
    tokio::time::timeout(SOON, async {
        while get(&hub, &path).await.is_some() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .unwrap();
    for client in [&hub, &foo] {
        until(client, "/apis/apps/v1/namespaces/shop/deployments", "its workloads are gone", |list| {
            list["items"].as_array().is_some_and(|all| all.iter().all(|one| one["metadata"]["name"] == "catalog"))
        })
        .await;
    }
}

/// An application as a user writes it.
fn written(name: &str, spec: &Value) -> Value {
    json!({
        "apiVersion": "core.oam.dev/v1beta1", "kind": "Application",
        "metadata": {"name": name, "namespace": "default"}, "spec": spec,
    })
}

async fn apply(client: &kube::Client, object: &Value) {
    let path = "/apis/core.oam.dev/v1beta1/namespaces/default/applications";
    send(client, "POST", path, "application/json", object).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tutorials_first_form_gets_its_step_made_up() {
    let estate = estate();
    let hub = estate.client("local").await.unwrap();
    let spec = json!({
        "components": [{"name": "hello-first", "type": "helm", "properties": {
            "repoType": "helm", "url": "https://jhidalgo3.github.io/helm-charts/",
            "chart": "hello-kubernetes-chart", "version": "3.0.0"}}],
        "policies": [{"name": "foo-cluster-only", "type": "topology", "properties": {"clusters": ["foo"]}}],
    });
    apply(&hub, &written("first", &spec)).await;
    let done = until(&hub, &application("default", "first"), "it runs", |one| phase(one) == "running").await;
    assert_eq!(done["status"]["workflow"]["mode"], "DAG-DAG");
    assert_eq!(done["status"]["workflow"]["steps"][0]["name"], "deploy-foo-cluster-only");
    assert_eq!(done["status"]["services"][0]["cluster"], "foo");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspension_with_a_duration_cannot_be_cut_short_and_ends_by_itself() {
    let estate = estate();
    let hub = estate.client("local").await.unwrap();
    let spec = json!({
        "components": [],
        "workflow": {"steps": [{"name": "wait", "type": "suspend", "properties": {"duration": "40s"}}]},
    });
    apply(&hub, &written("patient", &spec)).await;
    let path = application("default", "patient");
    until(&hub, &path, "it waits", |one| phase(one) == "workflowSuspending").await;
    resume(&hub, &path).await;
    let again = until(&hub, &path, "it waits on", |one| one["status"]["workflow"]["suspend"] == true).await;
    assert_eq!(again["status"]["workflow"]["steps"][0]["phase"], "suspending");
    let context =
        until(&hub, "/api/v1/namespaces/default/configmaps/workflow-patient-context", "it says until when", |one| {
            one["data"].as_object().is_some_and(|data| data.keys().any(|key| key.ends_with(".resumeTimeStamp")))
        });
    context.await;
    until(&hub, &path, "it goes on", |one| phase(one) == "running").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn policies_and_workflows_may_be_objects_of_their_own() {
    let estate = estate();
    let hub = estate.client("local").await.unwrap();
    let place = |plural: &str| format!("/apis/core.oam.dev/v1alpha1/namespaces/default/{plural}");
    let policy = json!({"apiVersion": "core.oam.dev/v1alpha1", "kind": "Policy", "type": "topology",
        "metadata": {"name": "to-foo", "namespace": "default"}, "properties": {"clusters": ["foo"]}});
    send(&hub, "POST", &place("policies"), "application/json", &policy).await.unwrap();
    let workflow = json!({"apiVersion": "core.oam.dev/v1alpha1", "kind": "Workflow",
        "metadata": {"name": "my-way", "namespace": "default"},
        "steps": [{"name": "go", "type": "deploy", "properties": {"policies": ["to-foo"]}}]});
    send(&hub, "POST", &place("workflows"), "application/json", &workflow).await.unwrap();
    let spec = json!({
        "components": [{"name": "job", "type": "worker", "properties": {"image": "busybox"}}],
        "workflow": {"ref": "my-way"},
    });
    apply(&hub, &written("external", &spec)).await;
    let done = until(&hub, &application("default", "external"), "it runs", |one| phase(one) == "running").await;
    assert_eq!(done["status"]["workflow"]["steps"][0]["name"], "go");
    assert_eq!(done["status"]["services"][0]["cluster"], "foo");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_towards_a_cluster_that_is_not_joined_fails_in_the_end() {
    let estate = estate();
    let hub = estate.client("local").await.unwrap();
    let spec = json!({
        "components": [{"name": "job", "type": "worker", "properties": {"image": "busybox"}}],
        "policies": [{"name": "bar", "type": "topology", "properties": {"clusters": ["bar"]}}],
    });
    apply(&hub, &written("astray", &spec)).await;
    let path = application("default", "astray");
    until(&hub, &path, "it tries", |one| one["status"]["workflow"]["steps"][0]["reason"] == "Execute").await;
    let failed = until(&hub, &path, "it fails", |one| phase(one) == "workflowFailed").await;
    let message = words(&failed["status"]["workflow"]["steps"][0]["message"]);
    assert!(message.starts_with("function call error for deploy: failed to get cluster bar"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_behind_of_a_deleted_release() {
    let estate = at_speed(5.0);
    let hub = estate.client("local").await.unwrap();
    let foo = estate.client(MEMBER).await.unwrap();
    let path = application("payments", "ledger");
    until(&hub, &path, "it runs", |one| phase(one) == "running").await;
    send(&hub, "DELETE", &path, "application/json", &json!({})).await.unwrap();
    let empty = |list: &Value| list["items"].as_array().is_some_and(Vec::is_empty);
    for (client, path) in [
        (&foo, "/apis/helm.toolkit.fluxcd.io/v2beta1/namespaces/payments/helmreleases"),
        (&foo, "/apis/source.toolkit.fluxcd.io/v1beta2/namespaces/payments/helmrepositories"),
        (&foo, "/apis/source.toolkit.fluxcd.io/v1beta2/namespaces/payments/helmcharts"),
        (&foo, "/apis/apps/v1/namespaces/payments/deployments"),
        (&foo, "/apis/apps/v1/namespaces/payments/replicasets"),
        (&foo, "/apis/discovery.k8s.io/v1/namespaces/payments/endpointslices"),
        (&foo, "/api/v1/namespaces/payments/services"),
        (&foo, "/api/v1/namespaces/payments/pods"),
        (&hub, "/apis/core.oam.dev/v1beta1/namespaces/payments/applications"),
        (&hub, "/apis/core.oam.dev/v1beta1/namespaces/payments/applicationrevisions"),
        (&hub, "/apis/core.oam.dev/v1beta1/resourcetrackers?labelSelector=app.oam.dev%2Fname%3Dledger"),
        (&hub, "/api/v1/namespaces/payments/configmaps?fieldSelector=metadata.name%3Dworkflow-ledger-context"),
    ] {
        until(client, path, path, empty).await;
    }
}

/// A node comes after the pods that wait for one: the scheduler must look at them again.
#[tokio::test]
async fn a_pod_that_no_node_took_gets_the_one_that_comes() {
    let estate = estate();
    let hub = estate.client(lateen::demo::HUB).await.unwrap();
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "early" },
        "spec": { "nodeSelector": { "disk": "fast" }, "containers": [{ "name": "web", "image": "nginx" }] },
    });
    let pods = "/api/v1/namespaces/default/pods";
    send(&hub, "POST", pods, "application/json", &pod).await.unwrap();
    let early = format!("{pods}/early");
    until(&hub, &early, "refused", |pod| pod["status"]["conditions"][0]["reason"] == "Unschedulable").await;
    let node = json!({
        "apiVersion": "v1", "kind": "Node", "metadata": { "name": "late", "labels": { "disk": "fast" } },
    });
    send(&hub, "POST", "/api/v1/nodes", "application/json", &node).await.unwrap();
    let ready = json!({ "status": { "conditions": [{ "type": "Ready", "status": "True" }] } });
    merge(&hub, "/api/v1/nodes/late/status", &ready).await.unwrap();
    let running = until(&hub, &early, "running", |pod| pod["status"]["phase"] == "Running").await;
    assert_eq!(running["spec"]["nodeName"], "late");
}
