//! An object as a draft to be edited, and a draft read back: what it would change, and whether the server would take it.

use http::Method;
use serde_json::Value;

use super::{
    actions::{self, field_manager},
    discovery,
    error::{Class, Error},
    hub::Hub,
    object,
    request::{self, MERGE_PATCH, escape},
};
use crate::{
    model::{
        edit::{Broken, Editing, Proposal, changes, merge_patch, unsayable},
        key::Text,
        resource::ResourceKey,
    },
    yaml,
};

/// What of an object is its identity, or the server's: a draft that changes it is refused.
const FIXED: [&str; 8] = [
    "/apiVersion",
    "/kind",
    "/metadata/name",
    "/metadata/namespace",
    "/metadata/uid",
    "/metadata/resourceVersion",
    "/metadata/creationTimestamp",
    "/metadata/generation",
];

/// Dry runs after conflicts, the first one included.
const CHECKS: usize = 5;

/// An object to be edited: without the fields that servers manage, and without the status where that is written apart.
pub async fn fetch(hub: &Hub, key: &ResourceKey) -> Result<Value, Error> {
    let client = hub.member(&key.cluster);
    let place = discovery::resolve(&client, &key.group, &key.kind, hub.request_timeout()).await?;
    let uri = place.object(&key.namespace, &key.name);
    let object: Value = request::get_json(&client, &uri, hub.request_timeout()).await?;
    Ok(editable(object, place.has_status))
}

/// The part of an object that a person edits.
pub(super) fn editable(mut object: Value, has_status: bool) -> Value {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
    }
    if has_status && let Some(object) = object.as_object_mut() {
        object.remove("status");
    }
    object::sorted(object)
}

/// The text of a draft.
///
/// # Errors
/// Where the object cannot be written as YAML.
pub fn text(key: &ResourceKey, object: &Value) -> Result<String, Error> {
    let yaml = yaml::to_string(object)
        .map_err(|error| Error::new(Class::Malformed, format!("the object cannot be written as YAML: {error}")))?;
    let version = object.pointer("/metadata/resourceVersion").and_then(Value::as_str).unwrap_or_default();
    Ok(format!(
        "# {key}, as it was at resource version {version}.\n\
         # Save and leave the editor to see what this would change. Nothing is written before you confirm it.\n\
         # Left as it is, or emptied, it changes nothing.\n{yaml}"
    ))
}

/// A draft as read back.
#[derive(Debug)]
pub enum Draft {
    /// It says what the object says.
    Unchanged,
    /// It cannot be read.
    Broken(Broken),
    /// What it would change.
    Changed(Box<Proposal>),
}

/// Reads a draft made from an object.
pub fn read(key: &ResourceKey, base: Value, text: &str) -> Draft {
    let broken = |message: String, place: Option<(u64, u64)>| {
        let line = place.and_then(|(line, _)| text.lines().nth(usize::try_from(line).ok()?.checked_sub(1)?));
        Draft::Broken(Broken { message, place, line: line.unwrap_or_default().to_owned() })
    };
    let new = match yaml::from_str(text) {
        Ok(new) => new,
        Err(yaml::Error::At { line, column, message }) => return broken(message, Some((line, column))),
        Err(error @ yaml::Error::Other(_)) => return broken(error.to_string(), None),
    };
    if new.is_null() {
        return Draft::Unchanged;
    }
    if !new.is_object() {
        return broken("this is no object: it begins with apiVersion, kind and metadata".to_owned(), None);
    }
    if let Some(fixed) = FIXED.into_iter().find(|pointer| base.pointer(pointer) != new.pointer(pointer)) {
        let path = fixed.trim_start_matches('/').replace('/', ".");
        let was = base.pointer(fixed).map_or_else(|| "not there".to_owned(), ToString::to_string);
        return broken(format!("{path} cannot be edited: it is {was}"), None);
    }
    if let Some(path) = unsayable((&base, &new)) {
        return broken(format!("{path} is null: take the line away, or write a value"), None);
    }
    let Some(patch) = merge_patch(&base, &new) else { return Draft::Unchanged };
    let changes = changes(&base, &new);
    Draft::Changed(Box::new(Proposal { editing: Editing { key: key.clone(), base, patch }, changes }))
}

/// Asks the server whether it would take an edit (`dryRun=All`): nothing is written. The error is its words.
pub async fn check(hub: &Hub, editing: &Editing) -> Result<(), Text> {
    let key = &editing.key;
    let client = hub.member(&key.cluster);
    let timeout = hub.request_timeout();
    let said = |error: Error| -> Text { error.message.into() };
    let place = discovery::resolve(&client, &key.group, &key.kind, timeout).await.map_err(said)?;
    let uri = place.object(&key.namespace, &key.name);
    let manager = escape(&field_manager(hub.user())).clone();
    let dry = format!("{uri}?fieldManager={manager}&dryRun=All");
    let mut asked = 0;
    loop {
        asked += 1;
        let fresh: Value = request::get_json(&client, &uri, timeout).await.map_err(said)?;
        let patch = actions::bound(editing, &fresh).map_err(Text::from)?;
        let body = patch.to_string().into_bytes();
        match request::write(&client, Method::PATCH, &dry, MERGE_PATCH, body, timeout).await {
            Ok(_) => return Ok(()),
            // Its status moved on in between: looked at anew, as the write does.
            Err(error) if error.class == Class::Conflict && asked < CHECKS => {}
            Err(error) => return Err(said(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::key::ClusterId;

    fn key() -> ResourceKey {
        ResourceKey {
            cluster: ClusterId::named("foo"),
            group: "".into(),
            kind: "ConfigMap".into(),
            namespace: "default".into(),
            name: "hello".into(),
        }
    }

    fn base() -> Value {
        json!({
            "apiVersion": "v1", "kind": "ConfigMap", "data": {"count": "1", "version": "012"},
            "metadata": {"name": "hello", "namespace": "default", "resourceVersion": "7", "uid": "u1"},
        })
    }

    fn edited(from: &str, to: &str) -> Draft {
        let text = text(&key(), &base()).unwrap();
        assert!(text.contains(from), "{text}");
        read(&key(), base(), &text.replace(from, to))
    }

    #[test]
    fn a_draft_as_it_was_changes_nothing_nor_does_an_empty_one() {
        assert!(matches!(edited("kind", "kind"), Draft::Unchanged));
        assert!(matches!(read(&key(), base(), "# only this\n"), Draft::Unchanged));
    }

    #[test]
    fn what_changed_is_told_and_nothing_else_is_sent() {
        let Draft::Changed(proposal) = edited("hello\n", "hello\n  labels: {a: b}\n") else { panic!("not changed") };
        assert_eq!(proposal.editing.patch, json!({"metadata": {"labels": {"a": "b"}}}));
        assert_eq!(proposal.changes[0].path, "metadata.labels");
    }

    #[test]
    fn what_reading_would_change_is_refused_with_its_line() {
        for (to, line) in [("count: 012", 7), ("count: 18446744073709551616", 7), ("count: a\n  count: b", 8)] {
            let text = text(&key(), &base()).unwrap();
            let old = text.lines().find(|line| line.contains("count:")).unwrap().trim().to_owned();
            let Draft::Broken(broken) = edited(&old, to) else { panic!("{to} was taken") };
            assert_eq!(broken.place.map(|place| place.0), Some(line), "{broken:?}");
            assert!(broken.line.contains("count"), "{broken:?}");
        }
    }

    #[test]
    fn who_the_object_is_cannot_be_edited() {
        let Draft::Broken(broken) = edited("name: hello", "name: other") else { panic!("taken") };
        assert_eq!(broken.message, "metadata.name cannot be edited: it is \"hello\"");
    }
}
