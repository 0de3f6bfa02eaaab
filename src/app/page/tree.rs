//! The tree of everything an application made, across clusters.
//!
//! The page holds what was looked up last, and which lines are folded; the flat list of visible lines and the cursor
//! belong to it. It is made anew when what is known, a filter or a fold changes, and at no other key: those cost what is
//! on screen. While it is in sight it is looked up again and again; leaving it ends that.
//!
//! It shows the tree in one of three ways: by cluster; merged (`m`: the same of several clusters is one line); side by
//! side (`b`: a column for each cluster, see [`beside`]). The cursor stays with its object from one to another, and the
//! keys act on one object always: that of the line, the worst of a merged one's, that of the cell.

pub mod beside;
mod keys;
pub(in crate::app) mod line;

use std::collections::HashSet;

use crate::{
    app::{
        effect::Effect,
        filter::{Filter, Tester},
        message::StreamId,
        world::World,
    },
    model::{
        health::Health,
        key::{AppKey, PodKey, Text},
        resource::ResourceKey,
        tree::{Node, Tree, What, merged},
    },
};

pub use line::cells;

use beside::SideBySide;
use line::{LineId, LineText, find, ids};

/// Names that a filter takes as `kind:Pod`.
const COLUMNS: &[&str] = &["KIND", "NAME", "CLUSTER", "NAMESPACE", "COMPONENT"];
/// From so many lines on, what is well begins folded.
const MANY: usize = 300;

/// How the tree is shown.
#[derive(Debug)]
enum Form {
    /// Each cluster by itself, as it was told.
    ByCluster,
    /// The same of several clusters as one line.
    Merged(Tree),
    /// A column for each cluster.
    Beside(SideBySide),
}

/// The page.
#[derive(Debug)]
pub struct TreePage {
    /// Which application.
    pub app: AppKey,
    stream: Option<StreamId>,
    /// As it was told, by cluster.
    told: Option<Tree>,
    form: Form,
    failed: Option<Text>,
    ids: Vec<LineId>,
    folded: HashSet<LineId>,
    marks: HashSet<What>,
    visible: Vec<usize>,
    cursor: Option<LineId>,
    /// What the cursor shall stand on once it is known.
    sought: Option<What>,
    at: usize,
    filter: Filter,
    only_not_ok: bool,
    dirty: bool,
    /// Lines of objects: those shown, and all.
    count: (usize, usize),
    /// How often the list of lines was made.
    made: u64,
    offset: usize,
    height: usize,
}

impl TreePage {
    /// The tree of an application.
    pub fn new(app: AppKey) -> Self {
        Self {
            app,
            stream: None,
            told: None,
            form: Form::ByCluster,
            failed: None,
            ids: Vec::new(),
            folded: HashSet::new(),
            marks: HashSet::new(),
            visible: Vec::new(),
            cursor: None,
            sought: None,
            at: 0,
            filter: Filter::default(),
            only_not_ok: false,
            dirty: false,
            count: (0, 0),
            made: 0,
            offset: 0,
            height: 0,
        }
    }

    /// The same with the cursor on one object, once that is known.
    #[must_use]
    pub fn at_object(mut self, key: ResourceKey) -> Self {
        self.sought = Some(What::Object(key));
        self
    }

    /// What the lines are of: what was looked up last, by cluster or merged; `None`: nothing yet.
    pub fn tree(&self) -> Option<&Tree> {
        match &self.form {
            Form::Merged(merged) => Some(merged),
            Form::ByCluster | Form::Beside(_) => self.told.as_ref(),
        }
    }

    /// Whether the same of several clusters is shown as one line.
    pub fn is_merged(&self) -> bool {
        matches!(self.form, Form::Merged(_))
    }

    /// The clusters side by side, where they are shown so.
    pub fn beside(&self) -> Option<&SideBySide> {
        match &self.form {
            Form::Beside(beside) => Some(beside),
            Form::ByCluster | Form::Merged(_) => None,
        }
    }

    /// Why it could not be looked up, where that is so.
    pub fn failed(&self) -> Option<&Text> {
        self.failed.as_ref()
    }

    /// The lines shown, by their place in the tree; side by side: the rows, by theirs.
    pub fn visible(&self) -> &[usize] {
        &self.visible
    }

    /// The cursor's place among them.
    pub fn at(&self) -> usize {
        self.at
    }

    /// The first line on screen, as drawn last.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// The filter in force.
    pub fn filter(&self) -> &Filter {
        &self.filter
    }

    /// Whether only what is not ok is shown.
    pub fn only_not_ok(&self) -> bool {
        self.only_not_ok
    }

    /// Counts up whenever the list of lines is made anew, which takes as long as the tree is large.
    pub fn made(&self) -> u64 {
        self.made
    }

    /// The pods on screen, as drawn last; side by side none, as nothing is told of single ones.
    pub fn pods_on_screen(&self) -> Vec<PodKey> {
        let (Some(tree), None) = (self.tree(), self.beside()) else { return Vec::new() };
        let lines = self.visible.iter().skip(self.offset).take(self.height);
        let objects = lines.filter_map(|line| match &tree.nodes.get(*line)?.what {
            What::Object(key) => key.as_pod(),
            _ => None,
        });
        objects.collect()
    }

    /// The line under the cursor, by its place in [`TreePage::tree`]; side by side the worst of the cell.
    pub fn line(&self) -> Option<usize> {
        let shown = *self.visible.get(self.at)?;
        match &self.form {
            Form::Beside(beside) => beside.line(shown),
            Form::ByCluster | Form::Merged(_) => Some(shown),
        }
    }

    /// What is under the cursor.
    pub fn selected(&self) -> Option<&Node> {
        self.tree()?.nodes.get(self.line()?)
    }

    /// The object under the cursor.
    ///
    /// # Errors
    /// Why there is none to act upon, in a sentence.
    pub fn object(&self) -> Result<ResourceKey, String> {
        let nothing = || match (&self.form, self.visible.get(self.at)) {
            (Form::Beside(beside), Some(row)) => beside.nothing_here(*row),
            _ => "nothing is under the cursor for that".to_owned(),
        };
        match &self.selected().ok_or_else(nothing)?.what {
            What::Cluster(cluster) => Ok(ResourceKey::cluster(cluster)),
            What::Object(key) => Ok(key.clone()),
            What::Idle(key, count) => {
                Err(format!("this line stands for {count} older {}s: go up to what they hang from", key.kind))
            }
        }
    }

    /// What stands below the object under the cursor, in its own cluster.
    pub fn below(&self) -> impl Iterator<Item = &Node> {
        let nodes = self.told.as_ref().map(|tree| tree.nodes.as_slice()).unwrap_or_default();
        let selected = self.selected().map(|node| &node.what);
        let line = selected.and_then(|what| nodes.iter().position(|node| node.what == *what));
        let depth = line.and_then(|line| nodes.get(line)).map_or(0, |node| node.depth);
        nodes.iter().skip(line.map_or(nodes.len(), |line| line + 1)).take_while(move |node| node.depth > depth)
    }

    /// Whether a line is marked.
    pub fn is_marked(&self, node: &Node) -> bool {
        self.marks.contains(&node.what)
    }

    /// How many lines are marked.
    pub fn marked_count(&self) -> usize {
        self.marks.len()
    }

    /// Whether something hangs from a line.
    pub fn has_children(&self, line: usize) -> bool {
        self.tree().is_some_and(|tree| tree.nodes.get(line + 1).is_some_and(|next| next.parent == Some(line)))
    }

    /// Whether what hangs from a line is hidden.
    pub fn is_folded(&self, line: usize) -> bool {
        self.filters_nothing() && self.ids.get(line).is_some_and(|id| self.folded.contains(id))
    }

    /// Lines of objects: those shown, and all; side by side: rows.
    pub fn count(&self) -> (usize, usize) {
        self.count
    }

    fn filters_nothing(&self) -> bool {
        self.filter.is_empty() && !self.only_not_ok
    }

    /// Takes a filter as it is typed.
    pub fn set_filter(&mut self, raw: &str) {
        self.filter = Filter::parse(raw, COLUMNS);
        self.dirty = true;
    }

    /// Takes where the list was drawn.
    pub fn on_drawn(&mut self, offset: usize, height: usize) {
        self.offset = offset;
        self.height = height;
    }

    /// The page comes into sight: it is looked up from now on.
    pub fn on_enter(&mut self, world: &mut World) -> Vec<Effect> {
        let stream = world.next_id();
        self.stream = Some(stream);
        vec![Effect::WatchTree(stream, self.app.clone())]
    }

    /// The page goes out of sight. What was known stays, for the way back.
    pub fn on_leave(&mut self) -> Vec<Effect> {
        self.stream.take().map(Effect::StopTree).into_iter().collect()
    }

    /// Takes what was looked up; for another look: nothing.
    pub fn on_tree(&mut self, stream: StreamId, answer: Result<Box<Tree>, Text>) {
        if self.stream != Some(stream) {
            return;
        }
        match answer {
            Ok(tree) => {
                let first = self.told.is_none();
                match &mut self.form {
                    Form::ByCluster => {}
                    Form::Merged(shown) => *shown = merged(&tree),
                    Form::Beside(beside) => beside.take(&tree),
                }
                self.told = Some(*tree);
                self.ids = self.identities();
                if first {
                    self.fold_what_is_well();
                }
                self.failed = None;
            }
            Err(reason) => self.failed = Some(reason),
        }
        self.dirty = true;
    }

    fn identities(&self) -> Vec<LineId> {
        match &self.form {
            Form::Beside(beside) => beside.ids(),
            Form::ByCluster | Form::Merged(_) => self.tree().map(ids).unwrap_or_default(),
        }
    }

    fn fold_what_is_well(&mut self) {
        let Some(tree) = self.tree().filter(|tree| tree.nodes.len() > MANY && self.beside().is_none()) else { return };
        let lines = tree.nodes.iter().zip(&self.ids);
        let well = lines.filter(|(node, _)| node.depth > 0 && node.health == Health::Ok);
        self.folded = well.map(|(_, id)| *id).collect();
    }

    /// Brings the visible lines up to what is known.
    pub fn settle(&mut self, _world: &World) {
        if !std::mem::take(&mut self.dirty) {
            return;
        }
        self.made += 1;
        self.seek();
        let Some(tree) = self.tree() else { return };
        let (visible, count) = match &self.form {
            Form::Beside(beside) => {
                let rows = beside.wanted(&self.filter, self.only_not_ok);
                let count = (rows.len(), beside.rows().len());
                (rows, count)
            }
            Form::ByCluster | Form::Merged(_) => self.lines(tree),
        };
        self.visible = visible;
        self.count = count;
        let found =
            self.cursor.and_then(|cursor| self.visible.iter().position(|line| self.ids.get(*line) == Some(&cursor)));
        self.at = found.unwrap_or(self.at).min(self.visible.len().saturating_sub(1));
        self.remember();
    }

    /// The lines to be seen, and how many of how many are of objects; what is folded is counted, what is filtered is not.
    fn lines(&self, tree: &Tree) -> (Vec<usize>, (usize, usize)) {
        let keep = self.kept(tree);
        let mut visible = Vec::new();
        let is_object = |node: &Node| !matches!(node.what, What::Cluster(_));
        let (mut shown, mut all) = (0, 0);
        // Lines deeper than this hang from a folded one.
        let mut hidden_below: Option<usize> = None;
        for (line, node) in tree.nodes.iter().enumerate() {
            let is_kept = keep.as_ref().is_none_or(|keep| keep.get(line) == Some(&true));
            all += usize::from(is_object(node));
            shown += usize::from(is_object(node) && is_kept);
            if hidden_below.is_some_and(|depth| node.depth > depth) {
                continue;
            }
            hidden_below = None;
            if is_kept {
                visible.push(line);
            }
            if self.is_folded(line) {
                hidden_below = Some(node.depth);
            }
        }
        (visible, (shown, all))
    }

    /// Which lines pass the filters, with everything that those hang from; `None`: all.
    fn kept(&self, tree: &Tree) -> Option<Vec<bool>> {
        if self.filters_nothing() {
            return None;
        }
        let mut tester = Tester::new(&self.filter);
        let mut keep = vec![false; tree.nodes.len()];
        for (line, node) in tree.nodes.iter().enumerate().rev() {
            let well = matches!(node.health, Health::Ok | Health::Pending);
            let passes = !(self.only_not_ok && well) && (self.filter.is_empty() || tester.passes(&LineText(node)));
            if passes || keep.get(line) == Some(&true) {
                for at in [Some(line), node.parent].into_iter().flatten() {
                    if let Some(keep) = keep.get_mut(at) {
                        *keep = true;
                    }
                }
            }
        }
        Some(keep)
    }

    /// Puts the cursor on what is sought, and unfolds what hides it.
    fn seek(&mut self) {
        let Some(sought) = &self.sought else { return };
        let found = match &mut self.form {
            Form::Beside(beside) => self.told.as_ref().and_then(|tree| beside.find(tree, sought)),
            Form::Merged(tree) => find(tree, sought),
            Form::ByCluster => self.told.as_ref().and_then(|tree| find(tree, sought)),
        };
        if let Some(found) = found {
            self.show(found);
            self.sought = None;
        }
    }

    /// Puts the cursor on a line, and unfolds what hides it.
    fn show(&mut self, line: usize) {
        self.cursor = self.ids.get(line).copied();
        let (Some(tree), None) = (self.tree(), self.beside()) else { return };
        let above = |line: &usize| tree.nodes.get(*line).and_then(|node| node.parent);
        let hiding: Vec<LineId> =
            std::iter::successors(above(&line), above).filter_map(|line| self.ids.get(line)).copied().collect();
        for id in hiding {
            self.folded.remove(&id);
        }
    }

    fn remember(&mut self) {
        self.cursor = self.visible.get(self.at).and_then(|line| self.ids.get(*line)).copied();
    }

    fn go(&mut self, at: usize) {
        self.at = at.min(self.visible.len().saturating_sub(1));
        self.remember();
    }

    /// Shows the tree in another way; the cursor stays with its object.
    fn show_as(&mut self, form: Form) {
        let under = self.selected().map(|node| node.what.clone());
        let column = self.beside().and_then(SideBySide::cluster).cloned();
        self.form = form;
        self.ids = self.identities();
        // Where the cell is empty, its cluster is what is left of it.
        self.sought = under.or(column.map(What::Cluster));
        self.at = 0;
        self.dirty = true;
        self.seek();
        self.sought = None;
    }
}
