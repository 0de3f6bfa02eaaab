//! The lines that are kept of a log: the newest, bounded in bytes.

use std::collections::VecDeque;

use jiff::tz::TimeZone;

use crate::model::log::{LogEvent, LogLine};

/// Bytes kept.
const LIMIT: usize = 8 << 20;
/// What an entry costs besides its text.
const OVERHEAD: usize = 64;

/// An entry of the ring.
#[derive(Clone, Debug, PartialEq)]
pub enum Entry {
    /// A line, printable.
    Line(u64, LogLine),
    /// Something about the stream.
    Note(u64, String),
}

impl Entry {
    /// Its text.
    pub fn text(&self) -> &str {
        match self {
            Self::Line(_, line) => &line.text,
            Self::Note(_, text) => text,
        }
    }

    /// Its number.
    pub fn seq(&self) -> u64 {
        match self {
            Self::Line(seq, _) | Self::Note(seq, _) => *seq,
        }
    }

    fn cost(&self) -> usize {
        self.text().len() + OVERHEAD
    }
}

/// The ring. Entries are numbered on; the numbers of those that went are not used again.
#[derive(Debug)]
pub struct Ring {
    entries: VecDeque<Entry>,
    next: u64,
    bytes: usize,
    limit: usize,
    longest: usize,
}

impl Default for Ring {
    fn default() -> Self {
        Self::with_limit(LIMIT)
    }
}

impl Ring {
    /// A ring of so many bytes.
    pub fn with_limit(limit: usize) -> Self {
        Self { entries: VecDeque::new(), next: 0, bytes: 0, limit, longest: 0 }
    }

    /// Takes an event in; the oldest go where room is short. Times of day are told in that zone.
    pub fn push(&mut self, event: LogEvent, zone: &TimeZone) {
        let note = match event {
            LogEvent::Lines(_, lines) => {
                for line in lines {
                    self.keep(Entry::Line(self.next, line));
                }
                return;
            }
            LogEvent::Gap(_, gap) => gap.words(zone),
            LogEvent::Ended(_, end) => format!("ended: {end}"),
            LogEvent::Unfound(_, why) => format!("pods not found: {why}"),
            LogEvent::Limit { open, wanted } if open < wanted => {
                format!("{open} streams of {wanted}: no more are opened at once")
            }
            LogEvent::Opened(..) | LogEvent::State(..) | LogEvent::Limit { .. } => return,
        };
        self.keep(Entry::Note(self.next, note));
    }

    fn keep(&mut self, entry: Entry) {
        self.next += 1;
        self.longest = self.longest.max(entry.text().len());
        self.bytes += entry.cost();
        self.entries.push_back(entry);
        while self.bytes > self.limit && self.entries.len() > 1 {
            if let Some(gone) = self.entries.pop_front() {
                self.bytes -= gone.cost();
            }
        }
    }

    /// Number of the first entry kept.
    pub fn first_seq(&self) -> u64 {
        self.entries.front().map_or(self.next, Entry::seq)
    }

    /// Number of the last entry.
    pub fn last_seq(&self) -> u64 {
        self.next.saturating_sub(1)
    }

    /// Entries that went since the beginning.
    pub fn gone(&self) -> u64 {
        self.first_seq()
    }

    /// Entries kept.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Bytes of the longest line that there was.
    pub fn longest(&self) -> usize {
        self.longest
    }

    /// The entries from a number backwards.
    pub fn up_to(&self, seq: u64) -> impl Iterator<Item = &Entry> {
        let first = self.first_seq();
        let count = if self.is_empty() || seq < first {
            0
        } else {
            (seq - first).saturating_add(1).min(self.entries.len() as u64)
        };
        self.entries.range(..count as usize).rev()
    }

    /// The entries after a number.
    pub fn after(&self, seq: u64) -> impl Iterator<Item = &Entry> {
        let skip = seq.saturating_add(1).saturating_sub(self.first_seq()).min(self.entries.len() as u64);
        self.entries.range(skip as usize..)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::log::SourceId;

    fn line(text: &str) -> LogEvent {
        LogEvent::Lines(SourceId(0), vec![LogLine { time: None, text: text.into(), cut: false }])
    }

    #[test]
    fn it_is_bounded_in_bytes_and_keeps_the_newest() {
        let mut ring = Ring::with_limit(10 * (OVERHEAD + 4));
        for number in 1000..2000 {
            ring.push(line(&number.to_string()), &TimeZone::UTC);
        }
        assert_eq!(ring.len(), 10);
        assert_eq!(ring.gone(), 990);
        assert_eq!(ring.up_to(u64::MAX).next().map(Entry::text), Some("1999"));
        assert_eq!(ring.up_to(995).map(Entry::text).collect::<Vec<_>>().len(), 6);
        assert_eq!(ring.after(997).map(Entry::text).collect::<Vec<_>>(), ["1998", "1999"]);
        assert_eq!(ring.up_to(5).count(), 0);
    }

    #[test]
    fn one_line_larger_than_the_ring_is_kept() {
        let mut ring = Ring::with_limit(10);
        ring.push(line("0123456789 and more"), &TimeZone::UTC);
        assert_eq!(ring.len(), 1);
        assert_eq!(Ring::default().up_to(u64::MAX).count(), 0);
    }
}
