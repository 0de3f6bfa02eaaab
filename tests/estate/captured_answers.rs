//! The gateway's answers next to those that were captured (`tests/fixtures/estate/gateway-*.txt`, `rbac-errors.txt`):
//! code, content type and body, but for addresses.
//!
//! Not here: a cluster that hangs (`gateway.rs` beside this holds it to its sentences and times).

use futures::{AsyncBufReadExt as _, TryStreamExt as _};

use super::captured_states::plain;
use super::*;

/// A request as it was captured, and what came of it.
struct Asked {
    path: String,
    code: u16,
    kind: String,
    body: String,
}

/// Reads the answers to GETs; `root` goes before paths that are not whole.
fn asked(text: &str, root: &str) -> Vec<Asked> {
    let one = |block: &str| {
        let (path, rest) = block.split_once('\n')?;
        let (body, end) = rest.split_once("\nHTTP ")?;
        let mut words = end.lines().next()?.split_whitespace();
        let code = words.next()?.parse().ok()?;
        let kind = words.find(|word| word.contains('/'))?.trim_end_matches(';').to_owned();
        let path = if path.starts_with('/') { path.to_owned() } else { format!("{root}{path}") };
        Some(Asked { path, code, kind, body: body.to_owned() })
    };
    text.split("--- GET ").skip(1).filter_map(one).collect()
}

async fn compare(client: &kube::Client, asked: &Asked) {
    let request = Request::get(&asked.path).body(kube::client::Body::empty()).unwrap();
    let (head, body) = client.send(request).await.unwrap().into_parts();
    let body = String::from_utf8(body.collect_bytes().await.unwrap().to_vec()).unwrap();
    let path = &asked.path;
    assert_eq!(head.status.as_u16(), asked.code, "{path}: {body}");
    let kind = head.headers["content-type"].to_str().unwrap();
    assert_eq!(kind.split(';').next(), asked.kind.split(';').next(), "{path}");
    match (serde_json::from_str::<Value>(&body), serde_json::from_str::<Value>(&asked.body)) {
        (Ok(ours), Ok(theirs)) => assert_eq!(said(&ours), said(&theirs), "{path}"),
        _ => assert_eq!(addressed(&body), addressed(&asked.body), "{path}"),
    }
}

/// A text whose addresses are any.
fn addressed(text: &str) -> String {
    let address = regex::Regex::new(r"\d+\.\d+\.\d+\.\d+:\d+").unwrap();
    address.replace_all(text.trim(), "(address)").into_owned()
}

/// An answer without times, addresses, and the numbers that belong to one hub's history.
fn said(answer: &Value) -> Value {
    let mut said = plain(answer);
    let number = regex::Regex::new(r"\(\d+\)").unwrap();
    for at in ["/message", "/object/message"] {
        if let Some(message) = said.pointer_mut(at) {
            let text = number.replace(message.as_str().unwrap_or_default(), "(number)");
            // Long ones were cut off when they were captured.
            *message = json!(text.chars().take(350).collect::<String>());
        }
    }
    if said.pointer("/metadata/continue").is_some() {
        said["metadata"]["continue"] = json!("token");
    }
    said
}

/// Where the gateway is.
const ROOT: &str = "/apis/cluster.core.oam.dev/v1alpha1/";

#[tokio::test(flavor = "multi_thread")]
async fn errors_are_the_captured_ones() {
    let estate = estate();
    let hub = estate.client("local").await.unwrap();
    for one in asked(include_str!("../fixtures/estate/gateway-errors.txt"), ROOT) {
        // There is no such way to read a cluster's key in the estate, so nothing to be found or not.
        if one.path != format!("{ROOT}clustergateways/nope") {
            compare(&hub, &one).await;
        }
    }
    let path = "/apis/cluster.core.oam.dev/v1alpha1/virtualclusters";
    let ours = get(&hub, path).await.unwrap();
    let theirs: Value = serde_json::from_str(include_str!("../fixtures/captures/virtualclusters-list.json")).unwrap();
    assert_eq!(plain(&ours), plain(&theirs));

    // What has never had an object has nothing to forget.
    let pods = "/apis/cluster.core.oam.dev/v1alpha1/clustergateways/foo/proxy/api/v1/namespaces/flux-system/pods";
    until(&hub, pods, "foo has pods", |list| list["items"].as_array().is_some_and(|all| !all.is_empty())).await;
    estate.compact(MEMBER).unwrap();
    for one in asked(include_str!("../fixtures/estate/gateway-410-and-watch-params.txt"), ROOT) {
        compare(&hub, &one).await;
    }

    estate.cut(MEMBER, Cut::Refuse).unwrap();
    let text = include_str!("../fixtures/estate/gateway-cluster-refused.txt");
    let path = "clustergateways/foo/proxy/api/v1/namespaces/default/pods";
    for one in asked(&format!("--- GET {path}\n{text}"), ROOT) {
        compare(&hub, &one).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clusters_that_are_joined_badly_answer_as_captured() {
    let estate = estate();
    let hub = estate.client("local").await.unwrap();
    let joined = get(&hub, "/api/v1/namespaces/vela-system/secrets/foo").await.unwrap();
    let no_certificate = "Tm8gY2VydGlmaWNhdGU=";
    for (name, kind, change) in [
        ("badcert", "X509Certificate", json!({"tls.crt": no_certificate})),
        ("badca", "X509Certificate", json!({"ca.crt": no_certificate})),
        ("badtoken", "ServiceAccountToken", json!({"token": no_certificate, "tls.crt": null, "tls.key": null})),
        // An address of a network that nobody has, and a name that nobody has: https://192.0.2.1:6443,
        // https://no-such-host.invalid:6443
        ("ghost", "X509Certificate", json!({"endpoint": "aHR0cHM6Ly8xOTIuMC4yLjE6NjQ0Mw=="})),
        ("nodns", "X509Certificate", json!({"endpoint": "aHR0cHM6Ly9uby1zdWNoLWhvc3QuaW52YWxpZDo2NDQz"})),
    ] {
        let mut secret = json!({"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "data": joined["data"],
            "metadata": {"name": name, "namespace": "vela-system",
                "labels": {"cluster.core.oam.dev/cluster-credential-type": kind}}});
        for (key, value) in change.as_object().unwrap() {
            secret["data"][key] = value.clone();
        }
        secret["data"].as_object_mut().unwrap().retain(|_, value| !value.is_null());
        send(&hub, "POST", "/api/v1/namespaces/vela-system/secrets", "application/json", &secret).await.unwrap();
    }
    for one in asked(include_str!("../fixtures/estate/gateway-bad-clusters-latency.txt"), ROOT) {
        compare(&hub, &one).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_is_refused_in_the_captured_words() {
    let estate = estate();
    let kubeconfig = kube::config::Kubeconfig::from_yaml(estate.kubeconfig()).unwrap();
    let mut config =
        kube::Config::from_custom_kubeconfig(kubeconfig, &kube::config::KubeConfigOptions::default()).await.unwrap();
    config.auth_info.impersonate = Some("alice".to_owned());
    let alice = kube::Client::try_from(config).unwrap();
    let text = include_str!("../fixtures/estate/rbac-errors.txt");
    // Further down she has been given rights that nobody has in the estate.
    let none = text.split("### alice may get").next().unwrap();
    let refused = asked(none, ROOT);
    assert_eq!(refused.len(), 4);
    for one in refused {
        compare(&alice, &one).await;
    }
}

/// The hub's API server speaks for a gateway that is stopped: text instead of a Status; watches through it break; some
/// time later its group is not named any more. Then all is as before.
#[tokio::test(flavor = "multi_thread")]
async fn a_hub_whose_gateway_is_stopped_answers_as_captured() {
    let estate = estate();
    let hub = estate.client("local").await.unwrap();
    let pods = format!("{ROOT}clustergateways/foo/proxy/api/v1/pods");
    let watch = Request::get(format!("{pods}?watch=true")).body(Vec::new()).unwrap();
    let mut lines = hub.request_stream(watch).await.unwrap().lines();
    lines.try_next().await.unwrap().unwrap();
    estate.cut(lateen::demo::GATEWAY, Cut::Refuse).unwrap();
    let broken = async { while lines.try_next().await.is_ok_and(|line| line.is_some()) {} };
    tokio::time::timeout(SOON, broken).await.unwrap();
    let captured = include_str!("../fixtures/estate/gateway-itself-down.txt").replace("--- t+0s GET", "--- GET");
    let answers = asked(&captured, "");
    assert_eq!(answers.len(), 3);
    for one in &answers {
        compare(&hub, one).await;
    }
    let named = |groups: &Value| groups["groups"].to_string().contains("cluster.core.oam.dev");
    until(&hub, "/apis", "its group is not named", |groups| !named(groups)).await;
    estate.restore(lateen::demo::GATEWAY).unwrap();
    until(&hub, "/apis", "its group is named", named).await;
    assert!(get(&hub, &pods).await.is_some());
}
