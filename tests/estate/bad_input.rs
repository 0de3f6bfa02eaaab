//! What nobody should send, and clients that behave badly.

use std::process::Command as Process;
use std::sync::Arc;

use base64::Engine;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::*;

/// A connection to the hub that speaks whatever is written.
async fn raw(estate: &Estate) -> TlsStream<TcpStream> {
    let kubeconfig = kube::config::Kubeconfig::from_yaml(estate.kubeconfig()).unwrap();
    let authority = kubeconfig.clusters[0].cluster.as_ref().unwrap().certificate_authority_data.clone().unwrap();
    let authority = base64::engine::general_purpose::STANDARD.decode(authority).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(&authority).unwrap()).unwrap();
    let config = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
    let config =
        config.with_safe_default_protocol_versions().unwrap().with_root_certificates(roots).with_no_client_auth();
    let stream = TcpStream::connect(estate.url().trim_start_matches("https://")).await.unwrap();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    connector.connect(ServerName::try_from("localhost").unwrap(), stream).await.unwrap()
}

/// A request's head, as admin.
fn head(line: &str, more: &str) -> String {
    format!("{line} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer demo-admin\r\n{more}\r\n")
}

/// Everything that is answered, until the server closes.
async fn exchange(estate: &Estate, request: &str) -> String {
    let mut stream = raw(estate).await;
    stream.write_all(request.as_bytes()).await.unwrap();
    rest(&mut stream).await
}

async fn rest(stream: &mut (impl AsyncReadExt + Unpin)) -> String {
    let mut answer = Vec::new();
    // Not every server says goodbye in TLS before it closes.
    let _ = tokio::time::timeout(SOON, stream.read_to_end(&mut answer)).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn a_request_of_a_hundred_megabytes_is_refused_before_it_is_sent() {
    const SIZE: usize = 100 * 1024 * 1024;
    let estate = estate();
    let more = format!("Content-Type: application/json\r\nContent-Length: {SIZE}\r\n");
    let (mut reader, mut writer) = tokio::io::split(raw(&estate).await);
    writer.write_all(head("POST /api/v1/namespaces/default/configmaps", &more).as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    tokio::time::timeout(SOON, reader.read_exact(&mut answer)).await.unwrap().unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413", "nothing was sent yet");
    // Whoever goes on sending reads the refusal all the same, and that the connection closes.
    let piece = vec![b'x'; 64 * 1024];
    for _ in 0..SIZE / piece.len() / 10 {
        if writer.write_all(&piece).await.is_err() {
            break;
        }
    }
    writer.shutdown().await.unwrap();
    let answer = rest(&mut reader).await;
    assert!(answer.to_lowercase().contains("connection: close"), "{answer}");
    assert!(answer.contains("Request entity too large: limit is 3145728"), "{answer}");

    // One that does not say how much it sends is stopped at the limit.
    let more = "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n";
    let (mut reader, mut writer) = tokio::io::split(raw(&estate).await);
    writer.write_all(head("POST /api/v1/namespaces/default/configmaps", more).as_bytes()).await.unwrap();
    let sending = async {
        loop {
            if writer.write_all(format!("{:x}\r\n", piece.len()).as_bytes()).await.is_err()
                || writer.write_all(&piece).await.is_err()
                || writer.write_all(b"\r\n").await.is_err()
            {
                std::future::pending::<()>().await;
            }
        }
    };
    let mut answer = [0; 12];
    tokio::select! {
        () = sending => {}
        read = tokio::time::timeout(SOON, reader.read_exact(&mut answer)) => drop(read.unwrap().unwrap()),
    }
    assert_eq!(&answer, b"HTTP/1.1 413");
    get(&estate.client(HUB).await.unwrap(), "/api/v1/namespaces").await.unwrap();
}

#[tokio::test]
async fn a_thousand_idle_connections_leave_room_for_others() {
    let estate = estate();
    let addr = estate.url().trim_start_matches("https://").to_owned();
    let mut idle = Vec::new();
    for _ in 0..1000 {
        idle.push(TcpStream::connect(&addr).await.unwrap());
    }
    let request = head("GET /version", "Connection: close\r\n");
    assert!(exchange(&estate, &request).await.starts_with("HTTP/1.1 200"));
    get(&estate.client(HUB).await.unwrap(), "/api/v1/namespaces").await.unwrap();
    drop(idle);
}

#[tokio::test]
async fn a_watch_that_is_never_read_is_cut_off_and_remembers_nothing() {
    const CHANGES: usize = 200;
    let estate = Estate::start(Options { empty: true, history: 16, ..Options::default() }).unwrap();
    let mut deaf = raw(&estate).await;
    deaf.write_all(
        head("GET /api/v1/namespaces/default/configmaps?watch=true&resourceVersion=0", "Connection: close\r\n")
            .as_bytes(),
    )
    .await
    .unwrap();
    let mut first = [0; 15];
    deaf.read_exact(&mut first).await.unwrap();
    let maps: Api<ConfigMap> = Api::default_namespaced(estate.client(HUB).await.unwrap());
    // More than all buffers on the way hold, and more changes than are remembered.
    let large = "x".repeat(256 * 1024);
    for number in 0..CHANGES {
        maps.patch(
            "a",
            &PatchParams::apply("test"),
            &Patch::Apply(json!({
                "apiVersion": "v1", "kind": "ConfigMap", "data": { "number": number.to_string(), "large": large },
            })),
        )
        .await
        .unwrap();
    }
    let seen = rest(&mut deaf).await;
    assert!(seen.ends_with("0\r\n\r\n"), "the watch ends in order");
    let events = seen.matches("\"type\":\"").count();
    assert!(events > 0 && events < CHANGES, "{events} events were kept for nobody");
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_with_a_sentence() {
    let estate = estate();
    let client = estate.client(HUB).await.unwrap();
    let send = |method: &str, path: &str, content_type: &str, body: &str| {
        let request = Request::builder().method(method).uri(path).header("content-type", content_type);
        client.request::<Value>(request.body(body.as_bytes().to_vec()).unwrap())
    };
    let maps = "/api/v1/namespaces/default/configmaps";
    let json = "application/json";
    let map = r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"}}"#;
    send("POST", maps, json, map).await.unwrap();
    let one = "/api/v1/namespaces/default/configmaps/a";
    let app = "/apis/core.oam.dev/v1beta1/namespaces/default/applications";
    let selector = format!("{maps}?labelSelector=app+in+({})", vec!["value"; 3000].join(","));
    let deep = format!("{{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"data\":{}", "{\"a\":".repeat(10_000));
    let bomb = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n\
                d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\ng: [*f,*f,*f,*f,*f,*f,*f,*f,*f]\n";
    let copies = format!("[{}]", vec![r#"{"op":"copy","from":"","path":"/data"}"#; 2000].join(","));
    let operations = format!("[{}]", vec![r#"{"op":"remove","path":"/x"}"#; 10_001].join(","));
    for (method, path, content_type, body, code_, sentence) in [
        ("POST", maps, json, "{", 400, "couldn't get version/kind; json parse error"),
        ("POST", maps, json, "[]", 400, "the object provided is unrecognized"),
        ("POST", maps, json, "", 400, "couldn't get version/kind"),
        ("POST", maps, json, deep.as_str(), 400, "recursion limit"),
        ("POST", maps, "application/yaml", "a: [", 400, "error converting YAML to JSON"),
        ("POST", maps, "application/yaml", bomb, 400, ""),
        (
            "POST",
            maps,
            "text/plain",
            map,
            415,
            "the body of the request was in an unknown format - accepted media types include:",
        ),
        ("POST", maps, "application/vnd.kubernetes.protobuf", "k8s", 400, "the object provided is unrecognized"),
        ("POST", app, "application/vnd.kubernetes.protobuf", "k8s\0\n\x19\n\x14core.oam.dev/v1beta1\x12\x01A", 415, ""),
        ("POST", maps, json, r#"{"kind":"Secret","apiVersion":"v1"}"#, 400, "does not match the expected API version"),
        (
            "POST",
            maps,
            json,
            r#"{"metadata":"x"}"#,
            400,
            "cannot unmarshal string into Go struct field ConfigMap.metadata",
        ),
        ("POST", maps, json, r#"{"metadata":{"name":"A_b"}}"#, 422, "a lowercase RFC 1123 subdomain must consist of"),
        ("POST", maps, json, r#"{"metadata":{}}"#, 422, "name or generateName is required"),
        (
            "POST",
            "/api/v1/namespaces/default/configmaps?dryRun=Some",
            json,
            map,
            422,
            "CreateOptions.meta.k8s.io \"\" is invalid: dryRun: Unsupported value: \"Some\"",
        ),
        ("POST", one, json, map, 405, "the server does not allow this method on the requested resource"),
        ("PUT", maps, json, map, 405, "the server does not allow this method on the requested resource"),
        ("TRACE", one, json, "", 405, "the server does not allow this method on the requested resource"),
        ("PATCH", one, "application/json-patch+json", copies.as_str(), 422, "exceeding the limit"),
        (
            "PATCH",
            one,
            "application/json-patch+json",
            operations.as_str(),
            413,
            "The allowed maximum operations in a JSON patch is 10000, got 10001",
        ),
        (
            "PATCH",
            one,
            "application/json-patch+json",
            r#"[{"op":"replace","path":"","value":1}]"#,
            422,
            "the patch leaves no object",
        ),
        ("PATCH", one, "application/merge-patch+json", "7", 400, "error decoding patch"),
        ("PATCH", one, json, "{}", 415, "application/apply-patch+yaml"),
        ("PATCH", one, "application/apply-patch+yaml", "- a", 422, "fieldManager: Required value"),
        (
            "DELETE",
            one,
            json,
            r#"{"propagationPolicy":"Later"}"#,
            422,
            "propagationPolicy: Unsupported value: \"Later\"",
        ),
        ("DELETE", one, json, r#"{"preconditions":{"resourceVersion":"1"}}"#, 409, "Precondition failed"),
        ("GET", "/api/v1/configmaps?limit=few", json, "", 400, "strconv.ParseInt: parsing \"few\": invalid syntax"),
        ("GET", "/api/v1/configmaps?continue=x", json, "", 400, "continue key is not valid"),
        ("GET", "/api/v1/configmaps?resourceVersion=new", json, "", 400, "resourceVersion: Invalid value: \"new\""),
        ("GET", "/api/v1/configmaps?labelSelector=a+in+(b", json, "", 400, "unable to parse requirement"),
        ("GET", "/api/v1/configmaps?fieldSelector=data.a%3Db", json, "", 400, "field label not supported: data.a"),
        ("GET", "/api/v1/configmaps?watch=1&timeoutSeconds=soon", json, "", 400, "strconv.ParseInt"),
        ("GET", "/api/v1/namespaces/default/things", json, "", 404, "the server could not find the requested resource"),
        ("GET", "/api/v1/namespaces/default/configmaps/a%2Fb%00%ff+c", json, "", 404, "not found"),
        ("GET", "/api/v1/namespaces/default/configmaps/a/things", json, "", 404, ""),
    ] {
        let told = send(method, path, content_type, body).await;
        let refused = told.err().unwrap_or_else(|| panic!("{method} {path} {body:.80} was taken"));
        assert!(refused.to_string().contains(sentence), "{method} {path} {body:.80}: {refused}");
        assert_eq!(code(refused), code_, "{method} {path} {body:.80}");
    }
    // kube's client would try that again for long.
    let ahead = head("GET /api/v1/configmaps?resourceVersion=99999999", "Connection: close\r\n");
    let answer = exchange(&estate, &ahead).await;
    assert!(answer.starts_with("HTTP/1.1 504") && answer.contains("Too large resource version: 99999999"), "{answer}");
    // Much, but no nonsense.
    send("GET", &selector, json, "").await.unwrap();
    send("GET", "/api/v1/configmaps?limit=-1", json, "").await.unwrap();
    get(&client, one).await.unwrap();
}

#[tokio::test]
async fn what_is_no_http_and_no_websocket_is_refused() {
    let estate = estate();
    let client = estate.client(HUB).await.unwrap();
    running_pod(&client, "hello", "Hi").await;
    assert!(exchange(&estate, "nonsense\r\n\r\n").await.starts_with("HTTP/1.1 400"));
    for (upgrade, more, sentence) in [
        ("websocket", "", "over WebSocket (v4 or v5.channel.k8s.io) only"),
        ("websocket", "Sec-WebSocket-Protocol: other\r\n", "over WebSocket (v4 or v5.channel.k8s.io) only"),
        (
            "SPDY/3.1",
            "X-Stream-Protocol-Version: v4.channel.k8s.io\r\n",
            "over WebSocket (v4 or v5.channel.k8s.io) only",
        ),
    ] {
        let more = format!(
            "Connection: Upgrade, close\r\nUpgrade: {upgrade}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{more}"
        );
        let path = "GET /api/v1/namespaces/default/pods/hello/exec?command=ls&stdout=true";
        let answer = exchange(&estate, &head(path, &more)).await;
        assert!(answer.starts_with("HTTP/1.1 400") && answer.contains(sentence), "{answer}");
    }
}

#[test]
fn a_taken_port_is_said_and_ends_the_command() {
    let estate = estate();
    let taken = estate.url().replace("https://", "");
    let home = tempfile::tempdir().unwrap();
    let mut second = Process::new(env!("CARGO_BIN_EXE_lateen"));
    second.args(["demo", "--serve", "--listen", &taken]).env("HOME", home.path());
    let output = second.output().unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(complaint.contains(&format!("cannot listen on {taken}")), "{complaint}");
    assert_eq!(output.status.code(), Some(1), "{complaint}");
}

#[tokio::test]
async fn two_estates_stand_beside_each_other() {
    let (one, two) = (estate(), estate());
    let maps = async |estate: &Estate| Api::<ConfigMap>::default_namespaced(estate.client(HUB).await.unwrap());
    maps(&one).await.create(&PostParams::default(), &config_map("a", "1")).await.unwrap();
    assert!(maps(&two).await.get_opt("a").await.unwrap().is_none());
    drop(one);
    maps(&two).await.create(&PostParams::default(), &config_map("a", "1")).await.unwrap();
}
