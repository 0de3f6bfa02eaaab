//! The lateen binary, run as a script runs it.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

/// What a command answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Answer {
    /// stdout as the JSON that `-o json` promises.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("not JSON ({error}): {self:?}"))
    }

    /// The items of the JSON answer.
    pub(crate) fn items(&self) -> Vec<Value> {
        self.json()["items"].as_array().unwrap_or_else(|| panic!("no items: {self:?}")).clone()
    }
}

/// An empty home.
pub(crate) fn home() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// lateen with nothing of the user's around: no kubeconfig but the one given, an empty home.
fn command(kubeconfig: &Path, arguments: &[&str], home: &TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lateen"));
    command.args(arguments).env_clear().env("HOME", home.path()).env("KUBECONFIG", kubeconfig).stdin(Stdio::null());
    command
}

/// Runs lateen to its end.
pub(crate) fn lateen(kubeconfig: &Path, arguments: &[&str]) -> Answer {
    let home = home();
    let Output { status, stdout, stderr } = command(kubeconfig, arguments, &home).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Answer { code: status.code(), stdout: text(stdout), stderr: text(stderr) }
}

/// A command that goes on until it is ended, with the value.
pub(crate) struct Running {
    child: Child,
    lines: Receiver<String>,
    said: Option<Receiver<String>>,
    _home: TempDir,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Running {
    /// Starts lateen; what it says on stderr is the test's.
    pub(crate) fn start(kubeconfig: &Path, arguments: &[&str]) -> Self {
        let home = home();
        let mut child = command(kubeconfig, arguments, &home).stdout(Stdio::piped()).spawn().unwrap();
        let lines = lines(child.stdout.take().unwrap());
        Self { child, lines, said: None, _home: home }
    }

    /// Starts lateen, and listens to its stderr too.
    pub(crate) fn start_telling(kubeconfig: &Path, arguments: &[&str]) -> Self {
        let home = home();
        let mut command = command(kubeconfig, arguments, &home);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (said, lines) = (lines(child.stderr.take().unwrap()), lines(child.stdout.take().unwrap()));
        Self { child, lines, said: Some(said), _home: home }
    }

    /// The next line of its answer.
    ///
    /// # Panics
    /// Where none comes within half a minute.
    pub(crate) fn line(&mut self) -> String {
        self.lines.recv_timeout(Duration::from_secs(30)).unwrap()
    }

    /// The next line of what it says about its answer, for one started by [`Running::start_telling`].
    ///
    /// # Panics
    /// Where none comes within half a minute.
    pub(crate) fn said(&mut self) -> String {
        self.said.as_ref().unwrap().recv_timeout(Duration::from_secs(30)).unwrap()
    }
}

/// Lines as they come.
fn lines(from: impl Read + Send + 'static) -> Receiver<String> {
    let (send, lines) = channel();
    thread::spawn(move || BufReader::new(from).lines().map_while(Result::ok).try_for_each(|line| send.send(line)));
    lines
}
