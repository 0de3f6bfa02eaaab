//! Keys and messages in, effects and state out.

use crate::session::*;
use crossterm::event::{Event, KeyCode, KeyModifiers};
use lateen::{
    app::{
        dialog::{Layer, approve::Focus},
        effect::Effect,
        keymap::View,
        message::Message,
        page::{Page, application::ItemKey},
    },
    model::{
        acting::{Right, Verb},
        action::{Action, Approval, Outcome, StepRef},
        application::Application,
        delta::{Delta, Query, Row, Scope, ScopeState},
        forward::{ForwardNews, ForwardState, ForwardTarget, ForwardTraffic, TargetKind},
        health::Health,
        key::{AppKey, ClusterId, RowKey},
        object::Face,
        resource::ResourceKey,
    },
};

fn helm_hello() -> AppKey {
    AppKey::new("default", "helm-hello")
}

/// Home with the cursor on the application that waits.
fn at_helm_hello() -> Session {
    let mut session = Session::estate();
    session.screen(120, 40);
    session.keys("/name:helm-hello<enter>");
    assert_eq!(selected(&session), Some(helm_hello()));
    session
}

fn selected(session: &Session) -> Option<AppKey> {
    match session.app.page() {
        Page::Applications(table) => table.selected().cloned(),
        other => panic!("on {:?}", other.view()),
    }
}

fn view(session: &Session) -> View {
    session.app.page().view()
}

fn notice(session: &Session) -> &str {
    session.app.notice().map_or("", |notice| &notice.text)
}

fn focus(session: &Session) -> Option<Focus> {
    match session.app.layers().last() {
        Some(Layer::Approve(dialog)) => Some(dialog.focus),
        _ => None,
    }
}

/// The dialog open, seen, and its time to read over.
fn asked() -> Session {
    let mut session = at_helm_hello();
    session.keys("a");
    session.screen(120, 40);
    session.pass(300);
    assert_eq!(focus(&session), Some(Focus::Cancel));
    let helm_hello = ResourceKey::application(&helm_hello());
    let effects = session.effects();
    assert!(
        effects.iter().any(|effect| matches!(effect, Effect::Review(_, key, Right::Approve) if *key == helm_hello)),
        "{effects:?}"
    );
    session
}

/// The write that approving on this screen must ask for.
fn approval() -> Action {
    let row = fixture("captures/app-helm-hello-02-suspended.yaml");
    let step = row.steps.iter().find(|step| &*step.name == "manual-approval").unwrap();
    Action::Approve(Approval {
        app: helm_hello(),
        uid: row.uid.clone(),
        generation: row.generation,
        app_revision: row.workflow.as_ref().unwrap().app_revision.clone(),
        resource_version: row.resource_version.clone(),
        steps: vec![StepRef { id: step.id.clone(), name: step.name.clone() }],
        clusters: vec![ClusterId::named("foo")],
    })
}

fn acts(effects: &[Effect]) -> Vec<&Action> {
    effects.iter().filter_map(|effect| if let Effect::Act(_, action) = effect { Some(action) } else { None }).collect()
}

// ---- approving -------------------------------------------------------------------------------------------------

#[test]
fn a_then_y_approves_with_what_was_on_screen() {
    let mut session = asked();
    session.keys("y");
    assert_eq!(acts(&session.effects()), Vec::<&Action>::new(), "held until it is known to be no paste");
    session.pass(21);
    assert_eq!(acts(&session.effects()), [&approval()]);
    assert!(session.app.layers().is_empty());
    assert_eq!(notice(&session), "approving default/helm-hello");
}

#[test]
fn what_may_not_be_approved_is_said_in_the_dialog_and_then_before_it() {
    let mut session = at_helm_hello();
    session.keys("a");
    session.screen(120, 40);
    let effects = session.effects();
    let [Effect::Review(task, key, right)] = &effects[..] else { panic!("{effects:?}") };
    let needs = "needs patch on applications/status.core.oam.dev";
    session.message(Message::Reviewed(*task, key.clone(), *right, Err(needs.into())));
    let said = format!("not permitted in local: {needs}. Nothing can be confirmed; esc closes.");
    let screen = session.screen(120, 40);
    assert!(
        screen.replace(['\n', '│'], "").split_whitespace().collect::<Vec<_>>().join(" ").contains(&said),
        "{screen}"
    );
    session.pass(400).keys("y").pass(40);
    assert_eq!(acts(&session.effects()), Vec::<&Action>::new());
    session.keys("<esc>a");
    assert!(session.app.layers().is_empty());
    assert_eq!(notice(&session), format!("not permitted in local: {needs} (ctrl-r asks again)"));
    session.keys("<ctrl-r>a");
    assert_eq!(session.app.layers().len(), 1);
}

#[test]
fn while_one_write_is_under_way_there_is_no_second() {
    let mut session = asked();
    session.keys("y").pass(21);
    let effects = session.effects();
    let [Effect::Act(task, _)] = effects[..] else { panic!("{effects:?}") };
    session.keys("a");
    assert!(session.app.layers().is_empty());
    assert_eq!(notice(&session), "a write to default/helm-hello is under way");
    session.message(Message::Done(task, Outcome::Done { message: "resumed default/helm-hello".into() }));
    assert_eq!(notice(&session), "resumed default/helm-hello");
    session.keys("a");
    assert_eq!(session.app.layers().len(), 1);
}

#[test]
fn what_came_of_a_write_is_said() {
    for (outcome, said) in [
        (Outcome::Moved { message: "it runs again".into() }, "nothing written: it runs again"),
        (
            Outcome::Forbidden { message: "patch applications/status".into() },
            "not permitted: patch applications/status",
        ),
        (Outcome::Unknown { message: "no answer".into() }, "outcome unknown: no answer"),
        (Outcome::Failed { message: "409 three times".into() }, "409 three times"),
    ] {
        let mut session = Session::estate();
        session.message(Message::Done(1, outcome));
        assert_eq!(notice(&session), said);
    }
}

#[test]
fn nothing_counts_before_the_frame_was_written_and_read() {
    let mut session = at_helm_hello();
    session.keys("a");
    session.keys_every("y", 1000);
    assert_eq!(acts(&session.effects()), Vec::<&Action>::new(), "no frame was drawn");
    session.paint(120, 40);
    session.keys_every("y", 1000).pass(500);
    assert_eq!(session.effects(), [], "the frame was drawn and not written");
    session.message(Message::Drawn(session.now));
    session.keys_every("y", 299).pass(500);
    assert_eq!(session.effects(), [], "no time to read it");
    let screen = session.screen(120, 40);
    assert!(screen.contains("3 keys dropped: they came before this could be read."), "{screen}");
    session.keys("y").pass(50);
    assert_eq!(acts(&session.effects()).len(), 1);
}

#[test]
fn a_frame_written_before_the_dialog_was_drawn_does_not_count() {
    let mut session = at_helm_hello();
    session.paint(120, 40);
    session.keys("a");
    session.message(Message::Drawn(session.now));
    session.keys_every("y", 400).pass(50);
    assert_eq!(acts(&session.effects()), Vec::<&Action>::new());
}

#[test]
fn a_y_in_a_burst_is_a_paste_wherever_it_stands() {
    for burst in ["yabc", "abcy", "aybc", "yyyy"] {
        let mut session = asked();
        session.pass(500);
        session.keys_every(burst, 5).pass(100);
        assert_eq!(session.effects(), [], "{burst}");
        assert_eq!(focus(&session), Some(Focus::Cancel), "{burst}");
        let screen = session.screen(120, 40);
        assert!(screen.contains("too fast for a person"), "{burst}: {screen}");
        // And the next one, of a person, counts.
        session.keys_every("y", 500).pass(50);
        assert_eq!(acts(&session.effects()).len(), 1, "{burst}");
    }
}

#[test]
fn a_paste_never_confirms() {
    let mut session = asked();
    session.message(Message::Input(Event::Paste("y\n".into()), session.now)).pass(100);
    assert_eq!(session.effects(), []);
    assert_eq!(session.app.layers().len(), 1);
}

#[test]
fn cancel_has_the_focus_and_every_way_out_leads_out() {
    for keys in ["<enter>", "<esc>", "n", "q", "<ctrl-c>", "<tab><tab><enter>", "y<esc>"] {
        let mut session = asked();
        session.keys_every(keys, 15);
        session.pass(100);
        assert_eq!(session.effects(), [], "{keys}");
        assert!(session.app.layers().is_empty(), "{keys}");
    }
    let mut session = asked();
    session.keys("<tab><enter>").pass(50);
    assert_eq!(acts(&session.effects()).len(), 1);
}

#[test]
fn other_keys_do_nothing_in_the_dialog() {
    let mut session = asked();
    session.keys("xjkYd :").pass(100);
    assert_eq!(session.effects(), []);
    assert_eq!(focus(&session), Some(Focus::Cancel));
}

#[test]
fn towards_a_lost_cluster_the_name_must_be_typed() {
    let mut session = asked();
    session.send(vec![lost("foo", 3)]);
    let screen = session.screen(120, 40);
    assert!(screen.contains("✗ unreachable 3m: KubeVela will fail this workflow within a"), "{screen}");
    session.keys("y<enter>").pass(100);
    assert_eq!(session.effects(), []);
    session.keys("<ctrl-u>helm-hell<enter>").pass(100);
    assert_eq!(session.effects(), []);
    session.keys("o<enter>").pass(100);
    assert_eq!(acts(&session.effects()), [&approval()]);
}

#[test]
fn a_name_that_is_pasted_without_brackets_is_taken_away() {
    let mut session = asked();
    session.send(vec![lost("foo", 3)]);
    session.keys_every("helm-hello<enter>", 2).pass(500);
    assert_eq!(session.effects(), []);
    session.keys("<enter>").pass(100);
    assert_eq!(session.effects(), []);
    assert!(session.screen(120, 40).contains("type"), "the dialog is still there");
}

#[test]
fn when_what_was_asked_for_moves_on_nothing_is_confirmed() {
    let changed = |file: &str| app_delta(fixture(file));
    for (delta, words) in [
        (changed("captures/app-helm-hello-03-deploying-foo-wait.yaml"), "manual-approval does not wait any more"),
        (changed("captures/app-helm-hello-05-override-edited-suspended-again.yaml"), "spec was changed meanwhile"),
        (changed("captures/app-helm-hello-06-terminated.yaml"), "Not so any more"),
        (Delta::Remove { scope: apps_scope(), key: RowKey::Application(helm_hello()) }, "the application is gone"),
    ] {
        let mut session = asked();
        session.keys("y");
        session.send(vec![delta]).pass(100);
        session.keys_every("y", 400).pass(100);
        assert_eq!(session.effects(), [], "{words}");
        let screen = session.screen(120, 40);
        assert!(screen.contains(words), "{words}: {screen}");
        session.keys("<esc>");
        assert!(session.app.layers().is_empty());
    }
}

#[test]
fn readonly_says_why() {
    let mut session =
        Session::estate_with(lateen::app::AppOptions { readonly: Some("--readonly".into()), ..options() });
    session.screen(120, 40);
    session.keys("/name:helm-hello<enter>a");
    assert!(session.app.layers().is_empty());
    assert_eq!(notice(&session), "nothing is written here: --readonly");
    session.pass(60_000);
    let screen = session.screen(120, 40);
    assert!(screen.contains("a approve (readonly)"), "{screen}");
}

#[test]
fn where_nothing_waits_the_key_says_so() {
    let mut session = Session::estate();
    session.screen(120, 40);
    session.keys("/name:hello-kubernetes<enter>a");
    assert_eq!(notice(&session), "nothing waits in default/hello-kubernetes: running");
}

#[test]
fn of_several_waiting_steps_one_is_chosen_or_all() {
    let mut app = fixture("captures/app-helm-hello-02-suspended.yaml");
    let mut second = app.steps[1].clone();
    second.name = "second-approval".into();
    second.id = "second".into();
    app.steps.insert(2, second);
    for (keys, steps) in [
        ("<enter>", &["manual-approval"][..]),
        ("<down><enter>", &["second-approval"]),
        ("all<enter>", &["manual-approval", "second-approval"]),
    ] {
        let mut session = at_helm_hello();
        session.send(vec![app_delta(app.clone())]);
        session.keys("a");
        assert!(matches!(session.app.layers(), [Layer::Choose(_)]));
        session.keys(keys);
        assert!(matches!(session.app.layers(), [Layer::Approve(_)]), "{keys}");
        session.screen(120, 40);
        session.pass(300).keys("y").pass(50);
        let effects = session.effects();
        let [Action::Approve(approval)] = acts(&effects)[..] else { panic!("{effects:?}") };
        let names: Vec<&str> = approval.steps.iter().map(|step| &*step.name).collect();
        assert_eq!(names, steps);
    }
}

#[test]
fn the_inbox_approves_the_step_under_the_cursor() {
    let mut session = Session::estate();
    session.screen(120, 40);
    session.keys("A");
    assert_eq!(view(&session), View::Approvals);
    session.screen(120, 40);
    session.keys("a");
    session.screen(120, 40);
    session.pass(300).keys("y").pass(50);
    assert_eq!(acts(&session.effects()), [&approval()], "the oldest stands first");
}

// ---- moving about ----------------------------------------------------------------------------------------------

#[test]
fn in_and_back_keeps_the_cursor_and_the_filter() {
    let mut session = Session::estate();
    session.screen(120, 40);
    session.keys("jj<enter>");
    assert_eq!(view(&session), View::Application);
    session.keys("<esc>");
    assert_eq!(selected(&session), Some(helm_hello()));
    session.keys("/helm<enter><enter><esc>");
    let Page::Applications(table) = session.app.page() else { panic!() };
    assert_eq!((table.filter().raw(), table.count()), ("helm", "1/8".to_owned()));
    session.keys("<esc>");
    let Page::Applications(table) = session.app.page() else { panic!() };
    assert_eq!((table.filter().raw(), table.count()), ("", "8".to_owned()));
}

#[test]
fn the_cursor_follows_the_object() {
    let mut session = Session::estate();
    session.screen(120, 40);
    session.keys("jj");
    let before = selected(&session);
    session.send(vec![app_delta(named("captures/app-helm-hello-04-succeeded.yaml", "aaa", "first"))]);
    session.screen(120, 40);
    assert_eq!(selected(&session), before);
    session.keys("<shift-right><shift-right>O");
    assert_eq!(selected(&session), before, "sorted by name, turned");
    let key = before.unwrap();
    session.send(vec![Delta::Remove { scope: apps_scope(), key: RowKey::Application(key.clone()) }]);
    session.screen(120, 40);
    assert!(selected(&session).is_some_and(|now| now != key), "gone: the cursor stays where it was");
}

#[test]
fn views_are_walked_like_a_browsers() {
    let mut session = Session::estate();
    session.screen(120, 40);
    session.keys(":clusters<enter>:pods<enter>");
    assert_eq!(view(&session), View::Pods);
    session.keys("[");
    assert_eq!(view(&session), View::Clusters);
    session.keys("]");
    assert_eq!(view(&session), View::Pods);
    session.keys("-");
    assert_eq!(view(&session), View::Clusters);
    session.keys("-");
    assert_eq!(view(&session), View::Pods);
    session.keys("qq");
    assert_eq!(view(&session), View::Applications);
    assert_eq!(session.effects(), []);
    session.keys("q");
    assert_eq!(session.effects(), [Effect::Quit]);
}

#[test]
fn page_keys_know_the_screen() {
    let mut session = Session::estate();
    let one = named("captures/app-helm-hello-04-succeeded.yaml", "many", "app");
    let many =
        (0..500).map(|number| Application { key: AppKey::new("many", &format!("app-{number:03}")), ..one.clone() });
    session.send(many.map(app_delta).collect());
    session.screen(80, 24);
    session.keys("<pgdn>");
    let Page::Applications(table) = session.app.page() else { panic!() };
    assert_eq!(table.at(), 19, "twenty rows fit, one is kept");
    session.screen(80, 24);
    session.keys("G");
    let screen = session.screen(80, 24);
    assert!(screen.contains("search") || screen.contains("query"), "{screen}");
    session.keys("g");
    assert!(session.screen(80, 24).contains("app-group"));
}

#[test]
fn ctrl_c_leaves_from_help_too() {
    let mut session = Session::estate();
    session.keys("?<ctrl-c>");
    assert_eq!(session.effects(), [Effect::Quit]);
}

#[test]
fn what_waits_is_shown_whatever_namespace_is() {
    let mut session = Session::estate();
    session.keys("A");
    let everywhere = session.screen(120, 40);
    session.keys("<esc>:ns nowhere<enter>A");
    let screen = session.screen(120, 40);
    assert!(screen.contains("approvals · all namespaces"), "{screen}");
    let waiting = |screen: &str| screen.lines().filter(|line| line.contains("manual-approval")).count();
    assert!(waiting(&screen) > 0 && waiting(&screen) == waiting(&everywhere), "{screen}");
}

#[test]
fn namespaces_by_digit_and_by_name() {
    let mut session = Session::estate();
    session.screen(120, 40);
    session.keys("1");
    assert_eq!(session.app.world().namespace().map(|name| &**name), Some("default"), "most applications");
    session.screen(120, 40);
    let Page::Applications(table) = session.app.page() else { panic!() };
    assert_eq!(table.count(), "4");
    session.keys("0");
    assert_eq!(session.app.world().namespace(), None);
    session.keys(":ns payments<enter>");
    assert_eq!(session.app.world().namespace().map(|name| &**name), Some("payments"));
    session.keys(":ns nowhere<enter>");
    assert_eq!(notice(&session), "namespace nowhere, in which no application is known");
    let screen = session.screen(120, 40);
    assert!(screen.contains("no applications in namespace nowhere (0 shows all namespaces)"), "{screen}");
    assert!(screen.contains("8 apps"), "the header counts all of them: {screen}");
}

// ---- typing ----------------------------------------------------------------------------------------------------

#[test]
fn commands_complete_and_are_corrected() {
    let mut session = Session::estate();
    session.screen(120, 40);
    session.keys(":app wEB<tab><enter>");
    assert_eq!(view(&session), View::Application);
    session.keys(":clutsers<enter>");
    assert_eq!(notice(&session), "no command \"clutsers\"; the nearest is \"clusters\"");
    session.keys(":app helm-helo<enter>");
    assert_eq!(notice(&session), "no application \"helm-helo\"; the nearest is \"default/helm-hello\"");
    session.keys(":<up><up><up>");
    assert_eq!(session.app.prompt().map(|prompt| prompt.line.text()), Some("app default/web-hello"));
    session.keys("<esc>:q<enter>");
    assert_eq!(session.effects(), [Effect::Quit]);
}

#[test]
fn keys_that_are_typed_do_not_act() {
    let mut session = Session::estate();
    session.screen(120, 40);
    session.keys("/aqAfF?:0<ctrl-k><esc>");
    assert_eq!(session.effects(), []);
    assert!(session.app.layers().is_empty());
    assert_eq!(view(&session), View::Applications);
    let Page::Applications(table) = session.app.page() else { panic!() };
    assert_eq!(table.filter().raw(), "", "esc takes back what was typed");
}

#[test]
fn a_filter_works_as_it_is_typed_and_says_what_is_wrong() {
    let mut session = Session::estate();
    session.screen(120, 40);
    session.keys("/re:^search (");
    let screen = session.screen(120, 40);
    assert!(screen.contains("not a regular expression: unclosed group"), "{screen}");
    session.keys("<enter>");
    assert!(session.app.prompt().is_some(), "it stays open");
    session.keys("<backspace>query<enter>");
    let Page::Applications(table) = session.app.page() else { panic!() };
    assert_eq!(table.count(), "1/8");
    session.keys("/<ctrl-u>nothing-like-it<enter>");
    let screen = session.screen(120, 40);
    assert!(screen.contains("none of 8 matches /nothing-like-it (esc takes the filter away)"), "{screen}");
    session.keys("<esc><ctrl-x>");
    let screen = session.screen(120, 40);
    assert!(screen.contains("6/8 not ok"), "{screen}");
}

#[test]
fn a_pasted_command_is_not_submitted() {
    let mut session = Session::estate();
    session.message(Message::Input(Event::Paste("q\n".into()), session.now));
    assert_eq!(notice(&session), "a paste means nothing here: press : or / before it");
    session.keys(":");
    session.message(Message::Input(Event::Paste("q\n".into()), session.now));
    assert_eq!(session.effects(), []);
    assert_eq!(session.app.prompt().map(|prompt| prompt.line.text()), Some("q"));
}

// ---- forwards -----------------------------------------------------------------------------------------

fn target(cluster: &str, name: &str, port: u16) -> ForwardTarget {
    ForwardTarget {
        cluster: ClusterId::named(cluster),
        namespace: "default".into(),
        kind: TargetKind::Service,
        name: name.into(),
        port,
        port_name: "http".into(),
        component: "hello".into(),
    }
}

#[test]
fn a_forward_is_picked_watched_and_stopped() {
    let mut session = at_helm_hello();
    session.keys("F");
    let effects = session.effects();
    let [Effect::FindTargets { task, app, .. }] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!(*app, helm_hello());
    assert!(session.screen(120, 40).contains("looking…"));
    session.message(Message::Targets(task + 7, vec![target("bar", "late", 1)], Vec::new()));
    assert!(session.screen(120, 40).contains("looking…"), "an answer to another question");
    let found = vec![target("local", "hello", 80), target("foo", "hello", 80)];
    session.message(Message::Targets(*task, found, vec!["bar: unreachable".into()]));
    let screen = session.screen(120, 40);
    assert!(
        screen.contains("CLUSTER  NAMESPACE  KIND     NAME:PORT") && screen.contains("bar: unreachable"),
        "{screen}"
    );
    session.keys("foo<enter>");
    let effects = session.effects();
    let [Effect::StartForward { id, target: to, local_port }] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!((to, *local_port), (&target("foo", "hello", 80), 8080));
    let active = ForwardState::Active { local: "127.0.0.1:8080".into(), pod: "hello-1".into() };
    session.message(Message::Forward(*id, ForwardNews::State(active)));
    assert_eq!(notice(&session), "http://127.0.0.1:8080 reaches hello in foo");
    let screen = session.screen(120, 40);
    assert!(screen.contains("fwd 1"), "{screen}");
    session.keys("f");
    let screen = session.screen(120, 40);
    assert!(
        screen.contains("http://127.0.0.1:8080 foo     default   Service/hello:80 ✓ active, to pod hello-1"),
        "{screen}"
    );
    let traffic = ForwardTraffic {
        open: 2,
        total: 140,
        failed: 3,
        sent: 96 << 20,
        received: 3 << 30,
        reconnects: 1,
        last_error: Some("connect: connection refused".into()),
    };
    session.message(Message::Forward(*id, ForwardNews::Traffic(traffic)));
    let screen = session.screen(120, 40);
    for told in ["2/140 96Mi      3Gi     1", "3 of 140 connections failed, the last: connect: connection refused"] {
        assert!(screen.contains(told), "{told}:\n{screen}");
    }
    session.keys("c");
    assert!(matches!(&session.effects()[..], [Effect::Copy(_, text)] if text == "http://127.0.0.1:8080"));
    session.keys("x");
    assert_eq!(session.effects(), [Effect::StopForward(*id)]);
    session.message(Message::Forward(*id, ForwardNews::State(ForwardState::Stopped)));
    session.screen(120, 40);
    session.keys("x");
    assert!(session.screen(120, 40).contains("no forwards: F on an application or a pod opens one"));
}

// ---- why nothing is there --------------------------------------------------------------------------------------

#[test]
fn an_empty_view_says_why() {
    let scope = apps_scope();
    let asked = |state| Delta::Asked { scope: scope.clone(), state };
    for (delta, words) in [
        (None, "connecting to prod-eu"),
        (Some(asked(ScopeState::Loading(512))), "loading applications: 512 so far"),
        (Some(asked(ScopeState::Live)), "no applications on prod-eu"),
        (Some(asked(ScopeState::NotInstalled)), "applications are not served by local: is KubeVela installed?"),
        (
            Some(asked(ScopeState::Forbidden("list applications in all namespaces".into()))),
            "not permitted in local: list applications in all namespaces",
        ),
        (
            Some(asked(ScopeState::Failing("connection refused".into()))),
            "cannot list applications of local: connection refused; trying again",
        ),
    ] {
        let mut session = Session::new(options());
        session.send(delta.into_iter().collect());
        let screen = session.screen(80, 24);
        assert!(screen.contains(words), "{words}: {screen}");
    }
}

#[test]
fn a_notice_is_said() {
    let mut session = Session::estate();
    session.send(vec![Delta::Notice("virtualclusters is not served: showing local alone".into())]);
    assert_eq!(notice(&session), "virtualclusters is not served: showing local alone");
    session.pass(10_000);
    assert_eq!(notice(&session), "");
}

// ---- time ------------------------------------------------------------------------------------------------------

#[test]
fn idle_wakes_only_when_a_text_turns() {
    let mut session = Session::estate();
    let before = session.screen(120, 40);
    let next = session.app.next_tick().unwrap();
    assert!(next > session.now);
    let millis = next.duration_since(session.now).as_millis() as i64;
    session.pass(millis - 1);
    assert_eq!(session.screen(120, 40), before, "nothing changes before");
    session.pass(1);
    assert_ne!(session.screen(120, 40), before, "and then it does");
}

#[test]
fn nothing_that_ages_is_on_an_empty_screen() {
    let mut session = Session::new(options());
    session.screen(80, 24);
    assert_eq!(session.app.next_tick(), None);
}

#[test]
fn only_a_running_step_counts_seconds() {
    let mut session = Session::estate();
    session.screen(120, 40);
    let wakes = |session: &mut Session| {
        session.screen(120, 40);
        session.app.next_tick().unwrap().duration_since(session.now).as_secs()
    };
    session.keys(":app helm-hello<enter>");
    session.pass(10_000);
    assert!(wakes(&mut session) > 1);
    session.keys(":app indexer<enter>");
    session.pass(10_000);
    assert!(wakes(&mut session) <= 1);
}

#[test]
fn what_a_lost_cluster_told_is_dim_and_says_how_old_it_is() {
    let mut session = Session::estate();
    session.send(vec![lost("foo", 3)]);
    session.screen(120, 40);
    session.keys(":pods<enter>G");
    let buffer = session.frame(120, 40);
    let row = (0..40).find(|y| text(&buffer).lines().nth(usize::from(*y)).unwrap().contains("query-7c9-x2")).unwrap();
    let shown: String = (0..120).map(|x| buffer[(x, row)].symbol()).collect();
    assert!(shown.contains("? CrashLoopBackOff stale 3m"), "{shown}");
    let dim = ratatui::style::Modifier::DIM;
    assert!((0..120).all(|x| buffer[(x, row)].symbol() == " " || buffer[(x, row)].modifier.contains(dim)));
}

#[test]
fn two_escapes_close_together_read_like_one_with_alt() {
    let mut session = Session::estate();
    session.screen(120, 40);
    session.keys("A");
    session.press(KeyCode::Esc, KeyModifiers::ALT);
    assert_eq!(view(&session), View::Applications);
}

#[test]
fn times_are_absolute_on_demand() {
    let mut session = Session::estate();
    session.screen(120, 40);
    session.keys("T");
    let screen = session.screen(120, 40);
    assert!(screen.contains("10:36:08") && screen.contains("07-14 08:38"), "{screen}");
    assert_eq!(session.app.next_tick(), None);
}

#[test]
fn resize_and_release_events_mean_nothing() {
    let mut session = at_helm_hello();
    session.message(Message::Input(Event::Resize(10, 10), session.now));
    session.message(Message::Input(Event::FocusGained, session.now));
    session.press(KeyCode::F(5), KeyModifiers::NONE);
    assert_eq!(session.effects(), []);
}

#[test]
fn clusters_lead_to_their_pods() {
    let mut session = Session::estate();
    session.screen(120, 40);
    session.keys(":clusters<enter>");
    session.screen(120, 40);
    session.keys("j<enter>");
    let screen = session.screen(120, 40);
    assert!(
        screen.contains("pods · foo") && screen.contains("query-7c9-x2") && !screen.contains("hello-7d9c"),
        "{screen}"
    );
    let scope = Scope { cluster: ClusterId::named("foo"), query: Query::LabelledPods(None) };
    let row = pod(("search", "query"), "hello", ("foo", "default", "query-new"), "Running", Health::Ok);
    let Delta::Upsert { row: Row::Pod(row), .. } = row else { panic!() };
    session.send(vec![Delta::Upsert { scope, epoch: 1, row: Row::Pod(row) }]);
    assert!(session.screen(120, 40).contains("query-new"));
}

#[test]
fn a_key_that_means_nothing_says_so() {
    let mut session = Session::estate();
    session.screen(120, 40);
    session.keys("z");
    assert_eq!(notice(&session), "z does nothing here; ? shows the keys");
    session.keys("<tab>");
    assert_eq!(notice(&session), "there is one panel here");
}

// ---- objects by name ---------------------------------------------------------------------------------------------

fn opened(session: &Session) -> (String, Face) {
    match session.app.page() {
        Page::Object(page) => (page.key.to_string(), page.face),
        other => panic!("on {:?}", other.view()),
    }
}

/// What the cursor is on, among the lines of an application.
fn on_component() -> Session {
    let mut session = Session::estate();
    session.screen(120, 40);
    session.keys(":app helm-hello<enter>");
    for _ in 0..20 {
        let Page::Application(page) = session.app.page() else { panic!("no application") };
        if matches!(page.selected(), Some(ItemKey::Service { .. })) {
            return session;
        }
        session.keys("j");
    }
    panic!("no component");
}

#[test]
fn commands_look_at_what_is_named_or_under_the_cursor() {
    for (line, wanted) in [
        ("yaml", ("local/default/Application/helm-hello", Face::Yaml)),
        ("describe", ("local/default/Application/helm-hello", Face::Description)),
        ("yaml app/helm-hello", ("local/default/Application/helm-hello", Face::Yaml)),
        ("desc Application/helm-hello", ("local/default/Application/helm-hello", Face::Description)),
        ("yaml applications/helm-hello", ("local/default/Application/helm-hello", Face::Yaml)),
    ] {
        let mut session = at_helm_hello();
        session.keys(&format!(":{line}<enter>"));
        assert_eq!(opened(&session), (wanted.0.to_owned(), wanted.1), "{line}");
    }
}

#[test]
fn what_is_not_known_is_looked_for_where_the_application_is() {
    let mut session = at_helm_hello();
    session.keys(":yaml cm/settings<enter>");
    // In each of its places: which one is asked.
    let Some(Layer::Choose(chooser)) = session.app.layers().last() else { panic!("{}", notice(&session)) };
    let cells: Vec<String> = chooser.rows.iter().map(|row| row.cells.join(" ")).collect();
    assert_eq!(cells, ["local default ConfigMap/settings", "foo default ConfigMap/settings"]);
    session.keys("<down><enter>");
    assert_eq!(opened(&session), ("foo/default/ConfigMap/settings".to_owned(), Face::Yaml));
    for line in ["yaml nonsense", "edit gadget/x", "shell nonsense"] {
        let mut session = at_helm_hello();
        session.keys(&format!(":{line}<enter>"));
        assert!(
            notice(&session).ends_with("is known here; the tree (t) knows all that it made"),
            "{}",
            notice(&session)
        );
    }
}

#[test]
fn commands_ask_before_they_restart_scale_and_delete() {
    for (line, verb, asked) in [
        ("restart deploy/hello", Verb::Restart, None),
        ("scale deploy/hello 3", Verb::Scale, Some(3)),
        ("scale deployments/hello", Verb::Scale, None),
        ("delete deployment/hello", Verb::Delete, None),
    ] {
        let mut session = at_helm_hello();
        session.effects();
        session.keys(&format!(":{line}<enter><enter>"));
        let Some(Layer::Act(dialog)) = session.app.layers().last() else { panic!("{line}: {}", notice(&session)) };
        assert_eq!((dialog.verb, dialog.asked, &*dialog.key.kind), (verb, asked, "Deployment"), "{line}");
        assert!(session.effects().iter().any(|effect| matches!(effect, Effect::Prepare(..))), "{line}");
    }
    let mut session = at_helm_hello();
    session.keys(":scale deploy/hello -2<enter>");
    assert_eq!(notice(&session), "scale takes a number of pods, not \"-2\"");
    session.keys(":restart<enter>");
    assert_eq!(notice(&session), "Application/helm-hello cannot be restarted");
}

#[test]
fn names_of_objects_are_completed() {
    let mut session = at_helm_hello();
    session.keys(":yaml Application/helm-h");
    let prompt = session.app.prompt().unwrap();
    assert_eq!(prompt.completion.words, ["Application/helm-hello"]);
    session.keys("<tab><enter>");
    assert_eq!(opened(&session).0, "local/default/Application/helm-hello");
}

#[test]
fn keys_on_a_component_act_on_its_own_object() {
    for (key, face) in [("y", Face::Yaml), ("d", Face::Description)] {
        let mut session = on_component();
        session.keys(key);
        let (object, opened) = opened(&session);
        assert!(object.ends_with("/default/HelmRelease/hello") && opened == face, "{object}");
    }
    let mut session = on_component();
    session.effects();
    session.keys("e");
    let effects = session.effects();
    let drafted =
        effects.iter().find_map(|effect| if let Effect::Draft(_, draft) = effect { Some(draft) } else { None });
    assert_eq!(&*drafted.unwrap().key.kind, "HelmRelease");
}

#[test]
fn where_a_components_object_is_not_known_that_is_said_and_nothing_is_written_instead() {
    let mut session = on_component();
    let mut row = fixture("captures/app-helm-hello-02-suspended.yaml");
    for service in &mut row.services {
        service.workload = None;
    }
    session.send(vec![app_delta(row)]);
    session.screen(120, 40);
    let said = "KubeVela does not tell which object hello is: this is the application default/helm-hello, t shows what it made";
    for keys in ["e", ":edit<enter>", "<delete>", ":delete<enter>"] {
        session.effects();
        session.keys(keys);
        assert_eq!(notice(&session), said, "{keys}");
        assert!(session.app.layers().is_empty(), "{keys}");
        assert!(!session.effects().iter().any(|effect| matches!(effect, Effect::Draft(..) | Effect::Prepare(..))));
    }
    session.keys("y");
    assert_eq!((opened(&session).0.as_str(), notice(&session)), ("local/default/Application/helm-hello", said));
}
