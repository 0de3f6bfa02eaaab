//! Lines as they are written: for people with their source before them, for programs as an object each.

use std::{
    fmt::Write as _,
    hash::{DefaultHasher, Hash as _, Hasher as _},
};

use jiff::tz::TimeZone;
use regex::{Regex, RegexBuilder};
use serde::Serialize;

use crate::{
    cli::{
        args::{LogForm, Logs},
        failure::Failure,
    },
    model::log::{Gap, LogLine, LogSource},
};

/// The largest compiled expression, in bytes.
const REGEX_LIMIT: usize = 1 << 20;
/// Colours of sources that are readable on dark and light: SGR parameters.
const COLORS: [u8; 10] = [36, 33, 32, 35, 34, 96, 93, 92, 95, 94];

/// One line of `-o json`.
#[derive(Serialize)]
struct Object<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    cluster: &'a str,
    namespace: &'a str,
    pod: &'a str,
    container: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<jiff::Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dropped: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

/// How lines are written, and which.
pub(super) struct Printer {
    form: LogForm,
    timestamps: bool,
    /// Whether a pod may have several sources.
    containers: bool,
    color: bool,
    include: Vec<Regex>,
    exclude: Vec<Regex>,
    zone: TimeZone,
}

impl Printer {
    pub(super) fn new(args: &Logs, color: bool) -> Result<Self, Failure> {
        let all = |flag: &str, expressions: &[String]| {
            expressions.iter().map(|expression| compile(flag, expression)).collect::<Result<Vec<_>, _>>()
        };
        Ok(Self {
            form: args.output,
            timestamps: args.timestamps,
            containers: args.container.as_deref() == Some("all"),
            color: color && args.output == LogForm::Text,
            include: all("--include", &args.include)?,
            exclude: all("--exclude", &args.exclude)?,
            zone: TimeZone::system(),
        })
    }

    /// Writes a line, if it is wanted.
    pub(super) fn line(&self, out: &mut String, source: &LogSource, line: &LogLine) {
        let plain = without_colors(&line.text);
        let is_in = |expressions: &[Regex]| expressions.iter().any(|expression| expression.is_match(&plain));
        if (!self.include.is_empty() && !is_in(&self.include)) || is_in(&self.exclude) {
            return;
        }
        let text: &str = if self.color { &line.text } else { &plain };
        match self.form {
            LogForm::Json => Self::object(out, source, "line", Some(line), None, None),
            LogForm::Text => {
                if let (true, Some(time)) = (self.timestamps, line.time) {
                    // Writing into a String cannot fail.
                    let _ = write!(out, "{time} ");
                }
                self.source(out, source);
                out.push_str("  ");
                out.push_str(text);
                if self.color && text.contains('\x1b') {
                    out.push_str("\x1b[0m");
                }
                if line.cut {
                    out.push_str(" [line cut]");
                }
                out.push('\n');
            }
        }
    }

    /// Writes what is to be said among the lines.
    pub(super) fn gap(&self, out: &mut String, source: &LogSource, gap: &Gap) {
        let words = gap.words(&self.zone);
        match self.form {
            LogForm::Json => {
                let dropped = if let Gap::Dropped { lines } = gap { Some(*lines) } else { None };
                Self::object(out, source, "gap", None, dropped, Some(&words));
            }
            LogForm::Text => {
                out.push_str("-- ");
                self.source(out, source);
                let _ = writeln!(out, ": {words} --");
            }
        }
    }

    fn object(
        out: &mut String,
        source: &LogSource,
        kind: &'static str,
        line: Option<&LogLine>,
        dropped: Option<u64>,
        reason: Option<&str>,
    ) {
        let object = Object {
            kind,
            cluster: source.pod.cluster.as_str(),
            namespace: &source.pod.namespace,
            pod: &source.pod.name,
            container: &source.container,
            time: line.and_then(|line| line.time),
            text: line.map(|line| &*line.text),
            dropped,
            reason,
        };
        // Strings and numbers always have a JSON.
        if let Ok(json) = serde_json::to_string(&object) {
            out.push_str(&json);
            out.push('\n');
        }
    }

    fn source(&self, out: &mut String, source: &LogSource) {
        if self.color {
            let mut hasher = DefaultHasher::new();
            source.pod.hash(&mut hasher);
            let color = COLORS[(hasher.finish() % COLORS.len() as u64) as usize];
            let _ = write!(out, "\x1b[{color}m");
        }
        let _ = write!(out, "{}/{}", source.pod.cluster, source.pod.name);
        if self.containers {
            let _ = write!(out, "/{}", source.container);
        }
        if self.color {
            out.push_str("\x1b[0m");
        }
    }
}

fn compile(flag: &str, expression: &str) -> Result<Regex, Failure> {
    // Smart case: an expression without capitals means them all.
    let smart = !expression.chars().any(char::is_uppercase);
    let built = RegexBuilder::new(expression).case_insensitive(smart).size_limit(REGEX_LIMIT).build();
    built.map_err(|error| Failure::usage(format!("{flag} {expression}: {error}")))
}

/// A line's text without its colours.
fn without_colors(text: &str) -> std::borrow::Cow<'_, str> {
    if !text.contains('\x1b') {
        return text.into();
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    // Nothing but SGR sequences, which end with an m, is left of escapes.
    while let Some(at) = rest.find('\x1b') {
        plain.push_str(&rest[..at]);
        rest = rest[at..].find('m').map_or("", |end| &rest[at + end + 1..]);
    }
    plain.push_str(rest);
    plain.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{key::PodKey, log::ContainerKind};

    fn printer(args: impl FnOnce(&mut Logs), color: bool) -> Printer {
        let mut logs = Logs::default();
        args(&mut logs);
        Printer::new(&logs, color).unwrap()
    }

    fn written(printer: &Printer, texts: &[&str]) -> String {
        let pod = PodKey::new("foo", "default", "hello-1");
        let source = LogSource { pod, container: "web".into(), kind: ContainerKind::Ordinary, previous: false };
        let mut out = String::new();
        for text in texts {
            let line = LogLine { time: "2026-11-23T10:41:07.1Z".parse().ok(), text: (*text).into(), cut: false };
            printer.line(&mut out, &source, &line);
        }
        printer.gap(&mut out, &source, &Gap::Dropped { lines: 3 });
        out
    }

    #[test]
    fn lines_are_plain_in_a_pipe_and_coloured_on_a_terminal() {
        assert_eq!(
            written(&printer(|args| args.timestamps = true, false), &["\x1b[31mred\x1b[0m"]),
            "2026-11-23T10:41:07.1Z foo/hello-1  red\n-- foo/hello-1: 3 lines dropped here: the view could not keep up --\n"
        );
        let colored = written(&printer(|_| {}, true), &["\x1b[31mred"]);
        assert!(colored.contains("foo/hello-1\x1b[0m  \x1b[31mred\x1b[0m\n"), "{colored:?}");
        let all = written(&printer(|args| args.container = Some("all".into()), false), &["x"]);
        assert!(all.starts_with("foo/hello-1/web  x\n"), "{all}");
    }

    #[test]
    fn lines_are_chosen_with_smart_case() {
        let chosen = |include: &[&str], exclude: &[&str]| {
            let own = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect();
            let printer = printer(|args| (args.include, args.exclude) = (own(include), own(exclude)), false);
            let out = written(&printer, &["an Error", "an error", "a \x1b[31mwarn\x1b[0ming"]);
            out.lines().filter(|line| !line.starts_with("--")).count()
        };
        assert_eq!((chosen(&[], &[]), chosen(&["error"], &[]), chosen(&["Error"], &[])), (3, 2, 1));
        assert_eq!((chosen(&[], &["error"]), chosen(&["error", "warning"], &["an E"])), (1, 2));
        let bad = Logs { include: vec!["(".into()], ..Logs::default() };
        assert!(Printer::new(&bad, false).is_err());
    }

    #[test]
    fn a_program_reads_an_object_a_line() {
        let out = written(&printer(|args| args.output = LogForm::Json, false), &["a"]);
        let read: Vec<serde_json::Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(read[0]["type"], "line");
        assert_eq!((&read[0]["container"], &read[0]["text"]), (&"web".into(), &"a".into()));
        assert_eq!((&read[1]["type"], &read[1]["dropped"]), (&"gap".into(), &3.into()));
    }
}
