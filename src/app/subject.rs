//! The object under the cursor: what the keys that work on any object act upon.

use crate::model::{
    diff::Comparison,
    key::{AppKey, ClusterId, Text},
    problem::About,
    resource::ResourceKey,
    tree::What,
};

use super::{
    App,
    page::{Page, application::ItemKey},
    world::World,
};

impl App {
    /// The object under the cursor, whatever page is shown; `None` where there is none.
    pub fn subject(&self) -> Option<ResourceKey> {
        self.page().subject(&self.world)
    }
}

impl Page {
    /// The object under the cursor.
    pub fn subject(&self, world: &World) -> Option<ResourceKey> {
        match self {
            Self::Applications(table) => table.selected().map(ResourceKey::application),
            Self::Application(page) => Some(match page.selected() {
                Some(ItemKey::Pod(pod)) => ResourceKey::pod(pod),
                Some(ItemKey::Cluster(cluster)) => ResourceKey::cluster(cluster),
                // A step, a component: they are told in the application itself.
                _ => ResourceKey::application(&page.app),
            }),
            Self::Approvals(table) => table.selected().map(|gate| ResourceKey::application(&gate.app)),
            Self::Clusters(table) => table.selected().map(ResourceKey::cluster),
            Self::Pods(table) => table.selected().map(ResourceKey::pod),
            Self::Logs(page) => Some(ResourceKey::pod(&page.pod)),
            Self::Forwards(table) => {
                let id = table.selected()?;
                let target = &world.forwards.iter().find(|forward| forward.id == *id)?.target;
                Some(ResourceKey {
                    cluster: target.cluster.clone(),
                    group: "".into(),
                    kind: target.kind.as_str().into(),
                    namespace: target.namespace.clone(),
                    name: target.name.clone(),
                })
            }
            Self::Tree(page) => Some(match &page.selected()?.what {
                What::Cluster(cluster) => ResourceKey::cluster(cluster),
                What::Object(key) | What::Idle(key, _) => key.clone(),
            }),
            Self::Object(page) => Some(page.key.clone()),
            Self::Revisions(table) => table.selected().map(|name| revision(&table.rows.app, name)),
            Self::Diff(page) => match &page.asked {
                Comparison::Revision(app, name) | Comparison::Revisions(app, _, name) => Some(revision(app, name)),
                Comparison::Drift(_) => page.object().cloned(),
            },
            Self::Events(table) => table.selected().map(|fold| fold.object.clone()),
            Self::Why(page) => page.object(),
            Self::Problems(table) => Some(match &table.selected()?.about {
                About::Cluster(cluster) => ResourceKey::cluster(cluster),
                About::Application(app) | About::Component(app, _) => ResourceKey::application(app),
                About::Pod(pod) => ResourceKey::pod(pod),
            }),
        }
    }
}

/// An ApplicationRevision, as it is kept on the hub.
fn revision(app: &AppKey, name: &Text) -> ResourceKey {
    ResourceKey {
        cluster: ClusterId::local(),
        group: "core.oam.dev".into(),
        kind: "ApplicationRevision".into(),
        namespace: app.namespace.clone(),
        name: name.clone(),
    }
}
