//! Copying: to tmux's buffer, else through the terminal to the operator's own clipboard (OSC 52), and to the desktop's
//! where there is one.

use std::{cell::OnceCell, env, future::Future, process::Stdio, time::Duration};

use crossterm::{clipboard::CopyToClipboard, queue};
use tokio::{
    io::AsyncWriteExt as _,
    process::Command,
    sync::{mpsc, oneshot},
    time::timeout,
};

use super::event_loop::Control;
use crate::model::action::Outcome;

/// Terminals cut or drop what is longer: 100,000 bytes of base64 is what xterm and its kin take.
const TERMINAL_LIMIT: usize = 74_000;
/// tmux and a desktop answer at once, or not at all.
const PATIENCE: Duration = Duration::from_secs(2);

/// The ways to the operator's clipboard.
#[derive(Debug)]
pub(super) struct Clipboard {
    terminal: mpsc::Sender<Control>,
    /// Looked for at the first copy.
    desktop: OnceCell<Option<Desktop>>,
}

impl Clipboard {
    /// With the channel that brings bytes to the terminal.
    pub(super) fn new(terminal: mpsc::Sender<Control>) -> Self {
        Self { terminal, desktop: OnceCell::new() }
    }

    /// Puts a text where the operator can paste it from; the answer says where that is.
    pub(super) fn copy(&self, text: String) -> impl Future<Output = Outcome> + Send + 'static {
        let terminal = self.terminal.clone();
        let offers = self.desktop.get_or_init(Desktop::start).as_ref().map(|desktop| desktop.offers.clone());
        copy(text, terminal, offers)
    }
}

async fn copy(
    text: String,
    terminal: mpsc::Sender<Control>,
    desktop: Option<std::sync::mpsc::Sender<Offer>>,
) -> Outcome {
    let length = text.chars().count();
    let done = |place: &str| Outcome::Done { message: format!("copied {length} characters to {place}").into() };
    if env::var_os("TMUX").is_some_and(|socket| !socket.is_empty()) && tmux(&text).await.is_ok() {
        return done("tmux's buffer");
    }
    let mut places = Vec::new();
    if text.len() <= TERMINAL_LIMIT {
        let mut bytes = Vec::new();
        if queue!(bytes, CopyToClipboard::to_clipboard_from(text.as_bytes())).is_ok()
            && terminal.send(Control::Write(bytes)).await.is_ok()
        {
            places.push("the terminal's clipboard (OSC 52)");
        }
    }
    if let Some(desktop) = desktop {
        let (tell, told) = oneshot::channel();
        if desktop.send((text, tell)).is_ok() && timeout(PATIENCE, told).await.is_ok_and(|told| told == Ok(true)) {
            places.push("the desktop's clipboard");
        }
    }
    if places.is_empty() {
        let message =
            format!("not copied: {length} characters are more than a terminal takes, and there is no desktop");
        return Outcome::Failed { message: message.into() };
    }
    done(&places.join(" and "))
}

/// Whether the terminal is at the other end of an SSH connection.
pub(super) fn over_ssh() -> bool {
    ["SSH_CONNECTION", "SSH_TTY"].iter().any(|name| env::var_os(name).is_some_and(|value| !value.is_empty()))
}

fn has_display() -> bool {
    cfg!(target_os = "macos")
        || ["WAYLAND_DISPLAY", "DISPLAY"].iter().any(|name| env::var_os(name).is_some_and(|value| !value.is_empty()))
}

async fn tmux(text: &str) -> std::io::Result<()> {
    let mut child = Command::new("tmux")
        .args(["load-buffer", "-w", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(text.as_bytes()).await?;
    }
    let status = timeout(PATIENCE, child.wait()).await??;
    if status.success() { Ok(()) } else { Err(std::io::Error::other("tmux refused")) }
}

type Offer = (String, oneshot::Sender<bool>);

/// The desktop's clipboard, which lives only as long as the program that offers the text: a thread keeps the offer.
#[derive(Debug)]
struct Desktop {
    offers: std::sync::mpsc::Sender<Offer>,
}

impl Desktop {
    fn start() -> Option<Self> {
        if over_ssh() || !has_display() {
            return None;
        }
        let (offers, taken) = std::sync::mpsc::channel::<Offer>();
        let keep = move || {
            let mut clipboard = arboard::Clipboard::new();
            for (text, tell) in taken {
                let offered = clipboard.as_mut().is_ok_and(|clipboard| clipboard.set_text(text).is_ok());
                let _ = tell.send(offered);
            }
        };
        std::thread::Builder::new().name("clipboard".to_owned()).spawn(keep).ok()?;
        Some(Self { offers })
    }
}
