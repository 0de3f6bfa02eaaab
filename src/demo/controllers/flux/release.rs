//! helm-controller: a HelmRelease becomes a chart's objects, and is ready when their pods are.

use std::time::Duration;

use serde_json::{Value, json};

use super::{chart, condition, generation, observed};
use crate::demo::controllers::api::{self, Kind};
use crate::demo::controllers::event;
use crate::demo::controllers::object::{self, Object};
use crate::demo::controllers::reconciler::{Round, Write};

/// Labels that helm-controller puts on what a release makes; not on pods.
pub(super) const NAME_LABEL: &str = "helm.toolkit.fluxcd.io/name";
pub(super) const NAMESPACE_LABEL: &str = "helm.toolkit.fluxcd.io/namespace";

/// A release with this annotation fails, whatever it has; without it, it is tried again.
const FAIL: &str = "estate.lateen.dev/fail";

/// From a chart that is there to Helm's first object.
const START: Duration = Duration::from_millis(300);

pub(super) fn reconcile(release: &Object, round: &mut Round<'_>) {
    if object::deleting(release) {
        uninstall(release, round);
        return;
    }
    if super::finalize(&api::HELM_RELEASE, release, round) {
        return;
    }
    if object::annotation(release, FAIL).is_some() {
        let mut released = release.clone();
        object::unset(&mut released, &["status", "lastAttemptedValuesChecksum"]);
        fail(release, failed(&released), round);
        return;
    }
    let attempted = release.pointer("/status/lastAttemptedValuesChecksum").is_some();
    let settled = object::condition(release, "Ready").is_some_and(|ready| {
        object::text(ready, "/status") == "True"
            || (attempted && object::text(ready, "/message").ends_with("retries exhausted"))
    });
    if observed(release) && settled {
        return;
    }
    let Some(ready) = chart_of(release, round) else {
        return;
    };
    if ready {
        install(release, round);
        return;
    }
    if !observed(release) {
        let message = "Reconciliation in progress";
        progress(release, "Unknown", "Progressing", message, round);
    } else if round.elapsed(release, &format!("chart/{}", generation(release)), START) {
        let message = format!("HelmChart '{}/{}' is not ready", object::namespace(release), chart_name(release));
        if object::condition(release, "Ready").is_none_or(|ready| ready["message"] != message) {
            event::record(round, release, "helm-controller", "info", &message);
        }
        progress(release, "False", "ArtifactFailed", &message, round);
    }
}

fn chart_name(release: &Object) -> String {
    format!("{}-{}", object::namespace(release), object::name(release))
}

/// Keeps the release's HelmChart as the release wants it; `Some(true)` when it has been pulled.
fn chart_of(release: &Object, round: &mut Round<'_>) -> Option<bool> {
    let wanted = &release["spec"]["chart"]["spec"];
    let mut spec = json!({
        "chart": wanted["chart"],
        "interval": wanted["interval"].as_str().unwrap_or("1m0s"),
        "reconcileStrategy": wanted["reconcileStrategy"].as_str().unwrap_or("ChartVersion"),
        "sourceRef": {"kind": "HelmRepository", "name": wanted["sourceRef"]["name"]},
        "version": wanted["version"].as_str().unwrap_or("*"),
    });
    if wanted["valuesFiles"].is_array() {
        spec["valuesFiles"] = wanted["valuesFiles"].clone();
    }
    let space = object::namespace(release);
    let Some(chart) = round.mirror.get(&api::HELM_CHART, space, &chart_name(release)).cloned() else {
        round.writes.push(Write::Create(
            api::HELM_CHART.clone(),
            json!({
                "apiVersion": api::HELM_CHART.api_version,
                "kind": "HelmChart",
                "metadata": {"name": chart_name(release), "namespace": space},
                "spec": spec,
            }),
        ));
        return Some(false);
    };
    if chart["spec"] != spec {
        let mut new = chart.as_ref().clone();
        new["spec"] = spec;
        round.writes.push(Write::Replace(api::HELM_CHART.clone(), new));
        return None;
    }
    Some(observed(&chart) && object::is_true(&chart, "Ready"))
}

fn progress(release: &Object, ready: &str, reason: &str, message: &str, round: &mut Round<'_>) {
    let mut status = release["status"].clone();
    object::set(&mut status, &["observedGeneration"], json!(generation(release)));
    object::set(&mut status, &["helmChart"], json!(format!("{}/{}", object::namespace(release), chart_name(release))));
    status["conditions"] = json!([plain(condition(release, "Ready", ready, reason, message))]);
    round.status(&api::HELM_RELEASE, release, status);
}

/// helm-controller 0.36 writes no observedGeneration into its conditions.
fn plain(mut condition: Value) -> Value {
    object::unset(&mut condition, &["observedGeneration"]);
    condition
}

/// Installs or upgrades: writes the chart's objects, waits for them as `helm --wait` does, and says how it went.
fn install(release: &Object, round: &mut Round<'_>) {
    let values = &release["spec"]["values"];
    let checksum = chart::values_checksum(&json!([values, release["spec"]["chart"]["spec"]]));
    let first = release.pointer("/status/lastAppliedRevision").is_none();
    let attempt = &release["status"]["lastAttemptedValuesChecksum"];
    if attempt != &json!(checksum) || !observed(release) {
        let message = "Reconciliation in progress";
        let mut status = release["status"].clone();
        object::set(&mut status, &["observedGeneration"], json!(generation(release)));
        status["helmChart"] = json!(format!("{}/{}", object::namespace(release), chart_name(release)));
        status["conditions"] = json!([plain(condition(release, "Ready", "Unknown", "Progressing", message))]);
        status["lastAttemptedValuesChecksum"] = json!(checksum);
        status["lastAttemptedRevision"] = json!(version_of(release));
        object::unset(&mut status, &["failures"]);
        object::unset(&mut status, &["installFailures"]);
        object::unset(&mut status, &["upgradeFailures"]);
        let started = if first { "Helm install has started" } else { "Helm upgrade has started" };
        event::record(round, release, "helm-controller", "info", started);
        round.status(&api::HELM_RELEASE, release, status);
        return;
    }
    if !round.elapsed(release, &format!("start/{checksum}"), START) {
        return;
    }
    let Some(manifests) = render(release, round) else {
        return;
    };
    let mut complete = true;
    for manifest in manifests {
        complete &= ensure(&manifest, round);
    }
    if complete {
        let word = if first {
            ("InstallSucceeded", "Helm install succeeded")
        } else {
            ("UpgradeSucceeded", "Helm upgrade succeeded")
        };
        let mut status = release["status"].clone();
        status["conditions"] = json!([
            plain(condition(release, "Ready", "True", "ReconciliationSucceeded", "Release reconciliation succeeded")),
            plain(condition(release, "Released", "True", word.0, word.1)),
        ]);
        status["lastAppliedRevision"] = status["lastAttemptedRevision"].clone();
        status["lastReleaseRevision"] = json!(object::number(release, "/status/lastReleaseRevision") + 1);
        event::record(round, release, "helm-controller", "info", word.1);
        round.status(&api::HELM_RELEASE, release, status);
        return;
    }
    let patience = patience(object::text(release, "/spec/timeout"));
    if round.elapsed(release, &format!("wait/{checksum}"), patience) {
        fail(release, failed(release), round);
    }
}

/// Writes that a release has failed, and says so once.
fn fail(release: &Object, status: Value, round: &mut Round<'_>) {
    if release["status"] != status {
        for at in [1, 0] {
            let said = object::text(&status["conditions"][at], "/message");
            let said = if at == 0 { format!("reconciliation failed: {said}") } else { said.to_owned() };
            event::record(round, release, "helm-controller", "error", &said);
        }
    }
    round.status(&api::HELM_RELEASE, release, status);
}

fn version_of(release: &Object) -> Value {
    release["spec"]["chart"]["spec"]["version"].clone()
}

fn render(release: &Object, round: &Round<'_>) -> Option<Vec<Value>> {
    let spec = &release["spec"]["chart"]["spec"];
    let space = object::namespace(release);
    let source = object::text(spec, "/sourceRef/name");
    let repository = round.mirror.get(&api::HELM_REPOSITORY, space, source)?;
    let chart = chart::find(
        object::text(repository, "/spec/url"),
        object::text(spec, "/chart"),
        object::text(spec, "/version"),
    )
    .ok()?;
    let files: Vec<&str> = object::list(spec, "/valuesFiles").iter().filter_map(Value::as_str).collect();
    Some(chart.render(object::name(release), space, &files, &release["spec"]["values"]))
}

/// Writes one object of the chart if it is not as wanted; `true` when it is there and ready.
fn ensure(manifest: &Value, round: &mut Round<'_>) -> bool {
    let kind = Kind::of(manifest);
    let (space, name) = (object::namespace(manifest), object::name(manifest));
    let Some(live) = round.mirror.get(&kind, space, name).cloned() else {
        round.writes.push(Write::Create(kind, manifest.clone()));
        return false;
    };
    if !object::covers(&live, manifest) || live["data"] != manifest["data"] {
        let mut new = live.as_ref().clone();
        object::overlay(&mut new, manifest);
        if manifest["data"].is_object() {
            new["data"] = manifest["data"].clone();
        }
        round.writes.push(Write::Replace(kind, new));
        return false;
    }
    let (status, spec) = (&live["status"], &live["spec"]);
    kind != api::DEPLOYMENT
        || (status["observedGeneration"] == live["metadata"]["generation"]
            && status["updatedReplicas"] == spec["replicas"]
            && status["availableReplicas"].as_i64().unwrap_or(0) >= spec["replicas"].as_i64().unwrap_or(1))
}

/// The status of a release whose retries are used up.
fn failed(release: &Object) -> Value {
    let first = release.pointer("/status/lastAppliedRevision").is_none();
    let (word, reason) = if first { ("install", "InstallFailed") } else { ("upgrade", "UpgradeFailed") };
    let retries = object::number(release, &format!("/spec/{word}/remediation/retries"));
    let mut status = release["status"].clone();
    object::set(&mut status, &["observedGeneration"], json!(generation(release)));
    status["conditions"] = json!([
        plain(condition(release, "Ready", "False", reason, &format!("{word} retries exhausted"))),
        plain(condition(
            release,
            "Released",
            "False",
            reason,
            &format!("Helm {word} failed: timed out waiting for the condition")
        )),
    ]);
    status["failures"] = json!(retries + 1);
    status[format!("{word}Failures")] = json!(retries + 1);
    status["lastReleaseRevision"] = json!(object::number(release, "/status/lastReleaseRevision").max(1));
    status
}

/// Helm's timeout, written as Go writes durations (`10m`, `1m30s`); five minutes where there is none.
fn patience(text: &str) -> Duration {
    text.parse::<jiff::SignedDuration>()
        .ok()
        .and_then(|given| Duration::try_from(given).ok())
        .unwrap_or(Duration::from_secs(300))
}

/// Takes away what the release made, then lets go of it. By label and not by rendering the chart again: as with Helm,
/// whose release remembers, the repository may be gone already.
fn uninstall(release: &Object, round: &mut Round<'_>) {
    if !object::has_finalizer(release, super::FINALIZER) {
        return;
    }
    let (space, name) = (object::namespace(release), object::name(release));
    for kind in [&api::DEPLOYMENT, &api::SERVICE, &api::CONFIG_MAP, &api::SERVICE_ACCOUNT] {
        let made = round.mirror.of(kind, space).filter(|one| {
            object::label(one, NAME_LABEL) == Some(name) && object::label(one, NAMESPACE_LABEL) == Some(space)
        });
        round.writes.extend(made.map(|one| Write::Delete(kind.clone(), one.clone(), None)));
    }
    if let Some(chart) = round.mirror.get(&api::HELM_CHART, space, &chart_name(release)) {
        round.writes.push(Write::Delete(api::HELM_CHART.clone(), chart.clone(), None));
    }
    let mut free = release.clone();
    object::remove_finalizer(&mut free, super::FINALIZER);
    round.writes.push(Write::Replace(api::HELM_RELEASE.clone(), free));
}
