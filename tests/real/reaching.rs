//! Into the pods: logs and forwards, through a real API server and a kubelet's protocol.

use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use crate::captures::capture;
use crate::lateen::Running;
use crate::servers::servers;
use crate::workload::deploy;

#[tokio::test]
#[ignore = "needs etcd and kube-apiserver: run by .ci/run"]
async fn a_forward_reaches_the_pod_again_and_again() {
    let client = servers().client("hub").await;
    let namespace = "forward";
    capture("web-hello-unhealthy").load(&client, namespace).await;
    deploy(&client, namespace, "web", Some("web-hello")).await;

    // Every pod's port leads here.
    let pod = TcpListener::bind(("127.0.0.1", servers().pod_port())).unwrap();
    thread::spawn(move || {
        for connection in pod.incoming() {
            let mut connection = connection.unwrap();
            let mut question = [0; 5];
            connection.read_exact(&mut question).unwrap();
            // More than one message of the tunnel holds.
            connection.write_all(&b"hello, ".repeat(10_000)).unwrap();
            connection.write_all(&question).unwrap();
        }
    });

    let arguments = ["port-forward", "web-hello", "0:80", "-n", namespace, "--cluster", "local"];
    let mut forward = Running::start(&servers().kubeconfig("hub"), &arguments);
    let line = forward.line();
    let address = line.split_whitespace().find(|word| word.starts_with("127.0.0.1:")).unwrap().to_owned();
    for name in ["Alice", "Berta", "Carol"] {
        let mut connection = TcpStream::connect(&address).unwrap();
        connection.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        connection.write_all(name.as_bytes()).unwrap();
        // By its length, not to its end: the protocol has no word for an end of one side.
        let mut answer = vec![0; 70_005];
        connection.read_exact(&mut answer).unwrap();
        assert!(answer.ends_with(format!("hello, {name}").as_bytes()), "{line}");
    }
}

#[tokio::test]
#[ignore = "needs etcd and kube-apiserver: run by .ci/run"]
async fn a_log_is_followed_as_it_is_written() {
    let client = servers().client("hub").await;
    let namespace = "logs";
    capture("web-hello-unhealthy").load(&client, namespace).await;
    deploy(&client, namespace, "web", Some("web-hello")).await;

    // What every pod logs.
    let mut log = OpenOptions::new().append(true).open(servers().pod_log()).unwrap();
    let mut say = |text: &str| writeln!(log, "{} stdout F {text}", jiff::Timestamp::now()).unwrap();
    say("the first line");
    let arguments = ["logs", "web-hello", "-n", namespace, "--cluster", "local", "-f"];
    let mut logs = Running::start(&servers().kubeconfig("hub"), &arguments);
    for _pod in 0..2 {
        let line = logs.line();
        assert!(line.contains("the first line"), "{line}");
    }
    say("größer, 日本 \u{1b}[2J");
    for _pod in 0..2 {
        let line = logs.line();
        assert!(line.contains("größer, 日本"), "{line:?}");
        assert!(!line.contains("\u{1b}[2J"), "an escape that clears the screen is not passed on: {line:?}");
    }
}
