//! `lateen get`: what is there, for eyes and for scripts.

use jiff::Timestamp;

use super::{
    args::{Form, Get, Global, What},
    failure::{Failure, code},
    items::{Answer, ApplicationItem, ApprovalItem, ClusterItem, PodItem, in_cluster},
    stdout::{self, Stdout},
    view::{View, split},
};
use crate::model::key::Text;

mod events;
mod problems;
mod revisions;
mod tables;
mod tree;
mod watch;

use problems::ProblemItem;
use tables::Item;

/// Finds the items that are asked for.
type Collect<T> = fn(&View, &Get) -> Result<Vec<T>, Failure>;

/// Answers, and gives the exit code.
pub(super) async fn run(global: &Global, get: Get) -> Result<u8, Failure> {
    // Who lists what waits means all of it: nobody knows beforehand in which namespace.
    let everywhere = get.what == What::Approvals || get.name.as_deref().is_some_and(|name| name.contains('/'));
    let mut view = View::open(global, everywhere).await?;
    if get.what == What::Clusters {
        view.versions().await;
    }
    for notice in &view.notices {
        stdout::note(notice);
    }
    match get.what {
        What::Applications => answer::<ApplicationItem>(view, &get, applications).await,
        What::Approvals => answer::<ApprovalItem>(view, &get, approvals).await,
        What::Clusters => answer::<ClusterItem>(view, &get, clusters).await,
        What::Pods => answer::<PodItem>(view, &get, pods).await,
        What::Tree => tree::run(&get, &view).await,
        What::Revisions => revisions::run(&get, &view).await,
        What::Events => events::run(&get, view).await,
        What::Problems => answer::<ProblemItem>(view, &get, problems::collect).await,
    }
}

async fn answer<T: Item>(mut view: View, get: &Get, collect: Collect<T>) -> Result<u8, Failure> {
    let items = collect(&view, get)?;
    let is_for_scripts = matches!(get.output, Form::Json | Form::Yaml);
    if items.is_empty() && !is_for_scripts {
        let place = view.namespace.as_ref().map_or_else(String::new, |namespace| format!(" in namespace {namespace}"));
        let what = match get.what {
            What::Applications => "applications",
            What::Approvals => "approvals: nothing waits",
            What::Clusters => "clusters",
            What::Pods => "pods of applications",
            What::Tree => "objects",
            What::Revisions => "revisions",
            What::Events => "events",
            What::Problems => "problems: nothing is wrong",
        };
        let chosen = if get.selector.is_some() { " with these labels" } else { "" };
        stdout::note(&format!("no {what}{chosen}{place}"));
    }
    if get.watch {
        return watch::run(&mut view, get, collect, items).await;
    }
    let incomplete = view.incomplete(get.cluster.as_deref());
    tell(get, &Answer { items, incomplete })
}

/// Writes an answer, and gives the exit code.
fn tell<T: Item>(get: &Get, answer: &Answer<T>) -> Result<u8, Failure> {
    if !matches!(get.output, Form::Json | Form::Yaml) {
        for missing in &answer.incomplete {
            stdout::note(&format!("{}: {}", missing.cluster, missing.reason));
        }
    }
    let ended = if answer.incomplete.is_empty() { code::DONE } else { code::INCOMPLETE };
    match Stdout::lock().write(&render(get, answer)?)? {
        stdout::Reader::Gone => Ok(code::DONE),
        stdout::Reader::There => Ok(ended),
    }
}

fn unwritable(reason: &dyn std::fmt::Display) -> Failure {
    Failure::failed(format!("the answer cannot be written: {reason}"))
}

/// The text of an answer.
fn render<T: Item>(get: &Get, answer: &Answer<T>) -> Result<String, Failure> {
    let now = Timestamp::now();
    let table = |wide| {
        let mut text = T::table(&answer.items, wide, now).render();
        if let (Some(_), [item]) = (&get.name, answer.items.as_slice()) {
            text.push_str(&item.detail(now));
        }
        text
    };
    Ok(match get.output {
        Form::Json => serde_json::to_string_pretty(answer).map_err(|error| unwritable(&error))? + "\n",
        Form::Yaml => {
            let value = serde_json::to_value(answer).map_err(|error| unwritable(&error))?;
            crate::yaml::to_string(&value).map_err(|error| unwritable(&error))?
        }
        Form::Name => answer.items.iter().map(|item| item.line() + "\n").collect(),
        Form::Table => table(false),
        Form::Wide => table(true),
    })
}

/// Whether labels are as asked.
fn is_chosen(get: &Get, labels: &[(Text, Text)]) -> bool {
    get.selector.as_ref().is_none_or(|selector| selector.matches(labels))
}

fn not_found(what: &str, name: &str, view: &View) -> Failure {
    let place = view.namespace.as_ref().map_or_else(String::new, |namespace| format!(" in namespace {namespace}"));
    Failure::failed(format!("there is no {what} {name}{place} on {}", view.session.hub().context()))
}

fn applications(view: &View, get: &Get) -> Result<Vec<ApplicationItem>, Failure> {
    let entries = view.store.applications().filter(|entry| {
        let is_there = |cluster: &str| entry.standing.clusters.iter().any(|there| there.cluster.as_str() == cluster);
        get.cluster.as_deref().is_none_or(is_there) && is_chosen(get, &entry.row.labels)
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
        if let Some(entry) = view.store.application(&waiting.app).filter(|entry| is_chosen(get, &entry.row.labels)) {
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
        .filter(|entry| is_chosen(get, entry.row.as_ref().map(|row| row.labels.as_slice()).unwrap_or_default()))
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
        .filter(|pod| is_chosen(get, &pod.labels))
        .filter(|pod| get.name.as_deref().is_none_or(|name| *pod.key.name == *split(name).1))
        .map(|pod| PodItem::new(&view.store, pod))
        .collect();
    match &get.name {
        Some(name) if items.is_empty() => Err(not_found("pod", name, view)),
        _ => Ok(items),
    }
}
