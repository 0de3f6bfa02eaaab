//! The workflow of an application, step by step, as a function of its status: which steps are due, and what the
//! status says after each.
//!
//! Nothing here reads a clock or a cluster. The caller executes what is [due](Workflow::due), tells the
//! [`Outcome`] of each, and asks again until nothing is due any more.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::demo::controllers::naming;
use crate::demo::controllers::object;

/// What came of executing a step.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Outcome {
    Succeeded,
    /// Not yet, and why.
    Waiting(String),
    /// It waits for a person, or for its time.
    Suspended,
    /// It went wrong and will be tried again.
    Failed(String),
    /// It went wrong too often.
    GivenUp(String),
    /// Its `timeout` is over.
    TimedOut,
}

/// A step to execute now.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Due {
    pub(super) name: String,
    /// The id that the status gives the step.
    pub(super) id: String,
    /// The step as the spec has it.
    pub(super) step: Value,
    /// It was suspended and somebody has let it go on.
    pub(super) resumed: bool,
    /// It is suspended.
    pub(super) suspended: bool,
}

/// A workflow under way.
#[derive(Debug, Clone)]
pub(super) struct Workflow<'a> {
    steps: &'a [Value],
    /// `status.workflow`.
    pub(super) status: Value,
}

/// The status of a workflow that has not done anything. `mode` is how its steps run (`StepByStep`, `DAG`).
pub(super) fn begin(revision: &str, mode: &str, context: &Value, now: &str) -> Value {
    json!({
        "appRevision": revision,
        "contextBackend": context,
        "finished": false,
        "mode": mode,
        "startTime": now,
        "status": "initializing",
        "suspend": false,
        "terminated": false,
    })
}

impl<'a> Workflow<'a> {
    /// A workflow of these steps that stands as `status` says.
    pub(super) fn new(steps: &'a [Value], status: Value) -> Self {
        Self { steps, status }
    }

    /// Whether there is nothing left to do.
    pub(super) fn finished(&self) -> bool {
        object::flag(&self.status, "/finished")
    }

    /// Whether somebody suspended the whole workflow, so that no step of it may go on.
    pub(super) fn held(&self) -> bool {
        object::flag(&self.status, "/suspend")
            && !all_statuses(&self.status).any(|step| step["phase"] == "suspending" && step["reason"] == "Suspend")
    }

    /// The steps to execute now, without those of `executed`. Steps that can no longer run are marked skipped.
    pub(super) fn due(&mut self, executed: &HashSet<String>, now: &str) -> Vec<Due> {
        if self.finished() {
            return Vec::new();
        }
        let in_turn = !object::text(&self.status, "/mode").starts_with("DAG");
        let groups_in_turn = object::text(&self.status, "/mode").ends_with("-StepByStep");
        let mut broken = object::flag(&self.status, "/terminated");
        let mut due = Vec::new();
        let steps = self.steps;
        for step in steps {
            let name = object::text(step, "/name");
            let group = step["type"] == "step-group";
            let known = self.status_of(name);
            if known.is_some_and(finished) {
                broken |= known.is_some_and(|status| status["phase"] == "failed");
                continue;
            }
            if !in_turn && !self.reached(step) {
                continue;
            }
            if broken && step["if"] != "always" && known.is_none() {
                self.skip(name, None, step, now);
                continue;
            }
            if group {
                let sub = if step["mode"].is_string() { step["mode"] == "StepByStep" } else { groups_in_turn };
                self.open_group(name, step, now);
                due.extend(self.due_in_group(step, sub, broken, executed, now));
                self.close_group(name, step, now);
                let done = self.status_of(name).is_some_and(finished);
                broken |= done && self.status_of(name).is_some_and(|one| one["phase"] == "failed");
                if in_turn && !done {
                    break;
                }
                continue;
            }
            if !executed.contains(name) {
                due.push(self.due_step(name, step));
            }
            if in_turn {
                break;
            }
        }
        due
    }

    fn due_in_group(
        &mut self,
        group: &Value,
        in_turn: bool,
        broken: bool,
        executed: &HashSet<String>,
        now: &str,
    ) -> Vec<Due> {
        let mut due = Vec::new();
        let mut broken = broken;
        for step in object::list(group, "/subSteps") {
            let name = object::text(step, "/name");
            let known = self.status_of(name);
            if known.is_some_and(finished) {
                broken |= known.is_some_and(|status| status["phase"] == "failed");
                continue;
            }
            if !in_turn && !self.reached(step) {
                continue;
            }
            if broken && step["if"] != "always" && known.is_none() {
                self.skip(name, Some(object::text(group, "/name")), step, now);
                continue;
            }
            if !executed.contains(name) {
                due.push(self.due_step(name, step));
            }
            if in_turn {
                break;
            }
        }
        due
    }

    /// Whether everything that a step depends on is done.
    fn reached(&self, step: &Value) -> bool {
        object::list(step, "/dependsOn")
            .iter()
            .filter_map(Value::as_str)
            .all(|name| self.status_of(name).is_some_and(finished))
    }

    fn due_step(&self, name: &str, step: &Value) -> Due {
        let known = self.status_of(name);
        let suspended = known.is_some_and(|status| status["reason"] == "Suspend");
        let phase = known.map_or("", |status| object::text(status, "/phase"));
        Due {
            name: name.to_owned(),
            id: known.map_or_else(|| self.new_id(name), |status| object::text(status, "/id").to_owned()),
            step: step.clone(),
            resumed: suspended && phase == "running",
            suspended: suspended && phase == "suspending",
        }
    }

    fn new_id(&self, name: &str) -> String {
        let seed = format!("{}{}{name}", self.status["appRevision"], self.status["startTime"]);
        naming::suffix(&seed, 10)
    }

    fn status_of(&self, name: &str) -> Option<&Value> {
        all_statuses(&self.status).find(|status| status["name"] == name)
    }

    /// Writes down what came of a step.
    pub(super) fn record(&mut self, due: &Due, outcome: &Outcome, now: &str) {
        let (phase, reason, message) = match outcome {
            Outcome::Succeeded => ("succeeded", "", ""),
            Outcome::Waiting(message) => ("running", "Wait", message.as_str()),
            Outcome::Suspended => ("suspending", "Suspend", "Suspended by field suspend"),
            Outcome::Failed(message) => ("failed", "Execute", message.as_str()),
            Outcome::GivenUp(message) => ("failed", "FailedAfterRetries", message.as_str()),
            Outcome::TimedOut => ("failed", "Timeout", ""),
        };
        let known = self.status_of(&due.name).cloned();
        let mut status = known.unwrap_or_else(|| {
            json!({
                "firstExecuteTime": now,
                "id": due.id,
                "lastExecuteTime": now,
                "name": due.name,
                "type": due.step["type"],
            })
        });
        let was_suspended = status["phase"] == "suspending" && *outcome == Outcome::Suspended;
        status["phase"] = json!(phase);
        for (key, value) in [("reason", reason), ("message", message)] {
            if !value.is_empty() {
                status[key] = json!(value);
            } else if *outcome != Outcome::TimedOut {
                object::unset(&mut status, &[key]);
            }
        }
        if !was_suspended {
            status["lastExecuteTime"] = json!(now);
        }
        let group = self.group_of(&due.name);
        self.put(group, status);
        if let Outcome::GivenUp(_) | Outcome::TimedOut = outcome {
            self.status["terminated"] = json!(true);
        }
    }

    /// The group that a sub-step belongs to.
    fn group_of(&self, name: &str) -> Option<&'a str> {
        self.steps
            .iter()
            .find(|step| object::list(step, "/subSteps").iter().any(|sub| sub["name"] == name))
            .map(|group| object::text(group, "/name"))
    }

    fn put(&mut self, group: Option<&str>, status: Value) {
        let mut list = &mut self.status["steps"];
        if let Some(group) = group {
            let at = list.as_array_mut().into_iter().flatten().find(|step| step["name"] == group);
            let Some(found) = at else { return };
            list = &mut found["subSteps"];
        }
        if !list.is_array() {
            *list = json!([]);
        }
        let Some(all) = list.as_array_mut() else { return };
        match all.iter_mut().find(|one| one["name"] == status["name"]) {
            Some(old) => *old = status,
            None => all.push(status),
        }
    }

    fn skip(&mut self, name: &str, group: Option<&str>, step: &Value, now: &str) {
        let status = json!({
            "firstExecuteTime": now,
            "id": self.new_id(name),
            "lastExecuteTime": now,
            "name": name,
            "phase": "skipped",
            "reason": "Skip",
            "type": step["type"],
        });
        self.put(group, status);
    }

    fn open_group(&mut self, name: &str, step: &Value, now: &str) {
        if self.status_of(name).is_none() {
            let status = json!({
                "firstExecuteTime": now,
                "id": self.new_id(name),
                "lastExecuteTime": now,
                "name": name,
                "phase": "running",
                "type": step["type"],
            });
            self.put(None, status);
        }
    }

    /// Gives a group the phase that its sub-steps make up, worst first.
    fn close_group(&mut self, name: &str, step: &Value, now: &str) {
        let Some(mut status) = self.status_of(name).cloned() else {
            return;
        };
        let subs = object::list(&status, "/subSteps").to_vec();
        let any = |phase: &str| subs.iter().any(|sub| sub["phase"] == phase);
        let started = subs.len() == object::list(step, "/subSteps").len();
        let retrying = subs.iter().any(|sub| sub["phase"] == "failed" && sub["reason"] == "Execute");
        let phase = if any("suspending") {
            "suspending"
        } else if !started || any("running") || any("pending") || retrying {
            "running"
        } else if any("failed") {
            "failed"
        } else if !subs.is_empty() && subs.iter().all(|sub| sub["phase"] == "skipped") {
            "skipped"
        } else {
            "succeeded"
        };
        let reason = ["FailedAfterRetries", "Timeout", "Action", "Terminate"]
            .into_iter()
            .find(|reason| phase == "failed" && subs.iter().any(|sub| sub["reason"] == *reason));
        let before = (status["phase"].clone(), status["reason"].clone());
        status["phase"] = json!(phase);
        match reason {
            Some(reason) => status["reason"] = json!(reason),
            None => object::unset(&mut status, &["reason"]),
        }
        if before != (status["phase"].clone(), status["reason"].clone()) {
            status["lastExecuteTime"] = json!(now);
        }
        self.put(None, status);
    }

    /// Draws the sum: whether the workflow waits, goes on or has ended, and how.
    pub(super) fn settle(&mut self, now: &str) {
        if self.finished() {
            return;
        }
        let steps = self.steps;
        for step in steps.iter().filter(|step| step["type"] == "step-group") {
            self.close_group(object::text(step, "/name"), step, now);
        }
        let suspending = all_statuses(&self.status).any(|step| step["phase"] == "suspending");
        let done = steps.iter().all(|step| self.status_of(object::text(step, "/name")).is_some_and(finished));
        let failed: Vec<&Value> = all_statuses(&self.status)
            .filter(|step| step["phase"] == "failed" && step["type"] != "step-group")
            .collect();
        let by_hand = failed.iter().all(|step| step["reason"] == "Terminate");
        let status = match (done, failed.is_empty()) {
            (true, true) if object::flag(&self.status, "/terminated") => "terminated",
            (true, true) => "succeeded",
            (true, false) if by_hand => "terminated",
            (true, false) => "failed",
            (false, _) if suspending || self.held() => "suspending",
            (false, _) => "executing",
        };
        let suspend = status == "suspending";
        self.status["status"] = json!(status);
        self.status["suspend"] = json!(suspend);
        if done {
            self.status["finished"] = json!(true);
            self.status["endTime"] = json!(now);
        }
    }
}

/// The phase that an application has while its workflow stands so; `None` once it has succeeded, when health
/// decides.
pub(super) fn application_phase(workflow: &Value) -> Option<&'static str> {
    match object::text(workflow, "/status") {
        "succeeded" => None,
        "suspending" => Some("workflowSuspending"),
        "terminated" => Some("workflowTerminated"),
        "failed" => Some("workflowFailed"),
        _ => Some("runningWorkflow"),
    }
}

/// Whether a step will not be executed again.
fn finished(status: &Value) -> bool {
    match object::text(status, "/phase") {
        "succeeded" | "skipped" => true,
        "failed" => status["reason"] != "Execute",
        _ => false,
    }
}

/// Every step and sub-step that the status holds.
pub(super) fn all_statuses(workflow: &Value) -> impl Iterator<Item = &Value> {
    object::list(workflow, "/steps")
        .iter()
        .flat_map(|step| std::iter::once(step).chain(object::list(step, "/subSteps")))
}

#[cfg(test)]
mod tests;
