//! The kinds the estate serves. Objects themselves are schemaless; this is all that is known of them.

use std::fmt;

/// One kind in one version.
#[derive(Debug)]
pub(crate) struct Kind {
    pub(crate) group: &'static str,
    pub(crate) version: &'static str,
    /// As objects name it: `Application`.
    pub(crate) name: &'static str,
    pub(crate) plural: &'static str,
    pub(crate) short: &'static [&'static str],
    pub(crate) namespaced: bool,
    /// Status is written through `/status` only.
    pub(crate) status: bool,
    /// Has `/scale`.
    pub(crate) scale: bool,
    /// `metadata.generation` counts changes of the spec.
    pub(crate) generation: bool,
    /// Comes from a CustomResourceDefinition: no strategic merge, list items carry their apiVersion and kind.
    pub(crate) custom: bool,
    /// Part of `kubectl get all`.
    pub(crate) all: bool,
}

impl Kind {
    const fn new(group: &'static str, version: &'static str, name: &'static str, plural: &'static str) -> Self {
        Self {
            group,
            version,
            name,
            plural,
            short: &[],
            namespaced: true,
            status: false,
            scale: false,
            generation: false,
            custom: false,
            all: false,
        }
    }

    const fn core(kind: &'static str, plural: &'static str) -> Self {
        Self::new("", "v1", kind, plural)
    }

    /// A custom resource with the status subresource.
    const fn custom(group: &'static str, version: &'static str, kind: &'static str, plural: &'static str) -> Self {
        let mut new = Self::new(group, version, kind, plural);
        new.custom = true;
        new.generation = true;
        new.status = true;
        new
    }

    const fn short(mut self, short: &'static [&'static str]) -> Self {
        self.short = short;
        self
    }

    const fn cluster(mut self) -> Self {
        self.namespaced = false;
        self
    }

    const fn status(mut self) -> Self {
        self.status = true;
        self
    }

    const fn scale(mut self) -> Self {
        self.scale = true;
        self
    }

    const fn generation(mut self) -> Self {
        self.generation = true;
        self
    }

    const fn all(mut self) -> Self {
        self.all = true;
        self
    }

    /// `v1` or `apps/v1`.
    pub(crate) fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.to_owned() } else { format!("{}/{}", self.group, self.version) }
    }

    /// The name in discovery's `singularName`.
    pub(crate) fn singular(&self) -> String {
        self.name.to_lowercase()
    }

    /// `pods` or `applications.core.oam.dev`, as errors name it.
    pub(crate) fn qualified(&self) -> String {
        if self.group.is_empty() { self.plural.to_owned() } else { format!("{}.{}", self.plural, self.group) }
    }

    /// Where the kind stands in [`KINDS`].
    pub(crate) fn index(&self) -> usize {
        KINDS.iter().position(|kind| std::ptr::eq(kind, self)).unwrap_or_default()
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.qualified())
    }
}

impl PartialEq for Kind {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

/// The group that exists on the hub alone.
pub(crate) const VELA: &str = "core.oam.dev";
/// The groups that a cluster has once Flux is installed there.
pub(crate) const FLUX: [&str; 3] =
    ["helm.toolkit.fluxcd.io", "source.toolkit.fluxcd.io", "kustomize.toolkit.fluxcd.io"];

const APPS: &str = "apps";
const RBAC: &str = "rbac.authorization.k8s.io";

/// Every kind, in discovery's order.
pub(crate) static KINDS: &[Kind] = &[
    Kind::core("ConfigMap", "configmaps").short(&["cm"]),
    Kind::core("Endpoints", "endpoints").short(&["ep"]),
    Kind::core("Event", "events").short(&["ev"]),
    Kind::core("LimitRange", "limitranges").short(&["limits"]),
    Kind::core("Namespace", "namespaces").short(&["ns"]).cluster().status(),
    Kind::core("Node", "nodes").short(&["no"]).cluster().status(),
    Kind::core("PersistentVolumeClaim", "persistentvolumeclaims").short(&["pvc"]).status(),
    Kind::core("PersistentVolume", "persistentvolumes").short(&["pv"]).cluster().status(),
    Kind::core("Pod", "pods").short(&["po"]).status().generation().all(),
    Kind::core("ResourceQuota", "resourcequotas").short(&["quota"]).status(),
    Kind::core("Secret", "secrets"),
    Kind::core("ServiceAccount", "serviceaccounts").short(&["sa"]),
    Kind::core("Service", "services").short(&["svc"]).status().all(),
    Kind::new(APPS, "v1", "DaemonSet", "daemonsets").short(&["ds"]).status().generation().all(),
    Kind::new(APPS, "v1", "Deployment", "deployments").short(&["deploy"]).status().scale().generation().all(),
    Kind::new(APPS, "v1", "ReplicaSet", "replicasets").short(&["rs"]).status().scale().generation().all(),
    Kind::new(APPS, "v1", "StatefulSet", "statefulsets").short(&["sts"]).status().scale().generation().all(),
    Kind::new("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers")
        .short(&["hpa"])
        .status()
        .all(),
    Kind::new("batch", "v1", "CronJob", "cronjobs").short(&["cj"]).status().generation().all(),
    Kind::new("batch", "v1", "Job", "jobs").status().generation().all(),
    Kind::new("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices").generation(),
    Kind::new("networking.k8s.io", "v1", "IngressClass", "ingressclasses").cluster().generation(),
    Kind::new("networking.k8s.io", "v1", "Ingress", "ingresses").short(&["ing"]).status().generation(),
    Kind::new("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies").short(&["netpol"]).generation(),
    Kind::new("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets").short(&["pdb"]).status().generation(),
    Kind::new(RBAC, "v1", "ClusterRoleBinding", "clusterrolebindings").cluster(),
    Kind::new(RBAC, "v1", "ClusterRole", "clusterroles").cluster(),
    Kind::new(RBAC, "v1", "RoleBinding", "rolebindings"),
    Kind::new(RBAC, "v1", "Role", "roles"),
    Kind::new("storage.k8s.io", "v1", "StorageClass", "storageclasses").short(&["sc"]).cluster(),
    Kind::new("coordination.k8s.io", "v1", "Lease", "leases"),
    Kind::new("metrics.k8s.io", "v1beta1", "PodMetrics", "pods"),
    Kind::new("metrics.k8s.io", "v1beta1", "NodeMetrics", "nodes").cluster(),
    Kind::custom(VELA, "v1beta1", "Application", "applications").short(&["app", "velaapp"]),
    Kind::custom(VELA, "v1beta1", "ApplicationRevision", "applicationrevisions").short(&["apprev"]),
    Kind::custom(VELA, "v1beta1", "ComponentDefinition", "componentdefinitions").short(&["comp"]),
    Kind::custom(VELA, "v1beta1", "DefinitionRevision", "definitionrevisions").short(&["defrev"]),
    Kind::custom(VELA, "v1beta1", "PolicyDefinition", "policydefinitions"),
    Kind::custom(VELA, "v1beta1", "ResourceTracker", "resourcetrackers").short(&["rt"]).cluster(),
    Kind::custom(VELA, "v1beta1", "TraitDefinition", "traitdefinitions").short(&["trait"]),
    Kind::custom(VELA, "v1beta1", "WorkflowStepDefinition", "workflowstepdefinitions").short(&["workflowstep"]),
    Kind::custom(VELA, "v1alpha1", "Policy", "policies"),
    Kind::custom(VELA, "v1alpha1", "Workflow", "workflows"),
    Kind::custom(VELA, "v1alpha1", "WorkflowRun", "workflowruns").short(&["wr"]),
    Kind::custom(FLUX[0], "v2beta1", "HelmRelease", "helmreleases").short(&["hr"]),
    Kind::custom(FLUX[1], "v1beta2", "Bucket", "buckets"),
    Kind::custom(FLUX[1], "v1beta2", "GitRepository", "gitrepositories").short(&["gitrepo"]),
    Kind::custom(FLUX[1], "v1beta2", "HelmChart", "helmcharts").short(&["hc"]),
    Kind::custom(FLUX[1], "v1beta2", "HelmRepository", "helmrepositories").short(&["helmrepo"]),
    Kind::custom(FLUX[2], "v1beta2", "Kustomization", "kustomizations").short(&["ks"]),
];

/// The kind that is served under this path.
pub(crate) fn find(group: &str, version: &str, plural: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.plural == plural && kind.group == group && kind.version == version)
}

/// The kind an object says it is.
pub(crate) fn of(api_version: &str, kind: &str) -> Option<&'static Kind> {
    let (group, version) = api_version.rsplit_once('/').unwrap_or(("", api_version));
    KINDS.iter().find(|known| known.name == kind && known.group == group && known.version == version)
}

/// The kind of that qualified name: `pods`, `helmreleases.helm.toolkit.fluxcd.io`.
pub(crate) fn qualified(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.qualified() == name)
}

/// The kind of core objects with that plural; for code that names one it knows to be in the table.
pub(crate) fn core(plural: &str) -> &'static Kind {
    find("", "v1", plural).unwrap_or(&KINDS[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_path_and_each_object_names_one_kind() {
        for (index, kind) in KINDS.iter().enumerate() {
            assert_eq!(find(kind.group, kind.version, kind.plural), Some(kind));
            assert_eq!(of(&kind.api_version(), kind.name), Some(kind));
            assert_eq!(qualified(&kind.qualified()), Some(kind));
            assert_eq!(kind.index(), index);
        }
        assert_eq!(core("secrets").name, "Secret");
    }
}
