//! Behaviour, pure: keys and messages in, state and effects out.

pub mod effect;
pub mod message;
