//! An API server that says exactly what a test tells it to, bad manners included: it hangs, breaks off in the middle
//! of a line, answers HTML. Plain HTTP/1.1, one request a connection, so that every byte is the test's.
#![allow(dead_code, reason = "each test binary takes what it needs")]

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use lateen::{
    cluster::{Hub, feed::FeedReader},
    model::delta::Delta,
};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::timeout,
};

/// Time for a condition to come true; far beyond what it takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: HashMap<String, String>,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: String,
}

impl Asked {
    pub(crate) fn is_watch(&self) -> bool {
        self.query.get("watch").is_some_and(|watch| watch == "true")
    }

    pub(crate) fn param(&self, name: &str) -> &str {
        self.query.get(name).map_or("", String::as_str)
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

/// What to answer.
pub(crate) enum Reply {
    /// A status and JSON.
    Json(u16, Value),
    /// A status, a content type and text.
    Text(u16, &'static str, String),
    /// 200, and what the channel brings; then a proper end.
    Stream(mpsc::UnboundedReceiver<String>),
    /// 200, that text, and a break in the middle of it.
    Break(String),
    /// Nothing, ever.
    Hang,
    /// The connection closed without a word.
    Close,
}

/// The `Status` that an API server refuses with.
pub(crate) fn status(code: u16, message: &str) -> Reply {
    Reply::Json(
        code,
        serde_json::json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "code": code}),
    )
}

/// A list of objects.
pub(crate) fn list(version: &str, items: &[Value]) -> Reply {
    Reply::Json(200, serde_json::json!({"kind": "List", "metadata": {"resourceVersion": version}, "items": items}))
}

/// A stream that stays open and says nothing.
pub(crate) fn quiet() -> Reply {
    let (keep, stream) = mpsc::unbounded_channel();
    // Leaked on purpose: it stays open as long as the test runs.
    std::mem::forget(keep);
    Reply::Stream(stream)
}

/// A stream of these lines that stays open.
pub(crate) fn lines(lines: &[Value]) -> Reply {
    let (keep, stream) = mpsc::unbounded_channel();
    for line in lines {
        keep.send(format!("{line}\n")).unwrap();
    }
    std::mem::forget(keep);
    Reply::Stream(stream)
}

/// A running server.
pub(crate) struct Scripted {
    url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Scripted {
    /// Starts one; `answer` gets each request with its number among those of the same method, path and kind (watch or
    /// not), from 0.
    pub(crate) async fn start(answer: impl Fn(&Asked, usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let log = Arc::clone(&asked);
        let answer = Arc::new(answer);
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                let (log, answer) = (Arc::clone(&log), Arc::clone(&answer));
                connections.spawn(async move {
                    let _ = serve(socket, &log, &*answer).await;
                });
            }
        });
        Self { url, asked, task }
    }

    /// The hub at this server.
    pub(crate) fn hub(&self) -> Hub {
        let config = kube::Config::new(self.url.parse().unwrap());
        Hub::from_config(config, "test", "mei").unwrap()
    }

    /// A kubeconfig that leads to this server, for the binary.
    pub(crate) fn kubeconfig(&self) -> String {
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: test\n\
             contexts: [{{name: test, context: {{cluster: c, user: mei}}}}]\n\
             clusters: [{{name: c, cluster: {{server: '{}'}}}}]\nusers: [{{name: mei, user: {{token: t}}}}]\n",
            self.url
        )
    }

    /// What was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// Requests of a method to paths that contain a text.
    pub(crate) fn asked_for(&self, method: &str, path: &str) -> Vec<Asked> {
        self.asked().into_iter().filter(|asked| asked.method == method && asked.path.contains(path)).collect()
    }

    /// Waits until what was asked meets a condition.
    pub(crate) async fn wait_asked(&self, what: &str, met: impl Fn(&[Asked]) -> bool) {
        let looked = timeout(PATIENCE, async {
            while !met(&self.asked()) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
        assert!(looked.await.is_ok(), "never asked: {what}; asked {:#?}", self.asked());
    }
}

async fn serve(
    mut socket: TcpStream,
    log: &Mutex<Vec<Asked>>,
    answer: &(impl Fn(&Asked, usize) -> Reply + Send + Sync),
) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(socket.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let mut head = head.lines();
    let mut first = head.next().unwrap_or_default().split(' ');
    let (method, target) = (first.next().unwrap_or_default().to_owned(), first.next().unwrap_or_default());
    let headers: HashMap<String, String> = head
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let mut body = vec![0; headers.get("content-length").map_or(0, |length| length.parse().unwrap())];
    socket.read_exact(&mut body).await?;
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let query =
        query.split('&').filter_map(|pair| pair.split_once('=')).map(|(k, v)| (k.to_owned(), unescape(v))).collect();
    let asked =
        Asked { method, path: path.to_owned(), query, headers, body: String::from_utf8_lossy(&body).into_owned() };
    let number = {
        let mut log = log.lock().unwrap();
        let same = |other: &&Asked| {
            other.method == asked.method && other.path == asked.path && other.is_watch() == asked.is_watch()
        };
        let number = log.iter().filter(same).count();
        log.push(asked.clone());
        number
    };
    match answer(&asked, number) {
        Reply::Json(code, value) => whole(&mut socket, code, "application/json", &value.to_string()).await,
        Reply::Text(code, kind, text) => whole(&mut socket, code, kind, &text).await,
        Reply::Stream(mut stream) => {
            chunked(&mut socket).await?;
            loop {
                let mut closed = [0; 1];
                tokio::select! {
                    chunk = stream.recv() => match chunk {
                        Some(chunk) => {
                            let framed = format!("{:x}\r\n{chunk}\r\n", chunk.len());
                            socket.write_all(framed.as_bytes()).await?;
                        }
                        None => return socket.write_all(b"0\r\n\r\n").await,
                    },
                    _ = socket.read(&mut closed) => return Ok(()),
                }
            }
        }
        Reply::Break(text) => {
            chunked(&mut socket).await?;
            socket.write_all(format!("{:x}\r\n{text}", text.len() + 100).as_bytes()).await?;
            socket.flush().await
        }
        Reply::Hang => std::future::pending().await,
        Reply::Close => Ok(()),
    }
}

async fn whole(socket: &mut TcpStream, code: u16, kind: &str, text: &str) -> std::io::Result<()> {
    let head = format!(
        "HTTP/1.1 {code} X\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        text.len()
    );
    socket.write_all(head.as_bytes()).await?;
    socket.write_all(text.as_bytes()).await?;
    socket.shutdown().await
}

async fn chunked(socket: &mut TcpStream) -> std::io::Result<()> {
    socket
        .write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n")
        .await
}

fn unescape(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits: Vec<u8> = rest.by_ref().take(2).collect();
            bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap());
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).unwrap()
}

/// Reads deltas until one meets a condition; all that came until then.
pub(crate) async fn until(reader: &mut FeedReader, what: &str, met: impl Fn(&Delta) -> bool) -> Vec<Delta> {
    let mut all = Vec::new();
    let found = timeout(PATIENCE, async {
        loop {
            assert!(reader.changed().await, "the feed ended before: {what}; came {all:#?}");
            for delta in reader.take(1) {
                let found = met(&delta);
                all.push(delta);
                if found {
                    return;
                }
            }
        }
    });
    let in_time = found.await.is_ok();
    assert!(in_time, "never came: {what}; came {all:#?}");
    all
}
