//! The reader of keys: a thread of its own, so that a terminal that misbehaves holds up nothing but itself.

use std::{io, thread};

use crossterm::event::{Event, EventStream};
use futures::{StreamExt as _, executor::block_on};
use jiff::Timestamp;
use tokio::sync::mpsc;

/// Events that may wait for the loop; beyond, the terminal's own buffer keeps them.
const WAITING: usize = 256;

/// Reads keys, pastes and resizes until the receiver is dropped, each with the time it was read.
pub(super) fn read() -> io::Result<mpsc::Receiver<io::Result<(Event, Timestamp)>>> {
    let (tell, events) = mpsc::channel(WAITING);
    thread::Builder::new().name("keys".to_owned()).spawn(move || {
        block_on(async {
            let mut stream = EventStream::new();
            while let Some(event) = stream.next().await {
                let at = Timestamp::now();
                if tell.send(event.map(|event| (event, at))).await.is_err() {
                    return;
                }
            }
        });
    })?;
    Ok(events)
}
