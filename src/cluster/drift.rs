//! What was applied for an application against what is there now, object by object, in every cluster.
//!
//! What was applied is what KubeVela's trackers keep: the manifest of each object; where one keeps none, the record on the
//! object itself. Asked: the application and its trackers on the hub; in each cluster its discovery and one GET for each
//! object, eight at once, at most [`MOST`] in all. Of Secrets only the metadata is asked for, unless a person wants their
//! content compared too; what comes of that names keys and sizes, and never a value. Clusters are asked side by side, each
//! with a deadline of its own.

use std::{collections::BTreeMap, time::Duration};

use futures::{StreamExt, stream};
use serde_json::Value;

use super::{
    discovery::{self, Served},
    error::{Class, Error},
    hub::Hub,
    request::{self, escape},
    revisions::text,
    trackers,
};
use crate::model::{
    apply::LAST_APPLIED,
    diff::{Report, Section, Verdict},
    drift::{self, Drift},
    key::{AppKey, ClusterId, Text},
    resource::{ResourceKey, Root, Tracked},
};

mod secret;

use secret::{Veil, veil};

/// Objects that are looked at, at most: beyond, the report says so.
pub const MOST: usize = 1000;
/// Requests under way at once in one cluster.
const AT_ONCE: usize = 8;
/// Bytes of one object, at most.
const OBJECT: usize = 16 * 1024 * 1024;
/// Metadata alone.
const METADATA: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";

/// Compares what was applied for an application with what is there now: what differs first. `secrets` says whether the
/// content of Secrets is fetched and compared too.
///
/// # Errors
/// Where the application or what was applied for it cannot be read. A cluster that does not answer is no error: its
/// objects are told as not known.
pub async fn look_up(hub: &Hub, app: &AppKey, secrets: bool, deadline: Duration) -> Result<Report, Error> {
    let path =
        format!("/apis/core.oam.dev/v1beta1/namespaces/{}/applications/{}", escape(&app.namespace), escape(&app.name));
    let what = format!("application {app}");
    let object: Value = request::get_json(&hub.client(), &path, deadline).await.map_err(|error| error.during(&what))?;
    let found = trackers::manifests::<Value>(hub, app, &object, deadline).await;
    let (mut roots, mut notes) = found.map_err(|error| error.during(&what))?;
    let older = roots.iter().filter(|(root, _)| root.tracked == Tracked::Outdated).count();
    if older > 0 {
        let are = if older == 1 { "is" } else { "are" };
        notes.push(format!("{older} of them {are} of an older revision: compared with what that applied").into());
    }
    if roots.len() > MOST {
        notes.push(format!("{} objects were applied: the first {MOST} are compared", roots.len()).into());
        roots.truncate(MOST);
    }
    let mut clusters: BTreeMap<ClusterId, Vec<(Root, Value)>> = BTreeMap::new();
    for (root, manifest) in roots {
        clusters.entry(root.key.cluster.clone()).or_default().push((root, manifest));
    }
    // The hub itself first, as everywhere.
    let mut clusters: Vec<_> = clusters.into_iter().collect();
    clusters.sort_by_key(|(cluster, _)| !cluster.is_local());
    let asked = clusters.into_iter().map(|(cluster, roots)| in_cluster(hub, cluster, roots, secrets, deadline));
    let mut sections: Vec<Section> = stream::iter(asked).buffered(32).concat().await;
    let rank = |section: &Section| match section.verdict {
        Verdict::Gone | Verdict::New | Verdict::Differs(..) => 0,
        Verdict::Unknown(_) => 1,
        Verdict::Same | Verdict::Shown => 2,
    };
    sections.sort_by_key(rank);
    Ok(Report { title: format!("{app}: applied › there now").into(), sections, notes })
}

async fn in_cluster(
    hub: &Hub,
    cluster: ClusterId,
    roots: Vec<(Root, Value)>,
    secrets: bool,
    deadline: Duration,
) -> Vec<Section> {
    let client = hub.member(&cluster);
    let served = match request::within(deadline, discovery::listable(&client)).await {
        Ok(served) => served,
        Err(error) => {
            let unknown = |(root, _): &(Root, Value)| unknown(&root.key, &error.message);
            return roots.iter().map(unknown).collect();
        }
    };
    let asked = roots.into_iter().map(|(root, manifest)| {
        let (client, served) = (&client, &served);
        async move {
            let live = live(client, served, &root, secrets, deadline).await;
            compared(&root, &manifest, live, secrets)
        }
    });
    // In order, so that the same answers give the same report.
    stream::iter(asked).buffered(AT_ONCE).collect().await
}

/// The object as it is there; `None`: it is not.
async fn live(
    client: &kube::Client,
    served: &[Served],
    root: &Root,
    secrets: bool,
    deadline: Duration,
) -> Result<Option<Value>, Error> {
    let key = &root.key;
    let kind = served.iter().find(|kind| *kind.group == *key.group && *kind.kind == *key.kind);
    let Some(kind) = kind else {
        let group = if key.group.is_empty() { String::new() } else { format!(".{}", key.group) };
        let reason = format!("{} serves no {}{group} (any more)", key.cluster, key.kind);
        return Err(Error::new(Class::NotFound, reason));
    };
    // In the version that was applied: another one may have other fields.
    let kind = Served { version: root.version.to_string(), ..kind.clone() };
    let path = format!("{}/{}", kind.collection(&key.namespace), escape(&key.name));
    let accept = if key.is_secret() && !secrets { METADATA } else { request::JSON };
    match request::get(client, &path, accept, OBJECT, deadline).await {
        Ok(bytes) => request::decode(&bytes).map(Some),
        Err(error) if error.class == Class::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// `foo Deployment/hello in default`
fn heading(key: &ResourceKey) -> Text {
    let place = if key.namespace.is_empty() { String::new() } else { format!(" in {}", key.namespace) };
    format!("{} {}/{}{place}", key.cluster, key.kind, key.name).into()
}

fn unknown(key: &ResourceKey, reason: &str) -> Section {
    Section { object: Some(key.clone()), ..Section::unknown(heading(key), reason) }
}

fn compared(root: &Root, manifest: &Value, live: Result<Option<Value>, Error>, secrets: bool) -> Section {
    let key = &root.key;
    let mut live = match live {
        Ok(Some(live)) if !live.is_object() => return unknown(key, "the cluster answered with something else"),
        Ok(live) => live,
        Err(error) => return unknown(key, &error.message),
    };
    let recorded;
    let mut manifest = manifest;
    if manifest.is_null()
        && let Some(live) = &live
    {
        let record = live["metadata"]["annotations"][LAST_APPLIED].as_str();
        match record.and_then(|record| serde_json::from_str::<Value>(record).ok()) {
            Some(record) => {
                recorded = record;
                manifest = &recorded;
            }
            None => return unknown(key, "what was applied is kept neither by its tracker nor on the object"),
        }
    }
    let mut manifest = manifest.clone();
    let veiled = if key.is_secret() { veil(&mut manifest, live.as_mut(), secrets) } else { Veil::default() };
    let (mut ignored, set_by) = (veiled.ignored, veiled.set_by);
    let Some(mut live) = live else {
        let whole = if manifest.is_null() { String::new() } else { text(&manifest) };
        let section = Section::of_texts(heading(key), &whole, "");
        return Section { object: Some(key.clone()), verdict: Verdict::Gone, ignored, ..section };
    };
    // Metadata alone says of what kind it is itself, not of what the object is.
    for field in ["apiVersion", "kind"] {
        if let Some(own) = manifest.get(field) {
            live[field] = own.clone();
        }
    }
    let drift = drift::compare(&manifest, &live);
    ignored.extend(left_out(&drift));
    let section = Section::of_texts(heading(key), &text(&drift.applied), &text(&drift.live));
    Section { object: Some(key.clone()), ignored, set_by: setters(&drift, set_by), ..section }
}

/// Who set what the manifest does not name, without Kubernetes' own controllers: these always do.
fn setters(drift: &Drift, of_content: Vec<Text>) -> Vec<Text> {
    let all = drift.extra.iter().filter_map(|extra| extra.set_by.as_deref().map(Text::from)).chain(of_content);
    let mut names: Vec<Text> = all.filter(|name| !name.contains("controller")).collect();
    names.sort();
    names.dedup();
    names
}

/// What was not compared, and why; a line each.
fn left_out(drift: &Drift) -> Vec<Text> {
    let mut lines: Vec<Text> = Vec::new();
    for extra in drift.extra.iter().filter(|extra| extra.set_by.is_some()) {
        let by = extra.set_by.as_deref().unwrap_or_default();
        lines.push(format!("{}: not in the manifest, set by {by}", extra.path).into());
    }
    for (path, applied, live) in &drift.alike {
        lines.push(format!("{path}: {applied} and {live} mean the same").into());
    }
    let defaults = drift.extra.iter().filter(|extra| extra.set_by.is_none());
    lines.extend(defaults.map(|extra| format!("{}: not in the manifest", extra.path).into()));
    if !drift.bookkeeping.is_empty() {
        lines.push(format!("what the server keeps: {}", drift.bookkeeping.join(", ")).into());
    }
    lines
}

#[cfg(test)]
mod tests;
