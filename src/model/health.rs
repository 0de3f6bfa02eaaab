//! How a thing stands: the one place that decides.

use jiff::Timestamp;

use super::key::{ClusterId, Text};

/// The classes of health, worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Health {
    /// Something is wrong and stays so without help.
    Failed,
    /// Nobody can say: the cluster does not answer, or the object is not readable.
    Unknown,
    /// Waits for a person.
    Waiting,
    /// On its way.
    Progressing,
    /// Not reached yet.
    Pending,
    /// As wanted.
    Ok,
    /// Was there, is not; counts only where the thing is still wanted.
    Gone,
}

impl Health {
    /// Every class, worst first.
    pub const ALL: [Self; 7] =
        [Self::Failed, Self::Unknown, Self::Waiting, Self::Progressing, Self::Pending, Self::Ok, Self::Gone];

    /// The word for it, in JSON output too.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Unknown => "unknown",
            Self::Waiting => "waiting",
            Self::Progressing => "progressing",
            Self::Pending => "pending",
            Self::Ok => "ok",
            Self::Gone => "gone",
        }
    }

    /// The worse of two.
    #[must_use]
    pub fn worst(self, other: Self) -> Self {
        self.min(other)
    }
}

/// How an application stands: the hub's word, the links and the live pods joined; the worst wins.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// The class.
    pub health: Health,
    /// STATUS in the user's words, without the age: "waiting for approval", "deploying to foo", "unhealthy 3/4".
    pub status: Text,
    /// Since when STATUS holds, where an age is told behind it.
    pub since: Option<Timestamp>,
    /// One sentence of why, where the state is not plain ("2/2 pods CrashLoopBackOff in us-e").
    pub reason: Option<Text>,
    /// Clusters it is meant to reach, each with its own class.
    pub clusters: Vec<ClusterStanding>,
    /// Services that are well.
    pub ready: u32,
    /// Services.
    pub total: u32,
    /// Steps done, steps in all.
    pub steps: (u32, u32),
    /// The step it stands at ("manual-approval"), when it stands at one.
    pub at_step: Option<Text>,
}

/// How an application stands in one cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct ClusterStanding {
    /// The cluster.
    pub cluster: ClusterId,
    /// The class.
    pub health: Health,
    /// Services that are well there.
    pub ready: u32,
    /// Services there.
    pub total: u32,
    /// Why it is not well.
    pub reason: Option<Text>,
}
