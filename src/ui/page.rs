//! The pages that are no plain list.

pub(super) mod application;
pub(super) mod diff;
pub(super) mod events;
pub(super) mod logs;
pub(super) mod object;
pub(super) mod tree;
pub(super) mod why;
