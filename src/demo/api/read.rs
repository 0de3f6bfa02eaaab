//! Get and list.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

use super::body::{self, Answer};
use super::format::Format;
use super::path::Target;
use super::watch::Watch;
use crate::demo::query::Query;
use crate::demo::selector::Selector;
use crate::demo::status::Status;
use crate::demo::store::{self, Key, Store};

/// One object.
pub(crate) fn get(store: &Store, target: &Target, headers: &HeaderMap, query: &Query) -> Result<Answer, Status> {
    let format = Format::negotiate(headers, query)?;
    check_revision(store, query)?;
    let object = store.get(target.kind, &target.key()).ok_or_else(|| Status::not_found(target.kind, &target.name))?;
    Ok(body::json(StatusCode::OK, body::full(format.one(target.kind, &object))))
}

/// The scale of a workload.
pub(crate) fn scale(store: &Store, target: &Target) -> Result<Value, Status> {
    let object = store.get(target.kind, &target.key()).ok_or_else(|| Status::not_found(target.kind, &target.name))?;
    let value = object.value(target.kind);
    let metadata = &value["metadata"];
    let labels = value.pointer("/spec/selector/matchLabels").and_then(Value::as_object);
    let selector: Vec<String> = labels
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
        .collect();
    Ok(json!({
        "kind": "Scale", "apiVersion": "autoscaling/v1",
        "metadata": {
            "name": metadata["name"], "namespace": metadata["namespace"], "uid": metadata["uid"],
            "resourceVersion": metadata["resourceVersion"], "creationTimestamp": metadata["creationTimestamp"],
        },
        "spec": { "replicas": value.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or(1) },
        "status": {
            "replicas": value.pointer("/status/replicas").and_then(Value::as_i64).unwrap_or(0),
            "selector": selector.join(","),
        },
    }))
}

/// A page of a list, or a watch.
pub(crate) fn list(store: &Arc<Store>, target: &Target, headers: &HeaderMap, query: &Query) -> Result<Answer, Status> {
    let format = Format::negotiate(headers, query)?;
    let selector = Selector::of(target.kind, query.get("labelSelector"), query.get("fieldSelector"))?;
    if query.flag("watch") {
        return watch(store, target, query, format, selector);
    }
    // None of them, or less, is all.
    let limit = usize::try_from(query.number::<i64>("limit")?.unwrap_or(0)).unwrap_or(0);
    let (after, mut at) = match query.get("continue") {
        "" => (None, None),
        token => {
            if !matches!(query.get("resourceVersion"), "" | "0") {
                let why = "specifying resource version is not allowed when using continue";
                return Err(Status::bad_request(why));
            }
            let (revision, key) = read_token(token)?;
            (Some(key), revision)
        }
    };
    if after.is_none() {
        let revision = check_revision(store, query)?;
        match query.get("resourceVersionMatch") {
            "" | "NotOlderThan" => {}
            "Exact" => at = revision,
            other => {
                let why =
                    format!("Unsupported value: \"{other}\": supported values: \"Exact\", \"NotOlderThan\", \"\"");
                let status =
                    Status::invalid_options("ListOptions", "FieldValueNotSupported", "resourceVersionMatch", &why);
                return Err(status);
            }
        }
    }
    let kind = target.kind;
    let page = store.list(&store::Query {
        kind,
        namespace: &target.namespace,
        selector: &selector,
        after: after.clone(),
        limit,
        at,
    });
    let page = page.map_err(|store::Forgotten(oldest)| match &after {
        Some(key) => Status::continue_expired(token(None, key)),
        None => Status::too_old(at.unwrap_or_default(), oldest),
    })?;
    let mut metadata = json!({ "resourceVersion": page.revision.to_string() });
    if let (true, Some(last)) = (page.remaining > 0, page.objects.last()) {
        metadata["continue"] = token(Some(page.revision), &last.key).into();
        if selector.is_empty() {
            metadata["remainingItemCount"] = page.remaining.into();
        }
    }
    Ok(body::json(StatusCode::OK, format.list(kind, page.objects, &metadata)))
}

/// The revision that is asked for, if any; it must have been already.
fn check_revision(store: &Store, query: &Query) -> Result<Option<u64>, Status> {
    let text = query.get("resourceVersion");
    let asked = revision(text)?;
    let newest = store.revision();
    match asked {
        Some(asked) if asked > newest => Err(Status::too_new(asked, newest)),
        asked => Ok(asked),
    }
}

fn revision(text: &str) -> Result<Option<u64>, Status> {
    let invalid = |_| {
        let parse = format!("strconv.ParseUint: parsing \"{text}\": invalid syntax");
        Status::bad_request(format!("resourceVersion: Invalid value: \"{text}\": {parse}"))
    };
    if text.is_empty() { Ok(None) } else { text.parse().map(Some).map_err(invalid) }
}

/// Where a list goes on. Without a revision it goes on with what there is then.
fn token(revision: Option<u64>, last: &Key) -> String {
    let token = json!({ "v": "meta.k8s.io/v1", "rv": revision.map_or(-1, u64::cast_signed), "start": [last.namespace, last.name] });
    URL_SAFE_NO_PAD.encode(token.to_string())
}

fn read_token(token: &str) -> Result<(Option<u64>, Key), Status> {
    let read = || -> Option<(Option<u64>, Key)> {
        let token: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
        let revision = token["rv"].as_i64()?;
        // The real server's own tokens name the start as one path.
        let key = match &token["start"] {
            Value::String(path) => Key::new("", path.trim_end_matches('\0')),
            start => Key::new(start[0].as_str()?, start[1].as_str()?),
        };
        Some((u64::try_from(revision).ok(), key))
    };
    read().ok_or_else(|| Status::bad_request("continue key is not valid: encoding is not understood"))
}

fn watch(
    store: &Arc<Store>,
    target: &Target,
    query: &Query,
    format: Format,
    selector: Selector,
) -> Result<Answer, Status> {
    let initial = query.flag("sendInitialEvents");
    if initial && query.get("resourceVersionMatch") != "NotOlderThan" {
        let why = "Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan";
        return Err(Status::invalid_options("ListOptions", "FieldValueForbidden", "resourceVersionMatch", why));
    }
    let from = revision(query.get("resourceVersion"))?.filter(|revision| *revision > 0 && !initial);
    let watch = Watch {
        kind: target.kind,
        namespace: target.namespace.clone(),
        name: target.name.clone(),
        selector,
        format,
        from,
        initial,
        bookmarks: query.flag("allowWatchBookmarks"),
        timeout: query
            .number::<i64>("timeoutSeconds")?
            .and_then(|seconds| u64::try_from(seconds).ok())
            .filter(|seconds| *seconds > 0)
            // A year, so that nobody can name an hour that no clock reaches.
            .map(|seconds| Duration::from_secs(seconds.min(31_536_000))),
    };
    Ok(body::json(StatusCode::OK, body::stream(watch.start(Arc::clone(store)))))
}
