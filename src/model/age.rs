//! Ages and durations in the few characters a row has for them.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const YEAR: i64 = 365 * DAY;

/// The age of something since `since`, in one unit: `<1m`, `12m`, `3h`, `4d`, `2y`. The future counts as now.
pub fn short(since: Timestamp, now: Timestamp) -> String {
    match seconds(since, now) {
        s if s < MINUTE => "<1m".to_owned(),
        s if s < HOUR => format!("{}m", s / MINUTE),
        s if s < DAY => format!("{}h", s / HOUR),
        s if s < YEAR => format!("{}d", s / DAY),
        s => format!("{}y", s / YEAR),
    }
}

/// When the text of [`short`] turns over next: until then nothing needs to be drawn for it.
pub fn short_turns_at(since: Timestamp, now: Timestamp) -> Option<Timestamp> {
    let s = seconds(since, now);
    let unit = match s {
        s if s < HOUR => MINUTE,
        s if s < DAY => HOUR,
        s if s < YEAR => DAY,
        _ => YEAR,
    };
    since.checked_add(SignedDuration::from_secs((s / unit + 1) * unit)).ok()
}

/// The time from `since` to `now` with seconds, for what is watched closely: `43s`, `1m20s`, `2h5m`, `3d4h`.
pub fn precise(since: Timestamp, now: Timestamp) -> String {
    precise_seconds(seconds(since, now))
}

/// A duration as [`precise`] writes it; a negative one is `0s`.
pub fn precise_duration(duration: SignedDuration) -> String {
    precise_seconds(duration.as_secs().max(0))
}

fn precise_seconds(s: i64) -> String {
    let two = |big: i64, big_unit: char, small: i64, small_unit: char| {
        if small == 0 { format!("{big}{big_unit}") } else { format!("{big}{big_unit}{small}{small_unit}") }
    };
    match s {
        s if s < MINUTE => format!("{s}s"),
        s if s < HOUR => two(s / MINUTE, 'm', s % MINUTE, 's'),
        s if s < DAY => two(s / HOUR, 'h', s % HOUR / MINUTE, 'm'),
        s => two(s / DAY, 'd', s % DAY / HOUR, 'h'),
    }
}

fn seconds(since: Timestamp, now: Timestamp) -> i64 {
    now.duration_since(since).as_secs().max(0)
}

/// Reads a duration as Go writes it (`2m15s`, `1.5h`, `300ms`), which is how KubeVela takes `duration` and
/// `timeout`. `None` for anything else, a negative one among them.
pub fn parse_go_duration(text: &str) -> Option<Duration> {
    let text = text.strip_prefix('+').unwrap_or(text);
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut rest = text;
    let mut total = 0.0_f64;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest.get(..digits)?.parse().ok()?;
        rest = rest.get(digits..)?;
        let unit_len = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        let seconds = match rest.get(..unit_len)? {
            "ns" => 1e-9,
            "us" | "µs" | "μs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        total += number * seconds;
        rest = rest.get(unit_len..)?;
    }
    if text.is_empty() { None } else { Duration::try_from_secs_f64(total).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    #[test]
    fn one_unit() {
        for (seconds, text) in [
            (-5, "<1m"),
            (0, "<1m"),
            (59, "<1m"),
            (60, "1m"),
            (12 * 60 + 59, "12m"),
            (3599, "59m"),
            (3600, "1h"),
            (86_399, "23h"),
            (4 * 86_400, "4d"),
            (364 * 86_400, "364d"),
            (800 * 86_400, "2y"),
        ] {
            assert_eq!(short(at(0), at(seconds)), text, "{seconds}");
        }
    }

    #[test]
    fn it_turns_when_the_text_does() {
        for seconds in [0, 59, 60, 61, 3599, 3600, 7199, 86_399, 86_400, 400 * 86_400] {
            let turn = short_turns_at(at(0), at(seconds)).unwrap();
            let second = SignedDuration::from_secs(1);
            assert_eq!(short(at(0), at(seconds)), short(at(0), turn - second), "{seconds}");
            assert_ne!(short(at(0), at(seconds)), short(at(0), turn), "{seconds}");
        }
    }

    #[test]
    fn with_seconds() {
        for (seconds, text) in
            [(-1, "0s"), (43, "43s"), (80, "1m20s"), (120, "2m"), (7500, "2h5m"), (90_000, "1d1h"), (86_400, "1d")]
        {
            assert_eq!(precise(at(0), at(seconds)), text);
        }
    }

    #[test]
    fn go_durations() {
        for (text, millis) in [
            ("2m15s", Some(135_000)),
            ("30s", Some(30_000)),
            ("1.5h", Some(5_400_000)),
            ("300ms", Some(300)),
            ("0", Some(0)),
            ("1h0m0s", Some(3_600_000)),
            ("", None),
            ("10", None),
            ("-3s", None),
            ("ten", None),
            ("3d", None),
            ("5m3", None),
            ("99999999999999999999h", None),
        ] {
            assert_eq!(parse_go_duration(text), millis.map(Duration::from_millis), "{text}");
        }
    }
}
