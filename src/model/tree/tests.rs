use proptest::prelude::*;

use super::*;

fn key(cluster: &str, kind: &str, name: &str) -> ResourceKey {
    ResourceKey {
        cluster: ClusterId::named(cluster),
        group: "".into(),
        kind: kind.into(),
        namespace: "default".into(),
        name: name.into(),
    }
}

fn root(cluster: &str, kind: &str, name: &str) -> Root {
    Root {
        key: key(cluster, kind, name),
        version: "v1".into(),
        component: "web".into(),
        made_by_trait: "".into(),
        tracked: Tracked::Updated,
    }
}

fn resource(cluster: &str, kind: &str, name: &str, owners: &[&str]) -> Resource {
    Resource {
        key: key(cluster, kind, name),
        uid: format!("{kind}/{name}").into(),
        owners: owners.iter().map(|owner| (*owner).into()).collect(),
        made_by: None,
        health: Health::Ok,
        message: "".into(),
        created_at: None,
        idle: false,
        makes: None,
        labels: Vec::new(),
    }
}

/// The tree as indented lines: kind/name and the class.
fn lines(tree: &Tree) -> Vec<String> {
    let told = tree.nodes.iter().map(|node| {
        let name = match &node.what {
            What::Cluster(cluster) => cluster.to_string(),
            What::Object(key) => format!("{}/{}", key.kind, key.name),
            What::Idle(key, count) => format!("{count} idle {}", key.kind),
        };
        format!("{}{name} {}", "  ".repeat(node.depth), node.health.as_str())
    });
    told.collect()
}

#[test]
fn a_release_and_what_it_made_down_to_the_pod() {
    let mut deployment = resource("foo", "Deployment", "hello", &[]);
    deployment.made_by = Some(("HelmRelease".into(), "default".into(), "hello".into()));
    let mut set = resource("foo", "ReplicaSet", "hello-1", &["Deployment/hello"]);
    // Helm's labels are handed down by some charts: it still hangs from its owner alone.
    set.made_by = deployment.made_by.clone();
    let mut pod = resource("foo", "Pod", "hello-1-a", &["ReplicaSet/hello-1"]);
    (pod.health, pod.message) = (Health::Failed, "CrashLoopBackOff".into());
    let found = Found {
        roots: vec![root("foo", "HelmRelease", "hello"), root("local", "ConfigMap", "banner")],
        clusters: vec![ClusterId::named("foo"), ClusterId::named("bar")],
        resources: vec![
            pod,
            set,
            deployment,
            resource("foo", "HelmRelease", "hello", &[]),
            resource("foo", "Pod", "x", &[]),
        ],
        ..Found::default()
    };
    assert_eq!(
        lines(&assemble(&found)),
        [
            "local failed",
            "  ConfigMap/banner gone",
            "bar pending",
            "foo failed",
            "  HelmRelease/hello failed",
            "    Deployment/hello failed",
            "      ReplicaSet/hello-1 failed",
            "        Pod/hello-1-a failed",
        ]
    );
}

#[test]
fn what_could_not_be_asked_is_unknown_and_the_rest_goes_on() {
    let found = Found {
        roots: vec![root("foo", "Deployment", "web"), root("local", "Deployment", "web"), root("local", "Secret", "s")],
        resources: vec![resource("local", "Deployment", "web", &[])],
        incomplete: vec![
            Gap { cluster: ClusterId::named("foo"), kind: None, reason: "connection refused".into() },
            Gap { cluster: ClusterId::local(), kind: Some("Secret".into()), reason: "list secrets: forbidden".into() },
        ],
        ..Found::default()
    };
    let tree = assemble(&found);
    assert_eq!(
        lines(&tree),
        ["local unknown", "  Deployment/web ok", "  Secret/s unknown", "foo unknown", "  Deployment/web unknown"]
    );
    assert_eq!(&*tree.nodes[2].message, "list secrets: forbidden");
    assert_eq!(tree.health(), Some(Health::Unknown));
}

#[test]
fn an_outdated_object_that_is_gone_is_no_fault() {
    let mut old = root("local", "ConfigMap", "banner");
    old.tracked = Tracked::Outdated;
    let found = Found {
        roots: vec![root("local", "Deployment", "web"), old],
        resources: vec![resource("local", "Deployment", "web", &[])],
        ..Found::default()
    };
    assert_eq!(lines(&assemble(&found))[0], "local ok");
}

#[test]
fn old_replica_sets_are_one_line() {
    let mut resources = vec![resource("local", "Deployment", "web", &[])];
    for name in ["a", "b", "c"] {
        let mut set = resource("local", "ReplicaSet", name, &["Deployment/web"]);
        set.idle = name != "b";
        resources.push(set);
    }
    let found = Found { roots: vec![root("local", "Deployment", "web")], resources, ..Found::default() };
    assert_eq!(
        lines(&assemble(&found)),
        ["local ok", "  Deployment/web ok", "    ReplicaSet/b ok", "    2 idle ReplicaSet ok"]
    );
}

#[test]
fn cycles_end_and_two_owners_are_two_places() {
    let found = Found {
        roots: vec![root("local", "A", "a"), root("local", "B", "b")],
        resources: vec![
            resource("local", "A", "a", &["C/c"]),
            resource("local", "B", "b", &[]),
            resource("local", "C", "c", &["A/a", "B/b", "C/c"]),
        ],
        ..Found::default()
    };
    let told = lines(&assemble(&found));
    assert_eq!(
        told,
        ["local ok", "  A/a ok", "    C/c ok", "  B/b ok", "    C/c ok", "      A/a ok"],
        "an object stands under each of its owners, and never below itself"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Every object that descends from a root stands in the tree once under each of its owners that stand there; what
    /// does not descend from one is not in it.
    #[test]
    fn whatever_descends_from_a_root_is_there_once_per_place(
        parents in prop::collection::vec(prop::collection::vec(any::<prop::sample::Index>(), 0..3), 1..40),
        roots in prop::collection::vec(any::<prop::sample::Index>(), 1..4),
    ) {
        let count = parents.len();
        let name = |at: usize| format!("o{at}");
        let mut owners: Vec<BTreeSet<usize>> = Vec::new();
        for (at, chosen) in parents.iter().enumerate() {
            // Owners come before what they own: no cycles here, they have a test of their own.
            owners.push(if at == 0 { BTreeSet::new() } else { chosen.iter().map(|index| index.index(at)).collect() });
        }
        let roots: BTreeSet<usize> = roots.iter().map(|index| index.index(count)).collect();
        let resources: Vec<Resource> = (0..count)
            .map(|at| {
                let uids: Vec<String> = owners[at].iter().map(|owner| format!("Thing/{}", name(*owner))).collect();
                resource("local", "Thing", &name(at), &uids.iter().map(String::as_str).collect::<Vec<_>>())
            })
            .collect();
        let found = Found {
            roots: roots.iter().map(|at| root("local", "Thing", &name(*at))).collect(),
            resources,
            ..Found::default()
        };
        // How many paths lead from a root to each object, as the definition says; depth is bounded.
        let mut paths: Vec<Vec<usize>> = vec![Vec::new(); count];
        for at in 0..count {
            let mut depths: Vec<usize> = if roots.contains(&at) { vec![1] } else { Vec::new() };
            for owner in &owners[at] {
                depths.extend(paths[*owner].iter().map(|depth| depth + 1));
            }
            depths.retain(|depth| *depth <= DEEPEST + 1);
            paths[at] = depths;
        }
        prop_assume!(paths.iter().map(Vec::len).sum::<usize>() < 20_000);
        let tree = assemble(&found);
        for (at, expected) in paths.iter().enumerate() {
            let wanted = key("local", "Thing", &name(at));
            let places = tree.nodes.iter().filter(|node| node.what == What::Object(wanted.clone())).count();
            prop_assert_eq!(places, expected.len(), "{}", name(at));
        }
        for (at, node) in tree.nodes.iter().enumerate() {
            if let Some(parent) = node.parent {
                prop_assert!(parent < at && tree.nodes[parent].depth + 1 == node.depth);
            }
        }
    }
}

#[test]
fn merged_the_same_stands_once_with_how_it_stands_in_each_cluster() {
    let mut broken = resource("foo", "Deployment", "web", &[]);
    (broken.health, broken.message) = (Health::Failed, "0/3 available".into());
    let found = Found {
        roots: vec![
            root("local", "Deployment", "web"),
            root("foo", "Deployment", "web"),
            root("foo", "ConfigMap", "only-here"),
            root("bar", "Deployment", "web"),
        ],
        clusters: vec![ClusterId::named("later")],
        resources: vec![
            resource("local", "Deployment", "web", &[]),
            resource("local", "Pod", "web-a", &["Deployment/web"]),
            broken,
            resource("foo", "Pod", "web-b", &["Deployment/web"]),
            resource("foo", "ConfigMap", "only-here", &[]),
        ],
        ..Found::default()
    };
    let tree = merged(&assemble(&found));
    assert_eq!(
        lines(&tree),
        ["Deployment/web failed", "  Pod/web-a ok", "  Pod/web-b ok", "ConfigMap/only-here ok", "later pending"]
    );
    let places: Vec<String> =
        tree.nodes[0].places.iter().map(|(cluster, health)| format!("{cluster} {}", health.as_str())).collect();
    assert_eq!(places, ["local ok", "bar gone", "foo failed"]);
    assert_eq!(tree.nodes[0].what, What::Object(key("foo", "Deployment", "web")), "keys act upon the worst");
    for (at, node) in tree.nodes.iter().enumerate() {
        assert!(node.parent.is_none_or(|parent| parent < at && tree.nodes[parent].depth + 1 == node.depth));
    }
}

#[test]
fn a_kind_that_was_uninstalled_is_told_and_what_is_still_asked_is_not_gone() {
    let mut found = Found {
        roots: vec![root("foo", "Database", "db"), root("local", "Deployment", "web")],
        asking: vec![ClusterId::local()],
        unserved: vec![(ClusterId::named("foo"), "".into(), "Database".into())],
        ..Found::default()
    };
    let tree = assemble(&found);
    assert_eq!(lines(&tree), ["local unknown", "  Deployment/web unknown", "foo failed", "  Database/db gone"]);
    assert!(tree.nodes[3].message.contains("serves no Database"), "{}", tree.nodes[3].message);
    assert_eq!(&*tree.nodes[1].message, "still asking");
    found.asking.clear();
    assert_eq!(&*assemble(&found).nodes[1].message, "is not there");
}

#[test]
fn a_lost_cluster_keeps_what_was_known_as_unknown() {
    let found = Found {
        roots: vec![root("foo", "Deployment", "web")],
        resources: vec![
            resource("foo", "Deployment", "web", &[]),
            Resource { message: "1/1 Running".into(), ..resource("foo", "Pod", "a", &["Deployment/web"]) },
        ],
        incomplete: vec![Gap { cluster: ClusterId::named("foo"), kind: None, reason: "connection refused".into() }],
        ..Found::default()
    };
    let tree = assemble(&found);
    assert_eq!(lines(&tree), ["foo unknown", "  Deployment/web unknown", "    Pod/a unknown"]);
    assert_eq!((&*tree.nodes[1].message, &*tree.nodes[2].message), ("was: ok", "was: 1/1 Running"));
}
