//! Starting where lateen cannot run: one sentence, and an exit code.

use std::process::{Command, Stdio};

use crate::lateen;

fn plain(arguments: &[&str], home: &std::path::Path) -> std::process::Output {
    Command::new(env!("CARGO_BIN_EXE_lateen"))
        .args(arguments)
        .env_clear()
        .env("HOME", home)
        .env("TERM", "xterm-256color")
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn sentence(bytes: &[u8]) -> String {
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    assert_eq!(text.trim_end().lines().count(), 1, "one sentence: {text}");
    text
}

#[test]
fn without_a_terminal_it_says_so_and_points_to_what_scripts_use() {
    let home = tempfile::tempdir().unwrap();
    for arguments in [&[] as &[&str], &["demo"]] {
        let output = plain(arguments, home.path());
        assert_eq!(output.status.code(), Some(2));
        let text = sentence(&output.stderr);
        assert!(text.contains("needs a terminal") && text.contains("lateen get"), "{text}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn a_terminal_that_cannot_move_its_cursor_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let env = [("TERM", "dumb"), ("HOME", home.path().to_str().unwrap())];
    let mut terminal = crate::terminal::Terminal::lateen(&[], &env, 24, 80);
    assert_eq!(terminal.end().exit_code(), 2);
    assert!(terminal.screen().contains("TERM=dumb"), "{}", terminal.screen());
}

#[test]
fn a_missing_kubeconfig_and_an_unknown_context_are_said_before_the_screen_opens() {
    let home = tempfile::tempdir().unwrap();
    let mut terminal = lateen(&[], home.path(), 24, 80);
    assert_eq!(terminal.end().exit_code(), 2);
    let screen = terminal.screen().replace('\n', "");
    assert!(screen.contains("no kubeconfig") && screen.contains("lateen demo"), "{screen}");

    let file = home.path().join("kubeconfig");
    std::fs::write(
        &file,
        "apiVersion: v1\nkind: Config\ncurrent-context: a\nclusters: [{name: a, cluster: {server: 'https://127.0.0.1:1'}}]\n\
         contexts: [{name: a, context: {cluster: a, user: a}}]\nusers: [{name: a, user: {token: t}}]\n",
    )
    .unwrap();
    let mut terminal = lateen(&["--kubeconfig", file.to_str().unwrap(), "--context", "nowhere"], home.path(), 24, 80);
    assert_eq!(terminal.end().exit_code(), 2);
    let screen = terminal.screen();
    assert!(screen.contains("nowhere") && screen.contains('a'), "{screen}");
}

#[test]
fn a_hub_that_is_not_there_is_shown_and_tried_for_ever() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("kubeconfig");
    std::fs::write(
        &file,
        "apiVersion: v1\nkind: Config\ncurrent-context: gone\nclusters: [{name: a, cluster: {server: 'https://127.0.0.1:1'}}]\n\
         contexts: [{name: gone, context: {cluster: a, user: a}}]\nusers: [{name: a, user: {token: t}}]\n",
    )
    .unwrap();
    let mut terminal = lateen(&["--kubeconfig", file.to_str().unwrap()], home.path(), 24, 80);
    terminal.wait_for("gone");
    terminal.wait("that the hub does not answer", |screen| screen.contains("unreachable"));
    terminal.keys("q");
    assert_eq!(terminal.end().exit_code(), 0);
}
