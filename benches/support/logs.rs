//! Logs of fifty pods in ten clusters: what is kept up with, what is said to be dropped, and how late lines are.
//!
//! The streams are read in this process, as the dashboard reads them: by the same session over real HTTP connections,
//! through the same queue. Beside it the dashboard itself shows them in its terminal.

use std::collections::{HashMap, VecDeque};
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
use crate::session::Session as Dashboard;

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

/// The dashboard with the logs of the application on its screen.
fn opened(ground: &Ground, arguments: &[&str]) -> Outcome<(Dashboard, f64)> {
    let mut dashboard = Dashboard::start_with(ground, arguments)?;
    dashboard.until("the application", |screen| screen.contents().contains(" app-00000"))?;
    // Those that need a person stand above it: what is filtered for is under the cursor.
    dashboard.keys("/app-00000\r");
    dashboard.until("the application alone", |screen| !screen.contents().contains("helm-hello"))?;
    std::thread::sleep(Duration::from_secs(3));
    let memory = dashboard.resident_mb();
    dashboard.keys("l");
    dashboard.until("lines", |screen| title(screen).contains("lines/s") && times(screen).count() > 5)?;
    Ok((dashboard, memory))
}

fn title(screen: &vt100::Screen) -> String {
    screen.rows(0, screen.size().1.get()).nth(1).unwrap_or_default()
}

/// A number in the title before that word.
fn number(screen: &vt100::Screen, word: &str) -> Option<f64> {
    let title = title(screen);
    let before = title.split_once(word)?.0.trim_end();
    before.rsplit(' ').next()?.replace(',', "").parse().ok()
}

/// The lines on the screen and the milliseconds of their times within the day: the zone is UTC.
fn times(screen: &vt100::Screen) -> impl Iterator<Item = (String, f64)> + '_ {
    screen.rows(0, screen.size().1.get()).skip(2).filter_map(|row| {
        let time: jiff::civil::Time = row.trim_start().get(..12)?.parse().ok()?;
        let since = time.duration_since(jiff::civil::Time::midnight());
        Some((row, since.as_secs_f64() * 1000.0))
    })
}

/// From a line's time to its being on the screen, for each line that is seen there.
pub(crate) fn on_screen(title: &str, ground: &Ground) -> Outcome<()> {
    head(title);
    let mut late = [
        Figure::new("written → on the screen: p50", "ms").note("goal ≤ 100 ms at 1,000 lines/s"),
        Figure::new("written → on the screen: p99", "ms"),
    ];
    let mut seen = Figure::new("lines seen a second", "");
    let mut work = Figure::new("processor time: the dashboard", "% of a core");
    for _ in 0..3 {
        let (dashboard, _) = opened(ground, &[])?;
        let (mut took, mut known) = (Vec::new(), VecDeque::new());
        let (clock, before) = (Instant::now(), dashboard.processor_time());
        // What stood there at the beginning came with the tail.
        let mut begun = false;
        dashboard.each_screen(COUNTED, |screen| {
            let now = Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).time();
            let now = now.duration_since(jiff::civil::Time::midnight()).as_secs_f64() * 1000.0;
            for (row, time) in times(screen) {
                if !known.contains(&row) {
                    known.push_back(row);
                    if begun {
                        took.push(now - time);
                    }
                }
            }
            begun = true;
            known.drain(..known.len().saturating_sub(500));
        });
        work.take(process::percent(dashboard.processor_time().saturating_sub(before), clock.elapsed()));
        seen.take(took.len() as f64 / COUNTED.as_secs_f64());
        late[0].take(percentile(&mut took, 50));
        late[1].take(percentile(&mut took, 99));
    }
    late.iter().chain([&seen, &work]).for_each(Figure::print);
    Ok(())
}

/// The dashboard with all of them on its screen: its memory, work, and keys.
pub(crate) fn shown(title: &str, ground: &Ground, time: Duration) -> Outcome<()> {
    head(title);
    let mut memory = Figure::new("resident memory before", "MB");
    let mut most = Figure::new("most resident memory with the logs, 64 MiB of lines", "MB").note("goal ≤ 67 + 20 MB");
    let mut grown = Figure::new("of them more than before", "MB");
    let mut rate = Figure::new("lines a second, by its title", "");
    let mut dropped = Figure::new("lines said to be dropped, by its title", "");
    let mut work = Figure::new("processor time: the dashboard", "% of a core");
    let mut theirs = Figure::new("processor time: the estate", "% of a core");
    let mut quick = [
        Figure::new("space → paused, or following: p50", "ms"),
        Figure::new("space → paused, or following: p99", "ms").note("goal ≤ 16 ms"),
        Figure::new("space → paused, or following: longest", "ms"),
    ];
    for _ in 0..3 {
        let (mut dashboard, before) = opened(ground, &[])?;
        memory.take(before);
        let (clock, used) = (Instant::now(), (dashboard.processor_time(), process::processor_time(ground.pid())));
        let mut rates = Vec::new();
        dashboard.each_screen(time, |screen| rates.extend(number(screen, " lines/s")));
        work.take(process::percent(dashboard.processor_time().saturating_sub(used.0), clock.elapsed()));
        theirs.take(process::percent(process::processor_time(ground.pid()).saturating_sub(used.1), clock.elapsed()));
        rate.take(percentile(&mut rates, 50));
        let mut took = Vec::new();
        for _ in 0..100 {
            for (is_paused, what) in [(true, "a pause"), (false, "to be following")] {
                let pressed = dashboard.since_start();
                dashboard.keys(" ");
                let seen = dashboard.until(what, |screen| self::title(screen).contains("paused") == is_paused)?;
                took.push(seen.saturating_sub(pressed).as_secs_f64() * 1000.0);
                // At no particular time within a frame.
                std::thread::sleep(Duration::from_millis(20 + (took.len() as u64 * 7) % 30));
            }
        }
        quick[0].take(percentile(&mut took, 50));
        quick[1].take(percentile(&mut took, 99));
        quick[2].take(percentile(&mut took, 100));
        let (_, screen) = dashboard.screen();
        dropped.take(number(&screen, " dropped").unwrap_or_default());
        most.take(dashboard.most_resident_mb());
        grown.take(dashboard.most_resident_mb() - before);
    }
    [&memory, &most, &grown, &rate, &dropped, &work, &theirs].into_iter().chain(&quick).for_each(Figure::print);
    Ok(())
}

/// Scrolling in a million lines that are kept, while more come.
pub(crate) fn scrolled(title: &str, ground: &Ground) -> Outcome<()> {
    const LINES: f64 = 1e6;
    head(title);
    let mut memory = Figure::new("resident memory with a million lines and more", "MB");
    let mut quick = [
        Figure::new("up → row moved: p50", "ms"),
        Figure::new("up → row moved: p99", "ms").note("goal ≤ 16 ms"),
        Figure::new("page up → row moved: p50", "ms"),
        Figure::new("page up → row moved: p99", "ms").note("goal ≤ 16 ms"),
        Figure::new("to the first line", "ms"),
    ];
    let (mut dashboard, _) = opened(ground, &["--max-memory", "512Mi"])?;
    let (mut came, mut last) = (0.0, Instant::now());
    let until = Instant::now() + Duration::from_mins(2);
    while came < LINES && Instant::now() < until {
        dashboard.each_screen(Duration::from_secs(1), |screen| {
            came += number(screen, " lines/s").unwrap_or_default() * last.elapsed().as_secs_f64();
            last = Instant::now();
        });
    }
    println!("{came:.0} lines came");
    dashboard.keys(" ");
    dashboard.until("a pause", |screen| self::title(screen).contains("paused"))?;
    memory.take(dashboard.resident_mb());
    for (at, key) in [(0, "k"), (2, "\u{1b}[5~")] {
        let mut took = Vec::new();
        for _ in 0..200 {
            took.push(dashboard.press_and_see(key)?.as_secs_f64() * 1000.0);
            std::thread::sleep(Duration::from_millis(20 + (took.len() as u64 * 7) % 30));
        }
        quick[at].take(percentile(&mut took, 50));
        quick[at + 1].take(percentile(&mut took, 99));
    }
    quick[4].take_ms(dashboard.press_and_see("g")?);
    [&memory].into_iter().chain(&quick).for_each(Figure::print);
    Ok(())
}
