//! From the stack to the engine's graph: every AWS resource and every Kubernetes object as a node of one graph.
//!
//! What is known only after an apply (the issuer, the queues' URLs) is written as a reference, `${kind.name.attribute}`.

pub(crate) mod network;
#[cfg(test)]
mod removal_tests;

use std::sync::Arc;

use aws::cloud::Cloud;
use aws::resources;
use provision::{Address, Attributes, Node};
use serde_json::{Value, json};
use stack::manifests::Site;
use stack::model::{ApiEndpoint, Profile, Queue, Roles};
use stack::policies::{self, Policies};
use stack::{Names, Stack};

use crate::diagnostic::{Outcome, one};
use crate::target::Target;

/// The operator's CRDs, generated from its types.
pub(crate) const CRDS: &str = include_str!("../../templates/kubernetes/crds.yaml");

/// The role that starts pods: a profile takes it under the path `/` alone.
const FARGATE: &str = "fargate";

/// The attribute of roles that is a wish without a value as well: the boundary that was wanted before is taken off.
const BOUNDARY: &str = "permissions_boundary";

/// The cluster's node: everything inside it refers to it.
pub(crate) fn cluster_address() -> Address {
    Address::new("aws_eks_cluster", "this")
}

/// The queue's node of one workload.
pub(crate) fn queue_address(workload: &str) -> Address {
    Address::new("aws_sqs_queue", workload)
}

/// Every AWS resource of the stack.
pub(crate) fn aws(stack: &Stack, target: &Target, cloud: &Arc<Cloud>) -> Outcome<Vec<Node>> {
    let mut declared = Declared { cloud, roles: &stack.roles, profile: stack.profile, nodes: Vec::new() };
    let existing = target.existing.as_ref();
    let issuer = existing.map_or("${aws_eks_cluster.this.issuer_host}", |existing| existing.issuer.as_str());
    let policies = Policies { stack, account_id: &target.account_id, issuer };
    let names = stack.names();
    if existing.is_none() {
        let subnets = if stack.cluster.makes_network {
            network::declare(&mut declared, &names, &stack.cluster.vpc_cidr)
        } else {
            subnets(stack, target).to_vec()
        };
        control_plane(&mut declared, stack, &names, &policies, &subnets).map_err(one)?;
        admins(&mut declared, stack, &names, &target.caller_arn);
    }
    if stack.has_queue() {
        let url = existing.map_or("${aws_eks_cluster.this.issuer}", |existing| existing.issuer.as_str());
        let provider = json!({ "url": url, "client_id_list": [policies::AUDIENCE] });
        declared.add("aws_iam_openid_connect_provider", "this", provider, &[]);
        identities(&mut declared, stack, &names, &policies).map_err(one)?;
    }
    if let Some(repository) = &stack.ecr.repository {
        declared.add("aws_ecr_repository", "this", json!({ "name": repository }), &[]);
    }
    for workload in &stack.workloads {
        if let Some(wanted) = &workload.queue {
            declared.add("aws_sqs_queue", &workload.name, queue(wanted), &[]);
        }
    }
    Ok(declared.nodes)
}

/// The target's own subnets, where it has a network of its own; otherwise those that the stack names. A stack that makes a network
/// needs none.
pub(crate) fn subnets<'a>(stack: &'a Stack, target: &'a Target) -> &'a [String] {
    match () {
        () if stack.cluster.makes_network => &[],
        () if target.subnets.is_empty() => &stack.cluster.subnets,
        () => &target.subnets,
    }
}

struct Declared<'a> {
    cloud: &'a Arc<Cloud>,
    roles: &'a Roles,
    profile: Profile,
    nodes: Vec<Node>,
}

impl Declared<'_> {
    fn add(&mut self, kind: &str, name: &str, attributes: Value, needs: &[Address]) {
        let Value::Object(attributes) = attributes else { return };
        let is_said = |(name, value): &(String, Value)| !value.is_null() || name == BOUNDARY;
        let attributes: Attributes = attributes.into_iter().filter(is_said).collect();
        self.nodes.extend(resources::build(self.cloud, &Address::new(kind, name), attributes, needs.to_vec()));
    }

    fn role(&mut self, label: &str, name: &str, trust: &Value, policy: Option<Value>, needs: &[Address]) {
        let inline = match (self.profile, &policy) {
            (_, None) => None,
            (Profile::Lean, Some(policy)) => Some(json!({ name: policy })),
            // None is a wish as well: the policy stands by itself now.
            (Profile::Seed, Some(_)) => Some(json!({})),
        };
        let description = aws::audit::description(self.cloud.stack(), label);
        let path = if label == FARGATE { "/" } else { &self.roles.path };
        let attributes = json!({
            "name": name, "path": path, "description": description, "assume_role_policy": trust,
            "inline_policies": inline, BOUNDARY: self.roles.permissions_boundary,
        });
        self.add("aws_iam_role", label, attributes, needs);
        if let (Profile::Seed, Some(policy)) = (self.profile, policy) {
            let policy = json!({ "name": name, "path": self.roles.path, "policy": policy });
            self.add("aws_iam_policy", label, policy, &[]);
            let (role, policy) = (format!("${{aws_iam_role.{label}.id}}"), format!("${{aws_iam_policy.{label}.arn}}"));
            let attachment = json!({ "role": role, "policy_arn": policy });
            self.add("aws_iam_role_policy_attachment", label, attachment, &[]);
        }
    }
}

type Rendered<T> = Result<T, stack::Error>;

/// The cluster, what it runs pods with, and how its tokens are trusted.
fn control_plane(
    declared: &mut Declared<'_>,
    stack: &Stack,
    names: &Names,
    policies: &Policies<'_>,
    subnets: &[String],
) -> Rendered<()> {
    let subnets = (!subnets.is_empty()).then_some(subnets);
    for (label, name, trust, policy) in [
        ("cluster", &names.cluster_role, policies.cluster_trust()?, policies::CLUSTER_POLICY),
        (FARGATE, &names.fargate_role, policies.fargate_trust()?, policies::FARGATE_POLICY),
    ] {
        declared.role(label, name, &trust, None, &[]);
        let role = format!("${{aws_iam_role.{label}.id}}");
        let attachment = json!({ "role": role, "policy_arn": names.managed_policy_arn(policy) });
        declared.add("aws_iam_role_policy_attachment", label, attachment, &[]);
    }
    let attached = |label| Address::new("aws_iam_role_policy_attachment", label);
    let mut needed = vec![attached("cluster")];
    if !stack.cluster.logs.is_empty() {
        // EKS would make it without retention, and nobody would remove it.
        let group = json!({ "name": names.log_group, "retention_in_days": stack.cluster.log_retention_days });
        declared.add("aws_cloudwatch_log_group", "cluster", group, &[]);
        needed.push(Address::new("aws_cloudwatch_log_group", "cluster"));
    }
    let cluster = json!({
        "name": names.cluster,
        "version": stack.cluster.version,
        "role_arn": "${aws_iam_role.cluster.arn}",
        // EKS takes no subnets of another VPC for a cluster that is there.
        "vpc_id": stack.cluster.makes_network.then_some("${aws_vpc.this.id}"),
        "subnet_ids": subnets,
        "endpoint_public_access": stack.cluster.endpoint.public,
        "endpoint_private_access": stack.cluster.endpoint.private,
        "public_access_cidrs": cidrs(&stack.cluster.endpoint),
        "secrets_key": stack.cluster.secrets_key,
        "authentication_mode": "API",
        // EKS makes the entry for whoever creates the cluster, with the right ARN for every kind of caller.
        "bootstrap_cluster_creator_admin_permissions": true,
        // kube-proxy and vpc-cni have nothing to do on Fargate.
        "bootstrap_self_managed_addons": false,
        // None is a wish as well: those that were wanted before are switched off.
        "enabled_log_types": stack.cluster.logs,
    });
    declared.add("aws_eks_cluster", "this", cluster, &needed);
    let profile = json!({
        "cluster_name": "${aws_eks_cluster.this.name}",
        "name": names.fargate_profile,
        "pod_execution_role_arn": "${aws_iam_role.fargate.arn}",
        "subnet_ids": subnets,
        "selectors": stack.cluster.selectors.iter().map(selector).collect::<Vec<_>>(),
    });
    let way_out = stack.cluster.makes_network.then(network::way_out);
    let needed: Vec<Address> = [attached("fargate")].into_iter().chain(way_out).collect();
    declared.add("aws_eks_fargate_profile", "this", profile, &needed);
    // CoreDNS is unschedulable on a Fargate-only cluster until a profile covers kube-system and its configuration says `fargate`.
    let coredns = json!({
        "cluster_name": "${aws_eks_cluster.this.name}",
        "addon_name": "coredns",
        "configuration_values": { "computeType": "Fargate" },
        "resolve_conflicts": "OVERWRITE",
    });
    declared.add("aws_eks_addon", "coredns", coredns, &[Address::new("aws_eks_fargate_profile", "this")]);
    Ok(())
}

/// None is a wish as well: what was let in before, and no other, is let in no more. Without a public endpoint they say nothing.
fn cidrs(endpoint: &ApiEndpoint) -> Option<Vec<String>> {
    let everybody = || vec!["0.0.0.0/0".to_owned()];
    let named = &endpoint.public_access_cidrs;
    endpoint.public.then(|| if named.is_empty() { everybody() } else { named.clone() })
}

/// Who administers the cluster besides whoever makes it, whose entry EKS makes itself.
fn admins(declared: &mut Declared<'_>, stack: &Stack, names: &Names, caller: &str) {
    for principal in stack.cluster.admins.iter().filter(|principal| !is_session_of(caller, principal)) {
        // `role/team/Admin` and `user/Admin` of any account are different names.
        let label = principal.trim_start_matches("arn:aws").replace("iam::", "").replace([':', '/'], "-");
        let label = label.trim_start_matches('-');
        let cluster = "${aws_eks_cluster.this.name}";
        let entry = json!({ "cluster_name": cluster, "principal_arn": principal, "type": "STANDARD" });
        declared.add("aws_eks_access_entry", label, entry, &[]);
        let association = json!({
            "cluster_name": cluster,
            "principal_arn": principal,
            "policy_arn": names.access_policy_arn("AmazonEKSClusterAdminPolicy"),
            "access_scope": { "type": "cluster" },
        });
        let needs = [Address::new("aws_eks_access_entry", label)];
        declared.add("aws_eks_access_policy_association", label, association, &needs);
    }
}

/// Whether the caller is the principal, or a session of the role that it is. Sessions do not show their role's path.
fn is_session_of(caller: &str, principal: &str) -> bool {
    let session = caller.split_once(":assumed-role/").and_then(|(_, rest)| rest.split('/').next());
    let role = principal.split_once(":role/").and_then(|(_, path)| path.rsplit('/').next());
    caller == principal || (session.is_some() && session == role)
}

/// As EKS gives it back: no labels are no key. Anything else would be a difference, and a profile is only ever replaced.
fn selector(selector: &stack::model::Selector) -> Value {
    if selector.labels.is_empty() {
        return json!({ "namespace": selector.namespace });
    }
    json!({ "namespace": selector.namespace, "labels": selector.labels })
}

/// The roles of the operator, the scaler and the workloads that have a queue.
fn identities(declared: &mut Declared<'_>, stack: &Stack, names: &Names, policies: &Policies<'_>) -> Rendered<()> {
    let provider = Address::new("aws_iam_openid_connect_provider", "this");
    let operator = Address::new("aws_iam_role", "keda_operator");
    let (trust, policy) = (policies.operator_trust()?, policies.operator_policy()?);
    declared.role("keda_operator", &names.operator_role, &trust, Some(policy), std::slice::from_ref(&provider));
    // IAM refuses a trust policy whose principal does not exist, so the operator's role comes first.
    let (trust, policy) = (policies.scaler_trust()?, policies.scaler_policy()?);
    declared.role("sqs_scaler", &names.scaler_role, &trust, Some(policy), std::slice::from_ref(&operator));
    for workload in &stack.workloads {
        // Without a queue it has none.
        let Some(its) = names.workload(&workload.name) else { continue };
        let (trust, policy) = (policies.workload_trust(workload)?, policies.workload_policy(its)?);
        declared.role(
            &role_label(&workload.name),
            &its.role,
            &trust,
            Some(policy),
            &[operator.clone(), provider.clone()],
        );
    }
    Ok(())
}

/// A workload may be called like one of the stack's own roles.
pub(crate) fn role_label(workload: &str) -> String {
    match workload {
        "cluster" | "fargate" | "keda_operator" | "sqs_scaler" => format!("workload_{workload}"),
        name => name.to_owned(),
    }
}

fn queue(queue: &Queue) -> Value {
    json!({
        "name": queue.name,
        "visibility_timeout_seconds": queue.visibility_timeout_seconds,
        "message_retention_seconds": queue.retention_seconds,
        "delay_seconds": queue.delay_seconds,
    })
}

/// Every Kubernetes object of the stack.
pub(crate) fn manifests(stack: &Stack, target: &Target) -> Outcome<Vec<stack::Manifest>> {
    let queue_urls = stack.names().workloads.into_iter().map(|named| {
        let url = format!("${{{}.url}}", queue_address(&named.workload));
        (named.workload, url)
    });
    let site = Site {
        account_id: target.account_id.clone(),
        queue_urls: queue_urls.collect(),
        endpoint_for_pods: target.endpoint_for_pods.clone(),
    };
    stack::manifests::all(stack, &site, CRDS).map_err(one)
}

/// [`manifests`] as resources, inside the cluster that the same plan makes.
pub(crate) fn kubernetes(stack: &Stack, target: &Target, cluster: &cluster::Cluster) -> Outcome<Vec<cluster::Object>> {
    let manifests = manifests(stack, target)?;
    let lives_in = target.existing.is_none().then(cluster_address);
    manifests.into_iter().map(|manifest| object(stack, cluster, manifest, lives_in.clone())).collect()
}

fn object(
    stack: &Stack,
    cluster: &cluster::Cluster,
    manifest: stack::Manifest,
    lives_in: Option<Address>,
) -> Outcome<cluster::Object> {
    let mut depends_on: Vec<Address> =
        manifest.depends_on.iter().map(|text| text.parse().map_err(one)).collect::<Outcome<_>>()?;
    if manifest.object["kind"].as_str().is_some_and(stack::manifests::runs_pods) {
        // Pods need a profile to run on, names that resolve, and their identity to be trusted.
        let own = ["aws_eks_fargate_profile.this", "aws_eks_addon.coredns"].into_iter().filter(|_| lives_in.is_some());
        depends_on.extend(own.map(|text| text.parse().map_err(one)).collect::<Outcome<Vec<Address>>>()?);
        let workloads = stack.names().workloads;
        let own = ["keda_operator", "sqs_scaler"].into_iter().filter(|_| stack.has_queue()).map(str::to_owned);
        for label in workloads.iter().map(|named| role_label(&named.workload)).chain(own) {
            depends_on.push(Address::new("aws_iam_role", &label));
            if stack.profile == Profile::Seed {
                depends_on.push(Address::new("aws_iam_role_policy_attachment", &label));
            }
        }
    }
    let manifest = cluster::Manifest { object: manifest.object, initial: manifest.initial, depends_on, lives_in };
    cluster::Object::new(cluster.clone(), &stack.name, manifest).map_err(one)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_its_role_whatever_the_path() {
        let session = "arn:aws:sts::111122223333:assumed-role/Admin/me@example.com";
        assert!(is_session_of(session, "arn:aws:iam::111122223333:role/team/Admin"));
        assert!(!is_session_of(session, "arn:aws:iam::111122223333:role/Administrator"));
        assert!(!is_session_of(session, "arn:aws:iam::111122223333:user/Admin"));
        let user = "arn:aws:iam::111122223333:user/me";
        assert!(is_session_of(user, user) && !is_session_of(user, "arn:aws:iam::111122223333:user/you"));
    }
}
