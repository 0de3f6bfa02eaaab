//! `lateen logs`: the logs of an application's pods, or of pods by their labels, in every cluster. What there is comes
//! merged by time; with `--follow`, what comes then follows as it is written.

use std::{
    collections::{BTreeSet, HashMap},
    io::IsTerminal as _,
    sync::Arc,
};

use jiff::SignedDuration;
use tokio::{sync::mpsc, task::AbortHandle};

use super::{
    approve::named_namespace,
    args::{Global, Logs},
    failure::{Failure, code},
    items::in_cluster,
    stdout::{self, Reader, Stdout},
    view::View,
};
use crate::{
    cluster::logs::{self, Clients, Outlets, Overflow, Queue, Session},
    model::{
        key::{AppKey, ClusterId},
        log::{Containers, End, LogEvent, LogRequest, LogScope, LogSource, LogTarget, SourceId, Start},
    },
};

mod merge;
mod print;

use print::Printer;

/// Bytes that may wait for the reader of standard output; the streams wait beyond. Less where less is allowed.
const WAITING: usize = 4 << 20;
/// Bytes written at once.
const AT_ONCE: usize = 64 << 10;

/// Shows what there is; with `--follow` stays for what comes, new pods included.
pub(super) async fn run(global: &Global, args: Logs) -> Result<u8, Failure> {
    let global = match &args.app {
        Some(app) => named_namespace(global, app),
        None => global.clone(),
    };
    let color = std::io::stdout().is_terminal() && !global.no_color && super::dashboard::set("NO_COLOR").is_none();
    let printer = Printer::new(&args, color)?;
    let mut view = View::open(&global, false).await?;
    let app = args.app.as_deref().map(|app| view.application(app)).transpose()?;
    let incomplete = view.incomplete(args.cluster.as_deref());
    for missing in &incomplete {
        stdout::note(&format!("{}: {}", missing.cluster, missing.reason));
    }
    let mut request = request(&args, &view, app.clone());
    let targets = match (&app, &args.step) {
        (Some(app), Some(step)) => {
            let targets = logs::of_step(view.session.hub(), app, step).await?;
            request.scope = LogScope::Pods(targets.iter().map(|target| target.pod.clone()).collect());
            targets
        }
        _ => targets(&args, &view, app.as_ref()),
    };
    if let (true, false, Some(app)) = (targets.is_empty(), args.follow, &app) {
        return Err(Failure::failed(format!("{app} has no pods that match; `lateen get pods` lists them")));
    }
    let limits = Limits { streams: global.log_streams, waiting: WAITING.min(global.max_memory) };
    let mut shown = if request.follow {
        follow(&args, &mut view, app.as_ref(), request, targets, printer, limits).await?
    } else {
        once(&view, request, targets, printer, limits).await?
    };
    if shown.sources == 0 && !args.follow {
        return Err(Failure::failed("there are no pods that match; `lateen get pods` lists those of applications"));
    }
    shown.incomplete |= !incomplete.is_empty();
    Ok(shown.code())
}

fn request(args: &Logs, view: &View, app: Option<AppKey>) -> LogRequest {
    let scope = match (app, &args.selector) {
        (Some(app), _) => LogScope::App { app, component: args.component.as_deref().map(Into::into) },
        (None, selector) => LogScope::Selector {
            namespace: view.namespace.as_deref().map(Into::into),
            selector: selector.as_deref().unwrap_or_default().into(),
        },
    };
    let since = args.since.map(|since| SignedDuration::try_from(since).unwrap_or(SignedDuration::MAX));
    LogRequest {
        scope,
        clusters: args.cluster.iter().map(|cluster| ClusterId::named(cluster)).collect(),
        containers: match args.container.as_deref() {
            Some("all") => Containers::All,
            Some(name) => Containers::Named(name.into()),
            None => Containers::Default,
        },
        previous: args.previous,
        start: match (since, args.tail) {
            (Some(since), _) => Start::Since(since),
            (None, Some(lines)) => Start::Tail(lines),
            (None, None) => Start::All,
        },
        follow: args.follow && !args.previous,
    }
}

/// The pods of the application that are wanted.
fn targets(args: &Logs, view: &View, app: Option<&AppKey>) -> Vec<LogTarget> {
    let Some(app) = app.filter(|_| args.step.is_none()) else { return Vec::new() };
    let selector =
        args.selector.as_deref().and_then(|selector| selector.parse::<crate::model::selector::Selector>().ok());
    view.store
        .pods_of(app)
        .filter(|pod| in_cluster(&pod.key.cluster, args.cluster.as_deref()))
        .filter(|pod| args.component.as_deref().is_none_or(|component| *pod.owner.component == *component))
        .filter(|pod| selector.as_ref().is_none_or(|selector| selector.matches(&pod.labels)))
        .map(|pod| LogTarget { pod: pod.key.clone(), uid: pod.uid.clone() })
        .collect()
}

/// How much at a time.
#[derive(Clone, Copy)]
struct Limits {
    /// Streams open.
    streams: usize,
    /// Bytes that wait for the reader.
    waiting: usize,
}

/// What was shown.
#[derive(Default)]
struct Shown {
    sources: usize,
    denied: usize,
    /// Those that were not there to be read: no such container, or no instance before.
    refused: usize,
    /// Something could not be asked, or not be read to its end.
    incomplete: bool,
}

impl Shown {
    fn code(&self) -> u8 {
        if self.sources > 0 && self.denied == self.sources {
            code::FORBIDDEN
        } else if self.sources > 0 && self.refused == self.sources {
            code::FAILED
        } else if self.incomplete || self.denied > 0 {
            code::INCOMPLETE
        } else {
            code::DONE
        }
    }

    /// Counts how a log ended, and says so where that is to be known.
    fn ended(&mut self, source: &LogSource, end: &End) {
        match end {
            // Read whole, as was asked: nothing to tell.
            End::Read => return,
            End::Denied(_) => self.denied += 1,
            End::Failed(_) | End::Broken(_) | End::ClusterLost => self.incomplete = true,
            End::Refused(_) => self.refused += 1,
            End::Exited(_) | End::PodOver(_) | End::PodDeleted => {}
        }
        stdout::note(&format!("{source}: {end}"));
    }

    /// Says what is about no source alone.
    fn note(&mut self, event: &LogEvent) {
        match event {
            LogEvent::Limit { open, wanted } if open < wanted => {
                stdout::note(&format!("{open} logs of {wanted}: the others follow as these end"));
            }
            LogEvent::Unfound(_, why) => {
                self.incomplete = true;
                stdout::note(why);
            }
            _ => {}
        }
    }
}

/// A session that ends with this.
struct Running {
    joins: mpsc::UnboundedSender<Vec<LogTarget>>,
    task: AbortHandle,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn start(view: &View, request: LogRequest, targets: Vec<LogTarget>, streams: usize, outlets: Outlets) -> Running {
    let hub = view.session.hub().clone();
    let clients: Clients = Arc::new(move |cluster| hub.member(cluster));
    let (joins, joined) = mpsc::unbounded_channel();
    // The other end is at hand.
    let _ = joins.send(targets);
    let clusters = view.session.links().clusters();
    let session = Session::new(clients, request, streams, outlets);
    Running { joins, task: tokio::spawn(session.run(joined, clusters)).abort_handle() }
}

/// Shows what comes as it comes, until nobody reads it any more.
async fn follow(
    args: &Logs,
    view: &mut View,
    app: Option<&AppKey>,
    request: LogRequest,
    targets: Vec<LogTarget>,
    printer: Printer,
    limits: Limits,
) -> Result<Shown, Failure> {
    let queue = Queue::new(limits.waiting, Overflow::Wait);
    let mut told: BTreeSet<LogTarget> = targets.iter().cloned().collect();
    let running = start(view, request, targets, limits.streams, Outlets::Shared(queue.clone()));
    let mut sources: HashMap<SourceId, Arc<LogSource>> = HashMap::new();
    let mut shown = Shown::default();
    loop {
        let events = tokio::select! {
            biased;
            events = queue.take(AT_ONCE) => events,
            () = view.changed() => {
                let new: Vec<LogTarget> =
                    self::targets(args, view, app).into_iter().filter(|target| told.insert(target.clone())).collect();
                if !new.is_empty() {
                    // A session that broke closes its queue.
                    let _ = running.joins.send(new);
                }
                continue;
            }
            () = stdout::gone() => return Ok(shown),
        };
        let Some(events) = events else { return Ok(shown) };
        let mut out = String::new();
        for event in events {
            match event {
                LogEvent::Opened(id, source) => {
                    shown.sources += 1;
                    sources.insert(id, source);
                }
                LogEvent::Lines(id, lines) => {
                    if let Some(source) = sources.get(&id) {
                        for line in &lines {
                            printer.line(&mut out, source, line);
                        }
                    }
                }
                LogEvent::Gap(id, gap) => {
                    if let Some(source) = sources.get(&id) {
                        printer.gap(&mut out, source, &gap);
                    }
                }
                LogEvent::Ended(id, end) => {
                    if let Some(source) = sources.get(&id) {
                        shown.ended(source, &end);
                    }
                }
                LogEvent::State(..) => {}
                event @ (LogEvent::Limit { .. } | LogEvent::Unfound(..)) => shown.note(&event),
            }
        }
        if Stdout::lock().write(&out)? == Reader::Gone {
            return Ok(shown);
        }
    }
}

/// Shows what there is, merged by time.
async fn once(
    view: &View,
    request: LogRequest,
    targets: Vec<LogTarget>,
    printer: Printer,
    limits: Limits,
) -> Result<Shown, Failure> {
    let queue = Queue::new(limits.waiting, Overflow::Wait);
    let (tell, mut sources) = mpsc::unbounded_channel();
    let mut running = start(view, request, targets, limits.streams, Outlets::Each(queue.clone(), tell));
    // These and no others.
    running.joins = mpsc::unbounded_channel().0;
    let mut shown = Shown::default();
    // As many at once as are opened at once; what is more comes after them.
    while let Some(logs) = merge::gather(&mut sources, limits.streams).await {
        let mut merged = merge::Merged::begin(logs).await;
        shown.sources += merged.len();
        let mut out = String::new();
        while let Some((source, item)) = merged.next().await {
            match item {
                merge::Item::Line(line) => printer.line(&mut out, &source, &line),
                merge::Item::Gap(gap) => printer.gap(&mut out, &source, &gap),
                merge::Item::End(end) => shown.ended(&source, &end),
            }
            if out.len() >= AT_ONCE && Stdout::lock().write(&std::mem::take(&mut out))? == Reader::Gone {
                return Ok(shown);
            }
        }
        if Stdout::lock().write(&out)? == Reader::Gone {
            return Ok(shown);
        }
    }
    while let Some(events) = queue.take(AT_ONCE).await {
        for event in &events {
            shown.note(event);
        }
    }
    Ok(shown)
}
