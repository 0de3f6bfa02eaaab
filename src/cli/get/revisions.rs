//! `lateen get revisions APP`: what the application said each time it said something new.

use jiff::Timestamp;
use serde::Serialize;

use super::{tables::Item, tell, watch};
use crate::{
    cli::{
        args::{Form, Get},
        failure::Failure,
        items::Answer,
        stdout,
        table::Table,
        view::View,
    },
    cluster::{hub::Hub, revisions},
    model::{
        age,
        key::{AppKey, Text},
        revision::Revision,
    },
};

/// One revision.
#[derive(Debug, Serialize)]
pub(super) struct RevisionItem {
    namespace: Text,
    name: Text,
    application: Text,
    number: u64,
    current: bool,
    result: &'static str,
    message: Text,
    changed: Text,
    publish_version: Option<Text>,
    by: Option<Text>,
    created_at: Option<Timestamp>,
}

impl RevisionItem {
    fn new(app: &AppKey, revision: Revision) -> Self {
        Self {
            namespace: app.namespace.clone(),
            name: revision.name,
            application: app.name.clone(),
            number: revision.number,
            current: revision.is_current,
            result: revision.outcome.as_str(),
            message: revision.message,
            changed: revision.changed,
            publish_version: revision.publish_version,
            by: revision.by,
            created_at: revision.created_at,
        }
    }
}

impl Item for RevisionItem {
    fn line(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    fn table(items: &[Self], wide: bool, now: Timestamp) -> Table {
        let mut columns = vec!["REVISION", "CURRENT", "RESULT", "AGE", "CHANGED"];
        if wide {
            columns.extend(["PUBLISHED AS", "BY", "MESSAGE"]);
        }
        let mut table = Table::new(&columns);
        let text = |text: &Option<Text>| text.as_ref().map(ToString::to_string).unwrap_or_default();
        for item in items {
            let mut row = vec![
                item.name.to_string(),
                if item.current { "yes" } else { "" }.to_owned(),
                item.result.to_owned(),
                item.created_at.map(|since| age::short(since, now)).unwrap_or_default(),
                item.changed.to_string(),
            ];
            if wide {
                row.extend([text(&item.publish_version), text(&item.by), item.message.to_string()]);
            }
            table.row(row);
        }
        table
    }
}

/// Answers, and gives the exit code.
pub(super) async fn run(get: &Get, view: &View) -> Result<u8, Failure> {
    let Some(typed) = &get.name else {
        return Err(Failure::usage("get revisions needs the name of an application: lateen get revisions APP"));
    };
    if get.selector.is_some() || get.cluster.is_some() {
        return Err(Failure::usage("get revisions takes neither -l nor --cluster: revisions are kept on the hub"));
    }
    let app = view.application(typed)?;
    let hub = view.session.hub();
    let items = look(hub, &app).await?;
    if get.watch {
        return watch::looked(get, items, async || look(hub, &app).await).await;
    }
    if items.is_empty() && !matches!(get.output, Form::Json | Form::Yaml) {
        stdout::note(&format!("{app} has no revisions"));
    }
    tell(get, &Answer { items, incomplete: Vec::new() })
}

async fn look(hub: &Hub, app: &AppKey) -> Result<Vec<RevisionItem>, Failure> {
    let found = revisions::list(hub, app, hub.request_timeout()).await?;
    Ok(found.into_iter().map(|revision| RevisionItem::new(app, revision)).collect())
}
