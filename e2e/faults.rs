//! The stack comes up and goes away in one try while the local cloud is as late, busy and refusing as AWS.

use std::time::Duration;

use serde_json::json;

use crate::removal::Cluster;
use crate::scenarios::clients::aws;
use crate::scenarios::stage::access_of;
use crate::workspace::{Running, Workspace, wait_until};

/// All faults together take minutes of the stack's time, among them throttled calls that the SDK repeats in real time.
const LIMIT: Duration = Duration::from_mins(10);

/// `up` where what is late by some seconds of the stack's time is so for seconds of real time too: a busy machine comes before its end.
const LATE: &str = "up --time-scale 3";

fn under(faults: &str) -> Workspace {
    let workspace = Workspace::new();
    workspace.write("stack.yaml", &format!("local: {{ faults: '{faults}' }}\n"));
    workspace
}

#[track_caller]
fn goes_down(workspace: &Workspace) {
    let down = workspace.run_within("down", LIMIT).with(0);
    assert!(down.stdout.contains("nothing of this stack is left"), "{}", down.stdout);
    workspace.nothing_is_left();
}

#[test]
fn up_and_down_pass_in_one_try_under_all_faults() {
    let workspace = under("aws:1");
    let up = workspace.run_within("up", LIMIT).with(0);
    // It took minutes of the stack's time, and said so.
    assert!(up.stdout.contains("s of the stack's time"), "{}", up.stdout);
    goes_down(&workspace);
}

#[test]
fn fargate_late_pods_that_were_passed_over_are_made_again() {
    let workspace = under("fargate-late:2");
    let up = workspace.run_within(LATE, LIMIT).with(0);
    assert!(up.stdout.contains("Fargate has passed it over"), "{}", up.stdout);
    goes_down(&workspace);
}

#[test]
fn fargate_late_a_replaced_profile_leaves_no_operator_behind() {
    let workspace = under("fargate-late:2");
    workspace.run_within("up", LIMIT).with(0);
    // Another namespace is another selector, and a profile is only ever replaced; the old namespace needs the operator to end.
    let stack = "local: { faults: 'fargate-late:2' }\nworkloads: [{ name: other, namespace: newns }]\n";
    workspace.write("stack.yaml", stack);
    let up = workspace.run_within("up", LIMIT).with(0);
    assert!(up.stdout.contains("aws_eks_fargate_profile.this is replaced"), "{}", up.stdout);
    workspace.run("plan --detailed-exitcode").with(0);
    goes_down(&workspace);
}

#[test]
fn endpoint_and_access_late_are_waited_for() {
    let workspace = under("endpoint-late,access-late,identity-late:3");
    workspace.run_within(LATE, LIMIT).with(0);
    let log = std::fs::read_to_string(workspace.stack_file("local.log")).unwrap();
    assert!(log.contains("has not reached this API server yet"), "no request was refused: {log}");
    goes_down(&workspace);
}

/// Somebody takes the only access entry away before the endpoint answers for the first time.
#[test]
fn an_api_server_that_refuses_every_token_ends_up_with_the_reason_and_goes_down() {
    let workspace = under("endpoint-late:1");
    workspace.run("local start").with(0);
    let up = Running::start(&workspace, "up");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let eks = aws_sdk_eks::Client::new(&runtime.block_on(aws(&access_of(&workspace))));
    wait_until("the cluster's access entry goes", LIMIT, || {
        runtime.block_on(async {
            let cluster = eks.describe_cluster().name("e2e").send().await.ok()?.cluster?;
            (cluster.status? == aws_sdk_eks::types::ClusterStatus::Active).then_some(())?;
            let listed = eks.list_access_entries().cluster_name("e2e").send().await.ok()?;
            let entry = listed.access_entries?.pop()?;
            eks.delete_access_entry().cluster_name("e2e").principal_arn(entry).send().await.ok()
        })
    })
    .unwrap();
    let (code, said) = up.ends();
    assert_eq!(code, Some(1), "{said:?}");
    let why = |event: &serde_json::Value| {
        let error = event["error"].as_str().unwrap_or_default();
        event["type"] == "errored" && error.contains("to let this identity in") && error.contains("401")
    };
    assert!(said.iter().any(why), "{said:#?}");
    goes_down(&workspace);
}

#[test]
fn foreign_roles_are_neither_read_nor_needed() {
    let workspace = under("foreign-roles");
    let folder = tempfile::tempdir().unwrap();
    let trail = folder.path().join("trail");
    workspace.run(&format!("local start --trail-path {}", trail.display())).with(0);
    workspace.run("up").with(0);
    let before = iam_reads(&trail);
    goes_down(&workspace);
    let reads = iam_reads(&trail) - before;
    assert!((1..=60).contains(&reads), "`down` reads IAM {reads} times");
}

/// How often IAM was read, by the trail.
fn iam_reads(trail: &std::path::Path) -> usize {
    let text = std::fs::read_to_string(trail).unwrap();
    let is_read = |record: &serde_json::Value| {
        let name = record["eventName"].as_str().unwrap_or_default();
        record["eventSource"] == "iam.amazonaws.com" && (name.starts_with("Get") || name.starts_with("List"))
    };
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).filter(is_read).count()
}

/// One test for each fault by itself: up, a change, and down, in one try each.
macro_rules! passes {
    ($($name:ident: $fault:literal;)*) => {$(
        #[test]
        fn $name() {
            passes($fault);
        }
    )*};
}

fn passes(fault: &str) {
    let workspace = Workspace::new();
    let stack = |logs: &str| format!("local: {{ faults: '{fault}' }}\ncluster: {{ logs: [{logs}] }}\n");
    workspace.write("stack.yaml", &stack("api"));
    workspace.run_within("up", LIMIT).with(0);
    workspace.write("stack.yaml", &stack("audit"));
    workspace.run_within("up", LIMIT).with(0);
    goes_down(&workspace);
}

passes! {
    roles_late_passes: "roles-late:1";
    iam_reads_late_passes: "iam-reads-late:1";
    iam_busy_passes: "iam-busy:1";
    iam_deletes_late_passes: "iam-deletes-late:1";
    issuer_late_passes: "issuer-late:1";
    hidden_update_passes: "hidden-update:1";
    updates_fail_passes: "updates-fail:1";
    cluster_not_found_text_passes: "cluster-not-found-text:1";
    identity_late_passes: "identity-late:1";
    queues_late_passes: "queues-late:1";
    logs_late_passes: "logs-late:1";
    throttling_passes: "throttling:1";
    slow_passes: "slow:1";
}

/// What keeps the operator, or whoever is called, from being there; `down` meets it among 500 roles of others.
fn goes_down_among_foreign_roles(hinder: impl FnOnce(&Workspace)) {
    let workspace = under("foreign-roles");
    let folder = tempfile::tempdir().unwrap();
    let trail = folder.path().join("trail");
    workspace.run(&format!("local start --trail-path {}", trail.display())).with(0);
    workspace.run("up").with(0);
    hinder(&workspace);
    let before = iam_reads(&trail);
    goes_down(&workspace);
    let reads = iam_reads(&trail) - before;
    assert!((1..=60).contains(&reads), "`down` reads IAM {reads} times");
}

#[test]
fn foreign_roles_and_an_operator_without_replicas_are_no_obstacle_to_down() {
    goes_down_among_foreign_roles(|workspace| Cluster::of(workspace).scale_to_none("keda", "keda-operator"));
}

#[test]
fn foreign_roles_and_an_operator_whose_image_is_gone_are_no_obstacle_to_down() {
    goes_down_among_foreign_roles(|workspace| {
        let cluster = Cluster::of(workspace);
        cluster.scale_to_none("keda", "keda-operator");
        let container = json!({ "op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "gone:1" });
        let replicas = json!({ "op": "replace", "path": "/spec/replicas", "value": 1 });
        cluster.patch_json("keda", "keda-operator", json!([container, replicas]));
    });
}

#[test]
fn foreign_roles_and_an_api_server_that_lets_nobody_in_are_no_obstacle_to_down() {
    goes_down_among_foreign_roles(|workspace| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let eks = aws_sdk_eks::Client::new(&runtime.block_on(aws(&access_of(workspace))));
        runtime.block_on(async {
            let entries = eks.list_access_entries().cluster_name("e2e").send().await.unwrap().access_entries.unwrap();
            assert!(!entries.is_empty());
            for entry in entries {
                eks.delete_access_entry().cluster_name("e2e").principal_arn(entry).send().await.unwrap();
            }
        });
    });
}

#[test]
fn faults_that_cannot_be_had_are_refused() {
    let workspace = Workspace::new();
    workspace.run("up --faults weather").with(2).says(&["no fault `weather`", "roles-late"]);
    workspace.run("up --faults aws:x").with(2).says(&["`x` is no seed"]);
    workspace.run("plan --target aws --faults aws").with(2).says(&["--faults has no effect"]);
    workspace.run("local start").with(0);
    workspace.run("up --faults aws:1").with(6).says(&["runs with no faults", "aws:1 was asked for"]);
    workspace.run("local stop").with(0);
}
