//! Events, watched while somebody looks at them.
//!
//! Asked for in all namespaces of a cluster at once where that is permitted and wanted, else in those that applications
//! deploy to, as pods are; those about one object by a field selector, so that no other is sent.

use std::{
    cmp::Reverse,
    collections::{BTreeSet, BinaryHeap},
};

use jiff::Timestamp;
use serde_json::Value;

use super::{
    asking::Asking,
    error::Error,
    project::{self, Meta},
    request::escape,
    watch::{Change, Projection, Question},
};
use crate::model::{
    delta::{Query, Row, Scope},
    event::{EventKey, MOST_EVENTS},
    key::{ClusterId, RowKey, Text},
    resource::ResourceKey,
};

/// The question for events in one namespace or all.
pub(crate) fn question(cluster: &ClusterId, namespace: Option<&Text>) -> Question {
    let (path, what) = match namespace {
        None => ("/api/v1/events".to_owned(), format!("events in {cluster}")),
        Some(namespace) => (collection(namespace), format!("events in namespace {namespace} of {cluster}")),
    };
    let scope = Scope { cluster: cluster.clone(), query: Query::Events(namespace.cloned()) };
    Question { scope, path, selector: None, fields: None, what }
}

/// The question for events about one object.
pub(crate) fn question_of(object: &ResourceKey) -> Question {
    // Events about what has no namespace are kept in this one.
    let namespace: &str = if object.namespace.is_empty() { "default" } else { &object.namespace };
    let fields = format!("involvedObject.kind={},involvedObject.name={}", object.kind, object.name);
    Question {
        scope: Scope { cluster: object.cluster.clone(), query: Query::EventsOf(object.clone()) },
        path: collection(namespace),
        selector: None,
        fields: Some(fields),
        what: format!("events in namespace {namespace} of {}", object.cluster),
    }
}

fn collection(namespace: &str) -> String {
    format!("/api/v1/namespaces/{}/events", escape(namespace))
}

/// Projects events. While a list runs, what is older than all that could be kept is not told.
pub(crate) struct Events {
    cluster: ClusterId,
    /// Only those about this.
    only: Option<ResourceKey>,
    /// The times of the newest that the list brought, oldest on top.
    newest: BinaryHeap<Reverse<Option<Timestamp>>>,
    listing: bool,
}

impl Events {
    pub(crate) fn new(cluster: ClusterId, only: Option<ResourceKey>) -> Self {
        Self { cluster, only, newest: BinaryHeap::new(), listing: true }
    }

    /// Whether one of the time belongs to the newest of the list so far.
    fn is_among_newest(&mut self, last: Option<Timestamp>) -> bool {
        if !self.listing {
            return true;
        }
        let full = self.newest.len() >= MOST_EVENTS;
        if full && self.newest.peek().is_some_and(|Reverse(oldest)| last < *oldest) {
            return false;
        }
        if full {
            self.newest.pop();
        }
        self.newest.push(Reverse(last));
        true
    }
}

impl Projection for Events {
    async fn begin(&mut self, _asking: &mut Asking) -> Result<(), Error> {
        self.newest.clear();
        self.listing = true;
        Ok(())
    }

    fn put(&mut self, object: &Value) -> Change {
        let Some(row) = project::event(&self.cluster, object) else { return Change::Nothing };
        let is_meant = |only: &ResourceKey| only.group == row.object.group && only.namespace == row.object.namespace;
        if !self.only.as_ref().is_none_or(is_meant) || !self.is_among_newest(row.last) {
            return Change::Nothing;
        }
        Change::Row(Row::Event(Box::new(row)))
    }

    fn delete(&mut self, object: &Value) -> Change {
        match Meta::of(object) {
            Some(meta) => Change::Gone(RowKey::Event(EventKey {
                cluster: self.cluster.clone(),
                namespace: meta.namespace,
                name: meta.name,
            })),
            None => Change::Nothing,
        }
    }

    fn synced(&mut self) {
        self.listing = false;
        self.newest = BinaryHeap::new();
    }
}

/// The questions that are to be asked in a cluster.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct WantedEvents {
    /// In all namespaces at once, where that is permitted.
    pub(crate) everywhere: bool,
    /// Namespaces to ask in where it is not.
    pub(crate) instead: BTreeSet<Text>,
    /// Namespaces to ask in.
    pub(crate) namespaces: BTreeSet<Text>,
    /// Objects to ask about.
    pub(crate) objects: BTreeSet<ResourceKey>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_tells_the_newest_alone() {
        let mut events = Events::new(ClusterId::local(), None);
        let most = i64::try_from(MOST_EVENTS).unwrap();
        for second in (0..most).map(|second| second + 100) {
            assert!(events.is_among_newest(Timestamp::from_second(second).ok()));
        }
        assert!(!events.is_among_newest(Timestamp::from_second(99).ok()));
        assert!(!events.is_among_newest(None));
        assert!(events.is_among_newest(Timestamp::from_second(most * 2).ok()));
        assert!(!events.is_among_newest(Timestamp::from_second(100).ok()), "it has made way");
        events.synced();
        assert!(events.is_among_newest(Timestamp::from_second(1).ok()), "what happens now is told");
        assert_eq!(events.newest.len(), 0);
    }
}
