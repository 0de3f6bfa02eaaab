//! Whom an object belongs to, by its labels and owner references.

use std::cell::RefCell;

use jiff::Timestamp;
use serde_json::Value;

use crate::model::{key::Text, pod::PodOwner};

use super::read::Node;

/// What every object has: who it is, and who owns it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Meta {
    /// `metadata.namespace`; empty for a cluster-scoped object.
    pub namespace: Text,
    /// `metadata.name`.
    pub name: Text,
    /// `metadata.uid`.
    pub uid: Text,
    /// `metadata.labels`, sorted by key.
    pub labels: Vec<(Text, Text)>,
    /// `metadata.ownerReferences`, the controller first.
    pub owners: Vec<OwnerRef>,
    /// `metadata.creationTimestamp`.
    pub created_at: Option<Timestamp>,
}

/// One of `metadata.ownerReferences`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnerRef {
    /// `kind`.
    pub kind: Text,
    /// `name`.
    pub name: Text,
    /// `uid`.
    pub uid: Text,
    /// `controller`.
    pub controller: bool,
}

impl Meta {
    /// The metadata of an object (or of a `PartialObjectMetadata`); `None` where it has no name.
    pub fn of(object: &Value) -> Option<Self> {
        let faults = RefCell::new(Vec::new());
        let metadata = Node::root(object, &faults).node("metadata");
        let mut labels: Vec<(Text, Text)> =
            metadata.node("labels").strings().map(|(key, value)| (key.into(), value.into())).collect();
        labels.sort();
        let mut owners: Vec<OwnerRef> = metadata
            .items("ownerReferences")
            .iter()
            .map(|owner| OwnerRef {
                kind: owner.text("kind"),
                name: owner.text("name"),
                uid: owner.text("uid"),
                controller: owner.bool("controller"),
            })
            .collect();
        owners.sort_by_key(|owner| !owner.controller);
        Some(Self {
            namespace: metadata.text("namespace"),
            name: metadata.filled("name")?,
            uid: metadata.text("uid"),
            labels,
            owners,
            created_at: metadata.time("creationTimestamp"),
        })
    }

    /// The value of a label that is not empty.
    pub fn label(&self, key: &str) -> Option<&Text> {
        self.labels.iter().find(|(name, _)| **name == *key).map(|(_, value)| value).filter(|value| !value.is_empty())
    }

    /// The owner that controls it.
    pub fn controller(&self) -> Option<&OwnerRef> {
        self.owners.first().filter(|owner| owner.controller)
    }
}

/// The application that KubeVela's labels name on an object. Pods of native components lack the namespace.
pub fn pod_owner(meta: &Meta) -> Option<PodOwner> {
    Some(PodOwner {
        app: meta.label("app.oam.dev/name")?.clone(),
        app_namespace: meta.label("app.oam.dev/namespace").cloned(),
        component: meta.label("app.oam.dev/component").cloned().unwrap_or_default(),
    })
}

/// The HelmRelease (namespace, name) that Flux's labels name on an object it made. Only top-level objects carry them,
/// not the pods.
pub fn helm_release(meta: &Meta) -> Option<(Text, Text)> {
    let name = meta.label("helm.toolkit.fluxcd.io/name")?;
    let namespace = meta.label("helm.toolkit.fluxcd.io/namespace").unwrap_or(&meta.namespace);
    Some((namespace.clone(), name.clone()))
}
