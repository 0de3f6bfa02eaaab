//! Port-forwards: what can be reached, and how an open one stands.

use super::key::{ClusterId, Text};

/// Something with a port that a forward can reach: a row of the picker.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ForwardTarget {
    /// The cluster.
    pub cluster: ClusterId,
    /// Namespace there.
    pub namespace: Text,
    /// Services first, as they survive their pods.
    pub kind: TargetKind,
    /// Name of the service or pod.
    pub name: Text,
    /// The port as the target names it: the service's port, or the container's.
    pub port: u16,
    /// Name of the port; may be empty.
    pub port_name: Text,
    /// The component it belongs to; may be empty.
    pub component: Text,
}

/// Kinds that a forward can target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TargetKind {
    /// A Service: a ready pod behind it is taken.
    Service,
    /// A pod.
    Pod,
}

impl TargetKind {
    /// The kind's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Service => "Service",
            Self::Pod => "Pod",
        }
    }
}

/// The local port that is tried first for a target's port: 80 → 8080, 443 → 8443, else the same.
pub fn preferred_local_port(port: u16) -> u16 {
    match port {
        80 => 8080,
        443 => 8443,
        other => other,
    }
}

/// How an open forward stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ForwardState {
    /// Looking for a ready pod.
    Connecting,
    /// Listening, and a pod is known.
    Active {
        /// The local address, for instance `127.0.0.1:8080`.
        local: Text,
        /// The pod that connections go to now.
        pod: Text,
    },
    /// The pod is gone or the cluster does not answer: tried again, the port is kept.
    Reconnecting {
        /// The local address.
        local: Text,
        /// Why.
        reason: Text,
    },
    /// Over: why.
    Failed {
        /// Why.
        reason: Text,
    },
    /// Stopped by the operator.
    Stopped,
}

/// What went through a forward since it was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ForwardTraffic {
    /// Connections open now.
    pub open: u64,
    /// Connections accepted.
    pub total: u64,
    /// Connections that found no pod, were refused by it, or broke.
    pub failed: u64,
    /// Bytes to the pod.
    pub sent: u64,
    /// Bytes from the pod.
    pub received: u64,
    /// How often another pod was taken, or the same one found again.
    pub reconnects: u64,
    /// Why the newest connection that failed did.
    pub last_error: Option<Text>,
}

/// What an open forward tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ForwardNews {
    /// It stands otherwise.
    State(ForwardState),
    /// Something went through it.
    Traffic(ForwardTraffic),
}
