//! What is searched for in a text, and where it stands.

use std::ops::Range;

use regex::{Regex, RegexBuilder};

use crate::{app::filter::Filter, model::object::Document};

/// Largest compiled expression, in bytes: what is typed must not eat the memory.
const REGEX_LIMIT: usize = 1 << 20;

/// A search: text with smart case, or `re:` and a regular expression.
#[derive(Debug, Default)]
pub struct Search {
    filter: Filter,
    regex: Option<Regex>,
    lines: Vec<usize>,
}

impl Search {
    /// Reads what was typed.
    pub fn parse(raw: &str) -> Self {
        let typed = raw.trim_start();
        let (pattern, is_regex) = match typed.strip_prefix("re:") {
            Some(pattern) => (pattern.to_owned(), true),
            None => (regex::escape(typed), false),
        };
        let fold = !typed.chars().any(char::is_uppercase);
        let regex = (!pattern.is_empty())
            .then(|| RegexBuilder::new(&pattern).case_insensitive(fold).size_limit(REGEX_LIMIT).build().ok())
            .flatten();
        // The filter keeps the text, and says what is wrong with an expression.
        let filter = if is_regex { Filter::parse(raw, &[]) } else { Filter::literal(raw) };
        Self { filter, regex, lines: Vec::new() }
    }

    /// As typed.
    pub fn filter(&self) -> &Filter {
        &self.filter
    }

    /// The lines that hold it, in order.
    pub fn lines(&self) -> &[usize] {
        &self.lines
    }

    /// Where it stands in a piece of text.
    pub fn places<'t>(&'t self, text: &'t str) -> impl Iterator<Item = Range<usize>> + 't {
        self.regex.iter().flat_map(|regex| regex.find_iter(text)).map(|found| found.range()).filter(|at| !at.is_empty())
    }

    /// Looks through a document, some lines of which are hidden.
    pub fn find_in(&mut self, document: &Document, hidden: &Range<usize>) {
        self.lines.clear();
        let Some(regex) = &self.regex else { return };
        for found in regex.find_iter(document.text()) {
            let line = document.line_at(found.start());
            if self.lines.last() != Some(&line) && !hidden.contains(&line) {
                self.lines.push(line);
            }
        }
    }

    /// Looks through lines.
    pub fn find(&mut self, lines: impl Iterator<Item = String>) {
        self.lines.clear();
        let Some(regex) = &self.regex else { return };
        self.lines.extend(lines.enumerate().filter(|(_, text)| regex.is_match(text)).map(|(line, _)| line));
    }

    /// The first that stands on a line or below it, else the first of all.
    pub fn at_or_after(&self, line: usize) -> Option<usize> {
        let at = self.lines.partition_point(|found| *found < line);
        self.lines.get(at).or_else(|| self.lines.first()).copied()
    }

    /// The first below a line, else the first of all.
    pub fn after(&self, line: usize) -> Option<usize> {
        self.at_or_after(line + 1)
    }

    /// The last above a line, else the last of all.
    pub fn before(&self, line: usize) -> Option<usize> {
        let at = self.lines.partition_point(|found| *found < line);
        at.checked_sub(1).and_then(|at| self.lines.get(at)).or_else(|| self.lines.last()).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(typed: &str, text: &str) -> Vec<usize> {
        let mut search = Search::parse(typed);
        search.find_in(&Document::new(text.to_owned(), Vec::new()), &(0..0));
        search.lines().to_vec()
    }

    #[test]
    fn text_is_found_with_smart_case_and_what_looks_like_an_expression_is_text() {
        let text = "Kind: A\nkind: b\nx: a.c\ny: abc\n";
        assert_eq!(found("kind", text), [0, 1]);
        assert_eq!(found("Kind", text), [0]);
        assert_eq!(found("a.c", text), [2]);
        assert_eq!(found("re:a.c", text), [2, 3]);
        assert_eq!(found("re:(", text), [] as [usize; 0]);
        assert!(Search::parse("re:(").filter().error().is_some());
        assert_eq!(found("", text), [] as [usize; 0]);
    }

    #[test]
    fn the_next_goes_round() {
        let mut search = Search::parse("x");
        search.find(["x", "-", "x", "-"].into_iter().map(str::to_owned));
        assert_eq!(
            (search.after(0), search.after(2), search.before(0), search.before(3)),
            (Some(2), Some(0), Some(2), Some(2))
        );
        assert_eq!((search.at_or_after(0), search.at_or_after(1)), (Some(0), Some(2)));
    }
}
