//! One application: its workflow, its services in each cluster, their pods, and what is known of the thing selected.

pub mod detail;
pub mod items;

use std::collections::BTreeSet;

use crate::{
    app::{
        filter::{Filter, Tester},
        keymap::Action,
        page::{Page, Reaction, Wish, tree::TreePage, why::WhyPage},
        table::cell_text,
        world::World,
    },
    model::{
        health::Health,
        key::{AppKey, PodKey},
        log::{LogRequest, LogScope},
    },
};

pub use items::{Item, ItemKey};

/// Which panel has the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Panel {
    /// The list.
    Main,
    /// What is known of the selected thing.
    Detail,
}

/// The page.
#[derive(Debug)]
pub struct ApplicationPage {
    /// Which application.
    pub app: AppKey,
    /// Which panel has the keys.
    pub panel: Panel,
    items: Vec<Item>,
    folded: BTreeSet<ItemKey>,
    cursor: Option<ItemKey>,
    at: usize,
    filter: Filter,
    only_not_ok: bool,
    made: Option<u64>,
    offset: usize,
    height: usize,
    /// First line of the detail shown.
    pub detail_offset: usize,
    detail_lines: usize,
}

/// Names for a filter's `name:`; the page's rows have one text.
const COLUMNS: &[&str] = &[];

impl ApplicationPage {
    /// The page of an application, with the cursor on what needs a person, once that is known.
    pub fn new(app: AppKey) -> Self {
        Self {
            app,
            panel: Panel::Main,
            items: Vec::new(),
            folded: BTreeSet::new(),
            cursor: None,
            at: 0,
            filter: Filter::default(),
            only_not_ok: false,
            made: None,
            offset: 0,
            height: 0,
            detail_offset: 0,
            detail_lines: 0,
        }
    }

    /// Puts the cursor on a thing.
    pub fn select(&mut self, key: ItemKey) {
        self.cursor = Some(key);
        self.made = None;
    }

    /// What is shown, in order.
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// The cursor's place among it.
    pub fn at(&self) -> usize {
        self.at
    }

    /// The first line on screen, as drawn last.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// The pods on screen, as drawn last.
    pub fn pods_on_screen(&self) -> Vec<PodKey> {
        let on_screen = self.items.iter().skip(self.offset).take(self.height);
        on_screen
            .filter_map(|item| match &item.key {
                ItemKey::Pod(pod) => Some(pod.clone()),
                _ => None,
            })
            .collect()
    }

    /// The thing under the cursor.
    pub fn selected(&self) -> Option<&ItemKey> {
        self.items.get(self.at).map(|item| &item.key)
    }

    /// Whether a thing is folded.
    pub fn is_folded(&self, key: &ItemKey) -> bool {
        self.folded.contains(key)
    }

    /// The filter in force.
    pub fn filter(&self) -> &Filter {
        &self.filter
    }

    /// Whether only what is not ok is shown.
    pub fn only_not_ok(&self) -> bool {
        self.only_not_ok
    }

    /// Takes a filter as it is typed.
    pub fn set_filter(&mut self, raw: &str) {
        self.filter = Filter::parse(raw, COLUMNS);
        self.made = None;
    }

    /// Takes where the list was drawn.
    pub fn on_drawn(&mut self, offset: usize, height: usize) {
        self.offset = offset;
        self.height = height;
    }

    /// Takes how the detail was drawn.
    pub fn on_detail_drawn(&mut self, lines: usize, height: usize) {
        self.detail_lines = lines;
        self.detail_offset = self.detail_offset.min(lines.saturating_sub(height));
    }

    /// Brings what is shown up to what is known.
    pub fn settle(&mut self, world: &World) {
        if self.made == Some(world.revision()) {
            return;
        }
        let first = self.made.is_none() && self.items.is_empty();
        let mut all = items::items(world, &self.app);
        if self.filter.is_empty() && !self.only_not_ok {
            let folded = &self.folded;
            items::fold(&mut all, |key| folded.contains(key));
        } else {
            let mut tester = Tester::new(&self.filter);
            let only_not_ok = self.only_not_ok;
            items::keep(&mut all, |item| {
                let wanted = !only_not_ok || !matches!(item.health, Health::Ok | Health::Pending);
                let cells = items::cells(world, &self.app, item);
                wanted && tester.passes(cells.iter().map(cell_text).collect::<Vec<_>>().join(" ").as_str())
            });
        }
        self.items = all;
        self.made = (!self.items.is_empty()).then(|| world.revision());
        if first && self.cursor.is_none() {
            let calls = self.items.iter().filter(|item| matches!(item.key, ItemKey::Step(_)));
            self.cursor = calls
                .min_by_key(|item| item.health)
                .filter(|item| !matches!(item.health, Health::Ok | Health::Pending))
                .map(|item| item.key.clone());
        }
        let found = self.cursor.as_ref().and_then(|key| self.items.iter().position(|item| item.key == *key));
        self.at = found.unwrap_or(self.at).min(self.items.len().saturating_sub(1));
        self.cursor = self.selected().cloned();
    }

    /// Obeys a key.
    pub fn on_action(&mut self, action: Action, world: &World) -> Reaction {
        if self.on_move(action) {
            return Reaction::taken();
        }
        let selected = self.selected().cloned();
        let pod = match &selected {
            Some(ItemKey::Pod(pod)) => Some(pod.clone()),
            _ => None,
        };
        match (action, selected) {
            (Action::NextPanel | Action::PreviousPanel, _) => {
                self.panel = if self.panel == Panel::Main { Panel::Detail } else { Panel::Main };
                Reaction::taken()
            }
            (Action::Back, _) if self.panel == Panel::Detail => {
                self.panel = Panel::Main;
                Reaction::taken()
            }
            (Action::Enter, Some(ItemKey::Pod(pod))) => Reaction::wish(Wish::LogsOfPod(pod, None)),
            (Action::Enter, Some(key @ (ItemKey::Cluster(_) | ItemKey::Service { .. }))) => {
                if !self.folded.remove(&key) {
                    self.folded.insert(key);
                }
                self.made = None;
                Reaction::taken()
            }
            (Action::Enter, _) => {
                self.panel = Panel::Detail;
                Reaction::taken()
            }
            (Action::OnlyNotOk, _) => {
                self.only_not_ok = !self.only_not_ok;
                self.made = None;
                Reaction::taken()
            }
            (Action::Approve, selected) => {
                let step = match selected {
                    Some(ItemKey::Step(step)) => world
                        .waiting(&self.app)
                        .is_some_and(|waiting| waiting.gates.iter().any(|gate| gate.step.name == step))
                        .then_some(step),
                    _ => None,
                };
                Reaction::wish(Wish::Approve(self.app.clone(), step))
            }
            (Action::Logs, selected) => Reaction::wish(match pod {
                Some(pod) => Wish::LogsOfPod(pod, None),
                None => match selected {
                    Some(ItemKey::Service { cluster, name, .. }) => {
                        Wish::LogsOfComponent(self.app.clone(), name, cluster)
                    }
                    Some(ItemKey::Step(step)) => {
                        Wish::FollowLogs(Box::new(LogRequest::of(LogScope::Step { app: self.app.clone(), step })))
                    }
                    _ => Wish::LogsOfApp(self.app.clone()),
                },
            }),
            (Action::Forward, _) => Reaction::wish(Wish::Forward(self.app.clone(), pod.map(|pod| pod.name))),
            (Action::Revisions, _) => Reaction::wish(Wish::revisions(self.app.clone())),
            (Action::Diff, _) => Reaction::wish(Wish::drift(self.app.clone(), None)),
            (Action::Why, selected) => {
                let subject = super::why::asked::of_item(world, &self.app, selected);
                Reaction::wish(Wish::Open(Box::new(Page::Why(Box::new(WhyPage::new(subject))))))
            }
            (Action::Tree, _) => {
                Reaction::wish(Wish::Open(Box::new(Page::Tree(Box::new(TreePage::new(self.app.clone()))))))
            }
            (Action::Copy, Some(key)) => Reaction::wish(Wish::Copy(key.name(&self.app))),
            _ => Reaction::ignored(),
        }
    }

    fn on_move(&mut self, action: Action) -> bool {
        let page = self.height.saturating_sub(1).max(1);
        if self.panel == Panel::Detail {
            let last = self.detail_lines.saturating_sub(1);
            let to = match action {
                Action::Down => self.detail_offset + 1,
                Action::Up => self.detail_offset.saturating_sub(1),
                Action::PageDown => self.detail_offset + page,
                Action::PageUp => self.detail_offset.saturating_sub(page),
                Action::Top => 0,
                Action::Bottom => last,
                _ => return false,
            };
            self.detail_offset = to.min(last);
            return true;
        }
        let last = self.items.len().saturating_sub(1);
        let to = match action {
            Action::Down => self.at + 1,
            Action::Up => self.at.saturating_sub(1),
            Action::PageDown => self.at + page,
            Action::PageUp => self.at.saturating_sub(page),
            Action::Top => 0,
            Action::Bottom => last,
            _ => return false,
        };
        self.at = to.min(last);
        self.cursor = self.selected().cloned();
        self.detail_offset = 0;
        true
    }
}
