//! Which lines are on the screen. Each step costs what a screen costs, however many lines are kept.

use std::ops::RangeInclusive;

use crate::model::log::LogScope;

use super::{
    Hold, LogPage,
    buffer::Entry,
    sorted::{Place, Placed},
};

impl LogPage {
    /// Whether lines around those that match are shown.
    fn has_context(&self) -> bool {
        self.context > 0 && self.query().hides()
    }

    /// Whether the source of a line is shown.
    fn is_visible(&self, entry: &Entry) -> bool {
        entry.source().and_then(|slot| self.sources.get(slot)).is_none_or(|source| !source.hidden)
    }

    /// Steps from line to line, ever: what a key or a frame costs.
    pub fn walked(&self) -> u64 {
        self.walked.get()
    }

    fn step(&self) {
        self.walked.set(self.walked.get() + 1);
    }

    /// The shown line before a place.
    pub fn before(&self, place: Place) -> Option<Place> {
        self.step();
        let Some(kept) = self.index.kept() else { return self.buffer.lines().before(place).map(Placed::place) };
        if !self.has_context() {
            return kept.before(place).copied();
        }
        let lines = self.buffer.lines();
        let mut rank = lines.rank(place);
        while rank > 0 {
            self.step();
            rank -= 1;
            let entry = lines.nth(rank)?;
            let at = entry.place();
            let after = kept.get(at).or_else(|| kept.behind(at)).map(|place| lines.rank(*place));
            let earlier = kept.before(at).map(|place| lines.rank(*place));
            let near = after.is_some_and(|after| after - rank <= self.context)
                || earlier.is_some_and(|earlier| rank - earlier <= self.context);
            if near && self.is_visible(entry) {
                return Some(at);
            }
            if !near {
                // From here on there is nothing before the context of the one before.
                rank = rank.min(earlier? + self.context + 1);
            }
        }
        None
    }

    /// The shown line behind a place.
    pub fn behind(&self, place: Place) -> Option<Place> {
        self.step();
        let Some(kept) = self.index.kept() else { return self.buffer.lines().behind(place).map(Placed::place) };
        if !self.has_context() {
            return kept.behind(place).copied();
        }
        let lines = self.buffer.lines();
        let mut rank = lines.rank(place) + usize::from(lines.get(place).is_some());
        while rank < lines.len() {
            self.step();
            let entry = lines.nth(rank)?;
            let at = entry.place();
            let after = kept.get(at).or_else(|| kept.behind(at)).map(|place| lines.rank(*place));
            let earlier = kept.before(at).map(|place| lines.rank(*place));
            let near = after.is_some_and(|after| after - rank <= self.context)
                || earlier.is_some_and(|earlier| rank - earlier <= self.context);
            if near && self.is_visible(entry) {
                return Some(at);
            }
            rank = if near { rank + 1 } else { (rank + 1).max(after?.saturating_sub(self.context)) };
        }
        None
    }

    /// The first line shown.
    pub fn first(&self) -> Option<Place> {
        self.behind(Place::FIRST)
    }

    /// The last line shown.
    pub fn last(&self) -> Option<Place> {
        self.before(Place::LAST)
    }

    /// At most so many lines: from where the picture is held, else the last ones.
    pub fn picture(&self, rows: usize) -> Vec<&Entry> {
        let places: Vec<Place> = if let Some(hold) = self.hold {
            let first = if self.is_shown(hold.top) { Some(hold.top) } else { self.behind(hold.top) };
            std::iter::successors(first, |place| self.behind(*place)).take(rows).collect()
        } else {
            let mut last: Vec<Place> =
                std::iter::successors(self.last(), |place| self.before(*place)).take(rows).collect();
            last.reverse();
            last
        };
        places.into_iter().filter_map(|place| self.buffer.lines().get(place)).collect()
    }

    fn is_shown(&self, place: Place) -> bool {
        self.behind(place.just_before()) == Some(place)
    }

    /// The line that keys act upon, where the picture is held.
    pub fn cursor(&self) -> Option<Place> {
        self.hold.map(|hold| hold.cursor)
    }

    /// The line that a key acts upon: the one under the cursor, else the last one.
    pub(super) fn acted_on(&self) -> Option<&Entry> {
        let place = self.cursor().or_else(|| self.last())?;
        self.buffer.lines().get(place)
    }

    /// What a held picture shows, from its first line to its last.
    pub(super) fn on_screen(&self) -> Option<RangeInclusive<Place>> {
        let hold = self.hold?;
        let last = self.picture(self.drawn.max(1)).last().map(|entry| entry.place())?;
        Some(hold.top..=last)
    }

    /// Takes how many of the lines asked for were skipped to show the cursor, and how many were shown.
    pub fn on_drawn(&mut self, skipped: usize, shown: usize) {
        if let Some(opened) = &mut self.opened {
            opened.height = shown;
            return;
        }
        self.drawn = shown;
        if skipped > 0
            && let Some(hold) = self.hold
        {
            let top = std::iter::successors(Some(hold.top), |place| self.behind(*place)).nth(skipped);
            self.hold = Some(Hold { top: top.unwrap_or(hold.top), ..hold });
        }
    }

    /// Holds the picture as it is, the cursor on its last line.
    pub(super) fn hold(&mut self) -> Option<Hold> {
        if self.hold.is_none() {
            let cursor = self.last()?;
            let rows = self.drawn.saturating_sub(1);
            let top = std::iter::successors(Some(cursor), |place| self.before(*place)).take(rows + 1).last()?;
            self.hold = Some(Hold { top, cursor });
            self.new = 0;
        }
        self.hold
    }

    /// Follows the log's end.
    pub(super) fn follow(&mut self) {
        self.hold = None;
        self.new = 0;
        self.moved = true;
    }

    pub(super) fn up(&mut self, lines: usize) {
        let Some(hold) = self.hold() else { return };
        let back = |from: Place| std::iter::successors(Some(from), |place| self.before(*place));
        let cursor = back(hold.cursor).take(lines + 1).last().unwrap_or(hold.cursor);
        let top = if lines > 1 { back(hold.top).take(lines + 1).last().unwrap_or(hold.top) } else { hold.top };
        self.hold = Some(Hold { top: top.min(cursor), cursor });
        self.moved = true;
    }

    pub(super) fn down(&mut self, lines: usize) {
        // At the end there is nothing to go down to.
        let Some(hold) = self.hold else { return };
        let on = |from: Place| std::iter::successors(Some(from), |place| self.behind(*place)).take(lines + 1).last();
        let cursor = on(hold.cursor).unwrap_or(hold.cursor);
        if cursor == hold.cursor && self.request.follow {
            self.follow();
            return;
        }
        // A screen further, but not so far that there is less than a screen.
        let top = if lines > 1 { on(hold.top).unwrap_or(hold.top).min(self.last_top()) } else { hold.top };
        self.hold = Some(Hold { top: top.max(hold.top), cursor });
        self.moved = true;
    }

    /// The first line of the last screen.
    fn last_top(&self) -> Place {
        let rows = self.drawn.max(1);
        std::iter::successors(self.last(), |place| self.before(*place)).take(rows).last().unwrap_or(Place::FIRST)
    }

    /// Holds the picture with that line in it, and the cursor on the line.
    pub(super) fn go_to(&mut self, cursor: Place) {
        let Some(hold) = self.hold() else { return };
        let visible = self.on_screen().is_some_and(|shown| shown.contains(&cursor));
        let top = if visible {
            hold.top
        } else {
            // In the midst of the screen.
            let back = std::iter::successors(Some(cursor), |place| self.before(*place));
            back.take(self.drawn / 2 + 1).last().unwrap_or(cursor).min(self.last_top().min(cursor))
        };
        self.hold = Some(Hold { top, cursor });
        self.moved = true;
    }

    /// Which of the lines that are found the cursor is on, and how many there are.
    pub fn hits(&self) -> Option<(Option<usize>, usize)> {
        let found = self.index.found()?;
        let at = self.cursor().filter(|place| found.get(*place).is_some()).map(|place| found.rank(place) + 1);
        Some((at, found.len()))
    }

    /// Whether the whole of what is followed is one pod.
    pub fn is_one_pod(&self) -> bool {
        matches!(&self.request.scope, LogScope::Pods(pods) if pods.len() == 1)
    }
}
