//! A line of YAML in its parts: what is a key, a string, a number, a word, a comment.

use super::theme::Role;

/// The parts of a line, each with the role that colours it. `is_text`: the line is text that began above.
pub(super) fn pieces(line: &str, is_text: bool) -> Vec<(&str, Role)> {
    if is_text {
        return vec![(line, Role::Quoted)];
    }
    let mut pieces = Vec::new();
    let body = line.trim_start_matches(' ');
    let mut rest = body;
    let mut lead = line.len() - body.len();
    // Dashes of sequences, one in another.
    while let Some(after) = rest.strip_prefix("- ") {
        lead += rest.len() - after.len();
        rest = after;
        let trimmed = rest.trim_start_matches(' ');
        lead += rest.len() - trimmed.len();
        rest = trimmed;
    }
    if let Some(lead) = line.get(..lead).filter(|lead| !lead.is_empty()) {
        pieces.push((lead, Role::Dim));
    }
    if rest.starts_with('#') {
        pieces.push((rest, Role::Comment));
        return pieces;
    }
    if let Some(colon) = colon(rest) {
        pieces.push((rest.get(..colon).unwrap_or_default(), Role::Field));
        let value = rest.get(colon..).unwrap_or_default();
        let (mark, value) = value.split_at(1);
        pieces.push((mark, Role::Dim));
        let trimmed = value.trim_start_matches(' ');
        if let Some(gap) = value.get(..value.len() - trimmed.len()).filter(|gap| !gap.is_empty()) {
            pieces.push((gap, Role::Text));
        }
        rest = trimmed;
    }
    if !rest.is_empty() {
        pieces.push((rest, scalar(rest)));
    }
    pieces
}

/// Where the colon stands that ends a key, if there is one.
fn colon(text: &str) -> Option<usize> {
    let mut quote: Option<char> = None;
    let mut escaped = false;
    for (at, char) in text.char_indices() {
        match (quote, char) {
            _ if escaped => escaped = false,
            (Some('"'), '\\') => escaped = true,
            (Some(open), close) if open == close => quote = None,
            (None, '"' | '\'') if at == 0 => quote = Some(char),
            (None, ':') => {
                let next = text.get(at + 1..).and_then(|rest| rest.chars().next());
                if next.is_none_or(|next| next == ' ') {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

fn scalar(text: &str) -> Role {
    match text {
        "true" | "false" | "null" | "~" => Role::Number,
        "{}" | "[]" | "|" | ">" | "|-" | ">-" | "|+" | ">+" | "-" => Role::Dim,
        _ if text.starts_with('#') => Role::Comment,
        _ if text.starts_with(|first: char| first.is_ascii_digit() || matches!(first, '-' | '+' | '.'))
            && text.parse::<f64>().is_ok() =>
        {
            Role::Number
        }
        _ => Role::Quoted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_told_apart() {
        use Role::{Dim, Field, Number, Quoted, Text};
        for (line, wanted) in [
            ("kind: Pod", vec![("kind", Field), (":", Dim), (" ", Text), ("Pod", Quoted)]),
            ("  replicas: 3", vec![("  ", Dim), ("replicas", Field), (":", Dim), (" ", Text), ("3", Number)]),
            ("  - name: a:b", vec![("  - ", Dim), ("name", Field), (":", Dim), (" ", Text), ("a:b", Quoted)]),
            ("- 1.5", vec![("- ", Dim), ("1.5", Number)]),
            ("spec:", vec![("spec", Field), (":", Dim)]),
            ("'a: b': true", vec![("'a: b'", Field), (":", Dim), (" ", Text), ("true", Number)]),
            ("f: {}", vec![("f", Field), (":", Dim), (" ", Text), ("{}", Dim)]),
            ("12:30:00", vec![("12:30:00", Quoted)]),
            ("", vec![]),
        ] {
            assert_eq!(pieces(line, false), wanted, "{line}");
        }
        assert_eq!(pieces("  a: b", true), [("  a: b", Quoted)]);
    }
}
