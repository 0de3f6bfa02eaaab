//! The dialog that asks for an approval.

use ratatui::layout::Rect;

use crate::{
    app::{
        App,
        dialog::approve::{ApproveDialog, Focus},
        page::{applications::short_revision, clusters},
        table::{Cell, Part, Tone},
        words,
    },
    model::{cluster::LinkState, health::Health},
    ui::{
        paint::{Paint, Run, width},
        text,
        theme::Role,
    },
};

use super::centred;

/// Room for the names on the left.
const NAMES: usize = 11;
/// Steps that are named; of more only the number.
const STEPS: usize = 4;
/// Clusters that are named; those that do not answer come first.
const CLUSTERS: usize = 4;

/// Draws the dialog; answers where the terminal's cursor belongs.
pub(in crate::ui) fn draw(app: &App, paint: &mut Paint<'_>, dialog: &ApproveDialog, area: Rect) -> Option<(u16, u16)> {
    let wide = area.width.saturating_sub(2).min(78);
    let room = wide.saturating_sub(4);
    let mut lines: Vec<Vec<Run>> = Vec::new();
    for cell in facts(app, dialog) {
        let runs = paint.runs(&cell);
        wrap(&runs, room, &mut lines);
    }
    let below = below(app, paint, dialog, room);
    let height = (lines.len() + below.len() + 4) as u16;
    let area = centred(area, wide, height);
    let inner = paint.frame(area, "approve");
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
    // The name is typed on the last line above the buttons.
    let typing = dialog.focus == Focus::Name && dialog.needs_name(&app.world) && !dialog.is_over();
    let lead = NAMES + text::width(dialog.name.before());
    typing.then_some((x + (lead as u16).min(room), y.saturating_sub(1)))
}

fn pair(name: &str, value: Vec<Part>) -> Cell {
    let mut cell = vec![Part::dim(format!("{name:<NAMES$}"))];
    cell.extend(value);
    cell
}

fn facts(app: &App, dialog: &ApproveDialog) -> Vec<Cell> {
    let key = &dialog.approval.app;
    let gates: Vec<&str> = dialog.gates().map(|gate| &*gate.step.name).filter(|name| !name.is_empty()).collect();
    let what = match &gates[..] {
        [] => format!("Resume {}?", key.name),
        [gate] => format!("Resume {} at {gate}?", key.name),
        gates => format!("Resume {} at {} steps: {}?", key.name, gates.len(), gates.join(", ")),
    };
    let mut lines = vec![vec![Part::Text(what, Tone::Strong)], Cell::new()];
    lines.push(pair("hub", vec![Part::plain(&*app.world.hub)]));
    let revision = dialog.waiting.revision.as_deref().map_or("-", |revision| revision);
    let mut object = vec![Part::plain(format!("{key}  (revision {}", short_revision(revision, &key.name)))];
    if let Some(since) = dialog.gates().filter_map(|gate| gate.since).min() {
        object.push(Part::plain(", suspended "));
        object.push(Part::Ago(Some(since), Tone::Plain));
    }
    object.push(Part::plain(")"));
    lines.push(pair("object", object));
    for prompt in dialog.gates().filter_map(|gate| gate.prompt.as_ref()) {
        lines.push(pair("prompt", vec![Part::plain(format!("\"{prompt}\""))]));
    }
    let next = &dialog.waiting.next;
    if next.is_empty() {
        lines.push(pair("starts", vec![Part::plain("nothing more: the workflow ends")]));
    }
    for (at, step) in next.iter().enumerate().take(STEPS) {
        let name = if at == 0 { "starts" } else { "then" };
        let gate = if step.is_gate { ", which waits again" } else { "" };
        lines.push(pair(name, vec![Part::plain(format!("{}{gate}", words::next_step(step, &key.namespace)))]));
    }
    if next.len() > STEPS {
        lines.push(pair("", vec![Part::dim(format!("and {} more steps", next.len() - STEPS))]));
    }
    if dialog.waiting.gates.len() > dialog.gates().count() {
        lines.push(pair("", vec![Part::dim("as far as the other waiting steps let it")]));
    }
    let answering: Vec<_> = dialog.links(&app.world).into_iter().filter(|(_, state)| !is_lost(*state)).collect();
    for (cluster, state) in answering.iter().take(CLUSTERS) {
        lines.push(pair(cluster.as_str(), link(*state)));
    }
    if answering.len() > CLUSTERS {
        lines.push(pair("", vec![Part::dim(format!("and {} more clusters", answering.len() - CLUSTERS))]));
    }
    let undo = "none: a started deployment is not taken back";
    lines.push(pair("undo", vec![Part::plain(undo)]));
    lines
}

fn is_lost(state: Option<&LinkState>) -> bool {
    matches!(state, Some(LinkState::Unreachable { .. }))
}

/// How a cluster stands that what follows reaches, and what that means.
fn link(state: Option<&LinkState>) -> Vec<Part> {
    match state {
        None => vec![Part::dim("how it stands is not known here")],
        Some(LinkState::Unreachable { since, .. }) => {
            let tone = Tone::Health(Health::Failed);
            vec![
                Part::Mark(Health::Failed),
                Part::Text(" unreachable ".to_owned(), tone),
                Part::Ago(Some(*since), tone),
                Part::Text(": KubeVela will fail this workflow within a minute".to_owned(), tone),
            ]
        }
        Some(LinkState::Degraded { .. }) => {
            let mut parts = clusters::link_in_short(state);
            parts.push(Part::dim(" (answers, with trouble)"));
            parts
        }
        Some(_) => clusters::link_in_short(state),
    }
}

/// What stands between the facts and the buttons: what is wrong, what was dropped, the name to be typed.
fn below(app: &App, paint: &mut Paint<'_>, dialog: &ApproveDialog, room: u16) -> Vec<Vec<Run>> {
    let mut lines = Vec::new();
    if dialog.moved.is_none() {
        let lost: Vec<_> = dialog.links(&app.world).into_iter().filter(|(_, state)| is_lost(*state)).collect();
        for (cluster, state) in lost.iter().take(CLUSTERS) {
            let runs = paint.runs(&pair(cluster.as_str(), link(*state)));
            wrap(&runs, room, &mut lines);
        }
        if lost.len() > CLUSTERS {
            let runs = paint
                .runs(&pair("", vec![Part::dim(format!("and {} more that do not answer", lost.len() - CLUSTERS))]));
            lines.push(runs);
        }
    }
    let mut say = |paint: &mut Paint<'_>, text: &str, role: Role| {
        let text = text::clean(text, paint.ascii()).into_owned();
        for line in text::wrap(&text, usize::from(room)) {
            lines.push(vec![(line, paint.role(role))]);
        }
    };
    if let Some(moved) = &dialog.moved {
        say(paint, &format!("Not so any more: {moved}. Nothing can be confirmed; esc closes."), Role::Bad);
        return lines;
    }
    if let Some(barred) = &dialog.barred {
        say(paint, &format!("{barred}. Nothing can be confirmed; esc closes."), Role::Bad);
        return lines;
    }
    if dialog.waits_for_time() {
        say(paint, "It waits for a time: KubeVela suspends it again when it is resumed before.", Role::Bad);
    }
    if dialog.guard.dropped > 0 {
        let (keys, came) = if dialog.guard.dropped == 1 { ("key", "it") } else { ("keys", "they") };
        let text = format!("{} {keys} dropped: {came} came before this could be read.", dialog.guard.dropped);
        say(paint, &text, Role::Accent);
    }
    if let Some(refusal) = dialog.guard.refusal {
        say(paint, refusal, Role::Bad);
    }
    if dialog.needs_name(&app.world) {
        let name = text::clean(dialog.name.text(), paint.ascii()).into_owned();
        let hint = if dialog.name.text().is_empty() {
            format!("(type {} to approve all the same)", dialog.approval.app.name)
        } else {
            String::new()
        };
        let (dim, plain) = (paint.role(Role::Dim), paint.role(Role::Text));
        lines.push(vec![(format!("{:<NAMES$}", "name"), dim), (name, plain), (hint, dim)]);
    }
    lines
}

fn buttons(app: &App, paint: &mut Paint<'_>, dialog: &ApproveDialog, x: u16, y: u16, room: u16) {
    let focused = |paint: &Paint<'_>, focus: Focus, role: Role| {
        paint.role(if dialog.focus == focus { Role::Cursor } else { role })
    };
    let cancel = ("[ Cancel ]".to_owned(), focused(paint, Focus::Cancel, Role::Text));
    let ready = dialog.guard.is_armed(app.world.now) && !dialog.is_over();
    let typed = dialog.needs_name(&app.world);
    let label = if typed { "enter  Approve" } else { "y  Approve" };
    let approve = match (dialog.is_over(), ready) {
        (true, _) => (label.to_owned(), paint.role(Role::Barred)),
        (_, true) => (label.to_owned(), focused(paint, Focus::Approve, Role::Strong)),
        // Not yet: a moment to read.
        (_, false) => (label.to_owned(), paint.role(Role::Dim)),
    };
    let gap = ("      ".to_owned(), paint.role(Role::Text));
    let runs = [cancel, gap, approve];
    let indent = room.saturating_sub(width(&runs)) / 2;
    paint.put(x + indent, y, room - indent, &runs, None);
}

/// Breaks a fact that is too long; what follows stands under its value.
fn wrap(runs: &[Run], room: u16, lines: &mut Vec<Vec<Run>>) {
    crate::ui::detail::wrap(runs, room, lines);
}
