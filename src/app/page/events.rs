//! What the clusters' diaries say: events of all clusters, of an application's objects, or about one object; the newest
//! first, folded by object and reason.
//!
//! They are watched while the page is in sight, and let go when it is left.

mod belonging;
pub mod notes;

use std::collections::HashSet;

use jiff::Timestamp;

use crate::{
    app::{
        effect::Effect,
        keymap::Action,
        message::StreamId,
        notice::Level,
        page::{Page, Reaction, Wish, object::ObjectPage, tree::line::end, why::asked},
        table::{Cell, Column, Part, Rows, SortKey, Table, Tone},
        world::World,
    },
    model::{
        delta::Query,
        event::{EventScope, Fold, FoldKey},
        health::Health,
        key::{AppKey, Text},
        object::Face,
        resource::ResourceKey,
        tree::{Tree, What},
    },
};

use belonging::{is_asked_otherwise, is_shown, places, was_made_by};

/// The rows: one a fold.
#[derive(Clone, Debug)]
pub struct EventRows {
    /// Whose events.
    pub scope: EventScope,
    /// The watch that is under way while the page is in sight.
    looker: Option<StreamId>,
    /// What an application made, once it has been looked up, and all that it was seen to have made since the page was
    /// opened: what happened to what has gone is still its own.
    made: Option<HashSet<ResourceKey>>,
    /// Why that could not be looked up.
    failed: Option<Text>,
    /// Counts up with that.
    looked_up: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Col {
    Last,
    Cluster,
    Namespace,
    Object,
    Reason,
    Count,
    First,
    Source,
    Message,
}

/// Cells of the column of objects at least.
const OBJECT: u16 = 18;
const LAST: Column = Column { title: "LAST", min: 4, max: 12, right: true, narrow: 0, drop: 0 };
const REASON: Column = Column { title: "REASON", min: 12, max: 32, right: false, narrow: 6, drop: 0 };
const COUNT: Column = Column { title: "COUNT", min: 5, max: 7, right: true, narrow: 0, drop: 5 };
const FIRST: Column = Column { title: "FIRST", min: 5, max: 12, right: true, narrow: 0, drop: 14 };
const SOURCE: Column = Column { title: "SOURCE", min: 8, max: 30, right: false, narrow: 20, drop: 21 };
const MESSAGE: Column = Column { title: "MESSAGE", min: 12, max: 300, right: false, narrow: 24, drop: 0 };

const OF_MANY: &[Column] = &[
    LAST,
    Column { title: "CLUSTER", min: 7, max: 20, right: false, narrow: 12, drop: 4 },
    Column { title: "NAMESPACE", min: 9, max: 20, right: false, narrow: 16, drop: 18 },
    Column { title: "OBJECT", min: OBJECT, max: 60, right: false, narrow: 10, drop: 0 },
    REASON,
    COUNT,
    FIRST,
    SOURCE,
    MESSAGE,
];
const MANY: &[Col] = &[
    Col::Last,
    Col::Cluster,
    Col::Namespace,
    Col::Object,
    Col::Reason,
    Col::Count,
    Col::First,
    Col::Source,
    Col::Message,
];
/// Of one object all stands in the title.
const OF_ONE: &[Column] = &[LAST, REASON, COUNT, FIRST, SOURCE, MESSAGE];
const ONE: &[Col] = &[Col::Last, Col::Reason, Col::Count, Col::First, Col::Source, Col::Message];

impl EventRows {
    /// Events of a scope.
    pub fn new(scope: EventScope) -> Self {
        Self { scope, looker: None, made: None, failed: None, looked_up: 0 }
    }

    /// The page comes into sight.
    pub fn on_enter(&mut self, world: &mut World) -> Vec<Effect> {
        let looker = world.next_id();
        self.looker = Some(looker);
        let mut effects = vec![Effect::WatchEvents(looker, self.scope.clone())];
        if let EventScope::App(app) = &self.scope {
            effects.push(Effect::WatchTree(looker, app.clone()));
        }
        effects
    }

    /// The page goes out of sight.
    pub fn on_leave(&mut self) -> Vec<Effect> {
        let Some(looker) = self.looker.take() else { return Vec::new() };
        let mut effects = vec![Effect::StopEvents(looker)];
        if matches!(self.scope, EventScope::App(_)) {
            effects.push(Effect::StopTree(looker));
        }
        effects
    }

    /// Takes what an application made; for another look: nothing.
    pub fn on_tree(&mut self, stream: StreamId, answer: Result<Box<Tree>, Text>) {
        if self.looker != Some(stream) {
            return;
        }
        match answer {
            Ok(tree) => {
                self.failed = None;
                let objects = tree.nodes.into_iter().filter_map(|node| match node.what {
                    What::Object(key) => Some(key),
                    What::Cluster(_) | What::Idle(..) => None,
                });
                self.made.get_or_insert_default().extend(objects);
            }
            Err(reason) => self.failed = Some(reason),
        }
        self.looked_up += 1;
    }

    fn column(&self, column: usize) -> Option<Col> {
        let columns = if matches!(self.scope, EventScope::Object(_)) { ONE } else { MANY };
        columns.get(column).copied()
    }

    fn is_of(&self, app: &AppKey, object: &ResourceKey) -> bool {
        let itself = object.cluster.is_local()
            && &*object.kind == "Application"
            && object.namespace == app.namespace
            && object.name == app.name;
        itself || self.made.as_ref().is_some_and(|made| made.contains(object) || was_made_by(made, object))
    }
}

fn fold<'a>(world: &'a World, key: &FoldKey) -> Option<&'a Fold> {
    world.store.events().fold(key)
}

impl Rows for EventRows {
    type Key = FoldKey;

    fn columns(&self) -> &'static [Column] {
        if matches!(self.scope, EventScope::Object(_)) { OF_ONE } else { OF_MANY }
    }

    fn keys(&self, world: &World) -> Vec<FoldKey> {
        let all = world.store.events().folds().map(|fold| &fold.key);
        match &self.scope {
            EventScope::All => {
                let places = places(world);
                all.filter(|key| is_shown(world, places.as_ref(), &key.object)).cloned().collect()
            }
            EventScope::App(app) => all.filter(|key| self.is_of(app, &key.object)).cloned().collect(),
            EventScope::Object(object) => all.filter(|key| key.object == *object).cloned().collect(),
        }
    }

    fn keys_revision(&self, world: &World) -> u64 {
        world.revision() + self.looked_up
    }

    fn cell(&self, world: &World, key: &FoldKey, column: usize) -> Cell {
        let (Some(fold), Some(column)) = (fold(world, key), self.column(column)) else { return Cell::new() };
        match column {
            Col::Last => vec![Part::Ago(fold.last, Tone::Dim)],
            Col::Cluster => vec![Part::plain(key.object.cluster.as_str())],
            Col::Namespace => vec![Part::dim(&*key.object.namespace)],
            Col::Object => vec![Part::dim(format!("{}/", key.object.kind)), Part::plain(&*key.object.name)],
            Col::Reason if fold.warning => vec![
                Part::Mark(Health::Failed),
                Part::plain(" "),
                Part::Text(key.reason.to_string(), Tone::Health(Health::Failed)),
            ],
            Col::Reason => vec![Part::dim(format!("  {}", key.reason))],
            Col::Count => vec![Part::dim(fold.count.to_string())],
            Col::First => vec![Part::Ago(fold.first, Tone::Dim)],
            Col::Source => vec![Part::dim(&*fold.source)],
            Col::Message => {
                vec![if fold.warning { Part::plain(&*fold.message) } else { Part::dim(&*fold.message) }]
            }
        }
    }

    fn narrow_cell(&self, world: &World, key: &FoldKey, column: usize) -> Cell {
        match self.column(column) {
            // Its end tells it from its neighbours, as in the tree.
            Some(Col::Object) => {
                vec![Part::dim(format!("{}/", key.object.kind)), Part::plain(end_of(&key.object))]
            }
            _ => self.cell(world, key, column),
        }
    }

    fn health(&self, world: &World, key: &FoldKey) -> Health {
        let warns = fold(world, key).is_some_and(|fold| fold.warning);
        if warns { Health::Failed } else { Health::Ok }
    }

    fn stale(&self, world: &World, key: &FoldKey) -> Option<Timestamp> {
        world.stale_since(&key.object.cluster)
    }

    fn reason(&self, world: &World, key: &FoldKey) -> Option<String> {
        let fold = fold(world, key)?;
        Some(match self.scope {
            EventScope::Object(_) => fold.message.to_string(),
            _ => format!("{}/{}: {}", key.object.kind, key.object.name, fold.message),
        })
    }

    fn empty(&self, world: &World) -> String {
        if let (EventScope::App(app), None) = (&self.scope, &self.made) {
            let looking = || format!("looking up what {app} made");
            return self.failed.as_ref().map_or_else(looking, ToString::to_string);
        }
        let is_meant = |query: &Query| match (&self.scope, query) {
            (EventScope::Object(object), Query::EventsOf(about)) => about == object,
            (EventScope::All | EventScope::App(_), Query::Events(_)) => true,
            _ => false,
        };
        let refused_everywhere = |query: &Query| is_meant(query) && !is_asked_otherwise(world, query);
        let what = match &self.scope {
            EventScope::All => "events".to_owned(),
            EventScope::App(app) => format!("events of what {app} made"),
            EventScope::Object(object) => format!("events about {}/{}", object.kind, object.name),
        };
        let why = world.why_empty(&what, refused_everywhere);
        // Clusters keep them for an hour, if not told otherwise: none is nothing odd.
        match &self.scope {
            EventScope::Object(object) if why.starts_with("no events") => {
                format!("{what} in {}: none; clusters keep events for an hour", object.cluster)
            }
            _ => why,
        }
    }

    fn text(&self, world: &World, key: &FoldKey, out: &mut String) {
        let object = &key.object;
        let name =
            [object.cluster.as_str(), " ", &object.namespace, " ", &object.kind, "/", &object.name, " ", &key.reason];
        for part in name {
            out.push_str(part);
        }
        if let Some(fold) = fold(world, key) {
            for part in [" ", &*fold.source, " ", &*fold.message] {
                out.push_str(part);
            }
        }
    }

    fn sort_key(&self, world: &World, key: &FoldKey, column: usize) -> SortKey {
        let text = |text: &str| SortKey::Text(text.to_lowercase());
        let (Some(fold), Some(column)) = (fold(world, key), self.column(column)) else { return SortKey::Number(0) };
        match column {
            Col::Last => SortKey::Time(fold.last),
            Col::First => SortKey::Time(fold.first),
            Col::Cluster => text(key.object.cluster.as_str()),
            Col::Namespace => text(&key.object.namespace),
            Col::Object => SortKey::Text(format!("{}/{}", key.object.kind, key.object.name).to_lowercase()),
            Col::Reason => SortKey::Text(format!("{}{}", u8::from(!fold.warning), key.reason).to_lowercase()),
            Col::Count => SortKey::Number(i64::from(fold.count)),
            Col::Source => text(&fold.source),
            Col::Message => text(&fold.message),
        }
    }
}

/// The end of a long name, from a dash on: as much of it as the column has room for at least.
fn end_of(key: &ResourceKey) -> String {
    let room = usize::from(OBJECT).saturating_sub(key.kind.len() + 2);
    let name = &*key.name;
    if name.len() <= room + 1 {
        return name.to_owned();
    }
    let dashes = || name.match_indices('-').map(|(at, _)| at).filter(|at| *at > 0);
    let fits = dashes().find(|at| name.len() - at <= room).or_else(|| dashes().next_back());
    match fits.and_then(|at| name.get(..at)) {
        Some(above) => end(name, above, "…"),
        None => name.to_owned(),
    }
}

/// Obeys a key.
pub fn on_action(table: &mut Table<EventRows>, action: Action, world: &World) -> Reaction {
    if table.on_action(action) {
        return Reaction::taken();
    }
    let Some(key) = table.selected().cloned() else { return Reaction::ignored() };
    let wish = match action {
        Action::Enter => Wish::Open(Box::new(Page::Object(Box::new(ObjectPage::new(key.object, Face::Description))))),
        Action::Logs => match key.object.as_pod() {
            Some(pod) => Wish::LogsOfPod(pod, None),
            None => return Reaction::wish(Wish::Say(Level::Info, format!("a {} has no log", key.object.kind))),
        },
        Action::Why => {
            let subject = match (&table.rows.scope, asked::of_object(world, &key.object)) {
                // Of what an application made it is known whose it is, whatever it is.
                (EventScope::App(app), None) => Some(asked::within(app, &key.object)),
                (_, page) => page,
            };
            match subject {
                Some(page) => Wish::Open(Box::new(Page::Why(Box::new(page)))),
                None => Wish::Say(Level::Info, asked::nobodys(&key.object)),
            }
        }
        Action::Copy => Wish::Copy(format!("{}/{}", key.object.kind, key.object.name)),
        _ => return Reaction::ignored(),
    };
    Reaction::wish(wish)
}
