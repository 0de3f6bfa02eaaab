//! A list of rows: headings, the rows on screen, and beneath the cursor's row why it is not well.

use ratatui::layout::Rect;

use crate::{
    app::{
        App,
        page::Page,
        table::{Column, Rows, Table},
    },
    model::event::EventScope,
};

use super::{
    paint::{Paint, Run, width},
    theme::Role,
};

/// Cells to the left of a list.
const MARGIN: u16 = 1;

/// Draws a list.
pub(super) fn draw<R: Rows>(app: &App, paint: &mut Paint<'_>, table: &Table<R>, area: Rect) {
    let columns = table.rows.columns();
    let room = area.width.saturating_sub(2 * MARGIN);
    let height = area.height.saturating_sub(1);
    let Some(list) = columns.first().map(|column| column.title) else { return };
    let selected = table.selected();
    let reason = selected.and_then(|key| table.rows.reason(&app.world, key)).filter(|reason| !reason.is_empty());
    let rows = usize::from(height).saturating_sub(usize::from(reason.is_some() && height > 2));
    let offset = scroll(table.offset(), table.at(), rows, table.visible().len());
    paint.viewports.offset = offset;
    paint.viewports.height = rows;

    let mut cells: Vec<Vec<Vec<Run>>> = Vec::new();
    let mut wanted: Vec<u16> = columns.iter().map(|column| column.title.len() as u16).collect();
    let on_screen: Vec<&R::Key> = table.visible().iter().skip(offset).take(rows).collect();
    for key in &on_screen {
        let row: Vec<Vec<Run>> =
            (0..columns.len()).map(|column| paint.runs(&table.rows.cell(&app.world, key, column))).collect();
        for (wanted, cell) in wanted.iter_mut().zip(&row) {
            *wanted = (*wanted).max(width(cell));
        }
        cells.push(row);
    }
    let wanted = paint.scene.widen(list_name(app, list), &wanted);
    let (widths, gap) = fit(columns, &wanted, room);
    headings(paint, table, &widths, gap, area);
    if on_screen.is_empty() {
        let why = table.empty(&app.world);
        let style = paint.role(Role::Text);
        for (at, line) in super::text::wrap(&why, usize::from(room)).iter().enumerate().take(usize::from(height)) {
            paint.text(area.x + MARGIN, area.y + 1 + at as u16, room, line, style);
        }
        return;
    }
    let mut y = area.y + 1;
    for ((key, row), at) in on_screen.into_iter().zip(&cells).zip(offset..) {
        if y >= area.bottom() {
            break;
        }
        let is_cursor = at == table.at();
        let over = if is_cursor {
            Some(paint.role(Role::Cursor))
        } else {
            table.rows.stale(&app.world, key).map(|_| paint.role(Role::Dim))
        };
        if let Some(over) = over.filter(|_| is_cursor) {
            paint.style(Rect::new(area.x, y, area.width, 1), over);
        }
        if table.is_marked(key) {
            let style = over.unwrap_or_else(|| paint.role(Role::Accent));
            paint.text(area.x, y, MARGIN, "*", style);
        }
        let mut x = area.x + MARGIN;
        for (index, column) in columns.iter().enumerate() {
            let (Some(&wide), Some(cell)) = (widths.get(index), row.get(index)) else { continue };
            if wide == 0 {
                continue;
            }
            let narrow;
            let cell = if width(cell) > wide {
                narrow = paint.runs(&table.rows.narrow_cell(&app.world, key, index));
                &narrow
            } else {
                cell
            };
            let indent = if column.right { wide.saturating_sub(width(cell)) } else { 0 };
            paint.put(x + indent, y, wide - indent, cell, over);
            x += wide + gap;
        }
        y += 1;
        if let Some(reason) = reason.as_ref().filter(|_| is_cursor && height > 2) {
            let style = paint.role(Role::Strong);
            let indent = (area.x + MARGIN + 2).min(area.right());
            paint.text(indent, y, area.right().saturating_sub(indent + 1), reason, style);
            y += 1;
        }
    }
}

/// Lists of one kind of page share their widths.
fn list_name(app: &App, first: &'static str) -> &'static str {
    match app.page() {
        // Its columns are others.
        Page::Events(table) if matches!(table.rows.scope, EventScope::Object(_)) => "events of one object",
        page => match page.view().as_str() {
            "" => first,
            view => view,
        },
    }
}

fn headings<R: Rows>(paint: &mut Paint<'_>, table: &Table<R>, widths: &[u16], gap: u16, area: Rect) {
    let mut x = area.x + MARGIN;
    let style = paint.role(Role::Heading);
    for (index, (column, &wide)) in table.rows.columns().iter().zip(widths).enumerate() {
        if wide == 0 {
            continue;
        }
        let sorted = table.sort().filter(|sort| sort.column == index);
        let title = match sorted.map(|sort| sort.descending) {
            None => column.title.to_owned(),
            // Within the column's width, whatever that is.
            Some(descending) => {
                let mark = if descending { "v" } else { "^" };
                let room = usize::from(wide).saturating_sub(1);
                format!("{}{mark}", column.title.get(..room.min(column.title.len())).unwrap_or_default())
            }
        };
        let indent = if column.right { wide.saturating_sub(title.len() as u16) } else { 0 };
        let style = if sorted.is_some() { paint.role(Role::Strong) } else { style };
        paint.text(x + indent, area.y, wide - indent, &title, style);
        x += wide + gap;
    }
}

/// The first row on screen: as it was, but with the cursor in sight.
pub(super) fn scroll(offset: usize, cursor: usize, height: usize, count: usize) -> usize {
    if height == 0 {
        return cursor;
    }
    let least = (cursor + 1).saturating_sub(height);
    let most = count.saturating_sub(height).max(least);
    offset.clamp(least, cursor).min(most)
}

/// Widths that fit the room, 0 for columns that are not shown, and the gap between them. Where room is short, columns
/// are narrowed and dropped in the order that they name.
pub(super) fn fit(columns: &[Column], wanted: &[u16], room: u16) -> (Vec<u16>, u16) {
    let mut widths: Vec<u16> = columns
        .iter()
        .zip(wanted)
        .map(|(column, wanted)| (*wanted).min(column.max).max(column.title.len() as u16))
        .collect();
    let total = |widths: &[u16], gap: u16| -> u16 {
        let shown = widths.iter().filter(|width| **width > 0).count() as u16;
        widths.iter().fold(0_u16, |sum, width| sum.saturating_add(*width)).saturating_add(shown.saturating_sub(1) * gap)
    };
    if total(&widths, 2) <= room {
        return (widths, 2);
    }
    let gap = 1;
    // Steps, the first to be taken first: narrowing and dropping have numbers of one scale.
    let mut steps: Vec<(u8, bool, usize)> = Vec::new();
    for (index, column) in columns.iter().enumerate() {
        steps.extend((column.narrow > 0).then_some((column.narrow, false, index)));
        steps.extend((column.drop > 0).then_some((column.drop, true, index)));
    }
    steps.sort_by_key(|step| std::cmp::Reverse(step.0));
    for (_, drop, index) in steps {
        let over = total(&widths, gap).saturating_sub(room);
        if over == 0 {
            break;
        }
        let (Some(width), Some(column)) = (widths.get_mut(index), columns.get(index)) else { continue };
        if drop {
            *width = 0;
        } else if *width > column.min {
            *width = width.saturating_sub(over).max(column.min);
        }
    }
    // What dropping gave back goes to what was narrowed, the dearest first.
    let mut narrowed: Vec<(u8, usize)> = columns
        .iter()
        .enumerate()
        .filter(|(_, column)| column.narrow > 0)
        .map(|(at, column)| (column.narrow, at))
        .collect();
    narrowed.sort_unstable();
    for (_, index) in narrowed {
        let spare = room.saturating_sub(total(&widths, gap));
        let (Some(width), Some(column), Some(wanted)) = (widths.get_mut(index), columns.get(index), wanted.get(index))
        else {
            continue;
        };
        let full = (*wanted).min(column.max).max(column.title.len() as u16);
        if *width > 0 && *width < full {
            *width = full.min(*width + spare);
        }
    }
    // Still too wide: what stands last is cut by the screen's edge.
    let mut left = room;
    for width in widths.iter_mut().filter(|width| **width > 0) {
        *width = (*width).min(left);
        left = left.saturating_sub(*width + gap);
    }
    (widths, gap)
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: &[Column] = &[
        Column { title: "NAME", min: 6, max: 20, right: false, narrow: 2, drop: 0 },
        Column { title: "STATUS", min: 10, max: 30, right: false, narrow: 0, drop: 0 },
        Column { title: "REV", min: 3, max: 5, right: true, narrow: 0, drop: 5 },
    ];

    #[test]
    fn columns_give_way_in_their_order() {
        for (room, wanted) in [
            (60, (vec![12, 20, 3], 2)),
            (39, (vec![12, 20, 3], 2)),
            (37, (vec![12, 20, 3], 1)),
            (36, (vec![12, 20, 0], 1)),
            (30, (vec![9, 20, 0], 1)),
            (10, (vec![6, 3, 0], 1)),
            (0, (vec![0, 0, 0], 1)),
        ] {
            assert_eq!(fit(COLUMNS, &[12, 20, 3], room), wanted, "{room}");
        }
    }

    #[test]
    fn the_cursor_stays_in_sight() {
        for (offset, cursor, height, count, wanted) in
            [(0, 0, 10, 5, 0), (0, 12, 10, 20, 3), (5, 2, 10, 20, 2), (15, 16, 10, 20, 10), (0, 7, 0, 20, 7)]
        {
            assert_eq!(scroll(offset, cursor, height, count), wanted);
        }
    }
}
