//! What is wanted of a cluster, and the questions that come of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::question::Question;
use crate::{
    cluster::discovery::Served,
    model::{
        key::{ClusterId, Text},
        resource::{Maker, ResourceKey, Root, Rule},
        tree::{Tree, What},
    },
};

/// Kinds that bear others: where something of an application's is, a new one of them is to be seen at once.
const BEARERS: [(&str, &str); 7] = [
    ("", "Pod"),
    ("apps", "ReplicaSet"),
    ("apps", "Deployment"),
    ("batch", "Job"),
    ("apps", "StatefulSet"),
    ("apps", "DaemonSet"),
    ("batch", "CronJob"),
];

/// What is wanted of one cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    /// Counts up each time more is to be asked.
    pub(super) serial: u64,
    /// Where something of the application's may be; the empty one stands for all objects of cluster-scoped kinds.
    pub(super) namespaces: BTreeSet<Text>,
    /// Releases and Kustomizations: what they made is known by their labels, also where it is in no namespace.
    pub(super) makers: BTreeSet<Maker>,
    /// Group, kind and namespace of what stands in the tree: this is watched before all else.
    pub(super) nodes: BTreeSet<(Text, Text, Text)>,
    /// The operator's own rules.
    pub(super) rules: Arc<[Rule]>,
}

impl Wanted {
    /// Whether the other asks for the same.
    fn asks_the_same(&self, other: &Self) -> bool {
        self.namespaces == other.namespaces && self.makers == other.makers && self.rules == other.rules
    }

    /// Takes over what is wanted now; whether more is to be asked than before.
    pub(super) fn follow(&mut self, now: Self) -> bool {
        let asks_more = !self.asks_the_same(&now);
        *self = Self { serial: self.serial + u64::from(asks_more), ..now };
        asks_more
    }

    /// The questions to ask, of the kinds that are served.
    pub(super) fn questions(&self, served: &[Arc<Served>]) -> BTreeSet<Question> {
        let mut questions = BTreeSet::new();
        let selectors = self.selectors();
        for kind in served {
            let mut ask = |namespace: &Text, selector: &Text| {
                let (kind, namespace, selector) = (Arc::clone(kind), namespace.clone(), selector.clone());
                questions.insert(Question { kind, namespace, selector });
            };
            if kind.namespaced {
                for namespace in self.namespaces.iter().filter(|namespace| !namespace.is_empty()) {
                    ask(namespace, &Text::default());
                }
            } else if self.namespaces.contains("") {
                ask(&Text::default(), &Text::default());
            } else {
                for selector in &selectors {
                    ask(&Text::default(), selector);
                }
            }
        }
        questions
    }

    /// Label selectors for what releases made, one for each kind of maker.
    fn selectors(&self) -> Vec<Text> {
        let mut names: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (kind, _, name) in &self.makers {
            names.entry(kind).or_default().insert(name);
        }
        let selector = |(kind, names): (&str, BTreeSet<&str>)| {
            let label = match kind {
                "HelmRelease" => "helm.toolkit.fluxcd.io/name",
                _ => "kustomize.toolkit.fluxcd.io/name",
            };
            format!("{label} in ({})", names.into_iter().collect::<Vec<_>>().join(",")).into()
        };
        names.into_iter().map(selector).collect()
    }

    /// Those of the questions that are to be watched, at most so many: kinds that stand in the tree, then those that
    /// bear others.
    pub(super) fn watched<'q>(
        &self,
        questions: impl Iterator<Item = &'q Question>,
        most: usize,
    ) -> BTreeSet<&'q Question> {
        let mut ranked: Vec<(usize, &Question)> = questions
            .filter_map(|question| {
                let kind = &question.kind;
                let bearer = BEARERS.iter().position(|(group, name)| *group == kind.group && *name == kind.kind);
                let stands = self.nodes.iter().any(|(group, name, namespace)| {
                    **group == *kind.group && **name == *kind.kind && *namespace == question.namespace
                });
                let rank = match (stands, bearer) {
                    (true, bearer) => bearer.unwrap_or(BEARERS.len()),
                    (false, Some(bearer)) if question.selector.is_empty() => 2 * BEARERS.len() + bearer,
                    (false, _) => return None,
                };
                Some((rank, question))
            })
            .collect();
        ranked.sort();
        ranked.into_iter().take(most).map(|(_, question)| question).collect()
    }
}

/// What is wanted of each cluster, by the roots and by what stands in the tree so far. `elsewhere` tells in which other
/// namespaces an object makes something.
pub(super) fn wanted<'a>(
    roots: &[Root],
    tree: &Tree,
    rules: &Arc<[Rule]>,
    elsewhere: impl Fn(&ResourceKey) -> &'a [Text],
) -> BTreeMap<ClusterId, Wanted> {
    let mut all: BTreeMap<ClusterId, Wanted> = BTreeMap::new();
    for root in roots {
        let wanted = all.entry(root.key.cluster.clone()).or_default();
        wanted.namespaces.insert(root.key.namespace.clone());
    }
    for node in &tree.nodes {
        let What::Object(key) = &node.what else { continue };
        // Only roots bring clusters in.
        let Some(wanted) = all.get_mut(&key.cluster) else { continue };
        wanted.nodes.insert((key.group.clone(), key.kind.clone(), key.namespace.clone()));
        if is_maker(key) {
            wanted.makers.insert((key.kind.clone(), key.namespace.clone(), key.name.clone()));
            wanted.namespaces.extend(elsewhere(key).iter().filter(|namespace| !namespace.is_empty()).cloned());
        }
    }
    for wanted in all.values_mut() {
        wanted.rules = Arc::clone(rules);
    }
    all
}

/// Whether an object is of a kind that labels what it makes.
pub(super) fn is_maker(key: &ResourceKey) -> bool {
    matches!(
        (&*key.group, &*key.kind),
        ("helm.toolkit.fluxcd.io", "HelmRelease") | ("kustomize.toolkit.fluxcd.io", "Kustomization")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn served(group: &str, kind: &str, namespaced: bool) -> Arc<Served> {
        let plural = format!("{}s", kind.to_ascii_lowercase());
        Arc::new(Served {
            group: group.to_owned(),
            version: "v1".to_owned(),
            kind: kind.to_owned(),
            plural,
            namespaced,
            watchable: true,
        })
    }

    fn told(questions: &BTreeSet<Question>) -> Vec<String> {
        let told = questions.iter().map(|one| format!("{} {} {}", one.kind.kind, one.namespace, one.selector));
        told.collect()
    }

    #[test]
    fn every_kind_is_asked_in_each_namespace_and_cluster_scoped_ones_by_the_labels_of_releases() {
        let kinds = [served("", "Pod", true), served("rbac.authorization.k8s.io", "ClusterRole", false)];
        let mut wanted = Wanted { namespaces: ["a".into(), "b".into()].into(), ..Wanted::default() };
        assert_eq!(
            told(&wanted.questions(&kinds)),
            ["Pod a ", "Pod b "],
            "nothing made without a namespace is expected"
        );
        wanted.makers = ["x", "y"].map(|name| ("HelmRelease".into(), "a".into(), name.into())).into();
        let asked = told(&wanted.questions(&kinds));
        assert_eq!(asked, ["Pod a ", "Pod b ", "ClusterRole  helm.toolkit.fluxcd.io/name in (x,y)"]);
        wanted.namespaces.insert("".into());
        assert_eq!(told(&wanted.questions(&kinds))[2], "ClusterRole  ");
    }

    #[test]
    fn what_stands_in_the_tree_is_watched_before_what_may_come_and_the_rest_is_not() {
        let kinds = [
            served("", "Pod", true),
            served("", "ConfigMap", true),
            served("", "Secret", true),
            served("batch", "Job", true),
        ];
        let wanted = Wanted {
            namespaces: ["a".into()].into(),
            nodes: [("".into(), "ConfigMap".into(), "a".into())].into(),
            ..Wanted::default()
        };
        let questions = wanted.questions(&kinds);
        let names = |most| {
            let watched = wanted.watched(questions.iter(), most);
            watched.iter().map(|question| question.kind.kind.clone()).collect::<BTreeSet<_>>()
        };
        assert_eq!(names(9), ["ConfigMap", "Job", "Pod"].map(str::to_owned).into());
        assert_eq!(names(2), ["ConfigMap", "Pod"].map(str::to_owned).into());
        assert_eq!(names(1), ["ConfigMap"].map(str::to_owned).into());
    }

    #[test]
    fn only_more_to_ask_counts_up() {
        let mut wanted = Wanted::default();
        assert!(wanted.follow(Wanted { namespaces: ["a".into()].into(), ..Wanted::default() }));
        let nodes = Wanted { nodes: [("".into(), "Pod".into(), "a".into())].into(), ..wanted.clone() };
        assert!(!wanted.follow(nodes) && wanted.serial == 1 && wanted.nodes.len() == 1);
    }
}
