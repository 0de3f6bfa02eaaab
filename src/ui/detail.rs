//! What is known of the selected thing, wrapped.

use ratatui::layout::Rect;

use crate::app::{
    App,
    page::application::{ApplicationPage, detail},
};

use super::{
    paint::{Paint, Run, width},
    text,
    theme::Role,
};

/// Draws the detail of the selected thing.
pub(super) fn draw(app: &App, paint: &mut Paint<'_>, page: &ApplicationPage, area: Rect, focused: bool) {
    let Some(key) = page.selected() else { return };
    let cells = detail::lines(&app.world, &page.app, key);
    let mut lines: Vec<Vec<Run>> = Vec::new();
    for cell in &cells {
        let runs = paint.runs(cell);
        wrap(&runs, area.width, &mut lines);
    }
    paint.viewports.detail = (lines.len(), usize::from(area.height));
    if focused {
        paint.viewports.height = usize::from(area.height);
    }
    let offset = page.detail_offset.min(lines.len().saturating_sub(usize::from(area.height)));
    for (line, y) in lines.iter().skip(offset).zip(area.y..area.bottom()) {
        paint.put(area.x, y, area.width, line, None);
    }
    let hidden = lines.len().saturating_sub(offset + usize::from(area.height));
    if hidden > 0 && area.height > 1 {
        let note = format!(" {hidden} more ");
        let style = paint.role(Role::Dim);
        let x = area.right().saturating_sub(note.len() as u16);
        paint.text(x, area.bottom() - 1, area.right().saturating_sub(x), &note, style);
    }
}

/// Breaks runs into lines. What follows a name in the first run is indented as far, so that values stand in a column.
pub(super) fn wrap(runs: &[Run], room: u16, lines: &mut Vec<Vec<Run>>) {
    if width(runs) <= room {
        lines.push(runs.to_vec());
        return;
    }
    let indent = match runs {
        [(name, _), _, ..] if text::width(name) <= usize::from(room / 2) => text::width(name),
        [(only, _)] => only.len() - only.trim_start().len(),
        _ => 0,
    };
    let mut line: Vec<Run> = Vec::new();
    let mut used = 0;
    let room = usize::from(room);
    for (run, style) in runs {
        let mut rest = run.as_str();
        loop {
            let left = room.saturating_sub(used);
            // A line is looked at, and no more: text may be long.
            if text::clip(rest, left).len() == rest.len() {
                line.push((rest.to_owned(), *style));
                used += text::width(rest);
                break;
            }
            let lead = rest.len() - rest.trim_start().len();
            let ahead = left.saturating_sub(lead).max(1);
            // Two cells more, so that a word that goes on is seen to.
            let near = text::clip(rest.trim_start(), ahead + 2);
            let first = text::wrap(near, ahead).into_iter().next().unwrap_or_default();
            let taken = lead + first.len();
            line.push((rest.get(..taken).unwrap_or_default().to_owned(), *style));
            lines.push(std::mem::take(&mut line));
            rest = rest.get(taken..).unwrap_or_default().trim_start();
            line.push((" ".repeat(indent), *style));
            used = indent;
            if rest.is_empty() || indent >= room {
                break;
            }
        }
    }
    if line.iter().any(|(text, _)| !text.trim().is_empty()) {
        lines.push(line);
    }
}

#[cfg(test)]
mod tests {
    use ratatui::style::Style;

    use super::*;

    #[test]
    fn long_text_costs_its_length_and_no_more() {
        for text in ["z".repeat(400_000), "日本 ".repeat(100_000)] {
            let mut lines = Vec::new();
            wrap(&[(text, Style::new())], 40, &mut lines);
            // With the whole rest looked at for every line, this would take minutes.
            assert!(lines.len() >= 10_000, "{}", lines.len());
        }
    }

    #[test]
    fn values_stand_in_a_column_and_nothing_is_lost() {
        let runs =
            vec![("reason   ".to_owned(), Style::new()), ("one two three four five six".to_owned(), Style::new())];
        for room in 4..60 {
            let mut lines = Vec::new();
            wrap(&runs, room, &mut lines);
            let texts: Vec<String> =
                lines.iter().map(|line| line.iter().map(|(text, _)| text.as_str()).collect::<String>()).collect();
            let squeezed: String = texts.join(" ").split_whitespace().collect();
            assert_eq!(squeezed, "reasononetwothreefourfivesix", "{room} {texts:?}");
            if (18..36).contains(&room) {
                assert!(texts.iter().skip(1).all(|text| text.starts_with("         ")), "{texts:?}");
            }
        }
    }
}
