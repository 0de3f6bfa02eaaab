//! The simulated estate: clusters that speak the Kubernetes API on loopback.
//!
//! An [`Estate`] is a hub (`local`) and its member clusters, each a store of objects behind an API server of its own:
//! TLS with the estate's own certificate authority, bearer tokens, watches, pod logs, port-forwards, and on the hub
//! KubeVela's cluster gateway. It runs on its own tokio runtime, so that neither a busy dashboard nor a busy estate
//! slows the other, and it is reached only the way a real hub is: through [`Estate::kubeconfig`].
//!
//! Nothing here imports anything of lateen. What the estate says must come from how KubeVela behaves, not from how
//! the dashboard reads it, or a demonstration would prove itself.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

mod access;
mod api;
mod clock;
pub mod controllers;
pub mod ctl;
mod furniture;
pub mod gateway;
mod kinds;
mod kubeconfig;
mod link;
mod listen;
mod metrics;
mod pods;
mod query;
pub mod scenario;
mod selector;
mod status;
mod store;
mod synthetic;
mod tls;
mod traffic;
mod world;

pub use link::Cut;
pub use traffic::Traffic;
use world::World;

/// The hub's name: what KubeVela calls the cluster it runs in.
pub const HUB: &str = "local";
/// The name by which the hub's cluster gateway itself is cut off and restored.
pub const GATEWAY: &str = "gateway";
/// The member cluster that every estate has.
pub const MEMBER: &str = "foo";

/// What an estate is made of. `Default` is the tutorial's: a hub and `foo`, at real speed.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the hub listens; port 0 takes a free one. Members listen on free ports of the same address.
    pub listen: SocketAddr,
    /// How fast time runs for controllers and logs: 1.0 is believable, 20.0 is for tests.
    pub speed: f64,
    /// Added to each request to a member that goes through the gateway.
    pub latency: Duration,
    /// Start with bare clusters: nothing joined, nothing delivered.
    pub empty: bool,
    /// The same seed gives the same estate.
    pub seed: u64,
    /// Synthetic member clusters beside `foo`.
    pub clusters: usize,
    /// Synthetic applications on the hub, in all.
    pub apps: usize,
    /// Clusters that each synthetic application is delivered to; 0: one to three.
    pub spread: usize,
    /// Synthetic pods in all clusters together.
    pub pods: usize,
    /// Synthetic changes per second, in all clusters together.
    pub churn: f64,
    /// Log lines per second of a running container, before `speed`.
    pub log_rate: f64,
    /// A scenario beside what the estate opens with: the name of an embedded one, or a file.
    pub scenario: Option<std::path::PathBuf>,
    /// Events each kind of a cluster remembers for watches; a watch from before answers 410.
    pub history: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0),
            speed: 1.0,
            latency: Duration::ZERO,
            empty: false,
            seed: 1,
            clusters: 0,
            apps: 0,
            spread: 0,
            pods: 0,
            churn: 0.0,
            log_rate: 1.5,
            scenario: None,
            history: 4096,
        }
    }
}

/// Why an estate did not start, or cannot do what was asked of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The address is taken or not ours.
    #[error("cannot listen on {addr}: {source}; choose another address or port 0")]
    Listen {
        /// The address that was asked for.
        addr: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The certificate authority could not be made.
    #[error("cannot make the estate's certificates: {0}")]
    Certificate(#[from] rcgen::Error),
    /// The certificates could not be used.
    #[error("cannot serve the estate's certificates: {0}")]
    Tls(#[from] rustls::Error),
    /// The runtime could not be started.
    #[error("cannot start the estate's threads: {0}")]
    Runtime(#[source] io::Error),
    /// The estate cannot reach itself by its own kubeconfig.
    #[error("the estate's controllers cannot use its kubeconfig: {0}")]
    Kubeconfig(String),
    /// No cluster of that name is simulated.
    #[error("the estate has no cluster \"{0}\"")]
    NoSuchCluster(String),
    /// A kubeconfig could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: std::path::PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is somebody else's.
    #[error("{} was not written by `lateen demo --serve`", .0.display())]
    NotAnEstate(std::path::PathBuf),
    /// The running estate did not do what was asked.
    #[error("the estate: {0}")]
    Control(String),
    /// No Helm release of that name is there.
    #[error("there is no release {0}")]
    NoSuchRelease(String),
    /// It knows no such addon.
    #[error("the estate knows no addon \"{0}\"; it knows fluxcd")]
    NoSuchAddon(String),
    /// It serves nothing of that name.
    #[error("the estate serves no \"{0}\"; a resource is named as `kubectl api-resources -o name` names it")]
    NoSuchResource(String),
    /// A scenario names a kind that the estate does not serve.
    #[error("the estate does not serve {kind} of {api_version}")]
    NoSuchKind {
        /// Group and version.
        api_version: String,
        /// The kind.
        kind: String,
    },
    /// A scenario cannot be used.
    #[error(transparent)]
    Scenario(#[from] scenario::Error),
    /// No pod of that name is there.
    #[error("there is no pod {0}")]
    NoSuchPod(String),
}

/// A running estate. Dropping it ends every listener, connection and controller.
#[derive(Debug)]
pub struct Estate {
    world: Arc<World>,
    kubeconfig: String,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Estate {
    /// Starts the estate and returns when its API servers answer. Blocking for some milliseconds; may be called
    /// inside or outside another runtime.
    pub fn start(options: Options) -> Result<Self, Error> {
        raise_file_limit();
        let authority = tls::Authority::new(options.listen.ip())?;
        let tls = authority.server_config()?;
        let (world, listeners) = World::new(options, authority)?;
        furniture::place(&world)?;
        synthetic::place(&world);
        let world = Arc::new(world);
        // Last of what can fail: a runtime must not be dropped inside another.
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("estate")
            .enable_all()
            .build()
            .map_err(Error::Runtime)?;
        for cluster in &world.clusters {
            runtime.spawn(world::reap(Arc::clone(cluster), world.options.speed));
        }
        runtime.spawn(synthetic::churn(Arc::clone(&world)));
        for (cluster, listener) in listeners {
            runtime.spawn(listen::serve(Arc::clone(&world), cluster, listener, tls.clone()));
        }
        let kubeconfig = kubeconfig::render(&world);
        let (controllers, names) =
            (kubeconfig.clone(), world.clusters.iter().map(|cluster| cluster.name.clone()).collect());
        let speed = world.options.speed;
        runtime.spawn(async move {
            match clients(&controllers, names).await {
                Ok(clients) => controllers::run(clients, controllers::Options { speed, core: true }).await,
                Err(error) => tracing::error!(%error, "the estate stands still"),
            }
        });
        Ok(Self { world, kubeconfig, runtime: Some(runtime) })
    }

    /// The kubeconfig (YAML) that reaches the estate: context `hub` (current, namespace `default`) and one for each
    /// member's own API server, such as `foo`.
    pub fn kubeconfig(&self) -> &str {
        &self.kubeconfig
    }

    /// The hub's URL.
    pub fn url(&self) -> String {
        self.world.hub().url()
    }

    /// The URL of a cluster's own API server.
    pub fn cluster_url(&self, cluster: &str) -> Result<String, Error> {
        Ok(self.world.cluster(cluster)?.url())
    }

    /// A client of one cluster, by the kubeconfig. It lives in the runtime that calls this.
    pub async fn client(&self, cluster: &str) -> Result<kube::Client, Error> {
        self.world.cluster(cluster)?;
        client(&self.kubeconfig, cluster).await.map_err(|error| Error::Kubeconfig(error.to_string()))
    }

    /// Does what `lateen demo ctl` would; the sentence says what was done.
    pub fn perform(&self, command: &ctl::Command) -> Result<String, Error> {
        let done = ctl::perform(&self.world, command)?;
        self.settle();
        Ok(done)
    }

    /// Puts a line into a pod's log.
    pub fn log(&self, cluster: &str, namespace: &str, pod: &str, text: &str) -> Result<(), Error> {
        let (cluster, namespace, pod) = (cluster.to_owned(), namespace.to_owned(), pod.to_owned());
        self.perform(&ctl::Command::Log { cluster, namespace, pod, text: text.to_owned() }).map(drop)
    }

    /// Forgets a cluster's history of changes, so that a watch or a list from before answers 410.
    pub fn compact(&self, cluster: &str) -> Result<(), Error> {
        self.perform(&ctl::Command::Compact { cluster: cluster.to_owned() }).map(drop)
    }

    /// Changes what is added to each request to a member through the gateway.
    pub fn slow(&self, cluster: &str, latency: Duration) -> Result<(), Error> {
        let milliseconds = u64::try_from(latency.as_millis()).unwrap_or(u64::MAX);
        self.perform(&ctl::Command::Slow { cluster: cluster.to_owned(), milliseconds }).map(drop)
    }

    /// Waits until every listener does what it was told; some milliseconds, and never long.
    fn settle(&self) {
        let begin = std::time::Instant::now();
        while self.world.clusters.iter().any(|cluster| !cluster.link.is_settled()) && begin.elapsed().as_secs() < 2 {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Makes a cluster (the hub too, by its name [`HUB`]) unreachable, for direct connections and through the gateway;
    /// or the gateway itself, by its name [`GATEWAY`].
    pub fn cut(&self, cluster: &str, cut: Cut) -> Result<(), Error> {
        self.world.link(cluster)?.cut(cut);
        self.settle();
        Ok(())
    }

    /// What was asked of a cluster so far by others than the estate's own controllers, and which watches of theirs are
    /// open now.
    pub fn traffic(&self, cluster: &str) -> Result<Traffic, Error> {
        Ok(self.world.cluster(cluster)?.counters.read())
    }

    /// Lets a cluster answer again.
    pub fn restore(&self, cluster: &str) -> Result<(), Error> {
        self.world.link(cluster)?.restore();
        self.settle();
        Ok(())
    }
}

/// Lets the process have as many files open as the system allows: a hundred clusters and a thousand clients need more
/// than the usual 1024. Where that is not allowed, connections beyond it wait.
fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    const WANTED: u64 = 65_536;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = maximum.map_or(WANTED, |maximum| maximum.min(WANTED));
    if current.is_some_and(|current| current < wanted) {
        let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum });
    }
}

/// A client for each cluster, by the same way as everyone else's.
async fn clients(kubeconfig: &str, names: Vec<String>) -> Result<Vec<(String, kube::Client)>, Error> {
    let mut clients = Vec::new();
    for name in names {
        let client = client(kubeconfig, &name).await.map_err(|error| Error::Kubeconfig(error.to_string()))?;
        clients.push((name, client));
    }
    Ok(clients)
}

/// Must be called in the runtime that the client shall live in.
async fn client(kubeconfig: &str, cluster: &str) -> Result<kube::Client, Box<dyn std::error::Error + Send + Sync>> {
    let context = if cluster == HUB { "hub" } else { cluster };
    let options = kube::config::KubeConfigOptions { context: Some(context.to_owned()), ..Default::default() };
    let kubeconfig = kube::config::Kubeconfig::from_yaml(kubeconfig)?;
    let mut config = kube::Config::from_custom_kubeconfig(kubeconfig, &options).await?;
    config.headers.push((http::header::USER_AGENT, http::HeaderValue::from_static(traffic::OWN)));
    // Answers as they come: a 503 that is asked for again and again is a request that hangs.
    config.default_retry = false;
    Ok(kube::Client::try_from(config)?)
}

impl Drop for Estate {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Not `drop`: an estate may be dropped inside another runtime, where blocking panics.
            runtime.shutdown_background();
        }
    }
}
