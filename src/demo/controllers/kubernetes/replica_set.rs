//! ReplicaSets: as many pods as are wanted, no more and no fewer.

use serde_json::json;

use crate::demo::controllers::api;
use crate::demo::controllers::event;
use crate::demo::controllers::naming;
use crate::demo::controllers::object::{self, Object};
use crate::demo::controllers::reconciler::{Round, Write};

pub(super) fn reconcile(set: &Object, round: &mut Round<'_>) {
    if object::deleting(set) {
        return;
    }
    let mut pods: Vec<Object> = round
        .mirror
        .of(&api::POD, object::namespace(set))
        .filter(|pod| object::owned_by(pod, set) && !object::deleting(pod))
        .filter(|pod| !matches!(object::text(pod, "/status/phase"), "Failed" | "Succeeded"))
        .map(|pod| pod.as_ref().clone())
        .collect();
    let wanted = object::number(set, "/spec/replicas").max(0) as usize;
    if pods.len() < wanted {
        for _ in pods.len()..wanted {
            create(set, round);
        }
    } else {
        // The worst go first: unscheduled, then not ready, then the youngest.
        pods.sort_by_key(|pod| {
            (
                object::is_true(pod, "Ready"),
                !object::text(pod, "/spec/nodeName").is_empty(),
                std::cmp::Reverse(object::version(pod)),
            )
        });
        let spare = pods.len() - wanted;
        for pod in pods.drain(..spare) {
            event::record(
                round,
                set,
                "replicaset-controller",
                "SuccessfulDelete",
                &format!("Deleted pod: {}", object::name(&pod)),
            );
            round.writes.push(Write::Delete(api::POD.clone(), pod.into(), None));
        }
    }
    let ready = pods.iter().filter(|pod| object::is_true(pod, "Ready")).count();
    let mut status = json!({
        "observedGeneration": object::number(set, "/metadata/generation"),
        "replicas": pods.len(),
        "fullyLabeledReplicas": pods.len(),
    });
    if ready > 0 {
        status["readyReplicas"] = json!(ready);
        status["availableReplicas"] = json!(ready);
    }
    round.status(&api::REPLICA_SET, set, status);
}

fn create(set: &Object, round: &mut Round<'_>) {
    let made = round.writes.len();
    let seed = format!("{}/{}/{made}", object::uid(set), object::version(set));
    let name = format!("{}-{}", object::name(set), naming::suffix(&seed, 5));
    let template = &set["spec"]["template"];
    let mut metadata = template["metadata"].clone();
    object::set(&mut metadata, &["name"], json!(name));
    object::set(&mut metadata, &["generateName"], json!(format!("{}-", object::name(set))));
    object::set(&mut metadata, &["namespace"], json!(object::namespace(set)));
    object::set(&mut metadata, &["ownerReferences"], json!([object::owner_reference(set)]));
    object::unset(&mut metadata, &["creationTimestamp"]);
    let mut spec = template["spec"].clone();
    for (key, default) in [
        ("restartPolicy", "Always"),
        ("serviceAccountName", "default"),
        ("dnsPolicy", "ClusterFirst"),
        ("schedulerName", "default-scheduler"),
    ] {
        if spec[key].is_null() {
            spec[key] = json!(default);
        }
    }
    round.writes.push(Write::Create(
        api::POD.clone(),
        json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": metadata,
            "spec": spec,
            "status": {"phase": "Pending"},
        }),
    ));
    event::record(round, set, "replicaset-controller", "SuccessfulCreate", &format!("Created pod: {name}"));
}
