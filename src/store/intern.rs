//! One copy of the texts that repeat over thousands of pods: clusters, namespaces, nodes, statuses.

use std::collections::HashSet;

use crate::model::{event::Event, key::Text, pod::Pod, selector::Labels};

/// Texts in use. What nobody uses any more goes when the set has doubled.
#[derive(Debug, Default)]
pub(super) struct Interner {
    texts: HashSet<Text>,
    sweep_at: usize,
    labels: HashSet<Labels>,
    sweep_labels_at: usize,
}

impl Interner {
    /// Replaces what repeats in a pod's row by the one copy.
    pub(super) fn pod(&mut self, pod: &mut Pod) {
        self.labels(&mut pod.labels);
        self.text(&mut pod.key.cluster.0);
        self.text(&mut pod.key.namespace);
        self.text(&mut pod.owner.app);
        self.text(&mut pod.owner.component);
        if let Some(namespace) = &mut pod.owner.app_namespace {
            self.text(namespace);
        }
        self.text(&mut pod.status);
        self.text(&mut pod.node);
        self.text(&mut pod.message);
        for container in &mut pod.containers {
            self.text(&mut container.name);
            for port in &mut container.ports {
                self.text(&mut port.name);
                self.text(&mut port.protocol);
            }
        }
    }

    /// Replaces what repeats in an event's row by the one copy.
    pub(super) fn event(&mut self, event: &mut Event) {
        for text in [
            &mut event.key.cluster.0,
            &mut event.key.namespace,
            &mut event.object.cluster.0,
            &mut event.object.group,
            &mut event.object.kind,
            &mut event.object.namespace,
            &mut event.reason,
            &mut event.source,
        ] {
            self.text(text);
        }
    }

    /// Pods of one ReplicaSet have the same labels.
    fn labels(&mut self, labels: &mut Labels) {
        if let Some(kept) = self.labels.get(labels) {
            *labels = kept.clone();
            return;
        }
        if self.labels.len() >= self.sweep_labels_at.max(256) {
            self.labels.retain(|labels| std::sync::Arc::strong_count(labels) > 1);
            self.sweep_labels_at = self.labels.len() * 2;
        }
        self.labels.insert(labels.clone());
    }

    fn text(&mut self, text: &mut Text) {
        if let Some(kept) = self.texts.get(&**text) {
            *text = kept.clone();
            return;
        }
        if self.texts.len() >= self.sweep_at.max(256) {
            self.texts.retain(|text| std::sync::Arc::strong_count(text) > 1);
            self.sweep_at = self.texts.len() * 2;
        }
        self.texts.insert(text.clone());
    }
}
