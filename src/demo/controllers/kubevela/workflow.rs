//! The workflow of an application, step by step, as a function of its status: which steps are due, and what the
//! status says after each.
//!
//! Nothing here reads a clock or a cluster. The caller executes what is [due](Workflow::due), tells the
//! [`Outcome`] of each, and asks again until nothing is due any more.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::expression;
use crate::demo::controllers::naming;
use crate::demo::controllers::object;

/// What came of executing a step.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Outcome {
    /// Done; what `output` is to its `outputs`.
    Succeeded(Value),
    /// Not yet, and why.
    Waiting(String),
    /// It waits for a person, or for its time.
    Suspended,
    /// It went wrong and will be tried again.
    Failed(String),
    /// It went wrong for good: the reason (`FailedAfterRetries`, `Timeout`, `Output`) and the message.
    Ended(&'static str, String),
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
}

/// A workflow under way.
#[derive(Debug, Clone)]
pub(super) struct Workflow<'a> {
    steps: &'a [Value],
    /// `status.workflow`.
    pub(super) status: Value,
    /// What expressions find as `context`.
    context: Value,
    /// What steps have handed on, by name.
    pub(super) vars: Map<String, Value>,
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
    pub(super) fn new(steps: &'a [Value], status: Value, context: Value, vars: Map<String, Value>) -> Self {
        Self { steps, status, context, vars }
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

    /// The steps to execute now, without those of `executed`. Steps that cannot run are marked skipped or pending.
    pub(super) fn due(&mut self, executed: &HashSet<String>, now: &str) -> Vec<Due> {
        if self.finished() { Vec::new() } else { self.walk(None, self.steps, executed, now) }
    }

    /// The steps due among those of the workflow, or of a group.
    fn walk(&mut self, group: Option<&Value>, steps: &[Value], executed: &HashSet<String>, now: &str) -> Vec<Due> {
        let mode = object::text(&self.status, "/mode");
        let in_turn = match group {
            None => !mode.starts_with("DAG"),
            Some(group) => group["mode"].as_str().map_or(mode.ends_with("-StepByStep"), |own| own == "StepByStep"),
        };
        let gone = group.is_some_and(|group| self.phase(object::text(group, "/name")) == "skipped");
        let mut broken = false;
        let mut due = Vec::new();
        for step in steps {
            let (name, subs) = (object::text(step, "/name"), object::list(step, "/subSteps"));
            if !self.done(name) {
                if let Some(what) = self.awaited(step).filter(|_| !gone) {
                    // Side by side, it shows only once something else has run.
                    if in_turn || !executed.is_empty() {
                        self.note(step, "pending", "", &what, now);
                    }
                    if in_turn {
                        break;
                    }
                    continue;
                }
                let stopped = gone || if in_turn { broken } else { self.unmet(step, 0) };
                match self.wanted(step, gone, stopped) {
                    Ok(true) if step["type"] == "step-group" => {
                        if self.phase(name).is_empty() {
                            self.note(step, "running", "", "", now);
                        }
                        due.extend(self.walk(Some(step), subs, executed, now));
                        self.close_group(step);
                    }
                    Ok(true) if executed.contains(name) => {}
                    Ok(true) => due.push(self.due_step(name, step)),
                    not => {
                        let why = not.err().map(|why| format!("pre check error: invalid if value: if: {why}"));
                        self.note(step, "skipped", "Skip", &why.unwrap_or_default(), now);
                        self.walk(Some(step), subs, executed, now);
                    }
                }
                if in_turn && !self.done(name) {
                    break;
                }
            }
            broken |= !matches!(self.phase(name), "succeeded" | "skipped");
        }
        due
    }

    /// What a step waits for before it begins, in KubeVela's words.
    fn awaited(&self, step: &Value) -> Option<String> {
        let on = object::list(step, "/dependsOn").iter().filter_map(Value::as_str).find(|name| !self.done(name));
        if let Some(name) = on {
            return Some(format!("Pending on DependsOn: {name}"));
        }
        let inputs = object::list(step, "/inputs").iter().map(|input| object::text(input, "/from"));
        let missing = inputs.into_iter().find(|from| self.input(step, from).is_none())?;
        Some(format!("Pending on Input: {missing}"))
    }

    /// Whether a step's dependencies went wrong: the first that did not succeed decides, or what it depends on.
    fn unmet(&self, step: &Value, depth: usize) -> bool {
        object::list(step, "/dependsOn").iter().filter_map(Value::as_str).any(|name| match self.phase(name) {
            "succeeded" => depth < 100 && self.written(name).is_some_and(|step| self.unmet(step, depth + 1)),
            phase => phase != "skipped",
        })
    }

    /// Whether a step shall run: by its `if`, or, without one, while nothing before it went wrong.
    fn wanted(&self, step: &Value, gone: bool, stopped: bool) -> Result<bool, String> {
        match object::text(step, "/if") {
            _ if gone => Ok(false),
            "" => Ok(!stopped),
            "always" => Ok(true),
            condition => expression::holds(condition, &self.scope(step)),
        }
    }

    /// What an expression of a step may speak of.
    fn scope(&self, step: &Value) -> Value {
        let status: Map<String, Value> = all_statuses(&self.status)
            .map(|one| {
                let mut one = one.clone();
                for phase in ["failed", "succeeded", "skipped"] {
                    one[phase] = json!(one["phase"] == phase);
                }
                for (key, reason) in
                    [("timeout", "Timeout"), ("failedAfterRetries", "FailedAfterRetries"), ("terminate", "Terminate")]
                {
                    one[key] = json!(one["reason"] == reason);
                }
                (object::text(&one, "/name").to_owned(), one)
            })
            .collect();
        let inputs: Map<String, Value> = object::list(step, "/inputs")
            .iter()
            .map(|input| object::text(input, "/from"))
            .filter_map(|from| Some((from.to_owned(), self.input(step, from)?)))
            .collect();
        let mut context = self.context.clone();
        context["stepName"] = step["name"].clone();
        json!({"status": status, "context": context, "inputs": inputs, "parameter": step["properties"]})
    }

    /// What a step takes in: what an earlier one handed on, or something of the context.
    fn input(&self, step: &Value, from: &str) -> Option<Value> {
        let known = json!({"context": self.context, "parameter": step["properties"]});
        let vars = Value::Object(self.vars.clone());
        expression::value(from, &vars).or_else(|_| expression::value(from, &known)).ok()
    }

    fn due_step(&self, name: &str, step: &Value) -> Due {
        let known = self.status_of(name);
        let resumed = known.is_some_and(|status| status["reason"] == "Suspend" && status["phase"] == "running");
        let id = known.map_or_else(|| self.new_id(name), |status| object::text(status, "/id").to_owned());
        Due { name: name.to_owned(), id, step: step.clone(), resumed }
    }

    fn new_id(&self, name: &str) -> String {
        let seed = format!("{}{}{name}", self.status["appRevision"], self.status["startTime"]);
        naming::suffix(&seed, 10)
    }

    fn status_of(&self, name: &str) -> Option<&Value> {
        all_statuses(&self.status).find(|status| status["name"] == name)
    }

    fn phase(&self, name: &str) -> &str {
        self.status_of(name).map_or("", |status| object::text(status, "/phase"))
    }

    fn done(&self, name: &str) -> bool {
        self.status_of(name).is_some_and(finished)
    }

    /// A step or sub-step as it is written.
    fn written(&self, name: &str) -> Option<&'a Value> {
        let subs = self.steps.iter().flat_map(|step| object::list(step, "/subSteps"));
        self.steps.iter().chain(subs).find(|step| step["name"] == name)
    }

    /// Writes down what came of a step.
    pub(super) fn record(&mut self, due: &Due, outcome: Outcome, now: &str) {
        let step = &due.step;
        let outcome = match outcome {
            Outcome::Succeeded(output) => match self.hand_on(step, &output) {
                Ok(()) => Outcome::Succeeded(Value::Null),
                Err(why) => Outcome::Ended("Output", why),
            },
            other => other,
        };
        match &outcome {
            Outcome::Succeeded(_) => self.note(step, "succeeded", "", "", now),
            Outcome::Waiting(message) => self.note(step, "running", "Wait", message, now),
            Outcome::Suspended => self.note(step, "suspending", "Suspend", "Suspended by field suspend", now),
            Outcome::Failed(message) => self.note(step, "failed", "Execute", message, now),
            Outcome::Ended(reason, message) => {
                self.note(step, "failed", reason, message, now);
                self.status["terminated"] = json!(true);
            }
        }
    }

    /// Keeps a step's outputs for the steps after it.
    fn hand_on(&mut self, step: &Value, output: &Value) -> Result<(), String> {
        for out in object::list(step, "/outputs") {
            let mut scope = self.scope(step);
            scope["output"] = output.clone();
            let value = expression::value(object::text(out, "/valueFrom"), &scope)?;
            self.vars.insert(object::text(out, "/name").to_owned(), value);
        }
        Ok(())
    }

    /// Writes a step's status, and makes it where there is none.
    fn note(&mut self, step: &Value, phase: &str, reason: &str, message: &str, now: &str) {
        let name = object::text(step, "/name");
        let mut status = self.status_of(name).cloned().unwrap_or_else(
            || json!({"firstExecuteTime": now, "id": self.new_id(name), "name": name, "type": step["type"]}),
        );
        // A step that only stands there is not executed again.
        if status["phase"] != phase || !matches!(phase, "suspending" | "pending") {
            status["lastExecuteTime"] = json!(now);
        }
        status["phase"] = json!(phase);
        for (key, value) in [("reason", reason), ("message", message)] {
            if !value.is_empty() {
                status[key] = json!(value);
            } else if reason != "Timeout" {
                object::unset(&mut status, &[key]);
            }
        }
        let group =
            self.steps.iter().find(|group| object::list(group, "/subSteps").iter().any(|sub| sub["name"] == name));
        let mut list = &mut self.status["steps"];
        if let Some(group) = group {
            let at = list.as_array_mut().into_iter().flatten().find(|one| one["name"] == group["name"]);
            let Some(found) = at else { return };
            list = &mut found["subSteps"];
        }
        if !list.is_array() {
            *list = json!([]);
        }
        let Some(all) = list.as_array_mut() else { return };
        match all.iter_mut().find(|one| one["name"] == name) {
            Some(old) => *old = status,
            None => all.push(status),
        }
    }

    /// Gives a group the phase that its sub-steps make up, worst first.
    fn close_group(&mut self, step: &Value) {
        let Some(status) = self.status_of(object::text(step, "/name")) else {
            return;
        };
        let subs = object::list(status, "/subSteps");
        let any = |phase: &str| subs.iter().any(|sub| sub["phase"] == phase);
        let all = |phase: &str| !subs.is_empty() && subs.iter().all(|sub| sub["phase"] == phase);
        let started = subs.len() == object::list(step, "/subSteps").len();
        let retrying = subs.iter().any(|sub| sub["phase"] == "failed" && sub["reason"] == "Execute");
        let (phase, reason) = if status["phase"] == "skipped" {
            ("skipped", Some("Skip"))
        } else if any("suspending") {
            ("suspending", None)
        } else if !started || any("running") || any("pending") || retrying {
            ("running", None)
        } else if any("failed") {
            let worst = ["FailedAfterRetries", "Timeout", "Action", "Terminate"];
            ("failed", worst.into_iter().find(|reason| subs.iter().any(|sub| sub["reason"] == *reason)))
        } else if all("skipped") {
            ("skipped", None)
        } else {
            ("succeeded", None)
        };
        let last = subs.iter().map(|sub| object::text(sub, "/lastExecuteTime")).max().map(ToOwned::to_owned);
        let message = object::text(status, "/message").to_owned();
        let last = last.unwrap_or_else(|| object::text(status, "/lastExecuteTime").to_owned());
        self.note(step, phase, reason.unwrap_or_default(), &message, &last);
    }

    /// Draws the sum: whether the workflow waits, goes on or has ended, and how.
    pub(super) fn settle(&mut self, now: &str) {
        if self.finished() {
            return;
        }
        let steps = self.steps;
        for step in steps.iter().filter(|step| step["type"] == "step-group") {
            self.close_group(step);
        }
        let suspending = all_statuses(&self.status).any(|step| step["phase"] == "suspending");
        let done = steps.iter().all(|step| self.done(object::text(step, "/name")));
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
        self.status["status"] = json!(status);
        self.status["suspend"] = json!(status == "suspending");
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
