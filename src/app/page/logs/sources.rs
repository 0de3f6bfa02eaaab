//! The sources of a log: how each stands, and where its lines belong among those of the others.

use std::{collections::HashMap, sync::Arc};

use jiff::{SignedDuration, Timestamp};

use crate::model::log::{ContainerKind, End, LogSource, SourceId, StreamState};

/// Nanoseconds of a second.
pub(super) const SECOND: i64 = 1_000_000_000;
/// A line of a source that has caught up is not sorted further back than this: one whose clock is behind would write
/// where nobody looks.
const LATE: i64 = 2 * SECOND;
/// A line is not sorted further ahead than this: one whose clock is ahead would stay beneath all others.
const AHEAD: i64 = SECOND;
/// How long a source is watched for catching up, and how much less it must be behind after that.
const WATCHED: i64 = 3 * SECOND;
const CATCHES_UP: i64 = SECOND * 3 / 2;
/// Seconds that a rate is taken over.
const RATED: i64 = 3;

/// Lines a second, over the last seconds.
#[derive(Clone, Debug, Default)]
pub struct Rate {
    /// Seconds since 1970, and lines in them.
    seconds: std::collections::VecDeque<(i64, u64)>,
}

impl Rate {
    pub(super) fn count(&mut self, now: Timestamp, lines: u64) {
        let second = now.as_second();
        match self.seconds.back_mut() {
            Some((last, count)) if *last == second => *count += lines,
            _ => self.seconds.push_back((second, lines)),
        }
        while self.seconds.front().is_some_and(|(first, _)| *first < second - RATED) {
            self.seconds.pop_front();
        }
    }

    /// Lines a second in the last full seconds.
    pub fn per_second(&self, now: Timestamp) -> u64 {
        let range = now.as_second() - RATED..now.as_second();
        let sum: u64 = self.seconds.iter().filter(|(at, _)| range.contains(at)).map(|(_, count)| count).sum();
        sum.div_ceil(RATED as u64)
    }

    /// When the rate turns, though nothing comes.
    pub fn turns_at(&self, now: Timestamp) -> Option<Timestamp> {
        let last = self.seconds.back().filter(|(last, _)| *last >= now.as_second() - RATED)?;
        (last.1 > 0).then(|| Timestamp::from_second(now.as_second() + 1).ok()).flatten()
    }
}

/// How a source stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Its stream is there, or on its way.
    Open(StreamState),
    /// It will bring nothing more.
    Ended(End),
}

/// One source.
#[derive(Clone, Debug)]
pub struct Source {
    /// What it is.
    pub source: Arc<LogSource>,
    /// How it stands.
    pub standing: Standing,
    /// Whether its lines are not shown.
    pub hidden: bool,
    /// Lines that came.
    pub lines: u64,
    /// Lines that were given up on the way.
    pub dropped: u64,
    /// Lines a second.
    pub rate: Rate,
    /// How long after its time the last line came; of one from a clock that is ahead: less than nothing.
    pub lag: Option<SignedDuration>,
    /// Where its last line was sorted.
    last: Option<i64>,
    /// Whether what it brings is new, not what was written before it was opened.
    live: bool,
    /// How far behind it was, and when.
    behind: Option<(i64, i64)>,
}

impl Source {
    /// Where a line of this source that comes now is sorted: by its time, but never before the lines that came before
    /// it from the same source; one without a time behind them. What comes later than all of that is sorted by when it
    /// came.
    pub(super) fn place(&mut self, time: Option<i64>, now: i64, follows: bool) -> i64 {
        let mut at = time.or(self.last).unwrap_or(now).min(now.saturating_add(AHEAD));
        if let Some(time) = time {
            let lag = now.saturating_sub(time);
            self.lag = Some(SignedDuration::from_nanos(lag));
            self.watch(lag, now, follows);
            if self.live {
                at = at.max(now - LATE);
            }
        }
        at = self.last.map_or(at, |last| at.max(last));
        self.last = Some(at);
        at
    }

    /// Where something that is said of this source now stands.
    pub(super) fn place_of_note(&mut self, now: Option<i64>) -> Option<i64> {
        let at = match (now, self.last) {
            (Some(now), Some(last)) => now.max(last),
            (now, last) => now.or(last)?,
        };
        self.last = Some(at);
        Some(at)
    }

    fn watch(&mut self, lag: i64, now: i64, follows: bool) {
        if self.live || !follows {
            return;
        }
        if lag < LATE {
            self.live = true;
            return;
        }
        match self.behind {
            None => self.behind = Some((now, lag)),
            Some((then, was)) if now - then >= WATCHED => {
                // As far behind as before: what it brings is new, its clock is not.
                self.live = lag > was - CATCHES_UP;
                self.behind = Some((now, lag));
            }
            Some(_) => {}
        }
    }

    /// It was opened anew: what it brings next may be old.
    pub(super) fn again(&mut self) {
        self.live = false;
        self.behind = None;
    }
}

/// All sources, in the order in which they came.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    all: Vec<Source>,
    slots: HashMap<SourceId, u32>,
    shown: Option<u32>,
}

impl Sources {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The sources, by their slots.
    pub fn iter(&self) -> impl Iterator<Item = &Source> {
        self.all.iter()
    }

    /// One of them.
    pub fn get(&self, slot: u32) -> Option<&Source> {
        self.all.get(slot as usize)
    }

    pub(super) fn get_mut(&mut self, slot: u32) -> Option<&mut Source> {
        self.all.get_mut(slot as usize)
    }

    pub(super) fn slot(&self, id: SourceId) -> Option<u32> {
        self.slots.get(&id).copied()
    }

    /// A source is there.
    pub(super) fn open(&mut self, id: SourceId, source: Arc<LogSource>) -> u32 {
        let slot = self.all.len() as u32;
        self.slots.insert(id, slot);
        self.all.push(Source {
            source,
            standing: Standing::Open(StreamState::Opening),
            hidden: self.shown.is_some(),
            lines: 0,
            dropped: 0,
            rate: Rate::default(),
            lag: None,
            last: None,
            live: false,
            behind: None,
        });
        slot
    }

    /// Streams that have not ended.
    pub fn open_count(&self) -> usize {
        self.all.iter().filter(|source| matches!(source.standing, Standing::Open(_))).count()
    }

    /// Lines that were given up on the way, of all sources.
    pub fn dropped(&self) -> u64 {
        self.all.iter().map(|source| source.dropped).sum()
    }

    /// How many are not shown.
    pub fn hidden(&self) -> usize {
        self.all.iter().filter(|source| source.hidden).count()
    }

    /// Which are not shown, by their slots.
    pub(super) fn hidden_slots(&self) -> Vec<bool> {
        self.all.iter().map(|source| source.hidden).collect()
    }

    /// Shows or hides one.
    pub(super) fn toggle(&mut self, slot: u32) {
        self.shown = None;
        if let Some(source) = self.get_mut(slot) {
            source.hidden = !source.hidden;
        }
    }

    /// Shows that one alone; once more: all of them.
    pub(super) fn solo(&mut self, slot: u32) {
        self.shown = if self.shown == Some(slot) { None } else { Some(slot) };
        for (source, at) in self.all.iter_mut().zip(0..) {
            source.hidden = self.shown.is_some_and(|shown| shown != at);
        }
    }

    /// Hides all of one's cluster; where none of those is shown, shows them.
    pub(super) fn toggle_cluster(&mut self, slot: u32) {
        self.shown = None;
        let Some(cluster) = self.get(slot).map(|source| source.source.pod.cluster.clone()) else { return };
        let of_it = |source: &&mut Source| source.source.pod.cluster == cluster;
        let hide = self.all.iter_mut().filter(of_it).any(|source| !source.hidden);
        self.all.iter_mut().filter(of_it).for_each(|source| source.hidden = hide);
    }

    /// Shows all of them.
    pub(super) fn show_all(&mut self) {
        self.shown = None;
        self.all.iter_mut().for_each(|source| source.hidden = false);
    }

    /// Whether there are pods with several containers among them: the container then belongs to the name.
    pub fn name_containers(&self) -> bool {
        self.all.iter().any(|source| {
            source.source.kind != ContainerKind::Ordinary
                || self.all.iter().take(64).any(|other| {
                    other.source.pod == source.source.pod && other.source.container != source.source.container
                })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::key::{ClusterId, PodKey};

    fn source() -> Source {
        let mut sources = Sources::default();
        let pod = PodKey { cluster: ClusterId::local(), namespace: "a".into(), name: "b".into() };
        let source = LogSource { pod, container: "c".into(), kind: ContainerKind::Ordinary, previous: false };
        let slot = sources.open(SourceId(7), Arc::new(source));
        sources.get(slot).unwrap().clone()
    }

    #[test]
    fn lines_keep_their_order_within_a_source() {
        let mut source = source();
        let now = 1000 * SECOND;
        let times = [Some(5), Some(9), Some(7), None, Some(10), None];
        let placed: Vec<i64> =
            times.iter().map(|time| source.place(time.map(|time: i64| time * SECOND), now, true) / SECOND).collect();
        assert_eq!(placed, [5, 9, 9, 9, 10, 10]);
    }

    #[test]
    fn a_clock_that_is_ahead_does_not_stay_beneath_the_others() {
        let mut source = source();
        let now = 1000 * SECOND;
        assert_eq!(source.place(Some(now + 300 * SECOND), now, true), now + AHEAD);
        let later = now + 10 * SECOND;
        assert_eq!(source.place(Some(later), later, true), later, "and does not hold up what comes after");
    }

    #[test]
    fn a_clock_that_is_behind_is_noticed_once_the_source_does_not_catch_up() {
        let mut source = source();
        let start = 10_000 * SECOND;
        let placed = |source: &mut Source, after: i64, behind: i64| {
            let now = start + after * SECOND;
            source.place(Some(now - behind * SECOND), now, true) - now
        };
        assert_eq!(placed(&mut source, 0, 300), -300 * SECOND);
        assert_eq!(placed(&mut source, 4, 300), -LATE, "as far behind after four seconds");
        assert_eq!(placed(&mut source, 5, 300), -LATE);
    }

    #[test]
    fn what_is_read_back_is_sorted_by_its_time() {
        let mut source = source();
        let start = 10_000 * SECOND;
        for (after, behind) in [(0, 3600), (3, 2000), (6, 900), (9, 20), (12, 1)] {
            let now = start + after * SECOND;
            assert_eq!(source.place(Some(now - behind * SECOND), now, true), now - behind * SECOND);
        }
        assert!(source.live);
    }

    #[test]
    fn a_rate_is_of_the_last_seconds_and_dies_away() {
        let mut rate = Rate::default();
        let at = |second: i64| Timestamp::from_second(second).unwrap();
        for second in 100..110 {
            rate.count(at(second), 50);
        }
        assert_eq!(rate.per_second(at(110)), 50);
        assert_eq!(rate.turns_at(at(110)), Some(at(111)));
        assert_eq!(rate.per_second(at(113)), 0);
        assert_eq!(rate.turns_at(at(113)), None);
    }
}
