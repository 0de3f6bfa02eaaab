//! What those who ask tell the one who assembles.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use tokio::sync::mpsc;

use super::question::{Listed, MOST, Question};
use crate::{
    cluster::trackers::Applied,
    model::{
        key::{ClusterId, Text},
        resource::{Resource, ResourceKey, Rule},
    },
};

/// What has been learnt.
#[derive(Debug)]
pub(super) enum News {
    /// What KubeVela applied, the clusters that the application is meant to reach, and the operator's rules.
    Roots(Box<Applied>, Vec<ClusterId>, Arc<[Rule]>),
    /// The application cannot be read.
    Failed(Text),
    /// One cluster's.
    Of(ClusterId, Word),
}

/// What has been learnt of one cluster.
#[derive(Debug)]
pub(super) enum Word {
    /// The kinds it serves, by group and name.
    Serves(BTreeSet<(Text, Text)>),
    /// All objects of a question, instead of those known before; in words why these are not all.
    Listed(Question, Vec<Resource>, Option<Text>),
    /// An object is there, or is so now.
    Put(Question, Box<Resource>),
    /// An object is gone.
    Gone(Question, ResourceKey),
    /// A question is not answered: what is known of its objects is not to be relied on. `None`: it is again.
    Refused(Question, Option<Text>),
    /// A question is asked no more.
    Dropped(Question),
    /// The cluster does not answer; `None`: it does again.
    Lost(Option<Text>),
    /// Everything that was wanted at that serial number has had an answer, or the time for that is over.
    Asked(u64),
}

/// The way to tell. Waits where the one who assembles is behind.
#[derive(Clone, Debug)]
pub(super) struct Tell {
    pub(super) cluster: ClusterId,
    pub(super) news: mpsc::Sender<News>,
}

impl Tell {
    pub(super) async fn word(&self, word: Word) {
        // Nobody listens once the tree is left, and then this task is about to end.
        let _ = self.news.send(News::Of(self.cluster.clone(), word)).await;
    }

    pub(super) async fn listed(&self, question: &Question, listed: Listed) {
        let cut = (!listed.complete)
            .then(|| format!("more than {MOST} in namespace {}: the rest is not shown", question.namespace).into());
        self.word(Word::Listed(question.clone(), listed.resources, cut)).await;
    }

    pub(super) async fn put(&self, question: &Question, resource: Resource) {
        self.word(Word::Put(question.clone(), Box::new(resource))).await;
    }

    pub(super) async fn gone(&self, question: &Question, key: ResourceKey) {
        self.word(Word::Gone(question.clone(), key)).await;
    }

    /// A watch stands: whatever was refused is granted.
    pub(super) async fn opened(&self, question: &Question) {
        self.word(Word::Refused(question.clone(), None)).await;
    }
}

/// What is known of one cluster.
#[derive(Debug, Default)]
pub(super) struct Known {
    serves: Option<BTreeSet<(Text, Text)>>,
    objects: BTreeMap<Question, HashMap<ResourceKey, Resource>>,
    refused: BTreeMap<Question, Text>,
    lost: Option<Text>,
    asked: u64,
}

impl Known {
    /// Takes a word; whether it changes anything.
    pub(super) fn take(&mut self, word: Word) -> bool {
        match word {
            Word::Serves(kinds) => {
                let news = self.serves.as_ref() != Some(&kinds);
                self.serves = Some(kinds);
                news
            }
            Word::Listed(question, resources, cut) => {
                let objects: HashMap<ResourceKey, Resource> =
                    resources.into_iter().map(|resource| (resource.key.clone(), resource)).collect();
                let was_refused = self.refused.get(&question) != cut.as_ref();
                match cut {
                    Some(cut) => self.refused.insert(question.clone(), cut),
                    None => self.refused.remove(&question),
                };
                let news = was_refused || self.objects.get(&question) != Some(&objects);
                self.objects.insert(question, objects);
                news
            }
            Word::Put(question, resource) => {
                let objects = self.objects.entry(question).or_default();
                let news = objects.get(&resource.key) != Some(&*resource);
                objects.insert(resource.key.clone(), *resource);
                news
            }
            Word::Gone(question, key) => {
                self.objects.get_mut(&question).is_some_and(|objects| objects.remove(&key).is_some())
            }
            Word::Refused(question, Some(reason)) => {
                let kept = self.objects.remove(&question).is_some_and(|objects| !objects.is_empty());
                self.refused.insert(question, reason.clone()).as_ref() != Some(&reason) || kept
            }
            Word::Refused(question, None) => self.refused.remove(&question).is_some(),
            Word::Dropped(question) => {
                let refused = self.refused.remove(&question).is_some();
                self.objects.remove(&question).is_some_and(|objects| !objects.is_empty()) || refused
            }
            Word::Lost(reason) => {
                let news = self.lost != reason;
                self.lost = reason;
                news
            }
            Word::Asked(serial) => {
                let news = self.asked < serial;
                self.asked = self.asked.max(serial);
                news
            }
        }
    }

    pub(super) fn resources(&self) -> impl Iterator<Item = &Resource> {
        self.objects.values().flat_map(HashMap::values)
    }

    /// Whether this kind is known not to be served.
    pub(super) fn lacks(&self, group: &Text, kind: &Text) -> bool {
        self.serves.as_ref().is_some_and(|kinds| !kinds.contains(&(group.clone(), kind.clone())))
    }

    /// Why the cluster as a whole does not answer.
    pub(super) fn lost(&self) -> Option<&Text> {
        self.lost.as_ref()
    }

    /// What is not answered, by kind.
    pub(super) fn refused(&self) -> impl Iterator<Item = (&str, &Text)> {
        self.refused.iter().map(|(question, reason)| (question.kind.kind.as_str(), reason))
    }

    /// Up to which serial number of what is wanted there were answers.
    pub(super) fn asked(&self) -> u64 {
        self.asked
    }
}
