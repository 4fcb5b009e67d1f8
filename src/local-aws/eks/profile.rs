//! Fargate profiles: immutable, and one operation at a time per cluster.

use http::Method;
use serde_json::{Value, json};

use super::faults::{in_use, invalid, limit, not_found, unknown};
use super::input::{check_tags, date, page, required, tags};
use super::lifecycle;
use super::network::check_ids;
use super::request_context::RequestContext;
use super::store::{Cluster, Profile};
use crate::fault::Fault;
use crate::identifier;
use crate::strings;

/// AWS's default quota.
const PROFILES_MAX: usize = 10;
const SELECTORS_MAX: usize = 5;
const LABELS_MAX: usize = 5;
const SERVICE: &str = "eks-fargate-pods.amazonaws.com";

impl Profile {
    fn value(&self, cluster: &str) -> Value {
        json!({
            "fargateProfileName": self.name,
            "fargateProfileArn": self.arn,
            "clusterName": cluster,
            "createdAt": date(self.created_at),
            "podExecutionRoleArn": self.role_arn,
            "subnets": self.subnets,
            "selectors": self.selectors,
            "status": self.status,
            "tags": self.tags,
            "health": { "issues": [] },
        })
    }
}

pub(super) fn call(context: &RequestContext<'_>, cluster: &str, rest: &[&str]) -> Result<Value, Fault> {
    match (&context.request.method, rest) {
        (&Method::POST, []) => create(context, cluster),
        (&Method::GET, []) => {
            context.allowed_on("ListFargateProfiles", cluster, None)?;
            let names = context.cloud.eks().cluster(cluster)?.profiles.keys().map(|name| json!(name)).collect();
            page(context.request, "fargateProfileNames", names)
        }
        (&Method::GET, [name]) => {
            context.allowed_on("DescribeFargateProfile", cluster, Some(("fargateprofile", name)))?;
            let mut store = context.cloud.eks();
            let profile = store.cluster(cluster)?.profiles.get(*name).ok_or_else(|| no_profile(name))?;
            Ok(json!({ "fargateProfile": profile.value(cluster) }))
        }
        (&Method::DELETE, [name]) => delete(context, cluster, name),
        _ => Err(unknown(context.request)),
    }
}

fn no_profile(name: &str) -> Fault {
    not_found(format!("No Fargate Profile found with name: {name}.")).with_detail("fargateProfileName", name)
}

/// AWS takes one profile operation at a time per cluster (`docs/rules.md#eks-one-change-at-a-time`).
fn idle(cluster: &Cluster, verb: &str, name: &str) -> Result<(), Fault> {
    match cluster.profiles.values().find(|profile| matches!(profile.status, "CREATING" | "DELETING")) {
        Some(busy) => Err(in_use(format!(
            "Cannot {verb} Fargate Profile {name} because cluster {} currently has Fargate profile {} in status {}",
            cluster.name, busy.name, busy.status
        ))
        .with_detail("clusterName", cluster.name.as_str())),
        None => Ok(()),
    }
}

fn selectors(body: &Value) -> Result<Value, Fault> {
    let list = body.get("selectors").and_then(Value::as_array).cloned().unwrap_or_default();
    if list.is_empty() {
        return Err(invalid("Fargate profile must have at least one selector."));
    }
    if list.len() > SELECTORS_MAX {
        return Err(invalid(format!(
            "Fargate profile can have at most {SELECTORS_MAX} selectors, {} were given.",
            list.len()
        )));
    }
    for selector in &list {
        if selector.get("namespace").and_then(Value::as_str).is_none_or(str::is_empty) {
            return Err(invalid("A Fargate profile selector must have a namespace."));
        }
        if selector.get("labels").and_then(Value::as_object).is_some_and(|labels| labels.len() > LABELS_MAX) {
            return Err(invalid(format!("A Fargate profile selector can have at most {LABELS_MAX} labels.")));
        }
    }
    Ok(Value::Array(list))
}

fn create(context: &RequestContext<'_>, cluster_name: &str) -> Result<Value, Fault> {
    context.allowed_on("CreateFargateProfile", cluster_name, None)?;
    let body = &context.body;
    let name = required(body, "fargateProfileName")?.to_owned();
    let role_arn = required(body, "podExecutionRoleArn")?.to_owned();
    context.may_pass(&role_arn, SERVICE, cluster_name)?;
    context.link("eks-fargate.amazonaws.com", "AWSServiceRoleForAmazonEKSForFargate")?;
    let plain = name.len() <= 100 && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if !plain || name.starts_with("eks-") {
        return Err(invalid(format!(
            "The Fargate profile name '{name}' is invalid: letters, digits, - and _, at most 100, not starting with eks-."
        )));
    }
    let selectors = selectors(body)?;
    let subnets = strings::list(body.get("subnets"));
    check_ids(&subnets, "subnet-", "subnet")?;
    if let Some(subnet) = context.cloud.ec2().public_of(&subnets) {
        return Err(invalid(format!("Subnet {subnet} provided in Fargate Profile is not a private subnet")));
    }
    let tags = tags(body);
    check_tags(&tags)?;
    let arn = format!(
        "arn:aws:eks:{}:{}:fargateprofile/{cluster_name}/{name}/{}",
        context.cloud.region,
        context.cloud.account,
        identifier::uuid()
    );
    // The cluster is looked at first, as AWS does: a missing one is the clearer error.
    context.cloud.eks().cluster(cluster_name)?.must_be_active()?;
    if role_arn.split_once(":role/").is_some_and(|(_, name)| name.contains('/')) {
        return Err(invalid(format!("The pod execution role {role_arn} must have the path /.")));
    }
    if !context.cloud.trusts_service(&role_arn, SERVICE, &arn) {
        return Err(invalid(format!(
            "Misconfigured PodExecutionRole Trust Policy; Please add the {SERVICE} Service Principal"
        )));
    }
    let mut store = context.cloud.eks();
    let cluster = store.cluster(cluster_name)?;
    if cluster.profiles.contains_key(&name) {
        return Err(in_use(format!("A Fargate Profile already exists with name: {name}"))
            .with_detail("fargateProfileName", name));
    }
    if cluster.profiles.len() >= PROFILES_MAX {
        return Err(limit(format!("Fargate profile limit exceeded: {PROFILES_MAX} per cluster")));
    }
    idle(cluster, "create", &name)?;
    let subnets = if subnets.is_empty() { cluster.vpc["subnetIds"].clone() } else { json!(subnets) };
    let profile = Profile {
        name: name.clone(),
        arn,
        role_arn,
        subnets,
        selectors,
        status: "CREATING",
        created_at: context.call.now,
        tags,
    };
    let value = profile.value(cluster_name);
    cluster.profiles.insert(name.clone(), profile);
    lifecycle::change_after(context.cloud, cluster_name, lifecycle::Step::ProfileCreation, move |cluster| {
        if let Some(profile) = cluster.profiles.get_mut(&name) {
            profile.status = "ACTIVE";
        }
    });
    Ok(json!({ "fargateProfile": value }))
}

fn delete(context: &RequestContext<'_>, cluster_name: &str, name: &str) -> Result<Value, Fault> {
    context.allowed_on("DeleteFargateProfile", cluster_name, Some(("fargateprofile", name)))?;
    let mut store = context.cloud.eks();
    let cluster = store.cluster(cluster_name)?;
    if !cluster.profiles.contains_key(name) {
        return Err(no_profile(name));
    }
    idle(cluster, "delete", name)?;
    let profile = cluster.profiles.get_mut(name).ok_or_else(|| no_profile(name))?;
    profile.status = "DELETING";
    let value = profile.value(cluster_name);
    drop(store);
    // From now on no pod matches it; its pods end before it is gone.
    lifecycle::notify(context.cloud, cluster_name);
    let gone = name.to_owned();
    lifecycle::change_after(context.cloud, cluster_name, lifecycle::Step::ProfileDeletion, move |cluster| {
        cluster.profiles.remove(&gone);
    });
    Ok(json!({ "fargateProfile": value }))
}
