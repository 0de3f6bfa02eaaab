//! Keys of the page.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp, civil};

use crate::{
    app::{
        dialog::choose::{Choice, Chooser, Row},
        keymap::Action,
        notice::Level,
        page::{Reaction, Wish},
        world::World,
    },
    model::{
        key::{AppKey, ClusterId},
        log::{Containers, LogRequest, LogScope, Start},
    },
};

use super::{
    Hold, LogPage, Names, Times,
    sorted::{Place, Placed},
};

/// Columns that an arrow pans by.
const PAN: usize = 16;
/// Lines around those that match.
const CONTEXTS: [usize; 4] = [0, 2, 5, 20];
/// What the digits 0 to 6 begin with.
const STARTS: [Start; 7] = [
    Start::Tail(1000),
    Start::Head,
    Start::Since(SignedDuration::from_mins(1)),
    Start::Since(SignedDuration::from_mins(5)),
    Start::Since(SignedDuration::from_mins(15)),
    Start::Since(SignedDuration::from_mins(30)),
    Start::Since(SignedDuration::from_hours(1)),
];

fn say(text: impl Into<String>) -> Reaction {
    Reaction::wish(Wish::Say(Level::Info, text.into()))
}

impl LogPage {
    /// Obeys a key.
    pub fn on_action(&mut self, action: Action, world: &World) -> Reaction {
        if self.opened.is_some() {
            return self.on_opened(action);
        }
        if self.panel.is_some() {
            return self.on_panel(action);
        }
        let page = self.drawn.saturating_sub(1).max(2);
        match action {
            Action::Down => self.down(1),
            Action::PageDown => self.down(page),
            Action::Up => self.up(1),
            Action::PageUp => self.up(page),
            Action::Top => {
                if let Some(first) = self.first() {
                    let _ = self.hold();
                    self.hold = Some(Hold { top: first, cursor: first });
                    self.moved = true;
                }
            }
            Action::Bottom => self.follow(),
            Action::Pause if self.hold.is_some() => self.follow(),
            Action::Pause => {
                let _ = self.hold();
            }
            Action::PanLeft => self.pan = self.pan.saturating_sub(PAN),
            Action::PanRight => self.pan = (self.pan + PAN).min(self.longest),
            Action::Wrap => {
                self.wrap = !self.wrap;
                return say(if self.wrap { "long lines are wrapped" } else { "long lines are cut" });
            }
            Action::TimeStyle => return self.next_times(),
            Action::SourceStyle => return self.next_names(),
            Action::Context => return self.next_context(),
            Action::SearchNext => return self.search(true),
            Action::SearchPrevious => return self.search(false),
            Action::Since(digit) => return self.start(digit),
            Action::GoToTime => return Reaction::wish(Wish::AskTime),
            Action::Mark => self.mark(),
            Action::NextMark => return self.next_mark(),
            Action::Copy => {
                return self.copy().map_or_else(|| say("there is no line to copy"), Reaction::wish);
            }
            Action::Save => return Reaction::wish(self.save(world, false)),
            Action::SaveAll => return Reaction::wish(self.save(world, true)),
            Action::Export => return Reaction::wish(self.export(world)),
            Action::Pager => return Reaction::wish(self.page(world)),
            Action::Enter => {
                let opened = self.acted_on().map(|entry| self.opened_line(entry, &world.zone));
                if opened.is_some() {
                    let _ = self.hold();
                }
                self.opened = opened;
            }
            Action::NextPanel | Action::PreviousPanel => self.panel = Some(0),
            Action::Container => return self.containers(world),
            Action::Previous => {
                let previous = !self.request.previous;
                return Reaction::wish(Wish::FollowLogs(Box::new(LogRequest {
                    previous,
                    follow: !previous,
                    ..self.request.clone()
                })));
            }
            // What is marked is given up before the page is.
            Action::Back if !self.marks.is_empty() && self.filter.raw().is_empty() => self.marks.clear(),
            _ => return Reaction::ignored(),
        }
        Reaction::taken()
    }

    fn on_opened(&mut self, action: Action) -> Reaction {
        let Some(opened) = &mut self.opened else { return Reaction::ignored() };
        let page = opened.height().saturating_sub(1).max(1) as isize;
        match action {
            Action::Down => opened.scroll(1),
            Action::Up => opened.scroll(-1),
            Action::PageDown => opened.scroll(page),
            Action::PageUp => opened.scroll(-page),
            Action::Top => opened.scroll(isize::MIN),
            Action::Bottom => opened.scroll(isize::MAX),
            Action::Copy => return Reaction::wish(Wish::Copy(opened.text())),
            Action::Back | Action::Enter | Action::Quit => self.opened = None,
            _ => return Reaction::ignored(),
        }
        Reaction::taken()
    }

    fn on_panel(&mut self, action: Action) -> Reaction {
        let Some(at) = self.panel else { return Reaction::ignored() };
        let last = self.sources.len().saturating_sub(1);
        match action {
            Action::Down => self.panel = Some((at + 1).min(last)),
            Action::Up => self.panel = Some(at.saturating_sub(1)),
            Action::Top => self.panel = Some(0),
            Action::Bottom => self.panel = Some(last),
            Action::Mark => self.sources.toggle(at as u32),
            Action::Solo => self.sources.solo(at as u32),
            Action::AllSources => self.sources.show_all(),
            Action::OfCluster => self.sources.toggle_cluster(at as u32),
            Action::Back | Action::NextPanel | Action::PreviousPanel | Action::Enter | Action::Quit => {
                self.panel = None;
            }
            _ => return Reaction::ignored(),
        }
        if matches!(action, Action::Mark | Action::Solo | Action::AllSources | Action::OfCluster) {
            self.look_again();
        }
        Reaction::taken()
    }

    fn next_times(&mut self) -> Reaction {
        self.times = match self.times {
            Times::Auto | Times::Short => Times::Full,
            Times::Full => Times::Relative,
            Times::Relative => Times::Off,
            Times::Off => Times::Short,
        };
        say(match self.times {
            Times::Auto | Times::Short => "times of day",
            Times::Full => "full times",
            Times::Relative => "times as ages",
            Times::Off => "no times",
        })
    }

    fn next_names(&mut self) -> Reaction {
        self.names = match self.names {
            Names::Auto if self.sources.len() > 1 => Names::Full,
            Names::Auto | Names::Off => Names::Short,
            Names::Short => Names::Full,
            Names::Full => Names::Off,
        };
        say(match self.names {
            Names::Auto | Names::Short => "sources: cluster/pod",
            Names::Full => "sources: cluster/namespace/pod/container",
            Names::Off => "no sources",
        })
    }

    fn next_context(&mut self) -> Reaction {
        let at = CONTEXTS.iter().position(|lines| *lines == self.context).unwrap_or_default();
        self.context = CONTEXTS.get(at + 1).copied().unwrap_or_default();
        self.moved = true;
        say(match (self.context, self.query.hides()) {
            (0, _) => "no lines around those that match".to_owned(),
            (lines, true) => format!("{lines} lines around each that matches"),
            (lines, false) => format!("{lines} lines around each that matches, once a filter is typed"),
        })
    }

    /// To the next line found, or the one before; at an end it begins again at the other.
    fn search(&mut self, on: bool) -> Reaction {
        let Some(found) = self.index.found() else { return say("nothing is looked for: / and a regex, or /*regex") };
        // From the end one goes back.
        let from = self.cursor().unwrap_or(Place::LAST);
        let next =
            if on { found.behind(from).or_else(|| found.first()) } else { found.before(from).or_else(|| found.last()) };
        match next.copied() {
            Some(place) => {
                self.go_to(place);
                Reaction::taken()
            }
            None if self.index.is_done() => say("nothing here matches"),
            None => say("nothing yet: still looking"),
        }
    }

    fn next_mark(&mut self) -> Reaction {
        let from = self.cursor().unwrap_or(Place::LAST);
        let behind = (std::ops::Bound::Excluded(from), std::ops::Bound::Unbounded);
        let next = self.marks.range(behind).next().or_else(|| self.marks.first()).copied();
        let Some(place) = next else { return say("no line is marked: m marks the one under the cursor") };
        self.go_to(place);
        Reaction::taken()
    }

    fn start(&mut self, digit: u8) -> Reaction {
        let Some(start) = STARTS.get(usize::from(digit)).copied() else { return Reaction::ignored() };
        Reaction::wish(Wish::FollowLogs(Box::new(LogRequest { start, ..self.request.clone() })))
    }

    /// Which containers are followed.
    fn containers(&self, world: &World) -> Reaction {
        let row = |containers: Containers, name: &str, kind: &str| Row {
            choice: Choice::Logs(Box::new(LogRequest { containers, ..self.request.clone() })),
            cells: vec![name.to_owned(), kind.to_owned()],
        };
        let mut rows = vec![
            row(Containers::All, "all containers", "init, sidecar and ephemeral ones too"),
            row(Containers::Default, "the main one of each pod", "as kubectl takes it"),
        ];
        let mut names: Vec<(String, &str)> = Vec::new();
        for target in self.targets(world) {
            let containers = world.store.pod(&target.pod).map(|pod| pod.containers.as_slice()).unwrap_or_default();
            names.extend(containers.iter().map(|one| (one.name.to_string(), if one.init { "init" } else { "" })));
        }
        for source in self.sources.iter().filter(|source| !source.source.container.is_empty()) {
            names.push((source.source.container.to_string(), source.source.kind.word()));
        }
        let mut seen = std::collections::HashSet::new();
        names.retain(|(name, _)| seen.insert(name.clone()));
        rows.extend(names.iter().map(|(name, kind)| row(Containers::Named(name.as_str().into()), name, kind)));
        rows.extend(self.cluster_rows(world));
        let chooser = Chooser::new(format!("which containers of {}?", self.title()), &["CONTAINER", "KIND"], rows);
        Reaction::wish(Wish::Choose(Box::new(chooser)))
    }

    /// One row for each cluster that may be followed alone, where there are several.
    fn cluster_rows(&self, world: &World) -> Vec<Row> {
        let of_apps = |apps: &[AppKey]| -> BTreeSet<ClusterId> {
            apps.iter().flat_map(|app| world.store.pods_of(app)).map(|pod| pod.key.cluster.clone()).collect()
        };
        let mut known = match &self.request.scope {
            LogScope::App { app, .. } => of_apps(std::slice::from_ref(app)),
            LogScope::Apps(apps) => of_apps(apps),
            LogScope::Pods(pods) => pods.iter().map(|pod| pod.cluster.clone()).collect(),
            LogScope::Selector { .. } => world.store.clusters().map(|row| row.id.clone()).collect(),
            LogScope::Workload(_) | LogScope::Step { .. } => BTreeSet::new(),
        };
        known.extend(self.sources.iter().map(|source| source.source.pod.cluster.clone()));
        known.extend(self.request.clusters.iter().cloned());
        let row = |clusters: Vec<ClusterId>, name: String, kind: &str| Row {
            choice: Choice::Logs(Box::new(LogRequest { clusters, ..self.request.clone() })),
            cells: vec![name, kind.to_owned()],
        };
        let mut rows = Vec::new();
        if !self.request.clusters.is_empty() {
            rows.push(row(Vec::new(), "all clusters".to_owned(), "wherever there are pods"));
        }
        if known.len() > 1 {
            rows.extend(known.iter().map(|one| row(vec![one.clone()], format!("in {one}"), "that cluster alone")));
        }
        rows
    }

    /// Goes to the first line of a time: `10:41`, `10:41:07`, `2026-11-23 10:41`, or `5m` ago.
    ///
    /// # Errors
    /// A sentence where it is no time, or no line is as late.
    pub fn go_to_time(&mut self, typed: &str, world: &World) -> Result<String, String> {
        let Some(time) = read_time(typed.trim(), world) else {
            return Err(format!(
                "\"{typed}\" is no time: 10:41, 10:41:07, 2026-11-23 10:41, or 5m for five minutes ago"
            ));
        };
        let nanos = i64::try_from(time.as_nanosecond()).unwrap_or(i64::MAX);
        let shown = time.to_zoned(world.zone.clone()).strftime("%H:%M:%S").to_string();
        let place = self.behind(Place { time: nanos, number: 0 }.just_before());
        let Some(place) = place else { return Err(format!("no line is from {shown} or later")) };
        let first = self.first();
        self.go_to(place);
        if let Some(hold) = &mut self.hold {
            hold.top = place;
        }
        let began = self.buffer.lines().first().filter(|entry| Some(entry.place()) == first && first == Some(place));
        Ok(match began.and_then(|entry| self.buffer.time(entry)) {
            Some(began) if began > time => {
                let began = began.to_zoned(world.zone.clone()).strftime("%H:%M:%S").to_string();
                format!("the lines kept begin at {began}: 2 to 6 ask for earlier ones")
            }
            _ => format!("from {shown} on"),
        })
    }

    /// Whether an application is followed.
    pub fn is_of_app(&self) -> bool {
        matches!(self.request.scope, LogScope::App { .. } | LogScope::Apps(_) | LogScope::Step { .. })
    }
}

/// A time as typed: of day (the last such), of date and day, or a span before now.
fn read_time(text: &str, world: &World) -> Option<Timestamp> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some(time);
    }
    let now = world.now.to_zoned(world.zone.clone());
    let (digits, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let seconds = match unit {
        "s" => Some(1),
        "m" => Some(60),
        "h" => Some(3600),
        _ => None,
    };
    if let Some(seconds) = seconds {
        let ago = digits.parse::<i64>().ok()?.checked_mul(seconds)?;
        return world.now.checked_sub(SignedDuration::from_secs(ago)).ok();
    }
    if let Ok(time) = text.parse::<civil::Time>() {
        let today = now.date().to_datetime(time).to_zoned(world.zone.clone()).ok()?;
        let at = if today.timestamp() > world.now {
            now.date().yesterday().ok()?.to_datetime(time).to_zoned(world.zone.clone()).ok()?
        } else {
            today
        };
        return Some(at.timestamp());
    }
    let at = text.parse::<civil::DateTime>().ok()?;
    Some(at.to_zoned(world.zone.clone()).ok()?.timestamp())
}
