//! `lateen logs`, flag by flag.

use std::{
    collections::BTreeSet,
    io::{BufRead as _, BufReader},
    process::{Child, Command, ExitStatus, Output, Stdio},
    time::{Duration, Instant},
};

use lateen::demo::{Cut, MEMBER, ctl};
use portable_pty::CommandBuilder;
use serde_json::Value;

use crate::{
    stage::{Running, Stage, first_line, interrupt, keys, refusal},
    terminal::Terminal,
};

/// The tutorial's application in both clusters, and its pods: cluster and name.
fn delivered() -> (Stage, Vec<(String, String)>) {
    let stage = Stage::new();
    stage.waiting();
    stage.answer("approve helm-hello -y");
    stage.until("get app helm-hello", |answer| answer["items"][0]["health"] == "ok");
    let all = pods(&stage);
    assert!(all.iter().any(|(cluster, _)| cluster == "local") && all.iter().any(|(cluster, _)| cluster == MEMBER));
    (stage, all)
}

fn pods(stage: &Stage) -> Vec<(String, String)> {
    let answer = stage.json("get pods -l app.kubernetes.io/name=hello-kubernetes");
    let text = |pod: &Value, field: &str| pod[field].as_str().unwrap().to_owned();
    let items = answer["items"].as_array().unwrap().iter();
    items
        .filter(|pod| pod["application"] == "helm-hello")
        .map(|pod| (text(pod, "cluster"), text(pod, "name")))
        .collect()
}

/// Puts a line into each pod's log, one pod after the other.
fn say(stage: &Stage, pods: &[(String, String)], text: &str) {
    for (cluster, pod) in pods {
        stage.estate.log(cluster, "default", pod, text).unwrap();
    }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

/// Source and text of each line.
fn lines(answer: &str) -> Vec<(&str, &str)> {
    answer.lines().map(|line| line.split_once("  ").unwrap()).collect()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

/// Waits for the end of a command that is to end by itself.
fn ends(child: &mut Child) -> ExitStatus {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        assert!(Instant::now() < deadline, "it has not ended");
        std::thread::yield_now();
    }
}

#[test]
fn a_log_that_is_read_whole_says_nothing_beside() {
    let stage = Stage::new();
    stage.waiting();
    let pods = stage.json("get pods --cluster local");
    let pod = pods["items"][0]["name"].as_str().unwrap();
    let kubeconfig = stage.home.path().join("kubeconfig").display().to_string();
    let mut say = stage.command(&format!("demo ctl --kubeconfig {kubeconfig} log local default {pod}"));
    assert_eq!(say.arg("a line of its own").output().unwrap().status.code(), Some(0));
    let output = stage.run("logs helm-hello --cluster local");
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains(&format!("local/{pod}  a line of its own")), "{text}");
}

#[test]
fn flags_choose_the_pods_and_the_lines() {
    let (stage, pods) = delivered();
    let sources: Vec<String> = pods.iter().map(|(cluster, pod)| format!("{cluster}/{pod}")).collect();
    say(&stage, &pods, "mark one");
    say(&stage, &pods, "Mark \x1b[31mTwo\x1b[0m");
    let chosen = |flags: &str| stage.answer(&format!("logs helm-hello --include ^mark {flags}"));

    // All clusters, merged by time: each pod's first, then each pod's second; no colours in a pipe.
    let all = chosen("");
    let expected: Vec<(&str, &str)> = ["mark one", "Mark Two"]
        .into_iter()
        .flat_map(|text| sources.iter().map(move |source| (source.as_str(), text)))
        .collect();
    assert_eq!(lines(&all), expected);

    let of = |cluster: &str| {
        let all = expected.iter().filter(|(source, _)| source.starts_with(&format!("{cluster}/")));
        all.copied().collect::<Vec<_>>()
    };
    assert_eq!(lines(&chosen(&format!("--cluster {MEMBER}"))), of(MEMBER));
    assert_eq!(lines(&chosen("--cluster local")), of("local"));
    assert_eq!(lines(&chosen("--exclude two")), expected[..pods.len()]);
    assert_eq!(lines(&chosen("--exclude Two --exclude ONE")), expected[..pods.len()], "a capital is meant");
    assert_eq!(lines(&chosen("--since 1h")), expected);
    assert_eq!(lines(&chosen("-l app.kubernetes.io/name=hello-kubernetes")), expected);
    let component = stage.json("get pods -l app.kubernetes.io/name=hello-kubernetes");
    let component = component["items"][0]["component"].as_str().unwrap().to_owned();
    assert_eq!(lines(&chosen(&format!("--component {component}"))), expected);

    let answer = chosen("--timestamps");
    let times: Vec<jiff::Timestamp> =
        answer.lines().map(|line| line.split_once(' ').unwrap().0.parse().unwrap()).collect();
    assert_eq!(times.len(), expected.len());
    assert!(times.is_sorted(), "{answer}");

    let each = stage.answer("logs helm-hello --tail 1");
    assert_eq!(each.lines().count(), pods.len(), "{each}");
    let said: BTreeSet<&str> = lines(&each).into_iter().map(|(source, _)| source).collect();
    assert_eq!(said.len(), pods.len(), "{each}");

    let containers = chosen("--container all");
    let container = lines(&containers)[0].0.rsplit('/').next().unwrap().to_owned();
    assert_eq!(containers.lines().count(), expected.len());
    assert!(lines(&containers).iter().all(|(source, _)| source.split('/').count() == 3), "{containers}");
    assert_eq!(lines(&chosen(&format!("--container {container}"))), expected);

    // Pods by their labels alone, of no application.
    let labelled = stage.answer("logs -l app.kubernetes.io/name=hello-kubernetes -A --include ^mark");
    assert_eq!(labelled.lines().count(), expected.len(), "{labelled}");

    // What was said longer ago is left out once it is.
    let deadline = Instant::now() + Duration::from_secs(60);
    while !chosen("--since 1s").is_empty() {
        assert!(Instant::now() < deadline);
    }
}

#[test]
fn programs_read_objects() {
    let (stage, pods) = delivered();
    say(&stage, &pods[..1], "größer\t\x1b]0;title\x07");
    let answer = stage.answer("logs helm-hello -o json --include größer");
    let line: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(keys(&line), ["type", "cluster", "namespace", "pod", "container", "time", "text"]);
    assert_eq!((&line["type"], &line["namespace"]), (&"line".into(), &"default".into()));
    assert_eq!((line["cluster"].as_str().unwrap(), line["pod"].as_str().unwrap()), (&*pods[0].0, &*pods[0].1));
    assert!(line["time"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok());
    let text = line["text"].as_str().unwrap();
    assert!(text.starts_with("größer") && !text.contains(['\x1b', '\x07']), "{text:?}");
}

#[test]
fn what_cannot_be_answered_ends_with_its_code() {
    let (stage, pods) = delivered();
    for (line, code, said) in [
        ("logs", 2, "required"),
        ("logs helm-hello --tail 5 --since 5m", 2, "cannot be used with"),
        ("logs helm-hello --tail many", 2, "--tail"),
        ("logs helm-hello --since soon", 2, "--since"),
        ("logs helm-hello --log-streams 0", 2, "--log-streams"),
        ("logs helm-hello --max-memory lots", 2, "--max-memory"),
        ("logs helm-hello --step a --component b", 2, "cannot be used with"),
        ("logs helm-hello -o xml", 2, "--output"),
    ] {
        let output = stage.run(line);
        let told = text(output.stderr.clone());
        assert!(self::code(&output) == code && told.contains(said), "{line}: {told}");
    }
    for (line, code, said) in [
        ("logs helm-hello --include (", 2, "--include (: "),
        ("logs helm-hello --exclude (a{1000}){1000}", 2, "--exclude"),
        ("logs nothing", 1, "there is no application nothing"),
        ("logs helm-hello --component nothing", 1, "no pods that match"),
        ("logs helm-hello --container nothing", 1, "no pods that match"),
        ("logs -l nobody=has", 1, "no pods that match"),
        ("logs helm-hello --step nothing", 1, "step nothing of default/helm-hello has no log of its own"),
        ("logs helm-hello --as nobody", 5, "needs list on applications"),
    ] {
        let (ended, told) = refusal(&stage.run(line));
        assert!(ended == code && told.contains(said), "{line}: {ended} {told}");
    }
    // There is no instance before the first: of none of them.
    let output = stage.run("logs helm-hello --previous");
    let told = text(output.stderr.clone());
    assert_eq!((code(&output), told.lines().count()), (1, pods.len()), "{told}");
    assert!(told.contains("previous terminated container"), "{told}");

    stage.estate.cut(MEMBER, Cut::Refuse).unwrap();
    let output = stage.run("logs helm-hello --tail 1");
    let told = text(output.stderr.clone());
    assert!(code(&output) == 3 && told.contains(MEMBER), "{told}");
    assert!(text(output.stdout).contains("local/"), "what there is comes all the same");
}

#[test]
fn streams_are_as_many_at_a_time_as_is_said() {
    let (stage, pods) = delivered();
    say(&stage, &pods, "mark");
    let output = stage.run("logs helm-hello --include ^mark$ --log-streams 1");
    assert_eq!((code(&output), text(output.stdout).lines().count()), (0, pods.len()));
    let mut follow = stage.command("logs helm-hello --include ^mark$ --tail 1000 -f --log-streams 1");
    let mut follow = Running(follow.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap());
    let mut told = String::new();
    let mut said = BufReader::new(follow.0.stderr.take().unwrap());
    let wanted = format!("1 logs of {}: ", pods.len());
    while !told.contains(&wanted) {
        assert!(said.read_line(&mut told).unwrap() > 0, "{told}");
    }
    let more =
        stage.command("logs helm-hello --include ^mark$ --tail 1000").env("LATEEN_LOG_STREAMS", "1").output().unwrap();
    assert_eq!((code(&more), text(more.stdout).lines().count()), (0, pods.len()));
    let wrong = stage.command("logs helm-hello").env("LATEEN_LOG_STREAMS", "none").output().unwrap();
    assert_eq!(code(&wrong), 2);
}

#[test]
fn what_comes_is_followed_and_pods_that_join_too() {
    let (stage, pods) = delivered();
    let mut follow = stage.command("logs helm-hello --include ^mark -f");
    let mut follow = Running(follow.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
    let mut out = BufReader::new(follow.0.stdout.take().unwrap());
    let mut line = String::new();
    // What is said of the pods that come and go stands between their lines.
    let mut next = || {
        loop {
            line.clear();
            assert!(out.read_line(&mut line).unwrap() > 0, "it ended");
            if !line.starts_with("-- ") {
                return line.trim_end().to_owned();
            }
        }
    };
    // A line of each pod is there already, or comes: told once whichever it is.
    say(&stage, &pods, "mark one");
    let (cluster, gone) = &pods[0];
    let first: BTreeSet<String> = pods.iter().map(|_| next()).collect();
    assert_eq!(first, pods.iter().map(|(cluster, pod)| format!("{cluster}/{pod}  mark one")).collect());
    stage
        .estate
        .perform(&ctl::Command::KillPod { cluster: cluster.clone(), namespace: "default".into(), name: gone.clone() })
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    let (cluster, joined) = loop {
        let new = self::pods(&stage).into_iter().find(|pod| !pods.contains(pod));
        if let Some(new) = new {
            break new;
        }
        assert!(Instant::now() < deadline, "no pod joined");
    };
    stage.until("get app helm-hello", |answer| answer["items"][0]["health"] == "ok");
    stage.estate.log(&cluster, "default", &joined, "mark two").unwrap();
    assert_eq!(next(), format!("{cluster}/{joined}  mark two"));
    assert_eq!(interrupt(&mut follow.0), Some(130));
}

#[test]
fn it_ends_when_the_other_end_of_its_pipe_does() {
    let (stage, pods) = delivered();
    say(&stage, &pods, "mark");
    // As in `lateen logs helm-hello -f | head -n 1`: with lines that flow, and with none that come any more.
    for line in ["logs helm-hello -f", "logs helm-hello -f --include ^mark$", "logs helm-hello -f -o json"] {
        let mut logs = stage.command(line);
        let mut logs = Running(logs.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
        let head = Command::new("head").args(["-n", "1"]).stdin(logs.0.stdout.take().unwrap()).output().unwrap();
        assert_eq!(text(head.stdout).lines().count(), 1);
        assert_eq!(ends(&mut logs.0).code(), Some(0), "{line}");
        assert_eq!(std::io::read_to_string(logs.0.stderr.take().unwrap()).unwrap(), "", "{line}");
    }
    let mut whole = stage.command("logs helm-hello --include ^mark$");
    let mut whole = Running(whole.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
    assert!(first_line(&mut whole.0).ends_with("  mark\n"));
    drop(whole.0.stdout.take());
    assert_eq!(ends(&mut whole.0).code(), Some(0));
}

#[test]
fn it_is_coloured_on_a_terminal_alone() {
    let (stage, pods) = delivered();
    say(&stage, &pods[..1], "mark \x1b[31mred\x1b[0m");
    let colors = |flags: &[&str], env: &[(&str, &str)]| {
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_lateen"));
        command.env_clear();
        command.args([&["logs", "helm-hello", "--include", "^mark"], flags].concat());
        let home = stage.home.path();
        command.env("HOME", home);
        command.env("KUBECONFIG", home.join("kubeconfig"));
        command.env("TERM", "xterm-256color");
        for (name, value) in env {
            command.env(name, value);
        }
        let mut terminal = Terminal::start(command, 24, 160);
        terminal.wait_for("mark red");
        let (_, screen) = terminal.look();
        assert!(terminal.end().success());
        let at = screen.rows(0, 160).next().unwrap().find("red").unwrap();
        let color = |column: usize| screen.cell(0, u16::try_from(column).unwrap()).unwrap().fgcolor();
        (color(0) != vt100::Color::Default, color(at) == vt100::Color::Idx(1))
    };
    assert_eq!(colors(&[], &[]), (true, true));
    assert_eq!(colors(&["--no-color"], &[]), (false, false));
    assert_eq!(colors(&[], &[("NO_COLOR", "1")]), (false, false));
    assert!(!stage.answer("logs helm-hello --include ^mark").contains('\x1b'));
}
