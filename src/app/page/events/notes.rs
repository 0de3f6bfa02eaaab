//! What stands beneath the events.

use super::{EventRows, belonging::is_asked_otherwise};
use crate::{
    app::{
        table::{Cell, Part, Tone},
        world::World,
    },
    model::{
        cluster::LinkState,
        delta::{Query, ScopeState},
        event::{EventScope, MOST_BYTES, MOST_EVENTS},
        health::Health,
        key::ClusterId,
    },
};

/// What the rows do not tell: clusters that do not answer or refuse, and what was let go.
pub fn notes(rows: &EventRows, world: &World) -> Vec<(ClusterId, Cell)> {
    let mut notes: Vec<(ClusterId, Cell)> = Vec::new();
    let tone = Tone::Health(Health::Unknown);
    let concerns = |cluster: &ClusterId| match &rows.scope {
        EventScope::Object(object) => object.cluster == *cluster,
        EventScope::All => true,
        EventScope::App(app) => world.app(app).is_none_or(|row| {
            row.placements.iter().any(|place| place.cluster == *cluster)
                || row.services.iter().any(|service| service.cluster == *cluster)
        }),
    };
    for entry in world.store.clusters().filter(|entry| concerns(&entry.id)) {
        let cell = match &entry.link {
            Some(LinkState::Unreachable { since, .. }) => vec![
                Part::Text(format!("{}: unreachable ", entry.id), tone),
                Part::Ago(Some(*since), tone),
                Part::Text(": what happened there since is not known".to_owned(), tone),
            ],
            Some(LinkState::Forbidden { reason, .. }) => vec![Part::Text(format!("{}: {reason}", entry.id), tone)],
            _ => continue,
        };
        notes.push((entry.id.clone(), cell));
    }
    for (scope, state) in world.store.scopes() {
        let told = notes.iter().any(|(cluster, _)| *cluster == scope.cluster);
        if told || !matches!(scope.query, Query::Events(_) | Query::EventsOf(_)) {
            continue;
        }
        let text = match state {
            // Told in a sentence once; the namespaces asked instead answer.
            ScopeState::Forbidden(_) if is_asked_otherwise(world, &scope.query) => continue,
            ScopeState::Forbidden(reason) => format!("{}: not permitted: {reason}", scope.cluster),
            ScopeState::Failing(reason) => format!("{}: {reason}; trying again", scope.cluster),
            ScopeState::NotInstalled => format!("{}: events are not served there", scope.cluster),
            ScopeState::Loading(_) | ScopeState::Live => continue,
        };
        notes.push((scope.cluster.clone(), vec![Part::Text(text, tone)]));
    }
    if let Some(at) = world.store.events().let_go() {
        let room = format!(
            "the newest {MOST_EVENTS} events are kept, of at most {} MiB: what last happened ",
            MOST_BYTES >> 20
        );
        let cell = vec![Part::dim(room), Part::Ago(Some(at), Tone::Dim), Part::dim(" ago or before is not all here")];
        notes.push((ClusterId::local(), cell));
    }
    if let (Some(reason), Some(_)) = (&rows.failed, &rows.made) {
        notes.push((ClusterId::local(), vec![Part::Text(format!("what was made is not up to date: {reason}"), tone)]));
    }
    notes
}
