//! The audit file: every attempt to write, two lines each, appended and never changed.

use std::{
    fs::File,
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use serde::Serialize;

use super::state_dir;
use crate::model::audit::{AuditLine, AuditPhase};

/// The file's name in the state directory.
pub const NAME: &str = "audit.jsonl";

/// The audit, open for appending: 0600, one `write(2)` a line, so that lines of several lateens never mix.
#[derive(Debug)]
pub struct Audit {
    path: PathBuf,
    file: Mutex<File>,
}

impl Audit {
    /// Opens the audit in the state directory.
    pub fn open() -> io::Result<Self> {
        Self::at(&state_dir::state_dir()?.join(NAME))
    }

    /// Opens the audit at a path.
    pub fn at(path: &Path) -> io::Result<Self> {
        let file = state_dir::private().open(path)?;
        Ok(Self { path: path.to_owned(), file: Mutex::new(file) })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends a line. `durable`: returns only when the disk has it, as an intent must before the request goes out.
    pub fn append(&self, line: &impl Serialize, durable: bool) -> io::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let written = file.write(&text)?;
        if written < text.len() {
            // A full disk took half a line; the rest would land behind another program's line.
            return Err(io::Error::new(io::ErrorKind::WriteZero, "the disk is full"));
        }
        if durable { file.sync_data() } else { Ok(()) }
    }
}

/// Where lines of the audit go, and what happens when they cannot.
#[derive(Clone, Debug)]
pub struct Sink {
    audit: Result<Arc<Audit>, Arc<io::Error>>,
    /// Whether writes go ahead though they are not on record.
    best_effort: bool,
}

impl Sink {
    /// Into the state directory.
    pub fn open(best_effort: bool) -> Self {
        Self { audit: Audit::open().map(Arc::new).map_err(Arc::new), best_effort }
    }

    /// Into a file.
    pub fn to(audit: Audit, best_effort: bool) -> Self {
        Self { audit: Ok(Arc::new(audit)), best_effort }
    }

    /// Takes a line; an intent is on the disk when this returns.
    pub fn append(&self, line: &AuditLine) -> io::Result<()> {
        let appended = match &self.audit {
            Ok(audit) => audit.append(line, line.phase == AuditPhase::Intent),
            Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
        };
        match appended {
            Err(error) if self.best_effort => {
                tracing::warn!(%error, "a line of the audit is lost");
                Ok(())
            }
            appended => appended,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn lines_are_appended_whole_and_for_the_operator_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit.jsonl");
        let first = Audit::at(&path).unwrap();
        let second = Audit::at(&path).unwrap();
        first.append(&serde_json::json!({"id": "1", "phase": "intent"}), true).unwrap();
        second.append(&serde_json::json!({"id": "2", "phase": "intent"}), true).unwrap();
        first.append(&serde_json::json!({"id": "1", "phase": "outcome"}), false).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let ids: Vec<String> = text
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["id"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(ids, ["1", "2", "1"]);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
