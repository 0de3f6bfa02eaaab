//! The channel from the watch tasks to the loop: bounded by merging, so that no producer ever waits for the screen.
//!
//! What is pending is at most one delta a row, and one of each kind a scope or cluster: a newer word about the same
//! thing replaces the older one. Within a scope rows keep their place before the [`Delta::Synced`] that counts them.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

use crate::model::{
    delta::{Delta, Scope},
    key::{ClusterId, RowKey, Text},
};

/// Notices that wait at most; more are dropped, oldest first.
const NOTICES: usize = 64;

/// Makes a pair of ends.
pub fn channel() -> (Feed, FeedReader) {
    let shared = Arc::new(Shared::default());
    let alive = Arc::new(Alive(Arc::clone(&shared)));
    (Feed { shared: Arc::clone(&shared), _alive: alive }, FeedReader { shared })
}

/// The producers' end; cheap to clone.
#[derive(Clone)]
pub struct Feed {
    shared: Arc<Shared>,
    _alive: Arc<Alive>,
}

/// The loop's end.
pub struct FeedReader {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    pending: Mutex<Pending>,
    changed: Notify,
}

/// Tells the reader when the last producer is gone.
struct Alive(Arc<Shared>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.lock().closed = true;
        self.0.changed.notify_one();
    }
}

#[derive(Default)]
struct Pending {
    next: u64,
    queue: BTreeMap<u64, (Slot, Delta)>,
    places: HashMap<Slot, u64>,
    notices: usize,
    closed: bool,
}

/// What a delta is about: two deltas of one slot merge.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Slot {
    Row(Scope, RowKey),
    Synced(Scope),
    Asked(Scope),
    Dropped(Scope),
    Link(ClusterId),
    Notice(Text),
}

impl Shared {
    /// A producer that panicked while holding the lock left whole entries behind, so going on is right.
    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Feed {
    /// Puts a change in, or merges it with what waits. Never blocks on the reader.
    pub fn send(&self, delta: Delta) {
        self.send_all([delta]);
    }

    /// Puts several in, in order, as one.
    pub fn send_all(&self, deltas: impl IntoIterator<Item = Delta>) {
        {
            let mut pending = self.shared.lock();
            for delta in deltas {
                pending.put(delta);
            }
        }
        self.shared.changed.notify_one();
    }
}

impl FeedReader {
    /// Waits until something is pending; false when nothing is and every producer is gone. Safe to cancel.
    pub async fn changed(&mut self) -> bool {
        loop {
            {
                let pending = self.shared.lock();
                if !pending.queue.is_empty() {
                    return true;
                }
                if pending.closed {
                    return false;
                }
            }
            self.shared.changed.notified().await;
        }
    }

    /// Takes at most `max` changes, in order.
    pub fn take(&mut self, max: usize) -> Vec<Delta> {
        let mut pending = self.shared.lock();
        let mut taken = Vec::with_capacity(max.min(pending.queue.len()));
        while taken.len() < max {
            let Some((_, (slot, delta))) = pending.queue.pop_first() else { break };
            pending.places.remove(&slot);
            if matches!(slot, Slot::Notice(_)) {
                pending.notices -= 1;
            }
            taken.push(delta);
        }
        if pending.queue.is_empty() {
            // A flood's space is not kept for the quiet hours after it.
            pending.places.shrink_to(1024);
        }
        taken
    }

    /// How many changes wait.
    pub fn len(&self) -> usize {
        self.shared.lock().queue.len()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Pending {
    fn put(&mut self, delta: Delta) {
        let slot = match &delta {
            Delta::Upsert { scope, row, .. } => Slot::Row(scope.clone(), row.key()),
            Delta::Remove { scope, key } => Slot::Row(scope.clone(), key.clone()),
            Delta::Synced { scope, .. } => Slot::Synced(scope.clone()),
            Delta::Asked { scope, .. } => Slot::Asked(scope.clone()),
            Delta::Dropped { scope } => Slot::Dropped(scope.clone()),
            Delta::Link { cluster, .. } => Slot::Link(cluster.clone()),
            Delta::Notice(text) => Slot::Notice(Arc::clone(text)),
        };
        match slot {
            // A row keeps its place: it is never moved behind the `Synced` that counts it.
            Slot::Row(..) | Slot::Link(_) => {
                if let Some(place) = self.places.get(&slot)
                    && let Some(entry) = self.queue.get_mut(place)
                {
                    entry.1 = delta;
                    return;
                }
            }
            // A scope's own words move behind the rows that have come since.
            Slot::Synced(_) | Slot::Asked(_) => self.remove(&slot),
            // What a scope said before it was dropped is not worth telling.
            Slot::Dropped(ref scope) => {
                let stale: Vec<u64> = self
                    .queue
                    .iter()
                    .filter(|(_, (slot, _))| slot.scope() == Some(scope))
                    .map(|(place, _)| *place)
                    .collect();
                for place in stale {
                    if let Some((slot, _)) = self.queue.remove(&place) {
                        self.places.remove(&slot);
                    }
                }
            }
            Slot::Notice(_) => {
                if self.places.contains_key(&slot) || self.notices == NOTICES {
                    return;
                }
                self.notices += 1;
            }
        }
        let place = self.next;
        self.next += 1;
        self.places.insert(slot.clone(), place);
        self.queue.insert(place, (slot, delta));
    }

    fn remove(&mut self, slot: &Slot) {
        if let Some(place) = self.places.remove(slot) {
            self.queue.remove(&place);
        }
    }
}

impl Slot {
    fn scope(&self) -> Option<&Scope> {
        match self {
            Self::Row(scope, _) | Self::Synced(scope) | Self::Asked(scope) | Self::Dropped(scope) => Some(scope),
            Self::Link(_) | Self::Notice(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        cluster::Cluster,
        delta::{Query, Row, ScopeState},
    };

    fn scope() -> Scope {
        Scope { cluster: ClusterId::local(), query: Query::Clusters }
    }

    fn upsert(name: &str, epoch: u64, alias: &str) -> Delta {
        let row = Row::Cluster(Box::new(Cluster {
            id: ClusterId::named(name),
            alias: alias.into(),
            kind: "X509Certificate".into(),
            endpoint: "".into(),
            accepted: true,
            labels: Vec::new(),
            version: "".into(),
        }));
        Delta::Upsert { scope: scope(), epoch, row }
    }

    #[test]
    fn the_latest_word_wins_and_keeps_its_place_before_synced() {
        let (feed, mut reader) = channel();
        feed.send(upsert("foo", 1, "old"));
        feed.send(Delta::Synced { scope: scope(), epoch: 1 });
        feed.send(upsert("foo", 1, "new"));
        feed.send(upsert("bar", 1, ""));
        let taken = reader.take(10);
        assert_eq!(taken, [upsert("foo", 1, "new"), Delta::Synced { scope: scope(), epoch: 1 }, upsert("bar", 1, "")]);
        assert!(reader.is_empty());
    }

    #[test]
    fn a_later_list_moves_its_end_behind_its_rows() {
        let (feed, mut reader) = channel();
        feed.send(Delta::Synced { scope: scope(), epoch: 1 });
        feed.send(upsert("foo", 2, ""));
        feed.send(Delta::Synced { scope: scope(), epoch: 2 });
        assert_eq!(reader.take(10), [upsert("foo", 2, ""), Delta::Synced { scope: scope(), epoch: 2 }]);
    }

    #[test]
    fn what_is_pending_is_bounded_by_what_it_is_about() {
        let (feed, mut reader) = channel();
        for epoch in 0..10_000 {
            feed.send(upsert("foo", epoch, ""));
            feed.send(Delta::Asked { scope: scope(), state: ScopeState::Loading(epoch as usize) });
            feed.send(Delta::Notice(format!("notice {epoch}").into()));
        }
        assert_eq!(reader.len(), 2 + NOTICES);
        feed.send(Delta::Dropped { scope: scope() });
        assert_eq!(reader.len(), 1 + NOTICES);
        assert_eq!(reader.take(1_000).last(), Some(&Delta::Dropped { scope: scope() }));
    }

    #[tokio::test]
    async fn the_reader_learns_that_nobody_is_left() {
        let (feed, mut reader) = channel();
        let other = feed.clone();
        drop(feed);
        other.send(upsert("foo", 1, ""));
        drop(other);
        assert!(reader.changed().await);
        assert_eq!(reader.take(10).len(), 1);
        assert!(!reader.changed().await);
    }
}
