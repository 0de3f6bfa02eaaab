//! Applying a manifest: POST where nothing is there, else the smallest merge patch, bound to what was read.

use http::Method;
use kube::Client;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::{
    Attempt, AuditSink, READ_BACK, READ_BACK_EVERY, SENDS, approve, collection, field_manager, text, unrecorded, uri,
};
use crate::{
    cluster::{
        error::{Class, Error},
        hub::Hub,
        request::{self, JSON, MERGE_PATCH, escape},
    },
    model::{
        action::{Applying, Outcome, Seen},
        apply::Manifest,
        key::AppKey,
    },
};

/// What is there of an application, and what a manifest would change of it; nothing is written.
pub async fn look(hub: &Hub, app: &AppKey, manifest: &Manifest) -> Result<(Option<Seen>, Option<Value>), Error> {
    let Some(object) = read(hub, app).await? else { return Ok((None, None)) };
    let seen = Seen {
        uid: text(&object, "/metadata/uid").into(),
        generation: generation(&object),
        resource_version: text(&object, "/metadata/resourceVersion").into(),
        patch: manifest.patch(&object),
    };
    Ok((Some(seen), Some(object)))
}

/// The application as it is now; `None` where there is none.
async fn read(hub: &Hub, app: &AppKey) -> Result<Option<Value>, Error> {
    match request::get_json(&hub.client(), &uri(app), hub.request_timeout()).await {
        Ok(object) => Ok(Some(object)),
        // The object, not the kind: that is said with the kind's name alone.
        Err(error) if error.class == Class::NotFound && error.message.contains(&format!("\"{}\"", app.name)) => {
            Ok(None)
        }
        Err(error) if error.class == Class::NotFound => Err(Error {
            message: format!("the hub {} serves no Applications: is KubeVela installed there?", hub.context()),
            ..error
        }),
        Err(error) => Err(error),
    }
}

pub(super) async fn apply(hub: &Hub, applying: &Applying, audit: AuditSink<'_>) -> Outcome {
    let how = if applying.dry_run { "&dryRun=All" } else { "" };
    let query = format!("?fieldManager={}&fieldValidation=Strict{how}", escape(&field_manager(hub.user())));
    let write = Write { hub, client: hub.client(), applying, query };
    match &applying.seen {
        None => write.create(audit).await,
        Some(Seen { patch: None, .. }) => write.done("is unchanged"),
        Some(seen) => write.change(seen, audit).await,
    }
}

struct Write<'a> {
    hub: &'a Hub,
    client: Client,
    applying: &'a Applying,
    query: String,
}

impl Write<'_> {
    fn app(&self) -> &AppKey {
        &self.applying.app
    }

    fn done(&self, what: &str) -> Outcome {
        let how = if self.applying.dry_run { " (the server's dry run: nothing was written)" } else { "" };
        Outcome::Done { message: format!("{} {what}{how}", self.app()).into() }
    }

    fn moved(&self, why: impl AsRef<str>) -> Outcome {
        Outcome::Moved { message: format!("{} {}: nothing was written", self.app(), why.as_ref()).into() }
    }

    fn failed(&self, error: &Error) -> Outcome {
        Outcome::Failed { message: format!("{} was not applied, nothing was written: {error}", self.app()).into() }
    }

    /// A send, on record unless it is a dry run, which writes nothing.
    fn attempt<'a>(&self, version: &str, body: &Value, audit: AuditSink<'a>) -> Result<Option<Attempt<'a>>, Outcome> {
        if self.applying.dry_run {
            return Ok(None);
        }
        let mut attempt = Attempt::new(self.hub, self.app(), "apply", version, body, audit);
        attempt.intend().map_err(|error| unrecorded(&error))?;
        Ok(Some(attempt))
    }

    async fn create(&self, audit: AuditSink<'_>) -> Outcome {
        let body = self.applying.manifest.object();
        let attempt = match self.attempt("", &body, audit) {
            Ok(attempt) => attempt,
            Err(outcome) => return outcome,
        };
        let uri = format!("{}{}", collection(&self.app().namespace), self.query);
        let timeout = self.hub.request_timeout();
        let sent = request::write(&self.client, Method::POST, &uri, JSON, body.to_string().into_bytes(), timeout).await;
        let outcome = match sent {
            Ok(_) => self.done("created"),
            Err(error) => match error.class {
                Class::Conflict => self.moved("was made meanwhile"),
                Class::Forbidden => Outcome::Forbidden { message: error.message.into() },
                _ if is_refusal(&error) || self.applying.dry_run => self.failed(&error),
                _ => self.read_back_created(&error).await,
            },
        };
        if let Some(attempt) = attempt {
            attempt.end(&outcome);
        }
        outcome
    }

    async fn change(&self, seen: &Seen, audit: AuditSink<'_>) -> Outcome {
        for _ in 0..SENDS {
            let object = match read(self.hub, self.app()).await {
                Ok(Some(object)) => object,
                Ok(None) => return self.moved("was deleted meanwhile"),
                Err(error) if error.class == Class::Forbidden => {
                    return Outcome::Forbidden { message: error.message.into() };
                }
                Err(error) => return self.failed(&error.during("read it again")),
            };
            let mut patch = match self.check(seen, &object) {
                Ok(Some(patch)) => patch,
                Ok(None) => return self.done("is unchanged"),
                Err(outcome) => return outcome,
            };
            let version = text(&object, "/metadata/resourceVersion");
            bind(&mut patch, version);
            let attempt = match self.attempt(version, &patch, &mut *audit) {
                Ok(attempt) => attempt,
                Err(outcome) => return outcome,
            };
            let uri = format!("{}{}", uri(self.app()), self.query);
            let timeout = self.hub.request_timeout();
            let body = patch.to_string().into_bytes();
            let sent = request::write(&self.client, Method::PATCH, &uri, MERGE_PATCH, body, timeout).await;
            let outcome = match sent {
                Ok(_) => self.done("configured"),
                Err(error) => match error.class {
                    Class::Conflict => {
                        if let Some(attempt) = attempt {
                            attempt.conclude("conflict", "the application changed meanwhile: nothing was written");
                        }
                        continue;
                    }
                    Class::Forbidden => Outcome::Forbidden { message: error.message.into() },
                    _ if is_refusal(&error) || self.applying.dry_run => self.failed(&error),
                    _ => self.read_back_changed(seen, version, &error).await,
                },
            };
            if let Some(attempt) = attempt {
                attempt.end(&outcome);
            }
            return outcome;
        }
        self.moved(format!("changed {SENDS} times while it was to be applied"))
    }

    /// Holds what was confirmed against what is there: the patch still needed, or why nothing is to be sent.
    fn check(&self, seen: &Seen, object: &Value) -> Result<Option<Value>, Outcome> {
        let by = approve::by_spec_writer(object);
        if text(object, "/metadata/uid") != &*seen.uid {
            return Err(self.moved("was deleted and made anew meanwhile"));
        }
        if !text(object, "/metadata/deletionTimestamp").is_empty() {
            return Err(self.moved("is being deleted"));
        }
        if generation(object) != seen.generation {
            return Err(self.moved(format!("was changed meanwhile{by}")));
        }
        let patch = self.applying.manifest.patch(object);
        // Labels and annotations change without a new generation.
        if patch.is_some() && patch != seen.patch {
            return Err(self.moved(format!("was changed meanwhile{by}")));
        }
        Ok(patch)
    }

    /// Looks for what became of a creation that nobody answered.
    async fn read_back_created(&self, lost: &Error) -> Outcome {
        let until = Instant::now() + READ_BACK;
        let mut known = "it cannot be read back";
        while Instant::now() < until {
            match self.reread(until).await {
                Ok(Some(object)) => {
                    let manager = field_manager(self.hub.user());
                    let is_ours = approve::last_spec_writer(&object).is_some_and(|writer| *writer.manager == *manager);
                    return if is_ours { self.done("created") } else { self.moved("was made meanwhile") };
                }
                Ok(None) => known = "it has not appeared so far",
                Err(_) => {}
            }
            sleep(READ_BACK_EVERY).await;
        }
        self.unknown(lost, known)
    }

    /// Looks for what became of a patch that nobody answered; `sent` is the version that it was bound to.
    async fn read_back_changed(&self, seen: &Seen, sent: &str, lost: &Error) -> Outcome {
        let until = Instant::now() + READ_BACK;
        let mut known = "it cannot be read back";
        while Instant::now() < until {
            match self.reread(until).await {
                Ok(None) => return self.moved("was deleted meanwhile"),
                Ok(Some(object)) if text(&object, "/metadata/resourceVersion") != sent => {
                    return match self.check(seen, &object) {
                        // The patch, bound to an older version, can never land.
                        Ok(Some(_)) => self.failed(lost),
                        Ok(None) => self.done("configured"),
                        Err(_) if self.applying.manifest.patch(&object).is_none() => self.done("configured"),
                        Err(outcome) => outcome,
                    };
                }
                Ok(Some(_)) => known = "it has not taken effect so far",
                Err(_) => {}
            }
            sleep(READ_BACK_EVERY).await;
        }
        self.unknown(lost, known)
    }

    async fn reread(&self, until: Instant) -> Result<Option<Value>, Error> {
        let left = until.saturating_duration_since(Instant::now()).min(super::READ_BACK_ONE);
        request::within(left, read(self.hub, self.app())).await
    }

    fn unknown(&self, lost: &Error, known: &str) -> Outcome {
        Outcome::Unknown { message: format!("unknown whether {} was applied ({lost}): {known}", self.app()).into() }
    }
}

/// Whether a failure proves that nothing was written.
fn is_refusal(error: &Error) -> bool {
    !error.sent
        || matches!(
            error.class,
            Class::Unauthorized | Class::NotFound | Class::Invalid | Class::Busy | Class::Gone | Class::Config
        )
}

fn generation(object: &Value) -> i64 {
    object.pointer("/metadata/generation").and_then(Value::as_i64).unwrap_or_default()
}

/// Binds a patch to the version it was made of: the server refuses it for any other.
pub(super) fn bind(patch: &mut Value, version: &str) {
    if let Some(patch) = patch.as_object_mut() {
        let metadata = patch.entry("metadata").or_insert_with(|| Value::Object(serde_json::Map::new()));
        if let Some(metadata) = metadata.as_object_mut() {
            metadata.insert("resourceVersion".to_owned(), version.into());
        }
    }
}
