//! Watches: a long answer, one line of JSON an event.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, stream};
use serde_json::json;
use tokio::sync::watch;
use tokio::time::Instant;

use super::format::Format;
use crate::demo::kinds::Kind;
use crate::demo::selector::Selector;
use crate::demo::status::Status;
use crate::demo::store::{Event, Forgotten, Happened, Object, Query, Store};

/// How often a bookmark comes, as from the real server.
const BOOKMARK_EVERY: Duration = Duration::from_secs(60);
/// How long a watch lasts that names no time: the real server takes between one and two of these.
const UNNAMED_TIMEOUT: Duration = Duration::from_secs(1800);

/// What a watch asks for.
pub(crate) struct Watch {
    pub(crate) kind: &'static Kind,
    pub(crate) namespace: String,
    /// Only the object of this name; empty for all.
    pub(crate) name: String,
    pub(crate) selector: Selector,
    pub(crate) format: Format,
    /// Events after this one; none starts with what there is.
    pub(crate) from: Option<u64>,
    /// Start with what there is, and say when that is all.
    pub(crate) initial: bool,
    pub(crate) bookmarks: bool,
    pub(crate) timeout: Option<Duration>,
}

/// How much is put together for one sending.
const PIECE: usize = 256 * 1024;
/// How long changes gather after a sending: a burst goes to a hundred watchers in few pieces, a change that comes alone
/// at once.
const GATHER: Duration = Duration::from_millis(5);

struct Watcher {
    watch: Watch,
    store: Arc<Store>,
    changes: watch::Receiver<()>,
    /// Every event up to here was taken.
    seen: u64,
    /// What there was at the start and is not sent yet, newest last.
    present: std::vec::IntoIter<Arc<Object>>,
    /// Events that were taken and are not sent yet.
    events: VecDeque<Arc<Event>>,
    /// The bookmark after what there was is still to be sent.
    initial_end: bool,
    first: bool,
    sent: Option<Instant>,
    ends: Instant,
    bookmark: Instant,
    over: bool,
}

impl Watch {
    fn wants(&self, object: &Object) -> bool {
        (self.namespace.is_empty() || *object.key.namespace == *self.namespace)
            && (self.name.is_empty() || *object.key.name == *self.name)
            && self.selector.matches(self.kind, object)
    }

    /// Starts it. A watch from too long ago is answered with an event that says so, not with a refusal.
    pub(crate) fn start(self, store: Arc<Store>) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
        let changes = store.changes(self.kind);
        let now = Instant::now();
        let mut watcher = Watcher {
            seen: self.from.unwrap_or_default(),
            changes,
            present: Vec::new().into_iter(),
            events: VecDeque::new(),
            initial_end: false,
            first: true,
            sent: None,
            ends: now + self.timeout.unwrap_or(UNNAMED_TIMEOUT),
            bookmark: now + BOOKMARK_EVERY,
            over: false,
            store,
            watch: self,
        };
        watcher.begin();
        stream::unfold(watcher, |mut watcher| async move { Some((Ok(watcher.next().await?), watcher)) })
    }
}

impl Watcher {
    /// What there is already, for a watch that wants it.
    fn begin(&mut self) {
        if self.watch.from.is_some() {
            return;
        }
        let query = Query {
            kind: self.watch.kind,
            namespace: &self.watch.namespace,
            selector: &self.watch.selector,
            after: None,
            limit: 0,
            at: None,
        };
        let Ok(page) = self.store.list(&query) else { return };
        self.seen = page.revision;
        self.present = page.objects.into_iter();
        self.initial_end = self.watch.initial && self.watch.bookmarks;
    }

    /// The next piece. Nothing is made before it can be sent, so that a client that does not read costs no memory; one
    /// that falls behind what the store remembers is cut off, and learns the rest when it comes back.
    async fn next(&mut self) -> Option<Bytes> {
        let mut out = Vec::new();
        loop {
            while out.len() < PIECE
                && let Some(object) = self.present.next()
            {
                if self.watch.wants(&object) {
                    let first = std::mem::take(&mut self.first);
                    line("ADDED", &mut out, |out| {
                        self.watch.format.event_object(self.watch.kind, &object, first, out);
                    });
                }
            }
            if out.len() < PIECE && std::mem::take(&mut self.initial_end) {
                self.write_bookmark(true, &mut out);
            }
            while out.len() < PIECE
                && let Some(event) = self.events.pop_front()
            {
                self.write_event(&event, &mut out);
            }
            if !out.is_empty() {
                self.sent = Some(Instant::now());
                return Some(Bytes::from(out));
            }
            if self.over {
                return None;
            }
            if let Some(sent) = self.sent.take() {
                tokio::time::sleep_until(sent + GATHER).await;
            }
            self.changes.borrow_and_update();
            match self.store.events(self.watch.kind, self.seen) {
                Ok((events, known)) => {
                    self.seen = known;
                    if events.is_empty() {
                        self.wait(&mut out).await;
                    }
                    self.events = events.into();
                }
                Err(Forgotten(oldest)) => {
                    self.over = true;
                    if self.first && self.watch.from.is_some_and(|from| from == self.seen) {
                        let status = Status::too_old(self.seen, oldest).to_json();
                        return Some(Bytes::from(format!("{}\n", json!({ "type": "ERROR", "object": status }))));
                    }
                }
            }
        }
    }

    async fn wait(&mut self, out: &mut Vec<u8>) {
        tokio::select! {
            biased;
            changed = self.changes.changed() => self.over |= changed.is_err(),
            () = tokio::time::sleep_until(self.ends) => self.over = true,
            () = tokio::time::sleep_until(self.bookmark), if self.watch.bookmarks => {
                self.bookmark += BOOKMARK_EVERY;
                self.write_bookmark(false, out);
            }
        }
    }

    fn write_event(&mut self, event: &Event, out: &mut Vec<u8>) {
        let was = event.previous.as_deref().is_some_and(|previous| self.watch.wants(previous));
        let is = event.happened != Happened::Deleted && self.watch.wants(&event.object);
        let kind = match (was, is) {
            (false, false) => return,
            (false, true) => "ADDED",
            (true, true) => "MODIFIED",
            (true, false) => "DELETED",
        };
        let first = std::mem::take(&mut self.first);
        let (watch, format) = (&self.watch, self.watch.format);
        // What no longer matches is shown as it last did.
        let gone = event.previous.as_deref().filter(|_| kind == "DELETED" && event.happened != Happened::Deleted);
        line(kind, out, |out| match (gone, format.number().filter(|_| !first)) {
            (Some(previous), _) => {
                let last = previous.as_of(watch.kind, event.object.revision);
                format.event_object(watch.kind, &last, first, out);
            }
            (None, Some(number)) => out.extend_from_slice(event.form(number, || {
                let mut form = Vec::new();
                format.event_object(watch.kind, &event.object, false, &mut form);
                form
            })),
            (None, None) => format.event_object(watch.kind, &event.object, first, out),
        });
    }

    fn write_bookmark(&mut self, initial_end: bool, out: &mut Vec<u8>) {
        let first = std::mem::take(&mut self.first);
        let object = self.watch.format.bookmark(self.watch.kind, self.seen, initial_end, first);
        out.extend_from_slice(json!({ "type": "BOOKMARK", "object": object }).to_string().as_bytes());
        out.push(b'\n');
    }
}

fn line(kind: &str, out: &mut Vec<u8>, object: impl FnOnce(&mut Vec<u8>)) {
    out.extend_from_slice(b"{\"type\":\"");
    out.extend_from_slice(kind.as_bytes());
    out.extend_from_slice(b"\",\"object\":");
    object(out);
    out.extend_from_slice(b"}\n");
}
