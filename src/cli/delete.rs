//! `lateen delete`: an application, and with it what it made in every cluster.

use super::{
    approve::{asking, named_namespace},
    args::{AuditMode, Delete, Global},
    failure::{Failure, code, code_of},
    interrupt,
    stdout::{self, Stdout},
    view::View,
    wait::{self, Ended, Went},
};
use crate::{
    cluster::actions,
    model::{
        action::{Action, Deletion},
        application::Application,
        cluster::LinkState,
        key::AppKey,
    },
    runtime::audit::Sink,
    store::Entry,
};

/// Deletes, and gives the exit code.
pub(super) async fn run(global: &Global, delete: Delete) -> Result<u8, Failure> {
    let is_asking = asking(global, "delete")?;
    let global = named_namespace(global, &delete.app);
    let mut view = View::open(&global, false).await?;
    let key = view.application(&delete.app)?;
    let Some(entry) = view.store.application(&key) else {
        return Err(Failure::failed(format!("there is no application {key}")));
    };
    let question = format!("Delete {key} on {}? {}", view.session.hub().context(), along(&view, entry));
    let deletion =
        Deletion { app: key.clone(), uid: entry.row.uid.clone(), resource_version: entry.row.resource_version.clone() };
    for lost in lost(&view, &entry.row) {
        stdout::note(&format!("{lost}: the deletion cannot end before it does"));
    }
    if is_asking && !stdout::ask(&question) {
        stdout::note("nothing was written");
        return Ok(code::FAILED);
    }
    let audit = Sink::open(global.audit == AuditMode::BestEffort);
    let hub = view.session.hub().clone();
    {
        let _held = interrupt::hold();
        let action = Action::Delete(deletion.clone());
        let outcome = actions::perform(&hub, &action, &mut |line| audit.append(&line)).await;
        if !outcome.is_done() {
            return Err(Failure::new(code_of(&outcome), outcome.message().to_string()));
        }
        Stdout::lock().write(&format!("{}\n", outcome.message()))?;
    }
    let Some(patience) = delete.wait else { return Ok(code::DONE) };
    let went = |entry: Option<&Entry>| match entry {
        Some(entry) if entry.row.uid == deletion.uid => Went::On,
        Some(_) => Went::Well("gone, and made anew".to_owned()),
        None => Went::Well("gone".to_owned()),
    };
    match wait::until(&mut view, &key, patience, &went).await? {
        Ended::Told => Ok(code::DONE),
        Ended::Late(progress) => Err(late(&hub, &key, &wait::time(patience), &progress).await),
    }
}

async fn late(hub: &crate::cluster::Hub, key: &AppKey, waited: &str, progress: &str) -> Failure {
    let held = match actions::finalizers(hub, key).await {
        Ok(finalizers) if !finalizers.is_empty() => format!(", held by the finalizer {}", finalizers.join(", ")),
        _ => String::new(),
    };
    Failure::failed(format!("{key} is not gone after {waited}{held}: {progress}"))
}

/// What goes with it, in a sentence.
fn along(view: &View, entry: &Entry) -> String {
    let names: Vec<&str> = entry.row.components.iter().map(|component| &*component.name).collect();
    let clusters: Vec<String> = entry.standing.clusters.iter().map(|place| place.cluster.to_string()).collect();
    let pods = view.store.pods_of(&entry.row.key).count();
    let what = match names.as_slice() {
        names @ [_, ..] if names.len() <= 3 => names.join(", "),
        names => format!("{} components", names.len()),
    };
    let place = if clusters.is_empty() { String::new() } else { format!(" in {}", clusters.join(" and ")) };
    let pods = match pods {
        0 => String::new(),
        1 => ", 1 pod".to_owned(),
        pods => format!(", {pods} pods"),
    };
    format!("What it made goes with it: {what}{place}{pods}.")
}

/// The clusters it reaches that do not answer.
fn lost(view: &View, row: &Application) -> Vec<String> {
    let mut clusters: Vec<_> = row.places().into_iter().map(|place| place.cluster).collect();
    clusters.dedup();
    let lost = clusters.into_iter().filter_map(|cluster| match view.store.link(&cluster) {
        Some(LinkState::Unreachable { reason, .. }) => Some(format!("{cluster} does not answer ({reason})")),
        _ => None,
    });
    lost.collect()
}
