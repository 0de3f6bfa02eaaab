//! One of several things is to be chosen: a filter line, and the rows that pass.

use ratatui::layout::Rect;

use crate::{
    app::dialog::choose::{Choice, Chooser},
    ui::{
        paint::{Paint, Run},
        table::scroll,
        text,
        theme::Role,
    },
};

use super::centred;

/// Draws the choice; answers where the terminal's cursor belongs.
pub(in crate::ui) fn draw(paint: &mut Paint<'_>, chooser: &Chooser, area: Rect) -> Option<(u16, u16)> {
    let ascii = paint.ascii();
    let mut widths: Vec<u16> = chooser.columns.iter().map(|column| column.len() as u16).collect();
    for row in &chooser.rows {
        for (wide, cell) in widths.iter_mut().zip(&row.cells) {
            *wide = (*wide).max(text::width(&text::clean(cell, ascii)) as u16);
        }
    }
    let total: u16 = widths.iter().map(|wide| wide + 2).sum();
    let notes: Vec<&String> = chooser.notes.iter().take(3).collect();
    let title = text::width(&chooser.title) as u16 + 6;
    let count = chooser.rows.len().max(1) as u16;
    let wanted = total.max(title).max(56) + 4;
    let area = centred(area, wanted.min(area.width), (count + 5 + notes.len() as u16).max(8));
    let inner = paint.frame(area, &chooser.title);
    if inner.height < 3 || inner.width < 4 {
        return None;
    }
    let room = inner.width.saturating_sub(2);
    let x = inner.x + 1;
    let shrunk = shrink(&mut widths, room);
    let (plain, dim, bad, cursor) =
        (paint.role(Role::Text), paint.role(Role::Dim), paint.role(Role::Bad), paint.role(Role::Cursor));
    let before = format!("/{}", text::clean(chooser.line.before(), ascii));
    let after = text::clean(chooser.line.after(), ascii).into_owned();
    let at = x + (text::width(&before) as u16).min(room.saturating_sub(1));
    let used = paint.put(x, inner.y, room, &[(before, plain), (after, plain)], None);
    if let Some(error) = &chooser.error {
        paint.text(x + used + 3, inner.y, room.saturating_sub(used + 3), error, bad);
    }
    let heading: Vec<Run> = chooser
        .columns
        .iter()
        .zip(&widths)
        .map(|(column, wide)| (format!("{column:<width$}", width = usize::from(*wide) + 2), dim))
        .collect();
    paint.put(x, inner.y + 1, room, &heading, None);
    let bottom = inner.bottom().saturating_sub(1 + notes.len() as u16);
    let height = usize::from(bottom.saturating_sub(inner.y + 2));
    paint.viewports.layer = (chooser.visible.len(), height);
    if chooser.visible.is_empty() {
        let why = match (chooser.loading.is_some(), chooser.rows.is_empty()) {
            (true, _) => "looking…",
            (false, true) => "nothing found",
            (false, false) => "none matches",
        };
        paint.text(x, inner.y + 2, room, why, dim);
    }
    let offset = scroll(0, chooser.at, height, chooser.visible.len());
    for (place, y) in (offset..chooser.visible.len()).zip(inner.y + 2..bottom) {
        let row = chooser.visible.get(place).and_then(|at| chooser.rows.get(*at));
        let Some(row) = row else { continue };
        let over = (place == chooser.at).then_some(cursor);
        let plain = if matches!(row.choice, Choice::Barred(_)) { paint.role(Role::Barred) } else { plain };
        if let Some(over) = over {
            paint.style(Rect::new(inner.x, y, inner.width, 1), over);
        }
        let mut cell_x = x;
        for (index, (cell, wide)) in row.cells.iter().zip(&widths).enumerate() {
            let left = inner.right().saturating_sub(cell_x + 1);
            let mut cell = text::clean(cell, ascii).into_owned();
            if shrunk == Some(index) {
                cell = text::elide(&cell, usize::from((*wide).min(left)), ascii).into_owned();
            }
            paint.put(cell_x, y, (*wide).min(left), &[(cell, plain)], over);
            cell_x = (cell_x + wide + 2).min(inner.right());
        }
    }
    for (note, y) in notes.into_iter().zip(bottom..) {
        paint.text(x, y, room, note, bad);
    }
    paint.text(x, inner.bottom() - 1, room, "enter choose   type to filter   esc cancel", dim);
    Some((at, inner.y))
}

/// Narrows the widest column until all fit the room, and says which one: its names are cut in the middle, since those
/// of pods differ at their end, and a port stands there.
fn shrink(widths: &mut [u16], room: u16) -> Option<usize> {
    let total: u16 = widths.iter().map(|wide| wide + 2).sum::<u16>().saturating_sub(2);
    let over = total.checked_sub(room).filter(|over| *over > 0)?;
    let (index, wide) = widths.iter_mut().enumerate().max_by_key(|(_, wide)| **wide)?;
    *wide = wide.saturating_sub(over).max(LEAST);
    Some(index)
}

/// Cells that a narrowed column keeps.
const LEAST: u16 = 12;
