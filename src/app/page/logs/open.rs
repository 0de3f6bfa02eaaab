//! A line opened whole: what it is of, and its text to be read.

use jiff::tz::TimeZone;

use crate::model::log::{
    escape::{harmless, plain},
    fields::Fields,
    level::Level,
};

use super::{
    LogPage,
    buffer::{Entry, Kind},
};

/// Lines of one line that are shown at most; a copy has all of them.
const MOST: usize = 20_000;
/// Characters of a piece that a long line is shown in.
const PIECE: usize = 400;

/// An opened line.
#[derive(Clone, Debug, PartialEq)]
pub struct Opened {
    /// What is to be said of it: name and value.
    pub head: Vec<(&'static str, String)>,
    /// Its text: a line a field, or as it came.
    pub lines: Vec<String>,
    /// Whether these are fields.
    pub fields: bool,
    /// The first line on the screen.
    pub offset: usize,
    /// Lines that fit.
    pub(super) height: usize,
    /// All of it, to be copied.
    whole: String,
}

impl Opened {
    pub(super) fn scroll(&mut self, by: isize) {
        let most = self.lines.len().saturating_sub(self.height.max(1));
        self.offset = self.offset.saturating_add_signed(by).min(most);
    }

    pub(super) fn height(&self) -> usize {
        self.height.max(1)
    }

    /// The text alone.
    pub(super) fn text(&self) -> String {
        self.whole.clone()
    }
}

/// Lines, long ones in pieces: one that is longer than the screen can then be scrolled through.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    text.split('\n').flat_map(|line| {
        let mut rest = Some(line);
        std::iter::from_fn(move || {
            let left = rest.take()?;
            let end = left.char_indices().nth(PIECE).map(|(at, _)| at);
            let (piece, after) = end.map_or((left, None), |end| {
                let (piece, after) = left.split_at(end);
                (piece, Some(after))
            });
            rest = after;
            Some(piece)
        })
    })
}

impl LogPage {
    pub(super) fn opened_line(&self, entry: &Entry, zone: &TimeZone) -> Opened {
        let text = plain(self.buffer.text(entry));
        let mut head = Vec::new();
        if let Some(source) = entry.source().and_then(|slot| self.sources.get(slot)) {
            head.push(("source", source.source.to_string()));
        }
        match self.buffer.time(entry) {
            Some(time) => {
                head.push(("time", time.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S%.9f %:z").to_string()));
            }
            None => head.push(("time", "none came with it".to_owned())),
        }
        if entry.kind != Kind::Note
            && let Some(level) = Level::of(&text)
        {
            head.push(("level", level.as_str().to_owned()));
        }
        if entry.kind == Kind::Cut {
            head.push(("cut", "the line is not whole: it was too long, or broke off".to_owned()));
        }
        let fields = if entry.kind == Kind::Note { None } else { Fields::of(&text) };
        let is_fields = fields.is_some();
        let pretty = fields.map_or_else(|| vec![text.clone().into_owned()], |fields| fields.pretty());
        let whole = pretty.iter().map(|line| harmless(line).into_owned()).collect::<Vec<_>>().join("\n");
        let lines = pieces(&whole).take(MOST).map(str::to_owned).collect();
        Opened { head, lines, fields: is_fields, offset: 0, height: 0, whole }
    }
}
