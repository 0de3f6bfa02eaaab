//! How a command ends badly: an exit code that scripts rely on, and one sentence.

use crate::{
    cluster::{Class, Error},
    model::action::Outcome,
};

/// Exit codes.
pub(super) mod code {
    /// Done.
    pub(in super::super) const DONE: u8 = 0;
    /// Failed.
    pub(in super::super) const FAILED: u8 = 1;
    /// Wrong usage.
    pub(in super::super) const USAGE: u8 = 2;
    /// Answered, but some clusters could not be asked.
    pub(in super::super) const INCOMPLETE: u8 = 3;
    /// The precondition does not hold, or someone else changed it: nothing was written.
    pub(in super::super) const PRECONDITION: u8 = 4;
    /// Not permitted.
    pub(in super::super) const FORBIDDEN: u8 = 5;
    /// The outcome of a write is unknown, after reading back too.
    pub(in super::super) const UNKNOWN: u8 = 6;
    /// Compared, and something differs. (1, which other tools give for that, says here that nothing could be compared.)
    pub(in super::super) const DIFFERENT: u8 = 7;
    /// Interrupted.
    pub(in super::super) const INTERRUPTED: u8 = 130;
}

/// Why a command did not do what it was asked.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) code: u8,
    /// One sentence: what failed, where, what to do.
    pub(super) message: String,
}

impl Failure {
    /// With an exit code of [`code`].
    pub(super) fn new(code: u8, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// Something failed.
    pub(super) fn failed(message: impl Into<String>) -> Self {
        Self::new(code::FAILED, message)
    }

    /// What was typed cannot be meant.
    pub(super) fn usage(message: impl Into<String>) -> Self {
        Self::new(code::USAGE, message)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let code = match error.class {
            Class::Config => code::USAGE,
            Class::Forbidden => code::FORBIDDEN,
            _ => code::FAILED,
        };
        Self::new(code, error.to_string())
    }
}

/// The exit code of what came of a write.
pub(super) fn code_of(outcome: &Outcome) -> u8 {
    match outcome {
        Outcome::Done { .. } => code::DONE,
        Outcome::Moved { .. } => code::PRECONDITION,
        Outcome::Forbidden { .. } => code::FORBIDDEN,
        Outcome::Unknown { .. } => code::UNKNOWN,
        Outcome::Failed { .. } | Outcome::Panicked { .. } => code::FAILED,
    }
}
