//! A subnet in one of the zones that have Fargate and take control planes.

use provision::{Attributes, Context, Failure, Object};
use serde_json::Value;

use super::{Part, made, ready};
use crate::cloud::Cloud;
use crate::ec2::{self, Form};
use crate::resources::passing::call;
use crate::resources::value::text;
use crate::zones::serves;

pub(super) async fn create(cloud: &Cloud, desired: &Attributes, context: &Context) -> Result<Object, Failure> {
    let zone = zone(cloud, desired, context).await?;
    let form = Form::default()
        .with("VpcId", text(desired, "vpc_id")?)
        .with("CidrBlock", text(desired, "cidr_block")?)
        .with("AvailabilityZone", zone);
    let id = made(cloud, Part::Subnet, ("ec2:CreateSubnet", form), desired, context).await?;
    ready(cloud, Part::Subnet, &id, desired, context).await
}

/// The zone of the wanted number. Numbers are those of the zones that serve, by name, so that two numbers are two zones.
async fn zone(cloud: &Cloud, desired: &Attributes, context: &Context) -> Result<String, Failure> {
    let number = desired.get("zone").and_then(Value::as_u64).unwrap_or_default() as usize;
    let region = cloud.session().region();
    let zones = call(context, || ec2::zones(cloud.session())).await?;
    let serving: Vec<String> = zones.into_iter().filter(|(_, id)| serves(region, id)).map(|(name, _)| name).collect();
    serving.get(number).cloned().ok_or_else(|| {
        let text = format!("{region} has {} zones that are open to the account and have Fargate", serving.len());
        Failure::new(text).next("a cluster needs two: choose another region, or name subnets under cluster.subnets")
    })
}
