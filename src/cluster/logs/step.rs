//! The pods of a workflow's step, where the step says which they are.
//!
//! A step's definition may name the source of its log (`op.#Log` of KubeVela's workflow engine). The engine keeps that by
//! step, as JSON under `logConfig`, in the ConfigMap that the application's `status.workflow.contextBackend` names, for
//! as long as that run is the application's current one. `vela workflow logs` reads the same.

use std::{collections::BTreeMap, time::Duration};

use serde::Deserialize;
use serde_json::Value;

use super::finder;
use crate::{
    cluster::{
        error::{Class, Error},
        hub::Hub,
        request::{self, escape},
    },
    model::{
        key::{AppKey, ClusterId, PodKey},
        log::LogTarget,
        text::printable,
    },
};

/// Time for an answer.
const ASK: Duration = Duration::from_secs(10);

/// What the engine keeps of a step's log.
#[derive(Default, Deserialize)]
#[serde(default)]
struct StepLog {
    /// Whether the log is the controller's own of this step.
    data: bool,
    source: Option<Source>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Source {
    url: String,
    resources: Vec<Resource>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Resource {
    name: String,
    cluster: String,
    namespace: String,
    label_selector: BTreeMap<String, String>,
}

/// The pods whose logs are the step's.
///
/// # Errors
/// Class `NotFound` where the step says nothing of a log, or of one that is no pod's; else why it cannot be read.
pub async fn of_step(hub: &Hub, app: &AppKey, step: &str) -> Result<Vec<LogTarget>, Error> {
    let client = hub.client();
    let uri = format!("/apis/core.oam.dev/v1beta1/namespaces/{}/applications/{}", app.namespace, app.name);
    let application: Value = request::get_json(&client, &uri, ASK).await?;
    let backend = |field: &str| application.pointer(&format!("/status/workflow/contextBackend/{field}"));
    let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
    let name = text(backend("name"));
    if name.is_empty() {
        return Err(none(app, step, "its workflow has not run"));
    }
    let namespace = Some(text(backend("namespace"))).filter(|namespace| !namespace.is_empty());
    let namespace = namespace.unwrap_or_else(|| app.namespace.to_string());
    let uri = format!("/api/v1/namespaces/{}/configmaps/{}", escape(&namespace), escape(&name));
    let context: Value = request::get_json(&client, &uri, ASK).await?;
    let kept = text(context.pointer("/data/logConfig"));
    let resources = resources(&kept, step).map_err(|why| none(app, step, &why))?;
    let mut targets = Vec::new();
    for resource in resources {
        let cluster = ClusterId::named(&resource.cluster);
        let namespace = if resource.namespace.is_empty() { "default" } else { &resource.namespace };
        if resource.label_selector.is_empty() {
            targets.push(LogTarget {
                pod: PodKey { cluster, namespace: namespace.into(), name: resource.name.as_str().into() },
                uid: "".into(),
            });
        } else {
            let terms: Vec<String> =
                resource.label_selector.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let uri =
                format!("/api/v1/namespaces/{}/pods?labelSelector={}", escape(namespace), escape(&terms.join(",")));
            targets.extend(finder::list(&hub.member(&cluster), &uri, &cluster).await?.0);
        }
    }
    Ok(targets)
}

fn none(app: &AppKey, step: &str, why: &str) -> Error {
    Error::new(Class::NotFound, format!("step {step} of {app} has no log of its own: {why}"))
}

/// Where a step's log is, by what is kept of all; else why it is nowhere.
fn resources(kept: &str, step: &str) -> Result<Vec<Resource>, String> {
    let mut all: BTreeMap<String, StepLog> = if kept.is_empty() {
        BTreeMap::new()
    } else {
        serde_json::from_str(kept).map_err(|error| error.to_string())?
    };
    let Some(log) = all.remove(step) else {
        let others: Vec<String> = all.into_keys().map(|name| printable(&name).into_owned()).collect();
        return Err(match &others[..] {
            [] => "no step says where its log is".to_owned(),
            others => format!("only {} say where theirs is", others.join(", ")),
        });
    };
    match log.source {
        Some(source) if !source.resources.is_empty() => Ok(source.resources),
        Some(source) if !source.url.is_empty() => Err(format!("it is at {}", printable(&source.url))),
        _ if log.data => Err("it is in the log of KubeVela's controller".to_owned()),
        _ => Err("it names no source".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steps_log_is_where_it_says() {
        let kept = r#"{
            "build": {"source": {"resources": [{"cluster": "foo", "namespace": "ci", "labelSelector": {"job": "b"}},
                {"name": "p-0"}]}},
            "notify": {"source": {"url": "https://logs.example/1"}},
            "wait": {"data": true}
        }"#;
        let found = resources(kept, "build").unwrap();
        assert_eq!((found[0].cluster.as_str(), found[0].label_selector["job"].as_str()), ("foo", "b"));
        assert_eq!(found[1].name, "p-0");
        let why = |kept: &str, step: &str| resources(kept, step).err().unwrap();
        assert_eq!(why(kept, "notify"), "it is at https://logs.example/1");
        assert!(why(kept, "wait").contains("controller"));
        assert_eq!(why(kept, "x"), "only build, notify, wait say where theirs is");
        assert_eq!(why("", "x"), "no step says where its log is");
        assert!(!why("{", "x").is_empty());
    }
}
