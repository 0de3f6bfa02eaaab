//! What happens when lateen breaks: the terminal is given back, a report is saved, one line says where.

use std::{
    io::Write as _,
    panic,
    path::PathBuf,
    sync::Arc,
    thread::{self, ThreadId},
};

use color_eyre::config::{HookBuilder, Theme};
use jiff::Timestamp;

use super::{console::Restorer, state_dir};

/// Saves a report of every panic; gives the terminal back, and says so, only for one on the loop's thread: a task's
/// panic is told in the dashboard, which goes on.
pub(super) fn install(restorer: Arc<Restorer>, loop_thread: ThreadId) {
    let (hook, _) = HookBuilder::blank().theme(Theme::new()).display_env_section(false).into_hooks();
    panic::set_hook(Box::new(move |info| {
        let report = format!("lateen {}\n{}\n", env!("CARGO_PKG_VERSION"), hook.panic_report(info));
        tracing::error!(report, "panicked");
        let saved = save(&report);
        if thread::current().id() == loop_thread {
            restorer.restore();
            let place = saved.map_or_else(|| report.clone(), |path| format!("a report is in {}", path.display()));
            let _ = writeln!(std::io::stderr(), "lateen broke, which is a defect of lateen: {place}");
        }
    }));
}

fn save(report: &str) -> Option<PathBuf> {
    let path = state_dir::state_dir().ok()?.join(format!("panic-{}.txt", Timestamp::now().strftime("%Y%m%dT%H%M%SZ")));
    state_dir::private().open(&path).ok()?.write_all(report.as_bytes()).ok()?;
    Some(path)
}
