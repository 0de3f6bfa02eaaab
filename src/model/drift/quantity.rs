//! Kubernetes' quantities: `500m`, `1Gi`, `2e3`.

/// Nano units in one.
const NANO: i128 = 1_000_000_000;

/// The size in nano units, rounded up as Kubernetes rounds; `None` where the text is no quantity.
pub(crate) fn parse(text: &str) -> Option<i128> {
    let digits = text.find(|char: char| !(char.is_ascii_digit() || matches!(char, '.' | '+' | '-')));
    let (number, suffix) = text.split_at(digits.unwrap_or(text.len()));
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let negative = whole.starts_with('-');
    let whole = whole.strip_prefix(['+', '-']).unwrap_or(whole);
    if !whole.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    if (whole.is_empty() && fraction.is_empty()) || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (multiply, divide): (i128, i128) = match suffix {
        "" => (1, 1),
        "n" => (1, NANO),
        "u" => (1, 1_000_000),
        "m" => (1, 1000),
        "k" => (1000, 1),
        "M" => (1_000_000, 1),
        "G" => (NANO, 1),
        "T" => (1_000_000_000_000, 1),
        "P" => (1_000_000_000_000_000, 1),
        "E" => (1_000_000_000_000_000_000, 1),
        "Ki" => (1 << 10, 1),
        "Mi" => (1 << 20, 1),
        "Gi" => (1 << 30, 1),
        "Ti" => (1 << 40, 1),
        "Pi" => (1 << 50, 1),
        "Ei" => (1 << 60, 1),
        exponent => {
            let power: i32 = exponent.strip_prefix(['e', 'E'])?.parse().ok()?;
            let ten = |power: i32| u32::try_from(power).ok().and_then(|power| 10_i128.checked_pow(power));
            if power >= 0 { (ten(power)?, 1) } else { (1, ten(-power)?) }
        }
    };
    // Beyond so many digits nothing is left of them in nano units.
    let fraction = fraction.get(..fraction.len().min(18))?;
    let scale = 10_i128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let part = |digits: &str| if digits.is_empty() { Some(0) } else { digits.parse::<i128>().ok() };
    let value = part(whole)?.checked_mul(scale)?.checked_add(part(fraction)?)?;
    let above = value.checked_mul(multiply)?.checked_mul(NANO)?;
    let below = scale.checked_mul(divide)?;
    let size = above / below + i128::from(above % below != 0);
    Some(if negative { -size } else { size })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_compared_however_they_are_written() {
        for (one, other) in [
            ("1", "1000m"),
            ("0.5", "500m"),
            (".5", "500m"),
            ("1Gi", "1024Mi"),
            ("1G", "1000M"),
            ("1e3", "1k"),
            ("1E3", "1000"),
            ("2e-3", "2m"),
            ("100u", "0.1m"),
            ("+5", "5.0"),
            ("1.5Gi", "1536Mi"),
        ] {
            assert!(parse(one).is_some(), "{one}");
            assert_eq!(parse(one), parse(other), "{one} {other}");
        }
        assert_ne!(parse("1G"), parse("1Gi"));
        assert_eq!(parse("-1"), Some(-NANO));
        for no in ["", "m", "1x", "one", "1.2.3", "--1", "1e", "e3", "1e999", "99999999999999999999999999999999999999E"]
        {
            assert_eq!(parse(no), None, "{no}");
        }
    }
}
