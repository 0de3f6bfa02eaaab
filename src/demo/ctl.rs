//! `lateen demo ctl`: disturbing a running estate from a second terminal.
//!
//! The estate listens for it on a port of its own, which no cut reaches; the kubeconfig has it as context `estate`.

use std::path::Path;
use std::time::Duration;

use http::{Request, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::access::User;
use super::api::{self, Answer};
use super::kinds::{self, FLUX};
use super::link::Cut;
use super::status::Status;
use super::store::{Change, Deletion, Key};
use super::world::{Cluster, World};
use super::{Error, furniture};

/// The name of the control listener, in the kubeconfig and among the clusters.
pub(crate) const CONTROL: &str = "estate";
const PATH: &str = "/ctl";

/// What can be done to an estate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Command {
    /// Stop a cluster's API server, or freeze it.
    Cut {
        /// `local` is the hub, `gateway` the hub's way to all others.
        cluster: String,
        /// Freeze it, so that it answers nobody, instead of refusing.
        hang: bool,
    },
    /// Let a cluster answer again.
    Restore {
        /// Its name.
        cluster: String,
    },
    /// Delay each request to a cluster through the gateway.
    Slow {
        /// Its name.
        cluster: String,
        /// By so many milliseconds.
        milliseconds: u64,
    },
    /// Kill a pod at once.
    KillPod {
        /// Where it runs.
        cluster: String,
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// Make the containers of a pod fail from now on: crash, or want an image that cannot be pulled.
    FailPod {
        /// Where it runs.
        cluster: String,
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// Its image cannot be pulled, instead of crashing.
        image: bool,
    },
    /// Make a Helm release fail from its next reconciliation on.
    FailRelease {
        /// Where it is.
        cluster: String,
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// Put a line into a pod's log.
    Log {
        /// Where it runs.
        cluster: String,
        /// Its namespace.
        namespace: String,
        /// Its name.
        pod: String,
        /// The line.
        text: String,
    },
    /// Install an addon, as `vela addon enable` does. The estate knows `fluxcd`.
    Addon {
        /// Its name.
        name: String,
        /// Where to; none for everywhere.
        clusters: Vec<String>,
    },
    /// Forbid everybody who comes from outside one kind in a cluster, as the rights of the credential that joined it
    /// may; or allow it again.
    Forbid {
        /// Its name.
        cluster: String,
        /// The kind, as `kubectl api-resources -o name` has it.
        resource: String,
        /// Allow it again.
        allow: bool,
    },
    /// Delete the definition of a kind in a cluster, and with it all objects of that kind.
    Uninstall {
        /// Its name.
        cluster: String,
        /// The kind, as `kubectl api-resources -o name` has it.
        resource: String,
    },
    /// Forget a cluster's history, so that watches from before answer 410.
    Compact {
        /// Its name.
        cluster: String,
    },
}

/// Marks a HelmRelease or a pod that is to fail; their controllers look for it.
pub(crate) const FAIL: &str = "estate.lateen.dev/fail";

/// Sends a command to the estate that wrote this kubeconfig, and answers what was done.
pub async fn send(kubeconfig: &Path, command: &Command) -> Result<String, Error> {
    let text =
        std::fs::read_to_string(kubeconfig).map_err(|source| Error::Read { path: kubeconfig.to_owned(), source })?;
    if !text.contains(&format!("name: {CONTROL}\n")) {
        return Err(Error::NotAnEstate(kubeconfig.to_owned()));
    }
    let failed = |error: String| Error::Control(error);
    let client = super::client(&text, CONTROL).await.map_err(|error| failed(error.to_string()))?;
    let body = serde_json::to_vec(command).map_err(|error| failed(error.to_string()))?;
    let request = Request::post(PATH).header("content-type", "application/json").body(body);
    let request = request.map_err(|error| failed(error.to_string()))?;
    let answer = tokio::time::timeout(Duration::from_secs(10), client.request::<Value>(request)).await;
    match answer {
        Ok(Ok(answer)) => Ok(answer["message"].as_str().unwrap_or_default().to_owned()),
        Ok(Err(kube::Error::Api(status))) => Err(failed(status.message.clone())),
        Ok(Err(error)) => Err(failed(format!("it does not answer ({error}); does it still run?"))),
        Err(_) => Err(failed("it does not answer within 10 s".to_owned())),
    }
}

/// Answers a request to the control listener.
pub(crate) async fn answer(
    world: &World,
    user: &User,
    request: Request<hyper::body::Incoming>,
) -> Result<Answer, Status> {
    if request.uri().path() != PATH || request.method() != http::Method::POST {
        return Err(Status::no_such_resource());
    }
    if !user.is_admin() {
        return Err(Status::forbidden(user.name(), "create", "", "ctl", "", ""));
    }
    let (head, body) = request.into_parts();
    let asked = api::parse(&head.headers, &api::read_body(body).await?)?;
    let command = serde_json::from_value(asked).map_err(|error| Status::bad_request(error.to_string()))?;
    let message = perform(world, &command).map_err(|error| Status::bad_request(error.to_string()))?;
    for cluster in &world.clusters {
        cluster.link.settle().await;
    }
    Ok(api::json(StatusCode::OK, &json!({ "message": message })))
}

/// Does it; the sentence says what was done.
pub(crate) fn perform(world: &World, command: &Command) -> Result<String, Error> {
    let pods = kinds::core("pods");
    Ok(match command {
        Command::Cut { cluster, hang } => {
            let cut = if *hang { Cut::Hang } else { Cut::Refuse };
            world.link(cluster)?.cut(cut);
            format!("{cluster} {}", if *hang { "answers nobody" } else { "refuses connections" })
        }
        Command::Restore { cluster } => {
            world.link(cluster)?.restore();
            format!("{cluster} answers again")
        }
        Command::Slow { cluster, milliseconds } => {
            world.cluster(cluster)?.link.set_latency(Duration::from_millis(*milliseconds));
            format!("{cluster} answers {milliseconds} ms later through the gateway")
        }
        Command::KillPod { cluster, namespace, name } => {
            let now = Deletion { grace: Some(0), ..Deletion::default() };
            let killed = world.cluster(cluster)?.store.delete(pods, &Key::new(namespace, name), &now);
            killed.map_err(|_| Error::NoSuchPod(format!("{namespace}/{name}")))?;
            format!("killed the pod {namespace}/{name} in {cluster}")
        }
        Command::FailPod { cluster, namespace, name, image } => {
            let how = if *image { "image" } else { "crash" };
            mark(world.cluster(cluster)?, pods, &Key::new(namespace, name), how)
                .map_err(|_| Error::NoSuchPod(format!("{namespace}/{name}")))?;
            format!("the pod {namespace}/{name} in {cluster} fails from now on ({how})")
        }
        Command::FailRelease { cluster, namespace, name } => {
            let absent = || Error::NoSuchRelease(format!("{namespace}/{name}"));
            let kind = kinds::of("helm.toolkit.fluxcd.io/v2beta1", "HelmRelease").ok_or_else(absent)?;
            mark(world.cluster(cluster)?, kind, &Key::new(namespace, name), "true").map_err(|_| absent())?;
            format!("the release {namespace}/{name} in {cluster} fails from now on")
        }
        Command::Log { cluster, namespace, pod, text } => {
            let cluster = world.cluster(cluster)?;
            let found = cluster.store.get(pods, &Key::new(namespace, pod));
            let found = found.ok_or_else(|| Error::NoSuchPod(format!("{namespace}/{pod}")))?;
            cluster.appended.push(&found.uid, text);
            format!("{namespace}/{pod} has said it")
        }
        Command::Addon { name, clusters } => {
            if name != "fluxcd" {
                return Err(Error::NoSuchAddon(name.clone()));
            }
            let everywhere = world.clusters.iter().map(|cluster| cluster.name.clone());
            let clusters: Vec<String> = if clusters.is_empty() { everywhere.collect() } else { clusters.clone() };
            for name in &clusters {
                world.cluster(name)?.install(&FLUX);
            }
            furniture::place_flux(world, &clusters)?;
            format!("installed fluxcd in {}", clusters.join(", "))
        }
        Command::Forbid { cluster, resource, allow } => {
            world.cluster(cluster)?.forbid(known(resource)?, !allow);
            format!("{cluster} {} {resource}", if *allow { "allows" } else { "forbids" })
        }
        Command::Uninstall { cluster, resource } => {
            world.cluster(cluster)?.uninstall(known(resource)?);
            format!("{cluster} has no {resource} any more")
        }
        Command::Compact { cluster } => {
            world.cluster(cluster)?.store.compact();
            format!("{cluster} has forgotten its history")
        }
    })
}

fn known(resource: &str) -> Result<&'static kinds::Kind, Error> {
    kinds::qualified(resource).ok_or_else(|| Error::NoSuchResource(resource.to_owned()))
}

/// Puts the mark of what is to fail on an object.
fn mark(cluster: &Cluster, kind: &'static kinds::Kind, key: &Key, how: &str) -> Result<(), Status> {
    let marked = cluster.store.change(kind, key, false, |_, mut object| {
        if !object["metadata"]["annotations"].is_object() {
            object["metadata"]["annotations"] = json!({});
        }
        object["metadata"]["annotations"][FAIL] = how.into();
        Ok(Change::Put(object))
    });
    marked.map(drop)
}
