//! The one-shot commands as scripts use them: the real binary against an estate in this process.
#![cfg(feature = "demo")]
#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

#[path = "cli/approve.rs"]
mod approve;
#[path = "cli/events.rs"]
mod events;
#[path = "cli/exit_codes.rs"]
mod exit_codes;
#[path = "cli/forward.rs"]
mod forward;
#[path = "cli/get.rs"]
mod get;
#[path = "cli/journey.rs"]
mod journey;
#[path = "cli/logs.rs"]
mod logs;
#[path = "cli/problems.rs"]
mod problems;
#[path = "cli/revisions.rs"]
mod revisions;
#[path = "support/scripted.rs"]
mod scripted;
#[path = "cli/stage.rs"]
mod stage;
#[path = "support/terminal.rs"]
mod terminal;
#[path = "cli/tree.rs"]
mod tree;
#[path = "cli/watch.rs"]
mod watch;
#[path = "cli/writes.rs"]
mod writes;
