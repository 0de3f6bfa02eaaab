//! What goes through a forward, counted.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use crate::model::{forward::ForwardTraffic, key::Text};

/// Counts of one forward, as its connections make them.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    open: AtomicU64,
    total: AtomicU64,
    refused: AtomicU64,
    sent: AtomicU64,
    received: AtomicU64,
    reconnects: AtomicU64,
    last_error: Mutex<Option<Text>>,
}

/// A connection that is counted as open until this is dropped.
pub(super) struct Counted<'a>(&'a Traffic);

impl Traffic {
    /// A connection was accepted.
    pub(super) fn accepted(&self) -> Counted<'_> {
        self.total.fetch_add(1, Ordering::Relaxed);
        self.open.fetch_add(1, Ordering::Relaxed);
        Counted(self)
    }

    /// A connection found no pod, or ended otherwise than by either side's will.
    pub(super) fn failed(&self, reason: &str) {
        self.refused.fetch_add(1, Ordering::Relaxed);
        *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason.into());
    }

    /// Bytes went to the pod.
    pub(super) fn sent(&self, bytes: usize) {
        self.sent.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Bytes came from the pod, and the client has them.
    pub(super) fn received(&self, bytes: usize) {
        self.received.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Another pod was taken, or the same one found again.
    pub(super) fn reconnected(&self) {
        self.reconnects.fetch_add(1, Ordering::Relaxed);
    }

    /// The counts now.
    pub(super) fn now(&self) -> ForwardTraffic {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        ForwardTraffic {
            open: count(&self.open),
            total: count(&self.total),
            failed: count(&self.refused),
            sent: count(&self.sent),
            received: count(&self.received),
            reconnects: count(&self.reconnects),
            last_error: self.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}
