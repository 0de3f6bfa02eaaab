//! Lines made harmless for a terminal: colours stay, nothing else acts.
//!
//! A parser of escape sequences is not needed for that, and would be one more thing to be mistaken about: no control
//! character is let through but the ESC of a well-formed SGR sequence. All others are shown as what they are, so that
//! the rest of a sequence that moves the cursor, sets a title or a link, is plain text.

use std::borrow::Cow;

use crate::model::text::{is_unprintable, printable};

/// Longest parameters that a colour has; longer ones are mischief.
const PARAMETERS: usize = 32;
/// Spaces that a tab becomes.
const TAB: &str = "    ";

/// Text in which SGR colours stay and every other control character is shown escaped; tabs become spaces.
pub fn harmless(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unprintable) {
        return Cow::Borrowed(text);
    }
    let mut clean = String::with_capacity(text.len() + 16);
    let mut rest = text;
    while let Some(at) = rest.find(['\x1b', '\t']) {
        let (before, from) = rest.split_at(at);
        clean.push_str(&printable(before));
        rest = if let Some(after) = from.strip_prefix('\t') {
            clean.push_str(TAB);
            after
        } else {
            let (taken, after) = from.split_at(sgr(from).unwrap_or(1));
            if taken.len() > 1 {
                clean.push_str(taken);
            } else {
                clean.push_str(&printable(taken));
            }
            after
        };
    }
    clean.push_str(&printable(rest));
    Cow::Owned(clean)
}

/// The length of the SGR sequence that a text begins with.
fn sgr(text: &str) -> Option<usize> {
    let parameters = text.strip_prefix("\x1b[")?;
    let is_parameter = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b';' | b':');
    let length = parameters.bytes().take(PARAMETERS + 1).take_while(|byte| is_parameter(byte)).count();
    (length <= PARAMETERS && parameters.as_bytes().get(length) == Some(&b'm')).then_some(2 + length + 1)
}

/// Text without its colours, for whom they are nothing: a search, a file, a script.
pub fn plain(text: &str) -> Cow<'_, str> {
    if !text.contains('\x1b') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\x1b') {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let (taken, after) = from.split_at(sgr(from).unwrap_or(1));
        if taken.len() == 1 {
            out.push_str(&printable(taken));
        }
        rest = after;
    }
    out.push_str(rest);
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn colours_stay_and_all_else_is_shown() {
        for (raw, shown) in [
            ("plain 宽 é 🎉", "plain 宽 é 🎉"),
            ("\x1b[1;31mred\x1b[0m \x1b[m", "\x1b[1;31mred\x1b[0m \x1b[m"),
            ("\x1b[38:2::1:2:3mx", "\x1b[38:2::1:2:3mx"),
            ("\x1b]0;title\x07", "\\u{1b}]0;title\\u{7}"),
            ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "\\u{1b}]8;;http://x\\u{1b}\\link\\u{1b}]8;;\\u{1b}\\"),
            ("\x1b[2J\x1b[1;1H", "\\u{1b}[2J\\u{1b}[1;1H"),
            ("\x1b[?2004h\x1b[200~", "\\u{1b}[?2004h\\u{1b}[200~"),
            ("\x1bPq\x1b\\\x1b_x\x1b\\\x1b^x\x1b\\", "\\u{1b}Pq\\u{1b}\\\\u{1b}_x\\u{1b}\\\\u{1b}^x\\u{1b}\\"),
            ("\u{9b}31m\u{9d}0;t\u{9c}", "\\u{9b}31m\\u{9d}0;t\\u{9c}"),
            ("a\rb\x08\x7f\0", "a\\rb\\u{8}\\u{7f}\\u{0}"),
            ("a\tb", "a    b"),
            ("\x1b[31", "\\u{1b}[31"),
            ("\x1b[\x1b[1m", "\\u{1b}[\x1b[1m"),
        ] {
            assert_eq!(harmless(raw), shown);
        }
        let long = format!("\x1b[{}m", "1;".repeat(40));
        assert!(!harmless(&long).contains('\x1b'));
        assert_eq!(plain("\x1b[1;31mred\x1b[0m \x1b[2J"), "red \\u{1b}[2J");
    }

    proptest! {
        #[test]
        fn nothing_that_acts_is_left(text in "(\\PC|\x1b\\[|\x1b|[\0-\x1f\u{7f}-\u{9f}]|[0-9;:mHJ?\\]]){0,120}") {
            let shown = harmless(&text);
            for (at, char) in shown.char_indices() {
                if char == '\x1b' {
                    prop_assert!(sgr(&shown[at..]).is_some(), "{:?}", shown);
                } else {
                    prop_assert!(!is_unprintable(char), "{:?}", shown);
                }
            }
            // Once is enough.
            prop_assert_eq!(harmless(&shown), shown.clone());
            prop_assert!(!plain(&shown).contains(is_unprintable));
        }
    }
}
