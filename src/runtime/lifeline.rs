//! Signals and the terminal's end, watched outside the loop.
//!
//! When the operator's connection goes, the process goes, within half a second, even if a write to the terminal never
//! returns or the reader of keys spins on a dead one. The loop is asked first, so that forwards close in order; a
//! deadline that nothing can hold up ends the process otherwise.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use rustix::event::{PollFd, PollFlags, poll};
use signal_hook::{
    consts::{SIGCONT, SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};
use tokio::sync::{Notify, mpsc};

use super::{console::Restorer, event_loop::Control};

/// How long the loop has to leave by itself.
const GRACE: Duration = Duration::from_millis(350);

/// The exit code of a process ended by a signal, as shells tell it.
fn code(signal: i32) -> u8 {
    u8::try_from(128 + signal).unwrap_or(1)
}

/// Watches signals and the terminal until the process ends.
pub(super) fn watch(
    control: &mpsc::Sender<Control>,
    restorer: &Arc<Restorer>,
    continued: Arc<Notify>,
    lent: Arc<AtomicBool>,
) -> io::Result<()> {
    let end = Arc::new(End { begun: AtomicBool::new(false), control: control.clone(), restorer: Arc::clone(restorer) });
    let mut signals = Signals::new([SIGHUP, SIGTERM, SIGINT, SIGCONT])?;
    let by_signal = Arc::clone(&end);
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        for signal in signals.forever() {
            if signal == SIGCONT {
                // A suspension that waits for this takes it; else the loop is told.
                continued.notify_waiters();
                let _ = by_signal.control.try_send(Control::Continued);
            } else if signal == SIGINT && lent.load(Ordering::SeqCst) {
                // A key pressed for the program that has the terminal at the moment.
            } else {
                by_signal.begin(code(signal));
            }
        }
    })?;
    let by_hangup = end;
    thread::Builder::new().name("hang-up".to_owned()).spawn(move || {
        loop {
            // No event is asked for: only a hang-up or an error ends the wait.
            let mut tty = [PollFd::new(by_hangup.restorer.tty(), PollFlags::empty())];
            match poll(&mut tty, None) {
                Err(rustix::io::Errno::INTR) => {}
                Ok(_) if tty[0].revents().intersects(PollFlags::HUP | PollFlags::ERR) => {
                    return by_hangup.begin(code(SIGHUP));
                }
                // A system that cannot poll terminals still sends SIGHUP.
                _ => return,
            }
        }
    })?;
    Ok(())
}

struct End {
    begun: AtomicBool,
    control: mpsc::Sender<Control>,
    restorer: Arc<Restorer>,
}

impl End {
    fn begin(self: &Arc<Self>, code: u8) {
        if self.begun.swap(true, Ordering::SeqCst) {
            return;
        }
        let end = Arc::clone(self);
        let deadline = move || {
            thread::sleep(GRACE);
            end.restorer.restore_modes();
            std::process::exit(i32::from(code));
        };
        if thread::Builder::new().name("deadline".to_owned()).spawn(deadline).is_err() {
            std::process::exit(i32::from(code));
        }
        let _ = self.control.try_send(Control::Leave(code));
    }
}
