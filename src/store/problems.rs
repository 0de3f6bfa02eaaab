//! What is wrong, kept up with what is known: worked out anew only for what changed.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
};

use crate::model::{
    key::{AppKey, PodKey},
    problem::{self, About, Problem, ProblemKey},
};

use super::Store;

/// The problems of applications, and of pods whose application is not known. Those of clusters are few, and are worked
/// out of their links when asked for.
#[derive(Debug, Default)]
pub(super) struct Problems {
    of_applications: HashMap<AppKey, Vec<Problem>>,
    strays: BTreeMap<PodKey, Problem>,
    revision: u64,
}

impl Problems {
    /// Something that problems are told by has changed.
    pub(super) fn turn(&mut self) {
        self.revision += 1;
    }

    pub(super) fn of_application(&mut self, app: &AppKey, problems: Vec<Problem>) {
        let before = self.of_applications.get(app).map(Vec::as_slice).unwrap_or_default();
        if before == problems {
            return;
        }
        self.revision += 1;
        if problems.is_empty() {
            self.of_applications.remove(app);
        } else {
            self.of_applications.insert(app.clone(), problems);
        }
    }

    pub(super) fn of_stray(&mut self, pod: &PodKey, problem: Option<Problem>) {
        if self.strays.get(pod) == problem.as_ref() {
            return;
        }
        self.revision += 1;
        match problem {
            Some(problem) => self.strays.insert(pod.clone(), problem),
            None => self.strays.remove(pod),
        };
    }
}

impl Store {
    /// Everything that is wrong, by rank: [`Problem::rank`].
    pub fn problems(&self) -> Vec<Cow<'_, Problem>> {
        let own = self.problems.of_applications.values().flatten().chain(self.problems.strays.values());
        let mut all: Vec<Cow<'_, Problem>> = own.map(Cow::Borrowed).collect();
        all.extend(self.clusters().filter_map(|entry| self.problem_of_cluster(entry)).map(Cow::Owned));
        all.sort_by(|one, other| one.rank().cmp(&other.rank()));
        all
    }

    /// One problem, if it still is one.
    pub fn problem(&self, key: &ProblemKey) -> Option<Cow<'_, Problem>> {
        let is_it = |problem: &&Problem| problem.key == *key;
        match &key.about {
            About::Cluster(id) => self
                .cluster(id)
                .and_then(|entry| self.problem_of_cluster(entry))
                .filter(|problem| problem.key == *key)
                .map(Cow::Owned),
            About::Application(app) | About::Component(app, _) => {
                self.problems.of_applications.get(app)?.iter().find(is_it).map(Cow::Borrowed)
            }
            About::Pod(pod) => self.problems.strays.get(pod).filter(is_it).map(Cow::Borrowed),
        }
    }

    /// The problems of one application.
    pub fn problems_of(&self, app: &AppKey) -> &[Problem] {
        self.problems.of_applications.get(app).map(Vec::as_slice).unwrap_or_default()
    }

    /// Counts up at least whenever [`Self::problems`] would answer others, or in another order.
    pub fn problems_revision(&self) -> u64 {
        self.problems.revision
    }

    fn problem_of_cluster(&self, entry: &super::ClusterEntry) -> Option<Problem> {
        let applications = self.apps_by_cluster.of(&entry.id).count();
        problem::of_cluster(&entry.id, entry.link.as_ref()?, applications)
    }

    /// Looks again at a pod whose application may not be known.
    pub(super) fn note_stray(&mut self, key: &PodKey) {
        let wrong = self.pods.get(key).and_then(|entry| {
            let is_known = entry.owner.as_ref().is_some_and(|app| self.applications.contains_key(app));
            if is_known { None } else { problem::of_pod(&entry.row) }
        });
        self.problems.of_stray(key, wrong);
    }

    /// The same for all pods of an application that came or went.
    pub(super) fn note_strays_of(&mut self, app: &AppKey) {
        let pods: Vec<PodKey> = self.owners.pods_of(app).cloned().collect();
        for pod in pods {
            self.note_stray(&pod);
        }
    }
}
