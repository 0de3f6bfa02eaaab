//! The two lines above a page and the one below: where one is, how the world stands, which keys work.

use ratatui::layout::Rect;

use crate::{
    app::{
        App,
        notice::Level,
        page::{Page, applications::short_revision, diff::DiffPage, logs::LogPage, revisions},
        prompt::{Kind, Prompt},
        table::{Part, Rows, Table, Tone},
    },
    model::{cluster::LinkState, diff::Comparison, event::EventScope, health::Health, key::AppKey},
};

use super::{
    page::logs::grouped,
    paint::{Paint, Run, width},
    text,
    theme::Role,
};

/// Header, body, footer.
pub(super) fn rows(area: Rect) -> [Rect; 3] {
    let header = Rect { height: 2, ..area };
    let body = Rect { y: area.y + 2, height: area.height - 3, ..area };
    let footer = Rect { y: area.bottom() - 1, height: 1, ..area };
    [header, body, footer]
}

/// What is shown where nothing fits.
pub(super) fn too_small(paint: &mut Paint<'_>, area: Rect) {
    let style = paint.role(Role::Text);
    let (width, height) = super::SMALLEST;
    let sentence = format!("too small: {}x{}, at least {width}x{height}", area.width, area.height);
    for (line, y) in text::wrap(&sentence, usize::from(area.width)).iter().zip(area.y..area.bottom()) {
        paint.text(area.x, y, area.width, line, style);
    }
}

/// Where one is, and how the world stands.
pub(super) fn header(app: &App, paint: &mut Paint<'_>, area: Rect) {
    let right = session(app, paint);
    line(paint, area.x, area.y, area.width, |paint, room| hub_and_counts(app, paint, room), &right);
    let title = title(app, paint);
    let mut links = clusters(app, paint, true);
    if width(&title) + width(&links) + 4 > area.width {
        links = clusters(app, paint, false);
    }
    line(paint, area.x, area.y + 1, area.width, |_, _| title, &links);
}

/// A line of a left and a right part; the right one goes first where room is short.
fn line(
    paint: &mut Paint<'_>,
    x: u16,
    y: u16,
    total: u16,
    left: impl FnOnce(&mut Paint<'_>, u16) -> Vec<Run>,
    right: &[Run],
) {
    let total = total.saturating_sub(2);
    let wide = width(right);
    let mut room = if wide == 0 { total } else { total.saturating_sub(wide + 2) };
    let runs = left(paint, room);
    // A left part that is cut takes more than half of the line only where the right one is short.
    room = room.max(width(&runs).min(total / 2));
    let used = paint.put(x + 1, y, room, &runs, None);
    let from = total.saturating_sub(wide).max(if wide == 0 { 0 } else { used + 2 });
    if from < total {
        paint.put(x + 1 + from, y, total - from, right, None);
    }
}

fn hub_and_counts(app: &App, paint: &mut Paint<'_>, room: u16) -> Vec<Run> {
    let world = &app.world;
    let mut runs = paint.runs(&vec![
        Part::Text("lateen".to_owned(), Tone::Accent),
        Part::Text(format!("  {}", world.hub), Tone::Strong),
    ]);
    if !world.user.is_empty() && room >= 70 {
        runs.extend(paint.runs(&vec![Part::dim(format!(" ({})", world.user))]));
    }
    let counts = world.store.counts();
    let total = counts.total();
    let order = [
        Health::Ok,
        Health::Progressing,
        Health::Pending,
        Health::Waiting,
        Health::Failed,
        Health::Unknown,
        Health::Gone,
    ];
    let noun = if total == 1 { "app" } else { "apps" };
    let mut long = vec![Part::plain(format!("   {total} {noun}"))];
    let mut short = vec![Part::plain(format!("  {total} {noun}"))];
    for class in order.into_iter().filter(|class| counts.get(*class) > 0) {
        let count = counts.get(class);
        let tone = if class == Health::Ok { Tone::Dim } else { Tone::Health(class) };
        long.push(Part::Text(format!("   {count} {}", class.as_str()), tone));
        short.push(Part::plain("  "));
        short.push(Part::Mark(class));
        short.push(Part::Text(count.to_string(), tone));
    }
    let (long, short) = (paint.runs(&long), paint.runs(&short));
    let fits = width(&runs) + width(&long) <= room;
    runs.extend(if fits { long } else { short });
    runs
}

/// What the session has open, and what it may not do.
fn session(app: &App, paint: &mut Paint<'_>) -> Vec<Run> {
    let mut parts = Vec::new();
    if app.world.readonly.is_some() {
        parts.push(Part::Text("readonly".to_owned(), Tone::Strong));
    }
    let forwards = app.world.forwards.iter().filter(|forward| {
        use crate::model::forward::ForwardState as State;
        !matches!(forward.state, State::Failed { .. } | State::Stopped)
    });
    let count = forwards.count();
    if count > 0 {
        let gap = if parts.is_empty() { "" } else { "  " };
        parts.push(Part::Text(format!("{gap}fwd {count}"), Tone::Accent));
    }
    paint.runs(&parts)
}

fn title(app: &App, paint: &mut Paint<'_>) -> Vec<Run> {
    let world = &app.world;
    let mut parts = Vec::new();
    let namespace = world.namespace().map_or("all namespaces".to_owned(), |name| format!("namespace {name}"));
    match app.page() {
        Page::Applications(table) => list(&mut parts, "applications", Some(&namespace), table),
        Page::Approvals(table) => {
            // What waits for a person is never hidden by the namespace that happens to be shown.
            list(&mut parts, "approvals", Some("all namespaces"), table);
            parts.push(Part::dim(" waiting"));
        }
        Page::Clusters(table) => list(&mut parts, "clusters", None, table),
        Page::Pods(table) => {
            let scope = match (&table.rows.app, &table.rows.cluster) {
                (Some(app), _) => app.to_string(),
                (None, Some(cluster)) => format!("{cluster} · {namespace}"),
                (None, None) => namespace,
            };
            list(&mut parts, "pods", Some(&scope), table);
        }
        Page::Forwards(table) => list(&mut parts, "forwards", None, table),
        Page::Events(table) => {
            let scope = match &table.rows.scope {
                EventScope::All => namespace,
                EventScope::App(app) => app.to_string(),
                EventScope::Object(object) => {
                    let place = if object.namespace.is_empty() { "" } else { "/" };
                    format!("{}{place}{} {}/{}", object.cluster, object.namespace, object.kind, object.name)
                }
            };
            list(&mut parts, "events", Some(&scope), table);
        }
        Page::Application(page) => {
            let from = app.pages.trail().last().map_or("applications", |page| page.view().as_str());
            parts.push(Part::dim(format!("{from} › ")));
            application(app, &mut parts, &page.app);
            filtered(&mut parts, page.filter().raw(), page.only_not_ok());
        }
        Page::Tree(page) => {
            parts.push(Part::dim("tree · "));
            parts.push(Part::Text(page.app.to_string(), Tone::Strong));
            let (shown, all) = page.count();
            let count = if shown == all { all.to_string() } else { format!("{shown}/{all}") };
            if let Some(beside) = page.beside() {
                parts.push(Part::dim(format!(" · {count} rows")));
                parts.push(Part::Text(" · side by side".to_owned(), Tone::Accent));
                match beside.different() {
                    _ if beside.only_different => parts.push(Part::Text(" · only different".to_owned(), Tone::Accent)),
                    0 => parts.push(Part::dim(" · none differ")),
                    differ => parts.push(Part::dim(format!(" · {differ} differ"))),
                }
            } else {
                parts.push(Part::dim(format!(" · {count} objects")));
            }
            if page.is_merged() {
                parts.push(Part::Text(" · merged".to_owned(), Tone::Accent));
            }
            if page.marked_count() > 0 {
                parts.push(Part::Text(format!(" · {} marked", page.marked_count()), Tone::Accent));
            }
            filtered(&mut parts, page.filter().raw(), page.only_not_ok());
        }
        Page::Object(page) => {
            parts.push(Part::dim(format!("{} · ", page.view().as_str())));
            // What is typed and what comes of it stays in sight; a long name gives way.
            if !page.filter().raw().is_empty() {
                let found = match page.hits() {
                    (_, 0) => "not found".to_owned(),
                    (Some(at), all) => format!("{at} of {all}"),
                    (None, all) => all.to_string(),
                };
                parts.push(Part::Text(format!("/{} {found}", page.filter().raw()), Tone::Accent));
                parts.push(Part::dim(" · "));
            }
            parts.push(Part::Text(page.key.to_string(), Tone::Strong));
            if !page.is_empty() {
                parts.push(Part::dim(format!(" · line {} of {}", page.at() + 1, page.len())));
            }
        }
        Page::Revisions(table) => {
            list(&mut parts, "revisions", Some(&table.rows.app.to_string()), table);
            if let Some(why) = revisions::stale(table) {
                parts.push(Part::Text(format!(" · not up to date: {why}"), Tone::Accent));
            }
        }
        Page::Diff(page) => diff(&mut parts, page),
        Page::Problems(table) => list(&mut parts, "problems", Some(&namespace), table),
        Page::Why(page) => {
            parts.push(Part::dim("why · "));
            parts.push(Part::Text(page.subject.to_string(), Tone::Strong));
            if let Some(first) = page.chain().links.first() {
                parts.push(Part::dim(" · "));
                parts.push(Part::Text(first.health.as_str().to_owned(), Tone::Health(first.health)));
            }
            filtered(&mut parts, page.filter().raw(), false);
        }
        Page::Logs(page) => {
            logs(&mut parts, page);
        }
    }
    paint.runs(&parts)
}

/// What does not fit goes from the end: how it stands comes first, then what is looked for.
fn logs(parts: &mut Vec<Part>, page: &LogPage) {
    parts.push(Part::dim("logs · "));
    match (page.held(), page.has_ended()) {
        (Some(new), _) => parts.push(Part::Text(format!("paused, +{} new", grouped(new)), Tone::Accent)),
        (None, true) => parts.push(Part::dim("ended")),
        (None, false) => parts.push(Part::dim("follow")),
    }
    if page.request.previous {
        parts.push(Part::Text(" · previous".to_owned(), Tone::Strong));
    }
    if !page.filter().raw().is_empty() {
        let looking = if page.index().is_done() { "" } else { ", looking on" };
        let found = match page.hits() {
            None => String::new(),
            Some((_, 0)) => " not found".to_owned(),
            Some((Some(at), all)) => format!(" {} of {}", grouped(at as u64), grouped(all as u64)),
            Some((None, all)) => format!(" {}", grouped(all as u64)),
        };
        parts.push(Part::dim(" · "));
        parts.push(Part::Text(format!("/{}{found}{looking}", page.filter().raw()), Tone::Accent));
        if page.context > 0 && page.query().hides() {
            parts.push(Part::dim(format!(" ±{}", page.context)));
        }
    }
    parts.push(Part::dim(" · "));
    parts.push(Part::Text(page.title(), Tone::Strong));
    let (open, all) = page.limit().unwrap_or((page.sources().open_count(), page.sources().len()));
    let tone = if page.limit().is_some() { Tone::Accent } else { Tone::Dim };
    let noun = if all == 1 { "stream" } else { "streams" };
    let streams = if open == all { format!(" · {all} {noun}") } else { format!(" · {open} of {all} {noun}") };
    parts.push(Part::Text(streams, tone));
    if page.sources().hidden() > 0 {
        parts.push(Part::Text(format!(", {} hidden", page.sources().hidden()), Tone::Accent));
    }
    let dropped = page.sources().dropped();
    let tone = if dropped > 0 { Tone::Health(Health::Failed) } else { Tone::Dim };
    if dropped > 0 {
        parts.push(Part::Text(format!(" · {} dropped", grouped(dropped)), tone));
    }
    parts.push(Part::dim(format!(" · {} lines/s", grouped(page.rate()))));
    if page.marked() > 0 {
        parts.push(Part::Text(format!(" · {} marked", page.marked()), Tone::Accent));
    }
    if dropped == 0 {
        parts.push(Part::Text(" · 0 dropped".to_owned(), tone));
    }
    parts.push(Part::dim(format!(" · {}", page.since())));
    if page.buffer().gone() > 0 {
        parts.push(Part::dim(format!(" · first {} let go", grouped(page.buffer().gone()))));
    }
}

fn diff(parts: &mut Vec<Part>, page: &DiffPage) {
    let (name, title) = match &page.asked {
        Comparison::Revision(_, revision) => ("revision", revision.to_string()),
        Comparison::Revisions(_, first, second) => ("diff", format!("{first} › {second}")),
        Comparison::Live(_, revision) => ("diff", format!("{revision} › spec now")),
        Comparison::Drift(app, _) => ("diff", format!("{app}: applied › there now")),
    };
    parts.push(Part::dim(format!("{name} · ")));
    parts.push(Part::Text(title, Tone::Strong));
    if page.report().is_some() && !matches!(page.asked, Comparison::Revision(..)) {
        let (differ, unknown, all) = page.count();
        let told = match (differ, unknown) {
            (0, 0) => format!(" · no difference in {all}"),
            (_, 0) => format!(" · {differ} of {all} differ"),
            _ => format!(" · {differ} of {all} differ, {unknown} not known"),
        };
        parts.push(Part::dim(told));
    }
    filtered(parts, page.filter().raw(), false);
}

fn list<R: Rows>(parts: &mut Vec<Part>, name: &str, scope: Option<&str>, table: &Table<R>) {
    parts.push(Part::Text(name.to_owned(), Tone::Strong));
    if let Some(scope) = scope {
        parts.push(Part::dim(format!(" · {scope}")));
    }
    parts.push(Part::dim(" · "));
    parts.push(Part::plain(table.count()));
    if table.marked_count() > 0 {
        parts.push(Part::Text(format!(" · {} marked", table.marked_count()), Tone::Accent));
    }
    filtered(parts, table.filter().raw(), table.only_not_ok());
}

fn filtered(parts: &mut Vec<Part>, filter: &str, only_not_ok: bool) {
    if only_not_ok {
        parts.push(Part::Text(" not ok".to_owned(), Tone::Accent));
    }
    if !filter.is_empty() {
        parts.push(Part::Text(format!(" /{filter}"), Tone::Accent));
    }
}

fn application(app: &App, parts: &mut Vec<Part>, key: &AppKey) {
    parts.push(Part::Text(key.to_string(), Tone::Strong));
    let Some(row) = app.world.app(key) else { return };
    if let Some(revision) = &row.revision {
        parts.push(Part::dim(format!(" · {}", short_revision(revision, &key.name))));
    }
    parts.push(Part::dim(" · "));
    parts.push(Part::Ago(row.created_at, Tone::Dim));
}

/// How the clusters' links stand: those that do not answer with their age and, where there is room, their names.
fn clusters(app: &App, paint: &mut Paint<'_>, long: bool) -> Vec<Run> {
    let (mut live, mut connecting) = (0, 0);
    let mut lost = Vec::new();
    let mut refused = Vec::new();
    for cluster in app.world.store.clusters() {
        match &cluster.link {
            None | Some(LinkState::Connecting { .. }) => connecting += 1,
            Some(LinkState::Live { .. } | LinkState::Degraded { .. }) => live += 1,
            Some(LinkState::Forbidden { .. }) => refused.push(cluster.id.as_str()),
            Some(LinkState::Unreachable { since, .. }) => lost.push((cluster.id.as_str(), *since)),
        }
    }
    if live + connecting + lost.len() + refused.len() == 0 {
        return Vec::new();
    }
    let lead = if long { "clusters " } else { "" };
    let mut parts = vec![Part::dim(format!("{lead}{live} live"))];
    if connecting > 0 {
        parts.push(Part::Text(format!(", {connecting} connecting"), Tone::Health(Health::Progressing)));
    }
    if !refused.is_empty() {
        let names = if long { format!(" ({})", refused.join(", ")) } else { String::new() };
        parts.push(Part::Text(format!(", {} forbidden{names}", refused.len()), Tone::Health(Health::Unknown)));
    }
    if let Some(first) = lost.iter().map(|(_, since)| *since).min() {
        let tone = Tone::Health(Health::Failed);
        parts.push(Part::Text(format!(", {} unreachable ", lost.len()), tone));
        parts.push(Part::Ago(Some(first), tone));
        let names: Vec<&str> = lost.iter().map(|(name, _)| *name).take(3).collect();
        let more = if lost.len() > 3 { ", …" } else { "" };
        if long {
            parts.push(Part::Text(format!(" ({}{more})", names.join(", ")), tone));
        }
    }
    paint.runs(&parts)
}

/// The line being typed, the message, or the keys; answers where the cursor belongs while something is typed.
pub(super) fn footer(app: &App, paint: &mut Paint<'_>, area: Rect, body: Rect) -> Option<(u16, u16)> {
    if let Some(prompt) = app.prompt() {
        return Some(typed(app, paint, prompt, area, body));
    }
    if let Some(notice) = app.notice() {
        let style = paint.role(match notice.level {
            Level::Info => Role::Text,
            Level::Good => Role::Good,
            Level::Bad => Role::Bad,
        });
        paint.text(area.x + 1, area.y, area.width.saturating_sub(2), &notice.text, style);
        return None;
    }
    hints(app, paint, area);
    None
}

fn typed(app: &App, paint: &mut Paint<'_>, prompt: &Prompt, area: Rect, body: Rect) -> (u16, u16) {
    let lead = match prompt.kind {
        Kind::Command => ":",
        Kind::Filter => "/",
        Kind::Time => "@",
    };
    let ascii = paint.ascii();
    let before = format!("{lead}{}", text::clean(prompt.line.before(), ascii));
    let after = text::clean(prompt.line.after(), ascii).into_owned();
    let room = usize::from(area.width.saturating_sub(2));
    // The cursor stays in sight: what is before it goes out to the left.
    let skip = (text::width(&before) + 1).saturating_sub(room);
    let shown = text::pan(&before, skip).into_owned();
    let cursor = area.x + 1 + text::width(&shown) as u16;
    let style = paint.role(Role::Text);
    let used = paint.put(area.x + 1, area.y, room as u16, &[(shown, style), (after, style)], None);
    let error = match prompt.kind {
        Kind::Filter => app.page().filter().error().map(str::to_owned),
        Kind::Command | Kind::Time => None,
    };
    if let Some(error) = error {
        let style = paint.role(Role::Bad);
        if let Some(wrong) = app.page().filter().wrong_at() {
            // The character at which it went wrong.
            let lead = prompt.line.text().get(..wrong).map_or(0, |before| text::width(&text::clean(before, ascii)));
            if let Some(at) = (lead + 1).checked_sub(skip) {
                paint.style(Rect::new(area.x + 1 + at as u16, area.y, 1, 1), paint.role(Role::Cursor));
            }
        }
        let x = area.x + used + 4;
        paint.text(x, area.y, area.right().saturating_sub(x + 1), &error, style);
    }
    // What may be typed, until something is.
    let hint = match (prompt.kind, app.page()) {
        (Kind::Time, _) => "10:41, 10:41:07, 2026-11-23 10:41, or 5m for five minutes ago",
        (Kind::Filter, Page::Logs(_)) => "regex  !not  *mark  .field=value  .field to pick; & between them",
        _ => "",
    };
    if prompt.line.text().is_empty() && !hint.is_empty() {
        let style = paint.role(Role::Dim);
        let x = area.x + used + 3;
        paint.text(x, area.y, area.right().saturating_sub(x + 1), hint, style);
    }
    if prompt.kind == Kind::Command && body.height > 0 {
        words(paint, prompt, Rect { y: body.bottom() - 1, height: 1, ..body });
    }
    (cursor, area.y)
}

/// The words that could stand at the cursor, in one line; the chosen one in sight.
fn words(paint: &mut Paint<'_>, prompt: &Prompt, area: Rect) {
    if prompt.completion.words.is_empty() {
        return;
    }
    paint.clear(area);
    let room = area.width.saturating_sub(2);
    let mut from = 0;
    if let Some(chosen) = prompt.chosen {
        let wide = |from: usize| -> usize {
            let words = prompt.completion.words.get(from..=chosen).unwrap_or_default();
            words.iter().map(|word| text::width(word) + 2).sum()
        };
        while wide(from) > usize::from(room) && from < chosen {
            from += 1;
        }
    }
    let mut runs = Vec::new();
    for (at, word) in prompt.completion.words.iter().enumerate().skip(from).take(usize::from(room)) {
        let role = if prompt.chosen == Some(at) { Role::Cursor } else { Role::Dim };
        runs.push((text::clean(word, paint.ascii()).into_owned(), paint.role(role)));
        runs.push(("  ".to_owned(), paint.role(Role::Text)));
    }
    paint.put(area.x + 1, area.y, room, &runs, None);
}

/// The keys that work here, from the table that the program obeys. The help's is always among them.
fn hints(app: &App, paint: &mut Paint<'_>, area: Rect) {
    let view = app.page().view();
    let room = area.width.saturating_sub(2);
    let mut shown: Vec<Vec<Run>> = app
        .keymap
        .hints(view)
        .filter(|line| app.keymap.key_of(view, line.action) == line.keys.first().copied())
        .filter(|line| line.keys.first().is_some_and(|key| !app.keymap.shadowed(view, line).contains(key)))
        .map(|line| {
            let key = line.keys.first().map(ToString::to_string).unwrap_or_default();
            let barred = line.writes() && app.world.readonly.is_some();
            let word = if barred { format!(" {} (readonly)", line.hint) } else { format!(" {}", line.hint) };
            let roles = if barred { [Role::Barred; 2] } else { [Role::Key, Role::Dim] };
            vec![(key, paint.role(roles[0])), (word, paint.role(roles[1]))]
        })
        .collect();
    // The last is the help; those before it go where room is short, from the end.
    while shown.len() > 1 {
        let total: u16 = shown.iter().map(|hint| width(hint) + 2).sum::<u16>().saturating_sub(2);
        if total <= room {
            break;
        }
        shown.remove(shown.len() - 2);
    }
    let mut x = area.x + 1;
    for hint in shown {
        let left = (area.x + 1 + room).saturating_sub(x);
        x += paint.put(x, area.y, left, &hint, None) + 2;
    }
}
