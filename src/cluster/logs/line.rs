//! A line of a log as the API sends it: its time parsed off, its text made harmless.

use std::borrow::Cow;

use jiff::Timestamp;

use crate::model::log::escape;

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

/// As [`split`], of a line that was cut: where that was within its time, none of its text has come.
pub(super) fn split_cut(bytes: &[u8]) -> (Option<Timestamp>, &[u8]) {
    let (time, text) = split(bytes);
    let is_of_time = |byte: &u8| byte.is_ascii_digit() || b"-:.TZ+".contains(byte);
    let only_time = time.is_none() && bytes.len() <= TIME && bytes.iter().all(is_of_time);
    (time, if only_time { &[] } else { text })
}

/// Bytes as harmless text ([`escape::harmless`]); what is not UTF-8 becomes U+FFFD. Of a line that was cut, half a
/// character at its end is left out.
pub(super) fn harmless(bytes: &[u8], cut: bool) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        // Nearly all lines: the kubelet's own words are ASCII.
        Ok(text) if text.bytes().all(|byte| (b' '..0x7f).contains(&byte)) => text.into(),
        Ok(text) => escape::harmless(text),
        Err(error) => {
            let half = cut && error.error_len().is_none();
            let text = String::from_utf8_lossy(if half { &bytes[..error.valid_up_to()] } else { bytes });
            escape::harmless(&text).into_owned().into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_line_that_was_cut_within_its_time_no_text_has_come() {
        for cut in ["2", "2026-11-23T10:4", "2026-11-23T10:41:07.12"] {
            assert_eq!(split_cut(cut.as_bytes()), (None, &b""[..]), "{cut}");
        }
        let time = Some("2026-11-23T10:41:07Z".parse().unwrap());
        assert_eq!(split_cut(b"2026-11-23T10:41:07Z"), (time, &b""[..]));
        assert_eq!(split_cut(b"2026-11-23T10:41:07Z 20"), (time, &b"20"[..]));
        assert_eq!(split_cut(b"no time at all"), (None, &b"no time at all"[..]));
    }

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
    fn bytes_that_are_not_text_are_shown_as_such() {
        assert_eq!(harmless(b"\xff\xfe!", true), "\u{fffd}\u{fffd}!");
        assert_eq!(harmless("aü".as_bytes().split_last().unwrap().1, true), "a");
        assert_eq!(harmless("aü".as_bytes().split_last().unwrap().1, false), "a\u{fffd}");
    }
}
