//! What is to be said of an object: who it is, how it stands, what matters of its kind, and its events.

use std::time::Duration;

use jiff::Timestamp;
use kube::Client;
use serde_json::Value;

mod kinds;
mod walk;

use super::{
    error::Error,
    object::shown,
    request::{self, escape},
};
use crate::model::{
    health::Health,
    object::{Description, Section, Word},
    resource::ResourceKey,
};

/// Events shown at most; those are the newest.
const EVENTS: usize = 50;
/// What is longer is cut: it is in the YAML.
const LONGEST: usize = 400;

/// The events of an object, newest first; or why there are none.
pub(super) async fn events(
    client: &Client,
    namespace: &str,
    uid: &str,
    deadline: Duration,
) -> Result<Vec<Value>, Error> {
    // What is of no namespace has its events in `default`.
    let namespace = if namespace.is_empty() { "default" } else { namespace };
    let selector = escape(&format!("involvedObject.uid={uid}"));
    let uri = format!("/api/v1/namespaces/{}/events?fieldSelector={selector}&limit=500", escape(namespace));
    let list: Value = request::get_json(client, &uri, deadline).await?;
    let mut events: Vec<Value> = list.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
    events.sort_by_key(|event| std::cmp::Reverse(last_seen(event)));
    Ok(events)
}

fn last_seen(event: &Value) -> Option<Timestamp> {
    let at = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).and_then(|time| time.parse().ok());
    [at("/series/lastObservedTime"), at("/lastTimestamp"), at("/eventTime"), at("/metadata/creationTimestamp")]
        .into_iter()
        .flatten()
        .max()
}

/// Describes an object.
pub(super) fn describe(key: &ResourceKey, object: &Value, events: &Result<Vec<Value>, Error>) -> Description {
    let mut sections = vec![identity(key, object), standing(object)];
    sections.extend(kinds::sections(key, object));
    sections.push(conditions(object));
    sections.push(event_lines(events));
    sections.retain(|section| !section.lines.is_empty());
    Description { sections }
}

fn text<'v>(object: &'v Value, pointer: &str) -> &'v str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn time(object: &Value, pointer: &str) -> Option<Timestamp> {
    text(object, pointer).parse().ok()
}

/// Text of the world, fit for a line.
fn value(text: &str) -> Word {
    Word::Value(cut(text))
}

fn cut(text: &str) -> String {
    let mut text = shown(text);
    if let Some((at, _)) = text.char_indices().nth(LONGEST) {
        text.truncate(at);
        text.push('…');
    }
    text
}

fn pair(name: &str, value: Word) -> Vec<Word> {
    vec![Word::Name(name.to_owned()), value]
}

fn identity(key: &ResourceKey, object: &Value) -> Section {
    let mut lines = vec![
        pair("kind", value(&format!("{} ({})", key.kind, text(object, "/apiVersion")))),
        pair("name", Word::Strong(shown(&key.name))),
    ];
    if !key.namespace.is_empty() {
        lines.push(pair("namespace", value(&key.namespace)));
    }
    lines.push(pair("cluster", value(key.cluster.as_str())));
    if let Some(created) = time(object, "/metadata/creationTimestamp") {
        lines.push(pair("created", Word::Ago(created)));
    }
    if let Some(deleted) = time(object, "/metadata/deletionTimestamp") {
        let mut line = pair("deleted", Word::Standing(Health::Failed, "being deleted, since ".to_owned()));
        line.push(Word::Ago(deleted));
        lines.push(line);
    }
    for (name, pointer) in [("labels", "/metadata/labels"), ("annotations", "/metadata/annotations")] {
        let entries = object.pointer(pointer).and_then(Value::as_object);
        let entries = entries.into_iter().flatten().filter(|(entry, _)| !entry.ends_with("last-applied-configuration"));
        for (at, (entry, text)) in entries.enumerate() {
            let shown = format!("{entry}={}", text.as_str().unwrap_or_default());
            lines.push(pair(if at == 0 { name } else { "" }, value(&shown)));
        }
    }
    for owner in list(object, "/metadata/ownerReferences") {
        lines.push(pair("owner", value(&format!("{}/{}", text(owner, "/kind"), text(owner, "/name")))));
    }
    for finalizer in list(object, "/metadata/finalizers").filter_map(Value::as_str) {
        lines.push(pair("finalizer", value(finalizer)));
    }
    Section { title: String::new(), lines }
}

/// How it stands, where its kind has no rule of its own here: whether its controller has seen it.
fn standing(object: &Value) -> Section {
    let number = |pointer: &str| object.pointer(pointer).and_then(Value::as_i64);
    let mut lines = Vec::new();
    if let (Some(wanted), Some(seen)) = (number("/metadata/generation"), number("/status/observedGeneration"))
        && seen < wanted
    {
        let said = format!("not seen by its controller yet: generation {wanted}, seen {seen}");
        lines.push(vec![Word::Standing(Health::Progressing, said)]);
    }
    Section { title: String::new(), lines }
}

/// The table of conditions, those that say something bad marked.
fn conditions(object: &Value) -> Section {
    let mut lines = Vec::new();
    for condition in list(object, "/status/conditions") {
        let (kind, status) = (text(condition, "/type"), text(condition, "/status"));
        let health = condition_health(kind, status);
        let mut line = vec![match health {
            Health::Ok => Word::Value(cut(&format!("{kind:<24} {status:<8}"))),
            bad => Word::Standing(bad, cut(&format!("{kind:<22} {status:<8}"))),
        }];
        if let Some(since) = time(condition, "/lastTransitionTime") {
            line.push(Word::Ago(since));
        }
        let (reason, message) = (text(condition, "/reason"), text(condition, "/message"));
        if !reason.is_empty() {
            line.push(Word::Name(cut(&format!("  {reason}"))));
        }
        if !message.is_empty() {
            line.push(value(&format!("  {message}")));
        }
        lines.push(line);
    }
    Section { title: "conditions".to_owned(), lines }
}

/// Whether a condition is good or bad: most are good when true; those that name a trouble are bad when true.
fn condition_health(kind: &str, status: &str) -> Health {
    const TROUBLES: [&str; 10] = [
        "Pressure",
        "Unavailable",
        "Failed",
        "Stalled",
        "Degraded",
        "Failure",
        "Disruption",
        "Suspended",
        "Terminating",
        "Resizing",
    ];
    let is_trouble = TROUBLES.iter().any(|word| kind.contains(word));
    match status {
        "Unknown" => Health::Unknown,
        "True" if is_trouble => Health::Failed,
        "False" if !is_trouble => Health::Progressing,
        _ => Health::Ok,
    }
}

/// The items of a list; none where there is no list.
fn list<'v>(object: &'v Value, pointer: &str) -> impl Iterator<Item = &'v Value> {
    object.pointer(pointer).and_then(Value::as_array).into_iter().flatten()
}

fn event_lines(events: &Result<Vec<Value>, Error>) -> Section {
    let mut lines = Vec::new();
    match events {
        Ok(events) if events.is_empty() => lines.push(vec![Word::Name("none".to_owned())]),
        Ok(events) => {
            for event in events.iter().take(EVENTS) {
                let count = event
                    .get("count")
                    .and_then(Value::as_i64)
                    .or_else(|| event.pointer("/series/count").and_then(Value::as_i64));
                let mut line = Vec::new();
                if let Some(at) = last_seen(event) {
                    line.push(Word::Ago(at));
                    line.push(value("  "));
                }
                let reason = cut(text(event, "/reason"));
                line.push(match text(event, "/type") {
                    "Normal" => Word::Value(reason),
                    _ => Word::Standing(Health::Failed, reason),
                });
                if let Some(count) = count.filter(|count| *count > 1) {
                    line.push(Word::Name(format!(" ×{count}")));
                }
                line.push(value(&format!("  {}", text(event, "/message"))));
                lines.push(line);
            }
            if events.len() > EVENTS {
                lines.push(vec![Word::Name(format!("and {} older", events.len() - EVENTS))]);
            }
        }
        Err(error) => lines.push(vec![Word::Standing(Health::Unknown, format!("cannot be told: {error}"))]),
    }
    Section { title: "events".to_owned(), lines }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::key::ClusterId;

    fn key(group: &str, kind: &str) -> ResourceKey {
        ResourceKey {
            cluster: ClusterId::named("foo"),
            group: group.into(),
            kind: kind.into(),
            namespace: "default".into(),
            name: "hello".into(),
        }
    }

    fn told(key: &ResourceKey, object: &Value) -> String {
        let mut text = String::new();
        for section in describe(key, object, &Ok(Vec::new())).sections {
            text.extend(["[", &section.title, "]\n"]);
            for line in section.lines {
                for word in line {
                    match word {
                        Word::Name(word) | Word::Value(word) | Word::Strong(word) => text.push_str(&word),
                        Word::Standing(health, word) => text.extend(["(", health.as_str(), ") ", &word]),
                        Word::Ago(time) => text.push_str(&time.to_string()),
                    }
                    text.push('|');
                }
                text.push('\n');
            }
        }
        text
    }

    #[test]
    fn a_pod_tells_its_containers_states_limits_and_probes() {
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "hello", "ownerReferences": [{"kind": "ReplicaSet", "name": "rs"}]},
            "spec": {"nodeName": "n1", "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "pvc"}}], "containers": [{
                "name": "web", "image": "web:1", "ports": [{"containerPort": 80}],
                "resources": {"requests": {"cpu": "100m"}, "limits": {"memory": "256Mi"}},
                "readinessProbe": {"httpGet": {"path": "/ready", "port": 80}},
                "volumeMounts": [{"name": "data", "mountPath": "/data"}],
                "env": [{"name": "PASSWORD", "value": "hunter2"}],
            }]},
            "status": {"phase": "Running", "podIP": "10.0.0.1", "containerStatuses": [{
                "name": "web", "ready": false, "restartCount": 14,
                "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s"}},
                "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}},
            }], "conditions": [{"type": "Ready", "status": "False", "reason": "ContainersNotReady"}]},
        });
        let told = told(&key("", "Pod"), &pod);
        for words in [
            "owner|ReplicaSet/rs",
            "node|n1",
            "[container web]",
            "image|web:1",
            "(failed) waiting: CrashLoopBackOff: back-off 5m0s",
            "OOMKilled, exit code 137",
            "restarts|14",
            "cpu 100m",
            "memory 256Mi",
            "http-get :80/ready",
            "/data from data",
            "data|persistentVolumeClaim pvc",
            "(progressing) Ready",
            "ContainersNotReady",
        ] {
            assert!(told.contains(words), "{words} is not in:\n{told}");
        }
        assert!(!told.contains("hunter2"), "values of the environment are in the YAML");
    }

    #[test]
    fn kinds_without_a_rule_are_walked_through() {
        let widget = json!({
            "apiVersion": "example.org/v1", "kind": "Widget", "metadata": {"name": "hello", "generation": 3},
            "spec": {"size": 3, "parts": [{"name": "a"}, {"name": "b"}], "tags": ["x", "y"]},
            "status": {"observedGeneration": 2, "phase": "Ready", "conditions": [{"type": "Ready", "status": "True"}]},
        });
        let told = told(&key("example.org", "Widget"), &widget);
        for words in ["[spec]", "size|3", "tags|x, y", "parts[a]", "[status]", "phase|Ready", "generation 3, seen 2"] {
            assert!(told.contains(words), "{words} is not in:\n{told}");
        }
    }

    #[test]
    fn a_deployment_and_a_service_tell_what_matters() {
        let deployment = json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "hello"},
            "spec": {"replicas": 3, "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
                "selector": {"matchLabels": {"app": "hello"}}, "template": {"spec": {"containers": [{"name": "web", "image": "web:2"}]}}},
            "status": {"readyReplicas": 1, "updatedReplicas": 2, "availableReplicas": 1},
        });
        let shown = told(&key("apps", "Deployment"), &deployment);
        for words in [
            "replicas|3 wanted, 2 updated, 1 ready, 1 available",
            "RollingUpdate, surge 1, unavailable 0",
            "app=hello",
            "web:2",
        ] {
            assert!(shown.contains(words), "{words} is not in:\n{shown}");
        }
        let set = json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": "hello-7d"},
            "spec": {"replicas": 2}, "status": {"readyReplicas": 2, "availableReplicas": 1}});
        let shown = told(&key("apps", "ReplicaSet"), &set);
        assert!(shown.contains("replicas|2 wanted, 2 ready, 1 available"), "{shown}");
        let service = json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": "hello"},
            "spec": {"type": "ClusterIP", "clusterIP": "10.1.2.3", "selector": {"app": "hello"},
                "ports": [{"name": "http", "port": 80, "targetPort": 8080, "protocol": "TCP"}]},
        });
        let shown = told(&key("", "Service"), &service);
        for words in ["type|ClusterIP", "10.1.2.3", "http 80 → 8080/TCP", "app=hello"] {
            assert!(shown.contains(words), "{words} is not in:\n{shown}");
        }
    }

    #[test]
    fn of_a_secret_nothing_but_metadata_is_told() {
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "hello", "annotations": {
            "kubectl.kubernetes.io/last-applied-configuration": "{\"data\":{\"a\":\"aHVudGVyMg==\"}}"}}, "data": {"a": "aHVudGVyMg=="}});
        let shown = told(&key("", "Secret"), &secret);
        assert!(!shown.contains("aHVudGVyMg"), "{shown}");
    }
}
