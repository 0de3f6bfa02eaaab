use proptest::prelude::*;

use super::*;

#[test]
fn three_are_compared() {
    for (name, original, wanted, current, patch) in [
        ("nothing to do", json!({"a": 1}), json!({"a": 1}), json!({"a": 1}), json!({})),
        ("a new field", json!({}), json!({"a": 1}), json!({}), json!({"a": 1})),
        ("a changed one", json!({"a": 1}), json!({"a": 2}), json!({"a": 1}), json!({"a": 2})),
        ("changed by others, wanted otherwise", json!({"a": 1}), json!({"a": 1}), json!({"a": 3}), json!({"a": 1})),
        ("no more wanted", json!({"a": 1, "b": 1}), json!({"a": 1}), json!({"a": 1, "b": 1}), json!({"b": null})),
        ("no more wanted, and gone", json!({"b": 1}), json!({}), json!({}), json!({})),
        ("no more wanted, changed since", json!({"b": 1}), json!({}), json!({"b": 5}), json!({"b": null})),
        ("of others", json!({}), json!({"a": 1}), json!({"a": 1, "b": {"c": 1}}), json!({})),
        ("without a record", Value::Null, json!({"a": 1}), json!({"a": 2, "b": 1}), json!({"a": 1})),
        (
            "within",
            json!({"a": {"x": 1, "y": 1}}),
            json!({"a": {"x": 2}}),
            json!({"a": {"x": 1, "y": 1, "z": 1}}),
            json!({"a": {"x": 2, "y": null}}),
        ),
        ("an object for a scalar", json!({"a": 1}), json!({"a": {"x": 1}}), json!({"a": 1}), json!({"a": {"x": 1}})),
        ("a scalar for an object", json!({}), json!({"a": 1}), json!({"a": {"x": 1}}), json!({"a": 1})),
        ("a list is replaced", json!({"a": [1]}), json!({"a": [2]}), json!({"a": [1, 9]}), json!({"a": [2]})),
        ("a list that is the same", json!({}), json!({"a": [{"x": 1.0}]}), json!({"a": [{"x": 1}]}), json!({})),
        ("an order that is not", json!({}), json!({"a": [1, 2]}), json!({"a": [2, 1]}), json!({"a": [1, 2]})),
        ("an explicit null", json!({}), json!({"a": null}), json!({"a": 1}), json!({"a": null})),
        ("an explicit null of nothing", json!({}), json!({"a": null}), json!({}), json!({})),
        ("an empty map", json!({}), json!({"a": {}}), json!({}), json!({"a": {}})),
        ("numbers beyond 2^53", json!({}), json!({"a": u64::MAX}), json!({"a": u64::MAX - 1}), json!({"a": u64::MAX})),
    ] {
        assert_eq!(three_way(&original, &wanted, &current), patch, "{name}");
    }
}

fn manifest(steps: &[&str]) -> Value {
    json!({
        "apiVersion": "core.oam.dev/v1beta1", "kind": "Application",
        "metadata": {"name": "hello", "namespace": "default", "labels": {"team": "a"}},
        "spec": {"components": [], "workflow": {"steps": steps}},
    })
}

/// What the server makes of it.
fn stored(object: &Value) -> Value {
    let mut stored = object.clone();
    stored["metadata"]["uid"] = "u1".into();
    stored["metadata"]["resourceVersion"] = "7".into();
    stored["metadata"]["annotations"]["oam.dev/kubevela-version"] = "v1.10.9".into();
    stored["status"] = json!({"status": "running"});
    stored
}

#[test]
fn what_is_created_is_on_record_and_then_unchanged() {
    let applied = Manifest::new(manifest(&["a"]));
    let created = applied.object();
    let record: Value =
        serde_json::from_str(created["metadata"]["annotations"][LAST_APPLIED].as_str().unwrap()).unwrap();
    assert_eq!(record, manifest(&["a"]));
    let mut current = stored(&created);
    assert_eq!(applied.patch(&current), None);
    // What others put there is not ours to take.
    current["metadata"]["labels"]["other"] = "x".into();
    assert_eq!(applied.patch(&current), None);
    // A file that was saved from the server is the same manifest.
    let saved = Manifest::new(stored(&created));
    assert_eq!(saved.resource_version.as_deref(), Some("7"));
    let patch = saved.patch(&stored(&created)).unwrap();
    assert_eq!(touched(&patch), Vec::<String>::new(), "only the record changes: {patch}");
}

#[test]
fn what_the_last_manifest_named_and_this_one_does_not_goes() {
    let current = stored(&Manifest::new(manifest(&["a"])).object());
    let mut next = manifest(&["a", "b"]);
    next["metadata"].as_object_mut().unwrap().remove("labels");
    next["spec"].as_object_mut().unwrap().remove("components");
    let patch = Manifest::new(next.clone()).patch(&current).unwrap();
    assert_eq!(patch["metadata"]["labels"], json!({"team": null}));
    assert_eq!(patch["spec"], json!({"workflow": {"steps": ["a", "b"]}, "components": null}));
    assert_eq!(touched(&patch), ["metadata.labels", "spec.workflow", "spec.components"]);
    let mut after = current;
    merge(&mut after, &patch);
    assert_eq!(after["metadata"]["annotations"]["oam.dev/kubevela-version"], "v1.10.9");
    assert_eq!(Manifest::new(next).patch(&after), None);
}

#[test]
fn records_of_vela_and_kubectl_are_read_and_wishes_not_to_be_recorded_kept() {
    // As the Go types write it: times that are null, a status that is empty.
    let mut by_vela = manifest(&["a"]);
    by_vela["metadata"]["creationTimestamp"] = Value::Null;
    by_vela["status"] = json!({});
    let mut current = stored(&manifest(&["a"]));
    for annotation in [LAST_APPLIED, KUBECTL_LAST_APPLIED] {
        current["metadata"]["annotations"] = json!({annotation: by_vela.to_string()});
        assert_eq!(Manifest::new(manifest(&["a"])).patch(&current), None, "{annotation}");
    }
    current["metadata"]["annotations"] = json!({LAST_APPLIED: "{broken"});
    let patch = Manifest::new(manifest(&["a"])).patch(&current).unwrap();
    assert_eq!((touched(&patch), patch.get("spec")), (Vec::new(), None), "{patch}");
    let mut quiet = manifest(&["a"]);
    quiet["metadata"]["annotations"] = json!({LAST_APPLIED: "skip"});
    assert_eq!(Manifest::new(quiet.clone()).object(), quiet);
    assert_eq!(Manifest::new(quiet.clone()).patch(&stored(&quiet)), None);
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![any::<bool>().prop_map(Value::from), (0..3_i64).prop_map(Value::from)];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            proptest::collection::btree_map("[a-d]", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn objects() -> impl Strategy<Value = Value> {
    proptest::collection::btree_map("[a-d]", values(), 0..4).prop_map(|map| Value::Object(map.into_iter().collect()))
}

/// Whether every leaf of `wanted` is in `is`.
fn holds(wanted: &Value, is: &Value) -> bool {
    match (wanted, is) {
        (Value::Object(wanted), Value::Object(is)) => {
            wanted.iter().all(|(key, wanted)| is.get(key).is_some_and(|is| holds(wanted, is)))
        }
        _ => wanted == is,
    }
}

proptest! {
    #[test]
    fn a_patch_brings_what_is_wanted_and_is_needed_once(original in objects(), wanted in objects(), current in objects()) {
        let patch = three_way(&original, &wanted, &current);
        let mut after = current.clone();
        merge(&mut after, &patch);
        prop_assert!(holds(&wanted, &after), "{patch} makes {after}");
        prop_assert_eq!(three_way(&wanted, &wanted, &after), json!({}));
        // What the last one named and this one does not is gone; what neither named is as it was.
        let (original, wanted) = (original.as_object().unwrap(), wanted.as_object().unwrap());
        for key in ["a", "b", "c", "d"] {
            match (original.contains_key(key), wanted.contains_key(key)) {
                (true, false) => prop_assert_eq!(after.get(key), None),
                (false, false) => prop_assert_eq!(after.get(key), current.get(key)),
                _ => {}
            }
        }
    }
}
