//! The tree of an application: keys in, screen out.

use insta::assert_snapshot;
use lateen::{
    app::{
        effect::Effect,
        message::{Message, StreamId},
    },
    model::{
        health::Health,
        key::{AppKey, ClusterId},
        resource::{Resource, ResourceKey, Root, Tracked},
        tree::{Found, Gap, assemble},
    },
};

use crate::session::*;

pub(crate) fn key(cluster: &str, group: &str, kind: &str, name: &str) -> ResourceKey {
    ResourceKey {
        cluster: ClusterId::named(cluster),
        group: group.into(),
        kind: kind.into(),
        namespace: "default".into(),
        name: name.into(),
    }
}

pub(crate) fn resource(cluster: &str, kind: &str, name: &str, owner: &str, health: Health, message: &str) -> Resource {
    Resource {
        key: key(cluster, "", kind, name),
        uid: format!("{cluster}/{kind}/{name}").into(),
        owners: if owner.is_empty() { Vec::new() } else { vec![format!("{cluster}/{owner}").into()] },
        made_by: None,
        health,
        message: message.into(),
        created_at: Some("2026-11-23T10:41:11Z".parse().unwrap()),
        idle: false,
        makes: None,
        labels: Vec::new(),
    }
}

pub(crate) fn root(cluster: &str, kind: &str, name: &str, tracked: Tracked) -> Root {
    Root {
        key: key(cluster, "", kind, name),
        version: "v1".into(),
        component: "hello".into(),
        made_by_trait: "".into(),
        tracked,
    }
}

/// helm-hello with foo not answering, a banner left over, and a pod in a crash loop.
pub(crate) fn found() -> Found {
    let name = "hello-hello-kubernetes-588b9c559f";
    let mut deployment =
        resource("local", "Deployment", "hello-hello-kubernetes", "", Health::Progressing, "1/2 available");
    deployment.made_by = Some(("HelmRelease".into(), "default".into(), "hello".into()));
    let set =
        resource("local", "ReplicaSet", name, "Deployment/hello-hello-kubernetes", Health::Progressing, "1/2 ready");
    let owner = format!("ReplicaSet/{name}");
    Found {
        roots: vec![
            root("local", "HelmRelease", "hello", Tracked::Updated),
            root("local", "HelmRepository", "hello", Tracked::Updated),
            root("local", "ConfigMap", "banner", Tracked::Outdated),
            root("foo", "HelmRelease", "hello", Tracked::Updated),
        ],
        clusters: vec![ClusterId::local(), ClusterId::named("foo"), ClusterId::named("bar")],
        resources: vec![
            resource("local", "HelmRelease", "hello", "", Health::Ok, "Release reconciliation succeeded"),
            resource("local", "HelmRepository", "hello", "", Health::Ok, "stored artifact"),
            deployment,
            set,
            resource("local", "Pod", &format!("{name}-28qcq"), &owner, Health::Ok, "1/1 Running"),
            resource(
                "local",
                "Pod",
                &format!("{name}-x2k4p"),
                &owner,
                Health::Failed,
                "0/1 CrashLoopBackOff: exit 1 Error",
            ),
        ],
        incomplete: vec![Gap { cluster: ClusterId::named("foo"), kind: None, reason: "connection refused".into() }],
        ..Found::default()
    }
}

/// What the page has asked for: the name of the look, and of which application.
pub(crate) fn asked(session: &mut Session) -> (StreamId, AppKey) {
    let effects = session.effects();
    let asked = effects.iter().find_map(|effect| match effect {
        Effect::WatchTree(stream, app) => Some((*stream, app.clone())),
        _ => None,
    });
    asked.unwrap()
}

/// A session on the tree of helm-hello, looked up.
pub(crate) fn opened() -> (Session, StreamId) {
    let mut session = Session::estate();
    session.screen(120, 40);
    session.keys(":tree helm-hello<enter>");
    let (stream, app) = asked(&mut session);
    assert_eq!(app, AppKey::new("default", "helm-hello"));
    session.message(Message::Tree(stream, Ok(Box::new(assemble(&found())))));
    (session, stream)
}

/// The line that the cursor is on.
pub(crate) fn line(session: &mut Session) -> String {
    let screen = session.styled(120, 40);
    let lines: Vec<&str> = screen.lines().collect();
    let at = lines.iter().position(|line| line.starts_with("rrr")).unwrap();
    lines[at - 1].trim().to_owned()
}

#[test]
fn tree() {
    for (width, height) in [(60, 15), (80, 24), (120, 40)] {
        let (mut session, _) = opened();
        assert_snapshot!(format!("tree-{width}x{height}"), session.screen(width, height));
    }
}

#[test]
fn until_it_is_looked_up_the_page_says_so_and_what_fails_is_told() {
    let mut session = Session::estate();
    session.screen(80, 24);
    session.keys(":tree helm-hello<enter>");
    let (stream, _) = asked(&mut session);
    assert!(session.screen(80, 24).contains("looking up what default/helm-hello made"));
    session.message(Message::Tree(stream, Err("application default/helm-hello: forbidden".into())));
    assert!(session.screen(80, 24).contains("application default/helm-hello: forbidden"));
    session.message(Message::Tree(stream, Ok(Box::new(assemble(&found())))));
    session.message(Message::Tree(stream, Err("the hub does not answer".into())));
    let screen = session.screen(80, 24);
    assert!(
        screen.contains("not up to date: the hub does not answer") && screen.contains("HelmRepository/hello"),
        "{screen}"
    );
}

#[test]
fn lines_fold_and_the_cursor_stays_with_its_object() {
    let (mut session, stream) = opened();
    session.keys("jj");
    assert!(line(&mut session).contains("Deployment/hello-hello-kubernetes"));
    session.keys("<left>");
    assert!(!session.screen(120, 40).contains("ReplicaSet/"));
    // Nothing left to fold: up to what it hangs from.
    session.keys("<left>");
    assert!(line(&mut session).contains("HelmRelease/hello"));
    session.keys("j");
    let mut more = found();
    more.roots.push(root("local", "HelmRelease", "ahead", Tracked::Updated));
    more.resources.push(resource("local", "HelmRelease", "ahead", "", Health::Ok, ""));
    session.message(Message::Tree(stream, Ok(Box::new(assemble(&more)))));
    assert!(line(&mut session).contains("Deployment/hello-hello-kubernetes"), "the cursor follows the object");
    assert!(!session.screen(120, 40).contains("ReplicaSet/"), "and what is folded stays so");
    session.keys("<right>");
    assert!(session.screen(120, 40).contains("ReplicaSet/"));
}

#[test]
fn the_next_bad_line_is_found_wherever_it_is_folded() {
    let (mut session, _) = opened();
    session.keys("<left>");
    assert!(!session.screen(120, 40).contains("Deployment/"));
    session.keys("n");
    assert!(line(&mut session).contains("Deployment/"));
    session.keys("nn");
    assert!(line(&mut session).contains("x2k4p"));
    // On to foo, which nobody can speak for, and round again.
    session.keys("nnnnn");
    assert!(line(&mut session).contains("ReplicaSet/"), "{}", line(&mut session));
}

#[test]
fn filters_keep_what_matches_and_what_that_hangs_from() {
    let (mut session, _) = opened();
    session.keys("/pod/<enter>");
    let screen = session.screen(120, 40);
    assert!(
        screen.contains("Pod/") && screen.contains("Deployment/") && !screen.contains("HelmRepository/"),
        "{screen}"
    );
    session.keys("<esc>/nothing-of-that-name<enter>");
    assert!(session.screen(120, 40).contains("nothing here matches"));
    session.keys("<esc><ctrl-x>");
    let screen = session.screen(120, 40);
    assert!(screen.contains("x2k4p") && !screen.contains("28qcq"), "{screen}");
}

#[test]
fn leaving_ends_the_look_and_late_answers_are_dropped() {
    let (mut session, stream) = opened();
    session.keys("<esc>");
    assert!(session.effects().contains(&Effect::StopTree(stream)));
    session.message(Message::Tree(stream, Ok(Box::default())));
    session.keys("]");
    let (again, _) = asked(&mut session);
    assert_ne!(again, stream);
    session.message(Message::Tree(stream, Err("from before".into())));
    let screen = session.screen(120, 40);
    assert!(screen.contains("HelmRepository/hello") && !screen.contains("from before"), "{screen}");
}

#[test]
fn a_pods_line_opens_its_log() {
    let (mut session, _) = opened();
    session.keys("G");
    session.keys("/28qcq<enter>G<enter>");
    let effects = session.effects();
    let followed = effects.iter().find_map(|effect| match effect {
        Effect::FollowLogs(_, _, targets) => Some(targets[0].pod.to_string()),
        _ => None,
    });
    assert_eq!(followed.as_deref(), Some("local/default/hello-hello-kubernetes-588b9c559f-28qcq"));
}

#[test]
fn the_same_in_several_clusters_is_one_line_once_merged() {
    let (mut session, stream) = opened();
    let mut both = found();
    both.incomplete.clear();
    both.roots.push(root("foo", "HelmRepository", "hello", Tracked::Updated));
    for kind in ["HelmRelease", "HelmRepository"] {
        both.resources.push(resource("foo", kind, "hello", "", Health::Ok, "stored artifact"));
    }
    session.message(Message::Tree(stream, Ok(Box::new(assemble(&both)))));
    session.keys("/kind:HelmRelease<enter>G");
    assert!(line(&mut session).contains("HelmRelease/hello"));
    session.keys("<esc>m");
    assert!(line(&mut session).contains("HelmRelease/hello"), "the cursor stays: {}", line(&mut session));
    assert_snapshot!("tree_merged", session.screen(120, 24));
    // Live: what comes stays merged.
    both.resources.retain(|resource| resource.key.cluster.is_local());
    session.message(Message::Tree(stream, Ok(Box::new(assemble(&both)))));
    let screen = session.screen(120, 24);
    assert_eq!(screen.matches("HelmRelease/hello").count(), 1, "{screen}");
    assert!(line(&mut session).contains("gone"), "what is missing in one of two is said: {screen}");
    session.keys("m");
    assert!(session.screen(120, 24).matches("HelmRelease/hello").count() == 2);
}

#[test]
fn what_is_still_asked_is_said_and_what_has_come_is_shown() {
    let (mut session, stream) = opened();
    let mut partly = found();
    partly.incomplete.clear();
    partly.roots.push(root("far", "HelmRelease", "hello", Tracked::Updated));
    partly.asking = vec![ClusterId::named("far")];
    session.message(Message::Tree(stream, Ok(Box::new(assemble(&partly)))));
    let screen = session.screen(120, 40);
    assert!(screen.contains("still asking far") && screen.contains("x2k4p"), "{screen}");
    assert!(!screen.contains("is not there  still"), "{screen}");
    partly.asking.clear();
    session.message(Message::Tree(stream, Ok(Box::new(assemble(&partly)))));
    let screen = session.screen(120, 40);
    assert!(!screen.contains("still asking") && screen.contains("is not there"), "{screen}");
}
