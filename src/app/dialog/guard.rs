//! What keeps a confirmation from being anything but a person's, who has seen what is asked.
//!
//! No confirmation counts before the frame that shows the dialog has been written and [`READING_TIME`] has passed; keys
//! that came with the opening one are dropped and counted; a confirmation in a burst of keys is a paste, which is known
//! only a moment later: it is held until then.

use jiff::{SignedDuration, Timestamp};

use crate::app::burst::Burst;

/// Time to read, from the frame's being written to the first confirmation that counts.
pub const READING_TIME: SignedDuration = SignedDuration::from_millis(300);

/// The state of the guard.
#[derive(Clone, Debug, Default)]
pub struct Guard {
    /// Keys that were dropped since they came before the dialog could be read.
    pub dropped: u32,
    /// Why the last confirmation was not taken.
    pub refusal: Option<&'static str>,
    written_at: Option<Timestamp>,
    held: Option<Timestamp>,
}

impl Guard {
    /// The frame that shows the dialog has been written.
    pub fn on_written(&mut self, at: Timestamp) {
        self.written_at.get_or_insert(at);
    }

    /// What is asked has changed: it is to be read again.
    pub fn reset(&mut self) {
        *self = Self::default();
    }

    /// Whether a key counts by now.
    pub fn is_armed(&self, now: Timestamp) -> bool {
        self.written_at.is_some_and(|at| now.duration_since(at) >= READING_TIME)
    }

    /// Counts a key that came too early; says whether it did.
    pub fn drops(&mut self, time: Timestamp) -> bool {
        let early = !self.is_armed(time);
        self.dropped += u32::from(early);
        early
    }

    /// A paste never confirms.
    pub fn on_paste(&mut self) {
        self.refusal = Some("a paste is not taken here: press the key");
        self.held = None;
    }

    /// A confirmation was pressed.
    pub fn hold(&mut self, time: Timestamp) {
        self.refusal = None;
        self.held.get_or_insert(time);
    }

    /// Whether a held confirmation is known to be a person's.
    pub fn confirms(&mut self, now: Timestamp, burst: &Burst) -> bool {
        let Some(time) = self.held else { return false };
        if burst.holds(time) {
            self.held = None;
            self.refusal = Some("that came too fast for a person, like a paste: press y again");
            return false;
        }
        if now < Burst::known_at(time) {
            return false;
        }
        self.held = None;
        true
    }

    /// When time alone changes something.
    pub fn next_tick(&self, now: Timestamp) -> Option<Timestamp> {
        let ready = self.written_at.and_then(|at| at.checked_add(READING_TIME).ok()).filter(|at| *at > now);
        ready.into_iter().chain(self.held.map(Burst::known_at)).min()
    }
}
