//! `lateen`: the dashboard, on the hub that the flags name.

use super::{
    args::{AuditMode, Global},
    failure::Failure,
    view,
};
use crate::runtime::{
    console,
    dashboard::{self, Options},
};

/// Shows the dashboard until the operator leaves.
pub(super) async fn run(global: &Global) -> Result<u8, Failure> {
    console::check().map_err(|unfit| Failure::usage(unfit.to_string()))?;
    // A credential plugin may ask for a password: before the screen opens.
    let hub = view::hub(global).await?;
    let namespace = match &global.namespace {
        Some(namespace) => Some(namespace.clone()),
        None if global.all_namespaces => None,
        None => hub.namespace().map(str::to_owned),
    };
    let options = Options {
        namespace,
        readonly: global.readonly.then(|| "--readonly".to_owned()),
        ascii: global.ascii || !locale_is_utf8(),
        color: !global.no_color && set("NO_COLOR").is_none(),
        log_streams: global.log_streams,
        log_memory: global.max_memory,
        best_effort_audit: global.audit == AuditMode::BestEffort,
    };
    dashboard::run(hub, options).await.map_err(|error| Failure::failed(error.to_string()))
}

/// A variable of the environment that is set to something.
pub(super) fn set(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Whether the terminal shows more than ASCII, as the locale has it.
fn locale_is_utf8() -> bool {
    let locale = set("LC_ALL").or_else(|| set("LC_CTYPE")).or_else(|| set("LANG")).unwrap_or_default().to_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}
