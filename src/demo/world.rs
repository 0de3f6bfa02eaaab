//! The clusters of one estate and what they share.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;

use super::link::Link;
use super::tls::Authority;
use super::{Error, HUB, MEMBER, Options};

/// One simulated cluster.
#[derive(Debug)]
pub(crate) struct Cluster {
    /// `local` for the hub, else the name it is joined under.
    pub(crate) name: String,
    /// Where its own API server listens.
    pub(crate) addr: SocketAddr,
    pub(crate) link: Link,
}

impl Cluster {
    pub(crate) fn url(&self) -> String {
        format!("https://{}", self.addr)
    }
}

/// Everything an estate consists of, shared by its servers and controllers.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) options: Options,
    pub(crate) authority: Authority,
    /// The hub first, then the members.
    pub(crate) clusters: Vec<Arc<Cluster>>,
}

type Listeners = Vec<(Arc<Cluster>, TcpListener)>;

impl World {
    /// The clusters that `options` ask for, each with its listener already bound.
    pub(crate) fn new(options: Options, authority: Authority) -> Result<(Self, Listeners), Error> {
        let members =
            std::iter::once(MEMBER.to_owned()).chain((1..=options.clusters).map(|n| format!("member-{n:03}")));
        let mut listeners = Vec::new();
        for name in std::iter::once(HUB.to_owned()).chain(members) {
            let mut addr = options.listen;
            if name != HUB {
                addr.set_port(0);
            }
            let failed = |source| Error::Listen { addr, source };
            let listener = TcpListener::bind(addr).map_err(failed)?;
            listener.set_nonblocking(true).map_err(failed)?;
            let cluster =
                Cluster { name, addr: listener.local_addr().map_err(failed)?, link: Link::new(options.latency) };
            listeners.push((Arc::new(cluster), listener));
        }
        let clusters = listeners.iter().map(|(cluster, _)| Arc::clone(cluster)).collect();
        Ok((Self { options, authority, clusters }, listeners))
    }

    pub(crate) fn hub(&self) -> &Arc<Cluster> {
        &self.clusters[0]
    }

    pub(crate) fn cluster(&self, name: &str) -> Result<&Arc<Cluster>, Error> {
        self.clusters.iter().find(|cluster| cluster.name == name).ok_or_else(|| Error::NoSuchCluster(name.to_owned()))
    }
}

pub(crate) async fn answer(
    _world: &World,
    _cluster: &Cluster,
    request: Request<Incoming>,
) -> Response<UnsyncBoxBody<Bytes, io::Error>> {
    let body = match request.uri().path() {
        "/readyz" | "/livez" | "/healthz" => "ok",
        _ => "404 page not found\n",
    };
    Response::new(Full::new(Bytes::from_static(body.as_bytes())).map_err(|never| match never {}).boxed_unsync())
}
