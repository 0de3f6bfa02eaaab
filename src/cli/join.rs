//! `lateen join` and `lateen detach`: clusters to deliver to.

use super::{
    approve::asking,
    args::{AuditMode, Detach, Global, Join},
    failure::{Failure, code, code_of},
    interrupt,
    stdout::{self, Stdout},
    view::{self, View},
};
use crate::{
    cluster::actions::{self, Joining},
    model::{action::Outcome, key::ClusterId},
    runtime::audit::Sink,
};

/// Joins a cluster, and gives the exit code.
pub(super) async fn join(global: &Global, join: Join) -> Result<u8, Failure> {
    let is_asking = asking(global, "join")?;
    if join.name == crate::model::key::LOCAL {
        return Err(Failure::usage("local is the hub's own name: choose another one"));
    }
    let hub = view::hub(global).await?;
    let mut joining = Joining::read(&join.name, &join.kubeconfig_of, join.context_of.as_deref()).await?;
    joining.alias = join.alias.unwrap_or_default();
    joining.labels = join.labels;
    let question = format!(
        "Join {} ({}, {}) to {}? Its credential is stored there.",
        join.name,
        joining.endpoint,
        joining.version,
        hub.context()
    );
    if is_asking && !stdout::ask(&question) {
        stdout::note("nothing was written");
        return Ok(code::FAILED);
    }
    let audit = Sink::open(global.audit == AuditMode::BestEffort);
    let _held = interrupt::hold();
    let outcome = actions::join(&hub, &joining, &mut |line| audit.append(&line)).await;
    let ended = tell(&outcome)?;
    if !joining.has_flux {
        stdout::note(&format!(
            "{0} does not know Flux's kinds: charts go there when `vela addon enable fluxcd --clusters {0}` has been run",
            join.name
        ));
    }
    Ok(ended)
}

/// Detaches a cluster that nothing is delivered to any more, and gives the exit code.
pub(super) async fn detach(global: &Global, detach: Detach) -> Result<u8, Failure> {
    let is_asking = asking(global, "detach")?;
    let view = View::open(&Global { namespace: None, ..global.clone() }, true).await?;
    let cluster = ClusterId::named(&detach.name);
    let reaching: Vec<String> = view
        .store
        .applications()
        .filter(|entry| entry.row.places().iter().any(|place| place.cluster == cluster))
        .map(|entry| entry.row.key.to_string())
        .collect();
    if !reaching.is_empty() {
        // KubeVela could neither update nor delete what it cannot reach.
        let message = format!("{} is still delivered to by {}: delete them first", detach.name, reaching.join(", "));
        return Err(Failure::new(code::PRECONDITION, message));
    }
    let question = format!("Detach {} from {}? Nothing is delivered there.", detach.name, view.session.hub().context());
    if is_asking && !stdout::ask(&question) {
        stdout::note("nothing was written");
        return Ok(code::FAILED);
    }
    let audit = Sink::open(global.audit == AuditMode::BestEffort);
    let _held = interrupt::hold();
    tell(&actions::detach(view.session.hub(), &detach.name, &mut |line| audit.append(&line)).await)
}

fn tell(outcome: &Outcome) -> Result<u8, Failure> {
    if !outcome.is_done() {
        return Err(Failure::new(code_of(outcome), outcome.message().to_string()));
    }
    Stdout::lock().write(&format!("{}\n", outcome.message()))?;
    Ok(code::DONE)
}
