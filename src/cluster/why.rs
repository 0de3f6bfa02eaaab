//! What the chain to a cause needs, looked up.
//!
//! Asked per look: what the tree asks ([`super::tree`]); then of at most `OBJECTS` objects that are not well (of those
//! alike two): the object and its events, of a Helm release also its chart, and for an uncommon kind at most two
//! questions for where it is; and of at most `LOGS` containers that ended badly the last `LINES` lines, of the run before where they run again. Of a pod without
//! an application: the pod, its events, its logs. A Secret is never asked for. What is refused is told, and the rest
//! goes on.

use std::time::Duration;

use futures::{StreamExt, stream};
use serde_json::Value;
use tokio::{sync::mpsc, time::sleep};

use super::{
    describe, discovery,
    error::{Class, Error},
    hub::Hub,
    project,
    request::{self, escape},
    supervisor::Links,
    tree,
};
use crate::model::{
    key::{PodKey, Text},
    resource::ResourceKey,
    text::printable,
    tree::{Tree, assemble},
    why::{
        Looked, Subject,
        facts::{MissingKind, ObjectState, PodState, Tail, Warning},
        suspects,
    },
};

/// Objects that are looked at closely.
const OBJECTS: usize = 16;
/// Containers whose log is looked at.
const LOGS: usize = 4;
/// Lines of a log.
const LINES: usize = 10;
/// Bytes of a log.
const LOG_BYTES: usize = 32 * 1024;
/// Questions under way at once.
const AT_ONCE: usize = 8;
/// Time for one of them.
const DEADLINE: Duration = Duration::from_secs(5);
/// Between closer looks while nothing in the tree changes.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Looks up what the chain of a subject needs, once; of a cluster itself, nothing.
///
/// # Errors
/// Where its application cannot be read. What else cannot be asked is told in the answer.
pub async fn look_up(hub: &Hub, subject: &Subject, deadline: Duration) -> Result<Looked, Error> {
    let tree = match subject.app() {
        Some(app) => assemble(&tree::look_up(hub, app, deadline).await?),
        None => Tree::default(),
    };
    Ok(look_at(hub, subject, tree).await)
}

/// Follows what the chain of a subject needs: the tree by its watches, the closer look with each change of it and every
/// `LOOK_EVERY`. Tells what differs from what was told before, the tree alone first; the error says why the application
/// cannot be read. Runs until nobody listens, or it is dropped, which ends every request.
pub async fn follow(
    hub: Hub,
    links: Links,
    subject: Subject,
    deadline: Duration,
    tell: mpsc::Sender<Result<Box<Looked>, Text>>,
) {
    let (pictures, mut trees) = mpsc::channel(1);
    let looks = looks(&hub, &subject, &mut trees, &tell);
    if let Some(app) = subject.app() {
        tokio::select! {
            () = tree::follow(hub.clone(), Some(links), app.clone(), deadline, pictures) => {}
            () = looks => {}
        }
    } else {
        // There is no tree to wait for; the channel stays open with its sender.
        let _ = pictures.send(Ok(Box::default())).await;
        looks.await;
    }
}

async fn looks(
    hub: &Hub,
    subject: &Subject,
    trees: &mut mpsc::Receiver<Result<Box<Tree>, Text>>,
    tell: &mpsc::Sender<Result<Box<Looked>, Text>>,
) {
    let mut tree: Option<Box<Tree>> = None;
    let mut told: Option<Result<Box<Looked>, Text>> = None;
    loop {
        let news = tokio::select! {
            news = trees.recv() => match news {
                Some(news) => Some(news),
                None => return,
            },
            () = sleep(LOOK_EVERY), if tree.is_some() => None,
        };
        match news {
            Some(Ok(newer)) => tree = Some(newer),
            Some(Err(reason)) => {
                if told.as_ref() != Some(&Err(reason.clone())) && tell.send(Err(reason.clone())).await.is_err() {
                    return;
                }
                told = Some(Err(reason));
                continue;
            }
            None => {}
        }
        let Some(tree) = &tree else { continue };
        if !matches!(told, Some(Ok(_))) {
            // The closer look takes as long as its slowest cluster: the tree is worth something before.
            let first = Looked { tree: (**tree).clone(), ..Looked::default() };
            if tell.send(Ok(Box::new(first))).await.is_err() {
                return;
            }
        }
        let answer = Ok(Box::new(look_at(hub, subject, (**tree).clone()).await));
        // What has not changed need not be drawn.
        if told.as_ref() != Some(&answer) && tell.send(answer.clone()).await.is_err() {
            return;
        }
        told = Some(answer);
    }
}

/// A closer look at what is not well in a tree.
async fn look_at(hub: &Hub, subject: &Subject, tree: Tree) -> Looked {
    let objects = match subject {
        Subject::Stray(pod) => vec![ResourceKey::pod(pod)],
        Subject::Cluster(_) => Vec::new(),
        subject => suspects(subject, &tree, OBJECTS),
    };
    let mut looked = Looked { tree, is_complete: true, ..Looked::default() };
    let looks = objects.into_iter().map(|key| async move {
        let look = closely(hub, &key).await;
        (key, look)
    });
    // In their order, so that the same answers make the same chain.
    let mut looks = stream::iter(looks).buffered(AT_ONCE);
    while let Some((key, look)) = looks.next().await {
        looked.states.extend(look.state.into_iter().chain(look.chart));
        looked.pods.extend(look.pod);
        looked.warnings.extend(look.warnings);
        looked.notes.extend(look.notes);
        if look.missing {
            looked.missing.push(MissingKind { cluster: key.cluster, group: key.group, kind: key.kind });
        }
    }
    looked.missing.sort();
    looked.missing.dedup();
    looked.notes.sort();
    looked.notes.dedup();
    let tails: Vec<(PodKey, Text, bool)> = looked.pods.iter().flat_map(wanted_tails).take(LOGS).collect();
    let tails = tails.into_iter().map(|(pod, container, previous)| tail(hub, pod, container, previous));
    looked.tails = stream::iter(tails).buffered(AT_ONCE).filter_map(|tail| async { tail }).collect().await;
    looked
}

/// What a closer look at one object brought.
#[derive(Default)]
struct Look {
    state: Option<ObjectState>,
    /// The chart of a release.
    chart: Option<ObjectState>,
    pod: Option<PodState>,
    warnings: Vec<Warning>,
    notes: Vec<Text>,
    missing: bool,
}

async fn closely(hub: &Hub, key: &ResourceKey) -> Look {
    let mut look = Look::default();
    let client = hub.member(&key.cluster);
    let place = match discovery::resolve(&client, &key.group, &key.kind, DEADLINE).await {
        Ok(place) => place,
        Err(error) => {
            look.missing = error.class == Class::NotFound;
            if !look.missing {
                look.notes.push(note(key, &error));
            }
            return look;
        }
    };
    let path = place.object(&key.namespace, &key.name);
    let object: Value = match request::get_json(&client, &path, DEADLINE).await {
        Ok(object) => object,
        Err(error) if error.class == Class::NotFound => return look,
        Err(error) => {
            look.notes.push(note(key, &error));
            return look;
        }
    };
    let state = project::object_state(key, &object);
    look.chart = chart(&client, &state).await;
    look.state = Some(state);
    look.pod = key.as_pod().map(|pod| project::pod_state(&pod, &object));
    let uid = object.pointer("/metadata/uid").and_then(Value::as_str).unwrap_or_default();
    match describe::events(&client, &key.namespace, uid, DEADLINE).await {
        Ok(events) => look.warnings = events.iter().filter_map(|event| project::warning(key, event)).collect(),
        Err(error) => look.notes.push(format!("events in {}: {}", key.cluster, error.message).into()),
    }
    look
}

/// How the chart of a release stands. One that cannot be had is none: the release says that it is not ready.
async fn chart(client: &kube::Client, release: &ObjectState) -> Option<ObjectState> {
    let key = release.chart_key()?;
    let place = discovery::resolve(client, &key.group, &key.kind, DEADLINE).await.ok()?;
    let chart: Value = request::get_json(client, &place.object(&key.namespace, &key.name), DEADLINE).await.ok()?;
    Some(project::object_state(&key, &chart))
}

fn note(key: &ResourceKey, error: &Error) -> Text {
    format!("{} in {}: {}", key.kind, key.cluster, error.message).into()
}

/// The logs that tell why containers of a pod ended; of one that runs again, the log of the run before.
fn wanted_tails(pod: &PodState) -> Vec<(PodKey, Text, bool)> {
    let ended_badly = pod.containers.iter().filter(|container| {
        let badly = container.ended.as_ref().is_some_and(|ended| ended.code != 0 || ended.signal != 0);
        let again = container.waiting.is_some() && container.ended.is_some() && !container.init;
        !container.ready && (badly || again)
    });
    ended_badly.map(|container| (pod.pod.clone(), container.name.clone(), container.runs_again)).collect()
}

/// The end of a log. One that cannot be had is none: the chain has its cause without it.
async fn tail(hub: &Hub, pod: PodKey, container: Text, previous: bool) -> Option<Tail> {
    let client = hub.member(&pod.cluster);
    let path = format!(
        "/api/v1/namespaces/{}/pods/{}/log?container={}&tailLines={LINES}&limitBytes={LOG_BYTES}&previous={previous}",
        escape(&pod.namespace),
        escape(&pod.name),
        escape(&container)
    );
    let bytes = request::get(&client, &path, "*/*", 2 * LOG_BYTES, DEADLINE).await.ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<Text> =
        text.lines().filter(|line| !line.trim().is_empty()).map(|line| printable(line).into_owned().into()).collect();
    (!lines.is_empty()).then_some(Tail { pod, container, previous, lines })
}
