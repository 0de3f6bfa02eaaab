//! What an operator does to the world, and what came of it.

use super::{
    acting::ObjectWrite,
    apply::Manifest,
    edit::Editing,
    key::{AppKey, ClusterId, Text},
};

/// A write, with everything that was on screen when it was confirmed.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Resume a suspended workflow.
    Approve(Approval),
    /// Make an application what a manifest says.
    Apply(Box<Applying>),
    /// Make an object what a draft of it says.
    Edit(Box<Editing>),
    /// Delete an application, and with it what it made.
    Delete(Deletion),
    /// Restart, scale or delete one object in a cluster.
    Object(Box<ObjectWrite>),
}

/// The approval of one or all waiting steps of an application, with the preconditions to be held by a fresh read.
#[derive(Clone, Debug, PartialEq)]
pub struct Approval {
    /// The application.
    pub app: AppKey,
    /// `metadata.uid` on screen.
    pub uid: Text,
    /// `metadata.generation` on screen.
    pub generation: i64,
    /// `status.workflow.appRevision` on screen.
    pub app_revision: Text,
    /// `metadata.resourceVersion` on screen: for the audit; the write uses that of the fresh read.
    pub resource_version: Text,
    /// The steps to resume, by id and name; empty resumes a workflow that was suspended without any step waiting.
    pub steps: Vec<StepRef>,
    /// Clusters that what follows reaches, for the audit.
    pub clusters: Vec<ClusterId>,
}

/// A manifest to apply, with what was there when it was confirmed.
#[derive(Clone, Debug, PartialEq)]
pub struct Applying {
    /// The application.
    pub app: AppKey,
    /// What it is to become.
    pub manifest: Manifest,
    /// What was there; `None`: nothing.
    pub seen: Option<Seen>,
    /// Have the server check it, and store nothing (`dryRun=All`).
    pub dry_run: bool,
}

/// An application as it was read before it was to be changed.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// `metadata.uid`.
    pub uid: Text,
    /// `metadata.generation`.
    pub generation: i64,
    /// `metadata.resourceVersion`.
    pub resource_version: Text,
    /// The merge patch that it needs; `None`: it is as the manifest says.
    pub patch: Option<serde_json::Value>,
}

/// The deletion of an application, with what was on screen when it was confirmed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deletion {
    /// The application.
    pub app: AppKey,
    /// `metadata.uid` on screen.
    pub uid: Text,
    /// `metadata.resourceVersion` on screen, for the audit.
    pub resource_version: Text,
}

/// A step as it was on screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepRef {
    /// `id`.
    pub id: Text,
    /// `name`.
    pub name: Text,
}

/// What came of a piece of work.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Done: one sentence, and the exact inverse where one exists.
    Done {
        /// What was done.
        message: Text,
    },
    /// The precondition does not hold any more, or someone was faster: nothing was written.
    Moved {
        /// What holds now, and by whom where known.
        message: Text,
    },
    /// Not permitted: which verb on which resource.
    Forbidden {
        /// The refusal.
        message: Text,
    },
    /// Refused or failed: nothing was written.
    Failed {
        /// What failed, where, what to do.
        message: Text,
    },
    /// Sent, and no answer came; reading back did not tell either.
    Unknown {
        /// What is known.
        message: Text,
    },
    /// The task itself broke.
    Panicked {
        /// Its last words.
        message: Text,
    },
}

impl Outcome {
    /// The sentence to show.
    pub fn message(&self) -> &Text {
        match self {
            Self::Done { message }
            | Self::Moved { message }
            | Self::Forbidden { message }
            | Self::Failed { message }
            | Self::Unknown { message }
            | Self::Panicked { message } => message,
        }
    }

    /// Whether it went as wanted.
    pub fn is_done(&self) -> bool {
        matches!(self, Self::Done { .. })
    }
}
