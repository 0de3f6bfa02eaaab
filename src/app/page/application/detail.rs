//! What is known of the selected thing: the side panel of the application page.

use crate::{
    app::{
        page::{application::items, applications, clusters, pods},
        table::{Cell, Part, Tone},
        words,
        world::World,
    },
    model::{
        application::{Application, Service, Step, StepPhase},
        health::Health,
        key::AppKey,
        pod::Pod,
        text::waiting_in_words,
    },
};

use super::ItemKey;

/// The lines about a thing.
pub fn lines(world: &World, key: &AppKey, item: &ItemKey) -> Vec<Cell> {
    let Some(app) = world.app(key) else { return Vec::new() };
    match item {
        ItemKey::Workflow | ItemKey::Services => of_application(world, app),
        ItemKey::Step(name) => items::step(app, name).map_or_else(Vec::new, |step| of_step(world, app, step)),
        ItemKey::Cluster(cluster) => {
            let mut lines =
                vec![vec![Part::Text(cluster.to_string(), Tone::Strong)], clusters::link_in_short(world.link(cluster))];
            let place = world
                .standing(key)
                .and_then(|standing| standing.clusters.iter().find(|place| place.cluster == *cluster));
            if let Some(place) = place {
                lines.push(pair("healthy", format!("{} of {} services", place.ready, place.total)));
                if let Some(reason) = &place.reason {
                    lines.push(vec![Part::Text(reason.to_string(), Tone::Health(place.health))]);
                }
            }
            let row = world.store.cluster(cluster).and_then(|entry| entry.row.as_ref());
            if let Some(row) = row {
                lines.push(pair("version", row.version.to_string()));
                lines.push(pair("endpoint", row.endpoint.to_string()));
            }
            lines
        }
        ItemKey::Service { cluster, namespace, name } => {
            let service = app.services.iter().find(|service| {
                service.cluster == *cluster && service.namespace == *namespace && service.name == *name
            });
            service.map_or_else(Vec::new, of_service)
        }
        ItemKey::Pod(pod) => world.store.pod(pod).map_or_else(Vec::new, |pod| of_pod(world, pod)),
    }
}

fn pair(name: &str, value: impl Into<String>) -> Cell {
    vec![Part::dim(format!("{name:<12}")), Part::plain(value)]
}

fn heading(text: &str) -> Cell {
    vec![Part::Text(text.to_owned(), Tone::Accent)]
}

fn indented(text: impl std::fmt::Display) -> Cell {
    vec![Part::plain(format!("  {text}"))]
}

fn of_application(world: &World, app: &Application) -> Vec<Cell> {
    let mut lines = vec![vec![Part::Text(app.key.to_string(), Tone::Strong)], applications::status(world, &app.key)];
    if let Some(reason) = applications::reason(world, &app.key) {
        lines.push(vec![Part::plain(reason)]);
    }
    lines.push(Cell::new());
    lines.push(pair("hub says", if app.phase.is_empty() { "nothing yet" } else { &app.phase }));
    lines.push(pair("revision", app.revision.as_deref().unwrap_or("-")));
    if app.observed_generation < app.generation {
        let text = format!("{} (the controller has seen {})", app.generation, app.observed_generation);
        lines.push(pair("generation", text));
    }
    if let Some(version) = &app.publish_version {
        lines.push(pair("pinned to", &**version));
    }
    for component in &app.components {
        lines.push(pair("component", format!("{} ({})", component.name, component.kind)));
    }
    if let Some(message) = app.workflow.as_ref().map(|workflow| &workflow.message).filter(|message| !message.is_empty())
    {
        lines.push(pair("workflow", &**message));
    }
    if let Some(change) = &app.changed_by {
        let mut line = pair("changed by", format!("{} ", change.manager));
        line.push(Part::Ago(change.at, Tone::Dim));
        lines.push(line);
    }
    if !app.conditions.is_empty() {
        lines.push(Cell::new());
        lines.push(heading("CONDITIONS NOT MET"));
        for condition in &app.conditions {
            let mut line = vec![Part::plain(format!("{} {} ", condition.kind, condition.reason))];
            line.push(Part::Ago(condition.since, Tone::Dim));
            lines.push(line);
            if !condition.message.is_empty() {
                lines.push(indented(&condition.message));
            }
        }
    }
    if !app.malformed.is_empty() {
        lines.push(Cell::new());
        lines.push(heading("NOT AS EXPECTED"));
        lines.extend(app.malformed.iter().map(indented));
    }
    lines
}

fn of_step(world: &World, app: &Application, step: &Step) -> Vec<Cell> {
    let health = items::step_health(app, step);
    let phase = if app.workflow_is_current() { step.phase.as_str() } else { "starts over" };
    let mut lines = vec![vec![
        Part::Text(step.name.to_string(), Tone::Strong),
        Part::dim(format!(" · {} · ", step.kind)),
        Part::Text(phase.to_owned(), Tone::Health(health)),
    ]];
    if let Some(prompt) = &step.prompt {
        lines.push(vec![Part::plain(format!("\"{prompt}\""))]);
    }
    let time = items::step_time(app, step);
    if !time.is_empty() {
        let name = if step.phase == StepPhase::Suspending { "waits" } else { "took" };
        let mut line = vec![Part::dim(format!("{:<12}", if step.phase == StepPhase::Running { "runs" } else { name }))];
        line.extend(time);
        lines.push(line);
    }
    for target in &step.targets {
        lines.push(pair("to", words::target(target, &app.key.namespace)));
    }
    for policy in &step.overrides {
        lines.push(pair("override", &**policy));
    }
    if step.deploys_before_waiting {
        lines.push(vec![Part::dim("deploys first, and waits after")]);
    }
    if let Some(duration) = &step.duration {
        let mut line = pair("goes on", format!("by itself after {duration}"));
        if step.resumes_at.is_some() && step.phase == StepPhase::Suspending {
            line.push(Part::plain(", in "));
            line.push(Part::Until(step.resumes_at, Tone::Plain));
        }
        lines.push(line);
    }
    let waiting =
        world.waiting(&app.key).filter(|waiting| waiting.gates.iter().any(|gate| gate.step.name == step.name));
    if let Some(waiting) = waiting {
        lines.push(Cell::new());
        lines.push(heading("APPROVING STARTS"));
        if waiting.next.is_empty() {
            lines.push(indented("nothing: the workflow ends there"));
        }
        for next in &waiting.next {
            let gate = if next.is_gate { " (waits again)" } else { "" };
            lines.push(indented(format!("{}{gate}", words::next_step(next, &app.key.namespace))));
        }
        for cluster in waiting.clusters() {
            let mut line = vec![Part::dim(format!("  {cluster} "))];
            line.extend(clusters::link_in_short(world.link(&cluster)));
            lines.push(line);
        }
    }
    let message = waiting_in_words(&step.message);
    if !message.is_empty() && app.workflow_is_current() {
        lines.push(Cell::new());
        let tone = if health == Health::Failed { Tone::Health(health) } else { Tone::Plain };
        lines.push(vec![Part::Text(message.into_owned(), tone)]);
    }
    if !step.reason.is_empty() {
        lines.push(pair("reason", &*step.reason));
    }
    lines
}

fn of_service(service: &Service) -> Vec<Cell> {
    let health = if service.healthy { Health::Ok } else { Health::Failed };
    let mut lines = vec![
        vec![Part::Text(service.name.to_string(), Tone::Strong)],
        vec![
            Part::dim(format!("{:<12}", "hub says")),
            Part::Mark(health),
            Part::plain(if service.healthy { " healthy" } else { " not healthy" }),
        ],
        pair("cluster", service.cluster.to_string()),
        pair("namespace", &*service.namespace),
    ];
    if !service.message.is_empty() {
        lines.push(Cell::new());
        lines.push(vec![Part::plain(waiting_in_words(&service.message).into_owned())]);
    }
    for (kind, message) in &service.unhealthy_traits {
        lines.push(vec![Part::Text(format!("trait {kind}: {message}"), Tone::Health(Health::Failed))]);
    }
    lines
}

fn of_pod(world: &World, pod: &Pod) -> Vec<Cell> {
    let mut lines = vec![vec![Part::Text(pod.key.name.to_string(), Tone::Strong)], pods::status(world, pod)];
    if !pod.message.is_empty() {
        lines.push(vec![Part::plain(&*pod.message)]);
    }
    lines.push(Cell::new());
    lines.push(pair("cluster", pod.key.cluster.to_string()));
    lines.push(pair("namespace", &*pod.key.namespace));
    lines.push(pair("node", if pod.node.is_empty() { "not scheduled" } else { &pod.node }));
    if !pod.ip.is_empty() {
        lines.push(pair("address", &*pod.ip));
    }
    lines.push(pair("ready", format!("{}/{}", pod.ready, pod.total)));
    lines.push(pair("restarts", pod.restarts.to_string()));
    let mut age = vec![Part::dim(format!("{:<12}", "age"))];
    age.push(Part::Ago(pod.created_at, Tone::Plain));
    lines.push(age);
    for container in &pod.containers {
        let ports: Vec<String> = container.ports.iter().map(|port| port.port.to_string()).collect();
        let init = if container.init { " (init)" } else { "" };
        let ports = if ports.is_empty() { String::new() } else { format!(" :{}", ports.join(",")) };
        lines.push(pair("container", format!("{}{init}{ports}", container.name)));
    }
    lines
}
