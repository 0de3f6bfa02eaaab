//! `lateen approve`.

use crate::stage::{Stage, refusal};

#[test]
fn approve_writes_once_and_says_when_there_is_nothing_to_approve() {
    let stage = Stage::new();
    stage.waiting();
    let (code, text) = refusal(&stage.run("approve helm-hello"));
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("-y"), "{text}");
    let (code, text) = refusal(&stage.run("approve helm-hello -y --readonly"));
    assert_eq!(code, 5, "{text}");
    let (code, text) = refusal(&stage.run("approve helm-hello -y --step deploy2foo"));
    assert_eq!(code, 4, "{text}");

    let told = stage.answer("approve helm-hello -y --wait=60s");
    assert!(told.contains("approved manual-approval of default/helm-hello"), "{told}");
    let answer = stage.json("get app helm-hello");
    assert_eq!(answer["items"][0]["health"], "ok", "{answer:#}");

    let (code, text) = refusal(&stage.run("approve helm-hello -y"));
    assert_eq!(code, 4, "{text}");
    let (code, text) = refusal(&stage.run("approve nothing -y"));
    assert_eq!(code, 1, "{text}");
    let audit = std::fs::read_to_string(stage.home.path().join(".local/state/lateen/audit.jsonl")).unwrap();
    assert_eq!(audit.lines().count(), 2, "{audit}");
}

#[test]
fn a_reader_may_look_and_not_approve() {
    let stage = Stage::new();
    stage.waiting();
    let (code, text) = refusal(&stage.run("approve helm-hello -y --context hub-reader"));
    assert_eq!(code, 5, "{text}");
    assert!(text.contains("patch") || text.contains("forbidden"), "{text}");
    stage.waiting();
}
