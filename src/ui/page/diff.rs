//! What differs: a line a row, marked and coloured; what is unchanged is folded, and the fold says where it stands.

use ratatui::layout::Rect;

use crate::{
    app::{
        App,
        page::diff::{DiffPage, Row},
    },
    model::diff::{Report, Section, Side, Verdict, trail},
    ui::{
        paint::{Paint, Run},
        table::scroll,
        text,
        theme::Role,
    },
};

/// Draws the rows on screen, and beneath them what keeps the picture from being up to date.
pub(in crate::ui) fn draw(_app: &App, paint: &mut Paint<'_>, page: &DiffPage, area: Rect) {
    let room = area.width.saturating_sub(2);
    let Some(report) = page.report() else {
        let why = page.failed().map_or_else(|| "comparing".to_owned(), ToString::to_string);
        let style = paint.role(Role::Text);
        for (line, y) in text::wrap(&why, usize::from(room)).iter().zip(area.y..area.bottom()) {
            paint.text(area.x + 1, y, room, line, style);
        }
        return;
    };
    let late = u16::from(page.failed().is_some()).min(area.height);
    let height = usize::from(area.height - late);
    let offset = scroll(page.offset(), page.at(), height, page.rows().len());
    paint.viewports.offset = offset;
    paint.viewports.height = height;
    if page.rows().is_empty() {
        let why =
            if page.filter().is_empty() { "nothing was applied yet" } else { "no line matches (esc takes it away)" };
        let style = paint.role(Role::Text);
        paint.text(area.x + 1, area.y, room, why, style);
    }
    for ((at, row), y) in page.rows().iter().enumerate().skip(offset).take(height).zip(area.y..) {
        let over = (at == page.at()).then(|| paint.role(Role::Cursor));
        if let Some(style) = over {
            paint.style(Rect::new(area.x, y, area.width, 1), style);
        }
        let runs = runs(paint, page, report, *row);
        paint.put(area.x + 1, y, room, &runs, over);
    }
    if let (Some(why), 1) = (page.failed(), late) {
        let style = paint.role(Role::Accent);
        paint.text(area.x + 1, area.bottom() - 1, room, &format!("not up to date: {why}"), style);
    }
}

fn runs(paint: &mut Paint<'_>, page: &DiffPage, report: &Report, row: Row) -> Vec<Run> {
    let ascii = paint.ascii();
    let clean = |text: &str| text::clean(text, ascii).into_owned();
    let section = |at: usize| report.sections.get(at);
    match row {
        Row::Note(at) => {
            let note = report.notes.get(at).map(|note| clean(note)).unwrap_or_default();
            vec![(note, paint.role(Role::Accent))]
        }
        Row::Section(at) => section(at).map(|section| heading(paint, page, section)).unwrap_or_default(),
        Row::Ignored(at, one) => {
            let words = section(at).and_then(|section| section.ignored.get(one));
            let words = words.map(|it| clean(it)).unwrap_or_default();
            vec![(format!("    {}", text::pan(&words, page.pan)), paint.role(Role::Dim))]
        }
        Row::Fold(at, from, to) => {
            let lines = section(at).map(|section| section.lines.as_slice()).unwrap_or_default();
            // What follows stands in this.
            let trail = clean(&trail(lines, to).join("."));
            let dots = if ascii { "..." } else { "⋯" };
            let count = to - from;
            vec![(format!("  {dots} {count} unchanged {dots} {trail}"), paint.role(Role::Dim))]
        }
        Row::Line(at, line) => {
            let Some(line) = section(at).and_then(|section| section.lines.get(line)) else { return Vec::new() };
            let style = match line.side {
                Side::Both => paint.role(Role::Text),
                Side::Before => paint.role(Role::Bad),
                Side::After => paint.role(Role::Good),
            };
            let text = clean(&line.text);
            vec![(format!("{} {}", line.side.mark(), text::pan(&text, page.pan)), style)]
        }
    }
}

fn heading(paint: &mut Paint<'_>, page: &DiffPage, section: &Section) -> Vec<Run> {
    let ascii = paint.ascii();
    let open = match (page.is_open(section), ascii) {
        _ if section.lines.is_empty() => "  ",
        (true, false) => "▾ ",
        (false, false) => "▸ ",
        (true, true) => "- ",
        (false, true) => "+ ",
    };
    let differs = section.verdict.is_difference();
    let mut runs = vec![
        (open.to_owned(), paint.role(Role::Dim)),
        (
            text::clean(&section.heading, ascii).into_owned(),
            paint.role(if differs { Role::Strong } else { Role::Text }),
        ),
    ];
    let (told, role) = match &section.verdict {
        Verdict::Shown => (String::new(), Role::Dim),
        Verdict::Same => ("  no difference".to_owned(), Role::Dim),
        Verdict::Differs(removed, added) => (format!("  -{removed} +{added}"), Role::Accent),
        Verdict::Gone => ("  gone".to_owned(), Role::Bad),
        Verdict::New => ("  new".to_owned(), Role::Good),
        Verdict::Unknown(reason) => (format!("  not known: {}", text::clean(reason, ascii)), Role::Bad),
    };
    runs.push((told, paint.role(role)));
    if !section.ignored.is_empty() {
        runs.push((format!("  {} not compared", section.ignored.len()), paint.role(Role::Dim)));
    }
    if !section.set_by.is_empty() {
        let names = text::clean(&section.set_by.join(", "), ascii).into_owned();
        runs.push((format!(", some set by {names}"), paint.role(Role::Accent)));
    }
    runs
}
