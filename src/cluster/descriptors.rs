//! The process's limit of open files: every watch is a socket.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// File descriptors asked for.
const DESCRIPTORS: u64 = 65_536;

/// Raises the soft limit of file descriptors towards the hard one; what cannot be raised stays as it is.
pub(crate) fn raise() {
    let limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.map_or(DESCRIPTORS, |hard| hard.min(DESCRIPTORS));
    if limit.current.is_some_and(|soft| soft < wanted) {
        let raised = Rlimit { current: Some(wanted), maximum: limit.maximum };
        if let Err(error) = setrlimit(Resource::Nofile, raised) {
            tracing::debug!(%error, "the limit of open files stays as it is");
        }
    }
}
