//! Workloads whose triggers are written out: with a queue beside them, without one, and a stack that has none at all.

use std::time::Duration;

use crate::own_service::script;
use crate::workspace::{Workspace, wait_until};

const USAGE: i32 = 2;
const PATIENCE: Duration = Duration::from_mins(4);

/// A program that works on nothing and waits for its end.
const IDLE: &str = "#!/bin/sh\nexec sleep 100000\n";

#[track_caller]
fn says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is missing:\n{text}");
    }
}

#[track_caller]
fn waits_for(workspace: &Workspace, words: &str, part: &str) {
    let mut last = String::new();
    wait_until(part, PATIENCE, || {
        last = workspace.run(words).stdout;
        last.contains(part).then_some(())
    })
    .unwrap_or_else(|why| panic!("{why}:\n{last}"));
}

#[test]
fn a_list_that_the_operator_cannot_read_is_refused_before_anything_is_made() {
    let workspace = Workspace::new();
    script(&workspace, "idle.sh", IDLE);
    workspace.write(
        "stack.yaml",
        "images: {mycorp/idle: ./idle.sh}\n\
         workloads:\n\
         - name: idle\n  \
           image: mycorp/idle\n  \
           triggers:\n  \
           - type: cron\n    \
             metadata:\n      \
               timezone: Mars/Base\n      \
               start: 0 8 * * *\n      \
               end: 0 20 * * *\n      \
               desiredReplicas: 2\n  \
           - {type: carrier-pigeon, metadata: {}}\n",
    );
    for words in ["plan", "up", "demo"] {
        let refused = workspace.run(words).with(USAGE).stderr;
        says(
            &refused,
            &[
                "stack.yaml:8:17: workloads[0].triggers[0].metadata.timezone: error parsing cron metadata:",
                "workloads[0].triggers[1]: no scaler found for type: carrier-pigeon; this operator serves aws-sqs-queue",
            ],
        );
    }
    assert!(!workspace.path().join(".sluice").exists(), "{:?}", workspace.files());
}

#[test]
fn two_workloads_one_without_a_queue_go_up_are_scaled_each_by_its_own_triggers_and_go_down() {
    let workspace = Workspace::new();
    script(&workspace, "idle.sh", IDLE);
    workspace.write(
        "stack.yaml",
        "images: {mycorp/idle: ./idle.sh}\n\
         workloads:\n\
         - {name: follows, image: mycorp/idle, scaling: {maxReplicaCount: 2, cooldownPeriod: 30, scaleDownWindow: 0},\n   \
            triggers: [{type: kubernetes-workload, name: pods, metadata: {podSelector: app.kubernetes.io/name=myapp, value: 1}},\n              \
                       {type: metrics-api, name: theirs, authenticationRef: {name: theirs},\n               \
                        metadata: {url: 'http://127.0.0.1:9/', valueLocation: a, targetValue: 2, authMode: bearer}}]}\n\
         - {name: myapp, queue: {}, triggers: [{type: aws-sqs-queue, useCachedMetrics: true, metadata: {queueLength: 3}}]}\n",
    );
    let plan = workspace.run("plan").with(0).stdout;
    says(
        &plan,
        &[
            "Triggers of follows, 0 to 2:",
            "  0 kubernetes-workload \"pods\": s0-workload-myproject at 1 for each replica",
            "  1 metrics-api \"theirs\": s1-metric-api-a at 2 for each replica; read by TriggerAuthentication theirs",
            "Triggers of myapp, 0 to 3:",
            "  0 aws-sqs-queue: s0-aws-sqs-e2e-myapp at 3 for each replica; read by TriggerAuthentication myapp",
            "aws_iam_role.myapp will be created",
            "kubernetes_scaled_object.myproject/follows will be created",
        ],
    );
    for absent in ["aws_iam_role.follows", "aws_sqs_queue.follows", "trigger_authentication.myproject/follows"] {
        assert!(!plan.contains(absent), "{absent}:\n{plan}");
    }
    workspace
        .run("verify --workload follows")
        .with(USAGE)
        .says(&["no scenario can put load on follows", "its triggers are kubernetes-workload, metrics-api"]);
    workspace.run("up").with(0);
    workspace.run("plan --detailed-exitcode").with(0);
    workspace.run("send 1 --workload follows").with(USAGE).says(&["follows has no queue"]);
    let identity = workspace.run("identity").with(0).stdout;
    says(&identity, &["follows: it has no queue of the stack's, so it has no role", "Every chain holds"]);
    // The first workload has no queue, so the messages are for the second.
    says(&workspace.run("send 9").with(0).stdout, &["(workload myapp)"]);
    waits_for(&workspace, "status", "myproject/follows: min 0, max 2; 2 wanted, 2 ready");
    let status = workspace.run("status").with(0).stdout;
    says(&status, &["e2e-myapp: "]);
    assert!(!status.contains("e2e-follows"), "{status}");
    says(&workspace.run("explain --workload follows").with(0).stdout, &["s0-workload-myproject"]);
    let watched = workspace.run("watch --workload follows --seconds 3").with(0).stdout;
    assert!(watched.contains("replicas ") && !watched.contains("queue"), "{watched}");
    workspace.run("audit").with(0);
    says(&workspace.run("down").with(0).stdout, &["nothing of this stack is left"]);
}

#[test]
fn a_stack_without_a_queue_has_no_role_scales_to_its_triggers_and_goes() {
    let workspace = Workspace::new();
    script(&workspace, "idle.sh", IDLE);
    let stack = |replicas: u32, of_job: &str| {
        format!(
            "images: {{mycorp/idle: ./idle.sh}}\n\
             workloads:\n\
             - {{name: hours, image: mycorp/idle, triggers: [{{type: cron, metadata: {{timezone: UTC, start: 0 0 1 1 *, \
                end: 59 23 31 12 *, desiredReplicas: {replicas}}}}}]}}\n\
             - {{name: jobs, kind: job, image: mycorp/idle, triggers: [{of_job}]}}\n"
        )
    };
    let jobs = "{type: kubernetes-workload, metadata: {podSelector: app.kubernetes.io/name=hours, value: 1}}";
    workspace.write("stack.yaml", &stack(2, jobs));
    workspace.run("demo").with(USAGE);
    let preflight = workspace.run("preflight").with(0).stdout;
    assert!(!preflight.contains("sqs-scaler"), "{preflight}");
    let up = workspace.run("up").with(0).stdout;
    for absent in ["aws_sqs_queue", "aws_iam_role.keda_operator", "aws_iam_role.sqs_scaler", "openid_connect_provider"]
    {
        assert!(!up.contains(absent), "{absent}:\n{up}");
    }
    waits_for(&workspace, "status", "myproject/hours: min 0, max 3; 2 wanted, 2 ready");
    waits_for(&workspace, "status", "2 Jobs run");
    says(&workspace.run("identity").with(0).stdout, &["No workload has a queue"]);
    workspace.run("send 1").with(USAGE).says(&["no workload of the stack has a queue"]);
    says(&workspace.run("explain --workload hours").with(0).stdout, &["s0-cron-"]);
    workspace.run("drift").with(0);
    // One gets a queue, and gives it back.
    workspace.write("stack.yaml", &format!("{}- {{name: myapp}}\n", stack(2, jobs)));
    says(&workspace.run("up").with(0).stdout, &["aws_sqs_queue.myapp", "aws_iam_role.keda_operator"]);
    workspace.write("stack.yaml", &stack(1, jobs));
    workspace.run("up").with(0);
    workspace.run("plan --detailed-exitcode").with(0);
    says(&workspace.run("down").with(0).stdout, &["nothing of this stack is left"]);
    workspace.nothing_runs();
}
