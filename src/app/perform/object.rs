//! What is done with the object under the cursor: looked at, edited, entered.

use crate::{
    app::{
        App, acting,
        command::With,
        dialog::{
            Layer,
            choose::{Choice, Chooser, Row},
            edit::{EditDialog, Stage},
        },
        effect::{Effect, Loan, Viewer},
        message::TaskId,
        notice::{Level, Notice},
        page::{Page, object::ObjectPage},
    },
    model::{
        acting::{Right, Verb},
        action::{Action, Outcome},
        edit::{DraftRequest, EditNews, Editing, Kept},
        key::{PodKey, Text},
        object::{Face, Private},
        resource::ResourceKey,
        shell::ShellRequest,
    },
};

use super::{bad, no_subject};

/// Rows of a chooser, at most: of a name that more objects have, more of it is to be typed.
const ALIKE: usize = 200;

/// Opens one side of the object under the cursor.
pub(in crate::app) fn look_at(app: &mut App, face: Face) -> Vec<Effect> {
    match app.subject() {
        Some(key) => {
            say_instead(app);
            app.open(Page::Object(Box::new(ObjectPage::new(key, face))))
        }
        None => no_subject(app),
    }
}

/// Says it where what opens is not what the cursor is on.
fn say_instead(app: &mut App) {
    if let Some(text) = app.instead() {
        app.say(Level::Info, &text);
    }
}

/// Does something with the object that is named, else with the one under the cursor.
pub(super) fn named(app: &mut App, with_it: With, object: Option<&str>) -> Vec<Effect> {
    let Some(word) = object else {
        if let (false, Some(text)) = (matches!(with_it, With::Yaml | With::Description), app.instead()) {
            return bad(app, &text);
        }
        say_instead(app);
        return match app.subject() {
            Some(key) => with(app, with_it, key),
            None => bad(app, "nothing is under the cursor for that: give a KIND/NAME"),
        };
    };
    let mut found = app.find(word);
    if with_it == With::Shell {
        found.retain(|key| key.as_pod().is_some());
    }
    match found.len() {
        0 => {
            let what = if with_it == With::Shell { "pod" } else { "object" };
            let more = if matches!(app.page(), Page::Tree(_)) { "" } else { "; the tree (t) knows all that it made" };
            bad(app, &format!("no {what} \"{word}\" is known here{more}"))
        }
        1 => with(app, with_it, found.remove(0)),
        _ => {
            let rows = found.iter().take(ALIKE).map(|key| Row {
                choice: Choice::With(with_it, key.clone()),
                cells: vec![key.cluster.to_string(), key.namespace.to_string(), format!("{}/{}", key.kind, key.name)],
            });
            let chooser = Chooser::new(format!("which {word}?"), &["CLUSTER", "NAMESPACE", "OBJECT"], rows.collect());
            app.push(Layer::Choose(Box::new(chooser)));
            Vec::new()
        }
    }
}

/// Does something with an object.
pub(super) fn with(app: &mut App, with_it: With, key: ResourceKey) -> Vec<Effect> {
    match with_it {
        With::Yaml => app.open(Page::Object(Box::new(ObjectPage::new(key, Face::Yaml)))),
        With::Description => app.open(Page::Object(Box::new(ObjectPage::new(key, Face::Description)))),
        With::Edit => edit_it(app, key),
        With::Shell => shell_of(app, key),
        With::Act(verb) => acting::act(app, verb, key, None),
        With::Scale(replicas) => acting::act(app, Verb::Scale, key, replicas),
    }
}

fn is_barred(app: &mut App) -> bool {
    let Some(reason) = &app.world.readonly else { return false };
    let text = format!("nothing is written here: {reason}");
    app.say(Level::Bad, &text);
    true
}

/// Begins to edit the object under the cursor.
pub(in crate::app) fn edit(app: &mut App) -> Vec<Effect> {
    let Some(key) = app.subject() else { return no_subject(app) };
    if let Some(text) = app.instead() {
        // What would be written to is not what the cursor is on: that is to be asked for.
        return bad(app, &text);
    }
    edit_it(app, key)
}

/// Begins to edit an object.
fn edit_it(app: &mut App, key: ResourceKey) -> Vec<Effect> {
    if is_barred(app) {
        return Vec::new();
    }
    let content = matches!(app.page(), Page::Object(page) if page.key == key && page.has_content());
    if key.is_secret() && !content {
        return bad(app, "a Secret is edited with its content, and that is not here: y, then r asks for it");
    }
    if let Some(refused) = acting::refused(app, &key, Right::Edit) {
        return bad(app, &refused);
    }
    draft(app, key, content, Kept::Ask)
}

/// Asks for the draft of an object.
pub(super) fn draft(app: &mut App, key: ResourceKey, content: bool, kept: Kept) -> Vec<Effect> {
    let task = app.world.next_id();
    app.editing = Some((task, content));
    app.say(Level::Info, &format!("fetching {key} to edit it"));
    vec![Effect::Draft(task, Box::new(DraftRequest { key, content, kept }))]
}

/// How far an edit has come. Of one that another has taken the place of: nothing, its draft is kept.
pub(in crate::app) fn on_edit(app: &mut App, task: TaskId, news: EditNews) -> Vec<Effect> {
    let Some((_, content)) = app.editing.filter(|editing| editing.0 == task) else { return Vec::new() };
    match news {
        // Whoever has gone on to something else is not torn out of it.
        EditNews::Drafted(key) if !app.layers.is_empty() || app.prompt.is_some() => {
            app.say(Level::Info, &format!("the draft of {key} is ready: e on it opens it"));
        }
        EditNews::Drafted(key) => {
            app.notice = None;
            return vec![Effect::Lend(task, Loan::Draft(key))];
        }
        EditNews::Kept(key) => {
            let row = |kept, does: &str, what: &str| Row {
                choice: Choice::Draft(key.clone(), content, kept),
                cells: vec![does.to_owned(), what.to_owned()],
            };
            let rows = vec![
                row(Kept::Reopen, "go on", "what it changes, on the object as it is now"),
                row(Kept::Discard, "begin anew", "the draft is thrown away"),
            ];
            let title = format!("there is a draft of {}/{} already", key.kind, key.name);
            app.push(Layer::Choose(Box::new(Chooser::new(title, &["DRAFT", "WHAT"], rows))));
        }
        EditNews::Barred(key, needs) => {
            app.say(Level::Bad, &acting::refusal(&key, &needs));
            app.world.permissions.put(&key, Right::Edit, Err(needs), app.world.now);
        }
        EditNews::Failed(why) => app.say(Level::Bad, &why),
        EditNews::Unchanged(key) => app.say(Level::Info, &format!("{key}: nothing changed")),
        EditNews::Broken(key, broken) => app.push(Layer::Edit(Box::new(EditDialog::broken(task, key, broken)))),
        EditNews::Read(proposal) => app.push(Layer::Edit(Box::new(EditDialog::asking(task, *proposal)))),
        EditNews::Accepted => on_checked(app, task, Stage::Accepted),
        EditNews::Refused(words) => on_checked(app, task, Stage::Refused(words)),
    }
    Vec::new()
}

fn on_checked(app: &mut App, task: TaskId, stage: Stage) {
    let asked = app.layers.iter_mut().find_map(|layer| match layer {
        Layer::Edit(dialog) if dialog.task == task => Some(dialog),
        _ => None,
    });
    if let Some(dialog) = asked {
        dialog.on_checked(stage);
        app.layer_drawn = false;
    }
}

/// Writes what was confirmed.
pub(super) fn write(app: &mut App, editing: Box<Editing>) -> Vec<Effect> {
    let task = app.world.next_id();
    app.editing = None;
    app.say(Level::Info, &format!("editing {}", editing.key));
    vec![Effect::Act(task, Action::Edit(editing))]
}

/// A shell in the pod under the cursor.
pub(in crate::app) fn shell(app: &mut App) -> Vec<Effect> {
    match app.subject() {
        Some(key) => shell_of(app, key),
        None => no_subject(app),
    }
}

/// A shell in a pod, if it is one, once it is known to be permitted.
pub(super) fn shell_of(app: &mut App, key: ResourceKey) -> Vec<Effect> {
    if is_barred(app) {
        return Vec::new();
    }
    if key.as_pod().is_none() {
        return bad(app, "a shell needs a pod under the cursor");
    }
    if let Some(refused) = acting::refused(app, &key, Right::Shell) {
        return bad(app, &refused);
    }
    if app.world.permissions.get(&key, Right::Shell, app.world.now).is_some() {
        return shell_in(app, &key);
    }
    let task = app.world.next_id();
    app.reviewing = Some((task, app.subject()));
    vec![Effect::Review(task, key, Right::Shell)]
}

/// A shell in a pod where it is permitted: asks in which container, where there are several.
pub(in crate::app) fn shell_in(app: &mut App, key: &ResourceKey) -> Vec<Effect> {
    let Some(pod) = key.as_pod() else { return Vec::new() };
    let containers: Vec<Text> = app
        .world
        .store
        .pod(&pod)
        .map(|row| row.containers.iter().filter(|one| !one.init).map(|one| one.name.clone()).collect())
        .unwrap_or_default();
    match containers.as_slice() {
        // Not known here: the API server takes the pod's default one.
        [] => enter(app, pod, "".into()),
        [only] => enter(app, pod, only.clone()),
        several => {
            let rows = several
                .iter()
                .map(|name| Row { choice: Choice::Shell(pod.clone(), name.clone()), cells: vec![name.to_string()] });
            let title = format!("shell in which container of {}?", pod.name);
            app.push(Layer::Choose(Box::new(Chooser::new(title, &["CONTAINER"], rows.collect()))));
            Vec::new()
        }
    }
}

/// Gives the terminal to a shell.
pub(super) fn enter(app: &mut App, pod: PodKey, container: Text) -> Vec<Effect> {
    let task = app.world.next_id();
    app.notice = None;
    vec![Effect::Lend(task, Loan::Shell(ShellRequest { pod, container }))]
}

/// Gives the terminal to the pager or the editor, with a copy of a text.
pub(super) fn view(app: &mut App, viewer: Viewer, name: String, text: Private) -> Vec<Effect> {
    let task = app.world.next_id();
    vec![Effect::Lend(task, Loan::View(viewer, name, text))]
}

/// The terminal is lateen's again.
pub(in crate::app) fn on_returned(app: &mut App, outcome: &Outcome) {
    if !outcome.message().is_empty() {
        app.notice = Some(Notice::of(outcome, app.world.now));
    }
}
