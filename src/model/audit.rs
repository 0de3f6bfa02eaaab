//! Lines of the audit: what was about to be tried, and what came of it.

use jiff::Timestamp;
use serde::Serialize;

/// Half of an attempt. Two lines share an `id`: the intent, written before the request, and the outcome. An intent
/// without an outcome means that nobody knows.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AuditLine {
    /// Names the attempt.
    pub id: String,
    /// When the line was made.
    pub time: Timestamp,
    /// Which half.
    pub phase: AuditPhase,
    /// The user in the kubeconfig, or the impersonated one.
    pub user: String,
    /// The hub: the context's name and its server's URL.
    pub hub: String,
    /// The cluster written to; `local` is the hub.
    pub cluster: String,
    /// Kind of the object.
    pub kind: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// What was asked for in the operator's words: `approve`.
    pub verb: String,
    /// `metadata.resourceVersion` that the write holds to.
    pub resource_version: String,
    /// The exact body sent.
    pub patch: serde_json::Value,
    /// What came of it, in the outcome's line: `done`, `moved`, `forbidden`, `failed` or `unknown`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// The outcome's sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// Which half of an attempt a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AuditPhase {
    /// Before the request.
    Intent,
    /// After it.
    Outcome,
}
