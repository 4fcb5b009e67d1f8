//! A NAT gateway: it costs by the hour, so it goes first and waits for nobody.

use std::time::Duration;

use provision::{Attributes, Context, Failure, Object};

use super::{Part, fetch, gone, made, ready};
use crate::cloud::Cloud;
use crate::ec2::Form;
use crate::resources::edit::request_token;
use crate::resources::value::text;
use crate::resources::wait::{Look, until};

/// TF ec2/vpc_nat_gateway.go.
const DELETED_WITHIN: Duration = Duration::from_mins(30);

pub(super) async fn create(cloud: &Cloud, desired: &Attributes, context: &Context) -> Result<Object, Failure> {
    let form = Form::default()
        .with("SubnetId", text(desired, "subnet_id")?)
        .with("AllocationId", text(desired, "allocation_id")?)
        .with("ClientToken", request_token());
    let id = made(cloud, Part::NatGateway, ("ec2:CreateNatGateway", form), desired, context).await?;
    ready(cloud, Part::NatGateway, &id, desired, context).await
}

/// Its address is free once it is gone.
pub(super) async fn delete(cloud: &Cloud, current: &Object, context: &Context) -> Result<(), Failure> {
    let id = current.id.as_str();
    gone(cloud, "ec2:DeleteNatGateway", ("NatGatewayId", id), context).await?;
    let what = format!("the deletion of NAT gateway {id}");
    until(context, &what, DELETED_WITHIN, || async {
        Ok(match fetch(cloud, Part::NatGateway, id).await? {
            None => Look::Done(()),
            Some(_) => Look::Waiting("deleting".to_owned()),
        })
    })
    .await
}
