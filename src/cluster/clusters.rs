//! The clusters joined to the hub: `virtualclusters`, polled, as that API has no watch.

use std::{collections::BTreeMap, time::Duration};

use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::time::sleep;

use super::{
    asking::Asking,
    error::{Class, Error},
    project, request,
    supervisor::Event,
    watch::read,
};
use crate::model::{
    cluster::Cluster,
    delta::{Query, Scope, ScopeState},
    key::ClusterId,
};

const PATH: &str = "/apis/cluster.core.oam.dev/v1alpha1/virtualclusters";
/// Between polls.
const EVERY: Duration = Duration::from_secs(10);
/// Between polls of an API that is not served or not permitted.
const PARKED: Duration = Duration::from_secs(30);

/// The question's name in the alphabet.
pub(crate) fn scope() -> Scope {
    Scope { cluster: ClusterId::local(), query: Query::Clusters }
}

/// The hub as a delivery target, where nothing tells of it.
pub(crate) fn local() -> Cluster {
    Cluster {
        id: ClusterId::local(),
        alias: "".into(),
        kind: "Internal".into(),
        endpoint: "-".into(),
        accepted: true,
        labels: Vec::new(),
        version: "".into(),
    }
}

/// What a poll brought.
#[derive(Debug)]
pub(crate) struct Polled {
    /// The clusters; none where they could not be asked for: those known stay.
    pub(crate) clusters: Option<BTreeMap<ClusterId, Cluster>>,
    /// How the question stands.
    pub(crate) state: ScopeState,
}

#[derive(Deserialize)]
struct List<'a> {
    #[serde(borrow, default)]
    items: Option<Vec<&'a RawValue>>,
}

/// Polls until dropped.
pub(crate) async fn poll(mut asking: Asking) {
    loop {
        asking.up().await;
        let polled = ask(&mut asking).await;
        let pause = match polled.state {
            ScopeState::NotInstalled | ScopeState::Forbidden(_) => PARKED,
            _ => EVERY,
        };
        // Nobody listens any more only when this task is about to end.
        let _ = asking.events.send(Event::Clusters(polled));
        tokio::select! {
            () = sleep(pause) => {}
            _ = asking.resync.changed() => {}
        }
    }
}

async fn ask(asking: &mut Asking) -> Polled {
    let answer = request::get(&asking.client, PATH, request::JSON, 16 * 1024 * 1024, asking.deadline).await;
    let list = answer.and_then(|bytes| {
        let list: List<'_> = request::decode(&bytes)?;
        let mut clusters: BTreeMap<ClusterId, Cluster> = list
            .items
            .unwrap_or_default()
            .into_iter()
            .filter_map(|object| project::cluster(&read(object.get().as_bytes())?))
            .map(|cluster| (cluster.id.clone(), cluster))
            .collect();
        clusters.entry(ClusterId::local()).or_insert_with(local);
        Ok(clusters)
    });
    match list {
        Ok(clusters) => Polled { clusters: Some(clusters), state: ScopeState::Live },
        Err(error) => Polled { clusters: None, state: refused(&error) },
    }
}

fn refused(error: &Error) -> ScopeState {
    match error.class {
        Class::NotFound => ScopeState::NotInstalled,
        Class::Forbidden => ScopeState::Forbidden(format!("list virtualclusters: {error}").into()),
        _ => ScopeState::Failing(format!("list virtualclusters: {error}").into()),
    }
}
