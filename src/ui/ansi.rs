//! The colours that a log line carries: SGR sequences become styles, every other escape is shown, not sent.

use ratatui::style::{Color, Modifier, Style};

/// The runs of a line. Without `color` the sequences are taken out and leave nothing.
pub(super) fn runs(line: &str, color: bool) -> Vec<(String, Style)> {
    let mut runs = Vec::new();
    let mut style = Style::new();
    let mut rest = line;
    while let Some(at) = rest.find("\u{1b}[") {
        let (text, escape) = rest.split_at(at);
        let body = escape.get(2..).unwrap_or_default();
        let end = body.find(|char: char| !char.is_ascii_digit() && !matches!(char, ';' | ':'));
        let Some(end) = end.filter(|end| body.get(*end..).is_some_and(|tail| tail.starts_with('m'))) else {
            // No SGR: shown as it is, escaped.
            let (text, after) = rest.split_at(at + 2);
            runs.push((text.to_owned(), style));
            rest = after;
            continue;
        };
        if !text.is_empty() {
            runs.push((text.to_owned(), style));
        }
        if color {
            style = sgr(style, body.get(..end).unwrap_or_default());
        }
        rest = body.get(end + 1..).unwrap_or_default();
    }
    if !rest.is_empty() {
        runs.push((rest.to_owned(), style));
    }
    runs
}

fn sgr(mut style: Style, body: &str) -> Style {
    let mut codes = body.split([';', ':']).map(|code| code.parse::<u16>().unwrap_or(0));
    while let Some(code) = codes.next() {
        style = match code {
            0 => Style::new(),
            1 => style.add_modifier(Modifier::BOLD),
            2 => style.add_modifier(Modifier::DIM),
            3 => style.add_modifier(Modifier::ITALIC),
            4 => style.add_modifier(Modifier::UNDERLINED),
            7 => style.add_modifier(Modifier::REVERSED),
            22 => style.remove_modifier(Modifier::BOLD | Modifier::DIM),
            30..=37 => style.fg(Color::Indexed((code - 30) as u8)),
            90..=97 => style.fg(Color::Indexed((code - 90 + 8) as u8)),
            40..=47 => style.bg(Color::Indexed((code - 40) as u8)),
            100..=107 => style.bg(Color::Indexed((code - 100 + 8) as u8)),
            39 => Style { fg: None, ..style },
            49 => Style { bg: None, ..style },
            38 | 48 => {
                let color = match codes.next() {
                    Some(5) => codes.next().map(|index| Color::Indexed(index as u8)),
                    Some(2) => match (codes.next(), codes.next(), codes.next()) {
                        (Some(r), Some(g), Some(b)) => Some(Color::Rgb(r as u8, g as u8, b as u8)),
                        _ => None,
                    },
                    _ => None,
                };
                match color {
                    Some(color) if code == 38 => style.fg(color),
                    Some(color) => style.bg(color),
                    None => style,
                }
            }
            _ => style,
        };
    }
    style
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_become_styles_and_other_escapes_stay_text() {
        let red = Style::new().fg(Color::Indexed(1));
        assert_eq!(
            runs("a\u{1b}[31mb\u{1b}[0mc", true),
            [("a".to_owned(), Style::new()), ("b".to_owned(), red), ("c".to_owned(), Style::new())]
        );
        assert_eq!(runs("\u{1b}[31mb", false), [("b".to_owned(), Style::new())]);
        let shown: String = runs("x\u{1b}[2Jy\u{1b}[", true).into_iter().map(|(text, _)| text).collect();
        assert_eq!(shown, "x\u{1b}[2Jy\u{1b}[");
        assert_eq!(runs("\u{1b}[38;5;99mz", true), [("z".to_owned(), Style::new().fg(Color::Indexed(99)))]);
    }
}
