//! What Flux does in a cluster: source-controller fetches repositories and charts, helm-controller installs and
//! upgrades releases. Two charts exist, those of the KubeVela tutorial (see [`chart`]).

mod chart;
mod release;

use std::time::Duration;

use serde_json::json;

use super::api::{self, Kind};
use super::event;
use super::naming;
use super::object::{self, Object};
use super::reconciler::{self, Controller, Key, Mirror, Round, Write};

const FINALIZER: &str = "finalizers.fluxcd.io";
const FETCH: Duration = Duration::from_millis(900);
const PULL: Duration = Duration::from_millis(700);

/// source-controller and helm-controller, in one loop per cluster.
pub(super) struct Flux;

impl Controller for Flux {
    fn kinds(&self) -> Vec<(&'static Kind, &'static str)> {
        vec![
            (&api::HELM_REPOSITORY, ""),
            (&api::HELM_CHART, ""),
            (&api::HELM_RELEASE, ""),
            (&api::SERVICE_ACCOUNT, release::NAME_LABEL),
            (&api::CONFIG_MAP, release::NAME_LABEL),
            (&api::SERVICE, release::NAME_LABEL),
            (&api::DEPLOYMENT, release::NAME_LABEL),
        ]
    }

    fn reconcile(&mut self, object: &Object, round: &mut Round<'_>) {
        match object::text(object, "/kind") {
            "HelmRepository" => repository(object, round),
            "HelmChart" => pull(object, round),
            "HelmRelease" => release::reconcile(object, round),
            _ => {}
        }
    }

    fn concerns(&self, object: &Object, mirror: &Mirror) -> Vec<Key> {
        let space = object::namespace(object);
        let all = |kind| mirror.of(kind, space).filter_map(|one| reconciler::key(one));
        match object::text(object, "/kind") {
            "HelmRepository" => all(&api::HELM_CHART).chain(all(&api::HELM_RELEASE)).collect(),
            "HelmChart" => all(&api::HELM_RELEASE).collect(),
            "HelmRelease" => Vec::new(),
            _ => object::label(object, release::NAME_LABEL)
                .map(|name| {
                    let space = object::label(object, release::NAMESPACE_LABEL).unwrap_or(space);
                    vec![("HelmRelease", space.to_owned(), name.to_owned())]
                })
                .unwrap_or_default(),
        }
    }
}

/// Adds Flux's finalizer, or lets go of an object that is being deleted; `true` when that was all there was to do.
fn finalize(kind: &Kind, object: &Object, round: &mut Round<'_>) -> bool {
    if object::deleting(object) {
        if object::has_finalizer(object, FINALIZER) {
            let mut free = object.clone();
            object::remove_finalizer(&mut free, FINALIZER);
            round.writes.push(Write::Replace(kind.clone(), free));
        }
        return true;
    }
    if object::has_finalizer(object, FINALIZER) {
        return false;
    }
    let mut kept = object.clone();
    object::add_finalizer(&mut kept, FINALIZER);
    round.writes.push(Write::Replace(kind.clone(), kept));
    true
}

fn generation(object: &Object) -> i64 {
    object::number(object, "/metadata/generation")
}

/// Whether the status speaks of the newest generation.
fn observed(object: &Object) -> bool {
    object.pointer("/status/observedGeneration") == object.pointer("/metadata/generation")
        && !object::list(object, "/status/conditions").is_empty()
}

/// One of Flux's conditions, its time kept while its status stays.
fn condition(object: &Object, kind: &str, status: &str, reason: &str, message: &str) -> serde_json::Value {
    let since = object::condition(object, kind)
        .filter(|old| object::text(old, "/status") == status)
        .map_or_else(|| json!(object::now()), |old| old["lastTransitionTime"].clone());
    json!({
        "lastTransitionTime": since,
        "message": message,
        "observedGeneration": generation(object),
        "reason": reason,
        "status": status,
        "type": kind,
    })
}

fn repository(object: &Object, round: &mut Round<'_>) {
    if finalize(&api::HELM_REPOSITORY, object, round) || (observed(object) && object::is_true(object, "Ready")) {
        return;
    }
    let generation = generation(object);
    if !round.elapsed(object, &format!("fetch/{generation}"), FETCH) {
        return;
    }
    let url = object::text(object, "/spec/url");
    let (space, name) = (object::namespace(object), object::name(object));
    let ready = |status, reason, message: &str| {
        json!([
            condition(object, "Ready", status, reason, message),
            condition(object, "ArtifactInStorage", status, reason, message),
        ])
    };
    let mut status = json!({"observedGeneration": generation});
    if chart::serves(url) {
        let index = naming::digest(url, 64);
        let path = format!("helmrepository/{space}/{name}/index-{index}.yaml");
        let message = format!("stored artifact: revision 'sha256:{index}'");
        status["artifact"] = json!({
            "digest": format!("sha256:{}", naming::digest(&index, 64)),
            "lastUpdateTime": object::now(),
            "path": path,
            "revision": format!("sha256:{index}"),
            "size": 876,
            "url": format!("http://source-controller.flux-system.svc.cluster.local./{path}"),
        });
        status["conditions"] = ready("True", "Succeeded", &message);
        let stored = format!("stored fetched index of size 876B from '{url}'");
        event::record(round, object, "source-controller", "NewArtifact", &stored);
        status["url"] = json!(format!(
            "http://source-controller.flux-system.svc.cluster.local./helmrepository/{space}/{name}/index.yaml"
        ));
    } else {
        let host = url.split("://").nth(1).unwrap_or(url);
        let host = host.split('/').next().unwrap_or(host);
        let message = format!(
            "failed to fetch Helm repository index: failed to cache index to temporary file: \
             Get \"{}/index.yaml\": dial tcp: lookup {host}: no such host",
            url.trim_end_matches('/')
        );
        status["conditions"] = json!([
            condition(object, "Ready", "False", "IndexationFailed", &message),
            condition(object, "FetchFailed", "True", "IndexationFailed", &message),
        ]);
        if object::condition(object, "Ready").is_none_or(|ready| ready["message"] != message) {
            event::record(round, object, "source-controller", "IndexationFailed", &message);
        }
    }
    round.status(&api::HELM_REPOSITORY, object, status);
}

fn pull(object: &Object, round: &mut Round<'_>) {
    if finalize(&api::HELM_CHART, object, round) || observed(object) {
        return;
    }
    let source = object::text(object, "/spec/sourceRef/name");
    let Some(repository) = round.mirror.get(&api::HELM_REPOSITORY, object::namespace(object), source).cloned() else {
        return;
    };
    let generation = generation(object);
    let artifact = repository.pointer("/status/artifact/revision").cloned();
    let Some(artifact) = artifact.filter(|_| observed(&repository)) else {
        return;
    };
    if !round.elapsed(object, &format!("pull/{generation}"), PULL) {
        return;
    }
    let (space, name) = (object::namespace(object), object::name(object));
    let (wanted, version) = (object::text(object, "/spec/chart"), object::text(object, "/spec/version"));
    let mut status = json!({
        "observedGeneration": generation,
        "observedSourceArtifactRevision": artifact,
    });
    match chart::find(object::text(&repository, "/spec/url"), wanted, version) {
        Ok(chart) => {
            let path = format!("helmchart/{space}/{name}/{wanted}-{}.tgz", chart.version);
            let message = format!("pulled '{wanted}' chart with version '{}'", chart.version);
            let host = "http://source-controller.flux-system.svc.cluster.local.";
            status["artifact"] = json!({
                "digest": format!("sha256:{}", naming::digest(&path, 64)),
                "lastUpdateTime": object::now(),
                "path": path,
                "revision": chart.version,
                "size": 844,
                "url": format!("{host}/{path}"),
            });
            status["observedChartName"] = json!(wanted);
            status["conditions"] = json!([
                condition(object, "Ready", "True", "ChartPullSucceeded", &message),
                condition(object, "ArtifactInStorage", "True", "ChartPullSucceeded", &message),
            ]);
            status["url"] = json!(format!("{host}/helmchart/{space}/{name}/latest.tar.gz"));
            event::record(round, object, "source-controller", "ChartPullSucceeded", &message);
        }
        Err(why) => {
            let message = format!("invalid chart reference: failed to get chart version for remote reference: {why}");
            status["conditions"] = json!([
                condition(object, "Ready", "False", "InvalidChartReference", &message),
                condition(object, "FetchFailed", "True", "InvalidChartReference", &message),
            ]);
            event::record(round, object, "source-controller", "InvalidChartReference", &message);
        }
    }
    round.status(&api::HELM_CHART, object, status);
}

#[cfg(test)]
mod tests;
