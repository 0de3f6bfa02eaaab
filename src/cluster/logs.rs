//! Logs, followed: many containers in many clusters at once, none of whose lines is lost unsaid or told twice.
//!
//! A [`Session`] finds the containers that a [`LogRequest`](crate::model::log::LogRequest) means and follows each by a
//! stream of its own (`stream`, over `frame`, `line`, and `told`, which knows what came before a break), as many at a
//! time as are allowed. What they bring goes through a [`Queue`] that is bounded in bytes; there it is decided, and
//! counted, which lines are given up when who shows them does not keep up.
//!
//! What is asked: of each pod itself once, and its log; the pod again when its log ends or breaks. Each log is a
//! connection of its own: one that nobody reads would hold up whatever shares it.

mod container;
mod finder;
mod frame;
mod line;
mod queue;
mod session;
mod step;
mod stream;
mod told;

pub use queue::{Overflow, Queue};
pub use session::{Clients, Outlets, STREAMS, Session};
pub use step::of_step;
