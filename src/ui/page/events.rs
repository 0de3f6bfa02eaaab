//! Events: the list, and beneath it what it does not tell.

use ratatui::layout::Rect;

use crate::{
    app::{
        App,
        page::events::{EventRows, notes::notes},
        table::Table,
    },
    ui::{paint::Paint, table, theme::Role},
};

/// Draws the events.
pub(in crate::ui) fn draw(app: &App, paint: &mut Paint<'_>, page: &Table<EventRows>, area: Rect) {
    let mut notes = notes(&page.rows, app.world());
    // The list keeps two thirds.
    let most = usize::from(area.height / 3).max(1);
    let more = notes.len().saturating_sub(most);
    if more > 0 {
        notes.truncate(most - 1);
    }
    let lines = (notes.len() + usize::from(more > 0)) as u16;
    let list = Rect { height: area.height.saturating_sub(lines), ..area };
    table::draw(app, paint, page, list);
    let room = area.width.saturating_sub(2);
    for ((_, note), y) in notes.iter().zip(list.bottom()..) {
        let runs = paint.runs(note);
        paint.put(area.x + 1, y, room, &runs, None);
    }
    if more > 0 {
        let style = paint.role(Role::Accent);
        let text = format!("and {} more that could not be asked", more + 1);
        paint.text(area.x + 1, area.bottom() - 1, room, &text, style);
    }
}
