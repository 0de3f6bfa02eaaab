//! Bodies in protobuf: kubectl sends some of Kubernetes' own kinds so (`create namespace`, `create deployment`, `auth
//! can-i`) and tries nothing else where that is refused. They are read into JSON by a table of field numbers.
//!
//! A line of the table is a message: its name, then `NUMBER:FIELD:TYPE` for each field. Types are `s` string, `i`
//! integer, `b` boolean, `y` bytes, `t` time, `q` quantity, `o` integer or string, `S` a list of strings in a message of
//! its own, or a message; before them `*` is a list, `%` a map from strings, `?` a field that may be absent. The field
//! `&` is embedded, and `!` after a number keeps what is empty.

use std::collections::HashMap;
use std::sync::OnceLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::demo::clock;

const TABLE: &str = include_str!("../../../assets/estate/protobuf.txt");
/// What every body begins with.
const MAGIC: &[u8] = b"k8s\0";

/// The media type.
pub(crate) const MEDIA_TYPE: &str = "application/vnd.kubernetes.protobuf";

/// Why a body could not be read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unread {
    /// It is of a kind that the table does not know.
    Unknown,
    /// It is no protobuf, or not what its kind is.
    Malformed,
}

struct Field {
    number: u64,
    name: &'static str,
    keep: bool,
    list: bool,
    map: bool,
    of: &'static str,
}

fn table() -> &'static HashMap<&'static str, Vec<Field>> {
    static PARSED: OnceLock<HashMap<&'static str, Vec<Field>>> = OnceLock::new();
    PARSED.get_or_init(|| {
        TABLE
            .lines()
            .filter_map(|line| {
                let mut words = line.split(' ');
                Some((words.next()?, words.filter_map(field).collect()))
            })
            .collect()
    })
}

fn field(text: &'static str) -> Option<Field> {
    let mut parts = text.splitn(3, ':');
    let (number, name, of) = (parts.next()?, parts.next()?, parts.next()?);
    Some(Field {
        number: number.trim_end_matches('!').parse().ok()?,
        name,
        keep: number.ends_with('!') || of.starts_with('?'),
        list: of.starts_with('*'),
        map: of.starts_with('%'),
        of: of.trim_start_matches(['?', '*', '%']),
    })
}

/// Reads a body: an envelope that says its kind, and the object in it.
pub(crate) fn decode(bytes: &[u8]) -> Result<Value, Unread> {
    let envelope = bytes.strip_prefix(MAGIC).ok_or(Unread::Malformed)?;
    let (mut kind, mut api_version, mut raw) = (String::new(), String::new(), &[][..]);
    for part in fields(envelope) {
        match part.ok_or(Unread::Malformed)? {
            (1, Wire::Bytes(meta)) => {
                for part in fields(meta) {
                    match part.ok_or(Unread::Malformed)? {
                        (1, Wire::Bytes(text)) => api_version = String::from_utf8_lossy(text).into_owned(),
                        (2, Wire::Bytes(text)) => kind = String::from_utf8_lossy(text).into_owned(),
                        _ => {}
                    }
                }
            }
            (2, Wire::Bytes(object)) => raw = object,
            _ => {}
        }
    }
    let known = table().get_key_value(kind.as_str()).ok_or(Unread::Unknown)?;
    let mut object = Map::new();
    object.insert("kind".to_owned(), kind.clone().into());
    object.insert("apiVersion".to_owned(), api_version.into());
    object.extend(message(known.1, raw).ok_or(Unread::Malformed)?);
    Ok(Value::Object(object))
}

/// A field as it is on the wire.
#[derive(Clone, Copy)]
enum Wire<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The fields of a message; `None` where it breaks off.
fn fields(mut bytes: &[u8]) -> impl Iterator<Item = Option<(u64, Wire<'_>)>> {
    std::iter::from_fn(move || {
        if bytes.is_empty() {
            return None;
        }
        let read = next(&mut bytes);
        if read.is_none() {
            bytes = &[];
        }
        Some(read)
    })
}

fn next<'a>(bytes: &mut &'a [u8]) -> Option<(u64, Wire<'a>)> {
    let tag = varint(bytes)?;
    let wire = match tag & 7 {
        0 => Wire::Number(varint(bytes)?),
        1 => Wire::Number(u64::from_le_bytes(take(bytes, 8)?.try_into().ok()?)),
        2 => {
            let length = usize::try_from(varint(bytes)?).ok()?;
            Wire::Bytes(take(bytes, length)?)
        }
        5 => Wire::Number(u64::from(u32::from_le_bytes(take(bytes, 4)?.try_into().ok()?))),
        _ => return None,
    };
    Some((tag >> 3, wire))
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(taken)
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut out = 0;
    for shift in (0..64).step_by(7) {
        let byte = take(bytes, 1)?[0];
        out |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(out);
        }
    }
    None
}

fn message(known: &[Field], bytes: &[u8]) -> Option<Map<String, Value>> {
    let mut out = Map::new();
    for part in fields(bytes) {
        let (number, wire) = part?;
        let Some(field) = known.iter().find(|field| field.number == number) else { continue };
        if field.list {
            let item = value(field.of, wire)?;
            if let Value::Array(items) = out.entry(field.name).or_insert_with(|| Value::Array(Vec::new())) {
                items.push(item);
            }
        } else if field.map {
            let Wire::Bytes(entry) = wire else { return None };
            let (mut key, mut of) = (String::new(), Value::from(""));
            for part in fields(entry) {
                match part? {
                    (1, Wire::Bytes(text)) => key = String::from_utf8(text.to_vec()).ok()?,
                    (2, wire) => of = value(field.of, wire)?,
                    _ => {}
                }
            }
            if let Value::Object(map) = out.entry(field.name).or_insert_with(|| Value::Object(Map::new())) {
                map.insert(key, of);
            }
        } else {
            match value(field.of, wire)? {
                Value::Object(embedded) if field.name == "&" => out.extend(embedded),
                value if field.keep || !is_empty(&value) => drop(out.insert(field.name.to_owned(), value)),
                _ => {}
            }
        }
    }
    Some(out)
}

/// Go writes what is empty too, where JSON leaves it out.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::Number(number) => number.as_i64() == Some(0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
    }
}

fn value(of: &str, wire: Wire<'_>) -> Option<Value> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok().map(Value::from);
    Some(match (of, wire) {
        ("i", Wire::Number(number)) => number.cast_signed().into(),
        ("b", Wire::Number(number)) => (number != 0).into(),
        ("s", Wire::Bytes(bytes)) => text(bytes)?,
        ("y", Wire::Bytes(bytes)) => STANDARD.encode(bytes).into(),
        ("t", Wire::Bytes(bytes)) => {
            let seconds = number(bytes, 1)?;
            if bytes.is_empty() { Value::Null } else { clock::rfc3339(Timestamp::from_second(seconds).ok()?).into() }
        }
        ("q", Wire::Bytes(bytes)) => strings(bytes, 1)?.pop().unwrap_or_default(),
        ("o", Wire::Bytes(bytes)) if number(bytes, 1)? == 0 => number(bytes, 2)?.into(),
        ("o", Wire::Bytes(bytes)) => strings(bytes, 3)?.pop().unwrap_or_default(),
        ("S", Wire::Bytes(bytes)) => strings(bytes, 1)?.into(),
        (of, Wire::Bytes(bytes)) => Value::Object(message(table().get(of)?, bytes)?),
        _ => return None,
    })
}

/// A number in a message, 0 if it is not there.
fn number(bytes: &[u8], wanted: u64) -> Option<i64> {
    let mut found = 0;
    for part in fields(bytes) {
        if let (number, Wire::Number(value)) = part?
            && number == wanted
        {
            found = value.cast_signed();
        }
    }
    Some(found)
}

/// The texts of that number in a message.
fn strings(bytes: &[u8], wanted: u64) -> Option<Vec<Value>> {
    let mut all = Vec::new();
    for part in fields(bytes) {
        if let (number, Wire::Bytes(text)) = part?
            && number == wanted
        {
            all.push(String::from_utf8(text.to_vec()).ok()?.into());
        }
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    /// A field that holds bytes.
    fn bytes(number: u8, content: &[u8]) -> Vec<u8> {
        let length = u8::try_from(content.len()).unwrap();
        [&[number << 3 | 2, length], content].concat()
    }

    fn body(api_version: &str, kind: &str, raw: &[u8]) -> Vec<u8> {
        let meta = [bytes(1, api_version.as_bytes()), bytes(2, kind.as_bytes())].concat();
        [MAGIC.to_vec(), bytes(1, &meta), bytes(2, raw)].concat()
    }

    #[test]
    fn objects_are_read_as_their_kind_says() {
        let labels = [bytes(1, b"app"), bytes(2, b"web")].concat();
        // Name, no generateName, labels, an empty creationTimestamp.
        let metadata = [bytes(1, b"web"), bytes(2, b""), bytes(11, &labels), bytes(8, b"")].concat();
        let template = bytes(2, &bytes(2, &[bytes(1, b"c"), bytes(2, b"nginx")].concat()));
        // No replicas are wanted, said with a pointer.
        let spec = [vec![0x08, 0x00], bytes(3, &template)].concat();
        let deployment = [bytes(1, &metadata), bytes(2, &spec)].concat();
        assert_eq!(
            decode(&body("apps/v1", "Deployment", &deployment)),
            Ok(json!({
                "kind": "Deployment", "apiVersion": "apps/v1",
                "metadata": { "name": "web", "labels": { "app": "web" } },
                "spec": { "replicas": 0, "template": { "spec": { "containers": [{ "name": "c", "image": "nginx" }] } } },
            }))
        );
        assert_eq!(decode(&body("example.com/v1", "Thing", b"")), Err(Unread::Unknown));
        assert_eq!(decode(b"{}"), Err(Unread::Malformed));
        assert_eq!(decode(&body("v1", "Namespace", &[0x0a, 0x7f])), Err(Unread::Malformed));
    }

    #[test]
    fn every_message_that_is_named_is_in_the_table() {
        for (name, fields) in table() {
            assert!(!fields.is_empty() || !name.is_empty(), "{name}");
            for field in fields {
                let known =
                    ["s", "i", "b", "y", "t", "q", "o", "S"].contains(&field.of) || table().contains_key(field.of);
                assert!(known, "{name}.{}", field.name);
            }
        }
    }

    proptest! {
        #[test]
        fn nothing_sent_can_break_it(raw in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = decode(&body("apps/v1", "Deployment", &raw));
            let _ = decode(&raw);
        }
    }
}
