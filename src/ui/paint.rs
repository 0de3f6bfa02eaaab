//! Puts text on the screen; every text goes through here, cleaned and cut, and every age tells when it turns.

use jiff::{SignedDuration, Timestamp};
use ratatui::{
    buffer::Buffer,
    layout::{Position, Rect},
    style::Style,
};

use crate::{
    app::{
        App,
        table::{Cell, Part},
        viewports::Viewports,
        world::World,
    },
    model::age,
};

use super::{
    scene::Scene,
    text,
    theme::{Role, Theme},
};

/// A run of text in one style.
pub(super) type Run = (String, Style);

/// The screen being painted.
pub(super) struct Paint<'a> {
    pub(super) scene: &'a mut Scene,
    pub(super) world: &'a World,
    pub(super) viewports: Viewports,
    buffer: &'a mut Buffer,
}

impl<'a> Paint<'a> {
    pub(super) fn new(app: &'a App, scene: &'a mut Scene, buffer: &'a mut Buffer) -> Self {
        scene.begin(buffer.area.as_size(), app.page().view().as_str());
        Self { scene, world: app.world(), viewports: Viewports::default(), buffer }
    }

    pub(super) fn into_viewports(self) -> Viewports {
        self.viewports
    }

    pub(super) fn theme(&self) -> &Theme {
        &self.scene.theme
    }

    pub(super) fn ascii(&self) -> bool {
        self.scene.theme.ascii
    }

    pub(super) fn role(&self, role: Role) -> Style {
        self.scene.theme.role(role)
    }

    /// Something on screen changes at that time.
    pub(super) fn changes_at(&mut self, at: Option<Timestamp>) {
        let Some(at) = at else { return };
        let next = &mut self.viewports.next_tick;
        *next = Some(next.map_or(at, |next| next.min(at)));
    }

    /// A cell's text and styles.
    pub(super) fn runs(&mut self, cell: &Cell) -> Vec<Run> {
        cell.iter().map(|part| self.run(part)).collect()
    }

    fn run(&mut self, part: &Part) -> Run {
        match part {
            Part::Text(text, tone) => (text::clean(text, self.ascii()).into_owned(), self.theme().tone(*tone)),
            Part::Mark(health) => (self.theme().mark(*health).to_owned(), self.theme().health(*health)),
            Part::Ago(time, tone) => (self.ago(*time), self.theme().tone(*tone)),
            Part::Until(time, tone) => (self.until(*time), self.theme().tone(*tone)),
            Part::Running(since) => {
                let now = self.world.now;
                let elapsed = now.duration_since(*since);
                let next = SignedDuration::from_secs(elapsed.as_secs().max(0) + 1);
                self.changes_at(since.checked_add(next).ok());
                (age::precise(*since, now), self.role(Role::Text))
            }
        }
    }

    /// How long ago, or when.
    pub(super) fn ago(&mut self, time: Option<Timestamp>) -> String {
        let Some(time) = time else { return "-".to_owned() };
        if self.world.absolute {
            return self.absolute(time);
        }
        self.changes_at(age::short_turns_at(time, self.world.now));
        age::short(time, self.world.now)
    }

    /// How long until: seconds in the last minute, before that one unit.
    fn until(&mut self, time: Option<Timestamp>) -> String {
        let Some(time) = time else { return "-".to_owned() };
        if self.world.absolute {
            return self.absolute(time);
        }
        let left = time.duration_since(self.world.now);
        if left <= SignedDuration::ZERO {
            return "0s".to_owned();
        }
        let seconds = left.as_secs();
        let (shown, text) = match seconds {
            0..60 => (seconds, format!("{seconds}s")),
            60..3600 => (seconds / 60 * 60, format!("{}m", seconds / 60)),
            3600..86_400 => (seconds / 3600 * 3600, format!("{}h", seconds / 3600)),
            _ => (seconds / 86_400 * 86_400, format!("{}d", seconds / 86_400)),
        };
        let turns = time.checked_sub(SignedDuration::from_secs(shown)).ok();
        // A millisecond later the text is another one.
        self.changes_at(turns.and_then(|turns| turns.checked_add(SignedDuration::from_millis(1)).ok()));
        text
    }

    fn absolute(&self, time: Timestamp) -> String {
        let zone = &self.world.zone;
        let (then, now) = (time.to_zoned(zone.clone()), self.world.now.to_zoned(zone.clone()));
        let format = match () {
            () if then.date() == now.date() => "%H:%M:%S",
            () if then.year() == now.year() => "%m-%d %H:%M",
            () => "%Y-%m-%d",
        };
        then.strftime(format).to_string()
    }

    /// Writes runs into at most `room` cells, cut at the end; answers how many were used. `over` lies over the styles.
    pub(super) fn put(&mut self, x: u16, y: u16, room: u16, runs: &[Run], over: Option<Style>) -> u16 {
        let fits = width(runs) <= room;
        // What does not fit ends in a mark, which takes the last cell.
        let limit = if fits { room } else { room.saturating_sub(1) };
        let mut used: u16 = 0;
        for (text, style) in runs {
            let style = over.unwrap_or(*style);
            let shown = text::clip(text, usize::from(limit - used));
            self.write(x + used, y, shown, style);
            used += text::width(shown) as u16;
            if shown.len() < text.len() || (!fits && used == limit) {
                if !fits && room > 0 {
                    self.write(x + used, y, if self.ascii() { ">" } else { "…" }, style);
                    used += 1;
                }
                break;
            }
        }
        used
    }

    /// Writes one text, cut at `room`.
    pub(super) fn text(&mut self, x: u16, y: u16, room: u16, text: &str, style: Style) -> u16 {
        let text = text::clean(text, self.ascii()).into_owned();
        self.put(x, y, room, &[(text, style)], None)
    }

    /// Writes text that is known to fit and to be clean.
    fn write(&mut self, x: u16, y: u16, text: &str, style: Style) {
        if self.buffer.area.contains(Position { x, y }) {
            let room = usize::from(self.buffer.area.right() - x);
            self.buffer.set_stringn(x, y, text, room, style);
        }
    }

    /// Lays a style over an area.
    pub(super) fn style(&mut self, area: Rect, style: Style) {
        let area = area.intersection(self.buffer.area);
        self.buffer.set_style(area, style);
    }

    /// Empties an area.
    pub(super) fn clear(&mut self, area: Rect) {
        for position in area.intersection(self.buffer.area).positions() {
            if let Some(cell) = self.buffer.cell_mut(position) {
                cell.reset();
            }
        }
    }

    /// A line down, of one cell a row.
    pub(super) fn rule(&mut self, x: u16, y: u16, height: u16) {
        let (line, style) = (if self.ascii() { "|" } else { "│" }, self.role(Role::Border));
        for row in y..y.saturating_add(height) {
            self.write(x, row, line, style);
        }
    }

    /// A frame with a title; answers what lies within.
    pub(super) fn frame(&mut self, area: Rect, title: &str) -> Rect {
        self.clear(area);
        let style = self.role(Role::Border);
        let [h, v, tl, tr, bl, br] =
            if self.ascii() { ["-", "|", "+", "+", "+", "+"] } else { ["─", "│", "┌", "┐", "└", "┘"] };
        if area.width < 2 || area.height < 2 {
            return Rect::default();
        }
        let inner = usize::from(area.width - 2);
        let (right, bottom) = (area.right() - 1, area.bottom() - 1);
        self.write(area.x, area.y, &format!("{tl}{}{tr}", h.repeat(inner)), style);
        for y in area.y + 1..bottom {
            self.write(area.x, y, v, style);
            self.write(right, y, v, style);
        }
        self.write(area.x, bottom, &format!("{bl}{}{br}", h.repeat(inner)), style);
        let title = format!(" {title} ");
        let style = self.role(Role::Title);
        self.text(area.x + 1, area.y, (inner as u16).saturating_sub(1), &title, style);
        Rect::new(area.x + 1, area.y + 1, area.width - 2, area.height - 2)
    }
}

/// Cells that runs take.
pub(super) fn width(runs: &[Run]) -> u16 {
    runs.iter().map(|(text, _)| text::width(text)).sum::<usize>().min(usize::from(u16::MAX)) as u16
}
