//! Why something stands as it does: the chain from it to the cause, across clusters.
//!
//! [`explain`] is a pure function of what is known. What the store knows is enough to begin with (rows, links, pods);
//! what was looked up besides ([`Looked`]: the tree, containers, events, last log lines) carries the chain on to its
//! end. Where something could not be asked the chain says so, and goes on with what is known.

mod application;
mod elsewhere;
pub mod facts;
mod object;
mod pod;
mod words;

use jiff::Timestamp;

use super::{
    application::Application,
    cluster::LinkState,
    health::{Health, Standing},
    key::{AppKey, ClusterId, PodKey, Text},
    pod::Pod,
    resource::ResourceKey,
};

pub use facts::Looked;
pub use object::suspects;

/// What is asked about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// An application as a whole.
    Application(AppKey),
    /// A step of its workflow, by name.
    Step(AppKey, Text),
    /// What an application made in a cluster.
    Place(AppKey, ClusterId),
    /// A component of it in a cluster: namespace (may be empty) and name.
    Component(AppKey, ClusterId, Text, Text),
    /// A cluster itself.
    Cluster(ClusterId),
    /// An object that an application made.
    Object(AppKey, ResourceKey),
    /// A pod of which no application is known.
    Stray(PodKey),
}

impl Subject {
    /// The application that it belongs to, where it does.
    pub fn app(&self) -> Option<&AppKey> {
        match self {
            Self::Application(app)
            | Self::Step(app, _)
            | Self::Place(app, _)
            | Self::Component(app, ..)
            | Self::Object(app, _) => Some(app),
            Self::Cluster(_) | Self::Stray(_) => None,
        }
    }
}

impl std::fmt::Display for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Application(app) => write!(f, "{app}"),
            Self::Step(app, step) => write!(f, "{app} › {step}"),
            Self::Place(app, cluster) => write!(f, "{app} in {cluster}"),
            Self::Component(app, cluster, _, name) => write!(f, "{app} › {name} in {cluster}"),
            Self::Cluster(cluster) => write!(f, "cluster {cluster}"),
            Self::Object(_, key) => write!(f, "{}/{} in {}", key.kind, key.name, key.cluster),
            Self::Stray(pod) => write!(f, "{pod}"),
        }
    }
}

/// What is known of the subject, beside what was looked up for it.
pub struct Known<'a> {
    /// Its application and how that stands.
    pub app: Option<(&'a Application, &'a Standing)>,
    /// The application's pods; of a stray pod: that one.
    pub pods: Vec<&'a Pod>,
    /// How the link to a cluster stands.
    pub link: &'a dyn Fn(&ClusterId) -> Option<&'a LinkState>,
    /// The version of a cluster's API server, where that is known.
    pub version: &'a dyn Fn(&ClusterId) -> Option<&'a Text>,
    /// Of a cluster: how many applications have to do with it.
    pub applications: usize,
    /// What was looked up; `None`: nothing yet.
    pub looked: Option<&'a Looked>,
}

/// One link of the chain.
#[derive(Clone, Debug, PartialEq)]
pub struct Link {
    /// Levels below the first.
    pub depth: usize,
    /// What it is about, and where a jump leads.
    pub what: Place,
    /// How that stands.
    pub health: Health,
    /// Why, in one sentence.
    pub reason: Text,
    /// Since when, where that is known.
    pub since: Option<Timestamp>,
    /// What helps, where something is known to.
    pub advice: Option<Advice>,
}

/// What a link is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// An application.
    Application(AppKey),
    /// A step of its workflow, by name.
    Step(AppKey, Text),
    /// A cluster.
    Cluster(ClusterId),
    /// A component of an application in a cluster.
    Component {
        /// The application.
        app: AppKey,
        /// The cluster.
        cluster: ClusterId,
        /// Namespace there.
        namespace: Text,
        /// The component.
        name: Text,
    },
    /// An object.
    Object(ResourceKey),
    /// A container of a pod.
    Container(PodKey, Text),
    /// A warning that was told about an object.
    Event(ResourceKey),
    /// The log of a container; that of the run before where the flag says so.
    Log(PodKey, Text, bool),
}

/// What helps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advice {
    /// In words.
    pub words: Text,
    /// A command to copy, where there is one.
    pub command: Option<Text>,
}

impl Advice {
    /// In words alone.
    pub(crate) fn say(words: impl Into<Text>) -> Self {
        Self { words: words.into(), command: None }
    }

    /// With a command.
    pub(crate) fn run(words: impl Into<Text>, command: impl Into<Text>) -> Self {
        Self { words: words.into(), command: Some(command.into()) }
    }
}

/// The chain, the subject first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Chain {
    /// Its links; those that hang from one follow it, one level deeper.
    pub links: Vec<Link>,
    /// What could not be asked, a sentence each.
    pub gaps: Vec<Text>,
    /// Objects that were looked at for it.
    pub looked_at: usize,
}

impl Chain {
    fn push(&mut self, depth: usize, what: Place, health: Health, reason: impl Into<Text>) -> &mut Link {
        self.links.push(Link { depth, what, health, reason: reason.into(), since: None, advice: None });
        // Just pushed, so the index is there.
        let last = self.links.len() - 1;
        &mut self.links[last]
    }

    /// Whether nothing in it is wrong.
    pub fn is_well(&self) -> bool {
        self.links.iter().all(|link| matches!(link.health, Health::Ok | Health::Pending | Health::Gone))
    }
}

/// Follows the chain from a subject to the cause.
pub fn explain(subject: &Subject, known: &Known<'_>) -> Chain {
    let mut chain = match subject {
        Subject::Cluster(cluster) => of_cluster(cluster, known),
        Subject::Stray(key) => object::stray(key, known),
        Subject::Object(_, key) => object::one(key, known),
        Subject::Application(_) | Subject::Step(..) | Subject::Place(..) | Subject::Component(..) => {
            application::of(subject, known)
        }
    };
    elsewhere::tell(&mut chain, known);
    if let Some(looked) = known.looked {
        chain.gaps = looked.gaps();
        chain.looked_at = looked.objects();
    }
    chain
}

fn of_cluster(cluster: &ClusterId, known: &Known<'_>) -> Chain {
    let mut chain = Chain::default();
    application::push_cluster_link(&mut chain, 0, cluster, known);
    if chain.links.is_empty() {
        chain.push(0, Place::Cluster(cluster.clone()), Health::Ok, "answers, and nothing asked of it is refused");
    }
    let touched = match known.applications {
        0 => "no application has to do with it".to_owned(),
        1 => "1 application has to do with it".to_owned(),
        many => format!("{many} applications have to do with it"),
    };
    if let Some(first) = chain.links.first_mut() {
        first.reason = format!("{}; {touched}", first.reason).into();
    }
    chain
}
