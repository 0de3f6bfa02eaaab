//! The revisions of an application.

use crate::{
    app::{
        effect::Effect,
        keymap::Action,
        message::StreamId,
        notice::Level,
        page::{Page, Reaction, Wish, diff::DiffPage},
        table::{Cell, Column, Part, Rows, SortKey, Table, Tone},
        world::World,
    },
    model::{
        diff::Comparison,
        health::Health,
        key::{AppKey, Text},
        revision::{Outcome, Revision},
    },
};

/// The rows: one a revision, the newest first.
#[derive(Clone, Debug)]
pub struct RevisionRows {
    /// Of which application.
    pub app: AppKey,
    stream: Option<StreamId>,
    revisions: Option<Vec<Revision>>,
    failed: Option<Text>,
    /// The one that the next `D` compares with.
    marked: Option<Text>,
}

const COLUMNS: &[Column] = &[
    Column { title: "", min: 1, max: 1, right: false, narrow: 0, drop: 0 },
    Column { title: "REVISION", min: 10, max: 40, right: false, narrow: 3, drop: 0 },
    Column { title: "RESULT", min: 11, max: 14, right: false, narrow: 0, drop: 0 },
    Column { title: "CHANGED", min: 8, max: 60, right: false, narrow: 5, drop: 0 },
    Column { title: "PUBLISHED AS", min: 8, max: 24, right: false, narrow: 6, drop: 8 },
    Column { title: "BY", min: 2, max: 24, right: false, narrow: 7, drop: 9 },
    Column { title: "AGE", min: 3, max: 12, right: true, narrow: 0, drop: 0 },
];

impl RevisionRows {
    /// The revisions of an application.
    pub fn new(app: AppKey) -> Self {
        Self { app, stream: None, revisions: None, failed: None, marked: None }
    }

    fn all(&self) -> &[Revision] {
        self.revisions.as_deref().unwrap_or_default()
    }

    fn find(&self, name: &Text) -> Option<&Revision> {
        self.all().iter().find(|revision| revision.name == *name)
    }

    /// The two to compare, the older first: the one under the cursor with the marked one, or with the one before it.
    fn pair(&self, cursor: &Text) -> Result<(Text, Text), String> {
        let of = |name: &Text| self.find(name).map(|revision| revision.number);
        if let Some(marked) = self.marked.as_ref().filter(|marked| *marked != cursor && self.find(marked).is_some()) {
            let (first, second) = if of(marked) < of(cursor) { (marked, cursor) } else { (cursor, marked) };
            return Ok((first.clone(), second.clone()));
        }
        let number = of(cursor);
        let before = self.all().iter().filter(|revision| Some(revision.number) < number);
        match before.max_by_key(|revision| revision.number) {
            Some(before) => Ok((before.name.clone(), cursor.clone())),
            None => Err(format!(
                "{cursor} is the oldest that is kept: mark it with space, and press D on another, to compare the two"
            )),
        }
    }
}

impl Rows for RevisionRows {
    type Key = Text;

    fn columns(&self) -> &'static [Column] {
        COLUMNS
    }

    fn keys(&self, _world: &World) -> Vec<Text> {
        self.all().iter().map(|revision| revision.name.clone()).collect()
    }

    fn cell(&self, _world: &World, key: &Text, column: usize) -> Cell {
        let Some(revision) = self.find(key) else { return Cell::new() };
        match column {
            0 if self.marked.as_ref() == Some(key) => vec![Part::Text("#".to_owned(), Tone::Accent)],
            0 => Cell::new(),
            1 => {
                let mut cell = vec![Part::plain(&*revision.name)];
                if revision.is_current {
                    cell.push(Part::Text(" current".to_owned(), Tone::Accent));
                }
                cell
            }
            2 => {
                let tone = match revision.outcome {
                    Outcome::Succeeded | Outcome::Terminated => Tone::Dim,
                    _ => Tone::Health(revision.outcome.health()),
                };
                vec![Part::Mark(revision.outcome.health()), Part::Text(format!(" {}", revision.outcome.as_str()), tone)]
            }
            3 => vec![Part::plain(&*revision.changed)],
            4 => vec![revision.publish_version.as_ref().map_or(Part::dim("-"), |version| Part::plain(&**version))],
            5 => vec![revision.by.as_ref().map_or(Part::dim("-"), |by| Part::plain(&**by))],
            _ => vec![Part::Ago(revision.created_at, Tone::Dim)],
        }
    }

    fn narrow_cell(&self, world: &World, key: &Text, column: usize) -> Cell {
        let mut cell = self.cell(world, key, column);
        if column == 1
            && let Some(Part::Text(name, _)) = cell.first_mut()
            && let Some(short) = name.strip_prefix(&*self.app.name)
        {
            // `helm-hello-v3`: the number is what tells it.
            *name = short.trim_start_matches('-').to_owned();
        }
        cell
    }

    fn sort_key(&self, _world: &World, key: &Text, column: usize) -> SortKey {
        let Some(revision) = self.find(key) else { return SortKey::Text(String::new()) };
        match column {
            1 => SortKey::Number(revision.number as i64),
            2 => SortKey::Text(revision.outcome.as_str().to_owned()),
            3 => SortKey::Text(revision.changed.to_lowercase()),
            4 => SortKey::Text(revision.publish_version.as_deref().unwrap_or_default().to_owned()),
            5 => SortKey::Text(revision.by.as_deref().unwrap_or_default().to_owned()),
            _ => SortKey::Time(revision.created_at),
        }
    }

    fn health(&self, _world: &World, key: &Text) -> Health {
        self.find(key).map_or(Health::Gone, |revision| revision.outcome.health())
    }

    fn reason(&self, _world: &World, key: &Text) -> Option<String> {
        let message = &self.find(key)?.message;
        (!message.is_empty()).then(|| message.to_string())
    }

    fn empty(&self, world: &World) -> String {
        let current = world.app(&self.app).and_then(|app| app.revision.as_deref());
        match (&self.failed, &self.revisions, current) {
            (Some(reason), ..) => reason.to_string(),
            (None, None, _) => format!("looking up the revisions of {}", self.app),
            (None, Some(_), None) => format!("{} has no revisions: KubeVela has not come to it yet", self.app),
            (None, Some(_), Some(current)) => {
                format!("{} is at revision {current}, but no revision of it is kept", self.app)
            }
        }
    }
}

/// The page comes into sight: it is looked up from now on.
pub fn on_enter(table: &mut Table<RevisionRows>, world: &mut World) -> Vec<Effect> {
    let stream = world.next_id();
    table.rows.stream = Some(stream);
    vec![Effect::WatchRevisions(stream, table.rows.app.clone())]
}

/// The page goes out of sight.
pub fn on_leave(table: &mut Table<RevisionRows>) -> Vec<Effect> {
    table.rows.stream.take().map(Effect::StopRevisions).into_iter().collect()
}

/// Takes what was looked up; for another look: nothing. Says whether something is new.
pub fn on_revisions(table: &mut Table<RevisionRows>, stream: StreamId, answer: Result<Vec<Revision>, Text>) -> bool {
    let rows = &mut table.rows;
    if rows.stream != Some(stream) {
        return false;
    }
    match answer {
        Ok(revisions) => {
            rows.failed = None;
            rows.revisions = Some(revisions);
        }
        Err(reason) => rows.failed = Some(reason),
    }
    true
}

/// What goes wrong beside what is shown: the last look failed, and what is seen is from before.
pub fn stale(table: &Table<RevisionRows>) -> Option<&Text> {
    table.rows.failed.as_ref().filter(|_| table.rows.revisions.is_some())
}

/// Obeys a key.
pub fn on_action(table: &mut Table<RevisionRows>, action: Action, _world: &World) -> Reaction {
    if table.on_action(action) {
        return Reaction::taken();
    }
    let app = table.rows.app.clone();
    let open = |asked| Wish::Open(Box::new(Page::Diff(Box::new(DiffPage::new(asked)))));
    let Some(cursor) = table.selected().cloned() else { return Reaction::ignored() };
    match action {
        Action::Mark => {
            table.rows.marked = if table.rows.marked.as_ref() == Some(&cursor) { None } else { Some(cursor) };
            Reaction::taken()
        }
        Action::Enter => Reaction::wish(open(Comparison::Revision(app, cursor))),
        Action::Diff => Reaction::wish(match table.rows.pair(&cursor) {
            Ok((first, second)) => open(Comparison::Revisions(app, first, second)),
            Err(why) => Wish::Say(Level::Info, why),
        }),
        Action::Live => Reaction::wish(open(Comparison::Live(app, cursor))),
        Action::Copy => Reaction::wish(Wish::Copy(cursor.to_string())),
        _ => Reaction::ignored(),
    }
}
