//! Logs: of a container, a pod, a component, an application, merged over clusters by time.
//!
//! The page keeps the lines that the streams bring ([`buffer`]), finds among them what is looked for ([`query`],
//! [`index`]), and knows which of them are on the screen (`picture`). Lines are kept while the page is in sight:
//! whatever is open, one page's worth is kept at a time. What may be missing is said among the lines.

pub mod buffer;
mod chunks;
mod export;
pub mod index;
mod keys;
mod open;
mod picture;
pub mod query;
pub mod sorted;
pub mod sources;

use std::{
    cell::Cell,
    collections::{BTreeSet, HashSet},
};

use jiff::{SignedDuration, Timestamp, tz::TimeZone};

use crate::{
    app::{effect::Effect, filter::Filter, message::StreamId, world::World},
    model::{
        key::{AppKey, PodKey},
        log::{Containers, Gap, LogEvent, LogRequest, LogScope, LogSource, LogTarget, Start, StreamState, escape},
        resource::ResourceKey,
    },
};

use self::{
    buffer::{Buffer, Entry, Kind},
    index::Index,
    query::Query,
    sorted::{Place, Placed},
    sources::{Rate, Sources, Standing},
};

pub use self::open::Opened;

/// How the time of a line is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Times {
    /// The time of day, where the screen has room for it.
    #[default]
    Auto,
    /// The time of day.
    Short,
    /// Date and time.
    Full,
    /// How long ago.
    Relative,
    /// Not at all.
    Off,
}

/// How the source of a line is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Names {
    /// Short, where there are several.
    #[default]
    Auto,
    /// Cluster and pod.
    Short,
    /// Cluster, namespace, pod, container.
    Full,
    /// Not at all.
    Off,
}

/// A picture that is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Hold {
    /// Its first line.
    top: Place,
    /// The line that keys act upon.
    cursor: Place,
}

/// The page.
#[derive(Debug)]
pub struct LogPage {
    /// What is followed, and how.
    pub request: LogRequest,
    /// How times are told.
    pub times: Times,
    /// How sources are told.
    pub names: Names,
    /// Whether long lines go on in the next one.
    pub wrap: bool,
    /// Columns panned to the left.
    pub pan: usize,
    /// Lines shown around each that matches.
    pub context: usize,
    stream: Option<StreamId>,
    joined: HashSet<LogTarget>,
    buffer: Buffer,
    sources: Sources,
    rate: Rate,
    limit: Option<(usize, usize)>,
    filter: Filter,
    query: Query,
    index: Index,
    hold: Option<Hold>,
    /// Lines shown that came since the picture is held.
    new: u64,
    /// The picture moved since lines were put in their places: what waited for that may come.
    moved: bool,
    /// Whether the picture is to be held at the beginning once there is one.
    to_head: bool,
    marks: BTreeSet<Place>,
    opened: Option<Opened>,
    /// The cursor in the panel of sources, while that is open.
    panel: Option<usize>,
    /// Steps from line to line, ever.
    walked: Cell<u64>,
    /// Lines that the last frame showed.
    drawn: usize,
    longest: usize,
    now: Timestamp,
}

impl LogPage {
    /// The page of a log.
    pub fn new(request: LogRequest) -> Self {
        Self {
            request,
            times: Times::default(),
            names: Names::default(),
            wrap: false,
            pan: 0,
            context: 0,
            stream: None,
            joined: HashSet::new(),
            buffer: Buffer::default(),
            sources: Sources::default(),
            rate: Rate::default(),
            limit: None,
            filter: Filter::default(),
            query: Query::default(),
            index: Index::default(),
            hold: None,
            new: 0,
            moved: false,
            to_head: false,
            marks: BTreeSet::new(),
            opened: None,
            panel: None,
            walked: Cell::new(0),
            drawn: 0,
            longest: 0,
            now: Timestamp::UNIX_EPOCH,
        }
    }

    /// The log of a pod: of one container, or of all of them.
    pub fn of_pod(pod: PodKey, container: Option<crate::model::key::Text>) -> Self {
        let containers = match container {
            Some(name) if !name.is_empty() => Containers::Named(name),
            _ => Containers::All,
        };
        Self::new(LogRequest { containers, ..LogRequest::of_pods(vec![pod]) })
    }

    /// The log of all that an application runs, or one of its components.
    pub fn of_app(app: AppKey, component: Option<crate::model::key::Text>) -> Self {
        Self::new(LogRequest::of(LogScope::App { app, component }))
    }

    /// What is followed, in words.
    pub fn title(&self) -> String {
        let mut title = match &self.request.scope {
            LogScope::App { app, component: None } => app.to_string(),
            LogScope::App { app, component: Some(component) } => format!("{app} · {component}"),
            LogScope::Apps(apps) => match &apps[..] {
                [app] => app.to_string(),
                apps => format!("{} applications", apps.len()),
            },
            LogScope::Step { app, step } => format!("{app} · step {step}"),
            LogScope::Workload(key) => key.to_string(),
            LogScope::Pods(pods) => match &pods[..] {
                [pod] => pod.to_string(),
                pods => format!("{} pods", pods.len()),
            },
            LogScope::Selector { namespace, selector } => {
                let place = namespace.as_ref().map(|name| format!(" in {name}")).unwrap_or_default();
                format!("{selector}{place}")
            }
        };
        match &self.request.containers {
            Containers::Default => {}
            Containers::All => {
                if !matches!(&self.request.scope, LogScope::Pods(pods) if pods.len() == 1) {
                    title.push_str(" · all containers");
                }
            }
            Containers::Named(name) => {
                title.push_str(" · ");
                title.push_str(name);
            }
        }
        title
    }

    /// Where it begins, in words.
    pub fn since(&self) -> String {
        match self.request.start {
            Start::Tail(lines) => format!("tail {lines}"),
            Start::Head | Start::All => "from the head".to_owned(),
            Start::Since(ago) if ago.as_secs() % 3600 == 0 => format!("since {}h", ago.as_hours()),
            Start::Since(ago) => format!("since {}m", ago.as_mins()),
            Start::SinceTime(at) => format!("since {at}"),
        }
    }

    /// The lines.
    pub fn buffer(&self) -> &Buffer {
        &self.buffer
    }

    /// The sources.
    pub fn sources(&self) -> &Sources {
        &self.sources
    }

    /// What is looked for.
    pub fn query(&self) -> &Query {
        &self.query
    }

    /// Which lines that keeps and finds.
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// Lines a second.
    pub fn rate(&self) -> u64 {
        self.rate.per_second(self.now)
    }

    /// Streams open and wanted, where not all may be open.
    pub fn limit(&self) -> Option<(usize, usize)> {
        self.limit.filter(|(open, wanted)| open < wanted)
    }

    /// The line opened whole.
    pub fn opened(&self) -> Option<&Opened> {
        self.opened.as_ref()
    }

    /// The cursor in the panel of sources, while that is open.
    pub fn panel(&self) -> Option<usize> {
        self.panel
    }

    /// Whether what is followed is what that stream was asked for, and that was a step's.
    pub fn is_step_of(&self, stream: StreamId) -> bool {
        self.stream == Some(stream) && matches!(self.request.scope, LogScope::Step { .. })
    }

    /// Whether all streams have ended.
    pub fn has_ended(&self) -> bool {
        !self.sources.is_empty() && self.sources.open_count() == 0
    }

    /// Whether the picture is held, and how many lines came since that it would show.
    pub fn held(&self) -> Option<u64> {
        self.hold.map(|_| self.new + self.buffer.late() as u64)
    }

    /// Whether a line is marked.
    pub fn is_marked(&self, place: Place) -> bool {
        self.marks.contains(&place)
    }

    /// How many lines are marked.
    pub fn marked(&self) -> usize {
        self.marks.len()
    }

    /// The filter in force, as typed.
    pub fn filter(&self) -> &Filter {
        &self.filter
    }

    /// Takes a filter as it is typed. While it is not valid, the one before it stays in force.
    pub fn set_filter(&mut self, raw: &str) {
        match Query::parse(raw) {
            Ok(query) => {
                self.filter = Filter::read_elsewhere(raw, None);
                self.query = query;
                self.look_again();
            }
            Err(wrong) => self.filter = Filter::read_elsewhere(raw, Some(wrong)),
        }
    }

    fn look_again(&mut self) {
        self.moved = true;
        self.index.reset(&self.query, &self.sources.hidden_slots());
    }

    /// The object under the cursor: the pod of the line, else the one that is followed.
    pub fn subject(&self) -> Option<ResourceKey> {
        let of_line = || {
            let entry = self.buffer.lines().get(self.hold?.cursor)?;
            Some(ResourceKey::pod(&self.sources.get(entry.source()?)?.source.pod))
        };
        let followed = || match &self.request.scope {
            LogScope::Pods(pods) => pods.first().map(ResourceKey::pod),
            LogScope::App { app, .. } | LogScope::Step { app, .. } => Some(ResourceKey::application(app)),
            LogScope::Apps(apps) => apps.first().map(ResourceKey::application),
            LogScope::Workload(key) => Some(key.clone()),
            LogScope::Selector { .. } => None,
        };
        of_line().or_else(followed)
    }

    /// The streams begin.
    pub fn on_enter(&mut self, world: &mut World) -> Vec<Effect> {
        let stream = world.next_id();
        self.stream = Some(stream);
        self.buffer = Buffer::with_limit(world.log_memory);
        self.sources = Sources::default();
        self.rate = Rate::default();
        self.limit = None;
        self.index.reset(&self.query, &[]);
        self.hold = None;
        self.new = 0;
        self.marks.clear();
        self.opened = None;
        self.panel = None;
        self.to_head = self.request.start == Start::Head;
        let targets = self.targets(world);
        self.joined = targets.iter().cloned().collect();
        vec![Effect::FollowLogs(stream, Box::new(self.request.clone()), targets)]
    }

    /// The streams end, and the lines go.
    pub fn on_leave(&mut self) -> Vec<Effect> {
        self.buffer = Buffer::with_limit(self.buffer.limit());
        self.index.reset(&self.query, &[]);
        self.stream.take().map(Effect::StopLogs).into_iter().collect()
    }

    /// The streams begin anew, as what is followed is another.
    pub fn reopen(&mut self, world: &mut World) -> Vec<Effect> {
        let mut effects = self.on_leave();
        effects.extend(self.on_enter(world));
        effects
    }

    /// The pods known to be followed.
    fn targets(&self, world: &World) -> Vec<LogTarget> {
        match &self.request.scope {
            LogScope::App { app, component } => world
                .store
                .pods_of(app)
                .filter(|pod| component.as_ref().is_none_or(|component| pod.owner.component == *component))
                .filter(|pod| self.request.covers(&pod.key.cluster))
                .map(|pod| LogTarget { pod: pod.key.clone(), uid: pod.uid.clone() })
                .collect(),
            LogScope::Pods(pods) => pods
                .iter()
                .map(|pod| LogTarget {
                    pod: pod.clone(),
                    uid: world.store.pod(pod).map(|pod| pod.uid.clone()).unwrap_or_default(),
                })
                .collect(),
            LogScope::Apps(apps) => apps
                .iter()
                .flat_map(|app| world.store.pods_of(app))
                .filter(|pod| self.request.covers(&pod.key.cluster))
                .map(|pod| LogTarget { pod: pod.key.clone(), uid: pod.uid.clone() })
                .collect(),
            LogScope::Workload(_) | LogScope::Selector { .. } | LogScope::Step { .. } => Vec::new(),
        }
    }

    /// Pods that are new join.
    pub fn on_deltas(&mut self, world: &World) -> Vec<Effect> {
        let (Some(stream), LogScope::App { .. } | LogScope::Apps(_)) = (self.stream, &self.request.scope) else {
            return Vec::new();
        };
        let mut new = self.targets(world);
        new.retain(|target| !self.joined.contains(target));
        if new.is_empty() || !self.request.follow {
            return Vec::new();
        }
        self.joined.extend(new.iter().cloned());
        vec![Effect::JoinLogs(stream, new)]
    }

    /// Takes what the streams brought; of another session: nothing. Says whether anything was taken.
    pub fn on_log(&mut self, stream: StreamId, events: Vec<LogEvent>, world: &World) -> bool {
        if self.stream != Some(stream) {
            return false;
        }
        for event in events {
            self.on_event(event, &world.zone, world.now);
        }
        if self.buffer.is_pressing() {
            self.put_in_place(world.now);
        }
        true
    }

    fn on_event(&mut self, event: LogEvent, zone: &TimeZone, now: Timestamp) {
        match event {
            LogEvent::Opened(id, source) => {
                self.sources.open(id, source);
            }
            LogEvent::State(id, state) => {
                if let Some(source) = self.sources.slot(id).and_then(|slot| self.sources.get_mut(slot)) {
                    if state != StreamState::Following {
                        source.again();
                    }
                    source.standing = Standing::Open(state);
                }
            }
            LogEvent::Lines(id, lines) => {
                let Some(slot) = self.sources.slot(id) else { return };
                if let Some(source) = self.sources.get_mut(slot) {
                    source.lines += lines.len() as u64;
                    source.rate.count(now, lines.len() as u64);
                    if let Standing::Open(state) = &mut source.standing {
                        *state = StreamState::Following;
                    }
                }
                self.rate.count(now, lines.len() as u64);
                for line in lines {
                    self.longest = self.longest.max(line.text.len());
                    self.buffer.push(slot, line.time, &line.text, line.cut);
                }
            }
            LogEvent::Gap(id, gap) => {
                let Some(slot) = self.sources.slot(id) else { return };
                let Some(source) = self.sources.get_mut(slot) else { return };
                // Those that were dropped stood directly behind the last that came.
                let now = !matches!(gap, Gap::Dropped { .. });
                if let Gap::Dropped { lines } = gap {
                    source.dropped += lines;
                }
                if let Gap::Resumed { .. } = gap {
                    source.again();
                }
                let text = format!("{} {}", short_name(&source.source, false), gap.words(zone));
                self.buffer.note(Some(slot), now, &escape::harmless(&text));
            }
            LogEvent::Ended(id, end) => {
                let Some(slot) = self.sources.slot(id) else { return };
                let Some(source) = self.sources.get_mut(slot) else { return };
                let text = format!("{} ended: {end}", short_name(&source.source, false));
                source.standing = Standing::Ended(end);
                self.buffer.note(Some(slot), true, &escape::harmless(&text));
            }
            LogEvent::Limit { open, wanted } => {
                let text = match self.limit {
                    _ if open < wanted => {
                        format!("{open} streams of {wanted} are open: the others follow as these end")
                    }
                    Some(_) => format!("all {wanted} streams are open"),
                    None => return,
                };
                self.limit = Some((open, wanted));
                self.buffer.note(None, true, &text);
            }
            LogEvent::Unfound(cluster, why) => {
                let place = cluster.map(|cluster| format!(" in {cluster}")).unwrap_or_default();
                let text = format!("pods{place} cannot be looked up: {why}; trying on");
                self.buffer.note(None, true, &escape::harmless(&text));
            }
        }
    }

    /// Brings what is shown up to what came.
    pub fn settle(&mut self, world: &World) {
        self.now = world.now;
        self.put_in_place(world.now);
        let hidden = self.sources.hidden_slots();
        self.index.step(&self.buffer, &self.query, &hidden);
        if self.to_head
            && let Some(first) = self.first()
        {
            self.to_head = false;
            self.hold = Some(Hold { top: first, cursor: first });
            self.new = 0;
        }
    }

    fn put_in_place(&mut self, now: Timestamp) {
        if !self.buffer.has_waiting() {
            return;
        }
        let held = if self.moved { None } else { self.on_screen() };
        self.moved = false;
        let hidden = self.sources.hidden_slots();
        let Self { buffer, sources, index, query, request, .. } = self;
        let (extra, mut shown) = (index.bytes(), 0);
        buffer.settle(sources, now, request.follow, held.as_ref(), extra, |entry, text| {
            shown += u64::from(index.on_new(entry, text, query, &hidden) && entry.kind != Kind::Note);
        });
        if self.hold.is_some() {
            self.new += shown;
        }
        if self.buffer.gone() > 0 {
            self.forget();
        }
    }

    /// What points to lines that are gone points to the first that is left.
    fn forget(&mut self) {
        let first = self.buffer.lines().first().map(Placed::place);
        self.index.forget(first);
        let Some(first) = first else { return };
        if self.marks.first().is_some_and(|mark| *mark < first) {
            self.marks = self.marks.split_off(&first);
        }
        if let Some(hold) = &mut self.hold {
            hold.top = hold.top.max(first);
            hold.cursor = hold.cursor.max(first);
        }
    }

    /// When the picture changes though nothing comes.
    pub fn next_tick(&self) -> Option<Timestamp> {
        const SOON: SignedDuration = SignedDuration::from_millis(1);
        if !self.index.is_done() {
            return self.now.checked_add(SOON).ok();
        }
        if self.times == Times::Relative && !self.buffer.lines().is_empty() {
            return Timestamp::from_second(self.now.as_second() + 1).ok();
        }
        self.rate.turns_at(self.now)
    }

    /// A line's text as it is shown: the fields picked of it, or all of it.
    pub fn shown_text<'a>(&'a self, entry: &Entry) -> std::borrow::Cow<'a, str> {
        let text = self.buffer.text(entry);
        if entry.kind == Kind::Note {
            return text.into();
        }
        match self.query.picked(text) {
            // A field may hold what a line may not.
            Some(picked) => escape::harmless(&picked).into_owned().into(),
            None => text.into(),
        }
    }
}

/// `cluster/pod`, with the container where that is needed to tell it.
pub fn short_name(source: &LogSource, container: bool) -> String {
    let pod = format!("{}/{}", source.pod.cluster, source.pod.name);
    if container && !source.container.is_empty() { format!("{pod}/{}", source.container) } else { pod }
}
