//! The dialog that shows what a draft would change, and the one that asks for a Secret's content.

use ratatui::layout::Rect;

use crate::{
    app::{
        App,
        dialog::{
            content::ContentDialog,
            edit::{EditDialog, Focus, Stage},
            guard::Guard,
        },
    },
    model::edit::Change,
    ui::{
        detail,
        paint::{Paint, Run, width},
        text,
        theme::Role,
    },
};

use super::centred;

/// Room for the names on the left.
const NAMES: usize = 10;
/// Lines of one side of a change that are shown.
const SIDE: usize = 12;

/// Draws what a draft would change. Facts and buttons stay; the changes scroll between them.
pub(in crate::ui) fn draw(app: &App, paint: &mut Paint<'_>, dialog: &EditDialog, area: Rect) {
    let wide = area.width.saturating_sub(2).min(96);
    let room = wide.saturating_sub(4);
    let mut above = Vec::new();
    above.push(vec![(format!("Edit {}/{}?", dialog.key.kind, dialog.key.name), paint.role(Role::Strong))]);
    above.push(Vec::new());
    pair(paint, room, &mut above, "hub", &app.world().hub, Role::Text);
    pair(paint, room, &mut above, "cluster", dialog.key.cluster.as_str(), Role::Text);
    if !dialog.key.namespace.is_empty() {
        pair(paint, room, &mut above, "namespace", &dialog.key.namespace, Role::Text);
    }
    let mut changes = Vec::new();
    let mut below = Vec::new();
    if let Stage::Broken(broken) = &dialog.stage {
        if let Some((line, column)) = broken.place {
            changes.push(vec![(format!("line {line}, column {column}:"), paint.role(Role::Dim))]);
            // Around the place: the line may be longer than the screen.
            let column = usize::try_from(column).unwrap_or(1).max(1) - 1;
            let from = if column < usize::from(room) / 2 { 0 } else { column - usize::from(room) / 2 };
            let line: String = broken.line.chars().skip(from).take(usize::from(room)).collect();
            let shown = text::clean(&line, paint.ascii()).into_owned();
            changes.push(vec![(shown, paint.role(Role::Text))]);
            let before: String = line.chars().take(column - from).collect();
            let indent = text::width(&text::clean(&before, paint.ascii()));
            changes.push(vec![(format!("{}^", " ".repeat(indent)), paint.role(Role::Bad))]);
        }
        wrapped(paint, room, &mut changes, &broken.message, Role::Bad);
    } else {
        let places =
            if dialog.changes.len() == 1 { "1 place".to_owned() } else { format!("{} places", dialog.changes.len()) };
        pair(paint, room, &mut above, "changes", &places, Role::Text);
        for (at, change) in dialog.changes.iter().enumerate() {
            if changes.len() > MOST_LINES {
                let more = format!("and {} more places", dialog.changes.len() - at);
                changes.push(vec![(more, paint.role(Role::Dim))]);
                break;
            }
            self::change(paint, room, &mut changes, change, dialog.key.is_secret());
        }
        if let Some(then) = dialog.then() {
            pair(paint, room, &mut below, "then", then, Role::Strong);
        }
        match &dialog.stage {
            Stage::Refused(words) => pair(paint, room, &mut below, "dry run", &format!("refused: {words}"), Role::Bad),
            Stage::Accepted => pair(paint, room, &mut below, "dry run", "accepted by the server", Role::Good),
            Stage::Asking | Stage::Broken(_) => {
                pair(paint, room, &mut below, "dry run", "asking the server", Role::Dim);
            }
        }
    }
    told(paint, room, &mut below, &dialog.guard);
    let fixed = above.len() + below.len() + 6;
    let height = (fixed + changes.len()).min(usize::from(area.height)) as u16;
    let area = centred(area, wide, height);
    let inner = paint.frame(area, "edit");
    let x = inner.x + 1;
    let mut y = inner.y;
    let bottom = inner.bottom().saturating_sub(below.len() as u16 + 3);
    for line in &above {
        if y < bottom {
            paint.put(x, y, room, line, None);
            y += 1;
        }
    }
    y = (y + 1).min(bottom);
    let fits = usize::from(bottom - y);
    paint.viewports.layer = (changes.len(), fits);
    let offset = dialog.offset.min(changes.len().saturating_sub(fits));
    for (line, y) in changes.iter().skip(offset).zip(y..bottom) {
        paint.put(x, y, room, line, None);
    }
    let hidden = changes.len().saturating_sub(offset + fits);
    if hidden > 0 {
        let note = format!(" {hidden} more lines, PgDn ");
        let style = paint.role(Role::Accent);
        paint.text(inner.right().saturating_sub(note.len() as u16 + 1), bottom, note.len() as u16, &note, style);
    }
    for (line, y) in below.iter().zip(bottom + 1..inner.bottom().saturating_sub(2)) {
        paint.put(x, y, room, line, None);
    }
    let ready = dialog.stage == Stage::Accepted && dialog.guard.is_armed(app.world().now);
    let barred = matches!(dialog.stage, Stage::Broken(_) | Stage::Refused(_));
    let apply = match (barred, ready) {
        (true, _) => Role::Barred,
        (false, true) => Role::Strong,
        (false, false) => Role::Dim,
    };
    let more = ["e  Edit again", "x  Discard"];
    buttons(
        paint,
        dialog.focus,
        ("y  Apply", apply),
        &more,
        Rect { y: inner.bottom().saturating_sub(1), x, width: room, height: 1 },
    );
}

/// Draws the question for a Secret's content.
pub(in crate::ui) fn content(app: &App, paint: &mut Paint<'_>, dialog: &ContentDialog, area: Rect) {
    let wide = area.width.saturating_sub(2).min(70);
    let room = wide.saturating_sub(4);
    let mut lines = Vec::new();
    lines.push(vec![(format!("Fetch the content of Secret {}?", dialog.key.name), paint.role(Role::Strong))]);
    lines.push(Vec::new());
    pair(paint, room, &mut lines, "hub", &app.world().hub, Role::Text);
    pair(paint, room, &mut lines, "cluster", dialog.key.cluster.as_str(), Role::Text);
    pair(paint, room, &mut lines, "namespace", &dialog.key.namespace, Role::Text);
    let effect = "its values come to this machine, behind stars: r shows one at a time; leaving this view drops them";
    pair(paint, room, &mut lines, "then", effect, Role::Text);
    told(paint, room, &mut lines, &dialog.guard);
    let area = centred(area, wide, lines.len() as u16 + 4);
    let inner = paint.frame(area, "content");
    for (line, y) in lines.iter().zip(inner.y..inner.bottom()) {
        paint.put(inner.x + 1, y, room, line, None);
    }
    let ready = dialog.guard.is_armed(app.world().now);
    let role = if ready { Role::Strong } else { Role::Dim };
    let at = Rect { y: inner.bottom().saturating_sub(1), x: inner.x + 1, width: room, height: 1 };
    buttons(paint, dialog.focus, ("y  Fetch", role), &[], at);
}

fn pair(paint: &Paint<'_>, room: u16, lines: &mut Vec<Vec<Run>>, name: &str, value: &str, role: Role) {
    let value = text::clean(value, paint.ascii()).into_owned();
    let runs = [(format!("{name:<NAMES$} "), paint.role(Role::Dim)), (value, paint.role(role))];
    detail::wrap(&runs, room, lines);
}

fn wrapped(paint: &Paint<'_>, room: u16, lines: &mut Vec<Vec<Run>>, said: &str, role: Role) {
    for line in text::wrap(&text::clean(said, paint.ascii()), usize::from(room)) {
        lines.push(vec![(line, paint.role(role))]);
    }
}

/// What the guard has to say.
fn told(paint: &Paint<'_>, room: u16, lines: &mut Vec<Vec<Run>>, guard: &Guard) {
    if guard.dropped > 0 {
        let (keys, came) = if guard.dropped == 1 { ("key", "it") } else { ("keys", "they") };
        let said = format!("{} {keys} dropped: {came} came before this could be read.", guard.dropped);
        wrapped(paint, room, lines, &said, Role::Accent);
    }
    if let Some(refusal) = guard.refusal {
        wrapped(paint, room, lines, refusal, Role::Bad);
    }
}

/// Lines of changes that are shown, at most: they are made anew for each frame.
const MOST_LINES: usize = 1000;

/// One place, old before new. A Secret's values are not shown.
fn change(paint: &Paint<'_>, room: u16, lines: &mut Vec<Vec<Run>>, change: &Change, secret: bool) {
    wrapped(paint, room, lines, &change.path, Role::Field);
    for (side, mark, role) in [(&change.old, "- ", Role::Bad), (&change.new, "+ ", Role::Good)] {
        if secret && !side.is_empty() {
            lines.push(vec![(format!("  {mark}********"), paint.role(role))]);
            continue;
        }
        for line in side.iter().take(SIDE) {
            let line = text::clean(line, paint.ascii()).into_owned();
            lines.push(vec![(format!("  {mark}"), paint.role(role)), (line, paint.role(role))]);
        }
        if side.len() > SIDE {
            lines.push(vec![(format!("    and {} more lines", side.len() - SIDE), paint.role(Role::Dim))]);
        }
    }
}

fn buttons(paint: &mut Paint<'_>, focus: Focus, apply: (&str, Role), more: &[&str], at: Rect) {
    let style = |paint: &Paint<'_>, has: bool, role: Role| paint.role(if has { Role::Cursor } else { role });
    let mut runs = vec![("[ Cancel ]".to_owned(), style(paint, focus == Focus::Cancel, Role::Text))];
    for word in more {
        runs.push((format!("   {word}"), paint.role(Role::Text)));
    }
    runs.push(("   ".to_owned(), paint.role(Role::Text)));
    let has = focus == Focus::Apply && apply.1 == Role::Strong;
    runs.push((apply.0.to_owned(), style(paint, has, apply.1)));
    let indent = at.width.saturating_sub(width(&runs)) / 2;
    paint.put(at.x + indent, at.y, at.width - indent, &runs, None);
}
