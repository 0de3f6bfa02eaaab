//! Words for places and for what comes next, the same in every view.

use crate::model::{
    application::{Placement, Target},
    approval::{NextStep, Waiting},
};

/// `foo/default`, `(region=eu)/default`, `(policy far-away)`. `own` is the application's namespace, which is meant where
/// none is told.
pub fn target(target: &Target, own: &str) -> String {
    let within = |namespace: &str| if namespace.is_empty() { own.to_owned() } else { namespace.to_owned() };
    match target {
        Target::Cluster(Placement { cluster, namespace }) => format!("{cluster}/{}", within(namespace)),
        Target::Selector { namespace, .. } => format!("{}/{}", place(target), within(namespace)),
        Target::External(_) => place(target),
    }
}

/// The same without the namespace.
fn place(target: &Target) -> String {
    match target {
        Target::Cluster(Placement { cluster, .. }) => cluster.to_string(),
        Target::Selector { labels, .. } if labels.is_empty() => "(every cluster)".to_owned(),
        Target::Selector { labels, .. } => {
            let labels: Vec<String> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
            format!("({})", labels.join(","))
        }
        Target::External(policy) => format!("(policy {policy})"),
    }
}

/// Targets with commas between.
pub fn targets(all: &[Target], own: &str) -> String {
    all.iter().map(|to| target(to, own)).collect::<Vec<_>>().join(", ")
}

/// `deploy2foo → foo/default`.
pub fn next_step(step: &NextStep, own: &str) -> String {
    if step.targets.is_empty() {
        return step.name.to_string();
    }
    format!("{} → {}", step.name, targets(&step.targets, own))
}

/// What approving starts, in short: the first step with its clusters, and how many follow.
pub fn next(waiting: &Waiting) -> String {
    let mut steps = waiting.next.iter();
    let Some(first) = steps.next() else { return "the end of the workflow".to_owned() };
    let more = steps.filter(|step| !step.is_gate).count();
    let mut places: Vec<String> = first.targets.iter().map(place).collect();
    places.dedup();
    let places = if places.is_empty() { String::new() } else { format!(" → {}", places.join(", ")) };
    let more = if more == 0 { String::new() } else { format!(" +{more}") };
    format!("{}{places}{more}", first.name)
}
