//! The outside: watches, logs, forwards and writes, on kube and tokio.
//!
//! Everything here turns the API servers' answers into the alphabet of [`crate::model`] and never keeps an object:
//! a watch task projects each object to a row and sends the row. The way in is [`hub::Hub`] (whom to talk to, and a
//! client for every joined cluster), `supervisor::Session` (what is watched, for whom, how many) and
//! [`feed`] (the channel to the loop, which never makes a watch wait for the screen).

pub mod error;
pub mod feed;
pub mod hub;
pub mod project;
pub mod request;

pub use error::{Class, Error};
