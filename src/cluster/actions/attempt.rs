//! What of a send goes into the audit.

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    io,
};

use jiff::Timestamp;
use serde_json::Value;

use super::AuditSink;
use crate::{
    cluster::hub::Hub,
    model::{
        action::Outcome,
        audit::{AuditLine, AuditPhase},
        key::{AppKey, LOCAL},
    },
};

/// The two lines of one send.
pub(super) struct Attempt<'a> {
    line: AuditLine,
    audit: AuditSink<'a>,
}

impl<'a> Attempt<'a> {
    /// Of `verb` on an application, as [`Attempt::of`] has it.
    pub(super) fn new(hub: &Hub, app: &AppKey, verb: &str, version: &str, body: &Value, audit: AuditSink<'a>) -> Self {
        Self::of(hub, (LOCAL, "Application", &app.namespace, &app.name), verb, version, body, audit)
    }

    /// Of `verb` on an object (cluster, kind, namespace, name); `body` is what is sent, `version` the `metadata.resourceVersion` it holds to.
    pub(super) fn of(
        hub: &Hub,
        (cluster, kind, namespace, name): (&str, &str, &str, &str),
        verb: &str,
        version: &str,
        body: &Value,
        audit: AuditSink<'a>,
    ) -> Self {
        let line = AuditLine {
            id: format!("{:016x}", RandomState::new().build_hasher().finish()),
            time: Timestamp::now(),
            phase: AuditPhase::Intent,
            user: hub.user().to_owned(),
            hub: format!("{} ({})", hub.context(), hub.server()),
            cluster: cluster.to_owned(),
            kind: kind.to_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            verb: verb.to_owned(),
            resource_version: version.to_owned(),
            patch: body.clone(),
            outcome: None,
            message: None,
        };
        Self { line, audit }
    }

    /// The line before the request; an error keeps it from being sent.
    pub(super) fn intend(&mut self) -> io::Result<()> {
        (self.audit)(self.line.clone())
    }

    /// The line after it.
    pub(super) fn end(self, outcome: &Outcome) {
        let word = match outcome {
            Outcome::Done { .. } => "done",
            Outcome::Moved { .. } => "moved",
            Outcome::Forbidden { .. } => "forbidden",
            Outcome::Failed { .. } | Outcome::Panicked { .. } => "failed",
            Outcome::Unknown { .. } => "unknown",
        };
        self.conclude(word, outcome.message());
    }

    /// The line after it, in a word and a sentence.
    pub(super) fn conclude(mut self, word: &str, message: &str) {
        self.line.time = Timestamp::now();
        self.line.phase = AuditPhase::Outcome;
        self.line.outcome = Some(word.to_owned());
        self.line.message = Some(message.to_owned());
        // The write has been made or not; an intent without an outcome reads as unknown, which is then true.
        if let Err(error) = (self.audit)(self.line) {
            tracing::error!(%error, "the outcome could not be written to the audit");
        }
    }
}
