//! Where lateen keeps what outlives a session: the audit, crash reports, the log.

use std::{
    fs::{DirBuilder, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::PathBuf,
};

/// The state directory, made if it is not there: `$XDG_STATE_HOME/lateen`, or what the system has instead.
pub fn state_dir() -> io::Result<PathBuf> {
    let project = directories::ProjectDirs::from("", "", "lateen")
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no home directory: set HOME or XDG_STATE_HOME"))?;
    let dir = project.state_dir().unwrap_or_else(|| project.data_local_dir()).to_owned();
    DirBuilder::new().recursive(true).mode(0o700).create(&dir)?;
    Ok(dir)
}

/// How files there are opened: appended to, and for the operator's eyes alone.
pub(super) fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.append(true).create(true).mode(0o600);
    options
}
