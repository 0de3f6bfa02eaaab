//! What the terminal is given to for a while: the operator's editor or pager, or a shell in a container.

use std::{
    env,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::Stdio,
};

use tokio::process::Command;

use super::{drafts, state_dir};
use crate::{
    app::effect::Viewer,
    model::{action::Outcome, object::Private},
};

/// The program for a purpose, as the environment names it: the first variable that is set, else a default.
fn program(viewer: Viewer) -> (String, &'static str) {
    let (variables, default): (&[&str], &str) = match viewer {
        Viewer::Pager => (&["PAGER"], "less"),
        Viewer::Editor => (&["KUBE_EDITOR", "VISUAL", "EDITOR"], "vi"),
    };
    let named = variables.iter().find_map(|name| env::var(name).ok().filter(|value| !value.trim().is_empty()));
    (named.unwrap_or_else(|| default.to_owned()), variables.last().copied().unwrap_or_default())
}

/// Runs the editor or pager on a file, on the terminal, until it ends.
///
/// # Errors
/// A sentence where it could not be run, or ended badly.
pub(super) async fn run(viewer: Viewer, path: &Path) -> Result<(), String> {
    let (program, variable) = program(viewer);
    // A shell reads the variable, as it may hold options and quotes.
    let status = Command::new("/bin/sh")
        .arg("-c")
        .arg(format!("{program} \"$1\""))
        .arg("sh")
        .arg(path)
        .stdin(Stdio::inherit())
        .stdout(Stdio::inherit())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .status()
        .await
        .map_err(|error| format!("{program} cannot be run: {error}"))?;
    match status.code() {
        Some(0) => Ok(()),
        Some(126 | 127) => Err(format!("{program} cannot be run: set {variable} to a program that is there")),
        Some(code) => Err(format!("{program} ended with exit code {code}")),
        None => Err(format!("{program} was ended by a signal")),
    }
}

/// Shows a copy of a text, which is gone when the program ends.
pub(super) async fn view(viewer: Viewer, name: &str, text: &Private) -> Outcome {
    let path = match copy(name, text) {
        Ok(path) => path,
        Err(error) => {
            return Outcome::Failed { message: format!("the copy to look at cannot be written: {error}").into() };
        }
    };
    let ended = run(viewer, &path).await;
    let _ = std::fs::remove_file(&path);
    match ended {
        Ok(()) => Outcome::Done { message: "".into() },
        Err(message) => Outcome::Failed { message: message.into() },
    }
}

fn copy(name: &str, text: &Private) -> io::Result<PathBuf> {
    let path = state_dir()?.join(format!("copy-{}-{name}", std::process::id()));
    drafts::write(&path, text.0.as_bytes())?;
    Ok(path)
}

/// Saves a text in the working directory, under a name that nothing has there.
pub(super) fn save(name: &str, text: &Private) -> Outcome {
    match saved(name, text) {
        Ok(path) => Outcome::Done { message: format!("saved as {}", path.display()).into() },
        Err(error) => Outcome::Failed { message: format!("{name} cannot be saved here: {error}").into() },
    }
}

fn saved(name: &str, text: &Private) -> io::Result<PathBuf> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let dir = env::current_dir()?;
    let (stem, end) = name.rsplit_once('.').unwrap_or((name, "txt"));
    for number in 0..100_u8 {
        let name = if number == 0 { name.to_owned() } else { format!("{stem}-{number}.{end}") };
        let path = dir.join(name);
        // What is there already is never written over.
        match std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
            Ok(mut file) => {
                file.write_all(text.0.as_bytes())?;
                return Ok(path);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::new(io::ErrorKind::AlreadyExists, "a hundred files of that name are there already"))
}
