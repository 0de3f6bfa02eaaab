//! Revisions and what differs: keys in, screen out.

use insta::assert_snapshot;
use lateen::{
    app::{
        effect::Effect,
        message::{Message, StreamId},
    },
    model::{
        diff::{Comparison, Report, Section, Verdict},
        key::{AppKey, ClusterId},
        resource::ResourceKey,
        revision::{Outcome, Revision},
    },
};

use crate::session::*;

fn app() -> AppKey {
    AppKey::new("default", "helm-hello")
}

fn revision(number: u64, outcome: Outcome, changed: &str) -> Revision {
    Revision {
        name: format!("helm-hello-v{number}").into(),
        number,
        created_at: Some(format!("2026-11-23T{:02}:41:11Z", 7 + number).parse().unwrap()),
        by: (number == 3).then(|| "kubectl-edit".into()),
        publish_version: (number == 2).then(|| "2026.46".into()),
        outcome,
        message: if outcome == Outcome::Failed { "deploy2foo: chart not found".into() } else { "".into() },
        is_current: number == 3,
        changed: changed.into(),
    }
}

fn revisions() -> Vec<Revision> {
    vec![
        revision(3, Outcome::Suspended, "override-foo"),
        revision(2, Outcome::Failed, "hello, +override-foo, workflow"),
        revision(1, Outcome::Succeeded, "the first"),
    ]
}

/// What was asked for last, of revisions or of a comparison.
fn asked(session: &mut Session) -> (StreamId, Option<Comparison>) {
    let effects = session.effects();
    let asked = effects.iter().rev().find_map(|effect| match effect {
        Effect::WatchRevisions(stream, _) => Some((*stream, None)),
        Effect::Compare(stream, asked) => Some((*stream, Some(asked.clone()))),
        _ => None,
    });
    asked.unwrap()
}

/// A session on the revisions of helm-hello.
fn listed() -> (Session, StreamId) {
    let mut session = Session::estate();
    session.screen(120, 40);
    session.keys(":revisions helm-hello<enter>");
    let (stream, _) = asked(&mut session);
    session.message(Message::Revisions(stream, Ok(revisions())));
    (session, stream)
}

const SPEC: &str = "components:\n- name: hello\n  type: helm\n  properties:\n    chart: hello-kubernetes-chart\n    version: \
                    3.0.0\n";

fn sent(message: &str) -> String {
    format!(
        "- name: hello\n  type: helm\n  properties:\n    chart: hello-kubernetes-chart\n    repoType: helm\n    url: https://jhidalgo3.github.io/helm-charts/\n    values:\n      configs:\n        MESSAGE: {message}\n      replicas: 2\n      resources:\n        cpu: 1\n        memory: 1Gi\n    version: 3.0.0\n"
    )
}

fn of_two() -> Report {
    Report {
        title: "helm-hello-v2 › helm-hello-v3".into(),
        sections: vec![
            Section::of_texts("spec", SPEC, SPEC),
            Section::of_texts("to local/default by deploy2local", &sent("Hello"), &sent("Hello")),
            Section::of_texts("to foo/default by deploy2foo", &sent("Welcome to foo"), &sent("Ahoy, foo")),
            Section::of_texts("policy override-foo (override)", "", "type: override\n"),
        ],
        notes: Vec::new(),
    }
}

fn object(cluster: &str, kind: &str, name: &str) -> ResourceKey {
    ResourceKey {
        cluster: ClusterId::named(cluster),
        group: "".into(),
        kind: kind.into(),
        namespace: "default".into(),
        name: name.into(),
    }
}

fn of_drift() -> Report {
    let of = |cluster: &str, kind: &str, section: Section| Section {
        heading: format!("{cluster} {kind}/hello in default").into(),
        object: Some(object(cluster, kind, "hello")),
        ..section
    };
    let web = "spec:\n  replicas: 2\n  template:\n    spec:\n      containers:\n      - name: hello\n        image: nginx:1.29\n";
    let mut edited = of("local", "Deployment", Section::of_texts("", web, &web.replace("1.29", "1.30")));
    edited.ignored = vec![
        "metadata.labels.team: not in the manifest, set by kubectl-label".into(),
        "spec.template.spec.restartPolicy: not in the manifest".into(),
        "what the server keeps: status, uid, managedFields".into(),
    ];
    edited.set_by = vec!["kubectl-label".into()];
    let gone = Section { verdict: Verdict::Gone, ..Section::of_texts("", "data:\n  a: b\n", "") };
    let mut same = of("local", "Service", Section::of_texts("", "spec: {}\n", "spec: {}\n"));
    same.ignored = vec!["spec.clusterIP: not in the manifest".into()];
    Report {
        title: "default/helm-hello: applied › there now".into(),
        sections: vec![
            edited,
            of("local", "ConfigMap", gone),
            of("foo", "Deployment", Section::unknown("", "dial tcp 10.0.0.1:6443: connection refused")),
            same,
        ],
        notes: vec!["1 of them is of an older revision: compared with what that applied".into()],
    }
}

/// A session on a comparison.
fn compared(command: &str, report: Report) -> (Session, StreamId) {
    let mut session = Session::estate();
    session.screen(120, 40);
    session.keys(command);
    let (stream, _) = asked(&mut session);
    session.message(Message::Compared(stream, Ok(Box::new(report))));
    (session, stream)
}

/// The line that the cursor is on.
fn line(session: &mut Session) -> String {
    let screen = session.styled(120, 40);
    let lines: Vec<&str> = screen.lines().collect();
    let at = lines.iter().position(|line| line.starts_with("rrr")).unwrap();
    lines[at - 1].trim().to_owned()
}

#[test]
fn the_list() {
    for (width, height) in [(60, 15), (80, 24), (120, 40)] {
        let (mut session, _) = listed();
        session.keys("j ");
        assert_snapshot!(format!("revisions-{width}x{height}"), session.screen(width, height));
    }
}

#[test]
fn two_revisions() {
    for (width, height) in [(80, 24), (120, 40)] {
        let (mut session, _) = listed();
        session.keys("D");
        let (stream, asked) = asked(&mut session);
        assert_eq!(asked, Some(Comparison::Revisions(app(), "helm-hello-v2".into(), "helm-hello-v3".into())));
        session.message(Message::Compared(stream, Ok(Box::new(of_two()))));
        assert_snapshot!(format!("revisions-diff-{width}x{height}"), session.screen(width, height));
    }
}

#[test]
fn drift() {
    for (width, height) in [(80, 24), (120, 40)] {
        let (mut session, _) = compared(":diff helm-hello<enter>", of_drift());
        session.keys("i");
        assert_snapshot!(format!("drift-{width}x{height}"), session.screen(width, height));
    }
}

#[test]
fn the_cursors_revision_is_compared_with_the_marked_one_or_the_one_before() {
    let (mut session, _) = listed();
    session.keys("G ggD");
    let of = |first: &str, second: &str| Some(Comparison::Revisions(app(), first.into(), second.into()));
    assert_eq!(asked(&mut session).1, of("helm-hello-v1", "helm-hello-v3"));
    // Back, and the other way round: the older stands first.
    session.keys("<esc>");
    let (stream, _) = asked(&mut session);
    session.message(Message::Revisions(stream, Ok(revisions())));
    session.keys(" GD");
    assert_eq!(asked(&mut session).1, of("helm-hello-v1", "helm-hello-v3"));
    session.keys("<esc>kD");
    assert_eq!(asked(&mut session).1, of("helm-hello-v2", "helm-hello-v3"), "the mark stays");
    session.keys("<esc>gg GD");
    assert!(session.screen(120, 40).contains("is the oldest that is kept"), "and can be taken away");
    session.keys("<enter>");
    assert_eq!(asked(&mut session).1, Some(Comparison::Revision(app(), "helm-hello-v1".into())));
}

#[test]
fn until_it_is_looked_up_the_page_says_so_and_what_fails_is_told() {
    let mut session = Session::estate();
    session.screen(80, 24);
    session.keys(":rev helm-hello<enter>");
    let (stream, _) = asked(&mut session);
    assert!(session.screen(80, 24).contains("looking up the revisions of default/helm-hello"));
    session.message(Message::Revisions(stream, Err("not permitted".into())));
    assert!(session.screen(80, 24).contains("not permitted"));
    session.message(Message::Revisions(stream, Ok(revisions())));
    assert!(session.screen(80, 24).contains("override-foo"));
    session.message(Message::Revisions(stream, Err("the hub does not answer".into())));
    let screen = session.screen(120, 24);
    assert!(screen.contains("not up to date: the hub") && screen.contains("override-foo"), "{screen}");
    session.keys("D");
    let (stream, _) = asked(&mut session);
    assert!(session.screen(80, 24).contains("comparing"));
    session.message(Message::Compared(stream, Err("revision helm-hello-v2: packed by lz4".into())));
    assert!(session.screen(80, 24).contains("packed by lz4"));
}

#[test]
fn leaving_ends_the_look_and_late_answers_are_dropped() {
    let (mut session, stream) = listed();
    session.keys("D");
    let effects = session.effects();
    assert!(effects.contains(&Effect::StopRevisions(stream)), "{effects:?}");
    let compared = effects.iter().find_map(|effect| match effect {
        Effect::Compare(stream, _) => Some(*stream),
        _ => None,
    });
    session.keys("<esc>");
    assert!(session.effects().contains(&Effect::StopCompare(compared.unwrap())));
    session.message(Message::Compared(compared.unwrap(), Ok(Box::new(of_two()))));
    session.message(Message::Revisions(stream, Ok(Vec::new())));
    assert!(session.screen(120, 40).contains("override-foo"));
}

#[test]
fn changes_are_found_one_after_the_other_and_round() {
    let (mut session, _) = compared(":diff helm-hello<enter>", of_drift());
    session.keys("n");
    assert!(line(&mut session).starts_with("-         image: nginx:1.29"), "{}", line(&mut session));
    session.keys("n");
    assert!(line(&mut session).contains("ConfigMap/hello in default  gone"));
    session.keys("n");
    assert!(line(&mut session).contains("Deployment/hello in default  not known"));
    session.keys("n");
    assert!(line(&mut session).starts_with("-         image: nginx:1.29"), "round again");
    session.keys("NN");
    assert!(line(&mut session).contains("ConfigMap/hello"));
    // Folded, the section itself is the change.
    session.keys("gg<enter>");
    session.keys("j<enter>");
    assert!(!session.screen(120, 40).contains("image: nginx"));
    session.keys("ggn");
    assert!(line(&mut session).contains("local Deployment/hello"));
}

#[test]
fn what_is_unchanged_is_folded_says_where_it_stands_and_opens() {
    let (mut session, _) = compared(":diff helm-hello<enter>", of_two());
    let screen = session.screen(120, 40);
    assert!(screen.contains("5 unchanged") && !screen.contains("repoType"), "{screen}");
    session.keys("/unchanged<enter><esc>");
    session.keys("gg");
    for _ in 0..3 {
        session.keys("j");
    }
    assert!(line(&mut session).contains("5 unchanged"), "{}", line(&mut session));
    session.keys("<enter>");
    let screen = session.screen(120, 40);
    assert!(screen.contains("repoType: helm") && screen.contains("2 unchanged"), "only that one: {screen}");
    session.keys("u");
    assert!(!session.screen(120, 40).contains('⋯'), "all of it");
    session.keys("uu");
    // A section that is the same opens too.
    session.keys("gg<enter>");
    assert!(session.screen(120, 40).contains("chart: hello-kubernetes-chart"));
}

#[test]
fn a_search_finds_lines_wherever_they_are_folded_and_leads_there() {
    let (mut session, _) = compared(":diff helm-hello<enter>", of_two());
    session.keys("/repotype<enter>");
    let screen = session.screen(120, 40);
    assert!(screen.contains("to foo/default by deploy2foo") && screen.contains("repoType: helm"), "{screen}");
    assert!(!screen.contains("policy override-foo"), "{screen}");
    session.keys("<esc>/nothing-like-that<enter>");
    assert!(session.screen(120, 40).contains("no line matches"));
    session.keys("<esc>");
    assert!(session.screen(120, 40).contains("Ahoy, foo"));
}

#[test]
fn a_section_is_copied_as_a_unified_diff() {
    let (mut session, _) = compared(":diff helm-hello<enter>", of_drift());
    session.keys("n");
    session.effects();
    session.keys("c");
    let effects = session.effects();
    let copied = effects.iter().find_map(|effect| match effect {
        Effect::Copy(_, text) => Some(text.clone()),
        _ => None,
    });
    let copied = copied.unwrap();
    assert!(
        copied.starts_with("# local Deployment/hello in default\n@@ spec.template.spec.containers.[hello] @@\n"),
        "{copied}"
    );
    assert!(copied.ends_with("-        image: nginx:1.29\n+        image: nginx:1.30\n"), "{copied}");
}

#[test]
fn a_later_look_keeps_the_cursor_and_what_was_folded() {
    let (mut session, stream) = compared(":diff helm-hello<enter>", of_drift());
    session.keys("nj");
    assert!(line(&mut session).starts_with("+         image: nginx:1.30"));
    let mut more = of_drift();
    more.sections.truncate(3);
    session.message(Message::Compared(stream, Ok(Box::new(more))));
    assert!(line(&mut session).starts_with("+         image: nginx:1.30"));
    session.message(Message::Compared(stream, Err("the hub does not answer".into())));
    let screen = session.screen(120, 40);
    assert!(screen.contains("not up to date: the hub does not answer") && screen.contains("nginx:1.30"), "{screen}");
}

#[test]
fn five_megabytes_are_looked_through_without_waiting() {
    let lines: Vec<String> = (0..200_000).map(|at| format!("key{at}: some value {at}")).collect();
    let long = lines.join("\n");
    let changed = long.replace("key100000: some", "key100000: another");
    let report = Report { sections: vec![Section::of_texts("spec", &long, &changed)], ..Report::default() };
    assert_eq!(report.sections[0].verdict, Verdict::Differs(1, 1));
    let (mut session, _) = compared(":diff helm-hello<enter>", report);
    let screen = session.screen(120, 40);
    assert!(screen.contains("99997 unchanged") && screen.contains("+ key100000: another value"), "{screen}");
    session.keys("u");
    session.keys("Gk");
    assert!(line(&mut session).contains("key199998"));
}

#[test]
fn a_revision_is_compared_with_the_spec_as_it_is_now() {
    let (mut session, _) = listed();
    session.keys("jL");
    let (_, asked) = asked(&mut session);
    assert_eq!(asked, Some(Comparison::Live(app(), "helm-hello-v2".into())));
    assert!(session.screen(120, 40).contains("helm-hello-v2 › spec now"));
}

#[test]
fn both_sides_stand_beside_each_other_where_there_is_room() {
    let (mut session, _) = listed();
    session.keys("D");
    let (stream, _) = asked(&mut session);
    session.message(Message::Compared(stream, Ok(Box::new(of_two()))));
    let unified = session.screen(120, 40);
    session.keys("nb");
    assert_snapshot!("diff-beside-120x40", session.screen(120, 40));
    let narrow = session.screen(80, 24);
    assert!(narrow.contains("too narrow to show both sides beside each other: b"), "{narrow}");
    assert!(narrow.contains("- ") && narrow.contains("  →  + "), "{narrow}");
    // The cursor stays with the change, there and back; copying takes the whole as ever.
    session.keys("c");
    assert!(
        session.effects().iter().any(|effect| matches!(effect, Effect::Copy(_, text) if text.starts_with("# to foo")))
    );
    session.keys("bg");
    assert_eq!(session.screen(120, 40), unified);
}

#[test]
fn secrets_are_compared_only_when_asked_for() {
    let mut session = Session::estate();
    session.screen(120, 40);
    session.keys(":diff helm-hello<enter>");
    let (_, first) = asked(&mut session);
    assert_eq!(first, Some(Comparison::Drift(app(), false)));
    session.keys("r");
    let (_, second) = asked(&mut session);
    assert_eq!(second, Some(Comparison::Drift(app(), true)));
    session.keys("r");
    assert!(session.screen(120, 40).contains("the content of Secrets is compared already"));
}
