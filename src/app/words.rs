//! Words for places and for what comes next, the same in every view.

use crate::model::{
    application::{Placement, Target},
    approval::{NextStep, Waiting},
};

/// `foo/default`, `foo`, `region=eu`, `policy far-away`.
pub fn target(target: &Target) -> String {
    match target {
        Target::Cluster(Placement { cluster, namespace }) if namespace.is_empty() => cluster.to_string(),
        Target::Cluster(Placement { cluster, namespace }) => format!("{cluster}/{namespace}"),
        Target::Selector { labels, namespace } => {
            let labels: Vec<String> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
            let labels = if labels.is_empty() { "every cluster".to_owned() } else { labels.join(",") };
            if namespace.is_empty() { format!("({labels})") } else { format!("({labels})/{namespace}") }
        }
        Target::External(policy) => format!("(policy {policy})"),
    }
}

/// Targets with commas between.
pub fn targets(all: &[Target]) -> String {
    all.iter().map(target).collect::<Vec<_>>().join(", ")
}

/// `deploy2foo → foo/default`.
pub fn next_step(step: &NextStep) -> String {
    if step.targets.is_empty() {
        return step.name.to_string();
    }
    format!("{} → {}", step.name, targets(&step.targets))
}

/// What approving starts: the first step with its targets, and how many follow.
pub fn next(waiting: &Waiting) -> String {
    let mut steps = waiting.next.iter();
    let Some(first) = steps.next() else { return "the end of the workflow".to_owned() };
    let more = steps.filter(|step| !step.is_gate).count();
    let first = next_step(first);
    if more == 0 { first } else { format!("{first} +{more}") }
}
