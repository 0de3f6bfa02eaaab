//! Foreign text made fit for a terminal, and KubeVela's messages read into words.

use std::{borrow::Cow, fmt::Write};

/// Whether a character would act on the terminal, or turn the text around it, instead of being shown.
pub fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' // bidi controls
            | '\u{2028}' | '\u{2029}' // line and paragraph separators
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

/// `text` with every control character (C0, DEL, C1), bidirectional control and line separator escaped, so that it
/// can be written to a terminal. Everything else, wide text and emoji too, stays. Every printer uses this.
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unprintable) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if is_unprintable(c) => {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\u{{{:x}}}", c as u32);
            }
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// An error message of KubeVela without the CUE dump behind it: `… refused)] (value: #provider: "multicluster"…`
/// ends before the dump.
pub fn without_cue_dump(message: &str) -> &str {
    let end = ["(value: #", "(value: {", "(value: _|_"].iter().filter_map(|mark| message.find(mark)).min();
    end.and_then(|end| message.get(..end)).unwrap_or(message).trim_end()
}

/// KubeVela's message of a deploy step that waits for health, read into words:
/// `foo///hello is not healthy,foo/prod//web is not healthy` is `hello in foo is not healthy, web in foo/prod is not
/// healthy`. The parts are cluster, namespace, replica key, component. Any other message stays as it is.
pub fn waiting_in_words(message: &str) -> Cow<'_, str> {
    const SUFFIX: &str = " is not healthy";
    if !message.ends_with(SUFFIX) {
        return Cow::Borrowed(message);
    }
    let mut parts = Vec::new();
    for part in message.split(',') {
        let Some(path) = part.trim().strip_suffix(SUFFIX) else { return Cow::Borrowed(message) };
        let [cluster, namespace, replica, component] = path.split('/').collect::<Vec<_>>()[..] else {
            return Cow::Borrowed(message);
        };
        let cluster = if cluster.is_empty() { super::key::LOCAL } else { cluster };
        let mut words = component.to_owned();
        if !replica.is_empty() {
            let _ = write!(words, " ({replica})");
        }
        let _ = write!(words, " in {cluster}");
        if !namespace.is_empty() {
            let _ = write!(words, "/{namespace}");
        }
        words.push_str(SUFFIX);
        parts.push(words);
    }
    Cow::Owned(parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_acts_on_a_terminal_is_escaped() {
        for (raw, shown) in [
            ("plain", "plain"),
            ("宽 é 🎉 👩‍👧", "宽 é 🎉 👩‍👧"),
            ("a\u{1b}[31mb", "a\\u{1b}[31mb"),
            ("two\nlines\tand\r", "two\\nlines\\tand\\r"),
            ("\u{9b}31m\u{7f}\u{0}", "\\u{9b}31m\\u{7f}\\u{0}"),
            ("abc\u{202e}fed", "abc\\u{202e}fed"),
        ] {
            assert_eq!(printable(raw), shown);
        }
        assert!(matches!(printable("plain"), Cow::Borrowed(_)));
    }

    #[test]
    fn the_dump_goes_the_pairs_stay() {
        assert_eq!(
            without_cue_dump("Found 1 errors. [(error in foo: refused)] (value: #provider: \"multicluster\"\n#do: x)"),
            "Found 1 errors. [(error in foo: refused)]"
        );
        assert_eq!(without_cue_dump("plain (value: 3)"), "plain (value: 3)");
    }

    #[test]
    fn unhealthy_paths_are_read() {
        for (raw, words) in [
            ("foo///hello is not healthy", "hello in foo is not healthy"),
            ("foo/default//hello is not healthy", "hello in foo/default is not healthy"),
            ("///web is not healthy", "web in local is not healthy"),
            (
                "foo/a/r1/web is not healthy,bar///db is not healthy",
                "web (r1) in foo/a is not healthy, db in bar is not healthy",
            ),
            ("the moon is not healthy", "the moon is not healthy"),
            ("Suspended by field suspend", "Suspended by field suspend"),
        ] {
            assert_eq!(waiting_in_words(raw), words);
        }
    }
}
