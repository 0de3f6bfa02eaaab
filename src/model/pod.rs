//! A pod as lateen keeps it.

use jiff::Timestamp;

use super::{
    health::Health,
    key::{PodKey, Text},
    selector::Labels,
    usage::Resources,
};

/// One pod that belongs to an application.
#[derive(Clone, Debug, PartialEq)]
pub struct Pod {
    /// Cluster, namespace, name.
    pub key: PodKey,
    /// `metadata.uid`.
    pub uid: Text,
    /// `metadata.labels`.
    pub labels: Labels,
    /// The application it belongs to.
    pub owner: PodOwner,
    /// Ready containers (and sidecar init containers), as kubectl counts them.
    pub ready: u32,
    /// Containers counted.
    pub total: u32,
    /// STATUS as kubectl computes it: `Running`, `Init:1/2`, `CrashLoopBackOff`, `Completed`, …
    pub status: Text,
    /// How it stands.
    pub health: Health,
    /// Restarts of all containers.
    pub restarts: u32,
    /// `spec.nodeName`; empty while unscheduled.
    pub node: Text,
    /// `status.podIP`.
    pub ip: Text,
    /// `metadata.creationTimestamp`.
    pub created_at: Option<Timestamp>,
    /// Whether `metadata.deletionTimestamp` is set.
    pub terminating: bool,
    /// Whether it ran to its end (phase `Succeeded` or `Failed`) and will not run again: an evicted pod that its
    /// Deployment has replaced, a finished Job.
    pub ended: bool,
    /// What it asked for, and may use at most.
    pub resources: Resources,
    /// Containers in order, init containers last, for logs and shells.
    pub containers: Vec<Container>,
    /// Why it is not well, in the kubelet's words, when it says so.
    pub message: Text,
}

/// Which application a pod belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodOwner {
    /// `app.oam.dev/name` of the pod, or of the Helm release that owns its workload.
    pub app: Text,
    /// The application's namespace on the hub, where known. Native pods do not carry it: the store then looks for the
    /// application of that name that deploys to the pod's namespace.
    pub app_namespace: Option<Text>,
    /// `app.oam.dev/component`; may be empty.
    pub component: Text,
}

/// One container of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    /// Name.
    pub name: Text,
    /// Whether it is an init container (a restartable one, a sidecar, is not counted as such).
    pub init: bool,
    /// Declared ports.
    pub ports: Vec<ContainerPort>,
}

/// A declared container port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerPort {
    /// Number.
    pub port: u16,
    /// Name; may be empty.
    pub name: Text,
    /// `TCP`, `UDP` or `SCTP`.
    pub protocol: Text,
}
