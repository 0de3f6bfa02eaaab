//! The events that are looked at: rows in, folds out, in bounded number and bytes.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use jiff::Timestamp;

use super::claims::Claims;
use crate::model::{
    delta::Epoch,
    event::{Event, EventKey, Fold, FoldKey, MOST_BYTES, MOST_EVENTS},
    key::ClusterId,
};

/// Events, folded by object and reason. There are none while nobody looks.
#[derive(Debug, Default)]
pub struct Events {
    rows: BTreeMap<EventKey, Entry>,
    /// Oldest first.
    by_time: BTreeSet<(Option<Timestamp>, EventKey)>,
    folds: BTreeMap<FoldKey, Folded>,
    /// Newest first.
    order: BTreeSet<(Reverse<Option<Timestamp>>, FoldKey)>,
    bytes: usize,
    let_go: Option<Timestamp>,
}

#[derive(Debug)]
struct Entry {
    row: Event,
    claims: Claims,
}

#[derive(Debug)]
struct Folded {
    fold: Fold,
    of: BTreeSet<EventKey>,
}

impl Events {
    /// Every fold, the one that happened last first.
    pub fn folds(&self) -> impl Iterator<Item = &Fold> {
        self.order.iter().filter_map(|(_, key)| self.fold(key))
    }

    /// One fold.
    pub fn fold(&self, key: &FoldKey) -> Option<&Fold> {
        self.folds.get(key).map(|folded| &folded.fold)
    }

    /// When that happened last which was let go since there was no more room, if anything was: what is older is not all.
    pub fn let_go(&self) -> Option<Timestamp> {
        self.let_go
    }

    /// Events kept, unfolded.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether none is kept.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Bytes that they are counted as.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes an event in. True when anything that can be seen changed.
    pub(super) fn upsert(&mut self, row: Event, scope: u32, epoch: Epoch) -> bool {
        if let Some(entry) = self.rows.get_mut(&row.key) {
            entry.claims.claim(scope, epoch);
            if entry.row == row {
                return false;
            }
            let before = std::mem::replace(&mut entry.row, row.clone());
            self.bytes = (self.bytes + row.size()).saturating_sub(before.size());
            if before.last != row.last {
                self.by_time.remove(&(before.last, row.key.clone()));
                self.by_time.insert((row.last, row.key.clone()));
            }
            let fold = before.fold_key();
            if fold != row.fold_key() {
                self.unfold(&fold, &row.key);
            }
            self.fold_in(&row);
            self.make_room();
            return true;
        }
        // One that would be let go at once changes nothing but what is said of that.
        let oldest = self.by_time.first().and_then(|(last, _)| *last);
        if self.rows.len() >= MOST_EVENTS && row.last <= oldest {
            let before = self.let_go;
            self.let_go = self.let_go.max(row.last);
            return before != self.let_go;
        }
        let mut claims = Claims::default();
        claims.claim(scope, epoch);
        self.bytes += row.size();
        self.by_time.insert((row.last, row.key.clone()));
        self.fold_new(&row);
        self.rows.insert(row.key.clone(), Entry { row, claims });
        self.make_room();
        true
    }

    /// The events of a cluster of which `which` says so of their claims.
    pub(super) fn claimed(
        &self,
        cluster: &ClusterId,
        which: impl Fn(&Claims) -> bool,
    ) -> impl Iterator<Item = &EventKey> {
        let first = EventKey { cluster: cluster.clone(), namespace: "".into(), name: "".into() };
        let rows = self.rows.range(first..).take_while(move |(key, _)| key.cluster == *cluster);
        rows.filter(move |(_, entry)| which(&entry.claims)).map(|(key, _)| key)
    }

    /// Takes back one claim; the event goes with its last.
    pub(super) fn release(&mut self, key: &EventKey, scope: u32) -> bool {
        let Some(entry) = self.rows.get_mut(key) else { return false };
        let last = entry.claims.release(scope);
        if last {
            self.remove(key);
        }
        last
    }

    fn make_room(&mut self) {
        while self.rows.len() > MOST_EVENTS || self.bytes > MOST_BYTES {
            let Some((last, key)) = self.by_time.first().cloned() else { return };
            self.remove(&key);
            self.let_go = self.let_go.max(last);
        }
    }

    fn remove(&mut self, key: &EventKey) {
        let Some(entry) = self.rows.remove(key) else { return };
        self.bytes = self.bytes.saturating_sub(entry.row.size());
        self.by_time.remove(&(entry.row.last, key.clone()));
        self.unfold(&entry.row.fold_key(), key);
        if self.rows.is_empty() {
            // Nobody looks any more, or nothing happens: what was let go is not missed.
            *self = Self::default();
        }
    }

    /// Folds one in that was not there. What there is need not be folded again, of which there may be thousands.
    fn fold_new(&mut self, row: &Event) {
        let key = row.fold_key();
        let Some(folded) = self.folds.get_mut(&key) else {
            if let Some(fold) = Fold::of([row]) {
                self.order.insert((Reverse(fold.last), key.clone()));
                self.folds.insert(key, Folded { fold, of: BTreeSet::from([row.key.clone()]) });
            }
            return;
        };
        let before = folded.fold.last;
        folded.fold.add(row);
        folded.of.insert(row.key.clone());
        let after = folded.fold.last;
        self.order.remove(&(Reverse(before), key.clone()));
        self.order.insert((Reverse(after), key));
    }

    /// Folds one in that was there, and is otherwise now.
    fn fold_in(&mut self, row: &Event) {
        let key = row.fold_key();
        let mut of = self.take_fold(&key);
        of.insert(row.key.clone());
        self.put_fold(key, of);
    }

    fn unfold(&mut self, key: &FoldKey, event: &EventKey) {
        let mut of = self.take_fold(key);
        of.remove(event);
        self.put_fold(key.clone(), of);
    }

    fn take_fold(&mut self, key: &FoldKey) -> BTreeSet<EventKey> {
        let Some(folded) = self.folds.remove(key) else { return BTreeSet::new() };
        self.order.remove(&(Reverse(folded.fold.last), key.clone()));
        folded.of
    }

    fn put_fold(&mut self, key: FoldKey, of: BTreeSet<EventKey>) {
        let events = of.iter().filter_map(|key| self.rows.get(key)).map(|entry| &entry.row);
        let Some(fold) = Fold::of(events) else { return };
        self.order.insert((Reverse(fold.last), key.clone()));
        self.folds.insert(key, Folded { fold, of });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::resource::ResourceKey;

    fn event(name: &str, object: &str, reason: &str, count: u32, last: i64) -> Event {
        let cluster = ClusterId::named("foo");
        Event {
            key: EventKey { cluster: cluster.clone(), namespace: "web".into(), name: name.into() },
            object: ResourceKey {
                cluster,
                group: "".into(),
                kind: "Pod".into(),
                namespace: "web".into(),
                name: object.into(),
            },
            reason: reason.into(),
            message: format!("said by {name}").into(),
            warning: true,
            count,
            first: Timestamp::from_second(1).ok(),
            last: Timestamp::from_second(last).ok(),
            source: "kubelet".into(),
        }
    }

    fn told(events: &Events) -> Vec<(String, u32)> {
        events.folds().map(|fold| (format!("{} {}", fold.key.object.name, fold.key.reason), fold.count)).collect()
    }

    #[test]
    fn events_fold_by_object_and_reason_newest_first_and_unfold_as_they_go() {
        let mut events = Events::default();
        for row in
            [event("a", "x", "BackOff", 3, 10), event("b", "x", "BackOff", 2, 30), event("c", "y", "Pulled", 1, 20)]
        {
            assert!(events.upsert(row, 1, 1));
        }
        assert_eq!(told(&events), [("x BackOff".to_owned(), 5), ("y Pulled".to_owned(), 1)]);
        assert!(!events.upsert(event("c", "y", "Pulled", 1, 20), 1, 1), "nothing new");
        assert!(events.upsert(event("c", "y", "Pulled", 2, 40), 1, 1));
        assert_eq!(told(&events), [("y Pulled".to_owned(), 2), ("x BackOff".to_owned(), 5)]);
        // The same name, about something else: a name that was used again.
        assert!(events.upsert(event("c", "z", "Killing", 1, 50), 1, 1));
        assert_eq!(told(&events), [("z Killing".to_owned(), 1), ("x BackOff".to_owned(), 5)]);
        let key = event("b", "x", "", 1, 1).key;
        assert!(!events.release(&key, 2), "another question's claim");
        assert!(events.release(&key, 1));
        assert_eq!(told(&events), [("z Killing".to_owned(), 1), ("x BackOff".to_owned(), 3)]);
    }

    #[test]
    fn the_oldest_are_let_go_by_number_and_by_bytes_and_that_is_known() {
        let mut events = Events::default();
        for at in 0..i64::try_from(MOST_EVENTS).unwrap() + 10 {
            events.upsert(event(&format!("e{at}"), &format!("pod-{at}"), "BackOff", 1, at), 1, 1);
        }
        assert_eq!(events.len(), MOST_EVENTS);
        assert_eq!(events.let_go(), Timestamp::from_second(9).ok());
        assert_eq!(events.folds().count(), MOST_EVENTS);
        events.upsert(event("late", "late", "BackOff", 1, 3), 1, 1);
        assert_eq!(events.len(), MOST_EVENTS, "one that is older than all that is kept is not taken");
        let mut events = Events::default();
        for at in 0..100 {
            let row =
                Event { message: "x".repeat(64 * 1024).into(), ..event(&format!("e{at}"), "x", "BackOff", 1, at) };
            events.upsert(row, 1, 1);
        }
        assert!(events.bytes() <= MOST_BYTES && events.len() > 50, "{} events, {} bytes", events.len(), events.bytes());
        assert!(events.let_go().is_some());
    }

    #[test]
    fn when_the_last_goes_nothing_is_left() {
        let mut events = Events::default();
        events.upsert(event("a", "x", "BackOff", 3, 10), 1, 1);
        events.let_go = Timestamp::from_second(5).ok();
        events.release(&event("a", "x", "", 1, 1).key, 1);
        assert!(events.is_empty() && events.folds().next().is_none());
        assert_eq!((events.let_go(), events.bytes()), (None, 0));
    }
}
