//! Bodies of requests and answers.

use std::io;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::{Stream, TryStreamExt};
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Body as _, Frame, Incoming};
use serde_json::Value;

use super::protobuf::{self, Unread};
use crate::demo::status::Status;

pub(crate) type Body = UnsyncBoxBody<Bytes, io::Error>;
pub(crate) type Answer = Response<Body>;

/// The largest request, as the real server has it.
const LIMIT: usize = 3 * 1024 * 1024;
/// How long a client may go on sending what was refused.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

pub(crate) fn stream(pieces: impl Stream<Item = io::Result<Bytes>> + Send + 'static) -> Body {
    StreamBody::new(pieces.map_ok(Frame::data)).boxed_unsync()
}

pub(crate) fn answer(code: StatusCode, content_type: &'static str, body: Body) -> Answer {
    let mut answer = Response::new(body);
    *answer.status_mut() = code;
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
    answer
}

pub(crate) fn json(code: StatusCode, body: Body) -> Answer {
    answer(code, "application/json", body)
}

pub(crate) fn value(code: StatusCode, value: &Value) -> Answer {
    json(code, full(format!("{value}\n")))
}

pub(crate) fn text(code: StatusCode, text: impl Into<Bytes>) -> Answer {
    answer(code, "text/plain; charset=utf-8", full(text))
}

pub(crate) fn refusal(status: &Status) -> Answer {
    value(status.code, &status.to_json())
}

/// Reads a request's body to its end, or refuses one beyond the limit at once. What is still being sent then is thrown
/// away for a while: a client that sends into a closed connection would see it break, and not the refusal.
pub(crate) async fn read(mut body: Incoming) -> Result<Bytes, Status> {
    let mut kept = BytesMut::new();
    let mut large = body.size_hint().lower() > LIMIT as u64;
    while !large && let Some(frame) = body.frame().await {
        let frame =
            frame.map_err(|error| Status::bad_request(format!("unable to read the request's body: {error}")))?;
        let Ok(data) = frame.into_data() else { continue };
        large = kept.len() + data.len() > LIMIT;
        if !large {
            kept.extend_from_slice(&data);
        }
    }
    if large {
        tokio::spawn(tokio::time::timeout(PATIENCE, async move { while let Some(Ok(_)) = body.frame().await {} }));
        return Err(Status::too_large(LIMIT));
    }
    Ok(kept.freeze())
}

/// The media type without its parameters; JSON if none is given.
pub(crate) fn content_type(headers: &HeaderMap) -> &str {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("application/json");
    value.split(';').next().unwrap_or(value).trim()
}

/// Parses an object that was sent whole.
pub(crate) fn parse(headers: &HeaderMap, bytes: &[u8]) -> Result<Value, Status> {
    const ACCEPTED: &str = "application/json, application/yaml, application/vnd.kubernetes.protobuf";
    match content_type(headers) {
        "application/json" | "*/*" => {
            let value = serde_json::from_slice(bytes);
            object(value.map_err(|error| format!("couldn't get version/kind; json parse error: {error}")))
        }
        "application/yaml" => parse_yaml(bytes),
        protobuf::MEDIA_TYPE => protobuf::decode(bytes).map_err(|unread| match unread {
            Unread::Unknown => Status::unsupported_media_type("application/json, application/yaml"),
            Unread::Malformed => Status::bad_request("the object provided is unrecognized (must be of type Object)"),
        }),
        _ => Err(Status::unsupported_media_type(ACCEPTED)),
    }
}

/// Parses an object in YAML, which JSON is too.
pub(crate) fn parse_yaml(bytes: &[u8]) -> Result<Value, Status> {
    let text = std::str::from_utf8(bytes).map_err(|error| Status::bad_request(error.to_string()))?;
    object(serde_yaml::from_str(text).map_err(|error| format!("error converting YAML to JSON: {error}")))
}

fn object(parsed: Result<Value, String>) -> Result<Value, Status> {
    match parsed.map_err(Status::bad_request)? {
        value @ Value::Object(_) => Ok(value),
        _ => Err(Status::bad_request("the object provided is unrecognized (must be of type Object)")),
    }
}
