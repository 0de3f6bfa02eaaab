//! What leaves: with finalizers, grace, namespaces that empty, and the collection of dependents.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::change::unindex;
use super::{Event, Happened, Key, Object, State, Store};
use crate::demo::clock;
use crate::demo::kinds::{self, KINDS, Kind};
use crate::demo::status::Status;

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

impl Store {
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

    pub(super) fn delete_one(&self, state: &mut State, index: usize, key: &Key, how: &Deletion) {
        let kind = &KINDS[index];
        let Some(object) = state.stocks[index].objects.get(key).cloned() else { return };
        let mut value = object.value(kind);
        if how.foreground && waits_for_dependents(state, &object.uid) {
            // Asked again, be it by its own dependents: they are waited for already.
            return;
        }
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
                if !value["status"].is_object() {
                    value["status"] = json!({});
                }
                value["status"]["phase"] = "Terminating".into();
                state.terminating.insert(key.name.clone());
            }
            self.put(state, index, value);
        }
        if foreground {
            // They wait for theirs in turn.
            let too = Deletion { foreground: true, ..Deletion::default() };
            for (index, key) in &dependents {
                self.delete_one(state, *index, key, &too);
            }
        }
        let background = Deletion::default();
        if namespace {
            let contents: Vec<(usize, Key)> = contents(state, &key.name).collect();
            for (index, key) in contents {
                self.delete_one(state, index, &key, &background);
            }
        }
    }

    /// Removes every object of a kind, whatever holds it: what the deletion of its definition comes to.
    pub(crate) fn clear(&self, kind: &Kind) {
        let mut state = self.lock();
        let keys: Vec<Key> = state.stocks[kind.index()].objects.keys().cloned().collect();
        for key in keys {
            self.remove(&mut state, kind.index(), &key);
        }
    }

    /// Takes an object away, and what only it owned.
    pub(super) fn remove(&self, state: &mut State, index: usize, key: &Key) {
        let Some(object) = state.stocks[index].objects.remove(key) else { return };
        state.revision += 1;
        let last = Arc::new(Object::new(object.value(&KINDS[index]), state.revision));
        self.record(state, index, Event::new(Happened::Deleted, last, Some(Arc::clone(&object))));
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
}

/// Whether an object is only there until what it owns is gone.
pub(super) fn waits_for_dependents(state: &State, uid: &str) -> bool {
    let owner = state.by_uid.get(uid).and_then(|(index, key)| Some((*index, state.stocks[*index].objects.get(key)?)));
    owner.is_some_and(|(index, owner)| {
        let finalizers = || owner.value(&KINDS[index])["metadata"]["finalizers"].take();
        owner.deleting() && finalizers().as_array().is_some_and(|all| all.contains(&json!(FOREGROUND)))
    })
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
    use super::super::{Change, Query};
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
    fn what_comes_while_its_owner_waits_for_dependents_goes_too() {
        let store = store();
        let pods = kinds::core("pods");
        let owner = store.create(maps(), config("owner"), false).unwrap();
        let child = |name: &str, kind: &'static Kind| {
            let mut child = config(name);
            child["spec"] = json!({ "nodeName": "node-1" });
            child["metadata"]["ownerReferences"] = json!([{ "kind": "ConfigMap", "uid": &*owner.uid }]);
            store.create(kind, child, false).unwrap();
        };
        child("ending", pods);
        let foreground = Deletion { foreground: true, ..Deletion::default() };
        assert!(!store.delete(maps(), &Key::new("default", "owner"), &foreground).unwrap().1, "a pod still ends");
        child("late", maps());
        assert_eq!(names(&store, None, None, 0).0, ["owner"]);
        let now = Deletion { grace: Some(0), ..Deletion::default() };
        store.delete(pods, &Key::new("default", "ending"), &now).unwrap();
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
