//! The dashboard: the app on the loop, a hub being watched, and the terminal.

use std::sync::Arc;

use jiff::{Timestamp, tz::TimeZone};
use ratatui::Frame;

use super::{
    audit::Sink,
    event_loop::{Program, World},
    session::{self, Error},
    work::Work,
};
use crate::{
    app::{self, App, AppOptions, Look, effect::Effect, message::Message},
    cluster::{
        Hub, NamespaceScope, Session,
        feed::{self, FeedReader},
    },
    model::delta::Delta,
    ui::{self, Scene},
};

/// What a session begins with.
#[derive(Clone, Debug)]
pub struct Options {
    /// The namespace that is shown at first; `None`: all. Every namespace that may be listed is asked for all the
    /// same: the header and the approvals count them all.
    pub namespace: Option<String>,
    /// Why nothing may be written, if so.
    pub readonly: Option<String>,
    /// Log streams that may be open at once.
    pub log_streams: usize,
    /// Frames and marks in ASCII, other text escaped.
    pub ascii: bool,
    /// Whether colours are used.
    pub color: bool,
    /// Bytes that the lines of log views take at most, all of them together.
    pub log_memory: usize,
    /// Whether a write goes ahead when it cannot be put on record.
    pub best_effort_audit: bool,
}

/// Shows the dashboard until the operator leaves; the answer is the process's exit code.
pub async fn run(hub: Hub, options: Options) -> Result<u8, Error> {
    let scope = NamespaceScope::all(options.namespace.clone().into_iter().chain(hub.namespace().map(str::to_owned)));
    let dashboard = Dashboard::new(&hub, &options);
    let audit = Sink::open(options.best_effort_audit);
    let (producer, reader) = feed::channel();
    let session = Arc::new(Session::start(hub, scope, producer));
    let (_, mut work, code) =
        session::on_terminal(dashboard, reader, |tell| Work::new(session, tell, audit, &options)).await?;
    work.finish().await;
    Ok(code)
}

/// The app with what drawing keeps between frames.
pub struct Dashboard {
    app: App,
    scene: Scene,
}

impl Dashboard {
    /// A session at its beginning.
    pub fn new(hub: &Hub, options: &Options) -> Self {
        let look = Look { ascii: options.ascii, color: options.color, ..Look::default() };
        let scene = Scene::new(&look);
        let app = App::new(AppOptions {
            hub: hub.context().into(),
            user: hub.user().into(),
            namespace: options.namespace.as_deref().map(Into::into),
            readonly: options.readonly.as_deref().map(Into::into),
            look,
            log_memory: options.log_memory,
            zone: TimeZone::system(),
            now: Timestamp::now(),
        });
        Self { app, scene }
    }

    /// The state.
    pub fn app(&self) -> &App {
        &self.app
    }
}

impl Program for Dashboard {
    fn update(&mut self, message: Message) -> Vec<Effect> {
        app::update(&mut self.app, message)
    }

    fn draw(&mut self, frame: &mut Frame<'_>) {
        self.app.settle();
        let viewports = ui::draw(&self.app, &mut self.scene, frame);
        self.app.on_drawn(viewports);
    }

    fn next_tick(&self, _: Timestamp) -> Option<Timestamp> {
        self.app.next_tick()
    }
}

impl World for FeedReader {
    async fn changed(&mut self) -> bool {
        Self::changed(self).await
    }

    fn take(&mut self, max: usize) -> Vec<Delta> {
        Self::take(self, max)
    }
}
