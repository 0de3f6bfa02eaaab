//! The pods of all applications, in every cluster.

use std::cell::Cell;

use jiff::Timestamp;

use crate::{
    app::{
        keymap::Action,
        page::{Page, Reaction, Wish, clusters::others_unknown, why::WhyPage},
        table::{self, Column, Part, Rows, SortKey, Table, Tone},
        usage,
        world::World,
    },
    model::{
        delta::Query,
        health::Health,
        key::{AppKey, ClusterId, PodKey},
        log::{Containers, LogRequest},
        pod::Pod,
    },
};

/// The rows: one a pod.
#[derive(Clone, Debug)]
pub struct PodRows {
    /// Only those of one application.
    pub app: Option<AppKey>,
    /// Only those in one cluster.
    pub cluster: Option<ClusterId>,
    /// Whether all of them were in one namespace, as listed last.
    one_namespace: Cell<bool>,
}

const CLUSTER: usize = 0;
const NAMESPACE: usize = 1;
const APP: usize = 2;
const COMPONENT: usize = 3;
const NAME: usize = 4;
const READY: usize = 5;
const STATUS: usize = 6;
const RESTARTS: usize = 7;
const CPU: usize = 8;
const MEM: usize = 9;
const NODE: usize = 10;

const COLUMNS: &[Column] = &columns(12);

/// The same where all pods are in one namespace: what they use is worth more than its name, over and over.
const COLUMNS_OF_ONE: &[Column] = &columns(15);

/// The columns; `namespace` is when the namespace's goes.
const fn columns(namespace: u8) -> [Column; 12] {
    [
        Column { title: "CLUSTER", min: 6, max: 24, right: false, narrow: 8, drop: 2 },
        Column { title: "NAMESPACE", min: 9, max: 24, right: false, narrow: 16, drop: namespace },
        Column { title: "APP", min: 8, max: 24, right: false, narrow: 17, drop: 14 },
        Column { title: "COMPONENT", min: 9, max: 24, right: false, narrow: 18, drop: 20 },
        Column { title: "NAME", min: 18, max: 60, right: false, narrow: 3, drop: 0 },
        Column { title: "READY", min: 5, max: 7, right: true, narrow: 0, drop: 4 },
        Column { title: "STATUS", min: 12, max: 40, right: false, narrow: 1, drop: 0 },
        Column { title: "RESTARTS", min: 8, max: 8, right: true, narrow: 0, drop: 10 },
        Column { title: "CPU", min: 5, max: 18, right: true, narrow: 15, drop: 13 },
        Column { title: "MEM", min: 6, max: 20, right: true, narrow: 14, drop: 13 },
        Column { title: "NODE", min: 8, max: 30, right: false, narrow: 19, drop: 22 },
        Column { title: "AGE", min: 3, max: 12, right: true, narrow: 0, drop: 6 },
    ]
}

impl PodRows {
    /// The pods of one application, in one cluster; `None`: of all.
    pub fn new(app: Option<AppKey>, cluster: Option<ClusterId>) -> Self {
        Self { app, cluster, one_namespace: Cell::new(false) }
    }

    fn pod<'a>(world: &'a World, key: &PodKey) -> Option<&'a Pod> {
        world.store.pod(key)
    }
}

impl Rows for PodRows {
    type Key = PodKey;

    fn columns(&self) -> &'static [Column] {
        if self.one_namespace.get() { COLUMNS_OF_ONE } else { COLUMNS }
    }

    fn keys(&self, world: &World) -> Vec<PodKey> {
        let of_cluster = |pod: &&Pod| self.cluster.as_ref().is_none_or(|cluster| pod.key.cluster == *cluster);
        let keys: Vec<PodKey> = if let Some(app) = &self.app {
            world.store.pods_of(app).filter(of_cluster).map(|pod| pod.key.clone()).collect()
        } else {
            let pods = world.store.pods().filter(|pod| world.shows_pod(pod)).filter(of_cluster);
            pods.map(|pod| pod.key.clone()).collect()
        };
        let mut namespaces = keys.iter().map(|key| &key.namespace);
        let first = namespaces.next();
        self.one_namespace.set(namespaces.all(|namespace| Some(namespace) == first));
        keys
    }

    fn keys_revision(&self, world: &World) -> u64 {
        world.store.keys_revision()
    }

    fn cell(&self, world: &World, key: &PodKey, column: usize) -> table::Cell {
        let Some(pod) = Self::pod(world, key) else { return table::Cell::new() };
        match column {
            CLUSTER => vec![Part::plain(key.cluster.as_str())],
            NAMESPACE => vec![Part::dim(&*key.namespace)],
            APP => vec![Part::dim(&*pod.owner.app)],
            COMPONENT => vec![Part::dim(&*pod.owner.component)],
            NAME => vec![Part::plain(&*key.name)],
            READY => vec![Part::dim(format!("{}/{}", pod.ready, pod.total))],
            STATUS => status(world, pod),
            RESTARTS => vec![Part::dim(pod.restarts.to_string())],
            CPU => usage::cpu(world, key, false),
            MEM => usage::memory(world, key, false),
            NODE => vec![Part::dim(if pod.node.is_empty() { "-" } else { &pod.node })],
            _ => vec![Part::Ago(pod.created_at, Tone::Dim)],
        }
    }

    fn narrow_cell(&self, world: &World, key: &PodKey, column: usize) -> table::Cell {
        match column {
            CPU => usage::cpu(world, key, true),
            MEM => usage::memory(world, key, true),
            _ => self.cell(world, key, column),
        }
    }

    fn health(&self, world: &World, key: &PodKey) -> Health {
        if world.stale_since(&key.cluster).is_some() {
            return Health::Unknown;
        }
        Self::pod(world, key).map_or(Health::Gone, |pod| pod.health)
    }

    fn stale(&self, world: &World, key: &PodKey) -> Option<Timestamp> {
        world.stale_since(&key.cluster)
    }

    fn reason(&self, world: &World, key: &PodKey) -> Option<String> {
        let pod = Self::pod(world, key)?;
        let own = (pod.health != Health::Ok && !pod.message.is_empty()).then(|| pod.message.to_string());
        // Where nothing is wrong with it: what is not among its neighbours, and why.
        own.or_else(|| if self.cluster.is_none() { others_unknown(world) } else { None })
    }

    fn empty(&self, world: &World) -> String {
        let what = match (&self.app, &self.cluster) {
            (Some(app), _) => format!("pods of {app}"),
            (None, Some(cluster)) => format!("pods of applications in {cluster}"),
            (None, None) => "pods of applications".to_owned(),
        };
        world.why_empty(&what, |query| matches!(query, Query::LabelledPods(_) | Query::ReleasePods(_)))
    }

    fn text(&self, world: &World, key: &PodKey, out: &mut String) {
        let Some(pod) = Self::pod(world, key) else { return };
        let owner = &pod.owner;
        for part in
            [key.cluster.as_str(), &key.namespace, &owner.app, &owner.component, &key.name, &pod.status, &pod.node]
        {
            out.push_str(part);
            out.push(' ');
        }
    }

    fn sort_key(&self, world: &World, key: &PodKey, column: usize) -> SortKey {
        let Some(pod) = Self::pod(world, key) else { return SortKey::Number(0) };
        let text = |text: &str| SortKey::Text(text.to_lowercase());
        match column {
            CLUSTER => text(key.cluster.as_str()),
            NAMESPACE => text(&key.namespace),
            APP => text(&pod.owner.app),
            COMPONENT => text(&pod.owner.component),
            NAME => text(&key.name),
            READY => SortKey::Number(i64::from(pod.ready) - i64::from(pod.total)),
            STATUS => SortKey::Text(format!("{}{}", pod.health as u8, pod.status)),
            RESTARTS => SortKey::Number(i64::from(pod.restarts)),
            CPU => SortKey::Number(usage::sort_key(world, key, |usage| usage.cpu)),
            MEM => SortKey::Number(usage::sort_key(world, key, |usage| usage.memory)),
            NODE => text(&pod.node),
            _ => SortKey::Time(pod.created_at),
        }
    }
}

/// A pod's STATUS behind its mark; of a cluster that does not answer: with how old it is.
pub fn status(world: &World, pod: &Pod) -> table::Cell {
    let stale = world.stale_since(&pod.key.cluster).is_some();
    let mut cell = vec![Part::Mark(if stale { Health::Unknown } else { pod.health }), Part::plain(" ")];
    cell.extend(status_words(world, pod));
    cell
}

/// The same without the mark.
pub fn status_words(world: &World, pod: &Pod) -> table::Cell {
    if let Some(since) = world.stale_since(&pod.key.cluster) {
        return vec![Part::dim(format!("{} stale ", pod.status)), Part::Ago(Some(since), Tone::Dim)];
    }
    let tone = if pod.health == Health::Ok { Tone::Dim } else { Tone::Health(pod.health) };
    vec![Part::Text(pod.status.to_string(), tone)]
}

/// Obeys a key.
pub fn on_action(table: &mut Table<PodRows>, action: Action, world: &World) -> Reaction {
    if table.on_action(action) || table.on_mark(action) {
        return Reaction::taken();
    }
    let Some(key) = table.selected().cloned() else { return Reaction::ignored() };
    Reaction::wish(match action {
        Action::Logs if table.marked_count() > 0 => Wish::FollowLogs(Box::new(LogRequest {
            containers: Containers::All,
            ..LogRequest::of_pods(table.marked())
        })),
        Action::Logs => Wish::LogsOfPod(key, None),
        Action::Forward => match world.store.pod(&key).and_then(|pod| world.store.owner_of(pod)) {
            Some(app) => Wish::Forward(app, Some(key.name)),
            None => {
                return Reaction::wish(Wish::Say(
                    crate::app::notice::Level::Info,
                    format!("{key} belongs to no application that is known: nothing to offer"),
                ));
            }
        },
        Action::Why => Wish::Open(Box::new(Page::Why(Box::new(WhyPage::new(super::why::asked::of_pod(world, key)))))),
        Action::Copy => Wish::Copy(key.name.to_string()),
        _ => return Reaction::ignored(),
    })
}
