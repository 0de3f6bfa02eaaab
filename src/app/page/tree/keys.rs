//! What the keys do in the tree.

use std::collections::HashSet;

use super::{Form, TreePage, beside::SideBySide, line};
use crate::{
    app::{
        keymap::Action,
        notice::Level,
        page::{Page, Reaction, Wish, why::WhyPage},
    },
    model::{
        health::Health,
        key::{ClusterId, PodKey, Text},
        log::{Containers, LogRequest, LogScope},
        tree::{Node, What, merged},
        why::Subject,
    },
};

impl TreePage {
    /// Obeys a key.
    pub fn on_action(&mut self, action: Action) -> Reaction {
        let page = self.height.saturating_sub(1).max(1);
        match action {
            Action::Down => self.go(self.at + 1),
            Action::Up => self.go(self.at.saturating_sub(1)),
            Action::PageDown => self.go(self.at + page),
            Action::PageUp => self.go(self.at.saturating_sub(page)),
            Action::Top => self.go(0),
            Action::Bottom => self.go(usize::MAX),
            Action::OnlyNotOk => {
                self.only_not_ok = !self.only_not_ok;
                self.dirty = true;
            }
            Action::NextBad => return self.next_bad(),
            Action::Merge => {
                let form = match (&self.form, &self.told) {
                    (Form::ByCluster | Form::Beside(_), Some(told)) => Form::Merged(merged(told)),
                    _ => Form::ByCluster,
                };
                self.show_as(form);
            }
            Action::SideBySide => {
                let form = match (&self.form, &self.told) {
                    (Form::ByCluster | Form::Merged(_), Some(told)) => Form::Beside(SideBySide::new(told)),
                    _ => Form::ByCluster,
                };
                self.show_as(form);
            }
            Action::PanLeft | Action::PanRight | Action::Unchanged => {
                let Form::Beside(beside) = &mut self.form else { return Reaction::ignored() };
                match action {
                    Action::PanLeft => beside.pan(-1),
                    Action::PanRight => beside.pan(1),
                    _ => {
                        beside.only_different = !beside.only_different;
                        self.dirty = true;
                    }
                }
            }
            Action::Fold => self.fold_or_up(),
            Action::Unfold => self.set_folded(false),
            Action::Enter => match (self.pod(), &self.form) {
                (Some(pod), _) => return Reaction::wish(Wish::LogsOfPod(pod, None)),
                (None, Form::Beside(_)) => self.show_as(Form::ByCluster),
                (None, _) if self.visible.get(self.at).is_some_and(|line| self.has_children(*line)) => self.turn(),
                // Nothing to unfold: what is to be said of it.
                (None, _) => return Reaction::wish(Wish::Do(Action::Description)),
            },
            Action::Mark => {
                if matches!(self.form, Form::Beside(_)) {
                    let text = "lines are marked in the tree: b leads back to it";
                    return Reaction::wish(Wish::Say(Level::Info, text.to_owned()));
                }
                let Some(what) = self.selected().map(|node| node.what.clone()) else { return self.nothing_here() };
                if !self.marks.remove(&what) {
                    self.marks.insert(what);
                }
                self.go(self.at + 1);
            }
            // What is marked is given up before the page is.
            Action::Back if !self.marks.is_empty() && self.filter.is_empty() => self.marks.clear(),
            Action::Logs if !self.marks.is_empty() => return self.logs_of_marked(),
            Action::Logs => return self.logs(),
            Action::Forward => return Reaction::wish(Wish::Forward(self.app.clone(), self.forwarded())),
            Action::Revisions => return Reaction::wish(Wish::revisions(self.app.clone())),
            Action::Diff => {
                let object = self.selected().and_then(|node| match &node.what {
                    What::Object(key) => Some(key.clone()),
                    What::Cluster(_) | What::Idle(..) => None,
                });
                return Reaction::wish(Wish::drift(self.app.clone(), object));
            }
            Action::Why => {
                let subject = match self.selected().map(|node| &node.what) {
                    Some(What::Cluster(cluster)) => Subject::Place(self.app.clone(), cluster.clone()),
                    Some(What::Object(key)) => Subject::Object(self.app.clone(), key.clone()),
                    Some(What::Idle(..)) | None => return self.nothing_here(),
                };
                return Reaction::wish(Wish::Open(Box::new(Page::Why(Box::new(WhyPage::new(subject))))));
            }
            Action::Approve => return Reaction::wish(Wish::Approve(self.app.clone(), None)),
            Action::Copy => {
                let Ok(key) = self.object() else { return self.nothing_here() };
                return Reaction::wish(Wish::Copy(key.name.to_string()));
            }
            _ => return Reaction::ignored(),
        }
        Reaction::taken()
    }

    /// Says why there is nothing to act upon.
    fn nothing_here(&self) -> Reaction {
        match self.object() {
            Ok(_) => Reaction::taken(),
            Err(why) => Reaction::wish(Wish::Say(Level::Info, why)),
        }
    }

    /// The pod under the cursor; of a cell that stands for several: none.
    fn pod(&self) -> Option<PodKey> {
        if let Form::Beside(beside) = &self.form
            && beside.several(*self.visible.get(self.at)?)
        {
            return None;
        }
        match &self.selected()?.what {
            What::Object(key) => key.as_pod(),
            What::Cluster(_) | What::Idle(..) => None,
        }
    }

    /// The log of the pod under the cursor, else of one of those below.
    fn logs(&self) -> Reaction {
        if let Some(pod) = self.pod() {
            return Reaction::wish(Wish::LogsOfPod(pod, None));
        }
        let Some(node) = self.selected() else { return self.nothing_here() };
        let found = match &self.form {
            Form::Beside(beside) if self.visible.get(self.at).is_some_and(|row| beside.several(*row)) => {
                let nodes = self.told.as_ref().map(|tree| tree.nodes.as_slice()).unwrap_or_default();
                let row = self.visible.get(self.at).copied().unwrap_or_default();
                let meant = pods(beside.lines(row).iter().filter_map(|line| nodes.get(*line)));
                if meant.is_empty() { pods(self.below()) } else { meant }
            }
            _ => pods(self.below()),
        };
        let what = match cluster_of(node) {
            Some(cluster) => format!("{} in {cluster}", self.app),
            None => line::told(&node.what),
        };
        match found.as_slice() {
            [] => Reaction::wish(Wish::Say(Level::Info, format!("no pod belongs to {what}, so there is no log"))),
            [pod] => Reaction::wish(Wish::LogsOfPod(pod.clone(), None)),
            several => Reaction::wish(Wish::FollowLogs(Box::new(self.request(node, several)))),
        }
    }

    /// The logs of all pods that are marked or stand below what is.
    fn logs_of_marked(&self) -> Reaction {
        let nodes = self.tree().map(|tree| tree.nodes.as_slice()).unwrap_or_default();
        // The depth of the marked line that the lines now looked at stand below.
        let mut below: Option<usize> = None;
        let meant = nodes.iter().filter(|node| {
            if below.is_some_and(|depth| node.depth <= depth) {
                below = None;
            }
            if below.is_none() && self.marks.contains(&node.what) {
                below = Some(node.depth);
            }
            below.is_some()
        });
        match pods(meant) {
            found if found.is_empty() => {
                let text = "no pod belongs to what is marked, so there is no log (esc takes the marks away)";
                Reaction::wish(Wish::Say(Level::Info, text.to_owned()))
            }
            found => Reaction::wish(Wish::FollowLogs(Box::new(LogRequest {
                containers: Containers::All,
                ..LogRequest::of_pods(found)
            }))),
        }
    }

    /// What is followed of several pods: what they come from, so that those that join are followed too, else themselves.
    fn request(&self, node: &Node, pods: &[PodKey]) -> LogRequest {
        const WORKLOADS: [&str; 5] = ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job"];
        match (&node.what, &self.form) {
            (What::Cluster(cluster), _) => LogRequest {
                clusters: vec![cluster.clone()],
                ..LogRequest::of(LogScope::App { app: self.app.clone(), component: None })
            },
            (What::Object(key), Form::ByCluster) if WORKLOADS.contains(&&*key.kind) => {
                LogRequest::of(LogScope::Workload(key.clone()))
            }
            _ => LogRequest::of_pods(pods.to_vec()),
        }
    }

    /// The name of what a port is forwarded to, where one is meant: the pods of a workload bear its name.
    fn forwarded(&self) -> Option<Text> {
        match &self.selected()?.what {
            What::Cluster(cluster) => Some(cluster.0.clone()),
            What::Object(key)
                if matches!(
                    &*key.kind,
                    "Pod" | "Service" | "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" | "Job"
                ) =>
            {
                Some(key.name.clone())
            }
            What::Object(_) | What::Idle(..) => None,
        }
    }

    fn turn(&mut self) {
        let folded = self.visible.get(self.at).is_some_and(|line| self.is_folded(*line));
        self.set_folded(!folded);
    }

    fn set_folded(&mut self, folded: bool) {
        let Some(line) = self.visible.get(self.at).copied().filter(|line| self.has_children(*line)) else { return };
        let Some(id) = self.ids.get(line).copied() else { return };
        if folded {
            self.folded.insert(id);
        } else {
            self.folded.remove(&id);
        }
        self.dirty = true;
    }

    /// Folds the line; where there is nothing to fold, goes up to what it hangs from.
    fn fold_or_up(&mut self) {
        let Some(line) = self.visible.get(self.at).copied() else { return };
        if self.filters_nothing() && self.has_children(line) && !self.is_folded(line) {
            self.set_folded(true);
            return;
        }
        let parent = self.tree().and_then(|tree| tree.nodes.get(line)).and_then(|node| node.parent);
        if let Some(at) = parent.and_then(|parent| self.visible.iter().position(|line| *line == parent)) {
            self.go(at);
        }
    }

    /// To the next line that is not well by itself, beginning again at the top; what hides it is unfolded. Side by side:
    /// to the next cell, row by row.
    fn next_bad(&mut self) -> Reaction {
        let Some(told) = &self.told else { return Reaction::taken() };
        if let Form::Beside(beside) = &mut self.form {
            let Some(at) = beside.next_bad(told, &self.visible, self.at) else {
                return Reaction::wish(Wish::Say(Level::Good, "everything here is ok".to_owned()));
            };
            self.go(at);
            return Reaction::taken();
        }
        let Some(tree) = self.tree() else { return Reaction::taken() };
        let from = self.visible.get(self.at).map_or(0, |line| line + 1);
        let is_bad =
            |line: &usize| tree.nodes.get(*line).is_some_and(|node| !matches!(node.own, Health::Ok | Health::Pending));
        let found = (from..tree.nodes.len()).chain(0..from).find(is_bad);
        let Some(found) = found else {
            return Reaction::wish(Wish::Say(Level::Good, "everything here is ok".to_owned()));
        };
        self.show(found);
        self.dirty = true;
        Reaction::taken()
    }
}

/// The pods among lines, in their order.
fn pods<'a>(nodes: impl Iterator<Item = &'a Node>) -> Vec<PodKey> {
    let keys = nodes.filter_map(|node| match &node.what {
        What::Object(key) => key.as_pod(),
        What::Cluster(_) | What::Idle(..) => None,
    });
    let mut known = HashSet::new();
    keys.filter(|key| known.insert(key.clone())).collect()
}

/// The cluster of a line, where it stands in one alone.
fn cluster_of(node: &Node) -> Option<&ClusterId> {
    match &node.what {
        What::Cluster(cluster) => Some(cluster),
        What::Object(_) | What::Idle(..) => None,
    }
}
