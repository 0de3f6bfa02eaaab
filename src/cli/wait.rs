//! `--wait`: how a delivery or a deletion goes on, told on standard error until it has come to an end.

use std::{fmt::Write as _, time::Duration};

use tokio::time::{Instant, timeout_at};

use super::{
    failure::{Failure, code},
    stdout::{self, Stdout},
    view::View,
};
use crate::{
    model::{
        age,
        application::Service,
        cluster::LinkState,
        health::Health,
        key::{AppKey, Text},
    },
    store::{Entry, Store},
};

/// Bytes of a reason that a line of progress has room for: `get app` has all of it.
const REASON: usize = 160;

/// How what is waited for stands.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Went {
    /// Still under way.
    On,
    /// It has ended well, or waits for a person.
    Well(String),
    /// It has failed.
    Wrong(String),
}

/// Why nobody waits any more.
pub(super) enum Ended {
    /// The answer is told.
    Told,
    /// The time is over; what was known last.
    Late(String),
}

/// Waits until `went` says that it is over.
pub(super) async fn until(
    view: &mut View,
    key: &AppKey,
    patience: Duration,
    went: &dyn Fn(Option<&Entry>) -> Went,
) -> Result<Ended, Failure> {
    let deadline = Instant::now() + patience;
    let mut told = String::new();
    loop {
        let entry = view.store.application(key);
        match went(entry) {
            Went::On => {}
            Went::Well(how) => {
                Stdout::lock().write(&format!("{key}: {how}\n"))?;
                return Ok(Ended::Told);
            }
            Went::Wrong(how) => return Err(Failure::failed(format!("{key}: {how}"))),
        }
        let progress = entry.map(|entry| progress(entry, &view.store)).unwrap_or_default();
        if progress != told && !progress.is_empty() {
            stdout::note(&format!("{key}: {progress}"));
            told.clone_from(&progress);
        }
        if timeout_at(deadline, view.changed()).await.is_err() {
            return Ok(Ended::Late(progress));
        }
    }
}

/// Waits until a workflow has ended, or waits for a person.
pub(super) async fn delivered(
    view: &mut View,
    key: &AppKey,
    patience: Duration,
    went: &dyn Fn(&Entry) -> Went,
) -> Result<u8, Failure> {
    let went = |entry: Option<&Entry>| entry.map_or_else(|| Went::Wrong("it has been deleted".to_owned()), went);
    match until(view, key, patience, &went).await? {
        Ended::Told => Ok(code::DONE),
        Ended::Late(progress) => {
            Err(Failure::failed(format!("{key} has not come to an end within {}: {progress}", time(patience))))
        }
    }
}

/// A time in words.
pub(super) fn time(patience: Duration) -> String {
    age::precise_duration(patience.try_into().unwrap_or_default())
}

/// How the run of the newest spec stands.
pub(super) fn run(entry: &Entry) -> Went {
    let Entry { row, standing, waiting, .. } = entry;
    if row.deleting_since.is_some() {
        return Went::Wrong("it is being deleted".to_owned());
    }
    if !row.is_observed() {
        return Went::On;
    }
    if waiting.is_some() {
        return Went::Well(with_step(entry));
    }
    let reason = standing.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    let wrong = || Went::Wrong(format!("{}{reason}", standing.status));
    let exhausted = standing.health == Health::Failed && row.services.iter().any(Service::is_exhausted);
    match row.workflow.as_ref().filter(|_| row.workflow_is_current()) {
        // What the controller cannot even parse gets no workflow.
        None if standing.health == Health::Failed => wrong(),
        Some(workflow) if workflow.terminated || exhausted => wrong(),
        Some(workflow) if workflow.finished => match standing.health {
            Health::Failed => wrong(),
            Health::Ok | Health::Unknown => Went::Well(standing.status.to_string()),
            _ => Went::On,
        },
        _ => Went::On,
    }
}

fn with_step(entry: &Entry) -> String {
    match &entry.standing.at_step {
        Some(step) => format!("{} at {step}", entry.standing.status),
        None => entry.standing.status.to_string(),
    }
}

/// What is told meanwhile: the status, how far, why, and who does not answer.
fn progress(entry: &Entry, store: &Store) -> String {
    let standing = &entry.standing;
    let mut words = standing.status.to_string();
    if entry.row.deleting_since.is_none() && standing.steps.1 > 0 {
        let step: Text = standing.at_step.clone().unwrap_or_default();
        let step = if step.is_empty() { String::new() } else { format!(" {step}") };
        let _ = write!(words, " ({}/{}{step})", standing.steps.0, standing.steps.1);
    }
    if let Some(reason) = &standing.reason {
        words.push_str(": ");
        let short = reason.floor_char_boundary(REASON);
        words.push_str(&reason[..short]);
        if short < reason.len() {
            words.push('…');
        }
    }
    for place in &standing.clusters {
        if let Some(LinkState::Unreachable { reason, .. }) = store.link(&place.cluster) {
            let _ = write!(words, "; {} does not answer ({reason})", place.cluster);
        }
    }
    words
}
