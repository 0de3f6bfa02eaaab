//! The keys that work here, and the commands.

use ratatui::layout::Rect;

use crate::{
    app::{App, command::COMMANDS, dialog::help::HelpLayer},
    ui::{
        paint::{Paint, Run, width},
        theme::Role,
    },
};

/// Draws the help over the whole screen.
pub(in crate::ui) fn draw(app: &App, paint: &mut Paint<'_>, help: &HelpLayer, area: Rect) {
    let more = if help.lines > help.height { " · j k: more" } else { "" };
    let inner = paint.frame(area, &format!("keys · {} · esc: back{more}", help.view.as_str()));
    let (plain, dim, key, barred) =
        (paint.role(Role::Text), paint.role(Role::Dim), paint.role(Role::Key), paint.role(Role::Barred));
    let mut lines: Vec<Vec<Run>> = Vec::new();
    let mut table = None;
    for line in app.keymap.help(help.view) {
        let shadowed = app.keymap.shadowed(help.view, line);
        if shadowed.len() == line.keys.len() {
            continue;
        }
        if table != Some(line.view) {
            if table.is_some() {
                lines.push(Vec::new());
            }
            lines.push(vec![(line.view.as_str().to_owned(), paint.role(Role::Accent))]);
            table = Some(line.view);
        }
        let keys: Vec<String> =
            line.keys.iter().filter(|key| !shadowed.contains(key)).map(ToString::to_string).collect();
        let reason = app.world.readonly.as_ref().filter(|_| line.writes());
        let mut runs = vec![(format!("  {:<14}", keys.join(" ")), if reason.is_some() { barred } else { key })];
        match reason {
            Some(reason) => {
                runs.push((line.help.to_owned(), barred));
                runs.push((format!("  {reason}"), dim));
            }
            None => runs.push((line.help.to_owned(), plain)),
        }
        let instead: Vec<String> = shadowed.iter().map(ToString::to_string).collect();
        if !instead.is_empty() {
            runs.push((format!("  ({} does something else here)", instead.join(" ")), dim));
        }
        lines.push(runs);
    }
    lines.push(Vec::new());
    lines.push(vec![("commands".to_owned(), paint.role(Role::Accent))]);
    for spec in COMMANDS {
        let first = spec.names.first().copied().unwrap_or_default();
        let others: Vec<&str> = spec.names.iter().skip(1).copied().collect();
        let mut runs = vec![(format!("  {:<14}", format!(":{first}")), key), (spec.help.to_owned(), plain)];
        if !others.is_empty() {
            runs.push((format!("  ({})", others.join(", ")), dim));
        }
        lines.push(runs);
    }
    let (columns, wide) = columns(&lines, inner);
    let per_column = lines.len().div_ceil(columns);
    let height = usize::from(inner.height);
    paint.viewports.layer = (per_column, height);
    let offset = help.offset.min(per_column.saturating_sub(height));
    for (at, line) in lines.iter().enumerate() {
        let (column, row) = (at / per_column, at % per_column);
        if row < offset || row - offset >= height {
            continue;
        }
        let x = inner.x + 1 + column as u16 * (wide + 2);
        paint.put(x, inner.y + (row - offset) as u16, inner.right().saturating_sub(x), line, None);
    }
}

/// Two columns where the screen takes them.
fn columns(lines: &[Vec<Run>], inner: Rect) -> (usize, u16) {
    let wide = lines.iter().map(|line| width(line)).max().unwrap_or(0).min(inner.width.saturating_sub(4) / 2);
    if inner.width >= 140 && lines.len() > usize::from(inner.height) { (2, wide) } else { (1, wide) }
}
