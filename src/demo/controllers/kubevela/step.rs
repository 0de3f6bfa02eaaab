//! What each type of step does.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::dispatch::{self, Parcel};
use super::placement::{self, Joined, Placement};
use super::revision::Revision;
use super::tracker;
use super::workflow::{Due, Outcome};
use crate::demo::controllers::Pace;
use crate::demo::controllers::api::{self, Cluster};
use crate::demo::controllers::object::{self, Object};

/// After so many errors a step is given up (`--max-workflow-step-error-retry-times`).
const TRIES: u32 = 10;

/// What KubeVela keeps in its own memory of a workflow, by step id.
#[derive(Default)]
pub(super) struct Memory {
    /// Errors and waits so far: the pause before the next try doubles with each.
    tries: HashMap<String, u32>,
    waits: HashMap<String, u32>,
    since: HashMap<String, Instant>,
    resumes: HashMap<String, Instant>,
    /// The suspensions that the context has noted.
    pub(super) noted: HashSet<String>,
}

impl Memory {
    fn age(&mut self, id: &str) -> Duration {
        self.since.entry(id.to_owned()).or_insert_with(Instant::now).elapsed()
    }

    /// How long until a suspended step with a duration goes on by itself.
    pub(super) fn resumes_in(&self, id: &str) -> Option<Duration> {
        self.resumes.get(id).map(|at| at.saturating_duration_since(Instant::now()))
    }
}

/// The pause after the `count`th time: 50 ms, doubled each time, within bounds in seconds.
fn back_off(count: u32, least: f64, most: f64) -> Duration {
    let seconds = 0.05 * f64::from(2_u32.saturating_pow(count.min(20)));
    Duration::from_secs_f64(seconds.clamp(least, most))
}

/// What a step may use and change.
pub(super) struct Steps<'a> {
    pub(super) hub: &'a Cluster,
    pub(super) pace: Pace,
    pub(super) memory: &'a mut Memory,
    pub(super) application: &'a Object,
    pub(super) revision: &'a Revision,
    pub(super) policies: &'a [Value],
    /// The application's status: services and appliedResources grow here.
    pub(super) status: &'a mut Value,
}

impl Steps<'_> {
    /// Executes a step; answers what came of it and when to look again.
    pub(super) async fn execute(&mut self, due: &Due) -> kube::Result<(Outcome, Option<Duration>)> {
        let age = self.memory.age(&due.id);
        let limit = duration(&due.step["timeout"]).map(|limit| self.pace.of(limit));
        if limit.is_some_and(|limit| age >= limit) {
            return Ok((Outcome::Ended("Timeout", String::new()), None));
        }
        let left = limit.map(|limit| limit.saturating_sub(age));
        let outcome = match object::text(&due.step, "/type") {
            "suspend" => self.suspend(due, age),
            "deploy" | "deploy2env" => match self.deploy(&due.step).await? {
                // As observed in 1.10: what waits for approval is already there.
                Outcome::Succeeded(_) if due.step["properties"]["auto"] == false && !due.resumed => Outcome::Suspended,
                other => other,
            },
            "apply-component" => self.apply_component(&due.step).await?,
            _ => Outcome::Succeeded(Value::Null),
        };
        let (outcome, again) = self.pause(&due.id, outcome);
        let again = match (again, left) {
            (Some(again), Some(left)) => Some(again.min(left)),
            (again, left) => again.or(left),
        };
        Ok((outcome, again))
    }

    fn suspend(&mut self, due: &Due, age: Duration) -> Outcome {
        let Some(time) = duration(&due.step["properties"]["duration"]) else {
            return if due.resumed { Outcome::Succeeded(Value::Null) } else { Outcome::Suspended };
        };
        let time = self.pace.of(time);
        if age >= time {
            return Outcome::Succeeded(Value::Null);
        }
        self.memory.resumes.insert(due.id.clone(), Instant::now() + time.saturating_sub(age));
        Outcome::Suspended
    }

    /// Counts, so that each next try comes later, and the last one is the last.
    fn pause(&mut self, id: &str, outcome: Outcome) -> (Outcome, Option<Duration>) {
        match outcome {
            Outcome::Waiting(_) => {
                let waits = self.memory.waits.entry(id.to_owned()).or_default();
                *waits += 1;
                let pause = self.pace.of(back_off(*waits, 1.0, 60.0));
                (outcome, Some(pause))
            }
            Outcome::Failed(message) => {
                let tries = self.memory.tries.entry(id.to_owned()).or_default();
                *tries += 1;
                if *tries > TRIES {
                    return (Outcome::Ended("FailedAfterRetries", message), None);
                }
                let pause = self.pace.of(back_off(*tries - 1, 0.0, 300.0));
                (Outcome::Failed(message), Some(pause))
            }
            Outcome::Suspended => {
                let left = self.memory.resumes_in(id);
                (outcome, left)
            }
            other => (other, None),
        }
    }

    async fn deploy(&mut self, step: &Value) -> kube::Result<Outcome> {
        let policies = policies_of(step);
        let parcels = match self.parcels(step).await? {
            Ok(parcels) => parcels,
            Err(error) => return Ok(Outcome::Failed(dispatch::deploy_error(&policies, &error))),
        };
        self.deliver(&parcels, |error| dispatch::deploy_error(&policies, error)).await
    }

    async fn apply_component(&mut self, step: &Value) -> kube::Result<Outcome> {
        let parcels = match self.parcels(step).await? {
            Ok(parcels) => parcels,
            Err(error) => return Ok(Outcome::Failed(error)),
        };
        let name = object::text(step, "/properties/component").to_owned();
        let outcome = self.deliver(&parcels, ToOwned::to_owned).await?;
        Ok(match outcome {
            Outcome::Waiting(_) => Outcome::Waiting(format!("wait healthy: {name} is not healthy")),
            other => other,
        })
    }

    /// What a step brings where, rendered; the inner error is one of the application's own making.
    async fn parcels(&self, step: &Value) -> kube::Result<Result<Vec<Parcel>, String>> {
        let components = object::list(&self.revision.spec, "/components");
        let delivery = if step["type"] == "apply-component" {
            let name = &step["properties"]["component"];
            let component = components.iter().find(|one| one["name"] == *name);
            let text = |key: &str| object::text(&step["properties"], key).to_owned();
            let cluster = text("/cluster");
            Ok(placement::Delivery {
                placements: vec![Placement {
                    cluster: if cluster.is_empty() { "local".to_owned() } else { cluster },
                    namespace: text("/namespace"),
                }],
                components: component.into_iter().cloned().collect(),
            })
        } else {
            let joined = joined(self.hub).await?;
            placement::resolve(components, self.policies, &policies_of(step), &joined)
        };
        Ok(delivery.and_then(|delivery| {
            let mut parcels = Vec::new();
            for placement in &delivery.placements {
                for component in &delivery.components {
                    parcels.push(dispatch::parcel(self.application, self.revision, component, placement)?);
                }
            }
            Ok(parcels)
        }))
    }

    /// Brings parcels to their places and judges how they stand there.
    async fn deliver(&mut self, parcels: &[Parcel], dress: impl Fn(&str) -> String) -> kube::Result<Outcome> {
        let entries: Vec<Value> = parcels.iter().flat_map(Parcel::entries).collect();
        tracker::add(self.hub, self.application, &self.revision.name, self.policies, &entries).await?;
        let (mut errors, mut waiting) = (Vec::new(), Vec::new());
        let mut output = Value::Null;
        for parcel in parcels {
            self.note_applied(parcel);
            match parcel.deliver(self.hub).await {
                Ok(live) => {
                    let row = parcel.service(&live);
                    if row["healthy"] != true {
                        waiting.push(format!("{} is not healthy", parcel.spell()));
                    }
                    self.put_service(row);
                    output = live.into_iter().next().unwrap_or_default();
                }
                Err(error) if api::is_conflict(&error) => waiting.push(format!("{} is not healthy", parcel.spell())),
                Err(error) => errors.extend(parcel.complain(self.application, &error)),
            }
        }
        Ok(if !errors.is_empty() {
            Outcome::Failed(dress(&dispatch::listed(&errors)))
        } else if !waiting.is_empty() {
            Outcome::Waiting(waiting.join(","))
        } else {
            Outcome::Succeeded(output)
        })
    }

    fn note_applied(&mut self, parcel: &Parcel) {
        let mut all = object::list(self.status, "/appliedResources").to_vec();
        for row in parcel.applied() {
            if !all.iter().any(|one| tracker::same(one, &row)) {
                all.push(row);
            }
        }
        self.status["appliedResources"] = Value::Array(all);
    }

    fn put_service(&mut self, row: Value) {
        let place = |row: &Value| ["/name", "/cluster", "/namespace"].map(|key| object::text(row, key).to_owned());
        let mut all = object::list(self.status, "/services").to_vec();
        match all.iter_mut().find(|one| place(one) == place(&row)) {
            Some(old) => *old = row,
            None => all.push(row),
        }
        all.sort_by_key(place);
        self.status["services"] = Value::Array(all);
    }
}

fn policies_of(step: &Value) -> Vec<&str> {
    object::list(step, "/properties/policies").iter().filter_map(Value::as_str).collect()
}

/// A duration as Go writes it (`30s`, `2m15s`).
fn duration(text: &Value) -> Option<Duration> {
    let given: jiff::SignedDuration = text.as_str()?.parse().ok()?;
    Duration::try_from(given).ok()
}

/// The clusters that are joined to the hub: the Secrets that `vela cluster join` leaves, and the hub itself.
async fn joined(hub: &Cluster) -> kube::Result<Vec<Joined>> {
    let mark = "cluster.core.oam.dev/cluster-credential-type";
    let secrets = hub.list(&api::SECRET, "vela-system", mark).await?;
    let mut all =
        vec![Joined { name: "local".to_owned(), labels: json!({"cluster.core.oam.dev/control-plane": "true"}) }];
    all.extend(secrets.iter().map(|secret| {
        let mut labels = secret["metadata"]["labels"].clone();
        if let Some(labels) = labels.as_object_mut() {
            labels.retain(|key, _| !key.starts_with("cluster.core.oam.dev"));
        }
        object::set(&mut labels, &["cluster.core.oam.dev/control-plane"], json!("false"));
        Joined { name: object::name(secret).to_owned(), labels }
    }));
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_cluster_fails_a_step_after_some_fifty_seconds() {
        let whole: f64 = (0..TRIES).map(|count| back_off(count, 0.0, 300.0).as_secs_f64()).sum();
        assert!((50.0..53.0).contains(&whole), "{whole}");
        assert_eq!(back_off(1, 1.0, 60.0), Duration::from_secs(1));
        assert_eq!(back_off(20, 1.0, 60.0), Duration::from_secs(60));
    }

    #[test]
    fn durations_are_read_as_go_writes_them() {
        assert_eq!(duration(&json!("2m15s")), Some(Duration::from_secs(135)));
        assert_eq!(duration(&json!("soon")), None);
        assert_eq!(duration(&Value::Null), None);
    }
}
