//! Which questions name a row, and by which of their lists.

use std::collections::HashMap;

use crate::model::delta::{Epoch, Scope};

/// Numbers for scopes, so that a claim is small.
#[derive(Debug, Default)]
pub(super) struct ScopeIds {
    ids: HashMap<Scope, u32>,
    next: u32,
}

impl ScopeIds {
    pub(super) fn id(&mut self, scope: Scope) -> u32 {
        *self.ids.entry(scope).or_insert_with(|| {
            self.next += 1;
            self.next
        })
    }

    pub(super) fn find(&self, scope: &Scope) -> Option<u32> {
        self.ids.get(scope).copied()
    }

    pub(super) fn forget(&mut self, scope: &Scope) {
        self.ids.remove(scope);
    }
}

/// The claims on one row: nearly always one.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Claims(Vec<(u32, Epoch)>);

impl Claims {
    /// Notes that a list of the scope named the row.
    pub(super) fn claim(&mut self, scope: u32, epoch: Epoch) {
        if let Some((_, claimed)) = self.0.iter_mut().find(|(id, _)| *id == scope) {
            *claimed = epoch.max(*claimed);
        } else {
            self.0.reserve_exact(1);
            self.0.push((scope, epoch));
        }
    }

    /// The newest list of the scope that named the row.
    pub(super) fn of(&self, scope: u32) -> Option<Epoch> {
        self.0.iter().find(|(id, _)| *id == scope).map(|(_, epoch)| *epoch)
    }

    /// Takes a claim back; true when it was there and was the last.
    pub(super) fn release(&mut self, scope: u32) -> bool {
        let before = self.0.len();
        self.0.retain(|(id, _)| *id != scope);
        before > 0 && self.0.is_empty()
    }
}
