//! Joined clusters that do not answer, with the gateway's words and times.

use std::time::Instant;

use super::*;

/// Real times are divided by this.
const SPEED: u32 = 50;

#[tokio::test]
async fn who_is_silent_is_given_up_after_the_gateways_times() {
    let estate = joined();
    let hub = estate.client(HUB).await.unwrap();
    let secrets: Api<Secret> = Api::namespaced(hub.clone(), "vela-system");
    let mut ghost = secrets.get(MEMBER).await.unwrap();
    ghost.metadata =
        kube::core::ObjectMeta { name: Some("ghost".into()), labels: ghost.metadata.labels, ..Default::default() };
    // An address of a network that nobody has.
    ghost
        .data
        .get_or_insert_default()
        .insert("endpoint".into(), k8s_openapi::ByteString(b"https://192.0.2.1:6443".to_vec()));
    secrets.create(&PostParams::default(), &ghost).await.unwrap();

    let refused = |name: &'static str, sentence: &'static str, seconds: u32| {
        let member = through(hub.clone(), name);
        async move {
            let begin = Instant::now();
            let refused = get(&member, "/api/v1/pods").await.unwrap_err();
            assert!(refused.to_string().contains(sentence), "{name}: {refused}");
            assert_eq!(code(refused), 500);
            let least = Duration::from_secs(seconds.into()) / SPEED;
            assert!(begin.elapsed() >= least, "{name} was given up after {:?}", begin.elapsed());
        }
    };
    refused("ghost", "dial tcp 192.0.2.1:6443: i/o timeout", 30).await;

    let foo = through(hub.clone(), MEMBER);
    let begin = Instant::now();
    estate.cut(MEMBER, Cut::Hang).unwrap();
    // A connection that was in use is missed after a while, and then new ones do not come about.
    refused(MEMBER, "http2: client connection lost", 0).await;
    assert!(begin.elapsed() >= Duration::from_secs(44) / SPEED, "{:?}", begin.elapsed());
    refused(MEMBER, "net/http: TLS handshake timeout", 10).await;
    estate.restore(MEMBER).unwrap();
    get(&foo, "/api/v1/namespaces").await.unwrap();
}

#[tokio::test]
async fn a_watch_whose_cluster_hangs_breaks_and_does_not_end() {
    let estate = joined();
    let foo = through(estate.client(HUB).await.unwrap(), MEMBER);
    let request = Request::get("/api/v1/namespaces?watch=true").body(Vec::new()).unwrap();
    let mut lines = foo.request_stream(request).await.unwrap().lines();
    lines.try_next().await.unwrap().unwrap();
    estate.cut(MEMBER, Cut::Hang).unwrap();
    let broken = async {
        loop {
            match lines.try_next().await {
                Ok(Some(_)) => {}
                Ok(None) => panic!("it ended as if that were all"),
                Err(error) => break error,
            }
        }
    };
    tokio::time::timeout(SOON, broken).await.unwrap();
}
