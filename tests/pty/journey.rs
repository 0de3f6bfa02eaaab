//! The tutorial, played by keys alone.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use crate::{lateen, line_with, terminal::Terminal};

/// What answers on a local port.
fn get(address: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream.write_all(format!("GET / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Opens a forward to the first target that the filter leaves, and answers the local address.
fn forward(terminal: &mut Terminal, filter: &str, cluster: &str) -> String {
    terminal.keys("F");
    terminal.wait_for(":80 (http)");
    terminal.keys(filter);
    terminal.wait("the picker has no other cluster's targets", |screen| {
        let rows: Vec<&str> = screen.lines().filter(|line| line.contains("(http)")).collect();
        !rows.is_empty() && rows.iter().all(|row| row.contains(filter))
    });
    terminal.keys("\r");
    let screen = terminal.wait_for(&format!(" reaches hello-hello-kubernetes in {cluster}"));
    let line = line_with(&screen, " reaches ");
    let (_, rest) = line.split_once("http://").unwrap();
    rest.split_whitespace().next().unwrap().to_owned()
}

#[test]
fn helm_hello_goes_from_waiting_to_foo_and_both_clusters_answer_with_their_message() {
    let home = tempfile::tempdir().unwrap();
    let mut terminal = lateen(&["demo", "--speed", "20"], home.path(), 40, 120);
    terminal.wait("helm-hello waits for approval", |screen| {
        line_with(screen, "helm-hello").contains("waiting for approval")
    });
    terminal.keys("a");
    let dialog = terminal.wait_for("Resume helm-hello at manual-approval?");
    assert!(dialog.contains("deploy2foo → foo"), "{dialog}");
    terminal.press_until("y", "the dialog takes the confirmation", |screen| !screen.contains("Resume helm-hello"));
    terminal.wait("helm-hello runs everywhere", |screen| {
        let row = line_with(screen, "helm-hello");
        row.contains("running") && row.contains("3/3") && row.contains("2/2")
    });

    let foo = forward(&mut terminal, "foo", "foo");
    assert!(get(&foo).contains("Welcome to Your New Foo Cluster!"));
    let local = forward(&mut terminal, "local", "local");
    assert_ne!(foo, local);
    assert!(get(&local).contains("Welcome to Control Plane Cluster!"));
    // A forward lives on beside the other.
    assert!(get(&foo).contains("Welcome to Your New Foo Cluster!"));

    let audit = std::fs::read_to_string(home.path().join(".local/state/lateen/audit.jsonl")).unwrap();
    let lines: Vec<serde_json::Value> = audit.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["id"], lines[1]["id"]);
    assert_eq!((&lines[0]["phase"], &lines[1]["outcome"]), (&"intent".into(), &"done".into()));

    terminal.keys("q");
    assert_eq!(terminal.end().exit_code(), 0);
    assert!(terminal.screen().contains("lateen demo --serve"), "{}", terminal.screen());
}

#[test]
fn a_log_is_followed_and_escape_leads_back_to_where_one_was() {
    let home = tempfile::tempdir().unwrap();
    let mut terminal = lateen(&["demo", "--speed", "20"], home.path(), 40, 120);
    terminal.wait_for("helm-hello");
    terminal.keys(":pods\r");
    terminal.wait("a running pod of helm-hello", |screen| {
        screen.lines().any(|line| line.contains("helm-hello") && line.contains("Running"))
    });
    terminal.keys("/hello-hello\r");
    terminal.wait("only these pods", |screen| !screen.contains("transcoder"));
    terminal.keys("l");
    terminal.wait("the log's page", |screen| screen.contains("logs ›") || screen.contains("logs ·"));
    terminal.keys("\x1b");
    terminal.wait("the pods again", |screen| line_with(screen, "hello-hello").contains("Running"));
    terminal.keys("\x03");
    assert_eq!(terminal.end().exit_code(), 0);
}
