//! Times as the API writes them.

use jiff::{Timestamp, Unit};

/// `2026-11-23T10:36:08Z`: whole seconds, as `metav1.Time`.
pub(crate) fn rfc3339(time: Timestamp) -> String {
    Timestamp::from_second(time.as_second()).unwrap_or(time).to_string()
}

/// Now, in whole seconds.
pub(crate) fn now() -> String {
    rfc3339(Timestamp::now())
}

/// `2026-11-23T10:36:08.123456789Z`: as the kubelet stamps log lines.
pub(crate) fn rfc3339_nano(time: Timestamp) -> String {
    let whole = time.round(Unit::Nanosecond).unwrap_or(time);
    format!("{whole:.9}")
}

/// How long ago, as a table's Age column has it: `5s`, `7m34s`, `3h`, `2d4h`.
pub(crate) fn age(since: Timestamp, now: Timestamp) -> String {
    let seconds = now.duration_since(since).as_secs().max(0);
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    let pair = |whole: i64, unit: char, rest: i64, small: char| {
        if rest == 0 { format!("{whole}{unit}") } else { format!("{whole}{unit}{rest}{small}") }
    };
    match () {
        () if seconds < 120 => format!("{seconds}s"),
        () if minutes < 10 => pair(minutes, 'm', seconds % 60, 's'),
        () if minutes < 180 => format!("{minutes}m"),
        () if hours < 8 => pair(hours, 'h', minutes % 60, 'm'),
        () if hours < 48 => format!("{hours}h"),
        () if days < 8 => pair(days, 'd', hours % 24, 'h'),
        () if days < 730 => format!("{days}d"),
        () if days < 2920 => pair(days / 365, 'y', days % 365, 'd'),
        () => format!("{}y", days / 365),
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn ages_are_kubectls() {
        let now = Timestamp::from_second(2_000_000_000).unwrap();
        for (seconds, text) in [
            (-5, "0s"),
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (454, "7m34s"),
            (600, "10m"),
            (10_800, "3h"),
            (11_100, "3h5m"),
            (36_000, "10h"),
            (187_200, "2d4h"),
            (864_000, "10d"),
        ] {
            assert_eq!(age(now - SignedDuration::from_secs(seconds), now), text);
        }
    }

    #[test]
    fn times_have_the_apis_precision() {
        let time = Timestamp::new(1_700_000_000, 5_000_000).unwrap();
        assert_eq!(rfc3339(time), "2023-11-14T22:13:20Z");
        assert_eq!(rfc3339_nano(time), "2023-11-14T22:13:20.005000000Z");
    }
}
