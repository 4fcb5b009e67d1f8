//! What is declared no longer is removed by the next `up`, and `down` then leaves nothing.

use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::{Value, json};

use crate::workspace::{Running, Workspace, wait_until};

/// A stack file with these workloads, each a name and a namespace.
fn stack(workloads: &[(&str, &str)]) -> String {
    let workload = |(name, namespace): &(&str, &str)| format!("  - name: {name}\n    namespace: {namespace}\n");
    format!("workloads:\n{}", workloads.iter().map(workload).collect::<String>())
}

/// A place whose stack is up with `orders` in `shop` and `mails` in `post`.
fn two_workloads() -> Workspace {
    let workspace = Workspace::new();
    workspace.write("stack.yaml", &stack(&[("orders", "shop"), ("mails", "post")]));
    workspace.run("up").with(0);
    workspace
}

/// Everything that the state records.
fn recorded(workspace: &Workspace) -> Vec<String> {
    let text = std::fs::read_to_string(workspace.stack_file("state.json")).unwrap();
    let state: Value = serde_json::from_str(&text).unwrap();
    state["resources"].as_object().unwrap().keys().cloned().collect()
}

/// Nothing of the workload `mails` in `post` is recorded or exists.
#[track_caller]
fn mails_are_gone(workspace: &Workspace) {
    let left: Vec<String> =
        recorded(workspace).into_iter().filter(|one| one.contains("mails") || one.contains("post")).collect();
    assert!(left.is_empty(), "recorded still: {left:#?}");
    // Found by tag and name, whatever is recorded.
    let audit = workspace.run("audit");
    assert!(!audit.stdout.contains("mails"), "{}", audit.stdout);
    // Nothing changes any more: what exists is what is declared.
    let plan = workspace.run("plan --detailed-exitcode").with(0);
    assert!(!plan.stdout.contains("destroyed"), "{}", plan.stdout);
}

/// `down` ends well within its limit, and nothing is left.
#[track_caller]
fn goes_down(workspace: &Workspace) {
    let down = workspace.run("down").with(0);
    assert!(down.stdout.contains("nothing of this stack is left"), "{}", down.stdout);
    workspace.nothing_is_left();
}

/// The stack's cluster, as anybody may look into it.
pub(crate) struct Cluster {
    runtime: tokio::runtime::Runtime,
    client: Client,
}

impl Cluster {
    pub(crate) fn of(workspace: &Workspace) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let file = Kubeconfig::read_from(workspace.stack_file("kubeconfig")).unwrap();
        let client = runtime.block_on(async {
            let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await.unwrap();
            Client::try_from(config).unwrap()
        });
        Self { runtime, client }
    }

    fn deployments(&self, namespace: &str) -> Api<Deployment> {
        Api::namespaced(self.client.clone(), namespace)
    }

    fn patch(&self, namespace: &str, name: &str, patch: Value) {
        let patch = Patch::Merge(patch);
        self.runtime.block_on(self.deployments(namespace).patch(name, &PatchParams::default(), &patch)).unwrap();
    }

    pub(crate) fn patch_json(&self, namespace: &str, name: &str, operations: Value) {
        let patch = Patch::<()>::Json(serde_json::from_value(operations).unwrap());
        self.runtime.block_on(self.deployments(namespace).patch(name, &PatchParams::default(), &patch)).unwrap();
    }

    /// Takes every pod of a Deployment away.
    #[track_caller]
    pub(crate) fn scale_to_none(&self, namespace: &str, name: &str) {
        self.patch(namespace, name, json!({ "spec": { "replicas": 0 } }));
        wait_until("no pod is left", Duration::from_mins(2), || {
            let found = self.runtime.block_on(self.deployments(namespace).get(name)).ok()?;
            let status = found.status?;
            (status.replicas.unwrap_or(0) == 0 && status.available_replicas.unwrap_or(0) == 0).then_some(())
        })
        .unwrap();
    }

    /// The whole object, as text.
    fn text(&self, (group, version, kind, plural): (&str, &str, &str, &str), namespace: &str, name: &str) -> String {
        let resource = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural);
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), namespace, &resource);
        let mut found = self.runtime.block_on(api.get(name)).unwrap();
        // The record of who wrote what names what was written before.
        found.metadata.managed_fields = None;
        serde_json::to_string(&found).unwrap()
    }
}

#[test]
fn a_dropped_workload_is_destroyed_in_the_order_that_its_finalizers_need() {
    let workspace = two_workloads();
    workspace.write("stack.yaml", &stack(&[("orders", "shop")]));
    let up = workspace.run("up").with(0);
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
    mails_are_gone(&workspace);
    goes_down(&workspace);
}

#[test]
fn a_renamed_workload_in_another_namespace_takes_the_place_of_the_old_one() {
    let workspace = two_workloads();
    workspace.write("stack.yaml", &stack(&[("orders", "shop"), ("letters", "office")]));
    workspace.run("up").with(0);
    let known = recorded(&workspace);
    for address in ["kubernetes_scaled_object.office/letters", "aws_sqs_queue.letters", "kubernetes_namespace.office"] {
        assert!(known.iter().any(|one| one == address), "{known:#?}");
    }
    mails_are_gone(&workspace);
    goes_down(&workspace);
}

#[test]
fn a_dropped_workload_is_found_by_its_labels_and_tags_where_the_state_is_lost() {
    let workspace = two_workloads();
    std::fs::remove_file(workspace.stack_file("state.json")).unwrap();
    workspace.write("stack.yaml", &stack(&[("orders", "shop")]));
    workspace.run("up").with(0);
    mails_are_gone(&workspace);
    // And by `down` alone.
    workspace.write("stack.yaml", &stack(&[("orders", "shop"), ("mails", "post")]));
    workspace.run("up").with(0);
    std::fs::remove_file(workspace.stack_file("state.json")).unwrap();
    workspace.write("stack.yaml", &stack(&[("orders", "shop")]));
    goes_down(&workspace);
}

#[test]
fn a_moved_operator_leaves_its_old_namespace() {
    let workspace = two_workloads();
    let moved = format!("{}operator:\n  namespace: scaling\n", stack(&[("orders", "shop")]));
    workspace.write("stack.yaml", &moved);
    workspace.run("up").with(0);
    let left: Vec<String> = recorded(&workspace)
        .into_iter()
        .filter(|one| one.contains(".keda/") || one == "kubernetes_namespace.keda")
        .collect();
    assert!(left.is_empty(), "{left:#?}");
    mails_are_gone(&workspace);
    goes_down(&workspace);
}

#[test]
fn a_removal_that_is_killed_in_the_middle_is_finished_by_the_next() {
    let workspace = two_workloads();
    workspace.write("stack.yaml", &stack(&[("orders", "shop")]));
    let up = Running::start(&workspace, "up");
    up.until_event("apply_start", "kubernetes_scaled_object.post/mails");
    up.kill();
    workspace.run("up").with(0);
    mails_are_gone(&workspace);
    let down = Running::start(&workspace, "down");
    down.until_event("complete", "kubernetes_deployment.keda/keda-operator");
    down.kill();
    goes_down(&workspace);
}

#[test]
fn what_waits_for_an_operator_that_is_dead_is_let_go_of_and_that_is_said() {
    let workspace = two_workloads();
    Cluster::of(&workspace).scale_to_none("keda", "keda-operator");
    let down = workspace.run("down").with(0);
    assert!(down.stdout.contains("took the finalizer finalizer.keda.sh off"), "{}", down.stdout);
    assert!(down.stdout.contains("no operator runs that would do it"), "{}", down.stdout);
    workspace.nothing_is_left();
}

#[test]
fn a_key_that_is_taken_out_of_the_file_leaves_nothing_behind() {
    let workspace = Workspace::new();
    let whole = "cluster:\n  logs: [api]\nworkloads:\n  - name: orders\n    env: { COLOUR: red, SIZE: big }\n    scaling: { activationQueueLength: 5 }\n";
    workspace.write("stack.yaml", whole);
    workspace.run("up").with(0);
    workspace.write("stack.yaml", "workloads:\n  - name: orders\n    env: { SIZE: big }\n    identity: operator\n");
    let plan = workspace.run("plan --full").with(0);
    for part in [r#"enabled_log_types: ["api"] -> []"#, "metadata.activationQueueLength", "spec.podIdentity.roleArn"] {
        assert!(plan.stdout.contains(part), "{part} is not in the plan:\n{}", plan.stdout);
    }
    workspace.run("up").with(0);
    let cluster = Cluster::of(&workspace);
    let deployment = cluster.text(("apps", "v1", "Deployment", "deployments"), "myproject", "orders");
    assert!(deployment.contains("SIZE") && !deployment.contains("COLOUR"), "{deployment}");
    let scaled = cluster.text(("keda.sh", "v1alpha1", "ScaledObject", "scaledobjects"), "myproject", "orders");
    assert!(!scaled.contains("activationQueueLength"), "{scaled}");
    workspace.run("plan --detailed-exitcode").with(0);
    goes_down(&workspace);
}

#[test]
fn what_is_called_otherwise_replaces_what_it_was_called_before() {
    let workspace = Workspace::new();
    workspace.write("stack.yaml", "workloads:\n  - name: orders\n    queue: { name: paper }\n");
    workspace.run("up --set cluster.name=before").with(0);
    workspace.write("stack.yaml", "workloads:\n  - name: orders\n    queue: { name: glass }\n");
    workspace.run("up --set cluster.name=after").with(0);
    let audit = workspace.run("audit --set cluster.name=after");
    assert!(audit.stdout.contains("glass") && audit.stdout.contains("aws_eks_cluster.after"), "{}", audit.stdout);
    assert!(!audit.stdout.contains("paper") && !audit.stdout.contains("before"), "{}", audit.stdout);
    workspace.run("plan --detailed-exitcode --set cluster.name=after").with(0);
    // Found by its tag although nothing of the stack is called so.
    std::fs::remove_file(workspace.stack_file("state.json")).unwrap();
    workspace.write("stack.yaml", "workloads:\n  - name: orders\n");
    let down = workspace.run("down --set cluster.name=after").with(0);
    assert!(down.stdout.contains("aws_sqs_queue.glass: destroyed"), "{}", down.stdout);
    workspace.nothing_is_left();
}

/// In which order these were destroyed, by where `text` says so.
#[track_caller]
fn destroyed_in_order(text: &str, addresses: &[&str]) {
    let at = |address: &&str| {
        let line = format!("{address}: destroyed");
        text.find(&line).unwrap_or_else(|| panic!("{line} is not said:\n{text}"))
    };
    assert!(addresses.iter().map(at).is_sorted(), "{addresses:?}:\n{text}");
}

/// Whatever has its identity from the name of something that was renamed and is in no record any more.
#[test]
fn what_lives_in_a_cluster_of_an_older_name_is_found_without_a_record() {
    let workspace = Workspace::new();
    let before =
        "cluster: { name: before, fargate: { profile: pods } }\nworkloads: [{ name: orders }, { name: mails }]\n";
    let after = "cluster: { name: after }\nworkloads: [{ name: orders }]\n";
    let children = ["aws_eks_addon.before/coredns", "aws_eks_fargate_profile.before/pods", "aws_eks_cluster.before"];
    let roles = ["cluster", "fargate", "keda-operator", "sqs-scaler", "orders", "mails"]
        .map(|role| format!("aws_iam_role.before-{role}"));
    for then_up in [true, false] {
        workspace.write("stack.yaml", before);
        workspace.run("up").with(0);
        std::fs::remove_file(workspace.stack_file("state.json")).unwrap();
        workspace.write("stack.yaml", after);
        let words = if then_up { "plan" } else { "plan --destroy" };
        let plan = workspace.run(words).with(0);
        let mut all: Vec<&str> = children.to_vec();
        all.extend(roles.iter().map(String::as_str));
        all.extend(["aws_sqs_queue.before-orders", "aws_sqs_queue.before-mails"]);
        for address in all {
            assert!(plan.stdout.contains(&format!("- {address} will be destroyed")), "{address}:\n{}", plan.stdout);
        }
        // There is one for each issuer, found by its tag wherever the issuer is.
        assert!(plan.stdout.contains("aws_iam_openid_connect_provider.this "), "{}", plan.stdout);
        let done = workspace.run(if then_up { "up" } else { "down" }).with(0);
        destroyed_in_order(&done.stdout, &children);
        for role in ["aws_iam_role.before-cluster", "aws_iam_role.before-fargate"] {
            destroyed_in_order(&done.stdout, &[children[1], role]);
        }
        destroyed_in_order(&done.stdout, &[children[2], "aws_iam_role.before-cluster"]);
        if then_up {
            let audit = workspace.run("audit");
            assert!(
                !audit.stdout.contains("before") && audit.stdout.contains("aws_eks_cluster.after"),
                "{}",
                audit.stdout
            );
            workspace.run("plan --detailed-exitcode").with(0);
            goes_down(&workspace);
        } else {
            assert!(done.stdout.contains("nothing of this stack is left"), "{}", done.stdout);
            workspace.nothing_is_left();
        }
    }
}

#[test]
fn what_lives_in_the_cluster_and_is_called_otherwise_now_is_found_without_a_record() {
    let workspace = Workspace::new();
    workspace.write("stack.yaml", "cluster: { fargate: { profile: pods } }\n");
    workspace.run("up").with(0);
    std::fs::remove_file(workspace.stack_file("state.json")).unwrap();
    workspace.write("stack.yaml", "cluster: { fargate: { profile: other } }\n");
    let up = workspace.run("up").with(0);
    destroyed_in_order(&up.stdout, &["aws_eks_fargate_profile.e2e/pods"]);
    assert!(!up.stdout.contains("aws_eks_cluster.this: destroyed"), "{}", up.stdout);
    workspace.run("plan --detailed-exitcode").with(0);
    goes_down(&workspace);
}
