//! Server-side apply, as kube's client sends it.

use kube::api::{Api, DeleteParams, Patch, PatchParams, PropagationPolicy};

use super::*;

fn by(manager: &str) -> PatchParams {
    PatchParams::apply(manager)
}

fn deployment(replicas: i64, image: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "web" },
        "spec": {
            "replicas": replicas, "selector": { "matchLabels": { "app": "web" } },
            "template": {
                "metadata": { "labels": { "app": "web" } },
                "spec": { "containers": [{ "name": "web", "image": image }] },
            },
        },
    })
}

#[tokio::test]
async fn what_a_manager_applies_it_owns() {
    let estate = estate();
    let client = estate.client(HUB).await.unwrap();
    let api: Api<Deployment> = Api::default_namespaced(client.clone());
    let dry = PatchParams { dry_run: true, ..by("one") };
    api.patch("web", &dry, &Patch::Apply(deployment(1, "nginx:1"))).await.unwrap();
    assert!(api.get_opt("web").await.unwrap().is_none(), "a rehearsal makes nothing");

    let created = api.patch("web", &by("one"), &Patch::Apply(deployment(1, "nginx:1"))).await.unwrap();
    assert_eq!(created.metadata.generation, Some(1));
    let entry = &created.metadata.managed_fields.unwrap()[0];
    assert_eq!((entry.manager.as_deref(), entry.operation.as_deref()), (Some("one"), Some("Apply")));

    let refused = api.patch("web", &by("two"), &Patch::Apply(deployment(2, "nginx:1"))).await.unwrap_err();
    assert!(
        refused.to_string().contains("Apply failed with 1 conflict: conflict with \"one\": .spec.replicas"),
        "{refused}"
    );
    assert_eq!(code(refused), 409);
    let forced = api.patch("web", &by("two").force(), &Patch::Apply(deployment(2, "nginx:1"))).await.unwrap();
    assert_eq!(forced.spec.replicas, Some(2));

    let same = deployment(2, "nginx:1");
    let first = api.patch("web", &by("two"), &Patch::Apply(&same)).await.unwrap();
    let again = api.patch("web", &by("two"), &Patch::Apply(&same)).await.unwrap();
    assert_eq!(first.metadata.generation, again.metadata.generation, "what changes nothing makes no generation");

    let mut stale = deployment(2, "nginx:2");
    stale["metadata"]["resourceVersion"] = "1".into();
    assert_eq!(code(api.patch("web", &by("two").force(), &Patch::Apply(stale)).await.unwrap_err()), 409);
    let mut other = deployment(2, "nginx:2");
    other["metadata"]["name"] = "other".into();
    assert_eq!(code(api.patch("web", &by("two").force(), &Patch::Apply(other)).await.unwrap_err()), 400);

    let apply = Request::patch("/api/v1/namespaces/default/configmaps/a")
        .header("content-type", "application/apply-patch+yaml");
    let unnamed = apply.body(b"apiVersion: v1\nkind: ConfigMap\n".to_vec()).unwrap();
    let refused = client.request::<Value>(unnamed).await.unwrap_err();
    assert!(refused.to_string().contains("fieldManager: Required value: is required for apply patch"), "{refused}");
    assert_eq!(code(refused), 422);
}

#[tokio::test]
async fn a_status_is_applied_through_its_own_door() {
    let estate = estate();
    let api: Api<DynamicObject> = Api::default_namespaced_with(estate.client(HUB).await.unwrap(), &application());
    let app = |extra: Value| {
        let mut app =
            json!({ "apiVersion": "core.oam.dev/v1beta1", "kind": "Application", "metadata": { "name": "shop" } });
        patch(&mut app, &extra);
        Patch::Apply(app)
    };
    api.patch("shop", &by("one"), &app(json!({ "spec": { "components": [1] }, "status": { "x": 1 } }))).await.unwrap();
    let written =
        api.patch_status("shop", &by("two"), &app(json!({ "spec": {}, "status": { "status": "running" } }))).await;
    let written = written.unwrap();
    assert_eq!(written.data["status"], json!({ "status": "running" }));
    assert_eq!(written.data["spec"], json!({ "components": [1] }));
    let without = api.patch("shop", &by("one"), &app(json!({ "spec": {} }))).await.unwrap();
    assert_eq!(without.data["spec"], json!({}), "what is no longer applied goes");
}

fn patch(target: &mut Value, extra: &Value) {
    for (key, value) in extra.as_object().unwrap() {
        target[key] = value.clone();
    }
}

#[tokio::test]
async fn what_a_deployment_owns_goes_stays_or_goes_first() {
    let estate = estate();
    let client = estate.client(HUB).await.unwrap();
    let deployments: Api<Deployment> = Api::default_namespaced(client.clone());
    let sets: Api<ReplicaSet> = Api::default_namespaced(client.clone());
    let create = || async {
        deployments.patch("web", &by("one"), &Patch::Apply(deployment(1, "nginx:1"))).await.unwrap();
        until(|| async {
            sets.list(&ListParams::default())
                .await
                .unwrap()
                .items
                .first()
                .is_some_and(|set| set.status.as_ref().is_some_and(|status| status.ready_replicas == Some(1)))
        })
        .await;
    };
    let with = |policy| DeleteParams { propagation_policy: Some(policy), ..DeleteParams::default() };
    create().await;
    let dry = DeleteParams { dry_run: true, ..DeleteParams::default() };
    deployments.delete("web", &dry).await.unwrap();
    deployments.get("web").await.unwrap();

    let left = deployments.delete("web", &with(PropagationPolicy::Foreground)).await.unwrap();
    let left = left.left().expect("the owner waits for what it owns");
    assert_eq!(left.metadata.finalizers.unwrap(), ["foregroundDeletion"]);
    until(|| async { deployments.get_opt("web").await.unwrap().is_none() }).await;
    assert!(sets.list(&ListParams::default()).await.unwrap().items.is_empty());

    create().await;
    let gone = deployments.delete("web", &with(PropagationPolicy::Orphan)).await.unwrap();
    assert!(gone.is_right());
    let orphan = sets.list(&ListParams::default()).await.unwrap().items.remove(0);
    assert!(orphan.metadata.owner_references.unwrap_or_default().is_empty());

    let fixed = DeleteParams {
        preconditions: Some(kube::api::Preconditions { uid: Some("other".into()), resource_version: None }),
        ..DeleteParams::default()
    };
    let unmet = sets.delete(orphan.metadata.name.as_deref().unwrap(), &fixed).await.unwrap_err();
    assert!(unmet.to_string().contains("Precondition failed: UID in precondition: other"), "{unmet}");
    assert_eq!(code(unmet), 409);
    sets.delete_collection(&DeleteParams::default(), &ListParams::default().labels("app=web")).await.unwrap();
    assert!(sets.list(&ListParams::default()).await.unwrap().items.is_empty());
}
