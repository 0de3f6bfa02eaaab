//! What matters of the kinds that people look at most.

use serde_json::Value;

use super::{
    Section, Word, cut, list, pair, text, time, value,
    walk::{self, plain},
};
use crate::model::{health::Health, resource::ResourceKey};

/// The sections of a kind's own.
pub(super) fn sections(key: &ResourceKey, object: &Value) -> Vec<Section> {
    match (&*key.group, &*key.kind) {
        ("", "Pod") => pod(object),
        ("apps", "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet") => workload(object),
        ("", "Service") => vec![service(object)],
        ("", "PersistentVolumeClaim") => vec![claim(object)],
        ("", "Node") => vec![node(object)],
        ("", "ConfigMap") => vec![config(object)],
        // Its content is not fetched for this, and would not be shown.
        ("", "Secret") => vec![Section {
            title: "data".to_owned(),
            lines: vec![vec![Word::Name("not fetched: y, then r asks for it".to_owned())]],
        }],
        ("core.oam.dev", "Application") => application(object),
        ("helm.toolkit.fluxcd.io", "HelmRelease") => release(object),
        _ => vec![
            walk::section("spec", object.get("spec"), &[]),
            walk::section("status", object.get("status"), &["conditions", "observedGeneration"]),
        ],
    }
}

/// Lines for the values that are there.
fn facts(object: &Value, wanted: &[(&str, &str)]) -> Vec<Vec<Word>> {
    wanted
        .iter()
        .filter_map(|(name, pointer)| {
            let found = object.pointer(pointer).filter(|value| !value.is_null())?;
            Some(pair(name, value(&plain(found))))
        })
        .collect()
}

/// `a=b,c=d` of a map.
fn pairs(object: &Value, pointer: &str, between: &str) -> String {
    let map = object.pointer(pointer).and_then(Value::as_object);
    let all: Vec<String> =
        map.into_iter().flatten().map(|(key, value)| format!("{key}{between}{}", plain(value))).collect();
    all.join(", ")
}

fn number(object: &Value, pointer: &str) -> i64 {
    object.pointer(pointer).and_then(Value::as_i64).unwrap_or_default()
}

fn pod(object: &Value) -> Vec<Section> {
    let mut lines = facts(
        object,
        &[
            ("phase", "/status/phase"),
            ("reason", "/status/reason"),
            ("message", "/status/message"),
            ("node", "/spec/nodeName"),
            ("ip", "/status/podIP"),
            ("qos", "/status/qosClass"),
            ("priority", "/spec/priorityClassName"),
            ("account", "/spec/serviceAccountName"),
        ],
    );
    let selector = pairs(object, "/spec/nodeSelector", "=");
    if !selector.is_empty() {
        lines.push(pair("node selector", value(&selector)));
    }
    let mut sections = vec![Section { title: String::new(), lines }];
    for (specs, statuses, word) in [
        ("/spec/initContainers", "/status/initContainerStatuses", "init container"),
        ("/spec/containers", "/status/containerStatuses", "container"),
        ("/spec/ephemeralContainers", "/status/ephemeralContainerStatuses", "ephemeral container"),
    ] {
        for spec in list(object, specs) {
            let name = text(spec, "/name");
            let status = list(object, statuses).find(|status| text(status, "/name") == name);
            sections.push(container(word, spec, status));
        }
    }
    let volumes = list(object, "/spec/volumes").map(volume).collect();
    sections.push(Section { title: "volumes".to_owned(), lines: volumes });
    sections
}

fn container(word: &str, spec: &Value, status: Option<&Value>) -> Section {
    let mut lines = Vec::new();
    if let Some(status) = status {
        lines.push(state("state", status.get("state")));
        if status.pointer("/lastState/terminated").is_some() {
            lines.push(state("last", status.get("lastState")));
        }
        let ready = status.get("ready").and_then(Value::as_bool).unwrap_or_default();
        lines.push(pair("ready", value(if ready { "yes" } else { "no" })));
        lines.push(pair("restarts", value(&number(status, "/restartCount").to_string())));
    }
    lines.extend(image_and_resources(spec));
    for (name, pointer) in
        [("liveness", "/livenessProbe"), ("readiness", "/readinessProbe"), ("startup", "/startupProbe")]
    {
        if let Some(probe) = spec.pointer(pointer) {
            lines.push(pair(name, value(&self::probe(probe))));
        }
    }
    for mount in list(spec, "/volumeMounts") {
        let only = if mount.get("readOnly").and_then(Value::as_bool) == Some(true) { " (read only)" } else { "" };
        let said = format!("{} from {}{only}", text(mount, "/mountPath"), text(mount, "/name"));
        lines.push(pair("mount", value(&said)));
    }
    let names: Vec<&str> = list(spec, "/env").map(|one| text(one, "/name")).collect();
    if !names.is_empty() {
        // Values may be secret; they are in the YAML for whoever wants them.
        lines.push(pair("environment", value(&names.join(", "))));
    }
    Section { title: format!("{word} {}", text(spec, "/name")), lines }
}

fn image_and_resources(spec: &Value) -> Vec<Vec<Word>> {
    let mut lines = facts(spec, &[("image", "/image")]);
    let ports: Vec<String> = list(spec, "/ports")
        .map(|port| {
            let name = text(port, "/name");
            let gap = if name.is_empty() { "" } else { " " };
            format!("{name}{gap}{}", number(port, "/containerPort"))
        })
        .collect();
    if !ports.is_empty() {
        lines.push(pair("ports", value(&ports.join(", "))));
    }
    for (name, pointer) in [("command", "/command"), ("args", "/args")] {
        let words: Vec<&str> = list(spec, pointer).filter_map(Value::as_str).collect();
        if !words.is_empty() {
            lines.push(pair(name, value(&words.join(" "))));
        }
    }
    for (name, pointer) in [("requests", "/resources/requests"), ("limits", "/resources/limits")] {
        let said = pairs(spec, pointer, " ");
        if !said.is_empty() {
            lines.push(pair(name, value(&said)));
        }
    }
    lines
}

/// The state of a container, in words, with since when.
fn state(name: &str, state: Option<&Value>) -> Vec<Word> {
    let Some((kind, state)) = state.and_then(Value::as_object).and_then(|state| state.iter().next()) else {
        return pair(name, value("not known"));
    };
    let (reason, message) = (text(state, "/reason"), text(state, "/message"));
    let said: Vec<&str> = [reason, message].into_iter().filter(|word| !word.is_empty()).collect();
    let said = said.join(": ");
    let mut line = vec![Word::Name(name.to_owned())];
    match kind.as_str() {
        "running" => {
            line.push(value("running since "));
            line.extend(time(state, "/startedAt").map(Word::Ago));
        }
        "waiting" => {
            let starting = matches!(reason, "ContainerCreating" | "PodInitializing");
            let health = if starting { Health::Progressing } else { Health::Failed };
            line.push(Word::Standing(health, cut(&format!("waiting: {said}"))));
        }
        _ => {
            let code = number(state, "/exitCode");
            let health = if code == 0 { Health::Ok } else { Health::Failed };
            let reason = if reason.is_empty() { "ended" } else { reason };
            line.push(Word::Standing(health, cut(&format!("{reason}, exit code {code} "))));
            line.extend(time(state, "/finishedAt").map(Word::Ago));
            if !message.is_empty() {
                line.push(value(&format!("  {message}")));
            }
        }
    }
    line
}

fn probe(probe: &Value) -> String {
    let what = if let Some(get) = probe.get("httpGet") {
        let port = get.get("port").map(plain).unwrap_or_default();
        format!("http-get :{port}{}", text(get, "/path"))
    } else if let Some(socket) = probe.get("tcpSocket") {
        format!("tcp :{}", socket.get("port").map(plain).unwrap_or_default())
    } else if let Some(grpc) = probe.get("grpc") {
        format!("grpc :{}", grpc.get("port").map(plain).unwrap_or_default())
    } else {
        let words: Vec<&str> = list(probe, "/exec/command").filter_map(Value::as_str).collect();
        format!("exec {}", words.join(" "))
    };
    let or = |pointer: &str, default: i64| probe.pointer(pointer).and_then(Value::as_i64).unwrap_or(default);
    format!(
        "{what}, after {} s, every {} s, within {} s, gives up after {}",
        or("/initialDelaySeconds", 0),
        or("/periodSeconds", 10),
        or("/timeoutSeconds", 1),
        or("/failureThreshold", 3),
    )
}

fn volume(volume: &Value) -> Vec<Word> {
    let source = volume.as_object().into_iter().flatten().find(|(key, _)| *key != "name");
    let said = source.map_or_else(String::new, |(kind, source)| {
        let name = ["claimName", "secretName", "name", "path", "driver"]
            .into_iter()
            .find_map(|key| source.get(key).and_then(Value::as_str));
        name.map_or_else(|| kind.clone(), |name| format!("{kind} {name}"))
    });
    pair(&cut(text(volume, "/name")), value(&said))
}

fn workload(object: &Value) -> Vec<Section> {
    let mut lines = Vec::new();
    if object.pointer("/status/desiredNumberScheduled").is_some() {
        let count = |name: &str| number(object, &format!("/status/{name}"));
        let said = format!(
            "{} wanted, {} updated, {} ready, {} available",
            count("desiredNumberScheduled"),
            count("updatedNumberScheduled"),
            count("numberReady"),
            count("numberAvailable"),
        );
        lines.push(pair("pods", value(&said)));
    } else {
        let wanted = object.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or(1);
        let count = |name: &str| number(object, &format!("/status/{name}Replicas"));
        // A ReplicaSet has one revision: none of its pods is ever updated.
        let updated = if text(object, "/kind") == "ReplicaSet" {
            String::new()
        } else {
            format!("{} updated, ", count("updated"))
        };
        let said = format!("{wanted} wanted, {updated}{} ready, {} available", count("ready"), count("available"));
        lines.push(pair("replicas", value(&said)));
    }
    for strategy in ["/spec/strategy", "/spec/updateStrategy"].into_iter().filter_map(|pointer| object.pointer(pointer))
    {
        let mut said = text(strategy, "/type").to_owned();
        for (word, pointer) in [("surge", "/rollingUpdate/maxSurge"), ("unavailable", "/rollingUpdate/maxUnavailable")]
        {
            if let Some(most) = strategy.pointer(pointer) {
                said.extend([", ", word, " ", &plain(most)]);
            }
        }
        lines.push(pair("strategy", value(&said)));
    }
    let selector = pairs(object, "/spec/selector/matchLabels", "=");
    lines.push(pair("selector", value(&selector)));
    lines.extend(facts(
        object,
        &[("paused", "/spec/paused"), ("service", "/spec/serviceName"), ("history", "/spec/revisionHistoryLimit")],
    ));
    let mut sections = vec![Section { title: String::new(), lines }];
    sections.extend(
        list(object, "/spec/template/spec/initContainers")
            .map(|spec| container("init container", spec, None))
            .chain(list(object, "/spec/template/spec/containers").map(|spec| container("container", spec, None))),
    );
    let volumes = list(object, "/spec/template/spec/volumes").map(volume).collect();
    sections.push(Section { title: "volumes".to_owned(), lines: volumes });
    sections
}

fn service(object: &Value) -> Section {
    let mut lines =
        facts(object, &[("type", "/spec/type"), ("cluster ip", "/spec/clusterIP"), ("name", "/spec/externalName")]);
    for port in list(object, "/spec/ports") {
        let (name, protocol) = (text(port, "/name"), text(port, "/protocol"));
        let gap = if name.is_empty() { "" } else { " " };
        let target = port.get("targetPort").map_or_else(|| number(port, "/port").to_string(), plain);
        let protocol = if protocol.is_empty() { "TCP" } else { protocol };
        let mut said = format!("{name}{gap}{} → {target}/{protocol}", number(port, "/port"));
        if let Some(node) = port.get("nodePort").and_then(Value::as_i64) {
            said.extend([", node port ", &node.to_string()]);
        }
        lines.push(pair("port", value(&said)));
    }
    let selector = pairs(object, "/spec/selector", "=");
    lines.push(pair(
        "selector",
        value(if selector.is_empty() { "none: endpoints are written by others" } else { &selector }),
    ));
    for ingress in list(object, "/status/loadBalancer/ingress") {
        let address = if text(ingress, "/ip").is_empty() { text(ingress, "/hostname") } else { text(ingress, "/ip") };
        lines.push(pair("load balancer", value(address)));
    }
    Section { title: String::new(), lines }
}

fn claim(object: &Value) -> Section {
    let phase = text(object, "/status/phase");
    let health = match phase {
        "Bound" => Health::Ok,
        "Lost" => Health::Failed,
        _ => Health::Progressing,
    };
    let mut lines = vec![vec![Word::Name("phase".to_owned()), Word::Standing(health, cut(phase))]];
    lines.extend(facts(
        object,
        &[
            ("class", "/spec/storageClassName"),
            ("wanted", "/spec/resources/requests/storage"),
            ("capacity", "/status/capacity/storage"),
            ("volume", "/spec/volumeName"),
            ("mode", "/spec/volumeMode"),
        ],
    ));
    let access: Vec<&str> = list(object, "/spec/accessModes").filter_map(Value::as_str).collect();
    lines.push(pair("access", value(&access.join(", "))));
    Section { title: String::new(), lines }
}

fn node(object: &Value) -> Section {
    let mut lines = facts(
        object,
        &[
            ("version", "/status/nodeInfo/kubeletVersion"),
            ("runtime", "/status/nodeInfo/containerRuntimeVersion"),
            ("system", "/status/nodeInfo/osImage"),
            ("kernel", "/status/nodeInfo/kernelVersion"),
            ("unschedulable", "/spec/unschedulable"),
        ],
    );
    for taint in list(object, "/spec/taints") {
        let said = format!("{}={}:{}", text(taint, "/key"), text(taint, "/value"), text(taint, "/effect"));
        lines.push(pair("taint", value(&said)));
    }
    for address in list(object, "/status/addresses") {
        lines.push(pair("address", value(&format!("{} {}", text(address, "/type"), text(address, "/address")))));
    }
    for (name, pointer) in [("capacity", "/status/capacity"), ("allocatable", "/status/allocatable")] {
        let said = pairs(object, pointer, " ");
        if !said.is_empty() {
            lines.push(pair(name, value(&said)));
        }
    }
    Section { title: String::new(), lines }
}

/// Keys with their sizes, and what is short with its text.
fn config(object: &Value) -> Section {
    let mut lines = Vec::new();
    for (key, content) in object.get("data").and_then(Value::as_object).into_iter().flatten() {
        let content = content.as_str().unwrap_or_default();
        let said = if content.len() <= 120 && !content.contains('\n') {
            content.to_owned()
        } else {
            format!("{} bytes, {} lines", content.len(), content.lines().count())
        };
        lines.push(pair(&cut(key), value(&said)));
    }
    for (key, _) in object.get("binaryData").and_then(Value::as_object).into_iter().flatten() {
        lines.push(pair(&cut(key), value("binary")));
    }
    Section { title: "data".to_owned(), lines }
}

fn application(object: &Value) -> Vec<Section> {
    let mut lines = facts(
        object,
        &[
            ("status", "/status/status"),
            ("revision", "/status/latestRevision/name"),
            ("workflow", "/status/workflow/message"),
            ("run of", "/status/workflow/appRevision"),
        ],
    );
    lines.retain(|line| !matches!(line.get(1), Some(Word::Value(said)) if said.is_empty()));
    let components = list(object, "/spec/components")
        .map(|one| {
            let traits: Vec<&str> = list(one, "/traits").map(|own| text(own, "/type")).collect();
            let with = if traits.is_empty() { String::new() } else { format!(" with {}", traits.join(", ")) };
            pair(&cut(text(one, "/name")), value(&format!("{}{with}", text(one, "/type"))))
        })
        .collect();
    let policies = list(object, "/spec/policies")
        .map(|one| {
            let clusters: Vec<&str> = list(one, "/properties/clusters").filter_map(Value::as_str).collect();
            let to = if clusters.is_empty() { String::new() } else { format!(" → {}", clusters.join(", ")) };
            pair(&cut(text(one, "/name")), value(&format!("{}{to}", text(one, "/type"))))
        })
        .collect();
    let steps = list(object, "/status/workflow/steps")
        .map(|one| {
            let phase = text(one, "/phase");
            let said = [text(one, "/type"), phase, text(one, "/message")].join("  ");
            let name = Word::Name(format!("{:<24} ", cut(text(one, "/name"))));
            match phase {
                "failed" => vec![name, Word::Standing(Health::Failed, cut(&said))],
                "suspending" => vec![name, Word::Standing(Health::Waiting, cut(&said))],
                _ => vec![name, value(&said)],
            }
        })
        .collect();
    let services = list(object, "/status/services")
        .map(|one| {
            let healthy = one.get("healthy").and_then(Value::as_bool).unwrap_or_default();
            let cluster = text(one, "/cluster");
            let cluster = if cluster.is_empty() { "local" } else { cluster };
            let place = format!("{cluster}/{}", text(one, "/namespace"));
            let said = format!("{place}  {}", text(one, "/message"));
            let health = if healthy { Health::Ok } else { Health::Failed };
            vec![Word::Name(format!("{:<14} ", cut(text(one, "/name")))), Word::Standing(health, cut(&said))]
        })
        .collect();
    let section = |title: &str, lines| Section { title: title.to_owned(), lines };
    vec![
        section("", lines),
        section("components", components),
        section("policies", policies),
        section("workflow", steps),
        section("services", services),
    ]
}

fn release(object: &Value) -> Vec<Section> {
    let mut lines = facts(
        object,
        &[
            ("chart", "/spec/chart/spec/chart"),
            ("version", "/spec/chart/spec/version"),
            ("source", "/spec/chart/spec/sourceRef/name"),
            ("applied", "/status/lastAppliedRevision"),
            ("attempted", "/status/lastAttemptedRevision"),
            ("failures", "/status/failures"),
            ("interval", "/spec/interval"),
            ("timeout", "/spec/timeout"),
            ("suspended", "/spec/suspend"),
            ("namespace", "/spec/targetNamespace"),
        ],
    );
    if let Some(version) = object.pointer("/status/history/0/chartVersion").and_then(Value::as_str) {
        lines.push(pair("running", value(version)));
    }
    vec![Section { title: String::new(), lines }, walk::section("values", object.pointer("/spec/values"), &[])]
}
