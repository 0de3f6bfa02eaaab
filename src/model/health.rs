//! How a thing stands: the one place that decides.
//!
//! The hub's word is not the truth: KubeVela goes on saying "running, healthy" when a cluster is dead and when every
//! pod crash-loops. So three sources are joined: `hub` reads the status, `place` looks at one cluster with its link
//! and its live pods, and [`judge`] lets the worst win and says where they disagree.

mod hub;
mod place;

use jiff::Timestamp;

pub use place::failing;

use super::{
    application::Application,
    cluster::LinkState,
    key::{ClusterId, Text},
    pod::Pod,
};

/// The classes of health, worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Health {
    /// Something is wrong and stays so without help.
    Failed,
    /// Nobody can say: the cluster does not answer, or the object is not readable.
    Unknown,
    /// Waits for a person.
    Waiting,
    /// On its way.
    Progressing,
    /// Not reached yet.
    Pending,
    /// As wanted.
    Ok,
    /// Was there, is not; counts only where the thing is still wanted.
    Gone,
}

impl Health {
    /// Every class, worst first.
    pub const ALL: [Self; 7] =
        [Self::Failed, Self::Unknown, Self::Waiting, Self::Progressing, Self::Pending, Self::Ok, Self::Gone];

    /// The word for it, in JSON output too.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Unknown => "unknown",
            Self::Waiting => "waiting",
            Self::Progressing => "progressing",
            Self::Pending => "pending",
            Self::Ok => "ok",
            Self::Gone => "gone",
        }
    }

    /// The worse of two.
    #[must_use]
    pub fn worst(self, other: Self) -> Self {
        self.min(other)
    }
}

/// How an application stands: the hub's word, the links and the live pods joined; the worst wins.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// The class.
    pub health: Health,
    /// STATUS in the user's words, without the age: "waiting for approval", "deploying to foo", "unhealthy 3/4".
    pub status: Text,
    /// Since when STATUS holds, where an age is told behind it.
    pub since: Option<Timestamp>,
    /// One sentence of why, where the state is not plain ("2/2 pods CrashLoopBackOff in us-e").
    pub reason: Option<Text>,
    /// Clusters it is meant to reach, each with its own class.
    pub clusters: Vec<ClusterStanding>,
    /// Services that are well.
    pub ready: u32,
    /// Services.
    pub total: u32,
    /// Steps done, steps in all.
    pub steps: (u32, u32),
    /// The step it stands at ("manual-approval"), when it stands at one.
    pub at_step: Option<Text>,
}

/// How an application stands in one cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct ClusterStanding {
    /// The cluster.
    pub cluster: ClusterId,
    /// The class.
    pub health: Health,
    /// Services that are well there.
    pub ready: u32,
    /// Services there.
    pub total: u32,
    /// Why it is not well.
    pub reason: Option<Text>,
}

/// How an application stands. `pods` are those that belong to it; `link` tells how a cluster's link stands, `None`
/// where nobody asked, and then only the hub's word counts for it.
pub fn judge<'a>(app: &Application, pods: &[&Pod], link: &dyn Fn(&ClusterId) -> Option<&'a LinkState>) -> Standing {
    let word = hub::word(app);
    let places = place::places(app, pods, link);
    let (ready, total) = places
        .iter()
        .fold((0, 0), |(ready, total), place| (ready + place.standing.ready, total + place.standing.total));
    let mut standing = Standing {
        health: word.health,
        status: word.status.as_str().into(),
        since: word.since,
        reason: word.reason.as_deref().map(Into::into),
        clusters: Vec::new(),
        ready,
        total,
        steps: if app.workflow_is_current() { app.progress() } else { (0, app.steps.len() as u32) },
        at_step: word.at_step.clone(),
    };
    // What is being deleted goes everywhere: its dying pods are no news.
    let deleting = app.deleting_since.is_some();
    if !deleting {
        overrule(&mut standing, &word, &places);
    }
    let lost: Vec<&place::Place> = places.iter().filter(|place| place.standing.health == Health::Unknown).collect();
    if !lost.is_empty() {
        say_lost(&mut standing, &word, &lost);
    }
    if let Some(what) = app.malformed.iter().find(|what| !what.starts_with("spec"))
        && standing.health > Health::Unknown
    {
        standing.health = Health::Unknown;
        standing.reason = Some(format!("not as expected: {what}").into());
    }
    standing.clusters = places.into_iter().map(|place| place.standing).collect();
    standing
}

/// Lets what is live in the clusters overrule the hub's word.
fn overrule(standing: &mut Standing, word: &hub::Word, places: &[place::Place]) {
    let worst = |health| places.iter().filter(move |place| place.standing.health == health);
    if let Some(first) = worst(Health::Failed).next() {
        let said = word.health == Health::Failed && word.reason.is_some() && !first.by_pods;
        if !said {
            let mut reasons: Vec<String> = worst(Health::Failed).filter_map(place::Place::sentence).collect();
            reasons.truncate(3);
            if !reasons.is_empty() {
                standing.reason = Some(reasons.join("; ").into());
            }
        }
        if word.health == Health::Ok {
            standing.status = hub::unhealthy(standing.ready, standing.total).into();
        }
        standing.health = Health::Failed;
    } else if word.health == Health::Ok
        && let Some(first) = worst(Health::Progressing).next()
    {
        standing.health = Health::Progressing;
        if let Some(sentence) = first.sentence() {
            standing.status = sentence.into();
        }
    }
}

/// Says which clusters nobody can speak for.
fn say_lost(standing: &mut Standing, word: &hub::Word, lost: &[&place::Place]) {
    let mut names: Vec<String> = lost.iter().take(3).map(|place| place.standing.cluster.to_string()).collect();
    if lost.len() > names.len() {
        names.push(format!("{} more", lost.len() - names.len()));
    }
    let names = format!("{} unreachable", names.join(", "));
    if standing.health == Health::Failed {
        let reason = standing.reason.take();
        standing.reason = Some(reason.map_or_else(|| names.clone(), |reason| format!("{reason}; {names}")).into());
        return;
    }
    standing.health = Health::Unknown;
    let sentence = format!("hub says {}; {names}", word.status);
    if word.health == Health::Ok {
        standing.status = sentence.as_str().into();
        standing.since = None;
    }
    standing.reason = Some(sentence.into());
}
