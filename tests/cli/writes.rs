//! `lateen up` and `lateen delete` on an estate.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    process::Stdio,
};

use lateen::demo::{Cut, MEMBER};
use serde_json::{Value, json};

use crate::stage::{Stage, refusal};

/// The tutorial's second form: local, a person's word, foo.
pub(crate) const HELLO: &str = include_str!("helm-hello.yaml");

/// One component in one cluster: nothing to wait for but its health.
fn small(name: &str, message: &str) -> String {
    format!(
        "apiVersion: core.oam.dev/v1beta1\nkind: Application\nmetadata: {{name: {name}}}\nspec:\n  components:\n  \
         - name: {name}\n    type: webservice\n    properties: {{image: 'nginx:1.29', env: [{{name: M, value: {message}}}]}}\n"
    )
}

fn stored(stage: &Stage, name: &str) -> Value {
    stage.json(&format!("get app {name}"))["items"][0].clone()
}

#[test]
fn a_manifest_is_created_changed_and_left_alone() {
    let stage = Stage::new();
    let file = stage.file("app.yaml", &small("web", "one"));
    assert_eq!(stage.answer(&format!("up -f {file} -n default -y")), "default/web created\n");
    assert_eq!(stage.answer(&format!("up -f {file} -y")), "default/web is unchanged\n");
    let audit = stage.audit();
    let verbs: Vec<(&str, &str)> =
        audit.iter().map(|line| (line["verb"].as_str().unwrap(), line["phase"].as_str().unwrap())).collect();
    assert_eq!(verbs, [("apply", "intent"), ("apply", "outcome")], "what is unchanged writes nothing");
    assert_eq!((&audit[1]["outcome"], &audit[0]["id"]), (&json!("done"), &audit[1]["id"]));

    let generation = stored(&stage, "web")["generation"].as_i64().unwrap();
    stage.file("app.yaml", &small("web", "two"));
    let tried = stage.answer(&format!("up -f {file} --dry-run"));
    assert!(tried.starts_with("default/web configured") && tried.contains("nothing was written"), "{tried}");
    assert_eq!(stored(&stage, "web")["generation"], generation);
    assert_eq!(stage.audit().len(), 2, "a dry run writes nothing, and is not on record");
    assert_eq!(stage.answer(&format!("up -f {file} -y")), "default/web configured\n");
    assert_eq!(stored(&stage, "web")["generation"], generation + 1);
}

#[test]
fn several_documents_go_to_their_own_namespaces_and_are_waited_for() {
    let stage = Stage::new();
    let mine = small("one", "a");
    let there = small("two", "b").replace("{name: two}", "{name: two, namespace: shop}");
    let file = stage.file("both.yaml", &format!("{mine}---\n{there}"));
    let told = stage.answer(&format!("up -f {file} -n media -y --wait=60s"));
    assert_eq!(told, "media/one created\nshop/two created\nmedia/one: running\nshop/two: running\n");
    // Their names again, in one file, are a mistake that is seen before anything is sent.
    let twice = stage.file("twice.yaml", &format!("{mine}---\n{mine}"));
    let (code, text) = refusal(&stage.run(&format!("up -f {twice} -y")));
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("twice.yaml: line 10: default/one is named twice"), "{text}");
}

#[test]
fn waiting_ends_where_a_person_is_asked() {
    let stage = Stage::new();
    stage.waiting();
    let file = stage.file("hello.yaml", &HELLO.replace("Welcome to Your New Foo", "Welcome to Another"));
    let output = stage.run(&format!("up -f {file} -y --wait"));
    let told = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(told, "default/helm-hello configured\ndefault/helm-hello: waiting for approval at manual-approval\n");
    let progress = String::from_utf8(output.stderr).unwrap();
    assert!(progress.lines().all(|line| line.starts_with("lateen: default/helm-hello: ")), "{progress}");
    assert!(stage.answer("approve helm-hello -y --wait").contains("default/helm-hello: running"));
}

#[test]
fn a_deletion_is_waited_for_and_tells_what_it_hangs_on() {
    let stage = Stage::new();
    stage.waiting();
    stage.answer("approve helm-hello -y --wait");
    stage.estate.cut(MEMBER, Cut::Refuse).unwrap();
    let output = stage.run("delete helm-hello -y --wait=3s");
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{told}");
    let last = told.lines().last().unwrap();
    assert!(last.contains("is not gone after 3s, held by the finalizer app.oam.dev/"), "{told}");
    assert!(last.contains("foo does not answer (connection refused"), "{told}");
    assert!(told.contains("the deletion cannot end before it does"), "{told}");
    assert!(String::from_utf8(output.stdout).unwrap().contains("default/helm-hello is being deleted"));
    // To apply what is being deleted would only seem to work.
    let file = stage.file("hello.yaml", HELLO);
    let (code, text) = refusal(&stage.run(&format!("up -f {file} -y")));
    assert_eq!(code, 4, "{text}");
    assert!(text.contains("is being deleted"), "{text}");

    // Whoever waits while foo is away sees it go when foo is back.
    let mut child =
        stage.command("delete helm-hello -y --wait=60s").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut told = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("helm-hello: deleting") {
        line.clear();
        assert!(told.read_line(&mut line).unwrap() > 0, "it ended without waiting");
    }
    stage.estate.restore(MEMBER).unwrap();
    let mut rest = String::new();
    told.read_to_string(&mut rest).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{rest}");
    let told = String::from_utf8(output.stdout).unwrap();
    assert_eq!(told, "default/helm-hello is being deleted already\ndefault/helm-hello: gone\n");
    let (code, text) = refusal(&stage.run("delete helm-hello -y"));
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("there is no application helm-hello"), "{text}");
}
