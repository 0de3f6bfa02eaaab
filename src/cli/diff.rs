//! `lateen diff`: what was applied for an application against what is there now, or two of its revisions.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{
    args::{Diff, DiffForm, Global},
    failure::{Failure, code},
    items::{Answer, Incomplete},
    stdout::{self, Reader, Stdout},
    view::View,
};
use crate::{
    cluster::{drift, hub::Hub, revisions},
    model::{
        diff::{Report, Section, Verdict},
        key::{AppKey, Text},
    },
};

/// One thing that was compared.
#[derive(Debug, Serialize)]
struct DiffItem {
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster: Option<Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<Text>,
    /// Of the object; where none is meant, of what was compared.
    name: Text,
    /// `same`, `differs`, `gone`, `new` or `unknown`.
    verdict: &'static str,
    reason: Option<Text>,
    /// As a unified diff; null where nothing differs.
    diff: Option<String>,
    /// What was left out of the comparison, and why.
    not_compared: Vec<Text>,
    /// People and programs that set some of that.
    set_by: Vec<Text>,
}

impl DiffItem {
    fn new(section: &Section) -> Self {
        let object = section.object.as_ref();
        let namespace = object.map(|object| object.namespace.clone()).filter(|name| !name.is_empty());
        Self {
            cluster: object.map(|object| object.cluster.0.clone()),
            namespace,
            kind: object.map(|object| object.kind.clone()),
            name: object.map_or_else(|| section.heading.clone(), |object| object.name.clone()),
            verdict: section.verdict.as_str(),
            reason: if let Verdict::Unknown(reason) = &section.verdict { Some(reason.clone()) } else { None },
            diff: section.verdict.is_difference().then(|| section.unified()),
            not_compared: section.ignored.clone(),
            set_by: section.set_by.clone(),
        }
    }
}

/// Answers, and gives the exit code: [`code::DIFFERENT`] where something differs.
pub(super) async fn run(global: &Global, diff: Diff) -> Result<u8, Failure> {
    if diff.cluster.is_some() && diff.first.is_some() {
        return Err(Failure::usage("--cluster chooses among what is there now; revisions are kept on the hub"));
    }
    let view = View::open(global, diff.app.contains('/')).await?;
    for notice in &view.notices {
        stdout::note(notice);
    }
    let app = view.application(&diff.app)?;
    let hub = view.session.hub();
    let mut report = match &diff.first {
        Some(first) => of_revisions(hub, &app, first, diff.second.as_deref()).await?,
        None => drift::look_up(hub, &app, diff.secrets, hub.request_timeout()).await?,
    };
    if let Some(asked) = &diff.cluster {
        let is_asked =
            |section: &Section| section.object.as_ref().is_none_or(|object| object.cluster.as_str() == asked);
        report.sections.retain(is_asked);
        if report.sections.is_empty() {
            return Err(Failure::failed(format!("nothing was applied for {app} in a cluster {asked}")));
        }
    }
    tell(&diff, &report)
}

/// The name of a revision typed as such, or as `v3` or `3`.
fn revision(app: &AppKey, typed: &str) -> String {
    let number = typed.strip_prefix('v').unwrap_or(typed);
    if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) {
        format!("{}-v{number}", app.name)
    } else {
        typed.to_owned()
    }
}

async fn of_revisions(hub: &Hub, app: &AppKey, first: &str, second: Option<&str>) -> Result<Report, Failure> {
    let deadline = hub.request_timeout();
    let first = revision(app, first);
    if second == Some("live") {
        return Ok(revisions::compare_live(hub, app, &first, deadline).await?);
    }
    let second = if let Some(second) = second {
        revision(app, second)
    } else {
        let all = revisions::list(hub, app, deadline).await?;
        let current = all.iter().find(|revision| revision.is_current);
        let Some(current) = current else {
            return Err(Failure::failed(format!("{app} has no current revision: name two to compare")));
        };
        current.name.to_string()
    };
    Ok(revisions::compare(hub, app, &first, &second, deadline).await?)
}

fn tell(diff: &Diff, report: &Report) -> Result<u8, Failure> {
    let differs = report.sections.iter().any(|section| section.verdict.is_difference());
    let mut missing: BTreeSet<Incomplete> = BTreeSet::new();
    for section in &report.sections {
        if let (Verdict::Unknown(reason), Some(object)) = (&section.verdict, &section.object) {
            missing.insert(Incomplete { cluster: object.cluster.to_string(), reason: reason.to_string() });
        }
    }
    let incomplete: Vec<Incomplete> = missing.into_iter().collect();
    let ended = match (differs, incomplete.is_empty()) {
        (true, _) => code::DIFFERENT,
        (false, true) => code::DONE,
        (false, false) => code::INCOMPLETE,
    };
    let unwritable =
        |reason: &dyn std::fmt::Display| Failure::failed(format!("the answer cannot be written: {reason}"));
    let text = match diff.output {
        DiffForm::Text => {
            for note in &report.notes {
                stdout::note(note);
            }
            for missing in &incomplete {
                stdout::note(&format!("{}: {}", missing.cluster, missing.reason));
            }
            if !differs {
                let all = report.sections.iter().filter(|section| section.verdict == Verdict::Same).count();
                stdout::note(&format!("no difference in {all} compared"));
            }
            let differing = report.sections.iter().filter(|section| section.verdict.is_difference());
            differing.map(Section::unified).collect()
        }
        DiffForm::Json | DiffForm::Yaml => {
            let answer = Answer { items: report.sections.iter().map(DiffItem::new).collect(), incomplete };
            let value = serde_json::to_value(&answer).map_err(|error| unwritable(&error))?;
            if diff.output == DiffForm::Yaml {
                crate::yaml::to_string(&value).map_err(|error| unwritable(&error))?
            } else {
                serde_json::to_string_pretty(&value).map_err(|error| unwritable(&error))? + "\n"
            }
        }
    };
    match Stdout::lock().write(&text)? {
        Reader::Gone => Ok(code::DONE),
        Reader::There => Ok(ended),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_is_named_or_numbered() {
        let app = AppKey::new("default", "helm-hello");
        for (typed, wanted) in
            [("v3", "helm-hello-v3"), ("3", "helm-hello-v3"), ("helm-hello-v3", "helm-hello-v3"), ("v", "v")]
        {
            assert_eq!(revision(&app, typed), wanted);
        }
    }
}
