//! The program: arguments to the dashboard or to a one-shot command.

use std::process::ExitCode;

fn main() -> ExitCode {
    lateen::cli::main()
}
