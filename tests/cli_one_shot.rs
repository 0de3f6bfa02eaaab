//! The one-shot commands as scripts use them: the real binary against an estate in this process.
#![cfg(feature = "demo")]
#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use lateen::demo::{Cut, Estate, MEMBER, Options};
use serde_json::Value;
use tempfile::TempDir;

/// An estate twenty times as fast as life, and a home with its kubeconfig.
struct Stage {
    estate: Estate,
    home: TempDir,
}

impl Stage {
    fn new() -> Self {
        let estate = Estate::start(Options { speed: 20.0, ..Options::default() }).unwrap();
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("kubeconfig"), estate.kubeconfig()).unwrap();
        Self { estate, home }
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lateen"));
        command.args(line.split_whitespace());
        command.env_clear();
        command.env("HOME", self.home.path());
        command.env("KUBECONFIG", self.home.path().join("kubeconfig"));
        command.stdin(Stdio::null());
        command
    }

    fn run(&self, line: &str) -> Output {
        self.command(line).output().unwrap()
    }

    /// The answer of a command that succeeds.
    fn answer(&self, line: &str) -> String {
        let output = self.run(line);
        assert_eq!(output.status.code(), Some(0), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn json(&self, line: &str) -> Value {
        serde_json::from_str(&self.answer(&format!("{line} -o json"))).unwrap()
    }

    /// Asks until the answer is as `wanted` says.
    fn until(&self, line: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            // A cluster that is slow to answer for once makes an answer incomplete (3), not wrong.
            let output = self.run(&format!("{line} -o json"));
            assert!(matches!(output.status.code(), Some(0 | 3)), "{line}: {}", String::from_utf8_lossy(&output.stderr));
            let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
            if wanted(&answer) {
                return answer;
            }
            assert!(Instant::now() < deadline, "{line} is still {answer:#}");
        }
    }

    fn waiting(&self) -> Value {
        self.until("get app helm-hello", |answer| answer["items"][0]["health"] == "waiting")
    }
}

/// The code and the only sentence of a command that fails.
fn refusal(output: &Output) -> (i32, String) {
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(text.lines().count(), 1, "one sentence: {text}");
    assert!(output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stdout));
    (output.status.code().unwrap(), text)
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn what_get_tells_scripts_has_the_promised_fields() {
    let stage = Stage::new();
    let answer = stage.waiting();
    assert_eq!(keys(&answer), ["items", "incomplete"]);
    assert_eq!(answer["incomplete"], serde_json::json!([]));
    let app = &answer["items"][0];
    let expected = [
        "namespace",
        "name",
        "health",
        "status",
        "reason",
        "generation",
        "observed_generation",
        "revision",
        "workflow",
        "clusters",
        "created_at",
        "steps",
        "services",
    ];
    assert_eq!(keys(app), expected);
    assert_eq!(keys(&app["workflow"]), ["phase", "done", "total", "waiting"]);
    assert_eq!(app["workflow"]["waiting"], serde_json::json!(["manual-approval"]));
    assert_eq!(keys(&app["clusters"][0]), ["name", "health", "ready", "total"]);
    assert!(app["created_at"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok());
    assert_eq!(app["steps"].as_array().unwrap().len(), 3);
    assert_eq!(app["services"][0]["cluster"], "local");

    let apps = stage.json("get applications -A");
    assert_eq!(keys(&apps["items"][0]), expected[..11]);
    assert!(apps["items"].as_array().unwrap().len() > 1);

    let approvals = stage.json("get approvals");
    let mine = approvals["items"].as_array().unwrap().iter().find(|item| item["name"] == "helm-hello").unwrap();
    assert_eq!(
        keys(mine),
        ["namespace", "name", "step", "step_type", "since", "reason", "next", "auto_resume_at", "changed_by", "health"]
    );
    assert_eq!(mine["next"], serde_json::json!([{"step": "deploy2foo", "clusters": ["foo"]}]));
    assert_eq!(mine["health"], "ok");

    let clusters = stage.json("get clusters");
    let foo = &clusters["items"][1];
    assert_eq!(keys(foo), ["name", "alias", "type", "endpoint", "accepted", "labels", "link", "version", "pods"]);
    assert_eq!(keys(&foo["link"]), ["state", "latency_s", "since", "reason"]);
    assert_eq!((&foo["name"], &foo["link"]["state"]), (&"foo".into(), &"live".into()));
    assert!(foo["link"]["latency_s"].as_f64().unwrap() > 0.0);

    let pods = stage.json("get pods");
    let fields = [
        "cluster",
        "namespace",
        "application",
        "component",
        "name",
        "ready",
        "status",
        "restarts",
        "node",
        "created_at",
    ];
    assert_eq!(keys(&pods["items"][0]), fields);
    assert_eq!(pods["items"][0]["application"], "helm-hello");

    let yaml = stage.answer("get clusters foo -o yaml");
    assert!(yaml.contains("name: foo") && yaml.contains("incomplete: []"), "{yaml}");
    assert_eq!(stage.answer("get clusters -o name"), "local\nfoo\n");
    let table = stage.answer("get apps -A");
    assert!(table.starts_with("NAMESPACE") && table.contains("helm-hello"), "{table}");
}

#[test]
fn approve_writes_once_and_says_when_there_is_nothing_to_approve() {
    let stage = Stage::new();
    stage.waiting();
    let (code, text) = refusal(&stage.run("approve helm-hello"));
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("-y"), "{text}");
    let (code, text) = refusal(&stage.run("approve helm-hello -y --readonly"));
    assert_eq!(code, 5, "{text}");
    let (code, text) = refusal(&stage.run("approve helm-hello -y --step deploy2foo"));
    assert_eq!(code, 4, "{text}");

    let told = stage.answer("approve helm-hello -y --wait=60s");
    assert!(told.contains("approved manual-approval of default/helm-hello"), "{told}");
    let answer = stage.json("get app helm-hello");
    assert_eq!(answer["items"][0]["health"], "ok", "{answer:#}");

    let (code, text) = refusal(&stage.run("approve helm-hello -y"));
    assert_eq!(code, 4, "{text}");
    let (code, text) = refusal(&stage.run("approve nothing -y"));
    assert_eq!(code, 1, "{text}");
    let audit = std::fs::read_to_string(stage.home.path().join(".local/state/lateen/audit.jsonl")).unwrap();
    assert_eq!(audit.lines().count(), 2, "{audit}");
}

#[test]
fn a_reader_may_look_and_not_approve() {
    let stage = Stage::new();
    stage.waiting();
    let (code, text) = refusal(&stage.run("approve helm-hello -y --context hub-reader"));
    assert_eq!(code, 5, "{text}");
    assert!(text.contains("patch") || text.contains("forbidden"), "{text}");
    stage.waiting();
}

#[test]
fn a_lost_cluster_is_told_by_the_exit_code_and_by_name() {
    let stage = Stage::new();
    stage.waiting();
    stage.estate.cut(MEMBER, Cut::Refuse).unwrap();
    let output = stage.run("get clusters -o json");
    assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["items"][1]["link"]["state"], "unreachable");
    assert_eq!(answer["incomplete"][0]["cluster"], "foo");
    assert!(!answer["incomplete"][0]["reason"].as_str().unwrap().is_empty());
}

#[test]
fn wrong_words_contexts_and_hubs_are_one_sentence() {
    let stage = Stage::new();
    let (code, text) = refusal(&stage.run("get apps --context nowhere"));
    assert_eq!(code, 2);
    assert!(text.contains("nowhere") && text.contains("hub"), "{text}");
    // A member is no hub: nothing there knows Applications.
    let (code, text) = refusal(&stage.run("get apps --context foo"));
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("KubeVela"), "{text}");
    assert_eq!(stage.run("get nonsense").status.code(), Some(2));
    assert_eq!(stage.run("--help").status.code(), Some(0));
    assert!(stage.answer("completions bash").contains("lateen"));
    assert!(stage.answer("info").contains("audit"));
}

#[test]
fn a_reader_that_closes_the_pipe_is_no_failure() {
    let stage = Stage::new();
    let mut child = stage.command("get apps -A").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
}

/// A command that runs until it is told to end.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn first_line(child: &mut Child) -> String {
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    line
}

fn interrupt(child: &mut Child) -> Option<i32> {
    let id = i32::try_from(child.id()).unwrap();
    rustix::process::kill_process(rustix::process::Pid::from_raw(id).unwrap(), rustix::process::Signal::INT).unwrap();
    child.wait().unwrap().code()
}

#[test]
fn port_forward_reaches_the_cluster_that_was_named() {
    let stage = Stage::new();
    stage.waiting();
    stage.answer("approve helm-hello -y --wait");
    let (code, text) = refusal(&stage.run("port-forward helm-hello :80"));
    assert_eq!(code, 2, "several clusters match: {text}");
    assert!(text.contains("local") && text.contains("foo"), "{text}");
    let command = "port-forward helm-hello :80 --cluster foo";
    let mut running = Running(stage.command(command).stdout(Stdio::piped()).spawn().unwrap());
    let line = first_line(&mut running.0);
    let address = line.strip_prefix("Forwarding from ").and_then(|rest| rest.split(' ').next()).unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: hello\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("Welcome to Your New Foo Cluster!"), "{answer}");
    // The port is taken now, and whoever names it means it.
    let port = address.rsplit(':').next().unwrap();
    let (code, text) = refusal(&stage.run(&format!("port-forward helm-hello {port}:80 --cluster foo")));
    assert_eq!(code, 1, "{text}");
    assert_eq!(interrupt(&mut running.0), Some(130));
}

#[test]
fn demo_serve_says_where_its_kubeconfig_is_and_ends_when_told() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("estate.yaml");
    let mut command = Command::new(env!("CARGO_BIN_EXE_lateen"));
    command.args(["demo", "--serve", "--speed", "20", "--kubeconfig-out", file.to_str().unwrap()]);
    let mut running = Running(command.stdout(Stdio::piped()).spawn().unwrap());
    let line = first_line(&mut running.0);
    assert_eq!(line, format!("ready {}\n", file.canonicalize().unwrap().display()));
    let output = Command::new(env!("CARGO_BIN_EXE_lateen"))
        .args(["get", "clusters", "-o", "name", "--kubeconfig", file.to_str().unwrap()])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "local\nfoo\n");
    assert_eq!(interrupt(&mut running.0), Some(0));
}
