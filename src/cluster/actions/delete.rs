//! Deleting an application: of the very object that was on screen, by its uid.

use http::Method;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::{Attempt, AuditSink, READ_BACK, READ_BACK_EVERY, READ_BACK_ONE, text, unrecorded, uri};
use crate::{
    cluster::{
        error::{Class, Error},
        hub::Hub,
        request::{self, JSON},
    },
    model::{
        action::{Deletion, Outcome},
        key::AppKey,
    },
};

/// The finalizers that hold an application that is being deleted; none where it is gone.
pub async fn finalizers(hub: &Hub, app: &AppKey) -> Result<Vec<String>, Error> {
    match request::get_json::<Value>(&hub.client(), &uri(app), hub.request_timeout()).await {
        Ok(object) => {
            let all = object.pointer("/metadata/finalizers").and_then(Value::as_array).into_iter().flatten();
            Ok(all.filter_map(Value::as_str).map(str::to_owned).collect())
        }
        Err(error) if error.class == Class::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

pub(super) async fn delete(hub: &Hub, deletion: &Deletion, audit: AuditSink<'_>) -> Outcome {
    let app = &deletion.app;
    let client = hub.client();
    let moved = |why: &str| Outcome::Moved { message: format!("{app} {why}: nothing was written").into() };
    let failed = |error: &Error| Outcome::Failed {
        message: format!("{app} was not deleted, nothing was written: {error}").into(),
    };
    let object: Value = match request::get_json(&client, &uri(app), hub.request_timeout()).await {
        Ok(object) => object,
        Err(error) => {
            return match error.class {
                Class::NotFound => moved("is gone already"),
                Class::Forbidden => Outcome::Forbidden { message: error.message.into() },
                _ => failed(&error.during("read it again")),
            };
        }
    };
    if text(&object, "/metadata/uid") != &*deletion.uid {
        return moved("was deleted and made anew meanwhile");
    }
    if !text(&object, "/metadata/deletionTimestamp").is_empty() {
        return Outcome::Done { message: format!("{app} is being deleted already").into() };
    }
    let body = json!({
        "apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": &*deletion.uid},
    });
    let mut attempt = Attempt::new(hub, app, "delete", text(&object, "/metadata/resourceVersion"), &body, audit);
    if let Err(error) = attempt.intend() {
        return unrecorded(&error);
    }
    let body = body.to_string().into_bytes();
    let sent = request::write(&client, Method::DELETE, &uri(app), JSON, body, hub.request_timeout()).await;
    let outcome = match sent {
        Ok(answer) => {
            let answer: Value = serde_json::from_slice(&answer).unwrap_or_default();
            done(app, text(&answer, "/metadata/deletionTimestamp").is_empty())
        }
        Err(error) => match error.class {
            Class::NotFound => done(app, true),
            Class::Conflict => moved("was deleted and made anew meanwhile"),
            Class::Forbidden => Outcome::Forbidden { message: error.message.into() },
            Class::Unauthorized | Class::Invalid | Class::Busy | Class::Gone | Class::Config => failed(&error),
            _ if !error.sent => failed(&error),
            _ => read_back(hub, deletion, &error).await,
        },
    };
    attempt.end(&outcome);
    outcome
}

fn done(app: &AppKey, gone: bool) -> Outcome {
    let message = if gone { format!("{app} deleted") } else { format!("{app} is being deleted") };
    Outcome::Done { message: message.into() }
}

/// Looks for what became of a deletion that nobody answered.
async fn read_back(hub: &Hub, deletion: &Deletion, lost: &Error) -> Outcome {
    let (app, client) = (&deletion.app, hub.client());
    let until = Instant::now() + READ_BACK;
    let mut known = "it cannot be read back";
    while Instant::now() < until {
        let left = until.saturating_duration_since(Instant::now()).min(READ_BACK_ONE);
        match request::get_json::<Value>(&client, &uri(app), left).await {
            Ok(object) if text(&object, "/metadata/uid") != &*deletion.uid => return done(app, true),
            Ok(object) if !text(&object, "/metadata/deletionTimestamp").is_empty() => return done(app, false),
            Ok(_) => known = "it is still there",
            Err(error) if error.class == Class::NotFound => return done(app, true),
            Err(_) => {}
        }
        sleep(READ_BACK_EVERY).await;
    }
    Outcome::Unknown { message: format!("unknown whether {app} was deleted ({lost}): {known}").into() }
}
