//! The world as a one-shot command sees it: watched until every question has its first answer.

use std::{collections::HashSet, time::Duration};

use tokio::{
    sync::watch,
    task::AbortHandle,
    time::{Instant, sleep, timeout, timeout_at},
};

use super::{
    args::Global,
    failure::{Failure, code},
    items::Incomplete,
};
use crate::{
    cluster::{
        feed::{self, FeedReader},
        hub::Hub,
        supervisor::{NamespaceScope, Session},
        tree::look_up,
    },
    model::{
        cluster::LinkState,
        delta::{Delta, Query, ScopeState},
        event::EventScope,
        key::{AppKey, ClusterId},
        resource::ResourceKey,
        tree::{What, assemble},
    },
    store::Store,
};

/// Beyond what single requests may take: probes that are waited for, pages, retries.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// How long a question that fails on a cluster that answers is given to succeed after all: an API server that has just
/// started refuses with 429 for a moment.
const SECOND_CHANCE: Duration = Duration::from_secs(3);
/// Between looks at what an application made, longer where a look takes long.
const LOOK_EVERY: Duration = Duration::from_secs(3);
/// Changes taken at once.
const CHUNK: usize = 1024;

/// A hub that is being watched, and what is known of it.
pub(super) struct View {
    pub(super) session: Session,
    pub(super) store: Store,
    /// The namespace asked for; `None`: all.
    pub(super) namespace: Option<String>,
    /// What the operator should read once.
    pub(super) notices: Vec<String>,
    /// What the application that is asked about made.
    pub(super) made: Option<Made>,
    feed: FeedReader,
    deadline: Instant,
}

/// What an application made, as it was looked up last.
pub(super) struct Made {
    objects: watch::Receiver<HashSet<ResourceKey>>,
    /// Looks it up again and again, where that is wanted; ends with this.
    _looks: AbortOnDrop,
}

struct AbortOnDrop(Option<AbortHandle>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        if let Some(task) = &self.0 {
            task.abort();
        }
    }
}

impl Made {
    /// Looks up what an application made; `follow`: and again from time to time.
    pub(super) async fn look_up(hub: Hub, app: AppKey, follow: bool) -> Result<Self, Failure> {
        let objects = objects(&hub, &app).await?;
        let (tell, objects) = watch::channel(objects);
        let looks = follow.then(|| {
            tokio::spawn(async move {
                loop {
                    let begun = Instant::now();
                    // What cannot be looked up now stands as it was.
                    if let Ok(found) = self::objects(&hub, &app).await {
                        tell.send_if_modified(|known| std::mem::replace(known, found.clone()) != found);
                    }
                    sleep(LOOK_EVERY.max(begun.elapsed() * 4)).await;
                }
            })
            .abort_handle()
        });
        Ok(Self { objects, _looks: AbortOnDrop(looks) })
    }

    /// The objects, and the application itself.
    pub(super) fn objects(&self) -> watch::Ref<'_, HashSet<ResourceKey>> {
        self.objects.borrow()
    }
}

async fn objects(hub: &Hub, app: &AppKey) -> Result<HashSet<ResourceKey>, Failure> {
    let found = look_up(hub, app, hub.request_timeout()).await?;
    let objects = assemble(&found).nodes.into_iter().filter_map(|node| match node.what {
        What::Object(key) => Some(key),
        What::Cluster(_) | What::Idle(..) => None,
    });
    let mut objects: HashSet<ResourceKey> = objects.collect();
    objects.insert(ResourceKey::application(app));
    Ok(objects)
}

/// The hub that the flags name.
pub(super) async fn hub(global: &Global) -> Result<Hub, Failure> {
    let connect = global.connect();
    // A credential plugin may run, prompt, and take its time.
    let loaded = tokio::task::spawn_blocking(move || Hub::load(&connect)).await;
    match loaded {
        Ok(hub) => Ok(hub?),
        Err(error) => Err(Failure::failed(format!("reading the kubeconfig broke: {error}"))),
    }
}

impl View {
    /// Watches the hub until everything is known that can be; `everywhere`: in all namespaces, unless one was named.
    pub(super) async fn open(global: &Global, everywhere: bool) -> Result<Self, Failure> {
        let hub = hub(global).await?;
        let namespace = match &global.namespace {
            Some(namespace) => Some(namespace.clone()),
            None if global.all_namespaces || everywhere => None,
            None => Some(hub.namespace().unwrap_or("default").to_owned()),
        };
        Self::of(hub, namespace, global.request_timeout + PATIENCE).await
    }

    /// Watches one namespace, or all.
    pub(super) async fn of(hub: Hub, namespace: Option<String>, patience: Duration) -> Result<Self, Failure> {
        let scope = match &namespace {
            Some(namespace) => NamespaceScope::only(namespace.clone()),
            None => NamespaceScope::all(hub.namespace().map(str::to_owned)),
        };
        let (producer, feed) = feed::channel();
        let session = Session::start(hub, scope, producer);
        let deadline = Instant::now() + patience;
        let mut view =
            Self { session, store: Store::new(), namespace, notices: Vec::new(), made: None, feed, deadline };
        // What has not come by then is told as missing.
        let _ = timeout_at(deadline, view.listed()).await;
        view.take();
        let deadline = deadline.min(Instant::now() + SECOND_CHANCE);
        let _ = timeout_at(deadline, view.answered()).await;
        view.check_hub()?;
        Ok(view)
    }

    /// Watches events too, until there is an answer to every such question, or the time is up.
    pub(super) async fn watch_events(&mut self, scope: EventScope) {
        self.session.watch_events(0, scope).await;
        let deadline = self.deadline.max(Instant::now() + PATIENCE);
        let _ = timeout_at(deadline, self.listed()).await;
        self.take();
        let deadline = deadline.min(Instant::now() + SECOND_CHANCE);
        let _ = timeout_at(deadline, self.answered()).await;
    }

    /// Returns when everything is taken in that was asked. New questions come up meanwhile: an application begins to
    /// deploy to another namespace, a list that was cut off begins anew.
    async fn listed(&mut self) {
        loop {
            self.session.settled().await;
            self.take();
            if !self.any_stands(|state| matches!(state, ScopeState::Loading(_))) {
                return;
            }
            self.changed().await;
        }
    }

    /// Returns when no question fails that a cluster which answers was asked.
    async fn answered(&mut self) {
        while self.any_stands(|state| matches!(state, ScopeState::Failing(_) | ScopeState::Loading(_))) {
            self.changed().await;
        }
    }

    /// Whether a question to a cluster that answers stands so.
    fn any_stands(&self, so: impl Fn(&ScopeState) -> bool) -> bool {
        let answers = |cluster| self.store.link(cluster).is_some_and(LinkState::is_current);
        self.store.scopes().any(|(scope, state)| so(state) && answers(&scope.cluster))
    }

    /// Gives the clusters that answer a moment to tell their versions, which come after everything else.
    pub(super) async fn versions(&mut self) {
        let told = async {
            while self.store.clusters().any(|entry| {
                entry.link.as_ref().is_some_and(LinkState::is_current)
                    && entry.row.as_ref().is_some_and(|row| row.version.is_empty())
            }) {
                self.changed().await;
            }
        };
        // One that may not be asked for its version has none.
        let _ = timeout(SECOND_CHANCE, told).await;
    }

    /// Takes in what waits.
    pub(super) fn take(&mut self) {
        loop {
            let deltas = self.feed.take(CHUNK);
            if deltas.is_empty() {
                return;
            }
            let notices = deltas.iter().filter_map(|delta| match delta {
                Delta::Notice(text) => Some(text.to_string()),
                _ => None,
            });
            self.notices.extend(notices);
            self.store.apply_all(deltas);
        }
    }

    /// Waits for a change, and takes it in.
    pub(super) async fn changed(&mut self) {
        let looked_up = async {
            let changed = match &mut self.made {
                Some(made) => made.objects.changed().await.is_ok(),
                None => false,
            };
            if !changed {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            alive = self.feed.changed() => if !alive {
                // The session is gone only when its task broke: nothing will come.
                std::future::pending::<()>().await;
            },
            () = looked_up => {}
        }
        self.take();
    }

    /// Without Applications there is no answer: the hub does not answer, refuses, or has no KubeVela.
    fn check_hub(&self) -> Result<(), Failure> {
        let asked: Vec<&ScopeState> = self
            .store
            .scopes()
            .filter(|(scope, _)| matches!(scope.query, Query::Applications(_)))
            .map(|(_, state)| state)
            .collect();
        if asked.iter().any(|state| matches!(state, ScopeState::Live)) {
            return Ok(());
        }
        let hub = self.session.hub();
        let place = format!("the hub {} ({})", hub.context(), hub.server());
        if let Some(LinkState::Unreachable { reason, .. }) = self.store.link(&ClusterId::local()) {
            return Err(Failure::failed(format!("{place} does not answer: {reason}")));
        }
        for state in &asked {
            match state {
                ScopeState::NotInstalled => {
                    return Err(Failure::failed(format!(
                        "{place} serves no Applications: is KubeVela installed there? `--context` chooses another hub"
                    )));
                }
                ScopeState::Forbidden(refusal) => {
                    let advice = "name a namespace that you may look into with -n";
                    return Err(Failure::new(
                        code::FORBIDDEN,
                        format!("not permitted on {place}: {refusal}; {advice}"),
                    ));
                }
                ScopeState::Failing(reason) => return Err(Failure::failed(format!("{place}: {reason}"))),
                ScopeState::Live | ScopeState::Loading(_) => {}
            }
        }
        Err(Failure::failed(format!("{place} did not answer in time; `--request-timeout` gives it longer")))
    }

    /// The clusters that could not be asked, or not for everything.
    pub(super) fn incomplete(&self, cluster: Option<&str>) -> Vec<Incomplete> {
        let mut found: Vec<Incomplete> = Vec::new();
        let mut tell = |id: &ClusterId, reason: String| {
            let asked = cluster.is_none_or(|cluster| id.as_str() == cluster);
            if asked && !found.iter().any(|there| there.cluster == id.as_str()) {
                found.push(Incomplete { cluster: id.to_string(), reason });
            }
        };
        for entry in self.store.clusters() {
            match &entry.link {
                Some(LinkState::Unreachable { reason, .. } | LinkState::Forbidden { reason, .. }) => {
                    tell(&entry.id, reason.to_string());
                }
                None | Some(LinkState::Connecting { .. }) => tell(&entry.id, "did not answer in time".to_owned()),
                Some(LinkState::Live { .. } | LinkState::Degraded { .. }) => {}
            }
        }
        for (scope, state) in self.store.scopes() {
            match state {
                ScopeState::Forbidden(reason) if !self.is_asked_otherwise(&scope.query, &scope.cluster) => {
                    tell(&scope.cluster, format!("not permitted: {reason}"));
                }
                ScopeState::Failing(reason) => tell(&scope.cluster, reason.to_string()),
                ScopeState::Loading(_) => tell(&scope.cluster, "did not answer in time".to_owned()),
                ScopeState::Live | ScopeState::NotInstalled | ScopeState::Forbidden(_) => {}
            }
        }
        // A cluster that was asked about and that the hub was not let tell of.
        if let Some(asked) = cluster.filter(|asked| self.store.clusters().all(|entry| entry.id.as_str() != *asked)) {
            let told = self.store.scopes().find(|(scope, _)| scope.query == Query::Clusters);
            if let Some((_, ScopeState::Forbidden(reason) | ScopeState::Failing(reason))) = told {
                found.push(Incomplete { cluster: asked.to_owned(), reason: format!("it is not known here: {reason}") });
            }
        }
        found.sort();
        found
    }

    /// Whether a question about all namespaces that was refused is asked in single ones instead.
    fn is_asked_otherwise(&self, query: &Query, cluster: &ClusterId) -> bool {
        self.store.scopes().any(|(scope, state)| {
            scope.cluster == *cluster
                && *state == ScopeState::Live
                && matches!(
                    (query, &scope.query),
                    (Query::Applications(None), Query::Applications(Some(_)))
                        | (Query::LabelledPods(None), Query::LabelledPods(Some(_)))
                        | (Query::Events(None), Query::Events(Some(_)))
                )
        })
    }

    /// The one application that a typed name means: `NAMESPACE/NAME`, or `NAME`.
    pub(super) fn application(&self, typed: &str) -> Result<AppKey, Failure> {
        let (namespace, name) = split(typed);
        let namespace = namespace.or(self.namespace.as_deref());
        let mut found = self
            .store
            .applications()
            .map(|entry| &entry.row.key)
            .filter(|key| &*key.name == name && namespace.is_none_or(|namespace| &*key.namespace == namespace));
        let Some(first) = found.next() else {
            let place =
                namespace.map_or_else(|| "any namespace".to_owned(), |namespace| format!("namespace {namespace}"));
            return Err(Failure::failed(format!(
                "there is no application {name} in {place} of {}; `lateen get applications -A` lists them",
                self.session.hub().context()
            )));
        };
        let others: Vec<String> = found.map(ToString::to_string).collect();
        if others.is_empty() {
            return Ok(first.clone());
        }
        Err(Failure::usage(format!("{name} could be {first} or {}: name one of them, or use -n", others.join(" or "))))
    }
}

/// `NAMESPACE/NAME`, or `NAME`.
pub(super) fn split(typed: &str) -> (Option<&str>, &str) {
    typed.split_once('/').map_or((None, typed), |(namespace, name)| (Some(namespace), name))
}
