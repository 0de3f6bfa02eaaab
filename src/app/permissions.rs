//! What clusters said of permissions, as long as that is believed.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};

use crate::model::{acting::Right, key::Text, resource::ResourceKey};

/// How long an answer about a permission is believed.
const BELIEVED: SignedDuration = SignedDuration::from_mins(5);

/// What clusters said of permissions.
#[derive(Debug, Default)]
pub(super) struct Permissions(HashMap<Asked, (Timestamp, Result<(), Text>)>);

/// The object, by its name too, since rules may name it, and what is done to it.
type Asked = (ResourceKey, Right);

impl Permissions {
    /// What was answered lately.
    pub(super) fn get(&self, key: &ResourceKey, right: Right, now: Timestamp) -> Option<&Result<(), Text>> {
        let (at, answer) = self.0.get(&(key.clone(), right))?;
        (now.duration_since(*at) < BELIEVED).then_some(answer)
    }

    /// Takes an answer.
    pub(super) fn put(&mut self, key: &ResourceKey, right: Right, answer: Result<(), Text>, now: Timestamp) {
        self.0.retain(|_, (at, _)| now.duration_since(*at) < BELIEVED);
        self.0.insert((key.clone(), right), (now, answer));
    }

    /// Everything is asked anew.
    pub(super) fn forget(&mut self) {
        self.0.clear();
    }
}
