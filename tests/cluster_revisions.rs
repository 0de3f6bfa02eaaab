//! Revisions, what differs between them, and drift, looked up in the simulated estate.
#![cfg(feature = "demo")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "what fails here fails the test")]

#[path = "support/hub.rs"]
mod hub;

use std::{fmt::Debug, time::Duration};

use http::{Method, Request};
use lateen::{
    cluster::{Hub, drift, revisions},
    demo::{Cut, Estate, Options},
    model::{
        diff::{Report, Section, Verdict},
        key::{AppKey, ClusterId},
        revision::{Outcome, Revision},
    },
};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

/// Time for a condition to come true; far beyond what it takes.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Time that a cluster is given to answer.
const DEADLINE: Duration = Duration::from_secs(20);

const DEPLOYMENT: &str = "/apis/apps/v1/namespaces/shop/deployments/web";

fn estate() -> Estate {
    Estate::start(Options { speed: 20.0, ..Options::default() }).unwrap()
}

/// Asks until the answer is as wanted.
async fn until<T: Debug>(what: &str, mut ask: impl AsyncFnMut() -> T, wanted: impl Fn(&T) -> bool) -> T {
    let mut last = None;
    let found = timeout(PATIENCE, async {
        loop {
            let answer = ask().await;
            if wanted(&answer) {
                return answer;
            }
            last = Some(answer);
            sleep(LOOK_EVERY).await;
        }
    });
    let found = found.await;
    found.unwrap_or_else(|_| panic!("{what} never came: {last:#?}"))
}

async fn write(client: &kube::Client, method: Method, path: &str, body: &Value) -> Result<Value, kube::Error> {
    let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", "application/merge-patch+json")
        .body(body)
        .unwrap();
    client.request(request).await
}

/// From now on the controller leaves an application to itself: what is edited stays so.
async fn pause(hub: &Hub, app: &AppKey) {
    let path = format!("/apis/core.oam.dev/v1beta1/namespaces/{}/applications/{}", app.namespace, app.name);
    let label = json!({"metadata": {"labels": {"controller.core.oam.dev/pause": "true"}}});
    write(&hub.client(), Method::PATCH, &path, &label).await.unwrap();
}

fn storefront() -> AppKey {
    AppKey::new("shop", "storefront")
}

fn of_web_in_foo(report: &Report) -> &Section {
    report.sections.iter().find(|section| &*section.heading == "foo Deployment/web in shop").unwrap()
}

/// Looks until all that storefront applied is there, as it was applied.
async fn delivered(hub: &Hub) -> Report {
    let app = storefront();
    let look = async || drift::look_up(hub, &app, false, DEADLINE).await;
    let wanted = |report: &Result<Report, _>| {
        report.as_ref().is_ok_and(|report: &Report| {
            report.sections.len() == 6 && report.sections.iter().all(|section| section.verdict == Verdict::Same)
        })
    };
    until("all of it as it was applied", look, wanted).await.unwrap()
}

/// Edits until the edit is what a look finds: a controller at work when it was paused may take back the first one.
async fn edited(hub: &Hub, method: Method, path: &str, body: &Value, wanted: impl Fn(&Report) -> bool) -> Report {
    let (app, member) = (storefront(), hub.member(&ClusterId::named("foo")));
    let look = async || {
        let _ = write(&member, method.clone(), path, body).await;
        drift::look_up(hub, &app, false, DEADLINE).await.unwrap()
    };
    until("the edit", look, wanted).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edited_object_is_drift_to_the_line_and_defaults_are_not() {
    let estate = estate();
    let hub = hub::hub(&estate, "hub");
    let report = delivered(&hub).await;
    let web = of_web_in_foo(&report);
    for left_out in ["containers[web].imagePullPolicy", "spec.strategy", "what the server keeps: "] {
        assert!(web.ignored.iter().any(|line| line.contains(left_out)), "{left_out}: {:#?}", web.ignored);
    }
    assert!(web.set_by.is_empty(), "{:?}", web.set_by);
    assert_eq!(report.sections[0].object.as_ref().unwrap().cluster, ClusterId::local(), "the hub itself first");

    pause(&hub, &storefront()).await;
    let containers = json!([{"name": "web", "image": "nginx:1.30", "ports": [{"containerPort": 80, "name": "port-80",
        "protocol": "TCP"}], "env": [{"name": "DEBUG", "value": "1"}],
        "resources": {"requests": {"cpu": "0.1", "memory": "64Mi"}, "limits": {"cpu": "100m", "memory": "65536Ki"}}}]);
    let edit = json!({"spec": {"replicas": 3, "template": {"spec": {"containers": containers}}}});
    let wanted = |report: &Report| of_web_in_foo(report).verdict == Verdict::Differs(2, 2);
    let report = edited(&hub, Method::PATCH, DEPLOYMENT, &edit, wanted).await;
    let web = of_web_in_foo(&report);
    let changed: Vec<String> = web
        .unified()
        .lines()
        .filter(|line| line.starts_with(['-', '+']))
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(changed, ["- replicas: 2", "+ replicas: 3", "- image: nginx:1.29", "+ image: nginx:1.30"]);
    let told = |part: &str| web.ignored.iter().any(|line| line.contains(part));
    assert!(told("requests.cpu: 100m and 0.1 mean the same"), "{:#?}", web.ignored);
    assert!(told("limits.memory: 64Mi and 65536Ki mean the same"), "{:#?}", web.ignored);
    assert!(told("containers[web].env: not in the manifest"), "{:#?}", web.ignored);
    // What differs comes first, and nothing else does.
    assert_eq!(report.sections[0], *web);
    assert_eq!(report.sections.iter().filter(|section| section.verdict.is_difference()).count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_was_deleted_is_gone_and_a_lost_cluster_is_not_known() {
    let estate = estate();
    let hub = hub::hub(&estate, "hub");
    delivered(&hub).await;
    pause(&hub, &storefront()).await;
    let gone = |report: &Report| of_web_in_foo(report).verdict == Verdict::Gone;
    let report = edited(&hub, Method::DELETE, DEPLOYMENT, &Value::Null, gone).await;
    assert!(of_web_in_foo(&report).unified().contains("image: nginx:1.29"));

    estate.cut("foo", Cut::Refuse).unwrap();
    let app = storefront();
    let look = async || drift::look_up(&hub, &app, false, DEADLINE).await.unwrap();
    let lost = |report: &Report| {
        let of = |cluster: &str| {
            let all = report.sections.iter();
            all.filter(|section| section.object.as_ref().unwrap().cluster.as_str() == cluster)
                .map(|section| section.verdict.as_str())
                .collect::<Vec<_>>()
        };
        of("foo") == ["unknown"; 3] && of("local") == ["same"; 3]
    };
    until("foo is lost, the hub is not", look, lost).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_of_an_override_is_a_revision_and_tells_what_it_changes_for_whom() {
    let estate = estate();
    let hub = hub::hub(&estate, "hub");
    let app = AppKey::new("default", "helm-hello");
    let list = async || revisions::list(&hub, &app, DEADLINE).await;
    let suspended = |name: &'static str| {
        move |found: &Result<Vec<Revision>, _>| {
            found.as_ref().is_ok_and(|found: &Vec<Revision>| {
                found.first().is_some_and(|newest| {
                    *newest.name == *name && newest.is_current && newest.outcome == Outcome::Suspended
                })
            })
        }
    };
    let first = until("the first waits", list, suspended("helm-hello-v1")).await.unwrap();
    assert_eq!((first.len(), &*first[0].changed), (1, "the first"));

    let path = "/apis/core.oam.dev/v1beta1/namespaces/default/applications/helm-hello";
    let client = hub.client();
    let get = Request::builder().uri(path).body(Vec::new()).unwrap();
    let mut object: Value = client.request(get).await.unwrap();
    let policies = object["spec"]["policies"].as_array_mut().unwrap();
    let foo = policies.iter_mut().find(|policy| policy["name"] == "override-foo").unwrap();
    foo["properties"]["components"][0]["properties"]["values"]["configs"]["MESSAGE"] = json!("Ahoy, foo");
    let edit = json!({"spec": {"policies": object["spec"]["policies"]}});
    write(&client, Method::PATCH, path, &edit).await.unwrap();
    let found = until("the second waits", list, suspended("helm-hello-v2")).await.unwrap();
    let told: Vec<_> = found.iter().map(|one| (&*one.name, &*one.changed)).collect();
    assert_eq!(told, [("helm-hello-v2", "override-foo"), ("helm-hello-v1", "the first")]);

    let report = revisions::compare(&hub, &app, "helm-hello-v1", "helm-hello-v2", DEADLINE).await.unwrap();
    let differ: Vec<&str> =
        report.sections.iter().filter(|one| one.verdict.is_difference()).map(|one| &*one.heading).collect();
    assert_eq!(differ, ["to foo/default by deploy2foo", "policy override-foo (override)"]);
    let whole = revisions::show(&hub, &app, "helm-hello-v2", DEADLINE).await.unwrap();
    assert!(whole.sections[0].unified().contains("MESSAGE: Ahoy, foo"), "{}", whole.sections[0].unified());
    let live = revisions::compare_live(&hub, &app, "helm-hello-v1", DEADLINE).await.unwrap();
    let differ: Vec<&str> =
        live.sections.iter().filter(|one| one.verdict.is_difference()).map(|one| &*one.heading).collect();
    assert_eq!(differ, ["to foo/default by deploy2foo", "policy override-foo (override)"], "as the second has it");
    let same = revisions::compare_live(&hub, &app, "helm-hello-v2", DEADLINE).await.unwrap();
    assert!(same.sections.iter().all(|one| one.verdict == Verdict::Same), "{same:#?}");
    let error = revisions::show(&hub, &app, "helm-hello-v9", DEADLINE).await.unwrap_err();
    assert!(error.message.contains("kept: helm-hello-v1, helm-hello-v2"), "{error}");
}
