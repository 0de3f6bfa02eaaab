//! What waits: one row a suspended step, oldest first.

use jiff::Timestamp;

use crate::{
    app::{
        keymap::Action,
        page::{
            Page, Reaction, Wish,
            application::{ApplicationPage, ItemKey},
            why::WhyPage,
        },
        table::{Cell, Column, Part, Rows, SortKey, Table, Tone},
        words,
        world::World,
    },
    model::{
        approval::{Gate, GateReason, Waiting},
        delta::Query,
        health::Health,
        key::{AppKey, Text},
        why::Subject,
    },
};

/// The rows: one a suspended step.
#[derive(Clone, Debug)]
pub struct ApprovalRows;

/// A suspended step of an application.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GateKey {
    /// The application.
    pub app: AppKey,
    /// The step's name; empty: suspended while no step was running.
    pub step: Text,
}

const SINCE: usize = 0;
const APPLICATION: usize = 1;
const STEP: usize = 2;
const NEXT: usize = 3;
const HEALTH: usize = 4;
const AUTO: usize = 5;

const COLUMNS: &[Column] = &[
    Column { title: "SINCE", min: 5, max: 12, right: true, narrow: 0, drop: 0 },
    Column { title: "APPLICATION", min: 16, max: 48, right: false, narrow: 4, drop: 0 },
    Column { title: "STEP", min: 10, max: 32, right: false, narrow: 5, drop: 3 },
    Column { title: "NEXT", min: 14, max: 60, right: false, narrow: 8, drop: 2 },
    Column { title: "HEALTH", min: 6, max: 16, right: false, narrow: 0, drop: 6 },
    Column { title: "AUTO", min: 4, max: 8, right: true, narrow: 0, drop: 9 },
    Column { title: "CHANGED BY", min: 10, max: 32, right: false, narrow: 10, drop: 12 },
];

impl Rows for ApprovalRows {
    type Key = GateKey;

    fn columns(&self) -> &'static [Column] {
        COLUMNS
    }

    fn keys(&self, world: &World) -> Vec<GateKey> {
        let mut keys: Vec<(Option<Timestamp>, GateKey)> = Vec::new();
        for waiting in world.store.approvals() {
            for gate in &waiting.gates {
                keys.push((gate.since, GateKey { app: waiting.app.clone(), step: gate.step.name.clone() }));
            }
        }
        // Oldest first; what has no time last.
        keys.sort_by(|a, b| (a.0.is_none(), a.0, &a.1.app, &a.1.step).cmp(&(b.0.is_none(), b.0, &b.1.app, &b.1.step)));
        keys.into_iter().map(|(_, key)| key).collect()
    }

    fn cell(&self, world: &World, key: &GateKey, column: usize) -> Cell {
        let Some((waiting, gate)) = find(world, key) else { return Cell::new() };
        match column {
            SINCE => vec![Part::Ago(gate.since, Tone::Plain)],
            APPLICATION => vec![Part::dim(format!("{}/", key.app.namespace)), Part::plain(&*key.app.name)],
            STEP if gate.step.name.is_empty() => vec![Part::dim(gate.reason.as_str())],
            STEP => {
                let mut cell = vec![Part::plain(&*gate.step.name)];
                if gate.reason != GateReason::Approval {
                    cell.push(Part::dim(format!(" ({})", gate.reason.as_str())));
                }
                cell
            }
            NEXT => vec![Part::plain(words::next(waiting))],
            HEALTH => match world.standing(&key.app) {
                Some(standing) if standing.total > 0 => {
                    let well = standing.ready == standing.total;
                    let class = if well { Health::Ok } else { Health::Failed };
                    let tone = if well { Tone::Dim } else { Tone::Health(class) };
                    vec![Part::Text(format!("{}/{} ", standing.ready, standing.total), tone), Part::Mark(class)]
                }
                _ => vec![Part::dim("-")],
            },
            AUTO if gate.resumes_at.is_some() => vec![Part::Until(gate.resumes_at, Tone::Plain)],
            AUTO => vec![Part::dim("-")],
            _ => match &waiting.changed_by {
                Some(change) => vec![Part::dim(format!("{} ", change.manager)), Part::Ago(change.at, Tone::Dim)],
                None => vec![Part::dim("-")],
            },
        }
    }

    fn health(&self, world: &World, key: &GateKey) -> Health {
        world.standing(&key.app).map_or(Health::Waiting, |standing| standing.health)
    }

    fn stale(&self, world: &World, _key: &GateKey) -> Option<Timestamp> {
        world.stale_since(&crate::model::key::ClusterId::local())
    }

    fn reason(&self, world: &World, key: &GateKey) -> Option<String> {
        let (_, gate) = find(world, key)?;
        let prompt = gate.prompt.as_deref();
        // What is wrong with the application matters more to an approver than the prompt.
        let reason = world.standing(&key.app).and_then(|standing| standing.reason.as_deref().map(str::to_owned));
        // Of one that merely waits, the prompt is the reason.
        let reason = reason.filter(|reason| prompt != Some(reason));
        match (reason, prompt.map(|prompt| format!("\"{prompt}\""))) {
            (Some(reason), Some(prompt)) => Some(format!("{reason} · {prompt}")),
            (reason, prompt) => reason.or(prompt),
        }
    }

    fn empty(&self, world: &World) -> String {
        let asked = |query: &Query| matches!(query, Query::Applications(_));
        let why = world.why_empty("waiting steps", asked);
        if why.starts_with("no waiting steps") { "nothing waits for approval".to_owned() } else { why }
    }

    fn sort_key(&self, world: &World, key: &GateKey, column: usize) -> SortKey {
        match column {
            SINCE => SortKey::Time(find(world, key).and_then(|(_, gate)| gate.since)),
            AUTO => SortKey::Time(find(world, key).and_then(|(_, gate)| gate.resumes_at)),
            _ => SortKey::Text(crate::app::table::cell_text(&self.cell(world, key, column)).to_lowercase()),
        }
    }
}

fn find<'a>(world: &'a World, key: &GateKey) -> Option<(&'a Waiting, &'a Gate)> {
    let waiting = world.waiting(&key.app)?;
    let gate = waiting.gates.iter().find(|gate| gate.step.name == key.step)?;
    Some((waiting, gate))
}

/// Obeys a key.
pub fn on_action(table: &mut Table<ApprovalRows>, action: Action, _world: &World) -> Reaction {
    if table.on_action(action) {
        return Reaction::taken();
    }
    let Some(GateKey { app, step }) = table.selected().cloned() else { return Reaction::ignored() };
    Reaction::wish(match action {
        Action::Enter => {
            let mut page = ApplicationPage::new(app);
            page.select(ItemKey::Step(step));
            Wish::Open(Box::new(Page::Application(Box::new(page))))
        }
        Action::Approve => Wish::Approve(app, Some(step)),
        Action::Logs => Wish::LogsOfApp(app),
        Action::Forward => Wish::Forward(app, None),
        Action::Why => Wish::Open(Box::new(Page::Why(Box::new(WhyPage::new(if step.is_empty() {
            Subject::Application(app)
        } else {
            Subject::Step(app, step)
        }))))),
        Action::Copy => Wish::Copy(app.to_string()),
        _ => return Reaction::ignored(),
    })
}
