//! Events: what the parts of a cluster write into its diary, folded by what they are about and why.
//!
//! Facts: core/v1 `Event` and `events.k8s.io/v1` are two forms of the same stored object. Recorders of the old kind count
//! with `count`, `firstTimestamp` and `lastTimestamp`; those of the new kind write `eventTime` and count in `series`.

use jiff::Timestamp;

use super::{
    key::{AppKey, ClusterId, Text},
    resource::ResourceKey,
};

/// Events that are kept at most: beyond, the oldest are let go, and that is said.
pub const MOST_EVENTS: usize = 5_000;
/// Bytes that they may take ([`Event::size`]).
pub const MOST_BYTES: usize = 4 * 1024 * 1024;

/// An event object's identity.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventKey {
    /// The cluster it happened in.
    pub cluster: ClusterId,
    /// The namespace it is kept in: that of its object, `default` for cluster-scoped ones.
    pub namespace: Text,
    /// `metadata.name`.
    pub name: Text,
}

/// One event as its cluster keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Who it is.
    pub key: EventKey,
    /// What it is about.
    pub object: ResourceKey,
    /// Why, in one word: `BackOff`, `FailedScheduling`.
    pub reason: Text,
    /// What is said.
    pub message: Text,
    /// Whether its type is `Warning`.
    pub warning: bool,
    /// How often it happened.
    pub count: u32,
    /// When first.
    pub first: Option<Timestamp>,
    /// When last.
    pub last: Option<Timestamp>,
    /// Who says it: `kubelet`, `helm-controller`.
    pub source: Text,
}

impl Event {
    /// Bytes it is counted as: its texts, and what surrounds them.
    pub fn size(&self) -> usize {
        size_of::<Self>()
            + self.key.name.len()
            + self.key.namespace.len()
            + self.object.name.len()
            + self.reason.len()
            + self.message.len()
            + self.source.len()
    }

    /// What it is folded with.
    pub fn fold_key(&self) -> FoldKey {
        FoldKey { object: self.object.clone(), reason: self.reason.clone() }
    }
}

/// What events are folded by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FoldKey {
    /// What they are about.
    pub object: ResourceKey,
    /// Why.
    pub reason: Text,
}

/// Events about one object for one reason, as one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fold {
    /// Object and reason.
    pub key: FoldKey,
    /// The newest one's words.
    pub message: Text,
    /// Who said that.
    pub source: Text,
    /// Whether one of them is a warning.
    pub warning: bool,
    /// How often it happened, in all of them.
    pub count: u32,
    /// When first.
    pub first: Option<Timestamp>,
    /// When last.
    pub last: Option<Timestamp>,
}

impl Fold {
    /// Folds events of one key; `None` of none.
    pub fn of<'a>(events: impl IntoIterator<Item = &'a Event>) -> Option<Self> {
        let mut events = events.into_iter();
        let first = events.next()?;
        let mut fold = Self {
            key: first.fold_key(),
            message: first.message.clone(),
            source: first.source.clone(),
            warning: first.warning,
            count: first.count,
            first: first.first,
            last: first.last,
        };
        for event in events {
            fold.add(event);
        }
        Some(fold)
    }

    /// Folds one more in.
    pub fn add(&mut self, event: &Event) {
        if event.last > self.last {
            self.message = event.message.clone();
            self.source = event.source.clone();
            self.last = event.last;
        }
        self.warning |= event.warning;
        self.count = self.count.saturating_add(event.count);
        self.first = match (self.first, event.first) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
    }
}

/// Whose events are looked at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventScope {
    /// All that may be seen, in every cluster.
    All,
    /// Those in the places that an application deploys to.
    App(AppKey),
    /// Those about one object.
    Object(ResourceKey),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(name: &str, message: &str, count: u32, (first, last): (i64, i64)) -> Event {
        let cluster = ClusterId::named("foo");
        let at = |second| Timestamp::from_second(second).ok();
        Event {
            key: EventKey { cluster: cluster.clone(), namespace: "web".into(), name: name.into() },
            object: ResourceKey {
                cluster,
                group: "".into(),
                kind: "Pod".into(),
                namespace: "web".into(),
                name: "hello".into(),
            },
            reason: "BackOff".into(),
            message: message.into(),
            warning: name == "b",
            count,
            first: at(first),
            last: at(last),
            source: "kubelet".into(),
        }
    }

    #[test]
    fn a_fold_counts_all_spans_all_and_says_the_newest() {
        let events = [event("a", "old", 3, (10, 20)), event("b", "new", 4, (15, 40)), event("c", "older", 1, (5, 6))];
        let fold = Fold::of(&events).unwrap();
        assert_eq!((&*fold.message, fold.count, fold.warning), ("new", 8, true));
        assert_eq!((fold.first, fold.last), (events[2].first, events[1].last));
        assert_eq!(Fold::of([]), None);
    }
}
