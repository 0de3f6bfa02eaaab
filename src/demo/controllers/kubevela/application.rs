//! One application under KubeVela: looked at when it changes and when its time comes, written when something
//! is different.

use std::collections::HashSet;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::Instant;

use super::condition::{available, by_health, condition_of, drop_conditions, put_condition};
use super::placement;
use super::render;
use super::revision::{self, Revision};
use super::step::{Memory, Steps};
use super::tracker;
use super::workflow::{self, Workflow};
use crate::demo::controllers::Pace;
use crate::demo::controllers::api::{self, Cluster};
use crate::demo::controllers::object::{self, Object};

const FINALIZER: &str = "app.oam.dev/resource-tracker-finalizer";
/// How often an application is looked at though nothing happened (`--informer-sync-period` is longer, this is
/// what resources are kept at).
const RESYNC: Duration = Duration::from_secs(300);
/// The pause after a write that somebody else's overtook, and while something is on its way out.
const SOON: Duration = Duration::from_millis(500);
const RETRY: Duration = Duration::from_secs(5);

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
        let revision = revision::current(&self.hub, application).await?;
        let mut status = application["status"].clone();
        object::set(&mut status, &["observedGeneration"], application["metadata"]["generation"].clone());
        if let Some(row) = &revision.row {
            status["latestRevision"] = row.clone();
            status["status"] = json!("rendering");
            available(&mut status, &["Parsed", "Revision"]);
        }
        self.save(application, status).await?;
        self.run(application, &revision).await
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

    /// Takes the workflow as far as it goes now.
    async fn run(&mut self, application: &mut Object, revision: &Revision) -> kube::Result<Duration> {
        let plan = self.plan(application, revision).await?;
        let mut status = application["status"].clone();
        // A revision that KubeVela ≤ 1.9 wrote down carries its hash behind a colon.
        let at = object::text(&status, "/workflow/appRevision").to_owned();
        let at = at.split(':').next().unwrap_or_default();
        if at != revision.label {
            let context = self.context(application).await?;
            for key in ["services", "appliedResources"] {
                object::unset(&mut status, &[key]);
            }
            drop_conditions(&mut status, &["Workflow", "Ready", "StateKeep", "Synced"]);
            available(&mut status, &["Parsed", "Revision", "Policy", "Render"]);
            status["workflow"] = workflow::begin(&revision.label, &plan.mode, &context, &object::now());
            self.memory = Memory::default();
        }
        let mut flow = Workflow::new(&plan.steps, status["workflow"].clone());
        if flow.finished() {
            return self.keep(application, revision, &plan.steps).await;
        }
        if flow.held() {
            flow.settle(&object::now());
            status["workflow"] = flow.status;
            status["status"] = json!("workflowSuspending");
            self.save(application, status).await?;
            return Ok(self.pace.of(RESYNC));
        }

        let mut pause = self.pace.of(RESYNC);
        let mut executed = HashSet::new();
        loop {
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
                flow.record(&one, &outcome, &object::now());
                executed.insert(one.name);
            }
        }
        flow.settle(&object::now());
        let suspended: Vec<String> = workflow::all_statuses(&flow.status)
            .filter(|step| step["phase"] == "suspending" && step["type"] != "step-group")
            .map(|step| object::text(step, "/id").to_owned())
            .collect();
        self.note_suspension(application, &suspended).await?;
        let finished = flow.finished();
        status["status"] = json!(workflow::application_phase(&flow.status).unwrap_or_else(|| by_health(&status)));
        let succeeded = flow.status["status"] == "succeeded";
        status["workflow"] = flow.status;
        if succeeded {
            put_condition(&mut status, "Workflow", "True", "Available", "");
            put_condition(&mut status, "Ready", "True", "ReconcileSuccess", "");
        }
        self.save(application, status).await?;
        if finished {
            revision::finish(&self.hub, application, &revision.name).await?;
            if succeeded {
                self.collect(application).await?;
            }
        }
        Ok(pause)
    }

    /// The steps and policies of a revision, those of other objects among them.
    async fn plan(&self, application: &Object, revision: &Revision) -> kube::Result<Plan> {
        let spec = &revision.spec;
        let space = object::namespace(application);
        let (mut steps, mut mode) = placement::steps(spec);
        let mut modes = spec["workflow"]["mode"].clone();
        let reference = object::text(spec, "/workflow/ref");
        if !reference.is_empty()
            && let Some(workflow) = self.hub.get(&api::WORKFLOW, space, reference).await?
        {
            steps = object::list(&workflow, "/steps").to_vec();
            mode = "StepByStep";
            modes = workflow["mode"].clone();
        }
        let mode = modes["steps"].as_str().unwrap_or(mode);
        let sub = modes["subSteps"].as_str().unwrap_or("DAG");
        let mode = format!("{mode}-{sub}");

        let mut policies = object::list(spec, "/policies").to_vec();
        let named = steps.iter().flat_map(|step| object::list(step, "/properties/policies")).filter_map(Value::as_str);
        for name in named {
            if policies.iter().any(|policy| policy["name"] == name) {
                continue;
            }
            if let Some(mut policy) = self.hub.get(&api::POLICY, space, name).await? {
                policy["name"] = json!(name);
                policies.push(policy);
            }
        }
        Ok(Plan { steps, mode, policies })
    }

    /// The ConfigMap in which a workflow keeps what its steps tell each other; answers a reference to it.
    async fn context(&self, application: &Object) -> kube::Result<Value> {
        let (space, app) = (object::namespace(application), object::name(application));
        let name = format!("workflow-{app}-context");
        let live = if let Some(live) = self.hub.get(&api::CONFIG_MAP, space, &name).await? {
            live
        } else {
            let started = jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M:%S +0000 UTC");
            let made = json!({
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {
                    "annotations": {"vela.io/startTime": started.to_string()},
                    "name": name,
                    "namespace": space,
                    "ownerReferences": [{
                        "apiVersion": api::APPLICATION.api_version,
                        "controller": true,
                        "kind": "Application",
                        "name": app,
                        "uid": object::uid(application),
                    }],
                },
                "data": {"vars": "\n\n"},
            });
            self.hub.create(&api::CONFIG_MAP, &made).await?
        };
        Ok(json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "name": name,
            "namespace": space,
            "uid": object::uid(&live),
        }))
    }

    /// Keeps in the context since when, and where a step has a duration until when, steps are suspended.
    async fn note_suspension(&mut self, application: &Object, ids: &[String]) -> kube::Result<()> {
        let new: Vec<&String> = ids.iter().filter(|id| !self.memory.noted.contains(*id)).collect();
        if new.is_empty() {
            return Ok(());
        }
        let space = object::namespace(application);
        let name = format!("workflow-{}-context", object::name(application));
        if let Some(mut context) = self.hub.get(&api::CONFIG_MAP, space, &name).await? {
            let before = context.clone();
            for id in new {
                if context["data"][format!("{id}.suspend.suspendTimeStamp")].is_null() {
                    context["data"][format!("{id}.suspend.suspendTimeStamp")] = json!(object::now());
                }
                if let Some(left) = self.memory.resumes_in(id) {
                    let at = jiff::Timestamp::now() + left;
                    context["data"][format!("{id}.suspend.resumeTimeStamp")] = json!(object::stamp(at));
                }
            }
            if context != before {
                self.hub.replace(&api::CONFIG_MAP, &context).await?;
            }
        }
        self.memory.noted.extend(ids.iter().cloned());
        Ok(())
    }

    /// After the workflow: what was made is kept as it was made, and its health is looked at. A cluster that does
    /// not answer changes neither phase nor services; only the condition StateKeep says so.
    async fn keep(&mut self, application: &mut Object, revision: &Revision, steps: &[Value]) -> kube::Result<Duration> {
        let plan = self.plan(application, revision).await?;
        let mut status = application["status"].clone();
        let done: Vec<&Value> = steps
            .iter()
            .flat_map(|step| std::iter::once(step).chain(object::list(step, "/subSteps")))
            .filter(|step| {
                workflow::all_statuses(&application["status"]["workflow"])
                    .any(|known| known["name"] == step["name"] && known["phase"] == "succeeded")
            })
            .collect();
        let mut errors = Vec::new();
        for step in done {
            let mut keeper = Steps {
                hub: &self.hub,
                pace: self.pace,
                memory: &mut self.memory,
                application,
                revision,
                policies: &plan.policies,
                status: &mut status,
            };
            errors.extend(keeper.keep(step).await?);
        }
        if errors.is_empty() {
            if condition_of(&status, "StateKeep").is_some() {
                put_condition(&mut status, "StateKeep", "True", "ReconcileSuccess", "");
            }
        } else {
            let message = super::dispatch::listed(&errors);
            put_condition(&mut status, "StateKeep", "False", "ReconcileError", &message);
        }
        if application["status"]["workflow"]["status"] == "succeeded" {
            status["status"] = json!(by_health(&status));
        }
        self.save(application, status).await?;
        Ok(self.pace.of(RESYNC))
    }

    /// Takes away what older generations made and the newest did not.
    async fn collect(&self, application: &Object) -> kube::Result<()> {
        let all = tracker::of(&self.hub, application).await?;
        let kept: Vec<Value> =
            all.iter().filter(|one| tracker::is_current(one, application)).flat_map(tracker::resources).collect();
        for old in all {
            if !tracker::is_current(&old, application)
                && let Err(error) = tracker::sweep(&self.hub, old, &kept).await
            {
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
        self.save(application, status).await?;
        let mut gone = true;
        for one in tracker::of(&self.hub, application).await? {
            match tracker::sweep(&self.hub, one, &[]).await {
                Ok(done) => gone &= done,
                Err(error) => {
                    let message = format!(
                        "error encountered during garbage collection: failed to sweep resourcetrackers to be deleted: {error}"
                    );
                    let mut status = application["status"].clone();
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

struct Plan {
    steps: Vec<Value>,
    mode: String,
    policies: Vec<Value>,
}
