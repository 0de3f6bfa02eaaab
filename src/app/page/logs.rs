//! One pod's log, followed: a ring bounded in bytes, in which what may be missing is said where it is missing.

mod ring;

use jiff::tz::TimeZone;

use crate::{
    app::{
        dialog::choose::{Choice, Chooser, Row},
        effect::Effect,
        filter::{Filter, Tester},
        keymap::Action,
        message::StreamId,
        page::{Reaction, Wish},
        world::World,
    },
    model::{
        key::{PodKey, Text},
        log::{Containers, LogEvent, LogRequest, LogTarget, Start},
        pod::Pod,
    },
};

pub use ring::{Entry, Ring};

/// Lines before now that a log begins with.
const TAIL: u32 = 1000;
/// Columns that an arrow pans by.
const PAN: usize = 16;

/// The page.
#[derive(Debug)]
pub struct LogPage {
    /// The pod.
    pub pod: PodKey,
    /// The container; empty: the only one.
    pub container: Text,
    /// The log before the last restart.
    pub previous: bool,
    /// Columns panned to the left.
    pub pan: usize,
    ring: Ring,
    stream: Option<StreamId>,
    /// The last line shown; `None` follows.
    bottom: Option<u64>,
    filter: Filter,
    ended: bool,
    height: usize,
}

impl LogPage {
    /// The log of a container.
    pub fn new(pod: PodKey, container: Text) -> Self {
        Self {
            pod,
            container,
            previous: false,
            pan: 0,
            ring: Ring::default(),
            stream: None,
            bottom: None,
            filter: Filter::default(),
            ended: false,
            height: 0,
        }
    }

    /// What was read.
    pub fn ring(&self) -> &Ring {
        &self.ring
    }

    /// Whether the stream has ended.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// Whether the picture is held, and how many lines came since.
    pub fn held(&self) -> Option<u64> {
        self.bottom.map(|bottom| self.ring.last_seq().saturating_sub(bottom))
    }

    /// The filter in force.
    pub fn filter(&self) -> &Filter {
        &self.filter
    }

    /// Takes a filter as it is typed.
    pub fn set_filter(&mut self, raw: &str) {
        self.filter = Filter::parse(raw, &[]);
    }

    /// Takes how many lines fit.
    pub fn on_drawn(&mut self, _offset: usize, height: usize) {
        self.height = height;
    }

    /// The lines to show, at most so many: the last ones, or those up to where the picture is held.
    pub fn window(&self, height: usize) -> Vec<&Entry> {
        let mut tester = Tester::new(&self.filter);
        let mut passes = |entry: &&Entry| matches!(entry, Entry::Note(..)) || tester.passes(entry.text());
        let bottom = self.bottom.unwrap_or(u64::MAX);
        let mut lines: Vec<&Entry> = self.ring.up_to(bottom).filter(&mut passes).take(height).collect();
        lines.reverse();
        if lines.len() < height && self.bottom.is_some() {
            // Held near the beginning, or the beginning has gone: fill up with what follows.
            let missing = height - lines.len();
            lines.extend(self.ring.after(bottom).filter(passes).take(missing));
        }
        lines
    }

    /// The stream begins.
    pub fn on_enter(&mut self, world: &mut World) -> Vec<Effect> {
        let stream = world.next_id();
        self.stream = Some(stream);
        self.ring = Ring::default();
        self.bottom = None;
        self.ended = false;
        let containers =
            if self.container.is_empty() { Containers::Default } else { Containers::Named(self.container.clone()) };
        let request = LogRequest {
            containers,
            previous: self.previous,
            start: Start::Tail(TAIL),
            follow: !self.previous,
            ..LogRequest::of_pods(vec![self.pod.clone()])
        };
        let uid = world.store.pod(&self.pod).map(|pod| pod.uid.clone()).unwrap_or_default();
        vec![Effect::FollowLogs(stream, Box::new(request), vec![LogTarget { pod: self.pod.clone(), uid }])]
    }

    /// The stream ends.
    pub fn on_leave(&mut self) -> Vec<Effect> {
        self.stream.take().map(Effect::StopLogs).into_iter().collect()
    }

    /// Takes what the stream brought; of another stream: nothing. Says whether anything was taken.
    pub fn on_log(&mut self, stream: StreamId, events: Vec<LogEvent>, zone: &TimeZone) -> bool {
        if self.stream != Some(stream) {
            return false;
        }
        for event in events {
            self.ended |= matches!(event, LogEvent::Ended(..));
            self.ring.push(event, zone);
        }
        true
    }

    /// Obeys a key.
    pub fn on_action(&mut self, action: Action, world: &World) -> Reaction {
        let page = self.height.saturating_sub(1).max(1);
        match action {
            Action::Down => self.scroll_down(1),
            Action::PageDown => self.scroll_down(page),
            Action::Up => self.scroll_up(1),
            Action::PageUp => self.scroll_up(page),
            Action::Top => {
                let first = self.ring.first_seq() + self.height.saturating_sub(1) as u64;
                self.bottom = Some(first.min(self.ring.last_seq()));
            }
            Action::Bottom => self.bottom = None,
            Action::Pause => self.bottom = if self.bottom.is_some() { None } else { Some(self.ring.last_seq()) },
            Action::PanLeft => self.pan = self.pan.saturating_sub(PAN),
            Action::PanRight => self.pan = (self.pan + PAN).min(self.ring.longest()),
            Action::Copy => {
                let lines: Vec<&str> = self.window(self.height.max(1)).iter().map(|entry| entry.text()).collect();
                return Reaction::wish(Wish::Copy(lines.join("\n")));
            }
            Action::Container => return self.containers(world),
            Action::Previous => {
                let mut page = Self::new(self.pod.clone(), self.container.clone());
                page.previous = !self.previous;
                return Reaction::wish(Wish::Replace(Box::new(super::Page::Logs(Box::new(page)))));
            }
            _ => return Reaction::ignored(),
        }
        Reaction::taken()
    }

    fn containers(&self, world: &World) -> Reaction {
        match world.store.pod(&self.pod) {
            Some(pod) if pod.containers.len() > 1 => Reaction::wish(Wish::Choose(Box::new(choose_container(pod)))),
            _ => Reaction::wish(Wish::Say(crate::app::notice::Level::Info, "the pod has one container".to_owned())),
        }
    }

    fn scroll_up(&mut self, lines: usize) {
        let from = self.bottom.unwrap_or_else(|| self.ring.last_seq());
        let mut tester = Tester::new(&self.filter);
        let mut up = self.ring.up_to(from).filter(|entry| tester.passes(entry.text()));
        // Not past the point where the first line stands at the top.
        let at = up.nth(lines).map(Entry::seq);
        let least = self.ring.first_seq() + self.height.saturating_sub(1) as u64;
        self.bottom = Some(at.unwrap_or(least).max(least).min(self.ring.last_seq()));
    }

    fn scroll_down(&mut self, lines: usize) {
        let Some(from) = self.bottom else { return };
        let mut tester = Tester::new(&self.filter);
        let mut down = self.ring.after(from).filter(|entry| tester.passes(entry.text()));
        let at = down.nth(lines.saturating_sub(1)).map(Entry::seq);
        self.bottom = Some(at.unwrap_or_else(|| self.ring.last_seq()));
    }
}

/// The containers of a pod to choose from, for its log.
pub fn choose_container(pod: &Pod) -> Chooser {
    let rows = pod.containers.iter().map(|container| Row {
        choice: Choice::Container(pod.key.clone(), container.name.clone()),
        cells: vec![container.name.to_string(), if container.init { "init".to_owned() } else { String::new() }],
    });
    Chooser::new(format!("log of which container of {}?", pod.key.name), &["CONTAINER", "KIND"], rows.collect())
}
