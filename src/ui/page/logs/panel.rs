//! The sources of a log: how each stands, how much it brings, which are shown.

use ratatui::layout::Rect;

use crate::{
    app::{
        App,
        page::logs::{
            LogPage,
            sources::{Source, Standing},
        },
    },
    model::{
        health::Health,
        log::{End, StreamState},
    },
    ui::{
        paint::{Paint, Run, width},
        table::scroll,
        text,
        theme::Role,
    },
};

use super::{color_of, grouped};

/// Draws the panel where it is open; answers what is left for the lines.
pub(super) fn draw(app: &App, paint: &mut Paint<'_>, page: &LogPage, area: Rect) -> Rect {
    let Some(cursor) = page.panel() else { return area };
    let count = page.sources().len();
    let most = (usize::from(area.height) / 2).max(2);
    let height = (count + 1).min(most);
    let rows = height.saturating_sub(1);
    let offset = scroll(0, cursor, rows, count);
    let room = area.width.saturating_sub(2);
    // Numbers to the right, the name in what is left, the state after it.
    let numbers = [9_u16, 8, 9];
    let for_numbers: u16 = numbers.iter().map(|wide| wide + 1).sum();
    let names = page.sources().iter().map(|source| text::width(&source.source.to_string())).max().unwrap_or(6) as u16;
    let name = names.min(room.saturating_sub(for_numbers + 4) * 3 / 5).max(8);
    let heading = paint.role(Role::Heading);
    let mut x = area.x + 1;
    paint.text(x + 2, area.y, name, "SOURCE", heading);
    x += name + 3;
    for (title, wide) in ["LINES/S", "LAG", "DROPPED"].iter().zip(numbers) {
        let indent = wide - title.len() as u16;
        paint.text(x + indent, area.y, wide - indent, title, heading);
        x += wide + 1;
    }
    paint.text(x + 1, area.y, area.right().saturating_sub(x + 1), "STATE", heading);
    for ((source, at), y) in page.sources().iter().zip(0..).skip(offset).take(rows).zip(area.y + 1..) {
        let over = (at == cursor).then(|| paint.role(Role::Cursor));
        if let Some(style) = over {
            paint.style(Rect::new(area.x, y, area.width, 1), style);
        }
        let mut x = area.x + 1;
        let style = if source.hidden {
            paint.role(Role::Dim)
        } else if app.look().color {
            color_of(&source.source)
        } else {
            paint.role(Role::Text)
        };
        let shown = if source.hidden { "  " } else { "+ " };
        let title = source.source.to_string();
        let title = text::elide(&title, usize::from(name), paint.ascii()).into_owned();
        paint.put(x, y, name + 2, &[(shown.to_owned(), style), (title, style)], over);
        x += name + 3;
        let lag = source.lag.filter(|_| source.lines > 0).map_or_else(|| "-".to_owned(), lag);
        let cells = [grouped(source.rate.per_second(paint.world.now)), lag, grouped(source.dropped)];
        for ((cell, wide), is_dropped) in cells.into_iter().zip(numbers).zip([false, false, true]) {
            let role = if is_dropped && source.dropped > 0 { Role::Bad } else { Role::Text };
            let indent = wide.saturating_sub(text::width(&cell) as u16);
            let style = over.unwrap_or_else(|| paint.role(role));
            paint.text(x + indent, y, wide - indent, &cell, style);
            x += wide + 1;
        }
        let run = state(paint, source);
        let left = area.right().saturating_sub(x + 2);
        paint.put(x + 1, y, left.max(width(&[])), &[run], over);
    }
    Rect { y: area.y + height as u16, height: area.height - height as u16, ..area }
}

/// How late lines come: their clock may be to blame.
fn lag(lag: jiff::SignedDuration) -> String {
    let millis = lag.as_millis();
    let of = |millis: i128| match millis {
        0..1000 => format!("{millis}ms"),
        1000..120_000 => format!("{}s", millis / 1000),
        120_000..7_200_000 => format!("{}m", millis / 60_000),
        _ => format!("{}h", millis / 3_600_000),
    };
    if millis < 0 { format!("-{}", of(-millis)) } else { of(millis) }
}

fn state(paint: &Paint<'_>, source: &Source) -> Run {
    let bad = paint.theme().health(Health::Failed);
    let (words, style) = match &source.standing {
        Standing::Open(StreamState::Opening) => ("opening".to_owned(), paint.role(Role::Dim)),
        Standing::Open(StreamState::Following) => ("following".to_owned(), paint.role(Role::Text)),
        Standing::Open(StreamState::Waiting(why)) => (format!("waiting: {why}"), paint.role(Role::Accent)),
        Standing::Open(StreamState::Broken(why)) => (format!("broken: {why}"), bad),
        Standing::Ended(end) => {
            let fine = matches!(end, End::Read) || matches!(end, End::Exited(exit) if exit.code == 0);
            (format!("ended: {end}"), if fine { paint.role(Role::Dim) } else { bad })
        }
    };
    (text::clean(&words, paint.ascii()).into_owned(), style)
}
