//! The pages that are no plain list.

pub(super) mod application;
pub(super) mod logs;
pub(super) mod tree;
