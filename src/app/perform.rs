//! What pages, layers and commands wish for, turned into state and effects.

use crate::model::{
    acting::Right,
    application::Application,
    delta::{Query, ScopeState},
    diff::Comparison,
    event::EventScope,
    forward::{ForwardNews, ForwardState, ForwardTarget, ForwardTraffic, preferred_local_port},
    key::{AppKey, ClusterId, Text},
    log::{LogRequest, LogScope},
    resource::ResourceKey,
    why::Subject,
};

use super::{
    App, acting,
    command::{self, Command, With},
    dialog::{
        Layer,
        approve::ApproveDialog,
        choose::{Choice, Chooser, Row},
        content::ContentDialog,
        help::HelpLayer,
    },
    effect::{Effect, Loan},
    history::Pages,
    input,
    message::{ForwardId, TaskId},
    notice::Level,
    page::{
        Page, Wish, application::ApplicationPage, diff::DiffPage, forwards, logs::LogPage, pods::PodRows,
        revisions::RevisionRows, tree::TreePage, why::WhyPage,
    },
    prompt::Prompt,
    table::Table,
    world::Forward,
};

pub(super) mod object;

/// Fulfils wishes in order.
pub(super) fn all(app: &mut App, wishes: Vec<Wish>) -> Vec<Effect> {
    wishes.into_iter().flat_map(|wish| one(app, wish)).collect()
}

fn one(app: &mut App, wish: Wish) -> Vec<Effect> {
    match wish {
        Wish::Open(page) => return app.open(*page),
        Wish::Replace(page) => {
            let mut effects = app.pages.current_mut().on_leave();
            app.pages.replace(*page);
            effects.extend(app.enter());
            return effects;
        }
        Wish::Choose(chooser) => app.push(Layer::Choose(chooser)),
        Wish::Close => {
            app.layers.pop();
        }
        Wish::Leave => return vec![Effect::Quit],
        Wish::Approve(key, step) => return approve(app, &key, step.as_ref()),
        Wish::LogsOfApp(key) => return logs_of_app(app, &key),
        Wish::LogsOfPod(pod, container) => return logs(app, LogPage::of_pod(pod, container).request),
        Wish::LogsOfComponent(key, component, cluster) => return logs_of_component(app, &key, component, cluster),
        Wish::FollowLogs(request) => return logs(app, *request),
        Wish::AskTime => app.prompt = Some(Prompt::time()),
        Wish::Forward(key, name) => return find_targets(app, key, name.as_deref()),
        Wish::Copy(text) => {
            let task = app.world.next_id();
            return vec![Effect::Copy(task, text)];
        }
        Wish::Say(level, text) => app.say(level, &text),
        Wish::StartForward(target) => return start_forward(app, target),
        Wish::StopForward(id) => return stop_forward(app, id),
        Wish::Shell(pod, container) => return object::enter(app, pod, container),
        Wish::Draft(key, content, kept) => return object::draft(app, key, content, kept),
        Wish::EditAgain(task, key) => return vec![Effect::Lend(task, Loan::Draft(key))],
        Wish::KeepDraft(key) => app.say(Level::Info, &format!("the draft of {key} is kept: e on it goes on")),
        Wish::DiscardDraft(key) => {
            app.say(Level::Info, &format!("the draft of {key} is thrown away"));
            return vec![Effect::DiscardDraft(key)];
        }
        Wish::WriteEdit(editing) => return object::write(app, editing),
        Wish::AskContent(key) => app.push(Layer::Content(Box::new(ContentDialog::new(key)))),
        Wish::FetchContent(key) => {
            if let Page::Object(page) = app.pages.current_mut()
                && page.key == key
            {
                return page.fetch_content(&mut app.world);
            }
        }
        Wish::Save(name, text) => {
            let task = app.world.next_id();
            return vec![Effect::Save(task, name, text)];
        }
        Wish::View(viewer, name, text) => return object::view(app, viewer, name, text),
        Wish::Act(verb, key) => return acting::act(app, verb, key, None),
        Wish::With(what, key) => return object::with(app, what, key),
        Wish::Do(action) => return input::act(app, action),
        Wish::WriteObject(write) => return acting::write(app, *write),
        Wish::Write(key, action) => {
            // The guard against a second write stands where the first one begins.
            if app.world.writes.contains_key(&key) {
                app.say(Level::Bad, &format!("a write to {key} is under way: wait for its outcome"));
                return Vec::new();
            }
            let task = app.world.next_id();
            app.say(Level::Info, &format!("approving {key}"));
            app.world.writes.insert(key, task);
            app.world.touch();
            return vec![Effect::Act(task, action)];
        }
    }
    Vec::new()
}

/// Runs a typed command.
pub(super) fn command(app: &mut App, line: &str) -> Vec<Effect> {
    let command = match command::parse(line) {
        Ok(command) => command,
        Err(error) => {
            app.say(Level::Bad, &error);
            return Vec::new();
        }
    };
    match command {
        Command::Applications => app.open_once(Page::home),
        Command::Application(name) => {
            with_app(app, &name, |app, key| app.open(Page::Application(Box::new(ApplicationPage::new(key)))))
        }
        Command::Approvals => app.open_once(Page::approvals),
        Command::Clusters => app.open_once(Page::clusters),
        Command::Pods(None) => app.open(Page::Pods(Table::new(PodRows::new(None, None)))),
        Command::Pods(Some(name)) => {
            with_app(app, &name, |app, key| app.open(Page::Pods(Table::new(PodRows::new(Some(key), None)))))
        }
        Command::Forwards => app.open_once(Page::forwards),
        Command::Tree(Some(name)) => {
            with_app(app, &name, |app, key| app.open(Page::Tree(Box::new(TreePage::new(key)))))
        }
        Command::Why(Some(name)) => {
            with_app(app, &name, |app, key| app.open(Page::Why(Box::new(WhyPage::new(Subject::Application(key))))))
        }
        Command::Why(None) => {
            let reaction = app.pages.current_mut().on_action(super::keymap::Action::Why, &app.world);
            if reaction.taken { all(app, reaction.wishes) } else { why_of_cursor(app) }
        }
        Command::Problems => app.open_once(Page::problems),
        Command::Tree(None) => key_on_page(app, super::keymap::Action::Tree),
        Command::Events(Some(name)) => with_app(app, &name, |app, key| app.open(Page::events(EventScope::App(key)))),
        Command::Events(None) => match app.page() {
            Page::Events(table) if table.rows.scope == EventScope::All => Vec::new(),
            _ => app.open(Page::events(EventScope::All)),
        },
        Command::Revisions(Some(name)) => {
            with_app(app, &name, |app, key| app.open(Page::Revisions(Table::new(RevisionRows::new(key)))))
        }
        Command::Revisions(None) => key_on_page(app, super::keymap::Action::Revisions),
        Command::Diff(Some(name)) => with_app(app, &name, |app, key| {
            app.open(Page::Diff(Box::new(DiffPage::new(Comparison::Drift(key, false)))))
        }),
        Command::Diff(None) => key_on_page(app, super::keymap::Action::Diff),
        Command::Logs(Some(name)) => logs_of_name(app, &name),
        Command::LogsBySelector(selector) => {
            let namespace = app.world.namespace().cloned();
            logs(app, LogRequest::of(LogScope::Selector { namespace, selector: selector.as_str().into() }))
        }
        Command::Logs(None) => key_on_page(app, super::keymap::Action::Logs),
        Command::Approve(Some(name)) => with_app(app, &name, |app, key| approve(app, &key, None)),
        Command::Approve(None) => key_on_page(app, super::keymap::Action::Approve),
        Command::Namespace(name) => {
            set_namespace(app, name.as_deref().map(Into::into));
            Vec::new()
        }
        Command::Help => {
            let view = app.page().view();
            app.push(Layer::Help(HelpLayer::new(view)));
            Vec::new()
        }
        Command::Object(what, object) => object::named(app, what, object.as_deref()),
        Command::Scale(object, number) => match number.as_deref().map(str::parse::<i64>) {
            Some(Ok(number)) if number >= 0 => object::named(app, With::Scale(Some(number)), object.as_deref()),
            None => object::named(app, With::Scale(None), object.as_deref()),
            Some(_) => {
                let number = number.unwrap_or_default();
                bad(app, &format!("scale takes a number of pods, not \"{number}\""))
            }
        },
        Command::Resync => {
            app.world.permissions.forget();
            vec![Effect::Resync]
        }
        Command::Quit => vec![Effect::Quit],
    }
}

/// Follows the chain of the object under the cursor to its cause, where the page itself knows no better.
pub(super) fn why_of_cursor(app: &mut App) -> Vec<Effect> {
    let Some(key) = app.subject() else { return no_subject(app) };
    match super::page::why::asked::of_object(&app.world, &key) {
        Some(page) => app.open(Page::Why(Box::new(page))),
        None => bad(app, &super::page::why::asked::nobodys(&key)),
    }
}

fn no_subject(app: &mut App) -> Vec<Effect> {
    app.say_no_subject();
    Vec::new()
}

fn bad(app: &mut App, text: &str) -> Vec<Effect> {
    app.say(Level::Bad, text);
    Vec::new()
}

/// A command without a name means the thing under the cursor, as its key does.
fn key_on_page(app: &mut App, action: super::keymap::Action) -> Vec<Effect> {
    let reaction = app.pages.current_mut().on_action(action, &app.world);
    if reaction.taken { all(app, reaction.wishes) } else { bad(app, "nothing for that under the cursor: give a name") }
}

fn with_app(app: &mut App, name: &str, then: impl FnOnce(&mut App, AppKey) -> Vec<Effect>) -> Vec<Effect> {
    let mut found = app.world.find_app(name);
    match found.len() {
        0 => {
            let near = app
                .world
                .keys()
                .min_by_key(|key| strsim::damerau_levenshtein(&key.name, name.rsplit('/').next().unwrap_or(name)));
            let near = near.map_or_else(String::new, |key| format!("; the nearest is \"{key}\""));
            bad(app, &format!("no application \"{name}\"{near}"))
        }
        1 => then(app, found.remove(0)),
        _ => {
            let names: Vec<String> = found.iter().map(ToString::to_string).collect();
            bad(app, &format!("\"{name}\" is ambiguous: {}", names.join(", ")))
        }
    }
}

/// Walks the history of views.
pub(super) fn walk(app: &mut App, step: impl Fn(&mut Pages) -> bool) -> Vec<Effect> {
    let mut effects = app.pages.current_mut().on_leave();
    step(&mut app.pages);
    effects.extend(app.enter());
    effects
}

/// Shows the namespace of a digit.
pub(super) fn namespace(app: &mut App, digit: u8) {
    if digit == 0 {
        set_namespace(app, None);
        return;
    }
    match app.world.favourite(digit) {
        Some(name) => set_namespace(app, Some(name)),
        None => app.say(Level::Info, &format!("there is no namespace {digit}")),
    }
}

fn set_namespace(app: &mut App, name: Option<Text>) {
    let unknown = name.as_ref().filter(|name| !app.world.keys().any(|key| key.namespace == **name)).cloned();
    match (&name, unknown) {
        (_, Some(name)) => app.say(Level::Info, &format!("namespace {name}, in which no application is known")),
        (Some(name), None) => app.say(Level::Info, &format!("namespace {name}; 0 shows all")),
        (None, None) => app.say(Level::Info, "all namespaces"),
    }
    app.world.set_namespace(name);
    app.settle();
}

/// Opens the dialog that asks, or says why there is nothing to ask.
fn approve(app: &mut App, key: &AppKey, step: Option<&Text>) -> Vec<Effect> {
    if let Some(reason) = &app.world.readonly {
        let text = format!("nothing is written here: {reason}");
        return bad(app, &text);
    }
    let subject = ResourceKey::application(key);
    if let Some(refused) = acting::refused(app, &subject, Right::Approve) {
        return bad(app, &refused);
    }
    if app.world.writes.contains_key(key) {
        app.say(Level::Info, &format!("a write to {key} is under way"));
        return Vec::new();
    }
    let Some(waiting) = app.world.waiting(key) else {
        let status = app.world.standing(key).map_or("not known", |standing| &standing.status);
        let text = format!("nothing waits in {key}: {status}");
        app.say(Level::Info, &text);
        return Vec::new();
    };
    // Asked while the dialog is read: it says so where it is not permitted.
    let known = app.world.permissions.get(&subject, Right::Approve, app.world.now).is_some();
    let ask = |app: &mut App| {
        let task = app.world.next_id();
        if known { Vec::new() } else { vec![Effect::Review(task, subject, Right::Approve)] }
    };
    if step.is_none() && waiting.gates.len() > 1 {
        let count = waiting.gates.len();
        let mut rows: Vec<Row> = waiting
            .gates
            .iter()
            .map(|gate| Row {
                choice: Choice::Gate(key.clone(), Some(gate.step.name.clone())),
                cells: vec![gate.step.name.to_string(), gate.reason.as_str().to_owned()],
            })
            .collect();
        rows.push(Row {
            choice: Choice::Gate(key.clone(), None),
            cells: vec![format!("all {count} of them"), String::new()],
        });
        let chooser = Chooser::new(format!("approve which step of {key}?"), &["STEP", "WAITS FOR"], rows);
        app.push(Layer::Choose(Box::new(chooser)));
        return ask(app);
    }
    if let Some(dialog) = ApproveDialog::new(&app.world, key, step) {
        app.push(Layer::Approve(Box::new(dialog)));
        return ask(app);
    }
    Vec::new()
}

/// Follows an application's logs, if any pods of it are known or may come.
///
/// While its pods are still being listed the page opens without them, and they join it as they come.
fn logs_of_app(app: &mut App, key: &AppKey) -> Vec<Effect> {
    let of_pods = |query: &Query| matches!(query, Query::LabelledPods(_) | Query::ReleasePods(_));
    let lists: Vec<&ScopeState> =
        app.world.store.scopes().filter(|(scope, _)| of_pods(&scope.query)).map(|(_, state)| state).collect();
    let to_come = lists.is_empty() || lists.iter().any(|state| matches!(state, ScopeState::Loading(_)));
    if app.world.store.pods_of(key).next().is_none() && !to_come {
        let why = app.world.why_empty(&format!("pods of {key}"), of_pods);
        app.say(Level::Info, &why);
        return Vec::new();
    }
    logs(app, LogPage::of_app(key.clone(), None).request)
}

/// Of a component in one cluster; where its pods do not carry its name, as those of a chart do not, of the application.
fn logs_of_component(app: &mut App, key: &AppKey, component: Text, cluster: ClusterId) -> Vec<Effect> {
    let named = app.world.store.pods_of(key).any(|pod| pod.owner.component == component && pod.key.cluster == cluster);
    if !app.world.store.pods_of(key).any(|pod| pod.key.cluster == cluster) {
        return logs_of_app(app, key);
    }
    let mut request = LogPage::of_app(key.clone(), named.then_some(component)).request;
    request.clusters = vec![cluster];
    logs(app, request)
}

/// Follows logs: on a page of logs in the place of those that are followed.
fn logs(app: &mut App, request: LogRequest) -> Vec<Effect> {
    if let Page::Logs(page) = app.pages.current_mut() {
        page.request = request;
        return page.reopen(&mut app.world);
    }
    app.open(Page::Logs(Box::new(LogPage::new(request))))
}

/// A step without a log of its own: that of its application instead, and why.
pub(super) fn on_no_step_log(app: &mut App, stream: super::message::StreamId, why: &str) -> Vec<Effect> {
    let Page::Logs(page) = app.pages.current_mut() else { return Vec::new() };
    let LogScope::Step { app: of, .. } = &page.request.scope else { return Vec::new() };
    if !page.is_step_of(stream) {
        return Vec::new();
    }
    page.request.scope = LogScope::App { app: of.clone(), component: None };
    let effects = page.reopen(&mut app.world);
    app.say(Level::Info, &format!("the logs of the whole application: {why}"));
    effects
}

/// The pod of that name, else the application.
fn logs_of_name(app: &mut App, name: &str) -> Vec<Effect> {
    let bare = name.rsplit('/').next().unwrap_or(name);
    let mut pods = app.world.store.pods().filter(|pod| {
        *pod.key.name == *bare
            && (bare == name || pod.key.to_string().ends_with(&format!("/{name}")) || pod.key.to_string() == name)
    });
    let pod = pods.next().map(|pod| pod.key.clone());
    drop(pods);
    match pod {
        Some(pod) => logs(app, LogPage::of_pod(pod, None).request),
        None if !app.world.find_app(name).is_empty() => with_app(app, name, |app, key| logs_of_app(app, &key)),
        None => bad(app, &format!("no pod and no application \"{name}\" is known")),
    }
}

/// Opens the events of the thing under the cursor: of an application those of all that it made.
pub(super) fn events_of_cursor(app: &mut App) -> Vec<Effect> {
    let Some(subject) = app.subject() else { return no_subject(app) };
    if subject == ResourceKey::cluster(&ClusterId(subject.name.clone())) {
        let mut page = Page::events(EventScope::All);
        page.set_filter(&format!("cluster:{}", subject.name));
        return app.open(page);
    }
    let key = AppKey { namespace: subject.namespace.clone(), name: subject.name.clone() };
    let scope =
        if subject == ResourceKey::application(&key) { EventScope::App(key) } else { EventScope::Object(subject) };
    if matches!(app.page(), Page::Events(table) if table.rows.scope == scope) {
        return bad(app, "these are its events: enter opens the object itself");
    }
    app.open(Page::events(scope))
}

fn find_targets(app: &mut App, key: AppKey, name: Option<&str>) -> Vec<Effect> {
    let task = app.world.next_id();
    let mut chooser = Chooser::targets(format!("forward to which port of {key}?"), task);
    if let Some(name) = name {
        // What is under the cursor is what is meant; emptying the line shows the others.
        chooser.line.set(name);
    }
    app.push(Layer::Choose(Box::new(chooser)));
    let places = app.world.app(&key).map(Application::places).unwrap_or_default();
    let pods = app.world.store.pods_of(&key).cloned().collect();
    vec![Effect::FindTargets { task, app: key, places, pods }]
}

/// The targets that a search found.
pub(super) fn on_targets(app: &mut App, task: TaskId, targets: Vec<ForwardTarget>, notes: Vec<String>) {
    for layer in &mut app.layers {
        if let Layer::Choose(chooser) = layer {
            chooser.on_targets(task, targets, notes);
            return;
        }
    }
}

fn start_forward(app: &mut App, target: ForwardTarget) -> Vec<Effect> {
    let is_open = |state: &ForwardState| !matches!(state, ForwardState::Failed { .. } | ForwardState::Stopped);
    let open = app.world.forwards.iter().find(|forward| forward.target == target && is_open(&forward.state));
    if let Some(url) = open.map(forwards::url) {
        let url = url.map_or_else(String::new, |url| format!(": {url}"));
        app.say(Level::Info, &format!("that forward is open already{url}"));
        return Vec::new();
    }
    let id = app.world.next_id();
    let local_port = preferred_local_port(target.port);
    let since = app.world.now;
    app.world.forwards.push(Forward {
        id,
        target: target.clone(),
        state: ForwardState::Connecting,
        traffic: ForwardTraffic::default(),
        since,
    });
    app.world.touch();
    vec![Effect::StartForward { id, target, local_port }]
}

fn stop_forward(app: &mut App, id: ForwardId) -> Vec<Effect> {
    let Some(at) = app.world.forwards.iter().position(|forward| forward.id == id) else { return Vec::new() };
    let over = app
        .world
        .forwards
        .get(at)
        .is_some_and(|forward| matches!(forward.state, ForwardState::Failed { .. } | ForwardState::Stopped));
    app.world.touch();
    if over {
        // Pressed on one that is over, it takes the row away.
        app.world.forwards.remove(at);
        return Vec::new();
    }
    vec![Effect::StopForward(id)]
}

/// A forward stands otherwise, or something went through it.
pub(super) fn on_forward(app: &mut App, id: ForwardId, news: ForwardNews) -> Vec<Effect> {
    let Some(forward) = app.world.forwards.iter_mut().find(|forward| forward.id == id) else {
        return Vec::new();
    };
    let state = match news {
        ForwardNews::State(state) => state,
        ForwardNews::Traffic(traffic) => {
            forward.traffic = traffic;
            app.world.touch();
            return Vec::new();
        }
    };
    let first = matches!(forward.state, ForwardState::Connecting);
    forward.state = state;
    let target = format!("{} in {}", forward.target.name, forward.target.cluster);
    let said = match (&forward.state, forwards::url(forward)) {
        (ForwardState::Active { .. }, Some(url)) if first => Some((Level::Good, format!("{url} reaches {target}"))),
        (ForwardState::Failed { reason }, _) => Some((Level::Bad, format!("forward to {target} failed: {reason}"))),
        (ForwardState::Stopped, _) => Some((Level::Info, format!("forward to {target} stopped"))),
        _ => None,
    };
    app.world.touch();
    if let Some((level, text)) = said {
        app.say(level, &text);
    }
    Vec::new()
}

/// Time passed, or the world changed: the layer on top looks again.
pub(super) fn on_change(app: &mut App) -> Vec<Effect> {
    let Some(layer) = app.layers.last_mut() else { return Vec::new() };
    let reaction = layer.on_change(&app.world, &app.burst);
    all(app, reaction.wishes)
}
