//! What is wrong, in every cluster: the farthest reaching first.

use std::{borrow::Cow, fmt::Write as _};

use jiff::Timestamp;

use crate::{
    app::{
        keymap::Action,
        page::{Page, Reaction, Wish, clusters, tree::TreePage, why::WhyPage},
        table::{Cell, Column, Part, Rows, SortKey, Table, Tone, cell_text},
        world::World,
    },
    model::{
        delta::Query,
        health::Health,
        key::{AppKey, ClusterId, PodKey},
        problem::{About, Problem, ProblemKey},
        why::Subject,
    },
};

/// The rows: one a problem.
#[derive(Clone, Debug)]
pub struct ProblemRows;

const PROBLEM: usize = 0;
const OF: usize = 1;
const CLUSTERS: usize = 2;
const REACH: usize = 3;
const SINCE: usize = 4;

const COLUMNS: &[Column] = &[
    Column { title: "PROBLEM", min: 13, max: 26, right: false, narrow: 6, drop: 0 },
    Column { title: "OF", min: 16, max: 48, right: false, narrow: 5, drop: 0 },
    Column { title: "CLUSTERS", min: 8, max: 32, right: false, narrow: 7, drop: 4 },
    Column { title: "REACH", min: 7, max: 10, right: true, narrow: 0, drop: 6 },
    Column { title: "SINCE", min: 5, max: 12, right: true, narrow: 0, drop: 5 },
    Column { title: "REASON", min: 12, max: 200, right: false, narrow: 9, drop: 9 },
];

impl Rows for ProblemRows {
    type Key = ProblemKey;

    fn columns(&self) -> &'static [Column] {
        COLUMNS
    }

    fn keys(&self, world: &World) -> Vec<ProblemKey> {
        let shown = |about: &About| match (world.namespace(), about) {
            (None, _) | (Some(_), About::Cluster(_)) => true,
            (Some(shown), About::Application(app) | About::Component(app, _)) => app.namespace == *shown,
            (Some(shown), About::Pod(pod)) => pod.namespace == *shown,
        };
        let all = world.store.problems().into_iter();
        all.filter(|problem| shown(&problem.key.about)).map(|problem| problem.key.clone()).collect()
    }

    fn keys_revision(&self, world: &World) -> u64 {
        world.store.problems_revision()
    }

    fn cell(&self, world: &World, key: &ProblemKey, column: usize) -> Cell {
        let Some(problem) = find(world, key) else { return Cell::new() };
        match column {
            PROBLEM => {
                let tone = if problem.health == Health::Pending { Tone::Dim } else { Tone::Health(problem.health) };
                vec![Part::Mark(problem.health), Part::Text(format!(" {}", key.what), tone)]
            }
            OF => of(&key.about),
            CLUSTERS => vec![Part::dim(clusters_in_short(&problem.clusters, 3))],
            REACH => vec![Part::plain(reach(&problem))],
            SINCE => vec![Part::Ago(problem.since, Tone::Plain)],
            _ => vec![Part::dim(crate::model::text::waiting_in_words(&problem.reason).into_owned())],
        }
    }

    fn narrow_cell(&self, world: &World, key: &ProblemKey, column: usize) -> Cell {
        let Some(problem) = find(world, key) else { return Cell::new() };
        match (column, &key.about) {
            (CLUSTERS, _) if problem.clusters.len() > 1 => vec![Part::dim(clusters_in_short(&problem.clusters, 1))],
            (OF, About::Component(app, component)) if !component.is_empty() => {
                vec![Part::plain(&*app.name), Part::dim(format!(" {component}"))]
            }
            (OF, About::Application(app)) => vec![Part::plain(&*app.name)],
            (OF, About::Pod(pod)) => vec![Part::plain(&*pod.name)],
            _ => self.cell(world, key, column),
        }
    }

    fn health(&self, world: &World, key: &ProblemKey) -> Health {
        find(world, key).map_or(Health::Gone, |problem| problem.health)
    }

    fn stale(&self, world: &World, _key: &ProblemKey) -> Option<Timestamp> {
        world.stale_since(&ClusterId::local())
    }

    fn reason(&self, world: &World, key: &ProblemKey) -> Option<String> {
        find(world, key).map(|problem| crate::model::text::waiting_in_words(&problem.reason).into_owned())
    }

    fn empty(&self, world: &World) -> String {
        let asked = |query: &Query| matches!(query, Query::Applications(_));
        let why = world.why_empty("applications", asked);
        let count = world.store.counts().total();
        // Nothing is known to be wrong where nothing is known.
        if count == 0 {
            return why;
        }
        let pods = world.store.pods().count();
        let clusters: Vec<&ClusterId> = world.store.clusters().map(|cluster| &cluster.id).collect();
        let unseen: Vec<&str> = world
            .store
            .clusters()
            .filter(|cluster| !cluster.link.as_ref().is_some_and(crate::model::cluster::LinkState::is_current))
            .map(|cluster| cluster.id.as_str())
            .collect();
        let mut words = match world.namespace() {
            Some(namespace) => format!("nothing is wrong in namespace {namespace} (0 shows all namespaces)"),
            None => "nothing is wrong".to_owned(),
        };
        // Writing to a String cannot fail.
        let _ = write!(
            words,
            ": {count} applications and {pods} pods in {} of {} clusters were looked at",
            clusters.len() - unseen.len(),
            clusters.len()
        );
        if !unseen.is_empty() {
            let _ = write!(words, "; not seen: {}", unseen.join(", "));
        }
        match clusters::others_unknown(world) {
            Some(others) => format!("{words}; {others}"),
            None => words,
        }
    }

    fn sort_key(&self, world: &World, key: &ProblemKey, column: usize) -> SortKey {
        let Some(problem) = find(world, key) else { return SortKey::Number(0) };
        match column {
            PROBLEM => SortKey::Text(format!("{}{}", problem.health as u8, key.what.to_lowercase())),
            // The farthest first.
            REACH => SortKey::Number(-(problem.applications as i64 * 1_000_000 + problem.pods as i64)),
            SINCE => SortKey::Time(problem.since),
            _ => SortKey::Text(cell_text(&self.cell(world, key, column)).to_lowercase()),
        }
    }
}

fn find<'a>(world: &'a World, key: &ProblemKey) -> Option<Cow<'a, Problem>> {
    world.store.problem(key)
}

fn of(about: &About) -> Cell {
    let app = |app: &AppKey| vec![Part::dim(format!("{}/", app.namespace)), Part::plain(&*app.name)];
    match about {
        About::Cluster(cluster) => vec![Part::dim("cluster "), Part::plain(cluster.as_str())],
        About::Application(key) => app(key),
        About::Component(key, component) => {
            let mut cell = app(key);
            // What says it twice says it once.
            if !component.is_empty() && *component != key.name {
                cell.push(Part::dim(format!(" {component}")));
            }
            cell
        }
        About::Pod(pod) => vec![Part::dim(format!("{}/", pod.namespace)), Part::plain(&*pod.name)],
    }
}

/// So many clusters by name, of more their number.
pub fn clusters_in_short(clusters: &[ClusterId], most: usize) -> String {
    match clusters {
        [] => "-".to_owned(),
        few if few.len() <= most => few.iter().map(ClusterId::as_str).collect::<Vec<_>>().join(", "),
        many => format!("{} clusters", many.len()),
    }
}

/// How far it reaches: applications of a cluster, pods of a component.
pub fn reach(problem: &Problem) -> String {
    let many = |count: usize, one: &str| format!("{count} {one}{}", if count == 1 { "" } else { "s" });
    match problem.pods {
        0 => many(problem.applications, "app"),
        pods => many(pods, "pod"),
    }
}

/// What `w` asks about, of a problem.
fn subject(world: &World, key: &ProblemKey) -> Subject {
    match &key.about {
        About::Cluster(cluster) => Subject::Cluster(cluster.clone()),
        About::Application(app) => Subject::Application(app.clone()),
        About::Component(app, component) => {
            // Where it shows in one place alone, that is what is meant.
            let at = find(world, key).and_then(|problem| match &problem.clusters[..] {
                [only] => Some(only.clone()),
                _ => None,
            });
            let service = at.as_ref().and_then(|at| {
                let mut services = world.app(app)?.services.iter();
                services.find(|service| service.cluster == *at && service.name == *component)
            });
            match (at, service) {
                (Some(at), Some(service)) => {
                    Subject::Component(app.clone(), at, service.namespace.clone(), component.clone())
                }
                (Some(at), None) => Subject::Place(app.clone(), at),
                (None, _) => Subject::Application(app.clone()),
            }
        }
        About::Pod(pod) => super::why::asked::of_pod(world, pod.clone()),
    }
}

/// The pod of a problem that logs are wanted of.
fn pod(world: &World, key: &ProblemKey) -> Option<PodKey> {
    match &key.about {
        About::Pod(pod) => Some(pod.clone()),
        About::Component(app, component) => world
            .store
            .pods_of(app)
            .find(|pod| pod.owner.component == *component && pod.health == Health::Failed)
            .map(|pod| pod.key.clone()),
        About::Cluster(_) | About::Application(_) => None,
    }
}

/// Obeys a key.
pub fn on_action(table: &mut Table<ProblemRows>, action: Action, world: &World) -> Reaction {
    if table.on_action(action) {
        return Reaction::taken();
    }
    let Some(key) = table.selected().cloned() else { return Reaction::ignored() };
    let app = match &key.about {
        About::Application(app) | About::Component(app, _) => Some(app.clone()),
        About::Cluster(_) | About::Pod(_) => None,
    };
    Reaction::wish(match (action, app) {
        (Action::Enter | Action::Why, _) => {
            Wish::Open(Box::new(Page::Why(Box::new(WhyPage::new(subject(world, &key))))))
        }
        (Action::Logs, app) => match (pod(world, &key), app) {
            (Some(pod), _) => Wish::LogsOfPod(pod, None),
            (None, Some(app)) => Wish::LogsOfApp(app),
            (None, None) => return Reaction::ignored(),
        },
        (Action::Tree, Some(app)) => Wish::Open(Box::new(Page::Tree(Box::new(TreePage::new(app))))),
        (Action::Approve, Some(app)) => Wish::Approve(app, None),
        (Action::Copy, _) => Wish::Copy(key.about.to_string()),
        _ => return Reaction::ignored(),
    })
}
