//! `lateen port-forward`: a local port that reaches an application's service or pod, in any cluster.

use std::net::{SocketAddr, TcpListener};

use tokio::sync::mpsc;

use super::{
    approve::named_namespace,
    args::{Global, PortForward},
    failure::{Failure, code},
    items::in_cluster,
    stdout::{self, Reader, Stdout},
    view::View,
};
use crate::{
    cluster::forward,
    model::{
        application::Application,
        forward::{ForwardNews, ForwardState, ForwardTarget, TargetKind, preferred_local_port},
        key::ClusterId,
    },
};

/// Forwards until it is interrupted.
pub(super) async fn run(global: &Global, args: PortForward) -> Result<u8, Failure> {
    let global = named_namespace(global, &args.app);
    let view = View::open(&global, false).await?;
    let key = view.application(&args.app)?;
    // Who names a cluster is not to wait for the others, nor to hear of them.
    let asked = |cluster: &ClusterId| in_cluster(cluster, args.cluster.as_deref());
    let mut places = view.store.application(&key).map(|entry| Application::places(&entry.row)).unwrap_or_default();
    places.retain(|place| asked(&place.cluster));
    let pods: Vec<_> = view.store.pods_of(&key).filter(|pod| asked(&pod.key.cluster)).cloned().collect();
    let (targets, notes) = forward::targets(view.session.hub(), &key, &places, &pods).await;
    for note in &notes {
        stdout::note(note);
    }
    let target = choose(&targets, &args, &key.to_string())?.clone();
    let listen = SocketAddr::new(args.address, args.port.local.unwrap_or_else(|| preferred_local_port(target.port)));
    if args.port.local.is_some_and(|port| port != 0) {
        // A port that was named is meant: another one would not be found by whoever expects it.
        TcpListener::bind(listen).map_err(|error| {
            Failure::failed(format!("cannot listen on {listen}: {error}; `:{}` takes any free port", args.port.remote))
        })?;
    }
    if !args.address.is_loopback() {
        stdout::note(&format!("{} is reachable for others than this machine", args.address));
    }
    let client = view.session.client(&target.cluster);
    let (report, mut told) = mpsc::unbounded_channel();
    let words = words(&target);
    let run = forward::run(client, target, listen, move |news| {
        let _ = report.send(news);
    });
    tokio::select! {
        () = run => {}
        ended = tell(&mut told, &words) => return ended,
    }
    // It has given up, and has said why.
    told.close();
    tell(&mut told, &words).await
}

/// Says how the forward stands, each time that changes, and which connections failed.
async fn tell(told: &mut mpsc::UnboundedReceiver<ForwardNews>, target: &str) -> Result<u8, Failure> {
    let mut is_told = false;
    let mut failed = 0;
    while let Some(news) = told.recv().await {
        let state = match news {
            ForwardNews::State(state) => state,
            ForwardNews::Traffic(traffic) => {
                if let (true, Some(reason)) = (traffic.failed > failed, &traffic.last_error) {
                    let times = traffic.failed - failed;
                    let connections = if times == 1 { "a connection" } else { &format!("{times} connections") };
                    stdout::note(&format!("{target}: {connections} failed: {reason}"));
                }
                failed = traffic.failed;
                continue;
            }
        };
        match state {
            ForwardState::Connecting => {}
            ForwardState::Active { local, pod } => {
                let line = format!("Forwarding from {local} -> {target} (pod {pod})");
                if is_told {
                    stdout::note(&line);
                } else if Stdout::lock().write(&(line + "\n"))? == Reader::Gone {
                    return Ok(code::DONE);
                }
                is_told = true;
            }
            ForwardState::Reconnecting { reason, .. } => stdout::note(&format!("{target}: {reason}; trying again")),
            ForwardState::Failed { reason } => return Err(Failure::failed(format!("{target}: {reason}"))),
            ForwardState::Stopped => return Ok(code::DONE),
        }
    }
    Ok(code::DONE)
}

fn words(target: &ForwardTarget) -> String {
    let ForwardTarget { cluster, namespace, kind, name, port, .. } = target;
    format!("{cluster} {namespace} {}/{name}:{port}", kind.as_str())
}

/// The one target that is meant.
fn choose<'a>(targets: &'a [ForwardTarget], args: &PortForward, app: &str) -> Result<&'a ForwardTarget, Failure> {
    let named = args.target.as_deref().map(parse_target).transpose()?;
    let list = |targets: &[&ForwardTarget]| targets.iter().map(|target| words(target)).collect::<Vec<_>>().join(", ");
    let in_reach: Vec<&ForwardTarget> = targets
        .iter()
        .filter(|target| args.cluster.as_deref().is_none_or(|cluster| target.cluster.as_str() == cluster))
        .filter(|target| named.as_ref().is_none_or(|named| named.is(target)))
        .collect();
    let mut matching: Vec<&ForwardTarget> =
        in_reach.iter().copied().filter(|target| target.port == args.port.remote).collect();
    // A pod behind a Service of the same port is the same answer by a shorter-lived name.
    if named.is_none() && matching.iter().any(|target| target.kind == TargetKind::Service) {
        matching.retain(|target| target.kind == TargetKind::Service);
    }
    match matching.as_slice() {
        [target] => Ok(target),
        [] if in_reach.is_empty() => {
            let place = args.cluster.as_ref().map_or_else(String::new, |cluster| format!(" in {cluster}"));
            Err(Failure::failed(format!(
                "{app} has no service or pod with a port{place}; `lateen get app {app}` tells how it stands"
            )))
        }
        [] => Err(Failure::failed(format!("{app} has no port {}: there is {}", args.port.remote, list(&in_reach)))),
        several => Err(Failure::usage(format!(
            "port {} of {app} is {}: choose with --cluster or --target",
            args.port.remote,
            list(several)
        ))),
    }
}

/// A target as it is typed.
struct Named<'a> {
    namespace: Option<&'a str>,
    kind: TargetKind,
    name: &'a str,
}

impl Named<'_> {
    fn is(&self, target: &ForwardTarget) -> bool {
        target.kind == self.kind
            && *target.name == *self.name
            && self.namespace.is_none_or(|namespace| *target.namespace == *namespace)
    }
}

fn parse_target(text: &str) -> Result<Named<'_>, Failure> {
    let wrong =
        || Failure::usage(format!("--target {text} is not [NAMESPACE/]KIND/NAME, with the kind service or pod"));
    let (namespace, kind, name) = match text.split('/').collect::<Vec<_>>()[..] {
        [kind, name] => (None, kind, name),
        [namespace, kind, name] => (Some(namespace), kind, name),
        _ => return Err(wrong()),
    };
    let kind = match kind.to_lowercase().as_str() {
        "service" | "services" | "svc" => TargetKind::Service,
        "pod" | "pods" | "po" => TargetKind::Pod,
        _ => return Err(wrong()),
    };
    Ok(Named { namespace, kind, name })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(cluster: &str, kind: TargetKind, name: &str, port: u16) -> ForwardTarget {
        ForwardTarget {
            cluster: ClusterId::named(cluster),
            namespace: "default".into(),
            kind,
            name: name.into(),
            port,
            port_name: "".into(),
            component: "".into(),
        }
    }

    fn args(cluster: Option<&str>, target: Option<&str>, port: &str) -> PortForward {
        PortForward {
            app: "hello".to_owned(),
            port: port.parse().unwrap(),
            cluster: cluster.map(str::to_owned),
            target: target.map(str::to_owned),
            address: [127, 0, 0, 1].into(),
        }
    }

    #[test]
    fn the_target_is_one_or_the_choice_is_told() {
        use TargetKind::{Pod, Service};
        let targets = [
            target("local", Service, "hello", 80),
            target("foo", Service, "hello", 80),
            target("foo", Pod, "hello-1", 80),
            target("foo", Pod, "hello-1", 8080),
        ];
        let choice = |args: PortForward| choose(&targets, &args, "hello").map(words);
        assert_eq!(choice(args(Some("foo"), None, "80")).unwrap(), "foo default Service/hello:80");
        assert_eq!(choice(args(Some("foo"), Some("pod/hello-1"), "80")).unwrap(), "foo default Pod/hello-1:80");
        assert_eq!(choice(args(None, None, "8080")).unwrap(), "foo default Pod/hello-1:8080");
        let ambiguous = choice(args(None, None, "80")).unwrap_err();
        assert_eq!(ambiguous.code, code::USAGE);
        assert!(ambiguous.message.contains("local default Service/hello:80, foo default Service/hello:80"));
        assert_eq!(choice(args(None, None, "81")).unwrap_err().code, code::FAILED);
        assert_eq!(choice(args(None, Some("hello"), "80")).unwrap_err().code, code::USAGE);
    }

    #[test]
    fn services_of_one_name_in_one_cluster_are_told_apart_by_their_namespace() {
        let [test, prod] = ["test", "prod"].map(|namespace| ForwardTarget {
            namespace: namespace.into(),
            ..target("local", TargetKind::Service, "hello", 80)
        });
        let targets = [test, prod];
        let choice = |target| choose(&targets, &args(None, target, "80"), "hello").map(words);
        assert_eq!(choice(Some("prod/svc/hello")).unwrap(), "local prod Service/hello:80");
        assert_eq!(choice(Some("svc/hello")).unwrap_err().code, code::USAGE);
        assert_eq!(choice(Some("a/b/c/d")).unwrap_err().code, code::USAGE);
    }
}
