//! One object: the lines on screen alone, however long it is.

use ratatui::{layout::Rect, style::Style};

use crate::{
    app::{
        App,
        page::object::{Body, ObjectPage},
    },
    ui::{
        paint::{Paint, Run},
        table::scroll,
        text,
        theme::Role,
        yaml_line,
    },
};

/// Draws one side of an object, under what is to be said about how current it is.
pub(in crate::ui) fn draw(_app: &App, paint: &mut Paint<'_>, page: &ObjectPage, area: Rect) {
    let room = area.width.saturating_sub(2);
    let mut top = area.y;
    if let Some((said, role)) = said(page) {
        let style = paint.role(role);
        for line in text::wrap(&text::clean(&said, paint.ascii()), usize::from(room)).iter().take(4) {
            if top < area.bottom() {
                paint.text(area.x + 1, top, room, line, style);
                top += 1;
            }
        }
    }
    let height = usize::from(area.bottom().saturating_sub(top));
    let offset = scroll(page.offset(), page.at(), height, page.len());
    paint.viewports.offset = offset;
    paint.viewports.height = height;
    for (shown, y) in (offset..page.len()).zip(top..area.bottom()) {
        let over = (shown == page.at()).then(|| paint.role(Role::Cursor));
        if let Some(style) = over {
            paint.style(Rect::new(area.x, y, area.width, 1), style);
        }
        let mut runs = runs(paint, page, shown);
        if page.is_gone() {
            let style = paint.role(Role::Dim);
            for (_, own) in &mut runs {
                *own = style;
            }
        }
        if over.is_none() {
            runs = found(paint, page, runs);
        }
        let runs = panned(runs, page.pan);
        paint.put(area.x + 1, y, room, &runs, over);
    }
}

/// What is to be said above the lines.
fn said(page: &ObjectPage) -> Option<(String, Role)> {
    if page.is_gone() {
        return Some(("deleted: this is how it was last seen".to_owned(), Role::Bad));
    }
    match (page.failed(), page.is_empty()) {
        (Some(reason), true) => Some((reason.to_string(), Role::Bad)),
        (Some(reason), false) => Some((format!("not up to date: {reason}"), Role::Accent)),
        (None, true) => Some((format!("reading {}", page.key), Role::Text)),
        (None, false) => None,
    }
}

fn runs(paint: &mut Paint<'_>, page: &ObjectPage, shown: usize) -> Vec<Run> {
    match page.body() {
        Body::Unread => Vec::new(),
        Body::Yaml(document) => {
            let line = page.line(shown);
            let (shown, behind) = page.shown_line(document, line);
            let shown = head(&shown, page.pan);
            let pieces = yaml_line::pieces(shown, document.is_text(line));
            let mut runs: Vec<Run> = pieces
                .into_iter()
                .map(|(piece, role)| (text::clean(piece, paint.ascii()).into_owned(), paint.role(role)))
                .collect();
            if let Some(behind) = behind {
                runs.push((format!("  {}", text::clean(&behind, paint.ascii())), paint.role(Role::Comment)));
            }
            runs.retain(|(text, _)| !text.is_empty());
            runs
        }
        Body::Described(lines) => lines.get(shown).map(|cell| paint.runs(cell)).unwrap_or_default(),
    }
}

/// Bytes of a line that are looked at beyond those panned over: more than any screen shows.
const LOOKED_AT: usize = 16 * 1024;

/// The part of a line that can be on screen: one may be as long as the object.
fn head(line: &str, pan: usize) -> &str {
    let end = pan.saturating_mul(4).saturating_add(LOOKED_AT);
    line.get(..line.floor_char_boundary(end)).unwrap_or(line)
}

/// Marks what was searched for.
fn found(paint: &Paint<'_>, page: &ObjectPage, runs: Vec<Run>) -> Vec<Run> {
    let whole: String = runs.iter().map(|(text, _)| text.as_str()).collect();
    let places: Vec<_> = page.search().places(&whole).collect();
    if places.is_empty() {
        return runs;
    }
    let mark = paint.role(Role::Found);
    let mut marked = Vec::new();
    let mut at = 0;
    for (text, style) in runs {
        let mut from = 0;
        for place in &places {
            let (begin, end) = (place.start.max(at + from), place.end.min(at + text.len()));
            if begin < end {
                push(&mut marked, &text, from, begin - at, style);
                push(&mut marked, &text, begin - at, end - at, mark);
                from = end - at;
            }
        }
        push(&mut marked, &text, from, text.len(), style);
        at += text.len();
    }
    marked
}

fn push(runs: &mut Vec<Run>, text: &str, from: usize, to: usize, style: Style) {
    if let Some(piece) = text.get(from..to).filter(|piece| !piece.is_empty()) {
        runs.push((piece.to_owned(), style));
    }
}

/// Leaves out the cells panned over.
pub(super) fn panned(runs: Vec<Run>, mut skip: usize) -> Vec<Run> {
    if skip == 0 {
        return runs;
    }
    let mut rest = Vec::new();
    for (text, style) in runs {
        let wide = text::width(&text);
        if skip >= wide {
            skip -= wide;
            continue;
        }
        rest.push((text::pan(&text, skip).into_owned(), style));
        skip = 0;
    }
    rest
}
