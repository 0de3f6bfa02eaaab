//! The clusters of one estate and what they share.

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use super::ctl::CONTROL;
use super::kinds::{self, FLUX, KINDS, Kind, VELA};
use super::link::Link;
use super::pods::log::Appended;
use super::store::{Deletion, Object, Store, mix};
use super::tls::Authority;
use super::traffic::Counters;
use super::{Error, GATEWAY, HUB, MEMBER, Options, metrics};

/// One simulated cluster.
#[derive(Debug)]
pub(crate) struct Cluster {
    /// `local` for the hub, else the name it is joined under.
    pub(crate) name: String,
    /// Where its own API server listens.
    pub(crate) addr: SocketAddr,
    pub(crate) link: Link,
    pub(crate) store: Arc<Store>,
    pub(crate) counters: Counters,
    /// Lines put into its pods' logs.
    pub(crate) appended: Appended,
    /// The groups beyond Kubernetes' own that are installed.
    installed: RwLock<BTreeSet<&'static str>>,
    /// Kinds whose CustomResourceDefinition was deleted, by their place among [`kinds::KINDS`].
    deleted: RwLock<BTreeSet<usize>>,
    /// Kinds that nobody from outside may have to do with.
    forbidden: RwLock<BTreeSet<usize>>,
}

/// Groups that a bare cluster does not have.
const OPTIONAL: [&str; 5] = [VELA, FLUX[0], FLUX[1], FLUX[2], metrics::GROUP];

impl Cluster {
    pub(crate) fn url(&self) -> String {
        format!("https://{}", self.addr)
    }

    pub(crate) fn is_hub(&self) -> bool {
        self.name == HUB
    }

    /// Whether the kind is installed here.
    pub(crate) fn serves(&self, kind: &Kind) -> bool {
        let is_there = !OPTIONAL.contains(&kind.group)
            || self.installed.read().unwrap_or_else(PoisonError::into_inner).contains(kind.group);
        is_there && !self.deleted.read().unwrap_or_else(PoisonError::into_inner).contains(&kind.index())
    }

    /// Whether the kind is kept from everybody outside, as by the rights of the credential that joined the cluster.
    pub(crate) fn forbids(&self, kind: &Kind) -> bool {
        self.forbidden.read().unwrap_or_else(PoisonError::into_inner).contains(&kind.index())
    }

    /// Forbids a kind, or allows it again. Watches end, as they do when their time is over, and learn of it.
    pub(crate) fn forbid(&self, kind: &'static Kind, forbidden: bool) {
        let mut all = self.forbidden.write().unwrap_or_else(PoisonError::into_inner);
        if forbidden {
            all.insert(kind.index());
        } else {
            all.remove(&kind.index());
        }
        drop(all);
        self.store.end_watches(kind);
    }

    /// Takes a kind away: all its objects go, whatever holds them, and then it is not served any more.
    pub(crate) fn uninstall(&self, kind: &'static Kind) {
        self.store.clear(kind);
        self.deleted.write().unwrap_or_else(PoisonError::into_inner).insert(kind.index());
        self.store.end_watches(kind);
    }

    /// Installs groups, as an addon's CustomResourceDefinitions do.
    pub(crate) fn install(&self, groups: &[&'static str]) {
        self.installed.write().unwrap_or_else(PoisonError::into_inner).extend(groups);
        let is_other = |index: &usize| KINDS.get(*index).is_none_or(|kind| !groups.contains(&kind.group));
        self.deleted.write().unwrap_or_else(PoisonError::into_inner).retain(is_other);
    }

    /// Puts an object as it is, and its group where that is not there yet.
    pub(crate) fn place(&self, kind: &'static Kind, object: serde_json::Value) -> Arc<Object> {
        if OPTIONAL.contains(&kind.group) && !self.serves(kind) {
            self.install(&[kind.group]);
        }
        self.store.place(kind, object)
    }
}

/// Everything an estate consists of, shared by its servers and controllers.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) options: Options,
    pub(crate) authority: Authority,
    /// The hub first, then the members.
    pub(crate) clusters: Vec<Arc<Cluster>>,
    /// How the cluster gateway itself is reached by the hub.
    pub(crate) gateway: Link,
    /// Where `demo ctl` is listened for: no cluster, and never cut.
    pub(crate) control: Arc<Cluster>,
}

type Listeners = Vec<(Arc<Cluster>, TcpListener)>;

impl World {
    /// The clusters that `options` ask for, each with its listener already bound.
    pub(crate) fn new(options: Options, authority: Authority) -> Result<(Self, Listeners), Error> {
        let members =
            std::iter::once(MEMBER.to_owned()).chain((1..=options.clusters).map(|n| format!("member-{n:03}")));
        let mut listeners = Vec::new();
        let names = std::iter::once(HUB.to_owned()).chain(members).chain([CONTROL.to_owned()]);
        for (number, name) in names.enumerate() {
            let mut addr = options.listen;
            if name != HUB {
                addr.set_port(0);
            }
            let failed = |source| Error::Listen { addr, source };
            let listener = TcpListener::bind(addr).map_err(failed)?;
            listener.set_nonblocking(true).map_err(failed)?;
            let cluster = Cluster {
                name,
                addr: listener.local_addr().map_err(failed)?,
                link: Link::new(options.latency),
                store: Arc::new(Store::new(mix(options.seed ^ mix(number as u64)), options.history)),
                appended: Appended::default(),
                counters: Counters::default(),
                installed: RwLock::default(),
                deleted: RwLock::default(),
                forbidden: RwLock::default(),
            };
            listeners.push((Arc::new(cluster), listener));
        }
        let mut clusters: Vec<_> = listeners.iter().map(|(cluster, _)| Arc::clone(cluster)).collect();
        let control = clusters.remove(clusters.len() - 1);
        Ok((Self { options, authority, clusters, gateway: Link::new(Duration::ZERO), control }, listeners))
    }

    pub(crate) fn hub(&self) -> &Arc<Cluster> {
        &self.clusters[0]
    }

    /// How a cluster is reached, or the gateway by its name [`GATEWAY`].
    pub(crate) fn link(&self, name: &str) -> Result<&Link, Error> {
        if name == GATEWAY { Ok(&self.gateway) } else { Ok(&self.cluster(name)?.link) }
    }

    pub(crate) fn cluster(&self, name: &str) -> Result<&Arc<Cluster>, Error> {
        self.clusters.iter().find(|cluster| cluster.name == name).ok_or_else(|| Error::NoSuchCluster(name.to_owned()))
    }
}

/// Ends pods that were told to end: the part of the kubelet that no controller can play, since the API's grace
/// period is in real seconds.
pub(crate) async fn reap(cluster: Arc<Cluster>, speed: f64) {
    /// What a well-behaved container takes to stop.
    const STOPPING: f64 = 1.0;
    let pods = kinds::core("pods");
    let mut changes = cluster.store.changes(pods);
    let mut seen = 0;
    loop {
        changes.borrow_and_update();
        let (events, known) = match cluster.store.events(pods, seen) {
            Ok(found) => found,
            Err(forgotten) => {
                seen = forgotten.0;
                continue;
            }
        };
        seen = known;
        for event in &events {
            if event.object.deleting() && event.previous.as_ref().is_some_and(|previous| !previous.deleting()) {
                let (cluster, key) = (Arc::clone(&cluster), event.object.key.clone());
                let now = Deletion { grace: Some(0), uid: Some(event.object.uid.to_string()), ..Deletion::default() };
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_secs_f64(STOPPING / speed.max(0.01))).await;
                    // It may have gone by itself.
                    let _ = cluster.store.delete(pods, &key, &now);
                });
            }
        }
        if events.is_empty() && changes.changed().await.is_err() {
            // Watches of the kind were ended, not the cluster.
            changes = cluster.store.changes(pods);
        }
    }
}
