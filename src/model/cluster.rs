//! Joined clusters and the links to them.

use std::time::Duration;

use jiff::Timestamp;

use super::key::{ClusterId, Text};

/// A cluster as `virtualclusters` tells of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Cluster {
    /// Name; `local` is the hub.
    pub id: ClusterId,
    /// `spec.alias`; may be empty.
    pub alias: Text,
    /// `spec.credential-type`: `Internal`, `X509Certificate`, `ServiceAccountToken`, …
    pub kind: Text,
    /// `spec.endpoint`.
    pub endpoint: Text,
    /// `spec.accepted`.
    pub accepted: bool,
    /// Labels, without KubeVela's own.
    pub labels: Vec<(Text, Text)>,
    /// Git version of its API server, as last asked (`/version`); empty when not known yet.
    pub version: Text,
}

/// How the link to a cluster stands.
#[derive(Clone, Debug, PartialEq)]
pub enum LinkState {
    /// No answer yet.
    Connecting {
        /// Since when it is tried.
        since: Timestamp,
    },
    /// Answers.
    Live {
        /// Round trip of the last probe.
        latency: Duration,
        /// When the probe answered.
        at: Timestamp,
    },
    /// Answers probes, but something asked of it fails ("list pods: 429 too many requests").
    Degraded {
        /// Round trip of the last probe.
        latency: Duration,
        /// Since when.
        since: Timestamp,
        /// What fails.
        reason: Text,
    },
    /// Answers, but refuses what lateen asks; `reason` names verb and resource.
    Forbidden {
        /// Since when.
        since: Timestamp,
        /// The refusal, with verb and resource.
        reason: Text,
    },
    /// Does not answer.
    Unreachable {
        /// Since when: the first failed probe after the last answer.
        since: Timestamp,
        /// Last time it answered, if ever.
        last_seen: Option<Timestamp>,
        /// When it is tried next.
        next_try: Timestamp,
        /// Why, in one sentence.
        reason: Text,
    },
}

impl LinkState {
    /// Whether what is shown of this cluster can be taken as current.
    pub fn is_current(&self) -> bool {
        matches!(self, Self::Live { .. } | Self::Degraded { .. })
    }
}
