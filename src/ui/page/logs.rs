//! Logs: time, source and text of each line, and in between what is to be said about them. A frame costs what is on
//! the screen: lines are cut to that before they are looked at.

mod panel;

use std::ops::Range;

use ratatui::{layout::Rect, style::Style};

use crate::{
    app::{
        App,
        page::logs::{
            LogPage, Names, Opened, Times,
            buffer::{Entry, Kind},
            short_name,
            sorted::Placed,
        },
    },
    model::{
        health::Health,
        log::{LogSource, escape::plain, level::Level},
    },
    ui::{
        ansi,
        paint::{Paint, Run, width},
        text,
        theme::Role,
    },
};

/// From this width on lines begin with their time, unless that was chosen otherwise.
const WITH_TIME: u16 = 70;
/// Bytes that a cell may be made of, when a line is cut to what can be seen of it.
const BYTES: usize = 8;
/// Longest line whose level is looked for.
const LEVEL: usize = 16 << 10;
/// Rows that what is said among the lines takes at most.
const NOTE: usize = 4;
/// Behind a line that is not whole.
const CUT: &str = " [line cut]";

/// Draws the log.
pub(in crate::ui) fn draw(app: &App, paint: &mut Paint<'_>, page: &LogPage, area: Rect) {
    if let Some(opened) = page.opened() {
        return open(paint, opened, area);
    }
    let area = panel::draw(app, paint, page, area);
    let mut y = area.y;
    let mut height = usize::from(area.height);
    let entries = page.picture(height);
    paint.viewports.height = height;
    paint.viewports.offset = 0;
    if entries.is_empty() {
        let style = paint.role(Role::Dim);
        paint.text(area.x + 1, area.y, area.width.saturating_sub(2), &why_empty(page), style);
        return;
    }
    // Where the lines kept begin, and there were others before.
    let first = page.buffer().lines().first().map(Placed::place);
    if page.cursor().is_some()
        && page.buffer().gone() > 0
        && height > 3
        && entries.first().map(|entry| entry.place()) == first
    {
        let mib = page.buffer().limit() >> 20;
        let note = format!("{} older lines were let go: {mib} MiB are kept", grouped(page.buffer().gone()));
        let style = paint.role(Role::Accent);
        rule(paint, area.x + 1, y, area.width.saturating_sub(2), &note, style);
        y += 1;
        height -= 1;
    }
    let columns = Columns::new(paint, page, area.width);
    let drawn: Vec<Vec<Vec<Run>>> = entries.iter().map(|entry| columns.rows(app, paint, page, entry, height)).collect();
    let (skipped, shown) = fit(page, &entries, &drawn, height);
    paint.viewports.offset = skipped;
    paint.viewports.height = shown;
    let bottom = y + height as u16;
    for (entry, rows) in entries.iter().zip(&drawn).skip(skipped).take(shown) {
        let is_cursor = page.cursor() == Some(entry.place());
        let over = is_cursor.then(|| paint.role(Role::Cursor));
        for (at, row) in rows.iter().enumerate() {
            if y >= bottom {
                return;
            }
            if let Some(style) = over {
                paint.style(Rect::new(area.x, y, area.width, 1), style);
            }
            if at == 0 && page.is_marked(entry.place()) {
                let style = over.unwrap_or(paint.role(Role::Accent));
                paint.text(area.x, y, 1, "*", style);
            }
            paint.put(area.x + 1, y, area.width.saturating_sub(1), row, over);
            y += 1;
        }
    }
}

fn why_empty(page: &LogPage) -> String {
    let index = page.index();
    if page.buffer().lines().is_empty() {
        return match (page.sources().is_empty(), page.has_ended()) {
            (_, true) => "no lines".to_owned(),
            (true, _) => "opening the streams".to_owned(),
            (false, _) => "no line yet: following".to_owned(),
        };
    }
    match (index.is_done(), page.sources().hidden()) {
        (false, _) => "looking".to_owned(),
        (true, 0) => "no line matches (esc takes the filter away)".to_owned(),
        (true, hidden) => format!("no line of the sources shown matches; {hidden} are hidden (tab shows them)"),
    }
}

/// Which of the lines are drawn: how many are skipped, and how many fit.
fn fit(page: &LogPage, entries: &[&Entry], drawn: &[Vec<Vec<Run>>], height: usize) -> (usize, usize) {
    let fits = |lines: &mut dyn Iterator<Item = &Vec<Vec<Run>>>| {
        let mut left = height;
        let mut count = 0;
        for rows in lines {
            if rows.len() > left && count > 0 {
                break;
            }
            left = left.saturating_sub(rows.len());
            count += 1;
            if left == 0 {
                break;
            }
        }
        count
    };
    let Some(cursor) = page.cursor() else {
        let count = fits(&mut drawn.iter().rev());
        return (drawn.len() - count, count);
    };
    let from_top = fits(&mut drawn.iter());
    let at = entries.iter().position(|entry| entry.place() >= cursor).unwrap_or(entries.len().saturating_sub(1));
    if at < from_top {
        return (0, from_top);
    }
    let count = fits(&mut drawn.iter().take(at + 1).rev());
    (at + 1 - count, count)
}

/// What stands before the text of each line.
struct Columns {
    times: Times,
    /// Cells of the source's name; none: it is not told.
    names: Option<u16>,
    full: bool,
    with_container: bool,
    room: u16,
}

impl Columns {
    fn new(paint: &mut Paint<'_>, page: &LogPage, total: u16) -> Self {
        let times = match page.times {
            Times::Auto if total < WITH_TIME => Times::Off,
            Times::Auto => Times::Short,
            chosen => chosen,
        };
        let sources = page.sources();
        let with_container = sources.name_containers();
        let names = match page.names {
            Names::Auto if sources.len() < 2 => Names::Off,
            Names::Auto => Names::Short,
            chosen => chosen,
        };
        let full = names == Names::Full;
        let wanted = sources.iter().filter(|source| !source.hidden).map(|source| {
            let name = if full { source.source.to_string() } else { short_name(&source.source, with_container) };
            text::width(&name)
        });
        let wanted = wanted.max().unwrap_or_default() as u16;
        let most = if full { total * 3 / 5 } else { total * 3 / 10 };
        let wanted = paint.scene.widen(if full { "log sources full" } else { "log sources" }, &[wanted]);
        let names = (names != Names::Off).then(|| wanted.first().copied().unwrap_or_default().min(most));
        Self { times, names, full, with_container, room: total.saturating_sub(2) }
    }

    /// An entry as rows of the screen.
    fn rows(&self, app: &App, paint: &mut Paint<'_>, page: &LogPage, entry: &Entry, height: usize) -> Vec<Vec<Run>> {
        if entry.kind == Kind::Note {
            let style = paint.role(Role::Accent);
            let rule = if paint.ascii() { "--" } else { "──" };
            let note = text::clean(page.buffer().text(entry), paint.ascii());
            let room = usize::from(self.room);
            if text::width(&note) + 6 <= room {
                return vec![vec![(format!("{rule} {note} {rule}"), style)]];
            }
            // Of what is missing, until when, and why, nothing is cut off.
            let rows = text::wrap(text::clip(&note, room * NOTE), room.saturating_sub(3));
            let lead = std::iter::once(rule).chain(std::iter::repeat("  "));
            let rows = lead.zip(rows).map(|(lead, row)| vec![(format!("{lead} {row}"), style)]);
            return rows.take(height.clamp(1, NOTE)).collect();
        }
        let mut lead: Vec<Run> = Vec::new();
        if let Some(time) = self.time(app, paint, page, entry) {
            lead.push((time, paint.role(Role::Dim)));
        }
        let source = entry.source().and_then(|slot| page.sources().get(slot));
        if let (Some(wide), Some(source)) = (self.names, source) {
            let name = self.name(&source.source, usize::from(wide), paint.ascii());
            let pad = usize::from(wide).saturating_sub(text::width(&name)) + 2;
            let color = if app.look().color { color_of(&source.source) } else { Style::new() };
            lead.push((format!("{name}{}", " ".repeat(pad)), color));
        }
        let mut room = usize::from(self.room.saturating_sub(width(&lead))).max(1);
        if entry.kind == Kind::Cut && !page.wrap {
            // Its mark is seen though the line goes on behind the screen's edge.
            room = room.saturating_sub(CUT.len()).max(1);
        }
        let most = if page.wrap { room * height } else { page.pan + room + 1 };
        let whole = page.shown_text(entry);
        let text = start(&whole, most * BYTES);
        let runs = Self::runs(app, paint, page, text, &whole);
        let mut rows = if page.wrap { wrapped(&runs, room, height) } else { vec![panned(runs, page.pan, room)] };
        if entry.kind == Kind::Cut {
            let mark = (CUT.to_owned(), paint.role(Role::Accent));
            match rows.last_mut() {
                Some(last) if !page.wrap || usize::from(width(last)) + CUT.len() <= room => {
                    clip_runs(last, room);
                    last.push(mark);
                }
                _ => rows.push(vec![mark]),
            }
        }
        let indent = " ".repeat(usize::from(width(&lead)));
        let mut lead = Some(lead);
        rows.into_iter()
            .map(|row| {
                let mut runs = lead.take().unwrap_or_else(|| vec![(indent.clone(), Style::new())]);
                runs.extend(row);
                runs
            })
            .collect()
    }

    /// A source's name in so many cells: what does not fit is taken from the container and the pod, each in its midst,
    /// so that two of them can be told apart as long as anything can.
    fn name(&self, source: &LogSource, room: usize, ascii: bool) -> String {
        let whole = if self.full { source.to_string() } else { short_name(source, self.with_container) };
        let whole = text::clean(&whole, ascii).into_owned();
        let container = if (self.full || self.with_container) && !source.container.is_empty() {
            text::clean(&source.container, ascii)
        } else {
            "".into()
        };
        if text::width(&whole) <= room || container.is_empty() {
            return text::elide(&whole, room, ascii).into_owned();
        }
        let container = text::elide(&container, (room / 4).max(8), ascii);
        let pod = text::clean(&source.pod.name, ascii);
        let lead = text::width(&whole) - text::width(&pod) - text::width(&text::clean(&source.container, ascii)) - 1;
        let lead = text::clip(&whole, lead);
        let left = room.saturating_sub(text::width(lead) + 1 + text::width(&container));
        if left < 8 {
            // The cluster and the namespace may be long too.
            let pod = text::elide(&pod, room.saturating_sub(text::width(&container) + 1), ascii);
            return text::elide(&format!("{pod}/{container}"), room, ascii).into_owned();
        }
        format!("{lead}{}/{container}", text::elide(&pod, left, ascii))
    }

    fn time(&self, app: &App, paint: &mut Paint<'_>, page: &LogPage, entry: &Entry) -> Option<String> {
        let format = match self.times {
            Times::Off => return None,
            Times::Auto | Times::Short => "%H:%M:%S%.3f",
            Times::Full => "%Y-%m-%d %H:%M:%S%.3f",
            Times::Relative => "",
        };
        let blank = match self.times {
            Times::Full => 23,
            Times::Relative => 6,
            _ => 12,
        };
        let Some(time) = page.buffer().time(entry) else { return Some(" ".repeat(blank + 1)) };
        if self.times == Times::Relative {
            // To the second: of a log, a minute is no measure.
            return Some(format!("{:>6} ", crate::model::age::precise(time, paint.world.now)));
        }
        Some(format!("{} ", time.to_zoned(app.world.zone.clone()).strftime(format)))
    }

    /// The text in its own colours, or in that of its level; what is looked for stands out.
    fn runs(app: &App, paint: &mut Paint<'_>, page: &LogPage, text: &str, whole: &str) -> Vec<Run> {
        let bare = plain(text);
        let own = if bare.len() == text.len() && whole.len() <= LEVEL {
            Level::of(whole).map_or_else(Style::new, |level| style_of(paint, level))
        } else {
            Style::new()
        };
        let marks = page.query().marks(&bare);
        let found = paint.role(Role::Found);
        let mut runs = Vec::new();
        let mut at = 0;
        for (piece, style) in ansi::runs(text, app.look().color) {
            for (part, is_found) in split(&piece, at, &marks) {
                let style = if is_found { found } else { own.patch(style) };
                runs.push((text::clean(part, paint.ascii()).into_owned(), style));
            }
            at += piece.len();
        }
        runs
    }
}

/// A piece of text that begins at a byte, split where marks begin and end.
fn split<'a>(piece: &'a str, from: usize, marks: &[Range<usize>]) -> Vec<(&'a str, bool)> {
    let mut parts = Vec::new();
    let mut at = 0;
    for mark in marks {
        let begin = mark.start.saturating_sub(from).clamp(at, piece.len());
        let end = mark.end.saturating_sub(from).clamp(begin, piece.len());
        if end > begin && mark.end > from {
            parts.push((piece.get(at..begin).unwrap_or_default(), false));
            parts.push((piece.get(begin..end).unwrap_or_default(), true));
            at = end;
        }
    }
    parts.push((piece.get(at..).unwrap_or_default(), false));
    parts.retain(|(part, _)| !part.is_empty());
    parts
}

/// At most so many bytes of a text, whole characters.
fn start(text: &str, most: usize) -> &str {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

fn panned(runs: Vec<Run>, pan: usize, room: usize) -> Vec<Run> {
    let mut skip = pan;
    let mut left = room + 1;
    let mut shown = Vec::new();
    for (text, style) in runs {
        // Measured no further than it can be seen.
        let wide = text::width(text::clip(&text, skip + left));
        if skip >= wide {
            skip -= wide;
            continue;
        }
        let text = text::pan(&text, skip).into_owned();
        left = left.saturating_sub(wide - skip);
        skip = 0;
        shown.push((text, style));
        if left == 0 {
            break;
        }
    }
    shown
}

/// Takes away what is wider than so many cells.
fn clip_runs(runs: &mut Vec<Run>, room: usize) {
    let mut left = room;
    for (text, _) in runs.iter_mut() {
        let shown = text::clip(text, left).len();
        text.truncate(shown);
        left -= text::width(text).min(left);
    }
    runs.retain(|(text, _)| !text.is_empty());
}

/// Runs broken into rows of so many cells.
fn wrapped(runs: &[Run], room: usize, most: usize) -> Vec<Vec<Run>> {
    let mut rows: Vec<Vec<Run>> = vec![Vec::new()];
    let mut left = room;
    for (text, style) in runs {
        let mut rest = text.as_str();
        while !rest.is_empty() {
            let mut part = text::clip(rest, left);
            if part.is_empty() && left == room {
                // Wider than a row: shown as far as it can be.
                part = rest.get(..rest.chars().next().map_or(0, char::len_utf8)).unwrap_or(rest);
            }
            if part.is_empty() {
                if rows.len() >= most {
                    return rows;
                }
                rows.push(Vec::new());
                left = room;
                continue;
            }
            left = left.saturating_sub(text::width(part));
            if let Some(row) = rows.last_mut() {
                row.push((part.to_owned(), *style));
            }
            rest = rest.get(part.len()..).unwrap_or_default();
        }
    }
    rows
}

/// The colour of a source: by its name, so that it is the same tomorrow and beside.
pub(super) fn color_of(source: &LogSource) -> Style {
    use ratatui::style::Color;
    /// None that means something else here: red is wrong, yellow is found or warned of.
    const COLORS: [Color; 8] = [
        Color::Cyan,
        Color::Green,
        Color::Magenta,
        Color::Blue,
        Color::LightCyan,
        Color::LightGreen,
        Color::LightMagenta,
        Color::LightBlue,
    ];
    // FNV-1a: the same in every build, which the standard library's does not promise.
    let hash = source
        .to_string()
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let at = (hash ^ (hash >> 32)) as usize % COLORS.len();
    COLORS.get(at).map_or_else(Style::new, |color| Style::new().fg(*color))
}

fn style_of(paint: &Paint<'_>, level: Level) -> Style {
    let color = |health| Style { fg: paint.theme().health(health).fg, ..Style::new() };
    match level {
        Level::Fatal | Level::Error => color(Health::Failed),
        Level::Warn => color(Health::Waiting),
        Level::Info => Style::new(),
        Level::Debug | Level::Trace => paint.role(Role::Dim),
    }
}

fn rule(paint: &mut Paint<'_>, x: u16, y: u16, room: u16, note: &str, style: Style) {
    let rule = if paint.ascii() { "--" } else { "──" };
    paint.put(x, y, room, &[(format!("{rule} {note} {rule}"), style)], None);
}

/// `1204` → `1,204`.
pub(in crate::ui) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A line opened whole.
fn open(paint: &mut Paint<'_>, opened: &Opened, area: Rect) {
    let room = area.width.saturating_sub(2);
    let mut y = area.y;
    for (name, value) in &opened.head {
        if y >= area.bottom() {
            break;
        }
        let styles = (paint.role(Role::Dim), paint.role(Role::Text));
        let value = text::clean(value, paint.ascii()).into_owned();
        paint.put(area.x + 1, y, room, &[(format!("{name:<8}"), styles.0), (value, styles.1)], None);
        y += 1;
    }
    y += 1;
    let mut shown = 0;
    for line in opened.lines.iter().skip(opened.offset) {
        if y >= area.bottom() {
            break;
        }
        let line = text::clean(line, paint.ascii());
        let named = line.split_once(": ").filter(|_| opened.fields);
        let runs: Vec<Run> = match named {
            Some((name, value)) if !name.trim().contains(' ') => {
                vec![(format!("{name}: "), paint.role(Role::Field)), (value.to_owned(), paint.role(Role::Text))]
            }
            _ => vec![(line.clone().into_owned(), paint.role(Role::Text))],
        };
        for row in wrapped(&runs, usize::from(room).max(1), usize::from(area.height)) {
            if y >= area.bottom() {
                break;
            }
            paint.put(area.x + 1, y, room, &row, None);
            y += 1;
        }
        shown += 1;
    }
    paint.viewports.height = shown;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_split_pieces_where_they_lie() {
        let marks = [1..3, 5..9];
        assert_eq!(split("abcdef", 0, &marks), [("a", false), ("bc", true), ("de", false), ("f", true)]);
        assert_eq!(split("ghij", 6, &marks), [("ghi", true), ("j", false)]);
        assert_eq!(split("xyz", 20, &marks), [("xyz", false)]);
    }

    #[test]
    fn rows_hold_the_whole_text() {
        let runs = vec![("abcd".to_owned(), Style::new()), ("日本語".to_owned(), Style::new().bold())];
        let rows = wrapped(&runs, 3, 10);
        let text: Vec<String> = rows.iter().map(|row| row.iter().map(|(text, _)| text.as_str()).collect()).collect();
        assert_eq!(text, ["abc", "d日", "本", "語"]);
        assert_eq!(wrapped(&[], 3, 10).len(), 1);
        let shown: String =
            panned(vec![("abcdef".to_owned(), Style::new())], 2, 3).into_iter().map(|(text, _)| text).collect();
        assert_eq!(shown, "cdef");
    }
}
