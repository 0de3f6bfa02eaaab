//! A shell in a container.

use super::key::{PodKey, Text};

/// Where a shell is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShellRequest {
    /// The pod.
    pub pod: PodKey,
    /// The container; empty: the pod's default one.
    pub container: Text,
}
