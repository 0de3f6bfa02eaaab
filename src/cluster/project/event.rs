//! An Event to a row, in either of its two forms.
//!
//! core/v1 tells `involvedObject`, `message`, `count`, `firstTimestamp`, `lastTimestamp` and `source`; of events recorded by
//! way of `events.k8s.io` those are empty, and `eventTime`, `series` and `reportingComponent` tell. `events.k8s.io/v1`
//! itself calls the same fields `regarding`, `note` and `deprecated…`.

use std::cell::RefCell;

use serde_json::Value;

use super::read::Node;
use crate::model::{
    event::{Event, EventKey},
    key::{ClusterId, Text},
    resource::ResourceKey,
};

/// Bytes that a row keeps of a message: a line is shown, and events are many.
const MOST_MESSAGE: usize = 1024;

/// The row of an Event; `None` where it has no name, or does not say what it is about.
pub fn event(cluster: &ClusterId, object: &Value) -> Option<Event> {
    let faults = RefCell::new(Vec::new());
    let root = Node::root(object, &faults);
    let metadata = root.node("metadata");
    let name = metadata.filled("name")?;
    let about = if root.has("involvedObject") { root.node("involvedObject") } else { root.node("regarding") };
    let series = root.node("series");
    let version = about.str("apiVersion");
    let group = version.split_once('/').map_or("", |(group, _)| group);
    let at = |fields: &[(&Node<'_>, &str)]| fields.iter().find_map(|(node, field)| node.time(field));
    let counted = [(&series, "count"), (&root, "count"), (&root, "deprecatedCount")];
    let count = counted.iter().map(|(node, field)| node.int(field)).find(|count| *count > 0).unwrap_or(1);
    let first = at(&[
        (&root, "firstTimestamp"),
        (&root, "deprecatedFirstTimestamp"),
        (&root, "eventTime"),
        (&metadata, "creationTimestamp"),
    ]);
    let last = at(&[(&series, "lastObservedTime"), (&root, "lastTimestamp"), (&root, "deprecatedLastTimestamp")]);
    let source = ["source", "deprecatedSource"].map(|field| root.node(field).filled("component"));
    let reporter = ["reportingComponent", "reportingController"].map(|field| root.filled(field));
    Some(Event {
        key: EventKey { cluster: cluster.clone(), namespace: metadata.text("namespace"), name },
        object: ResourceKey {
            cluster: cluster.clone(),
            group: group.into(),
            kind: about.filled("kind")?,
            namespace: about.text("namespace"),
            name: about.text("name"),
        },
        reason: root.text("reason"),
        message: beginning([root.str("message"), root.str("note")].into_iter().find(|text| !text.is_empty())),
        warning: root.str("type") == "Warning",
        count: u32::try_from(count).unwrap_or(u32::MAX),
        first,
        last: last.or(first),
        source: source.into_iter().chain(reporter).flatten().next().unwrap_or_default(),
    })
}

fn beginning(message: Option<&str>) -> Text {
    let message = message.unwrap_or_default().trim_end();
    message.get(..message.floor_char_boundary(MOST_MESSAGE)).unwrap_or(message).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(object: &Value) -> Event {
        event(&ClusterId::named("foo"), object).unwrap()
    }

    #[test]
    fn the_old_form_counts_with_count() {
        let row = read(&json!({
            "metadata": {"name": "hello.17", "namespace": "web", "creationTimestamp": "2026-11-23T10:00:00Z"},
            "involvedObject": {"apiVersion": "apps/v1", "kind": "Deployment", "namespace": "web", "name": "hello"},
            "type": "Warning", "reason": "BackOff", "message": "Back-off restarting\n", "count": 14,
            "firstTimestamp": "2026-11-23T10:00:00Z", "lastTimestamp": "2026-11-23T10:41:00Z",
            "eventTime": null, "source": {"component": "kubelet", "host": "n1"}, "reportingComponent": "kubelet",
        }));
        assert_eq!((&*row.object.group, &*row.object.kind, &*row.object.name), ("apps", "Deployment", "hello"));
        assert_eq!((row.count, row.warning, &*row.message, &*row.source), (14, true, "Back-off restarting", "kubelet"));
        assert_eq!(row.first.map(|at| at.to_string()).as_deref(), Some("2026-11-23T10:00:00Z"));
        assert_eq!(row.last.map(|at| at.to_string()).as_deref(), Some("2026-11-23T10:41:00Z"));
    }

    #[test]
    fn the_new_form_counts_in_its_series() {
        let row = read(&json!({
            "metadata": {"name": "hello.18", "namespace": "web"},
            "involvedObject": {"apiVersion": "v1", "kind": "Pod", "namespace": "web", "name": "hello"},
            "type": "Normal", "reason": "Scheduled", "message": "assigned", "count": null,
            "firstTimestamp": null, "lastTimestamp": null, "source": {},
            "eventTime": "2026-11-23T10:00:00.123456Z",
            "series": {"count": 3, "lastObservedTime": "2026-11-23T10:05:00.5Z"},
            "reportingComponent": "default-scheduler",
        }));
        assert_eq!((row.count, &*row.source, &*row.object.group), (3, "default-scheduler", ""));
        assert_eq!(row.first.map(|at| at.to_string()).as_deref(), Some("2026-11-23T10:00:00.123456Z"));
        assert_eq!(row.last.map(|at| at.to_string()).as_deref(), Some("2026-11-23T10:05:00.5Z"));
    }

    #[test]
    fn events_k8s_io_itself_is_read_too() {
        let row = read(&json!({
            "metadata": {"name": "hello.19", "namespace": "web"},
            "regarding": {"apiVersion": "v1", "kind": "Pod", "namespace": "web", "name": "hello"},
            "note": "pulled", "reason": "Pulled", "deprecatedCount": 2, "deprecatedSource": {"component": "kubelet"},
            "deprecatedFirstTimestamp": "2026-11-23T10:00:00Z", "deprecatedLastTimestamp": "2026-11-23T10:01:00Z",
        }));
        assert_eq!((row.count, &*row.message, &*row.source, row.warning), (2, "pulled", "kubelet", false));
        assert!(row.last > row.first);
    }

    #[test]
    fn what_is_odd_is_no_event_or_a_plain_one() {
        let cluster = ClusterId::named("foo");
        assert_eq!(event(&cluster, &json!({"metadata": {"name": "x"}})), None, "about nothing");
        assert_eq!(event(&cluster, &json!([])), None);
        let row =
            read(&json!({"metadata": {"name": "x"}, "involvedObject": {"kind": "Node", "name": "n"}, "count": -3,
            "message": "é".repeat(2000), "lastTimestamp": "yesterday"}));
        assert_eq!((row.count, row.message.len(), row.last), (1, 1024, None));
    }
}
