//! Keys act on the node: every kind of line in the tree, every key that acts on what is under the cursor.

use std::fmt::Write as _;

use insta::assert_snapshot;
use lateen::{
    app::{
        dialog::Layer,
        effect::{Effect, Loan},
        message::Message,
    },
    model::{
        event::EventScope,
        health::Health,
        log::LogScope,
        resource::{ResourceKey, Tracked},
        tree::{Found, assemble},
    },
};

use crate::{session::*, tree};

/// One line of each kind: a cluster with something and one without, a release, a Deployment with its sets and pods, a
/// Service, a Secret, what was applied and is gone.
fn found() -> Found {
    let mut found = tree::found();
    found.incomplete.clear();
    for (kind, message) in [("Service", "ClusterIP 80"), ("Secret", ""), ("StatefulSet", "1/1 ready")] {
        found.roots.push(tree::root("local", kind, "more", Tracked::Updated));
        found.resources.push(tree::resource("local", kind, "more", "", Health::Ok, message));
    }
    for number in 1..=2 {
        let name = format!("hello-hello-kubernetes-old{number}");
        let mut set =
            tree::resource("local", "ReplicaSet", &name, "Deployment/hello-hello-kubernetes", Health::Ok, "0/0 ready");
        set.idle = true;
        found.resources.push(set);
    }
    for resource in &mut found.resources {
        if matches!(&*resource.key.kind, "Deployment" | "ReplicaSet" | "StatefulSet") {
            resource.key.group = "apps".into();
        }
    }
    for root in &mut found.roots {
        if matches!(&*root.key.kind, "StatefulSet") {
            root.key.group = "apps".into();
        }
    }
    found
}

fn of(key: &ResourceKey) -> String {
    format!("{}/{} in {}", key.kind, key.name, key.cluster)
}

/// What came of a key: what was asked for, else the question on screen, else the sentence.
fn outcome(session: &mut Session) -> String {
    let effects = session.effects();
    for effect in &effects {
        let told = match effect {
            Effect::WatchObject(_, request) => format!("{:?} of {}", request.face, of(&request.key)),
            Effect::FollowLogs(_, request, _) => match &request.scope {
                LogScope::App { app, .. } => format!("log of {app} in {:?}", request.clusters),
                LogScope::Workload(key) => format!("log of {} and what joins it", of(key)),
                LogScope::Pods(pods) => {
                    let pods: Vec<String> = pods.iter().map(ToString::to_string).collect();
                    format!("log of {}", pods.join(", "))
                }
                scope => format!("log of {scope:?}"),
            },
            Effect::Review(_, key, right) => format!("asks whether it may {right:?} {}", of(key)),
            Effect::WatchEvents(_, EventScope::Object(key)) => format!("events of {}", of(key)),
            Effect::WatchEvents(_, scope) => format!("events of {scope:?}"),
            Effect::WatchWhy(_, subject) => format!("why {subject}"),
            Effect::Lend(_, Loan::Shell(request)) => format!("shell in {}", request.pod),
            Effect::Draft(_, request) => format!("edit {}", of(&request.key)),
            Effect::FindTargets { app, .. } => match session.app.layers().last() {
                Some(Layer::Choose(chooser)) => format!("targets of {app}, beginning with “{}”", chooser.line.text()),
                _ => format!("targets of {app}"),
            },
            Effect::Prepare(_, key, verbs) => {
                let verbs: Vec<&str> = verbs.iter().map(|verb| verb.as_str()).collect();
                format!("asks to {} {}", verbs.join(", "), of(key))
            }
            Effect::Copy(_, text) => format!("copies {text}"),
            Effect::Compare(_, asked) => format!("compares {asked:?}").chars().take(18).collect(),
            Effect::WatchRevisions(_, app) => format!("revisions of {app}"),
            _ => continue,
        };
        return told;
    }
    if let Some(Layer::Choose(chooser)) = session.app.layers().last() {
        return format!("asks “{}” ({} rows)", chooser.title, chooser.rows.len());
    }
    session.app.notice().map_or_else(|| "nothing".to_owned(), |notice| format!("says “{}”", notice.text))
}

#[test]
fn every_key_on_every_kind_of_line() {
    let lines = [
        ("a cluster", ""),
        ("a cluster without anything", "/bar<enter>G"),
        ("a release", "/HelmRelease/<enter>j"),
        ("a Deployment", "/Deployment/<enter>G"),
        ("a folded Deployment", "jj<left>"),
        ("a ReplicaSet", "/ReplicaSet/hello-hello-kubernetes-588<enter>G"),
        ("a pod", "/Pod/hello-hello-kubernetes-588b9c559f-x2k4p<enter>G"),
        ("older sets as one", "/kind:ReplicaSet<enter>G"),
        ("a StatefulSet without pods", "/StatefulSet/<enter>G"),
        ("a Service", "/Service/<enter>G"),
        ("a Secret", "/Secret/<enter>G"),
        ("what is gone", "/HelmRelease/<enter>G"),
        ("a merged release", "m"),
    ];
    let keys = [
        ("logs", "l"),
        ("shell", "s"),
        ("forward", "F"),
        ("yaml", "y"),
        ("describe", "d"),
        ("events", "E"),
        ("edit", "e"),
        ("actions", "x"),
        ("delete", "<delete>"),
        ("copy", "c"),
        ("why", "w"),
        ("enter", "<enter>"),
    ];
    let mut table = String::new();
    for (line, way) in lines {
        let _ = writeln!(table, "{line}:");
        for (name, key) in keys {
            let (mut session, stream) = tree::opened();
            session.message(Message::Tree(stream, Ok(Box::new(assemble(&found())))));
            session.keys("g");
            session.keys(way);
            session.screen(120, 40);
            session.effects();
            // What was said on the way is read.
            session.pass(60_000);
            session.effects();
            if name == "logs" {
                let _ = writeln!(table, "  ({})", tree::line(&mut session).split("  ").next().unwrap_or_default());
            }
            session.keys(key);
            let _ = writeln!(table, "  {name:<9} {}", outcome(&mut session));
        }
    }
    assert_snapshot!("tree-keys", table);
}

/// Keys that move, fold and act cost what is on screen: the list of lines is made for what changes it, and only then.
#[test]
fn keys_that_move_do_not_make_the_list_anew() {
    let (mut session, stream) = tree::opened();
    let mut many = Found::default();
    for cluster in 0..20 {
        let cluster = format!("c{cluster:02}");
        many.roots.push(tree::root(&cluster, "Deployment", "web", Tracked::Updated));
        many.resources.push(tree::resource(&cluster, "Deployment", "web", "", Health::Ok, "100/100 available"));
        for pod in 0..100 {
            let pod = tree::resource(&cluster, "Pod", &format!("web-{pod}"), "Deployment/web", Health::Ok, "1/1");
            many.resources.push(pod);
        }
    }
    let made = |session: &Session| match session.app.page() {
        lateen::app::page::Page::Tree(page) => (page.made(), page.visible().len()),
        other => panic!("{other:?}"),
    };
    session.message(Message::Tree(stream, Ok(Box::new(assemble(&many)))));
    session.keys("/pod/<enter>");
    session.screen(120, 40);
    let before = made(&session);
    assert_eq!(before.1, 2040, "a filter shows what is folded");
    for keys in ["j", "k", "G", "g", "<pgdn>", "<pgup>", "T", "y<esc>", "l<esc>"] {
        session.keys(keys);
        session.screen(120, 40);
        session.effects();
    }
    session.keys(&"j".repeat(200));
    session.screen(120, 40);
    assert_eq!(made(&session), before);
    session.keys("b");
    session.screen(120, 40);
    let (made_before, rows) = made(&session);
    assert_eq!(rows, 101, "the same of twenty clusters is one row");
    session.keys("<right><left>jjjk");
    session.screen(120, 40);
    assert_eq!(made(&session), (made_before, rows));
}
