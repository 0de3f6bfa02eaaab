//! `lateen port-forward` and `lateen demo --serve`.

use std::{
    io::Read as _,
    process::{Command, Stdio},
};

use lateen::demo::{Cut, MEMBER};

use crate::stage::{Running, Stage, first_line, interrupt, page, refusal};

#[test]
fn port_forward_reaches_the_cluster_that_was_named() {
    let stage = Stage::new();
    stage.waiting();
    stage.answer("approve helm-hello -y --wait");
    let (code, text) = refusal(&stage.run("port-forward helm-hello :80"));
    assert_eq!(code, 2, "several clusters match: {text}");
    assert!(text.contains("local") && text.contains("foo"), "{text}");
    let command = "port-forward helm-hello :80 --cluster foo";
    let mut running = Running(stage.command(command).stdout(Stdio::piped()).spawn().unwrap());
    let line = first_line(&mut running.0);
    let address = line.strip_prefix("Forwarding from ").and_then(|rest| rest.split(' ').next()).unwrap();
    let answer = page(address);
    assert!(answer.contains("Welcome to Your New Foo Cluster!"), "{answer}");
    // The port is taken now, and whoever names it means it.
    let port = address.rsplit(':').next().unwrap();
    let (code, text) = refusal(&stage.run(&format!("port-forward helm-hello {port}:80 --cluster foo")));
    assert_eq!(code, 1, "{text}");
    assert_eq!(interrupt(&mut running.0), Some(130));
}

#[test]
fn demo_serve_says_where_its_kubeconfig_is_and_ends_when_told() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("estate.yaml");
    let mut command = Command::new(env!("CARGO_BIN_EXE_lateen"));
    command.args(["demo", "--serve", "--speed", "20", "--kubeconfig-out", file.to_str().unwrap()]);
    let mut running = Running(command.stdout(Stdio::piped()).spawn().unwrap());
    let line = first_line(&mut running.0);
    assert_eq!(line, format!("ready {}\n", file.canonicalize().unwrap().display()));
    let output = Command::new(env!("CARGO_BIN_EXE_lateen"))
        .args(["get", "clusters", "-o", "name", "--kubeconfig", file.to_str().unwrap()])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "local\nfoo\n");
    assert_eq!(interrupt(&mut running.0), Some(0));
}

#[test]
fn who_names_a_cluster_hears_nothing_of_the_others() {
    let stage = Stage::new();
    stage.waiting();
    stage.estate.cut(MEMBER, Cut::Refuse).unwrap();
    let mut running = Running(
        stage
            .command("port-forward helm-hello :80 --cluster local")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap(),
    );
    assert!(first_line(&mut running.0).contains("-> local default Service/hello-hello-kubernetes:80"));
    assert_eq!(interrupt(&mut running.0), Some(130));
    let mut told = String::new();
    running.0.stderr.take().unwrap().read_to_string(&mut told).unwrap();
    assert_eq!(told, "");
}
