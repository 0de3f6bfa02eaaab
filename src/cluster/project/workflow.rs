//! The steps of the status joined with those of the spec, over the versions of KubeVela.

use crate::model::{
    age::parse_go_duration,
    application::{Application, Step, StepPhase, WorkflowStatus},
    text::{waiting_in_words, without_cue_dump},
};

use super::read::Node;

/// KubeVela ≤ 1.8 puts a suspend step of this name before a `deploy` with `auto: false`.
const INJECTED_APPROVAL: &str = "manual-approve-";

/// The steps in order: what is planned, with what the status tells of it, and what only the status knows of.
///
/// A run of an older revision tells nothing: all is still ahead then.
pub(super) fn join(app: &Application, planned: Vec<Step>, status: &Node) -> Vec<Step> {
    let Some(workflow) = app.workflow.as_ref().filter(|_| app.workflow_is_current()) else { return planned };
    let told = status.items("steps").iter().map(told).collect();
    let mut steps = merge(planned, told);
    if workflow.finished && app.publish_version.is_some() {
        // The spec may have been edited since the version that was published, which is the one that ran.
        steps.retain(|step| step.phase != StepPhase::Ahead);
    }
    read_older_suspensions(&mut steps, workflow);
    for_each_leaf(&mut steps, &mut |step| {
        if step.phase == StepPhase::Suspending
            && let (Some(started), Some(duration)) =
                (step.started_at, step.duration.as_deref().and_then(parse_go_duration))
        {
            step.resumes_at = started.checked_add(duration).ok();
        }
    });
    steps
}

fn told(item: &Node) -> Step {
    item.require("name");
    item.require("phase");
    let message = waiting_in_words(without_cue_dump(item.message())).as_ref().into();
    Step {
        id: item.text("id"),
        name: item.text("name"),
        kind: item.text("type"),
        phase: StepPhase::named(item.str("phase")),
        reason: item.text("reason"),
        message,
        prompt: None,
        duration: None,
        resumes_at: None,
        deploys_before_waiting: false,
        targets: Vec::new(),
        overrides: Vec::new(),
        depends_on: Vec::new(),
        started_at: item.time("firstExecuteTime"),
        last_run_at: item.time("lastExecuteTime"),
        sub_steps: item.items("subSteps").iter().map(told).collect(),
    }
}

/// Joins by name. The plan gives the order; what only the status knows keeps its place among its neighbours.
fn merge(planned: Vec<Step>, told: Vec<Step>) -> Vec<Step> {
    let mut merged: Vec<Step> = Vec::with_capacity(planned.len().max(told.len()));
    let is_planned = |name: &str| planned.iter().any(|step| *step.name == *name);
    // Steps that only the status knows, each with the name of the planned step it stands before.
    let mut extra: Vec<(Option<String>, Step)> = Vec::new();
    let mut known: Vec<Step> = Vec::new();
    let mut since_known = 0;
    for step in told {
        if is_planned(&step.name) {
            for (before, _) in extra.iter_mut().skip(since_known).filter(|(before, _)| before.is_none()) {
                *before = Some(step.name.to_string());
            }
            since_known = extra.len();
            known.push(step);
        } else {
            let injected = step.name.strip_prefix(INJECTED_APPROVAL).filter(|name| is_planned(name));
            extra.push((injected.map(str::to_owned), step));
        }
    }
    let mut extra_left = extra;
    for plan in planned {
        let told = known.iter().position(|step| step.name == plan.name).map(|at| known.swap_remove(at));
        let reached = told.is_some();
        let (here, rest): (Vec<_>, Vec<_>) = extra_left.into_iter().partition(|(before, _)| {
            // What stands behind every planned step that was reached comes before the first that was not.
            before.as_deref() == Some(&*plan.name) || (before.is_none() && !reached)
        });
        extra_left = rest;
        let approved_before =
            here.iter().any(|(_, step)| step.name.strip_prefix(INJECTED_APPROVAL) == Some(&*plan.name));
        merged.extend(here.into_iter().map(|(_, step)| step));
        let mut step = match told {
            Some(told) => fill(told, plan),
            None => plan,
        };
        step.deploys_before_waiting &= !approved_before;
        merged.push(step);
    }
    merged.extend(extra_left.into_iter().map(|(_, step)| step));
    merged
}

/// What the status told, with what only the plan knows.
fn fill(told: Step, plan: Step) -> Step {
    Step {
        kind: if told.kind.is_empty() { plan.kind } else { told.kind },
        prompt: plan.prompt,
        duration: plan.duration,
        deploys_before_waiting: plan.deploys_before_waiting,
        targets: plan.targets,
        overrides: plan.overrides,
        depends_on: plan.depends_on,
        sub_steps: merge(plan.sub_steps, told.sub_steps),
        ..told
    }
}

/// Before 1.8 there is no phase `suspending`: 1.5 to 1.7 leave a suspended step `running`, 1.4 even `succeeded`; that
/// the workflow waits is told by `workflow.suspend` alone.
fn read_older_suspensions(steps: &mut [Step], workflow: &WorkflowStatus) {
    if !workflow.suspend || workflow.terminated || workflow.finished {
        return;
    }
    let mut found = false;
    for_each_leaf(steps, &mut |step| found |= step.phase == StepPhase::Suspending);
    if found {
        return;
    }
    for_each_leaf(steps, &mut |step| {
        if &*step.kind == "suspend" && step.phase == StepPhase::Running {
            step.phase = StepPhase::Suspending;
            found = true;
        }
    });
    if found {
        return;
    }
    // The gate is then the last step that ran. From 1.6 on (which write `workflow.status`) only a step that says so.
    let Some(last) = steps.iter_mut().rfind(|step| step.phase != StepPhase::Ahead) else { return };
    let last = if last.sub_steps.iter().any(|sub| sub.phase != StepPhase::Ahead) {
        last.sub_steps.iter_mut().rfind(|sub| sub.phase != StepPhase::Ahead)
    } else {
        Some(last)
    };
    if let Some(step) = last
        && step.phase == StepPhase::Succeeded
        && (&*step.reason == "Suspend" || (&*step.kind == "suspend" && workflow.phase.is_empty()))
    {
        step.phase = StepPhase::Suspending;
    }
}

fn for_each_leaf(steps: &mut [Step], act: &mut dyn FnMut(&mut Step)) {
    for step in steps {
        if step.sub_steps.is_empty() {
            act(step);
        } else {
            step.sub_steps.iter_mut().for_each(&mut *act);
        }
    }
}
