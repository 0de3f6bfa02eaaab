//! How fast and how small the dashboard is: against the estate, against a large one, and against a real kube-apiserver
//! where its programs are (`KUBEBUILDER_ASSETS`, else `target/testbed/bin`; `tests/real/build.sh` makes them).
//!
//! ```sh
//! cargo bench --bench dashboard                   # all, some ten minutes
//! cargo bench --bench dashboard -- real           # one ground alone: estate, tree, logs, large, real
//! ```
//!
//! The dashboard runs in a terminal of 120×40 of its own and is measured from outside: what it writes and when, what
//! `/proc` says of it. What it is held against (curl's LIST) is measured in the same run. `LATEEN=PROGRAM` measures
//! another build than this one's. Nothing is asserted; the goals stand beside the figures. Percentages are of one processor's time.
#![expect(clippy::print_stdout, reason = "figures are printed")]

#[path = "support/figures.rs"]
mod figures;
#[path = "support/ground.rs"]
mod ground;
#[path = "support/load.rs"]
mod load;
#[path = "support/logs.rs"]
mod logs;
#[path = "support/process.rs"]
mod process;
#[path = "support/session.rs"]
mod session;
#[path = "../tests/support/terminal.rs"]
#[expect(clippy::unwrap_used, reason = "shared with the tests: what fails there ends the benchmark")]
mod terminal;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use figures::{Figure, head, percentile};
use ground::{Ground, Outcome};
use load::Targets;
use session::Session;

/// Runs of what is quick, and of what takes its time.
const RUNS: usize = 7;
const LONG_RUNS: usize = 3;
/// Keys pressed in a run.
const KEYS: usize = 400;
/// Changes a second while keys are pressed.
const CHANGES: u32 = 50;
const IDLE: Duration = Duration::from_secs(30);

fn main() -> Outcome<()> {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let chosen = |ground: &str| wanted.is_empty() || wanted.iter().any(|name| name == ground);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    println!("lateen {}, {}", env!("CARGO_PKG_VERSION"), process::machine());
    if chosen("estate") {
        let ground = ground::estate(&["--apps", "1000"])?;
        first_rows("estate: 1,000 applications", &ground, None)?;
        drop(ground);
        let ground = ground::estate(&["--apps", "1000", "--pods", "5000"])?;
        first_rows("estate: 1,000 applications, 5,000 pods", &ground, None)?;
        let contexts = [Some("hub"), Some("foo")];
        under_way("estate: 5,000 pods", &ground, &runtime, &contexts, "5000")?;
    }
    if chosen("tree") {
        let ground = ground::estate(&[
            "--apps",
            "1",
            "--pods",
            "1960",
            "--clusters",
            "18",
            "--spread",
            "20",
            "--latency",
            "50",
        ])?;
        tree("one application: 2,000 objects in 20 clusters, 50 ms away", &ground, &runtime)?;
    }
    if chosen("logs") {
        let ground = logs::ground(1000)?;
        logs::read("logs: 1,000 lines/s of 50 pods in 10 clusters", &ground, &runtime, LONG_RUNS)?;
        logs::on_screen("the dashboard with those on its screen", &ground)?;
        drop(ground);
        let ground = logs::ground(100_000)?;
        logs::read("logs: 100,000 lines/s of 50 pods in 10 clusters", &ground, &runtime, LONG_RUNS)?;
        logs::shown("the dashboard with those on its screen", &ground, Duration::from_secs(20))?;
        logs::scrolled("a million lines kept, and more coming", &ground)?;
    }
    if chosen("large") {
        let ground = ground::estate(&["--clusters", "100", "--apps", "10000", "--pods", "200000"])?;
        first_rows("large estate: 100 clusters, 10,000 applications, 200,000 pods", &ground, None)?;
        problems("large estate: problems of 10,000 applications", &ground)?;
        let contexts = [Some("hub"), Some("foo"), Some("member-050")];
        under_way("large estate: 200,000 pods", &ground, &runtime, &contexts, "200000")?;
    }
    if chosen("real")
        && let Some(ground) = ground::real()?
    {
        let client = runtime.block_on(ground.client(None))?;
        runtime.block_on(async {
            load::prepare(&client).await?;
            load::applications(&client, 1000).await
        })?;
        first_rows("kube-apiserver: 1,000 applications", &ground, None)?;
        runtime.block_on(load::pods(&client, 5000, 1000))?;
        first_rows("kube-apiserver: 1,000 applications, 5,000 pods", &ground, None)?;
        under_way("kube-apiserver: 5,000 pods", &ground, &runtime, &[None], "5000")?;
    }
    println!("\nafterwards: {}", process::machine());
    Ok(())
}

/// From the program's start to what is on its screen, beside curl's LIST of all applications.
fn first_rows(title: &str, ground: &Ground, context: Option<&str>) -> Outcome<()> {
    head(title);
    let mut list = Figure::new("curl: LIST of all applications, JSON", "ms");
    let mut paint = Figure::new("lateen: first paint", "ms");
    let mut first = Figure::new("lateen: first rows of applications", "ms");
    let mut all = Figure::new("lateen: all applications there", "ms");
    let mut total = 0;
    for _ in 0..RUNS {
        let (took, bytes) = ground.curl(context, load::APPLICATIONS, "application/json")?;
        list.take_ms(took);
        total = bytes;
        let session = Session::start(ground)?;
        paint.take_ms(session.until("its first paint", |screen| !screen.contents().trim().is_empty())?);
        first.take_ms(session.until("rows", |screen| screen.contents().contains(" app-00"))?);
        all.take_ms(session.all_rows()?);
    }
    let list = list.note(format!("{:.2} MB", total as f64 / 1e6));
    let goal = format!("{:.1}× curl's LIST; goal ≤ 3× or 250 ms", first.median() / list.median());
    for figure in [list, paint, first.note(goal), all] {
        figure.print();
    }
    Ok(())
}

/// The tree of one large application: opened, moved in, left.
fn tree(title: &str, ground: &Ground, runtime: &tokio::runtime::Runtime) -> Outcome<()> {
    head(title);
    let mut first = Figure::new("from `t` to the first lines", "ms");
    let mut whole = Figure::new("from `t` to the whole tree", "ms").note("goal ≤ 1500 ms");
    let mut requests = Figure::new("requests to open it", "");
    let mut watches = Figure::new("watches while it is open", "");
    let mut left = Figure::new("of them after it is left", "").note("goal 0");
    let mut memory = ["before", "in the tree", "after it", "after ten more"]
        .map(|when| Figure::new(format!("resident memory {when}"), "MB"));
    let mut quick = [
        Figure::new("key → row moved in the tree: p50", "ms"),
        Figure::new("key → row moved in the tree: p99", "ms").note("goal ≤ 16 ms"),
        Figure::new("key → row moved in the tree: longest", "ms"),
    ];
    let client = runtime.block_on(ground.client(None))?;
    for _ in 0..LONG_RUNS {
        let mut session = Session::start(ground)?;
        session.until("the application", |screen| screen.contents().contains(" app-00000"))?;
        // Those that need a person stand above it: what is filtered for is under the cursor.
        session.keys("/app-00000\r");
        session.until("the application alone", |screen| !screen.contents().contains("helm-hello"))?;
        sleep(Duration::from_secs(5));
        memory[0].take(session.resident_mb());
        let before = runtime.block_on(traffic(&client))?;
        let begun = session.since_start();
        session.keys("t");
        first
            .take_ms(session.until("lines", |screen| screen.contents().contains("Deployment/"))?.saturating_sub(begun));
        let there = session.until("the whole tree", is_whole)?;
        whole.take_ms(there.saturating_sub(begun));
        let opened = runtime.block_on(traffic(&client))?;
        sleep(Duration::from_secs(3));
        let open = runtime.block_on(traffic(&client))?;
        memory[1].take(session.resident_mb());
        // Those that the session has itself are there before and after.
        requests.take(opened.0 - before.0);
        watches.take(open.1 - before.1);
        // A filter shows what is folded.
        session.keys("/pod\r");
        sleep(Duration::from_millis(500));
        for (figure, value) in quick.iter_mut().zip(keys(&mut session)?) {
            figure.take(value);
        }
        session.keys("\u{1b}");
        sleep(Duration::from_millis(300));
        session.keys("\u{1b}");
        sleep(Duration::from_secs(5));
        left.take(runtime.block_on(traffic(&client))?.1 - before.1);
        memory[2].take(session.resident_mb());
        // What an allocator keeps it uses again: what grows from one time to the next is lost.
        for _ in 0..10 {
            session.keys("t");
            session.until("the whole tree again", is_whole)?;
            session.keys("\u{1b}");
            session.until("the application again", |screen| !screen.contents().contains("Deployment/"))?;
        }
        sleep(Duration::from_secs(5));
        memory[3].take(session.resident_mb());
    }
    for figure in [first, whole, requests, watches, left].iter().chain(&memory).chain(&quick) {
        figure.print();
    }
    Ok(())
}

/// Whether the screen shows a tree of 2,000 objects of which nothing is still asked.
fn is_whole(screen: &vt100::Screen) -> bool {
    let text = screen.contents();
    let count = text.lines().nth(1).and_then(|title| title.split(" objects").next()?.rsplit(' ').next()?.parse().ok());
    count.is_some_and(|count: usize| count >= 2000) && !text.contains("still asking")
}

/// What is wrong in every cluster: from `!` to its rows, and keys in them.
fn problems(title: &str, ground: &Ground) -> Outcome<()> {
    head(title);
    let mut first = Figure::new("from `!` to the problems", "ms");
    let mut memory = Figure::new("resident memory with them", "MB");
    let mut quick = [
        Figure::new("key → row moved in the problems: p50", "ms"),
        Figure::new("key → row moved in the problems: p99", "ms").note("goal ≤ 16 ms"),
        Figure::new("key → row moved in the problems: longest", "ms"),
    ];
    for _ in 0..LONG_RUNS {
        let mut session = Session::start(ground)?;
        session.until("rows", |screen| screen.contents().contains(" app-00"))?;
        session.all_rows()?;
        let begun = session.since_start();
        session.keys("!");
        let count = |screen: &vt100::Screen| {
            let text = screen.contents();
            let shown = text.lines().nth(1).and_then(session::count).unwrap_or_default();
            if text.contains("PROBLEM") { shown } else { 0 }
        };
        let there = session.until("problems", |screen| count(screen) > 0)?;
        first.take_ms(there.saturating_sub(begun));
        // Pods come after the applications, and their problems with them.
        session.until("enough problems to move in", |screen| count(screen) > KEYS)?;
        sleep(Duration::from_secs(2));
        memory.take(session.resident_mb());
        for (figure, value) in quick.iter_mut().zip(keys(&mut session)?) {
            figure.take(value);
        }
    }
    [first, memory].iter().chain(&quick).for_each(Figure::print);
    Ok(())
}

/// Requests so far, and watches open, in all clusters of an estate.
async fn traffic(client: &kube::Client) -> Outcome<(f64, f64)> {
    let text = client.request_text(http::Request::get("/metrics").body(Vec::new())?).await?;
    let sum = |name: &str| -> f64 {
        let values = text.lines().filter(|line| line.starts_with(name)).filter_map(|line| line.rsplit(' ').next());
        values.filter_map(|value| value.parse::<f64>().ok()).sum()
    };
    Ok((sum("apiserver_request_total"), sum("apiserver_longrunning_requests")))
}

/// Memory, keys, work and rest on the page of all pods.
fn under_way(
    title: &str,
    ground: &Ground,
    runtime: &tokio::runtime::Runtime,
    contexts: &[Option<&str>],
    pods: &str,
) -> Outcome<()> {
    head(title);
    let mut rows = Figure::new("from `:pods` to all rows there", "ms");
    let mut memory = Figure::new("resident memory, all pods there", "MB").note("goal ≤ 40 MB with 5,000 pods");
    let mut quiet = [
        Figure::new("key → row moved, nothing changes: p50", "ms"),
        Figure::new("key → row moved, nothing changes: p99", "ms"),
    ];
    let mut busy = [
        Figure::new(format!("key → row moved, {CHANGES} changes/s: p50"), "ms"),
        Figure::new(format!("key → row moved, {CHANGES} changes/s: p99"), "ms").note("goal ≤ 16 ms at 5,000 rows"),
        Figure::new(format!("key → row moved, {CHANGES} changes/s: longest"), "ms"),
    ];
    let mut work = Figure::new(format!("processor time, {CHANGES} changes/s, no keys"), "% of a core");
    let mut after = Figure::new("resident memory after that", "MB");
    let mut rest = [
        Figure::new("30 s in which nothing changes: bytes", "bytes"),
        Figure::new("of them for what can be seen (ages)", "bytes"),
        Figure::new("of them for nothing", "bytes").note("goal 0"),
        Figure::new("processor time", "% of a core").note("goal ≤ 0.5 %"),
    ];
    let mut written = Figure::new("changes written a second", "");
    for run in 0..LONG_RUNS {
        let mut session = Session::start(ground)?;
        session.until("rows", |screen| screen.contents().contains(" app-00"))?;
        let begun = session.since_start();
        session.keys(":pods\r");
        let there = session.until("all pods", |screen| {
            screen
                .contents()
                .lines()
                .nth(1)
                .and_then(session::count)
                .is_some_and(|count| count >= pods.parse::<usize>().unwrap_or(usize::MAX))
        })?;
        rows.take_ms(there.saturating_sub(begun));
        sleep(Duration::from_secs(3));
        memory.take(session.resident_mb());
        let [p50, p99, _] = keys(&mut session)?;
        quiet[0].take(p50);
        quiet[1].take(p99);

        let done = Arc::new(AtomicU64::new(0));
        let changes = runtime.block_on(async {
            let mut clients = Vec::new();
            for context in contexts {
                clients.push(ground.client(*context).await?);
            }
            Outcome::Ok(tokio::spawn(Targets::of(clients).await?.change(CHANGES, Arc::clone(&done))))
        })?;
        sleep(Duration::from_secs(1));
        let (since, written_before) = (Instant::now(), done.load(Ordering::Relaxed));
        for (figure, value) in busy.iter_mut().zip(keys(&mut session)?) {
            figure.take(value);
        }
        let (clock, before) = (Instant::now(), session.processor_time());
        sleep(Duration::from_secs(10));
        work.take(process::percent(session.processor_time().saturating_sub(before), clock.elapsed()));
        written.take((done.load(Ordering::Relaxed) - written_before) as f64 / since.elapsed().as_secs_f64());
        changes.abort();
        after.take(session.resident_mb());

        if run == 0 {
            sleep(Duration::from_secs(5));
            let (clock, before) = (Instant::now(), session.processor_time());
            let (bytes, for_nothing) = session.watch(IDLE);
            rest[0].take(bytes as f64);
            rest[1].take((bytes - for_nothing) as f64);
            rest[2].take(for_nothing as f64);
            rest[3].take(process::percent(session.processor_time().saturating_sub(before), clock.elapsed()));
        }
    }
    rows.print();
    memory.print();
    quiet.iter().chain(&busy).for_each(Figure::print);
    work.print();
    written.print();
    after.print();
    rest.iter().for_each(Figure::print);
    Ok(())
}

/// Presses `j` at no particular pace; the 50th and the 99th percentile and the longest time until the cursor had moved,
/// in ms.
fn keys(session: &mut Session) -> Outcome<[f64; 3]> {
    session.keys("g");
    sleep(Duration::from_millis(300));
    let mut times = Vec::with_capacity(KEYS);
    for number in 0..KEYS {
        times.push(session.press_and_see("j")?.as_secs_f64() * 1000.0);
        // Between 5 and 36 ms, so that no key meets frames always at the same moment.
        sleep(Duration::from_millis(5 + number as u64 * 7 % 32));
    }
    let longest = times.iter().copied().fold(0.0, f64::max);
    Ok([percentile(&mut times, 50), percentile(&mut times, 99), longest])
}
