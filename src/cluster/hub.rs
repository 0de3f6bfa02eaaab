//! Whom to talk to: the kubeconfig's context, and a client for the hub and for every cluster behind its gateway.

use std::{
    env,
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use http::{Request, Response, Uri, uri::PathAndQuery};
use kube::{
    Client, Config,
    client::Body,
    config::{AuthInfo, ExecInteractiveMode, KubeConfigOptions, Kubeconfig, KubeconfigError, NamedAuthInfo},
};

use super::{
    error::{Class, Error},
    proxy,
};
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
        let mut kubeconfig = read(&paths(connect.kubeconfig.as_deref(), env::var_os("KUBECONFIG"))?)?;
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
        let mut user = entry.user.clone().unwrap_or_default();
        let auth = auth_info(&mut kubeconfig, &context, &user);
        impersonate(auth, connect)?;
        if let Some(name) = &auth.impersonate {
            user.clone_from(name);
        }
        let mut prompts = false;
        if let Some(exec) = &mut auth.exec
            && exec.interactive_mode != Some(ExecInteractiveMode::Never)
        {
            prompts = connect.interactive;
            if !connect.interactive {
                exec.interactive_mode = Some(ExecInteractiveMode::Never);
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

/// The user's entry of the context, made if there is none, so that an impersonation asked for is never left out.
fn auth_info<'a>(kubeconfig: &'a mut Kubeconfig, context: &str, user: &str) -> &'a mut AuthInfo {
    let at = kubeconfig.auth_infos.iter().position(|named| named.name == user);
    let at = at.unwrap_or_else(|| {
        kubeconfig.auth_infos.push(NamedAuthInfo {
            name: user.to_owned(),
            auth_info: None,
            other: std::collections::BTreeMap::new(),
        });
        let named = kubeconfig.contexts.iter_mut().find(|named| named.name == context);
        if let Some(entry) = named.and_then(|named| named.context.as_mut()) {
            entry.user = Some(user.to_owned());
        }
        kubeconfig.auth_infos.len() - 1
    });
    kubeconfig.auth_infos[at].auth_info.get_or_insert_with(AuthInfo::default)
}

fn impersonate(auth: &mut AuthInfo, connect: &Connect) -> Result<(), Error> {
    if let Some(name) = &connect.as_user {
        auth.impersonate = Some(name.clone());
        auth.impersonate_groups = None;
        auth.impersonate_uid = None;
        auth.impersonate_user_extra = None;
    }
    if !connect.as_groups.is_empty() {
        if auth.impersonate.is_none() {
            return Err(Error::new(
                Class::Config,
                "--as-group needs --as: a group cannot be impersonated without a user",
            ));
        }
        auth.impersonate_groups = Some(connect.as_groups.clone());
    }
    Ok(())
}

/// Where kubectl looks: the file named, else those of `KUBECONFIG`, else the one in the home directory.
fn paths(named: Option<&Path>, list: Option<OsString>) -> Result<Vec<PathBuf>, Error> {
    if let Some(path) = named {
        return if path.exists() {
            Ok(vec![path.to_owned()])
        } else {
            Err(Error::new(Class::Config, format!("no kubeconfig: {} does not exist", path.display())))
        };
    }
    let list = list.unwrap_or_default();
    let listed: Vec<PathBuf> = env::split_paths(&list).filter(|path| !path.as_os_str().is_empty()).collect();
    if !listed.is_empty() {
        return Ok(listed);
    }
    match directories::BaseDirs::new() {
        Some(dirs) => Ok(vec![dirs.home_dir().join(".kube").join("config")]),
        None => Err(Error::new(Class::Config, "no home directory to look for .kube/config in: use --kubeconfig")),
    }
}

/// The files merged as kubectl does: what an earlier one says counts, and those that do not exist are passed over.
fn read(paths: &[PathBuf]) -> Result<Kubeconfig, Error> {
    let mut merged: Option<Kubeconfig> = None;
    for path in paths {
        let next = match Kubeconfig::read_from(path) {
            Ok(next) => next,
            Err(KubeconfigError::ReadConfig(error, _)) if error.kind() == io::ErrorKind::NotFound => continue,
            // The parser's words do not name the file.
            Err(KubeconfigError::Parse(source)) => {
                let message = format!("the kubeconfig {} is not valid YAML: {source}", path.display());
                return Err(Error::new(Class::Config, message));
            }
            Err(error) => return Err(unreadable(&error)),
        };
        merged = Some(match merged {
            None => next,
            Some(earlier) => earlier.merge(next).map_err(|error| unreadable(&error))?,
        });
    }
    merged.ok_or_else(|| {
        let tried: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
        let message = format!(
            "no kubeconfig: {} does not exist; set KUBECONFIG or use --kubeconfig, or look around with `lateen demo`",
            tried.join(", ")
        );
        Error::new(Class::Config, message)
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
    let proxy_url = proxy_url(&kubeconfig, context);
    let mut config = futures::executor::block_on(Config::from_custom_kubeconfig(kubeconfig, &options))
        .map_err(|error| unreadable(&error).during(&format!("context {context}")))?;
    config.proxy_url = proxy::choose(proxy_url.as_deref(), &config.cluster_url, |name| env::var(name).ok());
    client(config).map_err(|error| error.during(&format!("context {context}")))
}

fn proxy_url(kubeconfig: &Kubeconfig, context: &str) -> Option<String> {
    let entry = kubeconfig.contexts.iter().find(|named| named.name == context)?.context.as_ref()?;
    let named = kubeconfig.clusters.iter().find(|named| named.name == entry.cluster)?;
    named.cluster.as_ref()?.proxy_url.clone()
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

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn file(dir: &Path, name: &str, context: &str, user: &str, auth: &str) -> PathBuf {
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: {context}\n\
             contexts: [{{name: {context}, context: {{cluster: c, user: {user}, namespace: prod}}}}]\n\
             clusters: [{{name: c, cluster: {{server: 'https://{context}.example:6443'}}}}]\n\
             users: [{auth}]\n"
        );
        let path = dir.join(name);
        fs::write(&path, text).unwrap();
        path
    }

    fn load(connect: &Connect) -> Result<Hub, String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let _within = runtime.enter();
        Hub::load(connect).map_err(|error| error.message)
    }

    #[test]
    fn files_of_a_list_are_merged_and_missing_ones_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        let first = file(dir.path(), "a", "one", "mei", "");
        let second = file(dir.path(), "b", "two", "mei", "");
        let list = env::join_paths([dir.path().join("missing"), first, PathBuf::new(), second]).unwrap();
        let merged = read(&paths(None, Some(list)).unwrap()).unwrap();
        assert_eq!(merged.current_context.as_deref(), Some("one"));
        assert_eq!(known(&merged), "one, two");
        let nothing = paths(None, Some(dir.path().join("missing").into_os_string())).unwrap();
        assert!(read(&nothing).unwrap_err().message.contains("lateen demo"));
    }

    #[test]
    fn a_context_is_taken_by_its_name_or_said_not_to_be_there() {
        let dir = tempfile::tempdir().unwrap();
        let connect = Connect {
            kubeconfig: Some(file(dir.path(), "a", "one", "mei", "{name: mei, user: {token: t}}")),
            ..Connect::default()
        };
        let hub = load(&connect).unwrap();
        assert_eq!((hub.context(), hub.user(), hub.namespace()), ("one", "mei", Some("prod")));
        assert_eq!(hub.server(), "https://one.example:6443");
        let unknown = load(&Connect { context: Some("three".into()), ..connect.clone() });
        assert_eq!(unknown.err().unwrap(), "no context three in the kubeconfig: it has one");
        let missing = load(&Connect { kubeconfig: Some(dir.path().join("missing")), ..connect });
        assert!(missing.err().unwrap().ends_with("missing does not exist"));
        fs::write(dir.path().join("bad"), "contexts: [").unwrap();
        let bad = load(&Connect { kubeconfig: Some(dir.path().join("bad")), ..Connect::default() });
        assert!(bad.err().unwrap().contains("/bad is not valid YAML"));
    }

    #[test]
    fn an_impersonation_is_never_left_out() {
        let dir = tempfile::tempdir().unwrap();
        for auth in ["", "{name: mei}", "{name: mei, user: {token: t, as: boss, as-groups: [all]}}"] {
            let mut kubeconfig = read(&[file(dir.path(), "a", "one", "mei", auth)]).unwrap();
            let connect = Connect { as_user: Some("eve".into()), ..Connect::default() };
            impersonate(auth_info(&mut kubeconfig, "one", "mei"), &connect).unwrap();
            let auth = kubeconfig.auth_infos[0].auth_info.as_ref().unwrap();
            assert_eq!((auth.impersonate.as_deref(), auth.impersonate_groups.as_ref()), (Some("eve"), None));
        }
        let groups = Connect { as_groups: vec!["admins".into()], ..Connect::default() };
        assert!(impersonate(&mut AuthInfo::default(), &groups).unwrap_err().message.contains("--as-group needs --as"));
    }

    #[test]
    fn a_plugin_that_fails_is_said_with_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let auth = "{name: mei, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: /no/such/plugin}}}";
        let connect = Connect { kubeconfig: Some(file(dir.path(), "a", "one", "mei", auth)), ..Connect::default() };
        let message = load(&connect).err().unwrap();
        assert!(message.contains("context one") && message.contains("login"), "{message}");
    }
}
