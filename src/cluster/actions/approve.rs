//! The patch that resumes a workflow, and the reasons not to send it. Pure: an object in, a patch or a sentence out.
//!
//! KubeVela ≥ 1.8 shows a waiting step as `suspending`, and resuming writes `running`; 1.5–1.7 show a suspend step as
//! `running`, and resuming writes `succeeded`; 1.4 shows it as `succeeded`, and only the flag is written, as it is for a
//! workflow that was suspended with no step waiting. Steps are round-tripped as they are: an unknown field survives.

use jiff::{Timestamp, Zoned, tz::TimeZone};
use serde_json::{Value, json};

use crate::model::{
    action::{Approval, StepRef},
    application::Change,
    text::printable,
};

/// What the controller calls itself in `managedFields`.
const CONTROLLERS: [&str; 3] = ["kubevela", "vela-core", "kubevela-vela-core"];

/// What is written into a step to resume it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Resume {
    /// ≥ 1.8.
    Running,
    /// 1.5–1.7.
    Succeeded,
    /// Nothing: the flag alone resumes it.
    Flag,
}

/// The merge patch for `/status`, or why it is not to be sent.
pub(super) fn patch(app: &Value, approval: &Approval) -> Result<Value, String> {
    let name = &approval.app;
    let text = |pointer: &str| app.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    if text("/metadata/uid") != &*approval.uid {
        return Err(format!("{name} was deleted and made anew: nothing was written"));
    }
    if !text("/metadata/deletionTimestamp").is_empty() {
        return Err(format!("{name} is being deleted: nothing was written"));
    }
    let generation = app.pointer("/metadata/generation").and_then(Value::as_i64).unwrap_or_default();
    if generation != approval.generation {
        return Err(format!(
            "the spec of {name} was changed (generation {generation}, {} was on screen){}: nothing was written",
            approval.generation,
            by(newest_writer(app, None).as_ref())
        ));
    }
    let Some(workflow) = app.pointer("/status/workflow").filter(|workflow| workflow.is_object()) else {
        return Err(format!("the workflow of {name} has been restarted: nothing was written"));
    };
    let flag = |key: &str| workflow.get(key).and_then(Value::as_bool).unwrap_or_default();
    let revision = workflow.get("appRevision").and_then(Value::as_str).unwrap_or_default();
    if revision != &*approval.app_revision {
        return Err(format!(
            "the workflow of {name} runs for {} now, {} was on screen: nothing was written",
            printable(revision),
            approval.app_revision
        ));
    }
    let writer = last_status_writer(app);
    if flag("terminated") {
        return Err(format!("the workflow of {name} was terminated{}: nothing was written", by(writer.as_ref())));
    }
    if flag("finished") {
        return Err(format!("the workflow of {name} is finished already{}", by(writer.as_ref())));
    }
    if !flag("suspend") {
        return Err(format!("{name} was already approved{}: nothing was written", by(writer.as_ref())));
    }
    let mut steps = workflow.get("steps").cloned().unwrap_or_else(|| json!([]));
    let wanted: Vec<&StepRef> =
        approval.steps.iter().filter(|step| !step.id.is_empty() || !step.name.is_empty()).collect();
    let any_suspending = leaves(&steps).any(|step| phase(step) == "suspending");
    // KubeVela ≤ 1.5 does not write it.
    let legacy = workflow.get("status").is_none();
    if wanted.is_empty()
        && let Some(step) = leaves(&steps).find(|step| phase(step) == "suspending")
    {
        let step = step.get("name").and_then(Value::as_str).unwrap_or_default();
        return Err(format!("{name} waits at step {} now: nothing was written, look again", printable(step)));
    }
    for wanted in wanted {
        let Some(step) = find(&mut steps, wanted) else {
            return Err(format!("step {} of {name} is not there any more: nothing was written", wanted.name));
        };
        let Some(resume) = resume_of(step, any_suspending, legacy) else {
            return Err(format!(
                "step {} of {name} does not wait any more, it is {}{}: nothing was written",
                wanted.name,
                printable(phase(step)),
                by(writer.as_ref())
            ));
        };
        apply(step, resume);
    }
    let mut status = json!({"workflow": {"suspend": false}});
    if steps != *workflow.get("steps").unwrap_or(&Value::Null)
        && let Some(workflow) = status.get_mut("workflow").and_then(Value::as_object_mut)
    {
        workflow.insert("steps".into(), steps);
    }
    Ok(json!({
        "metadata": {"resourceVersion": text("/metadata/resourceVersion")},
        "status": status,
    }))
}

/// The last writer of the status that is not the controller, which writes it all the time.
pub(super) fn last_status_writer(app: &Value) -> Option<Change> {
    newest_writer(app, Some("status"))
}

/// Who wrote the spec last and when, to stand behind a verb; nothing where nobody is known.
pub(super) fn by_spec_writer(app: &Value) -> String {
    by(newest_writer(app, None).as_ref())
}

/// Who wrote the object since it was read as `base` and when, to stand behind a verb; nothing where nobody is known.
///
/// Times are whole seconds, in which two may have written: who is told is one whose entry was not as it is now.
pub(super) fn by_spec_writer_since(base: &Value, object: &Value) -> String {
    let before = managed_fields(base);
    let since = managed_fields(object).iter().filter(|field| !before.contains(field));
    by(newest(since, None).or_else(|| newest_writer(object, None)).as_ref())
}

/// The last writer of the object itself that is not the controller.
pub(super) fn last_spec_writer(app: &Value) -> Option<Change> {
    newest_writer(app, None)
}

fn newest_writer(app: &Value, subresource: Option<&str>) -> Option<Change> {
    newest(managed_fields(app).iter(), subresource)
}

fn managed_fields(object: &Value) -> &[Value] {
    object.pointer("/metadata/managedFields").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn newest<'a>(fields: impl Iterator<Item = &'a Value>, subresource: Option<&str>) -> Option<Change> {
    let text = |field: &Value, key: &str| field.get(key).and_then(Value::as_str).map(str::to_owned);
    fields
        .filter(|field| text(field, "subresource").as_deref() == subresource)
        .filter_map(|field| {
            let manager = text(field, "manager").filter(|manager| !CONTROLLERS.contains(&manager.as_str()))?;
            let at = text(field, "time").and_then(|time| time.parse::<Timestamp>().ok());
            Some(Change { manager: manager.into(), at })
        })
        .max_by_key(|change| change.at)
}

/// " by vela at 10:41:07", in local time; nothing where nobody is known.
fn by(change: Option<&Change>) -> String {
    let Some(change) = change else { return String::new() };
    let at = change
        .at
        .map_or_else(String::new, |at| Zoned::new(at, TimeZone::system()).strftime(" at %H:%M:%S").to_string());
    format!(" by {}{at}", printable(&change.manager))
}

fn phase(step: &Value) -> &str {
    step.get("phase").and_then(Value::as_str).unwrap_or_default()
}

/// Every step and sub-step.
fn leaves(steps: &Value) -> impl Iterator<Item = &Value> {
    steps.as_array().into_iter().flatten().flat_map(|step| {
        let subs = step.get("subSteps").and_then(Value::as_array).into_iter().flatten();
        std::iter::once(step).chain(subs)
    })
}

fn find<'a>(steps: &'a mut Value, wanted: &StepRef) -> Option<&'a mut Value> {
    let is_it = |step: &Value| {
        let text = |key: &str| step.get(key).and_then(Value::as_str).unwrap_or_default();
        text("name") == &*wanted.name && text("id") == &*wanted.id
    };
    for step in steps.as_array_mut()? {
        if is_it(step) {
            return Some(step);
        }
        let subs = step.get_mut("subSteps").and_then(Value::as_array_mut);
        if let Some(sub) = subs.into_iter().flatten().find(|sub| is_it(sub)) {
            return Some(sub);
        }
    }
    None
}

/// How a step of a suspended workflow is resumed; none if it does not wait.
fn resume_of(step: &Value, any_suspending: bool, legacy: bool) -> Option<Resume> {
    let text = |key: &str| step.get(key).and_then(Value::as_str).unwrap_or_default();
    match text("phase") {
        "suspending" => Some(Resume::Running),
        // Failed as often as it may, with a controller that suspends then: resuming tries it again.
        "failed" if text("reason") == "FailedAfterRetries" => Some(Resume::Flag),
        _ if any_suspending => None,
        "running" if text("type") == "suspend" => Some(Resume::Succeeded),
        "succeeded" if text("reason") == "Suspend" || (legacy && text("type") == "suspend") => Some(Resume::Flag),
        _ => None,
    }
}

fn apply(step: &mut Value, resume: Resume) {
    let word = match resume {
        Resume::Running => "running",
        Resume::Succeeded => "succeeded",
        Resume::Flag => return,
    };
    // A group goes on with all of its sub-steps that wait; a sub-step leaves its group as it is.
    let subs = step.get_mut("subSteps").and_then(Value::as_array_mut);
    for sub in subs.into_iter().flatten().filter(|sub| phase(sub) == "suspending") {
        apply(sub, resume);
    }
    if let Some(phase) = step.get_mut("phase") {
        *phase = Value::String(word.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::key::AppKey;

    fn suspended() -> Value {
        json!({
            "metadata": {
                "name": "web-hello", "namespace": "default", "uid": "u1", "generation": 1, "resourceVersion": "2276",
                "managedFields": [
                    {"manager": "kubevela", "subresource": "status", "time": "2026-11-23T10:41:09Z"},
                    {"manager": "vela", "subresource": "status", "time": "2026-11-23T10:41:07Z"},
                ],
            },
            "status": {"workflow": {
                "appRevision": "web-hello-v1", "suspend": true, "status": "suspending",
                "steps": [
                    {"id": "y6", "name": "deploy2local", "phase": "succeeded", "type": "deploy"},
                    {"id": "59", "name": "manual-approval", "phase": "suspending", "reason": "Suspend",
                     "type": "suspend", "unheardOf": {"kept": [1, 2]}},
                ],
            }},
        })
    }

    fn approval() -> Approval {
        Approval {
            app: AppKey::new("default", "web-hello"),
            uid: "u1".into(),
            generation: 1,
            app_revision: "web-hello-v1".into(),
            resource_version: "2276".into(),
            steps: vec![StepRef { id: "59".into(), name: "manual-approval".into() }],
            clusters: Vec::new(),
        }
    }

    fn with(pointer: &str, value: Value) -> Value {
        let mut app = suspended();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        app.pointer_mut(parent).unwrap().as_object_mut().unwrap().insert(key.into(), value);
        app
    }

    #[test]
    fn the_patch_is_the_smallest_that_kubevela_takes() {
        let patch = patch(&suspended(), &approval()).unwrap();
        assert_eq!(
            patch,
            json!({
                "metadata": {"resourceVersion": "2276"},
                "status": {"workflow": {"suspend": false, "steps": [
                    {"id": "y6", "name": "deploy2local", "phase": "succeeded", "type": "deploy"},
                    {"id": "59", "name": "manual-approval", "phase": "running", "reason": "Suspend",
                     "type": "suspend", "unheardOf": {"kept": [1, 2]}},
                ]}},
            })
        );
    }

    #[test]
    fn what_was_on_screen_is_held_against_the_fresh_read() {
        for (pointer, value, word) in [
            ("/metadata/uid", json!("u2"), "made anew"),
            ("/metadata/deletionTimestamp", json!("2026-11-23T10:41:07Z"), "being deleted"),
            ("/metadata/generation", json!(2), "spec"),
            ("/status/workflow", Value::Null, "restarted"),
            ("/status/workflow/appRevision", json!("web-hello-v2"), "web-hello-v2"),
            ("/status/workflow/terminated", json!(true), "terminated by vela"),
            ("/status/workflow/finished", json!(true), "finished"),
            ("/status/workflow/suspend", json!(false), "already approved by vela at "),
            ("/status/workflow/steps", json!([]), "not there any more"),
            ("/status/workflow/steps/1/phase", json!("pending"), "does not wait any more, it is pending by vela"),
            ("/status/workflow/steps/1/id", json!("other"), "not there any more"),
        ] {
            let message = patch(&with(pointer, value), &approval()).unwrap_err();
            assert!(message.contains(word), "{pointer}: {message}");
        }
    }

    #[test]
    fn older_kubevela_is_resumed_in_its_own_way() {
        let patch = patch(&with("/status/workflow/steps/1/phase", json!("running")), &approval()).unwrap();
        assert_eq!(patch.pointer("/status/workflow/steps/1/phase"), Some(&json!("succeeded")));
        let mut app = with("/status/workflow/steps/1/phase", json!("succeeded"));
        app.pointer_mut("/status/workflow").unwrap().as_object_mut().unwrap().remove("status");
        assert_eq!(
            super::patch(&app, &approval()).unwrap().pointer("/status/workflow"),
            Some(&json!({"suspend": false}))
        );
    }

    #[test]
    fn one_of_several_that_wait_leaves_the_others() {
        let steps = json!([
            {"id": "g", "name": "group", "phase": "suspending", "type": "step-group", "subSteps": [
                {"id": "a", "name": "a", "phase": "suspending", "type": "suspend"},
                {"id": "b", "name": "b", "phase": "suspending", "type": "suspend"},
                {"id": "c", "name": "c", "phase": "pending", "type": "deploy"},
            ]},
        ]);
        let app = with("/status/workflow/steps", steps);
        let phases = |step: &str| {
            let steps = vec![StepRef { id: step.into(), name: if step == "g" { "group".into() } else { step.into() } }];
            let patch = patch(&app, &Approval { steps, ..approval() }).unwrap();
            let steps = patch.pointer("/status/workflow/steps").unwrap().clone();
            leaves(&steps).map(|step| phase(step).to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(phases("a"), ["suspending", "running", "suspending", "pending"]);
        assert_eq!(phases("g"), ["running", "running", "running", "pending"]);
    }

    #[test]
    fn a_workflow_suspended_by_hand_is_resumed_by_its_flag() {
        let app = with("/status/workflow/steps", json!([{"id": "y6", "name": "deploy2local", "phase": "succeeded"}]));
        let by_hand = Approval { steps: Vec::new(), ..approval() };
        assert_eq!(patch(&app, &by_hand).unwrap().pointer("/status/workflow"), Some(&json!({"suspend": false})));
        assert!(patch(&suspended(), &by_hand).unwrap_err().contains("waits at step manual-approval now"));
    }
}
