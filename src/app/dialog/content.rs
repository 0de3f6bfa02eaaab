//! Shall a Secret's content be fetched?

use crossterm::event::KeyCode;

use crate::{
    app::{
        burst::Burst,
        dialog::{Press, edit::Focus, guard::Guard},
        keymap::Key,
        page::{Reaction, Wish},
        world::World,
    },
    model::resource::ResourceKey,
};

/// The dialog.
#[derive(Debug)]
pub struct ContentDialog {
    /// The Secret.
    pub key: ResourceKey,
    /// Where the focus is.
    pub focus: Focus,
    /// Keeps pastes and haste from confirming.
    pub guard: Guard,
}

impl ContentDialog {
    /// Asks.
    pub fn new(key: ResourceKey) -> Self {
        Self { key, focus: Focus::Cancel, guard: Guard::default() }
    }

    /// Obeys a key.
    pub fn on_key(&mut self, press: Press<'_>, world: &World) -> Reaction {
        let key = Key::of(press.event);
        if key.code == KeyCode::Esc || key == Key::ctrl('c') || key == Key::ctrl('g') {
            return Reaction::wish(Wish::Close);
        }
        if self.guard.drops(press.time) {
            return Reaction::taken();
        }
        match key.code {
            KeyCode::Tab | KeyCode::BackTab | KeyCode::Left | KeyCode::Right => {
                self.focus = if self.focus == Focus::Cancel { Focus::Apply } else { Focus::Cancel };
            }
            KeyCode::Enter if self.focus == Focus::Cancel => return Reaction::wish(Wish::Close),
            KeyCode::Char('n' | 'q') => return Reaction::wish(Wish::Close),
            KeyCode::Enter | KeyCode::Char('y') => self.guard.hold(press.time),
            _ => {}
        }
        self.on_change(world, press.burst)
    }

    /// Looks whether a held confirmation is a person's.
    pub fn on_change(&mut self, world: &World, burst: &Burst) -> Reaction {
        if !self.guard.confirms(world.now, burst) {
            return Reaction::taken();
        }
        Reaction { taken: true, wishes: vec![Wish::Close, Wish::FetchContent(self.key.clone())] }
    }
}
