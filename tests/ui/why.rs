//! Why, and problems: keys in, screen out.

use insta::assert_snapshot;
use lateen::{
    app::{
        effect::Effect,
        message::{Message, StreamId},
    },
    model::{
        delta::{Delta, Row},
        health::{Health, judge},
        why::{Looked, Subject},
    },
};

use crate::session::*;

fn asked(session: &mut Session) -> (StreamId, Subject) {
    let effects = session.effects();
    effects
        .iter()
        .find_map(|effect| match effect {
            Effect::WatchWhy(stream, subject) => Some((*stream, subject.clone())),
            _ => None,
        })
        .unwrap()
}

#[test]
fn why() {
    for (width, height) in [(80, 24), (120, 40)] {
        let mut session = Session::estate();
        session.screen(width, height);
        session.keys(":why query<enter>");
        assert_snapshot!(format!("why-{width}x{height}"), session.screen(width, height));
    }
}

#[test]
fn problems() {
    for (width, height) in [(80, 24), (120, 40)] {
        let mut session = Session::estate();
        session.screen(width, height);
        session.send(vec![lost("foo", 3)]).keys("!");
        assert_snapshot!(format!("problems-{width}x{height}"), session.screen(width, height));
    }
}

#[test]
fn a_problem_leads_to_its_cause_and_the_cause_to_its_place() {
    let mut session = Session::estate();
    session.screen(120, 40);
    session.keys("!<enter>");
    let (stream, _) = asked(&mut session);
    assert!(session.screen(120, 40).contains("looking further"));
    session.message(Message::Why(stream, Err("the hub does not answer".into())));
    assert!(session.screen(120, 40).contains("not up to date: the hub does not answer"));
    session.message(Message::Why(stream, Ok(Box::new(Looked { is_complete: true, ..Looked::default() }))));
    let screen = session.screen(120, 40);
    assert!(screen.contains("0 objects looked at") && !screen.contains("not up to date"), "{screen}");
    session.keys("<enter>");
    assert!(session.effects().contains(&Effect::StopWhy(stream)), "leaving ends the look");
    session.keys("<esc>");
    assert_ne!(asked(&mut session).0, stream, "coming back begins another");
    // A late answer to the first is nobody's.
    session.message(Message::Why(stream, Err("from before".into())));
    assert!(!session.screen(120, 40).contains("from before"));
}

#[test]
fn what_helps_is_copied() {
    let mut session = Session::estate();
    session.screen(120, 40);
    session.keys(":why helm-hello<enter>jc");
    let copied = session.effects().into_iter().find_map(|effect| match effect {
        Effect::Copy(_, text) => Some(text),
        _ => None,
    });
    assert_eq!(copied.as_deref(), Some("vela workflow resume helm-hello -n default"));
}

#[test]
fn where_nothing_is_wrong_it_is_said_how_much_was_looked_at() {
    let mut session = Session::new(options());
    let well: Vec<_> = estate().into_iter().filter(is_well).collect();
    assert!(!well.is_empty());
    session.send(well);
    session.keys("!");
    let words = |session: &mut Session| session.screen(80, 24).split_whitespace().collect::<Vec<_>>().join(" ");
    let screen = words(&mut session);
    assert!(screen.contains("nothing is wrong: ") && screen.contains(" clusters were looked at"), "{screen}");
    assert!(!screen.contains("not seen"), "{screen}");
    // Of a cluster that does not answer nobody can say that; that it does not answer is a problem of its own.
    session.send(vec![lost("foo", 3)]);
    let screen = words(&mut session);
    assert!(screen.contains("foo") && !screen.contains("nothing is wrong"), "{screen}");
}

#[test]
fn where_nothing_is_known_nothing_is_called_well() {
    let mut session = Session::new(options());
    session.keys("!");
    let screen = session.screen(80, 24);
    assert!(!screen.contains("nothing is wrong"), "{screen}");
}

/// Whether something of the estate is as it should be: applications and pods that are ok, and all that is neither.
fn is_well(delta: &Delta) -> bool {
    match delta {
        Delta::Upsert { row, .. } => match row {
            Row::Application(app) => judge(app, &[], &|_| None).health == Health::Ok,
            Row::Pod(pod) => pod.health == Health::Ok,
            _ => true,
        },
        _ => true,
    }
}
