//! The shell in simulated containers. It says what it is, knows a few commands, and touches nothing.

use std::fmt::Write;
use std::time::Duration;

use jiff::Timestamp;

/// What a command line left behind.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Done {
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) code: u8,
    /// The shell itself is to end.
    pub(crate) exit: bool,
    /// How long it took.
    pub(crate) pause: Duration,
}

impl Done {
    fn out(text: impl Into<String>) -> Self {
        Self { out: text.into(), ..Self::default() }
    }

    fn failed(code: u8, text: impl Into<String>) -> Self {
        Self { err: text.into(), code, ..Self::default() }
    }
}

/// A shell in one container.
#[derive(Debug, Clone)]
pub(crate) struct Shell {
    pub(crate) pod: String,
    /// The container's environment.
    pub(crate) variables: Vec<(String, String)>,
    pub(crate) directory: String,
    /// Rows and columns of the terminal, if there is one.
    pub(crate) size: (u16, u16),
    pub(crate) code: u8,
}

/// Said to whoever opens a terminal here.
pub(crate) const GREETING: &str =
    "This container is simulated: the shell is lateen's own and knows little. `help` tells what.\n";

const COMMANDS: &str = "cat cd date echo env exit false help hostname id ls printenv ps pwd seq sh sleep stty true uname \
                        uptime whoami";
/// The most numbers that `seq` prints.
const MOST: u64 = 1_000_000;

impl Shell {
    /// The prompt, as busybox has it for root.
    pub(crate) fn prompt(&self) -> String {
        format!("{} # ", self.directory)
    }

    /// Runs a line: commands joined by `;`, `&&` and `||`.
    pub(crate) fn line(&mut self, line: &str) -> Done {
        let mut all = Done::default();
        let mut rest = line;
        let mut run = true;
        loop {
            let (command, join, after) = split(rest);
            let words = self.words(command);
            if run && !words.is_empty() {
                let words: Vec<&str> = words.iter().map(String::as_str).collect();
                let done =
                    self.command(&words).unwrap_or_else(|| Done::failed(127, format!("sh: {}: not found\n", words[0])));
                self.code = done.code;
                all.out.push_str(&done.out);
                all.err.push_str(&done.err);
                all.pause += done.pause;
                if done.exit {
                    all.exit = true;
                    break;
                }
            }
            run = match join {
                "&&" => self.code == 0,
                "||" => self.code != 0,
                ";" => true,
                _ => break,
            };
            rest = after;
        }
        all.code = self.code;
        all
    }

    /// Runs one program; none if there is no such program.
    pub(crate) fn command(&mut self, words: &[&str]) -> Option<Done> {
        let (program, arguments) = words.split_first()?;
        let program = program.rsplit('/').next().unwrap_or(program);
        Some(match (program, arguments) {
            ("sh" | "bash" | "ash", ["-c", line, ..]) => Done { exit: false, ..self.clone().line(line) },
            ("true" | ":" | "sh" | "bash" | "ash", _) => Done::default(),
            ("false", _) => Done::failed(1, ""),
            ("echo", ["-n", rest @ ..]) => Done::out(rest.join(" ")),
            ("echo", rest) => Done::out(format!("{}\n", rest.join(" "))),
            ("help", _) => Done::out(format!("{GREETING}{COMMANDS}\n")),
            ("pwd", _) => Done::out(format!("{}\n", self.directory)),
            ("cd", []) => self.enter("/root"),
            ("cd", [directory, ..]) => self.enter(directory),
            ("hostname", _) => Done::out(format!("{}\n", self.pod)),
            ("whoami", _) => Done::out("root\n"),
            ("id", _) => Done::out("uid=0(root) gid=0(root) groups=0(root)\n"),
            ("date", _) => Done::out(format!("{}\n", Timestamp::now().strftime("%a %b %e %H:%M:%S UTC %Y"))),
            ("uname", ["-a", ..]) => Done::out(format!("Linux {} 6.12.57 #1 SMP x86_64 Linux (simulated)\n", self.pod)),
            ("uname", _) => Done::out("Linux\n"),
            ("uptime", _) => Done::out(" up 41 days,  load average: 0.07, 0.03, 0.01\n"),
            ("ps", _) => Done::out(
                "PID   USER     TIME  COMMAND\n    1 root      0:07 server\n   14 root      0:00 sh\n   21 root      0:00 ps\n",
            ),
            ("stty", ["size"]) => Done::out(format!("{} {}\n", self.size.0, self.size.1)),
            ("env" | "printenv", []) => {
                let mut out = format!("HOSTNAME={}\nHOME=/root\nPATH=/usr/local/bin:/usr/bin:/bin\n", self.pod);
                for (name, value) in &self.variables {
                    let _ = writeln!(out, "{name}={value}");
                }
                Done::out(out)
            }
            ("printenv", [name, ..]) => match self.variable(name) {
                Some(value) => Done::out(format!("{value}\n")),
                None => Done::failed(1, ""),
            },
            ("ls", arguments) => self.list(arguments),
            ("cat", files) => self.concatenate(files),
            ("seq", [count]) => match count.parse::<u64>() {
                Ok(count) => Done::out((1..=count.min(MOST)).fold(String::new(), |mut out, number| {
                    let _ = writeln!(out, "{number}");
                    out
                })),
                Err(_) => Done::failed(1, format!("seq: invalid number '{count}'\n")),
            },
            ("sleep", [seconds]) => {
                match seconds.parse::<f64>().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()) {
                    Some(pause) => Done { pause, ..Done::default() },
                    None => Done::failed(1, format!("sleep: invalid number '{seconds}'\n")),
                }
            }
            ("exit", rest) => {
                let code = rest.first().and_then(|code| code.parse().ok()).unwrap_or(self.code);
                Done { code, exit: true, ..Done::default() }
            }
            _ => return None,
        })
    }

    fn variable(&self, name: &str) -> Option<&str> {
        match name {
            "HOSTNAME" => Some(&self.pod),
            "HOME" => Some("/root"),
            "PWD" => Some(&self.directory),
            _ => self.variables.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str()),
        }
    }

    fn path(&self, path: &str) -> String {
        let mut parts: Vec<&str> = Vec::new();
        let from = if path.starts_with('/') { "" } else { &self.directory };
        for part in from.split('/').chain(path.split('/')) {
            match part {
                "" | "." => {}
                ".." => drop(parts.pop()),
                _ => parts.push(part),
            }
        }
        format!("/{}", parts.join("/"))
    }

    fn enter(&mut self, directory: &str) -> Done {
        let path = self.path(directory);
        if contents(&path).is_none() {
            return Done::failed(1, format!("sh: cd: can't cd to {directory}: No such file or directory\n"));
        }
        self.directory = path;
        Done::default()
    }

    fn list(&self, arguments: &[&str]) -> Done {
        let named = arguments.iter().find(|argument| !argument.starts_with('-')).copied().unwrap_or(".");
        match contents(&self.path(named)) {
            Some(entries) if entries.is_empty() => Done::default(),
            Some(entries) => Done::out(format!("{}\n", entries.join("\n"))),
            None if self.file(&self.path(named)).is_some() => Done::out(format!("{named}\n")),
            None => Done::failed(1, format!("ls: {named}: No such file or directory\n")),
        }
    }

    fn concatenate(&self, files: &[&str]) -> Done {
        let mut done = Done::default();
        for name in files {
            if let Some(text) = self.file(&self.path(name)) {
                done.out.push_str(&text);
            } else {
                let _ = writeln!(done.err, "cat: can't open '{name}': No such file or directory");
                done.code = 1;
            }
        }
        done
    }

    fn file(&self, path: &str) -> Option<String> {
        Some(match path {
            "/etc/hostname" => format!("{}\n", self.pod),
            "/etc/os-release" => "NAME=\"Simulated Linux\"\nID=simulated\n".to_owned(),
            "/etc/resolv.conf" => {
                "search default.svc.cluster.local svc.cluster.local cluster.local\nnameserver 10.96.0.10\n".to_owned()
            }
            "/etc/passwd" => "root:x:0:0:root:/root:/bin/sh\n".to_owned(),
            "/dev/null" => String::new(),
            _ => return None,
        })
    }

    /// Splits a command into words, with quotes and variables.
    fn words(&self, command: &str) -> Vec<String> {
        let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
        let mut chars = command.chars().peekable();
        while let Some(char) = chars.next() {
            match (char, quote) {
                ('\'' | '"', None) => {
                    quote = Some(char);
                    word.get_or_insert_default();
                }
                (_, Some(open)) if char == open => quote = None,
                ('\\', None | Some('"')) => word.get_or_insert_default().extend(chars.next()),
                ('$', None | Some('"')) => {
                    let braces = chars.next_if_eq(&'{').is_some();
                    let mut name = String::new();
                    while let Some(part) = chars.next_if(|part| part.is_ascii_alphanumeric() || "_?".contains(*part)) {
                        name.push(part);
                    }
                    if braces {
                        chars.next_if_eq(&'}');
                    }
                    let value = if name == "?" {
                        self.code.to_string()
                    } else {
                        self.variable(&name).unwrap_or_default().to_owned()
                    };
                    word.get_or_insert_default().push_str(&value);
                }
                (char, None) if char.is_whitespace() => words.extend(word.take()),
                (char, _) => word.get_or_insert_default().push(char),
            }
        }
        words.extend(word);
        words
    }
}

/// What a directory holds.
fn contents(path: &str) -> Option<Vec<&'static str>> {
    Some(match path {
        "/" => vec!["bin", "dev", "etc", "home", "proc", "root", "tmp", "usr", "var"],
        "/etc" => vec!["hostname", "os-release", "passwd", "resolv.conf"],
        "/dev" => vec!["null"],
        "/bin" | "/usr/bin" => COMMANDS.split_whitespace().collect(),
        "/usr" => vec!["bin"],
        "/home" | "/proc" | "/root" | "/tmp" | "/var" => Vec::new(),
        _ => return None,
    })
}

/// The first command of a line, what joins it to the rest, and the rest.
fn split(line: &str) -> (&str, &str, &str) {
    let mut quote = None;
    for (at, char) in line.char_indices() {
        match (char, quote) {
            ('\'' | '"', None) => quote = Some(char),
            (_, Some(open)) if char == open => quote = None,
            (';', None) => return (&line[..at], ";", &line[at + 1..]),
            ('&' | '|', None) => {
                for join in ["&&", "||"] {
                    if let Some(after) = line[at..].strip_prefix(join) {
                        return (&line[..at], join, after);
                    }
                }
            }
            _ => {}
        }
    }
    (line, "", "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(line: &str) -> (String, String, u8) {
        let variables = vec![("MESSAGE".to_owned(), "hello there".to_owned())];
        let mut shell = Shell { pod: "web-1".into(), variables, directory: "/".into(), size: (24, 80), code: 0 };
        let done = shell.line(line);
        (done.out, done.err, done.code)
    }

    #[test]
    fn lines_do_what_a_shell_does() {
        for (line, out, code) in [
            ("echo a  b", "a b\n", 0),
            ("echo \"a  $MESSAGE\" '$MESSAGE' ${HOSTNAME}", "a  hello there $MESSAGE web-1\n", 0),
            ("false; echo $?", "1\n", 0),
            ("false && echo no || echo yes", "yes\n", 0),
            ("true && exit 3; echo never", "", 3),
            ("sh -c 'echo in; exit 4'; echo $?", "in\n4\n", 0),
            ("cd etc; cat hostname; cd ..; pwd", "web-1\n/\n", 0),
            ("stty size", "24 80\n", 0),
            ("/bin/echo x\\ y", "x y\n", 0),
            ("", "", 0),
        ] {
            assert_eq!(run(line), (out.to_owned(), String::new(), code), "{line}");
        }
        assert_eq!(run("nope -x"), (String::new(), "sh: nope: not found\n".to_owned(), 127));
        assert_eq!(run("cat /nope").2, 1);
    }
}
