//! What KubeVela does on the hub: for each Application a revision, a workflow, trackers, and objects in the
//! clusters that it names, which it reaches through the hub's own gateway path, as the real one does.
//!
//! Every application has a task of its own, so that a cluster which hangs holds up only what goes there.

mod application;
mod condition;
mod context;
mod dispatch;
mod expression;
mod health;
mod merge;
pub(crate) mod placed;
mod placement;
mod plan;
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
use super::naming;
use super::object::{self, Object};
use super::reconciler::{self, PLACED};

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
    let mut asleep: HashMap<(String, String), u64> = HashMap::new();
    let mut tasks = JoinSet::new();
    while let Some(event) = events.next().await {
        match event {
            Ok(watcher::Event::Apply(object) | watcher::Event::InitApply(object)) => {
                let Some(object) = reconciler::value(kind, &object) else { continue };
                let key = key(&object);
                // What was placed sleeps until somebody wants something of it: thousands cost nothing.
                if object::label(&object, PLACED).is_some() && !followers.contains_key(&key) {
                    let pulse = pulse(&object);
                    if asleep.insert(key.clone(), pulse).is_none_or(|before| before == pulse) {
                        continue;
                    }
                    asleep.remove(&key);
                }
                let told = followers.get(&key).is_some_and(|follower| follower.newest.send(object.clone()).is_ok());
                if !told {
                    let (newest, seen) = watch::channel(object);
                    let task = tasks.spawn(application::follow(hub.clone(), pace, seen));
                    followers.insert(key, Follower { newest, task });
                }
            }
            Ok(watcher::Event::Delete(object)) => {
                let Some(object) = reconciler::value(kind, &object) else { continue };
                asleep.remove(&key(&object));
                if let Some(follower) = followers.remove(&key(&object)) {
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

/// What KubeVela's controller looks at to tell whether a change concerns it: the spec and the metadata that people
/// write, and of the status the flags of the workflow.
fn pulse(object: &Object) -> u64 {
    let workflow = &object["status"]["workflow"];
    let metadata = &object["metadata"];
    let parts = [
        &metadata["generation"],
        &metadata["deletionTimestamp"],
        &metadata["annotations"],
        &metadata["labels"],
        &workflow["suspend"],
        &workflow["terminated"],
        &workflow["finished"],
    ];
    naming::hash(&parts.map(naming::canonical).concat())
}

fn key(object: &Object) -> (String, String) {
    (object::namespace(object).to_owned(), object::name(object).to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_flags_of_a_workflow_are_a_persons_word_and_its_steps_are_not() {
        let application =
            json!({"metadata": {"generation": 1}, "status": {"workflow": {"suspend": true, "steps": []}}});
        let mut stepped = application.clone();
        stepped["status"]["workflow"]["steps"] = json!([{"name": "a"}]);
        assert_eq!(pulse(&application), pulse(&stepped));
        let mut resumed = application.clone();
        resumed["status"]["workflow"]["suspend"] = json!(false);
        assert_ne!(pulse(&application), pulse(&resumed));
        let mut restarted = application.clone();
        restarted["status"]["workflow"] = json!(null);
        assert_ne!(pulse(&application), pulse(&restarted));
    }
}
