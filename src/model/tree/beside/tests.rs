use super::*;
use crate::model::{
    resource::{Resource, Root},
    tree::{Found, Gap, assemble},
};

fn key(cluster: &str, kind: &str, name: &str) -> ResourceKey {
    ResourceKey {
        cluster: ClusterId::named(cluster),
        group: "".into(),
        kind: kind.into(),
        namespace: "default".into(),
        name: name.into(),
    }
}

fn resource(cluster: &str, kind: &str, name: &str, owner: &str, (health, message): (Health, &str)) -> Resource {
    Resource {
        key: key(cluster, kind, name),
        uid: format!("{cluster}/{kind}/{name}").into(),
        owners: if owner.is_empty() { Vec::new() } else { vec![format!("{cluster}/{owner}").into()] },
        made_by: None,
        health,
        message: message.into(),
        created_at: None,
        idle: false,
        makes: None,
        labels: Vec::new(),
    }
}

/// A web of two pods in a cluster, as its Deployment says.
fn web(found: &mut Found, cluster: &str, ready: u32, message: &str) {
    let health = if ready == 2 { Health::Ok } else { Health::Failed };
    let set = format!("web-{cluster}");
    found.roots.push(Root {
        key: key(cluster, "Deployment", "web"),
        version: "v1".into(),
        component: "web".into(),
        made_by_trait: "".into(),
        tracked: Tracked::Updated,
    });
    found.resources.push(resource(cluster, "Deployment", "web", "", (health, message)));
    found.resources.push(resource(cluster, "ReplicaSet", &set, "Deployment/web", (Health::Ok, "2/2 ready")));
    for number in 0..2 {
        let health = if number < ready { Health::Ok } else { Health::Failed };
        let name = format!("{set}-{number}");
        found.resources.push(resource(cluster, "Pod", &name, &format!("ReplicaSet/{set}"), (health, "1/1 Running")));
    }
}

/// The rows as lines: name, and in each column the mark's first letter, the count, and a star where it stands out.
fn lines(beside: &Beside) -> Vec<String> {
    let cell = |cell: &Cell| {
        let star = if cell.stands_out { "*" } else { "" };
        match &cell.here {
            Here::There(there) => {
                let ready = there.ready.map(|(ready, of)| format!(" {ready}/{of}")).unwrap_or_default();
                format!("{star}{}{ready}", there.health.as_str())
            }
            Here::Absent => format!("{star}-"),
            Here::Unknown => format!("{star}?"),
            Here::NotYet => format!("{star}."),
        }
    };
    let row = |row: &Row| {
        let cells: Vec<String> = row.cells.iter().map(cell).collect();
        let name = row.name.as_deref().unwrap_or("…");
        format!("{}{}/{name} | {}", "  ".repeat(row.depth), row.kind, cells.join(" | "))
    };
    beside.rows.iter().map(row).collect()
}

#[test]
fn what_is_the_same_is_one_row_and_what_differs_stands_out() {
    let mut found = Found::default();
    web(&mut found, "a", 2, "2/2 available");
    web(&mut found, "b", 1, "1/2 available");
    web(&mut found, "c", 2, "2/2 available");
    found.roots.push(Root { key: key("c", "ConfigMap", "extra"), ..found.roots[0].clone() });
    found.resources.push(resource("c", "ConfigMap", "extra", "", (Health::Ok, "")));
    let beside = beside(&assemble(&found));
    assert_eq!(beside.clusters.iter().map(ClusterId::as_str).collect::<Vec<_>>(), ["a", "b", "c"]);
    assert_eq!(
        lines(&beside),
        [
            "Deployment/web | ok 2/2 | *failed 1/2 | ok 2/2",
            "  ReplicaSet/… | ok 2/2 | *failed 2/2 | ok 2/2",
            "    Pod/… | ok 2/2 | *failed 1/2 | ok 2/2",
            "ConfigMap/extra | - | - | *ok",
        ]
    );
    let Here::There(there) = &beside.rows[2].cells[1].here else { panic!("{beside:?}") };
    let tree = assemble(&found);
    assert_eq!(tree.nodes[there.lines[0]].own, Health::Failed, "the worst of several comes first");
    assert_eq!(beside.rows[0].health(), Health::Failed);
}

#[test]
fn clusters_that_say_nothing_are_not_compared() {
    let mut found = Found::default();
    for cluster in ["a", "b", "c", "d"] {
        web(&mut found, cluster, 2, "2/2 available");
    }
    found.clusters = vec![ClusterId::named("later")];
    found.resources.retain(|resource| resource.key.cluster.as_str() != "d");
    found.incomplete = vec![Gap { cluster: ClusterId::named("c"), kind: None, reason: "connection refused".into() }];
    found.asking = vec![ClusterId::named("d")];
    let beside = beside(&assemble(&found));
    assert_eq!(
        lines(&beside),
        [
            "Deployment/web | ok 2/2 | ok 2/2 | unknown | unknown | .",
            "  ReplicaSet/… | ok 2/2 | ok 2/2 | unknown | ? | .",
            "    Pod/… | ok 2/2 | ok 2/2 | unknown 0/2 | ? | .",
        ]
    );
    assert!(beside.rows.iter().all(|row| !row.differs()));
}

#[test]
fn what_is_said_is_compared_where_it_means_something() {
    let mut found = Found::default();
    for (cluster, kind, message) in [
        ("a", "HelmRelease", "hello@1.0.0"),
        ("b", "HelmRelease", "hello@1.1.0"),
        ("a", "Service", "LoadBalancer 1.2.3.4 80"),
        ("b", "Service", "LoadBalancer 5.6.7.8 80"),
        ("a", "CronJob", "* * * * *; last 10:00"),
        ("b", "CronJob", "* * * * *; last 11:00"),
    ] {
        found.roots.push(Root {
            key: key(cluster, kind, "it"),
            version: "v1".into(),
            component: "it".into(),
            made_by_trait: "".into(),
            tracked: Tracked::Updated,
        });
        found.resources.push(resource(cluster, kind, "it", "", (Health::Ok, message)));
    }
    let beside = beside(&assemble(&found));
    let differ: Vec<&str> = beside.rows.iter().filter(|row| row.differs()).map(|row| &*row.kind).collect();
    assert_eq!(differ, ["HelmRelease"]);
}

#[test]
fn names_that_controllers_make_up() {
    for (above, child, wanted) in [
        (("Deployment", "web"), ("ReplicaSet", "web-588b9c559f"), true),
        (("ReplicaSet", "web-588b9c559f"), ("Pod", "web-588b9c559f-28qcq"), true),
        (("StatefulSet", "web"), ("Pod", "web-0"), false),
        (("StatefulSet", "web"), ("ControllerRevision", "web-7d9c"), true),
        (("Database", "db"), ("Pod", "db-x2k4p"), true),
        (("Database", "db"), ("Pod", "db-first"), false),
        (("Deployment", "web"), ("ReplicaSet", "other"), false),
    ] {
        let (above, child) = (key("a", above.0, above.1), key("a", child.0, child.1));
        assert_eq!(is_made_up(&above, &child), wanted, "{child:?}");
    }
}
