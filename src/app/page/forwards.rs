//! The forwards of this session.

use crate::{
    app::{
        keymap::Action,
        message::ForwardId,
        page::{Reaction, Wish},
        table::{Cell, Column, Part, Rows, Table, Tone},
        world::{Forward, World},
    },
    model::{forward::ForwardState, health::Health, usage},
};

/// The rows: one a forward.
#[derive(Clone, Debug)]
pub struct ForwardRows;

const COLUMNS: &[Column] = &[
    Column { title: "LOCAL", min: 16, max: 32, right: false, narrow: 2, drop: 0 },
    Column { title: "CLUSTER", min: 6, max: 24, right: false, narrow: 6, drop: 4 },
    Column { title: "NAMESPACE", min: 9, max: 24, right: false, narrow: 8, drop: 7 },
    Column { title: "TARGET", min: 14, max: 60, right: false, narrow: 3, drop: 0 },
    Column { title: "STATE", min: 14, max: 70, right: false, narrow: 12, drop: 0 },
    Column { title: "CONNS", min: 5, max: 12, right: true, narrow: 0, drop: 6 },
    Column { title: "SENT", min: 5, max: 10, right: true, narrow: 0, drop: 8 },
    Column { title: "RECEIVED", min: 8, max: 10, right: true, narrow: 0, drop: 8 },
    Column { title: "RECON", min: 5, max: 6, right: true, narrow: 0, drop: 9 },
    Column { title: "AGE", min: 3, max: 12, right: true, narrow: 0, drop: 5 },
];

impl Rows for ForwardRows {
    type Key = ForwardId;

    fn columns(&self) -> &'static [Column] {
        COLUMNS
    }

    fn keys(&self, world: &World) -> Vec<ForwardId> {
        world.forwards.iter().map(|forward| forward.id).collect()
    }

    fn cell(&self, world: &World, key: &ForwardId, column: usize) -> Cell {
        let Some(forward) = find(world, *key) else { return Cell::new() };
        let target = &forward.target;
        match column {
            0 => match url(forward) {
                Some(url) => vec![Part::Text(url, Tone::Accent)],
                None => vec![Part::dim("-")],
            },
            1 => vec![Part::plain(target.cluster.as_str())],
            2 => vec![Part::dim(&*target.namespace)],
            3 => vec![Part::plain(format!("{}/{}:{}", target.kind.as_str(), target.name, target.port))],
            4 => {
                let health = state_health(&forward.state);
                let tone = if health == Health::Ok { Tone::Dim } else { Tone::Health(health) };
                vec![Part::Mark(health), Part::Text(format!(" {}", state(&forward.state)), tone)]
            }
            // Open now, of all that there were.
            5 => vec![Part::plain(format!("{}/{}", forward.traffic.open, forward.traffic.total))],
            6 => vec![Part::dim(usage::memory(forward.traffic.sent))],
            7 => vec![Part::dim(usage::memory(forward.traffic.received))],
            8 => vec![Part::dim(forward.traffic.reconnects.to_string())],
            _ => vec![Part::Ago(Some(forward.since), Tone::Dim)],
        }
    }

    fn narrow_cell(&self, world: &World, key: &ForwardId, column: usize) -> Cell {
        if let (0, Some(url)) = (column, find(world, *key).and_then(url)) {
            // The port is what one looks for: the scheme goes first.
            let address = url.split_once("://").map_or(&*url, |(_, address)| address);
            return vec![Part::Text(address.to_owned(), Tone::Accent)];
        }
        let mut cell = self.cell(world, key, column);
        if column == 4
            && let Some(Part::Text(text, _)) = cell.last_mut()
            && let Some(end) = text.find(',')
        {
            text.truncate(end);
        }
        cell
    }

    fn health(&self, world: &World, key: &ForwardId) -> Health {
        find(world, *key).map_or(Health::Gone, |forward| state_health(&forward.state))
    }

    fn reason(&self, world: &World, key: &ForwardId) -> Option<String> {
        match &find(world, *key)?.state {
            ForwardState::Reconnecting { reason, .. } | ForwardState::Failed { reason } => Some(reason.to_string()),
            ForwardState::Active { .. } => {
                let traffic = &find(world, *key)?.traffic;
                let reason = traffic.last_error.as_ref()?;
                Some(format!("{} of {} connections failed, the last: {reason}", traffic.failed, traffic.total))
            }
            ForwardState::Connecting | ForwardState::Stopped => None,
        }
    }

    fn empty(&self, _world: &World) -> String {
        "no forwards: F on an application or a pod opens one".to_owned()
    }
}

fn find(world: &World, id: ForwardId) -> Option<&Forward> {
    world.forwards.iter().find(|forward| forward.id == id)
}

/// Where it can be reached.
pub fn url(forward: &Forward) -> Option<String> {
    let local = match &forward.state {
        ForwardState::Active { local, .. } | ForwardState::Reconnecting { local, .. } => local,
        ForwardState::Connecting | ForwardState::Failed { .. } | ForwardState::Stopped => return None,
    };
    let scheme = if forward.target.port == 443 || &*forward.target.port_name == "https" { "https" } else { "http" };
    Some(format!("{scheme}://{local}"))
}

/// A state in words.
pub fn state(state: &ForwardState) -> String {
    match state {
        ForwardState::Connecting => "connecting".to_owned(),
        ForwardState::Active { pod, .. } => format!("active, to pod {pod}"),
        ForwardState::Reconnecting { .. } => "reconnecting".to_owned(),
        ForwardState::Failed { .. } => "failed".to_owned(),
        ForwardState::Stopped => "stopped".to_owned(),
    }
}

fn state_health(state: &ForwardState) -> Health {
    match state {
        ForwardState::Connecting | ForwardState::Reconnecting { .. } => Health::Progressing,
        ForwardState::Active { .. } => Health::Ok,
        ForwardState::Failed { .. } => Health::Failed,
        ForwardState::Stopped => Health::Gone,
    }
}

/// Obeys a key.
pub fn on_action(table: &mut Table<ForwardRows>, action: Action, world: &World) -> Reaction {
    if table.on_action(action) {
        return Reaction::taken();
    }
    let Some(id) = table.selected().copied() else { return Reaction::ignored() };
    match action {
        Action::Stop => Reaction::wish(Wish::StopForward(id)),
        Action::Copy | Action::Enter => match find(world, id).and_then(url) {
            Some(url) => Reaction::wish(Wish::Copy(url)),
            None => Reaction::taken(),
        },
        _ => Reaction::ignored(),
    }
}
