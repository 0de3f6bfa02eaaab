//! Restart, scale, delete: the menu, the dialogs that ask, and what is written.

use insta::assert_snapshot;
use lateen::{
    app::{
        AppOptions,
        dialog::act::ActDialog,
        effect::Effect,
        message::{Message, TaskId},
    },
    model::{
        acting::{Deed, Keeper, Prepared, Verb},
        action::{Action, Outcome},
        health::Health,
        key::{AppKey, ClusterId, Text},
        resource::{Resource, ResourceKey, Root, Tracked},
        tree::{Found, assemble},
    },
};

use crate::session::*;

fn key(kind: &str, name: &str) -> ResourceKey {
    ResourceKey {
        cluster: ClusterId::named("foo"),
        group: if kind == "Pod" { "" } else { "apps" }.into(),
        kind: kind.into(),
        namespace: "default".into(),
        name: name.into(),
    }
}

fn resource(kind: &str, name: &str, owner: Option<&str>) -> Resource {
    Resource {
        key: key(kind, name),
        uid: name.into(),
        owners: owner.into_iter().map(Into::into).collect(),
        made_by: None,
        health: Health::Ok,
        message: "".into(),
        created_at: None,
        idle: false,
        labels: Vec::new(),
        makes: None,
    }
}

/// A session on the tree of helm-hello, with the cursor on a Deployment of two pods in foo.
fn opened(options: AppOptions) -> Session {
    let mut session = Session::estate_with(options);
    session.screen(120, 40);
    session.keys(":tree helm-hello<enter>");
    let stream = session.effects().into_iter().find_map(|effect| match effect {
        Effect::WatchTree(stream, _) => Some(stream),
        _ => None,
    });
    let root = Root {
        key: key("Deployment", "hello"),
        version: "v1".into(),
        component: "hello".into(),
        made_by_trait: "".into(),
        tracked: Tracked::Updated,
    };
    let found = Found {
        roots: vec![root],
        clusters: vec![ClusterId::named("foo")],
        resources: vec![
            resource("Deployment", "hello", None),
            resource("ReplicaSet", "hello-7d9c", Some("hello")),
            resource("Pod", "hello-7d9c-28qqp", Some("hello-7d9c")),
            resource("Pod", "hello-7d9c-x2k4p", Some("hello-7d9c")),
        ],
        ..Found::default()
    };
    session.message(Message::Tree(stream.unwrap(), Ok(Box::new(assemble(&found)))));
    session.screen(120, 40);
    session.keys("j");
    session.effects();
    session
}

/// Who reads the object, which, and what is asked of it.
fn asked(session: &mut Session) -> (TaskId, ResourceKey, Vec<Verb>) {
    let effects = session.effects();
    let asked = effects.iter().find_map(|effect| match effect {
        Effect::Prepare(task, key, verbs) => Some((*task, key.clone(), verbs.clone())),
        _ => None,
    });
    asked.unwrap_or_else(|| panic!("nothing is read: {effects:#?}"))
}

fn prepared(key: &ResourceKey, permitted: Vec<(Verb, Result<(), Text>)>) -> Prepared {
    Prepared {
        key: key.clone(),
        path: format!("/path/of/{}", key.name).into(),
        uid: "u1".into(),
        resource_version: "7".into(),
        replicas: Verb::Scale.fits(key).then_some(2),
        deleting: false,
        finalizers: Vec::new(),
        keeper: Some(Keeper::KubeVela(AppKey::new("default", "helm-hello"))),
        states_replicas: None,
        permitted,
    }
}

/// Answers what was asked: everything is permitted.
fn answer(session: &mut Session) {
    let (task, key, verbs) = asked(session);
    let permitted = verbs.into_iter().map(|verb| (verb, Ok(()))).collect();
    session.message(Message::Prepared(task, Ok(Box::new(prepared(&key, permitted)))));
}

/// Opens the dialog of a verb by the menu.
fn dialog(session: &mut Session, verb: &str) {
    session.keys("x");
    answer(session);
    session.keys(verb).keys("<enter>");
}

fn written(session: &mut Session) -> Vec<(ResourceKey, Deed, Text)> {
    let effects = session.effects();
    let written = effects.into_iter().filter_map(|effect| match effect {
        Effect::Act(_, Action::Object(write)) => Some((write.key, write.deed, write.uid)),
        _ => None,
    });
    written.collect()
}

#[test]
fn the_menu_and_the_dialogs() {
    for (width, height) in [(80, 24), (120, 40)] {
        let mut session = opened(options());
        session.keys("x");
        let (task, key, verbs) = asked(&mut session);
        assert_eq!(verbs, Verb::ALL);
        let needs = Err("needs delete on deployments.apps".into());
        let permitted = vec![(Verb::Restart, Ok(())), (Verb::Scale, Ok(())), (Verb::Delete, needs)];
        session.message(Message::Prepared(task, Ok(Box::new(prepared(&key, permitted)))));
        assert_snapshot!(format!("menu-{width}x{height}"), session.screen(width, height));
        for verb in ["restart", "scale", "delete"] {
            let mut session = opened(options());
            dialog(&mut session, verb);
            answer(&mut session);
            session.screen(width, height);
            session.pass(400);
            if verb == "scale" {
                session.keys("5");
            }
            assert_snapshot!(format!("{verb}-{width}x{height}"), session.screen(width, height));
        }
    }
}

#[test]
fn a_person_who_has_read_it_restarts() {
    let mut session = opened(options());
    dialog(&mut session, "restart");
    session.screen(120, 40);
    session.pass(1_000);
    session.keys("y");
    session.pass(100);
    assert_eq!(written(&mut session), [], "not before it is read");
    let mut session = opened(options());
    dialog(&mut session, "restart");
    answer(&mut session);
    session.keys("y");
    session.pass(100);
    assert_eq!(written(&mut session), [], "nor before its frame was written");
    assert!(session.screen(120, 40).contains("1 key dropped"));
    session.pass(400);
    session.keys("y");
    session.pass(100);
    assert_eq!(written(&mut session), [(key("Deployment", "hello"), Deed::Restart, "u1".into())]);
    assert!(session.screen(120, 40).contains("restarting Deployment/hello in foo"));
    // A second one waits for the first.
    dialog_again(&mut session);
    let task = session.app.world().object_writes.values().next().copied().unwrap();
    session.message(Message::Done(task, Outcome::Done { message: "Deployment/hello in foo/default restarted".into() }));
    assert!(session.screen(120, 40).contains("Deployment/hello in foo/default restarted"));
    assert!(session.app.world().object_writes.is_empty());
}

fn dialog_again(session: &mut Session) {
    session.keys("xrestart<enter>");
    assert!(session.screen(120, 40).contains("a write to Deployment/hello is under way"));
}

#[test]
fn scaling_takes_a_number_that_is_another() {
    let mut session = opened(options());
    dialog(&mut session, "scale");
    answer(&mut session);
    session.screen(120, 40);
    session.pass(400);
    session.keys("y");
    session.pass(100);
    assert!(session.screen(120, 40).contains("it wants 2 already: type another number"));
    session.keys("0");
    assert!(session.screen(120, 40).contains("all its 2 pods end: nothing serves any more"));
    session.keys("<backspace>5<enter>");
    session.pass(100);
    assert_eq!(written(&mut session), [(key("Deployment", "hello"), Deed::Scale { from: 2, to: 5 }, "u1".into())]);
}

#[test]
fn a_paste_and_a_burst_confirm_nothing() {
    let mut session = opened(options());
    dialog(&mut session, "delete");
    answer(&mut session);
    session.screen(120, 40);
    session.pass(400);
    session.keys_every("ykyy", 2);
    session.pass(100);
    assert_eq!(written(&mut session), []);
    session.message(Message::Input(crossterm::event::Event::Paste("y".to_owned()), session.now));
    session.pass(100);
    assert_eq!(written(&mut session), []);
    assert!(session.screen(120, 40).contains("a paste is not taken here"));
    // The focus is on Cancel.
    session.keys("<enter>");
    session.pass(100);
    assert_eq!(written(&mut session), []);
    assert!(!session.screen(120, 40).contains("Delete Deployment/hello?"));
}

#[test]
fn what_is_not_permitted_is_said_before_and_cannot_be_confirmed() {
    let mut session = opened(options());
    dialog(&mut session, "restart");
    let (task, key, _) = asked(&mut session);
    let needs = Err("needs patch on deployments.apps".into());
    session.message(Message::Prepared(task, Ok(Box::new(prepared(&key, vec![(Verb::Restart, needs)])))));
    let screen = session.screen(120, 40);
    assert!(screen.contains("not permitted in foo: needs patch on deployments.apps"), "{screen}");
    session.pass(400);
    session.keys("y");
    session.pass(100);
    assert_eq!(written(&mut session), []);
    session.keys("<esc>x");
    // Known by now: the menu says it without asking again.
    assert!(session.screen(120, 40).contains("needs patch on deployments.apps"));
    session.keys("restart<enter>");
    assert!(session.screen(120, 40).contains("restart Deployment/hello: needs patch on deployments.apps"));
}

#[test]
fn an_object_that_is_gone_is_told_as_that() {
    let mut session = opened(options());
    dialog(&mut session, "restart");
    let (task, ..) = asked(&mut session);
    session.message(Message::Prepared(task, Err("deployments.apps \"hello\" not found".into())));
    let screen = session.screen(120, 40);
    assert!(screen.contains("deployments.apps \"hello\" not found. Nothing can be confirmed"), "{screen}");
}

#[test]
fn nothing_is_written_where_nothing_may_be() {
    let mut session = opened(AppOptions { readonly: Some("--readonly".into()), ..options() });
    session.keys("<delete>");
    assert!(session.screen(120, 40).contains("nothing is written here: --readonly"));
    session.keys("x");
    let screen = session.screen(120, 40);
    assert!(screen.contains("restart") && screen.contains("--readonly"), "{screen}");
    assert!(session.effects().iter().all(|effect| !matches!(effect, Effect::Prepare(..))));
}

#[test]
fn the_delete_key_asks_and_says_what_goes_along() {
    let mut session = opened(options());
    session.keys("<delete>");
    answer(&mut session);
    let screen = session.screen(120, 40);
    assert!(screen.contains("2 Pod, 1 ReplicaSet"), "{screen}");
    session.keys("<esc>jj");
    session.screen(120, 40);
    session.keys("<delete>");
    let (_, key, _) = asked(&mut session);
    assert_eq!(&*key.name, "hello-7d9c-28qqp");
    session.keys("<esc>:clusters<enter>");
    session.screen(120, 40);
    session.keys("<delete>");
    assert!(session.screen(120, 40).contains("`lateen detach` takes a cluster away"));
}

#[test]
fn the_menu_does_what_the_keys_do() {
    let mut session = opened(options());
    session.keys("xevents<enter>");
    let effects = session.effects();
    assert!(effects.iter().any(|effect| matches!(effect, Effect::WatchEvents(..))), "{effects:?}");
}

#[test]
fn whether_kubevela_puts_a_number_back_is_told_as_far_as_it_is_known() {
    for (states, said) in [
        (Some(true), "the number is put back within minutes"),
        (Some(false), "leaves the number of pods open: it stays"),
        (None, "unless the application leaves it open"),
    ] {
        let key = key("Deployment", "hello");
        let prepared = Prepared { states_replicas: states, ..prepared(&key, Vec::new()) };
        let mut dialog = ActDialog::new(key, Verb::Scale, Vec::new(), 1);
        dialog.on_prepared(1, Ok(Box::new(prepared)));
        assert!(dialog.afterwards().unwrap().ends_with(said), "{:?}", dialog.afterwards());
    }
}
