//! Logs that end, merged by time: each in its own order, between them the earliest line first.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
    sync::Arc,
};

use jiff::Timestamp;
use tokio::sync::mpsc;

use crate::model::log::{End, Gap, LogEvent, LogLine, LogSource};

/// A log and what it brings.
pub(super) type Source = (Arc<LogSource>, mpsc::Receiver<LogEvent>);

/// What is shown of a log.
pub(super) enum Item {
    Line(LogLine),
    Gap(Gap),
    End(End),
}

/// Logs until none comes any more, at most so many; none when there are no more at all.
pub(super) async fn gather(sources: &mut mpsc::UnboundedReceiver<Source>, limit: usize) -> Option<Vec<Source>> {
    let mut gathered = vec![sources.recv().await?];
    while gathered.len() < limit
        && let Some(source) = sources.recv().await
    {
        gathered.push(source);
    }
    Some(gathered)
}

/// Logs being merged.
pub(super) struct Merged {
    logs: Vec<Log>,
    /// The time of each log's next item, and which log it is.
    next: BinaryHeap<Reverse<(Timestamp, usize)>>,
}

struct Log {
    source: Arc<LogSource>,
    events: mpsc::Receiver<LogEvent>,
    items: VecDeque<Item>,
    /// The time of the last line: what has none stands where it stood.
    time: Timestamp,
}

impl Merged {
    pub(super) async fn begin(sources: Vec<Source>) -> Self {
        let mut merged = Self { logs: Vec::new(), next: BinaryHeap::new() };
        for (source, events) in sources {
            merged.logs.push(Log { source, events, items: VecDeque::new(), time: Timestamp::MIN });
        }
        for at in 0..merged.logs.len() {
            merged.refill(at).await;
        }
        merged
    }

    pub(super) fn len(&self) -> usize {
        self.logs.len()
    }

    /// The earliest item of all.
    pub(super) async fn next(&mut self) -> Option<(Arc<LogSource>, Item)> {
        let Reverse((_, at)) = self.next.pop()?;
        let log = self.logs.get_mut(at)?;
        let item = log.items.pop_front()?;
        let source = Arc::clone(&log.source);
        self.refill(at).await;
        Some((source, item))
    }

    /// Waits for a log's next item.
    async fn refill(&mut self, at: usize) {
        let Some(log) = self.logs.get_mut(at) else { return };
        while log.items.is_empty() {
            match log.events.recv().await {
                Some(LogEvent::Lines(_, lines)) => log.items.extend(lines.into_iter().map(Item::Line)),
                Some(LogEvent::Gap(_, gap)) => log.items.push_back(Item::Gap(gap)),
                Some(LogEvent::Ended(_, end)) => log.items.push_back(Item::End(end)),
                Some(_) => {}
                None => return,
            }
        }
        if let Some(Item::Line(LogLine { time: Some(time), .. })) = log.items.front() {
            log.time = *time;
        }
        self.next.push(Reverse((log.time, at)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        key::PodKey,
        log::{ContainerKind, SourceId},
    };

    #[tokio::test]
    async fn lines_come_by_time_and_each_log_in_its_own_order() {
        let source = |name: &str, lines: &[(i64, &str)]| {
            let (tell, events) = mpsc::channel(8);
            for (second, text) in lines {
                let time = (*second > 0).then(|| Timestamp::from_second(*second).unwrap());
                let line = LogLine { time, text: (*text).into(), cut: false };
                tell.try_send(LogEvent::Lines(SourceId(0), vec![line])).unwrap();
            }
            tell.try_send(LogEvent::Ended(SourceId(0), End::Read)).unwrap();
            let pod = PodKey::new("local", "default", name);
            let kind = ContainerKind::Ordinary;
            (Arc::new(LogSource { pod, container: "a".into(), kind, previous: false }), events)
        };
        let logs = vec![
            source("a", &[(1, "a1"), (0, "a, no time"), (4, "a4"), (3, "a3, clock went back")]),
            source("b", &[(2, "b2"), (5, "b5")]),
            source("c", &[]),
        ];
        let mut merged = Merged::begin(logs).await;
        let mut texts = Vec::new();
        while let Some((_, item)) = merged.next().await {
            if let Item::Line(line) = item {
                texts.push(line.text.to_string());
            }
        }
        assert_eq!(texts, ["a1", "a, no time", "b2", "a4", "a3, clock went back", "b5"]);
    }
}
