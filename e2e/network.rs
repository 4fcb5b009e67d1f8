//! A network of the stack's own: made before the cluster, found again without a record, and gone afterwards.

use serde_json::Value;

use crate::workspace::Workspace;

const STACK: &str = "cluster: {network: create, vpcCidr: 10.20.0.0/16}\n";
/// One VPC, three subnets, the two gateways, an address and two route tables.
const PARTS: [(&str, usize); 6] = [
    ("aws_vpc", 1),
    ("aws_subnet", 3),
    ("aws_internet_gateway", 1),
    ("aws_nat_gateway", 1),
    ("aws_eip", 1),
    ("aws_route_table", 2),
];

fn recorded(workspace: &Workspace) -> Value {
    let text = std::fs::read_to_string(workspace.stack_file("state.json")).unwrap();
    serde_json::from_str::<Value>(&text).unwrap()["resources"].clone()
}

#[test]
fn a_network_of_the_stacks_own_is_made_found_again_and_removed() {
    let workspace = Workspace::new();
    workspace.write("stack.yaml", STACK);
    let found = workspace.run("preflight").with(0).stdout;
    assert!(found.contains("the stack makes its own network in two of the"), "{found}");
    let up = workspace.run("up").with(0).stdout;
    for (kind, count) in PARTS {
        let made = up.lines().filter(|line| line.starts_with(&format!("{kind}.")) && line.contains(": created"));
        assert_eq!(made.count(), count, "{kind}: {up}");
    }
    let resources = recorded(&workspace);
    let of = |address: &str, attribute: &str| resources[address]["object"]["attributes"][attribute].clone();
    assert_eq!(of("aws_eks_cluster.this", "vpc_id"), of("aws_vpc.this", "id"));
    assert_eq!(of("aws_subnet.private_b", "cidr_block"), "10.20.64.0/18");
    assert_ne!(of("aws_subnet.private_a", "availability_zone"), of("aws_subnet.private_b", "availability_zone"));
    // A cluster stays in its VPC.
    workspace.write("stack.yaml", "{}\n");
    workspace.run("up").with(6).says(&["EKS moves no cluster to another", "sluice down"]);
    workspace.write("stack.yaml", STACK);
    // The record is lost: what is there is found by its tags.
    std::fs::remove_file(workspace.stack_file("state.json")).unwrap();
    let again = workspace.run("plan").with(0).stdout;
    assert!(again.contains("No changes"), "{again}");
    let audit = workspace.run("audit").stdout;
    assert!(audit.contains("aws_nat_gateway") && audit.contains("aws_eip"), "{audit}");
    let down = workspace.run("down").with(0).stdout;
    assert!(down.contains("aws_nat_gateway.this: destroyed") && down.contains("aws_vpc.this: destroyed"), "{down}");
    workspace.nothing_is_left();
}

#[test]
fn a_network_that_contradicts_itself_is_refused_before_anything_is_made() {
    let workspace = Workspace::new();
    workspace.write("stack.yaml", "cluster: {network: create, subnets: [subnet-0a, subnet-0b], vpcCidr: 8.8.0.0/16}\n");
    let refused = workspace.run("plan").with(2).stderr;
    for part in ["cluster.vpcCidr", "no block that a VPC", "cluster.subnets", "leave cluster.network out"] {
        assert!(refused.contains(part), "lacks {part}: {refused}");
    }
}

/// EC2 is late and busy: what was just made is neither listed nor taken, and calls are refused because of their rate.
#[test]
fn a_network_is_made_and_removed_in_one_try_while_ec2_is_late() {
    let workspace = Workspace::new();
    workspace.write("stack.yaml", "cluster: {network: create}\nlocal: {faults: 'networks-late,throttling:3'}\n");
    let up = workspace.run_within("up", std::time::Duration::from_mins(10)).with(0).stdout;
    assert!(up.contains("aws_nat_gateway.this: created"), "{up}");
    workspace.run_within("down", std::time::Duration::from_mins(10)).with(0);
    workspace.nothing_is_left();
}
