//! How many applications stand how.

use crate::model::health::Health;

/// Applications by class of health; they sum to the number of applications.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts([usize; Health::ALL.len()]);

impl Counts {
    /// Applications of one class.
    pub fn get(&self, health: Health) -> usize {
        self.0.get(health as usize).copied().unwrap_or(0)
    }

    /// All applications.
    pub fn total(&self) -> usize {
        self.0.iter().sum()
    }

    /// Every class with its number, worst first, empty ones too.
    pub fn iter(&self) -> impl Iterator<Item = (Health, usize)> {
        Health::ALL.into_iter().zip(self.0)
    }

    pub(super) fn add(&mut self, health: Health) {
        if let Some(count) = self.0.get_mut(health as usize) {
            *count += 1;
        }
    }

    pub(super) fn take(&mut self, health: Health) {
        if let Some(count) = self.0.get_mut(health as usize) {
            *count = count.saturating_sub(1);
        }
    }
}
