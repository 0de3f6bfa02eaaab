//! lateen on real API servers: etcd, kube-apiserver, and the core controllers, for a hub and a member cluster.
//!
//! They need those programs, so `cargo test` leaves them out; `.ci/run` runs them. By hand:
//! `KUBEBUILDER_ASSETS=$(tests/real/build.sh) cargo test --test real_servers -- --include-ignored`.
#![expect(clippy::unwrap_used, clippy::panic, reason = "what a test's own helper cannot do fails the test")]

#[path = "real/acting.rs"]
mod acting;
#[path = "real/approving.rs"]
mod approving;
#[path = "real/captures.rs"]
mod captures;
#[path = "real/delivering.rs"]
mod delivering;
#[path = "real/drift.rs"]
mod drift;
#[path = "real/editing.rs"]
mod editing;
#[path = "real/estate.rs"]
mod estate;
#[path = "real/lateen.rs"]
mod lateen;
#[path = "real/meddler.rs"]
mod meddler;
#[path = "real/reaching.rs"]
mod reaching;
#[path = "real/restarting.rs"]
mod restarting;
#[path = "real/roles.rs"]
mod roles;
#[path = "real/seeing.rs"]
mod seeing;
#[path = "real/servers.rs"]
mod servers;
#[path = "support/terminal.rs"]
mod terminal;
#[path = "real/tree.rs"]
mod tree;
#[path = "real/watching.rs"]
mod watching;
#[path = "real/workload.rs"]
mod workload;
