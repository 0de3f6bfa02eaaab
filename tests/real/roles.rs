//! Who may not see everything is told so: by every command, in every view of the dashboard.

use std::net::TcpStream;

use tempfile::TempDir;

use crate::estate::delivered;
use crate::lateen::{Running, home, lateen};
use crate::terminal::Terminal;

const NAMESPACE: [&str; 2] = ["-n", "team-a"];

/// The dashboard of a user.
fn dashboard(context: &str, namespace: &[&str], home: &TempDir) -> Terminal {
    let kubeconfig = delivered().kubeconfig("hub");
    let env = [("HOME", home.path().to_str().unwrap()), ("KUBECONFIG", kubeconfig.to_str().unwrap())];
    Terminal::lateen(&[&["--context", context], namespace].concat(), &env, 40, 160)
}

#[test]
#[ignore = "needs etcd and kube-apiserver: run by .ci/run"]
fn a_reader_sees_every_cluster() {
    let kubeconfig = delivered().kubeconfig("hub");
    for what in ["applications", "approvals", "clusters", "pods"] {
        let answer = lateen(&kubeconfig, &["get", what, "-n", "team-a", "-o", "json", "--context", "reader"]);
        assert_eq!(answer.code, Some(0), "{what}: {answer:?}");
        let count = answer.items().len();
        let wanted = match what {
            "applications" => 1,
            "approvals" => 0,
            "clusters" => 2,
            _ => 4,
        };
        assert_eq!(count, wanted, "{what}: {answer:?}");
    }
}

/// The permission is missing for pods of the hub alone: the gateway asks for its own.
#[test]
#[ignore = "needs etcd and kube-apiserver: run by .ci/run"]
fn a_forward_that_is_not_permitted_says_so_when_it_is_used() {
    let arguments = ["port-forward", "helm-hello", "0:80", "-n", "team-a", "--cluster", "local", "--context", "reader"];
    let mut forward = Running::start_telling(&delivered().kubeconfig("hub"), &arguments);
    let line = forward.line();
    let address = line.split_whitespace().find(|word| word.starts_with("127.0.0.1:")).unwrap();
    let _connection = TcpStream::connect(address).unwrap();
    let said = forward.said();
    assert!(said.contains("not permitted") && said.contains("pods/portforward"), "{said}");
}

#[test]
#[ignore = "needs etcd and kube-apiserver: run by .ci/run"]
fn every_command_says_what_it_may_not_see() {
    let kubeconfig = delivered().kubeconfig("hub");
    let ask = |arguments: &[&str]| lateen(&kubeconfig, &[arguments, &["--context", "namespaced"], &NAMESPACE].concat());
    // The applications of its namespace, and what of them is on the hub; of other clusters it may not even know.
    for (what, count) in [("applications", 1), ("approvals", 0), ("clusters", 1), ("pods", 2)] {
        let answer = ask(&["get", what, "-o", "json"]);
        assert_eq!((answer.code, answer.items().len()), (Some(3), count), "{what}: {answer:?}");
        let missing = answer.json()["incomplete"].to_string();
        assert!(missing.contains("virtualclusters"), "{what}: {answer:?}");
        let answer = ask(&["get", what]);
        assert!(answer.stderr.contains("virtualclusters"), "{what}: {answer:?}");
    }
    let answer = ask(&["get", "applications", "helm-hello"]);
    assert!(answer.code == Some(3) && answer.stderr.contains("virtualclusters"), "{answer:?}");
    let answer = ask(&["logs", "helm-hello"]);
    assert!(answer.code == Some(3) && answer.stderr.contains("virtualclusters"), "{answer:?}");
    let answer = ask(&["logs", "helm-hello", "--cluster", "foo"]);
    assert!(answer.code == Some(1) && answer.stderr.contains("virtualclusters"), "{answer:?}");
    let answer = ask(&["port-forward", "helm-hello", "0:80", "--cluster", "foo"]);
    assert!(answer.code == Some(1) && answer.stderr.contains("clustergateways/proxy"), "{answer:?}");
    // Elsewhere there is nothing for it.
    for what in ["applications", "approvals", "clusters", "pods"] {
        let answer = lateen(&kubeconfig, &["get", what, "-n", "default", "--context", "namespaced"]);
        assert!(answer.code == Some(5) && answer.stderr.contains("list on applications"), "{what}: {answer:?}");
    }
}

#[test]
#[ignore = "needs etcd and kube-apiserver: run by .ci/run"]
fn every_view_says_what_it_may_not_see() {
    let home = home();
    let mut terminal = dashboard("namespaced", &NAMESPACE, &home);
    terminal.wait("its application", |screen| screen.contains("helm-hello") && screen.contains("1 live"));
    terminal.keys(":clusters\r");
    terminal.wait("the other clusters to be missed", |screen| {
        screen.contains("ENDPOINT") && screen.contains("other clusters are not told of: list virtualclusters")
    });
    terminal.keys(":pods\r");
    terminal.wait("pods elsewhere to be missed", |screen| {
        screen.contains("hello-hello-kubernetes")
            && screen.contains("other clusters are not told of: list virtualclusters")
    });
    terminal.keys(":approvals\r");
    terminal.wait("approvals elsewhere to be missed", |screen| {
        screen.contains("CHANGED BY") && screen.contains("needs list on applications")
    });
    terminal.keys(":applications\r");
    terminal.wait("its application", |screen| screen.contains("WORKFLOW") && screen.contains("helm-hello"));
    terminal.keys("\r");
    terminal.wait("the part in foo to be the hub's word", |screen| {
        let foo = screen.lines().find(|line| line.contains("▾ ✓ foo"));
        foo.is_some_and(|line| line.contains("other clusters are not told of"))
    });
    terminal.keys("F");
    terminal.wait("what may not be forwarded to", |screen| {
        screen.contains("hello-hello-kubernetes:80")
            && screen.contains("foo: not permitted: needs get on clustergateways/proxy")
    });
    // Escape and ctrl-c in one breath would be one key, alt-ctrl-c.
    terminal.keys("\x1b");
    terminal.wait("the question is gone", |screen| !screen.contains("forward to which port"));
    terminal.keys("\x03");
    assert!(terminal.end().success());
}

#[test]
#[ignore = "needs etcd and kube-apiserver: run by .ci/run"]
fn all_namespaces_are_refused_with_the_permission_that_is_missing() {
    let home = home();
    let mut terminal = dashboard("namespaced", &["-A"], &home);
    terminal.wait_for("not permitted in local: list applications: not permitted: needs list on applications");
    terminal.keys(":pods\r");
    terminal.wait_for("not permitted in local: list pods in local: not permitted: needs list on pods");
    terminal.keys("\x03");
    assert!(terminal.end().success());
}
