//! `lateen get problems`: what is wrong, the farthest reaching first.

use jiff::Timestamp;
use serde::Serialize;

use super::{is_chosen, tables::Item};
use crate::{
    cli::{
        args::Get,
        failure::Failure,
        table::Table,
        view::{View, split},
    },
    model::{
        age,
        health::Health,
        key::{AppKey, ClusterId, Text},
        problem::{About, Problem},
        text::waiting_in_words,
    },
};

/// A thing that is wrong.
#[derive(Debug, Serialize)]
pub(super) struct ProblemItem {
    /// The word for it: `step failed`, `CrashLoopBackOff`, `unreachable`, `frozen`, …
    problem: Text,
    /// What it is of: `Cluster`, `Application`, `Component` or `Pod`.
    kind: &'static str,
    namespace: Option<Text>,
    /// The application's, the cluster's or the pod's.
    name: Text,
    component: Option<Text>,
    health: &'static str,
    clusters: Vec<Text>,
    applications: usize,
    pods: usize,
    since: Option<Timestamp>,
    reason: String,
}

impl ProblemItem {
    fn new(problem: &Problem) -> Self {
        let (kind, namespace, name, component): (_, Option<&Text>, &Text, Option<&Text>) = match &problem.key.about {
            About::Cluster(cluster) => ("Cluster", None, &cluster.0, None),
            About::Application(app) => ("Application", Some(&app.namespace), &app.name, None),
            About::Component(app, component) => ("Component", Some(&app.namespace), &app.name, Some(component)),
            About::Pod(pod) => ("Pod", Some(&pod.namespace), &pod.name, None),
        };
        Self {
            problem: problem.key.what.clone(),
            kind,
            namespace: namespace.cloned(),
            name: name.clone(),
            component: component.filter(|component| !component.is_empty()).cloned(),
            // What is held still on purpose is no state of health of its own.
            health: if problem.health == Health::Pending { "held" } else { problem.health.as_str() },
            clusters: problem.clusters.iter().map(|cluster| cluster.0.clone()).collect(),
            applications: problem.applications,
            pods: problem.pods,
            since: problem.since,
            reason: waiting_in_words(&problem.reason).into_owned(),
        }
    }

    fn of(&self) -> String {
        let namespace = self.namespace.as_ref().map(|namespace| format!("{namespace}/")).unwrap_or_default();
        let component = self.component.as_ref().map(|component| format!(" {component}")).unwrap_or_default();
        let cluster = if self.kind == "Cluster" { "cluster " } else { "" };
        format!("{cluster}{namespace}{}{component}", self.name)
    }
}

impl Item for ProblemItem {
    fn line(&self) -> String {
        format!("{}: {}", self.of(), self.problem)
    }

    fn table(items: &[Self], wide: bool, now: Timestamp) -> Table {
        let mut columns = vec!["PROBLEM", "OF", "CLUSTERS", "REACH", "SINCE"];
        if wide {
            columns.push("HEALTH");
        }
        columns.push("REASON");
        let mut table = Table::new(&columns);
        let many = |count: usize, one: &str| format!("{count} {one}{}", if count == 1 { "" } else { "s" });
        for item in items {
            let clusters: Vec<&str> = item.clusters.iter().map(AsRef::as_ref).collect();
            let clusters =
                if wide || clusters.len() <= 3 { clusters.join(",") } else { many(clusters.len(), "cluster") };
            let mut cells = vec![
                item.problem.to_string(),
                item.of(),
                clusters,
                if item.pods > 0 { many(item.pods, "pod") } else { many(item.applications, "app") },
                item.since.map(|since| age::short(since, now)).unwrap_or_default(),
            ];
            if wide {
                cells.push(item.health.to_owned());
            }
            cells.push(item.reason.clone());
            table.row(cells);
        }
        table
    }
}

/// Finds them; with a name those of that application alone.
pub(super) fn collect(view: &View, get: &Get) -> Result<Vec<ProblemItem>, Failure> {
    let only: Option<AppKey> = get.name.as_deref().map(|name| view.application(name)).transpose()?;
    let in_namespace = |namespace: &Text| view.namespace.as_deref().is_none_or(|shown| *shown == **namespace);
    let of_app = |app: &AppKey| {
        // One that was named with its namespace is meant, wherever it is.
        let is_named = get.name.as_deref().is_some_and(|name| split(name).0.is_some());
        let has_labels = view.store.application(app).is_some_and(|entry| is_chosen(get, &entry.row.labels));
        only.as_ref().is_none_or(|only| only == app) && (is_named || in_namespace(&app.namespace)) && has_labels
    };
    let is_asked = |problem: &Problem| match &problem.key.about {
        About::Cluster(_) => only.is_none() && get.selector.is_none(),
        About::Application(app) | About::Component(app, _) => of_app(app),
        About::Pod(pod) => only.is_none() && get.selector.is_none() && in_namespace(&pod.namespace),
    };
    let is_there = |clusters: &[ClusterId]| {
        get.cluster.as_deref().is_none_or(|asked| clusters.iter().any(|cluster| cluster.as_str() == asked))
    };
    let problems = view.store.problems().into_iter();
    Ok(problems
        .filter(|problem| is_asked(problem) && is_there(&problem.clusters))
        .map(|problem| ProblemItem::new(&problem))
        .collect())
}
