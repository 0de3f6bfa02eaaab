//! `lateen get events [APP]`: what the clusters' diaries say, folded by object and reason.

use jiff::Timestamp;
use serde::Serialize;

use super::{answer, tables::Item};
use crate::{
    cli::{
        args::Get,
        failure::Failure,
        items::in_cluster,
        table::Table,
        view::{Made, View},
    },
    model::{
        age,
        event::{EventScope, Fold},
        key::Text,
        resource::ResourceKey,
    },
};

/// Events about one object for one reason.
#[derive(Debug, Serialize)]
pub(super) struct EventItem {
    cluster: Text,
    namespace: Option<Text>,
    kind: Text,
    name: Text,
    #[serde(rename = "type")]
    class: &'static str,
    reason: Text,
    message: Text,
    count: u32,
    first_seen_at: Option<Timestamp>,
    last_seen_at: Option<Timestamp>,
    source: Text,
    #[serde(skip)]
    group: Text,
}

impl EventItem {
    fn new(fold: &Fold) -> Self {
        let object = &fold.key.object;
        Self {
            cluster: object.cluster.0.clone(),
            namespace: Some(object.namespace.clone()).filter(|name| !name.is_empty()),
            kind: object.kind.clone(),
            name: object.name.clone(),
            class: if fold.warning { "Warning" } else { "Normal" },
            reason: fold.key.reason.clone(),
            message: fold.message.clone(),
            count: fold.count,
            first_seen_at: fold.first,
            last_seen_at: fold.last,
            source: fold.source.clone(),
            group: object.group.clone(),
        }
    }
}

impl Item for EventItem {
    fn line(&self) -> String {
        let dot = if self.group.is_empty() { "" } else { "." };
        let namespace = self.namespace.as_deref().unwrap_or_default();
        format!("{}/{}{dot}{}/{namespace}/{} {}", self.cluster, self.kind, self.group, self.name, self.reason)
    }

    fn table(items: &[Self], wide: bool, now: Timestamp) -> Table {
        let mut columns = vec!["LAST", "CLUSTER", "NAMESPACE", "TYPE", "REASON", "OBJECT", "COUNT", "MESSAGE"];
        if wide {
            columns.extend(["FIRST", "SOURCE"]);
        }
        let mut table = Table::new(&columns);
        let age = |since: Option<Timestamp>| since.map(|since| age::short(since, now)).unwrap_or_default();
        for item in items {
            let mut row = vec![
                age(item.last_seen_at),
                item.cluster.to_string(),
                item.namespace.as_deref().unwrap_or_default().to_owned(),
                item.class.to_owned(),
                item.reason.to_string(),
                format!("{}/{}", item.kind, item.name),
                item.count.to_string(),
                item.message.to_string(),
            ];
            if wide {
                row.extend([age(item.first_seen_at), item.source.to_string()]);
            }
            table.row(row);
        }
        table
    }
}

/// Answers, and gives the exit code.
pub(super) async fn run(get: &Get, mut view: View) -> Result<u8, Failure> {
    if get.selector.is_some() {
        return Err(Failure::usage("get events takes no -l: events carry no labels of what they are about"));
    }
    let scope = match &get.name {
        None => EventScope::All,
        Some(typed) => {
            let app = view.application(typed)?;
            view.made = Some(Made::look_up(view.session.hub().clone(), app.clone(), get.watch).await?);
            EventScope::App(app)
        }
    };
    view.watch_events(scope).await;
    answer::<EventItem>(view, get, events).await
}

#[expect(clippy::unnecessary_wraps, reason = "what collects others may fail")]
fn events(view: &View, get: &Get) -> Result<Vec<EventItem>, Failure> {
    let made = view.made.as_ref().map(Made::objects);
    let is_asked = |object: &ResourceKey| {
        in_cluster(&object.cluster, get.cluster.as_deref()) && made.as_ref().is_none_or(|made| made.contains(object))
    };
    Ok(view.store.events().folds().filter(|fold| is_asked(&fold.key.object)).map(EventItem::new).collect())
}
