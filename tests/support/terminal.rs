//! The real binary in a terminal of its own: keys go in, the screen is read as a person reads it.
#![allow(dead_code, reason = "several suites include this file, and each uses its part of it")]

use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, ExitStatus, MasterPty, PtySize, native_pty_system};

/// How long a screen, or the end of the program, is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// A pseudo-terminal and the program in it, which ends with the value.
pub(crate) struct Terminal {
    master: Box<dyn MasterPty + Send>,
    keyboard: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    shown: Arc<Shown>,
}

/// What has come from the program so far.
struct Shown {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    parser: vt100::Parser,
    bytes: u64,
    ended: bool,
}

impl Shown {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Terminal {
    /// Starts lateen with these arguments, in an empty environment but for `env` and what a terminal sets. `rows` and
    /// `columns` are in cells.
    pub(crate) fn lateen(arguments: &[&str], env: &[(&str, &str)], rows: u16, columns: u16) -> Self {
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_lateen"));
        command.env_clear();
        command.args(arguments);
        for (name, value) in [("TERM", "xterm-256color"), ("LANG", "C.UTF-8")].iter().chain(env) {
            command.env(name, value);
        }
        Self::start(command, rows, columns)
    }

    /// Starts any program.
    pub(crate) fn start(command: CommandBuilder, rows: u16, columns: u16) -> Self {
        let size = PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).unwrap();
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let mut output = pair.master.try_clone_reader().unwrap();
        let state = State { parser: vt100::Parser::new(cells(rows), cells(columns), 0), bytes: 0, ended: false };
        let shown = Arc::new(Shown { state: Mutex::new(state), changed: Condvar::new() });
        let show = Arc::clone(&shown);
        thread::spawn(move || {
            let mut buffer = [0; 16 * 1024];
            loop {
                let read = output.read(&mut buffer).unwrap_or(0);
                let mut state = show.state();
                state.parser.process(&buffer[..read]);
                state.bytes += read as u64;
                state.ended = read == 0;
                show.changed.notify_all();
                if state.ended {
                    return;
                }
            }
        });
        let keyboard = pair.master.take_writer().unwrap();
        Self { master: pair.master, keyboard, child, shown }
    }

    /// Types; special keys are written as the terminal sends them (`"\x1b"`, `"\r"`, `"\x1b[A"`).
    pub(crate) fn keys(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
        self.keyboard.flush().unwrap();
    }

    /// The screen's text, a line each, without trailing blanks.
    pub(crate) fn screen(&self) -> String {
        text(&self.shown.state().parser)
    }

    /// How many bytes the program has written.
    pub(crate) fn bytes(&self) -> u64 {
        self.shown.state().bytes
    }

    /// How many bytes have come, and the screen with its colours.
    pub(crate) fn look(&self) -> (u64, vt100::Screen) {
        let state = self.shown.state();
        (state.bytes, state.parser.screen().clone())
    }

    /// The same as soon as more bytes than `bytes` have come; nothing where none come until then.
    pub(crate) fn look_after(&self, bytes: u64, until: Instant) -> Option<(u64, vt100::Screen)> {
        let mut state = self.shown.state();
        while state.bytes <= bytes {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || state.ended {
                return None;
            }
            state = self.shown.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        Some((state.bytes, state.parser.screen().clone()))
    }

    /// Waits until the screen is as `wanted` says, and answers it.
    ///
    /// # Panics
    /// Where it is not so within half a minute, or the program ends before; the last screen is told.
    pub(crate) fn wait(&self, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        let until = Instant::now() + PATIENCE;
        let mut state = self.shown.state();
        loop {
            let screen = text(&state.parser);
            if wanted(&screen) {
                return screen;
            }
            let left = until.saturating_duration_since(Instant::now());
            assert!(!state.ended, "the program ended before: {what}; its last screen:\n{screen}");
            assert!(!left.is_zero(), "waited {PATIENCE:?} for: {what}; the screen is:\n{screen}");
            state = self.shown.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Presses a key until the screen is as `wanted` says: for keys that are ignored until their time has come.
    ///
    /// # Panics
    /// Where it is not so within half a minute.
    pub(crate) fn press_until(&mut self, key: &str, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        let until = Instant::now() + PATIENCE;
        loop {
            self.keys(key);
            let again = Instant::now() + Duration::from_millis(250);
            let mut state = self.shown.state();
            loop {
                let screen = text(&state.parser);
                if wanted(&screen) {
                    return screen;
                }
                assert!(
                    Instant::now() < until,
                    "pressed {key:?} for {PATIENCE:?} for: {what}; the screen is:\n{screen}"
                );
                let left = again.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    break;
                }
                state = self.shown.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
            }
        }
    }

    /// Waits until the text stands on the screen.
    pub(crate) fn wait_for(&self, text: &str) -> String {
        self.wait(&format!("{text:?} on the screen"), |screen| screen.contains(text))
    }

    /// Makes the terminal another size.
    pub(crate) fn resize(&self, rows: u16, columns: u16) {
        self.shown.state().parser.screen_mut().set_size(cells(rows), cells(columns));
        self.master.resize(PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 }).unwrap();
    }

    /// The program's process id.
    pub(crate) fn process_id(&self) -> u32 {
        self.child.process_id().unwrap()
    }

    /// Waits until the program has ended by itself.
    ///
    /// # Panics
    /// Where it has not within half a minute.
    pub(crate) fn end(&mut self) -> ExitStatus {
        let until = Instant::now() + PATIENCE;
        let mut state = self.shown.state();
        while !state.ended {
            let left = until.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "the program has not ended within {PATIENCE:?}:\n{}", text(&state.parser));
            state = self.shown.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        drop(state);
        self.child.wait().unwrap()
    }
}

fn cells(count: u16) -> NonZeroU16 {
    NonZeroU16::new(count).unwrap()
}

fn text(parser: &vt100::Parser) -> String {
    let screen = parser.screen();
    let (_, columns) = screen.size();
    let lines: Vec<String> = screen.rows(0, columns.get()).map(|line| line.trim_end().to_owned()).collect();
    lines.join("\n").trim_end().to_owned()
}
