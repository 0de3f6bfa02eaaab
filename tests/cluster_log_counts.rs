//! Many logs of the simulated estate at once, counted: through cuts and a reader that does not keep up, each line comes
//! once or is said to be missing.
#![cfg(feature = "demo")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "what fails here fails the test")]

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use lateen::{
    cluster::{
        Connect, Hub, NamespaceScope, Session, feed,
        logs::{self, Outlets, Overflow, Queue},
    },
    demo::{Cut, Estate, Options},
    model::log::{Gap, LogEvent, LogRequest, LogScope, LogSource, SourceId, Start, StreamState},
};
use tokio::{sync::mpsc, time::timeout};

/// Time for a condition to come true; far beyond what it takes.
const PATIENCE: Duration = Duration::from_secs(90);

/// What came of each source.
#[derive(Default)]
struct Counts {
    sources: BTreeMap<SourceId, Arc<LogSource>>,
    /// The number of the next line.
    next: BTreeMap<SourceId, u64>,
    /// Lines of each source since this was last cleared.
    since: BTreeMap<SourceId, u64>,
    broken: BTreeSet<SourceId>,
    /// Those whose container does not run: the estate has some that fail again and again.
    idle: BTreeSet<SourceId>,
    dropped: u64,
}

impl Counts {
    fn take(&mut self, event: LogEvent) {
        match event {
            LogEvent::Opened(id, source) => drop(self.sources.insert(id, source)),
            LogEvent::Lines(id, lines) => {
                for line in lines {
                    if line.text.contains("level=fatal") {
                        // The last word of one that fails has no number.
                        self.next.remove(&id);
                        continue;
                    }
                    let number = line.text.strip_prefix("seq=").and_then(|rest| rest.split(' ').next());
                    let number: u64 = number.unwrap_or_else(|| panic!("half a line: {line:?}")).parse().unwrap();
                    let next = self.next.insert(id, number + 1);
                    assert!(next.is_none_or(|next| next == number), "{id:?}: {number} instead of {next:?}");
                    *self.since.entry(id).or_default() += 1;
                }
            }
            LogEvent::Gap(id, Gap::Dropped { lines }) => {
                self.dropped += lines;
                if let Some(next) = self.next.get_mut(&id) {
                    *next += lines;
                }
            }
            // Said to be missing, and how many is not known: as after a rotation, should this take that long.
            LogEvent::Gap(id, Gap::Resumed { .. }) => drop(self.next.remove(&id)),
            LogEvent::Gap(id, Gap::Waiting(_) | Gap::Restarted { .. }) => {
                self.next.remove(&id);
                self.idle.insert(id);
            }
            LogEvent::State(id, StreamState::Broken(_)) => drop(self.broken.insert(id)),
            // That pods which join cannot be found while their cluster is away is said too.
            LogEvent::State(..) | LogEvent::Unfound(..) => {}
            other => panic!("{other:?}"),
        }
    }

    /// Takes what comes until it is so.
    async fn until(&mut self, what: &str, queue: &Queue, so: impl Fn(&Self) -> bool) {
        let came = timeout(PATIENCE, async {
            while !so(self) {
                queue.take(usize::MAX).await.unwrap().into_iter().for_each(|event| self.take(event));
            }
        });
        assert!(came.await.is_ok(), "waited for {what}: {:?} {:?}", self.since, self.broken);
    }

    fn all_said(&self, pods: usize, lines: u64) -> bool {
        let said = |id: &SourceId| self.since.get(id).is_some_and(|count| *count >= lines) || self.idle.contains(id);
        self.sources.len() == pods && self.sources.keys().all(said) && self.idle.len() < pods
    }

    fn of(&self, cluster: &str) -> BTreeSet<SourceId> {
        let of = self.sources.iter().filter(|(_, source)| source.pod.cluster.as_str() == cluster);
        of.map(|(id, _)| *id).filter(|id| !self.idle.contains(id)).collect()
    }
}

/// The pods of the one synthetic application of an estate, whose containers write so many lines a second each.
async fn followed(rate: f64, queue: &Queue) -> (Estate, tokio::task::JoinHandle<()>) {
    let options = Options { apps: 1, pods: PODS, spread: 2, log_rate: rate, ..Options::default() };
    let estate = Estate::start(options).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("kubeconfig");
    std::fs::write(&path, estate.kubeconfig()).unwrap();
    let connect = Connect { kubeconfig: Some(path), ..Connect::default() };
    let hub = tokio::task::spawn_blocking(move || Hub::load(&connect)).await.unwrap().unwrap();
    let (feed, _reader) = feed::channel();
    let session = Session::start(hub.clone(), NamespaceScope::all([]), feed);
    assert!(timeout(PATIENCE, session.settled()).await.is_ok());
    let selector = "app.oam.dev/name=app-00000".into();
    let request =
        LogRequest { start: Start::Tail(5), ..LogRequest::of(LogScope::Selector { namespace: None, selector }) };
    let outlets = Outlets::Shared(queue.clone());
    let logs = logs::Session::new(Arc::new(move |cluster| hub.member(cluster)), request, 100, outlets);
    let (joins, joined) = mpsc::unbounded_channel();
    let clusters = session.links().clusters();
    let running = tokio::spawn(async move {
        let _joins = joins;
        logs.run(joined, clusters).await;
    });
    (estate, running)
}

const PODS: usize = 6;

#[tokio::test(flavor = "multi_thread")]
async fn each_line_comes_once_through_cuts() {
    let queue = Queue::new(64 << 20, Overflow::Drop);
    let (estate, running) = followed(200.0, &queue).await;
    let mut counts = Counts::default();
    counts.until("lines of all pods", &queue, |counts| counts.all_said(PODS, 100)).await;
    let of_foo = counts.of("foo");
    assert!(!of_foo.is_empty() && of_foo.len() < PODS, "{:?}", counts.sources);
    for _ in 0..2 {
        estate.cut("foo", Cut::Refuse).unwrap();
        counts.broken.clear();
        counts.until("broken streams", &queue, |counts| counts.broken.is_superset(&of_foo)).await;
        estate.restore("foo").unwrap();
        counts.since.clear();
        counts.until("all of them back", &queue, |counts| counts.all_said(PODS, 300)).await;
    }
    assert_eq!(counts.dropped, 0);
    running.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_slow_reader_misses_is_counted_exactly() {
    let queue = Queue::new(32 << 10, Overflow::Drop);
    let (_estate, running) = followed(1000.0, &queue).await;
    let mut counts = Counts::default();
    counts.until("lines of all pods", &queue, |counts| counts.all_said(PODS, 1)).await;
    // Nobody reads until more must have come than has room.
    let full = timeout(PATIENCE, async {
        while counts.dropped < 1000 {
            tokio::time::sleep(Duration::from_millis(200)).await;
            queue.take(usize::MAX).await.unwrap().into_iter().for_each(|event| counts.take(event));
        }
    });
    assert!(full.await.is_ok());
    counts.since.clear();
    counts.until("what comes then", &queue, |counts| counts.all_said(PODS, 100)).await;
    running.abort();
}
