//! `lateen logs`: the logs of an application's pods, in every cluster, as their lines come.

use std::collections::BTreeSet;

use serde::Serialize;
use tokio::{sync::mpsc, task::JoinSet};

use super::{
    approve::named_namespace,
    args::{Global, LogForm, Logs},
    failure::{Failure, code},
    items::in_cluster,
    stdout::{self, Reader, Stdout},
    view::View,
};
use crate::{
    cluster::logs::{self, END_OF_LOG, StreamEvent, StreamRequest},
    model::{
        key::{AppKey, PodKey, Text},
        pod::Pod,
    },
};

/// Lines that may wait for the reader of standard output; the streams wait beyond.
const LINES: usize = 1024;

/// One line of `-o json`.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    cluster: &'a str,
    namespace: &'a str,
    pod: &'a str,
    container: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<jiff::Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

/// Shows what there is; with `--follow` stays for what comes, new pods included.
pub(super) async fn run(global: &Global, args: Logs) -> Result<u8, Failure> {
    let global = named_namespace(global, &args.app);
    let mut view = View::open(&global, false).await?;
    let key = view.application(&args.app)?;
    let incomplete = view.incomplete(args.cluster.as_deref());
    for missing in &incomplete {
        stdout::note(&format!("{}: {}", missing.cluster, missing.reason));
    }
    let (tell, mut lines) = mpsc::channel(LINES);
    let mut streams = Streams { args: &args, tell, followed: BTreeSet::new(), tasks: JoinSet::new() };
    streams.follow(&view, &key);
    if streams.followed.is_empty() && !args.follow {
        return Err(Failure::failed(format!("{key} has no pods that match; `lateen get pods` lists them")));
    }
    loop {
        tokio::select! {
            biased;
            Some((pod, container, event)) = lines.recv() => {
                if show(&args, &pod, &container, &event)? == Reader::Gone {
                    return Ok(code::DONE);
                }
            }
            _ = streams.tasks.join_next(), if !streams.tasks.is_empty() => {}
            () = view.changed(), if args.follow => streams.follow(&view, &key),
            () = stdout::gone(), if args.follow => return Ok(code::DONE),
            else => break,
        }
        if !args.follow && streams.tasks.is_empty() && lines.is_empty() {
            break;
        }
    }
    Ok(if incomplete.is_empty() { code::DONE } else { code::INCOMPLETE })
}

type Told = (PodKey, Text, StreamEvent);

struct Streams<'a> {
    args: &'a Logs,
    tell: mpsc::Sender<Told>,
    followed: BTreeSet<(PodKey, Text)>,
    tasks: JoinSet<()>,
}

impl Streams<'_> {
    /// Opens a stream for every pod of the application that has none yet.
    fn follow(&mut self, view: &View, app: &AppKey) {
        let wanted = |pod: &&Pod| {
            in_cluster(&pod.key.cluster, self.args.cluster.as_deref())
                && self.args.component.as_deref().is_none_or(|component| *pod.owner.component == *component)
        };
        let pods: Vec<&Pod> = view.store.pods_of(app).filter(wanted).collect();
        for pod in pods {
            let container = match &self.args.container {
                Some(name) => match pod.containers.iter().find(|container| *container.name == **name) {
                    Some(container) => container.name.clone(),
                    None => continue,
                },
                None => pod.containers.first().map(|container| container.name.clone()).unwrap_or_default(),
            };
            if !self.followed.insert((pod.key.clone(), container.clone())) {
                continue;
            }
            let request = StreamRequest {
                pod: pod.key.clone(),
                container: container.clone(),
                tail: self.args.tail,
                previous: self.args.previous,
                follow: self.args.follow,
            };
            let (events, mut read) = mpsc::channel(LINES);
            let client = view.session.client(&pod.key.cluster);
            let (tell, key) = (self.tell.clone(), pod.key.clone());
            self.tasks.spawn(async move {
                let pass_on = async {
                    while let Some(event) = read.recv().await {
                        if tell.send((key.clone(), container.clone(), event)).await.is_err() {
                            return;
                        }
                    }
                };
                tokio::join!(logs::follow(client, request, events), pass_on);
            });
        }
    }
}

fn show(args: &Logs, pod: &PodKey, container: &str, event: &StreamEvent) -> Result<Reader, Failure> {
    let (kind, time, text, reason) = match event {
        StreamEvent::Line(line) => ("line", line.time, Some(&*line.text), None),
        StreamEvent::Gap(reason) => ("gap", None, None, Some(&**reason)),
        // Read whole, as was asked: nothing to tell.
        StreamEvent::Ended(reason) if **reason == *END_OF_LOG => return Ok(Reader::There),
        StreamEvent::Ended(reason) => {
            stdout::note(&format!("{pod}: {reason}"));
            return Ok(Reader::There);
        }
    };
    let mut out = match args.output {
        LogForm::Json => {
            let line = Line {
                kind,
                cluster: pod.cluster.as_str(),
                namespace: &pod.namespace,
                pod: &pod.name,
                container,
                time,
                text,
                reason,
            };
            serde_json::to_string(&line)
                .map_err(|error| Failure::failed(format!("a line cannot be written: {error}")))?
        }
        LogForm::Text => {
            let time = match time {
                Some(time) if args.timestamps => format!("{time} "),
                _ => String::new(),
            };
            let source = format!("{}/{}", pod.cluster, pod.name);
            match (text, reason) {
                (Some(text), _) => format!("{time}{source}  {text}"),
                (None, reason) => format!("-- {source}: {} --", reason.unwrap_or_default()),
            }
        }
    };
    out.push('\n');
    Stdout::lock().write(&out)
}
