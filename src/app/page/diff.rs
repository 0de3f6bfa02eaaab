//! What differs: sections of lines, the unchanged ones folded.
//!
//! The page shows a [`Report`]: of two revisions, of one as it is, or of what was applied against what is there now. The
//! last is looked up again and again while it is in sight.

use std::collections::HashSet;

use crate::{
    app::{
        effect::Effect,
        filter::{Filter, Tester},
        keymap::Action,
        message::StreamId,
        notice::Level,
        page::{Page, Reaction, Wish},
        world::World,
    },
    model::{
        diff::{CONTEXT, Comparison, Report, Section, Side, Verdict, hunks},
        key::Text,
        resource::ResourceKey,
    },
};

/// Cells that a key pans by.
const PAN: usize = 8;

/// A row of the page: each by its place in the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Row {
    /// A sentence about the whole.
    Note(usize),
    /// A section's heading.
    Section(usize),
    /// Why a section could not be compared.
    Reason(usize),
    /// What was left out of a section's comparison.
    Ignored(usize, usize),
    /// A line of a section.
    Line(usize, usize),
    /// A line that is gone beside one that came, where both sides are shown beside each other; one of them may be missing.
    Pair(usize, Option<usize>, Option<usize>),
    /// Unchanged lines of a section that are hidden: from the first to before the last.
    Fold(usize, usize, usize),
}

/// The page.
#[derive(Debug)]
pub struct DiffPage {
    /// What is compared.
    pub asked: Comparison,
    stream: Option<StreamId>,
    report: Option<Box<Report>>,
    failed: Option<Text>,
    /// The section to begin with, until there is a report.
    wanted: Option<ResourceKey>,
    rows: Vec<Row>,
    at: usize,
    offset: usize,
    height: usize,
    /// How far the text is panned.
    pub pan: usize,
    filter: Filter,
    /// Headings of sections that stand otherwise than they begin: folded, or unfolded.
    turned: HashSet<Text>,
    /// Folds that were opened: heading, and the first line.
    opened: HashSet<(Text, usize)>,
    shows_all: bool,
    shows_ignored: bool,
    beside: bool,
    dirty: bool,
}

impl DiffPage {
    /// The page of a comparison.
    pub fn new(asked: Comparison) -> Self {
        Self {
            asked,
            stream: None,
            report: None,
            failed: None,
            wanted: None,
            rows: Vec::new(),
            at: 0,
            offset: 0,
            height: 0,
            pan: 0,
            filter: Filter::default(),
            turned: HashSet::new(),
            opened: HashSet::new(),
            shows_all: false,
            shows_ignored: false,
            beside: false,
            dirty: false,
        }
    }

    /// The same, with the cursor on an object where it is there.
    #[must_use]
    pub fn on_object(mut self, object: Option<ResourceKey>) -> Self {
        self.wanted = object;
        self
    }

    /// What came of it; `None`: nothing yet.
    pub fn report(&self) -> Option<&Report> {
        self.report.as_deref()
    }

    /// Why it could not be compared, where that is so.
    pub fn failed(&self) -> Option<&Text> {
        self.failed.as_ref()
    }

    /// The rows.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The cursor's place among them.
    pub fn at(&self) -> usize {
        self.at
    }

    /// The first row on screen, as drawn last.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// The filter in force.
    pub fn filter(&self) -> &Filter {
        &self.filter
    }

    /// Takes a filter as it is typed.
    pub fn set_filter(&mut self, raw: &str) {
        self.filter = Filter::parse(raw, &[]);
        self.dirty = true;
    }

    /// Takes where the list was drawn.
    pub fn on_drawn(&mut self, offset: usize, height: usize) {
        self.offset = offset;
        self.height = height;
    }

    /// The object under the cursor, where the section is one.
    pub fn object(&self) -> Option<&ResourceKey> {
        self.section_at_cursor()?.object.as_ref()
    }

    fn section_at_cursor(&self) -> Option<&Section> {
        match self.rows.get(self.at)? {
            Row::Section(section)
            | Row::Line(section, _)
            | Row::Pair(section, ..)
            | Row::Reason(section)
            | Row::Ignored(section, _)
            | Row::Fold(section, ..) => self.report()?.sections.get(*section),
            Row::Note(_) => None,
        }
    }

    /// Sections that differ, those that could not be compared, and all.
    pub fn count(&self) -> (usize, usize, usize) {
        let sections = self.report().map(|report| report.sections.as_slice()).unwrap_or_default();
        let differ = sections.iter().filter(|section| section.verdict.is_difference()).count();
        let unknown = sections.iter().filter(|section| matches!(section.verdict, Verdict::Unknown(_))).count();
        (differ, unknown, sections.len())
    }

    /// The page comes into sight.
    pub fn on_enter(&mut self, world: &mut World) -> Vec<Effect> {
        let stream = world.next_id();
        self.stream = Some(stream);
        vec![Effect::Compare(stream, self.asked.clone())]
    }

    /// The page goes out of sight. What was found stays, for the way back.
    pub fn on_leave(&mut self) -> Vec<Effect> {
        self.stream.take().map(Effect::StopCompare).into_iter().collect()
    }

    /// Takes what came of it; of another comparison: nothing.
    pub fn on_report(&mut self, stream: StreamId, answer: Result<Box<Report>, Text>) {
        if self.stream != Some(stream) {
            return;
        }
        match answer {
            Ok(report) => {
                self.failed = None;
                self.report = Some(report);
            }
            Err(reason) => self.failed = Some(reason),
        }
        self.dirty = true;
    }

    /// Brings the rows up to what is known.
    pub fn settle(&mut self, _world: &World) {
        if !std::mem::take(&mut self.dirty) {
            return;
        }
        let anchor = self.rows.get(self.at).copied();
        let Some(report) = &self.report else { return };
        let mut rows: Vec<Row> = (0..report.notes.len()).map(Row::Note).collect();
        let mut tester = Tester::new(&self.filter);
        for (at, section) in report.sections.iter().enumerate() {
            if self.filter.is_empty() {
                self.section(at, section, &mut rows);
                continue;
            }
            let lines = section.lines.iter().enumerate().filter(|(_, line)| tester.passes(&*line.text));
            let found: Vec<Row> = lines.map(|(line, _)| Row::Line(at, line)).collect();
            if !found.is_empty() || tester.passes(&*section.heading) {
                rows.push(Row::Section(at));
                rows.extend(found);
            }
        }
        if self.beside {
            rows = paired(report, &rows);
        }
        let wanted = self.wanted.take().and_then(|object| {
            let at = report.sections.iter().position(|section| section.object.as_ref() == Some(&object))?;
            rows.iter().position(|row| *row == Row::Section(at))
        });
        self.at = wanted
            .or_else(|| anchor.and_then(|anchor| place_of(&rows, anchor)))
            .unwrap_or(self.at)
            .min(rows.len().saturating_sub(1));
        self.rows = rows;
    }

    fn section(&self, at: usize, section: &Section, rows: &mut Vec<Row>) {
        rows.push(Row::Section(at));
        if matches!(section.verdict, Verdict::Unknown(_)) {
            rows.push(Row::Reason(at));
        }
        if self.shows_ignored {
            rows.extend((0..section.ignored.len()).map(|one| Row::Ignored(at, one)));
        }
        if !self.is_open(section) {
            return;
        }
        let all = section.lines.len();
        if self.shows_all || !matches!(section.verdict, Verdict::Differs(..)) {
            rows.extend((0..all).map(|line| Row::Line(at, line)));
            return;
        }
        let mut from = 0;
        let end = (all, all);
        for (begin, stop) in hunks(&section.lines, CONTEXT).into_iter().chain([end]) {
            // A fold takes a row itself: one line is shown rather than hidden.
            let is_opened = || self.opened.contains(&(section.heading.clone(), from));
            if begin > from && (begin - from == 1 || is_opened()) {
                rows.extend((from..begin).map(|line| Row::Line(at, line)));
            } else if begin > from {
                rows.push(Row::Fold(at, from, begin));
            }
            rows.extend((begin..stop).map(|line| Row::Line(at, line)));
            from = stop;
        }
    }

    /// Whether a section's lines are shown: those that differ begin so, and what is only shown.
    pub fn is_open(&self, section: &Section) -> bool {
        let begins = !matches!(section.verdict, Verdict::Same | Verdict::Unknown(_));
        begins != self.turned.contains(&section.heading)
    }

    /// Obeys a key.
    pub fn on_action(&mut self, action: Action, _world: &World) -> Reaction {
        let page = self.height.saturating_sub(1).max(1);
        match action {
            Action::Down => self.go(self.at.saturating_add(1)),
            Action::Up => self.go(self.at.saturating_sub(1)),
            Action::PageDown => self.go(self.at.saturating_add(page)),
            Action::PageUp => self.go(self.at.saturating_sub(page)),
            Action::Top => self.go(0),
            Action::Bottom => self.go(usize::MAX),
            Action::PanLeft => self.pan = self.pan.saturating_sub(PAN),
            Action::PanRight => self.pan += PAN,
            Action::NextChange => return self.jump(true),
            Action::PreviousChange => return self.jump(false),
            Action::Unchanged => {
                self.shows_all = !self.shows_all;
                self.opened.clear();
                self.dirty = true;
            }
            Action::Ignored => return self.turn_ignored(),
            Action::Beside => {
                self.beside = !self.beside;
                self.dirty = true;
            }
            Action::Reveal => return self.ask_secrets(),
            Action::Enter => self.turn(),
            Action::Copy => return self.copy(),
            _ => return Reaction::ignored(),
        }
        Reaction::taken()
    }

    fn go(&mut self, at: usize) {
        self.at = at.min(self.rows.len().saturating_sub(1));
    }

    /// Folds or unfolds the section, or opens what is hidden.
    fn turn(&mut self) {
        let Some(row) = self.rows.get(self.at).copied() else { return };
        let heading = |at: usize| self.report().and_then(|report| report.sections.get(at)).map(|it| it.heading.clone());
        match row {
            Row::Fold(section, from, _) => {
                if let Some(heading) = heading(section) {
                    self.opened.insert((heading, from));
                }
            }
            Row::Section(section)
            | Row::Reason(section)
            | Row::Line(section, _)
            | Row::Pair(section, ..)
            | Row::Ignored(section, _) => {
                let Some(heading) = heading(section) else { return };
                if !self.turned.remove(&heading) {
                    self.turned.insert(heading);
                }
                // The lines go: their heading stays under the cursor.
                if let Some(at) = self.rows.iter().position(|row| *row == Row::Section(section)) {
                    self.at = at;
                }
            }
            Row::Note(_) => {}
        }
        self.dirty = true;
    }

    /// Whether both sides are to be shown beside each other.
    pub fn is_beside(&self) -> bool {
        self.beside
    }

    /// The content of Secrets is to be compared too.
    fn ask_secrets(&self) -> Reaction {
        match &self.asked {
            Comparison::Drift(_, true) => {
                Reaction::wish(Wish::Say(Level::Info, "the content of Secrets is compared already".to_owned()))
            }
            Comparison::Drift(app, false) => {
                let page = Self::new(Comparison::Drift(app.clone(), true)).on_object(self.object().cloned());
                let page = Self { beside: self.beside, shows_ignored: self.shows_ignored, ..page };
                Reaction::wish(Wish::Replace(Box::new(Page::Diff(Box::new(page)))))
            }
            _ => Reaction::wish(Wish::Say(Level::Info, "no Secrets are compared here".to_owned())),
        }
    }

    fn turn_ignored(&mut self) -> Reaction {
        let sections = self.report().map(|report| report.sections.as_slice()).unwrap_or_default();
        if sections.iter().all(|section| section.ignored.is_empty()) {
            return Reaction::wish(Wish::Say(Level::Info, "nothing was left out of the comparison".to_owned()));
        }
        self.shows_ignored = !self.shows_ignored;
        self.dirty = true;
        Reaction::taken()
    }

    /// To where a change begins, after the cursor or before it; beginning again at the other end.
    fn jump(&mut self, on: bool) -> Reaction {
        let len = self.rows.len();
        let places: Vec<usize> = if on {
            (self.at + 1..len).chain(0..=self.at.min(len.saturating_sub(1))).collect()
        } else {
            (0..self.at).rev().chain((self.at..len).rev()).collect()
        };
        match places.into_iter().find(|at| self.begins_change(*at)) {
            Some(at) => {
                self.at = at;
                Reaction::taken()
            }
            None => Reaction::wish(Wish::Say(Level::Info, "nothing differs".to_owned())),
        }
    }

    fn begins_change(&self, at: usize) -> bool {
        let Some(row) = self.rows.get(at) else { return false };
        let Some(report) = self.report() else { return false };
        let changed = |row: &Row| match row {
            Row::Line(section, line) => report
                .sections
                .get(*section)
                .and_then(|section| section.lines.get(*line))
                .is_some_and(|line| line.side != Side::Both),
            Row::Pair(..) => true,
            _ => false,
        };
        match row {
            // What is gone or new as a whole, or folded though it differs.
            Row::Section(section) => report.sections.get(*section).is_some_and(|section| {
                let one = matches!(section.verdict, Verdict::Gone | Verdict::New | Verdict::Unknown(_));
                one || (section.verdict.is_difference() && !self.is_open(section))
            }),
            Row::Line(section, _) | Row::Pair(section, ..) => {
                let whole = report
                    .sections
                    .get(*section)
                    .is_some_and(|section| matches!(section.verdict, Verdict::Gone | Verdict::New));
                let follows = at.checked_sub(1).and_then(|above| self.rows.get(above)).is_some_and(changed);
                changed(row) && !follows && !whole
            }
            _ => false,
        }
    }

    /// The section under the cursor, as a unified diff.
    fn copy(&self) -> Reaction {
        match self.section_at_cursor() {
            Some(section) => Reaction::wish(Wish::Copy(section.unified())),
            None => Reaction::ignored(),
        }
    }
}

/// The rows with lines that are gone beside those that came in their place.
fn paired(report: &Report, rows: &[Row]) -> Vec<Row> {
    let side = |row: &Row| match row {
        Row::Line(section, line) => {
            let line = report.sections.get(*section).and_then(|section| section.lines.get(*line));
            line.map(|line| line.side).filter(|side| *side != Side::Both)
        }
        _ => None,
    };
    let mut paired = Vec::with_capacity(rows.len());
    let mut rest = rows;
    while let Some((first, others)) = rest.split_first() {
        let Row::Line(section, _) = *first else {
            paired.push(*first);
            rest = others;
            continue;
        };
        let run = |rows: &[Row], wanted: Side| -> Vec<usize> {
            let lines = rows.iter().map_while(|row| match row {
                Row::Line(own, line) if *own == section && side(row) == Some(wanted) => Some(*line),
                _ => None,
            });
            lines.collect()
        };
        let before = run(rest, Side::Before);
        let after = run(rest.get(before.len()..).unwrap_or_default(), Side::After);
        if before.is_empty() && after.is_empty() {
            paired.push(*first);
            rest = others;
            continue;
        }
        let most = before.len().max(after.len());
        paired.extend((0..most).map(|at| Row::Pair(section, before.get(at).copied(), after.get(at).copied())));
        rest = rest.get(before.len() + after.len()..).unwrap_or_default();
    }
    paired
}

/// Where a row is now; a line that is hidden now: the fold that hides it, or its section.
fn place_of(rows: &[Row], wanted: Row) -> Option<usize> {
    let same = rows.iter().position(|row| *row == wanted);
    same.or_else(|| {
        let (section, line) = match wanted {
            Row::Line(section, line) | Row::Fold(section, line, _) => (section, line),
            Row::Pair(section, before, after) => (section, before.or(after).unwrap_or_default()),
            Row::Ignored(section, _) | Row::Reason(section) => (section, usize::MAX),
            Row::Note(_) | Row::Section(_) => return None,
        };
        let holds = |row: &Row| match row {
            Row::Fold(own, from, to) => *own == section && (*from..*to).contains(&line),
            Row::Line(own, at) => *own == section && *at == line,
            Row::Pair(own, before, after) => *own == section && [*before, *after].contains(&Some(line)),
            _ => false,
        };
        rows.iter().position(holds).or_else(|| rows.iter().position(|row| *row == Row::Section(section)))
    })
}
