//! Asks one cluster whether it is there: `/readyz`, every 5 s, with a deadline; faster while it is not.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use kube::Client;
use serde::Deserialize;
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep},
};

use super::{asking::Gate, error::Class, jitter, link::Probed, request, supervisor::Event, watch::jitter_around};
use crate::model::key::ClusterId;

/// Between probes of a cluster that answers.
const EVERY: Duration = Duration::from_secs(5);
/// Between probes of one that does not, ± 20 %.
const WHILE_LOST: Duration = Duration::from_secs(2);
/// Between probes of one that refuses.
const WHILE_REFUSED: Duration = Duration::from_secs(30);
/// Time for an answer.
const DEADLINE: Duration = Duration::from_secs(3);
/// A failure that takes less is quick.
const QUICK: Duration = Duration::from_secs(1);
/// How much later a quick failure is looked at again before it counts: a pooled connection may just have been closed.
const SECOND_LOOK: Duration = Duration::from_millis(300);

/// A loss is said within 10 s, also where the cluster dies just after it answered and the second look hangs.
const _: () = {
    let quick = EVERY.as_millis() + QUICK.as_millis() + SECOND_LOOK.as_millis() + DEADLINE.as_millis();
    assert!(quick < 10_000 && EVERY.as_millis() + DEADLINE.as_millis() < 10_000);
};

/// Who is probed, and how.
pub(crate) struct Probe {
    pub(crate) cluster: ClusterId,
    pub(crate) client: Client,
    /// The hub's gate: a member behind a hub that does not answer is not probed. None for the hub itself.
    pub(crate) hub: Option<watch::Receiver<Gate>>,
    pub(crate) events: mpsc::UnboundedSender<Event>,
    pub(crate) resync: watch::Receiver<u64>,
}

#[derive(Deserialize)]
struct Version {
    #[serde(rename = "gitVersion", default)]
    git_version: String,
}

impl Probe {
    /// Probes until dropped: one request at a time.
    pub(crate) async fn run(mut self) {
        let mut version_known = false;
        let mut answered = false;
        loop {
            if self.hub.as_ref().is_some_and(|hub| !hub.borrow().up) {
                let at = Timestamp::now();
                let refused = self.hub.as_ref().is_some_and(|hub| hub.borrow().refused);
                let reason = if refused { "the hub refuses the login" } else { "the hub does not answer" };
                let lost = Probed::Lost { at, next_try: at, reason: reason.into() };
                self.tell(lost);
                answered = false;
                if let Some(hub) = &mut self.hub {
                    // The sender lives as long as the supervisor, and this task no longer than that.
                    let _ = hub.wait_for(|gate| gate.up).await;
                }
                // Not every cluster in the same millisecond.
                sleep(jitter(Duration::from_millis(300))).await;
            }
            let mut probed = self.look().await;
            if answered && matches!(&probed, (Probed::Lost { .. }, took) if *took < QUICK) {
                sleep(SECOND_LOOK).await;
                probed = self.look().await;
            }
            let (mut probed, _) = probed;
            let pause = match &mut probed {
                Probed::Answered { .. } => EVERY,
                Probed::Refused { .. } => WHILE_REFUSED,
                Probed::Lost { at, next_try, .. } => {
                    let pause = jitter_around(WHILE_LOST);
                    *next_try = later(*at, pause);
                    pause
                }
            };
            answered = matches!(probed, Probed::Answered { .. });
            self.tell(probed);
            // Beside the pause, so that a cluster that hangs just now is not noticed later for it.
            let version = {
                let asked = answered && !version_known;
                let (cluster, client, events) = (self.cluster.clone(), self.client.clone(), self.events.clone());
                async move {
                    if asked { ask_version(cluster, &client, &events).await } else { std::future::pending().await }
                }
            };
            tokio::pin!(version);
            let hub_changes = async {
                match &mut self.hub {
                    Some(hub) => drop(hub.wait_for(|gate| !gate.up).await),
                    None => std::future::pending().await,
                }
            };
            let pausing = async {
                tokio::select! {
                    () = sleep(pause) => {}
                    () = hub_changes => {}
                    _ = self.resync.changed() => {}
                }
            };
            tokio::pin!(pausing);
            tokio::select! {
                () = &mut pausing => {}
                known = version => {
                    version_known = known;
                    pausing.await;
                }
            }
        }
    }

    async fn look(&self) -> (Probed, Duration) {
        let begun = Instant::now();
        let answer = request::get(&self.client, "/readyz", "*/*", 64 * 1024, DEADLINE).await;
        let latency = begun.elapsed();
        let at = Timestamp::now();
        let answers = |unready| Probed::Answered { latency, at, unready };
        let probed = match answer {
            Ok(_) => answers(None),
            Err(error) => match error.class {
                Class::Forbidden if error.message.contains("clustergateways") => {
                    Probed::Refused { at, reason: error.message }
                }
                Class::Unauthorized if self.cluster.is_local() => Probed::Refused {
                    at,
                    reason: "401 Unauthorized: your login to the hub has expired or is not accepted; log in again"
                        .into(),
                },
                Class::Unauthorized if !error.sent => Probed::Refused { at, reason: error.message },
                // The hub's own probe has passed: it is the member that says no, to the credential it was joined with.
                Class::Unauthorized => Probed::Refused {
                    at,
                    reason: format!(
                        "401 from {}: the credential it was joined with has expired or is not accepted; join it again",
                        self.cluster
                    ),
                },
                // Whoever refuses or does not know a path is there.
                Class::Forbidden | Class::NotFound | Class::Invalid | Class::Busy => answers(None),
                Class::Other if error.sent => answers(Some(format!("/readyz: {}", error.message))),
                _ => Probed::Lost { at, next_try: at, reason: error.message },
            },
        };
        (probed, latency)
    }

    fn tell(&self, probed: Probed) {
        // Nobody listens any more only when this task is about to end.
        let _ = self.events.send(Event::Probed(self.cluster.clone(), probed));
    }
}

/// Asks for the API server's version; whether that need not be asked again.
async fn ask_version(cluster: ClusterId, client: &Client, events: &mpsc::UnboundedSender<Event>) -> bool {
    match request::get_json::<Version>(client, "/version", DEADLINE).await {
        Ok(version) => {
            let version = super::error::one_line(&version.git_version);
            // Nobody listens any more only when this task is about to end.
            let _ = events.send(Event::Version(cluster, version.into()));
            true
        }
        // Not permitted or not there: not worth asking at every probe.
        Err(error) => matches!(error.class, Class::Forbidden | Class::NotFound),
    }
}

fn later(at: Timestamp, pause: Duration) -> Timestamp {
    SignedDuration::try_from(pause).ok().and_then(|pause| at.checked_add(pause).ok()).unwrap_or(at)
}
