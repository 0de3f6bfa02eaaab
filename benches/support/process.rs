//! What a process uses, from `/proc`.

use std::fs;
use std::time::Duration;

/// Resident memory in MB (10⁶ bytes); not a number where the system does not tell.
pub(crate) fn resident_mb(pid: u32) -> f64 {
    kept(pid, "VmRSS:")
}

/// Memory by the field's name in `/proc/PID/status`, in the same.
pub(crate) fn kept(pid: u32, field: &str) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    let kibibytes = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    kibibytes.map_or(f64::NAN, |kibibytes| kibibytes * 1024.0 / 1e6)
}

/// Processor time used so far by the threads that there are. By the scheduler's own clock: `/proc/PID/stat` counts by
/// sampling, which hardly sees what works for a millisecond at a time.
pub(crate) fn processor_time(pid: u32) -> Duration {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let nanoseconds = threads.filter_map(|thread| {
        let line = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        line.split_whitespace().next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(nanoseconds.sum())
}

/// Share of one processor, in per cent.
pub(crate) fn percent(used: Duration, of: Duration) -> f64 {
    used.as_secs_f64() / of.as_secs_f64() * 100.0
}

/// The machine as it is: processors, and how busy it was in the last minute.
pub(crate) fn machine() -> String {
    let processors = std::thread::available_parallelism().map_or(0, usize::from);
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split_whitespace().next().unwrap_or("?");
    format!("{processors} processors, load {load} in the last minute")
}
