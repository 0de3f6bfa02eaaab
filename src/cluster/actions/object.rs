//! Restarting, scaling and deleting one object in a cluster: of the very object that was on screen, by its uid, bound to
//! the version that was read just before.

use futures::future::join_all;
use http::Method;
use jiff::Timestamp;
use kube::Client;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::{
    Attempt, AuditSink, READ_BACK, READ_BACK_EVERY, READ_BACK_ONE, SENDS, field_manager, review, text, unrecorded,
};
use crate::{
    cluster::{
        discovery::resolve,
        error::{Class, Error},
        hub::Hub,
        project::{Meta, helm_release},
        request::{self, JSON, MERGE_PATCH, escape},
    },
    model::{
        acting::{Deed, Keeper, ObjectWrite, Prepared, Verb},
        action::Outcome,
        apply::LAST_APPLIED,
        key::AppKey,
        resource::ResourceKey,
    },
};

/// What `kubectl rollout restart` writes, so that either tells of the other's restarts.
const RESTARTED_AT: &str = "kubectl.kubernetes.io/restartedAt";
/// Where a write's restart annotation is.
const RESTARTED: &str = "/spec/template/metadata/annotations/kubectl.kubernetes.io~1restartedAt";

/// Reads an object, and whether the verbs are permitted there: what has to be known before asking for a confirmation.
///
/// # Errors
/// Where the object cannot be read.
pub async fn prepare(hub: &Hub, key: &ResourceKey, verbs: &[Verb]) -> Result<Prepared, Error> {
    let client = hub.member(&key.cluster);
    let deadline = hub.request_timeout();
    let place = resolve(&client, &key.group, &key.kind, deadline).await?;
    let path = place.object(&key.namespace, &key.name);
    let read = request::get_json::<Value>(&client, &path, deadline);
    let asked = verbs.iter().map(async |verb| (*verb, review::at(hub, &client, &place, key, *verb).await));
    let reviews = join_all(asked);
    let (object, permitted) = tokio::join!(read, reviews);
    let object = object?;
    let finalizers = object.pointer("/metadata/finalizers").and_then(Value::as_array).into_iter().flatten();
    Ok(Prepared {
        key: key.clone(),
        path: path.into(),
        uid: text(&object, "/metadata/uid").into(),
        resource_version: text(&object, "/metadata/resourceVersion").into(),
        replicas: Verb::Scale.fits(key).then(|| replicas(&object)),
        deleting: !text(&object, "/metadata/deletionTimestamp").is_empty(),
        finalizers: finalizers.filter_map(Value::as_str).map(Into::into).collect(),
        keeper: keeper(key, &object),
        states_replicas: states_replicas(&object),
        permitted,
    })
}

fn replicas(object: &Value) -> i64 {
    object.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or(1)
}

/// Whether the manifest that KubeVela keeps on the object says how many pods there are; of what it leaves out KubeVela
/// leaves what is there.
fn states_replicas(object: &Value) -> Option<bool> {
    let record = object["metadata"]["annotations"][LAST_APPLIED].as_str()?;
    let manifest: Value = serde_json::from_str(record).ok()?;
    manifest.is_object().then(|| manifest.pointer("/spec/replicas").is_some())
}

/// Who makes it again: its controller, else Flux, else KubeVela, as labels tell.
fn keeper(key: &ResourceKey, object: &Value) -> Option<Keeper> {
    let meta = Meta::of(object)?;
    if let Some(owner) = meta.controller() {
        return Some(Keeper::Owner(format!("{}/{}", owner.kind, owner.name).into()));
    }
    if let Some((_, release)) = helm_release(&meta) {
        return Some(Keeper::Flux(format!("HelmRelease/{release}").into()));
    }
    if let Some(name) = meta.label("kustomize.toolkit.fluxcd.io/name") {
        return Some(Keeper::Flux(format!("Kustomization/{name}").into()));
    }
    let name = meta.label("app.oam.dev/name")?;
    let namespace = meta.label("app.oam.dev/namespace").unwrap_or(&key.namespace);
    Some(Keeper::KubeVela(AppKey { namespace: namespace.clone(), name: name.clone() }))
}

/// Performs the write.
pub(super) async fn write(hub: &Hub, write: &ObjectWrite, audit: AuditSink<'_>) -> Outcome {
    let client = hub.member(&write.key.cluster);
    let at = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let doing = Doing { hub, client, write, at };
    for _ in 0..SENDS {
        let object: Value = match request::get_json(&doing.client, &write.path, hub.request_timeout()).await {
            Ok(object) => object,
            Err(error) => return doing.unread(error),
        };
        if let Err(outcome) = doing.check(&object) {
            return outcome;
        }
        let version = text(&object, "/metadata/resourceVersion");
        let body = doing.body(version);
        let (key, verb) = (&write.key, write.deed.verb());
        let of = (key.cluster.as_str(), &*key.kind, &*key.namespace, &*key.name);
        let mut attempt = Attempt::of(hub, of, verb.as_str(), version, &body, &mut *audit);
        if let Err(error) = attempt.intend() {
            return unrecorded(&error);
        }
        let sent = doing.send(&body).await;
        let outcome = match sent {
            Ok(()) => doing.done(),
            Err(error) => match error.class {
                Class::Conflict => {
                    attempt.conclude("conflict", "the object changed meanwhile: nothing was written");
                    continue;
                }
                Class::NotFound if verb == Verb::Delete => doing.done(),
                Class::Forbidden => Outcome::Forbidden { message: error.message.into() },
                Class::Unauthorized | Class::NotFound | Class::Invalid | Class::Busy | Class::Gone | Class::Config => {
                    doing.failed(&error)
                }
                _ if !error.sent => doing.failed(&error),
                _ => doing.read_back(&error).await,
            },
        };
        attempt.end(&outcome);
        return outcome;
    }
    doing.moved(&format!("changed {SENDS} times meanwhile"))
}

struct Doing<'a> {
    hub: &'a Hub,
    client: Client,
    write: &'a ObjectWrite,
    /// The time that a restart is told by.
    at: String,
}

impl Doing<'_> {
    fn name(&self) -> String {
        let key = &self.write.key;
        let place = if key.namespace.is_empty() { "" } else { "/" };
        format!("{}/{} in {}{place}{}", key.kind, key.name, key.cluster, key.namespace)
    }

    fn done(&self) -> Outcome {
        let name = self.name();
        let message = match self.write.deed {
            Deed::Scale { from, to } => format!("{name} scaled from {from} to {to}"),
            deed => format!("{name} {}", deed.verb().done()),
        };
        Outcome::Done { message: message.into() }
    }

    fn moved(&self, why: &str) -> Outcome {
        Outcome::Moved { message: format!("{} {why}: nothing was written", self.name()).into() }
    }

    fn failed(&self, error: &Error) -> Outcome {
        let message =
            format!("{} was not {}, nothing was written: {error}", self.name(), self.write.deed.verb().done());
        Outcome::Failed { message: message.into() }
    }

    /// The outcome when not even the fresh read came through.
    fn unread(&self, error: Error) -> Outcome {
        match error.class {
            Class::NotFound => self.moved("is gone already"),
            Class::Forbidden => Outcome::Forbidden { message: error.message.into() },
            _ => self.failed(&error.during("read it again")),
        }
    }

    /// Holds the object against what was on screen.
    fn check(&self, object: &Value) -> Result<(), Outcome> {
        if text(object, "/metadata/uid") != &*self.write.uid {
            return Err(self.moved("was deleted and made anew meanwhile"));
        }
        if !text(object, "/metadata/deletionTimestamp").is_empty() {
            let message = format!("{} is being deleted already", self.name());
            return Err(match self.write.deed {
                Deed::Delete => Outcome::Done { message: message.into() },
                _ => Outcome::Moved { message: format!("{message}: nothing was written").into() },
            });
        }
        match self.write.deed {
            Deed::Scale { from, .. } if replicas(object) != from => {
                Err(self.moved(&format!("was scaled to {} meanwhile", replicas(object))))
            }
            _ => Ok(()),
        }
    }

    fn body(&self, version: &str) -> Value {
        match self.write.deed {
            Deed::Restart => json!({
                "metadata": {"resourceVersion": version, "uid": &*self.write.uid},
                "spec": {"template": {"metadata": {"annotations": {RESTARTED_AT: self.at}}}},
            }),
            Deed::Scale { to, .. } => json!({
                "metadata": {"resourceVersion": version, "uid": &*self.write.uid}, "spec": {"replicas": to},
            }),
            Deed::Delete => json!({
                "apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background",
                "preconditions": {"uid": &*self.write.uid, "resourceVersion": version},
            }),
        }
    }

    async fn send(&self, body: &Value) -> Result<(), Error> {
        let bytes = body.to_string().into_bytes();
        let timeout = self.hub.request_timeout();
        let sent = match self.write.deed.verb() {
            Verb::Delete => request::write(&self.client, Method::DELETE, &self.write.path, JSON, bytes, timeout).await,
            Verb::Restart | Verb::Scale => {
                let manager = escape(&field_manager(self.hub.user()));
                let uri = format!("{}?fieldManager={manager}", self.write.path);
                request::write(&self.client, Method::PATCH, &uri, MERGE_PATCH, bytes, timeout).await
            }
        };
        sent.map(drop)
    }

    /// Looks for what became of a write that nobody answered.
    async fn read_back(&self, lost: &Error) -> Outcome {
        let until = Instant::now() + READ_BACK;
        let mut known = "it cannot be read back";
        while Instant::now() < until {
            let left = until.saturating_duration_since(Instant::now()).min(READ_BACK_ONE);
            match request::get_json::<Value>(&self.client, &self.write.path, left).await {
                Ok(object) if text(&object, "/metadata/uid") != &*self.write.uid => {
                    return match self.write.deed {
                        Deed::Delete => self.done(),
                        _ => self.moved("was deleted and made anew meanwhile"),
                    };
                }
                Ok(object) if self.has_come_about(&object) => return self.done(),
                Ok(_) => known = "it has not taken effect so far",
                Err(error) if error.class == Class::NotFound => {
                    return match self.write.deed {
                        Deed::Delete => self.done(),
                        _ => self.moved("is gone"),
                    };
                }
                Err(_) => {}
            }
            sleep(READ_BACK_EVERY).await;
        }
        let done = self.write.deed.verb().done();
        Outcome::Unknown { message: format!("unknown whether {} was {done} ({lost}): {known}", self.name()).into() }
    }

    fn has_come_about(&self, object: &Value) -> bool {
        match self.write.deed {
            Deed::Restart => text(object, RESTARTED) == self.at,
            Deed::Scale { to, .. } => replicas(object) == to,
            Deed::Delete => !text(object, "/metadata/deletionTimestamp").is_empty(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::key::ClusterId;

    fn kept(metadata: &Value) -> Option<Keeper> {
        let key = ResourceKey {
            cluster: ClusterId::named("foo"),
            group: "apps".into(),
            kind: "Deployment".into(),
            namespace: "web".into(),
            name: "hello".into(),
        };
        let mut object = json!({"metadata": {"name": "hello", "namespace": "web"}});
        for (name, value) in metadata.as_object().unwrap() {
            object["metadata"][name] = value.clone();
        }
        keeper(&key, &object)
    }

    #[test]
    fn whether_the_number_is_kubevelas_is_read_from_its_record() {
        let recorded = |record: &str| states_replicas(&json!({"metadata": {"annotations": {LAST_APPLIED: record}}}));
        assert_eq!(recorded(r#"{"spec": {"replicas": 2}}"#), Some(true));
        assert_eq!(recorded(r#"{"spec": {"template": {}}}"#), Some(false));
        for odd in ["-", "skip", "", "{"] {
            assert_eq!(recorded(odd), None, "{odd}");
        }
        assert_eq!(states_replicas(&json!({"metadata": {}})), None);
    }

    #[test]
    fn who_makes_it_again_is_told_by_owner_and_labels() {
        assert_eq!(kept(&json!({})), None);
        let owner =
            json!({"ownerReferences": [{"kind": "ReplicaSet", "name": "hello-7d", "uid": "u", "controller": true}]});
        assert_eq!(kept(&owner), Some(Keeper::Owner("ReplicaSet/hello-7d".into())));
        let flux = json!({"labels": {
            "helm.toolkit.fluxcd.io/name": "hello", "helm.toolkit.fluxcd.io/namespace": "web", "app.oam.dev/name": "x"}});
        assert_eq!(kept(&flux), Some(Keeper::Flux("HelmRelease/hello".into())));
        let vela = json!({"labels": {"app.oam.dev/name": "shop", "app.oam.dev/namespace": "team"}});
        assert_eq!(kept(&vela), Some(Keeper::KubeVela(AppKey::new("team", "shop"))));
    }
}
