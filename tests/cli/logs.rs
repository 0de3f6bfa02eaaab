//! `lateen logs`.

use crate::stage::Stage;

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
