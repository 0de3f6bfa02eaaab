//! Somebody else at work: a proxy to an API server that changes things there just before a request of lateen's arrives,
//! in the moment between its last look and its write, or between two pages, that nobody can hit from outside.

use std::fs;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use http::request::Parts;
use http::{Method, Request, Response, header};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use kube::Client;
use kube::client::Body;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::servers::{Servers, servers};

/// The proxy. It has a thread of its own, since a test waits for lateen on its own, and ends with the value.
pub(crate) struct Meddler {
    folder: TempDir,
    writes: Arc<Mutex<Vec<String>>>,
    answers: Arc<Mutex<Vec<u16>>>,
    _end: oneshot::Sender<()>,
}

impl Meddler {
    /// Serves `cluster`, and calls `before_write` with an administrator's client and the number of the write (from 1)
    /// before each write is passed on.
    pub(crate) fn start<M>(cluster: &'static str, before_write: M) -> Self
    where
        M: AsyncFn(Client, usize) + Send + 'static,
    {
        Self::before(servers(), cluster, is_write, before_write)
    }

    /// The same for requests of another kind.
    pub(crate) fn before<M>(servers: &'static Servers, cluster: &'static str, which: Which, meddle: M) -> Self
    where
        M: AsyncFn(Client, usize) + Send + 'static,
    {
        let folder = tempfile::tempdir().unwrap();
        let kubeconfig = folder.path().join("kubeconfig");
        let writes = Arc::new(Mutex::new(Vec::new()));
        let answers = Arc::new(Mutex::new(Vec::new()));
        let seen = (Arc::clone(&writes), Arc::clone(&answers));
        let (end, ended) = oneshot::channel();
        let (ready, listening) = std::sync::mpsc::channel();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let tasks = tokio::task::LocalSet::new();
            tasks.block_on(&runtime, async move {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                ready.send(listener.local_addr().unwrap()).unwrap();
                let client = servers.client(cluster).await;
                tokio::select! {
                    () = serve(listener, client, which, Rc::new(meddle), seen) => {}
                    _ = ended => {}
                }
            });
        });
        let address = listening.recv().unwrap();
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: {cluster}\n\
             clusters: [{{name: {cluster}, cluster: {{server: 'http://{address}'}}}}]\n\
             users: [{{name: nobody, user: {{}}}}]\n\
             contexts: [{{name: {cluster}, context: {{cluster: {cluster}, user: nobody, namespace: default}}}}]\n"
        );
        fs::write(kubeconfig, text).unwrap();
        Self { folder, writes, answers, _end: end }
    }

    /// The kubeconfig that leads through the proxy, as an administrator.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("kubeconfig")
    }

    /// The statuses that they were answered with.
    pub(crate) fn answers(&self) -> Vec<u16> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Every such request that came, as `METHOD path?query content-type body`.
    pub(crate) fn writes(&self) -> Vec<String> {
        self.writes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Which requests are meddled with.
pub(crate) type Which = fn(&Parts) -> bool;

/// Authorization reviews are questions, although they are posted.
fn is_write(head: &Parts) -> bool {
    head.method != Method::GET && !head.uri.path().contains("authorization.k8s.io")
}

type Seen = (Arc<Mutex<Vec<String>>>, Arc<Mutex<Vec<u16>>>);

async fn serve<M>(listener: TcpListener, client: Client, which: Which, meddle: Rc<M>, seen: Seen)
where
    M: AsyncFn(Client, usize) + 'static,
{
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let (client, meddle, seen) = (client.clone(), Rc::clone(&meddle), seen.clone());
        tokio::task::spawn_local(async move {
            let pass_on = service_fn(async |request| pass_on(request, &client, which, &*meddle, &seen).await);
            // A connection that lateen drops is no failure of the test.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), pass_on).await;
        });
    }
}

async fn pass_on<M>(
    request: Request<Incoming>,
    client: &Client,
    which: Which,
    meddle: &M,
    (writes, answers): &Seen,
) -> Result<Response<Body>, Box<dyn std::error::Error + Send + Sync>>
where
    M: AsyncFn(Client, usize),
{
    let (mut head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let meddled = which(&head);
    if meddled {
        let kind = head.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("-");
        let write = format!("{} {} {kind} {}", head.method, head.uri, String::from_utf8_lossy(&body));
        let number = {
            let mut writes = writes.lock().unwrap_or_else(PoisonError::into_inner);
            writes.push(write);
            writes.len()
        };
        meddle(client.clone(), number).await;
    }
    head.headers.remove(header::HOST);
    let answer = client.send(Request::from_parts(head, Body::from(body.to_vec()))).await?;
    if meddled {
        answers.lock().unwrap_or_else(PoisonError::into_inner).push(answer.status().as_u16());
    }
    Ok(answer)
}
