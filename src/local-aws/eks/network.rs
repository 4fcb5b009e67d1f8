//! A cluster's subnets, security groups, and who reaches its endpoint.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use serde_json::{Value, json};

use super::faults::invalid;
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::{identifier, strings};

/// CIDR blocks of one cluster (EKS service quotas, "Public endpoint access CIDR ranges per cluster").
const CIDRS_MAX: usize = 40;
const EVERYBODY: &str = "0.0.0.0/0";

/// `resourcesVpcConfig` of a new cluster, as it is shown.
pub(super) fn vpc(cloud: &Cloud, body: &Value) -> Result<Value, Fault> {
    let given = body.get("resourcesVpcConfig").ok_or_else(|| invalid("resourcesVpcConfig is required."))?;
    let subnets = strings::list(given.get("subnetIds"));
    check_subnets(&subnets)?;
    let groups = strings::list(given.get("securityGroupIds"));
    check_ids(&groups, "sg-", "securityGroup")?;
    let flag = |name: &str, default: bool| given.get(name).and_then(Value::as_bool).unwrap_or(default);
    let (public, private) = (flag("endpointPublicAccess", true), flag("endpointPrivateAccess", false));
    check_ways(public, private)?;
    let cidrs = strings::list(given.get("publicAccessCidrs"));
    check_cidrs(&cidrs)?;
    let vpc = subnets.iter().find_map(|subnet| cloud.ec2().vpc_of(subnet));
    Ok(json!({
        "subnetIds": subnets,
        // Of subnets that nobody made here nobody knows it.
        "vpcId": vpc.unwrap_or_else(|| identifier::ec2("vpc-")),
        "securityGroupIds": groups,
        "endpointPublicAccess": public,
        "endpointPrivateAccess": private,
        "publicAccessCidrs": if cidrs.is_empty() { vec![EVERYBODY.to_owned()] } else { cidrs },
    }))
}

/// What a cluster's configuration becomes by `change`, and which type of update that is; two types at once are refused.
pub(super) fn changed(now: &Value, change: &Value) -> Result<(&'static str, Value), Fault> {
    let has = |names: &[&str]| names.iter().any(|name| change.get(*name).is_some_and(|value| !value.is_null()));
    let endpoint = has(&["endpointPublicAccess", "endpointPrivateAccess", "publicAccessCidrs"]);
    let place = has(&["subnetIds", "securityGroupIds"]);
    if endpoint == place {
        return Err(invalid(if endpoint {
            "Only one type of update can be allowed."
        } else {
            "Invalid type for cluster update."
        }));
    }
    let mut vpc = now.clone();
    for (key, value) in change.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null()) {
        vpc[key] = value.clone();
    }
    if place {
        check_subnets(&strings::list(vpc.get("subnetIds")))?;
        check_ids(&strings::list(vpc.get("securityGroupIds")), "sg-", "securityGroup")?;
        return Ok(("VpcConfigUpdate", vpc));
    }
    let flag = |name: &str| vpc[name].as_bool().unwrap_or_default();
    let (public, private) = (flag("endpointPublicAccess"), flag("endpointPrivateAccess"));
    check_ways(public, private)?;
    let cidrs = strings::list(vpc.get("publicAccessCidrs"));
    check_cidrs(&cidrs)?;
    if vpc == *now {
        return Err(invalid(format!(
            "Cluster is already at the desired configuration with endpointPrivateAccess: {private} , endpointPublicAccess: {public}, and Public Endpoint Restrictions: [{}]",
            cidrs.join(", ")
        )));
    }
    Ok(("EndpointAccessUpdate", vpc))
}

/// A change's members by the names that an update has for them.
pub(super) fn parameters(change: &Value) -> Value {
    const NAMES: [(&str, &str); 5] = [
        ("subnetIds", "Subnets"),
        ("securityGroupIds", "SecurityGroups"),
        ("endpointPublicAccess", "EndpointPublicAccess"),
        ("endpointPrivateAccess", "EndpointPrivateAccess"),
        ("publicAccessCidrs", "PublicAccessCidrs"),
    ];
    let named = NAMES.iter().filter_map(|(ours, theirs)| Some(((*theirs).to_owned(), change.get(*ours)?.clone())));
    Value::Object(named.collect())
}

fn check_ways(public: bool, private: bool) -> Result<(), Fault> {
    if public || private { Ok(()) } else { Err(invalid("Private and public endpoint access cannot be false")) }
}

fn check_subnets(subnets: &[String]) -> Result<(), Fault> {
    // One subnet cannot be in two zones.
    if subnets.iter().collect::<BTreeSet<_>>().len() < 2 {
        return Err(invalid("Subnets specified must be in at least two different AZs"));
    }
    check_ids(subnets, "subnet-", "subnet")
}

/// Ids are checked by their form only, so that clusters can be made of any.
pub(super) fn check_ids(ids: &[String], prefix: &str, what: &str) -> Result<(), Fault> {
    let fine = |id: &&String| {
        id.strip_prefix(prefix)
            .is_some_and(|rest| !rest.is_empty() && rest.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'))
    };
    match ids.iter().find(|id| !fine(id)) {
        Some(bad) => Err(invalid(format!("The {what} ID '{bad}' does not exist"))),
        None => Ok(()),
    }
}

/// Blocks of public IPv4 addresses: a local cluster has no IPv6, and from private addresses nobody comes to a public endpoint.
fn check_cidrs(cidrs: &[String]) -> Result<(), Fault> {
    let bad: Vec<&str> = cidrs.iter().map(String::as_str).filter(|cidr| !is_public_block(cidr)).collect();
    if !bad.is_empty() {
        return Err(invalid(format!("The following CIDRs are invalid in publicAccessCidrs: [{}]", bad.join(","))));
    }
    if cidrs.len() > CIDRS_MAX {
        return Err(invalid(format!("publicAccessCidrs can have at most {CIDRS_MAX} CIDR blocks")));
    }
    Ok(())
}

fn is_public_block(cidr: &str) -> bool {
    let Some((address, length)) = cidr.split_once('/') else { return false };
    let (Ok(address), Ok(length)) = (address.parse::<Ipv4Addr>(), length.parse::<u32>()) else { return false };
    let is_private = address.is_private() || address.is_loopback() || address.is_link_local() || address.is_multicast();
    length <= 32 && (cidr == EVERYBODY || !(is_private || address.is_unspecified()))
}
