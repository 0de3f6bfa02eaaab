//! The chain to a cause: each link with its sentence, wrapped, what helps beneath it.

use ratatui::layout::Rect;

use crate::{
    app::{
        page::why::{WhyPage, label, tone},
        table::Part,
    },
    model::why::Link,
    ui::{
        paint::{Paint, Run, width},
        text,
        theme::Role,
    },
};

/// Cells that a level indents by.
const INDENT: u16 = 2;
/// Cells kept for the age.
const AGE: u16 = 5;
/// A sentence begins behind the name where at least so many cells are left for it, else beneath.
const ENOUGH: u16 = 30;

/// A screen line: runs, from which cell on, and of which of the visible links.
struct Row {
    of: usize,
    indent: u16,
    runs: Vec<Run>,
    age: Vec<Run>,
}

/// Draws the chain, and beneath it what could not be asked.
pub(in crate::ui) fn draw(paint: &mut Paint<'_>, page: &WhyPage, area: Rect) {
    let room = area.width.saturating_sub(2);
    let below = below(page, usize::from(room), usize::from(area.height) / 3);
    let height = usize::from(area.height).saturating_sub(below.len());
    let links: Vec<&Link> = page.visible().iter().filter_map(|line| page.chain().links.get(*line)).collect();
    let mut rows: Vec<Row> = Vec::new();
    for (at, link) in links.iter().enumerate() {
        lay(paint, &mut rows, at, link, room);
    }
    if rows.is_empty() {
        let style = paint.role(Role::Text);
        paint.text(area.x + 1, area.y, room, "nothing here matches (esc takes the filter away)", style);
    }
    // The whole of the cursor's link is in sight, its beginning rather than its end.
    let first = rows.iter().position(|row| row.of == page.at()).unwrap_or_default();
    let last = rows.iter().rposition(|row| row.of == page.at()).unwrap_or_default();
    let lowest = (last + 1).saturating_sub(height);
    let most = rows.len().saturating_sub(height);
    let offset = page.offset().min(most).max(lowest).min(first);
    paint.viewports.offset = offset;
    paint.viewports.height = height;
    for (row, y) in rows.iter().skip(offset).take(height).zip(area.y..area.bottom()) {
        let over = (row.of == page.at()).then(|| paint.role(Role::Cursor));
        if let Some(style) = over {
            paint.style(Rect::new(area.x, y, area.width, 1), style);
        }
        let kept = if row.age.is_empty() { 0 } else { width(&row.age) + 1 };
        let left = room.saturating_sub(row.indent + kept);
        paint.put(area.x + 1 + row.indent, y, left, &row.runs, over);
        if !row.age.is_empty() {
            let wide = width(&row.age).min(room);
            paint.put(area.x + 1 + room - wide, y, wide, &row.age, over);
        }
    }
    let top = area.bottom() - (below.len() as u16).min(area.height);
    for ((line, role), y) in below.iter().zip(top..area.bottom()) {
        let style = paint.role(*role);
        paint.text(area.x + 1, y, room, line, style);
    }
}

/// Lays a link out: name and sentence, then what helps.
fn lay(paint: &mut Paint<'_>, rows: &mut Vec<Row>, of: usize, link: &Link, room: u16) {
    let indent = (INDENT * link.depth as u16).min(room / 2);
    let mut head = paint.runs(&label(link));
    let age = match link.since {
        Some(since) => paint.runs(&vec![Part::Ago(Some(since), crate::app::table::Tone::Dim)]),
        None => Vec::new(),
    };
    let kept = if age.is_empty() { 0 } else { AGE.max(width(&age)) + 1 };
    let style = paint.theme().tone(tone(link));
    let reason = text::clean(&link.reason, paint.ascii()).into_owned();
    let used = indent + width(&head) + 2;
    let left = room.saturating_sub(used + kept);
    let beneath = indent + INDENT + 2;
    let mut lines: Vec<String>;
    if usize::from(left) >= text::width(&reason) || left >= ENOUGH {
        // Wrapped beneath itself as far as it began beside the name.
        lines = text::wrap(&reason, usize::from(left));
        let first = if lines.is_empty() { String::new() } else { lines.remove(0) };
        let rest = reason.get(first.len()..).unwrap_or_default().trim_start().to_owned();
        head.push(("  ".to_owned(), style));
        head.push((first, style));
        lines = if rest.is_empty() { Vec::new() } else { text::wrap(&rest, usize::from(room.saturating_sub(beneath))) };
    } else {
        lines = text::wrap(&reason, usize::from(room.saturating_sub(beneath)));
    }
    rows.push(Row { of, indent, runs: head, age });
    rows.extend(lines.into_iter().map(|line| Row { of, indent: beneath, runs: vec![(line, style)], age: Vec::new() }));
    let Some(advice) = &link.advice else { return };
    let (accent, strong) = (paint.role(Role::Accent), paint.role(Role::Strong));
    let arrow = if paint.ascii() { "-> " } else { "→ " };
    let words = format!("{arrow}{}", text::clean(&advice.words, paint.ascii()));
    let wide = usize::from(room.saturating_sub(beneath));
    rows.extend(text::wrap(&words, wide).into_iter().map(|line| Row {
        of,
        indent: beneath,
        runs: vec![(line, accent)],
        age: Vec::new(),
    }));
    if let Some(command) = &advice.command {
        let command = text::clean(command, paint.ascii()).into_owned();
        let lines = text::wrap(&command, wide.saturating_sub(2));
        let row = |line| Row { of, indent: beneath + 2, runs: vec![(line, strong)], age: Vec::new() };
        rows.extend(lines.into_iter().map(row));
    }
}

/// What could not be asked, and how far the look is, in at most so many lines.
fn below(page: &WhyPage, room: usize, most: usize) -> Vec<(String, Role)> {
    let mut told: Vec<(String, Role)> = Vec::new();
    if let Some(why) = page.failed() {
        told.extend(text::wrap(&format!("not up to date: {why}"), room).into_iter().map(|line| (line, Role::Accent)));
    }
    for gap in &page.chain().gaps {
        told.push((format!("could not be asked: {gap}"), Role::Accent));
    }
    let most = most.max(2);
    if told.len() >= most {
        let more = told.len() + 2 - most;
        told.truncate(most - 2);
        told.push((format!("and {more} more that could not be asked"), Role::Accent));
    }
    if !matches!(page.subject, crate::model::why::Subject::Cluster(_)) {
        let count = page.chain().looked_at;
        let line = match (page.is_looked_up(), page.failed().is_some()) {
            (true, _) => format!("{count} objects looked at"),
            (false, true) => String::new(),
            (false, false) => "looking further …".to_owned(),
        };
        told.push((line, Role::Dim));
    }
    told
}
