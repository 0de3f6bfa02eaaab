//! One cluster being watched: its link, its gate, and the questions asked there.

use std::{
    collections::{BTreeMap, BTreeSet},
    panic::AssertUnwindSafe,
};

use futures::FutureExt;
use jiff::Timestamp;
use tokio::{sync::watch, task::JoinHandle};

use super::{
    asking::{Asking, Gate},
    events::{self, Events, WantedEvents},
    link::Link,
    pods::{self, LabelledPods},
    release::{self, ReleasePods},
    supervisor::Event,
    watch::{Projection, Question, Watch},
};
use crate::model::{
    cluster::LinkState,
    delta::{Delta, Query, Scope, ScopeState},
    key::{ClusterId, Text},
};

/// A task that ends when it is not wanted any more.
#[derive(Debug)]
pub(crate) struct Task(JoinHandle<()>);

impl Task {
    pub(crate) fn spawn(work: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(tokio::spawn(work))
    }

    /// Ends it, and returns when it has.
    pub(crate) async fn end(mut self) {
        self.0.abort();
        // Cancelled is what was asked for; a panic has been told by its hook.
        let _ = (&mut self.0).await;
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A question being asked.
#[derive(Debug)]
struct Asked {
    task: Task,
    state: Option<ScopeState>,
}

/// One cluster.
pub(crate) struct Member {
    pub(crate) id: ClusterId,
    pub(crate) link: Link,
    pub(crate) asking: Asking,
    gate: watch::Sender<Gate>,
    questions: BTreeMap<Scope, Asked>,
    _probe: Option<Task>,
}

/// Where pods of applications are, in one cluster.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Namespaces that applications deploy to.
    pub(crate) namespaces: BTreeSet<Text>,
    /// Those of them in which some pods can only be told by their owner.
    pub(crate) by_owner: BTreeSet<Text>,
}

impl Member {
    pub(crate) fn new(asking: Asking, gate: watch::Sender<Gate>, probe: Option<Task>) -> Self {
        Self {
            id: asking.cluster.clone(),
            link: Link::new(Timestamp::now()),
            asking,
            gate,
            questions: BTreeMap::new(),
            _probe: probe,
        }
    }

    /// Asks a question, if it is not asked already.
    pub(crate) fn ask<P: Projection>(&mut self, question: Question, projection: P) {
        let scope = question.scope.clone();
        if self.questions.contains_key(&scope) {
            return;
        }
        let watch = Watch::new(self.asking.clone(), question, projection);
        let (events, broken) = (self.asking.events.clone(), scope.clone());
        let task = Task::spawn(async move {
            // Nothing of the task is looked at after a panic: it is begun anew.
            if AssertUnwindSafe(watch.run()).catch_unwind().await.is_err() {
                let _ = events.send(Event::Panicked(broken));
            }
        });
        self.questions.insert(scope, Asked { task, state: None });
    }

    /// A question's task is gone; its rows stay until it is asked again.
    pub(crate) fn broke(&mut self, scope: &Scope) {
        self.questions.remove(scope);
    }

    /// Stops asking questions of which `drop` says so; their rows go.
    pub(crate) async fn stop(&mut self, drop: impl Fn(&Scope) -> bool) {
        let scopes: Vec<Scope> = self.questions.keys().filter(|scope| drop(scope)).cloned().collect();
        for scope in scopes {
            if let Some(asked) = self.questions.remove(&scope) {
                asked.task.end().await;
                self.link.forget(&scope);
                self.asking.feed.send(Delta::Dropped { scope });
            }
        }
    }

    /// Opens or closes the gate by the link; whether that changed it.
    pub(crate) fn update_gate(&self) -> bool {
        let up = self.link.is_up();
        let refused = matches!(self.link.state(), LinkState::Forbidden { .. });
        self.gate.send_if_modified(|gate| {
            let changed = gate.up != up;
            gate.up = up;
            gate.refused = refused;
            if changed && up {
                gate.returns += 1;
            }
            changed
        })
    }

    /// Remembers how a question stands.
    pub(crate) fn heard(&mut self, scope: &Scope, state: ScopeState) {
        if let Some(asked) = self.questions.get_mut(scope) {
            asked.state = Some(state);
        }
    }

    /// How a question stands, as far as it has said so.
    pub(crate) fn state(&self, query: &Query) -> Option<&ScopeState> {
        self.questions.iter().find(|(scope, _)| scope.query == *query).and_then(|(_, asked)| asked.state.as_ref())
    }

    /// Whether every question has its first answer, or cannot have one.
    pub(crate) fn is_settled(&self) -> bool {
        self.link.is_decided()
            && (!self.link.is_up()
                || self.questions.values().all(|asked| !matches!(asked.state, None | Some(ScopeState::Loading(_)))))
    }

    /// Looks for pods where they are wanted, and no longer where they are not. `everywhere`: those with a label are
    /// asked for in all namespaces at once, which is one question.
    pub(crate) async fn want_pods(&mut self, wanted: &Wanted, everywhere: bool) {
        if everywhere {
            self.ask(pods::question(&self.id, None), LabelledPods { cluster: self.id.clone() });
        }
        // Not wanted, or not permitted, for all namespaces: one by one.
        let one_by_one =
            !everywhere || matches!(self.state(&Query::LabelledPods(None)), Some(ScopeState::Forbidden(_)));
        if one_by_one {
            for namespace in &wanted.namespaces {
                self.ask(pods::question(&self.id, Some(namespace)), LabelledPods { cluster: self.id.clone() });
            }
        }
        for namespace in &wanted.by_owner {
            let projection = ReleasePods::new(self.id.clone(), namespace.clone());
            self.ask(release::question(&self.id, namespace), projection);
        }
        self.stop(|scope| match &scope.query {
            Query::LabelledPods(Some(namespace)) => !one_by_one || !wanted.namespaces.contains(namespace),
            Query::ReleasePods(namespace) => !wanted.by_owner.contains(namespace),
            _ => false,
        })
        .await;
    }

    /// Looks for events where they are wanted, and no longer where they are not.
    pub(crate) async fn want_events(&mut self, wanted: &WantedEvents) {
        let mut namespaces = wanted.namespaces.clone();
        if wanted.everywhere {
            self.ask(events::question(&self.id, None), Events::new(self.id.clone(), None));
            if matches!(self.state(&Query::Events(None)), Some(ScopeState::Forbidden(_))) {
                namespaces.extend(wanted.instead.iter().cloned());
            }
        }
        for namespace in &namespaces {
            self.ask(events::question(&self.id, Some(namespace)), Events::new(self.id.clone(), None));
        }
        for object in &wanted.objects {
            self.ask(events::question_of(object), Events::new(self.id.clone(), Some(object.clone())));
        }
        self.stop(|scope| match &scope.query {
            Query::Events(None) => !wanted.everywhere,
            Query::Events(Some(namespace)) => !namespaces.contains(namespace),
            Query::EventsOf(object) => !wanted.objects.contains(object),
            _ => false,
        })
        .await;
    }
}
