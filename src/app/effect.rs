//! Work that `update` asks for and the runtime performs.

use crate::model::{
    acting::{Right, Verb},
    action::Action,
    application::Placement,
    diff::Comparison,
    edit::DraftRequest,
    event::EventScope,
    forward::ForwardTarget,
    key::{AppKey, ClusterId, Text},
    log::{LogRequest, LogTarget},
    object::{ObjectRequest, Private},
    pod::Pod,
    resource::ResourceKey,
    shell::ShellRequest,
    why::Subject,
};

use super::message::{ForwardId, StreamId, TaskId};

/// One piece of work.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Leave.
    Quit,
    /// Stop the process as Ctrl-Z does; drawn anew on return.
    Suspend,
    /// Write the whole screen anew.
    Redraw,
    /// List everything again, now.
    Resync,
    /// Look for what can be forwarded to of an application; answers `Targets`.
    FindTargets {
        /// Names the work.
        task: TaskId,
        /// The application.
        app: AppKey,
        /// Where it deploys to.
        places: Vec<Placement>,
        /// Its pods, as far as they are known.
        pods: Vec<Pod>,
    },
    /// Open a forward; answers `Forward`, repeatedly. Port 0: any free one.
    StartForward {
        /// Its name.
        id: ForwardId,
        /// Where to.
        target: ForwardTarget,
        /// The local port to try first; a free one is taken when it is in use.
        local_port: u16,
    },
    /// Close a forward.
    StopForward(ForwardId),
    /// Follow logs, of those pods to begin with; answers `Log`, repeatedly. What a selector or a workload's own
    /// selector finds joins by itself.
    FollowLogs(StreamId, Box<LogRequest>, Vec<LogTarget>),
    /// Follow the logs of these pods too; those that are followed already stay as they are, and so do those that are
    /// not among them.
    JoinLogs(StreamId, Vec<LogTarget>),
    /// Stop following.
    StopLogs(StreamId),
    /// Look up what an application made, again and again; answers `Tree` when that has changed.
    WatchTree(StreamId, AppKey),
    /// Stop looking.
    StopTree(StreamId),
    /// Follow one object; answers `Object`, repeatedly.
    WatchObject(StreamId, ObjectRequest),
    /// Stop following.
    StopObject(StreamId),
    /// Watch events; they come as changes of the world.
    WatchEvents(StreamId, EventScope),
    /// Watch those no longer: what nobody else watches is let go.
    StopEvents(StreamId),
    /// Look up the revisions of an application, again and again; answers `Revisions` when they have changed.
    WatchRevisions(StreamId, AppKey),
    /// Stop looking.
    StopRevisions(StreamId),
    /// Compare; answers `Compared`: once of revisions, again and again of what is there now.
    Compare(StreamId, Comparison),
    /// Stop comparing.
    StopCompare(StreamId),
    /// Read what the pods of these namespaces use; answers `Usage` for each.
    ReadUsage(Vec<(ClusterId, Text)>),
    /// Give the terminal to another program; answers `Returned`. Nothing is drawn or read meanwhile.
    Lend(TaskId, Loan),
    /// Save text to a file of that name, or one like it where that is taken; answers `Done`.
    Save(TaskId, String, Private),
    /// Fetch an object to be edited, as a draft; answers `Edit`.
    Draft(TaskId, Box<DraftRequest>),
    /// Throw the draft of an object away.
    DiscardDraft(ResourceKey),
    /// Look up what the chain to a cause needs, again and again; answers `Why` when that has changed.
    WatchWhy(StreamId, Subject),
    /// Stop looking.
    StopWhy(StreamId),
    /// Read an object, and whether these may be done to it; answers `Prepared`.
    Prepare(TaskId, ResourceKey, Vec<Verb>),
    /// Ask whether something is permitted; answers `Reviewed`.
    Review(TaskId, ResourceKey, Right),
    /// Perform a write; answers `Done`.
    Act(TaskId, Action),
    /// Put text into the clipboard; answers `Done` with what was done.
    Copy(TaskId, String),
    /// Ring the bell.
    Bell,
}

/// What the terminal is given to.
#[derive(Clone, Debug, PartialEq)]
pub enum Loan {
    /// The operator's editor, on the draft of an object. What came of it is told by `Edit`.
    Draft(ResourceKey),
    /// The operator's pager or editor, on a copy of a text under a name.
    View(Viewer, String, Private),
    /// A shell in a container.
    Shell(ShellRequest),
}

/// What a text is looked at with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Viewer {
    /// `$PAGER`.
    Pager,
    /// `$KUBE_EDITOR`, `$VISUAL`, `$EDITOR`.
    Editor,
}
