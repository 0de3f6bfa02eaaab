//! What an operator is told of every application of the simulated estate: the tree across clusters with the health of
//! everything in it, the chain to the cause, its revisions, and what differs from what was applied.
//!
//! Some of it is played and takes its time: each picture is waited for, and a wrong one is told when it never comes.
#![cfg(feature = "demo")]
#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

#[path = "support/hub.rs"]
mod hub;

use std::{fmt::Write as _, path::Path, sync::LazyLock, time::Duration};

use insta::assert_snapshot;
use lateen::{
    cluster::{Hub, drift, project, request, revisions, tree, why},
    demo::{Estate, Options},
    model::{
        diff::Verdict,
        health::judge,
        key::AppKey,
        tree::{Tree, What, assemble},
        why::{Chain, Known, Place, Subject, explain},
    },
};
use regex::Regex;
use serde_json::Value;
use tokio::time::{Instant, sleep};

/// Time for a picture to come; far beyond what it takes.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(150);
/// Time that a cluster is given to answer.
const DEADLINE: Duration = Duration::from_secs(20);

fn told_tree(tree: &Tree) -> String {
    let mut out = String::new();
    for node in &tree.nodes {
        let name = match &node.what {
            What::Cluster(cluster) => cluster.to_string(),
            What::Object(key) => format!("{}/{}", key.kind, key.name),
            What::Idle(key, count) => format!("{count} older {}", key.kind),
        };
        let tracked = node.tracked.map_or("", |tracked| tracked.as_str());
        let indent = "  ".repeat(node.depth);
        let line = format!("{indent}{name}  [{}] {tracked} {}", node.health.as_str(), node.message);
        writeln!(out, "{}", line.trim_end()).unwrap();
    }
    for gap in &tree.incomplete {
        let kind = gap.kind.as_deref().unwrap_or("everything");
        writeln!(out, "not seen: {kind} in {}: {}", gap.cluster, gap.reason).unwrap();
    }
    out
}

fn told_chain(chain: &Chain) -> String {
    let mut out = String::new();
    for (at, link) in chain.links.iter().enumerate() {
        let what = match &link.what {
            Place::Application(app) => app.to_string(),
            Place::Step(_, step) => format!("step {step}"),
            Place::Cluster(cluster) => format!("cluster {cluster}"),
            Place::Component { name, .. } => format!("component {name}"),
            Place::Object(key) => format!("{}/{}", key.kind, key.name),
            Place::Container(_, name) => format!("container {name}"),
            Place::Event(_) => "event".to_owned(),
            // Of a log the last word: how much was said before depends on the second.
            Place::Log(..) if chain.links.get(at + 1).is_some_and(|next| matches!(next.what, Place::Log(..))) => {
                continue;
            }
            Place::Log(..) => "log".to_owned(),
        };
        let indent = "  ".repeat(link.depth);
        writeln!(out, "{indent}{what} [{}] {}", link.health.as_str(), link.reason).unwrap();
        if let Some(advice) = &link.advice {
            writeln!(out, "{indent}  → {}", advice.words).unwrap();
            if let Some(command) = &advice.command {
                writeln!(out, "{indent}    $ {command}").unwrap();
            }
        }
    }
    for gap in &chain.gaps {
        writeln!(out, "not seen: {gap}").unwrap();
    }
    out
}

async fn told_revisions(hub: &Hub, app: &AppKey) -> String {
    let mut out = String::new();
    for revision in revisions::list(hub, app, DEADLINE).await.unwrap() {
        let current = if revision.is_current { " (current)" } else { "" };
        let published = revision.publish_version.map(|version| format!(" as {version}")).unwrap_or_default();
        writeln!(out, "{}{current}{published}: {}; {}", revision.name, revision.outcome.as_str(), revision.changed)
            .unwrap();
    }
    out
}

/// What is not there as it was applied.
async fn told_drift(hub: &Hub, app: &AppKey) -> String {
    let mut out = String::new();
    let report = drift::look_up(hub, app, false, DEADLINE).await.unwrap();
    for section in report.sections {
        let word = match section.verdict {
            Verdict::Same => continue,
            Verdict::Unknown(reason) => format!("unknown: {reason}"),
            other => format!("{other:?}"),
        };
        writeln!(out, "{}: {word}", section.heading).unwrap();
    }
    for note in report.notes {
        writeln!(out, "{note}").unwrap();
    }
    if out.is_empty() { "as applied\n".to_owned() } else { out }
}

/// Everything of an application, without what depends on the moment: times, counts, addresses, drawn names.
async fn picture(hub: &Hub, app: &AppKey) -> Option<String> {
    let subject = Subject::Application(app.clone());
    let path = format!("/apis/core.oam.dev/v1beta1/namespaces/{}/applications/{}", app.namespace, app.name);
    let object: Value = request::get_json(&hub.client(), &path, DEADLINE).await.ok()?;
    let found = tree::look_up(hub, app, DEADLINE).await.ok()?;
    let looked = why::look_up(hub, &subject, DEADLINE).await.ok()?;
    let row = project::application(&object);
    let standing = judge(&row, &[], &|_| None);
    let known = Known {
        app: Some((&row, &standing)),
        pods: Vec::new(),
        link: &|_| None,
        version: &|_| None,
        applications: 1,
        looked: Some(&looked),
    };
    let text = format!(
        "{app}: {} ({})\n\n{}\nwhy\n{}\nrevisions\n{}\nagainst what was applied\n{}",
        standing.health.as_str(),
        standing.status,
        told_tree(&assemble(&found)),
        told_chain(&explain(&subject, &known)),
        told_revisions(hub, app).await,
        told_drift(hub, app).await,
    );
    Some(masked(&text))
}

fn masked(text: &str) -> String {
    const MASKS: [(&str, &str); 8] = [
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "TIME"),
        (r"\b\d\d:\d\d:\d\d UTC", "TIME"),
        (r"\b\d+ (restarts?|times)\b", "N $1"),
        (r"\bback-off \w+ restarting", "back-off restarting"),
        (r"\b10\.244\.\d+\.\d+", "IP"),
        (r"\b(\d+[dhms])+ ago\b", "AGO"),
        // The suffix of a generated name: five letters without vowels, of pods and slices.
        (r"\b(Pod|EndpointSlice)/(\S+)-[bcdfghjklmnpqrstvwxz2456789]{5}\b", "$1/$2-*****"),
        (r"\bpod=\S+_(\w+)\([0-9a-f-]{36}\)", "pod=POD_$1(UID)"),
    ];
    static READ: LazyLock<Vec<(Regex, &str)>> =
        LazyLock::new(|| MASKS.iter().map(|(mask, with)| (Regex::new(mask).unwrap(), *with)).collect());
    READ.iter().fold(text.to_owned(), |text, (mask, with)| mask.replace_all(&text, *with).into_owned())
}

/// What is kept of a picture; `None` where it is new.
fn kept(name: &str) -> Option<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots");
    let text = std::fs::read_to_string(folder.join(format!("estate_pictures__{name}.snap"))).ok()?;
    text.splitn(3, "---\n").nth(2).map(str::to_owned)
}

/// Waits for each application's picture. One that is new is taken when it has not changed for some looks.
async fn hold(scenario: &str, hub: &Hub, app: &AppKey) {
    let name = format!("{scenario}-{}", app.name);
    let kept = kept(&name);
    let end = Instant::now() + PATIENCE;
    let (mut last, mut alike) = (String::new(), 0);
    while Instant::now() < end {
        let now = picture(hub, app).await.unwrap_or_default();
        alike = if now == last { alike + 1 } else { 0 };
        last = now;
        let is_it = match &kept {
            Some(kept) => last.trim_end() == kept.trim_end(),
            None => alike > 12,
        };
        if is_it {
            break;
        }
        sleep(LOOK_EVERY).await;
    }
    assert_snapshot!(name, last);
}

async fn applications(hub: &Hub) -> Vec<AppKey> {
    let list: Value =
        request::get_json(&hub.client(), "/apis/core.oam.dev/v1beta1/applications", DEADLINE).await.unwrap();
    let names = list["items"].as_array().unwrap().iter().map(|app| {
        let of = |key: &str| app["metadata"][key].as_str().unwrap();
        AppKey::new(of("namespace"), of("name"))
    });
    names.collect()
}

/// The applications that an estate opens with.
const OPENING: [&str; 5] = ["helm-hello", "storefront", "catalog", "ledger", "transcoder"];

async fn hold_all(scenario: Option<&str>, at_least: usize) {
    let estate =
        Estate::start(Options { speed: 20.0, scenario: scenario.map(Into::into), ..Options::default() }).unwrap();
    let hub = hub::hub(&estate, "hub");
    let all = applications(&hub).await;
    let wanted = all.iter().filter(|app| scenario.is_none() || !OPENING.contains(&&*app.name));
    let mut count = 0;
    for app in wanted {
        hold(scenario.unwrap_or("opening"), &hub, app).await;
        count += 1;
    }
    assert!(count >= at_least, "{count} applications");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_estate_opens_with() {
    hold_all(None, OPENING.len()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_days() {
    hold_all(Some("bad-days"), 19).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn workloads_of_every_kind() {
    hold_all(Some("workloads"), 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_older_control_planes_wrote() {
    hold_all(Some("vela-1.4"), 3).await;
}
