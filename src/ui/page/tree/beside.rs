//! The clusters side by side: names on the left, as many columns as fit, beneath them what the cursor's cell says.
//!
//! Columns come by the screenful: where the cursor leaves those on screen, the next ones take their place.

use ratatui::layout::Rect;

use crate::{
    app::page::tree::{
        TreePage,
        beside::{SideBySide, label},
    },
    model::tree::Tree,
    ui::{
        paint::{Paint, Run, width},
        table::scroll,
        text,
        theme::Role,
    },
};

/// Cells of a column, and of one with times of day; the gap before it is one of them.
const COLUMN: u16 = 14;
const COLUMN_WITH_TIME: u16 = 22;
/// Cells that names need at least.
const NAMES: u16 = 20;
/// Cells that a level indents by.
const INDENT: usize = 2;
/// Lines beneath the rows.
const TOLD: u16 = 2;

/// Draws the clusters side by side.
pub(super) fn draw(paint: &mut Paint<'_>, page: &TreePage, tree: &Tree, beside: &SideBySide, area: Rect) {
    let room = area.width.saturating_sub(2);
    let told = if area.height > 8 { TOLD } else { 0 };
    let height = usize::from(area.height.saturating_sub(1 + told));
    let offset = scroll(page.offset(), page.at(), height, page.visible().len());
    paint.viewports.offset = offset;
    paint.viewports.height = height;
    let mark = if paint.ascii() { ".." } else { "…" };
    let on_screen: Vec<usize> = page.visible().iter().skip(offset).take(height).copied().collect();
    let names: Vec<Vec<Run>> = on_screen.iter().map(|row| names(paint, beside, *row, mark)).collect();
    let column = if paint.world.absolute { COLUMN_WITH_TIME } else { COLUMN };
    // A cell stays free before the columns.
    let widest = names.iter().map(|name| width(name)).max().unwrap_or_default() + 1;
    let for_names = widest.clamp(NAMES, (room / 3).max(NAMES)).min(room);
    let fit = usize::from((room - for_names) / column).max(1);
    let first = beside.column() / fit * fit;
    let columns = first..(first + fit).min(beside.clusters().len());
    // What the columns leave is the names'.
    let for_names = room.saturating_sub(column * columns.len() as u16).min(widest.max(NAMES));
    headings(paint, beside, columns.clone(), (area.x + 1 + for_names, area.y), column, area.right());
    if on_screen.is_empty() {
        let why = match (beside.rows().is_empty(), beside.only_different) {
            (true, _) => format!("{} has made nothing yet", page.app),
            (false, true) if page.filter().raw().is_empty() && !page.only_not_ok() => {
                "nothing differs between the clusters (u shows everything)".to_owned()
            }
            (false, true) => {
                "nothing here matches and differs (esc takes the filter away, u shows what is the same)".to_owned()
            }
            (false, false) => "nothing here matches (esc takes the filter away)".to_owned(),
        };
        let style = paint.role(Role::Text);
        for (line, y) in text::wrap(&why, usize::from(room)).iter().zip(area.y + 1..area.bottom()) {
            paint.text(area.x + 1, y, room, line, style);
        }
        return;
    }
    for (((row, name), at), y) in on_screen.iter().zip(&names).zip(offset..).zip(area.y + 1..) {
        let is_row = at == page.at();
        // The row is told by its name, the cell by its column.
        let over = is_row.then(|| paint.role(Role::Strong));
        paint.put(area.x + 1, y, for_names.saturating_sub(1), name, over);
        for (place, shown) in columns.clone().enumerate() {
            let x = area.x + 1 + for_names + place as u16 * column;
            let cell = beside.cell(*row, shown);
            let runs = paint.runs(&cell);
            let over = (is_row && shown == beside.column()).then(|| paint.role(Role::Cursor));
            if let Some(style) = over {
                paint.style(Rect::new(x, y, column.saturating_sub(1).min(area.right().saturating_sub(x)), 1), style);
            }
            paint.put(x, y, column.saturating_sub(1).min(area.right().saturating_sub(x)), &runs, over);
        }
    }
    if let Some(row) = page.visible().get(page.at()).filter(|_| told > 0) {
        let lines = beside.told(tree, *row, mark);
        for (line, y) in lines.iter().zip(area.bottom() - told..area.bottom()) {
            let runs = paint.runs(line);
            paint.put(area.x + 1, y, room, &runs, None);
        }
    }
}

/// A row's name, indented.
fn names(paint: &mut Paint<'_>, beside: &SideBySide, row: usize, mark: &str) -> Vec<Run> {
    let Some(row) = beside.rows().get(row) else { return Vec::new() };
    let mut runs = vec![(" ".repeat(INDENT * row.depth), paint.role(Role::Text))];
    runs.extend(paint.runs(&label(row, mark)));
    runs
}

/// The clusters' names over their columns, and which of all they are.
fn headings(
    paint: &mut Paint<'_>,
    beside: &SideBySide,
    columns: std::ops::Range<usize>,
    (x, y): (u16, u16),
    column: u16,
    right: u16,
) {
    let style = paint.role(Role::Heading);
    let all = beside.clusters().len();
    if columns.len() < all {
        let which = format!("clusters {}-{} of {all}", columns.start + 1, columns.end);
        paint.text(1, y, x.saturating_sub(2), &which, style);
    }
    for (place, shown) in columns.enumerate() {
        let Some(cluster) = beside.clusters().get(shown) else { continue };
        let style = if shown == beside.column() { paint.role(Role::Strong) } else { style };
        let x = x + place as u16 * column + 1;
        paint.text(x, y, (column - 2).min(right.saturating_sub(x)), cluster.as_str(), style);
    }
}
