//! The application page: the list on the left, what is known of the selected thing on the right, or in its place where
//! there is no room for both.

use ratatui::layout::Rect;

use crate::{
    app::{
        App,
        page::application::{ApplicationPage, Item, ItemKey, Panel, items},
    },
    model::delta::Query,
    ui::{
        TWO_COLUMNS, detail,
        paint::{Paint, Run, width},
        table::scroll,
        text,
        theme::Role,
    },
};

/// Draws the page.
pub(in crate::ui) fn draw(app: &App, paint: &mut Paint<'_>, page: &ApplicationPage, area: Rect) {
    if page.items().is_empty() {
        empty(app, paint, page, area);
        return;
    }
    if area.width >= TWO_COLUMNS {
        let side = (area.width * 2 / 5).clamp(36, 70);
        let main = Rect { width: area.width - side - 2, ..area };
        list(app, paint, page, main, page.panel == Panel::Main);
        paint.rule(main.right(), area.y, area.height);
        let side = Rect { x: main.right() + 2, width: side, ..area };
        detail::draw(app, paint, page, side, page.panel == Panel::Detail);
    } else if page.panel == Panel::Main {
        list(app, paint, page, area, true);
    } else {
        let style = paint.role(Role::Dim);
        paint.text(area.x + 1, area.y, area.width.saturating_sub(2), "detail · tab or esc: back to the list", style);
        let below = Rect { x: area.x + 1, y: area.y + 1, width: area.width.saturating_sub(2), height: area.height - 1 };
        detail::draw(app, paint, page, below, true);
        paint.viewports.offset = page.offset();
    }
}

fn empty(app: &App, paint: &mut Paint<'_>, page: &ApplicationPage, area: Rect) {
    let world = &app.world;
    let why = if world.app(&page.app).is_some() {
        "nothing here matches the filter (esc takes it away)".to_owned()
    } else {
        let why = world.why_empty("applications", |query| matches!(query, Query::Applications(_)));
        if why.starts_with("no ") { format!("{} is not there (any more); esc: back", page.app) } else { why }
    };
    let style = paint.role(Role::Text);
    paint.text(area.x + 1, area.y, area.width.saturating_sub(2), &why, style);
}

/// Cells that a level indents by.
const INDENT: u16 = 2;
/// Columns that align, before the text that takes the rest.
const ALIGNED: usize = 4;

fn list(app: &App, paint: &mut Paint<'_>, page: &ApplicationPage, area: Rect, focused: bool) {
    let height = usize::from(area.height);
    let offset = scroll(page.offset(), page.at(), height, page.items().len());
    paint.viewports.offset = offset;
    paint.viewports.height = height;
    let on_screen: Vec<&Item> = page.items().iter().skip(offset).take(height).collect();
    let cells: Vec<Vec<Vec<Run>>> = on_screen
        .iter()
        .map(|item| items::cells(&app.world, &page.app, item).iter().map(|cell| paint.runs(cell)).collect())
        .collect();
    // Steps align among themselves, and so do services and pods; headings align with nothing.
    let mut steps = vec![0; ALIGNED];
    let mut services = vec![0; ALIGNED];
    let mut pods = vec![0; ALIGNED];
    for (item, row) in on_screen.iter().zip(&cells) {
        let widths = match item.key {
            ItemKey::Workflow | ItemKey::Services | ItemKey::Cluster(_) => continue,
            ItemKey::Step(_) => &mut steps,
            ItemKey::Service { .. } => &mut services,
            ItemKey::Pod(_) => &mut pods,
        };
        for (at, cell) in row.iter().enumerate().take(ALIGNED) {
            // The name is measured with its indent, so that what is behind it aligns across levels.
            let indent = if at == 0 { item.depth * INDENT } else { 0 };
            if let Some(wide) = widths.get_mut(at) {
                *wide = (*wide).max(width(cell) + indent);
            }
        }
    }
    for widths in [&mut steps, &mut services] {
        // The name takes half, or what the others leave.
        let others: u16 = widths.iter().skip(1).filter(|wide| **wide > 0).map(|wide| wide + 2).sum();
        let most = area.width.saturating_sub(others + 6).max(area.width / 2);
        if let Some(name) = widths.first_mut() {
            *name = (*name).min(most);
        }
    }
    let mut widen = |what: &str, now: &[u16]| paint.scene.widen(&format!("{what} of {}", page.app), now);
    let (steps, services, mut pods) = (widen("steps", &steps), widen("services", &services), widen("pods", &pods));
    let last = on_screen
        .iter()
        .zip(&cells)
        .filter(|(item, _)| matches!(item.key, ItemKey::Pod(_)))
        .filter_map(|(_, row)| row.get(ALIGNED).map(|cell| width(cell)))
        .max();
    pod_names(&mut pods, last.unwrap_or(0), area.width);
    for (((item, row), at), y) in on_screen.iter().zip(&cells).zip(offset..).zip(area.y..) {
        let is_cursor = at == page.at();
        let stale = match &item.key {
            ItemKey::Pod(pod) => app.world.stale_since(&pod.cluster).is_some(),
            ItemKey::Service { cluster, .. } => app.world.stale_since(cluster).is_some(),
            _ => false,
        };
        let over = match (is_cursor, focused, stale) {
            (true, true, _) => Some(paint.role(Role::Cursor)),
            (_, _, true) => Some(paint.role(Role::Dim)),
            _ => None,
        };
        if is_cursor && focused {
            paint.style(Rect::new(area.x, y, area.width, 1), paint.role(Role::Cursor));
        } else if is_cursor {
            let (mark, accent) = (if paint.ascii() { ">" } else { "▸" }, paint.role(Role::Accent));
            paint.text(area.x, y, 1, mark, accent);
        }
        let widths = match item.key {
            ItemKey::Step(_) => &steps[..],
            ItemKey::Service { .. } => &services[..],
            ItemKey::Pod(_) => &pods[..],
            _ => &[],
        };
        line(paint, page, item, row, widths, Rect::new(area.x + 1, y, area.width.saturating_sub(2), 1), over);
    }
}

/// Gives the names of pods what room their other columns leave, and half of the whole at least; `last` is the width of
/// the column behind the aligned ones.
fn pod_names(widths: &mut [u16], last: u16, room: u16) {
    let behind: u16 = widths.iter().skip(1).chain([&last]).filter(|wide| **wide > 0).map(|wide| wide + 2).sum();
    // A margin on either side; fold and mark in front.
    let left = room.saturating_sub(behind + 6).max(room / 2);
    if let Some(name) = widths.first_mut() {
        *name = (*name).min(left);
    }
}

fn line(
    paint: &mut Paint<'_>,
    page: &ApplicationPage,
    item: &Item,
    row: &[Vec<Run>],
    widths: &[u16],
    area: Rect,
    over: Option<ratatui::style::Style>,
) {
    let end = area.right();
    let mut x = area.x;
    if item.depth > 0 {
        let fold = match (item.folds, page.is_folded(&item.key), paint.ascii()) {
            (false, ..) => " ",
            (_, false, false) => "▾",
            (_, true, false) => "▸",
            (_, false, true) => "v",
            (_, true, true) => ">",
        };
        x += (item.depth - 1) * INDENT;
        let style = paint.role(Role::Dim);
        paint.put(x, area.y, 1, &[(fold.to_owned(), over.unwrap_or(style))], None);
        let mark = (paint.theme().mark(item.health).to_owned(), paint.theme().health(item.health));
        paint.put(x + 2, area.y, 1, &[mark], over);
        x += 4;
    }
    for (at, cell) in row.iter().enumerate() {
        let left = end.saturating_sub(x);
        if left == 0 {
            break;
        }
        let indent = if at == 0 { item.depth.saturating_sub(1) * INDENT } else { 0 };
        let wide = match widths.get(at) {
            Some(0) => continue,
            Some(wide) => wide.saturating_sub(indent),
            None if at >= ALIGNED => left,
            None if cell.is_empty() => continue,
            None => width(cell),
        };
        let wide = wide.min(left);
        let elided: Vec<Run>;
        let cell = if at == 0 && matches!(item.key, ItemKey::Pod(_)) && width(cell) > wide {
            // Pods of one ReplicaSet differ at their names' end.
            let ascii = paint.ascii();
            elided = cell
                .iter()
                .map(|(name, style)| (text::elide(name, usize::from(wide), ascii).into_owned(), *style))
                .collect();
            &elided
        } else {
            cell
        };
        paint.put(x, area.y, wide, cell, over);
        x += wide + 2;
    }
}
