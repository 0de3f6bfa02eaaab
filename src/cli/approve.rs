//! `lateen approve`: resume a workflow that waits.

use super::{
    args::{Approve, AuditMode, Global},
    failure::{Failure, code, code_of},
    interrupt,
    stdout::{self, Stdout},
    view::{View, split},
    wait::{self, Went},
};
use crate::{
    cluster::actions,
    model::{
        action::{Action, Approval},
        application::Target,
        approval::Waiting,
        cluster::LinkState,
        key::{AppKey, Text},
    },
    runtime::audit::Sink,
    store::Entry,
};

/// Approves, and gives the exit code.
pub(super) async fn run(global: &Global, approve: Approve) -> Result<u8, Failure> {
    let is_asking = asking(global, "approve")?;
    let global = named_namespace(global, &approve.app);
    let mut view = View::open(&global, false).await?;
    let key = view.application(&approve.app)?;
    let (approval, question, warnings) = plan(&view, &key, &approve)?;
    for warning in &warnings {
        stdout::note(warning);
    }
    if is_asking && !stdout::ask(&question) {
        stdout::note("nothing was written");
        return Ok(code::FAILED);
    }
    let audit = Sink::open(global.audit == AuditMode::BestEffort);
    let hub = view.session.hub().clone();
    let before = approval.resource_version.clone();
    let action = Action::Approve(approval.clone());
    {
        let _held = interrupt::hold();
        let outcome = actions::perform(&hub, &action, &mut |line| audit.append(&line)).await;
        if !outcome.is_done() {
            return Err(Failure::new(code_of(&outcome), outcome.message().to_string()));
        }
        Stdout::lock().write(&format!("{}\n", outcome.message()))?;
    }
    match approve.wait {
        Some(patience) => wait::delivered(&mut view, &key, patience, &|entry| judge(entry, &approval, &before)).await,
        None => Ok(code::DONE),
    }
}

/// Whether a command that writes asks before it does; an error where it may not write, or cannot ask.
pub(super) fn asking(global: &Global, command: &str) -> Result<bool, Failure> {
    if global.readonly {
        return Err(Failure::new(
            code::FORBIDDEN,
            format!("{command} writes, and --readonly bars that: nothing was written"),
        ));
    }
    if global.yes {
        Ok(false)
    } else if stdout::can_ask() {
        Ok(true)
    } else {
        Err(Failure::usage(format!("{command} asks before it writes, and there is no terminal to ask on: add -y")))
    }
}

/// A namespace typed with the name goes before the context's.
pub(super) fn named_namespace(global: &Global, typed: &str) -> Global {
    match split(typed).0 {
        Some(namespace) => Global { namespace: Some(namespace.to_owned()), all_namespaces: false, ..global.clone() },
        None => global.clone(),
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

/// How the run that was resumed went on; `before` is the version of the object that was on screen.
fn judge(entry: &Entry, approval: &Approval, before: &Text) -> Went {
    if entry.row.resource_version == *before {
        return Went::On;
    }
    let same = |waiting: &Waiting| waiting.gates.iter().any(|gate| approval.steps.contains(&gate.step));
    if entry.waiting.as_ref().is_some_and(same) { Went::On } else { wait::run(entry) }
}
