//! A session without a terminal: keys and messages in, the screen as text out.

use std::{fs, path::Path, time::Duration};

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use jiff::{SignedDuration, Timestamp};
use lateen::{
    app::{App, AppOptions, effect::Effect, message::Message, update, viewports::Viewports},
    cluster::project,
    model::{
        application::Application,
        cluster::{Cluster, LinkState},
        delta::{Delta, Query, Row, Scope, ScopeState},
        health::Health,
        key::{AppKey, ClusterId, PodKey},
        pod::{Container, ContainerPort, Pod, PodOwner},
    },
    ui::{Scene, draw},
    yaml,
};
use ratatui::{Terminal, backend::TestBackend, buffer::Buffer, style::Modifier};
use serde_json::Value;

/// Twelve minutes after the captured application began to wait.
pub(crate) const NOW: &str = "2026-11-23T10:48:11Z";

pub(crate) fn now() -> Timestamp {
    NOW.parse().unwrap()
}

pub(crate) fn options() -> AppOptions {
    AppOptions { user: "operator".into(), ..AppOptions::new("prod-eu", now()) }
}

pub(crate) struct Session {
    pub(crate) app: App,
    pub(crate) scene: Scene,
    pub(crate) now: Timestamp,
    pub(crate) effects: Vec<Effect>,
}

impl Session {
    pub(crate) fn new(options: AppOptions) -> Self {
        let scene = Scene::new(&options.look);
        let now = options.now;
        Self { app: App::new(options), scene, now, effects: Vec::new() }
    }

    /// A session on the estate that the screens of the design show.
    pub(crate) fn estate() -> Self {
        Self::estate_with(options())
    }

    pub(crate) fn estate_with(options: AppOptions) -> Self {
        let mut session = Self::new(options);
        session.send(estate());
        session
    }

    pub(crate) fn message(&mut self, message: Message) -> &mut Self {
        let effects = update(&mut self.app, message);
        self.effects.extend(effects);
        self
    }

    pub(crate) fn send(&mut self, deltas: Vec<Delta>) -> &mut Self {
        self.message(Message::Deltas(deltas))
    }

    /// Goes on to a page, as a key that leads there does.
    pub(crate) fn show(&mut self, page: lateen::app::page::Page) -> &mut Self {
        let effects = self.app.show(page);
        self.effects.extend(effects);
        self
    }

    /// What was asked for since the last call.
    pub(crate) fn effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// Time passes, and the loop says so.
    pub(crate) fn pass(&mut self, millis: i64) -> &mut Self {
        self.now += SignedDuration::from_millis(millis);
        self.message(Message::Tick(self.now))
    }

    pub(crate) fn press(&mut self, code: KeyCode, modifiers: KeyModifiers) -> &mut Self {
        let event = Event::Key(KeyEvent::new(code, modifiers));
        self.message(Message::Input(event, self.now))
    }

    /// Presses keys as a person does, 100 ms apart: characters, or names in angle brackets.
    pub(crate) fn keys(&mut self, keys: &str) -> &mut Self {
        self.keys_every(keys, 100)
    }

    pub(crate) fn keys_every(&mut self, keys: &str, millis: i64) -> &mut Self {
        let mut rest = keys;
        while let Some(char) = rest.chars().next() {
            let named = rest.strip_prefix('<').and_then(|tail| tail.split_once('>'));
            let (code, modifiers) = if let Some((name, tail)) = named {
                rest = tail;
                named_key(name)
            } else {
                rest = &rest[char.len_utf8()..];
                (KeyCode::Char(char), KeyModifiers::NONE)
            };
            self.now += SignedDuration::from_millis(millis);
            self.press(code, modifiers);
        }
        self
    }

    /// Draws a frame and tells that it was written.
    pub(crate) fn frame(&mut self, width: u16, height: u16) -> Buffer {
        let (buffer, _) = self.paint(width, height);
        self.message(Message::Drawn(self.now));
        buffer
    }

    /// Draws a frame that nobody has seen yet.
    pub(crate) fn paint(&mut self, width: u16, height: u16) -> (Buffer, Viewports) {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        self.app.settle();
        let mut viewports = Viewports::default();
        terminal.draw(|frame| viewports = draw(&self.app, &mut self.scene, frame)).unwrap();
        self.app.on_drawn(viewports);
        (terminal.backend().buffer().clone(), viewports)
    }

    /// The screen's text.
    pub(crate) fn screen(&mut self, width: u16, height: u16) -> String {
        text(&self.frame(width, height))
    }

    /// The screen's text with what stands out told apart.
    pub(crate) fn styled(&mut self, width: u16, height: u16) -> String {
        styled(&self.frame(width, height))
    }
}

fn named_key(name: &str) -> (KeyCode, KeyModifiers) {
    if let Some(char) = name.strip_prefix("ctrl-") {
        return (KeyCode::Char(char.chars().next().unwrap()), KeyModifiers::CONTROL);
    }
    let (name, modifiers) = match name.strip_prefix("shift-") {
        Some(name) => (name, KeyModifiers::SHIFT),
        None => (name, KeyModifiers::NONE),
    };
    let code = match name {
        "enter" => KeyCode::Enter,
        "delete" => KeyCode::Delete,
        "esc" => KeyCode::Esc,
        "tab" => KeyCode::Tab,
        "up" => KeyCode::Up,
        "down" => KeyCode::Down,
        "left" => KeyCode::Left,
        "right" => KeyCode::Right,
        "backspace" => KeyCode::Backspace,
        "pgdn" => KeyCode::PageDown,
        "pgup" => KeyCode::PageUp,
        other => panic!("no key {other}"),
    };
    (code, modifiers)
}

/// Lines of a buffer, without what is blank at their ends.
pub(crate) fn text(buffer: &Buffer) -> String {
    let mut lines = Vec::new();
    for y in 0..buffer.area.height {
        let mut line = String::new();
        let mut x = 0;
        while x < buffer.area.width {
            let symbol = buffer[(x, y)].symbol();
            line.push_str(symbol);
            x += (unicode_width::UnicodeWidthStr::width(symbol) as u16).max(1);
        }
        lines.push(line.trim_end().to_owned());
    }
    lines.join("\n")
}

/// Lines of a buffer with their styles below: `r` reversed, `d` dim, `b` bold, `x` struck out, colours in capitals.
pub(crate) fn styled(buffer: &Buffer) -> String {
    let mut out = String::new();
    for y in 0..buffer.area.height {
        let mut line = String::new();
        let mut marks = String::new();
        for x in 0..buffer.area.width {
            let cell = &buffer[(x, y)];
            line.push_str(cell.symbol());
            let colour = match cell.fg {
                ratatui::style::Color::Reset => None,
                ratatui::style::Color::Red => Some('R'),
                ratatui::style::Color::Green => Some('G'),
                ratatui::style::Color::Yellow => Some('Y'),
                ratatui::style::Color::Cyan => Some('C'),
                ratatui::style::Color::Magenta => Some('M'),
                _ => Some('?'),
            };
            let modifier = match cell.modifier {
                modifier if modifier.contains(Modifier::REVERSED) => 'r',
                modifier if modifier.contains(Modifier::CROSSED_OUT) => 'x',
                modifier if modifier.contains(Modifier::BOLD) => 'b',
                modifier if modifier.contains(Modifier::DIM) => 'd',
                _ => ' ',
            };
            marks.push(colour.filter(|_| modifier != 'r').unwrap_or(modifier));
        }
        out.push_str(line.trim_end());
        out.push('\n');
        if !marks.trim().is_empty() {
            out.push_str(marks.trim_end());
            out.push('\n');
        }
    }
    out
}

pub(crate) fn fixture(file: &str) -> Application {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(file);
    let object: Value = yaml::documents(&fs::read_to_string(&path).unwrap()).unwrap().remove(0);
    project::application(&object)
}

/// A fixture under another name.
pub(crate) fn named(file: &str, namespace: &str, name: &str) -> Application {
    let mut app = fixture(file);
    let revision = app.revision.as_ref().map(|text| text.replace(&*app.key.name, name));
    app.revision = revision.map(Into::into);
    if let Some(workflow) = &mut app.workflow {
        workflow.app_revision = workflow.app_revision.replace(&*app.key.name, name).into();
    }
    app.key = AppKey::new(namespace, name);
    app
}

pub(crate) fn apps_scope() -> Scope {
    Scope { cluster: ClusterId::local(), query: Query::Applications(None) }
}

pub(crate) fn upsert(scope: &Scope, row: Row) -> Delta {
    Delta::Upsert { scope: scope.clone(), epoch: 1, row }
}

pub(crate) fn app_delta(app: Application) -> Delta {
    upsert(&apps_scope(), Row::Application(Box::new(app)))
}

pub(crate) fn pods_scope(cluster: &str) -> Scope {
    Scope { cluster: ClusterId::named(cluster), query: Query::LabelledPods(None) }
}

pub(crate) fn live(cluster: &str, millis: u64) -> Delta {
    let state = LinkState::Live { latency: Duration::from_millis(millis), at: now() };
    Delta::Link { cluster: ClusterId::named(cluster), state }
}

pub(crate) fn lost(cluster: &str, minutes: i64) -> Delta {
    let since = now() - SignedDuration::from_mins(minutes);
    let state = LinkState::Unreachable {
        since,
        last_seen: Some(since),
        next_try: now() + SignedDuration::from_secs(2),
        reason: "dial tcp 10.1.2.3:6443: i/o timeout".into(),
    };
    Delta::Link { cluster: ClusterId::named(cluster), state }
}

pub(crate) fn pod(
    app: (&str, &str),
    component: &str,
    place: (&str, &str, &str),
    status: &str,
    health: Health,
) -> Delta {
    let (cluster, namespace, name) = place;
    let well = health == Health::Ok;
    let container = |name: &str, init: bool| Container {
        name: name.into(),
        init,
        ports: vec![ContainerPort { port: 8080, name: "http".into(), protocol: "TCP".into() }],
    };
    let pod = Pod {
        key: PodKey::new(cluster, namespace, name),
        uid: name.into(),
        labels: [].into(),
        owner: PodOwner { app: app.1.into(), app_namespace: Some(app.0.into()), component: component.into() },
        ready: u32::from(well),
        total: 1,
        status: status.into(),
        health,
        restarts: if well { 0 } else { 14 },
        node: "node-1".into(),
        ip: "10.0.0.7".into(),
        created_at: Some(now() - SignedDuration::from_mins(7)),
        terminating: false,
        ended: false,
        resources: lateen::model::usage::Resources::default(),
        containers: vec![container("hello", false)],
        message: if well { "".into() } else { "back-off 5m0s restarting failed container".into() },
    };
    upsert(&pods_scope(cluster), Row::Pod(Box::new(pod)))
}

pub(crate) fn cluster(name: &str, kind: &str, endpoint: &str) -> Delta {
    let scope = Scope { cluster: ClusterId::local(), query: Query::Clusters };
    let row = Cluster {
        id: ClusterId::named(name),
        alias: if name == "foo" { "Foo".into() } else { "".into() },
        kind: kind.into(),
        endpoint: endpoint.into(),
        accepted: true,
        labels: if name == "foo" { vec![("region".into(), "eu".into())] } else { Vec::new() },
        version: "v1.34.4".into(),
    };
    upsert(&scope, Row::Cluster(Box::new(row)))
}

pub(crate) fn estate() -> Vec<Delta> {
    let asked = |scope: Scope| Delta::Asked { scope, state: ScopeState::Live };
    vec![
        asked(apps_scope()),
        asked(pods_scope("local")),
        asked(pods_scope("foo")),
        asked(Scope { cluster: ClusterId::local(), query: Query::Clusters }),
        cluster("local", "Internal", "-"),
        cluster("foo", "X509Certificate", "https://10.1.2.3:6443"),
        live("local", 2),
        live("foo", 34),
        app_delta(fixture("captures/app-helm-hello-02-suspended.yaml")),
        app_delta(fixture("samples/08-app-hello-kubernetes-test-prod.yaml")),
        app_delta(fixture("captures/app-group-nested-suspend-auto-false-already-deployed.yaml")),
        app_delta(fixture("captures/app-web-hello-unhealthy.yaml")),
        app_delta(named("captures/app-helm-hello-08-workflowFailed-foo-down.yaml", "payments", "ledger")),
        app_delta(named("captures/app-helm-hello-04-succeeded.yaml", "payments", "gateway")),
        app_delta(named("captures/app-helm-hello-01-deploying-local.yaml", "search", "indexer")),
        app_delta(named("captures/app-helm-hello-green-with-crashlooping-pods.yaml", "search", "query")),
        pod(("default", "helm-hello"), "hello", ("local", "default", "hello-7d9c-x2k4p"), "Running", Health::Ok),
        pod(("default", "helm-hello"), "hello", ("local", "default", "hello-7d9c-28qqp"), "Running", Health::Ok),
        pod(("payments", "gateway"), "hello", ("foo", "default", "hello-85d4-kb2mv"), "Running", Health::Ok),
        pod(("search", "query"), "hello", ("foo", "default", "query-7c9-x2"), "CrashLoopBackOff", Health::Failed),
    ]
}
