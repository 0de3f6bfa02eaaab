//! What KubeVela would have written down of applications that a scenario places: their trackers and revisions. For
//! applications that are played the controller writes them itself; here they follow from what a scenario says, so that
//! nobody writes packed bytes by hand, and they cannot contradict the objects that are there.
//!
//! Of an application's document `status.appliedResources` is what the current tracker lists, and its own spec what the
//! newest revision says. Its key `record` says what is not in the application itself:
//! * `tracked`: what is tracked but was never applied, as `appliedResources` are written;
//! * `history`: revisions, the oldest first, each with its number (`revision`), when (`at`), `publishVersion`, how its
//!   workflow ended (`status`), where its `spec` differs, and what a tracker of then still holds (`applied`). One with the
//!   newest number says where what was published differs from the spec.

use serde_json::{Value, json};

use super::revision::{self, PUBLISH_VERSION};
use super::tracker;
use crate::demo::controllers::naming;
use crate::demo::controllers::object::{self, Object};
use crate::demo::controllers::reconciler::PLACED;

/// An object, and the cluster it is in.
type Document = (String, Value);

/// Whether a document is an application that is placed with all it has, on the hub.
pub(crate) fn is_application((cluster, object): &Document) -> bool {
    cluster == "local" && object["kind"] == "Application" && object["status"].is_object()
}

/// Gives what placed applications applied the labels by which KubeVela knows it.
pub(crate) fn dress(documents: &mut [Document]) {
    let applications: Vec<Value> =
        documents.iter().filter(|one| is_application(one)).map(|(_, object)| object.clone()).collect();
    for application in &applications {
        for applied in object::list(application, "/status/appliedResources") {
            let Some((_, made)) = documents.iter_mut().find(|one| is(one, applied)) else { continue };
            let (name, component) = (object::name(application), component_of(application, applied, made));
            let by_trait = object::label(made, "trait.oam.dev/type").is_some();
            for (key, value) in [
                ("app.oam.dev/appRevision", object::text(application, "/status/latestRevision/name")),
                ("app.oam.dev/cluster", cluster_of(applied)),
                ("app.oam.dev/component", &component),
                ("app.oam.dev/name", name),
                ("app.oam.dev/namespace", object::namespace(application)),
                ("app.oam.dev/resourceType", if by_trait { "TRAIT" } else { "WORKLOAD" }),
            ] {
                if object::label(made, key).is_none() {
                    object::set(made, &["metadata", "labels", key], json!(value));
                }
            }
            let time = application.pointer("/status/workflow/startTime").cloned().unwrap_or_default();
            object::set(made, &["metadata", "annotations", "app.oam.dev/last-applied-time"], time);
        }
    }
}

/// The trackers and revisions of a placed application that no document gives.
pub(crate) fn records(application: &Value, uid: &str, documents: &[Document]) -> Vec<Value> {
    let newest = &application["status"]["latestRevision"];
    let Some(number) = newest["revision"].as_u64() else { return Vec::new() };
    let mut application = application.clone();
    let record = application.as_object_mut().and_then(|fields| fields.shift_remove("record")).unwrap_or_default();
    object::set(&mut application, &["metadata", "uid"], json!(uid));
    let history = object::list(&record, "/history");
    let mut made = Vec::new();
    let is_newest = |past: &&Value| past["revision"].as_u64() == Some(number);
    let published = history.iter().find(is_newest);
    for entry in history.iter().filter(|past| !is_newest(past)) {
        made.push(old_revision(&application, entry));
        if !object::list(entry, "/applied").is_empty() {
            made.push(old_tracker(&application, entry, documents));
        }
    }
    made.push(newest_revision(&application, published));
    made.extend(current_trackers(&application, object::list(&record, "/tracked"), documents));
    let own_trackers = documents.iter().any(|(_, one)| {
        one["kind"] == "ResourceTracker"
            && object::label(one, "app.oam.dev/name") == Some(object::name(&application))
            && object::label(one, "app.oam.dev/namespace") == Some(object::namespace(&application))
    });
    made.retain(|record| {
        let is_given = |(_, one): &Document| {
            one["kind"] == record["kind"]
                && object::name(one) == object::name(record)
                && object::namespace(one) == object::namespace(record)
        };
        let is_left = own_trackers && record["kind"] == "ResourceTracker" || documents.iter().any(is_given);
        !is_left
    });
    made
}

fn cluster_of(applied: &Value) -> &str {
    match object::text(applied, "/cluster") {
        "" => "local",
        cluster => cluster,
    }
}

/// Whether a document is what `applied` names.
fn is((cluster, object): &Document, applied: &Value) -> bool {
    cluster == cluster_of(applied)
        && ["kind", "apiVersion"].iter().all(|key| object[*key] == applied[*key])
        && object::name(object) == object::text(applied, "/name")
        && object::namespace(object) == object::text(applied, "/namespace")
}

/// The component that an object belongs to: what it says itself, else the service of its kind and place, else the first.
fn component_of(application: &Value, applied: &Value, made: &Value) -> String {
    if let Some(own) = applied["component"].as_str().or_else(|| object::label(made, "app.oam.dev/component")) {
        return own.to_owned();
    }
    let services = object::list(application, "/status/services").iter();
    let service = services
        .filter(|service| cluster_of(service) == cluster_of(applied))
        .find(|service| service["name"] == applied["name"] || service["workloadDefinition"]["kind"] == applied["kind"]);
    let name = service.map_or_else(|| application.pointer("/spec/components/0/name"), |service| service.get("name"));
    name.and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// How a tracker lists an object: with what was applied, as far as a document says.
fn entry(application: &Value, applied: &Value, documents: &[Document]) -> Value {
    let found = documents.iter().find(|one| is(one, applied)).map(|(_, object)| object);
    let raw = match found {
        Some(object) => manifest(object),
        None => json!({
            "apiVersion": applied["apiVersion"],
            "kind": applied["kind"],
            "metadata": {"name": applied["name"], "namespace": applied["namespace"]},
        }),
    };
    let mut entry = json!({
        "cluster": cluster_of(applied),
        "kind": applied["kind"],
        "namespace": applied["namespace"],
        "name": applied["name"],
        "apiVersion": applied["apiVersion"],
        "component": component_of(application, applied, &raw),
    });
    if let Some(by) = object::label(&raw, "trait.oam.dev/type") {
        entry["trait"] = json!(by);
    }
    entry["raw"] = raw;
    entry
}

/// An object as it was applied: without what the server and its controllers add.
fn manifest(object: &Value) -> Value {
    let mut manifest = object.clone();
    object::unset(&mut manifest, &["status"]);
    for key in ["uid", "generation", "creationTimestamp", "ownerReferences", "managedFields", "finalizers"] {
        object::unset(&mut manifest, &["metadata", key]);
    }
    object::unset(&mut manifest, &["metadata", "labels", PLACED]);
    object::unset(&mut manifest, &["metadata", "annotations", "app.oam.dev/last-applied-time"]);
    manifest
}

/// KubeVela packs what it writes down since 1.6.
fn packs(application: &Value) -> bool {
    let version = object::annotation(application, "oam.dev/kubevela-version").unwrap_or_default();
    !["v1.3.", "v1.4.", "v1.5."].iter().any(|old| version.starts_with(old))
}

fn current_trackers(application: &Object, never_applied: &[Value], documents: &[Document]) -> Vec<Value> {
    let applied = object::list(application, "/status/appliedResources").iter().chain(never_applied);
    let entries: Vec<Value> = applied.map(|applied| entry(application, applied, documents)).collect();
    let policies = object::list(application, "/spec/policies");
    let (root, versioned): (Vec<Value>, Vec<Value>) =
        entries.into_iter().partition(|entry| tracker::strategy(policies, entry) == "onAppDelete");
    let revision = object::text(application, "/status/latestRevision/name");
    // A spec that the controller has not observed has no tracker yet.
    let mut observed = application.clone();
    if let Some(generation) = application.pointer("/status/observedGeneration") {
        object::set(&mut observed, &["metadata", "generation"], generation.clone());
    }
    let since = &application["status"]["workflow"]["startTime"];
    let mut made = vec![tracked(&observed, revision, false, versioned, since)];
    if !root.is_empty() {
        made.push(tracked(&observed, revision, true, root, &application["metadata"]["creationTimestamp"]));
    }
    made
}

fn old_tracker(application: &Object, past: &Value, documents: &[Document]) -> Value {
    let applied = object::list(past, "/applied");
    let entries = applied.iter().map(|applied| entry(application, applied, documents)).collect();
    let mut then = application.clone();
    let generation = past.get("generation").unwrap_or(&past["revision"]);
    object::set(&mut then, &["metadata", "generation"], generation.clone());
    publish(&mut then, past);
    tracked(&then, &revision_name(application, past), false, entries, &past["at"])
}

fn tracked(application: &Object, revision: &str, root: bool, entries: Vec<Value>, since: &Value) -> Value {
    let entries = Value::Array(entries);
    let mut made = if packs(application) {
        tracker::made(application, revision, root, &tracker::pack(&entries))
    } else {
        let mut plain = tracker::made(application, revision, root, &Value::Null);
        object::unset(&mut plain, &["spec", "compression"]);
        object::set(&mut plain, &["spec", "managedResources"], entries);
        plain
    };
    object::set(&mut made, &["metadata", "creationTimestamp"], since.clone());
    made
}

fn revision_name(application: &Object, past: &Value) -> String {
    format!("{}-v{}", object::name(application), past["revision"].as_u64().unwrap_or(1))
}

/// Makes an application say what it was published as then.
fn publish(application: &mut Object, past: &Value) {
    if past["publishVersion"].is_string() {
        object::set(application, &["metadata", "annotations", PUBLISH_VERSION], past["publishVersion"].clone());
    } else {
        object::unset(application, &["metadata", "annotations", PUBLISH_VERSION]);
    }
}

/// Makes an application say what it said then.
fn respeak(application: &mut Object, past: &Value) {
    for (key, value) in past["spec"].as_object().into_iter().flatten() {
        object::set(application, &["spec", key], value.clone());
    }
}

fn newest_revision(application: &Object, published: Option<&Value>) -> Value {
    let mut then = application.clone();
    if let Some(published) = published {
        respeak(&mut then, published);
    }
    let status = &application["status"];
    let workflow = &status["workflow"];
    let ended = workflow["finished"] == true;
    let kept = if ended {
        json!({"succeeded": workflow["status"] == "succeeded", "workflow": workflow})
    } else {
        json!({"succeeded": false})
    };
    let (name, hash) =
        (object::text(status, "/latestRevision/name"), object::text(status, "/latestRevision/revisionHash"));
    let since = published.map_or(&workflow["startTime"], |published| &published["at"]);
    kept_revision(&then, name, hash, since, &kept)
}

fn old_revision(application: &Object, past: &Value) -> Value {
    let mut then = application.clone();
    respeak(&mut then, past);
    publish(&mut then, past);
    let name = revision_name(application, past);
    let word = past["status"].as_str().unwrap_or("succeeded");
    let said = past["publishVersion"].as_str().unwrap_or(&name);
    let kept = json!({
        "succeeded": word == "succeeded",
        "workflow": {
            "appRevision": said,
            "finished": true,
            "mode": application["status"]["workflow"]["mode"],
            "startTime": past["at"],
            "endTime": past["at"],
            "status": word,
            "suspend": false,
            "terminated": matches!(word, "terminated" | "failed"),
        },
    });
    let hash = naming::revision_hash(&then["spec"]);
    kept_revision(&then, &name, &hash, &past["at"], &kept)
}

fn kept_revision(application: &Object, name: &str, hash: &str, since: &Value, status: &Value) -> Value {
    let mut made = revision::made(application, &json!({}), name, hash, packs(application));
    object::set(&mut made, &["metadata", "creationTimestamp"], since.clone());
    made["status"] = status.clone();
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    fn application() -> Value {
        json!({
            "apiVersion": "core.oam.dev/v1beta1", "kind": "Application",
            "metadata": {"name": "web", "namespace": "shop", "generation": 3, "annotations": {"oam.dev/kubevela-version": "v1.10.9"}},
            "spec": {"components": [{"name": "web", "type": "worker", "properties": {"image": "b"}}],
                "policies": [{"name": "keep", "type": "garbage-collect", "properties": {"rules": [
                    {"selector": {"resourceTypes": ["PersistentVolumeClaim"]}, "strategy": "onAppDelete"}]}}]},
            "status": {
                "observedGeneration": 3,
                "latestRevision": {"name": "web-v2", "revision": 2, "revisionHash": "00aa"},
                "appliedResources": [
                    {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "namespace": "shop", "cluster": "foo"},
                    {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "name": "data", "namespace": "shop", "cluster": "foo"},
                ],
                "workflow": {"finished": true, "status": "succeeded", "startTime": "2026-11-23T10:00:00Z"},
            },
            "record": {
                "tracked": [{"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "name": "web", "namespace": "shop", "cluster": "foo"}],
                "history": [{"revision": 1, "at": "2026-11-20T10:00:00Z", "status": "failed", "publishVersion": "one",
                    "spec": {"components": [{"name": "web", "type": "worker", "properties": {"image": "a"}}]},
                    "applied": [{"apiVersion": "v1", "kind": "Service", "name": "web", "namespace": "shop", "cluster": "local"}]}],
            },
        })
    }

    fn deployment() -> Document {
        let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "web", "namespace": "shop", "uid": "1", "generation": 1}, "spec": {"replicas": 2}, "status": {"replicas": 2}});
        ("foo".to_owned(), deployment)
    }

    #[test]
    fn trackers_and_revisions_follow_from_what_a_scenario_says() {
        let mut documents = vec![("local".to_owned(), application()), deployment()];
        dress(&mut documents);
        assert_eq!(object::label(&documents[1].1, "app.oam.dev/component"), Some("web"));
        let made = records(&documents[0].1, "the-uid", &documents);
        let names: Vec<&str> = made.iter().map(object::name).collect();
        assert_eq!(names, ["web-v1", "web-one-shop", "web-v2", "web-v3-shop", "web-shop"]);
        let entries = |at: usize| tracker::resources(&made[at]);
        let kinds =
            |at: usize| entries(at).iter().map(|entry| object::text(entry, "/kind").to_owned()).collect::<Vec<_>>();
        assert_eq!(kinds(1), ["Service"]);
        assert_eq!(kinds(3), ["Deployment", "ScaledObject"]);
        assert_eq!(kinds(4), ["PersistentVolumeClaim"]);
        let raw = &entries(3)[0]["raw"];
        assert_eq!(
            (&raw["spec"]["replicas"], &raw["status"], &raw["metadata"]["uid"]),
            (&json!(2), &Value::Null, &Value::Null)
        );
        assert_eq!(object::label(&made[3], "app.oam.dev/uid"), Some("the-uid"));
        let said = |at: usize| {
            let spec = &made[at]["spec"];
            let kept = tracker::unpack(&spec["compression"]).unwrap_or_else(|| spec.clone());
            kept["application"]["spec"]["components"][0]["properties"]["image"].clone()
        };
        assert_eq!((said(0), said(2)), (json!("a"), json!("b")));
        assert_eq!((&made[0]["status"]["succeeded"], &made[2]["status"]["succeeded"]), (&json!(false), &json!(true)));
    }

    #[test]
    fn what_a_scenario_gives_itself_is_left_alone() {
        let revision = json!({"kind": "ApplicationRevision", "metadata": {"name": "web-v2", "namespace": "shop"}});
        let tracker = json!({"kind": "ResourceTracker", "metadata": {"name": "mine",
            "labels": {"app.oam.dev/name": "web", "app.oam.dev/namespace": "shop"}}});
        let documents =
            [("local".to_owned(), application()), ("local".to_owned(), revision), ("local".to_owned(), tracker)];
        let made = records(&documents[0].1, "u", &documents);
        assert_eq!(made.iter().map(object::name).collect::<Vec<_>>(), ["web-v1"]);
    }

    #[test]
    fn control_planes_before_1_6_packed_nothing() {
        let mut old = application();
        object::set(&mut old, &["metadata", "annotations", "oam.dev/kubevela-version"], json!("v1.4.14"));
        let made = records(&old, "u", &[]);
        assert!(made.iter().all(|record| record["spec"]["compression"].is_null()), "{made:#?}");
    }
}
