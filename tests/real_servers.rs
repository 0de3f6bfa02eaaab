//! lateen on real API servers: etcd, kube-apiserver, and the core controllers, for a hub and a member cluster.
//!
//! They need those programs, so `cargo test` leaves them out; `.ci/run` runs them. By hand:
//! `KUBEBUILDER_ASSETS=$(tests/real/build.sh) cargo test --test real_servers -- --include-ignored`.

#[path = "real/captures.rs"]
mod captures;
#[path = "real/servers.rs"]
mod servers;

use captures::captures;
use servers::servers;

/// What the other tests stand on: the definitions of the kinds drop nothing that KubeVela writes.
#[tokio::test]
#[ignore = "needs etcd and kube-apiserver: run by .ci/run"]
async fn captured_applications_are_kept_whole() {
    let client = servers().client("hub").await;
    for capture in captures() {
        let kept = capture.load(&client, &format!("kept-{}", capture.moment)).await;
        let wanted = &capture.object;
        assert_eq!(kept.data["spec"], wanted["spec"], "{}", capture.moment);
        assert_eq!(kept.data["status"], wanted["status"], "{}", capture.moment);
        assert_eq!(kept.metadata.generation, wanted["metadata"]["generation"].as_i64(), "{}", capture.moment);
        assert_eq!(
            kept.metadata.deletion_timestamp.is_some(),
            wanted["metadata"].get("deletionTimestamp").is_some(),
            "{}",
            capture.moment
        );
    }
}
