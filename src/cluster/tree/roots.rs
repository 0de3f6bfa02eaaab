//! The hub's part in an open tree: the application, what its trackers list, and the operator's rules.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use serde::Deserialize;
use serde_json::{Value, value::RawValue};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, timeout},
};

use super::{news::News, rules};
use crate::{
    cluster::{
        error::{Class, Error},
        hub::Hub,
        jitter, lines, project,
        pruned::Pruned,
        request::{self, escape},
        trackers::{self, Source},
    },
    model::{
        key::{AppKey, ClusterId},
        resource::Rule,
    },
};

/// The largest event taken: trackers hold the manifests of all they list.
const EVENT_BYTES: usize = 16 * 1024 * 1024;
/// Time after which the server is asked to end a watch.
const WATCH: Duration = Duration::from_secs(120);
/// Between two looks where nothing can be watched.
const LOOK: Duration = Duration::from_secs(30);
/// After something changed more is likely to change: this long it is gathered.
const GATHER: Duration = Duration::from_millis(100);
/// Back-off after failures.
const BACK_OFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(10));

/// The hub's part.
pub(super) struct Roots {
    pub(super) hub: Hub,
    pub(super) app: AppKey,
    pub(super) deadline: Duration,
    pub(super) news: mpsc::Sender<News>,
    /// Asked once, and not watched.
    pub(super) once: bool,
}

impl Roots {
    fn path(&self) -> String {
        format!("/apis/core.oam.dev/v1beta1/namespaces/{}/applications", escape(&self.app.namespace))
    }

    /// Runs until dropped; where it is asked once, until the answer is told.
    pub(super) async fn run(self) {
        let mut failures: u32 = 0;
        loop {
            let mut told = false;
            let Err(error) = self.live(&mut told).await else { return };
            if told {
                failures = 0;
            }
            // What was known stands where only a watch is refused or too late.
            let stands = told && matches!(error.class, Class::Gone | Class::Forbidden | Class::Invalid);
            if !stands {
                let error = error.clone().during(&format!("application {}", self.app));
                let _ = self.news.send(News::Failed(error.message.into())).await;
                if self.once {
                    return;
                }
            }
            let pause = match error.class {
                Class::Gone => Duration::ZERO,
                Class::Forbidden | Class::Invalid => LOOK,
                _ => (BACK_OFF.0 * 2u32.saturating_pow(failures.min(6))).min(BACK_OFF.1),
            };
            failures += 1;
            sleep(pause + jitter(pause / 4)).await;
        }
    }

    /// Asks, tells, and watches until that fails.
    async fn live(&self, told: &mut bool) -> Result<(), Error> {
        let client = self.hub.client();
        let path = format!("{}/{}", self.path(), escape(&self.app.name));
        let object = async {
            let bytes = request::get(&client, &path, request::JSON, EVENT_BYTES, self.deadline).await?;
            request::decode::<Pruned>(&bytes)
        };
        let (object, source, rules) = tokio::join!(
            object,
            Source::ask(&self.hub, &self.app, self.deadline),
            rules::read(&self.hub, self.deadline)
        );
        let (Pruned(mut object), mut source, rules) = (object?, source?, Arc::<[Rule]>::from(rules));
        self.tell(&object, &source, &rules).await;
        *told = true;
        if self.once {
            return Ok(());
        }
        let version = object["metadata"]["resourceVersion"].as_str().unwrap_or_default().to_owned();
        let field = format!("{}?fieldSelector={}", self.path(), escape(&format!("metadata.name={}", self.app.name)));
        let mut application = Objects::new(&client, field, version, self.deadline);
        let mut trackers = match &source {
            Source::Trackers { version, .. } => {
                Some(Objects::new(&client, trackers::path(&self.app), version.clone(), self.deadline))
            }
            _ => None,
        };
        let look = Instant::now() + LOOK;
        loop {
            let mut changed = tokio::select! {
                change = application.next() => take_application(change?, &mut object)?,
                change = next(&mut trackers) => take_tracker(change?, &mut source),
                // What stands in for the trackers cannot be watched.
                () = tokio::time::sleep_until(look), if trackers.is_none() => {
                    return Err(Error::new(Class::Gone, "looked at anew"));
                }
            };
            let gathered = timeout(GATHER, async {
                loop {
                    changed |= tokio::select! {
                        change = application.next() => take_application(change?, &mut object)?,
                        change = next(&mut trackers) => take_tracker(change?, &mut source),
                    };
                }
            });
            let gathered: Result<Result<(), Error>, _> = gathered.await;
            if let Ok(failed) = gathered {
                failed?;
            }
            if changed {
                self.tell(&object, &source, &rules).await;
            }
        }
    }

    async fn tell(&self, object: &Value, source: &Source, rules: &Arc<[Rule]>) {
        let applied = source.applied(object);
        let row = project::application(object);
        let mut clusters: BTreeSet<ClusterId> =
            row.placements.iter().map(|placement| placement.cluster.clone()).collect();
        clusters.extend(row.services.iter().map(|service| service.cluster.clone()));
        let clusters = clusters.into_iter().collect();
        let _ = self.news.send(News::Roots(Box::new(applied), clusters, Arc::clone(rules))).await;
    }
}

fn take_application((deleted, now): (bool, Value), object: &mut Value) -> Result<bool, Error> {
    if deleted {
        return Err(Error::new(Class::NotFound, "it has been deleted"));
    }
    *object = now;
    Ok(true)
}

fn take_tracker((deleted, tracker): (bool, Value), source: &mut Source) -> bool {
    if deleted {
        source.delete(&tracker);
    } else {
        source.put(&tracker);
    }
    true
}

async fn next(objects: &mut Option<Objects>) -> Result<(bool, Value), Error> {
    match objects {
        Some(objects) => objects.next().await,
        None => std::future::pending().await,
    }
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(rename = "type")]
    kind: String,
    #[serde(borrow)]
    object: &'a RawValue,
}

type Lines = std::pin::Pin<Box<dyn futures::Stream<Item = Result<lines::Line, Error>> + Send>>;

/// Whole objects as they change, from a version on.
struct Objects {
    client: kube::Client,
    /// With a query.
    path: String,
    version: String,
    deadline: Duration,
    lines: Option<Lines>,
    opened: Option<Instant>,
}

impl Objects {
    fn new(client: &kube::Client, path: String, version: String, deadline: Duration) -> Self {
        Self { client: client.clone(), path, version, deadline, lines: None, opened: None }
    }

    /// The next change: whether the object is gone, and the object. Safe to cancel.
    async fn next(&mut self) -> Result<(bool, Value), Error> {
        use futures::StreamExt as _;
        loop {
            let Some(lines) = &mut self.lines else {
                // One that ends at once is not opened in a circle.
                if let Some(opened) = self.opened
                    && opened.elapsed() < BACK_OFF.0
                {
                    sleep(BACK_OFF.0).await;
                }
                let length = WATCH + jitter(WATCH / 4);
                let uri = format!(
                    "{}&watch=true&allowWatchBookmarks=true&timeoutSeconds={}&resourceVersion={}",
                    self.path,
                    length.as_secs(),
                    escape(&self.version)
                );
                let answer = request::open(&self.client, &uri, request::JSON, true);
                let response = request::within(self.deadline, answer).await?;
                self.opened = Some(Instant::now());
                let lines = lines::of(response, EVENT_BYTES);
                self.lines = Some(Box::pin(futures::stream::try_unfold(lines, |mut lines| async move {
                    Ok(lines.next().await?.map(|line| (line, lines)))
                })));
                continue;
            };
            // The watch's own time and some more: past that nobody is there any more.
            let line = match timeout(WATCH * 3 / 2, lines.next()).await {
                Ok(Some(Ok(line))) if !line.cut => line,
                Ok(Some(Ok(_))) => continue,
                Ok(Some(Err(_)) | None) | Err(_) => {
                    self.lines = None;
                    continue;
                }
            };
            let Ok(event) = serde_json::from_slice::<Event<'_>>(&line.bytes) else { continue };
            let Ok(Pruned(object)) = serde_json::from_str::<Pruned>(event.object.get()) else { continue };
            if event.kind == "ERROR" {
                let code = object["code"].as_u64().and_then(|code| u16::try_from(code).ok()).unwrap_or_default();
                return Err(Error::from_answer(code, event.object.get().as_bytes()));
            }
            if let Some(version) = object["metadata"]["resourceVersion"].as_str() {
                version.clone_into(&mut self.version);
            }
            match event.kind.as_str() {
                "ADDED" | "MODIFIED" => return Ok((false, object)),
                "DELETED" => return Ok((true, object)),
                _ => {}
            }
        }
    }
}
