//! An application's revisions, unpacked: the list, one as it is, and two compared.
//!
//! Asked: the application, and its ApplicationRevisions (as many as KubeVela keeps, two to ten by default), in pages of
//! ten, since each holds a copy of every definition it used.

use std::{collections::BTreeMap, time::Duration};

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    error::{Class, Error},
    hub::Hub,
    project,
    request::{self, escape},
    trackers,
};
use crate::{
    model::{
        application::Target,
        diff::{Report, Section},
        effective::{Delivery, deliveries},
        key::{AppKey, Text},
        revision::{Content, Outcome, Revision, changed},
    },
    yaml,
};

/// Bytes that a page of revisions may have.
const PAGE: usize = 64 * 1024 * 1024;
/// An application is changed, and KubeVela writes the revision down, within this time.
const SOON: SignedDuration = SignedDuration::from_secs(30);
/// What of a revision is what it said; the rest are copies of definitions.
const SAID: [&str; 3] = ["application", "policies", "workflow"];

#[derive(Default, Deserialize)]
#[serde(default)]
struct List {
    items: Vec<Value>,
    metadata: request::ListMeta,
}

/// One revision as it was read.
struct Kept {
    object: Value,
    /// What it said; or why that cannot be read.
    content: Result<Content, String>,
    /// `componentDefinitions helm`, for each kind of definition it keeps.
    definitions: Vec<String>,
}

impl Kept {
    fn of(mut object: Value) -> Self {
        let unpacked = unpacked(&object["spec"]);
        let said = match unpacked {
            Ok(said) => said,
            Err(reason) => return Self { object, content: Err(reason), definitions: Vec::new() },
        };
        let mut definitions = Vec::new();
        for (key, value) in said.as_object().into_iter().flatten() {
            if let Some(held) = value.as_object().filter(|_| !SAID.contains(&key.as_str()) && key != "compression") {
                let names: Vec<&str> = held.keys().map(String::as_str).collect();
                if !names.is_empty() {
                    definitions.push(format!("{key}: {}", names.join(", ")));
                }
            }
        }
        let policies = said["policies"].as_object().into_iter().flatten();
        let content = Content {
            spec: said["application"]["spec"].clone(),
            policies: policies.map(|(name, policy)| (name.clone(), policy.clone())).collect(),
            workflow: said["workflow"].clone(),
        };
        // What it said is in `content`, and the definitions are many.
        object["spec"] = Value::Null;
        Self { object, content: Ok(content), definitions }
    }

    fn name(&self) -> &str {
        self.object["metadata"]["name"].as_str().unwrap_or_default()
    }

    fn number(&self) -> u64 {
        self.name().rsplit_once("-v").and_then(|(_, number)| number.parse().ok()).unwrap_or_default()
    }
}

/// A revision's `spec` with what is packed in it.
fn unpacked(spec: &Value) -> Result<Value, String> {
    let text = |key: &str| spec["compression"][key].as_str().unwrap_or_default();
    if text("type").is_empty() {
        return Ok(spec.clone());
    }
    let bytes = trackers::unpack(text("type"), text("data"))?;
    serde_json::from_slice(&bytes).map_err(|error| format!("its content is not as expected: {error}"))
}

/// The revisions of an application, the newest first.
///
/// # Errors
/// Where the application or its revisions cannot be read.
pub async fn list(hub: &Hub, app: &AppKey, deadline: Duration) -> Result<Vec<Revision>, Error> {
    let (application, kept) = futures::try_join!(application(hub, app, deadline), read(hub, app, deadline))?;
    Ok(rows(&application, &kept))
}

async fn application(hub: &Hub, app: &AppKey, deadline: Duration) -> Result<Value, Error> {
    let path =
        format!("/apis/core.oam.dev/v1beta1/namespaces/{}/applications/{}", escape(&app.namespace), escape(&app.name));
    let what = format!("application {app}");
    request::get_json(&hub.client(), &path, deadline).await.map_err(|error| error.during(&what))
}

/// Every revision, the oldest first.
async fn read(hub: &Hub, app: &AppKey, deadline: Duration) -> Result<Vec<Kept>, Error> {
    let selector = escape(&format!("app.oam.dev/name={}", app.name));
    let space = escape(&app.namespace);
    let path =
        format!("/apis/core.oam.dev/v1beta1/namespaces/{space}/applicationrevisions?limit=10&labelSelector={selector}");
    let what = format!("revisions of {app}");
    let mut kept = Vec::new();
    let mut next = None;
    loop {
        let uri = request::page(&path, next.as_deref());
        let answer = request::get(&hub.client(), &uri, request::JSON, PAGE, deadline).await;
        let page: List = answer.and_then(|bytes| request::decode(&bytes)).map_err(|error| error.during(&what))?;
        kept.extend(page.items.into_iter().map(Kept::of));
        next = page.metadata.next();
        if next.is_none() {
            kept.sort_by_key(Kept::number);
            return Ok(kept);
        }
    }
}

fn rows(application: &Value, kept: &[Kept]) -> Vec<Revision> {
    let current = application["status"]["latestRevision"]["name"].as_str().unwrap_or_default();
    let is_own_run = project::application(application).workflow_is_current();
    let mut rows = Vec::new();
    let mut before: Option<&Kept> = None;
    for one in kept {
        let is_current = one.name() == current;
        let metadata = &one.object["metadata"];
        let created_at = time(&metadata["creationTimestamp"]);
        // What a revision says of itself is written when its workflow has ended: until then the application says it.
        let own = Outcome::of(&one.object["status"]);
        let (outcome, status) = match own {
            Outcome::Succeeded => (own, &one.object["status"]),
            // After an edit there is a moment in which the application still tells of the run before.
            _ if is_current && !is_own_run => (Outcome::Running, &Value::Null),
            _ if is_current => {
                (Outcome::of(&json!({"workflow": application["status"]["workflow"]})), &application["status"])
            }
            _ => (own, &one.object["status"]),
        };
        let annotation = |key: &str| metadata["annotations"][key].as_str().filter(|text| !text.is_empty());
        let by = annotation("app.oam.dev/username").map(str::to_owned);
        rows.push(Revision {
            name: one.name().into(),
            number: one.number(),
            created_at,
            by: by.or_else(|| writer(application, created_at, is_current)).map(Text::from),
            publish_version: annotation("app.oam.dev/publishVersion").map(Text::from),
            outcome,
            message: status["workflow"]["message"].as_str().unwrap_or_default().into(),
            is_current,
            changed: what_changed(before, one).into(),
        });
        before = Some(one);
    }
    rows.reverse();
    rows
}

fn what_changed(before: Option<&Kept>, after: &Kept) -> String {
    match (before.map(|before| &before.content), &after.content) {
        (_, Err(reason)) => reason.clone(),
        (None, Ok(_)) if after.number() <= 1 => "the first".to_owned(),
        (None, Ok(_)) => "the one before is not kept".to_owned(),
        (Some(Err(_)), Ok(_)) => "the one before cannot be read".to_owned(),
        (Some(Ok(before)), Ok(after)) => changed(before, after),
    }
}

/// Who wrote the application's spec that a revision was made of, as far as managed fields tell: of the current one the
/// last who did, unless that was after it; of one before who did just before it was made, if nobody of that name has since.
fn writer(application: &Value, revision: Option<Timestamp>, is_current: bool) -> Option<String> {
    let fields = application["metadata"]["managedFields"].as_array()?;
    let of_spec =
        fields.iter().filter(|field| field["subresource"].is_null() && !field["fieldsV1"]["f:spec"].is_null());
    let written = of_spec.filter_map(|field| Some((time(&field["time"])?, field["manager"].as_str()?)));
    let (made, until) = (revision?, revision?.checked_add(SOON).ok()?);
    let found = if is_current {
        written.max().filter(|(at, _)| *at <= until)
    } else {
        // Times are in whole seconds, and no other revision is made in between.
        let since = made.checked_sub(SOON).ok()?;
        written.filter(|(at, _)| *at <= made && *at >= since).max()
    };
    found.map(|(_, manager)| manager.to_owned())
}

fn time(value: &Value) -> Option<Timestamp> {
    value.as_str()?.parse().ok()
}

/// One revision as it is, unpacked; the definitions that it keeps are named only.
///
/// # Errors
/// Where it cannot be read, or is not there.
pub async fn show(hub: &Hub, app: &AppKey, name: &str, deadline: Duration) -> Result<Report, Error> {
    let kept = read(hub, app, deadline).await?;
    let kept = find(&kept, app, name)?;
    let content = kept.content.as_ref().map_err(|reason| unreadable(name, reason))?;
    let mut said = Map::new();
    said.insert("metadata".to_owned(), shown_metadata(&kept.object["metadata"]));
    said.insert("spec".to_owned(), content.spec.clone());
    if !content.policies.is_empty() {
        said.insert("policies".to_owned(), Value::Object(content.policies.clone().into_iter().collect()));
    }
    if !content.workflow.is_null() {
        said.insert("workflow".to_owned(), content.workflow.clone());
    }
    said.insert("status".to_owned(), kept.object["status"].clone());
    Ok(Report {
        title: name.into(),
        sections: vec![Section::of_text(name, &text(&Value::Object(said)))],
        notes: kept.definitions.iter().map(|kept| format!("keeps {kept}").into()).collect(),
    })
}

/// Without what only servers care about.
fn shown_metadata(metadata: &Value) -> Value {
    let mut shown = metadata.clone();
    if let Some(shown) = shown.as_object_mut() {
        shown.shift_remove("managedFields");
    }
    shown
}

/// What differs from one revision to another: the spec, what each step sends to each target, and the policies.
///
/// # Errors
/// Where one of them cannot be read, or is not there.
pub async fn compare(hub: &Hub, app: &AppKey, first: &str, second: &str, deadline: Duration) -> Result<Report, Error> {
    let kept = read(hub, app, deadline).await?;
    let content =
        |name: &str| find(&kept, app, name)?.content.as_ref().map_err(|reason| unreadable(name, reason)).cloned();
    let (before, after) = (content(first)?, content(second)?);
    let app = app.clone();
    let title = format!("{first} › {second}");
    let compared = tokio::task::spawn_blocking(move || compared(title, &app, &before, &after)).await;
    compared.map_err(|error| Error::new(Class::Malformed, format!("comparing broke: {error}")))
}

/// What differs from one revision to the application's spec as it is now, whether or not KubeVela has come to that.
///
/// # Errors
/// Where one of them cannot be read, or is not there.
pub async fn compare_live(hub: &Hub, app: &AppKey, name: &str, deadline: Duration) -> Result<Report, Error> {
    let (application, kept) = futures::try_join!(application(hub, app, deadline), read(hub, app, deadline))?;
    let before = find(&kept, app, name)?.content.as_ref().map_err(|reason| unreadable(name, reason))?.clone();
    // What is kept in objects of its own is not the application's to say.
    let after = Content { spec: application["spec"].clone(), ..before.clone() };
    let apart = !before.policies.is_empty() || !before.workflow.is_null();
    let (title, app) = (format!("{name} › spec now"), app.clone());
    let compared = tokio::task::spawn_blocking(move || compared(title, &app, &before, &after)).await;
    let mut report = compared.map_err(|error| Error::new(Class::Malformed, format!("comparing broke: {error}")))?;
    if apart {
        report
            .notes
            .push("policies and workflows that are objects of their own are taken as the revision has them".into());
    }
    Ok(report)
}

fn find<'k>(kept: &'k [Kept], app: &AppKey, name: &str) -> Result<&'k Kept, Error> {
    kept.iter().find(|one| one.name() == name).ok_or_else(|| {
        let names: Vec<&str> = kept.iter().map(Kept::name).collect();
        let kept = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        Error::new(Class::NotFound, format!("{app} has no revision {name} (any more); kept: {kept}"))
    })
}

fn unreadable(name: &str, reason: &str) -> Error {
    Error::new(Class::Malformed, format!("revision {name}: {reason}"))
}

fn compared(title: String, app: &AppKey, before: &Content, after: &Content) -> Report {
    let mut sections = vec![Section::of_texts("spec", &spec_text(before), &spec_text(after))];
    let sent = |content: &Content| sent(content, app);
    sections.extend(pairs(sent(before), sent(after)));
    let policies = |content: &Content| -> Vec<(String, String)> {
        let all = content.all_policies().into_iter();
        all.map(|(name, policy)| {
            let kind = policy["type"].as_str().unwrap_or("policy");
            (format!("policy {name} ({kind})"), text(policy))
        })
        .collect()
    };
    sections.extend(pairs(policies(before), policies(after)));
    Report { title: title.into(), sections, notes: Vec::new() }
}

/// The spec without its policies, which are told one by one.
fn spec_text(content: &Content) -> String {
    let mut spec = content.spec.clone();
    if let Some(spec) = spec.as_object_mut() {
        spec.shift_remove("policies");
        if !content.workflow.is_null() {
            spec.insert("workflow (object)".to_owned(), content.workflow.clone());
        }
    }
    text(&spec)
}

/// What each step sends to each target, with the words that name both.
fn sent(content: &Content, app: &AppKey) -> Vec<(String, String)> {
    let workflow = (!content.workflow.is_null()).then_some(&content.workflow);
    let mut all = Vec::new();
    for delivery in deliveries(&content.spec, &content.policies, workflow) {
        let Delivery { step, targets, components, .. } = delivery;
        let text = text(&Value::Array(components));
        for target in &targets {
            all.push((format!("to {} by {step}", target_words(target, app)), text.clone()));
        }
    }
    all
}

/// `foo/default`; `region=eu/default` of clusters by labels.
pub fn target_words(target: &Target, app: &AppKey) -> String {
    let own = |namespace: &Text| if namespace.is_empty() { app.namespace.clone() } else { namespace.clone() };
    match target {
        Target::Cluster(at) => format!("{}/{}", at.cluster, own(&at.namespace)),
        Target::Selector { labels, namespace } => {
            let labels: Vec<String> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
            format!("{}/{}", labels.join(","), own(namespace))
        }
        Target::External(policy) => format!("where policy {policy} says"),
    }
}

/// Compares what has the same name on both sides, in the order of the second, what only the first has last.
fn pairs(before: Vec<(String, String)>, after: Vec<(String, String)>) -> Vec<Section> {
    let mut before: BTreeMap<String, String> = before.into_iter().collect();
    let mut sections = Vec::new();
    for (name, text) in after {
        let old = before.remove(&name).unwrap_or_default();
        sections.push(Section::of_texts(name, &old, &text));
    }
    sections.extend(before.into_iter().map(|(name, text)| Section::of_texts(name, &text, "")));
    sections
}

/// A value as YAML with keys in one order: what says what it is first, then by name.
pub(super) fn text(value: &Value) -> String {
    yaml::to_string(&ordered(value)).unwrap_or_else(|error| format!("# it cannot be written as YAML: {error}\n"))
}

fn ordered(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let rank = |key: &str| ["apiVersion", "kind", "metadata", "name", "type"].iter().position(|it| *it == key);
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort_by_key(|key| (rank(key).unwrap_or(usize::MAX), key.as_str()));
            keys.into_iter().filter_map(|key| Some((key.clone(), ordered(map.get(key)?)))).collect()
        }
        Value::Array(list) => list.iter().map(ordered).collect(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests;
