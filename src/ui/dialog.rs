//! What lies over a page.

pub(super) mod act;
pub(super) mod approve;
pub(super) mod choose;
pub(super) mod edit;
pub(super) mod help;

use ratatui::layout::Rect;

/// An area of at most this size in the middle of another.
pub(super) fn centred(area: Rect, width: u16, height: u16) -> Rect {
    let (width, height) = (width.min(area.width), height.min(area.height));
    Rect::new(area.x + (area.width - width) / 2, area.y + (area.height - height) / 2, width, height)
}
