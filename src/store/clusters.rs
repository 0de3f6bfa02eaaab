//! What is known of a cluster beside its rows: the link, how many pods, since when it is stale.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;

use crate::model::{
    cluster::{Cluster, LinkState},
    key::ClusterId,
};

use super::claims::Claims;

/// A cluster that was told of: joined, probed, or holding pods.
#[derive(Clone, Debug, PartialEq)]
pub struct ClusterEntry {
    /// Its name.
    pub id: ClusterId,
    /// Its row; absent where the hub does not serve `virtualclusters`.
    pub row: Option<Cluster>,
    /// How the link stands; absent when nobody asked.
    pub link: Option<LinkState>,
    /// Pods known there.
    pub pods: usize,
    /// Since when what is shown of it is old: the last time it answered, while it does not.
    pub stale_since: Option<Timestamp>,
    pub(super) claims: Claims,
}

impl ClusterEntry {
    pub(super) fn slot<'a>(all: &'a mut BTreeMap<ClusterId, Self>, id: &ClusterId) -> &'a mut Self {
        all.entry(id.clone()).or_insert_with(|| Self {
            id: id.clone(),
            row: None,
            link: None,
            pods: 0,
            stale_since: None,
            claims: Claims::default(),
        })
    }

    /// Drops an entry that nothing speaks of any more.
    pub(super) fn prune(all: &mut BTreeMap<ClusterId, Self>, id: &ClusterId) {
        if all.get(id).is_some_and(|entry| entry.row.is_none() && entry.link.is_none() && entry.pods == 0) {
            all.remove(id);
        }
    }

    /// Takes a link state; says whether it shows, and whether it changes how applications there stand. A latency
    /// that moved by less than a quarter does not show, and is kept as it was so that it cannot creep unseen.
    pub(super) fn take_link(&mut self, mut state: LinkState) -> (bool, bool) {
        let mut shown = true;
        if let (
            Some(LinkState::Live { latency: old, .. } | LinkState::Degraded { latency: old, .. }),
            LinkState::Live { latency, .. } | LinkState::Degraded { latency, .. },
        ) = (&self.link, &mut state)
            && is_near(*old, *latency)
        {
            *latency = *old;
            shown = !differs_in_time_alone(self.link.as_ref(), &state);
        }
        let judged = match (&self.link, &state) {
            (Some(LinkState::Unreachable { reason: old, .. }), LinkState::Unreachable { reason, .. }) => old != reason,
            (Some(LinkState::Unreachable { .. }), _) | (_, LinkState::Unreachable { .. }) => true,
            _ => false,
        };
        self.stale_since = match &state {
            LinkState::Unreachable { since, last_seen, .. } => Some(last_seen.unwrap_or(*since)),
            _ => None,
        };
        let shown = shown && self.link.as_ref() != Some(&state);
        self.link = Some(state);
        (shown, judged)
    }
}

fn is_near(old: Duration, new: Duration) -> bool {
    old.abs_diff(new) * 4 <= old
}

/// Whether two states differ in nothing but the time of the last probe.
fn differs_in_time_alone(old: Option<&LinkState>, new: &LinkState) -> bool {
    match (old, new) {
        (Some(LinkState::Live { latency: old, .. }), LinkState::Live { latency: new, .. }) => old == new,
        (Some(old), new) => old == new,
        _ => false,
    }
}
