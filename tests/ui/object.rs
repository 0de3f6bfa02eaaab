//! One object: its YAML, what is said of it, its Secret's content, edits and shells: keys in, screen out.

use insta::assert_snapshot;
use lateen::{
    app::{
        effect::{Effect, Loan, Viewer},
        message::{Message, StreamId, TaskId},
    },
    model::{
        acting::Right,
        action::{Action, Outcome},
        edit::{Broken, EditNews, Editing, Kept, Proposal, changes, merge_patch},
        health::Health,
        key::ClusterId,
        object::{Description, Document, Face, ObjectNews, ObjectRequest, Section, Word},
        resource::ResourceKey,
    },
};
use serde_json::{Value, json};

use crate::session::*;

const YAML: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata:
  annotations:
    note: |
      first: line
      # no comment
  labels:
    app: hello
  managedFields:
  - manager: kubectl
    operation: Update
  - manager: kubevela
    operation: Apply
  name: hello
spec:
  paused: false
  replicas: 2
  template:
    spec:
      containers:
      - image: hello:1
        name: hello
status:
  replicas: 2
";

const SECRET: &str = "\
apiVersion: v1
data:
  password: '********'
  user: '********'
kind: Secret
metadata:
  name: login
";

fn secret() -> Document {
    Document::new(SECRET.to_owned(), vec![("password".into(), "aHVudGVyMg==".into()), ("user".into(), "bWVp".into())])
}

/// What the page has asked for last.
fn asked(session: &mut Session) -> (StreamId, ObjectRequest) {
    let effects = session.effects();
    let asked = effects.into_iter().rev().find_map(|effect| match effect {
        Effect::WatchObject(stream, request) => Some((stream, request)),
        _ => None,
    });
    asked.unwrap()
}

/// What was asked for since the last call, but for what pages ask by themselves.
fn effects(session: &mut Session) -> Vec<Effect> {
    let mut effects = session.effects();
    effects.retain(|effect| !matches!(effect, Effect::ReadUsage(_)));
    effects
}

fn tell(session: &mut Session, stream: StreamId, news: ObjectNews) {
    session.message(Message::Object(stream, Box::new(news)));
}

/// A session on the YAML of what the cursor is on among the pods.
fn yaml() -> (Session, StreamId) {
    let mut session = Session::estate();
    session.screen(120, 40);
    session.keys(":pods<enter>y");
    let (stream, request) = asked(&mut session);
    assert_eq!((request.face, request.content), (Face::Yaml, false));
    tell(&mut session, stream, ObjectNews::Yaml(Box::new(Document::new(YAML.to_owned(), Vec::new()))));
    session.screen(120, 40);
    (session, stream)
}

#[test]
fn yaml_is_shown_in_its_parts() {
    for (width, height) in [(80, 24), (120, 40)] {
        let (mut session, _) = yaml();
        assert_snapshot!(format!("yaml-{width}x{height}"), session.screen(width, height));
    }
}

#[test]
fn every_page_has_the_object_under_its_cursor() {
    let mut session = Session::estate();
    session.screen(120, 40);
    let kind = |session: &Session| session.app.subject().map(|key| key.kind.to_string());
    for (keys, wanted) in [
        ("", Some("Application")),
        (":approvals<enter>", Some("Application")),
        (":pods<enter>", Some("Pod")),
        ("l", Some("Pod")),
        (":clusters<enter>", Some("VirtualCluster")),
        (":app helm-hello<enter>", Some("Application")),
        (":pf<enter>", None),
    ] {
        session.keys(keys).screen(120, 40);
        assert_eq!(kind(&session).as_deref(), wanted, "{keys}");
    }
    session.keys("y");
    assert!(session.screen(120, 40).contains("nothing is under the cursor for that"));
}

#[test]
fn fields_that_servers_manage_are_hidden_until_asked_for() {
    let (mut session, _) = yaml();
    let screen = session.screen(120, 40);
    assert!(!screen.contains("managedFields") && screen.contains("line 1 of 20"), "{screen}");
    session.keys("m");
    let screen = session.screen(120, 40);
    assert!(screen.contains("manager: kubevela") && screen.contains("line 10 of 25"), "{screen}");
    session.keys("m");
    assert!(!session.screen(120, 40).contains("managedFields"));
}

#[test]
fn what_is_searched_for_is_found_and_counted() {
    let (mut session, _) = yaml();
    session.keys("/hello<enter>");
    let screen = session.screen(120, 40);
    assert!(screen.contains("/hello 1 of 4"), "{screen}");
    session.keys("nn");
    assert!(session.screen(120, 40).contains("/hello 3 of 4"));
    session.keys("nn");
    assert!(session.screen(120, 40).contains("/hello 1 of 4"), "round again");
    session.keys("N");
    assert!(session.screen(120, 40).contains("/hello 4 of 4"));
    session.keys("/nowhere<enter>");
    // Typed behind what was there.
    assert!(session.screen(120, 40).contains("/hellonowhere not found"));
    session.keys("<esc>");
    assert!(!session.screen(120, 40).contains("not found"), "esc takes it away");
}

#[test]
fn a_deletion_is_said_and_the_last_state_stays() {
    let (mut session, stream) = yaml();
    tell(&mut session, stream, ObjectNews::Gone);
    let screen = session.screen(120, 40);
    assert!(screen.contains("deleted: this is how it was last seen") && screen.contains("replicas: 2"), "{screen}");
    let again = YAML.replace("replicas: 2", "replicas: 5");
    tell(&mut session, stream, ObjectNews::Yaml(Box::new(Document::new(again, Vec::new()))));
    let screen = session.screen(120, 40);
    assert!(!screen.contains("deleted:") && screen.contains("replicas: 5"), "{screen}");
    tell(&mut session, stream, ObjectNews::Failed("no answer within 10 s".into()));
    let screen = session.screen(120, 40);
    assert!(screen.contains("not up to date: no answer within 10 s") && screen.contains("replicas: 5"), "{screen}");
    session.keys("<esc>");
    assert!(self::effects(&mut session).contains(&Effect::StopObject(stream)));
}

#[test]
fn a_long_object_is_walked_line_by_line() {
    let (mut session, stream) = yaml();
    let long = (0..200_000).map(|line| format!("key{line}: value")).collect::<Vec<_>>().join("\n");
    tell(&mut session, stream, ObjectNews::Yaml(Box::new(Document::new(long, Vec::new()))));
    session.keys("G");
    let screen = session.screen(80, 24);
    assert!(screen.contains("key199999: value"), "{screen}");
    session.keys("/key77777<enter>");
    assert!(session.screen(80, 24).contains("/key77777 1 of 1"));
}

/// A session on the YAML of a Secret.
fn secret_session() -> (Session, StreamId) {
    let (mut session, _) = yaml();
    let key = ResourceKey {
        cluster: ClusterId::named("foo"),
        group: "".into(),
        kind: "Secret".into(),
        namespace: "default".into(),
        name: "login".into(),
    };
    let page = lateen::app::page::object::ObjectPage::new(key, Face::Yaml);
    session.show(lateen::app::page::Page::Object(Box::new(page)));
    let (stream, request) = asked(&mut session);
    assert!(!request.content, "nothing but metadata is asked for");
    tell(&mut session, stream, ObjectNews::Yaml(Box::new(Document::new("kind: Secret\n".to_owned(), Vec::new()))));
    session.screen(120, 40);
    (session, stream)
}

#[test]
fn a_secrets_content_is_fetched_when_confirmed_and_shown_entry_by_entry() {
    let (mut session, _) = secret_session();
    session.keys("e");
    assert!(self::effects(&mut session).is_empty(), "it is not edited blindly");
    session.keys("r");
    assert_snapshot!("secret-content-80x24", session.screen(80, 24));
    session.keys_every("y", 1).pass(50);
    assert!(self::effects(&mut session).is_empty(), "that was too early");
    session.screen(120, 40);
    session.pass(400).keys("y").pass(50);
    let (stream, request) = asked(&mut session);
    assert!(request.content);
    tell(&mut session, stream, ObjectNews::Yaml(Box::new(secret())));
    let screen = session.screen(120, 40);
    assert!(screen.contains("# 7 bytes") && !screen.contains("aHVudGVyMg") && !screen.contains("hunter2"), "{screen}");
    // The first press goes to the entries, the next shows the one under the cursor.
    session.keys("rr");
    let screen = session.screen(120, 40);
    assert!(screen.contains("password: aHVudGVyMg==  # hunter2") && !screen.contains("bWVp"), "{screen}");
    session.keys("c");
    let copied = self::effects(&mut session).into_iter().find_map(|effect| match effect {
        Effect::Copy(_, text) => Some(text),
        _ => None,
    });
    assert!(
        copied.is_some_and(|text| text.contains("aHVudGVyMg==") && !text.contains("bWVp") && !text.contains("hunter2"))
    );
    session.keys("r");
    assert!(!session.screen(120, 40).contains("hunter2"));
    // Leaving drops it: it is asked for anew.
    session.keys("r-");
    session.screen(120, 40);
    session.keys("-");
    let (_, request) = asked(&mut session);
    assert!(!request.content);
    let screen = session.screen(120, 40);
    assert!(!screen.contains("hunter2") && !screen.contains("password"), "{screen}");
}

#[test]
fn what_is_shown_goes_to_the_pager_the_editor_or_a_file() {
    let (mut session, _) = yaml();
    session.keys("P");
    let effects = self::effects(&mut session);
    let [Effect::Lend(_, Loan::View(Viewer::Pager, name, text))] = &effects[..] else { panic!("{effects:?}") };
    assert!(name.contains(".yaml") && !name.contains('/'), "{name}");
    assert!(text.0.contains("replicas: 2") && !text.0.contains("managedFields"));
    session.keys("S");
    assert!(matches!(&self::effects(&mut session)[..], [Effect::Save(_, _, saved)] if *saved == *text));
}

#[test]
fn description() {
    let mut session = Session::estate();
    session.screen(120, 40);
    session.keys(":pods<enter>d");
    let (stream, request) = asked(&mut session);
    assert_eq!(request.face, Face::Description);
    let line = |words: Vec<Word>| words;
    let description = Description {
        sections: vec![
            Section {
                title: String::new(),
                lines: vec![
                    line(vec![Word::Name("name".into()), Word::Strong("hello-7d9c".into())]),
                    line(vec![Word::Name("created".into()), Word::Ago("2026-11-23T10:41:11Z".parse().unwrap())]),
                ],
            },
            Section {
                title: "events".into(),
                lines: vec![line(vec![
                    Word::Ago("2026-11-23T10:45:11Z".parse().unwrap()),
                    Word::Value("  ".into()),
                    Word::Standing(Health::Failed, "BackOff".into()),
                    Word::Value("  Back-off restarting failed container".into()),
                ])],
            },
        ],
    };
    tell(&mut session, stream, ObjectNews::Described(Box::new(description)));
    for (width, height) in [(80, 24), (120, 40)] {
        assert_snapshot!(format!("description-{width}x{height}"), session.screen(width, height));
    }
    session.keys("y");
    let (_, request) = asked(&mut session);
    assert_eq!(request.face, Face::Yaml, "the other side takes its place");
    session.keys("<esc>");
    assert!(session.screen(120, 40).contains(" pods "), "and back leads past both");
}

fn deployment() -> ResourceKey {
    ResourceKey {
        cluster: ClusterId::named("foo"),
        group: "apps".into(),
        kind: "Deployment".into(),
        namespace: "default".into(),
        name: "hello".into(),
    }
}

fn proposal() -> Proposal {
    let base: Value =
        json!({"spec": {"replicas": 2, "template": {"spec": {"containers": [{"name": "web", "image": "hello:1"}]}}}});
    let mut new = base.clone();
    new["spec"]["replicas"] = json!(3);
    new["spec"]["template"]["spec"]["containers"][0]["image"] = json!("hello:2");
    let patch = merge_patch(&base, &new).unwrap();
    Proposal { changes: changes(&base, &new), editing: Editing { key: deployment(), base, patch } }
}

/// A session that has begun to edit, with the edit's name.
fn editing() -> (Session, TaskId) {
    let mut session = Session::estate();
    session.screen(120, 40);
    session.keys(":pods<enter>e");
    let effects = self::effects(&mut session);
    let task = effects.iter().find_map(|effect| match effect {
        Effect::Draft(task, request) => Some((*task, request.kept)),
        _ => None,
    });
    let (task, kept) = task.unwrap();
    assert_eq!(kept, Kept::Ask);
    session.message(Message::Edit(task, Box::new(EditNews::Drafted(deployment()))));
    assert_eq!(self::effects(&mut session), [Effect::Lend(task, Loan::Draft(deployment()))]);
    session.message(Message::Returned(task, Outcome::Done { message: "".into() }));
    (session, task)
}

fn news(session: &mut Session, task: TaskId, news: EditNews) {
    session.message(Message::Edit(task, Box::new(news)));
}

fn written(session: &mut Session) -> bool {
    session.effects().iter().any(|effect| matches!(effect, Effect::Act(_, Action::Edit(_))))
}

#[test]
fn an_edit_is_shown_checked_and_confirmed() {
    let (mut session, task) = editing();
    news(&mut session, task, EditNews::Read(Box::new(proposal())));
    session.screen(120, 40);
    session.pass(400).keys("y").pass(50);
    assert!(!written(&mut session), "the server has not been heard");
    news(&mut session, task, EditNews::Accepted);
    session.pass(400).keys("y").pass(50);
    assert!(!written(&mut session), "what the server says has not been on the screen");
    for (width, height) in [(80, 24), (120, 40)] {
        assert_snapshot!(format!("edit-{width}x{height}"), session.screen(width, height));
    }
    session.pass(400).keys_every("yyyy", 2).pass(50);
    assert!(!written(&mut session), "a paste never confirms");
    session.message(Message::Input(crossterm::event::Event::Paste("y".into()), session.now)).pass(50);
    assert!(!written(&mut session), "nor does one that says that it is");
    session.keys("<enter>");
    assert!(!written(&mut session), "the focus is on Cancel");
}

#[test]
fn a_confirmed_edit_is_written_once() {
    let (mut session, task) = editing();
    news(&mut session, task, EditNews::Read(Box::new(proposal())));
    news(&mut session, task, EditNews::Accepted);
    session.screen(120, 40);
    session.pass(400).keys("y").pass(50);
    assert!(written(&mut session));
    session.keys("y").pass(50);
    assert!(!written(&mut session));
}

#[test]
fn what_the_server_refuses_cannot_be_confirmed_but_edited_again() {
    let (mut session, task) = editing();
    news(&mut session, task, EditNews::Read(Box::new(proposal())));
    news(&mut session, task, EditNews::Refused("spec.replicas: Invalid value: -1".into()));
    let screen = session.screen(120, 40);
    assert!(screen.contains("refused: spec.replicas: Invalid value: -1"), "{screen}");
    session.pass(400).keys("y").pass(50);
    assert!(!written(&mut session));
    session.keys("e");
    assert_eq!(self::effects(&mut session), [Effect::Lend(task, Loan::Draft(deployment()))]);
}

#[test]
fn a_draft_that_cannot_be_read_says_where() {
    let (mut session, task) = editing();
    let broken = Broken {
        message: "012 is octal to some and decimal to others: write '012' or 12".into(),
        place: Some((7, 10)),
        line: "  count: 012".into(),
    };
    news(&mut session, task, EditNews::Broken(deployment(), broken));
    assert_snapshot!("edit-broken-80x24", session.screen(80, 24));
    session.pass(400).keys("x");
    assert_eq!(self::effects(&mut session), [Effect::DiscardDraft(deployment())]);
}

#[test]
fn a_draft_that_is_there_already_is_asked_about() {
    let mut session = Session::estate();
    session.screen(120, 40);
    session.keys(":pods<enter>e");
    let effects = self::effects(&mut session);
    let task = effects.iter().find_map(|effect| if let Effect::Draft(task, _) = effect { Some(*task) } else { None });
    news(&mut session, task.unwrap(), EditNews::Kept(deployment()));
    let screen = session.screen(120, 40);
    assert!(screen.contains("there is a draft of Deployment/hello already"), "{screen}");
    session.keys("<enter>");
    let effects = self::effects(&mut session);
    assert!(matches!(&effects[..], [Effect::Draft(_, request)] if request.kept == Kept::Reopen), "{effects:?}");
}

/// The question that was asked last.
fn review(session: &mut Session) -> (TaskId, ResourceKey, Right) {
    match &effects(session)[..] {
        [Effect::Review(task, key, right)] => (*task, key.clone(), *right),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_shell_opens_in_a_pod_and_nowhere_else() {
    let mut session = Session::estate();
    session.screen(120, 40);
    session.keys("s");
    assert!(session.screen(120, 40).contains("a shell needs a pod under the cursor"));
    session.keys(":pods<enter>s");
    let (task, key, right) = review(&mut session);
    assert_eq!((&*key.kind, right), ("Pod", Right::Shell));
    session.message(Message::Reviewed(task, key, right, Ok(())));
    let effects = self::effects(&mut session);
    assert!(matches!(&effects[..], [Effect::Lend(_, Loan::Shell(_))]), "{effects:?}");
    let message = "left the shell in foo/default/x, exit code 7".into();
    session.message(Message::Returned(99, Outcome::Done { message }));
    assert!(session.screen(120, 40).contains("exit code 7"));
    // The answer is believed for a while.
    session.keys("s");
    let effects = self::effects(&mut session);
    assert!(matches!(&effects[..], [Effect::Lend(_, Loan::Shell(_))]), "{effects:?}");
}

#[test]
fn a_shell_opens_by_name_from_wherever_one_is() {
    let mut session = Session::estate();
    session.screen(120, 40);
    session.keys(":shell query-7c9-x2<enter>");
    let (task, key, right) = review(&mut session);
    assert_eq!((&*key.name, right), ("query-7c9-x2", Right::Shell));
    session.message(Message::Reviewed(task, key, right, Ok(())));
    let effects = self::effects(&mut session);
    assert!(matches!(&effects[..], [Effect::Lend(_, Loan::Shell(_))]), "{effects:?}");
}

#[test]
fn a_shell_that_is_not_permitted_is_refused_before_the_screen_is_left() {
    let mut session = Session::estate();
    session.screen(120, 40);
    session.keys(":pods<enter>s");
    let (task, key, right) = review(&mut session);
    let cluster = key.cluster.clone();
    session.message(Message::Reviewed(task, key, right, Err("needs create on pods/exec".into())));
    assert!(effects(&mut session).is_empty());
    let said = format!("not permitted in {cluster}: needs create on pods/exec");
    assert!(session.screen(120, 40).contains(&said));
    session.keys("s");
    assert!(effects(&mut session).is_empty(), "asked again");
    assert!(session.screen(120, 40).contains(&format!("{said} (ctrl-r asks again)")));
    session.keys("<ctrl-r>s");
    assert!(effects(&mut session).iter().any(|effect| matches!(effect, Effect::Review(..))));
}

#[test]
fn a_permitted_shell_tears_nobody_out_of_something_else() {
    for meanwhile in ["?", ":", "<esc>"] {
        let mut session = Session::estate();
        session.screen(120, 40);
        session.keys(":pods<enter>s");
        let (task, key, right) = review(&mut session);
        session.keys(meanwhile);
        effects(&mut session);
        session.message(Message::Reviewed(task, key, right, Ok(())));
        assert!(effects(&mut session).is_empty(), "after {meanwhile}");
    }
}

#[test]
fn an_edit_that_is_not_permitted_is_refused_before_an_editor_opens() {
    let mut session = Session::estate();
    session.screen(120, 40);
    session.keys(":pods<enter>e");
    let effects = self::effects(&mut session);
    let [Effect::Draft(task, request)] = &effects[..] else { panic!("{effects:?}") };
    let key = request.key.clone();
    news(&mut session, *task, EditNews::Barred(key.clone(), "needs patch on pods".into()));
    assert!(self::effects(&mut session).is_empty());
    let said = format!("not permitted in {}: needs patch on pods", key.cluster);
    assert!(session.screen(120, 40).contains(&said));
    session.keys("e");
    assert!(self::effects(&mut session).is_empty(), "fetched again");
    assert!(session.screen(120, 40).contains(&said));
    session.keys("<ctrl-r>e");
    assert!(self::effects(&mut session).iter().any(|effect| matches!(effect, Effect::Draft(..))));
}

#[test]
fn five_megabytes_are_opened_searched_and_drawn_by_the_screen() {
    let (mut session, stream) = yaml();
    let mut text = String::from("apiVersion: v1\ndata:\n");
    let mut lines = 2_usize;
    while text.len() < 5 * 1024 * 1024 {
        use std::fmt::Write as _;
        let _ = writeln!(text, "  key-{lines:07}: value");
        lines += 1;
    }
    // And a line that is as long again.
    text.push_str("  long: needle ");
    text.push_str(&"x".repeat(5 * 1024 * 1024));
    text.push('\n');
    lines += 1;
    tell(&mut session, stream, ObjectNews::Yaml(Box::new(Document::new(text, Vec::new()))));
    session.keys("G");
    let screen = session.screen(80, 24);
    assert!(screen.contains(&format!("line {lines} of {lines}")) && screen.contains("long: needle xxx"), "{screen}");
    // Typed at once, as each letter is looked for in the whole.
    let paste = |session: &mut Session, text: &str| {
        session.message(Message::Input(crossterm::event::Event::Paste(text.to_owned()), session.now));
    };
    session.keys("g/");
    paste(&mut session, "key-0100000");
    session.keys("<enter>");
    let screen = session.screen(80, 24);
    assert!(screen.contains("key-0100000: value") && screen.contains("1 of 1"), "{screen}");
    session.keys("<esc>g/");
    paste(&mut session, "needle");
    session.keys("<enter>");
    assert!(session.screen(80, 24).contains("long: needle xxx"));
    for _ in 0..50 {
        session.keys("<right>");
    }
    assert!(session.screen(80, 24).contains("xxxxxxxxxx"));
}

#[test]
fn readonly_bars_edits_and_shells() {
    let mut session =
        Session::estate_with(lateen::app::AppOptions { readonly: Some("--readonly".into()), ..options() });
    session.screen(120, 40);
    for keys in [":pods<enter>e", "s"] {
        session.keys(keys);
        assert!(self::effects(&mut session).is_empty());
        assert!(session.screen(120, 40).contains("nothing is written here: --readonly"));
    }
}
