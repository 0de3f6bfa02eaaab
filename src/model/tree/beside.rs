//! The clusters side by side: one row for what is the same in them, a cell for each cluster, and what stands out.
//!
//! Names that controllers make up (of pods, ReplicaSets, the Jobs of a CronJob) are others in every cluster: what hangs
//! from the same object under such names is one row, of which each cell counts its own.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{
    Health, Node, Tracked, Tree, What,
    group::{Group, Same, grouped, same},
};
use crate::model::{
    key::{ClusterId, Text},
    resource::ResourceKey,
};

/// The clusters side by side.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Beside {
    /// The columns, in the order of the tree.
    pub clusters: Vec<ClusterId>,
    /// The rows, each after the one it hangs from.
    pub rows: Vec<Row>,
}

/// What is the same in several clusters.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The row it hangs from.
    pub parent: Option<usize>,
    /// Levels below the roots.
    pub depth: usize,
    /// The component it belongs to; may be empty.
    pub component: Text,
    /// API group; empty for the core group.
    pub group: Text,
    /// Kind.
    pub kind: Text,
    /// Namespace; empty for what is in none.
    pub namespace: Text,
    /// Its name; `None` where each cluster has names of its own for it.
    pub name: Option<Text>,
    /// Whether it is the older revisions that are told as one.
    pub idle: bool,
    /// How it stands in each cluster, in their order.
    pub cells: Vec<Cell>,
}

impl Row {
    /// Whether the clusters differ in it.
    pub fn differs(&self) -> bool {
        self.cells.iter().any(|cell| cell.stands_out)
    }

    /// The worst of it in any cluster.
    pub fn health(&self) -> Health {
        let all = self.cells.iter().filter_map(|cell| match &cell.here {
            Here::There(there) => Some(there.badness()),
            Here::Absent | Here::Unknown | Here::NotYet => None,
        });
        all.reduce(Health::worst).unwrap_or(Health::Ok)
    }
}

/// One row in one cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// What is there.
    pub here: Here,
    /// Whether it is otherwise than in most clusters that can be compared.
    pub stands_out: bool,
}

/// What there is of a row in a cluster.
#[derive(Clone, Debug, PartialEq)]
pub enum Here {
    /// It is there, or was applied and is gone.
    There(There),
    /// It is not there, and the cluster has been asked.
    Absent,
    /// Nobody can tell: the cluster does not answer, or not yet.
    Unknown,
    /// Nothing is deployed to the cluster yet.
    NotYet,
}

/// How something stands in a cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct There {
    /// Its lines in the tree, the worst first; never empty.
    pub lines: Vec<usize>,
    /// The worst of it and everything below.
    pub health: Health,
    /// How many of how many are ready: as it says itself, else how many of several are well.
    pub ready: Option<(u32, u32)>,
    /// Whether an older revision applied it, and not the current one.
    pub outdated: bool,
    /// When it was made; of several, the youngest.
    pub created_at: Option<Timestamp>,
    /// What is to be said of it, where that can be compared.
    said: Text,
}

impl There {
    /// How it stands, where what is gone counts as failed unless it was to go.
    fn badness(&self) -> Health {
        if self.health == Health::Gone && !self.outdated { Health::Failed } else { self.health }
    }
}

/// What two clusters are compared by; `None`: it is not there.
type Compared<'a> = Option<(Health, Option<(u32, u32)>, bool, &'a str)>;

/// Puts the clusters of a tree side by side.
pub fn beside(tree: &Tree) -> Beside {
    let groups = grouped(tree, |_, node| row_of(tree, node));
    let tops: Vec<&Node> = tree.nodes.iter().filter(|node| node.parent.is_none()).collect();
    let clusters: Vec<ClusterId> = tops.iter().map(|node| node.what.cluster().clone()).collect();
    let places: BTreeMap<&ClusterId, usize> = clusters.iter().enumerate().map(|(at, cluster)| (cluster, at)).collect();
    let elsewhere: Vec<Here> = tops
        .iter()
        .map(|node| match node.tracked {
            _ if node.own == Health::Unknown || tree.asking.contains(node.what.cluster()) => Here::Unknown,
            Some(Tracked::NotDeployed) => Here::NotYet,
            _ => Here::Absent,
        })
        .collect();
    let rows = groups.iter().filter_map(|group| row(tree, group, &places, &elsewhere)).collect();
    Beside { clusters, rows }
}

/// What makes a line one with those of other clusters; clusters are columns.
fn row_of<'a>(tree: &'a Tree, node: &'a Node) -> Option<Same<'a>> {
    let What::Object(key) = &node.what else {
        return node.parent.map(|_| same(node));
    };
    let above = node.parent.and_then(|parent| tree.nodes.get(parent)).map(|above| &above.what);
    Some(match above {
        Some(What::Object(above)) if is_made_up(above, key) => {
            (&node.component, "made up", &key.group, &key.kind, &key.namespace, "")
        }
        _ => same(node),
    })
}

/// Whether a controller made up a child's name: it is another in every cluster.
pub fn is_made_up(above: &ResourceKey, child: &ResourceKey) -> bool {
    let Some(end) = child.name.strip_prefix(&*above.name).and_then(|rest| rest.strip_prefix('-')) else {
        return false;
    };
    match (&*above.kind, &*child.kind) {
        ("ReplicaSet" | "DaemonSet" | "Job", "Pod")
        | ("Deployment", "ReplicaSet")
        | ("CronJob", "Job")
        | (_, "ControllerRevision" | "EndpointSlice") => true,
        // `metadata.generateName` ends in five of the letters that spell no word (k8s.io/apimachinery, rand.String).
        _ => end.len() == 5 && end.chars().all(|char| "bcdfghjklmnpqrstvwxz2456789".contains(char)),
    }
}

fn row(tree: &Tree, group: &Group, places: &BTreeMap<&ClusterId, usize>, elsewhere: &[Here]) -> Option<Row> {
    let first = tree.nodes.get(*group.lines.first()?)?;
    let (key, idle) = match &first.what {
        What::Cluster(_) => return None,
        What::Object(key) => (key, false),
        What::Idle(key, _) => (key, true),
    };
    let (_, form, ..) = row_of(tree, first)?;
    let mut lines: Vec<Vec<usize>> = vec![Vec::new(); elsewhere.len()];
    for line in &group.lines {
        let node = tree.nodes.get(*line)?;
        if let Some(lines) = places.get(node.what.cluster()).and_then(|at| lines.get_mut(*at)) {
            lines.push(*line);
        }
    }
    let here = lines.into_iter().zip(elsewhere).map(|(lines, elsewhere)| match there(tree, lines) {
        // What is known of a lost cluster is what it was; there is nothing to compare.
        Some(there) => Here::There(there),
        None => elsewhere.clone(),
    });
    let mut cells: Vec<Cell> = here.map(|here| Cell { here, stands_out: false }).collect();
    if !idle {
        tell_apart(&mut cells);
    }
    Some(Row {
        parent: group.parent,
        depth: group.depth,
        component: first.component.clone(),
        group: key.group.clone(),
        kind: key.kind.clone(),
        namespace: key.namespace.clone(),
        name: (form == "object").then(|| key.name.clone()),
        idle,
        cells,
    })
}

fn there(tree: &Tree, mut lines: Vec<usize>) -> Option<There> {
    let node = |line: &usize| tree.nodes.get(*line);
    let badness =
        |line: &usize| node(line).map(|node| if node.own == Health::Gone { Health::Failed } else { node.own });
    lines.sort_by_key(badness);
    // An object with two owners has two lines.
    let mut objects: Vec<&Node> = lines.iter().filter_map(node).collect();
    objects.sort_by_key(|node| &node.what);
    objects.dedup_by_key(|node| &node.what);
    let only = if let [only] = &objects[..] { Some(*only) } else { None };
    let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let ready = match only {
        Some(Node { what: What::Idle(..), .. }) => None,
        Some(only) => ready(&only.message),
        None => {
            let well = objects.iter().filter(|node| matches!(node.own, Health::Ok | Health::Pending)).count();
            Some((count(well), count(objects.len())))
        }
    };
    Some(There {
        health: lines.iter().filter_map(node).map(|node| node.health).reduce(Health::worst)?,
        ready,
        outdated: objects.iter().any(|node| node.tracked == Some(Tracked::Outdated)),
        created_at: objects.iter().filter_map(|node| node.created_at).max(),
        said: only.map(comparable).unwrap_or_default(),
        lines,
    })
}

/// `2/3 available`: how many of how many.
fn ready(message: &str) -> Option<(u32, u32)> {
    let (ready, of) = message.split([' ', ';']).next()?.split_once('/')?;
    ready.parse().ok().zip(of.parse().ok())
}

/// What a line says, without what is another in every cluster by nature: addresses, times, names of what it made.
fn comparable(node: &Node) -> Text {
    let What::Object(key) = &node.what else { return Text::default() };
    if !matches!(node.own, Health::Ok | Health::Pending) {
        return Text::default();
    }
    match &*key.kind {
        "Pod" | "Job" | "CronJob" | "Ingress" | "Secret" => Text::default(),
        "Service" if node.message.starts_with("LoadBalancer") => {
            node.message.rsplit(' ').next().unwrap_or_default().into()
        }
        _ => node.message.split("; ").next().unwrap_or_default().into(),
    }
}

/// Marks what is otherwise than in most clusters that can be compared; of equal numbers, those that are well are most.
fn tell_apart(cells: &mut [Cell]) {
    let mut counts: BTreeMap<Compared<'_>, usize> = BTreeMap::new();
    for compared in cells.iter().filter_map(compared) {
        *counts.entry(compared).or_default() += 1;
    }
    // The order of health is from bad to good; what is there is before what is not.
    let rank = |compared: &Compared<'_>| {
        compared.map(|(health, ..)| if health == Health::Gone { Health::Failed } else { health })
    };
    let most = counts.iter().max_by_key(|(compared, count)| (**count, rank(compared))).map(|(most, _)| *most);
    let apart: Vec<bool> =
        cells.iter().map(|cell| compared(cell).is_some_and(|compared| Some(compared) != most)).collect();
    for (cell, apart) in cells.iter_mut().zip(apart) {
        cell.stands_out = apart;
    }
}

/// What a cell is compared by; `None`: there is nothing to compare.
fn compared(cell: &Cell) -> Option<Compared<'_>> {
    match &cell.here {
        Here::There(there) if there.health == Health::Unknown => None,
        Here::There(there) => Some(Some((there.health, there.ready, there.outdated, &there.said))),
        Here::Absent => Some(None),
        Here::Unknown | Here::NotYet => None,
    }
}

#[cfg(test)]
mod tests;
