//! The terminal the operator sits at: raw mode, the alternate screen, and a thread that writes.
//!
//! Writing to a terminal may block for as long as a network does. So a thread of its own writes, one frame at a time,
//! and the loop asks it whether the frame before has gone out.

use std::{
    fs::File,
    io::{self, IsTerminal as _, Write as _},
    os::fd::{AsFd as _, OwnedFd},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc as std_mpsc,
    },
    thread,
    time::Duration,
};

use crossterm::{
    cursor::{Hide, Show},
    event::{DisableBracketedPaste, EnableBracketedPaste},
    queue,
    terminal::{
        DisableLineWrap, EnableLineWrap, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen,
        disable_raw_mode, enable_raw_mode,
    },
};
use ratatui::layout::Size;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Signal, kill_current_process_group},
    termios::{OptionalActions, Termios, tcgetattr, tcsetattr},
};
use tokio::sync::{Notify, mpsc};

use super::{event_loop::Console, keys::Keys};

/// Why the dashboard cannot be shown here.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    /// Keys cannot be read.
    #[error(
        "lateen needs a terminal, and standard input is none; for scripts there is `lateen get` (see `lateen --help`)"
    )]
    NoInput,
    /// Nothing can be drawn.
    #[error(
        "lateen needs a terminal, and standard output is none; for scripts there is `lateen get` (see `lateen --help`)"
    )]
    NoOutput,
    /// The terminal cannot move its cursor.
    #[error(
        "the terminal cannot show a full screen (TERM={0}); set TERM to what it is, for instance xterm-256color, \
         or use `lateen get`"
    )]
    Dumb(String),
    /// The system refused.
    #[error("cannot take over the terminal: {0}")]
    Io(#[from] io::Error),
}

/// Whether the dashboard can be shown here; asked before anything else is tried.
pub fn check() -> Result<(), Unfit> {
    if !io::stdin().is_terminal() {
        return Err(Unfit::NoInput);
    }
    if !io::stdout().is_terminal() {
        return Err(Unfit::NoOutput);
    }
    let term = std::env::var("TERM").unwrap_or_default();
    if term.is_empty() || term == "dumb" || term == "unknown" {
        return Err(Unfit::Dumb(if term.is_empty() { "not set".to_owned() } else { term }));
    }
    Ok(())
}

/// What it takes to give the terminal back from any thread, at any moment, without waiting for anything.
#[derive(Debug)]
pub struct Restorer {
    tty: OwnedFd,
    cooked: Termios,
}

impl Restorer {
    /// Gives the terminal back: its modes at once; the main screen only if the terminal takes bytes now.
    pub fn restore(&self) {
        let mut ready = [PollFd::new(&self.tty, PollFlags::OUT)];
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        if poll(&mut ready, Some(&at_once)).is_ok() && ready[0].revents() == PollFlags::OUT {
            let _ = rustix::io::write(&self.tty, &leaving());
        }
        self.restore_modes();
    }

    /// Gives back the modes alone: never blocks.
    pub fn restore_modes(&self) {
        let _ = tcsetattr(&self.tty, OptionalActions::Now, &self.cooked);
    }

    /// The terminal's descriptor, to be watched for a hang-up.
    pub fn tty(&self) -> &OwnedFd {
        &self.tty
    }
}

fn entering() -> Vec<u8> {
    let mut out = Vec::new();
    let _ = queue!(out, EnterAlternateScreen, EnableBracketedPaste, DisableLineWrap, Hide);
    out
}

fn leaving() -> Vec<u8> {
    let mut out = Vec::new();
    let _ = queue!(
        out,
        EndSynchronizedUpdate,
        DisableBracketedPaste,
        EnableLineWrap,
        crossterm::style::ResetColor,
        LeaveAlternateScreen,
        Show
    );
    out
}

/// How long the terminal may take to swallow what is written while leaving it.
const PARTING: Duration = Duration::from_millis(250);
/// How long the process waits to be stopped before it takes the terminal back: a process group that no shell looks
/// after (lateen as the only program of a terminal) is never stopped.
const STOPPING: Duration = Duration::from_millis(200);

/// The terminal, taken over.
#[derive(Debug)]
pub struct Tty {
    restorer: Arc<Restorer>,
    jobs: std_mpsc::Sender<Vec<u8>>,
    done: mpsc::UnboundedReceiver<io::Result<()>>,
    in_flight: usize,
    continued: Arc<Notify>,
    left: bool,
    keys: Option<Keys>,
    lent: Arc<AtomicBool>,
}

impl Tty {
    /// Takes the terminal over: raw mode, alternate screen, bracketed paste; no mouse.
    ///
    /// `continued` is notified when the process was stopped and goes on.
    pub fn enter(continued: Arc<Notify>) -> Result<Self, Unfit> {
        let tty = rustix::io::fcntl_dupfd_cloexec(io::stdout().as_fd(), 3).map_err(io::Error::from)?;
        let cooked = tcgetattr(&tty).map_err(io::Error::from)?;
        let restorer = Arc::new(Restorer { tty, cooked });
        let out = File::from(restorer.tty.try_clone()?);
        let (jobs, waiting) = std_mpsc::channel::<Vec<u8>>();
        let (tell, done) = mpsc::unbounded_channel();
        thread::Builder::new().name("writer".to_owned()).spawn(move || {
            for bytes in waiting {
                if tell.send(write_all(&out, &bytes)).is_err() {
                    return;
                }
            }
        })?;
        let mut console =
            Self { restorer, jobs, done, in_flight: 0, continued, left: false, keys: None, lent: Arc::default() };
        enable_raw_mode()?;
        console.send(entering());
        Ok(console)
    }

    /// Takes the reader of keys, which lets go of the terminal while that is lent.
    pub(super) fn set_keys(&mut self, keys: Keys) {
        self.keys = Some(keys);
    }

    /// Whether the terminal is lent to another program at the moment.
    pub(super) fn lent(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.lent)
    }

    /// What gives the terminal back from elsewhere.
    pub fn restorer(&self) -> Arc<Restorer> {
        Arc::clone(&self.restorer)
    }

    fn send(&mut self, bytes: Vec<u8>) {
        // A writer that is gone has said why; `written` tells.
        let _ = self.jobs.send(bytes);
        self.in_flight += 1;
    }

    /// Gives the terminal back; waits a moment for it to take what was written.
    pub async fn leave(&mut self) {
        if self.left {
            if self.lent.load(Ordering::SeqCst) {
                // Whoever has it may have changed its modes, and ends with this process.
                self.restorer.restore_modes();
            }
            return;
        }
        self.leave_screen().await;
    }

    async fn leave_screen(&mut self) {
        self.left = true;
        self.send(leaving());
        let _ = tokio::time::timeout(PARTING, self.drained()).await;
        let _ = disable_raw_mode();
        self.restorer.restore_modes();
    }

    async fn drained(&mut self) -> io::Result<()> {
        while self.in_flight > 0 {
            match self.done.recv().await {
                Some(result) => {
                    self.in_flight -= 1;
                    result?;
                }
                None => return Err(io::ErrorKind::BrokenPipe.into()),
            }
        }
        Ok(())
    }
}

impl Console for Tty {
    fn submit(&mut self, bytes: Vec<u8>) {
        self.send(bytes);
    }

    async fn written(&mut self) -> io::Result<()> {
        self.drained().await
    }

    async fn suspend(&mut self) -> io::Result<()> {
        self.leave().await;
        let continued = Arc::clone(&self.continued);
        let going_on = continued.notified();
        kill_current_process_group(Signal::TSTP)?;
        let _ = tokio::time::timeout(STOPPING, going_on).await;
        self.resume()
    }

    async fn lend(&mut self) -> io::Result<()> {
        if let Some(keys) = &self.keys {
            keys.pause().await?;
        }
        self.lent.store(true, Ordering::SeqCst);
        self.leave_screen().await;
        Ok(())
    }

    fn take_back(&mut self) -> io::Result<()> {
        self.restorer.restore_modes();
        self.resume()?;
        self.lent.store(false, Ordering::SeqCst);
        if let Some(keys) = &self.keys {
            keys.resume();
        }
        Ok(())
    }

    fn resume(&mut self) -> io::Result<()> {
        self.left = false;
        // crossterm remembers that the mode is raw; the shell has changed it since.
        let _ = disable_raw_mode();
        enable_raw_mode()?;
        self.send(entering());
        Ok(())
    }

    fn size(&self) -> io::Result<Size> {
        let size = rustix::termios::tcgetwinsize(&self.restorer.tty)?;
        // A terminal that does not know its size (a serial line, some pty wrappers) says 0.
        let or = |given: u16, else_: u16| if given == 0 { else_ } else { given };
        Ok(Size::new(or(size.ws_col, 80), or(size.ws_row, 24)))
    }
}

impl Drop for Tty {
    fn drop(&mut self) {
        if !self.left {
            self.restorer.restore();
            let _ = disable_raw_mode();
        }
    }
}

/// Writes everything, waiting where another program has made the terminal non-blocking.
fn write_all(mut out: &File, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match out.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                poll(&mut [PollFd::new(out, PollFlags::OUT)], None)?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
