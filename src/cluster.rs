//! The outside: watches, logs, forwards and writes, on kube and tokio.
//!
//! Everything here turns the API servers' answers into the alphabet of [`crate::model`] and never keeps an object:
//! a watch task projects each object to a row and sends the row. The way in is [`hub::Hub`] (whom to talk to, and a
//! client for every joined cluster), [`supervisor::Session`] (what is watched, for whom, how many) and
//! [`feed`] (the channel to the loop, which never makes a watch wait for the screen).
//!
//! What is asked, and with how many sockets: on the hub, Applications in all namespaces (one watch; where that is not
//! permitted one for each namespace that is) and `virtualclusters` (polled: it has no watch); in each joined cluster a
//! probe every 5 s, labelled pods (one watch), and one watch for each namespace that Helm releases or plain objects of
//! applications are deployed to. Events are watched only while somebody looks at them.

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    time::Duration,
};

pub mod actions;
pub mod drift;
pub mod edit;
pub mod error;
pub mod feed;
pub mod forward;
pub mod hub;
pub mod logs;
pub mod object;
pub mod project;
pub mod request;
pub mod revisions;
pub mod shell;
pub mod supervisor;
pub mod tree;
pub mod usage;
pub mod why;

mod applications;
mod asking;
mod clusters;
mod describe;
mod descriptors;
mod discovery;
mod events;
mod interest;
mod items;
mod lines;
mod link;
mod member;
mod namespaces;
mod pods;
mod probe;
mod proxy;
mod pruned;
mod release;
mod trackers;
mod watch;

pub use error::{Class, Error};
pub use hub::{Connect, Hub};
pub use supervisor::{NamespaceScope, Session};

/// A random share of a duration, so that many do not do the same in the same millisecond.
fn jitter(up_to: Duration) -> Duration {
    // Keys of a hash map are random, and that is all the randomness needed.
    let random = RandomState::new().build_hasher().finish();
    up_to.mul_f64((random >> 11) as f64 / (1u64 << 53) as f64)
}
