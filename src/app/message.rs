//! What can happen to the program: data only, so that a session can be logged and replayed.

use crossterm::event::Event;
use jiff::Timestamp;

use crate::model::{
    acting::{Prepared, Right},
    action::Outcome,
    delta::Delta,
    diff::Report,
    edit::EditNews,
    forward::{ForwardNews, ForwardTarget},
    key::Text,
    log::LogEvent,
    object::ObjectNews,
    resource::ResourceKey,
    revision::Revision,
    tree::Tree,
    usage::Reading,
    why::Looked,
};

/// Names a piece of work that answers once. Counted up by the app; never reused.
pub type TaskId = u64;
/// Names a log stream.
pub type StreamId = u64;
/// Names a port-forward.
pub type ForwardId = u64;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// A key, a paste, a resize; with the time it was read.
    Input(Event, Timestamp),
    /// Changes of the world, in order.
    Deltas(Vec<Delta>),
    /// The log streams of a session brought something.
    Log(StreamId, Vec<LogEvent>),
    /// The step whose log was asked for has none of its own, or that cannot be looked up: why.
    NoStepLog(StreamId, Text),
    /// A forward stands otherwise.
    Forward(ForwardId, ForwardNews),
    /// The targets that a picker asked for; clusters that could not be asked, with the reason.
    Targets(TaskId, Vec<ForwardTarget>, Vec<String>),
    /// What was looked up of an application; or why it could not be.
    Tree(StreamId, Result<Box<Tree>, Text>),
    /// What is told of an object that is followed.
    Object(StreamId, Box<ObjectNews>),
    /// The revisions of an application, the newest first; or why they could not be looked up.
    Revisions(StreamId, Result<Vec<Revision>, Text>),
    /// What came of a comparison; or why nothing did.
    Compared(StreamId, Result<Box<Report>, Text>),
    /// What the pods of a namespace use.
    Usage(Reading),
    /// The program that the terminal was lent to is done.
    Returned(TaskId, Outcome),
    /// How far an edit has come.
    Edit(TaskId, Box<EditNews>),
    /// What was looked up for a chain; or why it could not be.
    Why(StreamId, Result<Box<Looked>, Text>),
    /// An object has been read, to be asked about; or why it could not be.
    Prepared(TaskId, Result<Box<Prepared>, Text>),
    /// Whether something is permitted, or what it needs.
    Reviewed(TaskId, ResourceKey, Right, Result<(), Text>),
    /// A task is done.
    Done(TaskId, Outcome),
    /// Time passed, and something on screen ages.
    Tick(Timestamp),
    /// The frame that shows the state after the last input has been written to the terminal.
    Drawn(Timestamp),
}
