//! How the link to one cluster stands: probes and refusals in, [`LinkState`] out.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;

use crate::model::{cluster::LinkState, delta::Scope, key::Text};

/// What a probe found.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Probed {
    /// The API server answered.
    Answered {
        /// Round trip.
        latency: Duration,
        /// When.
        at: Timestamp,
        /// It answers, but says of itself that it is not ready: why.
        unready: Option<String>,
    },
    /// The hub does not let the operator through to it, or it refuses the joined credential.
    Refused {
        /// When.
        at: Timestamp,
        /// What is needed.
        reason: String,
    },
    /// No answer.
    Lost {
        /// When.
        at: Timestamp,
        /// When it is tried next.
        next_try: Timestamp,
        /// Why.
        reason: String,
    },
}

/// The link to one cluster.
#[derive(Debug)]
pub(crate) struct Link {
    state: LinkState,
    last_seen: Option<Timestamp>,
    unready: Option<Text>,
    failing: BTreeMap<Scope, Text>,
}

impl Link {
    /// A link that nobody has tried yet.
    pub(crate) fn new(since: Timestamp) -> Self {
        Self { state: LinkState::Connecting { since }, last_seen: None, unready: None, failing: BTreeMap::new() }
    }

    /// How it stands.
    pub(crate) fn state(&self) -> &LinkState {
        &self.state
    }

    /// Whether the cluster can be asked: what it refuses at the gate is not asked either.
    pub(crate) fn is_up(&self) -> bool {
        self.state.is_current()
    }

    /// Whether anything is known yet.
    pub(crate) fn is_decided(&self) -> bool {
        !matches!(self.state, LinkState::Connecting { .. })
    }

    /// A probe came back.
    pub(crate) fn probed(&mut self, probed: Probed) -> &LinkState {
        self.state = match probed {
            Probed::Answered { latency, at, unready } => {
                self.last_seen = Some(at);
                self.unready = unready.map(Into::into);
                self.answering(latency, at)
            }
            Probed::Refused { at, reason } => {
                self.last_seen = Some(at);
                let since = match &self.state {
                    LinkState::Forbidden { since, .. } => *since,
                    _ => at,
                };
                LinkState::Forbidden { since, reason: reason.into() }
            }
            Probed::Lost { at, next_try, reason } => {
                let since = match &self.state {
                    // One that nobody has reached yet has not answered since it was first tried.
                    LinkState::Unreachable { since, .. } | LinkState::Connecting { since } => *since,
                    _ => at,
                };
                LinkState::Unreachable { since, last_seen: self.last_seen, next_try, reason: reason.into() }
            }
        };
        &self.state
    }

    /// A question to the cluster fails, or does not any more; the state, if that changes it.
    pub(crate) fn asked(&mut self, scope: &Scope, failing: Option<Text>, now: Timestamp) -> Option<&LinkState> {
        match failing {
            Some(reason) => self.failing.insert(scope.clone(), reason),
            None => self.failing.remove(scope),
        };
        let before = self.state.clone();
        if let LinkState::Live { latency, .. } | LinkState::Degraded { latency, .. } = before {
            self.state = self.answering(latency, now);
        }
        (std::mem::discriminant(&before) != std::mem::discriminant(&self.state)).then_some(&self.state)
    }

    /// A question is not asked any more.
    pub(crate) fn forget(&mut self, scope: &Scope) {
        self.failing.remove(scope);
    }

    fn answering(&self, latency: Duration, at: Timestamp) -> LinkState {
        match self.unready.as_ref().or_else(|| self.failing.values().next()) {
            None => LinkState::Live { latency, at },
            Some(reason) => {
                let since = match &self.state {
                    LinkState::Degraded { since, .. } => *since,
                    _ => at,
                };
                LinkState::Degraded { latency, since, reason: reason.clone() }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{delta::Query, key::ClusterId};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn answered(second: i64) -> Probed {
        Probed::Answered { latency: Duration::from_millis(9), at: at(second), unready: None }
    }

    fn lost(second: i64) -> Probed {
        Probed::Lost { at: at(second), next_try: at(second + 2), reason: "connection refused".into() }
    }

    #[test]
    fn a_loss_keeps_its_first_second_and_the_last_word() {
        let mut link = Link::new(at(0));
        link.probed(answered(5));
        link.probed(lost(10));
        link.probed(lost(12));
        let LinkState::Unreachable { since, last_seen, next_try, .. } = link.state() else { panic!("{link:?}") };
        assert_eq!((*since, *last_seen, *next_try), (at(10), Some(at(5)), at(14)));
        assert!(!link.is_up());
        assert!(matches!(link.probed(answered(14)), LinkState::Live { .. }));
    }

    #[test]
    fn a_cluster_that_never_answered_is_lost_since_it_was_first_tried() {
        let mut link = Link::new(at(3));
        link.probed(lost(6));
        let LinkState::Unreachable { since, last_seen, .. } = link.state() else { panic!("{link:?}") };
        assert_eq!((*since, *last_seen), (at(3), None));
    }

    #[test]
    fn one_failing_question_degrades_a_link_until_it_is_answered() {
        let scope = Scope { cluster: ClusterId::named("foo"), query: Query::LabelledPods(None) };
        let mut link = Link::new(at(0));
        link.probed(answered(1));
        assert!(matches!(link.asked(&scope, Some("list pods: 429".into()), at(2)), Some(LinkState::Degraded { .. })));
        link.probed(answered(6));
        let LinkState::Degraded { since, .. } = link.state() else { panic!("{link:?}") };
        assert_eq!(*since, at(2));
        assert!(matches!(link.asked(&scope, None, at(7)), Some(LinkState::Live { .. })));
    }
}
