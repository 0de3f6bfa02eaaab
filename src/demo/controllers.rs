//! The controllers that make an estate live: KubeVela's on the hub, Flux's and Kubernetes' own in each cluster.
//!
//! They speak to clusters by kube's client alone, so that KubeVela's and Flux's also run against real API
//! servers; there Kubernetes' own come with the servers ([`Options::core`] turns ours off).
//!
//! What each says and when follows what was observed of KubeVela 1.10, helm-controller 0.36 and
//! source-controller 1.1; [`Options::speed`] divides its times.

mod api;
mod event;
mod flux;
mod kubernetes;
mod kubevela;
mod naming;
mod object;
mod reconciler;

use std::time::Duration;

use tokio::task::JoinSet;

use api::Cluster;
pub(crate) use kubevela::placed;

/// How the controllers run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Options {
    /// By how much the real controllers' times are divided.
    pub speed: f64,
    /// Whether Kubernetes' own controllers, scheduler and kubelets run too. A real cluster has its own.
    pub core: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { speed: 1.0, core: true }
    }
}

/// The time that the estate takes for what takes a real cluster some.
#[derive(Debug, Clone, Copy)]
struct Pace(f64);

impl Pace {
    fn new(speed: f64) -> Self {
        Self(if speed.is_finite() && speed > 0.0 { speed } else { 1.0 })
    }

    fn of(self, real: Duration) -> Duration {
        Duration::try_from_secs_f64(real.as_secs_f64() / self.0).unwrap_or(real)
    }
}

/// Runs every controller of an estate until the future is dropped. The first of `clusters` is the hub; members
/// are reached through its gateway by KubeVela, and directly by what lives in them.
pub async fn run(clusters: Vec<(String, kube::Client)>, options: Options) {
    let pace = Pace::new(options.speed);
    let mut tasks = JoinSet::new();
    if let Some((_, hub)) = clusters.first() {
        tasks.spawn(kubevela::run(Cluster::direct(hub.clone(), "kubevela"), pace));
    }
    for (_, client) in clusters {
        tasks.spawn(reconciler::run(Cluster::direct(client.clone(), "helm-controller"), pace, flux::Flux));
        if options.core {
            tasks.spawn(reconciler::run(
                Cluster::direct(client, "kube-controller-manager"),
                pace,
                kubernetes::Kubernetes,
            ));
        }
    }
    while let Some(ended) = tasks.join_next().await {
        if let Err(error) = ended {
            tracing::error!(%error, "one of the estate's controllers has ended");
        }
    }
}
