//! Whether the caller may: on what is made, and on what is named.

use std::collections::BTreeSet;

use serde_json::Value;

use super::arn;
use super::network;
use super::store::{Kind, Made, RouteTable, Tags};
use super::tag_list::{given, of_input};
use crate::authorization::{Access, request_tags, resource_tags, tag_keys};
use crate::caller::Call;
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::policy::Context;
use crate::strings;

/// What an operation makes.
fn makes(action: &str) -> Option<Kind> {
    match action {
        "CreateVpc" => Some(Kind::Vpc),
        "CreateSubnet" => Some(Kind::Subnet),
        "CreateInternetGateway" => Some(Kind::InternetGateway),
        "AllocateAddress" => Some(Kind::Address),
        "CreateNatGateway" => Some(Kind::NatGateway),
        "CreateRouteTable" => Some(Kind::RouteTable),
        _ => None,
    }
}

pub(super) fn check(cloud: &Cloud, call: &Call, action: &str, input: &Value) -> Result<(), Fault> {
    if action.starts_with("Describe") {
        return cloud.authorize(call, Access::new(&format!("ec2:{action}"), "*"));
    }
    let made = makes(action);
    let tags = match made {
        Some(kind) => given(input, kind)?,
        None => of_input(input),
    };
    let operation = format!("ec2:{action}");
    // The tags of what is made are no concern of what it is made in.
    let of_named = if made.is_some() { Tags::new() } else { tags.clone() };
    for id in named(cloud, action, input) {
        allowed(cloud, call, &operation, &id, &of_named)?;
    }
    let Some(kind) = made else { return Ok(()) };
    let resource = arn::of(cloud, kind, "*");
    let mut context = Context::default();
    request_tags(&mut context, &tags);
    // What is made with tags takes the permission to tag it.
    let tagging = (!tags.is_empty()).then_some("ec2:CreateTags");
    std::iter::once(operation.as_str()).chain(tagging).try_for_each(|action| {
        let mut context = context.clone();
        if action == "ec2:CreateTags" {
            context.set("ec2:CreateAction", operation.trim_start_matches("ec2:"));
        }
        cloud.authorize(call, Access { context, ..Access::new(action, &resource) })
    })
}

fn allowed(cloud: &Cloud, call: &Call, operation: &str, id: &str, tags: &Tags) -> Result<(), Fault> {
    let held = cloud.ec2().tags(id).cloned().unwrap_or_default();
    let resource = Kind::of_id(id).map_or_else(|| "*".to_owned(), |kind| arn::of(cloud, kind, id));
    let mut context = Context::default();
    resource_tags(&mut context, &held);
    if operation == "ec2:DeleteTags" {
        tag_keys(&mut context, tags.keys().cloned().collect());
    } else {
        request_tags(&mut context, tags);
    }
    cloud.authorize(call, Access { context, ..Access::new(operation, &resource) })
}

/// The ids that an operation is authorised on, each once. A route is authorised on its table alone.
fn named(cloud: &Cloud, action: &str, input: &Value) -> BTreeSet<String> {
    let text = |name: &str| input.get(name).and_then(Value::as_str).map(str::to_owned);
    match action {
        "CreateTags" | "DeleteTags" => strings::list(input.get("Resources")).into_iter().collect(),
        "CreateRoute" | "ReplaceRoute" | "DeleteRoute" => text("RouteTableId").into_iter().collect(),
        "DisassociateRouteTable" => {
            let association = text("AssociationId").unwrap_or_default();
            let store = cloud.ec2();
            let of = |(id, made): (&String, &Made<RouteTable>)| {
                let subnet = made.thing.associations.get(&association)?;
                Some([id.clone(), subnet.clone()])
            };
            store.route_tables.iter().find_map(of).into_iter().flatten().collect()
        }
        _ => Kind::ALL.into_iter().filter_map(|kind| text(kind.parameter())).collect(),
    }
}

/// The refusal of what is too new to be known everywhere.
pub(super) fn late(cloud: &Cloud, action: &str, input: &Value) -> Option<Fault> {
    if action.starts_with("Describe") && action != "DescribeVpcAttribute" {
        return None;
    }
    let ids = named(cloud, action, input);
    let store = cloud.ec2();
    let id = ids.into_iter().find(|id| store.is_late(id, cloud.faults.faults(), &cloud.clock))?;
    Kind::of_id(&id).map(|kind| kind.not_found(&id))
}

/// Whether an id is one of the network that is there and cannot be changed.
pub(super) fn is_fixed(id: &str) -> bool {
    network::IDS.contains(&id)
}
