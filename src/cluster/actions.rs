//! Every write: read fresh, hold what was on screen against it, write with that resourceVersion, say what came of it.
//!
//! Nothing is ever sent again blindly. On a conflict the object is read and checked anew, three times at most; when the
//! connection is lost after sending, the object is read back until it tells, and else the outcome is unknown.

use std::{io, time::Duration};

use http::Method;
use kube::Client;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::{
    error::{Class, Error},
    hub::Hub,
    request::{self, MERGE_PATCH, escape},
};
use crate::model::{
    action::{Action, Approval, Outcome},
    audit::AuditLine,
    key::AppKey,
};

mod apply;
mod approve;
mod attempt;
mod delete;
mod edit;
mod join;
mod object;
mod review;

pub use apply::look;
use attempt::Attempt;
pub use delete::finalizers;
pub(super) use edit::bound;
pub use join::{Joining, detach, join};
pub use object::prepare;
pub use review::review;

/// Sends after conflicts, the first one included.
const SENDS: usize = 3;
/// How long a write without an answer is looked for.
const READ_BACK: Duration = Duration::from_secs(10);
/// Between two looks.
const READ_BACK_EVERY: Duration = Duration::from_millis(500);
/// Time for one look.
const READ_BACK_ONE: Duration = Duration::from_secs(3);
/// The API's limit for a field manager's name.
const MANAGER: usize = 128;

/// Where lines of the audit go. A line of phase intent must be on the disk when the call returns; an error keeps the
/// request from being sent.
pub type AuditSink<'a> = &'a mut (dyn FnMut(AuditLine) -> io::Result<()> + Send);

/// Performs a write.
pub async fn perform(hub: &Hub, action: &Action, audit: AuditSink<'_>) -> Outcome {
    match action {
        Action::Approve(approval) => approve(hub, approval, audit).await,
        Action::Apply(applying) => apply::apply(hub, applying, audit).await,
        Action::Edit(editing) => edit::edit(hub, editing, audit).await,
        Action::Delete(deletion) => delete::delete(hub, deletion, audit).await,
        Action::Object(write) => object::write(hub, write, audit).await,
    }
}

/// The name under which writes appear in `metadata.managedFields`: `lateen-<user>`.
pub fn field_manager(user: &str) -> String {
    let mut manager = String::from("lateen-");
    manager.extend(user.chars().filter(char::is_ascii_graphic).take(MANAGER - manager.len()));
    manager
}

/// The applications of a namespace.
fn collection(namespace: &str) -> String {
    format!("/apis/core.oam.dev/v1beta1/namespaces/{}/applications", escape(namespace))
}

/// One application.
fn uri(app: &AppKey) -> String {
    format!("{}/{}", collection(&app.namespace), escape(&app.name))
}

/// A text of an object, empty where there is none.
fn text<'v>(object: &'v Value, pointer: &str) -> &'v str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The outcome of an intent that could not be put on record.
fn unrecorded(error: &io::Error) -> Outcome {
    Outcome::Failed { message: format!("nothing was sent: the audit cannot be written: {error}").into() }
}

async fn approve(hub: &Hub, approval: &Approval, audit: AuditSink<'_>) -> Outcome {
    let client = hub.client();
    let manager = field_manager(hub.user());
    let object = uri(&approval.app);
    let status = format!("{object}/status?fieldManager={}", escape(&manager));
    for send in 1..=SENDS {
        let app: Value = match request::get_json(&client, &object, hub.request_timeout()).await {
            Ok(app) => app,
            Err(error) => return unread(approval, error),
        };
        let patch = match approve::patch(&app, approval) {
            Ok(patch) => patch,
            Err(message) => return Outcome::Moved { message: message.into() },
        };
        let version = text(&patch, "/metadata/resourceVersion");
        let mut attempt = Attempt::new(hub, &approval.app, "approve", version, &patch, &mut *audit);
        if let Err(error) = attempt.intend() {
            return unrecorded(&error);
        }
        let body = patch.to_string().into_bytes();
        let answer = request::write(&client, Method::PATCH, &status, MERGE_PATCH, body, hub.request_timeout()).await;
        let outcome = match answer {
            Ok(_) => done(approval),
            Err(error) => match error.class {
                Class::Conflict => {
                    attempt.conclude("conflict", "the application changed meanwhile: nothing was written");
                    if send == SENDS {
                        break;
                    }
                    continue;
                }
                Class::Forbidden => Outcome::Forbidden { message: error.message.into() },
                Class::Unauthorized | Class::NotFound | Class::Invalid | Class::Busy | Class::Gone | Class::Config => {
                    failed(approval, &error)
                }
                _ if !error.sent => failed(approval, &error),
                _ => read_back(&client, &object, approval, &patch, &manager, &error).await,
            },
        };
        attempt.end(&outcome);
        return outcome;
    }
    let message =
        format!("{} changed {SENDS} times while it was to be approved: nothing was written, look again", approval.app);
    Outcome::Moved { message: message.into() }
}

fn done(approval: &Approval) -> Outcome {
    let names: Vec<&str> = approval.steps.iter().map(|step| &*step.name).filter(|name| !name.is_empty()).collect();
    let message = if names.is_empty() {
        format!("resumed {}", approval.app)
    } else {
        format!("approved {} of {}", names.join(", "), approval.app)
    };
    Outcome::Done { message: message.into() }
}

fn failed(approval: &Approval, error: &Error) -> Outcome {
    Outcome::Failed { message: format!("{} was not approved, nothing was written: {error}", approval.app).into() }
}

/// The outcome when not even the fresh read came through.
fn unread(approval: &Approval, error: Error) -> Outcome {
    match error.class {
        Class::NotFound => Outcome::Moved { message: format!("{} is gone", approval.app).into() },
        Class::Forbidden => Outcome::Forbidden { message: error.message.into() },
        _ => failed(approval, &error.during("read it again")),
    }
}

/// Looks for what became of a write that nobody answered.
async fn read_back(
    client: &Client,
    object: &str,
    approval: &Approval,
    patch: &Value,
    manager: &str,
    lost: &Error,
) -> Outcome {
    let sent_version = patch.pointer("/metadata/resourceVersion").and_then(Value::as_str).unwrap_or_default();
    let until = Instant::now() + READ_BACK;
    let mut seen = false;
    while Instant::now() < until {
        let left = until.saturating_duration_since(Instant::now());
        let app = match request::get_json::<Value>(client, object, left.min(READ_BACK_ONE)).await {
            Ok(app) => app,
            Err(error) if error.class == Class::NotFound => {
                return Outcome::Moved { message: format!("{} is gone", approval.app).into() };
            }
            Err(_) => {
                sleep(READ_BACK_EVERY).await;
                continue;
            }
        };
        seen = true;
        let version = app.pointer("/metadata/resourceVersion").and_then(Value::as_str).unwrap_or_default();
        if version != sent_version {
            return match approve::patch(&app, approval) {
                // It waits as before under a newer version: the write, bound to the older one, can never land.
                Ok(_) => failed(approval, lost),
                Err(message) => match approve::last_status_writer(&app) {
                    Some(writer) if &*writer.manager == manager => done(approval),
                    _ => Outcome::Moved { message: message.into() },
                },
            };
        }
        sleep(READ_BACK_EVERY).await;
    }
    let known = if seen { "it has not taken effect so far" } else { "it cannot be read back" };
    let message = format!("unknown whether {} was approved ({lost}): {known}", approval.app);
    Outcome::Unknown { message: message.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_managers_name_is_what_the_api_takes() {
        assert_eq!(field_manager("mei"), "lateen-mei");
        assert_eq!(field_manager("Mei Lin\n"), "lateen-MeiLin");
        assert_eq!(field_manager(&"x".repeat(500)).len(), MANAGER);
    }
}
