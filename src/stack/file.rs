//! From the tree to the stack: the keys, their types and their defaults.

use std::collections::BTreeMap;

use crate::checks::LOG_TYPES;
use crate::model::{
    ApiEndpoint, Cluster, Consumer, Ecr, Identity, Kubernetes, Local, LocalStack, Operator, Profile, Queue, Roles,
    Scaling, Selector, Stack, Worker, Workload,
};
use crate::reader::{Findings, Item, Section};
use crate::tree::Node;
use crate::version;
use crate::{ECR_REGISTRY, IMAGE_DEFAULT};

/// The consumer that `workloads` means if it names none.
const WORKLOAD: &str = "myapp";

/// Reads everything; problems of type and range are collected in `findings`.
pub(crate) fn read(findings: &mut Findings, root: Node) -> Stack {
    let mut root = Section::root(findings, root);
    let name = root.text("name", "sluice-demo");
    let region = root.text("region", "ap-northeast-1");
    let profile = root.word("profile", &[("lean", Profile::Lean), ("seed", Profile::Seed)]);
    let ecr = read_ecr(root.section("ecr"));
    let image = root.text("image", &own_image(&ecr));
    let operator = read_operator(root.section("operator"), &image);
    let mut cluster = read_cluster(root.section("cluster"), &name, profile);
    let read = |index: usize, _: &str, item: Item<'_>| read_workload(index, item.section(), &cluster.name, &image);
    let listed = root.items("workloads", read);
    if listed.as_ref().is_some_and(Vec::is_empty) {
        let next = format!("name at least one, or leave the key out for the sample consumer {WORKLOAD}");
        root.problem("workloads", "the list is empty, and a stack without a consumer scales nothing", next);
    }
    let mut workloads = listed.unwrap_or_default();
    if workloads.is_empty() {
        let mut defaults = Findings::default();
        let section = Section::root(&mut defaults, empty());
        workloads.push(read_workload(0, section, &cluster.name, &image));
        root.adopt("workloads[0]", defaults);
    }
    let kubernetes = read_kubernetes(root.section("kubernetes"));
    let local = read_local(root.section("local"));
    let localstack = read_localstack(root.section("localstack"));
    let images = root.text_map("images");
    let roles = read_roles(root.section("roles"));
    let tags = root.text_map("tags");
    root.finish();
    let mut stack = Stack {
        name,
        region,
        profile,
        cluster: cluster.clone(),
        operator,
        workloads,
        kubernetes,
        ecr,
        local,
        localstack,
        images,
        roles,
        tags,
    };
    if cluster.selectors.is_empty() {
        cluster.selectors = default_selectors(&stack);
        stack.cluster = cluster;
    }
    stack
}

fn empty() -> Node {
    Node { value: crate::tree::Value::Null, origin: crate::problem::Origin::Default }
}

fn read_operator(mut section: Section<'_>, image: &str) -> Operator {
    let operator = Operator {
        namespace: section.text("namespace", "keda"),
        service_account: section.text("serviceAccount", "keda-operator"),
        image: section.text("image", image),
        replicas: section.integer("replicas", 1, 1..=5) as u32,
    };
    section.finish();
    operator
}

fn read_cluster(mut section: Section<'_>, stack: &str, profile: Profile) -> Cluster {
    let logs = || if profile == Profile::Seed { LOG_TYPES.map(str::to_owned).to_vec() } else { Vec::new() };
    let mut cluster = Cluster {
        name: section.text("name", stack),
        version: section.text("version", version::DEFAULT),
        vpc: section.optional_text("vpc", None),
        subnets: section.texts("subnets").unwrap_or_default(),
        makes_network: section.word("network", &[("given", false), ("create", true)]),
        vpc_cidr: section.text("vpcCidr", "10.0.0.0/16"),
        logs: section.texts("logs").unwrap_or_else(logs),
        log_retention_days: section.integer("logRetention", 90, 0..=3653) as u32,
        admins: section.texts("admins").unwrap_or_default(),
        endpoint: read_endpoint(section.section("endpoint")),
        secrets_key: section.optional_text("secretsKey", None),
        fargate_profile: String::new(),
        selectors: Vec::new(),
    };
    let mut fargate = section.section("fargate");
    cluster.fargate_profile = fargate.text("profile", "default");
    cluster.selectors = fargate.items("selectors", |_, _, item| read_selector(item)).unwrap_or_default();
    fargate.finish();
    section.finish();
    cluster
}

fn read_endpoint(mut section: Section<'_>) -> ApiEndpoint {
    let endpoint = ApiEndpoint {
        public: section.switch("public", true),
        private: section.switch("private", true),
        public_access_cidrs: section.texts("publicAccessCidrs").unwrap_or_default(),
    };
    section.finish();
    endpoint
}

fn read_roles(mut section: Section<'_>) -> Roles {
    let roles = Roles {
        path: section.text("path", "/"),
        permissions_boundary: section.optional_text("permissionsBoundary", None),
    };
    section.finish();
    roles
}

fn read_selector(mut item: Item<'_>) -> Selector {
    if let Some(namespace) = item.as_text() {
        return Selector { namespace, labels: BTreeMap::default() };
    }
    let mut section = item.section();
    let selector = Selector { namespace: section.text("namespace", ""), labels: section.text_map("labels") };
    if selector.namespace.is_empty() {
        section.problem("namespace", "a selector needs a namespace", "write the namespace, or `*` for all");
    }
    section.finish();
    selector
}

/// The tutorial's four, plus one for every further namespace of a workload.
fn default_selectors(stack: &Stack) -> Vec<Selector> {
    let mut namespaces = vec!["default", "kube-system"];
    for namespace in stack.namespaces() {
        if !namespaces.contains(&namespace) {
            namespaces.push(namespace);
        }
    }
    let selector = |namespace: &str| Selector { namespace: namespace.to_owned(), labels: BTreeMap::default() };
    namespaces.into_iter().map(selector).collect()
}

fn read_workload(index: usize, mut section: Section<'_>, cluster: &str, image: &str) -> Workload {
    let name = section.text("name", if index == 0 { WORKLOAD } else { "" });
    if name.is_empty() {
        section.problem("name", "the workload has no name", "give each workload after the first a name");
    }
    let namespace = section.text("namespace", "myproject");
    let own_image = image;
    let (image, command, args) = (section.text("image", image), section.texts("command"), section.texts("args"));
    let workload = Workload {
        namespace,
        consumer: consumer(&image, own_image, command.as_deref(), args.as_deref()),
        image,
        command,
        args,
        queue: read_queue(section.section("queue"), &format!("{cluster}-{name}")),
        identity: section.word(
            "identity",
            &[("role", Identity::Role), ("operator", Identity::Operator), ("workload", Identity::Workload)],
        ),
        scaling: read_scaling(section.section("scaling")),
        worker: read_worker(section.section("worker")),
        env: section.text_map("env"),
        cpu: String::new(),
        memory: String::new(),
        name,
    };
    let mut resources = section.section("resources");
    let (cpu, memory) = (resources.quantity("cpu", "0.25"), resources.quantity("memory", "256Mi"));
    resources.finish();
    section.finish();
    Workload { cpu, memory, ..workload }
}

/// The sample is what this program's image runs as `worker`, which is what it runs if nobody says otherwise.
/// It is known by the name under which the image is packed, or by being the stack's own.
fn consumer(image: &str, own: &str, command: Option<&[String]>, args: Option<&[String]>) -> Consumer {
    let is_ours = image == own || last_part(image) == last_part(IMAGE_DEFAULT);
    let runs_worker = args.is_none_or(|args| args.first().is_some_and(|first| first == "worker"));
    if is_ours && command.is_none() && runs_worker { Consumer::Sample } else { Consumer::Own }
}

/// The repository's last part: no registry, no path, no tag, no digest.
fn last_part(image: &str) -> &str {
    let image = image.split_once('@').map_or(image, |(name, _)| name);
    let last = image.rsplit('/').next().unwrap_or(image);
    last.split_once(':').map_or(last, |(name, _)| name)
}

/// Limits: SQS's CreateQueue.
fn read_queue(mut section: Section<'_>, name: &str) -> Queue {
    let queue = Queue {
        name: section.text("name", name),
        visibility_timeout_seconds: section.integer("visibilityTimeout", 120, 0..=43_200) as u32,
        retention_seconds: section.integer("messageRetention", 345_600, 60..=1_209_600) as u32,
        delay_seconds: section.integer("delay", 0, 0..=900) as u32,
    };
    section.finish();
    queue
}

/// Bounds: KEDA's CRD (polling and maximum at least 1) and its reconciler (minimum at most maximum).
fn read_scaling(mut section: Section<'_>) -> Scaling {
    let most = i64::from(i32::MAX);
    let scaling = Scaling {
        min_replicas: section.integer("minReplicaCount", 0, 0..=most) as u32,
        max_replicas: section.integer("maxReplicaCount", 3, 1..=most) as u32,
        queue_length: section.integer("queueLength", 3, 1..=most) as u32,
        activation_queue_length: section.integer("activationQueueLength", 0, 0..=most) as u32,
        polling_interval_seconds: section.integer("pollingInterval", 30, 1..=86_400) as u32,
        cooldown_period_seconds: section.integer("cooldownPeriod", 300, 0..=86_400) as u32,
        scale_down_window_seconds: section.integer("scaleDownWindow", 300, 0..=3600) as u32,
        direct_activation: section.switch("directActivation", false),
    };
    if scaling.min_replicas > scaling.max_replicas {
        let cause = format!("{} is more than maxReplicaCount {}", scaling.min_replicas, scaling.max_replicas);
        section.problem("minReplicaCount", cause, "lower it, or raise maxReplicaCount");
    }
    section.finish();
    scaling
}

fn read_worker(mut section: Section<'_>) -> Worker {
    let worker = Worker {
        work_seconds: section.integer("workSeconds", 20, 0..=43_200) as u32,
        // SQS's long poll lasts at most 20 s.
        wait_seconds: section.integer("waitSeconds", 20, 0..=20) as u32,
        parallelism: section.integer("parallelism", 1, 1..=100) as u32,
        failure_rate: section.number("failureRate", 0.0, 0.0..=1.0),
    };
    section.finish();
    worker
}

fn read_ecr(mut section: Section<'_>) -> Ecr {
    let ecr = Ecr { repository: section.optional_text("repository", None) };
    section.finish();
    ecr
}

/// The image of a stack that names none: in its own repository, if it has one.
fn own_image(ecr: &Ecr) -> String {
    let in_repository = |name: &String| format!("{ECR_REGISTRY}/{name}:{}", env!("CARGO_PKG_VERSION"));
    ecr.repository.as_ref().map_or_else(|| IMAGE_DEFAULT.to_owned(), in_repository)
}

fn read_local(mut section: Section<'_>) -> Local {
    let local = Local { faults: section.optional_text("faults", None) };
    section.finish();
    local
}

fn read_localstack(mut section: Section<'_>) -> LocalStack {
    let localstack =
        LocalStack { endpoint: section.optional_text("endpoint", None), image: section.optional_text("image", None) };
    section.finish();
    localstack
}

fn read_kubernetes(mut section: Section<'_>) -> Kubernetes {
    let kubernetes = Kubernetes {
        context: section.optional_text("context", None),
        kubeconfig: section.optional_text("kubeconfig", None),
        endpoint_for_pods: section.optional_text("endpointForPods", None),
    };
    section.finish();
    kubernetes
}
