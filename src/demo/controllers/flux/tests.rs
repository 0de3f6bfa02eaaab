//! A release's life, played against a mirror.

use serde_json::Value;

use super::*;
use crate::demo::controllers::reconciler::bench::Bench;

const URL: &str = "https://jhidalgo3.github.io/helm-charts/";

fn bench(url: &str, version: &str, message: &str) -> Bench<Flux> {
    let mut bench = Bench::new(Flux);
    bench.put(json!({"apiVersion": api::HELM_REPOSITORY.api_version, "kind": "HelmRepository",
        "metadata": {"name": "hello", "namespace": "default", "generation": 1},
        "spec": {"url": url, "interval": "5m"}}));
    bench.put(release(version, message, 1));
    bench
}

fn release(version: &str, message: &str, generation: i64) -> Value {
    json!({"apiVersion": api::HELM_RELEASE.api_version, "kind": "HelmRelease",
    "metadata": {"name": "hello", "namespace": "default", "generation": generation},
    "spec": {
        "chart": {"spec": {"chart": "hello-kubernetes-chart", "version": version, "interval": "5m",
            "sourceRef": {"kind": "HelmRepository", "name": "hello"}}},
        "install": {"remediation": {"retries": 3}}, "upgrade": {"remediation": {"retries": 3}},
        "interval": "30s", "timeout": "10m", "values": {"configs": {"MESSAGE": message}},
    }})
}

fn live(bench: &Bench<Flux>) -> Value {
    bench.mirror.get(&api::HELM_RELEASE, "default", "hello").unwrap().as_ref().clone()
}

fn ready(bench: &Bench<Flux>) -> (String, String) {
    let live = live(bench);
    let ready = object::condition(&live, "Ready").cloned().unwrap_or_default();
    (object::text(&ready, "/status").to_owned(), object::text(&ready, "/message").to_owned())
}

/// What Kubernetes would do: all replicas of the Deployment become available.
fn pods_become_ready(bench: &mut Bench<Flux>) {
    let name = "hello-hello-kubernetes";
    let mut made = bench.mirror.get(&api::DEPLOYMENT, "default", name).unwrap().as_ref().clone();
    let replicas = made["spec"]["replicas"].clone();
    made["status"] = json!({"observedGeneration": made["metadata"]["generation"], "updatedReplicas": replicas,
        "availableReplicas": replicas, "replicas": replicas});
    bench.put(made);
}

fn config(bench: &Bench<Flux>) -> Value {
    let name = "hello-hello-kubernetes-config";
    bench.mirror.get(&api::CONFIG_MAP, "default", name).unwrap()["data"]["MESSAGE"].clone()
}

/// The release's object in every state that it passes through has these paths and no others.
fn paths(value: &Value, at: &str, out: &mut Vec<String>) {
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| paths(value, &format!("{at}/{key}"), out)),
        Value::Array(all) => all.iter().for_each(|value| paths(value, &format!("{at}/*"), out)),
        _ => out.push(at.to_owned()),
    }
}

#[test]
fn a_release_goes_from_fetching_to_ready() {
    let mut bench = bench(URL, "3.0.0", "Welcome!");
    bench.settle();
    assert_eq!(ready(&bench), ("Unknown".into(), "Reconciliation in progress".into()));
    bench.pass(Duration::from_millis(600));
    assert_eq!(ready(&bench), ("False".into(), "HelmChart 'default/default-hello' is not ready".into()));
    bench.pass(Duration::from_secs(2));
    assert_eq!(ready(&bench), ("Unknown".into(), "Reconciliation in progress".into()));
    assert_eq!(config(&bench), "Welcome!");
    pods_become_ready(&mut bench);
    bench.settle();
    assert_eq!(ready(&bench), ("True".into(), "Release reconciliation succeeded".into()));
    let mut all = Vec::new();
    paths(&live(&bench)["status"], "", &mut all);
    all.sort();
    all.dedup();
    assert_eq!(
        all,
        [
            "/conditions/*/lastTransitionTime",
            "/conditions/*/message",
            "/conditions/*/reason",
            "/conditions/*/status",
            "/conditions/*/type",
            "/helmChart",
            "/lastAppliedRevision",
            "/lastAttemptedRevision",
            "/lastAttemptedValuesChecksum",
            "/lastReleaseRevision",
            "/observedGeneration",
        ]
    );
}

#[test]
fn new_values_are_an_upgrade() {
    let mut bench = bench(URL, "3.0.0", "one");
    bench.pass(Duration::from_secs(3));
    pods_become_ready(&mut bench);
    bench.settle();
    let status = live(&bench)["status"].clone();
    let mut new = release("3.0.0", "two", 2);
    new["status"] = status;
    new["metadata"]["finalizers"] = json!([FINALIZER]);
    bench.put(new);
    bench.settle();
    assert_eq!(ready(&bench).0, "Unknown");
    bench.pass(Duration::from_secs(1));
    assert_eq!(config(&bench), "two");
    pods_become_ready(&mut bench);
    bench.settle();
    assert_eq!(live(&bench)["status"]["lastReleaseRevision"], 2);
    assert_eq!(object::text(object::condition(&live(&bench), "Released").unwrap(), "/reason"), "UpgradeSucceeded");
}

#[test]
fn a_chart_that_is_not_there_is_said_in_fluxs_words() {
    let mut bench = bench(URL, "9.9.9", "x");
    bench.pass(Duration::from_secs(3));
    assert_eq!(ready(&bench), ("False".into(), "HelmChart 'default/default-hello' is not ready".into()));
    let chart = bench.mirror.get(&api::HELM_CHART, "default", "default-hello").unwrap();
    let why = object::condition(chart, "Ready").unwrap();
    assert_eq!(why["reason"], "InvalidChartReference");
    assert!(object::text(why, "/message").ends_with("chart with version matching '9.9.9' found"));
}

#[test]
fn a_repository_that_is_not_there_fails_to_be_fetched() {
    let mut bench = bench("https://charts.invalid/", "3.0.0", "x");
    bench.pass(Duration::from_secs(3));
    let repository = bench.mirror.get(&api::HELM_REPOSITORY, "default", "hello").unwrap();
    assert!(object::is_true(repository, "FetchFailed"));
}

#[test]
fn pods_that_never_become_ready_exhaust_the_retries() {
    let mut bench = bench(URL, "3.0.0", "x");
    bench.pass(Duration::from_secs(610));
    assert_eq!(ready(&bench), ("False".into(), "install retries exhausted".into()));
    assert_eq!(live(&bench)["status"]["installFailures"], 4);
}

#[test]
fn a_release_fails_on_demand_and_is_tried_again_when_the_demand_is_gone() {
    let mut bench = bench(URL, "3.0.0", "x");
    bench.pass(Duration::from_secs(3));
    pods_become_ready(&mut bench);
    bench.settle();
    let mut demanded = live(&bench);
    demanded["metadata"]["annotations"] = json!({"estate.lateen.dev/fail": "yes"});
    bench.put(demanded);
    bench.settle();
    assert_eq!(ready(&bench), ("False".into(), "upgrade retries exhausted".into()));
    let mut freed = live(&bench);
    freed["metadata"]["annotations"] = json!({});
    bench.put(freed);
    bench.pass(Duration::from_secs(1));
    assert_eq!(ready(&bench).0, "True");
}

#[test]
fn a_release_whose_repository_went_first_leaves_nothing_behind() {
    let mut bench = bench(URL, "3.0.0", "x");
    bench.pass(Duration::from_secs(3));
    pods_become_ready(&mut bench);
    bench.settle();
    bench.delete(&api::HELM_REPOSITORY, "default", "hello");
    let mut dying = live(&bench);
    dying["metadata"]["deletionTimestamp"] = json!(object::now());
    bench.put(dying);
    bench.settle();
    for kind in [&api::DEPLOYMENT, &api::SERVICE, &api::CONFIG_MAP, &api::SERVICE_ACCOUNT, &api::HELM_CHART] {
        assert_eq!(bench.mirror.of(kind, "default").count(), 0, "{}", kind.kind);
    }
}
