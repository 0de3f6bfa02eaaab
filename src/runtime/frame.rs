//! A frame as bytes: ratatui draws into memory, and what changed comes out as one synchronised write.
//!
//! Nothing changed means no byte at all: no cursor hidden again, no style reset.

use std::io::{self, Write as _};

use crossterm::{
    cursor::{Hide, MoveTo, Show},
    queue,
    terminal::{BeginSynchronizedUpdate, Clear, ClearType as CrosstermClear, EndSynchronizedUpdate},
};
use ratatui::{
    Frame, Terminal,
    backend::{Backend, ClearType, CrosstermBackend, WindowSize},
    buffer::Cell,
    layout::{Position, Size},
};

/// Draws frames and gives the bytes that bring a terminal from the frame before to this one.
#[derive(Debug)]
pub(super) struct Painter {
    terminal: Terminal<Bytes>,
}

impl Painter {
    /// For an empty screen of that size with the cursor hidden.
    pub(super) fn new(size: Size) -> io::Result<Self> {
        Ok(Self { terminal: Terminal::new(Bytes::new(size))? })
    }

    /// What the terminal needs to show this frame instead of the one before; empty when nothing changed.
    pub(super) fn paint(&mut self, draw: impl FnOnce(&mut Frame<'_>)) -> io::Result<Vec<u8>> {
        self.terminal.draw(draw)?;
        self.terminal.backend_mut().take()
    }

    /// Takes the screen for unknown: the next frame writes all of it, at that size.
    pub(super) fn reset(&mut self, size: Size) -> io::Result<()> {
        let backend = self.terminal.backend_mut();
        backend.size = size;
        backend.shown = Cursor::Unknown;
        self.terminal.autoresize()?;
        self.terminal.clear()
    }
}

/// Where the terminal's cursor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cursor {
    Unknown,
    Hidden,
    At(Position),
}

/// A ratatui backend that keeps the bytes of one frame in memory.
#[derive(Debug)]
struct Bytes {
    size: Size,
    /// The cells of this frame, encoded.
    cells: Vec<u8>,
    clear: bool,
    shown: Cursor,
    wanted: Cursor,
}

impl Bytes {
    fn new(size: Size) -> Self {
        Self { size, cells: Vec::new(), clear: false, shown: Cursor::Unknown, wanted: Cursor::Hidden }
    }

    /// The frame, framed as one synchronised update.
    fn take(&mut self) -> io::Result<Vec<u8>> {
        let cells = std::mem::take(&mut self.cells);
        let moved = self.wanted != self.shown;
        if cells.is_empty() && !self.clear && !moved {
            return Ok(Vec::new());
        }
        let mut out = Vec::with_capacity(cells.len() + 48);
        queue!(out, BeginSynchronizedUpdate)?;
        if !matches!(self.shown, Cursor::Hidden) && (!cells.is_empty() || self.wanted == Cursor::Hidden) {
            queue!(out, Hide)?;
        }
        if std::mem::take(&mut self.clear) {
            queue!(out, Clear(CrosstermClear::All))?;
        }
        out.write_all(&cells)?;
        if let Cursor::At(at) = self.wanted {
            queue!(out, MoveTo(at.x, at.y), Show)?;
        }
        queue!(out, EndSynchronizedUpdate)?;
        self.shown = self.wanted;
        Ok(out)
    }
}

impl Backend for Bytes {
    type Error = io::Error;

    fn draw<'a, I>(&mut self, content: I) -> io::Result<()>
    where
        I: Iterator<Item = (u16, u16, &'a Cell)>,
    {
        let mut content = content.peekable();
        if content.peek().is_none() {
            return Ok(());
        }
        CrosstermBackend::new(&mut self.cells).draw(content)
    }

    fn hide_cursor(&mut self) -> io::Result<()> {
        self.wanted = Cursor::Hidden;
        Ok(())
    }

    fn show_cursor(&mut self) -> io::Result<()> {
        // Where follows from `set_cursor_position`, which ratatui calls right after.
        Ok(())
    }

    fn get_cursor_position(&mut self) -> io::Result<Position> {
        Ok(match self.wanted {
            Cursor::At(at) => at,
            Cursor::Unknown | Cursor::Hidden => Position::ORIGIN,
        })
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, position: P) -> io::Result<()> {
        self.wanted = Cursor::At(position.into());
        Ok(())
    }

    fn clear(&mut self) -> io::Result<()> {
        self.clear = true;
        self.cells.clear();
        Ok(())
    }

    fn clear_region(&mut self, _: ClearType) -> io::Result<()> {
        // The whole screen is ours, and ratatui clears parts only of inline viewports.
        self.clear()
    }

    fn size(&self) -> io::Result<Size> {
        Ok(self.size)
    }

    fn window_size(&mut self) -> io::Result<WindowSize> {
        Ok(WindowSize { columns_rows: self.size, pixels: Size::ZERO })
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use ratatui::widgets::Paragraph;

    use super::*;

    fn painter() -> Painter {
        Painter::new(Size::new(20, 3)).unwrap()
    }

    #[test]
    fn an_unchanged_frame_is_no_byte() {
        let mut painter = painter();
        let first = painter.paint(|frame| frame.render_widget(Paragraph::new("one"), frame.area())).unwrap();
        assert!(first.starts_with(b"\x1b[?2026h") && first.ends_with(b"\x1b[?2026l"), "{first:?}");
        let again = painter.paint(|frame| frame.render_widget(Paragraph::new("one"), frame.area())).unwrap();
        assert_eq!(again, b"");
    }

    #[test]
    fn an_age_that_turns_over_is_within_64_bytes() {
        let mut painter = painter();
        painter.paint(|frame| frame.render_widget(Paragraph::new("age 12m"), frame.area())).unwrap();
        let turned = painter.paint(|frame| frame.render_widget(Paragraph::new("age 13m"), frame.area())).unwrap();
        assert!(!turned.is_empty() && turned.len() <= 64, "{} bytes", turned.len());
    }

    #[test]
    fn the_cursor_is_shown_moved_and_hidden_only_when_it_changes() {
        let mut painter = painter();
        painter.paint(|_| ()).unwrap();
        let shown = painter.paint(|frame| frame.set_cursor_position((4, 1))).unwrap();
        assert_eq!(shown, b"\x1b[?2026h\x1b[2;5H\x1b[?25h\x1b[?2026l");
        assert_eq!(painter.paint(|frame| frame.set_cursor_position((4, 1))).unwrap(), b"");
        assert_eq!(painter.paint(|_| ()).unwrap(), b"\x1b[?2026h\x1b[?25l\x1b[?2026l");
        assert_eq!(painter.paint(|_| ()).unwrap(), b"");
    }

    #[test]
    fn a_reset_writes_the_whole_screen_at_its_new_size() {
        let mut painter = painter();
        let text = || Paragraph::new("hello");
        painter.paint(|frame| frame.render_widget(text(), frame.area())).unwrap();
        painter.reset(Size::new(10, 2)).unwrap();
        let bytes = painter.paint(|frame| frame.render_widget(text(), frame.area())).unwrap();
        let mut screen = vt100::Parser::new(2.try_into().unwrap(), 10.try_into().unwrap(), 0);
        screen.process(b"\x1b[2;1Hgarbage");
        screen.process(&bytes);
        assert_eq!(screen.screen().contents(), "hello");
    }
}
