//! The workflow against what was captured of a real one.

use super::*;

fn steps() -> Vec<Value> {
    vec![
        json!({"name": "deploy2local", "type": "deploy"}),
        json!({"name": "manual-approval", "type": "suspend"}),
        json!({"name": "deploy2foo", "type": "deploy"}),
    ]
}

fn begun(mode: &str) -> Value {
    begin("app-v1", mode, &json!({}), "t0")
}

fn flow(steps: &[Value], status: Value) -> Workflow<'_> {
    Workflow::new(steps, status, json!({"name": "app"}), Map::new())
}

/// Executes what is due until nothing is, as the world answers; names what was executed.
fn round(flow: &mut Workflow<'_>, now: &str, world: impl Fn(&Due) -> Outcome) -> Vec<String> {
    let mut executed = HashSet::new();
    let mut order = Vec::new();
    loop {
        let due = flow.due(&executed, now);
        if due.is_empty() {
            flow.settle(now);
            return order;
        }
        for one in due {
            let outcome = world(&one);
            flow.record(&one, outcome, now);
            executed.insert(one.name.clone());
            order.push(one.name);
        }
    }
}

/// A world where everything works and suspend steps wait until they are resumed.
fn kind(due: &Due) -> Outcome {
    if due.step["type"] == "suspend" && !due.resumed { Outcome::Suspended } else { Outcome::Succeeded(Value::Null) }
}

fn phases(flow: &Workflow<'_>) -> Vec<(String, String, String)> {
    all_statuses(&flow.status)
        .map(|step| {
            let of = |key: &str| step[key].as_str().unwrap_or_default().to_owned();
            (of("name"), of("phase"), of("reason"))
        })
        .collect()
}

fn three(phases: &[(String, String, String)]) -> Vec<(&str, &str, &str)> {
    phases.iter().map(|(a, b, c)| (a.as_str(), b.as_str(), c.as_str())).collect()
}

/// What an operator's resume writes: the smaller patch.
fn resume(flow: &mut Workflow<'_>) {
    flow.status["suspend"] = json!(false);
    for step in flow.status["steps"].as_array_mut().unwrap() {
        let subs = step.get_mut("subSteps").and_then(Value::as_array_mut).into_iter().flatten();
        for one in subs {
            if one["phase"] == "suspending" {
                one["phase"] = json!("running");
            }
        }
        if step["phase"] == "suspending" {
            step["phase"] = json!("running");
        }
    }
}

#[test]
fn a_delivery_waits_suspends_resumes_and_ends() {
    let steps = steps();
    let mut flow = flow(&steps, begun("StepByStep-DAG"));
    let unhealthy = |_: &Due| Outcome::Waiting("local///hello is not healthy".into());
    assert_eq!(round(&mut flow, "t1", unhealthy), ["deploy2local"]);
    assert_eq!(flow.status["status"], "executing");
    assert_eq!(flow.status["steps"][0]["message"], "local///hello is not healthy");
    assert_eq!(flow.status["steps"].as_array().unwrap().len(), 1);

    assert_eq!(round(&mut flow, "t2", kind), ["deploy2local", "manual-approval"]);
    assert_eq!(
        three(&phases(&flow)),
        [("deploy2local", "succeeded", ""), ("manual-approval", "suspending", "Suspend")]
    );
    assert_eq!(flow.status["suspend"], true);
    assert_eq!(flow.status["status"], "suspending");
    assert_eq!(flow.status["steps"][0]["firstExecuteTime"], "t1");
    assert_eq!(flow.status["steps"][0]["lastExecuteTime"], "t2");
    assert!(flow.status["steps"][0].get("message").is_none());

    resume(&mut flow);
    assert_eq!(round(&mut flow, "t3", kind), ["manual-approval", "deploy2foo"]);
    assert_eq!(flow.status["status"], "succeeded");
    assert_eq!(flow.status["finished"], true);
    assert_eq!(flow.status["endTime"], "t3");
    assert_eq!(application_phase(&flow.status), None);
}

#[test]
fn clearing_the_flag_alone_is_undone() {
    let steps = steps();
    let mut flow = flow(&steps, begun("StepByStep-DAG"));
    round(&mut flow, "t1", kind);
    flow.status["suspend"] = json!(false);
    round(&mut flow, "t2", kind);
    assert_eq!(flow.status["suspend"], true);
    assert_eq!(flow.status["steps"][1]["phase"], "suspending");
}

#[test]
fn terminating_skips_the_rest_and_keeps_the_message() {
    let steps = steps();
    let mut flow = flow(&steps, begun("StepByStep-DAG"));
    round(&mut flow, "t1", kind);
    flow.status["terminated"] = json!(true);
    flow.status["suspend"] = json!(false);
    flow.status["steps"][1]["phase"] = json!("failed");
    flow.status["steps"][1]["reason"] = json!("Terminate");
    assert!(round(&mut flow, "t2", kind).is_empty());
    assert_eq!(
        three(&phases(&flow)),
        [
            ("deploy2local", "succeeded", ""),
            ("manual-approval", "failed", "Terminate"),
            ("deploy2foo", "skipped", "Skip"),
        ]
    );
    assert_eq!(flow.status["steps"][1]["message"], "Suspended by field suspend");
    assert_eq!(flow.status["status"], "terminated");
    assert_eq!(application_phase(&flow.status), Some("workflowTerminated"));
}

#[test]
fn a_step_given_up_ends_the_workflow_but_for_steps_that_run_always() {
    let mut steps = steps();
    steps.push(json!({"name": "tidy", "type": "deploy", "if": "always"}));
    let mut flow = flow(&steps, begun("StepByStep-DAG"));
    let retrying = |_: &Due| Outcome::Failed("dial tcp".into());
    assert_eq!(round(&mut flow, "t1", retrying), ["deploy2local"]);
    assert_eq!(flow.status["steps"][0]["reason"], "Execute");
    assert_eq!(flow.status["status"], "executing");

    let hopeless = |due: &Due| {
        if due.name == "tidy" {
            Outcome::Succeeded(Value::Null)
        } else {
            Outcome::Ended("FailedAfterRetries", "dial tcp".into())
        }
    };
    assert_eq!(round(&mut flow, "t2", hopeless), ["deploy2local", "tidy"]);
    assert_eq!(
        three(&phases(&flow)),
        [
            ("deploy2local", "failed", "FailedAfterRetries"),
            ("manual-approval", "skipped", "Skip"),
            ("deploy2foo", "skipped", "Skip"),
            ("tidy", "succeeded", ""),
        ]
    );
    assert_eq!(flow.status["terminated"], true);
    assert_eq!(application_phase(&flow.status), Some("workflowFailed"));
}

#[test]
fn a_group_stands_as_its_sub_steps_do() {
    let steps = [
        json!({"name": "grp", "type": "step-group", "subSteps": [
            {"name": "sub-local", "type": "deploy"},
            {"name": "sub-wait", "type": "suspend"},
        ]}),
        json!({"name": "final", "type": "deploy"}),
    ];
    let mut flow = flow(&steps, begun("StepByStep-DAG"));
    assert_eq!(round(&mut flow, "t1", kind), ["sub-local", "sub-wait"]);
    let group = &flow.status["steps"][0];
    assert_eq!(group["phase"], "suspending");
    assert!(group.get("reason").is_none());
    assert_eq!(group["subSteps"][0]["phase"], "succeeded");
    assert_eq!(flow.status["suspend"], true);

    resume(&mut flow);
    assert_eq!(round(&mut flow, "t2", kind), ["sub-wait", "final"]);
    assert_eq!(flow.status["steps"][0]["phase"], "succeeded");
    assert_eq!(flow.status["status"], "succeeded");
}

#[test]
fn a_dag_runs_what_its_dependencies_allow() {
    let steps = [
        json!({"name": "b", "type": "deploy", "dependsOn": ["a"]}),
        json!({"name": "a", "type": "deploy"}),
        json!({"name": "c", "type": "deploy"}),
    ];
    let mut flow = flow(&steps, begun("DAG-DAG"));
    let first: Vec<_> = flow.due(&HashSet::new(), "t").into_iter().map(|due| due.name).collect();
    assert_eq!(first, ["a", "c"]);
    assert_eq!(round(&mut flow, "t", kind), ["a", "c", "b"]);
    assert_eq!(flow.status["status"], "succeeded");
}

#[test]
fn a_workflow_suspended_by_hand_is_left_alone() {
    let steps = steps();
    let mut flow = flow(&steps, begun("StepByStep-DAG"));
    round(&mut flow, "t1", |_| Outcome::Waiting("w".into()));
    flow.status["suspend"] = json!(true);
    flow.status["steps"][0]["phase"] = json!("suspending");
    assert!(flow.held());
    flow.settle("t2");
    assert_eq!(flow.status["status"], "suspending");
    resume(&mut flow);
    assert!(!flow.held());
    assert_eq!(round(&mut flow, "t3", kind), ["deploy2local", "manual-approval"]);
}

#[test]
fn a_restart_from_a_step_repeats_only_what_was_taken_out() {
    let steps = steps();
    let mut flow = flow(&steps, begun("StepByStep-DAG"));
    round(&mut flow, "t1", kind);
    resume(&mut flow);
    round(&mut flow, "t2", |due| {
        if due.name == "deploy2foo" { Outcome::Ended("FailedAfterRetries", "x".into()) } else { kind(due) }
    });
    assert_eq!(flow.status["status"], "failed");
    flow.status["terminated"] = json!(false);
    flow.status["finished"] = json!(false);
    object::unset(&mut flow.status, &["endTime"]);
    flow.status["steps"].as_array_mut().unwrap().pop();
    assert_eq!(round(&mut flow, "t3", kind), ["deploy2foo"]);
    assert_eq!(flow.status["status"], "succeeded");
}

#[test]
fn a_condition_decides_whether_a_step_runs_and_a_wrong_one_is_said() {
    let steps = [
        json!({"name": "build", "type": "deploy"}),
        json!({"name": "tell", "type": "notification", "if": "status.build.phase == \"failed\""}),
        json!({"name": "cheer", "type": "notification", "if": "status.build.succeeded && context.name == \"app\""}),
        json!({"name": "odd", "type": "deploy", "if": "status.nope.phase == \"failed\""}),
        json!({"name": "last", "type": "deploy"}),
    ];
    let mut flow = flow(&steps, begun("StepByStep-DAG"));
    let world = |due: &Due| {
        if due.name == "build" { Outcome::Ended("FailedAfterRetries", "dial tcp".into()) } else { kind(due) }
    };
    assert_eq!(round(&mut flow, "t", world), ["build", "tell"]);
    assert_eq!(
        three(&phases(&flow)),
        [
            ("build", "failed", "FailedAfterRetries"),
            ("tell", "succeeded", ""),
            ("cheer", "skipped", "Skip"),
            ("odd", "skipped", "Skip"),
            ("last", "skipped", "Skip"),
        ]
    );
    let odd = &flow.status["steps"][3]["message"];
    assert_eq!(odd, "pre check error: invalid if value: if: undefined field: nope");
    assert!(flow.status["steps"][2].get("message").is_none());
    assert_eq!(flow.status["status"], "failed");
}

#[test]
fn a_group_whose_condition_does_not_hold_is_skipped_with_all_it_has() {
    let steps = [
        json!({"name": "grp", "type": "step-group", "if": "context.name == \"other\"", "subSteps": [
            {"name": "one", "type": "deploy", "if": "always"},
            {"name": "two", "type": "deploy", "dependsOn": ["one"]},
        ]}),
        json!({"name": "final", "type": "deploy"}),
    ];
    let mut flow = flow(&steps, begun("StepByStep-DAG"));
    assert_eq!(round(&mut flow, "t", kind), ["final"]);
    let wanted = [
        ("grp", "skipped", "Skip"),
        ("one", "skipped", "Skip"),
        ("two", "skipped", "Skip"),
        ("final", "succeeded", ""),
    ];
    assert_eq!(three(&phases(&flow)), wanted);
    assert_eq!(flow.status["status"], "succeeded");
}

#[test]
fn in_a_dag_what_depends_on_a_failure_is_skipped_and_the_rest_runs() {
    let steps = [
        json!({"name": "a", "type": "deploy"}),
        json!({"name": "b", "type": "deploy", "dependsOn": ["a"]}),
        json!({"name": "c", "type": "deploy"}),
        json!({"name": "d", "type": "deploy", "dependsOn": ["c"]}),
    ];
    let mut flow = flow(&steps, begun("DAG-DAG"));
    let waiting = |due: &Due| match due.name.as_str() {
        "a" => Outcome::Ended("FailedAfterRetries", "x".into()),
        _ => Outcome::Waiting("not healthy".into()),
    };
    assert_eq!(round(&mut flow, "t1", waiting), ["a", "c"]);
    assert_eq!(
        three(&phases(&flow)),
        [
            ("a", "failed", "FailedAfterRetries"),
            ("c", "running", "Wait"),
            ("b", "skipped", "Skip"),
            ("d", "pending", "")
        ]
    );
    assert_eq!(flow.status["steps"][3]["message"], "Pending on DependsOn: c");
    assert_eq!(round(&mut flow, "t2", kind), ["c", "d"]);
    assert!(flow.status["steps"][3].get("message").is_none());
    assert_eq!(flow.status["status"], "failed");
}

#[test]
fn a_step_waits_for_what_an_earlier_one_hands_on() {
    let steps = [
        json!({"name": "use", "type": "deploy", "inputs": [{"from": "host", "parameterKey": "x"}],
            "if": "inputs.host == \"foo\""}),
        json!({"name": "make", "type": "apply-component", "outputs": [{"name": "host", "valueFrom": "output.spec.host"}]}),
    ];
    let mut flow = flow(&steps, begun("DAG-DAG"));
    assert_eq!(round(&mut flow, "t1", |_| Outcome::Waiting("w".into())), ["make"]);
    assert_eq!(flow.status["steps"][1]["message"], "Pending on Input: host");
    let world = |_: &Due| Outcome::Succeeded(json!({"spec": {"host": "foo"}}));
    assert_eq!(round(&mut flow, "t2", world), ["make", "use"]);
    assert_eq!(flow.vars["host"], "foo");

    let mut flow = self::flow(&steps, begun("DAG-DAG"));
    round(&mut flow, "t", |_| Outcome::Succeeded(json!({})));
    assert_eq!(flow.status["steps"][0]["reason"], "Output");
    assert_eq!(flow.status["steps"][0]["message"], "undefined field: spec");
}
