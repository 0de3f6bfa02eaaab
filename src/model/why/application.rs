//! Why an application stands as it does: whether it is held, the step it stands at, the clusters it reaches.

use std::collections::BTreeSet;

use super::{
    Advice, Chain, Known, Link, Place, Subject, object,
    pod::{self, View},
    words,
};
use crate::model::{
    application::{Application, Service, Step, StepPhase, Target},
    approval::{self, Gate, GateReason, Waiting},
    cluster::LinkState,
    health::{self, ClusterStanding, Health, Standing},
    key::{AppKey, ClusterId},
    pod::Pod,
    tree::What,
};

/// The chain of an application, of a step of it, or of its part in one cluster.
pub(super) fn of(subject: &Subject, known: &Known<'_>) -> Chain {
    let mut chain = Chain::default();
    let Some((app, standing)) = known.app else {
        let key = subject.app().cloned().unwrap_or_else(|| AppKey::new("", ""));
        chain.push(0, Place::Application(key), Health::Gone, "is not there any more");
        return chain;
    };
    match subject {
        Subject::Step(_, name) => match app.leaves().map(|(_, step)| step).find(|step| step.name == *name) {
            Some(step) => {
                push_step(&mut chain, 0, app, standing, step);
                let there = places_of(app, step);
                push_places(&mut chain, 1, app, standing, known, |cluster| there.contains(cluster));
            }
            None => {
                chain.push(0, Place::Step(app.key.clone(), name.clone()), Health::Gone, "is not a step of it any more");
            }
        },
        Subject::Component(_, cluster, namespace, name) => {
            let is_it = |service: &&Service| {
                service.cluster == *cluster && service.namespace == *namespace && service.name == *name
            };
            push_cluster_link(&mut chain, 0, cluster, known);
            if let Some(service) = app.services.iter().find(is_it) {
                push_service(&mut chain, 0, app, service, known, &mut BTreeSet::new());
            }
        }
        Subject::Place(_, cluster) => push_places(&mut chain, 0, app, standing, known, |one| one == cluster),
        _ => whole(&mut chain, app, standing, known),
    }
    if chain.links.is_empty() {
        let what = match subject {
            Subject::Place(_, cluster) => Place::Cluster(cluster.clone()),
            Subject::Component(app, cluster, namespace, name) => Place::Component {
                app: app.clone(),
                cluster: cluster.clone(),
                namespace: namespace.clone(),
                name: name.clone(),
            },
            _ => Place::Application(app.key.clone()),
        };
        let reason = match standing
            .clusters
            .iter()
            .find(|place| matches!(subject, Subject::Place(_, at) if *at == place.cluster))
        {
            Some(place) if place.health == Health::Pending => "nothing is deployed here yet".to_owned(),
            Some(place) => format!("ok here: {}/{} services healthy", place.ready, place.total),
            None => "nothing is wrong".to_owned(),
        };
        chain.push(0, what, Health::Ok, reason);
    }
    chain
}

fn whole(chain: &mut Chain, app: &Application, standing: &Standing, known: &Known<'_>) {
    let word = health::judge(app, &[], &|_| None);
    let mut reason = standing.status.to_string();
    if word.health == Health::Ok && standing.health != Health::Ok && !reason.starts_with("hub says") {
        reason = format!("{reason}, though the hub says {}", word.status);
    }
    let step = at_step(app, standing);
    // Where a step follows, it tells the reason.
    if let (None, Some(why)) = (&step, standing.reason.as_ref().filter(|why| ***why != *standing.status)) {
        let told_below = standing.clusters.iter().any(|place| !is_fine(place.health));
        if !told_below || word.reason.as_ref() == Some(why) {
            reason = format!("{reason}: {}", words::one_line(why));
        }
    }
    let advice = not_rendered(app).or_else(|| unobserved(app, &word));
    let link = chain.push(0, Place::Application(app.key.clone()), standing.health, reason);
    link.since = standing.since;
    link.advice = advice;
    push_held(chain, app, &word);
    let depth = if let Some(step) = step {
        push_step(chain, 1, app, standing, step);
        2
    } else {
        push_suspended(chain, app);
        1
    };
    push_places(chain, depth, app, standing, known, |_| true);
    let is_bad_below = chain.links.iter().any(|link| link.health != Health::Unknown && !is_fine(link.health));
    if standing.health == Health::Ok
        && !chain.is_well()
        && let Some(first) = chain.links.first_mut()
    {
        first.reason = if is_bad_below {
            format!("the hub says {}, but not all is well", first.reason).into()
        } else {
            format!("the hub says {}; not all of it can be seen", first.reason).into()
        };
    }
    let looked_at_all = known.looked.is_some_and(|looked| looked.gaps().is_empty());
    if let [only] = &mut chain.links[..]
        && standing.health == Health::Ok
        && looked_at_all
    {
        only.reason = format!("{}; nothing is wrong", only.reason).into();
    }
}

fn is_fine(health: Health) -> bool {
    matches!(health, Health::Ok | Health::Pending | Health::Gone)
}

/// The step that an application stands at, where that is worth a link.
fn at_step<'a>(app: &'a Application, standing: &Standing) -> Option<&'a Step> {
    let name = standing.at_step.as_ref()?;
    app.leaves().map(|(_, step)| step).find(|step| step.name == *name)
}

fn places_of(app: &Application, step: &Step) -> BTreeSet<ClusterId> {
    let mut clusters: BTreeSet<ClusterId> = step
        .targets
        .iter()
        .filter_map(|target| match target {
            Target::Cluster(placement) => Some(placement.cluster.clone()),
            Target::Selector { .. } | Target::External(_) => None,
        })
        .collect();
    if clusters.is_empty() && &*step.kind != "suspend" {
        clusters.extend(app.placements.iter().map(|placement| placement.cluster.clone()));
    }
    clusters
}

/// What someone holds still on purpose.
fn push_held(chain: &mut Chain, app: &Application, word: &Standing) {
    let (name, namespace) = (&app.key.name, &app.key.namespace);
    let place = || Place::Application(app.key.clone());
    if let Some(required) = app.frozen.as_ref().filter(|_| word.status.starts_with("frozen")) {
        let reason = format!("frozen: controller-version-require is {required}, so this controller passes over it");
        let command =
            format!("kubectl annotate application {name} -n {namespace} app.oam.dev/controller-version-require-");
        chain.push(1, place(), Health::Pending, reason).advice =
            Some(Advice::run("taking the annotation away lets it go on", command));
    }
    if app.paused {
        let command = format!("kubectl label application {name} -n {namespace} controller.core.oam.dev/pause-");
        chain.push(1, place(), Health::Pending, "paused: its label keeps the controller away").advice =
            Some(Advice::run("taking the label away lets it go on", command));
    }
    if let Some(version) = &app.publish_version {
        let command = format!("vela up {name} -n {namespace} --publish-version VERSION");
        let reason =
            format!("pinned: what is delivered is what was published as {version}; later changes of the spec wait");
        chain.push(1, place(), Health::Pending, reason).advice =
            Some(Advice::run("publishing again delivers them", command));
    }
}

/// What keeps KubeVela from rendering it.
fn not_rendered(app: &Application) -> Option<Advice> {
    let failing =
        |kind: &str| app.conditions.iter().find(|condition| &*condition.kind == kind && &*condition.status == "False");
    ["Parsed", "Revision", "Policy", "Render"]
        .iter()
        .find_map(|kind| failing(kind))
        .and_then(|condition| words::of_hub(&condition.message))
}

fn unobserved(app: &Application, word: &Standing) -> Option<Advice> {
    (!app.is_observed() && word.status.starts_with("not yet observed")).then(|| {
        Advice::run(
            "the controller has not come to it: see that it runs",
            "kubectl -n vela-system get deployments,pods".to_owned(),
        )
    })
}

/// A workflow that is suspended while no step was running.
fn push_suspended(chain: &mut Chain, app: &Application) {
    let Some(waiting) = approval::waiting(app) else { return };
    let Some(gate) = waiting.first() else { return };
    let reason = gate_reason(gate, &waiting);
    let link = chain.push(1, Place::Application(app.key.clone()), Health::Waiting, reason);
    link.since = gate.since;
    link.advice = Some(resume(&app.key));
}

fn resume(app: &AppKey) -> Advice {
    Advice::run("approve it here with a, or", format!("vela workflow resume {} -n {}", app.name, app.namespace))
}

/// Tells how a step stands, and why.
fn push_step(chain: &mut Chain, depth: usize, app: &Application, standing: &Standing, step: &Step) {
    let place = Place::Step(app.key.clone(), step.name.clone());
    if let Some(waiting) = approval::waiting(app)
        && let Some(gate) = waiting.gates.iter().find(|gate| gate.step.name == step.name)
    {
        if gate.reason == GateReason::AfterRetries {
            let reason = format!("failed as often as it may, and waits: {}", words::one_line(&step.message));
            let link = chain.push(depth, place, Health::Failed, reason);
            link.since = gate.since;
            link.advice = step_advice(app, step).or_else(|| Some(resume(&app.key)));
            return;
        }
        let link = chain.push(depth, place, Health::Waiting, gate_reason(gate, &waiting));
        link.since = gate.since;
        link.advice = (gate.reason != GateReason::Duration).then(|| resume(&app.key));
        return;
    }
    let message = words::one_line(&step.message);
    let message = message
        .strip_prefix("function call error for ")
        .and_then(|rest| rest.split_once(": "))
        .map_or(message.as_str(), |(_, rest)| rest);
    let to: Vec<String> = step.targets.iter().map(ToString::to_string).collect();
    let to = if to.is_empty() { String::new() } else { format!(" to {}", to.join(", ")) };
    let told = |words: &str| if message.is_empty() { words.to_owned() } else { format!("{words}: {message}") };
    let exhausted = app.services.iter().any(Service::is_exhausted);
    let (health, reason) = match &step.phase {
        _ if !app.workflow_is_current() => (Health::Pending, "the workflow starts over".to_owned()),
        StepPhase::Failed if step.is_retrying() => (Health::Progressing, told("failed, and is tried again")),
        StepPhase::Failed if step.was_terminated() => (Health::Failed, told("was terminated by hand")),
        StepPhase::Failed if &*step.reason == "Timeout" => (Health::Failed, told("timed out")),
        StepPhase::Failed if &*step.reason == "FailedAfterRetries" => {
            (Health::Failed, told("failed as often as it may"))
        }
        StepPhase::Failed => (Health::Failed, told("failed")),
        StepPhase::Running if exhausted => {
            (standing.health, told(&format!("waits for ever while it deploys{to}, since a release has given up")))
        }
        StepPhase::Running if &*step.kind == "deploy" => (Health::Progressing, told(&format!("deploys{to}"))),
        StepPhase::Running => (Health::Progressing, told("runs")),
        StepPhase::Suspending => (Health::Waiting, told("is suspended")),
        StepPhase::Ahead | StepPhase::Pending => {
            let after = step.depends_on.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(", ");
            let words = if after.is_empty() { "is not reached yet".to_owned() } else { format!("waits for {after}") };
            (Health::Pending, told(&words))
        }
        StepPhase::Succeeded => (Health::Ok, "succeeded".to_owned()),
        StepPhase::Skipped => (Health::Pending, "was skipped".to_owned()),
        StepPhase::Other(word) => (Health::Unknown, told(&format!("stands at “{word}”, which lateen does not know"))),
    };
    let advice = if matches!(health, Health::Failed | Health::Progressing) { step_advice(app, step) } else { None };
    let link = chain.push(depth, place, health, reason);
    link.since = match step.phase {
        StepPhase::Failed => step.last_run_at,
        _ => step.started_at,
    };
    link.advice = advice;
}

/// What helps a step that failed.
fn step_advice(app: &Application, step: &Step) -> Option<Advice> {
    let restart = || format!("vela workflow restart {} -n {}", app.key.name, app.key.namespace);
    if let Some((kind, group)) = words::unmatched_kind(&step.message) {
        let cluster = places_of(app, step).into_iter().find(|cluster| step.message.contains(cluster.as_str()));
        let cluster = cluster.or_else(|| places_of(app, step).into_iter().next())?;
        return Some(words::missing_kind(&cluster, &group, &kind).1);
    }
    if words::is_lost(&step.message) && step.has_failed() {
        let clusters = words::clusters_named(&step.message);
        let who = if clusters.is_empty() { "a cluster".to_owned() } else { clusters.join(", ") };
        let words = format!("{who} did not answer, which ends a workflow for good: once it answers, start over");
        return Some(Advice::run(words, restart()));
    }
    if let Some(advice) = words::of_hub(&step.message) {
        return Some(advice);
    }
    (step.has_failed() || step.was_terminated()).then(|| Advice::run("when the cause is gone, start over", restart()))
}

fn gate_reason(gate: &Gate, waiting: &Waiting) -> String {
    let next: Vec<String> = waiting
        .next
        .iter()
        .map(|step| {
            let to: Vec<String> = step.targets.iter().map(ToString::to_string).collect();
            if to.is_empty() { step.name.to_string() } else { format!("{} → {}", step.name, to.join(", ")) }
        })
        .collect();
    let next = if next.is_empty() {
        "the workflow ends there".to_owned()
    } else {
        format!("next is {}", next.join(", then "))
    };
    let prompt = gate.prompt.as_ref().map(|prompt| format!("“{}”; ", words::one_line(prompt))).unwrap_or_default();
    match gate.reason {
        GateReason::Approval => format!("waits for approval: {prompt}{next}"),
        GateReason::Duration => match gate.resumes_at {
            Some(at) => format!("waits, and goes on by itself at {}: {next}", at.strftime("%H:%M:%S UTC")),
            None => format!("waits a while, and goes on by itself: {next}"),
        },
        GateReason::ByHand => {
            let by = waiting
                .changed_by
                .as_ref()
                .map(|change| format!(", last changed by {}", change.manager))
                .unwrap_or_default();
            format!("suspended by hand{by}: {next}")
        }
        GateReason::AfterRetries => format!("failed as often as it may, and waits: {next}"),
    }
}

/// Tells of the link to a cluster where that is what is wrong; false where it is not.
pub(super) fn push_cluster_link(chain: &mut Chain, depth: usize, cluster: &ClusterId, known: &Known<'_>) -> bool {
    let place = Place::Cluster(cluster.clone());
    match (known.link)(cluster) {
        None | Some(LinkState::Live { .. }) => false,
        Some(LinkState::Connecting { since }) => {
            chain.push(depth, place, Health::Unknown, "no answer yet").since = Some(*since);
            true
        }
        Some(LinkState::Degraded { since, reason, .. }) => {
            chain.push(depth, place, Health::Unknown, format!("answers, but {}", words::one_line(reason))).since =
                Some(*since);
            true
        }
        Some(LinkState::Forbidden { since, reason }) => {
            let link = chain.push(
                depth,
                place,
                Health::Unknown,
                format!("refuses what is asked: {}", words::one_line(reason)),
            );
            link.since = Some(*since);
            link.advice = Some(Advice::say("who joined the cluster, or who gives you permissions, can change that"));
            true
        }
        Some(LinkState::Unreachable { since, reason, .. }) => {
            let sentence = format!("does not answer: {}", words::one_line(reason));
            let link = chain.push(depth, place, Health::Unknown, sentence);
            link.since = Some(*since);
            link.advice = Some(Advice::say("what is known of it is as old; it is tried again by itself"));
            true
        }
    }
}

/// Tells of the clusters that are not well, of those that are wanted.
fn push_places(
    chain: &mut Chain,
    depth: usize,
    app: &Application,
    standing: &Standing,
    known: &Known<'_>,
    wanted: impl Fn(&ClusterId) -> bool,
) {
    let next: BTreeSet<ClusterId> =
        approval::waiting(app).map(|waiting| waiting.clusters().into_iter().collect()).unwrap_or_default();
    let mut places: Vec<&ClusterStanding> = standing.clusters.iter().filter(|place| wanted(&place.cluster)).collect();
    places.sort_by_key(|place| place.health);
    for place in places {
        let lost = matches!((known.link)(&place.cluster), Some(LinkState::Unreachable { .. }));
        let line = tree_line(known, &place.cluster);
        let is_bad = !is_fine(place.health) || line.is_some_and(|(_, well)| !well);
        // Where approving leads to is looked at too.
        let is_doubtful =
            next.contains(&place.cluster) && (known.link)(&place.cluster).is_some_and(|link| !link.is_current());
        if lost || is_doubtful {
            push_cluster_link(chain, depth, &place.cluster, known);
            if next.contains(&place.cluster)
                && let Some(link) = chain.links.last_mut()
            {
                link.reason = format!("{}; approving now would end the workflow as failed", link.reason).into();
            }
            continue;
        }
        if is_bad {
            push_place(chain, depth, app, place, known);
        }
    }
}

/// Where a cluster stands in the tree, and whether all is well below.
fn tree_line(known: &Known<'_>, cluster: &ClusterId) -> Option<(usize, bool)> {
    let tree = &known.looked?.tree;
    let at = tree.nodes.iter().position(|node| matches!(&node.what, What::Cluster(found) if found == cluster))?;
    tree.nodes.get(at).map(|node| (at, object::is_well(node)))
}

fn push_place(chain: &mut Chain, depth: usize, app: &Application, place: &ClusterStanding, known: &Known<'_>) {
    let cluster = &place.cluster;
    let services: Vec<&Service> = app.services.iter().filter(|service| service.cluster == *cluster).collect();
    let is_unseen = tree_line(known, cluster)
        .and_then(|(at, _)| known.looked?.tree.nodes.get(at))
        .is_some_and(|node| node.health == Health::Unknown);
    let health = match place.health {
        health if !is_fine(health) => health,
        _ if is_unseen => Health::Unknown,
        _ => Health::Failed,
    };
    let reason = match &place.reason {
        Some(reason) => words::one_line(reason),
        None if services.is_empty() => place.health.as_str().to_owned(),
        None => format!("{}/{} services healthy", place.ready, place.total),
    };
    let reason = if is_fine(place.health) && is_unseen {
        format!("the hub sees nothing wrong ({}/{} healthy), but not all of it can be seen", place.ready, place.total)
    } else if is_fine(place.health) {
        format!("the hub sees nothing wrong ({}/{} healthy), but", place.ready, place.total) + " not all is well there"
    } else {
        reason
    };
    chain.push(depth, Place::Cluster(cluster.clone()), health, reason);
    push_cluster_link(chain, depth + 1, cluster, known);
    push_missing(chain, depth + 1, app, cluster);
    let mut told: BTreeSet<usize> = BTreeSet::new();
    for service in services {
        push_service(chain, depth + 1, app, service, known, &mut told);
    }
    // What belongs to no service that the hub tells of.
    if let (Some(looked), Some((at, _))) = (known.looked, tree_line(known, cluster)) {
        let roots: Vec<usize> =
            object::children(&looked.tree, at).into_iter().filter(|line| !told.contains(line)).collect();
        object::descend_all(chain, depth + 1, &looked.tree, &roots, known);
    } else {
        let orphans = |pod: &&&Pod| {
            pod.key.cluster == *cluster
                && !app
                    .services
                    .iter()
                    .any(|service| service.cluster == *cluster && service.name == pod.owner.component)
        };
        let pods: Vec<&Pod> = known.pods.iter().filter(orphans).copied().collect();
        push_pods(chain, depth + 1, &pods, known);
    }
}

/// Kinds that the application's steps or services ask for and that the cluster has not got.
fn push_missing(chain: &mut Chain, depth: usize, app: &Application, cluster: &ClusterId) {
    let mut found: BTreeSet<(String, String)> = BTreeSet::new();
    let services = app.services.iter().filter(|service| service.cluster == *cluster).map(|service| &service.message);
    let steps = app
        .leaves()
        .map(|(_, step)| step)
        .filter(|step| places_of(app, step).contains(cluster))
        .map(|step| &step.message);
    for message in services.chain(steps) {
        // One that names another cluster speaks of that one.
        let named = words::clusters_named(message);
        if named.is_empty() || named.iter().any(|name| name == cluster.as_str()) {
            found.extend(words::unmatched_kind(message).map(|(kind, group)| (group, kind)));
        }
    }
    for (group, kind) in found {
        let (reason, advice) = words::missing_kind(cluster, &group, &kind);
        chain.push(depth, Place::Cluster(cluster.clone()), Health::Failed, reason).advice = Some(advice);
    }
}

fn push_service(
    chain: &mut Chain,
    depth: usize,
    app: &Application,
    service: &Service,
    known: &Known<'_>,
    told: &mut BTreeSet<usize>,
) {
    let roots: Vec<usize> = match (known.looked, tree_line(known, &service.cluster)) {
        (Some(looked), Some((at, _))) => object::children(&looked.tree, at)
            .into_iter()
            .filter(|line| {
                looked
                    .tree
                    .nodes
                    .get(*line)
                    .is_some_and(|node| node.component == service.name && is_in(node, app, service))
            })
            .collect(),
        _ => Vec::new(),
    };
    let sick_below = known.looked.is_some_and(|looked| {
        roots.iter().filter_map(|line| looked.tree.nodes.get(*line)).any(|node| !object::is_well(node))
    });
    let own_pods: Vec<&Pod> = known
        .pods
        .iter()
        .filter(|pod| pod.key.cluster == service.cluster && pod.owner.component == service.name)
        .filter(|pod| service.namespace.is_empty() || pod.key.namespace == service.namespace)
        .copied()
        .collect();
    let sick_pods = known.looked.is_none() && !health::failing(&own_pods).is_empty();
    told.extend(&roots);
    if service.is_well() && !sick_below && !sick_pods {
        return;
    }
    let place = Place::Component {
        app: app.key.clone(),
        cluster: service.cluster.clone(),
        namespace: service.namespace.clone(),
        name: service.name.clone(),
    };
    let all_sick_are = |wanted: Health| {
        known.looked.is_some_and(|looked| {
            let sick =
                roots.iter().filter_map(|line| looked.tree.nodes.get(*line)).filter(|node| !object::is_well(node));
            sick.map(|node| node.health).all(|health| health == wanted)
        })
    };
    let is_unseen = all_sick_are(Health::Unknown);
    let at = chain.links.len();
    // What is only under way below has not failed above.
    let health = if sick_below && all_sick_are(Health::Progressing) { Health::Progressing } else { Health::Failed };
    if service.is_well() && sick_below && is_unseen {
        chain.push(depth, place, Health::Unknown, "the hub calls it healthy; not all of it can be seen");
    } else if service.is_well() {
        chain.push(depth, place, health, "the hub calls it healthy, but it is not");
    } else {
        let complaint = service.complaint();
        let complaint = complaint.strip_prefix(&format!("{}: ", service.name)).unwrap_or(&complaint);
        let kind = app
            .components
            .iter()
            .find(|component| component.name == service.name)
            .map_or("", |component| &*component.kind);
        let (sentence, advice) =
            if kind == "helm" { words::release("release", complaint) } else { (words::one_line(complaint), None) };
        // What follows in the tree says more.
        let advice = if sick_below { None } else { advice };
        chain.push(depth, place, health, sentence).advice = advice;
    }
    match known.looked {
        Some(looked) if !roots.is_empty() => object::descend_all(chain, depth + 1, &looked.tree, &roots, known),
        _ => push_pods(chain, depth + 1, &own_pods, known),
    }
    // A container may have failed while its pod still counts as under way.
    if let Some((link, below)) = chain.links.get_mut(at..).and_then(<[Link]>::split_first_mut)
        && below.iter().any(|link| link.health == Health::Failed)
    {
        link.health = Health::Failed;
    }
}

fn is_in(node: &crate::model::tree::Node, app: &Application, service: &Service) -> bool {
    let What::Object(key) = &node.what else { return false };
    key.namespace.is_empty()
        || service.namespace.is_empty()
        || key.namespace == *app.namespace_or_own(&service.namespace)
}

/// Tells of failing pods by their rows alone, those alike together.
fn push_pods(chain: &mut Chain, depth: usize, pods: &[&Pod], known: &Known<'_>) {
    let sick = health::failing(pods);
    let mut told: Vec<&str> = Vec::new();
    for pod in &sick {
        if told.contains(&&*pod.status) {
            continue;
        }
        told.push(&pod.status);
        let alike = sick.iter().filter(|other| other.status == pod.status).count() - 1;
        pod::push(chain, depth, &View::of_row(pod), alike, known);
    }
}
