//! ApplicationRevisions: what an application said, kept for each time it said something new.

use serde_json::{Value, json};

use super::tracker;
use crate::demo::controllers::api::{self, Cluster};
use crate::demo::controllers::naming;
use crate::demo::controllers::object::{self, Object};

/// How many revisions are kept beside the newest (`--application-revision-limit`).
const LIMIT: usize = 2;
pub(super) const PUBLISH_VERSION: &str = "app.oam.dev/publishVersion";

/// The revision that an application is at, and the spec to deliver: that of a pinned revision, else its own.
#[derive(Debug, Clone)]
pub(super) struct Revision {
    pub(super) name: String,
    pub(super) hash: String,
    /// What `status.workflow.appRevision` shall say.
    pub(super) label: String,
    pub(super) spec: Value,
    /// The row for `status.latestRevision`, where it has to change.
    pub(super) row: Option<Value>,
}

/// Finds or makes the revision of what the application says now. `others` are the Policies and the Workflow that
/// it speaks of: they belong to what it says.
pub(super) async fn current(hub: &Cluster, application: &Object, others: &Value) -> kube::Result<Revision> {
    let latest = &application["status"]["latestRevision"];
    let version = object::annotation(application, PUBLISH_VERSION);
    let row = |name: &str, hash: &str, spec: &Value, row: Option<Value>| Revision {
        name: name.to_owned(),
        hash: hash.to_owned(),
        label: version.unwrap_or(name).to_owned(),
        spec: spec.clone(),
        row,
    };
    let observed = application["status"]["observedGeneration"] == application["metadata"]["generation"];
    let (known, hash) = (object::text(latest, "/name"), object::text(latest, "/revisionHash"));
    let alone = others.as_object().is_none_or(serde_json::Map::is_empty);
    let content = if alone { application["spec"].clone() } else { json!([application["spec"], others]) };
    let now = naming::revision_hash(&content);
    if !known.is_empty() && observed && version.is_none() && (alone || now == hash) {
        return Ok(row(known, hash, &application["spec"], None));
    }
    let all = all(hub, application).await?;
    if let Some(version) = version
        && let Some(pinned) = all.iter().find(|one| object::name(one) == known)
        && object::annotation(pinned, PUBLISH_VERSION) == Some(version)
    {
        return Ok(row(known, hash, &spec(pinned), None));
    }
    let hash = now;
    let again = all.iter().rfind(|one| {
        object::label(one, "app.oam.dev/app-revision-hash") == Some(&hash)
            && object::annotation(one, PUBLISH_VERSION) == version
    });
    let number = match again {
        Some(again) => number(again),
        None => all.last().map_or(0, number) + 1,
    };
    let name = format!("{}-v{number}", object::name(application));
    if again.is_none() {
        create(hub, application, others, &name, &hash).await?;
    }
    let latest = json!({"name": name, "revision": number, "revisionHash": hash});
    Ok(row(&name, &hash, &application["spec"], Some(latest)))
}

/// An application's revisions, oldest first.
async fn all(hub: &Cluster, application: &Object) -> kube::Result<Vec<Object>> {
    let selector = format!("app.oam.dev/name={}", object::name(application));
    let mut all = hub.list(&api::APPLICATION_REVISION, object::namespace(application), &selector).await?;
    all.sort_by_key(number);
    Ok(all)
}

fn number(revision: &Object) -> u64 {
    object::name(revision).rsplit_once("-v").and_then(|(_, number)| number.parse().ok()).unwrap_or_default()
}

/// The application's spec that a revision keeps, packed or plain.
fn spec(revision: &Object) -> Value {
    tracker::unpack(&revision["spec"]["compression"])
        .map_or_else(|| revision["spec"]["application"].clone(), |mut all| all["application"].take())["spec"]
        .take()
}

/// A revision whose workflow has not ended. One that was published under a name is never packed; otherwise `packs` says.
pub(super) fn made(application: &Object, others: &Value, name: &str, hash: &str, packs: bool) -> Value {
    let mut metadata = json!({
        "labels": {"app.oam.dev/app-revision-hash": hash, "app.oam.dev/name": object::name(application)},
        "name": name,
        "namespace": object::namespace(application),
        "ownerReferences": [{
            "apiVersion": api::APPLICATION.api_version,
            "controller": true,
            "kind": "Application",
            "name": object::name(application),
            "uid": object::uid(application),
        }],
    });
    if let Some(annotations) = application.pointer("/metadata/annotations") {
        metadata["annotations"] = annotations.clone();
        object::unset(&mut metadata, &["annotations", "kubectl.kubernetes.io/last-applied-configuration"]);
    }
    let mut content = json!({
        "application": {
            "apiVersion": api::APPLICATION.api_version,
            "kind": "Application",
            "metadata": {"name": object::name(application), "namespace": object::namespace(application)},
            "spec": application["spec"],
            "status": {},
        },
    });
    for (key, value) in others.as_object().into_iter().flatten() {
        content[key] = value.clone();
    }
    let pinned = object::annotation(application, PUBLISH_VERSION).is_some();
    let spec = if pinned || !packs {
        content
    } else {
        json!({
            "application": {"metadata": {}, "spec": {"components": []}, "status": {}},
            "compression": tracker::pack(&content),
        })
    };
    json!({
        "apiVersion": api::APPLICATION_REVISION.api_version,
        "kind": "ApplicationRevision",
        "metadata": metadata,
        "spec": spec,
        "status": {"succeeded": false},
    })
}

async fn create(hub: &Cluster, application: &Object, others: &Value, name: &str, hash: &str) -> kube::Result<()> {
    let made = made(application, others, name, hash, true);
    match hub.create(&api::APPLICATION_REVISION, &made).await {
        Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(()),
        other => other.map(|_| ()),
    }
}

/// Writes down how the workflow of a revision ended, and drops revisions beyond the limit.
pub(super) async fn finish(hub: &Cluster, application: &Object, name: &str) -> kube::Result<()> {
    let space = object::namespace(application);
    if let Some(mut revision) = hub.get(&api::APPLICATION_REVISION, space, name).await? {
        let workflow = &application["status"]["workflow"];
        let status = json!({"succeeded": workflow["status"] == "succeeded", "workflow": workflow});
        if revision["status"] != status {
            revision["status"] = status;
            hub.replace_status(&api::APPLICATION_REVISION, &revision).await?;
        }
    }
    let all = all(hub, application).await?;
    let old: Vec<&str> = all.iter().map(object::name).filter(|one| *one != name).collect();
    for extra in old.iter().take(old.len().saturating_sub(LIMIT)) {
        hub.delete(&api::APPLICATION_REVISION, space, extra, None).await?;
    }
    Ok(())
}
