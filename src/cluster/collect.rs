//! One answer instead of a session: what one-shot commands print.

use std::{collections::BTreeMap, time::Duration};

use tokio::time::{Instant, timeout};

use super::{
    feed,
    hub::Hub,
    supervisor::{NamespaceScope, Session},
};
use crate::model::{
    cluster::LinkState,
    delta::{Delta, Query, Scope, ScopeState},
    key::{ClusterId, Text},
};

/// How long a question that fails on a cluster that answers is given to succeed after all: an API server that has just
/// started refuses with 429 for a moment.
const SECOND_CHANCE: Duration = Duration::from_secs(3);

/// What could be learnt within the time given.
#[derive(Debug, Default)]
pub struct Collected {
    /// The world, to be applied to a store in order.
    pub deltas: Vec<Delta>,
    /// What could not be asked: the cluster, and why. `local` is the hub itself.
    pub incomplete: Vec<(ClusterId, Text)>,
}

/// Asks for everything once. `deadline` bounds it all; what has not answered by then is incomplete.
pub async fn collect(hub: Hub, scope: NamespaceScope, deadline: Duration) -> Collected {
    let (feed, mut reader) = feed::channel();
    let begun = Instant::now();
    let session = Session::start(hub, scope, feed);
    let in_time = timeout(deadline, session.settled()).await.is_ok();
    let mut deltas = reader.take(usize::MAX);
    let patience = SECOND_CHANCE.min(deadline.saturating_sub(begun.elapsed()));
    // Over when nothing fails any more, or the time is: what is known by then is the answer.
    let _ = timeout(patience, async {
        while fails(&deltas) && reader.changed().await {
            deltas.extend(reader.take(usize::MAX));
        }
    })
    .await;
    drop(session);
    let mut links: BTreeMap<ClusterId, &LinkState> = BTreeMap::new();
    let mut scopes: BTreeMap<&Scope, &ScopeState> = BTreeMap::new();
    for delta in &deltas {
        match delta {
            Delta::Link { cluster, state } => drop(links.insert(cluster.clone(), state)),
            Delta::Asked { scope, state } => drop(scopes.insert(scope, state)),
            Delta::Dropped { scope } => drop(scopes.remove(scope)),
            _ => {}
        }
    }
    let mut incomplete: BTreeMap<ClusterId, Text> = BTreeMap::new();
    for (cluster, state) in links {
        let reason = match state {
            LinkState::Live { .. } | LinkState::Degraded { .. } => continue,
            LinkState::Connecting { .. } => "no answer in time".into(),
            LinkState::Forbidden { reason, .. } | LinkState::Unreachable { reason, .. } => reason.clone(),
        };
        incomplete.insert(cluster, reason);
    }
    for (scope, state) in &scopes {
        // Asked for one namespace at a time instead.
        if matches!(state, ScopeState::Forbidden(_)) && scopes.keys().any(|other| replaces(other, scope)) {
            continue;
        }
        let reason = match state {
            ScopeState::Forbidden(reason) | ScopeState::Failing(reason) => reason.clone(),
            ScopeState::Loading(_) if !in_time => "not listed in time".into(),
            _ => continue,
        };
        incomplete.entry(scope.cluster.clone()).or_insert(reason);
    }
    Collected { deltas, incomplete: incomplete.into_iter().collect() }
}

/// Whether a question fails that is asked of a cluster which answers.
fn fails(deltas: &[Delta]) -> bool {
    let (mut current, mut failing) = (BTreeMap::new(), BTreeMap::new());
    for delta in deltas {
        match delta {
            Delta::Link { cluster, state } => drop(current.insert(cluster, state.is_current())),
            // Loading here is a list that failed and is asked for again.
            Delta::Asked { scope, state } => {
                failing.insert(scope, matches!(state, ScopeState::Failing(_) | ScopeState::Loading(_)));
            }
            Delta::Dropped { scope } => drop(failing.remove(scope)),
            _ => {}
        }
    }
    failing.iter().any(|(scope, fails)| *fails && current.get(&scope.cluster) == Some(&true))
}

/// Whether a question asks for one namespace what the other asks for all.
fn replaces(one: &Scope, all: &Scope) -> bool {
    one.cluster == all.cluster
        && matches!(
            (&one.query, &all.query),
            (Query::Applications(Some(_)), Query::Applications(None))
                | (Query::LabelledPods(Some(_)), Query::LabelledPods(None))
                | (Query::Events(Some(_)), Query::Events(None))
        )
}
