//! The lines of the application page: workflow, then services and pods by cluster.

use crate::{
    app::{
        page::{applications, clusters, pods},
        table::{Cell, Part, Tone},
        usage, words,
        world::World,
    },
    model::{
        application::{Application, Service, Step, StepPhase},
        health::Health,
        key::{AppKey, ClusterId, PodKey, Text},
        pod::Pod,
        text::waiting_in_words,
    },
};

/// What a line stands for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ItemKey {
    /// The heading over the workflow: the application itself.
    Workflow,
    /// A step, by its name, which is unique over the workflow.
    Step(Text),
    /// The heading over the services.
    Services,
    /// A cluster.
    Cluster(ClusterId),
    /// A component in a cluster.
    Service {
        /// The cluster.
        cluster: ClusterId,
        /// Namespace there.
        namespace: Text,
        /// The component.
        name: Text,
    },
    /// A pod.
    Pod(PodKey),
}

impl ItemKey {
    /// Its name, for the clipboard.
    pub fn name(&self, app: &AppKey) -> String {
        match self {
            Self::Workflow | Self::Services => app.to_string(),
            Self::Step(name) | Self::Service { name, .. } => name.to_string(),
            Self::Cluster(cluster) => cluster.to_string(),
            Self::Pod(pod) => pod.name.to_string(),
        }
    }
}

/// A line.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// What it stands for.
    pub key: ItemKey,
    /// How deep it stands below its heading.
    pub depth: u16,
    /// How it stands.
    pub health: Health,
    /// Whether lines below belong to it.
    pub folds: bool,
}

/// Every line of an application; none when it is not known.
pub fn items(world: &World, key: &AppKey) -> Vec<Item> {
    let (Some(app), Some(standing)) = (world.app(key), world.standing(key)) else { return Vec::new() };
    let mut items = vec![Item { key: ItemKey::Workflow, depth: 0, health: standing.health, folds: false }];
    for step in &app.steps {
        items.push(step_item(app, step, 1));
        items.extend(step.sub_steps.iter().map(|step| step_item(app, step, 2)));
    }
    items.push(Item { key: ItemKey::Services, depth: 0, health: standing.health, folds: false });
    let mut pods: Vec<&Pod> = world.store.pods_of(key).collect();
    for cluster in &standing.clusters {
        let key = ItemKey::Cluster(cluster.cluster.clone());
        let at = items.len();
        items.push(Item { key, depth: 1, health: cluster.health, folds: false });
        let here = |pod: &&Pod| pod.key.cluster == cluster.cluster;
        for service in app.services.iter().filter(|service| service.cluster == cluster.cluster) {
            let mut own = Vec::new();
            pods.retain(|pod| {
                let is_own = here(pod)
                    && pod.owner.component == service.name
                    && (service.namespace.is_empty() || pod.key.namespace == service.namespace);
                if is_own {
                    own.push(*pod);
                }
                !is_own
            });
            let health = service_health(world, service, cluster.health);
            // Live pods overrule the hub's word.
            let health =
                own.iter().fold(health, |health, pod| if pod.ended { health } else { health.worst(pod.health) });
            items.push(Item { key: service_key(service), depth: 2, health, folds: !own.is_empty() });
            items.extend(own.into_iter().map(|pod| pod_item(world, pod, 3)));
        }
        // Pods of components that the hub's status does not (or no longer) name.
        items.extend(pods.iter().filter(|pod| here(pod)).map(|pod| pod_item(world, pod, 2)));
        pods.retain(|pod| !here(pod));
        let is_empty = items.len() == at + 1;
        if let Some(item) = items.get_mut(at) {
            item.folds = !is_empty;
        }
    }
    // In clusters it is not meant to reach, or not any more.
    items.extend(pods.into_iter().map(|pod| pod_item(world, pod, 1)));
    items
}

fn step_item(app: &Application, step: &Step, depth: u16) -> Item {
    Item { key: ItemKey::Step(step.name.clone()), depth, health: step_health(app, step), folds: false }
}

fn pod_item(world: &World, pod: &Pod, depth: u16) -> Item {
    let health = if world.stale_since(&pod.key.cluster).is_some() { Health::Unknown } else { pod.health };
    Item { key: ItemKey::Pod(pod.key.clone()), depth, health, folds: false }
}

fn service_key(service: &Service) -> ItemKey {
    ItemKey::Service {
        cluster: service.cluster.clone(),
        namespace: service.namespace.clone(),
        name: service.name.clone(),
    }
}

/// The hub's word on a service counts as long as the cluster answers; what is on its way there has not failed.
fn service_health(world: &World, service: &Service, place: Health) -> Health {
    match (world.stale_since(&service.cluster), service.healthy) {
        (Some(_), _) => Health::Unknown,
        (None, true) => Health::Ok,
        (None, false) if place == Health::Progressing => Health::Progressing,
        (None, false) => Health::Failed,
    }
}

/// How a step stands, in the run of the newest revision: what an older run did says nothing about this one.
pub fn step_health(app: &Application, step: &Step) -> Health {
    if !app.workflow_is_current() {
        return Health::Pending;
    }
    match &step.phase {
        StepPhase::Ahead | StepPhase::Pending | StepPhase::Skipped => Health::Pending,
        StepPhase::Running => Health::Progressing,
        StepPhase::Suspending => Health::Waiting,
        StepPhase::Succeeded => Health::Ok,
        StepPhase::Failed if step.is_retrying() => Health::Progressing,
        StepPhase::Failed => Health::Failed,
        StepPhase::Other(_) => Health::Unknown,
    }
}

/// Takes out what lies in folded lines.
pub fn fold(items: &mut Vec<Item>, is_folded: impl Fn(&ItemKey) -> bool) {
    let mut hidden_below: Option<u16> = None;
    items.retain(|item| {
        if hidden_below.is_some_and(|depth| item.depth > depth) {
            return false;
        }
        hidden_below = is_folded(&item.key).then_some(item.depth);
        true
    });
}

/// Takes out what does not pass, but for headings and what leads to something that does.
pub fn keep(items: &mut Vec<Item>, mut passes: impl FnMut(&Item) -> bool) {
    let mut kept = Vec::with_capacity(items.len());
    // From below: a line is needed when one deeper than it, right below, was kept.
    let mut needed_at: u16 = 0;
    for item in items.drain(..).rev() {
        if item.depth == 0 || item.depth < needed_at || passes(&item) {
            needed_at = item.depth;
            kept.push(item);
        } else {
            needed_at = needed_at.min(item.depth);
        }
    }
    kept.reverse();
    *items = kept;
}

/// The application and a step of it, by name.
pub fn step<'a>(app: &'a Application, name: &str) -> Option<&'a Step> {
    let groups = app.steps.iter().flat_map(|step| std::iter::once(step).chain(&step.sub_steps));
    groups.into_iter().find(|step| *step.name == *name)
}

/// The cells of a line: name, then up to three columns that align within a section, then text that takes the rest.
pub fn cells(world: &World, key: &AppKey, item: &Item) -> Vec<Cell> {
    let Some(app) = world.app(key) else { return Vec::new() };
    match &item.key {
        ItemKey::Workflow => {
            vec![vec![Part::Text("WORKFLOW".to_owned(), Tone::Accent)], applications::status(world, key)]
        }
        ItemKey::Services => {
            let counts = world.standing(key).map_or((0, 0), |standing| (standing.ready, standing.total));
            vec![
                vec![Part::Text("SERVICES".to_owned(), Tone::Accent)],
                vec![Part::dim(format!("{} of {} healthy", counts.0, counts.1))],
            ]
        }
        ItemKey::Step(name) => step(app, name).map_or_else(Vec::new, |step| step_cells(app, step)),
        ItemKey::Cluster(cluster) => {
            let standing = world
                .standing(key)
                .and_then(|standing| standing.clusters.iter().find(|place| place.cluster == *cluster));
            let state = clusters::link_in_short(world.link(cluster));
            let count = standing
                .filter(|place| place.total > 0)
                .map_or_else(String::new, |place| format!("{}/{}", place.ready, place.total));
            let reason = match standing {
                Some(place) if place.reason.is_some() => place.reason.as_deref().unwrap_or_default().to_owned(),
                Some(place) if place.health == Health::Pending => "not deployed yet".to_owned(),
                // Nobody looks there: what stands here is the hub's word alone.
                _ if world.link(cluster).is_none() => clusters::others_unknown(world).unwrap_or_default(),
                _ => String::new(),
            };
            vec![
                vec![Part::plain(cluster.as_str())],
                vec![Part::dim(count)],
                state,
                Cell::new(),
                vec![Part::dim(reason)],
            ]
        }
        ItemKey::Service { cluster, namespace, name } => {
            let service = app.services.iter().find(|service| {
                service.cluster == *cluster && service.namespace == *namespace && service.name == *name
            });
            let Some(service) = service else { return Vec::new() };
            let mut message = waiting_in_words(&service.message).into_owned();
            for (kind, text) in &service.unhealthy_traits {
                message.extend([" · ", kind, ": ", text]);
            }
            let tone = if service.healthy { Tone::Dim } else { Tone::Plain };
            let kind =
                app.components.iter().find(|component| component.name == *name).map_or("", |component| &component.kind);
            vec![
                vec![Part::plain(&**name)],
                vec![Part::dim(kind)],
                vec![Part::dim(&**namespace)],
                Cell::new(),
                vec![Part::Text(message, tone)],
            ]
        }
        ItemKey::Pod(pod) => world.store.pod(pod).map_or_else(Vec::new, |pod| pod_cells(world, pod)),
    }
}

fn pod_cells(world: &World, pod: &Pod) -> Vec<Cell> {
    let restarts = match pod.restarts {
        0 => String::new(),
        1 => "1 restart".to_owned(),
        count => format!("{count} restarts"),
    };
    vec![
        vec![Part::plain(&*pod.key.name)],
        vec![Part::dim(format!("{}/{}", pod.ready, pod.total))],
        pods::status_words(world, pod),
        vec![Part::Ago(pod.created_at, Tone::Dim)],
        [vec![Part::dim(restarts)], usage::words(world, &pod.key)].concat(),
    ]
}

fn step_cells(app: &Application, step: &Step) -> Vec<Cell> {
    let health = step_health(app, step);
    let name_tone = match health {
        Health::Waiting | Health::Failed | Health::Unknown => Tone::Health(health),
        Health::Pending => Tone::Dim,
        _ => Tone::Plain,
    };
    let targets = if step.targets.is_empty() {
        Cell::new()
    } else {
        vec![Part::dim(format!("→ {}", words::targets(&step.targets, &app.key.namespace)))]
    };
    vec![
        vec![Part::Text(step.name.to_string(), name_tone)],
        vec![Part::dim(&*step.kind)],
        targets,
        step_time(app, step),
        vec![Part::dim(step_message(app, step))],
    ]
}

/// How long a step took, or has been at it. Only a running one counts seconds.
pub fn step_time(app: &Application, step: &Step) -> Cell {
    if !app.workflow_is_current() {
        return Cell::new();
    }
    match (&step.phase, step.started_at, step.last_run_at) {
        (StepPhase::Running, Some(since), _) => vec![Part::Running(since)],
        (StepPhase::Suspending, Some(since), _) => vec![Part::Ago(Some(since), Tone::Plain)],
        (StepPhase::Succeeded | StepPhase::Failed, Some(from), Some(to)) => {
            vec![Part::dim(crate::model::age::precise(from, to))]
        }
        _ => Cell::new(),
    }
}

/// What a step says, in words; of a gate: its author's prompt.
pub fn step_message(app: &Application, step: &Step) -> String {
    let is_current = app.workflow_is_current();
    // The author speaks to the approver: what is approved has no need of it.
    if let Some(prompt) = step.prompt.as_ref().filter(|_| !is_current || !step.phase.is_done()) {
        return format!("\"{prompt}\"");
    }
    if !is_current {
        return String::new();
    }
    if step.phase == StepPhase::Skipped {
        return "skipped".to_owned();
    }
    if let StepPhase::Other(word) = &step.phase {
        return word.to_string();
    }
    if step.phase == StepPhase::Succeeded {
        return String::new();
    }
    // Every suspended step says so of itself.
    if step.message.starts_with("Suspended by field") {
        return String::new();
    }
    waiting_in_words(&step.message).into_owned()
}
