//! Bodies of requests and answers.

use std::io;

use bytes::{Bytes, BytesMut};
use futures::{Stream, TryStreamExt};
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use serde_json::Value;

use crate::demo::status::Status;

pub(crate) type Body = UnsyncBoxBody<Bytes, io::Error>;
pub(crate) type Answer = Response<Body>;

/// The largest request, as the real server has it.
const LIMIT: usize = 3 * 1024 * 1024;

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

pub(crate) fn text(code: StatusCode, text: &'static str) -> Answer {
    answer(code, "text/plain; charset=utf-8", full(text))
}

pub(crate) fn refusal(status: &Status) -> Answer {
    value(status.code, &status.to_json())
}

/// Reads a request's body to its end, up to the limit. What is beyond is thrown away rather than left unread: a client
/// that is still sending would see its connection break and not the refusal.
pub(crate) async fn read(mut body: Incoming) -> Result<Bytes, Status> {
    const PATIENCE: usize = 256 * 1024 * 1024;
    let (mut kept, mut seen) = (BytesMut::new(), 0);
    while let Some(frame) = body.frame().await {
        let frame =
            frame.map_err(|error| Status::bad_request(format!("unable to read the request's body: {error}")))?;
        let Ok(data) = frame.into_data() else { continue };
        seen += data.len();
        if seen <= LIMIT {
            kept.extend_from_slice(&data);
        } else {
            kept = BytesMut::new();
        }
        if seen > PATIENCE {
            break;
        }
    }
    if seen > LIMIT { Err(Status::too_large(LIMIT)) } else { Ok(kept.freeze()) }
}

/// The media type without its parameters; JSON if none is given.
pub(crate) fn content_type(headers: &HeaderMap) -> &str {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("application/json");
    value.split(';').next().unwrap_or(value).trim()
}

/// Parses an object that was sent whole.
pub(crate) fn parse(headers: &HeaderMap, bytes: &[u8]) -> Result<Value, Status> {
    const ACCEPTED: &str = "application/json, application/yaml";
    let parsed = match content_type(headers) {
        "application/json" | "*/*" => serde_json::from_slice(bytes).map_err(|error| error.to_string()),
        "application/yaml" => {
            let text = std::str::from_utf8(bytes).map_err(|error| Status::bad_request(error.to_string()))?;
            serde_yaml::from_str(text).map_err(|error| error.to_string())
        }
        _ => return Err(Status::unsupported_media_type(ACCEPTED)),
    };
    let value: Value = parsed.map_err(|error| {
        Status::bad_request(format!("the object provided is unrecognized (must be of type Object): {error}"))
    })?;
    if value.is_object() {
        Ok(value)
    } else {
        Err(Status::bad_request("the object provided is unrecognized (must be of type Object)"))
    }
}
