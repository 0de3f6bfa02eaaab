//! The reader of keys: a thread of its own, so that a terminal that misbehaves holds up nothing but itself.

use std::{io, thread, time::Duration};

use crossterm::event::{Event, EventStream};
use futures::{StreamExt as _, executor::block_on};
use jiff::Timestamp;
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

/// Events that may wait for the loop; beyond, the terminal's own buffer keeps them.
const WAITING: usize = 256;
/// How long the reader may take to let go of the terminal.
const PATIENCE: Duration = Duration::from_secs(2);

type Read = io::Result<(Event, Timestamp)>;

/// Makes the reader let go of the terminal, so that another program can read it.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    commands: mpsc::UnboundedSender<Command>,
}

#[derive(Debug)]
enum Command {
    Pause(oneshot::Sender<()>),
    Resume,
}

impl Keys {
    /// Ends when nothing is read from the terminal any more.
    pub(super) async fn pause(&self) -> io::Result<()> {
        let (tell, paused) = oneshot::channel();
        let gone = || io::Error::other("the reader of keys has ended");
        self.commands.send(Command::Pause(tell)).map_err(|_| gone())?;
        match timeout(PATIENCE, paused).await {
            Ok(told) => told.map_err(|_| gone()),
            Err(_) => Err(io::Error::other("the reader of keys does not let go of the terminal")),
        }
    }

    /// Reads on.
    pub(super) fn resume(&self) {
        let _ = self.commands.send(Command::Resume);
    }
}

/// Reads keys, pastes and resizes until the receiver is dropped, each with the time it was read.
pub(super) fn read() -> io::Result<(mpsc::Receiver<Read>, Keys)> {
    let (tell, events) = mpsc::channel(WAITING);
    let (commands, told) = mpsc::unbounded_channel();
    thread::Builder::new().name("keys".to_owned()).spawn(move || block_on(run(tell, told)))?;
    Ok((events, Keys { commands }))
}

async fn run(tell: mpsc::Sender<Read>, mut commands: mpsc::UnboundedReceiver<Command>) {
    let mut stream = EventStream::new();
    let mut read: Option<Read> = None;
    loop {
        tokio::select! {
            biased;
            Some(command) = commands.recv() => {
                let Command::Pause(paused) = command else { continue };
                // Dropping the stream wakes and ends its thread; until a new one is made nothing is read.
                drop(stream);
                let _ = paused.send(());
                while !matches!(commands.recv().await, Some(Command::Resume) | None) {}
                stream = EventStream::new();
            }
            room = tell.reserve(), if read.is_some() => {
                let Ok(room) = room else { return };
                if let Some(event) = read.take() {
                    room.send(event);
                }
            }
            event = stream.next(), if read.is_none() => {
                let Some(event) = event else { return };
                let at = Timestamp::now();
                read = Some(event.map(|event| (event, at)));
            }
        }
    }
}
