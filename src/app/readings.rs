//! What was read of the CPU and memory that pods use.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;

use crate::model::{
    key::{ClusterId, PodKey, Text},
    usage::Usage,
};

/// What is known of the use of pods.
#[derive(Debug, Default)]
pub struct Usages {
    pub(super) places: BTreeMap<(ClusterId, Text), Place>,
    /// Clusters of which it has been said why nothing is known.
    pub(super) said: BTreeSet<ClusterId>,
}

/// One namespace of a cluster.
#[derive(Debug)]
pub(super) struct Place {
    /// When to ask again.
    pub(super) due: Timestamp,
    /// When it was read last.
    pub(super) read_at: Timestamp,
    /// What its pods used then.
    pub(super) pods: HashMap<PodKey, Usage>,
}

impl Usages {
    /// What a pod uses, where that is known.
    pub fn of(&self, pod: &PodKey) -> Option<Usage> {
        self.places.get(&(pod.cluster.clone(), pod.namespace.clone()))?.pods.get(pod).copied()
    }
}
