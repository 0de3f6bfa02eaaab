//! Which lines a query keeps and finds, so that a screen of them costs a screen and not a log.
//!
//! After another query the lines are looked through again, the newest first, a slice at a time: what is on the screen
//! is right at once, and no key waits for the rest.

use super::{
    buffer::{Buffer, Entry, Kind},
    query::Query,
    sorted::{Place, Placed, Sorted},
};

/// Bytes of text looked through at once, and what a line counts besides its text.
const SLICE: usize = 1 << 20;
const LINE: usize = 64;

/// What is shown and found.
#[derive(Debug, Default)]
pub struct Index {
    /// Whether anything is hidden; if not, `kept` is not filled: all are.
    hides: bool,
    finds: bool,
    kept: Sorted<Place>,
    found: Sorted<Place>,
    /// From where on the lines have been looked through; none: all of them.
    from: Option<Place>,
    /// Lines looked through, ever.
    looked: u64,
}

impl Index {
    /// Begins anew.
    pub fn reset(&mut self, query: &Query, hidden: &[bool]) {
        self.hides = query.hides() || hidden.contains(&true);
        self.finds = query.finds();
        self.kept = Sorted::default();
        self.found = Sorted::default();
        self.from = (self.hides || self.finds).then_some(Place::LAST);
    }

    /// Whether all lines have been looked through.
    pub fn is_done(&self) -> bool {
        self.from.is_none()
    }

    /// Whether lines are hidden.
    pub fn hides(&self) -> bool {
        self.hides
    }

    /// The lines that are shown, where some are hidden.
    pub fn kept(&self) -> Option<&Sorted<Place>> {
        self.hides.then_some(&self.kept)
    }

    /// The lines that are found, where any are looked for.
    pub fn found(&self) -> Option<&Sorted<Place>> {
        self.finds.then_some(&self.found)
    }

    /// Bytes taken.
    pub fn bytes(&self) -> usize {
        (self.kept.len() + self.found.len()) * size_of::<Place>()
    }

    /// Lines looked through, ever: what a key or a new line costs.
    pub fn looked(&self) -> u64 {
        self.looked
    }

    /// Takes a line that is new; says whether it is shown.
    pub fn on_new(&mut self, entry: &Entry, text: &str, query: &Query, hidden: &[bool]) -> bool {
        if !self.hides && !self.finds {
            return true;
        }
        if self.from.is_some_and(|from| entry.place() < from) {
            // It is looked at when it is its turn.
            return true;
        }
        self.take(entry, text, query, hidden)
    }

    fn take(&mut self, entry: &Entry, text: &str, query: &Query, hidden: &[bool]) -> bool {
        self.looked += 1;
        if entry.source().is_some_and(|source| hidden.get(source as usize) == Some(&true)) {
            return false;
        }
        // What is said of the lines is said whatever is looked for.
        let (kept, found) = if entry.kind == Kind::Note { (true, false) } else { query.test(text) };
        if kept && self.hides {
            self.kept.insert(entry.place());
        }
        if found {
            self.found.insert(entry.place());
        }
        kept
    }

    /// Looks through a slice of what has not been looked at; says whether there is more.
    pub fn step(&mut self, buffer: &Buffer, query: &Query, hidden: &[bool]) -> bool {
        let Some(from) = self.from else { return false };
        let mut left = SLICE;
        let mut reached = None;
        for entry in buffer.lines().back_from(from) {
            let text = buffer.text(entry);
            self.take(entry, text, query, hidden);
            reached = Some(entry.place());
            left = left.saturating_sub(text.len() + LINE);
            if left == 0 {
                break;
            }
        }
        self.from = if left == 0 { reached } else { None };
        self.from.is_some()
    }

    /// The lines before that one are gone.
    pub fn forget(&mut self, first: Option<Place>) {
        let first = first.unwrap_or(Place::LAST);
        for list in [&mut self.kept, &mut self.found] {
            while list.first().is_some_and(|place| *place < first) {
                list.pop_first();
            }
        }
    }
}
