//! Restart, scale and delete on a real cluster, and the events that its controllers write about it.

use lateen::{
    cluster::{
        Connect, Hub,
        actions::{perform, prepare},
    },
    model::{
        acting::{Deed, ObjectWrite, Verb},
        action::{Action, Outcome},
        key::ClusterId,
        resource::ResourceKey,
    },
};

use crate::lateen::lateen;
use crate::servers::{api, apply_namespace, eventually, servers};
use crate::workload::deploy;

async fn act(hub: &Hub, key: &ResourceKey, uid: Option<&str>, deed: Deed) -> Outcome {
    let prepared = prepare(hub, key, &[deed.verb()]).await.unwrap();
    assert_eq!(prepared.refusal(deed.verb()), None);
    let write = ObjectWrite {
        key: prepared.key,
        path: prepared.path,
        uid: uid.map_or(prepared.uid, Into::into),
        resource_version: prepared.resource_version,
        deed,
    };
    perform(hub, &Action::Object(Box::new(write)), &mut |_| Ok(())).await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs etcd and kube-apiserver: run by .ci/run"]
async fn a_deployment_is_restarted_scaled_and_deleted_and_events_tell_of_it() {
    let client = servers().client("hub").await;
    let namespace = "acting";
    apply_namespace(&client, namespace).await;
    deploy(&client, namespace, "acted-on", None).await;
    let kubeconfig = servers().kubeconfig("hub");
    let connect = Connect { kubeconfig: Some(kubeconfig.clone()), ..Connect::default() };
    let hub = Hub::load(&connect).unwrap();
    let key = ResourceKey {
        cluster: ClusterId::local(),
        group: "apps".into(),
        kind: "Deployment".into(),
        namespace: namespace.into(),
        name: "acted-on".into(),
    };
    let prepared = prepare(&hub, &key, &Verb::ALL).await.unwrap();
    assert_eq!(prepared.replicas, Some(2));
    let shape =
        serde_json::json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"namespace": namespace}});
    let deployments = api(&client, &serde_json::from_value(shape).unwrap());

    let another = act(&hub, &key, Some("of-another"), Deed::Restart).await;
    assert!(matches!(another, Outcome::Moved { .. }), "{another:?}");
    let restarted = act(&hub, &key, None, Deed::Restart).await;
    assert!(restarted.is_done(), "{restarted:?}");
    let found = deployments.get("acted-on").await.unwrap();
    let annotations = &found.data["spec"]["template"]["metadata"]["annotations"];
    assert!(annotations["kubectl.kubernetes.io/restartedAt"].is_string(), "{annotations}");

    let scaled = act(&hub, &key, None, Deed::Scale { from: 2, to: 3 }).await;
    assert!(scaled.is_done(), "{scaled:?}");
    assert_eq!(deployments.get("acted-on").await.unwrap().data["spec"]["replicas"], 3);
    let stale = act(&hub, &key, None, Deed::Scale { from: 2, to: 4 }).await;
    assert!(matches!(stale, Outcome::Moved { .. }), "{stale:?}");

    eventually("events about it", async || {
        let answer = lateen(&kubeconfig, &["get", "events", "-A", "-o", "json"]);
        let about = |item: &serde_json::Value| {
            item["kind"] == "Deployment" && item["namespace"] == namespace && item["reason"] == "ScalingReplicaSet"
        };
        answer.items().iter().any(about).then_some(())
    })
    .await;

    let deleted = act(&hub, &key, None, Deed::Delete).await;
    assert!(deleted.is_done(), "{deleted:?}");
    eventually("it is gone", async || {
        let found = deployments.get_opt("acted-on").await.ok()?;
        found.is_none_or(|found| found.metadata.deletion_timestamp.is_some()).then_some(())
    })
    .await;
}
