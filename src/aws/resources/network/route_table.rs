//! A route table, with its routes and the subnets that have it.

use std::collections::BTreeMap;

use provision::{Attributes, Context, Failure, Object};
use serde_json::Value;

use super::{Part, gone, made, object, ready};
use crate::cloud::Cloud;
use crate::ec2::{self, Element, Form};
use crate::error::Result;
use crate::resources::edit::request_token;
use crate::resources::passing::call;
use crate::resources::value::{text, texts};

pub(super) async fn create(cloud: &Cloud, desired: &Attributes, context: &Context) -> Result<Object, Failure> {
    let form = Form::default().with("VpcId", text(desired, "vpc_id")?).with("ClientToken", request_token());
    let id = made(cloud, Part::RouteTable, ("ec2:CreateRouteTable", form), desired, context).await?;
    ready(cloud, Part::RouteTable, &id, desired, context).await?;
    set(cloud, &id, desired, context).await?;
    ready(cloud, Part::RouteTable, &id, desired, context).await
}

async fn shown(cloud: &Cloud, id: &str, context: &Context) -> Result<Option<Element>, Failure> {
    let filters = [("route-table-id", vec![id.to_owned()])];
    let found = call(context, || ec2::found(cloud.session(), "ec2:DescribeRouteTables", "routeTableSet", &filters));
    Ok(found.await?.into_iter().next())
}

/// Makes routes and associations as they are wanted.
pub(super) async fn set(cloud: &Cloud, id: &str, desired: &Attributes, context: &Context) -> Result<(), Failure> {
    let item = shown(cloud, id, context).await?.unwrap_or_default();
    let wanted: BTreeMap<String, String> = desired
        .get("routes")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .filter_map(|(destination, target)| Some((destination.clone(), target.as_str()?.to_owned())))
        .collect();
    let there = object::routes(&item);
    for (destination, target) in &wanted {
        let kind = if target.starts_with("nat-") { "NatGatewayId" } else { "GatewayId" };
        let form = route(id, destination).with(kind, target);
        match there.get(destination) {
            Some(now) if now == target => {}
            Some(_) => sent(cloud, "ec2:ReplaceRoute", &form, context).await?,
            None => sent_once(cloud, "ec2:CreateRoute", &form, context, "RouteAlreadyExists").await?,
        }
    }
    for destination in there.keys().filter(|destination| !wanted.contains_key(*destination)) {
        let form = route(id, destination);
        sent_once(cloud, "ec2:DeleteRoute", &form, context, "InvalidRoute.NotFound").await?;
    }
    let (have, want) = (object::associations(&item), texts(desired, "subnet_ids").unwrap_or_default());
    for (_, association) in have.iter().filter(|(subnet, _)| !want.contains(subnet)) {
        disassociate(cloud, association, context).await?;
    }
    for subnet in want.iter().filter(|subnet| !have.contains_key(*subnet)) {
        let form = Form::default().with("RouteTableId", id).with("SubnetId", subnet);
        sent(cloud, "ec2:AssociateRouteTable", &form, context).await?;
    }
    Ok(())
}

fn route(id: &str, destination: &str) -> Form {
    Form::default().with("RouteTableId", id).with("DestinationCidrBlock", destination)
}

async fn sent(cloud: &Cloud, operation: &'static str, form: &Form, context: &Context) -> Result<(), Failure> {
    call(context, || async { ec2::request(cloud.session(), operation, form).await.map(drop) }).await
}

/// The same where a refusal says that a try whose answer was lost has done it.
async fn sent_once(
    cloud: &Cloud,
    operation: &'static str,
    form: &Form,
    context: &Context,
    done: &str,
) -> Result<(), Failure> {
    call(context, || async {
        match ec2::request(cloud.session(), operation, form).await {
            Err(error) if error.has_code(done) => Ok(()),
            answer => answer.map(drop),
        }
    })
    .await
}

async fn disassociate(cloud: &Cloud, association: &str, context: &Context) -> Result<(), Failure> {
    gone(cloud, "ec2:DisassociateRouteTable", ("AssociationId", association), context).await
}

pub(super) async fn delete(cloud: &Cloud, id: &str, context: &Context) -> Result<(), Failure> {
    if let Some(item) = shown(cloud, id, context).await? {
        for association in object::associations(&item).values() {
            disassociate(cloud, association, context).await?;
        }
    }
    gone(cloud, "ec2:DeleteRouteTable", ("RouteTableId", id), context).await
}
