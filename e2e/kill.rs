//! `kill -9`, anywhere: the next run finds what there is and removes it.

use crate::workspace::{Running, Workspace, kill};

/// Kills `up` when `event` about `address` has come, then takes down, and nothing is left.
#[track_caller]
fn killed_at(event: &str, address: &str) -> Workspace {
    let workspace = Workspace::new();
    let up = Running::start(&workspace, "up");
    up.until_event(event, address);
    up.kill();
    // Otherwise there was nothing to repair.
    assert!(workspace.stack_file("state.json").exists() && workspace.stack_file("local.json").exists());
    workspace
}

/// `down` ends well, says that nothing is left, and that is so.
#[track_caller]
fn goes_down(workspace: &Workspace) {
    let down = workspace.run("down").with(0);
    assert!(down.stdout.contains("nothing of this stack is left"), "{}", down.stdout);
    workspace.nothing_is_left();
}

#[test]
fn up_killed_at_its_first_step_is_removed() {
    goes_down(&killed_at("apply_start", "aws_iam_role.cluster"));
}

#[test]
fn up_killed_while_the_cluster_is_being_made_is_removed() {
    goes_down(&killed_at("apply_start", "aws_eks_cluster.this"));
}

#[test]
fn up_killed_right_after_the_cluster_was_made_is_removed() {
    goes_down(&killed_at("complete", "aws_eks_cluster.this"));
}

#[test]
fn up_killed_in_the_middle_of_the_cluster_s_objects_is_removed() {
    goes_down(&killed_at("complete", "kubernetes_namespace.myproject"));
}

#[test]
fn up_killed_while_pods_start_is_removed() {
    goes_down(&killed_at("apply_start", "kubernetes_deployment.keda/keda-operator"));
}

#[test]
fn what_a_killed_up_has_made_is_found_without_the_state_file() {
    let workspace = killed_at("complete", "aws_sqs_queue.myapp");
    std::fs::remove_file(workspace.stack_file("state.json")).unwrap();
    let down = workspace.run("down").with(0);
    assert!(down.stdout.contains("aws_sqs_queue"), "the queue was not found by its tag: {}", down.stdout);
    workspace.nothing_is_left();
}

#[test]
fn what_nobody_declares_or_records_any_more_is_found_by_its_tag() {
    let workspace = Workspace::new();
    workspace.write("stack.yaml", "workloads: [{ name: forgotten }]\n");
    let up = Running::start(&workspace, "up");
    up.until_event("complete", "aws_sqs_queue.forgotten");
    up.kill();
    std::fs::remove_file(workspace.stack_file("state.json")).unwrap();
    std::fs::remove_file(workspace.path().join("stack.yaml")).unwrap();
    let down = workspace.run("down").with(0);
    assert!(down.stdout.contains("e2e-forgotten"), "{}", down.stdout);
    workspace.nothing_is_left();
}

#[test]
fn a_killed_up_is_finished_by_the_next_plan_and_not_begun_anew() {
    let workspace = killed_at("complete", "aws_eks_cluster.this");
    let plan = workspace.run("plan").with(0);
    for made in ["aws_eks_cluster.this", "aws_iam_role.cluster", "aws_iam_role_policy_attachment.cluster"] {
        assert!(!plan.stdout.contains(&format!("{made} ")), "{made} is planned again:\n{}", plan.stdout);
    }
    assert!(plan.stdout.contains("+ kubernetes_namespace.keda will be created"), "{}", plan.stdout);
    goes_down(&workspace);
}

#[test]
fn a_killed_local_cloud_leaves_no_process_and_down_clears_its_record() {
    let workspace = Workspace::new();
    let up = Running::start(&workspace, "up");
    // From here on a pod's process is started.
    up.until_event("complete", "kubernetes_deployment.myproject/myapp");
    up.kill();
    let record = std::fs::read_to_string(workspace.stack_file("local.json")).unwrap();
    let record: serde_json::Value = serde_json::from_str(&record).unwrap();
    kill(u32::try_from(record["pid"].as_u64().unwrap()).unwrap());
    workspace.nothing_runs();
    let status = workspace.run("status").with(0);
    assert!(status.stdout.contains("Local cloud   not running"), "{}", status.stdout);
    assert!(status.stdout.contains("`sluice down` clears the record"), "{}", status.stdout);
    goes_down(&workspace);
}

#[test]
fn a_local_cloud_killed_under_a_running_up_ends_it_with_an_error_and_down_clears() {
    let workspace = Workspace::new();
    let up = Running::start(&workspace, "up");
    up.until_event("complete", "kubernetes_namespace.keda");
    let record = std::fs::read_to_string(workspace.stack_file("local.json")).unwrap();
    let record: serde_json::Value = serde_json::from_str(&record).unwrap();
    kill(u32::try_from(record["pid"].as_u64().unwrap()).unwrap());
    let wrong = up.until("a diagnostic", |event| event["type"] == "diagnostic");
    assert_eq!(wrong["exit_code"], 1, "{wrong}");
    drop(up);
    goes_down(&workspace);
}
