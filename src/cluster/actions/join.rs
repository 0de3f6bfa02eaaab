//! Joining a cluster to the hub, as `vela cluster join` does: a Secret that the cluster gateway reads; and detaching it.

use std::{fmt, io, path::Path};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::Method;
use kube::Client;
use serde_json::{Value, json};

use super::{Attempt, AuditSink, field_manager, text, unrecorded};
use crate::{
    cluster::{
        error::{Class, Error},
        hub::{Connect, Hub},
        request::{self, JSON, escape},
    },
    model::{
        action::Outcome,
        key::{ClusterId, LOCAL},
    },
    yaml,
};

/// Where KubeVela, and with it the gateway, keeps its Secrets.
const NAMESPACE: &str = "vela-system";
/// The label that makes a Secret a cluster.
const CREDENTIAL_TYPE: &str = "cluster.core.oam.dev/cluster-credential-type";
const ALIAS: &str = "cluster.core.oam.dev/cluster-alias";
const VERSION: &str = "cluster.core.oam.dev/cluster-version";

/// A cluster that is to be joined. Its credential is never shown.
pub struct Joining {
    /// The name it gets.
    pub name: String,
    /// A name for people; may be empty.
    pub alias: String,
    /// Labels that topologies choose it by.
    pub labels: Vec<(String, String)>,
    /// Its API server.
    pub endpoint: String,
    /// Its version, as it says.
    pub version: String,
    /// Whether it serves Flux's kinds, which charts need.
    pub has_flux: bool,
    member: Hub,
    about: Value,
    data: Vec<(&'static str, Vec<u8>)>,
    kind: &'static str,
}

impl fmt::Debug for Joining {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Joining").field("name", &self.name).field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

impl Joining {
    /// Reads how to reach a cluster from a kubeconfig, and asks it; blocks while the file is read. The hub is not asked
    /// for anything.
    pub async fn read(name: &str, kubeconfig: &Path, context: Option<&str>) -> Result<Self, Error> {
        let connect = Connect {
            kubeconfig: Some(kubeconfig.to_owned()),
            context: context.map(str::to_owned),
            ..Connect::default()
        };
        let member = Hub::load(&connect)?;
        let file = std::fs::read_to_string(kubeconfig).map_err(|error| wrong(kubeconfig, &error))?;
        let file = yaml::from_str(&file).map_err(|error| wrong(kubeconfig, &error))?;
        let (endpoint, kind, data) = credential(&file, member.context(), kubeconfig.parent().unwrap_or(Path::new(".")))
            .map_err(|error| Error::new(Class::Config, format!("context {}: {error}", member.context())))?;
        let client = member.client();
        let about: Value = request::get_json(&client, "/version", member.request_timeout())
            .await
            .map_err(|error| error.during(&format!("ask {endpoint}")))?;
        let flux = request::get_json::<Value>(&client, "/apis/helm.toolkit.fluxcd.io", member.request_timeout()).await;
        Ok(Self {
            name: name.to_owned(),
            alias: String::new(),
            labels: Vec::new(),
            version: text(&about, "/gitVersion").to_owned(),
            has_flux: flux.is_ok(),
            endpoint,
            member,
            about,
            data,
            kind,
        })
    }

    /// The Secret, with its data or, for the audit, without.
    fn secret(&self, is_for_audit: bool) -> Value {
        let mut data = serde_json::Map::new();
        for (key, value) in &self.data {
            let value = if is_for_audit { "not on record".to_owned() } else { STANDARD.encode(value) };
            data.insert((*key).to_owned(), value.into());
        }
        let mut labels = json!({ CREDENTIAL_TYPE: self.kind });
        for (key, value) in &self.labels {
            labels[key] = value.as_str().into();
        }
        let about: Value = ["major", "minor", "gitVersion", "platform"]
            .into_iter()
            .map(|key| (key.to_owned(), self.about.get(key).cloned().unwrap_or_default()))
            .collect::<serde_json::Map<_, _>>()
            .into();
        let mut annotations = json!({ VERSION: about.to_string() });
        if !self.alias.is_empty() {
            annotations[ALIAS] = self.alias.as_str().into();
        }
        json!({
            "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
            "metadata": {
                "name": self.name, "namespace": NAMESPACE, "labels": labels, "annotations": annotations,
            },
            "data": data,
        })
    }
}

fn wrong(path: &Path, error: &dyn fmt::Display) -> Error {
    Error::new(Class::Config, format!("the kubeconfig {}: {error}", path.display()))
}

type Credential = (String, &'static str, Vec<(&'static str, Vec<u8>)>);

/// The endpoint, the kind of credential and the data of the Secret, of a context of a kubeconfig in `folder`.
fn credential(file: &Value, context: &str, folder: &Path) -> Result<Credential, String> {
    let named = |list: &str, name: &str, what: &str| -> Result<Value, String> {
        let mut all = file[list].as_array().into_iter().flatten();
        let found = all.find(|item| item["name"] == name).map(|item| item[what].clone());
        found.filter(Value::is_object).ok_or_else(|| format!("the kubeconfig has no {what} \"{name}\""))
    };
    let context = named("contexts", context, "context")?;
    let cluster = named("clusters", context["cluster"].as_str().unwrap_or_default(), "cluster")?;
    let user = named("users", context["user"].as_str().unwrap_or_default(), "user")?;
    // Data stands in the file, or in another one that it names.
    let bytes = |from: &Value, key: &str| -> Result<Option<Vec<u8>>, String> {
        if let Some(data) = from[format!("{key}-data")].as_str().filter(|data| !data.is_empty()) {
            return STANDARD.decode(data).map(Some).map_err(|_| format!("{key}-data is not base64"));
        }
        let Some(path) = from[key].as_str().filter(|path| !path.is_empty()) else { return Ok(None) };
        std::fs::read(folder.join(path)).map(Some).map_err(|error| format!("{path}: {error}"))
    };
    let endpoint = cluster["server"].as_str().filter(|server| !server.is_empty()).ok_or("it names no server")?;
    let mut data = vec![("endpoint", endpoint.as_bytes().to_vec())];
    match bytes(&cluster, "certificate-authority")? {
        Some(ca) => data.push(("ca.crt", ca)),
        None if cluster["insecure-skip-tls-verify"] == true => {
            return Err(
                "it does not check who answers (insecure-skip-tls-verify): name the certificate-authority".into()
            );
        }
        None => {}
    }
    let token = match user["tokenFile"].as_str() {
        Some(path) => {
            let token = std::fs::read_to_string(folder.join(path)).map_err(|error| format!("{path}: {error}"))?;
            Some(token.trim().to_owned())
        }
        None => user["token"].as_str().filter(|token| !token.is_empty()).map(str::to_owned),
    };
    if let Some(token) = token {
        data.push(("token", token.into_bytes()));
        return Ok((endpoint.to_owned(), "ServiceAccountToken", data));
    }
    match (bytes(&user, "client-certificate")?, bytes(&user, "client-key")?) {
        (Some(certificate), Some(key)) => {
            data.extend([("tls.crt", certificate), ("tls.key", key)]);
            Ok((endpoint.to_owned(), "X509Certificate", data))
        }
        _ if user["exec"].is_object() => Err("its user logs in by a plugin, which the hub cannot run: make a \
             ServiceAccount there, and a kubeconfig with its token"
            .into()),
        _ => Err("its user has neither a token nor a client certificate".into()),
    }
}

/// Joins a cluster.
pub async fn join(hub: &Hub, joining: &Joining, audit: AuditSink<'_>) -> Outcome {
    let name = &joining.name;
    let there = ClusterId::named(name);
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}});
    let made = create(
        hub,
        &joining.member.client(),
        Target {
            cluster: there.as_str(),
            uri: "/api/v1/namespaces",
            kind: "Namespace",
            namespace: "",
            name: NAMESPACE,
        },
        (&namespace, &namespace),
        &mut *audit,
    )
    .await;
    match made {
        // It is there already.
        Ok(()) | Err(Outcome::Moved { .. }) => {}
        Err(outcome) => return outcome,
    }
    let uri = format!("/api/v1/namespaces/{NAMESPACE}/secrets");
    let target = Target { cluster: LOCAL, uri: &uri, kind: "Secret", namespace: NAMESPACE, name };
    match create(hub, &hub.client(), target, (&joining.secret(false), &joining.secret(true)), audit).await {
        Ok(()) => {
            Outcome::Done { message: format!("joined {name} ({}, {})", joining.endpoint, joining.version).into() }
        }
        Err(outcome) => outcome,
    }
}

struct Target<'a> {
    cluster: &'a str,
    uri: &'a str,
    kind: &'a str,
    namespace: &'a str,
    name: &'a str,
}

/// Creates an object, on record; the second of `bodies` is what the audit sees.
async fn create(
    hub: &Hub,
    client: &Client,
    target: Target<'_>,
    bodies: (&Value, &Value),
    audit: AuditSink<'_>,
) -> Result<(), Outcome> {
    let Target { cluster, uri, kind, namespace, name } = target;
    let mut attempt = Attempt::of(hub, (cluster, kind, namespace, name), "join", "", bodies.1, audit);
    attempt.intend().map_err(|error: io::Error| unrecorded(&error))?;
    let uri = format!("{uri}?fieldManager={}", escape(&field_manager(hub.user())));
    let body = bodies.0.to_string().into_bytes();
    let sent = request::write(client, Method::POST, &uri, JSON, body, hub.request_timeout()).await;
    let what = format!("{kind} {name}");
    let outcome = match sent {
        Ok(_) => Outcome::Done { message: format!("made the {what}").into() },
        Err(error) => match error.class {
            Class::Conflict => {
                Outcome::Moved { message: format!("there is a {what} already: nothing was written").into() }
            }
            Class::Forbidden => Outcome::Forbidden { message: error.message.into() },
            Class::Unauthorized | Class::NotFound | Class::Invalid | Class::Busy | Class::Config => {
                failed(&what, &error)
            }
            _ if !error.sent => failed(&what, &error),
            _ => Outcome::Unknown {
                message: format!("unknown whether the {what} was made ({error}): `lateen get clusters` tells").into(),
            },
        },
    };
    attempt.end(&outcome);
    if outcome.is_done() { Ok(()) } else { Err(outcome) }
}

fn failed(what: &str, error: &Error) -> Outcome {
    Outcome::Failed { message: format!("the {what} was not written: {error}").into() }
}

/// Detaches a cluster: what was delivered there stays, and the hub does not reach it any more.
pub async fn detach(hub: &Hub, name: &str, audit: AuditSink<'_>) -> Outcome {
    let uri = format!("/api/v1/namespaces/{NAMESPACE}/secrets/{}", escape(name));
    let (client, timeout) = (hub.client(), hub.request_timeout());
    let secret: Value = match request::get_json(&client, &uri, timeout).await {
        Ok(secret) => secret,
        Err(error) if error.class == Class::NotFound => {
            return Outcome::Moved { message: format!("{name} is not joined: nothing was written").into() };
        }
        Err(error) if error.class == Class::Forbidden => return Outcome::Forbidden { message: error.message.into() },
        Err(error) => return failed(&format!("Secret {name}"), &error.during("read it")),
    };
    if secret.pointer("/metadata/labels").and_then(|labels| labels.get(CREDENTIAL_TYPE)).is_none() {
        return Outcome::Moved { message: format!("the Secret {name} is no cluster: nothing was written").into() };
    }
    let body = json!({
        "apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {
            "uid": text(&secret, "/metadata/uid"), "resourceVersion": text(&secret, "/metadata/resourceVersion"),
        },
    });
    let version = text(&secret, "/metadata/resourceVersion");
    let mut attempt = Attempt::of(hub, (LOCAL, "Secret", NAMESPACE, name), "detach", version, &body, audit);
    if let Err(error) = attempt.intend() {
        return unrecorded(&error);
    }
    let sent = request::write(&client, Method::DELETE, &uri, JSON, body.to_string().into_bytes(), timeout).await;
    let outcome = match sent {
        Ok(_) => Outcome::Done { message: format!("detached {name}").into() },
        Err(error) => match error.class {
            Class::NotFound => Outcome::Done { message: format!("detached {name}").into() },
            Class::Conflict => {
                Outcome::Moved { message: format!("{name} changed meanwhile: nothing was written").into() }
            }
            Class::Forbidden => Outcome::Forbidden { message: error.message.into() },
            Class::Unauthorized | Class::Invalid | Class::Busy | Class::Config => {
                failed(&format!("Secret {name}"), &error)
            }
            _ if !error.sent => failed(&format!("Secret {name}"), &error),
            _ => Outcome::Unknown {
                message: format!("unknown whether {name} was detached ({error}): `lateen get clusters` tells").into(),
            },
        },
    };
    attempt.end(&outcome);
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(user: &Value, cluster: &Value) -> Value {
        json!({
            "contexts": [{"name": "foo", "context": {"cluster": "c", "user": "u"}}],
            "clusters": [{"name": "c", "cluster": cluster}], "users": [{"name": "u", "user": user}],
        })
    }

    #[test]
    fn a_context_is_read_as_the_gateway_wants_it() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("ca.pem"), "CA").unwrap();
        let cluster = json!({"server": "https://foo:6443", "certificate-authority": "ca.pem"});
        let read = |user: Value| credential(&file(&user, &cluster), "foo", dir.path());
        let (endpoint, kind, data) = read(json!({"token": "t"})).unwrap();
        assert_eq!((endpoint.as_str(), kind), ("https://foo:6443", "ServiceAccountToken"));
        assert_eq!(data[1..], [("ca.crt", b"CA".to_vec()), ("token", b"t".to_vec())]);
        let pair = json!({"client-certificate-data": STANDARD.encode("C"), "client-key-data": STANDARD.encode("K")});
        let (_, kind, data) = read(pair).unwrap();
        assert_eq!(kind, "X509Certificate");
        assert_eq!(data[2..], [("tls.crt", b"C".to_vec()), ("tls.key", b"K".to_vec())]);
        assert!(read(json!({"exec": {"command": "login"}})).unwrap_err().contains("ServiceAccount"));
        assert!(read(json!({})).unwrap_err().contains("neither a token nor"));
        let blind = json!({"server": "https://foo", "insecure-skip-tls-verify": true});
        let blind = credential(&file(&json!({"token": "t"}), &blind), "foo", dir.path());
        assert!(blind.unwrap_err().contains("certificate-authority"));
        assert!(credential(&json!({}), "foo", dir.path()).unwrap_err().contains("no context \"foo\""));
    }
}
