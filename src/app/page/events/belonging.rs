//! Whose events they are: of an application, of the namespace shown.

use std::collections::{BTreeSet, HashSet};

use crate::{
    app::world::World,
    model::{
        delta::Query,
        key::{ClusterId, Text},
        resource::ResourceKey,
    },
};

/// Whether something that is not there any more was made by one of those that are, as its name tells: a pod of an older
/// ReplicaSet of a Deployment, a pod of a StatefulSet that has been scaled down, a Job of a CronJob.
pub(super) fn was_made_by(made: &HashSet<ResourceKey>, object: &ResourceKey) -> bool {
    let owners = |kind: &str| -> &[(&str, &str)] {
        match kind {
            "Pod" => &[
                ("apps", "ReplicaSet"),
                ("apps", "StatefulSet"),
                ("apps", "DaemonSet"),
                ("batch", "Job"),
                ("apps", "Deployment"),
                ("batch", "CronJob"),
            ],
            "ReplicaSet" => &[("apps", "Deployment")],
            "Job" => &[("batch", "CronJob")],
            _ => &[],
        }
    };
    let mut stem: &str = &object.name;
    // A Deployment's pod has two ends: that of its ReplicaSet and its own.
    for _ in 0..2 {
        let Some((shorter, _)) = stem.rsplit_once('-') else { return false };
        stem = shorter;
        let is_there = |(group, kind): &(&str, &str)| {
            made.contains(&ResourceKey {
                cluster: object.cluster.clone(),
                group: (*group).into(),
                kind: (*kind).into(),
                namespace: object.namespace.clone(),
                name: stem.into(),
            })
        };
        if owners(&object.kind).iter().any(is_there) {
            return true;
        }
    }
    false
}

/// Where the applications of the namespace shown deploy to; `None`: every namespace is shown.
pub(super) fn places(world: &World) -> Option<BTreeSet<(ClusterId, Text)>> {
    let shown = world.namespace()?;
    let mut places = BTreeSet::from([(ClusterId::local(), shown.clone())]);
    for entry in world.store.applications().filter(|entry| entry.row.key.namespace == *shown) {
        let row = &entry.row;
        let placements = row.placements.iter().map(|place| (&place.cluster, &place.namespace));
        let services = row.services.iter().map(|service| (&service.cluster, &service.namespace));
        for (cluster, namespace) in placements.chain(services) {
            places.insert((cluster.clone(), row.namespace_or_own(namespace).clone()));
        }
    }
    Some(places)
}

/// Whether an event belongs to the namespace shown: that of its pod's application, else one such applications deploy to.
pub(super) fn is_shown(world: &World, places: Option<&BTreeSet<(ClusterId, Text)>>, object: &ResourceKey) -> bool {
    let Some(places) = places else { return true };
    let pod = object.as_pod().and_then(|pod| world.store.pod(&pod));
    match pod {
        Some(pod) => world.shows_pod(pod),
        None => places.contains(&(object.cluster.clone(), object.namespace.clone())),
    }
}

/// Whether a question about all namespaces is asked in single ones instead.
pub(super) fn is_asked_otherwise(world: &World, query: &Query) -> bool {
    *query == Query::Events(None)
        && world.store.scopes().any(|(scope, _)| matches!(scope.query, Query::Events(Some(_))))
}
