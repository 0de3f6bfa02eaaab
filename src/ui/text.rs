//! Text as it takes room on the screen: cleaned, measured, cut.

use std::borrow::Cow;

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use crate::model::text::printable;

/// Text that is safe to show; in ASCII, where the terminal has no more.
pub fn clean(text: &str, ascii: bool) -> Cow<'_, str> {
    let text = printable(text);
    if !ascii || text.is_ascii() {
        return text;
    }
    let mut out = String::with_capacity(text.len() + 8);
    for char in text.chars() {
        match char {
            '→' => out.push_str("->"),
            '›' | '▸' => out.push('>'),
            '▾' => out.push('v'),
            '·' | '─' | '—' | '–' => out.push('-'),
            '│' => out.push('|'),
            '…' => out.push_str("..."),
            char if char.is_ascii() => out.push(char),
            char => out.extend(char.escape_unicode()),
        }
    }
    Cow::Owned(out)
}

/// Cells that text takes.
pub fn width(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.graphemes(true).map(UnicodeWidthStr::width).sum() }
}

/// The beginning of text that takes at most `room` cells.
pub fn clip(text: &str, room: usize) -> &str {
    // No further than it is shown: what stands behind may be long.
    let bytes = text.as_bytes();
    if bytes.get(..=room).unwrap_or(bytes).is_ascii() {
        return text.get(..room).unwrap_or(text);
    }
    let mut used = 0;
    for (at, grapheme) in text.grapheme_indices(true) {
        used += grapheme.width();
        if used > room {
            return text.get(..at).unwrap_or_default();
        }
    }
    text
}

/// Text that takes at most `room` cells; what does not fit is cut at the end, and the cut is marked.
pub fn cut(text: &str, room: usize, ascii: bool) -> Cow<'_, str> {
    if width(text) <= room {
        return Cow::Borrowed(text);
    }
    let mark = if ascii { ">" } else { "…" };
    let Some(room) = room.checked_sub(1) else { return Cow::Borrowed("") };
    Cow::Owned(format!("{}{mark}", clip(text, room)))
}

/// Most cells of the end that [`elide`] keeps: a pod's two generated words, `-7d9c6b5f44-x2k4p`.
const TAIL: usize = 17;

/// Text that takes at most `room` cells; what does not fit is cut in the middle, for names that differ at their end, as
/// those of one `ReplicaSet`'s pods do.
pub fn elide(text: &str, room: usize, ascii: bool) -> Cow<'_, str> {
    let wide = width(text);
    if wide <= room {
        return Cow::Borrowed(text);
    }
    let mark = if ascii { ">" } else { "…" };
    let Some(room) = room.checked_sub(1) else { return Cow::Borrowed("") };
    let end = pan(text, wide - room.div_ceil(2).min(TAIL));
    // Without the space that a wide character cut through leaves.
    let end = end.trim_start();
    let start = clip(text, room - width(end).min(room));
    Cow::Owned(format!("{start}{mark}{end}"))
}

/// Text without its first `skip` cells; a wide character cut through leaves a space.
pub fn pan(text: &str, skip: usize) -> Cow<'_, str> {
    if skip == 0 {
        return Cow::Borrowed(text);
    }
    let mut used = 0;
    for (at, grapheme) in text.grapheme_indices(true) {
        if used >= skip {
            let rest = text.get(at..).unwrap_or_default();
            return if used > skip { Cow::Owned(format!(" {rest}")) } else { Cow::Borrowed(rest) };
        }
        used += grapheme.width();
    }
    Cow::Borrowed("")
}

/// Breaks text into lines of at most `room` cells, at spaces where there are any.
pub fn wrap(text: &str, room: usize) -> Vec<String> {
    let room = room.max(1);
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut used = 0;
    for word in text.split_inclusive(' ') {
        let bare = width(word.trim_end());
        if used > 0 && used + bare > room {
            lines.push(std::mem::take(&mut line).trim_end().to_owned());
            used = 0;
        }
        for grapheme in word.graphemes(true) {
            let wide = grapheme.width();
            if used + wide > room {
                if grapheme == " " {
                    continue;
                }
                lines.push(std::mem::take(&mut line));
                used = 0;
            }
            line.push_str(grapheme);
            used += wide;
        }
    }
    if !line.is_empty() || lines.is_empty() {
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_text_is_cut_by_cells() {
        for (text, room, wanted) in [
            ("abc", 3, "abc"),
            ("abcd", 3, "ab…"),
            ("日本語", 6, "日本語"),
            ("日本語", 5, "日本…"),
            ("日本語", 4, "日…"),
            ("日本語", 1, "…"),
            ("日本語", 0, ""),
            ("e\u{301}e\u{301}e\u{301}", 2, "e\u{301}…"),
        ] {
            let cut = cut(text, room, false);
            assert_eq!(cut, wanted, "{text} {room}");
            assert!(width(&cut) <= room);
        }
    }

    #[test]
    fn names_keep_their_end_when_the_middle_goes() {
        let pod = "hello-hello-kubernetes-m88jllscq6-9qlgq";
        for (text, room, wanted) in [
            (pod, 39, pod),
            (pod, 38, "hello-hello-kubernet…-m88jllscq6-9qlgq"),
            (pod, 20, "hello-hel…scq6-9qlgq"),
            (pod, 1, "…"),
            (pod, 0, ""),
            ("日本語日本語", 6, "日…語"),
        ] {
            let elided = elide(text, room, false);
            assert!(width(&elided) <= room, "{elided}");
            assert_eq!(elided, wanted, "{room}");
        }
    }

    #[test]
    fn ascii_says_what_it_cannot_show() {
        assert_eq!(clean("a → 日", true), r"a -> \u{65e5}");
        assert_eq!(clean("a\u{1b}", false), r"a\u{1b}");
    }

    #[test]
    fn panning_through_a_wide_character_leaves_a_space() {
        assert_eq!(pan("日本", 1), " 本");
        assert_eq!(pan("日本", 2), "本");
        assert_eq!(pan("ab", 5), "");
    }

    #[test]
    fn wrapping_keeps_everything_and_fits() {
        let text = "function call error for deploy: Found 2 errors. [(error health check from foo///hello: dial tcp)]";
        for room in 1..60 {
            let lines = wrap(text, room);
            assert!(lines.iter().all(|line| width(line) <= room.max(2)), "{room} {lines:?}");
            let squeeze = |text: &str| text.split_whitespace().collect::<String>();
            assert_eq!(squeeze(&lines.join(" ")), squeeze(text), "{room}");
        }
    }
}
