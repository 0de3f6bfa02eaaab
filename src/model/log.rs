//! Lines of a pod's log, and what happens to the stream that brings them.

use jiff::Timestamp;

use super::key::{PodKey, Text};

/// One log to follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRequest {
    /// The pod.
    pub pod: PodKey,
    /// The container; empty: the only one, or the server's default.
    pub container: Text,
    /// Lines before now to begin with.
    pub tail: Option<u32>,
    /// The terminated instance instead of the running one.
    pub previous: bool,
    /// Whether to stay for what comes.
    pub follow: bool,
}

/// Why a log that is not followed ends when it has been read whole.
pub const END_OF_LOG: &str = "end of the log";

/// What a log stream brings.
#[derive(Clone, Debug, PartialEq)]
pub enum LogEvent {
    /// A line.
    Line(LogLine),
    /// Lines may be missing here; said in the stream, in words.
    Gap(Text),
    /// The stream ended, and will not come back: why ("completed", "pod deleted").
    Ended(Text),
}

/// One line.
#[derive(Clone, Debug, PartialEq)]
pub struct LogLine {
    /// The kubelet's time of the line.
    pub time: Option<Timestamp>,
    /// Its text: control characters other than SGR colours are shown escaped, never sent to the terminal.
    pub text: Text,
    /// Whether the line was longer than the limit and was cut.
    pub cut: bool,
}
