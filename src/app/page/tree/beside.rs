//! The clusters side by side, as the page shows them: which rows, which column the cursor is in, what cells say.
//!
//! What is otherwise than in most clusters has a star; `u` hides the rows in which all are the same. A cell that stands
//! for several objects (pods, which have other names in every cluster) is acted upon by its worst.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::line::{self, LineId};
use crate::{
    app::{
        filter::{Filter, Haystack, Tester},
        table::{Cell, Part, Tone},
    },
    model::{
        health::Health,
        key::ClusterId,
        tree::{
            Tree, What,
            beside::{Beside, Here, Row, There, beside},
        },
    },
};

/// Clusters named at most where several say the same.
const NAMED: usize = 3;

/// The clusters side by side.
#[derive(Debug)]
pub struct SideBySide {
    beside: Beside,
    /// The cursor's column: its cluster, and where that was last.
    cluster: Option<ClusterId>,
    column: usize,
    /// Whether rows in which all clusters are the same are hidden.
    pub only_different: bool,
}

impl SideBySide {
    /// A tree's clusters side by side.
    pub(super) fn new(tree: &Tree) -> Self {
        let beside = beside(tree);
        let cluster = beside.clusters.first().cloned();
        Self { beside, cluster, column: 0, only_different: false }
    }

    /// The tree is another one now; the cursor stays with its cluster.
    pub(super) fn take(&mut self, tree: &Tree) {
        self.beside = beside(tree);
        let found = self.cluster.as_ref().and_then(|wanted| self.clusters().iter().position(|one| one == wanted));
        self.move_to(found.unwrap_or(self.column));
    }

    fn move_to(&mut self, column: usize) {
        self.column = column.min(self.clusters().len().saturating_sub(1));
        self.cluster = self.clusters().get(self.column).cloned();
    }

    /// To a column further left or right.
    pub(super) fn pan(&mut self, by: isize) {
        self.move_to(self.column.saturating_add_signed(by));
    }

    /// The columns.
    pub fn clusters(&self) -> &[ClusterId] {
        &self.beside.clusters
    }

    /// All rows.
    pub fn rows(&self) -> &[Row] {
        &self.beside.rows
    }

    /// The cursor's column.
    pub fn column(&self) -> usize {
        self.column
    }

    /// The cursor's cluster.
    pub fn cluster(&self) -> Option<&ClusterId> {
        self.cluster.as_ref()
    }

    /// Rows in which the clusters differ.
    pub fn different(&self) -> usize {
        self.rows().iter().filter(|row| row.differs()).count()
    }

    /// Who the rows are, from one look to the next.
    pub(super) fn ids(&self) -> Vec<LineId> {
        let mut ids: Vec<LineId> = Vec::with_capacity(self.rows().len());
        for row in self.rows() {
            let mut hasher = DefaultHasher::new();
            row.parent.and_then(|parent| ids.get(parent)).hash(&mut hasher);
            (&row.component, &row.group, &row.kind, &row.namespace, &row.name, row.idle).hash(&mut hasher);
            ids.push(hasher.finish());
        }
        ids
    }

    fn there(&self, row: usize, column: usize) -> Option<&There> {
        match &self.rows().get(row)?.cells.get(column)?.here {
            Here::There(there) => Some(there),
            Here::Absent | Here::Unknown | Here::NotYet => None,
        }
    }

    /// The tree's lines in the cursor's cell of a row.
    pub(super) fn lines(&self, row: usize) -> &[usize] {
        self.there(row, self.column).map(|there| there.lines.as_slice()).unwrap_or_default()
    }

    /// The worst of them.
    pub(super) fn line(&self, row: usize) -> Option<usize> {
        self.lines(row).first().copied()
    }

    /// Whether the cursor's cell of a row stands for several objects.
    pub(super) fn several(&self, row: usize) -> bool {
        self.lines(row).len() > 1
    }

    /// Why there is nothing in the cursor's cell of a row.
    pub(super) fn nothing_here(&self, row: usize) -> String {
        let (Some(row), Some(cluster)) = (self.rows().get(row), self.cluster()) else {
            return "nothing is under the cursor for that".to_owned();
        };
        let name = name(row, "…");
        match row.cells.get(self.column).map(|cell| &cell.here) {
            Some(Here::Unknown) => format!("whether {name} is in {cluster} is not known"),
            Some(Here::NotYet) => format!("nothing is deployed to {cluster} yet"),
            _ => format!("{name} is not in {cluster}"),
        }
    }

    /// The row of something, and the cursor in its column; of a cluster: its column alone, and the first row.
    pub(super) fn find(&mut self, tree: &Tree, sought: &What) -> Option<usize> {
        if let Some(column) = self.clusters().iter().position(|cluster| cluster == sought.cluster()) {
            self.move_to(column);
        }
        if matches!(sought, What::Cluster(_)) {
            return Some(0);
        }
        let found = line::find(tree, sought)?;
        let holds = |row: &Row| {
            row.cells.iter().any(|cell| matches!(&cell.here, Here::There(there) if there.lines.contains(&found)))
        };
        self.rows().iter().position(holds)
    }

    /// The rows that pass the filters, with everything that those hang from.
    pub(super) fn wanted(&self, filter: &Filter, only_not_ok: bool) -> Vec<usize> {
        let rows = self.rows();
        let mut tester = Tester::new(filter);
        let mut keep = vec![false; rows.len()];
        for (at, row) in rows.iter().enumerate().rev() {
            let well = matches!(row.health(), Health::Ok | Health::Pending | Health::Gone);
            let passes = !(only_not_ok && well)
                && (!self.only_different || row.differs())
                && (filter.is_empty() || tester.passes(&RowText(row, self.clusters())));
            if passes || keep.get(at) == Some(&true) {
                for at in [Some(at), row.parent].into_iter().flatten() {
                    if let Some(keep) = keep.get_mut(at) {
                        *keep = true;
                    }
                }
            }
        }
        keep.iter().enumerate().filter(|(_, keep)| **keep).map(|(at, _)| at).collect()
    }

    /// The next visible row, or the next column of this one, in which something is not well by itself.
    pub(super) fn next_bad(&mut self, tree: &Tree, visible: &[usize], at: usize) -> Option<usize> {
        let columns = self.clusters().len();
        let cells = visible.len() * columns;
        let now = at * columns + self.column;
        let is_bad = |cell: &usize| {
            let there = visible.get(cell / columns).and_then(|row| self.there(*row, cell % columns));
            let worst = there.and_then(|there| tree.nodes.get(*there.lines.first()?));
            worst.is_some_and(|node| !matches!(node.own, Health::Ok | Health::Pending))
        };
        let found = (now + 1..cells).chain(0..cells.min(now + 1)).find(is_bad)?;
        self.move_to(found % columns);
        Some(found / columns)
    }

    /// What a cell says: how it stands, how many of how many are ready, how old it is; a star where it stands out.
    pub fn cell(&self, row: usize, column: usize) -> Cell {
        let Some(cell) = self.rows().get(row).and_then(|row| row.cells.get(column)) else { return Cell::new() };
        let mut parts = vec![if cell.stands_out { Part::Text("*".to_owned(), Tone::Accent) } else { Part::plain(" ") }];
        match &cell.here {
            Here::There(there) => {
                let tone = match there.health {
                    Health::Ok | Health::Pending if cell.stands_out => Tone::Strong,
                    Health::Ok | Health::Pending => Tone::Dim,
                    health => Tone::Health(health),
                };
                parts.push(Part::Mark(there.health));
                let word = match (there.ready, there.health) {
                    _ if self.rows().get(row).is_some_and(|row| row.idle) => String::new(),
                    (Some((ready, of)), _) => format!(" {ready}/{of}"),
                    (None, _) if there.outdated => " old".to_owned(),
                    (None, Health::Failed | Health::Gone | Health::Unknown) => format!(" {}", there.health.as_str()),
                    (None, _) => String::new(),
                };
                parts.push(Part::Text(word, tone));
                if there.created_at.is_some() {
                    parts.push(Part::plain(" "));
                    parts.push(Part::Ago(there.created_at, Tone::Dim));
                }
            }
            Here::Absent => parts.push(Part::dim("-")),
            Here::Unknown => parts.push(Part::Mark(Health::Unknown)),
            Here::NotYet => parts.push(Part::Mark(Health::Pending)),
        }
        parts
    }

    /// What is to be said of the cursor's cell; and, where the clusters differ, of those that most are like.
    pub fn told(&self, tree: &Tree, row: usize, mark: &str) -> Vec<Cell> {
        let (Some(shown), Some(cluster)) = (self.rows().get(row), self.cluster()) else { return Vec::new() };
        let here = match self.there(row, self.column) {
            None => vec![Part::plain(self.nothing_here(row))],
            Some(there) => {
                let mut parts = vec![Part::Mark(there.health), Part::plain(format!("{cluster}  "))];
                parts.extend(of_there(tree, there));
                parts
            }
        };
        let mut lines = vec![here];
        if shown.differs() {
            // The first of those that most are like speaks for them.
            let alike = |cell: &crate::model::tree::beside::Cell| {
                !cell.stands_out && !matches!(cell.here, Here::Unknown | Here::NotYet)
            };
            let most: Vec<usize> =
                shown.cells.iter().enumerate().filter(|(_, cell)| alike(cell)).map(|(at, _)| at).collect();
            let mut parts = vec![Part::dim("most  ")];
            match most.first().and_then(|first| self.there(row, *first)) {
                Some(there) => parts.extend(of_there(tree, there)),
                None => parts.push(Part::plain(format!("{} is not there", name(shown, mark)))),
            }
            let names: Vec<&str> =
                most.iter().filter_map(|at| self.clusters().get(*at)).take(NAMED).map(ClusterId::as_str).collect();
            let more = most.len().saturating_sub(NAMED);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            parts.push(Part::dim(format!("  ({}{more})", names.join(", "))));
            lines.push(parts);
        }
        lines
    }
}

/// What is to be said of a cell: of several objects the worst.
fn of_there(tree: &Tree, there: &There) -> Cell {
    let Some(node) = there.lines.first().and_then(|line| tree.nodes.get(*line)) else { return Cell::new() };
    let of = there.lines.len();
    let more = if of > 1 { format!(" (the worst of {of})") } else { String::new() };
    let word = if matches!(node.own, Health::Ok | Health::Pending) { "" } else { node.own.as_str() };
    let said: Vec<&str> = [word, &*node.message].into_iter().filter(|words| !words.is_empty()).collect();
    vec![
        Part::dim(format!("{}{more}", line::told(&node.what))),
        Part::plain(if said.is_empty() { String::new() } else { format!(": {}", said.join(": ")) }),
    ]
}

/// The name of a row; what has another one in every cluster has the mark for it.
pub fn name(row: &Row, mark: &str) -> String {
    match &row.name {
        _ if row.idle => format!("older {}s", row.kind),
        Some(name) => format!("{}/{name}", row.kind),
        None => format!("{}/{mark}", row.kind),
    }
}

/// What a row shows to a filter: of the clusters those in which it is.
struct RowText<'a>(&'a Row, &'a [ClusterId]);

impl Haystack for RowText<'_> {
    fn column(&self, column: usize, out: &mut String) {
        let Self(row, clusters) = self;
        match column {
            0 => out.push_str(&row.kind),
            1 => out.push_str(row.name.as_deref().unwrap_or_default()),
            2 => {
                let there = clusters.iter().zip(&row.cells).filter(|(_, cell)| matches!(cell.here, Here::There(_)));
                for (cluster, _) in there {
                    out.push_str(cluster.as_str());
                    out.push(' ');
                }
            }
            3 => out.push_str(&row.namespace),
            _ => out.push_str(&row.component),
        }
    }

    fn whole(&self, out: &mut String) {
        for column in 0..2 {
            self.column(column, out);
            out.push(if column == 0 { '/' } else { ' ' });
        }
        out.push_str(self.0.health().as_str());
    }
}

/// The name of a row with what stands before it, for the screen.
pub fn label(row: &Row, mark: &str) -> Cell {
    let health = row.health();
    let name = name(row, mark);
    let parts = match name.split_once('/') {
        Some((kind, name)) => vec![Part::dim(format!("{kind}/")), Part::plain(name)],
        None => vec![Part::dim(name)],
    };
    [vec![Part::Mark(health), Part::plain(" ")], parts].concat()
}
