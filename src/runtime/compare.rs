//! Revisions and comparisons while they are in sight: looked up, and told when they have changed.

use std::time::Duration;

use tokio::{
    sync::mpsc,
    time::{Instant, sleep},
};

use crate::{
    app::message::{Message, StreamId},
    cluster::{Error, Hub, drift, revisions},
    model::{
        diff::{Comparison, Report},
        key::AppKey,
    },
};

/// Between two looks at revisions, which are few and change seldom; longer where a look takes long.
const REVISIONS_EVERY: Duration = Duration::from_secs(5);
/// Between two looks at what is there now: a request for each object.
const DRIFT_EVERY: Duration = Duration::from_secs(10);
/// Time for one answer.
const DEADLINE: Duration = Duration::from_secs(10);

/// Looks up the revisions of an application until it is dropped.
pub(super) async fn watch_revisions(hub: Hub, id: StreamId, app: AppKey, messages: mpsc::Sender<Message>) {
    let mut told = None;
    loop {
        let begun = Instant::now();
        let answer = revisions::list(&hub, &app, DEADLINE).await.map_err(|error| error.message.into());
        let took = begun.elapsed();
        // What has not changed need not be drawn.
        if told.as_ref() != Some(&answer) {
            if messages.send(Message::Revisions(id, answer.clone())).await.is_err() {
                return;
            }
            told = Some(answer);
        }
        sleep(REVISIONS_EVERY.max(took * 4)).await;
    }
}

/// Compares: revisions once, since they never change; what is there now until it is dropped.
pub(super) async fn compare(hub: Hub, id: StreamId, asked: Comparison, messages: mpsc::Sender<Message>) {
    let mut told = None;
    loop {
        let begun = Instant::now();
        let answer = once(&hub, &asked).await.map(Box::new).map_err(|error| error.message.into());
        let took = begun.elapsed();
        let is_final = answer.is_ok() && !matches!(asked, Comparison::Drift(..) | Comparison::Live(..));
        if told.as_ref() != Some(&answer) {
            if messages.send(Message::Compared(id, answer.clone())).await.is_err() {
                return;
            }
            told = Some(answer);
        }
        if is_final {
            return;
        }
        sleep(DRIFT_EVERY.max(took * 4)).await;
    }
}

async fn once(hub: &Hub, asked: &Comparison) -> Result<Report, Error> {
    match asked {
        Comparison::Revision(app, name) => revisions::show(hub, app, name, DEADLINE).await,
        Comparison::Revisions(app, first, second) => revisions::compare(hub, app, first, second, DEADLINE).await,
        Comparison::Live(app, name) => revisions::compare_live(hub, app, name, DEADLINE).await,
        Comparison::Drift(app, secrets) => drift::look_up(hub, app, *secrets, DEADLINE).await,
    }
}
