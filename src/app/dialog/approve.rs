//! Shall a waiting step be resumed? The dialog names the hub, the object, what starts and where, and takes a yes only
//! from a person who has seen it.
//!
//! The guard's rules: no confirmation before the frame that shows the dialog has been written and 300 ms have passed; keys
//! that came with the opening one are dropped and said; a `y` in a burst of more than three keys within 20 ms is a paste
//! (tmux pastes without brackets by default), and whether a `y` begins one is known only 20 ms later, so it is held.

use crossterm::event::KeyCode;

use super::guard::Guard;
use crate::{
    app::{
        burst::Burst,
        dialog::Press,
        keymap::Key,
        line_edit::LineEdit,
        page::{Reaction, Wish},
        world::World,
    },
    model::{
        action::{Action, Approval},
        approval::{Gate, GateReason, Waiting},
        cluster::LinkState,
        key::{AppKey, ClusterId, Text},
    },
};

/// Where the focus is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Focus {
    /// On Cancel: where it starts.
    Cancel,
    /// On Approve.
    Approve,
    /// On the line where the name is typed.
    Name,
}

/// The dialog.
#[derive(Debug)]
pub struct ApproveDialog {
    /// What is asked, as it was on screen when the dialog opened.
    pub waiting: Waiting,
    /// The gate that is resumed; `None`: every one.
    pub step: Option<Text>,
    /// The write, made from the row on screen.
    pub approval: Approval,
    /// Where the focus is.
    pub focus: Focus,
    /// The application's name as typed, where it must be.
    pub name: LineEdit,
    /// Why nothing can be confirmed any more.
    pub moved: Option<String>,
    /// Why it may not be confirmed: the permission that is missing.
    pub barred: Option<String>,
    /// When confirmations count.
    pub guard: Guard,
}

impl ApproveDialog {
    /// Asks for one gate by its step's name, or for all. `None` when nothing waits there.
    pub fn new(world: &World, app: &AppKey, step: Option<&Text>) -> Option<Self> {
        let waiting = world.waiting(app)?.clone();
        let row = world.app(app)?;
        // One gate alone is named, whether it was chosen or is the only one.
        let only = if let [gate] = &waiting.gates[..] { Some(gate.step.name.clone()) } else { None };
        let step = step.cloned().or(only).filter(|step| !step.is_empty());
        let approval = waiting.approval(row, step.as_deref());
        Some(Self {
            waiting,
            step,
            approval,
            focus: Focus::Cancel,
            name: LineEdit::default(),
            moved: None,
            barred: None,
            guard: Guard::default(),
        })
    }

    /// The gates that are resumed.
    pub fn gates(&self) -> impl Iterator<Item = &Gate> {
        self.waiting.gates.iter().filter(|gate| self.step.as_ref().is_none_or(|step| gate.step.name == *step))
    }

    /// Whether a gate goes on by itself, and is suspended again when it is resumed before.
    pub fn waits_for_time(&self) -> bool {
        self.gates().any(|gate| gate.reason == GateReason::Duration)
    }

    /// Clusters that what follows reaches, with their links; those that do not answer first.
    pub fn links<'a>(&'a self, world: &'a World) -> Vec<(&'a ClusterId, Option<&'a LinkState>)> {
        let mut links: Vec<_> = self.approval.clusters.iter().map(|cluster| (cluster, world.link(cluster))).collect();
        links.sort_by_key(|(_, link)| link.is_none_or(LinkState::is_current));
        links
    }

    /// Whether the application's name must be typed: a cluster that follows does not answer, and KubeVela would fail
    /// the workflow within a minute.
    pub fn needs_name(&self, world: &World) -> bool {
        self.approval.clusters.iter().any(|cluster| matches!(world.link(cluster), Some(LinkState::Unreachable { .. })))
    }

    /// A paste never confirms, and fills in no name.
    pub fn on_paste(&mut self) {
        self.guard.on_paste();
        self.guard.refusal = Some("a paste is not taken here: type it");
    }

    /// It is not permitted: nothing can be confirmed.
    pub fn bar(&mut self, reason: String) {
        self.barred = Some(reason);
    }

    /// Whether something stands in the way of confirming for good.
    pub fn is_over(&self) -> bool {
        self.moved.is_some() || self.barred.is_some()
    }

    /// Obeys a key.
    pub fn on_key(&mut self, press: Press<'_>, world: &World) -> Reaction {
        let key = Key::of(press.event);
        let leaves = key.code == KeyCode::Esc || key == Key::ctrl('c') || key == Key::ctrl('g');
        if leaves {
            return Reaction::wish(Wish::Close);
        }
        if self.guard.drops(press.time) {
            return Reaction::taken();
        }
        if self.needs_name(world)
            && self.focus == Focus::Cancel
            && matches!(key.code, KeyCode::Char(char) if char != 'n')
        {
            // Typing begins the name, without tab before it.
            self.focus = Focus::Name;
        }
        match (self.focus, key.code) {
            (_, KeyCode::Tab | KeyCode::Down) => self.focus = self.next_focus(world, true),
            (_, KeyCode::BackTab | KeyCode::Up) => self.focus = self.next_focus(world, false),
            (Focus::Cancel | Focus::Approve, KeyCode::Left | KeyCode::Right) => {
                self.focus = self.next_focus(world, key.code == KeyCode::Right);
            }
            (Focus::Approve | Focus::Name, KeyCode::Enter) => self.guard.hold(press.time),
            (Focus::Name, _) => {
                self.guard.refusal = None;
                if self.name.on_key(key) && press.burst.holds(press.time) {
                    self.name.set("");
                    self.guard.refusal = Some("keys came too fast for a person: type the name");
                }
            }
            (Focus::Cancel, KeyCode::Enter) | (_, KeyCode::Char('n' | 'q')) => return Reaction::wish(Wish::Close),
            (_, KeyCode::Char('y')) => self.guard.hold(press.time),
            _ => {}
        }
        // A paste that holds the `y`, and more behind it, is known by the key that makes it one.
        self.on_change(world, press.burst)
    }

    fn next_focus(&self, world: &World, forward: bool) -> Focus {
        let all: &[Focus] = if self.needs_name(world) {
            &[Focus::Cancel, Focus::Name, Focus::Approve]
        } else {
            &[Focus::Cancel, Focus::Approve]
        };
        let at = all.iter().position(|focus| *focus == self.focus).unwrap_or(0);
        let next = if forward { at + 1 } else { at + all.len() - 1 };
        all.get(next % all.len()).copied().unwrap_or(Focus::Cancel)
    }

    /// Looks again: has the row on screen changed; is the held confirmation a person's?
    pub fn on_change(&mut self, world: &World, burst: &Burst) -> Reaction {
        self.look_again(world);
        if !self.guard.confirms(world.now, burst) {
            return Reaction::taken();
        }
        if let Some(refusal) = self.why_not(world) {
            self.guard.refusal = Some(refusal);
            return Reaction::taken();
        }
        Reaction {
            taken: true,
            wishes: vec![Wish::Close, Wish::Write(self.approval.app.clone(), Action::Approve(self.approval.clone()))],
        }
    }

    fn why_not(&self, world: &World) -> Option<&'static str> {
        if self.moved.is_some() {
            return Some("nothing is written: what was asked for is not so any more");
        }
        if self.barred.is_some() {
            return Some("nothing is written: it is not permitted");
        }
        if self.needs_name(world) && self.name.text().trim() != &*self.approval.app.name {
            return Some("a cluster that follows does not answer: type the application's name to approve all the same");
        }
        None
    }

    /// Compares the row with the one that was asked about.
    fn look_again(&mut self, world: &World) {
        if self.moved.is_some() {
            return;
        }
        let app = &self.approval.app;
        let Some(row) = world.app(app) else {
            self.moved = Some("the application is gone".to_owned());
            return;
        };
        let run = row.workflow.as_ref().map(|workflow| &workflow.app_revision);
        if row.uid != self.approval.uid {
            self.moved = Some("the application was deleted and made anew".to_owned());
        } else if row.generation != self.approval.generation {
            self.moved = Some("the application's spec was changed meanwhile: the workflow starts over".to_owned());
        } else if run.is_some_and(|run| *run != self.approval.app_revision) {
            self.moved = Some("the workflow was started over meanwhile".to_owned());
        } else {
            let now = world.waiting(app);
            let waits = |step: &Text| now.is_some_and(|now| now.gates.iter().any(|gate| gate.step.name == *step));
            let gone: Vec<&str> =
                self.gates().filter(|gate| !waits(&gate.step.name)).map(|gate| &*gate.step.name).collect();
            if let Some(first) = gone.first() {
                let what = if first.is_empty() { "the workflow".to_owned() } else { gone.join(", ") };
                self.moved =
                    Some(format!("{what} does not wait any more: someone was faster, or it went on by itself"));
            }
        }
    }
}
