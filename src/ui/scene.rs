//! What stays between frames and is no state.

use std::collections::HashMap;

use ratatui::layout::Size;

use crate::app::Look;

use super::theme::Theme;

/// A column that has become too wide by more than this shrinks again.
const SLACK: u16 = 8;
/// Lists whose widths are kept.
const LISTS: usize = 64;

/// The theme, and how wide columns have become: they grow with what was shown and shrink only by much at once, so that
/// scrolling and small changes do not make them jump; they begin anew when the screen's size or the view changes.
#[derive(Debug)]
pub struct Scene {
    pub(super) theme: Theme,
    widths: HashMap<String, Vec<u16>>,
    size: Size,
    view: &'static str,
}

impl Scene {
    /// A scene of a look.
    pub fn new(look: &Look) -> Self {
        Self { theme: Theme::new(look), widths: HashMap::new(), size: Size::ZERO, view: "" }
    }

    pub(super) fn begin(&mut self, size: Size, view: &'static str) {
        if (self.size, self.view) != (size, view) {
            (self.size, self.view) = (size, view);
            self.widths.clear();
        }
    }

    /// The widest that the columns of a list have been.
    pub(super) fn widen(&mut self, list: &str, now: &[u16]) -> Vec<u16> {
        if self.widths.len() >= LISTS && !self.widths.contains_key(list) {
            self.widths.clear();
        }
        let widths = self.widths.entry(list.to_owned()).or_default();
        if widths.len() < now.len() {
            widths.resize(now.len(), 0);
        }
        for (width, now) in widths.iter_mut().zip(now) {
            *width = if *now + SLACK < *width { *now } else { (*width).max(*now) };
        }
        widths.clone()
    }
}
