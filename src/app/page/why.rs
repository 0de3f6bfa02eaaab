//! Why something stands as it does: the chain from it to the cause, each line a jump.
//!
//! What the store knows gives the first lines at once; what is looked up while the page is in sight carries them on.

pub mod asked;

use crate::{
    app::{
        effect::Effect,
        filter::{Filter, Tester},
        keymap::Action,
        message::StreamId,
        page::{
            Page, Reaction, Wish,
            application::{ApplicationPage, ItemKey},
            pods::PodRows,
            tree::TreePage,
        },
        table::{Cell, Part, Table, Tone},
        world::World,
    },
    model::{
        health::Health,
        key::{AppKey, PodKey, Text},
        pod::Pod,
        resource::ResourceKey,
        why::{Chain, Known, Link, Looked, Place, Subject, explain},
    },
};

/// The page.
#[derive(Debug)]
pub struct WhyPage {
    /// What is asked about.
    pub subject: Subject,
    stream: Option<StreamId>,
    looked: Option<Box<Looked>>,
    failed: Option<Text>,
    /// Answers taken so far: the chain is made anew for each.
    answers: u64,
    made: Option<(u64, u64)>,
    chain: Chain,
    visible: Vec<usize>,
    cursor: Option<(Place, Text)>,
    /// What the cursor shall stand on once the chain comes to it.
    sought: Option<ResourceKey>,
    at: usize,
    filter: Filter,
    filter_changed: bool,
    offset: usize,
    height: usize,
}

impl WhyPage {
    /// The chain of a subject.
    pub fn new(subject: Subject) -> Self {
        Self {
            subject,
            stream: None,
            looked: None,
            failed: None,
            answers: 0,
            made: None,
            chain: Chain::default(),
            visible: Vec::new(),
            cursor: None,
            sought: None,
            at: 0,
            filter: Filter::default(),
            filter_changed: false,
            offset: 0,
            height: 0,
        }
    }

    /// The same with the cursor on one object, once the chain comes to it.
    #[must_use]
    pub fn at_object(mut self, key: ResourceKey) -> Self {
        self.sought = Some(key);
        self
    }

    /// The chain as known now.
    pub fn chain(&self) -> &Chain {
        &self.chain
    }

    /// The links shown, by their place in the chain.
    pub fn visible(&self) -> &[usize] {
        &self.visible
    }

    /// The cursor's place among them.
    pub fn at(&self) -> usize {
        self.at
    }

    /// The first screen line shown, as drawn last.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// The filter in force.
    pub fn filter(&self) -> &Filter {
        &self.filter
    }

    /// Whether all that is asked besides the store has been answered.
    pub fn is_looked_up(&self) -> bool {
        self.looked.as_ref().is_some_and(|looked| looked.is_complete && looked.tree.asking.is_empty())
    }

    /// Why it could not be looked up, where that is so.
    pub fn failed(&self) -> Option<&Text> {
        self.failed.as_ref()
    }

    /// The link under the cursor.
    pub fn selected(&self) -> Option<&Link> {
        self.chain.links.get(*self.visible.get(self.at)?)
    }

    /// Takes a filter as it is typed.
    pub fn set_filter(&mut self, raw: &str) {
        self.filter = Filter::parse(raw, &[]);
        self.filter_changed = true;
    }

    /// Takes where the list was drawn.
    pub fn on_drawn(&mut self, offset: usize, height: usize) {
        self.offset = offset;
        self.height = height;
    }

    /// The page comes into sight: what the chain needs is looked up from now on. A cluster's is all known.
    pub fn on_enter(&mut self, world: &mut World) -> Vec<Effect> {
        if matches!(self.subject, Subject::Cluster(_)) {
            return Vec::new();
        }
        let stream = world.next_id();
        self.stream = Some(stream);
        vec![Effect::WatchWhy(stream, self.subject.clone())]
    }

    /// The page goes out of sight. What was known stays, for the way back.
    pub fn on_leave(&mut self) -> Vec<Effect> {
        self.stream.take().map(Effect::StopWhy).into_iter().collect()
    }

    /// Takes what was looked up; for another look: nothing.
    pub fn on_looked(&mut self, stream: StreamId, answer: Result<Box<Looked>, Text>) {
        if self.stream != Some(stream) {
            return;
        }
        match answer {
            Ok(looked) => {
                self.looked = Some(looked);
                self.failed = None;
            }
            Err(reason) => self.failed = Some(reason),
        }
        self.answers += 1;
    }

    /// Brings the chain up to what is known.
    pub fn settle(&mut self, world: &World) {
        let made = (world.revision(), self.answers);
        if self.made != Some(made) {
            self.made = Some(made);
            self.chain = self.follow(world);
            self.filter_changed = true;
        }
        if !std::mem::take(&mut self.filter_changed) {
            return;
        }
        self.visible = self.wanted();
        let is_it = |line: &usize| {
            self.chain.links.get(*line).is_some_and(|link| {
                self.cursor.as_ref().is_some_and(|(place, reason)| link.what == *place && link.reason == *reason)
            })
        };
        // What a line says may change; what it speaks of does not.
        let speaks = |line: &usize| {
            let link = self.chain.links.get(*line);
            link.is_some_and(|link| self.cursor.as_ref().is_some_and(|(place, _)| link.what == *place))
        };
        let is_sought = |line: &usize| {
            let object = self.chain.links.get(*line).and_then(|link| object_of(&link.what));
            object.is_some_and(|object| self.sought.as_ref() == Some(&object))
        };
        let sought = self.visible.iter().position(is_sought);
        let found =
            sought.or_else(|| self.visible.iter().position(is_it)).or_else(|| self.visible.iter().position(speaks));
        self.go(found.unwrap_or(self.at));
        if sought.is_some() || self.is_looked_up() {
            self.sought = None;
        }
    }

    fn follow(&self, world: &World) -> Chain {
        let app = self.subject.app().and_then(|key| world.store.application(key));
        let pods: Vec<&Pod> = match &self.subject {
            Subject::Stray(pod) => world.store.pod(pod).into_iter().collect(),
            subject => subject.app().map(|key| world.store.pods_of(key).collect()).unwrap_or_default(),
        };
        let applications = match &self.subject {
            Subject::Cluster(cluster) => world.store.applications_in(cluster).count(),
            _ => 0,
        };
        let known = Known {
            app: app.map(|entry| (&entry.row, &entry.standing)),
            pods,
            link: &|cluster| world.link(cluster),
            version: &|cluster| Some(&world.store.cluster(cluster)?.row.as_ref()?.version),
            applications,
            looked: self.looked.as_deref(),
        };
        explain(&self.subject, &known)
    }

    /// The links that pass the filter, with those that they hang from.
    fn wanted(&self) -> Vec<usize> {
        let links = &self.chain.links;
        if self.filter.is_empty() {
            return (0..links.len()).collect();
        }
        let mut tester = Tester::new(&self.filter);
        let mut kept: Vec<usize> = Vec::new();
        // From the end: what hangs from a link comes before it.
        let mut above = 0;
        for (line, link) in links.iter().enumerate().rev() {
            let text = format!("{} {}", name(&link.what), link.reason);
            if link.depth < above || tester.passes(text.as_str()) {
                kept.push(line);
                above = link.depth;
            }
        }
        kept.reverse();
        kept
    }

    fn go(&mut self, at: usize) {
        self.at = at.min(self.visible.len().saturating_sub(1));
        self.cursor = self.selected().map(|link| (link.what.clone(), link.reason.clone()));
    }

    /// The object that the line under the cursor speaks of.
    pub fn object(&self) -> Option<ResourceKey> {
        match &self.selected()?.what {
            Place::Application(app) | Place::Step(app, _) | Place::Component { app, .. } => {
                Some(ResourceKey::application(app))
            }
            Place::Cluster(cluster) => Some(ResourceKey::cluster(cluster)),
            what => object_of(what),
        }
    }

    /// Obeys a key.
    pub fn on_action(&mut self, action: Action, world: &World) -> Reaction {
        // Whoever moves has seen where they are.
        self.sought = None;
        let page = (self.height / 2).max(1);
        match action {
            Action::Down => self.go(self.at + 1),
            Action::Up => self.go(self.at.saturating_sub(1)),
            Action::PageDown => self.go(self.at + page),
            Action::PageUp => self.go(self.at.saturating_sub(page)),
            Action::Top => self.go(0),
            Action::Bottom => self.go(usize::MAX),
            Action::Enter => return self.selected().map_or_else(Reaction::taken, |link| self.jump(&link.what, world)),
            Action::Copy => {
                let Some(link) = self.selected() else { return Reaction::taken() };
                let command = link.advice.as_ref().and_then(|advice| advice.command.as_ref());
                let text =
                    command.map_or_else(|| format!("{}: {}", name(&link.what), link.reason), ToString::to_string);
                return Reaction::wish(Wish::Copy(text));
            }
            Action::Logs => {
                return match (self.selected().and_then(|link| pod_of(&link.what)), self.subject.app()) {
                    (Some((pod, container)), _) => Reaction::wish(Wish::LogsOfPod(pod, container)),
                    (None, Some(app)) => Reaction::wish(Wish::LogsOfApp(app.clone())),
                    (None, None) => Reaction::ignored(),
                };
            }
            Action::Tree => {
                let Some(app) = self.subject.app() else { return Reaction::ignored() };
                let page = TreePage::new(app.clone());
                let page = match self.selected().and_then(|link| object_of(&link.what)) {
                    Some(key) => page.at_object(key),
                    None => page,
                };
                return Reaction::wish(Wish::Open(Box::new(Page::Tree(Box::new(page)))));
            }
            Action::Approve => {
                let Some(app) = self.subject.app() else { return Reaction::ignored() };
                let step = match self.selected().map(|link| &link.what) {
                    Some(Place::Step(_, step)) => Some(step.clone()),
                    _ => None,
                };
                let step = step.filter(|step| {
                    world.waiting(app).is_some_and(|waiting| waiting.gates.iter().any(|gate| gate.step.name == *step))
                });
                return Reaction::wish(Wish::Approve(app.clone(), step));
            }
            // It is shown already.
            Action::Why => {}
            _ => return Reaction::ignored(),
        }
        Reaction::taken()
    }

    /// To what a link speaks of.
    fn jump(&self, what: &Place, world: &World) -> Reaction {
        let application = |app: &AppKey, item: Option<ItemKey>| {
            let mut page = ApplicationPage::new(app.clone());
            if let Some(item) = item {
                page.select(item);
            }
            Page::Application(Box::new(page))
        };
        let page = match what {
            Place::Application(app) => application(app, None),
            Place::Step(app, step) => application(app, Some(ItemKey::Step(step.clone()))),
            Place::Component { app, cluster, namespace, name } => application(
                app,
                Some(ItemKey::Service { cluster: cluster.clone(), namespace: namespace.clone(), name: name.clone() }),
            ),
            Place::Cluster(cluster) => {
                let Page::Clusters(mut table) = Page::clusters() else { return Reaction::taken() };
                table.settle(world);
                table.select(cluster.clone());
                Page::Clusters(table)
            }
            Place::Object(key) | Place::Event(key) => {
                if let Some(app) = self.subject.app() {
                    Page::Tree(Box::new(TreePage::new(app.clone()).at_object(key.clone())))
                } else {
                    let mut table = Table::new(PodRows::new(None, Some(key.cluster.clone())));
                    table.settle(world);
                    key.as_pod().into_iter().for_each(|pod| table.select(pod));
                    Page::Pods(table)
                }
            }
            Place::Container(pod, container) | Place::Log(pod, container, _) => {
                return Reaction::wish(Wish::LogsOfPod(pod.clone(), Some(container.clone())));
            }
        };
        Reaction::wish(Wish::Open(Box::new(page)))
    }
}

/// The object that a link speaks of, where it speaks of one that the application made.
fn object_of(what: &Place) -> Option<ResourceKey> {
    match what {
        Place::Object(key) | Place::Event(key) => Some(key.clone()),
        Place::Container(pod, _) | Place::Log(pod, ..) => Some(ResourceKey::pod(pod)),
        _ => None,
    }
}

/// The pod that a link speaks of, and which container.
fn pod_of(what: &Place) -> Option<(PodKey, Option<Text>)> {
    match what {
        Place::Container(pod, container) | Place::Log(pod, container, _) => {
            Some((pod.clone(), Some(container.clone())))
        }
        Place::Object(key) | Place::Event(key) => key.as_pod().map(|pod| (pod, None)),
        _ => None,
    }
}

/// What a link speaks of, in words.
pub fn name(what: &Place) -> String {
    match what {
        Place::Application(app) => app.to_string(),
        Place::Step(_, step) => format!("step {step}"),
        Place::Cluster(cluster) => cluster.to_string(),
        Place::Component { name, .. } => name.to_string(),
        Place::Object(key) => format!("{}/{}", key.kind, key.name),
        Place::Container(_, container) => format!("container {container}"),
        Place::Event(_) => "event".to_owned(),
        Place::Log(..) => "log".to_owned(),
    }
}

/// What stands at the head of a link: its mark and its name.
pub fn label(link: &Link) -> Cell {
    match &link.what {
        Place::Log(..) | Place::Event(_) => vec![Part::dim(name(&link.what))],
        what => {
            let (kind, rest) = match what {
                Place::Object(key) => (format!("{}/", key.kind), key.name.to_string()),
                Place::Step(_, step) => ("step ".to_owned(), step.to_string()),
                Place::Application(app) => (format!("{}/", app.namespace), app.name.to_string()),
                Place::Container(_, container) => ("container ".to_owned(), container.to_string()),
                other => (String::new(), name(other)),
            };
            vec![Part::Mark(link.health), Part::plain(" "), Part::dim(kind), Part::Text(rest, Tone::Strong)]
        }
    }
}

/// How the sentence of a link is meant.
pub fn tone(link: &Link) -> Tone {
    match (&link.what, link.health) {
        (Place::Log(..) | Place::Event(_), _) => Tone::Plain,
        (_, Health::Ok | Health::Pending | Health::Gone) => Tone::Dim,
        (_, health) => Tone::Health(health),
    }
}
