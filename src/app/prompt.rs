//! The line under the fingers: `:` with completion and history, `/` filtering as it is typed.

use crossterm::event::KeyCode;

use super::{
    command::{self, Completion},
    keymap::Key,
    line_edit::LineEdit,
    world::World,
};

/// What is being typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A command.
    Command,
    /// A filter.
    Filter,
    /// A time to go to.
    Time,
}

/// Lines kept.
const KEPT: usize = 200;

/// The line open at the bottom.
#[derive(Clone, Debug, PartialEq)]
pub struct Prompt {
    /// What is being typed.
    pub kind: Kind,
    /// The line.
    pub line: LineEdit,
    /// What could stand at the cursor.
    pub completion: Completion,
    /// The one of them that tab chose.
    pub chosen: Option<usize>,
    /// Where in the history the line is, counted from its end; 0: the line itself.
    back: usize,
    /// The line itself, while the history is walked.
    draft: String,
    /// What was in force before, for esc.
    before: String,
    /// The objects that can be named, as `Kind/name`.
    objects: Vec<String>,
}

/// What a key did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Typed {
    /// The line changed, or the cursor in it.
    Edited,
    /// Enter: the line is done.
    Entered(String),
    /// Esc: as if nothing had been typed.
    Left(String),
    /// None of its keys.
    Ignored,
}

impl Prompt {
    /// An empty command; `objects` can be named in it, as `Kind/name`.
    pub fn command(world: &World, objects: Vec<String>) -> Self {
        let mut prompt = Self::new(Kind::Command, "");
        prompt.objects = objects;
        prompt.complete(world);
        prompt
    }

    /// The filter in force, to be changed.
    pub fn filter(in_force: &str) -> Self {
        Self::new(Kind::Filter, in_force)
    }

    /// A time to go to.
    pub fn time() -> Self {
        Self::new(Kind::Time, "")
    }

    fn new(kind: Kind, text: &str) -> Self {
        Self {
            kind,
            line: LineEdit::with(text),
            completion: Completion::default(),
            chosen: None,
            back: 0,
            draft: String::new(),
            before: text.to_owned(),
            objects: Vec::new(),
        }
    }

    /// Takes a paste: text only, a line break in it submits nothing.
    pub fn on_paste(&mut self, text: &str, world: &World) {
        self.line.insert(text.trim_end_matches(['\r', '\n']));
        self.complete(world);
    }

    /// Takes a key.
    pub fn on_key(&mut self, key: Key, world: &World, history: &History) -> Typed {
        match key.code {
            KeyCode::Enter => return Typed::Entered(self.line.text().to_owned()),
            KeyCode::Esc => return Typed::Left(self.before.clone()),
            _ if key == Key::ctrl('g') || key == Key::ctrl('c') => return Typed::Left(self.before.clone()),
            // An emptied line and one backspace more: away with it, as in vi.
            KeyCode::Backspace if self.line.text().is_empty() => return Typed::Left(self.before.clone()),
            KeyCode::Tab if self.kind == Kind::Command => self.choose(1),
            KeyCode::BackTab if self.kind == Kind::Command => self.choose(-1),
            KeyCode::Up => self.walk(1, history),
            KeyCode::Down => self.walk(-1, history),
            _ if key == Key::ctrl('p') => self.walk(1, history),
            _ if key == Key::ctrl('n') => self.walk(-1, history),
            _ if self.line.on_key(key) => self.complete(world),
            _ => return Typed::Ignored,
        }
        Typed::Edited
    }

    fn complete(&mut self, world: &World) {
        self.chosen = None;
        self.back = 0;
        if self.kind == Kind::Command {
            let objects = &self.objects;
            self.completion = command::complete(self.line.before(), |argument| names(argument, world, objects));
        }
    }

    /// Puts the next word that fits into the line.
    fn choose(&mut self, step: isize) {
        let count = self.completion.words.len();
        if count == 0 {
            return;
        }
        let at = match self.chosen {
            Some(at) => (at as isize + step).rem_euclid(count as isize) as usize,
            None if step < 0 => count - 1,
            None => 0,
        };
        let Some(word) = self.completion.words.get(at) else { return };
        let head = self.line.text().get(..self.completion.from).unwrap_or_default();
        let mut text = format!("{head}{word}");
        if count == 1 && self.completion.from == 0 {
            text.push(' ');
        }
        self.line.set(&text);
        self.chosen = Some(at);
    }

    fn walk(&mut self, step: isize, history: &History) {
        if self.back == 0 {
            self.line.text().clone_into(&mut self.draft);
        }
        let lines = history.of(self.kind);
        let back = self.back.saturating_add_signed(step).min(lines.len());
        let text = if back == 0 { Some(self.draft.clone()) } else { lines.get(lines.len() - back).cloned() };
        if let Some(text) = text {
            self.line.set(&text);
            self.back = back;
            self.chosen = None;
        }
    }
}

fn names(argument: command::Argument, world: &World, objects: &[String]) -> Vec<String> {
    use command::Argument;
    match argument {
        Argument::None => Vec::new(),
        Argument::Application => world.keys().map(ToString::to_string).collect(),
        Argument::Waiting => world.store.approvals().iter().map(|waiting| waiting.app.to_string()).collect(),
        Argument::Pod => world.store.pods().map(|pod| pod.key.name.to_string()).collect(),
        Argument::Object | Argument::Scaled => objects.to_vec(),
        Argument::Namespace => {
            let names = world.namespaces();
            std::iter::once("all".to_owned()).chain(names.iter().map(ToString::to_string)).collect()
        }
    }
}

/// What was typed before.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    commands: Vec<String>,
    filters: Vec<String>,
    times: Vec<String>,
}

impl History {
    fn of(&self, kind: Kind) -> &Vec<String> {
        match kind {
            Kind::Command => &self.commands,
            Kind::Filter => &self.filters,
            Kind::Time => &self.times,
        }
    }

    /// Keeps a line; one typed again moves to the end.
    pub fn keep(&mut self, kind: Kind, line: &str) {
        let lines = match kind {
            Kind::Command => &mut self.commands,
            Kind::Filter => &mut self.filters,
            Kind::Time => &mut self.times,
        };
        if line.trim().is_empty() {
            return;
        }
        lines.retain(|kept| kept != line);
        if lines.len() == KEPT {
            lines.remove(0);
        }
        lines.push(line.to_owned());
    }
}
