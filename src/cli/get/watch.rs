//! `get -w`: what is there, and then every change of it, until interrupted.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{Collect, Item, unwritable};
use crate::cli::{
    args::{Form, Get},
    failure::{Failure, code},
    items::Incomplete,
    stdout::{self, Reader, Stdout},
    table::Widths,
    view::View,
};

/// Changes within this time are told together.
const GATHER: Duration = Duration::from_millis(100);
/// Between two looks at what is not watched.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// A cluster's latency never rests: it is news when it has moved by this share.
const LATENCY_NEWS: f64 = 0.25;

/// Tells of `items`, and then of every change, until nobody reads any more.
pub(super) async fn run<T: Item>(
    view: &mut View,
    get: &Get,
    collect: Collect<T>,
    items: Vec<T>,
) -> Result<u8, Failure> {
    let mut told = Told { get, items: BTreeMap::new(), widths: Widths::default() };
    let mut missing: Vec<Incomplete> = Vec::new();
    let mut next = items;
    loop {
        let text = told.take(next)?;
        if !text.is_empty() && Stdout::lock().write(&text)? == Reader::Gone {
            return Ok(code::DONE);
        }
        let incomplete = view.incomplete(get.cluster.as_deref());
        for news in incomplete.iter().filter(|news| !missing.contains(news)) {
            stdout::note(&format!("{}: {}", news.cluster, news.reason));
        }
        missing = incomplete;
        tokio::select! {
            () = view.changed() => {}
            () = stdout::gone() => return Ok(code::DONE),
        }
        sleep(GATHER).await;
        view.take();
        // One that was asked for by name may go.
        next = collect(view, get).unwrap_or_default();
    }
}

/// The same for what is looked up each time: tells of `items`, and then of every change that a later look finds.
pub(super) async fn looked<T: Item>(
    get: &Get,
    items: Vec<T>,
    mut look: impl AsyncFnMut() -> Result<Vec<T>, Failure>,
) -> Result<u8, Failure> {
    let mut told = Told { get, items: BTreeMap::new(), widths: Widths::default() };
    let mut failed = String::new();
    let mut next = Some(items);
    loop {
        if let Some(items) = next {
            let text = told.take(items)?;
            if !text.is_empty() && Stdout::lock().write(&text)? == Reader::Gone {
                return Ok(code::DONE);
            }
        }
        tokio::select! {
            () = sleep(LOOK_EVERY) => {}
            () = stdout::gone() => return Ok(code::DONE),
        }
        // A look that fails tells nothing of what is there.
        next = match look().await {
            Ok(items) => {
                failed.clear();
                Some(items)
            }
            Err(failure) => {
                if failed != failure.message {
                    stdout::note(&failure.message);
                    failed = failure.message;
                }
                None
            }
        };
    }
}

/// What was told so far.
struct Told<'a, T> {
    get: &'a Get,
    /// By name; the value is what scripts are told.
    items: BTreeMap<String, (Value, T)>,
    widths: Widths,
}

impl<T: Item> Told<'_, T> {
    /// The text of what is new in `items`.
    fn take(&mut self, items: Vec<T>) -> Result<String, Failure> {
        let now = Timestamp::now();
        if self.items.is_empty() {
            // All of the first table stands in columns of one width.
            T::table(&items, self.is_wide(), now).widen(&mut self.widths);
        }
        let mut out = String::new();
        let mut left = std::mem::take(&mut self.items);
        for item in items {
            let key = item.line();
            let value = serde_json::to_value(&item).map_err(|error| unwritable(&error))?;
            let kind = match left.remove(&key) {
                Some((before, _)) if is_same(&before, &value) => {
                    self.items.insert(key, (before, item));
                    continue;
                }
                Some(_) => "changed",
                None => "added",
            };
            out.push_str(&self.line(kind, &item, &value, now)?);
            self.items.insert(key, (value, item));
        }
        for (value, item) in left.into_values() {
            out.push_str(&self.line("removed", &item, &value, now)?);
        }
        Ok(out)
    }

    fn is_wide(&self) -> bool {
        self.get.output == Form::Wide
    }

    fn line(&mut self, kind: &str, item: &T, value: &Value, now: Timestamp) -> Result<String, Failure> {
        Ok(match self.get.output {
            Form::Json => format!("{}\n", json!({"type": kind, "item": value})),
            Form::Yaml => {
                let event = json!({"type": kind, "item": value});
                format!("---\n{}", crate::yaml::to_string(&event).map_err(|error| unwritable(&error))?)
            }
            Form::Name => format!("{}{}\n", item.line(), if kind == "removed" { " (removed)" } else { "" }),
            Form::Table | Form::Wide => {
                let table = T::table(std::slice::from_ref(item), self.is_wide(), now);
                table.continued(&mut self.widths, if kind == "removed" { "(removed)" } else { "" })
            }
        })
    }
}

/// Whether nothing of note has changed.
fn is_same(before: &Value, now: &Value) -> bool {
    if before == now {
        return true;
    }
    let latency = |item: &Value| item.pointer("/link/latency_s").and_then(Value::as_f64);
    match (latency(before), latency(now)) {
        (Some(was), Some(is)) if (is - was).abs() <= was * LATENCY_NEWS => {
            let mut like_before = now.clone();
            like_before["link"]["latency_s"] = was.into();
            like_before == *before
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_latency_that_hardly_moves_is_no_news() {
        let cluster = |latency: f64, pods: u32| json!({"link": {"state": "live", "latency_s": latency}, "pods": pods});
        assert!(is_same(&cluster(0.02, 1), &cluster(0.024, 1)));
        assert!(!is_same(&cluster(0.02, 1), &cluster(0.04, 1)));
        assert!(!is_same(&cluster(0.02, 1), &cluster(0.02, 2)));
    }
}
