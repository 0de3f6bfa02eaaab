//! What a draft would change, and whether the server would take it: confirmed, edited again, or left for later.

use crossterm::event::KeyCode;

use crate::{
    app::{
        burst::Burst,
        dialog::{Press, guard::Guard},
        keymap::Key,
        message::TaskId,
        page::{Reaction, Wish},
        world::World,
    },
    model::{
        edit::{Broken, Change, Editing, Proposal},
        key::Text,
        resource::ResourceKey,
    },
};

/// How far the draft has come.
#[derive(Clone, Debug, PartialEq)]
pub enum Stage {
    /// It cannot be read.
    Broken(Broken),
    /// The server is being asked.
    Asking,
    /// The server would take it.
    Accepted,
    /// The server would not: its words.
    Refused(Text),
}

/// Where the focus is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Focus {
    /// On Cancel: where it starts.
    Cancel,
    /// On what confirms.
    Apply,
}

/// The dialog.
#[derive(Debug)]
pub struct EditDialog {
    /// The edit that it belongs to.
    pub task: TaskId,
    /// The object.
    pub key: ResourceKey,
    /// How far the draft has come.
    pub stage: Stage,
    /// What it would change.
    pub changes: Vec<Change>,
    /// Where the focus is.
    pub focus: Focus,
    /// The first line of the changes on screen.
    pub offset: usize,
    /// Lines of the changes, and how many fit, as drawn last.
    pub lines: (usize, usize),
    /// Keeps pastes and haste from confirming.
    pub guard: Guard,
    editing: Option<Editing>,
}

impl EditDialog {
    /// A draft that cannot be read.
    pub fn broken(task: TaskId, key: ResourceKey, broken: Broken) -> Self {
        Self::new(task, key, Stage::Broken(broken), Vec::new(), None)
    }

    /// A draft that the server is asked about.
    pub fn asking(task: TaskId, proposal: Proposal) -> Self {
        let key = proposal.editing.key.clone();
        Self::new(task, key, Stage::Asking, proposal.changes, Some(proposal.editing))
    }

    fn new(task: TaskId, key: ResourceKey, stage: Stage, changes: Vec<Change>, editing: Option<Editing>) -> Self {
        Self {
            task,
            key,
            stage,
            changes,
            focus: Focus::Cancel,
            offset: 0,
            lines: (0, 0),
            guard: Guard::default(),
            editing,
        }
    }

    /// What confirming sets off besides the change itself, where that is known.
    pub fn then(&self) -> Option<&'static str> {
        let touches = |prefix: &str| self.changes.iter().any(|change| change.path.starts_with(prefix));
        match (&*self.key.group, &*self.key.kind) {
            ("core.oam.dev", "Application") if touches("spec") => {
                Some("the workflow starts over: approvals are asked again")
            }
            ("apps", "Deployment" | "StatefulSet" | "DaemonSet") if touches("spec.template") => {
                Some("its pods are replaced, a few at a time")
            }
            _ => None,
        }
    }

    /// The server has said what it thinks of it.
    pub fn on_checked(&mut self, stage: Stage) {
        self.stage = stage;
        // What stands there now has not been read yet.
        self.guard.reset();
    }

    /// Obeys a key.
    pub fn on_key(&mut self, press: Press<'_>, world: &World) -> Reaction {
        let key = Key::of(press.event);
        if key.code == KeyCode::Esc || key == Key::ctrl('c') || key == Key::ctrl('g') {
            return self.leave();
        }
        if self.guard.drops(press.time) {
            return Reaction::taken();
        }
        let page = self.lines.1.saturating_sub(1).max(1);
        match key.code {
            KeyCode::Down => self.scroll(self.offset + 1),
            KeyCode::Up => self.scroll(self.offset.saturating_sub(1)),
            KeyCode::PageDown => self.scroll(self.offset + page),
            KeyCode::PageUp => self.scroll(self.offset.saturating_sub(page)),
            KeyCode::Tab | KeyCode::BackTab | KeyCode::Left | KeyCode::Right => {
                self.focus = if self.focus == Focus::Cancel { Focus::Apply } else { Focus::Cancel };
            }
            KeyCode::Enter if self.focus == Focus::Cancel => return self.leave(),
            KeyCode::Char('n' | 'q') => return self.leave(),
            KeyCode::Char('e') => {
                return Reaction {
                    taken: true,
                    wishes: vec![Wish::Close, Wish::EditAgain(self.task, self.key.clone())],
                };
            }
            KeyCode::Char('x') => {
                return Reaction { taken: true, wishes: vec![Wish::Close, Wish::DiscardDraft(self.key.clone())] };
            }
            KeyCode::Enter | KeyCode::Char('y') if self.stage == Stage::Accepted => self.guard.hold(press.time),
            KeyCode::Enter | KeyCode::Char('y') => {
                self.guard.refusal = Some(match self.stage {
                    Stage::Asking => "the server has not answered yet",
                    _ => "this cannot be applied: edit it again, or leave it",
                });
            }
            _ => {}
        }
        self.on_change(world, press.burst)
    }

    fn scroll(&mut self, to: usize) {
        self.offset = to.min(self.lines.0.saturating_sub(self.lines.1));
    }

    /// The draft stays.
    fn leave(&self) -> Reaction {
        Reaction { taken: true, wishes: vec![Wish::Close, Wish::KeepDraft(self.key.clone())] }
    }

    /// Looks whether a held confirmation is a person's.
    pub fn on_change(&mut self, world: &World, burst: &Burst) -> Reaction {
        if !self.guard.confirms(world.now, burst) {
            return Reaction::taken();
        }
        match self.editing.take() {
            Some(editing) => Reaction { taken: true, wishes: vec![Wish::Close, Wish::WriteEdit(Box::new(editing))] },
            None => Reaction::taken(),
        }
    }
}
