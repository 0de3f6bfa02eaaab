//! `lateen info`: what this lateen is, and where it keeps things.

use super::{
    failure::{Failure, code},
    stdout::Stdout,
    table::Table,
};
use crate::runtime;

/// Answers.
pub(super) fn run() -> Result<u8, Failure> {
    let state = runtime::state_dir();
    let place = |name: &str| match &state {
        Ok(dir) => dir.join(name).display().to_string(),
        Err(error) => format!("none: {error}"),
    };
    let kubeconfig = std::env::var("KUBECONFIG").ok().filter(|list| !list.is_empty());
    let mut table = Table::new(&["WHAT", "VALUE"]);
    for (what, value) in [
        ("version", env!("CARGO_PKG_VERSION").to_owned()),
        ("platform", format!("{} {}", std::env::consts::OS, std::env::consts::ARCH)),
        ("demo", if cfg!(feature = "demo") { "yes" } else { "no" }.to_owned()),
        ("terminal", std::env::var("TERM").unwrap_or_default()),
        ("kubeconfig", kubeconfig.unwrap_or_else(|| "~/.kube/config".to_owned())),
        ("audit", place(runtime::audit::NAME)),
        ("log", place(runtime::logging::NAME)),
    ] {
        table.row([what.to_owned(), value]);
    }
    Stdout::lock().write(&table.render())?;
    Ok(code::DONE)
}
