//! The tree across clusters: what is the same in several of them stands once, with how it stands in each.

use std::collections::HashMap;

use super::{Health, Node, Tracked, Tree, What, rank};
use crate::model::key::{ClusterId, Text};

/// What makes two lines below the same line one: component, and kind and name within it; the cluster aside.
type Same<'a> = (&'a str, &'static str, &'a str, &'a str, &'a str, &'a str);

fn same(node: &Node) -> Same<'_> {
    let (form, key) = match &node.what {
        What::Cluster(cluster) => return ("", "cluster", "", "", "", cluster.as_str()),
        What::Object(key) => ("object", key),
        // Which of the idle ones stands for all is chance.
        What::Idle(key, _) => return (&node.component, "idle", &key.group, &key.kind, &key.namespace, ""),
    };
    (&node.component, form, &key.group, &key.kind, &key.namespace, &key.name)
}

/// Lines that are one, and what hangs from them.
struct Group {
    /// The place of each in the tree.
    lines: Vec<usize>,
    children: Vec<usize>,
}

/// Merges a tree that stands by cluster. Clusters in which nothing stands keep a line of their own, as they have
/// something to say nevertheless: nothing deployed yet, or no answer.
pub fn merged(tree: &Tree) -> Tree {
    let mut groups: Vec<Group> = Vec::new();
    let mut tops: Vec<usize> = Vec::new();
    // By the group above and what makes lines the same.
    let mut known: HashMap<(Option<usize>, Same<'_>), usize> = HashMap::new();
    let mut group_of: Vec<Option<usize>> = Vec::with_capacity(tree.nodes.len());
    for (line, node) in tree.nodes.iter().enumerate() {
        let is_cluster = node.parent.is_none();
        if is_cluster && tree.nodes.get(line + 1).is_some_and(|next| next.parent == Some(line)) {
            group_of.push(None);
            continue;
        }
        let above = node.parent.and_then(|parent| group_of.get(parent).copied().flatten());
        let group = *known.entry((above, same(node))).or_insert_with(|| {
            groups.push(Group { lines: Vec::new(), children: Vec::new() });
            groups.len() - 1
        });
        if groups[group].lines.is_empty() {
            match above {
                Some(above) => groups[above].children.push(group),
                None => tops.push(group),
            }
        }
        groups[group].lines.push(line);
        group_of.push(Some(group));
    }
    let mut nodes = Vec::with_capacity(groups.len());
    let order = |siblings: &mut [usize]| {
        siblings.sort_by_cached_key(|group| {
            let first = &tree.nodes[groups[*group].lines[0]];
            let kind = match &first.what {
                What::Cluster(_) => u8::MAX,
                What::Object(key) => rank(&key.kind),
                What::Idle(..) => u8::MAX - 1,
            };
            let depth_one = if first.depth == 1 { first.component.clone() } else { Text::default() };
            (matches!(first.what, What::Cluster(_)), depth_one, kind, same(first))
        });
    };
    order(&mut tops);
    // The next group to be written, and the line that it hangs from.
    let mut next: Vec<(usize, Option<usize>)> = tops.into_iter().rev().map(|group| (group, None)).collect();
    while let Some((group, parent)) = next.pop() {
        let depth = parent.map_or(0, |parent: usize| {
            let above: &Node = &nodes[parent];
            above.depth + 1
        });
        nodes.push(one(tree, &groups[group].lines, parent, depth));
        let line = nodes.len() - 1;
        let mut children = groups[group].children.clone();
        order(&mut children);
        next.extend(children.into_iter().rev().map(|child| (child, Some(line))));
    }
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
