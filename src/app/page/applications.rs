//! The applications: home.

use jiff::Timestamp;

use crate::{
    app::{
        keymap::Action,
        page::{Page, Reaction, Wish, application::ApplicationPage, tree::TreePage, why::WhyPage},
        table::{Cell, Column, Part, Rows, SortKey, Table, Tone},
        world::World,
    },
    model::{
        delta::Query,
        health::Health,
        key::AppKey,
        log::{LogRequest, LogScope},
        why::Subject,
    },
};

/// The rows: one an application.
#[derive(Clone, Debug)]
pub struct ApplicationRows;

const NAMESPACE: usize = 0;
const NAME: usize = 1;
const STATUS: usize = 2;
const WORKFLOW: usize = 3;
const CLUSTERS: usize = 4;
const HEALTH: usize = 5;
const REVISION: usize = 6;

const COLUMNS: &[Column] = &[
    Column { title: "NAMESPACE", min: 9, max: 24, right: false, narrow: 14, drop: 8 },
    Column { title: "NAME", min: 14, max: 40, right: false, narrow: 12, drop: 0 },
    Column { title: "STATUS", min: 14, max: 60, right: false, narrow: 1, drop: 0 },
    Column { title: "WORKFLOW", min: 8, max: 32, right: false, narrow: 20, drop: 7 },
    Column { title: "CLUSTERS", min: 8, max: 40, right: false, narrow: 16, drop: 5 },
    Column { title: "HEALTH", min: 6, max: 8, right: true, narrow: 0, drop: 6 },
    Column { title: "REV", min: 3, max: 12, right: true, narrow: 0, drop: 18 },
    Column { title: "AGE", min: 3, max: 12, right: true, narrow: 0, drop: 10 },
];

impl Rows for ApplicationRows {
    type Key = AppKey;

    fn columns(&self) -> &'static [Column] {
        COLUMNS
    }

    fn keys(&self, world: &World) -> Vec<AppKey> {
        let shown = world.namespace();
        world.keys().filter(|key| shown.is_none_or(|shown| key.namespace == *shown)).cloned().collect()
    }

    fn keys_revision(&self, world: &World) -> u64 {
        world.store.keys_revision()
    }

    fn cell(&self, world: &World, key: &AppKey, column: usize) -> Cell {
        let (Some(app), Some(standing)) = (world.app(key), world.standing(key)) else { return Cell::new() };
        match column {
            NAMESPACE => vec![Part::dim(&*key.namespace)],
            NAME => vec![Part::plain(&*key.name)],
            STATUS => status(world, key),
            WORKFLOW => {
                let (done, total) = standing.steps;
                if total == 0 {
                    return vec![Part::dim("-")];
                }
                let step = standing.at_step.as_deref().map(|step| format!(" {step}")).unwrap_or_default();
                vec![Part::dim(format!("{done}/{total}{step}"))]
            }
            CLUSTERS => {
                let mut cell = Cell::new();
                for cluster in &standing.clusters {
                    if !cell.is_empty() {
                        cell.push(Part::plain("  "));
                    }
                    cell.push(Part::dim(format!("{} ", cluster.cluster)));
                    cell.push(Part::Mark(cluster.health));
                }
                cell
            }
            HEALTH if standing.total == 0 => vec![Part::dim("-")],
            HEALTH => vec![Part::dim(format!("{}/{}", standing.ready, standing.total))],
            REVISION => vec![Part::dim(short_revision(app.revision.as_deref().unwrap_or("-"), &key.name))],
            _ => vec![Part::Ago(app.created_at, Tone::Dim)],
        }
    }

    fn narrow_cell(&self, world: &World, key: &AppKey, column: usize) -> Cell {
        let Some(standing) = world.standing(key) else { return Cell::new() };
        match column {
            WORKFLOW if standing.steps.1 > 0 => vec![Part::dim(format!("{}/{}", standing.steps.0, standing.steps.1))],
            CLUSTERS => standing.clusters.iter().map(|cluster| Part::Mark(cluster.health)).collect(),
            _ => self.cell(world, key, column),
        }
    }

    fn health(&self, world: &World, key: &AppKey) -> Health {
        world.standing(key).map_or(Health::Unknown, |standing| standing.health)
    }

    fn reason(&self, world: &World, key: &AppKey) -> Option<String> {
        reason(world, key)
    }

    fn stale(&self, world: &World, _key: &AppKey) -> Option<Timestamp> {
        // Applications live on the hub: they are as old as its last word.
        world.stale_since(&crate::model::key::ClusterId::local())
    }

    fn empty(&self, world: &World) -> String {
        world.why_empty("applications", |query| matches!(query, Query::Applications(_)))
    }

    fn text(&self, world: &World, key: &AppKey, out: &mut String) {
        let Some(standing) = world.standing(key) else { return };
        let step = standing.at_step.as_deref().unwrap_or_default();
        for part in [&*key.namespace, &key.name, &standing.status, step] {
            out.push_str(part);
            out.push(' ');
        }
        for cluster in &standing.clusters {
            out.push_str(cluster.cluster.as_str());
            out.push(' ');
        }
    }

    fn sort_key(&self, world: &World, key: &AppKey, column: usize) -> SortKey {
        let standing = world.standing(key);
        match column {
            // Worst first, then by the words.
            STATUS => SortKey::Text(
                standing.map_or_else(String::new, |standing| format!("{}{}", standing.health as u8, standing.status)),
            ),
            HEALTH => SortKey::Number(standing.map_or(0, |standing| {
                // Share that is well, in ten-thousandths; nothing to be well sorts last.
                if standing.total == 0 {
                    10_001
                } else {
                    i64::from(standing.ready) * 10_000 / i64::from(standing.total)
                }
            })),
            WORKFLOW => SortKey::Number(
                standing
                    .map_or(0, |standing| i64::from(standing.steps.0) * 10_000 / i64::from(standing.steps.1.max(1))),
            ),
            CLUSTERS => SortKey::Number(standing.map_or(0, |standing| standing.clusters.len() as i64)),
            REVISION => {
                let revision = world.app(key).and_then(|app| app.revision.as_deref()).unwrap_or_default();
                let digits = revision.rsplit_once("-v").map_or(revision, |(_, digits)| digits);
                SortKey::Number(digits.parse().unwrap_or(0))
            }
            NAMESPACE => SortKey::Text(key.namespace.to_lowercase()),
            NAME => SortKey::Text(key.name.to_lowercase()),
            _ => SortKey::Time(world.app(key).and_then(|app| app.created_at)),
        }
    }
}

/// Why it is not well, where STATUS does not say it already.
pub fn reason(world: &World, key: &AppKey) -> Option<String> {
    let standing = world.standing(key)?;
    standing.reason.as_deref().filter(|reason| **reason != *standing.status).map(str::to_owned)
}

/// STATUS in words behind its mark, with the age where one is told.
pub fn status(world: &World, key: &AppKey) -> Cell {
    let Some(standing) = world.standing(key) else { return Cell::new() };
    let tone = match standing.health {
        Health::Ok | Health::Gone | Health::Pending => Tone::Dim,
        other => Tone::Health(other),
    };
    let mut cell = vec![Part::Mark(standing.health), Part::Text(format!(" {}", standing.status), tone)];
    if world.writes.contains_key(key) {
        cell.push(Part::Text(" (writing)".to_owned(), Tone::Accent));
    }
    if let Some(since) = standing.since {
        cell.push(Part::Text(" ".to_owned(), tone));
        cell.push(Part::Ago(Some(since), tone));
    }
    cell
}

/// `helm-hello-v3` of helm-hello is `v3`.
pub fn short_revision(revision: &str, app: &str) -> String {
    let short = revision.strip_prefix(app).and_then(|rest| rest.strip_prefix('-')).unwrap_or(revision);
    short.to_owned()
}

/// Obeys a key.
pub fn on_action(table: &mut Table<ApplicationRows>, action: Action, _world: &World) -> Reaction {
    if table.on_action(action) || table.on_mark(action) {
        return Reaction::taken();
    }
    let selected = table.selected().cloned();
    let Some(key) = selected else { return Reaction::ignored() };
    Reaction::wish(match action {
        Action::Enter => Wish::Open(Box::new(Page::Application(Box::new(ApplicationPage::new(key))))),
        Action::Approve => Wish::Approve(key, None),
        Action::Logs if table.marked_count() > 0 => {
            Wish::FollowLogs(Box::new(LogRequest::of(LogScope::Apps(table.marked()))))
        }
        Action::Logs => Wish::LogsOfApp(key),
        Action::Forward => Wish::Forward(key, None),
        Action::Revisions => Wish::revisions(key),
        Action::Tree => Wish::Open(Box::new(Page::Tree(Box::new(TreePage::new(key))))),
        Action::Why => Wish::Open(Box::new(Page::Why(Box::new(WhyPage::new(Subject::Application(key)))))),
        Action::Copy => Wish::Copy(key.to_string()),
        _ => return Reaction::ignored(),
    })
}
