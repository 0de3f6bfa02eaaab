//! `lateen demo ctl`: disturbing a running estate.

use clap::{Args, Subcommand};

use super::{
    args::Global,
    failure::{Failure, code},
    stdout::Stdout,
};
use crate::demo::ctl::{self, Command};

/// `lateen demo ctl`
#[derive(Debug, Args)]
pub(super) struct Ctl {
    /// What to do
    #[command(subcommand)]
    pub what: What,
}

/// What can be done to an estate.
#[derive(Debug, Subcommand)]
pub(super) enum What {
    /// Stop a cluster's API server (the hub is local), or the hub's cluster gateway (gateway)
    Cut {
        /// The cluster
        cluster: String,
        /// Freeze it, so that it answers nobody, instead of refusing
        #[arg(long)]
        hang: bool,
    },
    /// Let a cluster answer again
    Restore {
        /// The cluster
        cluster: String,
    },
    /// Delay each request to a cluster through the gateway
    Slow {
        /// The cluster
        cluster: String,
        /// By so many milliseconds
        #[arg(value_name = "MS")]
        milliseconds: u64,
    },
    /// Kill a pod at once
    KillPod {
        /// The cluster
        cluster: String,
        /// The pod's namespace
        #[arg(value_name = "NS")]
        pod_namespace: String,
        /// The pod
        name: String,
    },
    /// Let a pod's containers crash from now on
    FailPod {
        /// The cluster
        cluster: String,
        /// The pod's namespace
        #[arg(value_name = "NS")]
        pod_namespace: String,
        /// The pod
        name: String,
        /// Let its image be one that cannot be pulled, instead
        #[arg(long)]
        image: bool,
    },
    /// Let a Helm release fail
    FailRelease {
        /// The cluster
        cluster: String,
        /// The release's namespace
        #[arg(value_name = "NS")]
        release_namespace: String,
        /// The release
        name: String,
    },
    /// Put a line into a pod's log
    Log {
        /// The cluster
        cluster: String,
        /// The pod's namespace
        #[arg(value_name = "NS")]
        pod_namespace: String,
        /// The pod
        pod: String,
        /// The line
        text: String,
    },
    /// Install an addon, as `vela addon enable` does
    Addon {
        /// Its name: fluxcd
        name: String,
        /// Only in these clusters
        #[arg(long, value_name = "C", value_delimiter = ',')]
        clusters: Vec<String>,
    },
    /// Forbid one kind in a cluster, as the rights it was joined with may
    Forbid {
        /// The cluster
        cluster: String,
        /// The kind, such as persistentvolumeclaims or helmreleases.helm.toolkit.fluxcd.io
        resource: String,
        /// Allow it again
        #[arg(long)]
        allow: bool,
    },
    /// Delete the definition of a kind in a cluster, and all objects of that kind
    Uninstall {
        /// The cluster
        cluster: String,
        /// The kind, such as helmreleases.helm.toolkit.fluxcd.io
        resource: String,
    },
    /// Forget a cluster's history, so that older watches are gone
    Compact {
        /// The cluster
        cluster: String,
    },
}

impl From<What> for Command {
    fn from(what: What) -> Self {
        match what {
            What::Cut { cluster, hang } => Self::Cut { cluster, hang },
            What::Restore { cluster } => Self::Restore { cluster },
            What::Slow { cluster, milliseconds } => Self::Slow { cluster, milliseconds },
            What::KillPod { cluster, pod_namespace: namespace, name } => Self::KillPod { cluster, namespace, name },
            What::FailPod { cluster, pod_namespace: namespace, name, image } => {
                Self::FailPod { cluster, namespace, name, image }
            }
            What::FailRelease { cluster, release_namespace: namespace, name } => {
                Self::FailRelease { cluster, namespace, name }
            }
            What::Log { cluster, pod_namespace: namespace, pod, text } => Self::Log { cluster, namespace, pod, text },
            What::Addon { name, clusters } => Self::Addon { name, clusters },
            What::Forbid { cluster, resource, allow } => Self::Forbid { cluster, resource, allow },
            What::Uninstall { cluster, resource } => Self::Uninstall { cluster, resource },
            What::Compact { cluster } => Self::Compact { cluster },
        }
    }
}

/// Does it, and says what was done.
pub(super) async fn run(global: &Global, asked: Ctl) -> Result<u8, Failure> {
    let kubeconfig = global.kubeconfig.clone().or_else(|| std::env::var_os("KUBECONFIG").map(Into::into));
    let kubeconfig = kubeconfig.ok_or_else(|| {
        Failure::usage("which estate? --kubeconfig FILE names the kubeconfig that `lateen demo --serve` has written")
    })?;
    let done = ctl::send(&kubeconfig, &asked.what.into()).await.map_err(|error| Failure::failed(error.to_string()))?;
    Stdout::lock().write(&format!("{done}\n"))?;
    Ok(code::DONE)
}
