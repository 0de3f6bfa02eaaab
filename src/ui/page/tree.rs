//! The tree of an application: its visible lines alone, however large the tree is.
//!
//! tui-tree-widget is not used: its state belongs to the screen's library, from which the pages are free;
//! it flattens all open items for each frame and key, where here a frame costs what is visible; what is new begins
//! closed in it and open here; and it draws each line as one text, so that columns cannot be aligned over the levels.

mod beside;

use ratatui::layout::Rect;

use crate::{
    app::{
        App,
        page::tree::{TreePage, cells},
        usage,
    },
    model::{
        key::ClusterId,
        tree::{Node, Tree, What},
    },
    ui::{
        paint::{Paint, Run, width},
        table::scroll,
        theme::Role,
    },
};

/// Cells that a level indents by.
const INDENT: u16 = 2;
/// Cells kept for the age, and for the time that stands in its place.
const AGE: u16 = 5;
const TIME: u16 = 11;

/// Draws the tree, and beneath it what could not be asked.
pub(in crate::ui) fn draw(_app: &App, paint: &mut Paint<'_>, page: &TreePage, area: Rect) {
    let room = area.width.saturating_sub(2);
    let Some(tree) = page.tree() else {
        let why = page.failed().map_or_else(|| format!("looking up what {} made", page.app), ToString::to_string);
        let style = paint.role(Role::Text);
        for (line, y) in crate::ui::text::wrap(&why, usize::from(room)).iter().zip(area.y..area.bottom()) {
            paint.text(area.x + 1, y, room, line, style);
        }
        return;
    };
    let gaps = gaps(page, usize::from(area.height) / 3);
    let style = paint.role(Role::Accent);
    let first = area.bottom() - (gaps.len() as u16).min(area.height);
    for (gap, y) in gaps.iter().zip(first..area.bottom()) {
        paint.text(area.x + 1, y, room, gap, style);
    }
    let area = Rect { height: first - area.y, ..area };
    if let Some(beside) = page.beside() {
        beside::draw(paint, page, tree, beside, area);
        return;
    }
    let height = usize::from(area.height);
    let offset = scroll(page.offset(), page.at(), height, page.visible().len());
    paint.viewports.offset = offset;
    paint.viewports.height = height;
    if page.visible().is_empty() {
        let why = if tree.nodes.is_empty() {
            format!("{} has made nothing yet", page.app)
        } else {
            "nothing here matches (esc takes the filter away)".to_owned()
        };
        let style = paint.role(Role::Text);
        paint.text(area.x + 1, area.y, room, &why, style);
    }
    let on_screen: Vec<(usize, &Node)> = page
        .visible()
        .iter()
        .skip(offset)
        .take(height)
        .filter_map(|line| Some((*line, tree.nodes.get(*line)?)))
        .collect();
    let with_age = room >= 60;
    let for_age = if paint.world.absolute { TIME } else { AGE };
    let text = room.saturating_sub(if with_age { for_age + 1 } else { 0 });
    // What is told needs at least a third.
    let most = text * 2 / 3;
    let mut rows = rows(paint, page, tree, &on_screen, None);
    if rows.iter().any(|(label, ..)| width(label) > most) {
        let mark = if paint.ascii() { ".." } else { "…" };
        rows = self::rows(paint, page, tree, &on_screen, Some(mark));
    }
    let widest = rows.iter().map(|(label, ..)| width(label)).max().unwrap_or_default();
    let label_room = widest.min(most);
    for ((((label, told, age), (_, node)), at), y) in
        rows.iter().zip(&on_screen).zip(offset..).zip(area.y..area.bottom())
    {
        let over = (at == page.at()).then(|| paint.role(Role::Cursor));
        if let Some(style) = over {
            paint.style(Rect::new(area.x, y, area.width, 1), style);
        }
        if page.is_marked(node) {
            let style = over.unwrap_or_else(|| paint.role(Role::Accent));
            paint.text(area.x, y, 1, "*", style);
        }
        let used = paint.put(
            area.x + 1,
            y,
            label_room.max(width(label).min(if told.is_empty() { text } else { label_room })),
            label,
            over,
        );
        let from = label_room.max(used) + 2;
        if from < text {
            paint.put(area.x + 1 + from, y, text - from, told, over);
        }
        if with_age {
            let indent = for_age.saturating_sub(width(age));
            paint.put(area.x + 1 + room - for_age + indent, y, for_age - indent, age, over);
        }
    }
}

/// Label, what is told, and age of the lines on screen.
fn rows(
    paint: &mut Paint<'_>,
    page: &TreePage,
    tree: &Tree,
    on_screen: &[(usize, &Node)],
    short: Option<&str>,
) -> Vec<(Vec<Run>, Vec<Run>, Vec<Run>)> {
    on_screen
        .iter()
        .map(|(line, node)| {
            let (label, mut told, age) = cells(tree, node, short);
            if let What::Object(key) = &node.what
                && let Some(pod) = key.as_pod()
            {
                told.extend(usage::words(paint.world, &pod));
            }
            let mut runs = vec![(" ".repeat(usize::from(INDENT) * node.depth), paint.role(Role::Text))];
            let fold = match (page.has_children(*line), page.is_folded(*line), paint.ascii()) {
                (false, ..) => "  ",
                (true, true, false) => "▸ ",
                (true, false, false) => "▾ ",
                (true, true, true) => "+ ",
                (true, false, true) => "- ",
            };
            runs.push((fold.to_owned(), paint.role(Role::Dim)));
            runs.extend(paint.runs(&label));
            (runs, paint.runs(&told), paint.runs(&age))
        })
        .collect()
}

/// Clusters named at most; the rest is counted.
const NAMED: usize = 5;

/// Which clusters have not answered everything yet.
fn still_asking(tree: &Tree) -> Option<String> {
    let named: Vec<&str> = tree.asking.iter().take(NAMED).map(ClusterId::as_str).collect();
    let more = tree.asking.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    (!named.is_empty()).then(|| format!("still asking {}{more}", named.join(", ")))
}

/// What could not be asked, in at most so many lines.
fn gaps(page: &TreePage, most: usize) -> Vec<String> {
    let mut told: Vec<String> = page.failed().map(|why| format!("not up to date: {why}")).into_iter().collect();
    told.extend(page.tree().and_then(still_asking));
    let all = page.tree().map(|tree| tree.incomplete.as_slice()).unwrap_or_default();
    told.extend(all.iter().map(|gap| match &gap.kind {
        Some(kind) => format!("{} in {}: {}", kind, gap.cluster, gap.reason),
        None => format!("{}: {}", gap.cluster, gap.reason),
    }));
    if told.len() > most.max(1) {
        let more = told.len() + 1 - most.max(1);
        told.truncate(most.max(1) - 1);
        told.push(format!("and {more} more that could not be asked"));
    }
    told
}
