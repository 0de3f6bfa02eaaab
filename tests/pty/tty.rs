//! What terminals do to programs: hang-ups, signals, suspension, resizes, pastes.

use std::{
    io::{Read as _, Write as _},
    time::{Duration, Instant},
};

use portable_pty::{CommandBuilder, PtySize, native_pty_system};
use rustix::process::{Pid, Signal, kill_process};

use crate::{Stage, terminal::Terminal};

/// Half a second is promised; a busy machine that runs the tests gets some more.
const PROMPT: Duration = Duration::from_secs(2);

fn signal(terminal: &Terminal, signal: Signal) {
    let id = i32::try_from(terminal.process_id()).unwrap();
    kill_process(Pid::from_raw(id).unwrap(), signal).unwrap();
}

#[test]
fn signals_end_it_at_once_and_the_terminal_is_given_back() {
    for (sent, code) in [(Signal::HUP, 129), (Signal::TERM, 143), (Signal::INT, 130)] {
        let stage = Stage::new();
        let mut terminal = stage.dashboard(24, 80);
        terminal.wait_for("helm-hello");
        let begun = Instant::now();
        signal(&terminal, sent);
        assert_eq!(terminal.end().exit_code(), code);
        assert!(begun.elapsed() < PROMPT, "{sent:?} took {:?}", begun.elapsed());
        assert!(!terminal.screen().contains("helm-hello"), "the main screen is back: {}", terminal.screen());
    }
}

#[test]
fn a_terminal_that_goes_takes_it_along() {
    let stage = Stage::new();
    let size = PtySize { rows: 24, cols: 80, pixel_width: 0, pixel_height: 0 };
    let pair = native_pty_system().openpty(size).unwrap();
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_lateen"));
    command.env_clear();
    command.args(["--kubeconfig", stage.kubeconfig().to_str().unwrap()]);
    command.env("TERM", "xterm-256color");
    command.env("HOME", stage.home.path());
    // As under nohup: only the terminal's own end tells.
    let mut child = pair.slave.spawn_command(command).unwrap();
    drop(pair.slave);
    let mut output = pair.master.try_clone_reader().unwrap();
    let mut seen = Vec::new();
    while !String::from_utf8_lossy(&seen).contains("helm-hello") {
        let mut buffer = [0; 4096];
        let read = output.read(&mut buffer).unwrap();
        assert!(read > 0);
        seen.extend_from_slice(&buffer[..read]);
    }
    drop(output);
    let begun = Instant::now();
    drop(pair.master);
    let status = child.wait().unwrap();
    assert!(begun.elapsed() < PROMPT, "it took {:?}", begun.elapsed());
    assert_ne!(status.exit_code(), 0);
}

#[test]
fn a_reader_that_stops_reading_does_not_keep_it_alive() {
    let stage = Stage::new();
    let size = PtySize { rows: 50, cols: 200, pixel_width: 0, pixel_height: 0 };
    let pair = native_pty_system().openpty(size).unwrap();
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_lateen"));
    command.env_clear();
    command.args(["--kubeconfig", stage.kubeconfig().to_str().unwrap(), "-A"]);
    command.env("TERM", "xterm-256color");
    command.env("HOME", stage.home.path());
    let mut child = pair.slave.spawn_command(command).unwrap();
    let mut keyboard = pair.master.take_writer().unwrap();
    let mut output = pair.master.try_clone_reader().unwrap();
    let mut first = [0; 1];
    output.read_exact(&mut first).unwrap();
    // Nobody reads from here on: whole frames pile up until writing blocks.
    for key in ["?", "\x1b", ":pods\r", ":clusters\r", "?", "\x1b", ":apps\r", "?"].iter().cycle().take(400) {
        keyboard.write_all(key.as_bytes()).unwrap();
    }
    let id = i32::try_from(child.process_id().unwrap()).unwrap();
    let begun = Instant::now();
    kill_process(Pid::from_raw(id).unwrap(), Signal::TERM).unwrap();
    let status = child.wait().unwrap();
    assert!(begun.elapsed() < PROMPT, "it took {:?}", begun.elapsed());
    assert_eq!(status.exit_code(), 143);
}

#[test]
fn ctrl_z_gives_the_shell_its_terminal_and_fg_brings_the_dashboard_back() {
    let stage = Stage::new();
    let mut command = CommandBuilder::new("sh");
    command.arg("-i");
    command.env_clear();
    for (name, value) in
        [("TERM", "xterm-256color"), ("LANG", "C.UTF-8"), ("PS1", "shell$ "), ("PATH", "/bin:/usr/bin")]
    {
        command.env(name, value);
    }
    command.env("HOME", stage.home.path());
    let mut terminal = Terminal::start(command, 24, 100);
    terminal.wait_for("shell$");
    let kubeconfig = stage.kubeconfig();
    terminal.keys(&format!("{} --kubeconfig {} -A\r", env!("CARGO_BIN_EXE_lateen"), kubeconfig.display()));
    terminal.wait_for("storefront");
    for _ in 0..2 {
        terminal.keys("\x1a");
        // Not any prompt: the one that the dashboard was started at is on the main screen before the shell has
        // the terminal, and what is typed then is lost.
        terminal.wait("the shell's prompt", |screen| screen.trim_end().ends_with("\nshell$"));
        // The shell echoes and runs what is typed: the terminal is in its own mode again.
        terminal.keys("echo still $((40 + 2))\r");
        terminal.wait_for("still 42");
        terminal.keys("fg\r");
        terminal.wait_for("storefront");
    }
    terminal.keys("?");
    terminal.wait("the dashboard takes keys", |screen| screen.contains("forward"));
    terminal.keys("\x1bq");
    terminal.wait("the shell again", |screen| !screen.contains("storefront"));
}

#[test]
fn alone_in_its_terminal_ctrl_z_cannot_stop_it_and_it_goes_on() {
    let stage = Stage::new();
    let mut terminal = stage.dashboard(24, 80);
    terminal.wait_for("storefront");
    terminal.keys("\x1a?");
    terminal.wait_for("approve the step that waits");
    terminal.keys("\x03");
    assert_eq!(terminal.end().exit_code(), 0);
}

#[test]
fn a_storm_of_resizes_ends_in_a_whole_picture_of_the_last_size() {
    let stage = Stage::new();
    let mut terminal = stage.dashboard(24, 80);
    terminal.wait_for("storefront");
    for step in 0..60_u16 {
        terminal.resize(3 + step % 40, 10 + step * 7 % 150);
    }
    terminal.resize(30, 110);
    terminal.wait("the whole picture", |screen| {
        let last = screen.lines().nth(29).unwrap_or_default();
        screen.contains("storefront") && screen.contains("waiting for approval") && last.contains("? help")
    });
    terminal.resize(5, 20);
    terminal.wait("that it is too small", |screen| screen.contains("small"));
    terminal.resize(24, 80);
    terminal.wait_for("storefront");
    terminal.keys("\x03");
    assert_eq!(terminal.end().exit_code(), 0);
}

#[test]
fn a_paste_never_confirms() {
    let stage = Stage::new();
    let mut terminal = stage.dashboard(40, 120);
    terminal.wait("helm-hello waits", |screen| crate::line_with(screen, "helm-hello").contains("waiting for approval"));
    terminal.keys("/helm-hello\r");
    terminal.wait("helm-hello alone", |screen| !screen.contains("storefront"));
    // Opened and confirmed in one burst, as tmux pastes without brackets.
    terminal.keys("ayyyyyy");
    terminal.wait_for("Resume helm-hello");
    // Bracketed, at any time.
    terminal.keys("\x1b[200~y\ny\n\x1b[201~");
    terminal.keys("\x1b[200~yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\x1b[201~");
    // What comes after shows that all of it has been read.
    terminal.press_until("\x1b", "the dialog closes", |screen| !screen.contains("Resume helm-hello"));
    let screen = terminal.screen();
    assert!(crate::line_with(&screen, "helm-hello ").contains("waiting for approval"), "{screen}");
    assert!(!stage.home.path().join(".local/state/lateen/audit.jsonl").exists() || audit_is_empty(&stage));
    terminal.keys("\x03");
    assert_eq!(terminal.end().exit_code(), 0);
}

fn audit_is_empty(stage: &Stage) -> bool {
    std::fs::read_to_string(stage.home.path().join(".local/state/lateen/audit.jsonl")).unwrap().is_empty()
}

#[test]
fn nothing_is_written_while_nothing_shown_changes() {
    let stage = Stage::new();
    let mut terminal = stage.dashboard(24, 120);
    terminal.wait_for("storefront");
    terminal.keys(":clusters\r");
    terminal.wait_for("region=eu");
    // Latencies settle over the first probes; then seconds go by without a byte.
    let quiet = Duration::from_secs(3);
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut since = (terminal.bytes(), Instant::now());
    while since.1.elapsed() < quiet {
        assert!(Instant::now() < deadline, "never quiet for {quiet:?}:\n{}", terminal.screen());
        std::thread::yield_now();
        if terminal.bytes() != since.0 {
            since = (terminal.bytes(), Instant::now());
        }
    }
    terminal.keys("\x03");
    assert_eq!(terminal.end().exit_code(), 0);
}
