//! lateen's own log: a file in the state directory, only when asked for. A terminal that shows a picture has no room
//! for one.

use std::{io, path::PathBuf};

use tracing_appender::non_blocking::WorkerGuard;
use tracing_subscriber::EnvFilter;

use super::state_dir;

/// Keeps the log's writer going; what is pending is written when it is dropped.
#[derive(Debug)]
pub struct Logging {
    _writer: WorkerGuard,
    /// The file.
    pub path: PathBuf,
}

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not a level or filter.
    #[error("--log-level {given}: {reason}; use error, warn, info, debug, trace, or a filter such as lateen=debug")]
    Level {
        /// What was given.
        given: String,
        /// Why it is none.
        reason: String,
    },
    /// The file cannot be opened.
    #[error("cannot open the log in the state directory: {0}")]
    Io(#[from] io::Error),
}

/// The file's name in the state directory.
pub const NAME: &str = "lateen.log";

/// Begins to log what is of that level or worse.
pub fn start(level: &str) -> Result<Logging, Error> {
    let filter = EnvFilter::builder()
        .parse(level)
        .map_err(|reason| Error::Level { given: level.to_owned(), reason: reason.to_string() })?;
    let path = state_dir::state_dir()?.join(NAME);
    let file = state_dir::private().open(&path)?;
    let (writer, guard) = tracing_appender::non_blocking(file);
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(writer).init();
    Ok(Logging { _writer: guard, path })
}
