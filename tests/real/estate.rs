//! A real hub on which KubeVela and Flux work: the estate's gateway and controllers on control planes of their own,
//! with foo joined as `vela cluster join` joins it.

use std::sync::OnceLock;
use std::thread;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kube::Client;
use kube::api::PostParams;
use kube::config::Kubeconfig;
use kube::core::DynamicObject;
use lateen::demo::controllers;
use lateen::demo::gateway::aggregated::Gateway;
use serde_json::json;

use crate::lateen::lateen;
use crate::servers::{Servers, applications, apply, apply_namespace, client, documents, eventually};

/// How many times faster than the real ones the controllers are.
const SPEED: f64 = 20.0;

/// The servers with all that; started by whoever asks first.
///
/// # Panics
/// Where they do not start.
pub(crate) fn estate() -> &'static Servers {
    static ESTATE: OnceLock<Servers> = OnceLock::new();
    ESTATE.get_or_init(|| {
        let servers = Servers::start("estate", &[]);
        servers.install(&["hub", "foo"]);
        let (ready, served) = std::sync::mpsc::channel();
        let kubeconfigs = ["hub", "foo"].map(|cluster| servers.kubeconfig(cluster));
        // Tests come and go; this works until the process ends.
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
            runtime.block_on(async {
                let [hub, member] = &kubeconfigs;
                let credential = Kubeconfig::read_from(member).unwrap();
                let (hub, member) = (client(hub).await, client(member).await);
                join(&hub, &credential).await;
                let gateway =
                    eventually("who the hub's aggregator is", async || Gateway::new(hub.clone()).await.ok()).await;
                let registration = gateway.registration();
                tokio::spawn(gateway.serve());
                for object in &registration {
                    apply(&hub, object).await;
                }
                eventually("the hub to have taken the gateway", async || {
                    let path = "/apis/cluster.core.oam.dev/v1alpha1/clustergateways/foo/proxy/readyz";
                    hub.request_text(http::Request::get(path).body(Vec::new()).unwrap()).await.ok()
                })
                .await;
                ready.send(()).unwrap();
                let clusters = vec![("local".to_owned(), hub), ("foo".to_owned(), member)];
                // Kubernetes' own controllers are the real ones.
                controllers::run(clusters, controllers::Options { speed: SPEED, core: false }).await;
            });
        });
        served.recv().unwrap();
        servers
    })
}

/// Puts foo's Secret where KubeVela keeps those of joined clusters.
async fn join(hub: &Client, member: &Kubeconfig) {
    let cluster = member.clusters[0].cluster.as_ref().unwrap();
    let user = serde_json::to_value(member.auth_infos[0].auth_info.as_ref().unwrap()).unwrap();
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
        "metadata": {
            "name": "foo", "namespace": "vela-system",
            "labels": {"cluster.core.oam.dev/cluster-credential-type": "X509Certificate", "region": "eu"},
            "annotations": {"cluster.core.oam.dev/cluster-alias": "Foo cluster"},
        },
        "data": {
            "endpoint": STANDARD.encode(cluster.server.as_ref().unwrap()),
            "ca.crt": cluster.certificate_authority_data,
            "tls.crt": user["client-certificate-data"],
            "tls.key": user["client-key-data"],
        },
    });
    apply_namespace(hub, "vela-system").await;
    apply(hub, &secret).await;
}

/// The tutorial's application, as a user delivers it.
pub(crate) fn application() -> DynamicObject {
    serde_json::from_value(documents("tests/real/helm-hello.yaml").remove(0)).unwrap()
}

/// Makes sure of a namespace in both clusters.
pub(crate) async fn namespace_in_both(namespace: &str) {
    for cluster in ["hub", "foo"] {
        apply_namespace(&estate().client(cluster).await, namespace).await;
    }
}

/// Waits until KubeVela says of the tutorial's application that it stands so.
pub(crate) async fn reaches(hub: &Client, namespace: &str, phase: &str) {
    let api = applications(hub, namespace);
    eventually(&format!("helm-hello in {namespace} to be {phase}"), async || {
        let found = api.get("helm-hello").await.ok()?;
        (found.data["status"]["status"] == phase).then_some(())
    })
    .await;
}

/// The tutorial delivered to both clusters in the namespace `team-a`, once for all tests that look at it.
pub(crate) fn delivered() -> &'static Servers {
    static DELIVERED: OnceLock<()> = OnceLock::new();
    DELIVERED.get_or_init(|| {
        // A test's own runtime ends with the test.
        let deliver = || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let namespace = "team-a";
                namespace_in_both(namespace).await;
                let hub = estate().client("hub").await;
                applications(&hub, namespace).create(&PostParams::default(), &application()).await.unwrap();
                reaches(&hub, namespace, "workflowSuspending").await;
                let answer = lateen(&estate().kubeconfig("hub"), &["approve", "helm-hello", "-n", namespace, "-y"]);
                assert_eq!(answer.code, Some(0), "{answer:?}");
                reaches(&hub, namespace, "running").await;
            });
        };
        thread::scope(|scope| scope.spawn(deliver).join().unwrap());
    });
    estate()
}
