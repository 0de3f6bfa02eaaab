//! What reaches each target: KubeVela's own merge of override policies into an application's components.
//!
//! Pure, and exact to the letter of `PatchComponents` (`pkg/policy/envbinding/patch.go`) and of the merge it stands on
//! (mergo with override): maps go together at every depth, everything else is replaced; a name is a regular expression
//! that may match anywhere, `*` meaning anything; what matches nothing is added. Overrides are taken in the order in
//! which a deploy step lists them, and every step begins anew from the application's own components.
//!
//! What is merged are components' properties. What a definition makes of them, its defaults, and values passed between
//! steps are not known here.

use std::collections::BTreeMap;

use regex::Regex;
use serde_json::{Map, Value};

use super::{
    application::{Placement, Target},
    key::{ClusterId, Text},
};

/// What one step of the workflow sends, and where to.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivery {
    /// The step's name.
    pub step: Text,
    /// Where it goes, in the order of its topologies, none twice. Empty where a topology names no cluster.
    pub targets: Vec<Target>,
    /// The override policies it applies, in their order.
    pub overrides: Vec<Text>,
    /// Components as they are sent: `{name, type, properties, traits, …}`.
    pub components: Vec<Value>,
}

/// Policy objects outside the application, by name: `{type, properties}`.
pub type External = BTreeMap<String, Value>;

/// What each step of an application sends, in the order of the workflow; sub-steps in the place of their group.
///
/// `spec` is an Application's; `workflow` the Workflow object that it refers to, where there is one (its `steps` at top
/// level). Where neither has steps, those that KubeVela generates count. Steps of other kinds than `deploy` and
/// `apply-component` send nothing that is known here.
pub fn deliveries(spec: &Value, external: &External, workflow: Option<&Value>) -> Vec<Delivery> {
    let policies = Policies::new(spec, external);
    let components = list(spec, "components");
    let own = list(&spec["workflow"], "steps");
    let steps = if own.is_empty() { workflow.map_or(own, |workflow| list(workflow, "steps")) } else { own };
    let refers = !spec["workflow"]["ref"].is_null();
    if steps.is_empty() {
        return if refers { Vec::new() } else { generated(components, &policies) };
    }
    let mut all = Vec::new();
    for (at, step) in steps.iter().enumerate() {
        let name = named(step, || format!("step-{at}"));
        all.extend(delivery(step, &name, components, &policies));
        for (under, sub) in list(step, "subSteps").iter().enumerate() {
            all.extend(delivery(sub, &named(sub, || format!("{name}-{under}")), components, &policies));
        }
    }
    all
}

fn named(step: &Value, default: impl FnOnce() -> String) -> String {
    step["name"].as_str().filter(|name| !name.is_empty()).map_or_else(default, str::to_owned)
}

fn delivery(step: &Value, name: &str, components: &[Value], policies: &Policies<'_>) -> Option<Delivery> {
    let properties = &step["properties"];
    match step["type"].as_str()? {
        "deploy" => {
            let names: Vec<&str> = list(properties, "policies").iter().filter_map(Value::as_str).collect();
            Some(policies.deploy(name, &names, components))
        }
        "apply-component" => {
            let wanted = properties["component"].as_str()?;
            let place = Placement {
                cluster: ClusterId::named(properties["cluster"].as_str().unwrap_or_default()),
                namespace: properties["namespace"].as_str().unwrap_or_default().into(),
            };
            Some(Delivery {
                step: name.into(),
                targets: vec![Target::Cluster(place)],
                overrides: Vec::new(),
                components: components.iter().filter(|one| one["name"] == wanted).cloned().collect(),
            })
        }
        _ => None,
    }
}

/// The steps that KubeVela makes of a spec without any: a deploy for each topology with all overrides; else one deploy;
/// else one apply-component for each component.
fn generated(components: &[Value], policies: &Policies<'_>) -> Vec<Delivery> {
    let of_kind = |kind: &str| -> Vec<&str> {
        policies.own.iter().filter(|(_, policy)| policy["type"] == kind).map(|(name, _)| name.as_str()).collect()
    };
    let overrides = of_kind("override");
    let topologies = of_kind("topology");
    if !topologies.is_empty() {
        let deploy = |topology: &&str| {
            let names: Vec<&str> = overrides.iter().copied().chain([*topology]).collect();
            policies.deploy(&format!("deploy-{topology}"), &names, components)
        };
        return topologies.iter().map(deploy).collect();
    }
    if !of_kind("env-binding").is_empty() {
        // One step per environment, made by a definition that is not known here.
        return Vec::new();
    }
    if !overrides.is_empty() || components.iter().any(|component| component["type"] == "ref-objects") {
        return vec![policies.deploy("deploy", &overrides, components)];
    }
    let apply = |component: &Value| Delivery {
        step: component["name"].as_str().unwrap_or_default().into(),
        targets: vec![Target::Cluster(hub())],
        overrides: Vec::new(),
        components: vec![component.clone()],
    };
    components.iter().map(apply).collect()
}

fn hub() -> Placement {
    Placement { cluster: ClusterId::local(), namespace: Text::default() }
}

/// The policies that an application may name: its own before those outside.
struct Policies<'v> {
    own: Vec<(String, &'v Value)>,
    external: &'v External,
}

impl<'v> Policies<'v> {
    fn new(spec: &'v Value, external: &'v External) -> Self {
        let policies = list(spec, "policies").iter().enumerate().map(|(at, policy)| (policy_name(policy, at), policy));
        Self { own: policies.collect(), external }
    }

    fn find(&self, name: &str) -> Option<&'v Value> {
        let own = self.own.iter().find(|(own, _)| own == name).map(|(_, policy)| *policy);
        own.or_else(|| self.external.get(name))
    }

    fn deploy(&self, step: &str, names: &[&str], components: &[Value]) -> Delivery {
        let mut delivery =
            Delivery { step: step.into(), targets: Vec::new(), overrides: Vec::new(), components: components.to_vec() };
        let mut has_topology = false;
        for name in names {
            let policy = self.find(name);
            let properties = policy.map_or(&Value::Null, |policy| &policy["properties"]);
            let targets = match policy.map(|policy| policy["type"].as_str().unwrap_or_default()) {
                Some("override") => {
                    delivery.overrides.push((*name).into());
                    let selector = properties["selector"].as_array().map(Vec::as_slice);
                    delivery.components =
                        patch_components(&delivery.components, list(properties, "components"), selector);
                    continue;
                }
                Some("topology") => topology(properties),
                Some(_) => continue,
                None => vec![Target::External((*name).into())],
            };
            has_topology = true;
            for target in targets {
                if !delivery.targets.contains(&target) {
                    delivery.targets.push(target);
                }
            }
        }
        if !has_topology {
            delivery.targets.push(Target::Cluster(hub()));
        }
        delivery
    }
}

/// A policy's name; one without gets that of its type and place.
pub fn policy_name(policy: &Value, at: usize) -> String {
    named(policy, || format!("{}-auto-gen-{at}", policy["type"].as_str().unwrap_or_default()))
}

/// KubeVela looks at `clusters` first (even an empty list), then at the labels, then takes the hub.
fn topology(properties: &Value) -> Vec<Target> {
    let namespace: Text = properties["namespace"].as_str().unwrap_or_default().into();
    if let Some(clusters) = properties["clusters"].as_array() {
        let place = |name: &str| Placement { cluster: ClusterId::named(name), namespace: namespace.clone() };
        return clusters.iter().filter_map(Value::as_str).map(|name| Target::Cluster(place(name))).collect();
    }
    for key in ["clusterLabelSelector", "clusterSelector"] {
        if let Some(pairs) = properties[key].as_object() {
            let pair = |(key, value): (&String, &Value)| Some((Text::from(key.as_str()), Text::from(value.as_str()?)));
            let mut labels: Vec<(Text, Text)> = pairs.iter().filter_map(pair).collect();
            labels.sort();
            return vec![Target::Selector { labels, namespace }];
        }
    }
    vec![Target::Cluster(Placement { namespace, ..hub() })]
}

/// Applies one override policy's `components` (and `selector`, where it has one) to components.
///
/// Each patch in turn: without a name it meets all components (of its type, if it says one). With a name it meets every
/// component whose name the pattern matches; one of another type is replaced by the patch, name and all; a patch that
/// meets none is added as a component. Last the selector keeps what it names, and nothing where it is empty.
pub fn patch_components(base: &[Value], patches: &[Value], selector: Option<&[Value]>) -> Vec<Value> {
    // KubeVela keeps finding a component by the name it came with, also after one of another type took its place.
    let mut all: Vec<(String, Value)> = base.iter().map(|one| (text(one, "name").to_owned(), one.clone())).collect();
    for patch in patches {
        let (pattern, kind) = (text(patch, "name"), text(patch, "type"));
        let is_of_type = |component: &Value| kind.is_empty() || component["type"] == kind;
        if pattern.is_empty() {
            for (_, component) in all.iter_mut().filter(|(_, component)| is_of_type(component)) {
                *component = merge_component(component, patch);
            }
            continue;
        }
        let regex = Regex::new(&pattern.replace('*', ".*")).ok();
        // A name without a small letter in it is none that a component could have.
        let mut is_new = pattern.chars().any(|char| char.is_ascii_lowercase());
        for (_, component) in all.iter_mut().filter(|(name, _)| regex.as_ref().is_some_and(|it| it.is_match(name))) {
            is_new = false;
            *component = if is_of_type(component) { merge_component(component, patch) } else { component_of(patch) };
        }
        if is_new {
            all.push((pattern.to_owned(), component_of(patch)));
        }
    }
    let is_kept = |name: &str| selector.is_none_or(|selector| selector.iter().any(|one| one == name));
    all.into_iter().filter(|(name, _)| is_kept(name)).map(|(_, component)| component).collect()
}

/// A patch as a component of its own.
fn component_of(patch: &Value) -> Value {
    let mut component = Map::new();
    for key in ["name", "type", "externalRevision", "properties"] {
        if let Some(value) = patch.get(key) {
            component.insert(key.to_owned(), value.clone());
        }
    }
    let traits: Vec<Value> = list(patch, "traits").iter().map(trait_of).collect();
    if !traits.is_empty() {
        component.insert("traits".to_owned(), Value::Array(traits));
    }
    Value::Object(component)
}

fn trait_of(patch: &Value) -> Value {
    let mut own = patch.clone();
    if let Some(own) = own.as_object_mut() {
        own.shift_remove("disable");
    }
    own
}

/// A component with a patch merged into it: properties, `externalRevision`, and traits by their type.
pub fn merge_component(base: &Value, patch: &Value) -> Value {
    let mut component = base.as_object().cloned().unwrap_or_default();
    if let Some(merged) = merge_properties(base.get("properties"), patch.get("properties")) {
        component.insert("properties".to_owned(), merged);
    }
    if let revision @ Some(_) =
        patch.get("externalRevision").filter(|one| one.as_str().is_some_and(|it| !it.is_empty()))
    {
        component.insert("externalRevision".to_owned(), revision.cloned().unwrap_or_default());
    }
    // By type, the last of two alike; in the order in which the types came, so that one of two alike comes twice.
    let mut by_type: BTreeMap<String, Value> = BTreeMap::new();
    let mut order: Vec<String> = Vec::new();
    for own in list(base, "traits") {
        let kind = text(own, "type").to_owned();
        by_type.insert(kind.clone(), own.clone());
        order.push(kind);
    }
    for patch in list(patch, "traits") {
        let kind = text(patch, "type");
        let disable = patch["disable"] == true;
        match by_type.get_mut(kind) {
            Some(_) if disable => {
                by_type.remove(kind);
            }
            Some(own) => {
                if let Some(merged) = merge_properties(own.get("properties"), patch.get("properties")) {
                    own["properties"] = merged;
                }
            }
            None if disable => {}
            None => {
                by_type.insert(kind.to_owned(), trait_of(patch));
                order.push(kind.to_owned());
            }
        }
    }
    let traits: Vec<Value> = order.iter().filter_map(|kind| by_type.get(kind).cloned()).collect();
    if traits.is_empty() {
        component.shift_remove("traits");
    } else {
        component.insert("traits".to_owned(), Value::Array(traits));
    }
    Value::Object(component)
}

fn merge_properties(base: Option<&Value>, patch: Option<&Value>) -> Option<Value> {
    let base = base.filter(|base| base.is_object());
    let Some(patch) = patch.and_then(Value::as_object) else { return base.cloned() };
    let mut merged = base.and_then(Value::as_object).cloned().unwrap_or_default();
    merge(&mut merged, patch);
    Some(Value::Object(merged))
}

/// mergo's merge with override: maps go together, at every depth; everything else is replaced, also by an empty list, by
/// zero and by null.
pub fn merge(base: &mut Map<String, Value>, patch: &Map<String, Value>) {
    for (key, value) in patch {
        match (base.get_mut(key), value) {
            (Some(Value::Object(base)), Value::Object(patch)) => merge(base, patch),
            _ => {
                base.insert(key.clone(), value.clone());
            }
        }
    }
}

fn list<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    value[key].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests;
