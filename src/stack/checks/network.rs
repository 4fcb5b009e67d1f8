//! The network that the stack makes: its block of addresses, and what contradicts it.

use crate::model::Cluster;
use crate::network;
use yaml::Findings;

pub(super) fn check(findings: &mut Findings, cluster: &Cluster) {
    if !cluster.makes_network {
        return;
    }
    if network::blocks(&cluster.vpc_cidr).is_none() {
        let cause = format!("{:?} is no block that a VPC with four subnets can have", cluster.vpc_cidr);
        let next = "write a private one of /16 to /24 without bits beyond its length, such as \"10.0.0.0/16\"";
        findings.problem("cluster.vpcCidr", cause, next);
    }
    let key = if cluster.subnets.is_empty() { "cluster.vpc" } else { "cluster.subnets" };
    if !cluster.subnets.is_empty() || cluster.vpc.is_some() {
        let next = format!("leave {key} out, or leave cluster.network out to use it");
        findings.problem(key, "the stack makes a network of its own (cluster.network: create) and uses no other", next);
    }
}
