//! One question in a cluster: the objects of a kind in a namespace, listed in pages and then watched.
//!
//! Kinds with rules of their own are asked for whole and projected at once; all others as the server's own table, so
//! that their details are told in its words: custom resources with the objects, since how they stand is in their
//! conditions, everything else with its metadata alone. A Secret's content is never asked for.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, value::RawValue};
use tokio::{
    sync::Notify,
    time::{Instant, sleep, timeout_at},
};

use super::{news::Tell, wanted::is_maker};
use crate::{
    cluster::{
        discovery::Served,
        error::{Class, Error},
        jitter, lines,
        project::{self, Meta},
        pruned::Pruned,
        request::{self, escape},
    },
    model::{
        health::Health,
        key::{ClusterId, Text},
        resource::{Makes, Resource, Rule},
    },
};

/// The largest page taken.
const PAGE_BYTES: usize = 64 * 1024 * 1024;
/// The largest event taken; etcd's own objects end at 1.5 MiB.
const EVENT_BYTES: usize = 8 * 1024 * 1024;
/// Objects of one kind in one namespace at most: beyond, the tree says so.
pub(super) const MOST: usize = 20_000;
/// Time after which the server is asked to end a watch, so that a connection that died silently is noticed.
const WATCH: Duration = Duration::from_secs(120);
/// Time past its end after which a watch counts as dead.
const WATCH_MARGIN: Duration = Duration::from_secs(10);
/// A server that has too much to do is asked again after this time, so often.
const BUSY: (Duration, u32) = (Duration::from_secs(1), 3);
/// What the server shows of a kind, with the metadata of each row.
const TABLE: &str = "application/json;as=Table;g=meta.k8s.io;v=v1,application/json";
/// The same of a Secret, for which no server may fall back to the object itself.
const TABLE_ALONE: &str = "application/json;as=Table;g=meta.k8s.io;v=v1";

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Question {
    pub(super) kind: Arc<Served>,
    /// Empty: all there are of a cluster-scoped kind.
    pub(super) namespace: Text,
    /// A label selector; empty: all.
    pub(super) selector: Text,
}

/// All objects of a question.
#[derive(Debug, Default)]
pub(super) struct Listed {
    pub(super) resources: Vec<Resource>,
    /// Where a watch begins; empty where these are not all.
    pub(super) version: String,
    /// Whether these are all.
    pub(super) complete: bool,
}

/// How a watch ended that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// As agreed, or broken: go on where it stood.
    Again,
    /// The version is too old: list anew.
    TooOld,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Page<'a> {
    #[serde(borrow)]
    items: Option<Vec<&'a RawValue>>,
    #[serde(borrow)]
    rows: Option<Vec<Row<'a>>>,
    #[serde(rename = "columnDefinitions")]
    columns: Option<Vec<Column>>,
    metadata: PageMeta,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct PageMeta {
    resource_version: String,
    #[serde(rename = "continue")]
    next: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Column {
    name: String,
    priority: i64,
}

#[derive(Deserialize)]
struct Row<'a> {
    #[serde(default)]
    cells: Vec<Value>,
    #[serde(borrow)]
    object: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct WatchEvent<'a> {
    #[serde(rename = "type")]
    kind: String,
    #[serde(borrow)]
    object: &'a RawValue,
}

/// What is read of any object in an event beside the object itself: its version, or what an ERROR says.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Envelope {
    kind: String,
    metadata: PageMeta,
    code: u16,
    message: String,
}

/// How one cluster is asked.
#[derive(Clone)]
pub(super) struct Asker {
    pub(super) cluster: ClusterId,
    pub(super) client: kube::Client,
    /// The operator's own rules: they say of which kinds selectors and labels are needed.
    pub(super) rules: Arc<[Rule]>,
    /// Told when a release changed: what it made may have changed in kind.
    pub(super) stirred: Arc<Notify>,
}

impl Asker {
    fn is_whole(&self, kind: &Served) -> bool {
        project::has_rules(&kind.group, &kind.kind)
            || self.rules.iter().any(|rule| rule.by_selector && is(&rule.parent, kind))
    }

    fn accept(&self, kind: &Served) -> &'static str {
        match (self.is_whole(kind), kind.group.is_empty() && kind.kind == "Secret") {
            (_, true) => TABLE_ALONE,
            (true, _) => request::JSON,
            (false, _) => TABLE,
        }
    }

    /// Whether the object itself is wanted beside its row: how a custom resource stands is in its conditions.
    fn is_custom(&self, kind: &Served) -> bool {
        let own = !kind.group.contains('.') || kind.group.ends_with(".k8s.io");
        !own && !self.is_whole(kind)
    }

    /// All objects of a question.
    pub(super) async fn list(&self, question: &Question, deadline: Duration) -> Result<Listed, Error> {
        let mut listed = Listed::default();
        let mut columns = Vec::new();
        let mut next: Option<String> = None;
        let mut path = format!("{}?limit=500", question.kind.collection(&question.namespace));
        if !question.selector.is_empty() {
            path.push_str("&labelSelector=");
            path.push_str(&escape(&question.selector));
        }
        if self.is_custom(&question.kind) {
            path.push_str("&includeObject=Object");
        }
        let mut busy = 0;
        loop {
            let uri = request::page(&path, next.as_deref());
            let bytes = match request::get(&self.client, &uri, self.accept(&question.kind), PAGE_BYTES, deadline).await
            {
                Err(error) if error.class == Class::Busy && busy < BUSY.1 => {
                    busy += 1;
                    sleep(BUSY.0 + jitter(BUSY.0)).await;
                    continue;
                }
                answer => answer?,
            };
            let page: Page<'_> = request::decode(&bytes)?;
            let now = Timestamp::now();
            let (version, after) = (page.metadata.resource_version.clone(), page.metadata.next.clone());
            listed.resources.extend(self.read(&question.kind, page, &mut columns, now));
            next = after.filter(|token| !token.is_empty());
            listed.complete = next.is_none();
            if listed.complete {
                listed.version = version;
                return Ok(listed);
            }
            if listed.resources.len() >= MOST {
                return Ok(listed);
            }
        }
    }

    /// Watches from a version on, and moves it along. Tells of nothing that has not changed since.
    pub(super) async fn watch(
        &self,
        question: &Question,
        version: &mut String,
        deadline: Duration,
        tell: &Tell,
    ) -> Result<Ended, Error> {
        let length = WATCH + jitter(WATCH / 4);
        let mut uri = format!(
            "{}?watch=true&allowWatchBookmarks=true&timeoutSeconds={}&resourceVersion={}",
            question.kind.collection(&question.namespace),
            length.as_secs(),
            escape(version)
        );
        if !question.selector.is_empty() {
            uri.push_str("&labelSelector=");
            uri.push_str(&escape(&question.selector));
        }
        if self.is_custom(&question.kind) {
            uri.push_str("&includeObject=Object");
        }
        let end = Instant::now() + length + WATCH_MARGIN;
        let answer = request::open(&self.client, &uri, self.accept(&question.kind), true);
        let response = request::within(deadline, answer).await?;
        tell.opened(question).await;
        let mut lines = lines::of(response, EVENT_BYTES);
        let mut columns: Vec<Column> = Vec::new();
        loop {
            // Else the agreed end, a break in the middle, or nobody there any more: asking again tells which.
            let Ok(Ok(Some(line))) = timeout_at(end, lines.next()).await else { return Ok(Ended::Again) };
            if line.cut {
                continue;
            }
            let Ok(event) = serde_json::from_slice::<WatchEvent<'_>>(&line.bytes) else { continue };
            let text = event.object.get();
            let envelope: Envelope = serde_json::from_str(text).unwrap_or_default();
            if event.kind == "ERROR" {
                if envelope.code == 410 {
                    return Ok(Ended::TooOld);
                }
                let body = serde_json::json!({"message": envelope.message}).to_string();
                return Err(Error::from_answer(envelope.code, body.as_bytes()));
            }
            if !envelope.metadata.resource_version.is_empty() {
                version.clone_from(&envelope.metadata.resource_version);
            }
            let now = Timestamp::now();
            let resources: Vec<Resource> = if envelope.kind == "Table" {
                let table: Page<'_> = serde_json::from_str(text).unwrap_or_default();
                self.read(&question.kind, table, &mut columns, now)
            } else {
                self.object(&question.kind, text, now).into_iter().collect()
            };
            for resource in resources {
                match event.kind.as_str() {
                    "ADDED" | "MODIFIED" => {
                        if is_maker(&resource.key) {
                            self.stirred.notify_one();
                        }
                        tell.put(question, resource).await;
                    }
                    "DELETED" => tell.gone(question, resource.key).await,
                    _ => {}
                }
            }
        }
    }

    fn object(&self, kind: &Served, text: &str, now: Timestamp) -> Option<Resource> {
        let Pruned(object) = serde_json::from_str(text).ok()?;
        let mut made = project::resource(&self.cluster, &kind.group, &kind.kind, &object, now)?;
        self.mark(kind, &object, &mut made);
        Some(made)
    }

    /// The objects of a list, or the rows of a table.
    fn read(&self, kind: &Served, page: Page<'_>, columns: &mut Vec<Column>, now: Timestamp) -> Vec<Resource> {
        if let Some(definitions) = page.columns.filter(|columns| !columns.is_empty()) {
            *columns = definitions;
        }
        let items = page.items.unwrap_or_default();
        let mut made: Vec<Resource> = items.iter().filter_map(|item| self.object(kind, item.get(), now)).collect();
        for row in page.rows.unwrap_or_default() {
            let object = row.object.and_then(|object| serde_json::from_str::<Pruned>(object.get()).ok());
            let Some(Pruned(object)) = object else { continue };
            let Some(meta) = Meta::of(&object) else { continue };
            let mut resource = project::of_meta(&self.cluster, &kind.group, &kind.kind, &meta);
            (resource.health, resource.message) = project::by_table(&cells(columns, &row.cells));
            // What its conditions say of a fault is more than its columns do.
            if let Some(custom) = project::resource(&self.cluster, &kind.group, &kind.kind, &object, now)
                && self.is_custom(kind)
                && custom.health != Health::Ok
            {
                resource.health = custom.health;
                if !custom.message.is_empty() {
                    resource.message = custom.message;
                }
            }
            self.mark(kind, &object, &mut resource);
            made.push(resource);
        }
        made
    }

    /// What a page's text tells.
    #[cfg(test)]
    pub(super) fn read_page(&self, kind: &Served, text: &str) -> Result<Vec<Resource>, Error> {
        Ok(self.read(kind, request::decode(text.as_bytes())?, &mut Vec::new(), Timestamp::now()))
    }

    /// Keeps what the operator's rules need of an object.
    fn mark(&self, kind: &Served, object: &Value, made: &mut Resource) {
        let pairs = |at: &str| -> Vec<(Text, Text)> {
            let map = object.pointer(at).and_then(Value::as_object).into_iter().flatten();
            map.filter_map(|(key, value)| Some((key.as_str().into(), value.as_str()?.into()))).collect()
        };
        for rule in self.rules.iter().filter(|rule| rule.by_selector) {
            if is(&rule.child, kind) && made.owners.is_empty() && made.labels.is_empty() {
                made.labels = pairs("/metadata/labels");
            }
            if is(&rule.parent, kind) {
                // A Deployment's kind of selector, or a Service's.
                let mut selector = pairs("/spec/selector/matchLabels");
                if selector.is_empty() {
                    selector = pairs("/spec/selector");
                }
                if !selector.is_empty() {
                    made.makes.get_or_insert_with(Box::<Makes>::default).selector = selector;
                }
            }
        }
    }
}

fn is((group, name): &(Text, Text), kind: &Served) -> bool {
    **group == *kind.group && **name == *kind.kind
}

/// What a row tells beside the name and the age, column by column.
fn cells<'a>(columns: &'a [Column], cells: &[Value]) -> Vec<(&'a str, String)> {
    let shown = columns.iter().zip(cells).filter(|(column, _)| {
        column.priority == 0 && !matches!(column.name.to_ascii_lowercase().as_str(), "name" | "age" | "created at")
    });
    let told = shown.filter_map(|(column, cell)| {
        let text = match cell {
            Value::Null => return None,
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        (!text.is_empty() && text != "<none>").then_some((column.name.as_str(), text))
    });
    told.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_row_is_told_by_its_columns_without_name_and_age() {
        let columns: Vec<Column> = serde_json::from_value(json!([
            {"name": "Name"}, {"name": "Ready"}, {"name": "Wide", "priority": 1}, {"name": "Count"}, {"name": "Age"}
        ]))
        .unwrap();
        let row = [json!("x"), json!("True"), json!("no"), json!(3), json!("5m")];
        assert_eq!(cells(&columns, &row), [("Ready", "True".to_owned()), ("Count", "3".to_owned())]);
    }

    #[test]
    fn a_page_is_objects_or_rows() {
        let table = json!({"kind": "Table", "metadata": {"resourceVersion": "7", "continue": ""},
            "columnDefinitions": [{"name": "Name"}], "rows": [{"cells": ["a"], "object": {"metadata": {"name": "a"}}}]});
        let text = table.to_string();
        let page: Page<'_> = serde_json::from_str(&text).unwrap();
        assert_eq!((page.rows.unwrap().len(), page.metadata.resource_version.as_str()), (1, "7"));
        let text = json!({"metadata": {"resourceVersion": "8", "continue": "x"}, "items": [{"a": 1}]}).to_string();
        let page: Page<'_> = serde_json::from_str(&text).unwrap();
        assert_eq!((page.items.unwrap().len(), page.metadata.next.as_deref()), (1, Some("x")));
    }
}
