//! Standard output is the answer; standard error is about it.

use std::{
    io::{self, IsTerminal as _, Write as _},
    time::Duration,
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::failure::Failure;
use crate::model::text::printable;

/// Between two looks whether someone still reads.
const LOOK: Duration = Duration::from_secs(1);

/// Standard output, written to at once.
pub(super) struct Stdout(io::StdoutLock<'static>);

/// Whether someone still reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reader {
    /// Yes.
    There,
    /// The pipe's other end has closed, as `head` does: no failure, and nothing more to do.
    Gone,
}

impl Stdout {
    /// Standard output.
    pub(super) fn lock() -> Self {
        Self(io::stdout().lock())
    }

    /// Writes a text and flushes it.
    pub(super) fn write(&mut self, text: &str) -> Result<Reader, Failure> {
        let written = self.0.write_all(text.as_bytes()).and_then(|()| self.0.flush());
        match written {
            Ok(()) => Ok(Reader::There),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Reader::Gone),
            Err(error) => Err(Failure::failed(format!("cannot write the answer: {error}"))),
        }
    }
}

/// Returns when nobody reads standard output any more: a command that waits for changes would else only see it at the
/// next one.
pub(super) async fn gone() {
    while !is_gone() {
        tokio::time::sleep(LOOK).await;
    }
}

/// Whether the reading end of standard output is closed; files and terminals have none.
fn is_gone() -> bool {
    let stdout = io::stdout();
    let mut fds = [PollFd::new(&stdout, PollFlags::empty())];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut fds, Some(&now)).is_ok() && fds[0].revents().intersects(PollFlags::ERR | PollFlags::HUP)
}

/// One line on standard error. If that is gone, nobody can be told.
pub(super) fn note(text: &str) {
    let _ = writeln!(io::stderr().lock(), "lateen: {}", printable(text));
}

/// Whether there is a person to ask.
pub(super) fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks a question on standard error; only `y` or `yes` is a yes.
pub(super) fn ask(question: &str) -> bool {
    let mut stderr = io::stderr().lock();
    let asked = write!(stderr, "{} [y/N] ", printable(question)).and_then(|()| stderr.flush());
    let mut answer = String::new();
    asked.is_ok()
        && io::stdin().read_line(&mut answer).is_ok()
        && matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")
}
