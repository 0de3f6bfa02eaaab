//! Who gathers what those who ask have learnt, assembles it, and says what is wanted next.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep_until},
};

use super::{
    member::Member,
    news::{Known, News, Tell},
    roots::Roots,
    wanted::{Wanted, wanted},
};
use crate::{
    cluster::{hub::Hub, member::Task, supervisor::Links},
    model::{
        key::{AppKey, ClusterId, Text},
        resource::{ResourceKey, Root, Rule},
        tree::{Found, Gap, Tree, assemble_of},
    },
};

/// Words that may wait to be taken; beyond, those who ask wait.
const WAITING: usize = 1024;
/// Between two assemblies at least, so that no storm of changes outpaces what can be drawn; longer where one takes long.
const ASSEMBLE_EVERY: Duration = Duration::from_millis(200);
/// Lists under way at once in all clusters together, shared evenly; in one at most, and at least.
const LISTS: usize = 128;
const LISTS_OF_ONE: (usize, usize) = (2, 8);
/// Watches in all clusters together, shared evenly; in one at most, and at least.
const WATCHES: usize = 320;
const WATCHES_OF_ONE: (usize, usize) = (4, 16);

/// An open tree: dropping it ends everything that was begun for it.
pub(super) struct Focus {
    hub: Hub,
    links: Option<Links>,
    deadline: Duration,
    once: bool,
    inbox: mpsc::Receiver<News>,
    news: mpsc::Sender<News>,
    roots: Option<Vec<Root>>,
    notes: Vec<Text>,
    clusters: Vec<ClusterId>,
    rules: Arc<[Rule]>,
    failed: Option<Text>,
    known: HashMap<ClusterId, Known>,
    members: HashMap<ClusterId, (watch::Sender<Wanted>, Task)>,
    _hub_task: Task,
}

impl Focus {
    /// Begins to ask. Needs a tokio runtime.
    pub(super) fn new(hub: &Hub, links: Option<Links>, app: &AppKey, deadline: Duration, once: bool) -> Self {
        let (news, inbox) = mpsc::channel(WAITING);
        let roots = Roots { hub: hub.clone(), app: app.clone(), deadline, news: news.clone(), once };
        Self {
            hub: hub.clone(),
            links,
            deadline,
            once,
            inbox,
            news,
            roots: None,
            notes: Vec::new(),
            clusters: Vec::new(),
            rules: Arc::default(),
            failed: None,
            known: HashMap::new(),
            members: HashMap::new(),
            _hub_task: Task::spawn(roots.run()),
        }
    }

    /// Waits for news; whether they change anything.
    pub(super) async fn news(&mut self) -> bool {
        // A sender is kept here, so that there is always one.
        let Some(news) = self.inbox.recv().await else { return false };
        let mut changed = self.take(news);
        // What waits behind belongs to the same picture; a storm is taken by the spoonful.
        for _ in 0..WAITING {
            let Ok(news) = self.inbox.try_recv() else { break };
            changed |= self.take(news);
        }
        changed
    }

    fn take(&mut self, news: News) -> bool {
        match news {
            News::Roots(applied, clusters, rules) => {
                let roots = Some(applied.roots);
                let changed = self.failed.take().is_some()
                    || self.roots != roots
                    || self.notes != applied.notes
                    || self.clusters != clusters
                    || self.rules != rules;
                (self.roots, self.notes, self.clusters, self.rules) = (roots, applied.notes, clusters, rules);
                changed
            }
            News::Failed(reason) => {
                let changed = self.failed.as_ref() != Some(&reason);
                self.failed = Some(reason);
                changed
            }
            News::Of(cluster, word) => {
                // Of a cluster that was left meanwhile.
                self.members.contains_key(&cluster) && self.known.entry(cluster).or_default().take(word)
            }
        }
    }

    /// What is known now, put together; the error: why the application cannot be read. What comes of it is asked next.
    pub(super) fn picture(&mut self) -> Result<Tree, Text> {
        if let Some(reason) = &self.failed {
            return Err(reason.clone());
        }
        let found = self.found();
        let tree = assemble_of(&found, self.known.values().flat_map(Known::resources));
        if !self.want(&found, &tree) {
            return Ok(tree);
        }
        // More is asked now: what is missing may still come.
        let found = self.found();
        Ok(assemble_of(&found, self.known.values().flat_map(Known::resources)))
    }

    /// All that is known, with the objects.
    pub(super) fn all(&self) -> Found {
        let mut found = self.found();
        found.resources = self.known.values().flat_map(Known::resources).cloned().collect();
        found.resources.sort_by(|one, other| one.key.cmp(&other.key));
        found
    }

    /// Whether everything that was wanted has had an answer, or cannot have one now.
    pub(super) fn is_complete(&self) -> bool {
        self.roots.is_some() && self.members.keys().all(|cluster| !self.is_asking(cluster))
    }

    fn is_asking(&self, cluster: &ClusterId) -> bool {
        let wanted = self.members.get(cluster).map_or(0, |(wanted, _)| wanted.borrow().serial);
        self.known.get(cluster).is_none_or(|known| known.lost().is_none() && known.asked() < wanted)
    }

    /// All but the objects.
    fn found(&self) -> Found {
        let mut found = Found {
            roots: self.roots.clone().unwrap_or_default(),
            clusters: self.clusters.clone(),
            rules: self.rules.to_vec(),
            ..Found::default()
        };
        found.incomplete.extend(self.notes.iter().map(|reason| Gap {
            cluster: ClusterId::local(),
            kind: Some("ResourceTracker".into()),
            reason: reason.clone(),
        }));
        let mut clusters: Vec<&ClusterId> = self.members.keys().collect();
        clusters.sort();
        for cluster in clusters {
            if self.is_asking(cluster) {
                found.asking.push(cluster.clone());
            }
            let Some(known) = self.known.get(cluster) else { continue };
            if let Some(reason) = known.lost() {
                found.incomplete.push(Gap { cluster: cluster.clone(), kind: None, reason: reason.clone() });
                continue;
            }
            let refused: std::collections::BTreeSet<(&str, &Text)> = known.refused().collect();
            found.incomplete.extend(refused.into_iter().map(|(kind, reason)| Gap {
                cluster: cluster.clone(),
                kind: Some(kind.into()),
                reason: reason.clone(),
            }));
        }
        let lacking = found.roots.iter().map(|root| &root.key).filter(|key| {
            self.known
                .get(&key.cluster)
                .is_some_and(|known| known.lost().is_none() && known.lacks(&key.group, &key.kind))
        });
        found.unserved = lacking.map(|key| (key.cluster.clone(), key.group.clone(), key.kind.clone())).collect();
        found.unserved.sort();
        found.unserved.dedup();
        found
    }

    /// Says what is wanted of each cluster; whether that is more than before.
    fn want(&mut self, found: &Found, tree: &Tree) -> bool {
        let mut elsewhere: HashMap<&ResourceKey, Vec<Text>> = HashMap::new();
        for resource in self.known.values().flat_map(Known::resources) {
            if let Some(makes) = &resource.makes {
                let inventory = makes.inventory.iter().map(|key| key.namespace.clone());
                elsewhere.insert(&resource.key, makes.namespaces.iter().cloned().chain(inventory).collect());
            }
        }
        let nowhere: &[Text] = &[];
        let all: BTreeMap<ClusterId, Wanted> =
            wanted(&found.roots, tree, &self.rules, |key| elsewhere.get(key).map_or(nowhere, Vec::as_slice));
        drop(elsewhere);
        self.members.retain(|cluster, _| all.contains_key(cluster));
        self.known.retain(|cluster, _| all.contains_key(cluster));
        let count = all.len().max(1);
        let share = |most: usize, (least, of_one): (usize, usize)| (most / count).clamp(least, of_one);
        let mut more = false;
        for (cluster, now) in all {
            if let Some((sender, _)) = self.members.get(&cluster) {
                sender.send_if_modified(|before| {
                    let was = before.nodes.clone();
                    let asks_more = before.follow(now);
                    more |= asks_more;
                    asks_more || before.nodes != was
                });
                continue;
            }
            let mut first = Wanted::default();
            first.follow(now);
            first.serial = 1;
            let (sender, receiver) = watch::channel(first);
            let member = Member {
                client: self.hub.member(&cluster),
                deadline: self.deadline,
                wanted: receiver,
                links: self.links.clone(),
                tell: Tell { cluster: cluster.clone(), news: self.news.clone() },
                at_once: share(LISTS, LISTS_OF_ONE),
                watches: if self.once { 0 } else { share(WATCHES, WATCHES_OF_ONE) },
            };
            self.members.insert(cluster, (sender, Task::spawn(member.run())));
            more = true;
        }
        more
    }
}

/// Follows an application's tree until nobody listens: each picture that differs from the one before is told.
pub(super) async fn follow(mut focus: Focus, tell: mpsc::Sender<Result<Box<Tree>, Text>>) {
    let mut told: Option<Result<Box<Tree>, Text>> = None;
    let mut due: Option<Instant> = None;
    let mut earliest = Instant::now();
    loop {
        tokio::select! {
            changed = focus.news() => {
                if changed && due.is_none() {
                    due = Some(earliest.max(Instant::now()));
                }
            }
            () = tell.closed() => return,
            () = sleep_until(due.unwrap_or(earliest)), if due.is_some() => {
                let begun = Instant::now();
                let picture = focus.picture().map(Box::new);
                if told.as_ref() != Some(&picture) {
                    told = Some(picture.clone());
                    if tell.send(picture).await.is_err() {
                        return;
                    }
                }
                due = None;
                earliest = Instant::now() + ASSEMBLE_EVERY.max(begun.elapsed() * 4);
            }
        }
    }
}
