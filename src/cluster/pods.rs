//! Pods that carry their application's name themselves.

use serde_json::Value;

use super::{
    project::{self, Meta, pod_owner},
    watch::{Change, Projection, Question},
};
use crate::model::{
    delta::{Query, Row, Scope},
    key::{ClusterId, PodKey, RowKey, Text},
};

/// Label of everything that KubeVela renders: the application's name.
pub(crate) const APP_NAME: &str = "app.oam.dev/name";

/// The question for labelled pods in one namespace or all.
pub(crate) fn question(cluster: &ClusterId, namespace: Option<&Text>) -> Question {
    let (path, what) = match namespace {
        None => ("/api/v1/pods".to_owned(), format!("pods in {cluster}")),
        Some(namespace) => {
            (format!("/api/v1/namespaces/{namespace}/pods"), format!("pods in namespace {namespace} of {cluster}"))
        }
    };
    let scope = Scope { cluster: cluster.clone(), query: Query::LabelledPods(namespace.cloned()) };
    Question { scope, path, selector: Some(APP_NAME), fields: None, what }
}

/// Projects pods that carry `app.oam.dev/name`.
pub(crate) struct LabelledPods {
    pub(crate) cluster: ClusterId,
}

impl Projection for LabelledPods {
    fn put(&mut self, object: &Value) -> Change {
        let row = Meta::of(object)
            .and_then(|meta| pod_owner(&meta))
            .and_then(|owner| project::pod(&self.cluster, object, owner));
        match row {
            Some(pod) => Change::Row(Row::Pod(Box::new(pod))),
            None => Change::Nothing,
        }
    }

    fn delete(&mut self, object: &Value) -> Change {
        gone(&self.cluster, object)
    }
}

/// The key of a pod that is no more.
pub(crate) fn gone(cluster: &ClusterId, object: &Value) -> Change {
    match Meta::of(object) {
        Some(meta) => Change::Gone(RowKey::Pod(PodKey::new(cluster.as_str(), &meta.namespace, &meta.name))),
        None => Change::Nothing,
    }
}
