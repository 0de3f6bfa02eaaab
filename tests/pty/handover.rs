//! The terminal, given to an editor or a shell and taken back.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use crate::{Stage, line_with, terminal::Terminal};

/// A script that stands for the operator's editor.
fn editor(stage: &Stage, script: &str) -> String {
    let path = stage.home.path().join("editor");
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path.to_str().unwrap().to_owned()
}

fn dashboard(stage: &Stage, editor: &str) -> Terminal {
    let (kubeconfig, home) = (stage.kubeconfig(), stage.home.path().to_str().unwrap().to_owned());
    let kept = stage.home.path().join("state");
    let env = [("HOME", home.as_str()), ("XDG_STATE_HOME", kept.to_str().unwrap()), ("EDITOR", editor)];
    Terminal::lateen(&["--kubeconfig", kubeconfig.to_str().unwrap(), "-A"], &env, 40, 120)
}

fn drafts(stage: &Stage) -> Vec<String> {
    let dir = stage.home.path().join("state/lateen/drafts");
    let entries = fs::read_dir(dir).into_iter().flatten();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// Opens the YAML of helm-hello on the hub.
fn open(terminal: &mut Terminal) {
    // Until then its controllers write to it.
    terminal.wait("helm-hello waits for approval", |screen| {
        line_with(screen, "helm-hello").contains("waiting for approval")
    });
    terminal.keys(":app helm-hello\r");
    terminal.wait_for("default/helm-hello");
    terminal.wait("the application's page", |screen| screen.contains("WORKFLOW"));
    terminal.keys("y");
    terminal.wait("its YAML", |screen| screen.contains("kind: Application"));
}

#[test]
fn an_edit_goes_through_the_editor_and_lands_when_confirmed() {
    let stage = Stage::new();
    // The editor has the terminal: it asks on it, and reads from it.
    let script = "printf 'editor: press enter '; read answer; \
                  sed 's/^  name: helm-hello$/  labels: {edited: \"yes\"}\\n  name: helm-hello/' \"$1\" > \"$1.new\" && \
                  cat \"$1.new\" > \"$1\" && rm \"$1.new\"";
    let editor = editor(&stage, script);
    let mut terminal = dashboard(&stage, &editor);
    open(&mut terminal);
    terminal.keys("e");
    let screen = terminal.wait_for("editor: press enter");
    assert!(!screen.contains("kind: Application"), "the screen is the editor's: {screen}");
    assert_eq!(drafts(&stage).len(), 2, "{:?}", drafts(&stage));
    terminal.keys("\r");
    let screen = terminal.wait_for("accepted by the server");
    assert!(screen.contains("metadata.labels") && screen.contains("kind: Application"), "{screen}");
    terminal.press_until("y", "the dialog takes the confirmation", |screen| !screen.contains("[ Cancel ]"));
    terminal.wait_for("edited local/default/Application/helm-hello");
    // The page is live: what was written comes to be seen there.
    terminal.wait_for("edited: \"yes\"");
    assert_eq!(drafts(&stage), [] as [&str; 0], "it has landed");
    let audit = audit(stage.home.path());
    assert!(audit.contains("\"verb\":\"edit\"") && audit.contains("\"outcome\":\"done\""), "{audit}");
    terminal.keys("\x03");
    assert_eq!(terminal.end().exit_code(), 0);
}

fn audit(home: &Path) -> String {
    let dir = fs::read_dir(home.join("state/lateen")).unwrap();
    let files =
        dir.map(|entry| entry.unwrap().path()).filter(|path| path.extension().is_some_and(|end| end == "jsonl"));
    files.map(|path| fs::read_to_string(path).unwrap()).collect()
}

#[test]
fn a_draft_with_a_mistake_is_kept_and_says_where() {
    let stage = Stage::new();
    let editor = editor(
        &stage,
        "sed 's/^kind: Application$/kind: Application\\ncount: 012/' \"$1\" > \"$1.new\" && \
                                 cat \"$1.new\" > \"$1\" && rm \"$1.new\"",
    );
    let mut terminal = dashboard(&stage, &editor);
    open(&mut terminal);
    terminal.keys("e");
    let screen = terminal.wait_for("012 is octal to some");
    assert!(screen.contains("count: 012") && screen.contains('^'), "{screen}");
    terminal.press_until("\x1b", "the dialog closes", |screen| screen.contains("is kept: e on it goes on"));
    assert_eq!(drafts(&stage).len(), 2);
    // Once more: what is there already is asked about.
    terminal.keys("e");
    terminal.wait_for("there is a draft of Application/helm-hello already");
    terminal.keys("\x1b");
    terminal.wait("the question is gone", |screen| !screen.contains("there is a draft of"));
    terminal.keys("\x03");
    assert_eq!(terminal.end().exit_code(), 0);
}

#[test]
fn an_editor_that_is_not_there_is_said() {
    let stage = Stage::new();
    let mut terminal = dashboard(&stage, "/no/such/editor");
    open(&mut terminal);
    terminal.keys("e");
    terminal.wait_for("/no/such/editor cannot be run: set EDITOR");
    terminal.wait_for("kind: Application");
    terminal.keys("\x03");
    assert_eq!(terminal.end().exit_code(), 0);
}

#[test]
fn a_shell_has_the_terminal_until_it_ends() {
    let stage = Stage::new();
    let mut terminal = dashboard(&stage, "/bin/false");
    terminal.wait_for("helm-hello");
    terminal.keys(":pods helm-hello\r");
    terminal.wait("a pod that runs", |screen| {
        screen.lines().any(|line| line.contains("hello-hello-kubernetes") && line.contains("Running"))
    });
    terminal.keys("s");
    terminal.wait_for("exit or ctrl-d comes back");
    terminal.wait("the prompt", |screen| screen.lines().any(|line| line.trim_end() == "/ #"));
    terminal.keys("hostname\r");
    terminal.wait("the pod's name as the answer", |screen| {
        screen.lines().any(|line| line.starts_with("hello-hello-kubernetes-"))
    });
    // ctrl-c reaches the shell, and ends neither it nor lateen.
    terminal.keys("half a line\x03");
    terminal.wait_for("^C");
    // A new size is passed on.
    terminal.resize(30, 100);
    terminal.press_until("stty size\r", "the new size", |screen| screen.contains("30 100"));
    terminal.keys("exit 7\r");
    let screen = terminal.wait_for("the shell ended with exit code 7");
    assert!(screen.contains("pods") && !screen.contains("stty"), "the dashboard is back as it was: {screen}");
    // And keys are lateen's again.
    terminal.keys(":clusters\r");
    terminal.wait("the clusters", |screen| screen.contains("ENDPOINT") || screen.contains("VERSION"));
    terminal.keys("s");
    terminal.wait_for("a shell needs a pod under the cursor");
    terminal.keys("\x03");
    assert_eq!(terminal.end().exit_code(), 0);
}
