//! The charts that the estate's Helm repositories serve: the two of the KubeVela tutorial.

use serde_json::{Map, Value, json};

use crate::demo::controllers::naming;

/// A chart in a repository.
pub(super) struct Chart {
    repository: &'static str,
    name: &'static str,
    pub(super) version: &'static str,
}

/// Every chart there is. Repositories are told apart by a part of their address, so that mirrors work too.
const CHARTS: [Chart; 2] = [
    Chart { repository: "jhidalgo3.github.io", name: "hello-kubernetes-chart", version: "3.0.0" },
    Chart { repository: "wangyikewxgm.github.io", name: "hello-kubernetes-chart", version: "0.1.0" },
];

/// Whether a Helm repository answers at this address.
pub(super) fn serves(url: &str) -> bool {
    CHARTS.iter().any(|chart| url.contains(chart.repository))
}

/// The chart of this name and version in the repository at `url` (the newest where no version is asked for).
pub(super) fn find(url: &str, name: &str, version: &str) -> Result<&'static Chart, String> {
    let mut named = CHARTS.iter().filter(|chart| url.contains(chart.repository) && chart.name == name).peekable();
    if named.peek().is_none() {
        return Err("no chart name found".to_owned());
    }
    named
        .find(|chart| version.is_empty() || version == "*" || chart.version == version)
        .ok_or_else(|| format!("no '{name}' chart with version matching '{version}' found"))
}

impl Chart {
    /// What `helm install` would make of a release: the values of the chart, of its `files`, and the
    /// user's, in this order, then the manifests.
    pub(super) fn render(&self, release: &str, namespace: &str, files: &[&str], user: &Value) -> Vec<Value> {
        let mut values = json!({
            "replicaCount": 2,
            "image": {"repository": "docker.io/paulbouwer/hello-kubernetes", "tag": "1.10"},
            "service": {"type": "ClusterIP", "port": 80},
            "configs": {"MESSAGE": "Hello world!"},
            "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"cpu": "200m", "memory": "128Mi"}},
        });
        for file in files {
            if *file == "values-production.yaml" {
                merge(&mut values, &json!({"replicaCount": 3, "configs": {"MESSAGE": "Hello from production!"}}));
            }
        }
        merge(&mut values, user);

        let short = "hello-kubernetes";
        let full = if release.contains(short) { release.to_owned() } else { format!("{release}-{short}") };
        let pod_labels = json!({"app.kubernetes.io/instance": release, "app.kubernetes.io/name": short});
        let metadata = |name: &str| {
            json!({
                "name": name,
                "namespace": namespace,
                "labels": {
                    "app.kubernetes.io/instance": release,
                    "app.kubernetes.io/managed-by": "Helm",
                    "app.kubernetes.io/name": short,
                    "app.kubernetes.io/version": "1.10",
                    "helm.sh/chart": format!("{}-{}", self.name, self.version),
                    "helm.toolkit.fluxcd.io/name": release,
                    "helm.toolkit.fluxcd.io/namespace": namespace,
                },
                "annotations": {
                    "meta.helm.sh/release-name": release,
                    "meta.helm.sh/release-namespace": namespace,
                },
            })
        };
        let configs: Map<String, Value> = values["configs"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(key, value)| (key.clone(), json!(plain(value))))
            .collect();
        let env: Vec<Value> = configs.iter().map(|(key, value)| json!({"name": key, "value": value})).collect();
        let image = format!("{}:{}", plain(&values["image"]["repository"]), plain(&values["image"]["tag"]));
        vec![
            json!({
                "apiVersion": "v1",
                "kind": "ServiceAccount",
                "metadata": metadata(&full),
            }),
            json!({
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": metadata(&format!("{full}-config")),
                "data": configs,
            }),
            json!({
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": metadata(&full),
                "spec": {
                    "type": values["service"]["type"],
                    "ports": [{
                        "name": "http",
                        "port": values["service"]["port"],
                        "protocol": "TCP",
                        "targetPort": "http",
                    }],
                    "selector": pod_labels,
                },
            }),
            json!({
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": metadata(&full),
                "spec": {
                    "replicas": values["replicaCount"],
                    "selector": {"matchLabels": pod_labels},
                    "strategy": {
                        "type": "RollingUpdate",
                        "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"},
                    },
                    "template": {
                        "metadata": {"labels": pod_labels},
                        "spec": {
                            "containers": [{
                                "name": short,
                                "image": image,
                                "imagePullPolicy": "IfNotPresent",
                                "env": env,
                                "ports": [{"containerPort": 8080, "name": "http", "protocol": "TCP"}],
                                "resources": values["resources"],
                            }],
                            "restartPolicy": "Always",
                            "serviceAccountName": full,
                        },
                    },
                },
            }),
        ]
    }
}

/// helm-controller's checksum of a release's values.
pub(super) fn values_checksum(values: &Value) -> String {
    naming::digest(&naming::canonical(values), 40)
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}

/// Helm's merge of values: maps go together, everything else is replaced, null takes away.
fn merge(base: &mut Value, over: &Value) {
    let (Value::Object(base), Value::Object(over)) = (&mut *base, over) else {
        if !over.is_null() {
            *base = over.clone();
        }
        return;
    };
    for (key, value) in over {
        if value.is_null() {
            base.shift_remove(key);
        } else if let Some(old) = base.get_mut(key) {
            merge(old, value);
        } else {
            base.insert(key.clone(), value.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TUTORIAL: &str = "https://jhidalgo3.github.io/helm-charts/";

    #[test]
    fn the_tutorials_chart_makes_what_the_tutorial_shows() {
        let chart = find(TUTORIAL, "hello-kubernetes-chart", "3.0.0").ok().unwrap();
        let values = json!({"configs": {"MESSAGE": "Welcome!"}});
        let made = chart.render("hello", "default", &[], &values);
        let of = |kind: &str| made.iter().find(|one| one["kind"] == kind).unwrap();
        assert_eq!(of("Deployment")["metadata"]["name"], "hello-hello-kubernetes");
        assert_eq!(of("Deployment")["spec"]["replicas"], 2);
        let container = &of("Deployment")["spec"]["template"]["spec"]["containers"][0];
        assert_eq!(container["env"], json!([{"name": "MESSAGE", "value": "Welcome!"}]));
        assert_eq!(of("Service")["spec"]["ports"][0]["port"], 80);
        assert_eq!(of("ConfigMap")["data"]["MESSAGE"], "Welcome!");
        let pod = &of("Deployment")["spec"]["template"]["metadata"]["labels"];
        assert!(pod.as_object().unwrap().keys().all(|key| key.starts_with("app.kubernetes.io/")));
    }

    #[test]
    fn a_values_file_comes_before_the_users_values() {
        let url = "https://wangyikewxgm.github.io/my-charts/";
        let chart = find(url, "hello-kubernetes-chart", "0.1.0").ok().unwrap();
        let files = ["values-production.yaml"];
        let made = chart.render("hello-kubernetes", "prod", &files, &json!({"replicaCount": 5}));
        let deployment = made.iter().find(|one| one["kind"] == "Deployment").unwrap();
        assert_eq!(deployment["metadata"]["name"], "hello-kubernetes");
        assert_eq!(deployment["spec"]["replicas"], 5);
        let config = made.iter().find(|one| one["kind"] == "ConfigMap").unwrap();
        assert_eq!(config["data"]["MESSAGE"], "Hello from production!");
    }

    #[test]
    fn what_is_not_served_is_said_in_helms_words() {
        assert!(!serves("https://charts.invalid/"));
        let missing = find(TUTORIAL, "hello-kubernetes-chart", "9.9.9").err().unwrap();
        assert_eq!(missing, "no 'hello-kubernetes-chart' chart with version matching '9.9.9' found");
        assert_eq!(find(TUTORIAL, "nope", "1.0.0").err().unwrap(), "no chart name found");
    }
}
