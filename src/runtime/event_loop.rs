//! The loop: the only owner of the state.
//!
//! `select! { biased; … }` with input before data, so that a key never waits behind rows, and with frames drawn only
//! when something happened, the terminal has taken the frame before, and the pace allows it. Every part can be
//! replaced: input, the world, who performs effects, the terminal, the clock.

use std::{future::Future, io, time::Duration};

use crossterm::event::Event;
use futures::{Stream, StreamExt as _};
use jiff::Timestamp;
use ratatui::{Frame, layout::Size};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};

use super::frame::Painter;
use crate::{
    app::{effect::Effect, message::Message},
    model::delta::Delta,
};

/// What the loop owns: messages in, effects out, and a picture of the state.
pub trait Program {
    /// Takes one thing that happened; answers with the work to be done.
    fn update(&mut self, message: Message) -> Vec<Effect>;
    /// Draws the state.
    fn draw(&mut self, frame: &mut Frame<'_>);
    /// When something on screen changes by the passing of time alone; `None`: never.
    fn next_tick(&self, now: Timestamp) -> Option<Timestamp>;
}

/// The terminal, as the loop sees it: one frame on its way at most.
pub trait Console {
    /// Hands bytes over to be written. Called only after [`Console::written`] answered for those before.
    fn submit(&mut self, bytes: Vec<u8>);
    /// Ends when what was submitted has been written. May be dropped and called again.
    fn written(&mut self) -> impl Future<Output = io::Result<()>>;
    /// Gives the terminal back to the shell and stops the process; ends when it goes on.
    fn suspend(&mut self) -> impl Future<Output = io::Result<()>>;
    /// Takes the terminal again after the process was stopped and continued from outside.
    fn resume(&mut self) -> io::Result<()>;
    /// Gives the terminal to another program: nothing is read from it or drawn on it until [`Console::take_back`].
    fn lend(&mut self) -> impl Future<Output = io::Result<()>> {
        std::future::ready(Ok(()))
    }
    /// Takes the terminal back from the program it was lent to.
    fn take_back(&mut self) -> io::Result<()> {
        self.resume()
    }
    /// The terminal's size.
    fn size(&self) -> io::Result<Size>;
}

/// Where changes of the world come from. What waits there merges, so the loop takes it only when it has time.
pub trait World {
    /// Waits until there is something to take; false when there never will be. May be dropped and called again.
    fn changed(&mut self) -> impl Future<Output = bool>;
    /// Takes at most `max` changes, in order; empty when nothing waits.
    fn take(&mut self, max: usize) -> Vec<Delta>;
}

/// Performs the effects that are not the loop's own.
pub trait Worker {
    /// Begins the work; what comes of it arrives as messages.
    fn perform(&mut self, effect: Effect);
}

impl<C: Console> Console for &mut C {
    fn submit(&mut self, bytes: Vec<u8>) {
        (**self).submit(bytes);
    }
    async fn written(&mut self) -> io::Result<()> {
        (**self).written().await
    }
    async fn suspend(&mut self) -> io::Result<()> {
        (**self).suspend().await
    }
    async fn lend(&mut self) -> io::Result<()> {
        (**self).lend().await
    }
    fn take_back(&mut self) -> io::Result<()> {
        (**self).take_back()
    }
    fn resume(&mut self) -> io::Result<()> {
        (**self).resume()
    }
    fn size(&self) -> io::Result<Size> {
        (**self).size()
    }
}

impl<W: Worker> Worker for &mut W {
    fn perform(&mut self, effect: Effect) {
        (**self).perform(effect);
    }
}

/// What reaches the loop from outside of input and data.
#[derive(Clone, Debug, PartialEq)]
pub enum Control {
    /// Leave now; the process goes on to exit with this code.
    Leave(u8),
    /// The process was stopped and goes on.
    Continued,
    /// Bytes for the terminal that are no picture, for instance a text for its clipboard.
    Write(Vec<u8>),
    /// The program that the terminal was lent to is done with it; what is to be told of that.
    Returned(Box<Message>),
}

/// Why the loop ended.
#[derive(Debug)]
pub enum Ended {
    /// The operator left.
    Quit,
    /// A signal, or the terminal hung up: the exit code that tells so.
    Told(u8),
    /// The terminal does not take or give bytes any more.
    Lost(io::Error),
}

/// How often frames are drawn that data or the passing of time cause. A key's frame is drawn at once.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// The shortest time between two such frames.
    pub frame: Duration,
    /// How long rows are applied before input is looked at again.
    pub slice: Duration,
}

impl Pace {
    /// 30 frames a second; 10 where the terminal is reached over SSH.
    pub fn new(over_ssh: bool) -> Self {
        Self { frame: Duration::from_millis(if over_ssh { 100 } else { 34 }), slice: Duration::from_millis(2) }
    }
}

/// The parts of a session.
pub struct Parts<'a, I, D, C, W> {
    /// Keys, pastes and resizes, with the time they were read.
    pub input: I,
    /// Changes of the world.
    pub world: D,
    /// What tasks tell, logs aside.
    pub messages: mpsc::Receiver<Message>,
    /// What log streams bring.
    pub logs: mpsc::Receiver<Message>,
    /// Signals.
    pub control: mpsc::Receiver<Control>,
    /// The terminal.
    pub console: C,
    /// Who performs effects.
    pub worker: W,
    /// The time of day.
    pub clock: &'a dyn Fn() -> Timestamp,
    /// How often to draw.
    pub pace: Pace,
}

/// Rows that are applied with one call of `update`.
const CHUNK: usize = 64;
/// Ticks come no closer than this, whatever the program asks for.
const SHORTEST_TICK: Duration = Duration::from_millis(50);
/// A frame is drawn with a time of day no older than this.
const CURRENT: jiff::SignedDuration = jiff::SignedDuration::from_millis(500);
const BELL: u8 = 0x07;

/// Runs a session until it ends; gives the program back with the reason.
pub async fn run<P, I, D, C, W>(program: P, parts: Parts<'_, I, D, C, W>) -> (P, Ended)
where
    P: Program,
    I: Stream<Item = io::Result<(Event, Timestamp)>> + Unpin,
    D: World,
    C: Console,
    W: Worker,
{
    let Parts { mut input, mut world, mut messages, mut logs, mut control, console, worker, clock, pace } = parts;
    let size = match console.size() {
        Ok(size) => size,
        Err(error) => return (program, Ended::Lost(error)),
    };
    let painter = match Painter::new(size) {
        Ok(painter) => painter,
        Err(error) => return (program, Ended::Lost(error)),
    };
    let now = Instant::now();
    let mut turn = Turn {
        program,
        console,
        worker,
        painter,
        clock,
        pace,
        dirty: true,
        due: now,
        last_frame: now,
        in_flight: false,
        inputs: 0,
        drawn_inputs: 0,
        told_inputs: 0,
        told_time: Timestamp::UNIX_EPOCH,
        extra: Vec::new(),
        tick: None,
        lent: false,
    };
    let mut world_open = true;
    let mut flooded = false;

    let ended = loop {
        // Input comes first below; were it endless (a paste without brackets), frames would never be drawn.
        if turn.overdue()
            && let Err(ended) = turn.draw().await
        {
            break ended;
        }
        // A flood of rows below must not hold up what tasks and logs tell.
        if std::mem::take(&mut flooded) {
            for waiting in [messages.try_recv(), logs.try_recv()].into_iter().flatten() {
                if let Err(ended) = turn.data(waiting).await {
                    return (turn.program, ended);
                }
            }
        }
        let step = tokio::select! {
            biased;
            Some(said) = control.recv() => match said {
                Control::Leave(code) => Err(Ended::Told(code)),
                Control::Continued => turn.continued(),
                Control::Write(bytes) => { turn.write(&bytes); Ok(()) }
                Control::Returned(message) => turn.returned(*message).await,
            },
            written = turn.console.written(), if turn.in_flight => match written {
                Ok(()) => turn.written().await,
                Err(error) => Err(Ended::Lost(error)),
            },
            event = input.next(), if !turn.lent => match event {
                Some(Ok((event, at))) => turn.input(event, at).await,
                Some(Err(error)) => Err(Ended::Lost(error)),
                None => Err(Ended::Lost(io::ErrorKind::UnexpectedEof.into())),
            },
            () = sleep_until(turn.due), if turn.wants_frame() => turn.draw().await,
            () = sleep_until(turn.tick.unwrap_or(now)), if turn.tick.is_some() => {
                turn.tick = None;
                turn.data(Message::Tick(clock())).await
            }
            there = world.changed(), if world_open => {
                world_open = there;
                flooded = true;
                turn.slice(&mut world).await
            }
            Some(message) = messages.recv() => turn.data(message).await,
            Some(lines) = logs.recv() => turn.data(lines).await,
        };
        if let Err(ended) = step {
            break ended;
        }
    };
    (turn.program, ended)
}

/// The state of the loop itself.
struct Turn<'a, P, C, W> {
    program: P,
    console: C,
    worker: W,
    painter: Painter,
    clock: &'a dyn Fn() -> Timestamp,
    pace: Pace,
    /// Something happened that the screen may not show yet.
    dirty: bool,
    /// When a frame may be drawn at the earliest.
    due: Instant,
    last_frame: Instant,
    /// A frame has been handed over and is not written yet.
    in_flight: bool,
    /// Inputs so far.
    inputs: u64,
    /// Inputs so far when the last frame was drawn.
    drawn_inputs: u64,
    /// Inputs that the program knows to be on the screen.
    told_inputs: u64,
    /// The time of day that the program knows.
    told_time: Timestamp,
    /// Bytes that go out with the next frame and are no picture: a bell, a clipboard.
    extra: Vec<u8>,
    tick: Option<Instant>,
    /// The terminal is another program's for the moment.
    lent: bool,
}

impl<P: Program, C: Console, W: Worker> Turn<'_, P, C, W> {
    fn wants_frame(&self) -> bool {
        self.dirty && !self.in_flight && !self.lent
    }

    fn overdue(&self) -> bool {
        self.wants_frame() && Instant::now() >= self.due + self.pace.frame
    }

    async fn input(&mut self, event: Event, at: Timestamp) -> Result<(), Ended> {
        self.inputs += 1;
        self.told_time = at;
        self.dirty = true;
        self.due = self.due.min(Instant::now());
        if let Event::Resize(width, height) = event {
            self.painter.reset(Size::new(width, height)).map_err(Ended::Lost)?;
        }
        let effects = self.program.update(Message::Input(event, at));
        self.perform(effects).await
    }

    async fn data(&mut self, message: Message) -> Result<(), Ended> {
        self.soil();
        let effects = self.program.update(message);
        self.perform(effects).await
    }

    /// Applies rows for as long as a slice lasts.
    async fn slice(&mut self, world: &mut impl World) -> Result<(), Ended> {
        let until = Instant::now() + self.pace.slice;
        loop {
            let chunk = world.take(CHUNK);
            if chunk.is_empty() {
                return Ok(());
            }
            self.soil();
            let effects = self.program.update(Message::Deltas(chunk));
            self.perform(effects).await?;
            if Instant::now() >= until {
                // Whoever shares this thread gets its turn too.
                tokio::task::yield_now().await;
                return Ok(());
            }
        }
    }

    /// Something other than a key changed the state: a frame is due when the pace allows it.
    fn soil(&mut self) {
        if !self.dirty {
            self.dirty = true;
            self.due = self.last_frame + self.pace.frame;
        }
    }

    async fn draw(&mut self) -> Result<(), Ended> {
        let now = (self.clock)();
        if now.duration_since(self.told_time) >= CURRENT {
            self.told_time = now;
            let effects = self.program.update(Message::Tick(now));
            self.perform(effects).await?;
        }
        self.dirty = false;
        self.drawn_inputs = self.inputs;
        self.last_frame = Instant::now();
        self.due = self.last_frame + self.pace.frame;
        let program = &mut self.program;
        let mut bytes = self.painter.paint(|frame| program.draw(frame)).map_err(Ended::Lost)?;
        bytes.append(&mut self.extra);
        self.schedule_tick();
        if bytes.is_empty() {
            return self.shown().await;
        }
        self.in_flight = true;
        self.console.submit(bytes);
        Ok(())
    }

    async fn written(&mut self) -> Result<(), Ended> {
        self.in_flight = false;
        self.shown().await
    }

    /// The screen shows what was drawn last, and the program is told. What it makes of it shows with the next frame,
    /// which is due at once only if an input is on the screen that was not before.
    async fn shown(&mut self) -> Result<(), Ended> {
        if self.told_inputs < self.drawn_inputs {
            self.told_inputs = self.drawn_inputs;
            self.soil();
        }
        let effects = self.program.update(Message::Drawn((self.clock)()));
        self.schedule_tick();
        self.perform(effects).await
    }

    fn schedule_tick(&mut self) {
        let now = (self.clock)();
        self.tick = self.program.next_tick(now).map(|at| {
            let wait = Duration::try_from(at.duration_since(now)).unwrap_or(Duration::ZERO);
            Instant::now() + wait.max(SHORTEST_TICK)
        });
    }

    fn write(&mut self, bytes: &[u8]) {
        self.extra.extend_from_slice(bytes);
        self.dirty = true;
        self.due = self.due.min(Instant::now());
    }

    async fn perform(&mut self, effects: Vec<Effect>) -> Result<(), Ended> {
        for effect in effects {
            match effect {
                Effect::Quit => return Err(Ended::Quit),
                Effect::Bell => self.write(&[BELL]),
                Effect::Redraw => self.reset()?,
                Effect::Suspend => {
                    if self.in_flight {
                        self.console.written().await.map_err(Ended::Lost)?;
                        self.in_flight = false;
                    }
                    self.console.suspend().await.map_err(Ended::Lost)?;
                    self.reset()?;
                }
                Effect::Lend(..) => {
                    if self.in_flight {
                        self.console.written().await.map_err(Ended::Lost)?;
                        self.in_flight = false;
                    }
                    self.console.lend().await.map_err(Ended::Lost)?;
                    self.lent = true;
                    self.worker.perform(effect);
                }
                other => self.worker.perform(other),
            }
        }
        Ok(())
    }

    /// The terminal is lateen's again.
    async fn returned(&mut self, message: Message) -> Result<(), Ended> {
        if self.lent {
            self.lent = false;
            self.console.take_back().map_err(Ended::Lost)?;
            self.reset()?;
        }
        let effects = self.program.update(message);
        self.perform(effects).await
    }

    fn continued(&mut self) -> Result<(), Ended> {
        if self.lent {
            return Ok(());
        }
        self.console.resume().map_err(Ended::Lost)?;
        self.reset()
    }

    /// Draws all of the screen anew, at once.
    fn reset(&mut self) -> Result<(), Ended> {
        let size = self.console.size().map_err(Ended::Lost)?;
        self.painter.reset(size).map_err(Ended::Lost)?;
        self.dirty = true;
        self.due = Instant::now();
        Ok(())
    }
}

#[cfg(test)]
mod tests;
