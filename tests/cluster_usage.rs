//! What pods use, read from the simulated estate.
#![cfg(feature = "demo")]
#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

#[path = "support/hub.rs"]
mod hub;

use lateen::{
    cluster::usage::read,
    demo::{Estate, Options},
    model::{
        key::ClusterId,
        usage::{NoReading, Usage},
    },
};

#[tokio::test(flavor = "multi_thread")]
async fn use_is_read_where_it_is_told_and_its_absence_where_it_is_not() {
    let estate = Estate::start(Options { scenario: Some("workloads".into()), ..Options::default() }).unwrap();
    let hub = hub::hub(&estate, "hub");
    let foo = ClusterId::named("foo");
    let reading = read(&hub.member(&foo), &foo, &"data".into()).await;
    let pods = reading.pods.unwrap();
    let store = pods.iter().find(|(pod, _)| &*pod.name == "store-0").unwrap();
    assert_eq!(store.1, Usage { cpu: 412, memory: 1893 << 20 });
    // What no scenario measures is measured while it runs.
    let local = ClusterId::local();
    let reading = read(&hub.member(&local), &local, &"flux-system".into()).await;
    assert!(reading.pods.is_ok(), "{reading:?}");
    let bare = Estate::start(Options { empty: true, ..Options::default() }).unwrap();
    let hub = hub::hub(&bare, "hub");
    let reading = read(&hub.member(&local), &local, &"default".into()).await;
    assert_eq!(reading.pods, Err(NoReading::NotServed));
}
