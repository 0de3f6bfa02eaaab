//! The tree across clusters: what is the same in several of them stands once, with how it stands in each.

use super::{
    Health, Node, Tracked, Tree, What,
    group::{grouped, same},
};
use crate::model::key::ClusterId;

/// Merges a tree that stands by cluster. Clusters in which nothing stands keep a line of their own, as they have
/// something to say nevertheless: nothing deployed yet, or no answer.
pub fn merged(tree: &Tree) -> Tree {
    let groups = grouped(tree, |line, node| {
        let is_above = node.parent.is_none() && tree.nodes.get(line + 1).is_some_and(|next| next.parent == Some(line));
        (!is_above).then(|| same(node))
    });
    let nodes = groups.iter().map(|group| one(tree, &group.lines, group.parent, group.depth)).collect();
    Tree { nodes, incomplete: tree.incomplete.clone(), asking: tree.asking.clone() }
}

/// The line that stands for several. What is said of it is what is said of the worst.
fn one(tree: &Tree, lines: &[usize], parent: Option<usize>, depth: usize) -> Node {
    let all = || lines.iter().map(|line| &tree.nodes[*line]);
    // What is wanted and gone in one of several clusters is as bad as what failed there.
    let badness = |health: Health, node: &Node| match (health, node.tracked) {
        (Health::Gone, Some(Tracked::Outdated)) => (Health::Gone, true),
        (Health::Gone, _) => (Health::Failed, true),
        (health, _) => (health, false),
    };
    let worst = all().min_by_key(|node| badness(node.own, node)).unwrap_or(&tree.nodes[0]);
    let own = worst.own;
    let health = all()
        .map(|node| badness(node.health, node))
        .min()
        .map_or(Health::Ok, |(health, gone)| if gone && lines.len() == 1 { Health::Gone } else { health });
    let idle: usize = all().map(|node| if let What::Idle(_, count) = node.what { count } else { 0 }).sum();
    let what = match &worst.what {
        What::Idle(key, _) => What::Idle(key.clone(), idle),
        what => what.clone(),
    };
    let mut places: Vec<(ClusterId, Health)> = all().map(|node| (node.what.cluster().clone(), node.health)).collect();
    // An object with two owners stands in one place twice.
    places.dedup_by(|later, earlier| {
        let same = later.0 == earlier.0;
        if same {
            earlier.1 = earlier.1.worst(later.1);
        }
        same
    });
    if matches!(what, What::Cluster(_)) {
        places.clear();
    }
    Node {
        parent,
        depth,
        what,
        component: worst.component.clone(),
        tracked: worst.tracked,
        own,
        health,
        message: worst.message.clone(),
        created_at: worst.created_at,
        places,
    }
}
