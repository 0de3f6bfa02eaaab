//! Wiring: the loop, the terminal, and the tasks that effects become.

pub mod console;
pub mod event_loop;
mod frame;
mod keys;
mod lifeline;
