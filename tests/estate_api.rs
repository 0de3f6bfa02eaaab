//! The simulated estate's API, as kube's client, plain HTTP and (where it is there) kubectl meet it.
#![cfg(feature = "demo")]
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "what fails here fails the test")]
#![expect(clippy::print_stderr, reason = "a test that is skipped says so")]

#[path = "estate/apply.rs"]
mod apply;
#[path = "estate/bad_input.rs"]
mod bad_input;
#[path = "estate/gateway.rs"]
mod gateway;
#[path = "estate/kubectl.rs"]
mod kubectl;
#[path = "estate/size.rs"]
mod size;

use std::collections::BTreeMap;
use std::time::Duration;

use futures::{AsyncBufReadExt, StreamExt, TryStreamExt};
use http::Request;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Pod, Secret};
use kube::api::{
    Api, ApiResource, AttachParams, DeleteParams, DynamicObject, ListParams, LogParams, Patch, PatchParams, PostParams,
    WatchEvent, WatchParams,
};
use kube::{Client, ResourceExt};
use lateen::demo::ctl::{self, Command};
use lateen::demo::{Cut, Estate, HUB, MEMBER, Options};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const SOON: Duration = Duration::from_secs(10);

fn estate() -> Estate {
    Estate::start(Options { speed: 50.0, empty: true, ..Options::default() }).unwrap()
}

/// An estate whose members are joined.
fn joined() -> Estate {
    Estate::start(Options { speed: 50.0, ..Options::default() }).unwrap()
}

fn config_map(name: &str, value: &str) -> ConfigMap {
    serde_json::from_value(json!({
        "metadata": { "name": name, "labels": { "app": value } }, "data": { "key": value },
    }))
    .unwrap()
}

fn application() -> ApiResource {
    ApiResource {
        group: "core.oam.dev".into(),
        version: "v1beta1".into(),
        api_version: "core.oam.dev/v1beta1".into(),
        kind: "Application".into(),
        plural: "applications".into(),
    }
}

fn code(error: kube::Error) -> u16 {
    match error {
        kube::Error::Api(status) => status.code,
        other => panic!("no Status: {other}"),
    }
}

/// Waits for something to become so; on a machine that is busy with other things for as long as it takes.
async fn until<F: Future<Output = bool>>(mut so: impl FnMut() -> F) {
    let becoming = async {
        while !so().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(SOON * 3, becoming).await.expect("it never became so");
}

async fn get(client: &Client, path: &str) -> Result<Value, kube::Error> {
    client.request(Request::get(path).body(Vec::new()).unwrap()).await
}

async fn text(client: &Client, path: &str) -> String {
    client.request_text(Request::get(path).body(Vec::new()).unwrap()).await.unwrap()
}

/// A pod as a controller leaves it: on a node, its one container running.
async fn running_pod(client: &Client, name: &str, message: &str) -> Pod {
    let pods: Api<Pod> = Api::default_namespaced(client.clone());
    let pod = serde_json::from_value(json!({
        "metadata": { "name": name },
        "spec": { "nodeName": "node-1", "containers": [{
            "name": "hello", "image": "paulbouwer/hello-kubernetes:1.10", "ports": [{ "containerPort": 8080 }],
            "env": [{ "name": "MESSAGE", "value": message }],
        }] },
    }));
    pods.create(&PostParams::default(), &pod.unwrap()).await.unwrap();
    let status = json!({ "status": { "phase": "Running", "containerStatuses": [{
        "name": "hello", "ready": true, "restartCount": 0, "image": "x", "imageID": "x",
        "state": { "running": { "startedAt": "2026-01-01T00:00:00Z" } },
    }] } });
    pods.patch_status(name, &PatchParams::default(), &Patch::Merge(status)).await.unwrap()
}

#[tokio::test]
async fn objects_are_created_changed_and_deleted() {
    let estate = estate();
    let client = estate.client(HUB).await.unwrap();
    let maps: Api<ConfigMap> = Api::default_namespaced(client.clone());
    let created = maps.create(&PostParams::default(), &config_map("a", "1")).await.unwrap();
    assert!(created.uid().is_some() && created.creation_timestamp().is_some());
    let again = maps.create(&PostParams::default(), &config_map("a", "1")).await.unwrap_err();
    assert!(again.to_string().contains("configmaps \"a\" already exists"), "{again}");

    let mut changed = created.clone();
    changed.data = Some(BTreeMap::from([("key".into(), "2".into())]));
    let changed = maps.replace("a", &PostParams::default(), &changed).await.unwrap();
    assert_ne!(changed.resource_version(), created.resource_version());
    let same = maps.replace("a", &PostParams::default(), &changed).await.unwrap();
    assert_eq!(same.resource_version(), changed.resource_version(), "what changes nothing writes nothing");
    let stale = maps.replace("a", &PostParams::default(), &created).await.unwrap_err();
    assert!(stale.to_string().contains("the object has been modified"), "{stale}");
    assert_eq!(code(stale), 409);

    let dry = PostParams { dry_run: true, ..PostParams::default() };
    maps.create(&dry, &config_map("dry", "1")).await.unwrap();
    assert!(maps.get_opt("dry").await.unwrap().is_none());

    let nameless = maps.create(&PostParams::default(), &ConfigMap::default()).await.unwrap_err();
    assert_eq!(code(nameless), 422);
    let elsewhere: Api<ConfigMap> = Api::namespaced(client, "nowhere");
    let elsewhere = elsewhere.create(&PostParams::default(), &config_map("a", "1")).await.unwrap_err();
    assert!(elsewhere.to_string().contains("namespaces \"nowhere\" not found"), "{elsewhere}");

    maps.delete("a", &DeleteParams::default()).await.unwrap();
    assert_eq!(code(maps.get("a").await.unwrap_err()), 404);
}

#[tokio::test]
async fn what_a_secret_is_given_as_text_is_kept_as_bytes() {
    let estate = estate();
    let secrets: Api<Secret> = Api::default_namespaced(estate.client(HUB).await.unwrap());
    let mut secret = Secret { string_data: Some([("password".into(), "hunter2".into())].into()), ..Secret::default() };
    secret.metadata.name = Some("keys".into());
    secrets.create(&PostParams::default(), &secret).await.unwrap();
    let more = json!({"stringData": {"user": "admin"}});
    let kept = secrets.patch("keys", &PatchParams::default(), &Patch::Merge(more)).await.unwrap();
    let data: BTreeMap<String, Vec<u8>> = kept.data.unwrap().into_iter().map(|(key, value)| (key, value.0)).collect();
    assert_eq!(data, [("password".into(), b"hunter2".to_vec()), ("user".into(), b"admin".to_vec())].into());
    assert!(kept.string_data.is_none());
}

#[tokio::test]
async fn status_and_spec_are_written_through_their_own_doors() {
    let estate = estate();
    let client = estate.client(HUB).await.unwrap();
    let api: Api<DynamicObject> = Api::default_namespaced_with(client, &application());
    let mut app = DynamicObject::new("shop", &application());
    app.data = json!({ "spec": { "components": [] }, "status": { "status": "running" } });
    let created = api.create(&PostParams::default(), &app).await.unwrap();
    assert!(created.data["status"].is_null(), "a creation has no status yet");
    assert_eq!(created.metadata.generation, Some(1));

    let status = json!({ "spec": { "components": [1] }, "status": { "status": "workflowSuspending" } });
    let params = PatchParams { field_manager: Some("vela".into()), ..PatchParams::default() };
    let written = api.patch_status("shop", &params, &Patch::Merge(status)).await.unwrap();
    assert_eq!(written.data["spec"], json!({ "components": [] }));
    assert_eq!(written.metadata.generation, Some(1));
    let writers = written.metadata.managed_fields.unwrap();
    let last = writers.iter().find(|entry| entry.subresource.as_deref() == Some("status")).unwrap();
    assert_eq!(last.manager.as_deref(), Some("vela"));

    let main = json!({ "spec": { "components": [2] }, "status": { "status": "finished" } });
    let written = api.patch("shop", &PatchParams::default(), &Patch::Merge(main)).await.unwrap();
    assert_eq!(written.data["status"]["status"], "workflowSuspending");
    assert_eq!(written.metadata.generation, Some(2));

    let stale = json!({ "metadata": { "resourceVersion": "1" }, "status": { "status": "x" } });
    let stale = api.patch_status("shop", &PatchParams::default(), &Patch::Merge(stale)).await.unwrap_err();
    assert_eq!(code(stale), 409);
    let strategic = Patch::Strategic(json!({ "spec": {} }));
    assert_eq!(code(api.patch("shop", &PatchParams::default(), &strategic).await.unwrap_err()), 415);
}

#[tokio::test]
async fn a_list_in_pages_is_of_one_moment() {
    let estate = estate();
    let client = estate.client(HUB).await.unwrap();
    let maps: Api<ConfigMap> = Api::default_namespaced(client);
    for name in ["a", "b", "c", "d"] {
        maps.create(&PostParams::default(), &config_map(name, name)).await.unwrap();
    }
    let names =
        |list: &kube::api::ObjectList<ConfigMap>| list.items.iter().map(ResourceExt::name_any).collect::<Vec<_>>();
    let first = maps.list(&ListParams::default().limit(2)).await.unwrap();
    assert_eq!(names(&first), ["a", "b"]);
    assert_eq!(first.metadata.remaining_item_count, Some(2));
    maps.delete("c", &DeleteParams::default()).await.unwrap();
    maps.create(&PostParams::default(), &config_map("bb", "x")).await.unwrap();
    let token = first.metadata.continue_.clone().unwrap();
    let second = maps.list(&ListParams::default().limit(2).continue_token(&token)).await.unwrap();
    assert_eq!(names(&second), ["c", "d"]);
    assert_eq!(second.metadata.resource_version, first.metadata.resource_version);

    let chosen = maps.list(&ListParams::default().labels("app in (a,d),app!=d")).await.unwrap();
    assert_eq!(names(&chosen), ["a"]);
    let chosen = maps.list(&ListParams::default().fields("metadata.name=d")).await.unwrap();
    assert_eq!(names(&chosen), ["d"]);

    estate.perform(&Command::Compact { cluster: HUB.into() }).unwrap();
    let expired = maps.list(&ListParams::default().limit(2).continue_token(&token)).await.unwrap_err();
    assert!(expired.to_string().contains("The provided continue parameter is too old"), "{expired}");
    assert_eq!(code(expired), 410);
}

#[tokio::test]
async fn a_watch_tells_what_happens_from_a_revision_on() {
    let estate = estate();
    let client = estate.client(HUB).await.unwrap();
    let maps: Api<ConfigMap> = Api::default_namespaced(client.clone());
    let start = maps.list(&ListParams::default()).await.unwrap().metadata.resource_version.unwrap();
    maps.create(&PostParams::default(), &config_map("a", "1")).await.unwrap();
    let watch = maps.watch(&WatchParams::default().labels("app=1"), &start).await.unwrap();
    let mut watch = watch.boxed();
    maps.create(&PostParams::default(), &config_map("other", "2")).await.unwrap();
    // A label that changes takes the object out of sight.
    let change = json!({ "metadata": { "labels": { "app": "2" } } });
    maps.patch("a", &PatchParams::default(), &Patch::Merge(change)).await.unwrap();
    let mut seen = Vec::new();
    while seen.len() < 2 {
        match tokio::time::timeout(SOON, watch.try_next()).await.unwrap().unwrap().unwrap() {
            WatchEvent::Added(map) => seen.push(("added", map.name_any())),
            WatchEvent::Deleted(map) => seen.push(("deleted", map.labels()["app"].clone())),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(seen, [("added", "a".to_owned()), ("deleted", "1".to_owned())]);

    estate.perform(&Command::Compact { cluster: HUB.into() }).unwrap();
    let mut watch = maps.watch(&WatchParams::default(), &start).await.unwrap().boxed();
    match watch.try_next().await.unwrap().unwrap() {
        WatchEvent::Error(status) => assert_eq!((status.code, status.reason.as_str()), (410, "Expired")),
        other => panic!("{other:?}"),
    }

    let path = "/api/v1/namespaces/default/configmaps?watch=true&sendInitialEvents=true&allowWatchBookmarks=true&timeoutSeconds=1&resourceVersionMatch=NotOlderThan";
    let events = text(&client, path).await;
    let events: Vec<Value> = events.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let kinds: Vec<&str> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["ADDED", "ADDED", "BOOKMARK"]);
    assert_eq!(events[2]["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"], "true");
}

#[tokio::test]
async fn answers_come_in_the_form_that_is_asked_for() {
    let estate = estate();
    let client = estate.client(HUB).await.unwrap();
    running_pod(&client, "hello", "Hi").await;
    let ask = |accept: &str, path: &str| {
        let request = Request::get(path).header("accept", accept).body(Vec::new()).unwrap();
        client.request::<Value>(request)
    };
    let table = "application/json;as=Table;v=v1;g=meta.k8s.io";
    let rows = ask(table, "/api/v1/pods").await.unwrap();
    let cells = rows["rows"][0]["cells"].as_array().unwrap();
    assert_eq!(cells[..4], ["hello", "1/1", "Running", "0"]);
    assert_eq!(rows["rows"][0]["object"]["kind"], "PartialObjectMetadata");
    let bare = ask(table, "/api/v1/pods?includeObject=None").await.unwrap();
    assert!(bare["rows"][0]["object"].is_null());
    let partial =
        ask("application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io", "/api/v1/pods").await.unwrap();
    assert_eq!(partial["items"][0]["metadata"]["name"], "hello");
    assert!(partial["items"][0]["spec"].is_null());
    assert_eq!(code(ask("application/vnd.kubernetes.protobuf", "/api/v1/pods").await.unwrap_err()), 406);
}

#[tokio::test]
async fn users_are_told_what_they_may_not() {
    let estate = estate();
    let admin = estate.client(HUB).await.unwrap();
    let as_user = |context: &str| {
        let kubeconfig = kube::config::Kubeconfig::from_yaml(estate.kubeconfig()).unwrap();
        let options = kube::config::KubeConfigOptions { context: Some(context.into()), ..Default::default() };
        async move { Client::try_from(kube::Config::from_custom_kubeconfig(kubeconfig, &options).await.unwrap()).unwrap() }
    };
    let reader = as_user("hub-reader").await;
    let maps: Api<ConfigMap> = Api::default_namespaced(reader.clone());
    maps.list(&ListParams::default()).await.unwrap();
    let refused = maps.create(&PostParams::default(), &config_map("a", "1")).await.unwrap_err();
    let sentence = "configmaps is forbidden: User \"reader\" cannot create resource \"configmaps\" in API group \"\" in \
                    the namespace \"default\"";
    assert!(refused.to_string().contains(sentence), "{refused}");
    let namespaced = as_user("hub-namespaced").await;
    assert_eq!(code(get(&namespaced, "/apis/core.oam.dev/v1beta1/applications").await.unwrap_err()), 403);
    get(&namespaced, "/apis/core.oam.dev/v1beta1/namespaces/default/applications").await.unwrap();

    let review = |client: Client| async move {
        let body = json!({ "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": {
            "resourceAttributes": { "verb": "patch", "group": "core.oam.dev", "resource": "applications", "subresource": "status", "namespace": "default" },
        } });
        let request = Request::post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews");
        client.request::<Value>(request.body(serde_json::to_vec(&body).unwrap()).unwrap()).await.unwrap()
    };
    assert_eq!(review(reader).await["status"]["allowed"], false);
    assert_eq!(review(namespaced).await["status"]["allowed"], true);
    assert_eq!(review(admin).await["status"]["allowed"], true);
}

#[tokio::test]
async fn logs_are_read_and_followed() {
    let estate = estate();
    let client = estate.client(MEMBER).await.unwrap();
    running_pod(&client, "hello", "Hi").await;
    let pods: Api<Pod> = Api::default_namespaced(client.clone());
    let tail = LogParams { tail_lines: Some(3), timestamps: true, ..LogParams::default() };
    let lines = pods.logs("hello", &tail).await.unwrap();
    assert_eq!(lines.lines().count(), 3, "{lines}");
    assert!(lines.lines().all(|line| line.split_once(' ').unwrap().0.parse::<jiff::Timestamp>().is_ok()), "{lines}");

    let follow = LogParams { follow: true, tail_lines: Some(1), ..LogParams::default() };
    let mut stream = pods.log_stream("hello", &follow).await.unwrap().lines();
    tokio::time::timeout(SOON, stream.try_next()).await.unwrap().unwrap().unwrap();
    let (cluster, namespace, pod) = (MEMBER.into(), "default".into(), "hello".into());
    estate.perform(&Command::Log { cluster, namespace, pod, text: "by hand".into() }).unwrap();
    let said = async { while stream.try_next().await.unwrap().unwrap() != "by hand" {} };
    tokio::time::timeout(SOON, said).await.unwrap();
    pods.delete("hello", &DeleteParams::default()).await.unwrap();
    let rest = async { while stream.try_next().await.unwrap().is_some() {} };
    tokio::time::timeout(SOON, rest).await.expect("a log ends with its pod");

    let waiting = serde_json::from_value(json!({
        "metadata": { "name": "waiting" }, "spec": { "nodeName": "node-1", "containers": [{ "name": "a", "image": "a" }] },
    }));
    pods.create(&PostParams::default(), &waiting.unwrap()).await.unwrap();
    let status = json!({ "status": { "containerStatuses": [{
        "name": "a", "ready": false, "restartCount": 0, "image": "a", "imageID": "",
        "state": { "waiting": { "reason": "ContainerCreating" } },
    }] } });
    pods.patch_status("waiting", &PatchParams::default(), &Patch::Merge(status)).await.unwrap();
    let refused = pods.logs("waiting", &LogParams::default()).await.unwrap_err();
    let sentence = "container \"a\" in pod \"waiting\" is waiting to start: ContainerCreating";
    assert!(refused.to_string().contains(sentence), "{refused}");
}

/// One GET over a forward, to the end of the answer.
async fn fetch(pods: &Api<Pod>, name: &str, path: &str) -> String {
    let mut forward = pods.portforward(name, &[8080]).await.unwrap();
    let mut stream = forward.take_stream(8080).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: hello\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    tokio::time::timeout(SOON, stream.read_to_end(&mut answer)).await.unwrap().unwrap();
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn a_forward_reaches_what_listens_in_the_pod() {
    let estate = joined();
    let client = estate.client(MEMBER).await.unwrap();
    running_pod(&client, "hello", "Welcome to Your New Foo Cluster!").await;
    let pods: Api<Pod> = Api::default_namespaced(client.clone());
    let page = fetch(&pods, "hello", "/").await;
    assert!(page.contains("Welcome to Your New Foo Cluster!") && page.contains("hello"), "{page}");
    assert!(fetch(&pods, "hello", "/bytes/3000000").await.len() > 3_000_000);

    let mut forward = pods.portforward("hello", &[81]).await.unwrap();
    let error = forward.take_error(81).unwrap().await.unwrap();
    assert!(error.contains("connection refused"), "{error}");

    let post = Request::post("/api/v1/namespaces/default/pods/hello/portforward");
    let spdy = post.header("upgrade", "SPDY/3.1").header("connection", "upgrade").body(Vec::new()).unwrap();
    let refused = client.request::<Value>(spdy).await.unwrap_err();
    assert!(refused.to_string().contains("WebSocket"), "{refused}");
}

#[tokio::test]
async fn commands_run_in_a_shell_of_its_own() {
    let estate = joined();
    let client = estate.client(MEMBER).await.unwrap();
    running_pod(&client, "hello", "Welcome!").await;
    let pods: Api<Pod> = Api::default_namespaced(through(estate.client(HUB).await.unwrap(), MEMBER));
    let quiet = AttachParams::default().stderr(true).stdout(true);
    let mut once = pods.exec("hello", ["sh", "-c", "echo $MESSAGE; nope; exit 3"], &quiet).await.unwrap();
    let mut out = String::new();
    once.stdout().unwrap().read_to_string(&mut out).await.unwrap();
    let mut err = String::new();
    once.stderr().unwrap().read_to_string(&mut err).await.unwrap();
    assert_eq!((out.as_str(), err.as_str()), ("Welcome!\n", "sh: nope: not found\n"));
    let status = once.take_status().unwrap().await.unwrap();
    assert_eq!(status.reason.as_deref(), Some("NonZeroExitCode"));
    assert_eq!(status.details.unwrap().causes.unwrap()[0].message.as_deref(), Some("3"));

    let mut terminal = pods.exec("hello", ["sh"], &AttachParams::interactive_tty()).await.unwrap();
    let (mut input, mut output) = (terminal.stdin().unwrap(), terminal.stdout().unwrap());
    input.write_all(b"echo typ\x7fo; exit 5\r").await.unwrap();
    let mut seen = Vec::new();
    tokio::time::timeout(SOON, output.read_to_end(&mut seen)).await.unwrap().unwrap();
    let seen = String::from_utf8(seen).unwrap();
    assert!(seen.starts_with("This container is simulated") && seen.ends_with("\r\ntyo\r\n"), "{seen:?}");

    let mut unknown = pods.exec("hello", ["nope"], &quiet).await.unwrap();
    let status = unknown.take_status().unwrap().await.unwrap();
    assert!(status.message.unwrap().contains("executable file not found"));
}

/// A client of a member through the hub's gateway.
fn through(hub: Client, member: &str) -> Client {
    let prefix = format!("/apis/cluster.core.oam.dev/v1alpha1/clustergateways/{member}/proxy");
    let service = tower::service_fn(move |mut request: Request<kube::client::Body>| {
        let path = format!("{prefix}{}", request.uri().path_and_query().unwrap());
        *request.uri_mut() = path.parse().unwrap();
        let hub = hub.clone();
        async move { hub.send(request).await }
    });
    Client::new(service, "default")
}

#[tokio::test]
async fn the_gateway_leads_to_joined_clusters() {
    let estate = joined();
    let hub = estate.client(HUB).await.unwrap();
    let direct = estate.client(MEMBER).await.unwrap();
    running_pod(&direct, "hello", "Welcome to Your New Foo Cluster!").await;
    let foo = through(hub.clone(), MEMBER);
    let pods: Api<Pod> = Api::default_namespaced(foo.clone());
    assert_eq!(pods.list(&ListParams::default().labels("!x")).await.unwrap().items.len(), 1);
    assert!(fetch(&pods, "hello", "/").await.contains("Welcome to Your New Foo Cluster!"));
    assert!(!pods.logs("hello", &LogParams::default()).await.unwrap().is_empty());

    let clusters = get(&hub, "/apis/cluster.core.oam.dev/v1alpha1/virtualclusters").await.unwrap();
    assert_eq!(
        clusters["items"][0]["metadata"],
        json!({
            "name": "local", "creationTimestamp": null, "labels": { "cluster.core.oam.dev/control-plane": "true" },
        })
    );
    assert_eq!(
        clusters["items"][1]["metadata"]["labels"],
        json!({
            "cluster.core.oam.dev/control-plane": "false", "region": "eu",
        })
    );
    assert_eq!(
        clusters["items"][1]["spec"],
        json!({
            "alias": "Foo cluster", "accepted": true, "endpoint": estate.cluster_url(MEMBER).unwrap(),
            "credential-type": "X509Certificate",
        })
    );
    let watch = get(&hub, "/apis/cluster.core.oam.dev/v1alpha1/virtualclusters?watch=true").await.unwrap_err();
    assert_eq!(code(watch), 405);
    for name in ["local", "nope"] {
        let refused = get(&through(hub.clone(), name), "/version").await.unwrap_err();
        assert!(refused.to_string().contains(&format!("no such cluster {name}")), "{refused}");
    }
}

#[tokio::test]
async fn a_cut_cluster_breaks_what_went_to_it_and_comes_back() {
    let estate = joined();
    let hub = estate.client(HUB).await.unwrap();
    let foo = through(hub.clone(), MEMBER);
    let namespaces: Api<Namespace> = Api::all(foo.clone());
    let mut watch = namespaces.watch(&WatchParams::default(), "0").await.unwrap().boxed();
    watch.try_next().await.unwrap().unwrap();
    estate.cut(MEMBER, Cut::Refuse).unwrap();
    let broken = async { while let Ok(Some(_)) = watch.try_next().await {} };
    tokio::time::timeout(SOON, broken).await.unwrap();
    let refused = namespaces.list(&ListParams::default()).await.unwrap_err();
    assert!(refused.to_string().contains("connect: connection refused"), "{refused}");
    let addr = estate.cluster_url(MEMBER).unwrap().replace("https://", "");
    let refused = tokio::net::TcpStream::connect(&addr).await.unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);

    estate.cut(MEMBER, Cut::Hang).unwrap();
    let silent = tokio::time::timeout(Duration::from_millis(300), namespaces.list(&ListParams::default())).await;
    assert!(silent.is_err(), "a hung cluster answered");
    estate.restore(MEMBER).unwrap();
    tokio::time::timeout(SOON, namespaces.list(&ListParams::default())).await.unwrap().unwrap();
    let direct = estate.client(MEMBER).await.unwrap();
    tokio::time::timeout(SOON, get(&direct, "/version")).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_second_terminal_disturbs_the_estate() {
    let estate = joined();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kubeconfig");
    std::fs::write(&path, estate.kubeconfig()).unwrap();
    let said = ctl::send(&path, &Command::Cut { cluster: HUB.into(), hang: false }).await.unwrap();
    assert_eq!(said, "local refuses connections");
    let hub = estate.client(HUB).await.unwrap();
    assert!(get(&hub, "/version").await.is_err());
    ctl::send(&path, &Command::Restore { cluster: HUB.into() }).await.unwrap();
    get(&hub, "/version").await.unwrap();
    let nobody = ctl::send(&path, &Command::Restore { cluster: "bar".into() }).await.unwrap_err();
    assert_eq!(nobody.to_string(), "the estate: the estate has no cluster \"bar\"");
    std::fs::write(&path, "apiVersion: v1").unwrap();
    let foreign = ctl::send(&path, &Command::Restore { cluster: HUB.into() }).await.unwrap_err();
    assert!(foreign.to_string().contains("was not written by"), "{foreign}");
}

#[tokio::test]
async fn an_empty_estate_has_flux_only_once_the_addon_brings_it() {
    let estate = estate();
    let foo = estate.client(MEMBER).await.unwrap();
    let releases = "/apis/helm.toolkit.fluxcd.io/v2beta1/helmreleases";
    assert_eq!(code(get(&foo, releases).await.unwrap_err()), 404);
    let addon = Command::Addon { name: "fluxcd".into(), clusters: vec![MEMBER.into()] };
    assert_eq!(estate.perform(&addon).unwrap(), "installed fluxcd in foo");
    get(&foo, releases).await.unwrap();
    get(&foo, "/apis/apps/v1/namespaces/flux-system/deployments/helm-controller").await.unwrap();
    let hub = estate.client(HUB).await.unwrap();
    assert_eq!(code(get(&hub, releases).await.unwrap_err()), 404);
}

#[tokio::test]
async fn joined_clusters_fail_as_their_secrets_say() {
    let estate = joined();
    let hub = estate.client(HUB).await.unwrap();
    let secrets: Api<Secret> = Api::namespaced(hub.clone(), "vela-system");
    let foo = secrets.get(MEMBER).await.unwrap();
    let join = |name: &'static str, changes: &'static [(&'static str, &'static str)], kind: &'static str| {
        let mut secret = foo.clone();
        secret.metadata = kube::core::ObjectMeta {
            name: Some(name.into()),
            labels: Some(BTreeMap::from([("cluster.core.oam.dev/cluster-credential-type".into(), kind.into())])),
            ..Default::default()
        };
        let data = secret.data.get_or_insert_default();
        data.retain(|key, _| kind == "X509Certificate" || !key.starts_with("tls."));
        for (key, value) in changes {
            data.insert((*key).into(), k8s_openapi::ByteString(value.as_bytes().to_vec()));
        }
        let secrets = secrets.clone();
        async move { secrets.create(&PostParams::default(), &secret).await.unwrap() }
    };
    join("by-token", &[("token", "demo-reader")], "ServiceAccountToken").await;
    join("bad-token", &[("token", "expired")], "ServiceAccountToken").await;
    join("bad-certificate", &[("tls.crt", "other")], "X509Certificate").await;
    join("bad-authority", &[("ca.crt", "other")], "X509Certificate").await;
    join("no-host", &[("endpoint", "https://no-such-host.invalid:6443")], "X509Certificate").await;
    join("no-listener", &[("endpoint", "https://127.0.0.1:1")], "X509Certificate").await;
    get(&through(hub.clone(), "by-token"), "/api/v1/pods").await.unwrap();
    for (name, answer, sentence) in [
        ("bad-token", 401, "Unauthorized"),
        ("bad-certificate", 401, "Unauthorized"),
        ("bad-authority", 500, "tls: failed to verify certificate: x509: certificate signed by unknown authority"),
        ("no-host", 500, "no such host"),
        ("no-listener", 500, "dial tcp 127.0.0.1:1: connect: connection refused"),
    ] {
        let refused = get(&through(hub.clone(), name), "/api/v1/pods").await.unwrap_err();
        assert!(refused.to_string().contains(sentence), "{name}: {refused}");
        assert_eq!(code(refused), answer, "{name}");
    }
    secrets.delete("by-token", &DeleteParams::default()).await.unwrap();
    let gone = get(&through(hub, "by-token"), "/version").await.unwrap_err();
    assert!(gone.to_string().contains("no such cluster by-token"), "{gone}");
}

#[tokio::test]
async fn a_synthetic_estate_changes_as_it_is_told() {
    let options = Options { clusters: 2, apps: 20, pods: 200, churn: 200.0, ..Options::default() };
    let estate = Estate::start(options).unwrap();
    let hub = estate.client(HUB).await.unwrap();
    let apps: Api<DynamicObject> = Api::all_with(hub.clone(), &application());
    let synthetic = ListParams::default().labels("team");
    assert_eq!(apps.list(&synthetic).await.unwrap().items.len(), 20);
    let member = through(hub, "member-001");
    let pods: Api<Pod> = Api::all(member);
    let mut watch = pods.watch(&WatchParams::default(), "").await.unwrap().boxed();
    let changed = async { while !matches!(watch.try_next().await.unwrap().unwrap(), WatchEvent::Modified(_)) {} };
    tokio::time::timeout(SOON, changed).await.unwrap();
}

#[tokio::test]
async fn a_scenario_of_ones_own_stands_in_the_estate() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mine.yaml");
    let text =
        "cluster: foo\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: mine, namespace: default}\ndata: {a: b}\n";
    std::fs::write(&path, text).unwrap();
    let options = |path: &std::path::Path| Options { empty: true, scenario: Some(path.into()), ..Options::default() };
    let estate = Estate::start(options(&path)).unwrap();
    let maps: Api<ConfigMap> = Api::default_namespaced(estate.client(MEMBER).await.unwrap());
    assert_eq!(maps.get("mine").await.unwrap().data.unwrap()["a"], "b");
    std::fs::write(&path, text.replace("v1", "v7")).unwrap();
    let unknown = Estate::start(options(&path)).unwrap_err();
    assert_eq!(unknown.to_string(), "the estate does not serve ConfigMap of v7");
    let absent = Estate::start(options(&folder.path().join("absent"))).unwrap_err();
    assert!(absent.to_string().starts_with("cannot read"), "{absent}");
}
