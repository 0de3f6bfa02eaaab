//! Writing an edited object: what the draft changes, and only onto the object that the draft was made from.
//!
//! The object may have got a new version meanwhile by its status alone; the patch is then bound to that version. If
//! anything else of it has changed nothing is written, whoever changed it is named, and the draft is kept.

use http::Method;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::{
    Attempt, AuditSink, READ_BACK, READ_BACK_EVERY, READ_BACK_ONE, SENDS, approve, field_manager, text, unrecorded,
};
use crate::{
    cluster::{
        discovery::{self, Resolved},
        edit::editable,
        error::{Class, Error},
        hub::Hub,
        request::{self, MERGE_PATCH, escape},
    },
    model::{
        action::Outcome,
        edit::{Editing, apply_patch},
    },
};

/// What of an object is not held against the draft's: the server counts it up by itself.
const COUNTED: [&str; 2] = ["resourceVersion", "generation"];

/// The patch, bound to the version of a fresh read; or why nothing is to be sent.
pub(in crate::cluster) fn bound(editing: &Editing, fresh: &Value) -> Result<Value, String> {
    let key = &editing.key;
    if text(fresh, "/metadata/uid") != text(&editing.base, "/metadata/uid") {
        return Err(format!("{key} was deleted and made anew meanwhile: nothing was written"));
    }
    let has_status = editing.base.get("status").is_none();
    if held(fresh.clone(), has_status) != held(editing.base.clone(), has_status) {
        let by = approve::by_spec_writer_since(&editing.base, fresh);
        return Err(format!("{key} was changed meanwhile{by}; the draft is kept"));
    }
    let mut patch = editing.patch.clone();
    super::apply::bind(&mut patch, text(fresh, "/metadata/resourceVersion"));
    Ok(patch)
}

/// What must be as it was.
fn held(object: Value, has_status: bool) -> Value {
    let mut object = editable(object, has_status);
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        for name in COUNTED {
            metadata.remove(name);
        }
    }
    object
}

/// What goes on record of a patch: of a Secret without its content.
fn recorded(editing: &Editing, patch: &Value) -> Value {
    let mut patch = patch.clone();
    if editing.key.is_secret() {
        for section in ["data", "stringData"] {
            let entries = patch.get_mut(section).and_then(Value::as_object_mut);
            for (_, value) in entries.into_iter().flatten().filter(|(_, value)| !value.is_null()) {
                *value = Value::from("(not recorded)");
            }
        }
        if let Some(annotations) = patch.pointer_mut("/metadata/annotations") {
            *annotations = Value::from("(not recorded)");
        }
    }
    patch
}

pub(super) async fn edit(hub: &Hub, editing: &Editing, audit: AuditSink<'_>) -> Outcome {
    let key = &editing.key;
    let client = hub.member(&key.cluster);
    let timeout = hub.request_timeout();
    let failed = |error: &Error| Outcome::Failed {
        message: format!("{key} was not edited, nothing was written, the draft is kept: {error}").into(),
    };
    let place = match discovery::resolve(&client, &key.group, &key.kind, timeout).await {
        Ok(place) => place,
        Err(error) => return failed(&error),
    };
    let object = place.object(&key.namespace, &key.name);
    let manager = escape(&field_manager(hub.user())).clone();
    let uri = format!("{object}?fieldManager={manager}");
    for _ in 0..SENDS {
        let fresh: Value = match request::get_json(&client, &object, timeout).await {
            Ok(fresh) => fresh,
            Err(error) => {
                return match error.class {
                    Class::NotFound => Outcome::Moved { message: format!("{key} is gone: nothing was written").into() },
                    Class::Forbidden => Outcome::Forbidden { message: error.message.into() },
                    _ => failed(&error.during("read it again")),
                };
            }
        };
        let patch = match bound(editing, &fresh) {
            Ok(patch) => patch,
            Err(message) => return Outcome::Moved { message: message.into() },
        };
        let version = text(&patch, "/metadata/resourceVersion");
        let names = (key.cluster.as_str(), &*key.kind, &*key.namespace, &*key.name);
        let mut attempt = Attempt::of(hub, names, "edit", version, &recorded(editing, &patch), &mut *audit);
        if let Err(error) = attempt.intend() {
            return unrecorded(&error);
        }
        let body = patch.to_string().into_bytes();
        let outcome = match request::write(&client, Method::PATCH, &uri, MERGE_PATCH, body, timeout).await {
            Ok(_) => done(editing),
            Err(error) => match error.class {
                Class::Conflict => {
                    // Looked at anew: by its status alone, or by somebody?
                    attempt.conclude("conflict", "the object changed meanwhile: nothing was written");
                    continue;
                }
                Class::Forbidden => Outcome::Forbidden { message: error.message.into() },
                Class::Unauthorized | Class::NotFound | Class::Invalid | Class::Busy | Class::Gone | Class::Config => {
                    failed(&error)
                }
                _ if !error.sent => failed(&error),
                _ => read_back(hub, editing, &place, version, &error).await,
            },
        };
        attempt.end(&outcome);
        return outcome;
    }
    let message =
        format!("{key} changed {SENDS} times while it was to be edited: nothing was written, the draft is kept");
    Outcome::Moved { message: message.into() }
}

fn done(editing: &Editing) -> Outcome {
    Outcome::Done { message: format!("edited {}", editing.key).into() }
}

/// Looks for what became of a patch that nobody answered; `sent` is the version that it was bound to.
async fn read_back(hub: &Hub, editing: &Editing, place: &Resolved, sent: &str, lost: &Error) -> Outcome {
    let key = &editing.key;
    let client = hub.member(&key.cluster);
    let object = place.object(&key.namespace, &key.name);
    let until = Instant::now() + READ_BACK;
    let mut known = "it cannot be read back";
    while Instant::now() < until {
        let left = until.saturating_duration_since(Instant::now()).min(READ_BACK_ONE);
        match request::get_json::<Value>(&client, &object, left).await {
            Ok(fresh) if text(&fresh, "/metadata/resourceVersion") != sent => {
                let has_status = editing.base.get("status").is_none();
                let now = held(fresh.clone(), has_status);
                let mut wanted = now.clone();
                apply_patch(&mut wanted, &editing.patch);
                return match bound(editing, &fresh) {
                    _ if wanted == now => done(editing),
                    // As it was, under a newer version: the patch, bound to the older one, can never land.
                    Ok(_) => Outcome::Failed {
                        message: format!("{key} was not edited, nothing was written, the draft is kept: {lost}").into(),
                    },
                    Err(message) => Outcome::Moved { message: message.into() },
                };
            }
            Ok(_) => known = "it has not taken effect so far",
            Err(error) if error.class == Class::NotFound => {
                return Outcome::Moved { message: format!("{key} is gone").into() };
            }
            Err(_) => {}
        }
        sleep(READ_BACK_EVERY).await;
    }
    Outcome::Unknown {
        message: format!("unknown whether {key} was edited ({lost}): {known}; the draft is kept").into(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::{key::ClusterId, resource::ResourceKey};

    fn editing(kind: &str) -> Editing {
        Editing {
            key: ResourceKey {
                cluster: ClusterId::named("foo"),
                group: "".into(),
                kind: kind.into(),
                namespace: "default".into(),
                name: "hello".into(),
            },
            base: json!({"kind": kind, "metadata": {"name": "hello", "uid": "u1", "resourceVersion": "7"}, "data": {"a": "1"}}),
            patch: json!({"data": {"a": "2", "b": null}}),
        }
    }

    fn fresh() -> Value {
        json!({
            "kind": "ConfigMap", "data": {"a": "1"}, "status": {"seen": 3},
            "metadata": {"name": "hello", "uid": "u1", "resourceVersion": "9", "generation": 2,
                "managedFields": [{"manager": "kubectl-edit", "time": "2026-11-23T10:41:07Z"}]},
        })
    }

    #[test]
    fn a_status_that_moved_on_does_not_stand_in_the_way() {
        let patch = bound(&editing("ConfigMap"), &fresh()).unwrap();
        assert_eq!(patch, json!({"data": {"a": "2", "b": null}, "metadata": {"resourceVersion": "9"}}));
    }

    #[test]
    fn of_two_writers_in_one_second_the_one_since_the_reading_is_told() {
        let entry = |manager: &str| json!({"manager": manager, "time": "2026-11-23T10:41:07Z"});
        for order in [["first", "second"], ["second", "first"]] {
            let mut editing = editing("ConfigMap");
            editing.base["metadata"]["managedFields"] = json!([entry("first")]);
            let mut fresh = fresh();
            fresh["data"]["a"] = json!("other");
            fresh["metadata"]["managedFields"] = json!(order.map(entry));
            let message = bound(&editing, &fresh).unwrap_err();
            assert!(message.contains("changed meanwhile by second at"), "{message}");
        }
    }

    #[test]
    fn what_somebody_changed_is_never_written_over() {
        for (pointer, value, word) in [
            ("/data/a", json!("other"), "changed meanwhile by kubectl-edit at"),
            ("/metadata/uid", json!("u2"), "made anew"),
        ] {
            let mut fresh = fresh();
            *fresh.pointer_mut(pointer).unwrap() = value;
            let message = bound(&editing("ConfigMap"), &fresh).unwrap_err();
            assert!(message.contains(word), "{message}");
        }
    }

    #[test]
    fn a_secrets_content_is_not_put_on_record() {
        let editing = editing("Secret");
        assert_eq!(recorded(&editing, &editing.patch), json!({"data": {"a": "(not recorded)", "b": null}}));
    }
}
