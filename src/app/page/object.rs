//! One object, looked at: its YAML, or what is to be said of it. Live while in sight.

pub mod search;

use std::{borrow::Cow, collections::BTreeSet};

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::{
    app::{
        effect::{Effect, Viewer},
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
        object::{Description, Document, Face, ObjectNews, ObjectRequest, Private, Word},
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
    /// A Secret's content has been asked for.
    content: bool,
    /// Entries of a Secret that are shown, by their keys.
    revealed: BTreeSet<Text>,
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
            content: false,
            revealed: BTreeSet::new(),
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
        self.follow(world)
    }

    fn follow(&mut self, world: &mut World) -> Vec<Effect> {
        let stream = world.next_id();
        self.stream = Some(stream);
        let request = ObjectRequest { key: self.key.clone(), face: self.face, content: self.content };
        vec![Effect::WatchObject(stream, request)]
    }

    /// Whether a Secret's content has been asked for.
    pub fn has_content(&self) -> bool {
        self.content
    }

    /// A person has confirmed that a Secret's content is to be fetched.
    pub fn fetch_content(&mut self, world: &mut World) -> Vec<Effect> {
        let mut effects: Vec<Effect> = self.stream.take().map(Effect::StopObject).into_iter().collect();
        self.content = true;
        effects.extend(self.follow(world));
        effects
    }

    /// The page goes out of sight.
    pub fn on_leave(&mut self) -> Vec<Effect> {
        if self.content {
            // What was asked for was asked for this look: it does not stay.
            self.content = false;
            self.revealed.clear();
            self.body = Body::Unread;
        }
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
            Action::Reveal => return self.reveal(),
            Action::Save => return Reaction::wish(Wish::Save(self.file_name(), Private(self.text()))),
            Action::Pager => return self.elsewhere(Viewer::Pager),
            Action::Editor => return self.elsewhere(Viewer::Editor),
            Action::Yaml => return self.turn(Face::Yaml),
            Action::Description => return self.turn(Face::Description),
            _ => return Reaction::ignored(),
        }
        Reaction::taken()
    }

    fn elsewhere(&self, viewer: Viewer) -> Reaction {
        Reaction::wish(Wish::View(viewer, self.file_name(), Private(self.text())))
    }

    /// A name for a file that holds what is shown.
    fn file_name(&self) -> String {
        let key = &self.key;
        let parts = [key.cluster.as_str(), &key.namespace, &key.kind, &key.name];
        let name: Vec<String> = parts.iter().filter(|part| !part.is_empty()).map(|part| part.to_lowercase()).collect();
        let fit = |char: char| if char.is_ascii_alphanumeric() || matches!(char, '-' | '.') { char } else { '_' };
        // Names of objects may be as long as a file's may be.
        let name: String = name.join("-").chars().map(fit).take(200).collect();
        match self.face {
            Face::Yaml => format!("{name}.yaml"),
            Face::Description => format!("{name}.txt"),
        }
    }

    /// Of a Secret: asks for its content, or shows or hides the entry under the cursor.
    fn reveal(&mut self) -> Reaction {
        if !self.key.is_secret() {
            return Reaction::wish(Wish::Say(Level::Info, "only a Secret holds something back".to_owned()));
        }
        if !self.content {
            return Reaction::wish(Wish::AskContent(self.key.clone()));
        }
        let line = self.line(self.at);
        let veiled = match &self.body {
            Body::Yaml(document) => document.veiled(),
            _ => &[],
        };
        match veiled.iter().find(|veiled| veiled.line == line).map(|veiled| veiled.key.clone()) {
            Some(key) => {
                if !self.revealed.remove(&key) {
                    self.revealed.insert(key);
                }
                Reaction::taken()
            }
            None if veiled.is_empty() => Reaction::wish(Wish::Say(Level::Info, "it holds nothing".to_owned())),
            None => {
                // To the first entry, so that pressing it again shows that.
                let first = veiled.first().map(|veiled| veiled.line);
                self.jump(first);
                Reaction::taken()
            }
        }
    }

    /// A line of the document as it is shown, and what is to be said behind it: of a Secret's entry its value, where
    /// that was asked for.
    pub fn shown_line<'d>(&self, document: &'d Document, line: usize) -> (Cow<'d, str>, Option<String>) {
        let text = document.line(line);
        let Ok(at) = document.veiled().binary_search_by_key(&line, |veiled| veiled.line) else {
            return (Cow::Borrowed(text), None);
        };
        let Some(veiled) = document.veiled().get(at) else { return (Cow::Borrowed(text), None) };
        let bytes = STANDARD.decode(veiled.value.as_bytes());
        if !self.revealed.contains(&veiled.key) {
            let size = bytes.map_or_else(|_| "not base64".to_owned(), |bytes| format!("{} bytes", bytes.len()));
            return (Cow::Borrowed(text), Some(format!("# {size}, r shows it")));
        }
        // The stars are the last thing on the line, quoted.
        let head = text.rsplit_once(": ").map_or(text, |(head, _)| head);
        let said = bytes.ok().and_then(|bytes| String::from_utf8(bytes).ok());
        (
            Cow::Owned(format!("{head}: {}", veiled.value)),
            Some(said.map_or_else(|| "# not text".to_owned(), |text| format!("# {text}"))),
        )
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
                    text.push_str(&self.shown_line(document, self.line(shown)).0);
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
