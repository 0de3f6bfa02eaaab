//! Logs: what the streams bring in, keys in, screen and effects out.

use std::sync::Arc;

use insta::assert_snapshot;
use jiff::{SignedDuration, Timestamp};
use lateen::{
    app::{
        effect::{Effect, Loan, Viewer},
        keymap::View,
        message::{Message, StreamId},
        page::{Page, logs::LogPage},
    },
    model::{
        delta::{Delta, Query, Row, Scope},
        key::{AppKey, ClusterId, PodKey},
        log::{
            ContainerKind, Containers, End, Exit, Gap, LogEvent, LogLine, LogRequest, LogScope, LogSource, LogTarget,
            SourceId, Start, StreamState,
        },
    },
};

use crate::session::*;

const A: SourceId = SourceId(0);
const B: SourceId = SourceId(1);

fn opened(id: SourceId, cluster: &str, pod: &str, container: &str, kind: ContainerKind) -> LogEvent {
    let pod = PodKey::new(cluster, "default", pod);
    LogEvent::Opened(id, Arc::new(LogSource { pod, container: container.into(), kind, previous: false }))
}

fn two() -> Vec<LogEvent> {
    vec![
        opened(A, "local", "hello-7d9c-x2k4p", "hello", ContainerKind::Ordinary),
        opened(B, "foo", "hello-85d4-kb2mv", "hello", ContainerKind::Ordinary),
    ]
}

/// So many milliseconds before now.
fn ago(millis: i64) -> Timestamp {
    now() - SignedDuration::from_millis(millis)
}

fn line(id: SourceId, millis: i64, text: &str) -> LogEvent {
    LogEvent::Lines(id, vec![LogLine { time: Some(ago(millis)), text: text.into(), cut: false }])
}

fn asked(session: &mut Session) -> (StreamId, LogRequest, Vec<LogTarget>) {
    let effects = session.effects();
    let asked = effects.iter().rev().find_map(|effect| match effect {
        Effect::FollowLogs(stream, request, targets) => Some((*stream, (**request).clone(), targets.clone())),
        _ => None,
    });
    asked.unwrap_or_else(|| panic!("{effects:?}"))
}

/// A session on the logs of helm-hello, two sources open.
fn at_logs() -> (Session, StreamId) {
    let mut session = Session::estate();
    session.screen(120, 40);
    session.keys(":logs default/helm-hello<enter>");
    let (stream, ..) = asked(&mut session);
    session.message(Message::Log(stream, two()));
    session.screen(120, 40);
    (session, stream)
}

fn page(session: &Session) -> &LogPage {
    match session.app.page() {
        Page::Logs(page) => page,
        other => panic!("on {:?}", other.view()),
    }
}

/// The line under the cursor.
fn cursor(session: &mut Session) -> String {
    let screen = session.styled(120, 40);
    let lines: Vec<&str> = screen.lines().collect();
    let at = lines.iter().position(|line| line.starts_with("rrr")).unwrap_or_else(|| panic!("{screen}"));
    lines[at - 1].trim().to_owned()
}

fn numbered(count: i64) -> Vec<LogEvent> {
    (0..count).map(|number| line(A, (count - number) * 10, &format!("line {number}"))).collect()
}

#[test]
fn logs() {
    for (width, height) in [(80, 24), (120, 40)] {
        let mut session = Session::estate();
        session.screen(width, height);
        session.keys(":logs default/helm-hello<enter>");
        let (stream, ..) = asked(&mut session);
        session.message(Message::Log(stream, two()));
        let cut = LogLine { time: None, text: "x".repeat(300).into(), cut: true };
        session.message(Message::Log(
            stream,
            vec![
                line(A, 12_779, "GET / 200 3ms"),
                line(A, 12_770, "\u{1b}[33mlevel=warn\u{1b}[0m slow upstream 412ms"),
                line(B, 12_777, "GET / 200 4ms"),
                line(B, 12_000, "E1123 10:47:59.000000       1 main.go:12] cannot reach the database"),
                line(A, 11_000, r#"{"level":"info","msg":"started","port":8080}"#),
                LogEvent::Gap(B, Gap::Resumed { at: now(), missing: 12, reason: "cluster unreachable".into() }),
                line(A, 900, "使用者 登入 成功 ✓"),
                line(A, 800, "bell\\u{7} and \\u{1b}]0;title\\u{7} stay text"),
                LogEvent::Lines(B, vec![cut]),
                LogEvent::Gap(A, Gap::Dropped { lines: 3210 }),
                line(A, 700, "GET /healthz 200 1ms"),
                LogEvent::Ended(B, End::Exited(Exit { code: 137, reason: "OOMKilled".into() })),
            ],
        ));
        session.pass(1000);
        assert_snapshot!(format!("logs-{width}x{height}"), session.screen(width, height));
        session.keys("<tab>j");
        assert_snapshot!(format!("logs-sources-{width}x{height}"), session.screen(width, height));
        session.keys("<tab>/slow|GET & !healthz<enter>wsN");
        assert_snapshot!(format!("logs-filter-{width}x{height}"), session.screen(width, height));
        session.keys("<esc>5G");
        let (stream, ..) = asked(&mut session);
        session.message(Message::Log(stream, two()));
        let json = r#"{"level":"error","msg":"no","err":{"stack":"a\n  at b.c(d.java:1)","code":7}}"#;
        session.message(Message::Log(stream, vec![line(A, 10, json)]));
        session.screen(width, height);
        session.keys("<enter>");
        assert_snapshot!(format!("logs-line-{width}x{height}"), session.screen(width, height));
    }
}

#[test]
fn the_logs_of_an_application_are_those_of_its_pods_and_new_ones_join() {
    let mut session = Session::estate();
    session.screen(120, 40);
    session.keys("/name:helm-hello<enter>l");
    assert_eq!(session.app.page().view(), View::Logs);
    let (stream, request, targets) = asked(&mut session);
    let app = AppKey::new("default", "helm-hello");
    assert_eq!(request, LogRequest::of(LogScope::App { app, component: None }));
    let names: Vec<String> = targets.iter().map(|target| target.pod.to_string()).collect();
    assert_eq!(names, ["local/default/hello-7d9c-28qqp", "local/default/hello-7d9c-x2k4p"]);
    let mut pod = session.app.world().store.pod(&targets[0].pod).unwrap().clone();
    pod.key.name = "hello-8888-new".into();
    pod.uid = "new".into();
    let scope = Scope { cluster: ClusterId::local(), query: Query::LabelledPods(None) };
    session.send(vec![Delta::Upsert { scope, epoch: 1, row: Row::Pod(Box::new(pod)) }]);
    let effects = session.effects();
    assert!(
        matches!(&effects[..], [Effect::JoinLogs(joined, new)] if *joined == stream && &*new[0].pod.name == "hello-8888-new"),
        "{effects:?}"
    );
    session.keys("<esc>");
    assert_eq!(session.effects(), [Effect::StopLogs(stream)]);
}

#[test]
fn a_pods_log_is_of_all_its_containers_and_others_can_be_chosen() {
    let mut session = Session::estate();
    session.screen(120, 40);
    session.keys(":pods<enter>");
    session.screen(120, 40);
    session.keys("/kb2mv<enter>l");
    let (stream, request, targets) = asked(&mut session);
    let pod = PodKey::new("foo", "default", "hello-85d4-kb2mv");
    assert_eq!(request, LogRequest { containers: Containers::All, ..LogRequest::of_pods(vec![pod.clone()]) });
    assert_eq!(targets[0].pod, pod);
    session.message(Message::Log(
        stream,
        vec![
            opened(A, "foo", "hello-85d4-kb2mv", "hello", ContainerKind::Ordinary),
            opened(B, "foo", "hello-85d4-kb2mv", "debugger-x1", ContainerKind::Ephemeral),
        ],
    ));
    session.keys("o");
    let screen = session.screen(120, 40);
    assert!(screen.contains("all containers") && screen.contains("ephemeral"), "{screen}");
    session.keys("debugger-x<enter>");
    let effects = session.effects();
    assert!(
        matches!(&effects[..], [Effect::StopLogs(old), Effect::FollowLogs(_, request, _)]
        if *old == stream && request.containers == Containers::Named("debugger-x1".into())),
        "{effects:?}"
    );
    session.keys("p");
    let (_, request, _) = asked(&mut session);
    assert!(request.previous && !request.follow);
    assert!(session.screen(120, 40).contains("previous"));
}

#[test]
fn a_selector_and_a_name_lead_to_logs() {
    let mut session = Session::estate();
    session.screen(120, 40);
    session.keys(":logs -l app=web,tier in (a, b)<enter>");
    let (_, request, targets) = asked(&mut session);
    assert_eq!(request.scope, LogScope::Selector { namespace: None, selector: "app=web,tier in (a, b)".into() });
    assert!(targets.is_empty());
    session.keys(":logs query-7c9-x2<enter>");
    let (_, request, _) = asked(&mut session);
    assert_eq!(request.scope, LogScope::Pods(vec![PodKey::new("foo", "default", "query-7c9-x2")]));
    session.keys(":logs no-such<enter>");
    assert!(session.screen(120, 40).contains("no pod and no application \"no-such\" is known"));
}

#[test]
fn a_log_is_followed_held_and_let_go() {
    let (mut session, stream) = at_logs();
    session.message(Message::Log(stream, numbered(100)));
    session.message(Message::Log(stream + 1, vec![line(A, 0, "of another session")]));
    let screen = session.screen(80, 24);
    assert!(screen.contains("line 99") && !screen.contains("another") && screen.contains("follow"), "{screen}");
    session.keys(" ");
    let held = session.screen(80, 24);
    session.message(Message::Log(
        stream,
        vec![
            line(A, 0, "line 100"),
            LogEvent::Gap(A, Gap::Dropped { lines: 3210 }),
            line(B, 15, "late, into the picture"),
        ],
    ));
    let screen = session.screen(80, 24);
    assert!(screen.contains("paused, +2 new") && !screen.contains("line 100"), "{screen}");
    let body = |screen: &str| screen.lines().skip(2).take(21).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(body(&screen), body(&held), "the picture stands still");
    session.keys("k");
    assert!(session.screen(80, 24).contains("late, into the picture"), "it comes when the picture moves");
    session.keys("<pgup>k");
    let screen = session.screen(80, 24);
    assert!(screen.contains("line 60") && !screen.contains("line 99"), "{screen}");
    for keys in ["G", "f"] {
        session.keys("g").keys(keys);
        let screen = session.screen(80, 24);
        assert!(screen.contains("3,210 lines dropped here") && screen.contains("follow"), "{screen}");
    }
    session.keys("k");
    assert!(session.screen(80, 24).contains("paused, +0 new"), "scrolling up pauses");
    session.keys("jj");
    assert!(session.screen(80, 24).contains("follow"), "down past the end follows again");
}

#[test]
fn what_is_typed_filters_marks_and_is_told_wrong_at_its_character() {
    let (mut session, stream) = at_logs();
    session.message(Message::Log(stream, numbered(1000)));
    session.keys("/line 9.*5");
    let screen = session.screen(120, 40);
    assert!(screen.contains("line 905") && !screen.contains("line 904"), "{screen}");
    session.keys("(");
    let screen = session.styled(120, 40);
    let lines: Vec<&str> = screen.lines().collect();
    let prompt = lines.iter().position(|line| line.contains("unclosed group")).unwrap_or_else(|| panic!("{screen}"));
    let column = lines[prompt].find('(').unwrap();
    assert_eq!(lines[prompt + 1].chars().nth(column), Some('r'), "{screen}");
    assert!(screen.contains("line 905"), "what was in force stays");
    session.keys("<backspace><enter>");
    assert_eq!(page(&session).hits(), Some((None, 20)));
    session.keys("N");
    assert!(session.screen(120, 40).contains("20 of 20"));
    session.keys("n");
    assert!(session.screen(120, 40).contains("1 of 20"), "it begins again at the other end");
    assert!(cursor(&mut session).ends_with("line 95"));
    session.keys("C");
    let screen = session.screen(120, 40);
    assert!(screen.contains("line 93") && screen.contains("line 97") && !screen.contains("line 98"), "{screen}");
    session.keys("<esc>/*line 500<enter>n");
    assert!(cursor(&mut session).ends_with("line 500"));
    let screen = session.screen(120, 40);
    assert!(screen.contains("line 499") && screen.contains("1 of 1"), "{screen}");
    session.keys("<esc>/!line<enter>");
    assert!(session.screen(120, 40).contains("no line matches"));
}

#[test]
fn sources_are_hidden_and_shown_alone() {
    let (mut session, stream) = at_logs();
    session.message(Message::Log(stream, vec![line(A, 20, "from local"), line(B, 10, "from foo")]));
    session.message(Message::Log(stream, vec![LogEvent::State(B, StreamState::Broken("connection refused".into()))]));
    session.keys("<tab>");
    assert_eq!(session.app.page().view(), View::LogSources);
    let screen = session.screen(120, 40);
    assert!(screen.contains("broken: connection refused"), "{screen}");
    session.keys(" ");
    let screen = session.screen(120, 40);
    assert!(!screen.contains("from local") && screen.contains("from foo") && screen.contains("1 hidden"), "{screen}");
    session.message(Message::Log(stream, vec![line(A, 0, "more from local")]));
    assert!(!session.screen(120, 40).contains("more from local"));
    session.keys("s");
    let screen = session.screen(120, 40);
    assert!(screen.contains("more from local") && !screen.contains("from foo"), "{screen}");
    session.keys("a<esc>");
    assert_eq!(session.app.page().view(), View::Logs);
    let screen = session.screen(120, 40);
    assert!(screen.contains("more from local") && screen.contains("from foo"), "{screen}");
}

#[test]
fn the_log_begins_where_a_digit_says() {
    let (mut session, _) = at_logs();
    let minutes = |minutes| Start::Since(SignedDuration::from_mins(minutes));
    let starts = [
        ("0", Start::Tail(1000)),
        ("1", Start::Head),
        ("2", minutes(1)),
        ("3", minutes(5)),
        ("4", minutes(15)),
        ("5", minutes(30)),
        ("6", minutes(60)),
    ];
    for (key, start) in starts {
        session.keys(key);
        assert_eq!(asked(&mut session).1.start, start, "{key}");
    }
    assert!(session.screen(160, 40).contains("since 1h"));
    session.keys("1");
    let (stream, ..) = asked(&mut session);
    session.message(Message::Log(stream, two()));
    session.message(Message::Log(stream, numbered(100)));
    let screen = session.screen(120, 40);
    assert!(screen.contains("line 0") && !screen.contains("line 99") && screen.contains("paused"), "{screen}");
}

#[test]
fn one_goes_to_a_time_and_to_marks() {
    let (mut session, stream) = at_logs();
    // From 10:46:31 on, a line a second.
    let lines = (0..100).map(|number| line(A, (100 - number) * 1000, &format!("line {number}")));
    session.message(Message::Log(stream, lines.collect()));
    session.screen(120, 40);
    session.keys("@10:47<enter>");
    assert!(cursor(&mut session).ends_with("line 29"), "{}", session.screen(120, 40));
    session.keys("mjjm");
    assert!(session.screen(120, 40).contains("2 marked"));
    session.keys("gM");
    assert!(cursor(&mut session).ends_with("line 29"));
    session.effects();
    session.keys("c");
    assert!(matches!(&session.effects()[..], [Effect::Copy(_, text)] if text == "line 29\nline 31"));
    session.keys("@noon<enter>");
    assert!(session.screen(120, 40).contains("is no time"));
    session.keys("@10:48:11<enter>");
    assert!(session.screen(120, 40).contains("no line is from"), "{}", session.screen(120, 40));
    session.keys("@9:00<enter>");
    assert!(session.screen(120, 40).contains("\"9:00\" is no time"));
    session.keys("@09:00<enter>");
    assert!(session.screen(120, 40).contains("the lines kept begin at 10:46:31"), "{}", session.screen(120, 40));
    session.keys("<esc>c");
    assert!(matches!(&session.effects()[..], [Effect::Copy(_, text)] if text == "line 0"));
}

#[test]
fn lines_are_saved_exported_and_paged() {
    let (mut session, stream) = at_logs();
    session.message(Message::Log(
        stream,
        vec![line(A, 30, "\u{1b}[31mone\u{1b}[0m"), line(B, 20, "two"), LogEvent::Gap(A, Gap::Dropped { lines: 1 })],
    ));
    session.screen(120, 40);
    session.keys("/one<enter>");
    session.effects();
    session.keys("S<ctrl-s>JP");
    let effects = session.effects();
    let [
        Effect::Save(_, name, shown),
        Effect::Save(_, _, all),
        Effect::Save(_, json_name, json),
        Effect::Lend(_, loan),
    ] = &effects[..]
    else {
        panic!("{effects:?}")
    };
    assert!(
        name.starts_with("logs-helm-hello-20261123-10481")
            && std::path::Path::new(name).extension().is_some_and(|end| end == "log"),
        "{name}"
    );
    let gap = "-- local/hello-7d9c-x2k4p 1 line dropped here: the view could not keep up --\n";
    let first = "2026-11-23T10:48:10.970000+00:00 local/default/hello-7d9c-x2k4p/hello one\n";
    let second = "2026-11-23T10:48:10.980000+00:00 foo/default/hello-85d4-kb2mv/hello two\n";
    assert_eq!(shown.0, format!("{first}{gap}"));
    assert_eq!(all.0, format!("{first}{gap}{second}"));
    assert!(json_name.ends_with(".ndjson"));
    let lines: Vec<serde_json::Value> = json.0.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["text"], "one");
    assert_eq!(lines[0]["container"], "hello");
    assert_eq!(lines[1]["type"], "gap");
    assert!(matches!(loan, Loan::View(Viewer::Pager, _, text) if text.0 == shown.0));
}

#[test]
fn the_looks_of_lines_change() {
    let (mut session, stream) = at_logs();
    let long = format!("{} end", "word ".repeat(60));
    session.message(Message::Log(stream, vec![line(A, 10, &long), line(B, 5, "short")]));
    let has = |session: &mut Session, words: &str| session.screen(120, 40).contains(words);
    assert!(!has(&mut session, "word end") && has(&mut session, "10:48:10.990 local/hello-7d9c-x2k4p"));
    session.keys("w");
    assert!(session.screen(120, 40).lines().any(|line| line.trim_end().ends_with("end")));
    session.keys("w<right>");
    assert!(has(&mut session, "10:48:10.990 local/hello-7d9c-x2k4p") && !has(&mut session, "short"));
    session.keys("<left>t");
    assert!(has(&mut session, "2026-11-23 10:48:10.990"));
    session.keys("t");
    assert!(!has(&mut session, "10:48:10.990") && has(&mut session, "s local/"));
    session.keys("tt");
    session.keys("s");
    assert!(has(&mut session, "foo/default/hello-85d4-kb2mv/hello"));
    session.keys("s");
    assert!(!has(&mut session, "kb2mv"));
    session.keys("s");
    assert!(has(&mut session, "foo/hello-85d4-kb2mv"));
}

/// What a frame, a key or a new line costs follows from the screen and from what is new, not from what is kept.
#[test]
fn a_frame_costs_a_screen_and_lines_cost_themselves() {
    let (mut session, stream) = at_logs();
    let lines = |from: i64, count: i64| {
        let line = |number: i64| LogLine {
            time: Some(ago(200_000 - number)),
            text: format!("line {number} of a log that is rather long, as logs are: GET /api/v1/things/{number}")
                .into(),
            cut: false,
        };
        LogEvent::Lines(A, (from..from + count).map(line).collect())
    };
    session.message(Message::Log(stream, vec![lines(0, 100_000)]));
    session.screen(120, 40);
    session.keys("/things/.*7");
    let before = page(&session).index().looked();
    session.keys("$");
    session.screen(120, 40);
    let looked = page(&session).index().looked() - before;
    assert!(looked < 40_000, "a key does not look through all: {looked}");
    while !page(&session).index().is_done() {
        session.pass(50);
        session.app.settle();
    }
    let looked = page(&session).index().looked();
    session.message(Message::Log(stream, vec![lines(100_000, 50)]));
    session.screen(120, 40);
    session.keys("<enter>NNnn<pgup><pgup>G");
    session.screen(120, 40);
    assert_eq!(page(&session).index().looked() - looked, 50, "only what is new is looked at");
    assert_eq!(page(&session).hits(), Some((None, 10_005)));
}

/// Nothing is lost unsaid, however much comes: what is kept, let go and said dropped is what was sent.
#[test]
fn what_is_shown_let_go_and_dropped_is_what_was_sent() {
    let (mut session, stream) = at_logs();
    let text: String = "x".repeat(2000);
    for round in 0..50 {
        let lines = (0..1000).map(|number| LogLine {
            time: Some(ago(50_000 - round * 1000 - number)),
            text: text.as_str().into(),
            cut: false,
        });
        session.message(Message::Log(
            stream,
            vec![LogEvent::Lines(A, lines.collect()), LogEvent::Gap(A, Gap::Dropped { lines: 7 })],
        ));
        session.app.settle();
    }
    let page = page(&session);
    let notes = 50;
    assert!(page.buffer().gone() > 10_000 && page.buffer().bytes() <= page.buffer().limit());
    let kept = page.buffer().lines().iter().filter(|entry| page.buffer().text(entry).starts_with('x')).count() as u64;
    assert!(kept + notes >= page.buffer().lines().len() as u64);
    assert_eq!(kept + page.buffer().gone() + page.sources().dropped(), 50 * 1007);
}

#[test]
fn what_is_marked_is_followed_together() {
    let mut session = Session::estate();
    session.screen(120, 40);
    session.keys("g        ");
    let screen = session.screen(120, 40);
    assert!(screen.contains("8 marked"), "{screen}");
    assert_eq!(screen.lines().filter(|line| line.starts_with('*')).count(), 8, "{screen}");
    session.keys("l");
    let (stream, request, targets) = asked(&mut session);
    let LogScope::Apps(apps) = &request.scope else { panic!("{request:?}") };
    assert_eq!(apps.len(), 8);
    assert!(targets.iter().all(|target| {
        apps.iter().any(|app| session.app.world().store.pods_of(app).any(|pod| pod.key == target.pod))
    }));
    assert!(session.screen(120, 40).contains("8 applications"));
    // Pods that are new join as those of one application do.
    let mut pod = session.app.world().store.pod(&targets[0].pod).unwrap().clone();
    pod.key.name = "hello-8888-new".into();
    pod.uid = "new".into();
    let scope = Scope { cluster: pod.key.cluster.clone(), query: Query::LabelledPods(None) };
    session.send(vec![Delta::Upsert { scope, epoch: 1, row: Row::Pod(Box::new(pod)) }]);
    let effects = session.effects();
    assert!(matches!(&effects[..], [Effect::JoinLogs(joined, _)] if *joined == stream), "{effects:?}");
    // The marks are there when one comes back; esc takes them away before it leads anywhere.
    session.keys("<esc>");
    assert!(session.screen(120, 40).contains("8 marked"));
    session.keys("<esc>");
    assert!(!session.screen(120, 40).contains("marked"));

    session.keys(":pods<enter>");
    session.screen(120, 40);
    session.keys("g  ");
    session.screen(120, 40);
    session.keys("l");
    let (_, request, targets) = asked(&mut session);
    assert!(matches!(&request.scope, LogScope::Pods(pods) if pods.len() == 2), "{request:?}");
    assert_eq!((request.containers, targets.len()), (Containers::All, 2));
}

#[test]
fn names_are_shortened_where_sources_do_not_differ_and_ages_count_seconds() {
    let mut session = Session::estate();
    session.screen(80, 24);
    session.keys(":logs default/helm-hello<enter>");
    let (stream, ..) = asked(&mut session);
    session.message(Message::Log(
        stream,
        vec![
            opened(A, "local", "hello-hello-kubernetes-594f6c77d9-wfrmt", "hello-kubernetes", ContainerKind::Ordinary),
            opened(B, "local", "hello-hello-kubernetes-594f6c77d9-9f78z", "hello-kubernetes", ContainerKind::Ordinary),
        ],
    ));
    let cut = LogLine { time: Some(ago(1)), text: "y".repeat(300).into(), cut: true };
    let gap = Gap::Resumed { at: now(), missing: 12, reason: "the cluster could not be reached".into() };
    session.message(Message::Log(
        stream,
        vec![line(A, 65_000, "one"), line(B, 3_000, "two"), LogEvent::Lines(A, vec![cut]), LogEvent::Gap(B, gap)],
    ));
    session.keys("st");
    session.keys("t");
    assert_snapshot!("logs-names-80x24", session.screen(80, 24));
    let due = session.app.next_tick().unwrap();
    assert!(due <= session.app.world().now + SignedDuration::from_secs(1), "{due}: ages turn over each second");
}

/// Scrolling, jumping and drawing cost what a screen costs, whether a thousand lines are kept or a hundred thousand.
#[test]
fn scrolling_costs_a_screen_whatever_is_kept() {
    let walked = |count: i64| {
        let (mut session, stream) = at_logs();
        let line = |number: i64| LogLine {
            time: Some(ago(2_000_000 - number)),
            text: if number % 10 == 7 { "a hit".into() } else { "no more".into() },
            cut: false,
        };
        session.message(Message::Log(stream, vec![LogEvent::Lines(A, (0..count).map(line).collect())]));
        session.screen(120, 40);
        let mut costs = Vec::new();
        let mut keys = |session: &mut Session, keys: &str| {
            let before = page(session).walked();
            session.keys(keys);
            session.screen(120, 40);
            costs.push(page(session).walked() - before);
        };
        for each in ["k", "<pgup>", "<pgdn>", "j", "g", "<pgdn>", "G", "@5m<enter>", "mkkM", "<enter>", "<enter>"] {
            keys(&mut session, each);
        }
        session.keys("/hit<enter>");
        while !page(&session).index().is_done() {
            session.pass(50);
            session.app.settle();
        }
        for each in ["N", "N", "n", "<pgup>", "g", "C", "<pgup>", "<pgdn>", "C", "G", "k"] {
            keys(&mut session, each);
        }
        costs
    };
    let (few, many) = (walked(5_000), walked(100_000));
    for (few, many) in few.iter().zip(&many) {
        assert!(*many <= few * 2 + 100, "{few} and {many} steps: {few:?} {many:?}");
    }
}

#[test]
fn what_all_views_keep_together_is_bounded_by_what_was_configured() {
    let mut session = Session::estate_with(lateen::app::AppOptions { log_memory: 1 << 20, ..options() });
    session.screen(120, 40);
    session.keys(":logs default/helm-hello<enter>");
    let fill = |session: &mut Session| {
        let (stream, ..) = asked(session);
        session.message(Message::Log(stream, two()));
        for round in 0..30 {
            let line = |number: i64| LogLine {
                time: Some(ago(300_000 - round * 1000 - number)),
                text: "x".repeat(200).into(),
                cut: false,
            };
            session.message(Message::Log(stream, vec![LogEvent::Lines(A, (0..1000).map(line).collect())]));
            session.app.settle();
        }
    };
    fill(&mut session);
    assert!(page(&session).buffer().bytes() <= 1 << 20 && page(&session).buffer().gone() > 10_000);
    session.keys("gg");
    assert!(session.screen(120, 40).contains("1 MiB are kept"));
    // A view that is left keeps nothing: those in sight have all of it.
    session.keys(":logs query-7c9-x2<enter>");
    fill(&mut session);
    assert!(page(&session).buffer().bytes() <= 1 << 20);
    session.keys(":pods<enter>");
    session.screen(120, 40);
    session.keys("<esc>");
    let _ = asked(&mut session);
    assert_eq!(page(&session).buffer().lines().len(), 0, "its streams begin anew");
}

#[test]
fn a_step_without_a_log_of_its_own_leads_to_the_applications() {
    let mut session = Session::estate();
    session.screen(120, 40);
    session.keys("/name:helm-hello<enter><enter>");
    session.screen(120, 40);
    session.keys("gjl");
    let (stream, request, targets) = asked(&mut session);
    let LogScope::Step { step, .. } = &request.scope else { panic!("{request:?}") };
    assert_eq!((&**step, targets.len()), ("deploy2local", 0));
    assert!(session.screen(120, 40).contains("default/helm-hello · step deploy2local"));
    let why = "step deploy2local of default/helm-hello has no log of its own: no step says where its log is";
    session.message(Message::NoStepLog(stream, why.into()));
    let (now, request, targets) = asked(&mut session);
    let app = AppKey::new("default", "helm-hello");
    assert_eq!(request.scope, LogScope::App { app, component: None });
    assert!(now != stream && targets.len() == 2);
    assert!(session.screen(120, 40).contains("the logs of the whole application"));
    // What is told too late changes nothing.
    session.message(Message::NoStepLog(stream, why.into()));
    assert_eq!(session.effects(), []);
}

#[test]
fn one_cluster_is_followed_alone_and_its_sources_are_hidden_together() {
    let (mut session, _) = at_logs();
    session.keys("o");
    let screen = session.screen(120, 40);
    assert!(screen.contains("in foo") && screen.contains("in local") && !screen.contains("all clusters"), "{screen}");
    session.keys("in foo<enter>");
    let (stream, request, _) = asked(&mut session);
    assert_eq!(request.clusters, [ClusterId::named("foo")]);
    assert!(matches!(request.scope, LogScope::App { .. }), "{request:?}");
    session.message(Message::Log(stream, two()));
    session.screen(120, 40);
    session.keys("oall clusters<enter>");
    let (stream, request, _) = asked(&mut session);
    assert!(request.clusters.is_empty());
    session.message(Message::Log(stream, two()));
    session.message(Message::Log(stream, vec![opened(SourceId(2), "foo", "other", "x", ContainerKind::Ordinary)]));
    session.screen(120, 40);
    session.keys("<tab>jc");
    assert_eq!(page(&session).sources().hidden(), 2);
    session.keys("c");
    assert_eq!(page(&session).sources().hidden(), 0);
}
