use proptest::prelude::*;
use serde_json::json;

use super::*;

/// The example of every case: two components, traits, lists and nested maps.
fn base() -> Vec<Value> {
    vec![
        json!({
            "name": "web",
            "type": "webservice",
            "properties": {
                "image": "a:v1",
                "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
                "res": {"cpu": "1", "mem": "1Gi"},
            },
            "traits": [{"type": "scaler", "properties": {"replicas": 1}}, {"type": "gateway"}],
            "dependsOn": ["db"],
        }),
        json!({"name": "my-web-api", "type": "worker", "properties": {"image": "b:v1"}}),
    ]
}

fn patched(patches: &Value) -> Vec<Value> {
    patch_components(&base(), patches.as_array().unwrap(), None)
}

fn names(components: &[Value]) -> Vec<&str> {
    components.iter().map(|component| component["name"].as_str().unwrap()).collect()
}

#[test]
fn merging_is_mergos() {
    for (what, base, patch, wanted) in [
        (
            "map / map",
            json!({"a": {"b": 1, "c": 2}}),
            json!({"a": {"c": 3, "d": 4}}),
            json!({"a": {"b": 1, "c": 3, "d": 4}}),
        ),
        ("any / empty text", json!({"a": "x"}), json!({"a": ""}), json!({"a": ""})),
        ("any / zero", json!({"a": 5}), json!({"a": 0}), json!({"a": 0})),
        ("any / false", json!({"a": true}), json!({"a": false}), json!({"a": false})),
        ("any / array", json!({"a": [1, 2, 3]}), json!({"a": [9]}), json!({"a": [9]})),
        ("any / empty array", json!({"a": [1]}), json!({"a": []}), json!({"a": []})),
        ("any / null", json!({"a": {"b": 1}}), json!({"a": null}), json!({"a": null})),
        ("scalar / map", json!({"a": "x"}), json!({"a": {"b": 1}}), json!({"a": {"b": 1}})),
        ("array / map", json!({"a": [1]}), json!({"a": {"b": 1}}), json!({"a": {"b": 1}})),
        ("map / scalar", json!({"a": {"b": 1}}), json!({"a": "x"}), json!({"a": "x"})),
        ("missing / anything", json!({}), json!({"a": {"b": []}}), json!({"a": {"b": []}})),
        ("empty map", json!({"a": {"b": 1}}), json!({"a": {}}), json!({"a": {"b": 1}})),
        (
            "the example of KubeVela's own documentation",
            json!({"image": "a:v1", "env": [{"A": 1}, {"B": 2}], "res": {"cpu": "1", "mem": "1Gi"}}),
            json!({"image": "a:v2", "env": [{"A": 9}], "res": {"cpu": "2"}}),
            json!({"image": "a:v2", "env": [{"A": 9}], "res": {"cpu": "2", "mem": "1Gi"}}),
        ),
    ] {
        let mut merged = base.as_object().unwrap().clone();
        merge(&mut merged, patch.as_object().unwrap());
        assert_eq!(Value::Object(merged), wanted, "{what}");
    }
}

#[test]
fn a_patch_without_a_name_meets_all_or_those_of_its_type() {
    let all = patched(&json!([{"properties": {"x": 1}}]));
    assert!(all.iter().all(|component| component["properties"]["x"] == 1));
    let workers = patched(&json!([{"type": "worker", "properties": {"x": 1}}]));
    assert_eq!((&workers[0]["properties"]["x"], &workers[1]["properties"]["x"]), (&Value::Null, &json!(1)));
    assert_eq!(patched(&json!([{"type": "cron-task", "properties": {"x": 1}}])), base());
}

#[test]
fn names_are_patterns_that_match_anywhere() {
    for (pattern, meets) in [
        ("web", [true, true]),
        ("^web$", [true, false]),
        ("w*b", [true, true]),
        ("my-*", [false, true]),
        ("*api", [false, true]),
        ("we.", [true, true]),
    ] {
        let all = patched(&json!([{"name": pattern, "properties": {"x": 1}}]));
        assert_eq!(names(&all), ["web", "my-web-api"], "{pattern}: none is added");
        let met: Vec<bool> = all.iter().map(|component| component["properties"]["x"] == 1).collect();
        assert_eq!(met, meets, "{pattern}");
    }
}

#[test]
fn what_matches_nothing_is_added_as_a_component() {
    let all = patched(&json!([
        {"name": "cache", "type": "helm", "properties": {"chart": "redis"}, "traits": [{"type": "scaler", "disable": false}]},
        // The next patch meets the one just added.
        {"name": "cach", "properties": {"version": "2"}},
    ]));
    assert_eq!(names(&all), ["web", "my-web-api", "cache"]);
    let wanted = json!({"name": "cache", "type": "helm", "properties": {"chart": "redis", "version": "2"}, "traits": [{"type": "scaler"}]});
    assert_eq!(all[2], wanted);
    // No component can be called that, and this is no pattern at all: it is added in its own words, as KubeVela does.
    assert_eq!(patched(&json!([{"name": "NONE"}])).len(), 2);
    assert_eq!(patched(&json!([{"name": "a("}])).len(), 3);
}

#[test]
fn one_of_another_type_takes_the_place_of_the_component_name_and_all() {
    let all = patched(&json!([
        {"name": "^web", "type": "worker", "properties": {"y": 1}},
        // KubeVela finds it by the name it had.
        {"name": "^web$", "type": "worker", "properties": {"z": 2}},
    ]));
    assert_eq!(
        all[0],
        json!({"name": "^web", "type": "worker", "properties": {"y": 1, "z": 2}}),
        "what it depended on is lost"
    );
}

#[test]
fn the_selector_keeps_what_it_names_after_all_patches() {
    let patches = [json!({"name": "cache", "type": "helm"})];
    let kept = |selector: Value| -> Vec<String> {
        let all = patch_components(&base(), &patches, selector.as_array().map(Vec::as_slice));
        names(&all).into_iter().map(str::to_owned).collect()
    };
    assert_eq!(kept(json!(["cache", "web"])), ["web", "cache"], "in their own order");
    assert_eq!(kept(json!([])), Vec::<String>::new());
    assert_eq!(kept(Value::Null), ["web", "my-web-api", "cache"]);
}

#[test]
fn traits_are_merged_by_type_added_and_taken_away() {
    for (what, patch, wanted) in [
        (
            "merged",
            json!([{"type": "scaler", "properties": {"replicas": 3}}]),
            json!([{"type": "scaler", "properties": {"replicas": 3}}, {"type": "gateway"}]),
        ),
        (
            "new",
            json!([{"type": "expose", "disable": false}]),
            json!([{"type": "scaler", "properties": {"replicas": 1}}, {"type": "gateway"}, {"type": "expose"}]),
        ),
        ("taken away", json!([{"type": "scaler", "disable": true}]), json!([{"type": "gateway"}])),
        ("taken away though not there", json!([{"type": "expose", "disable": true}]), base()[0]["traits"].clone()),
        (
            "all taken away",
            json!([{"type": "scaler", "disable": true}, {"type": "gateway", "disable": true}]),
            Value::Null,
        ),
        (
            "without properties",
            json!([{"type": "gateway", "properties": {"port": 80}}]),
            json!([{"type": "scaler", "properties": {"replicas": 1}}, {"type": "gateway", "properties": {"port": 80}}]),
        ),
    ] {
        let all = patched(&json!([{"name": "^web", "traits": patch}]));
        assert_eq!(all[0]["traits"], wanted, "{what}");
    }
    // Of two of one type the last wins, and comes twice.
    let twice = [
        json!({"name": "web", "traits": [{"type": "t", "properties": {"n": 1}}, {"type": "t", "properties": {"n": 2}}]}),
    ];
    let all = patch_components(&twice, &[json!({"name": "web"})], None);
    assert_eq!(all[0]["traits"], json!([{"type": "t", "properties": {"n": 2}}, {"type": "t", "properties": {"n": 2}}]));
}

#[test]
fn the_external_revision_is_replaced_where_the_patch_names_one() {
    let base = [json!({"name": "web", "externalRevision": "v1"})];
    let of = |patch: &Value| patch_components(&base, std::slice::from_ref(patch), None)[0]["externalRevision"].clone();
    assert_eq!(of(&json!({"name": "web", "externalRevision": "v2"})), "v2");
    assert_eq!(of(&json!({"name": "web", "externalRevision": ""})), "v1");
}

fn place(cluster: &str, namespace: &str) -> Target {
    Target::Cluster(Placement { cluster: ClusterId::named(cluster), namespace: namespace.into() })
}

fn policy(name: &str, kind: &str, properties: Value) -> Value {
    let mut policy = json!({"name": name, "type": kind});
    policy["properties"] = properties;
    policy
}

fn deploy(name: &str, policies: &[&str]) -> Value {
    json!({"name": name, "type": "deploy", "properties": {"policies": policies}})
}

#[test]
fn overrides_apply_in_the_order_of_the_step_and_each_step_begins_anew() {
    let image = |image: &str| json!({"components": [{"properties": {"image": image}}]});
    let spec = json!({
        "components": [{"name": "web", "type": "webservice", "properties": {"image": "base"}}],
        "policies": [
            policy("b", "override", image("b")),
            policy("a", "override", image("a")),
            policy("foo", "topology", json!({"clusters": ["foo", "bar"], "namespace": "prod"})),
            policy("gc", "garbage-collect", json!({})),
        ],
        "workflow": {"steps": [
            deploy("one", &["a", "b", "foo", "gc"]),
            deploy("two", &["b", "a"]),
            {"type": "suspend"},
            {"name": "group", "type": "step-group", "subSteps": [deploy("three", &["foo"]), {"type": "deploy"}]},
        ]},
    });
    let all = deliveries(&spec, &External::new(), None);
    let told: Vec<_> = all
        .iter()
        .map(|one| (&*one.step, one.components[0]["properties"]["image"].as_str().unwrap(), one.targets.clone()))
        .collect();
    let foo = vec![place("foo", "prod"), place("bar", "prod")];
    assert_eq!(
        told,
        [
            ("one", "b", foo.clone()),
            ("two", "a", vec![place("local", "")]),
            ("three", "base", foo),
            ("group-1", "base", vec![place("local", "")]),
        ]
    );
    assert_eq!(all[0].overrides, ["a".into(), "b".into()] as [Text; 2]);
}

#[test]
fn topologies_say_where_to() {
    let labels = |namespace: &str| Target::Selector {
        labels: vec![("region".into(), "eu".into())],
        namespace: namespace.into(),
    };
    for (properties, wanted) in [
        (json!({"clusters": ["foo"]}), vec![place("foo", "")]),
        (json!({"clusters": []}), vec![]),
        (json!({"clusters": [], "clusterLabelSelector": {"region": "eu"}}), vec![]),
        (json!({"clusterLabelSelector": {"region": "eu"}, "namespace": "x"}), vec![labels("x")]),
        (json!({"clusters": null, "clusterSelector": {"region": "eu"}}), vec![labels("")]),
        (json!({"namespace": "x"}), vec![place("local", "x")]),
        (Value::Null, vec![place("local", "")]),
    ] {
        let spec = json!({
            "components": [],
            "policies": [policy("t", "topology", properties.clone())],
            "workflow": {"steps": [deploy("d", &["t"])]},
        });
        assert_eq!(deliveries(&spec, &External::new(), None)[0].targets, wanted, "{properties}");
    }
    // Several are joined, and none is gone to twice.
    let spec = json!({
        "policies": [
            policy("a", "topology", json!({"clusters": ["foo", "bar"]})),
            policy("b", "topology", json!({"clusters": ["bar", "baz"]})),
        ],
        "workflow": {"steps": [deploy("d", &["a", "b", "outside", "unknown"])]},
    });
    let external = [("outside".to_owned(), json!({"type": "topology", "properties": {"clusters": ["foo", "qux"]}}))];
    let targets = deliveries(&spec, &external.into(), None).remove(0).targets;
    let wanted =
        [place("foo", ""), place("bar", ""), place("baz", ""), place("qux", ""), Target::External("unknown".into())];
    assert_eq!(targets, wanted);
}

#[test]
fn without_steps_those_that_kubevela_generates_count() {
    let component = json!([{"name": "web", "properties": {"x": 0}}]);
    let steps = |policies: Value| -> Vec<(String, Vec<Target>, Value)> {
        let spec = json!({"components": component, "policies": policies});
        let all = deliveries(&spec, &External::new(), None);
        all.into_iter()
            .map(|one| (one.step.to_string(), one.targets, one.components[0]["properties"]["x"].clone()))
            .collect()
    };
    let override_x = policy("o", "override", json!({"components": [{"properties": {"x": 1}}]}));
    let topology = |name: &str| policy(name, "topology", json!({"clusters": [name]}));
    let here = vec![place("local", "")];
    assert_eq!(steps(json!([])), [("web".to_owned(), here.clone(), json!(0))]);
    assert_eq!(steps(json!([override_x])), [("deploy".to_owned(), here, json!(1))]);
    assert_eq!(
        steps(json!([topology("foo"), override_x, topology("bar")])),
        [
            ("deploy-foo".to_owned(), vec![place("foo", "")], json!(1)),
            ("deploy-bar".to_owned(), vec![place("bar", "")], json!(1)),
        ]
    );
    assert!(steps(json!([policy("e", "env-binding", json!({}))])).is_empty(), "made by a definition");
}

#[test]
fn an_outside_workflow_and_single_components_are_followed() {
    let spec = json!({
        "components": [{"name": "web"}, {"name": "db"}],
        "workflow": {"ref": "shared"},
    });
    assert!(deliveries(&spec, &External::new(), None).is_empty(), "it is not known");
    let workflow = json!({"steps": [
        {"name": "one", "type": "apply-component", "properties": {"component": "db", "cluster": "foo", "namespace": "x"}},
        {"name": "two", "type": "notification"},
    ]});
    let all = deliveries(&spec, &External::new(), Some(&workflow));
    assert_eq!(all.len(), 1);
    assert_eq!((names(&all[0].components), &all[0].targets), (vec!["db"], &vec![place("foo", "x")]));
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (0..4_i64).prop_map(Value::from),
        "[a-c]{0,2}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            proptest::collection::btree_map("[a-d]", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn map() -> impl Strategy<Value = Map<String, Value>> {
    proptest::collection::btree_map("[a-d]", value(), 0..4).prop_map(|map| map.into_iter().collect())
}

/// Every path of a value that is no map, with what stands there.
fn leaves(map: &Map<String, Value>, path: &str, out: &mut Vec<(String, Value)>) {
    for (key, value) in map {
        let path = format!("{path}/{key}");
        match value {
            Value::Object(under) => leaves(under, &path, out),
            other => out.push((path, other.clone())),
        }
    }
}

proptest! {
    #[test]
    fn everything_that_a_patch_says_is_so_afterwards_and_again_changes_nothing(base in map(), patch in map()) {
        let mut merged = base.clone();
        merge(&mut merged, &patch);
        let mut said = Vec::new();
        leaves(&patch, "", &mut said);
        let value = Value::Object(merged.clone());
        for (path, wanted) in said {
            prop_assert_eq!(value.pointer(&path), Some(&wanted));
        }
        let mut again = merged.clone();
        merge(&mut again, &patch);
        prop_assert_eq!(&again, &merged);
        // What the patch does not speak of stays as it was.
        for (key, old) in base.iter().filter(|(key, _)| !patch.contains_key(*key)) {
            prop_assert_eq!(merged.get(key), Some(old));
        }
    }

    #[test]
    fn merging_goes_step_by_step(one in map(), two in map(), base in map()) {
        let merged = |base: &Map<String, Value>, patch: &Map<String, Value>| {
            let mut merged = base.clone();
            merge(&mut merged, patch);
            merged
        };
        // Only where no null or other kind came between: then the order of bracketing does not matter.
        let left = merged(&merged(&base, &one), &two);
        let mut said = Vec::new();
        leaves(&two, "", &mut said);
        let left = Value::Object(left);
        for (path, wanted) in said {
            prop_assert_eq!(left.pointer(&path), Some(&wanted));
        }
    }

    #[test]
    fn no_patch_breaks_and_components_never_get_fewer(patches in proptest::collection::vec(
        ("[a-zA-Z.*(\\[^$-]{0,5}", proptest::option::of("webservice|worker"), map()), 0..5,
    )) {
        let patches: Vec<Value> = patches.into_iter().map(|(name, kind, properties)| {
            json!({"name": name, "type": kind, "properties": properties, "traits": [{"type": "scaler"}]})
        }).collect();
        let all = patch_components(&base(), &patches, None);
        prop_assert!(all.len() >= base().len() && all.len() <= base().len() + patches.len());
        prop_assert_eq!(patch_components(&base(), &patches, Some(&[])).len(), 0);
    }
}
