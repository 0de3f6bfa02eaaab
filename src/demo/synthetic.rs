//! Estates of any size: applications and pods by the thousand, drawn from the seed. They are scenery (no controller
//! moves them), and change only as `--churn` asks.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::clock;
use super::kinds::{self, Kind};
use super::store::{Change, Key, Object, mix};
use super::world::{Cluster, World};

/// How an application and its pods stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Running,
    Suspended,
    Progressing,
    Unhealthy,
    Failed,
}

/// The plan of a synthetic estate: everything in it follows from a number.
struct Plan<'a> {
    world: &'a World,
    /// How many applications the pods belong to.
    groups: usize,
    began: Timestamp,
}

/// The label by which controllers leave an object alone.
const PLACED: &str = "estate.lateen.dev/placed";
/// Namespaces that the applications are spread over.
const TEAMS: usize = 40;
/// Pods of one application where only their number is given.
const USUAL: usize = 20;

/// Places what `--apps` and `--pods` ask for.
pub(crate) fn place(world: &World) {
    let options = &world.options;
    if options.apps == 0 && options.pods == 0 {
        return;
    }
    let plan = Plan::new(world);
    let namespaces = kinds::core("namespaces");
    for cluster in &world.clusters {
        for team in 0..TEAMS.min(plan.groups) {
            let name = format!("team-{team:02}");
            cluster.place(
                namespaces,
                json!({ "metadata": { "name": name }, "spec": { "finalizers": ["kubernetes"] }, "status": { "phase": "Active" } }),
            );
        }
    }
    for group in 0..plan.groups {
        if group < options.apps {
            let application = world.hub().place(application_kind(), plan.application(group));
            world.hub().place(tracker_kind(), plan.tracker(group, &application.uid));
        }
        for (at, cluster) in plan.clusters(group).iter().enumerate() {
            let pods = plan.pods(group, at);
            if pods == 0 {
                continue;
            }
            let deployment = cluster.place(apps("deployments"), plan.deployment(group, pods));
            let set = cluster.place(apps("replicasets"), plan.replica_set(group, pods, &deployment.uid));
            for number in 0..pods {
                cluster.place(kinds::core("pods"), plan.pod(group, at, number, &set.uid));
            }
        }
    }
}

/// Changes synthetic pods and applications at the asked rate, for ever.
pub(crate) async fn churn(world: Arc<World>) {
    /// Changes come in small bursts, as they do.
    const BEAT: Duration = Duration::from_millis(20);
    let rate = world.options.churn;
    if rate <= 0.0 || (world.options.apps == 0 && world.options.pods == 0) {
        return;
    }
    let plan = Plan::new(&world);
    let mut beat = tokio::time::interval(BEAT);
    let (mut due, mut drawn) = (0.0, world.options.seed);
    loop {
        beat.tick().await;
        due += rate * BEAT.as_secs_f64();
        while due >= 1.0 {
            due -= 1.0;
            drawn = mix(drawn);
            plan.disturb(drawn);
        }
    }
}

fn application_kind() -> &'static Kind {
    kinds::of("core.oam.dev/v1beta1", "Application").unwrap_or_else(|| kinds::core("configmaps"))
}

fn tracker_kind() -> &'static Kind {
    kinds::of("core.oam.dev/v1beta1", "ResourceTracker").unwrap_or_else(|| kinds::core("configmaps"))
}

fn apps(plural: &str) -> &'static Kind {
    kinds::find("apps", "v1", plural).unwrap_or_else(|| kinds::core("configmaps"))
}

impl<'a> Plan<'a> {
    fn new(world: &'a World) -> Self {
        let options = &world.options;
        let groups = if options.apps > 0 { options.apps } else { options.pods.div_ceil(USUAL) };
        Self { world, groups, began: Timestamp::now() }
    }

    fn draw(&self, group: usize, salt: u64) -> u64 {
        mix(self.world.options.seed ^ mix(group as u64 ^ salt << 40))
    }

    fn name(group: usize) -> String {
        format!("app-{group:05}")
    }

    fn namespace(group: usize) -> String {
        format!("team-{:02}", group % TEAMS)
    }

    fn standing(&self, group: usize) -> Standing {
        match self.draw(group, 1) % 100 {
            0..5 => Standing::Suspended,
            5..7 => Standing::Failed,
            7..11 => Standing::Unhealthy,
            11..13 => Standing::Progressing,
            _ => Standing::Running,
        }
    }

    /// Where an application is delivered to: one to three clusters side by side, or as many as was asked for.
    fn clusters(&self, group: usize) -> Vec<&'a Arc<Cluster>> {
        let all = &self.world.clusters;
        let (first, mut count) = (self.draw(group, 2) as usize % all.len(), 1 + self.draw(group, 3) as usize % 3);
        if self.world.options.spread > 0 {
            count = self.world.options.spread;
        }
        (first..first + count.min(all.len())).map(|at| &all[at % all.len()]).collect()
    }

    /// How many pods an application has in its `at`th cluster.
    fn pods(&self, group: usize, at: usize) -> usize {
        let (pods, clusters) = (self.world.options.pods, self.clusters(group).len());
        let own = pods / self.groups + usize::from(group < pods % self.groups);
        own / clusters + usize::from(at < own % clusters)
    }

    fn created(&self, group: usize) -> String {
        let age = SignedDuration::from_secs((self.draw(group, 4) % (60 * 86_400)) as i64);
        clock::rfc3339(self.began.saturating_sub(age).unwrap_or(self.began))
    }

    fn hash(&self, group: usize) -> String {
        format!("{:09x}", self.draw(group, 5) & 0xf_ffff_ffff)
    }

    fn pod_name(&self, group: usize, at: usize, number: usize) -> String {
        const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
        // The last letters count, so that no two are alike; the first look drawn.
        let drawn = self.draw(group, 100 + at as u64);
        let letter = |at: usize| char::from(LETTERS[at % LETTERS.len()]);
        let suffix: String = [
            drawn as usize,
            drawn as usize >> 8,
            number / LETTERS.len() / LETTERS.len(),
            number / LETTERS.len(),
            number,
        ]
        .into_iter()
        .map(letter)
        .collect();
        format!("{}-web-{}-{suffix}", Self::name(group), self.hash(group))
    }

    fn labels(&self, group: usize) -> Value {
        json!({
            "app.oam.dev/name": Self::name(group), "app.oam.dev/component": "web", "pod-template-hash": self.hash(group),
            PLACED: "true",
        })
    }

    fn application(&self, group: usize) -> Value {
        let (name, namespace, created) = (Self::name(group), Self::namespace(group), self.created(group));
        let standing = self.standing(group);
        let clusters = self.clusters(group);
        let done = self.reached(group);
        let mut policies = Vec::new();
        let (mut spec_steps, mut steps) = (Vec::new(), Vec::new());
        for (at, cluster) in clusters.iter().enumerate() {
            let cluster = &cluster.name;
            policies.push(json!({ "name": format!("topology-{cluster}"), "type": "topology", "properties": { "clusters": [cluster] } }));
            if at == 1 {
                spec_steps.push(json!({ "name": "manual-approval", "type": "suspend" }));
            }
            spec_steps.push(json!({
                "name": format!("deploy-{cluster}"), "type": "deploy",
                "properties": { "policies": [format!("topology-{cluster}")] },
            }));
        }
        if standing == Standing::Suspended && clusters.len() == 1 {
            spec_steps.push(json!({ "name": "manual-approval", "type": "suspend" }));
        }
        let mut deployed = 0;
        for (number, step) in spec_steps.iter().enumerate() {
            let deploys = step["type"] == "deploy";
            let (phase, last) = match standing {
                Standing::Suspended if !deploys => ("suspending", true),
                Standing::Failed if deploys => ("failed", true),
                Standing::Progressing if deploys => ("running", true),
                _ => ("succeeded", deployed >= done && deploys),
            };
            if phase == "succeeded" && last {
                break;
            }
            deployed += usize::from(deploys);
            let mut step = json!({
                "id": format!("{:010x}", self.draw(group, 10 + number as u64) & 0xff_ffff_ffff), "name": step["name"],
                "type": step["type"], "phase": phase, "firstExecuteTime": created, "lastExecuteTime": created,
            });
            match phase {
                "suspending" => {
                    step["message"] = "Suspended by field suspend".into();
                    step["reason"] = "Suspend".into();
                }
                "failed" => {
                    step["message"] = format!("the object Deployment {namespace}/web is not healthy").into();
                    step["reason"] = "FailedAfterRetries".into();
                }
                "running" => {
                    step["message"] = format!("{}///web is not healthy", clusters[0].name).into();
                    step["reason"] = "Wait".into();
                }
                _ => {}
            }
            steps.push(step);
            if last {
                break;
            }
        }
        let services: Vec<Value> = clusters.iter().take(done).enumerate().map(|(at, cluster)| {
            let pods = self.pods(group, at);
            let healthy = standing == Standing::Running || standing == Standing::Suspended;
            let ready = if healthy { pods } else { pods.saturating_sub(1) };
            json!({
                "cluster": cluster.name, "healthy": healthy, "message": format!("Ready:{ready}/{pods}"), "name": "web",
                "namespace": namespace, "workloadDefinition": { "apiVersion": "apps/v1", "kind": "Deployment" },
            })
        }).collect();
        let applied: Vec<Value> = clusters
            .iter()
            .take(done)
            .map(|cluster| {
                json!({
                    "apiVersion": "apps/v1", "kind": "Deployment", "cluster": cluster.name, "creator": "workflow",
                    "name": format!("{name}-web"), "namespace": namespace,
                })
            })
            .collect();
        let (status, workflow) = match standing {
            Standing::Running => ("running", "succeeded"),
            Standing::Unhealthy => ("unhealthy", "succeeded"),
            Standing::Suspended => ("workflowSuspending", "suspending"),
            Standing::Progressing => ("runningWorkflow", "executing"),
            Standing::Failed => ("workflowFailed", "failed"),
        };
        let finished = matches!(workflow, "succeeded" | "failed");
        let revision = format!("{name}-v1");
        let mut progress = json!({
            "appRevision": revision, "finished": finished, "mode": "StepByStep-DAG", "startTime": created,
            "status": workflow, "steps": steps, "suspend": workflow == "suspending", "terminated": workflow == "failed",
        });
        if finished {
            progress["endTime"] = created.as_str().into();
        }
        let conditions: Vec<Value> = ["Parsed", "Revision", "Policy", "Render", "Ready"]
            .iter()
            .map(|kind| json!({ "type": kind, "status": "True", "reason": "Available", "lastTransitionTime": created }))
            .collect();
        json!({
            "metadata": {
                "name": name, "namespace": namespace, "creationTimestamp": created, "generation": 1,
                "labels": { PLACED: "true", "team": namespace },
                "annotations": { "oam.dev/kubevela-version": "v1.10.9" },
            },
            "spec": {
                "components": [{ "name": "web", "type": "webservice", "properties": {
                    "image": format!("registry.example.com/{name}:1.{}", group % 20), "ports": [{ "expose": true, "port": 8080 }],
                } }],
                "policies": policies,
                "workflow": { "steps": spec_steps },
            },
            "status": {
                "status": status, "observedGeneration": 1, "conditions": conditions, "services": services,
                "appliedResources": applied, "workflow": progress,
                "latestRevision": { "name": revision, "revision": 1, "revisionHash": format!("{:016x}", self.draw(group, 6)) },
            },
        })
    }

    /// Where an application has come as far as.
    fn reached(&self, group: usize) -> usize {
        let all = self.clusters(group).len();
        // What waits or has failed has come as far as its first cluster.
        if matches!(self.standing(group), Standing::Running | Standing::Unhealthy) { all } else { 1 }
    }

    /// What KubeVela notes of what it applied.
    fn tracker(&self, group: usize, uid: &str) -> Value {
        let (name, namespace) = (Self::name(group), Self::namespace(group));
        let managed: Vec<Value> = self
            .clusters(group)
            .iter()
            .take(self.reached(group))
            .map(|cluster| {
                json!({
                    "apiVersion": "apps/v1", "kind": "Deployment", "cluster": cluster.name, "component": "web",
                    "name": format!("{name}-web"), "namespace": namespace,
                })
            })
            .collect();
        json!({
            "metadata": {
                "name": format!("{name}-v1-{namespace}"), "creationTimestamp": self.created(group),
                "labels": {
                    "app.oam.dev/name": name, "app.oam.dev/namespace": namespace, "app.oam.dev/uid": uid,
                    "app.oam.dev/appRevision": format!("{name}-v1"), PLACED: "true",
                },
            },
            "spec": { "type": "versioned", "applicationGeneration": 1, "managedResources": managed },
        })
    }

    fn workload(&self, group: usize, name: &str, pods: usize) -> Value {
        json!({
            "metadata": {
                "name": name, "namespace": Self::namespace(group), "creationTimestamp": self.created(group),
                "generation": 1, "labels": self.labels(group),
            },
            "spec": {
                "replicas": pods, "selector": { "matchLabels": { "app.oam.dev/component": "web", "app.oam.dev/name": Self::name(group) } },
                "template": { "metadata": { "labels": self.labels(group) }, "spec": { "containers": [Self::container(group)] } },
            },
            "status": {
                "observedGeneration": 1, "replicas": pods, "readyReplicas": pods, "availableReplicas": pods,
                "updatedReplicas": pods,
            },
        })
    }

    fn deployment(&self, group: usize, pods: usize) -> Value {
        self.workload(group, &format!("{}-web", Self::name(group)), pods)
    }

    fn replica_set(&self, group: usize, pods: usize, owner: &str) -> Value {
        let deployment = format!("{}-web", Self::name(group));
        let mut set = self.workload(group, &format!("{deployment}-{}", self.hash(group)), pods);
        set["metadata"]["ownerReferences"] = owned("Deployment", &deployment, owner);
        set
    }

    fn container(group: usize) -> Value {
        json!({
            "name": "web", "image": format!("registry.example.com/{}:1.{}", Self::name(group), group % 20),
            "ports": [{ "containerPort": 8080, "protocol": "TCP" }],
            "resources": { "requests": { "cpu": "50m", "memory": "64Mi" } },
        })
    }

    fn pod(&self, group: usize, at: usize, number: usize, owner: &str) -> Value {
        let started = self.created(group);
        let set = format!("{}-web-{}", Self::name(group), self.hash(group));
        let crashing = self.standing(group) == Standing::Unhealthy && number == 0;
        let drawn = self.draw(group, 1000 + (at * 10_000 + number) as u64);
        let cluster = &self.clusters(group)[at].name;
        let state = if crashing {
            json!({ "waiting": { "reason": "CrashLoopBackOff", "message": "back-off 5m0s restarting failed container=web" } })
        } else {
            json!({ "running": { "startedAt": started } })
        };
        let mut status = json!({
            "name": "web", "ready": !crashing, "started": !crashing, "restartCount": if crashing { 7 } else { drawn % 20 / 19 },
            "image": Self::container(group)["image"], "imageID": "", "state": state,
        });
        if crashing {
            status["lastState"] = json!({ "terminated": { "exitCode": 1, "reason": "Error", "startedAt": started, "finishedAt": started } });
        }
        let ready = if crashing { "False" } else { "True" };
        let address = format!("10.{}.{}.{}", 64 + drawn % 64, drawn >> 8 & 0xff, drawn >> 16 & 0xff);
        json!({
            "metadata": {
                "name": self.pod_name(group, at, number), "generateName": format!("{set}-"),
                "namespace": Self::namespace(group), "creationTimestamp": started, "labels": self.labels(group),
                "ownerReferences": owned("ReplicaSet", &set, owner),
            },
            "spec": {
                "nodeName": format!("{cluster}-node-1"), "restartPolicy": "Always", "terminationGracePeriodSeconds": 30,
                "serviceAccountName": "default", "containers": [Self::container(group)],
            },
            "status": {
                "phase": "Running", "qosClass": "Burstable", "startTime": started, "podIP": address, "hostIP": "172.18.0.2",
                "conditions": [
                    { "type": "Ready", "status": ready, "lastTransitionTime": started },
                    { "type": "PodScheduled", "status": "True", "lastTransitionTime": started },
                ],
                "containerStatuses": [status],
            },
        })
    }

    /// Changes one object, chosen by chance.
    fn disturb(&self, drawn: u64) {
        let group = drawn as usize % self.groups;
        let clusters = self.clusters(group);
        let at = (drawn >> 20) as usize % clusters.len();
        let pods = self.pods(group, at);
        let app = group < self.world.options.apps && (pods == 0 || (drawn >> 40).is_multiple_of(8));
        if !app && pods == 0 {
            return;
        }
        let namespace = Self::namespace(group);
        let (cluster, kind, key) = if app {
            (self.world.hub(), application_kind(), Key::new(&namespace, &Self::name(group)))
        } else {
            let number = (drawn >> 44) as usize % pods;
            (clusters[at], kinds::core("pods"), Key::new(&namespace, &self.pod_name(group, at, number)))
        };
        let change = |_: &Object, mut value: Value| {
            let field = if app { "/status/services/0/message" } else { "/status/containerStatuses/0/restartCount" };
            // Somebody may have written another status.
            let Some(field) = value.pointer_mut(field) else { return Ok(Change::Unchanged) };
            *field = if app {
                format!("Ready:{pods}/{pods} after {} changes", drawn & 0xffff).into()
            } else {
                (field.as_i64().unwrap_or(0) + 1).into()
            };
            Ok(Change::Put(value))
        };
        // Whoever deleted it has the last word.
        let _ = cluster.store.change(kind, &key, false, change);
    }
}

fn owned(kind: &str, name: &str, uid: &str) -> Value {
    json!([{
        "apiVersion": "apps/v1", "kind": kind, "name": name, "uid": uid, "controller": true, "blockOwnerDeletion": true,
    }])
}

#[cfg(test)]
mod tests {
    use super::super::selector::Selector;
    use super::super::store::Query;
    use super::super::tls::Authority;
    use super::super::{HUB, Options};
    use super::*;

    fn counts(seed: u64) -> (usize, usize, Vec<Value>) {
        let options = Options { seed, clusters: 3, apps: 50, pods: 1007, ..Options::default() };
        let authority = Authority::new(options.listen.ip()).unwrap();
        let (world, _) = World::new(options, authority).unwrap();
        place(&world);
        let selector = Selector::default();
        let all = |cluster: &Cluster, kind| {
            let query = Query { kind, namespace: "", selector: &selector, after: None, limit: 0, at: None };
            cluster.store.list(&query).unwrap().objects
        };
        let pods = world.clusters.iter().map(|cluster| all(cluster, kinds::core("pods")).len()).sum();
        let apps = all(world.cluster(HUB).unwrap(), application_kind());
        let states = apps.iter().map(|app| {
            let app = app.value(application_kind());
            json!([app["metadata"]["name"], app["status"]["status"], app["status"]["services"]])
        });
        (apps.len(), pods, states.collect())
    }

    #[test]
    fn there_is_as_much_as_was_asked_for_and_the_same_seed_gives_the_same() {
        let one = counts(1);
        assert_eq!((one.0, one.1), (50, 1007));
        assert_eq!(one, counts(1));
        assert_ne!(one, counts(2));
    }
}
