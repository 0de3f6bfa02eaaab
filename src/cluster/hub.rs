//! Whom to talk to: the kubeconfig's context, and a client for the hub and for every cluster behind its gateway.

use std::{
    env, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use http::{Request, Response, Uri, uri::PathAndQuery};
use kube::{
    Client, Config,
    client::Body,
    config::{ExecInteractiveMode, KubeConfigOptions, Kubeconfig, KubeconfigError},
};

use super::error::{Class, Error};
use crate::model::key::ClusterId;

/// Time for a connection to be set up: a hub that drops packets is not waited for longer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How to connect: what the command line says about it.
#[derive(Clone, Debug)]
pub struct Connect {
    /// `--kubeconfig`; else the files of `KUBECONFIG`, else `~/.kube/config`.
    pub kubeconfig: Option<PathBuf>,
    /// `--context`; else the current one.
    pub context: Option<String>,
    /// `--as`: the user to impersonate.
    pub as_user: Option<String>,
    /// `--as-group`: the groups to impersonate.
    pub as_groups: Vec<String>,
    /// Time that a single request may take.
    pub request_timeout: Duration,
    /// Whether a credential plugin may prompt on the terminal: only before the screen opens.
    pub interactive: bool,
}

impl Default for Connect {
    fn default() -> Self {
        Self {
            kubeconfig: None,
            context: None,
            as_user: None,
            as_groups: Vec::new(),
            request_timeout: Duration::from_secs(10),
            interactive: false,
        }
    }
}

/// The hub: KubeVela's control plane, and the way to the clusters joined to it.
#[derive(Clone)]
pub struct Hub {
    inner: Arc<Inner>,
}

struct Inner {
    context: String,
    user: String,
    server: String,
    namespace: Option<String>,
    request_timeout: Duration,
    client: Client,
}

impl Hub {
    /// Reads the kubeconfig and builds the client. Nothing is asked of the network, but a credential plugin may run:
    /// call it in `spawn_blocking`, within a tokio runtime.
    pub fn load(connect: &Connect) -> Result<Self, Error> {
        let mut kubeconfig = read(connect.kubeconfig.as_deref())?;
        let context = match connect.context.clone().or_else(|| kubeconfig.current_context.clone()) {
            Some(context) if !context.is_empty() => context,
            _ => {
                return Err(Error::new(
                    Class::Config,
                    format!(
                        "the kubeconfig names no current context: choose one with --context ({})",
                        known(&kubeconfig)
                    ),
                ));
            }
        };
        let Some(entry) =
            kubeconfig.contexts.iter().find(|named| named.name == context).and_then(|n| n.context.clone())
        else {
            return Err(Error::new(
                Class::Config,
                format!("no context {context} in the kubeconfig: it has {}", known(&kubeconfig)),
            ));
        };
        let user_name = entry.user.clone().unwrap_or_default();
        let auth = kubeconfig
            .auth_infos
            .iter_mut()
            .find(|named| named.name == user_name)
            .and_then(|named| named.auth_info.as_mut());
        let mut user = user_name.clone();
        let mut prompts = false;
        if let Some(auth) = auth {
            if let Some(name) = &connect.as_user {
                auth.impersonate = Some(name.clone());
                auth.impersonate_groups = None;
                auth.impersonate_uid = None;
                auth.impersonate_user_extra = None;
            }
            if !connect.as_groups.is_empty() {
                auth.impersonate_groups = Some(connect.as_groups.clone());
            }
            if let Some(name) = &auth.impersonate {
                user.clone_from(name);
            }
            if let Some(exec) = &mut auth.exec
                && exec.interactive_mode != Some(ExecInteractiveMode::Never)
            {
                prompts = connect.interactive;
                if !connect.interactive {
                    exec.interactive_mode = Some(ExecInteractiveMode::Never);
                }
            }
        }
        let mut client = build(kubeconfig.clone(), &context)?;
        if prompts {
            // The plugin has logged in and remembers it; from now on it must not write over the screen. One that
            // cannot answer without asking keeps its way.
            for named in &mut kubeconfig.auth_infos {
                if let Some(exec) = named.auth_info.as_mut().and_then(|auth| auth.exec.as_mut()) {
                    exec.interactive_mode = Some(ExecInteractiveMode::Never);
                }
            }
            if let Ok(quiet) = build(kubeconfig, &context) {
                client = quiet;
            }
        }
        let (client, server) = client;
        Ok(Self {
            inner: Arc::new(Inner {
                context,
                user,
                server,
                namespace: entry.namespace.filter(|namespace| !namespace.is_empty()),
                request_timeout: connect.request_timeout,
                client,
            }),
        })
    }

    /// A hub by a configuration made elsewhere: what embeds lateen, and tests.
    pub fn from_config(config: Config, context: &str, user: &str) -> Result<Self, Error> {
        let (client, server) = client(config)?;
        Ok(Self {
            inner: Arc::new(Inner {
                context: context.into(),
                user: user.into(),
                server,
                namespace: None,
                request_timeout: Connect::default().request_timeout,
                client,
            }),
        })
    }

    /// The context's name.
    pub fn context(&self) -> &str {
        &self.inner.context
    }

    /// The user's name in the kubeconfig, or the impersonated one.
    pub fn user(&self) -> &str {
        &self.inner.user
    }

    /// The API server's URL.
    pub fn server(&self) -> &str {
        &self.inner.server
    }

    /// The context's namespace, exactly as it says; none if it says none.
    pub fn namespace(&self) -> Option<&str> {
        self.inner.namespace.as_deref()
    }

    /// Time that a single request may take.
    pub fn request_timeout(&self) -> Duration {
        self.inner.request_timeout
    }

    /// The hub's client.
    pub fn client(&self) -> Client {
        self.inner.client.clone()
    }

    /// A cluster's client: the hub's own for `local`; for every other one the hub's behind the gateway's path, so
    /// that there is one pool, one TLS set-up and one credential, and upgrades (port-forward, exec) pass.
    pub fn member(&self, cluster: &ClusterId) -> Client {
        if cluster.is_local() {
            return self.client();
        }
        let hub = self.client();
        let prefix: Arc<str> = gateway_path(cluster).into();
        let service = tower::service_fn(move |request: Request<Body>| {
            let hub = hub.clone();
            let prefix = Arc::clone(&prefix);
            async move {
                let request = behind(&prefix, request)?;
                Ok::<Response<Body>, tower::BoxError>(hub.send(request).await?)
            }
        });
        Client::new(service, self.namespace().unwrap_or("default"))
    }
}

/// The path that the gateway serves a cluster's API under.
pub fn gateway_path(cluster: &ClusterId) -> String {
    format!("/apis/cluster.core.oam.dev/v1alpha1/clustergateways/{cluster}/proxy")
}

fn behind(prefix: &str, mut request: Request<Body>) -> Result<Request<Body>, http::Error> {
    let asked = request.uri().path_and_query().map_or("/", PathAndQuery::as_str);
    *request.uri_mut() = Uri::builder().path_and_query(format!("{prefix}{asked}")).build()?;
    Ok(request)
}

/// The files that kubectl reads: those of a list that do not exist are passed over, as it does.
fn read(path: Option<&Path>) -> Result<Kubeconfig, Error> {
    if let Some(path) = path {
        return Kubeconfig::read_from(path).map_err(|error| unreadable(&error));
    }
    let list = env::var_os("KUBECONFIG").unwrap_or_default();
    let listed: Vec<PathBuf> = env::split_paths(&list).filter(|path| !path.as_os_str().is_empty()).collect();
    let paths = if listed.is_empty() {
        match directories::BaseDirs::new() {
            Some(dirs) => vec![dirs.home_dir().join(".kube").join("config")],
            None => {
                return Err(Error::new(
                    Class::Config,
                    "no home directory to look for .kube/config in: use --kubeconfig",
                ));
            }
        }
    } else {
        listed
    };
    let mut merged: Option<Kubeconfig> = None;
    for path in &paths {
        let next = match Kubeconfig::read_from(path) {
            Ok(next) => next,
            Err(KubeconfigError::ReadConfig(error, _)) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(unreadable(&error)),
        };
        merged = Some(match merged {
            None => next,
            Some(earlier) => earlier.merge(next).map_err(|error| unreadable(&error))?,
        });
    }
    merged.ok_or_else(|| {
        let tried: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
        Error::new(
            Class::Config,
            format!("no kubeconfig: {} does not exist; set KUBECONFIG or use --kubeconfig, or look around with `lateen demo`", tried.join(", ")),
        )
    })
}

fn unreadable(error: &KubeconfigError) -> Error {
    let message = match error {
        KubeconfigError::ReadConfig(source, path) => format!("cannot read the kubeconfig {}: {source}", path.display()),
        KubeconfigError::Parse(source) => format!("the kubeconfig is not valid YAML: {source}"),
        other => format!("the kubeconfig cannot be used: {other}"),
    };
    Error::new(Class::Config, message)
}

fn known(kubeconfig: &Kubeconfig) -> String {
    let mut names: Vec<&str> = kubeconfig.contexts.iter().map(|named| named.name.as_str()).collect();
    names.sort_unstable();
    if names.is_empty() { "it has no contexts".into() } else { names.join(", ") }
}

fn build(kubeconfig: Kubeconfig, context: &str) -> Result<(Client, String), Error> {
    let options = KubeConfigOptions { context: Some(context.to_owned()), ..KubeConfigOptions::default() };
    // The function is async for want of need: nothing in it waits.
    let config = futures::executor::block_on(Config::from_custom_kubeconfig(kubeconfig, &options))
        .map_err(|error| unreadable(&error).during(&format!("context {context}")))?;
    client(config).map_err(|error| error.during(&format!("context {context}")))
}

fn client(mut config: Config) -> Result<(Client, String), Error> {
    let server = config.cluster_url.to_string();
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    // kube would send again after 429, 503 and 504, writes included, silently for minutes.
    config.default_retry = false;
    // A watch or a log may rest for minutes: one-shot calls have their own deadlines.
    config.read_timeout = None;
    let client =
        Client::try_from(config).map_err(|error| Error { class: Class::Config, ..Error::from_kube(&error) })?;
    Ok((client, server.trim_end_matches('/').to_owned()))
}
