//! CPU and memory of the pods on screen: when to ask, and how that is told.
//!
//! Asked for the namespaces whose pods are on screen, each at most every 15 s; while no pod is on screen nothing is asked.

use std::collections::{BTreeSet, HashMap};

use jiff::{SignedDuration, Timestamp};

use crate::model::{
    health::Health,
    key::{ClusterId, PodKey, Text},
    usage::{self, NoReading, Reading, Usage},
};

use super::{
    App,
    effect::Effect,
    notice::Level,
    page::Page,
    readings::Place,
    table::{Cell, Part, Tone},
    world::World,
};

/// Between two questions about one namespace.
const EVERY: SignedDuration = SignedDuration::from_secs(15);
/// Between two where a cluster serves none, or refuses.
const PARKED: SignedDuration = SignedDuration::from_mins(5);
/// How long a reading is shown.
const OLD: SignedDuration = SignedDuration::from_secs(60);
/// Namespaces whose readings are kept.
const PLACES: usize = 64;
/// Share of the limit from which use stands out, in percent.
const MUCH: u64 = 90;

/// The pods on screen, as drawn last.
fn on_screen(page: &Page) -> Vec<PodKey> {
    match page {
        Page::Pods(table) => table.on_screen().to_vec(),
        Page::Application(page) => page.pods_on_screen(),
        Page::Tree(page) => page.pods_on_screen(),
        _ => Vec::new(),
    }
}

/// The namespaces of the pods on screen whose clusters answer.
fn places(app: &App) -> BTreeSet<(ClusterId, Text)> {
    let pods = on_screen(app.page()).into_iter();
    let current = pods.filter(|pod| app.world.stale_since(&pod.cluster).is_none());
    current.map(|pod| (pod.cluster, pod.namespace)).collect()
}

/// When the next question is due; `None`: never.
pub(super) fn next_tick(app: &App) -> Option<Timestamp> {
    let usages = &app.world.usages;
    places(app).iter().map(|place| usages.places.get(place).map_or(app.world.now, |known| known.due)).min()
}

/// Asks what is due.
pub(super) fn ask(app: &mut App) -> Option<Effect> {
    let now = app.world.now;
    let due: Vec<_> = places(app)
        .into_iter()
        .filter(|place| app.world.usages.places.get(place).is_none_or(|known| known.due <= now))
        .collect();
    if due.is_empty() {
        return None;
    }
    let usages = &mut app.world.usages;
    usages.places.retain(|_, place| now.duration_since(place.read_at) < PARKED);
    for place in &due {
        while usages.places.len() >= PLACES && !usages.places.contains_key(place) {
            let oldest = usages.places.iter().min_by_key(|(_, place)| place.read_at).map(|(key, _)| key.clone());
            oldest.and_then(|oldest| usages.places.remove(&oldest));
        }
        let known =
            usages.places.entry(place.clone()).or_insert(Place { due: now, read_at: now, pods: HashMap::new() });
        known.due = now.saturating_add(EVERY).unwrap_or(Timestamp::MAX);
    }
    Some(Effect::ReadUsage(due))
}

/// Takes a reading in.
pub(super) fn on_reading(app: &mut App, reading: Reading) {
    let now = app.world.now;
    let Some(place) = app.world.usages.places.get_mut(&(reading.cluster.clone(), reading.namespace.clone())) else {
        return;
    };
    let changed = match reading.pods {
        Ok(pods) => {
            let pods: HashMap<PodKey, Usage> = pods.into_iter().collect();
            place.read_at = now;
            let changed = place.pods != pods;
            place.pods = pods;
            changed
        }
        Err(why) => {
            let refused = !matches!(why, NoReading::Failing(_));
            if refused {
                place.due = now.saturating_add(PARKED).unwrap_or(Timestamp::MAX);
            }
            let old = refused || now.duration_since(place.read_at) >= OLD;
            let changed = old && !place.pods.is_empty();
            if old {
                place.pods.clear();
            }
            let first = app.world.usages.said.insert(reading.cluster.clone());
            if first {
                let cluster = &reading.cluster;
                let why = match why {
                    NoReading::NotServed => format!("{cluster} serves no metrics (metrics.k8s.io)"),
                    NoReading::Forbidden(refusal) => format!("metrics of {cluster} are not permitted: {refusal}"),
                    NoReading::Failing(why) => format!("metrics of {cluster}: {why}"),
                };
                app.say(Level::Info, &format!("{why}: CPU and MEM of its pods are not known"));
            }
            changed
        }
    };
    if changed {
        app.world.touch();
    }
}

/// What a pod uses of CPU, against its limit, else its request; `short`: the use alone.
pub fn cpu(world: &World, pod: &PodKey, short: bool) -> Cell {
    amount(world, pod, short, |usage| usage.cpu, |amounts| amounts.cpu, usage::cpu)
}

/// The same of memory.
pub fn memory(world: &World, pod: &PodKey, short: bool) -> Cell {
    amount(world, pod, short, |usage| usage.memory, |amounts| amounts.memory, usage::memory)
}

fn amount(
    world: &World,
    pod: &PodKey,
    short: bool,
    used: fn(Usage) -> u64,
    asked: fn(usage::Amounts) -> Option<u64>,
    told: fn(u64) -> String,
) -> Cell {
    let Some(usage) = world.usages.of(pod).map(used) else { return vec![Part::dim("-")] };
    let resources = world.store.pod(pod).map(|pod| pod.resources).unwrap_or_default();
    let limit = asked(resources.limits).filter(|limit| *limit > 0);
    let percent = limit.map(|limit| usage.saturating_mul(100) / limit);
    let much = percent.is_some_and(|percent| percent >= MUCH);
    let tone = if much { Tone::Health(Health::Failed) } else { Tone::Dim };
    let mark = if much { "!" } else { "" };
    let against = match (limit, asked(resources.requests).filter(|request| *request > 0)) {
        _ if short => String::new(),
        (Some(limit), _) => format!("/{} {}%", told(limit), percent.unwrap_or_default()),
        (None, Some(request)) => format!("/r{}", told(request)),
        (None, None) => String::new(),
    };
    vec![Part::Text(format!("{mark}{}{against}", told(usage)), tone)]
}

/// CPU and memory in words, where they are known: for lines that are no columns.
pub fn words(world: &World, pod: &PodKey) -> Cell {
    if world.usages.of(pod).is_none() {
        return Cell::new();
    }
    let mut cell = vec![Part::dim("  cpu ")];
    cell.extend(cpu(world, pod, false));
    cell.push(Part::dim("  mem "));
    cell.extend(memory(world, pod, false));
    cell
}

/// For sorting: what is used, nothing known first.
pub fn sort_key(world: &World, pod: &PodKey, of: fn(Usage) -> u64) -> i64 {
    world.usages.of(pod).map_or(-1, |usage| i64::try_from(of(usage)).unwrap_or(i64::MAX))
}
