//! Changes: what enters, moves and leaves, with finalizers, grace and the collection of dependents.

use std::sync::Arc;

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::{Event, Happened, Key, Object, State, Store};
use crate::demo::clock;
use crate::demo::kinds::{self, KINDS, Kind};
use crate::demo::status::Status;

/// What a change makes of an object.
#[derive(Debug)]
pub(crate) enum Change {
    /// Nothing differs: no revision, no event.
    Unchanged,
    /// The object as it is from now on.
    Put(Value),
}

/// How something is deleted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Deletion {
    /// Dependents go before their owner.
    pub(crate) foreground: bool,
    /// Dependents stay, without owner.
    pub(crate) orphan: bool,
    /// Seconds; pods only.
    pub(crate) grace: Option<i64>,
    /// Only if the object has this uid.
    pub(crate) uid: Option<String>,
    /// Only if the object is of this revision.
    pub(crate) revision: Option<String>,
    pub(crate) dry_run: bool,
}

const FOREGROUND: &str = "foregroundDeletion";

impl Object {
    fn new(mut value: Value, revision: u64) -> Self {
        let empty = Map::new();
        if let Some(object) = value.as_object_mut() {
            object.shift_remove("kind");
            object.shift_remove("apiVersion");
            if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
                metadata.insert("resourceVersion".to_owned(), revision.to_string().into());
            }
        }
        let metadata = value.get("metadata").and_then(Value::as_object).unwrap_or(&empty);
        let text = |key: &str| metadata.get(key).and_then(Value::as_str).unwrap_or_default();
        let labels = metadata.get("labels").and_then(Value::as_object);
        let labels = labels
            .into_iter()
            .flatten()
            .filter_map(|(name, value)| Some((name.as_str().into(), value.as_str()?.into())));
        let owners = metadata.get("ownerReferences").and_then(Value::as_array);
        let owners = owners.into_iter().flatten().filter_map(|owner| Some(owner.get("uid")?.as_str()?.into()));
        let json = serde_json::to_vec(&value).unwrap_or_else(|_| b"{}".to_vec());
        Self {
            key: Key::new(text("namespace"), text("name")),
            uid: text("uid").into(),
            revision,
            labels: labels.collect(),
            owners: owners.collect(),
            deleting: metadata.get("deletionTimestamp").is_some_and(Value::is_string),
            rest: Bytes::from(json).slice(1..),
        }
    }
}

impl Object {
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
                format!("{prefix}{}", self.draw_suffix(&mut state))
            }
        };
        let key = Key::new(&namespace, &name);
        if state.stocks[kind.index()].objects.contains_key(&key) {
            return Err(Status::already_exists(kind, &name));
        }
        value["metadata"]["name"] = name.into();
        if value["metadata"]["uid"].as_str().is_none_or(str::is_empty) {
            value["metadata"]["uid"] = self.draw_uid(&mut state).into();
        }
        if dry_run {
            return Ok(Arc::new(Object::new(value, state.revision)));
        }
        let created = self.put(&mut state, kind.index(), value);
        // A controller may not know yet that the owner is gone; then what it makes has nobody, and goes too.
        if !created.owners.is_empty() && !created.owners.iter().any(|owner| state.by_uid.contains_key(owner)) {
            self.delete_one(&mut state, kind.index(), &created.key, &Deletion::default());
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
            value["metadata"]["uid"] = self.draw_uid(&mut state).into();
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

    /// Deletes an object, or marks it as being deleted. Answers it as it was left, and whether it is gone.
    pub(crate) fn delete(&self, kind: &'static Kind, key: &Key, how: &Deletion) -> Result<(Arc<Object>, bool), Status> {
        let mut state = self.lock();
        let current = state.stocks[kind.index()].objects.get(key).cloned();
        let current = current.ok_or_else(|| Status::not_found(kind, &key.name))?;
        let unmet = |what: &str, asked: &str, is: &str| {
            let why = format!("Precondition failed: {what} in precondition: {asked}, {what} in object meta: {is}");
            Err(Status::conflict(kind, &key.name, &why))
        };
        if let Some(uid) = how.uid.as_deref().filter(|uid| *uid != &*current.uid) {
            return unmet("UID", uid, &current.uid);
        }
        let revision = current.revision.to_string();
        if let Some(asked) = how.revision.as_deref().filter(|asked| *asked != revision) {
            return unmet("ResourceVersion", asked, &revision);
        }
        if how.dry_run {
            return Ok((current, true));
        }
        self.delete_one(&mut state, kind.index(), key, how);
        let left = state.stocks[kind.index()].objects.get(key).cloned();
        Ok(left.map_or((current, true), |object| (object, false)))
    }

    fn delete_one(&self, state: &mut State, index: usize, key: &Key, how: &Deletion) {
        let kind = &KINDS[index];
        let Some(object) = state.stocks[index].objects.get(key).cloned() else { return };
        let mut value = object.value(kind);
        let dependents = state.dependents.get(&object.uid).cloned().unwrap_or_default();
        if how.orphan {
            for (index, key) in &dependents {
                self.disown(state, *index, key, &object.uid);
            }
        }
        let foreground = how.foreground && !how.orphan && !dependents.is_empty();
        if foreground {
            push_finalizer(&mut value, FOREGROUND);
        }
        let grace = grace(kind, &value, how.grace);
        let namespace = *kind == *kinds::core("namespaces");
        let waits = grace > 0
            || value["metadata"]["finalizers"].as_array().is_some_and(|finalizers| !finalizers.is_empty())
            || (namespace && !is_empty(state, &key.name));
        if !waits {
            self.remove(state, index, key);
            return;
        }
        let marked = value["metadata"]["deletionTimestamp"].is_string();
        let shorter = value["metadata"]["deletionGracePeriodSeconds"].as_i64().is_some_and(|left| grace < left);
        if !marked || shorter || foreground {
            let at = Timestamp::now().saturating_add(SignedDuration::from_secs(grace)).unwrap_or(Timestamp::MAX);
            value["metadata"]["deletionTimestamp"] = clock::rfc3339(at).into();
            value["metadata"]["deletionGracePeriodSeconds"] = grace.into();
            if let (false, Some(generation)) = (marked, value["metadata"]["generation"].as_i64()) {
                value["metadata"]["generation"] = (generation + 1).into();
            }
            if namespace {
                value["status"]["phase"] = "Terminating".into();
                state.terminating.insert(key.name.clone());
            }
            self.put(state, index, value);
        }
        let background = Deletion::default();
        if foreground {
            for (index, key) in &dependents {
                self.delete_one(state, *index, key, &background);
            }
        }
        if namespace {
            let contents: Vec<(usize, Key)> = contents(state, &key.name).collect();
            for (index, key) in contents {
                self.delete_one(state, index, &key, &background);
            }
        }
    }

    /// Takes an object away, and what only it owned.
    fn remove(&self, state: &mut State, index: usize, key: &Key) {
        let Some(object) = state.stocks[index].objects.remove(key) else { return };
        state.revision += 1;
        let last = Arc::new(Object::new(object.value(&KINDS[index]), state.revision));
        self.record(
            state,
            index,
            Event { happened: Happened::Deleted, object: last, previous: Some(Arc::clone(&object)) },
        );
        unindex(state, index, &object);
        let dependents = state.dependents.get(&object.uid).cloned().unwrap_or_default();
        for (index, key) in dependents {
            let owners = state.stocks[index].objects.get(&key).map(|dependent| dependent.owners.clone());
            let owned = owners.is_some_and(|owners| owners.iter().any(|owner| state.by_uid.contains_key(owner)));
            if owned {
                self.disown(state, index, &key, &object.uid);
            } else {
                self.delete_one(state, index, &key, &Deletion::default());
            }
        }
        for owner in &object.owners {
            let gone = state.dependents.get(owner).is_none_or(std::collections::HashSet::is_empty);
            if let (true, Some((index, key))) = (gone, state.by_uid.get(owner).cloned()) {
                self.finish_foreground(state, index, &key);
            }
        }
        if state.terminating.contains(&key.namespace) && is_empty(state, &key.namespace) {
            let namespace = Key::new("", &key.namespace);
            self.remove(state, kinds::core("namespaces").index(), &namespace);
        }
        if *KINDS[index].plural == *"namespaces" {
            state.terminating.remove(&key.name);
        }
    }

    /// The last dependent is gone: the owner that waited for it follows.
    fn finish_foreground(&self, state: &mut State, index: usize, key: &Key) {
        let Some(object) = state.stocks[index].objects.get(key).cloned() else { return };
        let mut value = object.value(&KINDS[index]);
        let Some(finalizers) = value["metadata"]["finalizers"].as_array_mut() else { return };
        let before = finalizers.len();
        finalizers.retain(|finalizer| finalizer.as_str() != Some(FOREGROUND));
        match (finalizers.len() == before, finalizers.is_empty()) {
            (true, _) => {}
            (false, true) => self.remove(state, index, key),
            (false, false) => {
                self.put(state, index, value);
            }
        }
    }

    fn disown(&self, state: &mut State, index: usize, key: &Key, owner: &str) {
        let Some(object) = state.stocks[index].objects.get(key).cloned() else { return };
        let mut value = object.value(&KINDS[index]);
        if let Some(owners) = value["metadata"]["ownerReferences"].as_array_mut() {
            owners.retain(|reference| reference["uid"].as_str() != Some(owner));
        }
        self.put(state, index, value);
    }

    fn put(&self, state: &mut State, index: usize, value: Value) -> Arc<Object> {
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
        self.record(state, index, Event { happened, object: Arc::clone(&object), previous });
        object
    }

    fn record(&self, state: &mut State, index: usize, event: Event) {
        let stock = &mut state.stocks[index];
        stock.events.push_back(event);
        while stock.events.len() > self.history {
            if let Some(oldest) = stock.events.pop_front() {
                stock.forgotten = oldest.object.revision;
            }
        }
        stock.changed.send_replace(());
    }

    fn draw(&self, state: &mut State) -> u64 {
        state.drawn += 1;
        mix(self.seed ^ mix(state.drawn))
    }

    fn draw_uid(&self, state: &mut State) -> String {
        let (high, low) = (self.draw(state), self.draw(state));
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

    /// Five of the letters that Kubernetes draws suffixes from: none that spell words.
    fn draw_suffix(&self, state: &mut State) -> String {
        const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
        let drawn = self.draw(state);
        (0..5).map(|at| char::from(LETTERS[(drawn >> (at * 12)) as usize % LETTERS.len()])).collect()
    }
}

/// A good hash of one number (splitmix64): the estate's only source of chance.
pub(crate) fn mix(seed: u64) -> u64 {
    let mut mixed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}

fn unindex(state: &mut State, index: usize, object: &Object) {
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

/// What a namespace holds.
fn contents<'a>(state: &'a State, namespace: &'a str) -> impl Iterator<Item = (usize, Key)> + 'a {
    state.stocks.iter().enumerate().filter(|(index, _)| KINDS[*index].namespaced).flat_map(move |(index, stock)| {
        let keys = stock.objects.range(Key::new(namespace, "")..).map(|(key, _)| key.clone());
        keys.take_while(move |key| *key.namespace == *namespace).map(move |key| (index, key))
    })
}

fn is_empty(state: &State, namespace: &str) -> bool {
    contents(state, namespace).next().is_none()
}

fn push_finalizer(value: &mut Value, finalizer: &str) {
    let metadata = &mut value["metadata"];
    if !metadata["finalizers"].is_array() {
        metadata["finalizers"] = json!([]);
    }
    if let Some(finalizers) = metadata["finalizers"].as_array_mut()
        && finalizers.iter().all(|known| known.as_str() != Some(finalizer))
    {
        finalizers.push(finalizer.into());
    }
}

/// Seconds a pod gets to end; 0 for what ends at once.
fn grace(kind: &Kind, value: &Value, asked: Option<i64>) -> i64 {
    let scheduled = value["spec"]["nodeName"].as_str().is_some_and(|node| !node.is_empty());
    let ended = matches!(value["status"]["phase"].as_str(), Some("Succeeded" | "Failed"));
    if *kind != *kinds::core("pods") || !scheduled || ended {
        return 0;
    }
    asked.or_else(|| value["spec"]["terminationGracePeriodSeconds"].as_i64()).unwrap_or(30).max(0)
}

#[cfg(test)]
mod tests {
    use super::super::Query;
    use super::*;
    use crate::demo::selector::Selector;

    fn store() -> Store {
        let store = Store::new(7, 100);
        store.place(kinds::core("namespaces"), json!({ "metadata": { "name": "default" } }));
        store
    }

    fn config(name: &str) -> Value {
        json!({ "metadata": { "name": name, "namespace": "default" }, "data": {} })
    }

    fn maps() -> &'static Kind {
        kinds::core("configmaps")
    }

    fn names(store: &Store, at: Option<u64>, after: Option<&str>, limit: usize) -> (Vec<String>, usize) {
        let after = after.map(|name| Key::new("default", name));
        let selector = Selector::default();
        let query = Query { kind: maps(), namespace: "default", selector: &selector, after, limit, at };
        let page = store.list(&query).unwrap();
        (page.objects.iter().map(|object| object.key.name.to_string()).collect(), page.remaining)
    }

    #[test]
    fn a_list_can_be_read_as_it_was() {
        let store = store();
        for name in ["a", "b", "d"] {
            store.create(maps(), config(name), false).unwrap();
        }
        let then = store.revision();
        store.delete(maps(), &Key::new("default", "b"), &Deletion::default()).unwrap();
        store.create(maps(), config("c"), false).unwrap();
        assert_eq!(names(&store, None, None, 0).0, ["a", "c", "d"]);
        assert_eq!(names(&store, Some(then), None, 0).0, ["a", "b", "d"]);
        assert_eq!(names(&store, Some(then), Some("a"), 1), (vec!["b".to_owned()], 1));
        store.compact();
        let selector = Selector::default();
        let query = Query { kind: maps(), namespace: "", selector: &selector, after: None, limit: 0, at: Some(then) };
        assert!(store.list(&query).is_err());
    }

    #[test]
    fn dependents_follow_their_last_owner() {
        let store = store();
        let owners: Vec<_> = ["a", "b"].map(|name| store.create(maps(), config(name), false).unwrap()).into();
        let mut child = config("child");
        child["metadata"]["ownerReferences"] =
            owners.iter().map(|owner| json!({ "kind": "ConfigMap", "uid": &*owner.uid })).collect();
        store.create(maps(), child, false).unwrap();
        store.delete(maps(), &Key::new("default", "a"), &Deletion::default()).unwrap();
        assert_eq!(names(&store, None, None, 0).0, ["b", "child"]);
        let foreground = Deletion { foreground: true, ..Deletion::default() };
        store.delete(maps(), &Key::new("default", "b"), &foreground).unwrap();
        assert!(names(&store, None, None, 0).0.is_empty());
    }

    #[test]
    fn what_has_no_owner_any_more_does_not_stay() {
        let store = store();
        let mut late = config("late");
        late["metadata"]["ownerReferences"] = json!([{ "kind": "ConfigMap", "uid": "gone" }]);
        store.create(maps(), late, false).unwrap();
        assert!(names(&store, None, None, 0).0.is_empty());
    }

    #[test]
    fn a_finalizer_holds_an_object_until_it_is_taken_off() {
        let store = store();
        let mut held = config("held");
        held["metadata"]["finalizers"] = json!(["example.com/wait"]);
        store.create(maps(), held, false).unwrap();
        let key = Key::new("default", "held");
        let (left, gone) = store.delete(maps(), &key, &Deletion::default()).unwrap();
        assert!(!gone && left.value(maps())["metadata"]["deletionTimestamp"].is_string());
        store
            .change(maps(), &key, false, |_, mut value| {
                value["metadata"]["finalizers"] = json!([]);
                Ok(Change::Put(value))
            })
            .unwrap();
        assert!(store.get(maps(), &key).is_none());
    }

    #[test]
    fn a_namespace_goes_after_what_it_holds() {
        let store = store();
        let mut pod = config("pod");
        pod["spec"] = json!({ "nodeName": "node-1" });
        store.create(kinds::core("pods"), pod, false).unwrap();
        store.create(maps(), config("a"), false).unwrap();
        let namespace = Key::new("", "default");
        store.delete(kinds::core("namespaces"), &namespace, &Deletion::default()).unwrap();
        assert!(store.get(kinds::core("namespaces"), &namespace).is_some(), "a pod still ends");
        assert!(store.create(maps(), config("late"), false).is_err());
        let now = Deletion { grace: Some(0), ..Deletion::default() };
        store.delete(kinds::core("pods"), &Key::new("default", "pod"), &now).unwrap();
        assert!(store.get(kinds::core("namespaces"), &namespace).is_none());
    }
}
