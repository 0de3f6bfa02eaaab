//! The program behind every simulated container port: the tutorial's page, and a few paths to measure with.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream;
use http::{Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::DuplexStream;

use super::Container;
use crate::demo::api::{self, Body};
use crate::demo::store::Store;

/// The largest body that `/bytes/N` gives.
const LARGEST: u64 = 1 << 30;

/// What the page tells.
#[derive(Debug)]
pub(crate) struct Page {
    message: String,
    pod: String,
    namespace: String,
    node: String,
    image: String,
}

impl Page {
    pub(crate) fn new(store: &Store, pod: &Value, container: &Container<'_>) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let variables = super::environment(store, pod, container);
        let message = variables.into_iter().find(|(name, _)| name == "MESSAGE");
        Self {
            message: message.map_or_else(|| "Hello world!".to_owned(), |(_, message)| message),
            pod: text(&pod["metadata"]["name"]),
            namespace: text(&pod["metadata"]["namespace"]),
            node: text(&pod["spec"]["nodeName"]),
            image: text(&container.spec["image"]),
        }
    }

    fn html(&self) -> String {
        let row = |name: &str, value: &str| format!("      <tr><th>{name}:</th><td>{}</td></tr>\n", escape(value));
        format!(
            "<!DOCTYPE html>\n<html>\n<head><title>Hello Kubernetes!</title></head>\n<body>\n  <div class=\"main\">\n    \
             <div class=\"message\">{}</div>\n    <table>\n{}{}{}{}    </table>\n  </div>\n</body>\n</html>\n",
            escape(&self.message),
            row("namespace", &self.namespace),
            row("pod", &self.pod),
            row("node", &self.node),
            row("image", &self.image),
        )
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Serves one connection to its end.
pub(crate) async fn serve(page: Arc<Page>, connection: DuplexStream) {
    let service = service_fn(move |request| {
        let page = Arc::clone(&page);
        async move { Ok::<_, Infallible>(answer(&page, request)) }
    });
    // A peer that hung up is no news.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(connection), service).await;
}

fn answer(page: &Page, request: Request<Incoming>) -> Response<Body> {
    let path = request.uri().path().to_owned();
    let bytes = path.strip_prefix("/bytes/").and_then(|count| count.parse::<u64>().ok());
    match (request.method(), path.as_str(), bytes) {
        (&Method::POST | &Method::PUT, ..) => {
            use http_body_util::BodyExt;
            // An echo, as it comes.
            let body = request.into_body().map_err(std::io::Error::other).boxed_unsync();
            api::with_body(StatusCode::OK, "application/octet-stream", body)
        }
        (_, _, Some(count)) => {
            let count = count.min(LARGEST);
            let mut response = api::with_body(StatusCode::OK, "application/octet-stream", zeros(count));
            response.headers_mut().insert(header::CONTENT_LENGTH, count.into());
            response
        }
        (_, "/healthz" | "/readyz", _) => api::with_body(StatusCode::OK, "text/plain", api::full("ok\n")),
        (_, "/", _) => api::with_body(StatusCode::OK, "text/html; charset=utf-8", api::full(page.html())),
        _ => api::with_body(StatusCode::NOT_FOUND, "text/plain", api::full("not found\n")),
    }
}

fn zeros(count: u64) -> Body {
    static PIECE: [u8; 64 * 1024] = [b'0'; 64 * 1024];
    api::stream(stream::unfold(count, |left| async move {
        let now = left.min(PIECE.len() as u64);
        (now > 0).then(|| (Ok(Bytes::from_static(&PIECE[..now as usize])), left - now))
    }))
}
