//! Logs of fifty pods in ten clusters: what is kept up with, what is said to be dropped, and how late lines are.
//!
//! The streams are read in this process, as the dashboard reads them: by the same session over real HTTP connections,
//! through the same queue. Beside it the dashboard itself shows them in its terminal.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use lateen::cluster::logs::{self, Outlets, Overflow, Queue};
use lateen::cluster::{Connect, Hub, NamespaceScope, Session, feed};
use lateen::model::log::{Gap, LogEvent, LogRequest, LogScope, SourceId, Start};
use tokio::sync::mpsc;

use crate::figures::{Figure, head, percentile};
use crate::ground::{self, Ground, Outcome};
use crate::process;

/// Pods, and streams.
const PODS: usize = 50;
/// How long is counted.
const COUNTED: Duration = Duration::from_secs(10);
/// As the dashboard has it.
const WAITING: usize = 8 << 20;
const BATCH: usize = 128 << 10;

/// An estate of fifty pods in ten clusters that write so many lines a second in all.
pub(crate) fn ground(lines: usize) -> Outcome<Ground> {
    let (pods, rate) = (PODS.to_string(), format!("{}", lines as f64 / PODS as f64));
    ground::estate(&["--apps", "1", "--pods", &pods, "--clusters", "8", "--spread", "10", "--log-rate", &rate])
}

/// Reads all of them at once for a while, several times.
pub(crate) fn read(title: &str, ground: &Ground, runtime: &tokio::runtime::Runtime, runs: usize) -> Outcome<()> {
    head(title);
    let mut streams = Figure::new("streams open", "").note(format!("of {PODS}"));
    let mut rate = Figure::new("lines a second", "");
    let mut dropped = Figure::new("lines said to be dropped", "");
    let mut unsaid = Figure::new("lines missing unsaid, or double", "").note("goal 0");
    let mut gaps = Figure::new("gaps said otherwise", "");
    let mut late = [
        Figure::new("written → there to be shown: p50", "ms").note("goal ≤ 100 ms at 1,000 lines/s"),
        Figure::new("written → there to be shown: p99", "ms"),
    ];
    let mut own = Figure::new("processor time: reading", "% of a core");
    let mut theirs = Figure::new("processor time: the estate", "% of a core");
    for _ in 0..runs {
        let before = (process::processor_time(std::process::id()), process::processor_time(ground.pid()));
        let begun = Instant::now();
        let mut read = runtime.block_on(counted(ground))?;
        let passed = begun.elapsed();
        own.take(process::percent(process::processor_time(std::process::id()).saturating_sub(before.0), passed));
        theirs.take(process::percent(process::processor_time(ground.pid()).saturating_sub(before.1), passed));
        streams.take(read.next.len() as f64);
        rate.take(read.lines as f64 / COUNTED.as_secs_f64());
        dropped.take(read.dropped as f64);
        unsaid.take(read.unsaid as f64);
        gaps.take(read.gaps as f64);
        late[0].take(percentile(&mut read.late, 50));
        late[1].take(percentile(&mut read.late, 99));
    }
    for figure in [&streams, &rate, &dropped, &unsaid, &gaps].into_iter().chain(&late).chain([&own, &theirs]) {
        figure.print();
    }
    Ok(())
}

#[derive(Default)]
struct Read {
    lines: u64,
    dropped: u64,
    unsaid: u64,
    gaps: u64,
    /// The number of each source's next line, where lines are numbered.
    next: HashMap<SourceId, Option<u64>>,
    late: Vec<f64>,
}

async fn counted(ground: &Ground) -> Outcome<Read> {
    let connect = Connect { kubeconfig: Some(ground.kubeconfig.clone()), ..Connect::default() };
    let hub = tokio::task::spawn_blocking(move || Hub::load(&connect)).await??;
    let (feed, _reader) = feed::channel();
    let session = Session::start(hub.clone(), NamespaceScope::all([]), feed);
    session.settled().await;
    let scope = LogScope::Selector { namespace: None, selector: "app.oam.dev/name=app-00000".into() };
    let request = LogRequest { start: Start::Tail(1), ..LogRequest::of(scope) };
    let queue = Queue::new(WAITING, Overflow::Drop);
    let outlets = Outlets::Shared(queue.clone());
    let logs = logs::Session::new(Arc::new(move |cluster| hub.member(cluster)), request, 100, outlets);
    let (_joins, joined) = mpsc::unbounded_channel();
    let running = tokio::spawn(logs.run(joined, session.links().clusters()));

    let mut read = Read::default();
    let mut counting: Option<Instant> = None;
    loop {
        let Some(events) = queue.take(BATCH).await else { break };
        if counting.is_some_and(|since| since.elapsed() >= COUNTED) {
            break;
        }
        for event in events {
            read.take(event, counting.is_some());
        }
        // Once all of them have said something, it counts.
        if counting.is_none() && read.next.len() >= PODS {
            counting = Some(Instant::now());
            (read.lines, read.dropped, read.gaps) = (0, 0, 0);
        }
    }
    running.abort();
    Ok(read)
}

impl Read {
    fn take(&mut self, event: LogEvent, counting: bool) {
        match event {
            LogEvent::Lines(id, lines) => {
                self.lines += lines.len() as u64;
                let now = Timestamp::now();
                if counting && let Some(time) = lines.last().and_then(|line| line.time) {
                    self.late.push(now.duration_since(time).as_secs_f64() * 1000.0);
                }
                for line in &lines {
                    let number = line.text.strip_prefix("seq=").and_then(|rest| rest.split(' ').next()?.parse().ok());
                    let next = self.next.insert(id, number.map(|number: u64| number + 1)).flatten();
                    if let (Some(number), Some(next)) = (number, next) {
                        self.unsaid += number.abs_diff(next);
                    }
                }
            }
            LogEvent::Gap(id, Gap::Dropped { lines }) => {
                self.dropped += lines;
                if let Some(Some(next)) = self.next.get_mut(&id) {
                    *next += lines;
                }
            }
            LogEvent::Gap(id, gap) => {
                // Some of the estate's containers fail again and again.
                self.gaps += u64::from(gap.misses_lines());
                self.next.insert(id, None);
            }
            _ => {}
        }
    }
}

/// The dashboard with all of them on its screen: its memory and work.
pub(crate) fn shown(title: &str, ground: &Ground, time: Duration) -> Outcome<()> {
    head(title);
    let mut memory =
        ["before", "with the logs on the screen"].map(|when| Figure::new(format!("resident memory {when}"), "MB"));
    let mut work = Figure::new("processor time: the dashboard", "% of a core");
    let mut session = crate::session::Session::start(ground)?;
    session.until("the application", |screen| screen.contents().contains(" app-00000"))?;
    std::thread::sleep(Duration::from_secs(5));
    memory[0].take(session.resident_mb());
    session.keys("/app-00000\rl");
    session.until("lines", |screen| screen.contents().contains("seq=") || screen.contents().contains("lines/s"))?;
    let (clock, before) = (Instant::now(), session.processor_time());
    std::thread::sleep(time);
    work.take(process::percent(session.processor_time().saturating_sub(before), clock.elapsed()));
    memory[1].take(session.resident_mb());
    memory.iter().chain([&work]).for_each(Figure::print);
    Ok(())
}
