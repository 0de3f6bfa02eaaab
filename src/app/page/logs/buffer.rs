//! The lines that are kept: merged by time, bounded in bytes, the oldest let go first.
//!
//! Lines wait from one picture to the next and are then put where they belong; so what several streams bring within
//! that time is drawn in order at once. What comes later still is put in its place as well, but not into a picture that
//! is held.

use std::{collections::HashMap, ops::RangeInclusive};

use jiff::Timestamp;

use super::{
    chunks::{Chunks, Span},
    sorted::{Place, Placed, Sorted},
    sources::Sources,
};

/// Bytes that the lines of a log take at most, with all that is kept of them.
pub const LIMIT: usize = 64 << 20;
/// Lines that wait at most before they are put in their places though no picture is drawn.
const WAITING: usize = 50_000;

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A line.
    Line,
    /// A line that is not whole.
    Cut,
    /// Something said about the lines.
    Note,
}

/// One line, or one thing said about them.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    place: Place,
    span: Span,
    source: u32,
    /// What it is.
    pub kind: Kind,
}

impl Entry {
    /// Whose it is; none: of the log as a whole.
    pub fn source(&self) -> Option<u32> {
        (self.source != u32::MAX).then_some(self.source)
    }
}

impl Placed for Entry {
    fn place(&self) -> Place {
        self.place
    }
}

/// Something that came and has no place yet.
#[derive(Debug)]
struct Waiting {
    number: u64,
    time: Option<i64>,
    /// For what is said: whether it belongs to now, not directly behind the line before.
    now: bool,
    span: Span,
    source: u32,
    kind: Kind,
}

/// The lines.
#[derive(Debug)]
pub struct Buffer {
    limit: usize,
    texts: Chunks,
    lines: Sorted<Entry>,
    waiting: Vec<Waiting>,
    /// Such as belong into a picture that is held.
    late: Vec<Entry>,
    /// Own times of lines that are sorted by another.
    times: HashMap<u64, Option<i64>>,
    next: u64,
    received: u64,
    gone: u64,
}

impl Default for Buffer {
    fn default() -> Self {
        Self::with_limit(LIMIT)
    }
}

impl Buffer {
    /// A buffer of so many bytes.
    pub fn with_limit(limit: usize) -> Self {
        Self {
            limit,
            texts: Chunks::default(),
            lines: Sorted::default(),
            waiting: Vec::new(),
            late: Vec::new(),
            times: HashMap::new(),
            next: 0,
            received: 0,
            gone: 0,
        }
    }

    /// Takes a line in; it gets its place when [`Buffer::settle`] is called next.
    pub fn push(&mut self, source: u32, time: Option<Timestamp>, text: &str, cut: bool) {
        self.received += 1;
        let kind = if cut { Kind::Cut } else { Kind::Line };
        self.wait(source, time.map(nanos), false, text, kind);
    }

    /// Takes in what is said of a source, or of all: `now`, or directly behind its last line.
    pub fn note(&mut self, source: Option<u32>, now: bool, text: &str) {
        self.wait(source.unwrap_or(u32::MAX), None, now, text, Kind::Note);
    }

    fn wait(&mut self, source: u32, time: Option<i64>, now: bool, text: &str, kind: Kind) {
        let span = self.texts.keep(text);
        self.waiting.push(Waiting { number: self.next, time, now, span, source, kind });
        self.next += 1;
    }

    /// Whether so much waits that it is to be put in its place though nothing is drawn.
    pub fn is_pressing(&self) -> bool {
        self.waiting.len() > WAITING
    }

    /// Whether something waits.
    pub fn has_waiting(&self) -> bool {
        !self.waiting.is_empty() || !self.late.is_empty()
    }

    /// Lines that belong into the picture that is held, and wait until it moves.
    pub fn late(&self) -> usize {
        self.late.len()
    }

    /// Puts what waits in its place, and lets the oldest go; tells of each entry that is new. `held`: what a held
    /// picture shows, into which nothing comes.
    pub fn settle(
        &mut self,
        sources: &mut Sources,
        now: Timestamp,
        follows: bool,
        held: Option<&RangeInclusive<Place>>,
        extra: usize,
        mut on_new: impl FnMut(&Entry, &str),
    ) {
        let now = nanos(now);
        let is_held = |place: &Place| held.is_some_and(|held| held.contains(place));
        for entry in std::mem::take(&mut self.late) {
            if is_held(&entry.place) {
                self.late.push(entry);
            } else {
                on_new(&entry, self.texts.get(entry.span));
                self.lines.insert(entry);
            }
        }
        for waits in std::mem::take(&mut self.waiting) {
            let time = match (sources.get_mut(waits.source), waits.kind) {
                (Some(source), Kind::Note) => source.place_of_note(waits.now.then_some(now)).unwrap_or(now),
                (Some(source), _) => source.place(waits.time, now, follows),
                (None, _) => waits.time.unwrap_or(now),
            };
            if waits.kind != Kind::Note && waits.time != Some(time) {
                self.times.insert(waits.number, waits.time);
            }
            let place = Place { time, number: waits.number };
            let entry = Entry { place, span: waits.span, source: waits.source, kind: waits.kind };
            if is_held(&place) {
                self.late.push(entry);
                continue;
            }
            on_new(&entry, self.texts.get(entry.span));
            self.lines.insert(entry);
        }
        while self.bytes() + extra > self.limit && self.lines.len() > 1 {
            self.let_go();
        }
    }

    fn let_go(&mut self) {
        let Some(entry) = self.lines.pop_first() else { return };
        self.texts.forget(entry.span);
        self.times.remove(&entry.place.number);
        self.gone += u64::from(entry.kind != Kind::Note);
    }

    /// Bytes taken.
    pub fn bytes(&self) -> usize {
        const TIME: usize = 40;
        self.texts.bytes()
            + (self.lines.len() + self.late.len()) * size_of::<Entry>()
            + self.waiting.len() * size_of::<Waiting>()
            + self.times.len() * TIME
    }

    /// Bytes taken at most.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// The entries that have their place.
    pub fn lines(&self) -> &Sorted<Entry> {
        &self.lines
    }

    /// An entry's text.
    pub fn text(&self, entry: &Entry) -> &str {
        self.texts.get(entry.span)
    }

    /// The time that came with a line; of what is said: when it was.
    pub fn time(&self, entry: &Entry) -> Option<Timestamp> {
        let own = self.times.get(&entry.place.number).copied().unwrap_or(Some(entry.place.time))?;
        Timestamp::from_nanosecond(i128::from(own)).ok()
    }

    /// Lines that came, those let go included.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Lines let go for want of room.
    pub fn gone(&self) -> u64 {
        self.gone
    }
}

/// Nanoseconds since 1970; what is too far away for that, at the end of time.
fn nanos(time: Timestamp) -> i64 {
    i64::try_from(time.as_nanosecond()).unwrap_or(if time.as_second() < 0 { i64::MIN } else { i64::MAX - 1 })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::{
        key::{ClusterId, PodKey},
        log::{ContainerKind, LogSource, SourceId},
    };
    use proptest::prelude::*;

    fn sources(count: u32) -> Sources {
        let mut sources = Sources::default();
        for number in 0..count {
            let name = format!("pod-{number}");
            let pod = PodKey { cluster: ClusterId::local(), namespace: "a".into(), name: name.as_str().into() };
            let source = LogSource { pod, container: "c".into(), kind: ContainerKind::Ordinary, previous: false };
            sources.open(SourceId(number), Arc::new(source));
        }
        sources
    }

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millisecond(millis).unwrap()
    }

    fn settle(buffer: &mut Buffer, sources: &mut Sources, now: i64) {
        buffer.settle(sources, at(now), true, None, 0, |_, _| {});
    }

    fn texts(buffer: &Buffer) -> Vec<&str> {
        buffer.lines().iter().map(|entry| buffer.text(entry)).collect()
    }

    #[test]
    fn streams_are_merged_by_time_and_what_is_late_is_put_in_its_place() {
        let (mut buffer, mut sources) = (Buffer::default(), sources(3));
        buffer.push(0, Some(at(10_100)), "a1", false);
        buffer.push(0, Some(at(10_300)), "a2", false);
        buffer.push(1, Some(at(10_200)), "b1", false);
        settle(&mut buffer, &mut sources, 10_400);
        assert_eq!(texts(&buffer), ["a1", "b1", "a2"]);
        buffer.push(2, Some(at(10_150)), "c1", false);
        buffer.push(2, None, "  at c1", false);
        settle(&mut buffer, &mut sources, 10_500);
        assert_eq!(texts(&buffer), ["a1", "c1", "  at c1", "b1", "a2"]);
        let entry = *buffer.lines().nth(2).unwrap();
        assert_eq!(buffer.time(&entry), None, "it came without a time");
    }

    #[test]
    fn nothing_comes_into_a_picture_that_is_held() {
        let (mut buffer, mut sources) = (Buffer::default(), sources(3));
        for number in 0..5 {
            buffer.push(0, Some(at(10_000 + number * 100)), &format!("a{number}"), false);
        }
        settle(&mut buffer, &mut sources, 10_500);
        let place = |rank: usize| buffer.lines().nth(rank).unwrap().place();
        let held = place(1)..=place(3);
        buffer.push(1, Some(at(10_250)), "late", false);
        buffer.push(2, Some(at(10_050)), "above", false);
        buffer.push(0, Some(at(10_600)), "new", false);
        buffer.settle(&mut sources, at(10_600), true, Some(&held), 0, |_, _| {});
        assert_eq!(texts(&buffer), ["a0", "above", "a1", "a2", "a3", "a4", "new"]);
        assert_eq!(buffer.late(), 1);
        settle(&mut buffer, &mut sources, 10_700);
        assert_eq!(texts(&buffer), ["a0", "above", "a1", "a2", "late", "a3", "a4", "new"]);
    }

    #[test]
    fn what_is_said_stands_behind_the_line_before() {
        let (mut buffer, mut sources) = (Buffer::default(), sources(2));
        buffer.push(0, Some(at(10_100)), "a1", false);
        buffer.note(Some(0), false, "dropped");
        buffer.push(0, Some(at(10_200)), "a2", false);
        buffer.push(1, Some(at(10_150)), "b1", false);
        buffer.note(Some(1), true, "resumed");
        settle(&mut buffer, &mut sources, 10_300);
        assert_eq!(texts(&buffer), ["a1", "dropped", "b1", "a2", "resumed"]);
    }

    #[test]
    fn memory_is_bounded_and_what_goes_is_counted() {
        let (mut buffer, mut sources) = (Buffer::with_limit(1 << 20), sources(4));
        for number in 0..60_000_i64 {
            buffer.push(
                (number % 4) as u32,
                Some(at(10_000 + number)),
                &format!("line {number} with some text"),
                false,
            );
            if number % 100 == 0 {
                settle(&mut buffer, &mut sources, 10_000 + number);
                assert!(buffer.bytes() <= buffer.limit(), "{}", buffer.bytes());
            }
        }
        settle(&mut buffer, &mut sources, 80_000);
        assert!(buffer.gone() > 30_000);
        assert_eq!(buffer.received(), buffer.gone() + buffer.lines().len() as u64);
        assert_eq!(texts(&buffer).last(), Some(&"line 59999 with some text"));
    }

    #[test]
    fn a_line_costs_little_besides_its_text() {
        let (mut buffer, mut sources) = (Buffer::default(), sources(1));
        let count = 100_000;
        for number in 0..count {
            buffer.push(
                0,
                Some(at(10_000 + number)),
                "sixty bytes of text, as a line of a log usually has, or more",
                false,
            );
        }
        settle(&mut buffer, &mut sources, 10_000 + count);
        assert!(buffer.bytes() < count as usize * 110, "{} a line", buffer.bytes() / count as usize);
    }

    proptest! {
        #[test]
        fn each_source_keeps_its_order_and_nothing_is_lost(
            lines in proptest::collection::vec((0_u32..4, proptest::option::of(-400_000_i64..400_000), 0_u8..20), 0..400),
            limit in prop_oneof![Just(usize::MAX), Just(100_000_usize)],
        ) {
            let (mut buffer, mut sources) = (Buffer::with_limit(limit), sources(4));
            let mut now = 10_000_000;
            let mut told = 0;
            for (number, (source, time, pause)) in lines.iter().enumerate() {
                buffer.push(*source, time.map(|time| at(now + time)), &format!("{source} {number}"), false);
                now += i64::from(*pause) * 100;
                if *pause > 10 {
                    let held = buffer.lines().nth(3).map(Placed::place).zip(buffer.lines().nth(9).map(Placed::place));
                    let held = held.map(|(from, to)| from..=to);
                    buffer.settle(&mut sources, at(now), true, held.as_ref(), 0, |_, _| told += 1);
                }
            }
            buffer.settle(&mut sources, at(now), true, None, 0, |_, _| told += 1);
            prop_assert_eq!(told, lines.len());
            prop_assert_eq!(buffer.received(), buffer.gone() + buffer.lines().len() as u64);
            let mut last = [None; 4];
            for entry in buffer.lines().iter() {
                let text = buffer.text(entry);
                let (source, number) = text.split_once(' ').unwrap();
                let (source, number): (usize, usize) = (source.parse().unwrap(), number.parse().unwrap());
                prop_assert!(last[source] < Some(number), "{}", text);
                last[source] = Some(number);
            }
        }
    }
}
