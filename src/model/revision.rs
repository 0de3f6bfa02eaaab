//! Revisions of an application: what it said each time it said something new.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use super::{
    effective::{External, policy_name},
    health::Health,
    key::Text,
};

/// One ApplicationRevision.
#[derive(Clone, Debug, PartialEq)]
pub struct Revision {
    /// `metadata.name`, for instance `helm-hello-v3`.
    pub name: Text,
    /// The number at its end; 0 where there is none.
    pub number: u64,
    /// `metadata.creationTimestamp`.
    pub created_at: Option<Timestamp>,
    /// Who said it, as far as the cluster knows: the annotation `app.oam.dev/username` (where KubeVela authenticates),
    /// else, of the current revision alone, the application's own managed fields.
    pub by: Option<Text>,
    /// The annotation `app.oam.dev/publishVersion`.
    pub publish_version: Option<Text>,
    /// How its workflow ended, or stands.
    pub outcome: Outcome,
    /// The workflow's own message.
    pub message: Text,
    /// Whether it is the application's current one (`status.latestRevision`).
    pub is_current: bool,
    /// What it changed against the one before, in a few words.
    pub changed: Text,
}

/// How a revision's workflow ended, or stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It has been delivered.
    Succeeded,
    /// It failed.
    Failed,
    /// It was ended by a person, or by a later revision.
    Terminated,
    /// It waits: for a person, or for a time.
    Suspended,
    /// It is under way.
    Running,
    /// Nothing is written down: it never ran, or the KubeVela that ran it writes nothing.
    Unknown,
}

impl Outcome {
    /// One word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Terminated => "terminated",
            Self::Suspended => "suspended",
            Self::Running => "running",
            Self::Unknown => "unknown",
        }
    }

    /// The class that marks it.
    pub fn health(self) -> Health {
        match self {
            Self::Succeeded => Health::Ok,
            Self::Failed => Health::Failed,
            Self::Terminated => Health::Gone,
            Self::Suspended => Health::Waiting,
            Self::Running => Health::Progressing,
            Self::Unknown => Health::Unknown,
        }
    }

    /// Reads a revision's `status`, or an application's: `succeeded`, and `workflow` in the forms of all KubeVelas. Before
    /// 1.6 that has no `status`, and its flags say it.
    pub fn of(status: &Value) -> Self {
        if status["succeeded"] == true {
            return Self::Succeeded;
        }
        let workflow = &status["workflow"];
        let is = |flag: &str| workflow[flag] == true;
        match workflow["status"].as_str().unwrap_or_default() {
            "succeeded" => Self::Succeeded,
            "failed" => Self::Failed,
            "terminated" => Self::Terminated,
            "suspending" => Self::Suspended,
            "initializing" | "executing" => Self::Running,
            _ if is("terminated") => Self::Terminated,
            _ if is("suspend") => Self::Suspended,
            _ if is("finished") => {
                let steps = workflow["steps"].as_array().map(Vec::as_slice).unwrap_or_default();
                if steps.iter().any(|step| step["phase"] == "failed") { Self::Failed } else { Self::Succeeded }
            }
            _ if workflow.is_object() => Self::Running,
            _ => Self::Unknown,
        }
    }
}

/// What an application said, unpacked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Content {
    /// The Application's `spec`.
    pub spec: Value,
    /// Policy objects that it speaks of, by name.
    pub policies: External,
    /// The Workflow object that it refers to; null where it refers to none.
    pub workflow: Value,
}

impl Content {
    /// Its policies, its own and those outside, by name and in order: own first.
    pub fn all_policies(&self) -> Vec<(String, &Value)> {
        let own = self.spec["policies"].as_array().map(Vec::as_slice).unwrap_or_default();
        let own = own.iter().enumerate().map(|(at, policy)| (policy_name(policy, at), policy));
        own.chain(self.policies.iter().map(|(name, policy)| (name.clone(), policy))).collect()
    }
}

/// What changed from one to the other, in a few words: the names of components and policies, and `workflow`.
pub fn changed(before: &Content, after: &Content) -> String {
    let mut words = Vec::new();
    let components = |content: &Content| -> BTreeMap<String, Value> {
        let all = content.spec["components"].as_array().map(Vec::as_slice).unwrap_or_default();
        all.iter().map(|one| (one["name"].as_str().unwrap_or_default().to_owned(), one.clone())).collect()
    };
    let policies = |content: &Content| -> BTreeMap<String, Value> {
        content.all_policies().into_iter().map(|(name, policy)| (name, policy.clone())).collect()
    };
    tell(&mut words, &components(before), &components(after));
    tell(&mut words, &policies(before), &policies(after));
    let workflow = |content: &Content| (content.spec["workflow"].clone(), content.workflow.clone());
    if workflow(before) != workflow(after) {
        words.push("workflow".to_owned());
    }
    if words.is_empty() && before.spec != after.spec {
        words.push("spec".to_owned());
    }
    if words.is_empty() { "nothing".to_owned() } else { words.join(", ") }
}

fn tell(words: &mut Vec<String>, before: &BTreeMap<String, Value>, after: &BTreeMap<String, Value>) {
    for (name, value) in after {
        match before.get(name) {
            None => words.push(format!("+{name}")),
            Some(old) if old != value => words.push(name.clone()),
            Some(_) => {}
        }
    }
    words.extend(before.keys().filter(|name| !after.contains_key(*name)).map(|name| format!("-{name}")));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_outcome_is_read_in_the_forms_of_all_kubevelas() {
        for (status, wanted) in [
            (json!({"succeeded": true}), Outcome::Succeeded),
            (json!({"succeeded": false, "workflow": {"status": "failed", "finished": true}}), Outcome::Failed),
            (json!({"workflow": {"status": "suspending", "suspend": true}}), Outcome::Suspended),
            (json!({"workflow": {"status": "executing", "mode": "DAG"}}), Outcome::Running),
            // Before 1.6 there is no word.
            (json!({"workflow": {"mode": "StepByStep", "finished": true, "terminated": true}}), Outcome::Terminated),
            (json!({"workflow": {"mode": "DAG", "finished": true, "suspend": false}}), Outcome::Succeeded),
            (json!({"workflow": {"finished": true, "steps": [{"phase": "failed"}]}}), Outcome::Failed),
            (json!({"workflow": {"suspend": true, "finished": false}}), Outcome::Suspended),
            (json!({"workflow": {"suspend": false, "finished": false}}), Outcome::Running),
            (json!({"workflow": "odd"}), Outcome::Unknown),
            (json!({"succeeded": false}), Outcome::Unknown),
            (Value::Null, Outcome::Unknown),
        ] {
            assert_eq!(Outcome::of(&status), wanted, "{status}");
        }
    }

    #[test]
    fn what_changed_is_told_by_name() {
        let content = |spec: Value| Content { spec, ..Content::default() };
        let base = json!({
            "components": [{"name": "hello", "properties": {"a": 1}}, {"name": "web"}],
            "policies": [{"name": "override-foo", "type": "override"}, {"type": "topology"}],
        });
        let mut after = base.clone();
        after["components"][0]["properties"]["a"] = json!(2);
        after["components"][1]["name"] = json!("api");
        after["policies"][1]["properties"] = json!({"clusters": ["foo"]});
        after["workflow"] = json!({"steps": []});
        assert_eq!(
            changed(&content(base.clone()), &content(after)),
            "+api, hello, -web, topology-auto-gen-1, workflow"
        );
        assert_eq!(changed(&content(base.clone()), &content(base.clone())), "nothing");
        let outside =
            Content { spec: base.clone(), policies: [("p".to_owned(), json!({}))].into(), ..Content::default() };
        assert_eq!(changed(&content(base), &outside), "+p");
    }
}
