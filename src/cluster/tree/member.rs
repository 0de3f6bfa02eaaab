//! One cluster of an open tree: asked once for everything, then watched where something stands, and listed anew now
//! and then where nothing does.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use futures::{StreamExt, stream};
use tokio::{
    sync::{Notify, watch},
    task::{AbortHandle, JoinSet},
    time::{Instant, sleep, sleep_until, timeout_at},
};

use super::{
    news::{Tell, Word},
    question::{Asker, Ended, Question},
    wanted::Wanted,
};
use crate::{
    cluster::{
        discovery::{self, Served},
        error::{Class, Error},
        jitter,
        supervisor::Links,
    },
    model::key::Text,
};

/// Lists of what is not watched that are under way at once.
const ANEW_AT_ONCE: usize = 2;
/// Between two lists of what is not watched; longer where that are many, so that none is listed more than once a
/// second.
const ANEW: Duration = Duration::from_secs(30);
/// After a release changed, what it made may be of kinds that are not watched: these are listed anew this soon.
const AFTER_RELEASE: Duration = Duration::from_secs(2);
/// After a watch that stood is refused, its kind is listed anew this soon: that tells why.
const AFTER_REFUSAL: Duration = Duration::from_millis(500);
/// Back-off after failures: from … to.
const BACK_OFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(10));

/// A cluster's part in an open tree.
pub(super) struct Member {
    pub(super) client: kube::Client,
    /// Time for an answer, and for all first answers together.
    pub(super) deadline: Duration,
    pub(super) wanted: watch::Receiver<Wanted>,
    /// How the links to clusters stand, where somebody probes them.
    pub(super) links: Option<Links>,
    pub(super) tell: Tell,
    /// Lists under way at once.
    pub(super) at_once: usize,
    /// Watches at most; none: it is asked once.
    pub(super) watches: usize,
}

/// What a task of a cluster comes to.
enum Done {
    /// A watch is over.
    Watch(Question, Over),
    /// What is not watched was listed anew.
    Anew(Result<Anew, Error>),
}

/// What was learnt anew: the kinds served, and from which version a watch of a question would begin.
type Anew = (Vec<Arc<Served>>, Vec<(Question, Option<String>)>);

/// Why a watch is over.
enum Over {
    /// It cannot be watched: to be listed now and then. True: it could be before, so that something has changed (rights,
    /// or the kind is not installed any more), and what is known of it is of no use.
    Refused(bool),
    /// The link to the cluster is gone.
    Lost(Error),
}

/// What is asked, and from which version a watch goes on; `None`: it is not to be watched.
type Versions = BTreeMap<Question, Option<String>>;

impl Member {
    /// Runs until what is wanted has no sender any more, or it is dropped.
    pub(super) async fn run(mut self) {
        let mut failures: u32 = 0;
        loop {
            if self.wait_for_link().await.is_none() {
                return;
            }
            let begun = Instant::now();
            let error = match self.live().await {
                Ok(true) => continue,
                Ok(false) => return,
                Err(error) => error,
            };
            self.tell.word(Word::Lost(Some(error.message.into()))).await;
            if begun.elapsed() > BACK_OFF.1 {
                failures = 0;
            }
            let pause = (BACK_OFF.0 * 2u32.saturating_pow(failures.min(6))).min(BACK_OFF.1);
            failures += 1;
            sleep(pause + jitter(pause / 4)).await;
            if self.wanted.has_changed().is_err() {
                return;
            }
        }
    }

    /// Waits while the cluster does not answer probes; `None` when there is nothing to wait for any more.
    async fn wait_for_link(&mut self) -> Option<()> {
        while let Some(reason) = self.down() {
            self.tell.word(Word::Lost(Some(reason))).await;
            let links = self.links.as_mut()?;
            tokio::select! {
                changed = links.changed() => changed.ok()?,
                wanted = self.wanted.changed() => wanted.ok()?,
            }
        }
        Some(())
    }

    /// Why the cluster does not answer probes, where that is so.
    fn down(&mut self) -> Option<Text> {
        let cluster = self.tell.cluster.clone();
        self.links.as_mut().and_then(|links| links.unreachable(&cluster))
    }

    /// Asks and watches, until the link fails (the error), everything is to be asked anew (true) or nothing is wanted
    /// any more (false).
    async fn live(&mut self) -> Result<bool, Error> {
        let stirred = Arc::new(Notify::new());
        let rules = Arc::clone(&self.wanted.borrow().rules);
        let asker = Asker {
            cluster: self.tell.cluster.clone(),
            client: self.client.clone(),
            rules,
            stirred: Arc::clone(&stirred),
        };
        let mut served = self.discover(&asker).await?;
        let mut versions = Versions::new();
        let mut tasks: JoinSet<Done> = JoinSet::new();
        let mut watches: BTreeMap<Question, AbortHandle> = BTreeMap::new();
        let mut anew_at: Option<Instant> = None;
        let mut anew_runs = false;
        loop {
            let wanted = self.wanted.borrow_and_update().clone();
            if wanted.rules != asker.rules {
                // They say what is read of an object: all of them are to be read anew.
                return Ok(true);
            }
            let questions = wanted.questions(&served);
            let dropped: Vec<Question> = versions.keys().filter(|one| !questions.contains(one)).cloned().collect();
            for question in dropped {
                versions.remove(&question);
                self.tell.word(Word::Dropped(question)).await;
            }
            let new: Vec<Question> = questions.into_iter().filter(|one| !versions.contains_key(one)).collect();
            self.ask(&asker, new, &mut versions).await?;
            self.tell.word(Word::Lost(None)).await;
            self.tell.word(Word::Asked(wanted.serial)).await;

            let to_watch = versions.iter().filter(|(one, version)| version.is_some() && one.kind.watchable);
            let to_watch: BTreeSet<Question> =
                wanted.watched(to_watch.map(|(one, _)| one), self.watches).into_iter().cloned().collect();
            watches.retain(|question, task| {
                let keep = to_watch.contains(question);
                if !keep {
                    task.abort();
                }
                keep
            });
            for question in to_watch {
                if watches.contains_key(&question) {
                    continue;
                }
                let version = versions.get(&question).cloned().flatten().unwrap_or_default();
                let task = follow(asker.clone(), question.clone(), version, self.deadline, self.tell.clone());
                watches.insert(question, tasks.spawn(task));
            }
            if self.watches > 0 && !anew_runs {
                let rest = u32::try_from(versions.len() - watches.len()).unwrap_or(u32::MAX);
                let pause = ANEW.max(Duration::from_secs(1).saturating_mul(rest));
                anew_at.get_or_insert_with(|| Instant::now() + pause + jitter(pause / 5));
            }
            loop {
                tokio::select! {
                    changed = self.wanted.changed() => {
                        if changed.is_err() {
                            return Ok(false);
                        }
                        break;
                    }
                    Some(done) = tasks.join_next() => match done {
                        Ok(Done::Watch(_, Over::Lost(error))) => return Err(error),
                        Ok(Done::Watch(question, Over::Refused(stood))) => {
                            watches.remove(&question);
                            versions.insert(question, None);
                            if stood {
                                anew_at = anew_at.map(|at| at.min(Instant::now() + AFTER_REFUSAL));
                            }
                            break;
                        }
                        Ok(Done::Anew(answer)) => {
                            let (now, listed) = answer?;
                            served = now;
                            for (question, version) in listed {
                                // One may have been dropped, or be watched by now.
                                if let Some(known) = versions.get_mut(&question)
                                    && !watches.contains_key(&question)
                                {
                                    *known = version;
                                }
                            }
                            anew_runs = false;
                            break;
                        }
                        // Ended because it is not wanted any more, or broken by a fault of lateen's own, which its
                        // hook has told: everything is asked anew.
                        Err(ended) if ended.is_cancelled() => {}
                        Err(_) => return Err(Error::new(Class::Other, "following it broke; it is asked again")),
                    },
                    () = stirred.notified(), if self.watches > 0 => {
                        let soon = Instant::now() + AFTER_RELEASE;
                        anew_at = anew_at.map(|at| at.min(soon));
                    }
                    () = sleep_until(anew_at.unwrap_or_else(Instant::now)), if anew_at.is_some() => {
                        anew_at = None;
                        anew_runs = true;
                        let rest: Vec<Question> =
                            versions.keys().filter(|one| !watches.contains_key(one)).cloned().collect();
                        tasks.spawn(anew(asker.clone(), rest, self.deadline, self.tell.clone()));
                    }
                    () = link_changes(&mut self.links) => {
                        if let Some(reason) = self.down() {
                            return Err(Error::new(Class::Unreachable, reason.to_string()));
                        }
                    }
                }
            }
        }
    }

    async fn discover(&self, asker: &Asker) -> Result<Vec<Arc<Served>>, Error> {
        discover(asker, self.deadline, &self.tell).await
    }

    /// Asks questions for the first time, within the deadline.
    async fn ask(&self, asker: &Asker, questions: Vec<Question>, versions: &mut Versions) -> Result<(), Error> {
        let until = Instant::now() + self.deadline;
        let mut open: BTreeSet<Question> = questions.iter().cloned().collect();
        let first = versions.is_empty();
        let mut answers = stream::iter(questions.into_iter().map(|question| async move {
            let answer = asker.list(&question, self.deadline).await;
            (question, answer)
        }))
        .buffer_unordered(self.at_once);
        let mut answered = false;
        loop {
            match timeout_at(until, answers.next()).await {
                Ok(None) => return Ok(()),
                Ok(Some((_, Err(error)))) if error.class == Class::TimedOut => {}
                Ok(Some((question, answer))) => {
                    let version = tell_of(&question, answer, &self.tell).await?;
                    answered = true;
                    open.remove(&question);
                    versions.insert(question, version);
                }
                Err(_) => break,
            }
        }
        let reason = format!("no answer within {} s", self.deadline.as_secs_f32());
        if first && !answered && !open.is_empty() {
            return Err(Error::new(Class::TimedOut, reason));
        }
        for question in open {
            self.tell.word(Word::Refused(question.clone(), Some(reason.as_str().into()))).await;
            versions.insert(question, None);
        }
        Ok(())
    }
}

async fn link_changes(links: &mut Option<Links>) {
    if let Some(links) = links
        && links.changed().await.is_ok()
    {
        return;
    }
    std::future::pending::<()>().await;
}

/// Which kinds a cluster serves now.
async fn discover(asker: &Asker, deadline: Duration, tell: &Tell) -> Result<Vec<Arc<Served>>, Error> {
    let answer = crate::cluster::request::within(deadline, discovery::listable(&asker.client)).await?;
    let served: Vec<Arc<Served>> = answer.into_iter().map(Arc::new).collect();
    let names = served.iter().map(|kind| (kind.group.as_str().into(), kind.kind.as_str().into()));
    tell.word(Word::Serves(names.collect())).await;
    Ok(served)
}

/// Tells an answer on; the version to watch from. The error: the link itself is gone.
async fn tell_of(
    question: &Question,
    answer: Result<super::question::Listed, Error>,
    tell: &Tell,
) -> Result<Option<String>, Error> {
    match answer {
        Ok(listed) => {
            let version = listed.complete.then(|| listed.version.clone());
            tell.listed(question, listed).await;
            Ok(version)
        }
        // Uninstalled since, or served for something else than lists.
        Err(error) if error.class == Class::NotFound => {
            tell.word(Word::Dropped(question.clone())).await;
            Ok(None)
        }
        Err(error) if matches!(error.class, Class::Unreachable | Class::Unauthorized) => Err(error),
        Err(error) => {
            tell.word(Word::Refused(question.clone(), Some(error.message.into()))).await;
            Ok(None)
        }
    }
}

/// Lists anew what is not watched.
async fn anew(asker: Asker, questions: Vec<Question>, deadline: Duration, tell: Tell) -> Done {
    let list = async {
        let served = discover(&asker, deadline, &tell).await?;
        let asker = &asker;
        let mut answers = stream::iter(questions.into_iter().map(|question| async move {
            let answer = asker.list(&question, deadline).await;
            (question, answer)
        }))
        .buffer_unordered(ANEW_AT_ONCE);
        let mut versions = Vec::new();
        while let Some((question, answer)) = answers.next().await {
            let version = tell_of(&question, answer, &tell).await?;
            versions.push((question, version));
        }
        Ok((served, versions))
    };
    Done::Anew(list.await)
}

/// Watches a question for as long as that goes.
async fn follow(asker: Asker, question: Question, mut version: String, deadline: Duration, tell: Tell) -> Done {
    let mut quick: u32 = 0;
    let mut stood = false;
    loop {
        let begun = Instant::now();
        let ended = asker.watch(&question, &mut version, deadline, &tell).await;
        quick = if begun.elapsed() < BACK_OFF.0 { quick + 1 } else { 0 };
        match ended {
            Ok(Ended::Again) => stood = true,
            Err(error) if error.class == Class::Busy => {}
            Ok(Ended::TooOld) => version.clear(),
            Err(error) if error.class == Class::Gone => version.clear(),
            Err(error) => {
                let lost = matches!(error.class, Class::Unreachable | Class::Unauthorized | Class::TimedOut);
                return Done::Watch(question, if lost { Over::Lost(error) } else { Over::Refused(stood) });
            }
        }
        if quick > 1 {
            let pause = (BACK_OFF.0 * 2u32.saturating_pow(quick.min(6) - 2)).min(BACK_OFF.1);
            sleep(pause + jitter(pause / 4)).await;
        }
        if version.is_empty() {
            match tell_of(&question, asker.list(&question, deadline).await, &tell).await {
                Ok(Some(listed)) => version = listed,
                // Told by the list itself.
                Ok(None) => return Done::Watch(question, Over::Refused(false)),
                Err(error) => return Done::Watch(question, Over::Lost(error)),
            }
        }
    }
}
