//! How a cluster is reached, and the ways in which it is not: refused, or hung.
//!
//! A [`Link`] holds the state; a [`Gate`] stands in one connection or answer and makes it feel that state: broken at
//! once when the cluster refuses, silent while it hangs.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::{Body, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;
use tokio::time::Sleep;

/// A way for a cluster not to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// New connections are refused, existing ones break at once: the API server was stopped.
    Refuse,
    /// New connections are never answered, existing ones go silent: the API server is frozen.
    Hang,
}

/// Where a link stands now.
#[derive(Debug, Clone, Copy)]
pub(crate) struct State {
    /// How it is cut, and since when.
    pub(crate) cut: Option<(Cut, Instant)>,
    /// Counts refusals, so that a connection that slept through one still breaks.
    refusals: u64,
    /// Counts changes.
    version: u64,
}

/// The way to one cluster.
#[derive(Debug)]
pub(crate) struct Link {
    state: watch::Sender<State>,
    latency_ms: AtomicU64,
    /// The version that the listener acts on.
    heeded: AtomicU64,
}

impl Link {
    pub(crate) fn new(latency: Duration) -> Self {
        Self {
            state: watch::Sender::new(State { cut: None, refusals: 0, version: 0 }),
            latency_ms: AtomicU64::new(u64::try_from(latency.as_millis()).unwrap_or(u64::MAX)),
            heeded: AtomicU64::new(0),
        }
    }

    /// Cuts the link. Cutting a cut one changes the way it is cut.
    pub(crate) fn cut(&self, cut: Cut) {
        self.state.send_modify(|state| {
            state.cut = Some((cut, Instant::now()));
            state.refusals += u64::from(cut == Cut::Refuse);
            state.version += 1;
        });
    }

    /// Lets the cluster answer again.
    pub(crate) fn restore(&self) {
        self.state.send_modify(|state| {
            state.cut = None;
            state.version += 1;
        });
    }

    /// How it is cut now, and since when.
    pub(crate) fn is_cut(&self) -> Option<(Cut, Instant)> {
        self.state.borrow().cut
    }

    /// Said by the listener when new connections meet this state.
    pub(crate) fn heed(&self, state: State) {
        self.heeded.store(state.version, Ordering::Release);
    }

    /// Whether new connections meet the newest state.
    pub(crate) fn is_settled(&self) -> bool {
        self.heeded.load(Ordering::Acquire) == self.state.borrow().version
    }

    /// Returns when they do.
    pub(crate) async fn settle(&self) {
        while !self.is_settled() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// The state now and its changes from here on.
    pub(crate) fn subscribe(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }

    /// What is added to each request through the gateway.
    pub(crate) fn latency(&self) -> Duration {
        Duration::from_millis(self.latency_ms.load(Ordering::Relaxed))
    }

    /// Changes the latency, from the next request on.
    pub(crate) fn set_latency(&self, latency: Duration) {
        self.latency_ms.store(u64::try_from(latency.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

type Changed = Pin<Box<dyn Future<Output = watch::Receiver<State>> + Send>>;

async fn changed(mut states: watch::Receiver<State>) -> watch::Receiver<State> {
    if states.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
    states
}

/// One connection's sense of its link.
struct Gate {
    state: State,
    refusals: u64,
    changed: Changed,
    patience: Option<Duration>,
    giving_up: Option<Pin<Box<Sleep>>>,
}

impl Gate {
    fn new(link: &Link, patience: Option<Duration>) -> Self {
        let mut states = link.subscribe();
        let state = *states.borrow_and_update();
        Self { state, refusals: state.refusals, changed: Box::pin(changed(states)), patience, giving_up: None }
    }

    /// Ready while the link is up, an error when it broke, pending while it hangs.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Poll::Ready(mut states) = self.changed.as_mut().poll(cx) {
            self.state = *states.borrow_and_update();
            self.changed = Box::pin(changed(states));
            self.giving_up = None;
        }
        if self.state.refusals != self.refusals || matches!(self.state.cut, Some((Cut::Refuse, _))) {
            return Poll::Ready(Err(io::Error::from(io::ErrorKind::ConnectionReset)));
        }
        match (self.state.cut, self.patience) {
            (Some((Cut::Hang, since)), Some(patience)) => {
                let giving_up = self
                    .giving_up
                    .get_or_insert_with(|| Box::pin(tokio::time::sleep(patience.saturating_sub(since.elapsed()))));
                giving_up.as_mut().poll(cx).map(|()| Err(io::Error::from(io::ErrorKind::TimedOut)))
            }
            (Some((Cut::Hang, _)), None) => Poll::Pending,
            _ => Poll::Ready(Ok(())),
        }
    }
}

/// A connection that feels its cluster's link.
pub(crate) struct Gated<S> {
    stream: S,
    // One each: the two halves of a connection may be polled by different tasks.
    reading: Gate,
    writing: Gate,
    /// Runs while the other side takes nothing.
    stalled: Option<Pin<Box<Sleep>>>,
}

/// How long the other side may take nothing before it is given up: one that never reads would hold on for ever.
const STALLED: Duration = Duration::from_secs(60);

impl<S> Gated<S> {
    pub(crate) fn new(stream: S, link: &Link) -> Self {
        Self { stream, reading: Gate::new(link, None), writing: Gate::new(link, None), stalled: None }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Gated<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        std::task::ready!(self.reading.poll(cx))?;
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Gated<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        std::task::ready!(self.writing.poll(cx))?;
        if let Poll::Ready(written) = Pin::new(&mut self.stream).poll_write(cx, buf) {
            self.stalled = None;
            return Poll::Ready(written);
        }
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep(STALLED)));
        stalled.as_mut().poll(cx).map(|()| Err(io::Error::from(io::ErrorKind::TimedOut)))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        std::task::ready!(self.writing.poll(cx))?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        std::task::ready!(self.writing.poll(cx))?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// An answer through the gateway that feels the member's link: it breaks in the middle, never ends politely.
pub(crate) struct GatedBody {
    body: UnsyncBoxBody<Bytes, io::Error>,
    gate: Gate,
}

impl GatedBody {
    /// `patience` is how long a silent cluster is waited for before the answer breaks.
    pub(crate) fn new(body: UnsyncBoxBody<Bytes, io::Error>, link: &Link, patience: Duration) -> Self {
        Self { body, gate: Gate::new(link, Some(patience)) }
    }
}

impl Body for GatedBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if let Err(broken) = std::task::ready!(self.gate.poll(cx)) {
            return Poll::Ready(Some(Err(broken)));
        }
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_takes_nothing_for_long_is_given_up() {
        let (stream, _never_read) = tokio::io::duplex(16);
        let mut gated = Gated::new(stream, &Link::new(Duration::ZERO));
        let broken = gated.write_all(&[0; 64]).await.unwrap_err();
        assert_eq!(broken.kind(), io::ErrorKind::TimedOut);
    }
}
