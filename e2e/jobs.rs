//! A workload of `kind: job`: proved by its Jobs, changed from and to a Deployment, taken down while Jobs run.

use std::time::Duration;

use crate::own_service::json;
use crate::workspace::{Workspace, wait_until};

const USAGE: i32 = 2;

#[track_caller]
fn says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is missing:\n{text}");
    }
}

#[test]
fn a_demo_of_jobs_proves_that_each_message_had_a_job_of_its_own() {
    let workspace = Workspace::new();
    workspace.write("stack.yaml", "workloads:\n- {name: orders, kind: job, job: {successfulJobsHistoryLimit: 2}}\n");
    says(
        &workspace.run("plan --full").with(0).stdout,
        &["kubernetes_scaled_job.myproject/orders will be created", "jobTargetRef"],
    );
    let demo = workspace.run("demo").with(0).stdout;
    says(&demo, &["scenario jobs of myproject/orders: pass", "nothing of this stack is left"]);
    let report = json(&workspace, "report/report.json");
    assert_eq!((&report["story"], &report["outcome"]), (&"jobs".into(), &"pass".into()), "{report:#}");
    let saw = |name: &str| {
        let verdicts = report["verdicts"].as_array().unwrap();
        let found = verdicts.iter().find(|verdict| verdict["name"] == name);
        found.unwrap_or_else(|| panic!("no {name} in {report:#}"))["saw"].as_str().unwrap().to_owned()
    };
    assert_eq!(saw("one-job-a-message"), "9 messages in 9 Jobs");
    assert!(saw("history-trimmed").starts_with("2 complete, 0 failed and 0 running"), "{}", saw("history-trimmed"));
    // What is up no more is explained by what was recorded.
    let explained = workspace.run("explain").with(0).stdout;
    assert!(explained.contains("makes 3 Jobs beside 0 that run"), "{explained}");
}

#[test]
fn a_workload_changes_its_kind_and_goes_while_its_jobs_run() {
    let workspace = Workspace::new();
    let stack = |more: &str| format!("workloads:\n- {{name: orders{more}, worker: {{workSeconds: 600}}}}\n");
    workspace.write("stack.yaml", &stack(", kind: job, scaling: {cooldownPeriod: 30}"));
    workspace
        .run("plan")
        .with(USAGE)
        .says(&["stack.yaml:2:", "workloads[0].scaling.cooldownPeriod: a Job ends by itself"]);
    workspace.write("stack.yaml", &stack(""));
    workspace.run("up").with(0);
    workspace.run("verify --workload orders jobs").with(USAGE).says(&["orders is a Deployment"]);
    workspace.write("stack.yaml", &stack(", kind: job"));
    says(&workspace.run("up").with(0).stdout, &["1 added, 0 changed, 2 destroyed"]);
    let status = workspace.run("status").with(0).stdout;
    assert!(status.contains("myproject/orders: min 0, max 3; 0 Jobs run") && !status.contains("HPA"), "{status}");
    workspace.run("plan --detailed-exitcode").with(0);
    workspace.run("send 3").with(0);
    let three = || workspace.run("status").with(0).stdout.contains("3 Jobs run").then_some(());
    wait_until("three Jobs run", Duration::from_mins(3), three).unwrap();
    says(&workspace.run("down").with(0).stdout, &["nothing of this stack is left"]);
}
