//! What drawing found out, for those who need it: how much fits, and when the picture ages.

use jiff::Timestamp;

/// What came back from drawing a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Viewports {
    /// First row of the page's list on screen.
    pub offset: usize,
    /// Rows of the list that fit.
    pub height: usize,
    /// Lines of the detail, and how many fit.
    pub detail: (usize, usize),
    /// Lines of the layer on top, and how many fit.
    pub layer: (usize, usize),
    /// When a text on screen changes by time alone.
    pub next_tick: Option<Timestamp>,
}
