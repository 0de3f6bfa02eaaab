//! Deployments: one ReplicaSet per pod template, and the rolling update from the old ones to the new.

use serde_json::{Value, json};

use crate::demo::controllers::api;
use crate::demo::controllers::event;
use crate::demo::controllers::naming;
use crate::demo::controllers::object::{self, Object};
use crate::demo::controllers::reconciler::{Round, Write};

const REVISION: &str = "deployment.kubernetes.io/revision";

pub(super) fn reconcile(deployment: &Object, round: &mut Round<'_>) {
    if object::deleting(deployment) {
        return;
    }
    let hash = naming::template_hash(&deployment["spec"]["template"]);
    let mut sets: Vec<Object> = round
        .mirror
        .of(&api::REPLICA_SET, object::namespace(deployment))
        .filter(|set| object::owned_by(set, deployment))
        .map(|set| set.as_ref().clone())
        .collect();
    sets.sort_by_key(revision);
    let current = sets.iter().position(|set| object::label(set, "pod-template-hash") == Some(&hash));
    let Some(current) = current else {
        if !object::flag(deployment, "/spec/paused") {
            create(deployment, &hash, &sets, round);
        }
        return;
    };

    let current = sets.remove(current);
    let newest = sets.last().map_or(0, revision).max(revision(&current));
    if revision(&current) < newest {
        // An older template is wanted again: its ReplicaSet becomes the newest revision.
        let mut again = current.clone();
        object::set(&mut again, &["metadata", "annotations", REVISION], json!((newest + 1).to_string()));
        round.writes.push(Write::Replace(api::REPLICA_SET.clone(), again));
        return;
    }
    if object::annotation(deployment, REVISION) != object::annotation(&current, REVISION) {
        let mut new = deployment.clone();
        object::set(&mut new, &["metadata", "annotations", REVISION], json!(revision(&current).to_string()));
        round.writes.push(Write::Replace(api::DEPLOYMENT.clone(), new));
        return;
    }
    scale(deployment, &current, &sets, round);
    clean_up(deployment, &sets, round);
    round.status(&api::DEPLOYMENT, deployment, status(deployment, &current, &sets));
}

fn wanted(object: &Object) -> i64 {
    object.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or(1)
}

fn revision(set: &Object) -> i64 {
    object::annotation(set, REVISION).and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// A share of the replicas, given as a number or in percent.
fn share(deployment: &Object, field: &str, round_up: bool) -> i64 {
    let all = wanted(deployment);
    let value = deployment.pointer(&format!("/spec/strategy/rollingUpdate/{field}"));
    if let Some(count) = value.and_then(Value::as_i64) {
        return count;
    }
    let percent: i64 =
        value.and_then(Value::as_str).and_then(|text| text.trim_end_matches('%').parse().ok()).unwrap_or(25);
    if round_up { (all * percent + 99) / 100 } else { all * percent / 100 }
}

fn create(deployment: &Object, hash: &str, old: &[Object], round: &mut Round<'_>) {
    let mut template = deployment["spec"]["template"].clone();
    object::set(&mut template, &["metadata", "labels", "pod-template-hash"], json!(hash));
    let mut selector = deployment["spec"]["selector"].clone();
    object::set(&mut selector, &["matchLabels", "pod-template-hash"], json!(hash));
    let number = old.last().map_or(0, revision) + 1;
    let replicas = if old.iter().all(|set| wanted(set) == 0) { wanted(deployment) } else { 0 };
    let name = format!("{}-{hash}", object::name(deployment));
    round.writes.push(Write::Create(
        api::REPLICA_SET.clone(),
        json!({
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "metadata": {
                "name": name,
                "namespace": object::namespace(deployment),
                "labels": template["metadata"]["labels"],
                "annotations": {
                    "deployment.kubernetes.io/desired-replicas": wanted(deployment).to_string(),
                    "deployment.kubernetes.io/max-replicas":
                        (wanted(deployment) + share(deployment, "maxSurge", true)).to_string(),
                    REVISION: number.to_string(),
                },
                "ownerReferences": [object::owner_reference(deployment)],
            },
            "spec": {"replicas": replicas, "selector": selector, "template": template},
        }),
    ));
    event::record(
        round,
        deployment,
        "deployment-controller",
        "ScalingReplicaSet",
        &format!("Scaled up replica set {name} from 0 to {replicas}"),
    );
}

/// Takes the next step of a rolling update: up as far as the surge allows, down as far as availability does.
fn scale(deployment: &Object, current: &Object, old: &[Object], round: &mut Round<'_>) {
    if object::flag(deployment, "/spec/paused") {
        return;
    }
    let all = wanted(deployment);
    let old_total: i64 = old.iter().map(wanted).sum();
    let recreate = object::text(deployment, "/spec/strategy/type") == "Recreate";
    let up = if recreate {
        if old.iter().all(|set| object::number(set, "/status/replicas") == 0) { all } else { 0 }
    } else {
        let room = all + share(deployment, "maxSurge", true) - old_total;
        room.clamp(wanted(current).min(all), all)
    };
    if up != wanted(current) {
        resize(deployment, current, up, round);
    }

    let available = |set: &Object| object::number(set, "/status/availableReplicas");
    let least = if recreate { 0 } else { all - share(deployment, "maxUnavailable", false).max(i64::from(all == 0)) };
    let mut spare = available(current) + old.iter().map(available).sum::<i64>() - least;
    for set in old.iter().filter(|set| wanted(set) > 0) {
        // Pods that are not available anyway go first: they cost nothing.
        let dead = (wanted(set) - available(set)).max(0);
        let fewer = (dead + spare.max(0)).min(wanted(set));
        if fewer > 0 {
            spare -= fewer - dead.min(fewer);
            resize(deployment, set, wanted(set) - fewer, round);
        }
    }
}

fn resize(deployment: &Object, set: &Object, replicas: i64, round: &mut Round<'_>) {
    let from = wanted(set);
    let mut new = set.clone();
    object::set(&mut new, &["spec", "replicas"], json!(replicas));
    round.writes.push(Write::Replace(api::REPLICA_SET.clone(), new));
    let way = if replicas > from { "up" } else { "down" };
    event::record(
        round,
        deployment,
        "deployment-controller",
        "ScalingReplicaSet",
        &format!("Scaled {way} replica set {} from {from} to {replicas}", object::name(set)),
    );
}

fn clean_up(deployment: &Object, old: &[Object], round: &mut Round<'_>) {
    let limit = deployment.pointer("/spec/revisionHistoryLimit").and_then(Value::as_u64).unwrap_or(10) as usize;
    let done: Vec<&Object> =
        old.iter().filter(|set| wanted(set) == 0 && object::number(set, "/status/replicas") == 0).collect();
    for set in done.iter().take(done.len().saturating_sub(limit)) {
        round.writes.push(Write::Delete(api::REPLICA_SET.clone(), (*set).clone().into(), None));
    }
}

fn status(deployment: &Object, current: &Object, old: &[Object]) -> Value {
    let sum = |field: &str| {
        let pointer = format!("/status/{field}");
        object::number(current, &pointer) + old.iter().map(|set| object::number(set, &pointer)).sum::<i64>()
    };
    let (all, updated) = (wanted(deployment), object::number(current, "/status/replicas"));
    let (ready, available) = (sum("readyReplicas"), sum("availableReplicas"));
    let mut status = json!({
        "observedGeneration": object::number(deployment, "/metadata/generation"),
        "replicas": sum("replicas"),
        "updatedReplicas": updated,
    });
    if ready > 0 {
        status["readyReplicas"] = json!(ready);
    }
    if available > 0 {
        status["availableReplicas"] = json!(available);
    }
    if all > available {
        status["unavailableReplicas"] = json!(all - available);
    }

    let now = object::now();
    let mut conditions = object::list(deployment, "/status/conditions").to_vec();
    let enough = available >= all - share(deployment, "maxUnavailable", false);
    let done = updated == all && sum("replicas") == all && available == all;
    let set = object::name(current);
    for (kind, status, reason, message) in [
        if enough {
            ("Available", "True", "MinimumReplicasAvailable", "Deployment has minimum availability.".to_owned())
        } else {
            (
                "Available",
                "False",
                "MinimumReplicasUnavailable",
                "Deployment does not have minimum availability.".to_owned(),
            )
        },
        if done {
            (
                "Progressing",
                "True",
                "NewReplicaSetAvailable",
                format!("ReplicaSet \"{set}\" has successfully progressed."),
            )
        } else {
            ("Progressing", "True", "ReplicaSetUpdated", format!("ReplicaSet \"{set}\" is progressing."))
        },
    ] {
        let unchanged = conditions.iter().any(|old| {
            object::text(old, "/type") == kind
                && object::text(old, "/status") == status
                && object::text(old, "/reason") == reason
        });
        if !unchanged {
            object::put_condition(
                &mut conditions,
                json!({
                    "type": kind, "status": status, "reason": reason, "message": message,
                    "lastTransitionTime": now, "lastUpdateTime": now,
                }),
            );
        }
    }
    status["conditions"] = Value::Array(conditions);
    status
}
