//! The network of a stack that is given none: a VPC with a private subnet in each of two zones, whose way out is a NAT gateway in a
//! public one.
//!
//! One NAT gateway serves both zones: a second would cost as much again, and a stack that proves scaling can do without its zone.

use provision::{Address, State};
use serde_json::json;
use stack::{Names, Stack, network};

use super::Declared;
use crate::diagnostic::{Diagnostic, Outcome, preflight};

/// What must be there before a pod can fetch its image.
pub(super) fn way_out() -> Address {
    Address::new("aws_route_table", "private")
}

/// Refuses to move a cluster out of the network that the stack made: EKS gives a cluster no subnets of another VPC, and the network
/// cannot go while the cluster is in it.
pub(crate) fn check_stays(stack: &Stack, state: &State) -> Outcome<()> {
    let is_recorded = |address: &Address| state.resources.contains_key(address);
    let is_inside = is_recorded(&Address::new("aws_vpc", "this")) && is_recorded(&super::cluster_address());
    if stack.cluster.makes_network || !is_inside {
        return Ok(());
    }
    let text = "the cluster is in the network that the stack made, and EKS moves no cluster to another";
    let help = "keep `cluster.network: create`; or take the stack down with `sluice down`, and bring it up in the other network";
    Err(preflight(Diagnostic::error(text).help(help)))
}

/// Declares all of it; the private subnets, as references.
pub(super) fn declare(declared: &mut Declared<'_>, names: &Names, cidr: &str) -> Vec<String> {
    let part_name = |part: &str| format!("{}-{part}", names.cluster);
    // A block that cannot be dealt out was refused when the file was read.
    let [first, second, public] = network::blocks(cidr).unwrap_or_default();
    let vpc = "${aws_vpc.this.id}";
    let attributes = json!({
        "name": names.cluster, "cidr_block": cidr,
        // Nodes find the cluster's private endpoint by its name.
        "enable_dns_support": true, "enable_dns_hostnames": true,
    });
    declared.add("aws_vpc", "this", attributes, &[]);
    let mut private = Vec::new();
    for (label, block, zone) in [("private_a", &first, 0), ("private_b", &second, 1), ("public", &public, 0)] {
        let name = part_name(&label.replace('_', "-"));
        let attributes = json!({ "name": name, "vpc_id": vpc, "cidr_block": block, "zone": zone });
        declared.add("aws_subnet", label, attributes, &[]);
        if label != "public" {
            private.push(format!("${{aws_subnet.{label}.id}}"));
        }
    }
    declared.add("aws_internet_gateway", "this", json!({ "name": names.cluster, "vpc_id": vpc }), &[]);
    let out = json!({ "0.0.0.0/0": "${aws_internet_gateway.this.id}" });
    let public = json!({
        "name": part_name("public"), "vpc_id": vpc, "routes": out, "subnet_ids": ["${aws_subnet.public.id}"],
    });
    declared.add("aws_route_table", "public", public, &[]);
    let gateway = Address::new("aws_internet_gateway", "this");
    declared.add("aws_eip", "nat", json!({ "name": part_name("nat") }), std::slice::from_ref(&gateway));
    let nat = json!({
        "name": part_name("nat"), "subnet_id": "${aws_subnet.public.id}", "allocation_id": "${aws_eip.nat.id}",
    });
    declared.add("aws_nat_gateway", "this", nat, &[gateway]);
    let out = json!({ "0.0.0.0/0": "${aws_nat_gateway.this.id}" });
    let table = json!({ "name": part_name("private"), "vpc_id": vpc, "routes": out, "subnet_ids": private });
    declared.add("aws_route_table", "private", table, &[]);
    private
}
