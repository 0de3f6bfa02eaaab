//! Applications of the hub: rows for the screen, and for the supervisor where they deploy to.

use std::collections::HashMap;

use serde_json::Value;
use tokio::sync::mpsc;

use super::{
    Error,
    asking::Asking,
    interest::Interest,
    project::{self, Meta},
    supervisor::Event,
    watch::{Change, Projection, Question},
};
use crate::model::{
    delta::{Query, Row, Scope},
    key::{AppKey, ClusterId, RowKey, Text},
};

/// The question for Applications in one namespace or all.
pub(crate) fn question(namespace: Option<&Text>) -> Question {
    let (path, what) = match namespace {
        None => ("/apis/core.oam.dev/v1beta1/applications".to_owned(), "applications".to_owned()),
        Some(namespace) => (
            format!("/apis/core.oam.dev/v1beta1/namespaces/{namespace}/applications"),
            format!("applications in namespace {namespace}"),
        ),
    };
    let scope = Scope { cluster: ClusterId::local(), query: Query::Applications(namespace.cloned()) };
    Question { scope, path, selector: None, fields: None, what }
}

/// Projects Applications.
pub(crate) struct Applications {
    events: mpsc::UnboundedSender<Event>,
    /// What the supervisor was told last, and the list that named it.
    told: HashMap<AppKey, (u64, Interest)>,
    list: u64,
}

impl Applications {
    pub(crate) fn new(events: mpsc::UnboundedSender<Event>) -> Self {
        Self { events, told: HashMap::new(), list: 0 }
    }

    fn tell(&self, key: AppKey, interest: Option<Interest>) {
        // Nobody listens any more only when this task is about to end.
        let _ = self.events.send(Event::Interest(key, interest));
    }
}

impl Projection for Applications {
    async fn begin(&mut self, _asking: &mut Asking) -> Result<(), Error> {
        self.list += 1;
        Ok(())
    }

    fn put(&mut self, object: &Value) -> Change {
        let app = project::application(object);
        if app.key.name.is_empty() {
            return Change::Nothing;
        }
        let interest = Interest::of(&app);
        match self.told.get_mut(&app.key) {
            Some((list, told)) if *told == interest => *list = self.list,
            _ => {
                self.told.insert(app.key.clone(), (self.list, interest.clone()));
                self.tell(app.key.clone(), Some(interest));
            }
        }
        Change::Row(Row::Application(Box::new(app)))
    }

    fn delete(&mut self, object: &Value) -> Change {
        let Some(meta) = Meta::of(object) else { return Change::Nothing };
        let key = AppKey::new(&meta.namespace, &meta.name);
        if self.told.remove(&key).is_some() {
            self.tell(key.clone(), None);
        }
        Change::Gone(RowKey::Application(key))
    }

    fn synced(&mut self) {
        let list = self.list;
        let gone: Vec<AppKey> =
            self.told.iter().filter(|(_, (named, _))| *named != list).map(|(key, _)| key.clone()).collect();
        for key in gone {
            self.told.remove(&key);
            self.tell(key, None);
        }
    }
}
