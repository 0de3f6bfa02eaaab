//! The lateen binary, run as a script runs it.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

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

/// Runs lateen with nothing of the user's around: no kubeconfig but the one given, an empty home.
pub(crate) fn lateen(kubeconfig: &Path, arguments: &[&str]) -> Answer {
    let home = tempfile::tempdir().unwrap();
    let Output { status, stdout, stderr } = Command::new(env!("CARGO_BIN_EXE_lateen"))
        .args(arguments)
        .env_clear()
        .env("HOME", home.path())
        .env("KUBECONFIG", kubeconfig)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Answer { code: status.code(), stdout: text(stdout), stderr: text(stderr) }
}
