//! A forward outlives its pod and its cluster's absence, and keeps its port.
#![cfg(feature = "demo")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "what fails here fails the test")]

#[path = "support/hub.rs"]
mod hub;

use std::{collections::HashSet, time::Duration};

use k8s_openapi::api::core::v1::{Pod, Service};
use kube::{
    Api,
    api::{DeleteParams, ListParams},
};
use lateen::{
    cluster::{Hub, forward},
    demo::{Cut, Estate, Options},
    model::{
        forward::{ForwardNews, ForwardState, ForwardTarget, ForwardTraffic, TargetKind},
        key::ClusterId,
    },
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    runtime::Handle,
    sync::{mpsc, watch},
    task::JoinHandle,
    time::{sleep, timeout},
};

/// Time for a condition to come true; far beyond what it takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// The tutorial's Service in `local`, once a pod of it is ready.
async fn service(hub: &Hub) -> (ForwardTarget, Api<Pod>) {
    let client = hub.client();
    let services: Api<Service> = Api::namespaced(client.clone(), "default");
    let pods: Api<Pod> = Api::namespaced(client, "default");
    let found = timeout(PATIENCE, async {
        loop {
            let list = services.list(&ListParams::default()).await.unwrap();
            let hello =
                list.into_iter().find(|service| service.metadata.name.iter().any(|name| name.contains("hello")));
            if let Some(spec) = hello.as_ref().and_then(|service| service.spec.as_ref())
                && let Some(port) = spec.ports.iter().flatten().next()
            {
                let name = hello.as_ref().unwrap().metadata.name.clone().unwrap();
                return (name, u16::try_from(port.port).unwrap());
            }
            sleep(Duration::from_millis(50)).await;
        }
    });
    let (name, port) = found.await.unwrap();
    let target = ForwardTarget {
        cluster: ClusterId::local(),
        namespace: "default".into(),
        kind: TargetKind::Service,
        name: name.as_str().into(),
        port,
        port_name: "".into(),
        component: "".into(),
    };
    (target, pods)
}

struct Open {
    states: mpsc::UnboundedReceiver<ForwardState>,
    traffic: watch::Receiver<ForwardTraffic>,
    task: JoinHandle<()>,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn open(hub: &Hub, target: ForwardTarget, listen: &str) -> Open {
    let (tell, states) = mpsc::unbounded_channel();
    let (count, traffic) = watch::channel(ForwardTraffic::default());
    let client = hub.member(&target.cluster);
    let task = tokio::spawn(forward::run(client, target, listen.parse().unwrap(), move |news| match news {
        ForwardNews::State(state) => {
            let _ = tell.send(state);
        }
        ForwardNews::Traffic(now) => {
            let _ = count.send(now);
        }
    }));
    Open { states, traffic, task }
}

impl Open {
    /// Waits until it is active with a pod other than these; its address and the pod.
    async fn active(&mut self, not: &HashSet<String>) -> (String, String) {
        let mut seen = Vec::new();
        let active = timeout(PATIENCE, async {
            loop {
                let state = self.states.recv().await.unwrap();
                if let ForwardState::Active { local, pod } = &state
                    && !not.contains(&**pod)
                {
                    return (local.to_string(), pod.to_string());
                }
                seen.push(state);
            }
        });
        active.await.unwrap_or_else(|_| panic!("never active: {seen:#?}"))
    }

    async fn reconnecting(&mut self) -> String {
        let reconnecting = timeout(PATIENCE, async {
            loop {
                if let ForwardState::Reconnecting { reason, .. } = self.states.recv().await.unwrap() {
                    return reason.to_string();
                }
            }
        });
        reconnecting.await.unwrap()
    }
}

async fn page(address: &str) -> String {
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut text = String::new();
    timeout(PATIENCE, socket.read_to_string(&mut text)).await.unwrap().unwrap();
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_pod_and_a_cut_cluster_leave_the_port_as_it_is() {
    let estate = Estate::start(Options { speed: 20.0, ..Options::default() }).unwrap();
    let hub = hub::hub(&estate, "hub");
    let (target, pods) = service(&hub).await;
    let mut forward = open(&hub, target, "127.0.0.1:0");
    let (address, first) = forward.active(&HashSet::new()).await;
    assert!(page(&address).await.contains("Welcome to Control Plane Cluster!"));

    let old: HashSet<String> =
        pods.list(&ListParams::default()).await.unwrap().into_iter().filter_map(|pod| pod.metadata.name).collect();
    assert!(old.contains(&first));
    let workload = first.rsplit_once('-').unwrap().0;
    for pod in old.iter().filter(|pod| pod.starts_with(workload)) {
        pods.delete(pod, &DeleteParams::default()).await.unwrap();
    }
    let (again, second) = forward.active(&old).await;
    assert_eq!(again, address);
    assert_ne!(second, first);
    assert!(page(&address).await.contains("Welcome to Control Plane Cluster!"));

    estate.cut("local", Cut::Refuse).unwrap();
    let reason = forward.reconnecting().await;
    assert!(reason.contains("connection refused") || reason.contains("connection"), "{reason}");
    estate.restore("local").unwrap();
    let (again, _) = forward.active(&HashSet::new()).await;
    assert_eq!(again, address);
    assert!(page(&address).await.contains("Welcome to Control Plane Cluster!"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pods_forward_moves_to_its_next_of_kin_and_a_taken_port_to_the_next() {
    let estate = Estate::start(Options { speed: 20.0, ..Options::default() }).unwrap();
    let hub = hub::hub(&estate, "hub");
    let (service, pods) = service(&hub).await;
    let mut forward = open(&hub, service.clone(), "127.0.0.1:0");
    let (_, pod) = forward.active(&HashSet::new()).await;
    drop(forward);
    let object = pods.get(&pod).await.unwrap();
    let ports = object.spec.unwrap().containers[0].ports.clone().unwrap();
    let target = ForwardTarget {
        kind: TargetKind::Pod,
        name: pod.as_str().into(),
        port: u16::try_from(ports[0].container_port).unwrap(),
        ..service
    };
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let wanted = taken.local_addr().unwrap();
    let mut forward = open(&hub, target, &wanted.to_string());
    let (address, chosen) = forward.active(&HashSet::new()).await;
    assert_eq!(chosen, pod);
    assert_ne!(address, wanted.to_string());
    pods.delete(&pod, &DeleteParams::default()).await.unwrap();
    let (again, next) = forward.active(&HashSet::from([pod.clone()])).await;
    assert_eq!(again, address);
    assert_eq!(next.rsplit_once('-').unwrap().0, pod.rsplit_once('-').unwrap().0);
    assert!(page(&address).await.contains("Welcome to Control Plane Cluster!"));
}

/// Sockets and other descriptors of this process.
fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_connections_one_after_another_leave_nothing_behind() {
    const MANY: u64 = 10_000;
    let estate = Estate::start(Options::default()).unwrap();
    let hub = hub::hub(&estate, "hub");
    let (target, _) = service(&hub).await;
    let mut forward = open(&hub, target, "127.0.0.1:0");
    let (address, _) = forward.active(&HashSet::new()).await;
    let answer = page(&address).await;
    let settled = forward.traffic.wait_for(|traffic| traffic.total == 1 && traffic.open == 0);
    timeout(PATIENCE, settled).await.unwrap().unwrap();
    let (sockets, tasks) = (descriptors(), Handle::current().metrics().num_alive_tasks());
    for _ in 1..MANY {
        let again = page(&address).await;
        assert!(again.starts_with("HTTP/1.1 200"), "{again}");
    }
    let done = forward.traffic.wait_for(|traffic| traffic.total == MANY && traffic.open == 0);
    let traffic = timeout(PATIENCE, done).await.unwrap().unwrap().clone();
    assert_eq!((traffic.failed, traffic.last_error), (0, None));
    assert!(traffic.received >= answer.len() as u64 * MANY * 9 / 10, "{}", traffic.received);
    // The estate's side of the last connections ends in its own time.
    let settled = timeout(PATIENCE, async {
        while descriptors() > sockets || Handle::current().metrics().num_alive_tasks() > tasks {
            sleep(Duration::from_millis(20)).await;
        }
    });
    let left = || (descriptors(), sockets, Handle::current().metrics().num_alive_tasks(), tasks);
    settled.await.unwrap_or_else(|_| panic!("left behind: {:?}", left()));
}

/// A whole answer of the tutorial's web server, whichever of its pods gave it.
fn is_right(answer: &str) -> bool {
    let Some((head, body)) = answer.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    answer.starts_with("HTTP/1.1 200")
        && length.and_then(|length| length.parse().ok()) == Some(body.len())
        && body.contains("Welcome to Control Plane Cluster!")
        && body.contains("<td>hello-hello-kubernetes-")
}

/// One request; its status line and body, or why there is none.
async fn request(address: &str) -> std::io::Result<String> {
    let mut socket = TcpStream::connect(address).await?;
    socket.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await?;
    let mut text = String::new();
    socket.read_to_string(&mut text).await?;
    Ok(text)
}

#[tokio::test(flavor = "multi_thread")]
async fn under_requests_a_pod_is_killed_and_the_cluster_cut_and_no_answer_is_wrong() {
    let estate = Estate::start(Options::default()).unwrap();
    let hub = hub::hub(&estate, "hub");
    let (target, pods) = service(&hub).await;
    let mut forward = open(&hub, target, "127.0.0.1:0");
    let (address, mut pod) = forward.active(&HashSet::new()).await;
    let (stop, stopped) = watch::channel(false);
    let asking = tokio::spawn({
        let address = address.clone();
        async move {
            let (mut answers, mut failed) = (Vec::new(), 0);
            while !*stopped.borrow() {
                match request(&address).await {
                    Ok(answer) if answer.is_empty() => failed += 1,
                    Ok(answer) => answers.push(answer),
                    Err(_) => failed += 1,
                }
                sleep(Duration::from_millis(20)).await;
            }
            (answers, failed)
        }
    });
    for _ in 0..2 {
        pods.delete(&pod, &DeleteParams::default()).await.unwrap();
        let (again, next) = forward.active(&HashSet::from([pod.clone()])).await;
        assert_eq!(again, address);
        pod = next;
    }
    estate.cut("local", Cut::Refuse).unwrap();
    forward.reconnecting().await;
    // What is asked now waits, and is refused in the end.
    let error = timeout(PATIENCE, request(&address)).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    estate.restore("local").unwrap();
    let (again, _) = forward.active(&HashSet::new()).await;
    assert_eq!(again, address);
    assert!(is_right(&request(&address).await.unwrap()));
    stop.send(true).unwrap();
    let (answers, failed) = asking.await.unwrap();
    for answer in &answers {
        assert!(is_right(answer), "a wrong answer: {answer}");
    }
    assert!(!answers.is_empty());
    let told =
        forward.traffic.wait_for(|traffic| traffic.open == 0 && traffic.total as usize >= answers.len() + failed);
    let traffic = timeout(PATIENCE, told).await.unwrap().unwrap().clone();
    assert!(traffic.reconnects >= 3, "{traffic:?}");
}
