//! What is not the stack's stays: in a cluster of the user's own, and in a namespace that a stack no longer declares.

use std::path::PathBuf;
use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams, PostParams};
use serde_json::{Value, json};

use crate::scenarios::clients::{Clients, aws};
use crate::scenarios::stage::access_of;
use crate::workspace::{Workspace, wait_until};

const LIMIT: Duration = Duration::from_mins(2);

/// A cluster that was there before any stack, on a local cloud of its own; made as any user would make it.
struct Yours {
    /// Ends it when dropped.
    _place: Workspace,
    kubeconfig: PathBuf,
    clients: Clients,
}

impl Yours {
    fn new() -> Self {
        let workspace = Workspace::new();
        workspace.run("local start").with(0);
        let access = access_of(&workspace);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let config = aws(&access).await;
            let (iam, eks) = (aws_sdk_iam::Client::new(&config), aws_sdk_eks::Client::new(&config));
            let role = |name: &'static str, service: &str| {
                let statement =
                    json!({ "Effect": "Allow", "Principal": { "Service": service }, "Action": "sts:AssumeRole" });
                let document = json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string();
                let call = iam.create_role().role_name(name).assume_role_policy_document(document);
                async move { call.send().await.unwrap().role.unwrap().arn }
            };
            let network =
                aws_sdk_eks::types::VpcConfigRequest::builder().subnet_ids("subnet-a").subnet_ids("subnet-b").build();
            // Tagged only so that `sluice kubeconfig` finds it.
            let call = eks.create_cluster().name("e2e").role_arn(role("control", "eks.amazonaws.com").await);
            call.resources_vpc_config(network).tags("sluice:stack", "e2e").send().await.unwrap();
            settled(async || {
                eks.describe_cluster().name("e2e").send().await.unwrap().cluster.unwrap().status.unwrap()
                    == "ACTIVE".into()
            })
            .await;
            let mut call = eks.create_fargate_profile().cluster_name("e2e").fargate_profile_name("pods");
            for namespace in ["default", "kube-system", "keda", "myproject", "theirs"] {
                let selector = aws_sdk_eks::types::FargateProfileSelector::builder().namespace(namespace).build();
                call = call.selectors(selector);
            }
            call.pod_execution_role_arn(role("pods", "eks-fargate-pods.amazonaws.com").await).send().await.unwrap();
        });
        let kubeconfig = workspace.path().join("kubeconfig");
        std::fs::write(&kubeconfig, workspace.run("kubeconfig").with(0).stdout).unwrap();
        let clients = Clients::new(&kubeconfig, None, &access);
        Self { _place: workspace, kubeconfig, clients }
    }

    /// A folder with a stack that is up.
    fn workspace(&self) -> Workspace {
        let workspace = Workspace::with(vec![("KUBECONFIG".to_owned(), self.kubeconfig.clone().into())]);
        start_aws(&workspace);
        workspace
    }
}

/// The stack's own local AWS, at a port of its own each time: `down` ends it.
fn start_aws(workspace: &Workspace) {
    workspace.run("local start --time-scale 1").with(0);
    // The pods are processes of this machine, which see its loopback.
    let endpoint = access_of(workspace).endpoint;
    workspace.write("stack.yaml", &format!("kubernetes: {{ context: e2e, endpointForPods: {endpoint:?} }}\n"));
}

/// Waits until `holds`; the API notifies nobody.
async fn settled(holds: impl AsyncFn() -> bool) {
    while !holds().await {
        tokio::task::yield_now().await;
    }
}

/// An object that is not the stack's.
fn make(clients: &Clients, (group, version, kind, plural): (&str, &str, &str, &str), object: &Value) {
    let resource = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural);
    let namespace = object["metadata"]["namespace"].as_str();
    let kube = clients.kube.clone();
    let api: Api<DynamicObject> = match namespace {
        Some(namespace) => Api::namespaced_with(kube, namespace, &resource),
        None => Api::all_with(kube, &resource),
    };
    let object: DynamicObject = serde_json::from_value(object.clone()).unwrap();
    clients.ask(api.create(&PostParams::default(), &object)).unwrap();
}

const SCALED_OBJECTS: (&str, &str, &str, &str) = ("keda.sh", "v1alpha1", "ScaledObject", "scaledobjects");

fn scaled_objects(clients: &Clients) -> Api<DynamicObject> {
    let (group, version, kind, plural) = SCALED_OBJECTS;
    let resource = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural);
    Api::namespaced_with(clients.kube.clone(), "theirs", &resource)
}

/// The user's notes in the stack's namespace, and a ScaledObject of theirs in their own, taken up by the stack's operator.
fn settle_in(clients: &Clients) {
    let notes = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "notes", "namespace": "myproject" }, "data": { "a": "b" } });
    make(clients, ("", "v1", "ConfigMap", "configmaps"), &notes);
    let namespaces: Api<Namespace> = Api::all(clients.kube.clone());
    if clients.ask(namespaces.get_opt("theirs")).unwrap().is_none() {
        let own = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "theirs" } });
        make(clients, ("", "v1", "Namespace", "namespaces"), &own);
        let deployment = json!({ "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "web", "namespace": "theirs" },
            "spec": { "replicas": 0, "selector": { "matchLabels": { "app": "web" } }, "template": {
                "metadata": { "labels": { "app": "web" } }, "spec": { "containers": [{ "name": "web", "image": "sluice" }] } } } });
        make(clients, ("apps", "v1", "Deployment", "deployments"), &deployment);
    }
    let scaled = json!({ "apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "metadata": { "name": "web", "namespace": "theirs" },
        "spec": { "scaleTargetRef": { "name": "web" }, "minReplicaCount": 0, "triggers": [{ "type": "aws-sqs-queue", "metadata": {
            "queueURL": "http://127.0.0.1:1/000000000000/none", "queueLength": "5", "awsRegion": "eu-west-1" } }] } });
    make(clients, SCALED_OBJECTS, &scaled);
    wait_until("the operator has taken it up", LIMIT, || {
        let live = clients.ask(scaled_objects(clients).get("web")).ok()?;
        live.metadata.finalizers.is_some_and(|all| all.iter().any(|one| one == "finalizer.keda.sh")).then_some(())
    })
    .unwrap();
}

/// Everything that carries the stack's labels, of the kinds that may hold others.
fn labelled(clients: &Clients) -> Vec<String> {
    let ours = ListParams::default().labels("sluice.dev/stack=e2e");
    let namespaces: Api<Namespace> = Api::all(clients.kube.clone());
    let definitions: Api<CustomResourceDefinition> = Api::all(clients.kube.clone());
    let namespaces =
        clients.ask(namespaces.list(&ours)).unwrap().items.into_iter().map(|one| one.metadata.name.unwrap());
    let definitions =
        clients.ask(definitions.list(&ours)).unwrap().items.into_iter().map(|one| one.metadata.name.unwrap());
    namespaces.chain(definitions).collect()
}

#[test]
fn down_keeps_what_others_have_in_a_cluster_of_theirs_until_it_is_gone_or_given_up() {
    let yours = Yours::new();
    let clients = &yours.clients;
    let workspace = yours.workspace();
    workspace.run("up").with(0);
    settle_in(clients);
    let notes: Api<ConfigMap> = Api::namespaced(clients.kube.clone(), "myproject");
    let kept = [
        ("kubernetes_namespace.myproject", "ConfigMap myproject/notes"),
        ("kubernetes_custom_resource_definition.scaledobjects.keda.sh", "ScaledObject theirs/web"),
    ];
    let plan = workspace.run("plan --destroy").with(0);
    for (address, holds) in kept {
        assert!(plan.stdout.contains(&format!("{address} is kept")) && plan.stdout.contains(holds), "{}", plan.stdout);
    }
    assert!(plan.stdout.contains("- kubernetes_namespace.keda will be destroyed"), "{}", plan.stdout);
    for time in ["once", "twice"] {
        let down = workspace.run("down").with(0);
        assert!(down.stdout.contains("nothing of this stack is left but what is kept"), "{time}: {}", down.stdout);
        for (address, holds) in kept {
            let line = format!("{address} is kept, it holds what is not this stack's: {holds}");
            assert!(down.stdout.contains(&line), "{time}: {line}:\n{}", down.stdout);
        }
        let audit = workspace.run("audit").with(0);
        assert!(audit.stdout.contains("--remove-foreign"), "{}", audit.stdout);
        assert_eq!(labelled(clients), ["myproject", "scaledobjects.keda.sh"], "{time}");
        assert_eq!(clients.ask(notes.get("notes")).unwrap().data.unwrap()["a"], "b");
        // Nobody would take the finalizer off.
        let theirs = clients.ask(scaled_objects(clients).get("web")).unwrap();
        assert_eq!(theirs.metadata.finalizers.unwrap_or_default(), Vec::<String>::new(), "{time}");
    }
    // The stack comes back over what was kept, and its operator takes theirs up again.
    start_aws(&workspace);
    workspace.run("up").with(0);
    workspace.run("down").with(0);
    clients.ask(notes.delete("notes", &DeleteParams::default())).unwrap();
    clients.ask(scaled_objects(clients).delete("web", &DeleteParams::default())).unwrap();
    let down = workspace.run("down").with(0);
    assert!(down.stdout.contains("nothing of this stack is left ("), "{}", down.stdout);
    assert_eq!(labelled(clients), Vec::<String>::new());
    // Given up, it goes with the stack.
    start_aws(&workspace);
    workspace.run("up").with(0);
    settle_in(clients);
    let plan = workspace.run("plan --destroy --remove-foreign").with(0);
    for (address, holds) in kept {
        assert!(plan.stdout.contains(&format!("- {address} will be destroyed")), "{}", plan.stdout);
        assert!(plan.stdout.contains(holds), "{}", plan.stdout);
    }
    let down = workspace.run("down --remove-foreign").with(0);
    assert!(down.stdout.contains("nothing of this stack is left ("), "{}", down.stdout);
    assert_eq!(labelled(clients), Vec::<String>::new());
    // Their own namespace was never in question.
    let namespaces: Api<Namespace> = Api::all(clients.kube.clone());
    assert!(clients.ask(namespaces.get_opt("theirs")).unwrap().is_some());
}

#[test]
fn a_keda_that_was_there_is_left_alone_by_up_and_down() {
    let yours = Yours::new();
    let clients = &yours.clients;
    let workspace = yours.workspace();
    let definition = json!({ "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": { "name": "scaledobjects.keda.sh", "labels": { "app.kubernetes.io/managed-by": "Helm" } },
        "spec": { "group": "keda.sh", "scope": "Namespaced", "names": { "plural": "scaledobjects", "kind": "ScaledObject" },
            "versions": [{ "name": "v1alpha1", "served": true, "storage": true,
                "schema": { "openAPIV3Schema": { "type": "object", "x-kubernetes-preserve-unknown-fields": true } } }] } });
    make(clients, ("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions"), &definition);
    let own = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "theirs" } });
    make(clients, ("", "v1", "Namespace", "namespaces"), &own);
    let scaled = json!({ "apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject",
        "metadata": { "name": "web", "namespace": "theirs" }, "spec": {} });
    make(clients, SCALED_OBJECTS, &scaled);
    let up = workspace.run("up");
    assert_eq!(up.code, Some(1), "{}{}", up.stdout, up.stderr);
    assert!(up.stderr.contains("scaledobjects.keda.sh exists and is not ours"), "{}", up.stderr);
    let down = workspace.run("down").with(0);
    assert!(down.stdout.contains("left alone"), "{}", down.stdout);
    assert!(clients.ask(scaled_objects(clients).get_opt("web")).unwrap().is_some());
    assert_eq!(labelled(clients), Vec::<String>::new());
}

#[test]
fn up_keeps_a_namespace_that_is_no_longer_declared_while_others_are_in_it() {
    let workspace = Workspace::new();
    let both = "workloads: [{ name: orders, namespace: shop }, { name: mails, namespace: post }]\n";
    workspace.write("stack.yaml", both);
    workspace.run("up").with(0);
    let clients = Clients::new(&workspace.stack_file("kubeconfig"), None, &access_of(&workspace));
    let notes =
        json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "notes", "namespace": "post" } });
    make(&clients, ("", "v1", "ConfigMap", "configmaps"), &notes);
    workspace.write("stack.yaml", "workloads: [{ name: orders, namespace: shop }]\n");
    for time in ["once", "twice"] {
        let up = workspace.run("up").with(0);
        assert!(up.stdout.contains("kubernetes_namespace.post is kept"), "{time}: {}", up.stdout);
        assert!(up.stdout.contains("ConfigMap post/notes"), "{time}: {}", up.stdout);
    }
    let api: Api<ConfigMap> = Api::namespaced(clients.kube.clone(), "post");
    clients.ask(api.delete("notes", &DeleteParams::default())).unwrap();
    let up = workspace.run("up").with(0);
    assert!(up.stdout.contains("kubernetes_namespace.post: destroyed"), "{}", up.stdout);
    workspace.run("plan --detailed-exitcode").with(0);
    // What is in a cluster of the stack's own goes with it.
    make(
        &clients,
        ("", "v1", "ConfigMap", "configmaps"),
        &json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "notes", "namespace": "shop" } }),
    );
    workspace.run("down").with(0);
    workspace.nothing_is_left();
}

/// A namespace that was deleted by hand ends only when every API of the cluster is served or gone: the stack's own, whose operator
/// was in there, and those of others.
#[test]
fn up_says_what_keeps_the_operators_namespace_from_ending_and_makes_it_anew_once_it_can() {
    let workspace = Workspace::new();
    workspace.run("up").with(0);
    let clients = Clients::new(&workspace.stack_file("kubeconfig"), None, &access_of(&workspace));
    let namespaces: Api<Namespace> = Api::all(clients.kube.clone());
    let delete = || {
        clients.ask(namespaces.delete("keda", &DeleteParams::default())).unwrap();
        wait_until("the namespace is held", LIMIT, || {
            let live = clients.ask(namespaces.get_opt("keda")).unwrap()?;
            let mut conditions = live.status?.conditions.unwrap_or_default().into_iter();
            let is_held = conditions.any(|one| one.type_ == DISCOVERY && one.status == "True");
            is_held.then_some(())
        })
        .unwrap();
    };
    // Only the stack's own API service: it goes, and comes again.
    delete();
    let up = workspace.run("up").with(0);
    assert!(up.stdout.contains("removed APIService v1beta1.external.metrics.k8s.io"), "{}", up.stdout);
    workspace.run("plan --detailed-exitcode").with(0);
    // One of somebody else's as well.
    let kind = ("apiregistration.k8s.io", "v1", "APIService", "apiservices");
    let service = json!({ "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": { "name": "v1.away.example.com" },
        "spec": { "group": "away.example.com", "version": "v1", "groupPriorityMinimum": 100, "versionPriority": 10,
            "insecureSkipTLSVerify": true, "service": { "name": "nobody", "namespace": "default" } } });
    make(&clients, kind, &service);
    delete();
    let status = workspace.run("status").with(0);
    for part in ["Namespace     keda: it is being deleted", DISCOVERY, "kubectl get apiservices"] {
        assert!(status.stdout.contains(part), "status lacks {part}: {}", status.stdout);
    }
    let up = workspace.run("up").with(1);
    for part in ["waiting for its end", DISCOVERY, "away.example.com/v1"] {
        assert!(up.stdout.contains(part), "up lacks {part}: {}", up.stdout);
    }
    for part in ["error: kubernetes_namespace.keda", "away.example.com/v1", "kubectl get apiservices", "sluice up"] {
        assert!(up.stderr.contains(part), "the error lacks {part}: {}", up.stderr);
    }
    only_own_lines(&up.stderr);
    let resource = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(kind.0, kind.1, kind.2), kind.3);
    let services: Api<DynamicObject> = Api::all_with(clients.kube.clone(), &resource);
    clients.ask(services.delete("v1.away.example.com", &DeleteParams::default())).unwrap();
    workspace.run("up").with(0);
    workspace.run("down").with(0);
    workspace.nothing_is_left();
}

const DISCOVERY: &str = "NamespaceDeletionDiscoveryFailure";

/// Diagnostics and waits of the program, no line of a library's, and no colour where nobody sees one.
#[track_caller]
pub(crate) fn only_own_lines(stderr: &str) {
    let is_own = |line: &str| {
        ["error: ", "warning: ", "interrupted: ", "  "].iter().any(|begin| line.starts_with(begin))
            || line.contains("... [")
    };
    let others: Vec<&str> = stderr.lines().filter(|line| !is_own(line) || line.contains('\u{1b}')).collect();
    assert!(others.is_empty(), "{others:#?}");
}
