//! What of a log was told already: so that what comes again after a break is not told again, and nothing else is left
//! out.
//!
//! The API takes `sinceTime` in whole seconds, and the kubelet filters by it line by line. After a break the log is
//! asked for from the second of the last line on; what then comes again is the lines told since, whichever order their
//! times are in. They are remembered as they were told, by time and hash, and each is left out as often as it was told:
//! equal lines of one nanosecond too.

use std::{
    collections::{HashMap, VecDeque},
    hash::{DefaultHasher, Hasher},
};

use jiff::Timestamp;

/// Lines remembered at most; 16 bytes each. Of more within one second the earlier are known by their time alone.
const REMEMBERED: usize = 32 * 1024;
const SECOND: i64 = 1_000_000_000;

/// A line's identity: nanoseconds of its time, and the hash of its bytes.
type Key = (i64, u64);

/// What was told.
#[derive(Debug)]
pub(super) struct Told {
    /// Since the second of the last line, in the order of the log.
    recent: VecDeque<Key>,
    capacity: usize,
    /// The latest time of those that are not remembered any more.
    forgotten: Option<i64>,
    /// The time of the last line that had one.
    last: Option<Timestamp>,
    again: Option<Again>,
}

/// What is to come again.
#[derive(Debug)]
struct Again {
    counts: HashMap<Key, u32>,
    left: usize,
    last: Option<Key>,
    latest: i64,
    met_last: bool,
    /// The time of the last line that came; one without a time counts as of the same.
    current: i64,
}

impl Told {
    pub(super) fn new() -> Self {
        Self::with_capacity(REMEMBERED)
    }

    fn with_capacity(capacity: usize) -> Self {
        Self { recent: VecDeque::new(), capacity, forgotten: None, last: None, again: None }
    }

    /// The time of the last line told.
    pub(super) fn last(&self) -> Option<Timestamp> {
        self.last
    }

    /// Whether anything was told.
    pub(super) fn any(&self) -> bool {
        !self.recent.is_empty()
    }

    /// The `sinceTime` that brings what follows.
    pub(super) fn since(&self) -> Option<Timestamp> {
        self.last.map(|last| Timestamp::from_second(nanos(last).div_euclid(SECOND)).unwrap_or(last))
    }

    /// The log comes anew, from [`Told::since`] on.
    pub(super) fn reopened(&mut self) {
        let since = self.since().map_or(i64::MIN, nanos);
        let mut counts = HashMap::new();
        let mut left = 0;
        let mut latest = i64::MIN;
        for key in self.recent.iter().filter(|key| key.0 >= since) {
            *counts.entry(*key).or_insert(0) += 1;
            left += 1;
            latest = latest.max(key.0);
        }
        let last = self.recent.back().copied();
        let current = since;
        self.again = (left > 0).then_some(Again { counts, left, last, latest, met_last: false, current });
    }

    /// Whether, since it was reopened, the line that was the last has come again: then nothing is missing.
    pub(super) fn is_contiguous(&self) -> bool {
        // Without times there is no knowing.
        self.last.is_some() && self.again.as_ref().is_none_or(|again| again.met_last)
    }

    /// Whether nothing that was told is still to come again.
    pub(super) fn is_caught_up(&self) -> bool {
        self.again.as_ref().is_none_or(|again| again.left == 0)
    }

    /// Takes a line that came: whether it is to be told. A line is told at most as often as it is in the log.
    pub(super) fn is_new(&mut self, time: Option<Timestamp>, bytes: &[u8]) -> bool {
        let hash = hash(bytes);
        if let Some(again) = &mut self.again {
            let at = time.map_or(again.current, nanos);
            again.current = at;
            let key = (at, hash);
            match again.counts.get_mut(&key) {
                Some(count) if *count > 0 => {
                    *count -= 1;
                    again.left -= 1;
                    again.met_last |= *count == 0 && Some(key) == again.last;
                    return false;
                }
                // Those that are not remembered any more stand before those that are.
                _ if !again.met_last && self.forgotten.is_some_and(|forgotten| at <= forgotten) => return false,
                _ => {}
            }
            // It stays as long as a repeat may still come.
            if again.left == 0 || at > again.latest.saturating_add(SECOND) {
                if again.met_last {
                    self.again = None;
                } else {
                    again.counts.clear();
                }
            }
        }
        self.remember(time, hash);
        true
    }

    /// What was said of the break has been said.
    pub(super) fn settled(&mut self) {
        if let Some(again) = &mut self.again {
            again.met_last = true;
        }
    }

    fn remember(&mut self, time: Option<Timestamp>, hash: u64) {
        self.last = time.or(self.last);
        let at = self.last.map_or(i64::MIN, nanos);
        if self.forgotten.is_none() && self.last.is_some() {
            // The second that the first line is in may have others before it, from before what was asked for.
            self.forgotten = Some(at);
        }
        self.recent.push_back((at, hash));
        let since = self.since().map_or(i64::MIN, nanos);
        // A clock that goes back brings lines again that were out of reach: how far they go is kept.
        while self.recent.len() > self.capacity || self.recent.front().is_some_and(|front| front.0 < since) {
            if let Some((gone, _)) = self.recent.pop_front() {
                self.forgotten = self.forgotten.max(Some(gone));
            }
        }
    }
}

fn nanos(time: Timestamp) -> i64 {
    i64::try_from(time.as_nanosecond()).unwrap_or(if time < Timestamp::UNIX_EPOCH { i64::MIN } else { i64::MAX })
}

fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A line: nanoseconds since the epoch, text.
    type Line = (i64, String);

    fn time(nanos: i64) -> Timestamp {
        Timestamp::from_nanosecond(i128::from(nanos)).unwrap()
    }

    fn take(told: &mut Told, line: &Line) -> bool {
        told.is_new(Some(time(line.0)), line.1.as_bytes())
    }

    /// What a kubelet sends of a log since a time.
    fn sent(log: &[Line], since: Option<Timestamp>) -> impl Iterator<Item = &Line> {
        log.iter().filter(move |line| since.is_none_or(|since| time(line.0) >= since))
    }

    proptest! {
        /// A log is followed with breaks at any place. Equal lines, equal times, clocks that go backwards: each line is
        /// told exactly once, and none is said to be missing.
        #[test]
        fn each_line_is_told_once_however_often_it_breaks(
            steps in proptest::collection::vec((-1_500_000_000i64..2_000_000_000, 0u8..3, 0u8..4), 1..80),
            breaks in proptest::collection::vec((0usize..80, 0usize..80), 0..6),
        ) {
            let mut at = 1_000_000 * SECOND;
            let log: Vec<Line> = steps
                .iter()
                .map(|(step, same, text)| {
                    // Often the very same time.
                    at += if *same > 0 { 0 } else { *step };
                    (at, format!("line {text}"))
                })
                .collect();
            let mut told = Told::new();
            let mut out: Vec<Line> = Vec::new();
            // Each break: so much of the log was written by then, and so much of what was asked for had come.
            let mut ends = breaks;
            ends.sort_unstable();
            ends.push((log.len(), usize::MAX));
            for (count, (written, came)) in ends.into_iter().enumerate() {
                if count > 0 {
                    told.reopened();
                }
                // sinceTime hides lines of an earlier second, as clocks that go backwards make them.
                let since = told.since();
                let written = &log[..written.min(log.len())];
                for line in sent(written, since).take(came) {
                    if take(&mut told, line) {
                        prop_assert!(told.is_contiguous(), "{line:?}");
                        out.push(line.clone());
                    }
                }
            }
            // None is doubled, whatever the clock does.
            let mut whole: HashMap<&Line, i64> = HashMap::new();
            for line in &log {
                *whole.entry(line).or_default() += 1;
            }
            for line in &out {
                let left = whole.entry(line).or_default();
                *left -= 1;
                prop_assert!(*left >= 0, "doubled: {line:?}");
            }
            // None is missing where the clock never goes back past the second of a break.
            if log.windows(2).all(|pair| pair[0].0.div_euclid(SECOND) <= pair[1].0.div_euclid(SECOND)) {
                prop_assert_eq!(out, log);
            }
        }
    }

    #[test]
    fn where_the_last_line_is_gone_nobody_says_that_nothing_is_missing() {
        let mut told = Told::new();
        assert!(take(&mut told, &(SECOND, "one".into())));
        assert!(take(&mut told, &(SECOND + 1, "two".into())));
        told.reopened();
        assert!(take(&mut told, &(9 * SECOND, "nine".into())));
        assert!(!told.is_contiguous());
        told.settled();
        assert!(told.is_contiguous());
        told.reopened();
        assert!(!take(&mut told, &(9 * SECOND, "nine".into())));
        assert!(told.is_contiguous());
    }

    #[test]
    fn what_stood_before_the_first_line_is_not_told_after_a_break() {
        let mut told = Told::new();
        let log: Vec<Line> = (0..10).map(|number| (SECOND + number, format!("{number}"))).collect();
        // The last three, as a tail of them is asked for.
        assert!(log[7..].iter().all(|line| take(&mut told, line)));
        told.reopened();
        assert!(!log.iter().any(|line| take(&mut told, line)));
        assert!(take(&mut told, &(SECOND + 11, "new".into())));
        assert!(told.is_contiguous());
    }

    #[test]
    fn of_very_many_lines_a_second_none_is_told_twice() {
        let mut told = Told::with_capacity(10);
        let log: Vec<Line> = (0..100).map(|number| (SECOND + number / 3, format!("{}", number % 2))).collect();
        assert!(log.iter().all(|line| take(&mut told, line)));
        assert!(told.recent.len() <= 10);
        told.reopened();
        assert_eq!(log.iter().filter(|line| take(&mut told, line)).count(), 0);
        assert!(told.is_contiguous());
        assert!(take(&mut told, &(2 * SECOND, "new".into())));
    }

    #[test]
    fn lines_without_a_time_are_told_once_where_others_have_one() {
        let mut told = Told::new();
        let take = |told: &mut Told, at: Option<i64>, text: &str| told.is_new(at.map(time), text.as_bytes());
        assert!(take(&mut told, Some(SECOND), "one"));
        assert!(take(&mut told, None, "  of a stack"));
        told.reopened();
        assert!(!take(&mut told, Some(SECOND), "one"));
        assert!(!take(&mut told, None, "  of a stack"));
        assert!(told.is_contiguous());
        assert!(take(&mut told, None, "  of a stack"));
    }
}
