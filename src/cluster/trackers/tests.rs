use std::io::Write as _;

use serde_json::json;

use super::*;
use crate::yaml;

fn read(text: &str) -> Vec<Value> {
    let documents = yaml::documents(text).unwrap();
    documents
        .into_iter()
        .flat_map(|document| document["items"].as_array().cloned().unwrap_or_else(|| vec![document]))
        .filter(|document| document["kind"] == "ResourceTracker")
        .collect()
}

/// Kind and name, cluster, and what the trackers say.
fn told(applied: &Applied) -> Vec<String> {
    let line = |root: &Root| {
        let key = &root.key;
        format!("{} {}/{} {}", key.cluster, key.kind, key.name, root.tracked.as_str())
    };
    applied.roots.iter().map(line).collect()
}

const BOTH: [&str; 4] = [
    "local HelmRelease/hello updated",
    "local HelmRepository/hello updated",
    "foo HelmRelease/hello updated",
    "foo HelmRepository/hello updated",
];

#[test]
fn current_and_history_are_told_apart() {
    let trackers = read(include_str!("../../../tests/fixtures/samples/09-resourcetrackers-helm-hello.yaml"));
    let applied = of(&trackers, &json!({"metadata": {"generation": 2}}));
    let mut wanted = BOTH.to_vec();
    wanted.push("foo ConfigMap/hello-banner outdated");
    assert_eq!(told(&applied), wanted);
    assert!(applied.notes.is_empty(), "{:?}", applied.notes);
    assert_eq!(&*applied.roots[0].component, "hello");
    assert_eq!((&*applied.roots[0].key.group, &*applied.roots[0].version), ("helm.toolkit.fluxcd.io", "v2beta1"));
}

#[test]
fn packed_trackers_are_unpacked() {
    for text in [
        include_str!("../../../tests/fixtures/samples/21-resourcetracker-zstd.yaml"),
        include_str!("../../../tests/fixtures/samples/22-resourcetracker-gzip.yaml"),
    ] {
        let applied = of(&read(text), &json!({"metadata": {"generation": 2}}));
        assert_eq!(told(&applied), BOTH, "{:?}", applied.notes);
    }
}

#[test]
fn what_a_real_controller_wrote_is_read() {
    let text = include_str!("../../../tests/fixtures/captures/resourcetracker-helm-hello-05-current-and-history.yaml");
    let applied = of(&read(text), &json!({"metadata": {"generation": 2}}));
    // The new revision waits before foo: what runs there is the old one's.
    assert_eq!(
        told(&applied),
        [
            "local HelmRelease/hello updated",
            "local HelmRepository/hello updated",
            "foo HelmRelease/hello outdated",
            "foo HelmRepository/hello outdated",
        ]
    );
}

#[test]
fn what_cannot_be_read_is_said_and_the_rest_goes_on() {
    let tracker = |name: &str, spec: Value| json!({"metadata": {"name": name}, "spec": spec});
    let versioned =
        |kind: &str, data: String| json!({"type": "versioned", "compression": {"type": kind, "data": data}});
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let zeros = vec![b' '; 1024 * 1024];
    for _ in 0..=UNPACKED / (1024 * 1024) {
        bomb.write_all(&zeros).unwrap();
    }
    let bomb = bomb.finish().unwrap();
    let trackers = [
        tracker("a", versioned("zstd", STANDARD.encode(b"not zstd at all"))),
        tracker("b", versioned("gzip", STANDARD.encode(&bomb))),
        tracker("c", versioned("zstd", "not base64!".into())),
        tracker("d", versioned("lzma", STANDARD.encode(b"x"))),
        tracker("e", json!({"type": "versioned", "managedResources": "what?"})),
        tracker(
            "f",
            json!({"type": "root", "managedResources": [{"apiVersion": "v1", "kind": "Secret", "name": "s"}]}),
        ),
    ];
    let applied = of(&trackers, &json!({"metadata": {"generation": 7}}));
    assert_eq!(told(&applied), ["local Secret/s updated"]);
    assert_eq!(applied.notes.len(), 5, "{:?}", applied.notes);
    assert!(applied.notes.iter().any(|note| note.contains("unpacks to more than 64 MiB")), "{:?}", applied.notes);
}

#[test]
fn another_applications_tracker_is_left_out_and_publish_versions_decide() {
    let managed = |name: &str| json!([{"apiVersion": "apps/v1", "kind": "Deployment", "name": name, "cluster": ""}]);
    let trackers = [
        json!({"metadata": {"name": "old", "labels": {"app.oam.dev/uid": "other"}},
            "spec": {"type": "versioned", "applicationGeneration": 3, "managedResources": managed("old")}}),
        json!({"metadata": {"name": "alpha", "annotations": {PUBLISH_VERSION: "alpha"}, "labels": {"app.oam.dev/uid": "own"}},
            "spec": {"type": "versioned", "applicationGeneration": 2, "managedResources": managed("web")}}),
        json!({"metadata": {"name": "beta", "annotations": {PUBLISH_VERSION: "beta"}},
            "spec": {"type": "versioned", "applicationGeneration": 3, "managedResources": managed("api")}}),
    ];
    let object = json!({"metadata": {"generation": 3, "uid": "own", "annotations": {PUBLISH_VERSION: "alpha"}}});
    let applied = of(&trackers, &object);
    assert_eq!(told(&applied), ["local Deployment/web updated", "local Deployment/api outdated"]);
    assert_eq!(applied.notes.len(), 1);
}
