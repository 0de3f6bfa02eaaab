//! A log: time and text of each line, and in between what is to be said about the stream.

use ratatui::layout::Rect;

use crate::{
    app::{
        App,
        page::logs::{Entry, LogPage},
    },
    ui::{
        ansi,
        paint::{Paint, Run},
        text,
        theme::Role,
    },
};

/// From this width on lines begin with their time.
const WITH_TIME: u16 = 70;

/// Draws the log.
pub(in crate::ui) fn draw(app: &App, paint: &mut Paint<'_>, page: &LogPage, area: Rect) {
    let height = usize::from(area.height);
    paint.viewports.height = height;
    let lines = page.window(height);
    if lines.is_empty() {
        let style = paint.role(Role::Dim);
        let why = match (page.ring().is_empty(), page.has_ended()) {
            (true, false) => "no line yet: following",
            (true, true) => "no lines",
            (false, _) => "no line matches the filter (esc takes it away)",
        };
        paint.text(area.x + 1, area.y, area.width.saturating_sub(2), why, style);
        return;
    }
    let room = area.width.saturating_sub(2);
    for (entry, y) in lines.into_iter().zip(area.y..) {
        match entry {
            Entry::Note(_, note) => {
                let style = paint.role(Role::Accent);
                let rule = if paint.ascii() { "--" } else { "──" };
                let note = format!("{rule} {} {rule}", text::clean(note, paint.ascii()));
                paint.put(area.x + 1, y, room, &[(note, style)], None);
            }
            Entry::Line(_, line) => {
                let mut runs: Vec<Run> = Vec::new();
                if let Some(time) = line.time.filter(|_| area.width >= WITH_TIME) {
                    let zoned = time.to_zoned(app.world.zone.clone());
                    runs.push((zoned.strftime("%H:%M:%S%.3f ").to_string(), paint.role(Role::Dim)));
                }
                let mut skip = page.pan;
                for (text, style) in ansi::runs(&line.text, app.look().color) {
                    let text = text::clean(&text, paint.ascii()).into_owned();
                    let wide = text::width(&text);
                    if skip >= wide {
                        skip -= wide;
                        continue;
                    }
                    runs.push((text::pan(&text, skip).into_owned(), style));
                    skip = 0;
                }
                if line.cut {
                    runs.push((" [line cut]".to_owned(), paint.role(Role::Accent)));
                }
                paint.put(area.x + 1, y, room, &runs, None);
            }
        }
    }
}
