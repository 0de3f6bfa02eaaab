//! A line of a log as the API sends it: its time parsed off, its text made harmless.

use std::borrow::Cow;

use jiff::Timestamp;

use crate::model::text::printable;

/// The longest that the kubelet's times are, and then some.
const TIME: usize = 40;

/// "2026-11-23T10:41:07.123456789Z text" → its parts; a line that does not begin with a time is text alone.
pub(super) fn split(bytes: &[u8]) -> (Option<Timestamp>, &[u8]) {
    if !bytes.first().is_some_and(u8::is_ascii_digit) {
        return (None, bytes);
    }
    let end = memchr::memchr(b' ', &bytes[..bytes.len().min(TIME)]);
    // The kubelet writes an empty line as its time alone.
    let (head, text) = match end {
        Some(end) => (&bytes[..end], &bytes[end + 1..]),
        None if bytes.len() <= TIME => (bytes, &bytes[bytes.len()..]),
        None => return (None, bytes),
    };
    // Long ones only: a bare date that a program wrote is its own.
    let time = std::str::from_utf8(head).ok().filter(|head| head.len() >= 20).and_then(|head| head.parse().ok());
    time.map_or((None, bytes), |time| (Some(time), text))
}

/// Bytes as text: SGR colours stay, every other control character is shown escaped, tabs become spaces, what is not
/// UTF-8 becomes U+FFFD. Of a line that was cut, half a character at its end is left out.
pub(super) fn harmless(bytes: &[u8], cut: bool) -> Cow<'_, str> {
    let bytes = match std::str::from_utf8(bytes) {
        Ok(text) if text.bytes().all(|byte| (b' '..0x7f).contains(&byte)) => return text.into(),
        Err(error) if cut && error.error_len().is_none() => &bytes[..error.valid_up_to()],
        _ => bytes,
    };
    let text = String::from_utf8_lossy(bytes);
    let mut clean = String::with_capacity(text.len());
    let mut rest = &*text;
    while let Some(at) = rest.find(['\x1b', '\t']) {
        clean.push_str(&printable(&rest[..at]));
        rest = &rest[at..];
        if let Some(after) = rest.strip_prefix('\t') {
            clean.push_str("    ");
            rest = after;
        } else if let Some(length) = sgr(rest) {
            clean.push_str(&rest[..length]);
            rest = &rest[length..];
        } else {
            clean.push_str(&printable(&rest[..1]));
            rest = &rest[1..];
        }
    }
    clean.push_str(&printable(rest));
    clean.into()
}

/// The length of the SGR sequence that a text begins with.
fn sgr(text: &str) -> Option<usize> {
    let parameters = text.strip_prefix("\x1b[")?;
    let end = parameters.find(|c: char| !(c.is_ascii_digit() || c == ';' || c == ':'))?;
    // Longer ones are not colours but mischief.
    (parameters[end..].starts_with('m') && end <= 32).then_some(2 + end + 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_lines_time_is_parsed_off() {
        let (time, text) = split(b"2026-11-23T10:41:07.123456789Z GET / 200");
        assert_eq!((time, text), (Some("2026-11-23T10:41:07.123456789Z".parse().unwrap()), &b"GET / 200"[..]));
        let (time, text) = split(b"2026-11-23T12:41:07.100000000+02:00 x");
        assert_eq!((time, text), (Some("2026-11-23T10:41:07.1Z".parse().unwrap()), &b"x"[..]));
        let (time, text) = split(b"2026-11-23T10:41:07Z");
        assert_eq!((time.is_some(), text), (true, &b""[..]));
        for line in [&b"unable to retrieve container logs"[..], b"", b"2026-11-23T10 x", b"\xff\xfe", b"1"] {
            assert_eq!(split(line), (None, line));
        }
    }

    #[test]
    fn colours_stay_and_everything_else_is_shown() {
        assert_eq!(harmless(b"\x1b[1;31mred\x1b[0m", false), "\x1b[1;31mred\x1b[0m");
        for text in ["\x1b]0;title\x07", "\x1b[2J", "\x1b[?1049h", "a\rb", "\u{9b}31m", "\x1b[31"] {
            assert!(!harmless(text.as_bytes(), false).contains(['\x1b', '\x07', '\r', '\u{9b}']), "{text:?}");
        }
        assert_eq!(harmless(b"a\tb\0", false), "a    b\\u{0}");
    }

    #[test]
    fn bytes_that_are_not_text_are_shown_as_such() {
        assert_eq!(harmless(b"\xff\xfe!", true), "\u{fffd}\u{fffd}!");
        assert_eq!(harmless("aü".as_bytes().split_last().unwrap().1, true), "a");
        assert_eq!(harmless("aü".as_bytes().split_last().unwrap().1, false), "a\u{fffd}");
    }

    proptest! {
        #[test]
        fn nothing_that_moves_a_terminal_stays(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let clean = harmless(&bytes, false);
            let mut rest = &*clean;
            while let Some(at) = rest.find(|c: char| c.is_control()) {
                let length = sgr(&rest[at..]);
                prop_assert!(length.is_some(), "{clean:?}");
                rest = &rest[at + length.unwrap_or_default()..];
            }
        }
    }
}
