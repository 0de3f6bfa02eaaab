//! What `w` asks about, of whatever is under the cursor anywhere.

use super::WhyPage;
use crate::{
    app::{page::application::ItemKey, world::World},
    model::{
        key::{AppKey, ClusterId, PodKey, Text},
        resource::ResourceKey,
        why::Subject,
    },
};

/// What `w` asks about, of a pod.
pub fn of_pod(world: &World, pod: PodKey) -> Subject {
    match world.store.pod(&pod).and_then(|pod| world.store.owner_of(pod)).filter(|app| world.app(app).is_some()) {
        Some(app) => Subject::Object(app, ResourceKey::pod(&pod)),
        None => Subject::Stray(pod),
    }
}

/// What `w` opens, of any object: of what an application made, the application's chain with the cursor where that comes to
/// the object. `None` where no application is known that made it.
pub fn of_object(world: &World, key: &ResourceKey) -> Option<WhyPage> {
    if let Some(pod) = key.as_pod().filter(|pod| world.store.pod(pod).is_some()) {
        return Some(WhyPage::new(of_pod(world, pod)));
    }
    match (&*key.group, &*key.kind) {
        ("core.oam.dev", "Application") if key.cluster.is_local() => {
            let app = AppKey { namespace: key.namespace.clone(), name: key.name.clone() };
            Some(WhyPage::new(Subject::Application(app)))
        }
        ("cluster.core.oam.dev", "VirtualCluster") => Some(WhyPage::new(Subject::Cluster(ClusterId(key.name.clone())))),
        _ => match maker(world, key) {
            Some(app) => Some(within(&app, key)),
            None => key.as_pod().map(|pod| WhyPage::new(Subject::Stray(pod))),
        },
    }
}

/// The chain of an application, with the cursor where that comes to one of its objects.
pub fn within(app: &AppKey, key: &ResourceKey) -> WhyPage {
    WhyPage::new(Subject::Application(app.clone())).at_object(key.clone())
}

/// Says that nobody is known who made an object.
pub fn nobodys(key: &ResourceKey) -> String {
    format!("no application is known that made {}/{}: ask why in the tree of the one that did", key.kind, key.name)
}

/// The application that made an object, as far as names and places tell it: its pods' one; else the one whose component
/// it is called after, of those that deploy there; else the only one that deploys there.
fn maker(world: &World, key: &ResourceKey) -> Option<AppKey> {
    if key.namespace.is_empty() {
        return None;
    }
    let is_after =
        |name: &str, stem: &str| name.strip_prefix(stem).is_some_and(|end| end.is_empty() || end.starts_with('-'));
    let there = |cluster: &ClusterId, namespace: &Text| *cluster == key.cluster && *namespace == key.namespace;
    let of_it = world.store.pods().filter(|pod| there(&pod.key.cluster, &pod.key.namespace));
    let mut owners: Vec<AppKey> = of_it
        .filter(|pod| is_after(&pod.key.name, &key.name) || is_after(&key.name, &pod.key.name))
        .filter_map(|pod| world.store.owner_of(pod))
        .collect();
    owners.sort();
    owners.dedup();
    if let [only] = &owners[..] {
        return Some(only.clone());
    }
    let candidates: Vec<_> = world
        .store
        .applications_in(&key.cluster)
        .filter(|entry| entry.row.reaches(&key.cluster, &key.namespace))
        .collect();
    let longest = |names: &mut dyn Iterator<Item = usize>| names.max();
    let mut named: Vec<(usize, &AppKey)> = candidates
        .iter()
        .filter_map(|entry| {
            let mut names = entry
                .row
                .components
                .iter()
                .map(|component| &*component.name)
                .chain([&*entry.row.key.name])
                .filter(|name| is_after(&key.name, name))
                .map(str::len);
            Some((longest(&mut names)?, &entry.row.key))
        })
        .collect();
    named.sort_by(|one, other| other.cmp(one));
    match (&named[..], &candidates[..]) {
        ([(_, only)], _) => Some((*only).clone()),
        // The one that it is called after more exactly.
        ([(most, first), (less, _), ..], _) if most > less => Some((*first).clone()),
        ([], [only]) => Some(only.row.key.clone()),
        _ => None,
    }
}

/// What `w` asks about, of a line of the application page.
pub fn of_item(world: &World, app: &AppKey, item: Option<ItemKey>) -> Subject {
    match item {
        None | Some(ItemKey::Workflow | ItemKey::Services) => Subject::Application(app.clone()),
        Some(ItemKey::Step(step)) => Subject::Step(app.clone(), step),
        Some(ItemKey::Cluster(cluster)) => Subject::Place(app.clone(), cluster),
        Some(ItemKey::Service { cluster, namespace, name }) => {
            Subject::Component(app.clone(), cluster, namespace, name)
        }
        Some(ItemKey::Pod(pod)) => of_pod(world, pod),
    }
}
