//! The way of an edit: fetched as a draft, opened, read back, held against the server.

use tokio::sync::mpsc;

use super::drafts::Drafts;
use crate::{
    app::message::{Message, TaskId},
    cluster::{
        Error, Hub, actions,
        edit::{self, Draft},
    },
    model::{
        acting::Right,
        edit::{DraftRequest, EditNews, Kept, apply_patch},
        key::Text,
        resource::ResourceKey,
    },
};

/// Fetches an object and makes a draft of it, or says that there is one already.
pub(super) async fn draft(hub: &Hub, request: &DraftRequest) -> EditNews {
    match try_draft(hub, request).await {
        Ok(news) => news,
        Err(why) => EditNews::Failed(why),
    }
}

async fn try_draft(hub: &Hub, request: &DraftRequest) -> Result<EditNews, Text> {
    let key = &request.key;
    if key.is_secret() && !request.content {
        return Err(format!("{key} is not edited: ask for its content first (y, then r)").into());
    }
    let drafts = Drafts::open(hub.server()).map_err(|error| unkept(&error))?;
    let asks = request.kept == Kept::Ask && drafts.is_kept(key);
    // Side by side: what is permitted costs no time.
    let fetch = async { if asks { None } else { Some(edit::fetch(hub, key).await) } };
    let (fetched, permitted) = tokio::join!(fetch, actions::review(hub, key, Right::Edit));
    let cannot = |error: Error| Text::from(format!("{key} cannot be edited: {error}"));
    let fresh = match (fetched, permitted) {
        // Where it is not there, or may not even be read, that is what to say.
        (Some(Err(error)), _) => return Err(cannot(error)),
        (_, Err(needs)) => return Ok(EditNews::Barred(key.clone(), needs)),
        (None, Ok(())) => return Ok(EditNews::Kept(key.clone())),
        (Some(Ok(fresh)), Ok(())) => fresh,
    };
    let mut text = edit::text(key, &fresh).map_err(|error| Text::from(error.message))?;
    if request.kept == Kept::Reopen
        && let Ok((base, draft)) = drafts.read(key)
    {
        match edit::read(key, base, &draft) {
            // What was changed then, on the object as it is now.
            Draft::Changed(proposal) => {
                let mut wanted = fresh.clone();
                apply_patch(&mut wanted, &proposal.editing.patch);
                text = edit::text(key, &wanted).map_err(|error| Text::from(error.message))?;
            }
            // Not read yet: as it was left, on what it was made from.
            Draft::Broken(_) => return Ok(EditNews::Drafted(key.clone())),
            Draft::Unchanged => {}
        }
    }
    drafts.keep(key, &fresh, &text).map_err(|error| unkept(&error))?;
    Ok(EditNews::Drafted(key.clone()))
}

fn unkept(error: &std::io::Error) -> Text {
    format!("the draft cannot be kept in the state directory: {error}").into()
}

/// Reads a draft back after it was edited, and asks the server what it thinks of it.
pub(super) async fn read_back(hub: &Hub, key: &ResourceKey, task: TaskId, messages: &mpsc::Sender<Message>) {
    let tell = async |news: EditNews| {
        let _ = messages.send(Message::Edit(task, Box::new(news))).await;
    };
    let read = Drafts::open(hub.server()).and_then(|drafts| Ok((drafts.read(key)?, drafts)));
    let ((base, text), drafts) = match read {
        Ok(read) => read,
        Err(error) => return tell(EditNews::Failed(format!("the draft cannot be read: {error}").into())).await,
    };
    // Megabytes take their time, which is not the session's.
    let read = tokio::task::spawn_blocking({
        let key = key.clone();
        move || edit::read(&key, base, &text)
    });
    let draft = match read.await {
        Ok(draft) => draft,
        Err(error) => return tell(EditNews::Failed(format!("the draft cannot be read: {error}").into())).await,
    };
    match draft {
        Draft::Unchanged => {
            drafts.discard(key);
            tell(EditNews::Unchanged(key.clone())).await;
        }
        Draft::Broken(broken) => tell(EditNews::Broken(key.clone(), broken)).await,
        Draft::Changed(proposal) => {
            let editing = proposal.editing.clone();
            tell(EditNews::Read(proposal)).await;
            match edit::check(hub, &editing).await {
                Ok(()) => tell(EditNews::Accepted).await,
                Err(words) => tell(EditNews::Refused(words)).await,
            }
        }
    }
}
