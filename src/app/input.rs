//! Keys and pastes: to the layer on top, to the line being typed, or to the page.

use crossterm::event::{Event, KeyEvent, KeyEventKind};

use super::{
    App, acting,
    dialog::{Layer, Press, help::HelpLayer},
    effect::Effect,
    keymap::{Action, Key},
    notice::Level,
    page::{Page, Reaction},
    perform,
    prompt::{Kind, Prompt, Typed},
};
use crate::model::object::Face;

/// Takes what came from the terminal.
pub(super) fn on_event(app: &mut App, event: Event) -> Vec<Effect> {
    match event {
        Event::Key(key) if key.kind != KeyEventKind::Release => on_key(app, key),
        Event::Paste(text) => {
            on_paste(app, &text);
            Vec::new()
        }
        _ => Vec::new(),
    }
}

fn on_key(app: &mut App, event: KeyEvent) -> Vec<Effect> {
    let now = app.world.now;
    app.burst.on_key(now);
    if app.notice.as_ref().is_some_and(|notice| notice.is_read(now)) {
        app.notice = None;
    }
    app.settle();
    let key = Key::of(&event);
    if let Some(layer) = app.layers.last_mut() {
        let press = Press { event: &event, time: now, burst: &app.burst, keymap: &app.keymap };
        let reaction = layer.on_key(press, &app.world);
        return perform::all(app, reaction.wishes);
    }
    if let Some(prompt) = &mut app.prompt {
        let typed = prompt.on_key(key, &app.world, &app.typed);
        return on_typed(app, typed);
    }
    let Some(action) = app.keymap.action(app.page().view(), key) else {
        app.say(Level::Info, &format!("{key} does nothing here; ? shows the keys"));
        return Vec::new();
    };
    act(app, action)
}

/// Does what a key of the page stands for.
pub(super) fn act(app: &mut App, action: Action) -> Vec<Effect> {
    let Reaction { taken, wishes } = app.pages.current_mut().on_action(action, &app.world);
    if taken {
        let effects = perform::all(app, wishes);
        app.settle();
        return effects;
    }
    on_action(app, action)
}

fn on_paste(app: &mut App, text: &str) {
    if let Some(layer) = app.layers.last_mut() {
        layer.on_paste(text, &app.world);
    } else if let Some(prompt) = &mut app.prompt {
        prompt.on_paste(text, &app.world);
        if prompt.kind == Kind::Filter {
            let raw = prompt.line.text().to_owned();
            app.pages.current_mut().set_filter(&raw);
        }
    } else {
        app.say(Level::Info, "a paste means nothing here: press : or / before it");
    }
}

fn on_typed(app: &mut App, typed: Typed) -> Vec<Effect> {
    let Some(prompt) = &app.prompt else { return Vec::new() };
    match (prompt.kind, typed) {
        (Kind::Command, Typed::Entered(line)) => {
            app.prompt = None;
            if line.trim().is_empty() {
                return Vec::new();
            }
            app.typed.keep(Kind::Command, &line);
            return perform::command(app, &line);
        }
        (Kind::Filter, Typed::Entered(line)) => {
            // One that is not valid stays open: it says what is wrong as long as it is looked at.
            if app.page().filter().error().is_none() {
                app.prompt = None;
                app.typed.keep(Kind::Filter, &line);
            }
        }
        (Kind::Filter, Typed::Edited) => {
            let raw = prompt.line.text().to_owned();
            app.pages.current_mut().set_filter(&raw);
        }
        (Kind::Time, Typed::Entered(line)) => {
            app.prompt = None;
            if let Page::Logs(page) = app.pages.current_mut()
                && !line.trim().is_empty()
            {
                let (level, text) = match page.go_to_time(&line, &app.world) {
                    Ok(text) => (Level::Info, text),
                    Err(text) => (Level::Bad, text),
                };
                app.typed.keep(Kind::Time, &line);
                app.say(level, &text);
            }
        }
        (kind, Typed::Left(before)) => {
            app.prompt = None;
            if kind == Kind::Filter {
                app.pages.current_mut().set_filter(&before);
            }
        }
        (Kind::Command | Kind::Time, Typed::Edited) | (_, Typed::Ignored) => {}
    }
    app.settle();
    Vec::new()
}

/// The keys that work on every page.
fn on_action(app: &mut App, action: Action) -> Vec<Effect> {
    match action {
        Action::QuitNow => return vec![Effect::Quit],
        Action::Quit if app.pages.is_home() => return vec![Effect::Quit],
        Action::Back => {
            if !app.page().filter().raw().is_empty() {
                app.pages.current_mut().set_filter("");
                app.settle();
            } else if !app.pages.is_home() {
                return perform::walk(app, super::history::Pages::back);
            }
        }
        Action::Quit | Action::HistoryBack => return perform::walk(app, super::history::Pages::back),
        Action::HistoryForward => return perform::walk(app, super::history::Pages::forward),
        Action::LastView => return perform::walk(app, super::history::Pages::last),
        Action::Command => {
            let objects = app.named().iter().map(super::subject::short).collect::<std::collections::BTreeSet<_>>();
            app.prompt = Some(Prompt::command(&app.world, objects.into_iter().collect()));
        }
        Action::Filter => app.prompt = Some(Prompt::filter(app.page().filter().raw())),
        Action::Help => {
            let view = app.page().view();
            app.push(Layer::Help(HelpLayer::new(view)));
        }
        Action::AbsoluteTimes => app.world.absolute = !app.world.absolute,
        Action::Resync => {
            app.say(Level::Info, "listing everything again");
            app.world.permissions.forget();
            return vec![Effect::Resync];
        }
        Action::Suspend => return vec![Effect::Suspend],
        Action::Namespace(digit) => perform::namespace(app, digit),
        Action::Approvals => return app.open_once(Page::approvals),
        Action::Forwards => return app.open_once(Page::forwards),
        Action::Yaml => return perform::object::look_at(app, Face::Yaml),
        Action::Description => return perform::object::look_at(app, Face::Description),
        Action::Edit => return perform::object::edit(app),
        Action::Shell => return perform::object::shell(app),
        Action::Events => return perform::events_of_cursor(app),
        Action::Why => return perform::why_of_cursor(app),
        Action::Problems => return app.open_once(Page::problems),
        Action::Menu => return acting::menu(app),
        Action::Delete => return acting::delete(app),
        Action::NextPanel | Action::PreviousPanel => app.say(Level::Info, "there is one panel here"),
        // The page's own, which it did not take.
        Action::Enter | Action::Approve | Action::Logs | Action::Forward | Action::Stop | Action::Copy => {
            app.say(Level::Info, "nothing is under the cursor for that");
        }
        _ => {}
    }
    Vec::new()
}

impl App {
    /// Opens a page of a kind, unless that is what is shown.
    pub(super) fn open_once(&mut self, make: impl Fn() -> Page) -> Vec<Effect> {
        let page = make();
        if std::mem::discriminant(&page) == std::mem::discriminant(self.page()) {
            return Vec::new();
        }
        self.open(page)
    }
}
