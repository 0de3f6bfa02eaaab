//! A mirror and a clock for tests of controllers: no cluster, no waiting.

use super::*;
use serde_json::json;

/// Plays a controller against a mirror alone.
pub(in crate::demo::controllers) struct Bench<C> {
    pub(in crate::demo::controllers) mirror: Mirror,
    controller: C,
    timers: Timers,
    now: Instant,
    version: u64,
}

impl<C: Controller> Bench<C> {
    pub(in crate::demo::controllers) fn new(controller: C) -> Self {
        Self { mirror: Mirror::default(), controller, timers: Timers::new(), now: Instant::now(), version: 0 }
    }

    /// Puts an object in as a client would have.
    pub(in crate::demo::controllers) fn put(&mut self, mut object: Object) {
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        if object::uid(&object).is_empty() {
            object["metadata"]["uid"] = json!(format!("uid-{}", self.version));
        }
        let old = key(&object).and_then(|key| self.mirror.objects.get(&key));
        let generation = old.map_or(1, |old| {
            let changed = i64::from(old["spec"] != object["spec"]);
            object::number(old, "/metadata/generation") + changed
        });
        object["metadata"]["generation"] = json!(generation);
        if let Some(old) = old {
            object["metadata"]["uid"] = old["metadata"]["uid"].clone();
        }
        self.mirror.put(object);
    }

    /// Deletes an object.
    pub(in crate::demo::controllers) fn delete(&mut self, kind: &Kind, namespace: &str, name: &str) {
        self.mirror.remove(&(static_name(kind), namespace.to_owned(), name.to_owned()));
    }

    /// Lets time pass in small steps, looking at every object in each.
    pub(in crate::demo::controllers) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.now += Duration::from_millis(100);
            self.settle();
        }
    }

    /// Looks at every object until nothing is written any more.
    pub(in crate::demo::controllers) fn settle(&mut self) {
        for _ in 0..50 {
            let mut wrote = false;
            let keys: Vec<Key> = self.mirror.objects.keys().cloned().collect();
            for key in keys {
                let Some(object) = self.mirror.objects.get(&key).cloned() else {
                    continue;
                };
                let mut round = Round {
                    mirror: &self.mirror,
                    writes: Vec::new(),
                    timers: &mut self.timers,
                    pace: Pace::new(1.0),
                    now: self.now,
                    wake: None,
                };
                self.controller.reconcile(&object, &mut round);
                for write in round.writes {
                    wrote = true;
                    match write {
                        Write::Create(_, object) | Write::Replace(_, object) | Write::Status(_, object) => {
                            self.put(object);
                        }
                        Write::Delete(_, object, _) => {
                            if let Some(key) = super::key(&object) {
                                self.mirror.remove(&key);
                            }
                        }
                    }
                }
            }
            if !wrote {
                return;
            }
        }
        panic!("the controller writes for ever");
    }
}
