//! The items of `get` as columns.

use jiff::Timestamp;
use serde::Serialize;

use crate::{
    cli::{
        items::{ApplicationItem, ApprovalItem, ClusterItem, NextItem, PodItem, StepItem, TargetItem, pairs},
        table::Table,
    },
    model::{age, key::Text},
};

/// What `get` shows.
pub(super) trait Item: Serialize {
    /// Its name, that of no other item: what `-o name` prints.
    fn line(&self) -> String;

    /// Items under their headings.
    fn table(items: &[Self], wide: bool, now: Timestamp) -> Table
    where
        Self: Sized;

    /// What is told below the table of one that was asked for by name.
    fn detail(&self, _now: Timestamp) -> String {
        String::new()
    }
}

impl Item for ApplicationItem {
    fn line(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    fn table(items: &[Self], wide: bool, now: Timestamp) -> Table {
        application_table(items, wide, now)
    }

    fn detail(&self, now: Timestamp) -> String {
        detail_of(self, now)
    }
}

impl Item for ApprovalItem {
    fn line(&self) -> String {
        format!("{}/{} {}", self.namespace, self.name, self.step)
    }

    fn table(items: &[Self], wide: bool, now: Timestamp) -> Table {
        approval_table(items, wide, now)
    }
}

impl Item for ClusterItem {
    fn line(&self) -> String {
        self.name.to_string()
    }

    fn table(items: &[Self], wide: bool, now: Timestamp) -> Table {
        cluster_table(items, wide, now)
    }
}

impl Item for PodItem {
    fn line(&self) -> String {
        format!("{}/{}/{}", self.cluster, self.namespace, self.name)
    }

    fn table(items: &[Self], wide: bool, now: Timestamp) -> Table {
        pod_table(items, wide, now)
    }
}

fn age(since: Option<Timestamp>, now: Timestamp) -> String {
    since.map(|since| age::short(since, now)).unwrap_or_default()
}

fn text(text: Option<&Text>) -> String {
    text.map(ToString::to_string).unwrap_or_default()
}

fn application_table(items: &[ApplicationItem], wide: bool, now: Timestamp) -> Table {
    let mut columns = vec!["NAMESPACE", "NAME", "STATUS", "WORKFLOW", "CLUSTERS", "HEALTH", "REVISION", "AGE"];
    if wide {
        columns.push("REASON");
    }
    let mut table = Table::new(&columns);
    for item in items {
        let since = item.since.map(|since| format!(" {}", age::short(since, now))).unwrap_or_default();
        let step = item.at_step.as_ref().map(|step| format!(" {step}")).unwrap_or_default();
        let there = item.clusters.iter().map(|there| format!("{} {}", there.name, there.health));
        let workflow = if item.workflow.total == 0 {
            String::new()
        } else {
            format!("{}/{}{step}", item.workflow.done, item.workflow.total)
        };
        let mut cells = vec![
            item.namespace.to_string(),
            item.name.to_string(),
            format!("{}{since}", item.status),
            workflow,
            there.collect::<Vec<_>>().join(", "),
            if item.ready.1 == 0 { String::new() } else { format!("{}/{}", item.ready.0, item.ready.1) },
            text(item.revision.as_ref()),
            age(item.created_at, now),
        ];
        if wide {
            cells.push(text(item.reason.as_ref()));
        }
        table.row(cells);
    }
    table
}

/// The steps and services of one application.
fn detail_of(item: &ApplicationItem, now: Timestamp) -> String {
    let mut out = String::new();
    let mut steps = Table::new(&["STEP", "TYPE", "PHASE", "TARGETS", "STARTED", "MESSAGE"]);
    for step in item.steps.iter().flatten() {
        step_rows(step, "", now, &mut steps);
    }
    let mut services = Table::new(&["SERVICE", "CLUSTER", "NAMESPACE", "HEALTHY", "MESSAGE"]);
    for service in item.services.iter().flatten() {
        services.row([
            service.name.to_string(),
            service.cluster.to_string(),
            service.namespace.to_string(),
            if service.healthy { "yes" } else { "no" }.to_owned(),
            service.message.to_string(),
        ]);
    }
    for part in [steps.render(), services.render()].into_iter().filter(|part| !part.is_empty()) {
        out.push('\n');
        out.push_str(&part);
    }
    out
}

fn step_rows(step: &StepItem, indent: &str, now: Timestamp, table: &mut Table) {
    let targets: Vec<String> = step.targets.iter().map(TargetItem::words).collect();
    table.row([
        format!("{indent}{}", step.name),
        step.kind.to_string(),
        step.phase.to_string(),
        targets.join(", "),
        age(step.started_at, now),
        step.message.to_string(),
    ]);
    for sub in &step.sub_steps {
        step_rows(sub, "  ", now, table);
    }
}

fn approval_table(items: &[ApprovalItem], wide: bool, now: Timestamp) -> Table {
    let mut columns = vec!["SINCE", "APPLICATION", "STEP", "NEXT", "HEALTH", "AUTO-RESUME"];
    if wide {
        columns.extend(["CHANGED BY", "TYPE", "REASON"]);
    }
    let mut table = Table::new(&columns);
    for item in items {
        let auto = item.auto_resume_at.map(|at| format!("in {}", age::precise_duration(at.duration_since(now))));
        let next: Vec<String> = item.next.iter().map(NextItem::words).collect();
        let mut cells = vec![
            age(item.since, now),
            format!("{}/{}", item.namespace, item.name),
            item.step.to_string(),
            next.join("; "),
            item.health.to_owned(),
            auto.unwrap_or_default(),
        ];
        if wide {
            cells.extend([text(item.changed_by.as_ref()), item.step_type.to_string(), item.reason.to_owned()]);
        }
        table.row(cells);
    }
    table
}

fn cluster_table(items: &[ClusterItem], wide: bool, now: Timestamp) -> Table {
    let mut columns = vec!["NAME", "ALIAS", "TYPE", "ACCEPTED", "LINK", "VERSION", "PODS"];
    if wide {
        columns.extend(["ENDPOINT", "LABELS", "REASON"]);
    }
    let mut table = Table::new(&columns);
    for item in items {
        let link = match (item.link.latency_s, item.link.since) {
            (Some(latency), _) => format!("{} {} ms", item.link.state, (latency * 1000.0).round().max(1.0)),
            (None, Some(since)) => format!("{} {}", item.link.state, age::short(since, now)),
            (None, None) => item.link.state.to_owned(),
        };
        let mut cells = vec![
            item.name.to_string(),
            item.alias.to_string(),
            item.kind.to_string(),
            if item.accepted { "yes" } else { "no" }.to_owned(),
            link,
            item.version.to_string(),
            item.pods.to_string(),
        ];
        if wide {
            cells.extend([item.endpoint.to_string(), pairs(item.labels.iter()), text(item.link.reason.as_ref())]);
        }
        table.row(cells);
    }
    table
}

fn pod_table(items: &[PodItem], wide: bool, now: Timestamp) -> Table {
    let mut columns = vec!["CLUSTER", "NAMESPACE", "APP", "COMPONENT", "NAME", "READY", "STATUS", "RESTARTS", "AGE"];
    if wide {
        columns.push("NODE");
    }
    let mut table = Table::new(&columns);
    for item in items {
        let mut cells = vec![
            item.cluster.to_string(),
            item.namespace.to_string(),
            item.application.to_string(),
            item.component.to_string(),
            item.name.to_string(),
            item.ready.clone(),
            item.status.to_string(),
            item.restarts.to_string(),
            age(item.created_at, now),
        ];
        if wide {
            cells.push(item.node.to_string());
        }
        table.row(cells);
    }
    table
}
