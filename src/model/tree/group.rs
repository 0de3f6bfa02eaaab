//! Which lines of a tree are the same one in several clusters.

use std::collections::HashMap;

use super::{Node, Tree, What, rank};
use crate::model::key::Text;

/// What makes two lines below the same line one: component, form, group, kind, namespace, name; the cluster aside.
pub(super) type Same<'a> = (&'a str, &'static str, &'a str, &'a str, &'a str, &'a str);

/// Lines that are one.
pub(super) struct Group {
    /// The place of each in the tree; never empty.
    pub(super) lines: Vec<usize>,
    /// The group that they hang from: one that comes before.
    pub(super) parent: Option<usize>,
    /// Levels below the topmost groups.
    pub(super) depth: usize,
}

/// What a line is, whatever cluster it is in.
pub(super) fn same(node: &Node) -> Same<'_> {
    let (form, key) = match &node.what {
        What::Cluster(cluster) => return ("", "cluster", "", "", "", cluster.as_str()),
        What::Object(key) => ("object", key),
        // Which of the idle ones stands for all is chance.
        What::Idle(key, _) => return (&node.component, "idle", &key.group, &key.kind, &key.namespace, ""),
    };
    (&node.component, form, &key.group, &key.kind, &key.namespace, &key.name)
}

/// Puts together what is the same, each group after the one it hangs from. A line that is nothing is left out, and what
/// hangs from it stands on top.
pub(super) fn grouped<'a>(tree: &'a Tree, what: impl Fn(usize, &'a Node) -> Option<Same<'a>>) -> Vec<Group> {
    let mut lines_of: Vec<Vec<usize>> = Vec::new();
    let mut children: Vec<Vec<usize>> = Vec::new();
    let mut tops: Vec<usize> = Vec::new();
    // By the group above and what makes lines the same.
    let mut known: HashMap<(Option<usize>, Same<'a>), usize> = HashMap::new();
    let mut group_of: Vec<Option<usize>> = Vec::with_capacity(tree.nodes.len());
    for (line, node) in tree.nodes.iter().enumerate() {
        let Some(same) = what(line, node) else {
            group_of.push(None);
            continue;
        };
        let above = node.parent.and_then(|parent| group_of.get(parent).copied().flatten());
        let group = *known.entry((above, same)).or_insert_with(|| {
            lines_of.push(Vec::new());
            children.push(Vec::new());
            lines_of.len() - 1
        });
        if lines_of[group].is_empty() {
            match above {
                Some(above) => children[above].push(group),
                None => tops.push(group),
            }
        }
        lines_of[group].push(line);
        group_of.push(Some(group));
    }
    let order = |siblings: &mut [usize]| {
        siblings.sort_by_cached_key(|group| {
            let first = &tree.nodes[lines_of[*group][0]];
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
    let mut groups: Vec<Group> = Vec::with_capacity(lines_of.len());
    // The next to be written, and what it hangs from.
    let mut next: Vec<(usize, Option<usize>)> = tops.into_iter().rev().map(|group| (group, None)).collect();
    while let Some((group, parent)) = next.pop() {
        let depth = parent.map_or(0, |parent: usize| {
            let above: &Group = &groups[parent];
            above.depth + 1
        });
        let place = groups.len();
        groups.push(Group { lines: lines_of[group].clone(), parent, depth });
        let mut below = std::mem::take(&mut children[group]);
        order(&mut below);
        next.extend(below.into_iter().rev().map(|child| (child, Some(place))));
    }
    groups
}
