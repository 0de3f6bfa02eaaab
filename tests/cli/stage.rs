//! The real binary against an estate in this process, and what tests ask of both.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use lateen::demo::{Estate, Options};
use serde_json::Value;
use tempfile::TempDir;

/// An estate twenty times as fast as life, and a home with its kubeconfig.
pub(crate) struct Stage {
    pub(crate) estate: Estate,
    pub(crate) home: TempDir,
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self::of(Options { speed: 20.0, ..Options::default() })
    }

    pub(crate) fn of(options: Options) -> Self {
        let estate = Estate::start(options).unwrap();
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("kubeconfig"), estate.kubeconfig()).unwrap();
        Self { estate, home }
    }

    pub(crate) fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lateen"));
        command.args(line.split_whitespace());
        command.env_clear();
        command.env("HOME", self.home.path());
        command.env("KUBECONFIG", self.home.path().join("kubeconfig"));
        command.stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, line: &str) -> Output {
        self.command(line).output().unwrap()
    }

    /// The answer of a command that succeeds.
    pub(crate) fn answer(&self, line: &str) -> String {
        let output = self.run(line);
        assert_eq!(output.status.code(), Some(0), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    pub(crate) fn json(&self, line: &str) -> Value {
        serde_json::from_str(&self.answer(&format!("{line} -o json"))).unwrap()
    }

    /// Asks until the answer is as `wanted` says.
    pub(crate) fn until(&self, line: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            // A cluster that is slow to answer for once makes an answer incomplete (3), not wrong.
            let output = self.run(&format!("{line} -o json"));
            assert!(matches!(output.status.code(), Some(0 | 3)), "{line}: {}", String::from_utf8_lossy(&output.stderr));
            let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
            if wanted(&answer) {
                return answer;
            }
            assert!(Instant::now() < deadline, "{line} is still {answer:#}");
        }
    }

    /// A file in its home.
    pub(crate) fn file(&self, name: &str, text: &str) -> String {
        let path = self.home.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    /// The lines of the audit.
    pub(crate) fn audit(&self) -> Vec<Value> {
        let text =
            std::fs::read_to_string(self.home.path().join(".local/state/lateen/audit.jsonl")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    pub(crate) fn waiting(&self) -> Value {
        self.until("get app helm-hello", |answer| answer["items"][0]["health"] == "waiting")
    }
}

/// The code and the only sentence of a command that fails.
pub(crate) fn refusal(output: &Output) -> (i32, String) {
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(text.lines().count(), 1, "one sentence: {text}");
    assert!(output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stdout));
    (output.status.code().unwrap(), text)
}

pub(crate) fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

/// A command that runs until it is told to end.
pub(crate) struct Running(pub(crate) Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) fn first_line(child: &mut Child) -> String {
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    line
}

pub(crate) fn interrupt(child: &mut Child) -> Option<i32> {
    let id = i32::try_from(child.id()).unwrap();
    rustix::process::kill_process(rustix::process::Pid::from_raw(id).unwrap(), rustix::process::Signal::INT).unwrap();
    child.wait().unwrap().code()
}

/// The page that is served behind a forwarded port.
pub(crate) fn page(address: &str) -> String {
    try_page(address).unwrap()
}

fn try_page(address: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: hello\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// Asks a forwarded port until a text is served: the pods behind it are being replaced.
pub(crate) fn until_served(address: &str, text: &str) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !try_page(address).is_ok_and(|page| page.contains(text)) {
        assert!(Instant::now() < deadline, "never served: {text}");
    }
}
