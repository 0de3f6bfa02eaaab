//! What differs: a line a row, marked and coloured; what is unchanged is folded, and the fold says where it stands.

use ratatui::{layout::Rect, style::Style};

use crate::{
    app::{
        App,
        page::diff::{DiffPage, Row},
    },
    model::diff::{Line, Report, Section, Side, Verdict, trail},
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
    let beside = page.is_beside() && room >= BESIDE;
    let narrow = page.is_beside() && !beside;
    let late = u16::from(page.failed().is_some() || narrow).min(area.height);
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
        let section = match row {
            Row::Line(section, _) | Row::Pair(section, ..) => report.sections.get(*section),
            _ => None,
        };
        if let Some(section) = section.filter(|section| beside && section.verdict != Verdict::Shown) {
            both(paint, page, section, *row, (area.x + 1, y, room), over);
        } else {
            let runs = runs(paint, page, report, *row);
            paint.put(area.x + 1, y, room, &runs, over);
        }
    }
    let why = page.failed().map(|why| format!("not up to date: {why}"));
    let why = why.or_else(|| narrow.then(|| "too narrow to show both sides beside each other: b".to_owned()));
    if let (Some(why), 1) = (why, late) {
        let style = paint.role(Role::Accent);
        paint.text(area.x + 1, area.bottom() - 1, room, &why, style);
    }
}

/// Cells that both sides beside each other take, at least.
const BESIDE: u16 = 100;

/// Draws a row with what was on the left and what is on the right.
fn both(
    paint: &mut Paint<'_>,
    page: &DiffPage,
    section: &Section,
    row: Row,
    (x, y, room): (u16, u16, u16),
    over: Option<Style>,
) {
    let half = room.saturating_sub(3) / 2;
    let (before, after) = match row {
        Row::Line(_, line) => match section.lines.get(line).map(|line| line.side) {
            Some(Side::Before) => (Some(line), None),
            Some(Side::After) => (None, Some(line)),
            _ => (Some(line), Some(line)),
        },
        Row::Pair(_, before, after) => (before, after),
        _ => (None, None),
    };
    let mut put = |x: u16, line: Option<usize>| {
        if let Some(line) = line.and_then(|line| section.lines.get(line)) {
            let run = line_run(paint, page, line);
            paint.put(x, y, half, &[run], over);
        }
    };
    put(x, before);
    put(x + half + 3, after);
    let style = over.unwrap_or(paint.role(Role::Dim));
    let bar = if paint.ascii() { " | " } else { " │ " };
    paint.put(x + half, y, 3, &[(bar.to_owned(), style)], None);
}

fn line_run(paint: &Paint<'_>, page: &DiffPage, line: &Line) -> Run {
    let style = match line.side {
        Side::Both => paint.role(Role::Text),
        Side::Before => paint.role(Role::Bad),
        Side::After => paint.role(Role::Good),
    };
    let text = text::clean(&line.text, paint.ascii()).into_owned();
    (format!("{} {}", line.side.mark(), text::pan(&text, page.pan)), style)
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
        Row::Reason(at) => {
            let words = section(at).and_then(|section| match &section.verdict {
                Verdict::Unknown(reason) => Some(clean(reason)),
                _ => None,
            });
            vec![(format!("    {}", text::pan(&words.unwrap_or_default(), page.pan)), paint.role(Role::Bad))]
        }
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
            vec![line_run(paint, page, line)]
        }
        // Drawn as lines where both sides do not fit beside each other.
        Row::Pair(at, before, after) => {
            let line = |line: Option<usize>| section(at).and_then(|section| section.lines.get(line?));
            let found = [line(before), line(after)];
            let arrow = if ascii { "  ->  " } else { "  →  " };
            let mut runs = Vec::new();
            for line in found.into_iter().flatten() {
                if !runs.is_empty() {
                    runs.push((arrow.to_owned(), paint.role(Role::Dim)));
                }
                runs.push(line_run(paint, page, line));
            }
            runs
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
        Verdict::Unknown(_) => ("  not known".to_owned(), Role::Bad),
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
