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
fn what_owns_itself_is_not_counted_among_what_it_made() {
    let mut own = resource("local", "ReplicaSet", "odd", &["Deployment/web", "ReplicaSet/odd"]);
    own.idle = true;
    let mut below = resource("local", "ReplicaSet", "below", &["ReplicaSet/odd"]);
    below.idle = true;
    let found = Found {
        roots: vec![root("local", "Deployment", "web")],
        resources: vec![resource("local", "Deployment", "web", &[]), own, below],
        ..Found::default()
    };
    assert_eq!(
        lines(&assemble(&found)),
        ["local ok", "  Deployment/web ok", "    ReplicaSet/odd ok", "      ReplicaSet/below ok"]
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

/// One object of a made-up estate: which cluster it is in, whether it is a release, and who made it by which means.
#[derive(Clone, Debug)]
struct MadeUp {
    second_cluster: bool,
    release: bool,
    idle: bool,
    owners: Vec<prop::sample::Index>,
    labelled_by: Option<prop::sample::Index>,
    listed_by: Option<prop::sample::Index>,
}

fn made_up() -> impl Strategy<Value = MadeUp> {
    let index = any::<prop::sample::Index>;
    let owners = prop::collection::vec(index(), 0..3);
    (any::<bool>(), any::<bool>(), any::<bool>(), owners, prop::option::of(index()), prop::option::of(index()))
        .prop_map(|(second_cluster, release, idle, owners, labelled_by, listed_by)| MadeUp {
            second_cluster,
            release,
            idle,
            owners,
            labelled_by,
            listed_by,
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Over clusters whose objects have the same names and uids, by owner references, by the labels of a release and by
    /// its inventory: whatever descends from a root is in the tree once under each of those that made it and stand there,
    /// in its own cluster alone; nothing else is; side by side and merged, nothing is lost and nothing is told twice.
    #[test]
    fn whatever_an_application_made_is_there_once_per_place(
        objects in prop::collection::vec(made_up(), 1..30),
        roots in prop::collection::vec(any::<prop::sample::Index>(), 1..4),
    ) {
        let count = objects.len();
        let cluster = |at: usize| if objects[at].second_cluster { "b" } else { "a" };
        let kind = |at: usize| if objects[at].release { "HelmRelease" } else { "Thing" };
        // Half of the names are those of an object of the other cluster.
        let name = |at: usize| format!("o{}", if objects[at].second_cluster { at - at % 2 } else { at });
        let identity = |at: usize| key(cluster(at), kind(at), &name(at));
        let distinct: BTreeSet<ResourceKey> = (0..count).map(identity).collect();
        prop_assume!(distinct.len() == count);
        let earlier = |index: &prop::sample::Index, at: usize| (at > 0).then(|| index.index(at));
        // What the definition says: who made it, in its own cluster.
        let mut makers: Vec<BTreeSet<usize>> = Vec::new();
        let mut resources: Vec<Resource> = Vec::new();
        for (at, object) in objects.iter().enumerate() {
            let owners: BTreeSet<usize> = object.owners.iter().filter_map(|index| earlier(index, at)).collect();
            // A uid of another cluster's object means nothing here.
            let uids: Vec<String> = owners.iter().map(|owner| format!("{}/{}", kind(*owner), name(*owner))).collect();
            let mut made = resource(
                cluster(at), kind(at), &name(at), &uids.iter().map(String::as_str).collect::<Vec<_>>(),
            );
            made.idle = object.idle && !object.release;
            let release = |index: &Option<prop::sample::Index>| {
                let release = index.as_ref().and_then(|index| earlier(index, at));
                release.filter(|release| objects[*release].release && cluster(*release) == cluster(at))
            };
            let labelled = release(&object.labelled_by);
            made.made_by = labelled.map(|by| (kind(by).into(), "default".into(), name(by).into()));
            resources.push(made);
            let mut by: BTreeSet<usize> = (0..at)
                .filter(|one| cluster(*one) == cluster(at))
                .filter(|one| uids.contains(&format!("{}/{}", kind(*one), name(*one))))
                .collect();
            by.extend(labelled.filter(|_| uids.is_empty()));
            if let Some(listing) = release(&object.listed_by) {
                resources[listing].makes.get_or_insert_default().inventory.push(identity(at));
                by.insert(listing);
            }
            makers.push(by);
        }
        let roots: BTreeSet<usize> = roots.iter().map(|index| index.index(count)).collect();
        let found = Found {
            roots: roots.iter().map(|at| root(cluster(*at), kind(*at), &name(*at))).collect(),
            resources,
            ..Found::default()
        };
        // The depths at which each object stands. What is idle is folded only beside others that are.
        let mut places: Vec<Vec<usize>> = vec![Vec::new(); count];
        for at in 0..count {
            let mut depths: Vec<usize> = if roots.contains(&at) { vec![1] } else { Vec::new() };
            for maker in &makers[at] {
                let folded = |one: usize| found.resources[one].idle;
                let siblings = (0..count).filter(|one| makers[*one].contains(maker) && folded(*one)).count();
                if !(folded(at) && siblings > 1) {
                    depths.extend(places[*maker].iter().map(|depth| depth + 1));
                }
            }
            depths.retain(|depth| *depth <= DEEPEST + 1);
            places[at] = depths;
        }
        prop_assume!(places.iter().map(Vec::len).sum::<usize>() < 5_000);
        let tree = assemble(&found);
        let count_in = |tree: &Tree, at: usize| {
            let wanted = What::Object(identity(at));
            tree.nodes.iter().filter(|node| node.what == wanted).count()
        };
        for (at, expected) in places.iter().enumerate() {
            prop_assert_eq!(count_in(&tree, at), expected.len(), "{:?}", identity(at));
        }
        let objects_in_it = tree.nodes.iter().filter(|node| matches!(node.what, What::Object(_))).count();
        prop_assert_eq!(objects_in_it, places.iter().map(Vec::len).sum::<usize>());
        // Side by side each line is in one cell, in the column of its cluster.
        let sides = beside::beside(&tree);
        let mut told: Vec<usize> = Vec::new();
        for row in &sides.rows {
            for (cluster, cell) in sides.clusters.iter().zip(&row.cells) {
                if let beside::Here::There(there) = &cell.here {
                    prop_assert!(there.lines.iter().all(|line| tree.nodes[*line].what.cluster() == cluster));
                    told.extend(&there.lines);
                }
            }
        }
        told.sort_unstable();
        let lines: Vec<usize> = (0..tree.nodes.len()).filter(|line| tree.nodes[*line].parent.is_some()).collect();
        prop_assert_eq!(told, lines);
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
