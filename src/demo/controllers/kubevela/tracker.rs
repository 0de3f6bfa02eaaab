//! ResourceTrackers: what an application has made, where, written down before it is made, so that it can be
//! found and taken away again.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::render::Manifest;
use super::revision::PUBLISH_VERSION;
use crate::demo::controllers::api::{self, Cluster};
use crate::demo::controllers::object::{self, Object};

const FINALIZER: &str = "resourcetracker.core.oam.dev/finalizer";

/// Packs JSON as KubeVela does: zstd in base64.
pub(super) fn pack(content: &Value) -> Value {
    let json = content.to_string();
    let level = ruzstd::encoding::CompressionLevel::Fastest;
    let packed = ruzstd::encoding::compress_to_vec(json.as_bytes(), level);
    json!({"data": STANDARD.encode(packed), "type": "zstd"})
}

/// The opposite of [`pack`]; `None` where there is nothing packed, or nothing that can be read.
pub(super) fn unpack(compression: &Value) -> Option<Value> {
    let packed = STANDARD.decode(object::text(compression, "/data")).ok()?;
    let mut json = Vec::new();
    match object::text(compression, "/type") {
        "zstd" => {
            let mut decoder = ruzstd::decoding::StreamingDecoder::new(packed.as_slice()).ok()?;
            std::io::Read::read_to_end(&mut decoder, &mut json).ok()?;
        }
        "gzip" => {
            let mut decoder = flate2::read::GzDecoder::new(packed.as_slice());
            std::io::Read::read_to_end(&mut decoder, &mut json).ok()?;
        }
        _ => return None,
    }
    serde_json::from_slice(&json).ok()
}

/// What a tracker lists, packed or plain.
pub(super) fn resources(tracker: &Object) -> Vec<Value> {
    match unpack(&tracker["spec"]["compression"]) {
        Some(Value::Array(all)) => all,
        _ => object::list(tracker, "/spec/managedResources").to_vec(),
    }
}

/// How a tracker lists one object.
pub(super) fn entry(cluster: &str, component: &str, manifest: &Manifest) -> Value {
    let object = &manifest.object;
    let mut entry = json!({
        "cluster": cluster,
        "kind": object["kind"],
        "namespace": object::namespace(object),
        "name": object::name(object),
        "apiVersion": object["apiVersion"],
        "component": component,
    });
    if let Some(by) = manifest.by_trait {
        entry["trait"] = json!(by);
    }
    entry["raw"] = object.clone();
    entry
}

/// Whether two entries are about the same object.
pub(super) fn same(one: &Value, other: &Value) -> bool {
    let local = |entry: &Value| matches!(object::text(entry, "/cluster"), "" | "local");
    ["kind", "namespace", "name", "apiVersion"].iter().all(|key| one[*key] == other[*key])
        && (one["cluster"] == other["cluster"] || (local(one) && local(other)))
}

/// The words by which errors name an entry: `apps/Deployment/foo/default/web`.
pub(super) fn spell(entry: &Value) -> String {
    let group = object::text(entry, "/apiVersion").split_once('/').map_or("", |(group, _)| group);
    let of = |key: &str| object::text(entry, key).to_owned();
    format!("{group}/{}/{}/{}/{}", of("/kind"), of("/cluster"), of("/namespace"), of("/name"))
}

/// The trackers of an application, and of no other that had its name before.
pub(super) async fn of(hub: &Cluster, application: &Object) -> kube::Result<Vec<Object>> {
    let selector = format!(
        "app.oam.dev/name={},app.oam.dev/namespace={}",
        object::name(application),
        object::namespace(application)
    );
    let mut all = hub.list(&api::RESOURCE_TRACKER, "", &selector).await?;
    all.retain(|tracker| object::label(tracker, "app.oam.dev/uid").is_none_or(|uid| uid == object::uid(application)));
    Ok(all)
}

/// Whether a tracker lists what the application has now: that of its newest generation, or the root, whose
/// objects stay as long as the application does.
pub(super) fn is_current(tracker: &Object, application: &Object) -> bool {
    is_root(tracker)
        || match object::annotation(application, PUBLISH_VERSION) {
            Some(wanted) => object::annotation(tracker, PUBLISH_VERSION) == Some(wanted),
            None => tracker["spec"]["applicationGeneration"] == application["metadata"]["generation"],
        }
}

fn is_root(tracker: &Object) -> bool {
    tracker["spec"]["type"] == "root"
}

/// When an object is to be taken away, by the application's garbage-collect policies: `onAppUpdate`,
/// `onAppDelete` or `never`.
pub(super) fn strategy<'a>(policies: &'a [Value], entry: &Value) -> &'a str {
    let label = |key: &str| object::label(&entry["raw"], key).unwrap_or_default();
    let facts = [
        ("componentNames", object::text(entry, "/component")),
        ("componentTypes", label("workload.oam.dev/type")),
        ("oamTypes", label("app.oam.dev/resourceType")),
        ("traitTypes", label("trait.oam.dev/type")),
        ("resourceTypes", object::text(entry, "/kind")),
        ("resourceNames", object::text(entry, "/name")),
    ];
    let asked = |rule: &Value, key: &str| rule["selector"][key].as_array().cloned();
    policies
        .iter()
        .filter(|policy| policy["type"] == "garbage-collect")
        .flat_map(|policy| object::list(policy, "/properties/rules"))
        .find(|rule| {
            facts.iter().any(|(key, _)| asked(rule, key).is_some())
                && facts.iter().all(|(key, is)| asked(rule, key).is_none_or(|all| all.iter().any(|one| one == is)))
        })
        .map_or("onAppUpdate", |rule| object::text(rule, "/strategy"))
}

/// Writes down what an application is about to make: in the root tracker what shall stay until the application
/// goes, else in that of its newest generation.
pub(super) async fn add(
    hub: &Cluster,
    application: &Object,
    revision: &str,
    policies: &[Value],
    entries: &[Value],
) -> kube::Result<()> {
    let all = of(hub, application).await?;
    for root in [false, true] {
        let own = entries.iter().filter(|entry| (strategy(policies, entry) == "onAppDelete") == root).cloned();
        let own: Vec<Value> = own
            .map(|mut entry| {
                if strategy(policies, &entry) == "never" {
                    entry["skipGC"] = json!(true);
                }
                entry
            })
            .collect();
        let current = all.iter().find(|one| is_root(one) == root && is_current(one, application));
        let mut held = current.map(resources).unwrap_or_default();
        let before = held.clone();
        for entry in own {
            match held.iter_mut().find(|one| same(one, &entry)) {
                Some(old) => *old = entry,
                None => held.push(entry),
            }
        }
        if held == before && (root || current.is_some()) {
            continue;
        }
        let compression = pack(&Value::Array(held));
        if let Some(mut tracker) = current.cloned() {
            object::unset(&mut tracker, &["spec", "managedResources"]);
            object::set(&mut tracker, &["spec", "compression"], compression);
            hub.replace(&api::RESOURCE_TRACKER, &tracker).await?;
        } else {
            hub.create(&api::RESOURCE_TRACKER, &made(application, revision, root, &compression)).await?;
        }
    }
    Ok(())
}

/// A tracker that lists nothing else yet.
pub(super) fn made(application: &Object, revision: &str, root: bool, compression: &Value) -> Value {
    let version = object::annotation(application, PUBLISH_VERSION).filter(|_| !root);
    let generation = if root { 0 } else { object::number(application, "/metadata/generation") };
    let (name, space) = (object::name(application), object::namespace(application));
    let middle = match version {
        _ if root => String::new(),
        Some(version) => format!("-{version}"),
        None => format!("-v{generation}"),
    };
    let mut tracker = json!({
        "apiVersion": api::RESOURCE_TRACKER.api_version,
        "kind": "ResourceTracker",
        "metadata": {
            "finalizers": [FINALIZER],
            "labels": {
                "app.oam.dev/appRevision": revision,
                "app.oam.dev/name": name,
                "app.oam.dev/namespace": space,
                "app.oam.dev/uid": object::uid(application),
            },
            "name": format!("{name}{middle}-{space}"),
        },
        "spec": {
            "applicationGeneration": generation,
            "compression": compression,
            "type": if root { "root" } else { "versioned" },
        },
    });
    if let Some(version) = version {
        tracker["metadata"]["annotations"] = json!({PUBLISH_VERSION: version});
    }
    tracker
}

/// Takes away what `tracker` lists and `kept` does not, then the tracker. `Ok(false)` while something is still
/// on its way out; an error is told in KubeVela's words.
pub(super) async fn sweep(hub: &Cluster, tracker: Object, kept: &[Value]) -> Result<bool, String> {
    let mut done = true;
    for entry in resources(&tracker) {
        if entry["skipGC"] == true || kept.iter().any(|one| same(one, &entry)) {
            continue;
        }
        let cluster = hub.member(object::text(&entry, "/cluster"));
        let kind = api::Kind::of(&entry);
        let (space, name) = (object::text(&entry, "/namespace"), object::text(&entry, "/name"));
        let failed = |error: &kube::Error| format!("failed to get resource {}: {}", spell(&entry), api::message(error));
        let live = cluster.get(&kind, space, name).await.map_err(|error| failed(&error))?;
        let Some(live) = live else { continue };
        done = false;
        if !object::deleting(&live) {
            cluster.delete(&kind, space, name, None).await.map_err(|error| failed(&error))?;
        }
    }
    if done {
        let name = object::name(&tracker).to_owned();
        let mut free = tracker;
        if object::has_finalizer(&free, FINALIZER) {
            object::remove_finalizer(&mut free, FINALIZER);
            hub.replace(&api::RESOURCE_TRACKER, &free).await.map_err(|error| api::message(&error))?;
        }
        hub.delete(&api::RESOURCE_TRACKER, "", &name, None).await.map_err(|error| api::message(&error))?;
    }
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_can_be_unpacked_here_and_by_kubevelas_own_format() {
        let content = json!([{"kind": "Deployment", "name": "web"}, {"kind": "Deployment", "name": "api"}]);
        assert_eq!(unpack(&pack(&content)), Some(content));
        assert_eq!(unpack(&json!({"type": "zstd", "data": "bm90IHpzdGQ="})), None);
        assert_eq!(unpack(&json!({})), None);
    }

    #[test]
    fn a_policys_rules_say_when_an_object_is_taken_away() {
        let policy = |selector: &Value| {
            [json!({"type": "garbage-collect", "properties": {"rules": [
                {"selector": selector, "strategy": "onAppDelete"}]}})]
        };
        let entry = json!({"component": "web", "kind": "Service", "name": "web",
            "raw": {"metadata": {"labels": {"app.oam.dev/resourceType": "TRAIT"}}}});
        for (selector, wanted) in [
            (json!({"componentNames": ["web", "api"]}), "onAppDelete"),
            (json!({"componentNames": ["web"], "resourceTypes": ["Deployment"]}), "onAppUpdate"),
            (json!({"oamTypes": ["TRAIT"]}), "onAppDelete"),
            (json!({}), "onAppUpdate"),
        ] {
            assert_eq!(strategy(&policy(&selector), &entry), wanted, "{selector}");
        }
        assert_eq!(strategy(&[], &entry), "onAppUpdate");
    }

    #[test]
    fn entries_are_the_same_by_place_and_name() {
        let one = json!({"apiVersion": "v1", "kind": "Service", "namespace": "a", "name": "b", "cluster": "local"});
        let mut other = one.clone();
        other["cluster"] = json!("");
        assert!(same(&one, &other));
        other["cluster"] = json!("foo");
        assert!(!same(&one, &other));
        other["apiVersion"] = json!("apps/v1");
        assert_eq!(spell(&other), "apps/Service/foo/a/b");
    }
}
