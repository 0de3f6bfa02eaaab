//! What is said among the lines of a log, and why a log ends: the words are here and nowhere else.

use std::fmt;

use jiff::{Timestamp, tz::TimeZone};

use crate::model::key::Text;

/// Something about a source's lines, said where it stands among them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gap {
    /// The stream broke and was opened again, and the line that was the last is not kept any more: what was written
    /// in between and rotated away is not known.
    Resumed {
        /// When the stream was back.
        at: Timestamp,
        /// Seconds of which lines may be missing; at least one.
        missing: u64,
        /// Why it broke.
        reason: Text,
    },
    /// So many lines stood here and were given up, because who shows them did not keep up.
    Dropped {
        /// How many, exactly.
        lines: u64,
    },
    /// The container was started again.
    Restarted {
        /// How often since the last time this was said.
        times: u64,
        /// How the last instance ended, where that is known.
        exit: Option<Exit>,
        /// Whether instances came and went whose lines are not here.
        missing: bool,
    },
    /// The container does not run (yet, or any more): why.
    Waiting(Text),
    /// The end of the instance before the restart could not be read: why.
    Unread(Text),
}

impl Gap {
    /// What is said, without the source. Times of day are in that zone.
    pub fn words(&self, zone: &TimeZone) -> String {
        match self {
            Self::Resumed { at, missing, reason } => {
                let at = at.to_zoned(zone.clone()).strftime("%H:%M:%S").to_string();
                format!("resumed {at}, {missing} s may be missing ({reason})")
            }
            Self::Dropped { lines: 1 } => "1 line dropped here: the view could not keep up".to_owned(),
            Self::Dropped { lines } => {
                format!("{} lines dropped here: the view could not keep up", grouped(*lines))
            }
            Self::Restarted { times, exit, missing } => {
                let exit = exit.as_ref().map(|exit| format!(" ({exit})")).unwrap_or_default();
                let times = if *times > 1 { format!(" {times} times") } else { String::new() };
                let missing = if *missing { ": lines are missing" } else { "" };
                format!("container restarted{times}{exit}{missing}")
            }
            Self::Waiting(why) => format!("waiting: {why}"),
            Self::Unread(why) => format!("the end of the instance before cannot be read: {why}"),
        }
    }

    /// One word for it, for machines.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Resumed { .. } => "resumed",
            Self::Dropped { .. } => "dropped",
            Self::Restarted { .. } => "restarted",
            Self::Waiting(_) => "waiting",
            Self::Unread(_) => "unread",
        }
    }

    /// Whether lines are missing here, or may be.
    pub fn misses_lines(&self) -> bool {
        match self {
            Self::Resumed { .. } | Self::Dropped { .. } | Self::Unread(_) => true,
            Self::Restarted { missing, .. } => *missing,
            Self::Waiting(_) => false,
        }
    }
}

/// How a container ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exit {
    /// `exitCode`.
    pub code: i64,
    /// `reason`, where it says more than the code does: `OOMKilled`, `ContainerCannotRun`. May be empty.
    pub reason: Text,
}

impl fmt::Display for Exit {
    /// "error 137 OOMKilled", "completed 0".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.code == 0 { "completed" } else { "error" };
        write!(f, "{word} {}", self.code)?;
        if self.reason.is_empty() { Ok(()) } else { write!(f, " {}", self.reason) }
    }
}

/// Why a stream ended for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// It was not to be followed, and has been read whole.
    Read,
    /// The container ended, and is not started again.
    Exited(Exit),
    /// The pod is over, in the words of its phase ("succeeded", "failed"), and nothing more is known.
    PodOver(Text),
    /// The pod is gone.
    PodDeleted,
    /// The cluster is not joined any more.
    ClusterLost,
    /// Not permitted: what is needed, in words.
    Denied(Text),
    /// It was not to be followed, and could not be read to its end: why.
    Failed(Text),
    /// The server refuses for good, in its words.
    Refused(Text),
    /// lateen itself broke at it.
    Broken(Text),
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read => f.write_str("end of the log"),
            Self::Exited(exit) => write!(f, "{exit}"),
            Self::PodOver(phase) => write!(f, "pod {phase}"),
            Self::PodDeleted => f.write_str("pod deleted"),
            Self::ClusterLost => f.write_str("cluster lost: it is not joined any more"),
            Self::Failed(why) => write!(f, "not read to its end: {why}"),
            Self::Denied(why) | Self::Refused(why) | Self::Broken(why) => f.write_str(why),
        }
    }
}

impl End {
    /// One word for it, for machines.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Exited(_) => "exited",
            Self::PodOver(_) => "over",
            Self::PodDeleted => "deleted",
            Self::ClusterLost => "lost",
            Self::Denied(_) => "denied",
            Self::Failed(_) => "failed",
            Self::Refused(_) => "refused",
            Self::Broken(_) => "broken",
        }
    }
}

/// `1204` → `1,204`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_says_what_may_be_missing() {
        let words = |gap: Gap| gap.words(&TimeZone::UTC);
        let at = "2026-11-23T10:41:19.4Z".parse().unwrap();
        assert_eq!(
            words(Gap::Resumed { at, missing: 12, reason: "cluster unreachable".into() }),
            "resumed 10:41:19, 12 s may be missing (cluster unreachable)"
        );
        assert_eq!(words(Gap::Dropped { lines: 3210 }), "3,210 lines dropped here: the view could not keep up");
        assert_eq!(words(Gap::Dropped { lines: 1 }), "1 line dropped here: the view could not keep up");
        let exit = Some(Exit { code: 137, reason: "OOMKilled".into() });
        assert_eq!(
            words(Gap::Restarted { times: 1, exit, missing: false }),
            "container restarted (error 137 OOMKilled)"
        );
        assert_eq!(
            words(Gap::Restarted { times: 3, exit: None, missing: true }),
            "container restarted 3 times: lines are missing"
        );
    }

    #[test]
    fn an_end_says_why() {
        assert_eq!(End::Exited(Exit { code: 0, reason: "".into() }).to_string(), "completed 0");
        assert_eq!(End::Exited(Exit { code: 137, reason: "OOMKilled".into() }).to_string(), "error 137 OOMKilled");
        assert_eq!(End::PodDeleted.to_string(), "pod deleted");
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!([0, 999, 1000, 12_345_678].map(grouped), ["0", "999", "1,000", "12,345,678"]);
    }
}
