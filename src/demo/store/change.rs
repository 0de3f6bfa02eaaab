//! Changes: what enters and moves, and how names and uids are drawn.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::remove::waits_for_dependents;
use super::{Deletion, Event, Happened, Key, METADATA, Object, State, Store};
use crate::demo::clock;
use crate::demo::kinds::{self, Kind};
use crate::demo::status::Status;

/// What a change makes of an object.
#[derive(Debug)]
pub(crate) enum Change {
    /// Nothing differs: no revision, no event.
    Unchanged,
    /// The object as it is from now on.
    Put(Value),
}

impl Object {
    pub(super) fn new(mut value: Value, revision: u64) -> Self {
        let mut metadata = value.get_mut("metadata").map(Value::take).unwrap_or_default();
        if !metadata.is_object() {
            metadata = Value::Object(Map::new());
        }
        if revision > 0 {
            metadata["resourceVersion"] = revision.to_string().into();
        }
        // Metadata first, as all of Kubernetes' own kinds have it, and custom resources but for rare ones.
        let mut json = Vec::with_capacity(1024);
        json.extend_from_slice(METADATA.as_bytes());
        json.extend_from_slice(metadata.to_string().as_bytes());
        let length = json.len();
        let fields = value.as_object().into_iter().flatten();
        for (field, value) in fields.filter(|(field, _)| !matches!(field.as_str(), "kind" | "apiVersion" | "metadata"))
        {
            json.push(b',');
            json.extend_from_slice(Value::from(field.as_str()).to_string().as_bytes());
            json.push(b':');
            // Writing into memory cannot fail.
            let _ = serde_json::to_writer(&mut json, value);
        }
        json.push(b'}');
        let text = |key: &str| metadata.get(key).and_then(Value::as_str).unwrap_or_default();
        let labels = metadata.get("labels").and_then(Value::as_object);
        let labels = labels
            .into_iter()
            .flatten()
            .filter_map(|(name, value)| Some((name.as_str().into(), value.as_str()?.into())));
        let owners = metadata.get("ownerReferences").and_then(Value::as_array);
        let owners = owners.into_iter().flatten().filter_map(|owner| Some(owner.get("uid")?.as_str()?.into()));
        json.shrink_to_fit();
        Self {
            key: Key::new(text("namespace"), text("name")),
            uid: text("uid").into(),
            revision,
            labels: labels.collect(),
            owners: owners.collect(),
            deleting: metadata.get("deletionTimestamp").is_some_and(Value::is_string),
            json: Bytes::from(json),
            metadata: length,
        }
    }
}

impl Object {
    /// An object that is worked out and not stored: it has no revision.
    pub(crate) fn computed(value: Value) -> Self {
        Self::new(value, 0)
    }

    /// The same object with another revision.
    pub(crate) fn as_of(&self, kind: &Kind, revision: u64) -> Self {
        Self::new(self.value(kind), revision)
    }
}

impl Store {
    /// Adds an object; a missing name is generated, a missing uid drawn. Only what is not there yet can be created.
    pub(crate) fn create(&self, kind: &'static Kind, mut value: Value, dry_run: bool) -> Result<Arc<Object>, Status> {
        let mut state = self.lock();
        let namespace = value["metadata"]["namespace"].as_str().unwrap_or_default().to_owned();
        if kind.namespaced {
            if !state.stocks[kinds::core("namespaces").index()].objects.contains_key(&Key::new("", &namespace)) {
                return Err(Status::not_found(kinds::core("namespaces"), &namespace));
            }
            if state.terminating.contains(&*namespace) {
                let name = value["metadata"]["name"].as_str().unwrap_or_default();
                return Err(Status::terminating(kind, name, &namespace));
            }
        }
        let name = match value["metadata"]["name"].as_str() {
            Some(name) if !name.is_empty() => name.to_owned(),
            _ => {
                let prefix = value["metadata"]["generateName"].as_str().unwrap_or_default().to_owned();
                self.draw_name(&mut state, kind.index(), &namespace, &prefix)
            }
        };
        let key = Key::new(&namespace, &name);
        if state.stocks[kind.index()].objects.contains_key(&key) {
            return Err(Status::already_exists(kind, &name));
        }
        value["metadata"]["name"] = name.into();
        if value["metadata"]["uid"].as_str().is_none_or(str::is_empty) {
            value["metadata"]["uid"] = self.draw_uid(&mut state, kind.index(), &key).into();
        }
        if dry_run {
            return Ok(Arc::new(Object::new(value, state.revision)));
        }
        let created = self.put(&mut state, kind.index(), value);
        // A controller may not know yet that the owner is gone; then what it makes has nobody, and goes too.
        if !created.owners.is_empty() && !created.owners.iter().any(|owner| state.by_uid.contains_key(owner)) {
            self.delete_one(&mut state, kind.index(), &created.key, &Deletion::default());
        } else if created.owners.iter().any(|owner| waits_for_dependents(&state, owner)) {
            // Or that the owner only waits for what it owns to go.
            let too = Deletion { foreground: true, ..Deletion::default() };
            self.delete_one(&mut state, kind.index(), &created.key, &too);
        }
        Ok(created)
    }

    /// Puts an object as it is, status and uid and times included; for what an estate starts with.
    pub(crate) fn place(&self, kind: &'static Kind, mut value: Value) -> Arc<Object> {
        let mut state = self.lock();
        if !value["metadata"].is_object() {
            value["metadata"] = json!({});
        }
        if value["metadata"]["uid"].as_str().is_none_or(str::is_empty) {
            let text = |field: &str| value["metadata"][field].as_str().unwrap_or_default();
            let key = Key::new(text("namespace"), text("name"));
            value["metadata"]["uid"] = self.draw_uid(&mut state, kind.index(), &key).into();
        }
        if value["metadata"]["creationTimestamp"].as_str().is_none() {
            value["metadata"]["creationTimestamp"] = clock::now().into();
        }
        self.put(&mut state, kind.index(), value)
    }

    /// Changes an object by what `decide` makes of it, with nothing in between. An object that only waited for its
    /// finalizers goes with the last of them.
    pub(crate) fn change(
        &self,
        kind: &'static Kind,
        key: &Key,
        dry_run: bool,
        decide: impl FnOnce(&Object, Value) -> Result<Change, Status>,
    ) -> Result<Arc<Object>, Status> {
        let mut state = self.lock();
        let current = state.stocks[kind.index()].objects.get(key).cloned();
        let current = current.ok_or_else(|| Status::not_found(kind, &key.name))?;
        let Change::Put(value) = decide(&current, current.value(kind))? else { return Ok(current) };
        if dry_run {
            return Ok(Arc::new(Object::new(value, current.revision)));
        }
        let metadata = &value["metadata"];
        let done = metadata["deletionTimestamp"].is_string()
            && metadata["finalizers"].as_array().is_none_or(Vec::is_empty)
            && metadata["deletionGracePeriodSeconds"].as_i64().unwrap_or(0) == 0;
        if done {
            let last = Arc::new(Object::new(value, state.revision));
            self.remove(&mut state, kind.index(), key);
            return Ok(last);
        }
        Ok(self.put(&mut state, kind.index(), value))
    }

    pub(super) fn put(&self, state: &mut State, index: usize, value: Value) -> Arc<Object> {
        state.revision += 1;
        let object = Arc::new(Object::new(value, state.revision));
        let previous = state.stocks[index].objects.insert(object.key.clone(), Arc::clone(&object));
        if let Some(previous) = &previous {
            unindex(state, index, previous);
        }
        state.by_uid.insert(object.uid.clone(), (index, object.key.clone()));
        for owner in &object.owners {
            state.dependents.entry(owner.clone()).or_default().insert((index, object.key.clone()));
        }
        let happened = if previous.is_some() { Happened::Modified } else { Happened::Added };
        self.record(state, index, Event::new(happened, Arc::clone(&object), previous));
        object
    }

    pub(super) fn record(&self, state: &mut State, index: usize, event: Arc<Event>) {
        let stock = &mut state.stocks[index];
        stock.events.push_back(event);
        while stock.events.len() > self.history {
            if let Some(oldest) = stock.events.pop_front() {
                stock.forgotten = oldest.object.revision;
            }
        }
        stock.changed.send_replace(());
    }

    /// Draws for something: another number each time, and the same ones in the same order from the same seed.
    fn draw(&self, state: &mut State, what: u64) -> u64 {
        let times = state.drawn.entry(what).or_default();
        *times += 1;
        mix(self.seed ^ mix(what ^ mix(u64::from(*times))))
    }

    fn draw_uid(&self, state: &mut State, index: usize, key: &Key) -> String {
        let high = self.draw(state, hash(&[&index.to_string(), &key.namespace, &key.name]));
        let low = mix(high);
        let (high, low) = (high & !0xf000 | 0x4000, low & !(3 << 62) | (1 << 63));
        format!(
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            high >> 32,
            high >> 16 & 0xffff,
            high & 0xffff,
            low >> 48,
            low & 0xffff_ffff_ffff
        )
    }

    /// A name that begins so and that no object has. Its end is five of the letters that Kubernetes draws from: none
    /// that spell words.
    fn draw_name(&self, state: &mut State, index: usize, namespace: &str, prefix: &str) -> String {
        const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
        loop {
            let drawn = self.draw(state, hash(&[&index.to_string(), namespace, prefix, "*"]));
            let suffix = (0..5).map(|at| char::from(LETTERS[(drawn >> (at * 12)) as usize % LETTERS.len()]));
            let name: String = prefix.chars().chain(suffix).collect();
            if !state.stocks[index].objects.contains_key(&Key::new(namespace, &name)) {
                return name;
            }
        }
    }
}

/// Of some texts, told apart.
fn hash(texts: &[&str]) -> u64 {
    texts.iter().fold(0, |hash, text| text.bytes().fold(mix(hash ^ 1), |hash, byte| mix(hash ^ u64::from(byte) << 8)))
}

/// A good hash of one number (splitmix64): the estate's only source of chance.
pub(crate) fn mix(seed: u64) -> u64 {
    let mut mixed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}

pub(super) fn unindex(state: &mut State, index: usize, object: &Object) {
    state.by_uid.remove(&object.uid);
    for owner in &object.owners {
        if let Some(dependents) = state.dependents.get_mut(owner) {
            dependents.remove(&(index, object.key.clone()));
            if dependents.is_empty() {
                state.dependents.remove(owner);
            }
        }
    }
}
