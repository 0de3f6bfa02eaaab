//! The floors of the house (the map is the crate's documentation, `src/lib.rs`) import downwards only.
//!
//! Every source file is read as Rust tokens, so that comments and strings do not count while paths inside function
//! bodies, attributes and macro calls do; a syntax tree would leave macro calls out. A path counts where it starts at
//! the crate (`crate::…`, `lateen::…`, or `super::…` as far as it leads there) or at an external crate.
#![expect(clippy::unwrap_used, reason = "a source file that cannot be read fails the test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};

/// What a floor may use: other floors of the crate, and which libraries not.
struct Floor {
    name: &'static str,
    may_use: &'static [&'static str],
    no_libraries: &'static [&'static [&'static str]],
}

const SCREEN: &[&str] = &["ratatui", "ratatui_core", "ratatui_widgets", "tui_tree_widget"];
const TERMINAL: &[&str] = &["crossterm"];
const KUBE: &[&str] = &["kube", "kube_client", "kube_core", "kube_runtime"];
const TASKS: &[&str] = &["tokio", "tokio_util", "tokio_rustls", "tokio_tungstenite"];
/// `yaml` is the only floor that knows the YAML library; the demo estate, which imports nothing of the crate, reads its
/// own scenarios with it.
const YAML: &[&str] = &["serde_yaml", "serde_saphyr"];

const FLOORS: &[Floor] = &[
    Floor { name: "model", may_use: &[], no_libraries: &[SCREEN, TERMINAL, KUBE, TASKS, YAML] },
    Floor { name: "yaml", may_use: &["model"], no_libraries: &[SCREEN, TERMINAL, KUBE, TASKS] },
    Floor { name: "store", may_use: &["model"], no_libraries: &[SCREEN, TERMINAL, KUBE, TASKS, YAML] },
    // Keys arrive as crossterm's event types, which are plain values.
    Floor { name: "app", may_use: &["model", "store", "yaml"], no_libraries: &[SCREEN, KUBE, TASKS, YAML] },
    Floor { name: "ui", may_use: &["model", "store", "app"], no_libraries: &[KUBE, TASKS, YAML] },
    Floor { name: "cluster", may_use: &["model", "yaml"], no_libraries: &[SCREEN, TERMINAL, YAML] },
    Floor { name: "demo", may_use: &[], no_libraries: &[SCREEN, TERMINAL] },
    Floor {
        name: "runtime",
        may_use: &["model", "yaml", "store", "app", "ui", "cluster", "demo"],
        no_libraries: &[YAML],
    },
    Floor {
        name: "cli",
        may_use: &["model", "yaml", "store", "cluster", "demo", "runtime"],
        no_libraries: &[SCREEN, YAML],
    },
    Floor { name: "main", may_use: &["cli", "runtime"], no_libraries: &[SCREEN, KUBE, YAML] },
    // The map itself: declares the floors and uses none, so that nothing is smuggled past them by a re-export.
    Floor { name: "lib", may_use: &[], no_libraries: &[SCREEN, TERMINAL, KUBE, TASKS, YAML] },
];

/// The library's name, by which `main.rs` imports it.
const CRATE: &str = "lateen";

/// What a file names outside its own floor, at which line.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Import {
    line: usize,
    target: Target,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Target {
    /// A module at the crate's root.
    Floor(String),
    /// The head of a path that is not the crate's: a library, or a name from the prelude or a `use`.
    Library(String),
    /// Something that hides where a path leads (the crate's root under another name, a module from elsewhere): nobody may.
    Hidden(&'static str),
}

/// Collects the imports of one file.
struct Reader {
    /// Names of the modules from the crate's root to where the reader stands.
    module: Vec<String>,
    imports: BTreeSet<Import>,
}

impl Reader {
    /// Reads one run of tokens. `prefix` holds the segments before a `{…}` of a `use` tree, and `in_use` says that
    /// a lone name is a path too.
    fn read(&mut self, tokens: TokenStream, prefix: &[String], in_use: bool) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut at = 0;
        while at < tokens.len() {
            match &tokens[at] {
                TokenTree::Ident(_) => at = self.path(&tokens, at, prefix, in_use),
                TokenTree::Group(group) => {
                    let before = |back: usize| at.checked_sub(back).map(|i| tokens[i].to_string());
                    if before(1).as_deref() == Some("#") && starts_with_path_attribute(group.stream()) {
                        self.add(group.span_open().start().line, Target::Hidden("#[path]"));
                    }
                    let module = (before(2).as_deref() == Some("mod")).then(|| before(1)).flatten();
                    let visibility = before(1).as_deref() == Some("pub");
                    let use_tree = before(1).as_deref() == Some("use");
                    if let Some(name) = module {
                        self.module.push(name);
                        self.read(group.stream(), &[], false);
                        self.module.pop();
                    } else if !visibility {
                        self.read(group.stream(), if in_use { prefix } else { &[] }, in_use || use_tree);
                    }
                    at += 1;
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => at += 1,
            }
        }
    }

    /// Reads the path that starts with the name at `at`; the answer is the index after it.
    fn path(&mut self, tokens: &[TokenTree], at: usize, prefix: &[String], in_use: bool) -> usize {
        let after_use = at > 0 && tokens[at - 1].to_string() == "use";
        let line = tokens[at].span().start().line;
        let mut segments = prefix.to_vec();
        segments.push(tokens[at].to_string());
        let mut next = at + 1;
        let mut tree = None;
        while is_path_separator(tokens, next) {
            match tokens.get(next + 2) {
                Some(TokenTree::Ident(name)) => segments.push(name.to_string()),
                Some(TokenTree::Group(group)) => {
                    tree = Some(group.stream());
                    next += 3;
                    break;
                }
                _ => {
                    next += 2;
                    break;
                }
            }
            next += 3;
        }
        if let Some(tree) = tree {
            self.read(tree, &segments, true);
            return next;
        }
        if segments == ["include"] && tokens.get(next).is_some_and(|t| t.to_string() == "!") {
            self.add(line, Target::Hidden("include!"));
        }
        let names_a_path = segments.len() > 1 || is_path_separator(tokens, at + 1) || after_use || in_use;
        self.resolve(line, segments, names_a_path);
        next
    }

    fn resolve(&mut self, line: usize, mut segments: Vec<String>, names_a_path: bool) {
        // `a::{self}` is `a`.
        if segments.len() > 1 && segments.last().is_some_and(|last| last == "self") {
            segments.pop();
        }
        let absolute = match segments[0].as_str() {
            "crate" => segments[1..].to_vec(),
            CRATE if names_a_path => segments[1..].to_vec(),
            "self" | "super" if names_a_path || segments[0] == "super" => {
                let up = |segment: &&String| matches!(segment.as_str(), "self" | "super");
                let ups = segments.iter().take_while(up).filter(|s| *s == "super").count();
                let down = segments.iter().skip_while(up).cloned();
                let keep = self.module.len().saturating_sub(ups);
                self.module[..keep].iter().cloned().chain(down).collect()
            }
            head => {
                let head = head.to_owned();
                if self.module.is_empty() && FLOORS.iter().any(|floor| floor.name == head) && names_a_path {
                    self.add(line, Target::Floor(head));
                } else if names_a_path {
                    self.add(line, Target::Library(head));
                }
                return;
            }
        };
        match absolute.first() {
            None => self.add(line, Target::Hidden("the crate's root as a whole")),
            Some(floor) if self.module.first() != Some(floor) => self.add(line, Target::Floor(floor.clone())),
            Some(_) => {}
        }
    }

    fn add(&mut self, line: usize, target: Target) {
        self.imports.insert(Import { line, target });
    }
}

fn is_path_separator(tokens: &[TokenTree], at: usize) -> bool {
    let colon = |i: usize| matches!(tokens.get(i), Some(TokenTree::Punct(p)) if p.as_char() == ':');
    colon(at) && colon(at + 1)
}

fn starts_with_path_attribute(attribute: TokenStream) -> bool {
    let mut tokens = attribute.into_iter();
    matches!(tokens.next(), Some(TokenTree::Ident(name)) if name == "path")
        && matches!(tokens.next(), Some(TokenTree::Punct(p)) if p.as_char() == '=')
}

/// What the text of `file` (its path below `src/`) may not import, each as a sentence.
fn violations(file: &Path, text: &str) -> Vec<String> {
    let mut module: Vec<String> =
        file.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if file.file_name().is_some_and(|name| name == "mod.rs") {
        return vec![format!("{}: a module `foo` stands in foo.rs, not in mod.rs", file.display())];
    }
    let Some(floor) = FLOORS.iter().find(|floor| floor.name == module[0]) else {
        return vec![format!("{}: no floor of that name: add it to tests/layering.rs", file.display())];
    };
    if floor.name == "lib" {
        module.clear();
    }
    let tokens = match text.parse::<TokenStream>() {
        Ok(tokens) => tokens,
        Err(error) => return vec![format!("{}: not Rust: {error}", file.display())],
    };
    let mut reader = Reader { module, imports: BTreeSet::new() };
    reader.read(tokens, &[], false);
    let wrong = reader.imports.into_iter().filter_map(|import| {
        let what = match import.target {
            Target::Floor(to) if floor.may_use.contains(&to.as_str()) => return None,
            Target::Floor(to) => format!("may not import {to}"),
            Target::Library(name) if floor.no_libraries.concat().contains(&name.as_str()) => {
                format!("may not use the library {name}")
            }
            Target::Library(_) => return None,
            Target::Hidden(what) => format!("may not use {what}: it hides where a path leads"),
        };
        Some(format!("src/{}:{}: {} {what}", file.display(), import.line, floor.name))
    });
    wrong.collect()
}

fn source_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            source_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn floors_import_downwards_only() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    source_files(&src, &mut files);
    assert!(!files.is_empty(), "no source in {}", src.display());
    files.sort();
    let wrong: Vec<String> = files
        .iter()
        .flat_map(|file| violations(file.strip_prefix(&src).unwrap(), &fs::read_to_string(file).unwrap()))
        .collect();
    assert!(wrong.is_empty(), "imports against the order of the floors:\n{}", wrong.join("\n"));
}

#[test]
fn a_made_up_violation_is_found() {
    let cases = [
        ("model.rs", "use crate::store::Store;", "src/model.rs:1: model may not import store"),
        ("model/health.rs", "\n\nuse super::super::ui;", "src/model/health.rs:3: model may not import ui"),
        ("app/page.rs", "use crate::{model::Key, ui::{self, theme}};", "src/app/page.rs:1: app may not import ui"),
        ("app.rs", "fn f() { let x: crate::cluster::Hub; }", "src/app.rs:1: app may not import cluster"),
        ("app.rs", "fn f() { use super::runtime as r; }", "src/app.rs:1: app may not import runtime"),
        ("app.rs", "mod tests { use super::super::ui::*; }", "src/app.rs:1: app may not import ui"),
        (
            "store.rs",
            "fn f() { assert!(matches!(x, crate::app::Message::Tick)); }",
            "src/store.rs:1: store may not import app",
        ),
        ("store.rs", "#[derive(crate::ui::D)] struct S;", "src/store.rs:1: store may not import ui"),
        ("demo/api.rs", "use crate::model;", "src/demo/api.rs:1: demo may not import model"),
        ("demo.rs", "use self::super::{model};", "src/demo.rs:1: demo may not import model"),
        ("main.rs", "use lateen::{cli, store};", "src/main.rs:1: main may not import store"),
        ("main.rs", "fn main() { lateen::ui::draw() }", "src/main.rs:1: main may not import ui"),
        ("lib.rs", "pub mod model; pub use model::Key;", "src/lib.rs:1: lib may not import model"),
        ("ui.rs", "use crate::Shortcut;", "src/ui.rs:1: ui may not import Shortcut"),
        (
            "ui.rs",
            "use crate as home;",
            "src/ui.rs:1: ui may not use the crate's root as a whole: it hides where a path leads",
        ),
        (
            "ui.rs",
            "use super::*;",
            "src/ui.rs:1: ui may not use the crate's root as a whole: it hides where a path leads",
        ),
        ("ui.rs", "#[path = \"store.rs\"] mod x;", "src/ui.rs:1: ui may not use #[path]: it hides where a path leads"),
        ("ui.rs", "include!(\"store.rs\");", "src/ui.rs:1: ui may not use include!: it hides where a path leads"),
        ("model.rs", "fn f(c: ratatui::style::Color) {}", "src/model.rs:1: model may not use the library ratatui"),
        ("model.rs", "fn f() -> ::kube::Client {}", "src/model.rs:1: model may not use the library kube"),
        ("app.rs", "use {std::fmt, tokio};", "src/app.rs:1: app may not use the library tokio"),
        ("app.rs", "use tokio as t;", "src/app.rs:1: app may not use the library tokio"),
        ("app.rs", "#[tokio::test] async fn t() {}", "src/app.rs:1: app may not use the library tokio"),
        ("ui/page.rs", "use kube::api::Api;", "src/ui/page.rs:1: ui may not use the library kube"),
        ("cli.rs", "fn f() { serde_yaml::to_string(&1); }", "src/cli.rs:1: cli may not use the library serde_yaml"),
        ("helpers.rs", "", "helpers.rs: no floor of that name: add it to tests/layering.rs"),
        ("ui/mod.rs", "", "ui/mod.rs: a module `foo` stands in foo.rs, not in mod.rs"),
    ];
    for (file, text, expected) in cases {
        assert_eq!(violations(Path::new(file), text), [expected], "{file}: {text}");
    }
}

#[test]
fn what_is_allowed_is_not_found() {
    let cases = [
        ("model.rs", "//! Drawn by [`crate::ui`].\n/* crate::ui */ pub(crate) struct A; pub(in crate::model) mod b {}"),
        ("model.rs", "const S: &str = \"crate::ui\"; mod tests { use super::*; use crate::model::Key; }"),
        ("model/key.rs", "use super::health; pub(super) fn f(self_: u8) { super::super::model::g() }"),
        ("app/page.rs", "use crate::{model::{self, Key}, store, yaml::parse}; use crossterm::event::Event;"),
        ("yaml.rs", "use crate::model::Value; fn f() { serde_yaml::from_str::<u8>(\"1\"); }"),
        ("demo.rs", "mod api; use self::api::Api; use kube::Client; use serde_yaml as yaml; fn f() { api::kube() }"),
        ("main.rs", "fn main() { let lateen = 1; lateen::cli::run(lateen) }"),
        ("lib.rs", "pub mod model; #[cfg(feature = \"demo\")] pub mod demo; pub mod ui;"),
        ("ui.rs", "struct Link { kube: u8, path: &'static str } fn f(&self) { self.kube; x.tokio(); }"),
    ];
    for (file, text) in cases {
        assert_eq!(violations(Path::new(file), text), Vec::<String>::new(), "{file}: {text}");
    }
}
