//! What Kubernetes itself does in a cluster: the controllers of Deployments, ReplicaSets and Services, a
//! scheduler, and a kubelet that has no containers but says what one would say.
//!
//! They run in the estate's clusters only. A real API server brings its own.

mod deployment;
mod pod;
mod replica_set;
mod service;

use super::api::{self, Kind};
use super::object::{self, Object};
use super::reconciler::{self, Controller, Key, Mirror, Round};

/// All of them, in one loop per cluster.
pub(super) struct Kubernetes;

impl Controller for Kubernetes {
    fn kinds(&self) -> Vec<(&'static Kind, &'static str)> {
        vec![
            (&api::NODE, ""),
            (&api::DEPLOYMENT, ""),
            (&api::REPLICA_SET, ""),
            (&api::POD, ""),
            (&api::SERVICE, ""),
            (&api::ENDPOINT_SLICE, ""),
        ]
    }

    fn reconcile(&mut self, object: &Object, round: &mut Round<'_>) {
        match object::text(object, "/kind") {
            "Deployment" => deployment::reconcile(object, round),
            "ReplicaSet" => replica_set::reconcile(object, round),
            "Pod" => pod::reconcile(object, round),
            "Service" => service::reconcile(object, round),
            _ => {}
        }
    }

    fn concerns(&self, object: &Object, mirror: &Mirror) -> Vec<Key> {
        let mut keys: Vec<Key> = reconciler::controller_key(object).into_iter().collect();
        match object::text(object, "/kind") {
            "Pod" => keys.extend(
                mirror
                    .of(&api::SERVICE, object::namespace(object))
                    .filter(|service| {
                        object::matches(service.pointer("/spec/selector"), object.pointer("/metadata/labels"))
                    })
                    .filter_map(|service| reconciler::key(service)),
            ),
            "ReplicaSet" => keys.extend(
                mirror
                    .of(&api::POD, object::namespace(object))
                    .filter(|pod| object::owned_by(pod, object))
                    .filter_map(|pod| reconciler::key(pod)),
            ),
            "Deployment" => keys.extend(
                mirror
                    .of(&api::REPLICA_SET, object::namespace(object))
                    .filter(|set| object::owned_by(set, object))
                    .filter_map(|set| reconciler::key(set)),
            ),
            // A node that comes, or becomes ready, is what unscheduled pods wait for; also the very first one,
            // when its list comes later than that of the pods.
            "Node" => keys.extend(
                mirror
                    .all(&api::POD)
                    .filter(|pod| object::text(pod, "/spec/nodeName").is_empty())
                    .filter_map(|pod| reconciler::key(pod)),
            ),
            _ => {}
        }
        keys
    }
}

#[cfg(test)]
mod tests;
