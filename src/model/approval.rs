//! What waits: which steps of a workflow are suspended, why, and what goes on when they are resumed.
//!
//! The signal that every KubeVela gives is `workflow.suspend`; how the step itself shows it changed over the
//! versions, and the projection has already read the older forms into [`StepPhase::Suspending`].

use jiff::Timestamp;

use super::{
    action::{Approval, StepRef},
    application::{Application, Change, Step, StepPhase, Target},
    key::{AppKey, ClusterId, Text},
};

/// An application whose workflow is suspended.
#[derive(Clone, Debug, PartialEq)]
pub struct Waiting {
    /// The application.
    pub app: AppKey,
    /// The revision it waits in, for instance `helm-hello-v3`.
    pub revision: Option<Text>,
    /// What it waits at; never empty.
    pub gates: Vec<Gate>,
    /// What starts when every gate is resumed, up to and including the next gate.
    pub next: Vec<NextStep>,
    /// Who wrote the object last.
    pub changed_by: Option<Change>,
}

/// One suspended step.
#[derive(Clone, Debug, PartialEq)]
pub struct Gate {
    /// The step; id and name are empty when the workflow was suspended while no step was running.
    pub step: StepRef,
    /// Its type: `suspend`, `deploy`, …
    pub kind: Text,
    /// The group it stands in.
    pub group: Option<Text>,
    /// Why it is suspended.
    pub reason: GateReason,
    /// The author's words to the approver.
    pub prompt: Option<Text>,
    /// Since when; unknown for a suspension by hand, which leaves no time.
    pub since: Option<Timestamp>,
    /// When it goes on by itself.
    pub resumes_at: Option<Timestamp>,
    /// Where this step has already deployed: a `deploy` with `auto: false` deploys first and waits after.
    pub deployed_to: Vec<Target>,
}

/// Why a step is suspended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GateReason {
    /// It asks for a person's approval.
    Approval,
    /// It waits a time, and goes on by itself. KubeVela suspends it again when it is resumed before.
    Duration,
    /// Someone suspended the workflow.
    ByHand,
    /// Steps failed as often as they may, and the controller suspends in that case.
    AfterRetries,
}

impl GateReason {
    /// The words for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Approval => "approval",
            Self::Duration => "duration",
            Self::ByHand => "suspended by hand",
            Self::AfterRetries => "failed too often",
        }
    }
}

/// A step that starts after the gates.
#[derive(Clone, Debug, PartialEq)]
pub struct NextStep {
    /// Its name.
    pub name: Text,
    /// Its type.
    pub kind: Text,
    /// Where it goes.
    pub targets: Vec<Target>,
    /// Whether the workflow waits again at it.
    pub is_gate: bool,
}

/// Whether and at what an application waits. Only the run of the newest revision counts: what an edited spec left
/// suspended is not asked for any more.
pub fn waiting(app: &Application) -> Option<Waiting> {
    let workflow = app.workflow.as_ref()?;
    let over = workflow.terminated || workflow.finished || app.deleting_since.is_some();
    if !workflow.suspend || over || !app.is_observed() || !app.workflow_is_current() {
        return None;
    }
    let mut gates: Vec<Gate> = app
        .leaves()
        .filter(|(_, step)| step.phase == StepPhase::Suspending)
        .map(|(group, step)| gate(group, step, reason_of(step)))
        .collect();
    if gates.is_empty() {
        gates = app
            .leaves()
            .filter(|(_, step)| &*step.reason == "FailedAfterRetries")
            .map(|(group, step)| gate(group, step, GateReason::AfterRetries))
            .collect();
    }
    if gates.is_empty() {
        gates.push(by_hand(app));
    }
    let next = next_steps(app, &gates);
    Some(Waiting {
        app: app.key.clone(),
        revision: app.revision.clone(),
        gates,
        next,
        changed_by: app.changed_by.clone(),
    })
}

impl Waiting {
    /// Since when the oldest gate waits.
    pub fn since(&self) -> Option<Timestamp> {
        self.gates.iter().filter_map(|gate| gate.since).min()
    }

    /// Whether a person is asked for: false when every gate goes on by itself.
    pub fn needs_person(&self) -> bool {
        self.gates.iter().any(|gate| gate.reason != GateReason::Duration)
    }

    /// The first gate that needs a person, else the first.
    pub fn first(&self) -> Option<&Gate> {
        self.gates.iter().find(|gate| gate.reason != GateReason::Duration).or(self.gates.first())
    }

    /// The clusters, by name, that resuming reaches: those of the steps that start, and those of gates that go on
    /// with a deployment. Clusters chosen by label are in [`NextStep::targets`].
    pub fn clusters(&self) -> Vec<ClusterId> {
        let targets = self.gates.iter().flat_map(|gate| &gate.deployed_to);
        let mut clusters: Vec<ClusterId> = targets
            .chain(self.next.iter().flat_map(|step| &step.targets))
            .filter_map(|target| match target {
                Target::Cluster(placement) => Some(placement.cluster.clone()),
                Target::Selector { .. } | Target::External(_) => None,
            })
            .collect();
        clusters.sort();
        clusters.dedup();
        clusters
    }

    /// The write that resumes it: the step of that name, or all of them. `app` is the row it was made from.
    pub fn approval(&self, app: &Application, step: Option<&str>) -> Approval {
        let steps = self
            .gates
            .iter()
            .filter(|gate| step.is_none_or(|name| *gate.step.name == *name))
            .filter(|gate| {
                let is_it = |leaf: &Step| leaf.name == gate.step.name && leaf.phase == StepPhase::Suspending;
                app.leaves().any(|(_, leaf)| is_it(leaf))
            })
            .map(|gate| gate.step.clone())
            .collect();
        Approval {
            app: app.key.clone(),
            uid: app.uid.clone(),
            generation: app.generation,
            app_revision: app.workflow.as_ref().map(|workflow| workflow.app_revision.clone()).unwrap_or_default(),
            resource_version: app.resource_version.clone(),
            steps,
            clusters: self.clusters(),
        }
    }
}

fn reason_of(step: &Step) -> GateReason {
    // Suspending by hand flips a running step and leaves its reason, usually `Wait`, as it was.
    let by_itself = &*step.kind == "suspend" || &*step.reason == "Suspend";
    match (by_itself, &step.duration) {
        (false, _) => GateReason::ByHand,
        (true, Some(_)) => GateReason::Duration,
        (true, None) => GateReason::Approval,
    }
}

fn gate(group: Option<&Text>, step: &Step, reason: GateReason) -> Gate {
    let asks = matches!(reason, GateReason::Approval | GateReason::Duration);
    Gate {
        step: StepRef { id: step.id.clone(), name: step.name.clone() },
        kind: step.kind.clone(),
        group: group.cloned(),
        reason,
        prompt: step.prompt.clone(),
        since: match reason {
            GateReason::AfterRetries => step.last_run_at,
            _ if asks => step.started_at.or(step.last_run_at),
            _ => None,
        },
        resumes_at: step.resumes_at,
        deployed_to: if step.deploys_before_waiting { step.targets.clone() } else { Vec::new() },
    }
}

/// A workflow suspended without a step that says so: KubeVela ≤ 1.7 by hand, or between two steps.
fn by_hand(app: &Application) -> Gate {
    let running = app.leaves().find(|(_, step)| step.phase == StepPhase::Running || step.is_retrying());
    let mut gate = match running {
        Some((group, step)) => gate(group, step, GateReason::ByHand),
        None => Gate {
            step: StepRef { id: Text::default(), name: Text::default() },
            kind: Text::default(),
            group: None,
            reason: GateReason::ByHand,
            prompt: None,
            since: None,
            resumes_at: None,
            deployed_to: Vec::new(),
        },
    };
    gate.deployed_to.clear();
    gate
}

/// What starts when all gates are resumed.
fn next_steps(app: &Application, gates: &[Gate]) -> Vec<NextStep> {
    let mode = app.workflow.as_ref().map(|workflow| &*workflow.mode).unwrap_or_default();
    // `StepByStep-DAG`: steps, then sub-steps; KubeVela ≤ 1.5 writes the first alone, and sub-steps were a DAG.
    let (steps_mode, sub_mode) = mode.split_once('-').unwrap_or((mode, "DAG"));
    let is_gate = |step: &Step| gates.iter().any(|gate| gate.step.name == step.name);
    let mut next = Vec::new();

    // The rest of the groups in which gates stand.
    for step in app.steps.iter().filter(|step| step.sub_steps.iter().any(is_gate)) {
        if collect(&step.sub_steps, sub_mode, &is_gate, &mut next) {
            return next;
        }
    }
    let stands_at = |step: &Step| is_gate(step) || step.sub_steps.iter().any(is_gate);
    if app.steps.iter().any(stands_at) {
        collect(&app.steps, steps_mode, &stands_at, &mut next);
    } else {
        // Suspended between steps: what is ahead goes on.
        collect_from(app.steps.iter().filter(|step| step.phase == StepPhase::Ahead), &mut next);
    }
    next
}

/// Adds what starts among siblings once those that `stands_at` names go on; true when it ends at another gate.
fn collect(siblings: &[Step], mode: &str, stands_at: &dyn Fn(&Step) -> bool, next: &mut Vec<NextStep>) -> bool {
    let unreached = |step: &&Step| matches!(step.phase, StepPhase::Ahead | StepPhase::Pending);
    if mode == "DAG" {
        let mut reached: Vec<&Text> = siblings.iter().filter(|step| stands_at(step)).map(|step| &step.name).collect();
        for step in siblings.iter().filter(unreached) {
            if step.depends_on.iter().any(|name| reached.contains(&name)) {
                if !step.is_gate() {
                    reached.push(&step.name);
                }
                collect_from(std::iter::once(step), next);
            }
        }
        // A gate on one branch of a graph does not hold the others.
        return false;
    }
    let last = siblings.iter().rposition(stands_at).map_or(0, |index| index + 1);
    collect_from(siblings.iter().skip(last).filter(unreached), next)
}

/// Adds steps in order up to and including the first gate; true when there was one.
fn collect_from<'a>(steps: impl Iterator<Item = &'a Step>, next: &mut Vec<NextStep>) -> bool {
    for step in steps {
        let leaves = if step.sub_steps.is_empty() { std::slice::from_ref(step) } else { &step.sub_steps };
        for leaf in leaves {
            next.push(NextStep {
                name: leaf.name.clone(),
                kind: leaf.kind.clone(),
                targets: leaf.targets.clone(),
                is_gate: leaf.is_gate(),
            });
        }
        // Sub-steps start together; the workflow goes on behind the group when all are done.
        if leaves.iter().any(Step::is_gate) {
            return true;
        }
    }
    false
}
