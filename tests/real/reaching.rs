//! Into the pods: logs and forwards, through a real API server and a kubelet's protocol.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::api::{AttachParams, ListParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::captures::capture;
use crate::estate::delivered;
use crate::lateen::{Running, home, lateen};
use crate::restarting::Gate;
use crate::servers::{Servers, servers};
use crate::terminal::Terminal;
use crate::workload::deploy;

#[tokio::test]
#[ignore = "needs etcd and kube-apiserver: run by .ci/run"]
async fn a_forward_reaches_the_pod_again_and_again() {
    let client = servers().client("hub").await;
    let namespace = "forward";
    capture("web-hello-unhealthy").load(&client, namespace).await;
    deploy(&client, namespace, "web", Some("web-hello")).await;

    answer_pods(servers());
    let arguments = ["port-forward", "web-hello", "0:80", "-n", namespace, "--cluster", "local"];
    use_forward(servers(), &arguments);
}

#[test]
#[ignore = "needs etcd and kube-apiserver: run by .ci/run"]
fn a_forward_reaches_a_pod_of_another_cluster_through_the_gateway() {
    answer_pods(delivered());
    let arguments = ["port-forward", "helm-hello", "0:80", "-n", "team-a", "--cluster", "foo"];
    use_forward(delivered(), &arguments);
}

/// Answers where every pod's port of these servers leads.
fn answer_pods(servers: &Servers) {
    let pod = TcpListener::bind(("127.0.0.1", servers.pod_port())).unwrap();
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
}

fn use_forward(servers: &Servers, arguments: &[&str]) {
    let mut forward = Running::start(&servers.kubeconfig("hub"), arguments);
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

#[test]
#[ignore = "needs etcd and kube-apiserver: run by .ci/run"]
fn a_log_of_another_cluster_is_followed_through_the_gateway() {
    let servers = delivered();
    let mut log = OpenOptions::new().append(true).open(servers.pod_log()).unwrap();
    let mut say = |text: &str| writeln!(log, "{} stdout F {text}", jiff::Timestamp::now()).unwrap();
    say("said before");
    // Every pod logs the same file, which other tests write into.
    let arguments = ["logs", "helm-hello", "-n", "team-a", "--cluster", "foo", "-f", "--include", "^said"];
    let mut logs = Running::start(&servers.kubeconfig("hub"), &arguments);
    for wanted in ["said before", "said after"] {
        for _pod in 0..2 {
            let line = logs.line();
            assert!(line.contains(wanted) && line.contains("foo"), "{line}");
        }
        if wanted == "said before" {
            say("said after");
        }
    }
}

#[test]
#[ignore = "needs etcd and kube-apiserver: run by .ci/run"]
fn logs_of_two_clusters_go_on_where_they_were_after_the_server_was_away() {
    let servers = delivered();
    let mut log = OpenOptions::new().append(true).open(servers.pod_log()).unwrap();
    let mut say = |text: &str| writeln!(log, "{} stdout F {text}", jiff::Timestamp::now()).unwrap();
    let gate = Gate::new(servers);
    let answer = lateen(&servers.kubeconfig("hub"), &["get", "pods", "-n", "team-a", "-o", "json"]);
    let pods = answer.items().iter().filter(|pod| pod["application"] == "helm-hello").count();
    // Every pod logs the same file, which other tests write into.
    let arguments = ["logs", "helm-hello", "-n", "team-a", "-f", "--include", "^away:"];
    let mut logs = Running::start(&gate.kubeconfig(), &arguments);
    let mut all = |text: &str| {
        let mut sources = BTreeSet::new();
        for _pod in 0..pods {
            let line = logs.line();
            let (source, said) = line.split_once("  ").unwrap();
            assert_eq!(said, text, "{line}");
            assert!(sources.insert(source.to_owned()), "told twice: {line}");
        }
        for cluster in ["local/", "foo/"] {
            assert!(sources.iter().any(|source| source.starts_with(cluster)), "{sources:?}");
        }
    };
    say("away: before");
    all("away: before");
    gate.shut();
    say("away: meanwhile");
    gate.open();
    all("away: meanwhile");
    say("away: after");
    all("away: after");
}

#[tokio::test]
#[ignore = "needs etcd and kube-apiserver: run by .ci/run"]
async fn a_log_goes_on_where_it_was_when_the_api_server_was_started_again() {
    let servers = Servers::start("logs", &[]);
    servers.install(&["hub"]);
    let client = servers.client("hub").await;
    let namespace = "logs";
    capture("web-hello-unhealthy").load(&client, namespace).await;
    deploy(&client, namespace, "web", Some("web-hello")).await;
    let mut log = OpenOptions::new().append(true).open(servers.pod_log()).unwrap();
    let mut say = |text: &str| writeln!(log, "{} stdout F {text}", jiff::Timestamp::now()).unwrap();
    say("said before");
    let arguments = ["logs", "web-hello", "-n", namespace, "--cluster", "local", "-f"];
    let mut logs = Running::start(&servers.kubeconfig("hub"), &arguments);
    let home = home();
    let kubeconfig = servers.kubeconfig("hub");
    let env = [("HOME", home.path().to_str().unwrap()), ("KUBECONFIG", kubeconfig.to_str().unwrap())];
    let mut view = Terminal::lateen(&["-n", namespace], &env, 40, 160);
    view.wait_for("web-hello");
    view.keys("l");
    let in_view = |text: &str| {
        let count = |screen: &str| screen.matches(text).count();
        let screen = view.wait(text, |screen| count(screen) >= 2);
        assert_eq!(count(&screen), 2, "once of each pod:\n{screen}");
    };
    let mut both = |text: &str| {
        let sources: BTreeSet<String> = (0..2)
            .map(|_pod| {
                let line = logs.line();
                let (source, said) = line.split_once("  ").unwrap();
                assert_eq!(said, text, "{line}");
                source.to_owned()
            })
            .collect();
        assert_eq!(sources.len(), 2, "told twice: {sources:?}");
    };
    both("said before");
    in_view("said before");
    servers.stop(&["apiserver-hub"]);
    say("said meanwhile");
    servers.start_again(&[]);
    both("said meanwhile");
    in_view("said meanwhile");
    say("said after");
    both("said after");
    in_view("said after");
}

/// What lateen's shell will stand on.
#[tokio::test]
#[ignore = "needs etcd and kube-apiserver: run by .ci/run"]
async fn a_command_is_executed_in_a_pod_of_another_cluster_through_the_gateway() {
    let kubeconfig = Kubeconfig::read_from(delivered().kubeconfig("hub")).unwrap();
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    let path = format!("{}apis/cluster.core.oam.dev/v1alpha1/clustergateways/foo/proxy", config.cluster_url);
    config.cluster_url = path.parse().unwrap();
    let pods: Api<Pod> = Api::namespaced(Client::try_from(config).unwrap(), "team-a");
    let pod = pods.list(&ListParams::default()).await.unwrap().items.remove(0).metadata.name.unwrap();
    let command = ["sh", "-c", "read name; echo hello, $name; echo careful >&2"];
    let attach = AttachParams::default().stdin(true).stdout(true).stderr(true);
    let mut process = pods.exec(&pod, command, &attach).await.unwrap();
    process.stdin().unwrap().write_all(b"Alice\n").await.unwrap();
    let (mut said, mut warned) = (String::new(), String::new());
    let (mut stdout, mut stderr) = (process.stdout().unwrap(), process.stderr().unwrap());
    let status = process.take_status().unwrap();
    tokio::try_join!(stdout.read_to_string(&mut said), stderr.read_to_string(&mut warned)).unwrap();
    assert_eq!((&*said, &*warned), ("hello, Alice\n", "careful\n"));
    assert_eq!(status.await.unwrap().status.as_deref(), Some("Success"));
}
