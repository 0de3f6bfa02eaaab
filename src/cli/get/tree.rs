//! `lateen get tree APP`: everything an application made, a line an object.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;
use serde::Serialize;

use super::{tables::Item, tell};
use crate::{
    cli::{
        args::Get,
        failure::Failure,
        items::{Answer, Incomplete},
        table::Table,
        view::View,
    },
    cluster::tree::look_up,
    model::{
        age,
        key::Text,
        tree::{Node, Tree, What, assemble},
    },
};

/// A line of the tree.
#[derive(Debug, Serialize)]
pub(super) struct TreeItem {
    /// Names this line, and no other of the tree.
    id: String,
    /// The line it hangs from; none for a cluster.
    parent: Option<String>,
    cluster: Text,
    namespace: Option<Text>,
    kind: Text,
    name: Text,
    component: Option<Text>,
    depth: usize,
    health: &'static str,
    message: Text,
    state: Option<&'static str>,
    created_at: Option<Timestamp>,
}

impl Item for TreeItem {
    fn line(&self) -> String {
        self.id.clone()
    }

    fn table(items: &[Self], wide: bool, now: Timestamp) -> Table {
        let mut columns = vec!["NAME", "HEALTH", "AGE", "MESSAGE"];
        if wide {
            columns.extend(["NAMESPACE", "COMPONENT", "STATE"]);
        }
        let mut table = Table::new(&columns);
        let text = |text: &Option<Text>| text.as_ref().map(ToString::to_string).unwrap_or_default();
        for item in items {
            let name = if item.depth == 0 { item.name.to_string() } else { format!("{}/{}", item.kind, item.name) };
            let age = item.created_at.map(|since| age::short(since, now)).unwrap_or_default();
            let name = format!("{}{name}", "  ".repeat(item.depth));
            let mut row = vec![name, item.health.to_owned(), age, item.message.to_string()];
            if wide {
                row.extend([text(&item.namespace), text(&item.component), item.state.unwrap_or_default().to_owned()]);
            }
            table.row(row);
        }
        table
    }
}

/// Answers, and gives the exit code.
pub(super) async fn run(get: &Get, view: &View) -> Result<u8, Failure> {
    let Some(typed) = &get.name else {
        return Err(Failure::usage("get tree needs the name of an application: lateen get tree APP"));
    };
    if get.watch || get.selector.is_some() {
        return Err(Failure::usage("get tree takes neither -w nor -l"));
    }
    let app = view.application(typed)?;
    let found = look_up(view.session.hub(), &app, view.session.hub().request_timeout()).await?;
    let tree = assemble(&found);
    let is_asked = |cluster: &str| get.cluster.as_deref().is_none_or(|asked| asked == cluster);
    let items: Vec<TreeItem> = items(&tree).into_iter().filter(|item| is_asked(&item.cluster)).collect();
    let gaps = tree.incomplete.iter().filter(|gap| is_asked(gap.cluster.as_str()));
    let incomplete: BTreeSet<Incomplete> = gaps
        .map(|gap| Incomplete {
            cluster: gap.cluster.to_string(),
            reason: gap.kind.as_ref().map_or_else(|| gap.reason.to_string(), |kind| format!("{kind}: {}", gap.reason)),
        })
        .collect();
    let incomplete: Vec<Incomplete> = incomplete.into_iter().collect();
    tell(get, &Answer { items, incomplete })
}

fn items(tree: &Tree) -> Vec<TreeItem> {
    let mut times: HashMap<String, usize> = HashMap::new();
    let mut ids: Vec<String> = Vec::with_capacity(tree.nodes.len());
    for node in &tree.nodes {
        let id = id(&node.what);
        // An object with two owners stands in two places.
        let count = times.entry(id.clone()).or_default();
        *count += 1;
        ids.push(if *count == 1 { id } else { format!("{id}#{count}") });
    }
    let item = |(node, id): (&Node, &String)| {
        let (kind, namespace, name): (Text, Option<Text>, Text) = match &node.what {
            What::Cluster(cluster) => ("Cluster".into(), None, cluster.0.clone()),
            What::Object(key) => {
                (key.kind.clone(), Some(key.namespace.clone()).filter(|name| !name.is_empty()), key.name.clone())
            }
            What::Idle(key, count) => {
                (key.kind.clone(), Some(key.namespace.clone()), format!("({count} of older revisions)").into())
            }
        };
        TreeItem {
            id: id.clone(),
            parent: node.parent.and_then(|parent| ids.get(parent)).cloned(),
            cluster: node.what.cluster().0.clone(),
            namespace,
            kind,
            name,
            component: Some(node.component.clone()).filter(|name| !name.is_empty()),
            depth: node.depth,
            health: node.health.as_str(),
            message: node.message.clone(),
            state: node.tracked.map(crate::model::resource::Tracked::as_str),
            created_at: node.created_at,
        }
    };
    tree.nodes.iter().zip(&ids).map(item).collect()
}

/// Cluster, kind with group, namespace and name.
fn id(what: &What) -> String {
    match what {
        What::Cluster(cluster) => cluster.to_string(),
        What::Object(key) | What::Idle(key, _) => {
            let dot = if key.group.is_empty() { "" } else { "." };
            let idle = if matches!(what, What::Idle(..)) { "/older" } else { "" };
            format!("{}/{}{dot}{}/{}/{}{idle}", key.cluster, key.kind, key.group, key.namespace, key.name)
        }
    }
}
