//! The forms an answer comes in: whole objects, their metadata, or rows of a table, as the Accept header asks.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt, stream};
use http::{HeaderMap, header};
use serde_json::{Value, json};

use super::body::{self, Body};
use super::table;
use crate::demo::kinds::Kind;
use crate::demo::query::Query;
use crate::demo::status::Status;
use crate::demo::store::Object;

/// What a table's row carries beside its cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Include {
    None,
    Metadata,
    Object,
}

/// A form of answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Object,
    Metadata,
    Table(Include),
}

impl Format {
    /// The first form in the Accept header that is known; none given means objects.
    pub(crate) fn negotiate(headers: &HeaderMap, query: &Query) -> Result<Self, Status> {
        let accept: Vec<&str> = headers
            .get_all(header::ACCEPT)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .collect();
        if accept.is_empty() {
            return Ok(Self::Object);
        }
        for form in accept {
            let mut parts = form.split(';').map(str::trim);
            if !matches!(parts.next(), Some("application/json" | "application/*" | "*/*")) {
                continue;
            }
            match parts.find_map(|part| part.strip_prefix("as=")) {
                None => return Ok(Self::Object),
                Some("Table") => {
                    return Ok(Self::Table(match query.get("includeObject") {
                        "None" => Include::None,
                        "Object" => Include::Object,
                        _ => Include::Metadata,
                    }));
                }
                Some("PartialObjectMetadata" | "PartialObjectMetadataList") => return Ok(Self::Metadata),
                Some(_) => {}
            }
        }
        Err(Status::not_acceptable())
    }

    /// A number for each form that is made of an object; whole objects are kept as they are sent.
    pub(crate) fn number(self) -> Option<usize> {
        match self {
            Self::Object => None,
            Self::Metadata => Some(0),
            Self::Table(Include::None) => Some(1),
            Self::Table(Include::Metadata) => Some(2),
            Self::Table(Include::Object) => Some(3),
        }
    }

    /// One object.
    pub(crate) fn one(self, kind: &Kind, object: &Object) -> Bytes {
        let mut out = Vec::new();
        match self {
            Self::Object => return Bytes::from(object.json(kind)),
            Self::Metadata => self.write(kind, object, true, &mut out),
            Self::Table(_) => self.event_object(kind, object, true, &mut out),
        }
        Bytes::from(out)
    }

    /// A list, in pieces so that a large one never stands in memory whole.
    pub(crate) fn list(self, kind: &'static Kind, objects: Vec<Arc<Object>>, metadata: &Value) -> Body {
        const PIECE: usize = 128;
        let (head, tail) = match self {
            Self::Object => {
                let head = format!(
                    "{{\"kind\":\"{}List\",\"apiVersion\":\"{}\",\"metadata\":{metadata},\"items\":[",
                    kind.name,
                    kind.api_version()
                );
                (head, "]}\n")
            }
            Self::Metadata => {
                let head = format!(
                    "{{\"kind\":\"PartialObjectMetadataList\",\"apiVersion\":\"meta.k8s.io/v1\",\"metadata\":{metadata},\"items\":["
                );
                (head, "]}\n")
            }
            Self::Table(_) => (table_head(metadata, &table::columns(kind)), "]}\n"),
        };
        let typed = kind.custom || self != Self::Object;
        let piece = move |objects: &[Arc<Object>], first: bool| {
            let mut out = Vec::new();
            for (at, object) in objects.iter().enumerate() {
                if at > 0 || !first {
                    out.push(b',');
                }
                self.write(kind, object, typed, &mut out);
            }
            out
        };
        if objects.len() <= PIECE {
            let mut out = head.into_bytes();
            out.extend(piece(&objects, true));
            out.extend_from_slice(tail.as_bytes());
            return body::full(out);
        }
        let pieces = stream::unfold((objects, 0), move |(objects, from)| async move {
            let to = objects.len().min(from + PIECE);
            (from < to).then(|| (piece(&objects[from..to], from == 0), (objects, to)))
        });
        let pieces = stream::iter([head.into_bytes()]).chain(pieces).chain(stream::iter([tail.as_bytes().to_vec()]));
        body::stream(pieces.map(|piece| Ok::<_, io::Error>(Bytes::from(piece))))
    }

    /// The object of a watch event. Only the first of a watch has a table's columns.
    pub(crate) fn event_object(self, kind: &Kind, object: &Object, first: bool, out: &mut Vec<u8>) {
        match self {
            Self::Object | Self::Metadata => self.write(kind, object, true, out),
            Self::Table(_) => {
                let columns = if first { table::columns(kind) } else { Value::Null };
                let metadata = json!({ "resourceVersion": object.revision.to_string() });
                out.extend_from_slice(table_head(&metadata, &columns).as_bytes());
                self.write(kind, object, true, out);
                out.extend_from_slice(b"]}");
            }
        }
    }

    /// A bookmark: nothing but the revision a watch has come to.
    pub(crate) fn bookmark(self, kind: &Kind, revision: u64, initial_end: bool, first: bool) -> Value {
        let mut metadata = json!({ "resourceVersion": revision.to_string(), "creationTimestamp": null });
        if initial_end {
            metadata["annotations"] = json!({ "k8s.io/initial-events-end": "true" });
        }
        match self {
            Self::Object => json!({ "kind": kind.name, "apiVersion": kind.api_version(), "metadata": metadata }),
            Self::Metadata => {
                json!({ "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata })
            }
            Self::Table(_) => {
                let columns = if first { table::columns(kind) } else { Value::Null };
                let object =
                    json!({ "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata });
                let metadata = json!({ "resourceVersion": revision.to_string() });
                json!({
                    "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata, "columnDefinitions": columns,
                    "rows": [{ "cells": [], "object": object }],
                })
            }
        }
    }

    fn write(self, kind: &Kind, object: &Object, typed: bool, out: &mut Vec<u8>) {
        let partial = |out: &mut Vec<u8>| {
            out.extend_from_slice(
                b"{\"kind\":\"PartialObjectMetadata\",\"apiVersion\":\"meta.k8s.io/v1\",\"metadata\":",
            );
            out.extend_from_slice(object.metadata());
            out.push(b'}');
        };
        match self {
            Self::Object => object.write(kind, typed, out),
            Self::Metadata => partial(out),
            Self::Table(include) => {
                out.extend_from_slice(b"{\"cells\":");
                out.extend_from_slice(table::cells(kind, object).to_string().as_bytes());
                out.extend_from_slice(b",\"object\":");
                match include {
                    Include::None => out.extend_from_slice(b"null"),
                    Include::Metadata => partial(out),
                    Include::Object => object.write(kind, true, out),
                }
                out.push(b'}');
            }
        }
    }
}

fn table_head(metadata: &Value, columns: &Value) -> String {
    format!(
        "{{\"kind\":\"Table\",\"apiVersion\":\"meta.k8s.io/v1\",\"metadata\":{metadata},\"columnDefinitions\":{columns},\"rows\":["
    )
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn the_accept_header_chooses_the_form() {
        let asked = |accept: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
            Format::negotiate(&headers, &Query::default()).map_err(|status| status.code.as_u16())
        };
        let kubectl = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json";
        assert_eq!(asked(kubectl), Ok(Format::Table(Include::Metadata)));
        assert_eq!(asked("application/vnd.kubernetes.protobuf,application/json"), Ok(Format::Object));
        assert_eq!(asked("application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"), Ok(Format::Metadata));
        assert_eq!(asked("application/vnd.kubernetes.protobuf"), Err(406));
    }
}
