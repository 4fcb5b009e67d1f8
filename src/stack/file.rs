//! From the tree to the stack: the keys, their types and their defaults.

mod triggers;
mod workload;

use std::collections::BTreeMap;

use crate::checks::LOG_TYPES;
use crate::model::{
    ApiEndpoint, Cluster, Ecr, Kubernetes, Local, LocalStack, Operator, Profile, Roles, Selector, Stack,
};
use crate::version;
use crate::{ECR_REGISTRY, IMAGE_DEFAULT};
use yaml::Node;
use yaml::{Findings, Item, Section};

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
    let read = |index: usize, _: &str, item: Item<'_>| workload::read(index, item.section(), &cluster.name, &image);
    let listed = root.items("workloads", read);
    if listed.as_ref().is_some_and(Vec::is_empty) {
        let next = format!("name at least one, or leave the key out for the sample consumer {}", workload::DEFAULT);
        root.problem("workloads", "the list is empty, and a stack without a consumer scales nothing", next);
    }
    let mut workloads = listed.unwrap_or_default();
    if workloads.is_empty() {
        let mut defaults = Findings::default();
        let section = Section::root(&mut defaults, empty());
        workloads.push(workload::read(0, section, &cluster.name, &image));
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
    Node { value: yaml::Value::Null, origin: yaml::Origin::Default }
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
