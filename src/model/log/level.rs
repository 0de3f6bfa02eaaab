//! How grave a line is, by the shapes that common loggers write.

use super::fields::Fields;

/// How grave a line says it is; later ones are graver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// `trace`, `finest`.
    Trace,
    /// `debug`, `fine`.
    Debug,
    /// `info`, `notice`.
    Info,
    /// `warn`.
    Warn,
    /// `error`, `severe`.
    Error,
    /// `fatal`, `critical`, `panic`, `emergency`.
    Fatal,
}

/// Fields that hold the level, the usual first.
const NAMES: [&str; 7] = ["level", "severity", "lvl", "log.level", "loglevel", "@l", "levelname"];
/// Bytes at a line's beginning in which a bare word is taken for its level.
const HEAD: usize = 120;
/// Words looked at there.
const WORDS: usize = 14;

impl Level {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
            Self::Fatal => "fatal",
        }
    }

    /// The level that a word means, in any case.
    pub fn of_word(word: &str) -> Option<Self> {
        const LONGEST: usize = 13;
        if word.len() > LONGEST {
            return None;
        }
        let known = |names: &[&str]| names.iter().any(|name| word.eq_ignore_ascii_case(name));
        [
            (Self::Info, &["info", "inf", "notice", "information", "informational"][..]),
            (Self::Error, &["error", "err", "severe", "eror"][..]),
            (Self::Warn, &["warn", "warning", "wrn"][..]),
            (Self::Debug, &["debug", "dbg", "debu", "fine", "verbose"][..]),
            (Self::Trace, &["trace", "trc", "finer", "finest"][..]),
            (Self::Fatal, &["fatal", "critical", "crit", "panic", "dpanic", "emerg", "emergency", "alert", "ftl"][..]),
        ]
        .into_iter()
        .find_map(|(level, names)| known(names).then_some(level))
    }

    /// The level of a number, as pino and bunyan write it (10 to 60). Zap's own (-1 to 5) are words wherever it is set
    /// up as usual.
    fn of_number(number: i64) -> Option<Self> {
        Some(match number {
            10..=19 => Self::Trace,
            -1 | 20..=29 => Self::Debug,
            0 | 30..=39 => Self::Info,
            1 | 40..=49 => Self::Warn,
            2 | 50..=59 => Self::Error,
            3..=5 | 60..=99 => Self::Fatal,
            _ => return None,
        })
    }

    fn of_value(value: &str) -> Option<Self> {
        Self::of_word(value).or_else(|| value.parse().ok().and_then(Self::of_number))
    }

    /// The level that a line tells, if it tells one. `text` is free of colours.
    pub fn of(text: &str) -> Option<Self> {
        let text = text.trim_start();
        if let Some(level) = klog(text) {
            return Some(level);
        }
        if text.starts_with('{') {
            return Fields::json(text).and_then(|fields| Self::of_fields(&fields));
        }
        logfmt(text).or_else(|| bare(text))
    }

    /// The level among a line's fields.
    pub fn of_fields(fields: &Fields<'_>) -> Option<Self> {
        NAMES.iter().find_map(|name| fields.get(name)).and_then(|value| Self::of_value(&value))
    }
}

/// `E1123 10:41:07.123456       1 file.go:12] …`
fn klog(text: &str) -> Option<Level> {
    let [letter, month @ .., b' ', h1, h2, b':', _, _, b':'] = text.as_bytes().get(..12)? else { return None };
    if !month.iter().chain([h1, h2]).all(u8::is_ascii_digit) {
        return None;
    }
    Some(match letter {
        b'I' => Level::Info,
        b'W' => Level::Warn,
        b'E' => Level::Error,
        b'F' => Level::Fatal,
        _ => return None,
    })
}

/// `… level=warn …`
fn logfmt(text: &str) -> Option<Level> {
    for name in ["level=", "lvl=", "severity="] {
        if let Some(at) = text.find(name)
            && text.get(..at).is_some_and(|before| before.is_empty() || before.ends_with([' ', '.', '{', ',']))
        {
            let value = text.get(at + name.len()..).unwrap_or_default().trim_start_matches('"');
            let end = value.find(|c: char| !c.is_ascii_alphanumeric() && c != '-').unwrap_or(value.len());
            if let Some(level) = value.get(..end).and_then(Level::of_value) {
                return Some(level);
            }
        }
    }
    None
}

/// A word near the beginning: in capitals, in brackets, or behind nothing but times and numbers.
fn bare(text: &str) -> Option<Level> {
    let mut end = text.len().min(HEAD);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let head = text.get(..end).unwrap_or_default();
    let mut only_times = true;
    let is_between = |c: char| c.is_whitespace() || "[]()<>|:,;=\"'".contains(c);
    let mut from = 0;
    for word in head.split(is_between).take(WORDS * 2) {
        let at = from;
        from += word.len() + head.get(at + word.len()..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
        let word = word.trim_matches('-');
        if word.is_empty() {
            continue;
        }
        let bracketed = head.get(..at).is_some_and(|before| before.ends_with(['[', '<', '(']));
        let capitals = word.bytes().all(|byte| byte.is_ascii_uppercase());
        // `Fine, thanks` is no level, and neither is `error` in the midst of a sentence.
        let closed = head.get(at + word.len()..).is_some_and(|rest| rest.starts_with([':', ' ', ']', '\t', '|']));
        if (capitals || bracketed || (only_times && closed && !word.eq_ignore_ascii_case("fine")))
            && let Some(level) = Level::of_word(word)
        {
            return Some(level);
        }
        only_times &= word.bytes().any(|byte| byte.is_ascii_digit());
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_shapes_of_common_loggers() {
        use Level::{Debug, Error, Fatal, Info, Trace, Warn};
        for (text, level) in [
            ("E1123 10:41:07.123456       1 reflector.go:138] Failed to watch", Some(Error)),
            ("I1123 10:41:07.123456       1 main.go:12] up", Some(Info)),
            ("W1123 10:41:07.123456 1 x.go:1] hm", Some(Warn)),
            ("F1123 10:41:07.123456 1 x.go:1] no", Some(Fatal)),
            (r#"{"level":"warn","ts":1700000000.1,"msg":"slow"}"#, Some(Warn)),
            (r#"{"level":50,"time":1700000000,"msg":"no"}"#, Some(Error)),
            (r#"{"severity":"CRITICAL","message":"no"}"#, Some(Fatal)),
            (r#"{"log":{"level":"debug"},"message":"ecs"}"#, Some(Debug)),
            (r#"{"log.level":"error","message":"ecs"}"#, Some(Error)),
            (r#"{"@l":"Warning","@m":"serilog"}"#, Some(Warn)),
            (r#"{"msg":"level=error is text here"}"#, None),
            ("time=2026-11-23T10:41:07Z level=warning msg=\"slow\"", Some(Warn)),
            ("ts=1 lvl=eror msg=x", Some(Error)),
            ("2026-11-23T10:41:07.123Z    info    controller/x.go:12    started", Some(Info)),
            ("2026-11-23T10:41:07.123Z\tERROR\tcontroller/x.go:12\tfailed", Some(Error)),
            ("2026-11-23 10:41:07,123 ERROR [main] c.example.Foo - broken", Some(Error)),
            ("10:41:07.123 [main] WARN  c.example.Foo - hm", Some(Warn)),
            ("ERROR:root:broken", Some(Error)),
            ("2026-11-23 10:41:07,123 - app.mod - DEBUG - hm", Some(Debug)),
            ("2026/11/23 10:41:07 [error] 7#7: *1 open() failed", Some(Error)),
            ("[WARN] hm", Some(Warn)),
            ("[2026-11-23 10:41:07.1][1][warning][config] hm", Some(Warn)),
            ("2026-11-23T10:41:07Z TRACE hyper::client: hm", Some(Trace)),
            ("2026-11-23 10:41:07 UTC [71] FATAL:  role does not exist", Some(Fatal)),
            ("error: no such file", Some(Error)),
            ("panic: runtime error: invalid memory address", Some(Fatal)),
            ("GET /error 200", None),
            ("the error was not found", None),
            ("fine, thanks", None),
            ("", None),
            ("E1123", None),
        ] {
            assert_eq!(Level::of(text), level, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_line_is_too_much(text in "\\PC{0,200}") {
            let _ = Level::of(&text);
        }

        #[test]
        fn nor_one_that_is_nearly_right(text in r#"[EIWF{\["'=:. a-z0-9\]}é-]{0,160}"#) {
            let _ = Level::of(&text);
        }
    }
}
