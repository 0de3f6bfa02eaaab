//! What pods use, read from the simulated estate.
#![cfg(feature = "demo")]
#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use lateen::{
    cluster::{Connect, Hub, usage::read},
    demo::{Estate, Options},
    model::{
        key::ClusterId,
        usage::{NoReading, Usage},
    },
};

fn hub(estate: &Estate) -> Hub {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kubeconfig");
    std::fs::write(&file, estate.kubeconfig()).unwrap();
    Hub::load(&Connect { kubeconfig: Some(file), context: Some("hub".to_owned()), ..Connect::default() }).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn use_is_read_where_it_is_told_and_its_absence_where_it_is_not() {
    let estate = Estate::start(Options { scenario: Some("workloads".into()), ..Options::default() }).unwrap();
    let hub = hub(&estate);
    let foo = ClusterId::named("foo");
    let reading = read(&hub.member(&foo), &foo, &"data".into()).await;
    let pods = reading.pods.unwrap();
    let store = pods.iter().find(|(pod, _)| &*pod.name == "store-0").unwrap();
    assert_eq!(store.1, Usage { cpu: 412, memory: 1893 << 20 });
    let local = ClusterId::local();
    let reading = read(&hub.member(&local), &local, &"default".into()).await;
    assert_eq!(reading.pods, Err(NoReading::NotServed));
}
