//! Real control planes (`tests/real/up.sh`), started once for the whole test binary and gone with it.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use kube::Client;
use kube::api::{Api, DynamicObject, Patch, PatchParams};
use kube::config::{Config, KubeConfigOptions, Kubeconfig};
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::{Value, json};

/// Control planes of one start of the script.
pub(crate) struct Servers {
    folder: PathBuf,
    /// The script that holds the servers while its stdin is open. The system closes that when this process ends,
    /// however it ends.
    _up: Child,
}

/// The hub and the member foo, with Flux's kinds, the hub with KubeVela's too, and the users of `rbac.yaml`. Nothing of
/// KubeVela runs there: what a test puts there stays as it is. Started by whoever asks first.
///
/// # Panics
/// Where they do not start: a machine without the programs fails these tests, it does not skip them.
pub(crate) fn servers() -> &'static Servers {
    static SERVERS: OnceLock<Servers> = OnceLock::new();
    SERVERS.get_or_init(|| {
        let servers = Servers::start("servers", &[]);
        servers.install(&["hub", "foo"]);
        servers
    })
}

impl Servers {
    /// Starts control planes of the test's own; the name is for their folder.
    pub(crate) fn start(name: &str, arguments: &[&str]) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("real-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let said = folder.join("up.stderr");
        let mut up = Command::new(project().join("tests/real/up.sh"))
            .arg("--hold")
            .args(arguments)
            .arg(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(&said).unwrap())
            .spawn()
            .unwrap();
        let mut reader = BufReader::new(up.stdout.take().unwrap());
        // The folder goes with the script that failed, what it said stays in the open file.
        let mut words = File::open(&said).unwrap();
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if !line.starts_with("ready ") {
            let mut text = String::new();
            up.wait().unwrap();
            words.read_to_string(&mut text).unwrap();
            panic!("the servers did not start: {text}");
        }
        Self { folder, _up: up }
    }

    /// Installs the kinds and the users.
    pub(crate) fn install(&self, clusters: &[&str]) {
        // A test's own runtime ends with the test: what is shared is made on another.
        std::thread::scope(|scope| {
            let installed = scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(async {
                    for cluster in clusters {
                        install(&self.client(cluster).await, cluster).await;
                    }
                });
            });
            installed.join().unwrap();
        });
    }

    /// Stops programs, by the names of their files in `pids`; returns when they have ended.
    pub(crate) fn stop(&self, programs: &[&str]) {
        let script = project().join("tests/real/down.sh");
        assert!(Command::new(script).arg(&self.folder).args(programs).status().unwrap().success());
    }

    /// Starts again what was stopped, on the same ports with the same data; returns when it is ready.
    pub(crate) fn start_again(&self, arguments: &[&str]) {
        let mut up = Command::new(project().join("tests/real/up.sh"));
        let up = up.args(arguments).arg(&self.folder).stdin(Stdio::null()).stdout(Stdio::null());
        assert!(up.status().unwrap().success());
    }

    /// Makes etcd forget everything but the newest state of each object.
    pub(crate) fn compact(&self) {
        let ask = |path: &str, body: &Value| -> Value {
            let url = format!("http://127.0.0.1:{}{path}", self.port("etcd"));
            let answer = Command::new("curl").args(["-sSf", "-d", &body.to_string(), &url]).output().unwrap();
            assert!(answer.status.success(), "{answer:?}");
            serde_json::from_slice(&answer.stdout).unwrap()
        };
        let newest = ask("/v3/kv/range", &json!({"key": "AA=="}));
        ask("/v3/kv/compaction", &json!({"revision": newest["header"]["revision"], "physical": true}));
    }

    fn port(&self, name: &str) -> u16 {
        let ports = fs::read_to_string(self.folder.join("ports")).unwrap();
        let port = ports.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        port.unwrap().parse().unwrap()
    }

    /// The kubeconfig of `hub` or `foo`; its current context is an administrator's.
    pub(crate) fn kubeconfig(&self, cluster: &str) -> PathBuf {
        self.folder.join(format!("{cluster}.kubeconfig"))
    }

    /// The file whose lines every pod logs.
    pub(crate) fn pod_log(&self) -> PathBuf {
        self.folder.join("pod.log")
    }

    /// The port on 127.0.0.1 that every port-forward to a pod reaches.
    pub(crate) fn pod_port(&self) -> u16 {
        self.port("pod")
    }

    /// A client with every permission; it belongs to the runtime that it is made on.
    pub(crate) async fn client(&self, cluster: &str) -> Client {
        client(&self.kubeconfig(cluster)).await
    }
}

/// A client of a kubeconfig's current context; it belongs to the runtime that it is made on.
pub(crate) async fn client(kubeconfig: &Path) -> Client {
    let kubeconfig = Kubeconfig::read_from(kubeconfig).unwrap();
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    config.default_retry = false;
    Client::try_from(config).unwrap()
}

/// The project's folder.
pub(crate) fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The documents of a YAML file of the project.
pub(crate) fn documents(path: impl AsRef<Path>) -> Vec<Value> {
    let path = project().join(path);
    serde_yaml::from_multiple(&fs::read_to_string(&path).unwrap()).unwrap()
}

/// Applies an object (server-side) and answers what the server then has.
pub(crate) async fn apply(client: &Client, object: &Value) -> DynamicObject {
    let object: DynamicObject = serde_json::from_value(object.clone()).unwrap();
    let api = api(client, &object);
    let name = object.metadata.name.clone().unwrap();
    api.patch(&name, &PatchParams::apply("lateen-tests").force(), &Patch::Apply(&object)).await.unwrap()
}

/// The API of an object's kind, in its namespace where it has one.
pub(crate) fn api(client: &Client, object: &DynamicObject) -> Api<DynamicObject> {
    let types = object.types.as_ref().unwrap();
    let resource = ApiResource::from_gvk(&GroupVersionKind::try_from(types).unwrap());
    match &object.metadata.namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    }
}

/// Applications of one namespace.
pub(crate) fn applications(client: &Client, namespace: &str) -> Api<DynamicObject> {
    let kind = GroupVersionKind::gvk("core.oam.dev", "v1beta1", "Application");
    Api::namespaced_with(client.clone(), namespace, &ApiResource::from_gvk(&kind))
}

/// Makes sure of a namespace.
pub(crate) async fn apply_namespace(client: &Client, name: &str) {
    apply(client, &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})).await;
}

/// A member has no kinds of KubeVela's, only those that its addon fluxcd brings.
async fn install(client: &Client, cluster: &str) {
    let hub = cluster == "hub";
    let files = if hub {
        &["tests/real/crds/kubevela.yaml", "tests/real/crds/flux.yaml"][..]
    } else {
        &["tests/real/crds/flux.yaml"]
    };
    for definition in files.iter().flat_map(documents) {
        let name = apply(client, &definition).await.metadata.name.unwrap();
        let version = definition["spec"]["versions"][0]["name"].as_str().unwrap();
        let path = format!(
            "/apis/{}/{version}/{}?limit=1",
            definition["spec"]["group"].as_str().unwrap(),
            definition["spec"]["names"]["plural"].as_str().unwrap()
        );
        eventually(&format!("{name} to be served"), async || {
            let request = http::Request::get(&path).body(Vec::new()).unwrap();
            client.request::<Value>(request).await.is_ok().then_some(())
        })
        .await;
    }
    for object in documents("tests/real/rbac.yaml") {
        apply(client, &object).await;
    }
}

/// Asks until there is an answer.
///
/// # Panics
/// After half a minute without one.
pub(crate) async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let began = Instant::now();
    let mut between = tokio::time::interval(Duration::from_millis(50));
    loop {
        between.tick().await;
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(began.elapsed() < Duration::from_secs(30), "waited 30 s for {what}");
    }
}
