//! What the clusters' diaries say: events of all clusters, of an application's objects, or about one object; the newest
//! first, folded by object and reason.
//!
//! They are watched while the page is in sight, and let go when it is left.

use std::collections::{BTreeSet, HashSet};

use jiff::Timestamp;

use crate::{
    app::{
        effect::Effect,
        keymap::Action,
        message::StreamId,
        notice::Level,
        page::{Page, Reaction, Wish, object::ObjectPage},
        table::{Cell, Column, Part, Rows, SortKey, Table, Tone},
        world::World,
    },
    model::{
        cluster::LinkState,
        delta::{Query, ScopeState},
        event::{EventScope, Fold, FoldKey, MOST_BYTES, MOST_EVENTS},
        health::Health,
        key::{AppKey, ClusterId, Text},
        object::Face,
        resource::ResourceKey,
        tree::{Tree, What},
    },
};

/// The rows: one a fold.
#[derive(Clone, Debug)]
pub struct EventRows {
    /// Whose events.
    pub scope: EventScope,
    /// The watch that is under way while the page is in sight.
    looker: Option<StreamId>,
    /// What an application made, once it has been looked up.
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
    Column { title: "OBJECT", min: 18, max: 60, right: false, narrow: 10, drop: 0 },
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
                self.made = Some(objects.collect());
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
        itself || self.made.as_ref().is_some_and(|made| made.contains(object))
    }
}

/// Where the applications of the namespace shown deploy to; `None`: every namespace is shown.
fn places(world: &World) -> Option<BTreeSet<(ClusterId, Text)>> {
    let shown = world.namespace()?;
    let mut places = BTreeSet::from([(ClusterId::local(), shown.clone())]);
    for entry in world.store.applications().filter(|entry| entry.row.key.namespace == *shown) {
        let row = &entry.row;
        let placements = row.placements.iter().map(|place| (&place.cluster, &place.namespace));
        let services = row.services.iter().map(|service| (&service.cluster, &service.namespace));
        for (cluster, namespace) in placements.chain(services) {
            places.insert((cluster.clone(), row.namespace_or_own(namespace).clone()));
        }
    }
    Some(places)
}

/// Whether an event belongs to the namespace shown: that of its pod's application, else one such applications deploy to.
fn is_shown(world: &World, places: Option<&BTreeSet<(ClusterId, Text)>>, object: &ResourceKey) -> bool {
    let Some(places) = places else { return true };
    let pod = object.as_pod().and_then(|pod| world.store.pod(&pod));
    match pod {
        Some(pod) => world.shows_pod(pod),
        None => places.contains(&(object.cluster.clone(), object.namespace.clone())),
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
            // A name without its kind tells more than a kind without its name.
            Some(Col::Object) => vec![Part::plain(&*key.object.name)],
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

/// Whether a question about all namespaces is asked in single ones instead.
fn is_asked_otherwise(world: &World, query: &Query) -> bool {
    *query == Query::Events(None)
        && world.store.scopes().any(|(scope, _)| matches!(scope.query, Query::Events(Some(_))))
}

/// What the rows do not tell: clusters that do not answer or refuse, and what was let go.
pub fn notes(rows: &EventRows, world: &World) -> Vec<(ClusterId, Cell)> {
    let mut notes: Vec<(ClusterId, Cell)> = Vec::new();
    let tone = Tone::Health(Health::Unknown);
    let concerns = |cluster: &ClusterId| match &rows.scope {
        EventScope::Object(object) => object.cluster == *cluster,
        EventScope::All => true,
        EventScope::App(app) => world.app(app).is_none_or(|row| {
            row.placements.iter().any(|place| place.cluster == *cluster)
                || row.services.iter().any(|service| service.cluster == *cluster)
        }),
    };
    for entry in world.store.clusters().filter(|entry| concerns(&entry.id)) {
        let cell = match &entry.link {
            Some(LinkState::Unreachable { since, .. }) => vec![
                Part::Text(format!("{}: unreachable ", entry.id), tone),
                Part::Ago(Some(*since), tone),
                Part::Text(": what happened there since is not known".to_owned(), tone),
            ],
            Some(LinkState::Forbidden { reason, .. }) => vec![Part::Text(format!("{}: {reason}", entry.id), tone)],
            _ => continue,
        };
        notes.push((entry.id.clone(), cell));
    }
    for (scope, state) in world.store.scopes() {
        let told = notes.iter().any(|(cluster, _)| *cluster == scope.cluster);
        if told || !matches!(scope.query, Query::Events(_) | Query::EventsOf(_)) {
            continue;
        }
        let text = match state {
            // Told in a sentence once; the namespaces asked instead answer.
            ScopeState::Forbidden(_) if is_asked_otherwise(world, &scope.query) => continue,
            ScopeState::Forbidden(reason) => format!("{}: not permitted: {reason}", scope.cluster),
            ScopeState::Failing(reason) => format!("{}: {reason}; trying again", scope.cluster),
            ScopeState::NotInstalled => format!("{}: events are not served there", scope.cluster),
            ScopeState::Loading(_) | ScopeState::Live => continue,
        };
        notes.push((scope.cluster.clone(), vec![Part::Text(text, tone)]));
    }
    if let Some(at) = world.store.events().let_go() {
        let room = format!(
            "the newest {MOST_EVENTS} events are kept, of at most {} MiB: what last happened ",
            MOST_BYTES >> 20
        );
        let cell = vec![Part::dim(room), Part::Ago(Some(at), Tone::Dim), Part::dim(" ago or before is not all here")];
        notes.push((ClusterId::local(), cell));
    }
    if let (Some(reason), Some(_)) = (&rows.failed, &rows.made) {
        notes.push((ClusterId::local(), vec![Part::Text(format!("what was made is not up to date: {reason}"), tone)]));
    }
    notes
}

/// Obeys a key.
pub fn on_action(table: &mut Table<EventRows>, action: Action, _world: &World) -> Reaction {
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
        Action::Copy => Wish::Copy(format!("{}/{}", key.object.kind, key.object.name)),
        _ => return Reaction::ignored(),
    };
    Reaction::wish(wish)
}
