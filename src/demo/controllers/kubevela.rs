//! What KubeVela does on the hub: for each Application a revision, a workflow, trackers, and objects in the
//! clusters that it names, which it reaches through the hub's own gateway path, as the real one does.
//!
//! Every application has a task of its own, so that a cluster which hangs holds up only what goes there.

mod application;
mod dispatch;
mod health;
mod merge;
mod placement;
mod render;
mod revision;
mod step;
mod tracker;
mod workflow;

use std::collections::HashMap;
use std::time::Duration;

use futures::{StreamExt, pin_mut};
use kube::core::DynamicObject;
use kube::runtime::watcher;
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};

use super::Pace;
use super::api::{self, Cluster};
use super::object::{self, Object};
use super::reconciler;

struct Follower {
    newest: watch::Sender<Object>,
    task: AbortHandle,
}

/// Runs KubeVela's controller until the future is dropped.
pub(super) async fn run(hub: Cluster, pace: Pace) {
    let kind = &api::APPLICATION;
    let applications: kube::Api<DynamicObject> = kube::Api::all_with(hub.client(), &kind.resource());
    let events = watcher(applications, watcher::Config::default());
    pin_mut!(events);
    let mut followers: HashMap<(String, String), Follower> = HashMap::new();
    let mut tasks = JoinSet::new();
    while let Some(event) = events.next().await {
        match event {
            Ok(watcher::Event::Apply(object) | watcher::Event::InitApply(object)) => {
                let Some(object) = reconciler::value(kind, &object) else { continue };
                let key = key(&object);
                let told = followers.get(&key).is_some_and(|follower| follower.newest.send(object.clone()).is_ok());
                if !told {
                    let (newest, seen) = watch::channel(object);
                    let task = tasks.spawn(application::follow(hub.clone(), pace, seen));
                    followers.insert(key, Follower { newest, task });
                }
            }
            Ok(watcher::Event::Delete(object)) => {
                let gone = reconciler::value(kind, &object).and_then(|object| followers.remove(&key(&object)));
                if let Some(follower) = gone {
                    follower.task.abort();
                }
            }
            Ok(watcher::Event::Init | watcher::Event::InitDone) => {}
            Err(error) => {
                tracing::debug!(%error, "the estate's KubeVela cannot watch applications");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
        while tasks.try_join_next().is_some() {}
    }
}

fn key(object: &Object) -> (String, String) {
    (object::namespace(object).to_owned(), object::name(object).to_owned())
}
