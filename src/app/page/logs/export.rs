//! Lines as they leave the page: copied, saved, looked at in the pager, exported.

use std::fmt::Write as _;

use jiff::tz::TimeZone;
use serde_json::json;

use crate::{
    app::{effect::Viewer, page::Wish, world::World},
    model::{
        log::{LogScope, escape::plain},
        object::Private,
    },
};

use super::{
    LogPage,
    buffer::{Entry, Kind},
    sorted::Placed,
};

impl LogPage {
    /// The name of a file for these lines: what they are of, and when they were saved.
    fn file_name(&self, world: &World, end: &str) -> String {
        let of = match &self.request.scope {
            LogScope::App { app, .. } => app.name.to_string(),
            LogScope::Apps(_) => "applications".to_owned(),
            LogScope::Step { app, step } => format!("{}-{step}", app.name),
            LogScope::Workload(key) => key.name.to_string(),
            LogScope::Pods(pods) => match &pods[..] {
                [pod] => pod.name.to_string(),
                _ => "pods".to_owned(),
            },
            LogScope::Selector { .. } => "selector".to_owned(),
        };
        let of: String = of.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '-' }).collect();
        let at = world.now.to_zoned(world.zone.clone()).strftime("%Y%m%d-%H%M%S").to_string();
        format!("logs-{of}-{at}.{end}")
    }

    /// All lines that are shown, on the screen and above and below it.
    fn shown(&self) -> impl Iterator<Item = &Entry> {
        let lines = self.buffer.lines();
        // Without a filter they are all of them, and need not be looked for one by one.
        let all = self.index.kept().is_none().then(|| lines.iter());
        let some = self.index.kept().is_some().then(|| {
            std::iter::successors(self.first(), |place| self.behind(*place)).filter_map(move |place| lines.get(place))
        });
        all.into_iter().flatten().chain(some.into_iter().flatten())
    }

    fn line(&self, entry: &Entry, zone: &TimeZone, out: &mut String) {
        if entry.kind == Kind::Note {
            out.push_str("-- ");
            out.push_str(self.buffer.text(entry));
            out.push_str(" --\n");
            return;
        }
        if let Some(time) = self.buffer.time(entry) {
            out.push_str(&time.to_zoned(zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%.6f%:z ").to_string());
        }
        if let Some(source) = entry.source().and_then(|slot| self.sources.get(slot)) {
            out.push_str(&source.source.to_string());
            out.push(' ');
        }
        out.push_str(&plain(&self.shown_text(entry)));
        out.push_str(if entry.kind == Kind::Cut { " [cut]\n" } else { "\n" });
    }

    fn text<'a>(&self, entries: impl Iterator<Item = &'a Entry>, world: &World) -> String {
        let mut out = String::new();
        if self.buffer.gone() > 0 {
            // Writing to a String cannot fail.
            let _ = writeln!(out, "-- {} older lines were let go --", self.buffer.gone());
        }
        for entry in entries {
            self.line(entry, &world.zone, &mut out);
        }
        out
    }

    /// Saves what is shown, or everything that is kept.
    pub(super) fn save(&self, world: &World, everything: bool) -> Wish {
        let text =
            if everything { self.text(self.buffer.lines().iter(), world) } else { self.text(self.shown(), world) };
        Wish::Save(self.file_name(world, "log"), Private(text))
    }

    /// Opens what is shown in the pager.
    pub(super) fn page(&self, world: &World) -> Wish {
        Wish::View(Viewer::Pager, self.file_name(world, "log"), Private(self.text(self.shown(), world)))
    }

    /// Saves what is shown as JSON, a line each, in the shape of `lateen logs -o json`.
    pub(super) fn export(&self, world: &World) -> Wish {
        let mut out = String::new();
        for entry in self.shown() {
            let source = entry.source().and_then(|slot| self.sources.get(slot)).map(|source| &source.source);
            let is_note = entry.kind == Kind::Note;
            let text = plain(self.buffer.text(entry));
            let line = json!({
                "type": if is_note { "gap" } else { "line" },
                "cluster": source.map(|source| source.pod.cluster.as_str()),
                "namespace": source.map(|source| &*source.pod.namespace),
                "pod": source.map(|source| &*source.pod.name),
                "container": source.map(|source| &*source.container),
                "time": self.buffer.time(entry).map(|time| time.to_string()),
                "text": (!is_note).then_some(&text),
                "reason": is_note.then_some(&text),
                "cut": entry.kind == Kind::Cut,
            });
            out.push_str(&line.to_string());
            out.push('\n');
        }
        Wish::Save(self.file_name(world, "ndjson"), Private(out))
    }

    /// Copies the marked lines, else the one under the cursor.
    pub(super) fn copy(&self) -> Option<Wish> {
        let entries: Vec<&Entry> = if self.marks.is_empty() {
            vec![self.acted_on()?]
        } else {
            self.marks.iter().filter_map(|place| self.buffer.lines().get(*place)).collect()
        };
        let texts: Vec<String> = entries.iter().map(|entry| plain(&self.shown_text(entry)).into_owned()).collect();
        Some(Wish::Copy(texts.join("\n")))
    }

    /// Marks the line under the cursor, or takes its mark away.
    pub(super) fn mark(&mut self) {
        let _ = self.hold();
        let Some(place) = self.acted_on().map(Placed::place) else { return };
        if !self.marks.remove(&place) {
            self.marks.insert(place);
        }
    }
}
