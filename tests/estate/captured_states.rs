//! State by state: what the estate's KubeVela writes, next to what a real one wrote (`tests/fixtures/captures`).
//!
//! A status is compared whole, but for times, ids and addresses.

use futures::{AsyncBufReadExt, TryStreamExt};
use lateen::demo::ctl::Command;

use super::*;

/// A captured application.
fn capture(name: &str) -> Value {
    let path = format!("{}/tests/fixtures/captures/app-{name}", env!("CARGO_MANIFEST_DIR"));
    serde_yaml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// A status without what differs from one hub to another.
pub(super) fn plain(value: &Value) -> Value {
    fn walk(value: &Value, of: &dyn Fn(&str) -> String) -> Value {
        match value {
            Value::Object(map) => map
                .iter()
                .map(|(key, value)| {
                    let drawn = matches!(key.as_str(), "id" | "uid" | "revisionHash") && value.is_string();
                    (key.clone(), if drawn { json!("drawn") } else { walk(value, of) })
                })
                .collect(),
            Value::Array(all) => all.iter().map(|value| walk(value, of)).collect(),
            Value::String(text) => json!(of(text)),
            other => other.clone(),
        }
    }
    let time = regex::Regex::new(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$").unwrap();
    let address = regex::Regex::new(r"\d+\.\d+\.\d+\.\d+:\d+").unwrap();
    walk(value, &|text| {
        if time.is_match(text) { "time".to_owned() } else { address.replace_all(text, "address").into() }
    })
}

#[track_caller]
fn like(ours: &Value, name: &str) {
    let (ours, theirs) = (plain(&ours["status"]), plain(&capture(name)["status"]));
    assert_eq!(pretty(&ours), pretty(&theirs), "{name}");
}

/// With sorted keys, so that a difference shows where it is.
fn pretty(value: &Value) -> String {
    let mut value = value.clone();
    value.sort_all_objects();
    serde_json::to_string_pretty(&value).unwrap()
}

/// Every state that an application of the namespace default has been in, since the estate began and up to this one.
async fn history(hub: &kube::Client, last: &Value) -> Vec<Value> {
    let path = format!(
        "/apis/core.oam.dev/v1beta1/namespaces/default/applications?watch=true&resourceVersion=1\
         &fieldSelector=metadata.name%3D{}",
        last["metadata"]["name"].as_str().unwrap()
    );
    let mut lines = hub.request_stream(Request::get(path).body(Vec::new()).unwrap()).await.unwrap().lines();
    let mut states = Vec::new();
    while states
        .last()
        .is_none_or(|one: &Value| one["metadata"]["resourceVersion"] != last["metadata"]["resourceVersion"])
    {
        let line = lines.try_next().await.unwrap().unwrap();
        states.push(serde_json::from_str::<Value>(&line).unwrap()["object"].take());
    }
    states
}

#[track_caller]
fn passed_through(states: &[Value], name: &str) {
    // What a release had come to when it was looked at is chance, and so is the order of what was applied.
    let unsaid = |status: &Value| {
        let mut told = plain(status);
        if let Some(applied) = told["appliedResources"].as_array_mut() {
            applied.sort_by_key(ToString::to_string);
        }
        for row in told["services"].as_array_mut().into_iter().flatten().filter(|row| row["healthy"] == false) {
            row["message"] = json!("in progress");
        }
        told
    };
    let theirs = unsaid(&capture(name)["status"]);
    let near: Vec<_> = states.iter().filter(|one| one["status"]["status"] == theirs["status"]).collect();
    let ours = near.iter().map(|one| unsaid(&one["status"]));
    assert!(
        ours.clone().any(|ours| ours == theirs),
        "{name}: no state like {}\nbut\n{}",
        pretty(&theirs),
        ours.map(|one| pretty(&one)).collect::<Vec<_>>().join("\n")
    );
}

/// Lets KubeVela look again, as an edit of an annotation does.
async fn poke(client: &kube::Client, path: &str) {
    let change = json!({"metadata": {"annotations": {"poke": jiff::Timestamp::now().to_string()}}});
    merge(client, path, &change).await.unwrap();
}

async fn restart(client: &kube::Client, path: &str) {
    merge(client, &format!("{path}/status"), &json!({"status": {"workflow": null}})).await.unwrap();
    until(client, path, "it waits again", |one| phase(one) == "workflowSuspending").await;
}

async fn run_through(client: &kube::Client, path: &str) -> Value {
    resume(client, path).await;
    until(client, path, "it runs", |one| phase(one) == "running").await
}

/// Edits the override for foo, as was done before the captures from 05 on.
async fn edit(client: &kube::Client, path: &str, done: &Value) -> Value {
    let mut policies = done["spec"]["policies"].clone();
    policies[3]["properties"]["components"][0]["properties"]["values"]["configs"]["MESSAGE"] =
        json!("Edited foo message");
    merge(client, path, &json!({"spec": {"policies": policies}})).await.unwrap();
    until(client, path, "it waits again", |one| {
        phase(one) == "workflowSuspending" && one["status"]["workflow"]["appRevision"] == "helm-hello-v2"
    })
    .await
}

fn condition<'a>(application: &'a Value, kind: &str) -> Option<&'a Value> {
    let all = application["status"]["conditions"].as_array();
    all.into_iter().flatten().find(|one| one["type"] == kind)
}

/// Applies a captured application's spec under its own name.
async fn play(hub: &kube::Client, name: &str) -> String {
    let theirs = capture(name);
    let own = theirs["metadata"]["name"].as_str().unwrap();
    apply(hub, &written(own, &theirs["spec"])).await;
    application("default", own)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_passes_through_what_was_captured() {
    let estate = estate();
    let hub = estate.client("local").await.unwrap();
    let path = application("default", "helm-hello");
    let waiting = until(&hub, &path, "it waits", |one| phase(one) == "workflowSuspending").await;
    like(&waiting, "helm-hello-02-suspended.yaml");
    let done = run_through(&hub, &path).await;
    like(&done, "helm-hello-04-succeeded.yaml");
    let again = edit(&hub, &path, &done).await;
    like(&again, "helm-hello-05-override-edited-suspended-again.yaml");

    let trackers = get(&hub, "/apis/core.oam.dev/v1beta1/resourcetrackers?labelSelector=app.oam.dev/name%3Dhelm-hello");
    let ours = trackers.await.unwrap();
    let theirs = captured(include_str!("../fixtures/estate/resourcetracker-helm-hello-05-current-and-history.yaml"));
    let mut listed = Vec::new();
    for (ours, theirs) in ours["items"].as_array().unwrap().iter().zip(theirs["items"].as_array().unwrap()) {
        let mut ours = ours.clone();
        ours["metadata"].as_object_mut().unwrap().shift_remove("managedFields");
        same_shape(&ours, theirs, "a tracker");
        assert_eq!(ours["metadata"]["name"], theirs["metadata"]["name"]);
        assert_eq!(ours["spec"]["applicationGeneration"], theirs["spec"]["applicationGeneration"]);
        listed.push(ours);
    }
    assert_eq!(listed.len(), 2);

    let ours = get(&hub, "/api/v1/namespaces/default/configmaps/workflow-helm-hello-context").await.unwrap();
    let theirs = captured(include_str!("../fixtures/estate/workflow-context-configmap.yaml"));
    assert_eq!(ours["data"]["vars"], theirs["data"]["vars"]);
    let owner = |map: &Value| plain(&map["metadata"]["ownerReferences"]);
    assert_eq!(owner(&ours), owner(&theirs));
    // The real one draws its own id for each step; the key says the same.
    let step = again["status"]["workflow"]["steps"][1]["id"].as_str().unwrap();
    assert!(ours["data"][format!("{step}.suspend.suspendTimeStamp")].is_string(), "{ours}");

    let mut steps = again["status"]["workflow"]["steps"].clone();
    steps[1]["phase"] = json!("failed");
    steps[1]["reason"] = json!("Terminate");
    let change = json!({"status": {"workflow": {"terminated": true, "suspend": false, "steps": steps}}});
    merge(&hub, &format!("{path}/status"), &change).await.unwrap();
    let ended = until(&hub, &path, "it has ended", |one| phase(one) == "workflowTerminated").await;
    like(&ended, "helm-hello-06-terminated.yaml");

    let states = history(&hub, &ended).await;
    for name in [
        "helm-hello-01-deploying-local.yaml",
        "helm-hello-resume-patched-before-controller.json",
        "helm-hello-03-deploying-foo-wait.yaml",
        "helm-hello-after-edit-transient-rendering-stale-workflow.json",
    ] {
        passed_through(&states, name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_cluster_leaves_behind_what_was_captured() {
    let estate = estate();
    let hub = estate.client("local").await.unwrap();
    let foo = estate.client(MEMBER).await.unwrap();
    let path = application("default", "helm-hello");
    until(&hub, &path, "it waits", |one| phase(one) == "workflowSuspending").await;
    let done = run_through(&hub, &path).await;
    edit(&hub, &path, &done).await;
    run_through(&hub, &path).await;
    restart(&hub, &path).await;
    run_through(&hub, &path).await;

    // Every pod in foo crashes, and nobody minds.
    let of_release = "/api/v1/namespaces/default/pods?labelSelector=app.kubernetes.io%2Finstance%3Dhello";
    let pods = until(&foo, of_release, "the old pods are gone", |list| {
        list["items"].as_array().is_some_and(|pods| {
            pods.len() == 2 && pods.iter().all(|pod| pod["metadata"]["deletionTimestamp"].is_null())
        })
    })
    .await;
    for pod in pods["items"].as_array().unwrap() {
        let (cluster, namespace) = (MEMBER.to_owned(), "default".to_owned());
        let name = pod["metadata"]["name"].as_str().unwrap().to_owned();
        estate.perform(&Command::FailPod { cluster, namespace, name, image: false }).unwrap();
    }
    until(&foo, of_release, "they loop", |list| {
        list["items"].as_array().is_some_and(|pods| {
            pods.iter()
                .all(|pod| pod["status"]["containerStatuses"][0]["state"]["waiting"]["reason"] == "CrashLoopBackOff")
        })
    })
    .await;
    poke(&hub, &path).await;
    let green = until(&hub, &path, "it runs", |one| phase(one) == "running").await;
    like(&green, "helm-hello-green-with-crashlooping-pods.yaml");

    estate.cut(MEMBER, Cut::Refuse).unwrap();
    poke(&hub, &path).await;
    let green = until(&hub, &path, "it says so", |one| condition(one, "Synced").is_some()).await;
    like(&green, "helm-hello-09-running-green-while-foo-is-down.yaml");
    let events = get(&hub, "/api/v1/namespaces/default/events").await.unwrap();
    for reason in ["Parsed", "Revisioned", "Rendered", "Applied", "Deployed", "FailedStateKeep", "FailedGC"] {
        let told = events["items"].as_array().unwrap().iter().any(|event| {
            event["involvedObject"]["name"] == "helm-hello" && event["reason"] == reason && event["count"].is_number()
        });
        assert!(told, "{reason}");
    }

    restart(&hub, &path).await;
    until(&hub, &path, "it says so while it waits", |one| condition(one, "StateKeep").is_some()).await;
    resume(&hub, &path).await;
    let failed = until(&hub, &path, "it fails", |one| phase(one) == "workflowFailed").await;
    like(&failed, "helm-hello-08-workflowFailed-foo-down.yaml");

    // The one step that failed, again: what has been approved is not asked for again.
    estate.restore(MEMBER).unwrap();
    let mut steps = failed["status"]["workflow"]["steps"].clone();
    steps.as_array_mut().unwrap().pop();
    let change = json!({
        "metadata": {"resourceVersion": failed["metadata"]["resourceVersion"]},
        "status": {"workflow": {
            "terminated": false, "suspend": false, "finished": false, "endTime": null, "steps": steps,
        }},
    });
    merge(&hub, &format!("{path}/status"), &change).await.unwrap();
    let done = until(&hub, &path, "it runs", |one| phase(one) == "running").await;
    let phases: Vec<_> =
        done["status"]["workflow"]["steps"].as_array().unwrap().iter().map(|one| &one["phase"]).collect();
    assert_eq!(phases, ["succeeded", "succeeded", "succeeded"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_that_wait_look_as_captured() {
    let estate = estate();
    let hub = estate.client("local").await.unwrap();
    let path = play(&hub, "auto-false-suspended-but-deployed.yaml").await;
    let healthy = |one: &Value| phase(one) == "workflowSuspending" && one["status"]["services"][0]["healthy"] == true;
    like(&until(&hub, &path, "it waits", healthy).await, "auto-false-suspended-but-deployed.yaml");

    let mut spec = capture("suspend-duration-after-resume.yaml")["spec"].take();
    // Not over before somebody has looked.
    spec["workflow"]["steps"][0]["properties"]["duration"] = json!("100h");
    apply(&hub, &written("app-dur", &spec)).await;
    let path = application("default", "app-dur");
    until(&hub, &path, "it waits", |one| phase(one) == "workflowSuspending").await;
    resume(&hub, &path).await;
    let again = until(&hub, &path, "it waits on", |one| one["status"]["workflow"]["suspend"] == true).await;
    like(&again, "suspend-duration-after-resume.yaml");

    let path = play(&hub, "group-nested-suspend-auto-false-already-deployed.yaml").await;
    let over = until(&hub, &path, "one of its waits is over", |one| {
        let subs = &one["status"]["workflow"]["steps"][0]["subSteps"];
        subs[0]["phase"] == "suspending" && subs[1]["phase"] == "succeeded"
    })
    .await;
    like(&over, "group-nested-suspend-auto-false-already-deployed.yaml");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_unhealthy_or_cannot_go_looks_as_captured() {
    let estate = estate();
    let hub = estate.client("local").await.unwrap();
    let foo = estate.client(MEMBER).await.unwrap();
    let path = play(&hub, "web-hello-unhealthy.yaml").await;
    until(&hub, &path, "it waits", |one| phase(one) == "workflowSuspending").await;
    run_through(&hub, &path).await;
    restart(&hub, &path).await;
    run_through(&hub, &path).await;
    let pods = get(&foo, "/api/v1/namespaces/default/pods?labelSelector=app.oam.dev%2Fcomponent%3Dweb").await.unwrap();
    let (cluster, namespace) = (MEMBER.to_owned(), "default".to_owned());
    let name = pods["items"][0]["metadata"]["name"].as_str().unwrap().to_owned();
    estate.perform(&Command::FailPod { cluster, namespace, name, image: true }).unwrap();
    let deployment = "/apis/apps/v1/namespaces/default/deployments/web";
    until(&foo, deployment, "one is missing", |one| one["status"]["readyReplicas"] == 2).await;
    poke(&hub, &path).await;
    let unhealthy = until(&hub, &path, "it is unhealthy", |one| phase(one) == "unhealthy").await;
    like(&unhealthy, "web-hello-unhealthy.yaml");

    let mut spec = capture("deleting-stuck-foo-down.yaml")["spec"].take();
    // No registry has it, so it never becomes ready.
    spec["components"][0]["properties"]["image"] = json!("registry.example/hello:broken");
    apply(&hub, &written("web-broken", &spec)).await;
    let path = application("default", "web-broken");
    until(&hub, &path, "it is not ready", |one| one["status"]["services"][0]["message"] == "Ready:0/1").await;
    estate.cut(MEMBER, Cut::Refuse).unwrap();
    until(&hub, &path, "it fails", |one| phase(one) == "workflowFailed").await;
    send(&hub, "DELETE", &path, "application/json", &json!({})).await.unwrap();
    let stuck = until(&hub, &path, "it says what it waits for", |one| condition(one, "Ready").is_some()).await;
    like(&stuck, "deleting-stuck-foo-down.yaml");
    assert_eq!(stuck["metadata"]["deletionGracePeriodSeconds"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_parsed_says_so_until_it_can() {
    let estate = estate();
    let hub = estate.client("local").await.unwrap();
    let spec = json!({
        "components": [{"name": "job", "type": "worker", "properties": {"image": "busybox"}}],
        "workflow": {"steps": [{"name": "go", "type": "deploy", "properties": {"policies": ["to-foo"]}}]},
    });
    apply(&hub, &written("unfinished", &spec)).await;
    let path = application("default", "unfinished");
    let refused = until(&hub, &path, "it is refused", |one| condition(one, "Parsed").is_some()).await;
    let parsed = condition(&refused, "Parsed").unwrap();
    assert_eq!(parsed["status"], "False");
    assert_eq!(parsed["message"], "failed to parsePolicies: external policy to-foo not found");
    assert_eq!(phase(&refused), "rendering");
    let policy = json!({"apiVersion": "core.oam.dev/v1alpha1", "kind": "Policy", "type": "topology",
        "metadata": {"name": "to-foo", "namespace": "default"}, "properties": {"clusters": ["foo"]}});
    let policies = "/apis/core.oam.dev/v1alpha1/namespaces/default/policies";
    send(&hub, "POST", policies, "application/json", &policy).await.unwrap();
    let done = until(&hub, &path, "it runs", |one| phase(one) == "running").await;
    assert_eq!(condition(&done, "Parsed").unwrap()["status"], "True");

    // Another policy is another revision, and the workflow runs again.
    let change = json!({"properties": {"clusters": ["local"]}});
    merge(&hub, &format!("{policies}/to-foo"), &change).await.unwrap();
    poke(&hub, &path).await;
    let moved = until(&hub, &path, "it has moved", |one| {
        phase(one) == "running" && one["status"]["workflow"]["appRevision"] == "unfinished-v2"
    })
    .await;
    assert_eq!(moved["status"]["services"][0]["cluster"], "local");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stays_until_the_end_is_listed_in_the_root_tracker() {
    let estate = estate();
    let hub = estate.client("local").await.unwrap();
    let component = |name: &str| json!({"name": name, "type": "worker", "properties": {"image": "busybox"}});
    let policy = json!({"name": "gc", "type": "garbage-collect", "properties": {"rules": [
        {"selector": {"componentNames": ["kept"]}, "strategy": "onAppDelete"}]}});
    let spec =
        json!({"components": [component("kept"), component("dropped"), component("steady")], "policies": [policy]});
    apply(&hub, &written("roots", &spec)).await;
    let path = application("default", "roots");
    until(&hub, &path, "it runs", |one| phase(one) == "running").await;
    let root = get(&hub, "/apis/core.oam.dev/v1beta1/resourcetrackers/roots-default").await.unwrap();
    assert_eq!(root["spec"]["type"], "root");
    assert_eq!(root["spec"]["applicationGeneration"], 0);

    merge(&hub, &path, &json!({"spec": {"components": [component("steady")]}})).await.unwrap();
    let deployments = "/apis/apps/v1/namespaces/default/deployments";
    until(&hub, deployments, "what is no longer said is gone, but for what stays", |list| {
        let names: Vec<_> =
            list["items"].as_array().into_iter().flatten().map(|one| &one["metadata"]["name"]).collect();
        !names.iter().any(|name| *name == "dropped") && names.iter().any(|name| *name == "kept")
    })
    .await;
    send(&hub, "DELETE", &path, "application/json", &json!({})).await.unwrap();
    until(&hub, deployments, "nothing is left", |list| {
        list["items"].as_array().into_iter().flatten().all(|one| one["metadata"]["name"] != "kept")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_of_applications_has_the_captured_columns() {
    let estate = estate();
    let hub = estate.client("local").await.unwrap();
    let path = application("default", "helm-hello");
    until(&hub, &path, "it waits", |one| phase(one) == "workflowSuspending").await;
    let request = Request::get("/apis/core.oam.dev/v1beta1/namespaces/default/applications")
        .header("accept", "application/json;as=Table;v=v1;g=meta.k8s.io");
    let ours: Value = hub.request(request.body(Vec::new()).unwrap()).await.unwrap();
    let theirs: Value = serde_json::from_str(include_str!("../fixtures/estate/table-applications.json")).unwrap();
    let columns = |table: &Value| -> Vec<Value> {
        let all = table["columnDefinitions"].as_array().unwrap();
        all.iter().map(|one| json!([one["name"], one["type"], one["format"], one["priority"]])).collect()
    };
    assert_eq!(columns(&ours), columns(&theirs));
    let kinds = |table: &Value| {
        let cells = table["rows"][0]["cells"].as_array().unwrap();
        cells.iter().map(std::mem::discriminant).collect::<Vec<_>>()
    };
    assert_eq!(kinds(&ours), kinds(&theirs));
    assert_eq!(ours["rows"][0]["object"]["kind"], theirs["rows"][0]["object"]["kind"]);
}
