//! The picture, pure: what [`draw`] shows follows from the state alone.
//!
//! [`Scene`] holds what stays between frames and is no state: the theme, and how wide columns have become. What drawing
//! finds out (how much fits, when a text turns over) goes back as [`Viewports`].

mod ansi;
mod chrome;
mod detail;
mod dialog;
mod page;
mod paint;
mod scene;
mod table;
pub mod text;
pub mod theme;
mod yaml_line;

use ratatui::{Frame, layout::Rect};

use crate::app::{App, dialog::Layer, page::Page, viewports::Viewports};

pub use self::scene::Scene;

use self::paint::Paint;

/// Smallest screen that shows anything.
pub const SMALLEST: (u16, u16) = (40, 8);
/// From this width on the application page has two columns.
pub const TWO_COLUMNS: u16 = 100;

/// Draws the state.
pub fn draw(app: &App, scene: &mut Scene, frame: &mut Frame<'_>) -> Viewports {
    let area = frame.area();
    let (cursor, viewports) = {
        let mut paint = Paint::new(app, scene, frame.buffer_mut());
        let cursor = draw_all(app, &mut paint, area);
        (cursor, paint.into_viewports())
    };
    if let Some((x, y)) = cursor.filter(|(x, y)| *x < area.right() && *y < area.bottom()) {
        frame.set_cursor_position((x, y));
    }
    viewports
}

/// Draws everything; answers where the terminal's cursor belongs, while something is typed.
fn draw_all(app: &App, paint: &mut Paint<'_>, area: Rect) -> Option<(u16, u16)> {
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        chrome::too_small(paint, area);
        return None;
    }
    let [header, body, footer] = chrome::rows(area);
    chrome::header(app, paint, header);
    match app.page() {
        Page::Applications(list) => table::draw(app, paint, list, body),
        Page::Approvals(list) => table::draw(app, paint, list, body),
        Page::Clusters(list) => table::draw(app, paint, list, body),
        Page::Pods(list) => table::draw(app, paint, list, body),
        Page::Forwards(list) => table::draw(app, paint, list, body),
        Page::Application(page) => page::application::draw(app, paint, page, body),
        Page::Logs(page) => page::logs::draw(app, paint, page, body),
        Page::Tree(page) => page::tree::draw(app, paint, page, body),
        Page::Object(page) => page::object::draw(app, paint, page, body),
        Page::Events(list) => page::events::draw(app, paint, list, body),
        Page::Revisions(list) => table::draw(app, paint, list, body),
        Page::Diff(page) => page::diff::draw(app, paint, page, body),
        Page::Problems(list) => table::draw(app, paint, list, body),
        Page::Why(page) => page::why::draw(paint, page, body),
    }
    let cursor = chrome::footer(app, paint, footer, body);
    let mut over = None;
    for layer in app.layers() {
        over = match layer {
            Layer::Approve(dialog) => dialog::approve::draw(app, paint, dialog, area),
            Layer::Act(dialog) => dialog::act::draw(app, paint, dialog, area),
            Layer::Choose(chooser) => dialog::choose::draw(paint, chooser, body),
            Layer::Edit(dialog) => {
                dialog::edit::draw(app, paint, dialog, area);
                None
            }
            Layer::Content(dialog) => {
                dialog::edit::content(app, paint, dialog, area);
                None
            }
            Layer::Help(help) => {
                dialog::help::draw(app, paint, help, area);
                None
            }
        };
    }
    if app.layers().is_empty() { cursor } else { over }
}
