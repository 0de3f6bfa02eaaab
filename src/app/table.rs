//! A list of rows: what all tables share. The cursor belongs to an object, not to a row number.

use std::{cmp::Ordering, collections::HashSet, fmt::Debug, hash::Hash};

use jiff::{SignedDuration, Timestamp};

use crate::model::health::Health;

use super::{
    filter::{Filter, Haystack, Tester},
    keymap::Action,
    world::World,
};

/// How a piece of text is meant; the theme says how that looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Plain.
    Plain,
    /// What recedes.
    Dim,
    /// What stands out.
    Strong,
    /// The accent.
    Accent,
    /// By a class of health.
    Health(Health),
}

/// A piece of a cell.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// Text.
    Text(String, Tone),
    /// The mark of a class, one cell wide.
    Mark(Health),
    /// How long ago.
    Ago(Option<Timestamp>, Tone),
    /// How long until.
    Until(Option<Timestamp>, Tone),
    /// How long it has been running, with seconds.
    Running(Timestamp),
}

impl Part {
    /// Plain text.
    pub fn plain(text: impl Into<String>) -> Self {
        Self::Text(text.into(), Tone::Plain)
    }

    /// Text that recedes.
    pub fn dim(text: impl Into<String>) -> Self {
        Self::Text(text.into(), Tone::Dim)
    }
}

/// What stands in one column of one row.
pub type Cell = Vec<Part>;

/// A column.
#[derive(Debug)]
pub struct Column {
    /// Its heading; in lower case the name that a filter takes.
    pub title: &'static str,
    /// Narrowest it is shown.
    pub min: u16,
    /// Widest it grows.
    pub max: u16,
    /// Whether it is aligned to the right, as numbers and ages are.
    pub right: bool,
    /// When it is narrowed to `min` where room is short: the highest of all such numbers first; 0 never.
    pub narrow: u8,
    /// When it goes whole.
    pub drop: u8,
}

/// What rows are sorted by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SortKey {
    /// Nothing known: last.
    Number(i64),
    /// A time.
    Time(Option<Timestamp>),
    /// Text, in lower case.
    Text(String),
}

/// What a table shows. The rows' keys come from the store; cells are made for rows on screen only.
pub trait Rows {
    /// Identity of a row.
    type Key: Clone + Eq + Hash + Debug;

    /// The columns.
    fn columns(&self) -> &'static [Column];

    /// The keys of all rows of the namespace shown, in the order they have without sorting.
    fn keys(&self, world: &World) -> Vec<Self::Key>;

    /// Counts up at least whenever `keys` would answer others.
    fn keys_revision(&self, world: &World) -> u64 {
        world.revision()
    }

    /// One cell; empty when the row is gone meanwhile.
    fn cell(&self, world: &World, key: &Self::Key, column: usize) -> Cell;

    /// What stands in a column that had to be narrowed.
    fn narrow_cell(&self, world: &World, key: &Self::Key, column: usize) -> Cell {
        self.cell(world, key, column)
    }

    /// How a row stands.
    fn health(&self, world: &World, key: &Self::Key) -> Health;

    /// Since when the row is not current, if so: it is shown dimmed.
    fn stale(&self, _world: &World, _key: &Self::Key) -> Option<Timestamp> {
        None
    }

    /// Why a row is not well: one line beneath it while the cursor is on it.
    fn reason(&self, _world: &World, _key: &Self::Key) -> Option<String> {
        None
    }

    /// Why there is nothing, where there is nothing.
    fn empty(&self, world: &World) -> String;

    /// Adds the text of a row that a filter looks at: that of all columns. Worth writing by hand where there are many rows.
    fn text(&self, world: &World, key: &Self::Key, out: &mut String) {
        for column in 0..self.columns().len() {
            push_text(&self.cell(world, key, column), out);
            out.push(' ');
        }
    }

    /// What a column is sorted by; numbers and ages as such, else the text.
    fn sort_key(&self, world: &World, key: &Self::Key, column: usize) -> SortKey {
        let cell = self.cell(world, key, column);
        if let Some(Part::Ago(time, _) | Part::Until(time, _)) = cell.first() {
            return SortKey::Time(*time);
        }
        let text = cell_text(&cell);
        text.parse().map_or_else(|_| SortKey::Text(text.to_lowercase()), SortKey::Number)
    }
}

/// The text of a cell as filters and the clipboard see it: without marks and ages.
pub fn cell_text(cell: &Cell) -> String {
    let mut text = String::new();
    push_text(cell, &mut text);
    text.trim().to_owned()
}

fn push_text(cell: &Cell, out: &mut String) {
    for part in cell {
        if let Part::Text(part, _) = part {
            out.push_str(part);
        }
    }
}

struct RowText<'a, R: Rows> {
    rows: &'a R,
    world: &'a World,
    key: &'a R::Key,
}

impl<R: Rows> Haystack for RowText<'_, R> {
    fn column(&self, column: usize, out: &mut String) {
        push_text(&self.rows.cell(self.world, self.key, column), out);
    }

    fn whole(&self, out: &mut String) {
        self.rows.text(self.world, self.key, out);
    }
}

/// The order chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sort {
    /// The column.
    pub column: usize,
    /// Whether turned.
    pub descending: bool,
}

/// What the list of visible rows was made from: it is made anew when this changes.
#[derive(Clone, Debug, PartialEq)]
struct Made {
    /// That of the rows' contents where these choose or order them, else that of their keys.
    revision: u64,
    asked: Asked,
}

/// What the operator asked to see.
#[derive(Clone, Debug, PartialEq)]
struct Asked {
    namespace: Option<crate::model::key::Text>,
    filter: Filter,
    sort: Option<Sort>,
    only_not_ok: bool,
}

/// Up to so many rows, the list is made anew for every frame that needs it.
const FEW: usize = 10_000;
/// For more, the time between two that changes of the world cause, for each row; what the operator asks is done at once.
const PAUSE_PER_ROW: SignedDuration = SignedDuration::from_micros(5);

/// A table's own state.
#[derive(Clone, Debug)]
pub struct Table<R: Rows> {
    /// What it shows.
    pub rows: R,
    visible: Vec<R::Key>,
    total: usize,
    cursor: Option<R::Key>,
    /// Where the cursor was: the place it keeps when its object goes.
    at: usize,
    filter: Filter,
    sort: Option<Sort>,
    only_not_ok: bool,
    marks: HashSet<R::Key>,
    made: Option<Made>,
    made_at: Timestamp,
    /// When the list shall be made anew, where it waits for that.
    due: Option<Timestamp>,
    /// First row on screen and rows that fit, as drawn last.
    offset: usize,
    height: usize,
}

impl<R: Rows> Table<R> {
    /// A table with the cursor on its first row.
    pub fn new(rows: R) -> Self {
        Self {
            rows,
            visible: Vec::new(),
            total: 0,
            cursor: None,
            at: 0,
            filter: Filter::default(),
            sort: None,
            only_not_ok: false,
            marks: HashSet::new(),
            made: None,
            made_at: Timestamp::UNIX_EPOCH,
            due: None,
            offset: 0,
            height: 0,
        }
    }

    /// The same with an order to begin with.
    #[must_use]
    pub fn sorted(mut self, column: usize, descending: bool) -> Self {
        self.sort = Some(Sort { column, descending });
        self
    }

    /// Brings the visible rows up to what the store knows; cheap when nothing changed. A list of very many rows
    /// follows the world at some distance ([`Table::next_tick`]), since it takes its time.
    pub fn settle(&mut self, world: &World) {
        let asked = Asked {
            namespace: world.namespace().cloned(),
            filter: self.filter.clone(),
            sort: self.sort,
            only_not_ok: self.only_not_ok,
        };
        let by_content = !self.filter.is_empty() || self.sort.is_some() || self.only_not_ok;
        let revision = if by_content { world.revision() } else { self.rows.keys_revision(world) };
        if let Some(made) = self.made.as_ref().filter(|made| made.asked == asked) {
            self.due = None;
            if made.revision == revision {
                return;
            }
            let pause = PAUSE_PER_ROW * i32::try_from(self.total).unwrap_or(i32::MAX);
            let due = self.made_at.saturating_add(pause).unwrap_or(Timestamp::MAX);
            if self.total > FEW && self.made_at <= world.now && world.now < due {
                self.due = Some(due);
                return;
            }
        }
        self.due = None;
        self.made_at = world.now;
        let made = Made { revision, asked };
        let mut keys = self.rows.keys(world);
        self.total = keys.len();
        let rows = &self.rows;
        if self.only_not_ok {
            keys.retain(|key| !matches!(rows.health(world, key), Health::Ok | Health::Pending));
        }
        if !self.filter.is_empty() {
            let mut tester = Tester::new(&self.filter);
            keys.retain(|key| tester.passes(&RowText { rows, world, key }));
        }
        if let Some(sort) = self.sort {
            keys.sort_by_cached_key(|key| Ordered {
                key: rows.sort_key(world, key, sort.column),
                turned: sort.descending,
            });
        }
        self.visible = keys;
        self.made = Some(made);
        self.find_cursor();
    }

    /// When the list is to be made anew, if it waits for that.
    pub fn next_tick(&self) -> Option<Timestamp> {
        self.due
    }

    /// Puts the cursor on its object, or where it was when that is gone.
    fn find_cursor(&mut self) {
        let found = match &self.cursor {
            // It mostly is where it was.
            Some(key) if self.visible.get(self.at) == Some(key) => Some(self.at),
            Some(key) => self.visible.iter().position(|row| row == key),
            None => None,
        };
        self.at = found.unwrap_or(self.at).min(self.visible.len().saturating_sub(1));
        if !self.visible.is_empty() {
            self.cursor = self.visible.get(self.at).cloned();
        }
    }

    /// Lets go of the rows; the object under the cursor, filter and order are kept for when they come again.
    pub fn forget(&mut self) {
        self.visible = Vec::new();
        self.total = 0;
        self.made = None;
    }

    /// Puts the cursor on an object; it is found when it comes into sight.
    pub fn select(&mut self, key: R::Key) {
        self.cursor = Some(key);
        self.find_cursor_or_wait();
    }

    fn find_cursor_or_wait(&mut self) {
        if let Some(key) = &self.cursor
            && let Some(at) = self.visible.iter().position(|row| row == key)
        {
            self.at = at;
        }
    }

    /// The object under the cursor.
    pub fn selected(&self) -> Option<&R::Key> {
        self.visible.get(self.at)
    }

    /// The rows that are shown, in order.
    pub fn visible(&self) -> &[R::Key] {
        &self.visible
    }

    /// Those of them on screen, as drawn last.
    pub fn on_screen(&self) -> &[R::Key] {
        let from = self.offset.min(self.visible.len());
        let to = (self.offset + self.height).min(self.visible.len());
        self.visible.get(from..to).unwrap_or_default()
    }

    /// Whether a row is marked.
    pub fn is_marked(&self, key: &R::Key) -> bool {
        self.marks.contains(key)
    }

    /// How many rows are marked, those out of sight included.
    pub fn marked_count(&self) -> usize {
        self.marks.len()
    }

    /// The marked rows: those that are shown, in their order, then the others.
    pub fn marked(&self) -> Vec<R::Key> {
        let mut marked: Vec<R::Key> = self.visible.iter().filter(|key| self.marks.contains(*key)).cloned().collect();
        if marked.len() < self.marks.len() {
            let shown: HashSet<&R::Key> = self.visible.iter().collect();
            marked.extend(self.marks.iter().filter(|key| !shown.contains(key)).cloned());
        }
        marked
    }

    /// Obeys the keys of marks, in a table that has them; `false`: not one of them.
    pub fn on_mark(&mut self, action: Action) -> bool {
        match action {
            Action::Mark => {
                let Some(key) = self.selected().cloned() else { return false };
                if !self.marks.remove(&key) {
                    self.marks.insert(key);
                }
                // On to the next: several beside each other are marked by one key alone.
                self.go(self.at.saturating_add(1).min(self.visible.len().saturating_sub(1)));
            }
            // What is marked is given up before the page is.
            Action::Back if !self.marks.is_empty() && self.filter.is_empty() => self.marks.clear(),
            _ => return false,
        }
        true
    }

    /// The cursor's place among them.
    pub fn at(&self) -> usize {
        self.at
    }

    /// The first row on screen, as drawn last.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// Rows before filters.
    pub fn total(&self) -> usize {
        self.total
    }

    /// The filter in force.
    pub fn filter(&self) -> &Filter {
        &self.filter
    }

    /// The order in force.
    pub fn sort(&self) -> Option<Sort> {
        self.sort
    }

    /// Whether only what is not ok is shown.
    pub fn only_not_ok(&self) -> bool {
        self.only_not_ok
    }

    /// What the title counts: all, or those shown of all.
    pub fn count(&self) -> String {
        if self.filter.is_empty() && !self.only_not_ok {
            self.total.to_string()
        } else {
            format!("{}/{}", self.visible.len(), self.total)
        }
    }

    /// Why nothing is shown.
    pub fn empty(&self, world: &World) -> String {
        if self.total == 0 {
            return self.rows.empty(world);
        }
        match (self.filter.is_empty(), self.only_not_ok) {
            (false, _) => format!("none of {} matches /{} (esc takes the filter away)", self.total, self.filter.raw()),
            (true, true) => format!("all {} are ok (ctrl-x shows them)", self.total),
            (true, false) => String::new(),
        }
    }

    /// Takes a filter as it is typed.
    pub fn set_filter(&mut self, raw: &str) {
        let names: Vec<&str> = self.rows.columns().iter().map(|column| column.title).collect();
        self.filter = Filter::parse(raw, &names);
    }

    /// Takes what was drawn: the first row and how many fit.
    pub fn on_drawn(&mut self, offset: usize, height: usize) {
        self.offset = offset;
        self.height = height;
    }

    /// Obeys the keys that every table has; `false`: not one of them.
    pub fn on_action(&mut self, action: Action) -> bool {
        let page = self.height.saturating_sub(1).max(1);
        let last = self.visible.len().saturating_sub(1);
        match action {
            Action::Down => self.go(self.at.saturating_add(1).min(last)),
            Action::Up => self.go(self.at.saturating_sub(1)),
            Action::Top => self.go(0),
            Action::Bottom => self.go(last),
            Action::PageDown => self.go(self.at.saturating_add(page).min(last)),
            Action::PageUp => self.go(self.at.saturating_sub(page)),
            Action::OnlyNotOk => self.only_not_ok = !self.only_not_ok,
            Action::SortLeft => self.sort_by(|column, count| (column + count - 1) % count),
            Action::SortRight => self.sort_by(|column, count| (column + 1) % count),
            Action::SortTurn => {
                let Sort { column, descending } = self.sort.unwrap_or(Sort { column: 0, descending: false });
                self.sort = Some(Sort { column, descending: !descending });
            }
            _ => return false,
        }
        true
    }

    fn go(&mut self, at: usize) {
        self.at = at;
        self.cursor = self.visible.get(at).cloned();
    }

    fn sort_by(&mut self, next: impl Fn(usize, usize) -> usize) {
        let count = self.rows.columns().len().max(1);
        let column = self.sort.map_or(0, |sort| next(sort.column, count));
        self.sort = Some(Sort { column, descending: false });
    }
}

#[derive(PartialEq, Eq)]
struct Ordered {
    key: SortKey,
    turned: bool,
}

impl PartialOrd for Ordered {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Ordered {
    fn cmp(&self, other: &Self) -> Ordering {
        let order = self.key.cmp(&other.key);
        if self.turned { order.reverse() } else { order }
    }
}

#[cfg(test)]
mod tests;
