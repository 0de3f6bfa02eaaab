//! The log's page: every key of it, on live streams of two clusters.

use lateen::demo::Options;
use portable_pty::CommandBuilder;

use crate::{Stage, terminal::Terminal};

/// The dashboard on an estate that writes logs, in a directory of its own that files are saved to.
fn dashboard(stage: &Stage) -> Terminal {
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_lateen"));
    command.env_clear();
    command.args(["--kubeconfig", stage.kubeconfig().to_str().unwrap(), "-A"]);
    for (name, value) in [
        ("TERM", "xterm-256color"),
        ("LANG", "C.UTF-8"),
        ("PATH", "/bin:/usr/bin"),
        ("PAGER", "sh -c 'head -n 3 \"$0\"; echo in the pager; read -r answer'"),
    ] {
        command.env(name, value);
    }
    command.env("HOME", stage.home.path());
    command.cwd(stage.home.path());
    Terminal::start(command, 40, 120)
}

/// The second line: what is shown, and how it stands.
fn title(screen: &str) -> &str {
    screen.lines().nth(1).unwrap_or_default()
}

/// The lines of the log on a screen.
fn body(screen: &str) -> impl Iterator<Item = &str> {
    let count = screen.lines().count();
    screen.lines().take(count.saturating_sub(1)).skip(2).filter(|line| !line.trim().is_empty())
}

/// Only lines of the log itself: nothing that is said among them.
fn lines(screen: &str) -> impl Iterator<Item = &str> {
    body(screen).filter(|line| !line.contains("──"))
}

struct Log(Terminal);

impl Log {
    /// Presses keys, and waits for what they do.
    fn press(&mut self, keys: &str, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        self.0.keys(keys);
        self.0.wait(what, wanted)
    }

    /// Presses keys, and waits for a text that they bring.
    fn brings(&mut self, keys: &str, text: &str) -> String {
        self.press(keys, &format!("{text:?} after {keys:?}"), |screen| screen.contains(text))
    }

    /// Presses keys, and waits for a title with that in it.
    fn titles(&mut self, keys: &str, text: &str) -> String {
        self.press(keys, &format!("{text:?} in the title after {keys:?}"), |screen| title(screen).contains(text))
    }

    /// Presses keys, and waits until that is not in the title any more.
    fn drops(&mut self, keys: &str, text: &str) -> String {
        self.press(keys, &format!("no {text:?} in the title after {keys:?}"), |screen| !title(screen).contains(text))
    }
}

#[test]
fn every_key_of_the_log_does_what_the_help_says() {
    let stage = Stage::with(Options { speed: 20.0, log_rate: 5.0, ..Options::default() });
    let mut log = Log(dashboard(&stage));
    log.0.wait_for("storefront");
    log.0.keys("/name:storefront\r");
    log.0.wait("the storefront alone", |screen| !screen.contains("transcoder"));
    // Its pods may not be known yet: then there is no log to follow, and that is said.
    log.0.press_until("l", "the log", |screen| title(screen).contains("logs · follow"));
    log.0.wait("lines of both clusters", |screen| {
        title(screen).contains("follow · shop/storefront")
            && lines(screen).any(|line| line.contains(" local/"))
            && lines(screen).any(|line| line.contains(" foo/"))
    });

    // Held and followed.
    log.titles(" ", "paused, +");
    log.0.wait("what comes meanwhile is counted", |screen| {
        title(screen).contains("paused, +") && !title(screen).contains("+0 new")
    });
    log.titles("G", "follow");
    log.titles("k", "paused");
    log.titles("f", "follow");
    log.titles("\x1b[5~", "paused");
    log.titles("\x1b[F", "follow");
    log.titles("g", "paused");
    log.titles("\x1b[6~j", "paused");
    log.titles("G", "follow");

    // How lines look.
    log.brings("t", "full times");
    log.brings("t", "times as ages");
    log.brings("t", "no times");
    log.brings("t", "times of day");
    log.brings("s", "sources: cluster/namespace/pod/container");
    log.brings("s", "no sources");
    log.brings("s", "sources: cluster/pod");
    log.brings("w", "long lines are wrapped");
    log.brings("w", "long lines are cut");
    log.titles(" ", "paused");
    log.press("\x1b[C", "the lines panned", |screen| lines(screen).all(|line| !line.contains("level=")));
    log.press("\x1b[D", "the lines panned back", |screen| lines(screen).all(|line| line.contains("level=")));
    log.titles("G", "follow");

    // What is looked for.
    log.brings("/level=(", "not a regular expression");
    log.press("\x7fwarn\r", "only warnings", |screen| {
        title(screen).contains("/level=warn")
            && lines(screen).count() > 2
            && lines(screen).all(|line| line.contains("level=warn"))
    });
    log.press("n", "the first of those found", |screen| title(screen).contains("/level=warn 1 of "));
    log.press("N", "the last of them", |screen| {
        title(screen).contains("/level=warn ")
            && title(screen).contains(" of ")
            && !title(screen).contains("warn 1 of ")
    });
    log.press("C", "two lines around each", |screen| {
        title(screen).contains("±2") && lines(screen).any(|line| !line.contains("level=warn"))
    });
    log.titles("C", "±5");
    log.titles("C", "±20");
    log.press("C", "none around", |screen| {
        !title(screen).contains('±') && lines(screen).all(|line| line.contains("level=warn"))
    });
    log.drops("\x1b", "/level");
    log.press("/!level=info\r", "no information", |screen| {
        title(screen).contains("/!level")
            && lines(screen).count() > 2
            && lines(screen).all(|line| !line.contains("level=info"))
    });
    log.drops("\x1b", "/!");
    log.press("/*level=warn\r", "found, and nothing hidden", |screen| {
        title(screen).contains("/*level=warn ") && lines(screen).any(|line| line.contains("level=info"))
    });
    log.drops("\x1b", "/*");
    log.press("/.level>=error & .level .msg\r", "two fields of errors", |screen| {
        title(screen).contains("/.level>=error")
            && lines(screen).count() > 2
            && lines(screen).all(|line| line.contains("error  ") && !line.contains("level="))
    });
    log.drops("\x1b", "/.level");
    log.titles("G", "follow");

    // Marks, one line whole, copies.
    log.titles("m", "1 marked");
    log.titles("km", "2 marked");
    log.titles("M", "2 marked");
    log.brings("c", "copied");
    log.drops("\x1b", "marked");
    log.press("\r", "the line whole", |screen| {
        screen.contains("source") && body(screen).any(|line| line.trim() == "level: info" || line.contains("level: "))
    });
    log.brings("c", "copied");
    log.press("\r", "the lines again", |screen| !body(screen).any(|line| line.contains("level: ")));
    log.titles("G", "follow");

    // Sources.
    log.brings("\t", "DROPPED");
    log.titles(" ", ", 1 hidden");
    log.drops("a", "hidden");
    log.titles("s", "hidden");
    log.drops("s", "hidden");
    log.titles("c", "hidden");
    log.drops("c", "hidden");
    log.press("\t", "the panel closed", |screen| !screen.contains("DROPPED"));

    // Where it begins.
    log.titles("1", "from the head");
    for (key, since) in [
        ("2", "since 1m"),
        ("3", "since 5m"),
        ("4", "since 15m"),
        ("5", "since 30m"),
        ("6", "since 1h"),
        ("0", "tail 1000"),
    ] {
        log.titles(key, since);
    }
    log.0.wait("lines again", |screen| lines(screen).count() > 30);
    log.brings("@", "10:41");
    log.press("noon\r", "that it is no time", |screen| screen.contains("\"noon\" is no time"));
    log.0.keys("@");
    log.press("1h\r", "a time gone to", |screen| {
        title(screen).contains("paused")
            && screen.lines().last().is_some_and(|line| line.contains("from ") || line.contains("begin at"))
    });
    log.titles("G", "follow");

    // Which containers, and which of their instances.
    log.brings("o", "which containers of shop/storefront?");
    log.titles("in foo\r", "shop/storefront");
    log.0.wait("the lines of foo alone", |screen| {
        lines(screen).count() > 2 && lines(screen).all(|line| !line.contains(" local/"))
    });
    log.brings("o", "all clusters");
    log.0.keys("all clusters\r");
    log.0.wait("the lines of both", |screen| lines(screen).any(|line| line.contains(" local/")));
    log.titles("p", "previous");
    log.drops("p", "previous");
    log.0.wait("lines again", |screen| lines(screen).count() > 30);

    // To files, and to the pager.
    log.titles(" ", "paused");
    log.brings("S", "saved as");
    log.0.keys("j");
    log.0.wait("the message gone", |screen| !screen.contains("saved as"));
    log.brings("\x13", "saved as");
    log.0.keys("k");
    log.0.wait("the message gone", |screen| !screen.contains("saved as"));
    log.press("J", "the export saved", |screen| screen.contains("saved as") && screen.contains(".ndjson"));
    let mut saved: Vec<String> = std::fs::read_dir(stage.home.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("logs-storefront-"))
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect();
    saved.sort_unstable_by_key(|text| text.starts_with('{'));
    let exported = saved.pop().unwrap();
    assert!(exported.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
    assert!(!saved.is_empty() && saved.iter().all(|text| text.contains("level=")));
    log.brings("P", "in the pager");
    log.0.keys("\r");
    log.0.wait("the log again", |screen| title(screen).contains("shop/storefront"));

    // All of them are in the help.
    let keys = ["space", "w", "t", "s", "@", "C", "m", "M", "S", "J", "P", "o", "p", "n", "N", "tab"];
    log.press("?", &format!("{keys:?} in the help"), |screen| {
        keys.iter()
            .all(|key| screen.lines().any(|line| line.split_whitespace().nth(1).is_some_and(|first| first == *key)))
    });
    log.0.keys("\x1b");
    log.0.wait("the log again", |screen| title(screen).contains("shop/storefront"));
    log.press("\x1b", "the applications again", |screen| title(screen).contains("applications"));
    log.0.keys("\x03");
    assert_eq!(log.0.end().exit_code(), 0);
}
