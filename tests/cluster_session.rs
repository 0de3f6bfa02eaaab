//! A session against servers with bad manners: lists, watches, links, permissions.
#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

#[path = "support/scripted.rs"]
mod scripted;

use lateen::{
    cluster::{NamespaceScope, Session, feed, feed::FeedReader},
    model::{
        cluster::LinkState,
        delta::{Delta, Query, Row, ScopeState},
        key::RowKey,
    },
};
use scripted::{Asked, PATIENCE, Reply, Scripted, lines, list, quiet, status, until};
use serde_json::{Value, json};
use tokio::time::timeout;

const APPS: &str = "/apis/core.oam.dev/v1beta1/applications";
const CLUSTERS: &str = "/apis/cluster.core.oam.dev/v1alpha1/virtualclusters";
const FOO: &str = "/apis/cluster.core.oam.dev/v1alpha1/clustergateways/foo/proxy";

fn app(name: &str, version: &str) -> Value {
    json!({
        "metadata": {"namespace": "default", "name": name, "uid": name, "resourceVersion": version, "generation": 1},
        "spec": {"components": [{"name": "web", "type": "webservice"}]},
    })
}

fn cluster(name: &str) -> Value {
    json!({"metadata": {"name": name}, "spec": {"accepted": true, "credential-type": "X509Certificate"}})
}

/// What a hub without anything odd says: one cluster `local`, no Applications, no pods.
fn plain(asked: &Asked) -> Reply {
    match asked.path.as_str() {
        path if path.ends_with("/readyz") => Reply::Text(200, "text/plain", "ok".into()),
        path if path.ends_with("/version") => Reply::Json(200, json!({"gitVersion": "v1.34.4"})),
        CLUSTERS => list("", &[cluster("local")]),
        _ if asked.is_watch() => quiet(),
        _ => list("1", &[]),
    }
}

async fn session(
    answer: impl Fn(&Asked, usize) -> Option<Reply> + Send + Sync + 'static,
) -> (Scripted, Session, FeedReader) {
    let server = Scripted::start(move |asked, number| answer(asked, number).unwrap_or_else(|| plain(asked))).await;
    let (feed, reader) = feed::channel();
    let session = Session::start(server.hub(), NamespaceScope::all(["team".to_owned()]), feed);
    (server, session, reader)
}

fn names(deltas: &[Delta]) -> Vec<String> {
    deltas
        .iter()
        .filter_map(|delta| match delta {
            Delta::Upsert { row: Row::Application(app), .. } => Some(app.key.name.to_string()),
            Delta::Remove { key: RowKey::Application(key), .. } => Some(format!("-{}", key.name)),
            _ => None,
        })
        .collect()
}

fn is_apps(query: &Query) -> bool {
    *query == Query::Applications(None)
}

#[tokio::test]
async fn a_list_in_pages_is_shown_page_by_page_and_watched_from_its_version() {
    let (server, _session, mut reader) = session(|asked, _| {
        (asked.path == APPS).then(|| match (asked.is_watch(), asked.param("continue")) {
            (true, _) => lines(&[
                json!({"type": "MODIFIED", "object": app("a", "8")}),
                json!({"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "9"}}}),
                json!({"type": "DELETED", "object": app("b", "10")}),
            ]),
            (_, "") => Reply::Json(
                200,
                json!({"metadata": {"resourceVersion": "7", "continue": "next/1"}, "items": [app("a", "5")]}),
            ),
            (_, token) => {
                assert_eq!(token, "next/1");
                // One object that makes no sense fails nothing.
                list("7", &[json!({"metadata": {"name": 5}}), json!("nonsense"), app("b", "6")])
            }
        })
    })
    .await;
    let deltas = until(
        &mut reader,
        "b removed",
        |delta| matches!(delta, Delta::Remove { key: RowKey::Application(key), .. } if &*key.name == "b"),
    )
    .await;
    assert_eq!(names(&deltas).first().map(String::as_str), Some("a"));
    let watches: Vec<Asked> = server.asked_for("GET", APPS).into_iter().filter(Asked::is_watch).collect();
    assert_eq!(watches[0].param("resourceVersion"), "7");
    assert_eq!(watches[0].param("allowWatchBookmarks"), "true");
    assert!(watches[0].param("timeoutSeconds").parse::<u32>().unwrap() >= 60);
    assert_eq!(watches[0].header("accept-encoding"), "identity");
}

#[tokio::test]
async fn a_watch_that_breaks_in_the_middle_of_a_line_goes_on_where_it_stood() {
    let (server, _session, mut reader) = session(|asked, number| {
        (asked.path == APPS && asked.is_watch()).then(|| match number {
            0 => Reply::Break(format!(
                "{}\n{{\"type\":\"ADDED\",\"object\":{{\"meta",
                json!({"type": "ADDED", "object": app("a", "8")})
            )),
            1 => lines(&[json!({"type": "ADDED", "object": app("b", "9")})]),
            _ => quiet(),
        })
    })
    .await;
    let deltas = until(&mut reader, "b", |delta| names(std::slice::from_ref(delta)) == ["b"]).await;
    assert_eq!(names(&deltas), ["a", "b"]);
    let versions: Vec<String> = server
        .asked_for("GET", APPS)
        .iter()
        .filter(|asked| asked.is_watch())
        .map(|asked| asked.param("resourceVersion").to_owned())
        .collect();
    assert_eq!(versions[..2], ["1", "8"]);
    assert_eq!(server.asked_for("GET", APPS).iter().filter(|asked| !asked.is_watch()).count(), 1);
}

#[tokio::test]
async fn what_is_too_old_is_listed_again_without_a_flicker() {
    let (_server, _session, mut reader) = session(|asked, number| {
        (asked.path == APPS).then(|| match (asked.is_watch(), number) {
            (false, 0) => list("5", &[app("a", "1"), app("b", "2")]),
            (false, _) => list("50", &[app("b", "2"), app("c", "40")]),
            (true, 0) => lines(&[json!({"type": "ERROR", "object": {"code": 410, "reason": "Expired", "message": "too old resource version"}})]),
            (true, _) => quiet(),
        })
    })
    .await;
    let is_synced = |delta: &Delta| matches!(delta, Delta::Synced { scope, .. } if is_apps(&scope.query));
    let mut epochs = Vec::new();
    let mut all = Vec::new();
    while epochs.len() < 2 {
        let deltas = until(&mut reader, "synced", is_synced).await;
        if let Some(Delta::Synced { epoch, .. }) = deltas.last() {
            epochs.push(*epoch);
        }
        all.extend(deltas);
    }
    assert!(epochs[0] < epochs[1]);
    // Nothing is removed one by one, and nobody is told of loading again: the sweep of the second list takes `a`.
    assert_eq!(names(&all), ["a", "b", "b", "c"]);
    let states: Vec<&ScopeState> = all
        .iter()
        .filter_map(|delta| match delta {
            Delta::Asked { scope, state } if is_apps(&scope.query) => Some(state),
            _ => None,
        })
        .collect();
    assert!(states.iter().filter(|state| matches!(state, ScopeState::Loading(_))).count() <= 1, "{states:?}");
}

#[tokio::test]
async fn where_all_namespaces_are_not_permitted_those_that_are_are_asked() {
    let refusal = "applications.core.oam.dev is forbidden: User \"mei\" cannot list resource \"applications\" in API group \"core.oam.dev\" at the cluster scope";
    let (server, session, mut reader) = session(move |asked, _| match asked.path.as_str() {
        APPS => Some(status(403, refusal)),
        "/api/v1/namespaces" => {
            let names = ["prod", "secret", "team"].map(|name| json!({"metadata": {"name": name}}));
            Some(list("1", &names))
        }
        "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews" => {
            let review: Value = serde_json::from_str(&asked.body).unwrap();
            let allowed = review["spec"]["resourceAttributes"]["namespace"] != "secret";
            Some(Reply::Json(201, json!({"status": {"allowed": allowed}})))
        }
        "/apis/core.oam.dev/v1beta1/namespaces/prod/applications" if !asked.is_watch() => {
            Some(list("1", &[app("a", "1")]))
        }
        _ => None,
    })
    .await;
    session.settled().await;
    let deltas = reader.take(usize::MAX);
    let listed: Vec<String> = server
        .asked_for("GET", "/namespaces/")
        .iter()
        .filter(|asked| asked.path.ends_with("applications") && !asked.is_watch())
        .map(|asked| asked.path.clone())
        .collect();
    assert_eq!(listed.len(), 2, "{listed:?}");
    assert!(listed.iter().all(|path| !path.contains("secret")));
    assert_eq!(names(&deltas), ["a"]);
    let said = deltas.iter().any(
        |delta| matches!(delta, Delta::Notice(text) if text.contains("all namespaces") && text.contains("team, prod")),
    );
    assert!(said, "{deltas:#?}");
    until(&mut reader, "nothing more", |_| true).await;
}

#[tokio::test]
async fn pods_are_asked_for_by_namespace_where_that_alone_is_permitted() {
    let refusal =
        "pods is forbidden: User \"mei\" cannot list resource \"pods\" in API group \"\" at the cluster scope";
    let server = Scripted::start(move |asked, _| match asked.path.as_str() {
        "/api/v1/pods" => status(403, refusal),
        APPS if !asked.is_watch() => list("1", &[app("a", "1")]),
        "/api/v1/namespaces/default/pods" if !asked.is_watch() => list(
            "1",
            &[json!({"metadata": {"namespace": "default", "name": "a-0", "labels": {"app.oam.dev/name": "a"}}})],
        ),
        _ => plain(asked),
    })
    .await;
    let (feed, mut reader) = feed::channel();
    let _session = Session::start(server.hub(), NamespaceScope::all([]), feed);
    let is_pod = |delta: &Delta| matches!(delta, Delta::Upsert { row: Row::Pod(pod), .. } if &*pod.owner.app == "a");
    until(&mut reader, "its pod", is_pod).await;

    // One namespace alone: nothing is asked of all.
    let server = Scripted::start(|asked, _| plain(asked)).await;
    let (feed, _reader) = feed::channel();
    let session = Session::start(server.hub(), NamespaceScope::only("default"), feed);
    timeout(PATIENCE, session.settled()).await.unwrap();
    let paths: Vec<String> = server.asked().into_iter().map(|asked| asked.path).collect();
    assert!(!paths.iter().any(|path| path == APPS || path == "/api/v1/pods"), "{paths:#?}");
}

#[tokio::test]
async fn a_hub_without_virtual_clusters_shows_local_alone_and_says_so_once() {
    let (_server, session, mut reader) = session(|asked, _| {
        (asked.path == CLUSTERS).then(|| Reply::Text(404, "text/plain", "404 page not found\n".into()))
    })
    .await;
    session.settled().await;
    let deltas = reader.take(usize::MAX);
    let notices =
        deltas.iter().filter(|delta| matches!(delta, Delta::Notice(text) if text.contains("local alone"))).count();
    assert_eq!(notices, 1, "{deltas:#?}");
    let rows: Vec<_> = deltas
        .iter()
        .filter(|delta| matches!(delta, Delta::Upsert { row: Row::Cluster(row), .. } if row.id.is_local()))
        .collect();
    assert!(!rows.is_empty());
    assert!(deltas.iter().any(|delta| matches!(delta, Delta::Link { state: LinkState::Live { .. }, .. })));
}

#[tokio::test]
async fn each_cluster_says_for_itself_why_it_cannot_be_asked() {
    let (_server, session, mut reader) = session(|asked, _| {
        if asked.path == CLUSTERS {
            return Some(list("", &["local", "foo", "expired", "refused", "mine", "hung"].map(cluster)));
        }
        let name = asked.path.strip_prefix("/apis/cluster.core.oam.dev/v1alpha1/clustergateways/")?.split('/').next()?;
        match name {
            "expired" => Some(status(401, "Unauthorized")),
            "refused" => Some(status(500, "Get \"https://10.0.0.1:6443/readyz\": dial tcp 10.0.0.1:6443: connect: connection refused")),
            "mine" => Some(status(403, "clustergateways.cluster.core.oam.dev \"mine\" is forbidden: User \"mei\" cannot get resource \"clustergateways/proxy\" in API group \"cluster.core.oam.dev\" at the cluster scope")),
            "hung" => Some(Reply::Hang),
            _ => None,
        }
    })
    .await;
    session.settled().await;
    let links: std::collections::HashMap<String, LinkState> = reader
        .take(usize::MAX)
        .into_iter()
        .filter_map(|delta| match delta {
            Delta::Link { cluster, state } => Some((cluster.to_string(), state)),
            _ => None,
        })
        .collect();
    let reason = |name: &str| match &links[name] {
        LinkState::Unreachable { reason, .. } => format!("unreachable: {reason}"),
        LinkState::Forbidden { reason, .. } => format!("forbidden: {reason}"),
        other => format!("{other:?}"),
    };
    assert!(matches!(links["local"], LinkState::Live { .. }));
    assert!(matches!(links["foo"], LinkState::Live { .. }));
    assert_eq!(reason("refused"), "unreachable: connection refused (10.0.0.1:6443)");
    assert_eq!(reason("hung"), "unreachable: no answer within 3 s");
    assert!(reason("expired").starts_with("forbidden: 401 from expired: the credential it was joined with"));
    assert_eq!(reason("mine"), "forbidden: not permitted: needs get on clustergateways/proxy (cluster.core.oam.dev)");
}

#[tokio::test]
async fn a_question_that_fails_degrades_the_link_and_is_asked_again() {
    let (_server, _session, mut reader) = session(|asked, number| {
        (asked.path == "/api/v1/pods" && !asked.is_watch() && number < 2).then(|| match number {
            0 => status(500, "etcdserver: request timed out"),
            _ => Reply::Text(200, "text/html", "<html>Log in, please</html>".into()),
        })
    })
    .await;
    let is_degraded = |delta: &Delta| matches!(delta, Delta::Link { state: LinkState::Degraded { reason, .. }, .. } if reason.contains("list pods in local: etcdserver"));
    until(&mut reader, "degraded", is_degraded).await;
    let is_malformed = |delta: &Delta| matches!(delta, Delta::Asked { state: ScopeState::Failing(reason), .. } if reason.contains("not what the API promises"));
    until(&mut reader, "a page instead of a list", is_malformed).await;
    until(&mut reader, "live again", |delta| matches!(delta, Delta::Link { state: LinkState::Live { .. }, .. })).await;
}

#[tokio::test]
async fn pods_of_a_release_are_found_by_their_owner() {
    let pod = |name: &str, owner: &str, hash: &str| {
        json!({"metadata": {"namespace": "default", "name": name, "uid": name, "labels": {"pod-template-hash": hash},
            "ownerReferences": [{"kind": "ReplicaSet", "name": format!("{owner}-{hash}"), "controller": true, "uid": "r"}]},
            "spec": {"containers": [{"name": "c"}]}, "status": {"phase": "Running"}})
    };
    let (server, session, mut reader) = session(move |asked, _| {
        if asked.path == CLUSTERS {
            return Some(list("", &["local", "foo"].map(cluster)));
        }
        if asked.path == APPS && !asked.is_watch() {
            let mut app = app("helm-hello", "1");
            app["spec"]["components"] = json!([{"name": "hello", "type": "helm"}]);
            app["status"] = json!({"services": [{"name": "hello", "cluster": "foo", "namespace": "default", "healthy": true}]});
            return Some(list("1", &[app]));
        }
        match asked.path.strip_prefix(FOO)? {
            "/apis/helm.toolkit.fluxcd.io" => Some(Reply::Json(200, json!({"preferredVersion": {"version": "v2"}}))),
            "/apis/helm.toolkit.fluxcd.io/v2/namespaces/default/helmreleases" => Some(list("1", &[json!({"metadata": {
                "namespace": "default", "name": "hello",
                "labels": {"app.oam.dev/name": "helm-hello", "app.oam.dev/namespace": "default", "app.oam.dev/component": "hello"}}})])),
            "/apis/apps/v1/namespaces/default/deployments" if asked.param("labelSelector") == "helm.toolkit.fluxcd.io/name" => {
                assert!(asked.header("accept").contains("PartialObjectMetadataList"));
                Some(list("1", &[json!({"metadata": {"namespace": "default", "name": "hello-kubernetes", "labels": {
                    "helm.toolkit.fluxcd.io/name": "hello", "helm.toolkit.fluxcd.io/namespace": "default"}}})]))
            }
            "/api/v1/namespaces/default/pods" if !asked.is_watch() => {
                assert_eq!(asked.param("labelSelector"), "!app.oam.dev/name");
                Some(list("1", &[pod("hello-kubernetes-5f-a", "hello-kubernetes", "5f"), pod("other-77-b", "other", "77")]))
            }
            _ => None,
        }
    })
    .await;
    session.settled().await;
    let deltas = reader.take(usize::MAX);
    let pods: Vec<_> = deltas
        .iter()
        .filter_map(|delta| match delta {
            Delta::Upsert { row: Row::Pod(pod), .. } => {
                Some((pod.key.to_string(), pod.owner.app.to_string(), pod.owner.component.to_string()))
            }
            _ => None,
        })
        .collect();
    assert_eq!(pods, [("foo/default/hello-kubernetes-5f-a".into(), "helm-hello".into(), "hello".into())]);
    assert!(!server.asked_for("GET", &format!("{FOO}/apis/apps/v1/namespaces/default/deployments")).is_empty());
}
