//! The pods of a workflow's step, where the step says which they are.
//!
//! A step's definition may name the source of its log (`op.#Log` of KubeVela's workflow engine, `pkg/providers/util` of
//! kubevela/workflow). The engine keeps that by the step's name, as JSON under `logConfig` (`LogConfig` of its `pkg/types`:
//! fields that are empty are left out), in the ConfigMap that the application's `status.workflow.contextBackend` names,
//! for as long as that run is the application's current one. `vela workflow logs` reads the same.

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

impl Resource {
    /// Where to list what is meant; none: it is one pod, by its name. With labels the engine's own tools look in every
    /// namespace, whichever is given; here the one that is given is taken at its word.
    fn list(&self) -> Option<String> {
        if self.label_selector.is_empty() {
            return None;
        }
        let terms: Vec<String> = self.label_selector.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let place = match &*self.namespace {
            "" => "/api/v1/pods".to_owned(),
            namespace => format!("/api/v1/namespaces/{}/pods", escape(namespace)),
        };
        Some(format!("{place}?labelSelector={}", escape(&terms.join(","))))
    }
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
        if let Some(uri) = resource.list() {
            targets.extend(finder::list(&hub.member(&cluster), &uri, &cluster).await?.0);
        } else {
            let namespace = if resource.namespace.is_empty() { "default" } else { &resource.namespace };
            let pod = PodKey { cluster, namespace: namespace.into(), name: resource.name.as_str().into() };
            targets.push(LogTarget { pod, uid: "".into() });
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
        // The controller writes it among its own lines, with the step's name.
        _ if log.data => Err(format!(
            "it is in that of KubeVela's controller: lateen logs -n vela-system -l app.kubernetes.io/name=vela-core --cluster local --include 'stepName=\"{}\"'",
            printable(step)
        )),
        _ => Err("it names no source".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the engine writes it: of each struct the fields that are not empty, steps by name.
    #[test]
    fn a_steps_log_is_where_it_says() {
        let kept = concat!(
            r#"{"build":{"data":true,"source":{"resources":[{"namespace":"ci","cluster":"foo","labelSelector":{"app":"ci","job":"b"}},"#,
            r#"{"name":"p-0"},{"cluster":"local","labelSelector":{"workflowrun.oam.dev/name":"r"}}]}},"#,
            r#""notify":{"source":{"url":"https://logs.example/1"}},"odd":{"source":{}},"wait":{"data":true},"none":{}}"#
        );
        let found = resources(kept, "build").unwrap();
        assert_eq!(found[0].cluster, "foo");
        let lists: Vec<_> = found.iter().map(Resource::list).collect();
        assert_eq!(lists[0].as_deref(), Some("/api/v1/namespaces/ci/pods?labelSelector=app%3Dci%2Cjob%3Db"));
        assert_eq!((found[1].name.as_str(), &lists[1]), ("p-0", &None));
        assert_eq!(lists[2].as_deref(), Some("/api/v1/pods?labelSelector=workflowrun.oam.dev%2Fname%3Dr"));
        let why = |kept: &str, step: &str| resources(kept, step).err().unwrap();
        assert_eq!(why(kept, "notify"), "it is at https://logs.example/1");
        assert!(why(kept, "wait").contains(r#"--include 'stepName="wait"'"#));
        assert_eq!(
            (why(kept, "odd"), why(kept, "none")),
            ("it names no source".to_owned(), "it names no source".to_owned())
        );
        assert_eq!(why(kept, "x"), "only build, none, notify, odd, wait say where theirs is");
        assert_eq!(why("", "x"), "no step says where its log is");
        assert!(!why("{", "x").is_empty());
    }
}
