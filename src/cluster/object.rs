//! One object of any kind, in any cluster, followed: read, watched by its name, read again where the watch ends.
//!
//! Asked per opened object: at most two questions for where its kind is (none for the common ones), one GET, one watch
//! of that single object; where it may not be watched, a GET every `POLL`. A description asks for the object's events
//! too. Of a Secret only metadata is asked for, until a person has asked for its content.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value, value::RawValue};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, timeout_at},
};

use super::{
    describe,
    discovery::{self, Resolved},
    error::{Class, Error},
    hub::Hub,
    jitter, lines,
    request::{self, JSON, escape},
};
use crate::{
    model::{
        key::Text,
        object::{Document, Face, ObjectNews, ObjectRequest},
        text::printable,
    },
    yaml,
};

/// Between looks where there is no watch.
const POLL: Duration = Duration::from_secs(5);
/// Between looks at an object's events.
const EVENTS_EVERY: Duration = Duration::from_secs(5);
/// The shortest time between two pictures of an object that changes all the time.
const PAUSE: Duration = Duration::from_millis(250);
/// How long a watch lasts; a connection that died silently is noticed by then.
const WATCH: Duration = Duration::from_secs(60);
/// The largest object that is read.
const LARGEST: usize = 64 * 1024 * 1024;
/// Metadata alone, and nothing but that: a server that does not know how is not to send the object instead.
const METADATA: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
/// Annotations in which `kubectl apply` and KubeVela keep what was applied end in this: of a Secret, its content.
const LAST_APPLIED: &str = "/last-applied-configuration";
/// What stands for an entry of a Secret.
const VEIL: &str = "********";
/// What stands for such an annotation.
const APPLIED_VEIL: &str = "(holds the content: not shown)";

/// Follows an object until nobody listens. To stop it, drop the future.
pub async fn follow(hub: &Hub, request: &ObjectRequest, tell: mpsc::Sender<ObjectNews>) {
    let mut follower = Follower { hub, request, tell, shown: None, told: None };
    // It ends when nobody listens any more.
    let Closed = follower.run().await;
}

/// Nobody listens any more.
struct Closed;

struct Follower<'a> {
    hub: &'a Hub,
    request: &'a ObjectRequest,
    tell: mpsc::Sender<ObjectNews>,
    /// `metadata.resourceVersion` and uid told last.
    shown: Option<(String, String)>,
    /// What was told last that was no picture.
    told: Option<ObjectNews>,
}

impl Follower<'_> {
    async fn run(&mut self) -> Closed {
        loop {
            let wait = match self.once().await {
                Ok(()) => PAUSE,
                Err(Stop::Closed) => return Closed,
                Err(Stop::Error(error)) => {
                    let news = if error.class == Class::NotFound && self.shown.is_some() {
                        ObjectNews::Gone
                    } else {
                        ObjectNews::Failed(error.message.into())
                    };
                    if self.say(news).await.is_err() {
                        return Closed;
                    }
                    POLL
                }
            };
            sleep(wait + jitter(wait / 4)).await;
        }
    }

    /// Reads the object, and stays with it as long as its watch lasts.
    async fn once(&mut self) -> Result<(), Stop> {
        let key = &self.request.key;
        let client = self.hub.member(&key.cluster);
        let deadline = self.hub.request_timeout();
        let place = discovery::resolve(&client, &key.group, &key.kind, deadline).await?;
        let uri = place.object(&key.namespace, &key.name);
        let bytes = request::get(&client, &uri, self.accept(), LARGEST, deadline).await?;
        let object: Value = request::decode(&bytes)?;
        drop(bytes);
        let mut version = text(&object, "/metadata/resourceVersion").to_owned();
        self.show(&client, &place, object).await?;
        self.watch(&client, &place, &mut version).await
    }

    fn accept(&self) -> &'static str {
        if self.request.key.is_secret() && !self.request.content { METADATA } else { JSON }
    }

    /// Tells every change, until the watch ends. Where it is refused, ends after a while.
    async fn watch(&mut self, client: &kube::Client, place: &Resolved, version: &mut String) -> Result<(), Stop> {
        let key = &self.request.key;
        let uri = format!(
            "{}?watch=true&fieldSelector={}&resourceVersion={}&timeoutSeconds={}&allowWatchBookmarks=true",
            place.served.collection(&key.namespace),
            escape(&format!("metadata.name={}", key.name)),
            escape(version),
            WATCH.as_secs(),
        );
        let opened =
            request::within(self.hub.request_timeout(), request::open(client, &uri, self.accept(), true)).await;
        let until = Instant::now() + WATCH + POLL;
        let mut next_events = Instant::now() + EVENTS_EVERY;
        let mut lines = match opened {
            Ok(response) => lines::of(response, LARGEST),
            // What may not be watched, or cannot be, is looked at now and then.
            Err(error) if matches!(error.class, Class::Forbidden | Class::NotFound | Class::Invalid | Class::Other) => {
                sleep(POLL).await;
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        let mut last: Option<Value> = None;
        loop {
            let wake = if self.request.face == Face::Description { until.min(next_events) } else { until };
            let line = match timeout_at(wake, lines.next()).await {
                Ok(line) => line?,
                Err(_) if Instant::now() >= until => return Ok(()),
                Err(_) => {
                    // Its events change without it.
                    next_events = Instant::now() + EVENTS_EVERY;
                    if self.request.face == Face::Description {
                        let object = match last.take() {
                            Some(object) => object,
                            None => self.read(client, place).await?,
                        };
                        self.shown = None;
                        last = Some(object.clone());
                        self.show(client, place, object).await?;
                    }
                    continue;
                }
            };
            let Some(line) = line.filter(|line| !line.cut) else { return Ok(()) };
            if line.bytes.is_empty() {
                continue;
            }
            let event: WatchEvent<'_> = request::decode(&line.bytes)?;
            match event.kind {
                "ADDED" | "MODIFIED" => {
                    let object: Value = request::decode(event.object.get().as_bytes())?;
                    text(&object, "/metadata/resourceVersion").clone_into(version);
                    if self.request.face == Face::Description {
                        last = Some(object.clone());
                    }
                    self.show(client, place, object).await?;
                    sleep(PAUSE).await;
                }
                "DELETED" => {
                    self.say(ObjectNews::Gone).await?;
                    last = None;
                }
                "BOOKMARK" => {}
                // Too old a version, mostly: read again.
                _ => return Ok(()),
            }
        }
    }

    async fn read(&self, client: &kube::Client, place: &Resolved) -> Result<Value, Error> {
        let key = &self.request.key;
        let uri = place.object(&key.namespace, &key.name);
        let bytes = request::get(client, &uri, self.accept(), LARGEST, self.hub.request_timeout()).await?;
        request::decode(&bytes)
    }

    /// Tells how the object is now, unless that has been told.
    async fn show(&mut self, client: &kube::Client, place: &Resolved, mut object: Value) -> Result<(), Stop> {
        let seen = (text(&object, "/metadata/resourceVersion").to_owned(), text(&object, "/metadata/uid").to_owned());
        if self.shown.as_ref() == Some(&seen) && self.told.is_none() {
            return Ok(());
        }
        if text(&object, "/kind") == "PartialObjectMetadata" {
            // Only metadata came: it says of itself what it is part of.
            name(&mut object, place);
        }
        let news = match self.request.face {
            Face::Yaml => {
                // Large objects take their time, and others share this thread.
                let written = tokio::task::spawn_blocking(move || document(object)).await;
                let broken = |_| Error::new(Class::Other, "the object could not be written as YAML");
                ObjectNews::Yaml(Box::new(written.map_err(broken)??))
            }
            Face::Description => {
                let key = &self.request.key;
                let uid = text(&object, "/metadata/uid").to_owned();
                let events = describe::events(client, &key.namespace, &uid, self.hub.request_timeout()).await;
                ObjectNews::Described(Box::new(describe::describe(key, &object, &events)))
            }
        };
        self.shown = Some(seen);
        self.told = None;
        self.tell.send(news).await.map_err(|_| Stop::Closed)
    }

    /// Tells what is no picture, once.
    async fn say(&mut self, news: ObjectNews) -> Result<(), Stop> {
        if self.told.as_ref() == Some(&news) {
            return Ok(());
        }
        self.told = Some(news.clone());
        self.tell.send(news).await.map_err(|_| Stop::Closed)
    }
}

enum Stop {
    Closed,
    Error(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

#[derive(Deserialize)]
struct WatchEvent<'a> {
    #[serde(rename = "type", borrow)]
    kind: &'a str,
    #[serde(borrow)]
    object: &'a RawValue,
}

fn text<'v>(object: &'v Value, pointer: &str) -> &'v str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// Says of metadata what object it belongs to.
fn name(object: &mut Value, place: &Resolved) {
    let served = &place.served;
    let version =
        if served.group.is_empty() { served.version.clone() } else { format!("{}/{}", served.group, served.version) };
    if let Some(object) = object.as_object_mut() {
        object.insert("apiVersion".to_owned(), version.into());
        object.insert("kind".to_owned(), served.kind.clone().into());
    }
}

/// The object's YAML; of a Secret with its entries apart, and without those of Secrets that stand inside another object.
fn document(mut object: Value) -> Result<Document, Error> {
    let veiled = if is_secret(&object) {
        veil(&mut object)
    } else {
        veil_inside(&mut object);
        Vec::new()
    };
    let object = sorted(object);
    let text = yaml::to_string(&object)
        .map_err(|error| Error::new(Class::Malformed, format!("the object cannot be written as YAML: {error}")))?;
    Ok(Document::new(text, veiled))
}

fn is_secret(object: &Value) -> bool {
    text(object, "/kind") == "Secret" && text(object, "/apiVersion") == "v1"
}

/// Takes the content out of every Secret inside an object, as components of an Application, manifests of a
/// ResourceTracker and what was applied last hold them; says whether there was one.
fn veil_inside(value: &mut Value) -> bool {
    match value {
        Value::Array(items) => items.iter_mut().fold(false, |any, item| veil_inside(item) | any),
        Value::Object(_) if is_secret(value) => {
            veil(value);
            true
        }
        Value::Object(fields) => {
            let any = fields.values_mut().fold(false, |any, field| veil_inside(field) | any);
            let annotations = fields.get_mut("annotations").and_then(Value::as_object_mut);
            for (_, applied) in annotations.into_iter().flatten().filter(|(name, _)| name.ends_with(LAST_APPLIED)) {
                let inside = applied.as_str().and_then(|text| serde_json::from_str::<Value>(text).ok());
                if inside.is_some_and(|mut inside| veil_inside(&mut inside)) {
                    *applied = Value::from(APPLIED_VEIL);
                }
            }
            any
        }
        _ => false,
    }
}

/// Takes the content out of a Secret, and hands it over in the order of its keys.
fn veil(object: &mut Value) -> Vec<(Text, Text)> {
    let mut veiled: Vec<(Text, Text)> = Vec::new();
    for section in ["data", "stringData"] {
        let Some(entries) = object.get_mut(section).and_then(Value::as_object_mut) else { continue };
        for (key, value) in entries {
            let content = std::mem::replace(value, Value::from(VEIL));
            if section == "data" {
                veiled.push((key.as_str().into(), content.as_str().unwrap_or_default().into()));
            }
        }
    }
    let annotations = object.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut);
    for (_, applied) in annotations.into_iter().flatten().filter(|(name, _)| name.ends_with(LAST_APPLIED)) {
        *applied = Value::from(APPLIED_VEIL);
    }
    veiled.sort();
    veiled
}

/// Keys in their order, as kubectl shows them.
pub(super) fn sorted(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<(String, Value)> = map.into_iter().collect();
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(entries.into_iter().map(|(key, value)| (key, sorted(value))).collect::<Map<_, _>>())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        other => other,
    }
}

/// A name as it can be shown.
pub(super) fn shown(text: &str) -> String {
    printable(text).into_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_secrets_content_is_never_in_the_text() {
        let document = document(json!({
            "kind": "Secret", "apiVersion": "v1", "type": "Opaque",
            "metadata": {"name": "login", "annotations": {
                "kubectl.kubernetes.io/last-applied-configuration": "{\"data\":{\"password\":\"aHVudGVyMg==\"}}",
                "app.oam.dev/last-applied-configuration": "{\"stringData\":{\"password\":\"aHVudGVyMg\"}}",
            }},
            "data": {"user": "bWVp", "password": "aHVudGVyMg=="},
        }))
        .unwrap();
        assert!(!document.text().contains("aHVudGVyMg") && !document.text().contains("bWVp"), "{}", document.text());
        let keys: Vec<_> =
            document.veiled().iter().map(|veiled| (document.line(veiled.line), &*veiled.value)).collect();
        assert!(keys[0].0.starts_with("  password: ") && keys[0].1 == "aHVudGVyMg==", "{}", document.text());
        assert!(keys[1].0.starts_with("  user: ") && keys[1].1 == "bWVp");
    }

    #[test]
    fn a_secret_inside_another_object_is_veiled_there_and_in_what_was_applied_last() {
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "login"},
            "data": {"password": "aHVudGVyMg=="}, "stringData": {"user": "mei"}});
        let applied = json!({"spec": {"components": [{"properties": {"objects": [secret]}}]}}).to_string();
        let document = document(json!({
            "kind": "Application", "apiVersion": "core.oam.dev/v1beta1",
            "metadata": {"name": "a", "annotations": {
                "app.oam.dev/last-applied-configuration": applied,
                "kubectl.kubernetes.io/last-applied-configuration": "{\"spec\":{\"visible\":1}}",
            }},
            "spec": {"components": [{"properties": {"objects": [secret, {"kind": "ConfigMap", "data": {"a": "kept"}}]}}],
                "resources": [{"raw": secret}]},
        }))
        .unwrap();
        let text = document.text();
        let spec = text.split("spec:\n").nth(1).unwrap();
        assert!(!spec.contains("aHVudGVyMg") && !spec.contains("mei"), "{text}");
        assert_eq!(text.matches(VEIL).count(), 4, "{text}");
        assert!(spec.contains("a: kept") && text.contains("visible"), "{text}");
        assert!(text.contains("app.oam.dev/last-applied-configuration: \"(holds the content: not shown)\""), "{text}");
    }

    #[test]
    fn keys_come_in_their_order() {
        let value = sorted(json!({"b": [{"d": 1, "c": 2}], "a": 3}));
        assert_eq!(value.to_string(), r#"{"a":3,"b":[{"c":2,"d":1}]}"#);
    }
}
