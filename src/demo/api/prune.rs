//! Reading only some fields of an object: a table of 20,000 pods shows little of each.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// What of a value is read; what is not wanted is skipped without being understood.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Wanted {
    /// All of it.
    All,
    /// Of an object these fields, of a list these fields of each item.
    Fields(&'static [(&'static str, Wanted)]),
}

/// Reads what is wanted of some JSON; null if it is none.
pub(crate) fn read(json: &[u8], wanted: Wanted) -> Value {
    wanted.deserialize(&mut serde_json::Deserializer::from_slice(json)).unwrap_or_default()
}

impl<'de> DeserializeSeed<'de> for Wanted {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        match self {
            Self::All => serde::Deserialize::deserialize(deserializer),
            Self::Fields(fields) => deserializer.deserialize_any(Fields(fields)),
        }
    }
}

struct Fields(&'static [(&'static str, Wanted)]);

impl<'de> Visitor<'de> for Fields {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut out = Map::new();
        while let Some(known) = map.next_key_seed(Name(self.0))? {
            match known {
                Some((name, wanted)) => drop(out.insert((*name).to_owned(), map.next_value_seed(*wanted)?)),
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(Value::Object(out))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut out = Vec::new();
        while let Some(item) = seq.next_element_seed(Wanted::Fields(self.0))? {
            out.push(item);
        }
        Ok(Value::Array(out))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
}

/// A field's name, if it is wanted.
struct Name(&'static [(&'static str, Wanted)]);

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Option<&'static (&'static str, Wanted)>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name {
    type Value = Option<&'static (&'static str, Wanted)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.iter().find(|(known, _)| *known == name))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_wanted_is_read_and_the_rest_skipped() {
        const WANTED: Wanted = Wanted::Fields(&[
            ("a", Wanted::All),
            ("list", Wanted::Fields(&[("x", Wanted::All)])),
            ("flat", Wanted::Fields(&[])),
        ]);
        let json = br#"{"z":[{"a":1}],"a":{"b":[1,null]},"list":[{"x":1,"y":2},{}],"flat":"text"}"#;
        assert_eq!(read(json, WANTED), json!({ "a": { "b": [1, null] }, "list": [{ "x": 1 }, {}], "flat": "text" }));
        assert_eq!(read(b"{", WANTED), Value::Null);
    }
}
