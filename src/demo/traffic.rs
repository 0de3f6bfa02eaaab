//! What is asked of a cluster, counted: so that who looks at an estate can be held to what it costs.
//!
//! The estate's own controllers are not counted. They name themselves.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Frame, SizeHint};

use super::api::{Answer, Body};
use super::world::World;

/// How the estate's own clients call themselves.
pub(crate) const OWN: &str = "estate";

/// What was asked of one cluster, of itself or through the gateway.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Requests so far, watches among them.
    pub requests: u64,
    /// Watches that are open now.
    pub watches: usize,
}

/// The counters of one cluster.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    requests: AtomicU64,
    watches: Arc<AtomicUsize>,
}

impl Counters {
    pub(crate) fn read(&self) -> Traffic {
        Traffic { requests: self.requests.load(Ordering::Relaxed), watches: self.watches.load(Ordering::Relaxed) }
    }

    pub(crate) fn count(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a watch for as long as its answer is being sent.
    pub(crate) fn watch(&self, answer: Answer) -> Answer {
        self.watches.fetch_add(1, Ordering::Relaxed);
        let open = Open(Arc::clone(&self.watches));
        answer.map(|body| Counted { body, _open: open }.boxed_unsync())
    }
}

/// The counters of all clusters, as the real server's `/metrics` words them.
pub(crate) fn metrics(world: &World) -> String {
    let lines = world.clusters.iter().map(|cluster| {
        let (name, Traffic { requests, watches }) = (&cluster.name, cluster.counters.read());
        format!(
            "apiserver_request_total{{cluster=\"{name}\"}} {requests}\n\
             apiserver_longrunning_requests{{cluster=\"{name}\",verb=\"WATCH\"}} {watches}\n"
        )
    });
    lines.collect()
}

struct Open(Arc<AtomicUsize>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

struct Counted {
    body: Body,
    _open: Open,
}

impl hyper::body::Body for Counted {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
