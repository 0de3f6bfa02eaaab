//! Why an object is not well: down the tree from it to what it is not well for.

use super::{
    Advice, Chain, Known, Looked, Place, Subject,
    facts::ObjectState,
    pod::{self, View},
    words,
};
use crate::model::{
    health::Health,
    key::{ClusterId, PodKey, Text},
    resource::{ResourceKey, Tracked},
    tree::{Node, Tree, What},
};

/// Links at most: beyond, the tree itself is the better view.
const MOST_LINKS: usize = 120;
/// Warnings told about one object.
const WARNINGS: usize = 3;

/// The chain of one object of an application.
pub(super) fn one(key: &ResourceKey, known: &Known<'_>) -> Chain {
    let mut chain = Chain::default();
    let tree = known.looked.map(|looked| &looked.tree);
    let line = tree.and_then(|tree| tree.nodes.iter().position(|node| is_object(node, key)));
    match (tree, line) {
        (Some(tree), Some(line)) => {
            let node = &tree.nodes[line];
            if is_well(node) {
                let message = if node.message.is_empty() { "ok" } else { &*node.message };
                chain.push(0, Place::Object(key.clone()), node.health, message).since = node.created_at;
            } else {
                descend(&mut chain, 0, tree, line, known);
            }
        }
        _ => {
            if let Some(row) = key.as_pod().and_then(|key| known.pods.iter().find(|pod| pod.key == key)) {
                pod::push(&mut chain, 0, &View::of_row(row), 0, known);
            } else {
                let told = if tree.is_some() { "is not among what the application made" } else { "looking it up" };
                let health = if tree.is_some() { Health::Gone } else { Health::Unknown };
                chain.push(0, Place::Object(key.clone()), health, told);
            }
        }
    }
    chain
}

/// The chain of a pod whose application is not known.
pub(super) fn stray(key: &PodKey, known: &Known<'_>) -> Chain {
    let mut chain = Chain::default();
    match known.pods.iter().find(|pod| pod.key == *key) {
        Some(row) => {
            pod::push(&mut chain, 0, &View::of_row(row), 0, known);
            chain.push(
                1,
                Place::Object(ResourceKey::pod(key)),
                Health::Pending,
                "belongs to no application that is known",
            );
        }
        None => {
            chain.push(0, Place::Object(ResourceKey::pod(key)), Health::Gone, "is not there any more");
        }
    }
    chain
}

fn is_object(node: &Node, key: &ResourceKey) -> bool {
    matches!(&node.what, What::Object(found) if found == key)
}

/// Whether a line and all below it is as it should be.
pub(super) fn is_well(node: &Node) -> bool {
    let gone_rightly = node.own == Health::Gone && node.tracked == Some(Tracked::Outdated);
    gone_rightly || matches!(node.health, Health::Ok | Health::Pending)
}

/// The lines that hang from one, the worst first.
pub(super) fn children(tree: &Tree, line: usize) -> Vec<usize> {
    let depth = tree.nodes.get(line).map_or(0, |node| node.depth);
    let below = tree.nodes.iter().enumerate().skip(line + 1).take_while(|(_, node)| node.depth > depth);
    let mut found: Vec<usize> = below.filter(|(_, node)| node.parent == Some(line)).map(|(at, _)| at).collect();
    found.sort_by_key(|at| {
        tree.nodes.get(*at).map(|node| if node.own == Health::Gone { Health::Failed } else { node.health })
    });
    found
}

/// Tells of several lines, those alike together.
pub(super) fn descend_all(chain: &mut Chain, depth: usize, tree: &Tree, lines: &[usize], known: &Known<'_>) {
    let mut told: Vec<(String, usize)> = Vec::new();
    for line in lines {
        let Some(node) = tree.nodes.get(*line).filter(|node| !is_well(node)) else { continue };
        let Some(word) = alike(node) else {
            descend(chain, depth, tree, *line, known);
            continue;
        };
        if told.iter().any(|(known, _)| *known == word) {
            continue;
        }
        let same =
            lines.iter().filter_map(|line| tree.nodes.get(*line)).filter(|node| alike(node).as_ref() == Some(&word));
        let count = same.count();
        told.push((word, count));
        if let What::Object(key) = &node.what
            && let Some(key) = key.as_pod()
        {
            pod::push(chain, depth, &pod_view(key, node, known), count - 1, known);
        }
    }
}

/// What pods have in common that are not well in the same way.
fn alike(node: &Node) -> Option<String> {
    let What::Object(key) = &node.what else { return None };
    let pod = key.as_pod()?;
    let view = View::of_line(pod, node.own, &node.message, node.created_at);
    Some(format!("{}{}", node.own.as_str(), view.status))
}

fn pod_view(key: PodKey, node: &Node, known: &Known<'_>) -> View {
    match known.pods.iter().find(|pod| pod.key == key && pod.health == node.own) {
        Some(row) => View::of_row(row),
        None => View::of_line(key, node.own, &node.message, node.created_at),
    }
}

/// Tells of a line that is not well, and of what it is not well for.
pub(super) fn descend(chain: &mut Chain, depth: usize, tree: &Tree, line: usize, known: &Known<'_>) {
    let Some(node) = tree.nodes.get(line) else { return };
    let What::Object(key) = &node.what else { return };
    if is_well(node) || chain.links.len() >= MOST_LINKS {
        return;
    }
    // Told where it is the cause of something, it need not be told again by itself.
    if chain.links.iter().any(|link| link.what == Place::Object(key.clone())) {
        return;
    }
    if let Some(pod) = key.as_pod() {
        pod::push(chain, depth, &pod_view(pod, node, known), 0, known);
        return;
    }
    let below = children(tree, line);
    // Between a workload and its pods: it says nothing of its own.
    if &*key.kind == "ReplicaSet"
        && node.own != Health::Failed
        && below.iter().any(|at| tree.nodes.get(*at).is_some_and(|node| !is_well(node)))
    {
        descend_all(chain, depth, tree, &below, known);
        return;
    }
    let from = chain.links.len();
    // Nor what its Deployment has just said in its name.
    let said = node.message.split_once("; ").map_or("", |(_, said)| said);
    let said = words::one_line(said);
    if &*key.kind == "ReplicaSet"
        && !said.is_empty()
        && chain.links.last().is_some_and(|link| link.reason.contains(&said))
    {
        if let Some(looked) = known.looked {
            push_warnings(chain, depth, key, from, looked);
        }
        descend_all(chain, depth, tree, &below, known);
        return;
    }
    own(chain, depth, node, key, known);
    if let Some(looked) = known.looked {
        push_source(chain, depth + 1, tree, key, known);
        push_chart(chain, depth + 1, key, looked);
        push_warnings(chain, depth + 1, key, from, looked);
    }
    descend_all(chain, depth + 1, tree, &below, known);
}

/// Tells what an object says of itself.
fn own(chain: &mut Chain, depth: usize, node: &Node, key: &ResourceKey, known: &Known<'_>) {
    let place = Place::Object(key.clone());
    let state = known.looked.and_then(|looked| looked.state(key));
    let is_flux = key.group.ends_with("toolkit.fluxcd.io");
    if known.looked.is_some_and(|looked| looked.is_missing(&key.cluster, &key.group, &key.kind)) {
        let (reason, advice) = words::missing_kind(&key.cluster, &key.group, &key.kind);
        chain.push(depth, place, Health::Failed, reason).advice = Some(advice);
        return;
    }
    if node.own == Health::Gone {
        let link = chain.push(depth, place, Health::Gone, "was applied, and is not there any more");
        link.advice = known.app.map(|(app, _)| {
            let command = format!("vela workflow restart {} -n {}", app.key.name, app.key.namespace);
            Advice::run(
                "the controller brings it back when it looks again; a restart of the workflow does so at once",
                command,
            )
        });
        return;
    }
    if matches!(node.own, Health::Ok | Health::Pending) {
        let said = if node.message.is_empty() {
            "is ok by itself".to_owned()
        } else {
            format!("says “{}”", words::one_line(&node.message))
        };
        chain.push(depth, place, node.health, format!("{said}, but what it made is not well"));
        return;
    }
    let mut message = node.message.to_string();
    let mut since = None;
    if let Some(state) = state {
        for condition in &state.conditions {
            let said = words::one_line(&condition.message);
            if !said.is_empty() && !message.contains(&said) {
                message = if message.is_empty() { said } else { format!("{message}: {}", condition.message) };
            }
            since = since.min(condition.since).or(condition.since);
        }
    }
    if is_flux {
        let (sentence, advice) = words::release(&key.kind, &message);
        let said = words::last_of_helm(&message);
        let link = chain.push(depth, place.clone(), node.own, sentence);
        link.since = since;
        link.advice = advice;
        if let Some(said) = said {
            chain.push(depth + 1, place, node.own, format!("Helm said last: {said}"));
        }
        return;
    }
    let sentence = if message.is_empty() { node.own.as_str().to_owned() } else { words::one_line(&message) };
    let link = chain.push(depth, place, node.own, sentence);
    link.since = since;
    link.advice = advice_for(key, &message);
}

fn advice_for(key: &ResourceKey, message: &str) -> Option<Advice> {
    if message.contains("exceeded quota") {
        let command = format!("kubectl --context {} -n {} describe resourcequota", key.cluster, key.namespace);
        return Some(Advice::run("the namespace's quota is used up: raise it, or ask for less", command));
    }
    if message.contains("being deleted, held by") {
        return Some(Advice::say("it goes when what holds it has done its work, or is gone itself"));
    }
    None
}

/// What a release is made from, where that is not well.
fn push_source(chain: &mut Chain, depth: usize, tree: &Tree, key: &ResourceKey, known: &Known<'_>) {
    let Some((kind, name)) = known.looked.and_then(|looked| looked.state(key)).and_then(|state| state.source.as_ref())
    else {
        return;
    };
    let is_it = |node: &&Node| {
        matches!(&node.what, What::Object(found)
            if found.kind == *kind && found.name == *name && found.cluster == key.cluster && found != key)
    };
    let Some(node) = tree.nodes.iter().find(is_it).filter(|node| !is_well(node)) else { return };
    let What::Object(found) = &node.what else { return };
    if chain.links.iter().any(|link| link.what == Place::Object(found.clone())) {
        return;
    }
    own(chain, depth, node, found, known);
}

/// The chart that a release installs, where that is not ready.
fn push_chart(chain: &mut Chain, depth: usize, key: &ResourceKey, looked: &Looked) {
    let Some(chart) = looked.state(key).and_then(ObjectState::chart_key) else { return };
    let faults = looked.state(&chart).map(|state| state.conditions.as_slice()).unwrap_or_default();
    let Some(fault) = faults.iter().find(|fault| !fault.message.is_empty()) else { return };
    let (sentence, advice) = words::release("chart", &fault.message);
    let link = chain.push(depth, Place::Object(chart), Health::Failed, sentence);
    link.since = fault.since;
    link.advice = advice;
}

/// Tells of a claim that a pod mounts and that is not bound.
pub(super) fn push_claim(chain: &mut Chain, depth: usize, pod: &ResourceKey, claim: &Text, known: &Known<'_>) {
    let Some(looked) = known.looked else { return };
    let key = ResourceKey { kind: "PersistentVolumeClaim".into(), name: claim.clone(), ..pod.clone() };
    let Some(node) = looked.tree.nodes.iter().find(|node| is_object(node, &key)) else { return };
    if is_well(node) || chain.links.iter().any(|link| link.what == Place::Object(key.clone())) {
        return;
    }
    let from = chain.links.len();
    let waits = looked.warnings_of(&key).any(|warning| &*warning.reason == "WaitForFirstConsumer");
    let message = words::one_line(&node.message);
    let link = chain.push(depth, Place::Object(key.clone()), node.own, message);
    link.since = node.created_at;
    link.advice =
        if waits { None } else { Some(Advice::say("see that its storage class is there and can provide a volume")) };
    push_warnings(chain, depth + 1, &key, from, looked);
}

/// Tells the newest warnings about an object that say something new since the link at `from`.
pub(super) fn push_warnings(chain: &mut Chain, depth: usize, key: &ResourceKey, from: usize, looked: &Looked) {
    let mut told = 0;
    for warning in looked.warnings_of(key) {
        let message = words::one_line(&warning.message);
        let start: String = message.chars().take(60).collect();
        // What the object said of itself need not be told again, nor that it is being tried again.
        let is_old = chain.links.iter().skip(from).any(|link| link.reason.contains(&start));
        let is_empty_word = &*warning.reason == "BackOff" || message.starts_with("Error: ");
        if is_old || is_empty_word || told == WARNINGS {
            continue;
        }
        told += 1;
        let sentence = format!("{}: {message}{}", warning.reason, words::times(warning.count));
        chain.push(depth, Place::Event(key.clone()), Health::Failed, sentence).since = warning.last;
    }
}

/// Objects of one kind, in one cluster, that are looked at for failing the same way.
const ALIKE: usize = 2;

/// The objects that a closer look is worth, of what is asked about: those that are not well by themselves, the worst
/// first, of pods that fail the same way two.
pub fn suspects(subject: &Subject, tree: &Tree, most: usize) -> Vec<ResourceKey> {
    let within: Option<(usize, usize)> = match subject {
        Subject::Object(_, key) => {
            let Some(at) = tree.nodes.iter().position(|node| is_object(node, key)) else { return vec![key.clone()] };
            let depth = tree.nodes.get(at).map_or(0, |node| node.depth);
            let below = tree.nodes.iter().skip(at + 1).take_while(|node| node.depth > depth).count();
            Some((at, at + below))
        }
        _ => None,
    };
    let mut found: Vec<(Health, usize, &ResourceKey)> = Vec::new();
    let mut told: Vec<(String, &ClusterId, &str, usize)> = Vec::new();
    for (at, node) in tree.nodes.iter().enumerate() {
        let What::Object(key) = &node.what else { continue };
        let here = match subject {
            Subject::Place(_, cluster) => key.cluster == *cluster,
            Subject::Component(_, cluster, _, name) => key.cluster == *cluster && node.component == *name,
            _ => true,
        };
        // A claim that a pod waits for is no child of it.
        let inside =
            within.is_none_or(|(first, last)| (first..=last).contains(&at)) || &*key.kind == "PersistentVolumeClaim";
        let gone_rightly = node.own == Health::Gone && node.tracked != Some(Tracked::Updated);
        let is_well = matches!(node.own, Health::Ok | Health::Pending) || gone_rightly;
        // Nobody can tell of what is in a cluster that does not answer.
        let is_unknown = node.own == Health::Unknown && key.as_pod().is_none();
        if !here || !inside || is_well || is_unknown || key.is_secret() {
            continue;
        }
        let word = alike(node).unwrap_or_else(|| format!("{}{}", node.own.as_str(), node.message));
        match told
            .iter_mut()
            .find(|(known, cluster, kind, _)| *known == word && **cluster == key.cluster && **kind == *key.kind)
        {
            Some((.., times)) if *times >= ALIKE => continue,
            Some((.., times)) => *times += 1,
            None => told.push((word, &key.cluster, &key.kind, 1)),
        }
        let health = if node.own == Health::Gone { Health::Failed } else { node.own };
        found.push((health, at, key));
    }
    found.sort_by_key(|(health, at, _)| (*health, *at));
    found.into_iter().take(most).map(|(.., key)| key.clone()).collect()
}
