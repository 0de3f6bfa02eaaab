//! What the hub says of an application, put into the user's words.

use jiff::Timestamp;

use crate::model::{
    application::{Application, Condition, Placement, Step, StepPhase, Target, WorkflowStatus},
    approval::{self, GateReason, Waiting},
    health::Health,
    key::Text,
};

/// The hub's word.
#[derive(Debug)]
pub(super) struct Word {
    pub(super) health: Health,
    pub(super) status: String,
    pub(super) since: Option<Timestamp>,
    pub(super) reason: Option<String>,
    pub(super) at_step: Option<Text>,
}

impl Word {
    fn new(health: Health, status: impl Into<String>) -> Self {
        Self { health, status: status.into(), since: None, reason: None, at_step: None }
    }

    fn since(self, since: Option<Timestamp>) -> Self {
        Self { since, ..self }
    }

    fn because(self, reason: impl AsRef<str>) -> Self {
        let reason = reason.as_ref();
        Self { reason: (!reason.is_empty()).then(|| reason.to_owned()), ..self }
    }

    fn at(self, step: &Step) -> Self {
        Self { at_step: Some(step.name.clone()), ..self }
    }
}

/// The word for `ready` of `total` services being well.
pub(super) fn unhealthy(ready: u32, total: u32) -> String {
    if ready < total { format!("unhealthy {ready}/{total}") } else { "unhealthy".to_owned() }
}

/// What the hub says, before links and pods are looked at.
pub(super) fn word(app: &Application) -> Word {
    if app.deleting_since.is_some() || &*app.phase == "deleting" {
        return deleting(app);
    }
    let word = alive(app);
    if let Some(required) = &app.frozen
        && freezes(app, required)
    {
        return held(word, "frozen (controller-version-require)", &format!("the controller must be {required}"));
    }
    if app.paused {
        return held(word, "paused", "the controller passes over it");
    }
    if let (Some(version), Health::Ok) = (&app.publish_version, word.health) {
        return Word { status: format!("{}, pinned {version}", word.status), ..word };
    }
    word
}

/// Whether the annotation keeps the controller away. It may also name the very version that runs, which only shows
/// in that the newest generation was seen.
fn freezes(app: &Application, required: &str) -> bool {
    let is_version = required.trim_start_matches('v').starts_with(|c: char| c.is_ascii_digit());
    !is_version || !app.is_observed()
}

/// The word for an application that the controller ignores: nothing moves in it, what is wrong stays so.
fn held(word: Word, status: &str, why: &str) -> Word {
    let health = match word.health {
        Health::Progressing => Health::Pending,
        other => other,
    };
    let reason = if word.health == Health::Ok { why.to_owned() } else { format!("{why}; {}", word.status) };
    Word { health, status: status.to_owned(), since: None, reason: Some(reason), at_step: word.at_step }
}

fn deleting(app: &Application) -> Word {
    let word = Word::new(Health::Progressing, "deleting").since(app.deleting_since);
    let Some(condition) = failing(app, &["Ready", "Deleting"]) else { return word };
    let health = if condition.message.contains("error") || condition.message.contains("fail") {
        Health::Failed
    } else {
        Health::Progressing
    };
    Word { health, ..word.because(&condition.message) }
}

fn failing<'a>(app: &'a Application, kinds: &[&str]) -> Option<&'a Condition> {
    app.conditions.iter().find(|condition| kinds.contains(&&*condition.kind) && &*condition.status == "False")
}

fn alive(app: &Application) -> Word {
    // These flip back on success, so a False is what stops the controller now. StateKeep and Synced do not: they
    // stay False long after their cause is gone.
    if let Some(condition) = failing(app, &["Parsed", "Revision", "Policy", "Render"]) {
        let doing = match &*condition.kind {
            "Parsed" => "parsing",
            "Revision" => "making the revision",
            "Policy" => "applying policies",
            _ => "rendering",
        };
        return Word::new(Health::Failed, format!("failed: {doing}"))
            .since(condition.since)
            .because(&condition.message);
    }
    if !app.is_observed() {
        let health = if app.phase.is_empty() { Health::Pending } else { Health::Progressing };
        let (generation, seen) = (app.generation, app.observed_generation);
        return Word::new(health, format!("not yet observed (generation {generation}, seen {seen})"));
    }
    let Some(workflow) = &app.workflow else { return without_workflow(app) };
    if !app.workflow_is_current() {
        return if app.is_before_workflow() {
            Word::new(Health::Progressing, phase_in_words(&app.phase))
        } else {
            let of = app.publish_version.as_ref().or(app.revision.as_ref());
            Word::new(Health::Progressing, of.map_or_else(|| "starting".to_owned(), |of| format!("starting {of}")))
        };
    }
    if let Some(waiting) = approval::waiting(app) {
        return waits(app, &waiting);
    }
    ended(app, workflow).unwrap_or_else(|| by_phase(app, workflow))
}

fn without_workflow(app: &Application) -> Word {
    match &*app.phase {
        "" => Word::new(Health::Pending, "not reconciled yet"),
        // A restart takes the workflow away and leaves the phase for a moment.
        "running" | "unhealthy" | "workflowFinished" => Word::new(Health::Progressing, "restarting"),
        phase if phase.starts_with("workflow") => Word::new(Health::Progressing, "restarting"),
        phase if app.is_before_workflow() || phase == "runningWorkflow" => {
            Word::new(Health::Progressing, phase_in_words(phase))
        }
        phase => unknown_phase(phase),
    }
}

fn unknown_phase(phase: &str) -> Word {
    Word::new(Health::Unknown, phase).because(format!("the hub says “{phase}”, a phase lateen does not know"))
}

fn phase_in_words(phase: &str) -> &str {
    match phase {
        "generatingPolicy" => "generating policies",
        "runningWorkflow" => "starting",
        other => other,
    }
}

fn waits(app: &Application, waiting: &Waiting) -> Word {
    let Some(gate) = waiting.first() else { return Word::new(Health::Waiting, "waiting") };
    let mut word = match gate.reason {
        GateReason::Approval => Word::new(Health::Waiting, "waiting for approval"),
        GateReason::Duration => Word::new(Health::Waiting, "waiting, goes on by itself"),
        GateReason::ByHand => Word::new(Health::Waiting, "suspended by hand"),
        GateReason::AfterRetries => Word::new(Health::Failed, format!("failed: {}, suspended", gate.step.name)),
    };
    word.since = gate.since;
    word.at_step = (!gate.step.name.is_empty()).then(|| gate.step.name.clone());
    match gate.reason {
        GateReason::Approval => word.because(gate.prompt.as_deref().unwrap_or_default()),
        GateReason::AfterRetries => {
            let step = app.leaves().find(|(_, step)| step.name == gate.step.name);
            word.because(step.map(|(_, step)| &*step.message).unwrap_or_default())
        }
        GateReason::Duration | GateReason::ByHand => word,
    }
}

/// The word for a workflow that failed or was terminated.
fn ended(app: &Application, workflow: &WorkflowStatus) -> Option<Word> {
    let phase = &*app.phase;
    let failed = app.leaves().map(|(_, step)| step).find(|step| step.has_failed());
    let says_failed = phase == "workflowFailed" || &*workflow.phase == "failed";
    if let Some(step) = failed
        && (says_failed || workflow.terminated || !workflow.finished)
    {
        let since = workflow.ended_at.or(step.last_run_at);
        return Some(
            Word::new(Health::Failed, format!("failed: {}", step.name)).since(since).because(failure(step)).at(step),
        );
    }
    // A step whose error was still retried when the workflow ended.
    if says_failed {
        let step = app.leaves().map(|(_, step)| step).find(|step| step.phase == StepPhase::Failed);
        let status = step.map_or_else(|| "failed".to_owned(), |step| format!("failed: {}", step.name));
        let reason = step.map_or(&*workflow.message, |step| &*step.message);
        let word = Word::new(Health::Failed, status).since(workflow.ended_at).because(reason);
        return Some(match step {
            Some(step) => word.at(step),
            None => word,
        });
    }
    let says_terminated = phase == "workflowTerminated" || &*workflow.phase == "terminated";
    if says_terminated || workflow.terminated {
        let step = app.leaves().map(|(_, step)| step).find(|step| step.was_terminated());
        let word = if says_terminated || workflow.finished {
            Word::new(Health::Failed, "terminated").since(workflow.ended_at)
        } else {
            Word::new(Health::Progressing, "terminating")
        };
        return Some(match step {
            Some(step) => word.because(format!("terminated at {}", step.name)).at(step),
            None => word.because(&*workflow.message),
        });
    }
    None
}

fn failure(step: &Step) -> String {
    match (&*step.reason, step.message.is_empty()) {
        ("Timeout", true) => "timed out".to_owned(),
        ("Timeout", false) => format!("timed out: {}", step.message),
        (reason, true) => reason.to_owned(),
        (_, false) => without_call_prefix(&step.message).to_owned(),
    }
}

/// `function call error for deploy: …` says nothing that the step's name does not.
fn without_call_prefix(message: &str) -> &str {
    match message.strip_prefix("function call error for ").and_then(|rest| rest.split_once(": ")) {
        Some((_, rest)) => rest,
        None => message,
    }
}

fn by_phase(app: &Application, workflow: &WorkflowStatus) -> Word {
    let suspended_phase = &*app.phase == "workflowSuspending" || &*workflow.phase == "suspending";
    if suspended_phase && !workflow.suspend && !workflow.finished {
        // Resumed, and the controller has not come to it yet.
        let word = Word::new(Health::Progressing, "resuming");
        let waiting = |step: &&Step| matches!(step.phase, StepPhase::Suspending | StepPhase::Running);
        return match app.leaves().map(|(_, step)| step).find(waiting) {
            Some(step) => word.at(step),
            None => word,
        };
    }
    match &*app.phase {
        "running" | "unhealthy" | "workflowFinished" if workflow.finished || active(app).is_none() => finished(app),
        "running" | "unhealthy" | "workflowFinished" | "runningWorkflow" | "workflowSuspending" => moving(app),
        "rollingOut" => Word::new(Health::Progressing, "rolling out"),
        "" => Word::new(Health::Pending, "not reconciled yet"),
        _ if app.is_before_workflow() => Word::new(Health::Progressing, phase_in_words(&app.phase)),
        phase => unknown_phase(phase),
    }
}

fn finished(app: &Application) -> Word {
    let well = |healthy: bool, traits: usize| healthy && traits == 0;
    let ready = app.services.iter().filter(|s| well(s.healthy, s.unhealthy_traits.len())).count() as u32;
    let total = app.services.len() as u32;
    if ready == total && &*app.phase != "unhealthy" {
        return Word::new(Health::Ok, "running");
    }
    let word = Word::new(Health::Failed, unhealthy(ready, total));
    match app.services.iter().find(|s| !well(s.healthy, s.unhealthy_traits.len())) {
        Some(service) => word.because(service.why()),
        None => word,
    }
}

/// The step that the workflow is busy with.
fn active(app: &Application) -> Option<&Step> {
    let find = |wanted: &dyn Fn(&Step) -> bool| app.leaves().map(|(_, step)| step).find(|step| wanted(step));
    find(&Step::is_retrying)
        .or_else(|| find(&|step| step.phase == StepPhase::Running))
        .or_else(|| find(&|step| step.phase == StepPhase::Suspending))
        .or_else(|| find(&|step| step.phase == StepPhase::Pending))
        .or_else(|| find(&|step| matches!(step.phase, StepPhase::Ahead | StepPhase::Other(_))))
}

fn moving(app: &Application) -> Word {
    let Some(step) = active(app) else { return Word::new(Health::Progressing, "finishing") };
    if step.is_retrying() {
        return Word::new(Health::Progressing, format!("retrying {}", step.name))
            .since(step.started_at)
            .because(&*step.message)
            .at(step);
    }
    if step.phase == StepPhase::Pending {
        return Word::new(Health::Progressing, format!("{} pending", step.name)).because(&*step.message).at(step);
    }
    if let Some(service) = app.services.iter().find(|service| service.is_exhausted()) {
        // Flux has given up; the workflow goes on waiting for it without end.
        return Word::new(Health::Failed, format!("failed: {}", step.name))
            .since(step.started_at)
            .because(service.why())
            .at(step);
    }
    let word = match &*step.kind {
        "deploy" => Word::new(Health::Progressing, format!("deploying to {}", destination(app))),
        "suspend" => Word::new(Health::Progressing, "resuming"),
        "apply-component" => Word::new(Health::Progressing, format!("applying {}", step.name)),
        _ => Word::new(Health::Progressing, format!("running {}", step.name)),
    };
    word.since(step.started_at).because(&*step.message).at(step)
}

/// Where the running deploy steps go: `foo`, `local/prod` where the cluster alone does not tell, `5 clusters`.
fn destination(app: &Application) -> String {
    let mut running: Vec<&Step> = app
        .leaves()
        .map(|(_, step)| step)
        .filter(|step| &*step.kind == "deploy" && step.phase == StepPhase::Running)
        .collect();
    if running.is_empty() {
        running.extend(active(app));
    }
    let mut names: Vec<String> = Vec::new();
    for target in running.iter().flat_map(|step| &step.targets) {
        let name = match target {
            Target::Cluster(placement) if is_shared(app, placement) => placement.to_string(),
            Target::Cluster(placement) => placement.cluster.to_string(),
            Target::Selector { labels, .. } => {
                let pairs: Vec<String> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
                format!("clusters {}", pairs.join(","))
            }
            Target::External(policy) => format!("policy {policy}"),
        };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    match names.len() {
        0 => running.first().map_or_else(String::new, |step| step.name.to_string()),
        1..=3 => names.join(", "),
        many => format!("{many} clusters"),
    }
}

/// Whether the application goes to several namespaces of that cluster.
fn is_shared(app: &Application, placement: &Placement) -> bool {
    app.placements.iter().any(|other| other.cluster == placement.cluster && other.namespace != placement.namespace)
}
