//! A defect: the terminal is given back, and a report is kept.

use std::time::Duration;

use crossterm::event::{Event, KeyCode};
use jiff::Timestamp;
use lateen::{
    app::{effect::Effect, message::Message},
    model::delta::Delta,
    runtime::{
        event_loop::{Program, Worker, World},
        session,
    },
};
use portable_pty::CommandBuilder;
use ratatui::{Frame, widgets::Paragraph};

use crate::terminal::Terminal;

/// Breaks at `d` while drawing, and at `t` in a task.
#[derive(Default)]
struct Broken {
    on_draw: bool,
    told: String,
}

impl Program for Broken {
    fn update(&mut self, message: Message) -> Vec<Effect> {
        match message {
            Message::Input(Event::Key(key), _) => match key.code {
                KeyCode::Char('d') => self.on_draw = true,
                KeyCode::Char('t') => return vec![Effect::Resync],
                KeyCode::Char('q') => return vec![Effect::Quit],
                _ => {}
            },
            Message::Done(_, outcome) => self.told = outcome.message().to_string(),
            _ => {}
        }
        Vec::new()
    }

    fn draw(&mut self, frame: &mut Frame<'_>) {
        assert!(!self.on_draw, "the picture broke");
        frame.render_widget(Paragraph::new(format!("a picture {}", self.told)), frame.area());
    }

    fn next_tick(&self, _: Timestamp) -> Option<Timestamp> {
        None
    }
}

struct Nowhere;

impl World for Nowhere {
    async fn changed(&mut self) -> bool {
        std::future::pending().await
    }

    fn take(&mut self, _: usize) -> Vec<Delta> {
        Vec::new()
    }
}

/// Breaks in a task of its own at every effect.
struct Breaking;

impl Worker for Breaking {
    fn perform(&mut self, _: Effect) {
        tokio::spawn(async { panic!("a task broke") });
    }
}

/// Set in the terminals of the tests below.
const INSIDE: &str = "LATEEN_TEST_INSIDE";

/// The program in those terminals: this test binary, run anew with this one test, which elsewhere does nothing.
#[test]
fn program() {
    if std::env::var_os(INSIDE).is_none() {
        return;
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let ended = runtime.block_on(session::on_terminal(Broken::default(), Nowhere, |_| Breaking));
    runtime.shutdown_timeout(Duration::ZERO);
    assert!(ended.is_ok());
}

fn start(home: &std::path::Path) -> Terminal {
    let mut command = CommandBuilder::new(std::env::current_exe().unwrap());
    command.args(["--exact", "panic::program", "--nocapture", "--test-threads", "1"]);
    command.env_clear();
    command.env("TERM", "xterm-256color");
    command.env("HOME", home);
    command.env(INSIDE, "1");
    let terminal = Terminal::start(command, 24, 200);
    terminal.wait_for("a picture");
    terminal
}

fn reports(home: &std::path::Path) -> Vec<String> {
    let Ok(files) = std::fs::read_dir(home.join(".local/state/lateen")) else { return Vec::new() };
    let files = files.map(|file| file.unwrap().path());
    files
        .filter(|file| file.to_string_lossy().contains("panic-"))
        .map(|file| std::fs::read_to_string(file).unwrap())
        .collect()
}

#[test]
fn a_panic_of_the_loop_gives_the_terminal_back_and_says_where_the_report_is() {
    let home = tempfile::tempdir().unwrap();
    let mut terminal = start(home.path());
    terminal.keys("d");
    assert_ne!(terminal.end().exit_code(), 0);
    let screen = terminal.screen();
    assert!(!screen.contains("a picture"), "the main screen is back: {screen}");
    assert!(screen.contains("a report is in") && screen.contains("panic-"), "{screen}");
    let reports = reports(home.path());
    assert!(reports.len() == 1 && reports[0].contains("the picture broke"), "{reports:?}");
}

#[test]
fn a_panic_of_a_task_leaves_the_picture_alone() {
    let home = tempfile::tempdir().unwrap();
    let mut terminal = start(home.path());
    terminal.keys("t");
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    while reports(home.path()).is_empty() {
        assert!(std::time::Instant::now() < deadline, "no report");
        std::thread::yield_now();
    }
    let screen = terminal.screen();
    assert!(screen.contains("a picture") && !screen.contains("panicked"), "{screen}");
    terminal.keys("q");
    assert_eq!(terminal.end().exit_code(), 0);
}
