//! Estates of any size: the same seed gives the same one, and many watchers share what is made once.

use std::collections::BTreeSet;

use super::*;

/// The label of what no controller moves.
const PLACED: &str = "estate.lateen.dev/placed";

/// Everything that stands in a cluster: kind, namespace, name and uid. Events come and go.
async fn everything(client: &Client) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for (root, resources) in [
        ("/api/v1", &["namespaces", "nodes", "pods", "services", "secrets", "configmaps"][..]),
        ("/apis/apps/v1", &["deployments", "replicasets"]),
        ("/apis/core.oam.dev/v1beta1", &["applications", "applicationrevisions", "resourcetrackers"]),
        ("/apis/helm.toolkit.fluxcd.io/v2beta1", &["helmreleases"]),
    ] {
        for resource in resources {
            let Ok(list) = get(client, &format!("{root}/{resource}")).await else { continue };
            for item in list["items"].as_array().unwrap() {
                let metadata = &item["metadata"];
                // Controllers name pods by what they know just then.
                if let (Some(prefix), Value::Null) = (metadata["generateName"].as_str(), &metadata["labels"][PLACED]) {
                    all.insert(format!("{resource} {} {prefix} {}", metadata["namespace"], all.len()));
                    continue;
                }
                all.insert(format!("{resource} {} {} {}", metadata["namespace"], metadata["name"], metadata["uid"]));
            }
        }
    }
    all
}

#[tokio::test]
async fn the_same_seed_gives_the_same_estate() {
    let start =
        |seed| Estate::start(Options { speed: 50.0, seed, clusters: 2, apps: 30, pods: 300, ..Options::default() });
    let (one, same, other) = (start(7).unwrap(), start(7).unwrap(), start(8).unwrap());
    for cluster in [HUB, MEMBER, "member-001", "member-002"] {
        let (one, same) = (one.client(cluster).await.unwrap(), same.client(cluster).await.unwrap());
        // Controllers still make what the scenarios ask for.
        until(|| async { everything(&one).await == everything(&same).await }).await;
        assert_ne!(everything(&one).await, everything(&other.client(cluster).await.unwrap()).await, "{cluster}");
    }
}

#[tokio::test]
async fn watchers_in_every_form_see_the_same_changes() {
    let estate = estate();
    let client = estate.client(HUB).await.unwrap();
    let maps: Api<ConfigMap> = Api::default_namespaced(client.clone());
    maps.create(&PostParams::default(), &config_map("a", "0")).await.unwrap();
    let forms = [
        "application/json",
        "application/json;as=Table;v=v1;g=meta.k8s.io",
        "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io",
    ];
    let mut watches = Vec::new();
    for number in 0..30 {
        let path = "/api/v1/namespaces/default/configmaps?watch=true";
        let request = Request::get(path).header("accept", forms[number % 3]).body(Vec::new()).unwrap();
        watches.push(client.request_stream(request).await.unwrap().lines());
    }
    for value in 1..20 {
        let change = json!({ "metadata": { "labels": { "app": value.to_string() } } });
        maps.patch("a", &PatchParams::default(), &Patch::Merge(change)).await.unwrap();
    }
    for (number, watch) in watches.iter_mut().enumerate() {
        let mut last = String::new();
        let mut columns = 0;
        while last != "19" {
            let line = tokio::time::timeout(SOON, watch.try_next()).await.unwrap().unwrap().unwrap();
            let event: Value = serde_json::from_str(&line).unwrap();
            let object = &event["object"];
            columns += usize::from(object["columnDefinitions"].is_array());
            let object = if number % 3 == 1 { &object["rows"][0]["object"] } else { object };
            object["metadata"]["labels"]["app"].as_str().unwrap().clone_into(&mut last);
        }
        assert_eq!(columns, usize::from(number % 3 == 1), "only the first row says its columns");
    }
}

#[tokio::test]
async fn a_table_of_pods_tells_what_the_objects_do() {
    let estate = Estate::start(Options { pods: 300, ..Options::default() }).unwrap();
    let client = estate.client(HUB).await.unwrap();
    let table = "application/json;as=Table;v=v1;g=meta.k8s.io";
    let request = Request::get("/api/v1/pods?includeObject=Object").header("accept", table).body(Vec::new()).unwrap();
    let rows = client.request::<Value>(request).await.unwrap();
    let rows = rows["rows"].as_array().unwrap();
    assert!(rows.len() > 50);
    for row in rows {
        let (cells, pod) = (&row["cells"], &row["object"]);
        assert_eq!(cells[0], pod["metadata"]["name"]);
        assert_eq!(cells[6], pod["spec"]["nodeName"]);
        assert_eq!(pod["kind"], "Pod");
        let ready = pod["status"]["containerStatuses"][0]["ready"] == true;
        assert_eq!(cells[1], if ready { "1/1" } else { "0/1" }, "{row}");
    }
}
