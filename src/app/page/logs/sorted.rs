//! A long list that stays sorted though what comes late belongs into its midst.
//!
//! It is kept in blocks: to take one in moves at most a block's worth, to find one asks the blocks and then one of
//! them, to drop the first ones costs what is dropped. A million are a few thousand blocks.

use std::collections::VecDeque;

/// Most that a block holds.
const BLOCK: usize = 512;

/// Where a line stands: by its time, those of the same time as they came. It stays what it is while others come and go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Nanoseconds since 1970 that it is sorted by.
    pub time: i64,
    /// Its number; counted up as lines come.
    pub number: u64,
}

impl Place {
    /// Before all.
    pub const FIRST: Self = Self { time: i64::MIN, number: 0 };
    /// The place directly before this one.
    #[must_use]
    pub fn just_before(self) -> Self {
        match self.number.checked_sub(1) {
            Some(number) => Self { number, ..self },
            None => Self { time: self.time.saturating_sub(1), number: u64::MAX },
        }
    }

    /// Behind all.
    pub const LAST: Self = Self { time: i64::MAX, number: u64::MAX };
}

/// Something with a place.
pub trait Placed {
    /// Its place.
    fn place(&self) -> Place;
}

impl Placed for Place {
    fn place(&self) -> Place {
        *self
    }
}

/// The list.
#[derive(Clone, Debug)]
pub struct Sorted<T> {
    blocks: VecDeque<VecDeque<T>>,
    len: usize,
}

impl<T> Default for Sorted<T> {
    fn default() -> Self {
        Self { blocks: VecDeque::new(), len: 0 }
    }
}

impl<T: Placed> Sorted<T> {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The first.
    pub fn first(&self) -> Option<&T> {
        self.blocks.front()?.front()
    }

    /// The last.
    pub fn last(&self) -> Option<&T> {
        self.blocks.back()?.back()
    }

    /// Takes one in where it belongs.
    pub fn insert(&mut self, item: T) {
        self.len += 1;
        let place = item.place();
        let at = match self.blocks.back().and_then(VecDeque::back) {
            None => {
                self.blocks.push_back(VecDeque::from([item]));
                return;
            }
            Some(last) if last.place() <= place => self.blocks.len() - 1,
            // The last block that begins before it, or the first of all.
            Some(_) => self.blocks.partition_point(|block| begins(block) <= place).saturating_sub(1),
        };
        let Some(block) = self.blocks.get_mut(at) else { return };
        let within = block.partition_point(|other| other.place() <= place);
        if within == block.len() && block.len() >= BLOCK {
            self.blocks.insert(at + 1, VecDeque::from([item]));
            return;
        }
        block.insert(within, item);
        if block.len() > BLOCK {
            let behind = block.split_off(BLOCK / 2);
            self.blocks.insert(at + 1, behind);
        }
    }

    /// Takes the first one out.
    pub fn pop_first(&mut self) -> Option<T> {
        let block = self.blocks.front_mut()?;
        let item = block.pop_front();
        if block.is_empty() {
            self.blocks.pop_front();
        }
        self.len -= usize::from(item.is_some());
        item
    }

    /// Where one of that place is, or would be: its block, and where in that.
    fn find(&self, place: Place) -> (usize, usize) {
        let block = self.blocks.partition_point(|block| begins(block) <= place).saturating_sub(1);
        let within = self.blocks.get(block).map_or(0, |block| block.partition_point(|other| other.place() < place));
        (block, within)
    }

    /// The one of a place.
    pub fn get(&self, place: Place) -> Option<&T> {
        let (block, within) = self.find(place);
        self.blocks.get(block)?.get(within).filter(|item| item.place() == place)
    }

    /// How many stand before a place.
    pub fn rank(&self, place: Place) -> usize {
        let (block, within) = self.find(place);
        self.blocks.iter().take(block).map(VecDeque::len).sum::<usize>() + within
    }

    /// The one before which so many stand.
    pub fn nth(&self, mut rank: usize) -> Option<&T> {
        for block in &self.blocks {
            if let Some(item) = block.get(rank) {
                return Some(item);
            }
            rank -= block.len();
        }
        None
    }

    /// The last before a place.
    pub fn before(&self, place: Place) -> Option<&T> {
        self.back_from(place).next()
    }

    /// The first behind a place.
    pub fn behind(&self, place: Place) -> Option<&T> {
        let (block, within) = self.find(place);
        let here = self.blocks.get(block)?;
        let same = here.get(within).is_some_and(|item| item.place() == place);
        here.get(within + usize::from(same)).or_else(|| self.blocks.get(block + 1)?.front())
    }

    /// Those before a place, the nearest first.
    pub fn back_from(&self, place: Place) -> impl Iterator<Item = &T> {
        let (block, within) = self.find(place);
        let here = self.blocks.get(block).into_iter().flat_map(move |block| block.range(..within).rev());
        here.chain(self.blocks.range(..block.min(self.blocks.len())).rev().flat_map(|block| block.iter().rev()))
    }

    /// All of them.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.blocks.iter().flatten()
    }
}

fn begins<T: Placed>(block: &VecDeque<T>) -> Place {
    block.front().map_or(Place::FIRST, Placed::place)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn place(time: i64, number: u64) -> Place {
        Place { time, number }
    }

    proptest! {
        #[test]
        fn it_is_a_sorted_list(times in proptest::collection::vec(0_i64..400, 0..2500), gone in 0_usize..600) {
            let mut plain: Vec<Place> = Vec::new();
            let mut sorted = Sorted::default();
            for (number, time) in times.into_iter().enumerate() {
                sorted.insert(place(time, number as u64));
                plain.push(place(time, number as u64));
            }
            plain.sort();
            for _ in 0..gone.min(plain.len()) {
                prop_assert_eq!(sorted.pop_first(), Some(plain.remove(0)));
            }
            prop_assert_eq!(sorted.len(), plain.len());
            prop_assert_eq!(sorted.first(), plain.first());
            prop_assert_eq!(sorted.last(), plain.last());
            prop_assert!(sorted.iter().eq(plain.iter()));
            for (rank, wanted) in plain.iter().enumerate().step_by(37) {
                prop_assert_eq!(sorted.rank(*wanted), rank);
                prop_assert_eq!(sorted.nth(rank), Some(wanted));
                prop_assert_eq!(sorted.get(*wanted), Some(wanted));
                prop_assert_eq!(sorted.before(*wanted), rank.checked_sub(1).and_then(|rank| plain.get(rank)));
                prop_assert_eq!(sorted.behind(*wanted), plain.get(rank + 1));
            }
            for time in [-1, 3, 200, 401] {
                let between = place(time, 5000);
                let wanted = plain.iter().filter(|other| **other < between).count();
                prop_assert_eq!(sorted.rank(between), wanted);
                prop_assert_eq!(sorted.get(between), None);
                prop_assert_eq!(sorted.behind(between), plain.get(wanted));
                prop_assert!(sorted.back_from(between).eq(plain.iter().take(wanted).rev()));
            }
            prop_assert!(sorted.back_from(Place::LAST).eq(plain.iter().rev()));
            prop_assert_eq!(sorted.behind(Place::FIRST), plain.first());
        }
    }
}
