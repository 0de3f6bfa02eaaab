//! The operator's terminal as the two ends of a shell elsewhere: raw bytes in, raw bytes out, its size.

use std::{
    io::{self, Write as _},
    os::{fd::AsFd as _, unix::net::UnixStream},
    thread,
};

use bytes::Bytes;
use kube::Client;
use rustix::{
    event::{PollFd, PollFlags, poll},
    termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr},
};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::{mpsc, watch},
};

use crate::{
    cluster::shell::{self, Ends, ShellEnd},
    model::{action::Outcome, shell::ShellRequest},
};

/// Pieces that may wait on their way.
const WAITING: usize = 64;
/// The most that is read at once.
const CHUNK: usize = 4096;

/// Runs a shell on the terminal until it ends.
pub(super) async fn run(client: Client, request: &ShellRequest) -> Outcome {
    let name = if request.container.is_empty() {
        request.pod.to_string()
    } else {
        format!("{} ({})", request.pod, request.container)
    };
    say(&format!("lateen: a shell in {name}; exit or ctrl-d comes back\r\n"));
    let ended = match relay(client, request).await {
        Ok(ended) => ended,
        Err(error) => ShellEnd::Broken(format!("the terminal: {error}")),
    };
    match ended {
        ShellEnd::Left(0) => Outcome::Done { message: format!("left the shell in {name}").into() },
        ShellEnd::Left(code) => {
            Outcome::Done { message: format!("the shell ended with exit code {code}: {name}").into() }
        }
        ShellEnd::NoShell => Outcome::Failed {
            message: format!("no shell in {name}: the image has neither bash nor sh (distroless, most likely)").into(),
        },
        ShellEnd::Broken(why) => Outcome::Failed { message: format!("shell in {name}: {why}").into() },
    }
}

fn say(text: &str) {
    let mut out = io::stdout();
    let _ = out.write_all(text.as_bytes());
    let _ = out.flush();
}

/// Raw mode, until dropped.
struct Raw(Termios);

impl Raw {
    fn enter() -> io::Result<Self> {
        let cooked = tcgetattr(io::stdin().as_fd())?;
        let mut raw = cooked.clone();
        raw.make_raw();
        tcsetattr(io::stdin().as_fd(), OptionalActions::Now, &raw)?;
        Ok(Self(cooked))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        let _ = tcsetattr(io::stdin().as_fd(), OptionalActions::Now, &self.0);
    }
}

async fn relay(client: Client, request: &ShellRequest) -> io::Result<ShellEnd> {
    let mut resized = signal(SignalKind::window_change())?;
    let (tell_size, sizes) = watch::channel(size());
    let (typed, input) = mpsc::channel(WAITING);
    let (output, mut shown) = mpsc::channel::<Bytes>(WAITING);
    let _raw = Raw::enter()?;
    // The thread that reads the terminal ends when its other end is dropped.
    let (end, ended) = UnixStream::pair()?;
    let reader = thread::Builder::new().name("shell-in".to_owned()).spawn(move || read(&ended, &typed))?;
    let writer = thread::Builder::new().name("shell-out".to_owned()).spawn(move || {
        let mut out = io::stdout().lock();
        while let Some(bytes) = shown.blocking_recv() {
            if out.write_all(&bytes).and_then(|()| out.flush()).is_err() {
                return;
            }
        }
    })?;
    let shell = shell::run(client, request, Ends { input, output, size: sizes });
    tokio::pin!(shell);
    let how = loop {
        tokio::select! {
            how = &mut shell => break how,
            Some(()) = resized.recv() => { let _ = tell_size.send(size()); }
        }
    };
    drop(end);
    // Both are over at once, but a terminal that takes nothing more holds its writer up.
    let _ = tokio::task::spawn_blocking(move || {
        let _ = reader.join();
        let _ = writer.join();
    })
    .await;
    Ok(how)
}

/// Columns and rows.
fn size() -> (u16, u16) {
    match tcgetwinsize(io::stdout().as_fd()) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_col, size.ws_row),
        _ => (80, 24),
    }
}

/// Reads what is typed until the other end says that it is enough. What is typed after that stays for lateen.
fn read(ended: &UnixStream, typed: &mpsc::Sender<Bytes>) {
    let stdin = io::stdin();
    let mut buffer = [0; CHUNK];
    loop {
        let mut ready = [PollFd::new(&stdin, PollFlags::IN), PollFd::new(ended, PollFlags::IN)];
        match poll(&mut ready, None) {
            Err(rustix::io::Errno::INTR) => continue,
            Err(_) => return,
            Ok(_) => {}
        }
        let (keys, end) = (ready[0].revents(), ready[1].revents());
        if !end.is_empty() {
            return;
        }
        if keys.is_empty() {
            continue;
        }
        // Past the buffer of the standard library, which would keep what belongs to lateen.
        match rustix::io::read(&stdin, &mut buffer) {
            Ok(0) | Err(_) => return,
            Ok(read) => {
                let piece = Bytes::copy_from_slice(buffer.get(..read).unwrap_or_default());
                if typed.blocking_send(piece).is_err() {
                    return;
                }
            }
        }
    }
}
