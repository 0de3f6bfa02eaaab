//! The command line: one-shot commands on the same store and cluster code as the dashboard, and the way into that.

mod approve;
mod args;
#[cfg(feature = "demo")]
mod ctl;
mod dashboard;
mod delete;
#[cfg(feature = "demo")]
mod demo;
mod diff;
mod failure;
mod forward;
mod get;
mod info;
mod interrupt;
mod items;
mod join;
mod logs;
mod stdout;
mod table;
mod up;
mod view;
mod wait;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};
use tokio::runtime::Runtime;

use self::{
    args::{Cli, Command},
    failure::{Failure, code},
};

/// Runs what the arguments ask for; the answer is the process's exit code.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version go to standard output and are no failure.
            let code = if error.use_stderr() { code::USAGE } else { code::DONE };
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    let code = run(cli).unwrap_or_else(|failure| {
        stdout::note(&failure.message);
        failure.code
    });
    ExitCode::from(code)
}

fn run(cli: Cli) -> Result<u8, Failure> {
    let Cli { global, command } = cli;
    let _logging = match &global.log_level {
        Some(level) => Some(crate::runtime::logging::start(level).map_err(|error| Failure::usage(error.to_string()))?),
        None => None,
    };
    if let Some(Command::Completions { shell }) = command {
        let mut text = Vec::new();
        clap_complete::generate(shell, &mut Cli::command(), "lateen", &mut text);
        stdout::Stdout::lock().write(&String::from_utf8_lossy(&text))?;
        return Ok(code::DONE);
    }
    let runtime = Runtime::new().map_err(|error| Failure::failed(format!("cannot start threads: {error}")))?;
    let ended = runtime.block_on(async {
        match command {
            None => dashboard::run(&global).await,
            #[cfg(feature = "demo")]
            Some(Command::Demo(demo)) => self::demo::run(global, demo).await,
            Some(command) => one_shot(global, command).await,
        }
    });
    // Nothing that still hangs on the network may keep the process.
    runtime.shutdown_background();
    ended
}

async fn one_shot(global: args::Global, command: Command) -> Result<u8, Failure> {
    let work = async {
        match command {
            Command::Get(get) => get::run(&global, get).await,
            Command::Diff(diff) => diff::run(&global, diff).await,
            Command::Up(up) => up::run(&global, up).await,
            Command::Approve(approve) => approve::run(&global, approve).await,
            Command::Delete(delete) => delete::run(&global, delete).await,
            Command::Join(join) => join::join(&global, join).await,
            Command::Detach(detach) => join::detach(&global, detach).await,
            Command::Logs(logs) => logs::run(&global, logs).await,
            Command::PortForward(forward) => forward::run(&global, forward).await,
            Command::Info => info::run(),
            Command::Completions { .. } => Ok(code::DONE),
            #[cfg(feature = "demo")]
            Command::Demo(_) => Ok(code::DONE),
        }
    };
    tokio::select! {
        ended = work => ended,
        () = interrupt::interrupted() => Ok(code::INTERRUPTED),
    }
}
