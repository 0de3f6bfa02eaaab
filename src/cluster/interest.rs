//! Which namespaces of which clusters applications deploy to: decides where pods are looked for.

use std::collections::BTreeSet;

use crate::model::{
    application::{Application, Target},
    key::{ClusterId, Text},
};

/// Component types whose pods carry `app.oam.dev/name` themselves, so that nobody has to look for their owner.
const LABELLED: [&str; 6] = ["webservice", "worker", "task", "cron-task", "daemon", "statefulset"];

/// Where one application deploys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Interest {
    /// Clusters, by name or labels, and the namespace there.
    pub(crate) places: BTreeSet<Place>,
    /// Whether some of its pods can only be told by their owner (Helm releases, plain objects).
    pub(crate) by_owner: bool,
}

/// A namespace of one cluster, or of all those with certain labels.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// Of that cluster.
    Named(ClusterId, Text),
    /// Of every cluster that carries all these labels.
    Labelled(Vec<(Text, Text)>, Text),
}

impl Interest {
    /// What an application's row tells.
    pub(crate) fn of(app: &Application) -> Self {
        let mut places = BTreeSet::new();
        let home = &app.key.namespace;
        let or_home = |namespace: &Text| if namespace.is_empty() { home.clone() } else { namespace.clone() };
        for placement in &app.placements {
            places.insert(Place::Named(placement.cluster.clone(), or_home(&placement.namespace)));
        }
        for service in &app.services {
            places.insert(Place::Named(service.cluster.clone(), or_home(&service.namespace)));
        }
        for step in app.steps.iter().flat_map(|step| std::iter::once(step).chain(&step.sub_steps)) {
            for target in &step.targets {
                match target {
                    Target::Cluster(placement) => {
                        places.insert(Place::Named(placement.cluster.clone(), or_home(&placement.namespace)));
                    }
                    Target::Selector { labels, namespace } => {
                        places.insert(Place::Labelled(labels.clone(), or_home(namespace)));
                    }
                    Target::External(_) => {}
                }
            }
        }
        if places.is_empty() {
            places.insert(Place::Named(ClusterId::local(), home.clone()));
        }
        let by_owner = app.components.is_empty()
            || app.components.iter().any(|component| {
                let kind = component.kind.split('@').next().unwrap_or_default();
                !LABELLED.contains(&kind)
            });
        Self { places, by_owner }
    }
}

impl Place {
    /// The namespace, if the place is in a cluster of that name and those labels.
    pub(crate) fn within(&self, cluster: &ClusterId, labels: &[(Text, Text)]) -> Option<&Text> {
        match self {
            Self::Named(named, namespace) => (named == cluster).then_some(namespace),
            Self::Labelled(wanted, namespace) => wanted.iter().all(|pair| labels.contains(pair)).then_some(namespace),
        }
    }
}
