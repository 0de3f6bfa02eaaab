//! What KubeVela itself applied for an application: its ResourceTrackers on the hub, packed or plain.
//!
//! A tracker of the application's own generation (or publish version) tells what is current, older ones what is left of
//! older revisions, the root tracker what lives as long as the application. A default installation packs them by zstd.

use std::{
    collections::{BTreeMap, HashSet},
    io::Read,
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, de::DeserializeOwned, de::IgnoredAny};
use serde_json::Value;

use super::{
    error::{Class, Error},
    hub::Hub,
    request::{self, escape},
};
use crate::model::{
    key::{AppKey, ClusterId, Text},
    resource::{ResourceKey, Root, Tracked},
};

/// Bytes that an unpacked tracker may have: one that grows beyond is an accident or a bomb.
const UNPACKED: u64 = 64 * 1024 * 1024;
/// Bytes that a page of trackers may have.
const PAGE: usize = 64 * 1024 * 1024;
/// Where KubeVela says which published version an object belongs to.
const PUBLISH_VERSION: &str = "app.oam.dev/publishVersion";

/// What was applied, and what is to be said about how that was learnt.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Applied {
    pub(crate) roots: Vec<Root>,
    pub(crate) notes: Vec<Text>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Tracker {
    metadata: Metadata,
    spec: Spec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Metadata {
    name: String,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Spec {
    #[serde(rename = "type")]
    kind: String,
    application_generation: i64,
    managed_resources: Option<Value>,
    compression: Compression,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Compression {
    #[serde(rename = "type")]
    kind: String,
    data: String,
}

/// One object that KubeVela applied. `R` is its manifest, which is read over where nobody asks for it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Managed<R: Default = IgnoredAny> {
    api_version: String,
    kind: String,
    namespace: String,
    name: String,
    cluster: String,
    component: String,
    #[serde(rename = "trait")]
    made_by_trait: String,
    deleted: bool,
    raw: R,
}

impl<R: Default> Managed<R> {
    fn root(&self, tracked: Tracked) -> Root {
        let (group, version) = self.api_version.split_once('/').unwrap_or(("", &self.api_version));
        Root {
            key: ResourceKey {
                cluster: ClusterId::named(&self.cluster),
                group: group.into(),
                kind: self.kind.as_str().into(),
                namespace: self.namespace.as_str().into(),
                name: self.name.as_str().into(),
            },
            version: version.into(),
            component: self.component.as_str().into(),
            made_by_trait: self.made_by_trait.as_str().into(),
            tracked,
        }
    }
}

impl Tracker {
    /// What it lists, unpacked.
    fn managed<R: Default + DeserializeOwned>(&self) -> Result<Vec<Managed<R>>, String> {
        let unexpected = |error| format!("its content is not as expected: {error}");
        if let Some(plain) = &self.spec.managed_resources {
            return Vec::deserialize(plain).map_err(unexpected);
        }
        let packed = &self.spec.compression;
        if packed.kind.is_empty() {
            return Ok(Vec::new());
        }
        let text = unpack(&packed.kind, &packed.data)?;
        let list: Option<Vec<Managed<R>>> = serde_json::from_slice(&text).map_err(unexpected)?;
        Ok(list.unwrap_or_default())
    }
}

/// What KubeVela packed into a tracker or a revision: base64 of `gzip` or `zstd`, unpacked up to a bound.
///
/// # Errors
/// A clause for a sentence that names what was packed.
pub(super) fn unpack(kind: &str, data: &str) -> Result<Vec<u8>, String> {
    let bytes = STANDARD.decode(data).map_err(|error| format!("its data is not base64: {error}"))?;
    match kind {
        "gzip" => bounded(flate2::read::GzDecoder::new(bytes.as_slice())),
        "zstd" => {
            let decoder = ruzstd::decoding::StreamingDecoder::new(bytes.as_slice())
                .map_err(|error| format!("its zstd data cannot be unpacked: {error}"))?;
            bounded(decoder)
        }
        other => Err(format!("packed by {other}, which is not known")),
    }
}

/// Unpacks, up to a bound.
fn bounded(packed: impl Read) -> Result<Vec<u8>, String> {
    let mut text = Vec::new();
    packed
        .take(UNPACKED + 1)
        .read_to_end(&mut text)
        .map_err(|error| format!("its data cannot be unpacked: {error}"))?;
    if text.len() as u64 > UNPACKED {
        return Err(format!("it unpacks to more than {} MiB", UNPACKED / (1024 * 1024)));
    }
    Ok(text)
}

/// Joins an application's trackers: objects of the current revision and of the root, then those only an older one has;
/// each with its manifest, where that is asked for.
fn join<R: Default + Clone + DeserializeOwned>(
    trackers: &[&Tracker],
    generation: i64,
    publish_version: Option<&str>,
    uid: &str,
) -> (Vec<(Root, R)>, Vec<Text>) {
    let (mut roots, mut notes) = (Vec::new(), Vec::new());
    let (mut current, mut older): (Vec<Managed<R>>, Vec<Managed<R>>) = (Vec::new(), Vec::new());
    for tracker in trackers {
        let owner = tracker.metadata.labels.get("app.oam.dev/uid").map_or("", String::as_str);
        // Left over by an application of the same name that was deleted.
        if !owner.is_empty() && !uid.is_empty() && owner != uid {
            let note = format!("tracker {} belongs to another application of this name", tracker.metadata.name);
            notes.push(note.into());
            continue;
        }
        let is_current = match tracker.spec.kind.as_str() {
            "component-revision" => continue,
            "root" => true,
            _ => match publish_version {
                Some(version) => tracker.metadata.annotations.get(PUBLISH_VERSION).is_some_and(|own| own == version),
                None => tracker.spec.application_generation == generation,
            },
        };
        match tracker.managed() {
            Ok(managed) if is_current => current.extend(managed),
            Ok(managed) => older.extend(managed),
            Err(why) => notes.push(format!("tracker {}: {why}", tracker.metadata.name).into()),
        }
    }
    let mut seen: HashSet<ResourceKey> = HashSet::new();
    let newest = current.iter().map(|managed| (managed, Tracked::Updated));
    let left = older.iter().map(|managed| (managed, Tracked::Outdated));
    for (managed, tracked) in newest.chain(left) {
        let root = managed.root(tracked);
        // One that the current revision deleted is not outdated either: it is on its way out.
        if seen.insert(root.key.clone()) && !managed.deleted {
            roots.push((root, managed.raw.clone()));
        }
    }
    (roots, notes)
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct List {
    items: Vec<Value>,
    metadata: ListMeta,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ListMeta {
    resource_version: String,
    #[serde(rename = "continue")]
    next: Option<String>,
}

/// Where the roots come from: by the trackers; where they may not be listed by vela-prism's view of them, and at last by
/// what the application's own status says.
pub(crate) enum Source {
    /// The trackers, by name; those that cannot be read with the reason.
    Trackers {
        /// As they are.
        trackers: BTreeMap<String, Result<Tracker, Text>>,
        /// Where a watch of them begins.
        version: String,
    },
    /// vela-prism's view of them, which cannot be watched, and why it is asked.
    Prism(Vec<Value>, Error),
    /// The application's own status alone, and why.
    Status(Error),
}

/// The trackers of an application.
pub(crate) fn path(app: &AppKey) -> String {
    let selector = format!("app.oam.dev/name={},app.oam.dev/namespace={}", app.name, app.namespace);
    format!("/apis/core.oam.dev/v1beta1/resourcetrackers?labelSelector={}", escape(&selector))
}

impl Source {
    /// Asks for the trackers, or for what stands in for them.
    ///
    /// # Errors
    /// Where the hub does not answer.
    pub(crate) async fn ask(hub: &Hub, app: &AppKey, deadline: Duration) -> Result<Self, Error> {
        let refused = match list(hub, &path(app), deadline).await {
            Ok((trackers, version)) => {
                let mut source = Self::Trackers { trackers: BTreeMap::new(), version };
                for tracker in &trackers {
                    source.put(tracker);
                }
                return Ok(source);
            }
            Err(error) if matches!(error.class, Class::Forbidden | Class::NotFound) => error,
            Err(error) => return Err(error),
        };
        let selector = format!("app.oam.dev/name={}", app.name);
        let path = format!(
            "/apis/prism.oam.dev/v1alpha1/namespaces/{}/applicationresourcetrackers?labelSelector={}",
            escape(&app.namespace),
            escape(&selector)
        );
        Ok(match list(hub, &path, deadline).await {
            Ok((trackers, _)) => Self::Prism(trackers, refused),
            Err(_) => Self::Status(refused),
        })
    }

    /// A tracker is there, or is so now.
    pub(crate) fn put(&mut self, tracker: &Value) {
        if let Self::Trackers { trackers, .. } = self {
            let name = tracker["metadata"]["name"].as_str().unwrap_or_default().to_owned();
            let read = Tracker::deserialize(tracker).map_err(|error| Text::from(error.to_string()));
            trackers.insert(name, read);
        }
    }

    /// A tracker is gone.
    pub(crate) fn delete(&mut self, tracker: &Value) {
        if let Self::Trackers { trackers, .. } = self {
            trackers.remove(tracker["metadata"]["name"].as_str().unwrap_or_default());
        }
    }

    /// Everything that KubeVela applied for the application as it is now.
    pub(crate) fn applied(&self, object: &Value) -> Applied {
        let (roots, notes) = self.manifests::<IgnoredAny>(object);
        Applied { roots: roots.into_iter().map(|(root, _)| root).collect(), notes }
    }

    /// The same with the manifest of each object, as it was applied: null where none is kept.
    pub(super) fn manifests<R: Default + Clone + DeserializeOwned>(
        &self,
        object: &Value,
    ) -> (Vec<(Root, R)>, Vec<Text>) {
        let ((roots, mut notes), refused) = match self {
            Self::Trackers { trackers, .. } => {
                let read: Vec<&Tracker> = trackers.values().filter_map(|tracker| tracker.as_ref().ok()).collect();
                let metadata = &object["metadata"];
                let publish_version = metadata["annotations"][PUBLISH_VERSION].as_str();
                let uid = metadata["uid"].as_str().unwrap_or_default();
                let generation = metadata["generation"].as_i64().unwrap_or_default();
                let (roots, mut notes) = join(&read, generation, publish_version, uid);
                let unread = trackers.iter().filter_map(|(name, tracker)| Some((name, tracker.as_ref().err()?)));
                notes.extend(unread.map(|(name, why)| format!("tracker {name} is not as expected: {why}").into()));
                return (roots, notes);
            }
            Self::Prism(trackers, refused) => (joined(trackers, object), refused),
            Self::Status(refused) => {
                let roots = by_status(object).into_iter().map(|root| (root, R::default())).collect();
                ((roots, Vec::new()), refused)
            }
        };
        notes.push(format!("roots by the application's own status: {}", refused.message).into());
        (roots, notes)
    }
}

/// Everything that KubeVela applied for an application, with the manifest of each object.
///
/// # Errors
/// Where the hub does not answer.
pub(super) async fn manifests<R: Default + Clone + DeserializeOwned>(
    hub: &Hub,
    app: &AppKey,
    object: &Value,
    deadline: Duration,
) -> Result<(Vec<(Root, R)>, Vec<Text>), Error> {
    Ok(Source::ask(hub, app, deadline).await?.manifests(object))
}

#[cfg(test)]
fn of(trackers: &[Value], object: &Value) -> Applied {
    let (roots, notes) = joined::<IgnoredAny>(trackers, object);
    Applied { roots: roots.into_iter().map(|(root, _)| root).collect(), notes }
}

/// What trackers as the server has them say of an application.
pub(super) fn joined<R: Default + Clone + DeserializeOwned>(
    trackers: &[Value],
    object: &Value,
) -> (Vec<(Root, R)>, Vec<Text>) {
    let mut source = Source::Trackers { trackers: BTreeMap::new(), version: String::new() };
    for tracker in trackers {
        source.put(tracker);
    }
    source.manifests(object)
}

/// `status.appliedResources`, which lists what the current revision applied.
pub(super) fn by_status(object: &Value) -> Vec<Root> {
    let listed = object["status"]["appliedResources"].as_array().into_iter().flatten();
    listed
        .filter_map(|one| Managed::<IgnoredAny>::deserialize(one).ok())
        .filter(|managed| !managed.deleted && !managed.kind.is_empty())
        .map(|managed| managed.root(Tracked::Updated))
        .collect()
}

/// A list with its version. The path has a query.
async fn list(hub: &Hub, path: &str, deadline: Duration) -> Result<(Vec<Value>, String), Error> {
    let mut items = Vec::new();
    let mut next = None;
    let path = format!("{path}&limit=50");
    loop {
        let uri = request::page(&path, next.as_deref());
        let bytes = request::get(&hub.client(), &uri, request::JSON, PAGE, deadline).await?;
        let page: List = request::decode(&bytes)?;
        items.extend(page.items);
        next = page.metadata.next.filter(|token| !token.is_empty());
        if next.is_none() {
            return Ok((items, page.metadata.resource_version));
        }
    }
}

#[cfg(test)]
mod tests;
