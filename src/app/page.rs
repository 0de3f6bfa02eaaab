//! The pages: one file a view; cursor, filter and sort live in the page.

pub mod application;
pub mod applications;
pub mod approvals;
pub mod clusters;
pub mod diff;
pub mod events;
pub mod forwards;
pub mod logs;
pub mod object;
pub mod pods;
pub mod problems;
pub mod revisions;
pub mod tree;
pub mod why;

use jiff::Timestamp;

use crate::model::{
    acting::{ObjectWrite, Verb},
    diff::Comparison,
    edit::Kept,
    event::EventScope,
    key::{AppKey, PodKey},
    object::Private,
    resource::ResourceKey,
};

use self::{
    application::ApplicationPage, applications::ApplicationRows, approvals::ApprovalRows, clusters::ClusterRows,
    diff::DiffPage, events::EventRows, forwards::ForwardRows, logs::LogPage, object::ObjectPage, pods::PodRows,
    problems::ProblemRows, revisions::RevisionRows, tree::TreePage, why::WhyPage,
};
use super::{
    dialog::choose::Chooser,
    effect::Effect,
    filter::Filter,
    keymap::{Action, View},
    notice::Level,
    table::Table,
    world::World,
};

/// What a page shows.
#[derive(Debug)]
pub enum Page {
    /// The applications: home.
    Applications(Table<ApplicationRows>),
    /// One application.
    Application(Box<ApplicationPage>),
    /// What waits for approval.
    Approvals(Table<ApprovalRows>),
    /// The clusters.
    Clusters(Table<ClusterRows>),
    /// The pods.
    Pods(Table<PodRows>),
    /// A log.
    Logs(Box<LogPage>),
    /// The open forwards.
    Forwards(Table<ForwardRows>),
    /// The tree of an application.
    Tree(Box<TreePage>),
    /// One object.
    Object(Box<ObjectPage>),
    /// Events.
    Events(Table<EventRows>),
    /// The revisions of an application.
    Revisions(Table<RevisionRows>),
    /// What differs.
    Diff(Box<DiffPage>),
    /// Why something stands as it does.
    Why(Box<WhyPage>),
    /// What is wrong.
    Problems(Table<ProblemRows>),
}

/// What a page or a layer wants done; it does nothing itself but to its own state.
#[derive(Debug)]
pub enum Wish {
    /// To another page.
    Open(Box<Page>),
    /// To another page in the place of this one.
    Replace(Box<Page>),
    /// One of several things is to be chosen.
    Choose(Box<Chooser>),
    /// The layer on top has done its work.
    Close,
    /// Leave the program.
    Leave,
    /// Approve what waits in an application; the step by id where one is meant.
    Approve(AppKey, Option<crate::model::key::Text>),
    /// The logs of an application's pods.
    LogsOfApp(AppKey),
    /// The logs of a component's pods in a cluster.
    LogsOfComponent(AppKey, crate::model::key::Text, crate::model::key::ClusterId),
    /// These logs: on a page of logs in the place of those that are followed.
    FollowLogs(Box<crate::model::log::LogRequest>),
    /// Ask for a time to go to.
    AskTime,
    /// The log of a pod; the container where one is meant.
    LogsOfPod(PodKey, Option<crate::model::key::Text>),
    /// Choose a target of an application; of one thing of it where that is meant, by name.
    Forward(AppKey, Option<crate::model::key::Text>),
    /// Put text into the clipboard.
    Copy(String),
    /// Say something.
    Say(Level, String),
    /// Open a forward to a target.
    StartForward(crate::model::forward::ForwardTarget),
    /// Stop a forward.
    StopForward(super::message::ForwardId),
    /// A shell in a container.
    Shell(PodKey, crate::model::key::Text),
    /// The draft of an object, and what becomes of one that is there already; whether a Secret's content was asked for.
    Draft(ResourceKey, bool, Kept),
    /// The editor on a draft that is there.
    EditAgain(super::message::TaskId, ResourceKey),
    /// Leave a draft for later.
    KeepDraft(ResourceKey),
    /// Throw a draft away.
    DiscardDraft(ResourceKey),
    /// Write what a draft changes.
    WriteEdit(Box<crate::model::edit::Editing>),
    /// Ask whether a Secret's content is to be fetched.
    AskContent(ResourceKey),
    /// Fetch a Secret's content, as a person has confirmed.
    FetchContent(ResourceKey),
    /// Save a text to a file of that name.
    Save(String, Private),
    /// Look at a copy of a text elsewhere.
    View(super::effect::Viewer, String, Private),
    /// Ask whether that shall be done to an object.
    Act(Verb, ResourceKey),
    /// Do something with an object, as a command does.
    With(super::command::With, ResourceKey),
    /// What a key of the page does.
    Do(Action),
    /// Write to an object, unless a write to it is under way.
    WriteObject(Box<ObjectWrite>),
    /// Write, unless a write to that object is under way.
    Write(AppKey, crate::model::action::Action),
}

impl Wish {
    /// To the revisions of an application.
    pub fn revisions(app: AppKey) -> Self {
        Self::Open(Box::new(Page::Revisions(Table::new(RevisionRows::new(app)))))
    }

    /// To what was applied for an application against what is there now; the cursor on an object, where one is meant.
    pub fn drift(app: AppKey, object: Option<ResourceKey>) -> Self {
        Self::Open(Box::new(Page::Diff(Box::new(DiffPage::new(Comparison::Drift(app, false)).on_object(object)))))
    }
}

/// What came of a key: whether it was taken, and what is wished.
#[derive(Debug, Default)]
pub struct Reaction {
    /// Whether the key meant something here.
    pub taken: bool,
    /// What is to be done.
    pub wishes: Vec<Wish>,
}

impl Reaction {
    /// Taken, with nothing more to do.
    pub fn taken() -> Self {
        Self { taken: true, wishes: Vec::new() }
    }

    /// Not a key of this place.
    pub fn ignored() -> Self {
        Self::default()
    }

    /// Taken, with a wish.
    pub fn wish(wish: Wish) -> Self {
        Self { taken: true, wishes: vec![wish] }
    }

    /// Taken when the place said so.
    pub fn when(taken: bool) -> Self {
        Self { taken, wishes: Vec::new() }
    }
}

/// Delegates to whichever table a page holds.
macro_rules! each {
    ($page:expr, table $table:ident => $on_table:expr, app $app:ident => $on_app:expr, log $log:ident => $on_log:expr, tree $tree:ident => $on_tree:expr, object $object:ident => $on_object:expr, diff $diff:ident => $on_diff:expr, why $why:ident => $on_why:expr) => {
        match $page {
            Page::Applications($table) => $on_table,
            Page::Approvals($table) => $on_table,
            Page::Clusters($table) => $on_table,
            Page::Pods($table) => $on_table,
            Page::Forwards($table) => $on_table,
            Page::Events($table) => $on_table,
            Page::Application($app) => $on_app,
            Page::Logs($log) => $on_log,
            Page::Tree($tree) => $on_tree,
            Page::Object($object) => $on_object,
            Page::Revisions($table) => $on_table,
            Page::Diff($diff) => $on_diff,
            Page::Problems($table) => $on_table,
            Page::Why($why) => $on_why,
        }
    };
}

impl Page {
    /// Home.
    pub fn home() -> Self {
        Self::Applications(Table::new(ApplicationRows))
    }

    /// What waits for approval.
    pub fn approvals() -> Self {
        Self::Approvals(Table::new(ApprovalRows))
    }

    /// The clusters.
    pub fn clusters() -> Self {
        Self::Clusters(Table::new(ClusterRows))
    }

    /// The open forwards.
    pub fn forwards() -> Self {
        Self::Forwards(Table::new(ForwardRows))
    }

    /// Events.
    pub fn events(scope: EventScope) -> Self {
        Self::Events(Table::new(EventRows::new(scope)))
    }

    /// What is wrong.
    pub fn problems() -> Self {
        Self::Problems(Table::new(ProblemRows))
    }

    /// Which keys work here.
    pub fn view(&self) -> View {
        match self {
            Self::Applications(_) => View::Applications,
            Self::Application(_) => View::Application,
            Self::Approvals(_) => View::Approvals,
            Self::Clusters(_) => View::Clusters,
            Self::Pods(_) => View::Pods,
            Self::Logs(page) if page.opened().is_some() => View::LogLine,
            Self::Logs(page) if page.panel().is_some() => View::LogSources,
            Self::Logs(_) => View::Logs,
            Self::Forwards(_) => View::Forwards,
            Self::Tree(page) if page.beside().is_some() => View::SideBySide,
            Self::Tree(_) => View::Tree,
            Self::Object(page) => page.view(),
            Self::Events(_) => View::Events,
            Self::Revisions(_) => View::Revisions,
            Self::Diff(_) => View::Diff,
            Self::Why(_) => View::Why,
            Self::Problems(_) => View::Problems,
        }
    }

    /// Brings what is shown up to what is known.
    pub fn settle(&mut self, world: &World) {
        each!(self, table table => table.settle(world), app page => page.settle(world), log page => page.settle(world), tree page => page.settle(world), object _page => {}, diff page => page.settle(world), why page => page.settle(world));
    }

    /// When what is shown is to be brought up to what is known though nothing comes, if so.
    pub fn next_tick(&self) -> Option<Timestamp> {
        each!(self, table table => table.next_tick(), app _page => None, log page => page.next_tick(), tree _page => None, object _page => None, diff _page => None, why _page => None)
    }

    /// Obeys a key.
    pub fn on_action(&mut self, action: Action, world: &World) -> Reaction {
        match self {
            Self::Applications(table) => applications::on_action(table, action, world),
            Self::Application(page) => page.on_action(action, world),
            Self::Approvals(table) => approvals::on_action(table, action, world),
            Self::Clusters(table) => clusters::on_action(table, action, world),
            Self::Pods(table) => pods::on_action(table, action, world),
            Self::Logs(page) => page.on_action(action, world),
            Self::Forwards(table) => forwards::on_action(table, action, world),
            Self::Tree(page) => page.on_action(action),
            Self::Object(page) => page.on_action(action, world),
            Self::Events(table) => events::on_action(table, action, world),
            Self::Revisions(table) => revisions::on_action(table, action, world),
            Self::Diff(page) => page.on_action(action, world),
            Self::Why(page) => page.on_action(action, world),
            Self::Problems(table) => problems::on_action(table, action, world),
        }
    }

    /// The filter in force.
    pub fn filter(&self) -> &Filter {
        each!(self, table table => table.filter(), app page => page.filter(), log page => page.filter(), tree page => page.filter(), object page => page.filter(), diff page => page.filter(), why page => page.filter())
    }

    /// Takes a filter as it is typed.
    pub fn set_filter(&mut self, raw: &str) {
        each!(self, table table => table.set_filter(raw), app page => page.set_filter(raw), log page => page.set_filter(raw), tree page => page.set_filter(raw), object page => page.set_filter(raw), diff page => page.set_filter(raw), why page => page.set_filter(raw));
    }

    /// Takes where the list was drawn.
    pub fn on_drawn(&mut self, offset: usize, height: usize) {
        each!(self, table table => table.on_drawn(offset, height), app page => page.on_drawn(offset, height), log page => page.on_drawn(offset, height), tree page => page.on_drawn(offset, height), object page => page.on_drawn(offset, height), diff page => page.on_drawn(offset, height), why page => page.on_drawn(offset, height));
    }

    /// The page comes into sight: again or for the first time.
    pub fn on_enter(&mut self, world: &mut World) -> Vec<Effect> {
        match self {
            Self::Logs(page) => page.on_enter(world),
            Self::Tree(page) => page.on_enter(world),
            Self::Object(page) => page.on_enter(world),
            Self::Events(table) => table.rows.on_enter(world),
            Self::Revisions(table) => revisions::on_enter(table, world),
            Self::Diff(page) => page.on_enter(world),
            Self::Why(page) => page.on_enter(world),
            _ => Vec::new(),
        }
    }

    /// The page goes out of sight.
    pub fn on_leave(&mut self) -> Vec<Effect> {
        match self {
            Self::Logs(page) => page.on_leave(),
            Self::Tree(page) => page.on_leave(),
            Self::Object(page) => page.on_leave(),
            Self::Events(table) => {
                // The rows go with the watch.
                table.forget();
                table.rows.on_leave()
            }
            Self::Revisions(table) => revisions::on_leave(table),
            Self::Diff(page) => page.on_leave(),
            Self::Why(page) => page.on_leave(),
            _ => Vec::new(),
        }
    }
}
