//! What is declared no longer is removed by the next `up`, and `down` then leaves nothing.

use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use kube::api::{Api, Patch, PatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::{Value, json};

use crate::place::{Place, Running, wait_until};

/// A stack file with these workloads, each a name and a namespace.
fn stack(workloads: &[(&str, &str)]) -> String {
    let workload = |(name, namespace): &(&str, &str)| format!("  - name: {name}\n    namespace: {namespace}\n");
    format!("workloads:\n{}", workloads.iter().map(workload).collect::<String>())
}

/// A place whose stack is up with `orders` in `shop` and `mails` in `post`.
fn two_workloads() -> Place {
    let place = Place::new();
    place.write("stack.yaml", &stack(&[("orders", "shop"), ("mails", "post")]));
    place.run("up").with(0);
    place
}

/// Everything that the state records.
fn recorded(place: &Place) -> Vec<String> {
    let text = std::fs::read_to_string(place.stack_file("state.json")).unwrap();
    let state: Value = serde_json::from_str(&text).unwrap();
    state["resources"].as_object().unwrap().keys().cloned().collect()
}

/// Nothing of the workload `mails` in `post` is recorded or exists.
#[track_caller]
fn mails_are_gone(place: &Place) {
    let left: Vec<String> =
        recorded(place).into_iter().filter(|one| one.contains("mails") || one.contains("post")).collect();
    assert!(left.is_empty(), "recorded still: {left:#?}");
    // Found by tag and name, whatever is recorded.
    let audit = place.run("audit");
    assert!(!audit.stdout.contains("mails"), "{}", audit.stdout);
    // Nothing changes any more: what exists is what is declared.
    let plan = place.run("plan --detailed-exitcode").with(0);
    assert!(!plan.stdout.contains("destroyed"), "{}", plan.stdout);
}

/// `down` ends well within its limit, and nothing is left.
#[track_caller]
fn goes_down(place: &Place) {
    let down = place.run("down").with(0);
    assert!(down.stdout.contains("nothing of this stack is left"), "{}", down.stdout);
    place.nothing_is_left();
}

/// Takes every pod of a Deployment away, as anybody may.
#[track_caller]
fn scaled_to_none(place: &Place, namespace: &str, name: &str) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let file = Kubeconfig::read_from(place.stack_file("kubeconfig")).unwrap();
    let deployments: Api<Deployment> = runtime.block_on(async {
        let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await.unwrap();
        Api::namespaced(Client::try_from(config).unwrap(), namespace)
    });
    let none = Patch::Merge(json!({ "spec": { "replicas": 0 } }));
    runtime.block_on(deployments.patch(name, &PatchParams::default(), &none)).unwrap();
    wait_until("no pod is left", Duration::from_mins(2), || {
        let found = runtime.block_on(deployments.get(name)).ok()?;
        let status = found.status?;
        (status.replicas.unwrap_or(0) == 0 && status.available_replicas.unwrap_or(0) == 0).then_some(())
    })
    .unwrap();
}

#[test]
fn a_dropped_workload_is_destroyed_in_the_order_that_its_finalizers_need() {
    let place = two_workloads();
    place.write("stack.yaml", &stack(&[("orders", "shop")]));
    let up = place.run("up").with(0);
    assert!(!up.stderr.contains("left alone"), "{}", up.stderr);
    for address in [
        "kubernetes_scaled_object.post/mails",
        "kubernetes_trigger_authentication.post/mails",
        "kubernetes_deployment.post/mails",
        "kubernetes_service_account.post/mails",
        "kubernetes_namespace.post",
        "aws_sqs_queue.mails",
        "aws_iam_role.mails",
    ] {
        assert!(up.stdout.contains(&format!("{address} will be destroyed (it is no longer declared)")), "{address}");
        assert!(up.stdout.contains(&format!("{address}: destroyed")), "{address}");
    }
    // Whoever takes the finalizer off was there to do it.
    assert!(!up.stdout.contains("took the finalizer"), "{}", up.stdout);
    mails_are_gone(&place);
    goes_down(&place);
}

#[test]
fn a_renamed_workload_in_another_namespace_takes_the_place_of_the_old_one() {
    let place = two_workloads();
    place.write("stack.yaml", &stack(&[("orders", "shop"), ("letters", "office")]));
    place.run("up").with(0);
    let known = recorded(&place);
    for address in ["kubernetes_scaled_object.office/letters", "aws_sqs_queue.letters", "kubernetes_namespace.office"] {
        assert!(known.iter().any(|one| one == address), "{known:#?}");
    }
    mails_are_gone(&place);
    goes_down(&place);
}

#[test]
fn a_dropped_workload_is_found_by_its_labels_and_tags_where_the_state_is_lost() {
    let place = two_workloads();
    std::fs::remove_file(place.stack_file("state.json")).unwrap();
    place.write("stack.yaml", &stack(&[("orders", "shop")]));
    place.run("up").with(0);
    mails_are_gone(&place);
    // And by `down` alone.
    place.write("stack.yaml", &stack(&[("orders", "shop"), ("mails", "post")]));
    place.run("up").with(0);
    std::fs::remove_file(place.stack_file("state.json")).unwrap();
    place.write("stack.yaml", &stack(&[("orders", "shop")]));
    goes_down(&place);
}

#[test]
fn a_moved_operator_leaves_its_old_namespace() {
    let place = two_workloads();
    let moved = format!("{}operator:\n  namespace: scaling\n", stack(&[("orders", "shop")]));
    place.write("stack.yaml", &moved);
    place.run("up").with(0);
    let left: Vec<String> = recorded(&place)
        .into_iter()
        .filter(|one| one.contains(".keda/") || one == "kubernetes_namespace.keda")
        .collect();
    assert!(left.is_empty(), "{left:#?}");
    mails_are_gone(&place);
    goes_down(&place);
}

#[test]
fn a_removal_that_is_killed_in_the_middle_is_finished_by_the_next() {
    let place = two_workloads();
    place.write("stack.yaml", &stack(&[("orders", "shop")]));
    let up = Running::start(&place, "up");
    up.until_event("apply_start", "kubernetes_scaled_object.post/mails");
    up.kill();
    place.run("up").with(0);
    mails_are_gone(&place);
    let down = Running::start(&place, "down");
    down.until_event("complete", "kubernetes_deployment.keda/keda-operator");
    down.kill();
    goes_down(&place);
}

#[test]
fn what_waits_for_an_operator_that_is_dead_is_let_go_of_and_that_is_said() {
    let place = two_workloads();
    scaled_to_none(&place, "keda", "keda-operator");
    let down = place.run("down").with(0);
    assert!(down.stdout.contains("took the finalizer finalizer.keda.sh off"), "{}", down.stdout);
    assert!(down.stdout.contains("no operator runs that would do it"), "{}", down.stdout);
    place.nothing_is_left();
}
