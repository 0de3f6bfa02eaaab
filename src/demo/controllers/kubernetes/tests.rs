//! A Deployment's life, played against a mirror: no cluster, no waiting.

use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::demo::controllers::reconciler::bench::Bench;

fn deployment(image: &str, replicas: i64, extra: &Value) -> Value {
    let mut container = json!({"name": "web", "image": image, "ports": [{"name": "http", "containerPort": 8080}]});
    object::overlay(&mut container, extra);
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "default", "generation": 1},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]}},
        },
    })
}

fn bench() -> Bench<Kubernetes> {
    let mut bench = Bench::new(Kubernetes);
    for name in ["node-1", "node-2"] {
        bench.put(json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name},
            "status": {"conditions": [{"type": "Ready", "status": "True"}]}}));
    }
    bench
}

fn pods(bench: &Bench<Kubernetes>) -> Vec<Value> {
    bench.mirror.of(&api::POD, "default").map(|pod| pod.as_ref().clone()).collect()
}

fn live(bench: &Bench<Kubernetes>) -> Value {
    bench.mirror.get(&api::DEPLOYMENT, "default", "web").unwrap().as_ref().clone()
}

fn waiting(pod: &Value) -> &str {
    object::text(pod, "/status/containerStatuses/0/state/waiting/reason")
}

#[test]
fn a_deployment_gets_its_pods_and_they_become_ready() {
    let mut bench = bench();
    bench.put(deployment("nginx", 2, &json!({})));
    bench.settle();
    assert_eq!(pods(&bench).len(), 2);
    assert!(pods(&bench).iter().all(|pod| pod["status"]["phase"] == "Pending"));
    bench.pass(Duration::from_millis(500));
    assert!(pods(&bench).iter().all(|pod| waiting(pod) == "ContainerCreating"));
    bench.pass(Duration::from_secs(5));
    for pod in pods(&bench) {
        assert_eq!(pod["status"]["phase"], "Running");
        assert!(object::is_true(&pod, "Ready"));
        assert!(!object::text(&pod, "/status/podIP").is_empty());
        assert!(!object::text(&pod, "/spec/nodeName").is_empty());
    }
    assert_eq!(live(&bench)["status"]["availableReplicas"], 2);
    assert!(object::is_true(&live(&bench), "Available"));
}

#[test]
fn a_new_template_is_rolled_out_without_losing_a_pod() {
    let mut bench = bench();
    bench.put(deployment("nginx:1", 3, &json!({})));
    bench.pass(Duration::from_secs(6));
    bench.put(deployment("nginx:2", 3, &json!({})));
    for _ in 0..200 {
        bench.pass(Duration::from_millis(100));
        let ready = pods(&bench).iter().filter(|pod| object::is_true(pod, "Ready")).count();
        assert!(ready >= 3, "{ready} ready");
        assert!(pods(&bench).len() <= 4);
    }
    assert_eq!(pods(&bench).len(), 3);
    assert!(pods(&bench).iter().all(|pod| pod["spec"]["containers"][0]["image"] == "nginx:2"));
    assert_eq!(live(&bench)["metadata"]["annotations"]["deployment.kubernetes.io/revision"], "2");
    assert_eq!(bench.mirror.of(&api::REPLICA_SET, "default").count(), 2);

    bench.put(deployment("nginx:1", 3, &json!({})));
    bench.pass(Duration::from_secs(20));
    assert!(pods(&bench).iter().all(|pod| pod["spec"]["containers"][0]["image"] == "nginx:1"));
    assert_eq!(bench.mirror.of(&api::REPLICA_SET, "default").count(), 2);
    assert_eq!(live(&bench)["metadata"]["annotations"]["deployment.kubernetes.io/revision"], "3");
}

#[test]
fn a_lost_pod_is_replaced_and_scaling_is_followed() {
    let mut bench = bench();
    bench.put(deployment("nginx", 2, &json!({})));
    bench.pass(Duration::from_secs(5));
    let lost = object::name(&pods(&bench)[0]).to_owned();
    bench.delete(&api::POD, "default", &lost);
    bench.settle();
    assert_eq!(pods(&bench).len(), 2);
    assert!(pods(&bench).iter().all(|pod| object::name(pod) != lost));
    let mut down = live(&bench);
    down["spec"]["replicas"] = json!(0);
    bench.put(down);
    bench.settle();
    assert!(pods(&bench).is_empty());
}

#[test]
fn an_image_that_is_not_there_is_backed_off_from() {
    let mut bench = bench();
    bench.put(deployment("registry.example/web:does-not-exist", 1, &json!({})));
    bench.pass(Duration::from_secs(3));
    assert_eq!(waiting(&pods(&bench)[0]), "ErrImagePull");
    bench.pass(Duration::from_secs(2));
    assert_eq!(waiting(&pods(&bench)[0]), "ImagePullBackOff");
    assert_eq!(pods(&bench)[0]["status"]["phase"], "Pending");
}

#[test]
fn a_container_that_fails_loops_and_counts() {
    let mut bench = bench();
    bench.put(deployment("nginx", 1, &json!({"command": ["/bin/false"]})));
    bench.pass(Duration::from_secs(6));
    let pod = &pods(&bench)[0];
    assert_eq!(waiting(pod), "CrashLoopBackOff");
    assert_eq!(pod["status"]["phase"], "Running");
    assert_eq!(pod["status"]["containerStatuses"][0]["lastState"]["terminated"]["exitCode"], 1);
    bench.pass(Duration::from_secs(40));
    assert_eq!(pods(&bench)[0]["status"]["containerStatuses"][0]["restartCount"], 2);
}

#[test]
fn a_container_may_live_for_a_while_before_it_fails() {
    let mut bench = bench();
    bench.put(deployment("nginx", 1, &json!({"env": [{"name": "EXIT_AFTER_SECONDS", "value": "8"}]})));
    bench.pass(Duration::from_secs(6));
    assert!(object::is_true(&pods(&bench)[0], "Ready"));
    bench.pass(Duration::from_secs(8));
    assert_eq!(waiting(&pods(&bench)[0]), "CrashLoopBackOff");
    assert_eq!(live(&bench)["status"].get("readyReplicas"), None);
}

#[test]
fn of_pods_that_are_not_of_an_age_every_one_fails() {
    let mut bench = bench();
    bench.put(deployment("nginx", 3, &json!({"env": [{"name": "EXIT_AFTER_SECONDS", "value": "8"}]})));
    bench.pass(Duration::from_secs(6));
    let young = object::name(&pods(&bench)[0]).to_owned();
    bench.delete(&api::POD, "default", &young);
    // The others fail before the new one is old enough, and are never all ready again.
    bench.pass(Duration::from_secs(60));
    for pod in pods(&bench) {
        let status = &pod["status"]["containerStatuses"][0];
        assert_eq!(status["lastState"]["terminated"]["exitCode"], 1, "{status}");
    }
}

#[test]
fn a_service_gets_an_address_and_the_ready_pods() {
    let mut bench = bench();
    bench.put(deployment("nginx", 2, &json!({})));
    bench.put(json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "default"},
        "spec": {"selector": {"app": "web"}, "ports": [{"name": "http", "port": 80, "targetPort": "http"}]}}));
    bench.pass(Duration::from_secs(5));
    let service = bench.mirror.get(&api::SERVICE, "default", "web").unwrap();
    assert!(!object::text(service, "/spec/clusterIP").is_empty());
    let slice = bench.mirror.of(&api::ENDPOINT_SLICE, "default").next().unwrap();
    assert_eq!(slice["endpoints"].as_array().unwrap().len(), 2);
    assert_eq!(slice["endpoints"][0]["conditions"]["ready"], true);
    assert_eq!(slice["ports"][0]["port"], 8080);
}

#[test]
fn a_pod_that_fits_no_node_says_so() {
    let mut bench = bench();
    let mut wanted = deployment("nginx", 1, &json!({}));
    wanted["spec"]["template"]["spec"]["nodeSelector"] = json!({"disk": "ssd"});
    bench.put(wanted);
    bench.pass(Duration::from_secs(2));
    let pod = &pods(&bench)[0];
    let why = object::condition(pod, "PodScheduled").unwrap();
    assert_eq!(why["reason"], "Unschedulable");
    assert!(object::text(why, "/message").starts_with("0/2 nodes are available"));
}
