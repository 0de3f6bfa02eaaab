//! `lateen demo`: the simulated estate, reached the way a real hub is.

use std::{fs, io::Write as _, os::unix::fs::OpenOptionsExt as _, path::Path, time::Duration};

use tokio::signal::unix::{SignalKind, signal};

use super::{
    args::{Demo, DemoCommand, Global},
    dashboard,
    failure::{Failure, code},
    stdout::{self, Reader, Stdout},
};
use crate::demo::{Estate, Options};

/// Starts the estate, and shows or serves it.
pub(super) async fn run(global: Global, mut demo: Demo) -> Result<u8, Failure> {
    if let Some(DemoCommand::Ctl(ctl)) = demo.command.take() {
        return super::ctl::run(&global, ctl).await;
    }
    if !demo.serve {
        // Before anything is started: an estate that nobody sees is of no use.
        crate::runtime::console::check().map_err(|unfit| {
            Failure::usage(format!("{unfit}; `lateen demo --serve` runs the estate without the dashboard"))
        })?;
    }
    let estate = start(&demo)?;
    if demo.serve { serve(&demo, &estate).await } else { show(global, &demo, &estate).await }
}

fn start(demo: &Demo) -> Result<Estate, Failure> {
    let usual = Options::default();
    let options = Options {
        listen: demo.listen,
        speed: demo.speed,
        latency: Duration::from_millis(demo.latency),
        empty: demo.empty,
        seed: demo.seed,
        scenario: demo.scenario.clone(),
        clusters: demo.clusters,
        apps: demo.apps,
        pods: demo.pods,
        spread: demo.spread,
        churn: demo.churn.unwrap_or(usual.churn),
        log_rate: demo.log_rate.unwrap_or(usual.log_rate),
        ..usual
    };
    Estate::start(options).map_err(|error| Failure::failed(error.to_string()))
}

/// Writes the kubeconfig for its owner alone: it holds the estate's tokens.
fn write_kubeconfig(estate: &Estate, path: &Path) -> Result<(), Failure> {
    let unwritable = |error| Failure::failed(format!("cannot write the kubeconfig {}: {error}", path.display()));
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(path).map_err(unwritable)?;
    file.write_all(estate.kubeconfig().as_bytes()).map_err(unwritable)
}

async fn serve(demo: &Demo, estate: &Estate) -> Result<u8, Failure> {
    let unheard = |error| Failure::failed(format!("cannot wait for signals: {error}"));
    let mut terminated = signal(SignalKind::terminate()).map_err(unheard)?;
    let mut interrupted = signal(SignalKind::interrupt()).map_err(unheard)?;
    let folder = Folder::new()?;
    let path = demo.kubeconfig_out.clone().unwrap_or_else(|| folder.path.join("kubeconfig"));
    write_kubeconfig(estate, &path)?;
    let path = path.canonicalize().unwrap_or(path);
    if Stdout::lock().write(&format!("ready {}\n", path.display()))? == Reader::Gone {
        return Err(Failure::failed("nobody reads where the kubeconfig is; `--kubeconfig-out FILE` chooses the place"));
    }
    tokio::select! {
        _ = terminated.recv() => {}
        _ = interrupted.recv() => {}
    }
    Ok(code::DONE)
}

async fn show(global: Global, demo: &Demo, estate: &Estate) -> Result<u8, Failure> {
    let folder = Folder::new()?;
    let path = demo.kubeconfig_out.clone().unwrap_or_else(|| folder.path.join("kubeconfig"));
    write_kubeconfig(estate, &path)?;
    let everywhere = global.namespace.is_none();
    let global = Global {
        kubeconfig: Some(path),
        // Whoever looks around wants to see all of it.
        all_namespaces: everywhere,
        ..global
    };
    let ended = dashboard::run(&global).await?;
    if ended == code::DONE {
        stdout::note(
            "the estate is gone with the dashboard; `lateen demo --serve` runs one that kubectl and a second terminal can look at",
        );
    }
    Ok(ended)
}

/// A folder that goes when the command does.
struct Folder {
    path: std::path::PathBuf,
}

impl Folder {
    fn new() -> Result<Self, Failure> {
        use std::os::unix::fs::DirBuilderExt as _;
        let path = std::env::temp_dir().join(format!(
            "lateen-demo-{}-{}",
            std::process::id(),
            jiff::Timestamp::now().as_nanosecond()
        ));
        fs::DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .map_err(|error| Failure::failed(format!("cannot make the folder {}: {error}", path.display())))?;
        Ok(Self { path })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}
