//! Plain values that every floor speaks: no ratatui, kube or tokio.
//!
//! What crosses floors lives here: keys, rows, deltas, link states, actions and their outcomes. One place,
//! [`health`], decides how a thing stands; every view and every command asks it.

pub mod acting;
pub mod action;
pub mod age;
pub mod application;
pub mod apply;
pub mod approval;
pub mod audit;
pub mod cluster;
pub mod delta;
pub mod diff;
pub mod drift;
pub mod edit;
pub mod effective;
pub mod event;
pub mod forward;
pub mod health;
pub mod key;
pub mod log;
pub mod object;
pub mod pod;
pub mod problem;
pub mod resource;
pub mod revision;
pub mod selector;
pub mod shell;
pub mod text;
pub mod tree;
pub mod usage;
pub mod why;
