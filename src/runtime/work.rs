//! Effects → tasks: the session's hands.

use std::{
    collections::HashMap,
    future::Future,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    panic::AssertUnwindSafe,
    sync::Arc,
    time::Duration,
};

use futures::FutureExt as _;
use tokio::{
    sync::mpsc,
    task::{AbortHandle, JoinSet},
    time::timeout,
};

use super::{
    audit::Sink,
    clipboard::Clipboard,
    compare,
    dashboard::Options,
    drafts::Drafts,
    editing,
    event_loop::{Control, Worker},
    loan,
    logs::{Following, LogLimits},
    relay,
    session::Senders,
};
use crate::{
    app::{
        effect::{Effect, Loan, Viewer},
        message::{ForwardId, Message, StreamId, TaskId},
    },
    cluster::{Session, actions, forward, object, tree::follow, usage, why},
    model::{
        acting::{Right, Verb},
        action::{Action, Outcome},
        application::Placement,
        diff::Comparison,
        forward::{ForwardNews, ForwardState, ForwardTarget},
        key::{AppKey, ClusterId, Text},
        object::{ObjectNews, ObjectRequest},
        pod::Pod,
        resource::ResourceKey,
        why::Subject,
    },
};

/// Forwards listen for this machine alone.
const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// How long a cluster may take to tell what is in it.
const LOOK_DEADLINE: Duration = Duration::from_secs(10);
/// How long leaving waits for a write that is under way: its outcome belongs on record.
const LAST_WRITES: Duration = Duration::from_secs(5);

/// Performs effects on a session, and tells the loop what comes of them.
pub struct Work {
    session: Arc<Session>,
    tell: Senders,
    audit: Sink,
    clipboard: Clipboard,
    forwards: HashMap<ForwardId, AbortHandle>,
    logs: HashMap<StreamId, Following>,
    log_limits: LogLimits,
    trees: HashMap<StreamId, AbortHandle>,
    whys: HashMap<StreamId, AbortHandle>,
    objects: HashMap<StreamId, AbortHandle>,
    comparisons: HashMap<StreamId, AbortHandle>,
    writes: JoinSet<()>,
}

impl Work {
    /// For one session; writes go on record with `audit`.
    pub fn new(session: Arc<Session>, tell: Senders, audit: Sink, options: &Options) -> Self {
        let clipboard = Clipboard::new(tell.control.clone());
        Self {
            session,
            tell,
            audit,
            clipboard,
            forwards: HashMap::new(),
            logs: HashMap::new(),
            log_limits: LogLimits::of(options),
            trees: HashMap::new(),
            whys: HashMap::new(),
            objects: HashMap::new(),
            comparisons: HashMap::new(),
            writes: JoinSet::new(),
        }
    }

    /// Waits for writes that are under way, so that their outcome is on record; false if one is not over in time.
    pub async fn finish(&mut self) -> bool {
        timeout(LAST_WRITES, async { while self.writes.join_next().await.is_some() {} }).await.is_ok()
    }

    fn find_targets(&self, task: TaskId, app: AppKey, places: Vec<Placement>, pods: Vec<Pod>) {
        let hub = self.session.hub().clone();
        let messages = self.tell.messages.clone();
        self.spawn(task, async move {
            let (targets, notes) = forward::targets(&hub, &app, &places, &pods).await;
            let _ = messages.send(Message::Targets(task, targets, notes)).await;
        });
    }

    /// Runs a piece of work; if it breaks, that is its outcome.
    fn spawn(&self, task: TaskId, work: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
        let messages = self.tell.messages.clone();
        tokio::spawn(guarded(work, move |message| async move {
            let _ = messages.send(Message::Done(task, Outcome::Panicked { message })).await;
        }))
        .abort_handle()
    }

    fn act(&mut self, task: TaskId, action: Action) {
        let hub = self.session.hub().clone();
        let messages = self.tell.messages.clone();
        let broken = messages.clone();
        let audit = self.audit.clone();
        let write = async move {
            let outcome = actions::perform(&hub, &action, &mut |line| audit.append(&line)).await;
            if let (Action::Edit(edit), Outcome::Done { .. }) = (&action, &outcome)
                && let Ok(drafts) = Drafts::open(hub.server())
            {
                // It has landed.
                drafts.discard(&edit.key);
            }
            let _ = messages.send(Message::Done(task, outcome)).await;
        };
        // Those that are over need not be kept.
        while self.writes.try_join_next().is_some() {}
        self.writes.spawn(guarded(write, move |message| async move {
            let _ = broken.send(Message::Done(task, Outcome::Panicked { message })).await;
        }));
    }

    fn prepare(&self, task: TaskId, key: ResourceKey, verbs: Vec<Verb>) {
        let hub = self.session.hub().clone();
        let messages = self.tell.messages.clone();
        self.spawn(task, async move {
            let prepared = actions::prepare(&hub, &key, &verbs).await;
            let prepared = prepared.map(Box::new).map_err(|error| error.message.into());
            let _ = messages.send(Message::Prepared(task, prepared)).await;
        });
    }

    fn review(&self, task: TaskId, key: ResourceKey, right: Right) {
        let hub = self.session.hub().clone();
        let messages = self.tell.messages.clone();
        self.spawn(task, async move {
            let answer = actions::review(&hub, &key, right).await;
            let _ = messages.send(Message::Reviewed(task, key, right, answer)).await;
        });
    }

    fn read_usage(&self, places: Vec<(ClusterId, Text)>) {
        for (cluster, namespace) in places {
            let client = self.session.client(&cluster);
            let messages = self.tell.messages.clone();
            // One that breaks leaves nothing behind but an answer that does not come: it is asked again.
            tokio::spawn(async move {
                let reading = usage::read(&client, &cluster, &namespace).await;
                let _ = messages.send(Message::Usage(reading)).await;
            });
        }
    }

    fn start_forward(&mut self, id: ForwardId, target: ForwardTarget, local_port: u16) {
        let client = self.session.client(&target.cluster);
        let listen = SocketAddr::new(LOOPBACK, local_port);
        let messages = self.tell.messages.clone();
        let broken = messages.clone();
        // News are few, and each state matters: a forward's own queue keeps their order without holding it up.
        let (report, mut told) = mpsc::unbounded_channel();
        let work = async move {
            let tell = async {
                while let Some(news) = told.recv().await {
                    if messages.send(Message::Forward(id, news)).await.is_err() {
                        return;
                    }
                }
            };
            let run = async move {
                forward::run(client, target, listen, |news| {
                    let _ = report.send(news);
                })
                .await;
            };
            tokio::join!(run, tell);
        };
        let task = tokio::spawn(guarded(work, move |reason| async move {
            let _ = broken.send(Message::Forward(id, ForwardNews::State(ForwardState::Failed { reason }))).await;
        }));
        self.forwards.insert(id, task.abort_handle());
    }

    fn stop_forward(&mut self, id: ForwardId) {
        if let Some(task) = self.forwards.remove(&id) {
            task.abort();
        }
        let messages = self.tell.messages.clone();
        tokio::spawn(async move {
            let _ = messages.send(Message::Forward(id, ForwardNews::State(ForwardState::Stopped))).await;
        });
    }

    fn watch_tree(&mut self, id: StreamId, app: AppKey) {
        let (hub, links) = (self.session.hub().clone(), self.session.links());
        let messages = self.tell.messages.clone();
        let broken = messages.clone();
        let work = async move {
            // The newest picture is worth more than each: one may wait.
            let (tell, mut pictures) = mpsc::channel(1);
            let pass_on = async move {
                while let Some(picture) = pictures.recv().await {
                    if messages.send(Message::Tree(id, picture)).await.is_err() {
                        return;
                    }
                }
            };
            tokio::join!(follow(hub, Some(links), app, LOOK_DEADLINE, tell), pass_on);
        };
        let task = tokio::spawn(guarded(work, move |reason| async move {
            let _ = broken.send(Message::Tree(id, Err(reason))).await;
        }));
        self.trees.insert(id, task.abort_handle());
    }

    fn watch_revisions(&mut self, id: StreamId, app: AppKey) {
        let broken = self.tell.messages.clone();
        let work = compare::watch_revisions(self.session.hub().clone(), id, app, broken.clone());
        let task = tokio::spawn(guarded(work, move |reason| async move {
            let _ = broken.send(Message::Revisions(id, Err(reason))).await;
        }));
        self.comparisons.insert(id, task.abort_handle());
    }

    fn compare(&mut self, id: StreamId, asked: Comparison) {
        let broken = self.tell.messages.clone();
        let work = compare::compare(self.session.hub().clone(), id, asked, broken.clone());
        let task = tokio::spawn(guarded(work, move |reason| async move {
            let _ = broken.send(Message::Compared(id, Err(reason))).await;
        }));
        self.comparisons.insert(id, task.abort_handle());
    }
}

impl Work {
    /// Gives the terminal to another program; whatever becomes of that, it comes back.
    fn lend(&self, task: TaskId, loan: Loan) {
        let hub = self.session.hub().clone();
        let messages = self.tell.messages.clone();
        let control = self.tell.control.clone();
        let broken = control.clone();
        let returned = move |outcome| Control::Returned(Box::new(Message::Returned(task, outcome)));
        let work = async move {
            let done = || Outcome::Done { message: "".into() };
            match loan {
                Loan::Draft(key) => {
                    let path = Drafts::open(hub.server()).map(|drafts| drafts.path(&key));
                    let ended = match path {
                        Ok(path) => loan::run(Viewer::Editor, &path).await,
                        Err(error) => Err(format!("the draft cannot be opened: {error}")),
                    };
                    let outcome = match &ended {
                        Ok(()) => done(),
                        Err(why) => Outcome::Failed { message: format!("{why}; the draft is kept").into() },
                    };
                    if control.send(returned(outcome)).await.is_ok() && ended.is_ok() {
                        editing::read_back(&hub, &key, task, &messages).await;
                    }
                }
                Loan::View(viewer, name, text) => {
                    let _ = control.send(returned(loan::view(viewer, &name, &text).await)).await;
                }
                Loan::Shell(request) => {
                    let outcome = relay::run(hub.member(&request.pod.cluster), &request).await;
                    let _ = control.send(returned(outcome)).await;
                }
            }
        };
        tokio::spawn(guarded(work, move |message| async move {
            let message = Message::Returned(task, Outcome::Panicked { message });
            let _ = broken.send(Control::Returned(Box::new(message))).await;
        }));
    }

    fn watch_object(&mut self, id: StreamId, request: ObjectRequest) {
        let hub = self.session.hub().clone();
        let messages = self.tell.messages.clone();
        let broken = messages.clone();
        let work = async move {
            // One at a time: an object that changes all the time does not pile up before a slow terminal.
            let (tell, mut news) = mpsc::channel(1);
            let pass_on = async {
                while let Some(news) = news.recv().await {
                    if messages.send(Message::Object(id, Box::new(news))).await.is_err() {
                        return;
                    }
                }
            };
            tokio::join!(object::follow(&hub, &request, tell), pass_on);
        };
        let task = tokio::spawn(guarded(work, move |reason| async move {
            let _ = broken.send(Message::Object(id, Box::new(ObjectNews::Failed(reason)))).await;
        }));
        self.objects.insert(id, task.abort_handle());
    }

    fn watch_why(&mut self, id: StreamId, subject: Subject) {
        let (hub, links) = (self.session.hub().clone(), self.session.links());
        let messages = self.tell.messages.clone();
        let broken = messages.clone();
        let work = async move {
            let (tell, mut answers) = mpsc::channel(1);
            let pass_on = async move {
                while let Some(answer) = answers.recv().await {
                    if messages.send(Message::Why(id, answer)).await.is_err() {
                        return;
                    }
                }
            };
            tokio::join!(why::follow(hub, links, subject, LOOK_DEADLINE, tell), pass_on);
        };
        let task = tokio::spawn(guarded(work, move |reason| async move {
            let _ = broken.send(Message::Why(id, Err(reason))).await;
        }));
        self.whys.insert(id, task.abort_handle());
    }
}

impl Worker for Work {
    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Resync => self.session.resync(),
            Effect::FindTargets { task, app, places, pods } => self.find_targets(task, app, places, pods),
            Effect::StartForward { id, target, local_port } => self.start_forward(id, target, local_port),
            Effect::StopForward(id) => self.stop_forward(id),
            Effect::FollowLogs(id, request, targets) => {
                let following =
                    Following::start(id, *request, targets, &self.session, &self.tell.logs, self.log_limits);
                self.logs.insert(id, following);
            }
            Effect::JoinLogs(id, targets) => {
                if let Some(following) = self.logs.get(&id) {
                    following.join(targets);
                }
            }
            Effect::StopLogs(id) => drop(self.logs.remove(&id)),
            Effect::WatchTree(id, app) => self.watch_tree(id, app),
            Effect::StopTree(id) => {
                if let Some(task) = self.trees.remove(&id) {
                    task.abort();
                }
            }
            Effect::WatchObject(id, request) => self.watch_object(id, request),
            Effect::StopObject(id) => {
                if let Some(task) = self.objects.remove(&id) {
                    task.abort();
                }
            }
            Effect::Prepare(task, key, verbs) => self.prepare(task, key, verbs),
            Effect::Review(task, key, right) => self.review(task, key, right),
            Effect::ReadUsage(places) => self.read_usage(places),
            // What comes of it comes as changes of the world.
            Effect::WatchEvents(id, scope) => drop(self.session.watch_events(id, scope)),
            Effect::StopEvents(id) => self.session.stop_events(id),
            Effect::WatchRevisions(id, app) => self.watch_revisions(id, app),
            Effect::Compare(id, asked) => self.compare(id, asked),
            Effect::StopRevisions(id) | Effect::StopCompare(id) => {
                if let Some(task) = self.comparisons.remove(&id) {
                    task.abort();
                }
            }
            Effect::Draft(task, request) => {
                let hub = self.session.hub().clone();
                let messages = self.tell.messages.clone();
                self.spawn(task, async move {
                    let news = editing::draft(&hub, &request).await;
                    let _ = messages.send(Message::Edit(task, Box::new(news))).await;
                });
            }
            Effect::DiscardDraft(key) => {
                // Where there is no state directory there are no drafts.
                if let Ok(drafts) = Drafts::open(self.session.hub().server()) {
                    drafts.discard(&key);
                }
            }
            Effect::Lend(task, loan) => self.lend(task, loan),
            Effect::Save(task, name, text) => {
                let messages = self.tell.messages.clone();
                self.spawn(task, async move {
                    let saved = tokio::task::spawn_blocking(move || loan::save(&name, &text)).await;
                    let outcome = saved.unwrap_or_else(|error| Outcome::Panicked { message: error.to_string().into() });
                    let _ = messages.send(Message::Done(task, outcome)).await;
                });
            }
            Effect::WatchWhy(id, subject) => self.watch_why(id, subject),
            Effect::StopWhy(id) => {
                if let Some(task) = self.whys.remove(&id) {
                    task.abort();
                }
            }
            Effect::Act(task, action) => self.act(task, action),
            Effect::Copy(task, text) => {
                let copy = self.clipboard.copy(text);
                let messages = self.tell.messages.clone();
                self.spawn(task, async move {
                    let _ = messages.send(Message::Done(task, copy.await)).await;
                });
            }
            // The loop's own.
            Effect::Quit | Effect::Suspend | Effect::Redraw | Effect::Bell => {}
        }
    }
}

/// Runs work to its end; when it panics, tells so in words.
pub(super) async fn guarded<F: Future<Output = ()>>(work: impl Future<Output = ()>, broken: impl FnOnce(Text) -> F) {
    if let Err(panic) = AssertUnwindSafe(work).catch_unwind().await {
        let words = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("no words");
        broken(format!("lateen broke at this ({words}), which is a defect; a report is in the state directory").into())
            .await;
    }
}
