//! What an application's spec comes to before anything is done: its steps, its policies, and those of other objects
//! among them.

use serde_json::{Value, json};

use super::{placement, render};
use crate::demo::controllers::api::{self, Cluster};
use crate::demo::controllers::object::{self, Object};

/// What is to be done.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) steps: Vec<Value>,
    /// How the steps run, and how those of groups do: `StepByStep-DAG`.
    pub(super) mode: String,
    pub(super) policies: Vec<Value>,
    /// The Policies and the Workflow that are objects of their own, as a revision keeps them.
    pub(super) others: Value,
}

impl Plan {
    /// Whether steps hand something on.
    pub(super) fn hands_on(&self) -> bool {
        let subs = self.steps.iter().flat_map(|step| object::list(step, "/subSteps"));
        self.steps.iter().chain(subs).any(|step| !step["inputs"].is_null() || !step["outputs"].is_null())
    }
}

/// Reads a spec; the inner error is what KubeVela cannot parse of it, in its words.
pub(super) async fn read(hub: &Cluster, application: &Object, spec: &Value) -> kube::Result<Result<Plan, String>> {
    let space = object::namespace(application);
    for component in object::list(spec, "/components") {
        let (name, kind) = (object::text(component, "/name"), object::text(component, "/type"));
        if !render::knows(kind) {
            return Ok(Err(format!(
                "failed to parseComponents: fetch component/policy type of {name}: load template from component \
                 definition [{kind}]: WorkloadDefinition.core.oam.dev \"{kind}\" not found"
            )));
        }
    }
    let mut others = json!({});
    let (mut steps, mut mode) = placement::steps(spec);
    let mut modes = spec["workflow"]["mode"].clone();
    let reference = object::text(spec, "/workflow/ref");
    if !reference.is_empty() {
        let Some(workflow) = hub.get(&api::WORKFLOW, space, reference).await? else {
            return Ok(Err(format!(
                "failed to parseWorkflowSteps: failed to get referred workflow {reference}: \
                 workflows.core.oam.dev \"{reference}\" not found"
            )));
        };
        steps = object::list(&workflow, "/steps").to_vec();
        mode = "StepByStep";
        modes = workflow["mode"].clone();
        others["workflow"] = said(&workflow);
    }
    let mode = modes["steps"].as_str().unwrap_or(mode);
    let mode = format!("{mode}-{}", modes["subSteps"].as_str().unwrap_or("DAG"));

    let mut policies = object::list(spec, "/policies").to_vec();
    let named = steps.iter().flat_map(|step| object::list(step, "/properties/policies")).filter_map(Value::as_str);
    for name in named {
        if policies.iter().any(|policy| policy["name"] == name) {
            continue;
        }
        let Some(mut policy) = hub.get(&api::POLICY, space, name).await? else {
            return Ok(Err(format!("failed to parsePolicies: external policy {name} not found")));
        };
        others["policies"][name] = said(&policy);
        policy["name"] = json!(name);
        policies.push(policy);
    }
    Ok(Ok(Plan { steps, mode, policies, others }))
}

/// An object without what changes by itself.
fn said(object: &Object) -> Value {
    let mut said = object.clone();
    said["metadata"] = json!({"name": object::name(object), "namespace": object::namespace(object)});
    said
}
