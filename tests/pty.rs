//! The real binary in a terminal, against the estate: what a person would try, and what terminals do to programs.
#![cfg(feature = "demo")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "what fails here fails the test")]

#[path = "support/terminal.rs"]
mod terminal;

#[path = "pty/handover.rs"]
mod handover;
#[path = "pty/journey.rs"]
mod journey;
#[path = "pty/logs.rs"]
mod logs;
#[path = "pty/outages.rs"]
mod outages;
#[path = "pty/panic.rs"]
mod panic;
#[path = "pty/start.rs"]
mod start;
#[path = "pty/tty.rs"]
mod tty;

use std::path::{Path, PathBuf};

use lateen::demo::{Estate, Options};
use tempfile::TempDir;
use terminal::Terminal;

/// An estate in this process, twenty times as fast as life, and the binary's home beside its kubeconfig.
struct Stage {
    estate: Estate,
    home: TempDir,
}

impl Stage {
    fn new() -> Self {
        Self::with(Options { speed: 20.0, ..Options::default() })
    }

    fn with(options: Options) -> Self {
        let estate = Estate::start(options).unwrap();
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("kubeconfig"), estate.kubeconfig()).unwrap();
        Self { estate, home }
    }

    fn kubeconfig(&self) -> PathBuf {
        self.home.path().join("kubeconfig")
    }

    /// The dashboard on the estate, in all namespaces.
    fn dashboard(&self, rows: u16, columns: u16) -> Terminal {
        let kubeconfig = self.kubeconfig();
        lateen(&["--kubeconfig", kubeconfig.to_str().unwrap(), "-A"], self.home.path(), rows, columns)
    }
}

/// lateen with a home of its own.
fn lateen(arguments: &[&str], home: &Path, rows: u16, columns: u16) -> Terminal {
    Terminal::lateen(arguments, &[("HOME", home.to_str().unwrap())], rows, columns)
}

/// The line below the header that holds a text; empty if none does.
fn line_with<'a>(screen: &'a str, text: &str) -> &'a str {
    screen.lines().skip(2).find(|line| line.contains(text)).unwrap_or_default()
}
