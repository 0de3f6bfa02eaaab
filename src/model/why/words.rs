//! Messages of Kubernetes, Flux and KubeVela read into a sentence, and into what helps.
//!
//! A message that is not known stays as it is, on one line.

use super::{Advice, facts::Ending};
use crate::model::{
    key::ClusterId,
    text::{waiting_in_words, without_cue_dump},
};

/// A sentence longer than this is cut: the object itself shows the whole.
const LONGEST: usize = 600;

/// A message on one line: what came over several is joined, what is repeated as a dump is cut.
pub(super) fn one_line(message: &str) -> String {
    let message = waiting_in_words(without_cue_dump(message.trim())).into_owned();
    // Helm's own log follows the cause, and begins with a blank line.
    let message = message.split("\n\nLast Helm logs:").next().unwrap_or_default();
    let mut line = message.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() > LONGEST {
        line = line.chars().take(LONGEST).collect::<String>() + "…";
    }
    line
}

/// What Helm said last before it gave up.
pub(super) fn last_of_helm(message: &str) -> Option<String> {
    let (_, log) = message.split_once("Last Helm logs:")?;
    log.lines().map(str::trim).rfind(|line| !line.is_empty()).map(str::to_owned)
}

/// How a run of a container ended.
pub(super) fn ending(ending: &Ending) -> String {
    if &*ending.reason == "OOMKilled" {
        return "killed for its memory (OOMKilled)".to_owned();
    }
    let signal = if ending.signal != 0 { ending.signal } else { ending.code.checked_sub(128).unwrap_or(0) };
    let meaning = match (ending.code, signal) {
        (126, _) => Some("its command cannot be executed"),
        (127, _) => Some("its command is not there"),
        (_, 6) => Some("it aborted"),
        (_, 9) => Some("it was killed"),
        (_, 11) => Some("it crashed: segmentation fault"),
        (_, 15) => Some("it was told to end"),
        _ => None,
    };
    let mut words = match (ending.code, ending.signal) {
        (0, 0) => "it ended by itself, with exit code 0".to_owned(),
        (0, signal) => format!("signal {signal}"),
        (code, _) => format!("exit code {code}"),
    };
    if let Some(meaning) = meaning {
        words = format!("{words}: {meaning}");
    }
    if ending.message.is_empty() { words } else { format!("{words}; {}", one_line(&ending.message)) }
}

/// Why the scheduler finds no node, and what helps.
pub(super) fn unschedulable(message: &str) -> (String, Option<Advice>) {
    let line = one_line(message);
    // What preemption could not do follows from the first half.
    let told = line.split(" preemption:").next().unwrap_or_default().trim_end_matches('.').to_owned();
    let lower = told.to_lowercase();
    let advice = if let Some(resource) = insufficient(&told) {
        Some(format!("lower the pod's request for {resource}, or give the cluster nodes that have it free"))
    } else if lower.contains("untolerated taint") || lower.contains("had taint") {
        Some("tolerate the taint, or take it off a node".to_owned())
    } else if lower.contains("node affinity") || lower.contains("node selector") || lower.contains("nodeselector") {
        Some("no node has the labels that the pod asks for: correct its nodeSelector or affinity".to_owned())
    } else if lower.contains("persistentvolumeclaim") || lower.contains("volume") {
        Some("its volume claim has to be bound first".to_owned())
    } else if lower.contains("too many pods") {
        Some("the nodes are full: give the cluster another one".to_owned())
    } else {
        None
    };
    (format!("no node takes it: {told}"), advice.map(Advice::say))
}

fn insufficient(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once("Insufficient ")?;
    rest.split([',', ';', ' ']).next().map(|word| word.trim_end_matches('.')).filter(|word| !word.is_empty())
}

/// Why an image does not come, and what helps. `cause` is what the node said of it.
pub(super) fn image(image: &str, cause: &str, has_secret: bool) -> (String, Advice) {
    let lower = cause.to_lowercase();
    let any = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    let (why, help): (&str, String) = if any(&["invalidimagename", "couldn't parse image", "invalid reference"]) {
        ("its name is not one", "correct the image's name".to_owned())
    } else if any(&["not found", "manifest unknown", "no such manifest", "does not exist"]) {
        ("the registry has no such image or tag", "correct the image's tag, or push it".to_owned())
    } else if any(&["unauthorized", "denied", "authentication required", "401", "403", "no basic auth"]) {
        let secret = if has_secret { "check the pull secret that it names" } else { "give it a pull secret" };
        ("the registry refuses it", format!("{secret}; some registries answer so for what is not there, too"))
    } else if any(&["toomanyrequests", "rate limit", "429"]) {
        ("the registry answers: too many requests", "wait, or pull with an account or through a mirror".to_owned())
    } else if any(&[
        "no such host",
        "i/o timeout",
        "connection refused",
        "dial tcp",
        "tls handshake",
        "deadline exceeded",
    ]) {
        ("the node does not reach the registry", "check the registry, and the node's way to it".to_owned())
    } else if any(&["x509", "certificate"]) {
        ("the node does not trust the registry's certificate", "give the node the registry's CA".to_owned())
    } else if any(&["neverpull", "never"]) {
        ("it may not be pulled, and is not on the node", "load it onto the node, or change imagePullPolicy".to_owned())
    } else {
        ("it cannot be pulled", "the node's events say why".to_owned())
    };
    (format!("image {image}: {why}"), Advice::say(help))
}

/// Why a release or what it is made from is not ready, and what helps.
pub(super) fn release(kind: &str, message: &str) -> (String, Option<Advice>) {
    let lower = message.to_lowercase();
    let any = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    let help = if any(&[
        "values don't meet",
        "schema(s)",
        "error converting yaml",
        "cannot unmarshal",
        "nil pointer evaluating",
    ]) || (any(&["template:"]) && any(&["executing"]))
    {
        Some("the chart does not take these values: correct them in the component, or in the override of this cluster")
    } else if any(&[
        "no chart version found",
        "no chart name found",
        "invalid chart reference",
        "chart version not found",
    ]) || (any(&["failed to get chart version", "chart"]) && any(&["not found", "404"]))
    {
        Some("the repository has no such chart or version: correct chart, version or URL of the component")
    } else if any(&["failed to fetch", "no such host", "connection refused", "i/o timeout", "failed to download"]) {
        Some("the cluster does not reach the repository: check its URL and the cluster's way to it")
    } else if any(&["cannot re-use a name", "invalid ownership metadata", "already exists"]) {
        Some("something of that name is there already, made by another: rename this one, or delete that one")
    } else if any(&["forbidden", "cannot create resource", "cannot patch resource"]) {
        Some("the service account that Flux acts with lacks the permission in this cluster")
    } else if any(&["timed out waiting", "context deadline exceeded", "client rate limiter"]) {
        Some("Helm waited for the workloads to get ready: see why they do not")
    } else {
        None
    };
    let exhausted = lower.contains("retries exhausted");
    let line = one_line(message);
    let line = if exhausted { format!("{line}: Flux has given up, and tries again only after a change") } else { line };
    let line = if line.is_empty() { format!("the {kind} is not ready, and does not say why") } else { line };
    (line, help.map(Advice::say))
}

/// A kind that is told to be missing: `no matches for kind "HelmRelease" in version "helm.toolkit.fluxcd.io/v2beta1"`.
pub(super) fn unmatched_kind(message: &str) -> Option<(String, String)> {
    let (_, rest) = message.split_once("no matches for kind \"")?;
    let (kind, rest) = rest.split_once('"')?;
    let version =
        rest.split_once("in version \"").and_then(|(_, rest)| rest.split_once('"')).map_or("", |found| found.0);
    let group = version.split_once('/').map_or("", |(group, _)| group);
    Some((kind.to_owned(), group.to_owned()))
}

/// The addon of KubeVela's catalogue that brings a group of kinds.
fn addon(group: &str) -> Option<&'static str> {
    const ADDONS: [(&str, &str); 8] = [
        ("toolkit.fluxcd.io", "fluxcd"),
        ("kruise.io", "kruise-rollout"),
        ("terraform.core.oam.dev", "terraform"),
        ("cert-manager.io", "cert-manager"),
        ("keda.sh", "keda"),
        ("traefik.io", "traefik"),
        ("traefik.containo.us", "traefik"),
        ("flagger.app", "flagger"),
    ];
    let is_in = |suffix: &str| group == suffix || group.strip_suffix(suffix).is_some_and(|rest| rest.ends_with('.'));
    ADDONS.iter().find(|(suffix, _)| is_in(suffix)).map(|(_, addon)| *addon)
}

/// That a cluster has no such kind, and what brings it there.
pub(super) fn missing_kind(cluster: &ClusterId, group: &str, kind: &str) -> (String, Advice) {
    let of = if group.is_empty() { String::new() } else { format!(" ({group})") };
    let reason = format!("{cluster} has no kind {kind}{of}");
    let advice = match addon(group) {
        Some(addon) => Advice::run(
            format!("the addon {addon} brings it; without it nothing of the kind can be made there"),
            format!("vela addon enable {addon} --clusters {cluster}"),
        ),
        None => Advice::say(format!("install what brings {kind} in {cluster}, or deliver elsewhere")),
    };
    (reason, advice)
}

/// The clusters that an error of a step names: `error encountered in cluster foo`, `from foo///hello`,
/// `clustergateways/foo/proxy`.
pub(super) fn clusters_named(message: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for (mark, ends) in
        [("in cluster ", [' ', ':', ',']), ("clustergateways/", ['/', '"', ' ']), ("check from ", ['/', ' ', ':'])]
    {
        for rest in message.split(mark).skip(1) {
            let name = rest.split(ends).next().unwrap_or_default().trim_matches(['"', '(', ')']);
            if !name.is_empty() && !found.iter().any(|known| known == name) {
                found.push(name.to_owned());
            }
        }
    }
    found
}

/// Whether a message says that a server did not answer.
pub(super) fn is_lost(message: &str) -> bool {
    [
        "dial tcp",
        "connection refused",
        "no such host",
        "i/o timeout",
        "handshake timeout",
        "connection lost",
        "no such cluster",
    ]
    .iter()
    .any(|word| message.contains(word))
}

/// What helps where a step or a condition says this of an application.
pub(super) fn of_hub(message: &str) -> Option<Advice> {
    let lower = message.to_lowercase();
    let definition = ["definition", "component type", "fetch component/policy type", "loadtemplate", "load template"];
    if definition.iter().any(|word| lower.contains(word)) && (lower.contains("not found") || lower.contains("no such"))
    {
        return Some(Advice::run(
            "KubeVela knows no such type: enable the addon that brings it, or correct the type's name",
            "vela def list -A".to_owned(),
        ));
    }
    if let Some(name) =
        between(&lower, "external policy ", " not found").or_else(|| between(&lower, "policy ", " not found"))
    {
        return Some(Advice::say(format!("no policy {name} is in the application or its namespace: name one that is")));
    }
    if lower.contains("forbidden") || lower.contains("cannot ") && lower.contains("resource") {
        return Some(Advice::say("the service account that the application acts with lacks the permission"));
    }
    if lower.contains("exceeded quota") {
        return Some(Advice::say("the namespace's quota is used up: raise it, or ask for less"));
    }
    None
}

fn between<'a>(text: &'a str, from: &str, to: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(from)?;
    rest.split_once(to).map(|(name, _)| name.trim()).filter(|name| !name.is_empty() && !name.contains(' '))
}

/// How often something was told, where that is more than once.
pub(super) fn times(count: u32) -> String {
    if count > 1 { format!(" ({count} times)") } else { String::new() }
}
