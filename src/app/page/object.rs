//! One object, looked at: its YAML, or what is to be said of it. Live while in sight.

pub mod search;

use crate::{
    app::{
        effect::Effect,
        filter::Filter,
        keymap::{Action, View},
        message::StreamId,
        notice::Level,
        page::{Page, Reaction, Wish},
        table::{Cell, Part, Tone, cell_text},
        world::World,
    },
    model::{
        key::Text,
        object::{Description, Document, Face, ObjectNews, ObjectRequest, Word},
        resource::ResourceKey,
    },
};

use search::Search;

/// Columns that an arrow pans by.
const PAN: usize = 16;
/// Room for names of a description, in cells.
const NAMES: usize = 14;

/// What is known of the object.
#[derive(Debug)]
pub enum Body {
    /// Nothing yet.
    Unread,
    /// Its YAML.
    Yaml(Box<Document>),
    /// What is to be said of it, a line each.
    Described(Vec<Cell>),
}

/// The page.
#[derive(Debug)]
pub struct ObjectPage {
    /// Which object.
    pub key: ResourceKey,
    /// Which side of it.
    pub face: Face,
    /// Columns panned to the left.
    pub pan: usize,
    stream: Option<StreamId>,
    body: Body,
    failed: Option<Text>,
    gone: bool,
    managed: bool,
    search: Search,
    at: usize,
    offset: usize,
    height: usize,
}

impl ObjectPage {
    /// One side of an object.
    pub fn new(key: ResourceKey, face: Face) -> Self {
        Self {
            key,
            face,
            pan: 0,
            stream: None,
            body: Body::Unread,
            failed: None,
            gone: false,
            managed: false,
            search: Search::default(),
            at: 0,
            offset: 0,
            height: 0,
        }
    }

    /// The keys that work here.
    pub fn view(&self) -> View {
        match self.face {
            Face::Yaml => View::Yaml,
            Face::Description => View::Description,
        }
    }

    /// What is known of it.
    pub fn body(&self) -> &Body {
        &self.body
    }

    /// Why it could not be asked for last, if so.
    pub fn failed(&self) -> Option<&Text> {
        self.failed.as_ref()
    }

    /// Whether it is not there any more; what was last known is kept.
    pub fn is_gone(&self) -> bool {
        self.gone
    }

    /// The line under the cursor, by its place among those shown.
    pub fn at(&self) -> usize {
        self.at
    }

    /// The first line on screen, as drawn last.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// What is searched for.
    pub fn search(&self) -> &Search {
        &self.search
    }

    /// What is searched for, as typed.
    pub fn filter(&self) -> &Filter {
        self.search.filter()
    }

    /// How many lines are shown.
    pub fn len(&self) -> usize {
        match &self.body {
            Body::Unread => 0,
            Body::Yaml(document) => document.len() - self.hidden(document),
            Body::Described(lines) => lines.len(),
        }
    }

    /// Whether nothing is shown.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn hidden(&self, document: &Document) -> usize {
        if self.managed { 0 } else { document.managed().len() }
    }

    /// The document's line of a line shown.
    pub fn line(&self, shown: usize) -> usize {
        match &self.body {
            Body::Yaml(document) if !self.managed && shown >= document.managed().start => {
                shown + document.managed().len()
            }
            _ => shown,
        }
    }

    /// Where a line of the document is shown; `None`: it is hidden.
    pub fn shown(&self, line: usize) -> Option<usize> {
        match &self.body {
            Body::Yaml(document) if !self.managed => {
                let managed = document.managed();
                if managed.contains(&line) {
                    None
                } else if line >= managed.end {
                    Some(line - managed.len())
                } else {
                    Some(line)
                }
            }
            _ => Some(line),
        }
    }

    /// The place of the cursor among what was found, counted from 1, and how many there are.
    pub fn hits(&self) -> (Option<usize>, usize) {
        let line = self.line(self.at);
        (self.search.lines().binary_search(&line).ok().map(|at| at + 1), self.search.lines().len())
    }

    /// Takes what is searched for as it is typed: the cursor goes to the first that stands there or below.
    pub fn set_filter(&mut self, raw: &str) {
        self.search = Search::parse(raw);
        self.find();
        if !self.search.lines().is_empty() {
            let from = self.line(self.at);
            self.jump(self.search.at_or_after(from));
        }
    }

    fn find(&mut self) {
        match &self.body {
            Body::Unread => {}
            Body::Yaml(document) => {
                let hidden = if self.managed { 0..0 } else { document.managed() };
                self.search.find_in(document, &hidden);
            }
            Body::Described(lines) => self.search.find(lines.iter().map(cell_text)),
        }
    }

    fn jump(&mut self, line: Option<usize>) {
        if let Some(shown) = line.and_then(|line| self.shown(line)) {
            self.at = shown;
        }
    }

    /// Takes where the lines were drawn.
    pub fn on_drawn(&mut self, offset: usize, height: usize) {
        self.offset = offset;
        self.height = height;
    }

    /// The page comes into sight: the object is followed from now on.
    pub fn on_enter(&mut self, world: &mut World) -> Vec<Effect> {
        let stream = world.next_id();
        self.stream = Some(stream);
        let request = ObjectRequest { key: self.key.clone(), face: self.face, content: false };
        vec![Effect::WatchObject(stream, request)]
    }

    /// The page goes out of sight.
    pub fn on_leave(&mut self) -> Vec<Effect> {
        self.stream.take().map(Effect::StopObject).into_iter().collect()
    }

    /// Takes what is told of the object; for another look: nothing.
    pub fn on_news(&mut self, stream: StreamId, news: ObjectNews) {
        if self.stream != Some(stream) {
            return;
        }
        match news {
            ObjectNews::Yaml(document) => self.take(Body::Yaml(document)),
            ObjectNews::Described(description) => self.take(Body::Described(lines(&description))),
            ObjectNews::Gone => self.gone = true,
            ObjectNews::Failed(reason) => self.failed = Some(reason),
        }
    }

    fn take(&mut self, body: Body) {
        self.body = body;
        self.gone = false;
        self.failed = None;
        self.find();
        self.at = self.at.min(self.len().saturating_sub(1));
    }

    fn go(&mut self, at: usize) {
        self.at = at.min(self.len().saturating_sub(1));
    }

    /// Obeys a key.
    pub fn on_action(&mut self, action: Action, _world: &World) -> Reaction {
        let page = self.height.saturating_sub(1).max(1);
        match action {
            Action::Down => self.go(self.at + 1),
            Action::Up => self.go(self.at.saturating_sub(1)),
            Action::PageDown => self.go(self.at + page),
            Action::PageUp => self.go(self.at.saturating_sub(page)),
            Action::Top => self.go(0),
            Action::Bottom => self.go(usize::MAX),
            Action::PanLeft => self.pan = self.pan.saturating_sub(PAN),
            Action::PanRight => self.pan += PAN,
            Action::ManagedFields => self.turn_managed(),
            Action::SearchNext => return self.next(true),
            Action::SearchPrevious => return self.next(false),
            Action::Copy => return Reaction::wish(Wish::Copy(self.text())),
            Action::Yaml => return self.turn(Face::Yaml),
            Action::Description => return self.turn(Face::Description),
            _ => return Reaction::ignored(),
        }
        Reaction::taken()
    }

    /// The other side of it, in the place of this one.
    fn turn(&self, face: Face) -> Reaction {
        if face == self.face {
            return Reaction::taken();
        }
        Reaction::wish(Wish::Replace(Box::new(Page::Object(Box::new(Self::new(self.key.clone(), face))))))
    }

    fn turn_managed(&mut self) {
        let line = self.line(self.at);
        self.managed = !self.managed;
        self.find();
        let start = match &self.body {
            Body::Yaml(document) => document.managed().start,
            _ => 0,
        };
        // What is shown now is what the key was pressed for.
        let line = if self.managed { start } else { line };
        let shown = self.shown(line).unwrap_or(start);
        self.go(shown);
    }

    fn next(&mut self, down: bool) -> Reaction {
        if self.filter().raw().is_empty() {
            return Reaction::wish(Wish::Say(Level::Info, "nothing is searched for: press / and type".to_owned()));
        }
        let line = self.line(self.at);
        let found = if down { self.search.after(line) } else { self.search.before(line) };
        if found.is_none() {
            return Reaction::wish(Wish::Say(Level::Info, format!("no {} in this", self.filter().raw())));
        }
        self.jump(found);
        Reaction::taken()
    }

    /// The whole text as it is shown.
    pub fn text(&self) -> String {
        let mut text = String::new();
        match &self.body {
            Body::Unread => {}
            Body::Yaml(document) => {
                for shown in 0..self.len() {
                    text.push_str(document.line(self.line(shown)));
                    text.push('\n');
                }
            }
            Body::Described(lines) => {
                for line in lines {
                    text.push_str(&cell_text(line));
                    text.push('\n');
                }
            }
        }
        text
    }
}

/// A description's lines: a heading each section, names in a column.
fn lines(description: &Description) -> Vec<Cell> {
    let mut lines = Vec::new();
    for section in &description.sections {
        if !lines.is_empty() {
            lines.push(Cell::new());
        }
        if !section.title.is_empty() {
            lines.push(vec![Part::Text(section.title.to_uppercase(), Tone::Accent)]);
        }
        let indent = if section.title.is_empty() { "" } else { "  " };
        for line in &section.lines {
            let mut cell = vec![Part::plain(indent)];
            let is_pair = matches!(line.as_slice(), [Word::Name(_), _, ..]);
            for (at, word) in line.iter().enumerate() {
                match word {
                    Word::Name(name) if at == 0 && is_pair => cell.push(Part::dim(format!("{name:<NAMES$} "))),
                    Word::Name(name) => cell.push(Part::dim(name)),
                    Word::Value(value) => cell.push(Part::plain(value)),
                    Word::Strong(value) => cell.push(Part::Text(value.clone(), Tone::Strong)),
                    Word::Standing(health, value) => {
                        cell.extend([Part::Mark(*health), Part::Text(format!(" {value}"), Tone::Health(*health))]);
                    }
                    Word::Ago(time) => cell.push(Part::Ago(Some(*time), Tone::Dim)),
                }
            }
            lines.push(cell);
        }
    }
    lines
}
