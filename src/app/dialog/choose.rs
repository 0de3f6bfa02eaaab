//! One of several things is to be chosen: a target to forward to, a pod, a container, a step. Typing filters.

use crossterm::event::KeyCode;

use crate::{
    app::{
        command::With,
        dialog::Press,
        filter::{Filter, Haystack, Tester},
        keymap::{Action, Key},
        line_edit::LineEdit,
        message::TaskId,
        notice::Level,
        page::{Reaction, Wish},
        world::World,
    },
    model::{
        acting::Verb,
        edit::Kept,
        forward::ForwardTarget,
        key::{AppKey, PodKey, Text},
        log::LogRequest,
        resource::ResourceKey,
    },
};

/// What is chosen from.
#[derive(Clone, Debug, PartialEq)]
pub enum Choice {
    /// A target to forward to.
    Target(ForwardTarget),
    /// Logs to be followed.
    Logs(Box<LogRequest>),
    /// A container of a pod, for a shell.
    Shell(PodKey, Text),
    /// What becomes of a draft that is there already; whether a Secret's content was asked for.
    Draft(ResourceKey, bool, Kept),
    /// A waiting step; `None`: all of them.
    Gate(AppKey, Option<Text>),
    /// Something to be done to an object.
    Act(Verb, ResourceKey),
    /// One of several objects of a name, for a command.
    With(With, ResourceKey),
    /// What a key of the page does.
    Do(Action),
    /// What may not be done: why.
    Barred(String),
}

impl Choice {
    fn wish(&self) -> Wish {
        match self.clone() {
            Self::Target(target) => Wish::StartForward(target),
            Self::Logs(request) => Wish::FollowLogs(request),
            Self::Shell(pod, container) => Wish::Shell(pod, container),
            Self::Draft(key, content, kept) => Wish::Draft(key, content, kept),
            Self::Act(verb, key) => Wish::Act(verb, key),
            Self::With(with, key) => Wish::With(with, key),
            Self::Do(action) => Wish::Do(action),
            Self::Barred(reason) => Wish::Say(Level::Bad, reason),
            Self::Gate(app, step) => Wish::Approve(app, Some(step.unwrap_or_default())),
        }
    }
}

/// A row: the choice, and its cells.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// What it stands for.
    pub choice: Choice,
    /// Its cells.
    pub cells: Vec<String>,
}

struct Cells<'a>(&'a [String]);

impl Haystack for Cells<'_> {
    fn column(&self, column: usize, out: &mut String) {
        out.extend(self.0.get(column).map(String::as_str));
    }

    fn whole(&self, out: &mut String) {
        out.push_str(&self.0.join(" "));
    }
}

/// The layer.
#[derive(Debug)]
pub struct Chooser {
    /// What is asked.
    pub title: String,
    /// Headings of the columns.
    pub columns: &'static [&'static str],
    /// The rows that pass the filter, by their place among all.
    pub visible: Vec<usize>,
    /// All rows.
    pub rows: Vec<Row>,
    /// The cursor's place among the visible.
    pub at: usize,
    /// The filter as typed.
    pub line: LineEdit,
    /// Why the filter is not valid.
    pub error: Option<String>,
    /// The search that brings the rows, while it is under way.
    pub loading: Option<TaskId>,
    /// The object that the rows act on, and who asks what is permitted there, while that is under way.
    pub acts_on: Option<(TaskId, ResourceKey)>,
    /// What could not be asked, and why.
    pub notes: Vec<String>,
    /// Rows that fit, as drawn last.
    pub height: usize,
}

impl Chooser {
    /// A choice among rows that are known.
    pub fn new(title: String, columns: &'static [&'static str], rows: Vec<Row>) -> Self {
        let mut chooser = Self {
            title,
            columns,
            visible: Vec::new(),
            rows,
            at: 0,
            line: LineEdit::default(),
            error: None,
            loading: None,
            acts_on: None,
            notes: Vec::new(),
            height: 0,
        };
        chooser.settle();
        chooser
    }

    /// A choice among forward targets that are being looked for.
    pub fn targets(title: String, task: TaskId) -> Self {
        let mut chooser = Self::new(title, &["CLUSTER", "NAMESPACE", "KIND", "NAME:PORT"], Vec::new());
        chooser.loading = Some(task);
        chooser
    }

    /// The rows have come, unless they are another search's.
    pub fn on_targets(&mut self, task: TaskId, targets: Vec<ForwardTarget>, notes: Vec<String>) {
        if self.loading != Some(task) {
            return;
        }
        self.loading = None;
        self.notes = notes;
        self.rows = targets
            .into_iter()
            .map(|target| Row {
                cells: vec![
                    target.cluster.to_string(),
                    target.namespace.to_string(),
                    target.kind.as_str().to_owned(),
                    if target.port_name.is_empty() {
                        format!("{}:{}", target.name, target.port)
                    } else {
                        format!("{}:{} ({})", target.name, target.port, target.port_name)
                    },
                ],
                choice: Choice::Target(target),
            })
            .collect();
        self.settle();
    }

    /// Finds the rows that pass the filter.
    pub fn settle(&mut self) {
        let filter = Filter::parse(self.line.text(), self.columns);
        self.error = filter.error().map(str::to_owned);
        let mut tester = Tester::new(&filter);
        let chosen = self.visible.get(self.at).copied();
        self.visible = (0..self.rows.len())
            .filter(|at| self.rows.get(*at).is_some_and(|row| tester.passes(&Cells(&row.cells))))
            .collect();
        let found = self.visible.iter().position(|row| Some(*row) == chosen);
        self.at = found.unwrap_or(self.at).min(self.visible.len().saturating_sub(1));
    }

    /// The row under the cursor.
    pub fn selected(&self) -> Option<&Row> {
        self.visible.get(self.at).and_then(|at| self.rows.get(*at))
    }

    /// Takes a paste into the filter.
    pub fn on_paste(&mut self, text: &str, _world: &World) {
        self.line.insert(text.trim_end_matches(['\r', '\n']));
        self.settle();
    }

    /// Obeys a key: letters filter, arrows move.
    pub fn on_key(&mut self, press: Press<'_>, _world: &World) -> Reaction {
        let key = Key::of(press.event);
        let last = self.visible.len().saturating_sub(1);
        let page = self.height.saturating_sub(1).max(1);
        match key.code {
            KeyCode::Esc if !self.line.text().is_empty() => self.line.set(""),
            KeyCode::Esc => return Reaction::wish(Wish::Close),
            _ if key == Key::ctrl('c') || key == Key::ctrl('g') => return Reaction::wish(Wish::Close),
            KeyCode::Enter => {
                return match self.selected() {
                    Some(row) => Reaction { taken: true, wishes: vec![Wish::Close, row.choice.wish()] },
                    None => Reaction::taken(),
                };
            }
            KeyCode::Down => self.at = (self.at + 1).min(last),
            KeyCode::Up => self.at = self.at.saturating_sub(1),
            _ if key == Key::ctrl('n') => self.at = (self.at + 1).min(last),
            _ if key == Key::ctrl('p') => self.at = self.at.saturating_sub(1),
            KeyCode::PageDown => self.at = (self.at + page).min(last),
            KeyCode::PageUp => self.at = self.at.saturating_sub(page),
            _ => {
                self.line.on_key(key);
            }
        }
        self.settle();
        Reaction::taken()
    }
}
