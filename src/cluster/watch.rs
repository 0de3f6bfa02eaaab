//! One question, asked for ever: list in pages, then watch; resume where it broke; list again when it is too late.
//!
//! Objects are projected one by one, from their bytes, inside the task: one that cannot be read fails nothing, and
//! none is kept. While its cluster's link is down a question waits; what the API refuses is asked again slowly.

use std::{sync::atomic::Ordering, time::Duration};

use serde::Deserialize;
use serde_json::{Value, value::RawValue};
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use super::{
    asking::Asking,
    error::{Class, Error},
    jitter, lines,
    pruned::Pruned,
    request::{self, escape},
    supervisor::Event,
};
use crate::model::{
    delta::{Delta, Epoch, Row, Scope, ScopeState},
    key::RowKey,
};

/// Objects a page asks for.
const PAGE: usize = 250;
/// The largest event taken; etcd's own objects end at 1.5 MiB.
const EVENT_BYTES: usize = 8 * 1024 * 1024;
/// Time after which the server is asked to end a watch, so that a connection that died silently is noticed.
const WATCH: Duration = Duration::from_secs(60);
/// Time past its end after which a watch counts as dead.
const WATCH_MARGIN: Duration = Duration::from_secs(10);
/// Time between tries of what the API refuses (403) or does not know (404).
const PARKED: Duration = Duration::from_secs(30);
/// Back-off after failures: from … to.
const BACK_OFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(10));

/// What is asked.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    /// Its name in the alphabet.
    pub(crate) scope: Scope,
    /// Path of the collection, for instance `/api/v1/pods`.
    pub(crate) path: String,
    /// Label selector.
    pub(crate) selector: Option<&'static str>,
    /// Field selector.
    pub(crate) fields: Option<String>,
    /// The kind in a sentence: "pods in foo".
    pub(crate) what: String,
}

/// What an object comes to.
pub(crate) enum Change {
    /// A row.
    Row(Row),
    /// The row of that key is no more.
    Gone(RowKey),
    /// Nothing that anybody shows.
    Nothing,
}

/// How objects become rows.
pub(crate) trait Projection: Send + 'static {
    /// A list begins.
    fn begin(&mut self, _asking: &mut Asking) -> impl Future<Output = Result<(), Error>> + Send {
        async { Ok(()) }
    }

    /// An object is there, or is so now.
    fn put(&mut self, object: &Value) -> Change;

    /// An object is gone.
    fn delete(&mut self, object: &Value) -> Change;

    /// The list is complete.
    fn synced(&mut self) {}

    /// What can only be said after asking more; called after each page and event.
    fn settle(&mut self, _asking: &mut Asking) -> impl Future<Output = Vec<Change>> + Send {
        async { Vec::new() }
    }

    /// When to call `settle` though nothing came.
    fn due(&self) -> Option<Instant> {
        None
    }
}

/// A page without its objects.
#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    metadata: PageMeta,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct PageMeta {
    resource_version: Option<String>,
    #[serde(rename = "continue")]
    next: Option<String>,
}

#[derive(Deserialize)]
struct WatchEvent<'a> {
    #[serde(rename = "type")]
    kind: String,
    #[serde(borrow)]
    object: &'a RawValue,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Refusal {
    code: u16,
    message: String,
}

/// How a watch ended.
enum End {
    /// As agreed, or the cluster came back, or it broke after it had brought something: go on where it stood.
    Resume,
    /// Too old, or asked to list again.
    Relist,
}

/// A question being asked.
pub(crate) struct Watch<P> {
    asking: Asking,
    question: Question,
    projection: P,
    epoch: Epoch,
    page: usize,
    state: Option<ScopeState>,
    failures: u32,
}

impl<P: Projection> Watch<P> {
    pub(crate) fn new(asking: Asking, question: Question, projection: P) -> Self {
        Self { asking, question, projection, epoch: 0, page: PAGE, state: None, failures: 0 }
    }

    /// Runs until dropped.
    pub(crate) async fn run(mut self) {
        if !self.question.scope.cluster.is_local() {
            sleep(jitter(Duration::from_millis(100))).await;
        }
        let mut version: Option<String> = None;
        loop {
            self.asking.up().await;
            let result: Result<(), Error> = match version.take() {
                None => match self.list().await {
                    Ok(listed) => {
                        version = Some(listed);
                        continue;
                    }
                    Err(error) => Err(error),
                },
                Some(mut from) => {
                    let result = self.watch(&mut from).await;
                    match result {
                        Ok(End::Resume) => {
                            version = Some(from);
                            continue;
                        }
                        Ok(End::Relist) => {
                            // A server that calls every version too old must not be listed in a circle.
                            self.failures += 1;
                            if self.failures > 1 {
                                sleep(self.back_off()).await;
                            }
                            continue;
                        }
                        Err(error) => {
                            if !matches!(error.class, Class::Gone | Class::NotFound | Class::Forbidden | Class::Invalid)
                            {
                                version = Some(from);
                            }
                            Err(error)
                        }
                    }
                }
            };
            if let Err(error) = result {
                self.rest(error).await;
            }
        }
    }

    /// Lists page by page; the version to watch from.
    async fn list(&mut self) -> Result<String, Error> {
        self.epoch = self.asking.epochs.fetch_add(1, Ordering::Relaxed) + 1;
        self.asking.resync.borrow_and_update();
        let first = !matches!(self.state, Some(ScopeState::Live));
        if first {
            self.say(ScopeState::Loading(0));
        }
        self.projection.begin(&mut self.asking).await?;
        let mut next: Option<String> = None;
        let mut seen = 0;
        loop {
            let uri = self.list_uri(next.as_deref());
            let mut changes = Vec::new();
            let projection = &mut self.projection;
            let each = |object: &[u8]| changes.extend(read(object).map(|object| projection.put(&object)));
            let envelope = match self.asking.list_each(&uri, request::JSON, each).await {
                Err(error) if error.class == Class::TooLarge && self.page > 1 => {
                    self.page = (self.page / 4).max(1);
                    continue;
                }
                other => other?,
            };
            let page: Page = request::decode(&envelope)?;
            changes.extend(self.projection.settle(&mut self.asking).await);
            let deltas: Vec<Delta> = changes.into_iter().filter_map(|change| self.delta(change)).collect();
            seen += deltas.len();
            self.asking.feed.send_all(deltas);
            next = page.metadata.next.filter(|token| !token.is_empty());
            if next.is_none() {
                let version = page.metadata.resource_version.unwrap_or_default();
                self.projection.synced();
                let scope = self.question.scope.clone();
                self.asking.feed.send(Delta::Synced { scope, epoch: self.epoch });
                self.say(ScopeState::Live);
                return Ok(version);
            }
            if first {
                self.say(ScopeState::Loading(seen));
            }
        }
    }

    async fn watch(&mut self, version: &mut String) -> Result<End, Error> {
        let length = WATCH + jitter(Duration::from_secs(15));
        let uri = self.watch_uri(version, length);
        let begun = Instant::now();
        let end = begun + length + WATCH_MARGIN;
        let returns = self.asking.gate.borrow().returns;
        let response =
            request::within(self.asking.deadline, request::open(&self.asking.client, &uri, request::JSON, true))
                .await?;
        self.say(ScopeState::Live);
        let mut lines = lines::of(response, EVENT_BYTES);
        let mut brought = false;
        loop {
            let due = self.projection.due();
            let line = tokio::select! {
                line = timeout_at(end, lines.next()) => line.map(|line| line.map_err(Some)),
                changed = self.asking.gate.wait_for(|gate| gate.returns != returns) => {
                    drop(changed);
                    self.failures = 0;
                    return Ok(End::Resume);
                }
                _ = self.asking.resync.changed() => return Ok(End::Relist),
                () = sleep_until(due.unwrap_or(end)), if due.is_some() => Ok(Err(None)),
            };
            let line = match line {
                Ok(Err(None)) => {
                    self.settle().await;
                    continue;
                }
                Ok(Ok(None)) => {
                    if !brought && begun.elapsed() < Duration::from_secs(1) {
                        sleep(self.back_off()).await;
                        self.failures += 1;
                    }
                    return Ok(End::Resume);
                }
                // Broken in the middle, as the gateway does when a cluster dies.
                Ok(Err(Some(error))) if !brought && begun.elapsed() < Duration::from_secs(1) => return Err(error),
                // Or, past the deadline, neither an event nor a bookmark nor the agreed end: nobody is there any more.
                Err(_) | Ok(Err(Some(_))) => return Ok(End::Resume),
                Ok(Ok(Some(line))) => line,
            };
            if line.cut {
                let what =
                    format!("{}: an object larger than {} MiB is left out", self.question.what, EVENT_BYTES >> 20);
                self.asking.feed.send(Delta::Notice(what.into()));
                continue;
            }
            let Ok(event) = serde_json::from_slice::<WatchEvent<'_>>(&line.bytes) else {
                // A line that is not an event is cut at its end, or a proxy's; the next list mends it.
                tracing::debug!(what = %self.question.what, "a line of the watch is not an event");
                continue;
            };
            brought = true;
            self.failures = 0;
            if event.kind == "ERROR" {
                let refusal: Refusal = serde_json::from_str(event.object.get()).unwrap_or_default();
                if refusal.code == 410 {
                    return Ok(End::Relist);
                }
                let body = serde_json::json!({"message": refusal.message}).to_string();
                return Err(Error::from_answer(refusal.code, body.as_bytes()));
            }
            let Some(object) = read(event.object.get().as_bytes()) else { continue };
            if let Some(at) = object.pointer("/metadata/resourceVersion").and_then(Value::as_str) {
                at.clone_into(version);
            }
            let change = match event.kind.as_str() {
                "ADDED" | "MODIFIED" => self.projection.put(&object),
                "DELETED" => self.projection.delete(&object),
                _ => Change::Nothing,
            };
            if let Some(delta) = self.delta(change) {
                self.asking.feed.send(delta);
            }
            self.settle().await;
        }
    }

    async fn settle(&mut self) {
        for change in self.projection.settle(&mut self.asking).await {
            if let Some(delta) = self.delta(change) {
                self.asking.feed.send(delta);
            }
        }
    }

    fn delta(&self, change: Change) -> Option<Delta> {
        let scope = || self.question.scope.clone();
        match change {
            Change::Row(row) => Some(Delta::Upsert { scope: scope(), epoch: self.epoch, row }),
            Change::Gone(key) => Some(Delta::Remove { scope: scope(), key }),
            Change::Nothing => None,
        }
    }

    /// Says why it failed and waits for the next try.
    async fn rest(&mut self, error: Error) {
        let what = format!("list {}", self.question.what);
        let pause = match error.class {
            Class::NotFound => {
                self.say(ScopeState::NotInstalled);
                jitter_around(PARKED)
            }
            Class::Forbidden => {
                self.say(ScopeState::Forbidden(format!("{what}: {}", error.message).into()));
                jitter_around(PARKED)
            }
            Class::Gone => {
                self.failures += 1;
                self.back_off()
            }
            _ => {
                // A cluster that is lost is told by its link; its question just waits for it.
                if self.asking.gate.borrow().up {
                    self.say(ScopeState::Failing(format!("{what}: {}", error.message).into()));
                }
                self.failures += 1;
                self.back_off()
            }
        };
        tokio::select! {
            () = sleep(pause) => {}
            _ = self.asking.resync.changed() => {}
        }
    }

    fn back_off(&self) -> Duration {
        let (from, to) = BACK_OFF;
        jitter_around((from * 2u32.saturating_pow(self.failures.saturating_sub(1).min(6))).min(to))
    }

    /// Tells how the question stands, if that is news.
    fn say(&mut self, state: ScopeState) {
        if self.state.as_ref() == Some(&state) {
            return;
        }
        self.state = Some(state.clone());
        let scope = self.question.scope.clone();
        // First to who shows it: once the supervisor knows of every answer, all of them must have been told.
        self.asking.feed.send(Delta::Asked { scope: scope.clone(), state: state.clone() });
        // The supervisor may be gone already, and this task is then about to be.
        let _ = self.asking.events.send(Event::Scope(scope, state));
    }

    fn list_uri(&self, next: Option<&str>) -> String {
        let mut uri = format!("{}?limit={}", self.question.path, self.page);
        self.choose(&mut uri);
        if let Some(next) = next {
            uri.push_str("&continue=");
            uri.push_str(&escape(next));
        }
        uri
    }

    /// Adds the selectors.
    fn choose(&self, uri: &mut String) {
        for (name, selector) in
            [("labelSelector", self.question.selector), ("fieldSelector", self.question.fields.as_deref())]
        {
            if let Some(selector) = selector {
                uri.push('&');
                uri.push_str(name);
                uri.push('=');
                uri.push_str(&escape(selector));
            }
        }
    }

    fn watch_uri(&self, version: &str, length: Duration) -> String {
        let mut uri = format!(
            "{}?watch=true&allowWatchBookmarks=true&timeoutSeconds={}&resourceVersion={}",
            self.question.path,
            length.as_secs(),
            escape(version)
        );
        self.choose(&mut uri);
        uri
    }
}

/// One object; what is nested deeper than the parser goes is nothing anybody can show.
pub(crate) fn read(object: &[u8]) -> Option<Value> {
    serde_json::from_slice(object).ok().map(|Pruned(object)| object)
}

/// A duration within a fifth of the given one.
pub(crate) fn jitter_around(duration: Duration) -> Duration {
    duration * 4 / 5 + jitter(duration * 2 / 5)
}
