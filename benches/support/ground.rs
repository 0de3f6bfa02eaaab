//! What is measured against: the estate in a process of its own, or real control planes.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use kube::config::{Config, KubeConfigOptions, Kubeconfig};
use serde_json::Value;
use tempfile::TempDir;

pub(crate) type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// The program that is measured: this build's, or the one that `LATEEN` names, to compare two.
pub(crate) fn program() -> PathBuf {
    std::env::var_os("LATEEN").map_or_else(|| env!("CARGO_BIN_EXE_lateen").into(), PathBuf::from)
}

/// A hub that runs.
pub(crate) struct Ground {
    /// Reaches the hub by its current context.
    pub(crate) kubeconfig: PathBuf,
    /// How long it took to be ready.
    pub(crate) started: Duration,
    folder: TempDir,
    child: Child,
}

impl Drop for Ground {
    fn drop(&mut self) {
        // The script that holds real servers stops them when its stdin ends.
        if self.child.stdin.take().is_none() {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}

/// Starts `lateen demo --serve` with more arguments.
pub(crate) fn estate(arguments: &[&str]) -> Outcome<Ground> {
    let folder = tempfile::tempdir()?;
    let kubeconfig = folder.path().join("kubeconfig");
    let begun = Instant::now();
    let child = Command::new(program())
        .args(["demo", "--serve", "--kubeconfig-out"])
        .arg(&kubeconfig)
        .args(arguments)
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    ready(Ground { kubeconfig, started: Duration::ZERO, folder, child }, begun)
}

/// Starts real control planes (`tests/real/up.sh`), where their programs are; of what runs there only etcd and the API
/// servers are left, since nothing that is measured needs the rest.
pub(crate) fn real() -> Outcome<Option<Ground>> {
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    let programs = std::env::var_os("KUBEBUILDER_ASSETS")
        .map_or_else(|| project.join("target/testbed/bin"), |folder| project.join(folder));
    if !programs.join("kube-apiserver").exists() {
        println!(
            "\nno kube-apiserver in {}: measured against the estate only (KUBEBUILDER_ASSETS=$(tests/real/build.sh) builds it)",
            programs.display()
        );
        return Ok(None);
    }
    let folder = tempfile::tempdir()?;
    let state = folder.path().join("servers");
    fs::create_dir(&state)?;
    let begun = Instant::now();
    let child = Command::new(project.join("tests/real/up.sh"))
        .arg("--hold")
        .arg(&state)
        .env("KUBEBUILDER_ASSETS", &programs)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(File::create(folder.path().join("said"))?)
        .spawn()?;
    let ground =
        ready(Ground { kubeconfig: state.join("hub.kubeconfig"), started: Duration::ZERO, folder, child }, begun)?;
    for program in ["controllers", "scheduler", "kwok"] {
        for cluster in ["hub", "foo"] {
            let pid = fs::read_to_string(state.join("pids").join(format!("{program}-{cluster}")))?;
            Command::new("kill").arg(pid.trim()).status()?;
        }
    }
    let pid = fs::read_to_string(state.join("pids/apiserver-foo"))?;
    Command::new("kill").arg(pid.trim()).status()?;
    Ok(Some(ground))
}

/// Waits until it says so.
fn ready(mut ground: Ground, begun: Instant) -> Outcome<Ground> {
    let stdout = ground.child.stdout.take().ok_or("no stdout")?;
    let mut line = String::new();
    let mut reader = BufReader::new(stdout);
    reader.read_line(&mut line)?;
    if !line.starts_with("ready ") {
        let mut said = String::new();
        let _ = File::open(ground.folder.path().join("said")).map(|mut file| file.read_to_string(&mut said));
        return Err(format!("what is to be measured against did not start: {line}{said}").into());
    }
    ground.started = begun.elapsed();
    Ok(ground)
}

impl Ground {
    /// The process id of the estate.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A folder that goes with it.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn config(&self) -> Outcome<Kubeconfig> {
        Ok(Kubeconfig::read_from(&self.kubeconfig)?)
    }

    /// A client by a context (`None`: the current one). It lives in the runtime that calls this.
    pub(crate) async fn client(&self, context: Option<&str>) -> Outcome<kube::Client> {
        let options = KubeConfigOptions { context: context.map(str::to_owned), ..KubeConfigOptions::default() };
        let config = Config::from_custom_kubeconfig(self.config()?, &options).await?;
        Ok(kube::Client::try_from(config)?)
    }

    /// One GET by curl as the context's user: seconds by curl's own watch, and bytes of the answer.
    pub(crate) fn curl(&self, context: Option<&str>, path: &str, accept: &str) -> Outcome<(Duration, u64)> {
        let config = serde_json::to_value(self.config()?)?;
        let named = |list: &str, name: &Value, of: &str| -> Value {
            let list = config[list].as_array().map(Vec::as_slice).unwrap_or_default();
            list.iter().find(|item| item["name"] == *name).map(|item| item[of].clone()).unwrap_or_default()
        };
        let context = context.map_or_else(|| config["current-context"].clone(), Value::from);
        let context = named("contexts", &context, "context");
        let cluster = named("clusters", &context["cluster"], "cluster");
        let user = named("users", &context["user"], "user");
        let url = format!("{}{path}", cluster["server"].as_str().unwrap_or_default().trim_end_matches('/'));
        let mut curl = Command::new("curl");
        // The API server prints prettily, and twice as much, for whom it takes for curl.
        curl.args(["-sSf", "-A", "lateen-bench", "-o", "/dev/null", "-w", "%{time_total} %{size_download}"]);
        for (option, field, of) in [
            ("--cacert", "certificate-authority-data", &cluster),
            ("--cert", "client-certificate-data", &user),
            ("--key", "client-key-data", &user),
        ] {
            if let Some(data) = of[field].as_str() {
                let file = self.folder().join(field);
                fs::write(&file, base64::Engine::decode(&base64::engine::general_purpose::STANDARD, data)?)?;
                curl.arg(option).arg(file);
            }
        }
        if let Some(token) = user["token"].as_str() {
            curl.args(["-H", &format!("Authorization: Bearer {token}")]);
        }
        let answer = curl.args(["-H", &format!("Accept: {accept}"), &url]).output()?;
        let said = String::from_utf8_lossy(&answer.stdout);
        let mut words = said.split_whitespace();
        match (words.next().and_then(|word| word.parse().ok()), words.next().and_then(|word| word.parse().ok())) {
            (Some(seconds), Some(bytes)) if answer.status.success() => Ok((Duration::from_secs_f64(seconds), bytes)),
            _ => Err(format!("curl {url}: {}", String::from_utf8_lossy(&answer.stderr)).into()),
        }
    }
}
