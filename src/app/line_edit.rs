//! A line of text under readline's keys, for commands, filters and names to be typed.

use crossterm::event::{KeyCode, KeyModifiers};
use unicode_segmentation::UnicodeSegmentation;

use super::keymap::Key;

/// Longest text a line takes, in bytes: a paste of a file must not become a command.
const LIMIT: usize = 4096;

/// The text, where the cursor is, and what was cut last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LineEdit {
    text: String,
    /// Byte offset, always on a grapheme's boundary.
    cursor: usize,
    cut: String,
}

impl LineEdit {
    /// A line with text and the cursor behind it.
    pub fn with(text: &str) -> Self {
        Self { text: text.to_owned(), cursor: text.len(), cut: String::new() }
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text before the cursor.
    pub fn before(&self) -> &str {
        self.text.get(..self.cursor).unwrap_or_default()
    }

    /// The text from the cursor on.
    pub fn after(&self) -> &str {
        self.text.get(self.cursor..).unwrap_or_default()
    }

    /// Replaces the text; the cursor goes behind it.
    pub fn set(&mut self, text: &str) {
        text.clone_into(&mut self.text);
        self.cursor = self.text.len();
    }

    /// Puts text at the cursor; control characters become spaces, so that a pasted line break submits nothing.
    pub fn insert(&mut self, text: &str) {
        for char in text.chars() {
            let char = if char.is_control() { ' ' } else { char };
            if self.text.len() + char.len_utf8() > LIMIT {
                return;
            }
            self.text.insert(self.cursor, char);
            self.cursor += char.len_utf8();
        }
    }

    /// Edits by a key; `false` when the key is none of readline's.
    pub fn on_key(&mut self, key: Key) -> bool {
        let ctrl = key.modifiers == KeyModifiers::CONTROL;
        let alt = key.modifiers == KeyModifiers::ALT;
        match key.code {
            KeyCode::Char(char) if key.modifiers.is_empty() => self.insert(char.encode_utf8(&mut [0; 4])),
            KeyCode::Left if ctrl || alt => self.cursor = self.word_left(),
            KeyCode::Right if ctrl || alt => self.cursor = self.word_right(),
            KeyCode::Char('b') if alt => self.cursor = self.word_left(),
            KeyCode::Char('f') if alt => self.cursor = self.word_right(),
            KeyCode::Left => self.cursor = self.left(),
            KeyCode::Right => self.cursor = self.right(),
            KeyCode::Char('b') if ctrl => self.cursor = self.left(),
            KeyCode::Char('f') if ctrl => self.cursor = self.right(),
            KeyCode::Home => self.cursor = 0,
            KeyCode::End => self.cursor = self.text.len(),
            KeyCode::Char('a') if ctrl => self.cursor = 0,
            KeyCode::Char('e') if ctrl => self.cursor = self.text.len(),
            KeyCode::Backspace if alt => self.cut(self.word_left(), self.cursor),
            KeyCode::Backspace => self.remove(self.left(), self.cursor),
            KeyCode::Char('h') if ctrl => self.remove(self.left(), self.cursor),
            KeyCode::Delete => self.remove(self.cursor, self.right()),
            KeyCode::Char('d') if ctrl => self.remove(self.cursor, self.right()),
            KeyCode::Char('d') if alt => self.cut(self.cursor, self.word_right()),
            KeyCode::Char('w') if ctrl => self.cut(self.space_left(), self.cursor),
            KeyCode::Char('u') if ctrl => self.cut(0, self.cursor),
            KeyCode::Char('k') if ctrl => self.cut(self.cursor, self.text.len()),
            KeyCode::Char('y') if ctrl => {
                let cut = std::mem::take(&mut self.cut);
                self.insert(&cut);
                self.cut = cut;
            }
            _ => return false,
        }
        true
    }

    fn left(&self) -> usize {
        self.before().grapheme_indices(true).next_back().map_or(0, |(at, _)| at)
    }

    fn right(&self) -> usize {
        self.after().graphemes(true).next().map_or(self.cursor, |first| self.cursor + first.len())
    }

    fn word_left(&self) -> usize {
        self.before().unicode_word_indices().next_back().map_or(0, |(at, _)| at)
    }

    fn word_right(&self) -> usize {
        let next = self.after().unicode_word_indices().next();
        next.map_or(self.text.len(), |(at, word)| self.cursor + at + word.len())
    }

    /// ctrl-w cuts to white space, as in a shell.
    fn space_left(&self) -> usize {
        let trimmed = self.before().trim_end();
        trimmed
            .rfind(char::is_whitespace)
            .map_or(0, |at| at + trimmed.get(at..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8))
    }

    fn remove(&mut self, from: usize, to: usize) {
        if from < to && self.text.get(from..to).is_some() {
            self.text.replace_range(from..to, "");
            self.cursor = from;
        }
    }

    fn cut(&mut self, from: usize, to: usize) {
        if let Some(text) = self.text.get(from..to).filter(|text| !text.is_empty()) {
            self.cut = text.to_owned();
            self.remove(from, to);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(line: &mut LineEdit, keys: &[Key]) {
        for key in keys {
            assert!(line.on_key(*key), "{key} is not taken");
        }
    }

    #[test]
    fn words_are_cut_and_yanked() {
        let mut line = LineEdit::with("app default/helm-hello ");
        press(&mut line, &[Key::ctrl('w')]);
        assert_eq!(line.text(), "app ");
        press(&mut line, &[Key::ctrl('a'), Key::ctrl('y')]);
        assert_eq!(line.text(), "default/helm-hello app ");
        press(&mut line, &[Key::ctrl('u')]);
        assert_eq!(line.text(), "app ");
    }

    #[test]
    fn one_key_removes_one_grapheme() {
        let mut line = LineEdit::with("ae\u{301}日");
        press(&mut line, &[Key::plain(KeyCode::Backspace), Key::ctrl('h')]);
        assert_eq!(line.text(), "a");
        press(&mut line, &[Key::plain(KeyCode::Backspace), Key::plain(KeyCode::Backspace), Key::ctrl('d')]);
        assert_eq!(line.text(), "");
    }

    #[test]
    fn a_pasted_line_break_submits_nothing_and_a_file_does_not_fit() {
        let mut line = LineEdit::default();
        line.insert("q\nq");
        assert_eq!(line.text(), "q q");
        line.insert(&"x".repeat(10_000));
        assert!(line.text().len() <= LIMIT);
    }

    #[test]
    fn other_keys_are_left_to_others() {
        let mut line = LineEdit::default();
        assert!(!line.on_key(Key::plain(KeyCode::Enter)));
        assert!(!line.on_key(Key::ctrl('p')));
    }
}
