//! Ctrl-C: ends a command at once, but never in the middle of a write.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

use super::stdout;

/// Writes under way.
static HELD: AtomicUsize = AtomicUsize::new(0);
static RELEASED: Notify = Notify::const_new();

/// Keeps an interrupt waiting while it lives: a write is not left half told.
pub(super) struct Hold(());

/// Holds interrupts back from here on.
pub(super) fn hold() -> Hold {
    HELD.fetch_add(1, Ordering::SeqCst);
    Hold(())
}

impl Drop for Hold {
    fn drop(&mut self) {
        if HELD.fetch_sub(1, Ordering::SeqCst) == 1 {
            RELEASED.notify_waiters();
        }
    }
}

/// Returns when the command is to end: interrupted, and no write under way.
pub(super) async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        // Signals cannot be heard: they then end the process by themselves.
        std::future::pending::<()>().await;
    }
    let mut is_told = false;
    loop {
        // Made before looking: a release in between is not missed.
        let released = RELEASED.notified();
        if HELD.load(Ordering::SeqCst) == 0 {
            return;
        }
        if !is_told {
            stdout::note("the request is on its way: waiting for its outcome");
            is_told = true;
        }
        released.await;
    }
}
