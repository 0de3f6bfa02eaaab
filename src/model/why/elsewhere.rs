//! The same elsewhere: where what is not well here is well in another cluster, and the first difference that is known.
//!
//! Nothing is asked for it: what the hub says of services, what the tree and the rows of pods tell, the clusters' versions.

use std::collections::BTreeSet;

use super::{Chain, Known, Link, Place};
use crate::model::{
    health::{self, Health},
    key::{ClusterId, Text},
    pod::Pod,
    resource::ResourceKey,
    tree::{
        Tree, What,
        beside::{Beside, Here, There, beside},
    },
    usage::{self, Amounts},
};

/// Lines told at most; clusters named at most.
const TOLD: usize = 3;
const NAMED: usize = 2;
/// Labels of a pod that say what it runs: the application's revision, the chart, the version.
const VERSIONS: [(&str, &str); 3] =
    [("app.oam.dev/appRevision", "revision"), ("helm.sh/chart", "chart"), ("app.kubernetes.io/version", "version")];

/// Tells of what is not well in the chain and is well elsewhere, once for each component.
pub(super) fn tell(chain: &mut Chain, known: &Known<'_>) {
    let Some((app, _)) = known.app else { return };
    let sides = known.looked.map(|looked| (&looked.tree, beside(&looked.tree)));
    let mut told: BTreeSet<Text> = BTreeSet::new();
    let mut found: Vec<(usize, Link)> = Vec::new();
    for (at, link) in chain.links.iter().enumerate() {
        if matches!(link.health, Health::Ok | Health::Pending | Health::Unknown) || found.len() == TOLD {
            continue;
        }
        let twin = match (&link.what, &sides) {
            (Place::Object(key), Some((tree, beside))) => object(tree, beside, key, known),
            (Place::Component { cluster, name, .. }, None) if !told.contains(name) => {
                let well = app.services.iter().filter(|service| {
                    service.name == *name
                        && service.cluster != *cluster
                        && service.is_well()
                        && is_well(known, &service.cluster, name)
                });
                let clusters: Vec<&ClusterId> = well.map(|service| &service.cluster).collect();
                clusters.first().map(|first| Twin {
                    component: name.clone(),
                    what: Place::Component {
                        app: app.key.clone(),
                        cluster: (*first).clone(),
                        namespace: app
                            .services
                            .iter()
                            .find(|one| one.cluster == **first && one.name == *name)
                            .map(|one| one.namespace.clone())
                            .unwrap_or_default(),
                        name: name.clone(),
                    },
                    words: format!("the same is ok in {}{}", names(&clusters), by_pods(known, cluster, first, name)),
                })
            }
            _ => None,
        };
        let Some(twin) = twin.filter(|twin| told.insert(twin.component.clone())) else { continue };
        let end = chain.links.iter().skip(at + 1).position(|next| next.depth <= link.depth);
        let end = end.map_or(chain.links.len(), |after| at + 1 + after);
        let link = Link {
            depth: link.depth + 1,
            what: twin.what,
            health: Health::Ok,
            reason: twin.words.into(),
            since: None,
            advice: None,
        };
        found.push((end, link));
    }
    for (at, link) in found.into_iter().rev() {
        chain.links.insert(at, link);
    }
}

/// The same in another cluster.
struct Twin {
    component: Text,
    what: Place,
    words: String,
}

/// Where an object that is not well is well.
fn object(tree: &Tree, beside: &Beside, key: &ResourceKey, known: &Known<'_>) -> Option<Twin> {
    let line = tree.nodes.iter().position(|node| matches!(&node.what, What::Object(found) if found == key))?;
    let column = beside.clusters.iter().position(|cluster| *cluster == key.cluster)?;
    let there = |row: usize, column: usize| -> Option<&There> {
        match &beside.rows.get(row)?.cells.get(column)?.here {
            Here::There(there) => Some(there),
            Here::Absent | Here::Unknown | Here::NotYet => None,
        }
    };
    let row = (0..beside.rows.len()).find(|row| there(*row, column).is_some_and(|here| here.lines.contains(&line)))?;
    let is_well = |at: &usize| *at != column && there(row, *at).is_some_and(|there| there.health == Health::Ok);
    let well: Vec<usize> = (0..beside.clusters.len()).filter(is_well).collect();
    let first = *well.first()?;
    let clusters: Vec<&ClusterId> = well.iter().filter_map(|at| beside.clusters.get(*at)).collect();
    let (here, other) = (there(row, column)?, there(row, first)?);
    let component = beside.rows.get(row)?.component.clone();
    let wanted = |there: &There| there.ready.map(|(_, of)| of);
    let difference = if here.outdated {
        Some("there as the current revision wants it, here as an older one did".to_owned())
    } else if let (Some(here), Some(other)) = (wanted(here), wanted(other))
        && here != other
    {
        Some(format!("there {other} are wanted, here {here}"))
    } else {
        above(tree, beside, row, (column, first))
    };
    let words = match difference {
        Some(difference) => format!("; {difference}"),
        None => by_pods(known, &key.cluster, clusters.first()?, &component),
    };
    let What::Object(twin) = &tree.nodes.get(*other.lines.first()?)?.what else { return None };
    let words = format!("the same is ok in {}{words}", names(&clusters));
    Some(Twin { component, what: Place::Object(twin.clone()), words })
}

/// What it hangs from, where that says something else in the two clusters: another chart, another artifact.
fn above(tree: &Tree, beside: &Beside, row: usize, (here, other): (usize, usize)) -> Option<String> {
    let parent = |row: &usize| beside.rows.get(*row)?.parent;
    let said = |row: usize, column: usize| match &beside.rows.get(row)?.cells.get(column)?.here {
        Here::There(there) => tree.nodes.get(*there.lines.first()?),
        Here::Absent | Here::Unknown | Here::NotYet => None,
    };
    std::iter::successors(parent(&row), parent).find_map(|above| {
        let (one, two) = (said(above, here)?, said(above, other)?);
        let differ = one.own == Health::Ok && two.own == Health::Ok && one.message != two.message;
        let What::Object(key) = &one.what else { return None };
        differ.then(|| format!("there {}/{} says “{}”, here “{}”", key.kind, key.name, two.message, one.message))
    })
}

/// Whether no pod of a component is failing in a cluster that answers.
fn is_well(known: &Known<'_>, cluster: &ClusterId, component: &Text) -> bool {
    let answers = (known.link)(cluster).is_none_or(crate::model::cluster::LinkState::is_current);
    answers && health::failing(&pods(known, cluster, component)).is_empty()
}

fn pods<'a>(known: &Known<'a>, cluster: &ClusterId, component: &Text) -> Vec<&'a Pod> {
    let of_it = |pod: &&&Pod| pod.key.cluster == *cluster && pod.owner.component == *component && !pod.ended;
    known.pods.iter().filter(of_it).copied().collect()
}

/// The first difference between the pods of a component in two clusters, and else between those.
fn by_pods(known: &Known<'_>, here: &ClusterId, there: &ClusterId, component: &Text) -> String {
    let (ours, theirs) = (pods(known, here, component), pods(known, there, component));
    let told = |what: &str, there: Option<String>, here: Option<String>| {
        (there != here).then(|| {
            let none = || "none".to_owned();
            format!("; {what} there {}, here {}", there.unwrap_or_else(none), here.unwrap_or_else(none))
        })
    };
    if let (Some(our), Some(their)) = (ours.first(), theirs.first()) {
        for (label, word) in VERSIONS {
            let of =
                |pod: &Pod| pod.labels.iter().find(|(name, _)| **name == *label).map(|(_, value)| value.to_string());
            if let Some(words) = told(word, of(their), of(our)) {
                return words;
            }
        }
        let memory = |amounts: Amounts| amounts.memory.map(usage::memory);
        let cpu = |amounts: Amounts| amounts.cpu.map(usage::cpu);
        let (one, two) = (their.resources, our.resources);
        let amounts = [
            told("limit of memory", memory(one.limits), memory(two.limits)),
            told("limit of CPU", cpu(one.limits), cpu(two.limits)),
            told("request of memory", memory(one.requests), memory(two.requests)),
            told("request of CPU", cpu(one.requests), cpu(two.requests)),
        ];
        if let Some(words) = amounts.into_iter().flatten().next() {
            return words;
        }
        if ours.len() != theirs.len() {
            return format!("; there {} pods, here {}", theirs.len(), ours.len());
        }
    }
    let version = |cluster: &ClusterId| (known.version)(cluster).filter(|version| !version.is_empty());
    if let (Some(one), Some(two)) = (version(there), version(here))
        && one != two
    {
        return format!("; Kubernetes there is {one}, here {two}");
    }
    // Of several nodes, one that holds all that fail and none that is well.
    let failing = health::failing(&ours);
    let nodes: BTreeSet<&Text> = failing.iter().map(|pod| &pod.node).filter(|node| !node.is_empty()).collect();
    let well_there = |node: &Text| ours.iter().any(|pod| pod.node == *node && pod.health == Health::Ok);
    if let (Some(node), 1) = (nodes.first(), nodes.len())
        && failing.len() > 1
        && ours.len() > failing.len()
        && !well_there(node)
    {
        return format!("; here all that fail are on node {node}");
    }
    String::new()
}

/// So many clusters by name, of more their number.
fn names(clusters: &[&ClusterId]) -> String {
    let named: Vec<&str> = clusters.iter().take(NAMED).map(|cluster| cluster.as_str()).collect();
    match clusters.len().saturating_sub(NAMED) {
        0 => named.join(" and "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}
