//! One application under KubeVela: looked at when it changes and when its time comes, written when something
//! is different.

use std::collections::HashSet;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::sync::watch;
use tokio::time::Instant;

use super::condition::{available, by_health, drop_conditions, put_condition};
use super::plan::{self, Plan};
use super::revision::{self, Revision};
use super::step::{Memory, Steps};
use super::workflow::{self, Workflow};
use super::{context, dispatch, health, render, tracker};
use crate::demo::controllers::Pace;
use crate::demo::controllers::api::{self, Cluster};
use crate::demo::controllers::event::event;
use crate::demo::controllers::object::{self, Object};

const FINALIZER: &str = "app.oam.dev/resource-tracker-finalizer";
/// How often an application is looked at though nothing happened (`--informer-sync-period` is longer, this is
/// what resources are kept at).
const RESYNC: Duration = Duration::from_secs(300);
/// The pause after a write that somebody else's overtook, and while something is on its way out.
const SOON: Duration = Duration::from_millis(500);
const RETRY: Duration = Duration::from_secs(5);
/// How often what cannot be parsed is tried again: somebody may write what it speaks of.
const REFUSED: Duration = Duration::from_secs(30);

/// Follows one application until its sender is gone.
pub(super) async fn follow(hub: Cluster, pace: Pace, mut seen: watch::Receiver<Object>) {
    let mut follower = Follower { hub, pace, memory: Memory::default(), written: 0 };
    let mut newest = seen.borrow_and_update().clone();
    loop {
        let mut application = newest.clone();
        let pause = match follower.reconcile(&mut application).await {
            Ok(pause) => pause.max(Duration::from_millis(20)),
            Err(error) => {
                if !api::is_race(&error) {
                    tracing::debug!(%error, application = object::name(&application), "the estate's KubeVela failed");
                }
                pace.of(if api::is_race(&error) { SOON } else { RETRY })
            }
        };
        if object::version(&application) > object::version(&newest) {
            newest = application;
        }
        // Its own writes come back as events: only what somebody else wrote is news.
        let wake = Instant::now() + pause;
        loop {
            tokio::select! {
                changed = seen.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    let event = seen.borrow_and_update().clone();
                    if object::version(&event) > follower.written.max(object::version(&newest)) {
                        newest = event;
                        break;
                    }
                }
                () = tokio::time::sleep_until(wake) => break,
            }
        }
    }
}

struct Follower {
    hub: Cluster,
    pace: Pace,
    memory: Memory,
    /// The resourceVersion of this controller's last write.
    written: u64,
}

impl Follower {
    /// Does what there is to do now; answers when to look again.
    async fn reconcile(&mut self, application: &mut Object) -> kube::Result<Duration> {
        if object::deleting(application) {
            return self.delete(application).await;
        }
        let required = object::annotation(application, "app.oam.dev/controller-version-require");
        let paused = object::label(application, "controller.core.oam.dev/pause") == Some("true");
        if paused || required.is_some_and(|version| version != render::VERSION) {
            return Ok(self.pace.of(RESYNC));
        }
        self.adopt(application).await?;
        let mut plan = match plan::read(&self.hub, application, &application["spec"]).await? {
            Ok(plan) => plan,
            Err(why) => return self.refuse(application, &why).await,
        };
        let revision = revision::current(&self.hub, application, &plan.others).await?;
        if revision.spec != application["spec"]
            && let Ok(pinned) = plan::read(&self.hub, application, &revision.spec).await?
        {
            plan = pinned;
        }
        let mut status = application["status"].clone();
        object::set(&mut status, &["observedGeneration"], application["metadata"]["generation"].clone());
        if let Some(row) = &revision.row {
            status["latestRevision"] = row.clone();
            status["status"] = json!("rendering");
            available(&mut status, &["Parsed", "Revision"]);
        }
        self.save(application, status).await?;
        self.run(application, &revision, &plan).await
    }

    async fn save(&mut self, application: &mut Object, status: Value) -> kube::Result<()> {
        if application.get("status") == Some(&status) {
            return Ok(());
        }
        let mut new = application.clone();
        new["status"] = status;
        *application = self.hub.replace_status(&api::APPLICATION, &new).await?;
        self.written = self.written.max(object::version(application));
        Ok(())
    }

    /// Says something about an application in the hub's diary.
    async fn tell(&self, application: &Object, reason: &str, message: &str) {
        if let Err(error) = self.hub.record(&event(application, "Application", reason, message)).await {
            tracing::debug!(%error, "the estate's KubeVela could not write an event");
        }
    }

    /// Says of an application that it cannot be parsed.
    async fn refuse(&mut self, application: &mut Object, why: &str) -> kube::Result<Duration> {
        let mut status = application["status"].clone();
        object::set(&mut status, &["observedGeneration"], application["metadata"]["generation"].clone());
        status["status"] = json!("rendering");
        put_condition(&mut status, "Parsed", "False", "ReconcileError", why);
        self.save(application, status).await?;
        self.tell(application, "FailedParse", why).await;
        Ok(self.pace.of(REFUSED))
    }

    /// The finalizer and KubeVela's version, before anything else.
    async fn adopt(&mut self, application: &mut Object) -> kube::Result<()> {
        if object::has_finalizer(application, FINALIZER) {
            return Ok(());
        }
        let mut new = application.clone();
        object::add_finalizer(&mut new, FINALIZER);
        let signature = ["metadata", "annotations", "oam.dev/kubevela-version"];
        object::set(&mut new, &signature, json!(render::VERSION));
        *application = self.hub.replace(&api::APPLICATION, &new).await?;
        self.written = self.written.max(object::version(application));
        Ok(())
    }

    /// Takes the workflow as far as it goes now; one that waits for a person or has succeeded is looked after.
    async fn run(&mut self, application: &mut Object, revision: &Revision, plan: &Plan) -> kube::Result<Duration> {
        let mut status = application["status"].clone();
        // A revision that KubeVela ≤ 1.9 wrote down carries its hash behind a colon.
        let at = object::text(&status, "/workflow/appRevision").to_owned();
        if at.split(':').next() != Some(&revision.label) {
            let context = context::reference(&self.hub, application).await?;
            for key in ["services", "appliedResources"] {
                object::unset(&mut status, &[key]);
            }
            drop_conditions(&mut status, &["Workflow", "Ready", "StateKeep", "Synced"]);
            available(&mut status, &["Parsed", "Revision", "Policy", "Render"]);
            status["workflow"] = workflow::begin(&revision.label, &plan.mode, &context, &object::now());
            self.memory = Memory::default();
            for (reason, message) in [
                ("Parsed", "Parsed successfully"),
                ("Revisioned", "Revisioned successfully"),
                ("PolicyGenerated", "Policy generated successfully"),
                ("Rendered", "Rendered successfully"),
            ] {
                self.tell(application, reason, message).await;
            }
        }
        let vars = if plan.hands_on() { context::vars(&self.hub, application).await? } else { Map::new() };
        let scope = scope(application, revision);
        let mut flow = Workflow::new(&plan.steps, status["workflow"].clone(), scope, vars.clone());
        let under_way = !flow.finished();
        let mut pause = self.pace.of(RESYNC);
        let mut executed = HashSet::new();
        while !flow.held() {
            let due = flow.due(&executed, &object::now());
            if due.is_empty() {
                break;
            }
            for one in due {
                let mut steps = Steps {
                    hub: &self.hub,
                    pace: self.pace,
                    memory: &mut self.memory,
                    application,
                    revision,
                    policies: &plan.policies,
                    status: &mut status,
                };
                let (outcome, again) = steps.execute(&one).await?;
                pause = again.map_or(pause, |again| pause.min(again));
                flow.record(&one, outcome, &object::now());
                executed.insert(one.name);
            }
        }
        flow.settle(&object::now());
        self.note(application, &flow, &vars).await?;
        let ended = under_way && flow.finished();
        let succeeded = flow.status["status"] == "succeeded";
        let waits = flow.status["status"] == "suspending";
        status["status"] = json!(workflow::application_phase(&flow.status).unwrap_or_else(|| by_health(&status)));
        status["workflow"] = flow.status;
        if ended && succeeded {
            put_condition(&mut status, "Workflow", "True", "Available", "");
            put_condition(&mut status, "Ready", "True", "ReconcileSuccess", "");
        }
        self.save(application, status).await?;
        if ended {
            self.memory = Memory::default();
            revision::finish(&self.hub, application, &revision.name).await?;
        }
        if ended && succeeded {
            self.tell(application, "Applied", "Workflow finished").await;
            self.tell(application, "Deployed", "Deployed successfully").await;
        }
        if succeeded || waits {
            self.keep(application, succeeded).await?;
        }
        Ok(pause)
    }

    /// Keeps in the workflow's context what steps handed on, and since and until when they are suspended.
    async fn note(
        &mut self,
        application: &Object,
        flow: &Workflow<'_>,
        before: &Map<String, Value>,
    ) -> kube::Result<()> {
        let (mut new, mut since) = (Map::new(), Map::new());
        if flow.vars != *before {
            new.insert("vars".to_owned(), context::spell(&flow.vars));
        }
        let suspended = workflow::all_statuses(&flow.status)
            .filter(|step| step["phase"] == "suspending" && step["type"] != "step-group")
            .map(|step| object::text(step, "/id"));
        let mut noted = Vec::new();
        for id in suspended.filter(|id| !self.memory.noted.contains(*id)) {
            since.insert(format!("{id}.suspend.suspendTimeStamp"), json!(object::now()));
            if let Some(left) = self.memory.resumes_in(id) {
                let at = object::stamp(jiff::Timestamp::now() + left);
                new.insert(format!("{id}.suspend.resumeTimeStamp"), json!(at));
            }
            noted.push(id.to_owned());
        }
        context::note(&self.hub, application, new, since).await?;
        self.memory.noted.extend(noted);
        Ok(())
    }

    /// Keeps what was made as it was made, takes away what older generations made and the newest did not, and looks at
    /// the health of what is done. A cluster that does not answer changes neither phase nor services: only
    /// conditions say so, and they go on saying it when it answers again.
    async fn keep(&mut self, application: &mut Object, succeeded: bool) -> kube::Result<()> {
        let trackers = tracker::of(&self.hub, application).await?;
        let (current, old): (Vec<_>, Vec<_>) =
            trackers.into_iter().partition(|one| tracker::is_current(one, application));
        let entries: Vec<Value> = current.iter().flat_map(tracker::resources).collect();
        let mut live = Vec::new();
        let (mut errors, mut lost) = (Vec::new(), None);
        for entry in &entries {
            match dispatch::keep(&self.hub, entry).await {
                Ok(object) => live.push((entry, object)),
                Err(error) if api::is_race(&error) => {}
                Err(error) => {
                    let said = api::message(&error);
                    errors.push(format!("failed to get resource {}: {said}", tracker::spell(entry)));
                    lost = lost.or(Some((entry, said)));
                }
            }
        }
        let mut status = application["status"].clone();
        if succeeded {
            for row in status["services"].as_array_mut().into_iter().flatten() {
                let own = |entry: &Value| {
                    entry["component"] == row["name"]
                        && ["cluster", "namespace"].iter().all(|key| entry[key] == row[key])
                };
                let own: Vec<&Value> = live.iter().filter(|(entry, _)| own(entry)).map(|(_, object)| object).collect();
                if !own.is_empty() {
                    let health = health::judge(own);
                    row["healthy"] = json!(health.healthy);
                    if !health.message.is_empty() {
                        row["message"] = json!(health.message);
                    }
                }
            }
            status["status"] = json!(by_health(&status));
        }
        if let Some((entry, said)) = lost {
            let message = dispatch::listed(&errors);
            put_condition(&mut status, "StateKeep", "False", "ReconcileError", &message);
            self.tell(application, "FailedStateKeep", &message).await;
            if succeeded {
                let applied = object::list(&status, "/appliedResources");
                let at = applied.iter().position(|one| tracker::same(one, entry)).unwrap_or_default();
                let message =
                    format!("failed to garbage collect application revision: get applied resource index={at}: {said}");
                put_condition(&mut status, "Synced", "False", "ReconcileError", &message);
                self.tell(application, "FailedGC", &message).await;
            }
        }
        self.save(application, status).await?;
        for old in old.into_iter().filter(|_| succeeded) {
            if let Err(error) = tracker::sweep(&self.hub, old, &entries).await {
                tracing::debug!(error, "the estate's KubeVela could not collect");
            }
        }
        Ok(())
    }

    /// Takes away everything that was made, then lets go of the application. While a cluster does not answer it
    /// stays `deleting`.
    async fn delete(&mut self, application: &mut Object) -> kube::Result<Duration> {
        if !object::has_finalizer(application, FINALIZER) {
            return Ok(self.pace.of(RESYNC));
        }
        let mut status = application["status"].clone();
        object::set(&mut status, &["status"], json!("deleting"));
        object::set(&mut status, &["observedGeneration"], application["metadata"]["generation"].clone());
        self.save(application, status.clone()).await?;
        let mut gone = true;
        for one in tracker::of(&self.hub, application).await? {
            match tracker::sweep(&self.hub, one, &[]).await {
                Ok(done) => gone &= done,
                Err(error) => {
                    let message = format!(
                        "error encountered during garbage collection: failed to sweep resourcetrackers to be deleted: {error}"
                    );
                    put_condition(&mut status, "Ready", "False", "Deleting", &message);
                    self.save(application, status).await?;
                    return Ok(self.pace.of(RETRY));
                }
            }
        }
        if gone {
            let mut free = application.clone();
            object::remove_finalizer(&mut free, FINALIZER);
            self.hub.replace(&api::APPLICATION, &free).await?;
        }
        Ok(self.pace.of(SOON))
    }
}

/// What the expressions of an application's steps find as `context`.
fn scope(application: &Object, revision: &Revision) -> Value {
    let (name, metadata) = (object::name(application), &application["metadata"]);
    let number = revision.name.rsplit_once("-v").and_then(|(_, number)| number.parse::<u64>().ok());
    json!({
        "name": name,
        "appName": name,
        "workflowName": name,
        "namespace": object::namespace(application),
        "appRevision": revision.name,
        "appRevisionNum": number,
        "publishVersion": object::annotation(application, revision::PUBLISH_VERSION).unwrap_or_default(),
        "appLabels": metadata["labels"],
        "appAnnotations": metadata["annotations"],
    })
}
