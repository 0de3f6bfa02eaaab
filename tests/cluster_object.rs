//! One object, followed, edited and entered, in the simulated estate.
#![cfg(feature = "demo")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "what fails here fails the test")]

#[path = "support/hub.rs"]
mod hub;

use std::time::Duration;

use bytes::Bytes;
use lateen::{
    cluster::{
        Hub, actions,
        edit::{self, Draft},
        object,
        request::{self, JSON, MERGE_PATCH},
        shell::{self, Ends, ShellEnd},
    },
    demo::{Estate, Options},
    model::{
        action::{Action, Outcome},
        audit::AuditLine,
        edit::Proposal,
        key::{ClusterId, PodKey},
        object::{Face, ObjectNews, ObjectRequest, Word},
        resource::ResourceKey,
        shell::ShellRequest,
    },
};
use serde_json::{Value, json};
use tokio::{
    sync::{mpsc, watch},
    time::timeout,
};

/// Time for a condition to come true; far beyond what it takes.
const PATIENCE: Duration = Duration::from_secs(60);
const DEADLINE: Duration = Duration::from_secs(20);
/// The content of the Secret: "hunter2".
const PASSWORD: &str = "aHVudGVyMg==";

fn estate() -> Estate {
    Estate::start(Options { speed: 20.0, ..Options::default() }).unwrap()
}

fn key(cluster: &str, group: &str, kind: &str, name: &str) -> ResourceKey {
    ResourceKey {
        cluster: ClusterId::named(cluster),
        group: group.into(),
        kind: kind.into(),
        namespace: "default".into(),
        name: name.into(),
    }
}

/// Makes an object in a cluster.
async fn make(hub: &Hub, cluster: &str, plural: &str, object: &Value) {
    let client = hub.member(&ClusterId::named(cluster));
    let uri = format!("/api/v1/namespaces/default/{plural}");
    request::write(&client, http::Method::POST, &uri, JSON, object.to_string().into_bytes(), DEADLINE).await.unwrap();
}

async fn patch(hub: &Hub, cluster: &str, path: &str, body: &Value) {
    let client = hub.member(&ClusterId::named(cluster));
    let uri = format!("/api/v1/namespaces/default/{path}");
    let body = body.to_string().into_bytes();
    request::write(&client, http::Method::PATCH, &uri, MERGE_PATCH, body, DEADLINE).await.unwrap();
}

fn config_map() -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "hello", "namespace": "default"},
        "data": {"count": "1", "version": "012"}})
}

/// Follows an object until its news is as wanted.
async fn news(told: &mut mpsc::Receiver<ObjectNews>, what: &str, wanted: impl Fn(&ObjectNews) -> bool) -> ObjectNews {
    timeout(PATIENCE, async {
        loop {
            let news = told.recv().await.unwrap();
            if wanted(&news) {
                return news;
            }
        }
    })
    .await
    .unwrap_or_else(|_| panic!("{what} was never told"))
}

fn follow(hub: &Hub, key: ResourceKey, face: Face, content: bool) -> mpsc::Receiver<ObjectNews> {
    let (tell, told) = mpsc::channel(16);
    let (hub, request) = (hub.clone(), ObjectRequest { key, face, content });
    tokio::spawn(async move { object::follow(&hub, &request, tell).await });
    told
}

fn yaml_with(text: &'static str) -> impl Fn(&ObjectNews) -> bool {
    move |news| matches!(news, ObjectNews::Yaml(document) if document.text().contains(text))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_behind_the_gateway_is_followed_to_its_end_and_beyond() {
    let estate = estate();
    let hub = hub::hub(&estate, "hub");
    make(&hub, "foo", "configmaps", &config_map()).await;
    let mut told = follow(&hub, key("foo", "", "ConfigMap", "hello"), Face::Yaml, false);
    news(&mut told, "the object", yaml_with("count: \"1\"")).await;
    patch(&hub, "foo", "configmaps/hello", &json!({"data": {"count": "2"}})).await;
    news(&mut told, "the change", yaml_with("count: \"2\"")).await;
    let client = hub.member(&ClusterId::named("foo"));
    let uri = "/api/v1/namespaces/default/configmaps/hello";
    request::write(&client, http::Method::DELETE, uri, JSON, Vec::new(), DEADLINE).await.unwrap();
    news(&mut told, "the deletion", |news| *news == ObjectNews::Gone).await;
    make(&hub, "foo", "configmaps", &config_map()).await;
    news(&mut told, "its return", yaml_with("count: \"1\"")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_or_not_served_is_said() {
    let estate = estate();
    let hub = hub::hub(&estate, "hub");
    for (key, words) in [
        (key("foo", "", "ConfigMap", "nobody"), "not found"),
        (key("foo", "example.org", "Widget", "w"), "no kind Widget (example.org) is served there"),
    ] {
        let mut told = follow(&hub, key, Face::Yaml, false);
        let failed = news(&mut told, words, |news| matches!(news, ObjectNews::Failed(_))).await;
        assert!(matches!(&failed, ObjectNews::Failed(why) if why.contains(words)), "{failed:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secrets_content_does_not_come_until_it_is_asked_for() {
    let estate = estate();
    let hub = hub::hub(&estate, "hub");
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "login", "namespace": "default",
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": format!("{{\"data\":{{\"password\":\"{PASSWORD}\"}}}}")}},
        "data": {"password": PASSWORD}});
    make(&hub, "foo", "secrets", &secret).await;
    let is_yaml = |news: &ObjectNews| matches!(news, ObjectNews::Yaml(_));
    let mut told = follow(&hub, key("foo", "", "Secret", "login"), Face::Yaml, false);
    let ObjectNews::Yaml(document) = news(&mut told, "its metadata", is_yaml).await else { panic!() };
    assert!(document.text().contains("kind: Secret") && document.text().contains("name: login"), "{}", document.text());
    assert!(!document.text().contains("\ndata:") && !document.text().contains(PASSWORD), "{}", document.text());
    assert!(document.veiled().is_empty());
    // A change of it is told without its content too.
    patch(&hub, "foo", "secrets/login", &json!({"metadata": {"labels": {"a": "b"}}})).await;
    let changed = news(&mut told, "its label", yaml_with("a: b")).await;
    let ObjectNews::Yaml(document) = changed else { panic!() };
    assert!(!document.text().contains(PASSWORD), "{}", document.text());

    let mut told = follow(&hub, key("foo", "", "Secret", "login"), Face::Yaml, true);
    let ObjectNews::Yaml(document) = news(&mut told, "its content", is_yaml).await else { panic!() };
    assert!(!document.text().contains(PASSWORD), "kept apart: {}", document.text());
    let [veiled] = document.veiled() else { panic!("{document:?}") };
    assert_eq!((&*veiled.key, &*veiled.value), ("password", PASSWORD));
    assert!(document.line(veiled.line).trim_start().starts_with("password:"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_is_described_with_its_events() {
    let estate = estate();
    let hub = hub::hub(&estate, "hub");
    let pod = pod(&hub).await;
    let mut told = follow(&hub, ResourceKey::pod(&pod), Face::Description, false);
    let is_described = |news: &ObjectNews| match news {
        ObjectNews::Described(description) => description.sections.iter().any(|section| {
            let words = section.lines.iter().flatten();
            section.title == "events" && words.into_iter().any(|word| *word == Word::Value("Scheduled".to_owned()))
        }),
        _ => false,
    };
    let ObjectNews::Described(description) = news(&mut told, "its events", is_described).await else { panic!() };
    let titles: Vec<_> = description.sections.iter().map(|section| section.title.as_str()).collect();
    assert!(titles.iter().any(|title| title.starts_with("container ")) && titles.contains(&"conditions"), "{titles:?}");
}

/// A pod of helm-hello that runs.
async fn pod(hub: &Hub) -> PodKey {
    let client = hub.client();
    let found = timeout(PATIENCE, async {
        loop {
            let list: Value =
                request::get_json(&client, "/api/v1/namespaces/default/pods", DEADLINE).await.unwrap_or_default();
            let pods = list["items"].as_array().cloned().unwrap_or_default();
            if let Some(pod) = pods.iter().find(|pod| pod["status"]["containerStatuses"][0]["ready"] == true) {
                return pod["metadata"]["name"].as_str().unwrap().to_owned();
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    PodKey::new("local", "default", &found.await.unwrap())
}

/// An edit of the ConfigMap by text.
async fn edited(hub: &Hub, from: &str, to: &str) -> Proposal {
    let key = key("foo", "", "ConfigMap", "hello");
    let base = edit::fetch(hub, &key).await.unwrap();
    let text = edit::text(&key, &base).unwrap();
    assert!(text.contains(from), "{text}");
    match edit::read(&key, base, &text.replace(from, to)) {
        Draft::Changed(proposal) => *proposal,
        other => panic!("{other:?}"),
    }
}

async fn write(hub: &Hub, proposal: &Proposal) -> (Outcome, Vec<AuditLine>) {
    let mut lines = Vec::new();
    let action = Action::Edit(Box::new(proposal.editing.clone()));
    let outcome = actions::perform(hub, &action, &mut |line| {
        lines.push(line);
        Ok(())
    })
    .await;
    (outcome, lines)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_sends_what_changed_and_is_on_record() {
    let estate = estate();
    let hub = hub::hub(&estate, "hub");
    make(&hub, "foo", "configmaps", &config_map()).await;
    let proposal = edited(&hub, "count: \"1\"", "count: \"3\"").await;
    assert_eq!(proposal.editing.patch, json!({"data": {"count": "3"}}));
    assert_eq!(edit::check(&hub, &proposal.editing).await, Ok(()));
    let unchanged = edit::fetch(&hub, &proposal.editing.key).await.unwrap();
    assert_eq!(unchanged["data"]["count"], "1", "a dry run writes nothing");
    let (outcome, audit) = write(&hub, &proposal).await;
    assert!(outcome.is_done(), "{outcome:?}");
    let now = edit::fetch(&hub, &proposal.editing.key).await.unwrap();
    assert_eq!(now["data"], json!({"count": "3", "version": "012"}));
    let verbs: Vec<_> = audit.iter().map(|line| (line.verb.as_str(), line.cluster.as_str())).collect();
    assert_eq!(verbs, [("edit", "foo"), ("edit", "foo")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_changed_meanwhile_is_not_written_over() {
    let estate = estate();
    let hub = hub::hub(&estate, "hub");
    make(&hub, "foo", "configmaps", &config_map()).await;
    let proposal = edited(&hub, "count: \"1\"", "count: \"3\"").await;
    patch(&hub, "foo", "configmaps/hello", &json!({"data": {"version": "other"}})).await;
    let refused = edit::check(&hub, &proposal.editing).await.unwrap_err();
    assert!(refused.contains("was changed meanwhile"), "{refused}");
    let (outcome, audit) = write(&hub, &proposal).await;
    assert!(matches!(&outcome, Outcome::Moved { message } if message.contains("the draft is kept")), "{outcome:?}");
    assert!(audit.is_empty(), "nothing was sent: {audit:?}");
    let now = edit::fetch(&hub, &proposal.editing.key).await.unwrap();
    assert_eq!(now["data"], json!({"count": "1", "version": "other"}));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shell_answers_and_tells_how_it_ended() {
    let estate = estate();
    let hub = hub::hub(&estate, "hub");
    let pod = pod(&hub).await;
    let (typed, input) = mpsc::channel(16);
    let (output, mut shown) = mpsc::channel(64);
    let (_size, size) = watch::channel((100, 30));
    let request = ShellRequest { pod: pod.clone(), container: "".into() };
    let client = hub.member(&pod.cluster);
    let shell = tokio::spawn(async move { shell::run(client, &request, Ends { input, output, size }).await });
    let mut seen = String::new();
    let mut until = async |wanted: &str| {
        timeout(PATIENCE, async {
            while !seen.contains(wanted) {
                seen.push_str(&String::from_utf8_lossy(&shown.recv().await.unwrap()));
            }
        })
        .await
        .unwrap_or_else(|_| panic!("no {wanted}"));
    };
    until("# ").await;
    typed.send(Bytes::from_static(b"stty size\r")).await.unwrap();
    until("30 100").await;
    typed.send(Bytes::from_static(b"exit 7\r")).await.unwrap();
    assert_eq!(timeout(PATIENCE, shell).await.unwrap().unwrap(), ShellEnd::Left(7));
    let gone = ShellRequest { pod: PodKey::new("local", "default", "nobody"), container: "".into() };
    let (_typed, input) = mpsc::channel(1);
    let (output, _shown) = mpsc::channel(1);
    let (_size, size) = watch::channel((80, 24));
    let ended = shell::run(hub.client(), &gone, Ends { input, output, size }).await;
    assert!(matches!(&ended, ShellEnd::Broken(why) if why.contains("not found")), "{ended:?}");
}
