//! What is on the screen: every page, at the sizes that terminals have.

use crate::session::*;
use insta::assert_snapshot;
use lateen::{
    app::{AppOptions, Look, effect::Effect, message::Message},
    model::{
        application::Application,
        delta::{Delta, Scope, ScopeState},
        forward::{ForwardNews, ForwardState, ForwardTarget, TargetKind},
        health::Health,
        key::{AppKey, ClusterId},
    },
};

const SIZES: &[(u16, u16)] = &[(80, 24), (120, 40)];

/// A picture of a session at every usual size, each from its beginning.
fn pictures(name: &str, sizes: &[(u16, u16)], options: &AppOptions, play: impl Fn(&mut Session)) {
    for (width, height) in sizes {
        let mut session = Session::estate_with(options.clone());
        session.screen(*width, *height);
        play(&mut session);
        let screen = session.screen(*width, *height);
        assert_snapshot!(format!("{name}-{width}x{height}"), screen);
    }
}

fn usual(name: &str, play: impl Fn(&mut Session)) {
    pictures(name, SIZES, &options(), play);
}

fn all_sizes(name: &str, play: impl Fn(&mut Session)) {
    pictures(name, &[(60, 15), (80, 24), (120, 40), (160, 50)], &options(), play);
}

#[test]
fn applications() {
    all_sizes("applications", |_| {});
}

#[test]
fn applications_with_a_lost_cluster() {
    usual("applications-lost", |session| {
        session.send(vec![lost("foo", 3)]).keys("G");
    });
}

#[test]
fn applications_with_reason() {
    usual("applications-reason", |session| {
        session.keys("/query<enter>");
    });
}

#[test]
fn application() {
    all_sizes("application", |session| {
        session.keys("jj<enter>");
    });
}

#[test]
fn application_failed() {
    usual("application-failed", |session| {
        session.keys(":app ledger<enter>");
    });
}

#[test]
fn application_grouped() {
    usual("application-grouped", |session| {
        session.keys(":app app-group<enter>");
    });
}

#[test]
fn application_running_counts_seconds() {
    usual("application-running", |session| {
        session.keys(":app indexer<enter>");
    });
}

#[test]
fn application_with_pods_of_a_lost_cluster() {
    usual("application-lost", |session| {
        session.send(vec![lost("foo", 3)]).keys(":app query<enter>G");
    });
}

#[test]
fn application_detail_is_a_tab() {
    pictures("application-detail", &[(60, 15), (80, 24)], &options(), |session| {
        session.keys("jj<enter><tab>");
    });
}

#[test]
fn approvals() {
    usual("approvals", |session| {
        session.keys("A");
    });
}

#[test]
fn clusters() {
    usual("clusters", |session| {
        session.send(vec![lost("foo", 3)]).keys(":clusters<enter>j");
    });
}

#[test]
fn pods() {
    usual("pods", |session| {
        session.keys(":pods<enter>j");
    });
}

#[test]
fn help() {
    usual("help", |session| {
        session.keys("?");
    });
}

#[test]
fn prompt() {
    usual("prompt", |session| {
        session.keys(":ap<tab><tab>");
    });
}

#[test]
fn forwards_and_the_picker() {
    let target = |cluster: &str, name: &str, port: u16| ForwardTarget {
        cluster: ClusterId::named(cluster),
        namespace: "default".into(),
        kind: TargetKind::Service,
        name: name.into(),
        port,
        port_name: "http".into(),
        component: "hello".into(),
    };
    let pick = |session: &mut Session| {
        session.keys("jjF");
        let effects = session.effects();
        let [Effect::FindTargets { task, .. }] = effects[..] else { panic!("{effects:?}") };
        let found = vec![target("local", "hello-hello-kubernetes", 80), target("foo", "hello-hello-kubernetes", 80)];
        session.message(Message::Targets(task, found, vec!["bar: unreachable: i/o timeout".into()]));
    };
    usual("picker", pick);
    usual("forwards", |session| {
        pick(session);
        session.keys("<enter>");
        let effects = session.effects();
        let [Effect::StartForward { id, .. }] = effects[..] else { panic!("{effects:?}") };
        let reason = "pod hello-1 is gone; looking for another".into();
        session.message(Message::Forward(
            id,
            ForwardNews::State(ForwardState::Reconnecting { local: "127.0.0.1:8080".into(), reason }),
        ));
        session.keys("f");
    });
}

#[test]
fn approving() {
    usual("approving", |session| {
        session.keys("jja");
        session.screen(80, 24);
        session.pass(300);
    });
}

#[test]
fn approving_towards_a_lost_cluster() {
    pictures("approving-lost", &[(60, 15), (80, 24), (120, 40)], &options(), |session| {
        session.send(vec![lost("foo", 3)]).keys("jjay");
        session.screen(80, 24);
        session.pass(300).keys("helm");
    });
}

#[test]
fn readonly() {
    let options = AppOptions { readonly: Some("--readonly".into()), ..options() };
    for (width, height) in SIZES {
        let mut session = Session::estate_with(options.clone());
        let screen = session.styled(*width, *height);
        assert_snapshot!(format!("readonly-{width}x{height}"), screen);
    }
}

#[test]
fn ascii() {
    let options = AppOptions { look: Look { ascii: true, ..Look::default() }, ..options() };
    let play = |session: &mut Session| {
        session.send(vec![app_delta(wide())]).keys("jj<enter>");
    };
    pictures("ascii-application", SIZES, &options, play);
    pictures("ascii-approving", SIZES, &options, |session| {
        play(session);
        session.keys("a");
    });
    let mut session = Session::estate_with(options);
    play(&mut session);
    session.keys("a");
    assert!(session.screen(120, 40).is_ascii());
}

#[test]
fn in_colour_and_without() {
    for (name, color) in [("colour", true), ("no-colour", false)] {
        let options = AppOptions { look: Look { color, ..Look::default() }, ..options() };
        let mut session = Session::estate_with(options.clone());
        session.send(vec![lost("foo", 3)]);
        assert_snapshot!(format!("{name}-applications"), session.styled(80, 24));
        let mut session = Session::estate_with(options);
        session.screen(80, 24);
        session.keys("jj<enter>");
        assert_snapshot!(format!("{name}-application"), session.styled(80, 24));
    }
}

/// The waiting application with words as the world writes them.
fn wide() -> Application {
    let mut app = fixture("captures/app-helm-hello-02-suspended.yaml");
    if let Some(step) = app.steps.iter_mut().find(|step| &*step.name == "manual-approval") {
        step.prompt = Some("请批准部署到 foo 集群 — 请先检查仪表板，确认没有告警之后再继续".into());
    }
    app
}

#[test]
fn wide_text() {
    usual("wide", |session| {
        session.send(vec![
            app_delta(wide()),
            cluster("上海", "X509Certificate", "https://上海:6443"),
            live("上海", 90),
        ]);
        session.keys("jj<enter>");
    });
    usual("wide-clusters", |session| {
        session.send(vec![cluster("上海", "X509Certificate", "https://上海:6443"), live("上海", 90)]);
        session.keys(":clusters<enter>");
    });
}

#[test]
fn why_there_is_nothing() {
    let scope = Scope { cluster: ClusterId::local(), query: lateen::model::delta::Query::Applications(None) };
    let mut session = Session::new(options());
    assert_snapshot!("empty-connecting", session.screen(80, 24));
    let refusal = "list applications in all namespaces; ask for it, or start with -n NAMESPACE".into();
    session.send(vec![Delta::Asked { scope, state: ScopeState::Forbidden(refusal) }]);
    assert_snapshot!("empty-forbidden", session.screen(80, 24));
}

// ---- nothing breaks it -----------------------------------------------------------------------------------------

/// Every page and layer, to be drawn at any size.
fn plays() -> Vec<&'static str> {
    vec![
        "",
        "jj<enter>",
        "jj<enter><tab>G",
        "A",
        ":clusters<enter>",
        ":pods<enter>",
        "f",
        "?",
        "?G",
        ":ap<tab><tab><tab>",
        "/re:(",
        "jja",
        "jjF",
        "jjl",
        ":logs query-7c9-x2<enter>",
    ]
}

#[test]
fn no_size_breaks_it() {
    let sizes = [
        (0, 0),
        (1, 1),
        (20, 5),
        (39, 8),
        (40, 7),
        (40, 8),
        (41, 9),
        (59, 15),
        (60, 15),
        (99, 9),
        (100, 8),
        (300, 100),
        (1, 60),
        (200, 1),
    ];
    for keys in plays() {
        let mut session = Session::estate();
        session.send(vec![lost("foo", 3), app_delta(wide())]);
        session.screen(80, 24);
        session.keys(keys);
        for (width, height) in sizes {
            session.screen(width, height);
            session.keys("<pgdn>");
        }
    }
}

#[test]
fn too_small_says_so() {
    let mut session = Session::estate();
    assert_eq!(session.screen(20, 5).lines().next(), Some("too small: 20x5, at"));
    assert!(session.screen(60, 15).contains("applications"));
}

#[test]
fn no_text_reaches_the_terminal_that_acts_on_it() {
    let evil = "a\u{1b}[2Jb\u{7}c\u{9b}31md\u{202e}e\nf\u{0}";
    let mut app = fixture("captures/app-helm-hello-02-suspended.yaml");
    for step in &mut app.steps {
        step.message = evil.into();
        step.prompt = Some(evil.into());
        step.kind = evil.into();
    }
    for service in &mut app.services {
        service.message = evil.into();
        service.namespace = evil.into();
    }
    app.key = AppKey::new(evil, evil);
    app.revision = Some(evil.into());
    app.malformed = vec![evil.into()];
    for keys in ["", "<enter>", "<enter><tab>", "A", "a", "F", ":pods<enter>", ":clusters<enter>", ":app <tab>"] {
        let mut session = Session::new(AppOptions::new(evil, now()));
        session.send(vec![
            app_delta(app.clone()),
            cluster(evil, evil, evil),
            pod((evil, evil), evil, (evil, evil, evil), evil, Health::Failed),
            Delta::Notice(evil.into()),
        ]);
        session.screen(120, 40);
        session.keys(keys);
        for color in [80, 120] {
            let buffer = session.frame(color, 24);
            let bad = |symbol: &str| symbol.chars().any(|char| char.is_control() || char == '\u{202e}');
            assert!(buffer.content().iter().all(|cell| !bad(cell.symbol())), "{keys}: {}", text(&buffer));
        }
    }
}

#[test]
fn ten_thousand_rows_format_only_what_is_seen() {
    let mut session = Session::new(options());
    let one = named("captures/app-helm-hello-04-succeeded.yaml", "many", "app");
    let many = (0..10_000).map(|at| Application { key: AppKey::new("many", &format!("app-{at:05}")), ..one.clone() });
    session.send(many.map(app_delta).collect());
    session.screen(120, 40);
    let begun = std::time::Instant::now();
    for _ in 0..50 {
        session.keys("j");
        session.frame(120, 40);
    }
    // In an unoptimised build, with room for a busy machine: formatting every row would take minutes.
    assert!(begun.elapsed().as_secs() < 10, "{:?}", begun.elapsed());
    session.keys("G");
    assert!(session.screen(120, 40).contains("app-09999"));
    // A filter looks at every row again when something changed.
    session.keys("/app-0777");
    let begun = std::time::Instant::now();
    for _ in 0..20 {
        session.send(vec![pod(("many", "app-00001"), "hello", ("foo", "default", "p"), "Running", Health::Ok)]);
        session.send(vec![pod(("many", "app-00001"), "hello", ("foo", "default", "p"), "Pending", Health::Pending)]);
        session.frame(120, 40);
    }
    assert!(begun.elapsed().as_secs() < 10, "{:?}", begun.elapsed());
    assert!(session.screen(120, 40).contains("10/10000"));
}
