//! Tells a person's keys from a paste: more than three keys within 20 ms are none a person pressed.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};

/// Keys within [`WINDOW`] that a person may press.
const MOST: usize = 3;
/// Nobody presses more than three keys within this.
pub const WINDOW: SignedDuration = SignedDuration::from_millis(20);

/// The times of the last keys.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Burst {
    times: VecDeque<Timestamp>,
}

impl Burst {
    /// A key was read at `time`.
    pub fn on_key(&mut self, time: Timestamp) {
        self.times.push_back(time);
        while self.times.len() > 2 * MOST + 1 {
            self.times.pop_front();
        }
    }

    /// Whether the key read at `time` is one of more than three within 20 ms, as far as is known by now.
    pub fn holds(&self, time: Timestamp) -> bool {
        let times: Vec<Timestamp> = self.times.iter().copied().collect();
        times.windows(MOST + 1).any(|keys| match (keys.first(), keys.last()) {
            (Some(first), Some(last)) => *first <= time && time <= *last && last.duration_since(*first) <= WINDOW,
            _ => false,
        })
    }

    /// From when on it is known whether the key read at `time` belongs to a burst.
    pub fn known_at(time: Timestamp) -> Timestamp {
        // A millisecond more: a key read at the window's very end still counts.
        time.checked_add(WINDOW + SignedDuration::from_millis(1)).unwrap_or(time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(1_800_000_000_000 + ms).unwrap()
    }

    #[test]
    fn four_keys_in_twenty_milliseconds_are_a_burst_wherever_the_key_stands() {
        for (times, key, wanted) in [
            (&[0, 5, 10, 20][..], 0, true),
            (&[0, 5, 10, 20], 10, true),
            (&[0, 5, 10, 20], 20, true),
            (&[0, 5, 10, 21], 0, false),
            (&[0, 0, 0], 0, false),
            (&[0, 0, 0, 0], 0, true),
            (&[0, 100, 105, 110, 115], 0, false),
            (&[0, 100, 105, 110, 115], 110, true),
            (&[0, 5, 10, 15, 500], 500, false),
        ] {
            let mut burst = Burst::default();
            for time in times {
                burst.on_key(at(*time));
            }
            assert_eq!(burst.holds(at(key)), wanted, "{times:?} {key}");
        }
    }
}
