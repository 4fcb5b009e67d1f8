//! Rules of AWS for what a stack says of its account: tags, roles, the cluster's endpoint, key and logs. AWS would say the same
//! after the first things were made.

use std::net::Ipv4Addr;

use crate::checks::matches;
use crate::model::{ApiEndpoint, Stack};
use crate::region;
use yaml::Findings;

/// Tags of one resource (IAM, EKS, SQS and CloudWatch Logs alike), less the three of the stack's own.
const TAGS_MAX: usize = 47;
const TAG_KEY_MAX: usize = 128;
const TAG_VALUE_MAX: usize = 256;
/// What IAM takes in keys and values, the strictest of the services (IAM API Reference, Tag).
const TAG_CHARACTERS: &str = r"^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$";
/// IAM's limit for a path.
const PATH_MAX: usize = 512;
/// CIDR blocks of a public endpoint (EKS service quotas).
const CIDRS_MAX: usize = 40;
/// Days that PutRetentionPolicy takes (CloudWatch Logs API Reference), and for ever.
const RETENTION: [u32; 23] =
    [0, 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];

/// Checks all of it.
pub(super) fn check(findings: &mut Findings, stack: &Stack) {
    check_tags(findings, stack);
    check_roles(findings, stack);
    check_endpoint(findings, &stack.cluster.endpoint);
    check_key(findings, stack);
    let days = stack.cluster.log_retention_days;
    if !RETENTION.contains(&days) {
        let allowed: Vec<String> = RETENTION[1..].iter().map(u32::to_string).collect();
        let next = format!("use one of {}, or 0 to keep them for ever", allowed.join(", "));
        findings.problem("cluster.logRetention", format!("CloudWatch Logs does not keep logs for {days} days"), next);
    }
}

fn check_tags(findings: &mut Findings, stack: &Stack) {
    for (key, value) in &stack.tags {
        let at = format!("tags.{key}");
        let lower = key.to_lowercase();
        let (length, of_value) = (key.chars().count(), value.chars().count());
        if key.is_empty() || length > TAG_KEY_MAX || of_value > TAG_VALUE_MAX {
            let cause = format!("the key has {length} characters and the value {of_value}");
            findings.problem(&at, cause, "AWS takes 1 to 128 in a key, and up to 256 in a value");
        }
        if !matches(TAG_CHARACTERS, key) || !matches(TAG_CHARACTERS, value) {
            let next = "use letters, digits, spaces and _ . : / = + - @";
            findings.problem(&at, format!("{key:?}: {value:?} has characters that AWS does not take in tags"), next);
        }
        if lower.starts_with("aws:") || lower.starts_with("sluice:") {
            let whose = if lower.starts_with("aws:") { "AWS" } else { "Sluice" };
            findings.problem(&at, format!("{whose} keeps keys that begin so for itself"), "choose another key");
        }
        // For IAM a role has one tag of these, for the other services two.
        if stack.tags.keys().any(|other| other < key && other.to_lowercase() == lower) {
            findings.problem(&at, "another key differs from it only by small and capital letters", "leave one out");
        }
    }
    if stack.tags.len() > TAGS_MAX {
        let cause = format!("{} tags, and a thing on AWS has at most 50, three of them Sluice's", stack.tags.len());
        findings.problem("tags", cause, format!("leave out {} or more", stack.tags.len() - TAGS_MAX));
    }
}

fn check_roles(findings: &mut Findings, stack: &Stack) {
    let path = &stack.roles.path;
    // IAM API Reference, CreateRole: printable ASCII that begins and ends with a slash.
    if !matches(r"^/([!-.0-~]+/)*$", path) || path.len() > PATH_MAX {
        let next =
            "write one such as \"/team/\": up to 512 characters without spaces, beginning and ending with a slash";
        findings.problem("roles.path", format!("{path:?} is no path of IAM"), next);
    } else if path.starts_with("/aws-service-role/") || path.starts_with("/aws-reserved/") {
        findings.problem("roles.path", format!("{path:?} is for roles of AWS's own"), "choose another path");
    }
    let Some(boundary) = &stack.roles.permissions_boundary else { return };
    let key = "roles.permissionsBoundary";
    if matches(r"^arn:aws[a-z-]*:iam::(\d{12}|aws):policy/[\w+=,.@/-]+$", boundary) {
        check_partition(findings, key, boundary, stack);
    } else {
        let next = "write the ARN of a managed policy, such as arn:aws:iam::111122223333:policy/boundary";
        findings.problem(key, format!("{boundary:?} is no ARN of a policy"), next);
    }
}

fn check_partition(findings: &mut Findings, key: &str, arn: &str, stack: &Stack) {
    let (wanted, found) = (region::partition(&stack.region), arn.split(':').nth(1).unwrap_or_default());
    if wanted != found {
        let cause = format!("{arn} is of the partition {found}, and {} of {wanted}", stack.region);
        findings.problem(key, cause, format!("write an ARN that begins with \"arn:{wanted}:\""));
    }
}

fn check_endpoint(findings: &mut Findings, endpoint: &ApiEndpoint) {
    let key = "cluster.endpoint";
    let cidrs = &endpoint.public_access_cidrs;
    if !endpoint.public && !endpoint.private {
        let next = "leave one of the two at true";
        findings.problem(key, "nobody would reach an endpoint that is neither public nor private", next);
    }
    if !endpoint.public && !cidrs.is_empty() {
        let next = "leave them out, or set cluster.endpoint.public to true";
        findings.problem("cluster.endpoint.publicAccessCidrs", "the endpoint is not public", next);
    }
    if !endpoint.public && endpoint.private {
        let cause = "the API server is reached from within the VPC alone";
        findings.warning("cluster.endpoint.public", cause, "run sluice where it has a way into the VPC");
    }
    if endpoint.public && !endpoint.private && !cidrs.is_empty() {
        let cause = "pods on Fargate reach the API server over the internet, so the blocks must cover their addresses";
        let next = "name the address of the NAT gateway as well, or leave cluster.endpoint.private at true";
        findings.warning("cluster.endpoint.publicAccessCidrs", cause, next);
    }
    if cidrs.len() > CIDRS_MAX {
        let cause = format!("{} blocks, and EKS takes {CIDRS_MAX}", cidrs.len());
        findings.problem("cluster.endpoint.publicAccessCidrs", cause, "join some of them");
    }
    for (index, cidr) in cidrs.iter().enumerate() {
        let key = format!("cluster.endpoint.publicAccessCidrs[{index}]");
        if let Err((cause, next)) = check_cidr(cidr) {
            findings.problem(&key, format!("{cidr:?} {cause}"), next);
        } else if cidrs[..index].contains(cidr) {
            findings.problem(&key, format!("{cidr} is listed twice"), "leave one of the two out");
        }
    }
}

/// A block of public IPv4 addresses, whole; otherwise what is wrong with it and what to do.
fn check_cidr(cidr: &str) -> Result<(), (String, String)> {
    let form = || ("is no block of IPv4 addresses".to_owned(), "write one such as \"203.0.113.0/24\"".to_owned());
    let (address, length) = cidr.split_once('/').ok_or_else(|| match cidr.parse::<Ipv4Addr>() {
        Ok(one) => (form().0, format!("write \"{one}/32\" for this one address")),
        Err(_) => form(),
    })?;
    let address: Ipv4Addr = address.parse().map_err(|_| form())?;
    let is_number = length.len() <= 2 && length.bytes().all(|digit| digit.is_ascii_digit());
    let length: u32 = length.parse().ok().filter(|length| *length <= 32 && is_number).ok_or_else(form)?;
    let mask = u32::MAX.checked_shl(32 - length).unwrap_or(0);
    let first = Ipv4Addr::from(address.to_bits() & mask);
    if first != address {
        return Err((
            format!("begins in the middle of a block of {length} bits"),
            format!("write \"{first}/{length}\" for the block, or \"{address}/32\" for the one address"),
        ));
    }
    let is_public = !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_broadcast()
        || (address.octets()[0] == 100 && (64..128).contains(&address.octets()[1])));
    if !is_public {
        let next = "name public addresses; within the VPC cluster.endpoint.private lets everybody in".to_owned();
        return Err(("is not of the internet, from which alone a public endpoint is reached".to_owned(), next));
    }
    Ok(())
}

fn check_key(findings: &mut Findings, stack: &Stack) {
    let Some(name) = &stack.cluster.secrets_key else { return };
    let key = "cluster.secretsKey";
    let is_arn = matches(r"^arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:(key/[A-Za-z0-9-]+|alias/[A-Za-z0-9/_-]+)$", name);
    if !is_arn && !matches("^alias/[A-Za-z0-9/_-]+$", name) {
        let next = "write the key's ARN, or an alias such as \"alias/eks-secrets\"";
        return findings.problem(key, format!("{name:?} is neither the ARN nor an alias of a KMS key"), next);
    }
    if name.rsplit_once("alias/aws/").is_some() {
        let next = "name a key of your own, or leave it out: EKS encrypts with AWS's key then";
        return findings.problem(key, format!("{name:?} is a key that AWS manages"), next);
    }
    if !is_arn {
        return;
    }
    check_partition(findings, key, name, stack);
    let region = name.split(':').nth(3).unwrap_or_default();
    if region != stack.region {
        let cause = format!("the key is in {region}, and a cluster in {} takes keys of that region", stack.region);
        findings.problem(key, cause, "name a key of the stack's region");
    }
}
