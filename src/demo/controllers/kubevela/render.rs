//! What a component becomes: KubeVela's definitions `helm`, `webservice`, `worker` and `k8s-objects`, and the
//! traits that matter to what one sees.

use serde_json::{Map, Value, json};

use crate::demo::controllers::object;

/// One object that a component becomes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Manifest {
    /// The object, with KubeVela's labels.
    pub(super) object: Value,
    /// The trait that made it; `None` for the component's workload.
    pub(super) by_trait: Option<&'static str>,
}

/// For whom a component is rendered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Context<'a> {
    /// The application's name and namespace.
    pub(super) application: &'a str,
    pub(super) application_namespace: &'a str,
    /// The revision that is delivered, and its hash.
    pub(super) revision: &'a str,
    pub(super) revision_hash: &'a str,
    /// Where it goes.
    pub(super) cluster: &'a str,
    pub(super) namespace: &'a str,
}

/// KubeVela's version, as it signs what it writes.
pub(super) const VERSION: &str = "v1.10.9";
/// The trait name under which everything but a component's workload goes.
pub(super) const AUXILIARY: &str = "AuxiliaryWorkload";

/// Whether components of a type can be rendered. `type@v2` names a revision of a definition.
pub(super) fn knows(kind: &str) -> bool {
    matches!(kind.split('@').next(), Some("helm" | "webservice" | "worker" | "k8s-objects"))
}

/// The objects of a component, its workload first.
pub(super) fn render(component: &Value, context: Context<'_>) -> Result<Vec<Manifest>, String> {
    let name = object::text(component, "/name");
    let kind = object::text(component, "/type");
    let kind = kind.split('@').next().unwrap_or(kind);
    let properties = &component["properties"];
    let workload = |object| (object, None, "");
    let auxiliary = |object, resource| (object, Some(AUXILIARY), resource);
    let made = match kind {
        "helm" => vec![workload(helm_release(name, properties)), auxiliary(helm_repository(name, properties), "repo")],
        "webservice" => {
            let mut made = vec![workload(deployment(name, component, context))];
            if let Some(service) = service(name, properties) {
                made.push(auxiliary(service, "webserviceExpose"));
            }
            made
        }
        "worker" => vec![workload(deployment(name, component, context))],
        "k8s-objects" => {
            let objects = object::list(properties, "/objects");
            objects
                .iter()
                .enumerate()
                .map(
                    |(at, object)| {
                        if at == 0 { workload(object.clone()) } else { auxiliary(object.clone(), "objects") }
                    },
                )
                .collect()
        }
        // An override may bring in what parsing has not seen.
        other => return Err(format!("component definition {other} of {name} not found")),
    };
    Ok(made
        .into_iter()
        .map(|(object, by_trait, resource)| Manifest {
            object: dress(object, name, kind, by_trait, resource, context),
            by_trait,
        })
        .collect())
}

/// Adds what KubeVela adds to every object: namespace, labels, its version.
fn dress(
    mut object: Value,
    component: &str,
    kind: &str,
    by_trait: Option<&str>,
    resource: &str,
    context: Context<'_>,
) -> Value {
    let mut labels = Map::new();
    for (key, value) in [
        ("app.oam.dev/app-revision-hash", context.revision_hash),
        ("app.oam.dev/appRevision", context.revision),
        ("app.oam.dev/cluster", context.cluster),
        ("app.oam.dev/component", component),
        ("app.oam.dev/name", context.application),
        ("app.oam.dev/namespace", context.application_namespace),
        ("app.oam.dev/resourceType", if by_trait.is_some() { "TRAIT" } else { "WORKLOAD" }),
        ("app.oam.dev/revision", ""),
    ] {
        labels.insert(key.to_owned(), json!(value));
    }
    match by_trait {
        None => {
            labels.insert("workload.oam.dev/type".to_owned(), json!(kind));
        }
        Some(by) => {
            labels.insert("trait.oam.dev/resource".to_owned(), json!(resource));
            labels.insert("trait.oam.dev/type".to_owned(), json!(by));
        }
    }
    let own = object["metadata"]["labels"].as_object().cloned().unwrap_or_default();
    labels.extend(own.into_iter().filter(|(key, _)| !key.contains("oam.dev/")));
    object::set(&mut object, &["metadata", "labels"], Value::Object(labels));
    object::set(&mut object, &["metadata", "annotations", "oam.dev/kubevela-version"], json!(VERSION));
    if object::name(&object).is_empty() {
        object::set(&mut object, &["metadata", "name"], json!(component));
    }
    let clusterwide = !crate::demo::controllers::api::Kind::of(&object).namespaced;
    if object::namespace(&object).is_empty() && !clusterwide {
        object::set(&mut object, &["metadata", "namespace"], json!(context.namespace));
    }
    object
}

fn helm_release(name: &str, properties: &Value) -> Value {
    let mut chart = json!({
        "chart": properties["chart"],
        "interval": properties["interval"].as_str().unwrap_or("5m"),
        "sourceRef": {"kind": "HelmRepository", "name": name},
    });
    for key in ["version", "valuesFiles"] {
        if !properties[key].is_null() {
            chart[key] = properties[key].clone();
        }
    }
    let mut spec = json!({
        "chart": {"spec": chart},
        "install": {"remediation": {"retries": 3}},
        "interval": "30s",
        "timeout": properties["installTimeout"].as_str().unwrap_or("10m"),
        "upgrade": {"remediation": {"retries": 3}},
    });
    for (to, from) in [("values", "values"), ("releaseName", "releaseName"), ("targetNamespace", "targetNamespace")] {
        if !properties[from].is_null() {
            spec[to] = properties[from].clone();
        }
    }
    json!({
        "apiVersion": "helm.toolkit.fluxcd.io/v2beta1",
        "kind": "HelmRelease",
        "metadata": {"name": name},
        "spec": spec,
    })
}

fn helm_repository(name: &str, properties: &Value) -> Value {
    json!({
        "apiVersion": "source.toolkit.fluxcd.io/v1beta2",
        "kind": "HelmRepository",
        "metadata": {"name": name},
        "spec": {"interval": "5m", "url": properties["url"]},
    })
}

/// The replicas that traits ask for, else what the component's type has by default.
fn replicas(component: &Value) -> Value {
    object::list(component, "/traits")
        .iter()
        .rfind(|one| one["type"] == "scaler")
        .and_then(|scaler| scaler.pointer("/properties/replicas"))
        .cloned()
        .unwrap_or(json!(1))
}

fn trait_properties<'a>(component: &'a Value, kind: &str) -> Option<&'a Map<String, Value>> {
    object::list(component, "/traits")
        .iter()
        .find(|one| one["type"] == kind)
        .and_then(|one| one["properties"].as_object())
}

fn deployment(name: &str, component: &Value, context: Context<'_>) -> Value {
    let properties = &component["properties"];
    let mut container = json!({"name": name, "image": properties["image"]});
    for (to, from) in [("command", "cmd"), ("args", "args"), ("env", "env"), ("imagePullPolicy", "imagePullPolicy")] {
        if !properties[from].is_null() {
            container[to] = properties[from].clone();
        }
    }
    let ports: Vec<Value> = object::list(properties, "/ports")
        .iter()
        .map(|port| {
            json!({
                "containerPort": port["port"],
                "name": port_name(port),
                "protocol": port["protocol"].as_str().unwrap_or("TCP"),
            })
        })
        .collect();
    if !ports.is_empty() {
        container["ports"] = Value::Array(ports);
    }
    let mut resources = json!({});
    for key in ["cpu", "memory"] {
        if let Some(amount) = properties[key].as_str() {
            resources["requests"][key] = json!(amount);
            resources["limits"][key] = json!(amount);
        }
    }
    if resources != json!({}) {
        container["resources"] = resources;
    }
    let mut labels = json!({
        "app.oam.dev/component": name,
        "app.oam.dev/name": context.application,
    });
    for (key, value) in trait_properties(component, "labels").into_iter().flatten() {
        labels[key] = value.clone();
    }
    let mut template = json!({"metadata": {"labels": labels}, "spec": {"containers": [container]}});
    if let Some(annotations) = trait_properties(component, "annotations") {
        template["metadata"]["annotations"] = Value::Object(annotations.clone());
    }
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas(component),
            "selector": {"matchLabels": {"app.oam.dev/component": name}},
            "template": template,
        },
    })
}

fn port_name(port: &Value) -> String {
    port["name"].as_str().map_or_else(|| format!("port-{}", port["port"]), ToOwned::to_owned)
}

fn service(name: &str, properties: &Value) -> Option<Value> {
    let ports: Vec<Value> = object::list(properties, "/ports")
        .iter()
        .filter(|port| object::flag(port, "/expose"))
        .map(|port| json!({"name": port_name(port), "port": port["port"], "targetPort": port["port"]}))
        .collect();
    (!ports.is_empty()).then(|| {
        json!({
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name},
            "spec": {
                "ports": ports,
                "selector": {"app.oam.dev/component": name},
                "type": properties["exposeType"].as_str().unwrap_or("ClusterIP"),
            },
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTEXT: Context<'static> = Context {
        application: "helm-hello",
        application_namespace: "default",
        revision: "helm-hello-v1",
        revision_hash: "9df51edba675d63b",
        cluster: "local",
        namespace: "default",
    };

    #[test]
    fn a_helm_component_is_rendered_as_captured() {
        let component = json!({"name": "hello", "type": "helm", "properties": {
            "repoType": "helm", "url": "http://127.0.0.1:18080/",
            "chart": "hello-kubernetes-chart", "version": "3.0.0",
            "values": {"configs": {"MESSAGE": "Welcome to Control Plane Cluster!"}},
        }});
        let made = render(&component, CONTEXT).unwrap();
        let captured: Value = serde_json::from_str(include_str!(
            "../../../../tests/fixtures/estate/resourcetracker-helm-hello-04-succeeded.decoded.json"
        ))
        .unwrap();
        let held = &captured[0]["content"];
        assert_eq!(made[0].object, held[0]["raw"]);
        assert_eq!(made[1].object, held[1]["raw"]);
        assert_eq!(made[1].by_trait, held[1]["trait"].as_str());
    }

    #[test]
    fn a_webservice_has_a_service_for_what_it_exposes() {
        let component = json!({"name": "web", "type": "webservice",
            "properties": {"image": "nginx", "ports": [{"port": 8080, "expose": true}, {"port": 9090}]},
            "traits": [{"type": "scaler", "properties": {"replicas": 3}}]});
        let made = render(&component, CONTEXT).unwrap();
        assert_eq!(made[0].object["spec"]["replicas"], 3);
        assert_eq!(made[1].object["spec"]["ports"].as_array().unwrap().len(), 1);
        let pod = &made[0].object["spec"]["template"]["metadata"]["labels"];
        assert_eq!(pod, &json!({"app.oam.dev/component": "web", "app.oam.dev/name": "helm-hello"}));
    }

    #[test]
    fn a_type_may_name_a_revision_and_an_unknown_one_is_an_error() {
        assert!(knows("webservice@v1") && !knows("nope"));
        assert!(render(&json!({"name": "x", "type": "nope"}), CONTEXT).is_err());
    }
}
