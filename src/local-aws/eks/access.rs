//! Access entries: which IAM principals may talk to a cluster, and as whom.

use http::Method;
use local_eks::{ACCESS_POLICIES, ACCESS_POLICY_PREFIX};
use serde_json::{Value, json};

use super::faults::{in_use, invalid, not_found, unknown};
use super::input::{check_tags, date, page, required, tags, text};
use super::lifecycle;
use super::request_context::RequestContext;
use super::store::{Cluster, Entry, Tags};
use crate::fault::Fault;
use crate::identifier;
use crate::strings;

const KINDS: [&str; 7] =
    ["STANDARD", "FARGATE_LINUX", "EC2_LINUX", "EC2_WINDOWS", "EC2", "HYBRID_LINUX", "HYPERPOD_LINUX"];

impl Entry {
    /// EKS API Reference, CreateAccessEntry: entries of EC2 nodes have neither groups nor access policies of their own.
    fn for_people(&self, parameter: &str) -> Result<(), Fault> {
        if matches!(self.kind.as_str(), "EC2_LINUX" | "EC2_WINDOWS") {
            return Err(invalid(format!("{parameter} cannot be specified for an access entry of type {}.", self.kind)));
        }
        Ok(())
    }

    fn value(&self, cluster: &str) -> Value {
        json!({
            "clusterName": cluster,
            "principalArn": self.principal_arn,
            "kubernetesGroups": self.groups,
            "accessEntryArn": self.arn,
            "createdAt": date(self.created_at),
            "modifiedAt": date(self.modified_at),
            "tags": self.tags,
            "username": self.username.clone().unwrap_or_else(|| default_username(&self.principal_arn)),
            "type": self.kind,
        })
    }
}

/// A user's ARN, or the session's for a role.
fn default_username(principal: &str) -> String {
    match principal.split_once(":role/") {
        Some((prefix, role)) => {
            let account = prefix.rsplit(':').next().unwrap_or_default();
            let name = role.rsplit('/').next().unwrap_or_default();
            format!("arn:aws:sts::{account}:assumed-role/{name}/{{{{SessionName}}}}")
        }
        None => principal.to_owned(),
    }
}

/// The entry that a cluster's creator gets.
pub(super) fn admit_creator(context: &RequestContext<'_>, cluster: &mut Cluster) {
    let principal = cluster.creator_arn.clone();
    let mut entry = new_entry(context, &cluster.name, &principal);
    entry.policies.push(association(
        context,
        &format!("{ACCESS_POLICY_PREFIX}AmazonEKSClusterAdminPolicy"),
        &json!({ "type": "cluster", "namespaces": [] }),
    ));
    cluster.entries.insert(principal, entry);
}

fn association(context: &RequestContext<'_>, policy: &str, scope: &Value) -> Value {
    let now = date(context.call.now);
    json!({ "policyArn": policy, "accessScope": scope, "associatedAt": now, "modifiedAt": now })
}

fn new_entry(context: &RequestContext<'_>, cluster: &str, principal: &str) -> Entry {
    let (region, account) = (&context.cloud.region, &context.cloud.account);
    let (kind, name) =
        principal.rsplit_once(':').and_then(|(_, rest)| rest.split_once('/')).unwrap_or(("role", principal));
    Entry {
        arn: format!(
            "arn:aws:eks:{region}:{account}:access-entry/{cluster}/{kind}/{account}/{name}/{}",
            identifier::uuid()
        ),
        principal_arn: principal.to_owned(),
        groups: Vec::new(),
        username: None,
        kind: "STANDARD".into(),
        created_at: context.call.now,
        modified_at: context.call.now,
        tags: Tags::new(),
        policies: Vec::new(),
    }
}

pub(super) fn call(context: &RequestContext<'_>, cluster: &str, rest: &[&str]) -> Result<Value, Fault> {
    let method = &context.request.method;
    // ARNs hold slashes; clients encode them, and what is decoded here is joined again.
    if let Some(at) = rest.iter().position(|part| *part == "access-policies") {
        let principal = rest[..at].join("/");
        let policy = rest[at + 1..].join("/");
        return match (method, policy.as_str()) {
            (&Method::POST, "") => associate(context, cluster, &principal),
            (&Method::GET, "") => associations(context, cluster, &principal),
            (&Method::DELETE, policy) => disassociate(context, cluster, &principal, policy),
            _ => Err(unknown(context.request)),
        };
    }
    let principal = rest.join("/");
    match (method, principal.as_str()) {
        (&Method::POST, "") => create(context, cluster),
        (&Method::GET, "") => list(context, cluster),
        (&Method::GET, principal) => {
            allowed(context, "DescribeAccessEntry", cluster, principal)?;
            with_entry(context, cluster, principal, |entry| Ok(json!({ "accessEntry": entry.value(cluster) })))
        }
        (&Method::POST, principal) => update(context, cluster, principal),
        (&Method::DELETE, principal) => delete(context, cluster, principal),
        _ => Err(unknown(context.request)),
    }
}

fn allowed(context: &RequestContext<'_>, action: &str, cluster: &str, principal: &str) -> Result<(), Fault> {
    let found = context
        .cloud
        .eks()
        .clusters
        .get(cluster)
        .and_then(|one| one.entries.get(principal))
        .map(|entry| (entry.arn.clone(), entry.tags.clone()));
    match found {
        Some((arn, tags)) => context.allowed(action, &arn, &tags),
        None => context.allowed_on(action, cluster, None),
    }
}

fn with_entry<T>(
    context: &RequestContext<'_>,
    cluster: &str,
    principal: &str,
    work: impl FnOnce(&mut Entry) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let mut store = context.cloud.eks();
    let cluster = store.cluster(cluster)?;
    if cluster.authentication_mode == "CONFIG_MAP" {
        return Err(wrong_mode());
    }
    let entry = cluster.entries.get_mut(principal);
    work(entry.ok_or_else(|| not_found(format!("The specified principalArn could not be found. You can view your available access entries with 'list-access-entries'. ({principal})")))?)
}

fn wrong_mode() -> Fault {
    Fault::sender(
        "InvalidRequestException",
        "The cluster's authentication mode must be set to one of [API, API_AND_CONFIG_MAP] to perform this operation.",
    )
}

fn apply(body: &Value, entry: &mut Entry) -> Result<(), Fault> {
    if body.get("kubernetesGroups").is_some() {
        let groups = strings::list(body.get("kubernetesGroups"));
        if let Some(bad) = groups.iter().find(|group| group.starts_with("system:")) {
            return Err(invalid(format!("The kubernetes group name {bad} is invalid, it cannot start with system:")));
        }
        entry.groups = groups;
    }
    if let Some(username) = text(body, "username") {
        if ["system:", "eks:", "aws:", "amazon:", "iam:"].iter().any(|prefix| username.starts_with(prefix)) {
            return Err(invalid(format!("The username {username} is invalid: its prefix is reserved.")));
        }
        entry.username = Some(username.to_owned());
    }
    Ok(())
}

fn create(context: &RequestContext<'_>, cluster_name: &str) -> Result<Value, Fault> {
    context.allowed_on("CreateAccessEntry", cluster_name, None)?;
    let principal = required(&context.body, "principalArn")?;
    let administrator = context.cloud.iam().administrator();
    if !context.cloud.iam().role_exists(principal) && administrator.arn() != principal {
        return Err(invalid("The specified principalArn is invalid: invalid principal."));
    }
    let mut entry = new_entry(context, cluster_name, principal);
    apply(&context.body, &mut entry)?;
    if let Some(kind) = text(&context.body, "type") {
        if !KINDS.contains(&kind) {
            return Err(invalid(format!("{kind} is no type of access entry.")));
        }
        kind.clone_into(&mut entry.kind);
        if !entry.groups.is_empty() {
            entry.for_people("kubernetesGroups")?;
        }
    }
    entry.tags = tags(&context.body);
    check_tags(&entry.tags)?;
    let value = entry.value(cluster_name);
    let mut store = context.cloud.eks();
    let cluster = store.cluster(cluster_name)?;
    if cluster.authentication_mode == "CONFIG_MAP" {
        return Err(wrong_mode());
    }
    if cluster.entries.contains_key(principal) {
        return Err(in_use("The specified access entry resource is already in use on this cluster."));
    }
    cluster.entries.insert(principal.to_owned(), entry);
    drop(store);
    lifecycle::notify(context.cloud, cluster_name);
    Ok(json!({ "accessEntry": value }))
}

fn list(context: &RequestContext<'_>, cluster: &str) -> Result<Value, Fault> {
    context.allowed_on("ListAccessEntries", cluster, None)?;
    let policy = context.request.parameter("associatedPolicyArn");
    let matches = |entry: &&Entry| {
        policy.as_deref().is_none_or(|arn| entry.policies.iter().any(|one| text(one, "policyArn") == Some(arn)))
    };
    let principals = context
        .cloud
        .eks()
        .cluster(cluster)?
        .entries
        .values()
        .filter(matches)
        .map(|entry| json!(entry.principal_arn))
        .collect();
    page(context.request, "accessEntries", principals)
}

fn update(context: &RequestContext<'_>, cluster: &str, principal: &str) -> Result<Value, Fault> {
    allowed(context, "UpdateAccessEntry", cluster, principal)?;
    let value = with_entry(context, cluster, principal, |entry| {
        if !strings::list(context.body.get("kubernetesGroups")).is_empty() {
            entry.for_people("kubernetesGroups")?;
        }
        apply(&context.body, entry)?;
        entry.modified_at = context.call.now;
        Ok(json!({ "accessEntry": entry.value(cluster) }))
    })?;
    lifecycle::notify(context.cloud, cluster);
    Ok(value)
}

fn delete(context: &RequestContext<'_>, cluster: &str, principal: &str) -> Result<Value, Fault> {
    allowed(context, "DeleteAccessEntry", cluster, principal)?;
    with_entry(context, cluster, principal, |_| Ok(()))?;
    context.cloud.eks().cluster(cluster)?.entries.remove(principal);
    lifecycle::notify(context.cloud, cluster);
    Ok(json!({}))
}

fn associate(context: &RequestContext<'_>, cluster: &str, principal: &str) -> Result<Value, Fault> {
    allowed(context, "AssociateAccessPolicy", cluster, principal)?;
    let policy = required(&context.body, "policyArn")?;
    if !policy
        .strip_prefix(ACCESS_POLICY_PREFIX)
        .is_some_and(|name| ACCESS_POLICIES.iter().any(|(known, _)| *known == name))
    {
        return Err(invalid(format!("The policyArn parameter format is not valid: {policy}")));
    }
    let scope = context.body.get("accessScope").cloned().unwrap_or_default();
    let namespaces = strings::list(scope.get("namespaces"));
    match text(&scope, "type") {
        Some("cluster") if namespaces.is_empty() => {}
        Some("namespace") if !namespaces.is_empty() => {}
        _ => {
            return Err(invalid(
                "accessScope must be of type cluster without namespaces or of type namespace with some.",
            ));
        }
    }
    let made = association(context, policy, &json!({ "type": scope["type"], "namespaces": namespaces }));
    with_entry(context, cluster, principal, |entry| {
        entry.for_people("policyArn")?;
        entry.policies.retain(|one| text(one, "policyArn") != Some(policy));
        entry.policies.push(made.clone());
        entry.modified_at = context.call.now;
        Ok(())
    })?;
    lifecycle::notify(context.cloud, cluster);
    Ok(json!({ "clusterName": cluster, "principalArn": principal, "associatedAccessPolicy": made }))
}

fn associations(context: &RequestContext<'_>, cluster: &str, principal: &str) -> Result<Value, Fault> {
    allowed(context, "ListAssociatedAccessPolicies", cluster, principal)?;
    let policies = with_entry(context, cluster, principal, |entry| Ok(entry.policies.clone()))?;
    let mut answer = page(context.request, "associatedAccessPolicies", policies)?;
    answer["clusterName"] = json!(cluster);
    answer["principalArn"] = json!(principal);
    Ok(answer)
}

fn disassociate(context: &RequestContext<'_>, cluster: &str, principal: &str, policy: &str) -> Result<Value, Fault> {
    allowed(context, "DisassociateAccessPolicy", cluster, principal)?;
    with_entry(context, cluster, principal, |entry| {
        let before = entry.policies.len();
        entry.policies.retain(|one| text(one, "policyArn") != Some(policy));
        if entry.policies.len() == before {
            return Err(not_found("The specified policyArn could not be found on this access entry."));
        }
        Ok(())
    })?;
    lifecycle::notify(context.cloud, cluster);
    Ok(json!({}))
}

pub(super) fn policies(context: &RequestContext<'_>) -> Result<Value, Fault> {
    context.allowed("ListAccessPolicies", "*", &Tags::new())?;
    let list = ACCESS_POLICIES
        .iter()
        .map(|(name, _)| json!({ "name": name, "arn": format!("{ACCESS_POLICY_PREFIX}{name}") }))
        .collect();
    page(context.request, "accessPolicies", list)
}
