//! The whole of behaviour and picture, without a terminal.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails so")]

#[path = "ui/acting.rs"]
mod acting;
#[path = "ui/beside.rs"]
mod beside;
#[path = "ui/events.rs"]
mod events;
#[path = "ui/keys.rs"]
mod keys;
#[path = "ui/logs.rs"]
mod logs;
#[path = "ui/object.rs"]
mod object;
#[path = "ui/picture.rs"]
mod picture;
#[path = "ui/revisions.rs"]
mod revisions;
#[path = "ui/screens.rs"]
mod screens;
#[path = "ui/session.rs"]
mod session;
#[path = "ui/tree.rs"]
mod tree;
#[path = "ui/tree_keys.rs"]
mod tree_keys;
#[path = "ui/usage.rs"]
mod usage;
#[path = "ui/why.rs"]
mod why;
