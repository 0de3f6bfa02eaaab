//! Objects without what nobody here reads: half of every object says which field was written by whom.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Number, Value};

/// The fields of an entry of `managedFields`; the entry's manager and time are kept.
const FIELDS: &str = "fieldsV1";

/// A JSON value in which every `fieldsV1` is left out unread.
pub(super) struct Pruned(pub(super) Value);

impl<'de> Deserialize<'de> for Pruned {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Builder).map(Self)
    }
}

struct Builder;

impl<'de> Visitor<'de> for Builder {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Pruned(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = fields.next_key::<String>()? {
            if key == FIELDS {
                fields.next_value::<IgnoredAny>()?;
            } else {
                object.insert(key, fields.next_value::<Pruned>()?.0);
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn all_is_kept_but_the_fields_of_managed_fields() {
        let mut object = json!({
            "metadata": {
                "name": "a", "labels": {}, "managedFields": [
                    {"manager": "kubectl", "time": "2026-01-01T00:00:00Z", "fieldsV1": {"f:spec": {".": {}, "f:b": [1]}}},
                ],
            },
            "spec": {"text": "a \"quoted\" \u{e9}", "int": -3, "big": u64::MAX, "real": 1.5, "yes": true, "none": null, "list": [1, [], {}]},
        });
        let Pruned(read) = serde_json::from_str(&object.to_string()).unwrap();
        object["metadata"]["managedFields"][0].as_object_mut().unwrap().remove("fieldsV1");
        assert_eq!(read, object);
    }

    #[test]
    fn what_is_nested_too_deep_is_refused_and_not_followed() {
        let deep = "[".repeat(100_000);
        assert!(serde_json::from_str::<Pruned>(&deep).is_err());
    }
}
