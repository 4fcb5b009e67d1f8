//! What EC2 shows of a thing, as attributes.

use std::collections::{BTreeMap, HashMap};

use provision::{Health, Object};
use serde_json::json;

use super::{Part, TAG_NAME, tags_of};
use crate::ec2::Element;
use crate::resources::value;

/// The object; none of what shows only as what it was.
pub(super) fn of(part: Part, id: &str, item: &Element) -> Option<Object> {
    let state = item.text("state").unwrap_or_default();
    if part == Part::NatGateway && state == "deleted" {
        return None;
    }
    let tags: HashMap<String, String> = item
        .items("tagSet")
        .iter()
        .filter_map(|tag| Some((tag.text("key")?.to_owned(), tag.text("value").unwrap_or_default().to_owned())))
        .collect();
    let name = tags.get(TAG_NAME).cloned();
    let text = |element: &str| json!(item.text(element));
    let mut attributes = value::attributes([("id", json!(id)), ("name", json!(name))]);
    attributes.insert("tags".to_owned(), tags_of(name.as_deref(), tags));
    attributes.extend(match part {
        Part::Vpc => value::attributes([("cidr_block", text("cidrBlock"))]),
        Part::Subnet => value::attributes([
            ("vpc_id", text("vpcId")),
            ("cidr_block", text("cidrBlock")),
            ("availability_zone", text("availabilityZone")),
        ]),
        Part::InternetGateway => {
            let attached = item.items("attachmentSet").iter().find_map(|one| one.text("vpcId"));
            value::attributes([("vpc_id", json!(attached))])
        }
        Part::Address => value::attributes([("public_ip", text("publicIp"))]),
        Part::NatGateway => {
            let address = item.items("natGatewayAddressSet").first();
            let of_address = |element: &str| json!(address.and_then(|address| address.text(element)));
            value::attributes([
                ("subnet_id", text("subnetId")),
                ("allocation_id", of_address("allocationId")),
                ("public_ip", of_address("publicIp")),
            ])
        }
        Part::RouteTable => value::attributes([
            ("vpc_id", text("vpcId")),
            ("routes", json!(routes(item))),
            ("subnet_ids", json!(associations(item).into_keys().collect::<Vec<_>>())),
        ]),
    });
    Some(Object { health: health(part, state, item), ..Object::new(id, attributes) })
}

fn health(part: Part, state: &str, item: &Element) -> Health {
    let why = || {
        let text = |element: &str| item.text(element).unwrap_or_default();
        format!("{state} [{}: {}]", text("failureCode"), text("failureMessage"))
    };
    match (part, state) {
        (Part::NatGateway, "failed") => Health::Broken(why()),
        (Part::NatGateway, "deleting") => Health::Broken(state.to_owned()),
        (Part::NatGateway | Part::Vpc | Part::Subnet, "pending") => Health::Settling(state.to_owned()),
        _ => Health::Ready,
    }
}

/// Where destinations lead that somebody said: the VPC's own block does not count.
pub(super) fn routes(item: &Element) -> BTreeMap<String, String> {
    let route = |route: &Element| {
        let target = ["gatewayId", "natGatewayId"].iter().find_map(|name| route.text(name))?;
        let destination = route.text("destinationCidrBlock")?;
        (target != "local").then(|| (destination.to_owned(), target.to_owned()))
    };
    item.items("routeSet").iter().filter_map(route).collect()
}

/// The subnets that have the table, with the id of each association.
pub(super) fn associations(item: &Element) -> BTreeMap<String, String> {
    let association = |one: &Element| {
        let state = one.child("associationState").and_then(|state| state.text("state"));
        let is_there = !matches!(state, Some("disassociating" | "disassociated" | "failed"));
        let pair = || Some((one.text("subnetId")?.to_owned(), one.text("routeTableAssociationId")?.to_owned()));
        is_there.then(pair).flatten()
    };
    item.items("associationSet").iter().filter_map(association).collect()
}
