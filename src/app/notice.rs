//! The message line: one sentence at a time, which goes by itself.

use jiff::{SignedDuration, Timestamp};

use crate::model::{action::Outcome, text::printable};

/// How a message is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Worth knowing.
    Info,
    /// Something went as wanted.
    Good,
    /// Something did not.
    Bad,
}

/// A message on screen.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    /// The sentence, printable.
    pub text: String,
    /// How it is meant.
    pub level: Level,
    /// When it was said.
    pub since: Timestamp,
    /// When it goes.
    pub until: Timestamp,
}

/// Seconds that a message stays; bad news stay longer.
const STAYS: i64 = 8;
const BAD_STAYS: i64 = 30;
/// A key takes a message away that has been there so long: it was read.
const READ_AFTER: SignedDuration = SignedDuration::from_secs(2);

impl Notice {
    /// A message said now.
    pub fn new(level: Level, text: &str, now: Timestamp) -> Self {
        let seconds = if level == Level::Bad { BAD_STAYS } else { STAYS };
        let until = now.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(now);
        Self { text: printable(text).into_owned(), level, since: now, until }
    }

    /// What came of a piece of work.
    pub fn of(outcome: &Outcome, now: Timestamp) -> Self {
        let (level, lead) = match outcome {
            Outcome::Done { .. } => (Level::Good, ""),
            Outcome::Moved { .. } => (Level::Bad, "nothing written: "),
            Outcome::Forbidden { .. } => (Level::Bad, "not permitted: "),
            Outcome::Failed { .. } => (Level::Bad, ""),
            Outcome::Unknown { .. } => (Level::Bad, "outcome unknown: "),
            Outcome::Panicked { .. } => (Level::Bad, "a task broke: "),
        };
        let message = outcome.message();
        // The sender may have said it already.
        let text = if message.starts_with(lead.trim_end_matches(": ")) {
            message.to_string()
        } else {
            format!("{lead}{message}")
        };
        Self::new(level, &text, now)
    }

    /// Whether it is still to be shown.
    pub fn is_over(&self, now: Timestamp) -> bool {
        now >= self.until
    }

    /// Whether a key pressed now takes it away.
    pub fn is_read(&self, now: Timestamp) -> bool {
        now.duration_since(self.since) >= READ_AFTER
    }
}
