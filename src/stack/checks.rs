//! The rules that a stack must obey beyond types: names, versions, and what hangs together.

mod aws;
mod network;
mod triggers;

use jiff::civil::Date;
use regex::Regex;

use crate::ECR_REGISTRY;
use crate::model::{Consumer, Queue, Stack, Workload};
use crate::region::{self, Region};
use crate::version::{self, Support};
use yaml::Findings;

/// IAM's limit for the name of a role.
const ROLE_NAME_MAX: usize = 64;
/// EKS's limit for the name of a cluster.
const CLUSTER_NAME_MAX: usize = 100;
/// EKS's limit for selectors of one Fargate profile.
const SELECTORS_MAX: usize = 5;
/// SQS's limit for the name of a queue.
const QUEUE_NAME_MAX: usize = 80;
/// Namespaces that every cluster has from its first moment on (Kubernetes, "Initial namespaces").
const NAMESPACES_OF_KUBERNETES: [&str; 4] = ["default", "kube-system", "kube-public", "kube-node-lease"];
/// The ServiceAccount that every namespace is given.
const SERVICE_ACCOUNT_OF_KUBERNETES: &str = "default";
/// Log types of an EKS control plane.
pub(crate) const LOG_TYPES: [&str; 5] = ["api", "audit", "authenticator", "controllerManager", "scheduler"];

/// Checks everything; problems and warnings are collected in `findings`.
pub(crate) fn check(findings: &mut Findings, stack: &Stack, today: Date) {
    check_names(findings, stack);
    check_region(findings, &stack.region);
    check_version(findings, &stack.cluster.version, today);
    check_network(findings, stack);
    check_selectors(findings, stack);
    check_admins(findings, &stack.cluster.admins);
    aws::check(findings, stack);
    check_image(findings, "operator.image", &stack.operator.image);
    check_repository(findings, stack.ecr.repository.as_deref());
    for (name, program) in &stack.images {
        let key = format!("images.{name}");
        check_image(findings, &key, name);
        if program.is_empty() {
            findings.problem(&key, "no program is named", "write the path of a program of this machine");
        }
    }
    for (index, workload) in stack.workloads.iter().enumerate() {
        check_workload(findings, &format!("workloads[{index}]"), workload);
        check_unique(findings, stack, index);
        check_own(findings, stack, index);
    }
}

fn matches(pattern: &str, text: &str) -> bool {
    Regex::new(pattern).is_ok_and(|regex| regex.is_match(text))
}

/// Whether the text is a DNS label, as names of most Kubernetes objects must be (RFC 1123).
fn is_label(text: &str) -> bool {
    text.len() <= 63 && matches("^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", text)
}

/// An access entry is for a role or a user, never for a session of one (EKS User Guide, "Create access entries").
fn check_admins(findings: &mut Findings, admins: &[String]) {
    for (index, admin) in admins.iter().enumerate() {
        let key = format!("cluster.admins[{index}]");
        if !matches(r"^arn:aws[a-z-]*:iam::\d{12}:(role|user)/[\w+=,.@/-]+$", admin) {
            let next = "write the ARN of an IAM role or user, such as arn:aws:iam::111122223333:role/Admin";
            findings.problem(&key, format!("{admin:?} is no ARN of a role or user"), next);
        }
        if admins[..index].contains(admin) {
            findings.problem(&key, format!("{admin} is listed twice"), "leave one of the two out");
        }
    }
}

fn check_names(findings: &mut Findings, stack: &Stack) {
    // Every object carries it as a label's value.
    if !matches("^[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?$", &stack.name) {
        let next =
            "use at most 63 letters, digits, hyphens and underscores, beginning and ending with a letter or digit";
        findings.problem("name", format!("{:?} is no valid stack name", stack.name), next);
    }
    let name = &stack.cluster.name;
    let is_invalid = !matches("^[0-9A-Za-z][A-Za-z0-9_-]*$", name) || name.len() > CLUSTER_NAME_MAX;
    if is_invalid && !findings.follows("cluster.name", &["name"]) {
        let next = "EKS takes up to 100 letters, digits, hyphens and underscores, beginning with a letter or digit";
        findings.problem("cluster.name", format!("{name:?} is no valid cluster name"), next);
    } else if let Some(role) = stack.names().longest_role()
        && !is_invalid
        && role.len() > ROLE_NAME_MAX
    {
        let excess = role.len() - ROLE_NAME_MAX;
        let cause = format!("the role name {role:?} made from it has {} characters, IAM takes 64", role.len());
        findings.problem("cluster.name", cause, format!("shorten it by {excess} or more characters"));
    }
    for (key, text) in [
        ("operator.namespace", &stack.operator.namespace),
        ("operator.serviceAccount", &stack.operator.service_account),
    ] {
        check_label(findings, key, text);
    }
    check_namespace(findings, "operator.namespace", &stack.operator.namespace, "keda");
    if stack.operator.service_account == SERVICE_ACCOUNT_OF_KUBERNETES {
        let cause = "every namespace has the ServiceAccount \"default\" already, and the stack makes its own";
        findings.problem("operator.serviceAccount", cause, "choose another name, such as \"keda-operator\"");
    }
    if stack.cluster.fargate_profile.starts_with("eks-") {
        let next = "choose another name: EKS keeps this prefix for itself";
        findings.problem("cluster.fargate.profile", "a profile's name may not begin with \"eks-\"", next);
    } else if !matches("^[0-9A-Za-z][A-Za-z0-9_-]{0,99}$", &stack.cluster.fargate_profile) {
        let cause = format!("{:?} is no valid profile name", stack.cluster.fargate_profile);
        findings.problem("cluster.fargate.profile", cause, "use letters, digits, hyphens and underscores");
    }
}

fn check_label(findings: &mut Findings, key: &str, text: &str) {
    if !is_label(text) {
        let next = "use at most 63 lower-case letters, digits and hyphens, beginning and ending with a letter or digit";
        findings.problem(key, format!("{text:?} is no valid Kubernetes name"), next);
    }
}

/// The stack makes its namespaces and removes them.
fn check_namespace(findings: &mut Findings, key: &str, namespace: &str, instead: &str) {
    if NAMESPACES_OF_KUBERNETES.contains(&namespace) {
        let cause = format!("every cluster has the namespace {namespace:?} already, and the stack makes its own");
        findings.problem(key, cause, format!("choose another name, such as {instead:?}"));
    }
}

fn check_region(findings: &mut Findings, region: &str) {
    match region::look_up(region) {
        Region::Known => {}
        Region::New { like } => {
            let next = like.map_or_else(String::new, |like| format!("; did you mean {like:?}?"));
            let cause = format!("{region:?} is no region that this program knows");
            findings.warning("region", cause, format!("go on if it is a new one{next}"));
        }
        Region::Impossible { like } => {
            let next = like.map_or_else(
                || "write one such as \"ap-northeast-1\"".to_owned(),
                |like| format!("did you mean {like:?}?"),
            );
            findings.problem("region", format!("{region:?} is no AWS region"), next);
        }
    }
}

fn check_version(findings: &mut Findings, name: &str, today: Date) {
    let key = "cluster.version";
    let available = version::available(today).join(", ");
    match version::support(name, today) {
        Support::Standard => {}
        Support::Extended(version) => findings.warning(
            key,
            format!(
                "Kubernetes {name} left standard support on {}; its control plane costs about six times as much until {}",
                version.standard_until, version.extended_until
            ),
            format!("use {}", version::DEFAULT),
        ),
        Support::Expired(version) => findings.problem(
            key,
            format!("EKS no longer offers Kubernetes {name}: its extended support ended on {}", version.extended_until),
            format!("use one of {available}"),
        ),
        Support::Newer => findings.warning(
            key,
            format!("Kubernetes {name} is newer than this program, which knows neither its dates nor its price"),
            format!("go on if EKS offers it; {} is the newest that is known here", version::DEFAULT),
        ),
        Support::Unknown => findings.problem(
            key,
            format!("{name:?} is no Kubernetes version that this program knows"),
            format!("use one of {available}, in quotes"),
        ),
    }
}

fn check_network(findings: &mut Findings, stack: &Stack) {
    for (index, subnet) in stack.cluster.subnets.iter().enumerate() {
        if !matches("^subnet-[0-9a-f]+$", subnet) {
            let next = "write its id, such as \"subnet-0a1b2c3d4e5f60718\"";
            findings.problem("cluster.subnets", format!("item {index}, {subnet:?}, is no subnet id"), next);
        }
    }
    if stack.cluster.subnets.len() == 1 {
        let next = "name private subnets in at least two availability zones";
        findings.problem("cluster.subnets", "EKS does not create a cluster in a single subnet", next);
    }
    network::check(findings, &stack.cluster);
    if let Some(vpc) = &stack.cluster.vpc
        && !matches("^vpc-[0-9a-f]+$", vpc)
    {
        let next = "write its id, such as \"vpc-0a1b2c3d4e5f60718\", or leave it out";
        findings.problem("cluster.vpc", format!("{vpc:?} is no VPC id"), next);
    }
    for log in &stack.cluster.logs {
        if !LOG_TYPES.contains(&log.as_str()) {
            let next = format!("use any of {}", LOG_TYPES.join(", "));
            findings.problem("cluster.logs", format!("{log:?} is no log type of a control plane"), next);
        }
    }
}

fn check_selectors(findings: &mut Findings, stack: &Stack) {
    let key = "cluster.fargate.selectors";
    let selectors = &stack.cluster.selectors;
    if selectors.len() > SELECTORS_MAX {
        let names: Vec<&str> = selectors.iter().map(|selector| selector.namespace.as_str()).collect();
        let cause = format!("{} selectors ({}), but a Fargate profile takes five", selectors.len(), names.join(", "));
        findings.problem(key, cause, "join namespaces with a wildcard such as \"team-*\", or put workloads together");
    }
    let covered = |namespace: &str| selectors.iter().any(|selector| wildcard(&selector.namespace, namespace));
    let needed = std::iter::once("kube-system").chain(stack.namespaces());
    let bare: Vec<String> = needed.filter(|name| !covered(name)).map(|name| format!("{name:?}")).collect();
    if !bare.is_empty() {
        let cause = format!("no selector covers the namespaces {}, so pods there would wait for ever", bare.join(", "));
        findings.problem(key, cause, "add them to the selectors");
    }
}

/// Whether an EKS selector with `*` and `?` covers the namespace.
fn wildcard(pattern: &str, text: &str) -> bool {
    let pattern = regex::escape(pattern).replace(r"\*", ".*").replace(r"\?", ".");
    matches(&format!("^{pattern}$"), text)
}

fn check_workload(findings: &mut Findings, key: &str, workload: &Workload) {
    if !workload.name.is_empty() {
        check_label(findings, &format!("{key}.name"), &workload.name);
    }
    check_label(findings, &format!("{key}.namespace"), &workload.namespace);
    check_namespace(findings, &format!("{key}.namespace"), &workload.namespace, "myproject");
    check_image(findings, &format!("{key}.image"), &workload.image);
    if let Some(queue) = &workload.queue {
        check_queue(findings, key, &queue.name);
    }
    triggers::check(findings, key, workload);
    for (name, text) in [("cpu", &workload.cpu), ("memory", &workload.memory)] {
        if !matches("^[0-9]+(\\.[0-9]+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$", text) {
            let next = "write a quantity such as \"250m\" or \"256Mi\"";
            findings.problem(&format!("{key}.resources.{name}"), format!("{text:?} is no quantity"), next);
        }
    }
    for name in workload.env.keys() {
        if !matches("^[-._a-zA-Z][-._a-zA-Z0-9]*$", name) {
            let next = "use letters, digits, underscores";
            findings.problem(&format!("{key}.env.{name}"), "not the name of an environment variable", next);
        }
    }
    let Some(queue) = &workload.queue else { return };
    let (work, hidden) = (workload.worker.work_seconds, queue.visibility_timeout_seconds);
    if workload.consumer == Consumer::Sample && workload.args.is_none() && work >= hidden {
        let cause =
            format!("a message is worked on for {work} s but hidden for {hidden} s, so others receive it again");
        findings.warning(&format!("{key}.queue.visibilityTimeout"), cause, "make it longer than worker.workSeconds");
    }
}

fn check_queue(findings: &mut Findings, key: &str, queue: &str) {
    let own = format!("{key}.queue.name");
    if matches(r"\.fifo$", queue) {
        findings.problem(&own, "FIFO queues are not provisioned by this version", "use a standard queue");
    } else if (!matches("^[A-Za-z0-9_-]+$", queue) || queue.len() > QUEUE_NAME_MAX)
        && !findings.follows(&own, &["name", "cluster.name", &format!("{key}.name")])
    {
        let next = "use up to 80 letters, digits, hyphens and underscores";
        findings.problem(&own, format!("{queue:?} is no valid queue name"), next);
    }
}

fn check_image(findings: &mut Findings, key: &str, image: &str) {
    let named = image.strip_prefix(ECR_REGISTRY).map_or(image, |rest| rest.trim_start_matches('/'));
    if !matches("^[a-z0-9][a-zA-Z0-9._:/@-]*$", named) {
        findings.problem(key, format!("{image:?} is no image reference"), "write one such as \"sluice:latest\"");
    }
}

/// ECR's rule for names (ECR API Reference, CreateRepository), and ours: by the last part the program is known.
fn check_repository(findings: &mut Findings, name: Option<&str>) {
    let Some(name) = name else { return };
    let part = "[a-z0-9]+([._-][a-z0-9]+)*";
    let is_name = matches(&format!("^({part}/)*{part}$"), name) && (2..=256).contains(&name.len());
    if !is_name || name.rsplit('/').next() != Some("sluice") {
        let cause = format!("{name:?} is no repository for this program");
        let next = "write small letters and digits in parts, the last of which is \"sluice\", such as \"team/sluice\"";
        findings.problem("ecr.repository", cause, next);
    }
}

fn check_unique(findings: &mut Findings, stack: &Stack, index: usize) {
    let this = &stack.workloads[index];
    let key = format!("workloads[{index}]");
    for earlier in &stack.workloads[..index] {
        if earlier.name == this.name && !this.name.is_empty() {
            let cause = format!("{:?} is already the name of another workload", this.name);
            findings.problem(&format!("{key}.name"), cause, "choose another name: roles are named after it");
        }
        let same = |one: &Queue| this.queue.as_ref().is_some_and(|queue| queue.name == one.name);
        if earlier.queue.as_ref().is_some_and(same) && earlier.name != this.name {
            let cause = format!("the workload {:?} already has this queue", earlier.name);
            findings.problem(&format!("{key}.queue.name"), cause, "give each workload its own queue");
        }
    }
}

/// What would meet objects of the stack's operator, or of Kubernetes itself.
fn check_own(findings: &mut Findings, stack: &Stack, index: usize) {
    let this = &stack.workloads[index];
    let key = format!("workloads[{index}]");
    if ["keda-operator", "sqs-scaler", "cluster", "fargate"].contains(&this.name.as_str()) {
        let cause = format!("{:?} is the name of one of Sluice's own roles", this.name);
        findings.problem(&format!("{key}.name"), cause, "choose another name");
    }
    if this.name == SERVICE_ACCOUNT_OF_KUBERNETES {
        let cause = "its ServiceAccount would be called \"default\", which every namespace has already";
        findings.problem(&format!("{key}.name"), cause, "choose another name");
    }
    if this.namespace == stack.operator.namespace && !NAMESPACES_OF_KUBERNETES.contains(&this.namespace.as_str()) {
        let cause = format!("{:?} is the operator's namespace, which goes with the operator", this.namespace);
        findings.problem(&format!("{key}.namespace"), cause, "give the workload a namespace of its own");
    }
}
