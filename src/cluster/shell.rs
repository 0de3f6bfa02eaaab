//! A shell in a container of any cluster: bash where there is one, else sh, over a WebSocket with a terminal.

use std::time::Duration;

use bytes::Bytes;
use futures::SinkExt as _;
use k8s_openapi::{api::core::v1::Pod, apimachinery::pkg::apis::meta::v1::Status};
use kube::{
    Api, Client,
    api::{AttachParams, TerminalSize},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    sync::{mpsc, watch},
    time::timeout,
};

use super::error::{Class, Error};
use crate::model::shell::ShellRequest;

/// Shells in the order they are tried.
const SHELLS: [&str; 2] = ["bash", "sh"];
/// Time for the container to take the command.
const OPEN: Duration = Duration::from_secs(20);
/// Time for the exit code, once the output has ended.
const STATUS: Duration = Duration::from_secs(5);
/// The most that is read at once.
const CHUNK: usize = 16 * 1024;

/// The two ends of the operator's terminal.
#[derive(Debug)]
pub struct Ends {
    /// What is typed.
    pub input: mpsc::Receiver<Bytes>,
    /// What is shown.
    pub output: mpsc::Sender<Bytes>,
    /// Columns and rows.
    pub size: watch::Receiver<(u16, u16)>,
}

/// How a shell ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShellEnd {
    /// It was left, with this exit code.
    Left(i32),
    /// There is none in the container.
    NoShell,
    /// It could not be opened, or the connection broke: why.
    Broken(String),
}

/// Runs a shell until it ends.
pub async fn run(client: Client, request: &ShellRequest, mut ends: Ends) -> ShellEnd {
    for shell in SHELLS {
        match attach(client.clone(), request, shell, &mut ends).await {
            Ok(Some(code)) => return ShellEnd::Left(code),
            Ok(None) => {
                let said = if shell == SHELLS[0] { "no bash there: trying sh\r\n" } else { "no sh there either\r\n" };
                if ends.output.send(Bytes::from_static(said.as_bytes())).await.is_err() {
                    return ShellEnd::Broken("the terminal is gone".to_owned());
                }
            }
            Err(error) => return ShellEnd::Broken(error.message),
        }
    }
    ShellEnd::NoShell
}

/// Runs one shell: its exit code, or nothing where the container does not have it.
async fn attach(client: Client, request: &ShellRequest, shell: &str, ends: &mut Ends) -> Result<Option<i32>, Error> {
    let pods: Api<Pod> = Api::namespaced(client, &request.pod.namespace);
    let mut how = AttachParams::interactive_tty();
    if !request.container.is_empty() {
        how = how.container(&*request.container);
    }
    let opened = timeout(OPEN, pods.exec(&request.pod.name, [shell], &how)).await;
    let mut process = match opened {
        Ok(Ok(process)) => process,
        Ok(Err(kube::Error::Api(status))) if is_missing(&status.message) => return Ok(None),
        Ok(Err(error)) => return Err(Error::from_kube(&error)),
        Err(_) => {
            let message = format!("the container did not open a shell within {} s", OPEN.as_secs());
            return Err(Error::new(Class::TimedOut, message));
        }
    };
    let missing = || Error::new(Class::Malformed, "the API server opened no terminal");
    let mut stdin = process.stdin().ok_or_else(missing)?;
    let mut stdout = process.stdout().ok_or_else(missing)?;
    let mut sizes = process.terminal_size().ok_or_else(missing)?;
    let status = process.take_status().ok_or_else(missing)?;
    let (width, height) = *ends.size.borrow_and_update();
    let _ = sizes.send(TerminalSize { width, height }).await;
    let mut buffer = vec![0; CHUNK];
    let mut typing = true;
    loop {
        tokio::select! {
            read = stdout.read(&mut buffer) => match read {
                Ok(0) | Err(_) => break,
                Ok(read) => {
                    let piece = Bytes::copy_from_slice(buffer.get(..read).unwrap_or_default());
                    if ends.output.send(piece).await.is_err() {
                        break;
                    }
                }
            },
            typed = ends.input.recv(), if typing => match typed {
                Some(bytes) => typing = stdin.write_all(&bytes).await.is_ok() && stdin.flush().await.is_ok(),
                None => break,
            },
            Ok(()) = ends.size.changed() => {
                let (width, height) = *ends.size.borrow_and_update();
                let _ = sizes.send(TerminalSize { width, height }).await;
            }
        }
    }
    drop(stdin);
    match timeout(STATUS, status).await {
        Ok(Some(status)) => read_status(&status),
        Ok(None) | Err(_) => {
            Err(Error::new(Class::Unreachable, "the connection broke before the shell told how it ended"))
        }
    }
}

/// The exit code of a status; nothing where there was no such command.
fn read_status(status: &Status) -> Result<Option<i32>, Error> {
    if status.status.as_deref() == Some("Success") {
        return Ok(Some(0));
    }
    let causes = status.details.as_ref().and_then(|details| details.causes.as_deref()).unwrap_or_default();
    let code = causes.iter().find(|cause| cause.reason.as_deref() == Some("ExitCode"));
    if let Some(code) = code.and_then(|cause| cause.message.as_deref()).and_then(|code| code.parse().ok()) {
        // What container runtimes answer when they find no command, and shells when they find none.
        return Ok(
            (code != 126 && code != 127 || !is_missing(status.message.as_deref().unwrap_or_default())).then_some(code)
        );
    }
    let message = status.message.as_deref().unwrap_or("the shell ended, and why is not told");
    if is_missing(message) { Ok(None) } else { Err(Error::new(Class::Other, message)) }
}

/// Whether a runtime says that the command is not in the container.
fn is_missing(message: &str) -> bool {
    ["executable file not found", "no such file or directory", "not found in $PATH"]
        .iter()
        .any(|words| message.contains(words))
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::{StatusCause, StatusDetails};

    use super::*;

    fn failed(message: &str, code: Option<&str>) -> Status {
        let cause = |code: &str| StatusCause {
            reason: Some("ExitCode".into()),
            message: Some(code.into()),
            ..StatusCause::default()
        };
        let details = StatusDetails { causes: code.map(|code| vec![cause(code)]), ..StatusDetails::default() };
        Status {
            status: Some("Failure".into()),
            message: Some(message.into()),
            details: Some(details),
            ..Status::default()
        }
    }

    #[test]
    fn how_a_shell_ended_is_read() {
        let left = Status { status: Some("Success".into()), ..Status::default() };
        assert_eq!(read_status(&left), Ok(Some(0)));
        let code = failed("command terminated with non-zero exit code: exit status 7", Some("7"));
        assert_eq!(read_status(&code), Ok(Some(7)));
        // The last command of a person's session was not found: that is no missing shell.
        let typo = failed("command terminated with non-zero exit code: exit status 127", Some("127"));
        assert_eq!(read_status(&typo), Ok(Some(127)));
        let runtimes = [
            "OCI runtime exec failed: exec failed: unable to start container process: exec: \"bash\": executable file not found in $PATH",
            "failed to exec in container: failed to start exec: exec: \"sh\": stat sh: no such file or directory",
        ];
        for message in runtimes {
            assert_eq!(read_status(&failed(message, None)), Ok(None), "{message}");
        }
        assert!(read_status(&failed("container not found (\"web\")", None)).is_err());
    }
}
