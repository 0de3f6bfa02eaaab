//! The dashboard in a terminal, measured from outside.

use std::time::{Duration, Instant};

use portable_pty::CommandBuilder;
use tempfile::TempDir;

use crate::ground::{self, Ground, Outcome};
use crate::process;
use crate::terminal::Terminal;

const ROWS: u16 = 40;
const COLUMNS: u16 = 120;
/// How long anything is waited for.
const PATIENCE: Duration = Duration::from_secs(120);

/// A running dashboard.
pub(crate) struct Session {
    terminal: Terminal,
    begun: Instant,
    _home: TempDir,
}

impl Session {
    /// Starts it on a hub, with an empty home.
    pub(crate) fn start(ground: &Ground) -> Outcome<Self> {
        Self::start_with(ground, &[])
    }

    /// The same with more arguments.
    pub(crate) fn start_with(ground: &Ground, arguments: &[&str]) -> Outcome<Self> {
        let home = tempfile::tempdir()?;
        let folder = home.path().to_string_lossy().into_owned();
        let kubeconfig = ground.kubeconfig.to_string_lossy().into_owned();
        let mut command = CommandBuilder::new(ground::program());
        command.env_clear();
        command.args(["--kubeconfig", &kubeconfig, "-A"]);
        command.args(arguments);
        for (name, value) in [("TERM", "xterm-256color"), ("LANG", "C.UTF-8"), ("HOME", &folder)] {
            command.env(name, value);
        }
        let begun = Instant::now();
        let terminal = Terminal::start(command, ROWS, COLUMNS);
        Ok(Self { terminal, begun, _home: home })
    }

    /// Time since the start of the program.
    pub(crate) fn since_start(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Time from the start of the program until its screen was so.
    pub(crate) fn until(&self, what: &str, wanted: impl Fn(&vt100::Screen) -> bool) -> Outcome<Duration> {
        let until = Instant::now() + PATIENCE;
        let (mut bytes, mut screen) = self.terminal.look();
        loop {
            if wanted(&screen) {
                return Ok(self.begun.elapsed());
            }
            (bytes, screen) = self
                .terminal
                .look_after(bytes, until)
                .ok_or_else(|| format!("waited for {what}; the last screen:\n{}", self.terminal.screen()))?;
        }
    }

    /// Time from the start until nothing loads any more: the count in the title stands for a second.
    pub(crate) fn all_rows(&self) -> Outcome<Duration> {
        let (mut bytes, screen) = self.terminal.look();
        let mut shown = title(&screen);
        let mut changed = self.begun.elapsed();
        let mut until = Instant::now() + Duration::from_secs(1);
        while let Some((now, screen)) = self.terminal.look_after(bytes, until) {
            bytes = now;
            if title(&screen) != shown {
                shown = title(&screen);
                changed = self.begun.elapsed();
                until = Instant::now() + Duration::from_secs(1);
            }
        }
        count(&shown).ok_or("no count in the title")?;
        Ok(changed)
    }

    /// Types.
    pub(crate) fn keys(&mut self, keys: &str) {
        self.terminal.keys(keys);
    }

    /// Presses a key that moves the cursor; the time until it was seen to have moved.
    pub(crate) fn press_and_see(&mut self, key: &str) -> Outcome<Duration> {
        let (mut bytes, screen) = self.terminal.look();
        let before = cursor(&screen);
        let pressed = Instant::now();
        self.terminal.keys(key);
        let until = pressed + Duration::from_secs(10);
        loop {
            let Some((now, screen)) = self.terminal.look_after(bytes, until) else {
                return Err(format!("{key} moved nothing:\n{}", self.terminal.screen()).into());
            };
            if cursor(&screen) != before {
                return Ok(pressed.elapsed());
            }
            bytes = now;
        }
    }

    /// Watches for a while: bytes written, and how many of them changed nothing that can be seen.
    pub(crate) fn watch(&self, time: Duration) -> (u64, u64) {
        let until = Instant::now() + time;
        let (begin, mut shown) = self.terminal.look();
        let (mut bytes, mut for_nothing) = (begin, 0);
        while let Some((now, screen)) = self.terminal.look_after(bytes, until) {
            if screen.contents_formatted() == shown.contents_formatted() {
                for_nothing += now - bytes;
            }
            (bytes, shown) = (now, screen);
        }
        (bytes - begin, for_nothing)
    }

    /// Looks at each screen for a while.
    pub(crate) fn each_screen(&self, time: Duration, mut each: impl FnMut(&vt100::Screen)) {
        let until = Instant::now() + time;
        let (mut bytes, screen) = self.terminal.look();
        each(&screen);
        while let Some((now, screen)) = self.terminal.look_after(bytes, until) {
            each(&screen);
            bytes = now;
            // What writes without an end would else hold this here.
            if Instant::now() >= until {
                return;
            }
        }
    }

    /// How many bytes have come, and the screen.
    pub(crate) fn screen(&self) -> (u64, vt100::Screen) {
        self.terminal.look()
    }

    /// The most resident memory there was.
    pub(crate) fn most_resident_mb(&self) -> f64 {
        process::kept(self.terminal.process_id(), "VmHWM:")
    }

    /// Resident memory.
    pub(crate) fn resident_mb(&self) -> f64 {
        process::resident_mb(self.terminal.process_id())
    }

    /// Processor time used so far.
    pub(crate) fn processor_time(&self) -> Duration {
        process::processor_time(self.terminal.process_id())
    }
}

fn title(screen: &vt100::Screen) -> String {
    screen.contents().lines().nth(1).unwrap_or_default().to_owned()
}

/// The count in a page's title: `pods · all namespaces · 312`.
pub(crate) fn count(title: &str) -> Option<usize> {
    title.split("  ").next()?.split(" · ").last()?.trim().parse().ok()
}

/// The row that stands out, and where: rows before and after the table have their own looks and stay.
fn cursor(screen: &vt100::Screen) -> Vec<(u16, String)> {
    let stands_out = |row: &u16| {
        screen.cell(*row, COLUMNS / 2).is_some_and(|cell| cell.inverse() || cell.bgcolor() != vt100::Color::Default)
    };
    let text = |row: u16| screen.rows(0, COLUMNS).nth(usize::from(row)).unwrap_or_default();
    (3..ROWS - 1).filter(stands_out).map(|row| (row, text(row))).collect()
}
