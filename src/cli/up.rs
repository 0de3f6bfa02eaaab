//! `lateen up -f FILE`: Applications as manifests say, created or changed by a three-way merge.

use std::collections::BTreeSet;

use super::{
    approve::asking,
    args::{AuditMode, Global, Up},
    failure::{Failure, code, code_of},
    interrupt,
    stdout::{self, Stdout},
    view::{self, PATIENCE, View},
    wait,
};
use crate::{
    cluster::{Hub, actions, project},
    model::{
        action::{Action, Applying, Outcome},
        application::{Application, Target},
        apply::{merge, touched},
        key::AppKey,
    },
    runtime::audit::Sink,
};

mod manifests;

/// Applies, and gives the exit code.
pub(super) async fn run(global: &Global, up: Up) -> Result<u8, Failure> {
    let is_asking = if up.dry_run { false } else { asking(global, "up")? };
    let documents = manifests::read(&up.file)?;
    let hub = view::hub(global).await?;
    let namespace = global.namespace.as_deref().or(hub.namespace()).unwrap_or("default");
    let mut plans: Vec<Plan> = Vec::new();
    let mut named = BTreeSet::new();
    for document in documents {
        let (key, place) = (document.key(namespace), document.place.clone());
        if !named.insert(key.clone()) {
            return Err(Failure::usage(format!("{place}: {key} is named twice")));
        }
        plans.push(Plan::make(&hub, document.place.clone(), document.manifest(namespace), key, up.dry_run).await?);
    }
    for warning in plans.iter().filter_map(|plan| plan.warning.as_ref()) {
        stdout::note(warning);
    }
    let effects: Vec<&str> = plans.iter().filter_map(|plan| plan.effect.as_deref()).collect();
    if is_asking && !effects.is_empty() {
        let question = format!("Apply on {}? {}.", hub.context(), effects.join("; "));
        if !stdout::ask(&question) {
            stdout::note("nothing was written");
            return Ok(code::FAILED);
        }
    }
    let mut failures = perform(global, &hub, &plans).await?;
    match (failures.len(), plans.len()) {
        (0, _) => {}
        (1, 1) => return failures.pop().map_or(Ok(code::FAILED), Err),
        _ => {
            for failure in &failures {
                stdout::note(&failure.message);
            }
            // Several sentences are told: the code is that of the worst.
            return Ok(failures.iter().map(|failure| failure.code).max().unwrap_or(code::FAILED));
        }
    }
    if let (Some(patience), false) = (up.wait, up.dry_run) {
        for plan in &plans {
            let key = &plan.applying.app;
            let patient = global.request_timeout + PATIENCE;
            let mut view = View::of(hub.clone(), Some(key.namespace.to_string()), patient).await?;
            wait::delivered(&mut view, key, patience, &wait::run).await?;
        }
    }
    Ok(code::DONE)
}

/// Writes one after the other, and tells of each; those that did not go as wanted are given back.
async fn perform(global: &Global, hub: &Hub, plans: &[Plan]) -> Result<Vec<Failure>, Failure> {
    let audit = Sink::open(global.audit == AuditMode::BestEffort);
    let mut failures = Vec::new();
    for plan in plans {
        let _held = interrupt::hold();
        let action = Action::Apply(Box::new(plan.applying.clone()));
        let outcome: Outcome = actions::perform(hub, &action, &mut |line| audit.append(&line)).await;
        if outcome.is_done() {
            Stdout::lock().write(&format!("{}\n", outcome.message()))?;
        } else {
            failures.push(Failure::new(code_of(&outcome), outcome.message().to_string()));
        }
    }
    Ok(failures)
}

/// What is to be done for one manifest.
struct Plan {
    applying: Applying,
    /// What would be written, in words; nothing where nothing is to be written.
    effect: Option<String>,
    warning: Option<String>,
}

impl Plan {
    async fn make(
        hub: &Hub,
        place: String,
        manifest: crate::model::apply::Manifest,
        key: AppKey,
        dry_run: bool,
    ) -> Result<Self, Failure> {
        let unmet = |why: &str| Failure::new(code::PRECONDITION, format!("{key} {why}: nothing was written"));
        let (seen, object) = actions::look(hub, &key, &manifest)
            .await
            .map_err(|error| Failure::from(error.during(&format!("read {key}"))))?;
        if let Some(meant) = &manifest.resource_version
            && seen.as_ref().is_none_or(|seen| *seen.resource_version != **meant)
        {
            return Err(unmet(&format!(
                "is not as {place} was saved from it any more (resourceVersion {meant}); take that line out to apply it all the same"
            )));
        }
        let mut warning = None;
        let effect = match (&seen, object) {
            (Some(seen), Some(object)) => {
                let before = project::application(&object);
                if before.deleting_since.is_some() {
                    return Err(unmet("is being deleted"));
                }
                seen.patch.as_ref().map(|patch| {
                    let mut after = object;
                    merge(&mut after, patch);
                    let after = project::application(&after);
                    if let (Some(version), true) = (&after.publish_version, patch.get("spec").is_some())
                        && before.publish_version == after.publish_version
                    {
                        warning = Some(format!(
                            "{key} is pinned to {version}: KubeVela deploys nothing of this until app.oam.dev/publishVersion changes too"
                        ));
                    }
                    change(&key, patch, &after)
                })
            }
            _ => Some(format!("Create {key}{}", reaching(&project::application(&manifest.object())))),
        };
        Ok(Self { applying: Applying { app: key, manifest, seen, dry_run }, effect, warning })
    }
}

/// What a patch does, in words.
fn change(key: &AppKey, patch: &serde_json::Value, after: &Application) -> String {
    let touched = touched(patch);
    if touched.is_empty() {
        return format!("Keep {key} as it is, and put on record what was applied");
    }
    let what = touched.join(", ");
    if patch.get("spec").is_some() {
        format!("Change {what} of {key}: its workflow starts anew, and asks for approvals again{}", reaching(after))
    } else {
        format!("Change {what} of {key}")
    }
}

/// Where it deploys to: ` → local, foo/prod`.
fn reaching(app: &Application) -> String {
    let mut names: Vec<String> = Vec::new();
    for target in app.leaves().flat_map(|(_, step)| &step.targets) {
        let name = match target {
            Target::Selector { .. } => format!("clusters with {target}"),
            _ => target.to_string(),
        };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    if names.is_empty() { String::new() } else { format!(" → {}", names.join(", ")) }
}
