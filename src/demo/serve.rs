//! `lateen demo --serve`: an estate without a dashboard.

use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use tokio::signal::unix::{SignalKind, signal};

use super::{Error, Estate, Options};

/// Starts an estate, writes its kubeconfig (to `kubeconfig_out`, or to a file of its own among the temporary ones,
/// which goes when the estate does), calls `ready` with the file's path, and runs until SIGINT or SIGTERM.
pub async fn serve(options: Options, kubeconfig_out: Option<PathBuf>, ready: impl FnOnce(&Path)) -> Result<(), Error> {
    let mut interrupted = signal(SignalKind::interrupt()).map_err(Error::Runtime)?;
    let mut terminated = signal(SignalKind::terminate()).map_err(Error::Runtime)?;
    let estate = Estate::start(options)?;
    let own = kubeconfig_out.is_none();
    let path = kubeconfig_out
        .unwrap_or_else(|| std::env::temp_dir().join(format!("lateen-demo-{}.kubeconfig", std::process::id())));
    write(&path, estate.kubeconfig()).map_err(|source| Error::Write { path: path.clone(), source })?;
    ready(&path);
    tokio::select! {
        _ = interrupted.recv() => {}
        _ = terminated.recv() => {}
    }
    if own {
        // It leads nowhere any more; whoever has removed it already was right.
        let _ = std::fs::remove_file(&path);
    }
    Ok(())
}

/// For its owner's eyes only, as kubectl keeps it.
fn write(path: &Path, kubeconfig: &str) -> io::Result<()> {
    let mut file = std::fs::OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(kubeconfig.as_bytes())
}
