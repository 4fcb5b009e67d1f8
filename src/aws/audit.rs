//! What exists for a stack, found without a state: by tag, and by the names that a stack always gives.
//!
//! Used after `down` (nothing may be left) and before it when the state is lost. A listing that fails is an error: an
//! audit that could not look has found nothing out.

mod children;

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use provision::{Address, Node, Object};

use crate::cloud::Cloud;
use crate::error::{Error, Result};
use crate::resources::{self, NetworkPart};

/// Looks under way at the same time.
const AT_ONCE: usize = 8;
/// Entries of a page; IAM's own choice is 100.
const PAGE: i32 = 1000;

/// Something that exists and is the stack's.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Found {
    /// A kind and the name under which it exists.
    pub address: Address,
    /// It, with its attributes.
    pub object: Object,
    /// Whether it carries the stack's tag; otherwise only its name says so, and it must not be removed.
    pub tagged: bool,
}

/// How far a search goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Every queue of the account and region is looked at as well: whatever it is called, the tag says whose it is.
    Account,
    /// Clusters, OIDC providers, and what has the stack's names or descriptions, of which there are few.
    Names,
}

/// Finds what carries the stack's tag, and what is called `prefix` or begins with `prefix-`.
///
/// Looked through: clusters with their Fargate profiles, addons and access entries, queues, roles, customer managed policies,
/// OIDC providers, log groups of control planes, and by the tag alone VPCs and what is in them. A cluster that is called otherwise and carries the tag has been renamed since: what begins with its name is
/// looked for as well. Objects of Kubernetes are not listed: they go with their cluster.
///
/// # Errors
///
/// [`Error::Service`] if a service refuses a list or a look. Another [`Error`] if a call gets no usable answer. Two
/// refusals are no errors: an emulator without EKS has no clusters, and what has another name and may not be looked at is
/// not the stack's.
pub async fn find(cloud: &Cloud, prefix: &str, scope: Scope) -> Result<Vec<Found>> {
    let mut found = Vec::new();
    let is_named = |name: &str| is_called(name, prefix);
    let mut keep = |kind: &str, name: &str, object: Object| {
        let tagged = cloud.owns(&object);
        if tagged || is_named(name) {
            found.push(Found { address: Address::new(kind, name), object, tagged });
        }
    };
    let (mut prefixes, mut owned) = (vec![prefix.to_owned()], Vec::new());
    for name in clusters(cloud).await? {
        let looked = unless_foreign(is_named(&name), resources::cluster_object(cloud, &name).await)?;
        let Some(cluster) = looked else { continue };
        if cloud.owns(&cluster) {
            for (address, child) in children::of(cloud, &name).await? {
                // The entry of whoever made the cluster has no tag, and goes with it.
                if cloud.owns(&child) {
                    keep(address.kind(), address.name(), child);
                }
            }
            prefixes.push(name.clone());
            owned.push(name.clone());
        }
        keep("aws_eks_cluster", &name, cluster);
    }
    prefixes.sort();
    prefixes.dedup();
    let queues = queues(cloud, &prefixes, scope).await?;
    let queue = async |name: String| unless_foreign(is_named(&name), resources::queue_object(cloud, &name).await);
    for (name, queue) in looked_at(queues, queue).await? {
        keep("aws_sqs_queue", &name, queue);
    }
    for (name, repository) in repositories(cloud, &prefixes, scope).await? {
        keep("aws_ecr_repository", &name, repository);
    }
    let is_candidate = |name: &str| prefixes.iter().any(|prefix| is_called(name, prefix));
    let mark = description(&cloud.stack, "");
    let roles = roles(cloud).await?.into_iter();
    let roles = roles.filter(|(name, description)| is_candidate(name) || description.starts_with(&mark));
    for (name, role) in looked_at(roles.map(|(name, _)| name).collect(), |name| role(cloud, name)).await? {
        keep("aws_iam_role", &name, role);
    }
    for (name, arn) in resources::policies(cloud).await?.into_iter().filter(|(name, _)| is_candidate(name)) {
        if let Some(policy) = resources::policy_object(cloud, &arn).await? {
            keep("aws_iam_policy", &name, policy);
        }
    }
    for arn in resources::oidc_providers(cloud).await? {
        if let Some(provider) = unless_foreign(false, resources::oidc_provider_object(cloud, &arn).await)? {
            let host = arn.split_once(":oidc-provider/").map_or(arn.as_str(), |(_, host)| host);
            keep("aws_iam_openid_connect_provider", host, provider);
        }
    }
    for prefix in &prefixes {
        let looked = unless_unserved(unless_foreign(false, log_group(cloud, prefix).await))?;
        if let Some(object) = looked {
            // One that EKS made for a cluster of ours has no tag.
            let tagged = cloud.owns(&object) || owned.contains(prefix);
            found.push(Found { address: Address::new("aws_cloudwatch_log_group", &object.id), object, tagged });
        }
    }
    found.extend(networks(cloud).await?);
    Ok(found)
}

/// Networks and what is in them, by the tag alone: their names are nobody's.
async fn networks(cloud: &Cloud) -> Result<Vec<Found>> {
    let mut found = Vec::new();
    for part in NetworkPart::ALL {
        let objects = network(cloud, part).await?.into_iter();
        let one = |object: Object| Found { address: Address::new(part.kind(), &object.id), object, tagged: true };
        found.extend(objects.map(one));
    }
    Ok(found)
}

/// What carries the stack's tag of a network. Whoever may not list it has made none; an emulator without EC2 has none.
async fn network(cloud: &Cloud, part: NetworkPart) -> Result<Vec<Object>> {
    match resources::network_of_stack(cloud, part).await {
        Err(Error::Service { status: 501, .. }) => Ok(Vec::new()),
        Err(error) if error.is_refused() => Ok(Vec::new()),
        found => found,
    }
}

/// Whether a name is `prefix`, or begins with `prefix-`.
fn is_called(name: &str, prefix: &str) -> bool {
    name == prefix || name.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('-'))
}

/// Looks at everything in `names`, some at a time; what has gone meanwhile is left out.
async fn looked_at<F>(names: Vec<String>, look: impl Fn(String) -> F) -> Result<Vec<(String, Object)>>
where
    F: Future<Output = Result<Option<Object>>>,
{
    let looks = names.into_iter().map(|name| {
        let look = look(name.clone());
        async move { Ok(look.await?.map(|object| (name, object))) }
    });
    let found: Vec<Option<_>> = stream::iter(looks).buffered(AT_ONCE).try_collect().await?;
    Ok(found.into_iter().flatten().collect())
}

/// Resources for what [`find`] found, for `Graph::add_found`. Only what is tagged: the rest is not ours to remove. What
/// is declared already, as `declared` has it by its kind and id, is left out.
pub fn nodes(cloud: &Arc<Cloud>, found: &[Found], declared: &BTreeMap<(String, String), Address>) -> Vec<Node> {
    let ours: Vec<&Found> = found.iter().filter(|found| found.tagged).collect();
    let known = |found: &Found| declared.get(&(found.address.kind().to_owned(), found.object.id.clone()));
    let address = |found: &Found| known(found).unwrap_or(&found.address).clone();
    let made = ours.iter().filter(|found| known(found).is_none()).filter_map(|one| {
        let outlived_by = ours.iter().filter(|other| outlives(other, one)).map(|other| address(other)).collect();
        resources::rebuild(cloud, &one.address, &one.object.attributes, outlived_by)
    });
    made.collect()
}

/// What must outlive a kind in a network: what is in a VPC goes before it, and an address after what shows it (EC2 API Reference).
const NETWORK: [(&str, &[&str]); 7] = [
    ("aws_eks_cluster", &["aws_subnet", "aws_vpc"]),
    ("aws_eks_fargate_profile", &["aws_subnet", "aws_vpc"]),
    ("aws_nat_gateway", &["aws_eip", "aws_subnet", "aws_internet_gateway", "aws_vpc"]),
    ("aws_eip", &["aws_internet_gateway"]),
    ("aws_subnet", &["aws_vpc"]),
    ("aws_internet_gateway", &["aws_vpc"]),
    ("aws_route_table", &["aws_vpc"]),
];

/// Whether `other` must be there for as long as `one` is: the order in which EKS and IAM let them go.
fn outlives(other: &Found, one: &Found) -> bool {
    let names = |attribute: &str, of: &str| {
        let named = one.object.text(attribute);
        named.is_some() && named == other.object.text(of)
    };
    match (one.address.kind(), other.address.kind()) {
        ("aws_eks_fargate_profile" | "aws_eks_addon" | "aws_eks_access_entry", "aws_eks_cluster") => {
            names("cluster_name", "name")
        }
        // Its pods run on them.
        ("aws_eks_addon", "aws_eks_fargate_profile") => names("cluster_name", "cluster_name"),
        ("aws_eks_fargate_profile", "aws_iam_role") => names("pod_execution_role_arn", "arn"),
        ("aws_eks_addon", "aws_iam_role") => names("service_account_role_arn", "arn"),
        ("aws_eks_cluster", "aws_iam_role") => names("role_arn", "arn"),
        // EKS makes it anew for as long as it writes.
        ("aws_eks_cluster", "aws_cloudwatch_log_group") => {
            let cluster = other.object.text("name").and_then(resources::cluster_of_log_group);
            cluster.is_some() && cluster == one.object.text("name")
        }
        // A policy goes once nobody has it; whoever has it is not said, so every role goes first.
        ("aws_iam_role", "aws_iam_policy") => true,
        (one, other) => NETWORK.iter().any(|(of, needs)| *of == one && needs.contains(&other)),
    }
}

pub(crate) async fn clusters(cloud: &Cloud) -> Result<Vec<String>> {
    let (mut names, mut token) = (Vec::new(), None);
    loop {
        let answer = cloud.eks.list_clusters().set_next_token(token).send().await;
        let answer = match answer.map_err(|error| Error::from_sdk("eks:ListClusters", &error)) {
            // An emulator that has no EKS has no cluster either, and says so by this status alone.
            Err(Error::Service { status: 501, .. }) => return Ok(names),
            answer => answer?,
        };
        names.extend(answer.clusters.unwrap_or_default());
        token = answer.next_token;
        if token.is_none() {
            return Ok(names);
        }
    }
}

/// The group of the control plane of a cluster. What made it was allowed to look at it, so a refused look has found none of ours.
async fn log_group(cloud: &Cloud, cluster: &str) -> Result<Option<Object>> {
    resources::log_group_object(cloud, &resources::log_group_name(cluster)).await
}

/// What was found, unless an emulator has no such service: it says so by this status alone.
fn unless_unserved(looked: Result<Option<Object>>) -> Result<Option<Object>> {
    match looked {
        Err(Error::Service { status: 501, .. }) => Ok(None),
        looked => looked,
    }
}

/// Repositories that may be the stack's. Whoever may not list them has made none; an emulator without ECR has none.
async fn repositories(cloud: &Cloud, prefixes: &[String], scope: Scope) -> Result<Vec<(String, Object)>> {
    let names = match resources::ecr_repositories(cloud).await {
        Err(Error::Service { status: 501, .. }) => return Ok(Vec::new()),
        Err(error) if error.is_refused() => return Ok(Vec::new()),
        names => names?,
    };
    let is_ours = |name: &String| scope == Scope::Account || is_ours_by_name(name, prefixes);
    looked_at(names.into_iter().filter(is_ours).collect(), async |name: String| {
        let is_named = is_ours_by_name(&name, prefixes);
        unless_foreign(is_named, resources::ecr_repository_object(cloud, &name).await)
    })
    .await
}

/// The first part of a repository's name is that of a team or a stack.
fn is_ours_by_name(repository: &str, prefixes: &[String]) -> bool {
    let first = repository.split('/').next().unwrap_or_default();
    prefixes.iter().any(|prefix| is_called(first, prefix))
}

async fn role(cloud: &Cloud, name: String) -> Result<Option<Object>> {
    resources::role_object(cloud, &name).await
}

/// What was found, unless it is called like somebody else's and may not be looked at: what is ours is open to us.
fn unless_foreign(is_named: bool, looked: Result<Option<Object>>) -> Result<Option<Object>> {
    match looked {
        Err(error) if !is_named && error.is_refused() => Ok(None),
        looked => looked,
    }
}

/// The description of a role of the stack. A list of roles holds descriptions and no tags, so that a role of any name is found
/// without a look at each role of the account.
pub fn description(stack: &str, of: &str) -> String {
    format!("Sluice stack {stack}: {of}")
}

/// Names of the queues to look at, each once.
async fn queues(cloud: &Cloud, prefixes: &[String], scope: Scope) -> Result<Vec<String>> {
    let mut queues = match scope {
        Scope::Account => queue_names(cloud, None).await?,
        Scope::Names => {
            let mut names = Vec::new();
            for prefix in prefixes {
                names.extend(queue_names(cloud, Some(prefix)).await?);
            }
            names
        }
    };
    // One name may begin with two of the prefixes.
    queues.sort();
    queues.dedup();
    Ok(queues)
}

async fn queue_names(cloud: &Cloud, prefix: Option<&str>) -> Result<Vec<String>> {
    let (mut names, mut token) = (Vec::new(), None);
    loop {
        let call = cloud
            .sqs
            .list_queues()
            .set_queue_name_prefix(prefix.map(str::to_owned))
            .max_results(1000)
            .set_next_token(token);
        let answer = call.send().await.map_err(|error| Error::from_sdk("sqs:ListQueues", &error))?;
        let urls = answer.queue_urls.unwrap_or_default();
        names.extend(urls.iter().filter_map(|url| Some(url.rsplit_once('/')?.1.to_owned())));
        token = answer.next_token;
        if token.is_none() {
            return Ok(names);
        }
    }
}

/// Name and description of each.
async fn roles(cloud: &Cloud) -> Result<Vec<(String, String)>> {
    let (mut names, mut marker) = (Vec::new(), None);
    loop {
        let answer = cloud.iam.list_roles().max_items(PAGE).set_marker(marker).send().await;
        let answer = answer.map_err(|error| Error::from_sdk("iam:ListRoles", &error))?;
        // Roles of AWS's own services are never ours.
        let ours = answer.roles.into_iter().filter(|role| !role.path().starts_with("/aws-service-role/"));
        names.extend(ours.map(|role| (role.role_name, role.description.unwrap_or_default())));
        marker = answer.marker.filter(|_| answer.is_truncated);
        if marker.is_none() {
            return Ok(names);
        }
    }
}
