//! Shall an object be restarted, scaled or deleted? The dialog names hub, cluster, object and effect; it is asked only of
//! what was read fresh, and only where it is permitted.

use crossterm::event::KeyCode;
use jiff::Timestamp;

use super::guard::Guard;
use crate::{
    app::{
        burst::Burst,
        dialog::Press,
        keymap::Key,
        line_edit::LineEdit,
        message::TaskId,
        page::{Reaction, Wish},
        world::World,
    },
    model::{
        acting::{Deed, Keeper, ObjectWrite, Prepared, Verb},
        key::Text,
        resource::ResourceKey,
    },
};

/// Most pods that are asked for here: more is a slip.
const MOST_REPLICAS: i64 = 10_000;

/// Where the focus is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Focus {
    /// On Cancel: where it starts.
    Cancel,
    /// On the number of pods.
    Number,
    /// On the button that confirms.
    Confirm,
}

/// The dialog.
#[derive(Debug)]
pub struct ActDialog {
    /// The object.
    pub key: ResourceKey,
    /// What is to be done to it.
    pub verb: Verb,
    /// What goes along, as far as the page that it was asked on knows.
    pub along: Vec<String>,
    /// What was read of the object; why it could not be.
    pub prepared: Option<Result<Box<Prepared>, Text>>,
    /// How many pods were asked for before the dialog opened.
    pub asked: Option<i64>,
    /// The number of pods, as typed.
    pub number: LineEdit,
    /// Where the focus is.
    pub focus: Focus,
    /// Why the last confirmation was of no use.
    pub refusal: Option<String>,
    /// When confirmations count.
    pub guard: Guard,
    task: TaskId,
}

impl ActDialog {
    /// Asks; `task` reads the object meanwhile.
    pub fn new(key: ResourceKey, verb: Verb, along: Vec<String>, task: TaskId) -> Self {
        Self {
            key,
            verb,
            along,
            prepared: None,
            asked: None,
            number: LineEdit::default(),
            focus: Focus::Cancel,
            refusal: None,
            guard: Guard::default(),
            task,
        }
    }

    /// The object has been read, unless that was for another dialog. True when it was for this one.
    pub fn on_prepared(&mut self, task: TaskId, prepared: Result<Box<Prepared>, Text>) -> bool {
        if self.task != task {
            return false;
        }
        if let Ok(Prepared { replicas: Some(replicas), .. }) = prepared.as_deref().map_err(drop) {
            self.number.set(&self.asked.unwrap_or(*replicas).to_string());
        }
        self.prepared = Some(prepared);
        self.guard.reset();
        self.refusal = None;
        true
    }

    /// The frame has been written.
    pub fn on_written(&mut self, at: Timestamp) {
        if self.prepared.is_some() {
            self.guard.on_written(at);
        }
    }

    /// The effect in one sentence.
    pub fn effect(&self) -> String {
        let pods = |count: i64| if count == 1 { "1 pod".to_owned() } else { format!("{count} pods") };
        let replicas = self.read().and_then(|prepared| prepared.replicas);
        match (self.verb, replicas) {
            (Verb::Restart, Some(replicas)) => {
                format!("new pods take the place of its {}, as its strategy says", pods(replicas))
            }
            (Verb::Restart, None) => "new pods take the place of its pods, as its strategy says".to_owned(),
            (Verb::Scale, Some(from)) => match self.wanted() {
                Ok(to) if to > from => format!("{} start, beside the {from} there are", pods(to - from)),
                Ok(0) => format!("all its {} end: nothing serves any more", pods(from)),
                Ok(to) if to < from => format!("{} of its {from} end", pods(from - to)),
                _ => format!("it wants {} now: type how many", pods(from)),
            },
            (Verb::Scale, None) => "another number of pods".to_owned(),
            (Verb::Delete, _) => match &*self.key.kind {
                "Application" => "it goes, and everything it made in every cluster".to_owned(),
                "Pod" => "it ends, within the time it is given for that".to_owned(),
                "Namespace" => "it goes with everything in it".to_owned(),
                _ => "it goes, and in the background everything that it owns".to_owned(),
            },
        }
    }

    /// What becomes of it afterwards, where something else looks after it.
    pub fn afterwards(&self) -> Option<String> {
        let keeper = self.read()?.keeper.as_ref()?;
        Some(match (self.verb, keeper) {
            (Verb::Scale, Keeper::Owner(owner)) => format!("{owner} owns it, and puts its own number back"),
            (Verb::Scale, Keeper::Flux(release)) => {
                format!("{release} made it, and puts its own number back with its next upgrade or correction of drift")
            }
            (Verb::Scale, Keeper::KubeVela(app)) => match self.read()?.states_replicas {
                Some(true) => format!("KubeVela keeps it as {app} says: the number is put back within minutes"),
                Some(false) => {
                    format!("KubeVela keeps it as {app} says, which leaves the number of pods open: it stays")
                }
                None => format!(
                    "KubeVela keeps it as {app} says: the number is put back within minutes, unless the application leaves it open"
                ),
            },
            (Verb::Delete, Keeper::Owner(owner)) => format!("{owner} makes another in its place"),
            (Verb::Delete, Keeper::Flux(release)) => {
                format!("{release} made it, and makes it again with its next upgrade or correction of drift")
            }
            (Verb::Delete, Keeper::KubeVela(app)) if &*self.key.kind != "Application" => {
                format!("KubeVela keeps {app} as it says, and makes it again within minutes")
            }
            (Verb::Restart, _) | (Verb::Delete, Keeper::KubeVela(_)) => return None,
        })
    }

    /// What was read of the object.
    pub fn read(&self) -> Option<&Prepared> {
        self.prepared.as_ref()?.as_deref().ok()
    }

    /// Why it cannot be done at all, if so.
    pub fn barred(&self) -> Option<String> {
        match &self.prepared {
            None => None,
            Some(Err(reason)) => Some(reason.to_string()),
            Some(Ok(prepared)) => match prepared.refusal(self.verb) {
                Some(needs) => Some(format!("not permitted in {}: {needs}", self.key.cluster)),
                None if prepared.deleting => Some(match prepared.finalizers.as_slice() {
                    [] => "it is being deleted already".to_owned(),
                    finalizers => format!("it is being deleted already, and waits for {}", finalizers.join(", ")),
                }),
                None => None,
            },
        }
    }

    fn wanted(&self) -> Result<i64, &'static str> {
        match self.number.text().trim().parse::<i64>() {
            Ok(number) if number > MOST_REPLICAS => Err("that are more pods than anybody means"),
            Ok(number) if number >= 0 => Ok(number),
            _ => Err("type a number of pods"),
        }
    }

    /// Obeys a key.
    pub fn on_key(&mut self, press: Press<'_>, world: &World) -> Reaction {
        let key = Key::of(press.event);
        if key.code == KeyCode::Esc || key == Key::ctrl('c') || key == Key::ctrl('g') {
            return Reaction::wish(Wish::Close);
        }
        if !self.guard.is_armed(press.time) {
            // While it is read there is nothing yet to be confirmed too early.
            self.guard.dropped += u32::from(self.prepared.is_some());
            return Reaction::taken();
        }
        let types = self.verb == Verb::Scale && matches!(key.code, KeyCode::Char('0'..='9'));
        if types && self.focus != Focus::Number {
            // Typing begins the number anew, without tab before it.
            self.focus = Focus::Number;
            self.number.set("");
        }
        match (self.focus, key.code) {
            (_, KeyCode::Tab | KeyCode::Down) => self.focus = self.next_focus(true),
            (_, KeyCode::BackTab | KeyCode::Up) => self.focus = self.next_focus(false),
            (Focus::Cancel | Focus::Confirm, KeyCode::Left | KeyCode::Right) => {
                self.focus = self.next_focus(key.code == KeyCode::Right);
            }
            (Focus::Confirm | Focus::Number, KeyCode::Enter) | (_, KeyCode::Char('y')) => self.guard.hold(press.time),
            (Focus::Cancel, KeyCode::Enter) | (_, KeyCode::Char('n' | 'q')) => return Reaction::wish(Wish::Close),
            (Focus::Number, code) if types || !matches!(code, KeyCode::Char(_)) => {
                (self.refusal, self.guard.refusal) = (None, None);
                self.number.on_key(key);
            }
            _ => {}
        }
        self.on_change(world, press.burst)
    }

    fn next_focus(&self, forward: bool) -> Focus {
        let all: &[Focus] = if self.verb == Verb::Scale {
            &[Focus::Cancel, Focus::Number, Focus::Confirm]
        } else {
            &[Focus::Cancel, Focus::Confirm]
        };
        let at = all.iter().position(|focus| *focus == self.focus).unwrap_or(0);
        let next = if forward { at + 1 } else { at + all.len() - 1 };
        all.get(next % all.len()).copied().unwrap_or(Focus::Cancel)
    }

    /// Looks again: is the held confirmation a person's?
    pub fn on_change(&mut self, world: &World, burst: &Burst) -> Reaction {
        if !self.guard.confirms(world.now, burst) {
            return Reaction::taken();
        }
        match self.write() {
            Ok(write) => Reaction { taken: true, wishes: vec![Wish::Close, Wish::WriteObject(Box::new(write))] },
            Err(refusal) => {
                self.refusal = Some(refusal);
                Reaction::taken()
            }
        }
    }

    fn write(&self) -> Result<ObjectWrite, String> {
        if let Some(barred) = self.barred() {
            return Err(barred);
        }
        let Some(prepared) = self.read() else { return Err("it is still being read".to_owned()) };
        let deed = match (self.verb, prepared.replicas) {
            (Verb::Scale, Some(from)) => {
                let to = self.wanted()?;
                if to == from {
                    return Err(format!("it wants {from} already: type another number"));
                }
                Deed::Scale { from, to }
            }
            (Verb::Scale, None) => return Err("it has no number of pods".to_owned()),
            (Verb::Restart, _) => Deed::Restart,
            (Verb::Delete, _) => Deed::Delete,
        };
        Ok(ObjectWrite {
            key: self.key.clone(),
            path: prepared.path.clone(),
            uid: prepared.uid.clone(),
            resource_version: prepared.resource_version.clone(),
            deed,
        })
    }
}
