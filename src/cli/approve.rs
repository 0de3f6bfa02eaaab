//! `lateen approve`: resume a workflow that waits.

use std::{future::Future, time::Duration};

use tokio::time::{Instant, timeout_at};

use super::{
    args::{Approve, AuditMode, Global},
    failure::{Failure, code, code_of},
    stdout::{self, Stdout},
    view::{View, split},
};
use crate::{
    cluster::actions,
    model::{
        action::{Action, Approval},
        application::Target,
        approval::Waiting,
        cluster::LinkState,
        health::Health,
        key::{AppKey, Text},
    },
    runtime::audit::Sink,
    store::Entry,
};

/// Approves, and gives the exit code.
pub(super) async fn run(global: &Global, approve: Approve) -> Result<u8, Failure> {
    if global.readonly {
        return Err(Failure::new(code::FORBIDDEN, "nothing is approved with --readonly"));
    }
    let asking = if global.yes {
        false
    } else if stdout::can_ask() {
        true
    } else {
        return Err(Failure::usage("approve asks before it writes, and there is no terminal to ask on: add -y"));
    };
    let global = named_namespace(global, &approve.app);
    let mut view = View::open(&global, false).await?;
    let key = view.application(&approve.app)?;
    let (approval, question, warnings) = plan(&view, &key, &approve)?;
    for warning in &warnings {
        stdout::note(warning);
    }
    if asking && !stdout::ask(&question) {
        stdout::note("nothing was written");
        return Ok(code::FAILED);
    }
    let audit = Sink::open(global.audit == AuditMode::BestEffort);
    let hub = view.session.hub().clone();
    let before = approval.resource_version.clone();
    let action = Action::Approve(approval.clone());
    let write = async { actions::perform(&hub, &action, &mut |line| audit.append(&line)).await };
    let outcome = uninterrupted(write).await;
    if !outcome.is_done() {
        return Err(Failure::new(code_of(&outcome), outcome.message().to_string()));
    }
    Stdout::lock().write(&format!("{}\n", outcome.message()))?;
    match approve.wait {
        Some(patience) => wait(&mut view, &key, &approval, &before, patience).await,
        None => Ok(code::DONE),
    }
}

/// A namespace typed with the name goes before the context's.
pub(super) fn named_namespace(global: &Global, typed: &str) -> Global {
    match split(typed).0 {
        Some(namespace) => Global { namespace: Some(namespace.to_owned()), all_namespaces: false, ..global.clone() },
        None => global.clone(),
    }
}

/// A write is not left half told: an interrupt meanwhile is taken after it.
async fn uninterrupted<T>(write: impl Future<Output = T>) -> T {
    tokio::pin!(write);
    loop {
        tokio::select! {
            done = &mut write => return done,
            Ok(()) = tokio::signal::ctrl_c() => stdout::note("the request is on its way: waiting for its outcome"),
        }
    }
}

/// What would be written, the question about it, and what should be known before.
fn plan(view: &View, key: &AppKey, approve: &Approve) -> Result<(Approval, String, Vec<String>), Failure> {
    let unmet = |message: String| Failure::new(code::PRECONDITION, message);
    let Some(entry) = view.store.application(key) else {
        return Err(Failure::failed(format!("there is no application {key}")));
    };
    let Some(waiting) = &entry.waiting else {
        return Err(unmet(format!("{key} waits for nothing ({}): nothing was written", entry.standing.status)));
    };
    let names: Vec<&str> = waiting.gates.iter().map(|gate| &*gate.step.name).collect();
    let step = match &approve.step {
        Some(step) if !names.contains(&step.as_str()) => {
            return Err(unmet(format!(
                "{key} does not wait at {step}, but at {}: nothing was written",
                names.join(", ")
            )));
        }
        Some(step) => Some(step.as_str()),
        None if names.len() > 1 && !approve.all => {
            let list = names.join(", ");
            return Err(Failure::usage(format!("{key} waits at several steps ({list}): choose with --step, or --all")));
        }
        None => None,
    };
    let at = step.map_or_else(|| names.join(", "), str::to_owned);
    let at = if at.is_empty() { String::new() } else { format!(" at {at}") };
    let hub = view.session.hub();
    let question = format!("Resume {key}{at} on {}? It starts {}.", hub.context(), starts(waiting));
    let warnings = unreachable(view, waiting);
    Ok((waiting.approval(&entry.row, step), question, warnings))
}

/// What begins: `deploy2foo → foo`.
fn starts(waiting: &Waiting) -> String {
    let steps: Vec<String> = waiting
        .next
        .iter()
        .map(|next| {
            let targets: Vec<String> = next
                .targets
                .iter()
                .map(|target| match target {
                    Target::Cluster(placement) => placement.to_string(),
                    Target::Selector { labels, .. } => {
                        let pairs: Vec<String> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
                        format!("clusters with {}", pairs.join(","))
                    }
                    Target::External(policy) => format!("where policy {policy} says"),
                })
                .collect();
            if targets.is_empty() { next.name.to_string() } else { format!("{} → {}", next.name, targets.join(", ")) }
        })
        .collect();
    if steps.is_empty() { "nothing more: the workflow ends".to_owned() } else { steps.join(", then ") }
}

/// KubeVela ends a workflow as failed within a minute when a cluster it deploys to does not answer.
fn unreachable(view: &View, waiting: &Waiting) -> Vec<String> {
    let lost = waiting.clusters().into_iter().filter_map(|cluster| match view.store.link(&cluster) {
        Some(LinkState::Unreachable { reason, .. }) => Some((cluster, reason.clone())),
        _ => None,
    });
    lost.map(|(cluster, reason)| {
        format!("{cluster} does not answer ({reason}): KubeVela will fail this workflow within a minute")
    })
    .collect()
}

/// How the run that was resumed went on.
enum Went {
    /// Still under way.
    On,
    /// It has ended well, or waits again.
    Well(String),
    /// It has failed.
    Wrong(String),
}

async fn wait(
    view: &mut View,
    key: &AppKey,
    approval: &Approval,
    before: &Text,
    patience: Duration,
) -> Result<u8, Failure> {
    let deadline = Instant::now() + patience;
    loop {
        let went = match view.store.application(key) {
            Some(entry) => judge(entry, approval, before),
            None => Went::Wrong("it has been deleted".to_owned()),
        };
        match went {
            Went::On => {}
            Went::Well(how) => {
                Stdout::lock().write(&format!("{key}: {how}\n"))?;
                return Ok(code::DONE);
            }
            Went::Wrong(how) => return Err(Failure::failed(format!("{key}: {how}"))),
        }
        if timeout_at(deadline, view.changed()).await.is_err() {
            let status = view.store.application(key).map(|entry| entry.standing.status.to_string()).unwrap_or_default();
            let waited = crate::model::age::precise_duration(patience.try_into().unwrap_or_default());
            return Err(Failure::failed(format!("{key} has not come to an end within {waited}: {status}")));
        }
    }
}

fn judge(entry: &Entry, approval: &Approval, before: &Text) -> Went {
    let Entry { row, standing, waiting, .. } = entry;
    if row.resource_version == *before {
        return Went::On;
    }
    if let Some(waiting) = waiting {
        let same = waiting.gates.iter().any(|gate| approval.steps.contains(&gate.step));
        return if same { Went::On } else { Went::Well(standing.status.to_string()) };
    }
    let Some(workflow) = &row.workflow else { return Went::On };
    let reason = standing.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    match standing.health {
        Health::Failed if workflow.finished || workflow.terminated => {
            Went::Wrong(format!("{}{reason}", standing.status))
        }
        _ if workflow.terminated => Went::Wrong(format!("{}{reason}", standing.status)),
        Health::Ok | Health::Unknown if workflow.finished => Went::Well(standing.status.to_string()),
        _ => Went::On,
    }
}
