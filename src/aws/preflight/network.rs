//! The network that control plane and pods get: subnets, zones, the way out, names.
//!
//! Sources: EKS User Guide, "Amazon EKS networking requirements for VPC and subnets" (two zones, six addresses in each subnet, DNS),
//! "Simplify compute management with AWS Fargate" (private subnets only), "Deploy private clusters with limited internet access"
//! (endpoints); awslabs/eks-perf-tests 195 for what EKS counts as private.

use std::collections::BTreeSet;

use futures::future::join4;

use super::finding::{Check, Finding};
use super::regions;
use super::wanted::Cluster;
use crate::ec2::{self, Endpoint, RouteTable, Subnet};
use crate::error::Result;
use crate::session::Session;

/// Addresses that EKS wants in each subnet for itself.
const OF_EKS: u32 = 6;
/// What pods of the stack call: their image (whose layers are in S3), their role, their queue. Where there is no way out, each
/// needs an endpoint. An image of another registry needs the way out.
const CALLED: [&str; 5] = ["ecr.api", "ecr.dkr", "s3", "sqs", "sts"];

/// What EC2 says of the VPC of the subnets.
#[derive(Debug)]
struct Vpc {
    tables: Result<Vec<RouteTable>>,
    endpoints: Result<Vec<Endpoint>>,
    dns_support: Result<bool>,
    dns_hostnames: Result<bool>,
}

pub(super) async fn look(session: &Session, wanted: &Cluster) -> Vec<Finding> {
    let region = session.region();
    if wanted.makes_network {
        return vec![evaluate_zones(region, ec2::zones(session).await)];
    }
    if wanted.subnets.is_empty() {
        return evaluate_subnets(region, wanted, &[]);
    }
    let subnets = match ec2::subnets(session, &wanted.subnets).await {
        Ok(subnets) => subnets,
        Err(error) => {
            let later = Some("eks:CreateFargateProfile");
            return vec![Finding::of_read(Check::Network, "the subnets", &error, later)];
        }
    };
    let mut found = evaluate_subnets(region, wanted, &subnets);
    for vpc in vpcs(&subnets) {
        let reads = join4(
            ec2::route_tables(session, vpc),
            ec2::endpoints(session, vpc),
            ec2::vpc_attribute(session, vpc, "enableDnsSupport"),
            ec2::vpc_attribute(session, vpc, "enableDnsHostnames"),
        );
        let (tables, endpoints, dns_support, dns_hostnames) = Box::pin(reads).await;
        let of_vpc: Vec<&Subnet> = subnets.iter().filter(|subnet| subnet.vpc == vpc).collect();
        let read = Vpc { tables, endpoints, dns_support, dns_hostnames };
        found.extend(evaluate_routes(&of_vpc, &read));
        found.extend(evaluate_names(vpc, &read));
    }
    found
}

/// A network of the stack's own needs two zones that serve.
fn evaluate_zones(region: &str, zones: Result<Vec<(String, String)>>) -> Finding {
    let zones = match zones {
        Ok(zones) => zones,
        Err(error) => {
            return Finding::of_read(Check::Network, "the zones of the region", &error, Some("ec2:CreateSubnet"));
        }
    };
    let serving = zones.iter().filter(|(_, id)| regions::serves(region, id)).count();
    if serving < 2 {
        let text =
            format!("{region} has {serving} zones that are open to the account and have Fargate, and EKS needs two");
        return problem(text, "choose another region with --region");
    }
    Finding::fine(Check::Network, format!("the stack makes its own network in two of the {serving} zones of {region}"))
}

fn vpcs(subnets: &[Subnet]) -> BTreeSet<&str> {
    subnets.iter().map(|subnet| subnet.vpc.as_str()).collect()
}

fn problem(text: impl Into<String>, repair: impl Into<String>) -> Finding {
    Finding::problem(Check::Network, text, repair)
}

/// What the subnets themselves say.
fn evaluate_subnets(region: &str, wanted: &Cluster, subnets: &[Subnet]) -> Vec<Finding> {
    let mut found = Vec::new();
    for id in wanted.subnets.iter().filter(|id| subnets.iter().all(|subnet| subnet.id != **id)) {
        let repair = "look at `aws ec2 describe-subnets`, and mend cluster.subnets (or the region, or the account)";
        found.push(problem(format!("there is no subnet {id} in {region}"), repair));
    }
    let distinct: BTreeSet<&String> = wanted.subnets.iter().collect();
    if distinct.len() < 2 {
        found.push(problem(
            "EKS needs at least two private subnets in different zones, the stack names fewer",
            "list them under cluster.subnets in stack.yaml, or let the stack make a network with `cluster.network: create`",
        ));
    }
    let zones: BTreeSet<&str> = subnets.iter().map(|subnet| subnet.zone_id.as_str()).collect();
    if subnets.len() > 1 && zones.len() < 2 {
        let zone = &subnets[0].zone;
        let repair = "name subnets of at least two zones under cluster.subnets";
        found.push(problem(format!("all subnets are in zone {zone}, and EKS needs two zones"), repair));
    }
    let vpcs = vpcs(subnets);
    if vpcs.len() > 1 {
        let vpcs: Vec<_> = vpcs.iter().copied().collect();
        let repair = "name subnets of one VPC under cluster.subnets";
        found.push(problem(format!("the subnets are of different VPCs: {}", vpcs.join(", ")), repair));
    }
    for subnet in subnets {
        found.extend(evaluate_subnet(region, wanted, subnet));
    }
    found.extend(evaluate_addresses(wanted, subnets));
    if found.is_empty() {
        let text = format!("{} subnets in {} zones of {}", subnets.len(), zones.len(), subnets[0].vpc);
        found.push(Finding::fine(Check::Network, text));
    }
    found
}

fn evaluate_subnet(region: &str, wanted: &Cluster, subnet: &Subnet) -> Vec<Finding> {
    let Subnet { id, vpc, zone, zone_id, free } = subnet;
    let mut found = Vec::new();
    if let Some(named) = wanted.vpc.as_ref().filter(|named| *named != vpc) {
        let repair = "name a subnet of that VPC, or mend cluster.vpc";
        found.push(problem(format!("subnet {id} is of {vpc}, and cluster.vpc says {named}"), repair));
    }
    if let Some(offered) = regions::without_fargate(region, zone_id) {
        let repair = format!("name a subnet in one of the zones {}", offered.join(", "));
        found.push(problem(format!("subnet {id} is in zone {zone} ({zone_id}), where Fargate is not offered"), repair));
    }
    if regions::is_without_control_plane(region, zone_id) {
        let repair = "name a subnet in another zone";
        found.push(problem(
            format!("subnet {id} is in zone {zone} ({zone_id}), where EKS puts no control plane"),
            repair,
        ));
    }
    if *free < OF_EKS {
        let repair = format!("EKS wants {OF_EKS} for itself: free some, or name another subnet");
        found.push(problem(format!("subnet {id} has {free} free addresses"), repair));
    }
    found
}

/// Whether all pods get an address, beside what EKS takes for itself.
fn evaluate_addresses(wanted: &Cluster, subnets: &[Subnet]) -> Option<Finding> {
    // Subnets that lack even those of EKS have been named.
    let free: u32 = subnets.iter().map(|subnet| subnet.free.saturating_sub(OF_EKS)).sum();
    (!subnets.is_empty() && free < wanted.pods && subnets.iter().all(|subnet| subnet.free >= OF_EKS)).then(|| {
        let pods = wanted.pods;
        problem(
            format!("the subnets have {free} free addresses beside those of EKS, and up to {pods} pods need one each"),
            "free some, name larger subnets, or lower maxReplicaCount",
        )
    })
}

/// Where the subnets' routes lead.
fn evaluate_routes(subnets: &[&Subnet], vpc: &Vpc) -> Vec<Finding> {
    let tables = match &vpc.tables {
        Ok(tables) => tables,
        Err(error) => {
            let later = Some("eks:CreateFargateProfile");
            return vec![Finding::of_read(Check::Network, "whether the subnets are private", error, later)];
        }
    };
    let mut found = Vec::new();
    for subnet in subnets {
        let own = tables.iter().find(|table| table.subnets.contains(&subnet.id));
        let Some(table) = own.or_else(|| tables.iter().find(|table| table.main)) else {
            found.push(Finding::unchecked(
                Check::Network,
                &format!("whether {} is private", subnet.id),
                "it has no route table",
            ));
            continue;
        };
        found.extend(evaluate_table(subnet, table, &vpc.endpoints));
    }
    if found.is_empty() {
        found.push(Finding::fine(Check::Network, "the subnets are private, and pods have a way out"));
    }
    found
}

fn evaluate_table(subnet: &Subnet, table: &RouteTable, endpoints: &Result<Vec<Endpoint>>) -> Option<Finding> {
    let (id, table_id) = (&subnet.id, &table.id);
    if let Some(gateway) = table.routes.iter().find(|route| route.target.starts_with("igw-")) {
        let repair = "name private subnets, whose way out is a NAT gateway: Fargate takes no others";
        let target = &gateway.target;
        return Some(problem(format!("subnet {id} is public: its route table {table_id} leads to {target}"), repair));
    }
    let out = table.routes.iter().find(|route| route.destination == "0.0.0.0/0");
    if out.is_some_and(|route| route.active) {
        return None;
    }
    let why = match out {
        Some(route) => format!("the way out of subnet {id} is a black hole: {} is gone ({table_id})", route.target),
        None => format!("subnet {id} has no way out ({table_id})"),
    };
    let endpoints = match endpoints {
        Ok(endpoints) => endpoints,
        Err(error) => {
            let what = format!("{why}; whether endpoints stand in for it");
            return Some(Finding::of_read(Check::Network, &what, error, None));
        }
    };
    let missing: Vec<&str> = CALLED.into_iter().filter(|name| !reaches(endpoints, name, table_id)).collect();
    (!missing.is_empty()).then(|| {
        let repair = "route 0.0.0.0/0 to a NAT gateway, or make these endpoints, with private DNS names";
        problem(format!("{why}, and the VPC has no endpoints for {}", missing.join(", ")), repair)
    })
}

/// Whether pods of subnets with this table reach a service by an endpoint.
fn reaches(endpoints: &[Endpoint], service: &str, table: &str) -> bool {
    let ending = format!(".{service}");
    endpoints.iter().any(|endpoint| {
        let leads = match &endpoint.tables {
            Some(tables) => tables.iter().any(|one| one == table),
            None => endpoint.private_dns,
        };
        endpoint.service.ends_with(&ending) && endpoint.state == "available" && leads
    })
}

/// Whether names resolve in the VPC: the cluster's endpoint has one, and so has every endpoint.
fn evaluate_names(vpc: &str, read: &Vpc) -> Vec<Finding> {
    let attributes = [
        ("enableDnsSupport", "dns-support", &read.dns_support),
        ("enableDnsHostnames", "dns-hostnames", &read.dns_hostnames),
    ];
    let found: Vec<Finding> = attributes
        .into_iter()
        .filter_map(|(name, option, value)| match value {
            Ok(true) => None,
            Ok(false) => Some(problem(
                format!("{vpc} has {name} off, and nodes do not find the cluster's private endpoint"),
                format!("switch it on: `aws ec2 modify-vpc-attribute --vpc-id {vpc} --enable-{option}`"),
            )),
            Err(error) => Some(Finding::of_read(Check::Network, &format!("{name} of {vpc}"), error, None)),
        })
        .collect();
    if found.is_empty() { vec![Finding::fine(Check::Network, format!("names resolve in {vpc}"))] } else { found }
}

#[cfg(test)]
mod tests;
