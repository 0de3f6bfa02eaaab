//! One message in, work out. Dispatch only: what a message means is decided where its state lives.

use crate::model::delta::Delta;

use super::{
    App, acting,
    effect::Effect,
    input,
    message::Message,
    notice::{Level, Notice},
    page::{Page, revisions},
    perform, usage,
};

/// Takes one thing that happened; answers with the work to be done.
pub fn update(app: &mut App, message: Message) -> Vec<Effect> {
    match message {
        Message::Input(event, at) => {
            app.world.now = at;
            input::on_event(app, event)
        }
        Message::Deltas(deltas) => on_deltas(app, deltas),
        Message::Log(stream, events) => {
            if let Page::Logs(page) = app.pages.current_mut() {
                page.on_log(stream, events, &app.world);
            }
            Vec::new()
        }
        Message::NoStepLog(stream, why) => perform::on_no_step_log(app, stream, &why),
        Message::Tree(stream, answer) => {
            match app.pages.current_mut() {
                Page::Tree(page) => page.on_tree(stream, answer),
                Page::Events(table) => table.rows.on_tree(stream, answer),
                _ => {}
            }
            Vec::new()
        }
        Message::Object(stream, news) => {
            if let Page::Object(page) = app.pages.current_mut() {
                page.on_news(stream, *news);
            }
            Vec::new()
        }
        Message::Revisions(stream, answer) => {
            if let Page::Revisions(table) = app.pages.current_mut()
                && revisions::on_revisions(table, stream, answer)
            {
                app.world.touch();
            }
            Vec::new()
        }
        Message::Compared(stream, answer) => {
            if let Page::Diff(page) = app.pages.current_mut() {
                page.on_report(stream, answer);
            }
            Vec::new()
        }
        Message::Prepared(task, prepared) => {
            acting::on_prepared(app, task, prepared);
            Vec::new()
        }
        Message::Reviewed(task, key, right, answer) => acting::on_reviewed(app, task, &key, right, answer),
        Message::Usage(reading) => {
            usage::on_reading(app, reading);
            Vec::new()
        }
        Message::Why(stream, answer) => {
            if let Page::Why(page) = app.pages.current_mut() {
                page.on_looked(stream, answer);
            }
            Vec::new()
        }
        Message::Forward(id, state) => perform::on_forward(app, id, state),
        Message::Targets(task, targets, notes) => {
            perform::on_targets(app, task, targets, notes);
            Vec::new()
        }
        Message::Edit(task, news) => perform::object::on_edit(app, task, *news),
        Message::Returned(_, outcome) => {
            perform::object::on_returned(app, &outcome);
            Vec::new()
        }
        Message::Done(task, outcome) => {
            app.world.writes.retain(|_, write| *write != task);
            app.world.object_writes.retain(|_, write| *write != task);
            app.world.touch();
            app.notice = Some(Notice::of(&outcome, app.world.now));
            Vec::new()
        }
        Message::Tick(at) => {
            app.world.now = at;
            let mut effects = perform::on_change(app);
            effects.extend(usage::ask(app));
            effects
        }
        Message::Drawn(at) => {
            app.world.now = app.world.now.max(at);
            if app.layer_drawn
                && let Some(layer) = app.layers.last_mut()
            {
                layer.on_drawn(at);
            }
            let mut effects = perform::on_change(app);
            effects.extend(usage::ask(app));
            effects
        }
    }
}

fn on_deltas(app: &mut App, deltas: Vec<Delta>) -> Vec<Effect> {
    for delta in &deltas {
        if let Delta::Notice(text) = delta {
            app.say(Level::Info, text);
        }
    }
    app.world.store.apply_all(deltas);
    let mut effects = match app.pages.current_mut() {
        Page::Logs(page) => page.on_deltas(&app.world),
        _ => Vec::new(),
    };
    // A dialog says at once when what it asks about is not so any more.
    if !app.layers.is_empty() {
        effects.extend(perform::on_change(app));
    }
    effects
}
