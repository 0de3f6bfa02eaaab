//! What differs between two texts or two states, line by line, in sections that can be looked through.

use std::{
    collections::HashMap,
    fmt::Write as _,
    time::{Duration, Instant},
};

use similar::{Algorithm, DiffTag, capture_diff_slices_deadline};

use super::{
    key::{AppKey, Text},
    resource::ResourceKey,
};

/// What is to be compared, or shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// One revision of an application, as it is: nothing is compared.
    Revision(AppKey, Text),
    /// A revision (first) with a later or other one.
    Revisions(AppKey, Text, Text),
    /// A revision with the application as its spec is now.
    Live(AppKey, Text),
    /// What was applied for an application with what is there now; whether the content of Secrets is fetched and compared
    /// too, which a person has to ask for.
    Drift(AppKey, bool),
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// What was compared with what, in a few words.
    pub title: Text,
    /// What was compared, in order.
    pub sections: Vec<Section>,
    /// What is to be said about how it was learnt; each a sentence.
    pub notes: Vec<Text>,
}

/// One thing that was compared.
#[derive(Clone, Debug, PartialEq)]
pub struct Section {
    /// Its name.
    pub heading: Text,
    /// The object, where it is one.
    pub object: Option<ResourceKey>,
    /// What came of it.
    pub verdict: Verdict,
    /// Its lines. Unchanged ones are there too.
    pub lines: Vec<Line>,
    /// What was left out of the comparison, and why; a line each.
    pub ignored: Vec<Text>,
    /// Who set some of what was left out: people and programs, not Kubernetes' own controllers.
    pub set_by: Vec<Text>,
}

/// What came of a comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing was compared: it is shown as it is.
    Shown,
    /// No difference.
    Same,
    /// It differs: so many lines are gone, so many new.
    Differs(usize, usize),
    /// Only the first has it.
    Gone,
    /// Only the second has it.
    New,
    /// It could not be compared, for the reason given.
    Unknown(Text),
}

impl Verdict {
    /// Whether something differs.
    pub fn is_difference(&self) -> bool {
        matches!(self, Self::Differs(..) | Self::Gone | Self::New)
    }

    /// One word for scripts.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Shown => "shown",
            Self::Same => "same",
            Self::Differs(..) => "differs",
            Self::Gone => "gone",
            Self::New => "new",
            Self::Unknown(_) => "unknown",
        }
    }
}

/// On which side a line stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// On both.
    Both,
    /// On the first alone: removed.
    Before,
    /// On the second alone: added.
    After,
}

impl Side {
    /// The mark of unified diffs.
    pub fn mark(self) -> char {
        match self {
            Self::Both => ' ',
            Self::Before => '-',
            Self::After => '+',
        }
    }
}

/// A line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// On which side.
    pub side: Side,
    /// Its text, without the line break.
    pub text: Box<str>,
}

/// The time that comparing two texts may take. Beyond, what is left is told as replaced.
const PATIENCE: Duration = Duration::from_secs(2);

impl Section {
    /// Compares two texts.
    pub fn of_texts(heading: impl Into<Text>, before: &str, after: &str) -> Self {
        let lines = compare(before, after);
        let count = |side| lines.iter().filter(|line| line.side == side).count();
        let verdict = match (count(Side::Before), count(Side::After)) {
            (0, 0) => Verdict::Same,
            (_, _) if after.is_empty() => Verdict::Gone,
            (_, _) if before.is_empty() => Verdict::New,
            (removed, added) => Verdict::Differs(removed, added),
        };
        Self { heading: heading.into(), object: None, verdict, lines, ignored: Vec::new(), set_by: Vec::new() }
    }

    /// A text as it is.
    pub fn of_text(heading: impl Into<Text>, text: &str) -> Self {
        let lines = text.lines().map(|text| Line { side: Side::Both, text: text.into() }).collect();
        Self {
            heading: heading.into(),
            object: None,
            verdict: Verdict::Shown,
            lines,
            ignored: Vec::new(),
            set_by: Vec::new(),
        }
    }

    /// What could not be compared.
    pub fn unknown(heading: impl Into<Text>, reason: impl Into<Text>) -> Self {
        let verdict = Verdict::Unknown(reason.into());
        Self {
            heading: heading.into(),
            object: None,
            verdict,
            lines: Vec::new(),
            ignored: Vec::new(),
            set_by: Vec::new(),
        }
    }

    /// The section as a unified diff: three unchanged lines around each change; whole where nothing was compared.
    pub fn unified(&self) -> String {
        let mut out = format!("# {}", self.heading);
        match &self.verdict {
            // Writing to a String cannot fail.
            Verdict::Unknown(reason) => _ = write!(out, ": {reason}"),
            Verdict::Same => out.push_str(": no difference"),
            Verdict::Shown | Verdict::Differs(..) => {}
            Verdict::Gone | Verdict::New => _ = write!(out, ": {}", self.verdict.as_str()),
        }
        out.push('\n');
        if self.verdict == Verdict::Shown {
            for line in &self.lines {
                out.push_str(&line.text);
                out.push('\n');
            }
            return out;
        }
        let mut end = 0;
        for (from, to) in hunks(&self.lines, CONTEXT) {
            if from > end || end == 0 {
                let place = trail(&self.lines, from_change(&self.lines, from)).join(".");
                _ = writeln!(out, "@@ {place} @@");
            }
            for line in self.lines.get(from..to).unwrap_or_default() {
                out.push(line.side.mark());
                out.push_str(&line.text);
                out.push('\n');
            }
            end = to;
        }
        out
    }
}

/// The first changed line at or after a line.
fn from_change(lines: &[Line], from: usize) -> usize {
    lines.iter().skip(from).position(|line| line.side != Side::Both).map_or(from, |further| from + further)
}

/// Unchanged lines that stand around a change.
pub const CONTEXT: usize = 3;

/// The ranges of lines that are within `context` lines of a change; none touch each other.
pub fn hunks(lines: &[Line], context: usize) -> Vec<(usize, usize)> {
    let mut hunks: Vec<(usize, usize)> = Vec::new();
    for (at, _) in lines.iter().enumerate().filter(|(_, line)| line.side != Side::Both) {
        let (from, to) = (at.saturating_sub(context), (at + context + 1).min(lines.len()));
        match hunks.last_mut() {
            Some(last) if from <= last.1 => last.1 = to,
            _ => hunks.push((from, to)),
        }
    }
    hunks
}

/// Compares two texts line by line.
pub fn compare(before: &str, after: &str) -> Vec<Line> {
    // Numbers in the place of lines: each text is read once, however often it is compared.
    let mut numbers: HashMap<&str, u32> = HashMap::new();
    let mut number = |text| {
        let next = numbers.len() as u32;
        *numbers.entry(text).or_insert(next)
    };
    let texts: [Vec<&str>; 2] = [before.lines().collect(), after.lines().collect()];
    let [a, b] = texts.each_ref().map(|texts| texts.iter().map(|text| number(*text)).collect::<Vec<u32>>());
    let deadline = Instant::now() + PATIENCE;
    let mut lines = Vec::with_capacity(b.len());
    let mut push = |texts: &[&str], side| {
        lines.extend(texts.iter().map(|text| Line { side, text: (*text).into() }));
    };
    let [old, new] = &texts;
    for operation in capture_diff_slices_deadline(Algorithm::Myers, &a, &b, Some(deadline)) {
        let (tag, from, to) = operation.as_tag_tuple();
        let (from, to) = (old.get(from).unwrap_or_default(), new.get(to).unwrap_or_default());
        match tag {
            DiffTag::Equal => push(from, Side::Both),
            DiffTag::Delete => push(from, Side::Before),
            DiffTag::Insert => push(to, Side::After),
            DiffTag::Replace => {
                push(from, Side::Before);
                push(to, Side::After);
            }
        }
    }
    lines
}

/// What a line of YAML stands in, outermost first: `spec`, `components`, `[hello]`, `properties`.
pub fn trail(lines: &[Line], at: usize) -> Vec<String> {
    let Some(line) = lines.get(at) else { return Vec::new() };
    let mut names = Vec::new();
    let mut depth = rank(&line.text);
    for above in lines.get(..at).unwrap_or_default().iter().rev() {
        if above.side != Side::Both && above.side != line.side {
            continue;
        }
        let own = rank(&above.text);
        if own >= depth || above.text.trim().is_empty() {
            continue;
        }
        depth = own;
        names.push(name_of(&above.text));
        if own == 0 {
            break;
        }
    }
    names.reverse();
    names
}

/// How deep a line stands: an item of a list is deeper than the key it belongs to, though it may begin in the same column.
fn rank(text: &str) -> usize {
    let rest = text.trim_start_matches(' ');
    (text.len() - rest.len()) * 2 + usize::from(rest.starts_with("- ") || rest == "-")
}

/// What a line of YAML is called: its key, or what tells a list's item from others.
fn name_of(text: &str) -> String {
    let rest = text.trim();
    match rest.strip_prefix('-') {
        Some(item) => {
            let item = item.trim();
            let named = ["name:", "type:"].iter().find_map(|key| item.strip_prefix(key));
            named.map_or_else(|| "[]".to_owned(), |name| format!("[{}]", name.trim().trim_matches(['"', '\''])))
        }
        None => rest.split_once(':').map_or(rest, |(key, _)| key).trim_matches(['"', '\'']).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn side(lines: &[Line], other: Side) -> String {
        let kept = lines.iter().filter(|line| line.side != other);
        kept.flat_map(|line| [&*line.text, "\n"]).collect()
    }

    const BEFORE: &str = "a: 1\nspec:\n  components:\n  - name: hello\n    properties:\n      x: 1\n      y: 2\n      z: 3\n      \
                          u: 4\n      v: 5\n  - name: web\nend: 1\n";

    #[test]
    fn a_change_is_told_with_what_it_stands_in() {
        let after = BEFORE.replace("v: 5", "v: 6");
        let section = Section::of_texts("spec", BEFORE, &after);
        assert_eq!(section.verdict, Verdict::Differs(1, 1));
        let unified = section.unified();
        assert!(unified.starts_with("# spec\n@@ spec.components.[hello].properties @@\n       y: 2\n"), "{unified}");
        assert!(unified.contains("\n-      v: 5\n+      v: 6\n   - name: web\n"), "{unified}");
        let lines = compare(BEFORE, &after);
        assert_eq!(hunks(&lines, 3), [(6, 13)]);
        assert_eq!(trail(&lines, 0), Vec::<String>::new());
    }

    #[test]
    fn one_that_only_one_side_has_is_new_or_gone() {
        assert_eq!(Section::of_texts("x", "", "a: 1\n").verdict, Verdict::New);
        assert_eq!(Section::of_texts("x", "a: 1\n", "").verdict, Verdict::Gone);
        assert_eq!(Section::of_texts("x", "a: 1\n", "a: 1\n").verdict, Verdict::Same);
        assert!(Section::of_texts("x", "a: 1\n", "a: 1\n").unified().ends_with(": no difference\n"));
    }

    proptest! {
        #[test]
        fn both_sides_are_kept_whole(before in "([a-c]\n){0,12}", after in "([a-c]\n){0,12}") {
            let lines = compare(&before, &after);
            prop_assert_eq!(side(&lines, Side::After), before);
            prop_assert_eq!(side(&lines, Side::Before), after);
            let hunks = hunks(&lines, 1);
            for (at, line) in lines.iter().enumerate() {
                let inside = hunks.iter().any(|(from, to)| (*from..*to).contains(&at));
                prop_assert!(inside || line.side == Side::Both);
                let _ = trail(&lines, at);
            }
        }
    }
}
