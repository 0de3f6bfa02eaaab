//! What lies over the page: a stack of layers, of which the top one gets the keys.

pub mod act;
pub mod approve;
pub mod choose;
pub mod content;
pub mod edit;
pub mod guard;
pub mod help;

use crossterm::event::KeyEvent;
use jiff::Timestamp;

use self::{
    act::ActDialog, approve::ApproveDialog, choose::Chooser, content::ContentDialog, edit::EditDialog, help::HelpLayer,
};
use super::{burst::Burst, keymap::Keymap, page::Reaction, world::World};

/// One layer.
#[derive(Debug)]
pub enum Layer {
    /// Shall a waiting step be resumed?
    Approve(Box<ApproveDialog>),
    /// One of several things is to be chosen.
    Choose(Box<Chooser>),
    /// What would a draft change, and shall it?
    Edit(Box<EditDialog>),
    /// Shall a Secret's content be fetched?
    Content(Box<ContentDialog>),
    /// Shall an object be restarted, scaled or deleted?
    Act(Box<ActDialog>),
    /// The keys that work here.
    Help(HelpLayer),
}

/// A key with what is needed to judge it.
#[derive(Clone, Copy, Debug)]
pub struct Press<'a> {
    /// The key.
    pub event: &'a KeyEvent,
    /// When it was read.
    pub time: Timestamp,
    /// The keys before it.
    pub burst: &'a Burst,
    /// The keys in force.
    pub keymap: &'a Keymap,
}

impl Layer {
    /// Obeys a key; every key is taken, none falls through to the page.
    pub fn on_key(&mut self, press: Press<'_>, world: &World) -> Reaction {
        match self {
            Self::Approve(dialog) => dialog.on_key(press, world),
            Self::Choose(chooser) => chooser.on_key(press, world),
            Self::Edit(dialog) => dialog.on_key(press, world),
            Self::Content(dialog) => dialog.on_key(press, world),
            Self::Act(dialog) => dialog.on_key(press, world),
            Self::Help(help) => help.on_key(press),
        }
    }

    /// Takes a paste. None ever confirms.
    pub fn on_paste(&mut self, text: &str, world: &World) {
        match self {
            Self::Approve(dialog) => dialog.on_paste(),
            Self::Choose(chooser) => chooser.on_paste(text, world),
            Self::Edit(dialog) => dialog.guard.on_paste(),
            Self::Content(dialog) => dialog.guard.on_paste(),
            Self::Act(dialog) => dialog.guard.on_paste(),
            Self::Help(_) => {}
        }
    }

    /// The frame that shows this layer has been written.
    pub fn on_drawn(&mut self, at: Timestamp) {
        match self {
            Self::Approve(dialog) => dialog.guard.on_written(at),
            Self::Edit(dialog) => dialog.guard.on_written(at),
            Self::Content(dialog) => dialog.guard.on_written(at),
            Self::Act(dialog) => dialog.on_written(at),
            Self::Choose(_) | Self::Help(_) => {}
        }
    }

    /// Time passed, or the world changed.
    pub fn on_change(&mut self, world: &World, burst: &Burst) -> Reaction {
        match self {
            Self::Approve(dialog) => dialog.on_change(world, burst),
            Self::Choose(chooser) => {
                chooser.settle();
                Reaction::default()
            }
            Self::Edit(dialog) => dialog.on_change(world, burst),
            Self::Content(dialog) => dialog.on_change(world, burst),
            Self::Act(dialog) => dialog.on_change(world, burst),
            Self::Help(_) => Reaction::default(),
        }
    }

    /// When time alone changes something here.
    pub fn next_tick(&self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Approve(dialog) => dialog.guard.next_tick(now),
            Self::Edit(dialog) => dialog.guard.next_tick(now),
            Self::Content(dialog) => dialog.guard.next_tick(now),
            Self::Act(dialog) => dialog.guard.next_tick(now),
            Self::Choose(_) | Self::Help(_) => None,
        }
    }
}
