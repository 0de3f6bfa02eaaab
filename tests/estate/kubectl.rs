//! The estate as kubectl meets it. Where there is no kubectl these say so and pass.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command as Process, Output, Stdio};

use super::*;

/// kubectl with a home of its own.
struct Kubectl {
    home: tempfile::TempDir,
}

impl Kubectl {
    fn new(estate: &Estate) -> Option<Self> {
        let found =
            Process::new("kubectl").args(["version", "--client"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
        if found.is_err() {
            eprintln!("skipped: there is no kubectl here");
            return None;
        }
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("kubeconfig"), estate.kubeconfig()).unwrap();
        Some(Self { home })
    }

    fn command(&self, args: &[&str]) -> Process {
        let mut process = Process::new("kubectl");
        process.args(args).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        process.env("HOME", self.home.path()).env("KUBECONFIG", self.home.path().join("kubeconfig"));
        process.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        process
    }

    fn run(&self, args: &[&str], input: &str) -> Output {
        let mut child = self.command(args).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    }

    /// What it prints; it must succeed.
    fn says(&self, args: &str) -> String {
        self.given(args, "")
    }

    fn given(&self, args: &str, input: &str) -> String {
        let output = self.run(&args.split(' ').collect::<Vec<_>>(), input);
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "kubectl {args}: {out}{err}");
        out.into_owned()
    }

    /// What it complains of; it must fail.
    fn fails(&self, args: &str) -> String {
        let output = self.run(&args.split(' ').collect::<Vec<_>>(), "");
        assert!(!output.status.success(), "kubectl {args}: {}", String::from_utf8_lossy(&output.stdout));
        String::from_utf8_lossy(&output.stderr).into_owned()
    }
}

const WEB: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: demo}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: 'nginx:1.27', ports: [{containerPort: 80}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: demo}
spec: {selector: {app: web}, ports: [{port: 80}]}
";

#[test]
fn a_workload_is_made_changed_and_taken_away() {
    let estate = estate();
    let Some(kubectl) = Kubectl::new(&estate) else { return };
    assert_eq!(kubectl.says("create namespace demo"), "namespace/demo created\n");
    assert!(kubectl.fails("create namespace demo").contains("(AlreadyExists): namespaces \"demo\" already exists"));
    assert_eq!(kubectl.given("apply -f -", WEB), "deployment.apps/web created\nservice/web created\n");
    assert_eq!(kubectl.given("apply -f -", WEB), "deployment.apps/web unchanged\nservice/web unchanged\n");
    let again = WEB.replace("1.27", "1.28");
    assert_eq!(kubectl.given("apply -f -", &again), "deployment.apps/web configured\nservice/web unchanged\n");
    assert!(kubectl.given("diff -f -", &again).is_empty());
    kubectl.says("-n demo rollout status deployment/web --timeout=60s");
    kubectl.says("-n demo create deployment api --image=nginx --replicas=1");
    kubectl.says("-n demo scale deployment/web --replicas=3");
    kubectl.says("-n demo rollout status deployment/web --timeout=60s");
    kubectl.says("-n demo rollout restart deployment/web");
    kubectl.says("-n demo rollout status deployment/web --timeout=60s");
    kubectl.says("-n demo set image deployment/web web=nginx:1.29");
    kubectl.says("-n demo rollout status deployment/web --timeout=60s");
    kubectl.says("-n demo label deployment/web tier=front");
    kubectl.says("-n demo annotate deployment/web note=x");
    assert_eq!(kubectl.says("-n demo get deployment web -o jsonpath={.spec.replicas}"), "3");
    kubectl.says("-n demo wait --for=condition=Available deployment/web --timeout=60s");
    let described = kubectl.says("-n demo describe deployment web");
    assert!(described.contains("Replicas:               3 desired") && described.contains("nginx:1.29"), "{described}");
    let pods = kubectl.says("-n demo get pods -l app=web -o name");
    let pod = pods.lines().next().unwrap();
    let described = kubectl.says(&format!("-n demo describe {pod}"));
    assert!(described.contains("Controlled By:  ReplicaSet/web-") && described.contains("Events:"), "{described}");
    kubectl.says(&format!("-n demo delete {pod}"));
    kubectl.says("-n demo delete deployment api --cascade=foreground --timeout=60s");
    assert!(kubectl.says("-n demo get pods -l app=api -o name").is_empty());
    kubectl.says("-n demo create configmap c --from-literal=a=b");
    kubectl.says("-n demo create secret generic s --from-literal=a=b");
    assert_eq!(kubectl.says("-n demo get configmap c -o jsonpath={.data.a}"), "b");
    kubectl.says("delete namespace demo --timeout=60s");
    assert!(kubectl.fails("get namespace demo").contains("namespaces \"demo\" not found"));
}

#[test]
fn what_was_applied_by_the_client_can_be_applied_by_the_server() {
    let estate = estate();
    let Some(kubectl) = Kubectl::new(&estate) else { return };
    let web = WEB.replace("namespace: demo", "namespace: default");
    kubectl.given("apply -f -", &web);
    let applied = "deployment.apps/web serverside-applied\nservice/web serverside-applied\n";
    assert_eq!(kubectl.given("apply --server-side -f -", &web), applied);
    assert_eq!(kubectl.given("apply --server-side -f -", &web.replace("replicas: 2", "replicas: 1")), applied);
    assert_eq!(kubectl.says("get deployment web -o jsonpath={.spec.replicas}"), "1");
    let other = kubectl.run(
        &["apply", "--server-side", "--field-manager=other", "-f", "-"],
        &web.replace("replicas: 2", "replicas: 5"),
    );
    let complaint = String::from_utf8_lossy(&other.stderr);
    assert!(
        complaint.contains("Apply failed with 1 conflict: conflict with \"kubectl\": .spec.replicas"),
        "{complaint}"
    );
    let fresh = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: fresh}\ndata: {a: b}\n";
    assert_eq!(kubectl.given("apply --server-side -f -", fresh), "configmap/fresh serverside-applied\n");
    let rehearsed = fresh.replace("fresh", "rehearsed");
    kubectl.given("apply --server-side --dry-run=server -f -", &rehearsed);
    kubectl.given("create --dry-run=server -f -", &rehearsed);
    assert!(kubectl.fails("get configmap rehearsed").contains("not found"));
}

#[test]
fn a_pod_is_looked_into() {
    let estate = estate();
    let Some(kubectl) = Kubectl::new(&estate) else { return };
    kubectl.given("apply -f -", &WEB.replace("namespace: demo", "namespace: default"));
    kubectl.says("rollout status deployment/web --timeout=60s");
    assert_eq!(kubectl.says("exec deployment/web -- echo hello"), "hello\n");
    assert_eq!(kubectl.given("exec -i deployment/web -- sh", "echo typed\n"), "typed\n");
    // It says that it has no terminal, and goes on without.
    let typed = kubectl.given("exec -it deployment/web -- sh", "echo typed\nexit 0\n");
    assert!(typed.contains("typed"), "{typed}");
    let failed = kubectl.run(&["exec", "deployment/web", "--", "sh", "-c", "exit 7"], "");
    assert_eq!(failed.status.code(), Some(7));
    assert_eq!(kubectl.says("logs deployment/web --tail=2").lines().count(), 2);

    let follow = |args: &[&str], until: &dyn Fn(&str) -> bool, then: &dyn Fn()| {
        let mut child = kubectl.command(args).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let first = lines.next();
        then();
        let found = lines.any(|line| until(&line));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(first.is_some() && found, "kubectl {args:?}");
    };
    follow(&["logs", "-f", "deployment/web"], &|line| !line.is_empty(), &|| {});
    follow(&["get", "deployments", "-w"], &|line| line.contains("/4"), &|| {
        kubectl.says("scale deployment/web --replicas=4");
    });
    let refused = kubectl.fails("port-forward deployment/web 0:80");
    assert!(refused.contains("lateen port-forward"), "{refused}");
}

#[test]
fn users_are_told_who_they_are_and_what_they_may() {
    let estate = estate();
    let Some(kubectl) = Kubectl::new(&estate) else { return };
    assert_eq!(kubectl.says("auth can-i delete pods"), "yes\n");
    assert_eq!(
        String::from_utf8_lossy(&kubectl.run(&["auth", "can-i", "delete", "pods", "--as=alice"], "").stdout),
        "no\n"
    );
    assert!(kubectl.says("auth whoami").contains("admin"));
    assert!(kubectl.says("--context hub-reader auth whoami").contains("reader"));
    assert!(kubectl.says("auth can-i --list").contains("*.*"));
    let refused = kubectl.fails("get pods --as=alice");
    let sentence = "pods is forbidden: User \"alice\" cannot list resource \"pods\" in API group \"\" in the namespace \"default\"";
    assert!(refused.contains(sentence), "{refused}");
    let refused = kubectl.fails("--context hub-reader get pods --as=alice");
    assert!(refused.contains("User \"reader\" cannot impersonate resource \"users\""), "{refused}");
}

#[test]
fn what_a_scenario_measures_can_be_topped() {
    let scenario = tempfile::NamedTempFile::with_suffix(".yaml").unwrap();
    let text = "
cluster: local
apiVersion: metrics.k8s.io/v1beta1
kind: PodMetrics
metadata: {name: web, namespace: default, creationTimestamp: '${now}'}
timestamp: '${now}'
window: 15s
containers: [{name: web, usage: {cpu: 12m, memory: 34Mi}}]
---
cluster: local
apiVersion: metrics.k8s.io/v1beta1
kind: NodeMetrics
metadata: {name: local-node-1, creationTimestamp: '${now}'}
timestamp: '${now}'
window: 15s
usage: {cpu: 800m, memory: 4Gi}
";
    std::fs::write(scenario.path(), text).unwrap();
    let options = Options { empty: true, scenario: Some(scenario.path().into()), ..Options::default() };
    let estate = Estate::start(options).unwrap();
    let Some(kubectl) = Kubectl::new(&estate) else { return };
    let pods = kubectl.says("top pods");
    assert!(pods.contains("web") && pods.contains("12m") && pods.contains("34Mi"), "{pods}");
    assert!(kubectl.says("top nodes").contains("800m"));
}
