//! What an Application's spec plans: its steps, and where each deploys to.

use crate::model::{
    application::{Placement, Step, StepPhase, Target},
    key::{ClusterId, Text},
};

use super::read::Node;

/// The steps of the spec, or those that KubeVela generates where it has none; all of them ahead. A workflow that the
/// spec only refers to is not known here.
pub(super) fn steps(spec: &Node) -> Vec<Step> {
    let workflow = spec.node("workflow");
    let policies = Policies::read(spec);
    let written = workflow.items("steps");
    if !written.is_empty() {
        return written
            .iter()
            .enumerate()
            .map(|(index, item)| step(item, &format!("step-{index}"), &policies))
            .collect();
    }
    if workflow.has("ref") { Vec::new() } else { generated(spec, &policies) }
}

fn step(item: &Node, default_name: &str, policies: &Policies) -> Step {
    let properties = item.node("properties");
    let kind = item.text("type");
    let name = item.filled("name").unwrap_or_else(|| default_name.into());
    let mut step = ahead(name, kind);
    step.depends_on = item.texts("dependsOn");
    match &*step.kind {
        "suspend" => {
            step.prompt = properties.filled("message");
            step.duration = properties.filled("duration");
        }
        "deploy" => {
            step.deploys_before_waiting = properties.has("auto") && !properties.bool("auto");
            let names = properties.texts("policies");
            step.targets = policies.targets(&names);
            step.overrides = policies.overrides(&names);
        }
        "apply-component" => {
            let cluster = ClusterId::named(properties.str("cluster"));
            step.targets = vec![Target::Cluster(Placement { cluster, namespace: properties.text("namespace") })];
        }
        _ => {}
    }
    let name = step.name.clone();
    step.sub_steps = item
        .items("subSteps")
        .iter()
        .enumerate()
        .map(|(index, sub)| self::step(sub, &format!("{name}-{index}"), policies))
        .collect();
    step
}

fn ahead(name: Text, kind: Text) -> Step {
    Step {
        id: Text::default(),
        name,
        kind,
        phase: StepPhase::Ahead,
        reason: Text::default(),
        message: Text::default(),
        prompt: None,
        duration: None,
        resumes_at: None,
        deploys_before_waiting: false,
        targets: Vec::new(),
        overrides: Vec::new(),
        depends_on: Vec::new(),
        started_at: None,
        last_run_at: None,
        sub_steps: Vec::new(),
    }
}

/// The steps that KubeVela makes of a spec without any: a deploy for each topology with all overrides; else one
/// deploy; else one apply-component for each component.
fn generated(spec: &Node, policies: &Policies) -> Vec<Step> {
    let overrides = policies.of_kind("override");
    let topologies = policies.of_kind("topology");
    if !topologies.is_empty() {
        let deploy = |topology: Text| Step {
            targets: policies.targets(std::slice::from_ref(&topology)),
            overrides: overrides.clone(),
            ..ahead(format!("deploy-{topology}").into(), "deploy".into())
        };
        return topologies.into_iter().map(deploy).collect();
    }
    let components = spec.items("components");
    if !policies.of_kind("env-binding").is_empty() {
        // One step per environment, made by a definition that is not known here.
        return Vec::new();
    }
    let here = vec![Target::Cluster(local())];
    if !overrides.is_empty() || components.iter().any(|component| component.str("type") == "ref-objects") {
        return vec![Step { targets: here, overrides, ..ahead("deploy".into(), "deploy".into()) }];
    }
    let apply =
        |component: &Node| Step { targets: here.clone(), ..ahead(component.text("name"), "apply-component".into()) };
    components.iter().map(apply).collect()
}

fn local() -> Placement {
    Placement { cluster: ClusterId::local(), namespace: Text::default() }
}

/// The policies that the spec holds, by name.
struct Policies<'v> {
    all: Vec<(Text, &'v str, Node<'v>)>,
}

impl<'v> Policies<'v> {
    fn read(spec: &Node<'v>) -> Self {
        let named = |(index, policy): (usize, &Node<'v>)| {
            let kind = policy.str("type");
            let name = policy.filled("name").unwrap_or_else(|| format!("{kind}-auto-gen-{index}").into());
            (name, kind, policy.node("properties"))
        };
        Self { all: spec.items("policies").iter().enumerate().map(named).collect() }
    }

    fn of_kind(&self, wanted: &str) -> Vec<Text> {
        self.all.iter().filter(|(_, kind, _)| *kind == wanted).map(|(name, ..)| name.clone()).collect()
    }

    fn find(&self, wanted: &Text) -> Option<(&'v str, &Node<'v>)> {
        self.all.iter().find(|(name, ..)| name == wanted).map(|(_, kind, properties)| (*kind, properties))
    }

    fn overrides(&self, names: &[Text]) -> Vec<Text> {
        let is_override = |name: &&Text| self.find(name).is_some_and(|(kind, _)| kind == "override");
        names.iter().filter(is_override).cloned().collect()
    }

    /// Where a deploy step with these policies goes: the union of its topologies, without repeats, in order. Without
    /// any it goes to the hub, into the application's own namespace.
    fn targets(&self, names: &[Text]) -> Vec<Target> {
        let mut targets: Vec<Target> = Vec::new();
        let mut has_topology = false;
        for name in names {
            let found = match self.find(name) {
                Some(("topology", properties)) => topology(properties),
                Some(_) => continue,
                None => vec![Target::External(name.clone())],
            };
            has_topology = true;
            for target in found {
                if !targets.contains(&target) {
                    targets.push(target);
                }
            }
        }
        if has_topology { targets } else { vec![Target::Cluster(local())] }
    }
}

/// KubeVela looks at `clusters` first (even an empty list), then at the labels, then takes the hub.
fn topology(properties: &Node) -> Vec<Target> {
    let namespace = properties.text("namespace");
    if properties.has("clusters") {
        let place =
            |name: &Text| Target::Cluster(Placement { cluster: ClusterId::named(name), namespace: namespace.clone() });
        return properties.texts("clusters").iter().map(place).collect();
    }
    for key in ["clusterLabelSelector", "clusterSelector"] {
        if properties.has(key) {
            let pairs = properties.node(key);
            let mut labels: Vec<(Text, Text)> = pairs.strings().map(|(k, v)| (k.into(), v.into())).collect();
            labels.sort();
            return vec![Target::Selector { labels, namespace }];
        }
    }
    vec![Target::Cluster(Placement { namespace, ..local() })]
}
