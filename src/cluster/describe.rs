//! What is to be said of an object: who it is, how it stands, what matters of its kind, and its events.

use std::time::Duration;

use jiff::Timestamp;
use kube::Client;
use serde_json::Value;

use super::{
    error::Error,
    object::shown,
    request::{self, escape},
};
use crate::model::{
    health::Health,
    object::{Description, Section, Word},
    resource::ResourceKey,
};

/// Events shown at most; those are the newest.
const EVENTS: usize = 50;
/// What is longer is cut: it is in the YAML.
const LONGEST: usize = 400;

/// The events of an object, newest first; or why there are none.
pub(super) async fn events(
    client: &Client,
    namespace: &str,
    uid: &str,
    deadline: Duration,
) -> Result<Vec<Value>, Error> {
    // What is of no namespace has its events in `default`.
    let namespace = if namespace.is_empty() { "default" } else { namespace };
    let selector = escape(&format!("involvedObject.uid={uid}"));
    let uri = format!("/api/v1/namespaces/{}/events?fieldSelector={selector}&limit=500", escape(namespace));
    let list: Value = request::get_json(client, &uri, deadline).await?;
    let mut events: Vec<Value> = list.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
    events.sort_by_key(|event| std::cmp::Reverse(last_seen(event)));
    Ok(events)
}

fn last_seen(event: &Value) -> Option<Timestamp> {
    let at = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).and_then(|time| time.parse().ok());
    [at("/series/lastObservedTime"), at("/lastTimestamp"), at("/eventTime"), at("/metadata/creationTimestamp")]
        .into_iter()
        .flatten()
        .max()
}

/// Describes an object.
pub(super) fn describe(key: &ResourceKey, object: &Value, events: &Result<Vec<Value>, Error>) -> Description {
    let mut sections = vec![identity(key, object)];
    sections.push(event_lines(events));
    sections.retain(|section| !section.lines.is_empty());
    Description { sections }
}

fn text<'v>(object: &'v Value, pointer: &str) -> &'v str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn time(object: &Value, pointer: &str) -> Option<Timestamp> {
    text(object, pointer).parse().ok()
}

/// Text of the world, fit for a line.
fn value(text: &str) -> Word {
    Word::Value(cut(text))
}

fn cut(text: &str) -> String {
    let mut text = shown(text);
    if let Some((at, _)) = text.char_indices().nth(LONGEST) {
        text.truncate(at);
        text.push('…');
    }
    text
}

fn pair(name: &str, value: Word) -> Vec<Word> {
    vec![Word::Name(name.to_owned()), value]
}

fn identity(key: &ResourceKey, object: &Value) -> Section {
    let mut lines = vec![
        pair("kind", value(&format!("{} ({})", key.kind, text(object, "/apiVersion")))),
        pair("name", Word::Strong(shown(&key.name))),
    ];
    if !key.namespace.is_empty() {
        lines.push(pair("namespace", value(&key.namespace)));
    }
    lines.push(pair("cluster", value(key.cluster.as_str())));
    if let Some(created) = time(object, "/metadata/creationTimestamp") {
        lines.push(pair("created", Word::Ago(created)));
    }
    if let Some(deleted) = time(object, "/metadata/deletionTimestamp") {
        let mut line = pair("deleted", Word::Standing(Health::Failed, "being deleted, since ".to_owned()));
        line.push(Word::Ago(deleted));
        lines.push(line);
    }
    Section { title: String::new(), lines }
}

fn event_lines(events: &Result<Vec<Value>, Error>) -> Section {
    let mut lines = Vec::new();
    match events {
        Ok(events) if events.is_empty() => lines.push(vec![Word::Name("none".to_owned())]),
        Ok(events) => {
            for event in events.iter().take(EVENTS) {
                let count = event
                    .get("count")
                    .and_then(Value::as_i64)
                    .or_else(|| event.pointer("/series/count").and_then(Value::as_i64));
                let mut line = Vec::new();
                if let Some(at) = last_seen(event) {
                    line.push(Word::Ago(at));
                    line.push(value("  "));
                }
                let reason = cut(text(event, "/reason"));
                line.push(match text(event, "/type") {
                    "Normal" => Word::Value(reason),
                    _ => Word::Standing(Health::Failed, reason),
                });
                if let Some(count) = count.filter(|count| *count > 1) {
                    line.push(Word::Name(format!(" ×{count}")));
                }
                line.push(value(&format!("  {}", text(event, "/message"))));
                lines.push(line);
            }
            if events.len() > EVENTS {
                lines.push(vec![Word::Name(format!("and {} older", events.len() - EVENTS))]);
            }
        }
        Err(error) => lines.push(vec![Word::Standing(Health::Unknown, format!("cannot be told: {error}"))]),
    }
    Section { title: "events".to_owned(), lines }
}
