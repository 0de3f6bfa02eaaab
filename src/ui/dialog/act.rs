//! The dialog that asks before an object is restarted, scaled or deleted.

use ratatui::layout::Rect;

use crate::{
    app::{
        App,
        dialog::act::{ActDialog, Focus},
        page::clusters,
        table::{Cell, Part, Tone},
    },
    model::{acting::Verb, health::Health},
    ui::{
        detail,
        paint::{Paint, Run, width},
        text,
        theme::Role,
    },
};

use super::centred;

/// Room for the names on the left.
const NAMES: usize = 11;

/// Draws the dialog; answers where the terminal's cursor belongs.
pub(in crate::ui) fn draw(app: &App, paint: &mut Paint<'_>, dialog: &ActDialog, area: Rect) -> Option<(u16, u16)> {
    let wide = area.width.saturating_sub(2).min(78);
    let room = wide.saturating_sub(4);
    let mut lines: Vec<Vec<Run>> = Vec::new();
    for cell in facts(app, dialog) {
        let runs = paint.runs(&cell);
        detail::wrap(&runs, room, &mut lines);
    }
    let below = below(paint, dialog, room);
    let area = centred(area, wide, (lines.len() + below.len() + 4) as u16);
    let inner = paint.frame(area, dialog.verb.as_str());
    let x = inner.x + 1;
    // Where not everything fits, the facts give way from the end; what is wrong and the buttons stay.
    let bottom = inner.bottom().saturating_sub(below.len() as u16 + 2);
    for (line, y) in lines.iter().zip(inner.y..bottom) {
        paint.put(x, y, room, line, None);
    }
    let mut y = bottom.max(inner.y);
    for line in &below {
        y += 1;
        if y < inner.bottom() {
            paint.put(x, y, room, line, None);
        }
    }
    let y = inner.bottom().checked_sub(1).filter(|y| *y >= inner.y)?;
    buttons(app, paint, dialog, x, y, room);
    let lead = NAMES + text::width(dialog.number.before());
    (dialog.focus == Focus::Number).then_some((x + (lead as u16).min(room), y.saturating_sub(1)))
}

fn pair(name: &str, value: Vec<Part>) -> Cell {
    let mut cell = vec![Part::dim(format!("{name:<NAMES$}"))];
    cell.extend(value);
    cell
}

fn facts(app: &App, dialog: &ActDialog) -> Vec<Cell> {
    let key = &dialog.key;
    let verb = match dialog.verb {
        Verb::Restart => "Restart",
        Verb::Scale => "Scale",
        Verb::Delete => "Delete",
    };
    let mut lines = vec![vec![Part::Text(format!("{verb} {}/{}?", key.kind, key.name), Tone::Strong)], Cell::new()];
    lines.push(pair("hub", vec![Part::plain(&*app.world.hub)]));
    let mut cluster = vec![Part::plain(format!("{}  ", key.cluster))];
    cluster.extend(clusters::link_in_short(app.world.link(&key.cluster)));
    lines.push(pair("cluster", cluster));
    if !key.namespace.is_empty() {
        lines.push(pair("namespace", vec![Part::plain(&*key.namespace)]));
    }
    lines.push(pair("object", vec![Part::plain(format!("{}/{}", key.kind, key.name))]));
    match &dialog.prepared {
        None => lines.push(pair("", vec![Part::dim("reading it, and what you may do there…")])),
        Some(Err(_)) => {}
        Some(Ok(_)) => {
            lines.push(pair("effect", vec![Part::plain(dialog.effect())]));
            if !dialog.along.is_empty() {
                lines.push(pair("along", vec![Part::plain(dialog.along.join(", "))]));
            }
            if let Some(afterwards) = dialog.afterwards() {
                lines.push(pair("then", vec![Part::Text(afterwards, Tone::Health(Health::Waiting))]));
            }
            let undo = match dialog.verb {
                Verb::Restart => "none: the old pods are gone then",
                Verb::Scale => "scale it back",
                Verb::Delete => "none: what is deleted is not brought back",
            };
            lines.push(pair("undo", vec![Part::plain(undo)]));
        }
    }
    lines
}

/// What stands between the facts and the buttons: what is wrong, what was dropped, the number to be typed.
fn below(paint: &mut Paint<'_>, dialog: &ActDialog, room: u16) -> Vec<Vec<Run>> {
    let mut lines = Vec::new();
    let mut say = |paint: &mut Paint<'_>, text: &str, role: Role| {
        let text = text::clean(text, paint.ascii()).into_owned();
        for line in text::wrap(&text, usize::from(room)) {
            lines.push(vec![(line, paint.role(role))]);
        }
    };
    if let Some(barred) = dialog.barred() {
        say(paint, &format!("{barred}. Nothing can be confirmed; esc closes."), Role::Bad);
        return lines;
    }
    if dialog.guard.dropped > 0 {
        let dropped = dialog.guard.dropped;
        let (keys, came) = if dropped == 1 { ("key", "it") } else { ("keys", "they") };
        say(paint, &format!("{dropped} {keys} dropped: {came} came before this could be read."), Role::Accent);
    }
    if let Some(refusal) = dialog.refusal.as_deref().or(dialog.guard.refusal) {
        say(paint, refusal, Role::Bad);
    }
    if dialog.verb == Verb::Scale && dialog.read().is_some() {
        let (dim, plain) = (paint.role(Role::Dim), paint.role(Role::Strong));
        let number = text::clean(dialog.number.text(), paint.ascii()).into_owned();
        lines.push(vec![(format!("{:<NAMES$}", "pods"), dim), (number, plain)]);
    }
    lines
}

fn buttons(app: &App, paint: &mut Paint<'_>, dialog: &ActDialog, x: u16, y: u16, room: u16) {
    let focused = |paint: &Paint<'_>, focus: Focus, role: Role| {
        paint.role(if dialog.focus == focus { Role::Cursor } else { role })
    };
    let cancel = ("[ Cancel ]".to_owned(), focused(paint, Focus::Cancel, Role::Text));
    let label = match dialog.verb {
        Verb::Restart => "y  Restart",
        Verb::Scale => "y  Scale",
        Verb::Delete => "y  Delete",
    };
    let style = match (dialog.barred().is_some(), dialog.guard.is_armed(app.world.now)) {
        (true, _) => paint.role(Role::Barred),
        (_, true) => focused(paint, Focus::Confirm, Role::Strong),
        // Not yet: it is being read, or a moment is left to read it.
        (_, false) => paint.role(Role::Dim),
    };
    let gap = ("      ".to_owned(), paint.role(Role::Text));
    let runs = [cancel, gap, (label.to_owned(), style)];
    let indent = room.saturating_sub(width(&runs)) / 2;
    paint.put(x + indent, y, room - indent, &runs, None);
}
