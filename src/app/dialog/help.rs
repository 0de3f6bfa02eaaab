//! The keys that work here, and the commands.

use crate::app::{
    dialog::Press,
    keymap::{Action, Key, View},
    page::{Reaction, Wish},
};

/// The layer.
#[derive(Clone, Debug)]
pub struct HelpLayer {
    /// Whose keys.
    pub view: View,
    /// First line shown.
    pub offset: usize,
    /// Lines there are, and that fit, as drawn last.
    pub lines: usize,
    /// Lines that fit.
    pub height: usize,
}

impl HelpLayer {
    /// The help of a view.
    pub fn new(view: View) -> Self {
        Self { view, offset: 0, lines: 0, height: 0 }
    }

    /// Obeys a key.
    pub fn on_key(&mut self, press: Press<'_>) -> Reaction {
        let last = self.lines.saturating_sub(self.height);
        match press.keymap.action(View::Global, Key::of(press.event)) {
            Some(Action::Down) => self.offset += 1,
            Some(Action::Up) => self.offset = self.offset.saturating_sub(1),
            Some(Action::PageDown) => self.offset += self.height.max(1),
            Some(Action::PageUp) => self.offset = self.offset.saturating_sub(self.height.max(1)),
            Some(Action::Top) => self.offset = 0,
            Some(Action::Bottom) => self.offset = last,
            Some(Action::Back | Action::Quit | Action::Help) => return Reaction::wish(Wish::Close),
            // Nothing is lost here, and it is what the page itself says of the key.
            Some(Action::QuitNow) => return Reaction::wish(Wish::Leave),
            _ => {}
        }
        self.offset = self.offset.min(last);
        Reaction::taken()
    }
}
