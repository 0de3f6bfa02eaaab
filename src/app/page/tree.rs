//! The tree of everything an application made, across clusters.
//!
//! The page holds what was looked up last, and which lines are folded; the flat list of visible lines and the cursor
//! belong to it. While it is in sight it is looked up again and again; leaving it ends that.

use std::{
    collections::HashSet,
    hash::{DefaultHasher, Hash, Hasher},
};

use crate::{
    app::{
        effect::Effect,
        filter::{Filter, Haystack, Tester},
        keymap::Action,
        message::StreamId,
        notice::Level,
        page::{Page, Reaction, Wish, why::WhyPage},
        table::{Cell, Part, Tone},
        world::World,
    },
    model::{
        health::Health,
        key::{AppKey, ClusterId, PodKey, Text},
        resource::{ResourceKey, Tracked},
        tree::{Node, Tree, What, merged},
        why::Subject,
    },
};

/// Names that a filter takes as `kind:Pod`.
const COLUMNS: &[&str] = &["KIND", "NAME", "CLUSTER", "NAMESPACE", "COMPONENT"];
/// From so many lines on, what is well begins folded.
const MANY: usize = 300;

/// A line, by what it is and what it hangs from: the same object may stand in two places.
type LineId = u64;

/// The page.
#[derive(Debug)]
pub struct TreePage {
    /// Which application.
    pub app: AppKey,
    stream: Option<StreamId>,
    /// As it was told, by cluster.
    told: Option<Tree>,
    /// The same merged, while that is what is shown.
    merged: Option<Tree>,
    failed: Option<Text>,
    ids: Vec<LineId>,
    folded: HashSet<LineId>,
    visible: Vec<usize>,
    cursor: Option<LineId>,
    /// What the cursor shall stand on once it is known.
    sought: Option<ResourceKey>,
    at: usize,
    filter: Filter,
    only_not_ok: bool,
    dirty: bool,
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
            merged: None,
            failed: None,
            ids: Vec::new(),
            folded: HashSet::new(),
            visible: Vec::new(),
            cursor: None,
            sought: None,
            at: 0,
            filter: Filter::default(),
            only_not_ok: false,
            dirty: false,
            offset: 0,
            height: 0,
        }
    }

    /// The same with the cursor on one object, once that is known.
    #[must_use]
    pub fn at_object(mut self, key: ResourceKey) -> Self {
        self.sought = Some(key);
        self
    }

    /// What is shown: what was looked up last, by cluster or merged; `None`: nothing yet.
    pub fn tree(&self) -> Option<&Tree> {
        self.merged.as_ref().or(self.told.as_ref())
    }

    /// Whether the same of several clusters is shown as one line.
    pub fn is_merged(&self) -> bool {
        self.merged.is_some()
    }

    /// Why it could not be looked up, where that is so.
    pub fn failed(&self) -> Option<&Text> {
        self.failed.as_ref()
    }

    /// The lines shown, by their place in the tree.
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

    /// The pods on screen, as drawn last.
    pub fn pods_on_screen(&self) -> Vec<PodKey> {
        let Some(tree) = self.tree() else { return Vec::new() };
        let lines = self.visible.iter().skip(self.offset).take(self.height);
        let objects = lines.filter_map(|line| match &tree.nodes.get(*line)?.what {
            What::Object(key) => key.as_pod(),
            _ => None,
        });
        objects.collect()
    }

    /// The line under the cursor.
    pub fn selected(&self) -> Option<&Node> {
        self.tree()?.nodes.get(*self.visible.get(self.at)?)
    }

    /// Whether something hangs from a line.
    pub fn has_children(&self, line: usize) -> bool {
        self.tree().is_some_and(|tree| tree.nodes.get(line + 1).is_some_and(|next| next.parent == Some(line)))
    }

    /// Whether what hangs from a line is hidden.
    pub fn is_folded(&self, line: usize) -> bool {
        self.filters_nothing() && self.ids.get(line).is_some_and(|id| self.folded.contains(id))
    }

    /// Lines of objects: those shown, and all.
    pub fn count(&self) -> (usize, usize) {
        let Some(tree) = self.tree() else { return (0, 0) };
        let is_object = |node: &Node| !matches!(node.what, What::Cluster(_));
        let all = tree.nodes.iter().filter(|node| is_object(node)).count();
        let shown = self.visible.iter().filter(|line| tree.nodes.get(**line).is_some_and(is_object)).count();
        (if self.filters_nothing() { all } else { shown }, all)
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
                self.told = Some(*tree);
                self.merged = self.merged.take().and(self.told.as_ref()).map(merged);
                self.ids = self.tree().map(ids).unwrap_or_default();
                if first
                    && let Some(tree) = self.tree()
                    && tree.nodes.len() > MANY
                {
                    let well = tree
                        .nodes
                        .iter()
                        .zip(&self.ids)
                        .filter(|(node, _)| node.depth > 0 && node.health == Health::Ok);
                    self.folded = well.map(|(_, id)| *id).collect();
                }
                self.failed = None;
            }
            Err(reason) => self.failed = Some(reason),
        }
        self.dirty = true;
    }

    /// Brings the visible lines up to what is known.
    pub fn settle(&mut self, _world: &World) {
        if !std::mem::take(&mut self.dirty) {
            return;
        }
        self.seek();
        let Some(tree) = self.tree() else { return };
        let keep = self.wanted(tree);
        let mut visible = Vec::new();
        // Lines deeper than this hang from a folded one.
        let mut hidden_below: Option<usize> = None;
        for (line, node) in tree.nodes.iter().enumerate() {
            if hidden_below.is_some_and(|depth| node.depth > depth) {
                continue;
            }
            hidden_below = None;
            if keep.as_ref().is_none_or(|keep| keep.get(line) == Some(&true)) {
                visible.push(line);
            }
            if self.is_folded(line) {
                hidden_below = Some(node.depth);
            }
        }
        self.visible = visible;
        let found =
            self.cursor.and_then(|cursor| self.visible.iter().position(|line| self.ids.get(*line) == Some(&cursor)));
        self.at = found.unwrap_or(self.at).min(self.visible.len().saturating_sub(1));
        self.remember();
    }

    /// Puts the cursor on the object that is sought, and unfolds what hides it.
    fn seek(&mut self) {
        let (Some(tree), Some(sought)) = (self.tree(), &self.sought) else { return };
        let is_it = |node: &Node| matches!(&node.what, What::Object(key) if key == sought);
        let Some(found) = tree.nodes.iter().position(is_it) else { return };
        let above = |line: &usize| tree.nodes.get(*line).and_then(|node| node.parent);
        let hiding: Vec<LineId> =
            std::iter::successors(above(&found), above).filter_map(|line| self.ids.get(line)).copied().collect();
        self.cursor = self.ids.get(found).copied();
        for id in hiding {
            self.folded.remove(&id);
        }
        self.sought = None;
    }

    /// Which lines pass the filters, with everything that those hang from; `None`: all.
    fn wanted(&self, tree: &Tree) -> Option<Vec<bool>> {
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

    fn remember(&mut self) {
        self.cursor = self.visible.get(self.at).and_then(|line| self.ids.get(*line)).copied();
    }

    fn go(&mut self, at: usize) {
        self.at = at.min(self.visible.len().saturating_sub(1));
        self.remember();
    }

    /// Obeys a key.
    pub fn on_action(&mut self, action: Action, _world: &World) -> Reaction {
        let page = self.height.saturating_sub(1).max(1);
        match action {
            Action::Down => self.go(self.at + 1),
            Action::Up => self.go(self.at.saturating_sub(1)),
            Action::PageDown => self.go(self.at + page),
            Action::PageUp => self.go(self.at.saturating_sub(page)),
            Action::Top => self.go(0),
            Action::Bottom => self.go(usize::MAX),
            Action::OnlyNotOk => {
                self.only_not_ok = !self.only_not_ok;
                self.dirty = true;
            }
            Action::NextBad => return self.next_bad(),
            Action::Merge => self.merge_or_part(),
            Action::Fold => self.fold_or_up(),
            Action::Unfold => self.set_folded(false),
            Action::Enter => match self.pod() {
                Some(pod) => return Reaction::wish(Wish::LogsOfPod(pod, None)),
                None => self.turn(),
            },
            Action::Logs => {
                return Reaction::wish(match self.pod() {
                    Some(pod) => Wish::LogsOfPod(pod, None),
                    None => Wish::LogsOfApp(self.app.clone()),
                });
            }
            Action::Forward => return Reaction::wish(Wish::Forward(self.app.clone(), self.pod())),
            Action::Revisions => return Reaction::wish(Wish::revisions(self.app.clone())),
            Action::Diff => {
                let object = self.selected().and_then(|node| match &node.what {
                    What::Object(key) => Some(key.clone()),
                    What::Cluster(_) | What::Idle(..) => None,
                });
                return Reaction::wish(Wish::drift(self.app.clone(), object));
            }
            Action::Why => {
                let Some(node) = self.selected() else { return Reaction::taken() };
                let subject = match &node.what {
                    What::Cluster(cluster) => Subject::Place(self.app.clone(), cluster.clone()),
                    What::Object(key) | What::Idle(key, _) => Subject::Object(self.app.clone(), key.clone()),
                };
                return Reaction::wish(Wish::Open(Box::new(Page::Why(Box::new(WhyPage::new(subject))))));
            }
            Action::Approve => return Reaction::wish(Wish::Approve(self.app.clone(), None)),
            Action::Copy => {
                let Some(node) = self.selected() else { return Reaction::taken() };
                return Reaction::wish(Wish::Copy(name(&node.what)));
            }
            _ => return Reaction::ignored(),
        }
        Reaction::taken()
    }

    /// The pod under the cursor.
    fn pod(&self) -> Option<PodKey> {
        match &self.selected()?.what {
            What::Object(key) if &*key.kind == "Pod" && key.group.is_empty() => {
                Some(PodKey { cluster: key.cluster.clone(), namespace: key.namespace.clone(), name: key.name.clone() })
            }
            _ => None,
        }
    }

    fn turn(&mut self) {
        let folded = self.visible.get(self.at).is_some_and(|line| self.is_folded(*line));
        self.set_folded(!folded);
    }

    fn set_folded(&mut self, folded: bool) {
        let Some(line) = self.visible.get(self.at).copied().filter(|line| self.has_children(*line)) else { return };
        let Some(id) = self.ids.get(line).copied() else { return };
        if folded {
            self.folded.insert(id);
        } else {
            self.folded.remove(&id);
        }
        self.dirty = true;
    }

    /// Folds the line; where there is nothing to fold, goes up to what it hangs from.
    fn fold_or_up(&mut self) {
        let Some(line) = self.visible.get(self.at).copied() else { return };
        if self.filters_nothing() && self.has_children(line) && !self.is_folded(line) {
            self.set_folded(true);
            return;
        }
        let parent = self.tree().and_then(|tree| tree.nodes.get(line)).and_then(|node| node.parent);
        if let Some(at) = parent.and_then(|parent| self.visible.iter().position(|line| *line == parent)) {
            self.go(at);
        }
    }

    /// Merges the clusters, or parts them again; the cursor stays with its object.
    fn merge_or_part(&mut self) {
        let under = self.selected().map(|node| node.what.clone());
        self.merged = if self.merged.is_some() { None } else { self.told.as_ref().map(merged) };
        let Some(tree) = self.tree() else { return };
        let ids = ids(tree);
        let is_it = |what: &What| match (what, &under) {
            (What::Object(one), Some(What::Object(other))) => {
                (&one.group, &one.kind, &one.namespace, &one.name)
                    == (&other.group, &other.kind, &other.namespace, &other.name)
            }
            (one, other) => Some(one) == other.as_ref(),
        };
        let exactly = tree.nodes.iter().position(|node| Some(&node.what) == under.as_ref());
        let found = exactly.or_else(|| tree.nodes.iter().position(|node| is_it(&node.what)));
        self.cursor = found.and_then(|line| ids.get(line)).copied();
        self.at = found.unwrap_or_default();
        self.ids = ids;
        self.dirty = true;
    }

    /// To the next line that is not well by itself, beginning again at the top; what hides it is unfolded.
    fn next_bad(&mut self) -> Reaction {
        let Some(tree) = self.tree() else { return Reaction::taken() };
        let from = self.visible.get(self.at).map_or(0, |line| line + 1);
        let is_bad =
            |line: &usize| tree.nodes.get(*line).is_some_and(|node| !matches!(node.own, Health::Ok | Health::Pending));
        let found = (from..tree.nodes.len()).chain(0..from).find(is_bad);
        let Some(found) = found else {
            return Reaction::wish(Wish::Say(Level::Good, "everything here is ok".to_owned()));
        };
        let above = |line: usize| tree.nodes.get(line).and_then(|node| node.parent);
        let hiding: Vec<LineId> = std::iter::successors(above(found), |line| above(*line))
            .filter_map(|line| self.ids.get(line).copied())
            .collect();
        for id in hiding {
            self.folded.remove(&id);
        }
        self.cursor = self.ids.get(found).copied();
        self.dirty = true;
        Reaction::taken()
    }
}

/// What a line says: its name, what it is told of, when it was made. Where room is short, a name that begins with that of
/// the line above is told by its end behind the mark given, as that tells it from its neighbours.
pub fn cells(tree: &Tree, node: &Node, short: Option<&str>) -> (Cell, Cell, Cell) {
    let tone = if matches!(node.own, Health::Ok | Health::Pending) { Tone::Dim } else { Tone::Health(node.own) };
    let mut label = vec![Part::Mark(node.health), Part::plain(" ")];
    match &node.what {
        What::Cluster(cluster) => label.push(Part::Text(cluster.to_string(), Tone::Strong)),
        What::Object(key) => {
            label.push(Part::dim(format!("{}/", key.kind)));
            let above = node.parent.and_then(|parent| tree.nodes.get(parent)).map(|above| &above.what);
            let end = match above {
                Some(What::Object(above)) => {
                    key.name.strip_prefix(&*above.name).filter(|end| !end.is_empty()).zip(short)
                }
                _ => None,
            };
            label.push(Part::plain(end.map_or_else(|| key.name.to_string(), |(end, mark)| format!("{mark}{end}"))));
        }
        What::Idle(key, count) => label.push(Part::dim(format!("{count} older {}s", key.kind))),
    }
    let mut told = Vec::new();
    match node.tracked {
        Some(Tracked::Outdated) => told.push(Part::Text("outdated  ".to_owned(), Tone::Accent)),
        Some(Tracked::NotDeployed | Tracked::Updated) | None => {}
    }
    if !matches!(node.own, Health::Ok | Health::Pending) {
        told.push(Part::Text(format!("{}  ", node.own.as_str()), tone));
    }
    places(&node.places, &mut told);
    told.push(Part::Text(node.message.to_string(), tone));
    let age = if node.created_at.is_some() { vec![Part::Ago(node.created_at, Tone::Dim)] } else { Vec::new() };
    (label, told, age)
}

/// Clusters named at most where something stands in several; the rest is counted.
const NAMED: usize = 3;

/// Where a merged line stands, those first that are not well.
fn places(places: &[(ClusterId, Health)], told: &mut Cell) {
    let mut order: Vec<&(ClusterId, Health)> = places.iter().collect();
    if order.len() > NAMED {
        order.sort_by_key(|(_, health)| (*health).min(Health::Ok));
    }
    for (cluster, health) in order.iter().take(NAMED) {
        told.push(Part::Mark(*health));
        told.push(Part::dim(format!("{cluster} ")));
    }
    if let Some(more) = order.len().checked_sub(NAMED).filter(|more| *more > 0) {
        let worst = order.iter().skip(NAMED).map(|(_, health)| *health).fold(Health::Ok, Health::worst);
        told.push(Part::Mark(worst));
        told.push(Part::dim(format!("{more} more ")));
    }
    if !places.is_empty() {
        told.push(Part::plain(" "));
    }
}

fn name(what: &What) -> String {
    match what {
        What::Cluster(cluster) => cluster.to_string(),
        What::Object(key) | What::Idle(key, _) => key.name.to_string(),
    }
}

struct LineText<'a>(&'a Node);

impl Haystack for LineText<'_> {
    fn column(&self, column: usize, out: &mut String) {
        let (kind, namespace) = match &self.0.what {
            What::Cluster(_) => ("Cluster", ""),
            What::Object(key) | What::Idle(key, _) => (&*key.kind, &*key.namespace),
        };
        match column {
            0 => out.push_str(kind),
            1 => out.push_str(&name(&self.0.what)),
            2 if self.0.places.is_empty() => out.push_str(self.0.what.cluster().as_str()),
            2 => self.0.places.iter().for_each(|(cluster, _)| {
                out.push_str(cluster.as_str());
                out.push(' ');
            }),
            3 => out.push_str(namespace),
            _ => out.push_str(&self.0.component),
        }
    }

    fn whole(&self, out: &mut String) {
        for column in 0..2 {
            self.column(column, out);
            out.push(if column == 0 { '/' } else { ' ' });
        }
        out.push_str(self.0.health.as_str());
        out.push(' ');
        out.push_str(&self.0.message);
    }
}

fn ids(tree: &Tree) -> Vec<LineId> {
    let mut ids: Vec<LineId> = Vec::with_capacity(tree.nodes.len());
    for node in &tree.nodes {
        let mut hasher = DefaultHasher::new();
        node.parent.and_then(|parent| ids.get(parent)).hash(&mut hasher);
        match &node.what {
            // How many there are changes; it stays the same line.
            What::Idle(key, _) => ("idle", &key.kind).hash(&mut hasher),
            what => what.hash(&mut hasher),
        }
        ids.push(hasher.finish());
    }
    ids
}
