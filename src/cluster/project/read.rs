//! Reading foreign JSON: a field of the wrong type counts as absent, and the place is noted.

use std::cell::RefCell;

use jiff::Timestamp;
use serde_json::Value;

use crate::model::{key::Text, selector::Labels};

/// Notes kept of one object; more would only repeat.
const MOST_FAULTS: usize = 16;

/// Bytes that a row keeps of a message: a screenful. Some carry a whole manifest, and rows are many.
const MOST_MESSAGE: usize = 4096;

/// An object inside an object, or nothing; with its path, for the notes.
pub(super) struct Node<'v> {
    value: Option<&'v Value>,
    path: String,
    faults: &'v RefCell<Vec<Text>>,
}

impl<'v> Node<'v> {
    pub(super) fn root(value: &'v Value, faults: &'v RefCell<Vec<Text>>) -> Self {
        let root = Self { value: value.is_object().then_some(value), path: String::new(), faults };
        if root.value.is_none() {
            root.note("", "not an object");
        }
        root
    }

    fn note(&self, key: &str, what: &str) {
        let mut faults = self.faults.borrow_mut();
        if faults.len() < MOST_FAULTS {
            let path = self.path_of(key);
            faults.push(format!("{path}: {what}").into());
        }
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() || key.is_empty() {
            format!("{}{key}", self.path)
        } else {
            format!("{}.{key}", self.path)
        }
    }

    /// The field; `null` counts as absent, as the API server treats it.
    fn get(&self, key: &str) -> Option<&'v Value> {
        self.value?.get(key).filter(|value| !value.is_null())
    }

    /// Whether the field is there.
    pub(super) fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// Notes it when a field that must be there is not.
    pub(super) fn require(&self, key: &str) {
        if !self.has(key) {
            self.note(key, "missing");
        }
    }

    /// The object in a field.
    pub(super) fn node(&self, key: &str) -> Node<'v> {
        let value = self.get(key);
        if value.is_some_and(|value| !value.is_object()) {
            self.note(key, "not an object");
        }
        Node { value: value.filter(|value| value.is_object()), path: self.path_of(key), faults: self.faults }
    }

    /// The objects of a list; others in it are noted and left out.
    pub(super) fn items(&self, key: &str) -> Vec<Node<'v>> {
        let Some(value) = self.get(key) else { return Vec::new() };
        let Some(list) = value.as_array() else {
            self.note(key, "not a list");
            return Vec::new();
        };
        let mut items = Vec::with_capacity(list.len());
        for (index, value) in list.iter().enumerate() {
            let path = format!("{}[{index}]", self.path_of(key));
            let node = Node { value: value.is_object().then_some(value), path, faults: self.faults };
            if node.value.is_none() {
                node.note("", "not an object");
            } else {
                items.push(node);
            }
        }
        items
    }

    /// The strings of a list; others in it are noted and left out.
    pub(super) fn texts(&self, key: &str) -> Vec<Text> {
        let Some(value) = self.get(key) else { return Vec::new() };
        let Some(list) = value.as_array() else {
            self.note(key, "not a list");
            return Vec::new();
        };
        if list.iter().any(|value| !value.is_string()) {
            self.note(key, "not strings alone");
        }
        list.iter().filter_map(Value::as_str).map(Into::into).collect()
    }

    /// The labels, of an object's metadata.
    pub(super) fn labels(&self) -> Labels {
        let mut labels: Vec<(Text, Text)> =
            self.node("labels").strings().map(|(key, value)| (key.into(), value.into())).collect();
        labels.sort();
        labels.into()
    }

    /// The string fields of this object, in order.
    pub(super) fn strings(&self) -> impl Iterator<Item = (&'v str, &'v str)> {
        let fields = self.value.and_then(Value::as_object).into_iter().flatten();
        fields.filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)))
    }

    /// A string; empty where there is none.
    pub(super) fn str(&self, key: &str) -> &'v str {
        let Some(value) = self.get(key) else { return "" };
        value.as_str().unwrap_or_else(|| {
            self.note(key, "not a string");
            ""
        })
    }

    /// A string; empty where there is none.
    pub(super) fn text(&self, key: &str) -> Text {
        self.str(key).into()
    }

    /// The beginning of the field `message`; empty where there is none.
    pub(super) fn message(&self) -> &'v str {
        let message = self.str("message");
        message.get(..message.floor_char_boundary(MOST_MESSAGE)).unwrap_or(message)
    }

    /// A string that is not empty.
    pub(super) fn filled(&self, key: &str) -> Option<Text> {
        Some(self.str(key)).filter(|text| !text.is_empty()).map(Into::into)
    }

    /// A boolean; false where there is none.
    pub(super) fn bool(&self, key: &str) -> bool {
        let Some(value) = self.get(key) else { return false };
        value.as_bool().unwrap_or_else(|| {
            self.note(key, "not a boolean");
            false
        })
    }

    /// A whole number; 0 where there is none.
    pub(super) fn int(&self, key: &str) -> i64 {
        let Some(value) = self.get(key) else { return 0 };
        value.as_i64().unwrap_or_else(|| {
            self.note(key, "not a whole number");
            0
        })
    }

    /// A time as RFC 3339 writes it.
    pub(super) fn time(&self, key: &str) -> Option<Timestamp> {
        let text = Some(self.str(key)).filter(|text| !text.is_empty())?;
        let time = text.parse().ok();
        if time.is_none() {
            self.note(key, "not a time");
        }
        time
    }
}
