//! `lateen get`: what is there, for eyes and for scripts.

use jiff::Timestamp;
use serde::Serialize;

use super::{
    args::{Form, Get, Global, What},
    failure::{Failure, code},
    items::{Answer, ApplicationItem, ApprovalItem, ClusterItem, NextItem, PodItem, StepItem, in_cluster, pairs},
    stdout::{self, Stdout},
    table::Table,
    view::{View, split},
};
use crate::model::{age, key::Text};

/// Answers, and gives the exit code.
pub(super) async fn run(global: &Global, get: Get) -> Result<u8, Failure> {
    // Who lists what waits means all of it: nobody knows beforehand in which namespace.
    let everywhere = get.what == What::Approvals || get.name.as_deref().is_some_and(|name| name.contains('/'));
    let view = View::open(global, everywhere).await?;
    for notice in &view.notices {
        stdout::note(notice);
    }
    let now = Timestamp::now();
    let (text, is_empty) = match get.what {
        What::Applications => render(&view, &get, applications(&view, &get)?, &|items, wide| {
            application_table(items, wide, get.name.is_some(), now)
        })?,
        What::Approvals => {
            render(&view, &get, approvals(&view, &get)?, &|items, wide| approval_table(items, wide, now))?
        }
        What::Clusters => render(&view, &get, clusters(&view, &get)?, &|items, wide| cluster_table(items, wide, now))?,
        What::Pods => render(&view, &get, pods(&view, &get)?, &|items, wide| pod_table(items, wide, now))?,
    };
    let incomplete = view.incomplete(get.cluster.as_deref());
    let is_for_scripts = matches!(get.output, Form::Json | Form::Yaml);
    if is_empty && !is_for_scripts {
        let place = view.namespace.as_ref().map_or_else(String::new, |namespace| format!(" in namespace {namespace}"));
        let what = match get.what {
            What::Applications => "applications",
            What::Approvals => "approvals: nothing waits",
            What::Clusters => "clusters",
            What::Pods => "pods of applications",
        };
        stdout::note(&format!("no {what}{place}"));
    }
    for missing in incomplete.iter().filter(|_| !is_for_scripts) {
        stdout::note(&format!("{}: {}", missing.cluster, missing.reason));
    }
    match Stdout::lock().write(&text)? {
        stdout::Reader::Gone => Ok(code::DONE),
        stdout::Reader::There => Ok(if incomplete.is_empty() { code::DONE } else { code::INCOMPLETE }),
    }
}

/// An item that has a name to print.
trait Named {
    fn line(&self) -> String;
}

/// The text of an answer, and whether it is empty.
fn render<T: Serialize + Named>(
    view: &View,
    get: &Get,
    items: Vec<T>,
    table: &dyn Fn(&[T], bool) -> String,
) -> Result<(String, bool), Failure> {
    let is_empty = items.is_empty();
    let answer = Answer { items, incomplete: view.incomplete(get.cluster.as_deref()) };
    let unwritable =
        |reason: &dyn std::fmt::Display| Failure::failed(format!("the answer cannot be written: {reason}"));
    let text = match get.output {
        Form::Json => serde_json::to_string_pretty(&answer).map_err(|error| unwritable(&error))? + "\n",
        Form::Yaml => {
            let value = serde_json::to_value(&answer).map_err(|error| unwritable(&error))?;
            crate::yaml::to_string(&value).map_err(|error| unwritable(&error))?
        }
        Form::Name => answer.items.iter().map(|item| item.line() + "\n").collect(),
        Form::Table => table(&answer.items, false),
        Form::Wide => table(&answer.items, true),
    };
    Ok((text, is_empty))
}

fn not_found(what: &str, name: &str, view: &View) -> Failure {
    let place = view.namespace.as_ref().map_or_else(String::new, |namespace| format!(" in namespace {namespace}"));
    Failure::failed(format!("there is no {what} {name}{place} on {}", view.session.hub().context()))
}

fn applications(view: &View, get: &Get) -> Result<Vec<ApplicationItem>, Failure> {
    let entries = view.store.applications().filter(|entry| {
        let is_there = |cluster: &str| entry.standing.clusters.iter().any(|there| there.cluster.as_str() == cluster);
        get.cluster.as_deref().is_none_or(is_there)
    });
    let Some(typed) = &get.name else {
        return Ok(entries.map(|entry| ApplicationItem::new(entry, false)).collect());
    };
    let (namespace, name) = split(typed);
    let found: Vec<_> = entries
        .filter(|entry| *entry.row.key.name == *name)
        .filter(|entry| namespace.is_none_or(|namespace| *entry.row.key.namespace == *namespace))
        .map(|entry| ApplicationItem::new(entry, true))
        .collect();
    if found.is_empty() { Err(not_found("application", typed, view)) } else { Ok(found) }
}

fn approvals(view: &View, get: &Get) -> Result<Vec<ApprovalItem>, Failure> {
    let (namespace, name) = get.name.as_deref().map_or((None, None), |typed| {
        let (namespace, name) = split(typed);
        (namespace, Some(name))
    });
    let waiting = view.store.approvals().into_iter().filter(|waiting| {
        name.is_none_or(|name| *waiting.app.name == *name)
            && namespace.is_none_or(|namespace| *waiting.app.namespace == *namespace)
            && get.cluster.as_deref().is_none_or(|cluster| waiting.clusters().iter().any(|id| id.as_str() == cluster))
    });
    let mut items = Vec::new();
    for waiting in waiting {
        if let Some(entry) = view.store.application(&waiting.app) {
            items.extend(waiting.gates.iter().map(|gate| ApprovalItem::new(waiting, gate, &entry.standing)));
        }
    }
    if let (true, Some(typed)) = (items.is_empty(), &get.name) {
        // An application that waits for nothing is an empty answer; one that is not there is a mistake.
        view.application(typed)?;
    }
    Ok(items)
}

fn clusters(view: &View, get: &Get) -> Result<Vec<ClusterItem>, Failure> {
    let entries = view.store.clusters().filter(|entry| in_cluster(&entry.id, get.cluster.as_deref()));
    let items: Vec<_> = entries
        .filter(|entry| get.name.as_deref().is_none_or(|name| entry.id.as_str() == name))
        .map(ClusterItem::new)
        .collect();
    match &get.name {
        Some(name) if items.is_empty() => {
            Err(Failure::failed(format!("no cluster {name} is joined to {}", view.session.hub().context())))
        }
        _ => Ok(items),
    }
}

fn pods(view: &View, get: &Get) -> Result<Vec<PodItem>, Failure> {
    let shown = |pod: &&crate::model::pod::Pod| match (&view.namespace, view.store.owner_of(pod)) {
        (None, _) => true,
        (Some(shown), Some(app)) => *app.namespace == **shown,
        (Some(shown), None) => *pod.key.namespace == **shown,
    };
    let pods = view.store.pods().filter(|pod| in_cluster(&pod.key.cluster, get.cluster.as_deref())).filter(shown);
    let items: Vec<_> = pods
        .filter(|pod| get.name.as_deref().is_none_or(|name| *pod.key.name == *split(name).1))
        .map(|pod| PodItem::new(&view.store, pod))
        .collect();
    match &get.name {
        Some(name) if items.is_empty() => Err(not_found("pod", name, view)),
        _ => Ok(items),
    }
}

fn age(since: Option<Timestamp>, now: Timestamp) -> String {
    since.map(|since| age::short(since, now)).unwrap_or_default()
}

fn text(text: Option<&Text>) -> String {
    text.map(ToString::to_string).unwrap_or_default()
}

fn application_table(items: &[ApplicationItem], wide: bool, detail: bool, now: Timestamp) -> String {
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
    let mut out = table.render();
    if let (true, [item]) = (detail, items) {
        detail_of(item, now, &mut out);
    }
    out
}

/// The steps and services of one application.
fn detail_of(item: &ApplicationItem, now: Timestamp, out: &mut String) {
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
}

fn step_rows(step: &StepItem, indent: &str, now: Timestamp, table: &mut Table) {
    let targets: Vec<String> = step.targets.iter().map(super::items::TargetItem::words).collect();
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

fn approval_table(items: &[ApprovalItem], wide: bool, now: Timestamp) -> String {
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
    table.render()
}

fn cluster_table(items: &[ClusterItem], wide: bool, now: Timestamp) -> String {
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
    table.render()
}

fn pod_table(items: &[PodItem], wide: bool, now: Timestamp) -> String {
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
    table.render()
}

impl Named for ApplicationItem {
    fn line(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }
}

impl Named for ApprovalItem {
    fn line(&self) -> String {
        format!("{}/{} {}", self.namespace, self.name, self.step)
    }
}

impl Named for ClusterItem {
    fn line(&self) -> String {
        self.name.to_string()
    }
}

impl Named for PodItem {
    fn line(&self) -> String {
        format!("{}/{}/{}", self.cluster, self.namespace, self.name)
    }
}
