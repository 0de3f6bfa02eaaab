//! Restart, scale, delete: the menu of actions, the dialogs that ask, and what is known of permissions.

use std::collections::BTreeMap;

use crate::model::{
    acting::{ObjectWrite, Prepared, Right, Verb},
    action::Action as Write,
    key::{AppKey, Text},
    resource::ResourceKey,
    tree::What,
};

use super::{
    App,
    dialog::{
        Layer,
        act::ActDialog,
        choose::{Choice, Chooser, Row},
    },
    effect::Effect,
    keymap::Action,
    message::TaskId,
    notice::Level,
    page::Page,
    perform,
};

/// Kinds of which is said how many go along; of more only that there are.
const KINDS: usize = 6;
/// What the menu offers beside, where the view has a key for it.
const OFFERED: &[Action] = &[
    Action::Approve,
    Action::Logs,
    Action::Forward,
    Action::Shell,
    Action::Tree,
    Action::Why,
    Action::Revisions,
    Action::Events,
    Action::Yaml,
    Action::Description,
    Action::Edit,
    Action::Copy,
];

/// Why something is refused that a cluster does not permit.
pub(super) fn refusal(key: &ResourceKey, needs: &str) -> String {
    format!("not permitted in {}: {needs}", key.cluster)
}

/// What was answered lately, in a sentence: where it was refused, why, and how to ask anew.
pub(super) fn refused(app: &App, key: &ResourceKey, right: Right) -> Option<String> {
    let needs = app.world.permissions.get(key, right, app.world.now)?.as_ref().err()?;
    let again = app.keymap.key_of(app.page().view(), Action::Resync);
    let again = again.map_or_else(String::new, |key| format!(" ({key} asks again)"));
    Some(format!("{}{again}", refusal(key, needs)))
}

/// Opens the menu of what can be done to the thing under the cursor.
pub(super) fn menu(app: &mut App) -> Vec<Effect> {
    let Some(key) = app.subject() else {
        app.say_no_subject();
        return Vec::new();
    };
    let verbs: Vec<Verb> = Verb::ALL.into_iter().filter(|verb| verb.fits(&key)).collect();
    let now = app.world.now;
    let unknown: Vec<Verb> =
        verbs.iter().copied().filter(|verb| app.world.permissions.get(&key, Right::Do(*verb), now).is_none()).collect();
    let rows = rows(app, &key);
    let title = format!("what to do with {}/{}?", key.kind, key.name);
    let mut chooser = Chooser::new(title, &["ACTION", "WHAT IT DOES", "KEY"], rows);
    let mut effects = Vec::new();
    if !unknown.is_empty() && app.world.readonly.is_none() {
        let task = app.world.next_id();
        chooser.acts_on = Some((task, key.clone()));
        effects.push(Effect::Prepare(task, key, unknown));
    }
    app.push(Layer::Choose(Box::new(chooser)));
    effects
}

fn rows(app: &App, key: &ResourceKey) -> Vec<Row> {
    let view = app.page().view();
    let mut rows = Vec::new();
    for verb in Verb::ALL.into_iter().filter(|verb| verb.fits(key)) {
        let what = match verb {
            Verb::Restart => "new pods take the place of its pods",
            Verb::Scale => "another number of pods",
            Verb::Delete => "it goes, and what it owns",
        };
        let needs = match (&app.world.readonly, app.world.permissions.get(key, Right::Do(verb), app.world.now)) {
            (Some(reason), _) => Some(reason.to_string()),
            (None, Some(Err(needs))) => Some(needs.to_string()),
            _ => None,
        };
        let shortcut = app.keymap.key_of(view, Action::Delete).filter(|_| verb == Verb::Delete);
        let shortcut = shortcut.map_or_else(String::new, |key| key.to_string());
        rows.push(match needs {
            Some(needs) => Row {
                cells: vec![verb.as_str().to_owned(), needs.clone(), String::new()],
                choice: Choice::Barred(format!("{} {}/{}: {needs}", verb.as_str(), key.kind, key.name)),
            },
            None => Row {
                cells: vec![verb.as_str().to_owned(), what.to_owned(), shortcut],
                choice: Choice::Act(verb, key.clone()),
            },
        });
    }
    for action in OFFERED {
        let Some(shortcut) = app.keymap.key_of(view, *action) else { continue };
        let Some(line) = app.keymap.help(view).find(|line| line.action == *action) else { continue };
        let name = if line.hint.is_empty() { format!("{action:?}").to_lowercase() } else { line.hint.to_owned() };
        rows.push(Row { cells: vec![name, line.help.to_owned(), shortcut.to_string()], choice: Choice::Do(*action) });
    }
    rows
}

/// Opens the dialog that asks, for what is under the cursor.
pub(super) fn delete(app: &mut App) -> Vec<Effect> {
    let Some(key) = app.subject() else {
        app.say_no_subject();
        return Vec::new();
    };
    if let Some(text) = app.instead() {
        // A slip here would take the whole application away.
        app.say(Level::Bad, &text);
        return Vec::new();
    }
    act(app, Verb::Delete, key, None)
}

/// Opens the dialog that asks; `replicas` is how many pods were asked for already.
pub(super) fn act(app: &mut App, verb: Verb, key: ResourceKey, replicas: Option<i64>) -> Vec<Effect> {
    if let Some(reason) = &app.world.readonly {
        let text = format!("nothing is written here: {reason}");
        app.say(Level::Bad, &text);
        return Vec::new();
    }
    if !verb.fits(&key) {
        let how = if &*key.kind == "VirtualCluster" { ": `lateen detach` takes a cluster away" } else { "" };
        app.say(Level::Bad, &format!("{}/{} cannot be {}{how}", key.kind, key.name, verb.done()));
        return Vec::new();
    }
    if app.world.object_writes.contains_key(&key) {
        app.say(Level::Info, &format!("a write to {}/{} is under way", key.kind, key.name));
        return Vec::new();
    }
    let along = if verb == Verb::Delete { along(app, &key) } else { Vec::new() };
    let task = app.world.next_id();
    let mut dialog = ActDialog::new(key.clone(), verb, along, task);
    dialog.asked = replicas;
    app.push(Layer::Act(Box::new(dialog)));
    vec![Effect::Prepare(task, key, vec![verb])]
}

/// What goes with an object, by kind: what stands below it in the tree, or what its application has in which clusters.
fn along(app: &App, key: &ResourceKey) -> Vec<String> {
    let told = |kinds: BTreeMap<&str, usize>| -> Vec<String> {
        let more = kinds.len().saturating_sub(KINDS);
        let mut told: Vec<String> =
            kinds.into_iter().take(KINDS).map(|(kind, count)| format!("{count} {kind}")).collect();
        told.extend((more > 0).then(|| format!("{more} more kinds")));
        told
    };
    if let Page::Tree(page) = app.page() {
        let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
        for node in page.below() {
            match &node.what {
                What::Object(key) => *kinds.entry(&key.kind).or_default() += 1,
                What::Idle(key, count) => *kinds.entry(&key.kind).or_default() += count,
                What::Cluster(_) => {}
            }
        }
        return told(kinds);
    }
    let app_key = AppKey { namespace: key.namespace.clone(), name: key.name.clone() };
    if *key != ResourceKey::application(&app_key) {
        return Vec::new();
    }
    let Some(standing) = app.world.standing(&app_key) else { return Vec::new() };
    let there = standing.clusters.iter().filter(|there| there.total > 0);
    there.map(|there| format!("{} of {} in {}", there.total, app_key.name, there.cluster)).collect()
}

/// An object has been read for a dialog or a menu.
pub(super) fn on_prepared(app: &mut App, task: TaskId, prepared: Result<Box<Prepared>, Text>) {
    if let Ok(prepared) = &prepared {
        for (verb, answer) in &prepared.permitted {
            app.world.permissions.put(&prepared.key, Right::Do(*verb), answer.clone(), app.world.now);
        }
    }
    let mut menu = None;
    for layer in &mut app.layers {
        match layer {
            Layer::Act(dialog) => {
                let shown = dialog.on_prepared(task, prepared.clone());
                // Only a frame that shows what was read can be read.
                app.layer_drawn &= !shown;
            }
            Layer::Choose(chooser) => {
                menu = menu.or_else(|| chooser.acts_on.take_if(|(asked, _)| *asked == task).map(|(_, key)| key));
            }
            _ => {}
        }
    }
    let Some(key) = menu else { return };
    let rows = rows(app, &key);
    if let Some(Layer::Choose(chooser)) = app.layers.last_mut() {
        if let Err(reason) = prepared {
            chooser.notes = vec![reason.to_string()];
        }
        chooser.rows = rows;
        chooser.settle();
    }
}

/// Begins the write.
pub(super) fn write(app: &mut App, write: ObjectWrite) -> Vec<Effect> {
    if app.world.object_writes.contains_key(&write.key) {
        app.say(
            Level::Bad,
            &format!("a write to {}/{} is under way: wait for its outcome", write.key.kind, write.key.name),
        );
        return Vec::new();
    }
    let task = app.world.next_id();
    let doing = match write.deed.verb() {
        Verb::Restart => "restarting",
        Verb::Scale => "scaling",
        Verb::Delete => "deleting",
    };
    app.say(Level::Info, &format!("{doing} {}/{} in {}", write.key.kind, write.key.name, write.key.cluster));
    app.world.object_writes.insert(write.key.clone(), task);
    app.world.touch();
    vec![Effect::Act(task, Write::Object(Box::new(write)))]
}

/// A permission has been answered: for what waits to begin, and for a dialog that asks already.
pub(super) fn on_reviewed(
    app: &mut App,
    task: TaskId,
    key: &ResourceKey,
    right: Right,
    answer: Result<(), Text>,
) -> Vec<Effect> {
    app.world.permissions.put(key, right, answer.clone(), app.world.now);
    match right {
        Right::Shell => {
            let Some((_, cursor)) = app.reviewing.take_if(|(asked, _)| *asked == task) else { return Vec::new() };
            match answer {
                Err(needs) => app.say(Level::Bad, &refusal(key, &needs)),
                // Whoever has gone on to something else is not torn out of it.
                Ok(()) if !app.layers.is_empty() || app.prompt.is_some() || app.subject() != cursor => {
                    app.say(Level::Info, &format!("a shell in {key} is permitted: s on it opens one"));
                }
                Ok(()) => return perform::object::shell_in(app, key),
            }
        }
        Right::Approve => {
            if let Err(needs) = answer {
                for layer in &mut app.layers {
                    if let Layer::Approve(dialog) = layer
                        && ResourceKey::application(&dialog.approval.app) == *key
                    {
                        dialog.bar(refusal(key, &needs));
                    }
                }
            }
        }
        Right::Edit | Right::Do(_) => {}
    }
    Vec::new()
}
