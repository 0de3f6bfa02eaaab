//! A line of a log as the API sends it: its time parsed off, its text made harmless.

use jiff::Timestamp;

use crate::{
    cluster::lines::Line,
    model::{log::LogLine, text::printable},
};

/// "2026-11-23T10:41:07.123456789Z text" → its parts; a line that does not begin with a time is text alone.
pub(super) fn parse(line: &Line) -> LogLine {
    let text = String::from_utf8_lossy(&line.bytes);
    let (time, text) = match text.split_once(' ') {
        Some((time, rest)) => match time.parse::<Timestamp>() {
            Ok(time) => (Some(time), rest),
            Err(_) => (None, &*text),
        },
        // The kubelet writes an empty line as its time alone.
        None => text.parse::<Timestamp>().map_or((None, &*text), |time| (Some(time), "")),
    };
    LogLine { time, text: harmless(text).into(), cut: line.cut }
}

/// Text with SGR colours kept and every other control character shown escaped; tabs become spaces.
fn harmless(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
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
    clean
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
    use bytes::Bytes;

    use super::*;

    fn line(text: &str) -> LogLine {
        parse(&Line { bytes: Bytes::copy_from_slice(text.as_bytes()), cut: false })
    }

    #[test]
    fn a_lines_time_is_parsed_off() {
        let parsed = line("2026-11-23T10:41:07.123456789Z GET / 200");
        assert_eq!(parsed.time, Some("2026-11-23T10:41:07.123456789Z".parse().unwrap()));
        assert_eq!(&*parsed.text, "GET / 200");
        let parsed = line("2026-11-23T10:41:07Z");
        assert_eq!((&*parsed.text, parsed.time.is_some()), ("", true));
        assert_eq!(&*line("unable to retrieve container logs").text, "unable to retrieve container logs");
    }

    #[test]
    fn colours_stay_and_everything_else_is_shown() {
        assert_eq!(harmless("\x1b[1;31mred\x1b[0m"), "\x1b[1;31mred\x1b[0m");
        for text in ["\x1b]0;title\x07", "\x1b[2J", "\x1b[?1049h", "a\rb", "\u{9b}31m", "\x1b[31"] {
            assert!(!harmless(text).contains(['\x1b', '\x07', '\r', '\u{9b}']), "{text:?}");
        }
        assert_eq!(harmless("a\tb"), "a    b");
    }

    #[test]
    fn bytes_that_are_not_text_are_shown_as_such() {
        let parsed = parse(&Line { bytes: Bytes::from_static(b"2026-11-23T10:41:07Z \xff\xfe!"), cut: true });
        assert_eq!(&*parsed.text, "\u{fffd}\u{fffd}!");
        assert!(parsed.cut);
    }
}
