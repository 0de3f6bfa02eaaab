//! Wiring: the loop, the terminal, and the tasks that effects become.

pub mod audit;
mod clipboard;
mod compare;
pub mod console;
pub mod dashboard;
mod drafts;
mod editing;
pub mod event_loop;
mod frame;
mod keys;
mod lifeline;
mod loan;
pub mod logging;
mod logs;
mod panic;
mod relay;
pub mod session;
mod state_dir;
pub mod work;

pub use state_dir::state_dir;
