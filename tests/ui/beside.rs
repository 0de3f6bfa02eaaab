//! The clusters side by side: keys in, screen out.

use insta::assert_snapshot;
use lateen::{
    app::{
        effect::Effect,
        keymap::View,
        message::{Message, StreamId},
    },
    model::{
        health::Health,
        key::ClusterId,
        log::LogScope,
        resource::{ResourceKey, Tracked},
        tree::{Found, Gap, assemble},
    },
};

use crate::{session::*, tree};

/// A web of so many pods in a cluster, of which so many are well.
fn web(found: &mut Found, cluster: &str, well: usize, of: usize) {
    let health = |well: bool| if well { Health::Ok } else { Health::Failed };
    let set = format!("web-{cluster}7d9c");
    found.roots.push(tree::root(cluster, "Deployment", "web", Tracked::Updated));
    let said = format!("{well}/{of} available");
    found.resources.push(tree::resource(cluster, "Deployment", "web", "", health(well == of), &said));
    let said = format!("{well}/{of} ready");
    found.resources.push(tree::resource(cluster, "ReplicaSet", &set, "Deployment/web", Health::Ok, &said));
    for number in 0..of {
        let name = format!("{set}-x2k4{}", ["b", "c", "d", "f"][number % 4]);
        let said = if number < well { "1/1 Running" } else { "0/1 CrashLoopBackOff: exit 1 Error" };
        let pod = tree::resource(cluster, "Pod", &name, &format!("ReplicaSet/{set}"), health(number < well), said);
        found.resources.push(pod);
    }
    found.roots.push(tree::root(cluster, "ConfigMap", "banner", Tracked::Updated));
    found.resources.push(tree::resource(cluster, "ConfigMap", "banner", "", Health::Ok, ""));
}

/// Seven clusters: in one a pod fails, in one there are three pods, one has something of its own, one does not answer,
/// one is not reached yet.
fn found() -> Found {
    let mut found = Found::default();
    web(&mut found, "local", 2, 2);
    web(&mut found, "foo", 1, 2);
    web(&mut found, "eu-north", 2, 2);
    web(&mut found, "eu-west", 3, 3);
    web(&mut found, "us-east", 2, 2);
    found.roots.push(tree::root("eu-west", "ConfigMap", "extra", Tracked::Updated));
    found.resources.push(tree::resource("eu-west", "ConfigMap", "extra", "", Health::Ok, ""));
    found.roots.push(tree::root("us-west", "Deployment", "web", Tracked::Updated));
    found.clusters = vec![ClusterId::named("us-west"), ClusterId::named("zz-later")];
    found.incomplete =
        vec![Gap { cluster: ClusterId::named("us-west"), kind: None, reason: "connection refused".into() }];
    found
}

fn opened(found: &Found) -> (Session, StreamId) {
    let (mut session, stream) = tree::opened();
    session.message(Message::Tree(stream, Ok(Box::new(assemble(found)))));
    session.keys("gb");
    session.screen(120, 40);
    session.effects();
    (session, stream)
}

#[test]
fn side_by_side() {
    for (width, height) in [(60, 15), (80, 24), (120, 40)] {
        let (mut session, _) = opened(&found());
        assert_snapshot!(format!("beside-{width}x{height}"), session.screen(width, height));
    }
}

#[test]
fn only_what_differs_and_columns_that_pan() {
    let (mut session, _) = opened(&found());
    session.keys("u<right><right><right><right>");
    assert_snapshot!("beside-different", session.screen(80, 24));
    session.keys("u");
    assert!(session.screen(80, 24).contains("ConfigMap/banner"));
    session.keys("/kind:ConfigMap<enter>");
    let screen = session.screen(80, 24);
    assert!(screen.contains("ConfigMap/extra") && !screen.contains("Deployment/web"), "{screen}");
    session.keys("<esc><ctrl-x>");
    let screen = session.screen(80, 24);
    assert!(screen.contains("Deployment/web") && !screen.contains("ConfigMap/"), "{screen}");
}

#[test]
fn where_nothing_differs_that_is_said() {
    let mut same = Found::default();
    web(&mut same, "local", 2, 2);
    web(&mut same, "foo", 2, 2);
    let (mut session, _) = opened(&same);
    assert!(session.screen(120, 40).contains("none differ"));
    session.keys("u");
    let screen = session.screen(120, 40);
    assert!(screen.contains("nothing differs between the clusters (u shows everything)"), "{screen}");
    session.keys("/web<enter>");
    assert!(session.screen(120, 40).contains("nothing here matches and differs"));
}

#[test]
fn the_cursor_stays_with_its_object_from_one_form_to_another() {
    let (mut session, stream) = tree::opened();
    session.message(Message::Tree(stream, Ok(Box::new(assemble(&found())))));
    session.keys("/extra<enter>jj<esc>b");
    assert_eq!(session.app.page().view(), View::SideBySide);
    let screen = session.screen(120, 40);
    assert!(screen.contains("eu-west  ConfigMap/extra"), "{screen}");
    // The cell on the left is empty; its cluster is what is left.
    session.keys("<left>b");
    assert!(tree::line(&mut session).contains("eu-north"), "{}", tree::line(&mut session));
    session.keys("bm");
    assert_eq!(session.app.page().view(), View::Tree);
    assert!(session.screen(120, 40).contains(" · merged"));
    session.keys("bb");
    assert!(!session.screen(120, 40).contains(" · merged"));
}

#[test]
fn news_leave_the_cursor_in_its_cluster_and_its_row() {
    let (mut session, stream) = opened(&found());
    session.keys("jj<right><right>");
    let screen = session.screen(120, 40);
    assert!(screen.contains("eu-west  Pod/"), "{screen}");
    let mut more = found();
    web(&mut more, "aa-first", 2, 2);
    more.roots.push(tree::root("local", "HelmRelease", "ahead", Tracked::Updated));
    session.message(Message::Tree(stream, Ok(Box::new(assemble(&more)))));
    let screen = session.screen(120, 40);
    assert!(screen.contains("eu-west  Pod/") && screen.contains("HelmRelease/ahead"), "{screen}");
}

#[test]
fn keys_act_on_the_cell() {
    let (mut session, _) = opened(&found());
    // The pods of foo: the worst of them is meant.
    session.keys("jj<right>");
    for _ in 0..3 {
        if session.screen(120, 40).contains("foo  Pod/") {
            break;
        }
        session.keys("<right>");
    }
    session.screen(120, 40);
    session.keys("y");
    let effects = session.effects();
    let looked: Vec<&ResourceKey> = effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::WatchObject(_, request) => Some(&request.key),
            _ => None,
        })
        .collect();
    assert!(matches!(&looked[..], [key] if key.cluster.as_str() == "foo" && &*key.kind == "Pod"), "{effects:?}");
    session.keys("<esc>");
    session.screen(120, 40);
    // Two pods: both are followed.
    session.keys("l");
    let effects = session.effects();
    let followed = effects.iter().find_map(|effect| match effect {
        Effect::FollowLogs(_, request, _) => Some(&request.scope),
        _ => None,
    });
    let Some(LogScope::Pods(pods)) = followed else { panic!("{effects:?}") };
    assert!(pods.len() == 2 && pods.iter().all(|pod| pod.cluster.as_str() == "foo"), "{pods:?}");
    session.keys("<esc><esc>");
}

#[test]
fn an_empty_cell_says_why_there_is_nothing_to_act_upon() {
    let (mut session, _) = opened(&found());
    session.keys("G");
    for (keys, words) in [
        ("y", "ConfigMap/extra is not in local"),
        ("<delete>", "ConfigMap/extra is not in local"),
        ("x", "ConfigMap/extra is not in local"),
        ("w", "ConfigMap/extra is not in local"),
        ("s", "ConfigMap/extra is not in local"),
        ("E", "ConfigMap/extra is not in local"),
        ("l", "ConfigMap/extra is not in local"),
        ("c", "ConfigMap/extra is not in local"),
        ("<right><right><right><right><right>y", "whether ConfigMap/extra is in us-west is not known"),
        ("<right>y", "nothing is deployed to zz-later yet"),
    ] {
        session.keys(keys);
        let screen = session.screen(120, 40);
        assert!(screen.contains(words), "{keys}: {screen}");
        assert!(session.effects().is_empty(), "{keys}");
    }
}

#[test]
fn the_next_bad_cell_is_found_row_by_row() {
    let (mut session, _) = opened(&found());
    session.keys("n");
    assert!(session.screen(120, 40).contains("foo  Deployment/web: failed: 1/2 available"));
    session.keys("n");
    assert!(session.screen(120, 40).contains("us-west  Deployment/web: unknown"), "{}", session.screen(120, 40));
    session.keys("n");
    assert!(session.screen(120, 40).contains("foo  Pod/web-foo7d9c-x2k4c"), "{}", session.screen(120, 40));
}
