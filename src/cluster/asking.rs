//! What every question in a cluster shares: its client, the gate it waits at, the permits it lists under.

use std::{
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use kube::Client;
use tokio::sync::{Semaphore, mpsc, watch};

use super::{error::Error, feed::Feed, request, supervisor::Event};
use crate::model::key::ClusterId;

/// The largest page taken; a larger one is asked for in smaller pages.
const PAGE_BYTES: usize = 64 * 1024 * 1024;
/// Time that a page may take.
const PAGE_DEADLINE: Duration = Duration::from_secs(60);

/// Whether a cluster may be asked. Counts up each time the cluster comes back: what was open before is then suspect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Gate {
    pub(crate) up: bool,
    /// Whether it is closed because the cluster answers, and refuses.
    pub(crate) refused: bool,
    pub(crate) returns: u64,
}

/// Lists that may run at once: in one cluster, and in all.
#[derive(Clone)]
pub(crate) struct Permits {
    cluster: Arc<Semaphore>,
    all: Arc<Semaphore>,
}

impl Permits {
    /// Permits of a cluster under those of all.
    pub(crate) fn under(all: &Arc<Semaphore>) -> Self {
        Self { cluster: Arc::new(Semaphore::new(2)), all: Arc::clone(all) }
    }
}

/// What every question in a cluster shares.
#[derive(Clone)]
pub(crate) struct Asking {
    pub(crate) cluster: ClusterId,
    pub(crate) client: Client,
    pub(crate) gate: watch::Receiver<Gate>,
    pub(crate) permits: Permits,
    pub(crate) feed: Feed,
    pub(crate) events: mpsc::UnboundedSender<Event>,
    pub(crate) resync: watch::Receiver<u64>,
    pub(crate) epochs: Arc<AtomicU64>,
    pub(crate) deadline: Duration,
}

impl Asking {
    /// Waits until the cluster answers probes.
    pub(crate) async fn up(&mut self) {
        // The sender lives as long as the supervisor, and this task no longer than that.
        let _ = self.gate.wait_for(|gate| gate.up).await;
    }

    /// An answer under the permits: taken while the link is up, released when the answer is read.
    pub(crate) async fn list(&mut self, uri: &str, accept: &str) -> Result<bytes::Bytes, Error> {
        self.up().await;
        let _cluster = self.permits.cluster.acquire().await;
        let _all = self.permits.all.acquire().await;
        request::get(&self.client, uri, accept, PAGE_BYTES, PAGE_DEADLINE).await
    }

    /// The same, an object at a time; the answer is what surrounded them.
    pub(crate) async fn list_each(
        &mut self,
        uri: &str,
        accept: &str,
        each: impl FnMut(&[u8]) + Send,
    ) -> Result<Vec<u8>, Error> {
        self.up().await;
        let _cluster = self.permits.cluster.acquire().await;
        let _all = self.permits.all.acquire().await;
        request::list(&self.client, uri, accept, PAGE_BYTES, PAGE_DEADLINE, each).await
    }
}
