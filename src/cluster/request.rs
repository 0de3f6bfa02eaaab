//! Requests as bytes: bounded answers, own deadlines, errors as sentences.
//!
//! kube's typed calls decode whole objects and read answers of any size; watches and lists here want neither.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use http::{Method, Request, Response, header};
use http_body_util::BodyExt;
use kube::{Client, client::Body};
use serde::{Deserialize, de::DeserializeOwned};

use super::{
    error::{Class, Error},
    items::Items,
};

/// The largest error text that is read.
const ERROR_LIMIT: usize = 64 * 1024;

/// Objects as they are, in JSON.
pub const JSON: &str = "application/json";
/// A list of which only the metadata is wanted; a server that does not know it sends whole objects, which read alike.
pub const METADATA_LIST: &str = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";
/// JSON merge patch (RFC 7386).
pub const MERGE_PATCH: &str = "application/merge-patch+json";

/// A GET that has been answered with 2xx; its body is still to be read.
pub async fn open(client: &Client, uri: &str, accept: &str, streaming: bool) -> Result<Response<Body>, Error> {
    let mut request = Request::builder().method(Method::GET).uri(uri).header(header::ACCEPT, accept);
    if streaming {
        // Servers that compress watches do so a member an event, which the decompression layer does not follow.
        request = request.header(header::ACCEPT_ENCODING, "identity");
    }
    let request = request.body(Body::empty()).map_err(|error| unbuilt(&error))?;
    send(client, request).await
}

/// The answer to a GET, of at most `limit` bytes, within `deadline`.
pub async fn get(client: &Client, uri: &str, accept: &str, limit: usize, deadline: Duration) -> Result<Bytes, Error> {
    within(deadline, async {
        let response = open(client, uri, accept, false).await?;
        collect(response.into_body(), limit).await
    })
    .await
}

/// A GET of a list: hands over each object's JSON as it comes, and answers what surrounded them, within `deadline`.
/// At most `limit` bytes are read. What was handed over before an error stands for nothing.
pub(crate) async fn list(
    client: &Client,
    uri: &str,
    accept: &str,
    limit: usize,
    deadline: Duration,
    mut each: impl FnMut(&[u8]),
) -> Result<Vec<u8>, Error> {
    within(deadline, async {
        let mut items = Items::default();
        let response = open(client, uri, accept, false).await?;
        pieces(response.into_body(), limit, |piece| items.take(piece, &mut each)).await?;
        Ok(items.envelope())
    })
    .await
}

/// The answer to a GET as a value.
pub async fn get_json<T: DeserializeOwned>(client: &Client, uri: &str, deadline: Duration) -> Result<T, Error> {
    let bytes = get(client, uri, JSON, 16 * 1024 * 1024, deadline).await?;
    decode(&bytes)
}

/// A list's `metadata`, as far as it leads on to the next page.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ListMeta {
    #[serde(rename = "continue")]
    next: Option<String>,
}

impl ListMeta {
    /// What asks for the page after this one; `None`: this was the last.
    pub fn next(self) -> Option<String> {
        self.next.filter(|token| !token.is_empty())
    }
}

/// The path of a list, with its query, on from where a page ended; of the first page without.
pub fn page(list: &str, after: Option<&str>) -> String {
    after.map_or_else(|| list.to_owned(), |token| format!("{list}&continue={}", escape(token)))
}

/// A request with a body, answered within `deadline`.
pub async fn write(
    client: &Client,
    method: Method,
    uri: &str,
    content_type: &str,
    body: Vec<u8>,
    deadline: Duration,
) -> Result<Bytes, Error> {
    let request = Request::builder()
        .method(method)
        .uri(uri)
        .header(header::ACCEPT, JSON)
        .header(header::CONTENT_TYPE, content_type)
        .body(Body::from(body))
        .map_err(|error| unbuilt(&error))?;
    within(deadline, async {
        let response = send(client, request).await?;
        collect(response.into_body(), 16 * 1024 * 1024).await
    })
    .await
}

/// Reads JSON that a server promised.
pub fn decode<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, Error> {
    serde_json::from_slice(bytes).map_err(|error| Error {
        class: Class::Malformed,
        message: format!("the answer is not what the API promises: {error}"),
        sent: true,
    })
}

/// Bounds a request. What is not answered in time may still have reached the server.
pub async fn within<T>(deadline: Duration, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    match tokio::time::timeout(deadline, work).await {
        Ok(result) => result,
        Err(_) => Err(Error {
            class: Class::TimedOut,
            message: format!("no answer within {}", seconds(deadline)),
            sent: true,
        }),
    }
}

async fn send(client: &Client, request: Request<Body>) -> Result<Response<Body>, Error> {
    let response = client.send(request).await.map_err(|error| Error::from_kube(&error))?;
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let body = collect(response.into_body(), ERROR_LIMIT).await.unwrap_or_default();
    Err(Error::from_answer(status.as_u16(), &body))
}

async fn collect(body: Body, limit: usize) -> Result<Bytes, Error> {
    let mut bytes = BytesMut::new();
    pieces(body, limit, |piece| bytes.extend_from_slice(piece)).await?;
    Ok(bytes.freeze())
}

/// Hands over an answer's body as it comes.
async fn pieces(body: Body, limit: usize, mut each: impl FnMut(&[u8])) -> Result<(), Error> {
    let mut stream = body.into_data_stream();
    let mut read = 0;
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|error| Error { sent: true, ..Error::from_kube(&error) })?;
        read += chunk.len();
        if read > limit {
            return Err(Error {
                class: Class::TooLarge,
                message: format!("the answer is larger than {} MiB", limit / (1024 * 1024)),
                sent: true,
            });
        }
        each(&chunk);
    }
    Ok(())
}

fn unbuilt(error: &http::Error) -> Error {
    Error::new(Class::Invalid, format!("the request cannot be built: {error}"))
}

fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs_f32())
}

/// A value within a path or query: everything but unreserved characters is percent-encoded.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => escaped.push(char::from(byte)),
            _ => {
                const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
                escaped.push('%');
                escaped.push(char::from(DIGITS[usize::from(byte >> 4)]));
                escaped.push(char::from(DIGITS[usize::from(byte & 15)]));
            }
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_a_query_is_encoded() {
        assert_eq!(escape("!app.oam.dev/name"), "%21app.oam.dev%2Fname");
        assert_eq!(escape("2026-11-23T10:41:07Z"), "2026-11-23T10%3A41%3A07Z");
    }
}
