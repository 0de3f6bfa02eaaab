//! A program on the operator's terminal: everything around the loop.

use std::{io, sync::Arc, thread};

use futures::Stream;
use jiff::Timestamp;
use tokio::sync::{Notify, mpsc};

use super::{
    clipboard,
    console::{Tty, Unfit},
    event_loop::{self, Control, Ended, Pace, Parts, Program, Worker, World},
    keys, lifeline, panic,
};
use crate::app::message::Message;

/// Messages of tasks that may wait for the loop.
const MESSAGES: usize = 256;
/// Batches of log lines that may wait for the loop; beyond, they wait in the queue that counts what it gives up.
const LOGS: usize = 4;

/// Ways to tell the loop.
#[derive(Clone, Debug)]
pub struct Senders {
    /// What tasks tell, logs aside.
    pub messages: mpsc::Sender<Message>,
    /// What log streams bring.
    pub logs: mpsc::Sender<Message>,
    /// Bytes for the terminal.
    pub control: mpsc::Sender<Control>,
}

/// Why a session ended badly.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The terminal is none, or is not fit.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// The terminal broke.
    #[error("the terminal does not answer any more: {0}")]
    Lost(io::Error),
}

/// Takes the terminal, runs a program on it, gives the terminal back; the answer is the process's exit code.
///
/// Must be called on the thread that the process began with, which is the one whose panics end it.
pub async fn on_terminal<P, D, W>(program: P, world: D, worker: impl FnOnce(Senders) -> W) -> Result<(P, W, u8), Error>
where
    P: Program,
    D: World,
    W: Worker,
{
    let (messages, message_queue) = mpsc::channel(MESSAGES);
    let (logs, log_queue) = mpsc::channel(LOGS);
    let (control, control_queue) = mpsc::channel(MESSAGES);
    let continued = Arc::new(Notify::new());
    let mut console = Tty::enter(Arc::clone(&continued))?;
    panic::install(console.restorer(), thread::current().id());
    lifeline::watch(&control, &console.restorer(), continued, console.lent()).map_err(Unfit::Io)?;
    let (mut keys, reader) = keys::read().map_err(Unfit::Io)?;
    console.set_keys(reader);
    let input = futures::stream::poll_fn(move |context| keys.poll_recv(context));
    let mut worker = worker(Senders { messages, logs, control });
    let (program, ended) =
        run(program, input, world, (message_queue, log_queue, control_queue), &mut console, &mut worker).await;
    console.leave().await;
    match ended {
        Ended::Quit => Ok((program, worker, 0)),
        Ended::Told(code) => Ok((program, worker, code)),
        Ended::Lost(error) => Err(Error::Lost(error)),
    }
}

type Queues = (mpsc::Receiver<Message>, mpsc::Receiver<Message>, mpsc::Receiver<Control>);

async fn run<P: Program, W: Worker>(
    program: P,
    input: impl Stream<Item = io::Result<(crossterm::event::Event, Timestamp)>> + Unpin,
    world: impl World,
    (messages, logs, control): Queues,
    console: &mut Tty,
    worker: &mut W,
) -> (P, Ended) {
    let parts = Parts {
        input,
        world,
        messages,
        logs,
        control,
        console,
        worker,
        clock: &Timestamp::now,
        pace: Pace::new(clipboard::over_ssh()),
    };
    event_loop::run(program, parts).await
}
