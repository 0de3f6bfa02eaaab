//! The pages of a session, walked like a browser's.

use super::page::Page;

/// Pages kept; the oldest go.
const KEPT: usize = 50;

/// The pages, and which is shown. Each keeps its cursor, filter and scroll while another is shown.
#[derive(Debug)]
pub struct Pages {
    current: Page,
    back: Vec<Page>,
    forward: Vec<Page>,
    /// Whether [`Pages::last`] went back, and is to come forward again.
    left_by_last: bool,
}

impl Pages {
    /// A session that begins at `home`.
    pub fn new(home: Page) -> Self {
        Self { current: home, back: Vec::new(), forward: Vec::new(), left_by_last: false }
    }

    /// The page shown.
    pub fn current(&self) -> &Page {
        &self.current
    }

    /// The page shown.
    pub fn current_mut(&mut self) -> &mut Page {
        &mut self.current
    }

    /// Whether there is a page to go back to.
    pub fn is_home(&self) -> bool {
        self.back.is_empty()
    }

    /// The pages one came through, oldest first.
    pub fn trail(&self) -> &[Page] {
        &self.back
    }

    /// Shows a page; the one shown so far is what back leads to.
    pub fn open(&mut self, page: Page) {
        let left = std::mem::replace(&mut self.current, page);
        self.back.push(left);
        self.forward.clear();
        self.left_by_last = false;
        if self.back.len() > KEPT {
            // The first is home, and stays.
            self.back.remove(1);
        }
    }

    /// Shows a page in the place of the one shown.
    pub fn replace(&mut self, page: Page) {
        self.current = page;
    }

    /// Back; `false` at home.
    pub fn back(&mut self) -> bool {
        let Some(page) = self.back.pop() else { return false };
        self.left_by_last = false;
        self.forward.push(std::mem::replace(&mut self.current, page));
        true
    }

    /// Forward again; `false` where one did not come back from anywhere.
    pub fn forward(&mut self) -> bool {
        let Some(page) = self.forward.pop() else { return false };
        self.left_by_last = false;
        self.back.push(std::mem::replace(&mut self.current, page));
        true
    }

    /// To the page before, and with the next call to this one again.
    pub fn last(&mut self) -> bool {
        let returns = std::mem::take(&mut self.left_by_last);
        if returns && self.forward() {
            return true;
        }
        let left = self.back();
        self.left_by_last = left;
        left || self.forward()
    }
}
