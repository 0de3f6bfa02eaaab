//! What waits between the streams and who shows it: bounded in bytes, and honest about what did not fit.
//!
//! A log can be held up by not reading it: its connection fills, and the kubelet waits. But the container writes on, the
//! kubelet rotates what it wrote, and what is lost then nobody can count. So what is new is always read as it comes;
//! where who shows it does not keep up, the oldest lines that wait are given up, and [`Gap::Dropped`] says in their
//! place how many they were. What was written before the log was opened lies in a file already: it waits for room. So
//! does everything under [`Overflow::Wait`], for pipes that want each line.

use std::{
    collections::VecDeque,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{Notify, mpsc};

use crate::model::log::{Gap, LogEvent, SourceId};

/// What a line costs besides its text.
const LINE: usize = 64;
/// What any other event costs.
const EVENT: usize = 128;

/// What becomes of lines for which there is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overflow {
    /// The oldest are given up and counted.
    Drop,
    /// The streams wait.
    Wait,
}

/// A queue of log events; clones are the same queue.
#[derive(Clone, Debug)]
pub struct Queue(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    overflow: Overflow,
    limit: usize,
    filled: Notify,
    room: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// What is left of events that stood before those in `events`, lines given up.
    kept: Vec<LogEvent>,
    events: VecDeque<(LogEvent, usize)>,
    bytes: usize,
    closed: bool,
}

impl Queue {
    /// A queue of at most so many bytes.
    pub fn new(limit: usize, overflow: Overflow) -> Self {
        let (filled, room) = (Notify::new(), Notify::new());
        Self(Arc::new(Shared { state: Mutex::default(), overflow, limit, filled, room }))
    }

    /// Puts an event in. `waits`: whether it can wait for room, whatever the queue's rule is.
    pub(super) async fn push(&self, event: LogEvent, waits: bool) {
        let cost = cost(&event);
        let waits = waits || self.0.overflow == Overflow::Wait;
        let mut event = Some(event);
        loop {
            let mut room = pin!(self.0.room.notified());
            room.as_mut().enable();
            {
                let mut state = self.lock();
                let fits = state.bytes + cost <= self.0.limit || state.events.is_empty() || !is_lines(event.as_ref());
                if fits || !waits {
                    if !fits {
                        state.give_up(self.0.limit.saturating_sub(cost));
                    }
                    if let Some(event) = event.take() {
                        state.bytes += cost;
                        state.events.push_back((event, cost));
                    }
                }
            }
            if event.is_none() {
                self.0.filled.notify_one();
                return;
            }
            room.await;
        }
    }

    /// What waits, at least an event and at most so many bytes more; none when it is closed and empty. For one reader.
    pub async fn take(&self, bytes: usize) -> Option<Vec<LogEvent>> {
        loop {
            let filled = self.0.filled.notified();
            {
                let mut state = self.lock();
                let mut taken = std::mem::take(&mut state.kept);
                let mut size = 0;
                while size < bytes
                    && let Some((event, cost)) = state.events.pop_front()
                {
                    state.bytes -= cost;
                    size += cost;
                    join(&mut taken, event);
                }
                if !taken.is_empty() {
                    drop(state);
                    self.0.room.notify_waiters();
                    return Some(taken);
                }
                if state.closed {
                    return None;
                }
            }
            filled.await;
        }
    }

    /// Nothing more comes.
    pub fn close(&self) {
        self.lock().closed = true;
        self.0.filled.notify_one();
    }

    /// Bytes that wait.
    pub fn bytes(&self) -> usize {
        self.lock().bytes
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Gives lines up, the oldest first, until no more than so many bytes wait.
    fn give_up(&mut self, limit: usize) {
        while self.bytes > limit
            && let Some((event, cost)) = self.events.pop_front()
        {
            self.bytes -= cost;
            match event {
                LogEvent::Lines(source, lines) => dropped(&mut self.kept, source, lines.len() as u64),
                LogEvent::Gap(source, Gap::Dropped { lines }) => dropped(&mut self.kept, source, lines),
                other => self.kept.push(other),
            }
        }
    }
}

/// Counts lines that were given up where they stood.
fn dropped(kept: &mut Vec<LogEvent>, source: SourceId, more: u64) {
    let before = kept.iter_mut().rev().find(|event| source_of(event) == Some(source));
    if let Some(LogEvent::Gap(_, Gap::Dropped { lines })) = before {
        *lines += more;
    } else {
        kept.push(LogEvent::Gap(source, Gap::Dropped { lines: more }));
    }
}

/// Adds an event; lines of the same source become one batch.
fn join(taken: &mut Vec<LogEvent>, event: LogEvent) {
    match (taken.last_mut(), event) {
        (Some(LogEvent::Lines(before, lines)), LogEvent::Lines(source, mut more)) if *before == source => {
            lines.append(&mut more);
        }
        (_, event) => taken.push(event),
    }
}

fn source_of(event: &LogEvent) -> Option<SourceId> {
    match event {
        LogEvent::Opened(source, _)
        | LogEvent::State(source, _)
        | LogEvent::Lines(source, _)
        | LogEvent::Gap(source, _)
        | LogEvent::Ended(source, _) => Some(*source),
        LogEvent::Limit { .. } | LogEvent::Unfound(..) => None,
    }
}

fn is_lines(event: Option<&LogEvent>) -> bool {
    matches!(event, Some(LogEvent::Lines(..)))
}

fn cost(event: &LogEvent) -> usize {
    match event {
        LogEvent::Lines(_, lines) => lines.iter().map(|line| line.text.len() + LINE).sum(),
        _ => EVENT,
    }
}

/// Where a stream's events go.
#[derive(Clone, Debug)]
pub(super) enum Outlet {
    /// Into a queue that many share.
    Queue(Queue),
    /// To one who takes this stream alone; it waits.
    Channel(mpsc::Sender<LogEvent>),
}

/// Nobody listens any more.
pub(super) struct Closed;

impl Outlet {
    pub(super) async fn tell(&self, event: LogEvent, waits: bool) -> Result<(), Closed> {
        match self {
            Self::Queue(queue) => {
                queue.push(event, waits).await;
                Ok(())
            }
            Self::Channel(channel) => channel.send(event).await.map_err(|_| Closed),
        }
    }

    /// Returns when nobody listens any more. Who reads a queue drops the streams instead.
    pub(super) async fn closed(&self) {
        match self {
            Self::Queue(_) => std::future::pending().await,
            Self::Channel(channel) => channel.closed().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;
    use crate::model::log::{LogLine, StreamState};

    fn lines(source: u32, count: usize) -> LogEvent {
        let line = LogLine { time: None, text: "x".repeat(36).into(), cut: false };
        LogEvent::Lines(SourceId(source), vec![line; count])
    }

    async fn counts(queue: &Queue) -> (u64, u64) {
        let (mut shown, mut dropped) = (0, 0);
        for event in queue.take(usize::MAX).await.into_iter().flatten() {
            match event {
                LogEvent::Lines(_, lines) => shown += lines.len() as u64,
                LogEvent::Gap(_, Gap::Dropped { lines }) => dropped += lines,
                _ => {}
            }
        }
        (shown, dropped)
    }

    #[tokio::test]
    async fn what_does_not_fit_is_counted_in_its_place() {
        let queue = Queue::new(1000, Overflow::Drop);
        queue.push(LogEvent::State(SourceId(1), StreamState::Following), false).await;
        for _ in 0..10 {
            queue.push(lines(1, 3), false).await;
            queue.push(lines(2, 2), false).await;
        }
        assert!(queue.bytes() <= 1000, "{}", queue.bytes());
        let taken = queue.take(1).await.unwrap();
        assert!(matches!(taken[0], LogEvent::State(..)), "{taken:?}");
        let said: u64 = taken
            .iter()
            .map(|event| if let LogEvent::Gap(_, Gap::Dropped { lines }) = event { *lines } else { 0 })
            .sum();
        assert!(taken.len() <= 4, "each source's are one: {taken:?}");
        let shown = taken.iter().map(|event| if let LogEvent::Lines(_, lines) = event { lines.len() } else { 0 });
        let shown = shown.sum::<usize>() as u64;
        let (rest, more) = counts(&queue).await;
        assert_eq!((shown + rest + said, more), (50, 0));
    }

    #[tokio::test]
    async fn what_can_wait_waits_for_room() {
        let queue = Queue::new(1000, Overflow::Drop);
        queue.push(lines(1, 10), true).await;
        let mut waiting = Box::pin(queue.push(lines(1, 10), true));
        assert!(waiting.as_mut().now_or_never().is_none());
        assert_eq!(counts(&queue).await, (10, 0));
        waiting.await;
        assert_eq!(counts(&queue).await, (10, 0));
        queue.close();
        assert_eq!(queue.take(1).await, None);
    }

    #[tokio::test]
    async fn a_slow_reader_of_many_writers_can_account_for_every_line() {
        let queue = Queue::new(20_000, Overflow::Drop);
        let writers = (0..8u32).map(|source| {
            let queue = queue.clone();
            tokio::spawn(async move {
                for _ in 0..200 {
                    queue.push(lines(source, 7), false).await;
                    tokio::task::yield_now().await;
                }
            })
        });
        let writers: Vec<_> = writers.collect();
        let closing = queue.clone();
        tokio::spawn(async move {
            for writer in writers {
                writer.await.unwrap();
            }
            closing.close();
        });
        let (mut shown, mut said) = (0, 0);
        while let Some(events) = queue.take(3000).await {
            for event in events {
                match event {
                    LogEvent::Lines(_, lines) => shown += lines.len() as u64,
                    LogEvent::Gap(_, Gap::Dropped { lines }) => said += lines,
                    _ => {}
                }
            }
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
        }
        assert_eq!(shown + said, 8 * 200 * 7);
    }
}
