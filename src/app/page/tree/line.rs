//! What a line of the tree says.

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::{
    app::{
        filter::Haystack,
        table::{Cell, Part, Tone},
    },
    model::{
        health::Health,
        key::ClusterId,
        resource::Tracked,
        tree::{Node, Tree, What},
    },
};

/// A line, by what it is and what it hangs from: the same object may stand in two places.
pub(super) type LineId = u64;

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
            let above = match above {
                Some(What::Object(above)) => &*above.name,
                _ => "",
            };
            label.push(Part::plain(short.map_or_else(|| key.name.to_string(), |mark| end(&key.name, above, mark))));
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

/// A name told by its end behind a mark, where it begins with another.
pub(in crate::app) fn end(name: &str, above: &str, mark: &str) -> String {
    match name.strip_prefix(above).filter(|end| !above.is_empty() && !end.is_empty()) {
        Some(end) => format!("{mark}{end}"),
        None => name.to_owned(),
    }
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

/// What a line speaks of, in words.
pub(super) fn told(what: &What) -> String {
    match what {
        What::Cluster(cluster) => cluster.to_string(),
        What::Object(key) => format!("{}/{}", key.kind, key.name),
        What::Idle(key, count) => format!("{count} older {}s", key.kind),
    }
}

/// What a line shows to a filter.
pub(super) struct LineText<'a>(pub(super) &'a Node);

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

/// Where something stands in a tree; where it does not, the same of another cluster.
pub(super) fn find(tree: &Tree, sought: &What) -> Option<usize> {
    let is_same = |what: &What| match (what, sought) {
        (What::Object(one), What::Object(other)) => {
            (&one.group, &one.kind, &one.namespace, &one.name)
                == (&other.group, &other.kind, &other.namespace, &other.name)
        }
        (one, other) => one == other,
    };
    let exactly = tree.nodes.iter().position(|node| node.what == *sought);
    exactly.or_else(|| tree.nodes.iter().position(|node| is_same(&node.what)))
}

/// Who the lines are, from one look to the next.
pub(super) fn ids(tree: &Tree) -> Vec<LineId> {
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
