//! What an application made: its roots on the hub, and in every cluster it reaches the objects around them; looked up
//! once, or followed while somebody looks.
//!
//! **What is asked.** On the hub the application, its trackers and the operator's rules (three requests). In each
//! cluster with a root its discovery (two requests, or one for each group of APIs where the server is older than 1.26)
//! and one paged list for each kind that is served there in each namespace that holds a root or what a release made
//! elsewhere; cluster-scoped kinds by the labels of the releases (by no label where a root itself is in no namespace).
//! No request is made for a node; objects that belong to nobody in the tree are read over. An opened tree thus costs
//! 3 + clusters × (2 + kinds × namespaces) requests, whatever its size. Of Secrets only metadata is asked for. Events
//! and Leases, which own nothing and are many, are left out.
//!
//! **What is followed.** The application and its trackers are watched on the hub. In each cluster the kinds that stand
//! in the tree are watched in their namespaces, and with them those that bear others (pods, ReplicaSets, Deployments,
//! Jobs, …), at most 16 watches in a cluster and some 320 in all (never less than 4 in a cluster). Everything else,
//! and what cannot be watched, is listed anew every 30 s (more seldom where that would be more than one list a second
//! in a cluster), and 2 s after a release changed. A version that is too old (410) is listed anew at once.
//!
//! **Nobody waits for anybody.** Clusters are asked side by side, each with a deadline of its own; what has come is
//! shown, and of the rest is said that it is still asked. Changes are gathered to at most five pictures a second,
//! assembled by a task of their own. A cluster whose link fails keeps what was last known of it, marked unknown, and is
//! asked anew when it answers again. Dropping [`follow`] ends every request and every watch.

use std::time::Duration;

use tokio::sync::mpsc;

use super::{
    error::{Class, Error},
    hub::Hub,
    supervisor::Links,
};
use crate::model::{
    key::{AppKey, Text},
    tree::{Found, Tree},
};
use focus::Focus;

#[cfg(test)]
mod fixtures;
mod focus;
mod member;
mod news;
mod question;
mod roots;
mod rules;
mod wanted;

/// Looks up what an application made, once.
///
/// # Errors
/// Where the application cannot be read. A cluster that does not answer is no error: it is told in the answer.
pub async fn look_up(hub: &Hub, app: &AppKey, deadline: Duration) -> Result<Found, Error> {
    let mut focus = Focus::new(hub, None, app, deadline, true);
    loop {
        if focus.news().await {
            focus.picture().map_err(|reason| Error::new(Class::Other, &*reason))?;
            if focus.is_complete() {
                return Ok(focus.all());
            }
        }
    }
}

/// Follows what an application made: tells each picture that differs from the one before, the first as soon as anything
/// is known; the error says why the application cannot be read. Runs until nobody listens, or it is dropped.
pub async fn follow(
    hub: Hub,
    links: Option<Links>,
    app: AppKey,
    deadline: Duration,
    tell: mpsc::Sender<Result<Box<Tree>, Text>>,
) {
    let focus = Focus::new(&hub, links, &app, deadline, false);
    focus::follow(focus, tell).await;
}
