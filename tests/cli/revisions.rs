//! `lateen get revisions` and `lateen diff`.

use crate::stage::{Stage, keys, refusal};

#[test]
fn revisions_have_the_promised_fields_and_two_can_be_compared() {
    let stage = Stage::new();
    stage.waiting();
    let answer = stage.json("get revisions helm-hello");
    let items = answer["items"].as_array().unwrap();
    let fields = [
        "namespace",
        "name",
        "application",
        "number",
        "current",
        "result",
        "message",
        "changed",
        "publish_version",
        "by",
        "created_at",
    ];
    assert_eq!(keys(&items[0]), fields);
    assert_eq!((&items[0]["name"], &items[0]["current"]), (&"helm-hello-v1".into(), &true.into()));
    assert_eq!((&items[0]["result"], &items[0]["changed"]), (&"suspended".into(), &"the first".into()));

    let file = stage.file("edited.yaml", &crate::writes::HELLO.replace("New Foo Cluster", "Other Foo"));
    stage.answer(&format!("up -f {file} -y"));
    let second = |answer: &serde_json::Value| {
        let newest = &answer["items"][0];
        newest["name"] == "helm-hello-v2" && newest["current"] == true && newest["result"] == "suspended"
    };
    let answer = stage.until("get revisions helm-hello", second);
    assert_eq!(answer["items"][0]["changed"], "override-foo");
    assert_eq!(stage.answer("get revisions helm-hello -o name"), "default/helm-hello-v2\ndefault/helm-hello-v1\n");
    let table = stage.answer("get rev helm-hello -o wide");
    assert!(table.starts_with("REVISION") && table.contains("PUBLISHED AS"), "{table}");

    let output = stage.run("diff helm-hello v1");
    assert_eq!(output.status.code(), Some(7), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let added: Vec<&str> = text.lines().filter(|line| line.starts_with(['#', '+', '-'])).map(str::trim).collect();
    assert!(added[0] == "# to foo/default by deploy2foo" && added.len() == 6, "{text}");
    assert!(text.contains("-        MESSAGE: Welcome to Your New Foo Cluster!"), "{text}");
    assert!(text.contains("+        MESSAGE: Welcome to Your Other Foo!"), "{text}");
    assert_eq!(stage.run("diff helm-hello 2 helm-hello-v2").status.code(), Some(0));
    let (code, sentence) = refusal(&stage.run("diff helm-hello v9"));
    assert!(code == 1 && sentence.contains("kept: helm-hello-v1, helm-hello-v2"), "{sentence}");
}

#[test]
fn what_is_as_it_was_applied_is_told_with_what_was_not_compared() {
    let stage = Stage::new();
    stage.waiting();
    let answer = stage.until("diff helm-hello", |answer| answer["items"].as_array().unwrap().len() == 2);
    let item = &answer["items"][0];
    let fields = ["cluster", "namespace", "kind", "name", "verdict", "reason", "diff", "not_compared", "set_by"];
    assert_eq!(keys(item), fields);
    assert_eq!((&item["cluster"], &item["kind"]), (&"local".into(), &"HelmRelease".into()));
    assert_eq!((&item["verdict"], &item["diff"]), (&"same".into(), &serde_json::Value::Null));
    assert!(!item["not_compared"].as_array().unwrap().is_empty());
    let output = stage.run("diff helm-hello --cluster local");
    assert_eq!((output.status.code(), output.stdout.len()), (Some(0), 0));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "lateen: no difference in 2 compared\n");
}

#[test]
fn wrong_words_are_one_sentence() {
    let stage = Stage::new();
    for (line, code) in [
        ("get revisions", 2),
        ("get revisions nobody", 1),
        ("get revisions helm-hello -l a=b", 2),
        ("diff nobody", 1),
        ("diff helm-hello v1 --cluster foo", 2),
        ("diff helm-hello --cluster nowhere", 1),
    ] {
        assert_eq!(refusal(&stage.run(line)).0, code, "{line}");
    }
}
