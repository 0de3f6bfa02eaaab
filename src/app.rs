//! Behaviour, pure: keys and messages in, state and effects out.
//!
//! [`update()`] takes one message and answers with the work to be done; it performs none. Pages hold their own cursor,
//! filter and sort; layers lie over them; both answer with wishes that `perform` turns into state and effects.

mod acting;
pub mod burst;
pub mod command;
pub mod dialog;
pub mod effect;
pub mod filter;
pub mod history;
mod input;
pub mod keymap;
pub mod line_edit;
pub mod message;
pub mod notice;
pub mod page;
mod perform;
mod permissions;
pub mod prompt;
pub mod readings;
mod subject;
pub mod table;
pub mod update;
pub mod usage;
pub mod viewports;
pub mod words;
pub mod world;

use jiff::{Timestamp, tz::TimeZone};

use crate::model::{key::Text, resource::ResourceKey};

use self::{
    burst::Burst,
    dialog::Layer,
    effect::Effect,
    history::Pages,
    keymap::Keymap,
    notice::{Level, Notice},
    page::Page,
    prompt::{History, Prompt},
    viewports::Viewports,
    world::World,
};

pub use self::update::update;

/// How the picture is to look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// Frames and marks in ASCII, other text as `\u{…}`.
    pub ascii: bool,
    /// Whether colours are used; `NO_COLOR` takes them away.
    pub color: bool,
    /// A built-in theme's name.
    pub theme: String,
}

impl Default for Look {
    fn default() -> Self {
        Self { ascii: false, color: true, theme: "default".to_owned() }
    }
}

/// What a session begins with.
#[derive(Clone, Debug)]
pub struct AppOptions {
    /// The hub: the name of the context.
    pub hub: Text,
    /// Who the operator is there; empty: not known.
    pub user: Text,
    /// The namespace shown at first; `None`: all.
    pub namespace: Option<Text>,
    /// Why nothing may be written ("--readonly"), if so.
    pub readonly: Option<Text>,
    /// How it is to look.
    pub look: Look,
    /// Bytes that the lines of log views take at most, all of them together.
    pub log_memory: usize,
    /// Where absolute times are told.
    pub zone: TimeZone,
    /// The time.
    pub now: Timestamp,
}

impl AppOptions {
    /// A session on a hub, all else by default.
    pub fn new(hub: &str, now: Timestamp) -> Self {
        Self {
            hub: hub.into(),
            user: "".into(),
            namespace: None,
            readonly: None,
            look: Look::default(),
            log_memory: page::logs::buffer::LIMIT,
            zone: TimeZone::UTC,
            now,
        }
    }
}

/// The whole state. The loop owns it.
#[derive(Debug)]
pub struct App {
    pub(crate) world: World,
    pub(crate) keymap: Keymap,
    pub(crate) look: Look,
    pub(crate) pages: Pages,
    pub(crate) layers: Vec<Layer>,
    pub(crate) prompt: Option<Prompt>,
    pub(crate) notice: Option<Notice>,
    typed: History,
    burst: Burst,
    viewports: Viewports,
    /// The edit under way, and whether a Secret's content was asked for.
    editing: Option<(message::TaskId, bool)>,
    /// The question whether what was asked for last is permitted, until it is answered, and what the cursor was on then.
    reviewing: Option<(message::TaskId, Option<ResourceKey>)>,
    /// Whether a frame with the present layers has been drawn; only then can one have been written.
    layer_drawn: bool,
}

impl App {
    /// A session at its beginning: home, with nothing known.
    pub fn new(options: AppOptions) -> Self {
        let mut world = World::new(options.hub, options.user, options.now);
        world.zone = options.zone;
        world.log_memory = options.log_memory;
        world.readonly = options.readonly;
        world.set_namespace(options.namespace);
        Self {
            world,
            keymap: Keymap::default(),
            look: options.look,
            pages: Pages::new(Page::home()),
            layers: Vec::new(),
            prompt: None,
            notice: None,
            typed: History::default(),
            burst: Burst::default(),
            viewports: Viewports::default(),
            editing: None,
            reviewing: None,
            layer_drawn: false,
        }
    }

    /// What the session works on.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// The page shown.
    pub fn page(&self) -> &Page {
        self.pages.current()
    }

    /// The layers over it, the top one last.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// How the picture is to look.
    pub fn look(&self) -> &Look {
        &self.look
    }

    /// The message line.
    pub fn notice(&self) -> Option<&Notice> {
        self.notice.as_ref().filter(|notice| !notice.is_over(self.world.now))
    }

    /// The line being typed.
    pub fn prompt(&self) -> Option<&Prompt> {
        self.prompt.as_ref()
    }

    /// Brings what is shown up to what is known. Called before drawing; cheap when nothing changed.
    pub fn settle(&mut self) {
        self.pages.current_mut().settle(&self.world);
    }

    /// Takes what drawing found out.
    pub fn on_drawn(&mut self, viewports: Viewports) {
        self.viewports = viewports;
        self.layer_drawn = true;
        let page = self.pages.current_mut();
        page.on_drawn(viewports.offset, viewports.height);
        if let Page::Application(page) = page {
            page.on_detail_drawn(viewports.detail.0, viewports.detail.1);
        }
        match self.layers.last_mut() {
            Some(Layer::Help(help)) => (help.lines, help.height) = viewports.layer,
            Some(Layer::Choose(chooser)) => chooser.height = viewports.layer.1,
            Some(Layer::Edit(dialog)) => dialog.lines = viewports.layer,
            Some(Layer::Approve(_) | Layer::Content(_) | Layer::Act(_)) | None => {}
        }
    }

    /// When something on screen changes by the passing of time alone; `None`: never.
    pub fn next_tick(&self) -> Option<Timestamp> {
        let now = self.world.now;
        let notice = self.notice().map(|notice| notice.until);
        let layer = self.layers.last().and_then(|layer| layer.next_tick(now));
        let usage = usage::next_tick(self);
        [self.viewports.next_tick, notice, layer, self.page().next_tick(), usage].into_iter().flatten().min()
    }

    fn say(&mut self, level: Level, text: &str) {
        self.notice = Some(Notice::new(level, text, self.world.now));
    }

    /// Shows a layer. What is typed from now on is meant for it only once it has been seen.
    fn push(&mut self, layer: Layer) {
        self.layers.push(layer);
        self.layer_drawn = false;
    }

    /// Shows a page, as a key that leads there does; answers with the work to be done.
    pub fn show(&mut self, page: Page) -> Vec<Effect> {
        self.open(page)
    }

    /// Goes on to another page.
    fn open(&mut self, page: Page) -> Vec<Effect> {
        let mut effects = self.pages.current_mut().on_leave();
        self.pages.open(page);
        effects.extend(self.enter());
        effects
    }

    fn enter(&mut self) -> Vec<Effect> {
        let effects = self.pages.current_mut().on_enter(&mut self.world);
        self.settle();
        effects
    }
}
