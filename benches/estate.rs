//! How much the simulated estate carries, in a process of its own: its start with 100 clusters, its lists beside those of
//! a real kube-apiserver (where its programs are: `KUBEBUILDER_ASSETS`, else `target/testbed/bin`), and changes for many
//! watchers.
//!
//! ```sh
//! cargo bench --bench estate                     # all, some five minutes
//! cargo bench --bench estate -- start            # one part alone: start, lists, watches
//! ```
//!
//! `LATEEN=PROGRAM` measures another build than this one's. Nothing is asserted; the goals stand beside the figures. Percentages are of one processor's time.
#![expect(clippy::print_stdout, reason = "figures are printed")]

#[path = "support/figures.rs"]
#[expect(dead_code, reason = "shared with the other benchmark, which also has percentiles")]
mod figures;
#[path = "support/ground.rs"]
mod ground;
#[path = "support/load.rs"]
#[expect(dead_code, reason = "shared with the other benchmark, which also makes changes")]
mod load;
#[path = "support/process.rs"]
mod process;

use std::time::{Duration, Instant};

use figures::{Figure, head};
use futures::TryStreamExt as _;
use ground::{Ground, Outcome};
use http::Request;
use http_body_util::BodyExt as _;
use kube::Client;
use serde_json::Value;
use tokio::runtime::Runtime;

const RUNS: usize = 5;
const LONG_RUNS: usize = 3;
const PODS: usize = 20_000;
const WATCHERS: usize = 100;
/// Changes a second in the cluster that is watched.
const CHANGES: u32 = 1000;
const WATCHED: Duration = Duration::from_secs(10);

fn main() -> Outcome<()> {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let chosen = |part: &str| wanted.is_empty() || wanted.iter().any(|name| name == part);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    println!("lateen {}, {}", env!("CARGO_PKG_VERSION"), process::machine());
    if chosen("start") {
        start()?;
    }
    if chosen("lists") {
        lists(&runtime)?;
    }
    if chosen("watches") {
        watches(&runtime)?;
    }
    println!("\nafterwards: {}", process::machine());
    Ok(())
}

fn start() -> Outcome<()> {
    head("start: 100 clusters, 10,000 applications, 200,000 pods");
    let mut ready = Figure::new("until `ready`", "s").note("goal ≤ 30 s");
    let mut first = Figure::new("resident memory, ready", "MB");
    let mut later = Figure::new("resident memory, 15 s later", "MB").note("goal ≤ 2,000 MB");
    let mut settling = Figure::new("processor time in these 15 s", "% of a core");
    let mut rest = Figure::new("processor time in the 10 s after", "% of a core");
    for _ in 0..LONG_RUNS {
        let ground = ground::estate(&["--clusters", "100", "--apps", "10000", "--pods", "200000"])?;
        ready.take(ground.started.as_secs_f64());
        first.take(process::resident_mb(ground.pid()));
        settling.take(used(&ground, Duration::from_secs(15)));
        later.take(process::resident_mb(ground.pid()));
        rest.take(used(&ground, Duration::from_secs(10)));
    }
    for figure in [ready, first, later, settling, rest] {
        figure.print();
    }
    Ok(())
}

/// Share of a processor that it uses in that time.
fn used(ground: &Ground, time: Duration) -> f64 {
    let (begun, before) = (Instant::now(), process::processor_time(ground.pid()));
    std::thread::sleep(time);
    process::percent(process::processor_time(ground.pid()).saturating_sub(before), begun.elapsed())
}

fn lists(runtime: &Runtime) -> Outcome<()> {
    // Half of them are the hub's.
    let pods = (2 * PODS).to_string();
    let estate = ground::estate(&["--pods", &pods])?;
    let real = ground::real()?;
    if let Some(real) = &real {
        let client = runtime.block_on(real.client(None))?;
        runtime.block_on(async {
            load::prepare(&client).await?;
            load::pods(&client, PODS, 1000).await
        })?;
    }
    let table = "application/json;as=Table;v=v1;g=meta.k8s.io";
    let metadata = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
    head(&format!("LIST of {PODS} pods by curl"));
    for (what, path, accept) in [
        ("JSON", "/api/v1/pods", "application/json"),
        ("metadata alone", "/api/v1/pods", metadata),
        ("Table, with metadata", "/api/v1/pods", table),
        ("Table, includeObject=None", "/api/v1/pods?includeObject=None", table),
        ("first page of 500, JSON", "/api/v1/pods?limit=500", "application/json"),
    ] {
        let mut estates = Figure::new(format!("{what}: estate"), "ms");
        let mut reals = Figure::new(format!("{what}: kube-apiserver"), "ms");
        let (mut bytes, mut real_bytes) = (0, 0);
        for _ in 0..RUNS {
            let (took, size) = estate.curl(Some("foo"), path, accept)?;
            estates.take_ms(took);
            bytes = size;
            if let Some(real) = &real {
                let (took, size) = real.curl(None, path, accept)?;
                reals.take_ms(took);
                real_bytes = size;
            }
        }
        let megabytes = |bytes: u64| format!("{:.2} MB", bytes as f64 / 1e6);
        if real.is_some() {
            let ratio = estates.median() / reals.median();
            estates.note(format!("{}, {ratio:.2}× the real one's; goal ≤ 1×", megabytes(bytes))).print();
            reals.note(megabytes(real_bytes)).print();
        } else {
            estates.note(megabytes(bytes)).print();
        }
    }
    Ok(())
}

fn watches(runtime: &Runtime) -> Outcome<()> {
    head(&format!("{CHANGES} changes/s of pods, each to {WATCHERS} watchers, {} s", WATCHED.as_secs()));
    let mut changes = Figure::new("changes a second", "");
    let mut delivered = Figure::new("events delivered a second, all watchers", "");
    let mut bytes = Figure::new("bytes delivered a second", "MB");
    let mut missing = Figure::new("events missing or out of order", "").note("goal 0");
    let mut work = Figure::new("processor time of the estate", "% of a core").note("goal ≤ 100 %");
    let mut unwatched = Figure::new("the same without watchers", "% of a core");
    for _ in 0..LONG_RUNS {
        // Half of the changes are the hub's, which nobody watches here.
        let churn = (2 * CHANGES).to_string();
        let ground = ground::estate(&["--pods", "2000", "--churn", &churn])?;
        unwatched.take(used(&ground, Duration::from_secs(5)));
        let clients = runtime.block_on(async {
            let mut clients = Vec::new();
            for _ in 0..WATCHERS {
                clients.push(ground.client(Some("foo")).await?);
            }
            Outcome::Ok(clients)
        })?;
        let from = runtime.block_on(revision(&clients[0]))?;
        let watchers: Vec<_> =
            clients.iter().map(|client| runtime.spawn(follow(client.clone(), from, WATCHED * 2))).collect();
        // Connections are made and what has come meanwhile is caught up with.
        std::thread::sleep(WATCHED / 2);
        let first = runtime.block_on(revision(&clients[0]))?;
        work.take(used(&ground, WATCHED));
        let last = runtime.block_on(revision(&clients[0]))?;
        let mut seen: Vec<Followed> = Vec::new();
        for watcher in watchers {
            seen.push(runtime.block_on(watcher)??);
        }
        // What any of them was told in that time, all must have been told.
        let window = |followed: &Followed| -> Vec<u64> {
            followed.revisions.iter().copied().filter(|revision| (first..=last).contains(revision)).collect()
        };
        let windows: Vec<Vec<u64>> = seen.iter().map(window).collect();
        let mut all: Vec<u64> = windows.iter().flatten().copied().collect();
        let events = all.len();
        all.sort_unstable();
        all.dedup();
        let lacking = windows.iter().filter(|window| !window.is_sorted()).count() + all.len() * WATCHERS - events;
        changes.take(all.len() as f64 / WATCHED.as_secs_f64());
        delivered.take(events as f64 / WATCHED.as_secs_f64());
        let total: u64 = seen.iter().map(|followed| followed.bytes).sum();
        let events_in_all: usize = seen.iter().map(|followed| followed.revisions.len()).sum();
        bytes.take(total as f64 / events_in_all as f64 * events as f64 / WATCHED.as_secs_f64() / 1e6);
        missing.take(lacking as f64);
    }
    for figure in [changes, delivered, bytes, missing, work, unwatched] {
        figure.print();
    }
    Ok(())
}

/// The cluster's newest revision.
async fn revision(client: &Client) -> Outcome<u64> {
    let list: Value = client.request(Request::get("/api/v1/pods?limit=1").body(Vec::new())?).await?;
    let revision = list["metadata"]["resourceVersion"].as_str().and_then(|revision| revision.parse().ok());
    Ok(revision.ok_or("a list without resourceVersion")?)
}

/// What a watch brought.
struct Followed {
    revisions: Vec<u64>,
    bytes: u64,
}

/// Reads a watch from a revision on, for that long.
async fn follow(client: Client, from: u64, time: Duration) -> Outcome<Followed> {
    let until = tokio::time::Instant::now() + time;
    let path = format!("/api/v1/pods?watch=true&resourceVersion={from}&timeoutSeconds=120");
    let request = Request::get(path).body(kube::client::Body::empty())?;
    let mut body = client.send(request).await?.into_body().into_data_stream();
    let mut followed = Followed { revisions: Vec::new(), bytes: 0 };
    let mut rest = String::new();
    while let Ok(chunk) = tokio::time::timeout_at(until, body.try_next()).await {
        let Some(chunk) = chunk? else { return Err("a watch was ended by the estate".into()) };
        followed.bytes += chunk.len() as u64;
        // All that the estate says is ASCII, so that no character is cut.
        rest.push_str(std::str::from_utf8(&chunk)?);
        let complete = rest.rfind('\n').map_or(0, |end| end + 1);
        followed.revisions.extend(rest[..complete].lines().filter_map(revision_of));
        rest.drain(..complete);
    }
    Ok(followed)
}

/// The revision in a line of a watch: the first that stands there, which is the object's.
fn revision_of(line: &str) -> Option<u64> {
    line.split_once("\"resourceVersion\":\"")?.1.split('"').next()?.parse().ok()
}
