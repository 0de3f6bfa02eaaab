use proptest::prelude::*;
use serde_json::json;

use super::*;

fn deployment() -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop", "labels": {"app.oam.dev/component": "web"}},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"spec": {
                "hostNetwork": false,
                "volumes": [],
                "containers": [
                    {
                        "name": "web",
                        "image": "nginx:1.29",
                        "args": ["-a", "-b"],
                        "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
                        "ports": [{"containerPort": 80}],
                        "resources": {"limits": {"cpu": "1000m", "memory": "1Gi"}},
                    },
                    {"name": "log", "image": "log:1"},
                ],
            }},
        },
    })
}

/// What an API server makes of it: defaults, bookkeeping, other spellings, another order.
fn stored() -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": "web",
            "namespace": "shop",
            "uid": "u",
            "resourceVersion": "5",
            "generation": 1,
            "creationTimestamp": "2026-11-23T10:00:00Z",
            "labels": {"app.oam.dev/component": "web", "team": "a"},
            "annotations": {
                "app.oam.dev/last-applied-configuration": "{}",
                "app.oam.dev/last-applied-time": "2026-11-23T10:00:00Z",
                "deployment.kubernetes.io/revision": "1",
            },
            "managedFields": [
                {
                    "manager": "kubevela",
                    "fieldsV1": {
                        "f:metadata": {"f:labels": {"f:app.oam.dev/component": {}}},
                        "f:spec": {"f:progressDeadlineSeconds": {}, "f:template": {"f:spec": {"f:containers": {
                            "k:{\"name\":\"web\"}": {".": {}, "f:imagePullPolicy": {}}}}}},
                    },
                },
                {
                    "manager": "kube-controller-manager",
                    "fieldsV1": {"f:metadata": {"f:annotations": {"f:deployment.kubernetes.io/revision": {}}}},
                },
                {
                    "manager": "kubectl-edit",
                    "fieldsV1": {
                        "f:metadata": {"f:labels": {"f:team": {}}},
                        "f:spec": {"f:template": {"f:spec": {"f:containers": {
                            "k:{\"name\":\"log\"}": {"f:resources": {"f:limits": {"f:cpu": {}}}}}}}},
                    },
                },
            ],
        },
        "spec": {
            "replicas": 2,
            "progressDeadlineSeconds": 600,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"spec": {
                "restartPolicy": "Always",
                "containers": [
                    {"name": "log", "image": "log:1", "resources": {"limits": {"cpu": "1"}}},
                    {
                        "name": "web",
                        "image": "nginx:1.29",
                        "imagePullPolicy": "IfNotPresent",
                        "args": ["-a", "-b"],
                        "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
                        "ports": [{"containerPort": 80, "protocol": "TCP"}],
                        "resources": {"limits": {"cpu": "1", "memory": "1024Mi"}},
                    },
                ],
            }},
        },
        "status": {"replicas": 2},
    })
}

#[test]
fn what_a_server_adds_is_no_drift_and_told() {
    let drift = compare(&deployment(), &stored());
    assert!(!drift.is_drift(), "{:#} {:#}", drift.applied, drift.live);
    let extra: Vec<(&str, Option<&str>)> =
        drift.extra.iter().map(|extra| (extra.path.as_str(), extra.set_by.as_deref())).collect();
    assert_eq!(
        extra,
        [
            ("metadata.labels.team", Some("kubectl-edit")),
            ("metadata.annotations", Some("kube-controller-manager")),
            ("spec.template.spec.containers[web].ports[80/TCP].protocol", None),
            ("spec.template.spec.containers[web].imagePullPolicy", None),
            ("spec.template.spec.containers[log].resources", Some("kubectl-edit")),
            ("spec.template.spec.restartPolicy", None),
            ("spec.progressDeadlineSeconds", None),
        ]
    );
    let alike: Vec<&str> = drift.alike.iter().map(|(path, ..)| path.as_str()).collect();
    assert_eq!(
        alike,
        [
            "spec.template.spec.hostNetwork",
            "spec.template.spec.volumes",
            "spec.template.spec.containers[web].resources.limits.cpu",
            "spec.template.spec.containers[web].resources.limits.memory",
        ]
    );
    assert_eq!(
        drift.bookkeeping,
        ["status", "uid", "resourceVersion", "generation", "creationTimestamp", "managedFields"]
    );
}

#[test]
fn what_somebody_changed_is_drift_and_nothing_else() {
    for (what, path, value, differs) in [
        ("an image", "/spec/template/spec/containers/1/image", json!("nginx:1.30"), true),
        ("replicas", "/spec/replicas", json!(3), true),
        ("an argument", "/spec/template/spec/containers/1/args", json!(["-a"]), true),
        ("the order of arguments", "/spec/template/spec/containers/1/args", json!(["-b", "-a"]), true),
        ("a variable's value", "/spec/template/spec/containers/1/env/0/value", json!("9"), true),
        ("a variable more", "/spec/template/spec/containers/1/env/2", json!({"name": "C", "value": "3"}), true),
        ("a variable less", "/spec/template/spec/containers/1/env", json!([{"name": "A", "value": "1"}]), true),
        (
            "the order of variables",
            "/spec/template/spec/containers/1/env",
            json!([{"name": "B", "value": "2"}, {"name": "A", "value": "1"}]),
            false,
        ),
        ("a default", "/spec/progressDeadlineSeconds", json!(1), false),
        ("another limit", "/spec/template/spec/containers/1/resources/limits/cpu", json!("2"), true),
        ("a label that was applied", "/metadata/labels/app.oam.dev~1component", json!("x"), true),
        ("a port more", "/spec/template/spec/containers/1/ports/1", json!({"containerPort": 81}), true),
    ] {
        let mut live = stored();
        if let Some(place) = live.pointer_mut(path) {
            *place = value;
        } else {
            let (list, _) = path.rsplit_once('/').unwrap();
            live.pointer_mut(list).unwrap().as_array_mut().unwrap().push(value);
        }
        assert_eq!(compare(&deployment(), &live).is_drift(), differs, "{what}");
    }
}

#[test]
fn spellings_are_one_only_where_they_mean_one() {
    for (applied, live, same) in [
        (json!({"kind": "X", "port": 80}), json!({"kind": "X", "port": "80"}), true),
        (json!({"kind": "X", "n": 1}), json!({"kind": "X", "n": 1.0}), true),
        (json!({"kind": "X", "n": 1}), json!({"kind": "X", "n": true}), false),
        // A text is a text, whatever it looks like.
        (
            json!({"kind": "ConfigMap", "data": {"cpu": "1000m"}}),
            json!({"kind": "ConfigMap", "data": {"cpu": "1"}}),
            false,
        ),
        (json!({"kind": "X", "limits": {"cpu": "1000m"}}), json!({"kind": "X", "limits": {"cpu": 1}}), true),
        (json!({"kind": "X", "sizeLimit": "1Gi"}), json!({"kind": "X", "sizeLimit": "1024Mi"}), true),
        (json!({"kind": "X", "a": null}), json!({"kind": "X"}), true),
        (json!({"kind": "X", "a": {"b": []}}), json!({"kind": "X"}), true),
        (json!({"kind": "X", "a": 0}), json!({"kind": "X"}), false),
        (json!({"kind": "X", "a": "x"}), json!({"kind": "X"}), false),
        (json!({"kind": "X", "a": {}}), json!({"kind": "X", "a": null}), true),
        (json!({"kind": "X", "a": [1]}), json!({"kind": "X", "a": "x"}), false),
    ] {
        assert_eq!(!compare(&applied, &live).is_drift(), same, "{applied} {live}");
    }
}

#[test]
fn maps_that_nobody_else_fills_are_compared_whole() {
    let applied = json!({"kind": "ConfigMap", "data": {"a": "1"}});
    let live = json!({"kind": "ConfigMap", "data": {"a": "1", "b": "2"}});
    assert!(compare(&applied, &live).is_drift());
    let release = |values: Value| json!({"kind": "HelmRelease", "spec": {"interval": "1m", "values": values}});
    assert!(compare(&release(json!({"a": {"b": 1}})), &release(json!({"a": {"b": 1, "c": 2}}))).is_drift());
    let mut live = release(json!({"a": 1}));
    live["spec"]["suspend"] = json!(true);
    assert!(!compare(&release(json!({"a": 1})), &live).is_drift());
}

#[test]
fn lists_are_told_apart_by_what_is_one_of_a_kind() {
    let ports = |ports: Value| json!({"kind": "Service", "spec": {"ports": ports}});
    // DNS over both protocols: the number alone is no key.
    let applied = ports(json!([{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]));
    let live = ports(json!([{"port": 53, "protocol": "TCP", "nodePort": 1}, {"port": 53, "protocol": "UDP"}]));
    assert!(!compare(&applied, &live).is_drift());
    // Without any key they are compared in their order.
    let plain = |list: Value| json!({"kind": "X", "rules": list});
    let (one, other) = (json!({"verbs": ["get"]}), json!({"verbs": ["list"]}));
    assert!(!compare(&plain(json!([one, other])), &plain(json!([one, other]))).is_drift());
    assert!(compare(&plain(json!([one, other])), &plain(json!([other, one]))).is_drift());
    assert!(compare(&plain(json!([one])), &plain(json!([one, other]))).is_drift());
    assert!(compare(&plain(json!([])), &plain(json!([one]))).is_drift());
}

#[test]
fn odd_objects_break_nothing() {
    for odd in [Value::Null, json!([]), json!("x"), json!({"metadata": 5}), json!({"metadata": {"managedFields": "x"}})]
    {
        assert!(!compare(&odd, &odd).is_drift(), "{odd}");
        let _ = compare(&deployment(), &odd);
        let _ = compare(&odd, &stored());
    }
}

fn value() -> impl Strategy<Value = Value> {
    let leaf =
        prop_oneof![(1..4_i64).prop_map(Value::from), "[a-c]{1,2}".prop_map(Value::from), Just(Value::Bool(true)),];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 1..3).prop_map(Value::from),
            proptest::collection::btree_map("[a-c]|name|port", inner, 1..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Adds a field that no manifest has to every map.
fn defaulted(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut map: Map<String, Value> = map.iter().map(|(key, value)| (key.clone(), defaulted(value))).collect();
            map.insert("zDefault".to_owned(), json!("set by the server"));
            Value::Object(map)
        }
        Value::Array(list) => list.iter().map(defaulted).collect(),
        other => other.clone(),
    }
}

fn maps(value: &Value) -> usize {
    match value {
        Value::Object(map) => 1 + map.values().map(maps).sum::<usize>(),
        Value::Array(list) => list.iter().map(maps).sum(),
        _ => 0,
    }
}

proptest! {
    #[test]
    fn defaults_are_counted_and_never_drift(spec in value()) {
        let object = |spec: &Value| json!({"kind": "X", "spec": spec});
        let drift = compare(&object(&spec), &object(&defaulted(&spec)));
        prop_assert!(!drift.is_drift());
        prop_assert_eq!(drift.extra.len(), maps(&spec));
    }

    #[test]
    fn another_spec_is_drift_unless_it_holds_the_first(one in value(), other in value()) {
        let object = |spec: &Value| json!({"kind": "X", "spec": spec});
        let drift = compare(&object(&one), &object(&other));
        if drift.is_drift() {
            prop_assert_ne!(&one, &other);
        } else {
            // What is looked at through the manifest is the manifest.
            prop_assert_eq!(&drift.live, &drift.applied);
        }
    }
}
