//! The joined clusters and the links to them.

use jiff::Timestamp;

use crate::{
    app::{
        keymap::Action,
        page::{Page, Reaction, Wish, pods::PodRows, why::WhyPage},
        table::{Cell, Column, Part, Rows, SortKey, Table, Tone},
        world::World,
    },
    model::{
        cluster::LinkState,
        delta::{Query, ScopeState},
        health::Health,
        key::ClusterId,
        why::Subject,
    },
};

/// The rows: one a cluster.
#[derive(Clone, Debug)]
pub struct ClusterRows;

const NAME: usize = 0;
const ALIAS: usize = 1;
const TYPE: usize = 2;
const ENDPOINT: usize = 3;
const ACCEPTED: usize = 4;
const LINK: usize = 5;
const VERSION: usize = 6;
const PODS: usize = 7;

const COLUMNS: &[Column] = &[
    Column { title: "NAME", min: 8, max: 32, right: false, narrow: 3, drop: 0 },
    Column { title: "ALIAS", min: 5, max: 16, right: false, narrow: 12, drop: 10 },
    Column { title: "TYPE", min: 8, max: 20, right: false, narrow: 14, drop: 9 },
    Column { title: "ENDPOINT", min: 14, max: 44, right: false, narrow: 16, drop: 8 },
    Column { title: "ACCEPTED", min: 8, max: 8, right: false, narrow: 0, drop: 18 },
    Column { title: "LINK", min: 16, max: 60, right: false, narrow: 1, drop: 0 },
    Column { title: "VERSION", min: 7, max: 16, right: false, narrow: 6, drop: 5 },
    Column { title: "PODS", min: 4, max: 6, right: true, narrow: 0, drop: 2 },
    Column { title: "LABELS", min: 8, max: 60, right: false, narrow: 20, drop: 13 },
];

impl Rows for ClusterRows {
    type Key = ClusterId;

    fn columns(&self) -> &'static [Column] {
        COLUMNS
    }

    fn keys(&self, world: &World) -> Vec<ClusterId> {
        world.store.clusters().map(|cluster| cluster.id.clone()).collect()
    }

    fn cell(&self, world: &World, key: &ClusterId, column: usize) -> Cell {
        match column {
            LINK => return link(world.link(key)),
            PODS => return vec![Part::dim(pods_in(world, key).to_string())],
            _ => {}
        }
        let Some(cluster) = world.store.cluster(key).and_then(|entry| entry.row.as_ref()) else {
            // Told of by its link or its pods alone.
            return if column == NAME { vec![Part::plain(key.as_str())] } else { Cell::new() };
        };
        match column {
            NAME => vec![Part::plain(key.as_str())],
            ALIAS => vec![Part::dim(&*cluster.alias)],
            TYPE => vec![Part::dim(&*cluster.kind)],
            ENDPOINT => vec![Part::dim(&*cluster.endpoint)],
            ACCEPTED if cluster.accepted => vec![Part::dim("yes")],
            ACCEPTED => vec![Part::Text("no".to_owned(), Tone::Health(Health::Waiting))],
            VERSION => vec![Part::dim(&*cluster.version)],
            _ => {
                let labels: Vec<String> = cluster.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
                vec![Part::dim(labels.join(","))]
            }
        }
    }

    fn health(&self, world: &World, key: &ClusterId) -> Health {
        link_health(world.link(key))
    }

    fn stale(&self, world: &World, key: &ClusterId) -> Option<Timestamp> {
        world.stale_since(key)
    }

    fn reason(&self, world: &World, key: &ClusterId) -> Option<String> {
        match world.link(key) {
            Some(
                LinkState::Degraded { reason, .. }
                | LinkState::Forbidden { reason, .. }
                | LinkState::Unreachable { reason, .. },
            ) => Some(reason.to_string()),
            // The hub, of which one would ask for the others.
            _ if *key == ClusterId::local() => others_unknown(world),
            _ => None,
        }
    }

    fn empty(&self, world: &World) -> String {
        world.why_empty("clusters", |query| matches!(query, Query::Clusters))
    }

    fn sort_key(&self, world: &World, key: &ClusterId, column: usize) -> SortKey {
        match column {
            LINK => SortKey::Number(match world.link(key) {
                None | Some(LinkState::Connecting { .. }) => -1,
                Some(LinkState::Unreachable { .. }) => -3,
                Some(LinkState::Forbidden { .. }) => -2,
                Some(LinkState::Live { latency, .. } | LinkState::Degraded { latency, .. }) => {
                    latency.as_millis() as i64
                }
            }),
            PODS => SortKey::Number(pods_in(world, key) as i64),
            _ => SortKey::Text(crate::app::table::cell_text(&self.cell(world, key, column)).to_lowercase()),
        }
    }
}

/// Why no other clusters are listed, where the hub does not tell of them.
pub(super) fn others_unknown(world: &World) -> Option<String> {
    let (_, state) = world.store.scopes().find(|(scope, _)| scope.query == Query::Clusters)?;
    match state {
        ScopeState::Forbidden(why) | ScopeState::Failing(why) => Some(format!("other clusters are not told of: {why}")),
        ScopeState::NotInstalled => {
            Some("other clusters are not told of: the hub does not serve virtualclusters".to_owned())
        }
        ScopeState::Loading(_) | ScopeState::Live => None,
    }
}

fn pods_in(world: &World, cluster: &ClusterId) -> usize {
    world.store.cluster(cluster).map_or(0, |entry| entry.pods)
}

/// How a link counts.
pub fn link_health(link: Option<&LinkState>) -> Health {
    match link {
        None | Some(LinkState::Connecting { .. }) => Health::Progressing,
        Some(LinkState::Live { .. }) => Health::Ok,
        Some(LinkState::Degraded { .. } | LinkState::Forbidden { .. }) => Health::Unknown,
        Some(LinkState::Unreachable { .. }) => Health::Failed,
    }
}

/// A link in words: `live 34 ms`, `unreachable 3m`; nothing where nobody asked.
pub fn link_in_short(link: Option<&LinkState>) -> Cell {
    let Some(link) = link else { return Cell::new() };
    let health = link_health(Some(link));
    let tone = if health == Health::Ok { Tone::Dim } else { Tone::Health(health) };
    let mut cell = vec![Part::Mark(health), Part::plain(" ")];
    let mut say = |text: String| cell.push(Part::Text(text, tone));
    match link {
        LinkState::Connecting { .. } => say("connecting".to_owned()),
        LinkState::Live { latency, .. } => say(format!("live {} ms", latency.as_millis().max(1))),
        LinkState::Degraded { latency, reason, .. } => {
            say(format!("degraded {} ms: {reason}", latency.as_millis().max(1)));
        }
        LinkState::Forbidden { .. } => say("forbidden".to_owned()),
        LinkState::Unreachable { since, .. } => {
            say("unreachable ".to_owned());
            cell.push(Part::Ago(Some(*since), tone));
        }
    }
    cell
}

/// The same, with when a lost cluster is tried again.
pub fn link(link: Option<&LinkState>) -> Cell {
    let mut cell = link_in_short(link);
    match link {
        None => cell.extend([Part::Mark(Health::Progressing), Part::Text(" not asked yet".to_owned(), Tone::Dim)]),
        Some(LinkState::Unreachable { next_try, .. }) => {
            cell.push(Part::dim(", retry in "));
            cell.push(Part::Until(Some(*next_try), Tone::Dim));
        }
        Some(_) => {}
    }
    cell
}

/// Obeys a key.
pub fn on_action(table: &mut Table<ClusterRows>, action: Action, _world: &World) -> Reaction {
    if table.on_action(action) {
        return Reaction::taken();
    }
    let Some(key) = table.selected().cloned() else { return Reaction::ignored() };
    Reaction::wish(match action {
        Action::Enter => Wish::Open(Box::new(Page::Pods(Table::new(PodRows::new(None, Some(key)))))),
        Action::Why => Wish::Open(Box::new(Page::Why(Box::new(WhyPage::new(Subject::Cluster(key)))))),
        Action::Copy => Wish::Copy(key.to_string()),
        _ => return Reaction::ignored(),
    })
}
