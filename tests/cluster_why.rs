//! What the chain to a cause needs, looked up in the simulated estate, and the chain that comes of it.
#![cfg(feature = "demo")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "what fails here fails the test")]

#[path = "support/hub.rs"]
mod hub;

use std::time::Duration;

use lateen::{
    cluster::{project, request, why::look_up},
    demo::{Estate, Options},
    model::{
        health::judge,
        key::AppKey,
        why::{Chain, Known, Subject, explain},
    },
};
use tokio::time::{sleep, timeout};

/// Time for a condition to come true; far beyond what it takes.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Time that a cluster is given to answer.
const DEADLINE: Duration = Duration::from_secs(20);

fn estate() -> Estate {
    Estate::start(Options { speed: 20.0, ..Options::default() }).unwrap()
}

fn sentences(chain: &Chain) -> Vec<String> {
    chain.links.iter().map(|link| link.reason.to_string()).collect()
}

/// Looks until the chain of an application says each of these, one after the other.
async fn until(estate: &Estate, namespace: &str, name: &str, wanted: &[&str]) -> Chain {
    let hub = hub::hub(estate, "hub");
    let key = AppKey::new(namespace, name);
    let subject = Subject::Application(key.clone());
    let path = format!("/apis/core.oam.dev/v1beta1/namespaces/{namespace}/applications/{name}");
    let mut last = Vec::new();
    let found = timeout(PATIENCE, async {
        loop {
            let object = request::get_json(&hub.client(), &path, DEADLINE).await;
            let looked = look_up(&hub, &subject, DEADLINE).await;
            if let (Ok(object), Ok(looked)) = (object, looked) {
                let app = project::application(&object);
                let standing = judge(&app, &[], &|_| None);
                let known = Known {
                    app: Some((&app, &standing)),
                    pods: Vec::new(),
                    link: &|_| None,
                    version: &|_| None,
                    applications: 0,
                    looked: Some(&looked),
                };
                let chain = explain(&subject, &known);
                last = sentences(&chain);
                let mut rest = last.iter();
                if wanted.iter().all(|wanted| rest.any(|sentence| sentence.contains(wanted))) {
                    return chain;
                }
            }
            sleep(LOOK_EVERY).await;
        }
    });
    let found = found.await;
    found.unwrap_or_else(|_| panic!("{wanted:?} never came: {last:#?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_is_not_there_is_followed_from_the_step_to_what_the_node_says() {
    let estate = estate();
    let chain = until(
        &estate,
        "media",
        "transcoder",
        &[
            "failed: deploy2foo",
            "timed out",
            "ImagePullBackOff",
            "the registry has no such image or tag",
            "Failed to pull image",
        ],
    )
    .await;
    assert!(chain.gaps.is_empty(), "{:?}", chain.gaps);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_loop_under_a_release_that_is_ready_ends_in_its_last_words() {
    let estate = estate();
    let wanted = ["but what it made is not well", "CrashLoopBackOff", "exit code 1", "Error: listen EADDRINUSE"];
    until(&estate, "payments", "ledger", &wanted).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_that_is_well_has_nothing_to_follow() {
    let estate = estate();
    let chain = until(&estate, "shop", "storefront", &["nothing is wrong"]).await;
    assert!(chain.is_well() && chain.looked_at > 0, "{chain:#?}");
}
